package verify_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// noise are advisories of every scene here, which has no artifact at hand.
var noise = []string{"ARTIFACT_UNVERIFIABLE", "LEVEL_BELOW_POLICY"}

func telling(all []string) []string {
	var rest []string
	for _, s := range all {
		if !slices.Contains(noise, s) {
			rest = append(rest, s)
		}
	}
	return rest
}

func chainValid(r *verify.Result) string {
	text := ""
	for _, t := range r.Results {
		s := "null"
		if t.ChainValid != nil {
			s = map[bool]string{true: "true", false: "false"}[*t.ChainValid]
		}
		if text != "" && text != s {
			return "mixed"
		}
		text = s
	}
	return text
}

// chainCase is a history of four releases with something changed, and what is said
// of the newest.
type chainCase struct {
	change     func(t *testing.T, h *history)
	errors     []string
	advisories []string
	says       string // in the first error, or else the first telling advisory
	valid      string // chain_valid; "" is "true"
	end        verify.ChainEnd
	length     int // 0: not compared
	outcome    seal.Outcome
}

// TestChain: what is wrong with a chain, by its name. The change is made to a
// history of four releases, of which the newest is verified.
func TestChain(t *testing.T) {
	egress := func(m *seal.Manifest) {
		m.Tools[0].SideEffects.NetworkEgress = true
		m.Tools[0].SideEffects.NetworkEndpoints = []string{"evil.example"}
	}
	runChains(t, map[string]chainCase{
		"to the first": {end: verify.First, length: 4},
		"a first release": {
			change: func(t *testing.T, h *history) { *h = *newHistory(t, 1) },
			end:    verify.First, length: 1, valid: "null",
		},
		"a first release that says so": {
			change: func(t *testing.T, h *history) {
				*h = *newHistory(t, 0)
				m := h.next(t, nil)
				m.Tools[0].Lineage = &seal.Lineage{}
				h.add(t, m)
			},
			end: verify.First, length: 1, valid: "null",
		},

		// the links
		"a link replaced": {
			change: func(t *testing.T, h *history) {
				h.source.envelopes[h.made[1].digest] = sealtest.Marshal(t, h.made[0].envelope)
			},
			errors: []string{"CHAIN_BROKEN"}, says: "it was replaced", valid: "false", length: 2,
		},
		"a link replaced by the publisher's own later words": {
			change: func(t *testing.T, h *history) {
				m := *h.made[1].manifest
				m.Server.Publisher.URL = "https://acme.example"
				h.source.envelopes[h.made[1].digest] = sealtest.Marshal(t, sealtest.Seal(t, &m, h.key))
			},
			errors: []string{"CHAIN_BROKEN"}, says: "it was replaced", valid: "false",
		},
		"a link replaced by garbage": {
			change: func(_ *testing.T, h *history) { h.source.envelopes[h.made[1].digest] = []byte("<html>") },
			errors: []string{"CHAIN_BROKEN"}, says: "is no sealed manifest", valid: "false",
		},
		"a link replaced by nothing": {
			change: func(_ *testing.T, h *history) { h.source.envelopes[h.made[1].digest] = nil },
			errors: []string{"CHAIN_BROKEN"}, says: "is no sealed manifest", valid: "false",
		},
		"a link removed, and older ones left": {
			change: func(_ *testing.T, h *history) { h.source.remove(h.made[1].digest) },
			errors: []string{"CHAIN_BROKEN"}, advisories: []string{"CHAIN_UNAVAILABLE"}, says: "which was removed", valid: "false",
		},
		"the oldest links removed": {
			change:     func(_ *testing.T, h *history) { h.source.remove(h.made[0].digest); h.source.remove(h.made[1].digest) },
			advisories: []string{"CHAIN_UNAVAILABLE"}, says: "there is no such release", valid: "null", length: 2,
		},
		"all links removed by a source that the caller named": {
			change: func(_ *testing.T, h *history) {
				h.v.ChainAsked = true
				for _, m := range h.made {
					h.source.remove(m.digest)
				}
			},
			advisories: []string{"CHAIN_UNAVAILABLE"}, valid: "null", length: 1, outcome: seal.Undecided,
		},
		"a link jumped by the publisher": {
			change: func(t *testing.T, h *history) {
				m := h.next(t, &h.made[2]) // 1.3.0 stands, and nothing leads to it
				h.add(t, m)
			},
			errors: []string{"CHAIN_FORK"}, says: `two successors: "1.4.0"`, valid: "false", end: verify.First,
		},
		"a link inserted": {
			change: func(t *testing.T, h *history) {
				m := h.next(t, &h.made[0])
				m.IssuedAt = h.made[0].manifest.IssuedAt
				setVersion(m, "1.0.1")
				e := sealtest.Seal(t, m, h.key)
				h.source.put(t, e)
			},
			errors: []string{"CHAIN_FORK"}, says: `"1.0.1"`, valid: "false", end: verify.First,
		},
		"the manifest names another version": {
			change: func(t *testing.T, h *history) {
				m := h.next(t, &h.made[3])
				relink(m, lineage.Link{PreviousVersion: "1.2.0", Digest: h.made[3].digest})
				h.add(t, m)
			},
			errors: []string{"CHAIN_BROKEN"}, says: `previous_version: got "1.2.0", want "1.3.0"`, valid: "false", end: verify.First,
		},
		"two tools name different predecessors": {
			change: func(t *testing.T, h *history) {
				m := h.next(t, &h.made[3])
				m.Tools[1].Lineage = lineage.Link{PreviousVersion: "1.2.0", Digest: h.made[2].digest}.Lineage(nil)
				h.add(t, m)
			},
			errors: []string{"CHAIN_BROKEN"}, says: "do not name one predecessor", valid: "false", length: -1,
		},
		"two tools of an ancestor name different predecessors": {
			change: func(t *testing.T, h *history) {
				m := h.next(t, &h.made[3])
				m.Tools[1].Lineage = lineage.Link{PreviousVersion: "1.2.0", Digest: h.made[2].digest}.Lineage(nil)
				h.add(t, m)
				h.release(t, nil)
			},
			errors: []string{"CHAIN_BROKEN"}, says: "do not name one predecessor", valid: "false", length: 1,
		},
		"a tool without a link, which is as it was": {
			change: func(t *testing.T, h *history) {
				m := h.next(t, &h.made[3])
				m.Tools[0].Lineage = nil
				h.add(t, m)
				h.release(t, nil)
			},
			end: verify.First, length: 6,
		},
		"a tool without a link, which is new": {
			change: func(t *testing.T, h *history) {
				h.live.Tools = append(slices.Clone(h.live.Tools), sealtest.Tool(t, `{"name":"new","inputSchema":{"type":"object"}}`))
				m := h.next(t, &h.made[3])
				m.Tools[2].Lineage = nil
				h.add(t, m)
			},
			end: verify.First, length: 5,
		},
		"a tool without a link, which changed": {
			change: func(t *testing.T, h *history) {
				m := h.next(t, &h.made[3])
				m.Tools[1].Lineage = nil
				m.Tools[1].SideEffects.PersistsData = true
				h.add(t, m)
			},
			errors: []string{"CHANGES_UNDERSTATED"}, advisories: []string{"SIDE_EFFECTS_EXPANDED"}, says: "side_effects_changed", valid: "false", end: verify.First,
		},
		"a version and no digest": {
			change: func(t *testing.T, h *history) {
				m := h.next(t, &h.made[3])
				for i := range m.Tools {
					m.Tools[i].Lineage.PreviousManifestDigest = ""
				}
				h.add(t, m)
			},
			errors: []string{"CHAIN_BROKEN"}, says: "no previous_manifest_digest", valid: "false", length: -1,
		},
		"a link in sha512": {
			change: func(t *testing.T, h *history) {
				m := h.next(t, &h.made[3])
				e := h.made[3].envelope
				d := e.PayloadDigest(digest.SHA512)
				relink(m, lineage.Link{PreviousVersion: "1.3.0", Digest: d})
				h.source.envelopes[d] = sealtest.Marshal(t, e)
				h.add(t, m)
			},
			end: verify.First, length: 5,
		},
		"a link in sha512, which the source cannot look up": {
			change: func(t *testing.T, h *history) {
				m := h.next(t, &h.made[3])
				relink(m, lineage.Link{PreviousVersion: "1.3.0", Digest: h.made[3].envelope.PayloadDigest(digest.SHA512)})
				h.add(t, m)
			},
			advisories: []string{"CHAIN_UNAVAILABLE"}, valid: "null", length: 1,
		},
		"a source that does not answer": {
			change:     func(_ *testing.T, h *history) { h.source.errs[h.made[1].digest] = verify.ErrUnavailable },
			advisories: []string{"CHAIN_UNAVAILABLE"}, valid: "null", length: 2,
		},

		// no link
		"no link, and a release before": {
			change: func(t *testing.T, h *history) { h.add(t, h.next(t, nil)) },
			errors: []string{"CHAIN_BROKEN"}, says: `names no predecessor, and is not the first: the source also shows release "1.3.0"`, valid: "false", end: verify.First,
		},
		"no link in the middle, and a release before": {
			change: func(t *testing.T, h *history) {
				h.add(t, h.next(t, nil))
				h.release(t, nil)
				h.source.remove(h.made[0].digest)
				h.source.remove(h.made[1].digest)
				h.source.remove(h.made[2].digest)
			},
			errors: []string{"CHAIN_BROKEN"}, says: `release "1.4.0"`, valid: "false", end: verify.First,
		},
		"no link, and a stranger's release before": {
			change: func(t *testing.T, h *history) {
				*h = *newHistory(t, 0)
				h.add(t, h.next(t, nil), stranger(t))
				h.add(t, h.next(t, nil))
			},
			advisories: []string{"CHAIN_ABSENT"}, says: "by keys that are not known here", valid: "null", end: verify.First, length: 1,
		},
		"no link, and another server's release before": {
			change: func(t *testing.T, h *history) {
				*h = *newHistory(t, 0)
				m := h.next(t, nil)
				m.Server.Name = "acme-mail-tools"
				h.add(t, m)
				h.add(t, h.next(t, nil))
			},
			valid: "null", end: verify.First, length: 1,
		},
		"a new chain, with a reason": {
			change:     func(t *testing.T, h *history) { h.rerooted(t, "1.3.0 was sealed by mistake") },
			advisories: []string{"CHAIN_REROOTED"}, says: "1.3.0 was sealed by mistake", valid: "null", end: verify.Rerooted, length: 1,
		},
		"a new chain some time ago": {
			change:     func(t *testing.T, h *history) { h.rerooted(t, "key lost"); h.release(t, nil) },
			advisories: []string{"CHAIN_REROOTED"}, says: `release "1.4.0"`, end: verify.Rerooted, length: 2,
		},

		// order
		"issued before its predecessor": {
			change: func(t *testing.T, h *history) {
				h.release(t, func(m *seal.Manifest) { m.IssuedAt = h.made[1].manifest.IssuedAt })
			},
			errors: []string{"CHAIN_ORDER"}, says: "issued later", valid: "false", end: verify.First,
		},
		"issued in the same second": {
			change: func(t *testing.T, h *history) {
				h.release(t, func(m *seal.Manifest) { m.IssuedAt = h.last().manifest.IssuedAt })
			},
			end: verify.First, length: 5,
		},
		"an older version": {
			change: func(t *testing.T, h *history) {
				h.release(t, func(m *seal.Manifest) { setVersion(m, "1.2.9") })
			},
			errors: []string{"CHAIN_ORDER"}, says: `got "1.2.9", want one after "1.3.0"`, valid: "false", end: verify.First,
		},
		"the same version again": {
			change: func(t *testing.T, h *history) {
				h.release(t, func(m *seal.Manifest) { setVersion(m, "1.3.0") })
			},
			errors: []string{"CHAIN_ORDER"}, says: "released already", valid: "false", end: verify.First,
		},
		"a server that never changes its version": {
			change: func(t *testing.T, h *history) {
				*h = *newHistory(t, 0)
				for range 2 {
					h.release(t, func(m *seal.Manifest) {
						setVersion(m, "0.2.0")
						m.Tools[0].Artifact, m.Tools[1].Artifact = nil, nil
					})
				}
			},
			advisories: []string{"CHAIN_ORDER"}, says: `server.version is "0.2.0" in both`, end: verify.First,
		},

		// what changed
		"egress gained, and said so": {
			change: func(t *testing.T, h *history) {
				h.release(t, func(m *seal.Manifest) { setVersion(m, "1.3.1"); egress(m) })
			},
			advisories: []string{"SIDE_EFFECTS_EXPANDED"}, says: `tool "tool0" declares network egress to "evil.example": from "1.3.0" to "1.3.1" (step: patch)`, end: verify.First,
		},
		"egress gained some releases ago, by a tool that is gone": {
			change: func(t *testing.T, h *history) {
				h.release(t, egress)
				h.live.Tools = h.live.Tools[1:]
				h.release(t, nil)
			},
			end: verify.First, length: 6,
		},
		"egress gained, and kept quiet": {
			change: func(t *testing.T, h *history) {
				m := h.next(t, &h.made[3])
				egress(m)
				h.add(t, m)
			},
			errors: []string{"CHANGES_UNDERSTATED"}, advisories: []string{"SIDE_EFFECTS_EXPANDED"}, says: "side_effects_changed", valid: "false", end: verify.First,
		},
		"egress by a new tool": {
			change: func(t *testing.T, h *history) {
				extra := sealtest.Tool(t, `{"name":"fetch","description":"Gets.","inputSchema":{"type":"object"}}`)
				h.live.Tools = append(slices.Clone(h.live.Tools), extra)
				h.release(t, func(m *seal.Manifest) {
					m.Tools[2].SideEffects.NetworkEgress = true
					m.Tools[2].SideEffects.NetworkEndpoints = []string{"api.example"}
				})
			},
			advisories: []string{"SIDE_EFFECTS_EXPANDED"}, says: `tool "fetch"`, end: verify.First,
		},
		"a change in an older link kept quiet": {
			change: func(t *testing.T, h *history) {
				m := h.next(t, &h.made[3])
				m.Tools[1].Capabilities = append(m.Tools[1].Capabilities, seal.Capability{Resource: "network", Actions: []string{"connect"}})
				h.add(t, m)
				h.release(t, func(m *seal.Manifest) { m.Tools[1].Capabilities = h.last().manifest.Tools[1].Capabilities })
			},
			errors: []string{"CHANGES_UNDERSTATED"}, says: `release "1.4.0"`, valid: "false", end: verify.First,
		},

		// beside the chain
		"a newer release": {
			change:     func(_ *testing.T, h *history) { h.made = h.made[:3] },
			advisories: []string{"ROLLBACK"}, says: `release "1.3.0"`, end: verify.First, length: 3,
		},
		"a newer release, issued in the same second": {
			change: func(t *testing.T, h *history) {
				h.release(t, func(m *seal.Manifest) { m.IssuedAt = h.last().manifest.IssuedAt })
				h.made = h.made[:4]
			},
			advisories: []string{"ROLLBACK"}, says: `release "1.4.0"`, end: verify.First, length: 4,
		},
		"a link and a new chain at once": {
			change: func(t *testing.T, h *history) {
				m := h.next(t, &h.made[3])
				s := sealtest.Statement()
				s.Reroot = "so that nobody looks further"
				payload, err := seal.MarshalManifest(m)
				if err != nil {
					t.Fatal(err)
				}
				e := seal.NewEnvelope(payload)
				if err := e.Attest(h.key, s); err != nil {
					t.Fatal(err)
				}
				h.made = append(h.made, made{m, e, h.source.put(t, e)})
			},
			end: verify.First, length: 5,
		},
		"a stranger's fork": {
			change: func(t *testing.T, h *history) {
				h.source.put(t, sealtest.Seal(t, h.next(t, &h.made[1]), stranger(t)))
				h.source.put(t, sealtest.Seal(t, h.next(t, &h.made[3]), stranger(t)))
			},
			end: verify.First, length: 4,
		},
		"a fork for another server": {
			change: func(t *testing.T, h *history) {
				m := h.next(t, &h.made[1])
				m.Server.Name = "other"
				h.source.put(t, sealtest.Seal(t, m, h.key))
			},
			end: verify.First, length: 4,
		},
		"a fork after the manifest": {
			change: func(t *testing.T, h *history) {
				h.made = h.made[:3]
				m := h.next(t, &h.made[2])
				setVersion(m, "1.3.0-evil")
				h.source.put(t, sealtest.Seal(t, m, h.key))
			},
			errors: []string{"CHAIN_FORK"}, advisories: []string{"ROLLBACK"}, says: `"1.3.0-evil"`, valid: "false", end: verify.First,
		},
		"a list that ends early": {
			change:     func(_ *testing.T, h *history) { h.source.listErr = verify.ErrUnavailable },
			advisories: []string{"CHAIN_UNAVAILABLE"}, says: "ended early", end: verify.First, length: 4,
		},
		"a list of nonsense": {
			change: func(_ *testing.T, h *history) {
				h.source.list = append(h.source.list, "", "sha256:", "x", digest.FromString("gone"), digest.SHA512.FromString("x"), h.made[0].digest)
				d := digest.FromString("garbage")
				h.source.list, h.source.envelopes[d] = append(h.source.list, d), []byte("{}")
				d = digest.FromString("the wrong one")
				h.source.list, h.source.envelopes[d] = append(h.source.list, d), h.source.envelopes[h.made[0].digest]
			},
			end: verify.First, length: 4,
		},
	})
}

