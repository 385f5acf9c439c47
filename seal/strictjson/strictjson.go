// Package strictjson reads JSON that strangers wrote, in exactly one way.
//
// Two parsers that read one text differently are a way to show one thing to a
// reviewer and another to a model. So a text is refused (decision 3 of the
// project, beside RFC 8785 §3.1 and RFC 7493) when it has duplicate member
// names, invalid UTF-8, a lone surrogate, a number outside IEEE 754 binary64,
// anything behind the value, or more than [MaxDepth] nested values. Member
// names match by exact bytes: "Name" is not "name".
//
// The canonical form is RFC 8785 (JCS); it is made to be hashed, never to be
// compared with a signature.
//
// The libraries are go-json-experiment's jsontext, by the authors of Go's own
// encoding/json, which refuses all of the above but large numbers, and
// gowebpki's jcs for texts that nest deeply. The tests hold the two against each
// other, on RFC 8785's own data and by fuzzing: both accept the same texts and
// write the same bytes.
package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gowebpki/jcs"
)

// MaxDepth bounds nested arrays and objects: the readers of MCP SDKs stop at
// 1,000 levels, and so do we.
const MaxDepth = 1000

// flatDepth is the depth up to which jsontext makes the canonical form. It sorts
// a member again for every object around it, which costs a text of 1,000 levels
// a thousand passes; jcs takes one, and is slower on ordinary texts.
const flatDepth = 32

// ErrDepth says that a text nests deeper than [MaxDepth].
var ErrDepth = fmt.Errorf("nested deeper than %d levels", MaxDepth)

// Canonical returns the RFC 8785 form of the one JSON value in data, or an
// error that says what is wrong and at which JSON pointer or byte.
func Canonical(data []byte) ([]byte, error) {
	depth, err := depthOf(data)
	if err != nil {
		return nil, err
	}
	if depth > flatDepth {
		if err := walk(data); err != nil {
			return nil, err
		}
		out, err := jcs.Transform(data)
		return out, shorten(err)
	}
	out := jsontext.Value(bytes.Clone(data))
	if err := out.Canonicalize(); err != nil {
		return nil, shorten(err)
	}
	// jsontext writes a number that is too large as the largest double. Only
	// where that one stands can there have been such a number.
	if bytes.Contains(out, largest) {
		if err := walk(data); err != nil {
			return nil, err
		}
	}
	return out, nil
}

var largest = strconv.AppendFloat(nil, math.MaxFloat64, 'e', -1, 64)

// Check returns nil when data is one JSON value by the rules above. It takes
// one pass, whatever the text.
func Check(data []byte) error {
	if _, err := depthOf(data); err != nil {
		return err
	}
	return walk(data)
}

// walk reads every token: jsontext refuses what is no strict JSON, and numbers
// outside binary64 are refused here. 1e400 and 1e999 would share one digest.
func walk(data []byte) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(data)) // a Buffer is read in place
	if _, err := next(d); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return shorten(err)
	}
	for {
		done := d.StackDepth() == 0
		switch kind, err := next(d); {
		case err == io.EOF && done:
			return nil
		case err != nil:
			return shorten(err)
		case done:
			return fmt.Errorf("not strict JSON: %s behind the value", kind)
		}
	}
}

func next(d *jsontext.Decoder) (jsontext.Kind, error) {
	if d.PeekKind() == '0' {
		number, err := d.ReadValue()
		if err == nil && !inRange(number) {
			err = fmt.Errorf("the number %.40q at %.100q is outside IEEE 754 binary64", number, d.StackPointer())
		}
		return '0', err
	}
	token, err := d.ReadToken()
	if err != nil {
		return 0, err
	}
	return token.Kind(), nil
}

// inRange says whether a number fits a double. Up to 300 digits without an
// exponent always do.
func inRange(number []byte) bool {
	if len(number) <= 300 && !bytes.ContainsAny(number, "eE") {
		return true
	}
	_, err := strconv.ParseFloat(string(number), 64)
	return err == nil
}

// Unmarshal checks data and decodes it into v. Members that v does not know
// are an error.
func Unmarshal(data []byte, v any) error {
	if err := Check(data); err != nil {
		return err
	}
	return Decode(data, v)
}

// UnmarshalOpen is [Unmarshal] for documents that others may extend: members
// that v does not know are left out.
func UnmarshalOpen(data []byte, v any) error {
	if err := Check(data); err != nil {
		return err
	}
	return DecodeOpen(data, v)
}

// Decode is [Unmarshal] for data that [Check] or [Canonical] has accepted: it
// saves the second look.
func Decode(data []byte, v any) error {
	return shorten(json.Unmarshal(data, v, json.RejectUnknownMembers(true)))
}

// DecodeOpen is [UnmarshalOpen] for data that [Check] or [Canonical] has
// accepted.
func DecodeOpen(data []byte, v any) error {
	return shorten(json.Unmarshal(data, v))
}

// Marshal returns the RFC 8785 form of v.
func Marshal(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, shorten(err)
	}
	return Canonical(data)
}

// depthOf runs before any parser: it needs no memory, so a text of a hundred
// thousand brackets costs one pass over its bytes.
func depthOf(data []byte) (deepest int, err error) {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return depth, ErrDepth
			}
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest, nil
}

// maxMessage keeps a stranger's text from filling our error: the
// library quotes what it dislikes.
const maxMessage = 300

func shorten(err error) error {
	if err == nil {
		return nil
	}
	msg := err.Error()
	var semantic *json.SemanticError
	if errors.As(err, &semantic) && semantic.JSONPointer != "" {
		msg = fmt.Sprintf("%s: %s", semantic.JSONPointer, misfit(semantic))
	}
	if len(msg) > maxMessage {
		msg = msg[:maxMessage/2] + " … " + msg[len(msg)-maxMessage/2:]
	}
	return &refusal{"not strict JSON: " + msg, err}
}

// misfit says in words why a value does not fit, without names of Go.
func misfit(e *json.SemanticError) string {
	switch {
	case errors.Is(e, json.ErrUnknownName):
		return "a member that is not known there"
	case e.Err != nil:
		return e.Err.Error()
	}
	return "a value of this kind does not fit there"
}

// refusal is a library's error in our words; the error itself is behind it.
type refusal struct {
	msg string
	err error
}

func (r *refusal) Error() string { return r.msg }

func (r *refusal) Unwrap() error { return r.err }
