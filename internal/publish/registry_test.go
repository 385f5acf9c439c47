package publish

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

const testToken = "t0ken-that-nobody-may-see"

// integrityFake is a registry that keeps one envelope of each server.
type integrityFake struct {
	mu        sync.Mutex
	envelopes map[string][]byte // by escaped <server-id>
	// lose has the answer to a PUT be lost: 500, with the effect where after says so.
	lose, after bool
	// refuse is the status for a PUT.
	refuse int
	// slow does not show what it took.
	slow     bool
	open     bool // needs no token
	problems []string
}

func (f *integrityFake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id, ok := strings.CutPrefix(r.URL.EscapedPath(), "/base/v0/servers/")
	if id, ok2 := strings.CutSuffix(id, "/integrity"); ok && ok2 {
		f.serve(w, r, id)
		return
	}
	f.problems = append(f.problems, "asked for "+r.URL.EscapedPath())
	http.NotFound(w, r)
}

func (f *integrityFake) serve(w http.ResponseWriter, r *http.Request, id string) {
	if !strings.HasPrefix(r.Header.Get("Accept"), MediaType+",") {
		f.problems = append(f.problems, "Accept "+r.Header.Get("Accept"))
	}
	switch {
	case r.Method == http.MethodGet && f.envelopes[id] != nil:
		w.Header().Set("Content-Type", MediaType)
		w.Write(f.envelopes[id])
	case r.Method == http.MethodGet:
		http.NotFound(w, r)
	case r.Method != http.MethodPut || r.Header.Get("Content-Type") != MediaType:
		f.problems = append(f.problems, r.Method+" with "+r.Header.Get("Content-Type"))
		w.WriteHeader(http.StatusUnsupportedMediaType)
	case !f.open && r.Header.Get("Authorization") != "Bearer "+testToken:
		w.WriteHeader(http.StatusUnauthorized)
	case f.refuse != 0:
		w.WriteHeader(f.refuse)
		fmt.Fprintf(w, "no: %s\n%s", r.Header.Get("Authorization"), strings.Repeat("x", 1000))
	default:
		f.take(w, r, id)
	}
}

