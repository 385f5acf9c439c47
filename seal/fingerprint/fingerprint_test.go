package fingerprint_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

func TestParseToolRefuses(t *testing.T) {
	for name, raw := range map[string]string{
		"null":                  `null`,
		"an array":              `[]`,
		"no name":               `{"inputSchema":{}}`,
		"empty name":            `{"name":"","inputSchema":{}}`,
		"name null":             `{"name":null,"inputSchema":{}}`,
		"name a number":         `{"name":1,"inputSchema":{}}`,
		"name of another case":  `{"Name":"a","inputSchema":{}}`,
		"description a number":  `{"name":"a","description":1,"inputSchema":{}}`,
		"description an object": `{"name":"a","description":{},"inputSchema":{}}`,
		"no inputSchema":        `{"name":"a"}`,
		"inputSchema null":      `{"name":"a","inputSchema":null}`,
		"inputSchema true":      `{"name":"a","inputSchema":true}`,
		"annotations an array":  `{"name":"a","inputSchema":{},"annotations":[]}`,
		"outputSchema a string": `{"name":"a","inputSchema":{},"outputSchema":""}`,
		"duplicate member":      `{"name":"a","name":"b","inputSchema":{}}`,
		"duplicate in schema":   `{"name":"a","inputSchema":{"x":1,"x":1}}`,
		"lone surrogate":        `{"name":"a","description":"\ud800","inputSchema":{}}`,
	} {
		if _, err := fingerprint.ParseTool([]byte(raw)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestParseToolsRefusesTwoOfOneName(t *testing.T) {
	one := []byte(`{"name":"a","inputSchema":{}}`)
	_, err := fingerprint.ParseTools([][]byte{one, []byte(`{"name":"b","inputSchema":{}}`), one})
	if err == nil || !strings.Contains(err.Error(), "tools[2]") || !strings.Contains(err.Error(), "tools[0]") {
		t.Errorf("got %v, want both places named", err)
	}
}

// TestOf recomputes MIS §9.3 with nothing but SHA-256 over canonical texts that
// were written by hand.
func TestOf(t *testing.T) {
	raw := `{"name":"searchFiles","description":"Caf\u00e9 \"x\"","annotations":{"readOnlyHint":false},
		"inputSchema":{"type":"object","properties":{"q":{"type":"string"}}},"title":"not sealed"}`
	tool, err := fingerprint.ParseTool([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	got, err := fingerprint.Of(tool, digest.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	h := func(s string) digest.Digest {
		sum := sha256.Sum256([]byte(s))
		return digest.Digest("sha256:" + hex.EncodeToString(sum[:]))
	}
	want := fingerprint.Digests{
		Description: h(`Café "x"`),
		InputSchema: h(`{"properties":{"q":{"type":"string"}},"type":"object"}`),
		Annotations: h(`{"readOnlyHint":false}`),
	}
	want.Composite = h(string(want.Description + ":" + want.InputSchema + ":" + want.Annotations + ":"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("digests (-want +got):\n%s", diff)
	}
	if err := got.Check(); err != nil {
		t.Error(err)
	}
	if _, err := fingerprint.Of(tool, digest.SHA384); err == nil {
		t.Error("sha384 was accepted")
	}
}

func TestAbsentNullAndEmpty(t *testing.T) {
	of := func(raw string) fingerprint.Digests {
		t.Helper()
		tool, err := fingerprint.ParseTool([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		d, err := fingerprint.Of(tool, digest.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	absent := of(`{"name":"a","inputSchema":{}}`)
	if null := of(`{"name":"a","inputSchema":{},"description":null,"annotations":null,"outputSchema":null}`); null != absent {
		t.Errorf("null: got %v, want %v as absent", null, absent)
	}
	if empty := of(`{"name":"a","inputSchema":{},"description":""}`); empty != absent {
		t.Errorf("empty description: got %v, want %v as absent", empty, absent)
	}
	if present := of(`{"name":"a","inputSchema":{},"annotations":{}}`); present.Annotations == "" || present.Composite == absent.Composite {
		t.Errorf("annotations {}: got %v, want them present", present)
	}
}

func TestCheckRefuses(t *testing.T) {
	tool, err := fingerprint.ParseTool([]byte(`{"name":"a","inputSchema":{},"annotations":{},"outputSchema":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	good, err := fingerprint.Of(tool, digest.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	other := digest.FromString("other")
	for name, change := range map[string]func(*fingerprint.Digests){
		"no description":      func(d *fingerprint.Digests) { d.Description = "" },
		"no input schema":     func(d *fingerprint.Digests) { d.InputSchema = "" },
		"no composite":        func(d *fingerprint.Digests) { d.Composite = "" },
		"description changed": func(d *fingerprint.Digests) { d.Description = other },
		"input changed":       func(d *fingerprint.Digests) { d.InputSchema = other },
		"annotations gone":    func(d *fingerprint.Digests) { d.Annotations = "" },
		"output changed":      func(d *fingerprint.Digests) { d.OutputSchema = other },
		"composite changed":   func(d *fingerprint.Digests) { d.Composite = other },
		"upper case":          func(d *fingerprint.Digests) { d.Composite = digest.Digest(strings.ToUpper(string(d.Composite))) },
		"short":               func(d *fingerprint.Digests) { d.Composite = d.Composite[:20] },
		"mixed algorithms":    func(d *fingerprint.Digests) { d.Description = digest.SHA512.FromString("x") },
		"md5":                 func(d *fingerprint.Digests) { d.Composite = "md5:d41d8cd98f00b204e9800998ecf8427e" },
	} {
		d := good
		change(&d)
		if err := d.Check(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCompareNamesTheComponents(t *testing.T) {
	base := fingerprint.Tool{Name: "a", Description: "d", InputSchema: []byte(`{}`), Annotations: []byte(`{}`), OutputSchema: []byte(`{}`)}
	of := func(tool fingerprint.Tool) fingerprint.Digests {
		d, err := fingerprint.Of(tool, digest.SHA512)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, tt := range []struct {
		change func(*fingerprint.Tool)
		want   []fingerprint.Component
	}{
		{func(*fingerprint.Tool) {}, nil},
		{func(x *fingerprint.Tool) { x.Raw = []byte("{}") }, nil},
		{func(x *fingerprint.Tool) { x.Description = "e" }, []fingerprint.Component{fingerprint.Description}},
		{func(x *fingerprint.Tool) { x.InputSchema = []byte(`{"a":1}`) }, []fingerprint.Component{fingerprint.InputSchema}},
		{func(x *fingerprint.Tool) { x.Annotations = nil }, []fingerprint.Component{fingerprint.Annotations}},
		{func(x *fingerprint.Tool) { x.OutputSchema = []byte(`{"a":1}`); x.Description = "" }, []fingerprint.Component{fingerprint.Description, fingerprint.OutputSchema}},
	} {
		live := base
		tt.change(&live)
		var got []fingerprint.Component
		for _, d := range fingerprint.Compare(of(base), of(live)) {
			got = append(got, d.Component)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("components (-want +got):\n%s", diff)
		}
	}
}

func TestLint(t *testing.T) {
	for raw, want := range map[string]int{
		`{"name":"a","description":"plain","inputSchema":{"maximum":9007199254740991}}`:      0,
		`{"name":"a","description":"plain","inputSchema":{"maximum":9007199254740992}}`:      0,
		`{"name":"a","description":"plain","inputSchema":{"maximum":1e300,"minimum":0.1}}`:   0,
		`{"name":"a","description":"plain","inputSchema":{"maximum":9007199254740993}}`:      1,
		`{"name":"a","description":"plain","inputSchema":{"maximum":-18446744073709551615}}`: 1,
		`{"name":"a","inputSchema":{}}`:                            1,
		`{"name":"a","description":"Cafe\u0301","inputSchema":{}}`: 1,
	} {
		tool, err := fingerprint.ParseTool([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		if got := fingerprint.Lint(tool); len(got) != want {
			t.Errorf("%s: got %q, want %d lines", raw, got, want)
		}
	}
}

func FuzzParseTool(f *testing.F) {
	for _, seed := range []string{
		`{"name":"a","description":"d","inputSchema":{"a":1},"annotations":{},"outputSchema":{}}`,
		`{"name":"a","inputSchema":null}`, `null`, `{"name":"\u0000","inputSchema":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		tool, err := fingerprint.ParseTool(raw)
		if err != nil {
			return
		}
		if tool.Name == "" || !bytes.Equal(tool.Raw, raw) {
			t.Fatalf("accepted %q as %+v", raw, tool)
		}
		d, err := fingerprint.Of(tool, digest.SHA256)
		if err != nil {
			t.Fatalf("accepted %q, and cannot fingerprint it: %v", raw, err)
		}
		if err := d.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzParseSnapshot(f *testing.F) {
	f.Add([]byte(`{"snapshot_version":"1.0","server":{"name":"s","version":""},"conditions":{"protocol_version":"x","network":true},"tools":[{"name":"a","inputSchema":{}}]}`))
	f.Add([]byte(`{"snapshot_version":"1.0","tools":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := fingerprint.ParseSnapshot(data)
		if err != nil {
			return
		}
		out, err := s.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := fingerprint.ParseSnapshot(out)
		if err != nil {
			t.Fatalf("wrote %q, and cannot read it: %v", out, err)
		}
		if diff := cmp.Diff(s, again); diff != "" {
			t.Fatalf("read back differently:\n%s", diff)
		}
	})
}

// BenchmarkOf fingerprints 5,000 tools of the size of real ones.
func BenchmarkOf(b *testing.B) {
	var raws [][]byte
	var size int64
	for i := range 5000 {
		raw := fmt.Appendf(nil, `{"name":"tool_%d","description":%q,"inputSchema":{"type":"object","properties":{"path":{"type":"string","description":"The path of the file number %d"},"limit":{"type":"integer","minimum":1,"maximum":%d},"mode":{"enum":["a","b","c"]}},"required":["path"],"$schema":"http://json-schema.org/draft-07/schema#"},"annotations":{"readOnlyHint":true,"title":"Tool %d"}}`,
			i, strings.Repeat("Reads a file and returns what it holds. ", 12), i, i+1, i)
		raws = append(raws, raw)
		size += int64(len(raw))
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		tools, err := fingerprint.ParseTools(raws)
		if err != nil {
			b.Fatal(err)
		}
		for _, t := range tools {
			if _, err := fingerprint.Of(t, digest.SHA256); err != nil {
				b.Fatal(err)
			}
		}
	}
}
