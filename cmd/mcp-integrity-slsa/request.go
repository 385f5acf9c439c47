package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
)

// schemaVersion is that of request and answer alike.
const schemaVersion = "1"

// Bounds on what comes in.
const (
	// maxProvenance is for the provenance's bytes. GitHub takes predicates of 16
	// MiB; the largest of slsa-verifier's own examples has 60 kB.
	maxProvenance = 16 << 20
	// maxRequest holds that as base64, and the other members.
	maxRequest = maxProvenance/3*4 + 64<<10
	// maxText is for each other string: URIs and names.
	maxText = 1 << 10
	// maxKey is for a public key as PEM: P-521's has 270 bytes.
	maxKey = 4 << 10
	// maxLevels is for the levels of a VSA: one a track.
	maxLevels = 16
)

// The kinds of check.
const (
	kindArtifact = "artifact"
	kindNpm      = "npm"
	kindGitHub   = "github-attestation"
	kindVSA      = "vsa"
)

// npmRunner begins the builder ids of npm's command line.
const npmRunner = "https://github.com/actions/runner"

// A request is what the caller wants to know; the package comment says what the
// members mean.
type request struct {
	SchemaVersion string      `json:"schema_version"`
	Kind          string      `json:"kind"`
	Digest        string      `json:"digest"`
	Provenance    []byte      `json:"provenance"`
	SourceURI     string      `json:"source_uri,omitzero"`
	BuilderID     string      `json:"builder_id,omitzero"`
	Branch        string      `json:"branch,omitzero"`
	Tag           string      `json:"tag,omitzero"`
	VersionedTag  string      `json:"versioned_tag,omitzero"`
	Package       *npmPackage `json:"package,omitzero"`
	VSA           *vsaWanted  `json:"vsa,omitzero"`
}

type npmPackage struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type vsaWanted struct {
	VerifierID     string   `json:"verifier_id"`
	ResourceURI    string   `json:"resource_uri"`
	VerifiedLevels []string `json:"verified_levels"`
	PublicKey      string   `json:"public_key"`
	KeyID          string   `json:"key_id,omitzero"`
}

// parseRequest reads a request, and refuses one that leaves open what is asked:
// slsa-verifier does not compare what it is not given.
func parseRequest(data []byte) (request, error) {
	var r request
	if len(data) > maxRequest {
		return r, fmt.Errorf("more than %d bytes", maxRequest)
	}
	if err := json.Unmarshal(data, &r, json.RejectUnknownMembers(true)); err != nil {
		return r, fmt.Errorf("%.300s", err.Error())
	}
	if r.SchemaVersion != schemaVersion {
		return r, fmt.Errorf("schema_version: got %.20q, want %q", r.SchemaVersion, schemaVersion)
	}
	if n := len(r.Provenance); n == 0 || n > maxProvenance {
		return r, fmt.Errorf("provenance: %d bytes, want 1 to %d", n, maxProvenance)
	}
	if err := r.checkTexts(); err != nil {
		return r, err
	}
	return r, r.checkKind()
}

// checkTexts refuses text that no URI and no name has.
func (r request) checkTexts() error {
	texts := map[string]string{
		"source_uri": r.SourceURI, "builder_id": r.BuilderID, "branch": r.Branch, "tag": r.Tag, "versioned_tag": r.VersionedTag,
	}
	if p := r.Package; p != nil {
		texts["package.name"], texts["package.version"] = p.Name, p.Version
	}
	if v := r.VSA; v != nil {
		texts["vsa.verifier_id"], texts["vsa.resource_uri"], texts["vsa.key_id"] = v.VerifierID, v.ResourceURI, v.KeyID
		if len(v.PublicKey) > maxKey {
			return fmt.Errorf("vsa.public_key: %d bytes, want %d at most", len(v.PublicKey), maxKey)
		}
		if len(v.VerifiedLevels) > maxLevels {
			return fmt.Errorf("vsa.verified_levels: %d of them, want %d at most", len(v.VerifiedLevels), maxLevels)
		}
		for i, l := range v.VerifiedLevels {
			texts[fmt.Sprintf("vsa.verified_levels[%d]", i)] = l
		}
	}
	for name, text := range texts {
		if len(text) > maxText || !utf8.ValidString(text) || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
			return fmt.Errorf("%s: got %.100q, want printable text of %d bytes at most", name, text, maxText)
		}
	}
	return nil
}

