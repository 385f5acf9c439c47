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
// The library is go-json-experiment's jsontext, by the authors of Go's own
// encoding/json: it refuses all of the above but large numbers, which this
// package refuses itself. The tests hold it against a second library, gowebpki's
// jcs, on RFC 8785's own data and by fuzzing: both accept the same texts and
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
)

// MaxDepth bounds nested arrays and objects. The deepest schema seen in 35
// real servers has 24 levels; the readers of MCP SDKs stop at 1,000.
const MaxDepth = 1000

// ErrDepth says that a text nests deeper than [MaxDepth].
var ErrDepth = fmt.Errorf("nested deeper than %d levels", MaxDepth)

// Canonical returns the RFC 8785 form of the one JSON value in data, or an
// error that says what is wrong and at which JSON pointer or byte.
func Canonical(data []byte) ([]byte, error) {
	if err := checkDepth(data); err != nil {
		return nil, err
	}
	out := jsontext.Value(bytes.Clone(data))
	if err := out.Canonicalize(); err != nil {
		return nil, shorten(err)
	}
	// jsontext writes a number that is too large as the largest double. Only
	// where that one stands can there have been such a number.
	if bytes.Contains(out, largest) {
		if err := checkRange(data); err != nil {
			return nil, err
		}
	}
	return out, nil
}

var largest = strconv.AppendFloat(nil, math.MaxFloat64, 'e', -1, 64)

// checkRange refuses numbers outside binary64: 1e400 and 1e999 would share one
// digest.
func checkRange(data []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	for {
		token, err := d.ReadToken()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return shorten(err)
		}
		if token.Kind() != '0' {
			continue
		}
		if _, err := strconv.ParseFloat(token.String(), 64); err != nil {
			return fmt.Errorf("not strict JSON: the number %.40q at %.100q is outside IEEE 754 binary64", token.String(), d.StackPointer())
		}
	}
}

// Check returns nil when data is one JSON value by the rules above.
func Check(data []byte) error {
	_, err := Canonical(data)
	return err
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

// checkDepth runs before any parser: it needs no memory, so a text of a
// hundred thousand brackets costs one pass over its bytes.
func checkDepth(data []byte) error {
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
				return ErrDepth
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// maxMessage keeps a stranger's text from filling our error: the
// library quotes what it dislikes.
const maxMessage = 300

func shorten(err error) error {
	if err == nil {
		return nil
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) && semantic.JSONPointer != "" {
		what := "does not fit there"
		switch {
		case errors.Is(err, json.ErrUnknownName):
			what = "is a member that is not known there"
		case semantic.Err != nil:
			what = semantic.Err.Error()
		}
		err = fmt.Errorf("%.200s: %.200s", semantic.JSONPointer, what)
	}
	msg := err.Error()
	if len(msg) <= maxMessage {
		return fmt.Errorf("not strict JSON: %w", err)
	}
	return errors.New("not strict JSON: " + msg[:maxMessage/2] + " … " + msg[len(msg)-maxMessage/2:])
}
