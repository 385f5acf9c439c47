package verify

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

// MaxAgainst bounds the words against one release that are remembered: each is of
// another holder or another type, and one is enough to fail the release.
const MaxAgainst = 16

// MergeAgainst returns the words of both lists, one for each identity, role and
// type, or two where one of them ends and the other does not: the latest, and of
// two with the same time the one that was taken back. Those that stand come first,
// of these the ones that last longer, and then the later ones; beyond [MaxAgainst]
// the last are left out. The order in which several runs merge does not matter.
func MergeAgainst(a, b []Against) []Against {
	var all []Against
	for _, n := range slices.Concat(a, b) {
		i := slices.IndexFunc(all, n.sameQuestion)
		switch {
		case i < 0:
			all = append(all, n)
		case n.Time.After(all[i].Time.Time) || n.Time.Equal(all[i].Time.Time) && n.TakenBack:
			all[i] = n
		}
	}
	kept := slices.DeleteFunc(slices.Clone(all), func(n Against) bool { return slices.ContainsFunc(all, n.knownAs) })
	slices.SortFunc(kept, Against.compare)
	return kept[:min(len(kept), MaxAgainst)]
}

func (n Against) compare(o Against) int {
	rank := func(n Against) int {
		switch {
		case n.TakenBack:
			return 2
		case n.ExpiresAt != nil:
			return 1
		}
		return 0
	}
	until := func(n Against) time.Time {
		if n.ExpiresAt == nil {
			return time.Time{}
		}
		return n.ExpiresAt.Time
	}
	return cmp.Or(cmp.Compare(rank(n), rank(o)), until(o).Compare(until(n)), o.Time.Compare(n.Time.Time),
		cmp.Compare(n.Holder, o.Holder), cmp.Compare(n.Identity, o.Identity), cmp.Compare(n.Role, o.Role), cmp.Compare(n.Type, o.Type))
}

// sameQuestion says that the later of two words stands for both. One that ends
// does not stand for one that does not.
func (n Against) sameQuestion(o Against) bool {
	return n.sameIdentity(o) && n.Role == o.Role && n.Type == o.Type && (n.ExpiresAt == nil) == (o.ExpiresAt == nil)
}

// sameIdentity compares who said two words: by identity, since another trust file
// may give anybody the name, and by name where neither has one.
func (n Against) sameIdentity(o Against) bool {
	return n.Identity == o.Identity && (n.Identity != "" || n.Holder == o.Holder)
}

// knownAs says that o is the same word, and says who said it, where n was kept
// before there was such a member.
func (n Against) knownAs(o Against) bool {
	named := n
	named.Identity = o.Identity
	return n.Identity == "" && o.Identity != "" && n.Holder == o.Holder && n.Time.Equal(o.Time.Time) && named.sameQuestion(o)
}

// attestation is a remembered word, as it stood in an envelope once.
func (n Against) attestation() seal.Attestation {
	return seal.Attestation{Index: -1, Holder: n.Holder, Identity: n.Identity, Recalled: true, Role: n.Role, Type: n.Type, Bound: true, Time: &n.Time, ExpiresAt: n.ExpiresAt}
}

// againstOf is what to remember of an attestation that is bound.
func againstOf(a seal.Attestation) Against {
	return Against{Holder: a.Holder, Identity: a.Identity, Role: a.Role, Type: a.Type, Time: *a.Time, ExpiresAt: a.ExpiresAt}
}

// isOf says that the word is that attestation.
func (n Against) isOf(a seal.Attestation) bool {
	if !a.Bound || !a.Time.Equal(n.Time.Time) {
		return false
	}
	word := againstOf(a)
	return n.sameQuestion(word) || n.knownAs(word)
}

// recallAgainst reads what earlier runs saw against this release and is not in
// its envelope any more, and keeps what this one sees. It is asked whatever else
// is wrong, and where no chain is looked at: else who serves the envelope would
// need but one more defect to make a finding go unremembered.
func (r *run) recallAgainst(ctx context.Context) {
	m := &recollection{Memory: r.Memory, server: serverOf(r.opened.Manifest)}
	seen, _ := m.find(ctx, digest.FromBytes(r.opened.Payload))
	there := slices.Concat(r.opened.Attestations, r.opened.Lapsed)
	for _, n := range MergeAgainst(seen.Against, nil) {
		if !n.TakenBack && !slices.ContainsFunc(there, n.isOf) {
			r.against = append(r.against, n.attestation())
		}
	}
	if m.Memory != nil && m.err == nil {
		m.err = r.keepAgainst(ctx, m)
	}
	r.unreadable(m.err)
}

// keepAgainst remembers the words against this release, and no more of it: what
// was not verified must neither shorten a later walk nor make the release before
// it a rollback. What a stranger publishes, or somebody in a namespace that was
// not asked for, is not kept under the name that it claims.
func (r *run) keepAgainst(ctx context.Context, m *recollection) error {
	against := r.toRemember()
	if len(against) == 0 || !r.result.Publisher.Expected {
		return nil
	}
	manifest := r.opened.Manifest
	return m.Remember(ctx, m.server, []Seen{{
		Digest: digest.FromBytes(r.opened.Payload), IssuedAt: manifest.IssuedAt, Version: shortVersion(manifest), Against: against,
	}})
}

// words are the attestations that hold, those that an earlier run saw among
// them, and the lapsed.
func (r *run) words() (attestations, lapsed []seal.Attestation) {
	attestations, lapsed = slices.Clone(r.opened.Attestations), slices.Clone(r.opened.Lapsed)
	for _, a := range r.against {
		if a.ExpiresAt != nil && !r.now.Before(a.ExpiresAt.Time) {
			lapsed = append(lapsed, a)
		} else {
			attestations = append(attestations, a)
		}
	}
	return attestations, lapsed
}

// standing is what those words come to.
func (r *run) standing() seal.Standing { return seal.StandingOf(r.words()) }

// toRemember is what to keep of the words against this release: also of those
// whose time is over, since no older word in favour may come to life when they are
// left out. Those without a signed time are not kept: anybody can have labelled
// them, and nothing could take them back.
func (r *run) toRemember() []Against {
	all, lapsed := r.words()
	for _, a := range lapsed {
		if seal.Negative(a.Type) {
			all = append(all, a)
		}
	}
	stands := seal.StandingOf(all, nil).Against
	var against []Against
	for _, a := range all {
		if a.Role == seal.RolePublisher || !seal.Negative(a.Type) || !a.Bound {
			continue
		}
		n := againstOf(a)
		n.TakenBack = !slices.ContainsFunc(stands, n.isOf)
		against = append(against, n)
	}
	return MergeAgainst(against, nil)
}
