package publish

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/verify"
)

func TestOpenMCPRegistry(t *testing.T) {
	for _, tt := range []struct{ rest, want string }{
		{"", "mcp-registry:https://registry.modelcontextprotocol.io"},
		{"@io.github.acme/file-tools", "mcp-registry:https://registry.modelcontextprotocol.io@io.github.acme/file-tools"},
		{"https://mcp.example/", "mcp-registry:https://mcp.example"},
		{"https://mcp.example@io.github.acme/x", "mcp-registry:https://mcp.example@io.github.acme/x"},
		{"http://127.0.0.1:8080", "mcp-registry:http://127.0.0.1:8080"},
		{"http://mcp.example", ""},
		{"ftp://mcp.example", ""},
		{"mcp.example", ""},
		{"https://:hunter2@mcp.example", ""},
		{"https://mcp.example?token=hunter2", ""},
		{"https://mcp.example/#x", ""},
		{"https://me:hunter2@mcp.example/path", ""},
		{"https://[::1", ""},
		{"@" + strings.Repeat("a", 200) + "/x", ""},
	} {
		p, err := openMCPRegistry(tt.rest, Env{})
		switch {
		case tt.want == "" && err == nil:
			t.Errorf("%q: opened as %s, want an error", tt.rest, p)
		case tt.want == "" && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%q: the error shows the secret: %v", tt.rest, err)
		case tt.want != "" && (err != nil || p.String() != tt.want):
			t.Errorf("%q: got %v, %v, want %s", tt.rest, p, err, tt.want)
		}
	}
}

// TestMCPRegistryChain publishes three releases, and finds them again.
func TestMCPRegistryChain(t *testing.T) {
	f, ctx := newFakeMCP(t), context.Background()
	var all []digest.Digest
	var last Sealed
	for _, version := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		p := f.place(t, version, nil)
		if err := p.Check(ctx); err != nil {
			t.Fatal(err)
		}
		last = f.release(t, version)
		before := readText(t, p.path())
		got, err := p.Publish(ctx, last)
		if err != nil {
			t.Fatal(err)
		}
		want := Receipt{Place: p.String(), State: Published, URL: f.URL + "/v0.1/servers/io.github.acme%2Ffile-tools/versions/" + version}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(before, readText(t, p.path())); d != "" {
			t.Errorf("server.json was changed: %s", d)
		}
		all = append([]digest.Digest{last.Payload}, all...)
	}
	source := f.place(t, "1.2.0", func(e *Env) { e.ReadOnly = true })
	if err := source.Check(ctx); err != nil {
		t.Error(err)
	}
	var listed []digest.Digest
	for d, err := range source.List(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, d)
	}
	if d := cmp.Diff(all, listed); d != "" {
		t.Error(d)
	}
	for _, d := range all {
		if r, err := source.Find(ctx, d); err != nil || digestOf(t, r) != d {
			t.Errorf("Find(%s): %v", d, err)
		}
	}
	newest, err := source.Latest(ctx)
	if err != nil || digestOf(t, newest) != last.Payload || string(newest.Snapshot) != "snapshot of 1.2.0" || newest.Provenance != nil {
		t.Errorf("Latest: %v, %q, %q", err, newest.Snapshot, newest.Provenance)
	}
	if n := f.asked("GET /v0.1/servers/io.github.acme/file-tools/versions"); n != 2*3+2 {
		t.Errorf("the versions were asked for %d times", n)
	}
}

// TestMCPRegistryAgain: twice is once.
func TestMCPRegistryAgain(t *testing.T) {
	f, ctx := newFakeMCP(t), context.Background()
	r := f.release(t, "1.0.0")
	if _, err := f.place(t, "1.0.0", nil).Publish(ctx, r); err != nil {
		t.Fatal(err)
	}
	state := f.state()
	for _, deleted := range []bool{false, true} {
		f.versions[0].deleted = deleted
		got, err := f.place(t, "1.0.0", nil).Publish(ctx, r)
		if err != nil || got.State != AlreadyThere || len(got.Notes) != 0 {
			t.Errorf("again: %+v, %v", got, err)
		}
	}
	moved := r
	moved.URL += "?elsewhere"
	got, err := f.place(t, "1.0.0", nil).Publish(ctx, moved)
	if err != nil || got.State != AlreadyThere || len(got.Notes) != 1 {
		t.Errorf("with another URL: %+v, %v", got, err)
	}
	if d := cmp.Diff(state, f.state()); d != "" {
		t.Error(d)
	}
	if n := f.asked("POST /v0.1/publish"); n != 1 {
		t.Errorf("published %d times", n)
	}
}

