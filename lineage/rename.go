package lineage

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// minAlike is the part of all their words that two tools must share to be taken
// for one, and minWords how many: "Lists files." proves nothing.
const (
	minAlike = 0.75
	minWords = 6
)

// renames returns, for an added tool that is like a removed one, the name of the
// latter. No tool stands there twice, and none that is like two others.
func renames(pairs []paired) map[string]string {
	var gone, added []*paired
	for i := range pairs {
		switch p := &pairs[i]; {
		case p.removed():
			gone = append(gone, p)
		case p.added():
			added = append(added, p)
		}
	}
	if len(gone) == 0 || len(added) == 0 {
		return nil
	}
	found := map[string]string{}
	gone, added = equalTools(gone, added, found)
	if max(len(gone), len(added)) <= maxRenames {
		similarTools(gone, added, found)
	}
	return found
}

// equalTools finds pairs of which all but the name is equal, and returns the
// others.
func equalTools(gone, added []*paired, found map[string]string) (restGone, restAdded []*paired) {
	at := map[string][2][]*paired{}
	for side, list := range [2][]*paired{gone, added} {
		for _, p := range list {
			key := essence(p)
			both := at[key]
			both[side] = append(both[side], p)
			at[key] = both
		}
	}
	same := func(p *paired) bool {
		both := at[essence(p)]
		return len(both[0]) == 1 && len(both[1]) == 1 && !p.silent()
	}
	for _, p := range added {
		if same(p) {
			found[p.name] = at[essence(p)][0][0].name
		}
	}
	return slices.DeleteFunc(gone, same), slices.DeleteFunc(added, same)
}

// silent reports whether a tool is known to describe itself by nothing but its
// name.
func (p *paired) silent() bool {
	t := cmp.Or(p.old, p.new)
	return t != nil && t.Description == ""
}

// essence is the same for tools of which all but the name is.
func essence(p *paired) string {
	if sealed := cmp.Or(p.oldSeal, p.newSeal); sealed != nil {
		return string(sealed.Interface.Composite)
	}
	d, err := fingerprint.Of(*cmp.Or(p.old, p.new), fingerprint.Algorithms[0])
	if err != nil {
		return "\x00" + p.name
	}
	return string(d.Composite)
}

// similarTools pairs the others by the words that they share, the most alike
// first.
func similarTools(gone, added []*paired, found map[string]string) {
	type guess struct {
		gone, added *paired
		alike       float64
	}
	var guesses []guess
	words := map[*paired]map[string]bool{}
	for _, p := range slices.Concat(gone, added) {
		words[p] = wordsOf(cmp.Or(p.old, p.new))
	}
	for _, a := range added {
		for _, g := range gone {
			if alike := overlap(words[g], words[a]); alike >= minAlike {
				guesses = append(guesses, guess{g, a, alike})
			}
		}
	}
	slices.SortStableFunc(guesses, func(a, b guess) int { return cmp.Compare(b.alike, a.alike) })
	used := map[*paired]bool{}
	for _, g := range guesses {
		if !used[g.gone] && !used[g.added] {
			used[g.gone], used[g.added] = true, true
			found[g.added.name] = g.gone.name
		}
	}
}

// wordsOf returns the words of a tool's description and the names of its
// parameters.
func wordsOf(t *fingerprint.Tool) map[string]bool {
	if t == nil {
		return nil
	}
	words := setOf(strings.Fields(strings.ToLower(t.Description[:min(len(t.Description), maxRenameText)])))
	for _, m := range object(t.InputSchema).member("properties").list() {
		words[m.name] = true
	}
	return words
}

// overlap is the part of all words that both have; 0 of few.
func overlap(a, b map[string]bool) float64 {
	both := 0
	for word := range a {
		if b[word] {
			both++
		}
	}
	if both < minWords {
		return 0
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

func (l *ledger) guessRenamed(from string) {
	l.add(ClassChange{Class: ToolRenamed, Weight: Compatible, Guess: true, Text: "is probably " + quote(from) + " under another name",
		Old: jsonString(from), New: jsonString(l.tool)})
}
