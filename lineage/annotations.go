package lineage

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// A hint is a boolean of ToolAnnotations in MCP, on which a host may decide
// whether it asks a person first.
type hint struct {
	name string
	// byDefault is what MCP says of a tool that leaves it out.
	byDefault bool
	// harmless is the value that promises more.
	harmless bool
	// expanded and reduced say what the change to the other value means.
	expanded, reduced string
}

var hints = []hint{
	{"destructiveHint", true, false, "may destroy what it changes", "promises to destroy nothing"},
	{"idempotentHint", false, true, "no longer promises that a repeated call changes nothing more", "promises that a repeated call changes nothing more"},
	{"openWorldHint", true, false, "may reach an open world of entities", "promises to stay within a closed domain"},
	{"readOnlyHint", false, true, "no longer promises to change nothing", "promises to change nothing: a host may stop asking"},
}

// annotations compares two annotations objects; nil for none. The hints count by
// their effective values; what else differs is wording.
func (l *ledger) annotations(oldRaw, newRaw []byte) {
	if bytes.Equal(oldRaw, newRaw) {
		return
	}
	old, new := object(oldRaw), object(newRaw)
	found := (oldRaw == nil) != (newRaw == nil)
	if found {
		verb := "adds annotations"
		if newRaw == nil {
			verb = "removes the annotations"
		}
		l.annotation(AnnotationsChanged, Wording, "", verb, old, new)
	}
	for _, m := range differing(old, new) {
		if !l.hint(m) && !found {
			l.annotation(AnnotationsChanged, Wording, pointer("", m.name), verbOf(m)+" the annotation "+quote(m.name), m.old, m.new)
		}
	}
}

// hint records the change of a hint, and reports whether it was one of effect.
func (l *ledger) hint(m difference) bool {
	for _, h := range hints {
		if h.name != m.name {
			continue
		}
		// A hint that is no boolean is read by each host in its own way: the old
		// one is taken as the greater promise, the new one as the smaller.
		from, to := h.value(m.old, h.harmless), h.value(m.new, !h.harmless)
		if from == to {
			return false
		}
		if to == h.harmless {
			l.annotation(HintReduced, Reduction, pointer("", m.name), h.reduced, m.old, m.new)
		} else {
			l.annotation(HintExpanded, Expansion, pointer("", m.name), h.expanded, m.old, m.new)
		}
		return true
	}
	return false
}

// value returns the hint's value where n is that member of the annotations, or
// nil; other where it is no boolean.
func (h hint) value(n *node, other bool) bool {
	if n == nil {
		return h.byDefault
	}
	switch n.kind() {
	case 't':
		return true
	case 'f':
		return false
	}
	return other
}

func (l *ledger) annotation(class Class, weight Weight, path, text string, old, new *node) {
	l.add(ClassChange{Class: class, Weight: weight, Component: fingerprint.Annotations, Path: path, Text: text, Old: old.json(), New: new.json()})
}

// unsealed compares what no fingerprint covers, member by member.
func (l *ledger) unsealed(old, new *fingerprint.Tool) {
	for _, m := range differing(unsealed(old), unsealed(new)) {
		l.add(ClassChange{Class: UnsealedChanged, Weight: Wording, Path: pointer("", m.name),
			Text: verbOf(m) + " " + quote(m.name) + ", which no fingerprint covers", Old: m.old.json(), New: m.new.json()})
	}
}

// A difference is a member that differs between two objects; nil where one has
// it not.
type difference struct {
	name     string
	old, new *node
}

// differing returns the members that differ, by name.
func differing(old, new *node) []difference {
	var found []difference
	merge2(old.list(), new.list(), func(name string, a, b *node) {
		if a == nil || b == nil || !bytes.Equal(a.raw, b.raw) {
			found = append(found, difference{name, a, b})
		}
	})
	return found
}

// merge2 walks two lists of members that are sorted by name.
func merge2(old, new []member, visit func(name string, old, new *node)) {
	for len(old) > 0 || len(new) > 0 {
		switch {
		case len(new) == 0 || len(old) > 0 && old[0].name < new[0].name:
			visit(old[0].name, old[0].node, nil)
			old = old[1:]
		case len(old) == 0 || new[0].name < old[0].name:
			visit(new[0].name, nil, new[0].node)
			new = new[1:]
		default:
			visit(old[0].name, old[0].node, new[0].node)
			old, new = old[1:], new[1:]
		}
	}
}

// verbOf returns "adds", "removes" or "changes".
func verbOf(m difference) string {
	switch {
	case m.old == nil:
		return "adds"
	case m.new == nil:
		return "removes"
	}
	return "changes"
}

// object reads raw; nil stays nil.
func object(raw []byte) *node {
	if raw == nil {
		return nil
	}
	return parse(raw)
}

// json returns the canonical bytes; nil for a nil node.
func (n *node) json() jsontext.Value {
	if n == nil {
		return nil
	}
	return n.raw
}

// list returns the members of an object or the elements of an array.
func (n *node) list() []member {
	if n == nil {
		return nil
	}
	return n.members
}

// toPointer and fromPointer write and read one step of an RFC 6901 pointer.
var (
	toPointer   = strings.NewReplacer("~", "~0", "/", "~1")
	fromPointer = strings.NewReplacer("~1", "/", "~0", "~")
)

// pointer appends a step to an RFC 6901 pointer, unless that would make it
// longer than maxPath: then it leads to what holds the step.
func pointer(path, step string) string {
	if step = toPointer.Replace(step); len(path)+len("/")+len(step) > maxPath {
		return path
	}
	return path + "/" + step
}
