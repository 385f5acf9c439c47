package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

var examplePointer = sealedAt{Version: sealedFormat, Digest: digest.FromString("payload"), URL: "https://acme.example/a.json", Signer: "acme-2026"}

func TestWithSealed(t *testing.T) {
	ours := `"org.mcp-integrity/manifest":` + pointerText(t)
	spaced := `"org.mcp-integrity/manifest": ` + pointerText(t)
	provided := `"io.modelcontextprotocol.registry/publisher-provided"`
	for _, tt := range []struct{ name, doc, want string }{
		{"empty", `{}`, `{"_meta":{` + provided + `:{` + ours + `}}}`},
		{"one line", `{"name":"a"}`, `{"name":"a","_meta":{` + provided + `:{` + ours + `}}}`},
		{"two spaces", "{\n  \"name\": \"a\"\n}\n",
			"{\n  \"name\": \"a\",\n  \"_meta\": {\n    " + provided + ": {\n      " + spaced + "\n    }\n  }\n}\n"},
		{"tabs, of another system", "{\r\n\t\"name\": \"a\"\r\n}",
			"{\r\n\t\"name\": \"a\",\r\n\t\"_meta\": {\r\n\t\t" + provided + ": {\r\n\t\t\t" + spaced + "\r\n\t\t}\r\n\t}\r\n}"},
		{"_meta first", "{\n  \"_meta\": {},\n  \"name\": \"a\"\n}",
			"{\n  \"_meta\": {\n    " + provided + ": {\n      " + spaced + "\n    }\n  },\n  \"name\": \"a\"\n}"},
		{"others provide, too", "{\n \"_meta\": {" + provided + ": {\"z\": 1.50, \"a\": [ ]} }\n}",
			"{\n \"_meta\": {" + provided + ": {\"z\": 1.50, \"a\": [ ], " + spaced + "} }\n}"},
		{"ours, older", `{"_meta" : {` + provided + `: {"org.mcp-integrity/manifest" : {"digest":"old"} , "z":1}}}`,
			`{"_meta" : {` + provided + `: {"org.mcp-integrity/manifest" : ` + pointerText(t) + ` , "z":1}}}`},
		{"an escaped name", `{"_met\u0061":{` + provided + `:{"\u006frg.mcp-integrity/manifest":1}}}`,
			`{"_met\u0061":{` + provided + `:{"\u006frg.mcp-integrity/manifest":` + pointerText(t) + `}}}`},
	} {
		got, err := withSealed([]byte(tt.doc), examplePointer)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if d := cmp.Diff(tt.want, string(got)); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
	for _, doc := range []string{``, `[]`, `null`, `{"_meta":null}`, `{"_meta":[]}`, `{"_meta":{` + provided + `:"x"}}`, `{"a":1,"a":2}`, `{} {}`, "\xef\xbb\xbf{}", `{"a":1e999}`, `{"a":"\ud800"}`} {
		if got, err := withSealed([]byte(doc), examplePointer); err == nil {
			t.Errorf("%q: got %s, want an error", doc, got)
		}
	}
}

func pointerText(t testing.TB) string {
	t.Helper()
	data, err := strictjson.Marshal(examplePointer)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// FuzzServerJSON: what comes out is JSON that differs by our member only, byte for
// byte, and a second time changes nothing.
func FuzzServerJSON(f *testing.F) {
	for _, doc := range []string{
		`{}`, serverJSONText, "{\n\t\"_meta\": { }\n}", `{"_meta":{"x":1,"io.modelcontextprotocol.registry/publisher-provided":{"a":{"b":[1,2]}}}}`,
		`{"_meta":{"io.modelcontextprotocol.registry/publisher-provided":{"org.mcp-integrity/manifest":{"digest":"x"},"b":1}},"z":null}`,
		" { \"a\" : 1 , \"b\" : { } } ", "{\r\n}", `{"a\u0000":"\"}{"}`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, err := withSealed(doc, examplePointer)
		if err != nil {
			return
		}
		if err := strictjson.Check(got); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		var s struct {
			Meta map[string]map[string]json.RawMessage `json:"_meta"`
		}
		if err := json.Unmarshal(got, &s); err == nil && string(s.Meta[publisherMember][sealedMember]) != pointerText(t) {
			t.Fatalf("got %s", s.Meta[publisherMember][sealedMember])
		}
		again, err := withSealed(got, examplePointer)
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("again: %s, %v", again, err)
		}
		// Nothing but one stretch of text was put in or replaced.
		front := commonPrefix(doc, got)
		back := commonPrefix(reversed(doc[front:]), reversed(got[front:]))
		if replaced := doc[front : len(doc)-back]; len(bytes.TrimSpace(replaced)) > 0 && !bytes.Contains(doc, []byte(`rg.mcp-integrity/manifest"`)) && !bytes.Contains(doc, []byte(`\u`)) {
			t.Fatalf("%q was replaced in %q", replaced, doc)
		}
		if d := cmp.Diff(withoutSealed(t, doc), withoutSealed(t, got)); d != "" {
			t.Fatalf("another member differs: %s", d)
		}
	})
}

