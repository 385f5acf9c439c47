package verify

import (
	"cmp"
	"context"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

// MaxAgainst bounds the words against one release that are remembered: each is of
// another holder or another type, and one is enough to fail the release.
const MaxAgainst = 16

// MergeAgainst returns the words of both lists, one for each holder, role and
// type: the latest, and of two with the same time the one that was taken back.
// Those that stand come first, the latest before the others; beyond [MaxAgainst]
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
	slices.SortFunc(all, func(a, b Against) int {
		stands := func(n Against) int {
			if n.TakenBack {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(stands(a), stands(b)), b.Time.Compare(a.Time.Time), cmp.Compare(a.Holder, b.Holder), cmp.Compare(a.Role, b.Role), cmp.Compare(a.Type, b.Type))
	})
	return all[:min(len(all), MaxAgainst)]
}

func (n Against) sameQuestion(o Against) bool {
	return n.Holder == o.Holder && n.Role == o.Role && n.Type == o.Type
}

// attestation is a remembered word, as it stood in an envelope once.
func (n Against) attestation() seal.Attestation {
	return seal.Attestation{Index: -1, Holder: n.Holder, Role: n.Role, Type: n.Type, Bound: true, Time: &n.Time, ExpiresAt: n.ExpiresAt}
}

// isOf says that the word is that attestation.
func (n Against) isOf(a seal.Attestation) bool {
	return a.Bound && a.Time.Equal(n.Time.Time) && n.sameQuestion(Against{Holder: a.Holder, Role: a.Role, Type: a.Type})
}

// recallAgainst reads what earlier runs saw against this release and is not in
// its envelope any more. It is asked whatever else is wrong, and where no chain
// is looked at.
func (r *run) recallAgainst(ctx context.Context) {
	m := &recollection{Memory: r.Memory, server: serverOf(r.opened.Manifest)}
	seen, _ := m.find(ctx, digest.FromBytes(r.opened.Payload))
	there := slices.Concat(r.opened.Attestations, r.opened.Lapsed)
	for _, n := range MergeAgainst(seen.Against, nil) {
		if !n.TakenBack && !slices.ContainsFunc(there, n.isOf) {
			r.against = append(r.against, n.attestation())
		}
	}
	r.unreadable(m.err)
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

// toRemember is what to keep of the words against this release, and whether any
// of them stands. Those without a signed time are left out: anybody can have
// labelled them, and nothing could take them back.
func (r *run) toRemember() (against []Against, standing bool) {
	attestations, _ := r.words()
	stands := r.standing().Against
	for _, a := range attestations {
		if a.Role == seal.RolePublisher || !seal.Negative(a.Type) || !a.Bound {
			continue
		}
		n := Against{Holder: a.Holder, Role: a.Role, Type: a.Type, Time: *a.Time, ExpiresAt: a.ExpiresAt}
		n.TakenBack = !slices.ContainsFunc(stands, n.isOf)
		against = append(against, n)
	}
	return MergeAgainst(against, nil), len(stands) > 0
}
