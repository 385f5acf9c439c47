package escape

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestTerminal(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"plain", "Reads a file.", "Reads a file."},
		{"screen clear", "a\x1b[2Jb", "a⟨U+001B⟩[2Jb"},
		{"C1 introducer", "a\u009b31mb", "a⟨U+009B⟩31mb"},
		{"C1 as a bare byte", "a\x9b31mb", "a⟨0x9B⟩31mb"},
		{"line break and tab", "a\r\n\tb", "a⟨U+000D⟩⟨U+000A⟩⟨U+0009⟩b"},
		{"delete", "a\x7fb", "a⟨U+007F⟩b"},
		{"override", "a\u202etxt.exe", "a⟨U+202E⟩txt.exe"},
		{"zero width", "ig\u200bnore", "ig⟨U+200B⟩nore"},
		{"byte order mark", "\ufeffx", "⟨U+FEFF⟩x"},
		{"tags", "a\U000E0069\U000E007Fb", "a⟨U+E0069⟩⟨U+E007F⟩b"},
		{"plane 16", "a\U0010FFFDb", "a⟨U+10FFFD⟩b"},
		{"Hangul filler", "a\u3164b", "a⟨U+3164⟩b"},
		{"Braille blank", "a\u2800b", "a⟨U+2800⟩b"},
		{"no-break space", "a\u00a0b", "a⟨U+00A0⟩b"},
		{"line separator", "a\u2028b", "a⟨U+2028⟩b"},
		{"object replacement", "a\ufffcb", "a⟨U+FFFC⟩b"},
		{"variation selector", "a\U000E0101b", "a⟨U+E0101⟩b"},
		{"emoji selector", "⚠\ufe0f!", "⚠⟨U+FE0F⟩!"},
		{"invalid", "a\xff\xc3(b", "a⟨0xFF⟩⟨0xC3⟩(b"},
		{"a surrogate's bytes", "\xed\xa0\x80", "⟨0xED⟩⟨0xA0⟩⟨0x80⟩"},
		{"replacement character itself", "a\ufffdb", "a\ufffdb"},
		{"forged escape", "⟨U+202E⟩", "⟨U+27E8⟩U+202E⟩"},
		{"forged with a look-alike", "〈U+202E〉", "⟨U+3008⟩U+202E〉"},
		{"letters of many scripts", "naïve Straße Łódź Ελλάδα Москва ไทย 日本語 العربية עברית हिन्दी 👍", "naïve Straße Łódź Ελλάδα Москва ไทย 日本語 العربية עברית हिन्दी 👍"},
		{"decomposed Vietnamese", "Vie\u0323\u0302t", "Vie\u0323\u0302t"},
		{"zalgo", "a\u0301\u0302\u0303\u0304\u0305\u0306b\u0301", "a\u0301\u0302\u0303\u0304⟨U+0305⟩⟨U+0306⟩b\u0301"},
		{"mark at the start", "\u0338x", "⟨U+0338⟩x"},
		{"mark on our notation", "a\u200b\u0338x", "a⟨U+200B⟩⟨U+0338⟩x"},
		{"spacing mark on our notation", "\u200b\u093f", "⟨U+200B⟩⟨U+093F⟩"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Terminal(c.in); got != c.want {
				t.Errorf("Terminal(%+q)\n got %s\nwant %s", c.in, got, c.want)
			}
		})
	}
}

func TestBlock(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"layout is kept", "a\n\tb", "a\n\tb"},
		{"carriage return is not", "a\r\nb\rc", "a⟨U+000D⟩\nb⟨U+000D⟩c"},
		{"mark at a line's start", "a\n\u0301b", "a\n⟨U+0301⟩b"},
		{"vertical tab, form feed", "a\v\fb", "a⟨U+000B⟩⟨U+000C⟩b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Block(c.in); got != c.want {
				t.Errorf("Block(%+q)\n got %q\nwant %q", c.in, got, c.want)
			}
		})
	}
}

