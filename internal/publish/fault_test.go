package publish

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/verify"
)

var errFault = errors.New("the power went")

// faulty fails the nth step, after it took effect where after says so, and every
// one that follows: the run is dead.
type faulty struct {
	n     int
	after bool
	names []string
	dead  bool
}

func (f *faulty) step(name string, change func() error) error {
	if f.dead {
		return errFault
	}
	f.names = append(f.names, name)
	if len(f.names)-1 != f.n {
		return change()
	}
	f.dead = true
	if f.after {
		if err := change(); err != nil {
			return err
		}
	}
	return errFault
}

// TestEveryStepFails: a run that dies before or after any step, of any release of
// a story, is completed by the next one; the end is the same.
func TestEveryStepFails(t *testing.T) {
	story := releases(t, 3)
	story[0].Provenance, story[1].Provenance = []byte("provenance 0"), []byte("provenance 1")
	for _, kind := range []string{"dir", "well-known"} {
		story := slices.Clone(story)
		if kind == "well-known" {
			for i := range story {
				story[i].Keys = keyDocumentOf(t, sealtest.Key(t, keys.Ed25519, fmt.Sprintf("key-%d", i)))
			}
		}
		for _, at := range []int{0, len(story) - 1} {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/release %d/after %v", kind, at, after), func(t *testing.T) {
					steps := failEach(t, kind, story, at, after)
					checkOrder(t, steps, stemOf(kind), story[at])
				})
			}
		}
	}
}

// checkOrder: a release is in the history, and in its index, before it is the
// newest one, and that is what its envelope says, last of all.
func checkOrder(t *testing.T, steps []string, stem string, s Sealed) {
	t.Helper()
	at := -1
	for _, name := range []string{HistoryNames(stem, s.Payload).Snapshot, HistoryNames(stem, s.Payload).Envelope, IndexName(stem), NamesOf(stem).Snapshot, NamesOf(stem).Envelope} {
		i := slices.Index(steps, "write "+name)
		if i <= at {
			t.Errorf("%s is written as step %d, after step %d: %q", name, i, at, steps)
		}
		at = i
	}
	if at != len(steps)-1 {
		t.Errorf("the envelope is not written last: %q", steps)
	}
}

func failEach(t *testing.T, kind string, story []Sealed, at int, after bool) []string {
	t.Helper()
	base := t.TempDir()
	want := filepath.Join(base, "want")
	publishAll(t, kind, want, story)
	for n := 0; ; n++ {
		dir := filepath.Join(base, fmt.Sprint(n))
		publishAll(t, kind, dir, story[:at])
		before := treeOf(t, dir)
		p := mustOpen(t, kind+":"+dir, testEnv())
		fault := &faulty{n: n, after: after}
		layoutOf(p).step = fault.step
		_, err := p.Publish(t.Context(), story[at])
		if err == nil {
			return fault.names // all were failed
		}
		name := fault.names[n]
		if !errors.Is(err, errFault) {
			t.Fatalf("%s: got %v, want the fault", name, err)
		}
		checkCut(t, p, name, story[:at+1], before)
		fresh := mustOpen(t, kind+":"+dir, testEnv())
		r, err := fresh.Publish(t.Context(), story[at])
		if err != nil {
			t.Fatalf("%s: the next run: %v", name, err)
		}
		if r.State == AlreadyThere && !(after && strings.HasSuffix(name, stemOf(kind)+".json")) {
			t.Errorf("%s: the next run says %q", name, r.State)
		}
		publishAll(t, kind, dir, story[at+1:])
		if diff := cmp.Diff(treeOf(t, want), treeOf(t, dir)); diff != "" {
			t.Errorf("%s: the end differs from that without the fault (-want +got):\n%s", name, diff)
		}
	}
}

// checkCut looks at a place where a run died: whatever Latest gives is one of the
// last two releases, whole.
func checkCut(t *testing.T, p Place, step string, story []Sealed, before map[string]string) {
	t.Helper()
	layoutOf(p).step = nil
	r, err := p.Latest(t.Context())
	if errors.Is(err, verify.ErrNoRelease) && len(before) == 0 {
		return
	}
	if err != nil {
		t.Errorf("%s: Latest of what is left: %v", step, err)
		return
	}
	for _, s := range story[max(0, len(story)-2):] {
		if string(r.Envelope) == string(s.Envelope) && string(r.Snapshot) == string(s.Snapshot) {
			return
		}
	}
	t.Errorf("%s: Latest of what is left is no release, or has another's snapshot %q", step, r.Snapshot)
}

func stemOf(kind string) string {
	if kind == "well-known" {
		return wellKnownStem
	}
	return DefaultStem
}

func layoutOf(p Place) *layout {
	switch p := p.(type) {
	case *directory:
		return &p.layout
	case *wellKnown:
		return &p.layout
	}
	panic("no layout")
}

func publishAll(t testing.TB, kind, dir string, story []Sealed) {
	t.Helper()
	for _, s := range story {
		mustPublish(t, mustOpen(t, kind+":"+dir, testEnv()), s, Published)
	}
}
