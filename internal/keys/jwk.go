package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"filippo.io/edwards25519"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Values of kty and crv (RFC 7518 §6.1, RFC 8037 §2).
const (
	ktyEC      = "EC"
	ktyOKP     = "OKP"
	crvP256    = "P-256"
	crvEd25519 = "Ed25519"
)

// coordinateSize is the size in bytes of every number in our JWKs: x, y and d
// of P-256, x and d of Ed25519.
const coordinateSize = 32

// members are members of a JSON object that we carry along unread.
type members map[string]jsontext.Value

// jwk is a JSON Web Key as it stands in a file. Null and the empty string
// count as absent.
type jwk struct {
	Kty    string   `json:"kty"`
	Crv    string   `json:"crv,omitzero"`
	Kid    string   `json:"kid,omitzero"`
	Alg    string   `json:"alg,omitzero"`
	Use    string   `json:"use,omitzero"`
	KeyOps []string `json:"key_ops,omitempty"`
	X      string   `json:"x,omitzero"`
	Y      string   `json:"y,omitzero"`
	D      string   `json:"d,omitzero"`
	//lint:ignore SA5008 embed is an option of go-json-experiment
	Other members `json:",embed"`
}

// ParsePrivate reads a private JWK. It refuses, by name, what cannot sign for
// us: other kinds of key, a use or key_ops that forbid signing, a d that does
// not belong to x and y, a public key.
func ParsePrivate(data []byte) (PrivateKey, error) {
	j, err := decode(data)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("private JWK: %w", err)
	}
	k, err := j.private()
	if err != nil {
		return PrivateKey{}, fmt.Errorf("private JWK: %w", err)
	}
	return k, nil
}

// ParsePublic reads a public JWK, or the public half of a private one, which
// then is checked as [ParsePrivate] does.
func ParsePublic(data []byte) (PublicKey, error) {
	j, err := decode(data)
	if err != nil {
		return PublicKey{}, fmt.Errorf("JWK: %w", err)
	}
	if j.D != "" {
		k, err := j.private()
		if err != nil {
			return PublicKey{}, fmt.Errorf("private JWK: %w", err)
		}
		return k.Public(), nil
	}
	k, err := j.public()
	if err != nil {
		return PublicKey{}, fmt.Errorf("JWK: %w", err)
	}
	return k, nil
}

// MarshalJWK returns k as a private JWK in RFC 8785 form, d and all.
func (k PrivateKey) MarshalJWK() ([]byte, error) {
	var d []byte
	var err error
	switch key := k.secret().(type) {
	case ed25519.PrivateKey:
		d = key.Seed()
	case *ecdsa.PrivateKey:
		d, err = key.Bytes()
	default:
		err = errors.New("the key is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("write private JWK: %w", err)
	}
	j, err := k.public.jwk()
	if err != nil {
		return nil, err
	}
	j.D = encode(d)
	return strictjson.Marshal(j)
}

// MarshalJWK returns k as a public JWK in RFC 8785 form.
func (k PublicKey) MarshalJWK() ([]byte, error) {
	j, err := k.jwk()
	if err != nil {
		return nil, err
	}
	return strictjson.Marshal(j)
}

// decode reads one JWK. No parser's message comes out of here: they quote what
// they dislike, and that may be d.
func decode(data []byte) (jwk, error) {
	if len(data) > maxJWK {
		return jwk{}, fmt.Errorf("%d bytes, want %d at most", len(data), maxJWK)
	}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("-----BEGIN")) {
		return jwk{}, errors.New("this is PEM, want a JSON Web Key (RFC 7517) as keygen writes it")
	}
	var j jwk
	if err := strictjson.UnmarshalOpen(data, &j); err != nil {
		return jwk{}, withoutValues(err)
	}
	if _, ok := j.Other["keys"]; ok && j.Kty == "" {
		return jwk{}, ErrDocument
	}
	return j, nil
}

// memberNames are those that an error may name; another name may be a value
// in the wrong place.
var memberNames = []string{"kty", "crv", "kid", "alg", "use", "key_ops", "x", "y", "d", "keys", "revocations"}

