// Package difftext prints for a person what changed between two lists of tools.
//
//	2 tools changed, 1 added
//
//	~ read_file: description, input_schema
//	  ! description: U+202E RIGHT-TO-LEFT OVERRIDE (bidirectional control), once, at byte 12
//	  description
//	    │ Reads a file from the [-disk-]{+disk and sends ⟨U+202E⟩it+}. ⟨… 812 bytes unchanged⟩
//	  input_schema
//	    + /properties/mode: {"type":"string"}
//	    ~ /properties/path/type: "string" → ["string","null"]
//	    ~ /properties/path/description
//	      │ The file to [-read-]{+send+}.
//
// Signs: "~" changed, "+" added, "-" removed, "%" the same elements in another
// order, "·" a tool of which only what no fingerprint covers has changed, "!" a
// warning. A text's own lines stand behind "│", their continuations, where they
// were wrapped, behind "┆".
//
// The texts are a stranger's, and the reader decides by this print. So nothing
// in them can pass for ours: all are escaped by package escape, whose brackets
// ⟨ ⟩ a text cannot have; names that are not plain are quoted; lines stand
// behind a gutter; and where a text holds one of the signs [- -] {+ +}, its
// bracket is shown by number. In colour (red and struck out, green and
// underlined, so that spaces show as well) those signs are left out.
//
// [WriteClasses] says what the changes mean, and [Markdown] says both in a pull
// request.
//
// The print is bounded: long stretches, many changes and many tools are cut, and
// it says each time how much is missing. The whole is in the JSON form of
// lineage.ToolChange.
package difftext

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// Bounds in bytes of output. A print is read by a person: what is longer than
// this is not read, and CI systems cut logs themselves, without saying so.
const (
	maxOutput  = 1 << 20  // all tools; the rest is counted
	maxTool    = 64 << 10 // the schema changes of one tool; the rest is counted
	maxText    = 16 << 10 // one text with its edits
	maxStretch = 4 << 10  // one inserted or deleted stretch
	maxValue   = 2 << 10  // one JSON value over several lines
	maxInline  = 200      // one JSON value, name or path on a line
	maxCompact = 60       // a JSON value that is not spread over lines
	maxContext = 80       // unchanged text on each side of a change
	maxWarn    = 8        // warnings for one tool; the rest is counted
)

// Options are how to print. The zero value is plain text, unwrapped.
type Options struct {
	// Color uses terminal colours for what was inserted and deleted, in place
	// of the signs [-old-]{+new+}.
	Color bool
	// Width wraps a text's lines at so many columns; 0 does not wrap. Fewer
	// than 40 count as 40.
	Width int
}

// Write prints the changes, as [lineage.Diff] returns them, to w. The error is
// that of w.
func Write(w io.Writer, changes []lineage.ToolChange, o Options) error {
	p := &printer{Options: o}
	if p.Width > 0 {
		p.Width = max(p.Width, 40)
	}
	p.line("", p.bold(summary(changes)))
	for i := range changes {
		if p.written += p.out.Len(); p.written > maxOutput {
			p.line("", "")
			p.line("", fmt.Sprintf("⟨… not shown: %s⟩", summary(changes[i:])))
			break
		}
		if _, err := p.out.WriteTo(w); err != nil {
			return err
		}
		p.tool(&changes[i])
	}
	_, err := p.out.WriteTo(w)
	return err
}

// summary counts the changes: "2 tools changed, 1 added".
func summary(changes []lineage.ToolChange) string {
	count := map[lineage.Kind]int{}
	for _, c := range changes {
		count[c.Kind]++
	}
	var parts []string
	for _, k := range []struct {
		kind lineage.Kind
		text string
	}{
		{lineage.Changed, "changed"},
		{lineage.Added, "added"},
		{lineage.Removed, "removed"},
		{lineage.Unsealed, "changed only where no fingerprint covers it"},
	} {
		switch n := count[k.kind]; {
		case n == 0:
		case len(parts) > 0:
			parts = append(parts, fmt.Sprintf("%d %s", n, k.text))
		case n == 1:
			parts = append(parts, "1 tool "+k.text)
		default:
			parts = append(parts, fmt.Sprintf("%d tools %s", n, k.text))
		}
	}
	if parts == nil {
		return "no tool changed"
	}
	return strings.Join(parts, ", ")
}