// withoutSealed is a document as a value, without our member and what holds only it.
func withoutSealed(t *testing.T, doc []byte) any {
	var v map[string]any
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if meta, ok := v[metaMember].(map[string]any); ok {
		if provided, ok := meta[publisherMember].(map[string]any); ok {
			delete(provided, sealedMember)
			if len(provided) == 0 {
				delete(meta, publisherMember)
			}
		}
		if len(meta) == 0 {
			delete(v, metaMember)
		}
	}
	return v
}

func commonPrefix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func reversed(b []byte) []byte {
	out := bytes.Clone(b)
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// FuzzRegistryVersions: a registry's list is a stranger's.
func FuzzRegistryVersions(f *testing.F) {
	doc, err := withSealed([]byte(strings.ReplaceAll(serverJSONText, "VERSION", "1.0.0")), examplePointer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"servers":[{"server":` + string(doc) + `,"_meta":{}}],"metadata":{"count":1}}`))
	f.Add([]byte(`{"servers":null}`))
	f.Add([]byte(`{"metadata":{},"servers":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		err := readVersions(bytes.NewReader(data), fakeServer, func(r *registered) error {
			if n++; r.Server.Name != fakeServer {
				t.Errorf("got %q", r.Server.Name)
			}
			if at, err := r.Server.sealed(); err == nil && at != nil && (at.Digest.Validate() != nil || at.Version != sealedFormat) {
				t.Errorf("got %+v", at)
			}
			return nil
		})
		if err == nil && !json.Valid(data) && n > 0 && !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
			t.Error("read what is no object")
		}
	})
}

// FuzzRegistryToken: claims are read, not believed.
func FuzzRegistryToken(f *testing.F) {
	f.Add("a.eyJleHAiOjEsInBlcm1pc3Npb25zIjpbXX0.c")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if patterns, ends, ok := grants(token); !ok && (patterns != nil || !ends.IsZero()) {
			t.Errorf("got %q, %v", patterns, ends)
		}
	})
}

// TestPublisherProvidedSize counts as the registry does.
func TestPublisherProvidedSize(t *testing.T) {
	for _, tt := range []struct {
		provided string
		want     int
	}{
		{`{}`, 2},
		{`{ "a" : "<" }`, len(`{"a":"\u003c"}`)},
		{`{"b":1e2,"a":1}`, len(`{"a":1,"b":100}`)},
	} {
		n, err := publisherProvidedSize([]byte(`{"_meta":{"` + publisherMember + `":` + tt.provided + `}}`))
		if err != nil || n != tt.want {
			t.Errorf("%s: got %d, %v, want %d", tt.provided, n, err, tt.want)
		}
	}
}

// TestPublishedDocument: the registry gets the file as it stands, and our member.
func TestPublishedDocument(t *testing.T) {
	f := newFakeMCP(t)
	r := f.release(t, "1.0.0")
	if _, err := f.place(t, "1.0.0", nil).Publish(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	want := asObject(t, strings.ReplaceAll(serverJSONText, "VERSION", "1.0.0"))
	want["_meta"] = map[string]any{publisherMember: map[string]any{sealedMember: map[string]any{
		"version": "1.0", "digest": string(r.Payload), "url": r.URL, "signer": "acme-2026",
	}}}
	if d := cmp.Diff(want, f.versions[0].doc); d != "" {
		t.Error(d)
	}
}

// BenchmarkRegistryVersions reads the longest list that a registry gives.
func BenchmarkRegistryVersions(b *testing.B) {
	var list bytes.Buffer
	list.WriteString(`{"servers":[`)
	for i := range maxRegistryVersions {
		at := examplePointer
		at.Digest = digest.FromString(fmt.Sprint(i))
		doc, err := withSealed([]byte(strings.ReplaceAll(serverJSONText, "VERSION", fmt.Sprintf("1.%d.0", i))), at)
		if err != nil {
			b.Fatal(err)
		}
		if i > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, `{"server":%s,"_meta":{"io.modelcontextprotocol.registry/official":{"status":"active","publishedAt":"2026-01-01T00:00:00Z"}}}`, doc)
	}
	list.WriteString(`]}`)
	b.SetBytes(int64(list.Len()))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := readVersions(bytes.NewReader(list.Bytes()), fakeServer, func(*registered) error { n++; return nil }); err != nil || n != maxRegistryVersions {
			b.Fatal(n, err)
		}
	}
}

func onlyEnv(name, value string) func(string) string {
	return func(n string) string {
		if n == name {
			return value
		}
		return ""
	}
}

func asObject(t testing.TB, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func digestOf(t testing.TB, r Release) digest.Digest {
	t.Helper()
	e, err := seal.ParseEnvelope(r.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	return e.PayloadDigest(digest.SHA256)
}

func readText(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func writeText(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
