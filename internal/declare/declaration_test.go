package declare

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// mustParse is for inputs that a test takes for granted.
func mustParse(t testing.TB, in string) *File {
	t.Helper()
	f, err := Parse([]byte(in))
	if err != nil {
		t.Fatalf("%s\n%v", in, err)
	}
	return f
}

// manifestShapes are the shapes that MIS §26.1 demands of what is sealed.
var manifestShapes = sync.OnceValue(func() (shapes struct{ sideEffects, capability *jsonschema.Schema }) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(seal.Schemas()["sealed-manifest.json"]))
	if err != nil {
		panic(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("manifest.json", document); err != nil {
		panic(err)
	}
	shapes.sideEffects = c.MustCompile("manifest.json#/$defs/side_effects")
	shapes.capability = c.MustCompile("manifest.json#/$defs/capability")
	return shapes
})

// checkSealable fails unless d can stand in a manifest as it is.
func checkSealable(t testing.TB, d Declaration) {
	t.Helper()
	check := func(shape *jsonschema.Schema, v any) {
		data, err := strictjson.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := shape.Validate(document); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
	check(manifestShapes().sideEffects, d.SideEffects)
	for _, c := range d.Capabilities {
		check(manifestShapes().capability, c)
	}
}

func TestWidest(t *testing.T) {
	// Written out, so that a slip in the code is not a slip in the test.
	all := []string{"filesystem", "network", "environment", "database", "clipboard", "process", "system"}
	want := Declaration{
		SideEffects: seal.SideEffects{
			Reads: all, Writes: all, NetworkEgress: true, NetworkEndpoints: []string{"*"}, ExecutesCode: true,
			AccessesEnvVars: true, EnvVarsAccessed: []string{"*"}, SpawnsProcesses: true,
			ModifiesSystemState: true, PersistsData: true,
		},
	}
	for _, r := range all {
		want.Capabilities = append(want.Capabilities,
			seal.Capability{Resource: r, Actions: []string{"read", "write", "execute"}, Scope: "*", Required: false})
	}
	if diff := cmp.Diff(want, Widest()); diff != "" {
		t.Error(diff)
	}
	checkSealable(t, Widest())

	var none *File
	if diff := cmp.Diff(want, none.Declaration("x")); diff != "" {
		t.Errorf("no file: %s", diff)
	}
	Widest().SideEffects.Reads[0] = "changed"
	if seal.Resources[0] == "changed" {
		t.Error("the caller of Widest holds seal.Resources")
	}
}

func TestDeclaration(t *testing.T) {
	const file = `defaults:
  side_effects: {reads: [filesystem, database], writes: [], network_egress: true, network_endpoints: [a.example],
    executes_code: false, accesses_env_vars: false, spawns_processes: false, modifies_system_state: false,
    persists_data: false}
  capabilities_required: [{resource: filesystem, actions: [read], required: true}, {resource: network, actions: [read], required: true}]
tools:
  empty: {}
  nothing:
  hollow: {side_effects: {}}
  writeFile:
    side_effects: {writes: [filesystem], persists_data: TRUE}
  narrow:
    side_effects:
      reads: []
      network_egress: false
      network_endpoints: []
      human_readable_summary: Does nothing.
    capabilities_required: []
  only capabilities: {capabilities_required: [{resource: com.example.printer, actions: [print], scope: room 1, required: false}]}
  yes: {side_effects: {executes_code: true, execution_context: sandboxed-wasm, accesses_env_vars: true, env_vars_accessed: [HOME]}}
`
	f := mustParse(t, file)
	base := seal.SideEffects{Reads: []string{"filesystem", "database"}, Writes: []string{}, NetworkEgress: true, NetworkEndpoints: []string{"a.example"}}
	with := func(change func(*seal.SideEffects)) seal.SideEffects {
		e := base
		change(&e)
		return e
	}
	caps := []seal.Capability{
		{Resource: "filesystem", Actions: []string{"read"}, Required: true},
		{Resource: "network", Actions: []string{"read"}, Required: true},
	}
	for name, want := range map[string]Declaration{
		"not listed": {SideEffects: base, Capabilities: caps, Origin: Defaults, Line: 1},
		"empty":      {SideEffects: base, Capabilities: caps, Origin: Defaults, Line: 1},
		"nothing":    {SideEffects: base, Capabilities: caps, Origin: Defaults, Line: 1},
		"hollow":     {SideEffects: base, Capabilities: caps, Origin: Defaults, Line: 1},
		"writeFile": {SideEffects: with(func(e *seal.SideEffects) { e.Writes, e.PersistsData = []string{"filesystem"}, true }),
			Capabilities: caps, Origin: Own, Line: 10},
		"narrow": {SideEffects: with(func(e *seal.SideEffects) {
			e.Reads, e.NetworkEgress, e.NetworkEndpoints, e.Summary = []string{}, false, []string{}, "Does nothing."
		}), Capabilities: []seal.Capability{}, Origin: Own, Line: 12},
		"only capabilities": {SideEffects: base, Origin: Own, Line: 19,
			Capabilities: []seal.Capability{{Resource: "com.example.printer", Actions: []string{"print"}, Scope: "room 1"}}},
		"yes": {SideEffects: with(func(e *seal.SideEffects) {
			e.ExecutesCode, e.ExecutionContext, e.AccessesEnvVars, e.EnvVarsAccessed = true, "sandboxed-wasm", true, []string{"HOME"}
		}), Capabilities: caps, Origin: Own, Line: 20},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.Declaration(name)
			checkSealable(t, got)
			got.Lines = nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}

	lines := f.Declaration("narrow").Lines
	for member, want := range map[string]int{"reads": 14, "network_egress": 15, "capabilities_required": 18, "writes": 2, "persists_data": 4} {
		if lines[member] != want {
			t.Errorf("%s in line %d, want %d", member, lines[member], want)
		}
	}
}

// TestDeclarationBelongsToCaller: tools under defaults share nothing.
func TestDeclarationBelongsToCaller(t *testing.T) {
	f := mustParse(t, "defaults: {side_effects: "+effects(", network_endpoints: [a]")+
		", capabilities_required: [{resource: system, actions: [read], required: true}]}\ntools: {own: {capabilities_required: []}}")
	for _, tool := range []string{"a", "own"} {
		want := f.Declaration(tool)
		got := f.Declaration(tool)
		got.SideEffects.NetworkEndpoints[0] = "b"
		got.Lines["reads"] = 99
		if len(got.Capabilities) > 0 {
			got.Capabilities[0].Actions[0] = "write"
		}
		again := f.Declaration(tool)
		if again.Lines["reads"] == 99 {
			t.Errorf("%s: Lines are shared", tool)
		}
		again.Lines, want.Lines = nil, nil
		if diff := cmp.Diff(want, again); diff != "" {
			t.Errorf("%s: %s", tool, diff)
		}
	}
}

// TestHalfDefaults: what defaults leave out is never taken for "false".
func TestHalfDefaults(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"no defaults":       {"tools: {x: }", nil},
		"empty":             {"defaults: {}", append(slices.Clone(requiredEffects), "capabilities_required")},
		"capabilities only": {"defaults: {capabilities_required: []}", requiredEffects},
		"effects only":      {"defaults: {side_effects: " + effects("") + "}", []string{"capabilities_required"}},
		"one missing": {"defaults: {capabilities_required: [], side_effects: " +
			strings.Replace(effects(""), "executes_code: false, ", "", 1) + "}", []string{"executes_code"}},
		"endpoints": {"defaults: {capabilities_required: [], side_effects: " +
			strings.Replace(effects(""), "network_egress: false", "network_egress: true", 1) + "}", []string{"network_endpoints"}},
		"no endpoint": {"defaults: {capabilities_required: [], side_effects: " +
			strings.Replace(effects(", network_endpoints: []"), "network_egress: false", "network_egress: true", 1) + "}", []string{"network_endpoints"}},
	} {
		t.Run(name, func(t *testing.T) {
			want := Widest()
			want.Missing = c.want
			if diff := cmp.Diff(want, mustParse(t, c.in).Declaration("x")); diff != "" {
				t.Error(diff)
			}
		})
	}

	// A tool may complete what defaults leave open.
	f := mustParse(t, "defaults: {side_effects: {reads: [], writes: [], network_egress: true, executes_code: false, accesses_env_vars: false, spawns_processes: false}}\n"+
		"tools: {a: {side_effects: {network_endpoints: ['*'], modifies_system_state: false, persists_data: false}, capabilities_required: []}}")
	if d := f.Declaration("a"); d.Origin != Own || !d.SideEffects.NetworkEgress {
		t.Errorf("got %+v", d)
	}
	if d := f.Declaration("b"); d.Origin != Undeclared {
		t.Errorf("b: origin %s", d.Origin)
	}
}

