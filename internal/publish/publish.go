// Package publish puts sealed releases where users look for them, and finds them
// there again. A [Place] is both: a target of --publish, and a source for
// --previous and verify.
//
// What goes out was signed in full and accepted by our own verifier; each place
// makes it visible in one step, at the end, and doing it twice is harmless. What
// comes in is bytes that nobody believes yet.
//
// A release is addressed by its server's history, a list of payload digests
// (SHA-256, decision 9). Where files have names they are these, for the stem
// "mcp-integrity" that --output gives:
//
//	mcp-integrity.json                         the newest release's envelope
//	mcp-integrity.interface.json               its interface snapshot
//	mcp-integrity.provenance.sigstore.json     its build provenance, where it has one
//	mcp-integrity/index.json                   the history, newest first: a hint, unsigned
//	mcp-integrity/sha256-<hex>.json            every release by its payload's digest,
//	mcp-integrity/sha256-<hex>.interface.json  with what lies beside it
//	mcp-integrity/sha256-<hex>.provenance.sigstore.json
package publish

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

// The suffixes of what lies beside an envelope, after the stem.
const (
	EnvelopeSuffix   = ".json"
	SnapshotSuffix   = ".interface.json"
	ProvenanceSuffix = ".provenance.sigstore.json"
)

// DefaultStem is that of MIS §18.3's file name.
const DefaultStem = "mcp-integrity"

// MediaType is the envelope's (MIS §18.1).
const MediaType = "application/vnd.mcp-integrity.manifest+json"

// Release is the files of one release, as bytes.
type Release struct {
	Envelope []byte
	// Snapshot and Provenance are nil where there is none.
	Snapshot, Provenance []byte
	// Ref says where it was found, for people.
	Ref string
}

// Sealed is a release on its way out: our own verifier accepted it.
type Sealed struct {
	Release
	Manifest *seal.Manifest
	// Payload is the digest of the envelope's payload, SHA-256.
	Payload digest.Digest
	// Signer is the publisher's keyid, or its certificate's subject.
	Signer string
	// Keys is a JWKS document of the publisher's public keys; nil where only a
	// certificate signs.
	Keys []byte
	// URL is where the envelope can be fetched by anybody once all other places
	// are done, "" where no place makes it so.
	URL string
}

// Coming is what is known of a release before it is signed.
type Coming struct {
	// Artifact is the one that the manifest names; nil where there is none.
	Artifact *seal.Artifact
	// Provenance says that there will be a build provenance.
	Provenance bool
}

// State is how a place stands after publishing.
type State string

// The states.
const (
	Published State = "published"
	// Completed: an earlier run had begun it.
	Completed State = "completed"
	// AlreadyThere: nothing was changed.
	AlreadyThere State = "already there"
)

// Receipt says what stands where.
type Receipt struct {
	Place string `json:"place"`
	State State  `json:"state"`
	// URL is where the envelope, or what the place keeps instead, is found.
	URL string `json:"url,omitzero"`
	// Notes are what its owner should know.
	Notes []string `json:"notes,omitempty"`
}

// Place is one place for sealed releases of one server.
type Place interface {
	// String is the place as somebody named it, without secrets.
	String() string
	// Check says, before anything is built or signed, what would keep Publish from
	// succeeding: a token, a permission, a release that does not exist. It changes
	// nothing.
	Check(ctx context.Context) error
	// AttestationURI is where the build provenance of a coming release will be
	// found, for the manifest's build_attestation_uri; "" where the place keeps
	// none that a stranger could fetch.
	AttestationURI(Coming) (string, error)
	// Publish makes the release stand there. It is harmless twice, and completes
	// what a run before began. An error wraps [ErrConflict] where other content
	// stands under the same name or version.
	Publish(ctx context.Context, r Sealed) (Receipt, error)
	// Latest returns the newest release there, perhaps the one that is being
	// published. An error wraps [verify.ErrNoRelease] where there is none, and
	// [verify.ErrUnavailable] where the place could not be asked.
	Latest(ctx context.Context) (Release, error)
	// Find returns the release whose payload has this digest. Errors are Latest's.
	Find(ctx context.Context, payload digest.Digest) (Release, error)
	// List yields the payload digests of all releases there, as far as the place
	// tells; an error ends it.
	List(ctx context.Context) iter.Seq2[digest.Digest, error]
}

// Env is what places take from outside.
type Env struct {
	// Getenv reads one environment variable: where a platform says which
	// repository, tag and token are this job's.
	Getenv func(string) string
	// Stem is that of the envelope's file name; [DefaultStem] where empty.
	Stem string
	// Version is the release's, "" where it is not known yet.
	Version string
	// ServerID is the <server-id> of MIS §18.2; "" where it is not known yet.
	ServerID string
	// Now is the clock.
	Now func() time.Time
	// Notify takes a line of talk, such as on a retry. It may be nil.
	Notify func(string)
	// ServerJSON is the file that an MCP registry is given; "server.json" where
	// empty.
	ServerJSON string
	// MCPName is the name in the MCP registry that the package itself has, such as
	// package.json's mcpName; "" where it has none.
	MCPName string
	// Token gives an identity token of this job for an audience; nil where there
	// is none, or where it is too early to ask.
	Token func(ctx context.Context, audience string) (string, error)
	// ReadOnly says that the place is a source only: what writing alone needs is
	// not asked for.
	ReadOnly bool
}

// ErrConflict says that a place has other content where this release belongs.
var ErrConflict = errors.New("other content stands there")

// Error is what went wrong at a place, with what its owner can change.
type Error struct {
	// Place is the place, Op what was tried, such as "upload mcp-integrity.json".
	Place, Op string
	// Status is the HTTP status, 0 where there is none.
	Status int
	Err    error
	// Hint names the permission, setting, option or endpoint to change.
	Hint string
}

func (e *Error) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("%s: %s: HTTP %d: %v", e.Place, e.Op, e.Status, e.Err)
	}
	return fmt.Sprintf("%s: %s: %v", e.Place, e.Op, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }
