package trust

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/mcp-integrity/seal-action/seal"
)

// modes are the policy modes of MIS §20.1, the laxest first.
var modes = []seal.Mode{seal.ReportOnly, seal.Warn, seal.Block}

// PolicyFloor returns the policy of a run: the stricter mode and the higher
// level of the trust file's and the flag's, of which a zero one was not given.
//
// The file's is a floor. A flag that would lower the mode or the level, and
// raises neither, is an error. One that raises the one and would lower the other
// gets the raise: warn_below_level_3 with block_below_level_1 is
// block_below_level_3.
func PolicyFloor(file, flag seal.Policy) (seal.Policy, error) {
	switch (seal.Policy{}) {
	case file:
		return flag, nil
	case flag:
		return file, nil
	}
	have, want := slices.Index(modes, file.Mode), slices.Index(modes, flag.Mode)
	if have < 0 || want < 0 {
		return seal.Policy{}, fmt.Errorf("policy: got modes %.40q and %.40q, want each one of %q", file.Mode, flag.Mode, modes)
	}
	mode, level := cmp.Compare(want, have), cmp.Compare(flag.Below, file.Below)
	if mode <= 0 && level <= 0 && mode+level < 0 {
		return seal.Policy{}, fmt.Errorf("policy: got %s, which is laxer than the %s of the trust file: it is a floor", flag, file)
	}
	return seal.Policy{Mode: modes[max(have, want)], Below: max(file.Below, flag.Below)}, nil
}
