package verify

import (
	"github.com/mcp-integrity/seal-action/seal"
)

// A Rule is a condition that stands beside the policy's level. Where it does not
// hold, the run warns or fails as the policy's mode says.
type Rule interface {
	// String is the rule as it was written.
	String() string
	// Check returns nil where the rule holds, and else an error that names the
	// tools for which it does not. A rule that cannot be evaluated does not hold.
	Check(RuleInput) error
}

// RuleInput is what a [Rule] is about: the verdict as far as it is known, and the
// manifest that was verified.
type RuleInput struct {
	Result   *Result
	Manifest *seal.Manifest
}

// rules holds the verdict against every rule.
func (r *run) rules() {
	if r.opened == nil {
		if len(r.Rules) > 0 {
			r.skip("rules", "there is no manifest that they could be about")
		}
		return
	}
	for _, rule := range r.Rules {
		if err := rule.Check(RuleInput{Result: r.result, Manifest: r.opened.Manifest}); err != nil {
			r.ruleBroken = true
			r.advise(seal.CodeRuleBroken, "rule %.200q: %v", rule.String(), err)
		}
	}
}
