// Package audit keeps an audit log: a file of JSON lines, one for each
// [verify.Event] (MIS §20.3).
//
// A batch of events is one write to the end of the file, made under a lock on the
// file itself, so that the lines of any number of processes stand whole and the
// events of one run stand together. (That an appending write is not torn by another
// is a habit of local file systems and no promise of theirs; PIPE_BUF is one for
// pipes alone.) It is on the disk when [Log.Append] returns. A batch that could not
// be written in full is taken back, and what a killed process or a full disk may
// have left of a line is ended before the next one begins.
//
// The file has mode 0600 when it is made here. What is no regular file is refused,
// and so is a symbolic link: a log must not become a way to write to somebody's
// other file. So is a file that others may write to, since they could rewrite it.
//
// The file is opened anew for each batch and is never rotated or shortened here:
// how long evidence is kept is for its owner to say, who has a tool for that, and
// may move the file away at any time.
package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/mcp-integrity/seal-action/verify"
)

// lockWait is how long a batch waits for the others: each holds the lock for one
// write and one flush. Who holds it longer hinders us on purpose or is stopped.
const lockWait = 10 * time.Second

// Log is an audit log. Its methods may be called from several goroutines.
type Log struct {
	path string
	wait time.Duration
}

// Open makes sure that the log at path can be written to, and makes the file where
// there is none, so that a run learns of a log that it cannot keep before it has
// anything to tell. Its directory must be there.
func Open(path string) (*Log, error) {
	path, err := filepath.Abs(path) // a later change of directory must not split the log
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	l := &Log{path: path, wait: lockWait}
	f, err := l.open()
	if err != nil {
		return nil, l.failed(err)
	}
	if err := f.Close(); err != nil {
		return nil, l.failed(err)
	}
	return l, nil
}

// Append writes the events, in their order, and brings them to the disk. After an
// error none of them can be relied on to be there: the caller must report it.
func (l *Log) Append(events ...verify.Event) error {
	var batch []byte
	for _, e := range events {
		line, err := e.Line()
		if err != nil {
			return l.failed(err)
		}
		batch = append(batch, line...)
	}
	if len(batch) == 0 {
		return nil
	}
	f, err := l.open()
	if err != nil {
		return l.failed(err)
	}
	if err := errors.Join(write(f, batch), f.Close()); err != nil {
		return l.failed(err)
	}
	return nil
}

func (l *Log) failed(err error) error { return fmt.Errorf("audit log %q: %w", l.path, err) }

// appender is the part of a file that is written to.
type appender interface {
	io.ReaderAt
	io.Writer
	Stat() (fs.FileInfo, error)
	Truncate(int64) error
	Sync() error
}

// write appends a batch, and takes back what it could not write in full.
func write(f appender, batch []byte) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if size > 0 {
		var last [1]byte
		if _, err := f.ReadAt(last[:], size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			batch = append([]byte("\n"), batch...)
		}
	}
	if _, err := f.Write(batch); err != nil {
		return errors.Join(err, f.Truncate(size))
	}
	return f.Sync()
}

// errReplaced says that the file is another than the one that was looked at.
var errReplaced = errors.New("it was replaced while it was opened")

// open opens the file and takes its lock. A file that was moved away meanwhile, as
// rotation does, is looked at again.
func (l *Log) open() (f *lockedfile.File, err error) {
	for range 3 {
		if f, err = l.openOnce(); !errors.Is(err, errReplaced) {
			break
		}
	}
	return f, err
}

func (l *Log) openOnce() (*lockedfile.File, error) {
	before, err := os.Lstat(l.path) // to open a device can be an act by itself
	if err == nil {
		err = check(before)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := l.lock()
	if err != nil {
		return nil, err
	}
	now, err := f.Stat()
	if err == nil {
		err = check(now)
	}
	if err == nil && before != nil && !os.SameFile(before, now) {
		err = errReplaced
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func check(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("got a file of mode %s, want a regular one", info.Mode())
	}
	return checkPrivate(info)
}

// lock waits for the lock. The system's call cannot be interrupted: a lock that
// comes too late is given back.
func (l *Log) lock() (*lockedfile.File, error) {
	type result struct {
		file *lockedfile.File
		err  error
	}
	done := make(chan result, 1)
	go func() {
		f, err := lockedfile.OpenFile(l.path, os.O_RDWR|os.O_APPEND|os.O_CREATE|openFlags, 0o600)
		done <- result{f, err}
	}()
	late := time.NewTimer(l.wait)
	defer late.Stop()
	select {
	case r := <-done:
		return r.file, r.err
	case <-late.C:
		go func() {
			if r := <-done; r.err == nil {
				r.file.Close()
			}
		}()
		return nil, fmt.Errorf("another process has held its lock for %s", l.wait)
	}
}
