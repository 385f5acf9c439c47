package verify

import (
	"context"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

// recollection is what is remembered of one server, in one run. Where the memory
// cannot be used it says so once, and remembers nothing.
type recollection struct {
	Memory
	server ServerKey
	trust  string // the verifier's TrustState
	err    error
}

// find returns what is remembered of a release.
func (m *recollection) find(ctx context.Context, payload digest.Digest) (Seen, bool) {
	if m.Memory == nil || m.err != nil {
		return Seen{}, false
	}
	seen, ok, err := m.Find(ctx, m.server, payload)
	if err != nil {
		m.err = err
		return Seen{}, false
	}
	return seen, ok
}

// newest returns the release with the latest issued_at.
func (m *recollection) newest(ctx context.Context) (Seen, bool) {
	if m.Memory == nil || m.err != nil {
		return Seen{}, false
	}
	seen, ok, err := m.Newest(ctx, m.server)
	if err != nil {
		m.err = err
		return Seen{}, false
	}
	return seen, ok
}

// knows reports whether an earlier run verified the chain of r under the trust
// that r is verified under now.
func (m *recollection) knows(ctx context.Context, r *release) bool {
	seen, ok := m.find(ctx, r.digest)
	return ok && m.holds(seen, r)
}

// holds reports whether what is remembered of r's chain still counts: the same
// signer, and nothing revoked since that another run did not know of.
func (m *recollection) holds(seen Seen, r *release) bool {
	return seen.Chain && seen.Origin == r.origin() && seen.Origin != "" && seen.Trust == m.trust
}

// recall holds the manifest against the newest release that was seen before.
func (c *chain) recall(ctx context.Context) {
	seen, ok := c.memory.newest(ctx)
	if !ok {
		return
	}
	c.links.index()
	if _, walked := c.links.find(seen.Digest); walked {
		return
	}
	c.witness(&witness{
		digest: seen.Digest, version: seen.Version, issued: seen.IssuedAt.Time, seen: true, chained: seen.Chain,
		ours: slices.Contains(c.links.origins, seen.Origin) && seen.Origin != "",
	})
}

// maxRemembered bounds the releases that are handed to the memory at one time.
const maxRemembered = 1000

// remember keeps what this run verified. What nobody was expected to sign, and
// what anything is wrong with, is not kept.
func (c *chain) remember(ctx context.Context) {
	if c.Memory == nil {
		return
	}
	if c.memory.err == nil && c.head != nil && c.expected && c.head.origin() != "" && !c.wrong() {
		c.memory.err = c.keep(ctx)
	}
	c.unreadable(c.memory.err)
}

// keep hands the links to the memory, unless somebody speaks against the release:
// of that, [run.keepAgainst] kept what there is to keep. One that was verified
// before stays so.
func (c *chain) keep(ctx context.Context) error {
	if len(c.standing().Against) > 0 {
		return nil
	}
	for part := range slices.Chunk(c.links.all, maxRemembered) {
		if err := c.Memory.Remember(ctx, c.server, c.links.seen(part, c.end != "", c.TrustState)); err != nil {
			return err
		}
	}
	return nil
}

// unreadable says once that the memory cannot be used.
func (r *run) unreadable(err error) {
	told := func(f Finding) bool { return f.Code == seal.CodeMemoryUnreadable }
	if err != nil && !slices.ContainsFunc(r.result.Advisories, told) {
		r.advise(seal.CodeMemoryUnreadable, "what earlier runs verified cannot be used: %v", err)
	}
}

// wrong reports whether anything is wrong with what was verified.
func (r *run) wrong() bool {
	if len(r.result.Errors) > 0 {
		return true
	}
	for _, t := range r.checks {
		if len(t.errors) > 0 {
			return true
		}
	}
	return false
}

// seen is what is remembered of links. Those that nobody is known to have signed
// are left out.
func (l *links) seen(part []seenLink, whole bool, trust string) []Seen {
	all := make([]Seen, 0, len(part))
	for i := range part {
		s := &part[i]
		if s.origin < 0 || l.origins[s.origin] == "" {
			continue
		}
		all = append(all, Seen{Digest: s.payload(), IssuedAt: seal.NewTimestamp(s.issued), Version: s.version, Origin: l.origins[s.origin], Chain: whole, Trust: trust})
	}
	return all
}