func (f *integrityFake) take(w http.ResponseWriter, r *http.Request, id string) {
	data, err := io.ReadAll(r.Body)
	if err != nil || !json.Valid(data) {
		f.problems = append(f.problems, fmt.Sprintf("PUT of %.20q: %v", data, err))
	}
	if (!f.lose || f.after) && !f.slow {
		f.envelopes[id] = data
	}
	if f.lose {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

func openTestRegistry(t testing.TB, f *integrityFake, token string) (*integrityRegistry, *served) {
	t.Helper()
	if f.envelopes == nil {
		f.envelopes = map[string][]byte{}
	}
	host := serve(t, f)
	t.Cleanup(func() {
		for _, p := range f.problems {
			t.Error(p)
		}
	})
	return openRegistryAt(t, host.URL+"/base/", token), host
}

func openRegistryAt(t testing.TB, url, token string) *integrityRegistry {
	t.Helper()
	env := testEnv()
	env.ServerID = "io.github.acme/file-tools"
	env.Getenv = func(name string) string { return map[string]string{integrityTokenName: token}[name] }
	r := mustOpen(t, "registry:"+url, env).(*integrityRegistry)
	skipWaits(t, r.reader)
	return r
}

func TestRegistryStory(t *testing.T) {
	f := &integrityFake{}
	r, host := openTestRegistry(t, f, testToken)
	if err := r.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
	if _, err := r.Latest(t.Context()); !errors.Is(err, verify.ErrNoRelease) {
		t.Errorf("Latest of nothing: %v", err)
	}
	if got := listOf(t, r); got != nil {
		t.Errorf("List of nothing: %v", got)
	}
	story := releases(t, 3)
	for _, s := range story {
		receipt := mustPublish(t, r, s, Published)
		if want := host.URL + "/base/v0/servers/io.github.acme%2Ffile-tools/integrity"; receipt.URL != want {
			t.Errorf("URL %q, want %q", receipt.URL, want)
		}
		mustPublish(t, r, s, AlreadyThere)
	}
	latest, err := r.Latest(t.Context())
	if err != nil || string(latest.Envelope) != string(story[2].Envelope) {
		t.Errorf("Latest: %v", err)
	}
	if found, err := r.Find(t.Context(), digest.SHA512.FromBytes(payloadOf(t, story[2].Envelope))); err != nil || string(found.Envelope) != string(story[2].Envelope) {
		t.Errorf("Find of the newest: %v", err)
	}
	if _, err := r.Find(t.Context(), story[1].Payload); !errors.Is(err, verify.ErrNoRelease) {
		t.Errorf("Find of an older one: %v", err)
	}
	if got := listOf(t, r); len(got) != 1 || got[0] != story[2].Payload {
		t.Errorf("List: %v", got)
	}
	mustPublish(t, r, story[1], AlreadyThere)
	if _, err := r.Publish(t.Context(), story[0]); !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "1.0.2") {
		t.Errorf("a release of which it is not known what follows: %v", err)
	}
}

// TestRegistryAttests: a registry's own attestation is kept, and one more of ours
// is sent.
func TestRegistryAttests(t *testing.T) {
	f := &integrityFake{}
	r, _ := openTestRegistry(t, f, testToken)
	s := releases(t, 1)[0]
	mustPublish(t, r, s, Published)
	vouched := attested(t, s, sealtest.Key(t, keys.Ed25519, "registry"), seal.RoleRegistry, "namespace_verified")
	for id := range f.envelopes {
		f.envelopes[id] = vouched.Envelope
	}
	mustPublish(t, r, s, AlreadyThere)
	if receipt := mustPublish(t, r, attested(t, s, sealtest.Key(t, keys.Ed25519, "b"), seal.RolePublisher, "manifest_signed"), AlreadyThere); len(receipt.Notes) != 1 {
		t.Errorf("notes %q", receipt.Notes)
	}
	mustPublish(t, r, attested(t, vouched, sealtest.Key(t, keys.Ed25519, "b"), seal.RoleScanner, "malware_scan_clean"), Completed)
}

// TestRegistryLostAnswers: a PUT that failed, before or after it took effect, is
// completed by the next run.
func TestRegistryLostAnswers(t *testing.T) {
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after %v", after), func(t *testing.T) {
			f := &integrityFake{lose: true, after: after}
			r, _ := openTestRegistry(t, f, testToken)
			story := releases(t, 2)
			for _, s := range story {
				f.lose = true
				_, err := r.Publish(t.Context(), s)
				if (err == nil) != after || err != nil && !errors.Is(err, verify.ErrUnavailable) {
					t.Errorf("the run whose answer is lost: %v", err)
				}
				f.lose = false
				want := Published
				if after {
					want = AlreadyThere
				}
				mustPublish(t, r, s, want)
				if latest, err := r.Latest(t.Context()); err != nil || string(latest.Envelope) != string(s.Envelope) {
					t.Errorf("Latest: %v", err)
				}
			}
		})
	}
}

func TestRegistrySlow(t *testing.T) {
	r, _ := openTestRegistry(t, &integrityFake{slow: true}, testToken)
	if receipt := mustPublish(t, r, releases(t, 1)[0], Published); len(receipt.Notes) != 1 || !strings.Contains(receipt.Notes[0], "yet") {
		t.Errorf("notes %q", receipt.Notes)
	}
}

func TestRegistryRefusals(t *testing.T) {
	s := releases(t, 1)[0]
	for code, tt := range map[int]struct {
		want error
		hint string
	}{
		http.StatusBadRequest:            {errRefused, "schema"},
		http.StatusForbidden:             {errRefused, "the right to publish"},
		http.StatusNotFound:              {errRefused, "18.2"},
		http.StatusMethodNotAllowed:      {errRefused, "18.2"},
		http.StatusConflict:              {ErrConflict, "--previous"},
		http.StatusRequestEntityTooLarge: {errRefused, "size"},
		http.StatusUnprocessableEntity:   {errRefused, "key"},
		http.StatusTooManyRequests:       {verify.ErrUnavailable, "later"},
		http.StatusInternalServerError:   {verify.ErrUnavailable, ""},
		http.StatusFound:                 {errRefused, "redirects"},
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			r, _ := openTestRegistry(t, &integrityFake{refuse: code}, testToken)
			_, err := r.Publish(t.Context(), s)
			var at *Error
			if !errors.As(err, &at) || at.Status != code || !errors.Is(err, tt.want) || !strings.Contains(at.Hint, tt.hint) || !strings.Contains(err.Error(), "no: Bearer [token]") {
				t.Errorf("got %v (hint %q), want %v", err, hintOf(err), tt.want)
			}
			if err != nil && (strings.Contains(err.Error()+hintOf(err), testToken) || len(err.Error()) > 900) {
				t.Errorf("the error has the token, or is long: %v", err)
			}
		})
	}
	for token, hint := range map[string]string{"": "give a token", "another": "expired"} {
		r, _ := openTestRegistry(t, &integrityFake{}, token)
		if _, err := r.Publish(t.Context(), s); err == nil || !strings.Contains(hintOf(err), hint) || strings.Contains(err.Error(), "another") {
			t.Errorf("with token %q: %v, hint %q", token, err, hintOf(err))
		}
	}
	r, _ := openTestRegistry(t, &integrityFake{open: true}, "")
	mustPublish(t, r, s, Published)
}

