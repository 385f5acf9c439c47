package keyless_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/keyless/keylesstest"
	"github.com/mcp-integrity/seal-action/seal"
)

// TestBundleForms: what is no bundle, or more of one than anybody needs.
func TestBundleForms(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	tr, good := trusting(t, s.TrustedRoot()), s.Sign(t, statement).Bundle
	edit := func(path string, value any) string { return string(parsed(t, good).set(path, value).bytes()) }
	many := func(n int, item func(n int) any) []any {
		var all []any
		for i := range n {
			all = append(all, item(i))
		}
		return all
	}
	bytesOf := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	raw := parsed(t, good).get(certificate)
	for _, c := range []struct {
		name, data string
		stage      keyless.Stage
		want       string
	}{
		{"nothing", "", keyless.StageBundle, "not strict JSON"},
		{"no object", "[]", keyless.StageBundle, ""},
		{"null", "null", keyless.StageBundle, ""},
		{"text behind", string(good) + "{}", keyless.StageBundle, "behind the value"},
		{"too long", string(good) + strings.Repeat(" ", 16<<20), keyless.StageBundle, "want at most 16777216"},
		{"too deep", strings.Repeat("[", 100_000), keyless.StageBundle, "nested deeper"},
		{"unknown member", edit("more", 1), keyless.StageBundle, `"more"`},
		{"no media type", edit("mediaType", nil), keyless.StageBundle, "media type"},
		{"v0.4", edit("mediaType", "application/vnd.dev.sigstore.bundle.v0.4+json"), keyless.StageBundle, "v0.4"},
		{"v0.3.1", edit("mediaType", "application/vnd.dev.sigstore.bundle.v0.3.1+json"), keyless.StageBundle, "mediaType: got"},
		{"a trusted root", string(s.TrustedRoot()), keyless.StageBundle, ""},
		{"no material", edit("verificationMaterial", nil), keyless.StageBundle, ""},
		{"empty certificate", edit(certificate, nil), keyless.StageBundle, "certificate"},
		{"garbage for a certificate", edit(certificate, bytesOf(100)), keyless.StageBundle, "certificate: x509"},
		{"bytes behind the certificate", edit(certificate, raw.(string)[:len(raw.(string))-4]+bytesOf(6)), keyless.StageBundle, "certificate: x509"},
		{"long certificate", edit(certificate, bytesOf(33<<10)), keyless.StageBundle, "certificate of 33792 bytes"},
		{"chain in v0.3", string(parsed(t, good).set("verificationMaterial.certificate", nil).
			set("verificationMaterial.x509CertificateChain", map[string]any{"certificates": []any{map[string]any{"rawBytes": raw}}}).bytes()), keyless.StageBundle, "X.509 certificate chain"},
		{"certificate and key", edit("verificationMaterial.publicKey", map[string]any{"hint": "x"}), keyless.StageBundle, ""},
		{"no content", edit("dsseEnvelope", nil), keyless.StageBundle, "content"},
		{"two contents", edit("messageSignature", map[string]any{"signature": "AA=="}), keyless.StageBundle, ""},
		{"nine entries", edit(entries, many(9, func(n int) any {
			e := parsed(t, good).set(entry+".logIndex", strconv.Itoa(n))
			return e.get(entry)
		})), keyless.StageBundle, "tlogEntries: 9 of them, want at most 8"},
		{"hundred entries", edit(entries, many(100, func(int) any { return parsed(t, good).get(entry) })), keyless.StageBundle, "too many tlog entries"},
		{"64 hashes", edit(proof+".hashes", many(64, func(int) any { return bytesOf(32) })), keyless.StageBundle, "64 hashes, want at most 63"},
		{"entry is null", edit(entries, []any{nil}), keyless.StageBundle, ""},
		{"entry is empty", edit(entries, []any{map[string]any{}}), keyless.StageBundle, ""},
		{"negative index", edit(entry+".logIndex", "-1"), keyless.StageBundle, ""},
		{"nine timestamps", edit(stamps+".rfc3161Timestamps", many(9, func(n int) any { return map[string]any{"signedTimestamp": bytesOf(n + 1)} })), keyless.StageBundle, "rfc3161Timestamps: 9 of them"},
		{"long timestamp", edit(stamp, bytesOf(65<<10)), keyless.StageBundle, "rfc3161Timestamps[0]: 66560 bytes"},
		{"timestamp is garbage", edit(stamp, bytesOf(100)), keyless.StageTime, ""},
		{"timestamp is empty", edit(stamp, ""), keyless.StageTime, ""},
		{"long texts", edit("mediaType", strings.Repeat("x", 100_000)), keyless.StageBundle, "…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := tr.Verify([]byte(c.data))
			wantStage(t, err, c.stage, c.want)
			if got := keyless.CodeOf(fmt.Errorf("around: %w", err), 0); got != seal.CodeSignatureInvalid {
				t.Errorf("code %v", got)
			}
		})
	}
}

