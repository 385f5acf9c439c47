package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// ancestor is what a link led to.
type ancestor struct {
	*release
	link lineage.Link
	// remembered says that an earlier run verified its chain.
	remembered bool
	// err is why there is no release. wrong is its code where the release is not
	// what the link names, or not what a chain may hold, and 0 where it could not
	// be had.
	err   error
	wrong seal.Code
}

// ancestors follows the links from the manifest to where they end, and yields
// what each leads to, in order. What could not be had ends it.
//
// A link names its release by digest, so releases are fetched one after the
// other; they are opened several at once beside that, and [maxInFlight] of them
// are in memory. The successor of a payload vouches for its link, whoever signed
// it.
func (c *chain) ancestors(ctx context.Context) iter.Seq[ancestor] {
	return ahead(ctx, func(ctx context.Context) iter.Seq[func() ancestor] {
		return func(yield func(func() ancestor) bool) {
			link, known := c.head.link, c.memory.knows(ctx, c.head)
			for n := 1; !link.Absent; n++ {
				a := ancestor{link: link}
				if n == c.most {
					a.err = fmt.Errorf("%w: %d releases were followed, and no more are", ErrUnavailable, n)
				}
				var e *seal.Envelope
				var snapshot []byte
				if a.err == nil {
					e, snapshot, a.wrong, a.err = c.fetch(ctx, link.Digest)
				}
				if a.err != nil {
					yield(func() ancestor { return a })
					return
				}
				open := func() ancestor { return c.opening(ctx, a, e, snapshot) }
				if seen, ok := c.memory.find(ctx, e.PayloadDigest(digest.SHA256)); known || ok && seen.Chain {
					a = open()
					a.remembered = known || a.err == nil && c.memory.holds(seen, a.release)
					open = func() ancestor { return a }
				}
				if !yield(open) || a.remembered || a.err != nil {
					return
				}
				var ok bool
				if link, ok = nextLink(e.Payload); !ok {
					return // opening it says why
				}
			}
		}
	})
}

// fetch returns the envelope whose payload has the digest, with the snapshot
// beside it where the source has one. wrong is not 0 where the source answered
// with something else.
func (c *chain) fetch(ctx context.Context, payload digest.Digest) (e *seal.Envelope, snapshot []byte, wrong seal.Code, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	var data []byte
	if s, ok := c.Chain.(SnapshotSource); ok {
		data, snapshot, err = s.ReleaseWithSnapshot(ctx, payload)
	} else {
		data, err = c.Chain.Release(ctx, payload)
	}
	if err != nil {
		return nil, nil, 0, err
	}
	e, err = seal.ParseEnvelope(data)
	if err != nil {
		return nil, nil, seal.CodeChainBroken, fmt.Errorf("what the source has in its place is no sealed manifest: %w", cause(err))
	}
	if got := e.PayloadDigest(payload.Algorithm()); got != payload {
		return nil, nil, seal.CodeChainBroken, fmt.Errorf("it was replaced: payload digest: got %s, want %s", got, payload)
	}
	return e, snapshot, 0, nil
}

// opening opens what was fetched.
func (c *chain) opening(ctx context.Context, a ancestor, e *seal.Envelope, snapshot []byte) ancestor {
	a.release, a.err = c.openAncestor(ctx, e, e.PayloadDigest(digest.SHA256))
	switch {
	case a.err == nil:
		a.tools = sealedTools(a.manifest, snapshot)
	case ctx.Err() == nil && !errors.Is(a.err, ErrUnavailable):
		a.wrong = codeOf(a.err)
	}
	return a
}

// nextLink reads the link of a payload that will be parsed in full beside this.
func nextLink(payload []byte) (lineage.Link, bool) {
	var m struct {
		Tools []struct {
			Lineage *seal.Lineage `json:"lineage"`
		} `json:"tools"`
	}
	if strictjson.UnmarshalOpen(payload, &m) != nil {
		return lineage.Link{}, false
	}
	tools := make([]seal.Tool, len(m.Tools))
	for i := range tools {
		tools[i].Lineage = m.Tools[i].Lineage
	}
	link, err := lineage.LinkOf(&seal.Manifest{Tools: tools})
	return link, err == nil
}

// ahead runs the functions that jobs yields several at once, while jobs makes
// more of them, and yields what they return in the order of the jobs. No more
// than [maxInFlight] results wait. A panic in a function or in jobs is one of the
// caller. The context that jobs is given ends with the sequence, and everything
// that was started has ended by then.
func ahead[T any](ctx context.Context, jobs func(context.Context) iter.Seq[func() T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		waiting := make(chan chan outcome[T], maxInFlight)
		running.Go(func() {
			defer close(waiting)
			last := attempt(func() (none T) {
				for job := range jobs(ctx) {
					result := make(chan outcome[T], 1)
					select {
					case waiting <- result:
					case <-ctx.Done():
						return
					}
					running.Go(func() { result <- attempt(job) })
				}
				return
			})
			if last.panicked != nil {
				result := make(chan outcome[T], 1)
				result <- last
				select {
				case waiting <- result:
				case <-ctx.Done():
				}
			}
		})
		for result := range waiting {
			o := <-result
			if o.panicked != nil {
				panic(o.panicked)
			}
			if !yield(o.value) {
				return
			}
		}
	}
}

// outcome is what a function returned, or what it panicked with.
type outcome[T any] struct {
	value    T
	panicked any
}

func attempt[T any](f func() T) (o outcome[T]) {
	defer func() { o.panicked = recover() }()
	o.value = f()
	return o
}
