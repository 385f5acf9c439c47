package memory

import (
	"testing"

	"github.com/mcp-integrity/seal-action/verify"
)

func full(b *testing.B) (*Memory, []verify.Seen) {
	b.Helper()
	var all []verify.Seen
	for n := 10_000; n > 0; n-- {
		all = append(all, release(n))
	}
	m := open(b, b.TempDir())
	remember(b, m, alpha, all...)
	return m, all
}

// BenchmarkFind is one answer of a memory that has read the server: what a chain
// costs for each of its releases.
func BenchmarkFind(b *testing.B) {
	m, all := full(b)
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		if _, ok, err := m.Find(b.Context(), alpha, all[i%len(all)].Digest); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkOpenAndFind is the first answer.
func BenchmarkOpenAndFind(b *testing.B) {
	m, all := full(b)
	for b.Loop() {
		if _, ok, err := open(b, m.dir).Find(b.Context(), alpha, all[0].Digest); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkRemember adds one release to ten thousand.
func BenchmarkRemember(b *testing.B) {
	m, all := full(b)
	for n := len(all) + 1; b.Loop(); n++ {
		remember(b, m, alpha, release(n))
	}
}

// BenchmarkRememberKnown brings nothing new.
func BenchmarkRememberKnown(b *testing.B) {
	m, all := full(b)
	for b.Loop() {
		remember(b, m, alpha, all[0])
	}
}

// BenchmarkRememberAll is a chain of ten thousand at once.
func BenchmarkRememberAll(b *testing.B) {
	_, all := full(b)
	for b.Loop() {
		remember(b, open(b, b.TempDir()), alpha, all...)
	}
}
