package platform

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// An issuer on this machine without TLS is for tests alone.
func TestIssuerOnThisMachine(t *testing.T) {
	s, err := Tokens(gitlabJob.with(env{"CI_SERVER_URL": "http://127.0.0.1:1", idTokenVariable: signed(gitlabClaims())}).get,
		TokenOptions{Now: func() time.Time { return epoch }})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Facts(t.Context())
	newWorld(t).wantError(err, ErrNoFacts, "CI_SERVER_URL")

	const here = "http://127.0.0.1:8080"
	w := newWorld(t)
	o := w.options()
	next := o.Transport
	o.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.URL.Scheme = "https" // what the world speaks
		return next.RoundTrip(r)
	})
	w.answer = func(_ int, out http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/jwks" {
			return false
		}
		out.Write(asJSON(object{"issuer": here, "jwks_uri": here + "/jwks"}))
		return true
	}
	s, err = Tokens(gitlabJob.with(env{"CI_SERVER_URL": here, idTokenVariable: signed(with(gitlabClaims(), object{"iss": here}))}).get, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Facts(t.Context()); err != nil {
		t.Error(err)
	}
}

// A transport's error may quote what it was to send, over several lines.
func TestTransportThatQuotes(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/idtoken", "/jwks"} {
		o := w.options()
		next := o.Transport
		o.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path != path {
				return next.RoundTrip(r)
			}
			return nil, errors.New("proxy:\r\nsent \x1b[1m" + strings.Join(w.tokens, " ") + strings.Repeat("x", 5000))
		})
		s, err := Tokens(githubJob.get, o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Facts(t.Context())
		w.wantError(err, ErrOutage, `"proxy:\r\nsent \x1b[1m`)
	}
}

// What was verified is judged, whoever looked at the token before.
func TestVerifyJudgesTimes(t *testing.T) {
	w := newWorld(t)
	_, err := w.tokensOf(githubJob).verify(t.Context(), githubURL, "nobody", w.given(signed(with(githubClaims("nobody"), object{"exp": 1}))))
	w.wantError(err, ErrRefused, "expired")
}

func TestIssuerFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		path   string
		times  int
		answer http.HandlerFunc
		text   string // "": the facts come in the end
		waits  bool
	}{
		{"discovery 404", "/.well-known/openid-configuration", forever, status(404), "HTTP 404", false},
		{"discovery 503", "/.well-known/openid-configuration", forever, status(503), "HTTP 503", true},
		{"discovery 503, then good", "/.well-known/openid-configuration", 3, status(503), "", true},
		{"discovery redirects", "/.well-known/openid-configuration", forever, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example/.well-known/openid-configuration", http.StatusMovedPermanently)
		}, "redirect", false},
		{"discovery is a page", "/.well-known/openid-configuration", forever, body("<html>"), "no strict JSON", true},
		{"discovery is a list", "/.well-known/openid-configuration", forever, body("[]"), "decode", true},
		{"discovery of another", "/.well-known/openid-configuration", forever, body(`{"issuer":"https://evil.example","jwks_uri":"https://evil.example/jwks"}`), "did not match", true},
		{"discovery is endless", "/.well-known/openid-configuration", forever, endless, "more than", false},
		{"discovery breaks off", "/.well-known/openid-configuration", forever, broken, "breaks off", true},
		{"keys without TLS", "/.well-known/openid-configuration", forever, body(`{"issuer":"` + githubURL + `","jwks_uri":"http://token.actions.githubusercontent.com/jwks"}`), "want https", false},
		{"keys from a file", "/.well-known/openid-configuration", forever, body(`{"issuer":"` + githubURL + `","jwks_uri":"file:///etc/passwd"}`), "URL has no host", false},
		{"keys from nowhere", "/.well-known/openid-configuration", forever, body(`{"issuer":"` + githubURL + `"}`), "URL has no host", false},
		{"keys 500", "/jwks", forever, status(500), "HTTP 500", true},
		{"keys 500, then good", "/jwks", 2, status(500), "", true},
		{"keys 403", "/jwks", forever, status(403), "HTTP 403", false},
		{"keys are a page", "/jwks", forever, body("<html>"), "no strict JSON", true},
		{"keys twice", "/jwks", forever, body(`{"keys":[],"keys":[]}`), "no strict JSON", true},
		{"keys are endless", "/jwks", forever, endless, "more than", false},
		{"keys break off", "/jwks", forever, broken, "breaks off", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			n := 0
			w.answer = func(_ int, out http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != tt.path {
					return false
				}
				n++
				return failing(tt.times, tt.answer)(n, out, r)
			}
			_, err := w.tokensOf(githubJob).Facts(t.Context())
			if waited := len(w.waits) > 0; waited != tt.waits || len(w.lines) != len(w.waits) {
				t.Errorf("waits %v, lines %q, want waits: %v", w.waits, w.lines, tt.waits)
			}
			for _, line := range w.lines {
				if !strings.Contains(line, githubURL) || !plain(line) {
					t.Errorf("line %q, want a printable one that names %s", line, githubURL)
				}
			}
			if tt.text == "" {
				w.wantNoSecrets(err)
				if err != nil {
					t.Error(err)
				}
				return
			}
			w.wantError(err, ErrOutage, tt.text)
			if !strings.Contains(err.Error(), githubURL) {
				t.Errorf("%q does not name the issuer", err)
			}
		})
	}
}

// Keys that fit no token are the token's fault, however odd they are.
func TestOddKeys(t *testing.T) {
	for _, odd := range []string{`{}`, `{"keys":[]}`, `{"keys":[{"kty":"oct","kid":"k1","k":"c2VjcmV0"}]}`, `{"keys":5}`} {
		w := newWorld(t)
		w.answer = func(_ int, out http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/jwks" {
				return false
			}
			io.WriteString(out, odd)
			return true
		}
		_, err := w.tokensOf(githubJob).Facts(t.Context())
		w.wantError(err, ErrRefused, "signature")
	}
}
