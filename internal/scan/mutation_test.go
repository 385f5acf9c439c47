package scan_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestEveryVerdictCounts takes a clean report and changes one member that
// carries a verdict; and the other way round, what carries none changes none.
func TestEveryVerdictCounts(t *testing.T) {
	const (
		clean, failing, incomplete, refused = "clean", "failing", "incomplete", "refused"

		sarifPass = `{"ruleId":"EX001","message":{"text":"an example"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"src/a.js"}}}],"kind":"pass"}`
		sarifNote = `{"ruleId":"EX003",`
		sarifInv  = `"executionSuccessful":true,`
		waived    = `"suppressions":[{"kind":"external"}]`
		accepted  = `"status":"accepted"`
		osr       = `"Class":"os-pkgs",`
		exception = `"Status":"EXCEPTION"`
		ignoring  = `"appliedIgnoreRules":[{"vulnerability":"CVE-2030-0001","reason":"not reachable"}]`
		osvPkg    = `{"package":{"name":"left-example","version":"1.0.0","ecosystem":"npm"}}`
		osvIn     = `{"package":{"name":"left-example","version":"1.0.0","ecosystem":"npm"},`
		yara      = `"yara_analyzer":{"severity":"SAFE","threat_names":[],"threat_summary":"an example","total_findings":0}`
	)
	for _, c := range []struct{ file, old, new, want string }{
		{"sarif-clean", `"kind":"pass"`, `"kind":"fail"`, failing},
		{"sarif-clean", `,"kind":"pass"`, ``, failing},
		{"sarif-clean", `"kind":"pass"`, `"Kind":"pass"`, failing},
		{"sarif-clean", `"kind":"pass"`, `"kind":"passed"`, failing},
		{"sarif-clean", `"kind":"pass"`, `"kind":"pass","level":"error"`, failing},
		{"sarif-clean", `"kind":"pass"`, `"kind":"notApplicable"`, clean},
		{"sarif-clean", `"kind":"pass"`, `"kind":"informational"`, clean},
		{"sarif-clean", `"kind":"pass"`, `"kind":"open"`, incomplete},
		{"sarif-clean", `"kind":"pass"`, `"kind":"review"`, incomplete},
		{"sarif-clean", `"kind":"pass"`, `"baselineState":"absent"`, clean},
		{"sarif-clean", `"kind":"pass"`, `"baselineState":"unchanged"`, failing},
		{"sarif-clean", `"level":"note"}`, `"level":"warning"}`, failing},
		{"sarif-clean", `"level":"note"}`, `"level":"error"}`, failing},
		{"sarif-clean", `"level":"note"}`, `"level":"none"}`, clean},
		{"sarif-clean", `"level":"note"}`, `"level":"recommendation"}`, failing},
		{"sarif-clean", `,"level":"note"}]`, `}]`, failing},
		{"sarif-clean", `"level":"note"}]`, `"level":"note","properties":{"security-severity":"3.1"}}]`, failing},
		{"sarif-clean", `"level":"note"}]`, `"level":"note","properties":{"security-severity":"0.0"}}]`, clean},
		{"sarif-clean", sarifNote, `{"ruleId":"EX004",`, failing},
		{"sarif-clean", sarifNote, `{"ruleId":"EX003/1",`, clean},
		{"sarif-clean", sarifNote, `{"ruleId":"EX00",`, failing},
		{"sarif-clean", sarifNote, `{`, failing},
		{"sarif-clean", sarifNote, `{"ruleIndex":2,`, clean},
		{"sarif-clean", sarifNote, `{"ruleIndex":9,`, failing},
		{"sarif-clean", sarifNote, `{"ruleId":"EX003","ruleIndex":0,`, failing},
		{"sarif-clean", sarifNote, `{"rule":{"id":"EX003"},`, clean},
		{"sarif-clean", `"id":"EX003","defaultConfiguration":{"level":"note"}`, `"id":"EX003"`, failing},
		{"sarif-clean", `"id":"EX003","defaultConfiguration":{"level":"note"}`, `"id":"EX003","defaultConfiguration":{"level":"remark"}`, failing},
		{"sarif-clean", sarifInv, sarifInv + `"ruleConfigurationOverrides":[{"descriptor":{"index":2},"configuration":{"level":"error"}}],`, failing},
		{"sarif-clean", sarifInv, `"executionSuccessful":false,`, incomplete},
		{"sarif-clean", sarifInv, ``, incomplete},
		{"sarif-clean", sarifInv, `"executionsuccessful":true,`, incomplete},
		{"sarif-clean", sarifInv, `"executionSuccessful":"true",`, refused},
		{"sarif-clean", sarifInv, `"executionSuccessful":null,`, incomplete},
		{"sarif-clean", sarifInv, sarifInv + `"exitSignalName":"SIGKILL",`, incomplete},
		{"sarif-clean", sarifInv, sarifInv + `"exitSignalNumber":9,`, incomplete},
		{"sarif-clean", sarifInv, sarifInv + `"processStartFailureMessage":"no such file",`, incomplete},
		{"sarif-clean", sarifInv, sarifInv + `"exitCode":1,`, clean},
		{"sarif-clean", `"level":"note","message":{"text":"3 files"}`, `"level":"error","message":{"text":"3 files"}`, incomplete},
		{"sarif-clean", `toolExecutionNotifications":[{"level":"note"`, `toolConfigurationNotifications":[{"level":"error"`, incomplete},
		{"sarif-clean", `"results":[`, `"Results":[`, incomplete},
		{"sarif-clean", `"results":[` + sarifPass, `"results":null,"x":[` + sarifPass, incomplete},
		{"sarif-clean", `"invocations":`, `"Invocations":`, incomplete},
		{"sarif-clean", `"artifacts":`, `"externalPropertyFileReferences":{"results":[{"location":{"uri":"b.sarif"}}]},"artifacts":`, incomplete},
		{"sarif-clean", `"version":"2.1.0"`, `"version":"2.1.0","inlineExternalProperties":[{"results":[]}]`, incomplete},
		{"sarif-clean", `"version":"2.1.0"`, `"version":"2.2"`, refused},
		{"sarif-clean", `"runs":[`, `"runs":[{"tool":{"driver":{"name":"examplelint","version":"1.4.2"}}},`, incomplete},
		{"sarif-clean", `"runs":[`, `"runs":[{"tool":{"driver":{"name":"examplelint","version":"1.4.2"}},"results":[{}]},`, failing},
		{"sarif-clean", `"runs":[`, `"runs":[{"tool":{"driver":{"name":"examplelint","version":"1.4.3"}},"results":[]},`, refused},
		{"sarif-suppressed", waived, `"suppressions":[]`, failing},
		{"sarif-suppressed", waived, `"suppressions":null`, failing},
		{"sarif-suppressed", waived, `"Suppressions":[{"kind":"external"}]`, failing},
		{"sarif-suppressed", accepted, `"status":"rejected"`, failing},
		{"sarif-suppressed", accepted, `"status":"underReview"`, failing},
		{"sarif-suppressed", accepted, `"status":"Accepted"`, failing},
		{"sarif-suppressed", waived, `"suppressions":[{"kind":"external"},{"kind":"external","status":"rejected"}]`, failing},
		{"sarif-suppressed", waived, `"suppressions":[{"kind":"inSource"}]`, failing},
		{"sarif-suppressed", waived, `"suppressions":[{"kind":"inSource","status":"accepted"}]`, failing},
		{"sarif-suppressed", waived, `"suppressions":[{"kind":"inSource"},{"kind":"external"}]`, failing},
		{"sarif-suppressed", waived, `"suppressions":[{"status":"accepted"}]`, failing},
		{"sarif-incomplete", `"executionSuccessful":false`, `"executionSuccessful":true`, clean},

		{"trivy-clean", osr, osr + `"Vulnerabilities":[{}],`, failing},
		{"trivy-clean", osr, osr + `"Vulnerabilities":[],`, clean},
		{"trivy-clean", osr, osr + `"Vulnerabilities":null,`, clean},
		{"trivy-clean", osr, osr + `"Vulnerabilities":[null],`, refused},
		{"trivy-clean", osr, osr + `"vulnerabilities":[{}],`, incomplete},
		{"trivy-clean", osr, osr + `"Findings":{"a":1},`, incomplete},
		{"trivy-clean", osr, osr + `"Note":"x",`, clean},
		{"trivy-clean", osr, osr + `"Secrets":[{}],`, failing},
		{"trivy-clean", osr, osr + `"Licenses":[{"Severity":"LOW"}],`, failing},
		{"trivy-clean", osr, osr + `"ModifiedFindings":[{"Status":"affected"}],`, failing},
		{"trivy-clean", osr, osr + `"ModifiedFindings":[{"Status":"under_investigation"}],`, failing},
		{"trivy-clean", osr, osr + `"ModifiedFindings":[{"Status":"fixed"}],`, clean},
		{"trivy-clean", `"Severity":"HIGH","Status":"PASS"`, `"Severity":"HIGH","Status":"FAIL"`, failing},
		{"trivy-clean", `"Severity":"HIGH","Status":"PASS"`, `"Severity":"HIGH"`, failing},
		{"trivy-clean", `"Severity":"HIGH","Status":"PASS"`, `"Severity":"HIGH","Status":"pass"`, failing},
		{"trivy-clean", `"Failures":0`, `"Failures":1`, failing},
		{"trivy-clean", `"Name":"3.22"`, `"Name":"3.22","EOSL":true`, incomplete},
		{"trivy-clean", `"SchemaVersion":2`, `"SchemaVersion":3`, refused},
		{"trivy-clean", `"Class"`, `"Klass"`, incomplete},
		{"trivy-clean", `"Results":`, `"Result":`, incomplete},
		{"trivy-suppressed", exception, `"Status":"FAIL"`, failing},
		{"trivy-suppressed", `"Status":"ignored"`, `"Status":"unknown"`, failing},
		{"trivy-suppressed", `"Status":"not_affected"`, `"Status":"affected"`, failing},
		{"trivy-suppressed", `"ExperimentalModifiedFindings"`, `"Vulnerabilities"`, failing},

		{"grype-clean", `"matches":[]`, `"matches":[{}]`, failing},
		{"grype-clean", `"matches":[]`, `"matches":null`, incomplete},
		{"grype-clean", `"matches":[]`, `"matches":{}`, refused},
		{"grype-clean", `"matches":[]`, `"matches":[],"ignoredMatches":[{}]`, failing},
		{"grype-clean", `"matches":[]`, `"matches":[],"alertsByPackage":[{"alerts":[{"type":"distro-disabled"}]}]`, incomplete},
		{"grype-clean", `"matches":[]`, `"matches":[],"Matches":[{}]`, incomplete},
		{"grype-clean", `"type":"image"`, `"type":"unknown"`, incomplete},
		{"grype-clean", `"type":"image","target":`, `"type":"image","Target":`, incomplete},
		{"grype-clean", `"type":"image","target":`, `"type":"directory","target":"/src","x":`, clean},
		{"grype-clean", `"type":"image","target":`, `"type":"directory","target":"","x":`, incomplete},
		{"grype-clean", `"type":"image","target":`, `"type":"image","target":{},"x":`, incomplete},
		{"grype-clean", `"type":"image","target":`, `"type":"image","target":{"tags":["x"]},"x":`, incomplete},
		{"grype-clean", `"type":"image","target":`, `"type":"image","target":{"userInput":"x"},"x":`, clean},
		{"grype-clean", `"source":`, `"Source":`, incomplete},
		{"grype-clean", `"valid":true`, `"valid":false`, incomplete},
		{"grype-clean", `"valid":true`, `"valid":true,"error":"stale"`, incomplete},
		{"grype-clean", `"valid":true`, `"valid":true,"error":null`, clean},
		{"grype-clean", `"name":"grype"`, `"name":"other"`, refused},
		{"grype-suppressed", ignoring, `"appliedIgnoreRules":[]`, failing},
		{"grype-suppressed", `"ignoredMatches"`, `"ignoredmatches"`, incomplete},

		{"osv-clean", osvPkg, osvIn + `"vulnerabilities":[{}]}`, failing},
		{"osv-clean", osvPkg, osvIn + `"vulnerabilities":[]}`, clean},
		{"osv-clean", osvPkg, osvIn + `"Vulnerabilities":[{"id":"x"}]}`, incomplete},
		{"osv-clean", osvPkg, osvIn + `"groups":[{"ids":["x"]}]}`, failing},
		{"osv-clean", osvPkg, osvIn + `"license_violations":["x"]}`, failing},
		{"osv-clean", `"packages":[`, `"Packages":[`, incomplete},
		{"osv-clean", `"results":[`, `"experimental_generic_findings":[{}],"results":[`, failing},
		{"osv-clean", `"results":[`, `"errors":[],"results":[`, refused},
		{"osv-clean", `"name":"left-example"`, `"Name":"left-example"`, incomplete},
		{"osv-suppressed", `"ids":["GHSA-xxxx-0003"]`, `"ids":[]`, clean},

		{"mcp-clean", `"is_safe":true`, `"is_safe":false`, failing},
		{"mcp-clean", `"is_safe":true,`, ``, incomplete},
		{"mcp-clean", `"is_safe":true`, `"is_Safe":true`, incomplete},
		{"mcp-clean", `"status":"completed"`, `"status":"failed"`, incomplete},
		{"mcp-clean", `"status":"completed",`, ``, incomplete},
		{"mcp-clean", yara, strings.Replace(yara, `:0`, `:1`, 1), failing},
		{"mcp-clean", yara, strings.Replace(yara, `:0`, `:-1`, 1), failing},
		{"mcp-clean", yara, strings.Replace(yara, `SAFE`, `LOW`, 1), failing},
		{"mcp-clean", yara, strings.Replace(yara, `SAFE`, `UNKNOWN`, 1), failing},
		{"mcp-clean", `"findings":{`, `"findings":{},"Findings":{`, incomplete},
		{"mcp-clean", `"scan_results":[`, `"scan_results":[],"x":[`, incomplete},
	} {
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(testdata(t, c.file))); err != nil {
			t.Fatal(err)
		}
		base := compact.String()
		if !strings.Contains(base, c.old) {
			t.Errorf("%s: there is no %s to change", c.file, c.old)
		}
		if got := verdict(t, strings.ReplaceAll(base, c.old, c.new)); got != c.want {
			r := strings.ReplaceAll(base, c.old, c.new)
			t.Errorf("%s, %s to %s: got %s, want %s\n%.300s", c.file, c.old, c.new, got, c.want, r)
		}
	}
}
