package strictyaml

import (
	"strings"

	"github.com/goccy/go-yaml/token"
)

// A cursor follows the library's tokens through the text that they were made
// of. The library leaves out what it does not understand at the end of a line
// or a list (a tag without a value, say), and then "[!x]" is an empty list:
// a text is taken only where its tokens account for every character but white
// space.
type cursor struct {
	text   string
	offset int
}

const blanks = " \n"

// next moves behind t and returns its source; ok is false where the text does
// not go on with t.
func (c *cursor) next(t *token.Token) (source string, ok bool) {
	c.skip()
	from := c.offset
	if t.Type == token.DoubleQuoteType {
		ok = c.quoted() // its Origin has lost the escapes
		return c.text[from:c.offset], ok
	}
	for _, r := range t.Origin {
		if strings.ContainsRune(blanks, r) {
			continue
		}
		c.skip()
		if !strings.HasPrefix(c.text[c.offset:], string(r)) {
			return "", false
		}
		c.offset += len(string(r))
	}
	return c.text[from:c.offset], true
}

// quoted moves behind a text in double quotes.
func (c *cursor) quoted() bool {
	if !strings.HasPrefix(c.text[c.offset:], `"`) {
		return false
	}
	for i := c.offset + 1; i < len(c.text); i++ {
		switch c.text[i] {
		case '\\':
			i++
		case '"':
			c.offset = i + 1
			return true
		}
	}
	return false
}

func (c *cursor) skip() {
	rest := strings.TrimLeft(c.text[c.offset:], blanks)
	c.offset = len(c.text) - len(rest)
}

// atEnd reports whether nothing but white space is left.
func (c *cursor) atEnd() bool {
	c.skip()
	return c.offset == len(c.text)
}

// follows returns the character right behind the last token, or a space at the
// end of the text.
func (c *cursor) follows() byte {
	if c.offset < len(c.text) {
		return c.text[c.offset]
	}
	return ' '
}
