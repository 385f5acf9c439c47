package lineage

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// schemas compares two input or output schemas; nil for none.
func (l *ledger) schemas(c fingerprint.Component, oldRaw, newRaw []byte) {
	if bytes.Equal(oldRaw, newRaw) {
		return
	}
	old, new := object(oldRaw), object(newRaw)
	switch {
	case old == nil:
		l.add(ClassChange{Class: OutputSchemaAdded, Weight: Addition, Component: c, Text: "declares an output schema", New: new.json()})
	case new == nil:
		l.add(ClassChange{Class: OutputSchemaRemoved, Weight: Breaking, Component: c, Text: "no longer declares an output schema", Old: old.json()})
	case !bytes.Equal(old.raw, new.raw):
		before := l.count
		w := newWalker(l, c, old, new)
		w.dialect()
		w.schema(old, new, place{})
		if l.count == before {
			l.add(ClassChange{Class: SchemaRewritten, Weight: Compatible, Component: c, Text: "writes the " + componentName(c) + " in other words"})
		}
	}
}

// A walker compares two schemas that stand for sets of values. It reports where
// the new set is narrower or wider; what it does not understand it reports as
// [SchemaChanged]. What it takes as equal, or passes over, is one of
//
//   - the order of members, and of the arrays required, enum, type, anyOf, oneOf
//     and allOf;
//   - a local reference and what it leads to, an allOf, anyOf or oneOf of one,
//     a constant and an enum of one, a type list and an anyOf of types;
//   - definitions that nothing refers to.
type walker struct {
	ledger           *ledger
	component        fingerprint.Component
	narrower, wider  Weight
	old, new         *document
	steps, depth     int
	structural       int // changes that may change a set of values
	gaveUp           bool
	known            map[string]bool // see knows
	visited, equated map[[2]*node]bool
}

func newWalker(l *ledger, c fingerprint.Component, old, new *node) *walker {
	w := &walker{ledger: l, component: c, narrower: Breaking, wider: Addition,
		old: newDocument(old), new: newDocument(new), steps: minSteps + len(old.raw) + len(new.raw),
		visited: map[[2]*node]bool{}, equated: map[[2]*node]bool{}}
	if c == fingerprint.OutputSchema {
		w.narrower, w.wider = Compatible, Breaking
	}
	return w
}

// A place is where a comparison stands.
type place struct {
	old, new spot
	// name is the place in words, such as options.mode or paths[].
	name string
	// part says that other schemas constrain the same value, too.
	part bool
}

// A spot is an RFC 6901 pointer; cut once it grew longer than maxPath, and then
// that of an ancestor.
type spot struct {
	pointer string
	cut     bool
}

func (s spot) step(steps ...string) spot {
	for _, step := range steps {
		next := pointer(s.pointer, step)
		if s.cut = s.cut || len(next) == len(s.pointer); s.cut {
			return s
		}
		s.pointer = next
	}
	return s
}

// step returns the place of a schema under a keyword; of the member of that
// name, where it is one.
func (p place) step(name string, steps ...string) place {
	p.old, p.new, p.part = p.old.step(steps...), p.new.step(steps...), false
	switch {
	case len(p.name) > 2*maxQuoted: // nobody reads further
	case name == "[]" || p.name == "":
		p.name += name
	case name != "":
		p.name += "." + name
	}
	return p
}

// subject names the place in a sentence.
func (w *walker) subject(at place) string {
	switch input := w.component == fingerprint.InputSchema; {
	case at.name == "" && input:
		return "the arguments"
	case at.name == "":
		return "the result"
	case input:
		return "the parameter " + quote(at.name)
	}
	return "the result's " + quote(at.name)
}

// report records a change under a keyword at a place.
func (w *walker) report(class Class, weight Weight, at place, keyword, text string, old, new *node) {
	path := at.new
	if new == nil {
		path = at.old
	}
	if class != SchemaWording {
		w.structural++
	}
	if keyword != "" && (old != nil || new != nil) {
		path = path.step(keyword)
	}
	w.ledger.add(ClassChange{Class: class, Weight: weight, Component: w.component, Path: path.pointer, Text: text, Old: old.json(), New: new.json()})
}

