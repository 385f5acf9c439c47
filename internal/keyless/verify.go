package keyless

import (
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Verified is what a bundle proves.
type Verified struct {
	// Certificate says who signed.
	Certificate seal.Certificate
	// NotBefore and NotAfter are the certificate's life.
	NotBefore, NotAfter time.Time
	// Key is the certificate's. Its KeyID is the SHA-256 of the key's
	// SubjectPublicKeyInfo in hex (decision 6).
	Key seal.PublicKey
	// Statement is the signed in-toto statement, byte for byte; nil where an
	// artifact's own bytes were signed. It is strict JSON, nothing more is known
	// of it.
	Statement []byte
	// Time is the earliest of Times.
	Time time.Time
	// Times are all that were verified, at least one.
	Times []Stamp
	// Logged says that a transparency log that the root names has the signature.
	Logged bool
	// Root says for people which trusted root vouches.
	Root string
}

// Stamp is a time that a log or a timestamp authority vouches for.
type Stamp struct {
	Time time.Time
	// By is the URI of who vouches.
	By string
}

// Verify checks a bundle with an in-toto statement in a DSSE envelope: its log
// entry, its time, its certificate, its certificate timestamp and its signature,
// each as the trusted root requires that its certificate comes from. The error
// is an [*Error].
func (t *Trust) Verify(bundle []byte) (*Verified, error) {
	b, err := parseBundle(bundle)
	if err != nil {
		return nil, err
	}
	if b.message != nil {
		return nil, failf(StagePayload, "it signs an artifact's bytes, want an in-toto statement")
	}
	return t.verify(b, verify.WithoutArtifactUnsafe())
}

// VerifyArtifact checks a bundle as [Trust.Verify] does, and that it is about
// the artifact with that digest: it signs the artifact's bytes, or a statement
// with a subject that has the digest. The algorithm is sha256, sha384 or sha512.
func (t *Trust) VerifyArtifact(bundle []byte, algorithm string, digest []byte) (*Verified, error) {
	sizes := map[string]int{"sha256": 32, "sha384": 48, "sha512": 64}
	if size, ok := sizes[algorithm]; !ok || size != len(digest) {
		return nil, failf(StagePayload, "a digest of %d bytes by %.20q, want sha256, sha384 or sha512 in full", len(digest), algorithm)
	}
	b, err := parseBundle(bundle)
	if err != nil {
		return nil, err
	}
	if b.message == nil {
		v, err := t.verify(b, verify.WithoutArtifactUnsafe())
		if err != nil {
			return nil, err
		}
		if err := aboutArtifact(v.Statement, algorithm, digest); err != nil {
			return nil, err
		}
		return v, nil
	}
	// ES256 signs the SHA-256, whatever the bundle calls it.
	if algorithm != "sha256" {
		return nil, failf(StagePayload, "the bundle signs a sha256 digest, and the artifact's is by %s", algorithm)
	}
	return t.verify(b, verify.WithArtifactDigest(algorithm, digest))
}

func (t *Trust) verify(b *parsedBundle, artifact verify.ArtifactPolicyOption) (*Verified, error) {
	roots, unknown := t.issuers(b.leaf)
	if unknown != nil {
		return nil, unknown
	}
	var need needs
	for _, r := range roots {
		need = need.and(r.needs)
	}
	var failure *Error
	for _, r := range roots {
		v, err := r.verify(b, artifact, need)
		if err == nil {
			return v, nil
		}
		failure = further(failure, err)
	}
	// The name alone was right: it is another instance under the same name.
	if len(roots) == 1 && !roots[0].issues(b.leaf, bySignature) {
		return nil, t.unknown(b.leaf)
	}
	return nil, failure
}

// verify checks b under one root. What decides is sigstore-go's answer; the
// rest is what it does not look at.
func (r *trustedRoot) verify(b *parsedBundle, artifact verify.ArtifactPolicyOption, need needs) (*Verified, *Error) {
	if err := r.lacks(need); err != nil {
		return nil, err
	}
	policy := verify.NewPolicy(artifact, verify.WithoutIdentitiesUnsafe())
	result, err := r.verifier.Verify(b.entity, policy)
	if err != nil {
		return nil, classify(err)
	}
	v := &Verified{
		NotBefore: b.leaf.NotBefore.UTC(), NotAfter: b.leaf.NotAfter.UTC(),
		Key: b.key, Statement: b.payload, Logged: need.log, Root: r.name,
	}
	for _, s := range result.VerifiedTimestamps {
		v.Times = append(v.Times, Stamp{Time: s.Timestamp.UTC(), By: s.URI})
	}
	slices.SortFunc(v.Times, func(a, b Stamp) int { return a.Time.Compare(b.Time) })
	if len(v.Times) == 0 {
		return nil, failf(StageTime, "nobody vouches for a time")
	}
	v.Time = v.Times[0].Time
	if err := r.inTime(b, policy, v.Times); err != nil {
		return nil, err
	}
	if v.Certificate, err = describe(b.leaf); err != nil {
		return nil, &Error{Stage: StageCertificate, Err: err}
	}
	if v.Statement != nil {
		if err := strictjson.Check(v.Statement); err != nil {
			return nil, &Error{Stage: StagePayload, Err: err}
		}
	}
	return v, nil
}

// inTime refuses a bundle whose log entries count only by keys that were not in
// use at its time. sigstore-go looks at a log key's window where the entry has a
// signed time, as Rekor v1's promise is; an entry of Rekor v2 has none, so the
// times that were verified stand for it. Whoever gets hold of a retired key
// could else make entries forever.
func (r *trustedRoot) inTime(b *parsedBundle, policy verify.PolicyBuilder, times []Stamp) *Error {
	current := maps.Clone(r.material.RekorLogs())
	var over *root.TransparencyLog
	for _, id := range b.timeless {
		key := hex.EncodeToString(id)
		if log, ok := current[key]; ok && !covers(log, times) {
			over = log
			delete(current, key)
		}
	}
	if over == nil {
		return nil
	}
	verifier, err := r.needs.verifier(withLogs{r.material, current})
	if err == nil {
		_, err = verifier.Verify(b.entity, policy)
	}
	if err != nil {
		return failf(StageLog, "the key of log %.100q counts %s, and the signature is of %s: %w",
			over.BaseURL, window(over), times[0].Time.Format(time.RFC3339), errRetired)
	}
	return nil
}

// errRetired says that a log's key was not in use when the signature was made.
var errRetired = errors.New("the log's key was not in use then")

func covers(log *root.TransparencyLog, times []Stamp) bool {
	for _, s := range times {
		if s.Time.Before(log.ValidityPeriodStart) || !log.ValidityPeriodEnd.IsZero() && s.Time.After(log.ValidityPeriodEnd) {
			return false
		}
	}
	return true
}

func window(log *root.TransparencyLog) string {
	from := "from " + log.ValidityPeriodStart.UTC().Format(time.RFC3339)
	if log.ValidityPeriodEnd.IsZero() {
		return from
	}
	return from + " to " + log.ValidityPeriodEnd.UTC().Format(time.RFC3339)
}

// withLogs is trusted material with other logs.
type withLogs struct {
	root.TrustedMaterial
	logs map[string]*root.TransparencyLog
}

func (w withLogs) RekorLogs() map[string]*root.TransparencyLog { return w.logs }

// aboutArtifact looks for a digest among a statement's subjects.
func aboutArtifact(statement []byte, algorithm string, digest []byte) *Error {
	var s struct {
		Type    string `json:"_type"`
		Subject []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	if err := strictjson.DecodeOpen(statement, &s); err != nil {
		return &Error{Stage: StagePayload, Err: err}
	}
	if !slices.Contains(statementTypes, s.Type) {
		return failf(StagePayload, "statement: _type: got %.100q, want one of %q", s.Type, statementTypes)
	}
	want := hex.EncodeToString(digest)
	for _, subject := range s.Subject {
		if subject.Digest[algorithm] == want {
			return nil
		}
	}
	return failf(StagePayload, "none of the statement's %d subjects has the digest %s:%s", len(s.Subject), algorithm, want)
}

// statementTypes are in-toto's, of which v0.1 is what older builders write.
var statementTypes = []string{seal.StatementType, "https://in-toto.io/Statement/v0.1"}
