package keyless_test

import (
	"crypto/elliptic"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/keyless/keylesstest"
	"github.com/mcp-integrity/seal-action/seal"
)

// Paths into bundles and roots.
const (
	entries     = "verificationMaterial.tlogEntries"
	entry       = entries + ".0"
	proof       = entry + ".inclusionProof"
	stamps      = "verificationMaterial.timestampVerificationData"
	stamp       = stamps + ".rfc3161Timestamps.0.signedTimestamp"
	certificate = "verificationMaterial.certificate.rawBytes"
	signatures  = "dsseEnvelope.signatures"
	long        = "2020-01-01T00:00:00Z"
	longer      = "2021-01-01T00:00:00Z"
)

// outcome is how a bundle is refused, or "" where it passes.
type outcome struct {
	stage keyless.Stage
	text  string
}

var passes = outcome{}

func (o outcome) check(t *testing.T, err error) {
	t.Helper()
	switch {
	case o != passes:
		wantStage(t, err, o.stage, o.text)
	case err != nil:
		t.Errorf("refused: %v", err)
	}
}

// TestStages changes one thing at a time, with each version of the log.
func TestStages(t *testing.T) {
	log := func(text string) outcome { return outcome{keyless.StageLog, text} }
	for _, c := range []struct {
		name   string
		change func(b, other, trusted *document)
		v2, v1 outcome
	}{
		{"nothing", func(b, _, _ *document) {}, passes, passes},
		{"payload", func(b, other, _ *document) { b.take("dsseEnvelope.payload", other) }, log("does not match expected root"), log("payload hash")},
		{"payload type", func(b, _, _ *document) { b.set("dsseEnvelope.payloadType", seal.PayloadType) }, outcome{keyless.StagePayload, "payloadType"}, outcome{keyless.StagePayload, "payloadType"}},
		{"signature", func(b, _, _ *document) { b.flip(signatures + ".0.sig") }, log("does not match expected root"), log("transparency log signature does not match")},
		{"certificate of another signing", func(b, other, _ *document) { b.take(certificate, other) }, log("does not match expected root"), log("certificate does not match")},
		{"log entry of another signing", func(b, other, _ *document) { b.take(entry, other) }, log("does not match expected root"), log("signature does not match")},
		{"timestamp of another signing", func(b, other, _ *document) { b.take(stamp, other) }, outcome{keyless.StageTime, "hashed messages don't match"}, passes},
		{"no log entry", func(b, _, _ *document) { b.set(entries, nil) }, log("0 < 1"), log("0 < 1")},
		{"empty log entries", func(b, _, _ *document) { b.set(entries, []any{}) }, log("0 < 1"), log("0 < 1")},
		{"one entry twice", func(b, _, _ *document) { b.set(entries, []any{b.get(entry), b.get(entry)}) }, log("duplicate tlog entries"), log("duplicate tlog entries")},
		{"no timestamp", func(b, _, _ *document) { b.set(stamps, nil) }, outcome{keyless.StageTime, "threshold not met"}, passes},
		{"no signed time at all", func(b, _, _ *document) {
			b.set(stamps, nil).set(entry+".inclusionPromise", nil)
		}, outcome{keyless.StageTime, "threshold not met"}, outcome{keyless.StageTime, "threshold not met"}},
		{"log's time without its promise", func(b, _, _ *document) {
			b.set(stamps, nil).set(entry+".inclusionPromise", nil).set(entry+".integratedTime", "1")
		}, log("integrated time outside certificate validity"), log("integrated time outside certificate validity")},
		{"two signatures", func(b, other, _ *document) {
			b.set(signatures, []any{b.get(signatures + ".0"), other.get(signatures + ".0")})
		}, outcome{keyless.StageBundle, "2 signatures, want 1"}, outcome{keyless.StageBundle, "2 signatures, want 1"}},
		{"no signature", func(b, _, _ *document) { b.set(signatures, []any{}) }, outcome{keyless.StageBundle, "0 signatures, want 1"}, outcome{keyless.StageBundle, "0 signatures, want 1"}},
		{"checkpoint of another state", func(b, other, _ *document) { b.take(proof+".checkpoint", other) }, log(""), log("")},
		{"body dropped", func(b, _, _ *document) { b.set(entry+".canonicalizedBody", nil) }, outcome{keyless.StageBundle, "nil value"}, outcome{keyless.StageBundle, "nil value"}},
		{"body of another", func(b, other, _ *document) { b.take(entry+".canonicalizedBody", other) }, passes, log("")},
		{"proof's root of another", func(b, other, _ *document) { b.take(proof+".rootHash", other) }, passes, log("")},
		{"no proof", func(b, _, _ *document) { b.set(proof, nil) }, outcome{keyless.StageBundle, "inclusion proof missing"}, outcome{keyless.StageBundle, "inclusion proof missing"}},
		{"bare key", func(b, _, _ *document) {
			b.set("verificationMaterial.certificate", nil).set("verificationMaterial.publicKey", map[string]any{"hint": "x"})
		}, outcome{keyless.StageKey, "bare key"}, outcome{keyless.StageKey, "bare key"}},

		{"authority's time over", func(_, _, r *document) {
			r.set("certificateAuthorities.0.validFor", map[string]any{"start": long, "end": longer})
		}, outcome{keyless.StageCertificate, "leaf certificate verification failed"}, outcome{keyless.StageCertificate, "leaf certificate verification failed"}},
		{"timestamp authority's time over", func(_, _, r *document) {
			r.set("timestampAuthorities.0.validFor", map[string]any{"start": long, "end": longer})
		}, outcome{keyless.StageTime, "after the validity period end"}, passes},
		{"log key's time over", func(_, _, r *document) {
			r.set("tlogs.0.publicKey.validFor", map[string]any{"start": long, "end": longer})
		}, log("counts from 2020-01-01T00:00:00Z to 2021-01-01T00:00:00Z"), log("0 < 1")},
		{"log key's time not begun", func(_, _, r *document) {
			r.set("tlogs.0.publicKey.validFor", map[string]any{"start": "2100-01-01T00:00:00Z"})
		}, log("counts from 2100-01-01T00:00:00Z, and"), log("0 < 1")},
		{"certificate log key's time over", func(_, _, r *document) {
			r.set("ctlogs.0.publicKey.validFor", map[string]any{"start": long, "end": longer})
		}, outcome{keyless.StageSCT, "unable to meet threshold of 1"}, outcome{keyless.StageSCT, "unable to meet threshold of 1"}},
		{"log under another host", func(_, _, r *document) { r.set("tlogs.0.baseUrl", "https://other.example") }, log(""), passes},
		{"log on another port", func(_, _, r *document) {
			r.set("tlogs.0.baseUrl", r.get("tlogs.0.baseUrl").(string)+":8443/path")
		}, passes, passes},
		{"another log", func(_, _, r *document) { r.flip("tlogs.0.logId.keyId") }, log("0 < 1"), log("0 < 1")},
		{"another certificate log", func(_, _, r *document) { r.flip("ctlogs.0.logId.keyId") }, outcome{keyless.StageSCT, "threshold"}, outcome{keyless.StageSCT, "threshold"}},
		{"no log any more", func(_, _, r *document) { r.set("tlogs", nil) }, passes, passes},
		{"no certificate log any more", func(_, _, r *document) { r.set("ctlogs", nil) }, passes, passes},
		{"no timestamp authority any more", func(_, _, r *document) { r.set("timestampAuthorities", nil) }, outcome{keyless.StageTime, "threshold not met"}, passes},
	} {
		for version, want := range map[bool]outcome{false: c.v2, true: c.v1} {
			t.Run(c.name+map[bool]string{false: ", v2", true: ", v1"}[version], func(t *testing.T) {
				s := keylesstest.New(t, keylesstest.Options{RekorV1: version})
				other, b, r := parsed(t, s.Sign(t, []byte(`{"other":1}`)).Bundle), parsed(t, s.Sign(t, statement).Bundle), parsed(t, s.TrustedRoot())
				c.change(b, other, r)
				_, err := trusting(t, r.bytes()).Verify(b.bytes())
				want.check(t, err)
			})
		}
	}
}

