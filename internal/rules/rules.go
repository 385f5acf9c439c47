// Package rules compiles and evaluates the rules of a trust file: conditions in
// CEL (the Common Expression Language) over a verdict and the manifest it is
// about, which stand beside the policy's level.
//
// A rule is one expression of type bool:
//
//	tool.side_effects.network_egress == false || level >= 3
//	tools.all(t, !t.side_effects.network_egress || t.trust_level >= 3)
//
// It is parsed and type-checked when it is read: a member that does not exist is
// an error there, with its line, its column and the nearest name that does exist.
//
// # Variables
//
//	tools     every tool of the run: live, sealed, or both
//	tool      one tool; a rule that names it is evaluated once for each of tools
//	level     the trust_level of tool in a rule that names tool, else the server's
//	server    name, version, and publisher: who signed, as the run verified it
//	result    the verdict so far, with the members of its JSON form
//	now       when the run verified (the result's verified_at)
//	manifest  the Sealed Manifest, with the members of its JSON form
//
// A tool has the members that its manifest entry has in JSON (side_effects,
// artifact, …), those that its result has in JSON (trust_level, chain_valid, …),
// name, and sealed: whether the manifest has an entry for it. The manifest's word
// is the publisher's claim; the result's is what the run found. result has no
// outcome, which the rules are a part of, and its advisories leave broken rules
// out: no rule depends on the order of the others. It has the errors and
// advisories of single tools, too.
//
// # What is absent
//
// A member that the JSON form leaves out or has as null is absent, and so is the
// whole entry of a tool that the manifest does not know. has(tool.artifact_match)
// asks whether a member is there; reading one that is not there is an error, and
// a rule that ends in an error does not hold. So an unknown tool never passes
// !tool.side_effects.network_egress, and a check that was not made never passes
// as one that held. As CEL has it, A || B is true where one side is, whatever
// becomes of the other.
//
// # Bounds
//
// Rules have no effects and no time but now. Their number, length, nesting and
// cost are bounded; a pattern of matches is written in the rule, never taken from
// what the rule is about. A rule that exceeds its cost or its time does not hold.
package rules

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"

	"github.com/mcp-integrity/seal-action/verify"
)

const (
	// maxRules and maxLength bound what is read: people write rules by hand.
	maxRules  = 100
	maxLength = 4 << 10
	// maxDepth and maxNodes bound the expression; recursion over it is in the
	// checker and the interpreter.
	maxDepth = 64
	maxNodes = 5_000
	// maxLoops bounds loops in loops: tools, their capabilities, and the actions of
	// those are three.
	maxLoops = 4
	// maxPattern bounds the program of a regular expression, whose repetitions
	// multiply.
	maxPattern = 1_000
	// maxCost bounds one rule over all tools, in CEL's units, of which a core does
	// some millions in a second. It leaves 100 units for each of the 10,000 tools
	// that a server may list, and no room for a loop over 1,000 tools in a loop
	// over 1,000 tools.
	maxCost = 1_000_000
	// maxTime bounds one rule where the units mislead: cel-go's count of them takes
	// ever longer the more often a loop turns.
	maxTime = 10 * time.Second
	// checkEvery is after how many turns of a loop maxTime is looked at.
	checkEvery = 100
)

// Compile reads rules, in the order of the trust file. Its error names every rule
// that is none by its number, counted from 1, with the line and column of its
// first mistake; then no rule is returned.
//
// The rules may be used by several goroutines at once.
func Compile(rules []string) ([]verify.Rule, error) {
	if len(rules) == 0 {
		return nil, nil
	}
	if len(rules) > maxRules {
		return nil, fmt.Errorf("rules: got %d, want at most %d", len(rules), maxRules)
	}
	l, err := theLanguage()
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	var compiled []verify.Rule
	var broken []error
	for n, text := range rules {
		r, err := l.compile(text)
		if err != nil {
			broken = append(broken, fmt.Errorf("rule %d%w", n+1, err))
			continue
		}
		compiled = append(compiled, r)
	}
	if len(broken) > 0 {
		return nil, errors.Join(broken...)
	}
	return compiled, nil
}

// language is what rules are compiled in.
type language struct {
	table   *table
	env     *cel.Env
	maxCost uint64 // [maxCost], but in tests of what happens beyond
}

// theLanguage is built when the first rule is read: who has no rules does not
// wait for it.
var theLanguage = sync.OnceValues(newLanguage)

func newLanguage() (*language, error) {
	t, root, err := newTable()
	if err != nil {
		return nil, err
	}
	options := []cel.EnvOption{
		cel.CustomTypeProvider(t),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxLength),
		cel.ParserRecursionLimit(maxDepth),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(),
			cel.ValidateTimestampLiterals(),
			cel.ValidateComprehensionNestingLimit(maxLoops),
			patterns{},
		),
	}
	for _, name := range root.names {
		options = append(options, cel.Variable(name, root.members[name].celType))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, err
	}
	return &language{table: t, env: env, maxCost: maxCost}, nil
}

// compile reads one rule. Its error begins with the punctuation that follows the
// rule's number.
func (l *language) compile(text string) (*rule, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return nil, errors.New(": it is empty, want a condition")
	case len(text) > maxLength:
		return nil, fmt.Errorf(": it has %d bytes, want at most %d", len(text), maxLength)
	case !utf8.ValidString(text):
		return nil, errors.New(": it is not UTF-8")
	}
	checked, issues := l.env.Compile(text)
	if issues.Err() != nil {
		return nil, l.mistake(issues)
	}
	if got := checked.OutputType(); !got.IsExactType(cel.BoolType) {
		return nil, fmt.Errorf(": it is of type %.100s, want bool: a condition that holds or does not", got)
	}
	estimate, err := l.env.EstimateCost(checked, ordinary{})
	if err != nil {
		return nil, fmt.Errorf(": its cost: %w", err)
	}
	if estimate.Max > l.maxCost {
		return nil, fmt.Errorf(": it may cost %d units for a server of %d tools, want at most %d: it has a loop too many", estimate.Max, ordinaryTools, l.maxCost)
	}
	program, err := l.env.Program(checked,
		cel.EvalOptions(cel.OptOptimize),
		cel.CostLimit(l.maxCost),
		cel.InterruptCheckFrequency(checkEvery),
	)
	if err != nil {
		return nil, fmt.Errorf(": %.200s", err.Error())
	}
	root := checked.NativeRep().Expr()
	free := freeIdents(root)
	return &rule{
		text: text, table: l.table, program: program, maxCost: l.maxCost,
		perTool: free["tool"] > 0,
		perItem: free["tool"] == 0 && free["tools"] == 1 && isAllOfTools(root),
	}, nil
}
