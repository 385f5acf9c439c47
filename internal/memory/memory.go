// Package memory keeps what earlier runs verified, in a directory of the user.
// It is the [verify.Memory] of a desk, of a host, and of a job that carries the
// directory along.
//
// The directory is private (0700; every file 0600) and holds
//
//	secret          32 random bytes as hex, made once, on the first use
//	lock            empty; who holds its lock may read (shared) or write (alone)
//	heads           how often each server's file was written
//	new             what is being written
//	<64 hex>        what is remembered of one server
//
// The hex digits are SHA-256 over "mcp-integrity memory v1", the namespace and
// the name of the server, each behind its length in decimal and a colon. Both
// kinds of file are a line with the HMAC-SHA256, under the secret, of
// "mcp-integrity memory v1\n", the file's name, "\n" and the rest; and as the
// rest one line of strict JSON, which nobody parses before the HMAC fits.
//
// A release has the member against where somebody whom trust listed spoke
// against it, and no other one: files without it, which were written before there
// was such a member, read as ever. A release that was never verified has the
// origin "".
//
// # What is noticed
//
// A file that was edited, cut short, or put in another server's place: its HMAC
// does not fit. A server's file that was removed, or put back as it was earlier:
// its count is behind the one in heads. Heads put back or removed: a count in it
// is behind a server's file by more than the one that a crash explains. All of
// these are errors that wrap [verify.ErrUnavailable], and nothing is taken from
// such a directory.
//
// # What is not
//
// The whole directory removed, or put back as it was at one moment: nothing
// outside it says otherwise. A server's file and heads put back together are
// noticed as soon as another server is asked for that was remembered twice in
// between, and not before. And whoever can read the secret can write whatever
// they like: no process of the same user is kept out. This guards against
// accidents, synchronisation gone wrong, and those who can write into the
// directory but not read it; the signatures are checked anew in every run.
//
// # Crashes
//
// Every file appears whole, by rename, after it reached the disk: first the
// server's, then heads. A process that is killed between the two leaves heads
// one behind, and the next writer catches up. What [Memory.Remember] returned
// from is kept. The operating system gives a lock back when its holder dies.
package memory

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/verify"
)

// Bounds. The publishers of verified manifests choose how much there is to
// remember; this much of it is kept.
const (
	// maxReleases is of one server: ten thousand is a large chain, and it may
	// grow while it is walked. Beyond it, the oldest are forgotten and are simply
	// verified again.
	maxReleases = 16_384
	// maxRecord bounds a server's file in bytes: maxReleases at 1 KiB each, where
	// 300 bytes are usual.
	maxRecord = 16 << 20
	// maxTotal bounds all servers' files together. Beyond it, the server that is
	// written keeps its newest release alone.
	maxTotal = 256 << 20
	// maxServers bounds their number. Beyond it nothing new is remembered, and
	// an error says so: to forget another server would be to forget what guards
	// it against a rollback.
	maxServers = 4096
	// maxHeads bounds the bytes of heads: maxServers at 128 bytes each.
	maxHeads = 1 << 20
	// maxText bounds each text: those of a manifest are far shorter.
	maxText = 16 << 10
	// lockWait is how long another process may hold the lock. Each holds it for
	// the time of a few writes.
	lockWait = 30 * time.Second
)

// Memory keeps releases in a directory. Its methods may be called from several
// goroutines, and from several processes for one directory.
type Memory struct {
	dir string
	// fault makes a write fail, before or after it took effect. Tests set it.
	fault func(name string, done bool) error

	mu    sync.Mutex
	known view // of the server that was asked for last
}

var _ verify.Memory = (*Memory)(nil)

// A view is a record as it was read, and the file that it was read from.
type view struct {
	name   string
	stamp  fs.FileInfo
	record *record
}

// Open returns the memory that is kept in dir, an absolute path. Nothing needs to
// be there: the first release that is remembered makes it, reading does not.
func Open(dir string) (*Memory, error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("memory directory %.200q: want an absolute path: one kept amid a checkout would be the checkout's word", dir)
	}
	return &Memory{dir: filepath.Clean(dir)}, nil
}

// Newest implements [verify.Memory].
func (m *Memory) Newest(ctx context.Context, server verify.ServerKey) (verify.Seen, bool, error) {
	r, err := m.view(ctx, server)
	if err != nil {
		return verify.Seen{}, false, err
	}
	i := r.newest()
	if i < 0 {
		return verify.Seen{}, false, nil
	}
	return r.releases[i], true, nil
}

// Find implements [verify.Memory].
func (m *Memory) Find(ctx context.Context, server verify.ServerKey, payload digest.Digest) (verify.Seen, bool, error) {
	r, err := m.view(ctx, server)
	if err != nil {
		return verify.Seen{}, false, err
	}
	seen, ok := r.find(payload)
	return seen, ok, nil
}

// Remember implements [verify.Memory]. Of a release that is remembered already,
// what is new is kept; that its chain was verified stays so for the same origin.
// Where nothing is new nothing is written. Releases beyond the bounds are
// forgotten, those with the earliest IssuedAt first and the newest never.
func (m *Memory) Remember(ctx context.Context, server verify.ServerKey, releases []verify.Seen) error {
	if err := checkAll(server, releases); err != nil {
		return fmt.Errorf("remember releases of %.100q: %w", server.Name, err)
	}
	if len(releases) == 0 {
		return nil
	}
	s, err := m.openAlone(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	return s.remember(server, releases)
}

// view returns what is remembered of a server. As long as its file stays the same
// it is read once: a chain asks for each of its releases.
func (m *Memory) view(ctx context.Context, server verify.ServerKey) (*record, error) {
	name := fileName(server)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known.record != nil && m.known.name == name && sameStamp(m.known.stamp, m.stamp(name)) {
		return m.known.record, nil
	}
	m.known = view{}
	s, err := m.openShared(ctx)
	if s == nil || err != nil {
		return &record{}, err
	}
	defer s.close()
	r, err := s.read(server)
	if err != nil {
		return nil, err
	}
	m.known = view{name, m.stamp(name), r}
	return r, nil
}
