package lineage

import (
	"slices"
	"strings"
	"testing"
)

// TestClassifyBounds has each numeric keyword: tighter and looser, set and
// lifted, at zero, and as something that is no number.
func TestClassifyBounds(t *testing.T) {
	for _, keyword := range []string{"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties",
		"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"} {
		small, large := ConstraintTighter, ConstraintLooser
		if strings.Contains(strings.ToLower(keyword), "min") {
			small, large = large, small
		}
		for _, c := range []struct {
			old, new string
			want     Class
		}{
			{`{"` + keyword + `":2}`, `{"` + keyword + `":1}`, small},
			{`{"` + keyword + `":1}`, `{"` + keyword + `":2}`, large},
			{`{"` + keyword + `":9}`, `{"` + keyword + `":10}`, large},
			{`{}`, `{"` + keyword + `":1}`, ConstraintTighter},
			{`{"` + keyword + `":1}`, `{}`, ConstraintLooser},
			{`{}`, `{"` + keyword + `":true}`, SchemaChanged},
			{`{"` + keyword + `":"1"}`, `{"` + keyword + `":1}`, SchemaChanged},
		} {
			old, _ := withSchemas(t, c.old)
			new, _ := withSchemas(t, c.new)
			if got := Classify(old, new).Changes; len(got) != 1 || got[0].Class != c.want || got[0].Path != "/"+keyword {
				t.Errorf("%s to %s: got %s want %s", c.old, c.new, lines(got), c.want)
			}
		}
	}
}

