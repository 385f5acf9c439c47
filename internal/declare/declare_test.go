package declare

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/seal"
)

// whole is a defaults section with nothing missing, five lines long.
const whole = `defaults:
  side_effects: {reads: [], writes: [], network_egress: false, executes_code: false,
    accesses_env_vars: false, spawns_processes: false, modifies_system_state: false,
    persists_data: false}
  capabilities_required: []
`

// effects is a side_effects mapping in flow style with everything that MIS
// §11.2 requires, but for what the caller adds.
func effects(more string) string {
	return "{reads: [], writes: [], network_egress: false, executes_code: false, accesses_env_vars: false, " +
		"spawns_processes: false, modifies_system_state: false, persists_data: false" + more + "}"
}

func TestParseRefuses(t *testing.T) {
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	for name, c := range map[string]struct {
		in   string
		want string // the first error, whole
	}{
		// YAML.
		"anchor":               {"publisher:\n  id: &x a\n", "2:7: an anchor (&): every value is written where it stands"},
		"alias":                {"artifact: [*x]", `1:12: an alias (*): for a text with an asterisk, write "*x" in double quotes`},
		"bare asterisk":        {"artifact: [*]", `1:12: an alias (*): for a text with an asterisk, write "*" in double quotes`},
		"glob":                 {"artifact:\n  - *.tgz\n", `2:5: an alias (*): for a text with an asterisk, write "*.tgz" in double quotes`},
		"merge key":            {"defaults: {}\ntools:\n  <<: {}\n", "3:3: a merge key (<<): use defaults, or quote the name"},
		"tag":                  {"publisher: {id: !!str x}", "1:17: a tag (!): values are plain"},
		"explicit key":         {"? publisher\n: {}\n", `1:1: an explicit key (?): write "name: value"`},
		"directive":            {"%YAML 1.2\n---\npublisher:\n", "1:1: a directive (%): leave it out"},
		"two documents":        {"publisher:\n---\nserver:\n", "2:1: a second document (---), want one"},
		"document end":         {"publisher:\n...\n", "2:1: a document end (...): one document is all there is"},
		"tab":                  {"publisher:\n\tid: x\n", `2:1: a tab, want spaces; within double quotes, write "\t"`},
		"tab within":           {"publisher: {id: a\tb}", `1:18: a tab, want spaces; within double quotes, write "\t"`},
		"colon, no space":      {"server: {env: {A:1}}", "1:17: a colon without a space: write a space behind it, or put the text in double quotes"},
		"two colons":           {"server: {env: {A:: 1}}", "1:17: a colon without a space: write a space behind it, or put the text in double quotes"},
		"port":                 {"defaults: {side_effects: {network_endpoints: [a.example:443]}}", "1:56: a colon without a space: write a space behind it, or put the text in double quotes"},
		"missing comma":        {"server: {env: {A: 1 B: 2}}", `1:19: a text that is not clear without quotes: write "1 B: 2"`},
		"stray bracket":        {"server: {env: {A: 1]}}", `1:19: a text that is not clear without quotes: write "1]"`},
		"colon in a text":      {"publisher:\n  id: 'a' b: c\n", "2:11: not YAML: value is not allowed in this context. map key-value is pre-defined"},
		"CR CR LF":             {"publisher:\r\r\n", "1:11: a carriage return alone, want line feeds or CRLF at line ends"},
		"tag that is left out": {"artifact: [!x]", "1:12: from here on, not YAML that can be read: put texts in double quotes"},
		"tag at the end":       {"publisher: !x", "1:12: from here on, not YAML that can be read: put texts in double quotes"},
		"open quote":           {"publisher: {id: \"x\n", "1:17: not YAML: could not find end character of double-quoted text"},
		"open brace":           {"publisher: {id: x\n", "1:12: not YAML: could not find flow mapping end token '}'"},
		"bad indent":           {"publisher:\n    id: x\n  url: y\n", "3:3: not YAML: value is not allowed in this context"},
		"deep flow":            {"artifact: " + deep, "1:42: nested deeper than 32 levels"},
		"deep list":            {strings.Repeat("- ", 40) + "x", "1:65: nested deeper than 32 levels"},
		"deep mapping":         {nested(40), "33:33: nested deeper than 32 levels"},
		"too large":            {strings.Repeat("#", MaxSize+1), "1:1: 1048577 bytes, want at most 1048576"},
		"too many members":     {"tools:\n" + many(10_001), "10002:3: too many members in the mappings up to here"},
		"too many empty":       {"{" + strings.Repeat("a: ,", 40_000) + "}", "1:66667: too many empty values up to here"},
		"no value":             {"tools: {a, b}", "1:10: a name without a value: write a colon and a value behind it"},
		"no value at last":     {"tools: {a: , b}", "1:15: a name without a value: write a colon and a value behind it"},
		"two commas":           {"tools: {a: ,, b: }", "1:13: a comma with nothing before it"},
		"leading comma":        {"artifact: [, a]", "1:12: a comma with nothing before it"},
		"too many elements":    {"artifact: [" + strings.Repeat("a,", 1001) + "]", "1:11: artifact: 1001 elements, want at most 1000"},
		"not UTF-8":            {"publisher:\n  id: a\xff\n", "2:8: byte 0xff is not UTF-8"},
		"NUL":                  {"publisher: {id: \x00}", `1:17: U+0000 (control character), which a reader does not see: where it is meant, write "\x00" in double quotes`},
		"bidi":                 {"publisher:\n  # é\u202e\n", `2:6: U+202E (bidirectional control), which a reader does not see: where it is meant, write "\u202e" in double quotes`},
		"line separator":       {"a: b\u2028c: d", `1:5: U+2028 (line or paragraph separator), which a reader does not see: where it is meant, write "\u2028" in double quotes`},
		"tag characters":       {"# \U000e0041", `1:3: U+E0041 (tag character), which a reader does not see: where it is meant, write "\U000e0041" in double quotes`},
		"carriage return":      {"publisher:\rserver:\r", "1:11: a carriage return alone, want line feeds or CRLF at line ends"},
		"duplicate":            {"publisher:\nserver:\npublisher:\n", "3:1: publisher: stands a second time, the first is in line 1"},
		"duplicate, quoted":    {"tools:\n  1e3:\n  x:\n  \"1e3\":\n", `4:3: tools.1e3: stands a second time, the first is in line 2`},
		"duplicate in flow":    {"publisher: {id: a, id: b}", "1:20: publisher.id: stands a second time, the first is in line 1"},
		"a list":               {"[a]", "1:1: is a list, want a mapping"},
		"a text":               {"hello", `1:1: is the text "hello", want a mapping`},
		"lone surrogate":       {`publisher: {id: "\udc00"}`, "1:17: an escape that is no character"},
		"reversed pair":        {`publisher: {id: "\ude00\ud83d"}`, "1:24: not YAML: not enough length for escaped UTF-16 surrogate pair"},
		"surrogate, letter":    {`publisher: {id: "\ud83d\u0041"}`, "1:18: not YAML: found unexpected low surrogate after high surrogate"},
		"beyond Unicode":       {`publisher: {id: "\U00110000"}`, "1:17: an escape that is no character"},
		"bad escape":           {`publisher: {id: "\q"}`, `1:19: not YAML: found unknown escape character 'q'`},
		"mapping for a name":   {"tools: {{a: b}: c}", "1:15: not YAML: found an invalid key for this map"},

		// The schema.
		"unknown section": {"publishr: {}\n", `1:1: publishr: unknown member, did you mean "publisher"?`},
		"unknown member": {"tools:\n  writeFile:\n    side_effects:\n      network_egres: true\n",
			`4:7: tools.writeFile.side_effects.network_egres: unknown member, did you mean "network_egress"?`},
		"camel case":        {"defaults: {sideEffects: {}}", `1:12: defaults.sideEffects: unknown member, did you mean "side_effects"?`},
		"nothing like it":   {"zzz: 1", "1:1: zzz: unknown member, want one of artifact, defaults, publisher, server, tools"},
		"too high":          {"tools: {a: {reads: []}}", "1:13: tools.a.reads: unknown member here, it belongs in side_effects"},
		"far too high":      {"capabilities_required: []", "1:1: capabilities_required: unknown member here, it belongs in defaults, or in a tool under tools"},
		"number for text":   {"server: {env: {PORT: 8080}}", `1:22: server.env.PORT: is the number 8080, want a text: write "8080"`},
		"boolean for text":  {"server: {env: {DEBUG: True}}", `1:23: server.env.DEBUG: is True, want a text: write "True"`},
		"nothing for text":  {"server:\n  env:\n    KEY:\n", `3:5: server.env.KEY: is empty, want a text`},
		"text for list":     {"defaults: {side_effects: {writes: filesystem}}", `1:35: defaults.side_effects.writes: is the text "filesystem", want a list: write [filesystem]`},
		"nothing for list":  {"defaults:\n  side_effects:\n    writes:\n", `3:5: defaults.side_effects.writes: is empty, want a list: write [] for none`},
		"yes":               {"defaults: {side_effects: {persists_data: yes}}", `1:42: defaults.side_effects.persists_data: is the text "yes", want true or false: write true`},
		"Off":               {"defaults: {side_effects: {persists_data: Off}}", `1:42: defaults.side_effects.persists_data: is the text "Off", want true or false: write false`},
		"empty effects":     {"tools:\n  a:\n    side_effects:\n", `3:5: tools.a.side_effects: is empty, want a mapping`},
		"artifact a text":   {"artifact: a.tgz", `1:11: artifact: is the text "a.tgz", want a list`},
		"command a text":    {"server: {command: node index.js}", `1:19: server.command: is the text "node index.js", want a list`},
		"no command":        {"server: {command: []}", `1:19: server.command: is empty; leave it out, or say something`},
		"empty program":     {`server: {command: [""]}`, `1:20: server.command[0]: is empty; leave it out, or say something`},
		"NUL in argument":   {`server: {command: [a, "b\0"]}`, `1:23: server.command[1]: is "b\x00", want a text without NUL`},
		"NUL in env":        {`server: {env: {A: "b\0"}}`, `1:19: server.env.A: is "b\x00", want a text without NUL`},
		"bad env name":      {`server: {env: {"A=B": c}}`, `1:16: server.env["A=B"]: a variable's name is not empty and has neither "=" nor NUL in it`},
		"mapping for text":  {"publisher: {id: {}}", "1:17: publisher.id: is a mapping, want a text"},
		"block for text":    {"publisher:\n  id:\n    a: 1\n", "3:5: publisher.id: is a mapping, want a text"},
		"url, broken":       {"publisher: {url: 'https://[x'}", `1:18: publisher.url: is "https://[x", want a URL`},
		"list for text":     {"publisher: {id: []}", "1:17: publisher.id: is a list, want a text"},
		"list for boolean":  {"defaults: {side_effects: {persists_data: [true]}}", "1:42: defaults.side_effects.persists_data: is a list, want true or false"},
		"category a number": {"defaults: {side_effects: {reads: [1]}}", "1:35: defaults.side_effects.reads[0]: is the number 1, want a text: write \"1\""},
		"namespace":         {"publisher: {namespace: acme}", `1:24: publisher.namespace: is "acme", want a reverse-domain name, such as io.github.acme`},
		"namespace, line":   {`publisher: {namespace: "io.acme\n"}`, `1:24: publisher.namespace: is "io.acme\n", want a reverse-domain name, such as io.github.acme`},
		"url":               {"publisher: {url: 'javascript:x'}", `1:18: publisher.url: is "javascript:x", want a URL that begins with https:// or http://`},
		"empty id":          {"publisher: {id: ''}", `1:17: publisher.id: is empty; leave it out, or say something`},
		"category":          {"defaults: {side_effects: {reads: [network, filesystm]}}", `1:44: defaults.side_effects.reads[1]: unknown resource category "filesystm", did you mean "filesystem"?`},
		"category, synonym": {"defaults: {side_effects: {reads: [files]}}",
			`1:35: defaults.side_effects.reads[0]: unknown resource category "files", did you mean "filesystem"?`},
		"category, own": {"defaults: {side_effects: {reads: [printer]}}",
			`1:35: defaults.side_effects.reads[0]: unknown resource category "printer", want one of filesystem, network, environment, database, clipboard, process, system, or a name of your own with a reverse-domain prefix, such as com.example.printer`},
		"category, all": {`defaults: {side_effects: {reads: ["*"]}}`,
			`1:35: defaults.side_effects.reads[0]: there is no category for all: write [filesystem, network, environment, database, clipboard, process, system]`},
		"category twice":     {"defaults: {side_effects: {reads: [network, system, network]}}", `1:52: defaults.side_effects.reads[2]: "network" stands a second time`},
		"context":            {"defaults: {side_effects: {execution_context: sandboxed-was}}", `1:46: defaults.side_effects.execution_context: unknown value "sandboxed-was", did you mean "sandboxed-wasm"?`},
		"context, else":      {"defaults: {side_effects: {execution_context: jail}}", `1:46: defaults.side_effects.execution_context: unknown value "jail", want one of native, sandboxed-wasm, sandboxed-container, sandboxed-vm`},
		"context, type":      {"defaults: {side_effects: {execution_context: 1}}", `1:46: defaults.side_effects.execution_context: is the number 1, want one of native, sandboxed-wasm, sandboxed-container, sandboxed-vm`},
		"capability, half":   {"defaults: {capabilities_required: [{resource: system}]}", `1:36: defaults.capabilities_required[0]: lacks actions, required`},
		"capability, member": {"defaults: {capabilities_required: [{resource: system, action: [], required: true, actions: [a]}]}", `1:55: defaults.capabilities_required[0].action: unknown member, did you mean "actions"?`},
		"capability, none":   {"defaults: {capabilities_required: [{resource: system, actions: [], required: true}]}", `1:64: defaults.capabilities_required[0].actions: is empty; leave it out, or say something`},
		"nasty name": {"tools: {\"a: b\\n\": {x: 1}}",
			`1:20: tools["a: b\n"].x: unknown member, want one of capabilities_required, side_effects`},
		"behind wide characters": {"tools: {\"世界😀\": {x: 1}}",
			`1:17: tools["世界😀"].x: unknown member, want one of capabilities_required, side_effects`},

		// What the schema cannot say.
		"half": {"tools:\n  a:\n    side_effects: {reads: []}\n    capabilities_required: []\n",
			"2:3: tools.a.side_effects: lacks writes, network_egress, executes_code, accesses_env_vars, spawns_processes, modifies_system_state, persists_data: neither the tool nor defaults says it, and silence is not false"},
		"effects without capabilities": {"tools:\n  a: {side_effects: " + effects("") + "}\n",
			"2:3: tools.a: lacks capabilities_required: neither the tool nor defaults has it; write [] where the tool needs nothing"},
		"egress without endpoints": {whole + "tools:\n  a:\n    side_effects:\n      network_egress: true\n",
			`9:7: tools.a.side_effects.network_endpoints: missing beside network_egress that is true: list hostnames, or write ["*"] for any`},
		"egress with no endpoint": {whole + "tools:\n  a:\n    side_effects: {network_egress: true, network_endpoints: []}\n",
			`8:20: tools.a.side_effects.network_endpoints: missing beside network_egress that is true: list hostnames, or write ["*"] for any`},
		"inherited egress": {"defaults: {side_effects: {network_egress: true}, capabilities_required: []}\ntools:\n  a: {side_effects: {reads: [], writes: [], executes_code: false, accesses_env_vars: false, spawns_processes: false, modifies_system_state: false, persists_data: false}}\n",
			`3:3: tools.a.side_effects.network_endpoints: missing beside network_egress that defaults set in line 1: list hostnames, or write ["*"] for any`},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Parse([]byte(c.in))
			var first *Error
			if !errors.As(err, &first) {
				t.Fatalf("Parse = %v, %v, want an *Error", f, err)
			}
			if got, want := first.Error(), Filename+":"+c.want; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if f != nil {
				t.Error("a File beside an error")
			}
		})
	}
}

