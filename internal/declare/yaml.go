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
	if e := checkTokens(src, tokens); e != nil {
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
// text with line feeds alone as line ends.
func readText(data []byte) (*source, string, *Error) {
	src := &source{}
	if len(data) > MaxSize {
		return src, "", src.errorf(position{}, "", "%d bytes, want at most %d", len(data), MaxSize)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	src.lines = strings.Split(text, "\n")
	for _, f := range escape.Findings(text) {
		if f.Class.Hides() && !spared(f) {
			before := text[:f.First]
			line := strings.Count(before, "\n") + 1
			column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
			return src, "", src.errorf(position{line, column, 1}, "", "%s", hiddenMessage(f))
		}
	}
	return src, text, nil
}

// spared are characters that hide and yet are accepted: two joiners that
// several scripts cannot be written without, and what a newer Unicode than ours
// may draw.
func spared(f escape.Finding) bool {
	return f.Rune == '\u200c' || f.Rune == '\u200d' || f.Class == escape.Unassigned
}

func hiddenMessage(f escape.Finding) string {
	switch {
	case f.Class == escape.InvalidUTF8:
		return fmt.Sprintf("byte 0x%02x is not UTF-8", f.Rune)
	case f.Rune == '\r':
		return "a carriage return alone, want line feeds or CRLF at line ends"
	}
	return fmt.Sprintf("U+%04X (%s), which a reader does not see: where it is meant, write \"%s\" in double quotes",
		f.Rune, f.Class, yamlEscape(f.Rune))
}

// refused are the parts of YAML that this file does without, and the reason.
// They make one text mean what another place says, or what one reader thinks.
var refused = map[token.Type]string{
	token.AnchorType:      "an anchor (&): every value is written where it stands",
	token.TagType:         "a tag (!): values are plain",
	token.MergeKeyType:    "a merge key (<<): use defaults, or quote the name",
	token.MappingKeyType:  `an explicit key (?): write "name: value"`,
	token.DirectiveType:   "a directive (%): leave it out",
	token.DocumentEndType: "a document end (...): one document is all there is",
}

// checkTokens refuses what needs no grammar to see, and bounds what the parser
// recurses on, which would otherwise exhaust the stack or take minutes.
func checkTokens(src *source, tokens token.Tokens) *Error {
	var n nesting
	for i, t := range tokens {
		if why, bad := refused[t.Type]; bad {
			return src.errorf(tokenPosition(t), "", "%s", why)
		}
		switch {
		case t.Type == token.AliasType:
			return src.errorf(tokenPosition(t), "", `an alias (*): for a text with an asterisk, write "*%s" in double quotes`, escape.TerminalLimit(aliasName(t), maxQuoted))
		case t.Type == token.DocumentHeaderType && hasContent(tokens[:i]):
			return src.errorf(tokenPosition(t), "", "a second document (---), want one")
		}
		if why := n.take(t); why != "" {
			return src.errorf(tokenPosition(t), "", "%s", why)
		}
		if t.Type == token.DoubleQuoteType && replaced(t) {
			return src.errorf(tokenPosition(t), "", "an escape that is no character")
		}
	}
	return nil
}

// replaced reports a U+FFFD that the source does not have: the library puts one
// where an escape names a lone surrogate or nothing in Unicode.
func replaced(t *token.Token) bool {
	written := strings.Count(t.Origin, "\ufffd") + strings.Count(strings.ToLower(t.Origin), `\ufffd`)
	return strings.Count(t.Value, "\ufffd") > written
}

func aliasName(t *token.Token) string {
	next := t.Next
	if next == nil || next.Position == nil || t.Position == nil ||
		next.Position.Line != t.Position.Line || next.Position.Column != t.Position.Column+1 || next.Type != token.StringType {
		return ""
	}
	return next.Value
}

func hasContent(tokens token.Tokens) bool {
	for _, t := range tokens {
		if t.Type != token.CommentType {
			return true
		}
	}
	return false
}

// nesting follows how deep block and flow collections go. In block style a
// collection opens at a column to the right of the one that holds it.
type nesting struct {
	blocks []block
	flow   int
}

type block struct{ column, members int }

func (n *nesting) take(t *token.Token) string {
	switch t.Type {
	case token.MappingStartType, token.SequenceStartType:
		n.flow++
	case token.MappingEndType, token.SequenceEndType:
		n.flow = max(0, n.flow-1)
	}
	isKey := t.Next != nil && t.Next.Type == token.MappingValueType
	if n.flow == 0 && t.Position != nil && (isKey || t.Type == token.SequenceEntryType) {
		for len(n.blocks) > 0 && n.blocks[len(n.blocks)-1].column > t.Position.Column {
			n.blocks = n.blocks[:len(n.blocks)-1]
		}
		if len(n.blocks) == 0 || n.blocks[len(n.blocks)-1].column < t.Position.Column {
			n.blocks = append(n.blocks, block{column: t.Position.Column})
		}
		if top := &n.blocks[len(n.blocks)-1]; isKey {
			if top.members++; top.members > maxMembers {
				return fmt.Sprintf("more than %d members in one mapping", maxMembers)
			}
		}
	}
	if len(n.blocks)+n.flow > maxDepth {
		return fmt.Sprintf("nested deeper than %d levels", maxDepth)
	}
	return ""
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
	message := placed.GetMessage()
	if strings.Contains(message, "'\t'") {
		message = "a tab at the start of a line, want spaces"
	}
	return src.errorf(tokenPosition(placed.GetToken()), "", "not YAML: %s", escape.TerminalLimit(message, 2*maxQuoted))
}

// valuePosition is where a node begins: for a mapping the first key, not the
// colon that the library takes for its token.
func valuePosition(n ast.Node) position {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return tokenPosition(m.Values[0].Key.GetToken())
	}
	return tokenPosition(n.GetToken())
}
