package verify_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// builds is a [verify.ProvenanceSource] of ours.
type builds struct {
	found []verify.FoundProvenance
	err   error
	asked *[]string
}

func (b builds) Find(_ context.Context, q verify.ProvenanceQuery) ([]verify.FoundProvenance, error) {
	if b.asked != nil {
		*b.asked = append(*b.asked, q.URI+" "+q.Artifact.Digest.Algorithm().String())
	}
	return b.found, b.err
}

// byCertificate lets a key's signatures stand under a certificate.
type byCertificate struct {
	seal.Keys
	certificate seal.Certificate
	unexpected  error
}

func (b byCertificate) Authenticate(ctx context.Context, s seal.Signature, message []byte) (seal.Authenticated, error) {
	a, err := b.Keys.Authenticate(ctx, s, message)
	a.Certificate, a.Unexpected = &b.certificate, b.unexpected
	return a, err
}

// built is a release build of acme/file-tools, with the certificate that its
// job gets.
func built() (provenance.Build, seal.Certificate) {
	const repo, ref, commit = "https://github.com/acme/file-tools", "refs/tags/v1.2.4", "abc123def456789abc123def456789abc123def4"
	workflow := "acme/file-tools/.github/workflows/release.yml@" + ref
	b := provenance.Build{
		Platform: provenance.GitHub, ServerURL: "https://github.com", Repository: "acme/file-tools", RepositoryID: "74", OwnerID: "65", Owner: "acme",
		Ref: ref, Commit: commit, WorkflowRef: workflow, JobWorkflowRef: workflow, Event: "push", RunnerEnvironment: "github-hosted",
		RunID: "30433642", RunAttempt: "1", Visibility: "public",
	}
	return b, seal.Certificate{
		Issuer: seal.GitHubIssuer, SAN: "https://github.com/" + workflow,
		BuildSignerURI: "https://github.com/" + workflow, BuildSignerDigest: commit, RunnerEnvironment: "github-hosted",
		SourceRepositoryURI: repo, SourceCommit: commit, SourceRef: ref, SourceRepositoryID: "74",
		SourceOwnerURI: "https://github.com/acme", SourceOwnerID: "65",
		BuildConfigURI: "https://github.com/" + workflow, BuildConfigDigest: commit, BuildTrigger: "push",
		RunInvocationURI: repo + "/actions/runs/30433642/attempts/1", Visibility: "public",
	}
}

