package lineage

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// Classify compares two releases tool by tool. Wherever [FlagsOf] sees a
// difference between the manifests, or [Diff] one between the snapshots, there
// is at least one change of that tool. A side may lack its manifest or its
// snapshot; what both sides have is compared. Neither is changed.
func Classify(old, new Side) Classes {
	c := Classes{Snapshots: old.Tools != nil && new.Tools != nil}
	pairs := pair(old, new)
	renamed := renames(pairs)
	for i := range pairs {
		l := ledger{tool: pairs[i].name}
		l.classify(&pairs[i])
		if from, ok := renamed[l.tool]; ok {
			l.guessRenamed(from)
		}
		changes, more := l.result()
		c.Changes, c.More = append(c.Changes, changes...), c.More+more
	}
	return c
}

// A paired is one tool on both sides; nil where a side has it not.
type paired struct {
	name             string
	old, new         *fingerprint.Tool
	oldSeal, newSeal *seal.Tool
}

func (p *paired) added() bool   { return p.old == nil && p.oldSeal == nil }
func (p *paired) removed() bool { return p.new == nil && p.newSeal == nil }

// pair returns the tools of both sides by name.
func pair(old, new Side) []paired {
	at := map[string]int{}
	var pairs []paired
	of := func(name string) *paired {
		i, ok := at[name]
		if !ok {
			i = len(pairs)
			at[name] = i
			pairs = append(pairs, paired{name: name})
		}
		return &pairs[i]
	}
	for i := range old.Tools {
		of(old.Tools[i].Name).old = &old.Tools[i]
	}
	for i := range new.Tools {
		of(new.Tools[i].Name).new = &new.Tools[i]
	}
	for i := range old.tools() {
		of(old.Manifest.Tools[i].Name).oldSeal = &old.Manifest.Tools[i]
	}
	for i := range new.tools() {
		of(new.Manifest.Tools[i].Name).newSeal = &new.Manifest.Tools[i]
	}
	slices.SortFunc(pairs, func(a, b paired) int { return strings.Compare(a.name, b.name) })
	return pairs
}

func (s Side) tools() []seal.Tool {
	if s.Manifest == nil {
		return nil
	}
	return s.Manifest.Tools
}

// A ledger gathers the changes of one tool.
type ledger struct {
	tool string
	// byWeight are the changes by the rank of their weight, at most maxChanges
	// of each: a flood of small changes hides no heavy one.
	byWeight [7][]ClassChange
	count    int
}

// add records a change of the ledger's tool.
func (l *ledger) add(c ClassChange) {
	l.count++
	kept := &l.byWeight[max(0, c.Weight.rank())]
	if len(*kept) < maxChanges {
		c.Tool, c.Old, c.New = l.tool, glimpse(c.Old), glimpse(c.New)
		*kept = append(*kept, c)
	}
}

// result returns the changes, heaviest first, and how many are left out.
func (l *ledger) result() (changes []ClassChange, more int) {
	room := maxChanges
	for _, kept := range l.byWeight {
		room -= min(len(kept), minOfWeight)
	}
	for _, kept := range l.byWeight {
		n := min(len(kept), minOfWeight)
		beyond := min(len(kept)-n, room)
		changes, room = append(changes, kept[:n+beyond]...), room-beyond
	}
	return changes, l.count - len(changes)
}

func (l *ledger) classify(p *paired) {
	switch {
	case p.added():
		l.add(ClassChange{Class: ToolAdded, Weight: Addition, Text: "adds the tool"})
	case p.removed():
		l.add(ClassChange{Class: ToolRemoved, Weight: Breaking, Text: "removes the tool"})
		return
	}
	seen := 0
	if p.old != nil && p.new != nil {
		seen = l.interfaces(p.old, p.new)
	}
	if !p.added() {
		l.digests(p, seen)
	}
	if p.newSeal != nil && (p.oldSeal != nil || p.added()) {
		l.declarations(cmp.Or(p.oldSeal, &seal.Tool{}), p.newSeal)
	}
}

// interfaces compares two snapshots of a tool, and returns the components that
// differ, as bits in the order of the composite.
func (l *ledger) interfaces(old, new *fingerprint.Tool) (seen int) {
	if bytes.Equal(old.Raw, new.Raw) && len(old.Raw) > 0 {
		return 0
	}
	for i, c := range fingerprint.Components {
		before := l.count
		l.component(c, old, new)
		if l.count > before {
			seen |= 1 << i
		}
	}
	l.unsealed(old, new)
	return seen
}

// component compares one part of the interface.
func (l *ledger) component(c fingerprint.Component, old, new *fingerprint.Tool) {
	switch c {
	case fingerprint.Description:
		l.description(old.Description, new.Description)
	case fingerprint.Annotations:
		l.annotations(old.Annotations, new.Annotations)
	default:
		l.schemas(c, part(old, c), part(new, c))
	}
}

func (l *ledger) description(old, new string) {
	c := ClassChange{Class: DescriptionChanged, Weight: Wording, Component: fingerprint.Description, Old: jsonString(old), New: jsonString(new)}
	switch {
	case old == new:
		return
	case old == "":
		c.Text, c.Old = "adds a description", nil
	case new == "":
		c.Text, c.New = "removes the description", nil
	default:
		c.Text = "rewords the description"
	}
	l.add(c)
}

// digests adds what the manifests say of components in which the snapshots
// showed no change: there were none, or they are not what was sealed.
func (l *ledger) digests(p *paired, seen int) {
	old, okOld := digestsOf(p.oldSeal, p.old, p.newSeal)
	new, okNew := digestsOf(p.newSeal, p.new, p.oldSeal)
	if !okOld || !okNew || old.Composite == new.Composite {
		return
	}
	c := ClassChange{Class: DigestChanged, Weight: Unseen, Path: "/interface/composite_digest", Text: "changes the interface",
		Old: jsonString(string(old.Composite)), New: jsonString(string(new.Composite))}
	if from, to := algorithm(old.Composite), algorithm(new.Composite); from != to {
		c.Text = fmt.Sprintf("is sealed with %.20q instead of %.20q", to, from)
		if p.old != nil && p.new != nil {
			c.Weight = Compatible // what changed, the snapshots show
		}
		l.add(c)
		return
	}
	found := seen != 0
	for i, part := range fingerprint.Components {
		from, to := old.Part(part), new.Part(part)
		if found = found || from != to; from == to || seen&(1<<i) != 0 {
			continue
		}
		c.Component, c.Path, c.Text = part, "", "changes the "+componentName(part)
		c.Old, c.New = jsonString(string(from)), jsonString(string(to))
		l.add(c)
	}
	if !found {
		l.add(c)
	}
}

// digestsOf returns the digests that were sealed, else those of the snapshot by
// the algorithm of the other side.
func digestsOf(sealed *seal.Tool, t *fingerprint.Tool, other *seal.Tool) (fingerprint.Digests, bool) {
	if sealed != nil {
		return sealed.Interface, true
	}
	if t == nil || other == nil {
		return fingerprint.Digests{}, false
	}
	d, err := fingerprint.Of(*t, digest.Algorithm(algorithm(other.Interface.Composite)))
	return d, err == nil
}

// algorithm is that of a digest, which may be malformed here.
func algorithm(d digest.Digest) string {
	alg, _, _ := strings.Cut(string(d), ":")
	return alg
}

func componentName(c fingerprint.Component) string { return strings.ReplaceAll(string(c), "_", " ") }
