package escape

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFindings(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []Finding
	}{
		{"none in plain text", "Reads a file.\n\tAlways.", nil},
		{"none in brackets", "⟨x⟩ 〈y〉", []Finding{}},
		{"none in honest marks", "Vie\u0323\u0302t हिन्दी", []Finding{}},
		{"counted, by first offset", "a\u200bb\u202ec\u200b", []Finding{
			{0x200B, ZeroWidth, 2, 1, ""}, {0x202E, Bidi, 1, 5, ""}}},
		{"escape sequence", "\x1b[8mhidden\x1b[0m", []Finding{{0x1B, Control, 2, 0, ""}}},
		{"tags are one finding", "x\U000E0069\U000E0067", []Finding{{0xE0069, Tag, 2, 1, "ig"}}},
		{"tags without a letter", "\U000E0001\U000E007F", []Finding{{0xE0001, Tag, 2, 0, ""}}},
		{"hidden bytes in selectors", "😀\ufe01\ufe0f\U000E0110", []Finding{{0xFE01, Variation, 3, 4, ""}}},
		{"two selectors are one too many", "⚠\ufe0f\ufe0f", []Finding{{0xFE0F, Variation, 2, 3, ""}}},
		{"a selector after a letter", "a\ufe0f", []Finding{{0xFE0F, Variation, 1, 1, ""}}},
		{"emoji", "⚠\ufe0f 👩\u200d💻 ❤\ufe0f\u200d🔥", []Finding{{0xFE0F, Emoji, 2, 3, ""}, {0x200D, Emoji, 2, 11, ""}}},
		{"a joiner between letters", "a\u200db", []Finding{{0x200D, ZeroWidth, 1, 1, ""}}},
		{"a joiner after an emoji only", "👩\u200dx", []Finding{{0x200D, ZeroWidth, 1, 4, ""}}},
		{"line ends of another system", "a\r\nb\rc", []Finding{{'\r', Space, 1, 1, ""}, {'\r', Control, 1, 4, ""}}},
		{"invalid bytes", "a\xff\xfe", []Finding{{0xFF, InvalidUTF8, 2, 1, ""}}},
		{"private, unassigned, non", "\ue000\u0378\ufdd0", []Finding{
			{0xE000, PrivateUse, 1, 0, ""}, {0x378, Unassigned, 1, 3, ""}, {0xFDD0, Noncharacter, 1, 5, ""}}},
		{"separators and spaces", "a\u2028\u3000", []Finding{{0x2028, Line, 1, 1, ""}, {0x3000, Space, 1, 4, ""}}},
		{"fillers and format", "\u3164\u0600\ufffa", []Finding{
			{0x3164, Filler, 1, 0, ""}, {0x600, Format, 1, 3, ""}, {0xFFFA, Annotation, 1, 5, ""}}},
		{"zalgo", "a" + strings.Repeat("\u0301", 10), []Finding{{0x301, StackedMark, 6, 9, ""}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Findings(c.in)); diff != "" {
				t.Errorf("Findings(%+q) (-want +got):\n%s", c.in, diff)
			}
		})
	}
}

// A text of every code point makes a bounded list.
func TestFindingsAreBounded(t *testing.T) {
	var b strings.Builder
	for r := rune(0); r <= 0x10FFFF; r++ {
		if r < 0x40000 || r > 0xDFFFF || r%256 == 0 { // in between there is nothing
			b.WriteRune(r)
		}
	}
	b.WriteString(strings.Repeat("\U000E0041", 1000))
	all := Findings(b.String())
	if len(all) > 200 {
		t.Errorf("%d findings, want at most 200", len(all))
	}
	for _, f := range all {
		if len(f.Spells) > maxSpelled {
			t.Errorf("%s spells %d bytes, want at most %d", f.Class, len(f.Spells), maxSpelled)
		}
	}
}

func TestFindingString(t *testing.T) {
	for _, c := range []struct {
		in   Finding
		want string
	}{
		{Finding{0x202E, Bidi, 2, 12, ""}, "U+202E RIGHT-TO-LEFT OVERRIDE (bidirectional control), 2 times, first at byte 12"},
		{Finding{0x600, Format, 1, 0, ""}, "U+0600 (format character), once, at byte 0"},
		{Finding{0xE0069, Tag, 9, 1, `ig"`}, `tag character (U+E0069) spelling "ig\"", 9 times, first at byte 1`},
		{Finding{0xFF, InvalidUTF8, 1, 3, ""}, "byte that is no UTF-8 (0xFF), once, at byte 3"},
	} {
		if got := c.in.String(); got != c.want {
			t.Errorf("%+v\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestHides(t *testing.T) {
	for _, c := range []Class{Emoji, Space, StackedMark} {
		if c.Hides() {
			t.Errorf("%q hides something, want it harmless", c)
		}
	}
	for _, c := range []Class{Control, Bidi, ZeroWidth, Filler, Variation, Tag, Annotation, Format, Line, PrivateUse, Unassigned, Noncharacter, InvalidUTF8} {
		if !c.Hides() {
			t.Errorf("%q hides nothing, want it to", c)
		}
	}
}
