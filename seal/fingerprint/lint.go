package fingerprint

import (
	"bytes"
	"fmt"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/unicode/norm"
)

// Lint says what is allowed in t and likely a mistake (decisions 3, 4 and 7),
// a line each, in words and without text of the tool's own.
func Lint(t Tool) []string {
	var lines []string
	if t.Description == "" {
		lines = append(lines, "no description: the fingerprint is that of the empty string")
	}
	for _, p := range []struct {
		name string
		text []byte
	}{
		{"description", []byte(t.Description)},
		{"inputSchema", t.InputSchema},
		{"annotations", t.Annotations},
		{"outputSchema", t.OutputSchema},
	} {
		if !norm.NFC.IsNormal(p.text) {
			lines = append(lines, p.name+" has text that is not in Unicode NFC: it looks like other text with another fingerprint")
		}
		if p.name == "description" || p.text == nil {
			continue
		}
		if at := inexactInteger(p.text); at != "" {
			lines = append(lines, fmt.Sprintf("%s: the integer at %.200s cannot be held exactly by a double, so its neighbours have the same fingerprint", p.name, at))
		}
	}
	return lines
}

// inexactInteger finds an integer beyond 2⁵³ that RFC 8785 rounds, and returns
// its JSON pointer, or "".
func inexactInteger(schema []byte) string {
	d := jsontext.NewDecoder(bytes.NewReader(schema))
	for {
		tok, err := d.ReadToken()
		if err != nil {
			return ""
		}
		if tok.Kind() != '0' {
			continue
		}
		text := tok.String()
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.Abs(f) < 1<<53 {
			continue
		}
		if isInteger(text) && strconv.FormatFloat(f, 'f', 0, 64) != text {
			return string(d.StackPointer())
		}
	}
}

func isInteger(text string) bool {
	for _, c := range text {
		if c != '-' && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
