package declare

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/strictyaml"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// A Contradiction is a statement of a declaration that another one, or the
// tool's annotations, speaks against. The package comment has the table.
type Contradiction struct {
	Tool string
	// Member is the one to look at first: a member of side_effects,
	// capabilities_required, or annotations.
	Member string
	// Message says what stands against what, and how to settle it.
	Message  string
	Severity Severity
	// Line is where the member stands in the file, or the tool; 0 if nowhere.
	Line int
}

// Severity tells what cannot be true from what is merely odd.
type Severity string

// The severities.
const (
	Conflict Severity = "contradiction"
	Hint     Severity = "hint"
)

// Contradictions compares d with itself and with the annotations of t, in the
// order of the table in the package comment. An [Undeclared] d has none.
func Contradictions(t fingerprint.Tool, d Declaration) []Contradiction {
	if d.Origin == Undeclared {
		return nil
	}
	c := comparison{SideEffects: d.SideEffects, caps: map[string][]string{}, hints: readHints(t.Annotations)}
	for _, capability := range d.Capabilities {
		c.caps[capability.Resource] = append(c.caps[capability.Resource], capability.Actions...)
	}
	for _, rule := range rules {
		rule(&c)
	}
	for i := range c.found {
		f := &c.found[i]
		f.Tool, f.Line = t.Name, d.Line
		if line, ok := d.Lines[f.Member]; ok {
			f.Line = line
		}
	}
	return c.found
}

// A comparison is one declaration under the rules.
type comparison struct {
	seal.SideEffects
	caps  map[string][]string // resource → actions
	hints hints
	found []Contradiction
}

func (c *comparison) conflict(member, format string, args ...any) {
	c.add(Conflict, member, format, args)
}

func (c *comparison) hint(member, format string, args ...any) { c.add(Hint, member, format, args) }

func (c *comparison) add(s Severity, member, format string, args []any) {
	c.found = append(c.found, Contradiction{Member: member, Severity: s, Message: fmt.Sprintf(format, args...)})
}

func (c *comparison) reads(resource string) bool  { return slices.Contains(c.Reads, resource) }
func (c *comparison) writes(resource string) bool { return slices.Contains(c.Writes, resource) }
func (c *comparison) touches(resource string) bool {
	return c.reads(resource) || c.writes(resource)
}

// touched are the resources that are read or written, each once.
func (c *comparison) touched() []string {
	all := slices.Concat(c.Reads, c.Writes)
	slices.Sort(all)
	return slices.Compact(all)
}

// rules are in the order of the table in the package comment.
var rules = []func(*comparison){
	readsRule,
	readOnlyRule,
	writesNothingRule,
	egressRule,
	endpointsRule,
	codeRule,
	environmentRule,
	systemRule,
	neededCapabilitiesRule,
	unusedCapabilitiesRule,
	annotationsRule,
}

func readsRule(c *comparison) {
	if c.touches("network") && !c.NetworkEgress {
		c.hint(reads, "network is read or written, but network_egress is false: right only for a tool that is connected to and never connects")
	}
}

// readOnlyRule: "If true, the tool does not modify its environment" (MCP,
// ToolAnnotations). A host may skip its question to the user on that word.
func readOnlyRule(c *comparison) {
	if !c.hints.is("readOnlyHint", true) {
		return
	}
	if len(c.Writes) > 0 {
		c.conflict(writes, "lists %s, but the tool's annotations say readOnlyHint: true", listed(c.Writes))
	}
	if c.ModifiesSystemState {
		c.conflict(modifiesSystemState, "is true, but the tool's annotations say readOnlyHint: true")
	}
	if c.PersistsData {
		c.conflict(persistsData, "is true, but the tool's annotations say readOnlyHint: true")
	}
}

// writesNothingRule: what destroys or persists must be written somewhere. With
// egress that may be elsewhere, where no category of ours reaches.
func writesNothingRule(c *comparison) {
	report, remedy := c.conflict, ""
	if c.NetworkEgress {
		report, remedy = c.hint, "; what is written over the network is written to network"
	}
	if len(c.Writes) == 0 && c.hints.is("destructiveHint", true) && !c.hints.is("readOnlyHint", true) {
		report(writes, "is empty, but the tool's annotations say destructiveHint: true%s", remedy)
	}
	if len(c.Writes) == 0 && c.PersistsData {
		report(writes, "is empty, but persists_data is true: name what the data is written to%s", remedy)
	}
	if c.ModifiesSystemState && !c.writes("system") {
		c.hint(writes, "modifies_system_state is true, but system is not written")
	}
}

func egressRule(c *comparison) {
	switch {
	case c.hints.is("openWorldHint", true) && !c.NetworkEgress:
		c.hint(networkEgress, "is false, but the tool's annotations say openWorldHint: true")
	case c.hints.is("openWorldHint", false) && c.NetworkEgress:
		c.hint(networkEgress, "is true, but the tool's annotations say openWorldHint: false")
	}
}

