// Package tofu keeps what servers without a manifest served when they were first
// met, in a directory of the user: MIS §20.2, trust on first use. It is the
// [verify.FirstUse] of a desk and of a host.
//
// Each server that a host application knows has one file of a [vault.Vault], whose
// package comment says what is noticed (a file that was edited, removed, or put
// back as it was) and what is not (the whole directory being removed). The file's
// name is made of "mcp-integrity tofu v1", the host and the server. It holds one
// object of strict JSON:
//
//	{"key": {"host", "server"}, "server": {"name", "version"}, "since", "blocked", "blocked_tools": [],
//	 "tools": [{"name", "interface": {…}, "first_seen", "accepted_at", "raw"}],
//	 "pending": {"server", "seen", "tools": […], "start"}, "sealed": {"namespace", "at"}, "start"}
//
// with MIS §9.2's digests, in SHA-256, as interface. Beside what is accepted there
// is at most one pending observation: the latest that differs. Meeting a server
// again does not accept anything, nor does a server that goes back to what is
// accepted take back what it served in between.
//
// # What a change is
//
// A tool with other fingerprints; a tool that is new, since a server may show its
// harmless tools first; a tool that is gone. The last is no error, but stays
// among the accepted ones: what comes back under its name is held against it.
//
// # What is no change
//
// What MIS §9.3 takes no fingerprint of: a tool's title, icons, _meta and execution
// members; the order of tools; the server's own name, version and instructions.
// They are kept with what was accepted, as bytes, so that a person can be shown the
// words that moved.
//
// # Another command
//
// How a host starts a server (start, a digest of the caller's) is no part of its
// name. Where it is not what was accepted the meeting says so, until somebody
// accepts that: a project's file may swap the program under a name that is known.
//
// # Accepting
//
// Somebody who accepts names the pending observation by its digest (SHA-256 over
// "mcp-integrity tofu pending v1" and the name and composite digest of each tool,
// each behind its length; then "start" and how it is started, where that changed). What was not shown to them is not accepted, however
// fast a server changes.
package tofu

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/vault"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
	"github.com/mcp-integrity/seal-action/verify"
)

// Bounds. A stranger's server chooses what there is to keep. Beyond a bound an
// error says so: nothing is forgotten to make room, or a server could have itself
// forgotten.
const (
	// maxServers is of all hosts together.
	maxServers = 4096
	// maxTools is of one server. The largest of 35 real ones has 120.
	maxTools = 2048
	// maxName bounds a tool's name; MCP recommends at most 128 characters.
	maxName = 1 << 10
	// maxText bounds a host's and a server's name: a command line, at most.
	maxText = 16 << 10
	// maxRaw and maxWords bound what is kept of one tool, and of all of one
	// observation, to show the words that moved. Beyond them digests are kept
	// alone: a change is still noticed, and the words are not shown.
	maxRaw, maxWords = 64 << 10, 1 << 20
	// maxRecord bounds a server's file, and maxTotal all of them. A server with 50
	// tools has 100 kB.
	maxRecord, maxTotal = 8 << 20, 1 << 30
)

const label = "mcp-integrity tofu v1"

var (
	// ErrNeverMet says that nothing is kept of a server.
	ErrNeverMet = errors.New("this server was never met")
	// ErrNotPending says that what somebody wants to accept is not what is pending:
	// the server changed again, or another process accepted it.
	ErrNotPending = errors.New("what is pending is not what was shown")
	// ErrUnshown says that what is pending has tools whose words are too many to be
	// kept and shown: each is accepted by its name.
	ErrUnshown = errors.New("its words are too many to be shown: accept it by name")
)

// Store keeps first uses in a directory. Its methods may be called from several
// goroutines, and from several processes for one directory. Where the directory
// cannot be had or believed, their errors wrap [verify.ErrUnavailable].
type Store struct {
	vault *vault.Vault
}

var _ verify.FirstUse = (*Store)(nil)

// Open returns the store that is kept in dir, an absolute path. Nothing needs to
// be there: the first meeting makes it, reading does not.
func Open(dir string) (*Store, error) {
	v, err := vault.Open(vault.Config{
		Dir: dir, Label: label,
		What:    "the first uses of servers are kept",
		Hint:    "forget this server to meet it anew, or bring back the whole directory, or remove the directory to meet all servers anew: what changed since then is not noticed",
		MaxFile: maxRecord, MaxTotal: maxTotal, MaxFiles: maxServers,
	})
	if err != nil {
		return nil, fmt.Errorf("store of first uses: %w", err)
	}
	return &Store{v}, nil
}

