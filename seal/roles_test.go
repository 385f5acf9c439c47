package seal_test

import (
	"slices"
	"testing"

	"github.com/mcp-integrity/seal-action/seal"
)

// TestCheckType is the table of MIS §14.4.
func TestCheckType(t *testing.T) {
	standard := map[string]seal.Role{
		"manifest_signed":                seal.RolePublisher,
		"namespace_verified":             seal.RoleRegistry,
		"schema_validated":               seal.RoleRegistry,
		"no_prompt_injection_detected":   seal.RoleScanner,
		"side_effects_verified":          seal.RoleScanner,
		"side_effects_discrepancy_found": seal.RoleScanner,
		"malware_scan_clean":             seal.RoleScanner,
		"code_review_passed":             seal.RoleAuditor,
		"security_audit_passed":          seal.RoleAuditor,
	}
	roles := []seal.Role{seal.RolePublisher, seal.RoleRegistry, seal.RoleScanner, seal.RoleAuditor}
	for word, holder := range standard {
		for _, role := range roles {
			// An auditor looks at the same things, and may say that it found the same.
			may := role == holder || role == seal.RoleAuditor && word == seal.TypeSideEffectsDiscrepancyFound
			if err := seal.CheckType(role, word); (err == nil) != may {
				t.Errorf("%s by a %s: got %v", word, role, err)
			}
		}
		positive := slices.Contains(seal.PositiveTypes(holder), word)
		if negative := seal.Negative(word); negative != (word == seal.TypeSideEffectsDiscrepancyFound) || positive == negative {
			t.Errorf("%s: positive %v, negative %v", word, positive, negative)
		}
	}
	for word, want := range map[string]bool{
		"com.example.fuzzed": true, "com.example.deep.fuzz_found": true, "io.github.acme-2.x": true,
		"": false, "fuzzed": false, "com.": false, ".com.x": false, "com..x": false, "com.example.Fuzzed": false,
		"com.example.fuzzed ": false, "com.example.fuzzed\n": false, "com.еxample.fuzzed": false, "-com.x": false, "com.x-": false,
		"namespace_verified.": false, "Namespace_Verified": false, "namespace_verified ": false,
	} {
		for _, role := range roles {
			if err := seal.CheckType(role, word); (err == nil) != want {
				t.Errorf("%q by a %s: got %v, want it allowed: %v", word, role, err, want)
			}
		}
	}
}

// TestPositiveTypesAreACopy: who changes what was returned changes no trust.
func TestPositiveTypesAreACopy(t *testing.T) {
	seal.PositiveTypes(seal.RoleScanner)[0] = "anything"
	if slices.Contains(seal.PositiveTypes(seal.RoleScanner), "anything") {
		t.Error("the table was changed from outside")
	}
}

func TestNegative(t *testing.T) {
	for word, want := range map[string]bool{
		"side_effects_discrepancy_found":           true,
		"malware_detected":                         true,
		"security_audit_failed":                    true,
		"namespace_rejected":                       true,
		"com.example.approval_revoked":             true,
		"com.example.no_name.malware_found":        true,
		"no_prompt_injection_detected":             false,
		"com.example.no_malware_found":             false,
		"malware_scan_clean":                       false,
		"com.example_found.scanned":                false,
		"found":                                    false,
		"":                                         false,
		"com.example.notable_found":                true,
		"com.example.scan.failed":                  true,
		"com.example.scan.found":                   true,
		"com.example.malware-found":                true,
		"com.example.deep-scan_failed":             true,
		"com.example.no-malware-found":             false,
		"com.example.no_malware-found":             false,
		"com.example.no-malware_found":             false,
		"com.example.unfound":                      false,
		"com.example-failed.scanned":               false,
		"com.failed.scanned":                       false,
		"side_effects_discrepancy_found_not":       false,
		"com.example.no_discrepancy_found.scanned": false,
	} {
		if got := seal.Negative(word); got != want {
			t.Errorf("%q: got %v, want %v", word, got, want)
		}
	}
}

func FuzzTypes(f *testing.F) {
	for _, word := range []string{"side_effects_discrepancy_found", "com.example.no_malware_found", "a.b", "", "."} {
		f.Add(word)
	}
	f.Fuzz(func(t *testing.T, word string) {
		// What takes a word back never speaks against the release itself, and a
		// word and its answer are about the same question, whoever asks first.
		answer := "no_" + word
		if seal.Negative(word) && seal.Negative(answer) && !slices.Contains([]byte(word), '.') {
			t.Errorf("%q and %q both speak against", word, answer)
		}
		for _, role := range []seal.Role{seal.RoleRegistry, seal.RoleScanner, seal.RoleAuditor} {
			if slices.Contains(seal.PositiveTypes(role), word) && (seal.Negative(word) || seal.CheckType(role, word) != nil) {
				t.Errorf("%q of a %s", word, role)
			}
		}
	})
}