func TestLimit(t *testing.T) {
	long := strings.Repeat("word ", 100)
	for _, c := range []struct {
		name  string
		f     func(string, int) string
		in    string
		limit int
		want  string
	}{
		{"fits", TerminalLimit, "word", 4, "word"},
		{"fits escaped", TerminalLimit, "a\n", 13, "a⟨U+000A⟩"},
		{"cut", TerminalLimit, long, 40, "word word word w⟨… 484 bytes more⟩"},
		{"smaller than the ellipsis", TerminalLimit, long, 3, "⟨… 500 bytes more⟩"},
		{"negative", TerminalLimit, "abc", -1, "⟨… 3 bytes more⟩"},
		{"nothing to cut", TerminalLimit, "", 0, ""},
		{"not within an escape", TerminalLimit, "abc\x1b" + long, 33, "abc⟨… 501 bytes more⟩"},
		{"not before a mark", TerminalLimit, "abcde\u0301" + long, 30, "abcd⟨… 503 bytes more⟩"},
		{"block", BlockLimit, strings.Repeat("a\n", 20), 30, "a\na\na\na⟨… 33 bytes more⟩"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.f(c.in, c.limit)
			if got != c.want {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
			if least := len(ellipsis(len(c.in))); len(got) > max(c.limit, least) {
				t.Errorf("%d bytes, want at most %d", len(got), max(c.limit, least))
			}
		})
	}
}

// Of every code point: shown as itself if and only if it has ink and leaves the
// display alone. The tables are Unicode's, not the switch of the package.
func TestEveryCodePoint(t *testing.T) {
	blank := map[rune]bool{0x2800: true, 0x16FE4: true, 0x1D159: true, 0xFFFC: true}
	brackets := map[rune]bool{'⟨': true, 0x2329: true, 0x3008: true, 0x276C: true, 0x29FC: true}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) || r >= 0x40000 && r < 0xE0000 && r%256 != 0 || r >= 0xF1000 && r < 0x10FF00 && r%256 != 0 {
			continue // surrogates; one in 256 of what is unassigned or private
		}
		hidden := !unicode.IsPrint(r) || blank[r] ||
			unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
		in := "a" + string(r) + "b"
		want := in
		if hidden || brackets[r] {
			want = fmt.Sprintf("a⟨U+%04X⟩b", r)
		}
		if got := Terminal(in); got != want {
			t.Errorf("Terminal(%+q) = %q, want %q", in, got, want)
		}
		if got := Hidden(r); got != hidden {
			t.Errorf("Hidden(%U) = %v, want %v", r, got, hidden)
		}
	}
}

