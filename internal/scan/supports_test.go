package scan_test

import (
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/scan"
	"github.com/mcp-integrity/seal-action/seal"
)

// TestSupports: every positive type of the standard, by the formats that bear it
// out.
func TestSupports(t *testing.T) {
	formats := []scan.Format{scan.SARIF, scan.Trivy, scan.Grype, scan.OSVScanner, scan.MCPScanner}
	want := map[string]string{
		seal.TypeManifestSigned:              "",
		seal.TypeNamespaceVerified:           "",
		seal.TypeSchemaValidated:             "",
		seal.TypeSideEffectsVerified:         "sarif mcp-scanner",
		"no_prompt_injection_detected":       "sarif mcp-scanner",
		seal.TypeMalwareScanClean:            "sarif trivy grype osv-scanner mcp-scanner",
		"code_review_passed":                 "sarif",
		"security_audit_passed":              "sarif",
		"com.example.fuzzed":                 "sarif trivy grype osv-scanner mcp-scanner",
		seal.TypeSideEffectsDiscrepancyFound: "sarif trivy grype osv-scanner mcp-scanner",
	}
	for _, role := range []seal.Role{seal.RolePublisher, seal.RoleRegistry, seal.RoleScanner, seal.RoleAuditor} {
		for _, standard := range seal.PositiveTypes(role) {
			if _, ok := want[standard]; !ok {
				t.Errorf("%s is not decided", standard)
			}
		}
	}
	for attestationType, formatsWanted := range want {
		var got []string
		for _, f := range formats {
			if err := (scan.Report{Format: f, Tool: "x"}).Supports(attestationType); err == nil {
				got = append(got, string(f))
			} else if !strings.Contains(err.Error(), attestationType) || !strings.Contains(err.Error(), "x ("+string(f)+")") {
				t.Errorf("%s of %s: the error says too little: %v", attestationType, f, err)
			}
		}
		if strings.Join(got, " ") != formatsWanted {
			t.Errorf("%s: got %q, want %q", attestationType, got, formatsWanted)
		}
	}
	if err := (scan.Report{}).Supports(seal.TypeSideEffectsVerified); err == nil {
		t.Error("no report bears it out")
	}
}
