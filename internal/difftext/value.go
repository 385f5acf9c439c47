package difftext

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/lineage"
)

// change prints what happened to one value: on a line with its path where it
// is short, else below it.
func (p *printer) change(indent string, s *lineage.SchemaChange) {
	path := "as a whole"
	if s.Path != "" {
		path = name(s.Path)
	}
	head, below := p.sign(s.Kind)+" "+path, indent+"  "
	room := maxInline / 2
	if p.Width > 0 {
		room = max(p.Width-columns(indent+head+":  → "), 20)
	}
	switch from, to, short := inline(s, room); {
	case len(s.Text) > 0:
		p.line(indent, head)
		p.text(below, s.Text)
	case !short:
		p.line(indent, head+placed(s))
		p.value(below, lineage.Removed, s.Old, s.OldSize > 0)
		p.value(below, lineage.Added, s.New, s.NewSize > 0)
	case s.Old == nil:
		p.line(indent, head+": "+to)
	case s.New == nil:
		p.line(indent, head+": "+from)
	default:
		p.line(indent, head+": "+from+" → "+to)
	}
}

// inline returns both values for one line, and whether they fit into its room.
// They are JSON: an arrow in a string of theirs stands between quotes.
func inline(s *lineage.SchemaChange, room int) (from, to string, short bool) {
	if s.OldSize > 0 || s.NewSize > 0 || len(s.Old)+len(s.New) > room {
		return "", "", false
	}
	return escape.Terminal(string(s.Old)), escape.Terminal(string(s.New)), true
}

// placed says which part of a large value is shown.
func placed(s *lineage.SchemaChange) string {
	switch {
	case s.OldSize > 0 && s.NewSize > 0:
		return fmt.Sprintf(": from byte %d, of %d bytes before and %d after", s.From, s.OldSize, s.NewSize)
	case s.OldSize > 0:
		return fmt.Sprintf(": before from byte %d, of %d bytes", s.From, s.OldSize)
	case s.NewSize > 0:
		return fmt.Sprintf(": after from byte %d, of %d bytes", s.From, s.NewSize)
	}
	return ""
}

// value prints one side of a change over several lines.
func (p *printer) value(indent string, side lineage.Kind, v jsontext.Value, excerpt bool) {
	if v == nil {
		return
	}
	text := string(v)
	if excerpt {
		text = decoded(v)
	} else if pretty := v.Clone(); len(v) > maxCompact && pretty.Indent(jsontext.WithIndent("  ")) == nil {
		text = string(pretty)
	}
	st := deleted
	if side == lineage.Added {
		st = inserted
	}
	p.lay(indent, signs[side]+"│", []span{{st, escape.BlockLimit(text, maxValue)}}, true)
}

// decoded returns the text of a JSON string.
func decoded(v jsontext.Value) string {
	text, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return string(v)
	}
	return string(text)
}
