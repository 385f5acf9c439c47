package lineage

import (
	"maps"
	"slices"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// object compares properties, required and additionalProperties.
func (w *walker) object(old, new *node, at place) {
	from, to := propertiesOf(old), propertiesOf(new)
	if !from.ok || !to.ok {
		for _, keyword := range []string{"additionalProperties", "properties", "required"} {
			if a, b := old.member(keyword), new.member(keyword); !w.equal(a, b) {
				w.opaque(at, keyword, a, b)
			}
		}
		return
	}
	if !w.spend(len(from.list) + len(to.list) + len(from.required) + len(to.required)) {
		w.tooLarge(at, old, new)
		return
	}
	merge2(from.list, to.list, func(name string, a, b *node) {
		inner := at.step(name, "properties", name)
		switch {
		case a == nil:
			from.free = len(from.list) == 0 && at.name != ""
			from.shared = at.part || combines(old)
			if w.propertyAdded(name, b, from, to, inner) {
				w.schema(from.additional, b, place{old: at.old.step("additionalProperties"), new: inner.new, name: inner.name})
			}
		case b == nil:
			w.propertyRemoved(a, inner)
		default:
			w.schema(a, b, inner)
		}
	})
	w.required(from, to, at)
	w.additional(from.additional, to.additional, at)
}

// properties are the members that a schema knows.
type properties struct {
	ok         bool
	list       []member // by name
	required   map[string]bool
	additional *node
	closed     bool // no member but those that it names
	free       bool // it names none, and is no tool's list of parameters
	shared     bool // other schemas may speak of the same members
}

func propertiesOf(n *node) properties {
	p := properties{ok: true, required: map[string]bool{}, additional: n.member("additionalProperties")}
	p.closed = kindOfNode(p.additional) == 'f' || kindOfNode(n.member("unevaluatedProperties")) == 'f'
	if list := n.member("properties"); list != nil {
		p.ok, p.list = list.kind() == '{', list.members
	}
	if required := n.member("required"); required != nil {
		p.ok = p.ok && required.kind() == '['
		for _, m := range required.members {
			p.ok = p.ok && m.node.kind() == '"'
			p.required[m.node.text()] = true
		}
	}
	return p
}

// has reports whether a property of that name is declared.
func (p properties) has(name string) bool {
	_, ok := slices.BinarySearchFunc(p.list, member{name: name}, byMember)
	return ok
}

// propertyAdded: a caller that knows nothing of a new parameter is hurt only
// where it is required. A reader of results is hurt where it was told that there
// are no members but the old ones. Of other members under a schema both knew.
//
// It reports whether the new schema is to be compared with that of other members.
func (w *walker) propertyAdded(name string, b *node, from, to properties, at place) bool {
	input := w.component == fingerprint.InputSchema
	class, weight, kind := PropertyAdded, Addition, "optional "
	switch {
	case shapeOf(b) == shapeNothing:
		w.report(ConstraintTighter, w.narrower, at, "", "forbids "+w.subject(at), nil, b)
		return false
	case shapeOf(b) == shapeOther:
		w.opaque(at, "", nil, b)
		return false
	case input && to.required[name] && !from.required[name]:
		class, weight, kind = RequiredAdded, Breaking, "required "
	case input && from.shared && w.knows(name):
		w.report(ConstraintTighter, Breaking, at, "", "constrains the parameter "+quote(at.name)+" at one more place", nil, b)
		return false
	case input && from.free && len(constraining(b)) > 0:
		w.report(ConstraintTighter, Breaking, at, "", "constrains the parameter "+quote(at.name)+", which could be anything", nil, b)
		return false
	case input && to.required[name]:
		kind = "required "
	case !input && from.closed:
		weight = Breaking
	}
	w.report(class, weight, at, "", "adds "+w.article(kind, at), nil, b)
	return from.additional != nil && shapeOf(from.additional) != shapeNothing && weight != Breaking
}

// combines reports whether more than one schema may speak of the members of an
// object that n describes.
func combines(n *node) bool {
	return slices.ContainsFunc(constraining(n), func(m member) bool {
		switch m.name {
		case "$ref", "allOf", "anyOf", "dependentSchemas", "else", "if", "not", "oneOf", "patternProperties", "then":
			return true
		}
		return false
	})
}

// knows reports whether the old schema has a property of that name anywhere, or
// properties by pattern: a caller may have used the name.
func (w *walker) knows(name string) bool {
	if w.known == nil {
		w.known = map[string]bool{}
		propertyNames(w.old.root, w.known)
	}
	return w.known[name] || w.known[""]
}

// propertyNames gathers the names of all properties; "" stands for a pattern.
func propertyNames(n *node, into map[string]bool) {
	for _, m := range n.members {
		switch m.name {
		case "properties":
			for _, p := range m.node.members {
				into[p.name] = true
			}
		case "patternProperties":
			into[""] = true
		}
		propertyNames(m.node, into)
	}
}

// article names a property that comes or goes, with a word on its kind.
func (w *walker) article(kind string, at place) string {
	if w.component == fingerprint.InputSchema {
		return "the " + kind + "parameter " + quote(at.name)
	}
	return "the result's " + quote(at.name)
}

func (w *walker) propertyRemoved(a *node, at place) {
	if shapeOf(a) == shapeNothing {
		w.report(ConstraintLooser, w.wider, at, "", "no longer forbids "+w.subject(at), a, nil)
		return
	}
	w.report(PropertyRemoved, Breaking, at, "", "removes "+w.article("", at), a, nil)
}

// required compares the names that have to be there. One that came or went with
// its property has been told of.
func (w *walker) required(from, to properties, at place) {
	for _, name := range slices.Sorted(maps.Keys(to.required)) {
		if told := !from.has(name) && to.has(name) && w.component == fingerprint.InputSchema; !from.required[name] && !told {
			w.requirement(RequiredAdded, w.narrower, name, "requires ", at)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(from.required)) {
		if told := from.has(name) && !to.has(name); !to.required[name] && !told {
			w.requirement(RequiredRemoved, w.wider, name, "no longer requires ", at)
		}
	}
}

func (w *walker) requirement(class Class, weight Weight, name, verb string, at place) {
	inner := at.step(name, "properties", name)
	if w.component != fingerprint.InputSchema {
		verb = map[Class]string{RequiredAdded: "promises ", RequiredRemoved: "no longer promises "}[class]
	}
	w.structural++
	w.ledger.add(ClassChange{Class: class, Weight: weight, Component: w.component, Path: at.new.step("required").pointer, Text: verb + w.subject(inner)})
}

// additional compares what is allowed of members that have no name.
func (w *walker) additional(a, b *node, at place) {
	inner := at.step("*", "additionalProperties")
	from, to := shapeOf(a), shapeOf(b)
	switch {
	case from == to:
		w.schema(a, b, inner)
	case from == shapeOther || to == shapeOther:
		w.opaque(at, "additionalProperties", a, b)
	case to == shapeNothing:
		w.report(AdditionalClosed, w.narrower, inner, "", "no longer allows other members in "+w.subject(at), a, b)
	default:
		w.report(AdditionalOpened, w.wider, inner, "", "allows other members in "+w.subject(at), a, b)
	}
}
