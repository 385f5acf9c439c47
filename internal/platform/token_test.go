package platform

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

func hintOf(err error) string {
	if e, ok := errors.AsType[*TokenError](err); ok {
		return e.Hint
	}
	return ""
}

func TestTokensWhereThereAreNone(t *testing.T) {
	for _, tt := range []struct {
		name       string
		env        env
		text, hint string
	}{
		{"GitHub without the permission", githubJob.with(env{requestURLVariable: "", requestTokenVariable: ""}), requestURLVariable, "id-token: write"},
		{"GitHub, the URL alone", githubJob.with(env{requestTokenVariable: ""}), requestURLVariable, "id-token: write"},
		{"GitHub does not take a token of another's", githubJob.with(env{requestURLVariable: "", idTokenVariable: "a.b.c"}), requestURLVariable, "id-token: write"},
		{"GitLab without id_tokens", gitlabJob, idTokenVariable, "aud: sigstore"},
		{"GitLab, empty", gitlabJob.with(env{idTokenVariable: " \n"}), idTokenVariable, "aud: sigstore"},
		{"another CI", env{"CI": "true"}, idTokenVariable, "--key"},
		{"desk", env{}, idTokenVariable, "--key"},
		{"desk with GitHub's variables", env{requestURLVariable: requestURL, requestTokenVariable: requestSecret}, idTokenVariable, "--key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Tokens(tt.env.get, TokenOptions{})
			if s != nil || !errors.Is(err, ErrNoToken) || !strings.Contains(err.Error(), tt.text) || !strings.Contains(hintOf(err), tt.hint) {
				t.Errorf("got %v, %v (hint %q), want ErrNoToken with %q and hint %q", s, err, hintOf(err), tt.text, tt.hint)
			}
		})
	}
}

// Rule 1: a source that exists has asked nobody.
func TestTokensAsksNobody(t *testing.T) {
	w := newWorld(t)
	w.tokensOf(githubJob)
	w.tokensOf(gitlabJob.with(env{idTokenVariable: signed(gitlabClaims())}))
	if len(w.count) != 0 || w.commands.Len() != 0 {
		t.Errorf("requests %v, commands %q, want none", w.count, w.commands.String())
	}
}

func TestGitHubToken(t *testing.T) {
	w := newWorld(t)
	token, err := w.tokensOf(githubJob).Token(t.Context(), "sigstore")
	if err != nil {
		t.Fatal(err)
	}
	if want := w.tokens[len(w.tokens)-1]; token != want {
		t.Errorf("got token %q, want %q", token, want)
	}
	// The mask is the first thing that was ever written, on a line of its own.
	if got, want := strings.ReplaceAll(w.commands.String(), "\r", ""), "\n::add-mask::"+token+"\n"; got != want {
		t.Errorf("commands %q, want %q", got, want)
	}
	w.wantNoSecrets(nil)
	if len(w.lines) != 0 {
		t.Errorf("lines %q, want none", w.lines)
	}
}

func TestTokenIsRefused(t *testing.T) {
	good := githubClaims("sigstore")
	for _, tt := range []struct {
		name  string
		token string
		text  string
		hint  string
	}{
		{"expired", signed(with(good, object{"exp": epoch.Add(-leeway - time.Second).Unix()})), "it has expired: its end was 2026-11-22T11:58:59Z, and here it is 2026-11-22T12:00:00Z", "clock"},
		{"of the future", signed(with(good, object{"nbf": epoch.Add(leeway + time.Second).Unix()})), `not yet valid: "nbf" is 2026-11-22T12:01:01Z`, "clock"},
		{"issued in the future", signed(with(good, object{"iat": epoch.Add(time.Hour).Unix()})), `not yet valid: "iat"`, "clock"},
		{"for somebody else", signed(with(good, object{"aud": "vault"})), `it is for another audience: got "vault", want "sigstore"`, ""},
		{"for several others", signed(with(good, object{"aud": []string{"a", "b"}})), `it is for another audience: got "a b"`, ""},
		{"for nobody", signed(with(good, object{"aud": nil})), `no claim "aud"`, ""},
		{"audience of another type", signed(with(good, object{"aud": 7})), `claim "aud" is neither`, ""},
		{"without an end", signed(with(good, object{"exp": nil})), `no claim "exp"`, ""},
		{"end of another type", signed(with(good, object{"exp": "tomorrow"})), `claim "exp" is`, ""},
		{"end beyond time", signed(with(good, object{"exp": 1e300})), `claim "exp" is`, ""},
	} {
		t.Run("GitHub: "+tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.token = func(string) string { return tt.token }
			_, err := w.tokensOf(githubJob).Token(t.Context(), "sigstore")
			w.wantError(err, ErrRefused, tt.text)
			if !strings.Contains(hintOf(err), tt.hint) {
				t.Errorf("hint %q, want %q", hintOf(err), tt.hint)
			}
		})
		for _, job := range []env{gitlabJob, {}} {
			w := newWorld(t)
			_, err := w.tokensOf(job.with(env{idTokenVariable: tt.token})).Token(t.Context(), "sigstore")
			w.wantError(err, ErrRefused, tt.text)
			if !strings.Contains(err.Error(), idTokenVariable) {
				t.Errorf("%s: %q does not name %s", tt.name, err, idTokenVariable)
			}
		}
	}
}

