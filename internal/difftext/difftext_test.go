package difftext

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

var update = flag.Bool("update", false, "write the prints of testdata anew")

func parseTools(t testing.TB, list []byte) []fingerprint.Tool {
	t.Helper()
	var raws []json.RawMessage
	if err := json.Unmarshal(list, &raws); err != nil {
		t.Fatal(err)
	}
	tools := make([][]byte, len(raws))
	for i, raw := range raws {
		tools[i] = raw
	}
	parsed, err := fingerprint.ParseTools(tools)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func print(t testing.TB, changes []lineage.ToolChange, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, changes, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// prints are the ways to print that testdata has examples of.
var prints = map[string]Options{
	"plain.txt":   {},
	"width60.txt": {Width: 60},
	"color.txt":   {Color: true},
}

// Each directory of testdata has two lists of tools, old.json and new.json, and
// prints of what changed between them, ESC written as "␛".
//
//	description  words near and far apart, over several lines, wrapped
//	hidden       characters nobody sees, and text that looks like this print
//	nothing      another order of tools, other bytes of the same values
//	schema       paths, elements, sets, texts, values too long for a line
//	tools        tools that came and went, with all that they bring
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata: %d files, %v", len(files), err)
	}
	for _, file := range files {
		dir, base := filepath.Split(file)
		t.Run(filepath.ToSlash(strings.TrimPrefix(file, "testdata")), func(t *testing.T) {
			o, ok := prints[base]
			if !ok {
				t.Fatalf("nobody knows how to print %s", base)
			}
			changes := lineage.Diff(parseTools(t, readFile(t, dir+"old.json")), parseTools(t, readFile(t, dir+"new.json")))
			got := strings.ReplaceAll(print(t, changes, o), "\x1b", "␛")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(readFile(t, file)), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestName(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"read_file", "read_file"},
		{"/properties/a~1b/$ref", "/properties/a~1b/$ref"},
		{"", `""`},
		{"a: new", `"a: new"`},
		{`a": new`, `"a\": new"`},
		{`a\`, `"a\\"`},
		{"naïve", `"naïve"`},
		{"a\n\u202e", `"a⟨U+000A⟩⟨U+202E⟩"`},
		{strings.Repeat("a", 300), `"` + strings.Repeat("a", 176) + `⟨… 124 bytes more⟩"`},
	} {
		if got := name(c.in); got != c.want {
			t.Errorf("name(%q)\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

// What has no sign of its own, or looks like one of ours.
func TestSigns(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"a b", "a\nb", "a[- -]{+⟨U+000A⟩+}b"},
		{"a\tb", "a  b", "a[-⟨U+0009⟩-]{+  +}b"},
		{"a x", "a [-y-]", "a [-x-]{+⟨U+005B⟩-y-⟨U+005D⟩+}"},
		{"a ] b", "a } b", "a [-⟨U+005D⟩-]{+⟨U+007D⟩+} b"},
		{"a [ b", "a { b", "a [-⟨U+005B⟩-]{+⟨U+007B⟩+} b"},
		{"x [a-z_-] [-y-]", "w [a-z_-] [-y-]", "[-x-]{+w+} [a-z_-] ⟨U+005B⟩-y-]"},
	} {
		p := &printer{}
		p.text("", lineage.Words(c.old, c.new))
		if got, want := p.out.String(), "│ "+c.want+"\n"; got != want {
			t.Errorf("%q → %q\n got %swant %s", c.old, c.new, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []span
		want string
	}{
		{"at spaces", []span{{same, "one two three"}}, "│ one two \n┆ three\n"},
		{"a space in the margin", []span{{same, "12345678 90"}}, "│ 12345678 \n┆ 90\n"},
		{"many spaces", []span{{same, "a" + strings.Repeat(" ", 12) + "b"}}, "│ a\n┆         \n┆     b\n"},
		{"a word longer than a line", []span{{same, "12345678901234567890"}}, "│ 12345678\n┆ 90123456\n┆ 7890\n"},
		{"wide characters", []span{{same, "日本語日本語"}}, "│ 日本語日\n┆ 本語\n"},
		{"marks take no room", []span{{same, "e\u0301e\u0301345678 x"}}, "│ e\u0301e\u0301345678 \n┆ x\n"},
		{"escapes stay whole", []span{{same, "ab ⟨U+E0001⟩x"}}, "│ ab \n┆ ⟨U+E0001⟩\n┆ x\n"},
		{"signs on each line", []span{{inserted, "one two three"}, {deleted, "\nx"}}, "│ {+one two +}\n┆ {+three+}\n│ [-x-]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Room for signs is kept where there may be some.
			p := &printer{Options: Options{Width: len("| ") + len("[--]") + 8}}
			p.lay("", "│", c.in, false)
			if diff := cmp.Diff(c.want, p.out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTextIsBounded(t *testing.T) {
	var edits []lineage.Edit
	for range 10_000 {
		edits = append(edits, lineage.Edit{Op: lineage.Delete, Text: "one"}, lineage.Edit{Op: lineage.Insert, Text: "two"}, lineage.Edit{Op: lineage.Equal, Text: " "})
	}
	p := &printer{}
	p.text("", edits)
	if got := p.out.String(); len(got) > 4*maxText || !strings.HasSuffix(got, " more stretches⟩\n") {
		t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-60:])
	}
}

func TestWriteError(t *testing.T) {
	want := errors.New("disk full")
	if err := Write(failing{want}, []lineage.ToolChange{{Name: "a", Kind: lineage.Added}}, Options{}); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestBounds(t *testing.T) {
	long := strings.Repeat("0123456789 ", 20_000)
	tool := func(i int, description, title string) string {
		return fmt.Sprintf(`{"name":"t%d","description":%q,"inputSchema":{"a":%q},"title":%q}`, i, description, description, title)
	}
	list := func(n int, description, title string) []byte {
		var tools []string
		for i := range n {
			tools = append(tools, tool(i, description, title))
		}
		return []byte("[" + strings.Join(tools, ",") + "]")
	}
	t.Run("one tool", func(t *testing.T) {
		got := print(t, lineage.Diff(parseTools(t, list(1, "", "")), parseTools(t, list(1, long, long))), Options{})
		if len(got) > 4*maxText {
			t.Errorf("%d bytes, want at most %d", len(got), 4*maxText)
		}
		if !strings.Contains(got, "bytes more⟩") {
			t.Errorf("%.1000s\ndoes not say that something is missing", got)
		}
	})
	t.Run("many tools", func(t *testing.T) {
		short := long[:8000]
		got := print(t, lineage.Diff(nil, parseTools(t, list(200, short, short))), Options{})
		if len(got) > maxOutput+4*maxText {
			t.Errorf("%d bytes, want at most about %d", len(got), maxOutput)
		}
		if !regexp.MustCompile(`\n⟨… not shown: \d+ tools added⟩\n$`).MatchString(got) {
			t.Errorf("…%s\ndoes not say what is missing", got[len(got)-200:])
		}
	})
	t.Run("many changes", func(t *testing.T) {
		var members []string
		for i := range 300 {
			members = append(members, fmt.Sprintf(`"m%d":%q`, i, long[:1500]))
		}
		new := fmt.Sprintf(`[{"name":"a","inputSchema":{%s}}]`, strings.Join(members, ","))
		got := print(t, lineage.Diff(parseTools(t, []byte(`[{"name":"a","inputSchema":{}}]`)), parseTools(t, []byte(new))), Options{})
		if len(got) > 2*maxTool || !strings.Contains(got, "more changes⟩") {
			t.Errorf("%d bytes, want at most %d, and how many changes are missing", len(got), 2*maxTool)
		}
	})
}

// FuzzWrite: whatever the texts hold, the print holds nothing that acts on a
// terminal, and its lines are ours or stand behind a gutter.
func FuzzWrite(f *testing.F) {
	for _, s := range [][2]string{
		{"Reads a file.", "Reads a file.\n~ other: new"}, {"a [-b-] c", "a {+b+} c"}, {"a\u202eb", "a\u200bb\x1b[2J"},
		{"", "x"}, {"a\tb", "a b"}, {"日本語を読む", "日本語を書く"}, {"a", "a\u0301\u0301\u0301\u0301\u0301\u0301"},
	} {
		f.Add(s[0], s[1], 0, false)
		f.Add(s[0], s[1], 50, true)
	}
	f.Fuzz(func(t *testing.T, old, new string, width int, color bool) {
		change := func(text string) fingerprint.Tool {
			raw, err := json.Marshal(map[string]any{"name": "a", "description": text, "title": text, "inputSchema": map[string]any{"d": text, text: 1}})
			if err != nil {
				t.Fatal(err)
			}
			tool, err := fingerprint.ParseTool(raw)
			if err != nil {
				t.Fatal(err)
			}
			return tool
		}
		changes := lineage.Diff([]fingerprint.Tool{change(old)}, []fingerprint.Tool{change(new)})
		out := print(t, changes, Options{Width: width, Color: color})
		bare := regexp.MustCompile("\x1b\\[[0-9;]+m").ReplaceAllString(out, "")
		if !color && bare != out {
			t.Errorf("colours in a print without them: %q", out)
		}
		for i, r := range bare {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%U at byte %d of %q", r, i, bare)
			}
		}
		for line := range strings.Lines(bare) {
			if !regexp.MustCompile(`^(1 tool |no tool |~ a: |· a: |\n|  [a-z!]|    [-+~%] |    ⟨… | +[-+ ]?[│┆] )`).MatchString(line) {
				t.Errorf("line %q of\n%s", line, bare)
			}
		}
	})
}

// FuzzSigns: what is marked as inserted and deleted can be read back, so no
// text can pretend to have been something else.
func FuzzSigns(f *testing.F) {
	for _, s := range [][2]string{
		{"a [-b-] c", "a {+b+} c"}, {"]", "["}, {"a]", "a["}, {"x {", "x +}"}, {"[- a", "[- b"}, {"-", "]"}, {"+", "}"},
		{"a [", "a [-"}, {"⟨U+005B⟩", "["}, {"a\u202e", "a"}, {"[-[-a", "a-]-]"}, {"{+", "+}{"}, {"a -[-]", "c cb+} "},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, old, new string) {
		if !utf8.ValidString(old) || !utf8.ValidString(new) || len(old)+len(new) > maxContext {
			return // not shortened
		}
		edits := lineage.Words(old, new)
		if whole(edits) != "" || len(edits) == 0 {
			return // no signs
		}
		p := &printer{}
		p.text("", edits)
		var from, to strings.Builder
		for line := range strings.Lines(p.out.String()) {
			line = strings.TrimSuffix(strings.TrimPrefix(line, "│ "), "\n")
			for line != "" {
				op, text, rest := readStretch(line)
				if op != lineage.Insert {
					from.WriteString(unescape(t, text))
				}
				if op != lineage.Delete {
					to.WriteString(unescape(t, text))
				}
				line = rest
			}
		}
		// Line feeds have no sign of their own; a tab is four spaces.
		norm := strings.NewReplacer("\n", "", "\t", "    ").Replace
		if got, want := norm(from.String()), norm(old); got != want {
			t.Errorf("the print of %q → %q reads as from %q:\n%s", old, new, got, p.out.String())
		}
		if got, want := norm(to.String()), norm(new); got != want {
			t.Errorf("the print of %q → %q reads as to %q:\n%s", old, new, got, p.out.String())
		}
	})
}

// readStretch reads a line's first stretch as a reader does: up to the first
// sign that closes it, or, of text without signs, to the next that opens one.
func readStretch(line string) (op lineage.Op, text, rest string) {
	if in, ok := strings.CutPrefix(line, "[-"); ok {
		text, rest, _ = strings.Cut(in, "-]")
		return lineage.Delete, text, rest
	}
	if in, ok := strings.CutPrefix(line, "{+"); ok {
		text, rest, _ = strings.Cut(in, "+}")
		return lineage.Insert, text, rest
	}
	end := len(line)
	for _, sign := range []string{"[-", "{+"} {
		if i := strings.Index(line, sign); i >= 0 {
			end = min(end, i)
		}
	}
	return lineage.Equal, line[:end], line[end:]
}

var escaped = regexp.MustCompile(`⟨U\+([0-9A-F]{4,6})⟩`)

func unescape(t *testing.T, s string) string {
	t.Helper()
	return escaped.ReplaceAllStringFunc(s, func(e string) string {
		n, err := strconv.ParseInt(escaped.FindStringSubmatch(e)[1], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		return string(rune(n))
	})
}
