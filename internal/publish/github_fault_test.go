package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/verify"
)

// Each change fails, before and after it took effect, once or for the rest of the
// run. Once, the run rides it out; for the rest, the next run completes what this
// one began. The end is the same as without the fault.
func TestGitHubFaults(t *testing.T) {
	sealed := githubSealed(t, 1)
	statements := githubKeyless(t, "github")
	for _, world := range []struct {
		name, target string
		publish      Sealed
		before       func(*fakeGitHub)
	}{
		{"no release", "github-release", sealed, func(*fakeGitHub) {}},
		{"no release, immutable", "github-release", sealed, func(f *fakeGitHub) { f.immutable = true }},
		{"a draft", "github-release", sealed, func(f *fakeGitHub) { f.release("v1.2.4", true, nil) }},
		{"a published release", "github-release", sealed, func(f *fakeGitHub) { f.release("v1.2.4", false, nil) }},
		{"the rest of an upload", "github-release", sealed, func(f *fakeGitHub) {
			a := f.attach(f.release("v1.2.4", true, nil), "mcp-integrity.interface.json", nil)
			a.State, a.Digest = "starter", nil
		}},
		{"the attestation store", "github-attestations", statements, func(*fakeGitHub) {}},
	} {
		ideal := newFakeGitHub(t)
		world.before(ideal)
		if _, err := ideal.open(world.target, ideal.env()).Publish(t.Context(), world.publish); err != nil {
			t.Fatalf("%s: %v", world.name, err)
		}
		for step := 1; step <= ideal.changes; step++ {
			for _, fault := range []githubFault{githubLostBefore, githubLostAfter, githubCutBefore, githubCutAfter, githubPageAfter, githubLeavesStarter} {
				t.Run(fmt.Sprintf("%s/step %d/fault %d", world.name, step, fault), func(t *testing.T) {
					rideOutGitHub(t, ideal, world.target, world.publish, world.before, step, fault)
					resumeGitHub(t, ideal, world.target, world.publish, world.before, step, fault)
				})
			}
		}
	}
}

// rideOutGitHub has one request fail.
func rideOutGitHub(t *testing.T, ideal *fakeGitHub, target string, s Sealed, before func(*fakeGitHub), step int, fault githubFault) {
	f := newFakeGitHub(t)
	before(f)
	deletes := false
	f.fault = func(r *http.Request, change int) githubFault {
		if change == step {
			deletes = r.Method == http.MethodDelete
			return fault
		}
		return githubFine
	}
	if _, err := f.open(target, f.env()).Publish(t.Context(), s); err != nil {
		t.Errorf("one fault: %v (hint: %s)", err, githubHintOf(err))
	}
	// What took effect is not done again; a deletion does no more the second time.
	if took := fault == githubLostAfter || fault == githubCutAfter || fault == githubPageAfter; took && !deletes && f.changes != ideal.changes {
		t.Errorf("one fault: %d changes, want %d", f.changes, ideal.changes)
	}
	if diff := cmp.Diff(ideal.state(), f.state()); diff != "" {
		t.Errorf("one fault (-ideal +got):\n%s", diff)
	}
}

// resumeGitHub has a request fail and all that follow, and then runs again.
func resumeGitHub(t *testing.T, ideal *fakeGitHub, target string, s Sealed, before func(*fakeGitHub), step int, fault githubFault) {
	f := newFakeGitHub(t)
	before(f)
	started := len(f.releases) == 0
	dead := false
	f.fault = func(_ *http.Request, change int) githubFault {
		switch {
		case dead:
			return githubLostBefore
		case change == step:
			dead = true
			return fault
		}
		return githubFine
	}
	_, err := f.open(target, f.env()).Publish(t.Context(), s)
	if err == nil || !errors.Is(err, verify.ErrUnavailable) || githubHintOf(err) == "" || strings.Contains(err.Error(), githubTestToken) {
		t.Errorf("a fault that lasts: got %v with hint %q", err, githubHintOf(err))
	}
	for _, r := range f.releases {
		complete := len(r.Assets) == 3
		if started && !r.Draft && !complete {
			t.Errorf("the release is visible with %d files of three", len(r.Assets))
		}
		for _, a := range r.Assets {
			if a.Name == "mcp-integrity.json" && !complete {
				t.Errorf("the envelope is there with %d files of three", len(r.Assets))
			}
		}
	}
	f.fault = nil
	receipt, err := f.open(target, f.env()).Publish(t.Context(), s)
	if err != nil || receipt.State == "" {
		t.Errorf("run again: got %q, %v", receipt.State, err)
	}
	if diff := cmp.Diff(ideal.state(), f.state()); diff != "" {
		t.Errorf("run again (-ideal +got):\n%s", diff)
	}
}

