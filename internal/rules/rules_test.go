package rules

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

func TestRulesThatDoNotCompile(t *testing.T) {
	for _, tc := range []struct{ rule, want string }{
		{"", "rule 1: it is empty"},
		{" \n ", "rule 1: it is empty"},
		{"\xff", "not UTF-8"},
		{"level >= 3 &&", "rule 1, line 1, column 14: Syntax error"},
		{"level", "of type int, want bool"},
		{"dyn(true)", "of type dyn, want bool"},
		{"tool", "want bool"},
		{"level >= '3'", "line 1, column 7: found no matching overload"},
		{"tool.side_efects.network_egress", "line 1, column 5: undefined field 'side_efects'; the nearest name is tool.side_effects"},
		{"true ||\n tools.all(t, t.trust_levle > 1)", "line 2, column 16: undefined field 'trust_levle'; the nearest name is tool.trust_level"},
		{"tool.network_egress", "the nearest name is tool.side_effects.network_egress"},
		{"manifest.toolls.size() > 0", "undefined field 'toolls'; the nearest name is manifest.tools"},
		{"manifest.issuedat < now", "the nearest name is manifest.issued_at"},
		{"toool.sealed", "undeclared reference to 'toool'; the nearest name is tool"},
		{"levle >= 3", "the nearest name is level"},
		{"tools.al(t, t.sealed)", "the nearest name is all"},
		{"tool.name.startWith('a')", "the nearest name is startsWith"},
		{"qwertyuiop", "undeclared reference to 'qwertyuiop'"},
		{"result.outcome == 'pass'", "undefined field 'outcome'"},
		{"tool.artifact_match == null", "found no matching overload"},
		{"tool.sealed == 'x'.matches('(')", "missing closing ): `(`"},
		{"tool.name.matches(tool.version)", "the pattern of matches is no literal"},
		{"matches(tool.name, tool.version)", "the pattern of matches is no literal"},
		{"tool.name.matches('(((a{50}){50}){50})')", "invalid repeat count"},
		{"tool.name.matches('([a-z]b){800}')", "steps, want at most 1000"},
		{"now > timestamp('yesterday')", "invalid timestamp argument"},
		{"now - manifest.issued_at < duration('30d')", "invalid duration argument"},
		{"tools.all(a, tools.all(b, tools.all(c, a.name != b.name || b.name != c.name)))", "it has a loop too many"},
		{"tools.all(a, a.errors.all(b, a.errors.all(c, a.errors.all(d, a.errors.all(e, true)))))", "nest"},
		{strings.Repeat("(", 2000) + "true" + strings.Repeat(")", 2000), "rule 1"},
		{strings.Repeat("[", 100) + strings.Repeat("]", 100) + " == []", "rule 1"},
		{"true" + strings.Repeat(" ", maxLength), "want at most 4096"},
		{"seal.Tool{name: 'x'}.name == 'x'", "undeclared reference"},
		{"env('HOME') == ''", "undeclared reference to 'env'"},
	} {
		_, err := Compile([]string{tc.rule})
		if err == nil {
			t.Errorf("%.80q compiles, want an error", tc.rule)
			continue
		}
		if !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.80q: got %q, want %q in it", tc.rule, err, tc.want)
		}
		if len(err.Error()) > 500 {
			t.Errorf("%.80q: the error has %d bytes", tc.rule, len(err.Error()))
		}
	}
}

func TestCompileNamesEveryBrokenRule(t *testing.T) {
	got, err := Compile([]string{"true", "levle > 1", "level > 1", "1"})
	if err == nil || got != nil {
		t.Fatalf("got %d rules and %v, want an error alone", len(got), err)
	}
	for _, want := range []string{"rule 2, line 1, column 1", "rule 4: it is of type int"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	}
	if _, err := Compile(make([]string, maxRules+1)); err == nil || !strings.Contains(err.Error(), "got 101, want at most 100") {
		t.Errorf("got %v, want that there are too many", err)
	}
	if got, err := Compile(nil); err != nil || got != nil {
		t.Errorf("got %v and %v for no rules", got, err)
	}
}

const (
	fine      = ""
	notBroken = "it does not hold"
)

