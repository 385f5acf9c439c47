package publish

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGitHubTargets(t *testing.T) {
	const public = "https://api.github.com"
	for _, tt := range []struct {
		target      string
		env         []string
		readOnly    bool
		api, server string
		repo, tag   string
		err         string
	}{
		{"github-release", nil, false, public, "https://github.com", githubTestRepo, "v1.2.4", ""},
		{"github-release@v2", nil, false, public, "https://github.com", githubTestRepo, "v2", ""},
		{"github-release:o/n.x", nil, false, public, "https://github.com", "o/n.x", "v1.2.4", ""},
		{"github-release:o/n@@acme/tools@1.0.0", nil, false, public, "https://github.com", "o/n", "@acme/tools@1.0.0", ""},
		{"github-release:o/n@release/1.0", []string{"GITHUB_REPOSITORY", ""}, false, public, "https://github.com", "o/n", "release/1.0", ""},
		{"github-release", []string{"GITHUB_REF_TYPE", "", "GITHUB_EVENT_NAME", "release"}, false, public, "https://github.com", githubTestRepo, "v1.2.4", ""},
		{"github-release", []string{"GITHUB_REF_TYPE", "branch", "GITHUB_REF", "refs/heads/v1"}, true, public, "https://github.com", githubTestRepo, "", ""},
		{"github-release", []string{"GITHUB_SERVER_URL", "https://acme.ghe.com"}, false, "https://api.acme.ghe.com", "https://acme.ghe.com", githubTestRepo, "v1.2.4", ""},
		{"github-release", []string{"GITHUB_SERVER_URL", "https://git.acme.example/"}, false, "https://git.acme.example/api/v3", "https://git.acme.example", githubTestRepo, "v1.2.4", ""},
		{"github-release", []string{"GITHUB_API_URL", "http://127.0.0.1:1/x/"}, false, "http://127.0.0.1:1/x", "https://github.com", githubTestRepo, "v1.2.4", ""},

		{"github-release", []string{"GITHUB_REPOSITORY", ""}, false, "", "", "", "", "GITHUB_REPOSITORY is not set; want :OWNER/NAME"},
		{"github-release", []string{"GITHUB_REF_TYPE", "branch"}, false, "", "", "", "", "no tag is named, and this job runs for none; want @TAG"},
		{"github-release@", nil, false, "", "", "", "", "want a tag after the @"},
		{"github-release:o", nil, false, "", "", "", "", `repository: got "o", want OWNER/NAME`},
		{"github-release:o/..", nil, false, "", "", "", "", `repository: got "o/.."`},
		{"github-release:o/n/m", nil, false, "", "", "", "", `repository: got "o/n/m"`},
		{"github-release:o/n?x", nil, false, "", "", "", "", `repository: got "o/n?x"`},
		{"github-release:" + strings.Repeat("o", 200) + "/n", nil, false, "", "", "", "", "want OWNER/NAME"},
		{"github-release@../x", nil, false, "", "", "", "", `tag: got "../x"`},
		{"github-release@a/../x", nil, false, "", "", "", "", "tag: got"},
		{"github-release@a b", nil, false, "", "", "", "", "tag: got"},
		{"github-release@" + strings.Repeat("v", 300), nil, false, "", "", "", "", "tag: got"},
		{"github-release", []string{"GITHUB_API_URL", "http://api.example"}, false, "", "", "", "", "want https: a token goes there"},
		{"github-release", []string{"GITHUB_API_URL", "https://u:secret@api.example"}, false, "", "", "", "", `GITHUB_API_URL: got "https://api.example"`},
		{"github-release", []string{"GITHUB_SERVER_URL", "github.com"}, false, "", "", "", "", "GITHUB_SERVER_URL"},
		{"github-attestations@v1", nil, false, "", "", "", "", "want no @TAG"},
	} {
		vars := map[string]string{"GITHUB_REPOSITORY": githubTestRepo, "GITHUB_REF": "refs/tags/v1.2.4", "GITHUB_REF_TYPE": "tag"}
		for i := 0; i < len(tt.env); i += 2 {
			vars[tt.env[i]] = tt.env[i+1]
		}
		p, err := Open(tt.target, Env{Getenv: func(name string) string { return vars[name] }, ReadOnly: tt.readOnly})
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%.60s %v: got error %v, want %q", tt.target, tt.env, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %v: %v", tt.target, tt.env, err)
			continue
		}
		g := p.(*githubRelease)
		got := []string{g.String(), g.api.String(), g.server.String(), g.repo, g.tag}
		if diff := cmp.Diff([]string{tt.target, tt.api, tt.server, tt.repo, tt.tag}, got); diff != "" {
			t.Errorf("%s %v (-want +got):\n%s", tt.target, tt.env, diff)
		}
	}
}

func TestGitHubTokenOrder(t *testing.T) {
	order := []string{"INPUT_GITHUB-TOKEN", "MCP_INTEGRITY_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"}
	for i, want := range order {
		set := order[i:]
		p, err := Open("github-release:o/n@v1", Env{Getenv: func(name string) string {
			if slices.Contains(set, name) {
				return "token of " + name
			}
			return ""
		}})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.(*githubRelease).token; got != "token of "+want {
			t.Errorf("of %q: got %q", set, got)
		}
	}
}
