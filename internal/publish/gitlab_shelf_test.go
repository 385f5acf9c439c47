package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// gitlabPaper is a list of envelopes by pages of three.
type gitlabPaper struct {
	envelopes    [][]byte
	pages, reads int
	fail         error
}

func (p *gitlabPaper) shelf() *gitlabShelf[int] {
	return newGitLabShelf(func(_ context.Context, n int) ([]int, bool, error) {
		p.pages++
		var page []int
		for i := (n - 1) * 3; i < min(n*3, len(p.envelopes)); i++ {
			page = append(page, i)
		}
		return page, n*3 < len(p.envelopes), p.fail
	}, func(_ context.Context, i int) ([]byte, error) {
		p.reads++
		return p.envelopes[i], p.fail
	})
}

// gitlabEnvelopes are n of them, and their payloads.
func gitlabEnvelopes(t testing.TB, n int) (all [][]byte, payloads []digest.Digest) {
	t.Helper()
	key := sealtest.Key(t, keys.Ed25519, "k")
	for i := range n {
		r := gitlabSealed(t, n-i, key)
		all, payloads = append(all, r.Envelope), append(payloads, r.Payload)
	}
	return all, payloads
}

func gitlabCollect(t *testing.T, s *gitlabShelf[int]) []digest.Digest {
	t.Helper()
	var all []digest.Digest
	for d, err := range s.all(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

// TestGitLabShelfReadsOnce: a chain that is walked back costs one reading of each.
func TestGitLabShelfReadsOnce(t *testing.T) {
	p := &gitlabPaper{}
	var payloads []digest.Digest
	p.envelopes, payloads = gitlabEnvelopes(t, 20)
	s := p.shelf()
	for i, d := range payloads {
		if entry, _, err := s.find(t.Context(), d); err != nil || entry != i {
			t.Fatalf("find %d: got %d, %v", i, entry, err)
		}
	}
	if p.reads != 20 || p.pages != 7 {
		t.Errorf("got %d reads and %d pages for 20 releases, want 20 and 7", p.reads, p.pages)
	}
	if diff := cmp.Diff(payloads, gitlabCollect(t, s)); diff != "" || p.reads != 20 {
		t.Errorf("all, after %d reads: %s", p.reads, diff)
	}
	for range 3 {
		if _, _, err := s.find(t.Context(), digest.FromString("none")); !errors.Is(err, verify.ErrNoRelease) {
			t.Errorf("find of none: got %v", err)
		}
	}
	if p.reads != 20 || p.pages != 7 {
		t.Errorf("got %d reads and %d pages for what is not there", p.reads, p.pages)
	}
	s.forget()
	if _, _, err := s.find(t.Context(), payloads[0]); err != nil || p.reads != 21 {
		t.Errorf("after forget: got %v and %d reads, want 21", err, p.reads)
	}
}

func TestGitLabShelfOddEntries(t *testing.T) {
	good, payloads := gitlabEnvelopes(t, 3)
	p := &gitlabPaper{envelopes: [][]byte{nil, []byte("{}"), good[0], nil, good[0], []byte("<html>"), nil, nil, nil, good[1], {}, good[2], nil}}
	if diff := cmp.Diff(payloads, gitlabCollect(t, p.shelf())); diff != "" {
		t.Errorf("all: %s", diff)
	}
	// The newest is not passed over for being unreadable: that is for a verifier to say.
	if _, envelope, err := p.shelf().first(t.Context()); err != nil || string(envelope) != "{}" {
		t.Errorf("first: got %s, %v", envelope, err)
	}
	e, err := seal.ParseEnvelope(good[1])
	if err != nil {
		t.Fatal(err)
	}
	s := p.shelf()
	for range 2 {
		if entry, _, err := s.find(t.Context(), e.PayloadDigest(digest.SHA512)); err != nil || entry != 9 {
			t.Errorf("find by SHA-512: got %d, %v", entry, err)
		}
	}
	for _, d := range []digest.Digest{"", "sha256:", "sha256:../x", "md5:00"} {
		if _, _, err := s.find(t.Context(), d); !errors.Is(err, verify.ErrNoRelease) {
			t.Errorf("find %q: got %v", d, err)
		}
	}
	// What was exchanged since it was seen is not what was asked for.
	p.envelopes[9] = good[0]
	if _, _, err := s.find(t.Context(), payloads[1]); !errors.Is(err, verify.ErrNoRelease) {
		t.Errorf("find of an exchanged one: got %v", err)
	}
}

// TestGitLabShelfResumes: an error loses no entry.
func TestGitLabShelfResumes(t *testing.T) {
	p := &gitlabPaper{}
	var payloads []digest.Digest
	p.envelopes, payloads = gitlabEnvelopes(t, 8)
	s := p.shelf()
	for i, d := range payloads {
		p.fail = errors.New("trouble")
		if _, _, err := s.find(t.Context(), d); err == nil || errors.Is(err, verify.ErrNoRelease) {
			t.Fatalf("find %d with trouble: got %v", i, err)
		}
		for _, err := range s.all(t.Context()) {
			if err != nil && !errors.Is(err, p.fail) {
				t.Fatalf("all with trouble: got %v", err)
			}
		}
		p.fail = nil
		if entry, _, err := s.find(t.Context(), d); err != nil || entry != i {
			t.Fatalf("find %d: got %d, %v", i, entry, err)
		}
	}
}

func TestGitLabShelfTogether(t *testing.T) {
	p := &gitlabPaper{}
	var payloads []digest.Digest
	p.envelopes, payloads = gitlabEnvelopes(t, 12)
	s := p.shelf()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range payloads {
				if _, _, err := s.find(t.Context(), payloads[(i+j)%len(payloads)]); err != nil {
					t.Error(err)
				}
			}
			n := 0
			for range s.all(t.Context()) {
				n++
			}
			if n != len(payloads) {
				t.Errorf("all: got %d, want %d", n, len(payloads))
			}
		})
	}
	wg.Wait()
}

