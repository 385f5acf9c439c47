package declare

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/mcp-integrity/seal-action/internal/escape"
)

// readYAML reads data as one document of the plain YAML of the package
// comment. An empty document is an empty mapping.
func readYAML(data []byte) (src *source, root *node, err error) {
	src, text, e := readText(data)
	if e != nil {
		return nil, nil, Errors{e}
	}
	// The YAML library is not ours, and has panicked on odd input in past
	// releases. A file that it cannot take is refused like any other.
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, Errors{src.errorf(position{}, "", "not YAML that can be read: %s", escape.TerminalLimit(fmt.Sprint(r), maxQuoted))}
		}
	}()
	tokens := lexer.Tokenize(text)
	if e := checkTokens(src, text, tokens); e != nil {
		return nil, nil, Errors{e}
	}
	// Duplicate keys are ours to find: the library compares paths, which
	// differ for keys that are one name, such as 1 and "1".
	file, perr := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if perr != nil {
		return nil, nil, Errors{syntaxError(src, perr)}
	}
	c := converter{src: src}
	root = &node{kind: objectKind, at: position{line: 1, column: 1}}
	if len(file.Docs) > 0 && file.Docs[0].Body != nil {
		root = c.convert(file.Docs[0].Body, position{line: 1, column: 1}, "")
	}
	if err := c.errs.join(); err != nil {
		return nil, nil, err
	}
	return src, root, nil
}

// readText checks the characters, before any parser sees them, and returns the
// text with line feeds alone as line ends. Tabs are refused everywhere: the
// library drops them from plain scalars, and miscounts the columns behind them.
func readText(data []byte) (*source, string, *Error) {
	src := &source{}
	if len(data) > MaxSize {
		return src, "", src.errorf(position{}, "", "%d bytes, want at most %d", len(data), MaxSize)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	src.lines = strings.Split(text, "\n")
	if i := strings.IndexAny(text, "\r\t"); i >= 0 {
		why := "a tab, want spaces; within double quotes, write \"\\t\""
		if text[i] == '\r' {
			why = "a carriage return alone, want line feeds or CRLF at line ends"
		}
		return src, "", src.errorf(place(text, i), "", "%s", why)
	}
	for _, f := range escape.Findings(text) {
		if f.Class.Hides() && !spared(f) {
			return src, "", src.errorf(place(text, f.First), "", "%s", hiddenMessage(f))
		}
	}
	return src, text, nil
}

// place is the position of the byte at offset.
func place(text string, offset int) position {
	before := text[:offset]
	return position{
		line:   strings.Count(before, "\n") + 1,
		column: utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1,
		width:  1,
	}
}

// spared are characters that hide and yet are accepted: two joiners that
// several scripts cannot be written without, and what a newer Unicode than ours
// may draw.
func spared(f escape.Finding) bool {
	return f.Rune == '\u200c' || f.Rune == '\u200d' || f.Class == escape.Unassigned
}

func hiddenMessage(f escape.Finding) string {
	if f.Class == escape.InvalidUTF8 {
		return fmt.Sprintf("byte 0x%02x is not UTF-8", f.Rune)
	}
	return fmt.Sprintf("U+%04X (%s), which a reader does not see: where it is meant, write \"%s\" in double quotes",
		f.Rune, f.Class, yamlEscape(f.Rune))
}

func tokenPosition(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{}
	}
	return position{line: t.Position.Line, column: t.Position.Column, width: utf8.RuneCountInString(firstLine(t.Value))}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// syntaxError keeps the library's message and place; its own rendering quotes
// the source unbounded.
func syntaxError(src *source, err error) *Error {
	var placed interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &placed) {
		return src.errorf(position{}, "", "not YAML: %s", escape.TerminalLimit(err.Error(), 2*maxQuoted))
	}
	return src.errorf(tokenPosition(placed.GetToken()), "", "not YAML: %s", escape.TerminalLimit(placed.GetMessage(), 2*maxQuoted))
}

// valuePosition is where a node begins: for a mapping the first key, not the
// colon that the library takes for its token.
func valuePosition(n ast.Node) position {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return tokenPosition(m.Values[0].Key.GetToken())
	}
	return tokenPosition(n.GetToken())
}
