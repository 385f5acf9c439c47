package provenance_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/provenance"
)

const (
	moduleBazel = digest.Digest("sha256:06ce330900a7d6403bc8d88e5dfad6aeeb8ae40179f66bb89e69c8bf6f6b1a0b")
	rulesLint   = digest.Digest("sha256:1636f443b01c9ee310ee5834956d0dce374c3d3bf8d4cebc9f6b86f8304b4982")
)

// verifiedBundle is what a real bundle proves, after its signature, log and
// certificate were verified. Of npm's answer for a package, the provenance is
// the second attestation.
func verifiedBundle(t *testing.T, name string) *keyless.Verified {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", "bundles", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Attestations []struct {
			Bundle json.RawMessage `json:"bundle"`
		} `json:"attestations"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Attestations) == 2 {
		data = answer.Attestations[1].Bundle
	}
	v, err := keyless.Embedded(keyless.PublicGood).Verify(data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

func checkReal(t *testing.T, v *keyless.Verified, artifacts ...digest.Digest) (*provenance.Statement, []provenance.Mismatch) {
	t.Helper()
	s, err := provenance.Parse(v.Statement)
	if err != nil {
		t.Fatal(err)
	}
	return s, provenance.Check(s, provenance.Expected{Certificate: v.Certificate, Artifacts: artifacts})
}

// TestForgedProvenance: a workflow of one repository had a predicate signed
// that names another. Every signature on it is valid.
func TestForgedProvenance(t *testing.T) {
	v := verifiedBundle(t, "slsa-verifier/MODULE-wrong-signer.bazel.intoto.jsonl")
	_, mismatches := checkReal(t, v, moduleBazel)
	got := map[string]string{}
	for _, m := range mismatches {
		if m.Against != provenance.AgainstCertificate || m.Err != nil {
			t.Errorf("%v: against the %s, want the certificate, as a lie and not as a stranger's format", m, m.Against)
		}
		got[m.Field] = m.Want
	}
	const forger = "https://github.com/loosebazooka/aa-test"
	want := map[string]string{
		"buildDefinition.externalParameters.workflow.repository":        forger,
		"buildDefinition.externalParameters.workflow.ref":               "refs/heads/main",
		"buildDefinition.externalParameters.workflow.path":              ".github/workflows/malicious_attestation.yaml",
		"buildDefinition.internalParameters.github.repository_id":       "891715444",
		"buildDefinition.internalParameters.github.repository_owner_id": "1304826",
		"buildDefinition.resolvedDependencies[0].uri":                   "git+" + forger + "@refs/heads/main",
		"buildDefinition.resolvedDependencies[0].digest.gitCommit":      "9b0800a2e136cb7c321bfdf49f73d0425e501cc3",
		"runDetails.builder.id":                                         forger + "/.github/workflows/malicious_attestation.yaml@refs/heads/main",
		"runDetails.metadata.invocationId":                              forger + "/actions/runs/14178882243/attempts/1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mismatches (-want +got):\n%s", diff)
	}
}

func TestRealProvenance(t *testing.T) {
	for name, artifact := range map[string]digest.Digest{
		"slsa-verifier/MODULE.bazel.intoto.jsonl":             moduleBazel,
		"slsa-verifier/rules_lint-v1.3.1.tar.gz.intoto.jsonl": rulesLint,
	} {
		t.Run(name, func(t *testing.T) {
			v := verifiedBundle(t, name)
			if _, mismatches := checkReal(t, v, artifact); len(mismatches) > 0 {
				t.Errorf("of the true artifact: %v", mismatches)
			}
			other := moduleBazel
			if artifact == moduleBazel {
				other = rulesLint
			}
			for _, artifacts := range [][]digest.Digest{nil, {other}, {artifact, other}} {
				if _, mismatches := checkReal(t, v, artifacts...); len(mismatches) != 1 || mismatches[0].Against != provenance.AgainstArtifact {
					t.Errorf("of artifacts %v: mismatches %v, want one, with the artifact", artifacts, mismatches)
				}
			}
		})
	}
}

// TestForeignProvenance: what npm and slsa-github-generator made is read, and
// never passes for checked.
func TestForeignProvenance(t *testing.T) {
	const v02, v1 = provenance.PredicateTypeV02, provenance.PredicateType
	for _, c := range []struct{ bundle, predicate, buildType, builder string }{
		{"sigstore-go/bundle-provenance.json", v02, "https://github.com/npm/cli/gha/v2", "https://github.com/actions/runner"},
		{"sigstore-go/dsse.sigstore.json", v02, "https://github.com/npm/slsa-provenance/gha@v0", "https://github.com/npm/slsa-provenance@0.0.1"},
		{"sigstore-go/sigstore.js@2.0.0-provenance.sigstore.json", v1, "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
			"https://github.com/actions/runner/github-hosted"},
		{"slsa-verifier/gundam-visor-cli-v1-tag.tgz.json", v1, "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
			"https://github.com/actions/runner/github-hosted"},
		{"slsa-verifier/supreme-googles-cli-v02-tag.tgz.json", v02, "https://github.com/npm/cli/gha/v2", "https://github.com/actions/runner"},
		{"slsa-verifier/provenance-npm-test-ossf.tgz.json", v02, "https://github.com/slsa-framework/slsa-github-generator/delegator-generic@v0",
			"https://github.com/slsa-framework/slsa-github-generator/.github/workflows/builder_nodejs_slsa3.yml@refs/tags/v1.6.0"},
		{"slsa-verifier/gha_container-based-binary-linux-amd64-v14.2.intoto.sigstore", v1, "https://slsa.dev/container-based-build/v0.1?draft",
			"https://github.com/slsa-framework/slsa-github-generator/.github/workflows/builder_container-based_slsa3.yml@refs/tags/v1.7.0"},
	} {
		t.Run(c.bundle, func(t *testing.T) {
			v := verifiedBundle(t, c.bundle)
			s, mismatches := checkReal(t, v)
			got := []string{s.PredicateType, s.BuildType(), s.BuilderID()}
			if diff := cmp.Diff([]string{c.predicate, c.buildType, c.builder}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			foreign := 0
			for _, m := range mismatches {
				if errors.Is(m, provenance.ErrForeignBuilder) {
					foreign++
				}
			}
			if !s.Foreign() || foreign != 1 {
				t.Errorf("foreign: %v, %d mismatches say so, want it said once: %v", s.Foreign(), foreign, mismatches)
			}
		})
	}
}