// TestGitLabRequests bounds what walking a history costs a GitLab.
func TestGitLabRequests(t *testing.T) {
	const n = 150
	all, payloads := gitlabEnvelopes(t, n)
	f := newFakeGitLab(t)
	for i, envelope := range slices.Backward(all) {
		f.next++
		f.packages = append(f.packages, &fakeGitLabPackage{id: f.next, name: DefaultStem, version: fmt.Sprintf("1.%d", n-i), status: "default", files: []fakeGitLabFile{{id: f.next, name: NamesOf(DefaultStem).Envelope, data: envelope}}})
	}
	p := f.open(t, "gitlab-packages", f.env())
	got := 0
	for d, err := range p.List(t.Context()) {
		if err != nil || d != payloads[got] {
			t.Fatalf("List %d: got %s, %v, want %s", got, d, err, payloads[got])
		}
		got++
	}
	if want := n + 2; got != n || f.requests != want {
		t.Errorf("List: got %d releases by %d requests, want %d by %d", got, f.requests, n, want)
	}
}

// FuzzGitLabTarget: whatever stands in a target or the environment, an address
// leads to the server and the project that were read.
func FuzzGitLabTarget(f *testing.F) {
	f.Add("acme/tools@v1", "https://gitlab.example", "https://gitlab.example/api/v4", "", "acme/tools", "v1", "token", "1.2.4")
	f.Add("@v1/x", "", "", "gitlab.example/sub", "a/b/c", "", " token\n", "../1")
	f.Add("a/..@%2e%2e", "https://u:p@h", "https://h\x00", "http://[::1]", "a/b", "\n", "\r", "..")
	f.Fuzz(func(t *testing.T, rest, server, api, host, project, tag, token, version string) {
		env := gitlabEnv("CI_SERVER_URL", server, "CI_API_V4_URL", api, "GITLAB_HOST", host, "CI_PROJECT_PATH", project, "CI_COMMIT_TAG", tag, "CI_JOB_TOKEN", token, "GITLAB_TOKEN", token)
		env.Stem, env.Version = DefaultStem, version
		p, err := openGitLabRelease(rest, env)
		if err != nil {
			return
		}
		r := p.(*gitlabRelease)
		raw := r.fileURL(env.Stem, r.files.version("", digest.FromString("x")), "x.json")
		for _, address := range []string{raw, r.permanent("x.json"), r.root() + "/releases/" + gitlabEscape(r.tag)} {
			req, err := http.NewRequest(http.MethodGet, address, nil)
			if err != nil || !strings.HasPrefix(address, r.server+"/") || req.URL.RawQuery != "" || req.URL.Fragment != "" || req.URL.User != nil {
				t.Fatalf("address %q of server %q: %v", address, r.server, err)
			}
			if path := req.URL.EscapedPath(); strings.Contains(path, "/../") || strings.Contains(path, "/./") || strings.HasSuffix(path, "/..") || strings.HasSuffix(path, "/.") {
				t.Fatalf("address %q leads elsewhere", address)
			}
		}
		if token := r.token.value; token != "" && strings.ContainsAny(token, "\r\n \x00") {
			t.Fatalf("token %q is no header's value", token)
		}
	})
}

// FuzzGitLabAnswer: whatever a server answers, an error stays short, says no token
// and breaks no line, and nothing panics.
func FuzzGitLabAnswer(f *testing.F) {
	f.Add(403, `{"message":"403 Forbidden"}`, "")
	f.Add(400, `{"message":{"name":["has already been taken"]},"error":null}`, "text/html")
	f.Add(429, `[`, "42")
	f.Add(200, `<html>`+gitlabTestToken, "text/html")
	g := &gitlab{place: "gitlab-release:a/b", server: "https://gitlab.example", project: "a/b", token: gitlabToken{variable: "CI_JOB_TOKEN", header: gitlabJobHeader, value: gitlabTestToken}}
	f.Fuzz(func(t *testing.T, status int, body, header string) {
		resp := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {header}, "Retry-After": {header}}}
		err := g.refused("look", resp, []byte(body))
		var e *Error
		if !errors.As(err, &e) || e.Hint == "" || !errors.Is(err, verify.ErrUnavailable) {
			t.Fatalf("got %v, want an *Error with a hint", err)
		}
		for _, text := range []string{e.Error(), e.Hint} {
			if strings.Contains(text, gitlabTestToken) || strings.ContainsAny(text, "\n\r\x00\x1b") || len(text) > 2000 {
				t.Fatalf("got %q", text)
			}
		}
		isGitLabWebPage(resp.Header, []byte(body))
	})
}

func BenchmarkGitLabWalk(b *testing.B) {
	const n = 1000
	all, payloads := gitlabEnvelopes(b, n)
	f := newFakeGitLab(b)
	for i, envelope := range slices.Backward(all) {
		f.next++
		f.packages = append(f.packages, &fakeGitLabPackage{id: f.next, name: DefaultStem, version: fmt.Sprintf("1.%d", n-i), status: "default", files: []fakeGitLabFile{{id: f.next, name: NamesOf(DefaultStem).Envelope, data: envelope}}})
	}
	b.ReportAllocs()
	for b.Loop() {
		p := f.open(b, "gitlab-packages", f.env())
		f.requests = 0
		for _, d := range payloads {
			if _, err := p.Find(b.Context(), d); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(f.requests)/n, "requests/release")
}
