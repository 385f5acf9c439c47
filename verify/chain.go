package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
)

// Bounds of what a chain may cost.
const (
	// maxChain bounds the releases that are followed. A thousand is a normal
	// chain and ten thousand a large one; each costs a fetch, a signature check
	// and a hundred bytes that are kept until the end.
	maxChain = 50_000
	// maxListed bounds the names that are read from a source's list, each a claim
	// of 32 bytes: a list longer than any chain is no list of releases.
	maxListed = 2 * maxChain
	// maxBeside bounds the releases beside the chain that are fetched to find a
	// fork, a rollback or a predecessor. A source that holds one server's history
	// has none; a stranger may have put any number there.
	maxBeside = 1000
	// maxInFlight bounds the releases that are in memory at one time, waiting to
	// be opened or compared; each has at most [seal.MaxEnvelopeSize] bytes.
	maxInFlight = 8
	// maxErrors and maxAdvice bound the findings of one code that are reported:
	// what is wrong in each of ten thousand links is read once, and what is odd in
	// each is so by habit. The rest is counted.
	maxErrors = 20
	maxAdvice = 3
	// maxNearest bounds the releases that the result lists.
	maxNearest = 10
	// maxVersion bounds a version that is kept for each release, in bytes.
	maxVersion = 64
)

// chain is the state of step 6, the walk from the manifest to the first release.
type chain struct {
	*run
	server ServerKey
	// most bounds the releases that are followed.
	most int
	// check is how it ended.
	check seal.Check
	// end says where; "" where it was not followed to an end.
	end ChainEnd
	// links are the releases that were followed, the manifest first.
	links links
	// alike counts the findings of each code, more those that are not reported.
	alike, more map[seal.Code]int
	memory      *recollection
	head        *release
	// oldest is the release that the walk ended at.
	oldest *release
	// hidden counts the releases of which it is known that the interface changed,
	// and not how.
	hidden int
	// shown is how many releases the source lists.
	shown int
	// notFirst says that there was a release before, which the manifest does not
	// name.
	notFirst bool
	// gone is the link whose release the source does not have; nil where there is
	// none.
	gone *lineage.Link
	// certificate is that of the last release that had one.
	certificate *seal.Certificate
	// newest is the newest release beside the chain that is newer than the
	// manifest, and earlier the newest that is older than the walk's end; nil where
	// there is none.
	newest, earlier *witness
}

// lineage is step 6 (MIS §13.4): the link to the predecessor, and back to the
// first release or to one whose chain an earlier run verified. A release says
// nothing truer than its signature; a chain says that nobody slipped one in,
// took one out, or exchanged one.
func (r *run) lineage(ctx context.Context) {
	server := serverOf(r.opened.Manifest)
	c := &chain{run: r, server: server, most: maxChain, alike: map[seal.Code]int{}, more: map[seal.Code]int{}, memory: &recollection{Memory: r.Memory, server: server, trust: r.TrustState}}
	c.follow(ctx)
	c.remember(ctx)
	c.report()
	for _, t := range r.checks {
		if t.sealed != nil {
			t.chain, t.notFirst = c.check, c.notFirst
		}
	}
}

func (c *chain) follow(ctx context.Context) {
	head, err := c.releaseOf(c.opened, digest.FromBytes(c.opened.Payload))
	if err != nil {
		c.broken(seal.CodeChainBroken, "", "%v", err)
		return
	}
	head.tools = c.observedTools()
	c.head, c.oldest = head, head
	c.links.add(head)
	if c.Chain == nil {
		c.unfollowed(ctx)
	} else {
		c.walk(ctx)
		c.beside(ctx)
	}
	c.recall(ctx)
	c.accuse()
}

// unfollowed is a chain that nobody gave a source for.
func (c *chain) unfollowed(ctx context.Context) {
	switch {
	case !c.head.link.Absent && c.memory.knows(ctx, c.head):
		c.holds(Remembered)
	case !c.head.link.Absent:
		c.skip("chain", "the manifest names a predecessor, and none was checked")
	case c.head.reroot != "":
		c.rerooted(c.head)
	}
}

