package conformance

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
)

// A contradiction is a vector that says something untrue.
type contradiction struct {
	what   string
	vector vector
}

// contradictions are a vector with its expectation turned round, with another
// name for its error, and with each of its outputs changed in turn.
func contradictions(t *testing.T, v vector) []contradiction {
	t.Helper()
	turned := v
	turned.Expect = map[string]string{
		"valid": "invalid", "invalid": "valid", "pass": "fail", "warn": "pass", "fail": "pass", "undecided": "warn",
	}[v.Expect]
	all := []contradiction{{"expect " + turned.Expect, turned}}
	if v.Error != nil {
		renamed := v
		renamed.Error = names{"NO_SUCH_NAME"}
		all = append(all, contradiction{"another name", renamed})
	}
	if v.Outputs == nil {
		return all
	}
	var outputs any
	if err := json.Unmarshal(v.Outputs, &outputs); err != nil {
		t.Fatal(err)
	}
	for _, changed := range variants(outputs) {
		raw, err := json.Marshal(changed)
		if err != nil {
			t.Fatal(err)
		}
		other := v
		other.Outputs = raw
		all = append(all, contradiction{fmt.Sprintf("outputs %.200s", raw), other})
	}
	return all
}

// variants are copies of a JSON value, each different in one place.
func variants(value any) []any {
	var all []any
	switch value := value.(type) {
	case nil:
		return []any{"x"}
	case bool:
		return []any{!value}
	case float64:
		return []any{value + 1}
	case string:
		if value == "" {
			return []any{"AAAA"}
		}
		n := len(value) - 1
		return []any{another(value[:1]) + value[1:], value[:n] + another(value[n:])}
	case []any:
		for i, element := range value {
			for _, changed := range variants(element) {
				other := slices.Clone(value)
				other[i] = changed
				all = append(all, other)
			}
		}
		all = append(all, append(slices.Clone(value), "x"))
	case map[string]any:
		for name, member := range value {
			for _, changed := range variants(member) {
				other := maps.Clone(value)
				other[name] = changed
				all = append(all, other)
			}
		}
		more := maps.Clone(value)
		more["x"] = true
		all = append(all, more)
	}
	return all
}

// another is a character other than c, a digit of both base64 and hexadecimal.
func another(c string) string {
	if c == "0" {
		return "1"
	}
	return "0"
}

// TestContradictions holds the runner against itself: nothing that a vector
// says may be such that no entry point would notice its being untrue, and no
// entry point such that it never complains.
func TestContradictions(t *testing.T) {
	for _, kind := range kindsOf(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			complained := make([]bool, len(kinds[kind]))
			for _, v := range load(t, kind) {
				t.Run(v.file, func(t *testing.T) {
					for _, c := range contradictions(t, v) {
						if !noticed(t, kinds[kind], v, c, complained) {
							t.Errorf("no entry point notices: %s", c.what)
						}
					}
				})
			}
			for i, e := range kinds[kind] {
				if !complained[i] {
					t.Errorf("%s agrees with every vector, and with its contradiction", e.name)
				}
			}
		})
	}
}

// noticed says whether an entry point that takes v complains of c. Those that
// have complained before are asked only until one does.
func noticed(t *testing.T, entries []entry, v vector, c contradiction, complained []bool) bool {
	found := false
	for i, e := range entries {
		if e.takes != nil && !e.takes(v) || found && complained[i] {
			continue
		}
		if e.run(newDesk(t, c.vector), c.vector) != nil {
			found, complained[i] = true, true
		}
	}
	return found
}
