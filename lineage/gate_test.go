package lineage

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/seal"
)

// changes are one breaking, one expanding and one small change.
var changes = Classes{Snapshots: true, Changes: []ClassChange{
	{Tool: "a", Class: PropertyRemoved, Weight: Breaking, Text: `removes the parameter "x"`},
	{Tool: "b", Class: EffectExpanded, Weight: Expansion, Text: `declares network egress to "*"`},
	{Tool: "c", Class: PropertyAdded, Weight: Addition, Text: `adds the optional parameter "y"`},
}}

func TestGate(t *testing.T) {
	for _, c := range []struct {
		old, new string
		want     string
	}{
		{"1.2.3", "2.0.0", ``},
		{"1.2.3", "2.0.0-rc.1", ``},
		{"0.2.3", "0.3.0", ``},
		{"2025.1.14", "2025.7.29", ``},
		{"1.2.3", "1.3.0", `tool "a" removes the parameter "x": that is a breaking change, and the version step is minor; want a major step, 2.0.0 or later`},
		{"1.2.3", "1.2.4", `tool "a" removes the parameter "x": that is a breaking change, and the version step is patch; want a major step, 2.0.0 or later
			tool "b" declares network egress to "*": that is an expansion of what it may do, and the version step is patch; want a minor step, 1.3.0 or later`},
		{"0.2.3", "0.2.4", `tool "a" removes the parameter "x": that is a breaking change, and the version step is patch; want a major step, 0.3.0 or later
			tool "b" declares network egress to "*": that is an expansion of what it may do, and the version step is patch; want a minor step, 0.3.0 or later`},
		{"1.2.3", "1.2.3", `tool "a" removes the parameter "x": that is a breaking change, and the version step is none; want a major step, 2.0.0 or later
			tool "b" declares network egress to "*": that is an expansion of what it may do, and the version step is none; want a minor step, 1.3.0 or later`},
		{"1.2.3", "1.2.2", `tool "a" removes the parameter "x": that is a breaking change, and the version step is back; want a major step, 2.0.0 or later
			tool "b" declares network egress to "*": that is an expansion of what it may do, and the version step is back; want a minor step, 1.3.0 or later`},
		{"1.2.3-rc.1", "1.2.3", `tool "a" removes the parameter "x": that is a breaking change, and the version step is patch; want a major step, 2.0.0 or later
			tool "b" declares network egress to "*": that is an expansion of what it may do, and the version step is patch; want a minor step, 1.3.0 or later`},
		{"main", "latest", `tool "a" removes the parameter "x": that is a breaking change, and the two versions cannot be compared; want a major step
			tool "b" declares network egress to "*": that is an expansion of what it may do, and the two versions cannot be compared; want a minor step`},
	} {
		var got []string
		for _, v := range Gate(changes, c.old, c.new) {
			got = append(got, v.String())
			if v.Version == "" {
				continue
			}
			if step := StepOf(c.old, v.Version); step < v.Want || step > StepMajor {
				t.Errorf("%s: want a %s step, and %s is a %s one", c.old, v.Want, v.Version, step)
			}
		}
		want := strings.ReplaceAll(c.want, "\t", "")
		if diff := cmp.Diff(want, strings.Join(got, "\n")); diff != "" {
			t.Errorf("%s to %s (-want +got):\n%s", c.old, c.new, diff)
		}
	}
	if got := Gate(Classes{Changes: changes.Changes[2:]}, "1.2.3", "1.2.4"); got != nil {
		t.Errorf("an addition in a patch: got %v", got)
	}
}

// TestLeastVersion: what is proposed is the step that is wanted, and no more.
func TestLeastVersion(t *testing.T) {
	for _, c := range []struct {
		old  string
		want Step
		out  string
	}{
		{"1.2.3", StepMajor, "2.0.0"},
		{"1.2.3", StepMinor, "1.3.0"},
		{"v1.2", StepMinor, "1.3.0"},
		{"1", StepMinor, "1.1.0"},
		{"0.0.1", StepMajor, "0.1.0"},
		{"0.0.1", StepMinor, "0.1.0"},
		{"1.3.0-rc.1", StepMinor, "1.3.0"},
		{"1.3.0-rc.1", StepMajor, "2.0.0"},
		{"2.0.0-rc.1", StepMajor, "2.0.0"},
		{"2.0.0-rc.1", StepMinor, "2.0.0"},
		{"0.3.0-rc.1", StepMajor, "0.3.0"},
		{"1.0rc1", StepMajor, "1.0.0"},
		{"1!1.0", StepMajor, ""},
		{"1.2.3.4", StepMajor, ""},
		{"2025.1.14", StepMajor, ""},
		{"99999999999999999999.0.0", StepMajor, ""},
		{"latest", StepMajor, ""},
	} {
		if got := leastVersion(c.old, c.want); got != c.out {
			t.Errorf("leastVersion(%q, %s) = %q, want %q", c.old, c.want, got, c.out)
		}
	}
}

