package lineage

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// sealSide returns a side with the manifest of its tools, or with both.
func sealSide(t testing.TB, alg digest.Algorithm, snapshot bool, raws ...string) Side {
	t.Helper()
	tools := parseTools(t, raws...)
	s := Side{Manifest: &seal.Manifest{}}
	for _, tool := range tools {
		d, err := fingerprint.Of(tool, alg)
		if err != nil {
			t.Fatal(err)
		}
		s.Manifest.Tools = append(s.Manifest.Tools, seal.Tool{Name: tool.Name, Interface: d})
	}
	if snapshot {
		s.Tools = tools
	}
	return s
}

func TestClassifyTools(t *testing.T) {
	const (
		list    = `{"name":"list","description":"Lists all files of a directory, one a line.","inputSchema":{}}`
		listing = `{"name":"listing","description":"Lists all files of a directory, one a line.","inputSchema":{}}`
		listDir = `{"name":"list_dir","description":"Lists all files of one directory, one a line.","inputSchema":{}}`
		rm      = `{"name":"rm","description":"Removes the directory and whatever is inside of it, for good.","inputSchema":{}}`
		silent  = `{"name":"a","inputSchema":{}}`
		silent2 = `{"name":"b","inputSchema":{}}`
	)
	sha256 := func(raws ...string) Side { return sealSide(t, digest.SHA256, false, raws...) }
	snapshot := func(raws ...string) Side { return Side{Tools: parseTools(t, raws...)} }
	for _, c := range []struct {
		name     string
		old, new Side
		want     string
	}{
		{"nothing at all", Side{}, Side{}, ``},
		{"the same", sealSide(t, digest.SHA256, true, list), sealSide(t, digest.SHA256, true, list), ``},
		{"a first version", Side{}, sealSide(t, digest.SHA256, true, list), `addition tool-added : adds the tool`},
		{"the last of them", snapshot(list), Side{Tools: []fingerprint.Tool{}}, `breaking tool-removed : removes the tool`},
		{"renamed", snapshot(list), snapshot(listing), `
			breaking tool-removed : removes the tool
			addition tool-added : adds the tool
			compatible tool-renamed : is probably "list" under another name`},
		{"renamed, by the manifests", sha256(list), sha256(listing), `
			breaking tool-removed : removes the tool
			addition tool-added : adds the tool
			compatible tool-renamed : is probably "list" under another name`},
		{"renamed and reworded", snapshot(list), snapshot(listDir), `
			breaking tool-removed : removes the tool
			addition tool-added : adds the tool
			compatible tool-renamed : is probably "list" under another name`},
		{"replaced", snapshot(list), snapshot(rm), `
			breaking tool-removed : removes the tool
			addition tool-added : adds the tool`},
		{"two that are like one", snapshot(list), snapshot(listing, strings.Replace(listing, "listing", "lister", 1), rm), `
			breaking tool-removed : removes the tool
			addition tool-added : adds the tool
			compatible tool-renamed : is probably "list" under another name
			addition tool-added : adds the tool
			addition tool-added : adds the tool`},
		{"tools that say nothing", snapshot(silent), snapshot(silent2), `
			breaking tool-removed : removes the tool
			addition tool-added : adds the tool`},
		{"a description", snapshot(list), snapshot(strings.Replace(list, "all", "no", 1)), `wording description-changed : rewords the description`},
		{"no description", snapshot(list), snapshot(`{"name":"list","inputSchema":{}}`), `wording description-changed : removes the description`},
		{"a first description", snapshot(`{"name":"list","inputSchema":{}}`), snapshot(list), `wording description-changed : adds a description`},
		{"an output schema", snapshot(silent), snapshot(`{"name":"a","inputSchema":{},"outputSchema":{}}`), `addition output-schema-added : declares an output schema`},
		{"no output schema", snapshot(`{"name":"a","inputSchema":{},"outputSchema":{}}`), snapshot(silent), `breaking output-schema-removed : no longer declares an output schema`},
		{"what no fingerprint covers", sealSide(t, digest.SHA256, true, `{"name":"a","title":"x","inputSchema":{}}`), sealSide(t, digest.SHA256, true, `{"name":"a","_meta":{},"inputSchema":{}}`), `
			wording unsealed-changed /_meta: adds "_meta", which no fingerprint covers
			wording unsealed-changed /title: removes "title", which no fingerprint covers`},
		{"components without snapshots", sha256(list, silent), sha256(strings.Replace(list, "all", "no", 1), `{"name":"a","inputSchema":{"type":"object"},"annotations":{}}`), `
			unseen digest-changed : changes the input schema
			unseen digest-changed : changes the annotations
			unseen digest-changed : changes the description`},
		{"a snapshot on one side", Side{Tools: parseTools(t, list)}, sha256(strings.Replace(list, "all", "no", 1)), `unseen digest-changed : changes the description`},
		{"declarations on one side", Side{Tools: parseTools(t, silent)}, Side{Manifest: &seal.Manifest{Tools: []seal.Tool{{Name: "a", Interface: sha256(silent).Manifest.Tools[0].Interface, SideEffects: seal.SideEffects{ExecutesCode: true}}}}}, ``},
		{"a snapshot on the other side", sha256(list), Side{Tools: parseTools(t, list)}, ``},
		{"snapshots that are not what was sealed", Side{sha256(list).Manifest, parseTools(t, list)}, Side{sha256(strings.Replace(list, "all", "no", 1)).Manifest, parseTools(t, list)}, `
			unseen digest-changed : changes the description`},
		{"a composite of other parts", Side{Manifest: &seal.Manifest{Tools: []seal.Tool{{Name: "t", Interface: fingerprint.Digests{Composite: "sha256:y"}}}}}, Side{Manifest: &seal.Manifest{Tools: []seal.Tool{{Name: "t", Interface: fingerprint.Digests{Composite: "sha256:x"}}}}}, `
			unseen digest-changed /interface/composite_digest: changes the interface`},
		{"another algorithm", sealSide(t, digest.SHA256, true, list), sealSide(t, digest.SHA512, true, list), `
			compatible digest-changed /interface/composite_digest: is sealed with "sha512" instead of "sha256"`},
		{"another algorithm without snapshots", sha256(list), sealSide(t, digest.SHA512, false, list), `
			unseen digest-changed /interface/composite_digest: is sealed with "sha512" instead of "sha256"`},
	} {
		got := Classify(c.old, c.new)
		wantLines(t, c.name, c.want, got)
		if want := c.old.Tools != nil && c.new.Tools != nil; got.Snapshots != want || got.More != 0 {
			t.Errorf("%s: snapshots %t, more %d", c.name, got.Snapshots, got.More)
		}
	}
}

