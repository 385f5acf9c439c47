package stack_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/testdata/sigstack/stack"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// binDir is where build.sh built the servers. Without them nothing here can
// say anything, so that their lack is a failure.
func binDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SIGSTACK_BIN")
	if dir == "" {
		t.Fatal("SIGSTACK_BIN is not set: build.sh DIR builds the servers, SIGSTACK_BIN=DIR names them")
	}
	return dir
}

func start(t *testing.T) *stack.Stack {
	t.Helper()
	s, err := stack.Start(context.Background(), binDir(t), t.TempDir())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// call asks the control endpoint and wants a status.
func call(t *testing.T, s *stack.Stack, method, target string, want int) string {
	t.Helper()
	req, err := http.NewRequest(method, s.ControlURL+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != want {
		t.Fatalf("%s %s: status %d, want %d: %s", method, target, resp.StatusCode, want, body)
	}
	return string(body)
}

// lines reads NAME=VALUE lines.
func lines(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		out[name] = value
	}
	return out
}

// gitHubToken asks for a token as a step of the job does.
func gitHubToken(t *testing.T, env map[string]string) (string, error) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, env["ACTIONS_ID_TOKEN_REQUEST_URL"]+"&audience=sigstore", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "bearer "+env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d", resp.StatusCode)
	}
	var got struct{ Value string }
	return got.Value, json.NewDecoder(resp.Body).Decode(&got)
}

var artifact = []byte("the built artifact")

