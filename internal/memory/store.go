package memory

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mcp-integrity/seal-action/internal/vault"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
	"github.com/mcp-integrity/seal-action/verify"
)

// The names of the files that are no server's.
const (
	secretName = "secret"
	lockName   = "lock"
	headsName  = "heads"
	tempName   = "new" // what is being written
)

// unusable is the error of a directory that cannot be believed, or not be had.
func (m *Memory) unusable(name string, err error) error {
	return fmt.Errorf("%s, where verified releases are remembered: %w: %w", filepath.Join(m.dir, name), err, verify.ErrUnavailable)
}

// changed is [Memory.unusable] for what somebody else did to a file.
func (m *Memory) changed(name, format string, args ...any) error {
	return m.unusable(name, fmt.Errorf(format+" (bring back the whole directory %q, or remove it to begin anew: a rollback behind what it knew is then not noticed)", append(args, m.dir)...))
}

// A store is the directory while its lock is held.
type store struct {
	*Memory
	lock   io.Closer
	secret []byte // nil where nothing was remembered yet
	begun  bool   // there is a secret, and heads
	heads  heads
}

func (s *store) close() { s.lock.Close() }

// openShared opens the directory to read from it. Without a directory the store
// is nil.
func (m *Memory) openShared(ctx context.Context) (*store, error) {
	switch _, err := os.Lstat(m.dir); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, m.unusable("", err)
	}
	return m.open(ctx, os.O_RDONLY|os.O_CREATE)
}

