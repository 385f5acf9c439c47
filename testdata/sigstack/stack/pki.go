package stack

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Lives of certificates. Keys made an hour ago let a test sign at once whatever
// the order of clocks; ten days are longer than any run.
const (
	age      = time.Hour
	lifetime = 10 * 24 * time.Hour
)

// signer is a certificate and the key that it certifies.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// pki is every key of one Sigstore. Chains stand as servers want them: the
// certificate that signs first, the root last.
type pki struct {
	fulcio []signer // intermediate, root
	tsa    []signer // leaf, intermediate, root
	web    []signer // leaf, root: TLS of the issuers
	rekor  ed25519.PrivateKey
	ct     *ecdsa.PrivateKey
}

// newPKI makes all keys and certificates, valid around now.
func newPKI(now time.Time) (*pki, error) {
	var p pki
	var err error
	if p.fulcio, err = chain(now, authority("fulcio root"), intermediate("fulcio", x509.ExtKeyUsageCodeSigning)); err != nil {
		return nil, fmt.Errorf("certificates of fulcio: %w", err)
	}
	stamp, err := stampLeaf()
	if err != nil {
		return nil, err
	}
	if p.tsa, err = chain(now, authority("tsa root"), intermediate("tsa intermediate", x509.ExtKeyUsageTimeStamping), stamp); err != nil {
		return nil, fmt.Errorf("certificates of the timestamp authority: %w", err)
	}
	if p.web, err = chain(now, authority("web root"), webLeaf()); err != nil {
		return nil, fmt.Errorf("certificates of the issuers: %w", err)
	}
	if _, p.rekor, err = ed25519.GenerateKey(rand.Reader); err != nil {
		return nil, err
	}
	p.ct, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return &p, err
}

// chain issues each template by the one before it; the first is self-signed.
// The result has the last one first.
func chain(now time.Time, templates ...*x509.Certificate) ([]signer, error) {
	var out []signer
	for _, t := range templates {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		parent := signer{t, key}
		if len(out) > 0 {
			parent = out[0]
		}
		cert, err := issue(now, t, parent, key.Public())
		if err != nil {
			return nil, err
		}
		out = append([]signer{{cert, key}}, out...)
	}
	return out, nil
}

func issue(now time.Time, template *x509.Certificate, parent signer, public crypto.PublicKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = now.Add(-age), now.Add(lifetime)
	der, err := x509.CreateCertificate(rand.Reader, template, parent.cert, public, parent.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func name(common string) pkix.Name {
	return pkix.Name{CommonName: "sigstack " + common, Organization: []string{"sigstack"}}
}

func authority(common string) *x509.Certificate {
	return &x509.Certificate{
		Subject: name(common), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

// intermediate is an authority for one use only: both Fulcio and the timestamp
// authority check that of their own chain when they start.
func intermediate(common string, use x509.ExtKeyUsage) *x509.Certificate {
	c := authority(common)
	c.MaxPathLenZero = true
	c.ExtKeyUsage = []x509.ExtKeyUsage{use}
	return c
}

// stampLeaf has its extended key usage in an extension of our own, as RFC 3161
// (2.3) wants it critical, which x509's own field cannot say.
func stampLeaf() (*x509.Certificate, error) {
	use, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		Subject: name("tsa"), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: use}},
	}, nil
}

func webLeaf() *x509.Certificate {
	return &x509.Certificate{
		Subject: name("issuers"), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{host(GitHubIssuer), host(GitLabIssuer), host(githubAPI), "localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
}

// certificates are the certificates of a chain, in its order.
func certificates(chain []signer) []*x509.Certificate {
	var out []*x509.Certificate
	for _, s := range chain {
		out = append(out, s.cert)
	}
	return out
}

// Names of files in the stack's directory, which servers are told of.
const (
	fulcioChainFile = "fulcio-chain.pem"
	fulcioKeyFile   = "fulcio-key.pem"
	tsaChainFile    = "tsa-chain.pem"
	tsaKeyFile      = "tsa-key.pem"
	rekorKeyFile    = "rekor-key.pem"
	webChainFile    = "web-chain.pem"
	webKeyFile      = "web-key.pem"
	webCAFile       = "ca.pem"
)

// write puts everything that a server reads into dir. Keys are unencrypted:
// they live as long as the stack.
func (p *pki) write(dir string) error {
	chains := map[string][]signer{fulcioChainFile: p.fulcio, tsaChainFile: p.tsa, webChainFile: p.web, webCAFile: p.web[1:]}
	for file, chain := range chains {
		var out []byte
		for _, s := range chain {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Raw})...)
		}
		if err := os.WriteFile(filepath.Join(dir, file), out, 0o600); err != nil {
			return err
		}
	}
	keys := map[string]any{fulcioKeyFile: p.fulcio[0].key, tsaKeyFile: p.tsa[0].key, webKeyFile: p.web[0].key, rekorKeyFile: p.rekor}
	for file, key := range keys {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		out := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		if err := os.WriteFile(filepath.Join(dir, file), out, 0o600); err != nil {
			return err
		}
	}
	return nil
}
