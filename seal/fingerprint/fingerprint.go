// Package fingerprint turns the JSON that a tool server sent for a tool into
// the digests of MIS §9, and names what differs between two of them.
//
//	description_digest   = H(UTF-8 bytes of the description)
//	input_schema_digest  = H(JCS(inputSchema))
//	annotations_digest   = H(JCS(annotations))     where the tool has them
//	output_schema_digest = H(JCS(outputSchema))    where the tool has one
//	composite_digest     = H(description ":" input_schema ":" annotations ":" output_schema)
//
// In the composite each part is its whole "alg:hex" string, an absent part is
// the empty string, and the three colons always stand. The digests come from
// the bytes of the wire, never from a typed struct marshalled again: that
// changes 66 % of the annotations of real servers.
package fingerprint

import (
	"bytes"
	_ "crypto/sha256" // go-digest panics on an algorithm that nobody linked
	_ "crypto/sha512"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Algorithms are the hash algorithms of MIS §7.2, by their identifiers.
var Algorithms = []digest.Algorithm{digest.SHA256, digest.SHA512}

// CheckDigest returns nil when d is "sha256:" or "sha512:" and lower-case hex
// of the right length (MIS §7.2).
func CheckDigest(d digest.Digest) error {
	if err := d.Validate(); err != nil {
		return fmt.Errorf("digest %.80q: %w", string(d), err)
	}
	if a := d.Algorithm(); a != digest.SHA256 && a != digest.SHA512 {
		return fmt.Errorf("digest %.80q: algorithm %q, want sha256 or sha512", string(d), a)
	}
	return nil
}

// A Tool is one element of a tools/list answer, with its bytes as they came.
type Tool struct {
	Name string
	// Raw is the whole element, untouched.
	Raw []byte
	// Description is the decoded description; "" where absent or null.
	Description string
	// InputSchema, Annotations and OutputSchema are the members' own bytes;
	// the last two are nil where absent or null.
	InputSchema, Annotations, OutputSchema []byte
}

// ParseTool reads one element of a tools/list answer. It refuses what decision
// 7 refuses: a missing or empty name, a description that is no string, an
// inputSchema that is no object, annotations or an outputSchema that are
// neither object nor null.
func ParseTool(raw []byte) (Tool, error) {
	if err := strictjson.Check(raw); err != nil {
		return Tool{Raw: raw}, err
	}
	return parseChecked(raw)
}

// parseChecked is ParseTool for what [strictjson.Check] has accepted.
func parseChecked(raw []byte) (Tool, error) {
	t := Tool{Raw: raw}
	var wire struct {
		Name         jsontext.Value `json:"name"`
		Description  jsontext.Value `json:"description"`
		InputSchema  jsontext.Value `json:"inputSchema"`
		Annotations  jsontext.Value `json:"annotations"`
		OutputSchema jsontext.Value `json:"outputSchema"`
	}
	if k := jsontext.Value(raw).Kind(); k != '{' {
		return t, fmt.Errorf("a tool is a %s, want an object", kindName(k))
	}
	if err := json.Unmarshal(raw, &wire); err != nil {
		return t, err
	}
	if k := wire.Name.Kind(); k != '"' {
		return t, fmt.Errorf("name is %s, want a string", kindName(k))
	}
	if err := json.Unmarshal(wire.Name, &t.Name); err != nil {
		return t, err
	}
	if t.Name == "" {
		return t, fmt.Errorf("name is empty")
	}
	switch k := wire.Description.Kind(); {
	case absent(wire.Description):
	case k != '"':
		return t, fmt.Errorf("tool %.100q: description is %s, want a string", t.Name, kindName(k))
	default:
		if err := json.Unmarshal(wire.Description, &t.Description); err != nil {
			return t, err
		}
	}
	if k := wire.InputSchema.Kind(); k != '{' {
		return t, fmt.Errorf("tool %.100q: inputSchema is %s, want an object", t.Name, kindName(k))
	}
	t.InputSchema = wire.InputSchema
	for _, m := range []struct {
		name string
		from jsontext.Value
		to   *[]byte
	}{{"annotations", wire.Annotations, &t.Annotations}, {"outputSchema", wire.OutputSchema, &t.OutputSchema}} {
		switch k := m.from.Kind(); {
		case absent(m.from):
		case k != '{':
			return t, fmt.Errorf("tool %.100q: %s is %s, want an object", t.Name, m.name, kindName(k))
		default:
			*m.to = m.from
		}
	}
	return t, nil
}

// ParseTools is [ParseTool] for a whole list. A name that stands twice is
// refused: a client could call the one and verify the other.
func ParseTools(raws [][]byte) ([]Tool, error) { return parseTools(raws, ParseTool) }

func parseTools(raws [][]byte, parse func([]byte) (Tool, error)) ([]Tool, error) {
	tools := make([]Tool, 0, len(raws))
	at := make(map[string]int, len(raws))
	for i, raw := range raws {
		t, err := parse(raw)
		if err != nil {
			return nil, fmt.Errorf("tools[%d]: %w", i, err)
		}
		if first, ok := at[t.Name]; ok {
			return nil, fmt.Errorf("tools[%d]: name %.100q stands at tools[%d] already", i, t.Name, first)
		}
		at[t.Name] = i
		tools = append(tools, t)
	}
	return tools, nil
}

func absent(v jsontext.Value) bool { return len(v) == 0 || v.Kind() == 'n' }

func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	}
	return "missing"
}

