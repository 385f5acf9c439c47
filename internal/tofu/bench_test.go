package tofu

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

// surfaces is what 50 tools of 2 kB look like, and the same with one changed.
func surfaces(b *testing.B) (old, new verify.Observation) {
	b.Helper()
	old.Observed, new.Observed = verify.Live, verify.Live
	for n := range 50 {
		for i, o := range []*verify.Observation{&old, &new} {
			text := strings.Repeat("It does what it says. ", 40)
			if i == 1 && n == 7 {
				text += "And more."
			}
			tool, err := fingerprint.ParseTool(fmt.Appendf(nil, `{"name":"tool%d","description":%q,"inputSchema":{"type":"object","properties":{"path":{"type":"string","description":%q}}}}`, n, text, text))
			if err != nil {
				b.Fatal(err)
			}
			o.Tools = append(o.Tools, tool)
		}
	}
	return old, new
}

// full is a store of 1,000 servers with 50 tools each.
func full(b *testing.B) (s *Store, old, new verify.Observation) {
	b.Helper()
	s = open(b, b.TempDir())
	old, new = surfaces(b)
	for n := range 1000 {
		meet(b, s, numbered(n), old, noon)
	}
	b.ResetTimer()
	return s, old, new
}

// BenchmarkMeet is a store of 1,000 servers: what a host pays for a server that
// it knows, at once and as the first of its process; for one that changed, again
// and again; and for one that it does not know.
func BenchmarkMeet(b *testing.B) {
	s, old, new := full(b)
	b.Run("same", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			meet(b, s, numbered(i%1000), old, later)
		}
	})
	b.Run("same-opened-anew", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			meet(b, open(b, s.vault.Dir), numbered(i%1000), old, later)
		}
	})
	b.Run("changed-known", func(b *testing.B) {
		meet(b, s, numbered(0), new, later)
		for b.Loop() {
			meet(b, s, numbered(0), new, later)
		}
	})
	b.Run("first", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			meet(b, s, numbered(1000+i), old, later)
		}
	})
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.List(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