func TestFloor(t *testing.T) {
	for tool, want := range map[string]string{"a": TypeBreaking, "b": TypeFeature, "c": TypeFeature, "nobody": TypeBugfix} {
		if got := Floor(changes, tool); got != want {
			t.Errorf("%s: got %s, want %s", tool, got, want)
		}
	}
	for _, c := range []struct {
		weight Weight
		want   string
	}{{Breaking, TypeBreaking}, {Expansion, TypeFeature}, {Unseen, TypeFeature}, {Addition, TypeFeature},
		{Wording, TypeBugfix}, {Reduction, TypeBugfix}, {Compatible, TypeBugfix}} {
		if got := Floor(Classes{Changes: []ClassChange{{Tool: "t", Weight: c.weight}}}, "t"); got != c.want {
			t.Errorf("%s: got %s, want %s", c.weight, got, c.want)
		}
	}
}

func TestUnderstated(t *testing.T) {
	entry := func(changeType string, flags ...bool) seal.Change {
		flags = append(flags, false, false, false)
		return seal.Change{Type: changeType, Description: "x", InterfaceChanged: flags[0], CapabilitiesChanged: flags[1], SideEffectsChanged: flags[2]}
	}
	notUnderstood := Classes{Snapshots: true, Changes: []ClassChange{{Tool: "a", Class: SchemaChanged, Weight: Breaking, Text: "changes the schema"}}}
	withoutSnapshots := Classes{Changes: changes.Changes}
	for _, c := range []struct {
		name    string
		entries []seal.Change
		classes Classes
		flags   Flags
		tool    string
		want    string
	}{
		{"honest", []seal.Change{entry(TypeBreaking, true, true, true)}, changes, Flags{true, true, true}, "a", ``},
		{"honest together", []seal.Change{entry(TypeBugfix, true), entry(TypeBreaking, false, true), entry(TypeRefactor, false, false, true)}, changes, Flags{true, true, true}, "a", ``},
		{"overstated", []seal.Change{entry(TypeBreaking, true, true, true)}, changes, Flags{}, "nobody", ``},
		{"nothing to say", nil, changes, Flags{}, "nobody", ``},
		{"each flag", []seal.Change{entry(TypeBugfix)}, Classes{}, Flags{true, true, true}, "a",
			`no entry says interface_changed, and the manifests differ there
			 no entry says capabilities_changed, and the manifests differ there
			 no entry says side_effects_changed, and the manifests differ there`},
		{"one flag", []seal.Change{entry(TypeBugfix, true, true)}, Classes{}, Flags{true, true, true}, "a",
			`no entry says side_effects_changed, and the manifests differ there`},
		{"no entry", nil, changes, Flags{Interface: true}, "a",
			`no entry says interface_changed, and the manifests differ there
			 the strongest entry is none, and the tool removes the parameter "x": want breaking`},
		{"a breaking change as a feature", []seal.Change{entry(TypeFeature), entry(TypeSecurity)}, changes, Flags{}, "a",
			`the strongest entry is security, and the tool removes the parameter "x": want breaking`},
		{"an expansion as a refactoring", []seal.Change{entry(TypeRefactor), entry(TypeDependency)}, changes, Flags{}, "b",
			`the strongest entry is dependency, and the tool declares network egress to "*": want feature`},
		{"an expansion as security", []seal.Change{entry(TypeSecurity)}, changes, Flags{}, "b", ``},
		{"an addition as a bugfix", []seal.Change{entry(TypeBugfix)}, changes, Flags{}, "c",
			`the strongest entry is bugfix, and the tool adds the optional parameter "y": want feature`},
		{"a type of nobody's", []seal.Change{entry("improvement")}, changes, Flags{}, "c",
			`the strongest entry is none, and the tool adds the optional parameter "y": want feature`},
		{"without snapshots", []seal.Change{entry(TypeBugfix)}, withoutSnapshots, Flags{}, "a", ``},
		{"what is not understood, as a feature", []seal.Change{entry(TypeFeature)}, notUnderstood, Flags{}, "a", ``},
		{"what is not understood, as a bugfix", []seal.Change{entry(TypeBugfix)}, notUnderstood, Flags{}, "a",
			`the strongest entry is bugfix, and the tool changes the schema: want feature`},
	} {
		want := strings.ReplaceAll(strings.ReplaceAll(c.want, "\t", ""), "\n ", "\n")
		if diff := cmp.Diff(want, strings.Join(Understated(c.entries, c.classes, c.flags, c.tool), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
