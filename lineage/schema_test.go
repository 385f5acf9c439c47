package lineage

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// compareSchemas returns the changes between two input schemas.
func compareSchemas(t testing.TB, old, new string) ToolChange {
	t.Helper()
	changes := Diff(
		parseTools(t, `{"name":"a","inputSchema":`+old+`}`),
		parseTools(t, `{"name":"a","inputSchema":`+new+`}`))
	if len(changes) != 1 {
		t.Fatalf("%d changes, want 1", len(changes))
	}
	return changes[0]
}

func TestSchema(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		want           []string // kind path old new
	}{
		{"member added", `{}`, `{"a":1}`, []string{`added /a  1`}},
		{"member removed", `{"a":1}`, `{}`, []string{`removed /a 1 `}},
		{"null is a value", `{"a":null}`, `{"b":null}`, []string{`removed /a null `, `added /b  null`}},
		{"value changed", `{"a":1}`, `{"a":2}`, []string{`changed /a 1 2`}},
		{"other kind", `{"a":{}}`, `{"a":[]}`, []string{`changed /a {} []`}},
		{"true and false", `{"a":true}`, `{"a":false}`, []string{`changed /a true false`}},
		{"by name in byte order", `{"é":1,"z":1,"\ud83d\ude00":1,"\ufb01":1}`, `{}`,
			[]string{`removed /z 1 `, `removed /é 1 `, "removed /\ufb01 1 ", `removed /😀 1 `}},
		{"escaped names", `{"a/b":{"m~n":1,"":{"":1}}}`, `{"a/b":{"m~n":2,"":{"":2}}}`,
			[]string{`changed /a~1b// 1 2`, `changed /a~1b/m~0n 1 2`}},
		{"only the deepest", `{"properties":{"p":{"type":"string","maxLength":5},"q":{}}}`, `{"properties":{"p":{"type":"string","maxLength":9},"q":{}}}`,
			[]string{`changed /properties/p/maxLength 5 9`}},
		{"element in front", `{"anyOf":[{"a":1},{"b":2}]}`, `{"anyOf":[{"c":3},{"a":1},{"b":2}]}`,
			[]string{`added /anyOf/0  {"c":3}`}},
		{"element within", `{"anyOf":[1,2,3]}`, `{"anyOf":[1,3]}`, []string{`removed /anyOf/1 2 `}},
		{"elements by index", `{"anyOf":[{"a":1},{"b":2},7]}`, `{"anyOf":[{"a":2},{"b":3},8,9]}`,
			[]string{`changed /anyOf/0/a 1 2`, `changed /anyOf/1/b 2 3`, `changed /anyOf/2 7 8`, `added /anyOf/3  9`}},
		{"equal elements", `{"x":[1,1]}`, `{"x":[1,1,1]}`, []string{`added /x/2  1`}},
		{"required as a set", `{"required":["a","b","c"]}`, `{"required":["a","c","d"]}`,
			[]string{`removed /required/1 "b" `, `added /required/2  "d"`}},
		{"a set in another order", `{"enum":[1,2,3]}`, `{"enum":[3,1,2]}`, []string{`reordered /enum [1,2,3] [3,1,2]`}},
		{"a set in another order and size", `{"type":["string","null"]}`, `{"type":["null","number","string"]}`,
			[]string{`added /type/1  "number"`, `reordered /type ["string","null"] ["null","number","string"]`}},
		{"a set with the same twice", `{"enum":["a"]}`, `{"enum":["a","a"]}`, []string{`added /enum/1  "a"`}},
		{"a set's elements are not looked into", `{"enum":[{"a":1}]}`, `{"enum":[{"a":2}]}`,
			[]string{`removed /enum/0 {"a":1} `, `added /enum/0  {"a":2}`}},
		{"a type of one and of many", `{"type":"string"}`, `{"type":["string"]}`, []string{`changed /type "string" ["string"]`}},
		{"a property that is called so", `{"properties":{"required":{"type":"string"}}}`, `{"properties":{"required":{"type":"number"}}}`,
			[]string{`changed /properties/required/type "string" "number"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, s := range compareSchemas(t, c.old, c.new).Schema {
				if s.Component != fingerprint.InputSchema {
					t.Errorf("component %q, want %q", s.Component, fingerprint.InputSchema)
				}
				got = append(got, fmt.Sprintf("%s %s %s %s", s.Kind, s.Path, string(s.Old), string(s.New)))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSchemaText(t *testing.T) {
	got := compareSchemas(t, `{"description":"The file to read."}`, `{"description":"The file to delete."}`).Schema[0]
	if got, want := marked(got.Text), "The file to [-read-]{+delete+}."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := compareSchemas(t, `{"type":"string"}`, `{"type":"number"}`).Schema[0]; got.Text != nil {
		t.Errorf("edits of one word: %v", got.Text)
	}
}

func TestSchemaBounds(t *testing.T) {
	t.Run("many changes are counted", func(t *testing.T) {
		var old, new []string
		for i := range 1000 {
			old, new = append(old, fmt.Sprintf(`"a%d":1`, i)), append(new, fmt.Sprintf(`"a%d":2`, i))
		}
		c := compareSchemas(t, "{"+strings.Join(old, ",")+"}", "{"+strings.Join(new, ",")+"}")
		if len(c.Schema) != maxChanges || c.SchemaMore != 1000-maxChanges {
			t.Errorf("%d changes and %d more, want %d and %d", len(c.Schema), c.SchemaMore, maxChanges, 1000-maxChanges)
		}
	})
	t.Run("a large value is cut where it differs", func(t *testing.T) {
		for _, char := range []string{"x", "é", "日", "😀"} {
			same := strings.Repeat(char, 50_000)
			s := compareSchemas(t, `{"const":"`+same+`old`+same+`"}`, `{"const":"`+same+`new`+same+`"}`).Schema[0]
			if !strings.Contains(string(s.Old), char+"old") || !strings.Contains(string(s.New), char+"new") {
				t.Errorf("from byte %d: old %.60s… new %.60s…, want both sides of the difference", s.From, s.Old, s.New)
			}
			if strings.ContainsRune(string(s.Old)+string(s.New), utf8.RuneError) {
				t.Errorf("from byte %d: old %.60s… new %.60s…, want whole characters", s.From, s.Old, s.New)
			}
			if want := 2*len(same) + 5; s.OldSize != want || s.NewSize != want {
				t.Errorf("sizes %d and %d, want %d", s.OldSize, s.NewSize, want)
			}
		}
	})
	t.Run("one side is cut", func(t *testing.T) {
		s := compareSchemas(t, `{"const":"x"}`, `{"const":"`+strings.Repeat("y", 10_000)+`"}`).Schema[0]
		if string(s.Old) != `"x"` || s.OldSize != 0 || s.NewSize != 10_002 || s.From != 0 {
			t.Errorf("old %s of %d, new of %d from %d", s.Old, s.OldSize, s.NewSize, s.From)
		}
	})
	t.Run("a path too long ends at an ancestor", func(t *testing.T) {
		long := strings.Repeat("~", maxPath/2+1)
		s := compareSchemas(t, `{"p":{"`+long+`":1}}`, `{"p":{"`+long+`":2}}`).Schema
		if len(s) != 1 || s[0].Path != "/p" || s[0].Kind != Changed {
			t.Errorf("%+v, want one change at /p", s)
		}
	})
	t.Run("so does a path too deep", func(t *testing.T) {
		nest := func(leaf string) string {
			return strings.Repeat(`{"a":`, 900) + leaf + strings.Repeat("}", 900)
		}
		s := compareSchemas(t, nest("1"), nest("2")).Schema
		if len(s) != 1 || s[0].Path != strings.Repeat("/a", maxPath/2) {
			t.Errorf("%d changes, first at depth %d, want one at %d", len(s), strings.Count(s[0].Path, "/"), maxPath/2)
		}
	})
	t.Run("unsealed members, too", func(t *testing.T) {
		long := strings.Repeat("x", maxPath)
		c := Diff(parseTools(t, `{"name":"a","inputSchema":{},"`+long+`":1}`), parseTools(t, `{"name":"a","inputSchema":{},"`+long+`":2}`))
		if len(c) != 1 || len(c[0].Unsealed) != 1 || c[0].Unsealed[0].Path != "" {
			t.Errorf("%+v, want one change at the root", c)
		}
	})
}

// Schemas made to be slow to compare take the time that their size takes.
func BenchmarkSchema(b *testing.B) {
	deep := func(leaf string) string {
		return strings.Repeat(`{"a":[`, 450) + `"` + strings.Repeat("x", 200_000) + `",` + leaf + strings.Repeat("]}", 450)
	}
	numbers := make([]string, 50_000)
	for i := range numbers {
		numbers[i] = fmt.Sprint(i)
	}
	forwards := strings.Join(numbers, ",")
	slices.Reverse(numbers)
	backwards := strings.Join(numbers, ",")
	for name, pair := range map[string][2]string{
		"deep":  {deep("1"), deep("2")},
		"set":   {`{"enum":[` + forwards + `]}`, `{"enum":[` + backwards + `]}`},
		"array": {`{"x":[` + forwards + `]}`, `{"x":[` + backwards + `]}`},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(pair[0]) + len(pair[1])))
			b.ReportAllocs()
			for b.Loop() {
				compareSchemas(b, pair[0], pair[1])
			}
		})
	}
}