// Digests is the interface object of MIS §9.2. Annotations and OutputSchema
// are "" where the tool has none.
type Digests struct {
	Description  digest.Digest `json:"description_digest"`
	InputSchema  digest.Digest `json:"input_schema_digest"`
	Annotations  digest.Digest `json:"annotations_digest,omitzero"`
	OutputSchema digest.Digest `json:"output_schema_digest,omitzero"`
	Composite    digest.Digest `json:"composite_digest"`
}

// Of computes the digests of t with alg, one of [Algorithms].
func Of(t Tool, alg digest.Algorithm) (Digests, error) {
	var d Digests
	if alg != digest.SHA256 && alg != digest.SHA512 {
		return d, fmt.Errorf("digest algorithm %q, want sha256 or sha512", alg)
	}
	d.Description = alg.FromString(t.Description)
	for _, m := range []struct {
		name string
		raw  []byte
		to   *digest.Digest
	}{
		{"inputSchema", t.InputSchema, &d.InputSchema},
		{"annotations", t.Annotations, &d.Annotations},
		{"outputSchema", t.OutputSchema, &d.OutputSchema},
	} {
		if m.raw == nil {
			continue
		}
		canonical, err := strictjson.Canonical(m.raw)
		if err != nil {
			return Digests{}, fmt.Errorf("tool %.100q: %s: %w", t.Name, m.name, err)
		}
		*m.to = alg.FromBytes(canonical)
	}
	d.Composite = d.composite(alg)
	return d, nil
}

func (d Digests) composite(alg digest.Algorithm) digest.Digest {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s:%s:%s:%s", d.Description, d.InputSchema, d.Annotations, d.OutputSchema)
	return alg.FromBytes(b.Bytes())
}

// Check returns nil when the digests are well formed, of one algorithm, and
// the composite is that of the parts. A manifest whose composite does not
// follow from its parts would pass or fail depending on which one is compared.
func (d Digests) Check() error {
	alg := d.Composite.Algorithm
	if err := CheckDigest(d.Composite); err != nil {
		return fmt.Errorf("composite_digest: %w", err)
	}
	for _, p := range []struct {
		name     string
		d        digest.Digest
		optional bool
	}{
		{"description_digest", d.Description, false},
		{"input_schema_digest", d.InputSchema, false},
		{"annotations_digest", d.Annotations, true},
		{"output_schema_digest", d.OutputSchema, true},
	} {
		if p.optional && p.d == "" {
			continue
		}
		if err := CheckDigest(p.d); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if p.d.Algorithm() != alg() {
			return fmt.Errorf("%s: algorithm %s, want %s as in composite_digest", p.name, p.d.Algorithm(), alg())
		}
	}
	if want := d.composite(alg()); d.Composite != want {
		return fmt.Errorf("composite_digest: got %s, want %s from its parts", d.Composite, want)
	}
	return nil
}

// A Component is a part of a tool's interface.
type Component string

// The components of MIS §9.2.
const (
	Description  Component = "description"
	InputSchema  Component = "input_schema"
	Annotations  Component = "annotations"
	OutputSchema Component = "output_schema"
)

// Components are all components, in the order of the composite.
var Components = []Component{Description, InputSchema, Annotations, OutputSchema}

// Part returns the digest of one component; "" where the tool has none.
func (d Digests) Part(c Component) digest.Digest {
	switch c {
	case Description:
		return d.Description
	case InputSchema:
		return d.InputSchema
	case Annotations:
		return d.Annotations
	case OutputSchema:
		return d.OutputSchema
	}
	return ""
}

// A Difference is one component that is not what was sealed. Got or Want is ""
// where that side has no such component.
type Difference struct {
	Component Component
	Got, Want digest.Digest
}

// Compare returns what differs in the live digests, the composite first as
// MIS §9.4 says: equal composites mean no differences. Both must use one
// algorithm.
func Compare(sealed, live Digests) []Difference {
	if sealed.Composite == live.Composite {
		return nil
	}
	var diffs []Difference
	for _, c := range Components {
		if got, want := live.Part(c), sealed.Part(c); got != want {
			diffs = append(diffs, Difference{Component: c, Got: got, Want: want})
		}
	}
	return diffs
}
