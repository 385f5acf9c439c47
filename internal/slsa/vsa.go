package slsa

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// maxVSA, in bytes, is for a statement that we are to sign. It grows with its
// subjects and input attestations, 200 bytes each.
const maxVSA = 1 << 20

// envelope is DSSE as others read it: base64 is the standard one, with padding.
type envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     []byte      `json:"payload"`
	Signatures  []signature `json:"signatures"`
}

// signature has no keyid: slsa-verifier compares it with the one that its user
// names, and a user who names none could not verify the envelope. A key is
// handed over by itself ([PublicPEM]).
type signature struct {
	Sig []byte `json:"sig"`
}

// SignVSA returns the DSSE envelope, in RFC 8785 form, of a statement (in-toto
// Statement v1 with the predicate verification_summary/v1) under key. The
// signature is Ed25519's own of the statement's PAE, or of ES256 its DER. The
// same statement and key give the same bytes.
func SignVSA(statement []byte, key keys.PrivateKey) ([]byte, error) {
	if err := checkVSA(statement); err != nil {
		return nil, fmt.Errorf("sign VSA: %w", err)
	}
	message := seal.PAE(provenance.PayloadType, statement)
	sig, err := key.Sign(message)
	if err != nil {
		return nil, fmt.Errorf("sign VSA: %w", err)
	}
	if key.Algorithm() == keys.ES256 {
		if sig, err = seal.DER(sig); err != nil {
			return nil, fmt.Errorf("sign VSA: %w", err)
		}
	}
	if !verifies(key.Public(), message, sig) {
		return nil, fmt.Errorf("sign VSA: the signature does not verify under key %q", key.KeyID())
	}
	return strictjson.Marshal(envelope{PayloadType: provenance.PayloadType, Payload: statement, Signatures: []signature{{Sig: sig}}})
}

// checkVSA refuses to sign anything else: a signature over other bytes of this
// payload type would be a provenance in our name.
func checkVSA(statement []byte) error {
	if len(statement) > maxVSA {
		return fmt.Errorf("statement of %d bytes, want %d at most", len(statement), maxVSA)
	}
	var s struct {
		Type          string `json:"_type"`
		PredicateType string `json:"predicateType"`
	}
	if err := strictjson.UnmarshalOpen(statement, &s); err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	if s.Type != provenance.StatementType || s.PredicateType != provenance.PredicateTypeVSA {
		return fmt.Errorf("statement: got _type %.100q and predicateType %.100q, want %q and %q", s.Type, s.PredicateType, provenance.StatementType, provenance.PredicateTypeVSA)
	}
	return nil
}

func verifies(key keys.PublicKey, message, sig []byte) bool {
	switch k := key.Key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(k, message, sig)
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(message)
		return ecdsa.VerifyASN1(k, sum[:], sig)
	}
	return false
}

// PublicPEM returns key as slsa-verifier takes it: SubjectPublicKeyInfo (RFC
// 5280) in PEM (RFC 7468).
func PublicPEM(key keys.PublicKey) ([]byte, error) {
	if key.Key == nil {
		return nil, errors.New("public key as PEM: the key is empty")
	}
	der, err := x509.MarshalPKIXPublicKey(key.Key)
	if err != nil {
		return nil, fmt.Errorf("public key %q as PEM: %w", key.KeyID, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}
