package publish

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// gitlabShelf is a list of releases, newest first, that says of none which payload it
// has: each envelope must be read for it. It is gone through once, as far as is
// asked, and what was seen is kept by its digests; so a chain that is walked back
// from its newest release costs one reading of each. Its methods may be called
// together.
type gitlabShelf[T any] struct {
	// page gets the n-th page of entries, from 1, and whether there are more.
	page func(ctx context.Context, n int) (entries []T, more bool, err error)
	// read gets an entry's envelope; nil where it has none.
	read func(ctx context.Context, entry T) ([]byte, error)

	mu      sync.Mutex
	pending []T
	pages   int
	ended   bool
	// seen are the payloads in the list's order, by SHA-256.
	seen []digest.Digest
	// at has each by every digest that a link may name it by (MIS §7).
	at map[digest.Digest]T
}

func newGitLabShelf[T any](page func(context.Context, int) ([]T, bool, error), read func(context.Context, T) ([]byte, error)) *gitlabShelf[T] {
	return &gitlabShelf[T]{page: page, read: read, at: map[digest.Digest]T{}}
}

// forget begins anew: what stands there changes.
func (s *gitlabShelf[T]) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending, s.pages, s.ended, s.seen, s.at = nil, 0, false, nil, map[digest.Digest]T{}
}

// next is the next entry that has an envelope; nil where there is none. After an
// error it can be called again.
func (s *gitlabShelf[T]) next(ctx context.Context) (entry T, envelope []byte, err error) {
	for {
		for len(s.pending) == 0 {
			if s.ended {
				return entry, nil, nil
			}
			if s.pages == maxGitLabPages {
				return entry, nil, fmt.Errorf("%w: more than %d pages of releases", verify.ErrUnavailable, maxGitLabPages)
			}
			page, more, err := s.page(ctx, s.pages+1)
			if err != nil {
				return entry, nil, err
			}
			s.pending, s.ended = page, !more
			s.pages++
		}
		entry = s.pending[0]
		if envelope, err = s.read(ctx, entry); err != nil {
			return entry, nil, err
		}
		s.pending = s.pending[1:]
		if envelope != nil {
			return entry, envelope, nil
		}
	}
}

// step is next for a walk that wants payloads: what no verifier could read is
// nobody's predecessor, and is passed over. ok is false at the end.
func (s *gitlabShelf[T]) step(ctx context.Context) (entry T, envelope []byte, ok bool, err error) {
	for {
		entry, envelope, err = s.next(ctx)
		if err != nil || envelope == nil {
			return entry, nil, false, err
		}
		e, err := seal.ParseEnvelope(envelope)
		if err != nil {
			continue
		}
		d := e.PayloadDigest(digest.SHA256)
		if _, twice := s.at[d]; twice {
			continue
		}
		s.seen = append(s.seen, d)
		s.at[d], s.at[e.PayloadDigest(digest.SHA512)] = entry, entry
		return entry, envelope, true, nil
	}
}

// first is the newest entry, whatever its envelope holds: it is for the verifier to say.
func (s *gitlabShelf[T]) first(ctx context.Context) (T, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry, envelope, err := s.next(ctx)
	if err == nil && envelope == nil {
		err = verify.ErrNoRelease
	}
	return entry, envelope, err
}

// find is the entry whose payload has this digest.
func (s *gitlabShelf[T]) find(ctx context.Context, payload digest.Digest) (T, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if entry, ok := s.at[payload]; ok {
		envelope, err := s.read(ctx, entry)
		if err == nil && !hasPayload(envelope, payload) {
			err = verify.ErrNoRelease // it was exchanged since it was seen
		}
		return entry, envelope, err
	}
	for {
		entry, envelope, ok, err := s.step(ctx)
		switch {
		case err != nil:
			return entry, nil, err
		case !ok:
			return entry, nil, verify.ErrNoRelease
		case hasPayload(envelope, payload):
			return entry, envelope, nil
		}
	}
}

// all yields the payloads of all entries.
func (s *gitlabShelf[T]) all(ctx context.Context) iter.Seq2[digest.Digest, error] {
	return func(yield func(digest.Digest, error) bool) {
		for i := 0; ; i++ {
			d, ok, err := s.nth(ctx, i)
			if err != nil {
				yield("", err)
				return
			}
			if !ok || !yield(d, nil) {
				return
			}
		}
	}
}

// nth is the i-th payload; false behind the last.
func (s *gitlabShelf[T]) nth(ctx context.Context, i int) (digest.Digest, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.seen) <= i {
		if _, _, ok, err := s.step(ctx); err != nil || !ok {
			return "", false, err
		}
	}
	return s.seen[i], true, nil
}