// A printer holds the print of one tool until it is written.
type printer struct {
	Options
	out     bytes.Buffer
	written int
	stretch int // bounds an inserted or deleted stretch; 0 is maxStretch
}

// line writes one line of ours. Parts of a stranger's text in it are escaped.
func (p *printer) line(indent, text string) {
	p.out.WriteString(indent)
	p.out.WriteString(text)
	p.out.WriteByte('\n')
}

var signs = map[lineage.Kind]string{
	lineage.Added:     "+",
	lineage.Removed:   "-",
	lineage.Changed:   "~",
	lineage.Reordered: "%",
	lineage.Unsealed:  "·",
}

func (p *printer) sign(k lineage.Kind) string {
	switch k {
	case lineage.Added:
		return p.paint(green, signs[k])
	case lineage.Removed:
		return p.paint(red, signs[k])
	}
	return signs[k]
}

func (p *printer) tool(c *lineage.ToolChange) {
	p.line("", "")
	p.line(p.sign(c.Kind)+" ", p.bold(name(c.Name))+title(c))
	p.warn(c)
	if len(c.Description) > 0 {
		p.line("  ", string(fingerprint.Description)+whole(c.Description))
		p.text("    ", c.Description)
	}
	end := p.out.Len() + maxTool
	var component fingerprint.Component
	for i := range c.Schema {
		if p.out.Len() > end {
			p.more("    ", len(c.Schema)-i)
			break
		}
		if s := &c.Schema[i]; s.Component != component {
			component = s.Component
			p.line("  ", string(component))
		}
		p.change("    ", &c.Schema[i])
	}
	p.more("    ", c.SchemaMore)
	p.unsealed(c)
}

func (p *printer) unsealed(c *lineage.ToolChange) {
	if len(c.Unsealed) == 0 {
		return
	}
	p.line("  ", "not covered by the fingerprint")
	end := p.out.Len() + maxTool
	for i := range c.Unsealed {
		if p.out.Len() > end {
			p.more("    ", len(c.Unsealed)-i)
			break
		}
		p.change("    ", &c.Unsealed[i])
	}
	p.more("    ", c.UnsealedMore)
}

// more says how many changes are left out.
func (p *printer) more(indent string, n int) {
	switch {
	case n == 1:
		p.line(indent, "⟨… 1 more change⟩")
	case n > 1:
		p.line(indent, fmt.Sprintf("⟨… %d more changes⟩", n))
	}
}

// title says what happened to a tool, behind its name.
func title(c *lineage.ToolChange) string {
	switch c.Kind {
	case lineage.Added:
		return ": new"
	case lineage.Removed:
		return ": gone"
	case lineage.Unsealed:
		return ": the fingerprint is the same"
	}
	var parts []string
	for _, component := range c.Components {
		parts = append(parts, string(component))
	}
	return ": " + strings.Join(parts, ", ")
}

// name returns a tool's name or a JSON pointer for a line of ours: as it is
// where it is plain, else in quotes, so that "a: new" cannot pass for "a".
func name(s string) string {
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("_-./~$@", r)
	}
	if s != "" && len(s) <= maxInline && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return `"` + inQuotes.Replace(escape.TerminalLimit(s, maxInline)) + `"`
}

var inQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

const (
	bold   = "\x1b[1m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	reset  = "\x1b[0m"

	// Of text: struck out and underlined, so that spaces show, and so that the
	// print reads without colours.
	redText   = "\x1b[31;9m"
	greenText = "\x1b[32;4m"
)

func (p *printer) bold(s string) string { return p.paint(bold, s) }

func (p *printer) paint(color, s string) string {
	if !p.Color || s == "" {
		return s
	}
	return color + s + reset
}
