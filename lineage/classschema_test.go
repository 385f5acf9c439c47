package lineage

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lines returns the changes as text, one a line: weight, class, path, sentence.
func lines(changes []ClassChange) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%s %s %s: %s\n", c.Weight, c.Class, c.Path, c.Text)
	}
	return b.String()
}

// withSchemas returns a side of one tool that has the schema as its input, and
// one that has it as its output.
func withSchemas(t testing.TB, schema string) (input, output Side) {
	t.Helper()
	return Side{Tools: parseTools(t, `{"name":"t","inputSchema":`+schema+`}`)},
		Side{Tools: parseTools(t, `{"name":"t","inputSchema":{},"outputSchema":`+schema+`}`)}
}

// TestClassifySchemas has each class in both directions: from old to new and
// back, as an input and as an output schema.
func TestClassifySchemas(t *testing.T) {
	for _, c := range []struct {
		name, old, new                           string
		input, inputBack, output, outputBackward string
	}{
		{"an optional parameter", `{"properties":{"a":{}}}`, `{"properties":{"a":{},"b":{"type":"string"}}}`,
			`addition property-added /properties/b: adds the optional parameter "b"`,
			`breaking property-removed /properties/b: removes the parameter "b"`,
			`addition property-added /properties/b: adds the result's "b"`,
			`breaking property-removed /properties/b: removes the result's "b"`},
		{"a required parameter", `{}`, `{"properties":{"b":{}},"required":["b"]}`,
			`breaking required-added /properties/b: adds the required parameter "b"`,
			`breaking property-removed /properties/b: removes the parameter "b"`,
			`addition property-added /properties/b: adds the result's "b"
			 compatible required-added /required: promises the result's "b"`,
			`breaking property-removed /properties/b: removes the result's "b"`},
		{"a known parameter that is required", `{"properties":{"b":{}}}`, `{"properties":{"b":{}},"required":["b"]}`,
			`breaking required-added /required: requires the parameter "b"`,
			`addition required-removed /required: no longer requires the parameter "b"`,
			`compatible required-added /required: promises the result's "b"`,
			`breaking required-removed /required: no longer promises the result's "b"`},
		{"a name that is required and not declared", `{}`, `{"required":["b"]}`,
			`breaking required-added /required: requires the parameter "b"`,
			`addition required-removed /required: no longer requires the parameter "b"`,
			`compatible required-added /required: promises the result's "b"`,
			`breaking required-removed /required: no longer promises the result's "b"`},
		{"a new member of a closed object",
			`{"properties":{"a":{}},"additionalProperties":false}`, `{"properties":{"a":{},"b":{}},"additionalProperties":false}`,
			`addition property-added /properties/b: adds the optional parameter "b"`,
			`breaking property-removed /properties/b: removes the parameter "b"`,
			`breaking property-added /properties/b: adds the result's "b"`,
			`breaking property-removed /properties/b: removes the result's "b"`},
		{"a member of what could hold anything", `{"properties":{"o":{"type":"object"}}}`, `{"properties":{"o":{"type":"object","properties":{"b":{"type":"string"}}}}}`,
			`breaking constraint-tighter /properties/o/properties/b: constrains the parameter "o.b", which could be anything`,
			`breaking property-removed /properties/o/properties/b: removes the parameter "o.b"`,
			`addition property-added /properties/o/properties/b: adds the result's "o.b"`,
			`breaking property-removed /properties/o/properties/b: removes the result's "o.b"`},
		{"a known parameter at one more place", `{"properties":{"b":{}},"allOf":[{"minProperties":1},{}]}`, `{"properties":{"b":{}},"allOf":[{"minProperties":1},{"properties":{"b":{"type":"string"}}}]}`,
			`breaking constraint-tighter /allOf/1/properties/b: constrains the parameter "b" at one more place`,
			`breaking property-removed /allOf/1/properties/b: removes the parameter "b"`,
			`addition property-added /allOf/1/properties/b: adds the result's "b"`,
			`breaking property-removed /allOf/1/properties/b: removes the result's "b"`},
		{"a name for one of the other members", `{"additionalProperties":{"type":"string"}}`, `{"additionalProperties":{"type":"string"},"properties":{"b":{"type":"number"}}}`,
			`breaking type-changed /properties/b/type: changes the type of the parameter "b" from string to number
			 addition property-added /properties/b: adds the optional parameter "b"`,
			`breaking property-removed /properties/b: removes the parameter "b"`,
			`breaking type-changed /properties/b/type: changes the type of the result's "b" from string to number
			 addition property-added /properties/b: adds the result's "b"`,
			`breaking property-removed /properties/b: removes the result's "b"`},
		{"a member that is forbidden", `{}`, `{"properties":{"a":false}}`,
			`breaking constraint-tighter /properties/a: forbids the parameter "a"`,
			`addition constraint-looser /properties/a: no longer forbids the parameter "a"`,
			`compatible constraint-tighter /properties/a: forbids the result's "a"`,
			`breaking constraint-looser /properties/a: no longer forbids the result's "a"`},
		{"a member that is forbidden, of those that were there", `{"properties":{"a":{}}}`, `{"properties":{"a":false}}`,
			`breaking constraint-tighter /properties/a: forbids the parameter "a"`,
			`addition constraint-looser /properties/a: allows the parameter "a", which was forbidden`,
			`compatible constraint-tighter /properties/a: forbids the result's "a"`,
			`breaking constraint-looser /properties/a: allows the result's "a", which was forbidden`},
		{"other members", `{}`, `{"additionalProperties":false}`,
			`breaking additional-closed /additionalProperties: no longer allows other members in the arguments`,
			`addition additional-opened /additionalProperties: allows other members in the arguments`,
			`compatible additional-closed /additionalProperties: no longer allows other members in the result`,
			`breaking additional-opened /additionalProperties: allows other members in the result`},
		{"other members by their schema", `{"additionalProperties":{"type":"number"}}`, `{"additionalProperties":{"type":"integer"}}`,
			`breaking type-narrowed /additionalProperties/type: narrows the type of the parameter "*" from number to integer`,
			`addition type-widened /additionalProperties/type: widens the type of the parameter "*" from integer to number`,
			`compatible type-narrowed /additionalProperties/type: narrows the type of the result's "*" from number to integer`,
			`breaking type-widened /additionalProperties/type: widens the type of the result's "*" from integer to number`},
		{"a type", `{"properties":{"a":{"properties":{"b":{"type":["string","null"]}}}}}`, `{"properties":{"a":{"properties":{"b":{"type":"string"}}}}}`,
			`breaking type-narrowed /properties/a/properties/b/type: narrows the type of the parameter "a.b" from null or string to string`,
			`addition type-widened /properties/a/properties/b/type: widens the type of the parameter "a.b" from string to null or string`,
			`compatible type-narrowed /properties/a/properties/b/type: narrows the type of the result's "a.b" from null or string to string`,
			`breaking type-widened /properties/a/properties/b/type: widens the type of the result's "a.b" from string to null or string`},
		{"arguments are an object", `{}`, `{"type":"object"}`,
			`compatible schema-rewritten : writes the input schema in other words`,
			`compatible schema-rewritten : writes the input schema in other words`,
			`compatible type-narrowed /type: narrows the type of the result from any to object`,
			`breaking type-widened /type: widens the type of the result from object to any`},
		{"arguments are an object, and a part of them is not", `{"allOf":[{"minLength":1},{}]}`, `{"allOf":[{"minLength":1},{"type":"object"}]}`,
			`breaking type-narrowed /allOf/1/type: narrows the type of the arguments from any to object`,
			`addition type-widened /allOf/1/type: widens the type of the arguments from object to any`,
			`compatible type-narrowed /allOf/1/type: narrows the type of the result from any to object`,
			`breaking type-widened /allOf/1/type: widens the type of the result from object to any`},
		{"a type where there was none", `{"items":{}}`, `{"items":{"type":"array"}}`,
			`breaking type-narrowed /items/type: narrows the type of the parameter "[]" from any to array`,
			`addition type-widened /items/type: widens the type of the parameter "[]" from array to any`,
			`compatible type-narrowed /items/type: narrows the type of the result's "[]" from any to array`,
			`breaking type-widened /items/type: widens the type of the result's "[]" from array to any`},
		{"another type", `{"type":"string"}`, `{"type":"integer"}`,
			`breaking type-changed /type: changes the type of the arguments from string to integer`,
			`breaking type-changed /type: changes the type of the arguments from integer to string`,
			`breaking type-changed /type: changes the type of the result from string to integer`,
			`breaking type-changed /type: changes the type of the result from integer to string`},
		{"a listed value", `{"enum":["a"]}`, `{"enum":["a","b",3]}`,
			`addition value-added /enum: allows "b" and 3 as the arguments`,
			`breaking value-removed /enum: no longer allows "b" and 3 as the arguments`,
			`breaking value-added /enum: allows "b" and 3 as the result`,
			`compatible value-removed /enum: no longer allows "b" and 3 as the result`},
		{"a list of values", `{"type":"string"}`, `{"type":"string","enum":["a","b"]}`,
			`breaking constraint-tighter /enum: limits the arguments to "a" and "b"`,
			`addition constraint-looser /enum: no longer limits the arguments to "a" and "b"`,
			`compatible constraint-tighter /enum: limits the result to "a" and "b"`,
			`breaking constraint-looser /enum: no longer limits the result to "a" and "b"`},
		{"a constant", `{"const":1}`, `{"const":2}`,
			`breaking value-removed /const: no longer allows 1 as the arguments
			 addition value-added /const: allows 2 as the arguments`,
			`breaking value-removed /const: no longer allows 2 as the arguments
			 addition value-added /const: allows 1 as the arguments`,
			`breaking value-added /const: allows 2 as the result
			 compatible value-removed /const: no longer allows 1 as the result`,
			`breaking value-added /const: allows 1 as the result
			 compatible value-removed /const: no longer allows 2 as the result`},
		{"a constant of a list", `{"enum":["a","b"]}`, `{"const":"a"}`,
			`breaking value-removed /const: no longer allows "b" as the arguments`,
			`addition value-added /enum: allows "b" as the arguments`,
			`compatible value-removed /const: no longer allows "b" as the result`,
			`breaking value-added /enum: allows "b" as the result`},
		{"a default", `{"properties":{"a":{}}}`, `{"properties":{"a":{"default":10}}}`,
			`addition default-added /properties/a/default: gives the parameter "a" the default 10`,
			`breaking default-removed /properties/a/default: takes the default 10 from the parameter "a"`,
			`addition default-added /properties/a/default: gives the result's "a" the default 10`,
			`breaking default-removed /properties/a/default: takes the default 10 from the result's "a"`},
		{"another default", `{"properties":{"a":{"default":true}}}`, `{"properties":{"a":{"default":false}}}`,
			`breaking default-changed /properties/a/default: changes the default of the parameter "a" from true to false`,
			`breaking default-changed /properties/a/default: changes the default of the parameter "a" from false to true`,
			`breaking default-changed /properties/a/default: changes the default of the result's "a" from true to false`,
			`breaking default-changed /properties/a/default: changes the default of the result's "a" from false to true`},
		{"a pattern", `{}`, `{"pattern":"^a"}`,
			`breaking constraint-tighter /pattern: sets pattern of the arguments to "^a"`,
			`addition constraint-looser /pattern: lifts pattern "^a" from the arguments`,
			`compatible constraint-tighter /pattern: sets pattern of the result to "^a"`,
			`breaking constraint-looser /pattern: lifts pattern "^a" from the result`},
		{"another pattern", `{"pattern":"^a"}`, `{"pattern":"^b"}`,
			`breaking constraint-changed /pattern: changes pattern of the arguments from "^a" to "^b"`,
			`breaking constraint-changed /pattern: changes pattern of the arguments from "^b" to "^a"`,
			`breaking constraint-changed /pattern: changes pattern of the result from "^a" to "^b"`,
			`breaking constraint-changed /pattern: changes pattern of the result from "^b" to "^a"`},
		{"a format", `{"format":"uri"}`, `{"format":"email"}`,
			`breaking constraint-changed /format: changes format of the arguments from "uri" to "email"`,
			`breaking constraint-changed /format: changes format of the arguments from "email" to "uri"`,
			`breaking constraint-changed /format: changes format of the result from "uri" to "email"`,
			`breaking constraint-changed /format: changes format of the result from "email" to "uri"`},
		{"a step", `{"multipleOf":2}`, `{"multipleOf":6}`,
			`breaking constraint-tighter /multipleOf: tightens multipleOf of the arguments from 2 to 6`,
			`addition constraint-looser /multipleOf: loosens multipleOf of the arguments from 6 to 2`,
			`compatible constraint-tighter /multipleOf: tightens multipleOf of the result from 2 to 6`,
			`breaking constraint-looser /multipleOf: loosens multipleOf of the result from 6 to 2`},
		{"another step", `{"multipleOf":4}`, `{"multipleOf":6}`,
			`breaking constraint-changed /multipleOf: changes multipleOf of the arguments from 4 to 6`,
			`breaking constraint-changed /multipleOf: changes multipleOf of the arguments from 6 to 4`,
			`breaking constraint-changed /multipleOf: changes multipleOf of the result from 4 to 6`,
			`breaking constraint-changed /multipleOf: changes multipleOf of the result from 6 to 4`},
		{"unique elements", `{"uniqueItems":false}`, `{"uniqueItems":true}`,
			`breaking constraint-tighter /uniqueItems: sets uniqueItems of the arguments to true`,
			`addition constraint-looser /uniqueItems: lifts uniqueItems true from the arguments`,
			`compatible constraint-tighter /uniqueItems: sets uniqueItems of the result to true`,
			`breaking constraint-looser /uniqueItems: lifts uniqueItems true from the result`},
		{"an alternative", `{"anyOf":[{"type":"string"}, {"type":"null"}]}`, `{"anyOf":[{"type":"null"},{"type":"integer"},{"type":"string"}]}`,
			`addition alternative-added /anyOf/1: adds an alternative to the arguments, integer`,
			`breaking alternative-removed /anyOf/1: removes an alternative of the arguments, integer`,
			`breaking alternative-added /anyOf/1: adds an alternative to the result, integer`,
			`compatible alternative-removed /anyOf/1: removes an alternative of the result, integer`},
		{"an alternative of one", `{"oneOf":[{"type":"null"},{"type":"string","maxLength":1}]}`, `{"oneOf":[{"type":"string","maxLength":2},{"type":"null"}]}`,
			`addition constraint-looser /oneOf/0/maxLength: loosens maxLength of the arguments from 1 to 2`,
			`breaking constraint-tighter /oneOf/1/maxLength: tightens maxLength of the arguments from 2 to 1`,
			`breaking constraint-looser /oneOf/0/maxLength: loosens maxLength of the result from 1 to 2`,
			`compatible constraint-tighter /oneOf/1/maxLength: tightens maxLength of the result from 2 to 1`},
		{"alternatives under another keyword", `{"anyOf":[{"type":"string"},{"type":"integer"}]}`, `{"oneOf":[{"type":"integer"},{"type":"string"},{"type":"null"}]}`,
			`addition alternative-added /oneOf/2: adds an alternative to the arguments, null`,
			`breaking alternative-removed /oneOf/2: removes an alternative of the arguments, null`,
			`breaking alternative-added /oneOf/2: adds an alternative to the result, null`,
			`compatible alternative-removed /oneOf/2: removes an alternative of the result, null`},
		{"tagged alternatives",
			`{"oneOf":[{"type":"object","properties":{"k":{"const":"a"}},"required":["k"]},{"properties":{"k":{"enum":["b","c"]},"n":{"maximum":1}},"required":["k"]}]}`,
			`{"oneOf":[{"type":"object","properties":{"k":{"const":"a"}},"required":["k"]},{"properties":{"k":{"enum":["b","c"]},"n":{"maximum":2}},"required":["k"]}]}`,
			`addition constraint-looser /oneOf/1/properties/n/maximum: loosens maximum of the parameter "n" from 1 to 2`,
			`breaking constraint-tighter /oneOf/1/properties/n/maximum: tightens maximum of the parameter "n" from 2 to 1`,
			`breaking constraint-looser /oneOf/1/properties/n/maximum: loosens maximum of the result's "n" from 1 to 2`,
			`compatible constraint-tighter /oneOf/1/properties/n/maximum: tightens maximum of the result's "n" from 2 to 1`},
		{"alternatives where there were none", `{"type":"string","maxLength":2}`, `{"type":"string","anyOf":[{"minLength":1},{"pattern":"x"}],"maxLength":2}`,
			`breaking constraint-tighter /anyOf: sets anyOf of the arguments`,
			`addition constraint-looser /anyOf: lifts anyOf from the arguments`,
			`compatible constraint-tighter /anyOf: sets anyOf of the result`,
			`breaking constraint-looser /anyOf: lifts anyOf from the result`},
		{"alternatives where there was anything", `{"description":"x"}`, `{"description":"x","anyOf":[{"type":"string"},{"type":"null"}]}`,
			`breaking constraint-tighter /anyOf: sets anyOf of the arguments`,
			`addition constraint-looser /anyOf: lifts anyOf from the arguments`,
			`compatible constraint-tighter /anyOf: sets anyOf of the result`,
			`breaking constraint-looser /anyOf: lifts anyOf from the result`},
		{"null besides", `{"type":"string","title":"A"}`, `{"anyOf":[{"type":"string"},{"type":"null"}],"title":"A"}`,
			`addition alternative-added /anyOf/1: adds an alternative to the arguments, null`,
			`breaking alternative-removed /anyOf/1: removes an alternative of the arguments, null`,
			`breaking alternative-added /anyOf/1: adds an alternative to the result, null`,
			`compatible alternative-removed /anyOf/1: removes an alternative of the result, null`},
		{"alternatives in a circle", `{"$defs":{"A":{"anyOf":[{"$ref":"#/$defs/A"},{"type":"string"}]}},"$ref":"#/$defs/A"}`, `{"$defs":{"A":{"anyOf":[{"$ref":"#/$defs/A"},{"type":"string"}]}},"type":"number"}`,
			`breaking alternative-removed /$defs/A/anyOf/0: removes an alternative of the arguments
			 breaking alternative-removed /$defs/A/anyOf/1: removes an alternative of the arguments, string
			 addition alternative-added : adds an alternative to the arguments, number`,
			`breaking alternative-removed : removes an alternative of the arguments, number
			 addition alternative-added /$defs/A/anyOf/0: adds an alternative to the arguments
			 addition alternative-added /$defs/A/anyOf/1: adds an alternative to the arguments, string`,
			`breaking alternative-added : adds an alternative to the result, number
			 compatible alternative-removed /$defs/A/anyOf/0: removes an alternative of the result
			 compatible alternative-removed /$defs/A/anyOf/1: removes an alternative of the result, string`,
			`breaking alternative-added /$defs/A/anyOf/0: adds an alternative to the result
			 breaking alternative-added /$defs/A/anyOf/1: adds an alternative to the result, string
			 compatible alternative-removed : removes an alternative of the result, number`},
		{"one part more", `{"allOf":[{"minLength":1},{"maxLength":5}]}`, `{"allOf":[{"minLength":1},{"maxLength":5},{"pattern":"x"}]}`,
			`breaking constraint-tighter /allOf/2: adds a part to the arguments`,
			`addition constraint-looser /allOf/2: removes a part of the arguments`,
			`compatible constraint-tighter /allOf/2: adds a part to the result`,
			`breaking constraint-looser /allOf/2: removes a part of the result`},
		{"allOf where there was none", `{"minLength":1}`, `{"minLength":1,"allOf":[{"maxLength":5}]}`,
			`breaking constraint-tighter /allOf: sets allOf of the arguments`,
			`addition constraint-looser /allOf: lifts allOf from the arguments`,
			`compatible constraint-tighter /allOf: sets allOf of the result`,
			`breaking constraint-looser /allOf: lifts allOf from the result`},
		{"names of members", `{"propertyNames":{"maxLength":5}}`, `{"propertyNames":{"maxLength":4}}`,
			`breaking constraint-tighter /propertyNames/maxLength: tightens maxLength of the parameter "(names)" from 5 to 4`,
			`addition constraint-looser /propertyNames/maxLength: loosens maxLength of the parameter "(names)" from 4 to 5`,
			`compatible constraint-tighter /propertyNames/maxLength: tightens maxLength of the result's "(names)" from 5 to 4`,
			`breaking constraint-looser /propertyNames/maxLength: loosens maxLength of the result's "(names)" from 4 to 5`},
		{"members by pattern", `{"patternProperties":{"^x":{"type":"number"}}}`, `{"patternProperties":{"^x":{"type":"integer"}}}`,
			`breaking type-narrowed /patternProperties/^x/type: narrows the type of the parameter "*" from number to integer`,
			`addition type-widened /patternProperties/^x/type: widens the type of the parameter "*" from integer to number`,
			`compatible type-narrowed /patternProperties/^x/type: narrows the type of the result's "*" from number to integer`,
			`breaking type-widened /patternProperties/^x/type: widens the type of the result's "*" from integer to number`},
		{"positions", `{"prefixItems":[{},{"maximum":2}]}`, `{"prefixItems":[{},{"maximum":1}]}`,
			`breaking constraint-tighter /prefixItems/1/maximum: tightens maximum of the parameter "[1]" from 2 to 1`,
			`addition constraint-looser /prefixItems/1/maximum: loosens maximum of the parameter "[1]" from 1 to 2`,
			`compatible constraint-tighter /prefixItems/1/maximum: tightens maximum of the result's "[1]" from 2 to 1`,
			`breaking constraint-looser /prefixItems/1/maximum: loosens maximum of the result's "[1]" from 1 to 2`},
		{"a definition", `{"$defs":{"M":{"enum":["a"]}},"properties":{"m":{"$ref":"#/$defs/M"},"n":{"$ref":"#/$defs/M"}}}`,
			`{"$defs":{"M":{"enum":["a","b"]}},"properties":{"m":{"$ref":"#/$defs/M"},"n":{"$ref":"#/$defs/M"}}}`,
			`addition value-added /$defs/M/enum: allows "b" as the parameter "m"`,
			`breaking value-removed /$defs/M/enum: no longer allows "b" as the parameter "m"`,
			`breaking value-added /$defs/M/enum: allows "b" as the result's "m"`,
			`compatible value-removed /$defs/M/enum: no longer allows "b" as the result's "m"`},
		{"a definition that refers to itself",
			`{"$ref":"#/definitions/a~1b%20c","definitions":{"a/b c":{"properties":{"next":{"$ref":"#/definitions/a~1b%20c"},"n":{"type":"integer"}}}}}`,
			`{"$ref":"#/definitions/a~1b%20c","definitions":{"a/b c":{"properties":{"next":{"$ref":"#/definitions/a~1b%20c"},"n":{"type":"number"}}}}}`,
			`addition type-widened /definitions/a~1b c/properties/n/type: widens the type of the parameter "n" from integer to number`,
			`breaking type-narrowed /definitions/a~1b c/properties/n/type: narrows the type of the parameter "n" from number to integer`,
			`breaking type-widened /definitions/a~1b c/properties/n/type: widens the type of the result's "n" from integer to number`,
			`compatible type-narrowed /definitions/a~1b c/properties/n/type: narrows the type of the result's "n" from number to integer`},
		{"a circle on one side", `{"$defs":{"A":{"type":"object","additionalProperties":{"$ref":"#/$defs/A"}}},"$ref":"#/$defs/A"}`, `{"type":"object"}`,
			`addition type-widened /$defs/A/type: widens the type of the parameter "*" from object to any`,
			`breaking type-narrowed /$defs/A/type: narrows the type of the parameter "*" from any to object`,
			`breaking type-widened /$defs/A/type: widens the type of the result's "*" from object to any`,
			`compatible type-narrowed /$defs/A/type: narrows the type of the result's "*" from any to object`},
		{"a reference beside a constraint", `{"$defs":{"A":{"maxLength":2}},"$ref":"#/$defs/A","minLength":1}`, `{"$defs":{"A":{"maxLength":3}},"$ref":"#/$defs/A","minLength":1}`,
			`addition constraint-looser /$defs/A/maxLength: loosens maxLength of the arguments from 2 to 3`,
			`breaking constraint-tighter /$defs/A/maxLength: tightens maxLength of the arguments from 3 to 2`,
			`breaking constraint-looser /$defs/A/maxLength: loosens maxLength of the result from 2 to 3`,
			`compatible constraint-tighter /$defs/A/maxLength: tightens maxLength of the result from 3 to 2`},
		{"a description inside", `{"properties":{"a":{"title":"A"}}}`, `{"properties":{"a":{"title":"B","description":"Ignore all."}}}`,
			`wording schema-wording /properties/a/description: adds the description of the parameter "a"
			 wording schema-wording /properties/a/title: changes the title of the parameter "a"`,
			`wording schema-wording /properties/a/description: removes the description of the parameter "a"
			 wording schema-wording /properties/a/title: changes the title of the parameter "a"`,
			`wording schema-wording /properties/a/description: adds the description of the result's "a"
			 wording schema-wording /properties/a/title: changes the title of the result's "a"`,
			`wording schema-wording /properties/a/description: removes the description of the result's "a"
			 wording schema-wording /properties/a/title: changes the title of the result's "a"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			inOld, outOld := withSchemas(t, c.old)
			inNew, outNew := withSchemas(t, c.new)
			for _, d := range []struct {
				name     string
				old, new Side
				want     string
			}{
				{"input", inOld, inNew, c.input}, {"input, backwards", inNew, inOld, c.inputBack},
				{"output", outOld, outNew, c.output}, {"output, backwards", outNew, outOld, c.outputBackward},
			} {
				want := strings.ReplaceAll(d.want, "\t", "")
				want = strings.ReplaceAll(want, "\n ", "\n") + "\n"
				if diff := cmp.Diff(want, lines(Classify(d.old, d.new).Changes)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", d.name, diff)
				}
			}
		})
	}
}
