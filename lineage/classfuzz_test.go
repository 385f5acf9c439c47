package lineage

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// sideOf seals one tool of a fuzzer; false where it is none.
func sideOf(raw, declarations []byte) (Side, bool) {
	tool, err := fingerprint.ParseTool(raw)
	if err != nil {
		return Side{}, false
	}
	tool.Name = "t"
	d, err := fingerprint.Of(tool, digest.SHA256)
	if err != nil {
		return Side{}, false
	}
	s := seal.Tool{Name: "t", Interface: d}
	if strictjson.Decode(declarations, &s) != nil {
		return Side{}, false
	}
	return Side{&seal.Manifest{Tools: []seal.Tool{s}}, []fingerprint.Tool{tool}}, true
}

// FuzzClassify: there is a class for a tool if and only if a flag is set or the
// snapshots differ; every change is whole; the same input gives the same answer;
// and what is written from the classes never understates them.
func FuzzClassify(f *testing.F) {
	for _, c := range []struct{ oldTool, oldSeal, newTool, newSeal string }{
		{`{"name":"t","inputSchema":{}}`, `{}`, `{"name":"t","inputSchema":{}}`, `{}`},
		{`{"name":"t","description":"x","inputSchema":{"properties":{"a":{"type":"string","default":1}},"required":["a"]}}`, `{"side_effects":{"reads":["a"]}}`,
			`{"name":"t","title":"y","inputSchema":{"$defs":{"A":{"enum":[1,"a"]}},"properties":{"a":{"$ref":"#/$defs/A"},"b":{"anyOf":[{"type":"null"},{"$ref":"#"}]}}},"annotations":{"readOnlyHint":true},"outputSchema":{"oneOf":[{"const":1},{"const":2}]}}`,
			`{"side_effects":{"network_egress":true,"network_endpoints":["*"]},"capabilities_required":[{"resource":"a","actions":["read"],"required":true}]}`},
		{`{"name":"t","inputSchema":{"items":[{}],"allOf":[{"minimum":1},{"not":{}}],"if":{"$ref":"#/items/0"}}}`, `{"capabilities_required":[{"resource":"a","scope":"/x/*"}]}`,
			`{"name":"t","inputSchema":{"items":[{"maximum":2}],"allOf":[{"minimum":2},{"not":{}}],"if":{"$ref":"#/items/0"}}}`, `{"capabilities_required":[{"resource":"a","scope":"/x/y"}],"side_effects":{"execution_context":"native"}}`},
		{`{"name":"t","inputSchema":{"$schema":"http://json-schema.org/draft-07/schema#","patternProperties":{"x":{}}}}`, `{"side_effects":{"human_readable_summary":"x"}}`,
			`{"name":"t","inputSchema":{"$schema":"https://json-schema.org/draft/2020-12/schema","patternProperties":{"x":{"$dynamicRef":"#a"}}}}`, `{"side_effects":{"human_readable_summary":"y"}}`},
	} {
		f.Add([]byte(c.oldTool), []byte(c.oldSeal), []byte(c.newTool), []byte(c.newSeal))
	}
	f.Fuzz(func(t *testing.T, oldTool, oldSeal, newTool, newSeal []byte) {
		old, okOld := sideOf(oldTool, oldSeal)
		new, okNew := sideOf(newTool, newSeal)
		if !okOld || !okNew {
			return
		}
		for _, s := range []struct{ old, new Side }{{old, new}, {new, old},
			{Side{Manifest: old.Manifest}, Side{Manifest: new.Manifest}}, {Side{Manifest: new.Manifest}, Side{Manifest: old.Manifest}}} {
			checkClasses(t, s.old, s.new)
		}
	})
}

func checkClasses(t *testing.T, old, new Side) {
	t.Helper()
	before, after := &old.Manifest.Tools[0], &new.Manifest.Tools[0]
	c, flags := Classify(old, new), FlagsOf(before, after)
	changed := flags.Any() || before.SideEffects.Summary != after.SideEffects.Summary || len(Diff(old.Tools, new.Tools)) > 0
	if changed != (len(c.Changes) > 0) {
		t.Errorf("flags %+v, changed %t, but the classes are\n%s", flags, changed, lines(c.Changes))
	}
	in := func(path string) func(ClassChange) bool {
		return func(c ClassChange) bool { return c.Component == "" && bytes.HasPrefix([]byte(c.Path), []byte(path)) }
	}
	if flags.SideEffects && !slices.ContainsFunc(c.Changes, in("/side_effects")) || flags.Capabilities && !slices.ContainsFunc(c.Changes, in("/capabilities_required")) {
		t.Errorf("flags %+v, but the classes are\n%s", flags, lines(c.Changes))
	}
	for _, part := range fingerprint.Components {
		differs := before.Interface.Part(part) != after.Interface.Part(part)
		if differs != slices.ContainsFunc(c.Changes, func(c ClassChange) bool { return c.Component == part }) && c.More == 0 {
			t.Errorf("%s differs: %t, but the classes are\n%s", part, differs, lines(c.Changes))
		}
	}
	last := Breaking.rank()
	for _, change := range c.Changes {
		if err := whole(change); err != nil {
			t.Errorf("%+v: %v", change, err)
		}
		if change.Weight.rank() < last {
			t.Errorf("not the heaviest first:\n%s", lines(c.Changes))
		}
		last = change.Weight.rank()
		if err := leads(change, old, new); err != nil {
			t.Errorf("%+v: %v", change, err)
		}
	}
	if diff := cmp.Diff(c, Classify(old, new)); diff != "" {
		t.Errorf("the same input gives another answer:\n%s", diff)
	}
	entries := Entries(c, old.Manifest, new.Manifest, []Stated{{Type: TypeRefactor, Text: "x", Commit: true}})["t"]
	if understated := Understated(entries, c, flags, "t"); len(entries) == 0 || understated != nil {
		t.Errorf("entries %+v understate: %v", entries, understated)
	}
}

