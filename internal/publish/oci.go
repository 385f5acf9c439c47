package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/seal"
)

// Bounds on what a registry sends. Those on the files of a release are the same
// for all places.
const (
	// maxImageManifest is what registries themselves take for a manifest or index.
	maxImageManifest = 4 << 20
	// maxReferrers bounds the referrers of one image, of whatever kind: each build
	// adds a handful (signatures, SBOMs, scans).
	maxReferrers = 4096
	// maxPages bounds a list that a registry gives in pages.
	maxPages = 500
	// maxSealed bounds the sealed releases of one image. There is one, and a few
	// where it was sealed again.
	maxSealed = 64
	// maxTags bounds the names of a repository's tags that are read: some keep one
	// for every commit.
	maxTags = 50_000
	// maxImagesAsked bounds the images that are asked for their referrers, each
	// with two requests, in one search of a repository.
	maxImagesAsked = 1000
	// maxWalk bounds the links that are followed in one search: twice a large chain.
	maxWalk = 20_000
	// maxHints bounds what is kept of releases that were seen, 250 bytes each.
	maxHints = 16_384
	// askedAtOnce is how many images are asked side by side.
	askedAtOnce = 8
)

// ociPlace is an image in a registry: its releases are its referrers (OCI
// distribution-spec 1.1, Listing Referrers), one artifact manifest each.
//
// Where the registry has no referrers API they are listed in an index under the
// tag sha256-<hex of the image's digest>, as the same specification says. The
// image itself, its index and its tags are never written to, and nothing is ever
// deleted.
//
// By default there is this one referrer and no other: registries show each as a
// version of its own. It holds the provenance, so that oras pull brings all files,
// but tools that look for a bundle by its type, as cosign does, find none.
type ociPlace struct {
	name string
	repo *remote.Repository
	// tag is "" where the image is named by its digest alone.
	ref, tag string
	env      Env
	// asked says that a list of referrers was asked for, and what kind of registry
	// this is known.
	asked atomic.Bool
	// wait lets time pass, between two looks at a list that others may be writing.
	wait func(context.Context, time.Duration) error

	mu sync.Mutex
	// image is what the reference led to at the first look.
	image *v1.Descriptor
	// hints lead from a payload's digest to the artifact manifests that claim it.
	// searched says that all artifacts were seen, and that hints has them all.
	searched bool
	hints    map[digest.Digest][]v1.Descriptor
	// last is the release that was read last: who walks a chain asks for the
	// envelope, then for the snapshot.
	last   Release
	lastOf digest.Digest
}

func openOCI(rest string, env Env) (Place, error) {
	if notify := env.Notify; notify != nil {
		// Several images are asked at once, and each request may have a line to tell.
		var mu sync.Mutex
		env.Notify = func(line string) {
			mu.Lock()
			defer mu.Unlock()
			notify(line)
		}
	}
	return newOCI(rest, env, retrying(fetch.Client(), env))
}

// newOCI takes HOST/NAME:TAG or HOST/NAME@DIGEST. Neither a host nor a tag is
// guessed: what is published must not depend on a default.
func newOCI(rest string, env Env, client *http.Client) (*ociPlace, error) {
	ref, tag, err := parseImage(rest)
	if err != nil {
		return nil, err
	}
	return &ociPlace{
		name: "oci://" + rest,
		repo: newRepository(ref, client, logins(env.Getenv, ref.Host())),
		ref:  ref.Reference, tag: tag, env: env, wait: sleep,
		hints: map[digest.Digest][]v1.Descriptor{},
	}, nil
}

const wantImage = "want oci://HOST/NAME:TAG or oci://HOST/NAME@sha256:…"