// endpointsRule: "REQUIRED if network_egress is true" (MIS §11.2).
func endpointsRule(c *comparison) {
	switch {
	case c.NetworkEgress && len(c.NetworkEndpoints) == 0:
		c.conflict(networkEndpoints, `missing, but network_egress is true: list hostnames, or ["*"] for any`)
	case !c.NetworkEgress && len(c.NetworkEndpoints) > 0:
		c.conflict(networkEndpoints, "lists %s, but network_egress is false: write network_endpoints: []", listed(c.NetworkEndpoints))
	}
}

// codeRule: MIS §11.2 counts a subprocess as executing code, and recommends
// execution_context where code is executed.
func codeRule(c *comparison) {
	if c.SpawnsProcesses && !c.ExecutesCode {
		c.hint(executesCode, "is false, but spawns_processes is true: MIS §11.2 counts subprocesses and shell commands as code")
	}
	switch {
	case c.ExecutesCode && c.ExecutionContext == "":
		c.hint(executionContext, "missing, but executes_code is true: MIS §11.2 recommends it")
	case c.ExecutionContext != "" && !c.ExecutesCode && !c.SpawnsProcesses:
		c.hint(executionContext, "is %q, but executes_code is false", c.ExecutionContext)
	}
}

func environmentRule(c *comparison) {
	if c.reads("environment") && !c.AccessesEnvVars {
		c.conflict(accessesEnvVars, "is false, but reads lists environment")
	}
	switch {
	case !c.AccessesEnvVars && len(c.EnvVarsAccessed) > 0:
		c.conflict(envVarsAccessed, "lists %s, but accesses_env_vars is false: write env_vars_accessed: []", listed(c.EnvVarsAccessed))
	case c.AccessesEnvVars && len(c.EnvVarsAccessed) == 0:
		c.hint(envVarsAccessed, `missing, but accesses_env_vars is true: MIS §11.2 recommends it; ["*"] is any`)
	}
}

func systemRule(c *comparison) {
	if c.writes("system") && !c.ModifiesSystemState {
		c.conflict(modifiesSystemState, "is false, but writes lists system")
	}
}

// switches are the resources that a boolean of side_effects speaks for: with
// one at false, a capability for its resource cannot be needed.
func (c *comparison) switches() []resourceSwitch {
	return []resourceSwitch{
		{"network", networkEgress, c.NetworkEgress},
		{"environment", accessesEnvVars, c.AccessesEnvVars},
		{"process", spawnsProcesses, c.SpawnsProcesses},
		{"system", modifiesSystemState, c.ModifiesSystemState},
	}
}

type resourceSwitch struct {
	resource, member string
	on               bool
}

func neededCapabilitiesRule(c *comparison) {
	for _, s := range c.switches() {
		if _, has := c.caps[s.resource]; s.on && !has && !c.touches(s.resource) {
			c.conflict(capabilities, "has none for %s, but %s is true", s.resource, s.member)
		}
	}
	for _, r := range c.touched() {
		actions, has := c.caps[r]
		switch {
		case !has:
			c.conflict(capabilities, "has none for %s, but %s", strictyaml.Quoted(r), c.howTouched(r))
		case c.writes(r) && !slices.ContainsFunc(actions, func(a string) bool { return a != "read" }):
			c.conflict(capabilities, "permits only read for %s, but writes lists it", strictyaml.Quoted(r))
		}
	}
}

func (c *comparison) howTouched(resource string) string {
	switch r, w := c.reads(resource), c.writes(resource); {
	case r && w:
		return "reads and writes list it"
	case w:
		return "writes lists it"
	}
	return "reads lists it"
}

func unusedCapabilitiesRule(c *comparison) {
	switches := c.switches()
	for _, s := range switches {
		if _, has := c.caps[s.resource]; has && !s.on && !c.touches(s.resource) {
			c.conflict(capabilities, "has one for %s, but %s is false", s.resource, s.member)
		}
	}
	resources := make([]string, 0, len(c.caps))
	for r := range c.caps {
		resources = append(resources, r)
	}
	slices.Sort(resources)
	for _, r := range resources {
		switched := slices.ContainsFunc(switches, func(s resourceSwitch) bool { return s.resource == r })
		if !switched && !c.touches(r) {
			c.hint(capabilities, "has one for %s, but it is neither read nor written", strictyaml.Quoted(r))
		}
	}
}

// annotationsRule: destructiveHint "is meaningful only when readOnlyHint ==
// false" (MCP, ToolAnnotations).
func annotationsRule(c *comparison) {
	if c.hints.is("readOnlyHint", true) && c.hints.is("destructiveHint", true) {
		c.hint(annotations, "destructiveHint: true means nothing beside readOnlyHint: true")
	}
	for _, name := range c.hints.malformed {
		c.hint(annotations, "%s is no boolean", name)
	}
}

// listed quotes the first few of a list, for a message.
func listed(list []string) string {
	const most = 5
	shown := make([]string, 0, most+1)
	for i, s := range list {
		if i == most {
			shown = append(shown, fmt.Sprintf("and %d more", len(list)-most))
			break
		}
		shown = append(shown, strictyaml.Quoted(s))
	}
	return strings.Join(shown, ", ")
}
