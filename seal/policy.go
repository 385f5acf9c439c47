package seal

import (
	"fmt"
	"strconv"
	"strings"
)

// Mode is what a policy does about a level that is too low (MIS §20.1).
type Mode string

// The modes of MIS §20.1.
const (
	ReportOnly Mode = "report_only"
	Warn       Mode = "warn"
	Block      Mode = "block"
)

// Policy is a mode and the level below which it acts. The zero Policy is no
// policy; [DefaultPolicy] is the standard's.
type Policy struct {
	Mode  Mode
	Below int // 0 to 3; 0 under ReportOnly
}

// DefaultPolicy is warn_below_level_1 (MIS §20.1).
var DefaultPolicy = Policy{Mode: Warn, Below: 1}

// ParsePolicy reads report_only, warn_below_level_N or block_below_level_N,
// with N from 0 to 3.
func ParsePolicy(s string) (Policy, error) {
	if s == string(ReportOnly) {
		return Policy{Mode: ReportOnly}, nil
	}
	mode, n, ok := strings.Cut(s, "_below_level_")
	level, err := strconv.Atoi(n)
	if !ok || err != nil || len(n) != 1 || level > 3 || mode != string(Warn) && mode != string(Block) {
		return Policy{}, fmt.Errorf("policy: got %.60q, want report_only, warn_below_level_N or block_below_level_N with N from 0 to 3", s)
	}
	return Policy{Mode: Mode(mode), Below: level}, nil
}

// String is the policy's name in MIS §20.1.
func (p Policy) String() string {
	if p.Mode == ReportOnly || p.Mode == "" {
		return string(ReportOnly)
	}
	return fmt.Sprintf("%s_below_level_%d", p.Mode, p.Below)
}

// Outcome is the verdict of a run, the same in every format.
type Outcome string

// The outcomes. A check that was not made is never a pass: where it was asked
// for or a blocking policy needs it, the run is undecided.
const (
	Pass      Outcome = "pass"
	Warned    Outcome = "warn"
	Fail      Outcome = "fail"
	Undecided Outcome = "undecided"
)
