package declare

import (
	"strings"

	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/internal/strictyaml"
)

// Texts of strangers go into a YAML file that is read as the publisher's own:
// a tool's name must not open a mapping, end a comment, or look like another.

// yamlList returns a list in flow style.
func yamlList(list []string) string {
	texts := make([]string, len(list))
	for i, s := range list {
		texts[i] = strictyaml.Text(s)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// maxComment bounds a stranger's text in a comment, in bytes.
const maxComment = 160

// commentText returns s fit for a comment: on one line, bounded, and with what
// nobody would see made visible.
func commentText(s string) string {
	return escape.TerminalLimit(strings.Join(strings.Fields(s), " "), maxComment)
}
