package keyless_test

import (
	"testing"

	"github.com/mcp-integrity/seal-action/internal/keyless"
)

// TestWindowsHaveAStart: a key or an authority whose time has no start is
// malformed. Nothing is trusted since ever.
func TestWindowsHaveAStart(t *testing.T) {
	for _, window := range []string{
		"tlogs.0.publicKey.validFor", "ctlogs.1.publicKey.validFor", "certificateAuthorities.1.validFor", "timestampAuthorities.0.validFor",
	} {
		for name, value := range map[string]any{"without a start": map[string]any{}, "that is not there": nil} {
			t.Run(window+" "+name, func(t *testing.T) {
				root := parsed(t, corpusFile(t, publicGood)).set(window, value)
				if _, err := keyless.ParseTrustedRoot(root.bytes()); err == nil {
					t.Error("accepted")
				}
			})
		}
	}
}
