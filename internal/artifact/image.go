package artifact

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// A descriptor points to a blob (OCI image specification, descriptor.md).
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      digest.Digest     `json:"digest"`
	Size        int64             `json:"size"`
	URLs        []string          `json:"urls"`
	Annotations map[string]string `json:"annotations"`
	Platform    *struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
	} `json:"platform"`
}

func (d descriptor) check() error {
	if err := fingerprint.CheckDigest(d.Digest); err != nil {
		return err
	}
	if d.Size < 0 {
		return fmt.Errorf("blob %s: size %d", d.Digest, d.Size)
	}
	return nil
}

// An imageDoc is an image index or an image manifest.
type imageDoc struct {
	MediaType   string            `json:"mediaType"`
	Manifests   []descriptor      `json:"manifests"`
	Config      *descriptor       `json:"config"`
	Layers      []descriptor      `json:"layers"`
	Annotations map[string]string `json:"annotations"`
}

func (d *imageDoc) isIndex() bool { return d.Manifests != nil }

// The media types of indexes, manifests and configs, OCI's and Docker's.
var (
	indexTypes    = []string{"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
	manifestTypes = []string{"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}
	configTypes   = []string{"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)

// parseImageDoc reads an index or a manifest. One that could be taken for
// either, or whose own media type is not the one it was announced with, is
// refused: clients would run different images (CVE-2021-41190).
func parseImageDoc(data []byte, announced string) (*imageDoc, error) {
	var d imageDoc
	if err := strictjson.UnmarshalOpen(data, &d); err != nil {
		return nil, err
	}
	if d.isIndex() == (d.Config != nil || d.Layers != nil) {
		return nil, errors.New("want an index, with manifests, or a manifest, with config and layers")
	}
	types := manifestTypes
	if d.isIndex() {
		types = indexTypes
	}
	for _, t := range []string{d.MediaType, announced} {
		if t != "" && t != types[0] && t != types[1] {
			return nil, fmt.Errorf("media type %.100q, want %q or %q by its content", t, types[0], types[1])
		}
	}
	if d.MediaType != "" && announced != "" && d.MediaType != announced {
		return nil, fmt.Errorf("media type %q, announced as %q", d.MediaType, announced)
	}
	if !d.isIndex() && d.Config == nil {
		return nil, errors.New("manifest without config")
	}
	if len(d.Layers) > maxLayers {
		return nil, fmt.Errorf("%d layers, want at most %d", len(d.Layers), maxLayers)
	}
	return &d, nil
}

// A blobStore is where an image's blobs lie.
type blobStore interface {
	// blob returns a small blob, checked against d's digest and size, or
	// errNoBlob.
	blob(ctx context.Context, d descriptor) ([]byte, error)
	// check hashes a blob of any size. It returns errNoBlob where it is not
	// there, and nil where the store's blobs cannot be looked at.
	check(ctx context.Context, d descriptor) error
}

var errNoBlob = errors.New("is not there")

// An image is what a walk over an index or manifest found.
type image struct {
	store       blobStore
	docs        int   // read so far
	size        int64 // of all blobs
	manifests   int   // that are there
	annotations map[string]string
	config      *descriptor // of the manifest that speaks for the image
	preferred   bool        // config is that of linux/amd64
	checked     map[digest.Digest]bool
}

// readImage walks all that root leads to, and checks every blob that the store
// has. Of an index, manifests for some platforms may be absent (they are bound
// by their digests all the same), but what a present one names must be there.
func readImage(ctx context.Context, store blobStore, root descriptor) (*image, error) {
	im := &image{store: store, annotations: make(map[string]string), checked: make(map[digest.Digest]bool)}
	if err := im.walk(ctx, root, 0); err != nil {
		return nil, err
	}
	if im.manifests == 0 {
		return nil, fmt.Errorf("blob %s: none of its manifests is there", root.Digest)
	}
	return im, nil
}

func (im *image) walk(ctx context.Context, at descriptor, depth int) error {
	if err := at.check(); err != nil {
		return err
	}
	if im.docs++; im.docs > maxImageDocs || depth > maxImageDepth {
		return fmt.Errorf("more than %d manifests, or more than %d indexes deep", maxImageDocs, maxImageDepth)
	}
	data, err := im.store.blob(ctx, at)
	if errors.Is(err, errNoBlob) && depth > 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("blob %s: %w", at.Digest, err)
	}
	doc, err := parseImageDoc(data, at.MediaType)
	if err != nil {
		return fmt.Errorf("blob %s: %w", at.Digest, err)
	}
	im.size += int64(len(data))
	im.annotate(at.Annotations, doc.Annotations)
	if !doc.isIndex() {
		return im.manifest(ctx, at, doc)
	}
	for _, child := range doc.Manifests {
		if err := im.walk(ctx, child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// annotate keeps the annotations that are met first: the outer ones speak for
// the whole image.
func (im *image) annotate(sets ...map[string]string) {
	for _, set := range sets {
		for k, v := range set {
			if _, ok := im.annotations[k]; !ok {
				im.annotations[k] = v
			}
		}
	}
}

// manifest checks the blobs of one platform's image.
func (im *image) manifest(ctx context.Context, at descriptor, doc *imageDoc) error {
	im.manifests++
	for _, d := range append([]descriptor{*doc.Config}, doc.Layers...) {
		if im.checked[d.Digest] {
			continue
		}
		if err := d.check(); err != nil {
			return err
		}
		err := im.store.check(ctx, d)
		if errors.Is(err, errNoBlob) && len(d.URLs) > 0 {
			err = nil // a layer that may not be redistributed lies elsewhere
		}
		if err != nil {
			return fmt.Errorf("blob %s: %w", d.Digest, err)
		}
		im.checked[d.Digest] = true
		im.size += d.Size
	}
	p := at.Platform
	switch preferred := p != nil && p.OS == "linux" && p.Architecture == "amd64"; {
	case p != nil && p.OS == "unknown": // a build attestation, not an image
	case im.config == nil, preferred && !im.preferred:
		im.config, im.preferred = doc.Config, preferred
	}
	return nil
}

// labels reads the labels in the image's config; a config of another kind has
// none.
func (im *image) labels(ctx context.Context) (map[string]string, error) {
	if im.config == nil || !slices.Contains(configTypes, im.config.MediaType) {
		return nil, nil
	}
	data, err := im.store.blob(ctx, *im.config)
	if err != nil {
		return nil, fmt.Errorf("config %s: %w", im.config.Digest, err)
	}
	var c struct {
		Config struct {
			Labels map[string]string
		} `json:"config"`
	}
	if err := strictjson.UnmarshalOpen(data, &c); err != nil {
		return nil, fmt.Errorf("config %s: %w", im.config.Digest, err)
	}
	return c.Config.Labels, nil
}

// The keys of annotations and labels that are read (OCI image specification,
// annotations.md; the MCP registry's; containerd's).
const (
	keyVersion   = "org.opencontainers.image.version"
	keySource    = "org.opencontainers.image.source"
	keyRevision  = "org.opencontainers.image.revision"
	keyLicenses  = "org.opencontainers.image.licenses"
	keyRefName   = "org.opencontainers.image.ref.name"
	keyMCPName   = "io.modelcontextprotocol.server.name"
	keyImageName = "io.containerd.image.name"
)

// describe sets the facts of an image that is named name:tag. A label can be
// the base image's, and often is: for the version an annotation comes first, then
// a tag that looks like one, then the label, then any tag.
func (im *image) describe(ctx context.Context, found *Found, name, tag string) error {
	labels, err := im.labels(ctx)
	if err != nil {
		return err
	}
	fact := func(key string) string {
		if v, ok := im.annotations[key]; ok {
			return v
		}
		return labels[key]
	}
	found.Size = im.size
	found.Artifact.Identifier = name
	found.MCPName, found.License, found.Revision = fact(keyMCPName), fact(keyLicenses), fact(keyRevision)
	found.Repository = repositoryURL(fact(keySource))
	found.Artifact.Version = imageVersion(im.annotations[keyVersion], tag, labels[keyVersion])
	if label := labels[keyVersion]; label != "" && label != found.Artifact.Version {
		found.note("the label %s says %.100q, taken is %.100q: labels can be the base image's", keyVersion, label, found.Artifact.Version)
	}
	return nil
}

func imageVersion(annotation, tag, label string) string {
	looksLikeOne := strings.TrimPrefix(tag, "v") != "" && strings.ContainsAny(strings.TrimPrefix(tag, "v")[:1], "0123456789")
	switch {
	case annotation != "":
		return annotation
	case looksLikeOne, label == "":
		return tag
	}
	return label
}

// splitTag splits a reference into name and tag: the colon of a port stands
// before a slash.
func splitTag(ref string) (name, tag string) {
	ref, _, _ = strings.Cut(ref, "@")
	if i := strings.LastIndex(ref, ":"); i >= 0 && !strings.Contains(ref[i:], "/") {
		return ref[:i], ref[i+1:]
	}
	return ref, ""
}

// setImage marks found as the image with root's digest.
func setImage(found *Found, root descriptor, kind string) {
	found.Artifact.Type, found.Kind = seal.Docker, kind
	found.Artifact.Digest = root.Digest
}
