//go:build unix

package artifact

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"
)

// unixTree adds what only some systems keep: executable files, links, and names
// that are hard to print.
func unixTree(t testing.TB) string {
	t.Helper()
	dir := makeTree(t, portableTree)
	mustDo(t, os.Chmod(write(t, dir, "bin/run", "#!/bin/sh\n"), 0o755))
	write(t, dir, "line\nbreak 3 f", "9")
	write(t, dir, `back\slash`, "10")
	mustDo(t, os.Symlink("../README.md", filepath.Join(dir, "bin", "link")))
	mustDo(t, os.Symlink("nowhere\n", filepath.Join(dir, "dangling")))
	mustDo(t, os.Symlink("a", filepath.Join(dir, "to-directory")))
	return dir
}

// treeScript is the format in a shell's words; see testdata.
func treeScript(t *testing.T, dir string) digest.Digest {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("testdata", "tree.sh"))
	mustDo(t, err)
	cmd := exec.Command("sh", script)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	mustDo(t, err)
	return digest.Digest("sha256:" + strings.TrimSpace(string(out)))
}

func TestTreeDigestUnix(t *testing.T) {
	dir := unixTree(t)
	got := treeOf(t, dir)
	if plain := plainTreeDigest(t, dir); plain != got.Artifact.Digest {
		t.Errorf("got %s, want %s by the second implementation", got.Artifact.Digest, plain)
	}
	if len(got.Notes) != 0 {
		t.Errorf("got notes %q, want none", got.Notes)
	}
}

func TestTreeDigestModes(t *testing.T) {
	dir := unixTree(t)
	before := treeOf(t, dir).Artifact.Digest
	run := filepath.Join(dir, "bin", "run")
	for mode, same := range map[os.FileMode]bool{0o700: true, 0o744: true, 0o777: true, 0o500: true, 0o644: false, 0o655: false} {
		mustDo(t, os.Chmod(run, mode))
		if got := treeOf(t, dir).Artifact.Digest; (got == before) != same {
			t.Errorf("mode %o: got %s, same as 755: want %v", mode, got, same)
		}
	}
}

func TestTreeLinks(t *testing.T) {
	dir := unixTree(t)
	before := treeOf(t, dir).Artifact.Digest
	outside := write(t, t.TempDir(), "secret", "x")
	link := filepath.Join(dir, "a", "out")
	for target, note := range map[string]bool{outside: true, "../../x": true, "../..": true, "..": false, "../README.md": false, "nothing": false} {
		mustDo(t, os.Symlink(target, link))
		got := treeOf(t, dir)
		if got.Artifact.Digest == before {
			t.Errorf("link to %q does not count", target)
		}
		if noted := len(got.Notes) == 1 && strings.Contains(got.Notes[0], `1 links lead out of the tree, the first is "a/out"`); noted != note {
			t.Errorf("link to %q: notes %q, want one: %v", target, got.Notes, note)
		}
		mustDo(t, os.Remove(link))
	}
	// What a link leads to does not count, the link does.
	mustDo(t, os.Symlink(outside, link))
	first := treeOf(t, dir).Artifact.Digest
	mustDo(t, os.WriteFile(outside, []byte("y"), 0o644))
	if got := treeOf(t, dir).Artifact.Digest; got != first {
		t.Errorf("got %s, want %s: links are not followed", got, first)
	}
	// Nor is a link of a name that is left out itself left out.
	mustDo(t, os.Symlink("a", filepath.Join(dir, ".git")))
	if got := treeOf(t, dir).Artifact.Digest; got == first {
		t.Error("a link .git does not count")
	}
}

func TestSpecialFiles(t *testing.T) {
	dir := t.TempDir()
	mustDo(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
	_, err := Identify(context.Background(), dir, Options{})
	wantErr(t, err, `"pipe": is a special file (p`)
	_, err = Identify(context.Background(), filepath.Join(dir, "pipe"), Options{})
	wantErr(t, err, "is a special file (p")
	_, err = Identify(context.Background(), os.DevNull, Options{})
	wantErr(t, err, "is a special file (D")
	// Socket paths are short: a directory of our own near the root.
	short, err := os.MkdirTemp("", "s")
	mustDo(t, err)
	defer os.RemoveAll(short)
	l, err := net.Listen("unix", filepath.Join(short, "s"))
	mustDo(t, err)
	defer l.Close()
	_, err = Identify(context.Background(), short, Options{})
	wantErr(t, err, `"s": is a special file (S`)
}

// A file that is put in another's place between the look and the opening is
// noticed, and a pipe there does not hang us.
func TestTreeReplaced(t *testing.T) {
	dir := makeTree(t, map[string]string{"a": "1", "b": "1"})
	root, err := os.OpenRoot(dir)
	mustDo(t, err)
	defer root.Close()
	tree := &treeReader{root: root, alg: digest.SHA256}
	replace := map[string]func(p string){
		"file": func(p string) { mustDo(t, os.Rename(filepath.Join(dir, "b"), p)) },
		"pipe": func(p string) { mustDo(t, os.Remove(p)); mustDo(t, syscall.Mkfifo(p, 0o644)) },
		"link": func(p string) { mustDo(t, os.Remove(p)); mustDo(t, os.Symlink("b", p)) },
	}
	for _, kind := range []string{"pipe", "link", "file"} {
		p := filepath.Join(dir, "a")
		mustDo(t, os.RemoveAll(p))
		write(t, dir, "a", "1")
		write(t, dir, "b", "1")
		e, err := tree.entry("a")
		mustDo(t, err)
		replace[kind](p)
		tree.fill(context.Background(), e)
		wantErr(t, e.err, ErrChanged.Error())
	}
}