func statement(t *testing.T) []byte {
	t.Helper()
	sum := sha256.Sum256(artifact)
	b, err := json.Marshal(map[string]any{
		"_type":         "https://in-toto.io/Statement/v1",
		"subject":       []any{map[string]any{"name": "octo-mcp.tgz", "digest": map[string]string{"sha256": hex.EncodeToString(sum[:])}}},
		"predicateType": "https://slsa.dev/provenance/v1",
		"predicate":     map[string]any{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signWith signs a statement with stock sigstore-go at the services of sc.
func signWith(t *testing.T, sc *root.SigningConfig, token string) (*bundle.Bundle, error) {
	t.Helper()
	now, timeout := time.Now(), 10*time.Second
	ca, err := root.SelectService(sc.FulcioCertificateAuthorityURLs(), sign.FulcioAPIVersions, now)
	if err != nil {
		t.Fatal(err)
	}
	o := sign.BundleOptions{
		Context:                    t.Context(),
		CertificateProvider:        sign.NewFulcio(&sign.FulcioOptions{BaseURL: ca.URL, Timeout: timeout}),
		CertificateProviderOptions: &sign.CertificateProviderOptions{IDToken: token},
	}
	for _, s := range sc.TimestampAuthorityURLs() {
		o.TimestampAuthorities = append(o.TimestampAuthorities, sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{URL: s.URL, Timeout: timeout}))
	}
	for _, s := range sc.RekorLogURLs() {
		o.TransparencyLogs = append(o.TransparencyLogs, sign.NewRekor(&sign.RekorOptions{BaseURL: s.URL, Version: s.MajorAPIVersion}))
	}
	key, err := sign.NewEphemeralKeypair(nil)
	if err != nil {
		t.Fatal(err)
	}
	pb, err := sign.Bundle(&sign.DSSEData{Data: statement(t), PayloadType: bundle.IntotoMediaType}, key, o)
	if err != nil {
		return nil, err
	}
	return bundle.NewBundle(pb)
}

// reload writes a bundle as JSON and reads it back, as its user has it.
func reload(t *testing.T, b *bundle.Bundle) *bundle.Bundle {
	t.Helper()
	js, err := b.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var out bundle.Bundle
	if err := out.UnmarshalJSON(js); err != nil {
		t.Fatal(err)
	}
	return &out
}

func signingConfig(t *testing.T, path string) *root.SigningConfig {
	t.Helper()
	sc, err := root.NewSigningConfigFromPath(path)
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

// identity is what a verifier pins.
type identity struct{ issuer, san string }

func check(t *testing.T, trustedRoot string, b *bundle.Bundle, id identity, log bool) (*verify.VerificationResult, error) {
	t.Helper()
	trusted, err := root.NewTrustedRootFromPath(trustedRoot)
	if err != nil {
		t.Fatal(err)
	}
	options := []verify.VerifierOption{verify.WithSignedTimestamps(1), verify.WithSignedCertificateTimestamps(1)}
	if log {
		options = append(options, verify.WithTransparencyLog(1))
	}
	v, err := verify.NewVerifier(trusted, options...)
	if err != nil {
		t.Fatal(err)
	}
	pin, err := verify.NewShortCertificateIdentity(id.issuer, "", id.san, "")
	if err != nil {
		t.Fatal(err)
	}
	return v.Verify(b, verify.NewPolicy(verify.WithArtifact(bytes.NewReader(artifact)), verify.WithCertificateIdentity(pin)))
}

// TestSign signs as jobs of both platforms do, and verifies once nothing is up
// any more. What the certificate says is what the job's environment says.
func TestSign(t *testing.T) {
	t.Parallel()
	s := start(t)
	gitHub := lines(call(t, s, "GET", "/github/env?repository=acme/tools&ref=refs/tags/v1.2.3&event_name=release&runner_environment=self-hosted&repository_visibility=private&run_id=77", 200))
	gitLab := lines(call(t, s, "GET", "/gitlab/env?project_path=acme/sub/tools&ref=refs/tags/v1.2.3&pipeline_source=web", 200))
	gitHubBundle := signGitHub(t, s, gitHub)
	gitLabBundle, err := signWith(t, signingConfig(t, filepath.Join(s.Dir, "signing_config.v0.2.json")), gitLab["SIGSTORE_ID_TOKEN"])
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	gitHubID := identity{stack.GitHubIssuer, "https://github.com/" + gitHub["GITHUB_WORKFLOW_REF"]}
	gitLabID := identity{stack.GitLabIssuer, "https://gitlab.com/acme/sub/tools//.gitlab-ci.yml@refs/tags/v1.2.3"}
	tests := []struct {
		name   string
		bundle *bundle.Bundle
		id     identity
		want   certificate.Extensions
	}{
		{"GitHub", gitHubBundle, gitHubID, certificate.Extensions{
			Issuer: stack.GitHubIssuer, GithubWorkflowTrigger: gitHub["GITHUB_EVENT_NAME"], GithubWorkflowSHA: gitHub["GITHUB_SHA"],
			GithubWorkflowName: gitHub["GITHUB_WORKFLOW"], GithubWorkflowRepository: gitHub["GITHUB_REPOSITORY"], GithubWorkflowRef: gitHub["GITHUB_REF"],
			BuildSignerURI: gitHubID.san, BuildSignerDigest: gitHub["GITHUB_WORKFLOW_SHA"],
			BuildConfigURI: gitHubID.san, BuildConfigDigest: gitHub["GITHUB_WORKFLOW_SHA"], BuildTrigger: gitHub["GITHUB_EVENT_NAME"],
			RunnerEnvironment: gitHub["RUNNER_ENVIRONMENT"], SourceRepositoryURI: "https://github.com/acme/tools",
			SourceRepositoryDigest: gitHub["GITHUB_SHA"], SourceRepositoryRef: gitHub["GITHUB_REF"], SourceRepositoryIdentifier: gitHub["GITHUB_REPOSITORY_ID"],
			SourceRepositoryOwnerURI: "https://github.com/acme", SourceRepositoryOwnerIdentifier: gitHub["GITHUB_REPOSITORY_OWNER_ID"],
			RunInvocationURI: "https://github.com/acme/tools/actions/runs/77/attempts/2", SourceRepositoryVisibilityAtSigning: "private",
		}},
		{"GitLab", gitLabBundle, gitLabID, certificate.Extensions{
			Issuer: stack.GitLabIssuer, BuildSignerURI: gitLabID.san, BuildSignerDigest: gitLab["CI_COMMIT_SHA"],
			BuildConfigURI: gitLabID.san, BuildConfigDigest: gitLab["CI_COMMIT_SHA"], BuildTrigger: gitLab["CI_PIPELINE_SOURCE"],
			RunnerEnvironment: "gitlab-hosted", SourceRepositoryURI: gitLab["CI_PROJECT_URL"], SourceRepositoryDigest: gitLab["CI_COMMIT_SHA"],
			SourceRepositoryRef: "refs/tags/" + gitLab["CI_COMMIT_TAG"], SourceRepositoryIdentifier: gitLab["CI_PROJECT_ID"],
			SourceRepositoryOwnerURI: "https://gitlab.com/" + gitLab["CI_PROJECT_NAMESPACE"], SourceRepositoryOwnerIdentifier: gitLab["CI_PROJECT_NAMESPACE_ID"],
			RunInvocationURI: gitLab["CI_JOB_URL"], SourceRepositoryVisibilityAtSigning: gitLab["CI_PROJECT_VISIBILITY"],
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result, err := check(t, filepath.Join(s.Dir, "trusted_root.json"), reload(t, test.bundle), test.id, true)
			if err != nil {
				t.Fatal(err)
			}
			if got := result.Signature.Certificate.Extensions; got != test.want {
				t.Errorf("extensions\ngot  %+v\nwant %+v", got, test.want)
			}
			for _, file := range []string{"trusted_root.no-log.json", "trusted_root.other.json", "trusted_root.retired.json"} {
				if _, err := check(t, filepath.Join(s.Dir, file), reload(t, test.bundle), test.id, true); err == nil {
					t.Errorf("%s accepts it", file)
				}
			}
		})
	}
	if _, err := check(t, filepath.Join(s.Dir, "trusted_root.json"), gitHubBundle, gitLabID, true); err == nil {
		t.Error("the identity of another platform is accepted")
	}
}

// signGitHub signs with what the TUF mirror says, and nothing else.
func signGitHub(t *testing.T, s *stack.Stack, env map[string]string) *bundle.Bundle {
	t.Helper()
	first, err := os.ReadFile(filepath.Join(s.Dir, "tuf", "1.root.json"))
	if err != nil {
		t.Fatal(err)
	}
	options := (&tuf.Options{Root: first, RepositoryBaseURL: s.TUFMirror}).WithDisableLocalCache()
	sc, err := root.FetchSigningConfigWithOptions(options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := root.FetchTrustedRootWithOptions(options); err != nil {
		t.Fatal(err)
	}
	token, err := gitHubToken(t, env)
	if err != nil {
		t.Fatal(err)
	}
	b, err := signWith(t, sc, token)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSignWithoutLog: certificate and timestamp are enough for a verifier that
// asks for no log, as with GitHub's own instance, and too little for one that does.
func TestSignWithoutLog(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := lines(call(t, s, "GET", "/gitlab/env", 200))["SIGSTORE_ID_TOKEN"]
	b, err := signWith(t, signingConfig(t, filepath.Join(s.Dir, "signing_config.no-log.v0.2.json")), token)
	if err != nil {
		t.Fatal(err)
	}
	id := identity{stack.GitLabIssuer, "https://gitlab.com/octo-group/octo-mcp//.gitlab-ci.yml@refs/heads/main"}
	if _, err := check(t, filepath.Join(s.Dir, "trusted_root.no-log.json"), b, id, false); err != nil {
		t.Error(err)
	}
	if _, err := check(t, filepath.Join(s.Dir, "trusted_root.json"), b, id, true); err == nil {
		t.Error("a verifier that asks for a log accepts a bundle without an entry")
	}
	got := lines(call(t, s, "GET", "/audit", 200))
	if got["certificates"] != "1" || got["entries"] != "0" || got["timestamps"] != "1" {
		t.Errorf("counters %v, want a certificate and a timestamp", got)
	}
}