func TestPlainTextIsNotCopied(t *testing.T) {
	in := strings.Repeat("plain ASCII, printable. ", 100)
	for name, f := range map[string]func(string) string{
		"Terminal":      Terminal,
		"Block":         Block,
		"TerminalLimit": func(s string) string { return TerminalLimit(s, len(s)) },
	} {
		if n := testing.AllocsPerRun(10, func() { f(in) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

func TestLimitBoundsTheWork(t *testing.T) {
	huge := strings.Repeat("é", 1<<24)
	if n := testing.AllocsPerRun(10, func() { TerminalLimit(huge, 100) }); n > 10 {
		t.Errorf("%v allocations for 100 bytes of output, want as few as for a short text", n)
	}
}

var escaped = regexp.MustCompile(`⟨(?:U\+([0-9A-F]{4,6})|0x([0-9A-F]{2}))⟩`)

// unescape is the inverse that makes the notation injective.
func unescape(t *testing.T, s string) string {
	t.Helper()
	return escaped.ReplaceAllStringFunc(s, func(e string) string {
		m := escaped.FindStringSubmatch(e)
		n, err := strconv.ParseUint(m[1]+m[2], 16, 32)
		if err != nil {
			t.Fatalf("%q: %v", e, err)
		}
		if m[2] != "" {
			return string([]byte{byte(n)})
		}
		return string(rune(n))
	})
}

var seeds = []string{
	"", "plain", "a\nb\tc", "\x1b[31m", "⟨U+202E⟩", "⟨… 12 bytes more⟩", "a\u202e\u200b\u0301\u0301\u0301\u0301\u0301\u0301",
	"\xff\xfe", "⚠\ufe0f", "👩\u200d💻", "\U000E0041", "1\ufe0f\u20e3", "\r\n", "\ufeff", "हिन्दी", "\u3008U+0041\u3009",
}

func FuzzEscape(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, 40)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		for name, out := range map[string]string{
			"Terminal": Terminal(s), "Block": Block(s),
			"TerminalLimit": TerminalLimit(s, limit), "BlockLimit": BlockLimit(s, limit),
		} {
			harmless(t, name, out)
		}
		if got := unescape(t, Terminal(s)); got != s {
			t.Errorf("unescape(Terminal(%+q)) = %+q", s, got)
		}
		if got := unescape(t, Block(s)); got != s {
			t.Errorf("unescape(Block(%+q)) = %+q", s, got)
		}
		cut := TerminalLimit(s, limit)
		if most := max(limit, len(ellipsis(len(s)))); len(cut) > most {
			t.Errorf("TerminalLimit(%+q, %d): %d bytes, want at most %d", s, limit, len(cut), most)
		}
		if whole := Terminal(s); len(whole) <= limit && cut != whole {
			t.Errorf("TerminalLimit(%+q, %d) = %q, want all of it", s, limit, cut)
		} else if before, _, found := strings.Cut(cut, "⟨… "); found && !strings.HasPrefix(whole, before) {
			t.Errorf("TerminalLimit(%+q, %d) = %q is no start of %q", s, limit, cut, whole)
		}
		agrees(t, s)
	})
}

// harmless fails when out holds what a terminal would act on, or what has no
// ink.
func harmless(t *testing.T, name, out string) {
	t.Helper()
	if !utf8.ValidString(out) {
		t.Errorf("%s: output %+q is no UTF-8", name, out)
	}
	marks := 0
	for i, r := range out {
		block := strings.HasPrefix(name, "Block") && (r == '\n' || r == '\t')
		if !block && (!unicode.IsPrint(r) || unicode.In(r, ignorable...)) {
			t.Errorf("%s: output %+q has %U at byte %d", name, out, r, i)
		}
		if marks++; !unicode.In(r, unicode.Mn, unicode.Me) {
			marks = 0
		}
		if marks > maxMarks {
			t.Errorf("%s: output %+q has more than %d marks in a row", name, out, maxMarks)
		}
	}
	if r, _ := utf8.DecodeRuneInString(out); unicode.IsMark(r) {
		t.Errorf("%s: output %+q begins with a mark", name, out)
	}
}

// agrees fails when Findings and Block tell different stories of s.
func agrees(t *testing.T, s string) {
	t.Helper()
	n := 0
	for i, f := range Findings(s) {
		n += f.Count
		if f.Class == plain || f.Count < 1 || f.First < 0 || f.First >= len(s) {
			t.Errorf("Findings(%+q)[%d] = %+v", s, i, f)
		}
		harmless(t, "String", f.String())
	}
	shown := 0
	for _, m := range escaped.FindAllStringSubmatch(Block(s), -1) {
		if n, err := strconv.ParseInt(m[1], 16, 32); err != nil || classify(rune(n)) != bracket {
			shown++
		}
	}
	if n != shown {
		t.Errorf("Findings(%+q) count %d characters, Block shows %d", s, n, shown)
	}
}

func BenchmarkTerminal(b *testing.B) {
	for name, s := range map[string]string{
		"ascii":  strings.Repeat("Reads a file from the disk. ", 40),
		"latin":  strings.Repeat("Liest eine große Datei. ", 40),
		"kanji":  strings.Repeat("ファイルを読み取ります。", 40),
		"hidden": strings.Repeat("a\u200bb\u202e", 200),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			for b.Loop() {
				Terminal(s)
			}
		})
	}
}
