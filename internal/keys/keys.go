// Package keys holds signing keys as JSON Web Keys: the files that keygen
// writes, the JWKS documents in which publishers show their public halves
// (MIS §16.1), retire and revoke them (§16.3 to §16.5), what is remembered of
// such documents, and the one key of a desk.
//
// Two kinds of key exist here, those of MIS §7.1: Ed25519 and ES256 (ECDSA on
// P-256 with SHA-256). RSA, symmetric keys and other curves are refused by
// name, never passed over: a person who hands us such a key must hear why.
//
// # Format
//
// A private key is one JSON object (RFC 7517, RFC 7518 §6.2, RFC 8037 §2), a
// public key the same without d:
//
//	{"alg":"EdDSA","crv":"Ed25519","d":"…","kid":"…","kty":"OKP","use":"sig","x":"…"}
//	{"alg":"ES256","crv":"P-256","d":"…","kid":"…","kty":"EC","use":"sig","x":"…","y":"…"}
//
// Written, members stand in RFC 8785 order, numbers as base64url of their full
// size without padding. Read, the same text only: one key has one spelling.
// alg may be absent, or "Ed25519" for "EdDSA" (decision 6); an absent kid is
// the key's RFC 7638 thumbprint; members that the RFCs do not name are passed
// over, as they demand.
//
// A JWKS document is {"keys":[…],"revocations":[…]}: public keys, with the
// member retired_at where they sign nothing new, and notices, each signed by the
// key that it revokes or by a live one of the document (decision 17). See [Set],
// [Notice] and [Documents].
//
// # Promise
//
// A key that a notice names is not among a set's Keys, whatever else the
// document says, and whoever dropped the notice later.
//
// What is parsed is a usable key: the point is on the curve and not of small
// order, and d belongs to x and y. No error, and no way of formatting a value
// of this package, shows the private part. A private key in a document that is
// meant to be public is an error, not a key.
//
// JWKs are read with the standard library's own key parsers behind strictjson.
// JOSE libraries read more than we may take: base64 with stray bits, a d of
// any length, an x that is not d's.
package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mcp-integrity/seal-action/seal"
)

// Bounds on what comes from outside.
const (
	// maxJWK is for one key. With both halves and a long kid it is 600 bytes;
	// some tools add certificate chains.
	maxJWK = 16 << 10
	// MaxSetSize, in bytes, and maxSetKeys are for a JWKS document: ten years
	// of yearly rotation, for an organisation of a hundred teams. Who fetches
	// a document reads no more.
	MaxSetSize = 256 << 10
	maxSetKeys = 1000
	// maxNotice and maxNotices are for revocations: three kids of 256 bytes, each
	// escaped, and one notice for every key that a document can have.
	maxNotice  = 8 << 10
	maxNotices = 1000
	// maxTried bounds how often a document has notices verified with keys that the
	// caller has by other names: a second of work, for a hundred notices and the
	// hundred keys of a large trust file.
	maxTried = 10_000
	// maxKeyID keeps a kid fit for a line of output. A thumbprint has 43 bytes.
	maxKeyID = 256
)

// Algorithm is a signature algorithm of MIS §7.1, by the standard's name.
type Algorithm string

// The algorithms: the first is required of every implementation, the second
// recommended.
const (
	Ed25519 Algorithm = "Ed25519"
	ES256   Algorithm = "ES256"
)

// Algorithms are all of them, the default first.
var Algorithms = []Algorithm{Ed25519, ES256}

// A PublicKey is what verifies: an ed25519.PublicKey or an *ecdsa.PublicKey on
// P-256. Values come from this package's parsers and are not changed after.
type PublicKey struct {
	// KeyID is the kid, by default Thumbprint. It is a hint and gives no trust.
	KeyID     string
	Algorithm Algorithm
	Key       crypto.PublicKey
	// Thumbprint is RFC 7638's, with SHA-256, as 43 characters of base64url.
	// It is the key's own name: two keys that share it are one key.
	Thumbprint string
	// RetiredAt is when a JWKS document retired the key: from then on it signs
	// nothing new. Zero where it did not.
	RetiredAt time.Time

	// other are the members that a JWKS document had beside ours: a document
	// that is read and written again must not lose its marks.
	other members
}

// Seal returns k as package seal takes it.
func (k PublicKey) Seal() seal.PublicKey {
	return seal.PublicKey{KeyID: k.KeyID, Key: k.Key, Thumbprint: k.Thumbprint}
}

