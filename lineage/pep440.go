package lineage

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// pep440 is what may stand behind the epoch and the numbers of a version by
// PEP 440, in every spelling that its normalisation allows (Appendix B there).
var pep440 = regexp.MustCompile(`^(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?([0-9]*))?` +
	`(?:-([0-9]+)|[-_.]?(post|rev|r)[-_.]?([0-9]*))?` +
	`(?:[-_.]?(dev)[-_.]?([0-9]*))?` +
	`(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$`)

// A suffix is what stands behind the numbers of a version by PEP 440. The nil
// suffix is that of a plain release.
type suffix struct {
	pre        string // a, b or rc; "" for none
	preNumber  string
	post, dev  bool
	postNumber string
	devNumber  string
	local      []string
}

// preNames are the spellings of pre-releases.
var preNames = map[string]string{"a": "a", "alpha": "a", "b": "b", "beta": "b",
	"c": "rc", "rc": "rc", "pre": "rc", "preview": "rc"}

func parsePEP440(s string) (version, bool) {
	s = strings.ToLower(s)
	var v version
	if epoch, rest, ok := strings.Cut(s, "!"); ok {
		if epoch == "" || strings.Trim(epoch, "0123456789") != "" {
			return version{}, false
		}
		v.epoch, s = number(epoch), rest
	}
	release, rest := numbers(s)
	m := pep440.FindStringSubmatch(rest)
	if release == nil || m == nil {
		return version{}, false
	}
	v.release = release
	v.pep = &suffix{
		pre: preNames[m[1]], preNumber: number(m[2]),
		post: m[3] != "" || m[4] != "", postNumber: number(m[3] + m[5]),
		dev: m[6] != "", devNumber: number(m[7]),
	}
	if m[8] != "" {
		v.pep.local = strings.FieldsFunc(m[8], func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	}
	return v, true
}

// compare orders two suffixes of the same numbers: development releases, then
// pre-releases, the release itself, post-releases, and local versions behind
// each of them.
func (s *suffix) compare(t *suffix) int {
	if s == nil {
		s = &suffix{}
	}
	if t == nil {
		t = &suffix{}
	}
	return cmp.Or(
		cmp.Compare(s.phase(), t.phase()),
		strings.Compare(s.pre, t.pre),
		compareNumbers(s.preNumber, t.preNumber),
		compareBools(s.post, t.post),
		compareNumbers(s.postNumber, t.postNumber),
		-compareBools(s.dev, t.dev), // a development release comes before what it leads to
		compareNumbers(s.devNumber, t.devNumber),
		slices.CompareFunc(s.local, t.local, compareLocal),
	)
}

// phase is 0 for a development release of the release itself, 1 for a
// pre-release, 2 from the release on.
func (s *suffix) phase() int {
	switch {
	case s.pre != "":
		return 1
	case s.dev && !s.post:
		return 0
	}
	return 2
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// compareLocal orders the segments of local versions: numbers behind words.
func compareLocal(a, b string) int {
	aNumber, bNumber := strings.Trim(a, "0123456789") == "", strings.Trim(b, "0123456789") == ""
	if aNumber && bNumber {
		return compareNumbers(number(a), number(b))
	}
	return cmp.Or(compareBools(aNumber, bNumber), strings.Compare(a, b))
}
