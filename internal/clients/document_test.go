package clients

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

func TestBlank(t *testing.T) {
	tests := []struct{ in, want string }{
		{`{"a": 1}`, `{"a": 1}`},
		{`{"a": 1,}`, `{"a": 1 }`},
		{"[1, // c\n]", "[1      \n]"},
		{"[1 /* , ] */ , /* x */ ]", "[1                     ]"},
		{"/*\n*/{}", "  \n  {}"},
		{"/*\r\n*/{}", "  \r\n  {}"},
		{`{"a": "// no", "b": "/* no */,]"}`, `{"a": "// no", "b": "/* no */,]"}`},
		{`{"a": "\"//"} // c`, `{"a": "\"//"}     `},
		{`{"a": "\\"} // c`, `{"a": "\\"}     `},
		{`[{},[],]`, `[{},[] ]`},
		// What is no trailing comma stays, and is refused.
		{`[,]`, `[,]`},
		{`[1,,]`, `[1,,]`},
		{`{"a":,}`, `{"a":,}`},
		{`{,}`, `{,}`},
		{`,]`, `,]`},
		{`[1, /* open`, `[1, /* open`},
		{`{"open: 1,}`, `{"open: 1,}`},
		{`"\`, `"\`},
		{`/`, `/`},
		{`//`, `  `},
		{`/*/`, `/*/`},
	}
	for _, tt := range tests {
		got := []byte(tt.in)
		blank(got)
		if string(got) != tt.want {
			t.Errorf("blank(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name, in string
		line     int
	}{
		{"an array", "\n []", 2},
		{"a string", `"x"`, 1},
		{"null", `null`, 1},
		{"half", "{\n\"a\":\n", 3},
		{"two", "{}\n{}", 2},
		{"a comma behind", "{}\n,", 2},
		{"single quotes", "{\n'a': 1}", 2},
		{"an open comment", "{\n/* }", 2},
		{"invalid UTF-8", "{\n\"a\": \"\xff\"}", 2},
		{"a lone surrogate", "{\n\"a\": \"\\ud800\"}", 2},
		{"UTF-16", "\xff\xfe{\x00}\x00", 1},
		{"depth", strings.Repeat("[", maxFile), 1},
		{"depth of objects", strings.Repeat(`{"a":`, maxFile/5), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, bad := parse([]byte(tt.in))
			if bad == nil {
				t.Fatalf("got %s, want a refusal", doc.root.text)
			}
			if bad.line != tt.line || len(bad.text) > 100 {
				t.Errorf("got line %d and %q, want line %d and a short text", bad.line, bad.text, tt.line)
			}
		})
	}
}

func TestParseAccepts(t *testing.T) {
	for _, in := range []string{"", " \n", "\xef\xbb\xbf", "\xef\xbb\xbf{\"a\": 1}", "// nothing\n", "{}\n// end", `{"a": 1, "a": 2}`} {
		if _, bad := parse([]byte(in)); bad != nil {
			t.Errorf("parse(%q): line %d: %s", in, bad.line, bad.text)
		}
	}
}

func TestLookup(t *testing.T) {
	doc, bad := parse([]byte(`{"x": 1, "x": 2, "p": {"a": {"s": 1}, "b": null, "c": 3},
		"p": {"d": {"s": 4}, "d": {"s": 5}, "e": {}}, "n": null}`))
	if bad != nil {
		t.Fatal(bad)
	}
	hits, faults := doc.lookup([]string{"p", "*", "s"})
	if len(hits) != 1 || string(hits[0].value.text) != "5" || hits[0].star != "d" || doc.line(hits[0].value.at) != 2 {
		t.Errorf("hits: %+v", hits)
	}
	var got []string
	for _, f := range faults {
		got = append(got, f.text)
	}
	want := []string{`"p" stands twice, first in line 1: the last one counts`, `"d" stands twice, first in line 2: the last one counts`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	for _, path := range [][]string{{"n"}, {"n", "s"}, {"absent"}, {"absent", "*"}} {
		if hits, faults := doc.lookup(path); len(hits)+len(faults) > 0 {
			t.Errorf("lookup(%q) = %v, %v, want nothing", path, hits, faults)
		}
	}
	if _, faults := doc.lookup([]string{"x", "s"}); len(faults) != 2 || faults[1].text != "not an object where one is expected" {
		t.Errorf("a path through a number: %v", faults)
	}
}

// FuzzBlank: JSON stays as it is, offsets and lines stay, twice is once.
func FuzzBlank(f *testing.F) {
	for _, s := range []string{`{"a": [1, 2,], // c` + "\n}", `/* "*/ {"a": "//\"",}`, `[1,/**/]`, `{"a":"\\"}`, `/`, `"\`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got := bytes.Clone(in)
		blank(got)
		if len(got) != len(in) || bytes.Count(got, []byte("\n")) != bytes.Count(in, []byte("\n")) {
			t.Fatalf("%q became %q", in, got)
		}
		if jsontext.Value(in).IsValid() && !bytes.Equal(in, got) {
			t.Fatalf("JSON was changed: %q became %q", in, got)
		}
		for i := range in {
			if got[i] != in[i] && got[i] != ' ' {
				t.Fatalf("byte %d of %q became %q", i, in, got)
			}
		}
		if again := bytes.Clone(got); jsontext.Value(got).IsValid() {
			if blank(again); !bytes.Equal(again, got) {
				t.Fatalf("%q became %q", got, again)
			}
		}
	})
}
