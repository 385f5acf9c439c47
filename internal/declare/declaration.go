package declare

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/internal/strictyaml"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// A Declaration is what is sealed for one tool: what it does and what it needs.
type Declaration struct {
	SideEffects  seal.SideEffects
	Capabilities []seal.Capability
	Origin       Origin
	// Line is that of the tool's entry (Own) or of defaults (Defaults), and 0
	// for a tool of which nothing is said.
	Line int
	// Lines are the lines of the members that were declared, by their names:
	// those of side_effects (reads, writes, …) and capabilities_required. A
	// member taken from defaults has its line there.
	Lines map[string]int
	// Missing names what defaults would have to say to cover the tool, where
	// there are defaults and the tool is Undeclared nevertheless.
	Missing []string
}

// Origin says where a declaration comes from.
type Origin int

// The origins. Undeclared comes first: a Declaration of which nobody said
// where it comes from was declared by nobody.
const (
	// Undeclared: the file says nothing of the tool. The declaration is the
	// widest; whether that may be sealed is the caller's to decide.
	Undeclared Origin = iota
	// Defaults: the file says nothing of this tool, and its defaults are whole.
	Defaults
	// Own: the tool's entry says at least one thing.
	Own
)

// String returns "undeclared", "defaults" or "own".
func (o Origin) String() string {
	switch o {
	case Own:
		return "own"
	case Defaults:
		return "defaults"
	}
	return "undeclared"
}

// The names of the members that several places speak of.
const (
	sideEffects         = "side_effects"
	capabilities        = "capabilities_required"
	reads               = "reads"
	writes              = "writes"
	networkEgress       = "network_egress"
	networkEndpoints    = "network_endpoints"
	executesCode        = "executes_code"
	executionContext    = "execution_context"
	accessesEnvVars     = "accesses_env_vars"
	envVarsAccessed     = "env_vars_accessed"
	spawnsProcesses     = "spawns_processes"
	modifiesSystemState = "modifies_system_state"
	persistsData        = "persists_data"
	annotations         = "annotations"
)

// requiredEffects are the members that MIS §11.2 requires, in its order.
var requiredEffects = []string{reads, writes, networkEgress, executesCode, accessesEnvVars,
	spawnsProcesses, modifiesSystemState, persistsData}

// Actions are the actions that MIS §8.5 names; "all actions" of decision 21
// are these. It knows no wildcard, and who looks for "write" must find it.
var Actions = []string{"read", "write", "execute"}

// Widest returns the declaration of a tool that declares nothing (decision
// 21): all categories read and written, egress to "*", code, environment "*",
// processes, system state, persistence; each category's capability with all
// actions and the scope "*", not required.
func Widest() Declaration {
	d := Declaration{
		SideEffects: seal.SideEffects{
			Reads:               slices.Clone(seal.Resources),
			Writes:              slices.Clone(seal.Resources),
			NetworkEgress:       true,
			NetworkEndpoints:    []string{"*"},
			ExecutesCode:        true,
			AccessesEnvVars:     true,
			EnvVarsAccessed:     []string{"*"},
			SpawnsProcesses:     true,
			ModifiesSystemState: true,
			PersistsData:        true,
		},
		Origin: Undeclared,
	}
	for _, r := range seal.Resources {
		d.Capabilities = append(d.Capabilities, seal.Capability{Resource: r, Actions: slices.Clone(Actions), Scope: "*"})
	}
	return d
}

// Declaration returns what is declared for the tool of that name. It is whole
// in every case: a tool of which the file says nothing has the [Widest]
// declaration with [Undeclared] as its origin, so that no caller can take
// silence for "false". The caller owns the result.
func (f *File) Declaration(tool string) Declaration {
	if f == nil {
		return Widest()
	}
	if d, ok := f.tools[tool]; ok {
		return d.clone()
	}
	return f.defaults.clone()
}

func (d Declaration) clone() Declaration {
	e := &d.SideEffects
	for _, list := range []*[]string{&e.Reads, &e.Writes, &e.NetworkEndpoints, &e.EnvVarsAccessed, &d.Missing} {
		*list = slices.Clone(*list)
	}
	d.Capabilities = slices.Clone(d.Capabilities)
	for i := range d.Capabilities {
		d.Capabilities[i].Actions = slices.Clone(d.Capabilities[i].Actions)
	}
	d.Lines = maps.Clone(d.Lines)
	return d
}

// said is what a declaration is made of: members of side_effects, by name, and
// the list of capabilities.
type said struct {
	effects      map[string]*strictyaml.Member
	capabilities *strictyaml.Member
}

func (s said) isEmpty() bool { return len(s.effects) == 0 && s.capabilities == nil }

