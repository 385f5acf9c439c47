package server

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A home is where a server may believe to be at home: a fresh empty home
// directory and a temporary directory beside it, gone with the server.
type home struct{ root string }

func newHome() (home, error) {
	root, err := os.MkdirTemp("", "mcp-integrity-")
	if err != nil {
		return home{}, fmt.Errorf("temporary home: %w", err)
	}
	h := home{root}
	for _, dir := range []string{h.dir(), h.tmp()} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return h, fmt.Errorf("temporary home: %w", err)
		}
	}
	return h, nil
}

func (h home) dir() string { return filepath.Join(h.root, "home") }
func (h home) tmp() string { return filepath.Join(h.root, "tmp") }

// environment is what the server's environment is built of, with extra on top.
// Of ours only PATH is taken over, since without it no interpreter is found.
func (h home) environment(extra []string) []string {
	path := os.Getenv("PATH")
	if path == "" {
		path = defaultPath
	}
	env := []string{"PATH=" + path, "HOME=" + h.dir(), "TMPDIR=" + h.tmp(), "LANG=C.UTF-8"}
	env = append(env, systemEnvironment(h)...)
	return append(env, extra...)
}

// remove deletes the home. A server may have left directories that cannot be
// read or written; they are opened first. All its processes are dead by now, so
// nothing can be put back in the meantime.
func (h home) remove() error {
	if h.root == "" || os.RemoveAll(h.root) == nil {
		return nil
	}
	// WalkDir reads a directory after visiting it, so it sees what it opens.
	_ = filepath.WalkDir(h.root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(h.root)
}
