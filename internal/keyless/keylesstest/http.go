package keylesstest

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/digitorus/timestamp"
)

// ServeHTTP answers as Fulcio (/api/v2/signingCert), Rekor v1 (/api/v1/log/entries),
// Rekor v2 (/api/v2/log/entries) and the timestamp authority (/api/v1/timestamp)
// do, all on one host. A request that they would refuse gets 400.
func (s *Sigstore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handlers := map[string]func(http.ResponseWriter, []byte) error{
		"/api/v2/signingCert": s.serveCertificate, "/api/v1/timestamp": s.serveTimestamp,
	}
	switch {
	case s.NoLog:
	case s.RekorV1:
		handlers["/api/v1/log/entries"] = s.serveV1
	default:
		handlers["/api/v2/log/entries"] = s.serveV2
	}
	if s.NoTSA {
		delete(handlers, "/api/v1/timestamp")
	}
	handler, ok := handlers[r.URL.Path]
	if !ok || r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 32<<20))
	if err == nil {
		err = handler(w, body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// Token is an identity token without a signature, which this instance accepts
// and real ones do not. It lives for life from now on.
func (s *Sigstore) Token(audience string, life time.Duration) string {
	part := func(v any) string { return base64.RawURLEncoding.EncodeToString(marshal(v)) }
	now := s.Clock()
	return part(map[string]any{"alg": "none", "typ": "JWT"}) + "." + part(map[string]any{
		"iss": s.Identity.Issuer, "sub": s.Identity.SAN, "aud": audience,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(life).Unix(),
	}) + ".c2lnbmF0dXJl"
}

func (s *Sigstore) serveCertificate(w http.ResponseWriter, body []byte) error {
	var request struct {
		PublicKeyRequest struct {
			PublicKey struct {
				Content string `json:"content"`
			} `json:"publicKey"`
			ProofOfPossession []byte `json:"proofOfPossession"`
		} `json:"publicKeyRequest"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return err
	}
	block, _ := pem.Decode([]byte(request.PublicKeyRequest.PublicKey.Content))
	if block == nil {
		return fmt.Errorf("the public key is no PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return err
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok {
		return fmt.Errorf("a key of type %T", parsed)
	}
	subject := sha256.Sum256([]byte(s.Identity.SAN))
	if !ecdsa.VerifyASN1(key, subject[:], request.PublicKeyRequest.ProofOfPossession) {
		return fmt.Errorf("the signature supplied in the request could not be verified")
	}
	chain := []string{toPEM(s.Issue(key)), toPEM(s.ca.issuer.Raw), toPEM(s.ca.root.Raw)}
	return reply(w, http.StatusOK, map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": chain}}})
}

func (s *Sigstore) serveTimestamp(w http.ResponseWriter, body []byte) error {
	query, err := timestamp.ParseRequest(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	w.WriteHeader(http.StatusCreated)
	_, err = w.Write(s.timestamp(query))
	return err
}

func (s *Sigstore) serveV2(w http.ResponseWriter, body []byte) error {
	var request struct {
		HashedRekord struct {
			Digest    []byte `json:"digest"`
			Signature struct {
				Content  []byte `json:"content"`
				Verifier struct {
					Certificate struct {
						RawBytes []byte `json:"rawBytes"`
					} `json:"x509Certificate"`
				} `json:"verifier"`
			} `json:"signature"`
		} `json:"hashedRekordRequestV002"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return err
	}
	h := request.HashedRekord
	e := entry{certificate: h.Signature.Verifier.Certificate.RawBytes, digest: h.Digest, signature: h.Signature.Content}
	if err := e.check(); err != nil {
		return err
	}
	return reply(w, http.StatusCreated, s.log.append(e, s.Clock()))
}

func (s *Sigstore) serveV1(w http.ResponseWriter, body []byte) error {
	e, err := parseV1(body)
	if err != nil {
		return err
	}
	if err := e.check(); err != nil {
		return err
	}
	tle := s.log.append(e, s.Clock())
	// The same facts under Rekor v1's own names.
	proof := tle["inclusionProof"].(map[string]any)
	hashes := []string{}
	for _, h := range proof["hashes"].([][]byte) {
		hashes = append(hashes, hex.EncodeToString(h))
	}
	uuid := hex.EncodeToString(leafHash(tle["canonicalizedBody"].([]byte)))
	w.Header().Set("ETag", uuid)
	w.Header().Set("Location", "/api/v1/log/entries/"+uuid)
	return reply(w, http.StatusCreated, map[string]any{uuid: map[string]any{
		"body": tle["canonicalizedBody"], "logID": hex.EncodeToString(s.log.id),
		"integratedTime": json.RawMessage(tle["integratedTime"].(string)), "logIndex": json.RawMessage(tle["logIndex"].(string)),
		"verification": map[string]any{
			"signedEntryTimestamp": tle["inclusionPromise"].(map[string]any)["signedEntryTimestamp"],
			"inclusionProof": map[string]any{
				"checkpoint": proof["checkpoint"].(map[string]any)["envelope"], "hashes": hashes, "rootHash": hex.EncodeToString(proof["rootHash"].([]byte)),
				"logIndex": json.RawMessage(proof["logIndex"].(string)), "treeSize": json.RawMessage(proof["treeSize"].(string)),
			},
		},
	}})
}

// parseV1 reads a proposed entry of kind dsse, the only one that this project
// makes.
func parseV1(body []byte) (entry, error) {
	var request struct {
		Kind string `json:"kind"`
		Spec struct {
			ProposedContent struct {
				Envelope  string   `json:"envelope"`
				Verifiers [][]byte `json:"verifiers"`
			} `json:"proposedContent"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return entry{}, err
	}
	var envelope struct {
		Payload     []byte `json:"payload"`
		PayloadType string `json:"payloadType"`
		Signatures  []struct {
			Sig []byte `json:"sig"`
		} `json:"signatures"`
	}
	content := request.Spec.ProposedContent
	if err := json.NewDecoder(strings.NewReader(content.Envelope)).Decode(&envelope); err != nil {
		return entry{}, err
	}
	if request.Kind != "dsse" || len(content.Verifiers) != 1 || len(envelope.Signatures) != 1 {
		return entry{}, fmt.Errorf("want one DSSE signature and one verifier")
	}
	block, _ := pem.Decode(content.Verifiers[0])
	if block == nil {
		return entry{}, fmt.Errorf("the verifier is no PEM")
	}
	return dsseEntry(block.Bytes, envelope.PayloadType, envelope.Payload, envelope.Signatures[0].Sig), nil
}

// check is what a log verifies before it takes an entry.
func (e entry) check() error {
	certificate, err := x509.ParseCertificate(e.certificate)
	if err != nil {
		return err
	}
	key, ok := certificate.PublicKey.(*ecdsa.PublicKey)
	if !ok || !ecdsa.VerifyASN1(key, e.digest, e.signature) {
		return fmt.Errorf("the signature does not verify")
	}
	return nil
}

func reply(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err := w.Write(marshal(v))
	return err
}
