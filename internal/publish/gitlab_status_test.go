package publish

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/verify"
)

// gitlabReply answers every request of a method with this; "" is any method.
func gitlabReply(method string, status int, header http.Header, body string) func(*http.Request) http.HandlerFunc {
	return func(r *http.Request) http.HandlerFunc {
		if method != "" && r.Method != method {
			return nil
		}
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for name, values := range header {
				w.Header()[name] = values
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
}

var gitlabPage200 = http.Header{"Content-Type": {"text/html; charset=utf-8"}}

// TestGitLabStatuses: whatever GitLab documents to answer is an error that names
// what to change, and keeps the release from standing there by halves.
func TestGitLabStatuses(t *testing.T) {
	r := gitlabSealed(t, 4, sealtest.Key(t, keys.Ed25519, "k"))
	own := []string{"MCP_INTEGRITY_GITLAB_TOKEN", gitlabTestToken}
	for _, tt := range []struct {
		name   string
		vars   []string
		method string
		status int
		header http.Header
		body   string
		want   []string
	}{
		{"job token ended", nil, "", 401, nil, `{"message":"401 Unauthorized"}`, []string{"401", "CI_JOB_TOKEN", "within the job"}},
		{"token expired", own, "", 401, nil, `{"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}`, []string{"Token is expired", "MCP_INTEGRITY_GITLAB_TOKEN", "scope api"}},
		{"no token", []string{"CI_JOB_TOKEN", ""}, "GET", 401, nil, `{"message":"401 Unauthorized"}`, []string{"no token was sent", "read_api"}},
		{"not on the allowlist", nil, "", 403, nil, `{"message":"403 Forbidden - Authentication by CI/CD job token not allowed from a to b."}`, []string{"CI/CD job token allowlist", "Job token permissions"}},
		{"fine-grained", nil, "PUT", 403, nil, `{"message":"403 Forbidden - Insufficient permissions to access this resource in project acme/tools. The following token permission is required: Admin packages."}`, []string{"Read and write", "allowlist"}},
		{"reporter", nil, "PUT", 403, nil, `{"message":"403 Forbidden"}`, []string{"Developer", "who started the pipeline", "Package registry"}},
		{"reporter's token", own, "PUT", 403, nil, `{"message":"403 Forbidden"}`, []string{"Developer", "MCP_INTEGRITY_GITLAB_TOKEN"}},
		{"scope", own, "", 403, nil, `{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api"}`, []string{"scope api", "read_api"}},
		{"protected package", nil, "PUT", 403, nil, `{"message":"403 Forbidden - Package protected."}`, []string{"Protected packages"}},
		{"protected tag", nil, "POST", 403, nil, `{"message":"You are not allowed to create this tag as it is protected."}`, []string{"Protected tags", "v1.2.4"}},
		{"private", nil, "", 404, nil, `{"message":"404 Project Not Found"}`, []string{"404", "allowlist", "Package registry"}},
		{"feature off", own, "PUT", 404, nil, `{"message":"404 Not Found"}`, []string{"Package registry (and Releases) on", "Developer"}},
		{"no token, private", []string{"CI_JOB_TOKEN", ""}, "GET", 404, nil, `{"message":"404 Project Not Found"}`, []string{"private project needs a token"}},
		{"duplicate", nil, "PUT", 400, nil, `{"message":"400 Bad request - Duplicate package is not allowed"}`, []string{"Duplicate packages", "allow duplicates"}},
		{"too large", nil, "PUT", 400, nil, `{"message":"400 Bad request - File is too large"}`, []string{"Generic packages"}},
		{"proxy's limit", nil, "PUT", 413, gitlabPage200, `<html><body>413 Request Entity Too Large</body></html>`, []string{"413", "client_max_body_size"}},
		{"other form", nil, "PUT", 400, nil, `{"error":"package_version is invalid"}`, []string{"package_version is invalid", "--output"}},
		{"form of a field", nil, "POST", 400, nil, `{"message":{"links.filepath":["is in an invalid format"]}}`, []string{"links.filepath"}},
		{"moved", nil, "PUT", 405, nil, `{"message":"405 Non GET methods are not allowed for moved projects"}`, []string{"present one"}},
		{"redirected", nil, "PUT", 301, http.Header{"Location": {"https://gitlab.example/api/v4/projects/81"}}, ``, []string{"301", "present one"}},
		{"redirected POST", nil, "POST", 307, http.Header{"Location": {"https://gitlab.example/api/v4/projects/81"}}, ``, []string{"307", "present one"}},
		{"too deep", nil, "GET", 405, nil, `{"error":"Offset pagination has a maximum allowed offset of 50000 for requests that return objects of type Packages::Package."}`, []string{"--output"}},
		{"no such tag", nil, "POST", 422, nil, `{"message":"Ref is not specified"}`, []string{"422", "push it first", "v1.2.4"}},
		{"unprocessable", nil, "POST", 422, nil, `{"message":"Validation failed: Tag is invalid"}`, []string{"Tag is invalid"}},
		{"rate limit", nil, "", 429, http.Header{"Retry-After": {"42"}}, `{"message":"Retry later"}`, []string{"429", "Retry-After", `"42"`, "rate limits"}},
		{"rate limit without time", nil, "PUT", 429, http.Header{"RateLimit-ResetTime": {"Tue, 05 Jan 2021 11:00:00 GMT"}}, `Retry later`, []string{"429", "RateLimit-ResetTime", "11:00:00"}},
		{"server error", nil, "", 500, nil, `{"message":"500 Internal Server Error"}`, []string{"500", "status page"}},
		{"maintenance", nil, "", 503, gitlabPage200, `<!DOCTYPE html><title>GitLab is not responding</title>`, []string{"503", "web page", "status page"}},
		{"bad gateway", nil, "PUT", 502, nil, ``, []string{"Bad Gateway", "run this again"}},
		{"sign-in page", nil, "", 200, gitlabPage200, `<!DOCTYPE html><title>Sign in</title>`, []string{"sign in", "CI_SERVER_URL"}},
		{"not GitLab", nil, "GET", 200, nil, `{"message":"hello"}`, []string{"not that of GitLab's API"}},
		{"no JSON", nil, "GET", 200, nil, `[`, []string{"not that of GitLab's API"}},
		{"truncated", nil, "", 200, http.Header{"Content-Length": {"500"}}, `[{"id":`, []string{"broke off", "CI_SERVER_URL"}},
		{"truncated error", nil, "", 403, http.Header{"Content-Length": {"500"}}, `{"mess`, []string{"broke off"}},
		{"endless", nil, "GET", 200, nil, "[" + strings.Repeat(" ", maxGitLabPage) + "]", []string{"more than"}},
		{"teapot", nil, "", 418, nil, `{"message":"` + strings.Repeat("x", 5000) + `"}`, []string{"418", "troubleshooting"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeGitLab(t)
			p := f.open(t, "gitlab-release", f.env(tt.vars...))
			f.answer = gitlabReply(tt.method, tt.status, tt.header, tt.body)
			_, err := p.Publish(t.Context(), r)
			gitlabHinted(t, err, tt.want...)
			if !errors.Is(err, verify.ErrUnavailable) && tt.name != "endless" || errors.Is(err, verify.ErrNoRelease) || errors.Is(err, ErrConflict) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
			if text := err.Error(); len(text) > 1000 || strings.ContainsAny(text, "\n\x00") {
				t.Errorf("got an error of %d bytes", len(text))
			}
			if tt.method != "" && tt.method != "GET" {
				return
			}
			if err := p.Check(t.Context()); err == nil {
				t.Error("Check: no error")
			}
			for _, target := range gitlabTargets {
				env := f.env(tt.vars...)
				env.ReadOnly = true
				_, err := f.open(t, target, env).Latest(t.Context())
				if err == nil || errors.Is(err, verify.ErrNoRelease) {
					t.Errorf("%s: Latest: got %v, want another error than that there is none", target, err)
				}
				gitlabHinted(t, err)
			}
		})
	}
}

// TestGitLabUnboundedLists: pages that hold too much, and lists that never end.
func TestGitLabUnboundedLists(t *testing.T) {
	f := newFakeGitLab(t)
	p := f.open(t, "gitlab-packages", f.env())
	f.answer = gitlabReply("GET", 200, nil, "["+strings.Repeat("{},", 200)+"{}]")
	_, err := p.Latest(t.Context())
	gitlabHinted(t, err, "201 entries")

	f.answer = gitlabReply("GET", 200, http.Header{"X-Next-Page": {"2"}}, `[{"id":1,"name":"another","package_type":"generic"}]`)
	_, err = p.Latest(t.Context())
	gitlabHinted(t, err, "more than 1000 pages")
	if !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("an endless list: got %v, want ErrUnavailable", err)
	}
	pkg := gitlabPackage{ID: 1, Name: DefaultStem, Version: "1", Type: "generic"}
	f.answer = gitlabReply("GET", 200, http.Header{"X-Next-Page": {"2"}}, "["+strings.Repeat(`{"id":1},`, 99)+`{"id":2}]`)
	_, err = p.(*gitlabPackages).filesOf(t.Context(), pkg)
	gitlabHinted(t, err, "more than 1000 entries")
}

func TestGitLabCheck(t *testing.T) {
	own := []string{"CI_JOB_TOKEN", "", "GITLAB_TOKEN", gitlabTestToken}
	for _, tt := range []struct {
		name   string
		target string
		vars   []string
		with   func(*fakeGitLab)
		want   []string // nil: nothing is wrong
		note   string
	}{
		{name: "job", target: "gitlab-release"},
		{name: "job, packages", target: "gitlab-packages"},
		{name: "no token", target: "gitlab-packages", vars: []string{"CI_JOB_TOKEN", ""}, want: []string{"CI_JOB_TOKEN", "MCP_INTEGRITY_GITLAB_TOKEN"}},
		{name: "wrong token", target: "gitlab-packages", vars: []string{"CI_JOB_TOKEN", "ended-secret"}, want: []string{"401"}},
		{name: "no tag", target: "gitlab-release", vars: []string{"CI_COMMIT_TAG", ""}, want: []string{"$CI_COMMIT_TAG", "gitlab-release:" + gitlabTestProject + "@TAG"}},
		{name: "no such tag", target: "gitlab-release@v9", want: []string{"v9", "git push"}},
		{name: "no such tag, but a longer one", target: "gitlab-release@v1.2", want: []string{"git push"}},
		{name: "another tag", target: "gitlab-release@v1", with: func(f *fakeGitLab) { f.tags["v1"] = false }},
		{name: "protected tag", target: "gitlab-release@v1", with: func(f *fakeGitLab) { f.tags["v1"] = true }, note: "Protected tags"},
		{name: "tags not to be asked", target: "gitlab-release@v9", with: func(f *fakeGitLab) {
			f.answer = func(r *http.Request) http.HandlerFunc {
				if strings.HasSuffix(r.URL.Path, "/tags") {
					return func(w http.ResponseWriter, _ *http.Request) { gitlabAnswer(w, 403, gitlabSays("403 Forbidden")) }
				}
				return nil
			}
		}},
		{name: "token", target: "gitlab-release", vars: own},
		{name: "guest", target: "gitlab-release", vars: own, with: func(f *fakeGitLab) { f.level = 10 }, want: []string{"access level 10, want 30", "Developer"}},
		{name: "scope", target: "gitlab-packages", vars: own, with: func(f *fakeGitLab) { f.scopes = []string{"read_api"} }, want: []string{"read_api", "scope api"}},
		{name: "fine-grained token", target: "gitlab-packages", vars: own, with: func(f *fakeGitLab) { f.scopes = []string{"granular"} }},
		{name: "another project's job", target: "gitlab-packages", vars: []string{"CI_PROJECT_PATH", "acme/other"}, want: []string{"404", "allowlist"}},
		{name: "another project's job, named", target: "gitlab-packages:" + gitlabTestProject, vars: []string{"CI_PROJECT_PATH", "acme/other"}, note: "Job token permissions"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeGitLab(t)
			if tt.with != nil {
				tt.with(f)
			}
			var notes []string
			env := f.env(tt.vars...)
			env.Notify = func(line string) { notes = append(notes, line) }
			err := f.open(t, tt.target, env).Check(t.Context())
			if tt.want == nil && err != nil {
				t.Errorf("got %v, want nothing wrong", err)
			}
			if tt.want != nil {
				gitlabHinted(t, err, tt.want...)
			}
			if all := strings.Join(notes, "\n"); !strings.Contains(all, tt.note) || tt.note == "" && all != "" {
				t.Errorf("notes: got %q, want %q", all, tt.note)
			}
			if len(f.steps) > 0 || len(f.state()) > 0 {
				t.Errorf("Check changed something: %q", f.steps)
			}
		})
	}
}

