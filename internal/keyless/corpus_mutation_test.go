package keyless_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/keyless/keylesstest"
	"github.com/mcp-integrity/seal-action/seal"
)

// mutate calls try with every document that differs from d in one place: each
// member and element removed, repeated or of another type, each value changed in
// the ways that fit it. d is as before when it returns.
func mutate(d *document, try func(where, how string, changed []byte)) {
	var walk func(path string, v any, put func(any))
	attempt := func(path, how string, put func(any), old, value any) {
		put(value)
		try(path, how, d.bytes())
		put(old)
	}
	walk = func(path string, v any, put func(any)) {
		for how, value := range changes(v) {
			if !absent(v) || !absent(value) {
				attempt(path, how, put, v, value)
			}
		}
		switch at := v.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(at)) {
				inner, old := path+"."+name, at[name]
				if !absent(old) {
					delete(at, name)
					try(inner, "removed", d.bytes())
					at[name] = old
				}
				walk(inner, old, func(value any) { at[name] = value })
			}
		case []any:
			for n := range at {
				// The hashes of a proof are all alike: the ends and the middle do.
				if n != 0 && n != len(at)/2 && n != len(at)-1 {
					continue
				}
				inner := fmt.Sprintf("%s.%d", path, n)
				attempt(path, fmt.Sprintf("without %d", n), put, at, slices.Delete(slices.Clone(at), n, n+1))
				attempt(path, fmt.Sprintf("%d twice", n), put, at, append(slices.Clone(at), at[n]))
				walk(inner, at[n], func(value any) { at[n] = value })
			}
		}
	}
	walk("", d.v, func(value any) { d.v = value })
}

// absent says that a member of that value means the same as none: protobuf's
// JSON leaves out zeros and empty lists, or does not.
func absent(v any) bool {
	list, ok := v.([]any)
	return v == nil || v == "" || v == "0" || v == false || ok && len(list) == 0
}

// changes are other values for v, by what was done.
func changes(v any) map[string]any {
	all := map[string]any{"null": nil, "a list": []any{}, "an object": map[string]any{}, "a number": 7}
	switch old := v.(type) {
	case bool:
		all["negated"] = !old
	case float64:
		all["one more"] = old + 1
	case string:
		all["emptied"] = ""
		all["longer"] = old + "A"
		if n, err := strconv.ParseInt(old, 10, 64); err == nil {
			all["one more"] = strconv.FormatInt(n+1, 10)
			all["one less"] = strconv.FormatInt(n-1, 10)
			all["negative"] = strconv.FormatInt(-n-1, 10)
			break
		}
		raw, err := base64.StdEncoding.DecodeString(old)
		if err != nil || len(raw) == 0 {
			if old != "" {
				all["first letter"] = "x" + old[1:]
				all["last letter"] = old[:len(old)-1] + "x"
			}
			break
		}
		for _, n := range []int{0, len(raw) / 4, len(raw) / 2, len(raw) - 1} {
			flipped := bytes.Clone(raw)
			flipped[n] ^= 1
			all[fmt.Sprintf("bit of byte %d", n)] = base64.StdEncoding.EncodeToString(flipped)
		}
		all["half"] = base64.StdEncoding.EncodeToString(raw[:len(raw)/2])
		all["and a zero"] = base64.StdEncoding.EncodeToString(append(bytes.Clone(raw), 0))
	}
	return all
}

// proved is what a caller relies on.
type proved struct {
	Certificate seal.Certificate
	KeyID       string
	Statement   string
	Logged      bool
}

func provedBy(v *keyless.Verified) proved {
	return proved{v.Certificate, v.Key.KeyID, string(v.Statement), v.Logged}
}

