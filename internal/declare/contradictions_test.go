package declare

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// capable is one capability with all actions for each resource.
func capable(resources ...string) []seal.Capability {
	caps := []seal.Capability{}
	for _, r := range resources {
		caps = append(caps, seal.Capability{Resource: r, Actions: Actions, Required: true})
	}
	return caps
}

func TestContradictions(t *testing.T) {
	type want struct {
		Severity        Severity
		Member, Message string
	}
	for name, c := range map[string]struct {
		annotations string
		effects     seal.SideEffects
		caps        []seal.Capability
		want        []want
	}{
		// What is consistent.
		"nothing declared":     {},
		"no annotations":       {effects: seal.SideEffects{Writes: []string{"filesystem"}, PersistsData: true}, caps: capable("filesystem")},
		"null annotations":     {annotations: `{"readOnlyHint":null,"openWorldHint":null}`, effects: seal.SideEffects{Writes: []string{"filesystem"}}, caps: capable("filesystem")},
		"honest reader":        {annotations: `{"readOnlyHint":true,"openWorldHint":false}`, effects: seal.SideEffects{Reads: []string{"filesystem"}}, caps: capable("filesystem")},
		"honest writer":        {annotations: `{"readOnlyHint":false,"destructiveHint":true}`, effects: seal.SideEffects{Writes: []string{"database"}}, caps: capable("database")},
		"honest client":        {annotations: `{"openWorldHint":true}`, effects: seal.SideEffects{NetworkEgress: true, NetworkEndpoints: []string{"a"}}, caps: capable("network")},
		"honest shell":         {effects: seal.SideEffects{ExecutesCode: true, ExecutionContext: "native", SpawnsProcesses: true}, caps: capable("process")},
		"honest administrator": {effects: seal.SideEffects{Writes: []string{"system"}, ModifiesSystemState: true}, caps: capable("system")},
		"lists processes":      {effects: seal.SideEffects{Reads: []string{"process"}}, caps: capable("process")},
		"own resource":         {effects: seal.SideEffects{Writes: []string{"com.example.printer"}}, caps: []seal.Capability{{Resource: "com.example.printer", Actions: []string{"print"}}}},
		"destructive, default": {annotations: `{"readOnlyHint":false}`},

		// Annotations against the declaration.
		"read-only that writes": {annotations: `{"readOnlyHint":true}`,
			effects: seal.SideEffects{Writes: []string{"filesystem", "system"}, ModifiesSystemState: true, PersistsData: true}, caps: capable("filesystem", "system"),
			want: []want{
				{Conflict, "writes", `lists "filesystem", "system", but the tool's annotations say readOnlyHint: true`},
				{Conflict, "modifies_system_state", "is true, but the tool's annotations say readOnlyHint: true"},
				{Conflict, "persists_data", "is true, but the tool's annotations say readOnlyHint: true"},
			}},
		"destroys nothing": {annotations: `{"destructiveHint":true}`,
			want: []want{{Conflict, "writes", "is empty, but the tool's annotations say destructiveHint: true"}}},
		"destroys elsewhere": {annotations: `{"destructiveHint":true}`,
			effects: seal.SideEffects{NetworkEgress: true, NetworkEndpoints: []string{"a"}}, caps: capable("network"),
			want: []want{{Hint, "writes", "is empty, but the tool's annotations say destructiveHint: true; what is written over the network is written to network"}}},
		"destructive and read-only": {annotations: `{"destructiveHint":true,"readOnlyHint":true}`,
			want: []want{{Hint, "annotations", "destructiveHint: true means nothing beside readOnlyHint: true"}}},
		"open world, no egress": {annotations: `{"openWorldHint":true}`,
			want: []want{{Hint, "network_egress", "is false, but the tool's annotations say openWorldHint: true"}}},
		"closed world, egress": {annotations: `{"openWorldHint":false}`,
			effects: seal.SideEffects{NetworkEgress: true, NetworkEndpoints: []string{"a"}}, caps: capable("network"),
			want: []want{{Hint, "network_egress", "is true, but the tool's annotations say openWorldHint: false"}}},
		"hint of another type": {annotations: `{"readOnlyHint":"true","openWorldHint":1}`, effects: seal.SideEffects{Writes: []string{"filesystem"}}, caps: capable("filesystem"),
			want: []want{{Hint, "annotations", "readOnlyHint is no boolean"}, {Hint, "annotations", "openWorldHint is no boolean"}}},

		// The declaration against itself.
		"egress without endpoints": {effects: seal.SideEffects{NetworkEgress: true}, caps: capable("network"),
			want: []want{{Conflict, "network_endpoints", `missing, but network_egress is true: list hostnames, or ["*"] for any`}}},
		"endpoints without egress": {effects: seal.SideEffects{NetworkEndpoints: []string{"a", "b\n"}},
			want: []want{{Conflict, "network_endpoints", `lists "a", "b\n", but network_egress is false: write network_endpoints: []`}}},
		"egress without capability": {effects: seal.SideEffects{NetworkEgress: true, NetworkEndpoints: []string{"a"}},
			want: []want{{Conflict, "capabilities_required", "has none for network, but network_egress is true"}}},
		"egress and reads without capability": {effects: seal.SideEffects{Reads: []string{"network"}, NetworkEgress: true, NetworkEndpoints: []string{"a"}},
			want: []want{{Conflict, "capabilities_required", `has none for "network", but reads lists it`}}},
		"network capability without egress": {caps: capable("network"),
			want: []want{{Conflict, "capabilities_required", "has one for network, but network_egress is false"}}},
		"network read without egress": {effects: seal.SideEffects{Reads: []string{"network"}}, caps: capable("network"),
			want: []want{{Hint, "reads", "network is read or written, but network_egress is false: right only for a tool that is connected to and never connects"}}},
		"reads without capability": {effects: seal.SideEffects{Reads: []string{"filesystem"}},
			want: []want{{Conflict, "capabilities_required", `has none for "filesystem", but reads lists it`}}},
		"writes without capability": {effects: seal.SideEffects{Writes: []string{"clipboard"}},
			want: []want{{Conflict, "capabilities_required", `has none for "clipboard", but writes lists it`}}},
		"both without capability": {effects: seal.SideEffects{Reads: []string{"database"}, Writes: []string{"database"}},
			want: []want{{Conflict, "capabilities_required", `has none for "database", but reads and writes list it`}}},
		"writes with read": {effects: seal.SideEffects{Writes: []string{"database"}}, caps: []seal.Capability{{Resource: "database", Actions: []string{"read"}}},
			want: []want{{Conflict, "capabilities_required", `permits only read for "database", but writes lists it`}}},
		"writes, two capabilities": {effects: seal.SideEffects{Writes: []string{"database"}},
			caps: []seal.Capability{{Resource: "database", Actions: []string{"read"}, Scope: "a"}, {Resource: "database", Actions: []string{"write"}, Scope: "b"}}},
		"processes without capability": {effects: seal.SideEffects{SpawnsProcesses: true, ExecutesCode: true, ExecutionContext: "native"},
			want: []want{{Conflict, "capabilities_required", "has none for process, but spawns_processes is true"}}},
		"process capability alone": {caps: capable("process"),
			want: []want{{Conflict, "capabilities_required", "has one for process, but spawns_processes is false"}}},
		"environment without capability": {effects: seal.SideEffects{AccessesEnvVars: true, EnvVarsAccessed: []string{"HOME"}},
			want: []want{{Conflict, "capabilities_required", "has none for environment, but accesses_env_vars is true"}}},
		"environment capability alone": {caps: capable("environment"),
			want: []want{{Conflict, "capabilities_required", "has one for environment, but accesses_env_vars is false"}}},
		"environment read, not accessed": {effects: seal.SideEffects{Reads: []string{"environment"}}, caps: capable("environment"),
			want: []want{{Conflict, "accesses_env_vars", "is false, but reads lists environment"}}},
		"variables, none accessed": {effects: seal.SideEffects{EnvVarsAccessed: []string{"A", "B", "C", "D", "E", "F", "G"}},
			want: []want{{Conflict, "env_vars_accessed", `lists "A", "B", "C", "D", "E", and 2 more, but accesses_env_vars is false: write env_vars_accessed: []`}}},
		"accessed, none listed": {effects: seal.SideEffects{AccessesEnvVars: true}, caps: capable("environment"),
			want: []want{{Hint, "env_vars_accessed", `missing, but accesses_env_vars is true: MIS §11.2 recommends it; ["*"] is any`}}},
		"code without context": {effects: seal.SideEffects{ExecutesCode: true},
			want: []want{{Hint, "execution_context", "missing, but executes_code is true: MIS §11.2 recommends it"}}},
		"context without code": {effects: seal.SideEffects{ExecutionContext: "sandboxed-vm"},
			want: []want{{Hint, "execution_context", `is "sandboxed-vm", but executes_code is false`}}},
		"processes without code": {effects: seal.SideEffects{SpawnsProcesses: true}, caps: capable("process"),
			want: []want{{Hint, "executes_code", "is false, but spawns_processes is true: MIS §11.2 counts subprocesses and shell commands as code"}}},
		"system written, not modified": {effects: seal.SideEffects{Writes: []string{"system"}}, caps: capable("system"),
			want: []want{{Conflict, "modifies_system_state", "is false, but writes lists system"}}},
		"system modified, not written": {effects: seal.SideEffects{ModifiesSystemState: true}, caps: capable("system"),
			want: []want{{Hint, "writes", "modifies_system_state is true, but system is not written"}}},
		"system without capability": {effects: seal.SideEffects{Writes: []string{"system"}, ModifiesSystemState: true},
			want: []want{{Conflict, "capabilities_required", `has none for "system", but writes lists it`}}},
		"system capability alone": {caps: capable("system"),
			want: []want{{Conflict, "capabilities_required", "has one for system, but modifies_system_state is false"}}},
		"persists nowhere": {effects: seal.SideEffects{PersistsData: true},
			want: []want{{Conflict, "writes", "is empty, but persists_data is true: name what the data is written to"}}},
		"persists elsewhere": {effects: seal.SideEffects{PersistsData: true, NetworkEgress: true, NetworkEndpoints: []string{"a"}}, caps: capable("network"),
			want: []want{{Hint, "writes", "is empty, but persists_data is true: name what the data is written to; what is written over the network is written to network"}}},
		"idle capabilities": {caps: capable("filesystem", "com.example.printer"),
			want: []want{
				{Hint, "capabilities_required", `has one for "com.example.printer", but it is neither read nor written`},
				{Hint, "capabilities_required", `has one for "filesystem", but it is neither read nor written`},
			}},
	} {
		t.Run(name, func(t *testing.T) {
			tool := fingerprint.Tool{Name: "x", Annotations: []byte(c.annotations)}
			if c.annotations == "" {
				tool.Annotations = nil
			}
			for _, origin := range []Origin{Own, Defaults} {
				var got []want
				for _, f := range Contradictions(tool, Declaration{SideEffects: c.effects, Capabilities: c.caps, Origin: origin, Line: 3}) {
					if f.Tool != "x" || f.Line != 3 {
						t.Errorf("%+v: want tool x in line 3", f)
					}
					got = append(got, want{f.Severity, f.Member, f.Message})
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
			}
			if got := Contradictions(tool, Declaration{SideEffects: c.effects, Capabilities: c.caps}); got != nil {
				t.Errorf("undeclared: got %v, want none", got)
			}
		})
	}
}

func TestContradictionLines(t *testing.T) {
	f := mustParse(t, whole+"tools:\n  a:\n    side_effects:\n      writes: [filesystem]\n      persists_data: true\n")
	var got []int
	for _, c := range Contradictions(fingerprint.Tool{Name: "a", Annotations: []byte(`{"readOnlyHint":true}`)}, f.Declaration("a")) {
		got = append(got, c.Line)
	}
	// writes and persists_data where the tool says them, capabilities where defaults do.
	if diff := cmp.Diff([]int{9, 10, 5}, got); diff != "" {
		t.Error(diff)
	}
}

// TestTableNamesEveryMember holds the table of the package comment against the
// members that rules speak of.
func TestTableNamesEveryMember(t *testing.T) {
	members := slices.Concat(requiredEffects, []string{networkEndpoints, executionContext, envVarsAccessed, capabilities, annotations})
	members = slices.DeleteFunc(members, func(m string) bool { return m == spawnsProcesses }) // reported as executes_code and capabilities_required
	table := packageComment(t)
	for _, m := range members {
		if !strings.Contains(table, "//\t"+m) {
			t.Errorf("the table has no line for %s", m)
		}
	}
}
