package escape

import (
	"fmt"
	"strings"
)

// HTML returns text that [Terminal] or [Block] made safe for the eye, for a
// place between two tags of HTML that stands in Markdown:
//
//	<td><code>read_file</code></td>
//
// Nothing in the text is a tag, a comment or a character reference. What
// Markdown (CommonMark, and the dialects of GitHub and GitLab) would read as
// markup is written by number, so that the text stays text also where a renderer
// takes the line for Markdown. Line feeds become <br>, so that no line of the
// output begins with the text: there it could end a block, or be a heading, a
// list, a task, or a command to a bot. Spaces in a row keep their number.
//
// Two things are the caller's. The tags around the text form a block of HTML
// (CommonMark §4.6: one begins with <p>, <ul>, <table>, <details> and ends with
// the first blank line), in which addresses do not become links. And <code> or
// <pre> stands around the text: GitHub and GitLab look for mentions (@name),
// references (#12, !12, a commit's hash) and bare addresses in what has been
// rendered, everywhere but there. The @ and # are written by number all the same,
// against programs that look for them in the source.
//
// Text that nobody made safe for the eye shows its invisible characters by
// number, too; only the brackets of that notation can then be forged.
func HTML(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/4)
	var before byte = ' ' // a line that begins with a space keeps it
	for u := range units(s, lines) {
		text := s[u.offset : u.offset+u.size]
		switch {
		case u.class == bracket:
			b.WriteString(text)
		case u.class != plain:
			b.Write(u.append(nil, s))
		case u.size > 1:
			b.WriteString(text)
		default:
			writeHTML(&b, before, text[0], s[u.offset+1:])
		}
		if before = 0; u.class == plain { // an escape ends with its bracket
			before = text[len(text)-1]
		}
	}
	return b.String()
}

// writeHTML writes one ASCII character that stands between before and rest.
func writeHTML(b *strings.Builder, before, c byte, rest string) {
	switch {
	case c == '\n':
		b.WriteString("<br>")
	case c == '\t':
		b.WriteString("&#160;&#160;&#160;&#160;")
	case c == ' ' && (before == ' ' || before == '\n' || before == '\t'):
		b.WriteString("&#160;")
	case isMarkup(before, c, rest):
		fmt.Fprintf(b, "&#%d;", c)
	default:
		b.WriteByte(c)
	}
}

// isMarkup says whether c may be markup between before and rest. What is much used
// in JSON and in names stays readable: an underscore within a word, and a colon
// that no address follows.
func isMarkup(before, c byte, rest string) bool {
	switch c {
	case '&', '<', '>', '`', '*', '[', ']', '\\', '|', '~', '$', '^', '@', '#', '!', '%':
		return true
	case '_':
		return !isWord(before) || rest == "" || !isWord(rest[0])
	case ':': // a scheme, or the name of an emoji
		return isWord(before) || rest != "" && (rest[0] == '/' || isWord(rest[0]))
	case '.': // www.
		return before == 'w' || before == 'W'
	}
	return false
}

// isWord says whether c is a letter or digit of ASCII. Other characters may be
// either, and count as what leads to an escape.
func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
