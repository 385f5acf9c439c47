//go:build unix

package publish

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/mcp-integrity/seal-action/verify"
)

// TestDirPipes: nothing waits for who might write into a pipe, and none is replaced.
func TestDirPipes(t *testing.T) {
	s := releases(t, 1)[0]
	for _, name := range []string{"mcp-integrity.json", "mcp-integrity.interface.json", "mcp-integrity/index.json", HistoryName("mcp-integrity", s.Payload, EnvelopeSuffix), "other.json"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, dir, "mcp-integrity/x", nil)
			if err := syscall.Mkfifo(filepath.Join(dir, filepath.FromSlash(name)), 0o644); err != nil {
				t.Fatal(err)
			}
			p := mustOpen(t, "dir:"+dir, testEnv())
			if _, err := p.Find(t.Context(), s.Payload); err == nil {
				t.Error("Find: no error")
			}
			_, latest := p.Latest(t.Context())
			if !errors.Is(latest, verify.ErrUnavailable) && !errors.Is(latest, verify.ErrNoRelease) {
				t.Errorf("Latest: %v", latest)
			}
			_, err := p.Publish(t.Context(), s)
			if other := name == "other.json"; other != (err == nil) || !other && !errors.Is(err, ErrConflict) {
				t.Errorf("Publish: %v", err)
			}
		})
	}
}
