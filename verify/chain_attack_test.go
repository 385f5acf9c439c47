package verify_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

// pictured is a shelf that also has interface snapshots.
type pictured struct {
	*shelf
	snapshots map[digest.Digest][]byte
}

func (p pictured) ReleaseWithSnapshot(ctx context.Context, d digest.Digest) ([]byte, []byte, error) {
	data, err := p.Release(ctx, d)
	return data, p.snapshots[d], err
}

func snapshot(t testing.TB, tools ...fingerprint.Tool) []byte {
	t.Helper()
	data, err := (&fingerprint.Snapshot{Server: fingerprint.ServerInfo{Name: "acme-file-tools", Version: "1"}, Tools: tools}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestClasses: a tool breaks its callers, and calls that a bugfix.
func TestClasses(t *testing.T) {
	broken := sealtest.Tool(t, `{"name":"tool0","description":"Does 0 things.","inputSchema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]},"annotations":{"readOnlyHint":true},"outputSchema":{"type":"object"}}`)
	lie := func(m *seal.Manifest) {
		for i := range m.Tools[0].Lineage.Changes {
			m.Tools[0].Lineage.Changes[i].Type = "bugfix"
		}
	}
	for name, tt := range map[string]struct {
		honest bool
		change func(t *testing.T, h *history, p *pictured)
		want   []string
	}{
		"a lie in the newest":     {want: []string{"CHANGES_UNDERSTATED"}},
		"the truth in the newest": {honest: true},
		"a lie, and no snapshot":  {change: func(_ *testing.T, _ *history, p *pictured) { clear(p.snapshots) }},
		"a lie, and a snapshot of other tools": {change: func(t *testing.T, h *history, p *pictured) {
			p.snapshots[h.made[0].digest] = snapshot(t, h.live.Tools...)
		}},
		"a lie, and a snapshot with one tool less": {change: func(t *testing.T, h *history, p *pictured) {
			p.snapshots[h.made[0].digest] = snapshot(t, h.live.Tools[1])
		}},
		"a lie, and garbage for a snapshot": {change: func(_ *testing.T, h *history, p *pictured) { p.snapshots[h.made[0].digest] = []byte("{}") }},
		"a lie in an older one": {
			change: func(t *testing.T, h *history, p *pictured) {
				last := h.last().digest
				p.snapshots[last] = snapshot(t, h.live.Tools...)
				h.release(t, nil)
			},
			want: []string{"CHANGES_UNDERSTATED"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, 1)
			p := &pictured{shelf: h.source, snapshots: map[digest.Digest][]byte{h.made[0].digest: snapshot(t, h.live.Tools...)}}
			h.v.Chain = p
			older := lineage.Side{Manifest: h.made[0].manifest, Tools: h.live.Tools}
			h.live.Tools = slices.Clone(h.live.Tools)
			h.live.Tools[0] = broken
			m := h.next(t, &h.made[0])
			if tt.honest {
				entries := lineage.Entries(lineage.Classify(older, lineage.Side{Manifest: m, Tools: h.live.Tools}), older.Manifest, m, nil)
				for i := range m.Tools {
					m.Tools[i].Lineage.Changes = entries[m.Tools[i].Name]
				}
			} else {
				lie(m)
			}
			h.add(t, m)
			if tt.change != nil {
				tt.change(t, h, p)
			}
			r := h.run(t)
			compare(t, "errors", tt.want, names(r.Errors))
			// What cannot be recomputed is told.
			told := slices.ContainsFunc(r.Skipped, func(s verify.Skip) bool { return s.Check == "change classes" })
			if unseen := !tt.honest && len(tt.want) == 0; told != unseen {
				t.Errorf("skipped %+v, want a skipped check of classes: %v", r.Skipped, unseen)
			}
			if len(tt.want) > 0 && !strings.Contains(r.Errors[0].Message, "want breaking") {
				t.Errorf("got %q, want the class", r.Errors[0].Message)
			}
		})
	}
}

// TestAStrangerCannotBreakAChain: whatever lies beside it on an open shelf.
func TestAStrangerCannotBreakAChain(t *testing.T) {
	stranger := sealtest.Key(t, keys.Ed25519, "acme-2026") // the same keyid
	for name, put := range map[string]func(t *testing.T, h *history){
		"a first release before the first": func(t *testing.T, h *history) {
			m := h.next(t, nil)
			m.IssuedAt = seal.NewTimestamp(sealtest.Time.AddDate(-1, 0, 0))
			h.source.put(t, sealtest.Seal(t, m, stranger))
		},
		"a fork of every release": func(t *testing.T, h *history) {
			for i := range h.made {
				h.source.put(t, sealtest.Seal(t, h.next(t, &h.made[i]), stranger))
			}
		},
		"a newer release": func(t *testing.T, h *history) {
			h.source.put(t, sealtest.Seal(t, h.next(t, &h.made[2]), stranger))
		},
		"an expected release of another server": func(t *testing.T, h *history) {
			m := h.next(t, &h.made[0])
			m.Server.Name = "other"
			h.source.put(t, sealtest.Seal(t, m, h.key))
		},
		"a certificate of nobody": func(t *testing.T, h *history) {
			j := h.job(t, nil)
			h.trust.stranger[j.KeyID()] = true
			h.source.put(t, sealtest.Seal(t, h.next(t, &h.made[0]), j))
		},
		"a real release with a stranger's signature before the publisher's": func(t *testing.T, h *history) {
			e := *h.made[1].envelope
			e.Signatures = append(slices.Clone(sealtest.Seal(t, h.made[1].manifest, stranger).Signatures), e.Signatures...)
			h.source.envelopes[h.made[1].digest] = sealtest.Marshal(t, &e)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, 3)
			want := h.run(t)
			put(t, h)
			if diff := cmp.Diff(want, h.run(t)); diff != "" {
				t.Errorf("(-without +with):\n%s", diff)
			}
		})
	}
}

