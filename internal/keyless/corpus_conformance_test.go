//go:build conformance

package keyless_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/seal"
)

// The cases that the tables below are about: how many, and a digest of all
// their files. testdata/bundles/README.md says how to get them.
const (
	conformanceCommit = "a73de4970176d258e0154c530b89d20b89444e4d"
	conformanceCases  = 70
	conformanceDigest = "906d4b514a6fe2b86662569d04770f6af5a07f5aa7d244993d808ab0aca8d828"
)

// beacon is whose bundles they are, where a case does not say otherwise.
const beacon = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"

// byDesign are the cases that come out as the suite says only for a verifier
// that takes public keys from its caller. Here a certificate names every key.
var byDesign = map[string]verdict{
	"managed-key-and-trusted-root": {keyless.StageKey, "bare key"},
	"managed-key-happy-path":       {keyless.StageKey, "bare key"},
	"managed-key-no-key_fail":      {keyless.StageKey, "bare key"},
	"managed-key-wrong-key_fail":   {keyless.StageKey, "bare key"},
}

// malformedRoots are the cases whose trusted root is what must be refused.
var malformedRoots = map[string]string{
	"trust-root-tlog-missing-validity-start_fail": "validity period start",
}

// conformanceRefusals are the cases that are refused for the fault that they
// are named after.
var conformanceRefusals = map[string]verdict{
	"bundle-from-wrong-instance_fail":      {keyless.StageAuthority, "issued by"},
	"bundle-invalid-base64-signature_fail": {keyless.StageBundle, "bytes field signature"},
	"bundle-malformed-json_fail":           {keyless.StageBundle, "unexpected EOF"},
	"bundle-negative-log-index_fail":       {keyless.StageBundle, "nil value in transaction log entry"},
	"bundle-unknown-version_fail":          {keyless.StageBundle, "version=99.9"},

	"checkpoint-bad-keyhint_fail":          {keyless.StageLog, "signature on checkpoint"},
	"checkpoint-wrong-roothash_fail":       {keyless.StageLog, "does not match signed tree head"},
	"inclusion-proof-corrupted-hash_fail":  {keyless.StageLog, "calculated root"},
	"intoto-missing-inclusion-proof_fail":  {keyless.StageBundle, "inclusion proof missing"},
	"invalid-checkpoint-signature_fail":    {keyless.StageLog, "signature on checkpoint"},
	"set-invalid-signature_fail":           {keyless.StageLog, "not enough verified log entries"},
	"incorrect-public-key_fail":            {keyless.StageBundle, "verifying signature"},
	"intoto-log-entry-mismatch_fail":       {keyless.StageBundle, "could not verify envelope"},
	"dsse-invalid-sig_fail":                {keyless.StageLog, "signature does not match"},
	"dsse-mismatch-envelope_fail":          {keyless.StageLog, "signature does not match"},
	"dsse-mismatch-sig_fail":               {keyless.StageLog, "signature does not match"},
	"signature-mismatch_fail":              {keyless.StageLog, "signature does not match"},
	"wrong-hashedrekord-artifact_fail":     {keyless.StageLog, "signature does not match"},
	"wrong-hashedrekord-cert-and-sig_fail": {keyless.StageLog, "signature does not match"},
	"wrong-hashedrekord-entry_fail":        {keyless.StageLog, "signature does not match"},
	"message-digest-mismatch_fail":         {keyless.StageLog, "does not match artifact"},
	"wrong-material_fail":                  {keyless.StageSignature, "artifact does not match digest"},

	"integrated-time-in-future_fail":                  {keyless.StageLog, "integrated time outside certificate validity"},
	"intoto-set-outside-signing-cert-validity_fail":   {keyless.StageLog, "integrated time outside certificate validity"},
	"intoto-tsa-timestamp-outside-cert-validity_fail": {keyless.StageCertificate, "leaf certificate"},
	"invalid-ct-key_fail":                             {keyless.StageSCT, "0 SCT entries"},

	"rekor2-checkpoint-missing-log-signature_fail": {keyless.StageLog, "malformed note"},
	"rekor2-checkpoint-missing-origin_fail":        {keyless.StageLog, "invalid signature for key"},
	"rekor2-checkpoint-missing-root-hash_fail":     {keyless.StageLog, "invalid signature for key"},
	"rekor2-checkpoint-missing-size_fail":          {keyless.StageLog, "invalid signature for key"},
	"rekor2-checkpoint-no-matching-signature_fail": {keyless.StageLog, "no verifiable signatures"},
	"rekor2-dsse-invalid-sig_fail":                 {keyless.StageLog, "calculated root"},
	"rekor2-dsse-mismatch-envelope_fail":           {keyless.StageLog, "calculated root"},
	"rekor2-dsse-mismatch-sig_fail":                {keyless.StageLog, "calculated root"},
	"rekor2-no-inclusion-proof_fail":               {keyless.StageBundle, "inclusion proof missing"},

	"rekor2-no-timestamp_fail":                                  {keyless.StageTime, "0 < 1"},
	"rekor2-timestamp-outside-trust-root-tsa-validity_fail":     {keyless.StageTime, "after the validity period end"},
	"rekor2-timestamp-outside-tsa-cert-validity_fail":           {keyless.StageTime, "outside of certificate validity"},
	"rekor2-timestamp-payload-mismatch_fail":                    {keyless.StageTime, "hashed messages don't match"},
	"rekor2-timestamp-untrusted-tsa-with-embedded-cert_fail":    {keyless.StageTime, "does not match the provided TSA certificate"},
	"rekor2-timestamp-untrusted-tsa-without-embedded-cert_fail": {keyless.StageTime, "No certificate for signer"},
}