// TestClassifyNotUnderstood: what is not understood counts as breaking, in both
// directions and both schemas.
func TestClassifyNotUnderstood(t *testing.T) {
	for name, c := range map[string]struct{ old, new, path string }{
		"an unknown keyword":                    {`{}`, `{"x-secret":1}`, "/x-secret"},
		"not":                                   {`{}`, `{"not":{"required":["a"]}}`, "/not"},
		"a condition":                           {`{"if":{"type":"string"},"then":{"minLength":1}}`, `{"if":{"type":"string"},"then":{"minLength":2}}`, "/then"},
		"a condition with a changed definition": {`{"$defs":{"A":{"type":"string"}},"if":{"$ref":"#/$defs/A"}}`, `{"$defs":{"A":{"type":"number"}},"if":{"$ref":"#/$defs/A"}}`, "/if"},
		"alternatives with tags that are not required": {
			`{"oneOf":[{"type":"object","properties":{"k":{"const":"a"}},"required":["k"]},{"type":"object","properties":{"k":{"const":"b"}},"minProperties":1}]}`,
			`{"oneOf":[{"type":"object","properties":{"k":{"const":"a"}},"required":["k"]},{"type":"object","properties":{"k":{"const":"b"}},"minProperties":2}]}`, "/oneOf"},
		"alternatives with tags, not only of objects": {
			`{"oneOf":[{"properties":{"k":{"const":"a"}},"required":["k"]},{"properties":{"k":{"const":"b"}},"required":["k"],"maxLength":1}]}`,
			`{"oneOf":[{"properties":{"k":{"const":"a"}},"required":["k"]},{"properties":{"k":{"const":"b"}},"required":["k"],"maxLength":2}]}`, "/oneOf"},
		"alternatives with tags in common": {
			`{"oneOf":[{"type":"object","properties":{"k":{"enum":["a","b"]}},"required":["k"]},{"type":"object","properties":{"k":{"enum":["b","c"]}},"required":["k"],"minProperties":1}]}`,
			`{"oneOf":[{"type":"object","properties":{"k":{"enum":["a","b"]}},"required":["k"]},{"type":"object","properties":{"k":{"enum":["b","c"]}},"required":["k"],"minProperties":2}]}`, "/oneOf"},
		"an integer is a number, too":                            {`{"oneOf":[{"type":"integer"},{"type":"number","minimum":1}]}`, `{"oneOf":[{"type":"integer"},{"type":"number","minimum":2}]}`, "/oneOf"},
		"additionalProperties that are no schema":                {`{"additionalProperties":"x"}`, `{}`, "/additionalProperties"},
		"additionalProperties that are no schema, and forbidden": {`{"additionalProperties":"x"}`, `{"additionalProperties":false}`, "/additionalProperties"},
		"anyOf as oneOf that overlaps":                           {`{"anyOf":[{"minLength":1},{"maxLength":2}]}`, `{"oneOf":[{"minLength":1},{"maxLength":2}]}`, "/oneOf"},
		"alternatives that do not exclude each other":            {`{"oneOf":[{"title":"A","type":"string"},{"maxLength":5,"minLength":3}]}`, `{"oneOf":[{"title":"A","type":"string"},{"maxLength":4,"minLength":3}]}`, "/oneOf"},
		"contains":                        {`{"contains":{"type":"string"}}`, `{"contains":{"type":"number"}}`, "/contains"},
		"a pattern of members":            {`{"patternProperties":{}}`, `{"patternProperties":{"^x":{}}}`, "/patternProperties/^x"},
		"patternProperties":               {`{}`, `{"patternProperties":{"^x":{}}}`, "/patternProperties"},
		"a longer tuple":                  {`{"prefixItems":[{}]}`, `{"prefixItems":[{},{}]}`, "/prefixItems"},
		"items as a tuple":                {`{"items":{}}`, `{"items":[{}]}`, "/items"},
		"a type that is none":             {`{"type":"string"}`, `{"type":3}`, "/type"},
		"required of draft 3":             {`{"properties":{"a":{"type":"string"}}}`, `{"properties":{"a":{"type":"string","required":true}}}`, "/properties/a/required"},
		"an enum that is none":            {`{"enum":["a"]}`, `{"enum":{"a":1}}`, "/enum"},
		"allOf that is none":              {`{"allOf":[{},{}]}`, `{"allOf":{}}`, "/allOf"},
		"another remote schema":           {`{"$ref":"https://a.example/x"}`, `{"$ref":"https://b.example/x"}`, "/$ref"},
		"a reference to nowhere":          {`{"$ref":"#/$defs/A"}`, `{"$ref":"#/$defs/B"}`, "/$ref"},
		"a reference beside a constraint": {`{"$defs":{"A":{}},"minLength":1}`, `{"$defs":{"A":{}},"$ref":"#/$defs/A","minLength":1}`, "/$ref"},
		"a definition under an anchor": {`{"$defs":{"A":{"$anchor":"a","type":"string"}},"properties":{"a":{"$ref":"#a"}}}`,
			`{"$defs":{"A":{"$anchor":"a","type":"number"}},"properties":{"a":{"$ref":"#a"}}}`, "/$defs"},
		"another dialect": {`{"$schema":"http://json-schema.org/draft-07/schema#"}`, `{"$schema":"https://example.com/mine"}`, "/$schema"},
		"a dialect that reads references in another way": {
			`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"$ref":"#/definitions/A","minLength":1}},"definitions":{"A":{}}}`,
			`{"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{"a":{"$ref":"#/definitions/A","minLength":1}},"definitions":{"A":{}}}`, "/$schema"},
		"no schema": {`{"properties":{"a":{}}}`, `{"properties":{"a":"string"}}`, "/properties/a"},
	} {
		for _, d := range []struct{ old, new string }{{c.old, c.new}, {c.new, c.old}} {
			inOld, outOld := withSchemas(t, d.old)
			inNew, outNew := withSchemas(t, d.new)
			for _, got := range [][]ClassChange{Classify(inOld, inNew).Changes, Classify(outOld, outNew).Changes} {
				if !slices.ContainsFunc(got, func(got ClassChange) bool {
					return got.Class == SchemaChanged && got.Weight == Breaking && got.Path == c.path
				}) {
					t.Errorf("%s: %s to %s: got\n%swant a breaking change of %s", name, d.old, d.new, lines(got), c.path)
				}
			}
		}
	}
}

