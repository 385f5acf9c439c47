package publish

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/internal/publish/ocitest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

func TestOCITargets(t *testing.T) {
	env := Env{Getenv: func(string) string { return "" }}
	sum := strings.Repeat("ab", 32)
	for _, bad := range []string{
		"", "tools:1.0", "acme/tools:1.0", "ghcr.io/acme/tools", "ghcr.io/acme/tools:", "ghcr.io/acme/tools@", "ghcr.io/Acme/tools:1", "ghcr.io/acme/tools:a b",
		"ghcr.io/acme/tools@sha256:abc", "ghcr.io/acme/tools@sha256:" + strings.ToUpper(sum), "ghcr.io/acme/tools:b/@sha256:" + sum, "ghcr.io/../tools:1",
		"https://ghcr.io/acme/tools:1", "ghcr.io/acme/tools:1?x=y", "ghcr.io:x/acme/tools:1", "ghcr.io/acme/tools:1#x", "user:s3cret@ghcr.io/acme/tools:1", "ghcr.io//tools:1",
	} {
		p, err := openOCI(bad, env)
		if err == nil {
			t.Errorf("%q: got %v, want an error", bad, p)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: the error tells: %v", bad, err)
		}
	}
	for good, want := range map[string][3]string{
		"ghcr.io/acme/tools:1.2.4":                     {"1.2.4", "1.2.4", "https"},
		"ghcr.io/acme/tools@sha256:" + sum:             {"sha256:" + sum, "", "https"},
		"ghcr.io/acme/tools:v1@sha256:" + sum:          {"sha256:" + sum, "v1", "https"},
		"localhost/tools:1":                            {"1", "1", "http"},
		"127.0.0.1:5000/a/b/c:1":                       {"1", "1", "http"},
		"[::1]:5000/a:1":                               {"1", "1", "http"},
		"localhost.example.com/tools:1":                {"1", "1", "https"},
		"registry.example:5000/acme/tools:1.2.4-rc.1_": {"1.2.4-rc.1_", "1.2.4-rc.1_", "https"},
	} {
		place, err := Open("oci://"+good, env)
		if err != nil {
			t.Errorf("%q: %v", good, err)
			continue
		}
		p := place.(*ociPlace)
		scheme := map[bool]string{true: "http", false: "https"}[p.repo.PlainHTTP]
		if got := [3]string{p.ref, p.tag, scheme}; got != want || p.String() != "oci://"+good {
			t.Errorf("%q: got %s, %q, want %q", good, p, got, want)
		}
	}
}

func TestOCIPlainHTTP(t *testing.T) {
	for _, url := range []string{"http://registry.example/v2/", "http://10.0.0.1/v2/", "ftp://127.0.0.1/"} {
		req, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (registryTransport{}).RoundTrip(req); err == nil {
			t.Errorf("%s: got no error", url)
		}
	}
}

