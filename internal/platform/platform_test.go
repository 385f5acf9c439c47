package platform

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const (
	sha1Hash   = "0123456789abcdef0123456789abcdef01234567"
	sha256Hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

type env map[string]string

func (e env) get(name string) string { return e[name] }

func (e env) with(more env) env {
	out := env{}
	for _, m := range []env{e, more} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

var github = env{
	"GITHUB_ACTIONS":      "true",
	"CI":                  "true",
	"GITHUB_SERVER_URL":   "https://github.com",
	"GITHUB_REPOSITORY":   "Octo-Org/octo-repo",
	"GITHUB_SHA":          sha1Hash,
	"GITHUB_REF":          "refs/heads/feature/x",
	"GITHUB_REF_NAME":     "feature/x",
	"GITHUB_REF_TYPE":     "branch",
	"GITHUB_WORKFLOW_REF": "Octo-Org/octo-repo/.github/workflows/t.yml@refs/heads/feature/x",
}

var githubFacts = Facts{
	Kind: GitHub, SourceRepo: "https://github.com/Octo-Org/octo-repo", Commit: sha1Hash, Branch: "feature/x",
	Namespace: "io.github.octo-org", PublisherID: "github.com/Octo-Org", PublisherURL: "https://github.com/Octo-Org",
	BuildSystem: "github-actions", BuildWorkflow: ".github/workflows/t.yml",
}

var gitlab = env{
	"GITLAB_CI":        "true",
	"CI":               "true",
	"CI_PROJECT_URL":   "https://gitlab.com/group/sub/x",
	"CI_COMMIT_SHA":    sha1Hash,
	"CI_COMMIT_BRANCH": "main",
	"CI_CONFIG_PATH":   ".gitlab-ci.yml",
}

var gitlabFacts = Facts{
	Kind: GitLab, SourceRepo: "https://gitlab.com/group/sub/x", Commit: sha1Hash, Branch: "main",
	Namespace: "io.gitlab.group", PublisherID: "gitlab.com/group", PublisherURL: "https://gitlab.com/group",
	BuildSystem: "gitlab-ci", BuildWorkflow: ".gitlab-ci.yml",
}

// A directory without a repository: the environment speaks alone.
func TestDetectFromEnvironment(t *testing.T) {
	for _, tt := range []struct {
		name  string
		env   env
		want  func(f *Facts) // on top of the platform's facts
		base  Facts
		notes []string // a part of each, beside the one that there is no repository
	}{
		{"GitHub, branch", github, nil, githubFacts, nil},
		{"GitHub, tag", github.with(env{"GITHUB_REF": "refs/tags/v1.2.3", "GITHUB_REF_TYPE": "tag"}),
			func(f *Facts) { f.Branch, f.Tag = "", "v1.2.3" }, githubFacts, nil},
		{"GitHub, pull request", github.with(env{"GITHUB_REF": "refs/pull/7/merge", "GITHUB_REF_NAME": "7/merge"}),
			func(f *Facts) { f.Branch = "" }, githubFacts, []string{"pull request"}},
		{"GitHub, SHA-256", github.with(env{"GITHUB_SHA": sha256Hash}),
			func(f *Facts) { f.Commit = sha256Hash }, githubFacts, nil},
		{"GitHub, prescribed workflow", github.with(env{"GITHUB_WORKFLOW_REF": "Octo-Org/ci/.github/workflows/t.yml@refs/heads/main"}),
			func(f *Facts) { f.BuildWorkflow = "Octo-Org/ci/.github/workflows/t.yml" }, githubFacts, nil},
		{"GitHub Enterprise Server", github.with(env{"GITHUB_SERVER_URL": "https://github.acme.com"}),
			func(f *Facts) {
				f.SourceRepo, f.Namespace = "https://github.acme.com/Octo-Org/octo-repo", ""
				f.PublisherID, f.PublisherURL = "github.acme.com/Octo-Org", "https://github.acme.com/Octo-Org"
			}, githubFacts, nil},
		{"Gitea on plain http", github.with(env{"GITEA_ACTIONS": "true", "GITHUB_SERVER_URL": "http://gitea:3000/"}),
			func(f *Facts) {
				f.SourceRepo, f.Namespace, f.PublisherID, f.PublisherURL = "", "", "", ""
				f.BuildSystem = "gitea-actions"
			}, githubFacts, []string{"http with a port"}},
		{"GitHub, no server URL", github.with(env{"GITHUB_SERVER_URL": ""}), nil, githubFacts, nil},
		{"GitHub, server URL with a password", github.with(env{"GITHUB_SERVER_URL": "https://user:secret@github.com"}), nil, githubFacts, nil},
		{"GitHub, commit of an emulator", github.with(env{"GITHUB_SHA": "0"}),
			func(f *Facts) { f.Commit = "" }, githubFacts, []string{`GITHUB_SHA is "0"`}},
		{"GitHub, commit in upper case", github.with(env{"GITHUB_SHA": strings.ToUpper(sha1Hash)}),
			func(f *Facts) { f.Commit = "" }, githubFacts, []string{"GITHUB_SHA is"}},
		{"GitHub, branch with control characters", github.with(env{"GITHUB_REF": "refs/heads/a\n::error::b"}),
			func(f *Facts) { f.Branch = "" }, githubFacts, []string{`a\n::error::b`}},
		{"GitHub, branch with a bidi override", github.with(env{"GITHUB_REF": "refs/heads/a\u202eb"}),
			func(f *Facts) { f.Branch = "" }, githubFacts, []string{`\u202e`}},
		{"GitHub, branch not UTF-8", github.with(env{"GITHUB_REF": "refs/heads/a\xff"}),
			func(f *Facts) { f.Branch = "" }, githubFacts, []string{`\xff`}},
		{"GitHub, long branch", github.with(env{"GITHUB_REF": "refs/heads/" + strings.Repeat("x", 2000)}),
			func(f *Facts) { f.Branch = "" }, githubFacts, []string{"at most 1024"}},
		{"GitHub, repository with a path out", github.with(env{"GITHUB_REPOSITORY": "../x"}),
			func(f *Facts) {
				f.SourceRepo, f.Namespace, f.PublisherID, f.PublisherURL = "", "", "", ""
				f.BuildWorkflow = "Octo-Org/octo-repo/.github/workflows/t.yml"
			}, githubFacts, []string{"GITHUB_REPOSITORY: repository: part"}},
		{"GitHub inside GitLab's variables", gitlab.with(github), nil, githubFacts, nil},

		{"GitLab, branch", gitlab, nil, gitlabFacts, nil},
		{"GitLab, tag", gitlab.with(env{"CI_COMMIT_BRANCH": "", "CI_COMMIT_TAG": "v1"}),
			func(f *Facts) { f.Branch, f.Tag = "", "v1" }, gitlabFacts, nil},
		{"GitLab, merge request", gitlab.with(env{"CI_COMMIT_BRANCH": "", "CI_MERGE_REQUEST_IID": "4"}),
			func(f *Facts) { f.Branch = "" }, gitlabFacts, []string{"merge request"}},
		{"GitLab, group with a dot", gitlab.with(env{"CI_PROJECT_URL": "https://gitlab.com/my.group/x"}),
			func(f *Facts) {
				f.SourceRepo, f.Namespace = "https://gitlab.com/my.group/x", ""
				f.PublisherID, f.PublisherURL = "gitlab.com/my.group", "https://gitlab.com/my.group"
			}, gitlabFacts, nil},
		{"GitLab, self-managed", gitlab.with(env{"CI_PROJECT_URL": "https://git.acme.com:8443/group/x"}),
			func(f *Facts) {
				f.SourceRepo, f.Namespace = "https://git.acme.com:8443/group/x", ""
				f.PublisherID, f.PublisherURL = "git.acme.com:8443/group", "https://git.acme.com:8443/group"
			}, gitlabFacts, nil},
		{"GitLab, no config path", gitlab.with(env{"CI_CONFIG_PATH": ""}), nil, gitlabFacts, nil},
		{"GitLab, config path of another project", gitlab.with(env{"CI_CONFIG_PATH": "ci.yml@group/ci"}),
			func(f *Facts) { f.BuildWorkflow = "ci.yml@group/ci" }, gitlabFacts, nil},
		{"GitLab, config path with a token", gitlab.with(env{"CI_CONFIG_PATH": "https://user:secret@host/ci.yml"}),
			func(f *Facts) { f.BuildWorkflow = "" }, gitlabFacts, []string{"CI_CONFIG_PATH is a URL"}},

		{"another CI", env{"CI": "true"}, nil, Facts{Kind: CI}, nil},
		{"CI that says 1", env{"CI": "1"}, nil, Facts{Kind: CI}, nil},
		{"CI that says its name", env{"CI": "woodpecker"}, nil, Facts{Kind: CI}, nil},
		{"CircleCI", env{"CI": "true", "CIRCLECI": "true"}, nil, Facts{Kind: CI, BuildSystem: "circleci"}, nil},
		{"Jenkins sets no CI", env{"JENKINS_URL": "https://ci"}, nil, Facts{Kind: CI, BuildSystem: "jenkins"}, nil},
		{"GITHUB_ACTIONS without true", env{"GITHUB_ACTIONS": "1"}, nil, Facts{Kind: Desk}, nil},
		{"desk", env{}, nil, Facts{Kind: Desk}, nil},
		{"desk, CI=false", env{"CI": "False"}, nil, Facts{Kind: Desk}, nil},
		{"GitHub's variables at a desk", github.with(env{"GITHUB_ACTIONS": "", "CI": ""}), nil, Facts{Kind: Desk}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Detect(t.Context(), tt.env.get, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			want := tt.base
			if tt.want != nil {
				tt.want(&want)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Facts{}, "Notes")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			wantNotes(t, got.Notes, append(tt.notes, "not in a git repository")...)
		})
	}
}

// wantNotes demands one note for each part, and no others, none with a secret
// or with a character that could steer a terminal.
func wantNotes(t *testing.T, notes []string, parts ...string) {
	t.Helper()
	left := parts
	for _, n := range notes {
		if strings.Contains(n, "secret") || !plain(n) {
			t.Errorf("note %q", n)
		}
		i := 0
		for i < len(left) && !strings.Contains(n, left[i]) {
			i++
		}
		if i == len(left) {
			t.Errorf("note %q was not expected", n)
			continue
		}
		left = append(left[:i:i], left[i+1:]...)
	}
	if len(left) > 0 {
		t.Errorf("no note with %q among %q", left, notes)
	}
}

func TestDetectCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f, err := Detect(ctx, github.get, t.TempDir())
	if !errors.Is(err, context.Canceled) || f.Kind != "" {
		t.Errorf("%v, %v, want context.Canceled and nothing", f, err)
	}
}
