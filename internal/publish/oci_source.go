package publish

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// errUnreadable says that what is listed as a release is none that can be read.
// Such a thing hides no release, and is not taken for the lack of one.
var errUnreadable = errors.New("it cannot be read")

// Latest implements [Place]: the newest release of the image, else that of the
// image with the highest version below.
func (p *ociPlace) Latest(ctx context.Context) (Release, error) {
	subject, _, err := p.subject(ctx)
	if err == nil {
		found, err := p.sealedBeside(ctx, subject)
		if err != nil {
			return Release{}, p.explain(opList, err)
		}
		if len(found) > 0 {
			return p.newest(ctx, found)
		}
	} else if !errors.Is(err, verify.ErrNoRelease) {
		return Release{}, err
	}
	for found, err := range p.older(ctx) {
		if err != nil {
			return Release{}, p.explain(opList, err)
		}
		return p.newest(ctx, found)
	}
	return Release{}, &Error{Place: p.name, Op: opList, Err: fmt.Errorf("%w: neither this image nor one of an earlier version has one", verify.ErrNoRelease)}
}

// newest is the release that was issued last, by its own word: an annotation
// could pass an old one off as new.
func (p *ociPlace) newest(ctx context.Context, found []artifact) (Release, error) {
	var best Release
	var issued seal.Timestamp
	var trouble error
	for _, a := range found {
		r, err := p.read(ctx, a)
		if errors.Is(err, errUnreadable) {
			p.skip(a.desc.Digest, err)
			trouble = err
			continue
		} else if err != nil {
			return Release{}, err
		}
		m, _, err := manifestOf(r.Envelope)
		if err != nil {
			p.skip(a.desc.Digest, err)
			trouble = fmt.Errorf("%w: %w", errUnreadable, err)
			continue
		}
		if best.Envelope == nil || m.IssuedAt.After(issued.Time) {
			best, issued = r, m.IssuedAt
		}
	}
	if best.Envelope == nil {
		return Release{}, p.explain(opList, fmt.Errorf("%w: %w", verify.ErrUnavailable, trouble))
	}
	return best, nil
}

// Find implements [Place]. Who walks a chain from its newest release backwards
// gets each by what the one after it says of its place.
func (p *ociPlace) Find(ctx context.Context, payload digest.Digest) (Release, error) {
	_, r, err := p.locate(ctx, payload)
	return r, err
}

// locate finds a release: where one that was seen says it is, else along the chain
// of the image's own, else among all images of the repository.
func (p *ociPlace) locate(ctx context.Context, payload digest.Digest) (artifact, Release, error) {
	none := &Error{Place: p.name, Op: opFind, Err: fmt.Errorf("%w: %.140q", verify.ErrNoRelease, payload)}
	if payload.Validate() != nil {
		return artifact{}, Release{}, none
	}
	searches := []func(context.Context, digest.Digest) iter.Seq2[artifact, error]{p.hinted, p.chain, p.everywhere}
	p.mu.Lock()
	if p.searched {
		searches = searches[:1]
	}
	p.mu.Unlock()
	for _, search := range searches {
		for a, err := range search(ctx, payload) {
			if err != nil {
				return artifact{}, Release{}, p.explain(opFind, err)
			}
			// The annotation is by SHA-256; a link by another hash is compared with
			// the payload itself.
			if a.payload != payload && payload.Algorithm() == digest.SHA256 {
				continue
			}
			r, err := p.read(ctx, a)
			if errors.Is(err, errUnreadable) {
				none.Err = fmt.Errorf("%w; of what claims to be it: %w", none.Err, err)
				continue
			} else if err != nil {
				return artifact{}, Release{}, err
			}
			if hasPayload(r.Envelope, payload) {
				return a, r, nil
			}
		}
	}
	// Every claim of every artifact is known now. Whoever may push could claim any
	// number of releases that are not there, each worth a search of the repository.
	p.mu.Lock()
	p.searched = true
	p.mu.Unlock()
	return artifact{}, Release{}, none
}

