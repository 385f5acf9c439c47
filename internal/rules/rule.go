package rules

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"

	"github.com/mcp-integrity/seal-action/verify"
)

// maxNamed is how many tools an error names: a person fixes the first, and looks
// again.
const maxNamed = 10

// rule is a compiled rule. It implements [verify.Rule].
type rule struct {
	text    string
	table   *table
	program cel.Program
	// perTool says that the rule is about tool, and is evaluated for each.
	perTool bool
	// perItem says that the rule is tools.all(…), and names tools nowhere else. It
	// holds where it holds for each list of one tool, and evaluated so, it says
	// which tools break it. level is the server's all the same.
	perItem bool
	maxCost uint64 // over all tools
}

// String implements [verify.Rule].
func (r *rule) String() string { return r.text }

// Check implements [verify.Rule].
func (r *rule) Check(in verify.RuleInput) error {
	ctx, cancel := context.WithTimeout(context.Background(), maxTime)
	defer cancel()
	return r.check(ctx, in)
}

func (r *rule) check(ctx context.Context, in verify.RuleInput) error {
	if in.Result == nil || in.Manifest == nil {
		return errors.New("there is no verdict or no manifest that it could be about")
	}
	e := &evaluation{rule: r, ctx: ctx, vars: r.table.object(reflect.ValueOf(view(in)).Elem())}
	switch {
	case r.perTool:
		return e.forEach(func(t *object) binding { return binding{tool: t} })
	case r.perItem:
		return e.forEach(func(t *object) binding {
			return binding{tools: types.NewRefValList(types.DefaultTypeAdapter, []ref.Val{t})}
		})
	}
	return e.eval(binding{})
}

// evaluation is one [rule.Check].
type evaluation struct {
	*rule
	ctx   context.Context
	vars  *object
	spent uint64 // in units of cost
}

var (
	errBroken  = errors.New("it does not hold")
	errTooMuch = errors.New("its evaluation was stopped")
)

// eval returns nil where the rule holds under b.
func (e *evaluation) eval(b binding) error {
	switch {
	case e.spent > e.maxCost:
		return e.tooCostly()
	case e.ctx.Err() != nil:
		// An evaluation without a long loop does not look by itself.
		return e.tooLong()
	}
	b.vars = e.vars
	out, details, err := e.program.ContextEval(e.ctx, &b)
	if details != nil {
		if cost := details.ActualCost(); cost != nil {
			e.spent += *cost
		}
	}
	var stopped interpreter.EvalCancelledError
	var absent *absentError
	switch {
	case errors.As(err, &stopped) && stopped.Cause == interpreter.CostLimitExceeded:
		return e.tooCostly()
	case err != nil && e.ctx.Err() != nil:
		return e.tooLong()
	case errors.As(err, &absent):
		return absent
	case err != nil:
		// CEL's words may have a stranger's in them.
		return fmt.Errorf("it cannot be evaluated: %.200q", err.Error())
	case out != types.True:
		return errBroken
	}
	return nil
}

func (e *evaluation) tooCostly() error {
	return fmt.Errorf("%w: it costs more than %d units", errTooMuch, e.maxCost)
}

func (e *evaluation) tooLong() error {
	return fmt.Errorf("%w: it takes longer than %v", errTooMuch, maxTime)
}

// forEach evaluates the rule once for each tool, and names those that break it.
func (e *evaluation) forEach(bind func(*object) binding) error {
	var breaks []string
	more := 0
	for t := range e.tools() {
		err := e.eval(bind(t))
		if errors.Is(err, errTooMuch) {
			return err
		}
		switch name := t.value.Addr().Interface().(*tool).Name; {
		case err == nil:
			continue
		case len(breaks) == maxNamed:
			more++
		case err == errBroken:
			breaks = append(breaks, fmt.Sprintf("%.100q", name))
		default:
			breaks = append(breaks, fmt.Sprintf("%.100q (%v)", name, err))
		}
	}
	if len(breaks) == 0 {
		return nil
	}
	names := strings.Join(breaks, ", ")
	if more > 0 {
		names = fmt.Sprintf("%s and %d more", names, more)
	}
	return fmt.Errorf("it does not hold for %s", names)
}

// tools yields the tools one by one.
func (e *evaluation) tools() func(func(*object) bool) {
	list, err := e.vars.get(e.vars.shape.members["tools"])
	if err != nil {
		return func(func(*object) bool) {}
	}
	return func(yield func(*object) bool) {
		for it := list.(traits.Lister).Iterator(); it.HasNext() == types.True; {
			if !yield(it.Next().(*object)) {
				return
			}
		}
	}
}

// binding says what the variables stand for in one turn. It implements
// [cel.Activation].
type binding struct {
	vars  *object
	tool  *object // what tool is, and whose the level; nil where it is the server's
	tools ref.Val // what tools is; nil where it is all of them
}

// ResolveName implements [cel.Activation].
func (b *binding) ResolveName(name string) (any, bool) {
	from := b.vars
	switch {
	case name == "tool" && b.tool != nil:
		return b.tool, true
	case name == "tools" && b.tools != nil:
		return b.tools, true
	case name == "level" && b.tool != nil:
		from, name = b.tool, "trust_level"
	}
	m, ok := from.shape.members[name]
	if !ok {
		return nil, false
	}
	v, err := from.get(m)
	if err != nil {
		return types.WrapErr(err), true
	}
	return v, true
}

// Parent implements [cel.Activation].
func (b *binding) Parent() cel.Activation { return nil }
