package lineage

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/seal"
)

func TestParseStated(t *testing.T) {
	for _, bad := range []string{"", "feature", "feature:", "feature: ", "Feature:x", "feat:x", ":x", "feature:a\nb", "feature:a  b", "feature:a\u200bb", "feature:a\u202eb",
		"feature:" + strings.Repeat("x", maxStatedText+1)} {
		if s, err := ParseStated(bad); err == nil {
			t.Errorf("%.40q: accepted as %v", bad, s)
		}
	}
	got, err := ParseStated("security: refuses paths out of the root: all of them")
	if want := (Stated{Type: TypeSecurity, Text: "refuses paths out of the root: all of them"}); err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestParseCommit(t *testing.T) {
	for message, want := range map[string]Stated{
		"feat: search hidden files":                         {TypeFeature, "search hidden files", true},
		"fix(server): close it\r\n\r\nBecause.":             {TypeBugfix, "close it", true},
		"FEAT: upper case":                                  {TypeFeature, "upper case", true},
		"perf: faster":                                      {TypeBugfix, "faster", true},
		"refactor: less":                                    {TypeRefactor, "less", true},
		"security: refuse ..":                               {TypeSecurity, "refuse ..", true},
		"deps: bump x":                                      {TypeDependency, "bump x", true},
		"build(deps): bump x":                               {TypeDependency, "bump x", true},
		"chore(deps-dev): bump y":                           {TypeDependency, "bump y", true},
		"feat!: drop node 18":                               {TypeBreaking, "drop node 18", true},
		"docs(api)!: rename":                                {TypeBreaking, "rename", true},
		"fix: x\n\nlong text\n\nBREAKING CHANGE: no more y": {TypeBreaking, "x", true},
		"chore: x\n\nBREAKING-CHANGE: y":                    {TypeBreaking, "x", true},
		"feat: a\u200bb\tc":                                 {TypeFeature, "ab c", true},
		"docs: words":                                       {},
		"Merge branch 'main'":                               {},
		"feat : x":                                          {},
		"feat:x":                                            {},
		"feat(a(b)): x":                                     {},
		"feat: \u200b":                                      {},
		"":                                                  {},
	} {
		if got, ok := ParseCommit(message); ok != (want.Type != "") || ok && got != want {
			t.Errorf("%q: got %v, %t, want %v", message, got, ok, want)
		}
	}
}

func TestCheckStated(t *testing.T) {
	say := func(types ...string) (stated []Stated) {
		for _, s := range types {
			stated = append(stated, Stated{Type: s, Text: "x"})
		}
		return stated
	}
	for _, c := range []struct {
		name   string
		stated []Stated
		want   []string // what the error says; none for no error
	}{
		{"nothing", nil, nil},
		{"the strongest", say(TypeBugfix, TypeBreaking), nil},
		{"too weak", say(TypeSecurity), []string{"understate", `tool "a" removes the parameter "x": want a change of type breaking`}},
		{"weaker still", say(TypeBugfix, TypeRefactor), []string{`tool "a"`, `tool "b" declares network egress to "*": want a change of type feature`, `tool "c"`}},
		{"commits are no statement", []Stated{{TypeBugfix, "x", true}}, nil},
		{"a type of nobody's", say("improvement"), []string{"improvement", "breaking, security, feature, bugfix, dependency, refactor"}},
		{"too many", say(strings.Fields(strings.Repeat("breaking ", maxStated+1))...), []string{"17 changes", "at most 16"}},
	} {
		err := CheckStated(c.stated, changes)
		if (err == nil) != (c.want == nil) {
			t.Errorf("%s: got %v", c.name, err)
		}
		for _, want := range c.want {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q in it", c.name, err, want)
			}
		}
	}
}