// withoutValues says where JSON is wrong and of what kind the fault is, and
// nothing of what stands there.
func withoutValues(err error) error {
	var syntactic *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.Is(err, strictjson.ErrDepth):
		return strictjson.ErrDepth
	case errors.As(err, &semantic):
		if name := semantic.JSONPointer.LastToken(); slices.Contains(memberNames, name) {
			return fmt.Errorf("member %q is a JSON %s, which it may not be", name, kindName(semantic.JSONKind))
		}
		return fmt.Errorf("a JSON %s stands where it may not", kindName(semantic.JSONKind))
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntactic):
		return fmt.Errorf("not strict JSON: a member stands twice, before byte %d", syntactic.ByteOffset)
	case errors.As(err, &syntactic):
		return fmt.Errorf("not strict JSON: wrong at byte %d", syntactic.ByteOffset)
	}
	return errors.New("not strict JSON")
}

func kindName(k jsontext.Kind) string {
	switch k {
	case jsontext.KindNull:
		return "null"
	case jsontext.KindFalse, jsontext.KindTrue:
		return "boolean"
	case jsontext.KindString:
		return "string"
	case jsontext.KindNumber:
		return "number"
	case jsontext.KindBeginObject:
		return "object"
	case jsontext.KindBeginArray:
		return "array"
	}
	return "value"
}

// private returns the key of a JWK that has d.
func (j jwk) private() (PrivateKey, error) {
	if err := j.checkKind(); err != nil {
		return PrivateKey{}, err
	}
	if j.D == "" {
		return PrivateKey{}, errors.New(`no member "d": this is a public key, want a private one`)
	}
	if len(j.KeyOps) > 0 && !slices.Contains(j.KeyOps, "sign") {
		return PrivateKey{}, fmt.Errorf(`key_ops %.100q without "sign"`, j.KeyOps)
	}
	want, err := j.point()
	if err != nil {
		return PrivateKey{}, err
	}
	d, err := number("d", j.D)
	if err != nil {
		return PrivateKey{}, err
	}
	signer, err := j.signer(d)
	if err != nil {
		return PrivateKey{}, err
	}
	// Signing with an x that is not d's gives signatures that nobody can
	// verify and, for Ed25519, two of them give d away.
	if !want.Equal(signer.Public()) {
		return PrivateKey{}, errors.New("d does not belong to the public key beside it: parts of two keys in one file")
	}
	return newPrivate(signer, j.Kid)
}

// signer computes the key pair of d alone.
func (j jwk) signer(d []byte) (crypto.Signer, error) {
	if j.Kty == ktyOKP {
		return ed25519.NewKeyFromSeed(d), nil
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	if err != nil {
		return nil, errors.New("d is zero or not below the order of P-256")
	}
	return key, nil
}

// public returns the key of a JWK without d.
func (j jwk) public() (PublicKey, error) {
	if err := j.checkKind(); err != nil {
		return PublicKey{}, err
	}
	if len(j.KeyOps) > 0 && !slices.Contains(j.KeyOps, "verify") {
		return PublicKey{}, fmt.Errorf(`key_ops %.100q without "verify"`, j.KeyOps)
	}
	key, err := j.point()
	if err != nil {
		return PublicKey{}, err
	}
	return newPublic(key, j.Kid)
}

// checkKind refuses every key that MIS §7.1 does not allow, with its name.
func (j jwk) checkKind() error {
	algs := []string{"EdDSA", "Ed25519"}
	switch {
	case j.Kty == "":
		return errors.New(`no member "kty": this is not a JSON Web Key`)
	case j.Kty == "RSA":
		return errors.New(`kty "RSA": MIS §7.1 forbids RSA, want Ed25519 or ES256 (make one with keygen)`)
	case j.Kty == "oct":
		return errors.New(`kty "oct" is a symmetric secret: whoever verifies could sign, want Ed25519 or ES256 (make one with keygen)`)
	case j.Kty == ktyEC && j.Crv != crvP256:
		return fmt.Errorf(`kty "EC" with crv %.40q, want %q`, j.Crv, crvP256)
	case j.Kty == ktyEC:
		algs = []string{"ES256"}
	case j.Kty == ktyOKP && j.Crv != crvEd25519:
		return fmt.Errorf(`kty "OKP" with crv %.40q, want %q`, j.Crv, crvEd25519)
	case j.Kty != ktyOKP:
		return fmt.Errorf("kty %.40q, want %q or %q", j.Kty, ktyOKP, ktyEC)
	}
	if j.Alg != "" && !slices.Contains(algs, j.Alg) {
		return fmt.Errorf("alg %.40q with crv %q, want %q", j.Alg, j.Crv, algs[0])
	}
	if j.Use != "" && j.Use != "sig" {
		return fmt.Errorf(`use %.40q, want "sig"`, j.Use)
	}
	return nil
}

// publicKey is what every public key of the standard library can do.
type publicKey interface{ Equal(crypto.PublicKey) bool }

// point reads x and y and refuses what is no good key: a point off the curve,
// or, on Ed25519's, one of small order, under which a signature can be made to
// fit any message.
func (j jwk) point() (publicKey, error) {
	x, err := number("x", j.X)
	if err != nil {
		return nil, err
	}
	if j.Kty == ktyOKP {
		return edwardsPoint(x)
	}
	y, err := number("y", j.Y)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, errors.New("x and y are not a point of P-256")
	}
	return key, nil
}