func TestTokenOfTheEnvironment(t *testing.T) {
	good := signed(gitlabClaims())
	parts := strings.Split(good, ".")
	for _, tt := range []struct{ name, value, text string }{
		{"a word", "hello", "got 1 parts"},
		{"two parts", parts[0] + "." + parts[1], "got 2 parts"},
		{"five parts", strings.Repeat("a.", 4) + "a", "got 5 parts"},
		{"padding", parts[0] + "." + parts[1] + "." + parts[2] + "==", "part 3 is no base64url"},
		{"stray bits", parts[0] + "." + parts[1] + ".aB", "part 3 is no base64url"},
		{"standard base64", parts[0] + "." + parts[1] + ".++//", "part 3 is no base64url"},
		{"line break inside", parts[0] + "." + parts[1] + "." + parts[2][:20] + "\n" + parts[2][20:], "part 3 is no base64url"},
		{"no signature", parts[0] + "." + parts[1] + ".", "part 3 is no base64url"},
		{"no claims", parts[0] + ".." + parts[2], "part 2 is no base64url"},
		{"header of another kind", b64([]byte("[]")) + "." + parts[1] + "." + parts[2], "header"},
		{"claims twice", parts[0] + "." + b64([]byte(`{"aud":"a","aud":"sigstore"}`)) + "." + parts[2], "claims"},
		{"claims of another kind", parts[0] + "." + b64([]byte(`null`)) + "." + parts[2], "claims"},
		{"JSON form of a JWS", `{"payload":"` + parts[1] + `","signatures":[]}`, "got 1 parts"},
		{"huge", strings.Repeat("a", maxToken+1), "bytes, want at most"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.tokensOf(gitlabJob.with(env{idTokenVariable: tt.value})).Token(t.Context(), "sigstore")
			w.wantError(err, ErrRefused, tt.text)
		})
	}
	for name, job := range map[string]env{"GitLab": gitlabJob, "desk": {}} {
		w := newWorld(t)
		got, err := w.tokensOf(job.with(env{idTokenVariable: " " + good + "\n"})).Token(t.Context(), "sigstore")
		if err != nil || got != good {
			t.Errorf("%s: got %q, %v, want the token without space around it", name, got, err)
		}
		if len(w.count) != 0 || w.commands.Len() != 0 {
			t.Errorf("%s: requests %v, commands %q, want none", name, w.count, w.commands.String())
		}
	}
}

// What leads to no runner, or fails, masks nothing: the token is kept back.
func TestTokenThatCannotBeMasked(t *testing.T) {
	for name, commands := range map[string]io.Writer{"no way": nil, "closed": closedWriter{}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			o.Commands = commands
			s, err := Tokens(githubJob.get, o)
			if err != nil {
				t.Fatal(err)
			}
			token, err := s.Token(t.Context(), "sigstore")
			if token != "" {
				t.Error("got a token that is not masked")
			}
			w.wantError(err, ErrRefused, "mask")
		})
	}
}

type closedWriter struct{}

func (closedWriter) Write(p []byte) (int, error) {
	return 0, errors.New("write " + string(p) + ": broken pipe")
}

