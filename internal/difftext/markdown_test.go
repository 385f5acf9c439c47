package difftext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
)

// releases are the two sides of a directory of testdata/classes: tools, and for
// each of them what it declares.
type releases struct {
	Version string          `json:"version"`
	Tools   json.RawMessage `json:"tools"`
	Effects map[string]struct {
		SideEffects  seal.SideEffects  `json:"side_effects"`
		Capabilities []seal.Capability `json:"capabilities_required"`
	} `json:"effects"`
}

func readRelease(t testing.TB, file string) (string, lineage.Side) {
	t.Helper()
	var r releases
	if err := json.Unmarshal(readFile(t, file), &r); err != nil {
		t.Fatal(err)
	}
	side := lineage.Side{Tools: parseTools(t, r.Tools)}
	if r.Effects != nil {
		side.Manifest = &seal.Manifest{}
		for _, tool := range side.Tools {
			e := r.Effects[tool.Name]
			side.Manifest.Tools = append(side.Manifest.Tools, seal.Tool{Name: tool.Name, SideEffects: e.SideEffects, Capabilities: e.Capabilities})
		}
	}
	return r.Version, side
}

// reportOf compares two sides as the command line does.
func reportOf(oldVersion, newVersion string, old, new lineage.Side) Report {
	r := Report{Old: "acme " + oldVersion, New: "acme " + newVersion, Classes: lineage.Classify(old, new)}
	if r.Classes.Snapshots {
		r.Words = lineage.Diff(old.Tools, new.Tools)
	}
	if old.Manifest != nil && new.Manifest != nil {
		r.Flags = map[string]lineage.Flags{}
		for i := range new.Manifest.Tools {
			tool := &new.Manifest.Tools[i]
			at := slices.IndexFunc(old.Manifest.Tools, func(t seal.Tool) bool { return t.Name == tool.Name })
			var previous *seal.Tool
			if at >= 0 {
				previous = &old.Manifest.Tools[at]
			}
			r.Flags[tool.Name] = lineage.FlagsOf(previous, tool)
		}
	}
	r.Violations = lineage.Gate(r.Classes, oldVersion, newVersion)
	return r
}

