package seal

import (
	"errors"
	"strings"
	"testing"
)

// released is what Fulcio vouches for in a tag's release job of acme/file-tools.
func released() Certificate {
	return Certificate{
		Issuer:              GitHubIssuer,
		SAN:                 "https://github.com/acme/file-tools/.github/workflows/release.yml@refs/tags/v1.2.3",
		BuildSignerURI:      "https://github.com/acme/file-tools/.github/workflows/release.yml@refs/tags/v1.2.3",
		RunnerEnvironment:   "github-hosted",
		SourceRepositoryURI: "https://github.com/acme/file-tools",
		SourceRef:           "refs/tags/v1.2.3",
		SourceOwnerURI:      "https://github.com/acme",
	}
}

func TestIdentityMatch(t *testing.T) {
	repo := Identity{Issuer: GitHubIssuer, Repository: "https://github.com/acme/file-tools"}
	tests := []struct {
		name   string
		i      Identity
		change func(*Certificate)
		want   string // in the error; "" for a match
	}{
		{"nobody is expected", Identity{Issuer: GitHubIssuer, Ref: "refs/tags/*"}, nil, "no identity is expected"},
		{"another issuer", repo, func(c *Certificate) { c.Issuer += "/" }, "issuer: got"},
		{"another repository", repo, func(c *Certificate) { c.SourceRepositoryURI = "https://github.com/acme/file" }, "source repository: got"},
		{"a repository that begins alike", repo, func(c *Certificate) { c.SourceRepositoryURI += "-evil" }, "source repository: got"},
		{"no repository", repo, func(c *Certificate) { c.SourceRepositoryURI = "" }, "source repository: got"},
		{"a self-hosted runner", repo, func(c *Certificate) { c.RunnerEnvironment = "self-hosted" }, "runner: got"},
		{"a runner class of a stranger", repo, func(c *Certificate) { c.RunnerEnvironment = "github-hosted-evil" }, "runner: got"},
		{"another workflow", with(repo, func(i *Identity) { i.Workflow = ".github/workflows/ci.yml" }), nil, "workflow: got"},
		{"a workflow that ends alike", with(repo, func(i *Identity) { i.Workflow = "release.yml" }), nil, "workflow: got"},
		{"a * does not cross a slash", with(repo, func(i *Identity) { i.Workflow = ".github/*.yml" }), nil, "workflow: got"},
		{"a workflow of another repository", with(repo, func(i *Identity) { i.Workflow = ".github/workflows/release.yml" }), func(c *Certificate) {
			c.BuildSignerURI = strings.Replace(c.BuildSignerURI, "file-tools", "other", 1)
		}, "workflow: got"},
		{"a workflow without a ref", with(repo, func(i *Identity) { i.Workflow = ".github/workflows/release.yml" }), func(c *Certificate) {
			c.BuildSignerURI, _, _ = strings.Cut(c.BuildSignerURI, "@")
		}, "workflow: got"},
		{"another repository's workflow at a bare commit", with(repo, func(i *Identity) { i.Workflow = "mcp/actions/.github/workflows/seal.yml" }), func(c *Certificate) {
			c.BuildSignerURI = "https://github.com/mcp/actions/.github/workflows/seal.yml@0123456789012345678901234567890123456789"
		}, "workflow: got"},
		{"another repository's workflow at a pull request", with(repo, func(i *Identity) { i.Workflow = "mcp/actions/.github/workflows/seal.yml" }), func(c *Certificate) {
			c.BuildSignerURI = "https://github.com/mcp/actions/.github/workflows/seal.yml@refs/pull/7/head"
		}, "workflow: got"},
		{"a workflow pinned to another ref", with(repo, func(i *Identity) { i.Workflow = "mcp/actions/.github/workflows/seal.yml@refs/tags/v1" }), func(c *Certificate) {
			c.BuildSignerURI = "https://github.com/mcp/actions/.github/workflows/seal.yml@refs/tags/v2"
		}, "workflow: got"},
		{"no word on the runner", repo, func(c *Certificate) { c.RunnerEnvironment = "" }, "runner: got"},
		{"another ref", with(repo, func(i *Identity) { i.Ref = "refs/tags/v2.*" }), nil, "ref: got"},
		{"a ref that begins alike", with(repo, func(i *Identity) { i.Ref = "refs/tags/v1.2" }), nil, "ref: got"},
		{"a dot is no pattern", with(repo, func(i *Identity) { i.Ref = "refs/tags/v1.2.*" }), func(c *Certificate) { c.SourceRef = "refs/tags/v1x2x3" }, "ref: got"},
		{"a ref in a folder", with(repo, func(i *Identity) { i.Ref = "refs/tags/*" }), func(c *Certificate) { c.SourceRef = "refs/tags/evil/v1" }, "ref: got"},
		{"another subject", Identity{SAN: "https://github.com/acme/file-tools/.github/workflows/release.yml@refs/heads/main"}, nil, "subject: got"},
		{"another owner", Identity{Issuer: GitHubIssuer, Owner: "https://github.com/acm"}, nil, "owner: got"},
		{"a longer owner", Identity{Issuer: GitHubIssuer, Owner: "https://github.com/acme-inc"}, nil, "owner: got"},
		{"an owner whose repository is another's", Identity{Issuer: GitHubIssuer, Owner: "https://github.com/acme"}, func(c *Certificate) {
			c.SourceRepositoryURI = "https://github.com/acmee/file-tools"
		}, "owner: got"},
		{"a subgroup is GitLab's, not GitHub's", Identity{Issuer: GitHubIssuer, Owner: "https://github.com/acme"}, func(c *Certificate) {
			c.SourceOwnerURI += "/team"
		}, "owner: got"},

		{"the repository", repo, nil, ""},
		{"the repository in another case", repo, func(c *Certificate) { c.SourceRepositoryURI = "https://github.com/Acme/File-Tools" }, ""},
		{"a self-hosted runner that is allowed", with(repo, func(i *Identity) { i.SelfHosted = true }), func(c *Certificate) { c.RunnerEnvironment = "self-hosted" }, ""},
		{"the workflow", with(repo, func(i *Identity) { i.Workflow = ".github/workflows/release.yml" }), nil, ""},
		{"any workflow of the folder", with(repo, func(i *Identity) { i.Workflow = ".github/workflows/*.yml" }), nil, ""},
		{"a reusable workflow of another repository", with(repo, func(i *Identity) { i.Workflow = "mcp/actions/.github/workflows/seal.yml" }), func(c *Certificate) {
			c.BuildSignerURI = "https://github.com/mcp/actions/.github/workflows/seal.yml@refs/tags/v1"
		}, ""},
		{"a reusable workflow pinned to a commit", with(repo, func(i *Identity) {
			i.Workflow = "mcp/actions/.github/workflows/seal.yml@0123456789012345678901234567890123456789"
		}), func(c *Certificate) {
			c.BuildSignerURI = "https://github.com/mcp/actions/.github/workflows/seal.yml@0123456789012345678901234567890123456789"
		}, ""},
		{"the workflow pinned to tags", with(repo, func(i *Identity) { i.Workflow = ".github/workflows/release.yml@refs/tags/v*" }), nil, ""},
		{"a ref by pattern", with(repo, func(i *Identity) { i.Ref = "refs/tags/v*" }), nil, ""},
		{"the owner", Identity{Issuer: GitHubIssuer, Owner: "https://github.com/ACME"}, nil, ""},
		{"the subject by pattern", Identity{SAN: "https://github.com/acme/file-tools/.github/workflows/release.yml@refs/tags/*"}, nil, ""},
		{"GitLab's workflow behind two slashes", Identity{Issuer: GitLabIssuer, Owner: "https://gitlab.com/acme", Workflow: ".gitlab-ci.yml"}, func(c *Certificate) {
			*c = Certificate{
				Issuer: GitLabIssuer, SourceRepositoryURI: "https://gitlab.com/acme/team/tools", SourceOwnerURI: "https://gitlab.com/acme/team",
				BuildSignerURI: "https://gitlab.com/acme/team/tools//.gitlab-ci.yml@refs/heads/main", RunnerEnvironment: "gitlab-hosted",
			}
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := released()
			if tt.change != nil {
				tt.change(&c)
			}
			err := tt.i.Match(c)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Match: got %v, want %q", err, tt.want)
			}
		})
	}
}

