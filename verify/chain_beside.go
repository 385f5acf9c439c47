package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
)

// witness is a release of the same publisher that is not in the chain: one that
// the source shows, or that was seen before.
type witness struct {
	digest  digest.Digest
	version string
	issued  time.Time
	// link is its own; nil where only its time is remembered.
	link *lineage.Link
	// seen says that an earlier run verified it.
	seen bool
	// chained says that the run that saw it followed its chain.
	chained bool
	// ours says that it is of a publisher of this chain.
	ours bool
}

func (w *witness) String() string {
	from := "the source also shows"
	if w.seen {
		from = "an earlier run verified"
	}
	return fmt.Sprintf("%s release %.64q (%.19s…), issued at %s", from, w.version, w.digest, w.issued.UTC().Format(time.RFC3339))
}

// beside looks at the releases that the source shows and that are not in the
// chain. Anybody may have put them there: only those count that the expected
// publisher signed for this server.
func (c *chain) beside(ctx context.Context) {
	if c.end == "" && c.gone == nil {
		return // what is beside a chain that is not known?
	}
	c.links.index()
	names := c.listed(ctx)
	successor := map[digest.Digest]*witness{}
	claims := 0
	for b := range c.openBeside(ctx, names) {
		switch {
		case b.unavailable != nil:
			c.unmade("fork", "%s could not be had from the source that lists it: %v", b.digest, b.unavailable)
		case b.release == nil:
			if b.claims != nil && b.claims.IssuedAt.Before(c.oldest.manifest.IssuedAt.Time) {
				claims++
			}
		default:
			link := b.link // a pointer into b would keep its manifest in memory
			w := &witness{digest: b.digest, version: shortVersion(b.manifest), issued: b.manifest.IssuedAt.Time, link: &link, ours: true}
			c.witness(w)
			c.fork(successor, w)
		}
	}
	if claims > 0 && c.end == First {
		c.advise(seal.CodeChainAbsent, "%s names no predecessor; the source also shows %d that call themselves earlier releases of this server, by keys that are not known here", c.oldest, claims)
	}
}

// listed are the releases that the source lists and that are not in the chain, in
// the order of their digests.
func (c *chain) listed(ctx context.Context) []digest.Digest {
	taken := map[digest.Digest]bool{}
	read, beyond := 0, 0
	for d, err := range c.Chain.Releases(ctx) {
		if err != nil {
			c.unmade("fork", "the source's list of releases ended early: %v", err)
			break
		}
		if read++; read > maxListed {
			c.unmade("fork", "the source lists more than %d releases: the others were not looked at", maxListed)
			break
		}
		if _, walked := c.links.find(d); walked || taken[d] || !c.unknown(ctx, d) {
			continue
		}
		if len(taken) == maxBeside {
			beyond++
			continue
		}
		taken[d] = true
	}
	c.shown = read
	if beyond > 0 {
		c.unmade("fork", "the source lists %d releases beside the chain: %d were looked at", maxBeside+beyond, maxBeside)
	}
	var names []digest.Digest
	for d := range taken {
		names = append(names, d)
	}
	slices.Sort(names)
	return names
}

// unknown reports whether a listed release has to be fetched. One whose chain an
// earlier run verified for a publisher of this chain is older than where the walk
// ended at a remembered release: it was its ancestor then.
func (c *chain) unknown(ctx context.Context, d digest.Digest) bool {
	if !isSHA256(d) {
		return false // a claim of nothing
	}
	if c.end != Remembered {
		return true
	}
	seen, ok := c.memory.find(ctx, d)
	return !ok || !seen.Chain || !slices.Contains(c.links.origins, seen.Origin) || seen.IssuedAt.After(c.oldest.manifest.IssuedAt.Time)
}

// besideRelease is what a listed release turned out to be.
type besideRelease struct {
	*release
	digest digest.Digest
	// claims is what it says of itself where it calls itself a release of this
	// server, by a key that nobody here knows; else nil.
	claims *seal.Manifest
	// unavailable is why it could not be had.
	unavailable error
}

// maxBesideBytes bounds the bytes of all releases beside the chain together.
const maxBesideBytes = 256 << 20

// openBeside fetches listed releases and opens them, several at once.
func (c *chain) openBeside(ctx context.Context, names []digest.Digest) iter.Seq[besideRelease] {
	return ahead(ctx, func(ctx context.Context) iter.Seq[func() besideRelease] {
		return func(yield func(func() besideRelease) bool) {
			left := maxBesideBytes
			for _, d := range names {
				b := besideRelease{digest: d}
				data, err := c.Chain.Release(ctx, d)
				if left -= len(data); left < 0 {
					err = fmt.Errorf("%w: the releases beside the chain have more than %d bytes", ErrUnavailable, maxBesideBytes)
				}
				if err != nil && !errors.Is(err, ErrNoRelease) {
					b.unavailable = err
				}
				open := func() besideRelease { return b }
				if err == nil {
					open = func() besideRelease { return c.openOne(ctx, b, data) }
				}
				if !yield(open) || left < 0 {
					return
				}
			}
		}
	})
}

