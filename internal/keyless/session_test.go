package keyless

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/keyless/keylesstest"
)

func TestSession(t *testing.T) {
	w := newWorld(t, keylesstest.Options{})
	s, err := w.begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(keylesstest.GitHub(), s.Certificate()); diff != "" {
		t.Errorf("certificate: %s", diff)
	}
	message := []byte("a manifest")
	sig, err := s.Sign(message)
	if err != nil || len(sig) != 64 {
		t.Fatalf("got %d bytes, %v, want 64", len(sig), err)
	}
	if err := s.PublicKey().Verify(message, sig); err != nil {
		t.Error(err)
	}
	if err := s.PublicKey().Verify([]byte("another"), sig); err == nil {
		t.Error("the signature is of anything")
	}
	bundles, err := s.SignStatements(context.Background(), provenance)
	if err != nil {
		t.Fatal(err)
	}
	v, err := w.options.Trust.Verify(bundles[0])
	if err != nil {
		t.Fatal(err)
	}
	if v.Key.KeyID != s.KeyID() || s.PublicKey().KeyID != s.KeyID() {
		t.Errorf("key IDs: bundle %s, session %s, key %s, want one", v.Key.KeyID, s.KeyID(), s.PublicKey().KeyID)
	}
	if err := v.Key.Verify(message, sig); err != nil {
		t.Errorf("the manifest's signature under the bundle's certificate: %v", err)
	}
	// r and s may begin with zeroes, one time in 256.
	for shortR, shortS := false, false; !shortR || !shortS; {
		sig, err := s.Sign(message)
		if err != nil || s.PublicKey().Verify(message, sig) != nil {
			t.Fatalf("got %x, %v", sig, err)
		}
		shortR, shortS = shortR || sig[0] == 0, shortS || sig[32] == 0
	}
}

func TestBeginRefuses(t *testing.T) {
	w := newWorld(t, keylesstest.Options{})
	for name, c := range map[string]struct {
		change func(*Services, *SessionOptions)
		want   string
	}{
		"no trust":     {func(_ *Services, o *SessionOptions) { o.Trust = nil }, "no trusted root"},
		"no time":      {func(s *Services, _ *SessionOptions) { s.TSAs = nil }, "gives no time"},
		"no authority": {func(s *Services, _ *SessionOptions) { s.CA = Service{} }, "want https://"},
	} {
		services, options := *w.services, w.options
		c.change(&services, &options)
		asked := false
		_, err := Begin(context.Background(), &services, func(context.Context) (string, error) { asked = true; return "", nil }, options)
		if err == nil || !strings.Contains(err.Error(), c.want) || asked {
			t.Errorf("%s: got %v (token asked for: %v), want %q", name, err, asked, c.want)
		}
	}
}

func TestTokenRefused(t *testing.T) {
	part := func(claims string) string {
		return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2VjcmV0c2VjcmV0c2VjcmV0"
	}
	errPlatform := errors.New("the platform has none")
	for name, c := range map[string]struct{ token, want string }{
		"none":             {"", "the identity token is empty"},
		"no JWT":           {"hunter2hunter2hunter2hunter2", "has 1 parts"},
		"encrypted":        {"a.b.c.d.e", "has 5 parts"},
		"white space":      {part(`{"sub":"a"}`) + "\n", "part 3 of the identity token is no base64url"},
		"a header":         {"a.e30.c\r\nX-Evil: 1", "no base64url"},
		"padded":           {"eyJhbGciOiJub25lIn0.e30=.c2lnbg", "part 2"},
		"no JSON":          {part("hunter2hunter2hunter2"), "cannot be read"},
		"no object":        {part(`["hunter2hunter2hunter2"]`), "cannot be read"},
		"claims of a kind": {part(`{"sub":["hunter2hunter2hunter2"]}`), "cannot be read"},
		"no subject":       {part(`{"aud":"sigstore"}`), "names no subject"},
		"claims twice":     {part(`{"sub":"a","sub":"b"}`), "cannot be read"},
		"too long":         {part(`{"sub":"` + strings.Repeat("a", maxToken) + `"}`), "at most 65536"},
		"no token":         {"-", "identity token: the platform has none"},
	} {
		w := newWorld(t, keylesstest.Options{})
		w.tokens = []string{c.token, "hunter2hunter2hunter2"}
		w.token = func(context.Context) (string, error) {
			if c.token == "-" {
				return "", errPlatform
			}
			return c.token, nil
		}
		_, err := w.begin(context.Background())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if n := w.requests[fulcioHost]; n > 0 {
			t.Errorf("%s: Fulcio was asked", name)
		}
		w.checkSecret(err)
	}
}