func TestEntries(t *testing.T) {
	tool := func(name string, change func(*seal.Tool)) seal.Tool {
		s := seal.Tool{Name: name}
		s.Interface.Composite = "sha256:1"
		if change != nil {
			change(&s)
		}
		return s
	}
	old := &seal.Manifest{Tools: []seal.Tool{tool("same", nil), tool("wider", nil), tool("gone", nil)}}
	new := &seal.Manifest{Tools: []seal.Tool{
		tool("new", nil), tool("same", nil),
		tool("wider", func(s *seal.Tool) {
			s.Interface.Composite, s.SideEffects = "sha256:2", seal.SideEffects{NetworkEgress: true, NetworkEndpoints: []string{"api.example.com"}}
		}),
	}}
	oldTools := parseTools(t, `{"name":"same","inputSchema":{}}`, `{"name":"wider","inputSchema":{}}`, `{"name":"gone","inputSchema":{}}`)
	newTools := parseTools(t, `{"name":"same","inputSchema":{}}`, `{"name":"wider","inputSchema":{"properties":{"encoding":{}},"required":["encoding"]}}`, `{"name":"new","inputSchema":{}}`)
	c := Classify(Side{old, oldTools}, Side{new, newTools})

	added := seal.Change{Type: TypeFeature, Description: "adds the tool", InterfaceChanged: true}
	wider := seal.Change{Type: TypeBreaking, Description: `adds the required parameter "encoding"; declares network egress to "api.example.com"`, InterfaceChanged: true, SideEffectsChanged: true}
	for _, s := range []struct {
		name   string
		stated []Stated
		same   []seal.Change
		beside []seal.Change // of tools with changes
	}{
		{"nothing stated", nil, []seal.Change{{Type: TypeBugfix, Description: unchanged}}, nil},
		{"one change", []Stated{{Type: TypeSecurity, Text: "refuses links"}},
			[]seal.Change{{Type: TypeSecurity, Description: "refuses links (" + unchanged + ")"}},
			[]seal.Change{{Type: TypeSecurity, Description: "refuses links"}}},
		{"several changes, and a commit", []Stated{{"feature", "a", false}, {"bugfix", "b", true}, {"dependency", "c", false}},
			[]seal.Change{{Type: TypeFeature, Description: "a (" + unchanged + ")"}, {Type: TypeDependency, Description: "c"}, {Type: TypeBugfix, Description: "b"}},
			[]seal.Change{{Type: TypeFeature, Description: "a"}, {Type: TypeDependency, Description: "c"}, {Type: TypeBugfix, Description: "b"}}},
		{"what is stated twice, and what is nothing", []Stated{{Type: TypeBugfix, Text: "a\nb"}, {Type: TypeBugfix, Text: "a b"}, {Type: "x", Text: "y"}, {Type: TypeFeature, Text: "\u200b"}},
			[]seal.Change{{Type: TypeBugfix, Description: "a b (" + unchanged + ")"}},
			[]seal.Change{{Type: TypeBugfix, Description: "a b"}}},
		{"commits", []Stated{{TypeRefactor, "one", true}, {TypeBugfix, "two", true}, {TypeRefactor, "three", true}, {TypeDependency, "four", true}, {TypeDependency, "five", true}},
			[]seal.Change{{Type: TypeBugfix, Description: "two; four; five; and 2 more commits (" + unchanged + ")"}},
			[]seal.Change{{Type: TypeBugfix, Description: "two; four; five; and 2 more commits"}}},
	} {
		want := map[string][]seal.Change{
			"same": s.same, "new": append([]seal.Change{added}, s.beside...), "wider": append([]seal.Change{wider}, s.beside...),
		}
		if diff := cmp.Diff(want, Entries(c, old, new, s.stated)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.name, diff)
		}
	}
	if got := Entries(Classify(Side{}, Side{Manifest: new}), nil, new, nil); len(got) != 3 || got["same"][0] != (seal.Change{Type: TypeFeature, Description: "adds the tool", InterfaceChanged: true}) {
		t.Errorf("without a predecessor: got %v", got)
	}
}

// TestEntriesRefine: where nothing proves more, the type is that of what is
// stated.
func TestEntriesRefine(t *testing.T) {
	c := Classes{Changes: []ClassChange{{Tool: "t", Class: DescriptionChanged, Weight: Wording, Text: "rewords the description"}}}
	m := &seal.Manifest{Tools: []seal.Tool{{Name: "t"}}}
	for stated, want := range map[Stated]string{
		{TypeRefactor, "x", true}:  TypeRefactor,
		{TypeFeature, "x", true}:   TypeFeature,
		{TypeBreaking, "x", false}: TypeBreaking,
	} {
		if got := Entries(c, m, m, []Stated{stated})["t"][0]; got.Type != want || got.Description != "rewords the description" {
			t.Errorf("%v: got %v, want %s", stated, got, want)
		}
	}
}

// TestEntriesAreBounded: a description counts what it leaves out.
func TestEntriesAreBounded(t *testing.T) {
	var c Classes
	for i := range 100 {
		c.Changes = append(c.Changes, ClassChange{Tool: "t", Weight: Addition, Text: fmt.Sprintf("adds the optional parameter %q", strings.Repeat("x", i))})
	}
	m := &seal.Manifest{Tools: []seal.Tool{{Name: "t"}}}
	got := Entries(c, m, m, nil)["t"][0].Description
	if len(got) > maxSentence || !strings.HasSuffix(got, " more changes") || !strings.HasPrefix(got, `adds the optional parameter ""; adds`) {
		t.Errorf("got %d bytes: %s", len(got), got)
	}
	c.Changes = c.Changes[:1]
	c.Changes[0].Text = strings.Repeat("x", 2*maxSentence)
	c.Changes = append(c.Changes, c.Changes[0])
	if got := Entries(c, m, m, nil)["t"][0].Description; !strings.HasSuffix(got, "; and 1 more change") {
		t.Errorf("got %s", got)
	}
}