// parseImage returns the tag beside the reference, since a reference by both
// keeps only the digest.
func parseImage(rest string) (ref registry.Reference, tag string, err error) {
	host, path, ok := strings.Cut(rest, "/")
	if strings.Contains(host, "@") {
		return ref, "", errors.New("an image reference holds no user and no password: log in by docker login; " + wantImage)
	}
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return ref, "", fmt.Errorf("image reference %.200q names no registry, %s", rest, wantImage)
	}
	if ref, err = registry.ParseReference(rest); err != nil || ref.Reference == "" {
		return ref, "", fmt.Errorf("image reference %.200q: %s", rest, wantImage)
	}
	named, _, _ := strings.Cut(path, "@")
	if _, tag, ok = strings.Cut(named, ":"); ok {
		if err := (registry.Reference{Reference: tag}).ValidateReferenceAsTag(); err != nil {
			return ref, "", fmt.Errorf("image reference %.200q: the tag is none, %s", rest, wantImage)
		}
	}
	return ref, tag, nil
}

func (p *ociPlace) String() string { return p.name }

// repository is HOST/NAME.
func (p *ociPlace) repository() string {
	return p.repo.Reference.Registry + "/" + p.repo.Reference.Repository
}

// Check implements [Place]: the image is there, and the registry gives a token
// by which it can be read and, unless the place is only a source, pushed beside.
// Whether a registry without tokens takes a push is known when it is pushed.
func (p *ociPlace) Check(ctx context.Context) error {
	if p.env.ReadOnly {
		_, _, err := p.subject(ctx)
		return err
	}
	ctx = auth.AppendRepositoryScope(ctx, p.repo.Reference, auth.ActionPull, auth.ActionPush)
	if _, _, err := p.subject(ctx); err != nil {
		return err
	}
	if granted, known := grantedActions(ctx, p.repo); known && !pushes(granted) {
		return &Error{
			Place: p.name, Op: "ask for a token that pushes", Err: fmt.Errorf("the registry grants %.100q and no push", granted),
			Hint: loginHint(p.repo.Reference.Host(), p.env.Getenv, true),
		}
	}
	return nil
}

// subject is what the reference leads to, with its bytes: the index where there
// is one. In one run it is always the same, or an error.
func (p *ociPlace) subject(ctx context.Context) (v1.Descriptor, []byte, error) {
	const op = "look up the image"
	desc, body, err := p.repo.FetchReference(ctx, p.ref)
	if err != nil {
		return desc, nil, p.explain(op, err)
	}
	defer body.Close()
	if desc.Size > maxImageManifest {
		return desc, nil, p.explain(op, fmt.Errorf("its manifest has %d bytes, want at most %d", desc.Size, maxImageManifest))
	}
	data, err := content.ReadAll(body, desc)
	if err != nil {
		return desc, nil, p.explain(op, err)
	}
	if !isImage(desc.MediaType) {
		return desc, nil, p.explain(op, fmt.Errorf("it is a %.100q, want an image's manifest or index", desc.MediaType))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.image == nil {
		p.image = &desc
	}
	if p.image.Digest != desc.Digest {
		return desc, nil, &Error{
			Place: p.name, Op: op, Err: fmt.Errorf("%w: it led to %s when this run began, and to %s now", ErrConflict, p.image.Digest, desc.Digest),
			Hint: "push the image before it is sealed, or name it by its digest",
		}
	}
	return desc, data, nil
}

func isImage(mediaType string) bool {
	switch mediaType {
	case v1.MediaTypeImageIndex, v1.MediaTypeImageManifest,
		"application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.docker.distribution.manifest.v2+json":
		return true
	}
	return false
}

// AttestationURI implements [Place]. The image's digest is the one that Check
// saw, else the reference's own, else that of the artifact that will be sealed.
// A registry on this machine is nowhere that a stranger could look.
func (p *ociPlace) AttestationURI(c Coming) (string, error) {
	if !c.Provenance || p.repo.PlainHTTP {
		return "", nil
	}
	d := digest.Digest(p.ref)
	p.mu.Lock()
	seen := p.image
	p.mu.Unlock()
	switch {
	case seen != nil:
		d = seen.Digest
	case d.Validate() == nil:
	case c.Artifact != nil && c.Artifact.Type == seal.Docker:
		d = c.Artifact.Digest
	default:
		return "", fmt.Errorf("%s: the image's digest is not known before the place was checked", p.name)
	}
	uri, err := provenance.AttestationURI(provenance.Target{Kind: provenance.OCI, Repository: p.repository(), Digest: d})
	if err != nil {
		return "", fmt.Errorf("%s: %w", p.name, err)
	}
	return uri, nil
}
