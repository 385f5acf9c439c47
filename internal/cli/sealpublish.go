package cli

import (
	"context"
	"errors"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/publish"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// publish makes the release visible in every place, after everything was signed,
// verified and written. What failed there is told by the report, and may be done
// again from the files.
func (r *sealRun) publish(ctx context.Context) error {
	if len(r.places) == 0 || r.is("dry-run") {
		return nil
	}
	if err := r.stillThere(ctx); err != nil {
		return err
	}
	sealed := publish.Sealed{Release: publish.Release{
		Envelope: r.envelope, Snapshot: r.snapshot, Provenance: r.provenanceBundle, Ref: r.str("output"),
	}}
	var public []keys.PublicKey
	if r.key != nil {
		public = append(public, r.key.Public())
	}
	if err := r.describeSealed(&sealed, r.checked, public); err != nil {
		return err
	}
	r.published, r.unpublished = r.publishTo(ctx, r.places, sealed)
	return nil
}

// stillThere looks again at what the places showed when the predecessor was
// read: another release that appeared since, or was put in its place, is not
// chained onto, and not covered up.
func (r *sealRun) stillThere(ctx context.Context) error {
	own := digest.FromBytes(r.payload)
	for _, shown := range r.shown {
		var now digest.Digest
		release, err := shown.place.Latest(ctx)
		switch {
		case errors.Is(err, verify.ErrNoRelease):
		case err != nil:
			return placeError(err)
		default:
			e, err := seal.ParseEnvelope(release.Envelope)
			if err != nil {
				return failsf("%s: what stands there is no manifest any more: %w; nothing was published", shown.place, err)
			}
			now = e.PayloadDigest(digest.SHA256)
		}
		if now != shown.payload && now != own {
			return failsf("%s: the release before was %s when it was read, and is %s now; nothing was published", shown.place, orNone(string(shown.payload)), orNone(string(now))).
				withHint("another run published meanwhile, or somebody replaced it: look at it, then seal again")
		}
	}
	return nil
}
