package seal

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// The names that decision 10b gives to a bound attestation's statement.
const (
	StatementType        = "https://in-toto.io/Statement/v1"
	StatementPredicate   = "https://mcp-integrity.org/attestation/v1"
	StatementSubject     = "mcp-integrity.json"
	StatementPayloadType = "application/vnd.in-toto+json"
)

// Statement is what an attestor signs beside the payload, so that nobody can
// relabel the attestation, move its time, or strip its expiry: an in-toto
// Statement v1 about the payload's SHA-256, whose predicate has exactly these
// members (decision 10b).
type Statement struct {
	Role      Role
	Type      string
	Timestamp Timestamp
	ExpiresAt *Timestamp
	// Findings is a JSON object of the attestor's own, nil where there is none.
	Findings []byte
	// InterfaceSnapshot is the SHA-256 of the snapshot file, "" where there is none.
	InterfaceSnapshot digest.Digest
	// Reroot is the reason why a chain starts anew, "" where it does not.
	Reroot string
}

type wireStatement struct {
	Type          string        `json:"_type"`
	Subject       []wireSubject `json:"subject"`
	PredicateType string        `json:"predicateType"`
	Predicate     wirePredicate `json:"predicate"`
}

type wireSubject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

type wirePredicate struct {
	Role              Role              `json:"role"`
	Type              string            `json:"attestation_type"`
	Timestamp         *Timestamp        `json:"timestamp,omitzero"`
	ExpiresAt         *Timestamp        `json:"expires_at,omitzero"`
	Findings          jsontext.Value    `json:"findings,omitzero"`
	InterfaceSnapshot map[string]string `json:"interface_snapshot,omitzero"`
	Reroot            string            `json:"reroot,omitzero"`
}

// MarshalStatement returns the canonical bytes of s about payload.
func MarshalStatement(s Statement, payload []byte) ([]byte, error) {
	wire := wireStatement{
		Type:          StatementType,
		Subject:       []wireSubject{{Name: StatementSubject, Digest: map[string]string{"sha256": digest.FromBytes(payload).Encoded()}}},
		PredicateType: StatementPredicate,
		Predicate: wirePredicate{
			Role: s.Role, Type: s.Type, Timestamp: &s.Timestamp, ExpiresAt: s.ExpiresAt,
			Findings: s.Findings, Reroot: s.Reroot,
		},
	}
	if d := s.InterfaceSnapshot; d != "" {
		if d.Algorithm() != digest.SHA256 {
			return nil, fmt.Errorf("statement: interface_snapshot: algorithm %q, want sha256", d.Algorithm())
		}
		wire.Predicate.InterfaceSnapshot = map[string]string{"sha256": d.Encoded()}
	}
	b, err := strictjson.Marshal(wire)
	if err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	return b, nil
}

// ParseStatement reads a statement whose signature the caller has verified, and
// checks that it is about payload.
func ParseStatement(data, payload []byte) (Statement, error) {
	var wire wireStatement
	var s Statement
	if err := strictjson.Unmarshal(data, &wire); err != nil {
		return s, fmt.Errorf("statement: %w", err)
	}
	if wire.Type != StatementType {
		return s, fmt.Errorf("statement: _type: got %.80q, want %q", wire.Type, StatementType)
	}
	if wire.PredicateType != StatementPredicate {
		return s, fmt.Errorf("statement: predicateType: got %.80q, want %q", wire.PredicateType, StatementPredicate)
	}
	if len(wire.Subject) != 1 || wire.Subject[0].Name != StatementSubject {
		return s, fmt.Errorf("statement: want exactly one subject, %q", StatementSubject)
	}
	want := digest.FromBytes(payload).Encoded()
	if got, err := onlySHA256(wire.Subject[0].Digest); err != nil || got.Encoded() != want {
		return s, fmt.Errorf("statement: subject digest: got %.80q, want sha256 %s of the payload", fmt.Sprint(wire.Subject[0].Digest), want)
	}
	p := wire.Predicate
	if p.Role == "" || p.Type == "" || p.Timestamp == nil {
		return s, errors.New("statement: predicate: role, attestation_type and timestamp are required")
	}
	s = Statement{Role: p.Role, Type: p.Type, Timestamp: *p.Timestamp, ExpiresAt: p.ExpiresAt, Findings: p.Findings, Reroot: p.Reroot}
	if p.InterfaceSnapshot != nil {
		d, err := onlySHA256(p.InterfaceSnapshot)
		if err != nil {
			return s, fmt.Errorf("statement: interface_snapshot: %w", err)
		}
		s.InterfaceSnapshot = d
	}
	return s, nil
}

func onlySHA256(set map[string]string) (digest.Digest, error) {
	d := digest.NewDigestFromEncoded(digest.SHA256, set["sha256"])
	if len(set) != 1 {
		return "", fmt.Errorf("want the member sha256 and nothing else, got %d members", len(set))
	}
	return d, d.Validate()
}

