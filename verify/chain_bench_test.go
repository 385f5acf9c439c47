package verify_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// lengths are those of chains that are measured.
var lengths = []int{10, 100, 1000, 10_000}

// stretch is a chain on a shelf, and what verifies its newest release.
type stretch struct {
	v        verify.Verifier
	newest   []byte
	payloads [][]byte
	source   *shelf
}

// newStretch makes a chain of n releases of a server with five tools.
func newStretch(b *testing.B, n int) *stretch {
	b.Helper()
	key := sealtest.Key(b, keys.Ed25519, "acme-2026")
	s := &stretch{source: &shelf{envelopes: map[digest.Digest][]byte{}}}
	tools := sealtest.Tools(b, 5)
	var last *made
	for i := range n {
		m := sealtest.Manifest(b, tools...)
		setVersion(m, fmt.Sprintf("1.%d.0", i))
		m.IssuedAt = seal.NewTimestamp(sealtest.Time.Add(time.Duration(i) * time.Hour))
		if last != nil {
			l := lineage.Link{PreviousVersion: lineage.VersionOf(last.manifest), Digest: last.digest}
			for t := range m.Tools {
				m.Tools[t].Lineage = l.Lineage([]seal.Change{{Type: "bugfix", Description: "Does the same things, better."}})
			}
		}
		e := sealtest.Seal(b, m, key)
		last = &made{m, e, s.source.put(b, e)}
		s.payloads = append(s.payloads, e.Payload)
	}
	s.newest = s.source.envelopes[last.digest]
	s.v = verify.Verifier{
		Keys: sealtest.Keys(key), Namespace: sealtest.Namespace, IdentityExpected: true, Chain: s.source,
		Policy: seal.DefaultPolicy, Now: func() time.Time { return sealtest.Time.AddDate(10, 0, 0) },
	}
	return s
}

// Release forgets what it was asked for: a bench counts what the chain keeps.
type forgetful struct{ *shelf }

func (f forgetful) Release(ctx context.Context, d digest.Digest) ([]byte, error) {
	f.asked = f.asked[:0]
	return f.shelf.Release(ctx, d)
}

func (f forgetful) Releases(ctx context.Context) iter.Seq2[digest.Digest, error] {
	return f.shelf.Releases(ctx)
}

// BenchmarkChain verifies a release and all before it. Beside it, BenchmarkBare
// makes as many signature checks and hashes of the same bytes, and nothing else.
func BenchmarkChain(b *testing.B) {
	for _, n := range lengths {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newStretch(b, n)
			s.v.Chain = forgetful{s.source}
			check := func() {
				r := s.v.Verify(context.Background(), s.newest)
				if len(r.Errors) > 0 || r.Chain.Length != n || r.Chain.VerifiedTo != verify.First {
					b.Fatalf("got %+v with %+v", r.Chain, r.Errors)
				}
			}
			stop := watchHeap()
			check()
			peak := stop()
			b.ReportAllocs()
			for b.Loop() {
				check()
			}
			b.ReportMetric(float64(peak)/1024, "peak-KiB")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/link")
		})
	}
}

// BenchmarkRemembered verifies the next release after one whose chain was.
func BenchmarkRemembered(b *testing.B) {
	for _, n := range lengths {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newStretch(b, n)
			s.v.Chain, s.v.Memory = forgetful{s.source}, newHead()
			s.v.Verify(context.Background(), s.newest)
			for b.Loop() {
				if r := s.v.Verify(context.Background(), s.newest); r.Chain.VerifiedTo != verify.Remembered {
					b.Fatalf("got %+v", r.Chain)
				}
			}
		})
	}
}

func BenchmarkBare(b *testing.B) {
	for _, n := range lengths {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newStretch(b, n)
			public, private, err := ed25519.GenerateKey(nil)
			if err != nil {
				b.Fatal(err)
			}
			// Each release has two signatures, of its payload and of its statement, and
			// is hashed for its successor and for its statement.
			statement := make([]byte, 500)
			signed := make([][2][]byte, n)
			for i, p := range s.payloads {
				binary.LittleEndian.PutUint64(statement, uint64(i))
				signed[i] = [2][]byte{ed25519.Sign(private, p), ed25519.Sign(private, statement)}
			}
			b.ReportAllocs()
			for b.Loop() {
				for i, p := range s.payloads {
					binary.LittleEndian.PutUint64(statement, uint64(i))
					first, second := sha256.Sum256(p), sha256.Sum256(p)
					if first != second || !ed25519.Verify(public, p, signed[i][0]) || !ed25519.Verify(public, statement, signed[i][1]) {
						b.Fatal("it does not hold")
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/link")
		})
	}
}

// watchHeap measures the greatest live heap over what is live now, until it is
// stopped: bytes that a collection found in use.
func watchHeap() (stop func() uint64) {
	var peak atomic.Uint64
	live := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	base := live()
	done, ended := make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if l := live(); l > base {
					peak.Store(max(peak.Load(), l-base))
				}
			}
		}
	}()
	return func() uint64 {
		close(done)
		<-ended
		return peak.Load()
	}
}
