package lineage

import (
	"unicode/utf8"

	"github.com/sergi/go-diff/diffmatchpatch"
)

// An Op says what happened to a stretch of text.
type Op string

// The operations of an [Edit].
const (
	Equal  Op = "equal"
	Insert Op = "insert"
	Delete Op = "delete"
)

// An Edit is a stretch of text on the way from an old text to a new one.
type Edit struct {
	Op   Op     `json:"op"`
	Text string `json:"text"`
}

// Words returns the way from old to new, word by word: the Equal and Delete
// texts in order are old, the Equal and Insert texts are new. No text is empty,
// no two neighbours have the same Op, a Delete stands before the Insert that
// replaces it.
//
// A token is a word (letters, digits, marks, "_"), one letter of a script that
// puts no spaces between words, a run of spaces, tabs and line feeds, or one
// other character. A character that [escape.Hidden] hides is a token of its
// own, so that one put into a word shows up as the change that it is.
//
// Nothing here looks at a clock: the answer is the same everywhere. Texts that
// would take too long word by word are compared by sentences first, and within
// the sentences that differ by words; beyond that too, what stands between
// their common start and end counts as replaced.
func Words(old, new string) []Edit {
	cells := maxCells
	return words(old, new, &cells)
}

// words is [Words] with a bound on its work, from which what it uses is taken.
func words(old, new string, cells *int) []Edit {
	a, b := tokens(old), tokens(new)
	return edits(phrases(merge(compare(a, b, cells)), a), a, b)
}

// A run is a step of a comparison, in pieces: del of the old text are replaced
// by ins of the new one, then eq stay.
type run struct{ del, ins, eq int }

// compare returns the runs from a to b. It tries words, then sentences.
func compare(a, b text, cells *int) []run {
	head, tail := trim(a, b)
	a, b = a.slice(head, a.len()-tail), b.slice(head, b.len()-tail)
	runs := []run{{eq: head}}
	switch middle, ok := myers(a, b, cells); {
	case ok:
		runs = append(runs, middle...)
	default:
		runs = append(runs, bySentence(a, b, cells)...)
	}
	return append(runs, run{eq: tail})
}

// trim counts the pieces that a and b begin with, and those that they end with.
func trim(a, b text) (head, tail int) {
	n := min(a.len(), b.len())
	for head < n && a.piece(head) == b.piece(head) {
		head++
	}
	for tail < n-head && a.piece(a.len()-1-tail) == b.piece(b.len()-1-tail) {
		tail++
	}
	return head, tail
}

// bySentence compares whole sentences, then the words of those that differ.
func bySentence(a, b text, cells *int) []run {
	as, bs := sentences(a), sentences(b)
	whole, ok := myers(text{a.s, pick(a.at, as)}, text{b.s, pick(b.at, bs)}, cells)
	if !ok {
		return []run{{del: a.len(), ins: b.len()}}
	}
	var runs []run
	i, j := 0, 0 // sentences
	for _, r := range whole {
		old, new := a.slice(as[i], as[i+r.del]), b.slice(bs[j], bs[j+r.ins])
		head, tail := trim(old, new)
		old, new = old.slice(head, old.len()-tail), new.slice(head, new.len()-tail)
		runs = append(runs, run{eq: head})
		if within, ok := myers(old, new, cells); ok {
			runs = append(runs, within...)
		} else {
			runs = append(runs, run{del: old.len(), ins: new.len()})
		}
		i, j = i+r.del, j+r.ins
		runs = append(runs, run{eq: tail + as[i+r.eq] - as[i]})
		i, j = i+r.eq, j+r.eq
	}
	return runs
}

// myers compares piece by piece with the algorithm of go-diff, or reports false
// where that would take more than is left of cells.
//
// go-diff compares texts of runes, so every different piece gets a rune. What
// comes back is used as counts alone, and only where the counts fit the texts:
// a reviewer's eyes are not to depend on a library's bookkeeping.
func myers(a, b text, cells *int) ([]run, bool) {
	n, m := a.len(), b.len()
	switch {
	case n == 0 || m == 0:
		return []run{{del: n, ins: m}}, true
	case n > maxCells/m || n*m > *cells:
		return nil, false
	}
	*cells -= n * m
	alphabet := alphabet{}
	dmp := diffmatchpatch.New()
	dmp.DiffTimeout = 0 // no clock
	var runs []run
	i, j := 0, 0
	for _, d := range dmp.DiffMainRunes(alphabet.runes(a), alphabet.runes(b), false) {
		k := utf8.RuneCountInString(d.Text)
		switch d.Type {
		case diffmatchpatch.DiffDelete:
			runs, i = append(runs, run{del: k}), i+k
		case diffmatchpatch.DiffInsert:
			runs, j = append(runs, run{ins: k}), j+k
		default:
			if i+k > n || j+k > m || a.join(i, i+k) != b.join(j, j+k) {
				return nil, false
			}
			runs, i, j = append(runs, run{eq: k}), i+k, j+k
		}
	}
	return merge(runs), i == n && j == m
}

// An alphabet gives each piece of text a rune.
type alphabet map[string]rune

func (al alphabet) runes(t text) []rune {
	rs := make([]rune, t.len())
	for i := range rs {
		r, known := al[t.piece(i)]
		if !known {
			r = rune(len(al) + 1)
			if r >= 0xD800 { // surrogates do not survive go-diff's strings
				r += 0x800
			}
			al[t.piece(i)] = r
		}
		rs[i] = r
	}
	return rs
}

// merge joins runs into as few as there can be, one at least.
func merge(runs []run) []run {
	merged := []run{{}}
	for _, r := range runs {
		last := &merged[len(merged)-1]
		switch {
		case r.del == 0 && r.ins == 0:
			last.eq += r.eq
		case last.eq == 0:
			last.del, last.ins, last.eq = last.del+r.del, last.ins+r.ins, r.eq
		default:
			merged = append(merged, r)
		}
	}
	return merged
}

// phrases joins replacements with nothing but space between them: "[-a b-]{+x
// y+}" reads better than "[-a-]{+x+} [-b-]{+y+}".
func phrases(runs []run, a text) []run {
	joined := runs[:1]
	i := runs[0].del // where the pieces that last keeps begin in a
	for _, r := range runs[1:] {
		last := &joined[len(joined)-1]
		both := last.del > 0 && last.ins > 0 && r.del > 0 && r.ins > 0
		between := a.join(i, i+last.eq)
		i += last.eq + r.del
		if both && isSpace(between) {
			last.del, last.ins, last.eq = last.del+last.eq+r.del, last.ins+last.eq+r.ins, r.eq
		} else {
			joined = append(joined, r)
		}
	}
	return joined
}

// edits spells the runs out.
func edits(runs []run, a, b text) []Edit {
	var out []Edit
	i, j := 0, 0
	for _, r := range runs {
		for _, e := range []Edit{
			{Delete, a.join(i, i+r.del)},
			{Insert, b.join(j, j+r.ins)},
			{Equal, a.join(i+r.del, i+r.del+r.eq)},
		} {
			if e.Text != "" {
				out = append(out, e)
			}
		}
		i, j = i+r.del+r.eq, j+r.ins+r.eq
	}
	return out
}
