package keyless

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/mcp-integrity/seal-action/seal"
)

// fulcio is the arc of Fulcio's certificate extensions; the number behind it is
// that of its oid-info page.
var fulcio = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1}

const (
	oldIssuer = 1 // raw bytes; all others that we read are DER strings
	issuer    = 8
)

// describe reads what a certificate says of its holder. Two statements of one
// fact that disagree, and a certificate for several names or none, are refused:
// a caller compares one name.
func describe(leaf *x509.Certificate) (seal.Certificate, error) {
	var c seal.Certificate
	var err error
	if c.SAN, err = subject(leaf); err != nil {
		return c, err
	}
	members := map[int]*string{
		issuer: &c.Issuer, 9: &c.BuildSignerURI, 10: &c.BuildSignerDigest, 11: &c.RunnerEnvironment,
		12: &c.SourceRepositoryURI, 13: &c.SourceCommit, 14: &c.SourceRef, 15: &c.SourceRepositoryID,
		16: &c.SourceOwnerURI, 17: &c.SourceOwnerID, 18: &c.BuildConfigURI, 19: &c.BuildConfigDigest,
		20: &c.BuildTrigger, 21: &c.RunInvocationURI, 22: &c.Visibility,
	}
	old := ""
	for _, e := range leaf.Extensions {
		if len(e.Id) != len(fulcio)+1 || !e.Id[:len(fulcio)].Equal(fulcio) {
			continue
		}
		n := e.Id[len(fulcio)]
		if n == oldIssuer {
			old = string(e.Value)
		}
		member, ok := members[n]
		if !ok {
			continue
		}
		if rest, err := asn1.Unmarshal(e.Value, member); err != nil || len(rest) > 0 || !utf8.ValidString(*member) {
			return c, fmt.Errorf("extension %v is no DER string", e.Id)
		}
	}
	switch {
	case c.Issuer == "":
		c.Issuer = old
	case old != "" && old != c.Issuer:
		return c, fmt.Errorf("two issuers: %.200q in extension 1.8, %.200q in 1.1", c.Issuer, old)
	}
	if c.Issuer == "" || !utf8.ValidString(c.Issuer) {
		return c, errors.New("it names no issuer of its identity (extension 1.8)")
	}
	return c, nil
}

// subject is the one subject alternative name: a URI, an e-mail address, or the
// other name that Fulcio gives to a user name.
func subject(leaf *x509.Certificate) (string, error) {
	var names []string
	for _, u := range leaf.URIs {
		names = append(names, u.String())
	}
	names = append(names, leaf.EmailAddresses...)
	names = append(names, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		if other, err := cryptoutils.UnmarshalOtherNameSAN(leaf.Extensions); err == nil {
			names = append(names, other)
		}
	}
	if len(names) != 1 || names[0] == "" {
		return "", fmt.Errorf("%d subject alternative names, want 1", len(names))
	}
	return names[0], nil
}

// publicKey is key under the names of decision 6 and RFC 7638, or an error
// where it is none of ES256.
func publicKey(key any) (seal.PublicKey, error) {
	ec, ok := key.(*ecdsa.PublicKey)
	if !ok || ec.Curve != elliptic.P256() {
		return seal.PublicKey{}, fmt.Errorf("the certificate's key is %s, want ECDSA on P-256", kindOf(key))
	}
	info, err := x509.MarshalPKIXPublicKey(ec)
	if err != nil {
		return seal.PublicKey{}, err
	}
	point, err := ec.Bytes() // 4, x, y
	if err != nil {
		return seal.PublicKey{}, err
	}
	encode := base64.RawURLEncoding.EncodeToString
	jwk := fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, encode(point[1:33]), encode(point[33:]))
	id, thumbprint := sha256.Sum256(info), sha256.Sum256([]byte(jwk))
	return seal.PublicKey{KeyID: hex.EncodeToString(id[:]), Key: ec, Thumbprint: encode(thumbprint[:])}, nil
}

func kindOf(key any) string {
	if ec, ok := key.(*ecdsa.PublicKey); ok {
		return "ECDSA on " + ec.Curve.Params().Name
	}
	return fmt.Sprintf("of type %T", key)
}