// strict is a Fulcio that looks at the token's time and audience, and says of
// both the same.
func strict(_ int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
	var c struct {
		Aud string
		Exp int64
	}
	text := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	if err != nil || json.Unmarshal(body, &c) != nil || c.Aud != "sigstore" || time.Now().After(time.Unix(c.Exp, 0)) {
		return answers(400, `{"code":3,"message":"There was an error processing the identity token"}`, "Date", time.Now().UTC().Format(http.TimeFormat))(0, r, nil)
	}
	return next.RoundTrip(r)
}

// A token that expired while Fulcio was out of order is asked for again.
func TestTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, keylesstest.Options{})
		w.token = func(context.Context) (string, error) { return w.issue("sigstore", time.Minute), nil }
		w.faults[fulcioHost] = func(n int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
			if n <= 8 {
				return down(n, r, next)
			}
			return strict(n, r, next)
		}
		w.checkSigned(w.sign(context.Background()))
		if len(w.tokens) != 2 {
			t.Errorf("%d tokens were asked for, want 2", len(w.tokens))
		}
		w.checkSecret(nil)
	})
}

func TestTokenHint(t *testing.T) {
	for name, c := range map[string]struct {
		audience string
		life     time.Duration
		fixed    bool // the platform has the one token only, as GitLab
		want     string
		requests int
	}{
		"expired, fixed":        {"sigstore", -3 * time.Minute, true, "the identity token expired 3m0s ago", 1},
		"expired, always":       {"sigstore", -3 * time.Minute, false, "the identity token expired 3m0s ago", 2},
		"well":                  {"sigstore", time.Minute, true, `by "https://token.actions.githubusercontent.com", not expired`, 1},
		"audience":              {"https://github.com/acme", time.Minute, true, `is for the audience "https://github.com/acme"; Sigstore's own wants "sigstore"`, 1},
		"audience, terminal":    {"\x1b[31m", time.Minute, true, `"\x1b[31m"`, 1},
		"audience, token-sized": {strings.Repeat("a", 4000), time.Minute, true, "is for the audience", 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, keylesstest.Options{})
			fixed := w.issue(c.audience, c.life)
			w.token = func(context.Context) (string, error) {
				if c.fixed {
					return fixed, nil
				}
				time.Sleep(time.Second) // another token
				return w.issue(c.audience, c.life), nil
			}
			w.faults[fulcioHost] = strict
			if name == "well" {
				w.faults[fulcioHost] = answers(401, "")
			}
			_, err := w.begin(context.Background())
			if err == nil || !strings.Contains(err.Error(), c.want) || w.requests[fulcioHost] != c.requests {
				t.Errorf("%s: got %v after %d requests, want %q after %d", name, err, w.requests[fulcioHost], c.want, c.requests)
			}
			w.checkSecret(err)
		})
	}
}

func TestTokenNotYetValid(t *testing.T) {
	said, err := parseToken("e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"a","aud":["b","sigstore"],"nbf":946688400,"exp":1e300}`)) + ".c2ln")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := said.hint(time.Unix(946684800, 0)), "the identity token is not valid for another 1h0m0s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := said.hint(time.Unix(946688400, 0)); got != "" {
		t.Errorf("got %q, want nothing to say", got)
	}
}

// A Fulcio that answers well and lies is found before anything is signed.
func TestCertificateRefused(t *testing.T) {
	chain := func(der []byte) string {
		b, _ := json.Marshal(map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{
			"certificates": []string{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}}}})
		return string(b)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, keylesstest.Options{})
	for name, c := range map[string]struct{ answer, want string }{
		"another's key":   {chain(w.sigstore.Issue(&key.PublicKey)), "is out of order: it certifies another key"},
		"on a wide curve": {chain(w.sigstore.Issue(&wide.PublicKey)), "is out of order: it certifies another key"},
	} {
		w := newWorld(t, keylesstest.Options{})
		w.faults[fulcioHost] = answers(200, c.answer)
		_, err := w.begin(context.Background())
		var outage *Outage
		if !errors.As(err, &outage) || outage.Attempts != 1 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q at once", name, err, c.want)
		}
		w.checkSecret(err)
	}
	// A certificate of our key by an authority that nobody trusts, be it that it
	// bears the right name.
	for _, name := range []string{"other", "keylesstest"} {
		other := keylesstest.New(t, keylesstest.Options{Name: name})
		w := newWorld(t, keylesstest.Options{})
		w.faults[fulcioHost] = func(_ int, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			return roundTripTo(other, r), nil
		}
		_, err = w.begin(context.Background())
		var refused *Error
		if !errors.As(err, &refused) || refused.Stage != StageAuthority {
			t.Errorf("%s: got %v, want that the authority is not trusted", name, err)
		}
		if len(w.requests) != 1 {
			t.Errorf("%s: others than Fulcio were asked: %v", name, w.requests)
		}
	}
}