// opaque records a change that nobody here understands.
func (w *walker) opaque(at place, keyword string, old, new *node) {
	what := "the schema"
	if keyword != "" {
		what = quote(keyword)
	}
	text := "changes " + what + " of " + w.subject(at)
	if old != nil && same(old, new) {
		text = "changes what " + what + " of " + w.subject(at) + " refers to"
	}
	w.report(SchemaChanged, Breaking, at, keyword, text, old, new)
}

// spend takes n steps, and reports whether there were as many.
func (w *walker) spend(n int) bool {
	w.steps -= n
	return w.steps >= 0
}

// schema compares two schemas; nil is the one that allows everything.
func (w *walker) schema(old, new *node, at place) {
	if w.trivial(old, new) {
		return
	}
	from, to := w.old.resolve(old, at.old), w.new.resolve(new, at.new)
	w.notes(from, to, at)
	old, new, at.old, at.new = from.target(), to.target(), from.at, to.at
	if len(from.chain) > 1 || len(to.chain) > 1 {
		pair := [2]*node{old, new}
		if w.visited[pair] || w.trivial(old, new) {
			return
		}
		w.visited[pair] = true
	}
	if !w.spend(1+len(old.list())+len(new.list())) || w.depth >= maxSchemaDepth {
		w.tooLarge(at, old, new)
		return
	}
	w.depth++
	w.sets(old, new, at)
	w.depth--
}

// trivial reports whether two schemas are the same bytes, and mean the same.
func (w *walker) trivial(old, new *node) bool {
	if old == nil || new == nil {
		return old == new
	}
	return bytes.Equal(old.raw, new.raw) && !w.old.refs[old] && !w.new.refs[new]
}

// tooLarge says so once, and ends the comparison.
func (w *walker) tooLarge(at place, old, new *node) {
	if !w.gaveUp {
		w.opaque(at, "", old, new)
	}
	w.gaveUp, w.steps = true, -1
}

// sets compares two resolved schemas as the sets of values that they stand for.
func (w *walker) sets(old, new *node, at place) {
	switch from, to := shapeOf(old), shapeOf(new); {
	case from == shapeOther || to == shapeOther:
		w.opaque(at, "", old, new)
	case from == shapeNothing && to == shapeNothing:
	case from == shapeNothing:
		w.report(ConstraintLooser, w.wider, at, "", "allows "+w.subject(at)+", which was forbidden", old, new)
	case to == shapeNothing:
		w.report(ConstraintTighter, w.narrower, at, "", "forbids "+w.subject(at), old, new)
	case w.alternatives(old, new, at):
	default:
		w.definitions(old, new, at)
		w.values(old, new, at)
		w.object(old, new, at)
		merge2(constraining(old), constraining(new), func(keyword string, a, b *node) { w.keyword(keyword, a, b, old, new, at) })
	}
}

// definitions compares as they stand what a reference may lead to that is not
// followed.
func (w *walker) definitions(old, new *node, at place) {
	if !w.old.opaque && !w.new.opaque {
		return
	}
	for _, keyword := range []string{"$anchor", "$defs", "$id", "definitions"} {
		if a, b := old.member(keyword), new.member(keyword); !w.equal(a, b) {
			w.opaque(at, keyword, a, b)
		}
	}
}

// A shape tells schemas that are objects from the others.
type shape int

const (
	shapeObject  shape = iota // or nothing, or true
	shapeNothing              // false
	shapeOther                // no schema
)

func shapeOf(n *node) shape {
	switch {
	case n == nil || n.kind() == '{' || n.kind() == 't':
		return shapeObject
	case n.kind() == 'f':
		return shapeNothing
	}
	return shapeOther
}

// annotating are the keywords that change no set of values. [walker.notes] has
// those that are read. Definitions are compared where they are used.
var annotating = []string{"$anchor", "$comment", "$defs", "$id", "$schema", "default", "definitions", "deprecated",
	"description", "examples", "readOnly", "title", "writeOnly"}

