package lineage

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/seal"
)

// declaring returns a side with one sealed tool.
func declaring(effects seal.SideEffects, capabilities ...seal.Capability) Side {
	return Side{Manifest: &seal.Manifest{Tools: []seal.Tool{{Name: "t", SideEffects: effects, Capabilities: capabilities}}}}
}

// wantLines compares changes with lines, which may be indented.
func wantLines(t *testing.T, name, want string, got Classes) {
	t.Helper()
	var trimmed strings.Builder
	for text := range strings.Lines(want) {
		if text = strings.TrimSpace(text); text != "" {
			trimmed.WriteString(text + "\n")
		}
	}
	if diff := cmp.Diff(trimmed.String(), lines(got.Changes)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestClassifySideEffects(t *testing.T) {
	type e = seal.SideEffects
	for _, c := range []struct {
		name           string
		old, new       e
		want, backward string
	}{
		{"reads", e{Reads: []string{"filesystem"}}, e{Reads: []string{"network", "filesystem", "environment"}},
			`expansion side-effect-expanded /side_effects/reads: reads "environment" and "network" as well`,
			`reduction side-effect-reduced /side_effects/reads: no longer reads "environment" and "network"`},
		{"writes", e{}, e{Writes: []string{"filesystem"}},
			`expansion side-effect-expanded /side_effects/writes: writes "filesystem" as well`,
			`reduction side-effect-reduced /side_effects/writes: no longer writes "filesystem"`},
		{"the order of reads", e{Reads: []string{"a", "b"}}, e{Reads: []string{"b", "a", "a"}}, ``, ``},
		{"egress", e{}, e{NetworkEgress: true, NetworkEndpoints: []string{"b.example.com", "a.example.com"}},
			`expansion side-effect-expanded /side_effects/network_egress: declares network egress to "a.example.com" and "b.example.com"`,
			`reduction side-effect-reduced /side_effects/network_egress: no longer declares network egress`},
		{"egress to nowhere", e{}, e{NetworkEgress: true},
			`expansion side-effect-expanded /side_effects/network_egress: declares network egress`,
			`reduction side-effect-reduced /side_effects/network_egress: no longer declares network egress`},
		{"an endpoint", e{NetworkEgress: true, NetworkEndpoints: []string{"a.example.com"}}, e{NetworkEgress: true, NetworkEndpoints: []string{"a.example.com", "b.example.com"}},
			`expansion side-effect-expanded /side_effects/network_endpoints: extends its network egress to "b.example.com"`,
			`reduction side-effect-reduced /side_effects/network_endpoints: gives up network egress to "b.example.com"`},
		{"every endpoint", e{NetworkEgress: true, NetworkEndpoints: []string{"a.example.com"}}, e{NetworkEgress: true, NetworkEndpoints: []string{"*"}},
			`expansion side-effect-expanded /side_effects/network_endpoints: extends its network egress to "*"
			 reduction side-effect-reduced /side_effects/network_endpoints: gives up network egress to "a.example.com"`,
			`reduction side-effect-reduced /side_effects/network_endpoints: gives up network egress to "*"
			 compatible side-effect-restated /side_effects/network_endpoints: names "a.example.com" within the network egress that it had`},
		{"endpoints without egress", e{}, e{NetworkEndpoints: []string{"a.example.com"}},
			`expansion side-effect-expanded /side_effects/network_endpoints: extends its network egress to "a.example.com"`,
			`reduction side-effect-reduced /side_effects/network_endpoints: gives up network egress to "a.example.com"`},
		{"an endpoint, and no egress", e{NetworkEgress: true}, e{NetworkEndpoints: []string{"a.example.com"}},
			`expansion side-effect-expanded /side_effects/network_endpoints: extends its network egress to "a.example.com"
			 reduction side-effect-reduced /side_effects/network_egress: no longer declares network egress`,
			`expansion side-effect-expanded /side_effects/network_egress: declares network egress
			 reduction side-effect-reduced /side_effects/network_endpoints: gives up network egress to "a.example.com"`},
		{"code", e{}, e{ExecutesCode: true},
			`expansion side-effect-expanded /side_effects/executes_code: declares that it executes code`,
			`reduction side-effect-reduced /side_effects/executes_code: no longer declares that it executes code`},
		{"a sandbox", e{ExecutionContext: "sandboxed-vm"}, e{ExecutionContext: "native"},
			`expansion side-effect-expanded /side_effects/execution_context: leaves its sandbox, "sandboxed-vm"`,
			`reduction side-effect-reduced /side_effects/execution_context: runs in a sandbox, "sandboxed-vm"`},
		{"a sandbox that is not named", e{ExecutionContext: "sandboxed-vm"}, e{},
			`expansion side-effect-expanded /side_effects/execution_context: leaves its sandbox, "sandboxed-vm"`,
			`reduction side-effect-reduced /side_effects/execution_context: runs in a sandbox, "sandboxed-vm"`},
		{"another sandbox", e{ExecutionContext: "sandboxed-vm"}, e{ExecutionContext: "sandboxed-container"},
			`expansion side-effect-expanded /side_effects/execution_context: runs in another sandbox: "sandboxed-container" instead of "sandboxed-vm"`,
			`expansion side-effect-expanded /side_effects/execution_context: runs in another sandbox: "sandboxed-vm" instead of "sandboxed-container"`},
		{"no sandbox, in words", e{}, e{ExecutionContext: "native"},
			`compatible side-effect-restated /side_effects/execution_context: says in other words that no sandbox holds it`,
			`compatible side-effect-restated /side_effects/execution_context: says in other words that no sandbox holds it`},
		{"environment", e{}, e{AccessesEnvVars: true, EnvVarsAccessed: []string{"HOME"}},
			`expansion side-effect-expanded /side_effects/accesses_env_vars: declares access to environment variables: "HOME"`,
			`reduction side-effect-reduced /side_effects/accesses_env_vars: no longer declares access to environment variables`},
		{"a variable", e{AccessesEnvVars: true, EnvVarsAccessed: []string{"API_*"}}, e{AccessesEnvVars: true, EnvVarsAccessed: []string{"API_*", "API_KEY", "HOME"}},
			`expansion side-effect-expanded /side_effects/env_vars_accessed: extends its access to environment variables: "HOME"
			 compatible side-effect-restated /side_effects/env_vars_accessed: names "API_KEY" within the access to environment variables that it had`,
			`reduction side-effect-reduced /side_effects/env_vars_accessed: gives up access to environment variables: "API_KEY" and "HOME"`},
		{"processes", e{}, e{SpawnsProcesses: true},
			`expansion side-effect-expanded /side_effects/spawns_processes: declares that it spawns processes`,
			`reduction side-effect-reduced /side_effects/spawns_processes: no longer declares that it spawns processes`},
		{"system state", e{}, e{ModifiesSystemState: true},
			`expansion side-effect-expanded /side_effects/modifies_system_state: declares that it modifies system state`,
			`reduction side-effect-reduced /side_effects/modifies_system_state: no longer declares that it modifies system state`},
		{"persistence", e{}, e{PersistsData: true},
			`expansion side-effect-expanded /side_effects/persists_data: declares that it persists data`,
			`reduction side-effect-reduced /side_effects/persists_data: no longer declares that it persists data`},
		{"the summary", e{Summary: "Reads."}, e{Summary: "Reads files."},
			`wording summary-changed /side_effects/human_readable_summary: rewords the summary of its side effects`,
			`wording summary-changed /side_effects/human_readable_summary: rewords the summary of its side effects`},
		{"many names, of strangers", e{}, e{Reads: []string{"a\u202e\"\n", "b", "c", "d", "e", "f", "g" + strings.Repeat("x", 100)}},
			`expansion side-effect-expanded /side_effects/reads: reads "a\u202e\"\n", "b", "c", "d", "e" and 2 more as well`,
			`reduction side-effect-reduced /side_effects/reads: no longer reads "a\u202e\"\n", "b", "c", "d", "e" and 2 more`},
	} {
		wantLines(t, c.name, c.want, Classify(declaring(c.old), declaring(c.new)))
		wantLines(t, c.name+", backwards", c.backward, Classify(declaring(c.new), declaring(c.old)))
	}
}

func TestClassifyCapabilities(t *testing.T) {
	list := func(c ...seal.Capability) []seal.Capability { return c }
	read := seal.Capability{Resource: "filesystem", Actions: []string{"read"}, Scope: "/tmp/*", Required: true}
	with := func(change func(*seal.Capability)) seal.Capability {
		c := read
		change(&c)
		return c
	}
	for _, c := range []struct {
		name           string
		old, new       []seal.Capability
		want, backward string
	}{
		{"order", list(read, seal.Capability{Resource: "network", Actions: []string{"a", "b"}}), list(seal.Capability{Resource: "network", Actions: []string{"b", "a"}}, read, read), ``, ``},
		{"one more", nil, list(read),
			`expansion capability-gained /capabilities_required: needs the capability to "read" "filesystem" ("/tmp/*")`,
			`reduction capability-lost /capabilities_required: no longer needs the capability to "read" "filesystem" ("/tmp/*")`},
		{"one more of a resource", list(read), list(read, seal.Capability{Resource: "filesystem"}),
			`expansion capability-gained /capabilities_required: needs a capability on "filesystem" for optional features`,
			`reduction capability-lost /capabilities_required: no longer needs a capability on "filesystem" for optional features`},
		{"an action", list(read), list(with(func(c *seal.Capability) { c.Actions = []string{"write", "read"} })),
			`expansion capability-widened /capabilities_required: its capability on "filesystem" may "write" as well`,
			`reduction capability-narrowed /capabilities_required: its capability on "filesystem" may no longer "write"`},
		{"required", list(with(func(c *seal.Capability) { c.Required = false })), list(read),
			`expansion capability-widened /capabilities_required: its capability on "filesystem" is required now`,
			`reduction capability-narrowed /capabilities_required: its capability on "filesystem" is optional now`},
		{"no scope", list(read), list(with(func(c *seal.Capability) { c.Scope = "" })),
			`expansion capability-widened /capabilities_required: its capability on "filesystem" has no limit now, and had "/tmp/*"`,
			`reduction capability-narrowed /capabilities_required: its capability on "filesystem" is limited to "/tmp/*"`},
		{"a scope within", list(read), list(with(func(c *seal.Capability) { c.Scope = "/tmp/a" })),
			`reduction capability-narrowed /capabilities_required: its capability on "filesystem" is limited to "/tmp/a"`,
			`expansion capability-widened /capabilities_required: its capability on "filesystem" has the scope "/tmp/*" instead of "/tmp/a"`},
		{"a scope out of it", list(read), list(with(func(c *seal.Capability) { c.Scope = "/tmp/../etc" })),
			`expansion capability-widened /capabilities_required: its capability on "filesystem" has the scope "/tmp/../etc" instead of "/tmp/*"`,
			`expansion capability-widened /capabilities_required: its capability on "filesystem" has the scope "/tmp/*" instead of "/tmp/../etc"`},
		{"any scope, in words", list(seal.Capability{Resource: "network"}), list(seal.Capability{Resource: "network", Scope: "*"}),
			`compatible capability-restated /capabilities_required: its capability on "network" is said in other words to have no limit`,
			`compatible capability-restated /capabilities_required: its capability on "network" is said in other words to have no limit`},
		{"wider and narrower", list(read), list(with(func(c *seal.Capability) { c.Actions, c.Required = []string{"write"}, false })),
			`expansion capability-widened /capabilities_required: its capability on "filesystem" may "write" as well
			 reduction capability-narrowed /capabilities_required: its capability on "filesystem" may no longer "read"
			 reduction capability-narrowed /capabilities_required: its capability on "filesystem" is optional now`,
			`expansion capability-widened /capabilities_required: its capability on "filesystem" may "read" as well
			 expansion capability-widened /capabilities_required: its capability on "filesystem" is required now
			 reduction capability-narrowed /capabilities_required: its capability on "filesystem" may no longer "write"`},
		{"another resource", list(read), list(with(func(c *seal.Capability) { c.Resource = "database" })),
			`expansion capability-gained /capabilities_required: needs the capability to "read" "database" ("/tmp/*")
			 reduction capability-lost /capabilities_required: no longer needs the capability to "read" "filesystem" ("/tmp/*")`,
			`expansion capability-gained /capabilities_required: needs the capability to "read" "filesystem" ("/tmp/*")
			 reduction capability-lost /capabilities_required: no longer needs the capability to "read" "database" ("/tmp/*")`},
	} {
		wantLines(t, c.name, c.want, Classify(declaring(seal.SideEffects{}, c.old...), declaring(seal.SideEffects{}, c.new...)))
		wantLines(t, c.name+", backwards", c.backward, Classify(declaring(seal.SideEffects{}, c.new...), declaring(seal.SideEffects{}, c.old...)))
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		wide, narrow string
		want         bool
	}{
		{"*", "anything at all", true},
		{"*.example.com", "api.example.com", true},
		{"*.example.com", "example.com", false},
		{"*.example.com", ".example.com", false},
		{"*.example.com", "a.b.example.com", false},
		{"*.example.com", "evil.com/x.example.com", false},
		{"*.example.com", "evil.com#.example.com", false},
		{"*.example.com", "u@x.example.com", false},
		{"*.example.com", "*.example.com", false},
		{"*.example.com:443", "a.example.com:443", false},
		{"*.*", "a.b", false},
		{"*", "../..", true},
		{"example.com", "example.com", false}, // equal names are not compared here
		{"https://a.example/x/*", "https://a.example/x/y", true},
		{"https://a.example/x/*", "https://a.example/x/../y", false},
		{"https://a.example*", "https://a.example.evil.com", false},
		{"/tmp/*/x/*", "/tmp/a/x/b", false},
	} {
		if got := coversHost(c.wide, c.narrow); got != c.want {
			t.Errorf("coversHost(%q, %q) = %t", c.wide, c.narrow, got)
		}
	}
}

func TestClassifyAnnotations(t *testing.T) {
	side := func(annotations string) Side {
		if annotations == "" {
			return Side{Tools: parseTools(t, `{"name":"t","inputSchema":{}}`)}
		}
		return Side{Tools: parseTools(t, `{"name":"t","inputSchema":{},"annotations":`+annotations+`}`)}
	}
	for _, c := range []struct{ name, old, new, want, backward string }{
		{"read-only", `{"readOnlyHint":true}`, `{"readOnlyHint":false}`,
			`expansion hint-expanded /readOnlyHint: no longer promises to change nothing`,
			`reduction hint-reduced /readOnlyHint: promises to change nothing: a host may stop asking`},
		{"read-only, by default", `{"readOnlyHint":true}`, `{}`,
			`expansion hint-expanded /readOnlyHint: no longer promises to change nothing`,
			`reduction hint-reduced /readOnlyHint: promises to change nothing: a host may stop asking`},
		{"destructive", `{"destructiveHint":false}`, `{"destructiveHint":true}`,
			`expansion hint-expanded /destructiveHint: may destroy what it changes`,
			`reduction hint-reduced /destructiveHint: promises to destroy nothing`},
		{"destructive, by default", `{"destructiveHint":false}`, `{}`,
			`expansion hint-expanded /destructiveHint: may destroy what it changes`,
			`reduction hint-reduced /destructiveHint: promises to destroy nothing`},
		{"idempotent", `{"idempotentHint":true}`, `{"idempotentHint":false}`,
			`expansion hint-expanded /idempotentHint: no longer promises that a repeated call changes nothing more`,
			`reduction hint-reduced /idempotentHint: promises that a repeated call changes nothing more`},
		{"open world", `{"openWorldHint":false}`, `{}`,
			`expansion hint-expanded /openWorldHint: may reach an open world of entities`,
			`reduction hint-reduced /openWorldHint: promises to stay within a closed domain`},
		{"the default, in words", `{}`, `{"destructiveHint":true}`,
			`wording annotations-changed /destructiveHint: adds the annotation "destructiveHint"`,
			`wording annotations-changed /destructiveHint: removes the annotation "destructiveHint"`},
		{"a hint that is no boolean", `{"readOnlyHint":"yes"}`, `{"readOnlyHint":"no"}`,
			`expansion hint-expanded /readOnlyHint: no longer promises to change nothing`,
			`expansion hint-expanded /readOnlyHint: no longer promises to change nothing`},
		{"a title", `{"title":"A"}`, `{"title":"B"}`,
			`wording annotations-changed /title: changes the annotation "title"`,
			`wording annotations-changed /title: changes the annotation "title"`},
		{"all of them", ``, `{"title":"A","readOnlyHint":true}`,
			`wording annotations-changed : adds annotations
			 reduction hint-reduced /readOnlyHint: promises to change nothing: a host may stop asking`,
			`expansion hint-expanded /readOnlyHint: no longer promises to change nothing
			 wording annotations-changed : removes the annotations`},
		{"an empty object", ``, `{}`, `wording annotations-changed : adds annotations`, `wording annotations-changed : removes the annotations`},
	} {
		wantLines(t, c.name, c.want, Classify(side(c.old), side(c.new)))
		wantLines(t, c.name+", backwards", c.backward, Classify(side(c.new), side(c.old)))
	}
}
