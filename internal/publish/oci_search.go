package publish

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/verify"
)

const (
	opList = "look for sealed releases"
	opFind = "find a release by its payload"
)

type repository = *remote.Repository

// referrers are all referrers of an image, of whatever kind: some registries
// report another artifactType than the manifest's, so theirs is no filter.
func (p *ociPlace) referrers(ctx context.Context, subject v1.Descriptor) ([]v1.Descriptor, error) {
	all, err := listReferrers(ctx, p.repo, subject)
	if err != nil {
		return nil, p.explain(opList, err)
	}
	p.asked.Store(true)
	return all, nil
}

func listReferrers(ctx context.Context, repo repository, subject v1.Descriptor) ([]v1.Descriptor, error) {
	var all []v1.Descriptor
	err := repo.Referrers(ctx, subject, "", func(page []v1.Descriptor) error {
		if len(all)+len(page) > maxReferrers {
			return fmt.Errorf("%w: more than %d referrers of %s", verify.ErrUnavailable, maxReferrers, subject.Digest)
		}
		all = append(all, page...)
		return nil
	})
	return all, err
}

// lacksReferrers says that the registry has no referrers API, once a list of
// referrers was asked for.
func (p *ociPlace) lacksReferrers() bool {
	// The library refuses to set what it has found to be otherwise.
	return p.asked.Load() && p.repo.SetReferrersCapability(false) == nil
}

// sealedBeside are the releases among an image's referrers. It wraps
// [errUnreadable] where there are some and none can be read.
func (p *ociPlace) sealedBeside(ctx context.Context, subject v1.Descriptor) ([]artifact, error) {
	all, err := p.referrers(ctx, subject)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(d v1.Descriptor) bool { return !mayBeSealed(d) })
	if len(all) > maxSealed {
		return nil, p.explain(opList, fmt.Errorf("%w: %d sealed releases of %s, want at most %d", verify.ErrUnavailable, len(all), subject.Digest, maxSealed))
	}
	var found []artifact
	var broken error
	for _, d := range all {
		a, err := p.load(ctx, d)
		switch {
		case err == nil:
			found = append(found, a)
		case errors.Is(err, errOtherArtifact):
		case skippable(err):
			p.skip(d.Digest, err)
			if !isMissing(err) {
				broken = err
			}
		default:
			return nil, p.explain(opList, err)
		}
	}
	if len(found) == 0 && broken != nil {
		return nil, fmt.Errorf("%w: %w", verify.ErrUnavailable, broken)
	}
	return found, nil
}

// mayBeSealed says whether a referrer is to be looked at. Registries that do not
// know a manifest's artifactType report its config's.
func mayBeSealed(d v1.Descriptor) bool {
	return d.MediaType == v1.MediaTypeImageManifest && d.Digest.Validate() == nil &&
		(d.ArtifactType == MediaType || d.ArtifactType == v1.MediaTypeEmptyJSON || d.ArtifactType == "")
}

func isMissing(err error) bool {
	var answer *errcode.ErrorResponse
	return errors.Is(err, errdef.ErrNotFound) || errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}

