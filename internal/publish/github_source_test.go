package publish

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// history puts n releases there, the nth of them last.
func (f *fakeGitHub) history(n int) []Sealed {
	var all []Sealed
	for i := range n {
		s := githubSealed(f.t, i)
		f.release(fmt.Sprintf("v1.0.%d", i), false, githubFiles(s))
		all = append(all, s)
	}
	return all
}

func sameGitHubRelease(t *testing.T, what string, got Release, want Sealed) {
	t.Helper()
	if !bytes.Equal(got.Envelope, want.Envelope) || !bytes.Equal(got.Snapshot, want.Snapshot) || !bytes.Equal(got.Provenance, want.Provenance) || got.Ref == "" {
		t.Errorf("%s: got %.80q, %q, %q at %q", what, got.Envelope, got.Snapshot, got.Provenance, got.Ref)
	}
}

func TestGitHubLatest(t *testing.T) {
	published, other := githubSealed(t, 1), githubSealed(t, 2)
	bare := Sealed{Release: Release{Envelope: published.Envelope}}
	envelope := map[string][]byte{"mcp-integrity.json": published.Envelope}
	for _, tt := range []struct {
		name, target string
		before       func(*fakeGitHub)
		env          []string
		readOnly     bool
		want         Sealed
		err          error
	}{
		{"the last one", "github-release", func(f *fakeGitHub) {
			f.release("v1.0.0", false, githubFiles(other))
			f.release("v1.1.0", false, githubFiles(published))
		}, nil, false, published, nil},
		{"the last one that was sealed", "github-release", func(f *fakeGitHub) {
			f.release("v1.0.0", false, githubFiles(published))
			for i := range 65 {
				f.release(fmt.Sprintf("v1.1.%d", i), false, map[string][]byte{"x.tgz": []byte("x")})
			}
		}, nil, false, published, nil},
		{"the last one, whatever GitHub's order", "github-release", func(f *fakeGitHub) {
			f.release("v1.0.0", false, githubFiles(other))
			f.release("v1.1.0", false, githubFiles(published))
			slices.Reverse(f.releases)
		}, nil, false, published, nil},
		{"to a stranger", "github-release", func(f *fakeGitHub) { f.release("v1.1.0", false, githubFiles(published)) }, []string{"GITHUB_TOKEN", ""}, true, published, nil},
		{"the envelope alone", "github-release", func(f *fakeGitHub) { f.release("v1.1.0", false, envelope) }, nil, false, bare, nil},
		{"the draft of this tag", "github-release", func(f *fakeGitHub) {
			f.release("v1.2.4", true, githubFiles(published))
			f.release("v1.1.0", false, githubFiles(other))
		}, nil, false, published, nil},
		{"not the draft of another", "github-release", func(f *fakeGitHub) {
			f.release("v1.1.0", false, githubFiles(published))
			f.release("v9.0.0", true, githubFiles(other))
		}, nil, false, published, nil},
		{"not what is unfinished", "github-release", func(f *fakeGitHub) {
			f.release("v1.1.0", false, githubFiles(published))
			for _, a := range f.release("v1.2.0", false, githubFiles(other)).Assets {
				a.State = "starter"
			}
		}, nil, false, published, nil},
		{"the one that is named", "github-release@v1.0.0", func(f *fakeGitHub) {
			f.release("v1.0.0", false, githubFiles(published))
			f.release("v1.1.0", false, githubFiles(other))
		}, nil, true, published, nil},
		{"the newest, where it goes to what is named", "github-release@v1.0.0", func(f *fakeGitHub) {
			f.release("v1.0.0", false, githubFiles(other))
			f.release("v1.1.0", false, githubFiles(published))
		}, nil, false, published, nil},
		{"none", "github-release", func(f *fakeGitHub) { f.release("v1.1.0", false, nil) }, nil, false, Sealed{}, verify.ErrNoRelease},
		{"none of what is named", "github-release@v2", func(f *fakeGitHub) { f.release("v1.1.0", false, githubFiles(published)) }, nil, true, Sealed{}, verify.ErrUnavailable},
		{"a private repository to a stranger", "github-release", func(f *fakeGitHub) { f.private = true; f.release("v1.1.0", false, githubFiles(published)) }, []string{"GITHUB_TOKEN", ""}, true, Sealed{}, verify.ErrUnavailable},
		{"a file that GitHub lost", "github-release", func(f *fakeGitHub) {
			for _, a := range f.release("v1.1.0", false, githubFiles(published)).Assets {
				a.data = nil
			}
		}, nil, false, Sealed{}, verify.ErrUnavailable},
		{"a file of which GitHub lost the rest", "github-release", func(f *fakeGitHub) {
			f.noDigests = true
			for _, a := range f.release("v1.1.0", false, githubFiles(published)).Assets {
				a.data = a.data[:len(a.data)-1]
			}
		}, nil, false, Sealed{}, verify.ErrUnavailable},
		{"a file that was changed on its way", "github-release", func(f *fakeGitHub) {
			for _, a := range f.release("v1.1.0", false, githubFiles(published)).Assets {
				a.data = bytes.ToUpper(a.data)
			}
		}, nil, false, Sealed{}, verify.ErrUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeGitHub(t)
			tt.before(f)
			env := f.env(tt.env...)
			env.ReadOnly = tt.readOnly
			got, err := f.open(tt.target, env).Latest(t.Context())
			if !errors.Is(err, tt.err) || tt.err != verify.ErrNoRelease && errors.Is(err, verify.ErrNoRelease) {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if err == nil {
				sameGitHubRelease(t, tt.name, got, tt.want)
			}
		})
	}
}