// broken reports what makes the chain wrong, wherever it stands in it.
func (c *chain) broken(code seal.Code, tool, format string, args ...any) {
	c.check = seal.Broken
	if c.among(maxErrors, code) {
		c.result.Errors = append(c.result.Errors, finding(code, tool, "", format, args...))
	}
}

// advise reports what a reader should know of the chain.
func (c *chain) advise(code seal.Code, format string, args ...any) {
	if c.among(maxAdvice, code) {
		c.run.advise(code, format, args...)
	}
}

// among reports whether a finding is among the first of its code, and counts it
// where it is not.
func (c *chain) among(first int, code seal.Code) bool {
	c.alike[code]++
	if c.alike[code] > first {
		c.more[code]++
	}
	return c.alike[code] <= first
}

// unavailable says that the chain cannot be followed to its end. It is no
// finding against the manifest: that would be the source's to make.
func (c *chain) unavailable(format string, args ...any) {
	c.unmade("chain", format, args...)
}

// unmade says that a part of the check was not made, and why.
func (c *chain) unmade(check, format string, args ...any) {
	c.asked = c.asked || c.ChainAsked
	if c.among(maxAdvice, seal.CodeChainUnavailable) {
		c.skip(check, format, args...)
		c.run.advise(seal.CodeChainUnavailable, format, args...)
	}
}

// report puts what was found into the result.
func (c *chain) report() {
	if c.hidden > 0 {
		c.skip("change classes", "releases that changed the interface, and whose snapshot or that of the one before is not at hand, or not what was sealed: %d; that it changed was checked, and not how", c.hidden)
	}
	for _, code := range slices.Sorted(maps.Keys(c.more)) {
		c.skip("chain", "%d more findings like the %s that are listed", c.more[code], code.Name())
	}
	if c.head == nil || c.Chain == nil && c.end == "" {
		return
	}
	c.result.Chain = &Chain{Length: c.links.len(), VerifiedTo: c.end, Releases: c.links.nearest}
}

// rerooted says that the publisher began a new chain, and why.
func (c *chain) rerooted(r *release) {
	c.advise(seal.CodeChainRerooted, "%s begins a new chain; its publisher signed the reason: %.300q", r, r.reroot)
}

// walk follows the links.
func (c *chain) walk(ctx context.Context) {
	child := c.head
	for a := range c.ancestors(ctx) {
		if a.release == nil {
			c.stopped(ctx, child, a)
			return
		}
		c.join(child, a.release)
		child, c.oldest = a.release, a.release
		if a.remembered {
			c.holds(Remembered)
			return
		}
	}
	switch {
	case !child.link.Absent:
		c.unavailable("%s names %s as its predecessor, which was not looked at: %v", child, child.link, ctx.Err())
	case child.reroot != "":
		c.rerooted(child)
		c.holds(Rerooted)
	default:
		c.holds(First)
	}
}

// holds ends a walk, whose links are right where nothing was found against them.
func (c *chain) holds(end ChainEnd) {
	c.end = end
	if c.check == seal.NotMade && !c.head.link.Absent {
		c.check = seal.Holds
	}
}

// stopped is a predecessor that is not there, or is not it.
func (c *chain) stopped(ctx context.Context, child *release, a ancestor) {
	switch {
	case a.wrong != 0:
		c.broken(a.wrong, "", "%s names %s as its predecessor: %v", child, a.link, cause(a.err))
	case child == c.head && c.memory.knows(ctx, child):
		// An earlier run followed it; what that found still holds.
		c.skip("chain", "an earlier run verified it down to the first release; the newest link was not looked at again: %v", a.err)
		c.holds(Remembered)
	default:
		if errors.Is(a.err, ErrNoRelease) && a.link.Digest.Algorithm() == digest.SHA256 {
			c.gone = &a.link
		}
		c.unavailable("%s names %s as its predecessor, which could not be had: %v", child, a.link, a.err)
	}
}

// String names a release, for people.
func (r *release) String() string {
	return fmt.Sprintf("release %.64q (%.19s…)", lineage.VersionOf(r.manifest), r.digest)
}

func serverOf(m *seal.Manifest) ServerKey {
	return ServerKey{Namespace: m.Server.Publisher.Namespace, Name: m.Server.Name}
}
