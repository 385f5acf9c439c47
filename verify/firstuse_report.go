package verify

import (
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// FirstUseReport is a [Meeting] as it is printed.
type FirstUseReport struct {
	Host         string           `json:"host"`
	Server       string           `json:"server"`
	First        bool             `json:"first"`
	Since        seal.Timestamp   `json:"since"`
	Blocked      bool             `json:"blocked"`
	BlockedTools []string         `json:"blocked_tools,omitempty"`
	Pending      digest.Digest    `json:"pending,omitzero"`
	Changes      []FirstUseDigest `json:"changes"`

	// Old and New are the tools of Changes with their words, for a printer that
	// shows what moved: lineage.Diff takes them as they stand.
	Old []fingerprint.Tool `json:"-"`
	New []fingerprint.Tool `json:"-"`
	// Wordless names the tools of Changes of which not both sides' words were
	// kept: they are in neither Old nor New.
	Wordless []string `json:"-"`
}

// FirstUseDigest is a [FirstUseChange] by its digests.
type FirstUseDigest struct {
	Tool       string                  `json:"tool"`
	Kind       FirstUseKind            `json:"kind"`
	Blocked    bool                    `json:"blocked"`
	Components []fingerprint.Component `json:"components"`
	// OldDigest and NewDigest are the composites; "" where there is none.
	OldDigest digest.Digest `json:"old_digest,omitzero"`
	NewDigest digest.Digest `json:"new_digest,omitzero"`
}

// NewFirstUseReport returns the report of a meeting with the server of that key.
func NewFirstUseReport(key FirstUseKey, m Meeting) *FirstUseReport {
	r := &FirstUseReport{
		Host: key.Host, Server: key.Server, First: m.First, Since: seal.NewTimestamp(m.Since),
		Blocked: m.Blocked, BlockedTools: m.BlockedTools, Pending: m.Pending,
		Changes: make([]FirstUseDigest, 0, len(m.Changes)),
	}
	for i := range m.Changes {
		r.add(&m.Changes[i])
	}
	return r
}

func (r *FirstUseReport) add(c *FirstUseChange) {
	r.Changes = append(r.Changes, FirstUseDigest{
		Tool: c.Tool, Kind: c.Kind, Blocked: c.Blocked,
		Components: append([]fingerprint.Component{}, c.Components...),
		OldDigest:  c.OldDigests.Composite, NewDigest: c.NewDigests.Composite,
	})
	// One side alone would read as a tool that came or went.
	if c.Wordless() {
		r.Wordless = append(r.Wordless, c.Tool)
		return
	}
	if c.Kind != ToolAdded {
		r.Old = append(r.Old, c.Old)
	}
	if c.Kind != ToolRemoved {
		r.New = append(r.New, c.New)
	}
}
