package lineage

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/internal/escape"
)

// quote returns s in quotes, escaped and cut: it is a stranger's. What has no
// ink or acts on the display stands there as its code point.
func quote(s string) string {
	b := []byte{'"'}
	for _, r := range cut(s, maxQuoted) {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case escape.Hidden(r) || !unicode.IsPrint(r):
			b = append(b, strings.Trim(strconv.QuoteRuneToASCII(r), "'")...)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return string(append(b, '"'))
}

// enumerate names some of the names, and says how many there are besides.
func enumerate(names []string) string {
	var quoted []string
	for _, name := range names[:min(len(names), maxNamed)] {
		quoted = append(quoted, quote(name))
	}
	return joined(quoted, len(names))
}

// joined lists the first words of n.
func joined(words []string, n int) string {
	switch more := n - len(words); {
	case n == 0:
		return "nothing"
	case more > 0:
		return strings.Join(words, ", ") + " and " + strconv.Itoa(more) + " more"
	case n == 1:
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// glimpse returns v, or where it is too large a JSON string of its beginning.
func glimpse(v jsontext.Value) jsontext.Value {
	if len(v) <= maxGlimpse {
		return v
	}
	return jsonString(string(v[:boundary(v, maxGlimpse)]) + "…")
}

func jsonString(s string) jsontext.Value {
	if len(s) > 2*maxGlimpse { // it would be cut anyway
		s = s[:boundary([]byte(s[:2*maxGlimpse+utf8.UTFMax]), 2*maxGlimpse)]
	}
	quoted, _ := jsontext.AppendQuote(nil, s) // what is no UTF-8 becomes U+FFFD
	return quoted
}

func jsonBool(b bool) jsontext.Value { return jsontext.Value(strconv.FormatBool(b)) }

// jsonStrings returns a JSON array of names, sorted.
func jsonStrings(names []string) jsontext.Value {
	array := jsontext.Value{'['}
	for i, name := range sortedNames(names) {
		if len(array) > maxGlimpse {
			break // it will be cut
		}
		if i > 0 {
			array = append(array, ',')
		}
		array = append(array, jsonString(name)...)
	}
	return append(array, ']')
}

// show returns a JSON value as it stands in a sentence.
func show(n *node) string {
	switch n.kind() {
	case '"':
		return quote(n.text())
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return cut(string(n.raw), maxQuoted)
}

// showAll is [enumerate] for JSON values.
func showAll(values []*node) string {
	var shown []string
	for _, n := range values[:min(len(values), maxNamed)] {
		shown = append(shown, show(n))
	}
	return joined(shown, len(values))
}

// index returns i as a step of a pointer.
func index(i int) string { return strconv.Itoa(i) }
