package difftext

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/lineage"
)

// warn prints the warnings of a tool.
func (p *printer) warn(c *lineage.ToolChange) {
	warnings := warningsOf(c)
	for i, w := range warnings {
		if i == maxWarn {
			p.line("  ", p.paint(yellow, fmt.Sprintf("! ⟨… %d more warnings⟩", len(warnings)-i)))
			break
		}
		p.line("  ", p.paint(yellow, "! "+w))
	}
}

// warningsOf names the characters in a tool's new texts that a reader of those
// texts would not see, escaped. What went away is no danger: the diff shows it,
// that is all.
func warningsOf(c *lineage.ToolChange) []string {
	var warnings []string
	add := func(where, text string, words func(escape.Finding) string) {
		for _, f := range escape.Findings(text) {
			if f.Class.Hides() {
				warnings = append(warnings, where+": "+words(f))
			}
		}
	}
	add("name", c.Name, escape.Finding.String)
	add("description", after(c.Description), escape.Finding.String)
	for _, list := range [][]lineage.SchemaChange{c.Schema, c.Unsealed} {
		for i := range list {
			s := &list[i]
			add(strings.TrimSpace(string(s.Component)+" "+name(s.Path)), texts(s), counted)
		}
	}
	return warnings
}

// after returns the text that the edits lead to.
func after(edits []lineage.Edit) string {
	var b strings.Builder
	for _, e := range edits {
		if e.Op != lineage.Delete {
			b.WriteString(e.Text)
		}
	}
	return b.String()
}

// texts returns the names and strings that a change brings, one a line: decoded,
// since JSON may spell a control character in plain letters.
func texts(s *lineage.SchemaChange) string {
	switch {
	case s.New == nil || s.Kind == lineage.Reordered:
		return ""
	case s.Text != nil:
		return s.Path + "\n" + after(s.Text)
	case s.NewSize > 0:
		return s.Path + "\n" + decoded(s.New)
	}
	all := []string{s.Path}
	dec := jsontext.NewDecoder(bytes.NewReader(s.New))
	for {
		token, err := dec.ReadToken()
		if err != nil { // io.EOF, since a change's values are JSON
			return strings.Join(all, "\n")
		}
		if token.Kind() == '"' {
			all = append(all, token.String())
		}
	}
}

// counted says how often a character stands in several texts: its offset would
// be in none of them.
func counted(f escape.Finding) string {
	if f.Count == 1 {
		return f.What() + ", once"
	}
	return fmt.Sprintf("%s, %d times", f.What(), f.Count)
}
