package lineage

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// A SchemaChange is one value that differs in a tool's JSON.
type SchemaChange struct {
	// Component is the part of the interface that the path starts in; "" for
	// what no fingerprint covers, where it starts at the tool.
	Component fingerprint.Component `json:"component,omitzero"`
	// Path is an RFC 6901 pointer: into the new value, or into the old one for
	// what was removed. "" is the component as a whole.
	Path string `json:"path"`
	Kind Kind   `json:"kind"`
	// Old and New are the value before and after, as canonical JSON. One that
	// is larger than 4 KiB is cut: OldSize or NewSize is then its whole length
	// in bytes, and Old or New a JSON string of 4 KiB of it, from byte From.
	Old     jsontext.Value `json:"old,omitzero"`
	New     jsontext.Value `json:"new,omitzero"`
	OldSize int            `json:"old_size,omitzero"`
	NewSize int            `json:"new_size,omitzero"`
	// From is where both excerpts begin: shortly before the first difference.
	From int `json:"from,omitzero"`
	// Text is the way from old to new where both are strings of several words:
	// models read the descriptions inside a schema, too.
	Text []Edit `json:"text,omitzero"`
}

// A list gathers the changes of one or several components.
type list struct {
	component fingerprint.Component
	path      []byte
	changes   []SchemaChange
	more      int
	cells     *int // what is left for word comparisons
}

// compare adds what differs between two values, either of which may be nil, and
// reports whether anything does: whether their digests differ.
func (l *list) compare(old, new []byte) bool {
	if bytes.Equal(old, new) {
		return false
	}
	before := len(l.changes) + l.more
	var from, to *node
	if old != nil {
		from = parse(old)
	}
	if new != nil {
		to = parse(new)
	}
	l.values(from, to)
	return len(l.changes)+l.more > before
}

// values compares two values at the current path; nil is an absent one.
func (l *list) values(old, new *node) {
	switch {
	case old == nil && new == nil:
	case old == nil:
		l.add(Added, nil, new)
	case new == nil:
		l.add(Removed, old, nil)
	case bytes.Equal(old.raw, new.raw):
	case old.kind() != new.kind():
		l.add(Changed, old, new)
	case old.kind() != '{' && old.kind() != '[' || !l.fits(old, new):
		l.add(Changed, old, new)
	case old.kind() == '{':
		l.compareMembers(old.members, new.members)
	case l.isSet():
		l.compareSets(old, new)
	default:
		l.compareElements(old.members, new.members)
	}
}

// fits reports whether every pointer to a member stays within maxPath. If not,
// the values are reported as one change: each pointer in a result is whole.
func (l *list) fits(old, new *node) bool {
	room := maxPath - len(l.path) - len("/")
	for _, n := range []*node{old, new} {
		if len(strconv.Itoa(len(n.members))) > room {
			return false
		}
		for _, m := range n.members {
			if len(m.name)+strings.Count(m.name, "~")+strings.Count(m.name, "/") > room {
				return false
			}
		}
	}
	return true
}

// compareMembers merges two lists of members that are sorted by name.
func (l *list) compareMembers(old, new []member) {
	for len(old) > 0 || len(new) > 0 {
		switch {
		case len(new) == 0 || len(old) > 0 && old[0].name < new[0].name:
			l.at(old[0].name, old[0].node, nil)
			old = old[1:]
		case len(old) == 0 || new[0].name < old[0].name:
			l.at(new[0].name, nil, new[0].node)
			new = new[1:]
		default:
			l.at(old[0].name, old[0].node, new[0].node)
			old, new = old[1:], new[1:]
		}
	}
}

// compareElements compares by index what is left between the elements that both
// arrays begin with and those that both end with: an element put in front is
// one change, not one for each that it moved.
func (l *list) compareElements(old, new []member) {
	start := 0
	for start < min(len(old), len(new)) && bytes.Equal(old[start].node.raw, new[start].node.raw) {
		start++
	}
	old, new = old[start:], new[start:]
	for len(old) > 0 && len(new) > 0 && bytes.Equal(old[len(old)-1].node.raw, new[len(new)-1].node.raw) {
		old, new = old[:len(old)-1], new[:len(new)-1]
	}
	for i := range max(len(old), len(new)) {
		var from, to *node
		if i < len(old) {
			from = old[i].node
		}
		if i < len(new) {
			to = new[i].node
		}
		l.at(strconv.Itoa(start+i), from, to)
	}
}