// checkKind refuses a member that the kind lacks, or has not.
func (r request) checkKind() error {
	var algorithms []string
	switch r.Kind {
	case kindArtifact, kindGitHub:
		algorithms = []string{"sha256"}
	case kindNpm:
		algorithms = []string{"sha512"}
	case kindVSA:
		algorithms = []string{"sha256", "sha512"}
	default:
		return fmt.Errorf("kind: got %.40q, want artifact, npm, github-attestation or vsa", r.Kind)
	}
	if err := checkDigest(r.Digest, algorithms); err != nil {
		return err
	}
	if (r.Package != nil) != (r.Kind == kindNpm) {
		return errors.New("package: wanted for npm, and for npm alone")
	}
	if (r.VSA != nil) != (r.Kind == kindVSA) {
		return errors.New("vsa: wanted for vsa, and for vsa alone")
	}
	if r.Kind == kindVSA {
		return r.checkVSA()
	}
	return r.checkProvenance()
}

// sourceForm is what slsa-verifier compares with: it neither folds case nor
// takes a .git away.
var sourceForm = regexp.MustCompile(`^git\+https://github\.com/[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?/[A-Za-z0-9._-]+$`)

func (r request) checkProvenance() error {
	if !sourceForm.MatchString(r.SourceURI) {
		return fmt.Errorf("source_uri: got %.100q, want git+https://github.com/OWNER/NAME", r.SourceURI)
	}
	switch {
	case r.BuilderID == "" && r.Kind == kindArtifact:
	// The library picks its verifier by this prefix; another is Cloud Build's.
	case !strings.HasPrefix(r.BuilderID, "https://github.com/"):
		return fmt.Errorf("builder_id: got %.100q, want one that begins with https://github.com/", r.BuilderID)
	}
	if p := r.Package; p != nil && (p.Name == "" || p.Version == "") {
		return errors.New("package: name and version are both needed")
	}
	// These record the ref and not its type, and slsa-verifier then calls the
	// provenance invalid: a question about it would blame a good one.
	if (r.Kind == kindGitHub || strings.HasPrefix(r.BuilderID, npmRunner)) && r.Branch+r.Tag+r.VersionedTag != "" {
		return errors.New("branch, tag, versioned_tag: slsa-verifier compares them for builds by slsa-github-generator alone")
	}
	return nil
}

// checkVSA demands every comparison that §"How to verify" of SLSA's VSA page
// has: slsa-verifier would pass a VSA of which no level is wanted.
func (r request) checkVSA() error {
	if r.SourceURI+r.BuilderID+r.Branch+r.Tag+r.VersionedTag != "" {
		return errors.New("source_uri, builder_id, branch, tag, versioned_tag: a VSA has none")
	}
	v := r.VSA
	if v.VerifierID == "" || v.ResourceURI == "" || v.PublicKey == "" || len(v.VerifiedLevels) == 0 || slices.Contains(v.VerifiedLevels, "") {
		return errors.New("vsa: verifier_id, resource_uri, public_key and one of verified_levels are needed")
	}
	return nil
}

// digestSizes are in characters of hex.
var digestSizes = map[string]int{"sha256": 64, "sha512": 128}

// checkDigest holds a digest to its full length, by which slsa-verifier tells
// the algorithm.
func checkDigest(digest string, algorithms []string) error {
	name, value, _ := strings.Cut(digest, ":")
	raw, err := hex.DecodeString(value)
	if !slices.Contains(algorithms, name) || err != nil || len(value) != digestSizes[name] || hex.EncodeToString(raw) != value {
		return fmt.Errorf("digest: got %.150q, want %s:<lower-case hex>", digest, strings.Join(algorithms, " or "))
	}
	return nil
}

// hexDigest is the digest as slsa-verifier's provenance checks take it.
func (r request) hexDigest() string {
	_, value, _ := strings.Cut(r.Digest, ":")
	return value
}
