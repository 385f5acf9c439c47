package seal

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"strconv"
)

// PayloadType is the DSSE payload type of a Sealed Manifest (MIS §7.4).
const PayloadType = "application/vnd.mcp-integrity.manifest+json"

// PAE returns DSSE's pre-authentication encoding of a payload: the bytes that
// are signed (decision 1).
//
//	"DSSEv1" SP len(type) SP type SP len(payload) SP payload
//
// Lengths are decimal counts of bytes.
func PAE(payloadType string, payload []byte) []byte {
	b := make([]byte, 0, len(payloadType)+len(payload)+32)
	b = append(b, "DSSEv1 "...)
	b = strconv.AppendInt(b, int64(len(payloadType)), 10)
	b = append(b, ' ')
	b = append(b, payloadType...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(len(payload)), 10)
	b = append(b, ' ')
	return append(b, payload...)
}

// A Signer holds one private key.
type Signer interface {
	// KeyID is the hint by which verifiers find the public half.
	KeyID() string
	// Sign returns the signature of message: 64 bytes, Ed25519's own, or
	// JOSE's r‖s of ES256.
	Sign(message []byte) ([]byte, error)
}

// PublicKey is an ed25519.PublicKey or an *ecdsa.PublicKey on P-256, and the
// id by which it is found. No other key is ever used (MIS §7.1).
type PublicKey struct {
	KeyID string
	Key   crypto.PublicKey
	// Thumbprint is the key's RFC 7638 thumbprint, by which a person pins it:
	// a keyid is whatever its owner likes.
	Thumbprint string
}

// signatureSize is that of Ed25519 and of JOSE's ES256 alike.
const signatureSize = 64

var errSignature = errors.New("the signature does not belong to these bytes and this key")

// Verify returns nil when sig is k's signature of message. Signatures of ES256
// are r‖s; DER is refused (decision 6).
func (k PublicKey) Verify(message, sig []byte) error {
	if sig == nil {
		return errors.New("the signature is no base64")
	}
	if len(sig) != signatureSize {
		return fmt.Errorf("signature of %d bytes, want %d (ES256 is r‖s, not DER)", len(sig), signatureSize)
	}
	switch key := k.Key.(type) {
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return fmt.Errorf("Ed25519 key of %d bytes, want %d", len(key), ed25519.PublicKeySize)
		}
		if !ed25519.Verify(key, message, sig) {
			return errSignature
		}
		return nil
	case *ecdsa.PublicKey:
		if key == nil || key.Curve != elliptic.P256() {
			return errors.New("ECDSA key on another curve than P-256")
		}
		r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
		sum := sha256.Sum256(message)
		if !ecdsa.Verify(key, sum[:], r, s) {
			return errSignature
		}
		return nil
	}
	return fmt.Errorf("key of type %T, want Ed25519 or ECDSA on P-256", k.Key)
}

// DER is an ES256 signature as crypto libraries and other DSSE tools take it:
// the ASN.1 of X9.62 instead of JOSE's r‖s.
func DER(sig []byte) ([]byte, error) {
	if len(sig) != signatureSize {
		return nil, fmt.Errorf("ES256 signature of %d bytes, want %d", len(sig), signatureSize)
	}
	const half = signatureSize / 2
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:])})
}
