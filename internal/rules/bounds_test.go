package rules

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"

	"cel.dev/cel-go/cel"
)

// TestCostIsBounded has bombs that are small enough to be read, and too large for
// the server that they meet.
func TestCostIsBounded(t *testing.T) {
	l, err := newLanguage()
	if err != nil {
		t.Fatal(err)
	}
	in := crowd(400)
	for _, text := range []string{
		"tools.all(a, tools.exists(b, b.name == a.name + 'x') || true)",
		"tools.all(a, tools.all(b, a.name != b.name || a.trust_level == b.trust_level))",
		"tool.sealed && tools.all(b, tool.name != b.name || b.sealed)",
		"tools.map(a, tools.map(b, a.name + b.name)).size() > 0",
		"tools.all(a, tools.all(b, tools != [] && a == b || true))",
	} {
		l.maxCost = maxCost
		r, err := l.compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		// The same bomb, and the same bound, a twentieth as large.
		l.maxCost = maxCost / 20
		if r.program, err = l.env.Program(recheck(t, l, text), cel.CostLimit(l.maxCost)); err != nil {
			t.Fatal(err)
		}
		r.maxCost = l.maxCost
		if err := r.Check(in); err == nil || !strings.Contains(err.Error(), "it costs more than 50000 units") {
			t.Errorf("%s: got %v, want that it costs too much", text, err)
		}
	}
}

func recheck(t *testing.T, l *language, text string) *cel.Ast {
	t.Helper()
	checked, issues := l.env.Compile(text)
	if issues.Err() != nil {
		t.Fatal(issues.Err())
	}
	return checked
}

// TestBoundsLeaveRoom: what people write holds for as many tools as a server may
// list.
func TestBoundsLeaveRoom(t *testing.T) {
	checkRule(t, "tools.all(t, t.capabilities_required.all(c, c.actions.all(a, a == 'read')))", crowd(10_000), fine)
	checkRule(t, "tool.capabilities_required.all(c, c.actions.all(a, a == 'read')) && level == 3 && tool.artifact_match", crowd(10_000), fine)
}

// TestCostOfThousandTools is the bound as it stands.
func TestCostOfThousandTools(t *testing.T) {
	err := mustCompile(t, "tools.map(a, tools.map(b, a.name + b.name)).size() > 0").Check(crowd(1000))
	if !errors.Is(err, errTooMuch) {
		t.Errorf("got %v, want that it is too much", err)
	}
}

// TestTimeIsBounded: a rule that is stopped does not hold, in a loop and between
// tools.
func TestTimeIsBounded(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, text := range []string{"tool.sealed", "tools.all(t, t.sealed)", "!tools.exists(t, !t.sealed)"} {
		in := crowd(1000)
		r := mustCompile(t, text).(*rule)
		err := r.check(stopped, in)
		if err == nil || !strings.Contains(err.Error(), "it takes longer than 10s") {
			t.Errorf("%s: got %v, want that it takes too long", text, err)
		}
	}
	// The loop itself looks, too.
	r := mustCompile(t, "!tools.exists(t, !t.sealed)").(*rule)
	vars := r.table.object(reflect.ValueOf(view(crowd(1000))).Elem())
	late := &late{Context: stopped}
	e := &evaluation{rule: r, ctx: late, vars: vars}
	if err := e.eval(binding{}); err == nil || !strings.Contains(err.Error(), "it takes longer than 10s") {
		t.Errorf("got %v, want that a loop ends when its time is over", err)
	}
}

// late is a context that is over, which the first who asks does not learn.
type late struct {
	context.Context
	asked bool
}

func (l *late) Err() error {
	if !l.asked {
		l.asked = true
		return nil
	}
	return l.Context.Err()
}

// TestRulesAreShared: a host verifies several servers at once by one trust file.
func TestRulesAreShared(t *testing.T) {
	compiled, err := Compile(fifty())
	if err != nil {
		t.Fatal(err)
	}
	in := crowd(20)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, rule := range compiled {
				if err := rule.Check(in); err != nil {
					t.Errorf("%s: %v", rule, err)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		"tool.side_effects.network_egress == false || level >= 3",
		"tools.all(t, !t.side_effects.network_egress || t.trust_level >= 3)",
		"tool.name.matches('a+') && now < manifest.expires_at", "dyn(tool).x == [1, {'a': 2u}][0]", "((((", "'\\x", "a.?b", "tools.map(t, t.name)[?0]",
	} {
		f.Add(seed)
	}
	in := scene()
	f.Fuzz(func(t *testing.T, text string) {
		compiled, err := Compile([]string{text})
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			return
		}
		if err := compiled[0].Check(in); err != nil && err.Error() == "" {
			t.Error("the error says nothing")
		}
	})
}