// environment is a Getenv of these variables.
func environment(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestOCILogins(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	auths := func(host, user string) string {
		return fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte(user+":pw")))
	}
	write("docker/config.json", auths("ghcr.io", "docker"))
	podman := write("podman.json", auths("quay.example", "podman"))
	write("run/containers/auth.json", auths("run.example", "run"))
	write("broken/config.json", `{"auths":{"ghcr.io":"s3cret"`)
	gitlab := map[string]string{"CI_REGISTRY": "registry.gitlab.com", "CI_REGISTRY_USER": "gitlab-ci-token", "CI_REGISTRY_PASSWORD": "glpw"}
	for _, tt := range []struct {
		name string
		vars map[string]string
		host string
		want string // user, "" for none
	}{
		{"docker", map[string]string{"GITHUB_TOKEN": "gh"}, "ghcr.io", "docker"},
		{"podman's variable", map[string]string{"REGISTRY_AUTH_FILE": podman}, "quay.example", "podman"},
		{"podman's folder", map[string]string{"XDG_RUNTIME_DIR": filepath.Join(dir, "run")}, "run.example", "run"},
		{"another host's", nil, "ghcr.example", ""},
		{"GitLab", gitlab, "registry.gitlab.com", "gitlab-ci-token"},
		{"GitLab's for another", gitlab, "registry.gitlab.com.evil.example", ""},
		{"GitHub", map[string]string{"GITHUB_TOKEN": "gh", "GITHUB_ACTOR": "octocat", "DOCKER_CONFIG": dir}, "ghcr.io", "octocat"},
		{"GitHub's input", map[string]string{"INPUT_GITHUB-TOKEN": "gh", "DOCKER_CONFIG": dir}, "ghcr.io", "x-access-token"},
		{"GitHub's for another", map[string]string{"GITHUB_TOKEN": "gh", "DOCKER_CONFIG": dir}, "registry.example", ""},
		{"a GitHub server's own", map[string]string{"GITHUB_TOKEN": "gh", "GITHUB_SERVER_URL": "https://ghe.example", "GITHUB_ACTOR": "a"}, "containers.ghe.example", "a"},
		{"a GitHub server's for github.com", map[string]string{"GITHUB_TOKEN": "gh", "GITHUB_SERVER_URL": "https://ghe.example", "DOCKER_CONFIG": dir}, "ghcr.io", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vars := map[string]string{"DOCKER_CONFIG": filepath.Join(dir, "docker")}
			for k, v := range tt.vars {
				vars[k] = v
			}
			got, err := logins(environment(vars), tt.host)(context.Background(), tt.host)
			if err != nil || got.Username != tt.want {
				t.Errorf("got %q, %v, want %q", got.Username, err, tt.want)
			}
			if other, err := logins(environment(vars), tt.host)(context.Background(), "elsewhere.example"); err != nil || other.Password != "" {
				t.Errorf("for another host: got %q, %v", other.Username, err)
			}
		})
	}
	_, err := logins(environment(map[string]string{"DOCKER_CONFIG": filepath.Join(dir, "broken")}), "ghcr.io")(context.Background(), "ghcr.io")
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a broken file: got %v", err)
	}
}

// tokenRegistry lets those in who bring a token from its own service, which gives
// what the login "acme" may do, and nobody else any.
type tokenRegistry struct {
	*ocitest.Registry
	actions string
	scopes  []string
}

const ociPassword = "s3cret-pa55word"

