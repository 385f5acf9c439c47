package stack

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"
)

// withoutServers is a stack whose services are all answered with success: enough
// for what does not touch a real server.
func withoutServers(t *testing.T) *Stack {
	t.Helper()
	issuer, err := newIssuer()
	if err != nil {
		t.Fatal(err)
	}
	s := &Stack{Dir: t.TempDir(), issuer: issuer, proxy: newProxy("127.0.0.1:1")}
	t.Cleanup(func() { _ = s.Close() })
	fine := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for name, door := range map[string]**Door{"fulcio": &s.Fulcio, "rekor": &s.Rekor, "tsa": &s.TSA} {
		if *door, err = s.open(name, http.MethodPost, http.StatusOK, fine); err != nil {
			t.Fatal(err)
		}
	}
	if s.Runner, err = s.open("oidc", http.MethodGet, http.StatusOK, http.HandlerFunc(issuer.serveRunner)); err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(s *Stack, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.control().ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

func TestControlRefuses(t *testing.T) {
	s := withoutServers(t)
	for _, c := range []struct {
		method, target string
		status         int
	}{
		{"GET", "/", 404}, {"GET", "/fault?service=rekor&mode=down", 405}, {"POST", "/env", 405},
		{"GET", "/env?x=1", 400}, {"GET", "/github/env?repositroy=a/b", 400}, {"GET", "/gitlab/env?repository=a/b", 400},
		{"GET", "/gitlab/env?token=wrong", 400}, {"GET", "/gitlab/env?runner_id=x", 400}, {"GET", "/github/env?token=expired", 400},
		{"POST", "/fault", 400}, {"POST", "/fault?service=ca&mode=down", 400}, {"POST", "/fault?service=rekor", 400},
		{"POST", "/fault?service=rekor&mode=down&tiems=1", 400}, {"POST", "/fault?service=rekor&token=expired", 400},
		{"GET", "/uploads", 400}, {"GET", "/uploads?service=rekor&x=1", 400},
	} {
		if w := ask(s, c.method, c.target); w.Code != c.status {
			t.Errorf("%s %s: status %d, want %d: %s", c.method, c.target, w.Code, c.status, w.Body)
		}
	}
	for _, d := range s.doors() {
		if d.fault.Mode != Clean {
			t.Errorf("%s has fault %+v after refusals", d.name, d.fault)
		}
	}
}

// tokenClaims reads a token without checking it.
func tokenClaims(t *testing.T, token string) claims {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token %q", token)
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var c claims
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func environment(t *testing.T, text string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if _, twice := out[name]; !ok || twice {
			t.Errorf("line %q", line)
		}
		out[name] = value
	}
	return out
}

// jobToken asks for a token as a step does.
func jobToken(t *testing.T, s *Stack, env map[string]string, audience string) (int, string) {
	t.Helper()
	req, err := http.NewRequest("GET", env["ACTIONS_ID_TOKEN_REQUEST_URL"]+audience, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct{ Value string }
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode, got.Value
}

// TestGitHubAgrees: for every event, claims and environment say the same.
func TestGitHubAgrees(t *testing.T) {
	s := withoutServers(t)
	same := map[string]string{
		"repository": "GITHUB_REPOSITORY", "repository_id": "GITHUB_REPOSITORY_ID", "repository_owner": "GITHUB_REPOSITORY_OWNER",
		"repository_owner_id": "GITHUB_REPOSITORY_OWNER_ID", "ref": "GITHUB_REF", "ref_type": "GITHUB_REF_TYPE", "sha": "GITHUB_SHA",
		"event_name": "GITHUB_EVENT_NAME", "head_ref": "GITHUB_HEAD_REF", "base_ref": "GITHUB_BASE_REF", "workflow": "GITHUB_WORKFLOW",
		"workflow_ref": "GITHUB_WORKFLOW_REF", "workflow_sha": "GITHUB_WORKFLOW_SHA", "run_id": "GITHUB_RUN_ID",
		"run_attempt": "GITHUB_RUN_ATTEMPT", "actor": "GITHUB_ACTOR", "runner_environment": "RUNNER_ENVIRONMENT",
	}
	for _, c := range []struct{ query, subject, signer string }{
		{"", "repo:octo-org/octo-mcp:ref:refs/heads/main", "octo-org/octo-mcp/.github/workflows/release.yml@refs/heads/main"},
		{"repository=A/b&ref=refs/tags/v1", "repo:A/b:ref:refs/tags/v1", "A/b/.github/workflows/release.yml@refs/tags/v1"},
		{"event_name=pull_request&ref=refs/pull/7/merge&head_ref=fix&base_ref=main", "repo:octo-org/octo-mcp:pull_request", "octo-org/octo-mcp/.github/workflows/release.yml@refs/pull/7/merge"},
		{"environment=prod", "repo:octo-org/octo-mcp:environment:prod", "octo-org/octo-mcp/.github/workflows/release.yml@refs/heads/main"},
		{"job_workflow_ref=seal/all/.github/workflows/s.yml@refs/tags/v1&repository_visibility=private&runner_environment=self-hosted", "repo:octo-org/octo-mcp:ref:refs/heads/main", "seal/all/.github/workflows/s.yml@refs/tags/v1"},
	} {
		env := environment(t, ask(s, "GET", "/github/env?"+c.query).Body.String())
		status, token := jobToken(t, s, env, "&audience=sigstore")
		if status != 200 {
			t.Fatalf("%q: status %d", c.query, status)
		}
		got := tokenClaims(t, token)
		for claim, variable := range same {
			if got[claim] != env[variable] {
				t.Errorf("%q: claim %s is %q, %s is %q", c.query, claim, got[claim], variable, env[variable])
			}
		}
		if got["sub"] != c.subject || got["job_workflow_ref"] != c.signer || got["iss"] != GitHubIssuer || got["aud"] != "sigstore" {
			t.Errorf("%q: claims %v", c.query, got)
		}
	}
}

// TestLies: a claim can be made to contradict the environment.
func TestLies(t *testing.T) {
	s := withoutServers(t)
	env := environment(t, ask(s, "GET", "/github/env?claim.sha=1234").Body.String())
	if _, token := jobToken(t, s, env, ""); tokenClaims(t, token)["sha"] != "1234" || env["GITHUB_SHA"] == "1234" {
		t.Errorf("claim.sha does not set the claim alone")
	}
	env = environment(t, ask(s, "GET", "/gitlab/env?claim.sha=1234").Body.String())
	if tokenClaims(t, env["SIGSTORE_ID_TOKEN"])["sha"] != "1234" || env["CI_COMMIT_SHA"] == "1234" {
		t.Errorf("claim.sha does not set GitLab's claim alone")
	}
}

// TestRunnerRefuses: a request token is of one job, and by default the token is
// for the owner.
func TestRunnerRefuses(t *testing.T) {
	s := withoutServers(t)
	first := environment(t, ask(s, "GET", "/github/env").Body.String())
	second := environment(t, ask(s, "GET", "/github/env?repository=acme/tools").Body.String())
	if _, token := jobToken(t, s, second, ""); tokenClaims(t, token)["aud"] != "https://github.com/acme" {
		t.Errorf("claims %v, want the owner as audience", tokenClaims(t, token))
	}
	mixed := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": first["ACTIONS_ID_TOKEN_REQUEST_URL"], "ACTIONS_ID_TOKEN_REQUEST_TOKEN": second["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]}
	if status, _ := jobToken(t, s, mixed, ""); status != http.StatusUnauthorized {
		t.Errorf("URL of one job and token of another: status %d", status)
	}
	mixed["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = ""
	if status, _ := jobToken(t, s, mixed, ""); status != http.StatusUnauthorized {
		t.Errorf("no request token: status %d", status)
	}
}

func TestClean(t *testing.T) {
	s := withoutServers(t)
	if resp, err := http.Post(s.Rekor.URL(), "text/plain", strings.NewReader("of an earlier test")); err != nil {
		t.Fatal(err)
	} else {
		resp.Body.Close()
	}
	for _, target := range []string{"/fault?service=oidc&token=empty", "/fault?service=rekor&mode=refused"} {
		if w := ask(s, "POST", target); w.Code != 200 {
			t.Fatalf("%s: %s", target, w.Body)
		}
	}
	env := environment(t, ask(s, "GET", "/github/env").Body.String())
	if status, token := jobToken(t, s, env, ""); status != 200 || token != "" {
		t.Errorf("status %d, token %q, want an empty one", status, token)
	}
	if w := ask(s, "POST", "/clean"); w.Code != 200 {
		t.Fatal(w.Body)
	}
	want := "certificates=0\nfulcio.requests=0\nentries=0\nrekor.requests=0\ntimestamps=0\ntsa.requests=0\ntokens=0\noidc.requests=0\nproxy.refused=0\n"
	if got := ask(s, "GET", "/audit").Body.String(); got != want {
		t.Errorf("audit %q, want %q", got, want)
	}
	resp, err := http.Post(s.Rekor.URL(), "text/plain", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := ask(s, "GET", "/audit").Body.String(); !strings.Contains(got, "entries=1\nrekor.requests=1\n") {
		t.Errorf("audit %q, want one entry", got)
	}
	if got := ask(s, "GET", "/uploads?service=rekor").Body.String(); got != "body\n" {
		t.Errorf("uploads %q", got)
	}
}

// TestExport: a shell reads back what was written, whatever it is.
func TestExport(t *testing.T) {
	const value = "it's $(touch x) `y` \\ \"z\""
	var out bytes.Buffer
	if err := (Variables{{"NAME", value}}).Write(&out, true); err != nil {
		t.Fatal(err)
	}
	got, err := exec.CommandContext(context.Background(), "sh", "-c", out.String()+"printf %s \"$NAME\"").Output()
	if err != nil || string(got) != value {
		t.Errorf("the shell reads %q, %v, want %q", got, err, value)
	}
}

// TestProxyRefuses: there is no way but to the issuers.
func TestProxyRefuses(t *testing.T) {
	p := newProxy("127.0.0.1:1")
	for _, target := range []string{"github.com:443", "gitlab.com:80", "127.0.0.1:443", "gitlab.com"} {
		w := httptest.NewRecorder()
		p.ServeHTTP(w, &http.Request{Method: http.MethodConnect, Host: target, URL: &url.URL{Host: target}})
		if w.Code != http.StatusForbidden {
			t.Errorf("CONNECT %s: status %d", target, w.Code)
		}
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest("GET", "http://gitlab.com:443/", nil))
	if w.Code != http.StatusForbidden || p.refused.Load() != 5 {
		t.Errorf("GET: status %d, refused %d", w.Code, p.refused.Load())
	}
}
