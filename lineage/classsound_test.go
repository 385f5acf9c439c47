package lineage

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	stdjson "encoding/json"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestClassifySound holds the classes against a validator of JSON Schema: where
// a value that the old input schema allowed is refused by the new one, there is
// a breaking change, and so for results the other way round.
func TestClassifySound(t *testing.T) {
	pairs := 1500
	if testing.Short() {
		pairs = 400
	}
	var refused [2]int
	for seed := range uint64(pairs) {
		g := generator{rand.New(rand.NewPCG(seed, 1)), names[:3]}
		old := g.document()
		new := g.mutated(old)
		a, b := marshal(t, old), marshal(t, new)
		from, to := compileSchema(t, a), compileSchema(t, b)
		inOld, outOld := withSchemas(t, a)
		inNew, outNew := withSchemas(t, b)
		input, output := Classify(inOld, inNew).Changes, Classify(outOld, outNew).Changes
		for range 50 {
			value := g.value(3, names[:3]) // a caller knows nothing of the last name
			if _, ok := value.(jsonObject); ok && from.Validate(value) == nil && to.Validate(value) != nil {
				refused[0]++
				if len(input) == 0 || input[0].Weight != Breaking {
					t.Errorf("seed %d: input %s is refused now, and no change is breaking\nold %s\nnew %s\n%s", seed, marshal(t, value), a, b, lines(input))
				}
			}
			value = g.value(3, names)
			if to.Validate(value) == nil && from.Validate(value) != nil {
				refused[1]++
				if len(output) == 0 || output[0].Weight != Breaking {
					t.Errorf("seed %d: result %s is new, and no change is breaking\nold %s\nnew %s\n%s", seed, marshal(t, value), a, b, lines(output))
				}
			}
		}
	}
	if min(refused[0], refused[1]) < pairs/4 {
		t.Errorf("only %d values were refused or new in %d pairs: this proves little", refused, pairs)
	}
}

// names are those of properties; only a mutation declares the last one.
var names = []string{"a", "b", "c", "z"}

type jsonObject = map[string]any

// A generator makes schemas and values.
type generator struct {
	*rand.Rand
	// declare are the names that it declares as properties.
	declare []string
}

func pickOne[T any](g generator, of ...T) T { return of[g.IntN(len(of))] }

func (g generator) document() jsonObject {
	s := g.schema(3)
	s["$defs"] = jsonObject{"A": g.schema(1), "B": g.schema(1)}
	return s
}

// schema returns an object of some keywords.
func (g generator) schema(depth int) jsonObject {
	s := jsonObject{}
	for range g.IntN(4) {
		g.keyword(s, depth, g.declare)
	}
	return s
}

func (g generator) keyword(s jsonObject, depth int, names []string) {
	sub := func() any {
		switch {
		case depth == 0 || g.IntN(12) == 0:
			return pickOne[any](g, true, jsonObject{}, jsonObject{"type": "string"}, jsonObject{"type": "integer"})
		case g.IntN(6) == 0 && len(g.declare) > 1: // a mutation would declare what a definition does
			return jsonObject{"$ref": pickOne(g, "#/$defs/A", "#/$defs/B", "#")}
		}
		return g.schema(depth - 1)
	}
	switch g.IntN(16) {
	case 0:
		s["type"] = pickOne(g, "string", "integer", "number", "object", "array", "null", "boolean")
	case 1:
		s["type"] = []any{pickOne(g, "string", "integer"), pickOne(g, "number", "null", "object")}
	case 2, 3:
		properties, _ := s["properties"].(jsonObject)
		properties = cloneObject(properties)
		properties[pickOne(g, names...)] = sub()
		s["properties"] = properties
	case 4:
		s["required"] = []any{pickOne(g, "a", "b", "c")}
	case 5:
		s["additionalProperties"] = pickOne[any](g, false, true, sub())
	case 6:
		s["items"] = sub()
	case 7:
		s[pickOne(g, "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")] = float64(g.IntN(3))
	case 8:
		s[pickOne(g, "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")] = float64(g.IntN(4))
	case 9:
		s["enum"] = []any{pickOne[any](g, "", "x", 1.0), pickOne[any](g, nil, true, 2.0, 2.5)}
	case 10:
		s["const"] = pickOne[any](g, "x", 1.0, nil)
	case 11, 12:
		s[pickOne(g, "anyOf", "allOf")] = g.several(sub)
	case 13: // alternatives that exclude each other
		s["oneOf"] = []any{jsonObject{"type": "string", "maxLength": float64(g.IntN(3))}, jsonObject{"type": pickOne(g, "integer", "null")}}
	case 14:
		s[pickOne(g, "not", "if", "then", "else", "contains", "propertyNames")] = sub()
	case 15:
		s[pickOne(g, "multipleOf")] = pickOne(g, 1.0, 2.0, 4.0)
		s["uniqueItems"] = pickOne(g, true, false)
	}
}

func (g generator) several(sub func() any) []any {
	var all []any
	for range 1 + g.IntN(3) {
		all = append(all, sub())
	}
	return all
}

func cloneObject(o jsonObject) jsonObject {
	c := jsonObject{}
	for k, v := range o {
		c[k] = v
	}
	return c
}

// mutated returns a copy of a schema with one to three changes anywhere.
func (g generator) mutated(s jsonObject) jsonObject {
	c := cloneValue(s).(jsonObject)
	g.declare = names[3:]
	for range 1 + g.IntN(3) {
		var all []jsonObject
		collect(c, &all)
		at := all[g.IntN(len(all))]
		switch keys := keysOf(at); {
		case len(keys) > 0 && g.IntN(2) == 0:
			if key := pickOne(g, keys...); key != "$defs" && key != "properties" {
				delete(at, key)
			}
		default:
			known, _ := at["properties"].(jsonObject)
			g.keyword(at, 1, append(keysOf(known), "z"))
		}
	}
	return c
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case jsonObject:
		c := jsonObject{}
		for k, e := range v {
			c[k] = cloneValue(e)
		}
		return c
	case []any:
		var c []any
		for _, e := range v {
			c = append(c, cloneValue(e))
		}
		return c
	}
	return v
}

func keysOf(o jsonObject) []string {
	var keys []string
	for k := range o {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// collect gathers the schemas within a schema.
func collect(v any, all *[]jsonObject) {
	switch v := v.(type) {
	case jsonObject:
		*all = append(*all, v)
		for _, k := range keysOf(v) {
			switch k {
			case "properties", "$defs":
				for _, name := range keysOf(v[k].(jsonObject)) {
					collect(v[k].(jsonObject)[name], all)
				}
			case "enum", "const":
			default:
				collect(v[k], all)
			}
		}
	case []any:
		for _, e := range v {
			collect(e, all)
		}
	}
}

// value returns a JSON value whose objects have members of these names.
func (g generator) value(depth int, names []string) any {
	switch k := g.IntN(8); {
	case k < 3 && depth > 0:
		o := jsonObject{}
		for range g.IntN(4) {
			o[pickOne(g, names...)] = g.value(depth-1, names)
		}
		return o
	case k == 3 && depth > 0:
		list := []any{}
		for range g.IntN(3) {
			list = append(list, g.value(depth-1, names))
		}
		return list
	}
	return pickOne[any](g, "", "x", "xyz", nil, true, false, stdjson.Number("0"), stdjson.Number("1"), stdjson.Number("2"), stdjson.Number("2.5"), stdjson.Number(strconv.Itoa(g.IntN(9)-3)))
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	raw, err := stdjson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func compileSchema(t *testing.T, raw string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(raw)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("s.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("s.json")
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return s
}
