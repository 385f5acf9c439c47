package verify_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// head is a [verify.Memory] of ours.
type head struct {
	seen  map[digest.Digest]verify.Seen
	err   error
	calls int // of Remember
}

func newHead() *head { return &head{seen: map[digest.Digest]verify.Seen{}} }

func (m *head) Newest(context.Context, verify.ServerKey) (verify.Seen, bool, error) {
	all := slices.SortedFunc(maps.Values(m.seen), func(a, b verify.Seen) int { return b.IssuedAt.Compare(a.IssuedAt.Time) })
	if len(all) == 0 || m.err != nil {
		return verify.Seen{}, false, m.err
	}
	return all[0], true, nil
}

func (m *head) Find(_ context.Context, server verify.ServerKey, d digest.Digest) (verify.Seen, bool, error) {
	if server != (verify.ServerKey{Namespace: sealtest.Namespace, Name: "acme-file-tools"}) {
		return verify.Seen{}, false, fmt.Errorf("asked for %v", server)
	}
	s, ok := m.seen[d]
	return s, ok && m.err == nil, m.err
}

func (m *head) Remember(_ context.Context, _ verify.ServerKey, releases []verify.Seen) error {
	m.calls++
	for _, s := range releases {
		m.seen[s.Digest] = s
	}
	return m.err
}