// TestTheSameVerdictEveryTime: however the goroutines run.
func TestTheSameVerdictEveryTime(t *testing.T) {
	h := newHistory(t, 12)
	for i, change := range []func(m *seal.Manifest){
		func(m *seal.Manifest) { m.Tools[0].SideEffects.Writes = []string{"filesystem"} },
		func(m *seal.Manifest) { setVersion(m, "1.2.0") },
		func(m *seal.Manifest) { m.Tools[1].SideEffects.ExecutesCode = true },
	} {
		m := h.next(t, h.last())
		change(m)
		h.add(t, m)
		h.add(t, h.next(t, &h.made[i]))
		h.made = slices.Delete(h.made, len(h.made)-1, len(h.made))
	}
	want := h.run(t)
	if len(want.Errors) < 6 {
		t.Fatalf("got %d errors: too few to say anything of their order", len(want.Errors))
	}
	for range 10 {
		slices.Reverse(h.source.list)
		if diff := cmp.Diff(want, h.run(t)); diff != "" {
			t.Fatalf("(-first +later):\n%s", diff)
		}
	}
}

// TestTheWalkEnds: with its context, and without a verdict on the chain.
func TestTheWalkEnds(t *testing.T) {
	h := newHistory(t, 5)
	ctx, cancel := context.WithCancel(t.Context())
	h.v.Chain, h.v.Server = &stopping{shelf: h.source, after: 2, cancel: cancel}, nil
	r := h.v.Verify(ctx, sealtest.Marshal(t, h.last().envelope))
	if chainValid(r) != "null" || len(r.Errors) > 0 || r.Chain.VerifiedTo != "" {
		t.Errorf("got %+v with %+v, want nothing verified, and nothing wrong", r.Chain, r.Errors)
	}
	compare(t, "advisories", []string{"CHAIN_UNAVAILABLE"}, telling(slices.DeleteFunc(names(r.Advisories), func(s string) bool { return s == "NOT_OBSERVED" })))
}

type stopping struct {
	*shelf
	after  int
	cancel func()
}

func (s *stopping) Release(ctx context.Context, d digest.Digest) ([]byte, error) {
	if s.after--; s.after == 0 {
		s.cancel()
	}
	return s.shelf.Release(ctx, d)
}

// TestAnExpiredAncestor: its attestation was in force when it was released.
func TestAnExpiredAncestor(t *testing.T) {
	h := newHistory(t, 1)
	m := h.next(t, &h.made[0])
	payload, err := seal.MarshalManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	e, s := seal.NewEnvelope(payload), sealtest.Statement()
	expires := seal.NewTimestamp(sealtest.Time.AddDate(0, 1, 0))
	s.ExpiresAt = &expires
	if err := e.Attest(h.key, s); err != nil {
		t.Fatal(err)
	}
	h.made = append(h.made, made{m, e, h.source.put(t, e)})
	compare(t, "errors of the newest", []string{"SIGNATURE_EXPIRED"}, names(h.run(t).Errors))
	h.release(t, nil)
	if r := h.run(t); len(r.Errors) > 0 || r.Chain.VerifiedTo != verify.First {
		t.Errorf("got %+v and %+v, want a whole chain", r.Chain, r.Errors)
	}
}

