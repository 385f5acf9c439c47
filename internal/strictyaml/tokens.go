package strictyaml

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/token"

	"github.com/mcp-integrity/seal-action/internal/escape"
)

// refused are the parts of YAML that these files do without, and the reason.
// They make one text mean what another place says, or what one reader thinks.
var refused = map[token.Type]string{
	token.AnchorType:      "an anchor (&): every value is written where it stands",
	token.TagType:         "a tag (!): values are plain",
	token.MappingKeyType:  `an explicit key (?): write "name: value"`,
	token.DirectiveType:   "a directive (%): leave it out",
	token.DocumentEndType: "a document end (...): one document is all there is",
}

// checkTokens refuses what needs no grammar to see, and bounds what the parser
// recurses on, which would otherwise exhaust the stack or take minutes.
func (f *Format) checkTokens(doc *Document, text string, tokens token.Tokens) *Error {
	n := nesting{tokens: len(tokens)}
	c := cursor{text: text}
	for i, t := range tokens {
		if t.Type == token.InvalidType {
			return nil // the parser says what is wrong with it
		}
		why := refused[t.Type]
		switch {
		case t.Type == token.MergeKeyType:
			why = "a merge key (<<): " + f.InsteadOfMerge
		case t.Type == token.AliasType:
			why = fmt.Sprintf(`an alias (*): for a text with an asterisk, write "*%s" in double quotes`, escape.TerminalLimit(aliasName(t), MaxQuoted))
		case t.Type == token.DocumentHeaderType && hasContent(tokens[:i]):
			why = "a second document (---), want one"
		}
		if why == "" {
			why = n.take(t)
		}
		if why != "" {
			return doc.Errorf(tokenPosition(t), "", "%s", why)
		}
		written, ok := c.next(t)
		if !ok {
			return doc.Errorf(place(text, c.offset), "", "%s", notTaken)
		}
		if why := oddText(t, written, c.follows(), len(n.flows) > 0); why != "" {
			return doc.Errorf(tokenPosition(t), "", "%s", why)
		}
	}
	if !c.atEnd() {
		return doc.Errorf(place(text, c.offset), "", "%s", notTaken)
	}
	return nil
}

const notTaken = "from here on, not YAML that can be read: put texts in double quotes"

// oddText says what is wrong with a scalar or a colon that the library reads in
// its own way, where other readers see something else or nothing at all. The
// token was written so, and follows is the character behind it.
func oddText(t *token.Token, written string, follows byte, flow bool) string {
	switch {
	case t.Type == token.DoubleQuoteType && replaced(t, written):
		return "an escape that is no character"
	case t.Type == token.StringType && !inBlockScalar(t):
		if strings.Contains(t.Value, ": ") || strings.HasSuffix(t.Value, ":") || strings.Contains(t.Value, " #") ||
			flow && strings.ContainsAny(t.Value, "[]{},") {
			return fmt.Sprintf("a text that is not clear without quotes: write %s", Text(Bounded(t.Value, MaxQuoted)))
		}
	case t.Type == token.MappingValueType && flow && !isQuoted(t.Prev) && !strings.ContainsRune(" \n,[]{}", rune(follows)):
		return "a colon without a space: write a space behind it, or put the text in double quotes"
	}
	return ""
}

// inBlockScalar reports the text of a literal (|) or folded (>) scalar, in which
// nothing has a meaning.
func inBlockScalar(t *token.Token) bool {
	for p := t.Prev; p != nil; p = p.Prev {
		if p.Type != token.CommentType {
			return p.Type == token.LiteralType || p.Type == token.FoldedType
		}
	}
	return false
}

func isQuoted(t *token.Token) bool {
	return t != nil && (t.Type == token.DoubleQuoteType || t.Type == token.SingleQuoteType)
}

// replaced reports a U+FFFD that the source does not have: the library puts one
// where an escape names a lone surrogate or nothing in Unicode.
func replaced(t *token.Token, written string) bool {
	written = strings.ToLower(written)
	said := strings.Count(written, "\ufffd") + strings.Count(written, `\ufffd`) + strings.Count(written, `\u0000fffd`)
	return strings.Count(t.Value, "\ufffd") > said
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
