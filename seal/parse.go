package seal

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Bounds on what is read.
const (
	// MaxEnvelopeSize is the greatest envelope in bytes that is read. A manifest
	// of 5,000 tools has about 6 MB, and a third more in base64.
	MaxEnvelopeSize = 16 << 20
	// maxDetails bounds the details of one signature: a statement has 1 kB, a
	// Sigstore bundle 20 kB, a scanner's findings may have more.
	maxDetails = 1 << 20
	// MaxSignatures is the greatest number of signatures in one envelope: each
	// costs a verification, and nobody has a hundred reviewers.
	MaxSignatures = 100
)

//go:embed schema/*.json
var schemaFiles embed.FS

// Schemas returns the JSON Schemas of MIS §26 by file name.
func Schemas() map[string][]byte {
	all := map[string][]byte{}
	entries, err := schemaFiles.ReadDir("schema")
	if err != nil {
		panic(err) // embedded at build time
	}
	for _, e := range entries {
		data, err := schemaFiles.ReadFile("schema/" + e.Name())
		if err != nil {
			panic(err) // embedded at build time
		}
		all[e.Name()] = data
	}
	return all
}

func compiled(name string) func() *jsonschema.Schema {
	return sync.OnceValue(func() *jsonschema.Schema {
		data := Schemas()[name]
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			panic(fmt.Sprintf("schema %s: %v", name, err)) // embedded at build time
		}
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		if err := c.AddResource(name, doc); err != nil {
			panic(fmt.Sprintf("schema %s: %v", name, err))
		}
		return c.MustCompile(name)
	})
}

var (
	manifestSchema = compiled("sealed-manifest.json")
	envelopeSchema = compiled("dsse-envelope.json")
)

// validate applies a schema to data that strictjson has accepted.
func validate(schema *jsonschema.Schema, data []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	err = schema.Validate(doc)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		return errors.New(firstCause(invalid))
	}
	return err
}

// firstCause walks to the innermost failure, which names the member; the
// library's own message lists the whole tree.
func firstCause(v *jsonschema.ValidationError) string {
	for len(v.Causes) > 0 {
		v = v.Causes[0]
	}
	at := "the document"
	if len(v.InstanceLocation) > 0 {
		at = strings.Join(v.InstanceLocation, ".")
	}
	msg := v.Error()
	if i := strings.Index(msg, "\n"); i >= 0 {
		msg = msg[i+1:]
	}
	if i := strings.Index(msg, "': "); i >= 0 {
		msg = msg[i+3:]
	}
	if len(msg) > 200 {
		msg = msg[:200] + "…"
	}
	return fmt.Sprintf("%.200s: %s", at, msg)
}

// ParseManifest reads a payload. It refuses, with [CodeManifestParse] or
// [CodeManifestVersionUnsupported], bytes that are not their own RFC 8785 form
// (decision 3), that do not follow the schema of MIS §26.1, that carry
// attestations (decision 2), that name a tool twice, or whose composite
// digests do not follow from their parts. Whose word it is, it does not say.
func ParseManifest(payload []byte) (*Manifest, error) {
	m, _, err := parseManifest(payload)
	return m, err
}

// parseManifest also names the first member that MIS does not know, as a dotted
// path, or "".
func parseManifest(payload []byte) (*Manifest, string, error) {
	if len(payload) > MaxEnvelopeSize {
		return nil, "", failf(CodeManifestParse, "payload of %d bytes, want at most %d", len(payload), MaxEnvelopeSize)
	}
	canonical, err := strictjson.Canonical(payload)
	if err != nil {
		return nil, "", failf(CodeManifestParse, "payload: %w", err)
	}
	if !bytes.Equal(canonical, payload) {
		return nil, "", failf(CodeManifestParse, "payload: the bytes are not their own RFC 8785 form (first difference at byte %d)",
			firstDifference(canonical, payload))
	}
	if err := checkVersion(payload); err != nil {
		return nil, "", err
	}
	if err := validate(manifestSchema(), payload); err != nil {
		return nil, "", failf(CodeManifestParse, "payload: %w", err)
	}
	var m Manifest
	unknown := ""
	err = strictjson.Decode(payload, &m)
	if errors.Is(err, json.ErrUnknownName) {
		unknown = memberOf(err)
		m = Manifest{}
		err = strictjson.DecodeOpen(payload, &m)
	}
	if err != nil {
		return nil, "", failf(CodeManifestParse, "payload: %w", err)
	}
	if err := m.check(); err != nil {
		return nil, "", failf(CodeManifestParse, "payload: %w", err)
	}
	return &m, unknown, nil
}

// memberOf is the place that a decoding error names, as a dotted path.
func memberOf(err error) string {
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return "?"
	}
	return strings.TrimPrefix(strings.ReplaceAll(string(semantic.JSONPointer), "/", "."), ".")
}

// checkVersion reads a payload that was found to be canonical. It comes before
// the schema: a manifest of a later version is not malformed, it is unsupported
// (MIS §19.2 step 2.4).
func checkVersion(payload []byte) error {
	var v struct {
		SealVersion jsontext.Value `json:"seal_version"`
	}
	if err := strictjson.DecodeOpen(payload, &v); err != nil {
		return failf(CodeManifestParse, "payload: %w", err)
	}
	if v.SealVersion.Kind() != '"' {
		return failf(CodeManifestParse, "payload: seal_version is missing or no string, want %q", Version)
	}
	var got string
	if err := json.Unmarshal(v.SealVersion, &got); err != nil {
		return failf(CodeManifestParse, "payload: seal_version: %w", err)
	}
	if got != Version {
		return failf(CodeManifestVersionUnsupported, "seal_version: got %.40q, want %q", got, Version)
	}
	return nil
}

// check holds what a schema cannot say.
func (m *Manifest) check() error {
	seen := make(map[string]bool, len(m.Tools))
	for i, t := range m.Tools {
		if seen[t.Name] {
			return fmt.Errorf("tools[%d]: name %.100q stands twice", i, t.Name)
		}
		seen[t.Name] = true
		if err := t.Interface.Check(); err != nil {
			return fmt.Errorf("tools[%d] (%.100q): interface: %w", i, t.Name, err)
		}
	}
	return nil
}

func firstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
