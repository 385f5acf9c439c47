package declare

import (
	"slices"

	"github.com/mcp-integrity/seal-action/internal/strictyaml"
	"github.com/mcp-integrity/seal-action/seal"
)

// A narrowing is the widest declaration, made narrower where a tool's own
// words allow it, with the reason for each member that is to be written.
type narrowing struct {
	seal.SideEffects
	evidence evidence
	why      map[string]string
}

// narrow never contradicts itself or the annotations it is made from: what it
// returns, together with its capabilities, is free of conflicts.
func narrow(e evidence) *narrowing {
	n := &narrowing{SideEffects: Widest().SideEffects, evidence: e, why: map[string]string{}}
	n.categories()
	n.process()
	n.network()
	n.readOnly()
	return n
}

// reason names the property that speaks for a resource.
func (n *narrowing) reason(resource string) string {
	return "property " + commentText(strictyaml.Quoted(n.evidence.properties[resource]))
}

// categories narrows reads and writes to what properties name. A command may
// do anything: where one is taken, nothing is narrowed.
func (n *narrowing) categories() {
	found := n.evidence.properties
	if len(found) == 0 || found["process"] != "" {
		return
	}
	var named []string
	why := ""
	for _, r := range seal.Resources {
		if found[r] == "" {
			continue
		}
		named = append(named, r)
		if why != "" {
			why += ", "
		}
		why += n.reason(r)
	}
	n.Reads, n.Writes = named, slices.Clone(named)
	n.why[reads], n.why[writes] = why, why
}

func (n *narrowing) process() {
	if n.evidence.properties["process"] == "" {
		return
	}
	n.why[executesCode], n.why[spawnsProcesses] = n.reason("process"), n.reason("process")
}

// network: a closed world without a URL among the inputs has no egress; a URL
// outweighs the hint.
func (n *narrowing) network() {
	switch {
	case n.evidence.properties["network"] != "":
		n.why[networkEgress], n.why[networkEndpoints] = n.reason("network"), "name the hosts where they are known"
	case n.evidence.hints.is("openWorldHint", true):
		n.why[networkEgress], n.why[networkEndpoints] = "openWorldHint: true", "name the hosts where they are known"
	case n.evidence.hints.is("openWorldHint", false) && n.evidence.properties["process"] == "":
		const why = "openWorldHint: false"
		n.NetworkEgress, n.NetworkEndpoints = false, nil
		n.why[networkEgress], n.why[networkEndpoints] = why, why
		n.without("network", why)
	}
}

// without takes a resource from reads and writes.
func (n *narrowing) without(resource, why string) {
	is := func(r string) bool { return r == resource }
	for _, l := range []struct {
		list *[]string
		name string
	}{{&n.Reads, reads}, {&n.Writes, writes}} {
		if slices.ContainsFunc(*l.list, is) {
			*l.list = slices.DeleteFunc(*l.list, is)
			n.why[l.name] = why
		}
	}
}

func (n *narrowing) readOnly() {
	if !n.evidence.hints.is("readOnlyHint", true) {
		return
	}
	n.Writes, n.ModifiesSystemState, n.PersistsData = nil, false, false
	for _, name := range []string{writes, modifiesSystemState, persistsData} {
		n.why[name] = "readOnlyHint: true"
	}
}

// capabilities are what the side effects need, one for each resource. Those
// that a property names are required; what is merely not excluded is not, and
// keeps its actions.
func (n *narrowing) capabilities() []seal.Capability {
	var list []seal.Capability
	for _, r := range seal.Resources {
		named := n.evidence.properties[r] != ""
		if actions := n.actions(r, named); len(actions) > 0 {
			list = append(list, seal.Capability{Resource: r, Actions: actions, Scope: "*", Required: named})
		}
	}
	return list
}

func (n *narrowing) actions(resource string, named bool) []string {
	read, write := slices.Contains(n.Reads, resource), slices.Contains(n.Writes, resource)
	execute := read && write && !named
	// A switch left on speaks for its resource, whether or not it is listed.
	switch resource {
	case "network":
		read, write = read || n.NetworkEgress, write || n.NetworkEgress
	case "environment":
		read = read || n.AccessesEnvVars
	case "process":
		execute = n.SpawnsProcesses
	case "system":
		write = write || n.ModifiesSystemState
	}
	var actions []string
	for i, allowed := range []bool{read, write, execute} {
		if allowed {
			actions = append(actions, Actions[i])
		}
	}
	return actions
}