// otherFault are the cases whose files have a second fault, at which we stop:
// that they are refused says nothing about the check that they are named after.
// TestFaultsThatConformanceHides has those checks.
var otherFault = map[string]verdict{
	// No checkpoint in the inclusion proof.
	"bundle-empty-certificate-chain_fail": {keyless.StageBundle, "missing required checkpoint"},
	"bundle-with-root-cert_fail":          {keyless.StageBundle, "missing required checkpoint"},
	"invalid-inclusion-proof_fail":        {keyless.StageBundle, "missing required checkpoint"},
	// The log's time is outside the certificate's, too.
	"intoto-expired-certificate_fail": {keyless.StageLog, "integrated time outside certificate validity"},
	// Line feeds within base64.
	"rekor2-timestamp-with-incorrect-time_fail": {keyless.StageBundle, "bytes field signedTimestamp"},
}

func TestConformance(t *testing.T) {
	dir := conformanceDir(t)
	cases, err := filepath.Glob(filepath.Join(dir, "*", "bundle.sigstore.json"))
	if err != nil || len(cases) != conformanceCases {
		t.Fatalf("%s has %d cases (error %v), want %d", dir, len(cases), err, conformanceCases)
	}
	count := map[string]int{}
	for _, path := range cases {
		c := filepath.Dir(path)
		name := filepath.Base(c)
		t.Run(name, func(t *testing.T) {
			count[runConformance(t, dir, c, name)]++
		})
	}
	want := map[string]int{"accepted": 19, "refused": 41, "refused for another fault": 5, "malformed root": 1, "refused by design": 4}
	if got := fmt.Sprint(count); got != fmt.Sprint(want) {
		t.Errorf("verdicts: got %v, want %v", got, want)
	}
}

// materials are the files of a case. A root that is nil is the public-good one.
type materials struct {
	bundle, root []byte
	artifact     string
	identity     seal.Identity
}

