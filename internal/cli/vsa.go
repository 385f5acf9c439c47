package cli

import (
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/slsa"
	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// The names under which summaries are written: what verified, and by which
// policy of MIS §20.1.
const (
	verifierID = "https://mcp-integrity.org/verifier/v1"
	policyBase = "https://mcp-integrity.org/policy/v1/"
)

// summaryKey reads --vsa-key before any work.
func (i *invocation) summaryKey() (*keys.PrivateKey, error) {
	switch file, key := i.str("vsa"), i.str("vsa-key"); {
	case file == "" && key == "":
		return nil, nil
	case file == "" || key == "":
		return nil, usagef("--vsa and --vsa-key go together: a summary is worth what its signature is")
	default:
		k, err := keys.ReadPrivate(key)
		if err != nil {
			return nil, usagef("--vsa-key: %w", err)
		}
		return &k, nil
	}
}

// summarise writes the Verification Summary of a verdict: about the artifact
// that the manifest names, for tools that read SLSA's. Without a verdict, or
// without a manifest whose signatures hold, there is nothing to sum up.
func (i *invocation) summarise(r *verify.Result, envelope []byte, key *keys.PrivateKey) error {
	if key == nil {
		return nil
	}
	if r.Outcome == seal.Undecided || r.Publisher == nil {
		i.note("no summary is written: nothing was decided about an artifact")
		return nil
	}
	e, err := seal.ParseEnvelope(envelope)
	if err != nil {
		return failsf("--vsa: %w", err)
	}
	m, err := seal.ParseManifest(e.Payload)
	if err != nil {
		return failsf("--vsa: %w", err)
	}
	v := provenance.VSA{
		Verifier: verifierID, VerifierVersion: map[string]string{"mcp-integrity": programVersion()}, TimeVerified: r.VerifiedAt,
		Policy: provenance.Descriptor{URI: policyBase + r.Policy},
		InputAttestations: []provenance.Descriptor{{
			URI: seal.StatementSubject, Digest: map[string]string{"sha256": e.PayloadDigest(digest.SHA256).Encoded()},
		}},
		Passed: r.Outcome == seal.Pass, TrustLevel: r.TrustLevel,
	}
	for _, t := range m.Tools {
		if a := t.Artifact; a != nil && v.ResourceURI == "" {
			v.ResourceURI = provenance.ResourceURI(*a)
			v.Subjects = []provenance.Subject{{Name: a.Identifier, Digest: map[string]string{string(a.Digest.Algorithm()): a.Digest.Encoded()}}}
		}
	}
	if v.ResourceURI == "" {
		return failsf("--vsa: a summary is about an artifact, and the manifest names none")
	}
	for _, p := range r.Provenance {
		v.BuildLevel = &p.SLSALevel
	}
	statement, err := provenance.NewVSA(v)
	if err != nil {
		return failsf("--vsa: %w", err)
	}
	signed, err := slsa.SignVSA(statement, *key)
	if err != nil {
		return undecidedf("--vsa: %w", err)
	}
	return writeFiles(file{i.str("vsa"), signed})
}
