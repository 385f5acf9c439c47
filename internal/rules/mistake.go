package rules

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// mistake is the first mistake of a rule, with its place, and the nearest known
// name where it names what does not exist.
func (l *language) mistake(issues *cel.Issues) error {
	all := issues.Errors()
	if len(all) == 0 {
		return fmt.Errorf(": %.200s", issues.Err().Error())
	}
	first := all[0]
	for _, e := range all {
		if e.Location.Line() < first.Location.Line() || e.Location.Line() == first.Location.Line() && e.Location.Column() < first.Location.Column() {
			first = e
		}
	}
	// A mistake without a place is about the rule as a whole.
	where := ""
	if first.Location.Line() > 0 {
		where = fmt.Sprintf(", line %d, column %d", first.Location.Line(), first.Location.Column()+1)
	}
	message := strings.Join(strings.Fields(first.Message), " ")
	message = strings.TrimSuffix(message, " (in container '')")
	return fmt.Errorf("%s: %.200s%s", where, message, l.hint(message))
}

// hint names what was probably meant by a name that the checker does not know.
func (l *language) hint(message string) string {
	const undefined, undeclared = "undefined field '", "undeclared reference to '"
	var known []string
	rest, isField := strings.CutPrefix(message, undefined)
	isName := false
	if isField {
		known = l.table.paths()
	} else if rest, isName = strings.CutPrefix(message, undeclared); isName {
		known = append(slices.Clone(l.table.byGo[variablesType].names), macros...)
		for name := range l.env.Functions() {
			known = append(known, name)
		}
	}
	got, _, ok := strings.Cut(rest, "'")
	if !ok || !isField && !isName {
		return ""
	}
	slices.Sort(known)
	best, least := "", len(got)/3+2
	for _, name := range known {
		last := name[strings.LastIndex(name, ".")+1:]
		if d := distance(got, last); d < least || d == least && best != "" && len(name) < len(best) {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; the nearest name is %s", best)
}

// macros are what CEL's parser knows and its list of functions does not have.
var macros = []string{"has", "all", "exists", "exists_one", "filter", "map"}

// paths are all members by the shortest way to them from a variable, such as
// tool.side_effects.reads. The items of a list are written [].
func (t *table) paths() []string {
	type step struct {
		path  string
		shape *shape
	}
	var paths []string
	seen := map[*shape]bool{}
	for queue := []step{{"", t.byGo[variablesType]}}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if seen[at.shape] {
			continue
		}
		seen[at.shape] = true
		for _, name := range at.shape.names {
			path, of := at.path+name, at.shape.members[name].celType
			if at.path != "" {
				paths = append(paths, path)
			}
			if of.Kind() == types.ListKind {
				path, of = path+"[]", of.Parameters()[0]
			}
			// The variable tool is the shorter way to what is in tools.
			if s, ok := t.byName[of.TypeName()]; ok && path != "tools[]" {
				queue = append(queue, step{path + ".", s})
			}
		}
	}
	return paths
}

// distance is how many characters must be added, removed, replaced or swapped
// with the next to make b of a.
func distance(a, b string) int {
	const far = 64
	if len(a) > far || len(b) > far {
		return far
	}
	before, last := []int(nil), make([]int, len(b)+1)
	for n := range last {
		last[n] = n
	}
	for i := range len(a) {
		now := make([]int, len(b)+1)
		now[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			now[j+1] = min(last[j+1]+1, now[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				now[j+1] = min(now[j+1], before[j-1]+1)
			}
		}
		before, last = last, now
	}
	return last[len(b)]
}
