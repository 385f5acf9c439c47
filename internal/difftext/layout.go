package difftext

import (
	"math"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// tab is what a tab is shown as: its own width would depend on the column.
const tab = "    "

// lay prints spans behind a gutter, wrapped to the width. Where one is longer
// than a line, its sign or colour is closed at the line's end and opened again:
// each line says for itself what it is. all leaves the signs out.
func (p *printer) lay(indent, gutter string, spans []span, all bool) {
	l := layout{p: p, indent: indent, gutter: gutter, plain: all || p.Color, room: math.MaxInt}
	if p.Width > 0 {
		l.room = p.Width - columns(indent+gutter+" ")
		if !l.plain {
			l.room -= len("[-") + len("-]")
		}
	}
	l.start(gutter)
	for _, s := range spans {
		l.style = s.style
		for text := strings.ReplaceAll(s.text, "\t", tab); text != ""; {
			n := piece(text)
			l.put(text[:n])
			text = text[n:]
		}
		l.close()
	}
	p.out.WriteByte('\n')
}

// A layout is the place where the next piece of text goes.
type layout struct {
	p              *printer
	indent, gutter string
	plain          bool // no signs
	room           int  // columns for text on a line
	used           int  // columns used on this one
	style          style
	open           bool // the style's sign or colour is written
}

func (l *layout) start(gutter string) {
	l.p.out.WriteString(l.indent + gutter + " ")
	l.used = 0
}

// wrap ends a line within one of the text.
func (l *layout) wrap() {
	l.close()
	l.p.out.WriteByte('\n')
	l.start(strings.Repeat(" ", columns(l.gutter)-1) + "┆")
}

// put writes one piece: a line feed, spaces, a word, or an escape.
func (l *layout) put(s string) {
	if s == "\n" {
		l.close()
		l.p.out.WriteByte('\n')
		l.start(l.gutter)
		return
	}
	n := columns(s)
	if s == " " {
		n = 0 // may stand in the margin: no line begins with it
	}
	if l.used > 0 && l.used+n > l.room {
		l.wrap()
	}
	// A word longer than a line is broken; an escape stays whole.
	for ; n > l.room && !strings.HasPrefix(s, "⟨"); n = columns(s) {
		k := fitting(s, l.room)
		l.write(s[:k])
		l.wrap()
		s = s[k:]
	}
	l.write(s)
}

var (
	opening = [...]string{inserted: "{+", deleted: "[-"}
	closing = [...]string{inserted: "+}", deleted: "-]"}
	colors  = [...]string{inserted: greenText, deleted: redText}
)

func (l *layout) write(s string) {
	if !l.open && l.style != same {
		switch {
		case l.p.Color:
			l.p.out.WriteString(colors[l.style])
		case !l.plain:
			l.p.out.WriteString(opening[l.style])
		}
		l.open = true
	}
	l.p.out.WriteString(s)
	l.used += columns(s)
}

func (l *layout) close() {
	switch {
	case !l.open:
	case l.p.Color:
		l.p.out.WriteString(reset)
	case !l.plain:
		l.p.out.WriteString(closing[l.style])
	}
	l.open = false
}

// piece returns the length of the first piece of escaped text: a line feed, a
// run of spaces, an escape with its brackets, or a word up to one of these.
func piece(s string) int {
	switch {
	case s[0] == '\n':
		return 1
	case s[0] == ' ':
		return len(s) - len(strings.TrimLeft(s, " "))
	case strings.HasPrefix(s, "⟨"):
		return strings.Index(s, "⟩") + len("⟩")
	}
	if i := strings.IndexAny(s, " \n⟨"); i > 0 {
		return i
	}
	return len(s)
}

// columns returns how many columns of a terminal s takes.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += columnsOf(r)
	}
	return n
}

func columnsOf(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// fitting returns the length of the longest start of s that takes no more than
// room columns, one character at least.
func fitting(s string, room int) int {
	n := 0
	for i, r := range s {
		if n += columnsOf(r); n > room && i > 0 {
			return i
		}
	}
	return len(s)
}
