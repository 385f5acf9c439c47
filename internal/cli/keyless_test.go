package cli_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/cli"
)

// keylessDir has what jobs sealed on a real Sigstore; its README.md says what.
const keylessDir = "../../testdata/keyless"

// recorded are the files of one release.
type recorded struct{ envelope, provenance []byte }

func recordedAs(t *testing.T, name string) recorded {
	t.Helper()
	read := func(file string) []byte {
		data, err := os.ReadFile(filepath.Join(keylessDir, name, file))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	return recorded{read("mcp-integrity.json"), read("mcp-integrity.provenance.sigstore.json")}
}

// verifyRecorded verifies a release as a consumer does who expects acme's, and
// returns the exit code and the result without what each run has of its own.
func verifyRecorded(t *testing.T, r recorded) (code int, result map[string]any) {
	t.Helper()
	dir := t.TempDir()
	envelope := filepath.Join(dir, "mcp-integrity.json")
	bundle := filepath.Join(dir, "mcp-integrity.provenance.sigstore.json")
	for path, data := range map[string][]byte{envelope: r.envelope, bundle: r.provenance} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	none := func(string) string { return "" }
	code = cli.NewCommand(&stdout, &stderr, none).Main(context.Background(), []string{
		"verify", envelope, "--offline", "--trusted-root", filepath.Join(keylessDir, "trusted_root.json"),
		"--namespace", "io.github.acme", "--repo", "acme/file-tools",
		"--artifact", filepath.Join(keylessDir, "acme-tools-1.2.4.tgz"),
		"--interface", filepath.Join(keylessDir, "github", "mcp-integrity.interface.json"),
		"--provenance", bundle, "--format", "json",
	})
	if strings.Contains(stderr.String(), "a bug in mcp-integrity") {
		t.Fatalf("it panics: %s", stderr.String())
	}
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil {
		t.Fatalf("exit code %d, no result: %v\n%s", code, err, stderr.String())
	}
	delete(result, "verified_at")
	for list, own := range map[string]string{"results": "verified_at", "provenance": "ref"} {
		members, _ := result[list].([]any)
		for _, member := range members {
			delete(member.(map[string]any), own)
		}
	}
	return code, result
}

// unchanged fails where a changed release is accepted with another result than
// the one that was sealed. That a change is accepted with the same result is no
// fault: a bundle says some things twice.
func unchanged(t *testing.T, what string, want map[string]any, r recorded) (accepted bool) {
	t.Helper()
	code, got := verifyRecorded(t, r)
	if code != cli.ExitHolds {
		return false
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: accepted, with another result (-sealed +changed):\n%s", what, diff)
	}
	return true
}

// loose are the leaves of a bundle that may be changed although it holds, and why
// nothing hangs on them.
var loose = map[string]string{
	"canonicalizedBody": "Rekor v2's entry is made anew of the signature and the certificate",
	"kind":              "so is its kind",
	"version":           "and that kind's version",
	"rootHash":          "the signed checkpoint has it",
	"treeSize":          "and this",
	"logIndex":          "0 may be left out, or written 00",
	"signedTimestamp":   "CMS has a list of hash algorithms that it does not sign (RFC 5652, 5.1)",
}

// TestKeylessTamper changes and removes every leaf of the recorded provenance
// and of the envelope with the keyless signature in it.
func TestKeylessTamper(t *testing.T) {
	sealed := recordedAs(t, "github")
	code, want := verifyRecorded(t, sealed)
	if code != cli.ExitHolds || want["outcome"] != "warn" { // a snapshot is no live server
		t.Fatalf("exit code %d, %v", code, want["errors"])
	}
	for name, one := range map[string]struct {
		data []byte
		with func(changed []byte) recorded
	}{
		"provenance": {sealed.provenance, func(b []byte) recorded { return recorded{sealed.envelope, b} }},
		"envelope":   {sealed.envelope, func(b []byte) recorded { return recorded{b, sealed.provenance} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changes, accepted := 0, 0
			for change := range changesOf(t, one.data) {
				changes++
				if !unchanged(t, change.what, want, one.with(change.data)) {
					continue
				}
				accepted++
				if loose[change.leaf] == "" {
					t.Errorf("%s: accepted", change.what)
				}
			}
			t.Logf("%d changes, %d of them in what does not count", changes, accepted)
			if changes < 100 {
				t.Errorf("only %d changes: does this test still see the document?", changes)
			}
		})
	}
}

// change is a document with one leaf changed.
type change struct {
	leaf, what string
	data       []byte
}

// changesOf yields a document with each leaf changed in turn, in several ways,
// and with each member and element taken away.
func changesOf(t *testing.T, data []byte) func(yield func(change) bool) {
	t.Helper()
	var whole any
	if err := json.Unmarshal(data, &whole); err != nil {
		t.Fatal(err)
	}
	marshal := func() []byte {
		out, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	return func(yield func(change) bool) {
		walk(whole, "", "", func(path, leaf string, was any, set func(any)) bool {
			for how, now := range variants(was) {
				set(now)
				ok := yield(change{leaf, path + ": " + how, marshal()})
				set(was)
				if !ok {
					return false
				}
			}
			return true
		})
	}
}

// gone is what takes a member away.
type gone struct{}

// walk visits every value in v but v itself, from the outside to the inside. set
// puts another value there.
func walk(v any, path, leaf string, visit func(path, leaf string, was any, set func(any)) bool) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			was := v[name]
			set := func(now any) {
				if v[name] = now; now == (any)(gone{}) {
					delete(v, name)
				}
			}
			if !visit(path+"/"+name, name, was, set) || !walk(was, path+"/"+name, name, visit) {
				return false
			}
		}
	case []any:
		for n, was := range v {
			at := fmt.Sprintf("%s/%d", path, n)
			set := func(now any) {
				if v[n] = now; now == (any)(gone{}) {
					v[n] = nil
				}
			}
			if !visit(at, leaf, was, set) || !walk(was, at, leaf, visit) {
				return false
			}
		}
	}
	return true
}