func markdownOf(t testing.TB, r Report, o MarkdownOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := Markdown(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func classesOf(t testing.TB, r Report, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := errors.Join(WriteViolations(&b, r.Violations, o), WriteClasses(&b, r.Classes, o)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Each directory of testdata/classes has two releases, old.json and new.json, and
// what is written of them.
//
//	patch   everything that a reviewer must see, in what calls itself a patch
//	hidden  texts that would be markup, mentions, or nothing to the eye
//	rename  a tool under another name, and nothing else
//	none    no change
func TestClassesGolden(t *testing.T) {
	dirs, err := filepath.Glob("testdata/classes/*")
	if err != nil || len(dirs) < 4 {
		t.Fatalf("%d directories, %v", len(dirs), err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			oldVersion, old := readRelease(t, filepath.Join(dir, "old.json"))
			newVersion, new := readRelease(t, filepath.Join(dir, "new.json"))
			r := reportOf(oldVersion, newVersion, old, new)
			for base, got := range map[string]string{
				"classes.txt": classesOf(t, r, Options{}),
				"color.txt":   strings.ReplaceAll(classesOf(t, r, Options{Color: true}), "\x1b", "␛"),
				"report.md":   markdownOf(t, r, MarkdownOptions{}),
				"short.md":    markdownOf(t, r, MarkdownOptions{Limit: minLimit, Whole: "mcp-integrity diff old.json new.json"}),
			} {
				file := filepath.Join(dir, base)
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(string(readFile(t, file)), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", base, diff)
				}
				if strings.HasSuffix(base, ".md") {
					onlyOurs(t, got)
				}
			}
		})
	}
}

// Without manifests there are no flags; without snapshots no words.
func TestWhatIsMissing(t *testing.T) {
	_, old := readRelease(t, "testdata/classes/patch/old.json")
	_, new := readRelease(t, "testdata/classes/patch/new.json")
	snapshots := markdownOf(t, reportOf("1", "2", lineage.Side{Tools: old.Tools}, lineage.Side{Tools: new.Tools}), MarkdownOptions{})
	if strings.Contains(snapshots, "Flags") || !strings.Contains(snapshots, "In words") {
		t.Errorf("of snapshots:\n%s", snapshots)
	}
	r := reportOf("1", "2", lineage.Side{Manifest: old.Manifest}, lineage.Side{Manifest: new.Manifest})
	manifests := markdownOf(t, r, MarkdownOptions{})
	if !strings.Contains(manifests, "Flags") || strings.Contains(manifests, "In words") || !strings.Contains(manifests, "by their digests") {
		t.Errorf("of manifests:\n%s", manifests)
	}
	if text := classesOf(t, r, Options{}); !strings.Contains(text, "by their digests") {
		t.Errorf("of manifests:\n%s", text)
	}
}

func TestClause(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"adds the tool", "adds the tool"},
		{`adds the required parameter "a@b"`, `adds the required parameter <code>"a&#64;b"</code>`},
		{`takes "a" and "b\"c", not 12`, `takes <code>"a"</code> and <code>"b&#92;"c"</code>, not 12`},
		{`takes "a`, `<code>takes "a</code>`},
		{`by @octocat "a"`, `<code>by &#64;octocat "a"</code>`},
		{"by @octocat", "<code>by &#64;octocat</code>"},
		{"see #12", "<code>see &#35;12</code>"},
		{"see GH-12", "<code>see GH-12</code>"},
		{"from 12345678 to 2", "<code>from 12345678 to 2</code>"},
		{"from deadbeef", "<code>from deadbeef</code>"},
		{"www.evil.example", "<code>www&#46;evil.example</code>"},
		{"mailto:x", "<code>mailto&#58;x</code>"},
		{"<b>", "<code>&#60;b&#62;</code>"},
		{"a\nb", "<code>a⟨U+000A⟩b</code>"},
	} {
		if got := clause(c.in); got != c.want {
			t.Errorf("clause(%q)\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

var (
	parser = goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote)).Parser()
	tag    = regexp.MustCompile(`<[^>]*>`)
	known  = regexp.MustCompile(`^<(/?(p|b|ul|li|table|tr|th|td|code|ins|del|details|summary|blockquote)|br|td colspan="5")>$`)
	// Outside of <code> there are our own words. A digit in a row of seven could be
	// a commit.
	word = regexp.MustCompile(`^[A-Za-z0-9 ,.;:()→…⟨⟩\n_-]*$`)
)

// onlyOurs fails where a report has a heading, a tag, or a word outside of <code>
// that we did not write.
func onlyOurs(t testing.TB, document string) {
	t.Helper()
	source := []byte(document)
	for n := parser.Parse(text.NewReader(source)).FirstChild(); n != nil; n = n.NextSibling() {
		lines := string(n.Lines().Value(source))
		switch n := n.(type) {
		case *ast.Heading:
			for c := n.FirstChild(); c != nil; c = c.NextSibling() {
				if c.Kind() != ast.KindText || !word.MatchString(lines) {
					t.Errorf("heading %q: %s", lines, c.Kind())
				}
			}
		case *ast.HTMLBlock:
			balanced(t, lines)
		default:
			t.Errorf("%s: %q", n.Kind(), lines)
		}
	}
	if strings.Contains(document, "@") || strings.Contains(document, "#[") {
		t.Errorf("there is an @ or #[ in it")
	}
}

// balanced fails where a block's tags are not ours, or do not pair.
func balanced(t testing.TB, block string) {
	t.Helper()
	var open []string
	at, inCode := 0, 0
	check := func(text string) {
		if inCode == 0 && !word.MatchString(text) {
			t.Errorf("%q stands outside of <code>", text)
		}
		if strings.ContainsAny(text, "<>`") {
			t.Errorf("%q has markup", text)
		}
	}
	for _, p := range tag.FindAllStringIndex(block, -1) {
		check(block[at:p[0]])
		name := block[p[0]:p[1]]
		at = p[1]
		closed, closes := strings.CutPrefix(name, "</")
		switch {
		case !known.MatchString(name):
			t.Errorf("tag %q", name)
		case name == "<br>":
		case !closes:
			open = append(open, strings.TrimSuffix(strings.Fields(name[1:])[0], ">"))
		case len(open) == 0 || open[len(open)-1]+">" != closed:
			t.Fatalf("%s closes %q", name, open)
		default:
			open = open[:len(open)-1]
		}
		inCode = 0
		if slices.Contains(open, "code") {
			inCode = 1
		}
	}
	if check(block[at:]); len(open) > 0 {
		t.Errorf("%q is not closed", open)
	}
}

// FuzzMarkdown: whatever stands in names, texts, schemas and versions, nothing in
// the report is the tool's but text in <code>, and the report stays in its bound.
func FuzzMarkdown(f *testing.F) {
	for _, s := range []string{
		"", "plain", "</code></td></tr></table>\n\n# heading", "</details>\n\n- [x] done", "[a](https://evil.example)", "@octocat #12 GH-12 deadbeef00",
		"\n\n/close\n\n", "<!--", "a\u202eb\u200b", "a|b\\|c", "`", "\"quoted\\\"", "https://evil.example www.evil.example a@evil.example", "\r\n\r\n# x", "\xff\x00",
		"1.0.0", "-->", "&#64;octocat", strings.Repeat("<", 3000), strings.Repeat("a b\n", 2000),
	} {
		f.Add(s, "other "+s, 5000)
	}
	f.Fuzz(func(t *testing.T, a, b string, limit int) {
		tool := func(name, s string) map[string]any {
			return map[string]any{
				"name": name, "description": s, "title": s, "annotations": map[string]any{"title": s, s: true},
				"inputSchema": map[string]any{"type": "object", "required": []string{s}, "properties": map[string]any{s: map[string]any{"enum": []any{s, len(s)}, "description": s, "default": s}}},
			}
		}
		side := func(tools ...map[string]any) lineage.Side {
			list, err := json.Marshal(tools)
			if err != nil {
				t.Fatal(err)
			}
			s := lineage.Side{Tools: parseTools(t, list), Manifest: &seal.Manifest{}}
			for i, tool := range s.Tools {
				s.Manifest.Tools = append(s.Manifest.Tools, seal.Tool{Name: tool.Name, SideEffects: seal.SideEffects{
					NetworkEgress: i == 0, NetworkEndpoints: []string{tool.Description}, Reads: []string{tool.Description}}})
			}
			return s
		}
		old := side(tool("same", a), tool("gone"+a, a))
		new := side(tool("same", b), tool("new"+b, b))
		r := reportOf(a, b, old, new)
		out := markdownOf(t, r, MarkdownOptions{Limit: limit % 100_000, Whole: a})
		most := max(limit%100_000, minLimit)
		if limit%100_000 == 0 {
			most = DefaultLimit
		}
		if len(out) > most {
			t.Errorf("%d bytes, want at most %d", len(out), most)
		}
		onlyOurs(t, out)
		if want := "## Tool changes: " + weigh(r.Classes); !strings.HasPrefix(out, want+"\n") {
			t.Errorf("got %.100q, want %q", out, want)
		}
		text := classesOf(t, r, Options{})
		if text != strings.ToValidUTF8(text, "?") || strings.ContainsAny(text, "\x1b\r\u202e\u200b") {
			t.Errorf("for the terminal: %q", text)
		}
	})
}

// many are n tools, each with a schema of m members; n and m make up the texts.
func many(t testing.TB, n, m int, text string) lineage.Side {
	t.Helper()
	tools := make([]map[string]any, n)
	for i := range tools {
		properties := map[string]any{}
		for k := range m {
			properties[fmt.Sprintf("p%d", k)] = map[string]any{"type": "string", "description": text, "maxLength": len(text)}
		}
		tools[i] = map[string]any{"name": fmt.Sprintf("tool%d", i), "description": fmt.Sprint("The tool does ", text, " for ", i),
			"inputSchema": map[string]any{"type": "object", "properties": properties}}
	}
	list, err := json.Marshal(tools)
	if err != nil {
		t.Fatal(err)
	}
	return lineage.Side{Tools: parseTools(t, list)}
}

// TestMarkdownLimit: what does not fit is counted.
func TestMarkdownLimit(t *testing.T) {
	r := reportOf("1.0.0", "1.0.1", many(t, 300, 5, "much"), many(t, 300, 5, "less"+strings.Repeat("<", 50)))
	rows, texts := regexp.MustCompile(`<tr><td>`), regexp.MustCompile(`<p><b><code>tool`)
	for _, limit := range []int{0, 1, 5000, 20_000, 65_000, 200_000} {
		out := markdownOf(t, r, MarkdownOptions{Limit: limit, Whole: "the log"})
		if most := max(limit, minLimit); limit > 0 && len(out) > most || len(out) > max(DefaultLimit, limit) {
			t.Errorf("limit %d: got %d bytes", limit, len(out))
		}
		onlyOurs(t, out)
		shown := len(rows.FindAllString(out, -1))
		var notRows, notTexts int
		if _, err := fmt.Sscanf(out[strings.LastIndex(out, "room: "):], "room: %d changes and the words of %d tools; all of it: <code>the log</code>.", &notRows, &notTexts); err != nil {
			t.Fatalf("limit %d: %v in %q", limit, err, out[max(0, len(out)-200):])
		}
		if shown+notRows != len(r.Classes.Changes)+r.Classes.More {
			t.Errorf("limit %d: %d changes are shown and %d are not, of %d", limit, shown, notRows, len(r.Classes.Changes))
		}
		if shown := len(texts.FindAllString(out, -1)); shown+notTexts != len(r.Words) {
			t.Errorf("limit %d: the words of %d tools are shown and of %d are not, of %d", limit, shown, notTexts, len(r.Words))
		}
	}
}

// The changes of one tool are bounded in number and in bytes, and counted.
func TestOneTool(t *testing.T) {
	for name, text := range map[string]string{"many": "x", "long": strings.Repeat("< ", 3000)} {
		t.Run(name, func(t *testing.T) {
			r := reportOf("1.0.0", "1.0.1", many(t, 1, 300, "much"), many(t, 1, 300, text))
			if r.Classes.More == 0 {
				t.Fatal("there are not enough changes")
			}
			out := markdownOf(t, r, MarkdownOptions{Limit: 1 << 20})
			if rows := strings.Count(out, "<tr><td>"); rows != maxRows+1 {
				t.Errorf("%d rows, want %d and their count", rows, maxRows)
			}
			left := len(r.Classes.Changes) - maxRows
			for _, want := range []string{fmt.Sprintf("<td>and %d more changes</td>", left), fmt.Sprintf("room: %d changes.", left+r.Classes.More)} {
				if !strings.Contains(out, want) {
					t.Errorf("got %.2000s, want %q in it", out, want)
				}
			}
			details := out[strings.Index(out, "<details>"):]
			items := strings.Count(details, "<li>") - 1
			if items > maxItems || name == "many" && items != maxItems || len(details) > maxToolWords {
				t.Errorf("%d changes in %d bytes", items, len(details))
			}
			if want := fmt.Sprintf("<li>and %d more changes</li>", len(r.Words[0].Schema)+r.Words[0].SchemaMore-items); !strings.Contains(details, want) {
				t.Errorf("got %.200s, want %q in it", details, want)
			}
		})
	}
}

// What a change is said in has been escaped, and is again: it may have come as a
// file.
func TestForeignClause(t *testing.T) {
	c := lineage.ClassChange{Tool: "a\x1b[0m", Class: lineage.ToolAdded, Weight: lineage.Addition, Text: "adds\x1b[31m\n@octocat <b>"}
	r := Report{Classes: lineage.Classes{Changes: []lineage.ClassChange{c}}, Violations: []lineage.Violation{{Tool: c.Tool, Change: c, Version: "1\x1b @octocat"}}}
	if text := classesOf(t, r, Options{}); strings.Contains(text, "\x1b") || strings.Contains(text, "\n@") {
		t.Errorf("got %q", text)
	}
	onlyOurs(t, markdownOf(t, r, MarkdownOptions{}))
}

// One tool with a flood of changes leaves room for the others.
func TestNoToolTakesAll(t *testing.T) {
	flood := strings.Repeat("<&>", 500)
	old, new := many(t, 1, 400, "a"), many(t, 1, 400, flood)
	more := many(t, 5, 2, "b")
	old.Tools = append(old.Tools, more.Tools[1:]...)
	new.Tools = append(new.Tools, many(t, 5, 2, "c").Tools[1:]...)
	out := markdownOf(t, reportOf("1.0.0", "2.0.0", old, new), MarkdownOptions{})
	for i := range 5 {
		if !strings.Contains(out, fmt.Sprintf("<p><b><code>tool%d</code></b>", i)) {
			t.Errorf("nothing is said of tool%d", i)
		}
	}
}

// What GitHub shows for a text is the text.
func TestTextIsWhole(t *testing.T) {
	const text = "a  <b>&amp; \"c\"\n\td_e"
	got := html.UnescapeString(strings.NewReplacer("<br>", "\n", "<code><ins>", "", "</ins></code>", "").Replace(edits([]lineage.Edit{{Op: lineage.Insert, Text: text}})))
	if want := "a \u00a0<b>&amp; \"c\"\n\u00a0\u00a0\u00a0\u00a0d_e"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWriterFails(t *testing.T) {
	r := reportOf("1.0.0", "1.0.1", many(t, 3, 2, "a"), many(t, 2, 3, "b"))
	full := failing{errors.New("disk full")}
	for name, err := range map[string]error{
		"Markdown": Markdown(full, r, MarkdownOptions{}), "WriteClasses": WriteClasses(full, r.Classes, Options{}),
		"WriteViolations": WriteViolations(full, r.Violations, Options{}),
	} {
		if !errors.Is(err, full.err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func BenchmarkMarkdown(b *testing.B) {
	r := reportOf("1.0.0", "1.0.1", many(b, 500, 10, "much"), many(b, 500, 10, "less"))
	for b.Loop() {
		markdownOf(b, r, MarkdownOptions{})
	}
}

// BenchmarkDiff is all that diff does with two servers of 500 tools, but read them.
func BenchmarkDiff500(b *testing.B) {
	old, new := many(b, 500, 10, "much"), many(b, 500, 10, "less")
	for b.Loop() {
		markdownOf(b, reportOf("1.0.0", "1.0.1", old, new), MarkdownOptions{})
	}
}