// TestClassifyRewritten: other words for the same set of values are one
// compatible change, since the digest differs.
func TestClassifyRewritten(t *testing.T) {
	for name, c := range map[string]struct{ old, new string }{
		"order of required":                 {`{"required":["a","b"]}`, `{"required":["b","a"]}`},
		"order of enum":                     {`{"enum":["a","b"]}`, `{"enum":["b","a"]}`},
		"order of alternatives":             {`{"anyOf":[{"type":"string"},{"maxLength":2}]}`, `{"anyOf":[{"maxLength":2},{"type":"string"}]}`},
		"a constant as an enum":             {`{"const":"a"}`, `{"enum":["a"]}`},
		"the type of a constant":            {`{"const":"a"}`, `{"const":"a","type":"string"}`},
		"a type as a list":                  {`{"type":"string"}`, `{"type":["string"]}`},
		"an integer is a number":            {`{"type":["integer","number"]}`, `{"type":"number"}`},
		"types as alternatives":             {`{"type":["string","null"]}`, `{"anyOf":[{"type":"null"},{"type":"string"}]}`},
		"anyOf as oneOf":                    {`{"anyOf":[{"type":"string"},{"maxLength":1,"type":"array"}]}`, `{"oneOf":[{"type":"string"},{"maxLength":1,"type":"array"}]}`},
		"an alternative alone":              {`{"type":"string","title":"T"}`, `{"anyOf":[{"type":"string"}],"title":"T"}`},
		"a definition put in":               {`{"$defs":{"A":{"type":"string","title":"X"}},"properties":{"a":{"$ref":"#/$defs/A","title":"T"}}}`, `{"properties":{"a":{"type":"string","title":"T"}}}`},
		"a definition in a part":            {`{"$defs":{"A":{"type":"string"}},"allOf":[{"$ref":"#/$defs/A"}]}`, `{"$defs":{"A":{"type":"string"}},"$ref":"#/$defs/A"}`},
		"another name of one":               {`{"$defs":{"A":{"type":"string"}},"$ref":"#/$defs/A"}`, `{"$defs":{"B":{"type":"string"}},"$ref":"#/$defs/B"}`},
		"an unused definition":              {`{"$defs":{"A":{}}}`, `{"$defs":{"A":{"type":"string"}}}`},
		"a remote schema that stays":        {`{"properties":{"a":{"$ref":"https://a.example/x"}},"required":["a","b"]}`, `{"properties":{"a":{"$ref":"https://a.example/x"}},"required":["b","a"]}`},
		"a reference to nowhere that stays": {`{"properties":{"a":{"$ref":"#/x"}},"required":["a","b"]}`, `{"properties":{"a":{"$ref":"#/x"}},"required":["b","a"]}`},
		"open by word":                      {`{}`, `{"additionalProperties":true}`},
		"open by an empty schema":           {`{"additionalProperties":{}}`, `{"additionalProperties":true}`},
		"items that may be anything":        {`{}`, `{"items":{}}`},
		"no least length":                   {`{}`, `{"minLength":0}`},
		"not unique by word":                {`{}`, `{"uniqueItems":false}`},
		"the bounds of any integer":         {`{"type":"integer"}`, `{"type":"integer","maximum":9007199254740991,"minimum":-9007199254740991}`},
		"a later dialect":                   {`{"$schema":"http://json-schema.org/draft-07/schema#"}`, `{"$schema":"https://json-schema.org/draft/2020-12/schema"}`},
		"an empty list of properties":       {`{}`, `{"properties":{}}`},
		"a circle":                          {`{"properties":{"a":{"$ref":"#"}}}`, `{"properties":{"a":{"$ref":"#"}},"required":[]}`},
		"references in a circle":            {`{"$defs":{"A":{"$ref":"#/$defs/B"},"B":{"$ref":"#/$defs/A"}},"$ref":"#/$defs/A"}`, `{"$defs":{"A":{"$ref":"#/$defs/B"},"B":{"$ref":"#/$defs/A"}},"$ref":"#/$defs/A","required":[]}`},
	} {
		for _, d := range []struct{ old, new string }{{c.old, c.new}, {c.new, c.old}} {
			inOld, outOld := withSchemas(t, d.old)
			inNew, outNew := withSchemas(t, d.new)
			for _, got := range [][]ClassChange{Classify(inOld, inNew).Changes, Classify(outOld, outNew).Changes} {
				if len(got) != 1 || got[0].Class != SchemaRewritten || got[0].Weight != Compatible {
					t.Errorf("%s: %s to %s: got\n%s", name, d.old, d.new, lines(got))
				}
			}
		}
	}
}
