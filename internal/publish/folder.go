package publish

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Bounds on a directory.
const (
	// maxListing is for the names in one directory: a full history, three files a
	// release, and as much beside it.
	maxListing = 200_000
	// staleAfter is when a temporary file of ours is a killed run's: no write
	// takes an hour.
	staleAfter = time.Hour
)

// The names of files that are being written, before they appear.
const (
	tempPrefix = ".mcp-integrity-"
	tempSuffix = ".tmp"
)

// What has a name is not of the kind that it is for.
var (
	errNotFile = errors.New("want a regular file")
	errNotDir  = errors.New("want a directory")
)

// folder is a directory in which files appear whole, by rename. Nothing outside
// it is read or written, whatever links lie in it. Names have slashes.
type folder struct {
	root *os.Root
	// step does one change, by its name. Tests let it fail, before and after.
	step stepper
}

type stepper func(name string, change func() error) error

func plainStep(_ string, change func() error) error { return change() }

// openFolder opens a directory that is there.
func openFolder(dir string, step stepper) (*folder, error) {
	root, err := os.OpenRoot(filepath.Clean(dir))
	if err != nil {
		return nil, bare(err)
	}
	if step == nil {
		step = plainStep
	}
	return &folder{root: root, step: step}, nil
}

func (f *folder) Close() error { return f.root.Close() }

// bare is an error of package os without the path, which our message has.
func bare(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%w above it, got a file", errNotDir)
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	return err
}

// read returns a file of at most limit bytes; nil where there is none. The error
// wraps [errNotFile] where there is something else.
func (f *folder) read(name string, limit int64) ([]byte, error) {
	info, err := f.root.Stat(filepath.FromSlash(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, bare(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w, got %s", name, errNotFile, kindOf(info.Mode()))
	}
	data, err := f.readAll(name, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

func (f *folder) readAll(name string, limit int64) ([]byte, error) {
	file, err := f.root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return nil, bare(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, bare(err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	if data == nil {
		data = []byte{} // an empty file is a file
	}
	return data, nil
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode.Type() == fs.ModeSymlink:
		return "a symbolic link"
	case mode.IsRegular():
		return "a file"
	}
	return fmt.Sprintf("a special file (%s)", mode.Type())
}

// put makes a file appear, whole or not at all, in the place of one of that name.
func (f *folder) put(ctx context.Context, name string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := f.step("write "+name, func() error { return f.write(name, data) })
	if err != nil {
		return fmt.Errorf("write %s: %w", name, bare(err))
	}
	return nil
}

func (f *folder) write(name string, data []byte) error {
	if err := f.replaceable(name); err != nil {
		return err
	}
	dir := path.Dir(name)
	if err := f.root.MkdirAll(filepath.FromSlash(dir), 0o755); err != nil {
		return err
	}
	temp := filepath.FromSlash(path.Join(dir, tempPrefix+rand.Text()+tempSuffix))
	file, err := f.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	// What stands under its name is to be there after a power cut, too.
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = f.root.Rename(temp, filepath.FromSlash(name))
	}
	if err != nil {
		f.root.Remove(temp) // what is left of it is a later run's to remove
	}
	return err
}

// replaceable says whether what has a name may make way. A link is replaced
// itself; where it leads stays as it is.
func (f *folder) replaceable(name string) error {
	info, err := f.root.Lstat(filepath.FromSlash(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular() && info.Mode().Type() != fs.ModeSymlink:
		return fmt.Errorf("%w, got %s", errNotFile, kindOf(info.Mode()))
	}
	return nil
}

// remove removes a file.
func (f *folder) remove(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := f.step("remove "+name, func() error { return f.root.Remove(filepath.FromSlash(name)) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", name, bare(err))
	}
	return nil
}

// list returns what lies in a directory, in no order; nothing where there is none.
func (f *folder) list(dir string) ([]fs.DirEntry, error) {
	file, err := f.root.OpenFile(filepath.FromSlash(dir), os.O_RDONLY|openNonblock, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, bare(err))
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s: %w, got %s", dir, errNotDir, kindOf(info.Mode()))
	}
	var all []fs.DirEntry
	for {
		batch, err := file.ReadDir(4096)
		if all = append(all, batch...); len(all) > maxListing {
			return nil, fmt.Errorf("%s: more than %d files", dir, maxListing)
		}
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, bare(err))
		}
	}
}

// tidy removes what killed runs left in a directory before now.
func (f *folder) tidy(dir string, now time.Time) {
	entries, err := f.list(dir)
	if err != nil {
		return // it is litter
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) || !strings.HasSuffix(e.Name(), tempSuffix) || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > staleAfter {
			f.root.Remove(filepath.FromSlash(path.Join(dir, e.Name())))
		}
	}
}

// writable says what would keep files from appearing in a directory, or the
// directory from being made. It leaves nothing behind.
func writable(dir string) error {
	at, err := nearest(filepath.Clean(dir))
	if err != nil {
		return err
	}
	probe, err := os.CreateTemp(at, tempPrefix+"*"+tempSuffix)
	if err != nil {
		return fmt.Errorf("nothing can be written to %q: %w", at, bare(err))
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// nearest is the directory dir, or what lies above where it is to be made.
func nearest(dir string) (string, error) {
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && info.IsDir():
			return dir, nil
		case err == nil:
			return "", fmt.Errorf("%q: %w, got %s", dir, errNotDir, kindOf(info.Mode()))
		case !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("%q: %w", dir, bare(err))
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", fmt.Errorf("%q: %w", dir, bare(err))
		}
		dir = above
	}
}
