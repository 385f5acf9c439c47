package keys

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/internal/vault"
	"github.com/mcp-integrity/seal-action/seal"
)

const (
	lockName = "lock"
	tempName = "new" // what is being written
	// lockWait is how long another process may hold the lock. Each holds it for
	// the time of one write.
	lockWait = 30 * time.Second
)

// unusable is the error of a directory that cannot be believed, or not be had.
func (d *Documents) unusable(name string, err error) error {
	return fmt.Errorf("%s: %w: %w: %w", filepath.Join(d.dir, name), ErrDocuments, seal.ErrUnavailable, err)
}

// changed is [Documents.unusable] for what somebody else did to a file.
func (d *Documents) changed(name string, err error) error {
	return d.unusable(name, fmt.Errorf("%w (bring the file back, or remove it to begin anew: revocations that only it knew are then forgotten)", err))
}

// fileName is that of a source's file.
func fileName(source string) string {
	sum := sha256.Sum256([]byte(label + "\n" + strconv.Itoa(len(source)) + ":" + source))
	return hex.EncodeToString(sum[:])
}

func isFileName(s string) bool {
	return len(s) == 2*sha256.Size && strings.Trim(s, "0123456789abcdef") == ""
}

// A store is the directory while its lock is held.
type store struct {
	*Documents
	lock io.Closer
}

func (s store) close() { s.lock.Close() }

// read returns what is kept of a source, an empty record where that is nothing.
func (d *Documents) read(ctx context.Context, source string) (*record, error) {
	if d.dir == "" {
		return &record{}, nil
	}
	switch _, err := os.Lstat(d.dir); {
	case errors.Is(err, fs.ErrNotExist):
		return &record{}, nil
	case err != nil:
		return nil, d.unusable("", err)
	}
	s, err := d.open(ctx, os.O_RDONLY|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	defer s.close()
	return s.read(source)
}

// openAlone opens the directory to write to it, and makes it where it lacks.
func (d *Documents) openAlone(ctx context.Context) (store, error) {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return store{}, d.unusable("", err)
	}
	return d.open(ctx, os.O_RDWR|os.O_CREATE)
}

// open takes the lock, alone where the flags ask for writing.
func (d *Documents) open(ctx context.Context, flag int) (store, error) {
	if err := vault.CheckDir(d.dir); err != nil {
		return store{}, d.unusable("", err)
	}
	lock, err := vault.LockFile(ctx, filepath.Join(d.dir, lockName), flag, lockWait)
	if err != nil {
		return store{}, d.unusable(lockName, err)
	}
	return store{d, lock}, nil
}

// read is [Documents.read] under the lock.
func (s store) read(source string) (*record, error) {
	name := fileName(source)
	data, err := s.contents(name)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return &record{}, nil
	}
	r, err := parseRecord(data, source)
	if err != nil {
		return nil, s.changed(name, err)
	}
	return r, nil
}

// contents returns what stands in a file, nil where there is none.
func (s store) contents(name string) ([]byte, error) {
	path := filepath.Join(s.dir, name)
	info, err := os.Lstat(path) // a FIFO would make Open wait
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, s.unusable(name, err)
	case !info.Mode().IsRegular():
		return nil, s.changed(name, fmt.Errorf("got a file of mode %s, want a regular one", info.Mode()))
	case info.Size() > maxRecord:
		return nil, s.changed(name, fmt.Errorf("got %d bytes, want at most %d", info.Size(), maxRecord))
	}
	if err := checkUnshared(path, info.Mode()); err != nil {
		return nil, s.unusable(name, err)
	}
	data, err := readFile(path, maxRecord)
	if err != nil {
		return nil, s.unusable(name, err)
	}
	return data, nil
}

// untouched is how old the time of the last check may be on the disk: a host
// that looks often does not write as often.
const untouched = time.Minute

// write keeps next in kept's place, where it says anything new.
func (s store) write(source string, kept, next *record) error {
	name := fileName(source)
	data, err := next.encode()
	if err != nil {
		return s.unusable(name, err)
	}
	if kept.Body == nil {
		if err := s.checkRoom(); err != nil {
			return err
		}
	} else if age := next.Checked.Sub(kept.Checked); age >= 0 && age < untouched {
		again := *next
		again.Checked = kept.Checked
		old, errOld := kept.encode()
		if same, err := again.encode(); err == nil && errOld == nil && bytes.Equal(old, same) {
			return nil
		}
	}
	if err := vault.ReplaceFile(s.dir, name, tempName, data); err != nil {
		return s.unusable(name, err)
	}
	return nil
}

// checkRoom refuses one source too many.
func (s store) checkRoom() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return s.unusable("", err)
	}
	count := 0
	for _, e := range entries {
		if isFileName(e.Name()) {
			count++
		}
	}
	if count >= maxSources {
		return s.unusable("", fmt.Errorf("documents of %d sources are kept there, and no more can be; remove it to begin anew, or use several directories", count))
	}
	return nil
}