// openAlone opens the directory to write to it, and makes what it lacks.
func (m *Memory) openAlone(ctx context.Context) (*store, error) {
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return nil, m.unusable("", err)
	}
	s, err := m.open(ctx, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if !s.begun {
		if err := s.begin(); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// open takes the lock, alone where the flags ask for writing, and reads what is
// no server's.
func (m *Memory) open(ctx context.Context, flag int) (*store, error) {
	if err := vault.CheckDir(m.dir); err != nil {
		return nil, m.unusable("", err)
	}
	lock, err := m.lock(ctx, flag)
	if err != nil {
		return nil, err
	}
	s := &store{Memory: m, lock: lock}
	if err := s.load(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// lock waits for the lock until ctx ends, or for lockWait.
func (m *Memory) lock(ctx context.Context, flag int) (io.Closer, error) {
	lock, err := vault.LockFile(ctx, filepath.Join(m.dir, lockName), flag, lockWait)
	if err != nil {
		return nil, m.unusable(lockName, err)
	}
	return lock, nil
}

// load reads the secret and heads. A directory that has neither must have no
// server's file either: it is one that was never written to.
func (s *store) load() error {
	secret, err := s.readFile(secretName, 2*sha256.Size+1)
	if err != nil {
		return err
	}
	if secret != nil {
		if s.secret, err = hex.DecodeString(string(bytes.TrimSuffix(secret, []byte("\n")))); err != nil || len(s.secret) != sha256.Size {
			return s.changed(secretName, "want %d hex digits", 2*sha256.Size)
		}
	}
	data, err := s.readSealed(headsName, maxHeads)
	if err != nil {
		return err
	}
	if data == nil {
		return s.checkEmpty()
	}
	if s.heads, err = parseHeads(data); err != nil {
		return s.changed(headsName, "%w", err)
	}
	s.begun = true
	return nil
}

// checkEmpty makes sure that heads is not there because it was never written.
func (s *store) checkEmpty() error {
	dir, err := os.Open(s.dir)
	if err != nil {
		return s.unusable("", err)
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(100)
		for _, name := range names {
			if isFileName(name) {
				return s.changed(headsName, "it is gone, and %s is there", name)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return s.unusable("", err)
		}
	}
}

// begin makes the secret, then heads. Killed in between, a process leaves a
// secret that protects nothing yet, and that the next one takes.
func (s *store) begin() error {
	if s.secret == nil {
		secret := make([]byte, sha256.Size)
		rand.Read(secret)
		if err := s.write(secretName, []byte(hex.EncodeToString(secret)+"\n")); err != nil {
			return err
		}
		s.secret = secret
	}
	return s.writeHeads()
}

// read returns what is remembered of a server.
func (s *store) read(server verify.ServerKey) (*record, error) {
	name := fileName(server)
	data, err := s.readSealed(name, maxRecord)
	if err != nil {
		return nil, err
	}
	r := &record{}
	if data != nil {
		if r, err = parseRecord(data, server); err != nil {
			return nil, s.changed(name, "%w", err)
		}
	}
	switch known := s.heads.count(name); {
	case data == nil && known > 0:
		return nil, s.changed(name, "it was removed")
	case r.count < known:
		return nil, s.changed(name, "it is an older copy: written %d times, while %s counts %d", r.count, headsName, known)
	case r.count > known+1:
		return nil, s.changed(headsName, "it is an older copy: it counts %d writes of %s, which was written %d times", known, name, r.count)
	}
	return r, nil
}

// remember adds releases of a server.
func (s *store) remember(server verify.ServerKey, releases []verify.Seen) error {
	name := fileName(server)
	old, err := s.read(server)
	if err != nil {
		return err
	}
	r, changed := old.merge(releases)
	if !changed {
		return nil
	}
	if _, known := s.heads.find(name); !known && len(s.heads.Servers) == maxServers {
		return s.unusable("", fmt.Errorf("it remembers %d servers and can hold no more; remove it to begin anew, or use several directories", maxServers))
	}
	if old.count > s.heads.count(name) { // a writer was killed: catch up first
		s.heads.set(head{File: name, Count: old.count, Size: maxRecord})
		if err := s.writeHeads(); err != nil {
			return err
		}
	}
	r.count = old.count + 1
	data, err := r.encode(server, s.heads.room(name)-sealSize)
	if err != nil {
		return s.unusable(name, err)
	}
	if err := s.writeSealed(name, data); err != nil {
		return err
	}
	s.heads.set(head{File: name, Count: r.count, Size: int64(len(data) + sealSize)})
	return s.writeHeads()
}

func (s *store) writeHeads() error {
	data, err := strictjson.Marshal(s.heads)
	if err != nil {
		return s.unusable(headsName, err)
	}
	return s.writeSealed(headsName, data)
}

// sealSize is what a file has beside its JSON: the HMAC and two line feeds.
const sealSize = 2*sha256.Size + 2

// mac authenticates what a file holds, under its name.
func (s *store) mac(name string, data []byte) []byte {
	h := hmac.New(sha256.New, s.secret)
	io.WriteString(h, label+"\n"+name+"\n")
	h.Write(data)
	return []byte(hex.EncodeToString(h.Sum(nil)))
}

func (s *store) writeSealed(name string, data []byte) error {
	data = append(data, '\n')
	return s.write(name, append(append(s.mac(name, data), '\n'), data...))
}

// readSealed returns the JSON of a file whose HMAC fits; nil where there is no
// file.
func (s *store) readSealed(name string, limit int64) ([]byte, error) {
	data, err := s.readFile(name, limit)
	if data == nil || err != nil {
		return nil, err
	}
	if s.secret == nil {
		return nil, s.changed(secretName, "it is gone, and %s is there", name)
	}
	rest, ok := s.unseal(name, data)
	if !ok {
		return nil, s.changed(name, "it is not as it was written: its HMAC does not fit")
	}
	return rest, nil
}

// unseal returns what stands behind an HMAC that fits.
func (s *store) unseal(name string, data []byte) ([]byte, bool) {
	mac, rest, ok := bytes.Cut(data, []byte("\n"))
	return rest, ok && hmac.Equal(mac, s.mac(name, rest))
}

// readFile returns a file's bytes; nil where there is none.
func (s *store) readFile(name string, limit int64) ([]byte, error) {
	data, err := vault.ReadFile(filepath.Join(s.dir, name), limit)
	var changed *vault.ChangedError
	switch {
	case errors.As(err, &changed):
		return nil, s.changed(name, "%w", err)
	case err != nil:
		return nil, s.unusable(name, err)
	}
	return data, nil
}

// write makes a file appear at once and whole, and on the disk. The temporary
// name is ours while we hold the lock.
func (s *store) write(name string, data []byte) error {
	if s.fault != nil {
		if err := s.fault(name, false); err != nil {
			return err
		}
	}
	if err := vault.ReplaceFile(s.dir, name, tempName, data); err != nil {
		return s.unusable(name, err)
	}
	if s.fault != nil {
		return s.fault(name, true)
	}
	return nil
}

// stamp tells whether a server's file is the one that was read: every writer
// replaces it. It is nil where there is none.
func (m *Memory) stamp(name string) fs.FileInfo {
	info, err := os.Lstat(filepath.Join(m.dir, name))
	if err != nil {
		return nil
	}
	return info
}

func sameStamp(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
