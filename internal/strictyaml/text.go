package strictyaml

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/mcp-integrity/seal-action/internal/escape"
)

// plain are the texts that need no quotes in any YAML reader, as a key or in a
// list; reserved ones look plain and are something else to some reader.
var (
	plain    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./@-]*$`)
	reserved = map[string]bool{"null": true, "true": true, "false": true, "yes": true, "no": true, "on": true, "off": true, "y": true, "n": true}
)

// Text returns s as a YAML scalar on one line: plain, or in double quotes
// with everything escaped that does not print.
func Text(s string) string {
	if plain.MatchString(s) && !reserved[strings.ToLower(s)] {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r) && !escape.Hidden(r):
			b.WriteRune(r)
		default:
			b.WriteString(yamlEscape(r))
		}
	}
	b.WriteByte('"')
	return b.String()
}

// yamlEscape is r within double quotes (YAML 1.2 §5.7).
func yamlEscape(r rune) string {
	switch {
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}