// TestOlderForms: v0.1 and v0.2 have a chain of certificates, of which only the
// first counts.
func TestOlderForms(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{RekorV1: true})
	tr, good := trusting(t, s.TrustedRoot()), s.Sign(t, statement).Bundle
	raw := map[string]any{"rawBytes": parsed(t, good).get(certificate)}
	other := map[string]any{"rawBytes": parsed(t, s.Sign(t, statement).Bundle).get(certificate)}
	older := func(mediaType string, chain ...any) []byte {
		return parsed(t, good).set("mediaType", mediaType).set("verificationMaterial.certificate", nil).
			set("verificationMaterial.x509CertificateChain", map[string]any{"certificates": chain}).bytes()
	}
	const v1, v2, v3 = "application/vnd.dev.sigstore.bundle+json;version=0.1", "application/vnd.dev.sigstore.bundle+json;version=0.2", "application/vnd.dev.sigstore.bundle+json;version=0.3"
	for name, data := range map[string][]byte{
		"v0.1": older(v1, raw), "v0.2": older(v2, raw), "v0.1 with another behind": older(v1, raw, other),
		"v0.3 by its older name":    parsed(t, good).set("mediaType", v3).bytes(),
		"v0.2 with one certificate": parsed(t, good).set("mediaType", v2).bytes(),
	} {
		if _, err := tr.Verify(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := tr.Verify(older(v2, other, raw))
	wantStage(t, err, keyless.StageLog, "certificate does not match")
	_, err = tr.Verify(older(v2))
	wantStage(t, err, keyless.StageBundle, "0 certificates, want 1 to 8")
	_, err = tr.Verify(older(v2, raw, raw, raw, raw, raw, raw, raw, raw, raw))
	wantStage(t, err, keyless.StageBundle, "9 certificates, want 1 to 8")
	_, err = tr.Verify(parsed(t, older(v1, raw)).set(entry+".inclusionPromise", nil).bytes())
	wantStage(t, err, keyless.StageBundle, "inclusion promises missing")
}

// TestArtifactLabel: ES256 signs SHA-256; a bundle that says otherwise lies.
func TestArtifactLabel(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	b := parsed(t, s.SignArtifact(t, []byte("foo")).Bundle).set("messageSignature.messageDigest.algorithm", "SHA2_512")
	_, err := trusting(t, s.TrustedRoot()).VerifyArtifact(b.bytes(), "sha256", foo[:])
	wantStage(t, err, keyless.StagePayload, "messageDigest.algorithm: got SHA2_512")
}

func TestErrorText(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	_, err := trusting(t, s.TrustedRoot()).Verify(parsed(t, s.Sign(t, statement).Bundle).set(stamps, nil).bytes())
	if err == nil || strings.Contains(err.Error(), "%!") || !strings.HasPrefix(err.Error(), "sigstore bundle: time: threshold") {
		t.Errorf("got %v", err)
	}
	plain := errors.New("x")
	if got := keyless.CodeOf(plain, seal.CodeManifestFetchFailed); got != seal.CodeManifestFetchFailed {
		t.Errorf("code of a plain error: %v", got)
	}
	if got := keyless.CodeOf(&seal.Error{Code: seal.CodeIdentityMismatch, Err: plain}, 0); got != seal.CodeIdentityMismatch {
		t.Errorf("code of a coded error: %v", got)
	}
}
