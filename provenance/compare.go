package provenance

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// compare reports where got is not want, which is a tree of objects, arrays and
// strings. Its depth is want's: what a stranger nests deeper is shown whole.
func compare(at string, got, want any, differs func(field, got, want string)) {
	switch want := want.(type) {
	case object:
		got, ok := got.(object)
		if !ok {
			differs(at, show(got), "an object")
			return
		}
		compareObjects(at, got, want, differs)
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			differs(at, show(got), fmt.Sprintf("an array of %d", len(want)))
			return
		}
		for n := range want {
			compare(fmt.Sprintf("%s[%d]", at, n), list[n], want[n], differs)
		}
	default:
		if got != want {
			differs(at, show(got), show(want))
		}
	}
}

func compareObjects(at string, got, want object, differs func(field, got, want string)) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if value, ok := got[name]; ok {
			compare(member(at, name), value, want[name], differs)
		} else {
			differs(member(at, name), Absent, show(want[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			differs(member(at, name), show(got[name]), Absent)
		}
	}
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// member appends the name of a member to a path; a name that is no plain word
// is a stranger's text, and quoted.
func member(at, name string) string {
	if !plainName.MatchString(name) {
		name = fmt.Sprintf("%+.64q", name)
	}
	if at == "" {
		return name
	}
	return at + "." + name
}

// show renders a JSON value for a mismatch: a string as it is, anything else as
// JSON, cut at a bound.
func show(value any) string {
	text, ok := value.(string)
	if !ok {
		data, err := strictjson.Marshal(value)
		if err != nil {
			return "a value that cannot be shown"
		}
		text = string(data)
	}
	if len(text) <= maxShown {
		return text
	}
	cut := maxShown
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