// TestEveryMemberIsRequired leaves out each member that MIS §11.2 requires.
func TestEveryMemberIsRequired(t *testing.T) {
	for _, member := range requiredEffects {
		in := effects("")
		at := strings.Index(in, member+":")
		end := at + strings.Index(in[at:], ", ") + 2
		if end < at+2 {
			end = len(in) - 1
		}
		_, err := Parse([]byte("tools:\n  a: {capabilities_required: [], side_effects: " + in[:at] + in[end:] + "}\n"))
		want := "mcp-integrity.yaml:2:3: tools.a.side_effects: lacks " + member + ": neither the tool nor defaults says it, and silence is not false"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestOriginString(t *testing.T) {
	for o, want := range map[Origin]string{Undeclared: "undeclared", Defaults: "defaults", Own: "own"} {
		if o.String() != want {
			t.Errorf("got %s, want %s", o, want)
		}
	}
}

// TestSchemaIsTheModel: file, schema and manifest have one set of names.
func TestSchemaIsTheModel(t *testing.T) {
	var document struct {
		ID   string `json:"$id"`
		Defs map[string]struct {
			Properties map[string]any
			AnyOf      []struct{ Enum []string }
		} `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &document); err != nil {
		t.Fatal(err)
	}
	if document.ID != SchemaID {
		t.Errorf("$id %s, want %s", document.ID, SchemaID)
	}
	for def, model := range map[string]reflect.Type{
		"side_effects": reflect.TypeFor[seal.SideEffects](),
		"capability":   reflect.TypeFor[seal.Capability](),
	} {
		var want []string
		for i := range model.NumField() {
			name, _, _ := strings.Cut(model.Field(i).Tag.Get("json"), ",")
			want = append(want, name)
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(document.Defs[def].Properties))); diff != "" {
			t.Errorf("%s: %s", def, diff)
		}
	}
	if diff := cmp.Diff(seal.Resources, document.Defs["resource"].AnyOf[0].Enum); diff != "" {
		t.Error(diff)
	}
	if _, err := Parse(nil); err != nil { // compiles it
		t.Error(err)
	}
	Schema()[0] = 'x'
	if schemaJSON[0] != '{' {
		t.Error("the caller of Schema holds the schema")
	}
}
