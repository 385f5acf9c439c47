package lineage

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/seal"
)

// The types of a change entry (MIS §13.3). Nothing understates but by saying
// less than these, which are in a total order of what they say:
//
//	TypeBreaking                            anything may have changed
//	TypeSecurity, TypeFeature               there is something new, or more
//	TypeBugfix, TypeDependency, TypeRefactor  nothing that a caller must know
const (
	TypeBreaking   = "breaking"
	TypeSecurity   = "security"
	TypeFeature    = "feature"
	TypeBugfix     = "bugfix"
	TypeDependency = "dependency"
	TypeRefactor   = "refactor"
)

// ChangeTypes are all types, the strongest first; among those of one strength,
// the one that says most.
var ChangeTypes = []string{TypeBreaking, TypeSecurity, TypeFeature, TypeBugfix, TypeDependency, TypeRefactor}

// strength is 2, 1 or 0 as a type says that something broke, that something is
// new, or neither; -1 for what is no type.
func strength(changeType string) int {
	switch changeType {
	case TypeBreaking:
		return 2
	case TypeSecurity, TypeFeature:
		return 1
	case TypeBugfix, TypeDependency, TypeRefactor:
		return 0
	}
	return -1
}

// A Stated is a change that the publisher states for the whole release.
type Stated struct {
	Type, Text string
	// Commit says that it was read from a commit's message, where nobody may
	// have thought of a manifest. It refines, and is no error if it is too weak.
	Commit bool
}

// ParseStated reads TYPE:TEXT, one of [ChangeTypes] and one line of text.
func ParseStated(s string) (Stated, error) {
	changeType, text, ok := strings.Cut(s, ":")
	text = strings.TrimSpace(text)
	switch {
	case !ok:
		return Stated{}, fmt.Errorf("change %.100q: want TYPE:TEXT, such as %s", s, `"feature:searches hidden files as well"`)
	case strength(changeType) < 0:
		return Stated{}, fmt.Errorf("change %.100q: type %.40q, want one of %s", s, changeType, strings.Join(ChangeTypes, ", "))
	case text == "":
		return Stated{}, fmt.Errorf("change %.100q: no text behind the colon", s)
	case len(text) > maxStatedText:
		return Stated{}, fmt.Errorf("change %.100q: a text of %d bytes, want at most %d", s, len(text), maxStatedText)
	case line(text) != text:
		return Stated{}, fmt.Errorf("change %.100q: the text has line breaks, double spaces or invisible characters, want one plain line", s)
	}
	return Stated{Type: changeType, Text: text}, nil
}

// Floor returns the weakest type that does not understate what changed in a
// tool: [TypeBreaking] for a breaking change, [TypeFeature] for an expansion, an
// addition, or what nobody could see, else [TypeBugfix], as weak as any.
func Floor(c Classes, tool string) string {
	return floor(c.Of(tool), func(change ClassChange) Weight { return change.Weight })
}

// provenFloor is [Floor] for who checks: it counts what is certain, so that a
// manifest does not turn false when a later version of this package understands
// more, or is more careful.
func provenFloor(c Classes, tool string) string {
	return floor(c.Of(tool), func(change ClassChange) Weight {
		switch change.Class {
		case SchemaChanged:
			return Addition
		case DigestChanged:
			return Compatible
		}
		return change.Weight
	})
}

func floor(changes []ClassChange, weight func(ClassChange) Weight) string {
	least := TypeBugfix
	for _, change := range changes {
		switch weight(change) {
		case Breaking:
			return TypeBreaking
		case Expansion, Unseen, Addition:
			least = TypeFeature
		}
	}
	return least
}

// Understated returns what the entries of a tool say less of than they should,
// as clauses; none for an honest list. Flags count together over all entries
// (decision 14), and flags are those of [FlagsOf]. The type is held against the
// classes where both sides had a snapshot.
func Understated(entries []seal.Change, c Classes, flags Flags, tool string) []string {
	var said Flags
	strongest := -1
	for _, e := range entries {
		said.Interface = said.Interface || e.InterfaceChanged
		said.Capabilities = said.Capabilities || e.CapabilitiesChanged
		said.SideEffects = said.SideEffects || e.SideEffectsChanged
		strongest = max(strongest, strength(e.Type))
	}
	var found []string
	for _, f := range []struct {
		name       string
		said, true bool
	}{
		{"interface_changed", said.Interface, flags.Interface},
		{"capabilities_changed", said.Capabilities, flags.Capabilities},
		{"side_effects_changed", said.SideEffects, flags.SideEffects},
	} {
		if f.true && !f.said {
			found = append(found, fmt.Sprintf("no entry says %s, and the manifests differ there", f.name))
		}
	}
	least := provenFloor(c, tool)
	if c.Snapshots && strength(least) > max(strongest, 0) {
		heaviest := c.Of(tool)[0]
		found = append(found, fmt.Sprintf("the strongest entry is %s, and the tool %s: want %s", strongestType(entries), heaviest.Text, least))
	}
	return found
}

