package verify_test

import (
	"slices"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// TestChainSigners: who may have signed the releases of a chain.
func TestChainSigners(t *testing.T) {
	runChains(t, map[string]chainCase{
		"signed by another identity": {
			change: func(t *testing.T, h *history) {
				j := h.job(t, nil)
				h.trust.stranger[j.KeyID()] = true
				h.release(t, nil, j)
				h.release(t, nil)
			},
			errors: []string{"CHAIN_PUBLISHER_CHANGED"}, says: "signed by", valid: "false",
		},
		"signed by another key": {
			change: func(t *testing.T, h *history) {
				k := stranger(t)
				h.trust.keys.Public = append(h.trust.keys.Public, k.Public().Seal())
				h.release(t, nil, k)
			},
			advisories: []string{"CHAIN_SIGNER_CHANGED"}, says: `key "`, end: verify.First,
		},
		"signed by another key, and by the old one too": {
			change: func(t *testing.T, h *history) {
				k := stranger(t)
				h.trust.keys.Public = append(h.trust.keys.Public, k.Public().Seal())
				h.release(t, nil, k, h.key)
				h.release(t, nil, k)
			},
			end: verify.First, length: 6,
		},
		"a key that is not known any more": {
			change: func(t *testing.T, h *history) {
				h.release(t, nil, stranger(t))
				h.release(t, nil)
			},
			advisories: []string{"ANCESTOR_UNVERIFIED"}, says: "vouches for its content", end: verify.First, length: 6,
		},
		"a key that is revoked": {
			change: func(t *testing.T, h *history) {
				k := stranger(t)
				h.trust.revoked["other"] = true
				h.release(t, nil, k)
				h.release(t, nil)
			},
			errors: []string{"SIGNATURE_KEY_REVOKED"}, says: "revoked", valid: "false",
		},
		"a signature that does not hold": {
			change: func(t *testing.T, h *history) {
				e := *h.made[1].envelope
				e.Signatures = slices.Clone(e.Signatures)
				e.Signatures[0].Sig = make([]byte, 64)
				h.source.envelopes[h.made[1].digest] = sealtest.Marshal(t, &e)
			},
			errors: []string{"SIGNATURE_INVALID"}, valid: "false",
		},
		"a junk signature beside the publisher's": {
			change: func(t *testing.T, h *history) {
				e := *h.made[1].envelope
				junk := e.Signatures[0]
				junk.Sig = make([]byte, 64)
				e.Signatures = append(slices.Clone(e.Signatures), junk)
				h.source.envelopes[h.made[1].digest] = sealtest.Marshal(t, &e)
			},
			end: verify.First, length: 4,
		},
		"another workflow": {
			change: func(t *testing.T, h *history) {
				h.release(t, nil, h.job(t, nil))
				h.release(t, nil, h.job(t, nil)) // another tag of the same workflow
				h.release(t, nil, h.job(t, func(c *seal.Certificate) {
					c.BuildSignerURI = c.SourceRepositoryURI + "/.github/workflows/other.yml@refs/tags/v9"
				}))
			},
			advisories: []string{"CHAIN_SIGNER_CHANGED", "CHAIN_SIGNER_CHANGED"}, says: "other.yml", end: verify.First, length: 7,
		},
		"a repository's name registered anew": {
			change: func(t *testing.T, h *history) {
				h.release(t, nil, h.job(t, nil))
				h.release(t, nil, h.job(t, func(c *seal.Certificate) { c.SourceRepositoryID = "2002" }))
			},
			errors: []string{"CHAIN_PUBLISHER_CHANGED"}, advisories: []string{"CHAIN_SIGNER_CHANGED"}, says: "registered anew", valid: "false", end: verify.First,
		},
		"an owner's name registered anew, with a key's release between": {
			change: func(t *testing.T, h *history) {
				h.release(t, nil, h.job(t, func(c *seal.Certificate) { c.SourceOwnerID = "1" }))
				h.release(t, nil)
				h.release(t, nil, h.job(t, nil))
			},
			errors: []string{"CHAIN_PUBLISHER_CHANGED"}, advisories: []string{"CHAIN_SIGNER_CHANGED", "CHAIN_SIGNER_CHANGED", "CHAIN_SIGNER_CHANGED"}, says: "owner id", valid: "false", end: verify.First,
		},
		"another issuer": {
			change: func(t *testing.T, h *history) {
				h.release(t, nil, h.job(t, func(c *seal.Certificate) { c.Issuer = seal.GitLabIssuer }))
				h.release(t, nil, h.job(t, nil))
			},
			errors: []string{"CHAIN_PUBLISHER_CHANGED"}, advisories: []string{"CHAIN_SIGNER_CHANGED"}, says: "issuer", valid: "false", end: verify.First,
		},
		"another namespace": {
			change: func(t *testing.T, h *history) {
				h.release(t, func(m *seal.Manifest) { m.Server.Publisher.Namespace = "io.github.other" })
				h.release(t, nil)
			},
			errors: []string{"CHAIN_PUBLISHER_CHANGED", "CHAIN_PUBLISHER_CHANGED"}, says: "namespace", valid: "false", end: verify.First,
		},
		"another server": {
			change: func(t *testing.T, h *history) {
				*h = *newHistory(t, 0)
				h.release(t, func(m *seal.Manifest) { m.Server.Name = "acme-mail-tools" })
				h.release(t, nil)
			},
			errors: []string{"CHAIN_PUBLISHER_CHANGED"}, says: "server.name", valid: "false", end: verify.First,
		},
		"another source repository": {
			change: func(t *testing.T, h *history) {
				*h = *newHistory(t, 0)
				h.release(t, func(m *seal.Manifest) {
					for i := range m.Tools {
						m.Tools[i].Provenance.SourceRepo = "https://github.com/acme/other"
					}
				})
				h.release(t, nil)
			},
			errors: []string{"CHAIN_PUBLISHER_CHANGED"}, says: "source_repo", valid: "false", end: verify.First,
		},
	})
}