// TestKnownTools is about a server whose tools are all sealed: read at level 3
// without network, fetch at level 2 with network.
func TestKnownTools(t *testing.T) {
	for _, tc := range []struct{ rule, want string }{
		{"tool.side_effects.network_egress == false || level >= 3", `it does not hold for "fetch"`},
		{"tools.all(t, !t.side_effects.network_egress || t.trust_level >= 3)", `it does not hold for "fetch"`},
		{"tool.side_effects.network_egress == false || level >= 2", fine},
		{"tools.all(t, !t.side_effects.network_egress || t.trust_level >= 2)", fine},
		{"tools.all(tool, tool.sealed)", fine},
		{"tools.all(tool, tool.trust_level > level)", `for "fetch"`}, // level is the server's: tool is the loop's own
		{"tools.all(x, x.trust_level >= tool.trust_level)", `it does not hold for "read"`},
		{"tools.all(tool, .tool.trust_level >= tool.trust_level)", `it does not hold for "fetch"`}, // .tool is not
		{".level >= 2 && .tools.all(t, t.sealed)", fine},
		{"tools.all(t, t.sealed && tools.size() == 2)", fine},
		{"tools.all(t, level == 2)", fine},
		{"tools.exists(t, t.trust_level >= 3)", fine},
		{"tools.exists(t, t.trust_level > 3)", notBroken},
		{"level >= 2", fine},
		{"level >= 3", notBroken},
		{"tool.sealed && level >= 3", `it does not hold for "fetch"`},
		{"tools.all(t, t.trust_level >= 3) && tools.size() == 2", notBroken},
		{"!tools.exists(t, t.name == 'exec')", fine},
		{"tools.exists_one(t, t.side_effects.network_egress)", fine},
		{"tools.filter(t, t.side_effects.network_egress).map(t, t.name) == ['fetch']", fine},
		{"tools.all(t, t.capabilities_required.all(c, c.actions.all(a, a == 'read')))", fine},
		{"tool.name.matches('^[a-z]+$')", fine},
		{"tool.artifact_match && tool.chain_valid && tool.provenance_valid && tool.interface_match", fine},
		{"tool.claimed_level <= tool.trust_level", `it does not hold for "fetch"`},
		// What is left out is absent, and reading it holds nothing.
		{"tool.artifact.digest_scope == 'package'", `"read" (digest_scope is absent), "fetch" (digest_scope is absent)`},
		{"!has(tool.artifact.digest_scope)", fine},
		{"tool.side_effects.network_endpoints.all(e, e.endsWith('.acme.example'))", `it does not hold for "read" (network_endpoints is absent)`},
		{"!tool.side_effects.network_egress || tool.side_effects.network_endpoints.all(e, e.endsWith('.acme.example'))", fine},
		{"has(tool.side_effects.network_endpoints) == tool.side_effects.network_egress", fine},
		{"tool.interface_details.input_schema_match", "input_schema_match is absent"},
		{"!tool.interface_details.input_schema_match", "input_schema_match is absent"},
		{"tool.interface_details.input_schema_match != false", "input_schema_match is absent"},
		{"tool.side_effects.writes.size() == 0", fine},
		{"manifest.expires_at - now > duration('240h')", fine},
		{"manifest.expires_at - now > duration('1000h')", notBroken},
		{"manifest.issued_at < now && now < manifest.expires_at", fine},
		{"now.getFullYear() == 2026 && now.getHours() == 12", fine},
		{"server.publisher.expected && server.publisher.namespace == manifest.server.publisher.namespace", fine},
		{"server.publisher.certificate.issuer == 'https://token.actions.githubusercontent.com'", fine},
		{"has(server.publisher.certificate.build_trigger)", notBroken},
		{"result.chain.length >= 2 && result.chain.verified_to == 'first'", fine},
		{"result.errors.size() == 0 && result.advisories.all(a, a.code != -33010)", fine},
		{"result.advisories.exists(a, a.tool == 'fetch' && a.component == 'description')", fine},
		{"result.observed == 'live' && result.policy == 'block_below_level_2' && result.sealed_level == 3", fine},
		// dyn goes past the type-check, and no further.
		{"dyn(tool).side_efects == 1", "cannot be evaluated"},
		{"dyn(tool)['sealed'] == true", fine},
		{"dyn(result).outcome == 'pass'", "cannot be evaluated"},
		{"tool == tools[0] || tool != tools[0]", fine},
		{"tools[0] == tools[1]", notBroken},
		{"tool in tools", fine},
		{"tools[7].sealed", "cannot be evaluated"},
		{"timestamp(tool.name) < now", "cannot be evaluated"},
	} {
		checkRule(t, tc.rule, known(), tc.want)
	}
}