// Equal tells whether k and o are the same key by the same name.
func (k PublicKey) Equal(o PublicKey) bool {
	return k.KeyID == o.KeyID && k.Thumbprint == o.Thumbprint
}

// A PrivateKey signs. It implements [seal.Signer].
type PrivateKey struct {
	public PublicKey
	// signer is an ed25519.PrivateKey or an *ecdsa.PrivateKey, behind a pointer
	// because fmt follows none inside a struct: %p passes Format by.
	signer *crypto.Signer
}

var _ seal.Signer = PrivateKey{}

// Generate makes a key. An empty keyID stands for the thumbprint.
func Generate(alg Algorithm, keyID string) (PrivateKey, error) {
	var signer crypto.Signer
	var err error
	switch alg {
	case Ed25519:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	case ES256:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		return PrivateKey{}, fmt.Errorf("algorithm %.40q: want one of %q", alg, Algorithms)
	}
	if err != nil {
		return PrivateKey{}, fmt.Errorf("generate %s key: %w", alg, err)
	}
	return newPrivate(signer, keyID)
}

func newPrivate(signer crypto.Signer, keyID string) (PrivateKey, error) {
	public, err := newPublic(signer.Public(), keyID)
	if err != nil {
		return PrivateKey{}, err
	}
	return PrivateKey{public: public, signer: &signer}, nil
}

// newPublic names a key that was found good.
func newPublic(key crypto.PublicKey, keyID string) (PublicKey, error) {
	if err := checkKeyID(keyID); err != nil {
		return PublicKey{}, err
	}
	j, err := describe(key)
	if err != nil {
		return PublicKey{}, err
	}
	thumb, err := j.thumbprint()
	if err != nil {
		return PublicKey{}, err
	}
	alg := ES256
	if j.Kty == ktyOKP {
		alg = Ed25519
	}
	if keyID == "" {
		keyID = thumb
	}
	return PublicKey{KeyID: keyID, Algorithm: alg, Key: key, Thumbprint: thumb}, nil
}

// checkKeyID refuses names that cannot be shown on one line as they are: a kid
// is printed wherever a signature is reported.
func checkKeyID(id string) error {
	if len(id) > maxKeyID {
		return fmt.Errorf("kid of %d bytes, want %d at most", len(id), maxKeyID)
	}
	if !utf8.ValidString(id) {
		return fmt.Errorf("kid %.100q: not UTF-8", id)
	}
	for _, r := range id {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("kid %.100q: character %U cannot be printed", id, r)
		}
	}
	return nil
}

// KeyID returns the kid, by default the thumbprint.
func (k PrivateKey) KeyID() string { return k.public.KeyID }

// Algorithm returns what k signs with.
func (k PrivateKey) Algorithm() Algorithm { return k.public.Algorithm }

// Public returns the half that others may have.
func (k PrivateKey) Public() PublicKey { return k.public }

// secret returns the private part, or nil where there is none.
func (k PrivateKey) secret() crypto.Signer {
	if k.signer == nil {
		return nil
	}
	return *k.signer
}

// Sign returns the 64 bytes of an Ed25519 signature (RFC 8032), or the r‖s of
// an ES256 signature (RFC 7518 §3.4). Both are deterministic (ES256 by RFC
// 6979): what is sealed again has the same bytes.
func (k PrivateKey) Sign(message []byte) ([]byte, error) {
	switch key := k.secret().(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(key, message), nil
	case *ecdsa.PrivateKey:
		sum := sha256.Sum256(message)
		der, err := key.Sign(nil, sum[:], crypto.SHA256) // nil: RFC 6979
		if err != nil {
			return nil, fmt.Errorf("sign with key %q: %w", k.KeyID(), err)
		}
		return fixedSize(der)
	}
	return nil, errors.New("sign with a key that is empty")
}

// fixedSize turns the DER of crypto/ecdsa into JOSE's r‖s.
func fixedSize(der []byte) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil || len(rest) > 0 {
		return nil, errors.New("crypto/ecdsa gave a signature that is not DER")
	}
	out := make([]byte, 2*coordinateSize)
	sig.R.FillBytes(out[:coordinateSize])
	sig.S.FillBytes(out[coordinateSize:])
	return out, nil
}

// Format writes a key's name for every verb, so that no log line, panic or
// test failure can hold its private part.
func (k PrivateKey) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "private key "+k.public.KeyID+" ("+string(k.public.Algorithm)+")")
}
