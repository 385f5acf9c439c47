package lineage

import (
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal"
)

// declarations compares what two manifests declare of a tool, member by member
// (MIS §11.2, §8.5).
func (l *ledger) declarations(old, new *seal.Tool) {
	l.effects(&old.SideEffects, &new.SideEffects)
	l.capabilities(old.Capabilities, new.Capabilities)
}

// effects compares two side_effects objects.
func (l *ledger) effects(old, new *seal.SideEffects) {
	l.names("reads", "reads", old.Reads, new.Reads)
	l.names("writes", "writes", old.Writes, new.Writes)
	l.listed(listed{"network_egress", "network_endpoints", "network egress", " to ", coversHost}, old.NetworkEgress, new.NetworkEgress, old.NetworkEndpoints, new.NetworkEndpoints)
	l.flag("executes_code", "executes code", old.ExecutesCode, new.ExecutesCode)
	l.sandbox(old.ExecutionContext, new.ExecutionContext)
	l.listed(listed{"accesses_env_vars", "env_vars_accessed", "access to environment variables", ": ", coversPrefix}, old.AccessesEnvVars, new.AccessesEnvVars, old.EnvVarsAccessed, new.EnvVarsAccessed)
	l.flag("spawns_processes", "spawns processes", old.SpawnsProcesses, new.SpawnsProcesses)
	l.flag("modifies_system_state", "modifies system state", old.ModifiesSystemState, new.ModifiesSystemState)
	l.flag("persists_data", "persists data", old.PersistsData, new.PersistsData)
	if old.Summary != new.Summary {
		l.add(ClassChange{Class: SummaryChanged, Weight: Wording, Path: effectPath("human_readable_summary"),
			Text: "rewords the summary of its side effects", Old: jsonString(old.Summary), New: jsonString(new.Summary)})
	}
}

func effectPath(member string) string { return "/side_effects/" + member }

// effect records one change of side_effects.
func (l *ledger) effect(class Class, member, text string, old, new jsontext.Value) {
	weight := Compatible
	switch class {
	case EffectExpanded:
		weight = Expansion
	case EffectReduced:
		weight = Reduction
	}
	l.add(ClassChange{Class: class, Weight: weight, Path: effectPath(member), Text: text, Old: old, New: new})
}

// flag compares one boolean; does says in words what it declares.
func (l *ledger) flag(member, does string, old, new bool) {
	switch {
	case new && !old:
		l.effect(EffectExpanded, member, "declares that it "+does, jsonBool(old), jsonBool(new))
	case old && !new:
		l.effect(EffectReduced, member, "no longer declares that it "+does, jsonBool(old), jsonBool(new))
	}
}

// names compares a list whose order says nothing.
func (l *ledger) names(member, does string, old, new []string) {
	added, _, gone := compareNames(old, new, nil)
	if len(added) > 0 {
		l.effect(EffectExpanded, member, does+" "+enumerate(added)+" as well", jsonStrings(old), jsonStrings(new))
	}
	if len(gone) > 0 {
		l.effect(EffectReduced, member, "no longer "+does+" "+enumerate(gone), jsonStrings(old), jsonStrings(new))
	}
}

// A listed effect is a boolean and the list that says how far it goes.
type listed struct {
	flag, list string
	noun, to   string
	covers     func(wide, narrow string) bool
}

// listed compares both members. Where the boolean changed, its change names what
// is listed; a list that changed the other way is a change of its own.
func (l *ledger) listed(e listed, old, new bool, oldList, newList []string) {
	added, within, gone := compareNames(oldList, newList, e.covers)
	before, after := jsonStrings(oldList), jsonStrings(newList)
	switch {
	case new && !old:
		text := "declares " + e.noun
		if len(newList) > 0 {
			text += e.to + enumerate(slices.Compact(slices.Sorted(slices.Values(newList))))
		}
		l.effect(EffectExpanded, e.flag, text, jsonBool(old), jsonBool(new))
		added, within = nil, nil
	case old && !new:
		l.effect(EffectReduced, e.flag, "no longer declares "+e.noun, jsonBool(old), jsonBool(new))
		gone = nil
	}
	if len(added) > 0 {
		l.effect(EffectExpanded, e.list, "extends its "+e.noun+e.to+enumerate(added), before, after)
	}
	if len(within) > 0 {
		l.effect(EffectRestated, e.list, "names "+enumerate(within)+" within the "+e.noun+" that it had", before, after)
	}
	if len(gone) > 0 {
		l.effect(EffectReduced, e.list, "gives up "+e.noun+e.to+enumerate(gone), before, after)
	}
}

// sandbox compares execution_context. An absent one is native: nothing says that
// anything holds the tool.
func (l *ledger) sandbox(old, new string) {
	const member = "execution_context"
	class, text := EffectExpanded, ""
	switch held, holds := old != "" && old != "native", new != "" && new != "native"; {
	case old == new:
		return
	case held && holds:
		text = "runs in another sandbox: " + quote(new) + " instead of " + quote(old)
	case held:
		text = "leaves its sandbox, " + quote(old)
	case holds:
		class, text = EffectReduced, "runs in a sandbox, "+quote(new)
	default:
		class, text = EffectRestated, "says in other words that no sandbox holds it"
	}
	l.effect(class, member, text, jsonString(old), jsonString(new))
}

// compareNames returns the names that only new has, apart those that a pattern
// of old covers, and those that only old has.
func compareNames(old, new []string, covers func(wide, narrow string) bool) (added, within, gone []string) {
	inOld, inNew := setOf(old), setOf(new)
	var wide []string
	for _, name := range slices.Sorted(maps.Keys(inOld)) {
		if !inNew[name] {
			gone = append(gone, name)
		}
		if covers != nil && strings.Contains(name, "*") && len(wide) < maxWide {
			wide = append(wide, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(inNew)) {
		switch {
		case inOld[name]:
		case slices.ContainsFunc(wide, func(w string) bool { return covers(w, name) }):
			within = append(within, name)
		default:
			added = append(added, name)
		}
	}
	return added, within, gone
}

func setOf(names []string) map[string]bool {
	in := make(map[string]bool, len(names))
	for _, name := range names {
		in[name] = true
	}
	return in
}

const hostLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"

// coversHost reports whether the pattern wide stands for the host, or address,
// narrow: "*" for all, "*.example.com" for the names one label below, and
// "https://example.com/x/*" for what begins so. Patterns mean different things
// to different readers; in doubt it does not.
func coversHost(wide, narrow string) bool {
	if below, ok := strings.CutPrefix(wide, "*."); ok {
		label, ok := strings.CutSuffix(narrow, "."+below)
		return ok && label != "" && strings.Trim(label, hostLetters) == "" && strings.Trim(below, hostLetters+".") == ""
	}
	return wide == "*" || strings.HasSuffix(wide, "/*") && coversPrefix(wide, narrow)
}

// coversPrefix reports whether wide is "*", or ends in one and begins as narrow
// does.
func coversPrefix(wide, narrow string) bool {
	prefix, ok := strings.CutSuffix(wide, "*")
	return ok && !strings.Contains(prefix, "*") && strings.HasPrefix(narrow, prefix) && !strings.Contains(narrow, "..")
}
