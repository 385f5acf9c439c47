package keyless_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/seal"
)

// corpusDir has bundles that others made; its README says who.
const corpusDir = "../../testdata/bundles"

// verdict is what must come of a bundle: where stage is empty it passes, else
// it is refused at that stage, in an error that contains reason. A bundle that
// is refused for another reason than its own proves nothing about the check that
// it was made for.
type verdict struct {
	stage  keyless.Stage
	reason string
}

func (v verdict) check(t *testing.T, got *keyless.Verified, err error) {
	t.Helper()
	if v.stage == "" {
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		if got == nil || got.Time.IsZero() || got.Certificate.SAN == "" || got.Certificate.Issuer == "" || got.Key.Key == nil {
			t.Fatalf("accepted without saying who, when or by which key: %+v", got)
		}
		return
	}
	if err == nil {
		t.Fatalf("accepted as signed by %q at %v; want it refused at stage %q", got.Certificate.SAN, got.Time, v.stage)
	}
	if got != nil {
		t.Errorf("an error, and beside it a result that looks verified: %+v", got)
	}
	var e *keyless.Error
	if !errors.As(err, &e) {
		t.Fatalf("error of type %T, want *keyless.Error: %v", err, err)
	}
	if e.Stage != v.stage || !strings.Contains(err.Error(), v.reason) {
		t.Errorf("refused for another reason:\ngot  %q: %v\nwant %q: … %s", e.Stage, err, v.stage, v.reason)
	}
}

func corpusFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(corpusDir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// corpusBundle reads a bundle. NAME#N is the Nth of a file with npm's answer to
// a request for a package's attestations.
func corpusBundle(t testing.TB, name string) []byte {
	t.Helper()
	file, index, many := strings.Cut(name, "#")
	if !many {
		return corpusFile(t, file)
	}
	var answer struct {
		Attestations []struct {
			Bundle json.RawMessage `json:"bundle"`
		} `json:"attestations"`
	}
	if err := json.Unmarshal(corpusFile(t, file), &answer); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	n := int(index[0] - '0')
	if n >= len(answer.Attestations) {
		t.Fatalf("%s has %d attestations", file, len(answer.Attestations))
	}
	return answer.Attestations[n].Bundle
}

func corpusTrust(t testing.TB, name string) *keyless.Trust {
	t.Helper()
	if name == "" {
		return keyless.Embedded(keyless.PublicGood)
	}
	trust, err := keyless.ParseTrustedRoot(corpusFile(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return trust
}

const (
	scaffolding = "sigstore-go/scaffolding.trusted_root.json"
	publicGood  = "sigstore-go/public-good.trusted_root.json"

	gundamVisor = "8d9d7972f676516c75014aa074e11ae604d98f0b64ec6725a61e2838ff3dab162118fa71433fb31e1550d30bd0dec9d086ce032b94457b583900c507acf39c40"
	sigstore130 = "76176ffa33808b54602c7c35de5c6e9a4deb96066dba6533f50ac234f4f1f4c6b3527515dc17c06fbe2860030f410eee69ea20079bd3a2c6f3dcf3b329b10751"
	sigstore200 = "46d4e2f74c4877316640000a6fdf8a8b59f1e0847667973e9859f774dd31b8f1e0937813b777fb66a2ac67d50540fe34640966eee9fc2ccca387082b4c85cd3c"
	moduleBazel = "06ce330900a7d6403bc8d88e5dfad6aeeb8ae40179f66bb89e69c8bf6f6b1a0b"
	otherName   = "bc103b4a84971ef6459b294a2b98568a2bfb72cded09d4acd1e16366a401f95b"
	rulesLint   = "1636f443b01c9ee310ee5834956d0dce374c3d3bf8d4cebc9f6b86f8304b4982"
)

// realBundles are all those of the corpus. Where digest is empty the bundle is
// verified without an artifact.
var realBundles = []struct {
	bundle, root string
	// digest of the artifact, sha256 or sha512 by its length.
	digest string
	// signer is the SAN that the certificate must have, issuer its issuer.
	signer, issuer string
	want           verdict
}{
	{bundle: "slsa-verifier/MODULE.bazel.intoto.jsonl", digest: moduleBazel,
		signer: "https://github.com/bazel-contrib/publish-to-bcr/.github/workflows/publish.yaml@refs/tags/v0.0.1", issuer: seal.GitHubIssuer},
	{bundle: "slsa-verifier/rules_lint-v1.3.1.tar.gz.intoto.jsonl", digest: rulesLint,
		signer: "https://github.com/bazel-contrib/.github/.github/workflows/release_ruleset.yaml@refs/tags/v7.1.0", issuer: seal.GitHubIssuer},
	// The forgery passes here, under the forger's name: that its predicate lies
	// is for package provenance to find.
	{bundle: "slsa-verifier/MODULE-wrong-signer.bazel.intoto.jsonl", digest: moduleBazel,
		signer: "https://github.com/loosebazooka/aa-test/.github/workflows/malicious_attestation.yaml@refs/heads/main", issuer: seal.GitHubIssuer},
	{bundle: "slsa-verifier/gundam-visor-cli-v1-tag.tgz.json#1", digest: gundamVisor, issuer: seal.GitHubIssuer,
		signer: "https://github.com/ramonpetgrave64/gundam-visor/.github/workflows/npm-publish.yml@refs/tags/v1.0.1"},
	{bundle: "slsa-verifier/supreme-googles-cli-v02-tag.tgz.json#1", issuer: seal.GitHubIssuer,
		signer: "https://github.com/trishankatdatadog/supreme-goggles/.github/workflows/npm-publish.yml@refs/tags/v1.0.5"},
	{bundle: "slsa-verifier/provenance-npm-test-ossf.tgz.json#1", issuer: seal.GitHubIssuer,
		signer: "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/delegator_lowperms-generic_slsa3.yml@refs/tags/v1.6.0"},
	{bundle: "slsa-verifier/gha_container-based-binary-linux-amd64-v14.2.intoto.sigstore", issuer: seal.GitHubIssuer,
		signer: "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/builder_container-based_slsa3.yml@refs/tags/v1.7.0"},
	{bundle: "sigstore-go/bundle-provenance.json", digest: sigstore130, issuer: seal.GitHubIssuer,
		signer: "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main"},
	{bundle: "sigstore-go/bundle-provenance.json", root: publicGood, digest: sigstore130, issuer: seal.GitHubIssuer,
		signer: "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main"},
	{bundle: "sigstore-go/sigstore.js@2.0.0-provenance.sigstore.json", digest: sigstore200, issuer: seal.GitHubIssuer,
		signer: "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main"},
	// People sign, too.
	{bundle: "sigstore-go/dsse.sigstore.json", signer: "brian@dehamer.com", issuer: "https://github.com/login/oauth"},
	{bundle: "sigstore-go/othername.sigstore.json", root: scaffolding, digest: otherName, signer: "foo!oidc.local", issuer: "http://oidc.local:8080"},

	// A statement of another artifact.
	{bundle: "slsa-verifier/MODULE.bazel.intoto.jsonl", digest: rulesLint,
		want: verdict{keyless.StagePayload, "none of the statement's 1 subjects"}},
	// Tampered with after it was signed.
	{bundle: "slsa-verifier/gundam-visor-cli-v1-tag-invalidsigprov.tgz.json#1", digest: gundamVisor,
		want: verdict{keyless.StageLog, "does not match envelope payload hash"}},
	// Signed by npm's own key, which no certificate names.
	{bundle: "slsa-verifier/gundam-visor-cli-v1-tag.tgz.json#0", want: verdict{keyless.StageKey, "bare key"}},
	{bundle: "slsa-verifier/supreme-googles-cli-v02-tag.tgz.json#0", want: verdict{keyless.StageKey, "bare key"}},
	{bundle: "slsa-verifier/provenance-npm-test-ossf.tgz.json#0", want: verdict{keyless.StageKey, "bare key"}},
	{bundle: "sigstore-go/bundle-publish.json", want: verdict{keyless.StageKey, "bare key"}},
	{bundle: "sigstore-go/public-key-validity.sigstore.json", want: verdict{keyless.StageKey, "bare key"}},
	{bundle: "sigstore-go/dsse-2sigs.sigstore.json", want: verdict{keyless.StageBundle, "2 signatures, want 1"}},
	// Of other instances than the root's.
	{bundle: "sigstore-go/othername.sigstore.json", digest: otherName, want: verdict{keyless.StageAuthority, "issued by"}},
	{bundle: "sigstore-go/othername.sigstore.json", root: scaffolding, digest: moduleBazel, want: verdict{keyless.StageSignature, "artifact does not match digest"}},
	{bundle: "sigstore-go/othername.sigstore.json", root: scaffolding, want: verdict{keyless.StagePayload, "signs an artifact's bytes"}},
	{bundle: "slsa-verifier/MODULE.bazel.intoto.jsonl", root: scaffolding, digest: moduleBazel, want: verdict{keyless.StageAuthority, "issued by"}},
	{bundle: "sigstore-go/bundle-provenance.json", root: scaffolding, digest: sigstore130, want: verdict{keyless.StageAuthority, "issued by"}},
}

func TestRealBundles(t *testing.T) {
	for _, c := range realBundles {
		t.Run(c.bundle+" "+c.root, func(t *testing.T) {
			trust, data := corpusTrust(t, c.root), corpusBundle(t, c.bundle)
			var got *keyless.Verified
			var err error
			if c.digest == "" {
				got, err = trust.Verify(data)
			} else {
				got, err = trust.VerifyArtifact(data, algorithmOf(c.digest), unhex(t, c.digest))
			}
			c.want.check(t, got, err)
			if c.want.stage != "" {
				return
			}
			if got.Certificate.SAN != c.signer || got.Certificate.Issuer != c.issuer {
				t.Errorf("signed by %q of %q, want %q of %q", got.Certificate.SAN, got.Certificate.Issuer, c.signer, c.issuer)
			}
			if !got.Logged || got.Time.Before(got.NotBefore) || got.Time.After(got.NotAfter) {
				t.Errorf("logged: %v, at %v by a certificate of %v to %v", got.Logged, got.Time, got.NotBefore, got.NotAfter)
			}
		})
	}
}

// TestRealBundlesByPath hashes the artifacts that the corpus has, instead of
// taking their digests from a table.
func TestRealBundlesByPath(t *testing.T) {
	for bundle, artifact := range map[string]string{
		"slsa-verifier/MODULE.bazel.intoto.jsonl":              "slsa-verifier/MODULE.bazel",
		"slsa-verifier/MODULE-wrong-signer.bazel.intoto.jsonl": "slsa-verifier/MODULE.bazel",
		"slsa-verifier/gundam-visor-cli-v1-tag.tgz.json#1":     "slsa-verifier/gundam-visor-cli-v1-tag.tgz",
		"slsa-verifier/supreme-googles-cli-v02-tag.tgz.json#1": "slsa-verifier/supreme-googles-cli-v02-tag.tgz",
	} {
		t.Run(bundle, func(t *testing.T) {
			trust, data := corpusTrust(t, ""), corpusBundle(t, bundle)
			artifact := corpusFile(t, artifact)
			passed := 0
			short, long := sha256.Sum256(artifact), sha512.Sum512(artifact)
			for _, digest := range [][]byte{short[:], long[:]} {
				got, err := trust.VerifyArtifact(data, algorithmOf(hex.EncodeToString(digest)), digest)
				if err == nil {
					passed++
					continue
				}
				// A statement names its subjects by one algorithm.
				verdict{keyless.StagePayload, "none of the statement's"}.check(t, got, err)
			}
			if passed != 1 {
				t.Errorf("%d of the artifact's two digests are found, want 1", passed)
			}
		})
	}
}

func algorithmOf(digest string) string {
	if len(digest) == 2*sha512.Size {
		return "sha512"
	}
	return "sha256"
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
