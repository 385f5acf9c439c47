package escape

import (
	"unicode"
	"unicode/utf8"
)

// A Class says why a character is shown as an escape. Its text is for people
// and stands in reports: it does not change between releases.
type Class string

// The classes, from what acts on the display to what merely looks odd.
const (
	Control      Class = "control character"
	Bidi         Class = "bidirectional control"
	ZeroWidth    Class = "zero-width character"
	Filler       Class = "blank letter or symbol"
	Variation    Class = "variation selector"
	Tag          Class = "tag character"
	Annotation   Class = "annotation character"
	Format       Class = "format character"
	Line         Class = "line or paragraph separator"
	PrivateUse   Class = "private-use character"
	Unassigned   Class = "unassigned code point"
	Noncharacter Class = "non-character"
	InvalidUTF8  Class = "byte that is no UTF-8"
	// StackedMark is a combining mark that is drawn on nothing, or on top of
	// four others.
	StackedMark Class = "stacked combining mark"
	// Space is white space that takes room: one other than U+0020, or the
	// carriage return of a CRLF.
	Space Class = "unusual white space"
	// Emoji is a variation selector or joiner where an emoji has one.
	Emoji Class = "emoji joiner or presentation selector"

	// plain characters are shown as they are; the zero value.
	plain Class = ""
	// bracket is a visible character that could be taken for our notation.
	bracket Class = "bracket"
)

// Hides reports whether a reader of the plain text, in an editor or on a web
// page, would miss a character of this class or be misled by it: whether it
// deserves a warning. Emoji, unusual spaces and piled-up marks do not: they are
// common in honest text, or seen by everybody.
func (c Class) Hides() bool {
	switch c {
	case plain, bracket, Emoji, Space, StackedMark:
		return false
	}
	return true
}

// Hidden reports whether r is shown as an escape wherever it stands on a line,
// brackets aside: it has no ink, or acts on the display. Line feed and tab
// count as hidden here; callers that treat them as layout ask about them first.
func Hidden(r rune) bool {
	c := classify(r)
	return c != plain && c != bracket
}

const (
	noRune rune = -1
	zwj    rune = 0x200D
)

// ignorable are characters without ink that have another category than Cf, Cc,
// Co or Z: to a font they are letters, marks or symbols.
var ignorable = []*unicode.RangeTable{unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector}

// firstIgnorable is the first of them behind U+034F, which has a case of its own
// below. Most letters of most texts stand before it and are spared the search.
const firstIgnorable = 0x115F

// classify gives the class of r by itself. Marks are plain here: whether one
// may be drawn depends on what stands before it.
func classify(r rune) Class {
	if r >= ' ' && r <= '~' {
		return plain
	}
	switch {
	case r < ' ' || r >= 0x7F && r <= 0x9F:
		return Control
	case r == 0x00AD || r == 0x034F || r == 0x180E || r == 0xFEFF,
		r >= 0x200B && r <= 0x200D, r >= 0x2060 && r <= 0x2064:
		return ZeroWidth
	case r == 0x061C || r == 0x200E || r == 0x200F,
		r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
		return Bidi
	case r == 0x2028 || r == 0x2029:
		return Line
	case r == 0x115F || r == 0x1160 || r == 0x3164 || r == 0xFFA0, // Hangul
		r == 0x17B4 || r == 0x17B5, // Khmer inherent vowels
		r == 0x2800,                // Braille pattern blank
		r == 0x16FE4,               // Khitan filler
		r == 0x1D159:               // musical symbol null notehead
		return Filler
	case r == 0x27E8, // ours, and those that fonts draw like it
		r == 0x2329, r == 0x3008, r == 0x276C, r == 0x29FC:
		return bracket
	case r >= 0xFFF9 && r <= 0xFFFC:
		return Annotation
	case r >= 0xFDD0 && r <= 0xFDEF, r&0xFFFE == 0xFFFE:
		return Noncharacter
	case r >= 0xE0000 && r <= 0xE007F:
		return Tag
	case unicode.IsPrint(r):
		if r >= firstIgnorable && unicode.In(r, ignorable...) {
			return Variation
		}
		return plain
	}
	return unprintable(r)
}

// unprintable classifies what has no ink by its general category.
func unprintable(r rune) Class {
	switch {
	case unicode.Is(unicode.Zs, r):
		return Space
	case unicode.Is(unicode.Cf, r):
		return Format
	case unicode.Is(unicode.Co, r):
		return PrivateUse
	}
	return Unassigned
}

func isMark(r rune) bool { return r >= 0x300 && unicode.IsMark(r) }

// isNonSpacing reports whether r is drawn on the character before it and takes
// no room of its own, so that many of them pile up.
func isNonSpacing(r rune) bool { return unicode.In(r, unicode.Mn, unicode.Me) }

// joinsEmoji reports whether r, between prev and rest, is the one selector of a
// presentation (U+FE0E, U+FE0F) or a joiner between two symbols. A second
// selector is none: strings of them carry hidden bytes.
func joinsEmoji(prev, r rune, rest string) bool {
	if r != zwj && r != 0xFE0E && r != 0xFE0F || !isEmojiBase(prev) {
		return false
	}
	next, _ := utf8.DecodeRuneInString(rest)
	if r == zwj {
		return prev > 0x2000 && unicode.Is(unicode.So, next)
	}
	return next < 0xFE00 || next > 0xFE0F
}

// isEmojiBase reports whether r may stand before a presentation selector or a
// joiner in an emoji: symbols, skin tones, and what keycaps are made of.
func isEmojiBase(r rune) bool {
	switch {
	case r >= '0' && r <= '9', r == '#', r == '*', r == 0x203C, r == 0x2049:
		return true
	case r < 0xA9:
		return false
	}
	return unicode.In(r, unicode.So, unicode.Sm) || r >= 0x1F3FB && r <= 0x1F3FF
}
