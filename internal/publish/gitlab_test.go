package publish

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// gitlabTargets are the two kinds of places.
var gitlabTargets = []string{"gitlab-packages", "gitlab-release"}

// gitlabSealed is a release, version 1.2.n, signed by key.
func gitlabSealed(t testing.TB, n int, key keys.PrivateKey) Sealed {
	t.Helper()
	m := sealtest.Manifest(t, sealtest.Tools(t, 1)...)
	for i := range m.Tools {
		m.Tools[i].Version = fmt.Sprintf("1.2.%d", n)
	}
	m.IssuedAt = seal.NewTimestamp(sealtest.Time.Add(time.Duration(n) * time.Hour))
	e := sealtest.Seal(t, m, key)
	return Sealed{
		Release:  Release{Envelope: sealtest.Marshal(t, e), Snapshot: fmt.Appendf(nil, `{"n":%d}`, n), Provenance: []byte(`{"bundle":true}`)},
		Manifest: m, Payload: e.PayloadDigest(digest.SHA256),
	}
}

// gitlabHinted asserts that an error tells what to change, and no secret.
func gitlabHinted(t *testing.T, err error, words ...string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	text := e.Error() + " | " + e.Hint
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("got %q, want %q in it", text, w)
		}
	}
	if e.Hint == "" || strings.Contains(text, "secret") {
		t.Errorf("got %q, want a hint and no token", text)
	}
}

func TestGitLabPublishAndFind(t *testing.T) {
	key := sealtest.Key(t, keys.Ed25519, "k")
	for _, target := range gitlabTargets {
		t.Run(target, func(t *testing.T) {
			f := newFakeGitLab(t)
			ctx := t.Context()
			p := f.open(t, target, f.env())
			if err := p.Check(ctx); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Latest(ctx); !errors.Is(err, verify.ErrNoRelease) || errors.Is(err, verify.ErrUnavailable) {
				t.Errorf("Latest of nothing: got %v, want ErrNoRelease", err)
			}
			var releases []Sealed
			for n := range 5 {
				tag := fmt.Sprintf("v1.2.%d", n)
				f.tags[tag] = false
				p := f.open(t, target, f.env("CI_COMMIT_TAG", tag))
				r := gitlabSealed(t, n, key)
				releases = append(releases, r)
				if _, err := p.Find(ctx, r.Payload); !errors.Is(err, verify.ErrNoRelease) {
					t.Errorf("Find before it is published: got %v, want ErrNoRelease", err)
				}
				for _, want := range []State{Published, AlreadyThere, AlreadyThere} {
					receipt, err := p.Publish(ctx, r)
					if err != nil || receipt.State != want || !strings.HasPrefix(receipt.URL, f.URL) {
						t.Fatalf("Publish: got %+v, %v, want %s", receipt, err, want)
					}
				}
				if _, err := p.Find(ctx, r.Payload); err != nil {
					t.Errorf("Find after it is published: %v", err)
				}
				latest, err := p.Latest(ctx)
				if err != nil {
					t.Fatal(err)
				}
				latest.Ref = ""
				if diff := cmp.Diff(r.Release, latest); diff != "" {
					t.Errorf("Latest: %s", diff)
				}
			}
			gitlabHistory(t, f.open(t, target, f.env()), releases)
		})
	}
}

// gitlabHistory finds all releases, by every order.
func gitlabHistory(t *testing.T, p Place, releases []Sealed) {
	t.Helper()
	for _, i := range []int{2, 4, 0, 0, 3, 1} {
		got, err := p.Find(t.Context(), releases[i].Payload)
		got.Ref = ""
		if diff := cmp.Diff(releases[i].Release, got); err != nil || diff != "" {
			t.Errorf("Find %d: %v %s", i, err, diff)
		}
	}
	if _, err := p.Find(t.Context(), digest.FromString("none")); !errors.Is(err, verify.ErrNoRelease) {
		t.Errorf("Find of none: got %v, want ErrNoRelease", err)
	}
	for range 2 {
		var listed []digest.Digest
		for d, err := range p.List(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			listed = append(listed, d)
		}
		var want []digest.Digest
		for i := range releases {
			want = append(want, releases[len(releases)-1-i].Payload)
		}
		if diff := cmp.Diff(want, listed); diff != "" {
			t.Errorf("List: %s", diff)
		}
	}
}

