package clients

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// document is one configuration file: JSON (RFC 8259) with the comments and the
// trailing commas that VS Code, Zed and Gemini CLI accept. They are blanked out
// in place, so that what is left is JSON whose every byte stands where it stood,
// and a line is the line in the editor.
type document struct {
	data  []byte
	lines []int // offsets of the newlines
	root  value
}

// value is the text of a JSON value, and where in the document it begins.
type value struct {
	text []byte
	at   int
}

// member is a member of an object; at is in its name.
type member struct {
	name  string
	at    int
	value value
}

// hit is what a path leads to; star is the name that `*` stood for.
type hit struct {
	value value
	star  string
}

// fault is what is wrong, and where. Its text never has a value in it.
type fault struct {
	line int
	text string
	name string // the name that stands twice, if it is that
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// parse takes data over and changes it. A file of nothing is an empty object,
// as editors leave it.
func parse(data []byte) (*document, *fault) {
	d := &document{data: data}
	if bytes.HasPrefix(data, byteOrderMark) {
		copy(data, "   ")
	}
	for i, c := range data {
		if c == '\n' {
			d.lines = append(d.lines, i)
		}
	}
	blank(data)
	if len(bytes.TrimSpace(data)) == 0 {
		d.root = value{text: []byte("{}")}
		return d, nil
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true))
	v, err := dec.ReadValue()
	end := int(dec.InputOffset())
	if err != nil {
		if bad, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
			end = int(bad.ByteOffset)
		}
		return nil, d.notJSON(end)
	}
	start := end - len(v)
	if rest := bytes.TrimLeft(data[end:], " \t\r\n"); len(rest) > 0 {
		return nil, d.notJSON(len(data) - len(rest))
	}
	if v.Kind() != '{' {
		return nil, &fault{line: d.line(start), text: "not a JSON object"}
	}
	d.root = value{data[start:end], start}
	return d, nil
}

// notJSON says where, and leaves out what the library says: it quotes the text.
func (d *document) notJSON(at int) *fault {
	return &fault{line: d.line(at), text: "not JSON (comments and trailing commas are allowed)"}
}

// line returns the line of an offset, from 1.
func (d *document) line(at int) int {
	i, _ := slices.BinarySearch(d.lines, at)
	return i + 1
}

// object returns the members of an object in their order. Of a name that stands
// twice the last one is returned, as clients take it, and a fault names it.
func (d *document) object(v value) ([]member, []fault) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(v.text), jsontext.AllowDuplicateNames(true))
	if dec.PeekKind() != '{' {
		return nil, []fault{{line: d.line(v.at), text: "not an object where one is expected"}}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, []fault{*d.notJSON(v.at)}
	}
	var all []member
	var bad []fault
	index := map[string]int{}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return all, append(bad, *d.notJSON(v.at))
		}
		m := member{name: name.String(), at: v.at + int(dec.InputOffset()) - 1}
		text, err := dec.ReadValue()
		if err != nil {
			return all, append(bad, *d.notJSON(m.at))
		}
		end := int(dec.InputOffset())
		m.value = value{v.text[end-len(text) : end], v.at + end - len(text)}
		if i, twice := index[m.name]; twice {
			if len(bad) < maxProblems {
				bad = append(bad, d.twice(m, all[i]))
			}
			all[i].at = -1
		}
		index[m.name] = len(all)
		all = append(all, m)
	}
	return slices.DeleteFunc(all, func(m member) bool { return m.at < 0 }), bad
}

func (d *document) twice(m, first member) fault {
	return fault{d.line(m.at), fmt.Sprintf("%.100q stands twice, first in line %d: the last one counts", m.name, d.line(first.at)), m.name}
}

// lookup walks from the root along names, in which `*` is every member, and
// returns what is there. What is absent, or null, is no fault.
func (d *document) lookup(path []string) ([]hit, []fault) {
	hits := []hit{{value: d.root}}
	var bad []fault
	for _, name := range path {
		var next []hit
		for _, h := range hits {
			if h.value.isNull() {
				continue
			}
			members, b := d.object(h.value)
			// That a name stands twice matters on the way only: settings have
			// many others.
			bad = append(bad, slices.DeleteFunc(b, func(f fault) bool { return f.name != "" && f.name != name && name != "*" })...)
			for _, m := range members {
				switch {
				case name == "*":
					next = append(next, hit{m.value, m.name})
				case name == m.name:
					next = append(next, hit{m.value, h.star})
				}
			}
		}
		hits = next
	}
	kept := hits[:0]
	for _, h := range hits {
		if !h.value.isNull() {
			kept = append(kept, h)
		}
	}
	return kept, bad
}

func (v value) kind() jsontext.Kind { return jsontext.Value(v.text).Kind() }
func (v value) isNull() bool        { return v.kind() == 'n' }
func (v value) isObject() bool      { return v.kind() == '{' }

// str returns the string that v is.
func (v value) str() (string, bool) {
	if v.kind() != '"' {
		return "", false
	}
	s, err := jsontext.AppendUnquote(nil, v.text)
	return string(s), err == nil
}

// strings returns the strings of an array of strings.
func (d *document) strings(v value) ([]string, bool) {
	values, ok := d.array(v)
	all := make([]string, 0, len(values))
	for _, e := range values {
		s, isString := e.str()
		ok = ok && isString
		all = append(all, s)
	}
	return all, ok
}

// array returns the values of an array of at most maxArgs.
func (d *document) array(v value) ([]value, bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(v.text))
	if dec.PeekKind() != '[' {
		return nil, false
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, false
	}
	var all []value
	for dec.PeekKind() != ']' {
		text, err := dec.ReadValue()
		if err != nil || len(all) == maxArgs {
			return nil, false
		}
		end := int(dec.InputOffset())
		all = append(all, value{v.text[end-len(text) : end], v.at + end - len(text)})
	}
	return all, true
}

// blank overwrites comments and trailing commas with spaces, newlines excepted.
// It goes over the text once and does not call itself, so that depth costs
// nothing. It does not look whether the text is JSON, which comes after it: text
// without comments and trailing commas stays as it is.
func blank(b []byte) {
	comma := -1     // a comma after which only blanks have come
	var before byte // what stood before it
	var last byte   // the last byte that is neither blank nor comment
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == '"':
			i, last, comma = stringEnd(b, i), c, -1
			continue
		case c == '/' && i+1 < len(b) && (b[i+1] == '/' || b[i+1] == '*'):
			end, ok := commentEnd(b, i)
			if !ok {
				return // unclosed: left as it is, which is no JSON
			}
			for ; i < end; i++ {
				if b[i] != '\n' && b[i] != '\r' {
					b[i] = ' '
				}
			}
			continue
		case c == ',':
			comma, before, last = i, last, c
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		default:
			// A comma that follows no value is not a trailing one.
			if (c == '}' || c == ']') && comma >= 0 && before != 0 && before != ',' && before != '[' && before != '{' && before != ':' {
				b[comma] = ' '
			}
			last, comma = c, -1
		}
		i++
	}
}

// stringEnd returns the offset behind the string that begins at i.
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// commentEnd returns the offset behind the comment that begins at i.
func commentEnd(b []byte, i int) (int, bool) {
	if b[i+1] == '/' {
		if n := bytes.IndexAny(b[i:], "\r\n"); n >= 0 {
			return i + n, true
		}
		return len(b), true
	}
	n := bytes.Index(b[i+2:], []byte("*/"))
	return i + 2 + n + 2, n >= 0
}