// openOne opens one release beside the chain. What is no release of this
// publisher is nothing.
func (c *chain) openOne(ctx context.Context, b besideRelease, data []byte) besideRelease {
	e, err := seal.ParseEnvelope(data)
	if err != nil || e.PayloadDigest(digest.SHA256) != b.digest {
		return b
	}
	rel, err := c.openRelease(ctx, e, b.digest)
	switch {
	case err != nil && (ctx.Err() != nil || errors.Is(err, ErrUnavailable)):
		b.unavailable = err
	case err == nil:
		if serverOf(rel.manifest) == c.server && (c.expected || slices.Contains(c.links.origins, rel.origin())) {
			b.release = rel
		}
	case seal.CodeOf(err, 0) == seal.CodeSignatureKeyNotFound && e.Claim().Namespace == c.server.Namespace:
		if m, err := seal.ParseManifest(e.Payload); err == nil && serverOf(m) == c.server {
			b.claims = m
		}
	}
	return b
}

// witness holds the chain against a release beside it. What it proves of a
// release that should have been named is reported once, by [chain.accuse].
func (c *chain) witness(w *witness) {
	head, oldest := c.head.manifest.IssuedAt, c.oldest.manifest.IssuedAt
	switch {
	case w.issued.After(head.Time) || w.link != nil && w.link.Digest == c.head.digest:
		if c.newest == nil || w.issued.After(c.newest.issued) {
			c.newest = w
		}
	case w.issued.Before(oldest.Time):
		if c.earlier == nil || w.ours && !c.earlier.ours || w.ours == c.earlier.ours && w.issued.After(c.earlier.issued) {
			c.earlier = w
		}
	case w.seen && w.ours && c.end != "" && w.issued.After(oldest.Time) && w.issued.Before(head.Time):
		c.broken(seal.CodeChainFork, "", "the chain of %s passes over a release: %s", c.head, w)
	}
}

// accuse reports what the releases beside the chain prove together.
func (c *chain) accuse() {
	if c.newest != nil {
		c.advise(seal.CodeRollback, "%s is not the newest: %s", c.head, c.newest)
	}
	switch w := c.earlier; {
	case w == nil:
	case c.gone != nil && w.ours && !w.seen && c.shown < 2:
		// A single release that somebody has is no history that one was taken from.
	case c.gone != nil && w.ours:
		c.broken(seal.CodeChainBroken, "", "%s names %s as its predecessor, which was removed: %s", c.oldest, c.gone, w)
	case !c.oldest.link.Absent || c.oldest.reroot != "":
		// an ancestor of where the walk ended, or of the chain before this one
	case w.ours && c.Chain == nil && !w.chained:
		// Neither this run nor the one before has seen a chain, and MIS §13.5 lets a
		// publisher do without one, below level 2.
		c.notFirst = true
		c.advise(seal.CodeChainAbsent, "%s names no predecessor, and is not the first: %s", c.oldest, w)
	case w.ours:
		c.broken(seal.CodeChainBroken, "", "%s names no predecessor, and is not the first: %s", c.oldest, w)
	default:
		c.advise(seal.CodeChainAbsent, "%s names no predecessor: %s, signed by another", c.oldest, w)
	}
}

// fork finds two successors of one release.
func (c *chain) fork(successor map[digest.Digest]*witness, w *witness) {
	if w.link.Absent {
		return
	}
	if i, ok := c.links.find(w.link.Digest); ok && i > 0 {
		s := &c.links.all[i-1]
		c.broken(seal.CodeChainFork, "", "release %.64q (%.19s…) has two successors: %.64q (%.19s…), and %s", c.links.all[i].version, w.link.Digest, s.version, s.payload(), w)
	}
	if other, ok := successor[w.link.Digest]; ok {
		a, b := other, w
		if cmp.Or(a.issued.Compare(b.issued), cmp.Compare(a.digest, b.digest)) > 0 {
			a, b = b, a
		}
		c.broken(seal.CodeChainFork, "", "release %.64q (%.19s…) has two successors: %.64q (%.19s…), and %s", w.link.PreviousVersion, w.link.Digest, a.version, a.digest, b)
		return
	}
	successor[w.link.Digest] = w
}