// hinted are the artifacts of which one that was seen said that they hold the
// payload.
func (p *ociPlace) hinted(ctx context.Context, payload digest.Digest) iter.Seq2[artifact, error] {
	return func(yield func(artifact, error) bool) {
		p.mu.Lock()
		hints := slices.Clone(p.hints[payload])
		p.mu.Unlock()
		for _, h := range hints {
			a, err := p.load(ctx, h)
			if skippable(err) {
				continue
			}
			if !yield(a, err) || err != nil {
				return
			}
		}
	}
}

// chain are the image's releases and those before them, as far as they say where
// these lie.
func (p *ociPlace) chain(ctx context.Context, _ digest.Digest) iter.Seq2[artifact, error] {
	return func(yield func(artifact, error) bool) {
		subject, _, err := p.subject(ctx)
		if errors.Is(err, verify.ErrNoRelease) {
			return
		}
		var next []artifact
		if err == nil {
			next, err = p.sealedBeside(ctx, subject)
		}
		if err != nil && !errors.Is(err, errUnreadable) {
			yield(artifact{}, err)
			return
		}
		seen := map[digest.Digest]bool{}
		for len(next) > 0 && len(seen) < maxWalk {
			a := next[0]
			next = next[1:]
			if !yield(a, nil) {
				return
			}
			if a.previousAt == "" || seen[a.previousAt] {
				continue
			}
			seen[a.previousAt] = true
			before, err := p.load(ctx, v1.Descriptor{Digest: a.previousAt})
			switch {
			case skippable(err):
			case err != nil:
				yield(artifact{}, err)
				return
			default:
				next = append(next, before)
			}
		}
	}
}

// everywhere are the releases of all images of the repository.
func (p *ociPlace) everywhere(ctx context.Context, _ digest.Digest) iter.Seq2[artifact, error] {
	return func(yield func(artifact, error) bool) {
		for found, err := range p.images(ctx) {
			if err != nil {
				yield(artifact{}, err)
				return
			}
			for _, a := range found {
				if !yield(a, nil) {
					return
				}
			}
		}
	}
}

// List implements [Place]: the releases of this image and of all whose tags are
// versions, by their annotations.
func (p *ociPlace) List(ctx context.Context) iter.Seq2[digest.Digest, error] {
	return func(yield func(digest.Digest, error) bool) {
		seen := map[digest.Digest]bool{}
		for _, search := range []func(context.Context, digest.Digest) iter.Seq2[artifact, error]{p.chain, p.everywhere} {
			for a, err := range search(ctx, "") {
				if err != nil {
					yield("", p.explain(opList, err))
					return
				}
				if seen[a.payload] {
					continue
				}
				seen[a.payload] = true
				if !yield(a.payload, nil) {
					return
				}
			}
		}
	}
}

// load reads an artifact manifest by its digest, and keeps where it says that
// others lie.
func (p *ociPlace) load(ctx context.Context, d v1.Descriptor) (artifact, error) {
	data, desc, err := fetchManifest(ctx, p.repo, d.Digest)
	if err != nil {
		return artifact{}, err
	}
	a, err := parseArtifact(desc, data)
	if err != nil {
		return artifact{}, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	p.learn(a)
	return a, nil
}

// learn keeps where releases lie: a bounded number of places, since a chain may
// be long, and a liar may add to them.
func (p *ociPlace) learn(a artifact) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.hints) >= maxHints {
		clear(p.hints)
	}
	add := func(payload digest.Digest, d v1.Descriptor) {
		const most = 4 // of which one is right, unless somebody lies
		known := p.hints[payload]
		same := func(o v1.Descriptor) bool { return o.Digest == d.Digest }
		if len(known) < most && !slices.ContainsFunc(known, same) {
			p.hints[payload] = append(known, d)
		}
	}
	add(a.payload, a.desc)
	if a.previous != "" && a.previousAt != "" {
		add(a.previous, v1.Descriptor{Digest: a.previousAt})
	}
}

