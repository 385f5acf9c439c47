package lineage

import (
	"slices"
)

// exclusive reports whether no value can be in two of the alternatives, as far
// as types and constants tell. Where one can, a oneOf forbids it, and grows when
// an alternative shrinks.
func (d *document) exclusive(alternatives []element) bool {
	if len(alternatives) > maxExclusive {
		return false
	}
	var sorts []sort
	for _, e := range alternatives {
		sorts = append(sorts, sortOf(d.resolve(e.schema, e.at).target()))
	}
	for i, a := range sorts {
		if slices.ContainsFunc(sorts[:i], func(b sort) bool { return !a.excludes(b) }) {
			return false
		}
	}
	return true
}

// A sort is what tells the values of one schema from those of another.
type sort struct {
	types  []string
	values choice
	// tags are the members that an object must have, with the values listed for
	// them.
	tags map[string]choice
}

func sortOf(n *node) sort {
	if shapeOf(n) != shapeObject || !wellTyped(n) {
		return sort{types: allTypes}
	}
	s := sort{values: listedValues(n), tags: map[string]choice{}}
	s.types = typesOf(n, s.values)
	p := propertiesOf(n)
	for _, m := range p.list {
		if c := listedValues(m.node); p.ok && p.required[m.name] && c.ok && c.limited && m.node.kind() == '{' {
			s.tags[m.name] = c
		}
	}
	return s
}

func (a sort) excludes(b sort) bool {
	shared := func(t string) bool {
		return slices.ContainsFunc(b.types, func(o string) bool { return o == t || isNumber(o) && isNumber(t) })
	}
	if !slices.ContainsFunc(a.types, shared) || a.values.excludes(b.values) {
		return true
	}
	if !onlyObjects(a.types) && !onlyObjects(b.types) {
		return false // what is no object has no members
	}
	for name, values := range a.tags {
		if other, ok := b.tags[name]; ok && values.excludes(other) {
			return true
		}
	}
	return false
}

func isNumber(t string) bool { return t == "integer" || t == "number" }

func onlyObjects(types []string) bool { return len(types) == 1 && types[0] == "object" }

// excludes reports whether both are lists without a value in common.
func (c choice) excludes(d choice) bool {
	return c.ok && d.ok && c.limited && d.limited && len(onlyValues(c.values, d.values)) == len(onlyValues(c.values, nil))
}