// leads checks that a change shows two values, and those that its path leads
// to.
func leads(c ClassChange, old, new Side) error {
	if c.Old != nil && c.New != nil && bytes.Equal(c.Old, c.New) && len(c.Old) < maxGlimpse && !strings.HasSuffix(c.Text, " refers to") {
		return fmt.Errorf("both values are %s", c.Old)
	}
	if c.Component == "" && bytes.HasPrefix([]byte(c.Path), []byte("/capabilities")) {
		switch {
		case (c.Old == nil) != (c.Class == CapabilityGained), (c.New == nil) != (c.Class == CapabilityLost):
			return fmt.Errorf("from %s to %s", c.Old, c.New)
		}
	}
	switch {
	case c.Component == "" || c.Component == fingerprint.Description || c.Class == DigestChanged:
		return nil
	case c.Class == AlternativeAdded || c.Class == AlternativeGone: // may be a schema without its notes
		return nil
	}
	value, side := c.New, new
	if value == nil {
		value, side = c.Old, old
	}
	if value == nil || len(value) >= maxGlimpse || len(c.Path) > maxPath-50 {
		return nil
	}
	at := object(part(&side.Tools[0], c.Component))
	for _, step := range bytes.Split([]byte(c.Path), []byte("/"))[1:] {
		if at = at.child(fromPointer.Replace(string(step))); at == nil {
			return fmt.Errorf("the path leads nowhere")
		}
	}
	ofList := func(m member) bool { return c.Class == TypeChanged && bytes.Equal(m.node.raw, value) }
	if !bytes.Equal(at.raw, value) && !slices.ContainsFunc(at.members, ofList) {
		return fmt.Errorf("the path leads to %.200s", at.raw)
	}
	return nil
}

// whole checks one change by itself.
func whole(c ClassChange) error {
	if c.Weight.rank() < 0 || c.Class == "" || c.Tool != "t" {
		return fmt.Errorf("weight %q, class %q, tool %q", c.Weight, c.Class, c.Tool)
	}
	if c.Text == "" || len(c.Text) > 1000 || line(c.Text) != c.Text {
		return fmt.Errorf("a text of %d bytes, or of several lines", len(c.Text))
	}
	if len(c.Path) > maxPath || c.Path != "" && c.Path[0] != '/' {
		return fmt.Errorf("path %q", c.Path)
	}
	for _, v := range [][]byte{c.Old, c.New} {
		if v == nil {
			continue
		}
		if err := strictjson.Check(v); err != nil || len(v) > 3*maxGlimpse {
			return fmt.Errorf("value %s: %v", v, err)
		}
	}
	return nil
}