func stranger(t *testing.T) keys.PrivateKey { return sealtest.Key(t, keys.Ed25519, "other") }

func runChains(t *testing.T, cases map[string]chainCase) {
	t.Helper()
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, 4)
			if tt.change != nil {
				tt.change(t, h)
			}
			r := h.run(t)
			compare(t, "errors", tt.errors, names(r.Errors))
			compare(t, "advisories", tt.advisories, telling(names(r.Advisories)))
			said := r.Errors
			if len(said) == 0 {
				said = slices.DeleteFunc(slices.Clone(r.Advisories), func(f verify.Finding) bool { return slices.Contains(noise, f.Name) })
			}
			if tt.says != "" && (len(said) == 0 || !strings.Contains(said[0].Message, tt.says)) {
				t.Errorf("got %+v, want %q in the first", said, tt.says)
			}
			if tt.valid == "" {
				tt.valid = "true"
			}
			if got := chainValid(r); got != tt.valid {
				t.Errorf("chain_valid: got %s, want %s", got, tt.valid)
			}
			if tt.outcome != "" && r.Outcome != tt.outcome {
				t.Errorf("outcome: got %s, want %s", r.Outcome, tt.outcome)
			}
			if r.Chain == nil {
				if tt.length != -1 {
					t.Fatal("no chain in the result")
				}
				return
			}
			if r.Chain.VerifiedTo != tt.end || tt.length != 0 && r.Chain.Length != tt.length {
				t.Errorf("got a chain of %d to %q, want %d to %q", r.Chain.Length, r.Chain.VerifiedTo, tt.length, tt.end)
			}
		})
	}
}
