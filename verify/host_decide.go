package verify

import (
	"slices"

	"github.com/mcp-integrity/seal-action/seal"
)

// Action is what a host does about a tool.
type Action string

// The actions, from MIS §20.1: allow it; warn and let the person choose; block
// it without a choice.
const (
	Allow Action = "allow"
	Ask   Action = "ask"
	Deny  Action = "deny"
)

// Decision is what the policy makes of one tool.
type Decision struct {
	Action Action
	// Level is the tool's verified level.
	Level int
	// Reasons are what stands against the tool, also where the policy only
	// reports. Messages quote strangers: escape them for where they are shown.
	Reasons []Finding
}

// ground is what a verdict on one tool stands on.
type ground struct {
	level int
	match *bool
	// errors are what is present and wrong, with the tool or with the server as a
	// whole; advisories all else that was found.
	errors, advisories []Finding
}

// groundsOf collects, for each tool of a result, what was found; and what was
// found about the server as a whole, which is all that is known of any other tool.
func groundsOf(r *Result) (tools map[string]ground, server ground) {
	tools = make(map[string]ground, len(r.Results))
	for _, f := range r.Errors {
		if f.Tool == "" {
			server.errors = append(server.errors, f)
		}
	}
	for _, f := range r.Advisories {
		// That the server's level is too low says nothing about the tools above it.
		if f.Tool == "" && f.Code != seal.CodeLevelBelowPolicy {
			server.advisories = append(server.advisories, f)
		}
	}
	for _, t := range r.Results {
		tools[t.ToolName] = ground{
			level: t.TrustLevel, match: t.InterfaceMatch,
			errors: slices.Concat(t.Errors, server.errors), advisories: slices.Concat(t.Advisories, server.advisories),
		}
	}
	return tools, server
}

// doubtful are the advisories that tell a person why a tool does not pass.
var doubtful = map[seal.Code]bool{
	seal.CodeManifestNotFound:       true,
	seal.CodeManifestFetchFailed:    true,
	seal.CodeUnknownTool:            true,
	seal.CodeMissingTool:            true,
	seal.CodeIdentityNotExpected:    true,
	seal.CodeServerUnavailable:      true,
	seal.CodeNotObserved:            true,
	seal.CodeFirstUse:               true,
	seal.CodeFirstUseChanged:        true,
	seal.CodeFirstUseBlocked:        true,
	seal.CodeRuleBroken:             true,
	seal.CodeServerMismatch:         true,
	seal.CodeRevocationDropped:      true,
	seal.CodeArtifactUnverifiable:   true,
	seal.CodeChainUnavailable:       true,
	seal.CodeProvenanceUnverifiable: true,
}

// A decider is a policy, with what a run says of every tool alike.
type decider struct {
	policy     seal.Policy
	unexpected bool // it is signed, and nobody said by whom it should be
	ruleBroken bool
	undecided  bool // a check that was asked for was not made
}

// deciderOf is the policy of v over its result r.
func deciderOf(v *Verifier, r *Result) decider {
	d := decider{policy: v.Policy, undecided: r.Outcome == seal.Undecided}
	d.unexpected = r.Publisher != nil && !r.Publisher.Expected
	// A sibling's manifest is a doubt like a broken rule.
	d.ruleBroken = slices.ContainsFunc(r.Advisories, func(f Finding) bool {
		return f.Code == seal.CodeRuleBroken || f.Code == seal.CodeServerMismatch
	})
	if r.Outcome == seal.Fail {
		// A run that fails for one tool does not say whether it would have been
		// undecided for the others: what was looked for and skipped counts so.
		d.undecided = slices.ContainsFunc(r.Skipped, func(s Skip) bool {
			return s.Check == "artifact" && v.Artifacts != nil || s.Check == "provenance" && v.Provenance != nil || s.Check == "chain" && v.ChainAsked
		})
	}
	return d
}

// decide is the run's verdict for one tool: what passes is allowed, what warns is
// asked about, what fails is denied. MIS §20.1 would let a person pass over all
// that a warning policy meets; what is present and wrong is denied all the same,
// until somebody accepts it where that can be done (MIS §20.2).
func (p decider) decide(g ground) Decision {
	d := Decision{Action: Allow, Level: g.level, Reasons: slices.Clone(g.errors)}
	for _, f := range g.advisories {
		if doubtful[f.Code] {
			d.Reasons = append(d.Reasons, f)
		}
	}
	if p.low(g) {
		d.Reasons = append(d.Reasons, finding(seal.CodeLevelBelowPolicy, "", "", "level %d was verified, the policy asks for %d", g.level, p.policy.Below))
	}
	switch {
	case p.policy.Mode == seal.ReportOnly:
	case len(g.errors) > 0:
		d.Action = Deny
	case !p.passes(g):
		d.Action = p.tooLittle()
	}
	return d
}

// passes says that nothing keeps a tool from being allowed.
func (p decider) passes(g ground) bool {
	return len(g.errors) == 0 && !p.low(g) && !p.unexpected && !p.ruleBroken && !p.undecided
}

func (p decider) low(g ground) bool { return g.level < p.policy.Below }

// tooLittle is what the policy does about what is not wrong, and not enough.
func (p decider) tooLittle() Action {
	switch p.policy.Mode {
	case seal.ReportOnly:
		return Allow
	case seal.Warn:
		return Ask
	}
	return Deny // also where somebody set no policy
}

// unverified is the decision where there is no verdict.
func (p decider) unverified() Decision {
	return Decision{Action: p.tooLittle(), Reasons: []Finding{finding(seal.CodeNotObserved, "", "", "what the server serves now is not verified yet")}}
}

// verdictOf decides about every tool of a result, and about any other.
func verdictOf(v *Verifier, r *Result) *verdict {
	p := deciderOf(v, r)
	tools, server := groundsOf(r)
	out := &verdict{tools: make(map[string]Decision, len(tools))}
	for name, g := range tools {
		out.tools[name] = p.decide(g)
	}
	server.advisories = append(server.advisories, finding(seal.CodeUnknownTool, "", "", "the list that was verified has no tool of this name"))
	out.other = p.decide(server)
	return out
}
