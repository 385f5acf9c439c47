package provenance

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/mcp-integrity/seal-action/seal"
)

// PredicateTypeVSA is that of a Verification Summary.
const PredicateTypeVSA = "https://slsa.dev/verification_summary/v1"

// slsaVersion is the version of SLSA whose levels a summary speaks of.
const slsaVersion = "1.1"

// VSA is a verifier's summary of what it found out about artifacts
// (https://slsa.dev/spec/v1.1/verification_summary), for those who would rather
// believe the verifier than verify.
type VSA struct {
	// Subjects are the artifacts.
	Subjects []Subject
	// Verifier is the URI of who verified; consumers pin it together with the
	// key. VerifierVersion names its programs with their versions.
	Verifier        string
	VerifierVersion map[string]string
	TimeVerified    seal.Timestamp
	// ResourceURI identifies what was verified; see [ResourceURI].
	ResourceURI string
	// Policy is what it was verified by; its URI is required.
	Policy Descriptor
	// InputAttestations are all attestations that were used, or none. Each has
	// a digest.
	InputAttestations []Descriptor
	// Passed is the verdict. The levels of a summary that did not pass are
	// neither written nor read.
	Passed bool
	// BuildLevel is the SLSA Build level, 0 to 3; nil where the build was not
	// looked at.
	BuildLevel *int
	// TrustLevel is the level of MIS §15, 0 to 3.
	TrustLevel int
	// DependencyLevels counts dependencies by SLSA level; nil where they were
	// not looked at.
	DependencyLevels map[string]int
}

// Descriptor points at a document: by URI, by digests, or both.
type Descriptor struct {
	URI    string            `json:"uri,omitzero"`
	Digest map[string]string `json:"digest,omitempty"`
}

// vsaPredicate is written from a struct of our own: the protobuf of
// in-toto/attestation writes the counts as strings, which slsa-verifier does
// not read, and has no verifier.version.
type vsaPredicate struct {
	Verifier           vsaVerifier    `json:"verifier"`
	TimeVerified       seal.Timestamp `json:"timeVerified"`
	ResourceURI        string         `json:"resourceUri"`
	Policy             Descriptor     `json:"policy"`
	InputAttestations  []Descriptor   `json:"inputAttestations,omitempty"`
	VerificationResult string         `json:"verificationResult"`
	VerifiedLevels     []string       `json:"verifiedLevels"`
	DependencyLevels   map[string]int `json:"dependencyLevels,omitempty"`
	SLSAVersion        string         `json:"slsaVersion"`
}

type vsaVerifier struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version,omitempty"`
}

// failedLevel stands in place of levels where the verdict is no pass.
const failedLevel = "FAILED"

// NewVSA returns the canonical bytes of v's statement, ready to be signed with
// [PayloadType]. The trust level is the custom level MCP_INTEGRITY_LEVEL_n,
// beside one SLSA_BUILD_LEVEL_n: SLSA allows one level per track, and custom
// ones that do not begin with SLSA_. What it returns has passed in-toto's own
// validation.
func NewVSA(v VSA) ([]byte, error) {
	if err := v.check(); err != nil {
		return nil, fmt.Errorf("verification summary: %w", err)
	}
	p := vsaPredicate{
		Verifier: vsaVerifier{ID: v.Verifier, Version: v.VerifierVersion}, TimeVerified: v.TimeVerified,
		ResourceURI: v.ResourceURI, Policy: v.Policy, InputAttestations: v.InputAttestations,
		VerificationResult: "FAILED", VerifiedLevels: []string{failedLevel},
		DependencyLevels: v.DependencyLevels, SLSAVersion: slsaVersion,
	}
	if v.Passed {
		p.VerificationResult, p.VerifiedLevels = "PASSED", v.levels()
	}
	payload, err := marshal(PredicateTypeVSA, p, v.Subjects)
	if err != nil {
		return nil, fmt.Errorf("verification summary: %w", err)
	}
	if err := validate(payload, nil); err != nil {
		return nil, fmt.Errorf("verification summary: in-toto's validation: %w", err)
	}
	return payload, nil
}

func (v VSA) levels() []string {
	levels := []string{fmt.Sprintf("MCP_INTEGRITY_LEVEL_%d", v.TrustLevel)}
	if v.BuildLevel != nil {
		levels = append([]string{fmt.Sprintf("SLSA_BUILD_LEVEL_%d", *v.BuildLevel)}, levels...)
	}
	return levels
}

func (v VSA) check() error {
	for _, u := range []struct{ name, value string }{
		{"verifier", v.Verifier}, {"resource URI", v.ResourceURI}, {"policy URI", v.Policy.URI},
	} {
		if err := checkText(u.value, maxFact); err != nil {
			return fmt.Errorf("%s: %w", u.name, err)
		}
		if parsed, err := url.Parse(u.value); err != nil || parsed.Scheme == "" {
			return fmt.Errorf("%s: got %.100q, want an absolute URI", u.name, u.value)
		}
	}
	if v.TimeVerified.IsZero() {
		return errors.New("the time of the verification is not set")
	}
	if v.TrustLevel < 0 || v.TrustLevel > 3 {
		return fmt.Errorf("trust level: got %d, want 0 to 3", v.TrustLevel)
	}
	if v.BuildLevel != nil && (*v.BuildLevel < 0 || *v.BuildLevel > 3) {
		return fmt.Errorf("SLSA Build level: got %d, want 0 to 3", *v.BuildLevel)
	}
	if v.Policy.Digest != nil {
		if err := checkDigests(v.Policy.Digest); err != nil {
			return fmt.Errorf("policy: %w", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.DependencyLevels)) {
		if n := v.DependencyLevels[name]; n < 0 {
			return fmt.Errorf("dependency level %.100q: got %d dependencies", name, n)
		}
	}
	for n, a := range v.InputAttestations {
		if err := checkDigests(a.Digest); err != nil {
			return fmt.Errorf("input attestation %d: %w", n, err)
		}
	}
	return nil
}
