package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/errdef"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

const opPush = "push the release's manifest"

const (
	// maxRounds bounds how often the release is put into a list that others
	// overwrite at the same moment, or that a registry in trouble loses.
	maxRounds = 6
	// settling is longer than reading a list, adding to it and writing it back
	// takes: whoever read before we wrote has written when it is over.
	settling = 2 * time.Second
)

// Publish implements [Place]. The blobs go first; the artifact manifest that
// names them, with its entry among the image's referrers, is the one step by
// which the release becomes visible.
func (p *ociPlace) Publish(ctx context.Context, r Sealed) (Receipt, error) {
	subject, image, err := p.subject(ctx)
	if err != nil {
		return Receipt{}, err
	}
	notes, err := p.matchImage(subject, image, r.Manifest)
	if err != nil {
		return Receipt{}, err
	}
	receipt, done, err := p.alreadyThere(ctx, subject, r)
	if done || err != nil {
		return receipt, err
	}
	manifest, begun, err := p.upload(ctx, subject, r)
	if err != nil {
		return Receipt{}, err
	}
	if err := p.makeVisible(ctx, subject, manifest); err != nil {
		return Receipt{}, err
	}
	if p.lacksReferrers() {
		notes = append(notes, fmt.Sprintf("%s has no referrers API: the release is found by the tag %s, which must stay", p.repo.Reference.Host(), referrersTag(subject.Digest)))
	}
	receipt = Receipt{Place: p.name, State: Published, URL: p.at(manifest.desc.Digest), Notes: notes}
	if begun {
		receipt.State = Completed
	}
	return receipt, nil
}

// at is what names an artifact of this repository.
func (p *ociPlace) at(d digest.Digest) string { return "oci://" + p.repository() + "@" + string(d) }

// matchImage refuses to put a manifest that seals one image beside another.
func (p *ociPlace) matchImage(subject v1.Descriptor, image []byte, m *seal.Manifest) (notes []string, err error) {
	noted := map[string]bool{}
	for _, t := range m.Tools {
		a := t.Artifact
		switch {
		case a == nil:
		case a.Type != seal.Docker:
			if note := fmt.Sprintf("the manifest seals %s %.100q and not the image: who pulls the image checks nothing by it", a.Type, a.Identifier); !noted[note] {
				noted[note] = true
				notes = append(notes, note)
			}
		case a.Digest.Validate() != nil || a.Digest.Algorithm().FromBytes(image) != a.Digest:
			return nil, &Error{
				Place: p.name, Op: "compare the image with the manifest",
				Err:  fmt.Errorf("%w: the manifest seals the image %.140s, and this one is %s", ErrConflict, a.Digest, subject.Digest),
				Hint: fmt.Sprintf("publish to oci://%s@%.140s, or seal this image", p.repository(), a.Digest),
			}
		}
	}
	return notes, nil
}

// alreadyThere looks for the release among those of the image. What claims to be
// it and is not does not keep the real one out.
func (p *ociPlace) alreadyThere(ctx context.Context, subject v1.Descriptor, r Sealed) (Receipt, bool, error) {
	there, err := p.sealedBeside(ctx, subject)
	if err != nil && !errors.Is(err, errUnreadable) {
		return Receipt{}, false, err
	}
	for _, a := range there {
		if a.payload != r.Payload {
			continue
		}
		release, err := p.read(ctx, a)
		if errors.Is(err, errUnreadable) {
			continue
		} else if err != nil {
			return Receipt{}, false, err
		}
		receipt := Receipt{Place: p.name, State: AlreadyThere, URL: release.Ref}
		for _, f := range []struct {
			name         string
			there, given []byte
		}{
			{"envelope", release.Envelope, r.Envelope}, {"interface snapshot", release.Snapshot, r.Snapshot}, {"provenance", release.Provenance, r.Provenance},
		} {
			if !bytes.Equal(f.there, f.given) {
				receipt.Notes = append(receipt.Notes, fmt.Sprintf("its %s is not the one at hand, and stays; the payload is the same", f.name))
			}
		}
		return receipt, true, nil
	}
	return Receipt{}, false, nil
}

// upload pushes all that the release consists of but its manifest. begun says
// that an earlier run had come so far.
func (p *ociPlace) upload(ctx context.Context, subject v1.Descriptor, r Sealed) (manifest blob, begun bool, err error) {
	var previousAt digest.Digest
	if previous := linkOf(r.Manifest); previous != "" {
		a, _, err := p.locate(ctx, previous)
		if err != nil && !errors.Is(err, verify.ErrNoRelease) {
			return blob{}, false, err
		}
		previousAt = a.desc.Digest
	}
	manifest, blobs, err := packArtifact(r, p.env.Stem, subject, previousAt)
	if err != nil {
		return blob{}, false, &Error{Place: p.name, Op: "pack the release", Err: err}
	}
	for i, b := range blobs {
		existed, err := p.pushBlob(ctx, b)
		if err != nil {
			return blob{}, false, err
		}
		if i == 0 { // the envelope: other blobs may be another release's, too
			begun = existed
		}
	}
	return manifest, begun, nil
}