// TestClassifyNewEffects: a new tool is compared with one that does nothing, as
// its flags are.
func TestClassifyNewEffects(t *testing.T) {
	new := declaring(seal.SideEffects{ExecutesCode: true}, seal.Capability{Resource: "process", Actions: []string{"execute"}, Required: true})
	wantLines(t, "a new tool", `
		expansion side-effect-expanded /side_effects/executes_code: declares that it executes code
		expansion capability-gained /capabilities_required: needs the capability to "execute" "process"
		addition tool-added : adds the tool`, Classify(Side{Manifest: &seal.Manifest{}}, new))
}

func TestClassesOf(t *testing.T) {
	c := Classes{Changes: []ClassChange{{Tool: "a"}, {Tool: "b"}, {Tool: "b"}, {Tool: "d"}}}
	for tool, want := range map[string]int{"": 0, "a": 1, "b": 2, "c": 0, "d": 1, "e": 0} {
		if got := c.Of(tool); len(got) != want {
			t.Errorf("%q: got %v, want %d", tool, got, want)
		}
	}
}

// TestClassChangeJSON: the names are for programs, and do not change.
func TestClassChangeJSON(t *testing.T) {
	old, _ := withSchemas(t, `{"properties":{"a/b":{"default":1}}}`)
	new, _ := withSchemas(t, `{"properties":{"a/b":{"default":"`+strings.Repeat("é", 300)+`"}}}`)
	got, err := strictjson.Marshal(Classify(old, new))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"changes":[{"class":"default-changed","component":"input_schema","new":"\"` + strings.Repeat("é", 127) + `…","old":1,` +
		`"path":"/properties/a~1b/default","text":"changes the default of the parameter \"a/b\" from 1 to \"` + strings.Repeat("é", 30) + `…\"","tool":"t","weight":"breaking"}],"snapshots":true}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestClassifyIsBounded: a flood of changes hides no heavy one, and is counted.
func TestClassifyIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, `"a%d":{},`, i)
	}
	old, _ := withSchemas(t, `{"properties":{"x":{},"y":{}}}`)
	new, _ := withSchemas(t, `{"properties":{`+b.String()+`"x":{"type":"string"}},"required":["zz"]}`)
	got := Classify(old, new)
	if len(got.Changes) != maxChanges || got.More != 1003-maxChanges {
		t.Fatalf("got %d changes and %d more", len(got.Changes), got.More)
	}
	oldSeal, newSeal := declaring(seal.SideEffects{}), declaring(seal.SideEffects{NetworkEgress: true})
	if hidden := Classify(Side{oldSeal.Manifest, new.Tools}, Side{newSeal.Manifest, old.Tools}); !slices.ContainsFunc(hidden.Changes, func(c ClassChange) bool { return c.Weight == Expansion }) {
		t.Errorf("egress hides behind %d changes", len(hidden.Changes))
	}
	for i, want := range []string{"/properties/x/type", "/properties/y", "/required", "/properties/a0"} {
		if got.Changes[i].Path != want {
			t.Errorf("changes[%d]: got %s, want %s", i, got.Changes[i].Path, want)
		}
	}
}

