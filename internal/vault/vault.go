// Package vault keeps small files in a private directory, so that several
// processes can use them at once, none is lost or half-written when a process
// dies, and none that somebody else changed, removed or put back is believed.
//
// The directory (0700; every file 0600) holds
//
//	secret          32 random bytes as hex, made once, on the first use
//	lock            empty; who holds its lock may read (shared) or write (alone)
//	heads           how often each file was written, and which were removed
//	new             what is being written
//	<64 hex>        the files, named by their users
//
// A file is a line with the HMAC-SHA256, under the secret, of the vault's label,
// "\n", the file's name, "\n" and the rest; and as the rest a line with the number
// of times that it was written, and what its user wrote. Heads is a line with the
// same HMAC, and strict JSON. Nobody parses either before the HMAC fits.
//
// # What is noticed
//
// A file that was edited, cut short, or put in another's place: its HMAC does not
// fit. A file that was removed, or put back as it was earlier: its count is behind
// the one in heads. Heads put back or removed: a count in it is behind a file's by
// more than the one that a crash explains. All of these are errors. A file that
// was removed by [Tx.Remove] and is put back by somebody else is as if it were
// not there.
//
// # What is not
//
// The whole directory removed, or put back as it was at one moment: nothing
// outside it says otherwise. And whoever can read the secret can write whatever
// they like: no process of the same user is kept out.
//
// # Crashes
//
// Every file appears whole, by rename, after it reached the disk: first the file,
// then heads. A process that is killed between the two leaves heads one behind,
// and the next writer catches up. A removal goes the other way: heads, then the
// file. The operating system gives a lock back when its holder dies.
//
// The functions of file.go do the same for a directory of another layout.
package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Bounds of every vault. Its user bounds its own files by [Config].
const (
	// maxHeads bounds the bytes of heads: 4096 files at 128 bytes each, twice.
	maxHeads = 1 << 20
	// maxFiles is how many files heads has room for, removed ones with them.
	maxFiles = 4096
	// lockWait is how long another process may hold the lock. Each holds it for
	// the time of a few writes.
	lockWait = 30 * time.Second
)

// The names of the files that are nobody's.
const (
	secretName = "secret"
	lockName   = "lock"
	headsName  = "heads"
	tempName   = "new"
)

// Config says what a vault is for. Every member is required but Fault.
type Config struct {
	// Dir is an absolute path. Nothing needs to be there.
	Dir string
	// Label separates what is authenticated here from everything else.
	Label string
	// What is kept, and Hint what to do when somebody changed it, for errors.
	What, Hint string
	// MaxFile and MaxTotal bound one file and all together, in bytes; MaxFiles
	// bounds their number, and is at most 4096.
	MaxFile, MaxTotal int64
	MaxFiles          int
	// Fault makes a write or a removal fail, before or after it took effect. Tests
	// set it.
	Fault func(name string, done bool) error
}

// ErrFull says that a bound of [Config] keeps something from being written.
var ErrFull = errors.New("there is no room left")

// Vault is a directory of files. Its methods may be called from several
// goroutines, and from several processes for one directory.
type Vault struct {
	Config

	mu   sync.Mutex
	read []byte // heads as it was read last: its bytes, and what they say
	said heads
}

// Open returns the vault in c.Dir. It touches nothing: the first write makes the
// directory.
func Open(c Config) (*Vault, error) {
	if !filepath.IsAbs(c.Dir) {
		return nil, fmt.Errorf("directory %.200q: want an absolute path: one kept amid a checkout would be the checkout's word", c.Dir)
	}
	c.Dir, c.MaxFiles = filepath.Clean(c.Dir), min(c.MaxFiles, maxFiles)
	return &Vault{Config: c}, nil
}

