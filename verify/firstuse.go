package verify

import (
	"context"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// FirstUse keeps what servers without a manifest served when they were first met
// (MIS §20.2). Its answers are trusted, as those of [Memory] are. Its methods may
// be called from several goroutines.
type FirstUse interface {
	// Meet compares what a server serves now with what is kept of it. What is met
	// for the first time is kept. What changed is kept beside it, for somebody to
	// accept or to block: being seen twice does not make it accepted. Only an
	// observation that is [Live] is kept; any other is compared and forgotten. An
	// error says that nothing can be said about the server: it is no first use.
	Meet(ctx context.Context, server FirstUseKey, seen Observation, now time.Time) (Meeting, error)
	// Blocked says, without a look at the server, whether somebody blocked it, and
	// which of its tools. A server that was never met is not blocked.
	Blocked(ctx context.Context, server FirstUseKey) (whole bool, tools []string, err error)
	// Sealed keeps that the server had a manifest of a namespace that was expected,
	// and that seen is what it sealed: Meet says so ever after ([Meeting]). It takes
	// no block away.
	Sealed(ctx context.Context, server FirstUseKey, namespace string, seen Observation, now time.Time) error
}

// FirstUseKey names a server as the caller knows it: by the host application, and
// by how that was told to start or to reach it. What a server calls itself has no
// part in it, or it could become a stranger at will.
type FirstUseKey struct {
	Host   string `json:"host"`
	Server string `json:"server"`
	// Start is a digest of how the host starts the server, or reaches it; "" where
	// that is not known. It is no part of the name: the server stays who it was when
	// its command changes, and the change is told ([Meeting.Restarted]).
	Start string `json:"-"`
}

// Meeting is what came of meeting a server.
type Meeting struct {
	// Sealed is the namespace of the manifest that the server had when it was
	// verified before; "" where it never had one.
	Sealed string
	// First says that nothing was kept of it; Since is when it was first met.
	First bool
	Since time.Time
	// Blocked says that somebody blocked the server, and BlockedTools which of the
	// tools that it serves somebody blocked, whether they differ or not.
	Blocked      bool
	BlockedTools []string
	// Restarted says that the host starts the server in another way than when it
	// was accepted.
	Restarted bool
	// Pending names what was kept beside the accepted tools, so that somebody can
	// accept just that; "" where nothing was.
	Pending digest.Digest
	// Unkept is why what changed could not be kept beside it; nil where it was, or
	// where there was nothing to keep. The comparison holds all the same.
	Unkept error
	// Changes are the tools that differ from those that are accepted, by name.
	Changes []FirstUseChange
}

// FirstUseKind is how a tool differs from what is accepted.
type FirstUseKind string

// The kinds of changes. A removed tool stays among the accepted ones, so that it
// cannot come back as another.
const (
	ToolAdded   FirstUseKind = "added"
	ToolRemoved FirstUseKind = "removed"
	ToolChanged FirstUseKind = "changed"
)

// FirstUseChange is one tool that differs from what is accepted.
type FirstUseChange struct {
	Tool string
	Kind FirstUseKind
	// Blocked says that somebody blocked this tool.
	Blocked bool
	// AcceptedAt is when the old one was accepted; the zero time for an added tool.
	AcceptedAt time.Time
	// Old and New are the tool as it was accepted and as it is served now. Raw is
	// empty where it is added or removed, and where the store has no room for it:
	// Kind tells these apart.
	Old, New fingerprint.Tool
	// OldDigests and NewDigests are their fingerprints, zero where there is none.
	OldDigests, NewDigests fingerprint.Digests
	// Components are those that differ; none where the tool is added or removed.
	Components []fingerprint.Component
}

// Wordless says that not both sides' words are there: the change is known by its
// fingerprints, and cannot be shown.
func (c *FirstUseChange) Wordless() bool {
	return c.Kind != ToolAdded && len(c.Old.Raw) == 0 || c.Kind != ToolRemoved && len(c.New.Raw) == 0
}
