package lineage

import (
	"cmp"
	"fmt"
	"strconv"
)

// A Violation is a change that the step between two versions keeps quiet about.
type Violation struct {
	Tool   string      `json:"tool"`
	Change ClassChange `json:"change"`
	// Step is the step that was made, Want the least that would be honest.
	Step Step `json:"step"`
	Want Step `json:"want"`
	// Version is the least version that makes it; "" where the old version does
	// not tell.
	Version string `json:"version,omitzero"`
}

// String says it in a sentence: what changed, and what the version should be.
func (v Violation) String() string {
	made := "the version step is " + v.Step.String()
	if v.Step == StepUnknown {
		made = "the two versions cannot be compared"
	}
	text := fmt.Sprintf("tool %s %s: that is %s, and %s; want a %s step", quote(v.Tool), v.Change.Text, article[v.Change.Weight], made, v.Want)
	if v.Version != "" {
		text += ", " + v.Version + " or later"
	}
	return text
}

var article = map[Weight]string{Breaking: "a breaking change", Expansion: "an expansion of what it may do"}

// Gate compares the changes with what the step from oldVersion to newVersion
// announces: a breaking change wants a major step, an expansion of side effects,
// capabilities or hints a minor one. It returns a violation for each change that
// is not announced, in the order of the changes.
//
// Dates announce nothing, so that no later one is a violation ([StepDated]).
// Versions that cannot be compared are one for each such change, as equal ones
// and a step back are.
func Gate(c Classes, oldVersion, newVersion string) []Violation {
	step := StepOf(oldVersion, newVersion)
	if step == StepMajor || step == StepDated {
		return nil
	}
	var found []Violation
	for _, change := range c.Changes {
		want := StepNone
		switch {
		case change.Weight == Breaking:
			want = StepMajor
		case change.Weight == Expansion && step != StepMinor:
			want = StepMinor
		default:
			continue
		}
		found = append(found, Violation{Tool: change.Tool, Change: change, Step: step, Want: want, Version: leastVersion(oldVersion, want)})
	}
	return found
}

// leastVersion returns the least release that lies a step of that size behind
// old; "" where old has other than two or three numbers.
func leastVersion(old string, want Step) string {
	v, ok := parseVersion(old)
	if !ok || v.epoch != "" || len(v.release) > 3 || v.dated() {
		return ""
	}
	major, errMajor := strconv.ParseUint("0"+at(v.release, 0), 10, 32)
	minor, errMinor := strconv.ParseUint("0"+at(v.release, 1), 10, 32)
	if errMajor != nil || errMinor != nil {
		return ""
	}
	if v.isPre() && v.prepares() >= want { // the release itself is that step
		return fmt.Sprintf("%d.%d.%s", major, minor, cmp.Or(at(v.release, 2), "0"))
	}
	if want == StepMajor && major > 0 {
		return fmt.Sprintf("%d.0.0", major+1)
	}
	return fmt.Sprintf("%d.%d.0", major, minor+1)
}
