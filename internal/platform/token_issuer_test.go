package platform

import (
	"bytes"
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	githubURL  = "https://token.actions.githubusercontent.com"
	tenantURL  = "https://token.actions.acme.ghe.com"
	gitlabURL  = "https://gitlab.com"
	requestURL = "https://run.actions.example/idtoken?api-version=2.0"
	// requestSecret is what a runner gives a job to ask for tokens with.
	requestSecret = "request-token-8c1f"
)

// epoch is when every test takes place.
var epoch = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// keys are made once: RSA takes its time.
var keys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var k [2]*rsa.PrivateKey
	for n := range k {
		var err error
		if k[n], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return k
})

type object = map[string]any

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func asJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// jwt signs payload by RS256 under a header.
func jwt(key *rsa.PrivateKey, header object, payload []byte) string {
	in := b64(asJSON(header)) + "." + b64(payload)
	sum := sha256.Sum256([]byte(in))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return in + "." + b64(sig)
}

var rs256 = object{"alg": "RS256", "typ": "JWT", "kid": "k1"}

// signed is a token of the issuer's first key.
func signed(claims object) string { return jwt(keys()[0], rs256, asJSON(claims)) }

// hs256 is a token whose secret is the issuer's public key.
func hs256(claims object) string {
	in := b64(asJSON(object{"alg": "HS256", "kid": "k1"})) + "." + b64(asJSON(claims))
	m := hmac.New(sha256.New, x509.MarshalPKCS1PublicKey(&keys()[0].PublicKey))
	m.Write([]byte(in))
	return in + "." + b64(m.Sum(nil))
}

func with(claims object, more object) object {
	out := maps.Clone(claims)
	for name, value := range more {
		if value == nil {
			delete(out, name)
		} else {
			out[name] = value
		}
	}
	return out
}

func githubClaims(audience string) object {
	return object{
		"iss": githubURL, "aud": audience, "sub": "repo:Octo-Org/octo-repo:ref:refs/tags/v1.2.3", "jti": "j",
		"iat": epoch.Unix(), "nbf": epoch.Add(-10 * time.Minute).Unix(), "exp": epoch.Add(5 * time.Minute).Unix(),
		"ref": "refs/tags/v1.2.3", "ref_type": "tag", "sha": sha1Hash, "repository": "Octo-Org/octo-repo", "repository_id": "74",
		"repository_visibility": "public", "repository_owner": "Octo-Org", "repository_owner_id": "65",
		"run_id": "30433642", "run_number": "10", "run_attempt": "2", "event_name": "push", "runner_environment": "github-hosted",
		"workflow_ref":     "Octo-Org/octo-repo/.github/workflows/my release.yml@refs/tags/v1.2.3",
		"job_workflow_ref": "Octo-Org/ci/.github/workflows/build.yml@refs/tags/v4",
	}
}

func gitlabClaims() object {
	return object{
		"iss": gitlabURL, "aud": "sigstore", "sub": "project_path:group/sub/x:ref_type:branch:ref:main", "jti": "j",
		"iat": epoch.Unix(), "nbf": epoch.Add(-5 * time.Second).Unix(), "exp": epoch.Add(time.Hour).Unix(),
		"namespace_id": "72", "namespace_path": "group/sub", "project_id": "20", "project_path": "group/sub/x",
		"project_visibility": "private", "user_email": "someone@example.com", "groups_direct": []string{"a", "b"},
		"pipeline_id": "574", "pipeline_source": "push", "job_id": "302", "ref": "main", "ref_type": "branch",
		"ref_path": "refs/heads/main", "ref_protected": "true", "runner_id": 12270835, "runner_environment": "gitlab-hosted",
		"sha": sha1Hash, "ci_config_ref_uri": "gitlab.com/group/sub/x//.gitlab-ci.yml@refs/heads/main", "ci_config_sha": sha1Hash,
	}
}

var githubJob = env{
	"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "octo-org/octo-repo",
	"GITHUB_SHA": sha1Hash, "GITHUB_REF": "refs/tags/v1.2.3", "GITHUB_RUN_ID": "30433642", "GITHUB_RUN_ATTEMPT": "2",
	"GITHUB_EVENT_NAME": "push", "GITHUB_REPOSITORY_ID": "74", "GITHUB_REPOSITORY_OWNER_ID": "65",
	"GITHUB_WORKFLOW_REF": "Octo-Org/octo-repo/.github/workflows/my release.yml@refs/tags/v1.2.3",
	requestURLVariable:    requestURL, requestTokenVariable: requestSecret,
}