func (g *tokenRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"access":[{"type":"repository","name":"acme/tools","actions":[`+g.actions+`]}]}`)) + ".s3cret-signature"
	switch {
	case r.URL.Path == "/token":
		g.scopes = r.URL.Query()["scope"]
		if _, password, _ := r.BasicAuth(); password != ociPassword {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
			return
		}
		fmt.Fprintf(w, `{"token":%q}`, token)
	case r.Header.Get("Authorization") != "Bearer "+token:
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="registry",scope="repository:acme/tools:pull"`)
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method != http.MethodGet && r.Method != http.MethodHead && !strings.Contains(g.actions, "push"):
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`)
	default:
		g.Registry.ServeHTTP(w, r)
	}
}

// TestOCICheck: whether a push would be let in is known before anything is built,
// as far as the registry's token tells, and asking changes nothing.
func TestOCICheck(t *testing.T) {
	inner := &ocitest.Registry{Referrers: true}
	open := newOCIWorld(t, inner)
	image := open.pushImage("1.0.0", "one")
	before := inner.State()
	for _, tt := range []struct {
		name, actions, password string
		readOnly, ok            bool
	}{
		{"push", `"pull","push"`, ociPassword, false, true},
		{"everything", `"*"`, ociPassword, false, true},
		{"pull only", `"pull"`, ociPassword, false, false},
		{"pull only, for a source", `"pull"`, ociPassword, true, true},
		{"wrong password", `"pull","push"`, "wrong-s3cret", false, false},
		{"no login", `"pull","push"`, "", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := &tokenRegistry{Registry: inner, actions: tt.actions}
			w, ctx := newOCIWorld(t, g), context.Background()
			p := w.place("1.0.0", func(e *Env) {
				e.ReadOnly = tt.readOnly
				if tt.password != "" {
					e.Getenv = environment(map[string]string{
						"DOCKER_CONFIG": t.TempDir(), "CI_REGISTRY": w.host, "CI_REGISTRY_USER": "acme", "CI_REGISTRY_PASSWORD": tt.password,
					})
				}
			})
			err := p.Check(ctx)
			if (err == nil) != tt.ok {
				t.Fatalf("got %v, want no error %v", err, tt.ok)
			}
			scope := "repository:acme/tools:pull,push"
			if tt.readOnly {
				scope = "repository:acme/tools:pull"
			}
			if diff := cmp.Diff([]string{scope}, g.scopes); diff != "" {
				t.Errorf("scope (-want +got):\n%s", diff)
			}
			if err != nil {
				wantQuiet(t, err, w.host)
			}
			for _, r := range w.requests() {
				if !strings.HasPrefix(r, "GET ") && !strings.HasPrefix(r, "HEAD ") {
					t.Errorf("%s: Check changes nothing", r)
				}
			}
			if tt.ok && !tt.readOnly {
				if _, err := p.Publish(ctx, ociRelease(t, "1.0.0", image, nil)); err != nil {
					t.Errorf("Publish: %v", err)
				}
				before = inner.State()
			}
		})
	}
	if diff := cmp.Diff(before, inner.State()); diff != "" {
		t.Errorf("the registry changed:\n%s", diff)
	}
}

// wantQuiet checks that an error has a hint that names host, and no secret.
func wantQuiet(t *testing.T, err error, host string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("got %v, want a hint", err)
		return
	}
	if text := e.Error() + e.Hint; strings.Contains(text, "s3cret") || strings.Contains(text, "\n") || len(text) > 2000 {
		t.Errorf("it tells too much: %s", text)
	}
	if host != "" && !strings.Contains(e.Hint, "CI_REGISTRY") && !strings.Contains(e.Hint, host) {
		t.Errorf("hint: got %q, want it to name %s", e.Hint, host)
	}
}

// TestOCIErrors: what a registry refuses, and what its owner can change.
func TestOCIErrors(t *testing.T) {
	const push, list, look = "PUT manifest", "GET referrers", "GET image"
	for _, tt := range []struct {
		name, at string
		status   int
		body     string
		sentinel error
		hint     string
	}{
		{"unauthorized", push, 401, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, verify.ErrUnavailable, "docker login"},
		{"denied", push, 403, `{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}`, verify.ErrUnavailable, "the right to write"},
		{"no such name", look, 404, `{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}`, verify.ErrNoRelease, "push the image first"},
		{"no such image", look, 404, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`, verify.ErrNoRelease, "push the image first"},
		{"read only", push, 405, `{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}`, verify.ErrUnavailable, "mirrors"},
		{"too large", push, 413, `<html>s3cret</html>`, verify.ErrUnavailable, "quota"},
		{"quota", push, 403, `{"errors":[{"code":"DENIED","message":"adding 1 MiB of storage resource will exceed the configured upper limit"}]}`, verify.ErrUnavailable, "quota"},
		{"immutable tags", push, 400, `{"errors":[{"code":"TAG_INVALID","message":"the tag is immutable"}]}`, verify.ErrUnavailable, "sha256-"},
		{"old registry", push, 400, `{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid"}]}`, verify.ErrUnavailable, "OCI 1.1"},
		{"rate limit", list, 429, `{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit"}]}`, verify.ErrUnavailable, "limits how often"},
		{"outage", push, 500, ``, verify.ErrUnavailable, "own"},
		{"a stranger's text", push, 403, `{"errors":[{"code":"D\u001b[31m\n","message":"` + strings.Repeat("x\\n\\u202e", 500) + ` http://x.example/?sig=s3cret"}]}`, verify.ErrUnavailable, "write"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inner := &ocitest.Registry{Referrers: true}
			image := newOCIWorld(t, inner).pushImage("1.0.0", "one")
			w := newOCIWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				hit := map[string]bool{
					push: r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/"),
					list: strings.Contains(r.URL.Path, "/referrers/"),
					look: strings.HasSuffix(r.URL.Path, "/manifests/1.0.0"),
				}
				if !hit[tt.at] {
					inner.ServeHTTP(rw, r)
					return
				}
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(tt.status)
				fmt.Fprint(rw, tt.body)
			}))
			_, err := w.place("1.0.0").Publish(context.Background(), ociRelease(t, "1.0.0", image, nil))
			var e *Error
			if !errors.As(err, &e) || e.Status != tt.status || !errors.Is(err, tt.sentinel) || !strings.Contains(e.Hint, tt.hint) {
				t.Fatalf("got %v\nhint %+v\nwant HTTP %d, %v, hint with %q", err, e, tt.status, tt.sentinel, tt.hint)
			}
			wantQuiet(t, err, "")
		})
	}
}