// overlay returns s with what n, a tool's entry or defaults, says in its place.
func (s said) overlay(n *strictyaml.Node) said {
	out := said{effects: maps.Clone(s.effects), capabilities: s.capabilities}
	if out.effects == nil {
		out.effects = map[string]*strictyaml.Member{}
	}
	if e := n.Child(sideEffects); e != nil {
		for _, m := range e.Members {
			out.effects[m.Name] = m
		}
	}
	if c := n.Lookup(capabilities); c != nil {
		out.capabilities = c
	}
	return out
}

// missing names what is not said and must be, in the order of MIS §11.2.
func (s said) missing() (effects []string, caps bool) {
	for _, name := range requiredEffects {
		if s.effects[name] == nil {
			effects = append(effects, name)
		}
	}
	return effects, s.capabilities == nil
}

// lacksEndpoints reports egress without endpoints (MIS §11.2: required where
// network_egress is true). An empty list would not survive sealing.
func (s said) lacksEndpoints() bool {
	egress, endpoints := s.effects[networkEgress], s.effects[networkEndpoints]
	return egress != nil && egress.Value.Bool() && (endpoints == nil || len(endpoints.Value.Items) == 0)
}

// declaration decodes s, in which nothing is missing, by the tags of the
// manifest's model: what is declared and what is sealed have one set of names.
func (s said) declaration(origin Origin, line int) (Declaration, error) {
	d := Declaration{Origin: origin, Line: line, Lines: map[string]int{capabilities: s.capabilities.At.Line}}
	effects := make(map[string]any, len(s.effects))
	for name, m := range s.effects {
		effects[name] = m.Value.Value()
		d.Lines[name] = m.At.Line
	}
	if err := decode(effects, &d.SideEffects); err != nil {
		return Declaration{}, err
	}
	if err := decode(s.capabilities.Value.Value(), &d.Capabilities); err != nil {
		return Declaration{}, err
	}
	return d, nil
}

func decode(value, into any) error {
	data, err := strictjson.Marshal(value)
	if err != nil {
		return err
	}
	return strictjson.Unmarshal(data, into)
}

// readDefaults returns the declaration of tools that say nothing: that of
// defaults where it is whole, else the widest with what is missing.
func readDefaults(n *strictyaml.Node, at strictyaml.Position) (Declaration, error) {
	s := said{}.overlay(n)
	missing, caps := s.missing()
	if s.lacksEndpoints() {
		missing = append(missing, networkEndpoints)
	}
	if caps {
		missing = append(missing, capabilities)
	}
	if len(missing) > 0 {
		d := Widest()
		d.Missing = missing
		return d, nil
	}
	return s.declaration(Defaults, at.Line)
}

// readTool returns the declaration of a tool that says something, or what it
// falls short of.
func readTool(doc *strictyaml.Document, tool *strictyaml.Member, defaults *strictyaml.Node) (Declaration, Errors) {
	s := said{}.overlay(defaults).overlay(tool.Value)
	path := strictyaml.MemberPath("tools", tool.Name)
	var errs Errors
	missing, caps := s.missing()
	if len(missing) > 0 {
		errs = append(errs, doc.Errorf(tool.At, strictyaml.MemberPath(path, sideEffects),
			"lacks %s: neither the tool nor defaults says it, and silence is not false", strings.Join(missing, ", ")))
	}
	if caps {
		errs = append(errs, doc.Errorf(tool.At, path,
			"lacks %s: neither the tool nor defaults has it; write [] where the tool needs nothing", capabilities))
	}
	if s.lacksEndpoints() {
		errs = append(errs, s.endpointsError(doc, tool, path))
	}
	if len(errs) > 0 {
		return Declaration{}, errs
	}
	d, err := s.declaration(Own, tool.At.Line)
	if err != nil {
		return Declaration{}, Errors{doc.Errorf(tool.At, path, "%s", escape.TerminalLimit(err.Error(), 2*strictyaml.MaxQuoted))}
	}
	return d, nil
}

// endpointsError stands at the tool's own network_egress where it has one, else
// at the tool, which inherits it.
func (s said) endpointsError(doc *strictyaml.Document, tool *strictyaml.Member, path string) *Error {
	at, whose := tool.At, fmt.Sprintf("that defaults set in line %d", s.effects[networkEgress].At.Line)
	if own := tool.Value.Child(sideEffects).Lookup(networkEgress); own != nil {
		at, whose = own.At, "that is true"
	}
	return doc.Errorf(at, strictyaml.MemberPath(strictyaml.MemberPath(path, sideEffects), networkEndpoints),
		`missing beside %s %s: list hostnames, or write ["*"] for any`, networkEgress, whose)
}
