package publish

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// gitlabEnv is an environment of these pairs.
func gitlabEnv(pairs ...string) Env {
	return Env{Getenv: func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}}
}

func TestGitLabWrongUse(t *testing.T) {
	job := []string{"CI_SERVER_URL", "https://gitlab.example", "CI_PROJECT_PATH", "acme/tools"}
	for _, tt := range []struct {
		target string
		vars   []string
		want   string
	}{
		{"gitlab-packages", nil, "gitlab-packages:GROUP/NAME"},
		{"gitlab-release", nil, "gitlab-release:GROUP/NAME"},
		{"gitlab-packages:acme", nil, "full path"},
		{"gitlab-packages:acme/../etc", nil, "full path"},
		{"gitlab-packages:acme/tools?x=y", nil, "full path"},
		{"gitlab-packages:/acme/tools", nil, "full path"},
		{"gitlab-packages:acme/" + strings.Repeat("x", maxGitLabProject), nil, "full path"},
		{"gitlab-packages:acme/tools@v1", nil, "no tag"},
		{"gitlab-packages@v1", job, "no tag"},
		{"gitlab-release@", job, "tag"},
		{"gitlab-release:acme/tools@a/../b", nil, "tag"},
		{"gitlab-release:acme/tools@a\nb", nil, "tag"},
		{"gitlab-release:acme/tools@" + strings.Repeat("x", maxGitLabTag+1), nil, "tag"},
		{"gitlab-packages", append(job, "CI_API_V4_URL", "https://evil.example/api/v4"), "CI_API_V4_URL"},
		{"gitlab-packages", []string{"CI_API_V4_URL", "https://gitlab.example/api/v3", "CI_PROJECT_PATH", "a/b"}, "CI_API_V4_URL"},
		{"gitlab-packages:a/b", []string{"CI_SERVER_URL", "http://gitlab.example"}, "want https"},
		{"gitlab-packages:a/b", []string{"CI_SERVER_URL", "http://gitlab.example", "CI_SERVER_PROTOCOL", "http"}, "want https"},
		{"gitlab-packages:a/b", []string{"GITLAB_HOST", "http://gitlab.example"}, "want https"},
		{"gitlab-packages:a/b", []string{"GITLAB_HOST", "user:secret@gitlab.example"}, "server"},
		{"gitlab-packages:a/b", []string{"GITLAB_HOST", "gitlab.example/?secret"}, "server"},
		{"gitlab-packages:a/b", []string{"GITLAB_HOST", "gitlab.example/a/../b"}, "server"},
		{"gitlab-packages:a/b", []string{"GITLAB_HOST", "ftp://gitlab.example"}, "server"},
		{"gitlab-packages:a/b", []string{"GITLAB_TOKEN", "secret\r\nX: y"}, "GITLAB_TOKEN"},
		{"gitlab-packages:a/b", []string{"MCP_INTEGRITY_GITLAB_TOKEN", "secret two"}, "MCP_INTEGRITY_GITLAB_TOKEN"},
	} {
		_, err := Open(tt.target, gitlabEnv(tt.vars...))
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%.60q, %q): got %v, want %q and no secret", tt.target, tt.vars, err, tt.want)
		}
	}
	for _, stem := range []string{"a b", "-x", ".x", "a+b", "é", "a/b", strings.Repeat("x", maxGitLabName)} {
		env := gitlabEnv()
		env.Stem = stem
		if _, err := Open("gitlab-packages:a/b", env); err == nil || !strings.Contains(err.Error(), "--output") {
			t.Errorf("stem %.20q: got %v, want it refused", stem, err)
		}
	}
}

