package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// A ChangedError says that somebody else changed a file: what is there is not
// what was written.
type ChangedError struct{ Reason string }

func (e *ChangedError) Error() string { return e.Reason }

func changedf(format string, args ...any) error {
	return &ChangedError{fmt.Sprintf(format, args...)}
}

// LockFile takes the lock of the file at path, shared where flag is for reading
// and alone where it is for writing. It waits until ctx ends, or for so long. The
// system's call cannot be interrupted: where it comes too late, the lock is given
// back.
func LockFile(ctx context.Context, path string, flag int, wait time.Duration) (io.Closer, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	type result struct {
		file *lockedfile.File
		err  error
	}
	done := make(chan result, 1)
	go func() {
		f, err := lockedfile.OpenFile(path, flag, 0o600)
		done <- result{f, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, r.err
		}
		return r.file, nil
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				r.file.Close()
			}
		}()
		return nil, fmt.Errorf("another process holds the lock: %w", ctx.Err())
	}
}

// ReadFile returns the bytes of a regular and private file of at most limit
// bytes; nil where there is none. What is no such file is a [ChangedError].
func ReadFile(path string, limit int64) ([]byte, error) {
	info, err := os.Lstat(path) // a FIFO would make Open wait
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, changedf("got a file of mode %s, want a regular one", info.Mode())
	case info.Size() > limit:
		return nil, changedf("got %d bytes, want at most %d", info.Size(), limit)
	}
	if err := checkPrivate(path, info.Mode()); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, err
	}
	return data, nil
}

// ReplaceFile makes the file name of dir appear at once and whole, and on the
// disk, by way of the file temp of dir. That name is the caller's while it holds
// the lock: what lies there is of a process that was killed.
func ReplaceFile(dir, name, temp string, data []byte) error {
	path, temp := filepath.Join(dir, name), filepath.Join(dir, temp)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		os.Remove(temp)
		return err
	}
	return syncDir(dir)
}

// removeFile makes a file disappear, and from the disk.
func removeFile(dir, name string) error {
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(dir)
}