// A chain that is walked from its end asks GitHub for each file once, and for each
// page once, whatever its length.
func TestGitHubWalk(t *testing.T) {
	const n = 75
	f := newFakeGitHub(t)
	all := f.history(n)
	env := f.env("GITHUB_TOKEN", "")
	env.ReadOnly = true
	p := f.open("github-release", env)
	for i := n - 1; i >= 0; i-- {
		for range 2 { // the envelope, and then the snapshot beside it
			r, err := p.Find(t.Context(), all[i].Payload)
			if err != nil {
				t.Fatal(err)
			}
			sameGitHubRelease(t, fmt.Sprint(i), r, all[i])
		}
	}
	count := map[string]int{}
	for _, a := range f.asked {
		switch {
		case a == "GET file":
			count["files"]++
		case strings.HasPrefix(a, "GET /repos"):
			count["api"]++
		}
	}
	if diff := cmp.Diff(map[string]int{"files": 3 * n, "api": 3}, count); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestGitHubFind(t *testing.T) {
	f := newFakeGitHub(t)
	all := f.history(5)
	f.release("v1.0.2-docs", false, map[string][]byte{"mcp-integrity.json": []byte("no envelope")})
	p := f.open("github-release", f.env())
	// In no order, and twice.
	for _, i := range []int{1, 4, 0, 4, 3, 2, 1} {
		r, err := p.Find(t.Context(), all[i].Payload)
		if err != nil {
			t.Fatal(err)
		}
		sameGitHubRelease(t, fmt.Sprint(i), r, all[i])
	}
	e, err := seal.ParseEnvelope(all[2].Envelope)
	if err != nil {
		t.Fatal(err)
	}
	for _, missing := range []digest.Digest{digest.FromString("another"), "", "sha256:xyz"} {
		if _, err := p.Find(t.Context(), missing); !errors.Is(err, verify.ErrNoRelease) {
			t.Errorf("Find(%q): got %v, want ErrNoRelease", missing, err)
		}
	}
	// A fresh walk finds it by the digest's own algorithm.
	if r, err := f.open("github-release", f.env()).Find(t.Context(), e.PayloadDigest(digest.SHA512)); err != nil {
		t.Error(err)
	} else {
		sameGitHubRelease(t, "by SHA-512", r, all[2])
	}
}

// What broke while walking is asked for again: nothing is passed over.
func TestGitHubFindAfterFault(t *testing.T) {
	f := newFakeGitHub(t)
	all := f.history(3)
	p := f.open("github-release", f.env())
	for n := range 8 {
		asked := 0
		f.fault = func(*http.Request, int) githubFault {
			asked++
			if asked > n {
				return githubLostBefore
			}
			return githubFine
		}
		if _, err := p.Find(t.Context(), all[0].Payload); err == nil {
			break
		} else if !errors.Is(err, verify.ErrUnavailable) || errors.Is(err, verify.ErrNoRelease) {
			t.Fatalf("after %d requests: %v", n, err)
		}
	}
	f.fault = nil
	for i := range all {
		r, err := p.Find(t.Context(), all[i].Payload)
		if err != nil {
			t.Fatal(err)
		}
		sameGitHubRelease(t, fmt.Sprint(i), r, all[i])
	}
}

func TestGitHubList(t *testing.T) {
	f := newFakeGitHub(t)
	all := f.history(40)
	p := f.open("github-release", f.env())
	list := func() []digest.Digest {
		var out []digest.Digest
		for d, err := range p.List(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, d)
		}
		return out
	}
	if got := list(); !slices.Equal(got, []digest.Digest{all[39].Payload}) {
		t.Errorf("before anything was asked for: got %v", got)
	}
	if _, err := p.Find(t.Context(), all[10].Payload); err != nil {
		t.Fatal(err)
	}
	got := list()
	for _, s := range all[10:] {
		if !slices.Contains(got, s.Payload) {
			t.Errorf("a release after the one that was found is missing")
		}
	}
	f.srv.Close()
	broken := f.open("github-release", f.env())
	for d, err := range broken.List(t.Context()) {
		if d != "" || !errors.Is(err, verify.ErrUnavailable) {
			t.Errorf("from nowhere: got %q, %v", d, err)
		}
	}
}

