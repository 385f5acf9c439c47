package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/platform"
	"github.com/mcp-integrity/seal-action/provenance"
)

var epoch = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// identity is a stand-in for platform.TokenSource.
type identity struct {
	facts provenance.Build
	err   error
	asked []string
}

func (i *identity) Token(_ context.Context, audience string) (string, error) {
	i.asked = append(i.asked, audience)
	return "secret", i.err
}

func (i *identity) Facts(context.Context) (provenance.Build, error) {
	i.asked = append(i.asked, "facts")
	return i.facts, i.err
}

var github = provenance.Build{
	Platform: provenance.GitHub, ServerURL: "https://github.com", Repository: "acme/tools", RepositoryID: "74", OwnerID: "65", Owner: "acme",
	Ref: "refs/tags/v1", Commit: strings.Repeat("a", 40), WorkflowRef: "acme/tools/.github/workflows/r.yml@refs/tags/v1",
	JobWorkflowRef: "acme/tools/.github/workflows/r.yml@refs/tags/v1", Event: "push", RunnerEnvironment: "github-hosted", RunID: "1", RunAttempt: "1", Visibility: "public",
}

var gitlab = provenance.Build{
	Platform: provenance.GitLab, ServerURL: "https://gitlab.com", Repository: "acme/tools", RepositoryID: "20", OwnerID: "72", Owner: "acme",
	Ref: "refs/heads/main", Commit: strings.Repeat("a", 40), WorkflowRef: "gitlab.com/acme/tools//.gitlab-ci.yml@refs/heads/main",
	Event: "push", RunnerEnvironment: "gitlab-hosted", JobID: "1", RunnerID: "2", Visibility: "public",
}

func but(b provenance.Build, change func(b *provenance.Build)) *identity {
	change(&b)
	return &identity{facts: b}
}

func signing(s Signing) func(provenance.Build, bool) Signing {
	return func(provenance.Build, bool) Signing { return s }
}

var public = signing(Signing{Public: true})

