package difftext

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/lineage"
)

// A style is how a stretch of text is shown.
type style byte

const (
	same style = iota
	inserted
	deleted
)

// A span is escaped text of one style.
type span struct {
	style style
	text  string
}

// whole says of a text that came or went as a whole that it did: it is printed
// without signs.
func whole(edits []lineage.Edit) string {
	switch {
	case len(edits) != 1:
		return ""
	case edits[0].Op == lineage.Insert:
		return ": new"
	case edits[0].Op == lineage.Delete:
		return ": gone"
	}
	return ""
}

// text prints edits behind a gutter.
func (p *printer) text(indent string, edits []lineage.Edit) {
	all := whole(edits) != ""
	p.lay(indent, "│", p.spans(edits, all), all)
}

// spans escapes the edits and cuts what is long. all says that one edit is the
// whole text.
func (p *printer) spans(edits []lineage.Edit, all bool) []span {
	var spans []span
	room, stretch := maxText, cmp.Or(p.stretch, maxStretch)
	if all {
		stretch = cmp.Or(p.stretch, maxText)
	}
	for i, e := range edits {
		s := span{text: escape.BlockLimit(e.Text, stretch)}
		switch e.Op {
		case lineage.Insert:
			s.style = inserted
		case lineage.Delete:
			s.style = deleted
		default:
			s.text = around(e.Text, i > 0, i < len(edits)-1)
		}
		if s.style != same && strings.Trim(e.Text, " \t\n") == "" {
			s.text = escape.TerminalLimit(e.Text, maxStretch) // else nobody sees what changed
		}
		if !p.Color && !all {
			s.text = unsign(s.text, s.style)
		}
		if room -= len(s.text); room < 0 {
			return append(spans, span{text: fmt.Sprintf(" ⟨… %d more stretches⟩", len(edits)-i)})
		}
		spans = append(spans, s)
	}
	return spans
}

// around shortens unchanged text to what stands next to the change before it
// and the change behind it.
func around(s string, before, behind bool) string {
	head, tail := 0, len(s)
	if before {
		head = contextEnd(s)
	}
	if behind {
		tail = contextStart(s)
	}
	if tail-head < maxContext/2 { // the note would be as long as the text
		return escape.Block(s)
	}
	return escape.Block(s[:head]) + fmt.Sprintf("⟨… %d bytes unchanged⟩", tail-head) + escape.Block(s[tail:])
}

// contextEnd returns where to end the text behind a change: after a word, or
// after a character where there is no short word.
func contextEnd(s string) int {
	if len(s) <= maxContext {
		return len(s)
	}
	if i := strings.LastIndexAny(s[:maxContext], " \n"); i > maxContext/2 {
		return i + 1
	}
	return character(s, maxContext)
}

// contextStart returns where to start the text before a change.
func contextStart(s string) int {
	if len(s) <= maxContext {
		return 0
	}
	from := len(s) - maxContext
	if i := strings.IndexAny(s[from:], " \n"); i >= 0 && i < maxContext/2 {
		return from + i
	}
	return character(s, from)
}

// character returns the start of the character, with its marks, that byte i of
// s belongs to. A base is never shown without its marks, but where there are
// more of them than a reader could see.
func character(s string, i int) int {
	for least := max(0, i-maxContext/2); i > least; i-- {
		if r, _ := utf8.DecodeRuneInString(s[i:]); utf8.RuneStart(s[i]) && !unicode.IsMark(r) {
			break
		}
	}
	return i
}

var (
	openers = strings.NewReplacer("[-", "⟨U+005B⟩-", "{+", "⟨U+007B⟩+")
	closers = strings.NewReplacer("-]", "-⟨U+005D⟩", "+}", "+⟨U+007D⟩")
)

// unsign shows by number the brackets of a text that would read as our signs.
// Unchanged text keeps its closing ones: without an opening one they close
// nothing, and "-]" is common in the patterns of schemas.
func unsign(s string, st style) string {
	if st == same {
		return openers.Replace(s)
	}
	s = openers.Replace(closers.Replace(s)) // in two passes: "[-]" has both
	first, last := "]", "["
	if st == inserted {
		first, last = "}", "{"
	}
	if rest, ok := strings.CutPrefix(s, first); ok {
		s = fmt.Sprintf("⟨U+%04X⟩", first[0]) + rest
	}
	if rest, ok := strings.CutSuffix(s, last); ok {
		s = rest + fmt.Sprintf("⟨U+%04X⟩", last[0])
	}
	return s
}