func TestOCIScrub(t *testing.T) {
	got := scrub(`PUT "https://x.example/v2/a/blobs/uploads/1?_state=s3cret&digest=x": and https://y.example/?sig=s3cret ` + strings.Repeat("x", 1000))
	if strings.Contains(got, "s3cret") || !strings.Contains(got, "x.example/v2/a/blobs/uploads/1") || !strings.Contains(got, "y.example") || len(got) > 400 {
		t.Errorf("got %q", got)
	}
}

// TestOCIHints names the settings of the platform that a registry belongs to.
func TestOCIHints(t *testing.T) {
	gitlab := environment(map[string]string{"CI_REGISTRY": "registry.gitlab.com"})
	none := environment(nil)
	for _, tt := range []struct {
		host   string
		getenv func(string) string
		push   bool
		want   string
	}{
		{"ghcr.io", none, true, "packages: write"},
		{"ghcr.io", none, false, "packages: read"},
		{"registry.gitlab.com", gitlab, true, "Job token permissions"},
		{"registry.example", none, true, "docker login registry.example"},
	} {
		if got := loginHint(tt.host, tt.getenv, tt.push); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want it with %q", tt.host, got, tt.want)
		}
	}
}

func TestOCIUnreachable(t *testing.T) {
	p, err := newOCI("127.0.0.1:1/acme/tools:1.0.0", Env{Getenv: noEnv(t)}, fetch.Client())
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]error{
		"Check": p.Check(context.Background()),
		"Latest": func() error {
			_, err := p.Latest(context.Background())
			return err
		}(),
	} {
		if !errors.Is(got, verify.ErrUnavailable) || errors.Is(got, verify.ErrNoRelease) {
			t.Errorf("%s: got %v, want ErrUnavailable", name, got)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	if err := p.Check(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("out of time: got %v", err)
	}
}

func TestOCIAttestationURI(t *testing.T) {
	sealed, seen := digest.FromString("sealed"), digest.FromString("seen")
	docker := Coming{Provenance: true, Artifact: &seal.Artifact{Type: seal.Docker, Digest: sealed}}
	npm := Coming{Provenance: true, Artifact: &seal.Artifact{Type: seal.NPM, Digest: sealed}}
	for _, tt := range []struct {
		name, target string
		coming       Coming
		checked      bool
		want         string // "error" for one
	}{
		{"no provenance", "ghcr.io/acme/tools:1", Coming{Artifact: docker.Artifact}, true, ""},
		{"on this machine", "localhost:5000/acme/tools:1", docker, true, ""},
		{"the image that is sealed", "ghcr.io/acme/tools:1", docker, false, "oci://ghcr.io/acme/tools@" + string(sealed)},
		{"the image that was seen", "ghcr.io/acme/tools:1", npm, true, "oci://ghcr.io/acme/tools@" + string(seen)},
		{"by digest", "ghcr.io/acme/tools@" + string(seen), npm, false, "oci://ghcr.io/acme/tools@" + string(seen)},
		{"nobody knows", "ghcr.io/acme/tools:1", npm, false, "error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := newOCI(tt.target, Env{Getenv: noEnv(t)}, fetch.Client())
			if err != nil {
				t.Fatal(err)
			}
			if tt.checked {
				p.image = &v1.Descriptor{Digest: seen}
			}
			got, err := p.AttestationURI(tt.coming)
			if err != nil {
				got = "error"
			}
			if got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// TestBundlesAt follows a manifest's oci:// URI to the provenance beside an image:
// ours, and what others put there in their way.
func TestBundlesAt(t *testing.T) {
	for name, api := range map[string]bool{"API": true, "tag": false} {
		t.Run(name, func(t *testing.T) {
			w, ctx := newOCIWorld(t, &ocitest.Registry{Referrers: api}), context.Background()
			image := w.pushImage("1.0.0", "one")
			uri := "oci://" + w.host + "/acme/tools@" + string(image)
			if _, err := BundlesAt(ctx, fetch.Client(), uri); !errors.Is(err, verify.ErrUnavailable) {
				t.Errorf("with none: got %v, want ErrUnavailable", err)
			}
			release := ociRelease(t, "1.0.0", image, nil)
			p := w.place("1.0.0")
			if _, err := p.Publish(ctx, release); err != nil {
				t.Fatal(err)
			}
			subject, _, err := p.subject(ctx)
			if err != nil {
				t.Fatal(err)
			}
			manifest, blobs, err := packArtifact(release, DefaultStem, subject, "")
			if err != nil {
				t.Fatal(err)
			}
			// As others do: no release, but a bundle with its own type.
			theirs := bytes.Replace(manifest.data, []byte(`"artifactType":"`+MediaType), []byte(`"artifactType":"`+BundleMediaType), 1)
			theirs = bytes.ReplaceAll(theirs, []byte(release.Payload), []byte(digest.FromString("x")))
			desc := v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: digest.FromBytes(theirs), Size: int64(len(theirs))}
			for _, b := range append(blobs, blob{desc, theirs}) {
				if err := p.repo.Push(ctx, b.desc, bytes.NewReader(b.data)); err != nil {
					t.Fatal(err)
				}
			}
			got, err := BundlesAt(ctx, fetch.Client(), uri)
			if diff := cmp.Diff([][]byte{release.Provenance, release.Provenance}, got); diff != "" || err != nil {
				t.Errorf("got %v (-want +got):\n%s", err, diff)
			}
			if _, err := BundlesAt(ctx, fetch.Guarded(), uri); !errors.Is(err, verify.ErrUnavailable) {
				t.Errorf("a stranger's URI to this machine: got %v, want ErrUnavailable", err)
			}
		})
	}
	for _, bad := range []string{"", "https://ghcr.io/acme/tools", "oci://ghcr.io/acme/tools:1", "oci://u:s3cret@ghcr.io/acme/tools@" + string(digest.FromString(""))} {
		if _, err := BundlesAt(context.Background(), fetch.Client(), bad); !errors.Is(err, verify.ErrUnavailable) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: got %v, want ErrUnavailable", bad, err)
		}
	}
}

// TestOCIRetries: what is asked again when a registry has trouble for a moment, by
// the client that is used in earnest.
func TestOCIRetries(t *testing.T) {
	for name, api := range map[string]bool{"API": true, "tag": false} {
		t.Run(name, func(t *testing.T) {
			r := &ocitest.Registry{Referrers: api}
			w := newOCIWorld(t, r)
			image := w.pushImage("1.0.0", "one")
			failed := map[string]int{}
			trouble := func(r *http.Request) int {
				what := r.Method + " " + r.URL.Path
				if strings.Contains(r.URL.Path, "/uploads/") {
					what = r.Method + " upload"
				}
				if failed[what]++; failed[what] == 1 {
					return http.StatusServiceUnavailable
				}
				return 0
			}
			w.before = trouble
			client := retrying(fetch.Client(), Env{})
			client.Transport.(*retry).sleep = func(context.Context, time.Duration) error { return nil }
			p, err := newOCI(w.host+"/acme/tools:1.0.0", Env{Getenv: noEnv(t), Stem: DefaultStem}, client)
			if err != nil {
				t.Fatal(err)
			}
			p.wait = func(context.Context, time.Duration) error { return nil }
			release := ociRelease(t, "1.0.0", image, nil)
			if got, err := p.Publish(context.Background(), release); err != nil || got.State != Published {
				t.Errorf("got %+v, %v", got, err)
			}
			if list := "PUT /v2/acme/tools/manifests/" + referrersTag(image); !api {
				asked, read := w.requests(), "GET /v2/acme/tools/manifests/"+referrersTag(image)
				first := slices.Index(asked, list)
				second := slices.Index(asked[first+1:], list)
				if first < 0 || second < 0 || !slices.Contains(asked[first:first+1+second], read) {
					t.Errorf("the list was written twice, and not read in between: %q", asked)
				}
			}
		})
	}
}
