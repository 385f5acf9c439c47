package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
)

// A file is an artifact's file: opened once, so that what is identified and
// what is hashed cannot be two files.
type file struct {
	*os.File
	before os.FileInfo
}

// errDirectory is openFile's answer for a directory.
var errDirectory = errors.New("is a directory")

// openFile opens a regular file for reading. It follows a link at path, which
// is the caller's own word.
func openFile(path string) (*file, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, bare(err)
	}
	if err := wantRegular(info); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return nil, bare(err)
	}
	if info, err = f.Stat(); err == nil {
		err = wantRegular(info)
	}
	if err != nil {
		f.Close()
		return nil, bare(err)
	}
	return &file{File: f, before: info}, nil
}

func wantRegular(info os.FileInfo) error {
	switch {
	case info.IsDir():
		return errDirectory
	case !info.Mode().IsRegular():
		return fmt.Errorf("is a special file (%s), want a regular file or a directory", info.Mode().Type())
	}
	return nil
}

// bare takes the path off an error of package os: the caller names the
// artifact.
func bare(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return fmt.Errorf("%s: %w", p.Op, p.Err)
	}
	return err
}

func (f *file) size() int64 { return f.before.Size() }

// section gives the file's bytes from the start, whatever was read before.
func (f *file) section() *io.SectionReader { return io.NewSectionReader(f, 0, f.size()) }

// unchanged returns ErrChanged where size or time of the file are not what
// they were when it was opened.
func (f *file) unchanged() error {
	after, err := f.Stat()
	if err != nil {
		return bare(err)
	}
	if after.Size() != f.size() || !after.ModTime().Equal(f.before.ModTime()) {
		return fmt.Errorf("%w: got %d bytes of %s, want %d bytes of %s", ErrChanged,
			after.Size(), after.ModTime().UTC().Format(timeLayout), f.size(), f.before.ModTime().UTC().Format(timeLayout))
	}
	return nil
}

// timeLayout is RFC 3339 with the nanoseconds that tell two writes apart.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// digest hashes the whole file; name is for Options.Progress.
func (f *file) digest(ctx context.Context, name string, o Options) (digest.Digest, error) {
	d, n, err := hashStream(ctx, f.section(), o.Algorithm, newMeter(o.Progress, name, f.size()))
	if err != nil {
		return "", bare(err)
	}
	if n != f.size() {
		return "", fmt.Errorf("%w: got %d bytes, want %d", ErrChanged, n, f.size())
	}
	return d, f.unchanged()
}