// harmless are the places of a bundle that may change without effect: they are
// hints, repeat what is computed anew, or vouch a second time for what another
// voucher has proved. The rules are by the bundle's form, and whatever passes
// elsewhere is a finding.
func harmless(b *document) map[string]bool {
	all := []string{
		"." + signatures + ".0.keyid",
		// The entry's body says what it is.
		"." + entry + ".kindVersion", "." + entry + ".kindVersion.kind", "." + entry + ".kindVersion.version",
		// One timestamp twice.
		"." + stamps + ".rfc3161Timestamps",
	}
	material := b.get("verificationMaterial").(map[string]any)
	logged, _ := material["tlogEntries"].([]any)
	promised := len(logged) > 0 && b.get(entry+".inclusionPromise") != nil
	data, _ := material["timestampVerificationData"].(map[string]any)
	stamped, _ := data["rfc3161Timestamps"].([]any)
	if promised {
		// The promise vouches for the time, so a timestamp need not.
		all = append(all, "."+stamps, "."+stamps+".rfc3161Timestamps.0", "."+stamp)
	} else {
		// Rekor v2: the body is made anew, the proof goes by the entry's index
		// and by the checkpoint.
		all = append(all, "."+entry+".canonicalizedBody", "."+proof+".logIndex", "."+proof+".treeSize", "."+proof+".rootHash")
	}
	if promised && len(stamped) > 0 {
		all = append(all, "."+entry+".inclusionPromise", "."+entry+".inclusionPromise.signedEntryTimestamp")
	}
	if promised && b.get("mediaType") == "application/vnd.dev.sigstore.bundle+json;version=0.1" {
		all = append(all, "."+proof) // as a whole: the promise was enough then
	}
	if chained, ok := material["x509CertificateChain"].(map[string]any); ok {
		// All but the leaf is hearsay.
		all = append(all, "."+chain)
		for n := range chained["certificates"].([]any)[1:] {
			link := fmt.Sprintf(".%s.%d", chain, n+1)
			all = append(all, link, link+".rawBytes")
		}
	}
	set := map[string]bool{}
	for _, path := range all {
		set[path] = true
	}
	return set
}

// checkMutations fails where a changed bundle passes as something else, or
// with a change in a place that is not harmless.
func checkMutations(t *testing.T, bundle []byte, verify func([]byte) (*keyless.Verified, error)) {
	t.Helper()
	good, err := verify(bundle)
	if err != nil {
		t.Fatal(err)
	}
	b := parsed(t, bundle)
	may, tried := harmless(b), 0
	mutate(b, func(where, how string, changed []byte) {
		tried++
		got, err := verify(changed)
		if err != nil {
			return
		}
		if diff := cmp.Diff(provedBy(good), provedBy(got)); diff != "" {
			t.Errorf("%s %s: accepted as something else (-was +is):\n%s", where, how, diff)
		}
		for _, s := range got.Times {
			if !slices.Contains(good.Times, s) {
				t.Errorf("%s %s: a time that nobody vouched for before: %+v", where, how, s)
			}
		}
		if !may[where] {
			t.Errorf("%s %s: accepted", where, how)
		}
	})
	if tried < 100 {
		t.Errorf("only %d mutations", tried)
	}
}

// TestMutatedRealBundles changes everything in real bundles of Rekor v1.
func TestMutatedRealBundles(t *testing.T) {
	for _, name := range []string{
		moduleFile, lintFile, oldFile,
		"sigstore-go/sigstore.js@2.0.0-provenance.sigstore.json", "sigstore-go/dsse.sigstore.json",
		"slsa-verifier/gundam-visor-cli-v1-tag.tgz.json#1", "slsa-verifier/gha_container-based-binary-linux-amd64-v14.2.intoto.sigstore",
	} {
		t.Run(name, func(t *testing.T) {
			checkMutations(t, corpusBundle(t, name), keyless.Embedded(keyless.PublicGood).Verify)
		})
	}
	t.Run("of an artifact", func(t *testing.T) {
		trust, digest := corpusTrust(t, scaffolding), unhex(t, otherName)
		checkMutations(t, corpusBundle(t, "sigstore-go/othername.sigstore.json"), func(b []byte) (*keyless.Verified, error) {
			return trust.VerifyArtifact(b, "sha256", digest)
		})
	})
}

// TestMutatedArtifactBundles does the same with signatures of an artifact's
// bytes, in both formats of the log. The entry is one of several, so that no
// number is 0 by chance.
func TestMutatedArtifactBundles(t *testing.T) {
	for _, name := range []string{"public, Rekor v2", "public, Rekor v1", "GitHub's own"} {
		t.Run(name, func(t *testing.T) {
			s := keylesstest.New(t, worlds[name])
			for range 5 {
				s.Sign(t, []byte(`{"other":1}`))
			}
			trust := trusting(t, s.TrustedRoot())
			checkMutations(t, s.SignArtifact(t, []byte("foo")).Bundle, func(b []byte) (*keyless.Verified, error) {
				return trust.VerifyArtifact(b, "sha256", foo[:])
			})
		})
	}
}