func unavailable(err error) error {
	if err == nil || errors.Is(err, verify.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", err, verify.ErrUnavailable)
}

func (s *Store) fileName(key verify.FirstUseKey) string {
	return s.vault.FileName(key.Host, key.Server)
}

// Meet implements [verify.FirstUse]. Where nothing is new nothing is written, and
// others can read at the same time.
func (s *Store) Meet(ctx context.Context, key verify.FirstUseKey, seen verify.Observation, now time.Time) (verify.Meeting, error) {
	sight, err := look(key, seen, now)
	if err != nil {
		return verify.Meeting{}, unavailable(fmt.Errorf("meet %.100q: %w", key.Server, err))
	}
	tx, err := s.vault.Read(ctx)
	if err != nil {
		return verify.Meeting{}, unavailable(err)
	}
	r, err := s.get(tx, key)
	tx.Close()
	if err != nil {
		return verify.Meeting{}, err
	}
	m, next := r.meet(sight)
	switch {
	case m.First && m.Unkept != nil: // a first use that is not kept is none
		return verify.Meeting{}, unavailable(fmt.Errorf("meet %.100q: %w", key.Server, m.Unkept))
	case next == nil:
		return m, nil
	}
	kept, err := s.keep(ctx, key, sight)
	switch {
	case err == nil:
		return kept, nil
	case m.First:
		return verify.Meeting{}, err
	}
	// It is known to have changed, and that is said in any case.
	m.Pending, m.Unkept = "", err
	return m, nil
}

// keep is Meet while nobody else reads or writes.
func (s *Store) keep(ctx context.Context, key verify.FirstUseKey, seen *sight) (verify.Meeting, error) {
	tx, err := s.vault.Write(ctx)
	if err != nil {
		return verify.Meeting{}, unavailable(err)
	}
	defer tx.Close()
	r, err := s.get(tx, key)
	if err != nil {
		return verify.Meeting{}, err
	}
	m, next := r.meet(seen)
	if next == nil {
		return m, nil
	}
	return m, s.put(tx, next)
}

// Blocked implements [verify.FirstUse].
func (s *Store) Blocked(ctx context.Context, key verify.FirstUseKey) (whole bool, tools []string, err error) {
	if err := checkKey(key); err != nil {
		return false, nil, unavailable(fmt.Errorf("is %.100q blocked: %w", key.Server, err))
	}
	tx, err := s.vault.Read(ctx)
	if err != nil {
		return false, nil, unavailable(err)
	}
	defer tx.Close()
	r, err := s.get(tx, key)
	if r == nil || err != nil {
		return false, nil, err
	}
	return r.Blocked, r.BlockedTools, nil
}

// Sealed keeps that a server had a manifest of a publisher who was expected, and
// that what it served is what was sealed. A server that has none later was made
// to lose it: [Store.Meet] says so until somebody forgets it. What somebody
// blocked stays blocked.
func (s *Store) Sealed(ctx context.Context, key verify.FirstUseKey, namespace string, seen verify.Observation, now time.Time) error {
	sight, err := look(key, seen, now)
	if err == nil {
		err = errors.Join(checkText("namespace", namespace, maxName), sight.unkept)
	}
	if err != nil {
		return unavailable(fmt.Errorf("keep %.100q: %w", key.Server, err))
	}
	tx, err := s.vault.Read(ctx)
	if err != nil {
		return unavailable(err)
	}
	r, err := s.get(tx, key)
	tx.Close()
	if err != nil || r.seal(sight, namespace) == nil {
		return err
	}
	if tx, err = s.vault.Write(ctx); err != nil {
		return unavailable(err)
	}
	defer tx.Close()
	if r, err = s.get(tx, key); err != nil {
		return err
	}
	if next := r.seal(sight, namespace); next != nil {
		return s.put(tx, next)
	}
	return nil
}

// get returns what is kept of a server; nil where nothing is.
func (s *Store) get(tx *vault.Tx, key verify.FirstUseKey) (*record, error) {
	name := s.fileName(key)
	data, err := tx.Get(name)
	if data == nil || err != nil {
		return nil, unavailable(err)
	}
	r, err := parseRecord(data)
	if err == nil && r.Key != named(key) {
		err = fmt.Errorf("got server %.100q of %.100q, want %.100q of %.100q", r.Key.Server, r.Key.Host, key.Server, key.Host)
	}
	if err != nil {
		return nil, unavailable(fmt.Errorf("%s: %w", name, err))
	}
	return r, nil
}

func (s *Store) put(tx *vault.Tx, r *record) error {
	data, err := strictjson.Marshal(r)
	if err == nil {
		// What could not be read again would be a server that cannot be met again.
		_, err = parseRecord(data)
	}
	if err != nil {
		return unavailable(fmt.Errorf("keep %.100q: %w", r.Key.Server, err))
	}
	return unavailable(tx.Put(s.fileName(r.Key), append(data, '\n')))
}

// Entry is what is kept of one server.
type Entry struct {
	verify.FirstUseKey
	Info    fingerprint.ServerInfo `json:"info"`
	Since   seal.Timestamp         `json:"since"`
	Blocked bool                   `json:"blocked"`
	// BlockedTools are blocked by name, whether they are among Tools or not.
	BlockedTools []string `json:"blocked_tools"`
	// Tools are those that are accepted, by name.
	Tools []Tool `json:"tools"`
	// Sealed is the namespace of the manifest that it had; "" where it never had one.
	Sealed string `json:"sealed,omitzero"`
	// Pending is what the server served last that differs; nil where nothing does.
	Pending *Pending `json:"pending,omitempty"`
}

// Tool is an accepted tool.
type Tool struct {
	Name       string              `json:"name"`
	Interface  fingerprint.Digests `json:"interface"`
	FirstSeen  seal.Timestamp      `json:"first_seen"`
	AcceptedAt seal.Timestamp      `json:"accepted_at"`
	Blocked    bool                `json:"blocked"`
}

// Pending is what nobody accepted yet.
type Pending struct {
	// Digest is what [Store.Accept] takes.
	Digest digest.Digest `json:"digest"`
	// Restarted says that the host starts it in another way, too.
	Restarted bool                   `json:"restarted"`
	Seen      seal.Timestamp         `json:"seen"`
	Info      fingerprint.ServerInfo `json:"info"`
	// Report has the changes, with the words for a printer.
	Report *verify.FirstUseReport `json:"first_use"`
}

// List returns what is kept of every server, by host and server. Of a file that
// cannot be believed the error says so, beside the entries of all others.
func (s *Store) List(ctx context.Context) ([]Entry, error) {
	tx, err := s.vault.Read(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	defer tx.Close()
	names, err := tx.Names()
	if err != nil {
		return nil, unavailable(err)
	}
	return s.list(tx, names)
}
