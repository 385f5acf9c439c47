package cli

import (
	"bytes"
	"context"
	"os"

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
	if err := difftext.Write(&b, changes, difftext.Options{Color: inv.colorful()}); err != nil {
		return undecidedf("%w", err)
	}
	p.Write(b.Bytes())
	return inv.print(inv.str("output-file"), p.Bytes())
}

// colorful says that the result is printed on a terminal whose user did not say
// no (NO_COLOR, as no-color.org has it).
func (i *invocation) colorful() bool {
	f, ok := i.Stdout.(*os.File)
	if !ok || i.str("output-file") != "-" || i.Getenv("NO_COLOR") != "" || i.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
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
