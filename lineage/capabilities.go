package lineage

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// capabilities compares two lists of capabilities (MIS §8.5) as sets. What is
// not in both is paired by resource and scope first, then by resource alone, in
// the order of the lists; what is left was gained or lost.
func (l *ledger) capabilities(old, new []seal.Capability) {
	old, new = onlyIn(old, new), onlyIn(new, old)
	for _, same := range []func(seal.Capability) string{
		func(c seal.Capability) string { return c.Resource + "\x00" + c.Scope },
		func(c seal.Capability) string { return c.Resource },
	} {
		old, new = l.pairCapabilities(old, new, same)
	}
	for _, c := range old {
		l.capability(CapabilityLost, Reduction, "no longer needs "+describe(c), &c, nil)
	}
	for _, c := range new {
		l.capability(CapabilityGained, Expansion, "needs "+describe(c), nil, &c)
	}
}

// onlyIn returns the capabilities that the other list has not, each once.
func onlyIn(list, other []seal.Capability) []seal.Capability {
	seen := make(map[string]bool, len(list)+len(other))
	for _, c := range other {
		seen[capabilityKey(c)] = true
	}
	var only []seal.Capability
	for _, c := range list {
		if key := capabilityKey(c); !seen[key] {
			seen[key] = true
			only = append(only, c)
		}
	}
	return only
}

// capabilityKey is the same for two capabilities if and only if they say the
// same: the order of actions says nothing.
func capabilityKey(c seal.Capability) string {
	c.Actions = sortedNames(c.Actions)
	key, err := strictjson.Marshal(c)
	if err != nil { // a name that is no UTF-8, which no manifest holds
		return strings.Join(append([]string{c.Resource, c.Scope}, c.Actions...), "\x00") + map[bool]string{true: "\x01"}[c.Required]
	}
	return string(key)
}

// pairCapabilities compares those with the same key, and returns the others.
func (l *ledger) pairCapabilities(old, new []seal.Capability, key func(seal.Capability) string) (restOld, restNew []seal.Capability) {
	waiting := make(map[string][]int, len(old))
	for i, c := range old {
		waiting[key(c)] = append(waiting[key(c)], i)
	}
	paired := make([]bool, len(old))
	for _, c := range new {
		at := waiting[key(c)]
		if len(at) == 0 {
			restNew = append(restNew, c)
			continue
		}
		paired[at[0]] = true
		waiting[key(c)] = at[1:]
		l.changedCapability(old[at[0]], c)
	}
	for i, c := range old {
		if !paired[i] {
			restOld = append(restOld, c)
		}
	}
	return restOld, restNew
}

// changedCapability compares two capabilities on one resource, which differ.
func (l *ledger) changedCapability(old, new seal.Capability) {
	var wider, narrower, other []string
	added, _, gone := compareNames(old.Actions, new.Actions, nil)
	if len(added) > 0 {
		wider = append(wider, "may "+enumerate(added)+" as well")
	}
	if len(gone) > 0 {
		narrower = append(narrower, "may no longer "+enumerate(gone))
	}
	switch {
	case new.Required && !old.Required:
		wider = append(wider, "is required now")
	case old.Required && !new.Required:
		narrower = append(narrower, "is optional now")
	}
	switch from, to := scopeOf(old), scopeOf(new); {
	case old.Scope == new.Scope:
	case from == to:
		other = append(other, "is said in other words to have no limit")
	case coversScope(from, to):
		narrower = append(narrower, "is limited to "+quote(to))
	case to == "*":
		wider = append(wider, "has no limit now, and had "+quote(from))
	default:
		wider = append(wider, "has the scope "+quote(to)+" instead of "+quote(from))
	}
	subject := "its capability on " + quote(new.Resource) + " "
	for _, c := range []struct {
		class  Class
		weight Weight
		says   []string
	}{{CapabilityWidened, Expansion, wider}, {CapabilityNarrowed, Reduction, narrower}, {CapabilityRestated, Compatible, other}} {
		for _, says := range c.says {
			l.capability(c.class, c.weight, subject+says, &old, &new)
		}
	}
}

// capability records one change of capabilities_required. Its path leads to the
// list: an entry's place in it says nothing.
func (l *ledger) capability(class Class, weight Weight, text string, old, new *seal.Capability) {
	l.add(ClassChange{Class: class, Weight: weight, Path: "/capabilities_required", Text: text, Old: jsonOf(old), New: jsonOf(new)})
}

func jsonOf(c *seal.Capability) jsontext.Value {
	if c == nil {
		return nil
	}
	raw, err := strictjson.Marshal(c)
	if err != nil {
		return nil
	}
	return raw
}

// scopeOf returns the scope; an absent one is no restriction (MIS §8.5).
func scopeOf(c seal.Capability) string {
	if c.Scope == "" {
		return "*"
	}
	return c.Scope
}

// coversScope reports whether the scope wide certainly holds narrow. A scope is
// a path pattern, a host or a name, depending on the resource.
func coversScope(wide, narrow string) bool {
	return wide == "*" || coversHost(wide, narrow)
}

// describe returns a capability in words.
func describe(c seal.Capability) string {
	text := "the capability to " + enumerate(sortedNames(c.Actions)) + " " + quote(c.Resource)
	if len(c.Actions) == 0 {
		text = "a capability on " + quote(c.Resource)
	}
	if c.Scope != "" {
		text += " (" + quote(c.Scope) + ")"
	}
	if !c.Required {
		text += " for optional features"
	}
	return text
}

func sortedNames(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