var gitlabJob = env{
	"GITLAB_CI": "true", "CI_SERVER_URL": gitlabURL, "CI_PROJECT_PATH": "group/sub/x", "CI_PROJECT_ID": "20",
	"CI_COMMIT_SHA": sha1Hash, "CI_COMMIT_REF_NAME": "main", "CI_PIPELINE_SOURCE": "push", "CI_PIPELINE_ID": "574",
	"CI_JOB_ID": "302", "CI_RUNNER_ID": "12270835",
}

// world is every service that a job talks to, under the real host names, with
// a clock that moves only when somebody waits.
type world struct {
	t      *testing.T
	server *httptest.Server

	mu sync.Mutex
	// answer, where it is not nil and returns true, has answered the nth
	// request for a path.
	answer func(n int, w http.ResponseWriter, r *http.Request) bool
	// token is what the token service gives; nil is a good one.
	token func(audience string) string
	// jwks are the issuer's keys by their ids.
	jwks  map[string]*rsa.PrivateKey
	count map[string]int
	now   time.Time
	waits []time.Duration
	// lines and commands are what a person and the runner have seen.
	lines    []string
	commands bytes.Buffer
	// tokens are all that were ever given out.
	tokens []string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, jwks: map[string]*rsa.PrivateKey{"k1": keys()[0]}, count: map[string]int{}, now: epoch, tokens: []string{requestSecret}}
	w.server = httptest.NewTLSServer(w)
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.count[r.URL.Path]++
	n, answer := w.count[r.URL.Path], w.answer
	w.mu.Unlock()
	if answer != nil && answer(n, out, r) {
		return
	}
	reply := func(v any) {
		out.Header().Set("Content-Type", "application/json")
		out.Write(asJSON(v))
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		reply(object{"issuer": "https://" + r.Host, "jwks_uri": "https://" + r.Host + "/jwks", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}})
	case "/jwks":
		var set []object
		for kid, key := range w.jwks {
			set = append(set, object{"kty": "RSA", "use": "sig", "kid": kid, "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())})
		}
		reply(object{"keys": set})
	case "/idtoken":
		if r.Header.Get("Authorization") != "Bearer "+requestSecret || r.URL.Query().Get("api-version") != "2.0" {
			http.Error(out, "no: "+r.Header.Get("Authorization"), http.StatusUnauthorized)
			return
		}
		audience := r.URL.Query().Get("audience")
		token := signed(githubClaims(audience))
		if w.token != nil {
			token = w.token(audience)
		}
		w.given(token)
		reply(object{"count": 1, "value": token})
	default:
		http.NotFound(out, r)
	}
}

// given notes a token, so that [world.wantNoSecrets] looks for it.
func (w *world) given(token string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tokens = append(w.tokens, token)
	return token
}

// options reach this world, whatever the host's name.
func (w *world) options() TokenOptions {
	pool := x509.NewCertPool()
	pool.AddCert(w.server.Certificate())
	return TokenOptions{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, w.server.Listener.Addr().String())
			},
			TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "example.com"},
		},
		Commands: &w.commands,
		Notify:   func(line string) { w.lines = append(w.lines, line) },
		Now:      func() time.Time { return w.now },
		Wait: func(ctx context.Context, d time.Duration) error {
			w.waits = append(w.waits, d)
			w.now = w.now.Add(d)
			return ctx.Err()
		},
	}
}

func (w *world) tokensOf(e env) *TokenSource {
	w.t.Helper()
	w.given(e[idTokenVariable])
	s, err := Tokens(e.get, w.options())
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// wantNoSecrets demands that no part of any token stands in what people can
// see, the mask commands aside.
func (w *world) wantNoSecrets(err error) {
	w.t.Helper()
	seen := append([]string{}, w.lines...)
	for e := err; e != nil; e = errors.Unwrap(e) {
		seen = append(seen, fmt.Sprintf("%v|%+v|%#v", e, e, e))
	}
	if te, ok := errors.AsType[*TokenError](err); ok {
		seen = append(seen, te.Hint, fmt.Sprintf("%+v %#v", te.Err, te.Err))
	}
	for line := range strings.Lines(w.commands.String()) {
		if !strings.HasPrefix(line, "::add-mask::") {
			seen = append(seen, line)
		}
	}
	for _, token := range w.tokens {
		for part := range strings.SplitSeq(token, ".") {
			for _, text := range seen {
				if len(part) > 8 && strings.Contains(text, part) {
					w.t.Errorf("a token stands in %.300q", text)
				}
			}
		}
	}
}

// wantError demands an error of a kind with a text, one printable line of it.
func (w *world) wantError(err, kind error, text string) {
	w.t.Helper()
	w.wantNoSecrets(err)
	if err == nil || !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
		w.t.Errorf("got error %v, want %q of kind %q", err, text, kind)
		return
	}
	if !plain(err.Error()) || len(err.Error()) > 1000 {
		w.t.Errorf("the error is no short printable line: %.1200q", err)
	}
}
