// Package keylesstest is a Sigstore in the test process: a certificate
// authority like Fulcio, a certificate transparency log, a transparency log
// like Rekor v1 or v2, and a timestamp authority, with the trusted root that
// matches them. It makes real bundles in milliseconds, and serves the protocols
// by which clients sign.
//
// It uses none of Sigstore's own libraries, so that what they accept was written
// twice: entries, checkpoints, promises, certificate extensions, SCTs and TUF
// metadata are made here from their specifications. It believes whatever token
// it gets.
package keylesstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/seal"
)

// Options say what this Sigstore has. The zero value is the public-good
// instance as of 2026 with Rekor v2: SCTs, a log, a timestamp authority.
type Options struct {
	// Name is the organisation in its certificates and the first label of its
	// hosts, "keylesstest" if empty.
	Name string
	// RekorV1 makes a log whose entries carry a signed time.
	RekorV1 bool
	// NoLog, NoCT and NoTSA leave a service out. GitHub's own instance has
	// neither log nor SCTs.
	NoLog, NoCT, NoTSA bool
	// P384 puts the authorities' keys on that curve, as the real ones are. It
	// makes a verification four times as slow.
	P384 bool
}

// Sigstore is one instance. Its methods may be called from several goroutines,
// its fields set while none runs.
type Sigstore struct {
	Options
	// Identity is what the next certificate says; see [GitHub].
	Identity seal.Certificate
	// Clock is the time that all its services tell, [time.Now] at first.
	Clock func() time.Time

	ca, tsa     authority
	ct          *ecdsa.PrivateKey
	log         *log
	ctlogID     [32]byte
	established time.Time
}

// New makes an instance with keys of its own, whose certificates are for
// [GitHub]'s identity.
func New(t testing.TB, o Options) *Sigstore {
	t.Helper()
	if o.Name == "" {
		o.Name = "keylesstest"
	}
	s := &Sigstore{Options: o, Identity: GitHub(), Clock: time.Now, established: time.Now().Add(-time.Hour)}
	curve := elliptic.P256()
	if o.P384 {
		curve = elliptic.P384()
	}
	s.ca = newAuthority(o.Name, "fulcio", x509.ExtKeyUsageCodeSigning, s.established, curve)
	s.tsa = newAuthority(o.Name, "tsa", x509.ExtKeyUsageTimeStamping, s.established, curve)
	s.tsa.addSigner(s.established)
	s.ct = newKey(elliptic.P256())
	s.ctlogID = sha256.Sum256(spki(&s.ct.PublicKey))
	s.log = newLog("rekor."+o.Name+".example", o.RekorV1)
	return s
}

// GitHub is the identity of a release job of acme/file-tools on GitHub.
func GitHub() seal.Certificate {
	const repo, commit = "https://github.com/acme/file-tools", "0123456789abcdef0123456789abcdef01234567"
	const workflow = repo + "/.github/workflows/release.yml@refs/tags/v1.2.4"
	return seal.Certificate{
		Issuer: seal.GitHubIssuer, SAN: workflow,
		BuildSignerURI: workflow, BuildSignerDigest: commit, RunnerEnvironment: "github-hosted",
		SourceRepositoryURI: repo, SourceCommit: commit, SourceRef: "refs/tags/v1.2.4", SourceRepositoryID: "74",
		SourceOwnerURI: "https://github.com/acme", SourceOwnerID: "65",
		BuildConfigURI: workflow, BuildConfigDigest: commit, BuildTrigger: "push",
		RunInvocationURI: repo + "/actions/runs/30433642/attempts/2", Visibility: "public",
	}
}

// GitLab is the identity of a release job of acme/file-tools on GitLab.
func GitLab() seal.Certificate {
	const repo, commit = "https://gitlab.com/acme/file-tools", "0123456789abcdef0123456789abcdef01234567"
	const config = repo + "//.gitlab-ci.yml@refs/tags/v1.2.4"
	return seal.Certificate{
		Issuer: seal.GitLabIssuer, SAN: config,
		BuildSignerURI: config, BuildSignerDigest: commit, RunnerEnvironment: "gitlab-hosted",
		SourceRepositoryURI: repo, SourceCommit: commit, SourceRef: "refs/tags/v1.2.4", SourceRepositoryID: "74",
		SourceOwnerURI: "https://gitlab.com/acme", SourceOwnerID: "65",
		BuildConfigURI: config, BuildConfigDigest: commit, BuildTrigger: "push",
		RunInvocationURI: repo + "/-/jobs/30433642", Visibility: "public",
	}
}

// Signed is a bundle and the key behind it.
type Signed struct {
	Bundle      []byte
	Key         *ecdsa.PrivateKey
	Certificate *x509.Certificate
}

// Sign makes a v0.3 bundle around a DSSE envelope with an in-toto statement.
func (s *Sigstore) Sign(t testing.TB, statement []byte) Signed {
	t.Helper()
	return s.SignPayload(t, seal.StatementPayloadType, statement)
}

// SignPayload is [Sigstore.Sign] with a payload type of the caller's.
func (s *Sigstore) SignPayload(t testing.TB, payloadType string, payload []byte) Signed {
	t.Helper()
	key := newKey(elliptic.P256())
	return s.SignWith(t, key, s.Issue(&key.PublicKey), payloadType, payload)
}

