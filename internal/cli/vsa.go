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
	switch {
	case r.Outcome == seal.Undecided || r.Publisher == nil:
		i.note("no summary is written: nothing was decided about an artifact")
		return nil
	case !r.Publisher.Expected:
		i.note("no summary is written: nobody said whose the artifact should be")
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
		// report_only passes whatever it sees.
		Passed: r.Outcome == seal.Pass && len(r.Errors) == 0 && r.Policy != string(seal.ReportOnly), TrustLevel: r.TrustLevel,
	}
	a, sealed, err := oneArtifact(m)
	if err != nil {
		return err
	}
	v.ResourceURI = provenance.ResourceURI(a)
	v.Subjects = []provenance.Subject{{Name: a.Identifier, Digest: map[string]string{string(a.Digest.Algorithm()): a.Digest.Encoded()}}}
	v.BuildLevel = buildLevel(r.Provenance, a.Digest, sealed)
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

// oneArtifact is the artifact that a manifest is about, and the least SLSA level
// that it states for it. A summary has one subject.
func oneArtifact(m *seal.Manifest) (seal.Artifact, int, error) {
	var a *seal.Artifact
	least := 3
	for _, t := range m.Tools {
		switch {
		case t.Artifact == nil:
			continue
		case a != nil && *a != *t.Artifact:
			return seal.Artifact{}, 0, failsf("--vsa: a summary is about one artifact, and the manifest names several")
		}
		a = t.Artifact
		stated := 0
		if p := t.Provenance; p != nil && p.SLSALevel != nil {
			stated = *p.SLSALevel
		}
		least = min(least, stated)
	}
	if a == nil {
		return seal.Artifact{}, 0, failsf("--vsa: a summary is about an artifact, and the manifest names none")
	}
	return *a, least, nil
}

// buildLevel is the least of what the manifest states and what the provenance of
// the artifact warrants (decision 15); nil where the build was not looked at.
func buildLevel(found []verify.Provenance, artifact digest.Digest, sealed int) *int {
	var level *int
	for _, p := range found {
		if p.Subject != string(artifact) {
			continue
		}
		least := min(sealed, p.SLSALevel)
		if level != nil {
			least = min(least, *level)
		}
		level = &least
	}
	return level
}
