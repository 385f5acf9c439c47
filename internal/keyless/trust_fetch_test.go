package keyless_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/keyless/keylesstest"
)

func repository(t *testing.T, s *keylesstest.Sigstore) *keylesstest.Repository {
	return keylesstest.NewRepository(t, map[string][]byte{
		"trusted_root.json": s.TrustedRoot(), "signing_config.v0.2.json": s.SigningConfig("https://sign.example"),
	}, time.Now().Add(time.Hour))
}

func serve(t *testing.T, h http.Handler) string {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestFetchTrust(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	r := repository(t, s)
	url, dir := serve(t, r), t.TempDir()
	for _, o := range []keyless.TUFOptions{
		{Mirror: url, Root: r.Root},
		{Mirror: url, Root: r.Root, CacheDir: dir},
		{Mirror: url, Root: r.Root, CacheDir: dir}, // from the cache
	} {
		tr, config, err := keyless.FetchTrust(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tr.Verify(s.Sign(t, statement).Bundle); err != nil {
			t.Error(err)
		}
		if want := s.SigningConfig("https://sign.example"); !bytes.Equal(config, want) {
			t.Errorf("signing config: got %s", config)
		}
		if want := "given TUF repository, trusted root fetched from " + strings.TrimPrefix(url, "http://"); tr.Source() != want {
			t.Errorf("source: got %q, want %q", tr.Source(), want)
		}
	}
}

func TestFetchTrustWithoutSigningConfig(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	r := keylesstest.NewRepository(t, map[string][]byte{"trusted_root.json": s.TrustedRoot()}, time.Now().Add(time.Hour))
	tr, config, err := keyless.FetchTrust(t.Context(), keyless.TUFOptions{Mirror: serve(t, r), Root: r.Root})
	if err != nil || config != nil || tr == nil {
		t.Errorf("got config %q, %v", config, err)
	}
}

// TestFetchTrustRefuses: a repository that answers what does not hold. Each of
// these is somebody's doing, not an outage.
func TestFetchTrustRefuses(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	good, other := repository(t, s), repository(t, s)
	expired := keylesstest.NewRepository(t, map[string][]byte{"trusted_root.json": s.TrustedRoot()}, time.Now().Add(-time.Hour))
	changed := func(part string, to []byte) *keylesstest.Repository {
		r := repository(t, s)
		for name := range r.Files {
			if strings.HasSuffix(name, part) {
				r.Files[name] = to
			}
		}
		return r
	}
	target := changed("trusted_root.json", []byte("{}"))
	config := changed("signing_config.v0.2.json", []byte("{}"))
	missing := changed("signing_config.v0.2.json", nil)
	delete(missing.Files, "timestamp.json")
	garbage := keylesstest.NewRepository(t, map[string][]byte{"trusted_root.json": []byte(`{"mediaType":"x"}`)}, time.Now().Add(time.Hour))
	none := keylesstest.NewRepository(t, map[string][]byte{"x": nil}, time.Now().Add(time.Hour))
	for name, c := range map[string]struct {
		r    *keylesstest.Repository
		root []byte
		want string
	}{
		"expired":                   {expired, expired.Root, "expired"},
		"another repository's root": {good, other.Root, "not enough signatures"},
		"the public-good root":      {good, nil, ""},
		"root is garbage":           {good, []byte("x"), ""},
		"target changed":            {target, target.Root, "verification failed"},
		"signing config changed":    {config, config.Root, "verification failed"},
		"timestamp missing":         {missing, missing.Root, "404"},
		"no trusted root in it":     {none, none.Root, "trusted_root.json not found"},
		"signed, and no root":       {garbage, garbage.Root, `mediaType: got "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := keyless.FetchTrust(t.Context(), keyless.TUFOptions{Mirror: serve(t, c.r), Root: c.root})
			var outage *keyless.Outage
			if err == nil || errors.As(err, &outage) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a refusal with %q", err, c.want)
			}
		})
	}
	for _, mirror := range []string{"ftp://x.example", "x.example", "https://", ":"} {
		if _, _, err := keyless.FetchTrust(t.Context(), keyless.TUFOptions{Mirror: mirror}); err == nil || !strings.Contains(err.Error(), "TUF mirror") {
			t.Errorf("mirror %q: got %v", mirror, err)
		}
	}
	if _, _, err := keyless.FetchTrust(t.Context(), keyless.TUFOptions{Profile: "x"}); err == nil {
		t.Error("an unknown profile is accepted")
	}
}

func TestFetchTrustOutage(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	r := repository(t, s)
	gone := httptest.NewServer(r)
	gone.Close()
	for name, url := range map[string]string{
		"nobody listens": gone.URL,
		"error 500":      serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })),
		"cut off": serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("{"))
		})),
		"redirects for ever": serve(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, q.URL.Path+"x", http.StatusFound) })),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := keyless.FetchTrust(t.Context(), keyless.TUFOptions{Mirror: url, Root: r.Root})
			var outage *keyless.Outage
			if !errors.As(err, &outage) || outage.Attempts < 3 || !strings.Contains(err.Error(), "TUF repository") {
				t.Errorf("got %v, want an outage", err)
			}
		})
	}
}

// TestFetchTrustRecovers: one failure does not end it.
func TestFetchTrustRecovers(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	r := repository(t, s)
	var n atomic.Int32
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if n.Add(1) == 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.ServeHTTP(w, q)
	}))
	if _, _, err := keyless.FetchTrust(t.Context(), keyless.TUFOptions{Mirror: url, Root: r.Root}); err != nil {
		t.Error(err)
	}
}

// TestFetchTrustEndsWithContext: the caller's context ends the wait for a
// repository that takes the connection and says nothing.
func TestFetchTrustEndsWithContext(t *testing.T) {
	asked, done := make(chan struct{}, 16), make(chan struct{})
	url := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		asked <- struct{}{}
		<-done
	}))
	defer close(done)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	s := keylesstest.New(t, keylesstest.Options{})
	_, _, err := keyless.FetchTrust(ctx, keyless.TUFOptions{Mirror: url, Root: repository(t, s).Root})
	var outage *keyless.Outage
	if !errors.As(err, &outage) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's end", err)
	}
}

// TestFetchTrustIsEncrypted: https does not lead to http.
func TestFetchTrustIsEncrypted(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	r := repository(t, s)
	plain := serve(t, r)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, plain+q.URL.Path, http.StatusFound)
	}))
	defer srv.Close()
	_, _, err := keyless.FetchTrust(t.Context(), keyless.TUFOptions{Mirror: srv.URL, Root: r.Root, Transport: srv.Client().Transport})
	if err == nil || !strings.Contains(err.Error(), "redirected from https to http") {
		t.Errorf("got %v", err)
	}
}