// isSet reports whether the array at the current path is one whose order means
// nothing in JSON Schema. Data may use the same names (in default, examples,
// const): nothing is lost there, since a new order is reported as well.
func (l *list) isSet() bool {
	last := l.path[bytes.LastIndexByte(l.path, '/')+1:]
	switch string(last) {
	case "required", "enum", "type":
		return true
	}
	return false
}

// compareSets reports elements that one array has more often than the other,
// then whether those that both have stand in another order.
func (l *list) compareSets(old, new *node) {
	keptOld, goneOld := split(old.members, new.members)
	keptNew, goneNew := split(new.members, old.members)
	for _, i := range goneOld {
		l.at(strconv.Itoa(i), old.members[i].node, nil)
	}
	for _, i := range goneNew {
		l.at(strconv.Itoa(i), nil, new.members[i].node)
	}
	for k := range keptOld {
		if !bytes.Equal(old.members[keptOld[k]].node.raw, new.members[keptNew[k]].node.raw) {
			l.add(Reordered, old, new)
			return
		}
	}
}

// split returns the indices of a's elements that b has as well, each as often
// as b has it, and of those that b lacks.
func split(a, b []member) (both, only []int) {
	count := make(map[string]int, len(b))
	for _, m := range b {
		count[string(m.node.raw)]++
	}
	for i, m := range a {
		if count[string(m.node.raw)] > 0 {
			count[string(m.node.raw)]--
			both = append(both, i)
		} else {
			only = append(only, i)
		}
	}
	return both, only
}

// at compares two values one step down.
func (l *list) at(step string, old, new *node) {
	before := len(l.path)
	l.path = append(l.path, '/')
	for i := range len(step) {
		switch step[i] {
		case '~':
			l.path = append(l.path, "~0"...)
		case '/':
			l.path = append(l.path, "~1"...)
		default:
			l.path = append(l.path, step[i])
		}
	}
	l.values(old, new)
	l.path = l.path[:before]
}

// add records a change at the current path, or counts it.
func (l *list) add(kind Kind, old, new *node) {
	if len(l.changes) == maxChanges {
		l.more++
		return
	}
	c := SchemaChange{Component: l.component, Path: string(l.path), Kind: kind}
	if old != nil && new != nil && max(len(old.raw), len(new.raw)) > maxValue {
		c.From = max(0, commonPrefix(old.raw, new.raw)-maxValue/4)
	}
	if old != nil {
		c.Old, c.OldSize = excerpt(old.raw, &c.From)
	}
	if new != nil {
		c.New, c.NewSize = excerpt(new.raw, &c.From)
	}
	if old != nil && new != nil && old.kind() == '"' && new.kind() == '"' {
		if from, to := old.text(), new.text(); strings.ContainsAny(from+to, " \n\t") {
			c.Text = words(from, to, l.cells)
		}
	}
	l.changes = append(l.changes, c)
}

// excerpt returns raw, or where it is too long a JSON string of a part of it
// that begins at from, which is put back to the start of a character.
func excerpt(raw jsontext.Value, from *int) (shown jsontext.Value, size int) {
	if len(raw) <= maxValue {
		return raw, 0
	}
	*from = boundary(raw, *from)
	end := boundary(raw, min(*from+maxValue, len(raw)))
	shown, _ = jsontext.AppendQuote(nil, raw[*from:end]) // canonical JSON is UTF-8
	return shown, len(raw)
}

// boundary returns the start of the character that i lies in.
func boundary(raw []byte, i int) int {
	for i > 0 && i < len(raw) && !utf8.RuneStart(raw[i]) {
		i--
	}
	return i
}

func commonPrefix(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
