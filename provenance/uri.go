package provenance

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/opencontainers/go-digest"
)

// TargetKind is a kind of place that keeps provenance.
type TargetKind string

// The kinds.
const (
	// GitHubRelease keeps it as an asset of a release.
	GitHubRelease TargetKind = "github-release"
	// GitHubAttestations is GitHub's own store of attestations.
	GitHubAttestations TargetKind = "github-attestations"
	// GitLabRelease keeps it behind a link of a release.
	GitLabRelease TargetKind = "gitlab-release"
	// GitLabPackage keeps it as a file of a generic package.
	GitLabPackage TargetKind = "gitlab-package"
	// OCI keeps it in a registry, as a referrer of an image.
	OCI TargetKind = "oci"
)

// Target is a place that provenance will be put into, and what decides the URI
// under which it will lie there.
type Target struct {
	Kind TargetKind
	// Server is such as https://github.com, without a trailing slash. Unused for OCI.
	Server string
	// Repository is OWNER/NAME, a GitLab project's path, or, for OCI,
	// REGISTRY/NAME.
	Repository string
	// Tag is the release's, or the version of a GitLab package.
	Tag string
	// Package is the GitLab package's name.
	Package string
	// Name is the file's name, for releases and packages.
	Name string
	// Digest is the artifact's, for attestations and OCI.
	Digest digest.Digest
}

var (
	// nameForm are the file names that a release keeps, up to maxFileName bytes:
	// GitHub renames others.
	nameForm  = regexp.MustCompile(`^[A-Za-z0-9_+-]([A-Za-z0-9._+-]*[A-Za-z0-9_+-])?$`)
	imageForm = regexp.MustCompile(`^[a-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$`)
)

// maxFileName is that of every file system.
const maxFileName = 255

func isFileName(s string) bool { return len(s) <= maxFileName && nameForm.MatchString(s) }

// AttestationURI is where the provenance of an artifact will be found, for the
// manifest's build_attestation_uri. It must be known before anything is
// uploaded, as the manifest that names it is signed before: a release asset has
// its name, a store of attestations the artifact's digest. An error says what of
// t is no part of such a URI.
func AttestationURI(t Target) (string, error) {
	uri, err := t.uri()
	if err != nil {
		return "", fmt.Errorf("build_attestation_uri for %.100q: %w", t.Kind, err)
	}
	return uri, nil
}

func (t Target) uri() (string, error) {
	switch t.Kind {
	case GitHubRelease:
		return t.asset("/releases/download/" + escape(t.Tag, "") + "/" + escape(t.Name, ""))
	case GitLabRelease:
		return t.asset("/-/releases/" + escape(t.Tag, "") + "/downloads/" + escape(t.Name, ""))
	case GitLabPackage:
		return t.packageFile()
	case GitHubAttestations:
		return t.attestations()
	case OCI:
		return t.reference()
	}
	return "", fmt.Errorf("want one of %q", []TargetKind{GitHubRelease, GitHubAttestations, GitLabRelease, GitLabPackage, OCI})
}

func (t Target) asset(path string) (string, error) {
	if err := t.checkRepository(); err != nil {
		return "", err
	}
	if err := t.checkFile(); err != nil {
		return "", err
	}
	return t.Server + "/" + t.Repository + path, nil
}

func (t Target) packageFile() (string, error) {
	if err := t.checkRepository(); err != nil {
		return "", err
	}
	if !isFileName(t.Package) {
		return "", fmt.Errorf("package: got %.100q, want letters, digits and ._+-", t.Package)
	}
	if err := t.checkFile(); err != nil {
		return "", err
	}
	return t.Server + "/api/v4/projects/" + escape(t.Repository, "") + "/packages/generic/" +
		escape(t.Package, "") + "/" + escape(t.Tag, "") + "/" + escape(t.Name, ""), nil
}

// attestations is GitHub's list of attestations of an artifact. Only github.com
// and its tenants have one, by SHA-256.
func (t Target) attestations() (string, error) {
	if err := t.checkRepository(); err != nil {
		return "", err
	}
	host := strings.TrimPrefix(t.Server, "https://")
	if host != "github.com" && !strings.HasSuffix(host, ".ghe.com") {
		return "", fmt.Errorf("server: got %.100q, want https://github.com or a tenant's: others keep no attestations", t.Server)
	}
	if err := t.checkDigest(); err != nil {
		return "", err
	}
	if t.Digest.Algorithm() != digest.SHA256 {
		return "", fmt.Errorf("digest: got %.100q, want a sha256", t.Digest)
	}
	return "https://api." + host + "/repos/" + t.Repository + "/attestations/" + string(t.Digest), nil
}

func (t Target) reference() (string, error) {
	if len(t.Repository) > maxFact || !imageForm.MatchString(t.Repository) {
		return "", fmt.Errorf("repository: got %.100q, want such as \"ghcr.io/acme/file-tools\"", t.Repository)
	}
	if err := t.checkDigest(); err != nil {
		return "", err
	}
	return "oci://" + t.Repository + "@" + string(t.Digest), nil
}

func (t Target) checkRepository() error {
	if len(t.Server)+len(t.Repository) > maxFact || !serverForm.MatchString(t.Server) {
		return fmt.Errorf("server: got %.100q, want such as \"https://github.com\"", t.Server)
	}
	if !repoForm.MatchString(t.Repository) || hasDots(t.Repository) {
		return fmt.Errorf("repository: got %.100q, want such as \"acme/file-tools\"", t.Repository)
	}
	return nil
}

func (t Target) checkFile() error {
	if err := checkText(t.Tag, maxFact); err != nil {
		return fmt.Errorf("tag: %w", err)
	}
	// An escaped dot is a dot: browsers and servers would go up a directory.
	if hasDots(t.Tag) {
		return fmt.Errorf("tag: got %.100q, want no segment \".\" or \"..\" in it", t.Tag)
	}
	if !isFileName(t.Name) {
		return fmt.Errorf("file name: got %.100q, want letters, digits and ._+-, no dot at an end: others are renamed", t.Name)
	}
	return nil
}

func (t Target) checkDigest() error {
	if err := t.Digest.Validate(); err != nil {
		return fmt.Errorf("digest %.140q: %w", t.Digest, err)
	}
	return nil
}

// hasDots says whether a path has a segment that points elsewhere.
func hasDots(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}
