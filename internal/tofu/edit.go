package tofu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/vault"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// maxListErrors and maxNamed bound how many damaged files, and tools, an error
// names.
const maxListErrors, maxNamed = 5, 5

func (s *Store) list(tx *vault.Tx, names []string) ([]Entry, error) {
	var all []Entry
	var damaged []error
	for _, name := range names {
		data, err := tx.Get(name)
		if data == nil && err == nil {
			continue // it was forgotten
		}
		var r *record
		if err == nil {
			r, err = parseRecord(data)
		}
		if err == nil && s.fileName(r.Key) != name {
			err = fmt.Errorf("%s: it is the file of server %.100q of %.100q", name, r.Key.Server, r.Key.Host)
		}
		if err != nil {
			damaged = append(damaged, err)
			continue
		}
		all = append(all, r.entry())
	}
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(strings.Compare(a.Host, b.Host), strings.Compare(a.Server, b.Server))
	})
	if n := len(damaged); n > maxListErrors {
		damaged = append(damaged[:maxListErrors], fmt.Errorf("and %d more", n-maxListErrors))
	}
	return all, unavailable(errors.Join(damaged...))
}

// edit changes what is kept of a server that was met.
func (s *Store) edit(ctx context.Context, key verify.FirstUseKey, what string, change func(*record) error) error {
	tx, err := s.vault.Read(ctx) // to change nothing must make no directory
	if err != nil {
		return unavailable(err)
	}
	r, err := s.get(tx, key)
	tx.Close()
	if err == nil && r == nil {
		err = fmt.Errorf("%s %.100q of host %.100q: %w", what, key.Server, key.Host, ErrNeverMet)
	}
	if err != nil {
		return err
	}
	if tx, err = s.vault.Write(ctx); err != nil {
		return unavailable(err)
	}
	defer tx.Close()
	if r, err = s.get(tx, key); err != nil {
		return err
	}
	if r == nil {
		return fmt.Errorf("%s %.100q of host %.100q: %w", what, key.Server, key.Host, ErrNeverMet)
	}
	if err := change(r); err != nil {
		return fmt.Errorf("%s %.100q of host %.100q: %w", what, key.Server, key.Host, err)
	}
	return s.put(tx, r)
}

// Accept makes what is pending what is accepted: of those tools, or of all that
// nobody blocked where none is named. shown is the digest of the pending
// observation as somebody saw it ([verify.Meeting], [Pending]): where another is
// pending now the error wraps [ErrNotPending], and nothing is accepted. A tool that
// is gone is accepted as gone. What is blocked is not accepted. Where a tool's
// words are not kept, and so were not shown, and no tools are named, the error wraps
// [ErrUnshown]: such a tool is accepted by its name alone.
func (s *Store) Accept(ctx context.Context, key verify.FirstUseKey, shown digest.Digest, now time.Time, tools ...string) error {
	return s.edit(ctx, key, "accept", func(r *record) error { return r.accept(shown, seal.NewTimestamp(now), tools) })
}

// Block blocks a server, or where tools are named these alone, whatever they come
// to be. Only tools that are accepted or pending can be blocked.
func (s *Store) Block(ctx context.Context, key verify.FirstUseKey, tools ...string) error {
	return s.edit(ctx, key, "block", func(r *record) error { return r.block(tools) })
}

// Unblock is the end of [Store.Block]: without tools, of the server's own block
// alone. What changed in between is still to be accepted.
func (s *Store) Unblock(ctx context.Context, key verify.FirstUseKey, tools ...string) error {
	return s.edit(ctx, key, "unblock", func(r *record) error { return r.unblock(tools) })
}

// Forget forgets a server with all that was accepted and blocked, so that it is met
// anew. It works for a file that cannot be believed, too. The error wraps
// [ErrNeverMet] where there was nothing to forget.
func (s *Store) Forget(ctx context.Context, key verify.FirstUseKey) error {
	tx, err := s.vault.Read(ctx)
	if err != nil {
		return unavailable(err)
	}
	names, err := tx.Names()
	tx.Close()
	if err != nil {
		return unavailable(err)
	}
	was := false
	if slices.Contains(names, s.fileName(key)) {
		if tx, err = s.vault.Write(ctx); err != nil {
			return unavailable(err)
		}
		defer tx.Close()
		if was, err = tx.Remove(s.fileName(key)); err != nil {
			return unavailable(err)
		}
	}
	if !was {
		return fmt.Errorf("forget %.100q of host %.100q: %w", key.Server, key.Host, ErrNeverMet)
	}
	return nil
}
