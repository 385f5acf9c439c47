package slsa

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	serrors "github.com/slsa-framework/slsa-verifier/v2/errors"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

func bundleFile(t testing.TB, parts ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "testdata", "bundles"}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const (
	containerBuilder = generator + "builder_container-based_slsa3.yml@refs/tags/v1.7.0"
	hostedRunner     = npmRunner + "/github-hosted"
)

// foreign are real bundles and whom they claim.
var foreign = []struct {
	file []string
	want Claim
}{
	{[]string{"slsa-verifier", "MODULE.bazel.intoto.jsonl"}, Claim{KindGitHub, bcrPublish + "@refs/tags/v0.0.1"}},
	{[]string{"slsa-verifier", "rules_lint-v1.3.1.tar.gz.intoto.jsonl"}, Claim{KindGitHub, bcrReleaser + "@refs/tags/v7.1.0"}},
	{[]string{"slsa-verifier", "gha_container-based-binary-linux-amd64-v14.2.intoto.sigstore"}, Claim{KindArtifact, containerBuilder}},
	{[]string{"slsa-verifier", "gundam-visor-cli-v1-tag.tgz.json"}, Claim{KindNpm, hostedRunner}},
	{[]string{"slsa-verifier", "supreme-googles-cli-v02-tag.tgz.json"}, Claim{KindNpm, npmRunner}},
	{[]string{"slsa-verifier", "provenance-npm-test-ossf.tgz.json"}, Claim{KindNpm, generator + "builder_nodejs_slsa3.yml@refs/tags/v1.6.0"}},
}

// others are real bundles that slsa-verifier has no say on. The forged one's
// predicate names a builder that it knows; the certificate does not.
var others = [][]string{
	{"slsa-verifier", "MODULE-wrong-signer.bazel.intoto.jsonl"},
	{"sigstore-go", "sigstore.js@2.0.0-provenance.sigstore.json"},
	{"sigstore-go", "bundle-provenance.json"},
	{"sigstore-go", "bundle-publish.json"},
	{"sigstore-go", "dsse.sigstore.json"},
	{"sigstore-go", "othername.sigstore.json"},
	{"sigstore-go", "public-good.trusted_root.json"},
}

func TestRecognise(t *testing.T) {
	for _, tt := range foreign {
		got, err := Recognise(bundleFile(t, tt.file...))
		if err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v, want %+v", tt.file, got, err, tt.want)
		}
	}
	for _, file := range others {
		got, err := Recognise(bundleFile(t, file...))
		if !errors.Is(err, ErrNotForeign) || got != (Claim{}) {
			t.Errorf("%s: %+v, %v, want ErrNotForeign", file, got, err)
		}
	}
}

