package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

func TestCanonicalRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"nothing":                    ``,
		"two values":                 `1 2`,
		"text behind":                `{} x`,
		"byte order mark":            "\ufeff{}",
		"duplicate member":           `{"a":1,"a":2}`,
		"duplicate by escape":        `{"a":1,"\u0061":2}`,
		"duplicate deep inside":      `[{"x":[{"b":1,"b":1}]}]`,
		"invalid UTF-8":              "\"\xff\"",
		"overlong UTF-8":             "\"\xc0\xaf\"",
		"encoded surrogate":          "\"\xed\xa0\x80\"",
		"lone high surrogate":        `"\ud800"`,
		"lone low surrogate":         `"\udc00"`,
		"number beyond binary64":     `1e400`,
		"rounds to infinity":         `1.7976931348623159e308`,
		"leading zero":               `01`,
		"plus":                       `+1`,
		"NaN":                        `NaN`,
		"comment":                    `{} // x`,
		"trailing comma":             `[1,]`,
		"control character":          "\"\x01\"",
		"unfinished":                 `{"a":`,
		"nested too deep":            strings.Repeat("[", strictjson.MaxDepth+1) + strings.Repeat("]", strictjson.MaxDepth+1),
		"a hundred thousand levels":  strings.Repeat(`{"a":`, 100_000),
		"depth behind a quoted ends": `"\\"` + strings.Repeat("[", strictjson.MaxDepth+1),
	} {
		if err := strictjson.Check([]byte(data)); err == nil {
			t.Errorf("%s: passed Check", name)
		}
		if out, err := strictjson.Canonical([]byte(data)); err == nil {
			t.Errorf("%s: accepted as %.60q", name, out)
		} else if len(err.Error()) > 400 {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
	}
}

func TestCanonicalForm(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":1,"a":[ true , null ]}`:     `{"a":[true,null],"b":1}`,
		`"\u20ac\u0041\/"`:                `"€A/"`,
		`[1.0,-0,1e21,1e-7,0.1,1e3]`:      `[1,0,1e+21,1e-7,0.1,1000]`,
		`9007199254740993`:                `9007199254740992`,
		"{\"\U0001f600\":1,\"\ufb33\":2}": "{\"\U0001f600\":1,\"\ufb33\":2}", // UTF-16 order
		`"\ud83d\ude00"`:                  "\"\U0001f600\"",
		strings.Repeat("[", strictjson.MaxDepth) + strings.Repeat("]", strictjson.MaxDepth): strings.Repeat("[", strictjson.MaxDepth) + strings.Repeat("]", strictjson.MaxDepth),
	} {
		out, err := strictjson.Canonical([]byte(in))
		if err != nil || string(out) != want {
			t.Errorf("%.60q: got %.60q, %v; want %.60q", in, out, err, want)
		}
	}
}

// TestDeepAndUnsorted: a text that nests to the limit, with members out of order
// at every level, has the form that any other has (what it costs:
// BenchmarkCanonicalDeep).
func TestDeepAndUnsorted(t *testing.T) {
	var deep strings.Builder
	for range strictjson.MaxDepth - 1 {
		deep.WriteString(`{"z":0,"a":`)
	}
	deep.WriteString(`"` + strings.Repeat("x", 1<<20) + `"` + strings.Repeat("}", strictjson.MaxDepth-1))
	out, err := strictjson.Canonical([]byte(deep.String()))
	if err != nil || !strings.HasPrefix(string(out), `{"a":{"a":`) {
		t.Fatalf("got %.40q, %v", out, err)
	}
}

func BenchmarkCanonicalDeep(b *testing.B) {
	text := []byte(strings.Repeat(`{"z":0,"a":`, 900) + `"` + strings.Repeat("x", 1<<20) + `"` + strings.Repeat("}", 900))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := strictjson.Canonical(text); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDepthNamesItself(t *testing.T) {
	if err := strictjson.Check([]byte(strings.Repeat("[", 5000))); !errors.Is(err, strictjson.ErrDepth) {
		t.Errorf("got %v, want ErrDepth", err)
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	err := strictjson.Check([]byte(`{"tools":[{"name":"a"},{"name":"b","name":"c"}]}`))
	if err == nil || !strings.Contains(err.Error(), "/tools/1") || !strings.Contains(err.Error(), `"name"`) {
		t.Errorf("got %v, want the pointer /tools/1 and the name", err)
	}
}

func TestMemberNamesAreExact(t *testing.T) {
	var v struct {
		Name string `json:"name"`
	}
	if err := strictjson.Unmarshal([]byte(`{"Name":"x"}`), &v); err == nil {
		t.Errorf("Unmarshal took Name for name: %+v", v)
	}
	if err := strictjson.UnmarshalOpen([]byte(`{"Name":"x"}`), &v); err != nil || v.Name != "" {
		t.Errorf("UnmarshalOpen: got %+v, %v; want nothing", v, err)
	}
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{`{"b":1,"a":"\u00e9"}`, `[1e2,-0.0,"\ud83d\ude00"]`, `{"a":1,"a":2}`, "\"\xff\"", `1e400`, `[[[`, `1.7976931348623157e308`, `"1.7976931348623157e+308"`, `[1.7976931348623159e308,-1e999]`, `[5e-324,1e-400]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := strictjson.Canonical(data)
		second, errSecond := jcs.Transform(data)
		if check := strictjson.Check(data); (check == nil) != (err == nil) {
			t.Fatalf("%q: Check says %v, Canonical %v", data, check, err)
		}
		if errors.Is(err, strictjson.ErrDepth) {
			return // a bound of our own
		}
		if (err == nil) != (errSecond == nil) || !bytes.Equal(out, second) {
			t.Fatalf("%q: got %q, %v; the second library gives %q, %v", data, out, err, second, errSecond)
		}
		if err != nil {
			return
		}
		again, err := strictjson.Canonical(out)
		if err != nil || !bytes.Equal(again, out) {
			t.Errorf("the canonical form is not its own: %q then %q, %v", out, again, err)
		}
		// Whatever is strict JSON is JSON to everybody, with the same meaning.
		var a, b any
		if err := json.Unmarshal(data, &a); err != nil {
			t.Fatalf("accepted %q, which encoding/json refuses: %v", data, err)
		}
		if err := json.Unmarshal(out, &b); err != nil {
			t.Fatalf("made %q, which encoding/json refuses: %v", out, err)
		}
		if !reflect.DeepEqual(a, b) { // -0 equals 0, as RFC 8785 has it
			t.Errorf("another meaning: %v and %v", a, b)
		}
	})
}
