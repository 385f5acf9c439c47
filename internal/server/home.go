package server

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A home is where a server may believe to be at home: a fresh empty home
// directory and a temporary directory beside it, gone with the server.
type home struct{ root string }

func newHome() (home, error) {
	root, err := os.MkdirTemp("", "home-")
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
// read or written, and nested them deeper than there are open files or bytes in
// a path: each is opened, and what it holds is moved up before it is removed, so
// that no path is longer than two names. All the server's processes are dead by
// now, so nothing can be put back in the meantime.
func (h home) remove() error {
	if h.root == "" {
		return nil
	}
	moved := 0
	for {
		names, err := entries(h.root)
		if err != nil {
			return shortened(err)
		}
		if len(names) == 0 {
			return shortened(os.Remove(h.root))
		}
		for _, e := range names {
			path := filepath.Join(h.root, e.Name())
			if e.IsDir() {
				err = h.empty(path, &moved)
			}
			if err = cmp.Or(err, os.Remove(path)); err != nil {
				return shortened(err)
			}
		}
	}
}

// empty removes the files in dir and moves its directories to the root.
func (h home) empty(dir string, moved *int) error {
	for {
		inner, err := entries(dir)
		if err != nil || len(inner) == 0 {
			return err
		}
		for _, e := range inner {
			path := filepath.Join(dir, e.Name())
			if !e.IsDir() {
				err = os.Remove(path)
			} else if err = os.Chmod(path, 0o700); err == nil { // else it cannot be moved
				*moved++
				err = os.Rename(path, filepath.Join(h.root, fmt.Sprint("removed-", *moved)))
			}
			if err != nil {
				return err
			}
		}
	}
}

// entries returns some entries of dir, none when it is empty.
func entries(dir string) ([]fs.DirEntry, error) {
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	found, err := f.ReadDir(maxEntries)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return found, err
}

// shortened is err with no more of a path than a line of text bears.
func shortened(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s %.100q: %w", e.Op, e.Path, e.Err)
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return fmt.Errorf("%s %.100q: %w", e.Op, e.Old, e.Err)
	}
	return err
}
