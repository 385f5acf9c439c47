package lineage

import (
	"maps"

	"github.com/mcp-integrity/seal-action/seal"
)

// Flags are the three booleans of a change entry (MIS §13.3).
type Flags struct {
	Interface, Capabilities, SideEffects bool
}

// FlagsOf computes the flags of one tool from two manifests (decision 14).
// previous is nil for a tool that the predecessor did not have: it is compared
// with a tool that does nothing. The summary for people is no side effect.
func FlagsOf(previous, current *seal.Tool) Flags {
	if previous == nil {
		previous = &seal.Tool{}
	}
	return Flags{
		Interface:    previous.Interface.Composite != current.Interface.Composite,
		Capabilities: !sameCapabilities(previous.Capabilities, current.Capabilities),
		SideEffects:  !sameSideEffects(previous.SideEffects, current.SideEffects),
	}
}

// Any reports whether anything changed.
func (f Flags) Any() bool { return f.Interface || f.Capabilities || f.SideEffects }

// sameCapabilities compares them as sets: their order says nothing.
func sameCapabilities(a, b []seal.Capability) bool {
	return len(onlyIn(a, b)) == 0 && len(onlyIn(b, a)) == 0
}

func sameSideEffects(a, b seal.SideEffects) bool {
	return sameSet(a.Reads, b.Reads) && sameSet(a.Writes, b.Writes) &&
		a.NetworkEgress == b.NetworkEgress && sameSet(a.NetworkEndpoints, b.NetworkEndpoints) &&
		a.ExecutesCode == b.ExecutesCode && a.ExecutionContext == b.ExecutionContext &&
		a.AccessesEnvVars == b.AccessesEnvVars && sameSet(a.EnvVarsAccessed, b.EnvVarsAccessed) &&
		a.SpawnsProcesses == b.SpawnsProcesses && a.ModifiesSystemState == b.ModifiesSystemState &&
		a.PersistsData == b.PersistsData
}

func sameSet(a, b []string) bool { return maps.Equal(setOf(a), setOf(b)) }
