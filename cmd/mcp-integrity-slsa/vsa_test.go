package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the VSAs in testdata/vsa say. Package internal/slsa writes them with
// mcp-integrity's own code, and its test keeps them fresh.
const (
	vsaDigest   = "sha256:5f2b1c8d9e0a4b7c6d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c"
	vsaResource = "pkg:npm/%40acme/file-tools@1.2.4"
	vsaVerifier = "https://mcp-integrity.org/verifier"
)

func testFile(t testing.TB, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// vsaRequest asks what the VSA of a key says.
func vsaRequest(t testing.TB, key string) request {
	return request{
		SchemaVersion: schemaVersion, Kind: kindVSA, Digest: vsaDigest,
		Provenance: testFile(t, "vsa", key+".passed.json"),
		VSA: &vsaWanted{
			VerifierID: vsaVerifier, ResourceURI: vsaResource,
			VerifiedLevels: []string{"SLSA_BUILD_LEVEL_2", "MCP_INTEGRITY_LEVEL_2"},
			PublicKey:      string(testFile(t, "vsa", key+".pub.pem")),
		},
	}
}

var vsaKeyNames = []string{"ed25519", "es256"}

// TestOurVSAs is the oracle's word on package internal/slsa: slsa-verifier
// accepts what it signs, and refuses it as soon as anything differs.
func TestOurVSAs(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*testing.T, *request)
		// reason is slsa-verifier's, or "" where it accepts.
		reason string
	}{
		{"as it is", func(*testing.T, *request) {}, ""},
		{"a lower level", func(_ *testing.T, r *request) { r.VSA.VerifiedLevels = []string{"SLSA_BUILD_LEVEL_1"} }, ""},
		{"keyid of the verifier's own", func(_ *testing.T, r *request) { r.VSA.KeyID = "k2" }, ""},

		{"another digest", func(_ *testing.T, r *request) { r.Digest = "sha256:" + strings.Repeat("0", 64) }, "missing_subject_digest"},
		{"another algorithm", func(_ *testing.T, r *request) { r.Digest = "sha512:" + strings.Repeat("0", 128) }, "missing_subject_digest"},
		{"another verifier", func(_ *testing.T, r *request) { r.VSA.VerifierID += "/2" }, "mismatch_verifier_id"},
		{"another resource", func(_ *testing.T, r *request) { r.VSA.ResourceURI += "-rc1" }, "mismatch_resource_uri"},
		{"a higher level", func(_ *testing.T, r *request) { r.VSA.VerifiedLevels = []string{"SLSA_BUILD_LEVEL_3"} }, "mismatch_verified_levels"},
		{"another track", func(_ *testing.T, r *request) { r.VSA.VerifiedLevels = []string{"SLSA_SOURCE_LEVEL_1"} }, "mismatch_verified_levels"},
		{"a higher level of ours", func(_ *testing.T, r *request) { r.VSA.VerifiedLevels = []string{"MCP_INTEGRITY_LEVEL_3"} }, "mismatch_verified_levels"},
		{"no level of SLSA's", func(_ *testing.T, r *request) { r.VSA.VerifiedLevels = []string{"SLSA_BUILD_LEVEL_X"} }, "invalid_slsa_level"},
		{"another key", func(t *testing.T, r *request) {
			r.VSA.PublicKey = string(testFile(t, "vsa", otherKey(r)+".pub.pem"))
		}, "no_valid_signature"},
		{"no key", func(_ *testing.T, r *request) { r.VSA.PublicKey = "MCowBQYDK2VwAyEA" }, "invalid_public_key"},
		{"two keys", func(_ *testing.T, r *request) { r.VSA.PublicKey += r.VSA.PublicKey }, "invalid_public_key"},
		{"it failed", func(t *testing.T, r *request) {
			r.Provenance = testFile(t, "vsa", keyOf(r)+".failed.json")
		}, "invalid_verification_result"},
		{"a payload of another level", payloadChange("BUILD_LEVEL_2", "BUILD_LEVEL_3"), "no_valid_signature"},
		{"a payload with one more space", payloadChange(`"_type":`, `"_type": `), "no_valid_signature"},
		{"another payload type", func(_ *testing.T, r *request) {
			r.Provenance = bytes.Replace(r.Provenance, []byte("vnd.in-toto+json"), []byte("vnd.other+json"), 1)
		}, "invalid_dsse_payload"},
		{"no signature", func(t *testing.T, r *request) {
			r.Provenance = edit(t, r.Provenance, func(m map[string]any) { m["signatures"] = []any{} })
		}, "no_valid_signature"},
		{"a member twice", func(_ *testing.T, r *request) {
			r.Provenance = bytes.Replace(r.Provenance, []byte(`{"payload"`), []byte(`{"payload":"","payload"`), 1)
		}, reasonMalformed},
		{"a second value", func(_ *testing.T, r *request) { r.Provenance = append(bytes.Clone(r.Provenance), "{}"...) }, reasonMalformed},
		{"no JSON", func(_ *testing.T, r *request) { r.Provenance = []byte("VSA") }, reasonMalformed},
	} {
		for _, key := range vsaKeyNames {
			t.Run(tt.name+"/"+key, func(t *testing.T) {
				r := vsaRequest(t, key)
				tt.change(t, &r)
				a := decide(t.Context(), r, verify)
				switch {
				case tt.reason == "" && (a.Verdict != verdictPass || !bytes.Contains(a.Statement, []byte(vsaVerifier))):
					t.Errorf("%+v, want pass", a)
				case tt.reason != "" && (a.Verdict != verdictFail || a.Reason != tt.reason || a.Message == "" || a.Statement != nil):
					t.Errorf("%s %s (%s), want fail %s", a.Verdict, a.Reason, a.Message, tt.reason)
				}
			})
		}
	}
}

func keyOf(r *request) string {
	if len(r.VSA.PublicKey) < 150 { // P-256's has 178 bytes
		return "ed25519"
	}
	return "es256"
}

func otherKey(r *request) string {
	return map[string]string{"ed25519": "es256", "es256": "ed25519"}[keyOf(r)]
}

// edit changes a JSON object.
func edit(t *testing.T, data []byte, change func(map[string]any)) []byte {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	change(m)
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// payloadChange replaces text inside the payload and leaves the signature.
func payloadChange(from, to string) func(*testing.T, *request) {
	return func(t *testing.T, r *request) {
		var e struct {
			Payload []byte `json:"payload"`
		}
		if err := json.Unmarshal(r.Provenance, &e); err != nil {
			t.Fatal(err)
		}
		changed := bytes.Replace(e.Payload, []byte(from), []byte(to), 1)
		if bytes.Equal(changed, e.Payload) {
			t.Fatalf("the payload has no %q", from)
		}
		r.Provenance = edit(t, r.Provenance, func(m map[string]any) { m["payload"] = changed })
	}
}

// Every single byte of envelope and payload counts: none can be another and
// still pass with another statement.
func TestOurVSAsByteByByte(t *testing.T) {
	for _, key := range vsaKeyNames {
		r := vsaRequest(t, key)
		want := decide(t.Context(), r, verify).Statement
		good := r.Provenance
		for i := range good {
			r.Provenance = bytes.Clone(good)
			r.Provenance[i] ^= 1
			if a := decide(t.Context(), r, verify); a.Verdict == verdictPass && !bytes.Equal(a.Statement, want) {
				t.Fatalf("%s: byte %d: another statement passes: %s", key, i, a.Statement)
			}
		}
	}
}
