package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/mcp-integrity/seal-action/seal"
)

// verifyOptions resolves a command line of verify.
func verifyOptions(t *testing.T, args ...string) *invocation {
	t.Helper()
	set := pflag.NewFlagSet("verify", pflag.ContinueOnError)
	flags := addFlags(set, "verify")
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	vals, _, err := resolve("verify", flags, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	return &invocation{values: vals}
}

func TestExpectedIdentity(t *testing.T) {
	tests := []struct {
		args   []string
		want   seal.Identity
		nobody bool
		err    string
	}{
		{args: nil, nobody: true},
		{args: []string{"--namespace", "com.example"}, nobody: true},
		{args: []string{"--workflow", "release.yml"}, err: "--workflow alone names nobody"},
		{args: []string{"--ref", "refs/tags/*"}, err: "--ref alone names nobody"},
		{args: []string{"--issuer", seal.GitHubIssuer}, err: "--issuer alone names nobody"},
		{args: []string{"--repo", "acme"}, err: "--repo: got"},
		{args: []string{"--repo", "https://github.com/acme"}, err: "--repo: got"},
		{args: []string{"--repo", "https://user@github.com/acme/tools"}, err: "--repo: got"},
		{args: []string{"--repo", "https://github.com/acme/tools?x"}, err: "--repo: got"},
		{args: []string{"--repo", "https://git.example/acme/tools"}, err: "needs --issuer"},
		{args: []string{"--repo", "https://github.com.evil.example/acme/tools"}, err: "needs --issuer"},
		{args: []string{"--identity", "me@acme.example"}, err: "needs --issuer"},
		{args: []string{"--namespace", "io.github.acme", "--issuer", seal.GitLabIssuer, "--repo", "https://gitlab.com/evil/x"}, err: "is of https://github.com/acme, for which"},
		{args: []string{"--namespace", "io.github.acme", "--repo", "https://gitlab.com/acme/x"}, err: "is of https://github.com/acme, for which"},
		{args: []string{"--namespace", "io.gitlab.acme", "--issuer", seal.GitHubIssuer}, err: "is of https://gitlab.com/acme, for which"},
		{args: []string{"--namespace", "io.github.acme", "--issuer", "https://git.example", "--repo", "https://gitlab.com/evil/x"}, err: "and --repo of another"},
		{args: []string{"--namespace", "io.github.acme", "--issuer", "https://git.example", "--repo", "https://github.com/acmes/x"}, err: "and --repo of another"},
		{
			args: []string{"--repo", "acme/tools"},
			want: seal.Identity{Issuer: seal.GitHubIssuer, Repository: "https://github.com/acme/tools"},
		},
		{
			args: []string{"--repo", "acme/team/tools", "--issuer", seal.GitLabIssuer, "--workflow", ".gitlab-ci.yml", "--ref", "refs/heads/main", "--allow-self-hosted"},
			want: seal.Identity{Issuer: seal.GitLabIssuer, Repository: "https://gitlab.com/acme/team/tools", Workflow: ".gitlab-ci.yml", Ref: "refs/heads/main", SelfHosted: true},
		},
		{
			args: []string{"--repo", "https://gitlab.com/acme/tools.git"},
			want: seal.Identity{Issuer: seal.GitLabIssuer, Repository: "https://gitlab.com/acme/tools"},
		},
		{
			args: []string{"--repo", "https://git.example/acme/tools", "--issuer", "https://git.example"},
			want: seal.Identity{Issuer: "https://git.example", Repository: "https://git.example/acme/tools"},
		},
		{
			args: []string{"--namespace", "io.github.acme"},
			want: seal.Identity{Issuer: seal.GitHubIssuer, Owner: "https://github.com/acme"},
		},
		{ // both must hold
			args: []string{"--namespace", "io.github.acme", "--repo", "other/tools"},
			want: seal.Identity{Issuer: seal.GitHubIssuer, Owner: "https://github.com/acme", Repository: "https://github.com/other/tools"},
		},
		{ // a Sigstore of one's own: its issuer proves no forge's namespace
			args: []string{"--namespace", "io.github.acme", "--repo", "https://git.example/acme/tools", "--issuer", "https://git.example"},
			want: seal.Identity{Issuer: "https://git.example", Repository: "https://git.example/acme/tools"},
		},
		{
			args: []string{"--identity", "me@acme.example", "--issuer", "https://accounts.example"},
			want: seal.Identity{Issuer: "https://accounts.example", SAN: "me@acme.example"},
		},
		{
			args: []string{"--identity", "https://github.com/acme/tools/.github/workflows/release.yml@refs/tags/*"},
			want: seal.Identity{Issuer: seal.GitHubIssuer, SAN: "https://github.com/acme/tools/.github/workflows/release.yml@refs/tags/*"},
		},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			got, named, err := verifyOptions(t, tt.args...).expectedIdentity()
			switch {
			case tt.err != "":
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %q", err, tt.err)
				}
			case err != nil:
				t.Error(err)
			case named == tt.nobody:
				t.Errorf("named: got %t", named)
			case named:
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("identity (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestPin: what is printed to be pinned is what verifies.
func TestPin(t *testing.T) {
	github := seal.Certificate{
		Issuer: seal.GitHubIssuer, SAN: "https://github.com/acme/tools/.github/workflows/release.yml@refs/tags/v1",
		BuildSignerURI:      "https://github.com/acme/tools/.github/workflows/release.yml@refs/tags/v1",
		SourceRepositoryURI: "https://github.com/acme/tools", SourceOwnerURI: "https://github.com/acme",
		RunnerEnvironment: "github-hosted",
	}
	tagged := github
	tagged.SourceRef = "refs/tags/v1"
	monorepo := github
	monorepo.SourceRef = "refs/tags/tools/v1"
	branch := github
	branch.SourceRef = "refs/heads/main"
	reusable := github
	reusable.BuildSignerURI = "https://github.com/mcp/actions/.github/workflows/seal.yml@refs/tags/v1"
	commit := github
	commit.BuildSignerURI = "https://github.com/mcp/actions/.github/workflows/seal.yml@" + strings.Repeat("ab", 20)
	elsewhere := github
	elsewhere.BuildSignerURI = "https://git.example/mcp/actions/ci.yml@refs/tags/v1"
	selfHosted := github
	selfHosted.RunnerEnvironment = "self-hosted"
	gitlab := seal.Certificate{
		Issuer: seal.GitLabIssuer, SAN: "https://gitlab.com/acme/team/tools//.gitlab-ci.yml@refs/heads/main",
		BuildSignerURI:      "https://gitlab.com/acme/team/tools//.gitlab-ci.yml@refs/heads/main",
		SourceRepositoryURI: "https://gitlab.com/acme/team/tools", SourceOwnerURI: "https://gitlab.com/acme/team",
		RunnerEnvironment: "gitlab-hosted",
	}
	own := seal.Certificate{Issuer: "https://git.example", SAN: "x", BuildSignerURI: "https://git.example/acme/tools/ci.yml@refs/heads/main", SourceRepositoryURI: "https://git.example/acme/tools"}
	person := seal.Certificate{Issuer: "https://accounts.example", SAN: "me@acme.example"}
	for _, tt := range []struct {
		namespace string
		c         seal.Certificate
		want      string
	}{
		{"io.github.acme", github, "--namespace io.github.acme --repo acme/tools --workflow .github/workflows/release.yml"},
		{"io.github.acme", tagged, "--namespace io.github.acme --repo acme/tools --workflow .github/workflows/release.yml --ref refs/tags/*"},
		{"io.github.acme", monorepo, "--namespace io.github.acme --repo acme/tools --workflow .github/workflows/release.yml --ref refs/tags/tools/*"},
		{"io.github.acme", branch, "--namespace io.github.acme --repo acme/tools --workflow .github/workflows/release.yml"},
		{"io.github.acme", selfHosted, "--namespace io.github.acme --repo acme/tools --workflow .github/workflows/release.yml --allow-self-hosted"},
		{"io.github.acme", reusable, "--namespace io.github.acme --repo acme/tools --workflow mcp/actions/.github/workflows/seal.yml@refs/tags/v1"},
		{"io.github.acme", commit, "--namespace io.github.acme --repo acme/tools --workflow mcp/actions/.github/workflows/seal.yml@" + strings.Repeat("ab", 20)},
		{"io.github.acme", elsewhere, "--namespace io.github.acme --repo acme/tools"},
		{"io.gitlab.acme", gitlab, "--namespace io.gitlab.acme --repo https://gitlab.com/acme/team/tools --workflow .gitlab-ci.yml"},
		{"com.example", own, "--namespace com.example --issuer https://git.example --repo https://git.example/acme/tools --workflow ci.yml --allow-self-hosted"},
		{"com.example", person, "--namespace com.example --issuer https://accounts.example --identity me@acme.example"},
	} {
		got := pinOf(tt.namespace, tt.c)
		if diff := cmp.Diff(strings.Fields(tt.want), got); diff != "" {
			t.Errorf("pin (-want +got):\n%s", diff)
		}
		id, named, err := verifyOptions(t, got...).expectedIdentity()
		if err != nil || !named {
			t.Errorf("%q: named %t, %v", got, named, err)
		} else if err := id.Match(tt.c); err != nil {
			t.Errorf("%q does not match its own certificate: %v", got, err)
		}
	}
}