func TestClock(t *testing.T) {
	for ahead, want := range map[time.Duration]string{
		0:                 "",
		40 * time.Second:  "",
		-40 * time.Second: "",
		3 * time.Minute:   "clock is 3m0s ahead of the service's",
		11 * time.Minute:  "this machine's clock is wrong",
		-3 * time.Minute:  "this machine's clock is wrong",
		-90 * time.Minute: "this machine's clock is wrong",
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, keylesstest.Options{})
			w.options.Now = func() time.Time { return time.Now().Add(ahead) }
			dated := func(n int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
				resp, err := next.RoundTrip(r)
				resp.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
				return resp, err
			}
			w.faults[fulcioHost], w.faults[tsaHost], w.faults[rekorHost] = dated, dated, dated
			bundles, err := w.sign(context.Background())
			if wrong := ahead < -time.Minute || ahead > 9*time.Minute; wrong != (err != nil) || wrong && !errors.Is(err, ErrClock) {
				t.Errorf("clock %v ahead: got %v", ahead, err)
			} else if !wrong {
				w.checkSigned(bundles, err)
			}
			if told := fmt.Sprint(err, w.lines); !strings.Contains(told, want) || want == "" && len(w.lines) > 0 || len(w.lines) > 1 {
				t.Errorf("clock %v ahead: people were told %q, want %q once", ahead, told, want)
			}
			// An error of another kind says it, too.
			w.faults[fulcioHost] = answers(400, "no", "Date", time.Now().UTC().Format(http.TimeFormat))
			_, err = w.begin(context.Background())
			if far := ahead.Abs() > time.Minute; far != strings.Contains(fmt.Sprint(err), "this machine's clock is") {
				t.Errorf("clock %v ahead: got %v", ahead, err)
			}
		})
	}
}

func TestSecrets(t *testing.T) {
	const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvOmFjbWUifQ.c2lnbmF0dXJlc2lnbmF0dXJl"
	var s secrets
	if got := s.hide(token); got != token {
		t.Errorf("without a secret: got %q", got)
	}
	s.add("short")
	s.add(token)
	for text, want := range map[string]string{
		"":                                      "",
		"nothing":                               "nothing",
		token:                                   "[identity token]",
		"Bearer " + token + ".":                 "Bearer [identity token].",
		token + token:                           "[identity token][identity token]",
		"a " + token[3:30] + " b " + token[40:]: "a [identity token] b [identity token]",
		"x" + token[:16]:                        "x[identity token]",
		"x" + token[:15]:                        "x" + token[:15],
		strings.ReplaceAll(token, ".", "\n"):    "[identity token]\n[identity token]\n[identity token]",
		"eyJhbGciOiJIUzI1NiJ9 is another":       "eyJhbGciOiJIUzI1NiJ9 is another",
	} {
		if got := s.hide(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwiYXVkIjpbImEiLCJiIl0sImV4cCI6MX0.c2ln")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		said, err := parseToken(token)
		if err != nil && len(token) >= secretRun && strings.Contains(err.Error(), token) {
			t.Errorf("the token stands in %q", err)
		}
		said.hint(configTime)
		var s secrets
		s.add(token)
		hidden := s.hide("before " + token + " after")
		for n := 0; n+secretRun <= len(token); n++ {
			if strings.Contains(strings.ReplaceAll(hidden, "[identity token]", "\x00"), token[n:n+secretRun]) {
				t.Fatalf("%q is left of %q in %q", token[n:n+secretRun], token, hidden)
			}
		}
	})
}
