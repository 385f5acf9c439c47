package verify

import (
	"fmt"
	"slices"

	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// maxChainSnapshot bounds a snapshot from which change classes are recomputed,
// in bytes; several are in memory at one time. The largest of 35 real servers has
// 140,582.
const maxChainSnapshot = 8 << 20

// changes recomputes what each tool says of itself (decision 14): the flags from
// the two manifests, the type from the two snapshots where they are at hand.
func (c *chain) changes(child, parent *release) {
	classes := lineage.Classes{}
	if child.tools != nil && parent.tools != nil {
		classes = lineage.Classify(lineage.Side{Manifest: parent.manifest, Tools: parent.tools}, lineage.Side{Manifest: child.manifest, Tools: child.tools})
	}
	before := byName(parent.manifest)
	hidden := false // something changed, and how cannot be seen
	for i := range child.manifest.Tools {
		t := &child.manifest.Tools[i]
		var entries []seal.Change
		if t.Lineage != nil {
			entries = t.Lineage.Changes
		} else if before[t.Name] == nil {
			continue // a first version leaves lineage out (MIS §13.5)
		}
		flags := lineage.FlagsOf(before[t.Name], t)
		hidden = hidden || flags.Interface && before[t.Name] != nil && !classes.Snapshots
		for _, what := range lineage.Understated(entries, classes, flags, t.Name) {
			c.broken(seal.CodeChangesUnderstated, t.Name, "%s, tool %.100q: lineage.changes since %s: %s", child, t.Name, parent, what)
		}
	}
	if hidden {
		c.hidden++
	}
	if child == c.head {
		c.expanded(child, parent, before)
	}
}

func byName(m *seal.Manifest) map[string]*seal.Tool {
	tools := make(map[string]*seal.Tool, len(m.Tools))
	for i := range m.Tools {
		tools[m.Tools[i].Name] = &m.Tools[i]
	}
	return tools
}

// expanded names what the newest release does beyond the one before (MIS §11.5).
// A tool that is new is held against all that the server did before: under a new
// name, an effect is no less new.
func (c *chain) expanded(child, parent *release, before map[string]*seal.Tool) {
	old := seal.Manifest{Tools: slices.Clone(parent.manifest.Tools)}
	all := union(parent.manifest)
	for i := range child.manifest.Tools {
		if t := &child.manifest.Tools[i]; before[t.Name] == nil {
			old.Tools = append(old.Tools, seal.Tool{Name: t.Name, SideEffects: all})
		}
	}
	from, to := lineage.VersionOf(parent.manifest), lineage.VersionOf(child.manifest)
	step := fmt.Sprintf("from %.64q to %.64q (step: %s)", from, to, lineage.StepOf(from, to))
	for _, change := range lineage.Classify(lineage.Side{Manifest: &old}, lineage.Side{Manifest: child.manifest}).Changes {
		if change.Class == lineage.EffectExpanded && c.among(maxErrors, seal.CodeSideEffectsExpanded) {
			t := c.checks[change.Tool]
			t.advisories = append(t.advisories, finding(seal.CodeSideEffectsExpanded, change.Tool, "", "tool %.100q %.300s: %s", change.Tool, change.Text, step))
		}
	}
}

// union is all that the tools of a release do.
func union(m *seal.Manifest) seal.SideEffects {
	var all seal.SideEffects
	add := func(list *[]string, more []string) {
		*list = append(*list, more...)
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	for i := range m.Tools {
		s := &m.Tools[i].SideEffects
		add(&all.Reads, s.Reads)
		add(&all.Writes, s.Writes)
		add(&all.NetworkEndpoints, s.NetworkEndpoints)
		add(&all.EnvVarsAccessed, s.EnvVarsAccessed)
		all.NetworkEgress = all.NetworkEgress || s.NetworkEgress
		all.ExecutesCode = all.ExecutesCode || s.ExecutesCode
		all.AccessesEnvVars = all.AccessesEnvVars || s.AccessesEnvVars
		all.SpawnsProcesses = all.SpawnsProcesses || s.SpawnsProcesses
		all.ModifiesSystemState = all.ModifiesSystemState || s.ModifiesSystemState
		all.PersistsData = all.PersistsData || s.PersistsData
	}
	return all
}

// observedTools are the tools that were seen just now, where all of them are as
// they were sealed; else nil.
func (r *run) observedTools() []fingerprint.Tool {
	if r.observation == nil {
		return nil
	}
	var tools []fingerprint.Tool
	for _, t := range r.observation.Tools {
		if c := r.checks[t.Name]; c.sealed != nil && c.iface == seal.Holds {
			tools = append(tools, t)
		}
	}
	if len(tools) != len(r.opened.Manifest.Tools) {
		return nil
	}
	return tools
}

// sealedTools reads the snapshot that lies beside a release; nil where there is
// none, or where it is not what the release seals: nothing else vouches for it.
func sealedTools(m *seal.Manifest, snapshot []byte) []fingerprint.Tool {
	if snapshot == nil || len(snapshot) > maxChainSnapshot {
		return nil
	}
	s, err := fingerprint.ParseSnapshot(snapshot)
	if err != nil || len(s.Tools) != len(m.Tools) {
		return nil
	}
	sealed := byName(m)
	for _, t := range s.Tools {
		want := sealed[t.Name]
		if want == nil {
			return nil
		}
		got, err := fingerprint.Of(t, want.Interface.Composite.Algorithm())
		if err != nil || got.Composite != want.Interface.Composite {
			return nil
		}
	}
	return s.Tools
}
