package difftext

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/lineage"
)

// words writes how each tool's texts and schemas changed, the heaviest tool first.
func (m *markdown) words() {
	if len(m.Words) == 0 {
		return
	}
	m.block("### In words: " + summary(m.Words))
	const least = 200 // the words of a tool that is new and says nothing have that
	for _, c := range m.byWeight() {
		if m.fits(least, 100) {
			if text := toolWords(c); m.fits(len(text), 100) {
				m.block(text)
				continue
			}
		}
		m.texts++
	}
}

// byWeight returns the tools in the order of the table.
func (m *markdown) byWeight() []*lineage.ToolChange {
	order := map[string]int{}
	for i, group := range byTool(m.Classes.Changes) {
		order[group[0].Tool] = i - len(m.Words) - len(m.Classes.Changes) // before all others
	}
	tools := make([]*lineage.ToolChange, len(m.Words))
	for i := range m.Words {
		tools[i] = &m.Words[i]
	}
	slices.SortStableFunc(tools, func(a, b *lineage.ToolChange) int { return cmp.Compare(order[a.Name], order[b.Name]) })
	return tools
}

// toolWords is one block of HTML: it has no blank line.
func toolWords(c *lineage.ToolChange) string {
	var b strings.Builder
	b.WriteString("<p><b>" + code(c.Name) + "</b>" + title(c) + "</p>")
	warnings := warningsOf(c)
	for i, w := range warnings {
		if i == maxWarn {
			fmt.Fprintf(&b, "\n<p><b>Warning</b>: %s</p>", count(len(warnings)-i, "more character", "more characters"))
			break
		}
		b.WriteString("\n<p><b>Warning</b>: " + markup(w) + "</p>")
	}
	if len(c.Description) > 0 {
		b.WriteString("\n<blockquote>" + edits(c.Description) + "</blockquote>")
	}
	schema, unsealed := changesOf(c), unsealedOf(c)
	if schema+unsealed == "" {
		return b.String()
	}
	b.WriteString("\n<details><summary>" + folded(c) + "</summary>\n" + schema + unsealed + "</details>")
	return b.String()
}

// folded counts what details have.
func folded(c *lineage.ToolChange) string {
	var parts []string
	if n := len(c.Schema) + c.SchemaMore; n > 0 {
		parts = append(parts, count(n, "change", "changes")+" of schemas and annotations")
	}
	if n := len(c.Unsealed) + c.UnsealedMore; n > 0 {
		parts = append(parts, count(n, "change", "changes")+" that no fingerprint covers")
	}
	return strings.Join(parts, ", ")
}

func changesOf(c *lineage.ToolChange) string { return items(c.Schema, c.SchemaMore) }

func unsealedOf(c *lineage.ToolChange) string {
	if list := items(c.Unsealed, c.UnsealedMore); list != "" {
		return "<p>Not covered by the fingerprint:</p>\n" + list
	}
	return ""
}

// items lists changes in JSON; more counts those that are not among them.
func items(changes []lineage.SchemaChange, more int) string {
	if len(changes) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("<ul>\n")
	for i := range changes {
		item := "<li>" + schemaChange(&changes[i]) + "</li>\n"
		if i == maxItems || b.Len()+len(item) > maxToolWords/2 {
			more += len(changes) - i
			break
		}
		b.WriteString(item)
	}
	if more > 0 {
		fmt.Fprintf(&b, "<li>and %s</li>\n", count(more, "more change", "more changes"))
	}
	b.WriteString("</ul>\n")
	return b.String()
}

// schemaChange says what happened to one value.
func schemaChange(s *lineage.SchemaChange) string {
	place := "all of it"
	if s.Path != "" {
		place = code(s.Path)
	}
	if s.Component != "" {
		place += " in " + string(s.Component)
	}
	head := string(s.Kind) + " " + place
	switch {
	case len(s.Text) > 0:
		return head + ": " + edits(s.Text)
	case s.Old == nil && s.New == nil:
		return head
	case s.Old == nil:
		return head + ": <ins>" + code(string(s.New)) + "</ins>"
	case s.New == nil:
		return head + ": <del>" + code(string(s.Old)) + "</del>"
	}
	return head + placed(s) + ": <del>" + code(string(s.Old)) + "</del> → <ins>" + code(string(s.New)) + "</ins>"
}

// tags are what the styles are shown by.
var tags = [...]string{inserted: "ins", deleted: "del"}

// edits writes a text with its inserted and deleted words, each stretch cut so
// far that all of it fits.
func edits(list []lineage.Edit) string {
	stretch := maxToolWords / 4
	text, all := editsWithin(list, stretch)
	for ; !all && stretch > maxContext; text, all = editsWithin(list, stretch) {
		stretch /= 2
	}
	return text
}

// editsWithin reports whether all stretches fit, cut to so many bytes.
func editsWithin(list []lineage.Edit, stretch int) (text string, all bool) {
	p := &printer{Options: Options{Color: true}, stretch: stretch} // the signs are tags
	var b strings.Builder
	all = true
	b.WriteString("<code>")
	for i, s := range p.spans(list, whole(list) != "") {
		text := escape.HTML(s.text)
		if all = b.Len()+len(text) <= maxToolWords/2; !all {
			fmt.Fprintf(&b, "⟨… %s⟩", count(len(list)-i, "more stretch", "more stretches"))
			break
		}
		if s.style == same {
			b.WriteString(text)
		} else {
			b.WriteString("<" + tags[s.style] + ">" + text + "</" + tags[s.style] + ">")
		}
	}
	b.WriteString("</code>")
	return b.String(), all
}
