package keylesstest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/mcp-integrity/seal-action/seal"
)

// authority is a root, an intermediate that issues, and for a timestamp
// authority the certificate that signs.
type authority struct {
	root, issuer, signer *x509.Certificate
	issuerKey, signerKey *ecdsa.PrivateKey
	usage                x509.ExtKeyUsage
}

const certificateLife = 10 * time.Minute // Fulcio's

func newAuthority(organization, name string, usage x509.ExtKeyUsage, start time.Time, curve elliptic.Curve) authority {
	rootKey, key := newKey(curve), newKey(curve)
	template := func(cn string) *x509.Certificate {
		return &x509.Certificate{
			Subject:   pkix.Name{Organization: []string{organization}, CommonName: organization + " " + name + " " + cn},
			NotBefore: start, NotAfter: start.AddDate(10, 0, 0),
			BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
		}
	}
	a := authority{issuerKey: key, usage: usage}
	root := template("root")
	a.root = issue(root, root, &rootKey.PublicKey, rootKey)
	intermediate := template("intermediate")
	intermediate.ExtKeyUsage = []x509.ExtKeyUsage{usage}
	a.issuer = issue(intermediate, a.root, &key.PublicKey, rootKey)
	return a
}

// addSigner makes the certificate that signs timestamps. RFC 3161 §2.3 wants
// its one extended key usage critical, which [x509.Certificate] cannot say.
func (a *authority) addSigner(start time.Time) {
	a.signerKey = newKey(elliptic.P256())
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		panic(err)
	}
	a.signer = issue(&x509.Certificate{
		Subject: a.issuer.Subject, NotBefore: start, NotAfter: start.AddDate(9, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	}, a.issuer, &a.signerKey.PublicKey, a.issuerKey)
}

func issue(template, parent *x509.Certificate, key *ecdsa.PublicKey, signer *ecdsa.PrivateKey) *x509.Certificate {
	if template.SerialNumber == nil {
		template.SerialNumber = serial()
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	if err != nil {
		panic(fmt.Sprintf("keylesstest: %v", err))
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		panic(fmt.Sprintf("keylesstest: %v", err))
	}
	return c
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err)
	}
	return n
}

// chain is the authority's certificates, the one that signs first.
func (a *authority) chain() []*x509.Certificate {
	if a.signer != nil {
		return []*x509.Certificate{a.signer, a.issuer, a.root}
	}
	return []*x509.Certificate{a.issuer, a.root}
}

func (a *authority) trusted(uri string, window any) map[string]any {
	var certificates []any
	for _, c := range a.chain() {
		certificates = append(certificates, map[string]any{"rawBytes": c.Raw})
	}
	return map[string]any{
		"subject": map[string]any{"organization": a.root.Subject.Organization[0], "commonName": a.root.Subject.CommonName},
		"uri":     uri, "certChain": map[string]any{"certificates": certificates}, "validFor": window,
	}
}

// extensions are Fulcio's 1.3.6.1.4.1.57264.1.N, from 8 on as UTF8String.
func extensions(c seal.Certificate) []pkix.Extension {
	var all []pkix.Extension
	oid := func(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, n} }
	if c.Issuer != "" {
		all = append(all, pkix.Extension{Id: oid(1), Value: []byte(c.Issuer)})
	}
	for n, value := range []string{
		c.Issuer, c.BuildSignerURI, c.BuildSignerDigest, c.RunnerEnvironment, c.SourceRepositoryURI, c.SourceCommit, c.SourceRef,
		c.SourceRepositoryID, c.SourceOwnerURI, c.SourceOwnerID, c.BuildConfigURI, c.BuildConfigDigest, c.BuildTrigger,
		c.RunInvocationURI, c.Visibility,
	} {
		if value == "" {
			continue
		}
		der, err := asn1.MarshalWithParams(value, "utf8")
		if err != nil {
			panic(fmt.Sprintf("keylesstest: %v", err))
		}
		all = append(all, pkix.Extension{Id: oid(n + 8), Value: der})
	}
	return all
}

