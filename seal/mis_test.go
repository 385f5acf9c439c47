package seal_test

import (
	"fmt"
	"testing"

	"github.com/mcp-integrity/seal-action/seal"
)

// TestCodes is the table of MIS §23: programs of others match on these numbers
// and names.
func TestCodes(t *testing.T) {
	standard := map[int]string{
		-33001: "MANIFEST_NOT_FOUND", -33002: "MANIFEST_PARSE_ERROR", -33003: "MANIFEST_VERSION_UNSUPPORTED",
		-33010: "SIGNATURE_INVALID", -33011: "SIGNATURE_KEY_NOT_FOUND", -33012: "SIGNATURE_KEY_REVOKED", -33013: "SIGNATURE_EXPIRED",
		-33020: "INTERFACE_MISMATCH", -33021: "INTERFACE_DESCRIPTION_CHANGED", -33022: "INTERFACE_SCHEMA_CHANGED",
		-33023: "INTERFACE_ANNOTATIONS_CHANGED", -33024: "INTERFACE_UNKNOWN_TOOL",
		-33030: "ARTIFACT_MISMATCH", -33031: "ARTIFACT_UNVERIFIABLE",
		-33040: "CHAIN_BROKEN", -33041: "CHAIN_ABSENT",
		-33050: "LEVEL_CLAIMED_NOT_MET", -33060: "MANIFEST_FETCH_FAILED",
	}
	const first, last, ours = -33999, -33000, -33900
	for n := first; n <= last; n++ {
		want, name := standard[n], seal.Code(n).Name()
		nameless := name == fmt.Sprintf("CODE_%d", n)
		if want != "" && name != want {
			t.Errorf("%d is %q, want %q", n, name, want)
		} else if want == "" && n > ours && !nameless {
			t.Errorf("%d is %q: MIS has no such code, and ours stand at %d and below", n, name, ours)
		}
	}
}
