package lineage

import (
	"math"
	"strconv"
)

// constraints are the keywords that limit values one by one. Their functions
// are called where the values differ; a or b is nil where the keyword is absent,
// and old and new are the schemas that they stand in.
var constraints = map[string]func(w *walker, keyword string, a, b, old, new *node, at place){
	"maximum": upper, "exclusiveMaximum": upper, "maxLength": upper, "maxItems": upper, "maxProperties": upper,
	"minimum": lower, "exclusiveMinimum": lower, "minLength": lower, "minItems": lower, "minProperties": lower,
	"multipleOf": multiple, "uniqueItems": unique, "pattern": rule, "format": rule,
}

// safe is the greatest integer that every reader of JSON holds exactly (RFC
// 7493, §2.2). Some generators of schemas write it as the bound of any integer.
const safe = 1<<53 - 1

// limit returns the number of a bound, ±Inf by sign where the keyword is absent
// or excludes no value, and false where it is no number.
func limit(keyword string, n, in *node, sign float64) (float64, bool) {
	if n == nil {
		return math.Inf(int(sign)), true
	}
	if n.kind() != '0' {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(n.raw), 64)
	if err != nil {
		return 0, false
	}
	switch keyword {
	case "minLength", "minItems", "minProperties":
		if f <= 0 {
			f = math.Inf(-1)
		}
	case "maximum", "minimum":
		if t := in.member("type"); f*sign >= safe && kindOfNode(t) == '"' && t.text() == "integer" {
			f = math.Inf(int(sign))
		}
	}
	return f, true
}

func upper(w *walker, keyword string, a, b, old, new *node, at place) {
	w.bound(keyword, a, b, old, new, at, 1)
}
func lower(w *walker, keyword string, a, b, old, new *node, at place) {
	w.bound(keyword, a, b, old, new, at, -1)
}

// bound compares two upper (sign 1) or lower (sign -1) bounds.
func (w *walker) bound(keyword string, a, b, old, new *node, at place, sign float64) {
	from, okFrom := limit(keyword, a, old, sign)
	to, okTo := limit(keyword, b, new, sign)
	switch {
	case !okFrom || !okTo:
		w.opaque(at, keyword, a, b)
	case to*sign < from*sign:
		w.constraint(ConstraintTighter, keyword, a, b, at)
	case to*sign > from*sign:
		w.constraint(ConstraintLooser, keyword, a, b, at)
	}
}

// multiple compares multipleOf: a multiple of the old step is a narrower one.
func multiple(w *walker, keyword string, a, b, _, _ *node, at place) {
	if a == nil || b == nil {
		rule(w, keyword, a, b, nil, nil, at)
		return
	}
	from, okFrom := limit(keyword, a, nil, 1)
	to, okTo := limit(keyword, b, nil, 1)
	switch {
	case !okFrom || !okTo || from <= 0 || to <= 0:
		w.opaque(at, keyword, a, b)
	case math.Mod(to, from) == 0:
		w.constraint(ConstraintTighter, keyword, a, b, at)
	case math.Mod(from, to) == 0:
		w.constraint(ConstraintLooser, keyword, a, b, at)
	default:
		w.constraint(ConstraintChanged, keyword, a, b, at)
	}
}

func unique(w *walker, keyword string, a, b, _, _ *node, at place) {
	value := func(n *node) (bool, bool) {
		return kindOfNode(n) == 't', n == nil || n.kind() == 't' || n.kind() == 'f'
	}
	from, okFrom := value(a)
	to, okTo := value(b)
	switch {
	case !okFrom || !okTo:
		w.opaque(at, keyword, a, b)
	case to && !from:
		w.constraint(ConstraintTighter, keyword, nil, b, at)
	case from && !to:
		w.constraint(ConstraintLooser, keyword, a, nil, at)
	}
}

// rule compares keywords of which one is not narrower than another.
func rule(w *walker, keyword string, a, b, _, _ *node, at place) {
	switch {
	case a == nil:
		w.constraint(ConstraintTighter, keyword, a, b, at)
	case b == nil:
		w.constraint(ConstraintLooser, keyword, a, b, at)
	default:
		w.constraint(ConstraintChanged, keyword, a, b, at)
	}
}

// constraint records what happened to one keyword.
func (w *walker) constraint(class Class, keyword string, a, b *node, at place) {
	weight, verb := Breaking, "changes"
	switch class {
	case ConstraintTighter:
		weight, verb = w.narrower, "tightens"
	case ConstraintLooser:
		weight, verb = w.wider, "loosens"
	}
	var text string
	switch {
	case a == nil:
		text = "sets " + keyword + " of " + w.subject(at) + " to " + show(b)
	case b == nil:
		text = "lifts " + keyword + " " + show(a) + " from " + w.subject(at)
	default:
		text = verb + " " + keyword + " of " + w.subject(at) + " from " + show(a) + " to " + show(b)
	}
	w.report(class, weight, at, keyword, text, a, b)
}
