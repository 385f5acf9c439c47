package escape

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// A Finding is a character that [Block] shows by its number, and how often it
// stands in a text.
type Finding struct {
	// Rune is the code point; of a class that is reported as a whole, the first
	// one met; for InvalidUTF8 the byte.
	Rune  rune
	Class Class
	// Count is how often it occurs; First the byte offset where it does first.
	Count, First int
	// Spells is the text that tag characters hide: each stands for a letter of
	// printable ASCII that a model reads and no font draws. Its first 200 bytes.
	Spells string
}

// maxSpelled bounds [Finding.Spells]: enough to see what it is about.
const maxSpelled = 200

// Findings returns what [Block] would show as escapes in s, the notation's own
// brackets left out, by the offset where each is met first. Whether it is worth
// a warning is for [Class.Hides] to say.
//
// Characters that stand for themselves are reported one by one. Those that come
// by the hundred (tags, variation selectors, private use, unassigned,
// non-characters, stacked marks, invalid bytes) are reported once per class, so
// that a text can make no more than about 200 findings.
func Findings(s string) []Finding {
	if plainASCII(s, lines) == len(s) {
		return nil
	}
	type key struct {
		rune  rune
		class Class
	}
	found := map[key]*Finding{}
	for u := range units(s, lines) {
		if u.class == plain || u.class == bracket {
			continue
		}
		k := key{u.rune, u.class}
		if u.class.many() {
			k.rune = noRune
		}
		f := found[k]
		if f == nil {
			f = &Finding{Rune: u.rune, Class: u.class, First: u.offset}
			found[k] = f
		}
		f.Count++
		if ascii := u.rune - 0xE0000; u.class == Tag && ascii >= ' ' && ascii <= '~' && len(f.Spells) < maxSpelled {
			f.Spells += string(ascii)
		}
	}
	list := make([]Finding, 0, len(found))
	for f := range maps.Values(found) {
		list = append(list, *f)
	}
	slices.SortFunc(list, func(a, b Finding) int { return cmp.Compare(a.First, b.First) })
	return list
}

// many says that a class has too many members to report each.
func (c Class) many() bool {
	switch c {
	case Tag, Variation, PrivateUse, Unassigned, Noncharacter, StackedMark, InvalidUTF8:
		return true
	}
	return false
}

// String gives the finding in words: "U+202E RIGHT-TO-LEFT OVERRIDE
// (bidirectional control), 2 times, first at byte 12".
func (f Finding) String() string {
	if f.Count > 1 {
		return fmt.Sprintf("%s, %d times, first at byte %d", f.What(), f.Count, f.First)
	}
	return fmt.Sprintf("%s, once, at byte %d", f.What(), f.First)
}

// What names the character without saying where it stands: "U+202E
// RIGHT-TO-LEFT OVERRIDE (bidirectional control)", or for a class that is
// reported as a whole "tag character (U+E0069) spelling "ignore"" with the first
// one met.
func (f Finding) What() string {
	switch name := names[f.Rune]; {
	case f.Spells != "":
		return fmt.Sprintf("%s (U+%04X) spelling %q", f.Class, f.Rune, f.Spells)
	case f.Class == InvalidUTF8:
		return fmt.Sprintf("%s (0x%02X)", f.Class, f.Rune)
	case f.Class.many():
		return fmt.Sprintf("%s (U+%04X)", f.Class, f.Rune)
	case name == "":
		return fmt.Sprintf("U+%04X (%s)", f.Rune, f.Class)
	default:
		return fmt.Sprintf("U+%04X %s (%s)", f.Rune, name, f.Class)
	}
}

// names are the Unicode names of the characters that lints meet most. The
// others are known by number and class: all names would weigh a megabyte.
var names = map[rune]string{
	0x0000: "NULL",
	0x0008: "BACKSPACE",
	0x000D: "CARRIAGE RETURN",
	0x001B: "ESCAPE",
	0x007F: "DELETE",
	0x0085: "NEXT LINE",
	0x009B: "CONTROL SEQUENCE INTRODUCER",
	0x00A0: "NO-BREAK SPACE",
	0x00AD: "SOFT HYPHEN",
	0x034F: "COMBINING GRAPHEME JOINER",
	0x061C: "ARABIC LETTER MARK",
	0x115F: "HANGUL CHOSEONG FILLER",
	0x1160: "HANGUL JUNGSEONG FILLER",
	0x180E: "MONGOLIAN VOWEL SEPARATOR",
	0x200B: "ZERO WIDTH SPACE",
	0x200C: "ZERO WIDTH NON-JOINER",
	0x200D: "ZERO WIDTH JOINER",
	0x200E: "LEFT-TO-RIGHT MARK",
	0x200F: "RIGHT-TO-LEFT MARK",
	0x2028: "LINE SEPARATOR",
	0x2029: "PARAGRAPH SEPARATOR",
	0x202A: "LEFT-TO-RIGHT EMBEDDING",
	0x202B: "RIGHT-TO-LEFT EMBEDDING",
	0x202C: "POP DIRECTIONAL FORMATTING",
	0x202D: "LEFT-TO-RIGHT OVERRIDE",
	0x202E: "RIGHT-TO-LEFT OVERRIDE",
	0x202F: "NARROW NO-BREAK SPACE",
	0x2060: "WORD JOINER",
	0x2061: "FUNCTION APPLICATION",
	0x2062: "INVISIBLE TIMES",
	0x2063: "INVISIBLE SEPARATOR",
	0x2064: "INVISIBLE PLUS",
	0x2066: "LEFT-TO-RIGHT ISOLATE",
	0x2067: "RIGHT-TO-LEFT ISOLATE",
	0x2068: "FIRST STRONG ISOLATE",
	0x2069: "POP DIRECTIONAL ISOLATE",
	0x2800: "BRAILLE PATTERN BLANK",
	0x3000: "IDEOGRAPHIC SPACE",
	0x3164: "HANGUL FILLER",
	0xFE0F: "VARIATION SELECTOR-16",
	0xFEFF: "ZERO WIDTH NO-BREAK SPACE",
	0xFFA0: "HALFWIDTH HANGUL FILLER",
	0xFFFC: "OBJECT REPLACEMENT CHARACTER",
}
