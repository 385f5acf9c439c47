package strictyaml

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// book is a kind of file that exists in tests only.
var book = &Format{
	Filename: "book.yaml", SchemaID: "https://example.com/book.json", InsteadOfMerge: "write it out",
	Schema: []byte(`{"$id": "https://example.com/book.json", "type": ["object", "null"], "additionalProperties": false, "properties": {
		"title": {"type": "string", "maxLength": 5}, "pages": {"type": "integer", "minimum": 1},
		"tags": {"type": ["array", "object"], "maxItems": 2, "items": {"pattern": "^a"}}}}`),
	Pattern: func(string) string { return "want what begins with a" },
}

func TestFormat(t *testing.T) {
	for in, want := range map[string]string{
		"titel: x\n":        `1:1: titel: unknown member, did you mean "title"?`,
		"title: abcdef\n":   "1:8: title: has 6 characters, want at most 5",
		"pages: 0\n":        "1:8: pages: is the number 0, want 1 at least",
		"pages: 1.0\n":      "1:8: pages: is the number 1.0, want a whole number",
		"pages: 1_0\n":      "1:8: pages: is the number 1_0, want a whole number",
		"pages: 0x10\n":     "1:8: pages: is the number 0x10, want a whole number",
		"pages: .nan\n":     "1:8: pages: is the number .nan, want a whole number",
		"pages: ten\n":      `1:8: pages: is the text "ten", want a whole number`,
		"tags: [a, a, a]\n": "1:7: tags: 3 elements, want at most 2",
		"tags: 1\n":         "1:7: tags: is the number 1, want a list or a mapping",
		"tags: [b]\n":       `1:8: tags[0]: is "b", want what begins with a`,
		"<<: x\n":           "1:1: a merge key (<<): write it out",
	} {
		_, err := book.Read([]byte(in))
		if err == nil || err.Error() != "book.yaml:"+want {
			t.Errorf("%q: got %v, want %s", in, err, want)
		}
	}
	doc, err := book.Read([]byte("pages: 300\ntags: [a, ab]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := doc.Root.Child("pages").Int(); got != 300 {
		t.Errorf("%d pages", got)
	}
	if got := doc.Root.Child("tags").Strings(); len(got) != 2 {
		t.Errorf("tags %q", got)
	}
	broken := &Format{Filename: "x", SchemaID: "https://example.com/x", Schema: []byte(`{"type": 1}`)}
	if _, err := broken.Read(nil); err == nil || !strings.HasPrefix(err.Error(), "schema of x: ") {
		t.Errorf("a schema that is none: got %v", err)
	}
}

// TestWrap: what goes wrong later keeps its cause, and no terminal moves.
func TestWrap(t *testing.T) {
	doc, err := book.Read([]byte("title: x\n"))
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("gone\x1b[2J" + strings.Repeat("x", 5_000))
	err = Errors{doc.Wrap(doc.Root.KeyOf("title"), "title", fmt.Errorf("open: %w", cause))}
	if !errors.Is(err, cause) || len(err.Error()) > 1_200 || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("got %.200q", err)
	}
	if !errors.Is(In("other.yaml", err), cause) {
		t.Error("In lost the cause")
	}
}

// FuzzRead: no input panics, and what is read is of the schema.
func FuzzRead(f *testing.F) {
	f.Add([]byte("title: 'x'\npages: 3\ntags:\n- a\n- \"ab\"\n"))
	f.Add([]byte("tags: {a: |\n  b\n, c: *d}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := book.Read(data)
		var errs Errors
		if err != nil && (!errors.As(err, &errs) || len(errs) == 0) {
			t.Fatalf("%v is no Errors", err)
		}
		if err == nil && len(doc.Root.Child("title").String()) > 4*5 {
			t.Errorf("title %q", doc.Root.Child("title"))
		}
	})
}
