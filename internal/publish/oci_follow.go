package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
	"github.com/mcp-integrity/seal-action/verify"
)

const (
	// maxBundles bounds the bundles of one image that are fetched: an image has a
	// handful.
	maxBundles = 30
	// maxBundleBytes bounds them together.
	maxBundleBytes = 2 * maxProvenance
)

// BundlesAt fetches the build provenance that a manifest's build_attestation_uri
// of the form oci://HOST/NAME@DIGEST leads to: the bundles in the releases sealed
// beside that image, and those that others put there with the bundle's own type as
// artifactType, as GitHub's attest action and cosign do. No credentials are sent.
//
// The URI is a stranger's: client is to be [fetch.Guarded]. An error wraps
// [verify.ErrUnavailable].
func BundlesAt(ctx context.Context, client *http.Client, uri string) ([][]byte, error) {
	rest, ok := strings.CutPrefix(uri, "oci://")
	env := Env{Getenv: func(string) string { return "" }, ReadOnly: true}
	p, err := newOCI(rest, env, client)
	if !ok || err != nil || digest.Digest(p.ref).Validate() != nil {
		return nil, fmt.Errorf("%w: build_attestation_uri %.200q: want oci://HOST/NAME@DIGEST", verify.ErrUnavailable, fetch.PublicURL(uri))
	}
	p.repo = newRepository(p.repo.Reference, client, nil)
	bundles, err := p.bundles(ctx, v1.Descriptor{Digest: digest.Digest(p.ref)})
	switch {
	case err != nil && !errors.Is(err, verify.ErrUnavailable):
		return nil, fmt.Errorf("%w: %w", verify.ErrUnavailable, err)
	case err == nil && len(bundles) == 0:
		return nil, fmt.Errorf("%w: %s: no build provenance lies beside the image", verify.ErrUnavailable, p.name)
	}
	return bundles, err
}

func (p *ociPlace) bundles(ctx context.Context, subject v1.Descriptor) ([][]byte, error) {
	all, err := p.referrers(ctx, subject)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(d v1.Descriptor) bool { return !mayBeSealed(d) && d.ArtifactType != BundleMediaType })
	if len(all) > maxSealed {
		return nil, fmt.Errorf("%w: %s: %d referrers that may hold a bundle, want at most %d", verify.ErrUnavailable, p.name, len(all), maxSealed)
	}
	var bundles [][]byte
	room := int64(maxBundleBytes)
	for _, d := range all {
		data, _, err := fetchManifest(ctx, p.repo, d.Digest)
		if skippable(err) {
			continue
		} else if err != nil {
			return nil, p.explain("fetch a referrer", err)
		}
		for _, l := range bundleLayers(data) {
			if room -= l.Size; room < 0 || len(bundles) == maxBundles {
				return nil, fmt.Errorf("%w: %s: more than %d bundles, or %d bytes of them", verify.ErrUnavailable, p.name, maxBundles, maxBundleBytes)
			}
			bundle, err := fetchBlob(ctx, p.repo, l)
			if err != nil {
				return nil, p.explain("fetch a bundle", err)
			}
			bundles = append(bundles, bundle)
		}
	}
	return bundles, nil
}

// bundleLayers are the layers of a manifest that are bundles, if it is one with a
// bundle at all.
func bundleLayers(manifest []byte) []v1.Descriptor {
	var m v1.Manifest
	if strictjson.UnmarshalOpen(manifest, &m) != nil || m.ArtifactType != MediaType && m.ArtifactType != BundleMediaType || len(m.Layers) > maxLayers {
		return nil
	}
	var found []v1.Descriptor
	for _, l := range m.Layers {
		if l.MediaType == BundleMediaType && l.Digest.Validate() == nil && l.Size >= 0 && l.Size <= maxProvenance {
			found = append(found, v1.Descriptor{MediaType: l.MediaType, Digest: l.Digest, Size: l.Size})
		}
	}
	return found
}