func with(i Identity, change func(*Identity)) Identity {
	change(&i)
	return i
}

func TestNamespaceIdentity(t *testing.T) {
	for _, ns := range []string{
		"", "io.github.", "io.github.a.b", "io.gitlab.group.sub", "IO.GITHUB.acme", "io.github.Acme", "io.githubacme", "xio.github.acme",
		"io.github.acme/evil", "io.github.аcme", "com.github.acme", "io.github.-acme", "io.github.acme@x", "io.github.acme\n",
	} {
		if got, err := NamespaceIdentity(ns); !errors.Is(err, ErrNamespace) {
			t.Errorf("NamespaceIdentity(%q) = %+v, %v, want ErrNamespace", ns, got, err)
		}
	}
	got, err := NamespaceIdentity("io.github.acme")
	if want := (Identity{Issuer: GitHubIssuer, Owner: "https://github.com/acme"}); err != nil || got != want {
		t.Errorf("io.github.acme: got %+v, %v, want %+v", got, err, want)
	}
	if err := got.Match(released()); err != nil {
		t.Errorf("io.github.acme: %v", err)
	}
	if got, err := NamespaceIdentity("io.gitlab.acme"); err != nil || got.Issuer != GitLabIssuer || got.Owner != "https://gitlab.com/acme" {
		t.Errorf("io.gitlab.acme: got %+v, %v", got, err)
	}
}
