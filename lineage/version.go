package lineage

import (
	"cmp"
	"strings"

	"golang.org/x/mod/semver"
)

// A Step is how far one version lies from another.
type Step int

// The steps, from none to the largest; Dated, Back and Unknown promise nothing.
const (
	// StepNone: the two versions are equal in order: 1.2, 1.2.0 and 1.2.0+build.
	StepNone Step = iota
	StepPatch
	StepMinor
	StepMajor
	// StepDated: forward from one date to a later one. Numbers of a calendar say
	// when, and nothing of what callers may rely on.
	StepDated
	// StepBack: the new version is the older one.
	StepBack
	// StepUnknown: the two cannot be compared.
	StepUnknown
)

var stepNames = [...]string{"none", "patch", "minor", "major", "dated", "back", "unknown"}

// String returns "none", "patch", "minor", "major", "dated", "back" or "unknown".
func (s Step) String() string {
	if s < 0 || int(s) >= len(stepNames) {
		return "unknown"
	}
	return stepNames[s]
}

// MarshalText writes s as [Step.String] does.
func (s Step) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// CompareVersions returns -1, 0 or +1 as a is before, beside or behind b, and
// false where the two cannot be compared. It reads, with or without a leading
// "v",
//
//   - numbers between dots, as many as there are: 1.2, 1.2.3.4, 2025.01.14.
//     Missing ones are zero, and leading zeros count for nothing;
//   - Semantic Versioning 2.0.0: 1.2.3-rc.1+build;
//   - PEP 440: 1!2.0, 1.0rc1, 1.0.post1, 1.0.dev2, 1.0+local.
//
// A version that follows both of the latter is read as the former: 1.0.0-1 comes
// before 1.0.0. Versions of different kinds are compared by their numbers; with
// equal numbers a pre-release of the one kind cannot be compared with one of the
// other. Any three versions that can be compared are in a consistent order.
func CompareVersions(a, b string) (order int, ok bool) {
	va, okA := parseVersion(a)
	vb, okB := parseVersion(b)
	if !okA || !okB {
		return 0, false
	}
	return va.compare(vb)
}

// StepOf returns the step from old to new: what the first number that grew
// announces, or a growing epoch (major).
//
// Before 1.0.0 "anything may change at any time" (Semantic Versioning, §4), but
// package managers take 0.y as what x is later: here a growing y in 0.y.z is a
// major step, and a growing z a patch, in 0.0.z too.
//
// A pre-release promises nothing beyond the release that it prepares. From one,
// the step is at least the one by which that release announces itself: from
// 2.0.0-rc.1 to 2.0.0-rc.2 or 2.0.0 it is major, from 1.3.0-rc.1 to 1.3.0 minor.
//
// Both versions beginning with a year of four digits are dates: [StepDated].
func StepOf(old, new string) Step {
	from, okFrom := parseVersion(old)
	to, okTo := parseVersion(new)
	if !okFrom || !okTo {
		return StepUnknown
	}
	switch order, ok := from.compare(to); {
	case !ok:
		return StepUnknown
	case order > 0:
		return StepBack
	case order == 0:
		return StepNone
	case from.dated() && to.dated():
		return StepDated
	}
	step := StepPatch // post-releases and local versions
	if from.epoch != to.epoch {
		step = StepMajor
	} else if i := firstDifference(from.release, to.release); i >= 0 {
		step = from.stepAt(i)
	}
	if from.isPre() {
		step = max(step, from.prepares())
	}
	return step
}

// A version is one that was read. Numbers are kept as digits without leading
// zeros, so that none is too large.
type version struct {
	epoch   string   // "" is 0
	release []string // "" is 0; without zeros at its end
	semver  string   // the whole version with a "v", where it has a semver suffix
	pep     *suffix  // that of PEP 440, where it has one
}

// parseVersion reads s as [CompareVersions] says.
func parseVersion(s string) (version, bool) {
	if len(s) > maxVersion {
		return version{}, false
	}
	if len(s) > 1 && (s[0] == 'v' || s[0] == 'V') {
		s = s[1:]
	}
	if release, rest := numbers(s); release != nil && rest == "" {
		return version{release: release}, true
	}
	if semver.IsValid("v" + s) {
		release, _ := numbers(s)
		return version{release: release, semver: "v" + s}, true
	}
	return parsePEP440(s)
}

// numbers cuts the numbers between dots from the front of s; nil if there are
// none.
func numbers(s string) (release []string, rest string) {
	for {
		n := len(s) - len(strings.TrimLeft(s, "0123456789"))
		if n == 0 {
			return nil, s
		}
		release = append(release, number(s[:n]))
		s = s[n:]
		if len(s) < 2 || s[0] != '.' || s[1] < '0' || s[1] > '9' {
			break
		}
		s = s[1:]
	}
	for len(release) > 1 && release[len(release)-1] == "" {
		release = release[:len(release)-1]
	}
	return release, s
}

// number returns digits without leading zeros.
func number(digits string) string { return strings.TrimLeft(digits, "0") }

// compareNumbers compares two results of [number].
func compareNumbers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func (v version) compare(w version) (order int, ok bool) {
	if c := compareNumbers(v.epoch, w.epoch); c != 0 {
		return c, true
	}
	if c := compareReleases(v.release, w.release); c != 0 {
		return c, true
	}
	if v.semver != "" && w.semver != "" {
		return semver.Compare(v.semver, w.semver), true
	}
	a, b := v.side(), w.side()
	switch {
	case v.semver == "" && w.semver == "":
		return v.pep.compare(w.pep), true
	case a < 0 && b < 0: // two notations of a pre-release
		return 0, false
	}
	return cmp.Compare(a, b), true
}

// side says whether v comes before (-1) or behind (+1) the plain version of its
// numbers.
func (v version) side() int {
	if v.semver != "" {
		if semver.Prerelease(v.semver) != "" {
			return -1
		}
		return 0
	}
	return v.pep.compare(nil)
}

func (v version) isPre() bool { return v.side() < 0 }

// compareReleases compares number by number; those that one has not are zero.
func compareReleases(a, b []string) int {
	i := firstDifference(a, b)
	if i < 0 {
		return 0
	}
	return compareNumbers(at(a, i), at(b, i))
}

func firstDifference(a, b []string) int {
	for i := range max(len(a), len(b)) {
		if at(a, i) != at(b, i) {
			return i
		}
	}
	return -1
}

func at(release []string, i int) string {
	if i < len(release) {
		return release[i]
	}
	return ""
}

// stepAt is the step of a version whose number i grew.
func (v version) stepAt(i int) Step {
	switch {
	case i == 0, i == 1 && at(v.release, 0) == "" && v.epoch == "":
		return StepMajor
	case i == 1:
		return StepMinor
	}
	return StepPatch
}

// prepares is the step by which the release of v's numbers announces itself:
// that of its last number that is not zero.
func (v version) prepares() Step {
	last := len(v.release) - 1
	if last <= 0 {
		return StepMajor
	}
	return v.stepAt(last)
}

// dated reports whether v begins with a year.
func (v version) dated() bool {
	year := at(v.release, 0)
	return v.epoch == "" && len(year) == 4 && year >= "1980" && year < "2200"
}
