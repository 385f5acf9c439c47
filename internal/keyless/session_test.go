package keyless

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/mcp-integrity/seal-action/internal/keyless/keylesstest"
)

var instances = map[string]keylesstest.Options{
	"Rekor v2":         {},
	"Rekor v1":         {RekorV1: true},
	"Rekor v1, no TSA": {RekorV1: true, NoTSA: true},
	"GitHub's own":     {NoLog: true, NoCT: true},
}

func TestSign(t *testing.T) {
	for name, o := range instances {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, o)
				w.checkSigned(w.sign(context.Background()))
				if len(w.lines) > 0 {
					t.Errorf("people were told %q", w.lines)
				}
				if n := w.requests[fulcioHost]; n != 1 {
					t.Errorf("%d certificates, want 1", n)
				}
			})
		})
	}
}