// TestAncestors: who pins the tag of this release does not pin that of another.
func TestAncestors(t *testing.T) {
	h := newHistory(t, 0)
	h.release(t, nil, h.job(t, nil))
	last := h.job(t, nil)
	h.release(t, nil, last)
	h.v.Keys = pinned{h.trust, last.KeyID()}
	if r := h.run(t); len(r.Errors) != 1 || r.Errors[0].Code != seal.CodeChainPublisherChanged || chainValid(r) != "false" {
		t.Errorf("got %+v, want another identity", r.Errors)
	}
	h.v.Ancestors = h.trust
	if r := h.run(t); len(r.Errors) > 0 || r.Chain.VerifiedTo != verify.First {
		t.Errorf("got %+v with %+v, want a whole chain", r.Chain, r.Errors)
	}
}

// pinned is an authenticator that accepts one key alone, as one that expects an
// identity does.
type pinned struct {
	*trust
	keyID string
}

func (p pinned) Authenticate(ctx context.Context, s seal.Signature, message []byte) (seal.Authenticated, error) {
	if s.KeyID != p.keyID {
		return seal.Authenticated{}, &seal.Error{Code: seal.CodeIdentityMismatch, Err: errors.New("ref: got another")}
	}
	return p.trust.Authenticate(ctx, s, message)
}

// TestManyFindings: what is wrong in every link is said a few times, and counted.
func TestManyFindings(t *testing.T) {
	h := newHistory(t, 1)
	for range 30 {
		h.release(t, func(m *seal.Manifest) { setVersion(m, "1.0.0") })
	}
	r := h.run(t)
	if n := len(r.Errors); n != 20 {
		t.Errorf("got %d errors, want 20", n)
	}
	if !slices.ContainsFunc(r.Skipped, func(s verify.Skip) bool { return strings.Contains(s.Reason, "10 more findings like the CHAIN_ORDER") }) {
		t.Errorf("got %+v, want the others counted", r.Skipped)
	}
	if n := len(r.Chain.Releases); n != 10 || r.Chain.Length != 31 || r.Chain.Releases[0].Digest != h.last().digest {
		t.Errorf("got %d of %d releases, want the nearest 10 of 31", n, r.Chain.Length)
	}
}

// TestLevel2NeedsTheChain: a blocking policy that it keeps from deciding.
func TestLevel2NeedsTheChain(t *testing.T) {
	registry := sealtest.Key(t, keys.Ed25519, "registry")
	for name, tt := range map[string]struct {
		change func(h *history)
		want   seal.Outcome
		level  int
	}{
		"to the first":     {want: seal.Pass, level: 2},
		"no source":        {change: func(h *history) { h.v.Chain = nil }, want: seal.Undecided, level: 1},
		"out of reach":     {change: func(h *history) { h.source.errs[h.made[0].digest] = verify.ErrUnavailable }, want: seal.Undecided, level: 1},
		"pruned":           {change: func(h *history) { h.source.remove(h.made[0].digest) }, want: seal.Undecided, level: 1},
		"broken":           {change: func(h *history) { h.source.envelopes[h.made[0].digest] = []byte("{}") }, want: seal.Fail},
		"an unknown error": {change: func(h *history) { h.source.errs[h.made[0].digest] = errors.New("?") }, want: seal.Undecided, level: 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, 1)
			whole := func(m *seal.Manifest) {
				for i := range m.Tools {
					p := m.Tools[i].Provenance
					p.BuildSystem, p.BuilderID, p.BuildTimestamp = "github-actions", "https://github.com/actions/runner/github-hosted", &m.IssuedAt
				}
			}
			last := h.release(t, whole)
			s := sealtest.Statement()
			s.Role, s.Type = seal.RoleRegistry, "namespace_verified"
			if err := last.envelope.Attest(registry, s); err != nil {
				t.Fatal(err)
			}
			h.v.Keys = roles{h.trust, sealtest.Keys(registry)}
			d := digest.FromString(lineage.VersionOf(last.manifest))
			h.v.Artifacts = files{have: []verify.ObservedArtifact{{Ref: "a.tgz", Digests: []digest.Digest{d}, RanIt: true}}}
			p, err := seal.ParsePolicy("block_below_level_2")
			if err != nil {
				t.Fatal(err)
			}
			h.v.Policy = p
			if tt.change != nil {
				tt.change(h)
			}
			if r := h.run(t); r.Outcome != tt.want || r.TrustLevel != tt.level {
				t.Errorf("got %s at level %d, want %s at level %d\n%+v", r.Outcome, r.TrustLevel, tt.want, tt.level, r.Missing)
			}
		})
	}
}

// roles is an authenticator that knows a registry, too.
type roles struct {
	publisher seal.Authenticator
	registry  seal.Keys
}

func (r roles) Authenticate(ctx context.Context, s seal.Signature, message []byte) (seal.Authenticated, error) {
	if s.KeyID == "registry" {
		r.registry.Roles = []seal.Role{seal.RoleRegistry}
		return r.registry.Authenticate(ctx, s, message)
	}
	return r.publisher.Authenticate(ctx, s, message)
}
