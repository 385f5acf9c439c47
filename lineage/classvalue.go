package lineage

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// allTypes are the types of JSON Schema. An integer is a number, too.
var allTypes = []string{"array", "boolean", "integer", "null", "number", "object", "string"}

// values compares the types and the listed values of two schemas.
func (w *walker) values(old, new *node, at place) {
	from, to := listedValues(old), listedValues(new)
	if !from.ok || !to.ok || !wellTyped(old) || !wellTyped(new) {
		for _, keyword := range []string{"const", "enum", "type"} {
			if a, b := old.member(keyword), new.member(keyword); !same(a, b) {
				w.opaque(at, keyword, a, b)
			}
		}
		return
	}
	oldTypes, newTypes := typesOf(old, from), typesOf(new, to)
	if at.name == "" && !at.part && w.component == fingerprint.InputSchema {
		// The arguments of a call are an object, whether the schema says so or not.
		oldTypes, newTypes = argumentTypes(old, oldTypes), argumentTypes(new, newTypes)
	}
	w.types(oldTypes, newTypes, old, new, at)
	w.listed(from, to, old, new, at)
}

func argumentTypes(n *node, types []string) []string {
	if n.member("type") == nil && n.member("const") == nil && n.member("enum") == nil {
		return []string{"object"}
	}
	return types
}

// A choice is the set of values that enum and const leave.
type choice struct {
	ok      bool // it could be read
	limited bool // there is enum or const
	values  []*node
}

func listedValues(n *node) choice {
	enum, only := n.member("enum"), n.member("const")
	switch {
	case enum != nil && enum.kind() != '[':
		return choice{}
	case enum == nil && only == nil:
		return choice{ok: true}
	case enum == nil:
		return choice{ok: true, limited: true, values: []*node{only}}
	}
	c := choice{ok: true, limited: true}
	for _, m := range enum.members {
		if only == nil || same(only, m.node) {
			c.values = append(c.values, m.node)
		}
	}
	return c
}

// listed compares the values that are listed.
func (w *walker) listed(from, to choice, old, new *node, at place) {
	constants := !same(old.member("const"), new.member("const"))
	keyword := func(n *node) (string, *node) {
		if only := n.member("const"); only != nil && constants {
			return "const", only
		}
		return "enum", n.member("enum")
	}
	oldKeyword, a := keyword(old)
	newKeyword, b := keyword(new)
	switch {
	case !from.limited && !to.limited:
	case !from.limited:
		w.report(ConstraintTighter, w.narrower, at, newKeyword, "limits "+w.subject(at)+" to "+showAll(to.values), a, b)
	case !to.limited:
		w.report(ConstraintLooser, w.wider, at, oldKeyword, "no longer limits "+w.subject(at)+" to "+showAll(from.values), a, b)
	default:
		added, gone := onlyValues(to.values, from.values), onlyValues(from.values, to.values)
		if len(added) > 0 {
			w.report(ValueAdded, w.wider, at, newKeyword, "allows "+showAll(added)+" as "+w.subject(at), a, b)
		}
		if len(gone) > 0 {
			w.report(ValueRemoved, w.narrower, at, newKeyword, "no longer allows "+showAll(gone)+" as "+w.subject(at), a, b)
		}
	}
}

// onlyValues returns the values that b has not.
func onlyValues(a, b []*node) []*node {
	in := make(map[string]bool, len(b))
	for _, n := range b {
		in[string(n.raw)] = true
	}
	var only []*node
	for _, n := range a {
		if key := string(n.raw); !in[key] {
			in[key] = true
			only = append(only, n)
		}
	}
	return only
}

// wellTyped reports whether type is absent, a string, or strings.
func wellTyped(n *node) bool {
	t := n.member("type")
	switch kindOfNode(t) {
	case 0, '"':
		return true
	case '[':
		return !slices.ContainsFunc(t.members, func(m member) bool { return m.node.kind() != '"' })
	}
	return false
}

// typesOf returns the types that a schema allows, sorted: those it names, else
// those of the values that it lists, else all.
func typesOf(n *node, c choice) []string {
	var types []string
	switch t := n.member("type"); {
	case t == nil && c.limited:
		for _, v := range c.values {
			types = append(types, typeOf(v))
		}
	case t == nil:
		return allTypes
	case t.kind() == '"':
		types = []string{t.text()}
	default:
		for _, m := range t.members {
			types = append(types, m.node.text())
		}
	}
	return sortedNames(types)
}

func typeOf(n *node) string {
	switch n.kind() {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	}
	if strings.ContainsAny(string(n.raw), ".e") { // canonical: from 1e21 on with an exponent
		if f, err := strconv.ParseFloat(string(n.raw), 64); err != nil || f != math.Trunc(f) {
			return "number"
		}
	}
	return "integer"
}

// types compares two sets of types.
func (w *walker) types(from, to []string, old, new *node, at place) {
	a, b := old.member("type"), new.member("type")
	if a == nil && b == nil {
		return // what is listed says it all
	}
	narrower, wider := uncovered(from, to), uncovered(to, from)
	text := " the type of " + w.subject(at) + " from " + showTypes(from) + " to " + showTypes(to)
	switch {
	case narrower && wider:
		w.report(TypeChanged, Breaking, at, "type", "changes"+text, a, b)
	case narrower:
		w.report(TypeNarrowed, w.narrower, at, "type", "narrows"+text, a, b)
	case wider:
		w.report(TypeWidened, w.wider, at, "type", "widens"+text, a, b)
	}
}

// uncovered reports whether one of the types is not among the others.
func uncovered(types, others []string) bool {
	return slices.ContainsFunc(types, func(t string) bool {
		return !slices.Contains(others, t) && !(t == "integer" && slices.Contains(others, "number"))
	})
}

func showTypes(types []string) string {
	if slices.Equal(types, allTypes) {
		return "any"
	}
	if len(types) == 0 {
		return "none"
	}
	var shown []string
	for _, t := range types[:min(len(types), len(allTypes))] {
		if !slices.Contains(allTypes, t) {
			t = quote(t)
		}
		shown = append(shown, t)
	}
	return strings.Join(shown, " or ")
}