// wantChecks compares names and outcomes, "token ok", and demands the texts.
func wantChecks(t *testing.T, r Report, exit int, texts []string, want ...string) {
	t.Helper()
	var got []string
	all := ""
	for _, c := range r.Checks {
		got = append(got, fmt.Sprintf("%s %s", c.Name, c.Status))
		all += c.Detail + "\n" + c.Hint + "\n"
		if c.Detail == "" || strings.ContainsAny(c.Detail+c.Hint, "\n\x1b") {
			t.Errorf("detail %q, hint %q: want one printable line", c.Detail, c.Hint)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checks (-want +got):\n%s\n%s", diff, all)
	}
	for _, text := range texts {
		if !strings.Contains(all, text) {
			t.Errorf("no %q in:\n%s", text, all)
		}
	}
	if strings.Contains(all, "secret") {
		t.Errorf("a secret stands in:\n%s", all)
	}
	if got := r.ExitCode(); got != exit {
		t.Errorf("exit code %d, want %d", got, exit)
	}
}

func TestExamine(t *testing.T) {
	noToken := &platform.TokenError{Kind: platform.ErrNoToken, Err: errors.New("the job has no right"), Hint: "permissions: {id-token: write}"}
	outage := &platform.TokenError{Kind: platform.ErrOutage, Err: errors.New("HTTP 503"), Hint: "later"}
	for _, tt := range []struct {
		name   string
		p      Patient
		exit   int
		texts  []string
		checks []string
	}{
		{"GitHub", Patient{Kind: platform.GitHub, Identity: &identity{facts: github}, Signing: public}, 0,
			[]string{"https://github.com/acme/tools at refs/tags/v1", "SLSA Build level 2 at most"},
			[]string{"token ok", "event ok", "runner ok", "visibility ok", "level ok"}},
		{"GitLab", Patient{Kind: platform.GitLab, Identity: &identity{facts: gitlab}, Signing: public}, 0,
			[]string{provenance.BuildTypeGitLab, "SLSA Build level 2"},
			[]string{"token ok", "event ok", "runner ok", "visibility ok", "level ok"}},
		{"the isolating workflow", Patient{Kind: platform.GitHub, Identity: but(github, func(b *provenance.Build) {
			b.JobWorkflowRef = "mcp-integrity/seal-action/.github/workflows/seal.yml@refs/tags/v1.0.0"
		})}, 0, []string{"SLSA Build level 3"}, []string{"token ok", "event ok", "runner ok", "visibility ok", "level ok"}},
		{"pull request", Patient{Kind: platform.GitHub, Identity: but(github, func(b *provenance.Build) { b.Event = "pull_request" })}, 0,
			[]string{`"pull_request"`, provenance.BuildTypeGitHubEvent, "workflow_dispatch"},
			[]string{"token ok", "event warn", "runner ok", "visibility ok", "level ok"}},
		{"self-hosted", Patient{Kind: platform.GitHub, Identity: but(github, func(b *provenance.Build) { b.RunnerEnvironment = "self-hosted" })}, 0,
			[]string{"--allow-self-hosted", "SLSA Build level 1"},
			[]string{"token ok", "event ok", "runner warn", "visibility ok", "level warn"}},
		{"a GitLab of one's own", Patient{Kind: platform.GitLab, Identity: but(gitlab, func(b *provenance.Build) { b.ServerURL = "https://git.acme.com" })}, 0,
			[]string{"https://git.acme.com"}, []string{"token ok", "event ok", "runner warn", "visibility ok", "level warn"}},
		{"built elsewhere", Patient{Kind: platform.GitHub, Identity: &identity{facts: github}, BuiltElsewhere: true}, 0,
			[]string{"SLSA Build level 0", "built elsewhere"}, []string{"token ok", "event ok", "runner ok", "visibility ok", "level warn"}},

		{"private into a public log", Patient{Kind: platform.GitHub, Identity: but(github, func(b *provenance.Build) { b.Visibility = "private" }), Signing: public}, 1,
			[]string{"acme/tools would stand in a public log", "--allow-public-log"}, []string{"token ok", "event ok", "runner ok", "visibility fail", "level ok"}},
		{"internal into a public log", Patient{Kind: platform.GitHub, Identity: but(github, func(b *provenance.Build) { b.Visibility = "internal" }), Signing: public}, 1,
			[]string{"the repository is internal"}, []string{"token ok", "event ok", "runner ok", "visibility fail", "level ok"}},
		{"private, allowed", Patient{Kind: platform.GitHub, Identity: but(github, func(b *provenance.Build) { b.Visibility = "private" }), Signing: public, AllowPublicLog: true}, 0,
			[]string{"acme/tools will stand"}, []string{"token ok", "event ok", "runner ok", "visibility warn", "level ok"}},
		{"private, signed privately", Patient{Kind: platform.GitHub, Identity: but(github, func(b *provenance.Build) { b.Visibility = "private" }), Signing: signing(Signing{})}, 0,
			[]string{"nothing of it reaches"}, []string{"token ok", "event ok", "runner ok", "visibility ok", "level ok"}},

		{"no permission", Patient{Kind: platform.GitHub, NoIdentity: noToken, Signing: public}, 1,
			[]string{"the job has no right", "id-token: write"}, []string{"token fail", "event unknown", "runner unknown", "visibility unknown", "level unknown"}},
		{"no permission, and a nil source in its interface", Patient{Kind: platform.GitHub, Identity: (*platform.TokenSource)(nil), NoIdentity: noToken}, 1,
			nil, []string{"token fail", "event unknown", "runner unknown", "visibility unknown", "level unknown"}},
		{"no permission, but a key", Patient{Kind: platform.GitHub, NoIdentity: noToken, Key: true}, 0,
			[]string{"the key signs", "a key alone"}, []string{"token ok", "level warn"}},
		{"outage", Patient{Kind: platform.GitHub, Identity: &identity{err: outage}, Signing: public}, 3,
			[]string{"HTTP 503", "later"}, []string{"token unknown", "event unknown", "runner unknown", "visibility unknown", "level unknown"}},
		{"outage of the token, but a key", Patient{Kind: platform.GitHub, Identity: &identity{err: outage}, Key: true}, 3,
			nil, []string{"token unknown", "level warn"}},
		{"contradiction", Patient{Kind: platform.GitHub, Identity: &identity{err: &platform.TokenError{Kind: platform.ErrContradiction, Err: errors.New("GITHUB_SHA is \x1b[31m\"a\"")}}}, 1,
			[]string{"GITHUB_SHA is ⟨U+001B⟩"}, []string{"token fail", "event unknown", "runner unknown", "visibility unknown", "level unknown"}},
		{"refused, but a key", Patient{Kind: platform.GitLab, Identity: &identity{err: &platform.TokenError{Kind: platform.ErrRefused, Err: errors.New("expired")}}, Key: true}, 0,
			[]string{"expired"}, []string{"token warn", "level warn"}},
		{"interrupted", Patient{Kind: platform.GitHub, Identity: &identity{err: context.Canceled}}, 3,
			nil, []string{"token unknown", "event unknown", "runner unknown", "visibility unknown", "level unknown"}},

		{"desk", Patient{Kind: platform.Desk, NoIdentity: noToken}, 0, []string{"the local key signs", "SLSA Build level 0"}, []string{"token ok", "level ok"}},
		{"desk with a token", Patient{Kind: platform.Desk, Identity: &identity{}, Signing: public}, 0,
			[]string{"no platform vouches", "e-mail"}, []string{"token ok", "visibility warn", "level ok"}},
		{"desk with an expired token", Patient{Kind: platform.Desk, Identity: &identity{err: &platform.TokenError{Kind: platform.ErrRefused, Err: errors.New("expired")}}}, 1,
			[]string{"expired"}, []string{"token fail", "level ok"}},
		{"another CI", Patient{Kind: platform.CI, NoIdentity: noToken}, 1, nil, []string{"token fail", "level ok"}},
		{"another CI with a key", Patient{Kind: platform.CI, NoIdentity: noToken, Key: true}, 0, nil, []string{"token ok", "level ok"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantChecks(t, Examine(t.Context(), tt.p), tt.exit, tt.texts, tt.checks...)
		})
	}
}

// Where a job can be read by a token that signs nothing, no other is made.
func TestExamineAsksForNoSigningToken(t *testing.T) {
	for kind, want := range map[platform.Kind]string{platform.GitHub: "facts", platform.GitLab: "facts", platform.Desk: "sigstore", platform.CI: "sigstore"} {
		i := &identity{facts: github}
		Examine(t.Context(), Patient{Kind: kind, Identity: i})
		if diff := cmp.Diff([]string{want}, i.asked); diff != "" {
			t.Errorf("%s asked (-want +got):\n%s", kind, diff)
		}
	}
}

// The services may depend on the repository.
func TestSigningByFacts(t *testing.T) {
	var got []string
	choose := func(b provenance.Build, known bool) Signing {
		got = append(got, fmt.Sprintf("%q %v", b.Visibility, known))
		return Signing{}
	}
	Examine(t.Context(), Patient{Kind: platform.GitHub, Identity: &identity{facts: github}, Signing: choose})
	Examine(t.Context(), Patient{Kind: platform.GitHub, Identity: &identity{facts: github, err: platform.ErrOutage}, Signing: choose})
	if diff := cmp.Diff([]string{`"public" true`, `"" false`}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// services is a transport that answers for hosts.
type services map[string]func(*http.Request) (*http.Response, error)

func (s services) RoundTrip(r *http.Request) (*http.Response, error) { return s[r.URL.Host](r) }

func answers(status int, header ...string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		h := http.Header{}
		for n := 0; n+1 < len(header); n += 2 {
			h.Set(header[n], header[n+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: http.NoBody}, nil
	}
}

func at(t time.Time) string { return t.Format(http.TimeFormat) }

func TestReach(t *testing.T) {
	now := at(epoch)
	down := func(*http.Request) (*http.Response, error) { return nil, errors.New("dial tcp: \x1b[2Jno such host") }
	for _, tt := range []struct {
		name   string
		world  services
		exit   int
		texts  []string
		checks []string
	}{
		{"all well", services{"a": answers(200, "Date", now), "b": answers(404, "Date", now), "c": answers(301, "Date", now, "Location", "https://evil.example/")}, 0,
			[]string{"a answers by HTTP 200 in 0 ms", "b answers by HTTP 404", "c answers by HTTP 301", "agrees with the services' to 0 s"},
			[]string{"reach A ok", "reach B ok", "reach C ok", "clock ok"}},
		{"one down", services{"a": answers(200, "Date", now), "b": down, "c": answers(200, "Date", now)}, 3,
			[]string{"b does not answer: dial tcp: ⟨U+001B⟩[2Jno such host", "HTTPS_PROXY"},
			[]string{"reach A ok", "reach B unknown", "reach C ok", "clock ok"}},
		{"all down", services{"a": down, "b": down, "c": down}, 3, []string{"no service told the time"},
			[]string{"reach A unknown", "reach B unknown", "reach C unknown", "clock unknown"}},
		{"one in trouble", services{"a": answers(503, "Date", now), "b": answers(200), "c": answers(200)}, 0, []string{"a answers by HTTP 503"},
			[]string{"reach A warn", "reach B ok", "reach C ok", "clock ok"}},
		{"clock ahead", services{"a": answers(200, "Date", at(epoch.Add(-61*time.Second))), "b": answers(200, "Date", at(epoch.Add(-time.Hour))), "c": answers(200, "Date", now)}, 1,
			[]string{"61 s ahead of"}, []string{"reach A ok", "reach B ok", "reach C ok", "clock fail"}},
		{"clock behind", services{"a": answers(200, "Date", at(epoch.Add(time.Hour))), "b": answers(200, "Date", at(epoch.Add(time.Hour))), "c": answers(200, "Date", "yesterday")}, 1,
			[]string{"3600 s behind", "NTP"}, []string{"reach A ok", "reach B ok", "reach C ok", "clock fail"}},
		{"one service's clock is wrong", services{"a": answers(200, "Date", now), "b": answers(200, "Date", at(epoch.Add(-time.Hour))), "c": answers(200, "Date", now)}, 0,
			nil, []string{"reach A ok", "reach B ok", "reach C ok", "clock ok"}},
		{"a page from a cache", services{"a": answers(200, "Date", at(epoch.Add(-time.Hour)), "Age", "3600"), "b": answers(200, "Date", at(epoch.Add(-50*time.Second))), "c": answers(200)}, 0,
			[]string{"to 50 s"}, []string{"reach A ok", "reach B ok", "reach C ok", "clock ok"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Examine(t.Context(), Patient{
				Kind: platform.Desk, Transport: tt.world, Now: func() time.Time { return epoch },
				Signing: signing(Signing{Services: []Service{{"A", "https://a", "/healthz"}, {"B", "https://b/api", ""}, {"C", "https://user:secret@c", ""}}}),
			})
			r.Checks = r.Checks[2:] // token and level of a desk
			wantChecks(t, r, tt.exit, tt.texts, tt.checks...)
		})
	}
}

func TestReachOddServices(t *testing.T) {
	var asked []string
	var mu sync.Mutex
	world := roundTripper(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.URL.String())
		return answers(200)(r)
	})
	for _, tt := range []struct{ url, path, want string }{
		{"https://a/api/v1/timestamp", "", "GET https://a/api/v1/timestamp"},
		{"https://a/", "/healthz", "GET https://a/healthz"},
		{"http://127.0.0.1:8080", "/ping", "GET http://127.0.0.1:8080/ping"},
		{"://secret", "/", ""},
		{"https://a b:secret@/", "/", ""},
	} {
		asked = nil
		r := Examine(t.Context(), Patient{Kind: platform.Desk, Transport: world, Signing: signing(Signing{Services: []Service{{"A", tt.url, tt.path}}})})
		if got := strings.Join(asked, " "); got != tt.want {
			t.Errorf("%q: asked %q, want %q", tt.url, got, tt.want)
		}
		if c := r.Checks[2]; (c.Status == OK) != (tt.want != "") || strings.Contains(c.Detail, "secret") {
			t.Errorf("%q: %+v", tt.url, c)
		}
	}
	asked = nil
	many := make([]Service, 100)
	for n := range many {
		many[n] = Service{Name: "A", URL: "https://a"}
	}
	r := Examine(t.Context(), Patient{Kind: platform.Desk, Transport: world, Signing: signing(Signing{Services: many})})
	if len(asked) != maxServices || r.Worst() == OK {
		t.Errorf("asked %d services, want %d and a warning", len(asked), maxServices)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// All services are asked at once: each waits here for the others.
func TestReachSideBySide(t *testing.T) {
	var all sync.WaitGroup
	all.Add(3)
	world := roundTripper(func(r *http.Request) (*http.Response, error) {
		all.Done()
		all.Wait()
		return answers(200, "Date", at(epoch))(r)
	})
	r := Examine(t.Context(), Patient{Kind: platform.Desk, Transport: world, Now: func() time.Time { return epoch },
		Signing: signing(Signing{Services: []Service{{Name: "A", URL: "https://a"}, {Name: "B", URL: "https://b"}, {Name: "C", URL: "https://c"}}})})
	if r.Worst() != OK {
		t.Errorf("%+v", r)
	}
}

func TestReachIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	world := roundTripper(func(r *http.Request) (*http.Response, error) {
		cancel()
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	r := Examine(ctx, Patient{Kind: platform.Desk, Transport: world, Signing: signing(Signing{Services: []Service{{Name: "A", URL: "https://a"}}})})
	if r.ExitCode() != 3 {
		t.Errorf("%+v", r)
	}
}

// The JSON form has its members in one order.
func TestReportJSON(t *testing.T) {
	data, err := json.Marshal(Report{Checks: []Check{{"token", OK, "d", ""}, {"clock", Fail, "d", "h"}}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"checks":[{"name":"token","status":"ok","detail":"d"},{"name":"clock","status":"fail","detail":"d","hint":"h"}]}`
	if string(data) != want {
		t.Errorf("got %s\nwant %s", data, want)
	}
}

func TestLongDetail(t *testing.T) {
	r := Examine(t.Context(), Patient{Kind: platform.GitHub, Identity: &identity{err: errors.New(strings.Repeat("ä", 5000))}})
	if d := r.Checks[0].Detail; len(d) > 600 || strings.Contains(d, "⟨0x") {
		t.Errorf("%d bytes: %.80q", len(d), d)
	}
}
