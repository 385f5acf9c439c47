package lineage

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

func parseTools(t testing.TB, raws ...string) []fingerprint.Tool {
	t.Helper()
	var list [][]byte
	for _, raw := range raws {
		list = append(list, []byte(raw))
	}
	tools, err := fingerprint.ParseTools(list)
	if err != nil {
		t.Fatal(err)
	}
	return tools
}

func TestDiff(t *testing.T) {
	const plain = `{"name":"a","description":"Reads a file.","inputSchema":{"type":"object"}}`
	for _, c := range []struct {
		name     string
		old, new []string
		want     string // the changes as JSON
	}{
		{"nothing", nil, nil, `null`},
		{"the same", []string{plain}, []string{plain}, `null`},
		{"another order of tools",
			[]string{plain, `{"name":"b","inputSchema":{}}`},
			[]string{`{"name":"b","inputSchema":{}}`, plain}, `null`},
		{"other bytes of the same value",
			[]string{`{"name":"a","inputSchema":{"maximum":1.0,"type":"object"}}`},
			[]string{` {"inputSchema" : {"type":"object","maximum":1}, "name":"a","description":null,"annotations":null}`}, `null`},
		{"a description",
			[]string{plain},
			[]string{strings.Replace(plain, "Reads", "Deletes", 1)},
			`[{"name":"a","kind":"changed","components":["description"],"description":[
				{"op":"delete","text":"Reads"},{"op":"insert","text":"Deletes"},{"op":"equal","text":" a file."}]}]`},
		{"every component",
			[]string{`{"name":"a","description":"x","inputSchema":{},"annotations":{"readOnlyHint":true}}`},
			[]string{`{"name":"a","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":false},"outputSchema":{}}`},
			`[{"name":"a","kind":"changed","components":["description","input_schema","annotations","output_schema"],
				"description":[{"op":"delete","text":"x"}],
				"schema":[
					{"component":"input_schema","path":"/type","kind":"added","new":"object"},
					{"component":"annotations","path":"/readOnlyHint","kind":"changed","old":true,"new":false},
					{"component":"output_schema","path":"","kind":"added","new":{}}]}]`},
		{"added and removed, by name",
			[]string{`{"name":"b","inputSchema":{}}`},
			[]string{`{"name":"c","description":"New.","title":"C","inputSchema":{},"annotations":{}}`, `{"name":"a","inputSchema":{}}`},
			`[{"name":"a","kind":"added","components":["description","input_schema"],
				"schema":[{"component":"input_schema","path":"","kind":"added","new":{}}]},
			  {"name":"b","kind":"removed","components":["description","input_schema"],
				"schema":[{"component":"input_schema","path":"","kind":"removed","old":{}}]},
			  {"name":"c","kind":"added","components":["description","input_schema","annotations"],
				"description":[{"op":"insert","text":"New."}],
				"schema":[
					{"component":"input_schema","path":"","kind":"added","new":{}},
					{"component":"annotations","path":"","kind":"added","new":{}}],
				"unsealed":[{"path":"/title","kind":"added","new":"C"}]}]`},
		{"names by exact bytes",
			[]string{`{"name":"é","inputSchema":{}}`}, []string{`{"name":"e\u0301","inputSchema":{}}`},
			`[{"name":"e\u0301","kind":"added","components":["description","input_schema"],
				"schema":[{"component":"input_schema","path":"","kind":"added","new":{}}]},
			  {"name":"é","kind":"removed","components":["description","input_schema"],
				"schema":[{"component":"input_schema","path":"","kind":"removed","old":{}}]}]`},
		{"only what no fingerprint covers",
			[]string{`{"name":"a","title":"Read","inputSchema":{},"icons":[]}`},
			[]string{`{"name":"a","title":"Delete it","inputSchema":{},"_meta":{"x":1},"icons":[]}`},
			`[{"name":"a","kind":"unsealed","unsealed":[
				{"path":"/_meta","kind":"added","new":{"x":1}},
				{"path":"/title","kind":"changed","old":"Read","new":"Delete it","text":[
					{"op":"delete","text":"Read"},{"op":"insert","text":"Delete it"}]}]}]`},
		{"a member that differs from a sealed one in case",
			[]string{`{"name":"a","inputSchema":{},"Description":"x"}`},
			[]string{`{"name":"a","inputSchema":{},"Description":"y"}`},
			`[{"name":"a","kind":"unsealed","unsealed":[{"path":"/Description","kind":"changed","old":"x","new":"y"}]}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := strictjson.Marshal(Diff(parseTools(t, c.old...), parseTools(t, c.new...)))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) == "[]" {
				got = []byte("null")
			}
			want, err := strictjson.Canonical([]byte(c.want))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(indent(t, want), indent(t, got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func indent(t testing.TB, raw []byte) string {
	t.Helper()
	v := jsontext.Value(raw).Clone()
	if err := v.Indent(); err != nil {
		t.Fatal(err)
	}
	return string(v)
}

// Both JSON packages of the house print a change alike.
func TestChangesMarshalAlike(t *testing.T) {
	changes := Diff(
		parseTools(t, `{"name":"a","description":"x","inputSchema":{"a":null,"b":1}}`),
		parseTools(t, `{"name":"a","description":"y","inputSchema":{"b":null}}`))
	std, err := stdjson.Marshal(changes)
	if err != nil {
		t.Fatal(err)
	}
	exp, err := json.Marshal(changes)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(std, exp) {
		t.Errorf("encoding/json: %s\njson/v2:       %s", std, exp)
	}
}

func TestDiffLeavesItsInputAlone(t *testing.T) {
	old := parseTools(t, `{"name":"b","inputSchema":{}}`, `{"name":"a","inputSchema":{}}`)
	before := fmt.Sprint(old)
	Diff(old, old[:1])
	if after := fmt.Sprint(old); after != before {
		t.Errorf("got %s, want %s", after, before)
	}
}

// Lists that ParseTools would refuse lose no tool, and nothing panics.
func TestDiffOfWhatIsNoTool(t *testing.T) {
	twice := append(parseTools(t, `{"name":"a","inputSchema":{}}`), parseTools(t, `{"name":"a","inputSchema":{"x":1}}`)...)
	if got := Diff(twice[:1], twice); len(got) != 1 || got[0].Kind != Added {
		t.Errorf("a name that stands twice: %+v", got)
	}
	broken := []fingerprint.Tool{{Name: "a", Raw: []byte("{"), InputSchema: []byte(`{"x":`)}}
	if got := Diff(twice[:1], broken); len(got) != 1 || len(got[0].Schema) != 1 {
		t.Errorf("broken JSON: %+v", got)
	}
	bare := []fingerprint.Tool{{Name: "a", Description: "x"}}
	if got := Diff(bare, []fingerprint.Tool{{Name: "a", Description: "y"}}); len(got) != 1 || got[0].Kind != Changed {
		t.Errorf("without the whole's bytes: %+v", got)
	}
	Diff([]fingerprint.Tool{{}}, []fingerprint.Tool{{Name: "\xff"}})
}

func FuzzDiff(f *testing.F) {
	for _, s := range [][2]string{
		{`{"name":"a","inputSchema":{}}`, `{"name":"a","description":"x","inputSchema":{"type":"object"}}`},
		{`{"name":"a","inputSchema":{"required":["a","b"]}}`, `{"name":"a","inputSchema":{"required":["b","a","c"]}}`},
		{`{"name":"a","inputSchema":{"anyOf":[1,2,3]}}`, `{"name":"a","inputSchema":{"anyOf":[0,1,2,3]},"outputSchema":{}}`},
		{`{"name":"a","inputSchema":{"a/b":{"~":1}}}`, `{"name":"a","inputSchema":{"a/b":{"~":2}},"title":"x y"}`},
		{`{"name":"a","inputSchema":{"":"a b"},"annotations":{}}`, `{"name":"b","inputSchema":{"":"a c"}}`},
		{`{"name":"a","inputSchema":{"enum":[1,1,2]}}`, `{"name":"a","inputSchema":{"enum":[2,1,1.0]}}`},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, oldRaw, newRaw string) {
		old, err := fingerprint.ParseTool([]byte(oldRaw))
		if err != nil {
			return
		}
		new, err := fingerprint.ParseTool([]byte(newRaw))
		if err != nil {
			return
		}
		changes := Diff([]fingerprint.Tool{old}, []fingerprint.Tool{new})
		if old.Name != new.Name {
			if len(changes) != 2 {
				t.Errorf("%d changes between tools of two names, want 2", len(changes))
			}
			return
		}
		truthful(t, old, new, changes)
		back := Diff([]fingerprint.Tool{new}, []fingerprint.Tool{old})
		if len(back) != len(changes) || len(back) > 0 && len(back[0].Schema) != len(changes[0].Schema) {
			t.Errorf("%+v\nforwards, backwards\n%+v", changes, back)
		}
	})
}

// truthful fails when the changes are not those between two tools of one name.
func truthful(t *testing.T, old, new fingerprint.Tool, changes []ToolChange) {
	t.Helper()
	from, err := fingerprint.Of(old, digest.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	to, err := fingerprint.Of(new, digest.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	var c ToolChange
	if len(changes) > 0 {
		c = changes[0]
	}
	touched := map[fingerprint.Component]bool{}
	for _, s := range c.Schema {
		touched[s.Component] = true
		honest(t, part(&old, s.Component), part(&new, s.Component), s)
	}
	for _, s := range c.Unsealed {
		honest(t, old.Raw, new.Raw, s)
	}
	var components []fingerprint.Component
	for _, d := range fingerprint.Compare(from, to) {
		components = append(components, d.Component)
		if d.Component != fingerprint.Description && !touched[d.Component] && c.SchemaMore == 0 {
			t.Errorf("%s: digests differ, but no change is named", d.Component)
		}
	}
	if diff := cmp.Diff(components, c.Components); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
	if old.Description != new.Description {
		sides(t, old.Description, new.Description, c.Description)
	}
	if out, err := json.Marshal(changes); err != nil || !utf8.Valid(out) {
		t.Errorf("marshal %+v: %v", changes, err)
	}
}

// honest fails when a change does not point at what it shows.
func honest(t *testing.T, old, new []byte, s SchemaChange) {
	t.Helper()
	if len(s.Path) > maxPath || len(s.Old) > 2*maxValue+2 || len(s.New) > 2*maxValue+2 {
		t.Errorf("path of %d bytes, values of %d and %d: out of bounds", len(s.Path), len(s.Old), len(s.New))
	}
	if s.Kind != Added && s.OldSize == 0 {
		points(t, old, s.Path, s.Old)
	}
	if s.Kind != Removed && s.NewSize == 0 {
		points(t, new, s.Path, s.New)
	}
	if bytes.Equal(s.Old, s.New) && s.OldSize == s.NewSize {
		t.Errorf("%s: a change from %s to the same", s.Path, s.Old)
	}
}

func points(t *testing.T, doc []byte, path string, want jsontext.Value) {
	t.Helper()
	n := parse(doc)
	for step := range jsontext.Pointer(path).Tokens() {
		var next *node
		for i, m := range n.members {
			if n.kind() == '{' && m.name == step || n.kind() == '[' && fmt.Sprint(i) == step {
				next = m.node
			}
		}
		if n = next; n == nil {
			t.Fatalf("%s leads nowhere in %s", path, doc)
		}
	}
	if !bytes.Equal(n.raw, want) {
		t.Errorf("%s leads to %s, want %s", path, n.raw, want)
	}
}

// servers returns two versions of a server of n tools that look like real ones:
// every tool's description and schema differ a little.
func servers(t testing.TB, n int) (old, new []fingerprint.Tool) {
	tool := func(i int, verb, kind string) string {
		var props []string
		for p := range 12 {
			props = append(props, fmt.Sprintf(`"argument_%d":{"type":"%s","description":"The %s argument number %d of the tool, in the usual format."}`, p, kind, kind, p))
		}
		return fmt.Sprintf(`{"name":"tool_%d","description":"%s","inputSchema":{"type":"object","properties":{%s},"required":["argument_0","argument_1"]},"annotations":{"readOnlyHint":true}}`,
			i, strings.Repeat(verb+" a file from the disk and returns it to the caller. Use it when the user asks for it. ", 5), strings.Join(props, ","))
	}
	var from, to []string
	for i := range n {
		from, to = append(from, tool(i, "Reads", "string")), append(to, tool(i, "Fetches", "number"))
	}
	return parseTools(t, from...), parseTools(t, to...)
}

func BenchmarkDiff(b *testing.B) {
	old, new := servers(b, 500)
	hostile := unalike(b, 500)
	for name, pair := range map[string][2][]fingerprint.Tool{
		"equal":         {old, old},
		"all different": {old, new},
		"hostile":       hostile,
	} {
		b.Run(name, func(b *testing.B) {
			var size int64
			for _, t := range append(append([]fingerprint.Tool{}, pair[0]...), pair[1]...) {
				size += int64(len(t.Raw))
			}
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				Diff(pair[0], pair[1])
			}
		})
	}
}

// unalike returns two servers with nothing alike in any description, each as
// long as one comparison takes.
func unalike(t testing.TB, n int) (pair [2][]fingerprint.Tool) {
	for side := range pair {
		var raws []string
		for i := range n {
			var b strings.Builder
			for w := range 1000 {
				fmt.Fprintf(&b, "%d%c", w, ",;"[side])
			}
			raws = append(raws, fmt.Sprintf(`{"name":"t%d","description":"%d%s","inputSchema":{}}`, i, side, b.String()))
		}
		pair[side] = parseTools(t, raws...)
	}
	return pair
}
