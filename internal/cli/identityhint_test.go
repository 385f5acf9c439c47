package cli

import (
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/seal"
)

// TestIdentityHint holds the hints against the words of seal.Identity.Match, so
// that a change of those is noticed.
func TestIdentityHint(t *testing.T) {
	github := seal.Certificate{
		Issuer: seal.GitHubIssuer, SAN: "https://github.com/acme/tools/.github/workflows/release.yml@refs/tags/v1.2.4",
		BuildSignerURI:      "https://github.com/acme/tools/.github/workflows/release.yml@refs/tags/v1.2.4",
		SourceRepositoryURI: "https://github.com/acme/tools", SourceOwnerURI: "https://github.com/acme",
		SourceRef: "refs/tags/tools/v1.2.4", RunnerEnvironment: "github-hosted",
	}
	selfHosted := github
	selfHosted.RunnerEnvironment = "self-hosted"
	liar := github // who would like to be let in
	liar.RunnerEnvironment, liar.SourceRepositoryURI = "github-hosted", `https://github.com/x/y", want "github-hosted or gitlab-hosted"`
	reusable := github
	reusable.BuildSignerURI = "https://github.com/mcp/actions/.github/workflows/seal.yml@" + strings.Repeat("ab", 20)
	gitlab := seal.Certificate{
		Issuer: seal.GitLabIssuer, BuildSignerURI: "https://gitlab.com/acme/tools//.gitlab-ci.yml@refs/heads/main",
		SourceRepositoryURI: "https://gitlab.com/acme/tools", SourceOwnerURI: "https://gitlab.com/acme", RunnerEnvironment: "gitlab-hosted",
	}
	for _, tt := range []struct {
		args []string
		c    seal.Certificate
		want string // "" for no hint
	}{
		{[]string{"--repo", "acme/other"}, github, ""},
		{[]string{"--repo", "acme/tools"}, liar, ""},
		{[]string{"--namespace", "io.github.acm"}, github, ""},
		{[]string{"--repo", "acme/tools", "--workflow", ".github/workflows/ci.yml"}, github, ""},
		{[]string{"--repo", "acme/tools", "--ref", "refs/tags/v9"}, github, ""},
		{[]string{"--repo", "acme/tools", "--workflow", "release.yml"}, github, "--workflow .github/workflows/release.yml"},
		{[]string{"--repo", "acme/tools", "--workflow", "mcp/actions/.github/workflows/seal.yml"}, reusable, "seal.yml@refs/tags/v1"},
		{[]string{"--repo", "https://gitlab.com/acme/tools", "--workflow", "ci.yml"}, gitlab, ""},
		{[]string{"--repo", "acme/tools", "--ref", "v1.2.4"}, github, "--ref refs/tags/v1.2.4"},
		{[]string{"--repo", "acme/tools", "--ref", "refs/tags/*"}, github, "refs/tags/tools/*"},
		{[]string{"--repo", "acme/tools"}, gitlab, "--repo https://gitlab.com/acme/tools"},
		{[]string{"--repo", "acme/tools"}, selfHosted, "--allow-self-hosted"},
	} {
		inv := verifyOptions(t, tt.args...)
		id, _, err := inv.expectedIdentity()
		if err != nil {
			t.Fatal(err)
		}
		err = id.Match(tt.c)
		if err == nil {
			t.Errorf("%q matches", tt.args)
			continue
		}
		if got := inv.identityHint("not by whom was expected: " + err.Error()); (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%q: %v: got hint %q, want %q", tt.args, err, got, tt.want)
		}
	}
	const nobody = `it was signed under the certificate of "x", and neither a key nor a namespace that was named proves that this is who is expected`
	for namespace, want := range map[string]string{
		"": "", "io.github.acme": "", "acme": "io.github.OWNER", "io.github.Acme": "in lower case",
		"io.gitlab.acme.team": "io.gitlab.TOP-LEVEL-GROUP", "com.example": "--repo, --identity or --key",
	} {
		got := verifyOptions(t, "--namespace", namespace).identityHint(nobody)
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("namespace %q: got hint %q, want %q", namespace, got, want)
		}
	}
}