// strongestType names the type of the entries that says most.
func strongestType(entries []seal.Change) string {
	for _, t := range ChangeTypes {
		if slices.ContainsFunc(entries, func(e seal.Change) bool { return e.Type == t }) {
			return t
		}
	}
	return "none"
}

// CheckStated returns an error where the publisher's own words for a release are
// too many, or say less than changed. No words are no lie.
func CheckStated(stated []Stated, c Classes) error {
	stated = slices.DeleteFunc(slices.Clone(stated), func(s Stated) bool { return s.Commit })
	if len(stated) > maxStated {
		return fmt.Errorf("%d changes are stated, want at most %d", len(stated), maxStated)
	}
	strongest := -1
	for _, s := range stated {
		if strength(s.Type) < 0 {
			return fmt.Errorf("change %.100q: type %.40q, want one of %s", s.Text, s.Type, strings.Join(ChangeTypes, ", "))
		}
		strongest = max(strongest, strength(s.Type))
	}
	if strongest < 0 {
		return nil
	}
	var problems []error
	for i := 0; i < len(c.Changes) && len(problems) < maxNamed; {
		tool := c.Changes[i].Tool
		of := c.Of(tool)
		if least := Floor(c, tool); strength(least) > strongest {
			problems = append(problems, fmt.Errorf("tool %s %s: want a change of type %s", quote(tool), of[0].Text, least))
		}
		i += len(of)
	}
	if problems == nil {
		return nil
	}
	return fmt.Errorf("the stated changes understate this release: %w", errors.Join(problems...))
}

// Entries returns the change entries for each tool of new, at least one: what
// was computed, with the flags recomputed from the manifests, and what the
// publisher states, which refines it and never weakens it. old is nil where
// there is no predecessor. Statements that [CheckStated] refuses are the
// caller's to refuse; here they stand beside what was computed.
func Entries(c Classes, old, new *seal.Manifest, stated []Stated) map[string][]seal.Change {
	before := map[string]*seal.Tool{}
	for i := range (Side{Manifest: old}).tools() {
		before[old.Tools[i].Name] = &old.Tools[i]
	}
	said := statements(stated)
	entries := make(map[string][]seal.Change, len(new.Tools))
	for i := range new.Tools {
		tool := &new.Tools[i]
		entries[tool.Name] = entriesOf(c, tool.Name, FlagsOf(before[tool.Name], tool), said)
	}
	return entries
}

// unchanged says so.
const unchanged = "the interface and the declarations are unchanged"

func entriesOf(c Classes, tool string, flags Flags, said []seal.Change) []seal.Change {
	changes := c.Of(tool)
	if len(changes) == 0 && !flags.Any() {
		if len(said) == 0 {
			return []seal.Change{{Type: TypeBugfix, Description: unchanged}}
		}
		said = slices.Clone(said)
		said[0].Description += " (" + unchanged + ")"
		return said
	}
	entry := seal.Change{
		Type: floor(changes, func(c ClassChange) Weight { return c.Weight }), Description: sentence(changes),
		InterfaceChanged: flags.Interface, CapabilitiesChanged: flags.Capabilities, SideEffectsChanged: flags.SideEffects,
	}
	if strength(entry.Type) == 0 && len(said) > 0 {
		entry.Type = strongestType(said)
	}
	return append([]seal.Change{entry}, said...)
}

// sentence joins what happened, heaviest first, and counts what does not fit.
func sentence(changes []ClassChange) string {
	var b strings.Builder
	for i, c := range changes {
		rest := fmt.Sprintf("; and %d more changes", len(changes)-i)
		if b.Len() > 0 && b.Len()+len(c.Text)+len(rest) > maxSentence {
			b.WriteString(strings.TrimSuffix(rest, map[bool]string{true: "s"}[len(changes)-i == 1]))
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(c.Text)
	}
	if b.Len() == 0 {
		return "changes what is declared"
	}
	return b.String()
}

// statements returns the publisher's words as entries: each one's own, and one
// for all commits together.
func statements(stated []Stated) []seal.Change {
	var said, commits []seal.Change
	for _, s := range stated {
		entry := seal.Change{Type: s.Type, Description: line(s.Text)}
		switch {
		case strength(s.Type) < 0 || entry.Description == "" || slices.Contains(said, entry) || slices.Contains(commits, entry):
		case s.Commit && len(commits) < maxCommits:
			commits = append(commits, entry)
		case !s.Commit && len(said) < maxStated:
			said = append(said, entry)
		}
	}
	if len(commits) > 0 {
		said = append(said, seal.Change{Type: strongestType(commits), Description: subjects(commits)})
	}
	return said
}
