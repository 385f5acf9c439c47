package cli

import (
	"bytes"
	"context"

	"github.com/mcp-integrity/seal-action/internal/difftext"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// runDiff says what changed between two snapshots, or the snapshots beside two
// manifests.
func runDiff(_ context.Context, inv *invocation) error {
	older, err := snapshotOf(inv.args[0])
	if err != nil {
		return err
	}
	newer, err := snapshotOf(inv.args[1])
	if err != nil {
		return err
	}
	changes := lineage.Diff(older.Tools, newer.Tools)
	if inv.str("format") == "json" {
		if changes == nil {
			changes = []lineage.ToolChange{}
		}
		data, err := renderJSON(map[string]any{
			"schema_version": "1.0",
			"old":            older.Server, "new": newer.Server,
			"changes": changes,
		})
		if err != nil {
			return undecidedf("%w", err)
		}
		return inv.print(inv.str("output-file"), data)
	}
	p := &page{}
	if older.Server != newer.Server {
		p.line("server: %s %s → %s %s", older.Server.Name, orDash(older.Server.Version), newer.Server.Name, orDash(newer.Server.Version))
	}
	var b bytes.Buffer
	if err := difftext.Write(&b, changes, difftext.Options{}); err != nil {
		return undecidedf("%w", err)
	}
	p.Write(b.Bytes())
	return inv.print(inv.str("output-file"), p.Bytes())
}

// snapshotOf reads a snapshot; of a manifest, the snapshot beside it that its
// publisher's statement names.
func snapshotOf(path string) (*fingerprint.Snapshot, error) {
	data, err := readFile(path, fingerprint.MaxSnapshotSize)
	if err != nil {
		return nil, err
	}
	if _, err := seal.ParseEnvelope(data); err == nil {
		path = sibling(path, interfaceSuffix)
	}
	snap, err := readSnapshot(path)
	if err != nil {
		return nil, undecidedf("%w", err)
	}
	return snap, nil
}
