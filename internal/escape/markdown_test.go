package escape

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

func TestHTML(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"plain text, of 12 words.", "plain text, of 12 words."},
		{"read_file", "read_file"},
		{"_a_", "&#95;a&#95;"},
		{`{"type":"string","n":[1.5]}`, `{"type":"string","n":&#91;1.5&#93;}`},
		{"</code><script>", "&#60;/code&#62;&#60;script&#62;"},
		{"<!-- -->", "&#60;&#33;-- --&#62;"},
		{"&lt;", "&#38;lt;"},
		{"@octocat #12 !12 %1 ~x $x$ ^1", "&#64;octocat &#35;12 &#33;12 &#37;1 &#126;x &#36;x&#36; &#94;1"},
		{"[x](https://evil.example)", "&#91;x&#93;(https&#58;//evil.example)"},
		{"WWW.evil.example :tada: mailto:a@b.c", "WWW&#46;evil.example &#58;tada&#58; mailto&#58;a&#64;b.c"},
		{"`a` **b** a|b a\\b", "&#96;a&#96; &#42;&#42;b&#42;&#42; a&#124;b a&#92;b"},
		{"a\n\n# b\n- [ ] c", "a<br><br>&#35; b<br>- &#91; &#93; c"},
		{"a\n  b\tc  d ", "a<br>&#160;&#160;b&#160;&#160;&#160;&#160;c &#160;d "},
		{" a", "&#160;a"},
		{Terminal("a\u202eb⟨"), "a⟨U+202E⟩b⟨U+27E8⟩"},
		{"a\u202eb\xff\r\n", "a⟨U+202E⟩b⟨0xFF⟩⟨U+000D⟩<br>"},
		{"naïve_ß 👩\u200d💻", "naïve&#95;ß 👩⟨U+200D⟩💻"},
		{"\xff_a_\u200b_b", "⟨0xFF⟩&#95;a&#95;⟨U+200B⟩&#95;b"},
	} {
		if got := HTML(c.in); got != c.want {
			t.Errorf("HTML(%q)\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

// attacks are texts that would be something else in Markdown, HTML, or the
// dialects of GitHub and GitLab.
var attacks = []string{
	"# heading", "\n\n# heading\n\n", "a\n===", "- [x] done", "\n- [x] done", "1. a", "> quote", "```\ncode\n```", "~~~\n", "    code",
	"[a](https://evil.example)", "![a](https://evil.example/x.png)", "[a]: https://evil.example\n\n[a]", "[[a]]", "[^1]\n\n[^1]: x",
	"https://evil.example", "<https://evil.example>", "www.evil.example", "WWW.evil.example", "a@evil.example", "mailto:a@evil.example", "xmpp:a@evil.example", "ftp://evil.example",
	"</code></td></tr></table>\n\n# heading", "</details>", "</summary>", "<script>", "<img src=x>", "<!--", "-->", "<![CDATA[", "<?", "</pre>",
	"&lt;script&gt;", "&#64;octocat", "&#x40;octocat", "\\<b>", "`</code>`", "`` ` ``",
	"@octocat", "@github/security", "#12", "!12", "GH-12", "octocat/hello#12", "%\"v1\"", "~bug", "$12", "&1", "^alert#1", ":tada:", "$x$", "$$x$$", "$`x`$",
	"| a | b |\n|---|---|\n| c | d |", "a | b", "a \\| b", "---", "***", "___", "*a*", "**a**", "_a_", "__a__", "~~a~~", "~a~",
	"/close", "\n/close\n", "@dependabot merge", "{{ x }}", "{% x %}", "$(x)", "##[error]x", "::error::x", "\r# x", "\u2028# x", "a  \nb", "a\\\nb", "\x00", "\v\f",
}

var markdown = goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote, extension.DefinitionList))

var reference = regexp.MustCompile(`<br>|&#[0-9]{2,3};`)

func FuzzHTML(f *testing.F) {
	for _, s := range append(attacks, seeds...) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := HTML(s)
		if rest := reference.ReplaceAllString(out, ""); strings.ContainsAny(rest, "<>&`*[]\\|~$^@#!%\n\r\t") {
			t.Errorf("HTML(%+q) = %q", s, out)
		}
		harmless(t, "HTML", out)
		// What is read is what Block shows.
		safe := Block(s)
		read := strings.NewReplacer("<br>", "\n").Replace(HTML(safe))
		read = html.UnescapeString(read)
		want := strings.ReplaceAll(safe, "\t", "    ")
		if got := strings.ReplaceAll(read, "\u00a0", " "); got != want {
			t.Errorf("HTML(Block(%+q)) reads %q, want %q", s, got, want)
		}
		for _, frame := range []string{"<p><code>%</code></p>\n\n# ours\n", "some <code>%</code> text\n\n# ours\n", "- some <code>%</code> text\n\n# ours\n"} {
			onlyText(t, strings.Replace(frame, "%", out, 1))
		}
	})
}

// onlyText fails when a document has any other node than the frames above have.
func onlyText(t *testing.T, document string) {
	t.Helper()
	source := []byte(document)
	headings := 0
	err := ast.Walk(markdown.Parser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			headings++
		case *ast.Document, *ast.Paragraph, *ast.Text, *ast.String, *ast.HTMLBlock, *ast.List, *ast.ListItem, *ast.TextBlock:
		case *ast.RawHTML:
			for i := range n.Segments.Len() {
				segment := n.Segments.At(i)
				if tag := string(segment.Value(source)); tag != "<code>" && tag != "</code>" && tag != "<br>" {
					t.Errorf("%q: tag %s", document, tag)
				}
			}
		default:
			t.Errorf("%q: %s", document, n.Kind())
		}
		return ast.WalkContinue, nil
	})
	if err != nil || headings != 1 {
		t.Errorf("%q: %d headings, want ours, %v", document, headings, err)
	}
}

func BenchmarkHTML(b *testing.B) {
	s := strings.Repeat(`{"type":"string","description":"The file to read, as a path below the root."} `, 40)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		HTML(s)
	}
}