func edwardsPoint(x []byte) (publicKey, error) {
	p, err := new(edwards25519.Point).SetBytes(x)
	if err != nil {
		return nil, errors.New("x is not a point of Ed25519")
	}
	// RFC 8032 §5.1.3 refuses coordinates that are not reduced; crypto/ed25519 takes them.
	if !bytes.Equal(p.Bytes(), x) {
		return nil, errors.New("x is a point of Ed25519 in another form than RFC 8032 writes")
	}
	if new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return nil, errors.New("x is a point of small order: signatures under it prove nothing")
	}
	return ed25519.PublicKey(x), nil
}

// number reads base64url of exactly [coordinateSize] bytes, as RFC 7518 §6.2.1.2
// and RFC 8037 §2 want them, in the one spelling that we write.
func number(member, text string) ([]byte, error) {
	if text == "" {
		return nil, fmt.Errorf("no member %q", member)
	}
	// encoding/base64 passes over line ends even in strict mode.
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("member %q is not base64url without padding (RFC 7515 §2)", member)
	}
	if len(b) != coordinateSize {
		return nil, fmt.Errorf("member %q has %d bytes, want %d", member, len(b), coordinateSize)
	}
	return b, nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// describe returns the members that RFC 7638 §3.2 and RFC 8037 §2 call
// required: kty, crv, x and, on P-256, y.
func describe(key crypto.PublicKey) (jwk, error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return jwk{Kty: ktyOKP, Crv: crvEd25519, X: encode(key)}, nil
	case *ecdsa.PublicKey:
		b, err := key.Bytes() // 4, x, y
		if err != nil {
			return jwk{}, fmt.Errorf("ECDSA key: %w", err)
		}
		if len(b) != 1+2*coordinateSize {
			return jwk{}, errors.New("ECDSA key on another curve than P-256")
		}
		return jwk{Kty: ktyEC, Crv: crvP256, X: encode(b[1 : 1+coordinateSize]), Y: encode(b[1+coordinateSize:])}, nil
	}
	return jwk{}, fmt.Errorf("key of type %T, want Ed25519 or ECDSA on P-256", key)
}

// thumbprint is RFC 7638 §3 of a JWK that has the required members only: their
// order there, by code point, is that of RFC 8785.
func (j jwk) thumbprint() (string, error) {
	text, err := strictjson.Marshal(j)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return encode(sum[:]), nil
}

// jwk returns k as it is written.
func (k PublicKey) jwk() (jwk, error) {
	j, err := describe(k.Key)
	if err != nil {
		return jwk{}, fmt.Errorf("write JWK: %w", err)
	}
	j.Kid, j.Use, j.Alg = k.KeyID, "sig", "EdDSA"
	if j.Kty == ktyEC {
		j.Alg = string(ES256)
	}
	return j, nil
}
