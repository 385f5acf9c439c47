package slsa

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/url"
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

// TestRecogniseSigner: the certificate says who signed; a delegator vouches for
// the builder that the predicate names.
func TestRecogniseSigner(t *testing.T) {
	const theirs = "https://github.com/acme/builder/.github/workflows/build.yml@refs/tags/v1.0.0"
	for _, tt := range []struct {
		signer string
		want   Claim
		err    error
	}{
		{delegator + "generic_slsa3.yml@refs/tags/v2.0.0", Claim{KindArtifact, theirs}, nil},
		{delegator + "generic_slsa3.yml@refs/heads/main", Claim{}, serrors.ErrorInvalidRef},
		{goBuilder + "@refs/tags/v2.0.0", Claim{KindArtifact, goBuilder + "@refs/tags/v2.0.0"}, nil},
		{bcrReleaser + "@refs/tags/v7.0.0", Claim{KindGitHub, bcrReleaser + "@refs/tags/v7.0.0"}, nil},
		{bcrReleaser + "x@refs/tags/v7.0.0", Claim{}, ErrNotForeign},
		{theirs, Claim{}, ErrNotForeign},
	} {
		statement := `{"predicateType":"https://slsa.dev/provenance/v1","predicate":{"runDetails":{"builder":{"id":"` + theirs + `"}}}}`
		der := certificateOf(t, tt.signer)
		for form, data := range map[string]any{
			"envelope": map[string]any{
				"payload":    []byte(statement),
				"signatures": []any{map[string]any{"cert": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}},
			},
			"bundle v0.3": map[string]any{
				"verificationMaterial": map[string]any{"certificate": map[string]any{"rawBytes": der}},
				"dsseEnvelope":         map[string]any{"payload": []byte(statement)},
			},
			"bundle v0.1": map[string]any{
				"verificationMaterial": map[string]any{"x509CertificateChain": map[string]any{"certificates": []any{map[string]any{"rawBytes": der}}}},
				"dsseEnvelope":         map[string]any{"payload": []byte(statement)},
			},
		} {
			text, err := strictjson.Marshal(data)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := Recognise(text); got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("%s by %s: %+v, %v, want %+v, %v", form, tt.signer, got, err, tt.want, tt.err)
			}
		}
	}
}

// certificateOf makes a certificate that nobody signed.
func certificateOf(t testing.TB, signer string) []byte {
	t.Helper()
	uri, err := url.Parse(signer)
	if err != nil {
		t.Fatal(err)
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), URIs: []*url.URL{uri}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestRecogniseRefuses(t *testing.T) {
	real := bundleFile(t, "slsa-verifier", "MODULE.bazel.intoto.jsonl")
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"nothing", nil, "strict JSON"},
		{"null", []byte("null"), "strict JSON"},
		{"list", []byte("[]"), "strict JSON"},
		{"empty object", []byte("{}"), "payload"},
		{"no attestations", []byte(`{"attestations":[]}`), "without provenance"},
		{"many attestations", []byte(`{"attestations":[{}` + strings.Repeat(",{}", maxAttestations) + `]}`), "at most"},
		{"bundle without an envelope", []byte(`{"attestations":[{"predicateType":"https://slsa.dev/provenance/v1","bundle":{}}]}`), "without a DSSE envelope"},
		{"two values", append(bytes.Clone(real), real...), "strict JSON"},
		{"a member twice", bytes.Replace(real, []byte(`{"mediaType"`), []byte(`{"dsseEnvelope":{},"mediaType"`), 1), "strict JSON"},
		{"certificate that is none", bytes.Replace(real, []byte(`"rawBytes":"MII`), []byte(`"rawBytes":"AAA`), 1), "certificate"},
		{"too large", make([]byte, maxProvenance+1), "at most"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if bytes.Equal(tt.data, real) {
				t.Fatal("nothing was changed")
			}
			if got, err := Recognise(tt.data); !errors.Is(err, ErrNotForeign) || got != (Claim{}) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v, %v, want ErrNotForeign: %s", got, err, tt.want)
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