func TestGitLabProjectFeatures(t *testing.T) {
	f := newFakeGitLab(t)
	p := f.open(t, "gitlab-release", f.env("MCP_INTEGRITY_GITLAB_TOKEN", gitlabTestToken))
	for _, tt := range []struct{ project, want string }{
		{`{"archived":true}`, "Unarchive"},
		{`{"package_registry_access_level":"disabled"}`, "Package registry"},
		{`{"releases_access_level":"disabled"}`, "Releases"},
		{`{"permissions":{"project_access":{"access_level":20},"group_access":{"access_level":15}}}`, "Developer"},
		{`{"permissions":{"project_access":null,"group_access":{"access_level":30}}}`, ""},
		{`{"permissions":{"project_access":null,"group_access":null}}`, ""},
		{`{"permissions":null}`, ""},
		{`{}`, ""},
	} {
		f.answer = func(r *http.Request) http.HandlerFunc {
			if strings.HasSuffix(r.URL.EscapedPath(), "%2Ffiles") {
				return gitlabReply("", 200, nil, tt.project)(r)
			}
			return nil
		}
		err := p.Check(t.Context())
		if tt.want != "" {
			gitlabHinted(t, err, tt.want)
		} else if err != nil {
			t.Errorf("%s: got %v, want nothing wrong", tt.project, err)
		}
	}
}

