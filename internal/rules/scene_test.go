package rules

import (
	"fmt"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

func ptr[T any](v T) *T { return &v }

func at(day int) seal.Timestamp {
	return seal.NewTimestamp(time.Date(2026, 2, day, 12, 0, 0, 0, time.UTC))
}

// scene is a server with three tools: read is sealed and live, at level 3; fetch
// is sealed and live, at level 2, and goes to the network; new is live only.
func scene() verify.RuleInput {
	m := &seal.Manifest{
		SealVersion: seal.Version,
		Server:      seal.Server{Name: "files", Version: "1.2.4", Publisher: seal.Publisher{ID: "a@acme.example", Namespace: "io.github.acme", URL: "https://acme.example"}},
		IssuedAt:    at(1),
		ExpiresAt:   ptr(at(28)),
		Tools:       []seal.Tool{sealedTool("read", false), sealedTool("fetch", true)},
	}
	r := &verify.Result{
		SchemaVersion: verify.SchemaVersion, ServerName: "files", ServerVersion: "1.2.4",
		TrustLevel: 0, SealedLevel: 3, ClaimedLevel: ptr(3), Observed: verify.Live, Policy: "block_below_level_2",
		Results:    []verify.ToolResult{toolResult("read", 3), toolResult("fetch", 2), toolResult("new", 0)},
		Advisories: []verify.Finding{{Code: -33060, Name: "SOMETHING", Message: "words", Tool: "fetch", Component: "description"}},
		Errors:     []verify.Finding{}, Skipped: []verify.Skip{{Check: "artifact", Reason: "nobody has it"}},
		VerifiedAt: at(10),
		Publisher: &verify.Publisher{
			ID: "a@acme.example", Namespace: "io.github.acme", KeyID: "k1", Thumbprint: "thumb", Expected: true,
			Certificate: &seal.Certificate{Issuer: seal.GitHubIssuer, SAN: "https://github.com/acme/w@refs/tags/v1", RunnerEnvironment: "github-hosted"},
		},
		Provenance: []verify.Provenance{{Ref: "x", BuilderID: "b", SLSALevel: 3, Reason: "why", Subject: "sha256:1"}},
		Chain:      &verify.Chain{Length: 2, VerifiedTo: verify.First, Releases: []verify.ChainRelease{{Version: "1.2.4", IssuedAt: at(1)}}},
		Missing:    []verify.Missing{{Level: 1, Requirement: "an entry", Who: "the publisher", Tools: []string{"new"}}},
	}
	// An unknown tool has no checks that were made.
	unknown := &r.Results[2]
	unknown.InterfaceMatch, unknown.ArtifactMatch, unknown.ChainValid, unknown.ProvenanceValid = nil, nil, nil, nil
	return verify.RuleInput{Result: r, Manifest: m}
}

func sealedTool(name string, network bool) seal.Tool {
	d := digest.FromString(name)
	t := seal.Tool{
		Name: name, Version: "1.2.4",
		Interface: fingerprint.Digests{Description: d, InputSchema: d, Annotations: d, OutputSchema: d, Composite: d},
		Artifact:  &seal.Artifact{Type: seal.NPM, Identifier: "pkg:npm/files", Version: "1.2.4", Digest: d},
		SideEffects: seal.SideEffects{
			Reads: []string{"filesystem"}, Writes: []string{}, NetworkEgress: network, Summary: "it reads",
		},
		Capabilities: []seal.Capability{{Resource: "filesystem", Actions: []string{"read"}, Required: true}},
		Provenance:   &seal.Provenance{SourceRepo: "https://github.com/acme/files", Commit: "abc", BuildTimestamp: ptr(at(1)), SLSALevel: ptr(3), Reproducible: ptr(false)},
		Lineage:      &seal.Lineage{PreviousVersion: ptr("1.2.3"), PreviousManifestDigest: d, Changes: []seal.Change{{Type: "patch", Description: "less"}}},
	}
	if network {
		t.SideEffects.NetworkEndpoints = []string{"api.acme.example"}
	}
	return t
}

func toolResult(name string, level int) verify.ToolResult {
	return verify.ToolResult{
		ServerName: "files", ToolName: name, TrustLevel: level, ClaimedLevel: ptr(3),
		InterfaceMatch: ptr(true), ArtifactMatch: ptr(true), ProvenanceValid: ptr(true), ChainValid: ptr(true),
		InterfaceDetails:     verify.InterfaceDetails{DescriptionMatch: ptr(true)},
		AttestationsVerified: []string{"publisher", "registry"},
		Advisories:           []verify.Finding{}, Errors: []verify.Finding{}, VerifiedAt: at(10),
	}
}

// known is scene without the unknown tool: a server at level 2.
func known() verify.RuleInput {
	in := scene()
	in.Result.Results = in.Result.Results[:2]
	in.Result.TrustLevel = 2
	return in
}

// crowd is a server with n sealed tools at level 3, of which every tenth goes to
// the network.
func crowd(n int) verify.RuleInput {
	in := known()
	in.Manifest.Tools, in.Result.Results = nil, nil
	in.Result.TrustLevel = 3
	for i := range n {
		name := fmt.Sprintf("tool-%04d", i)
		in.Manifest.Tools = append(in.Manifest.Tools, sealedTool(name, i%10 == 0))
		in.Result.Results = append(in.Result.Results, toolResult(name, 3))
	}
	return in
}

func mustCompile(t testing.TB, text string) verify.Rule {
	t.Helper()
	compiled, err := Compile([]string{text})
	if err != nil {
		t.Fatalf("compile %q: %v", text, err)
	}
	return compiled[0]
}
