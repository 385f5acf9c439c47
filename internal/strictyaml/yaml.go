package strictyaml

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

// read reads data as one document of the plain YAML of the package comment. An
// empty document is an empty mapping.
func (f *Format) read(data []byte) (doc *Document, err error) {
	doc = &Document{file: f.Filename}
	text, e := doc.readText(data)
	if e != nil {
		return nil, Errors{e}
	}
	// The YAML library is not ours, and has panicked on odd input in past
	// releases. A file that it cannot take is refused like any other.
	defer func() {
		if r := recover(); r != nil {
			err = Errors{doc.Errorf(Position{}, "", "not YAML that can be read: %s", escape.TerminalLimit(fmt.Sprint(r), MaxQuoted))}
			doc = nil
		}
	}()
	tokens := lexer.Tokenize(text)
	if e := f.checkTokens(doc, text, tokens); e != nil {
		return nil, Errors{e}
	}
	// Duplicate keys are ours to find: the library compares paths, which
	// differ for keys that are one name, such as 1 and "1".
	file, perr := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if perr != nil {
		return nil, Errors{syntaxError(doc, perr)}
	}
	c := converter{doc: doc}
	start := Position{Line: 1, Column: 1}
	doc.Root = &Node{Kind: Object, At: start}
	if len(file.Docs) > 0 && file.Docs[0].Body != nil {
		doc.Root = c.convert(file.Docs[0].Body, start, "")
	}
	if err := c.errs.Join(); err != nil {
		return nil, err
	}
	return doc, nil
}

// readText checks the characters, before any parser sees them, and returns the
// text with line feeds alone as line ends. Tabs are refused everywhere: the
// library drops them from plain scalars, and miscounts the columns behind them.
func (d *Document) readText(data []byte) (string, *Error) {
	if len(data) > MaxSize {
		return "", d.Errorf(Position{}, "", "%d bytes, want at most %d", len(data), MaxSize)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	d.lines = strings.Split(text, "\n")
	if i := strings.IndexAny(text, "\r\t"); i >= 0 {
		why := "a tab, want spaces; within double quotes, write \"\\t\""
		if text[i] == '\r' {
			why = "a carriage return alone, want line feeds or CRLF at line ends"
		}
		return "", d.Errorf(place(text, i), "", "%s", why)
	}
	for _, f := range escape.Findings(text) {
		if f.Class.Hides() && !spared(f) {
			return "", d.Errorf(place(text, f.First), "", "%s", hiddenMessage(f))
		}
	}
	return text, nil
}

// place is the position of the byte at offset.
func place(text string, offset int) Position {
	before := text[:offset]
	return Position{
		Line:   strings.Count(before, "\n") + 1,
		Column: utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1,
		Width:  1,
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

func tokenPosition(t *token.Token) Position {
	if t == nil || t.Position == nil {
		return Position{}
	}
	return Position{Line: t.Position.Line, Column: t.Position.Column, Width: utf8.RuneCountInString(firstLine(t.Value))}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// syntaxError keeps the library's message and place; its own rendering quotes
// the source unbounded.
func syntaxError(doc *Document, err error) *Error {
	var placed interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &placed) {
		return doc.Errorf(Position{}, "", "not YAML: %s", escape.TerminalLimit(err.Error(), 2*MaxQuoted))
	}
	return doc.Errorf(tokenPosition(placed.GetToken()), "", "not YAML: %s", escape.TerminalLimit(placed.GetMessage(), 2*MaxQuoted))
}

// valuePosition is where a node begins: for a mapping the first key, not the
// colon that the library takes for its token.
func valuePosition(n ast.Node) Position {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return tokenPosition(m.Values[0].Key.GetToken())
	}
	return tokenPosition(n.GetToken())
}
