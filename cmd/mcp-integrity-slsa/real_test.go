package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	_ "unsafe" // for go:linkname

	rekor "github.com/sigstore/rekor/pkg/client"
	rekorapi "github.com/sigstore/rekor/pkg/generated/client"
	"github.com/sigstore/sigstore-go/pkg/root"
)

// What the library fetches once for a run. Neither TUF nor Rekor can be reached
// in a test, and the library lets nobody name others, so a test puts in its
// place what it keeps: the rest of the way is the real one.

//go:linkname libraryRoot github.com/slsa-framework/slsa-verifier/v2/verifiers/utils.trustedRoot
var libraryRoot *root.LiveTrustedRoot

//go:linkname libraryRootOnce github.com/slsa-framework/slsa-verifier/v2/verifiers/utils.trustedRootOnce
var libraryRootOnce *sync.Once

//go:linkname libraryNpmKey github.com/slsa-framework/slsa-verifier/v2/verifiers/internal/gha.attestationKeyAtomicValue
var libraryNpmKey atomic.Value

//go:linkname libraryRekor github.com/slsa-framework/slsa-verifier/v2/verifiers/internal/gha.defaultRekorClient
var libraryRekor *rekorapi.Rekor

//go:linkname libraryRekorOnce github.com/slsa-framework/slsa-verifier/v2/verifiers/internal/gha.defaultRekorClientOnce
var libraryRekorOnce *sync.Once

// npmKey is the npm registry's key SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA.
const npmKey = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1Olb3zMAFFxXKHiIkQO5cJ3Yhl5i6UPp+IhuteBJbuHcA5UogKo0EWtlWwW6KSaKoTNEYL7JlCQiVnkhBktUgg=="

// withRoots gives the library the public instance's root of 2025 and npm's key.
func withRoots(t *testing.T) {
	t.Helper()
	r, err := root.NewTrustedRootFromPath(filepath.Join("..", "..", "testdata", "bundles", "sigstore-go", "public-good.trusted_root.json"))
	if err != nil {
		t.Fatal(err)
	}
	oldRoot, oldOnce := libraryRoot, libraryRootOnce
	libraryRoot, libraryRootOnce = &root.LiveTrustedRoot{TrustedRoot: r}, done()
	libraryNpmKey.Store(npmKey)
	t.Cleanup(func() { libraryRoot, libraryRootOnce = oldRoot, oldOnce })
}

// withRekor makes the library ask a log that answers as handler does.
func withRekor(t *testing.T, handler http.HandlerFunc) {
	t.Helper()
	server := httptest.NewServer(handler)
	client, err := rekor.GetRekorClient(server.URL, rekor.WithRetryCount(0))
	if err != nil {
		t.Fatal(err)
	}
	oldClient, oldOnce := libraryRekor, libraryRekorOnce
	libraryRekor, libraryRekorOnce = client, done()
	t.Cleanup(func() {
		libraryRekor, libraryRekorOnce = oldClient, oldOnce
		server.Close()
	})
}

func done() *sync.Once {
	var o sync.Once
	o.Do(func() {})
	return &o
}

// bundleFile reads one of the bundles that slsa-verifier tests itself with.
func bundleFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "bundles", "slsa-verifier", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const (
	bcrPublish       = "https://github.com/bazel-contrib/publish-to-bcr/.github/workflows/publish.yaml"
	bcrReleaser      = "https://github.com/bazel-contrib/.github/.github/workflows/release_ruleset.yaml"
	nodeBuilder      = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/builder_nodejs_slsa3.yml"
	containerBuilder = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/builder_container-based_slsa3.yml@refs/tags/v1.7.0"
	hosted           = "https://github.com/actions/runner/github-hosted"
)

