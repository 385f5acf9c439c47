package publish

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/verify"
)

// served is a host that serves a directory, and what it was asked for.
type served struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func serve(t testing.TB, handler http.Handler) *served {
	t.Helper()
	s := &served{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func openTestWeb(t testing.TB, url string) *website {
	t.Helper()
	w := mustOpen(t, url, testEnv()).(*website)
	skipWaits(t, w.client)
	return w
}

// TestWebStory: what well-known:DIR laid out is found again as a host serves it.
func TestWebStory(t *testing.T) {
	dir := t.TempDir()
	story := releases(t, 3)
	story[1].Provenance = []byte("provenance 1")
	link := digest.SHA512.FromBytes(payloadOf(t, story[2].Envelope))
	story = append(story, releaseOf(t, sealtest.Key(t, keys.Ed25519, "k"), 3, link, nil))
	publishAll(t, "well-known", dir, story)
	host := serve(t, http.FileServer(http.Dir(dir)))
	w := openTestWeb(t, host.URL+"/.well-known/mcp-integrity.json")
	if err := w.Check(t.Context()); err == nil || !strings.Contains(hintOf(err), "well-known:DIR") {
		t.Errorf("Check: got %v, want wrong use", err)
	}
	if _, err := w.Publish(t.Context(), story[0]); err == nil {
		t.Error("Publish: no error")
	}
	r, err := w.Latest(t.Context())
	if err != nil || string(r.Envelope) != string(story[3].Envelope) || string(r.Snapshot) != string(story[3].Snapshot) || r.Ref != w.String() {
		t.Errorf("Latest: %q at %s, %v", r.Snapshot, r.Ref, err)
	}
	var want []digest.Digest
	for _, s := range story {
		want = append(want, s.Payload)
		for _, alg := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
			r, err := w.Find(t.Context(), alg.FromBytes(payloadOf(t, s.Envelope)))
			known := alg == digest.SHA256 || s.Payload == story[2].Payload || s.Payload == story[3].Payload
			if known && (err != nil || string(r.Envelope) != string(s.Envelope) || string(r.Snapshot) != string(s.Snapshot) || string(r.Provenance) != string(s.Provenance)) {
				t.Errorf("Find %s of %s: %q, %v", alg, lineage.VersionOf(s.Manifest), r.Snapshot, err)
			}
			if !known && !errors.Is(err, verify.ErrNoRelease) {
				t.Errorf("Find %s of %s: %v, want none", alg, lineage.VersionOf(s.Manifest), err)
			}
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, listOf(t, w)); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	for _, payload := range []digest.Digest{digest.FromString("x"), "sha256:../../x", "", "md5:x"} {
		if _, err := w.Find(t.Context(), payload); !errors.Is(err, verify.ErrNoRelease) {
			t.Errorf("Find(%q): %v, want none", payload, err)
		}
	}
}

// TestWebWithoutHistory: a host that has one envelope only.
func TestWebWithoutHistory(t *testing.T) {
	s := releases(t, 1)[0]
	dir := t.TempDir()
	writeFile(t, dir, "a/b c.json", s.Envelope)
	writeFile(t, dir, "a/b c.interface.json", s.Snapshot)
	w := openTestWeb(t, serve(t, http.FileServer(http.Dir(dir))).URL+"/a/b%20c.json")
	for name, get := range map[string]func() (Release, error){
		"Latest": func() (Release, error) { return w.Latest(t.Context()) },
		"Find":   func() (Release, error) { return w.Find(t.Context(), s.Payload) },
	} {
		if r, err := get(); err != nil || string(r.Envelope) != string(s.Envelope) || string(r.Snapshot) != string(s.Snapshot) {
			t.Errorf("%s: %q, %v", name, r.Snapshot, err)
		}
	}
	if got := listOf(t, w); got != nil {
		t.Errorf("List: %v", got)
	}
}

// TestWebReplacedLink: a release that stands under another's name is for the
// verifier to refuse.
func TestWebReplacedLink(t *testing.T) {
	dir := t.TempDir()
	story := releases(t, 2)
	publishAll(t, "dir", dir, story)
	writeFile(t, dir, HistoryName("mcp-integrity", story[0].Payload, EnvelopeSuffix), story[1].Envelope)
	w := openTestWeb(t, serve(t, http.FileServer(http.Dir(dir))).URL+"/mcp-integrity.json")
	if r, err := w.Find(t.Context(), story[0].Payload); err != nil || string(r.Envelope) != string(story[1].Envelope) {
		t.Errorf("got %q, %v", r.Snapshot, err)
	}
}

func TestWebTrouble(t *testing.T) {
	s := releases(t, 1)[0]
	page := "<!DOCTYPE html><title>Not here</title>"
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		want    error
		text    string
		hint    string
	}{
		"404":  {http.NotFound, verify.ErrNoRelease, "HTTP 404", ""},
		"410":  {answering(http.StatusGone), verify.ErrNoRelease, "HTTP 410", ""},
		"401":  {answering(http.StatusUnauthorized), verify.ErrUnavailable, "HTTP 401", "anybody"},
		"403":  {answering(http.StatusForbidden), verify.ErrUnavailable, "HTTP 403", "bucket"},
		"429":  {answering(http.StatusTooManyRequests, "Retry-After", "1"), verify.ErrUnavailable, "HTTP 429", "limits"},
		"500":  {answering(http.StatusInternalServerError), verify.ErrUnavailable, "HTTP 500", ""},
		"204":  {answering(http.StatusNoContent), verify.ErrUnavailable, "HTTP 204", ""},
		"page": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, page) }, verify.ErrUnavailable, "web page", "--previous none"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(s.Envelope)))
			w.Write(s.Envelope[:len(s.Envelope)/2])
		}, verify.ErrUnavailable, "broke off", ""},
		"too large": {func(w http.ResponseWriter, _ *http.Request) {
			block := make([]byte, 1<<20)
			for range 18 {
				w.Write(block)
			}
		}, verify.ErrUnavailable, "more than 16777216 bytes", ""},
		"redirect in a circle": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, verify.ErrUnavailable, "redirects", ""},
		"redirect into the wild": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://host.example/x.json", http.StatusFound)
		}, verify.ErrUnavailable, "not followed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			host := serve(t, tt.handler)
			w := openTestWeb(t, host.URL+"/mcp-integrity.json")
			_, latest := w.Latest(t.Context())
			_, found := w.Find(t.Context(), s.Payload)
			for op, err := range map[string]error{"Latest": latest, "Find": found} {
				var at *Error
				if !errors.As(err, &at) || !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) || !strings.Contains(at.Hint, tt.hint) {
					t.Errorf("%s: got %v (hint %q), want %v with %q", op, err, hintOf(err), tt.want, tt.text)
				}
				if other := map[error]error{verify.ErrNoRelease: verify.ErrUnavailable, verify.ErrUnavailable: verify.ErrNoRelease}[tt.want]; errors.Is(err, other) {
					t.Errorf("%s: %v is also %v", op, err, other)
				}
			}
		})
	}
}