// TestFlagsOf changes each member of a declaration alone: it sets one flag, and
// has a class.
func TestFlagsOf(t *testing.T) {
	base := seal.Tool{Name: "t", SideEffects: seal.SideEffects{Reads: []string{"a"}}, Capabilities: []seal.Capability{{Resource: "a", Actions: []string{"x"}}}}
	effects, capabilities := Flags{SideEffects: true}, Flags{Capabilities: true}
	for name, c := range map[string]struct {
		change func(*seal.Tool)
		want   Flags
	}{
		"composite":   {func(s *seal.Tool) { s.Interface.Composite = "sha256:1" }, Flags{Interface: true}},
		"reads":       {func(s *seal.Tool) { s.SideEffects.Reads = []string{"b"} }, effects},
		"writes":      {func(s *seal.Tool) { s.SideEffects.Writes = []string{"b"} }, effects},
		"egress":      {func(s *seal.Tool) { s.SideEffects.NetworkEgress = true }, effects},
		"endpoints":   {func(s *seal.Tool) { s.SideEffects.NetworkEndpoints = []string{""} }, effects},
		"code":        {func(s *seal.Tool) { s.SideEffects.ExecutesCode = true }, effects},
		"context":     {func(s *seal.Tool) { s.SideEffects.ExecutionContext = "native" }, effects},
		"environment": {func(s *seal.Tool) { s.SideEffects.AccessesEnvVars = true }, effects},
		"variables":   {func(s *seal.Tool) { s.SideEffects.EnvVarsAccessed = []string{"*"} }, effects},
		"processes":   {func(s *seal.Tool) { s.SideEffects.SpawnsProcesses = true }, effects},
		"system":      {func(s *seal.Tool) { s.SideEffects.ModifiesSystemState = true }, effects},
		"persistence": {func(s *seal.Tool) { s.SideEffects.PersistsData = true }, effects},
		"summary":     {func(s *seal.Tool) { s.SideEffects.Summary = "x" }, Flags{}},
		"none":        {func(s *seal.Tool) { s.Capabilities = nil }, capabilities},
		"resource":    {func(s *seal.Tool) { s.Capabilities = []seal.Capability{{Resource: "b", Actions: []string{"x"}}} }, capabilities},
		"actions":     {func(s *seal.Tool) { s.Capabilities = []seal.Capability{{Resource: "a", Actions: []string{"y"}}} }, capabilities},
		"scope": {func(s *seal.Tool) {
			s.Capabilities = []seal.Capability{{Resource: "a", Actions: []string{"x"}, Scope: "*"}}
		}, capabilities},
		"required": {func(s *seal.Tool) {
			s.Capabilities = []seal.Capability{{Resource: "a", Actions: []string{"x"}, Required: true}}
		}, capabilities},
		"one more": {func(s *seal.Tool) { s.Capabilities = append(s.Capabilities[:1:1], seal.Capability{}) }, capabilities},
	} {
		other := base
		c.change(&other)
		for _, pair := range [][2]*seal.Tool{{&base, &other}, {&other, &base}} {
			if got := FlagsOf(pair[0], pair[1]); got != c.want {
				t.Errorf("%s: got %+v, want %+v", name, got, c.want)
			}
			side := func(s *seal.Tool) Side { return Side{Manifest: &seal.Manifest{Tools: []seal.Tool{*s}}} }
			if len(Classify(side(pair[0]), side(pair[1])).Changes) == 0 {
				t.Errorf("%s: no class", name)
			}
		}
	}
}

// TestClassifyComplete is [FuzzClassify] for tools that were made to be ones.
func TestClassifyComplete(t *testing.T) {
	for seed := range uint64(1000) {
		g := generator{rand.New(rand.NewPCG(seed, 2)), names[:3]}
		schema := g.document()
		other := schema
		if g.IntN(4) > 0 {
			other = g.mutated(schema)
		}
		old, okOld := sideOf(g.tool(t, schema), g.declarations(t))
		new, okNew := sideOf(g.tool(t, other), g.declarations(t))
		if !okOld || !okNew {
			t.Fatalf("seed %d: no tool", seed)
		}
		checkClasses(t, old, new)
		checkClasses(t, Side{Manifest: old.Manifest}, Side{Manifest: new.Manifest})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func (g generator) tool(t *testing.T, input jsonObject) []byte {
	tool := jsonObject{"name": "t", "inputSchema": input, "description": pickOne(g, "a", "a", "b"), "title": pickOne(g, "a", "a", "b")}
	if g.IntN(3) == 0 {
		tool["outputSchema"] = input
	}
	if g.IntN(3) == 0 {
		tool["annotations"] = jsonObject{pickOne(g, "title", "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"): pickOne[any](g, true, false, "x")}
	}
	return []byte(marshal(t, tool))
}

func (g generator) declarations(t *testing.T) []byte {
	some := func() []string {
		return [][]string{nil, {"*"}, {"a"}, {"a", "b"}, {"*.example.com"}, {"x.example.com", "b"}}[g.IntN(6)]
	}
	yes := func() bool { return g.IntN(4) == 0 }
	var s seal.Tool
	if yes() {
		s.SideEffects = seal.SideEffects{Reads: some(), Writes: some(), NetworkEgress: yes(), NetworkEndpoints: some(), ExecutesCode: yes(),
			ExecutionContext: pickOne(g, "", "native", "sandboxed-vm", "sandboxed-wasm"), AccessesEnvVars: yes(), EnvVarsAccessed: some(),
			SpawnsProcesses: yes(), ModifiesSystemState: yes(), PersistsData: yes(), Summary: pickOne(g, "", "", "x")}
	}
	for range g.IntN(3) {
		s.Capabilities = append(s.Capabilities, seal.Capability{Resource: pickOne(g, "a", "b"), Actions: some(), Scope: pickOne(g, "", "*", "/x/*", "/x/y"), Required: yes()})
	}
	return []byte(marshal(t, map[string]any{"side_effects": s.SideEffects, "capabilities_required": s.Capabilities}))
}