// TestMCPRegistryFaults fails the step before and after it took effect. A rerun
// ends in the state of a run without the fault.
func TestMCPRegistryFaults(t *testing.T) {
	clean := newFakeMCP(t)
	if _, err := clean.place(t, "1.0.0", nil).Publish(context.Background(), clean.release(t, "1.0.0")); err != nil {
		t.Fatal(err)
	}
	for name, what := range map[string]mcpFault{
		"before, cut":         {cut: true},
		"before, 500":         {status: 500, body: "Failed to publish"},
		"before, 502 HTML":    {status: 502, body: "<html>bad gateway</html>"},
		"before, 503":         {status: 503, body: "try later", header: map[string]string{"Retry-After": "1"}},
		"before, 429":         {status: 429, body: "too many", header: map[string]string{"Retry-After": "1"}},
		"before, 429 an hour": {status: 429, body: "too many", header: map[string]string{"Retry-After": "3600"}},
		"before, no JSON":     {status: 200, body: "<html>"},
		"after, cut":          {cut: true, late: true},
		"after, 500":          {status: 500, body: "oh", late: true},
		"after, 504 HTML":     {status: 504, body: "<html>", late: true},
	} {
		t.Run(name, func(t *testing.T) {
			f, ctx := newFakeMCP(t), context.Background()
			// The answers that name the host differ by their port only.
			want := strings.ReplaceAll(clean.state(), clean.URL, f.URL)
			r := f.release(t, "1.0.0")
			f.fault = func(req *http.Request) mcpFault {
				if req.URL.Path == "/v0.1/publish" {
					return what
				}
				return mcpFault{}
			}
			got, err := f.place(t, "1.0.0", nil).Publish(ctx, r)
			if what.late {
				if err != nil || got.State != Published {
					t.Errorf("it took effect: got %+v, %v", got, err)
				}
			} else {
				var e *Error
				if !errors.As(err, &e) || !errors.Is(err, verify.ErrUnavailable) || e.Hint == "" {
					t.Errorf("got %v, want unavailable with a hint", err)
				}
			}
			if n := f.asked("POST /v0.1/publish"); n != 1 && what.status != 429 {
				t.Errorf("asked %d times to publish: what may have taken effect is looked at, not repeated", n)
			}
			f.fault = nil
			got, err = f.place(t, "1.0.0", nil).Publish(ctx, r)
			wantState := Published
			if what.late {
				wantState = AlreadyThere
			}
			if err != nil || got.State != wantState {
				t.Errorf("rerun: got %+v, %v", got, err)
			}
			if d := cmp.Diff(want, f.state()); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestMCPRegistryRefuses: every refusal names what to change, and no token.
func TestMCPRegistryRefuses(t *testing.T) {
	identity := func(context.Context, string) (string, error) { return fakeIdentity, nil }
	wrong := func(context.Context, string) (string, error) { return fakeIdentity + "x", nil }
	github := func(name string) string { return map[string]string{"GITHUB_ACTIONS": "true"}[name] }
	at := func(path string, what mcpFault) func(*http.Request) mcpFault {
		return func(r *http.Request) mcpFault {
			if strings.HasPrefix(r.URL.Path, path) {
				return what
			}
			return mcpFault{}
		}
	}
	for _, tt := range []struct {
		name string
		// prepare changes the fake, env the environment of the place, and text server.json.
		prepare    func(*fakeMCP)
		env        func(*Env)
		old, new   string
		want, hint string
		is         error
	}{
		{name: "another namespace", prepare: func(f *fakeMCP) { f.permitted = []string{"io.github.other/*"} },
			want: `HTTP 403: the registry says "You do not have permission to publish this server. You have permission to publish: io.github.other/*`, hint: "io.github.OWNER"},
		{name: "no anonymous tokens", prepare: func(f *fakeMCP) { f.anonymous = false }, want: "HTTP 404", hint: "MCP_REGISTRY_ENABLE_ANONYMOUS_AUTH"},
		{name: "an identity of another audience", env: func(e *Env) { e.Token, e.Getenv = wrong, github },
			want: "HTTP 401: the registry says \"Token exchange failed; failed to validate OIDC token: invalid audience: expected https://other, got [token]\"", hint: "MCP_REGISTRY_GITHUB_OIDC_AUDIENCE"},
		{name: "no audience at all", env: func(e *Env) { e.Token, e.Getenv = identity, github },
			prepare: func(f *fakeMCP) {
				f.fault = at("/v0.1/auth", mcpFault{status: 401, body: "GitHub OIDC exchange disabled: this deployment has no audience configured"})
			},
			want: "HTTP 401", hint: registryTokenName},
		{name: "no identity tokens", env: func(e *Env) { e.Token = identity },
			prepare: func(f *fakeMCP) { f.fault = at("/v0.1/auth", mcpFault{status: 404, body: "Endpoint not found."}) },
			want:    "HTTP 404", hint: "takes no identity tokens"},
		{name: "no identity", env: func(e *Env) {
			e.Token = func(context.Context, string) (string, error) { return "", errors.New("no permission") }
		}, want: "no permission", hint: "id-token: write"},
		{name: "a token that ended", env: func(e *Env) { e.Getenv = onlyEnv(registryTokenName, "old.token.value") },
			want: "HTTP 401: the registry says \"Invalid or expired Registry JWT token; failed to parse token: [token]\"", hint: registryTokenName},
		{name: "a token of two lines", env: func(e *Env) { e.Getenv = onlyEnv(registryTokenName, "secret\nX-Header: 1") }, want: "a token of 18 bytes", hint: "nothing else"},
		{name: "another version", old: `"version": "1.0.0",`, new: `"version": "0.9.0",`, want: `version is "0.9.0", want "1.0.0"`, hint: `set version in`},
		{name: "another package", env: func(e *Env) { e.MCPName = "io.github.acme/other" }, want: `name is "io.github.acme/file-tools", want "io.github.acme/other"`, hint: "mcpName"},
		{name: "no server.json", env: func(e *Env) { e.ServerJSON += "x" }, want: "read ", hint: "--server-json"},
		{name: "a folder", env: func(e *Env) { e.ServerJSON = os.TempDir() }, want: "no regular file", hint: "--server-json"},
		{name: "no name", old: `"name"`, new: `"nome"`, want: `server name ""`, hint: "correct"},
		{name: "a name without a namespace", old: fakeServer, new: "file-tools", want: `server name "file-tools"`, hint: "correct"},
		{name: "twice the version", old: `"version": "1.0.0",`, new: `"version": "1.0.0", "version": "1.0.0",`, want: "duplicate", hint: "correct"},
		{name: "latest", old: `"version": "1.0.0",`, new: `"version": "latest",`, want: `version "latest"`, hint: "correct"},
		{name: "another member of _meta", old: `"packages"`, new: `"_meta": {"org.example/x": 1}, "packages"`, want: "HTTP 422: the registry says \"validation failed; unexpected property (body._meta)\"", hint: "validate"},
		{name: "no description", old: `"Reads files <&> nothing else"`, new: `""`, want: `call /validate for details": it is not valid at "description": "too short"`, hint: "validate"},
		{name: "_meta that is no object", old: `"packages"`, new: `"_meta": null, "packages"`, want: "_meta: got null, want an object"},
		{name: "no room", old: `"packages"`, new: `"_meta": {"` + publisherMember + `": {"org.example/x": "` + strings.Repeat("<", 700) + `"}}, "packages"`, want: "want at most 4096", hint: "shorten"},
		{name: "no registry", prepare: func(f *fakeMCP) { f.fault = at("/", mcpFault{status: 404, body: "<html>"}) }, want: "HTTP 404: the answer is no MCP registry's", hint: "is this an MCP registry?", is: verify.ErrUnavailable},
		{name: "a registry elsewhere", prepare: func(f *fakeMCP) {
			f.fault = at("/v0.1/publish", mcpFault{status: 308, body: "{}", header: map[string]string{"Location": f.URL + "/v0.1/validate"}})
		}, want: "HTTP 308", hint: "redirects"},
		{name: "rate limit", prepare: func(f *fakeMCP) { f.fault = at("/", mcpFault{status: 429, body: "slow down"}) }, want: `HTTP 429: the registry says "slow down"`, hint: "later", is: verify.ErrUnavailable},
		{name: "a broken registry", prepare: func(f *fakeMCP) { f.fault = at("/", mcpFault{status: 500, body: "Failed to get server details"}) }, want: "HTTP 500", hint: "the registry's", is: verify.ErrUnavailable},
		{name: "no answer", prepare: func(f *fakeMCP) { f.fault = at("/", mcpFault{cut: true}) }, want: "EOF", is: verify.ErrUnavailable},
		{name: "a package that nobody has", prepare: func(f *fakeMCP) {
			f.fault = at("/v0.1/publish", mcpFault{status: 400, body: `{"detail":"Failed to publish server","errors":[{"message":"registry validation failed for package 0 (@acme/file-tools): NPM package not found"}]}`})
		}, want: "HTTP 400", hint: "mcpName"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeMCP(t)
			r := f.release(t, "1.0.0")
			p := f.place(t, "1.0.0", tt.env)
			if tt.old != "" {
				text := readText(t, p.path())
				if !strings.Contains(text, tt.old) {
					t.Fatalf("server.json has no %s", tt.old)
				}
				writeText(t, p.path(), strings.Replace(text, tt.old, tt.new, 1))
			}
			if tt.prepare != nil {
				tt.prepare(f)
			}
			_, err := p.Publish(context.Background(), r)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(e.Hint, tt.hint) {
				t.Errorf("got %v\nhint %s\nwant %s\nhint %s", err, e.Hint, tt.want, tt.hint)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, want %v", err, tt.is)
			}
			if s := err.Error() + e.Hint; strings.Contains(s, fakeIdentity) || strings.Contains(s, fakeBearer) || strings.Contains(s, "old.token.value") || strings.Contains(s, "X-Header") {
				t.Errorf("the error shows a token: %s", s)
			}
			if f.state() != "" {
				t.Errorf("something was published: %s", f.state())
			}
		})
	}
}

// TestMCPRegistryOccupied: a version that stands there is never another release's.
func TestMCPRegistryOccupied(t *testing.T) {
	plain := strings.ReplaceAll(serverJSONText, "VERSION", "1.0.0")
	with := func(at sealedAt) string {
		doc, err := withSealed([]byte(plain), at)
		if err != nil {
			t.Fatal(err)
		}
		return string(doc)
	}
	for name, tt := range map[string]struct{ there, want, hint string }{
		"without us":      {plain, "_meta cannot be added afterwards", "instead of mcp-publisher"},
		"another release": {with(sealedAt{Version: sealedFormat, Digest: digest.FromString("other")}), "has the digest", "raise the version"},
		"another format":  {with(sealedAt{Version: "2.0", Digest: digest.FromString("other")}), `is of version "2.0"`, "raise the version"},
		"another hash":    {with(sealedAt{Version: sealedFormat, Digest: digest.SHA512.FromString("other")}), `, want sha256:<hex>`, "raise the version"},
		"nonsense":        {with(sealedAt{Version: sealedFormat, Digest: "sha256:x"}), `has the digest "sha256:x"`, "raise the version"},
	} {
		for _, how := range []string{"before", "meanwhile", "meanwhile, and the registry breaks"} {
			t.Run(name+", "+how, func(t *testing.T) {
				f := newFakeMCP(t)
				f.versions = []*fakeVersion{{doc: asObject(t, tt.there)}}
				if how != "before" { // it appears between the look and the publication
					looks := 0
					f.fault = func(r *http.Request) mcpFault {
						looks++
						switch {
						case r.Method == http.MethodGet && looks == 1:
							return mcpFault{status: 404, body: "Server not found"}
						case r.URL.Path == "/v0.1/publish" && how != "meanwhile":
							return mcpFault{status: 500, body: "oh"}
						}
						return mcpFault{}
					}
				}
				state := f.state()
				_, err := f.place(t, "1.0.0", nil).Publish(context.Background(), f.release(t, "1.0.0"))
				var e *Error
				if !errors.Is(err, ErrConflict) || !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(e.Hint, tt.hint) {
					t.Errorf("got %v", err)
				}
				if d := cmp.Diff(state, f.state()); d != "" {
					t.Error(d)
				}
			})
		}
	}
	f := newFakeMCP(t)
	f.versions = []*fakeVersion{{doc: asObject(t, plain)}}
	if err := f.place(t, "1.0.0", nil).Check(context.Background()); !errors.Is(err, ErrConflict) {
		t.Errorf("Check: got %v, want a conflict before anything is built", err)
	}
}

// TestMCPRegistryTokens: who is asked for what, and to whom it goes.
func TestMCPRegistryTokens(t *testing.T) {
	for _, tt := range []struct {
		name, platform, endpoint string
		token                    bool
	}{
		{"on GitHub", "true", "POST /v0.1/auth/github-oidc", true},
		{"elsewhere", "", "POST /v0.1/auth/oidc", true},
		{"on this machine, nobody's", "", "POST /v0.1/auth/none", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeMCP(t)
			var audience string
			p := f.place(t, "1.0.0", func(e *Env) {
				e.Getenv = onlyEnv("GITHUB_ACTIONS", tt.platform)
				if tt.token {
					e.Token = func(_ context.Context, a string) (string, error) { audience = a; return fakeIdentity, nil }
				}
			})
			if err := p.Check(context.Background()); err != nil || audience != "" {
				t.Errorf("Check: %v, and asked for a token for %q", err, audience)
			}
			if _, err := p.Publish(context.Background(), f.release(t, "1.0.0")); err != nil {
				t.Fatal(err)
			}
			if f.asked(tt.endpoint) != 1 || f.asked("POST /v0.1/auth") != 1 {
				t.Errorf("asked %q", f.log)
			}
			if tt.token && audience != f.URL {
				t.Errorf("audience %q, want %q", audience, f.URL)
			}
		})
	}
	t.Run("a ready one", func(t *testing.T) {
		f := newFakeMCP(t)
		p := f.place(t, "1.0.0", func(e *Env) { e.Getenv = onlyEnv(registryTokenName, fakeBearer+"\n") })
		if _, err := p.Publish(context.Background(), f.release(t, "1.0.0")); err != nil || f.asked("POST /v0.1/auth") != 0 {
			t.Errorf("%v, asked %q", err, f.log)
		}
	})
	t.Run("none for a registry elsewhere", func(t *testing.T) {
		p, err := openMCPRegistry("https://mcp.example", Env{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.(*mcpRegistry).token(context.Background()); err == nil || !strings.Contains(err.Error(), "neither") {
			t.Errorf("got %v", err)
		}
	})
}

// TestMCPRegistryCheckToken: what a token's claims say is said before the build.
func TestMCPRegistryCheckToken(t *testing.T) {
	claims := func(text string) string { return "e30." + base64.RawURLEncoding.EncodeToString([]byte(text)) + ".c2ln" }
	for _, tt := range []struct{ token, want string }{
		{"", ""},
		{"opaque", ""},
		{"a.b.c", ""},
		{claims(`{"exp":4000000000,"permissions":[{"action":"publish","resource":"io.github.acme/*"}]}`), ""},
		{claims(`{"exp":4000000000,"permissions":[{"action":"publish","resource":"*"}]}`), ""},
		{claims(`{"exp":4000000000,"permissions":[{"action":"publish","resource":"io.github.acme/file-tools"}]}`), ""},
		{claims(`{"exp":4000000000,"permissions":[{"action":"publish","resource":"io.github.acme/file"}]}`), "want one for"},
		{claims(`{"exp":4000000000,"permissions":[{"action":"edit","resource":"io.github.acme/*"}]}`), "want one for"},
		{claims(`{"exp":4000000000,"permissions":[]}`), "want one for"},
		{claims(`{"exp":1000000000,"permissions":[{"action":"publish","resource":"*"}]}`), "the token ended at"},
		{"a b", "a token of 3 bytes"},
	} {
		f := newFakeMCP(t)
		err := f.place(t, "1.0.0", func(e *Env) { e.Getenv = onlyEnv(registryTokenName, tt.token) }).Check(context.Background())
		if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60q: got %v, want %q", tt.token, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), tt.token) {
			t.Errorf("the error shows the token: %v", err)
		}
	}
}

func TestMCPRegistryCheck(t *testing.T) {
	f := newFakeMCP(t)
	for _, tt := range []struct{ old, new, want string }{
		{`"description": "Reads files <&> nothing else"`, `"description": ""`, `it is not valid at "description": "too short"`},
		{`"packages"`, `"_meta": {"` + publisherMember + `": {"org.example/x": "` + strings.Repeat("x", 3600) + `"}}, "packages"`, "want at most 4096"},
		{`"$schema"`, `"schema"`, "HTTP 422"},
	} {
		p := f.place(t, "1.0.0", nil)
		writeText(t, p.path(), strings.Replace(readText(t, p.path()), tt.old, tt.new, 1))
		if err := p.Check(context.Background()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
	if f.state() != "" || f.asked("POST /v0.1/publish")+f.asked("POST /v0.1/auth") > 0 {
		t.Errorf("Check did more than look: %q", f.log)
	}
}