func TestRegistryReading(t *testing.T) {
	s := releases(t, 1)[0]
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		hint    string
	}{
		"401":    {answering(http.StatusUnauthorized), "not one of this registry's"},
		"403":    {answering(http.StatusForbidden), "right"},
		"429":    {answering(http.StatusTooManyRequests), "later"},
		"500":    {answering(http.StatusBadGateway), ""},
		"a page": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, ""},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			io.WriteString(w, "{")
		}, ""},
		"too large": {func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, seal.MaxEnvelopeSize+1)) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			host := serve(t, tt.handler)
			r := openRegistryAt(t, host.URL, testToken)
			_, published := r.Publish(t.Context(), s)
			_, found := r.Find(t.Context(), s.Payload)
			for op, err := range map[string]error{"Check": r.Check(t.Context()), "Find": found, "Publish": published} {
				if !errors.Is(err, verify.ErrUnavailable) || errors.Is(err, verify.ErrNoRelease) || !strings.Contains(hintOf(err), tt.hint) || strings.Contains(err.Error(), testToken) {
					t.Errorf("%s: got %v, hint %q", op, err, hintOf(err))
				}
			}
			for _, asked := range host.asked {
				if strings.HasPrefix(asked, http.MethodPut) {
					t.Error("it published without knowing what stands there")
				}
			}
			for _, err := range r.List(t.Context()) {
				if !errors.Is(err, verify.ErrUnavailable) {
					t.Errorf("List: %v", err)
				}
			}
		})
	}
}

// TestRegistryRedirects: what is read may have moved; the token does not move with
// it, and nothing is written anywhere else.
func TestRegistryRedirects(t *testing.T) {
	s := releases(t, 1)[0]
	var got []string
	elsewhere := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.Header.Get("Authorization"))
		w.Write(s.Envelope)
	}))
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+testToken {
			t.Errorf("%s without the token", r.Method)
		}
		http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	r := openRegistryAt(t, host.URL, testToken)
	if latest, err := r.Latest(t.Context()); err != nil || string(latest.Envelope) != string(s.Envelope) {
		t.Errorf("Latest: %v", err)
	}
	resigned := releaseOf(t, sealtest.Key(t, keys.Ed25519, "again"), 0, "", nil)
	if _, err := r.Publish(t.Context(), resigned); err == nil || !strings.Contains(hintOf(err), "redirects") {
		t.Errorf("Publish: %v, hint %q", err, hintOf(err))
	}
	for _, request := range got {
		if request != "GET " {
			t.Errorf("elsewhere got %q", request)
		}
	}
}

func TestOpenRegistry(t *testing.T) {
	for _, target := range []string{"registry:", "registry", "registry:host", "registry:http://host.example", "registry:https://u:s3cret@host", "registry:https://host/?s3cret", "registry:ftp://host/"} {
		if p, err := Open(target, testEnv()); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Open(%q) = %v, %v", target, p, err)
		}
	}
	env := testEnv()
	for _, token := range []string{"a\nX-Evil: 1", "a b", "é"} {
		env.Getenv = func(string) string { return token }
		if p, err := Open("registry:https://host", env); err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("token %q: %v, %v", token, p, err)
		}
	}
	r := mustOpen(t, "registry:https://host", testEnv())
	// Before the server was listed nobody knows its id.
	if err := r.Check(t.Context()); err != nil {
		t.Errorf("Check without a server id: %v", err)
	}
	if _, err := r.Latest(t.Context()); !errors.Is(err, verify.ErrUnavailable) || !strings.Contains(hintOf(err), "@NAMESPACE/NAME") {
		t.Errorf("Latest without a server id: %v", err)
	}
	named := mustOpen(t, "registry:https://host@io.github.acme/tools", testEnv())
	if named.String() != "registry:https://host" {
		t.Errorf("place of a named server: %s", named)
	}
	if uri, err := r.AttestationURI(Coming{}); uri != "" || err != nil {
		t.Errorf("AttestationURI: %q, %v", uri, err)
	}
}
