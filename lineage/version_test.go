package lineage

import (
	"strings"
	"testing"
)

// ascending are versions in order, one group of equal ones a line; those of
// different lines can all be compared, but for the pairs of incomparable.
var ascending = [][]string{
	{"0", "0.0", "v0.0.0"},
	{"0.0.1"},
	{"0.9"},
	{"1.0.0-1"}, // a number comes before words, and before the release
	{"1.0.0-alpha"},
	{"1.0.0-alpha.1"},
	{"1.0.0-alpha.beta"},
	{"1.0.0-beta.2", "v1.0.0-beta.2+5"},
	{"1.0.0-beta.11"},
	{"1", "1.0", "1.0.0", "v1.0.0", "V1", "1.0.0.0", "01.00", "1.0.0+build.7"},
	{"1.0.0.post1", "1.0-1", "1.0post1", "1.0.r1"},
	{"1.0.0.1"},
	{"1.2.3"},
	{"1.2.3.4"},
	{"1.2.10"},
	{"2.0.dev2", "2.0.DEV2"},
	{"2.0a1.dev1"},
	{"2.0a1", "2.0-alpha-1", "2.0_ALPHA.1", "2a1"},
	{"2.0a2"},
	{"2.0b1"},
	{"2.0rc1", "2.0c1", "2.0.preview1", "2.0pre1"},
	{"2.0rc1.post1"},
	{"2.0rc10"},
	{"2.0"},
	{"2.0+abc"},
	{"2.0+abc.5"},
	{"2.0+5", "2.0+05"},
	{"2.0+5.1"},
	{"2.0.post1.dev3"},
	{"2.0.post1", "2.0.post01"},
	{"2.0.post2"},
	{"24.04"},
	{"2025.01.14", "2025.1.14"},
	{"2025.7.29"},
	{"2025.10.1"},
	{"20250114"},
	{"99999999999999999999999999999.0"},
	{"100000000000000000000000000000"},
	{"1!0.1"},
	{"1!2.0"},
	{"02!0.0.1a1"},
}

func TestCompareVersions(t *testing.T) {
	for i, group := range ascending {
		for j, other := range ascending {
			for _, a := range group {
				for _, b := range other {
					want := 0
					if i < j {
						want = -1
					} else if i > j {
						want = 1
					}
					if got, ok := CompareVersions(a, b); !ok || got != want {
						t.Errorf("CompareVersions(%q, %q) = %d, %t, want %d", a, b, got, ok, want)
					}
				}
			}
		}
	}
}

func TestCompareVersionsRefuses(t *testing.T) {
	for _, bad := range []string{
		"", "v", "latest", "main", "1.", ".1", "1..2", "-1", "1.x", "1.2.3-", "1.2.3-rc..1", "1.2.3-é", " 1.0", "1.0 ",
		"1.0\n", "!1.0", "a!1.0", "1!", "1!v2", "2025-01-14", "vv1.0", "1.0+", "1.0+a..b", "1.0rc1rc2", "sha-0a1b2c", "1.2.3-01.x",
		strings.Repeat("1", maxVersion+1),
	} {
		if order, ok := CompareVersions(bad, "1.0.0"); ok {
			t.Errorf("CompareVersions(%q, 1.0.0) = %d, want it refused", bad, order)
		}
		if order, ok := CompareVersions("1.0.0", bad); ok {
			t.Errorf("CompareVersions(1.0.0, %q) = %d, want it refused", bad, order)
		}
	}
	// Both are pre-releases of 1.0.0, each in a notation of its own.
	if order, ok := CompareVersions("1.0.0-alpha.x", "1.0rc1"); ok {
		t.Errorf("got %d, want two kinds of pre-release refused", order)
	}
}

