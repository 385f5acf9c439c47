package declare

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// A node is a value of the file with its place. Its methods take a nil node
// for an absent value.
type node struct {
	kind jsonKind
	at   position
	// text is a string's value, or the source text of another scalar.
	text    string
	members []*member // of a mapping, in the order of the file
	index   map[string]*member
	items   []*node // of a list
}

// A member is a key of a mapping and its value; at is the key's place.
type member struct {
	name  string
	at    position
	value *node
}

// jsonKind is a node's type, in the words of JSON Schema.
type jsonKind string

const (
	objectKind  jsonKind = "object"
	arrayKind   jsonKind = "array"
	stringKind  jsonKind = "string"
	numberKind  jsonKind = "number"
	booleanKind jsonKind = "boolean"
	nullKind    jsonKind = "null"
)

func (n *node) lookup(name string) *member {
	if n == nil {
		return nil
	}
	return n.index[name]
}

// child returns the value of a member; nil where it is absent or empty.
func (n *node) child(name string) *node {
	m := n.lookup(name)
	if m == nil || m.value.kind == nullKind {
		return nil
	}
	return m.value
}

// keyOf returns where the key of a member stands; the zero value where absent.
func (n *node) keyOf(name string) position {
	if m := n.lookup(name); m != nil {
		return m.at
	}
	return position{}
}

func (n *node) string() string {
	if n == nil || n.kind != stringKind {
		return ""
	}
	return n.text
}

func (n *node) boolean() bool {
	return n != nil && n.kind == booleanKind && strings.EqualFold(n.text, "true")
}

// strings returns the strings of a list: nil where it is absent, empty but not
// nil where it is there without any.
func (n *node) strings() []string {
	if n == nil || n.kind != arrayKind {
		return nil
	}
	list := make([]string, len(n.items))
	for i, item := range n.items {
		list[i] = item.string()
	}
	return list
}

// value returns n as the JSON Schema library wants it.
func (n *node) value() any {
	switch n.kind {
	case objectKind:
		object := make(map[string]any, len(n.members))
		for _, m := range n.members {
			object[m.name] = m.value.value()
		}
		return object
	case arrayKind:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = item.value()
		}
		return list
	case stringKind:
		return n.text
	case booleanKind:
		return n.boolean()
	case numberKind:
		return 0.0 // the schema has no numbers: only the type is looked at
	}
	return nil
}

// A converter makes nodes of the library's syntax tree, and keeps what it
// finds wrong on the way.
type converter struct {
	src  *source
	errs Errors
}

func (c *converter) errorf(at position, path, format string, args ...any) {
	c.errs = append(c.errs, c.src.errorf(at, path, format, args...))
}

// convert makes a node of v; an empty value stands where key stands.
func (c *converter) convert(v ast.Node, key position, path string) *node {
	n := &node{at: valuePosition(v)}
	switch v := v.(type) {
	case *ast.MappingNode:
		c.convertMapping(n, v.Values, path)
	case *ast.MappingValueNode:
		c.convertMapping(n, []*ast.MappingValueNode{v}, path)
	case *ast.SequenceNode:
		c.convertList(n, v.Values, path)
	case *ast.StringNode:
		n.kind, n.text = stringKind, v.Value
	case *ast.LiteralNode:
		n.kind, n.text = stringKind, v.Value.Value
	case *ast.BoolNode:
		n.kind, n.text = booleanKind, v.GetToken().Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		n.kind, n.text = numberKind, v.GetToken().Value
	case *ast.NullNode:
		n.kind, n.text, n.at = nullKind, v.GetToken().Value, key
	default:
		c.errorf(n.at, path, "a value that this file has no use for, want a mapping, a list, a text, true or false")
		n.kind = nullKind
	}
	if !utf8.ValidString(n.text) {
		c.errorf(n.at, path, "an escape that is no character")
	}
	return n
}

func (c *converter) convertMapping(n *node, values []*ast.MappingValueNode, path string) {
	n.kind, n.index = objectKind, make(map[string]*member, len(values))
	for _, mv := range values {
		m := &member{at: tokenPosition(mv.Key.GetToken())}
		switch k := mv.Key.(type) {
		case *ast.StringNode:
			m.name = k.Value
		case *ast.BoolNode, *ast.NullNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
			m.name = k.GetToken().Value
		default:
			c.errorf(m.at, path, "a key that is no plain name")
			continue
		}
		at := memberPath(path, m.name)
		if !utf8.ValidString(m.name) {
			c.errorf(m.at, at, "an escape that is no character")
			continue
		}
		if first, twice := n.index[m.name]; twice {
			c.errorf(m.at, at, "stands a second time, the first is in line %d", first.at.line)
			continue
		}
		m.value = c.convert(mv.Value, m.at, at)
		n.members, n.index[m.name] = append(n.members, m), m
	}
}

func (c *converter) convertList(n *node, values []ast.Node, path string) {
	n.kind = arrayKind
	if len(values) > maxItems {
		c.errorf(n.at, path, "%d elements, want at most %d", len(values), maxItems)
		return
	}
	for i, v := range values {
		n.items = append(n.items, c.convert(v, n.at, elementPath(path, i)))
	}
}

// follow goes to a location of the schema library and returns the node there, its
// path in our words, and where its key or element begins.
func (n *node) follow(location []string) (found *node, path string, key position) {
	found, key = n, n.at
	for _, step := range location {
		if found.kind == arrayKind {
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(found.items) {
				break
			}
			found = found.items[i]
			path, key = elementPath(path, i), found.at
			continue
		}
		m := found.lookup(step)
		if m == nil {
			break
		}
		found, path, key = m.value, memberPath(path, step), m.at
	}
	return found, path, key
}
