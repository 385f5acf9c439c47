package declare

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// FuzzParse: no input panics; an error is about a place in the input; what is
// accepted can be sealed as it stands.
func FuzzParse(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "suggested.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	for _, seed := range []string{
		whole + "tools:\n  yes: {side_effects: {writes: [filesystem]}}\n  \"a\\n\":\n", "tools: {a: {side_effects: " + effects(", network_endpoints: ['*']") + ", capabilities_required: []}}",
		"publisher:\n  id: |\n    a\n  url: >-\n   b\n", "a: &x [*x, !!str <<]\n? b\n: c\n---\n...\n%TAG", "\ufeff\"\\ud83d\\ude00\\x00\": 'it''s'\r\n", "server: {command: [a, 1, ~], env: {A: 1e3}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			checkErrors(t, data, err)
			return
		}
		for _, name := range append(file.Tools(), "a tool that is not listed") {
			d := file.Declaration(name)
			checkSealable(t, d)
			if d.Origin != Undeclared && (d.Line < 1 || d.Line > strings.Count(string(data), "\n")+1) {
				t.Errorf("%q: declared in line %d", name, d.Line)
			}
			Contradictions(fingerprint.Tool{Name: name, Annotations: data}, d)
		}
	})
}

func checkErrors(t *testing.T, data []byte, err error) {
	t.Helper()
	var errs Errors
	if !errors.As(err, &errs) || len(errs) == 0 {
		t.Fatalf("%v is no Errors", err)
	}
	for _, e := range errs {
		if e.Line < 1 || e.Column < 1 || e.Line > strings.Count(string(data), "\n")+1 {
			t.Errorf("%d:%d is no place in the file: %s", e.Line, e.Column, e.Message)
		}
		for _, text := range []string{e.Error(), strings.ReplaceAll(e.Excerpt(), "\n", "")} {
			if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x202e }) {
				t.Errorf("%q moves the cursor", text)
			}
		}
	}
}

// FuzzSuggest: whatever a tool says of itself, the file reads back, lists it by
// its name, and holds when the suggestion is taken over.
func FuzzSuggest(f *testing.F) {
	for _, n := range nasty {
		f.Add(n, "about "+n, n+" path", []byte(`{"readOnlyHint":true}`))
	}
	f.Fuzz(func(t *testing.T, name, description, property string, annotations []byte) {
		tools := []fingerprint.Tool{
			{Name: "first"},
			{Name: name, Description: description, Annotations: annotations,
				InputSchema: mustJSON(map[string]any{"properties": map[string]any{property: true, "url": true}})},
			{Name: "last"},
		}
		if name == "first" || name == "last" {
			tools = tools[1:2]
		}
		out, err := Suggest(Facts{ServerName: description, EnvNames: []string{"A"}, Command: []string{"x" + strings.ToValidUTF8(strings.ReplaceAll(property, "\x00", ""), "")}}, tools)
		if !utf8.ValidString(name) || len(name)+len(description)+len(property) > MaxSize/16 {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, tool := range tools {
			file, err := Parse([]byte(uncomment(string(out), i)))
			if err != nil {
				t.Fatalf("%s\n%v", out, err)
			}
			if got := file.Tools()[i]; got != tool.Name {
				t.Errorf("got %q, want %q", got, tool.Name)
			}
			for _, c := range Contradictions(tool, file.Declaration(tool.Name)) {
				if c.Severity == Conflict && file.Declaration(tool.Name).Origin == Own {
					t.Errorf("%s: %s", c.Member, c.Message)
				}
			}
		}
	})
}