func readMaterials(t *testing.T, dir, c string) materials {
	t.Helper()
	m := materials{artifact: filepath.Join(c, "artifact")}
	var err error
	if m.bundle, err = os.ReadFile(filepath.Join(c, "bundle.sigstore.json")); err != nil {
		t.Fatal(err)
	}
	if m.root, err = os.ReadFile(filepath.Join(c, "trusted_root.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if _, err := os.Stat(m.artifact); err != nil {
		m.artifact = filepath.Join(dir, "a.txt")
	}
	m.identity = seal.Identity{
		SAN:    oneLine(filepath.Join(c, "identity"), beacon),
		Issuer: oneLine(filepath.Join(c, "issuer"), seal.GitHubIssuer),
	}
	return m
}

// runConformance verifies one case by path and by digest, and says how it ended.
func runConformance(t *testing.T, dir, c, name string) string {
	m := readMaterials(t, dir, c)
	if reason, ok := malformedRoots[name]; ok {
		if _, err := keyless.ParseTrustedRoot(m.root); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("trusted root: got error %v, want one that says %q", err, reason)
		}
		return "malformed root"
	}
	want, class := conformanceVerdict(t, name)
	trust := keyless.Embedded(keyless.PublicGood)
	if m.root != nil {
		trust = trusting(t, m.root)
	}
	for by, digest := range map[string][]byte{"path": hashFile(t, m.artifact), "digest": parsedDigest(t, m.artifact)} {
		t.Run("by "+by, func(t *testing.T) {
			got, err := trust.VerifyArtifact(m.bundle, "sha256", digest)
			want.check(t, got, err)
			if err != nil {
				return
			}
			if err := m.identity.Match(got.Certificate); err != nil {
				t.Error(err)
			}
		})
	}
	return class
}

// conformanceVerdict follows the directory's name; what is refused must stand
// in a table with its reason.
func conformanceVerdict(t *testing.T, name string) (verdict, string) {
	if v, ok := byDesign[name]; ok {
		return v, "refused by design"
	}
	if v, ok := otherFault[name]; ok {
		return v, "refused for another fault"
	}
	v, listed := conformanceRefusals[name]
	_, malformed := malformedRoots[name]
	if refuse := strings.HasSuffix(name, "_fail"); refuse != (listed || malformed) {
		t.Fatalf("the suite refuses it: %v; the table refuses it: %v", refuse, listed)
	}
	if malformed {
		return v, "malformed root"
	}
	if listed {
		return v, "refused"
	}
	return v, "accepted"
}

func conformanceDir(t *testing.T) string {
	t.Helper()
	checkout := os.Getenv("SIGSTORE_CONFORMANCE")
	if checkout == "" {
		t.Fatal("SIGSTORE_CONFORMANCE names no checkout of sigstore-conformance; see testdata/bundles/README.md")
	}
	dir := filepath.Join(checkout, "test", "assets", "bundle-verify")
	all := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		fmt.Fprintf(all, "%x  %s\n", hashFile(t, path), filepath.ToSlash(name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(all.Sum(nil)); got != conformanceDigest {
		t.Fatalf("%s: its files have the digest %s, want %s, those of commit %s", dir, got, conformanceDigest, conformanceCommit)
	}
	return dir
}

func hashFile(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return h.Sum(nil)
}

// parsedDigest goes by the text that a caller would write.
func parsedDigest(t *testing.T, path string) []byte {
	t.Helper()
	text := "sha256:" + hex.EncodeToString(hashFile(t, path))
	algorithm, digits, _ := strings.Cut(text, ":")
	if algorithm != "sha256" {
		t.Fatalf("digest %q", text)
	}
	return unhex(t, digits)
}

func oneLine(path, fallback string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return fallback
	}
	return strings.TrimSpace(string(data))
}

// TestConformanceMutations changes everything in the bundles that pass: real
// ones of Rekor v2 among them.
func TestConformanceMutations(t *testing.T) {
	dir := conformanceDir(t)
	cases, err := filepath.Glob(filepath.Join(dir, "*", "bundle.sigstore.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range cases {
		c := filepath.Dir(path)
		name := filepath.Base(c)
		if _, class := conformanceVerdict(t, name); class != "accepted" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m := readMaterials(t, dir, c)
			trust := keyless.Embedded(keyless.PublicGood)
			if m.root != nil {
				trust = trusting(t, m.root)
			}
			digest := hashFile(t, m.artifact)
			checkMutations(t, m.bundle, func(b []byte) (*keyless.Verified, error) {
				return trust.VerifyArtifact(b, "sha256", digest)
			})
		})
	}
}