func statementOf(t *testing.T, b provenance.Build, d digest.Digest) []byte {
	t.Helper()
	s, err := provenance.New(b, []provenance.Subject{{Name: "acme-1.2.4.tgz", Digest: map[string]string{string(d.Algorithm()): d.Encoded()}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVerifyProvenance(t *testing.T) {
	sealed := digest.FromString("artifact")
	build, certificate := built()
	good := verify.FoundProvenance{Ref: "p.json", Statement: statementOf(t, build, sealed), Certificate: &certificate}
	change := func(f verify.FoundProvenance, c func(*verify.FoundProvenance)) verify.FoundProvenance {
		c(&f)
		return f
	}
	two, three := 2, 3
	for name, tt := range map[string]struct {
		source     builds
		manifest   func(p *seal.Provenance)
		policy     string
		outcome    seal.Outcome
		valid      *bool
		warranted  int // of the first provenance that holds; -1 where none does
		errors     []string
		advisories []string
		skipped    []string
	}{
		"holds":         {source: builds{found: []verify.FoundProvenance{good}}, outcome: seal.Pass, valid: ptr(true), warranted: 2},
		"none is found": {source: builds{}, outcome: seal.Pass, warranted: -1, skipped: []string{"provenance"}},
		"cannot be fetched": {
			source: builds{err: fmt.Errorf("%w: offline", verify.ErrUnavailable)}, outcome: seal.Pass, warranted: -1,
			advisories: []string{"PROVENANCE_UNVERIFIABLE"}, skipped: []string{"provenance"},
		},
		"was asked for, and cannot be read": {
			source: builds{err: &verify.AskedError{Err: verify.ErrUnavailable}}, outcome: seal.Undecided, warranted: -1,
			advisories: []string{"PROVENANCE_UNVERIFIABLE"}, skipped: []string{"provenance"},
		},
		"its signature is wrong": {
			source:  builds{found: []verify.FoundProvenance{{Ref: "p.json", Err: errors.New("bad")}}},
			outcome: seal.Fail, valid: ptr(false), warranted: -1, errors: []string{"PROVENANCE_INVALID"},
		},
		"one of two is wrong": {
			source:  builds{found: []verify.FoundProvenance{{Ref: "p.json", Err: errors.New("bad")}, good}},
			outcome: seal.Fail, valid: ptr(false), warranted: 2, errors: []string{"PROVENANCE_INVALID"},
		},
		"its signature cannot be checked": {
			source:  builds{found: []verify.FoundProvenance{{Ref: "p.json", Err: fmt.Errorf("%w: no helper", verify.ErrUnavailable)}}},
			outcome: seal.Pass, warranted: -1, advisories: []string{"PROVENANCE_UNVERIFIABLE"}, skipped: []string{"provenance"},
		},
		"it is no statement": {
			source:  builds{found: []verify.FoundProvenance{change(good, func(f *verify.FoundProvenance) { f.Statement = []byte(`{}`) })}},
			outcome: seal.Fail, valid: ptr(false), warranted: -1, errors: []string{"PROVENANCE_INVALID"},
		},
		"it is about another artifact": {
			source: builds{found: []verify.FoundProvenance{change(good, func(f *verify.FoundProvenance) {
				f.Statement = statementOf(t, build, digest.FromString("other"))
			})}},
			outcome: seal.Fail, valid: ptr(false), warranted: -1, errors: []string{"PROVENANCE_MISMATCH subject"},
		},
		"it lies about the commit": {
			source: builds{found: []verify.FoundProvenance{change(good, func(f *verify.FoundProvenance) {
				lie := build
				lie.Commit = strings.Repeat("b", 40)
				f.Statement = statementOf(t, lie, sealed)
			})}},
			outcome: seal.Fail, valid: ptr(false), warranted: -1, errors: []string{"PROVENANCE_MISMATCH buildDefinition.resolvedDependencies[0].digest.gitCommit"},
		},
		"the manifest names another commit": {
			source:   builds{found: []verify.FoundProvenance{good}},
			manifest: func(p *seal.Provenance) { p.Commit = strings.Repeat("b", 40) },
			outcome:  seal.Fail, valid: ptr(false), warranted: -1, errors: []string{"PROVENANCE_MISMATCH commit"},
		},
		"the manifest claims a level that is warranted": {
			source: builds{found: []verify.FoundProvenance{good}}, manifest: func(p *seal.Provenance) { p.SLSALevel = &two },
			outcome: seal.Pass, valid: ptr(true), warranted: 2,
		},
		"the manifest claims too high a level": {
			source: builds{found: []verify.FoundProvenance{good}}, manifest: func(p *seal.Provenance) { p.SLSALevel = &three },
			outcome: seal.Pass, valid: ptr(true), warranted: 2, advisories: []string{"SLSA_LEVEL_NOT_MET"},
		},
		"another verifier vouches for another builder": {
			source: builds{found: []verify.FoundProvenance{change(good, func(f *verify.FoundProvenance) {
				f.Certificate, f.Builder, f.BuilderLevel = nil, "https://builder.example", 3
			})}},
			outcome: seal.Fail, valid: ptr(false), warranted: -1, errors: []string{"PROVENANCE_MISMATCH runDetails.builder.id"},
		},
		"another verifier vouches for it": {
			source: builds{found: []verify.FoundProvenance{change(good, func(f *verify.FoundProvenance) {
				f.Certificate, f.Builder, f.BuilderLevel = nil, build.BuilderID(), 3
			})}},
			outcome: seal.Pass, valid: ptr(true), warranted: 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.withArtifact(sealed)
			s.v.Artifacts = files{have: []verify.ObservedArtifact{{Ref: "a.tgz", Digests: []digest.Digest{sealed}, RanIt: true}}}
			for i := range s.manifest.Tools {
				p := s.manifest.Tools[i].Provenance
				p.BuildAttestationURI = "https://acme.example/p.json"
				if tt.manifest != nil {
					tt.manifest(p)
				}
			}
			var asked []string
			tt.source.asked = &asked
			s.v.Provenance = tt.source
			r := s.run(t)
			if r.Outcome != tt.outcome {
				t.Errorf("outcome: got %s, want %s (%+v)", r.Outcome, tt.outcome, r.Errors)
			}
			if diff := cmp.Diff(tt.valid, r.Results[0].ProvenanceValid); diff != "" {
				t.Errorf("provenance_valid (-want +got):\n%s", diff)
			}
			warranted := -1
			if len(r.Provenance) > 0 {
				warranted = r.Provenance[0].SLSALevel
			}
			if warranted != tt.warranted {
				t.Errorf("warranted SLSA level: got %d, want %d", warranted, tt.warranted)
			}
			if want := []string{"https://acme.example/p.json sha256"}; !slices.Equal(asked, want) {
				t.Errorf("asked for %q, want %q: one question for all tools of one artifact", asked, want)
			}
			for _, c := range []struct {
				what      string
				got, want []string
			}{
				{"errors", first(names(r.Errors)), tt.errors},
				{"advisories", names(r.Advisories), tt.advisories},
				{"skipped", skips(r), tt.skipped},
			} {
				if !slices.Equal(c.got, c.want) {
					t.Errorf("%s: got %q, want %q", c.what, c.got, c.want)
				}
			}
		})
	}
}

// first is the finding that a reader sees first.
func first(names []string) []string { return names[:min(1, len(names))] }

func skips(r *verify.Result) []string {
	var all []string
	for _, s := range r.Skipped {
		all = append(all, s.Check)
	}
	return all
}

func ptr[T any](v T) *T { return &v }

func TestVerifyCertificate(t *testing.T) {
	_, certificate := built()
	stranger := errors.New("nobody was expected")
	for name, tt := range map[string]struct {
		change    func(c *seal.Certificate, b *byCertificate, v *verify.Verifier)
		outcome   seal.Outcome
		expected  bool
		findings  []string
		withError bool
	}{
		"the source repository's own job": {outcome: seal.Pass, expected: true},
		"a job of another repository, in the expected namespace": {
			change:  func(c *seal.Certificate, _ *byCertificate, _ *verify.Verifier) { c.SourceRepositoryURI += "-evil" },
			outcome: seal.Fail, expected: true, findings: []string{"SOURCE_MISMATCH"}, withError: true,
		},
		"a job of another repository, which the caller named itself": {
			change: func(c *seal.Certificate, _ *byCertificate, v *verify.Verifier) {
				c.SourceRepositoryURI = "https://github.com/acme/releases"
				v.Namespace = ""
			},
			outcome: seal.Pass, expected: true, findings: []string{"SOURCE_MISMATCH"},
		},
		"nobody said whose it should be": {
			change: func(_ *seal.Certificate, b *byCertificate, v *verify.Verifier) {
				b.unexpected, v.Namespace = stranger, ""
			},
			outcome: seal.Warned, findings: []string{"IDENTITY_NOT_EXPECTED"},
		},
		"nobody said whose it should be, blocking": {
			change: func(_ *seal.Certificate, b *byCertificate, v *verify.Verifier) {
				b.unexpected, v.Namespace = stranger, ""
				v.Policy, _ = seal.ParsePolicy(block1)
			},
			outcome: seal.Fail, findings: []string{"IDENTITY_NOT_EXPECTED", "LEVEL_BELOW_POLICY"},
		},
		"a key was named, and only a certificate signed": {
			change:  func(_ *seal.Certificate, _ *byCertificate, v *verify.Verifier) { v.NeedsKey = true },
			outcome: seal.Fail, expected: true, findings: []string{"SIGNATURE_KEY_NOT_FOUND"}, withError: true,
		},
		"an identity was named, and signed": {
			change:  func(_ *seal.Certificate, _ *byCertificate, v *verify.Verifier) { v.NeedsCertificate = true },
			outcome: seal.Pass, expected: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			c := certificate
			by := byCertificate{Keys: s.v.Keys.(seal.Keys)}
			by.Keys.Public = []seal.PublicKey{s.key.Public().Seal()}
			if tt.change != nil {
				tt.change(&c, &by, &s.v)
			}
			by.certificate = c
			s.v.Keys = by
			r := s.run(t)
			if r.Outcome != tt.outcome {
				t.Errorf("outcome: got %s, want %s (%+v)", r.Outcome, tt.outcome, r.Errors)
			}
			if r.Publisher == nil || r.Publisher.Expected != tt.expected || *r.Publisher.Certificate != c {
				t.Errorf("publisher: got %+v, want expected %t and its certificate", r.Publisher, tt.expected)
			}
			got := names(r.Advisories)
			if tt.withError {
				got = names(r.Errors)
			}
			if !slices.Equal(got, tt.findings) {
				t.Errorf("findings: got %q, want %q", got, tt.findings)
			}
		})
	}
}

// TestVerifyNeedsCertificate: an identity that was named is not met by a key.
func TestVerifyNeedsCertificate(t *testing.T) {
	s := newScene(t)
	s.v.NeedsCertificate = true
	if r := s.run(t); r.Outcome != seal.Fail || !slices.Equal(names(r.Errors), []string{"IDENTITY_MISMATCH"}) {
		t.Errorf("got %s, %q, want fail and IDENTITY_MISMATCH", r.Outcome, names(r.Errors))
	}
}

// TestVerifyProvenanceOfEveryTool: what the second tool's entry says of the
// build is compared, too, and its tool named.
func TestVerifyProvenanceOfEveryTool(t *testing.T) {
	sealed := digest.FromString("artifact")
	build, certificate := built()
	good := verify.FoundProvenance{Ref: "p.json", Statement: statementOf(t, build, sealed), Certificate: &certificate}
	for field, lie := range map[string]func(*seal.Provenance){
		"commit":         func(p *seal.Provenance) { p.Commit = strings.Repeat("6", 40) },
		"builder_id":     func(p *seal.Provenance) { p.BuilderID = "https://github.com/slsa-framework/slsa-github-generator" },
		"build_system":   func(p *seal.Provenance) { p.BuildSystem = "gitlab-ci" },
		"build_workflow": func(p *seal.Provenance) { p.BuildWorkflow = ".github/workflows/other.yml" },
	} {
		for tool := range 2 {
			s := newScene(t)
			s.withArtifact(sealed)
			s.v.Artifacts = files{have: []verify.ObservedArtifact{{Ref: "a.tgz", Digests: []digest.Digest{sealed}, RanIt: true}}}
			lie(s.manifest.Tools[tool].Provenance)
			s.v.Provenance = builds{found: []verify.FoundProvenance{good}}
			r := s.run(t)
			if r.Outcome != seal.Fail || len(r.Errors) == 0 || r.Errors[0].Component != field || r.Errors[0].Tool != s.manifest.Tools[tool].Name {
				t.Errorf("%s of tool %d: got %s, %+v", field, tool, r.Outcome, r.Errors)
			}
			if other := r.Results[1-tool].ProvenanceValid; other == nil || !*other {
				t.Errorf("%s of tool %d: the other tool's provenance does not hold", field, tool)
			}
		}
	}
}

// TestVerifyBoundsBuilds: a manifest cannot send us to any number of hosts.
func TestVerifyBoundsBuilds(t *testing.T) {
	s := newScene(t)
	tools := sealtest.Tools(t, 40)
	s.manifest = sealtest.Manifest(t, tools...)
	s.live.Tools = tools
	s.withArtifact(digest.FromString("artifact"))
	for i := range s.manifest.Tools {
		s.manifest.Tools[i].Provenance.BuildAttestationURI = fmt.Sprintf("https://acme.example/%d", i)
	}
	var asked []string
	s.v.Provenance = builds{asked: &asked}
	r := s.run(t)
	if len(asked) != 16 {
		t.Errorf("asked for %d builds, want 16", len(asked))
	}
	if !slices.Contains(names(r.Advisories), "PROVENANCE_UNVERIFIABLE") {
		t.Errorf("advisories: %q, want a word on what was not looked at", names(r.Advisories))
	}
}
