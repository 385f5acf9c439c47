package rules

import (
	"regexp/syntax"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// freeIdents counts the variables of the language that e names. A loop over
// tools may call its own variable tool, which then is another.
func freeIdents(e ast.Expr) map[string]int {
	free := map[string]int{}
	countFree(e, nil, free)
	return free
}

func countFree(e ast.Expr, bound []string, free map[string]int) {
	switch e.Kind() {
	case ast.IdentKind:
		// .tool is the outermost tool, whatever the loops around it bind.
		name, outermost := strings.CutPrefix(e.AsIdent(), ".")
		if outermost || !slices.Contains(bound, name) {
			free[name]++
		}
	case ast.SelectKind:
		countFree(e.AsSelect().Operand(), bound, free)
	case ast.CallKind:
		if e.AsCall().IsMemberFunction() {
			countFree(e.AsCall().Target(), bound, free)
		}
		countAll(e.AsCall().Args(), bound, free)
	case ast.ListKind:
		countAll(e.AsList().Elements(), bound, free)
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			countAll([]ast.Expr{entry.AsMapEntry().Key(), entry.AsMapEntry().Value()}, bound, free)
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			countFree(field.AsStructField().Value(), bound, free)
		}
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		countAll([]ast.Expr{c.IterRange(), c.AccuInit()}, bound, free)
		result := append(slices.Clone(bound), c.AccuVar())
		countFree(c.Result(), result, free)
		turn := append(slices.Clone(result), c.IterVar(), c.IterVar2())
		countAll([]ast.Expr{c.LoopCondition(), c.LoopStep()}, turn, free)
	}
}

func countAll(all []ast.Expr, bound []string, free map[string]int) {
	for _, e := range all {
		countFree(e, bound, free)
	}
}

// isAllOfTools says that e is tools.all(…): the one loop of CEL whose turns are
// joined by &&.
func isAllOfTools(e ast.Expr) bool {
	if e.Kind() != ast.ComprehensionKind {
		return false
	}
	over, step := e.AsComprehension().IterRange(), e.AsComprehension().LoopStep()
	return over.Kind() == ast.IdentKind && over.AsIdent() == "tools" &&
		step.Kind() == ast.CallKind && step.AsCall().FunctionName() == operators.LogicalAnd
}

// patterns refuses a regular expression that is not a literal, since what a
// stranger wrote is matched and never a pattern, and one whose program is large.
// cel-go has an option for the latter, which panics at a counted repetition.
type patterns struct{}

// Name implements [cel.ASTValidator].
func (patterns) Name() string { return "patterns" }

// Validate implements [cel.ASTValidator].
func (patterns) Validate(_ *cel.Env, _ cel.ValidatorConfig, a *ast.AST, issues *cel.Issues) {
	calls := ast.MatchDescendants(ast.NavigateAST(a), ast.KindMatcher(ast.CallKind))
	for _, call := range calls {
		reference, ok := a.ReferenceMap()[call.ID()]
		if !ok || !slices.ContainsFunc(reference.OverloadIDs, isMatches) {
			continue
		}
		args := call.AsCall().Args()
		pattern := args[len(args)-1]
		if pattern.Kind() != ast.LiteralKind {
			issues.ReportErrorAtID(pattern.ID(), "the pattern of matches is no literal: write it in the rule")
			continue
		}
		text, _ := pattern.AsLiteral().Value().(string)
		if n, err := programSize(text); err != nil {
			issues.ReportErrorAtID(pattern.ID(), "the pattern of matches: %v", err)
		} else if n > maxPattern {
			issues.ReportErrorAtID(pattern.ID(), "the pattern of matches has %d steps, want at most %d", n, maxPattern)
		}
	}
}

func isMatches(overload string) bool {
	return overload == overloads.Matches || overload == overloads.MatchesString
}

// programSize is how many steps the program of a regular expression has.
func programSize(pattern string) (int, error) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, err
	}
	return len(program.Inst), nil
}

// The sizes of an ordinary server, by which the cost of a rule is estimated when
// it is read.
const (
	ordinaryTools = 100
	ordinaryList  = 8
	ordinaryText  = 128
)

// ordinary estimates sizes. It implements [checker.CostEstimator].
type ordinary struct{}

// EstimateSize implements [checker.CostEstimator].
func (ordinary) EstimateSize(of checker.AstNode) *checker.SizeEstimate {
	size := uint64(ordinaryText)
	if of.Type().Kind() == types.ListKind {
		size = ordinaryTools
		if path := of.Path(); len(path) > 0 && path[len(path)-1] != "tools" && path[len(path)-1] != "results" {
			size = ordinaryList
		}
	}
	return &checker.SizeEstimate{Min: 0, Max: size}
}

// EstimateCallCost implements [checker.CostEstimator].
func (ordinary) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}