func answering(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// TestWebPassingTrouble: what passes by itself is waited for, and types are not
// looked at: the signature says what a file is.
func TestWebPassingTrouble(t *testing.T) {
	s := releases(t, 1)[0]
	tries := map[string]int{}
	var mu sync.Mutex
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if tries[r.URL.Path]++; tries[r.URL.Path] < 3 {
			w.Header().Set("Retry-After", "2")
			w.WriteHeader([]int{http.StatusServiceUnavailable, http.StatusTooManyRequests}[tries[r.URL.Path]-1])
			return
		}
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/x.json":
			w.Write(s.Envelope)
		case "/x.interface.json":
			w.Write(s.Snapshot)
		default:
			http.NotFound(w, r)
		}
	}))
	if r, err := openTestWeb(t, host.URL+"/x.json").Latest(t.Context()); err != nil || string(r.Envelope) != string(s.Envelope) || string(r.Snapshot) != string(s.Snapshot) {
		t.Errorf("got %q, %v", r.Snapshot, err)
	}
}

// TestWebPages: a host that has a page for everything has no history.
func TestWebPages(t *testing.T) {
	s := releases(t, 1)[0]
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/x.json" {
			w.Write(s.Envelope)
			return
		}
		io.WriteString(w, "\n<html>")
	}))
	w := openTestWeb(t, host.URL+"/x.json")
	if r, err := w.Latest(t.Context()); err != nil || r.Snapshot != nil || r.Provenance != nil {
		t.Errorf("Latest: %v, %v", r, err)
	}
	if r, err := w.Find(t.Context(), s.Payload); err != nil || string(r.Envelope) != string(s.Envelope) {
		t.Errorf("Find: %v", err)
	}
	if got := listOf(t, w); got != nil {
		t.Errorf("List: %v", got)
	}
}

func TestWebIndexTrouble(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"none of ours": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"pages":[]}`) },
		"403":          answering(http.StatusForbidden),
	} {
		t.Run(name, func(t *testing.T) {
			w := openTestWeb(t, serve(t, handler).URL+"/x.json")
			for d, err := range w.List(t.Context()) {
				if !errors.Is(err, verify.ErrUnavailable) {
					t.Errorf("got %s, %v", d, err)
				}
			}
		})
	}
}

func TestOpenWeb(t *testing.T) {
	for _, target := range []string{
		"https://", "https:///x.json", "https://host", "https://host/", "https://host/x", "https://host/.json", "https://host/x.json/", "https://host/x.json?token=s3cret",
		"https://host/x.json?", "https://host/x.json#s3cret", "https://user:s3cret@host/x.json", "http://host/x.json", "http://10.0.0.1/x.json", "https://host:port/x.json", "https://ho st/x.json",
	} {
		p, err := Open(target, testEnv())
		if err == nil {
			t.Errorf("Open(%q) = %v", target, p)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Open(%q): the error has the secret: %v", target, err)
		}
	}
	for _, target := range []string{"https://host/.well-known/mcp-integrity.json", "http://localhost:1/x.json", "http://127.0.0.1/a/x.json", "http://[::1]:8080/x.json"} {
		if p, err := Open(target, testEnv()); err != nil || p.String() != target {
			t.Errorf("Open(%q) = %v, %v", target, p, err)
		}
	}
}