// details is the part of the details member that decision 10b defines. Others
// may add members of their own.
type details struct {
	Statement jsontext.Value `json:"statement"`
}

// statementEnvelope is the DSSE envelope that holds a JWK signer's statement.
type statementEnvelope struct {
	PayloadType string               `json:"payloadType"`
	Payload     string               `json:"payload"`
	Signatures  []statementSignature `json:"signatures"`
}

type statementSignature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"`
}

// Attest adds the bound attestation of a signer with a key of its own to e: a
// signature of the payload, and a statement under the same key, in a DSSE
// envelope, that says what the signature means. The payload and the other
// signatures stay as they are.
func (e *Envelope) Attest(signer Signer, s Statement) error {
	body, err := MarshalStatement(s, e.Payload)
	if err != nil {
		return err
	}
	sig, err := signer.Sign(PAE(StatementPayloadType, body))
	if err != nil {
		return fmt.Errorf("sign the statement with key %.100q: %w", signer.KeyID(), err)
	}
	signed, err := strictjson.Marshal(statementEnvelope{
		PayloadType: StatementPayloadType,
		Payload:     encodeBase64(body),
		Signatures:  []statementSignature{{KeyID: signer.KeyID(), Sig: encodeBase64(sig)}},
	})
	if err != nil {
		return err
	}
	return e.AttestSigned(signer, s, signed)
}

// AttestSigned adds signer's bound attestation to e, where signed is the JSON
// object that holds the statement, signed under the same key: for keyless
// signing a Sigstore bundle (decision 11).
func (e *Envelope) AttestSigned(signer Signer, s Statement, signed []byte) error {
	sig, err := signer.Sign(PAE(PayloadType, e.Payload))
	if err != nil {
		return fmt.Errorf("sign the manifest with key %.100q: %w", signer.KeyID(), err)
	}
	det, err := strictjson.Marshal(details{Statement: signed})
	if err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	e.Signatures = append(e.Signatures, Signature{
		KeyID: signer.KeyID(), Sig: sig, Role: s.Role, Type: s.Type,
		Timestamp: &s.Timestamp, ExpiresAt: s.ExpiresAt, Details: det,
	})
	return nil
}

// StatementOf returns the statement member of s's details, nil where there is none.
func StatementOf(s Signature) ([]byte, error) {
	if s.Details == nil {
		return nil, nil
	}
	var d details
	if err := strictjson.UnmarshalOpen(s.Details, &d); err != nil {
		return nil, fmt.Errorf("details: %w", err)
	}
	return d.Statement, nil
}

// StatementPayload returns the in-toto statement inside the statement of an
// attestation, a JWK signer's envelope or a Sigstore bundle, unverified.
func StatementPayload(data []byte) ([]byte, error) {
	if IsBundle(data) {
		var b struct {
			Envelope struct {
				Payload string `json:"payload"`
			} `json:"dsseEnvelope"`
		}
		if err := strictjson.UnmarshalOpen(data, &b); err != nil {
			return nil, fmt.Errorf("statement: %w", err)
		}
		return decodeBase64(b.Envelope.Payload)
	}
	var env statementEnvelope
	if err := strictjson.Unmarshal(data, &env); err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	return decodeBase64(env.Payload)
}

// IsBundle says that a statement, as [StatementOf] gives it, calls itself a
// Sigstore bundle, so that no key that is known by itself can have signed it.
func IsBundle(data []byte) bool {
	var b struct {
		MediaType string `json:"mediaType"`
	}
	return strictjson.UnmarshalOpen(data, &b) == nil && strings.HasPrefix(b.MediaType, "application/vnd.dev.sigstore.bundle")
}

// openStatement verifies a JWK signer's statement envelope under key, the key
// of sig, and returns the statement's bytes.
func openStatement(data []byte, keyID string, key PublicKey) ([]byte, error) {
	var env statementEnvelope
	if err := strictjson.Unmarshal(data, &env); err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	if env.PayloadType != StatementPayloadType {
		return nil, fmt.Errorf("statement: payloadType: got %.80q, want %q", env.PayloadType, StatementPayloadType)
	}
	if len(env.Signatures) != 1 {
		return nil, fmt.Errorf("statement: %d signatures, want 1", len(env.Signatures))
	}
	if got := env.Signatures[0].KeyID; got != keyID {
		return nil, fmt.Errorf("statement: keyid: got %.100q, want %.100q as beside sig", got, keyID)
	}
	body, err := decodeBase64(env.Payload)
	if err != nil {
		return nil, fmt.Errorf("statement: payload: %w", err)
	}
	sig, err := decodeBase64(env.Signatures[0].Sig)
	if err != nil {
		return nil, fmt.Errorf("statement: sig: %w", err)
	}
	if err := key.Verify(PAE(StatementPayloadType, body), sig); err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	return body, nil
}
