package artifact

import (
	"testing"
)

// The shell needs GNU's find and stat, which Linux has.
func TestTreeDigestShell(t *testing.T) {
	for name, dir := range map[string]string{"portable": makeTree(t, portableTree), "unix": unixTree(t), "empty": t.TempDir()} {
		write(t, dir, ".git/HEAD", "x")
		write(t, dir, "mcp-integrity.json", "x")
		got := treeOf(t, dir).Artifact.Digest
		if want := treeScript(t, dir); got != want {
			t.Errorf("%s: got %s, want %s by testdata/tree.sh", name, got, want)
		}
	}
}
