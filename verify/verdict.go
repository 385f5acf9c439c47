package verify

import (
	"fmt"
	"slices"
	"time"

	"github.com/mcp-integrity/seal-action/seal"
)

// levels is steps 7 and 8: the level of each tool, and of the server the least
// of its live tools' (decision 13).
func (r *run) levels() {
	roles := r.roles()
	live := r.result.Observed == Live
	least, anyLive := 3, false
	standing := r.standing()
	r.result.SealedLevel = seal.SealedLevel(r.opened.Manifest, seal.Evidence{Standing: standing, Quorum: r.Quorum})
	for _, name := range r.order {
		c := r.checks[name]
		e := seal.Evidence{
			Tool: c.sealed, Standing: standing, Quorum: r.Quorum,
			Artifact: c.artifact, Provenance: c.provenance, Chain: c.chain, NotFirst: c.notFirst, Warranted: c.warranted,
		}
		if live {
			e.Interface = c.iface
		}
		reqs := seal.Requirements(e)
		level := seal.Level(reqs)
		if len(r.result.Errors) > 0 || len(c.errors) > 0 {
			level = 0
		}
		c.trustLevel = level
		c.unmetRequirements = slices.DeleteFunc(slices.Clone(reqs), func(q seal.Requirement) bool { return q.Met })
		c.onlyUnmadeBelowGoal = !slices.ContainsFunc(reqs, func(q seal.Requirement) bool {
			return !q.Met && !q.Unmade && q.Level <= r.Policy.Below
		})
		if c.live && live {
			least, anyLive = min(least, level), true
		}
		r.result.Results = append(r.result.Results, r.toolResult(name, c, roles))
	}
	if anyLive {
		r.result.TrustLevel = least
	}
	r.missing()
	r.claim()
	r.negative(standing)
	r.attested(standing)
}

// attested lists who said what, for and against.
func (r *run) attested(s seal.Standing) {
	for n, a := range slices.Concat(s.For, s.Against) {
		r.result.Attestations = append(r.result.Attestations, Attested{
			Role: a.Role, Type: a.Type, Holder: a.Holder, KeyID: a.KeyID,
			Timestamp: a.Time, ExpiresAt: a.ExpiresAt, Against: n >= len(s.For),
		})
	}
}

// negative reports who speaks against the release. It takes level 3 away and is
// an error, but leaves levels 1 and 2 as they are (decision 10d).
func (r *run) negative(s seal.Standing) {
	for _, a := range s.Against {
		where := fmt.Sprintf("signatures[%d]", a.Index)
		if a.Index < 0 {
			where = "an attestation that an earlier run saw, and that is not there any more"
		}
		at := "an unsigned time"
		if a.Time != nil {
			at = a.Time.Format(time.RFC3339)
		}
		r.fail(seal.CodeNegativeFinding, "%s: %s %.100q attests %.80q since %s, and has not taken it back", where, a.Role, a.Holder, a.Type, at)
	}
}

func (r *run) roles() []string {
	roles := []string{}
	for _, a := range r.opened.Attestations {
		if !slices.Contains(roles, string(a.Role)) {
			roles = append(roles, string(a.Role))
		}
	}
	return roles
}

func (r *run) toolResult(name string, c *toolChecks, roles []string) ToolResult {
	return ToolResult{
		ServerName: r.result.ServerName, ToolName: name,
		TrustLevel: c.trustLevel, ClaimedLevel: r.result.ClaimedLevel,
		InterfaceMatch: tristate(c.iface), InterfaceDetails: c.details,
		ArtifactMatch:        tristate(c.artifact),
		ProvenanceValid:      tristate(c.provenance),
		ChainValid:           tristate(c.chain),
		AttestationsVerified: roles,
		Advisories:           orEmpty(c.advisories), Errors: orEmpty(c.errors),
		VerifiedAt: r.result.VerifiedAt,
	}
}

func tristate(c seal.Check) *bool {
	if c == seal.NotMade {
		return nil
	}
	return ptr(c == seal.Holds)
}

func orEmpty(f []Finding) []Finding {
	if f == nil {
		return []Finding{}
	}
	return f
}

// missing collects what each level needs that the server did not reach, over its
// tools, the next level's first.
func (r *run) missing() {
	at := map[string]int{}
	for _, name := range r.order {
		for _, q := range r.checks[name].unmetRequirements {
			if q.Level <= r.result.TrustLevel {
				continue // of a tool that is not live
			}
			i, ok := at[q.Name]
			if !ok {
				i = len(r.result.Missing)
				at[q.Name] = i
				r.result.Missing = append(r.result.Missing, Missing{Level: q.Level, Requirement: q.Name, Who: q.Who})
			}
			r.result.Missing[i].Tools = append(r.result.Missing[i].Tools, name)
		}
	}
	slices.SortStableFunc(r.result.Missing, func(a, b Missing) int { return a.Level - b.Level })
}

// claim is MIS §17.1: the server's claim is compared, never believed.
func (r *run) claim() {
	if c := r.result.ClaimedLevel; c != nil && *c > r.result.TrustLevel {
		r.advise(seal.CodeLevelClaimedNotMet, "the server claims level %d, this run verified level %d", *c, r.result.TrustLevel)
	}
}

// outcome is the one place where a verdict is made.
func (r *run) outcome() {
	res := r.result
	for _, t := range res.Results {
		res.Errors = append(res.Errors, t.Errors...)
		res.Advisories = append(res.Advisories, t.Advisories...)
	}
	low := res.TrustLevel < r.Policy.Below
	if low && r.opened != nil && len(res.Errors) == 0 {
		r.advise(seal.CodeLevelBelowPolicy, "level %d was verified, the policy asks for %d", res.TrustLevel, r.Policy.Below)
	}
	r.rules()
	doubted := r.ruleBroken || r.misnamed()
	switch {
	case r.Policy.Mode == seal.ReportOnly:
		res.Outcome = seal.Pass
		if len(res.Errors) > 0 || r.asked || r.opened == nil || doubted {
			res.Outcome = seal.Warned
		}
	case len(res.Errors) > 0:
		res.Outcome = seal.Fail
	case r.Policy.Mode == seal.Block && r.opened != nil && !r.expected:
		// Rule 5 of the house: a signature by just anyone is not a signature.
		res.Outcome = seal.Fail
	case r.asked:
		res.Outcome = seal.Undecided
	case doubted && r.Policy.Mode == seal.Block:
		res.Outcome = seal.Fail
	case low && r.Policy.Mode == seal.Block && r.onlyUnmade():
		res.Outcome = seal.Undecided
	case low && r.Policy.Mode == seal.Block:
		res.Outcome = seal.Fail
	case low, doubted, r.opened != nil && !r.expected:
		res.Outcome = seal.Warned
	default:
		res.Outcome = seal.Pass
	}
}

// misnamed says that the server that was observed calls itself otherwise than the
// manifest does. It may serve the very same tools and be another server of the
// same publisher, whose manifest says nothing about it. That is no error, since a
// name is a claim, and no pass either.
func (r *run) misnamed() bool {
	return r.opened != nil && r.observation != nil && r.observation.Server.Name != r.opened.Manifest.Server.Name
}

// onlyUnmade says that nothing but checks that were not made keeps the server
// below the policy's level.
func (r *run) onlyUnmade() bool {
	if r.opened == nil {
		return false
	}
	for _, c := range r.checks {
		if (c.live || r.observation == nil || r.observation.Observed != Live) && !c.onlyUnmadeBelowGoal {
			return false
		}
	}
	return true
}
