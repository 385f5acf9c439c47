package keyless_test

import (
	"crypto/elliptic"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/keyless/keylesstest"
	"github.com/mcp-integrity/seal-action/seal"
)

const (
	chain      = "verificationMaterial.x509CertificateChain.certificates"
	moduleFile = "slsa-verifier/MODULE.bazel.intoto.jsonl"
	lintFile   = "slsa-verifier/rules_lint-v1.3.1.tar.gz.intoto.jsonl"
	oldFile    = "sigstore-go/bundle-provenance.json" // v0.1, with a chain up to the root
)

// TestFaultsThatConformanceHides has what some cases of sigstore-conformance
// are named after and cannot show, as their files have a second fault. Here a
// good bundle has the one fault only.
func TestFaultsThatConformanceHides(t *testing.T) {
	real := func(name string) *document { return parsed(t, corpusBundle(t, name)) }
	for _, c := range []struct {
		name         string
		bundle, root *document
		want         verdict
	}{
		{"empty certificate chain", real(oldFile).set(chain, []any{}), nil,
			verdict{keyless.StageBundle, ""}},
		{"chain without the leaf", real(oldFile).set(chain, real(oldFile).get(chain).([]any)[1:]), nil,
			verdict{keyless.StageKey, "P-384"}},
		{"inclusion proof of another entry", real(moduleFile).take(proof, real(lintFile)), nil,
			verdict{keyless.StageLog, ""}},
		{"certificate issued after the authority's time", real(moduleFile), parsed(t, corpusFile(t, publicGood)).
			set("certificateAuthorities.1.validFor", map[string]any{"start": "2022-04-13T20:06:15Z", "end": "2025-01-01T00:00:00Z"}),
			verdict{keyless.StageCertificate, "leaf certificate"}},
		{"certificate issued before the authority's time", real(moduleFile), parsed(t, corpusFile(t, publicGood)).
			set("certificateAuthorities.1.validFor", map[string]any{"start": "2026-01-01T00:00:00Z"}),
			verdict{keyless.StageCertificate, "leaf certificate"}},
		{"certificate log that is not the root's", real(moduleFile), parsed(t, corpusFile(t, publicGood)).flip("ctlogs.1.logId.keyId"),
			verdict{keyless.StageSCT, "threshold of 1"}},
		{"certificate log whose time was over", real(moduleFile), parsed(t, corpusFile(t, publicGood)).
			set("ctlogs.1.publicKey.validFor", map[string]any{"start": "2022-10-20T00:00:00Z", "end": "2025-01-01T00:00:00Z"}),
			verdict{keyless.StageSCT, "threshold of 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			trust := keyless.Embedded(keyless.PublicGood)
			if c.root != nil {
				trust = trusting(t, c.root.bytes())
			}
			got, err := trust.Verify(c.bundle.bytes())
			c.want.check(t, got, err)
		})
	}
}

// TestTimestampBeyondTheCertificate is the case that line feeds hide.
func TestTimestampBeyondTheCertificate(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	key := newKey(t, elliptic.P256())
	leaf := s.Issue(&key.PublicKey)
	for later, want := range map[time.Duration]verdict{0: {}, time.Hour: {keyless.StageCertificate, "leaf certificate"}} {
		s.Clock = func() time.Time { return time.Now().Add(later) }
		got, err := trusting(t, s.TrustedRoot()).Verify(s.SignWith(t, key, leaf, seal.StatementPayloadType, statement).Bundle)
		want.check(t, got, err)
	}
}

// TestChainIsHearsay: old bundles bring their authorities along, up to the root.
// That is no reason to refuse them, and none to believe them.
func TestChainIsHearsay(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	root := parsed(t, s.TrustedRoot())
	b := parsed(t, s.Sign(t, statement).Bundle)
	all := append([]any{b.get("verificationMaterial.certificate")}, root.get("certificateAuthorities.0.certChain.certificates").([]any)...)
	b.set("verificationMaterial.certificate", nil).set("verificationMaterial.x509CertificateChain", map[string]any{"certificates": all})
	b.set("mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.2")
	if len(all) != 3 {
		t.Fatalf("a chain of %d certificates, want leaf, intermediate and root", len(all))
	}
	got, err := trusting(t, root.bytes()).Verify(b.bytes())
	verdict{}.check(t, got, err)
	got, err = keyless.Embedded(keyless.PublicGood).Verify(b.bytes())
	verdict{keyless.StageAuthority, "issued by"}.check(t, got, err)
}