// FileName is the name of the file for these parts: the SHA-256, in hex, of the
// label and the parts, each behind its length in decimal and a colon.
func (v *Vault) FileName(parts ...string) string {
	h := sha256.New()
	for _, part := range append([]string{v.Label}, parts...) {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// isFileName says whether a directory entry is a user's file.
func isFileName(s string) bool {
	return len(s) == 2*sha256.Size && strings.Trim(s, "0123456789abcdef") == ""
}

func (v *Vault) unusable(name string, err error) error {
	return fmt.Errorf("%s, where %s: %w", filepath.Join(v.Dir, name), v.What, err)
}

// changed is [Vault.unusable] for what somebody else did to a file.
func (v *Vault) changed(name, format string, args ...any) error {
	return v.unusable(name, &ChangedError{fmt.Sprintf(format, args...) + " (" + v.Hint + ")"})
}

// Read opens the vault to read from it, beside other readers. A directory that is
// not there has no files.
func (v *Vault) Read(ctx context.Context) (*Tx, error) {
	switch _, err := os.Lstat(v.Dir); {
	case errors.Is(err, fs.ErrNotExist):
		return &Tx{Vault: v}, nil
	case err != nil:
		return nil, v.unusable("", err)
	}
	return v.open(ctx, os.O_RDONLY|os.O_CREATE)
}

// Write opens the vault to write to it, alone, and makes what it lacks.
func (v *Vault) Write(ctx context.Context) (*Tx, error) {
	if err := os.MkdirAll(v.Dir, 0o700); err != nil {
		return nil, v.unusable("", err)
	}
	t, err := v.open(ctx, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if !t.begun {
		if err := t.begin(); err != nil {
			t.Close()
			return nil, err
		}
	}
	return t, nil
}

func (v *Vault) open(ctx context.Context, flag int) (*Tx, error) {
	if err := CheckDir(v.Dir); err != nil {
		return nil, v.unusable("", err)
	}
	lock, err := LockFile(ctx, filepath.Join(v.Dir, lockName), flag, lockWait)
	if err != nil {
		return nil, v.unusable(lockName, err)
	}
	t := &Tx{Vault: v, lock: lock}
	if err := t.load(); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// load reads the secret and heads. A directory that has neither must have no
// user's file either: it is one that was never written to.
func (t *Tx) load() error {
	secret, err := t.readFile(secretName, 2*sha256.Size+1)
	if err != nil {
		return err
	}
	if secret != nil {
		if t.secret, err = hex.DecodeString(string(bytes.TrimSuffix(secret, []byte("\n")))); err != nil || len(t.secret) != sha256.Size {
			return t.changed(secretName, "want %d hex digits", 2*sha256.Size)
		}
	}
	data, err := t.readFile(headsName, maxHeads)
	if err != nil {
		return err
	}
	if data == nil {
		return t.checkEmpty()
	}
	return t.loadHeads(data)
}

// loadHeads parses heads, unless it is the one that this process read before: a
// host asks for one server after the other.
func (t *Tx) loadHeads(data []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	// The secret stands before it: with another one the HMAC does not fit.
	key := append(bytes.Clone(t.secret), data...)
	if t.read != nil && bytes.Equal(t.read, key) {
		t.heads, t.begun = t.said.clone(), true
		return nil
	}
	rest, err := t.unseal(headsName, data)
	if err != nil {
		return err
	}
	if t.heads, err = parseHeads(rest); err != nil {
		return t.changed(headsName, "%v", err)
	}
	t.begun, t.read, t.said = true, key, t.heads.clone()
	return nil
}

// checkEmpty makes sure that heads is not there because it was never written.
func (t *Tx) checkEmpty() error {
	names, err := t.present()
	if err == nil && len(names) > 0 {
		err = t.changed(headsName, "it is gone, and %s is there", names[0])
	}
	return err
}

// present are the users' files that the directory holds.
func (t *Tx) present() ([]string, error) {
	dir, err := os.Open(t.Dir)
	if err != nil {
		return nil, t.unusable("", err)
	}
	defer dir.Close()
	var names []string
	for {
		some, err := dir.Readdirnames(100)
		for _, name := range some {
			if isFileName(name) {
				names = append(names, name)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return names, nil
		case err != nil:
			return nil, t.unusable("", err)
		case len(names) > 2*maxFiles:
			return nil, t.changed("", "it has more than %d files", 2*maxFiles)
		}
	}
}

// begin makes the secret, then heads. Killed in between, a process leaves a
// secret that protects nothing yet, and that the next one takes.
func (t *Tx) begin() error {
	if t.secret == nil {
		secret := make([]byte, sha256.Size)
		rand.Read(secret)
		if err := t.write(secretName, []byte(hex.EncodeToString(secret)+"\n")); err != nil {
			return err
		}
		t.secret = secret
	}
	return t.writeHeads()
}

func (t *Tx) writeHeads() error {
	data, err := strictjson.Marshal(t.heads)
	if err != nil {
		return t.unusable(headsName, err)
	}
	return t.write(headsName, t.seal(headsName, data))
}
