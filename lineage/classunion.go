package lineage

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// combined compares anyOf, oneOf or allOf, one of which may be absent.
func (w *walker) combined(keyword string, a, b *node, at place) {
	if a != nil && a.kind() != '[' || b != nil && b.kind() != '[' {
		w.opaque(at, keyword, a, b)
		return
	}
	switch {
	case a == nil:
		w.report(ConstraintTighter, w.narrower, at, keyword, "sets "+keyword+" of "+w.subject(at), a, b)
	case b == nil:
		w.report(ConstraintLooser, w.wider, at, keyword, "lifts "+keyword+" from "+w.subject(at), a, b)
	default:
		from, to := elements(a, keyword, at.old), elements(b, keyword, at.new)
		before := w.structural
		w.members(keyword, from, to, at)
		if keyword == "oneOf" && w.structural > before && !(w.old.exclusive(from) && w.new.exclusive(to)) {
			w.opaque(at, keyword, a, b)
		}
	}
}

// An element is one schema of a combination.
type element struct {
	schema *node
	at     spot
}

func elements(list *node, keyword string, at spot) []element {
	var all []element
	for i, m := range list.members {
		all = append(all, element{m.node, at.step(keyword, index(i))})
	}
	return all
}

// members compares the schemas of two combinations: first those that are equal
// are paired, then those that look alike, then, if as many are left on both
// sides, those in the same order. However they are paired: where no pair grew,
// the combination did not.
func (w *walker) members(keyword string, old, new []element, at place) {
	if !w.spend(len(old) + len(new)) {
		w.tooLarge(at, nil, nil)
		return
	}
	old, new, _ = matched(old, new, func(e element) string { return string(e.schema.raw) }, w.equal)
	var alike [][2]element
	old, new, alike = matched(old, new, func(e element) string { return likeness(e.schema) }, nil)
	if len(old) == len(new) {
		for i := range old {
			alike = append(alike, [2]element{old[i], new[i]})
		}
		old, new = nil, nil
	}
	for _, pair := range alike {
		w.schema(pair[0].schema, pair[1].schema, place{old: pair[0].at, new: pair[1].at, name: at.name, part: true})
	}
	gone, added := w.narrower, w.wider
	goneClass, addedClass, noun := AlternativeGone, AlternativeAdded, "an alternative "
	if keyword == "allOf" { // all must hold: one more is one constraint more
		gone, added = w.wider, w.narrower
		goneClass, addedClass, noun = ConstraintLooser, ConstraintTighter, "a part "
	}
	for _, e := range old {
		w.report(goneClass, gone, place{old: e.at}, "", "removes "+noun+"of "+w.subject(at)+brief(e.schema), e.schema, nil)
	}
	for _, e := range new {
		w.report(addedClass, added, place{new: e.at}, "", "adds "+noun+"to "+w.subject(at)+brief(e.schema), nil, e.schema)
	}
}

// matched pairs the elements with the same key, each once, if equal says so too,
// and returns those without a partner.
func matched(old, new []element, key func(element) string, equal func(a, b *node) bool) (restOld, restNew []element, pairs [][2]element) {
	waiting := make(map[string][]int, len(old))
	for i, e := range old {
		waiting[key(e)] = append(waiting[key(e)], i)
	}
	partner := make([]bool, len(old))
	for _, e := range new {
		at := waiting[key(e)]
		if len(at) == 0 || equal != nil && !equal(old[at[0]].schema, e.schema) {
			restNew = append(restNew, e)
			continue
		}
		partner[at[0]], waiting[key(e)] = true, at[1:]
		pairs = append(pairs, [2]element{old[at[0]], e})
	}
	for i, e := range old {
		if !partner[i] {
			restOld = append(restOld, e)
		}
	}
	return restOld, restNew, pairs
}

// likeness is what tells the alternatives of one schema from each other: their
// title, type and reference, and the constants among their properties.
func likeness(n *node) string {
	var b strings.Builder
	for _, name := range []string{"$ref", "title", "type"} {
		if m := n.member(name); m != nil {
			b.Write(m.raw)
		}
		b.WriteByte(0)
	}
	if list := n.member("properties"); list != nil {
		for _, m := range list.members {
			if only := m.node.member("const"); only != nil {
				b.WriteString(m.name + "\x00")
				b.Write(only.raw)
			}
		}
	}
	return b.String()
}

// brief says which alternative it is, where that takes a word.
func brief(n *node) string {
	if t := n.member("type"); kindOfNode(t) == '"' {
		return ", " + showTypes([]string{t.text()})
	}
	if t := n.member("title"); kindOfNode(t) == '"' {
		return ", " + quote(t.text())
	}
	return ""
}

// alternatives compares two schemas of which one is nothing but anyOf or oneOf,
// and the other is a single alternative or the other keyword. It reports whether
// they are that.
func (w *walker) alternatives(old, new *node, at place) bool {
	a, aKeyword := onlyAlternatives(old)
	b, bKeyword := onlyAlternatives(new)
	if aKeyword == bKeyword { // one keyword, or none
		return false
	}
	var from, to []element
	switch {
	case a != nil && b != nil:
		from, to = elements(a, aKeyword, at.old), elements(b, bKeyword, at.new)
	case a != nil && constrains(new):
		from, to = elements(a, aKeyword, at.old), w.new.single(new, at.new)
	case b != nil && constrains(old):
		from, to = w.old.single(old, at.old), elements(b, bKeyword, at.new)
	default:
		return false
	}
	w.members("anyOf", from, to, at)
	if aKeyword == "oneOf" && !w.old.exclusive(from) || bKeyword == "oneOf" && !w.new.exclusive(to) {
		w.opaque(at, "oneOf", a, b)
	}
	return true
}

// constrains reports whether a schema may be taken as the only alternative: it
// has constraints, and no alternatives of its own.
func constrains(n *node) bool {
	return len(constraining(n)) > 0 && n.member("anyOf") == nil && n.member("oneOf") == nil
}

// onlyAlternatives returns the list of a schema that is nothing else.
func onlyAlternatives(n *node) (*node, string) {
	if only := constraining(n); len(only) == 1 && (only[0].name == "anyOf" || only[0].name == "oneOf") && only[0].node.kind() == '[' {
		return only[0].node, only[0].name
	}
	return nil, ""
}

// single returns a schema as its only alternative, or as one for each of its
// types where it says nothing else. Its notes have been compared. The same nodes
// are returned each time: by them, a circle is known.
func (d *document) single(n *node, at spot) []element {
	all, ok := d.alone[n]
	if !ok {
		only := constraining(n)
		switch {
		case len(only) == 1 && only[0].name == "type" && only[0].node.kind() == '[':
			for _, t := range only[0].node.members {
				all = append(all, objectOf([]member{{"type", t.node}}))
			}
		case len(only) == len(n.members):
			all = []*node{n}
		default:
			bare := objectOf(only)
			d.refs[bare] = d.refs[n]
			all = []*node{bare}
		}
		d.alone[n] = all
	}
	var elements []element
	for _, alternative := range all {
		elements = append(elements, element{alternative, at})
	}
	return elements
}

// objectOf returns the object of members that are sorted by name.
func objectOf(members []member) *node {
	n := &node{raw: []byte{'{'}, members: members}
	for i, m := range members {
		if i > 0 {
			n.raw = append(n.raw, ',')
		}
		n.raw, _ = jsontext.AppendQuote(n.raw, m.name) // a decoded JSON string is UTF-8
		n.raw = append(append(n.raw, ':'), m.node.raw...)
	}
	n.raw = append(n.raw, '}')
	return n
}