// TestUnknownTools is about a server that serves a tool which the manifest does
// not know.
func TestUnknownTools(t *testing.T) {
	const absent = `"new" (side_effects is absent: the manifest does not know this tool)`
	for _, tc := range []struct{ rule, want string }{
		{"!tool.side_effects.network_egress", "it does not hold for \"fetch\", " + absent},
		{"tool.side_effects.network_egress == false || level >= 2", "it does not hold for " + absent},
		{"tool.side_effects.network_egress != true || level >= 2", "it does not hold for " + absent},
		{"tools.all(t, !t.side_effects.network_egress || t.trust_level >= 2)", "it does not hold for " + absent},
		{"!tools.exists(t, t.side_effects.executes_code)", "side_effects is absent"},
		{"tools.filter(t, t.side_effects.executes_code).size() == 0", "side_effects is absent"},
		{"tools.exists_one(t, t.side_effects.network_egress)", "side_effects is absent"},
		{"tool.sealed", `it does not hold for "new"`},
		{"!has(tool.side_effects) || true", fine},
		{"has(tool.side_effects.network_egress) || true", fine},
		{"!has(tool.side_effects.network_egress)", "side_effects is absent"},
		{"!tool.sealed || level >= 2", fine},
		{"tool.name != ''", fine},
		{"tool.tool_name == tool.name", fine},
		{"tool.version == '1.2.4'", `"new" (version is absent`},
		{"tool.artifact == null", "artifact is absent"},
		{"tool.artifact != null", "artifact is absent"},
		{"tool.artifact_match", `it does not hold for "new" (artifact_match is absent)`},
		{"!tool.artifact_match", `"new" (artifact_match is absent)`},
		{"tool.artifact_match != false", `"new" (artifact_match is absent)`},
		{"!has(tool.artifact_match) || tool.artifact_match", fine},
	} {
		checkRule(t, tc.rule, scene(), tc.want)
	}
}

// checkRule checks one rule; want is in its error, or fine.
func checkRule(t *testing.T, text string, in verify.RuleInput, want string) {
	t.Helper()
	rule := mustCompile(t, text)
	if rule.String() != text {
		t.Errorf("%s calls itself %q", text, rule)
	}
	err := rule.Check(in)
	switch {
	case err == nil && want != fine:
		t.Errorf("%s holds, want %q", text, want)
	case err != nil && want == fine:
		t.Errorf("%s: got %v, want that it holds", text, err)
	case err != nil && !strings.Contains(err.Error(), want):
		t.Errorf("%s: got %q, want %q in it", text, err, want)
	case want == notBroken && err.Error() != want:
		t.Errorf("%s: got %q, want %q", text, err, want)
	}
}

func TestWhatIsMissing(t *testing.T) {
	in := known()
	in.Result.Publisher, in.Result.Chain = nil, nil
	checkRule(t, "server.publisher.expected", in, "publisher is absent")
	checkRule(t, "has(server.publisher) || result.trust_level == 2", in, fine)
	checkRule(t, "result.chain.length > 0", in, "chain is absent")

	in = known()
	in.Manifest.ExpiresAt = nil
	checkRule(t, "manifest.expires_at > now", in, "expires_at is absent")

	// A tool that was sealed and has no result has no level, and hides behind none.
	in = known()
	in.Result.Results = in.Result.Results[:1]
	checkRule(t, "level >= 0", in, fine)
	checkRule(t, "tool.sealed && level >= 0", in, `"fetch" (trust_level is absent: the run has no result for this tool)`)
	checkRule(t, "tools.all(t, t.trust_level >= 0)", in, `"fetch" (trust_level is absent`)

	for _, in := range []verify.RuleInput{{}, {Result: known().Result}, {Manifest: known().Manifest}} {
		if err := mustCompile(t, "true").Check(in); err == nil {
			t.Error("a rule about nothing holds")
		}
	}
	if err := mustCompile(t, "true").Check(verify.RuleInput{Result: &verify.Result{}, Manifest: &seal.Manifest{}}); err != nil {
		t.Errorf("true of an empty server: %v", err)
	}
}

// TestRulesDoNotSeeEachOther: a broken rule is an advisory, and advisories are
// something that rules are about.
func TestRulesDoNotSeeEachOther(t *testing.T) {
	in := known()
	in.Result.Advisories = append(in.Result.Advisories, verify.Finding{Code: seal.CodeRuleBroken, Name: "RULE_BROKEN"})
	checkRule(t, "result.advisories.size() == 1", in, fine)
	if len(in.Result.Advisories) != 2 {
		t.Error("the rule changed what it is about")
	}
}

