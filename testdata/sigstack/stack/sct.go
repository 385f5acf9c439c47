package stack

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"time"

	ct "github.com/google/certificate-transparency-go"
	cttls "github.com/google/certificate-transparency-go/tls"
	ctx509 "github.com/google/certificate-transparency-go/x509"
)

// maxChain bounds what Fulcio sends: a precertificate of 2 kB and its issuers.
const maxChain = 1 << 20

// sctSigner answers RFC 6962's add-pre-chain with a correctly signed timestamp
// over the real precertificate. It is no log: it keeps no tree. It is there so
// that Fulcio embeds a timestamp, as in production, and verifiers demand one.
type sctSigner struct{ key *ecdsa.PrivateKey }

// logID is the SHA-256 of the key's SubjectPublicKeyInfo (RFC 6962, 3.2).
func logID(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return sum[:], nil
}

func (s *sctSigner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/ct/v1/add-pre-chain" {
		http.NotFound(w, r)
		return
	}
	resp, err := s.addPreChain(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, resp)
}

func (s *sctSigner) addPreChain(w http.ResponseWriter, r *http.Request) (*ct.AddChainResponse, error) {
	var req ct.AddChainRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxChain)).Decode(&req); err != nil {
		return nil, err
	}
	var chain []*ctx509.Certificate
	for _, der := range req.Chain {
		c, err := ctx509.ParseCertificate(der)
		// The poison of a precertificate is an unhandled critical extension, and no fatal error.
		if ctx509.IsFatal(err) {
			return nil, err
		}
		chain = append(chain, c)
	}
	stamp := uint64(time.Now().UnixMilli())
	leaf, err := ct.MerkleTreeLeafFromChain(chain, ct.PrecertLogEntryType, stamp)
	if err != nil {
		return nil, err
	}
	return s.sign(leaf, stamp)
}

func (s *sctSigner) sign(leaf *ct.MerkleTreeLeaf, stamp uint64) (*ct.AddChainResponse, error) {
	in, err := ct.SerializeSCTSignatureInput(ct.SignedCertificateTimestamp{SCTVersion: ct.V1, Timestamp: stamp}, ct.LogEntry{Leaf: *leaf})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(in)
	sig, err := s.key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	signed, err := cttls.Marshal(ct.DigitallySigned{
		Algorithm: cttls.SignatureAndHashAlgorithm{Hash: cttls.SHA256, Signature: cttls.ECDSA},
		Signature: sig,
	})
	if err != nil {
		return nil, err
	}
	id, err := logID(s.key.Public())
	if err != nil {
		return nil, err
	}
	return &ct.AddChainResponse{SCTVersion: ct.V1, ID: id, Timestamp: stamp, Signature: signed}, nil
}

// writeJSON answers with v. A caller that hung up is none of our business.
func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