func sha256Of(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// moduleBazel is the question that MODULE.bazel's attestation answers.
func moduleBazel(t testing.TB) request {
	return request{
		Kind: kindGitHub, Digest: sha256Of(bundleFile(t, "MODULE.bazel")), Provenance: bundleFile(t, "MODULE.bazel.intoto.jsonl"),
		SourceURI: "git+https://github.com/aspect-build/rules_lint", BuilderID: bcrPublish,
	}
}

// gundam is the question that an npm package's attestations answer.
func gundam(t testing.TB) request {
	sum := sha512.Sum512(bundleFile(t, "gundam-visor-cli-v1-tag.tgz"))
	return request{
		Kind: kindNpm, Digest: "sha512:" + hex.EncodeToString(sum[:]), Provenance: bundleFile(t, "gundam-visor-cli-v1-tag.tgz.json"),
		SourceURI: "git+https://github.com/ramonpetgrave64/gundam-visor", BuilderID: hosted,
		Package: &npmPackage{Name: "gundam-visor", Version: "1.0.1"},
	}
}

// supreme is the same for npm's older provenance, SLSA v0.2.
func supreme(t testing.TB) request {
	sum := sha512.Sum512(bundleFile(t, "supreme-googles-cli-v02-tag.tgz"))
	return request{
		Kind: kindNpm, Digest: "sha512:" + hex.EncodeToString(sum[:]), Provenance: bundleFile(t, "supreme-googles-cli-v02-tag.tgz.json"),
		SourceURI: "git+https://github.com/trishankatdatadog/supreme-goggles", BuilderID: hosted,
		Package: &npmPackage{Name: "@trishankatdatadog/supreme-goggles", Version: "1.0.5"},
	}
}

// delegated is the question to an npm package that slsa-github-generator's
// delegator built and signed.
func delegated(t testing.TB) request {
	p := bundleFile(t, "provenance-npm-test-ossf.tgz.json")
	_, bundle, err := npmPair(p)
	if err != nil {
		t.Fatal(err)
	}
	return request{
		Kind: kindNpm, Digest: "sha512:" + subjectOf(t, bundle)["sha512"], Provenance: p,
		SourceURI: "git+https://github.com/laurentsimon/provenance-npm-test", BuilderID: nodeBuilder,
		Package: &npmPackage{Name: "@laurentsimon/provenance-npm-test", Version: "1.0.5"},
	}
}

// container is the question to a bundle of slsa-github-generator.
func container(t testing.TB) request {
	p := bundleFile(t, "gha_container-based-binary-linux-amd64-v14.2.intoto.sigstore")
	return request{
		Kind: kindArtifact, Digest: "sha256:" + subjectOf(t, p)["sha256"], Provenance: p,
		SourceURI: "git+https://github.com/slsa-framework/example-package",
	}
}

// subjectOf returns the digests of a bundle's first subject.
func subjectOf(t testing.TB, bundle []byte) map[string]string {
	t.Helper()
	var b struct {
		Envelope struct {
			Payload []byte `json:"payload"`
		} `json:"dsseEnvelope"`
	}
	var s struct {
		Subject []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	if json.Unmarshal(bundle, &b) != nil || json.Unmarshal(b.Envelope.Payload, &s) != nil || len(s.Subject) == 0 {
		t.Fatal("the bundle has no subject")
	}
	return s.Subject[0].Digest
}

func TestRealBundles(t *testing.T) {
	withRoots(t)
	withRekor(t, http.NotFound)
	other := strings.Repeat("0", 128)
	for _, tt := range []struct {
		name   string
		r      func(testing.TB) request
		change func(*request)
		// reason is "" for a pass by builder.
		reason, builder string
	}{
		{"bcr", moduleBazel, nil, "", bcrPublish + "@refs/tags/v0.0.1"},
		{"bcr, builder with its tag", moduleBazel, func(r *request) { r.BuilderID += "@v0.0.1" }, "", bcrPublish + "@refs/tags/v0.0.1"},
		{"bcr, large artifact", moduleBazel, func(r *request) {
			r.Provenance = bundleFile(t, "rules_lint-v1.3.1.tar.gz.intoto.jsonl")
			r.Digest, r.BuilderID = "sha256:1636f443b01c9ee310ee5834956d0dce374c3d3bf8d4cebc9f6b86f8304b4982", bcrReleaser
		}, "", bcrReleaser + "@refs/tags/v7.1.0"},
		{"bcr, another artifact", moduleBazel, func(r *request) { r.Digest = "sha256:" + other[:64] }, "mismatch_hash", ""},
		{"bcr, another source", moduleBazel, func(r *request) { r.SourceURI += "2" }, "mismatch_source", ""},
		{"bcr, another builder", moduleBazel, func(r *request) { r.BuilderID = bcrReleaser }, "untrusted_reusable_workflow", ""},
		{"bcr, another tag of the builder", moduleBazel, func(r *request) { r.BuilderID += "@v0.0.2" }, "untrusted_reusable_workflow", ""},
		{"bcr, forged predicate", moduleBazel, func(r *request) {
			r.Provenance = bundleFile(t, "MODULE-wrong-signer.bazel.intoto.jsonl")
		}, "untrusted_reusable_workflow", ""},
		{"bcr, forged predicate, its real signer wanted", moduleBazel, func(r *request) {
			r.Provenance = bundleFile(t, "MODULE-wrong-signer.bazel.intoto.jsonl")
			r.SourceURI = "git+https://github.com/loosebazooka/aa-test"
			r.BuilderID = "https://github.com/loosebazooka/aa-test/.github/workflows/malicious_attestation.yaml"
		}, "invalid_ref", ""},
		{"npm's list as a GitHub attestation", moduleBazel, func(r *request) { r.Provenance = gundam(t).Provenance }, reasonUnsupported, ""},

		{"npm", gundam, nil, "", hosted},
		{"npm, SLSA v0.2", supreme, nil, "", hosted},
		{"npm, another tarball", gundam, func(r *request) { r.Digest = "sha512:" + other }, "mismatch_hash", ""},
		{"npm, another name", gundam, func(r *request) { r.Package.Name = "gundam" }, "mismatch_package_name", ""},
		{"npm, another version", gundam, func(r *request) { r.Package.Version = "1.0.2" }, "mismatch_package_version", ""},
		{"npm, another source", gundam, func(r *request) { r.SourceURI += "s" }, "mismatch_source", ""},
		{"npm, self-hosted runner wanted", gundam, func(r *request) { r.BuilderID = "https://github.com/actions/runner/self-hosted" }, "mismatch_builder_id", ""},
		{"npm, tampered provenance", gundam, func(r *request) {
			r.Provenance = bundleFile(t, "gundam-visor-cli-v1-tag-invalidsigprov.tgz.json")
		}, "invalid_signature", ""},
		{"npm, a bundle by itself", gundam, func(r *request) { r.Provenance = moduleBazel(t).Provenance }, reasonNpm, ""},
		{"npm, the provenance twice", gundam, func(r *request) {
			r.Provenance = attestations(t, r.Provenance, func(a []any) []any { return append(a, a[1]) })
		}, reasonNpm, ""},
		{"npm, without publishing", gundam, func(r *request) {
			r.Provenance = attestations(t, r.Provenance, func(a []any) []any { return a[1:] })
		}, reasonNpm, ""},
		{"npm, with one more of another type", gundam, func(r *request) {
			r.Provenance = attestations(t, r.Provenance, func(a []any) []any {
				return append(a, map[string]any{"predicateType": "https://example.com/scan", "bundle": map[string]any{}})
			})
		}, "", hosted},
		{"npm, publish attestation of another package", gundam, func(r *request) {
			theirs := supreme(t).Provenance
			r.Provenance = attestations(t, r.Provenance, func(a []any) []any {
				attestations(t, theirs, func(b []any) []any { a[0] = b[0]; return b })
				return a
			})
		}, "mismatch_hash", ""},

		{"npm, delegated", delegated, nil, "", nodeBuilder + "@refs/tags/v1.6.0"},
		{"npm, delegated, its branch", delegated, func(r *request) { r.Branch = "dev" }, "mismatch_branch", ""},
		{"npm, delegated, npm's own builder wanted", delegated, func(r *request) { r.BuilderID = hosted }, "mismatch_builder_id", ""},
		{"npm, delegated, another digest", delegated, func(r *request) { r.Digest = "sha512:" + other }, "mismatch_hash", ""},

		{"container-based", container, nil, "", containerBuilder},
		{"container-based, another artifact", container, func(r *request) { r.Digest = "sha256:" + other[:64] }, "mismatch_hash", ""},
		{"container-based, another source", container, func(r *request) { r.SourceURI += "s" }, "mismatch_source", ""},
		{"container-based, another builder", container, func(r *request) { r.BuilderID = bcrPublish }, "untrusted_reusable_workflow", ""},
		{"container-based, another tag", container, func(r *request) { r.Tag = "v14.3" }, "mismatch_tag", ""},
		{"container-based, its tag", container, func(r *request) { r.Tag = "v14.2" }, "", containerBuilder},
		{"container-based, another version", container, func(r *request) { r.VersionedTag = "v14.3" }, "mismatch_versioned_tag", ""},
		{"container-based, its major version", container, func(r *request) { r.VersionedTag = "v14" }, "", containerBuilder},
		{"container-based, a branch wanted", container, func(r *request) { r.Branch = "dev" }, "mismatch_branch", ""},
		{"bcr as an artifact, by default", container, func(r *request) {
			m := moduleBazel(t)
			r.Provenance, r.Digest, r.SourceURI = m.Provenance, m.Digest, m.SourceURI
		}, "untrusted_reusable_workflow", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.r(t)
			if tt.change != nil {
				tt.change(&r)
			}
			a := decide(t.Context(), r, verify)
			if tt.reason == "" && tt.builder != "" {
				if a.Verdict != verdictPass || a.BuilderID != tt.builder || !bytes.Contains(a.Statement, []byte(r.hexDigest())) {
					t.Errorf("%s %s (%s) by %q: %s, want a pass by %q", a.Verdict, a.Reason, a.Message, a.BuilderID, a.Statement, tt.builder)
				}
				return
			}
			if a.Verdict == verdictPass || a.Reason != tt.reason {
				t.Errorf("%s %s (%s), want %s", a.Verdict, a.Reason, a.Message, tt.reason)
			}
		})
	}
}

// attestations changes npm's list.
func attestations(t *testing.T, data []byte, change func([]any) []any) []byte {
	t.Helper()
	return edit(t, data, func(m map[string]any) { m["attestations"] = change(m["attestations"].([]any)) })
}