func TestGitLabEnvironment(t *testing.T) {
	job := []string{"CI_SERVER_URL", "https://gitlab.example/", "CI_API_V4_URL", "https://gitlab.example/api/v4", "CI_PROJECT_PATH", "acme/tools", "CI_COMMIT_TAG", "v1", "CI_JOB_TOKEN", "j"}
	for _, tt := range []struct {
		target                        string
		vars                          []string
		place, server, tag, from, key string
		ours                          bool
	}{
		{"gitlab-release", job, "gitlab-release:acme/tools@v1", "https://gitlab.example", "v1", "CI_JOB_TOKEN", "JOB-TOKEN", true},
		{"gitlab-release@v1", job, "gitlab-release:acme/tools@v1", "https://gitlab.example", "v1", "CI_JOB_TOKEN", "JOB-TOKEN", true},
		{"gitlab-release@v2", job, "gitlab-release:acme/tools@v2", "https://gitlab.example", "v2", "CI_JOB_TOKEN", "JOB-TOKEN", false},
		{"gitlab-release:ACME/tools", job, "gitlab-release:ACME/tools@v1", "https://gitlab.example", "v1", "CI_JOB_TOKEN", "JOB-TOKEN", true},
		// Another project has not this job's tag.
		{"gitlab-release:acme/other", job, "gitlab-release:acme/other", "https://gitlab.example", "", "CI_JOB_TOKEN", "JOB-TOKEN", false},
		{"gitlab-release:acme/other@v3/x", job, "gitlab-release:acme/other@v3/x", "https://gitlab.example", "v3/x", "CI_JOB_TOKEN", "JOB-TOKEN", false},
		// Our own variable before the job's, and the job's before anybody's.
		{"gitlab-release", append(job, "MCP_INTEGRITY_GITLAB_TOKEN", "m", "GITLAB_TOKEN", "g"), "gitlab-release:acme/tools@v1", "https://gitlab.example", "v1", "MCP_INTEGRITY_GITLAB_TOKEN", "PRIVATE-TOKEN", true},
		{"gitlab-release", append(job, "GITLAB_TOKEN", "g"), "gitlab-release:acme/tools@v1", "https://gitlab.example", "v1", "CI_JOB_TOKEN", "JOB-TOKEN", true},
		{"gitlab-release:a/b@v1", []string{"GITLAB_TOKEN", " g\n", "CI_JOB_TOKEN", "j"}, "gitlab-release:a/b@v1", "https://gitlab.com", "v1", "GITLAB_TOKEN", "PRIVATE-TOKEN", false},
		{"gitlab-release:a/b/c@v1", []string{"GITLAB_HOST", "gitlab.example:8443/git"}, "gitlab-release:a/b/c@v1", "https://gitlab.example:8443/git", "v1", "", "", false},
		{"gitlab-release:a/b@v1", []string{"CI_API_V4_URL", "http://127.0.0.1:9/api/v4/"}, "gitlab-release:a/b@v1", "http://127.0.0.1:9", "v1", "", "", false},
	} {
		p, err := Open(tt.target, gitlabEnv(tt.vars...))
		if err != nil {
			t.Errorf("Open(%s): %v", tt.target, err)
			continue
		}
		g := p.(*gitlabRelease).gitlab
		if p.String() != tt.place || g.server != tt.server || g.tag != tt.tag || g.token.variable != tt.from || g.token.header != tt.key || g.tagIsOurs != tt.ours {
			t.Errorf("Open(%s): got %s, %s, tag %q, %s as %s, ours %v, want %+v", tt.target, p, g.server, g.tag, g.token.variable, g.token.header, g.tagIsOurs, tt)
		}
	}
}

// TestGitLabAddresses: what a manifest is signed with beforehand is where the file
// lies afterwards.
func TestGitLabAddresses(t *testing.T) {
	env := gitlabEnv("CI_SERVER_URL", "https://gitlab.example/sub", "CI_PROJECT_PATH", "acme/sub.group/file_tools", "CI_COMMIT_TAG", "rel/v1.0+b@ü")
	env.Stem, env.Version = "my.tools-x_1", "1.0.0+build.1"
	r, err := Open("gitlab-release", env)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open("gitlab-packages", env)
	if err != nil {
		t.Fatal(err)
	}
	release, name := r.(*gitlabRelease), "my.tools-x_1.provenance.sigstore.json"
	for _, tt := range []struct {
		place Place
		want  string
	}{
		{p, release.fileURL(env.Stem, env.Version, name)},
		{r, release.permanent(name)},
	} {
		got, err := tt.place.AttestationURI(Coming{Provenance: true})
		if err != nil || got != tt.want {
			t.Errorf("%s: AttestationURI: got %q, %v, want %q", tt.place, got, err, tt.want)
		}
		if got, err := tt.place.AttestationURI(Coming{}); got != "" || err != nil {
			t.Errorf("%s: without provenance: got %q, %v", tt.place, got, err)
		}
	}
	if want := "https://gitlab.example/sub/acme/sub.group/file_tools/-/releases/rel%2Fv1.0%2Bb%40%C3%BC/downloads/" + name; release.permanent(name) != want {
		t.Errorf("permanent link: got %q, want %q", release.permanent(name), want)
	}
}

