// Package escape makes text from a stranger safe for the place it is printed
// in, and shows what a reader could not see.
//
// The names, descriptions and schemas of a tool are written by whoever wrote
// the tool. Printed as they are, they could move the cursor, recolour or erase
// lines, draw text in another order than a model reads it, or hide words
// between two visible letters. Here every character that a reader cannot see,
// or that acts on the place it is printed in, appears by its number:
//
//	⟨U+202E⟩   a character: its code point, four to six upper-case digits
//	⟨0xFF⟩     a byte that is no UTF-8: two upper-case digits
//	⟨… 812 bytes more⟩   text was cut here, and how much (the Limit functions)
//
// The notation cannot be forged: "⟨" itself, and the brackets that fonts draw
// like it, appear as escapes too. So a "⟨" in the output is ours, replacing
// each escape by what it names gives the input back, and no two inputs look
// the same because of a character that nobody sees.
//
// Shown as escapes are
//   - control characters (C0, DEL, C1), so ESC and everything it introduces;
//   - bidirectional controls and all other format characters (Cf);
//   - characters without ink: zero-width, soft hyphen, fillers, variation
//     selectors, tags, the blank Braille pattern, spaces other than U+0020,
//     line and paragraph separators;
//   - private use, unassigned and non-characters: each font decides what they
//     look like;
//   - interlinear annotation and the object replacement character;
//   - a combining mark with nothing before it to be drawn on, because
//     it would be drawn on our own text, and any non-spacing mark behind the
//     fourth in a row. UTS #39 §5.4 draws the line there: no living
//     orthography needs more, and taller stacks cover the lines around them.
//
// "Unassigned" is by the Unicode version of the Go toolchain: a newer character
// is shown by number until the toolchain knows it, which errs on the safe side.
//
// What this cannot do: letters that look alike (Latin and Cyrillic "а") stay as
// they are, and so do right-to-left letters, which a terminal may draw in their
// own order.
//
// Each place has its function: [Terminal] and [Block] for a person's terminal
// and for logs; [HTML], behind one of these, for HTML within Markdown. Workflow
// commands of CI systems have other special characters and need a function of
// their own: it belongs here, and their printers must not use Terminal alone.
package escape

import (
	"strconv"
	"unicode/utf8"
)

// Terminal returns s for one line of a terminal or a log: no line break, no
// tab, no control or format character is left. Text of printable ASCII is
// returned as it is, without a copy.
func Terminal(s string) string { return escape(s, oneLine) }

// Block is [Terminal] for text of several lines: line feeds and tabs are kept.
// The caller marks each line as the stranger's (a gutter, an indent), lest a
// line pass for one of ours.
func Block(s string) string { return escape(s, lines) }

// TerminalLimit is [Terminal] with at most limit bytes of output. Text that
// does not fit is cut between two characters and ends in "⟨… N bytes more⟩", N
// being the bytes of s that are missing; that much is returned even where limit
// is smaller. The work is bounded by limit, not by the length of s.
func TerminalLimit(s string, limit int) string { return escapeLimit(s, limit, oneLine) }

// BlockLimit is [Block] with the bound of [TerminalLimit].
func BlockLimit(s string, limit int) string { return escapeLimit(s, limit, lines) }

// A mode says which control characters are layout, not content.
type mode bool

const (
	oneLine mode = false // none
	lines   mode = true  // line feed and tab
)

func escape(s string, m mode) string {
	n := plainASCII(s, m)
	if n == len(s) {
		return s
	}
	out := make([]byte, 0, len(s)+len(s)/8+16)
	for u := range units(s, m) {
		out = u.append(out, s)
	}
	return string(out)
}

func escapeLimit(s string, limit int, m mode) string {
	if len(s) <= limit && plainASCII(s, m) == len(s) {
		return s
	}
	room := limit - len(ellipsis(len(s)))
	var out []byte
	cutOut, cutIn := 0, 0 // where the text can be cut so that the ellipsis fits
	for u := range units(s, m) {
		// Never between a character and its marks: "é" must not become "e".
		if len(out) <= room && (u.class != plain || !isMark(u.rune)) {
			cutOut, cutIn = len(out), u.offset
		}
		out = u.append(out, s)
		if len(out) > limit {
			return string(out[:cutOut]) + ellipsis(len(s)-cutIn)
		}
	}
	return string(out)
}

func ellipsis(missing int) string { return "⟨… " + strconv.Itoa(missing) + " bytes more⟩" }

// plainASCII returns how many bytes at the start of s need no look at Unicode.
func plainASCII(s string, m mode) int {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < ' ' || c > '~') && !(m == lines && (c == '\n' || c == '\t')) {
			return i
		}
	}
	return len(s)
}

// append writes the unit as it is to be seen.
func (u unit) append(out []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	switch u.class {
	case plain:
		return append(out, s[u.offset:u.offset+u.size]...)
	case InvalidUTF8:
		b := s[u.offset]
		return append(append(out, "⟨0x"...), digits[b>>4], digits[b&15], "⟩"[0], "⟩"[1], "⟩"[2])
	}
	out = append(out, "⟨U+"...)
	for shift := 20; shift >= 0; shift -= 4 {
		if shift < 16 || u.rune>>shift != 0 {
			out = append(out, digits[u.rune>>shift&15])
		}
	}
	return append(out, "⟩"...)
}

// maxMarks is the longest run of non-spacing marks that is drawn (UTS #39 §5.4).
const maxMarks = 4

// A unit is one character of a text, or one byte of it that is no UTF-8.
type unit struct {
	offset, size int
	rune         rune // for InvalidUTF8: the byte
	class        Class
}

// units yields the units of s in order, each with the class that decides
// whether and why it is shown as an escape: plain is shown as it is.
func units(s string, m mode) func(yield func(unit) bool) {
	return func(yield func(unit) bool) {
		marks := 0     // non-spacing marks since the last character that is none
		based := false // a mark here would be drawn on a character of this line
		prev := noRune // the character before, its presentation selector left out
		for i := 0; i < len(s); {
			r, size := rune(s[i]), 1
			if r >= utf8.RuneSelf {
				r, size = utf8.DecodeRuneInString(s[i:])
			}
			u := unit{offset: i, size: size, rune: r}
			switch u.class = classify(r); {
			case r == utf8.RuneError && size == 1:
				u.class, u.rune = InvalidUTF8, rune(s[i])
			case m == lines && (r == '\n' || r == '\t'):
				u.class = plain
			case r == '\r' && i+1 < len(s) && s[i+1] == '\n':
				u.class = Space
			case u.class != plain && joinsEmoji(prev, r, s[i+size:]):
				u.class = Emoji
			case u.class == plain && isMark(r):
				if isNonSpacing(r) {
					marks++
				}
				if !based || marks > maxMarks {
					u.class = StackedMark
				}
			case u.class == plain:
				marks = 0
			}
			based = u.class == plain && r != '\n' && r != '\t'
			if u.class != Emoji || r == zwj {
				prev = r
			}
			if !yield(u) {
				return
			}
			i += size
		}
	}
}
