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

// runDiff says what changed between two releases: in classes, and in words where
// both sides have a snapshot. A side is a snapshot, or a manifest with the snapshot
// beside it. Differences are what was asked for, and no failure.
func runDiff(_ context.Context, inv *invocation) error {
	older, err := inv.sideOf(inv.args[0])
	if err != nil {
		return err
	}
	newer, err := inv.sideOf(inv.args[1])
	if err != nil {
		return err
	}
	c := compare(older, newer)
	var data []byte
	switch inv.str("format") {
	case "json":
		data, err = c.json()
	case "markdown":
		data, err = c.markdown("mcp-integrity diff " + inv.args[0] + " " + inv.args[1])
	default:
		data, err = c.text(difftext.Options{Color: inv.colorful()})
	}
	if err != nil {
		return undecidedf("%w", err)
	}
	return inv.print(inv.str("output-file"), data)
}

// side is one of the two releases of a diff.
type side struct {
	lineage.Side
	server fingerprint.ServerInfo
}

// version is the release's: a package's, where a manifest names one on both sides.
func (s side) version(other side) string {
	if s.Manifest == nil || other.Manifest == nil {
		return s.server.Version
	}
	return lineage.VersionOf(s.Manifest)
}

// comparison is what diff prints.
type comparison struct {
	old, new   side
	classes    lineage.Classes
	words      []lineage.ToolChange
	flags      map[string]lineage.Flags
	violations []lineage.Violation
}

func compare(old, new side) comparison {
	c := comparison{old: old, new: new, classes: lineage.Classify(old.Side, new.Side)}
	if c.classes.Snapshots {
		c.words = lineage.Diff(old.Tools, new.Tools)
	}
	if old.Manifest != nil && new.Manifest != nil {
		c.flags = flagsBetween(old.Manifest, new.Manifest)
	}
	c.violations = lineage.Gate(c.classes, old.version(new), new.version(old))
	return c
}

// flagsBetween computes those of MIS §13.3 for each tool of new.
func flagsBetween(old, new *seal.Manifest) map[string]lineage.Flags {
	before := make(map[string]*seal.Tool, len(old.Tools))
	for i := range old.Tools {
		before[old.Tools[i].Name] = &old.Tools[i]
	}
	flags := make(map[string]lineage.Flags, len(new.Tools))
	for i := range new.Tools {
		flags[new.Tools[i].Name] = lineage.FlagsOf(before[new.Tools[i].Name], &new.Tools[i])
	}
	return flags
}

func (c comparison) json() ([]byte, error) {
	classes := c.classes
	classes.Changes = append([]lineage.ClassChange{}, classes.Changes...) // [] and never null
	return renderJSON(map[string]any{
		"schema_version": "1.0",
		"old":            c.old.server, "new": c.new.server,
		"changes":    append([]lineage.ToolChange{}, c.words...),
		"classes":    classes,
		"violations": append([]lineage.Violation{}, c.violations...),
	})
}

func (c comparison) markdown(whole string) ([]byte, error) {
	name := func(s, other side) string { return s.server.Name + " " + orDash(s.version(other)) }
	var b bytes.Buffer
	err := difftext.Markdown(&b, difftext.Report{
		Old: name(c.old, c.new), New: name(c.new, c.old),
		Classes: c.classes, Words: c.words, Flags: c.flags, Violations: c.violations,
	}, difftext.MarkdownOptions{Whole: whole})
	return b.Bytes(), err
}

func (c comparison) text(o difftext.Options) ([]byte, error) {
	p := &page{}
	if older, newer := c.old.server, c.new.server; older != newer {
		p.line("server: %s %s → %s %s", older.Name, orDash(older.Version), newer.Name, orDash(newer.Version))
	}
	var b bytes.Buffer
	if err := difftext.WriteViolations(&b, c.violations, o); err != nil {
		return nil, err
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	if err := difftext.WriteClasses(&b, c.classes, o); err != nil {
		return nil, err
	}
	if len(c.words) > 0 {
		b.WriteByte('\n')
		if err := difftext.Write(&b, c.words, o); err != nil {
			return nil, err
		}
	}
	p.WriteString(tame(b.String()))
	return p.Bytes(), nil
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

// sideOf reads a snapshot, or a manifest and the snapshot beside it, which must be
// the one that it seals. Whose manifest it is, nobody checks.
func (i *invocation) sideOf(path string) (side, error) {
	data, err := readFile(path, fingerprint.MaxSnapshotSize)
	if err != nil {
		return side{}, err
	}
	e, err := seal.ParseEnvelope(data)
	if err != nil {
		snap, err := readForDiff(path)
		if err != nil {
			return side{}, err
		}
		return side{lineage.Side{Tools: snap.Tools}, snap.Server}, nil
	}
	m, err := seal.ParseManifest(e.Payload)
	if err != nil {
		return side{}, failsf("%s: %w", path, err)
	}
	s := side{lineage.Side{Manifest: m}, fingerprint.ServerInfo{Name: m.Server.Name, Version: m.Server.Version}}
	beside := sibling(path, interfaceSuffix)
	if !fileExists(beside) {
		i.note("%s: there is no snapshot %s beside it: its interface is compared by digests; its signature is not checked (verify does that)", path, beside)
		return s, nil
	}
	snap, err := readForDiff(beside)
	if err != nil {
		return side{}, err
	}
	if err := sealsSnapshot(m, snap); err != nil {
		return side{}, failsf("%s is not what %s seals: %w", beside, path, err)
	}
	i.note("%s: compared with the snapshot beside it, which it seals; its signature is not checked (verify does that)", path)
	s.Tools = snap.Tools
	return s, nil
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