// TestGitLabLostFile: a file that is listed and not to be had is no file that is
// not there, or a chain would jump over its release.
func TestGitLabLostFile(t *testing.T) {
	key := sealtest.Key(t, keys.Ed25519, "k")
	for _, target := range gitlabTargets {
		for _, suffix := range []string{EnvelopeSuffix, SnapshotSuffix, ProvenanceSuffix} {
			f := newFakeGitLab(t)
			for n := 3; n < 5; n++ {
				f.tags[fmt.Sprintf("v1.2.%d", n)] = false
				if _, err := f.open(t, target, f.env("CI_COMMIT_TAG", fmt.Sprintf("v1.2.%d", n))).Publish(t.Context(), gitlabSealed(t, n, key)); err != nil {
					t.Fatal(err)
				}
			}
			p := f.open(t, target, f.env())
			f.answer = func(r *http.Request) http.HandlerFunc {
				if strings.HasSuffix(r.URL.Path, "/1.2.4/"+DefaultStem+suffix) {
					return gitlabReply("", 404, nil, `{"message":"404 Not Found"}`)(r)
				}
				return nil
			}
			_, err := p.Latest(t.Context())
			if !errors.Is(err, verify.ErrUnavailable) || errors.Is(err, verify.ErrNoRelease) {
				t.Errorf("%s without %s: got %v, want ErrUnavailable", target, suffix, err)
			}
			gitlabHinted(t, err)
		}
	}
}