func nested(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%*sa:\n", i, "")
	}
	return b.String()
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  t%d:\n", i)
	}
	return b.String()
}

func TestParse(t *testing.T) {
	f, err := Parse([]byte("\ufeff# c\r\n---\r\n" + `publisher: {id: security@acme.example, namespace: io.github.acme, url: https://github.com/acme}
server: {command: [node, dist/index.js, "--x=*"], env: {API_KEY: dummy, EMPTY: ""}}
artifact: [acme-file-tools-1.2.4.tgz, "*.whl"]
tools:
`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(seal.Publisher{ID: "security@acme.example", Namespace: "io.github.acme", URL: "https://github.com/acme"}, f.Publisher); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Server{Command: []string{"node", "dist/index.js", "--x=*"}, Env: map[string]string{"API_KEY": "dummy", "EMPTY": ""}}, f.Server); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"acme-file-tools-1.2.4.tgz", "*.whl"}, f.Artifact); diff != "" {
		t.Error(diff)
	}
}

// TestParseSpellings: one value, written in the ways that YAML has for it.
func TestParseSpellings(t *testing.T) {
	want := []string{"a: [b], #c {d}", "e"}
	for _, in := range []string{
		`{"publisher":{"id":"x"},"artifact":["a: [b], #c {d}","e"]}`,
		"artifact: ['a: [b], #c {d}', e]",
		"artifact:\n- \"a: [b],\\x20#c {d}\"\n- e # f\n",
		"artifact:\n  - |-\n    a: [b], #c {d}\n  - >-\n    e\n",
		"artifact: [\n  \"a: [b], \\\n  #c {d}\", # c\n  'e',\n]\n",
	} {
		f, err := Parse([]byte(in))
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if diff := cmp.Diff(want, f.Artifact); diff != "" {
			t.Errorf("%q: %s", in, diff)
		}
	}
	// A host with a port or a URL needs no quotes in a block list.
	f := mustParse(t, "artifact:\n- a.example:443\n- https://a.example/*\n- oci://r.example/x@sha256:00\n")
	if diff := cmp.Diff([]string{"a.example:443", "https://a.example/*", "oci://r.example/x@sha256:00"}, f.Artifact); diff != "" {
		t.Error(diff)
	}
}