func TestRequestURL(t *testing.T) {
	for _, tt := range []struct {
		url  string
		want bool
	}{
		{"https://run.actions.example/idtoken?api-version=2.0", true},
		{"http://run.actions.example/idtoken?api-version=2.0", false},
		{"http://127.0.0.1.evil.example/idtoken?api-version=2.0", false},
		{"http://10.0.0.1/idtoken?api-version=2.0", false},
		{"http:///idtoken?api-version=2.0", false},
		{"file:///etc/passwd", false},
		{"://secret", false},
		{"https://a b/", false},
	} {
		w := newWorld(t)
		_, err := w.tokensOf(githubJob.with(env{requestURLVariable: tt.url})).Token(t.Context(), "sigstore")
		if tt.want && err != nil {
			t.Errorf("%q: %v", tt.url, err)
		}
		if !tt.want {
			w.wantError(err, ErrNoToken, requestURLVariable+": want an https URL")
			if len(w.count) != 0 {
				t.Errorf("%q was asked", tt.url)
			}
		}
	}
}

// A runner of tests on this machine may go without TLS.
func TestRequestURLOnThisMachine(t *testing.T) {
	w := newWorld(t)
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]"} {
		o := w.options()
		o.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Scheme != "http" {
				t.Errorf("scheme %q", r.URL.Scheme)
			}
			r = r.Clone(r.Context())
			r.URL.Scheme = "https"
			return w.options().Transport.RoundTrip(r)
		})
		s, err := Tokens(githubJob.with(env{requestURLVariable: "http://" + host + "/idtoken?api-version=2.0"}).get, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Token(t.Context(), "sigstore"); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTokenCancelled(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w := newWorld(t)
		for _, job := range []env{githubJob, gitlabJob.with(env{idTokenVariable: signed(gitlabClaims())})} {
			s := w.tokensOf(job)
			if _, err := s.Token(ctx, "sigstore"); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
			if _, err := s.Facts(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
		}
	})
	t.Run("while the service sleeps", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := newWorld(t)
		w.answer = failing(forever, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		if _, err := w.tokensOf(githubJob).Token(ctx, "sigstore"); !errors.Is(err, context.Canceled) || len(w.lines) != 0 {
			t.Errorf("got %v and lines %q, want context.Canceled and none", err, w.lines)
		}
	})
	t.Run("while waiting", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := newWorld(t)
		w.answer = failing(forever, status(500))
		o := w.options()
		o.Notify = func(string) { cancel() }
		o.Wait = nil // the real one
		s, err := Tokens(githubJob.get, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Token(ctx, "sigstore"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

// A default transport takes its proxy from the environment.
func TestDefaultTransport(t *testing.T) {
	s, err := Tokens(githubJob.get, TokenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tr, ok := s.transport.(*http.Transport)
	if !ok || tr.Proxy == nil || tr == http.DefaultTransport {
		t.Errorf("got %#v, want a copy of http.DefaultTransport with its proxy", s.transport)
	}
}

func TestWithhold(t *testing.T) {
	for name, value := range map[string]string{idTokenVariable: "t", requestTokenVariable: "r", "ACTIONS_RUNTIME_TOKEN": "x", "HOME": "/h"} {
		t.Setenv(name, value)
	}
	t.Setenv(requestURLVariable, "")
	if !Exposed(os.Getenv) {
		t.Error("not exposed before")
	}
	getenv, err := Withhold(os.Getenv, os.Unsetenv)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range credentials {
		if got := os.Getenv(name); got != "" {
			t.Errorf("%s is still %q in the environment", name, got)
		}
	}
	if getenv(idTokenVariable) != "t" || getenv(requestTokenVariable) != "r" || getenv("ACTIONS_RUNTIME_TOKEN") != "x" || getenv(requestURLVariable) != "" || getenv("HOME") != "/h" {
		t.Error("the new getenv does not know what was taken")
	}
	// Taken out is not taken back: the exposure was before us.
	if !Exposed(getenv) || !Exposed(githubJob.get) || Exposed(env{"HOME": "/h"}.get) {
		t.Error("exposure is misjudged")
	}
	if _, err := Withhold(env{idTokenVariable: "t"}.get, func(string) error { return errors.New("no") }); err == nil {
		t.Error("a variable that stays is no error")
	}
}