// pushBlob pushes a blob that is not there yet. Where the answer to a push is
// lost, the upload is looked for before it is called failed.
func (p *ociPlace) pushBlob(ctx context.Context, b blob) (existed bool, err error) {
	op := "upload " + b.desc.Annotations[v1.AnnotationTitle]
	if b.desc.MediaType == v1.MediaTypeEmptyJSON {
		op = "upload the empty config"
	}
	if existed, err = p.repo.Blobs().Exists(ctx, b.desc); err != nil {
		return false, p.explain(op, err)
	} else if existed {
		return true, nil
	}
	if err = p.repo.Blobs().Push(ctx, b.desc, bytes.NewReader(b.data)); err == nil {
		return false, nil
	}
	if there, lookErr := p.repo.Blobs().Exists(ctx, b.desc); lookErr == nil && there {
		return false, nil
	}
	return false, p.explain(op, err)
}

// makeVisible pushes the manifest, and looks whether it is listed afterwards.
//
// A registry without the referrers API has the list written by its clients, each
// reading, adding and writing it back: two at once lose an entry. So we look again
// when everybody who read before we wrote must have written, and add ours anew
// where it was lost. Others of our kind do the same, and what they added is in the
// list that we read.
func (p *ociPlace) makeVisible(ctx context.Context, subject v1.Descriptor, manifest blob) error {
	if err := p.tagIsFree(ctx, subject); err != nil {
		return err
	}
	var trouble error
	for range maxRounds {
		err := p.repo.Manifests().Push(ctx, manifest.desc, bytes.NewReader(manifest.data))
		if err != nil {
			trouble = p.explain(opPush, err)
			if !mayPass(trouble) {
				return trouble
			}
		}
		stays, err := p.stays(ctx, subject, manifest.desc.Digest)
		if err != nil || stays {
			return err
		}
	}
	if trouble == nil {
		trouble = &Error{
			Place: p.name, Op: opPush, Err: fmt.Errorf("%w: the list of the image's referrers was read %d times, and did not keep the release", verify.ErrUnavailable, maxRounds),
			Hint: "others write to the tag " + referrersTag(subject.Digest) + " at the same time: run again",
		}
	}
	return trouble
}

// mayPass says whether an error may be gone a moment later.
func mayPass(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Status == 0 || passing(e.Status))
}

// stays says whether the release is listed, and stays so while others who are
// writing the list finish.
func (p *ociPlace) stays(ctx context.Context, subject v1.Descriptor, manifest digest.Digest) (bool, error) {
	for range 2 {
		listed, err := p.lists(ctx, subject, manifest)
		if err != nil {
			return false, err
		}
		if listed && !p.lacksReferrers() {
			return true, nil
		}
		// By chance, so that two who collided do not do so again.
		if err := p.wait(ctx, settling+rand.N(settling)); err != nil {
			return false, p.explain(opPush, err)
		}
		if !listed {
			return false, nil
		}
	}
	return p.lists(ctx, subject, manifest)
}

func (p *ociPlace) lists(ctx context.Context, subject v1.Descriptor, manifest digest.Digest) (bool, error) {
	all, err := p.referrers(ctx, subject)
	if err != nil {
		return false, err
	}
	for _, d := range all {
		if d.Digest == manifest {
			return true, nil
		}
	}
	return false, nil
}

// tagIsFree refuses to overwrite something else under the tag that lists
// referrers where the registry does not.
func (p *ociPlace) tagIsFree(ctx context.Context, subject v1.Descriptor) error {
	if !p.lacksReferrers() {
		return nil
	}
	const op = "look up the tag that lists the image's referrers"
	tag := referrersTag(subject.Digest)
	there, err := p.repo.Resolve(ctx, tag)
	switch {
	case errors.Is(err, errdef.ErrNotFound):
		return nil
	case err != nil:
		return p.explain(op, err)
	case there.MediaType != v1.MediaTypeImageIndex || there.Digest == subject.Digest:
		return &Error{
			Place: p.name, Op: op, Err: fmt.Errorf("%w: the tag %s holds a %.100q, want a list of referrers", ErrConflict, tag, there.MediaType),
			Hint: "remove that tag, or publish elsewhere",
		}
	}
	return nil
}
