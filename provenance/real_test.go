package provenance

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// bundle is what is needed here of a Sigstore bundle; internal/keyless verifies
// the same files.
type bundle struct {
	Material struct {
		Certificate struct {
			Raw []byte `json:"rawBytes"`
		} `json:"certificate"`
		Chain struct {
			Certificates []struct {
				Raw []byte `json:"rawBytes"`
			} `json:"certificates"`
		} `json:"x509CertificateChain"`
	} `json:"verificationMaterial"`
	Envelope struct {
		Payload []byte `json:"payload"`
	} `json:"dsseEnvelope"`
}

func readBundle(t *testing.T, name string) (*Statement, seal.Certificate) {
	t.Helper()
	data, err := os.ReadFile("../testdata/bundles/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var b bundle
	if err := strictjson.UnmarshalOpen(data, &b); err != nil {
		t.Fatal(err)
	}
	raw := b.Material.Certificate.Raw
	if len(raw) == 0 && len(b.Material.Chain.Certificates) > 0 {
		raw = b.Material.Chain.Certificates[0].Raw
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	var c seal.Certificate
	members := map[string]*string{
		"8": &c.Issuer, "9": &c.BuildSignerURI, "11": &c.RunnerEnvironment, "12": &c.SourceRepositoryURI,
		"13": &c.SourceCommit, "14": &c.SourceRef, "15": &c.SourceRepositoryID, "17": &c.SourceOwnerID,
		"18": &c.BuildConfigURI, "20": &c.BuildTrigger, "21": &c.RunInvocationURI,
	}
	for _, e := range leaf.Extensions {
		n, ok := strings.CutPrefix(e.Id.String(), "1.3.6.1.4.1.57264.1.")
		if member := members[n]; ok && member != nil {
			if _, err := asn1.Unmarshal(e.Value, member); err != nil {
				t.Fatal(err)
			}
		}
	}
	return mustParse(t, b.Envelope.Payload), c
}

// TestRealProvenance: what GitHub's own action wrote and signed for others.
func TestRealProvenance(t *testing.T) {
	const bazel = "sha256:06ce330900a7d6403bc8d88e5dfad6aeeb8ae40179f66bb89e69c8bf6f6b1a0b"
	manifest := &seal.Provenance{
		SourceRepo: "https://github.com/aspect-build/rules_lint", Commit: "8f70009fde0c94ade6ce2a054b94718c819126ec",
		Branch: "publish-to-bcr", BuildSystem: "github-actions", BuildWorkflow: ".github/workflows/release.yml",
	}
	for _, c := range []struct {
		name       string
		artifact   digest.Digest
		manifest   *seal.Provenance
		mismatches int
		foreign    bool
	}{
		{"slsa-verifier/MODULE.bazel.intoto.jsonl", bazel, manifest, 0, false},
		{"slsa-verifier/rules_lint-v1.3.1.tar.gz.intoto.jsonl", "sha256:1636f443b01c9ee310ee5834956d0dce374c3d3bf8d4cebc9f6b86f8304b4982", manifest, 0, false},
		// Signed by a workflow of loosebazooka/aa-test, with a valid signature.
		{"slsa-verifier/MODULE-wrong-signer.bazel.intoto.jsonl", bazel, manifest, 9, false},
		// Made by npm's own client, for slsa-verifier to judge.
		{"sigstore-go/sigstore.js@2.0.0-provenance.sigstore.json", "sha512:46d4e2f74c4877316640000a6fdf8a8b59f1e0847667973e9859f774dd31b8f1e0937813b777fb66a2ac67d50540fe34640966eee9fc2ccca387082b4c85cd3c", nil, 1, true},
	} {
		s, certificate := readBundle(t, c.name)
		m := Check(s, Expected{Certificate: certificate, Manifest: c.manifest, Artifacts: []digest.Digest{c.artifact}})
		if len(m) != c.mismatches || s.Foreign() != c.foreign || c.foreign != (len(m) > 0 && errors.Is(m[0], ErrForeignBuilder)) {
			t.Errorf("%s: got %v, want %d mismatches", c.name, m, c.mismatches)
		}
		if level, reason := WarrantedBy(certificate); level != 2 {
			t.Errorf("%s: level %d: %s", c.name, level, reason)
		}
	}
}