// Template is what the next certificate will be made of, without a key: for
// tests that want one that Fulcio would not issue.
func (s *Sigstore) Template() *x509.Certificate {
	start := s.Clock().UTC().Truncate(time.Second)
	t := &x509.Certificate{
		SerialNumber: serial(), NotBefore: start, NotAfter: start.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: extensions(s.Identity),
	}
	if strings.Contains(s.Identity.SAN, "://") {
		san, err := url.Parse(s.Identity.SAN)
		if err != nil {
			panic(fmt.Sprintf("keylesstest: %v", err))
		}
		t.URIs = []*url.URL{san}
	} else if s.Identity.SAN != "" {
		t.EmailAddresses = []string{s.Identity.SAN}
	}
	return t
}

// Issue returns a certificate, DER, for key and the instance's identity.
func (s *Sigstore) Issue(key *ecdsa.PublicKey) []byte { return s.IssueFrom(s.Template(), key) }

// IssueFrom is [Sigstore.Issue] from a changed [Sigstore.Template].
func (s *Sigstore) IssueFrom(template *x509.Certificate, key *ecdsa.PublicKey) []byte {
	if s.NoCT {
		return issue(template, s.ca.issuer, key, s.ca.issuerKey).Raw
	}
	// An SCT covers the certificate as it is without the SCT (RFC 6962 §3.2).
	bare := issue(template, s.ca.issuer, key, s.ca.issuerKey)
	withSCT := *template
	withSCT.ExtraExtensions = append(append([]pkix.Extension(nil), template.ExtraExtensions...), s.sct(bare.RawTBSCertificate))
	return issue(&withSCT, s.ca.issuer, key, s.ca.issuerKey).Raw
}

// sct is the extension with one signed certificate timestamp of tbs: RFC 6962
// §3.2 and §3.3, in the TLS presentation language.
func (s *Sigstore) sct(tbs []byte) pkix.Extension {
	now := uint64(s.Clock().UnixMilli())
	issuer := sha256.Sum256(s.ca.issuer.RawSubjectPublicKeyInfo)

	signed := []byte{0, 0} // version v1, certificate_timestamp
	signed = binary.BigEndian.AppendUint64(signed, now)
	signed = append(signed, 0, 1) // precert_entry
	signed = append(signed, issuer[:]...)
	signed = append(signed, byte(len(tbs)>>16), byte(len(tbs)>>8), byte(len(tbs)))
	signed = append(signed, tbs...)
	signed = append(signed, 0, 0) // no extensions
	digest := sha256.Sum256(signed)
	sig := signDER(s.ct, digest[:])

	sct := append([]byte{0}, s.ctlogID[:]...)
	sct = binary.BigEndian.AppendUint64(sct, now)
	sct = append(sct, 0, 0, 4, 3) // no extensions; SHA-256, ECDSA
	sct = binary.BigEndian.AppendUint16(sct, uint16(len(sig)))
	sct = append(sct, sig...)

	list := binary.BigEndian.AppendUint16(nil, uint16(len(sct)+2))
	list = binary.BigEndian.AppendUint16(list, uint16(len(sct)))
	der, err := asn1.Marshal(append(list, sct...))
	if err != nil {
		panic(fmt.Sprintf("keylesstest: %v", err))
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: der}
}

// Timestamp is the RFC 3161 response for a signature.
func (s *Sigstore) Timestamp(signature []byte) []byte {
	sum := sha256.Sum256(signature)
	return s.timestamp(&timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:]})
}

func (s *Sigstore) timestamp(q *timestamp.Request) []byte {
	stamp := timestamp.Timestamp{
		HashAlgorithm: q.HashAlgorithm, HashedMessage: q.HashedMessage, Nonce: q.Nonce, Time: s.Clock(),
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}, AddTSACertificate: q.Certificates,
	}
	response, err := stamp.CreateResponseWithOpts(s.tsa.signer, s.tsa.signerKey, crypto.SHA256)
	if err != nil {
		panic(fmt.Sprintf("keylesstest: %v", err))
	}
	return response
}

func toPEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
