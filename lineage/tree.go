package lineage

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// A node is a JSON value in its canonical form: two nodes are the same value if
// and only if their bytes are equal.
type node struct {
	raw jsontext.Value
	// members are an object's, by name in byte order, or an array's elements.
	members []member
}

type member struct {
	name string
	node *node
}

func (n *node) kind() jsontext.Kind { return n.raw.Kind() }

// text returns the decoded string that n is.
func (n *node) text() string {
	s, err := jsontext.AppendUnquote(nil, n.raw)
	if err != nil {
		return string(n.raw)
	}
	return string(s)
}

// parse reads one value. Bytes that are no strict JSON, which tools from
// [fingerprint.ParseTool] never hold, become a string of those bytes, so that
// they are still seen to differ.
func parse(raw []byte) *node {
	canonical, err := strictjson.Canonical(raw)
	if err == nil {
		var n *node
		if n, err = tree(canonical); err == nil {
			return n
		}
	}
	quoted, _ := jsontext.AppendQuote(nil, raw) // what is no UTF-8 becomes U+FFFD
	return &node{raw: quoted}
}

// tree reads canonical JSON in one pass. The recursion is as deep as the value:
// strictjson.MaxDepth.
func tree(canonical []byte) (*node, error) {
	r := &reader{src: canonical, dec: jsontext.NewDecoder(bytes.NewReader(canonical), jsontext.AllowDuplicateNames(true))}
	return r.value()
}

type reader struct {
	src []byte
	dec *jsontext.Decoder
}

func (r *reader) value() (*node, error) {
	start := r.dec.InputOffset()
	for start < int64(len(r.src)) && (r.src[start] == ',' || r.src[start] == ':') {
		start++
	}
	n := new(node)
	token, err := r.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	if k := token.Kind(); k == '{' || k == '[' {
		if n.members, err = r.elements(k); err != nil {
			return nil, err
		}
	}
	n.raw = r.src[start:r.dec.InputOffset()]
	return n, nil
}

// elements reads up to the bracket that closes an object or array.
func (r *reader) elements(open jsontext.Kind) ([]member, error) {
	var members []member
	for {
		switch k := r.dec.PeekKind(); k {
		case 0:
			return nil, io.ErrUnexpectedEOF
		case '}', ']':
			if _, err := r.dec.ReadToken(); err != nil {
				return nil, err
			}
			if open == '{' {
				slices.SortFunc(members, byMember)
			}
			return members, nil
		}
		var m member
		if open == '{' {
			name, err := r.dec.ReadToken()
			if err != nil {
				return nil, err
			}
			m.name = name.String()
		}
		var err error
		if m.node, err = r.value(); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
}

// sealed are the members of a tool that its fingerprint covers, and the name by
// which tools are paired.
var sealed = []string{"name", "description", "inputSchema", "annotations", "outputSchema"}

// unsealed returns an object of the other members of t.
func unsealed(t *fingerprint.Tool) *node {
	rest := &node{raw: []byte{'{'}}
	if t != nil {
		rest.members = others(t.Raw)
	}
	for i, m := range rest.members {
		if i > 0 {
			rest.raw = append(rest.raw, ',')
		}
		rest.raw, _ = jsontext.AppendQuote(rest.raw, m.name) // a decoded JSON string is UTF-8
		rest.raw = append(append(rest.raw, ':'), m.node.raw...)
	}
	rest.raw = append(rest.raw, '}')
	return rest
}

// others reads the members of a tool that are not sealed, by name, and passes
// over the rest: schemas are the bulk of a tool. It stops where raw is no
// object, as it is in every tool from [fingerprint.ParseTool].
func others(raw []byte) []member {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.ReadToken(); err != nil || open.Kind() != '{' {
		return nil
	}
	var members []member
	for dec.PeekKind() == '"' {
		token, err := dec.ReadToken()
		if err != nil {
			break
		}
		name := token.String() // the token is good until the next one is read
		value, err := dec.ReadValue()
		if err != nil {
			break
		}
		if !slices.Contains(sealed, name) {
			members = append(members, member{name, parse(value)})
		}
	}
	slices.SortFunc(members, byMember)
	return members
}

func byMember(a, b member) int { return strings.Compare(a.name, b.name) }
