package verify

import (
	"context"
	"errors"
	"iter"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

// ErrNoRelease says that a source answered, and has no such release.
var ErrNoRelease = errors.New("there is no such release")

// ChainSource has the releases of a server: those before the one that is
// verified, and perhaps others beside it. Its methods are called one at a time.
type ChainSource interface {
	// Release returns the envelope whose payload has this digest, as anybody may
	// have put it there. An error wraps [ErrNoRelease] or [ErrUnavailable].
	Release(ctx context.Context, payload digest.Digest) ([]byte, error)
	// Releases yields the payload digests (SHA-256) of all releases that the
	// source shows, in no order, by names that are claims. A source that cannot
	// list them yields nothing. An error ends the sequence.
	Releases(ctx context.Context) iter.Seq2[digest.Digest, error]
}

// SnapshotSource is a [ChainSource] that also has what lies beside its releases.
type SnapshotSource interface {
	ChainSource
	// ReleaseWithSnapshot is Release, with the interface snapshot beside it; nil
	// where there is none.
	ReleaseWithSnapshot(ctx context.Context, payload digest.Digest) (envelope, snapshot []byte, err error)
}

// ServerKey names a server within what is remembered.
type ServerKey struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Seen is what is remembered of a release that was verified.
type Seen struct {
	// Digest is the payload's, SHA-256.
	Digest   digest.Digest  `json:"digest"`
	IssuedAt seal.Timestamp `json:"issued_at"`
	// Version is the package's, else the server's.
	Version string `json:"version,omitzero"`
	// Origin is whose release it was and by whose trust it was verified, in a
	// form that only this package reads. It is "" for a release that was never
	// verified: only what somebody said against it is known.
	Origin string `json:"origin"`
	// Chain says that its whole chain was verified, down to the first release.
	Chain bool `json:"chain"`
	// Trust is the [Verifier.TrustState] under which it was.
	Trust string `json:"trust,omitzero"`
	// Against is what those whom trust listed then said against it, at most
	// [MaxAgainst] words, as [MergeAgainst] puts them.
	Against []Against `json:"against,omitzero"`
}

// Against is a word against a release, by somebody whom trust listed when it was
// seen. Whoever serves the envelope can leave it out the next time.
type Against struct {
	// Holder is who said it, as the trust of that run named them: for people.
	Holder string `json:"holder"`
	// Identity is the key or the identity that said it, as
	// [seal.Attestation.Identity]; "" where it was kept before there was such a
	// member, and the name must do.
	Identity string         `json:"identity,omitzero"`
	Role     seal.Role      `json:"role"`
	Type     string         `json:"attestation_type"`
	Time     seal.Timestamp `json:"timestamp"` // as they signed it
	// ExpiresAt is when it lapses; nil for never.
	ExpiresAt *seal.Timestamp `json:"expires_at,omitzero"`
	// TakenBack says that a later word of the same holder took it back, and was
	// seen.
	TakenBack bool `json:"taken_back,omitzero"`
}

// Memory keeps what earlier runs verified: a manifest older than one that was
// seen is a rollback, and a chain is walked down to what was walked already.
// Its answers are trusted; an implementation notices when what it kept was
// changed by others, and says so by an error that wraps [ErrUnavailable]. Its
// methods are called one at a time.
type Memory interface {
	// Newest returns the release of the server with the latest IssuedAt, among
	// those that have an Origin; false where there is none. A release that was
	// never verified makes no other a rollback.
	Newest(ctx context.Context, server ServerKey) (Seen, bool, error)
	// Find returns what is remembered of one release; false where it is unknown.
	Find(ctx context.Context, server ServerKey, payload digest.Digest) (Seen, bool, error)
	// Remember adds releases, newest first. It keeps a bounded number of them. Of
	// one that it knows, a release without Origin adds to Against and changes
	// nothing else; what is kept of Against never gets less than
	// [MergeAgainst] makes of it.
	Remember(ctx context.Context, server ServerKey, releases []Seen) error
}