// older are the releases of the images of earlier versions, the highest first:
// for each image that has any, those.
func (p *ociPlace) older(ctx context.Context) iter.Seq2[[]artifact, error] {
	return func(yield func([]artifact, error) bool) {
		tags, err := p.versionTags(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		if below := p.below(); below != "" {
			tags.versions = slices.DeleteFunc(tags.versions, func(t string) bool {
				order, ok := lineage.CompareVersions(t, below)
				return !ok || order >= 0
			})
		}
		if tags.empty() {
			return
		}
		if len(tags.versions) > maxImagesAsked {
			tags.versions, err = tags.versions[:maxImagesAsked], fmt.Errorf("%w: none of the %d highest versions has a sealed release, and others were not asked", verify.ErrUnavailable, maxImagesAsked)
		}
		for found, err := range p.ask(ctx, tags.asks()) {
			if (err != nil || len(found) > 0) && (!yield(found, err) || err != nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// below is the version below which earlier ones are: that of the tag, else that
// of the release; "" where none is known.
func (p *ociPlace) below() string {
	for _, v := range []string{p.tag, p.env.Version} {
		if isVersion(v) {
			return v
		}
	}
	return ""
}

// images are the releases of all images of the repository: where the registry has
// the referrers API, of those whose tags are versions, since it lists no others.
func (p *ociPlace) images(ctx context.Context) iter.Seq2[[]artifact, error] {
	return func(yield func([]artifact, error) bool) {
		tags, err := p.versionTags(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		asks := tags.asks()
		if tags.listed != nil {
			asks = asks[:0]
			for d := range tags.listed {
				asks = append(asks, ask{digest: d})
			}
			slices.SortFunc(asks, func(a, b ask) int { return strings.Compare(string(a.digest), string(b.digest)) })
		}
		if len(asks) > maxImagesAsked {
			if p.env.Notify != nil {
				p.env.Notify(fmt.Sprintf("%s: %d images have a version for a tag; only %d of them were asked for releases", p.name, len(asks), maxImagesAsked))
			}
			asks = asks[:maxImagesAsked]
		}
		for found, err := range p.ask(ctx, asks) {
			if !yield(found, err) || err != nil {
				return
			}
		}
	}
}

// tagList is what the tags of a repository tell.
type tagList struct {
	// versions are the tags that are versions, the highest first.
	versions []string
	// listed are the images that have a list of referrers under a tag; nil where
	// the registry has the referrers API, and keeps them otherwise.
	listed map[digest.Digest]bool
}

// empty says that no image can have a release.
func (t tagList) empty() bool { return len(t.versions) == 0 || t.listed != nil && len(t.listed) == 0 }

func (t tagList) asks() []ask {
	var asks []ask
	for _, tag := range t.versions {
		asks = append(asks, ask{tag: tag, listed: t.listed})
	}
	return asks
}

// versionTags reads the repository's tags.
func (p *ociPlace) versionTags(ctx context.Context) (tagList, error) {
	if !p.asked.Load() {
		// Nothing has this digest: what is asked is whether there is the API.
		if _, err := p.referrers(ctx, v1.Descriptor{Digest: digest.NewDigestFromEncoded(digest.SHA256, strings.Repeat("0", 64))}); err != nil {
			return tagList{}, err
		}
	}
	var t tagList
	if p.lacksReferrers() {
		t.listed = map[digest.Digest]bool{}
	}
	read := 0
	err := p.repo.Tags(ctx, "", func(page []string) error {
		if read += len(page); read > maxTags {
			return fmt.Errorf("%w: more than %d tags", verify.ErrUnavailable, maxTags)
		}
		for _, tag := range page {
			if t.listed != nil && isReferrersTag(tag) {
				t.listed[listedBy(tag)] = true
			} else if isVersion(tag) {
				t.versions = append(t.versions, tag)
			}
		}
		return nil
	})
	if err != nil {
		return tagList{}, p.explain("list the repository's tags", err)
	}
	t.versions = withoutMoving(t.versions)
	slices.SortStableFunc(t.versions, func(a, b string) int {
		order, _ := lineage.CompareVersions(b, a)
		return order
	})
	return t, nil
}

func isVersion(tag string) bool {
	_, ok := lineage.CompareVersions(tag, tag)
	return ok
}

// withoutMoving leaves out the tags that are the beginning of others: where there
// is a 1.2.3, 1.2 and 1 are no versions, and lead to whatever was pushed last.
func withoutMoving(versions []string) []string {
	moving := map[string]bool{}
	for _, v := range versions {
		for i := range len(v) {
			if v[i] == '.' {
				moving[v[:i]] = true
			}
		}
	}
	return slices.DeleteFunc(versions, func(v string) bool { return moving[v] })
}

// ask is an image to be asked for releases, by tag or digest.
type ask struct {
	tag    string
	digest digest.Digest
	listed map[digest.Digest]bool
}

// ask asks images for their releases, some at a time, and yields them in order.
func (p *ociPlace) ask(ctx context.Context, asks []ask) iter.Seq2[[]artifact, error] {
	return func(yield func([]artifact, error) bool) {
		for some := range slices.Chunk(asks, askedAtOnce) {
			found := make([][]artifact, len(some))
			group, ctx := errgroup.WithContext(ctx)
			for i, a := range some {
				group.Go(func() (err error) {
					found[i], err = p.askOne(ctx, a)
					return err
				})
			}
			if err := group.Wait(); err != nil {
				yield(nil, err)
				return
			}
			for _, f := range found {
				if !yield(f, nil) {
					return
				}
			}
		}
	}
}

func (p *ociPlace) askOne(ctx context.Context, a ask) ([]artifact, error) {
	subject := v1.Descriptor{Digest: a.digest}
	if a.tag != "" {
		var err error
		subject, err = p.repo.Resolve(ctx, a.tag)
		switch {
		case err != nil && isMissing(err), err == nil && a.listed != nil && !a.listed[subject.Digest]:
			return nil, nil
		case err != nil:
			return nil, p.explain(opList, err)
		}
	}
	found, err := p.sealedBeside(ctx, subject)
	if errors.Is(err, errUnreadable) {
		return nil, nil // it was told of
	}
	return found, err
}