// githubKeyless is one that a certificate signed, of testdata.
func githubKeyless(t testing.TB, name string) Sealed {
	t.Helper()
	var s Sealed
	for suffix, to := range map[string]*[]byte{EnvelopeSuffix: &s.Envelope, SnapshotSuffix: &s.Snapshot, ProvenanceSuffix: &s.Provenance} {
		data, err := os.ReadFile("../../testdata/keyless/" + name + "/mcp-integrity" + suffix)
		if err != nil {
			t.Fatal(err)
		}
		*to = data
	}
	payload, err := payloadDigest(s.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	s.Payload = payload
	return s
}

// What GitHub documents as an answer leads to what its owner can change.
func TestGitHubErrors(t *testing.T) {
	reset := fmt.Sprint(1771599600 + 1800) // half an hour after the test's time
	for _, tt := range []struct {
		name      string
		status    int
		header    string
		body      string
		err, hint string
	}{
		{"a bad token", 401, "", `{"message":"Bad credentials"}`, `HTTP 401: could not be observed: GitHub says "Bad credentials"`, "the token is not valid"},
		{"no permission", 403, "X-Accepted-GitHub-Permissions: contents=write", `{"message":"Resource not accessible by integration"}`, "HTTP 403", "give the job `permissions: contents: write`"},
		{"what would do", 403, "X-Accepted-GitHub-Permissions: contents=write", `{"message":"no"}`, "HTTP 403", `GitHub accepts "contents=write"`},
		{"single sign-on", 403, "X-GitHub-SSO: required; url=https://github.com/orgs/acme/sso", `{"message":"Resource protected by organization SAML enforcement."}`, "SAML", "single sign-on"},
		{"an allow list", 403, "", "{\"message\":\"Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list enabled\"}", "allow list", "IP allow list"},
		{"an archived repository", 403, "", `{"message":"Repository was archived so is read-only."}`, "archived", "unarchive"},
		{"a primary limit", 403, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: " + reset, `{"message":"API rate limit exceeded for installation ID 1."}`, "rate limit", "ends in 30m0s"},
		{"a secondary limit", 403, "", `{"message":"You have exceeded a secondary rate limit."}`, "secondary rate limit", "wait a few minutes"},
		{"too many requests", 429, "Retry-After: 3600", `{"message":"slow down"}`, "HTTP 429", "ends in 1h0m0s"},
		{"not found", 404, "", `{"message":"Not Found"}`, "HTTP 404", "is acme/file-tools the repository's name"},
		{"not found, by a page", 404, "", `<html>No such thing</html>`, "a web page", "GITHUB_API_URL"},
		{"a validation", 422, "", `{"message":"Validation Failed","errors":[{"resource":"Release","code":"custom","field":"tag_name","message":"tag_name was used by an immutable release"}]}`, "tag_name custom tag_name was used", "release under a new tag"},
		{"an immutable release", 422, "", `{"message":"Cannot upload assets to an immutable release."}`, "immutable", "before the release is published"},
		{"a rule", 422, "", `{"message":"Validation Failed","errors":[{"code":"custom","field":"pre_receive","message":"pre_receive Repository rule violations found\n\nCannot create ref due to creations being restricted."}]}`, "Cannot create ref", "push the tag first"},
		{"a tag that is none", 422, "", `{"message":"Validation Failed","errors":[{"code":"custom","message":"Published releases must have a valid tag"}]}`, "valid tag", "push the tag first"},
		{"a statement of another repository", 422, "", `{"message":"Invalid Argument - values do not match: https://github.com/a/b != https://github.com/c/d"}`, "do not match", "publish from the repository that the certificate names"},
		{"a subject that stands twice", 422, "", `{"message":"duplicate subject in statement"}`, "duplicate", "name each artifact once"},
		{"a store that is closed", 422, "", `{"message":"Feature not available for the acme organization"}`, "Feature", "make the repository public"},
		{"what is there", 422, "", `{"message":"Validation Failed","errors":[{"code":"already_exists","field":"name"}]}`, "already_exists", "run this again"},
		{"details of another form", 422, "", `{"message":"Validation Failed","errors":["one","two"]}`, `"Validation Failed"`, ""},
		{"trouble", 500, "", `{"message":"Server Error"}`, "HTTP 500", "githubstatus.com"},
		{"trouble by a page", 502, "", `<html>Unicorn!</html>`, "HTTP 502: could not be observed: GitHub answers with a web page", "githubstatus.com"},
		{"nothing", 503, "", ``, "GitHub says nothing more", "githubstatus.com"},
		{"a page", 200, "", `<!DOCTYPE html><title>Sign in</title>`, "got a web page, want JSON", "GITHUB_API_URL"},
		{"half of it", 200, "", `{"id": 1, "tag_na`, "cannot be read", "githubstatus.com"},
		{"the token itself", 403, "", `{"message":"bad ` + githubTestToken + `"}`, "[token]", "permissions"},
		{"a long story", 403, "", `{"message":"` + strings.Repeat("no! ", 10000) + `"}`, "no!", "permissions"},
		{"another form", 200, "", `[1,2,3]`, "cannot be read", "githubstatus.com"},
		{"a redirect to nowhere", 302, "", ``, "HTTP 302", "GITHUB_API_URL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeGitHub(t)
			f.srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for line := range strings.Lines(tt.header) {
					name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
					w.Header().Set(name, value)
				}
				w.Header().Set("Date", time.Unix(1771599600, 0).UTC().Format(http.TimeFormat))
				w.WriteHeader(tt.status)
				w.Write([]byte(tt.body))
			})
			p := f.open("github-release", f.env()).(*githubRelease)
			var out githubReleaseInfo
			_, err := p.ask(t.Context(), githubCall{op: "try it", need: needContents, method: http.MethodPost, url: "/releases"}, nil, &out)
			if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(githubHintOf(err), tt.hint) || tt.hint == "" && githubHintOf(err) != "" {
				t.Errorf("got %v\nhint %q, want %q\nhint %q", err, githubHintOf(err), tt.err, tt.hint)
			}
			if !strings.HasPrefix(fmt.Sprint(err), "github-release: try it: ") || !errors.Is(err, verify.ErrUnavailable) {
				t.Errorf("got %v, want the place, the act, and ErrUnavailable", err)
			}
			if text := fmt.Sprint(err) + githubHintOf(err); strings.Contains(text, githubTestToken) || len(text) > 1200 || strings.Contains(text, "\n") {
				t.Errorf("got %d bytes: %s", len(text), text)
			}
		})
	}
}