// grouped are the keywords that are compared together with others.
var grouped = []string{"additionalProperties", "const", "enum", "properties", "required", "type"}

// constraining returns the members of a schema that constrain its values.
func constraining(n *node) []member {
	if n == nil || n.kind() != '{' {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(n.members), func(m member) bool {
		_, note := slices.BinarySearch(annotating, m.name)
		return note
	})
}

// keyword compares one keyword of two schemas; a or b is nil where it is absent.
func (w *walker) keyword(keyword string, a, b, old, new *node, at place) {
	if _, ok := slices.BinarySearch(grouped, keyword); ok {
		return
	}
	if compare, ok := constraints[keyword]; ok {
		if !same(a, b) {
			compare(w, keyword, a, b, old, new, at)
		}
		return
	}
	switch keyword {
	case "propertyNames":
		w.schema(a, b, at.step("(names)", keyword))
	case "items":
		w.items(a, b, at)
	case "prefixItems":
		w.tuple(keyword, a, b, at)
	case "patternProperties":
		w.patterns(a, b, at)
	case "anyOf", "oneOf", "allOf":
		w.combined(keyword, a, b, at)
	case "$ref":
		w.reference(a, b, at)
	default:
		if !w.equal(a, b) {
			w.opaque(at, keyword, a, b)
		}
	}
}

func (w *walker) items(a, b *node, at place) {
	if kindOfNode(a) == '[' || kindOfNode(b) == '[' {
		w.tuple("items", a, b, at)
		return
	}
	w.schema(a, b, at.step("[]", "items"))
}

// tuple compares schemas by position. One more or less may narrow or widen.
func (w *walker) tuple(keyword string, a, b *node, at place) {
	if kindOfNode(a) != '[' || kindOfNode(b) != '[' || len(a.members) != len(b.members) {
		w.opaque(at, keyword, a, b)
		return
	}
	for i := range a.members {
		w.schema(a.members[i].node, b.members[i].node, at.step("["+index(i)+"]", keyword, index(i)))
	}
}

// patterns compares patternProperties. A pattern more or less may narrow or
// widen, as additional members are allowed or not.
func (w *walker) patterns(a, b *node, at place) {
	if kindOfNode(a) != '{' || kindOfNode(b) != '{' {
		w.opaque(at, "patternProperties", a, b)
		return
	}
	merge2(a.members, b.members, func(pattern string, a, b *node) {
		under := at.step("", "patternProperties")
		if a == nil || b == nil {
			w.opaque(under, pattern, a, b)
			return
		}
		w.schema(a, b, under.step("*", pattern))
	})
}

// notes compares what people and models read of two schemas, and their
// defaults. Where a schema is a reference, its own notes come before those of
// what it leads to.
func (w *walker) notes(old, new view, at place) {
	for _, name := range []string{"$comment", "deprecated", "description", "examples", "readOnly", "title", "writeOnly"} {
		a, b := old.note(name), new.note(name)
		if same(a, b) {
			continue
		}
		text := verbOf(difference{old: a, new: b}) + " the " + strings.TrimPrefix(name, "$") + " of " + w.subject(at)
		w.report(SchemaWording, Wording, at, name, text, a, b)
	}
	switch a, b := old.note("default"), new.note("default"); {
	case same(a, b):
	case a == nil:
		w.report(DefaultAdded, Addition, at, "default", "gives "+w.subject(at)+" the default "+show(b), a, b)
	case b == nil:
		w.report(DefaultRemoved, Breaking, at, "default", "takes the default "+show(a)+" from "+w.subject(at), a, b)
	default:
		w.report(DefaultChanged, Breaking, at, "default", "changes the default of "+w.subject(at)+" from "+show(a)+" to "+show(b), a, b)
	}
}

// same reports whether two nodes are absent, or the same value.
func same(a, b *node) bool {
	if a == nil || b == nil {
		return a == b
	}
	return bytes.Equal(a.raw, b.raw)
}

func kindOfNode(n *node) jsontext.Kind {
	if n == nil {
		return 0
	}
	return n.kind()
}
