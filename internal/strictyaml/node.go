package strictyaml

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// A Node is a value of the file with its place. Its methods take a nil Node for
// an absent value.
type Node struct {
	Kind Kind
	At   Position
	// Text is a string's value, or the source text of another scalar.
	Text    string
	Members []*Member // of a mapping, in the order of the file
	Items   []*Node   // of a list

	index map[string]*Member
}

// A Member is a key of a mapping and its value; At is the key's place.
type Member struct {
	Name  string
	At    Position
	Value *Node
}

// Kind is a node's type, in the words of JSON Schema.
type Kind string

// The kinds.
const (
	Object  Kind = "object"
	Array   Kind = "array"
	String  Kind = "string"
	Number  Kind = "number"
	Boolean Kind = "boolean"
	Null    Kind = "null"
)

// Lookup returns a member of a mapping, or nil.
func (n *Node) Lookup(name string) *Member {
	if n == nil {
		return nil
	}
	return n.index[name]
}

// Child returns the value of a member; nil where it is absent or empty.
func (n *Node) Child(name string) *Node {
	m := n.Lookup(name)
	if m == nil || m.Value.Kind == Null {
		return nil
	}
	return m.Value
}

// KeyOf returns where the key of a member stands; the zero value where absent.
func (n *Node) KeyOf(name string) Position {
	if m := n.Lookup(name); m != nil {
		return m.At
	}
	return Position{}
}

// String returns the value of a string, and "" of anything else.
func (n *Node) String() string {
	if n == nil || n.Kind != String {
		return ""
	}
	return n.Text
}

// Bool returns the value of a boolean, and false of anything else.
func (n *Node) Bool() bool {
	return n != nil && n.Kind == Boolean && strings.EqualFold(n.Text, "true")
}

// Strings returns the strings of a list: nil where it is absent, empty but not
// nil where it is there without any.
func (n *Node) Strings() []string {
	if n == nil || n.Kind != Array {
		return nil
	}
	list := make([]string, len(n.Items))
	for i, item := range n.Items {
		list[i] = item.String()
	}
	return list
}

// Int returns the value of a whole number in plain decimal digits, and 0 of
// anything else.
func (n *Node) Int() int {
	if n == nil || n.Kind != Number || !wholeNumber.MatchString(n.Text) {
		return 0
	}
	i, _ := strconv.Atoi(n.Text) // nine digits always fit
	return i
}

// wholeNumber is short enough for an int of 32 bits: no file here counts
// further.
var wholeNumber = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,8})$`)

// Value returns n as JSON has it: a map[string]any, []any, string, bool,
// float64 or nil. A number that [Node.Int] does not take is one half: of all
// that YAML writes as a number, a schema here knows whole ones.
func (n *Node) Value() any {
	switch n.Kind {
	case Object:
		object := make(map[string]any, len(n.Members))
		for _, m := range n.Members {
			object[m.Name] = m.Value.Value()
		}
		return object
	case Array:
		list := make([]any, len(n.Items))
		for i, item := range n.Items {
			list[i] = item.Value()
		}
		return list
	case String:
		return n.Text
	case Boolean:
		return n.Bool()
	case Number:
		if wholeNumber.MatchString(n.Text) {
			return float64(n.Int())
		}
		return 0.5
	}
	return nil
}

// A converter makes nodes of the library's syntax tree, and keeps what it
// finds wrong on the way.
type converter struct {
	doc  *Document
	errs Errors
}

func (c *converter) errorf(at Position, path, format string, args ...any) {
	c.errs = append(c.errs, c.doc.Errorf(at, path, format, args...))
}

// convert makes a node of v; an empty value stands where key stands.
func (c *converter) convert(v ast.Node, key Position, path string) *Node {
	n := &Node{At: valuePosition(v)}
	switch v := v.(type) {
	case *ast.MappingNode:
		c.convertMapping(n, v.Values, path)
	case *ast.MappingValueNode:
		c.convertMapping(n, []*ast.MappingValueNode{v}, path)
	case *ast.SequenceNode:
		c.convertList(n, v.Values, path)
	case *ast.StringNode:
		n.Kind, n.Text = String, v.Value
	case *ast.LiteralNode:
		n.Kind, n.Text = String, v.Value.Value
	case *ast.BoolNode:
		n.Kind, n.Text = Boolean, v.GetToken().Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		n.Kind, n.Text = Number, v.GetToken().Value
	case *ast.NullNode:
		n.Kind, n.Text, n.At = Null, v.GetToken().Value, key
	default:
		c.errorf(n.At, path, "a value that this file has no use for, want a mapping, a list, a text, true or false")
		n.Kind = Null
	}
	if !utf8.ValidString(n.Text) {
		c.errorf(n.At, path, "an escape that is no character")
	}
	return n
}

func (c *converter) convertMapping(n *Node, values []*ast.MappingValueNode, path string) {
	n.Kind, n.index = Object, make(map[string]*Member, len(values))
	for _, mv := range values {
		m := &Member{At: tokenPosition(mv.Key.GetToken())}
		switch k := mv.Key.(type) {
		case *ast.StringNode:
			m.Name = k.Value
		case *ast.BoolNode, *ast.NullNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
			m.Name = k.GetToken().Value
		default:
			c.errorf(m.At, path, "a key that is no plain name")
			continue
		}
		at := MemberPath(path, m.Name)
		if !utf8.ValidString(m.Name) {
			c.errorf(m.At, at, "an escape that is no character")
			continue
		}
		if first, twice := n.index[m.Name]; twice {
			c.errorf(m.At, at, "stands a second time, the first is in line %d", first.At.Line)
			continue
		}
		m.Value = c.convert(mv.Value, m.At, at)
		n.Members, n.index[m.Name] = append(n.Members, m), m
	}
}

func (c *converter) convertList(n *Node, values []ast.Node, path string) {
	n.Kind = Array
	if len(values) > maxItems {
		c.errorf(n.At, path, "%d elements, want at most %d", len(values), maxItems)
		return
	}
	for i, v := range values {
		n.Items = append(n.Items, c.convert(v, n.At, ElementPath(path, i)))
	}
}

// follow goes to a location of the schema library and returns the node there, its
// path in our words, and where its key or element begins.
func (n *Node) follow(location []string) (found *Node, path string, key Position) {
	found, key = n, n.At
	for _, step := range location {
		if found.Kind == Array {
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(found.Items) {
				break
			}
			found = found.Items[i]
			path, key = ElementPath(path, i), found.At
			continue
		}
		m := found.Lookup(step)
		if m == nil {
			break
		}
		found, path, key = m.Value, MemberPath(path, step), m.At
	}
	return found, path, key
}
