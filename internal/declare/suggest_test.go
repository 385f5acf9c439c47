package declare

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func packageComment(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func tool(name, description, annotations string, properties ...string) fingerprint.Tool {
	quotedNames := make([]string, len(properties))
	for i, p := range properties {
		quotedNames[i] = fmt.Sprintf("%q:{}", p)
	}
	t := fingerprint.Tool{Name: name, Description: description,
		InputSchema: []byte(`{"type":"object","properties":{` + strings.Join(quotedNames, ",") + `}}`)}
	if annotations != "" {
		t.Annotations = []byte(annotations)
	}
	return t
}

// nasty are names that YAML takes for something else, or that could end the
// line, the comment, or the reader's trust.
var nasty = []string{
	"a: b", "- x", "#", "'", `"`, "null", "Null", "~", "\n", "yes", "NO", "on", "1e3", "0x10", "-1", ".inf", "", " ", "a #b", "a\nb: c",
	"\r", "\t", "\x00", "\x1b[2J", "\u0085", "\u2028", "\u2029", "\u202e", "\ufeff", "\U000e0041", "\u3164", "\ufffd", "\u200d", "?", "? a", "-", "---", "...",
	"%YAML", "&a", "*a", "!x", "|", ">", "{", "}", "[", "]", ",", "@", "`", "<<", "=", ":", "a:", ":a", `\`, `\u202e`, `"]`, "💥", "é", "e\u0301", "\u0301", "世界",
	"tools", "defaults", "side_effects", "2026-02-20", "0o17", "1_000", "a.b.c", "x y", strings.Repeat("long", 500),
}

func nastyTools() []fingerprint.Tool {
	var tools []fingerprint.Tool
	for i, n := range nasty {
		// Every part of a tool is as nasty as its name, each time another.
		other := nasty[(i+7)%len(nasty)]
		t := tool(n, other+"\n"+n, `{"readOnlyHint":true,"title":"#\n"}`)
		t.InputSchema = mustJSON(map[string]any{"type": "object", "properties": map[string]any{
			other + " path": map[string]any{}, n + "_url": map[string]any{}}})
		tools = append(tools, t)
	}
	return tools
}

func TestSuggestNastyNames(t *testing.T) {
	facts := Facts{ServerName: "evil\npublisher: {id: x}\u202e", ServerVersion: "\u2028# 1", Command: nasty[:20], EnvNames: []string{"A: b", "#", "\n", "yes"}, Artifact: []string{"*.tgz", "- a", "#", "\n"}}
	facts.Command = slices.DeleteFunc(slices.Clone(facts.Command), func(s string) bool { return s == "" })
	out, err := Suggest(facts, nastyTools())
	if err != nil {
		t.Fatal(err)
	}
	f := mustParse(t, string(out))
	if diff := cmp.Diff(nasty, f.Tools()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(facts.Command, f.Server.Command); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(facts.Artifact, f.Artifact); diff != "" {
		t.Error(diff)
	}
	for _, name := range facts.EnvNames {
		if f.Server.Env[name] != "dummy" {
			t.Errorf("env %q is %q", name, f.Server.Env[name])
		}
	}
	if f.Publisher.ID != "" {
		t.Errorf("publisher %q out of nothing", f.Publisher.ID)
	}
	for i, line := range strings.Split(string(out), "\n") {
		for _, r := range line {
			if r < ' ' || r == 0x7f {
				t.Errorf("line %d has %U", i+1, r)
			}
		}
	}
}

// TestSuggestionsUncomment takes over the suggestion of each tool alone, and of
// all of them, as a person would: by deleting "# " before its lines.
func TestSuggestionsUncomment(t *testing.T) {
	tools := append(nastyTools(), suggestible()...)
	for _, tool := range tools {
		out, err := Suggest(Facts{}, []fingerprint.Tool{{Name: "before"}, tool, {Name: "after"}})
		if err != nil {
			t.Fatal(err)
		}
		file := uncomment(string(out), 1)
		f, err := Parse([]byte(file))
		if err != nil {
			t.Fatalf("%q: %v", tool.Name, err)
		}
		checkSuggested(t, f, tool, file != string(out))
	}

	out, err := Suggest(Facts{}, tools)
	if err != nil {
		t.Fatal(err)
	}
	f := mustParse(t, uncomment(string(out), all))
	for _, tool := range tools {
		checkSuggested(t, f, tool, f.Declaration(tool.Name).Origin == Own)
	}
}

func checkSuggested(t *testing.T, f *File, tool fingerprint.Tool, suggested bool) {
	t.Helper()
	d := f.Declaration(tool.Name)
	if want := map[bool]Origin{true: Own, false: Defaults}[suggested]; d.Origin != want {
		t.Errorf("%q: origin %s, want %s", tool.Name, d.Origin, want)
	}
	checkSealable(t, d)
	if !suggested {
		return
	}
	for _, c := range Contradictions(tool, d) {
		if c.Severity == Conflict {
			t.Errorf("%q: a suggestion that contradicts: %s: %s", tool.Name, c.Member, c.Message)
		}
	}
	widest := Widest().SideEffects
	for _, lists := range [][2][]string{{d.SideEffects.Reads, widest.Reads}, {d.SideEffects.Writes, widest.Writes}} {
		for _, r := range lists[0] {
			if !slices.Contains(lists[1], r) {
				t.Errorf("%q: %s is wider than the widest", tool.Name, r)
			}
		}
	}
}

const all = -1

// uncomment takes "# " from the lines below the n-th tool's name, or below all.
func uncomment(file string, n int) string {
	head, tools, _ := strings.Cut(file, "\ntools:\n")
	lines := strings.Split(tools, "\n")
	at := -1
	for i, line := range lines {
		if strings.HasPrefix(line, "  ") && line[2] != ' ' && line[2] != '#' {
			at++
		}
		if rest, ok := strings.CutPrefix(line, "    # "); ok && (at == n || n == all) {
			lines[i] = "    " + rest
		}
	}
	return head + "\ntools:\n" + strings.Join(lines, "\n")
}

// suggestible are all combinations of hints with some properties.
func suggestible() []fingerprint.Tool {
	var tools []fingerprint.Tool
	properties := [][]string{nil, {"path"}, {"url"}, {"command"}, {"query"}, {"api_key"}, {"path", "url", "sql"}, {"shellScript", "file"}, {"clipboard"}, {"nothing"}}
	for i, props := range properties {
		for n := range 81 { // three states for each of four hints
			var members []string
			for j, v := 0, n; j < len(hintNames); j, v = j+1, v/3 {
				if state := v % 3; state > 0 {
					members = append(members, fmt.Sprintf("%q:%t", hintNames[j], state == 1))
				}
			}
			tools = append(tools, tool(fmt.Sprintf("tool-%d-%d", i, n), "", "{"+strings.Join(members, ",")+"}", props...))
		}
	}
	return tools
}

func TestSuggestGolden(t *testing.T) {
	out, err := Suggest(Facts{
		ServerName: "file-tools", ServerVersion: "1.2.4",
		Publisher: seal.Publisher{Namespace: "io.github.acme", URL: "https://github.com/acme"},
		Command:   []string{"node", "dist/index.js", "--root=."},
		EnvNames:  []string{"API_KEY"},
	}, []fingerprint.Tool{
		tool("read_file", "Read a file.\n\nOnly text.", `{"readOnlyHint":true,"openWorldHint":false}`, "path", "encoding"),
		tool("write_file", "Write a file.", `{"readOnlyHint":false,"destructiveHint":true,"idempotentHint":true}`, "filePath", "content"),
		tool("fetch", "Fetch a page.", `{"readOnlyHint":true,"openWorldHint":true}`, "url", "headers"),
		tool("run", "Run a command.", "", "command", "cwd"),
		tool("sql", "", "", "sql", "tableName"),
		tool("recall", "", `{"readOnlyHint":true,"openWorldHint":false}`, "topic"),
		tool("think", "Think about it.", "", "thought"),
		tool("a: b # c\u202e", "x\u202e # y\n- z", "", "path\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "suggested.yaml")
	if *update {
		if err := os.WriteFile(golden, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(out)); diff != "" {
		t.Error(diff)
	}
	if first, _, _ := strings.Cut(string(out), "\n"); first != "# yaml-language-server: $schema=https://mcp-integrity.org/schemas/v1/mcp-integrity-yaml.json" {
		t.Errorf("first line %q", first)
	}
}

// TestSuggestedDefaults: the file as written declares the widest for every tool.
func TestSuggestedDefaults(t *testing.T) {
	out, err := Suggest(Facts{}, []fingerprint.Tool{tool("a", "", `{"readOnlyHint":true}`, "path")})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "another"} {
		d := mustParse(t, string(out)).Declaration(name)
		if d.Origin != Defaults {
			t.Errorf("%s: origin %s, want defaults", name, d.Origin)
		}
		d.Origin, d.Line, d.Lines = Undeclared, 0, nil
		if diff := cmp.Diff(Widest(), d); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestSuggestRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		facts Facts
		tools []fingerprint.Tool
		want  string
	}{
		"not UTF-8": {tools: []fingerprint.Tool{{Name: "a"}, {Name: "b\xff"}}, want: `tools[1]: name "b\xff" is not UTF-8`},
		"twice":     {tools: []fingerprint.Tool{{Name: "a"}, {Name: "a"}}, want: `tools[1]: name "a" stands twice`},
		"namespace": {facts: Facts{Publisher: seal.Publisher{Namespace: "acme"}},
			want: `what would be written does not hold: mcp-integrity.yaml:8:14: publisher.namespace: is "acme", want a reverse-domain name, such as io.github.acme`},
		"too long":            {tools: []fingerprint.Tool{{Name: strings.Repeat("x", MaxSize)}}, want: "1 tools take 1050913 bytes to list, want at most 1048576: declare them by defaults alone"},
		"env":                 {facts: Facts{EnvNames: []string{"A", "A"}}, want: "what would be written does not hold: mcp-integrity.yaml:15:5: server.env.A: stands a second time, the first is in line 14"},
		"not UTF-8 elsewhere": {facts: Facts{Command: []string{"a\xff"}}, want: "command: \"a\\xff\" is not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := Suggest(c.facts, c.tools)
			if err == nil || err.Error() != c.want || out != nil {
				t.Errorf("got %d bytes and %v, want %s", len(out), err, c.want)
			}
		})
	}
}

// TestSuggestMany: more tools than suggestions fit for are listed all the same.
func TestSuggestMany(t *testing.T) {
	var tools []fingerprint.Tool
	for i := range 5_000 {
		tools = append(tools, tool(fmt.Sprintf("tool_number_%d", i), strings.Repeat("word ", 40), `{"readOnlyHint":true,"openWorldHint":true}`, "path", "url"))
	}
	out, err := Suggest(Facts{}, tools)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "    # side_effects") {
		t.Error("suggestions beyond the bound")
	}
	if got := len(mustParse(t, string(out)).Tools()); got != len(tools) {
		t.Errorf("%d tools, want %d", got, len(tools))
	}
}

func TestGather(t *testing.T) {
	for name, c := range map[string]struct {
		schema string
		want   map[string]string
	}{
		"none":           {`{}`, map[string]string{}},
		"no JSON":        {`{`, map[string]string{}},
		"no object":      {`[1]`, map[string]string{}},
		"camel case":     {`{"properties":{"filePath":{},"repoURL":{},"tableName":{}}}`, map[string]string{"filesystem": "filePath", "network": "repoURL", "database": "tableName"}},
		"snake case":     {`{"properties":{"file_path":{},"API_KEY":{},"env-vars":{}}}`, map[string]string{"filesystem": "file_path", "environment": "API_KEY"}},
		"not in words":   {`{"properties":{"profile":{},"hosted":{},"pathology":{},"monkey":{}}}`, map[string]string{}},
		"nested":         {`{"properties":{"options":{"properties":{"url":{}}},"list":{"items":{"properties":{"command":{}}}}}}`, map[string]string{"network": "url", "process": "command"}},
		"alternatives":   {`{"anyOf":[{"properties":{"sql":{}}},{"properties":{"dir":{}}}]}`, map[string]string{"database": "sql", "filesystem": "dir"}},
		"odd schema":     {`{"properties":[{"path":1}],"items":true,"anyOf":{"path":{}}}`, map[string]string{}},
		"values ignored": {`{"properties":{"x":{"enum":["path"],"default":{"url":1},"description":"file"}}}`, map[string]string{}},
		"too deep":       {strings.Repeat(`{"items":`, 20) + `{"properties":{"path":{}}}` + strings.Repeat("}", 20), map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, gather(nil, []byte(c.schema)).properties); diff != "" {
				t.Error(diff)
			}
		})
	}
}