// read fetches the files of a release. It wraps [errUnreadable] where the
// envelope is not what the artifact claims.
func (p *ociPlace) read(ctx context.Context, a artifact) (Release, error) {
	p.mu.Lock()
	last, lastOf := p.last, p.lastOf
	p.mu.Unlock()
	if lastOf == a.desc.Digest {
		return last, nil
	}
	r := Release{Ref: p.at(a.desc.Digest)}
	for _, l := range []struct {
		desc *v1.Descriptor
		into *[]byte
	}{{&a.envelope, &r.Envelope}, {a.snapshot, &r.Snapshot}, {a.provenance, &r.Provenance}} {
		if l.desc == nil {
			continue
		}
		data, err := fetchBlob(ctx, p.repo, *l.desc)
		if err != nil {
			return Release{}, p.gone(p.explain("fetch a layer of "+r.Ref, err))
		}
		*l.into = data
	}
	if got, err := payloadDigest(r.Envelope); err != nil {
		return Release{}, fmt.Errorf("%w: %s: %w", errUnreadable, r.Ref, err)
	} else if a.payload.Algorithm() == digest.SHA256 && got != a.payload {
		return Release{}, fmt.Errorf("%w: %s: it claims the payload %s, and holds %s", errUnreadable, r.Ref, a.payload, got)
	}
	p.mu.Lock()
	p.last, p.lastOf = r, a.desc.Digest
	p.mu.Unlock()
	return r, nil
}

// gone makes the lack of a part the registry's trouble: a release that is listed,
// and not whole, is not the lack of a release.
func (p *ociPlace) gone(err error) error {
	var e *Error
	if !errors.Is(err, verify.ErrNoRelease) || !errors.As(err, &e) {
		return err
	}
	return &Error{
		Place: e.Place, Op: e.Op, Status: e.Status, Err: fmt.Errorf("%w: the release is listed, and a part of it is not there", verify.ErrUnavailable),
		Hint: "a cleanup of the registry may have taken it: keep what the release's manifest names, or publish the release again",
	}
}

// skippable says that an artifact is none, or is not there any more: a list that
// clients write is not cleaned up.
func skippable(err error) bool {
	return err != nil && (errors.Is(err, errUnreadable) || isMissing(err))
}

// skip tells of something that is listed as a release and is not taken for one.
func (p *ociPlace) skip(d digest.Digest, err error) {
	if p.env.Notify != nil {
		p.env.Notify(fmt.Sprintf("%s is not taken for a release: %s", p.at(d), scrub(err.Error())))
	}
}

// fetchManifest reads an artifact manifest, whose digest the library compares.
func fetchManifest(ctx context.Context, repo repository, d digest.Digest) ([]byte, v1.Descriptor, error) {
	desc, body, err := repo.FetchReference(ctx, string(d))
	if err != nil {
		return nil, desc, err
	}
	defer body.Close()
	if desc.Size > maxArtifact {
		return nil, desc, fmt.Errorf("%w: artifact manifest %s of %d bytes, want at most %d", errUnreadable, d, desc.Size, maxArtifact)
	}
	data, err := content.ReadAll(body, desc)
	return data, desc, err
}

// fetchBlob reads a layer of a size that was compared with its bound.
func fetchBlob(ctx context.Context, repo repository, d v1.Descriptor) ([]byte, error) {
	body, err := repo.Blobs().Fetch(ctx, d)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return content.ReadAll(body, d)
}

// referrersTag is the tag under which a registry without the referrers API keeps
// their list (OCI distribution-spec 1.1, Referrers Tag Schema).
func referrersTag(d digest.Digest) string { return strings.Replace(string(d), ":", "-", 1) }

func isReferrersTag(tag string) bool { return listedBy(tag).Validate() == nil }

// listedBy is the image whose referrers are listed under a tag, if it is such a
// tag.
func listedBy(tag string) digest.Digest { return digest.Digest(strings.Replace(tag, "-", ":", 1)) }
