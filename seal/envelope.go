package seal

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Role is what an attestor attests as (MIS §14.3).
type Role string

// The roles of MIS §14.3.
const (
	RolePublisher Role = "publisher"
	RoleRegistry  Role = "registry"
	RoleScanner   Role = "scanner"
	RoleAuditor   Role = "auditor"
)

// TypeManifestSigned is the publisher's attestation type, and the default for
// that role (MIS §14.4).
const TypeManifestSigned = "manifest_signed"

// Envelope is the DSSE envelope of MIS §7.4 and §26.2: a payload and the
// signatures of everyone who attests it.
//
// An Envelope that [ParseEnvelope] returned is nobody's word yet: its payload
// is bytes, its labels are claims. [Envelope.Open] turns it into a Manifest.
type Envelope struct {
	Payload    []byte
	Signatures []Signature
}

// Signature is an entry of signatures[]. Everything but Sig is unsigned by
// itself; Details may hold a statement that signs it (decision 10b).
type Signature struct {
	KeyID     string
	Sig       []byte
	Role      Role       // "" where absent
	Type      string     // attestation_type; "" where absent
	Timestamp *Timestamp // nil where absent
	ExpiresAt *Timestamp // nil where absent
	// Details is the details member's bytes as they came, nil where absent.
	Details []byte

	// text is a sig that is no base64: a signature that cannot hold, and not
	// an envelope that cannot be read (MIS §27.2: a modified signature is
	// SIGNATURE_INVALID). Sig is nil then.
	text string
}

type wireEnvelope struct {
	PayloadType string          `json:"payloadType"`
	Payload     string          `json:"payload"`
	Signatures  []wireSignature `json:"signatures"`
}

type wireSignature struct {
	KeyID     string         `json:"keyid"`
	Sig       string         `json:"sig"`
	Role      Role           `json:"role,omitzero"`
	Type      string         `json:"attestation_type,omitzero"`
	Timestamp *Timestamp     `json:"timestamp,omitzero"`
	ExpiresAt *Timestamp     `json:"expires_at,omitzero"`
	Details   jsontext.Value `json:"details,omitzero"`
}

// NewEnvelope returns an envelope around payload that nobody has signed yet.
func NewEnvelope(payload []byte) *Envelope { return &Envelope{Payload: payload} }

// ParseEnvelope reads an envelope: strict JSON (decision 3), the schema of MIS
// §26.2, at most [MaxEnvelopeSize] bytes and [MaxSignatures] signatures. It
// checks no signature and looks at no byte of the payload. Errors carry
// [CodeManifestParse].
func ParseEnvelope(data []byte) (*Envelope, error) {
	if len(data) > MaxEnvelopeSize {
		return nil, failf(CodeManifestParse, "envelope of %d bytes, want at most %d", len(data), MaxEnvelopeSize)
	}
	if err := strictjson.Check(data); err != nil {
		return nil, failf(CodeManifestParse, "envelope: %w", err)
	}
	outline, err := outlineOf(data)
	if err != nil {
		return nil, failf(CodeManifestParse, "envelope: %w", err)
	}
	if err := validate(envelopeSchema(), outline); err != nil {
		return nil, failf(CodeManifestParse, "envelope: %w", err)
	}
	var wire wireEnvelope
	if err := strictjson.Decode(data, &wire); err != nil {
		return nil, failf(CodeManifestParse, "envelope: %w", err)
	}
	payload, err := decodeBase64(wire.Payload)
	if err != nil {
		return nil, failf(CodeManifestParse, "envelope: payload: %w", err)
	}
	e := NewEnvelope(payload)
	for _, w := range wire.Signatures {
		s := Signature{
			KeyID: w.KeyID, Role: w.Role, Type: w.Type,
			Timestamp: w.Timestamp, ExpiresAt: w.ExpiresAt, Details: w.Details,
		}
		if s.Sig, err = decodeBase64(w.Sig); err != nil {
			s.Sig, s.text = nil, w.Sig
		}
		e.Signatures = append(e.Signatures, s)
	}
	return e, nil
}

