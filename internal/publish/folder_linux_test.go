package publish

import (
	"strings"
	"testing"
)

// TestReadOnlyDirectory: a file system that cannot be written to, by anybody, is
// told of before anything is built.
func TestReadOnlyDirectory(t *testing.T) {
	for _, kind := range []string{"dir", "well-known", "package"} {
		p := mustOpen(t, kind+":/proc/self", testEnv())
		if err := p.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "/proc/self") {
			t.Errorf("Check of %s: %v, want an error that names the directory", p, err)
		}
		if _, err := p.Publish(t.Context(), releases(t, 1)[0]); err == nil {
			t.Errorf("Publish to %s: no error", p)
		}
	}
}
