package keyless_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/keyless/keylesstest"
)

func TestParseTrustedRootRefuses(t *testing.T) {
	good := keylesstest.New(t, keylesstest.Options{}).TrustedRoot()
	edit := func(path string, value any) string { return string(parsed(t, good).set(path, value).bytes()) }
	times := func(path string, n int) string {
		d := parsed(t, good)
		item := d.get(path + ".0")
		var all []any
		for range n {
			all = append(all, item)
		}
		return string(d.set(path, all).bytes())
	}
	for _, c := range []struct{ name, data, want string }{
		{"nothing", ``, "it is empty"},
		{"white space", " \n", "it is empty"},
		{"no JSON", `x`, "not strict JSON"},
		{"a list", `[]`, "not of the form"},
		{"text behind", string(good) + "x", "trusted root"},
		{"duplicate member", `{"mediaType":"a","mediaType":"b"}`, "duplicate"},
		{"unknown member", edit("more", 1), `"more"`},
		{"unknown member inside", edit("tlogs.0.more", 1), `"more"`},
		{"no media type", edit("mediaType", nil), `mediaType: got ""`},
		{"newer media type", edit("mediaType", "application/vnd.dev.sigstore.trustedroot.v0.9+json"), "mediaType: got"},
		{"a bundle", `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`, "mediaType: got"},
		{"no authority", edit("certificateAuthorities", nil), "certificateAuthorities: none"},
		{"authority without a chain", edit("certificateAuthorities.0.certChain", nil), "certificateAuthorities[0]: "},
		{"authority with an empty chain", edit("certificateAuthorities.0.certChain.certificates", []any{}), "certificateAuthorities[0]: "},
		{"no certificate", edit("certificateAuthorities.0.certChain.certificates.1.rawBytes", "AAAA"), "certificateAuthorities[0]: "},
		{"long chain", times("certificateAuthorities.0.certChain.certificates", 9), "certChain: 9 certificates, want at most 8"},
		{"many authorities", times("certificateAuthorities", 65), "certificateAuthorities: 65 of them"},
		{"window backwards", edit("certificateAuthorities.0.validFor", map[string]any{"start": longer, "end": long}), "certificateAuthorities[0]: validFor: it ends before it starts"},
		{"timestamps by a leaf alone", string(parsed(t, good).set("timestampAuthorities.0.certChain.certificates", []any{parsed(t, good).get("timestampAuthorities.0.certChain.certificates.0")}).bytes()), "timestampAuthorities[0]: certChain: no root"},
		{"timestamps' window backwards", edit("timestampAuthorities.0.validFor", map[string]any{"start": longer, "end": long}), "timestampAuthorities[0]: validFor"},
		{"nobody tells the time", string(parsed(t, good).set("timestampAuthorities", nil).set("tlogs", nil).bytes()), "neither tlogs nor timestampAuthorities"},
		{"log without an id", edit("tlogs.0.logId", nil), "tlogs[0]: "},
		{"log with an empty id", edit("tlogs.0.logId.keyId", ""), "tlogs[0]: "},
		{"log twice", times("tlogs", 2), "tlogs[1]: logId.keyId: "},
		{"many logs", times("tlogs", 65), "tlogs: 65 of them"},
		{"log without a key", edit("tlogs.0.publicKey", nil), "tlogs[0]: "},
		{"log's key is none", edit("tlogs.0.publicKey.rawBytes", "AAAA"), "tlogs[0]: "},
		{"log's key of another kind", edit("tlogs.0.publicKey.keyDetails", "PKIX_ECDSA_P256_SHA_256"), "tlogs[0]: "},
		{"log by SHA-512", edit("tlogs.0.hashAlgorithm", "SHA2_512"), "tlogs[0]: "},
		{"log's key without a time", edit("tlogs.0.publicKey.validFor", nil), "tlogs[0]: "},
		{"log's key without a start", edit("tlogs.0.publicKey.validFor", map[string]any{"end": longer}), "tlogs[0]: "},
		{"log's window backwards", edit("tlogs.0.publicKey.validFor", map[string]any{"start": longer, "end": long}), "tlogs[0]: publicKey.validFor: it ends"},
		{"certificate log twice", times("ctlogs", 2), "ctlogs[1]: logId.keyId: "},
		{"too long", string(good) + strings.Repeat(" ", 1<<20), "want at most"},
		{"too many", strings.Repeat(string(good)+"\n", 17), "more than 16"},
		{"second is bad", string(good) + "\n" + `{"mediaType":"x"}`, `trusted root 2 of 2: mediaType: got "x"`},
		{"hundred thousand brackets", strings.Repeat("[", 100_000), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, err := keyless.ParseTrustedRoot([]byte(c.data))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v; want an error with %q", tr, err, c.want)
			} else if len(err.Error()) > 800 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

// TestParseTrustedRootForms: one file however laid out, or several behind each
// other.
func TestParseTrustedRootForms(t *testing.T) {
	a, b := keylesstest.New(t, keylesstest.Options{Name: "a"}), keylesstest.New(t, keylesstest.Options{Name: "b", NoLog: true, NoCT: true})
	for name, data := range map[string]string{
		"lines":         string(a.TrustedRoot()) + "\n" + string(b.TrustedRoot()) + "\n",
		"CR LF":         string(a.TrustedRoot()) + "\r\n\r\n" + string(b.TrustedRoot()),
		"without lines": string(b.TrustedRoot()) + string(a.TrustedRoot()),
		"indented":      strings.ReplaceAll(string(a.TrustedRoot()), ",", ",\n  ") + "\n" + string(b.TrustedRoot()),
	} {
		tr := trusting(t, []byte(data))
		for _, s := range []*keylesstest.Sigstore{a, b} {
			v, err := tr.Verify(s.Sign(t, statement).Bundle)
			if err != nil || v.Root != fmt.Sprintf("%q", s.Name) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !strings.Contains(tr.Source(), `"a"`) || !strings.Contains(tr.Source(), ` and `) {
			t.Errorf("%s: source %s", name, tr.Source())
		}
	}
}

// TestEmbedded: the copies are those whose origin roots/README.md tells.
func TestEmbedded(t *testing.T) {
	readme, err := os.ReadFile("roots/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for file, date := range map[string]string{
		"public-good.trusted_root.json": "2026-08-21", "public-good.tuf_root.json": "2026-08-21",
		"github.trusted_root.json": "2026-06-29", "github.tuf_root.json": "2026-06-29",
	} {
		data, err := os.ReadFile("roots/" + file)
		if err != nil {
			t.Fatal(err)
		}
		row := ""
		for _, line := range strings.Split(string(readme), "\n") {
			if strings.HasPrefix(line, "| `"+file+"`") {
				row = line
			}
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256(data)); !strings.Contains(row, sum) || !strings.Contains(row, "| "+date+" |") {
			t.Errorf("%s: the README's row is not of %s, %s:\n%s", file, sum, date, row)
		}
	}
	for p, want := range map[keyless.Profile]string{
		keyless.PublicGood: "public-good Sigstore, embedded trusted root of 2026-08-21",
		keyless.GitHub:     "GitHub's own Sigstore, embedded trusted root of 2026-06-29",
	} {
		if got := keyless.Embedded(p).Source(); got != want {
			t.Errorf("source: got %q, want %q", got, want)
		}
	}
	both := keyless.Join(keyless.Embedded(keyless.PublicGood), keyless.Embedded(keyless.GitHub), keyless.Embedded(keyless.GitHub))
	if got := both.Source(); strings.Count(got, ";") != 1 {
		t.Errorf("joined source: %q", got)
	}
}

// TestGitHubRootIsOne: all authorities of GitHub's instance descend from one
// certificate, and it has no log that would make its bundles public.
func TestGitHubRootIsOne(t *testing.T) {
	data, err := os.ReadFile("roots/github.trusted_root.json")
	if err != nil {
		t.Fatal(err)
	}
	d := parsed(t, data)
	roots := map[string]int{}
	for _, member := range []string{"certificateAuthorities", "timestampAuthorities"} {
		for n := range d.get(member).([]any) {
			chain := d.get(fmt.Sprintf("%s.%d.certChain.certificates", member, n)).([]any)
			last := chain[len(chain)-1].(map[string]any)["rawBytes"].(string)
			raw, err := base64.StdEncoding.DecodeString(last)
			if err != nil {
				t.Fatal(err)
			}
			roots[fmt.Sprintf("%x", sha256.Sum256(raw))]++
		}
	}
	if len(roots) != 1 {
		t.Errorf("%d roots: %v", len(roots), roots)
	}
	for _, member := range []string{"tlogs", "ctlogs"} {
		if list, ok := d.v.(map[string]any)[member].([]any); ok && len(list) > 0 {
			t.Errorf("%d %s", len(list), member)
		}
	}
}