// outlineOf is the envelope with everything that is long left out: the texts in
// payload and details, of which the schema says nothing, and what is too long to
// be right. A validator would build it all up in memory, for a stranger whom
// nobody has verified.
func outlineOf(data []byte) ([]byte, error) {
	top := map[string]jsontext.Value{}
	if err := strictjson.DecodeOpen(data, &top); err != nil {
		return nil, err
	}
	if v := top["payload"]; v.Kind() == '"' && len(v) > len(`""`) {
		top["payload"] = jsontext.Value(`"x"`)
	}
	if v := top["signatures"]; v.Kind() == '[' {
		var signatures []jsontext.Value
		if err := strictjson.DecodeOpen(v, &signatures); err != nil {
			return nil, err
		}
		if len(signatures) > MaxSignatures {
			return nil, fmt.Errorf("%d signatures, want at most %d", len(signatures), MaxSignatures)
		}
		for i, sig := range signatures {
			outlined, err := outlineOfSignature(sig)
			if err != nil {
				return nil, fmt.Errorf("signatures[%d]: %w", i, err)
			}
			signatures[i] = outlined
		}
		short, err := json.Marshal(signatures)
		if err != nil {
			return nil, err
		}
		top["signatures"] = short
	}
	return shortMembers(top)
}

func outlineOfSignature(sig jsontext.Value) (jsontext.Value, error) {
	if sig.Kind() != '{' {
		return jsontext.Value("null"), nil // the schema says what it should be
	}
	members := map[string]jsontext.Value{}
	if err := strictjson.DecodeOpen(sig, &members); err != nil {
		return nil, err
	}
	if v := members["details"]; v.Kind() == '{' {
		if len(v) > maxDetails {
			return nil, fmt.Errorf("details of %d bytes, want at most %d", len(v), maxDetails)
		}
		members["details"] = jsontext.Value(`{}`)
	}
	return shortMembers(members)
}

// shortMembers writes an object, with null for what is longer than any label.
func shortMembers(members map[string]jsontext.Value) (jsontext.Value, error) {
	const most = 1 << 16
	for name, v := range members {
		if len(v) > most && name != "signatures" {
			members[name] = jsontext.Value("null")
		}
	}
	return json.Marshal(members)
}

// Marshal returns the envelope as indented JSON with a line end. What it
// returns [ParseEnvelope] accepts.
func (e *Envelope) Marshal() ([]byte, error) {
	wire := wireEnvelope{PayloadType: PayloadType, Payload: encodeBase64(e.Payload)}
	for _, s := range e.Signatures {
		sig := s.text
		if s.Sig != nil {
			sig = encodeBase64(s.Sig)
		}
		wire.Signatures = append(wire.Signatures, wireSignature{
			KeyID: s.KeyID, Sig: sig, Role: s.Role, Type: s.Type,
			Timestamp: s.Timestamp, ExpiresAt: s.ExpiresAt, Details: s.Details,
		})
	}
	canonical, err := strictjson.Marshal(wire)
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	if _, err := ParseEnvelope(canonical); err != nil {
		return nil, err
	}
	indented := jsontext.Value(canonical)
	if err := indented.Indent(jsontext.WithIndent("  ")); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	return append(indented, '\n'), nil
}

// PayloadDigest is the digest by which a successor and a statement name this
// manifest (decisions 9 and 10b): that of the payload's bytes.
func (e *Envelope) PayloadDigest(alg digest.Algorithm) digest.Digest {
	return alg.FromBytes(e.Payload)
}

// A Claim is what an unverified envelope says about itself. It serves to look
// keys up, and for nothing else.
type Claim struct {
	// Namespace is server.publisher.namespace, "" where it cannot be read.
	Namespace string
	// KeyIDs are the key hints of the signatures.
	KeyIDs []string
}

// Claim reads the hints of an envelope that nobody has verified.
func (e *Envelope) Claim() Claim {
	var c Claim
	for _, s := range e.Signatures {
		c.KeyIDs = append(c.KeyIDs, s.KeyID)
	}
	var m struct {
		Server struct {
			Publisher struct {
				Namespace string `json:"namespace"`
			} `json:"publisher"`
		} `json:"server"`
	}
	if strictjson.UnmarshalOpen(e.Payload, &m) == nil {
		c.Namespace = m.Server.Publisher.Namespace
	}
	return c
}
