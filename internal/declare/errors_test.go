package declare

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/strictyaml"
)

func TestParseReportsAll(t *testing.T) {
	_, err := Parse([]byte("toolz: 1\nserver: {cmd: x}\npublisher: {url: 7}\n"))
	want := `mcp-integrity.yaml:1:1: toolz: unknown member, did you mean "tools"?
mcp-integrity.yaml:2:10: server.cmd: unknown member, want one of command, env
mcp-integrity.yaml:3:18: publisher.url: is the number 7, want a text: write "7"`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if other := errors.New("other"); In("x", other) != other {
		t.Error("In changed an error of another kind")
	}
	named := In("server/declarations.yaml", err)
	if got := named.Error(); strings.Count(got, "server/declarations.yaml:") != 3 {
		t.Errorf("In: got\n%s", got)
	}
	if err.Error() != want {
		t.Error("In changed the error that it was given")
	}

	var b strings.Builder
	for i := range 500 {
		fmt.Fprintf(&b, "x%d: 1\n", i)
	}
	_, err = Parse([]byte(b.String()))
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != strictyaml.MaxErrors+1 {
		t.Fatalf("got %d errors, want %d", len(errs), strictyaml.MaxErrors+1)
	}
	if got, want := errs[strictyaml.MaxErrors].Error(), "mcp-integrity.yaml:51:1: and 450 more errors from here on"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestPlaces puts a slip behind each construct that a YAML reader may lose
// count of lines in.
func TestPlaces(t *testing.T) {
	for _, before := range []string{
		"", "\ufeff", "# c\n\n# d\n", "---\n", "publisher:\n\n\n\n",
		"publisher:\n  id: \"a\n    b\"\n", "publisher:\n  id: \"a\\\n    b\"\n", "publisher:\n  id: \"\n  a\n  \"\n",
		"publisher:\n  id: 'a\n\n    b'\n", "publisher:\n  id: 'a\n    b'   # c\n\n",
		"publisher:\n  id: a\n    b\n    c\n",
		"publisher:\n  id: |\n    a\n\n    b\n", "publisher:\n  id: |\n\n    a\n", "publisher:\n  id: |+\n    a\n\n\n\n",
		"publisher:\n  id: |2-\n      a\n    b\n", "publisher:\n  id: >-\n    a\n\n    b\n\n\n",
		"publisher:\n  id: >\n    a\n     b\n\n    c\n  # c\n", "publisher:\r\n  id: |\r\n    a\r\n    b\r\n",
		"publisher: {\n  id: x\n  }\n", "publisher: {id: 'a\n b', url: 'https://x.example'}\n",
		"publisher:\n  id: \"😀é\"\n", "artifact:\n- a\n-  b\n# c\n- >\n  x\n", "artifact: [\n a, # x\n b\n]\n",
		"tools:\n  x:\n    # c\n\n  y:\n",
	} {
		line := strings.Count(before, "\n") + 1
		for slip, want := range map[string]strictyaml.Position{
			"defaults:\n  oops: 1\n":         {Line: line + 1, Column: 3},
			"defaults: {oops: 1}\n":          {Line: line, Column: 12},
			"'defaults'  :  { 'oops' : 1}\n": {Line: line, Column: 18},
		} {
			_, err := Parse([]byte(before + slip))
			var e *Error
			if !errors.As(err, &e) || e.Line != want.Line || e.Column != want.Column || e.Path != "defaults.oops" {
				t.Errorf("%q: got %v, want %d:%d: defaults.oops", before+slip, err, want.Line, want.Column)
			}
		}
	}
}

func TestExcerpt(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"key": {"defaults:\n  side_effects:\n    network_egres: true # ?\n",
			"3 |     network_egres: true # ?\n  |     ^^^^^^^^^^^^^\n"},
		"value":     {"artifact: hello\n", "1 | artifact: hello\n  |           ^^^^^\n"},
		"two lines": {"artifact: 'he\n  llo'\n", "1 | artifact: 'he\n  |           ^^^\n"},
		"unseen":    {"artifact: a\u202eb\n", "1 | artifact: a b\n  |            ^\n"},
		"end":       {"artifact: [\n", "1 | artifact: [\n  |           ^\n"},
		"empty":     {"", ""},
		"line ten":  {strings.Repeat("\n", 9) + "oops: 1", "10 | oops: 1\n   | ^^^^\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.in))
			var e *Error
			if !errors.As(err, &e) {
				e = &Error{Line: 1, Column: 1}
			}
			if got := e.Excerpt(); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}