// On github.com a job's token is kept for the list: files of a public repository
// come as people get them.
func TestGitHubIsOpen(t *testing.T) {
	for _, tt := range []struct {
		server, token string
		private, want bool
	}{
		{"https://github.com", githubTestToken, false, true},
		{"https://github.com", githubTestToken, true, false},
		{"https://github.com", "", true, true},
		{"https://git.acme.example", githubTestToken, false, false},
		{"https://git.acme.example", "", false, true},
	} {
		f := newFakeGitHub(t)
		f.private = tt.private
		p := f.open("github-release", f.env("GITHUB_SERVER_URL", tt.server, "GITHUB_TOKEN", tt.token)).(*githubRelease)
		if got := p.isOpen(t.Context()); got != tt.want {
			t.Errorf("%+v: got %v", tt, got)
		}
	}
}

// Nobody but the API gives what is in a draft.
func TestGitHubDraftComesByTheAPI(t *testing.T) {
	f := newFakeGitHub(t)
	s := githubSealed(t, 1)
	f.release("v1.2.4", true, githubFiles(s))
	p := f.open("github-release", f.env()).(*githubRelease)
	open := true
	p.history.open = &open
	r, err := p.Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sameGitHubRelease(t, "draft", r, s)
}

// What is too large is not even asked for.
func TestGitHubLargeFile(t *testing.T) {
	f := newFakeGitHub(t)
	for _, a := range f.release("v1.1.0", false, githubFiles(githubSealed(t, 1))).Assets {
		a.Size = seal.MaxEnvelopeSize * 10
	}
	_, err := f.open("github-release", f.env()).Latest(t.Context())
	if want := "167772160 bytes, want at most 16777216"; err == nil || !strings.Contains(err.Error(), want) || slices.Contains(f.asked, "GET file") {
		t.Errorf("got %v, want %q", err, want)
	}
}

func BenchmarkGitHubWalk(b *testing.B) {
	f := newFakeGitHub(b)
	all := f.history(100)
	for b.Loop() {
		env := f.env("GITHUB_TOKEN", "")
		env.ReadOnly = true
		p := f.open("github-release", env)
		for i := len(all) - 1; i >= 0; i-- {
			if _, err := p.Find(b.Context(), all[i].Payload); err != nil {
				b.Fatal(err)
			}
		}
	}
}
