package scan

import "github.com/mcp-integrity/seal-action/seal/strictjson"

// mcpReport is the raw output of Cisco's mcp-scanner (docs/output-formats.md).
type mcpReport struct {
	ServerURL string          `json:"server_url"`
	Requested skip            `json:"requested_analyzers"`
	Results   list[mcpResult] `json:"scan_results"`

	unknowns
}

type mcpResult struct {
	ToolName     string `json:"tool_name"`
	PromptName   string `json:"prompt_name"`
	ResourceURI  string `json:"resource_uri"`
	ServerSource string `json:"server_source"`

	Status   string               `json:"status"`
	Safe     *bool                `json:"is_safe"`
	Findings members[mcpAnalyzer] `json:"findings"`
	Meta     struct {
		Filtered int `json:"filtered_count"`
	} `json:"meta_analysis"`

	unknowns

	found int
}

type mcpAnalyzer struct {
	Severity string `json:"severity"`
	Total    int    `json:"total_findings"`
}

func (r *reader) mcp(text []byte) error {
	r.tool("mcp-scanner", "") // it does not write its version
	report := mcpReport{}
	report.Results.start = func(v *mcpResult) {
		v.Findings.each = func(name string, a *mcpAnalyzer) { v.found += r.mcpAnalyzer(name, a) }
	}
	report.Results.each = r.mcpResult
	if err := strictjson.DecodeOpen(text, &report); err != nil {
		return err
	}
	if report.Results.n == 0 {
		r.gap("it has no result: mcp-scanner looked at no tool")
	}
	r.unread("the report", report.Unknown)
	r.target(report.ServerURL, "", false)
	return nil
}

// mcpAnalyzer counts what one analyzer found in one tool, prompt or resource.
func (r *reader) mcpAnalyzer(name string, a *mcpAnalyzer) int {
	if printable(name, maxTargetName) != nil {
		r.fail("an analyzer's name is %.60q; want at most %d printable bytes", name, maxTargetName)
		return 0
	}
	r.rules[name] = true
	n := a.Total
	if n < 0 || n == 0 && a.Severity != "SAFE" {
		n = 1 // a severity without a finding is one
	}
	if n > 0 {
		r.against(Other, severityNamed(a.Severity), n, name)
	}
	return n
}

func (r *reader) mcpResult(v *mcpResult) {
	r.unread("a result", v.Unknown)
	name := v.ToolName + v.PromptName + v.ResourceURI
	if v.Status != "completed" {
		r.gap("the scan of %.60q has status %.40q", name, v.Status)
	}
	if v.Findings.n == 0 {
		r.gap("no analyzer looked at %.60q", name)
	}
	switch {
	case v.Safe == nil:
		r.gap("it does not say is_safe of %.60q", name)
	case !*v.Safe && v.found == 0:
		r.against(Other, unknown, 1, name)
	}
	if v.Meta.Filtered < 0 || v.Meta.Filtered > maxItems {
		r.fail("got filtered_count %d, want 0 to %d", v.Meta.Filtered, maxItems)
		return
	}
	r.Suppressed += v.Meta.Filtered
	r.target(v.ServerSource, "", false)
}