// SignWith signs under a key and a certificate (DER) that the caller has.
func (s *Sigstore) SignWith(t testing.TB, key *ecdsa.PrivateKey, certificate []byte, payloadType string, payload []byte) Signed {
	t.Helper()
	digest := sha256.Sum256(seal.PAE(payloadType, payload))
	e := dsseEntry(certificate, payloadType, payload, signDER(key, digest[:]))
	content := map[string]any{"dsseEnvelope": map[string]any{
		"payload": payload, "payloadType": payloadType,
		"signatures": []any{map[string]any{"sig": e.signature, "keyid": ""}},
	}}
	return s.bundle(t, key, e, content)
}

// SignArtifact makes a v0.3 bundle around the signature of an artifact's bytes.
func (s *Sigstore) SignArtifact(t testing.TB, artifact []byte) Signed {
	t.Helper()
	key := newKey(elliptic.P256())
	digest := sha256.Sum256(artifact)
	e := entry{certificate: s.Issue(&key.PublicKey), digest: digest[:], signature: signDER(key, digest[:])}
	content := map[string]any{"messageSignature": map[string]any{
		"messageDigest": map[string]any{"algorithm": "SHA2_256", "digest": digest[:]}, "signature": e.signature,
	}}
	return s.bundle(t, key, e, content)
}

func (s *Sigstore) bundle(t testing.TB, key *ecdsa.PrivateKey, e entry, b map[string]any) Signed {
	t.Helper()
	material := map[string]any{"certificate": map[string]any{"rawBytes": e.certificate}}
	if !s.NoLog {
		material["tlogEntries"] = []any{s.log.append(e, s.Clock())}
	}
	if !s.NoTSA {
		material["timestampVerificationData"] = map[string]any{
			"rfc3161Timestamps": []any{map[string]any{"signedTimestamp": s.Timestamp(e.signature)}},
		}
	}
	b["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.3+json"
	b["verificationMaterial"] = material
	leaf, err := x509.ParseCertificate(e.certificate)
	if err != nil {
		t.Fatal(err)
	}
	return Signed{Bundle: marshal(b), Key: key, Certificate: leaf}
}

// TrustedRoot is the trusted_root.json of this instance: what it has, and
// nothing else.
func (s *Sigstore) TrustedRoot() []byte {
	window := map[string]any{"start": s.established.UTC().Format(time.RFC3339)}
	root := map[string]any{
		"mediaType":              "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"certificateAuthorities": []any{s.ca.trusted("https://fulcio."+s.Name+".example", window)},
	}
	if !s.NoTSA {
		root["timestampAuthorities"] = []any{s.tsa.trusted("https://tsa."+s.Name+".example/api/v1/timestamp", window)}
	}
	key := func(raw []byte, details string, id []byte, url string) []any {
		return []any{map[string]any{
			"baseUrl": url, "hashAlgorithm": "SHA2_256", "logId": map[string]any{"keyId": id},
			"publicKey": map[string]any{"rawBytes": raw, "keyDetails": details, "validFor": window},
		}}
	}
	if !s.NoLog {
		raw, details := s.log.publicKey()
		root["tlogs"] = key(raw, details, s.log.id, "https://"+s.log.host)
	}
	if !s.NoCT {
		root["ctlogs"] = key(spki(&s.ct.PublicKey), "PKIX_ECDSA_P256_SHA_256", s.ctlogID[:], "https://ctfe."+s.Name+".example")
	}
	return marshal(root)
}

// SigningConfig is the signing_config.v0.2.json by which clients find the
// services of this instance under url, where its handler is served.
func (s *Sigstore) SigningConfig(url string) []byte {
	service := func(url string, version int) []any {
		return []any{map[string]any{
			"url": url, "majorApiVersion": version, "operator": s.Name,
			"validFor": map[string]any{"start": s.established.UTC().Format(time.RFC3339)},
		}}
	}
	config := map[string]any{
		"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
		"caUrls":    service(url, 1), "oidcUrls": service(url, 1),
		"rekorTlogConfig": map[string]any{"selector": "ANY"}, "tsaConfig": map[string]any{"selector": "ANY"},
	}
	if !s.NoLog {
		version := 2
		if s.RekorV1 {
			version = 1
		}
		config["rekorTlogUrls"] = service(url, version)
	}
	if !s.NoTSA {
		config["tsaUrls"] = service(url+"/api/v1/timestamp", 1)
	}
	return marshal(config)
}

// marshal writes JSON as protobuf-specs does, []byte as base64. It sorts
// members, so the bytes are canonical as long as no text needs escaping.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("keylesstest: %v", err))
	}
	return b
}

func newKey(curve elliptic.Curve) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(fmt.Sprintf("keylesstest: %v", err))
	}
	return key
}

func signDER(key *ecdsa.PrivateKey, digest []byte) []byte {
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest)
	if err != nil {
		panic(fmt.Sprintf("keylesstest: %v", err))
	}
	return sig
}

// spki is the DER of a key's SubjectPublicKeyInfo.
func spki(key any) []byte {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		panic(fmt.Sprintf("keylesstest: %v", err))
	}
	return der
}