// dsseOf is an envelope without a certificate, as the generator's first releases
// wrote it.
func dsseOf(t testing.TB, statement string) []byte {
	t.Helper()
	data, err := strictjson.Marshal(map[string]any{"payload": []byte(statement), "signatures": []any{map[string]string{"sig": ""}}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRecogniseEnvelope(t *testing.T) {
	statement := func(builder string) string {
		return `{"predicateType":"https://slsa.dev/provenance/v0.2","predicate":{"builder":{"id":"` + builder + `"}}}`
	}
	for _, tt := range []struct {
		name, statement string
		want            Claim
		err             error
	}{
		{"generator", statement(goBuilder + "@refs/tags/v1.2.3"), Claim{KindArtifact, goBuilder + "@refs/tags/v1.2.3"}, nil},
		{"generator, SLSA v1", strings.ReplaceAll(strings.Replace(statement(goBuilder+"@refs/tags/v1.2.3"), "v0.2", "v1", 1), `{"builder":{"id":"`+goBuilder+`@refs/tags/v1.2.3"}}`,
			`{"runDetails":{"builder":{"id":"`+goBuilder+`@refs/tags/v1.2.3"}}}`), Claim{KindArtifact, goBuilder + "@refs/tags/v1.2.3"}, nil},
		{"generator at a branch", statement(goBuilder + "@refs/heads/main"), Claim{}, serrors.ErrorInvalidRef},
		{"generator at a candidate", statement(goBuilder + "@refs/tags/v1.2.3-rc.1"), Claim{}, serrors.ErrorInvalidRef},
		{"generator without a ref", statement(goBuilder), Claim{}, serrors.ErrorInvalidFormat},
		{"generator with two refs", statement(goBuilder + "@refs/tags/v1.2.3@x"), Claim{}, serrors.ErrorInvalidFormat},
		{"somebody", statement("https://github.com/acme/tools/.github/workflows/release.yml@refs/tags/v1.2.3"), Claim{}, ErrNotForeign},
		{"the generator's name in another place", statement("https://evil.example/" + goBuilder + "@refs/tags/v1.2.3"), Claim{}, ErrNotForeign},
		{"no builder", statement(""), Claim{}, ErrNotForeign},
		{"long builder", statement(goBuilder + strings.Repeat("x", maxID)), Claim{}, ErrNotForeign},
		{"no provenance", strings.Replace(statement(goBuilder+"@refs/tags/v1.2.3"), "provenance", "vsa", 1), Claim{}, ErrNotForeign},
		{"no JSON", "x", Claim{}, ErrNotForeign},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Recognise(dsseOf(t, tt.statement))
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("%+v, %v, want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestRecogniseRefuses(t *testing.T) {
	real := bundleFile(t, "slsa-verifier", "MODULE.bazel.intoto.jsonl")
	for _, tt := range []struct {
		name string
		data []byte
	}{
		{"nothing", nil},
		{"null", []byte("null")},
		{"list", []byte("[]")},
		{"empty object", []byte("{}")},
		{"no attestations", []byte(`{"attestations":[]}`)},
		{"many attestations", []byte(`{"attestations":[{}` + strings.Repeat(",{}", maxAttestations) + `]}`)},
		{"bundle without an envelope", []byte(`{"attestations":[{"predicateType":"https://slsa.dev/provenance/v1","bundle":{}}]}`)},
		{"two values", append(bytes.Clone(real), real...)},
		{"a member twice", bytes.Replace(real, []byte(`{"mediaType"`), []byte(`{"dsseEnvelope":{},"mediaType"`), 1)},
		{"certificate that is none", bytes.Replace(real, []byte(`"rawBytes":"MII`), []byte(`"rawBytes":"AAA`), 1)},
		{"too large", make([]byte, maxProvenance+1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if bytes.Equal(tt.data, real) {
				t.Fatal("nothing was changed")
			}
			if got, err := Recognise(tt.data); !errors.Is(err, ErrNotForeign) || got != (Claim{}) {
				t.Errorf("%+v, %v, want ErrNotForeign", got, err)
			}
		})
	}
}

func FuzzRecognise(f *testing.F) {
	for _, tt := range foreign {
		f.Add(bundleFile(f, tt.file...))
	}
	for _, file := range others {
		f.Add(bundleFile(f, file...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Recognise(data)
		if (err == nil) == (c == Claim{}) {
			t.Fatalf("%+v, %v", c, err)
		}
		if len(c.BuilderID) > maxProvenance {
			t.Fatal("long builder")
		}
	})
}

func TestSourceURI(t *testing.T) {
	const want = "git+https://github.com/acme/tools"
	for _, in := range []string{"https://github.com/acme/tools", "https://github.com/acme/tools.git", "https://github.com/acme/tools/", "github.com/acme/tools", want} {
		if got, err := SourceURI(in); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "acme/tools", "https://gitlab.com/acme/tools", "https://github.com/acme", "https://github.com/acme/", "https://github.com//tools",
		"https://github.com/acme/tools/tree/main", "https://github.com/acme/tools@v1", "https://github.com/acme/tools?x", "http://github.com/acme/tools",
		"git@github.com:acme/tools", "https://github.com.evil.example/acme/tools", "https://user@github.com/acme/tools",
	} {
		if got, err := SourceURI(in); !errors.Is(err, serrors.ErrorMalformedURI) {
			t.Errorf("%q: %q, %v, want an error", in, got, err)
		}
	}
}
