package provenance

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/seal"
)

func summary() VSA {
	return VSA{
		Subjects: subjects(), Verifier: "https://acme.example/verifier", VerifierVersion: map[string]string{"mcp-integrity": "1.0.0"},
		TimeVerified: seal.NewTimestamp(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)),
		ResourceURI:  "pkg:npm/%40acme/file-tools@1.2.3",
		Policy:       Descriptor{URI: "https://acme.example/trust.yaml", Digest: map[string]string{"sha256": strings.Repeat("1", 64)}},
		InputAttestations: []Descriptor{
			{URI: "https://acme.example/mcp-integrity.json", Digest: map[string]string{"sha256": strings.Repeat("2", 64)}},
			{Digest: map[string]string{"sha256": strings.Repeat("3", 64)}},
		},
		Passed: true, BuildLevel: new(2), TrustLevel: 1,
	}
}

func TestNewVSA(t *testing.T) {
	const head = `{"_type":"https://in-toto.io/Statement/v1","predicate":{`
	const inputs = `"inputAttestations":[{"digest":{"sha256":"2222222222222222222222222222222222222222222222222222222222222222"},"uri":"https://acme.example/mcp-integrity.json"},{"digest":{"sha256":"3333333333333333333333333333333333333333333333333333333333333333"}}],"policy":{"digest":{"sha256":"1111111111111111111111111111111111111111111111111111111111111111"},"uri":"https://acme.example/trust.yaml"},"resourceUri":"pkg:npm/%40acme/file-tools@1.2.3","slsaVersion":"1.1","timeVerified":"2026-11-22T10:00:00Z",`
	tail := `},"predicateType":"https://slsa.dev/verification_summary/v1","subject":[{"digest":{"sha256":"` + artifact.Encoded() + `"},"name":"file-tools-1.2.3.tgz"}]}`
	for _, c := range []struct {
		name   string
		change func(*VSA)
		want   string
	}{
		{"passed", func(v *VSA) {}, head + inputs +
			`"verificationResult":"PASSED","verifiedLevels":["SLSA_BUILD_LEVEL_2","MCP_INTEGRITY_LEVEL_1"],"verifier":{"id":"https://acme.example/verifier","version":{"mcp-integrity":"1.0.0"}}` + tail},
		{"build not looked at", func(v *VSA) { v.BuildLevel = nil }, head + inputs +
			`"verificationResult":"PASSED","verifiedLevels":["MCP_INTEGRITY_LEVEL_1"],"verifier":{"id":"https://acme.example/verifier","version":{"mcp-integrity":"1.0.0"}}` + tail},
		{"failed", func(v *VSA) { v.Passed = false }, head + inputs +
			`"verificationResult":"FAILED","verifiedLevels":["FAILED"],"verifier":{"id":"https://acme.example/verifier","version":{"mcp-integrity":"1.0.0"}}` + tail},
		{"least, with numbers as numbers", func(v *VSA) {
			v.InputAttestations, v.VerifierVersion, v.Policy.Digest = nil, nil, nil
			v.DependencyLevels = map[string]int{"SLSA_BUILD_LEVEL_3": 5}
		}, head + `"dependencyLevels":{"SLSA_BUILD_LEVEL_3":5},"policy":{"uri":"https://acme.example/trust.yaml"},"resourceUri":"pkg:npm/%40acme/file-tools@1.2.3","slsaVersion":"1.1","timeVerified":"2026-11-22T10:00:00Z",` +
			`"verificationResult":"PASSED","verifiedLevels":["SLSA_BUILD_LEVEL_2","MCP_INTEGRITY_LEVEL_1"],"verifier":{"id":"https://acme.example/verifier"}` + tail},
	} {
		v := summary()
		c.change(&v)
		got, err := NewVSA(v)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if diff := cmp.Diff(c.want, string(got)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestVSARefused(t *testing.T) {
	for want, change := range map[string]func(*VSA){
		"verifier: it is empty":          func(v *VSA) { v.Verifier = "" },
		"verifier: got \"acme\"":         func(v *VSA) { v.Verifier = "acme" },
		"resource URI: it is empty":      func(v *VSA) { v.ResourceURI = "" },
		"policy URI: it is empty":        func(v *VSA) { v.Policy.URI = "" },
		"policy: sha256":                 func(v *VSA) { v.Policy.Digest = map[string]string{"sha256": "x"} },
		"time of the verification":       func(v *VSA) { v.TimeVerified = seal.Timestamp{} },
		"trust level: got 4":             func(v *VSA) { v.TrustLevel = 4 },
		"SLSA Build level: got -1":       func(v *VSA) { v.BuildLevel = new(-1) },
		"input attestation 0: 0 digests": func(v *VSA) { v.InputAttestations = []Descriptor{{URI: "x"}} },
		"0 subjects":                     func(v *VSA) { v.Subjects = nil },
		"dependency level":               func(v *VSA) { v.DependencyLevels = map[string]int{"SLSA_BUILD_LEVEL_3": -1} },
	} {
		v := summary()
		change(&v)
		if got, err := NewVSA(v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v and %s", want, err, got)
		}
	}
}