// TestMemory: a history of four releases of which the third was verified by an
// earlier run; then the fourth is.
func TestMemory(t *testing.T) {
	for name, tt := range map[string]struct {
		before     func(t *testing.T, h *history) // the earlier run
		between    func(t *testing.T, h *history)
		errors     []string
		advisories []string
		says       string
		end        verify.ChainEnd
		asked      int // of the source, in the second run
		remembered int // releases, after it
		whole      bool
	}{
		"the chain": {end: verify.Remembered, asked: 1, remembered: 4, whole: true},
		"the same release again": {
			between: func(_ *testing.T, h *history) { h.made = h.made[:3] },
			// Its newest link is walked again, for what is said of it; 1.3.0 is beside.
			end: verify.Remembered, asked: 2, remembered: 3, whole: true, advisories: []string{"ROLLBACK"},
		},
		"the same release again, and no source left": {
			between: func(_ *testing.T, h *history) {
				h.made = h.made[:3]
				for _, m := range h.made {
					h.source.errs[m.digest] = verify.ErrUnavailable
				}
				h.source.list = nil
			},
			end: verify.Remembered, asked: 1, remembered: 3, whole: true,
		},
		"nothing of another trust": {
			between: func(t *testing.T, h *history) {
				for d, s := range h.v.Memory.(*head).seen {
					s.Origin = strings.ReplaceAll(s.Origin, "acme", "evil")
					h.v.Memory.(*head).seen[d] = s
				}
			},
			end: verify.First, asked: 3, remembered: 4, whole: true,
		},
		"nothing from before a revocation that is known now": {
			between: func(_ *testing.T, h *history) { h.v.TrustState = "acme-2025 is revoked" },
			end:     verify.First, asked: 3, remembered: 4, whole: true,
		},
		"the same release again, of another trust": {
			between: func(t *testing.T, h *history) {
				h.made = h.made[:3]
				s := h.v.Memory.(*head).seen[h.last().digest]
				s.Origin = "evil"
				clear(h.v.Memory.(*head).seen)
				h.v.Memory.(*head).seen[s.Digest] = s
			},
			end: verify.First, asked: 3, remembered: 3, whole: true, advisories: []string{"ROLLBACK"},
		},
		"the same release again, whose chain was not walked": {
			before: func(t *testing.T, h *history) {
				source := h.v.Chain
				h.v.Chain = nil
				h.verify(t, h.made[2])
				h.v.Chain, h.made = source, h.made[:3]
			},
			end: verify.First, asked: 3, remembered: 3, whole: true, advisories: []string{"ROLLBACK"},
		},
		"a fork below the newest that was seen": {
			before: func(t *testing.T, h *history) { h.run(t) },
			between: func(t *testing.T, h *history) {
				m := h.next(t, &h.made[1])
				m.IssuedAt = seal.NewTimestamp(h.made[2].manifest.IssuedAt.Add(time.Hour))
				h.add(t, m)
			},
			errors: []string{"CHAIN_FORK"}, advisories: []string{"ROLLBACK"}, says: "two successors", end: verify.Remembered, asked: 3, remembered: 4, whole: true,
		},
		"nothing of a chain that was not walked": {
			before: func(t *testing.T, h *history) {
				source := h.v.Chain
				h.v.Chain = nil
				h.verify(t, h.made[2])
				h.v.Chain = source
			},
			end: verify.First, asked: 3, remembered: 4, whole: true,
		},
		"nothing of a chain that did not end": {
			before: func(t *testing.T, h *history) {
				h.source.errs[h.made[0].digest] = verify.ErrUnavailable
				h.verify(t, h.made[2])
				delete(h.source.errs, h.made[0].digest)
			},
			end: verify.First, asked: 3, remembered: 4, whole: true,
		},
		"nothing of a run with an error": {
			before: func(t *testing.T, h *history) {
				h.v.NeedsCertificate = true
				h.verify(t, h.made[2])
				h.v.NeedsCertificate = false
			},
			end: verify.First, asked: 3, remembered: 4, whole: true,
		},
		"nothing of nobody": {
			before: func(t *testing.T, h *history) {
				h.v.IdentityExpected = false
				h.verify(t, h.made[2])
				h.v.IdentityExpected = true
			},
			end: verify.First, asked: 3, remembered: 4, whole: true,
		},
		"what cannot be read": {
			between:    func(_ *testing.T, h *history) { h.v.Memory.(*head).err = verify.ErrUnavailable },
			advisories: []string{"MEMORY_UNREADABLE"}, end: verify.First, asked: 3, remembered: 3, whole: true,
		},
		"a remembered release whose key was revoked since": {
			between: func(_ *testing.T, h *history) { h.trust.revoked["old"] = true },
			before: func(t *testing.T, h *history) {
				old := sealtest.Key(t, keys.Ed25519, "old")
				h.trust.keys.Public = append(h.trust.keys.Public, old.Public().Seal())
				*h.last() = made{}
				h.made = h.made[:3]
				h.source.list = h.source.list[:3]
				h.release(t, nil, old)
				h.run(t)
				h.release(t, nil)
			},
			errors: []string{"SIGNATURE_KEY_REVOKED"}, asked: 1, remembered: 4, whole: true,
		},
		"a rollback, without a source": {
			between:    func(_ *testing.T, h *history) { h.v.Chain, h.made = nil, h.made[:2] },
			advisories: []string{"ROLLBACK"}, says: `an earlier run verified release "1.2.0"`, end: verify.Remembered, remembered: 3, whole: true,
		},
		"no link, though a release before was seen": {
			between: func(t *testing.T, h *history) { h.v.Chain = nil; h.add(t, h.next(t, nil)) },
			errors:  []string{"CHAIN_BROKEN"}, says: "names no predecessor, and is not the first: an earlier run verified", remembered: 3, whole: true,
		},
		"no link, and nobody ever saw a chain": {
			before:     func(t *testing.T, h *history) { h.v.Chain = nil; h.verify(t, h.made[2]) },
			between:    func(t *testing.T, h *history) { h.add(t, h.next(t, nil)) },
			advisories: []string{"CHAIN_ABSENT"}, says: "names no predecessor, and is not the first: an earlier run verified", remembered: 2,
		},
		"no link, though a release before was seen that the source hides": {
			between: func(t *testing.T, h *history) { h.source.list = nil; h.add(t, h.next(t, nil)) },
			errors:  []string{"CHAIN_BROKEN"}, says: "names no predecessor, and is not the first: an earlier run verified", end: verify.First, remembered: 3, whole: true,
		},
		"no link, though a release of another signer was seen": {
			between: func(t *testing.T, h *history) {
				h.v.Chain = nil
				k := sealtest.Key(t, keys.Ed25519, "new")
				h.trust.keys = sealtest.Keys(k)
				h.add(t, h.next(t, nil), k)
			},
			advisories: []string{"CHAIN_ABSENT"}, says: "signed by another", remembered: 4,
		},
		"a new chain, though a release before was seen": {
			between:    func(t *testing.T, h *history) { h.rerooted(t, "because") },
			advisories: []string{"CHAIN_REROOTED"}, end: verify.Rerooted, asked: 4, remembered: 4, whole: true,
		},
		"a fork whose other side was seen, and is shown no more": {
			between: func(t *testing.T, h *history) {
				h.source.remove(h.made[2].digest)
				h.source.remove(h.made[3].digest)
				h.add(t, h.next(t, &h.made[1]))
			},
			errors: []string{"CHAIN_FORK"}, says: "passes over a release: an earlier run verified", end: verify.Remembered, asked: 1, remembered: 3, whole: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, 4)
			memory := newHead()
			h.v.Memory = memory
			if tt.before == nil {
				tt.before = func(t *testing.T, h *history) { h.verify(t, h.made[2]) }
			}
			tt.before(t, h)
			if tt.between != nil {
				tt.between(t, h)
			}
			h.source.asked = nil
			r := h.run(t)
			compare(t, "errors", tt.errors, names(r.Errors))
			compare(t, "advisories", tt.advisories, telling(names(r.Advisories)))
			said := append(slices.Clone(r.Errors), slices.DeleteFunc(slices.Clone(r.Advisories), func(f verify.Finding) bool { return slices.Contains(noise, f.Name) })...)
			if tt.says != "" && (len(said) == 0 || !strings.Contains(said[0].Message, tt.says)) {
				t.Errorf("got %+v, want %q in the first", said, tt.says)
			}
			if got := len(h.source.asked); got != tt.asked {
				t.Errorf("the source was asked %d times, want %d", got, tt.asked)
			}
			if got := len(memory.seen); got != tt.remembered {
				t.Errorf("%d releases are remembered, want %d", got, tt.remembered)
			}
			for _, s := range memory.seen {
				if s.Chain != tt.whole && tt.whole {
					t.Errorf("%+v: want its chain verified", s)
				}
			}
			if r.Chain != nil && r.Chain.VerifiedTo != tt.end {
				t.Errorf("verified to %q, want %q", r.Chain.VerifiedTo, tt.end)
			}
		})
	}
}

// TestRemembered: what is kept of a release.
func TestRemembered(t *testing.T) {
	h := newHistory(t, 2)
	memory := newHead()
	h.v.Memory = memory
	h.run(t)
	for _, m := range h.made {
		s := memory.seen[m.digest]
		want := verify.Seen{Digest: m.digest, IssuedAt: m.manifest.IssuedAt, Version: lineage.VersionOf(m.manifest), Origin: s.Origin, Chain: true}
		if !cmp.Equal(s, want) || !strings.Contains(s.Origin, h.key.Public().Seal().Thumbprint) {
			t.Errorf("got %+v, want %+v of a key", s, want)
		}
	}
	j := h.job(t, nil)
	last := h.release(t, nil, j)
	h.run(t)
	if o := memory.seen[last.digest].Origin; !strings.Contains(o, seal.GitHubIssuer) || !strings.Contains(o, `"1001" "77"`) {
		t.Errorf("got origin %q, want issuer, repository and ids", o)
	}
}