// A stranger is told of tokens.
func TestGitHubErrorsWithoutToken(t *testing.T) {
	for _, tt := range []struct {
		status       int
		header, hint string
	}{
		{429, "", "without one it is 60"}, {403, "", "GITHUB_TOKEN"}, {404, "", "A private one shows nothing without a token"},
	} {
		f := newFakeGitHub(t)
		f.srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.status) })
		env := f.env("GITHUB_TOKEN", "")
		env.ReadOnly = true
		if _, err := f.open("github-release", env).Latest(t.Context()); !strings.Contains(githubHintOf(err), tt.hint) {
			t.Errorf("HTTP %d: got %v with hint %q, want %q", tt.status, err, githubHintOf(err), tt.hint)
		}
	}
}

// An answer has a bound, and a run that is over says so.
func TestGitHubBounds(t *testing.T) {
	f := newFakeGitHub(t)
	f.srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1000)) })
	p := f.open("github-release", f.env()).(*githubRelease)
	c := githubCall{op: "try it", method: http.MethodGet, url: "/x", limit: 999}
	if _, _, err := p.do(t.Context(), c); err == nil || !strings.Contains(err.Error(), "more than 999 bytes") {
		t.Errorf("got %v", err)
	}
	c.limit = 1000
	if data, _, err := p.do(t.Context(), c); err != nil || len(data) != 1000 {
		t.Errorf("got %d bytes, %v", len(data), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := p.do(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the run's end", err)
	}
}

func TestGitHubUnreachable(t *testing.T) {
	f := newFakeGitHub(t)
	p := f.open("github-release", f.env())
	f.srv.Close()
	host, err := url.Parse(f.srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Publish(t.Context(), githubSealed(t, 1))
	if !errors.Is(err, verify.ErrUnavailable) || !strings.Contains(githubHintOf(err), host.Host) || strings.Contains(fmt.Sprint(err), githubTestToken) {
		t.Errorf("got %v with hint %q", err, githubHintOf(err))
	}
}

func FuzzGitHubMessage(f *testing.F) {
	for _, s := range []string{"", "{}", `{"message":"a","errors":[{"code":"b"}]}`, `{"message":"a","errors":["b"]}`, `{"message":1}`, "<html>", "[", `{"errors":[{},{},{},{},{},{},{}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(_ *testing.T, data []byte) { readGitHubMessage(data) })
}