func TestErrorsNameFewToolsAndBoundThem(t *testing.T) {
	in := crowd(30)
	for n := range in.Result.Results {
		name := fmt.Sprintf("%02d\x1b[31m\n%s", n, strings.Repeat("x", 4000))
		in.Result.Results[n].ToolName, in.Manifest.Tools[n].Name = name, name
	}
	for _, text := range []string{"tool.trust_level > 3", "tools.all(t, t.trust_level > 3)", "timestamp(tool.name) < now"} {
		err := mustCompile(t, text).Check(in)
		if err == nil {
			t.Fatalf("%s holds", text)
		}
		got := err.Error()
		if !strings.HasSuffix(got, "and 20 more") || !strings.Contains(got, `"00\x1b[31m\nxxx`) || strings.Contains(got, `"10`) {
			t.Errorf("%s: got %.300q, want ten names, quoted, and 20 more", text, got)
		}
		if len(got) > 6000 || strings.ContainsAny(got, "\x1b\n") {
			t.Errorf("%s: got %d bytes, want few and none of control", text, len(got))
		}
	}
}

// TestEveryMemberIsReachable: what the manifest or the result gains, the language
// gains.
func TestEveryMemberIsReachable(t *testing.T) {
	for _, tc := range []struct {
		path string
		of   reflect.Type
	}{
		{"tool", reflect.TypeFor[seal.Tool]()},
		{"tool", reflect.TypeFor[verify.ToolResult]()},
		{"tools[0]", reflect.TypeFor[seal.Tool]()},
		{"manifest", reflect.TypeFor[seal.Manifest]()},
		{"result", reflect.TypeFor[verify.Result]()},
		{"server.publisher", reflect.TypeFor[verify.Publisher]()},
	} {
		reach(t, tc.path, tc.of, 0)
	}
}

// reach compiles has(…) for each member of g, and of what that holds.
func reach(t *testing.T, path string, g reflect.Type, depth int) {
	for n := range g.NumField() {
		f := g.Field(n)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || path == "result" && name == "outcome" {
			continue
		}
		here := path + "." + name
		if _, err := Compile([]string{"has(" + here + ")"}); err != nil {
			t.Errorf("%s: %v", here, err)
			continue
		}
		of := f.Type
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
			if of.Kind() == reflect.Slice {
				here += "[0]"
			}
			of = of.Elem()
		}
		if of.Kind() == reflect.Struct && of != timestampType && depth < 4 {
			reach(t, here, of, depth+1)
		}
	}
}

func TestVariables(t *testing.T) {
	for _, text := range []string{
		"tools.size() == 2", "tool.name != ''", "level == 2", "server.name == 'files' && server.version == '1.2.4'",
		"server.publisher.keyid == 'k1' && server.publisher.id == 'a@acme.example'",
		"result.trust_level == 2", "now == timestamp('2026-02-10T12:00:00Z') && now == result.verified_at",
		"manifest.seal_version == '1.0' && manifest.issued_at == timestamp('2026-02-01T12:00:00Z')",
		"manifest.tools[1].side_effects.network_egress", "tool.lineage.previous_version == '1.2.3'",
		"tool.provenance.slsa_level == 3 && !tool.provenance.reproducible", "tool.interface.composite_digest.startsWith('sha256:')",
		"'registry' in tool.attestations_verified", "result.missing[0].tools == ['new']", "result.skipped[0].check == 'artifact'",
	} {
		checkRule(t, text, known(), fine)
	}
	names := theVariables(t)
	if got, want := strings.Join(names, " "), "tools tool level server result now manifest"; got != want {
		t.Errorf("the variables are %s, want %s", got, want)
	}
}

func theVariables(t *testing.T) []string {
	t.Helper()
	l, err := theLanguage()
	if err != nil {
		t.Fatal(err)
	}
	return l.table.byGo[variablesType].names
}

func TestDescribeRefusesWhatItCannotSay(t *testing.T) {
	type a struct {
		X int `json:"x"`
	}
	type b struct {
		X string `json:"x"`
	}
	for _, tc := range []struct {
		of   any
		want string
	}{
		{struct{ X int }{}, "has no name in JSON"},
		{struct {
			X map[string]string `json:"x"`
		}{}, "no type for map"},
		{struct {
			*a
			*b
		}{}, "has two members x"},
	} {
		table, _, err := newTable()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := table.shapeOf(reflect.TypeOf(tc.of)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%T: got %v, want %q", tc.of, err, tc.want)
		}
	}
}