// TestLifetimes: the certificate must have been valid when its signature was made.
func TestLifetimes(t *testing.T) {
	for name, o := range worlds {
		for _, c := range []struct {
			name  string
			later time.Duration
			ok    bool
		}{
			{"at once", 0, true},
			{"in its last seconds", 9*time.Minute + 50*time.Second, true},
			{"after its end", 11 * time.Minute, false},
			{"before its start", -2 * time.Minute, false},
		} {
			t.Run(name+", "+c.name, func(t *testing.T) {
				s := keylesstest.New(t, o)
				key := newKey(t, elliptic.P256())
				leaf := s.Issue(&key.PublicKey)
				s.Clock = func() time.Time { return time.Now().Add(c.later) }
				_, err := trusting(t, s.TrustedRoot()).Verify(s.SignWith(t, key, leaf, seal.StatementPayloadType, statement).Bundle)
				switch {
				case c.ok && err != nil:
					t.Error(err)
				case !c.ok && o.RekorV1 && !o.NoLog:
					wantStage(t, err, keyless.StageLog, "integrated time outside certificate validity")
				case !c.ok:
					wantStage(t, err, keyless.StageCertificate, "leaf certificate verification failed")
				}
			})
		}
	}
}

// TestCurves: ES256 and no other.
func TestCurves(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	key := newKey(t, elliptic.P384())
	_, err := trusting(t, s.TrustedRoot()).Verify(s.SignWith(t, key, s.Issue(&key.PublicKey), seal.StatementPayloadType, statement).Bundle)
	wantStage(t, err, keyless.StageKey, "ECDSA on P-384, want ECDSA on P-256")
}

// TestForeignAuthority: bundles of another Sigstore, under its own name and
// under ours.
func TestForeignAuthority(t *testing.T) {
	for name, o := range worlds {
		t.Run(name, func(t *testing.T) {
			ours := keylesstest.New(t, o)
			for _, theirs := range []string{"other", ours.Name} {
				foreign := o
				foreign.Name = theirs
				s := keylesstest.New(t, foreign)
				_, err := trusting(t, ours.TrustedRoot()).Verify(s.Sign(t, statement).Bundle)
				wantStage(t, err, keyless.StageAuthority, "fulcio intermediate")
				if keyless.CodeOf(err, 0) != seal.CodeSignatureKeyNotFound {
					t.Errorf("code %v", keyless.CodeOf(err, 0))
				}
				// Trust in both takes both, each by its own.
				both := trusting(t, ours.TrustedRoot(), s.TrustedRoot())
				for _, by := range []*keylesstest.Sigstore{ours, s} {
					if v, err := both.Verify(by.Sign(t, statement).Bundle); err != nil || v.Logged == o.NoLog {
						t.Errorf("under both roots: %v", err)
					}
				}
			}
		})
	}
}
