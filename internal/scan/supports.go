package scan

import (
	"fmt"
	"slices"
)

// borneOut are the positive types of MIS §14.4 that not every report bears out,
// with the formats that do. SARIF is what any tool writes, reviewers' among them;
// the others look for known vulnerabilities in packages, or at tools of a server.
var borneOut = map[string][]Format{
	"side_effects_verified":        {SARIF, MCPScanner},
	"no_prompt_injection_detected": {SARIF, MCPScanner},
	"code_review_passed":           {SARIF},
	"security_audit_passed":        {SARIF},
	"namespace_verified":           nil,
	"schema_validated":             nil,
	"manifest_signed":              nil,
}

// Supports returns nil when a report of this format can bear out an attestation of
// that type, and else an error that says which could. It looks at the format
// alone: whether the report is a clean one is [Report.Clean]. Types against a
// release, and those of somebody's own, may stand on any report.
func (r Report) Supports(attestationType string) error {
	formats, restricted := borneOut[attestationType]
	switch {
	case !restricted || slices.Contains(formats, r.Format):
		return nil
	case len(formats) == 0:
		return fmt.Errorf("no scanner's report bears out %s: got one of %s", attestationType, r.name())
	}
	return fmt.Errorf("a report of %s says nothing about %s: want one of %s", r.name(), attestationType, formats)
}

// name is the tool, and the format where that says more.
func (r Report) name() string {
	if r.Tool == "" || r.Tool == string(r.Format) {
		return string(r.Format)
	}
	return fmt.Sprintf("%s (%s)", r.Tool, r.Format)
}