// flips is in how many places the bytes of a base64 text are changed.
const flips = 4

// variants are other values than v: none at all, one of another kind, and for a
// text one that differs little.
func variants(v any) func(yield func(how string, now any) bool) {
	return func(yield func(string, any) bool) {
		if !yield("taken away", gone{}) {
			return
		}
		text, ok := v.(string)
		if !ok {
			yield("of another kind", "x")
			return
		}
		if !yield("null", nil) || !yield("of another kind", map[string]any{"x": "y"}) || !yield("longer", text+"0") {
			return
		}
		// Base64's padding may be left out.
		if bare := strings.TrimRight(text, "="); bare != "" && !yield("shorter", bare[:len(bare)-1]) {
			return
		}
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
			raw, err := encoding.DecodeString(text)
			if err != nil || len(raw) < flips {
				continue
			}
			for n := range flips {
				at := n * (len(raw) - 1) / (flips - 1)
				flipped := slices.Clone(raw)
				flipped[at] ^= 1 << (n % 8)
				if !yield(fmt.Sprintf("byte %d of %d changed", at, len(raw)), encoding.EncodeToString(flipped)) {
					return
				}
			}
			return
		}
	}
}

// TestKeylessSwap puts parts of one release into another.
func TestKeylessSwap(t *testing.T) {
	sealed := recordedAs(t, "github")
	_, want := verifyRecorded(t, sealed)
	for _, name := range []string{"next", "fork", "self-hosted", "schedule", "reused", "gitlab", "both"} {
		other := recordedAs(t, name)
		for what, path := range map[string][]string{
			"its statement": {"signatures", "0", "details"},
			"its sig":       {"signatures", "0", "sig"},
			"its signature": {"signatures", "0"},
			"its payload":   {"payload"},
		} {
			if unchanged(t, name+": "+what, want, recorded{swap(t, sealed.envelope, other.envelope, path...), sealed.provenance}) {
				t.Errorf("%s: %s was accepted", name, what)
			}
		}
		for what, path := range map[string][]string{
			"its certificate": {"verificationMaterial", "certificate"},
			"its log entry":   {"verificationMaterial", "tlogEntries"},
			"its timestamp":   {"verificationMaterial", "timestampVerificationData"},
			"its provenance":  {"dsseEnvelope"},
		} {
			if unchanged(t, name+": "+what, want, recorded{sealed.envelope, swap(t, sealed.provenance, other.provenance, path...)}) {
				t.Errorf("%s: %s was accepted", name, what)
			}
		}
	}
}

// TestKeylessProvenanceOfOthers hands a consumer, beside one release, the whole
// provenance of another.
func TestKeylessProvenanceOfOthers(t *testing.T) {
	sealed := recordedAs(t, "github")
	for name, want := range map[string]string{
		"next":        "PROVENANCE_MISMATCH", // another artifact
		"fork":        "PROVENANCE_MISMATCH", // another source
		"gitlab":      "PROVENANCE_MISMATCH", // another platform
		"schedule":    "PROVENANCE_MISMATCH", // another ref's workflow
		"reused":      "PROVENANCE_MISMATCH", // another builder
		"self-hosted": "SLSA_LEVEL_NOT_MET",  // the same builder, by its name
		"both":        "",                    // the very same job
	} {
		_, got := verifyRecorded(t, recorded{sealed.envelope, recordedAs(t, name).provenance})
		var names []string
		for _, list := range []string{"errors", "advisories"} {
			for _, finding := range got[list].([]any) {
				names = append(names, finding.(map[string]any)["name"].(string))
			}
		}
		if found := slices.Contains(names, want); found != (want != "") || want == "" && got["outcome"] != "warn" {
			t.Errorf("%s: got %v, %v, want %q", name, got["outcome"], names, want)
		}
	}
}

// swap returns a document with the part at path as it is in other.
func swap(t *testing.T, data, other []byte, path ...string) []byte {
	t.Helper()
	if len(path) == 0 {
		return other
	}
	var to, from any
	if err := json.Unmarshal(data, &to); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(other, &from); err != nil {
		t.Fatal(err)
	}
	whole := to
	for _, name := range path[:len(path)-1] {
		to, from = down(to, name), down(from, name)
	}
	switch last := path[len(path)-1]; to := to.(type) {
	case map[string]any:
		to[last] = down(from, last)
	case []any:
		to[0] = down(from, last)
	}
	out, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// down is a member of an object, or the first element of an array.
func down(v any, name string) any {
	if list, ok := v.([]any); ok {
		return list[0]
	}
	return v.(map[string]any)[name]
}
