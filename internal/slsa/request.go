package slsa

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// schemaVersion is that of request and answer alike.
const schemaVersion = "1"

// A Request is a question to slsa-verifier. What is empty is not compared, so a
// caller gives all that it knows; the program refuses requests that leave the
// digest, the source or (npm, github-attestation) the builder open.
type Request struct {
	Kind Kind `json:"kind"`
	// Digest of the artifact: sha256:HEX, for npm sha512:HEX.
	Digest string `json:"digest"`
	// Provenance is the file's bytes.
	Provenance []byte `json:"provenance"`
	// SourceURI is the repository, as [SourceURI] writes it.
	SourceURI string `json:"source_uri,omitzero"`
	// BuilderID is the expected builder, with or without @ and its tag.
	BuilderID string `json:"builder_id,omitzero"`
	// Branch, Tag and VersionedTag are of the source, without refs/heads/ and
	// refs/tags/. VersionedTag v1 or v1.2 stands for all that begin so.
	Branch       string `json:"branch,omitzero"`
	Tag          string `json:"tag,omitzero"`
	VersionedTag string `json:"versioned_tag,omitzero"`
	// Package is npm's.
	Package *Package `json:"package,omitzero"`
	// VSA is what a summary must say.
	VSA *VSA `json:"vsa,omitzero"`
}

// Package is one version of an npm package.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// VSA is what a summary must say, and the key that must have signed it.
type VSA struct {
	VerifierID     string   `json:"verifier_id"`
	ResourceURI    string   `json:"resource_uri"`
	VerifiedLevels []string `json:"verified_levels"`
	// PublicKey is PEM, as [PublicPEM] writes it.
	PublicKey string `json:"public_key"`
	KeyID     string `json:"key_id,omitzero"`
}

// marshal returns the request as it is sent.
func (r Request) marshal() ([]byte, error) {
	data, err := strictjson.Marshal(struct {
		SchemaVersion string `json:"schema_version"`
		Request
	}{schemaVersion, r})
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	return data, nil
}

// Verified is what slsa-verifier accepted.
type Verified struct {
	// BuilderID is who built it, with its ref; a VSA has none.
	BuilderID string
	// Statement is the in-toto Statement whose signature was verified.
	Statement []byte
}

// answer is what the program writes.
type answer struct {
	SchemaVersion string `json:"schema_version"`
	Verdict       string `json:"verdict"`
	Kind          Kind   `json:"kind"`
	Digest        string `json:"digest"`
	Request       string `json:"request"`
	BuilderID     string `json:"builder_id,omitzero"`
	Statement     []byte `json:"statement,omitempty"`
	Reason        string `json:"reason,omitzero"`
	Message       string `json:"message,omitzero"`
}

// The exit codes of the program that come with an answer.
const (
	exitVerdict   = 0
	exitUndecided = 3
)

// read makes the result of an answer to r, whose bytes were sent. An answer that
// contradicts itself, the exit code or the question is none.
func (r Request) read(sent, received []byte, exit int) (Verified, error) {
	broken := func(format string, args ...any) (Verified, error) {
		return Verified{}, notMade(ReasonBroken, "the answer of "+program+": "+format, args...)
	}
	var a answer
	if err := strictjson.Unmarshal(received, &a); err != nil {
		return broken("%w", err)
	}
	sum := sha256.Sum256(sent)
	question := "sha256:" + hex.EncodeToString(sum[:])
	switch {
	case a.SchemaVersion != schemaVersion:
		return broken("schema_version %.40q, want %q", a.SchemaVersion, schemaVersion)
	case a.Kind != r.Kind || a.Digest != r.Digest || a.Request != question:
		return broken("it is to another question: kind %.40q, digest %.150q, request %.100q, want %q, %q, %q",
			a.Kind, a.Digest, a.Request, r.Kind, r.Digest, question)
	case a.Verdict == "undecided" && exit == exitUndecided && a.Reason != "":
		return Verified{}, notMade(a.Reason, "%s", a.Message)
	case a.Verdict == "fail" && exit == exitVerdict && a.Reason != "":
		return Verified{}, &Refusal{Reason: a.Reason, Message: a.Message}
	case a.Verdict == "pass" && exit == exitVerdict:
		if err := r.holds(a); err != nil {
			return broken("%w", err)
		}
		return Verified{BuilderID: a.BuilderID, Statement: a.Statement}, nil
	}
	return broken("verdict %.40q, reason %.40q with exit code %d", a.Verdict, a.Reason, exit)
}

// hexOf returns algorithm and value of a digest.
func hexOf(digest string) (algorithm, value string) {
	algorithm, value, _ = strings.Cut(digest, ":")
	return algorithm, value
}
