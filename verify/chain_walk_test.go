package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
)

func counting(n int, each func(i int) int) func(context.Context) iter.Seq[func() int] {
	return func(context.Context) iter.Seq[func() int] {
		return func(yield func(func() int) bool) {
			for i := range n {
				if !yield(func() int { return each(i) }) {
					return
				}
			}
		}
	}
}

func TestAheadKeepsTheOrder(t *testing.T) {
	want := make([]int, 1000)
	for i := range want {
		want[i] = i * i
	}
	got := slices.Collect(ahead(t.Context(), counting(len(want), func(i int) int { return i * i })))
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// TestAheadIsBounded: no more jobs are begun than may wait, and those that are in
// the hands of who makes and who takes them.
func TestAheadIsBounded(t *testing.T) {
	var begun atomic.Int64
	taken := int64(0)
	for range ahead(t.Context(), counting(200, func(int) int { return int(begun.Add(1)) })) {
		if b := begun.Load(); b > taken+maxInFlight+2 {
			t.Fatalf("%d jobs were begun when %d were taken", b, taken)
		}
		taken++
	}
}

func TestAheadStops(t *testing.T) {
	var begun, ended atomic.Int64
	jobs := func(ctx context.Context) iter.Seq[func() int] {
		return func(yield func(func() int) bool) {
			defer ended.Add(1)
			for {
				begun.Add(1)
				job := func() int { <-ctx.Done(); ended.Add(1); return 0 }
				if begun.Load() == 1 {
					job = func() int { ended.Add(1); return 1 }
				}
				if !yield(job) {
					return
				}
			}
		}
	}
	for range ahead(t.Context(), jobs) {
		break
	}
	// Every job that was handed over has ended, and so has their maker.
	if b, e := begun.Load(), ended.Load(); e < b-1 || e > b+1 {
		t.Errorf("%d were begun and %d have ended", b, e)
	}
}

func TestAheadPanicsInItsCaller(t *testing.T) {
	for name, jobs := range map[string]func(context.Context) iter.Seq[func() int]{
		"a job": counting(3, func(i int) int {
			if i == 1 {
				panic("broken")
			}
			return i
		}),
		"the maker": func(context.Context) iter.Seq[func() int] {
			return func(yield func(func() int) bool) {
				yield(func() int { return 0 })
				panic("broken")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p := recover(); p != "broken" {
					t.Errorf("got %v, want the panic", p)
				}
			}()
			for range ahead(t.Context(), jobs) {
			}
			t.Error("it went on")
		})
	}
}

// endless is a source whose every release names one more, as no honest hash could.
type endless struct{ asked atomic.Int64 }

func (e *endless) Release(context.Context, digest.Digest) ([]byte, error) {
	e.asked.Add(1)
	return nil, errors.New("it was asked")
}

func (e *endless) Releases(context.Context) iter.Seq2[digest.Digest, error] {
	return func(yield func(digest.Digest, error) bool) {
		for i := 0; yield(digest.FromString(fmt.Sprint(i)), nil); i++ {
		}
	}
}

// TestTheWalkIsBounded: beyond the bound nothing is fetched.
func TestTheWalkIsBounded(t *testing.T) {
	source := new(endless)
	c := &chain{run: &run{Verifier: &Verifier{Chain: source}}, most: 1, memory: &recollection{}, head: &release{link: lineage.Link{PreviousVersion: "1", Digest: digest.FromString("x")}}}
	all := slices.Collect(c.ancestors(t.Context()))
	if len(all) != 1 || !errors.Is(all[0].err, ErrUnavailable) || all[0].wrong != 0 || source.asked.Load() != 0 {
		t.Errorf("got %+v after %d questions, want one release that could not be had", all, source.asked.Load())
	}
}

// TestTheListIsBounded: a list without an end.
func TestTheListIsBounded(t *testing.T) {
	source := new(endless)
	r := &run{Verifier: &Verifier{Chain: source}, result: &Result{}}
	c := &chain{run: r, alike: map[seal.Code]int{}, more: map[seal.Code]int{}, memory: &recollection{}, end: First}
	names := c.listed(t.Context())
	if len(names) != maxBeside || !slices.IsSorted(names) {
		t.Errorf("got %d names, want %d in order", len(names), maxBeside)
	}
	if len(r.result.Skipped) != 2 {
		t.Errorf("got %+v, want both bounds said", r.result.Skipped)
	}
}

// FuzzNextLink: the link that is read ahead is the one that is found when the
// payload is read in full.
func FuzzNextLink(f *testing.F) {
	m := sealtest.Manifest(f, sealtest.Tools(f, 2)...)
	for _, l := range []lineage.Link{{Absent: true}, {PreviousVersion: "1", Digest: digest.FromString("x")}} {
		for i := range m.Tools {
			m.Tools[i].Lineage = l.Lineage(nil)
		}
		payload, err := seal.MarshalManifest(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		ahead, ok := nextLink(payload)
		m, err := seal.ParseManifest(payload)
		if err != nil {
			return
		}
		if link, err := lineage.LinkOf(m); err == nil && (!ok || ahead != link) {
			t.Errorf("got %v, %v ahead, want %v", ahead, ok, link)
		}
	})
}

// FuzzAncestor: what a source may answer is opened or refused.
func FuzzAncestor(f *testing.F) {
	f.Add([]byte(`{"payloadType":"application/vnd.mcp-integrity.manifest+json","payload":"e30","signatures":[{"keyid":"a","sig":"AA"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &run{Verifier: &Verifier{Keys: seal.Keys{}}}
		e, err := seal.ParseEnvelope(data)
		if err != nil {
			return
		}
		rel, err := r.openAncestor(t.Context(), e, e.PayloadDigest(digest.SHA256))
		if (rel == nil) == (err == nil) || err != nil && codeOf(err) == 0 {
			t.Errorf("got %v and %v", rel, err)
		}
	})
}
