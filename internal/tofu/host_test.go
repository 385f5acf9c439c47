package tofu

import (
	"context"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// serving is a [verify.Surface] that was observed already.
type serving verify.Observation

func (s serving) Observe(context.Context) (verify.Observation, error) {
	return verify.Observation(s), nil
}

// TestHost: sessions of a host over one store. A manifest that went is missed, one of
// a stranger does not stand in for it, and a block holds under the right one.
func TestHost(t *testing.T) {
	s := open(t, t.TempDir())
	seen := served(t, "read=Reads.")
	seen.Server.Name = sealtest.Manifest(t, seen.Tools...).Server.Name
	key := sealtest.Key(t, keys.Ed25519, "acme-2026")
	stranger := sealtest.Key(t, keys.Ed25519, "stranger")
	list := func(expected bool, manifest func() ([]byte, error)) string {
		h := verify.Host{
			Verifier: verify.Verifier{
				Keys: sealtest.Keys(key, stranger), IdentityExpected: expected, Policy: seal.Policy{Mode: seal.Warn, Below: 1},
				FirstUse: s, FirstUseKey: alpha, Now: func() time.Time { return sealtest.Time },
			},
			Manifest: func(context.Context, string) ([]byte, error) { return manifest() },
		}
		h.List(t.Context(), serving(seen))
		d := h.Decide("read")
		if len(d.Reasons) == 0 {
			return string(d.Action)
		}
		return string(d.Action) + " " + d.Reasons[0].Name
	}
	by := func(signer seal.Signer, namespace string) func() ([]byte, error) {
		return func() ([]byte, error) {
			m := sealtest.Manifest(t, seen.Tools...)
			m.Server.Publisher.Namespace = namespace
			return sealtest.Marshal(t, sealtest.Seal(t, m, signer)), nil
		}
	}
	none := func() ([]byte, error) { return nil, verify.ErrNoManifest }
	for _, step := range []struct {
		name, want string
		got        func() string
	}{
		{"sealed", "allow", func() string { return list(true, by(key, sealtest.Namespace)) }},
		{"without", "deny MANIFEST_ELSEWHERE", func() string { return list(true, none) }},
		{"by a stranger", "deny MANIFEST_ELSEWHERE", func() string { return list(false, by(stranger, "io.github.evil")) }},
		// Whoever signs that name when nobody is expected is asked about, and no more.
		{"in its name", "ask IDENTITY_NOT_EXPECTED", func() string { return list(false, by(stranger, sealtest.Namespace)) }},
		{"sealed again", "allow", func() string { return list(true, by(key, sealtest.Namespace)) }},
		{"blocked", "deny TOFU_BLOCKED", func() string {
			if err := s.Block(t.Context(), alpha); err != nil {
				t.Fatal(err)
			}
			return list(true, by(key, sealtest.Namespace))
		}},
	} {
		if got := step.got(); got != step.want {
			t.Errorf("%s: got %s, want %s", step.name, got, step.want)
		}
	}
}