func TestGitLabVersion(t *testing.T) {
	const hex = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
	for _, tt := range []struct{ env, artifact, want, uri string }{
		{"", "1.2.4", "1.2.4", "/1.2.4/"},
		{"1.3.0-rc.1", "1.2.4", "1.3.0-rc.1", "/1.3.0-rc.1/"},
		{"", "", "sha256-" + hex, ""},
		{"", "1.2 beta", "sha256-" + hex, ""},
		{"", "1..2", "sha256-" + hex, ""},
		{"", "../../x", "sha256-" + hex, ""},
		{"", "1/2", "sha256-" + hex, ""},
		{"", "..", "sha256-" + hex, ""},
		{"", strings.Repeat("1", 200), "sha256-" + hex, ""},
	} {
		env := gitlabEnv()
		env.Version = tt.env
		p, err := Open("gitlab-packages:a/b", env)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.(*gitlabPackages).version(tt.artifact, "sha256:"+hex); got != tt.want {
			t.Errorf("version of %+v: got %q, want %q", tt, got, tt.want)
		}
		uri, err := p.AttestationURI(Coming{Provenance: true, Artifact: &seal.Artifact{Version: tt.artifact}})
		if err != nil || (uri == "") != (tt.uri == "") || !strings.Contains(uri, tt.uri) {
			t.Errorf("AttestationURI of %+v: got %q, %v, want %q in it", tt, uri, err, tt.uri)
		}
	}
	r, err := Open("gitlab-release:a/b", gitlabEnv())
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.AttestationURI(Coming{Provenance: true})
	gitlabHinted(t, err, "CI_COMMIT_TAG")
}

// TestGitLabTokenStaysHome: neither a redirect nor a link takes the token along,
// and no error says it.
func TestGitLabTokenStaysHome(t *testing.T) {
	var asked []http.Header
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header)
		w.Write([]byte("{}"))
	}))
	defer other.Close()
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "localhost", 1) + "/file"
	r := gitlabSealed(t, 4, sealtest.Key(t, keys.Ed25519, "k"))
	for _, pairs := range [][]string{nil, {"MCP_INTEGRITY_GITLAB_TOKEN", gitlabTestToken}} {
		f := newFakeGitLab(t)
		p := f.open(t, "gitlab-release", f.env(pairs...))
		if _, err := p.Publish(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		asked = nil
		f.answer = func(r *http.Request) http.HandlerFunc {
			if strings.Contains(r.URL.Path, "/generic/") {
				return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, http.StatusFound) }
			}
			return nil
		}
		if latest, err := p.Latest(t.Context()); err != nil || string(latest.Envelope) != "{}" {
			t.Errorf("Latest over object storage: got %s, %v", latest.Envelope, err)
		}
		if len(asked) == 0 {
			t.Error("the redirect was not followed")
		}
		for _, h := range asked {
			if h.Get("Job-Token")+h.Get("Private-Token")+h.Get("Authorization") != "" {
				t.Errorf("the other host got %v", h)
			}
		}
		asked = nil
		// A stranger's link is not followed to this machine, nor with a token.
		f.answer = nil
		f.releases[0].Assets.Links[2].URL = elsewhere
		_, err := p.Latest(t.Context())
		gitlabHinted(t, err)
		if len(asked) > 0 || !errors.Is(err, verify.ErrUnavailable) || !strings.Contains(err.Error(), fetch.ErrPrivate.Error()) {
			t.Errorf("link elsewhere: got %v, want %v", err, fetch.ErrPrivate)
		}
		for _, link := range []string{"ftp://gitlab.example/x", "http://gitlab.example/x", "https://u:secret@gitlab.example/", "%", "//x", "javascript:1"} {
			f.releases[0].Assets.Links[2].URL = link
			p.(*gitlabRelease).stranger = &http.Client{Transport: gitlabNobody(func(r *http.Request) {
				t.Errorf("link %q was followed to %s", link, r.URL)
			})}
			_, err := p.Latest(t.Context())
			gitlabHinted(t, err, "none of ours")
		}
	}
}

// gitlabNobody is a transport that reaches nobody.
type gitlabNobody func(*http.Request)

func (n gitlabNobody) RoundTrip(r *http.Request) (*http.Response, error) {
	n(r)
	return nil, errors.New("nobody is there")
}

// TestGitLabEchoes: a server that says the token back does not have it printed.
func TestGitLabEchoes(t *testing.T) {
	f := newFakeGitLab(t)
	p := f.open(t, "gitlab-packages", f.env("MCP_INTEGRITY_GITLAB_TOKEN", gitlabTestToken))
	for _, status := range []int{200, 302, 400, 401, 403, 404, 500} {
		f.answer = func(r *http.Request) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "https://gitlab.example:1/"+gitlabTestToken)
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				w.Write([]byte(`{"message":"you sent ` + r.Header.Get("Private-Token") + `"}`))
			}
		}
		if status == 302 {
			continue // nothing leaves this machine in a test
		}
		gitlabHinted(t, p.Check(t.Context()))
	}
}