// TestClassifyLongPaths: a pointer that would be too long leads to an ancestor.
func TestClassifyLongPaths(t *testing.T) {
	nested := func(leaf string) string {
		for range 40 {
			leaf = `{"properties":{"` + strings.Repeat("n", 20) + `":` + leaf + `}}`
		}
		return leaf
	}
	old, _ := withSchemas(t, nested(`{"type":"string"}`))
	new, _ := withSchemas(t, nested(`{"type":"number"}`))
	got := Classify(old, new).Changes
	if len(got) != 1 || got[0].Class != TypeChanged || len(got[0].Path) > maxPath || len(got[0].Text) > 300 ||
		!strings.HasSuffix(got[0].Path, "/properties") && !strings.HasSuffix(got[0].Path, "n") {
		t.Errorf("got %s", lines(got))
	}
}

// TestClassifyHostile: schemas made to be expensive are compared in bounded
// work, or said not to be. Without the bounds, some of these take hours.
func TestClassifyHostile(t *testing.T) {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, format, i, (i*7)%n)
		}
		return b.String()
	}
	deep := func(leaf string) string {
		return strings.Repeat(`{"items":`, 990) + leaf + strings.Repeat(`}`, 990)
	}
	// Each definition holds two references to the next one: 2^50 paths.
	fork := func(leaf string) string {
		return `{"$defs":{` + many(50, `"d%d":{"properties":{"a":{"$ref":"#/$defs/e%[1]d"},"b":{"$ref":"#/$defs/e%[1]d"}},"x":%[2]d}`) + `,` +
			strings.ReplaceAll(many(50, `"e%d":{"allOf":[{"$ref":"#/$defs/d@"},{"$ref":"#/$defs/d@"}],"x":%[2]d}`), "@", "1") + `,"leaf":` + leaf + `},"$ref":"#/$defs/d0"}`
	}
	for name, c := range map[string]struct {
		old, new string
		want     Weight
	}{
		"deep":            {deep(`{"type":"string"}`), deep(`{"type":"number"}`), Breaking},
		"wide":            {`{"properties":{` + many(4000, `"p%d":{"maximum":%d}`) + `}}`, `{"properties":{` + many(4000, `"p%d":{"maximum":%d,"minimum":0}`) + `}}`, Breaking},
		"many values":     {`{"enum":[` + many(10000, `"%d%d"`) + `]}`, `{"enum":[` + many(10001, `"%d%d"`) + `]}`, Breaking},
		"alternatives":    {`{"oneOf":[` + many(5000, `{"const":"%d%d"}`) + `]}`, `{"oneOf":[` + many(5001, `{"const":"%d%d"}`) + `]}`, Breaking},
		"forks":           {fork(`1`), fork(`2`), Compatible},
		"a chain of refs": {`{"$defs":{` + many(5000, `"a%d":{"$ref":"#/$defs/a%d"}`) + `},"$ref":"#/$defs/a1"}`, `{"$defs":{` + many(5001, `"a%d":{"$ref":"#/$defs/a%d"}`) + `},"$ref":"#/$defs/a1"}`, Breaking},
		"pairs of definitions": {
			`{"$defs":{` + many(100, `"a%d":{"properties":{"x":{"const":%d},"y":{"$ref":"#/$defs/a1"}}}`) + `},"properties":{` + many(3000, `"p%d":{"$ref":"#/$defs/a%[2]d"}`) + `}}`,
			`{"$defs":{` + many(100, `"a%d":{"properties":{"x":{"const":%d},"y":{"$ref":"#/$defs/a2"}}}`) + `},"properties":{` + many(3000, `"p%d":{"$ref":"#/$defs/a%[1]d"}`) + `}}`, Breaking},
		"long references": {`{"properties":{` + many(1000, `"p%d":{"$ref":"#`+strings.Repeat("/properties/p1", 60)+`"},"q%d":{}`) + `}}`, `{"properties":{` + many(1000, `"p%d":{"$ref":"#`+strings.Repeat("/properties/p1", 61)+`"},"q%d":{}`) + `}}`, Breaking},
	} {
		old, oldOut := withSchemas(t, c.old)
		new, newOut := withSchemas(t, c.new)
		got := Classify(old, new)
		Classify(oldOut, newOut)
		if len(got.Changes) == 0 || got.Changes[0].Weight != c.want {
			t.Errorf("%s: got %.500s, want %s", name, lines(got.Changes), c.want)
		}
	}
	names := make([]string, 20000)
	wild := slices.Clone(names)
	for i := range names {
		names[i], wild[i] = fmt.Sprintf("n%d.example.com", i), fmt.Sprintf("*.n%d.example.com", i)
	}
	Classify(declaring(seal.SideEffects{NetworkEndpoints: wild}), declaring(seal.SideEffects{NetworkEndpoints: names}))
	FlagsOf(&seal.Tool{SideEffects: seal.SideEffects{Reads: names}}, &seal.Tool{SideEffects: seal.SideEffects{Reads: wild}})
}