func TestGitLabOtherContent(t *testing.T) {
	a, b := sealtest.Key(t, keys.Ed25519, "a"), sealtest.Key(t, keys.Ed25519, "b")
	for _, target := range gitlabTargets {
		t.Run(target, func(t *testing.T) {
			f := newFakeGitLab(t)
			p := f.open(t, target, f.env())
			first := gitlabSealed(t, 4, a)
			if _, err := p.Publish(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			before := f.state()
			again := gitlabSealed(t, 4, b)
			receipt, err := p.Publish(t.Context(), again)
			if err != nil || receipt.State != AlreadyThere || len(receipt.Notes) == 0 {
				t.Errorf("other signatures: got %+v, %v, want already there, with a note", receipt, err)
			}
			both := first
			both.Envelope = sealtest.Marshal(t, sealtest.Seal(t, first.Manifest, a, b))
			f.packages[0].files[2].data = both.Envelope
			if receipt, err := p.Publish(t.Context(), first); err != nil || receipt.State != AlreadyThere || len(receipt.Notes) > 0 {
				t.Errorf("fewer signatures: got %+v, %v, want already there, without a note", receipt, err)
			}
			f.packages[0].files[2].data = first.Envelope
			other := gitlabSealed(t, 5, a)
			for i := range other.Manifest.Tools {
				other.Manifest.Tools[i].Version = "1.2.4" // what the place goes by
			}
			_, err = p.Publish(t.Context(), other)
			if !errors.Is(err, ErrConflict) {
				t.Errorf("other payload: got %v, want ErrConflict", err)
			}
			gitlabHinted(t, err, "1.2.4", "version")
			if diff := cmp.Diff(before, f.state()); diff != "" {
				t.Errorf("it was changed: %s", diff)
			}
		})
	}
}

// TestGitLabFaults breaks each change in each way, twice over, and runs again.
func TestGitLabFaults(t *testing.T) {
	key := sealtest.Key(t, keys.Ed25519, "k")
	r := gitlabSealed(t, 4, key)
	for _, target := range gitlabTargets {
		for _, made := range []bool{false, true} {
			if made && target == "gitlab-packages" {
				continue // it knows no releases that others make
			}
			start := func(t *testing.T) *fakeGitLab {
				f := newFakeGitLab(t)
				if made {
					f.releases = append(f.releases, &fakeGitLabRelease{Tag: "v1.2.4"})
				}
				return f
			}
			whole := start(t)
			if _, err := whole.open(t, target, whole.env()).Publish(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			for step := range whole.steps {
				for what := gitlabRefuseBefore; what <= gitlabDieAfter; what++ {
					t.Run(fmt.Sprintf("%s/%v/%d/%d", target, made, step, what), func(t *testing.T) {
						f := start(t)
						gitlabFaultThenRerun(t, f, target, r, whole.steps[step], what)
						if diff := cmp.Diff(whole.state(), f.state()); diff != "" {
							t.Errorf("state: %s", diff)
						}
					})
				}
			}
		}
	}
}

func gitlabFaultThenRerun(t *testing.T, f *fakeGitLab, target string, r Sealed, step string, what gitlabFault) {
	f.fault = gitlabFaultAt(step, what)
	receipt, err := f.open(t, target, f.env()).Publish(t.Context(), r)
	lost := what == gitlabRefuseBefore || what == gitlabHangUpBefore || what >= gitlabDieBefore
	if (err != nil) != lost {
		t.Fatalf("with the fault: got %+v, %v, want an error: %v", receipt, err, lost)
	}
	if err != nil {
		if !errors.Is(err, verify.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		gitlabHinted(t, err)
	}
	f.heal()
	receipt, err = f.open(t, target, f.env()).Publish(t.Context(), r)
	if err != nil || receipt.State == "" {
		t.Fatalf("again: got %+v, %v", receipt, err)
	}
	if !lost && receipt.State != AlreadyThere {
		t.Errorf("again: got %s, want %s", receipt.State, AlreadyThere)
	}
}

// gitlabFaultAt is a fault of one change, whenever it is asked for.
func gitlabFaultAt(step string, what gitlabFault) func(int, *http.Request) gitlabFault {
	return func(_ int, r *http.Request) gitlabFault {
		if r.Method+" "+r.URL.RequestURI() != step {
			return gitlabNoFault
		}
		return what
	}
}
