package keyless_test

import (
	"testing"

	"github.com/mcp-integrity/seal-action/internal/keyless/keylesstest"
)

func BenchmarkVerify(b *testing.B) {
	for _, world := range []string{"public, Rekor v2", "public, Rekor v1", "GitHub's own"} {
		b.Run(world, func(b *testing.B) {
			o := worlds[world]
			o.P384 = true
			s := keylesstest.New(b, o)
			tr, bundle := trusting(b, s.TrustedRoot()), s.Sign(b, statement).Bundle
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tr.Verify(bundle); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseTrustedRoot(b *testing.B) {
	s := keylesstest.New(b, keylesstest.Options{})
	root := s.TrustedRoot()
	b.ReportAllocs()
	for b.Loop() {
		trusting(b, root)
	}
}