func TestParseEmpty(t *testing.T) {
	for _, in := range []string{"", "\n", "# nothing\n", "---\n", "{}", "publisher:\nserver:\nartifact:\ndefaults:\ntools:\n",
		"server: {env: }", "tools: {a: , b: {}}", "~", "null"} {
		f, err := Parse([]byte(in))
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if d := f.Declaration("a"); d.Origin != Undeclared {
			t.Errorf("%q: origin %s, want undeclared", in, d.Origin)
		}
	}
}

// TestToolNames: a key is a name by its source text, whatever YAML takes it for.
func TestToolNames(t *testing.T) {
	in := "tools:\n"
	keys := []struct{ source, want string }{
		{"yes", "yes"}, {"no", "no"}, {"null", "null"}, {"~", "~"}, {"true", "true"}, {"True", "True"},
		{"1", "1"}, {"1e3", "1e3"}, {"0x10", "0x10"}, {"0o17", "0o17"}, {"1_000", "1_000"}, {"1.50", "1.50"},
		{".inf", ".inf"}, {".nan", ".nan"}, {"-1", "-1"}, {"2026-02-20", "2026-02-20"}, {"a.b", "a.b"}, {"a/b", "a/b"},
		{`"a: b"`, "a: b"}, {`"- x"`, "- x"}, {`"#"`, "#"}, {`"'"`, "'"}, {`""`, ""}, {`"\n"`, "\n"}, {`'"'`, `"`}, {`"<<"`, "<<"},
		{`"\u202e\u2028"`, "\u202e\u2028"}, {`"\ud83d\ude00"`, "😀"}, {"世界", "世界"}, {`"\ufffd"`, "\ufffd"}, {`"\uFFFD\\"`, "\ufffd\\"}, {`"\/"`, "/"}, {"a b", "a b"},
	}
	var want []string
	for _, k := range keys {
		in += "  " + k.source + ":\n"
		want = append(want, k.want)
	}
	f, err := Parse([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, f.Tools()); diff != "" {
		t.Error(diff)
	}
}

func TestUnknownTools(t *testing.T) {
	f, err := Parse([]byte(whole + "tools:\n  writeFlie:\n  readFile:\n  zzz: {capabilities_required: []}\n  read_file:\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := f.UnknownTools([]string{"readFile", "writeFile", "other"})
	want := []UnknownTool{
		{Name: "writeFlie", Line: 7, Column: 3, DidYouMean: "writeFile"},
		{Name: "zzz", Line: 9, Column: 3},
		// readFile has its own entry: read_file was not meant to be it.
		{Name: "read_file", Line: 10, Column: 3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := f.UnknownTools([]string{"writeFlie", "readFile", "zzz", "read_file"}); got != nil {
		t.Errorf("got %v, want none", got)
	}
	var none *File
	if got := none.UnknownTools(nil); got != nil || none.Tools() != nil {
		t.Errorf("got %v of no file", got)
	}
}
