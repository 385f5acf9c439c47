package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/mcp-integrity/seal-action/internal/difftext"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// runDiff says what changed between two snapshots, or the snapshots beside two
// manifests.
func runDiff(_ context.Context, inv *invocation) error {
	older, err := inv.snapshotOf(inv.args[0])
	if err != nil {
		return err
	}
	newer, err := inv.snapshotOf(inv.args[1])
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
	p.WriteString(tame(b.String()))
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

// snapshotOf reads a snapshot; of a manifest, the snapshot beside it, which must
// be the one that the manifest seals. Whose manifest it is, nobody checks.
func (i *invocation) snapshotOf(path string) (*fingerprint.Snapshot, error) {
	data, err := readFile(path, fingerprint.MaxSnapshotSize)
	if err != nil {
		return nil, err
	}
	e, err := seal.ParseEnvelope(data)
	if err != nil {
		return readForDiff(path)
	}
	m, err := seal.ParseManifest(e.Payload)
	if err != nil {
		return nil, failsf("%s: %w", path, err)
	}
	beside := sibling(path, interfaceSuffix)
	snap, err := readForDiff(beside)
	if err != nil {
		return nil, err
	}
	if err := sealsSnapshot(m, snap); err != nil {
		return nil, failsf("%s is not what %s seals: %w", beside, path, err)
	}
	i.note("%s: compared by the snapshot beside it, which it seals; its signature is not checked (verify does that)", path)
	return snap, nil
}

// readForDiff reads a snapshot. One that cannot be read is no finding: nothing
// was compared.
func readForDiff(path string) (*fingerprint.Snapshot, error) {
	snap, err := readSnapshot(path)
	if err != nil {
		return nil, &exitError{code: ExitUndecided, err: err}
	}
	return snap, nil
}

func sealsSnapshot(m *seal.Manifest, snap *fingerprint.Snapshot) error {
	if len(m.Tools) != len(snap.Tools) {
		return fmt.Errorf("got %d tools, want %d", len(snap.Tools), len(m.Tools))
	}
	sealed := map[string]fingerprint.Digests{}
	for _, t := range m.Tools {
		sealed[t.Name] = t.Interface
	}
	for _, t := range snap.Tools {
		want, ok := sealed[t.Name]
		if !ok {
			return fmt.Errorf("tool %.100q is not in the manifest", t.Name)
		}
		got, err := fingerprint.Of(t, want.Composite.Algorithm())
		if err != nil {
			return err
		}
		if got.Composite != want.Composite {
			return fmt.Errorf("tool %.100q: composite_digest: got %s, want %s", t.Name, got.Composite, want.Composite)
		}
	}
	return nil
}
