package rules

import (
	"fmt"
	"testing"
)

// fifty are rules as people write them, in both forms.
func fifty() []string {
	kinds := []string{
		"tool.side_effects.network_egress == false || level >= %d",
		"tools.all(t, !t.side_effects.network_egress || t.trust_level >= %d)",
		"tools.all(t, t.capabilities_required.all(c, c.resource != 'process-%d' && c.actions.all(a, a != 'write')))",
		"!tool.side_effects.executes_code || tool.artifact_match && tool.provenance_valid && level >= %d",
		"manifest.expires_at - now > duration('%dh') && server.publisher.expected",
	}
	var all []string
	for n := range 10 {
		for _, kind := range kinds {
			all = append(all, fmt.Sprintf(kind, min(n, 3)))
		}
	}
	return all
}

func BenchmarkCompile(b *testing.B) {
	if _, err := theLanguage(); err != nil {
		b.Fatal(err)
	}
	rules := fifty()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(rules); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLanguage is what the first rule waits for.
func BenchmarkLanguage(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := newLanguage(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRules evaluates 50 rules over 1,000 tools.
func BenchmarkRules(b *testing.B) {
	compiled, err := Compile(fifty())
	if err != nil {
		b.Fatal(err)
	}
	in := crowd(1000)
	b.ReportAllocs()
	for b.Loop() {
		for _, rule := range compiled {
			if err := rule.Check(in); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkLoop is a loop that is not tools.all, over the most tools that a
// server may list.
func BenchmarkLoop(b *testing.B) {
	compiled, err := Compile([]string{"!tools.exists(t, t.side_effects.network_egress && t.trust_level < 3)"})
	if err != nil {
		b.Fatal(err)
	}
	in := crowd(10_000)
	b.ReportAllocs()
	for b.Loop() {
		if err := compiled[0].Check(in); err != nil {
			b.Fatal(err)
		}
	}
}