func TestStepOf(t *testing.T) {
	for _, c := range []struct {
		old, new string
		want     Step
	}{
		{"1.2.3", "1.2.3", StepNone},
		{"1.2", "v1.2.0", StepNone},
		{"1.2.3+a", "1.2.3+b", StepNone},
		{"1.2.3", "1.2.4", StepPatch},
		{"1.2.3", "1.2.3.1", StepPatch},
		{"1.2.3.4", "1.2.3.5", StepPatch},
		{"1.2.3", "1.3.0", StepMinor},
		{"1.2.9", "1.3.1", StepMinor},
		{"1.2.3", "2.0.0", StepMajor},
		{"1", "2", StepMajor},
		{"1.2.3", "1.2.2", StepBack},
		{"1.0.0", "1.0.0-rc.1", StepBack},
		{"2025.1.14", "1.0.0", StepBack},
		{"1.0", "latest", StepUnknown},
		{"", "1.0", StepUnknown},
		{"1.0.0-rc.x", "1.0rc1", StepUnknown},

		{"0.1.0", "0.2.0", StepMajor},
		{"0.1.0", "0.1.1", StepPatch},
		{"0.0.1", "0.0.2", StepPatch},
		{"0.0.1", "0.1.0", StepMajor},
		{"0.9.0", "1.0.0", StepMajor},

		{"1.9.0", "2.0.0-rc.1", StepMajor},
		{"2.0.0-rc.1", "2.0.0-rc.2", StepMajor},
		{"2.0.0-rc.1", "2.0.0", StepMajor},
		{"2.0.0-rc.1", "2.0.1", StepMajor},
		{"1.3.0-rc.1", "1.3.0", StepMinor},
		{"1.3.0-rc.1", "1.3.1", StepMinor},
		{"1.3.0-rc.1", "2.0.0", StepMajor},
		{"1.3.1-rc.1", "1.3.1", StepPatch},
		{"0.3.0-rc.1", "0.3.0", StepMajor},
		{"0.0.0-alpha", "0.0.0-beta", StepMajor},
		{"1.2.3", "1.2.4-rc.1", StepPatch},
		{"1.0rc1", "1.0", StepMajor},
		{"1.1.dev3", "1.1a1", StepMinor},
		{"1.0", "1.0.post1", StepPatch},
		{"1.0", "1.0+local", StepPatch},
		{"1.0", "1!0.1", StepMajor},
		{"1!0.1", "1!0.2", StepMinor},

		{"2025.01.14", "2025.7.29", StepDated},
		{"2025.12", "2026.1", StepDated},
		{"2025.7.29", "2025.1.14", StepBack},
		{"1.4.0", "2025.1.14", StepMajor},
	} {
		if got := StepOf(c.old, c.new); got != c.want {
			t.Errorf("StepOf(%q, %q) = %v, want %v", c.old, c.new, got, c.want)
		}
	}
	if got := Step(99).String(); got != "unknown" {
		t.Errorf("a step beyond the last is %q", got)
	}
}

func FuzzCompareVersions(f *testing.F) {
	for i, group := range ascending {
		f.Add(group[0], ascending[(i+1)%len(ascending)][0], ascending[(i*7)%len(ascending)][0])
	}
	f.Add("1.0.0-alpha.x", "1.0", "1.0rc1")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		ab, ok := CompareVersions(a, b)
		ba, okBack := CompareVersions(b, a)
		if ok != okBack || ab != -ba {
			t.Errorf("CompareVersions(%q, %q) = %d, %t, and the other way %d, %t", a, b, ab, ok, ba, okBack)
		}
		if self, known := CompareVersions(a, a); known && self != 0 {
			t.Errorf("%q comes %d beside itself", a, self)
		}
		switch step := StepOf(a, b); {
		case ok != (step != StepUnknown), ok && ab > 0 != (step == StepBack), ok && ab == 0 != (step == StepNone):
			t.Errorf("StepOf(%q, %q) = %v, but CompareVersions says %d, %t", a, b, step, ab, ok)
		}
		bc, ok2 := CompareVersions(b, c)
		if !ok || !ok2 || ab > 0 || bc > 0 {
			return
		}
		if ac, known := CompareVersions(a, c); !known || ac > 0 || ac == 0 != (ab == 0 && bc == 0) {
			t.Errorf("%q, %q, %q: %d, %d, but the first to the last is %d, %t", a, b, c, ab, bc, ac, known)
		}
	})
}
