package scan

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// list is a JSON array that is read element by element, so that a report of
// sixty million bytes like [{},{},…] needs no memory by the element.
type list[T any] struct {
	start   func(*T) // before an element is decoded; may be nil
	each    func(*T) // after
	n       int
	present bool // an array stood there; null and nothing are not
}

// UnmarshalJSONFrom hands each element to l.each and forgets it.
func (l *list[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == 'n' {
		return d.SkipValue()
	}
	if k := d.PeekKind(); k != '[' {
		return fmt.Errorf("got %s, want an array", k)
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	l.present = true
	for d.PeekKind() != ']' {
		var v T
		if l.start != nil {
			l.start(&v)
		}
		if err := item(d, &v, l.n); err != nil {
			return err
		}
		l.n++
		if l.each != nil {
			l.each(&v)
		}
	}
	_, err := d.ReadToken()
	return err
}

// members is a JSON object that is read member by member.
type members[T any] struct {
	each func(name string, v *T)
	n    int
}

// UnmarshalJSONFrom hands each member to m.each and forgets it.
func (m *members[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == 'n' {
		return d.SkipValue()
	}
	if k := d.PeekKind(); k != '{' {
		return fmt.Errorf("got %s, want an object", k)
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		var v T
		if err := item(d, &v, m.n); err != nil {
			return err
		}
		m.n++
		if m.each != nil {
			m.each(name, &v)
		}
	}
	_, err := d.ReadToken()
	return err
}

// item decodes one value. null would be an item of which nothing is known.
func item(d *jsontext.Decoder, v any, n int) error {
	if d.PeekKind() == 'n' {
		return fmt.Errorf("got null, want a value")
	}
	if n >= maxItems {
		return fmt.Errorf("got more than %d items", maxItems)
	}
	return json.UnmarshalDecode(d, v)
}

// skip is a value that nobody looks at.
type skip struct{}

// UnmarshalJSONFrom reads over the value.
func (*skip) UnmarshalJSONFrom(d *jsontext.Decoder) error { return d.SkipValue() }

// unknowns takes the members that the struct around it does not name.
type unknowns struct {
	//lint:ignore SA5008 it is an option of go-json-experiment, not of encoding/json
	Unknown jsontext.Value `json:",embed"`
}
