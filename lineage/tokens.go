package lineage

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcp-integrity/seal-action/internal/escape"
)

// A text is a string cut into pieces: piece i is s[at[i]:at[i+1]].
type text struct {
	s  string
	at []int
}

func (t text) len() int           { return len(t.at) - 1 }
func (t text) piece(i int) string { return t.s[t.at[i]:t.at[i+1]] }

// join returns pieces i to j, j left out, as they stand in the string.
func (t text) join(i, j int) string { return t.s[t.at[i]:t.at[j]] }

// slice returns the text of pieces i to j, j left out.
func (t text) slice(i, j int) text { return text{t.s, t.at[i : j+1]} }

// pick returns the offsets at the given indices.
func pick(at, indices []int) []int {
	picked := make([]int, len(indices))
	for k, i := range indices {
		picked[k] = at[i]
	}
	return picked
}

// tokens cuts s as [Words] says.
func tokens(s string) text {
	t := text{s, make([]int, 1, len(s)/4+2)}
	for i := 0; i < len(s); {
		i += token(s[i:])
		t.at = append(t.at, i)
	}
	return t
}

// token returns the length of the first token of s, which is not empty.
func token(s string) int {
	first, n := utf8.DecodeRuneInString(s)
	k := kindOf(first)
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		switch next := kindOf(r); {
		case next == mark && k != space && k != hidden: // stays with what it is drawn on
		case next == k && (k == space || k == word):
		case k == mark && next == word: // a word may begin with one
			k = word
		default:
			return n
		}
		n += size
	}
	return n
}

type tokenKind byte

const (
	single tokenKind = iota
	hidden
	space
	word
	mark
)

// unspaced are scripts that write words without spaces between them: taken as
// one word, a sentence would differ as a whole.
var unspaced = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana,
	unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Javanese}

func kindOf(r rune) tokenKind {
	switch {
	case r == ' ' || r == '\n' || r == '\t':
		return space
	case r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
		return word
	case r == utf8.RuneError || r < 0x7F && r > ' ':
		return single
	case escape.Hidden(r):
		return hidden
	case unicode.IsMark(r):
		return mark
	case unicode.IsLetter(r) && r >= 0xE00 && unicode.In(r, unspaced...):
		return single
	case unicode.IsLetter(r) || unicode.IsNumber(r):
		return word
	}
	return single
}

func isSpace(s string) bool {
	for i := range len(s) {
		if s[i] != ' ' && s[i] != '\n' && s[i] != '\t' {
			return false
		}
	}
	return true
}

// sentences returns the indices of the pieces that begin a line or a sentence,
// and t.len() behind them.
func sentences(t text) []int {
	at := []int{0}
	for i := 1; i < t.len(); i++ {
		gap := t.piece(i - 1)
		line := isSpace(gap) && strings.ContainsRune(gap, '\n')
		stop := isSpace(gap) && i > 1 && strings.ContainsAny(t.piece(i-2), ".!?:;") || strings.ContainsAny(gap, "。！？")
		if line || stop {
			at = append(at, i)
		}
	}
	return append(at, t.len())
}
