package lineage

import (
	"bytes"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A document is one whole schema, in which references are looked up.
type document struct {
	root *node
	// refs are the nodes that hold a reference.
	refs map[*node]bool
	// alone are the schemas that were taken as alternatives, see single.
	alone map[*node][]*node
	// opaque says that a reference may lead elsewhere than its pointer says: to
	// another document, an anchor, or from a schema with an identity of its own.
	// None is followed then, and definitions are compared as they stand.
	opaque bool
}

func newDocument(root *node) *document {
	d := &document{root: root, refs: map[*node]bool{}, alone: map[*node][]*node{}}
	if bytes.Contains(root.raw, []byte(`Ref"`)) || bytes.Contains(root.raw, []byte(`"$ref"`)) {
		d.mark(root)
	}
	return d
}

// mark finds the nodes that hold a reference. It looks at data (in enum, default)
// as well: what is taken for a reference there is looked at twice, and no more.
func (d *document) mark(n *node) bool {
	holds := false
	for _, m := range n.members {
		if d.mark(m.node) {
			holds = true
		}
		switch m.name {
		case "$ref":
			holds = true
			if m.node.kind() == '"' && !isLocal(m.node.text()) {
				d.opaque = true
			}
		case "$dynamicRef", "$recursiveRef":
			holds, d.opaque = true, true
		case "$id":
			if n != d.root && m.node.kind() == '"' {
				d.opaque = true
			}
		}
	}
	if holds {
		d.refs[n] = true
	}
	return holds
}

func isLocal(ref string) bool { return ref == "#" || strings.HasPrefix(ref, "#/") }

// lookup follows a local reference; nil where it leads nowhere.
func (d *document) lookup(ref string) (n *node, at spot) {
	pointer, err := url.PathUnescape(strings.TrimPrefix(ref, "#"))
	if err != nil || !isLocal(ref) || d.opaque {
		return nil, spot{}
	}
	n = d.root
	if pointer == "" {
		return n, at
	}
	for _, step := range strings.Split(pointer, "/")[1:] {
		step = fromPointer.Replace(step)
		if n = n.child(step); n == nil {
			return nil, spot{}
		}
		at = at.step(step)
	}
	return n, at
}

// child returns the member of that name, or the element of that index.
func (n *node) child(step string) *node {
	switch n.kind() {
	case '{':
		if i, ok := slices.BinarySearchFunc(n.members, step, func(m member, name string) int { return strings.Compare(m.name, name) }); ok {
			return n.members[i].node
		}
	case '[':
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.members) && strconv.Itoa(i) == step {
			return n.members[i].node
		}
	}
	return nil
}

// member returns the member of an object; nil where there is none.
func (n *node) member(name string) *node {
	if n == nil || n.kind() != '{' {
		return nil
	}
	return n.child(name)
}

// A view is a schema with those that it merely stands for: a chain of
// references and of combinations of one.
type view struct {
	chain []*node
	at    spot
}

// target is the last of the chain, which constrains values itself.
func (v view) target() *node { return v.chain[len(v.chain)-1] }

// note returns an annotation, that of the first in the chain which has it.
func (v view) note(name string) *node {
	for _, n := range v.chain {
		if note := n.member(name); note != nil {
			return note
		}
	}
	return nil
}

// resolve follows what n stands for. A reference that leads nowhere, in a circle
// or too far stays what it is.
func (d *document) resolve(n *node, at spot) view {
	v := view{chain: []*node{n}, at: at}
	for len(v.chain) <= maxRefs {
		next, nextAt := d.standsFor(v.target(), v.at)
		if next == nil || slices.Contains(v.chain, next) {
			break
		}
		v.chain, v.at = append(v.chain, next), nextAt
	}
	return v
}

// standsFor returns the one schema that constrains n's values; nil where n does
// so itself.
func (d *document) standsFor(n *node, at spot) (*node, spot) {
	only := constraining(n)
	if len(only) != 1 {
		return nil, at
	}
	switch m := only[0]; m.name {
	case "$ref":
		if m.node.kind() == '"' {
			return d.lookup(m.node.text())
		}
	case "allOf", "anyOf", "oneOf":
		if m.node.kind() == '[' && len(m.node.members) == 1 {
			return m.node.members[0].node, at.step(m.name, "0")
		}
	}
	return nil, at
}

// reference compares references beside other constraints, or such that lead
// nowhere. Whether constraints beside a reference count at all depends on the
// dialect, so that one more or less is not understood.
func (w *walker) reference(a, b *node, at place) {
	if kindOfNode(a) == '"' && kindOfNode(b) == '"' {
		old, oldAt := w.old.lookup(a.text())
		new, newAt := w.new.lookup(b.text())
		if pair := [2]*node{old, new}; old != nil && new != nil {
			if !w.visited[pair] {
				w.visited[pair] = true
				w.schema(old, new, place{old: oldAt, new: newAt, name: at.name, part: true})
			}
			return
		}
		if old == nil && new == nil && same(a, b) {
			return // what it leads to is in no fingerprint, or in definitions
		}
	}
	w.opaque(at, "$ref", a, b)
}

// equal reports whether two values are the same bytes, and all references in
// them lead to values that are.
func (w *walker) equal(a, b *node) bool {
	assumed := map[[2]*node]bool{}
	if !w.equalAssuming(a, b, assumed) {
		return false
	}
	maps.Copy(w.equated, assumed)
	return true
}

// equalAssuming is equal, where pairs that are being compared further up count
// as equal: if they are not, all is not.
func (w *walker) equalAssuming(a, b *node, assumed map[[2]*node]bool) bool {
	if !same(a, b) {
		return false
	}
	if a == nil || !w.old.refs[a] && !w.new.refs[b] {
		return true
	}
	pair := [2]*node{a, b}
	if w.equated[pair] || assumed[pair] {
		return true
	}
	assumed[pair] = true
	if !w.spend(1 + len(a.members)) {
		return false
	}
	for i := range a.members {
		if !w.equalAssuming(a.members[i].node, b.members[i].node, assumed) {
			return false
		}
	}
	ref := a.member("$ref")
	if kindOfNode(ref) != '"' {
		return true
	}
	old, _ := w.old.lookup(ref.text())
	new, _ := w.new.lookup(ref.text())
	return w.equalAssuming(old, new, assumed)
}
