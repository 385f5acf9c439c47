package scan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/scan"
)

const (
	digestA = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
	digestC = "c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3"
)

func testdata(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// verdict reads a report and says what came of it; "refused" is an error.
func verdict(t testing.TB, data string) string {
	t.Helper()
	r, err := scan.Read([]byte(data))
	if err != nil {
		if len(err.Error()) > 600 {
			t.Errorf("an error of %d bytes: %.80s", len(err.Error()), err)
		}
		return "refused"
	}
	v := r.Verdict()
	if (v == scan.Clean) != (r.Clean() == nil) {
		t.Errorf("verdict %s, but Clean says %v", v, r.Clean())
	}
	return string(v)
}

func TestReadRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"nothing":              "",
		"white space":          " \n",
		"byte order mark":      "\ufeff",
		"null":                 "null",
		"empty array":          "[]",
		"empty object":         "{}",
		"text":                 "No issues found",
		"a log before it":      `INFO scanning` + "\n" + `{"runs":[]}`,
		"two reports":          `{"runs":[],"version":"2.1.0"}{"runs":[],"version":"2.1.0"}`,
		"two formats":          `{"version":"2.1.0","runs":[],"matches":[]}`,
		"two formats, trivy":   `{"SchemaVersion":2,"results":[]}`,
		"another tool":         `{"results":[],"errors":[],"paths":{"scanned":[]}}`,
		"many members":         `{"runs":[]` + many(`,"m%d":0`, 100) + `}`,
		"SARIF 2.0.0":          `{"version":"2.0.0","runs":[]}`,
		"SARIF of no version":  `{"runs":[]}`,
		"SARIF runs an object": `{"version":"2.1.0","runs":{}}`,
		"SARIF null run":       `{"version":"2.1.0","runs":[null]}`,
		"SARIF no tool":        `{"version":"2.1.0","runs":[{"results":[]}]}`,
		"SARIF two tools":      `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a"}},"results":[]},{"tool":{"driver":{"name":"b"}},"results":[]}]}`,
		"SARIF null result":    `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a"}},"results":[null]}]}`,
		"SARIF level a number": `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a"}},"results":[{"level":1}]}]}`,
		"SARIF escape in name": `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a\u001b[2J"}},"results":[]}]}`,
		"SARIF long name":      `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"` + strings.Repeat("a", 101) + `"}},"results":[]}]}`,
		"SARIF many runs":      `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a"}}}` + many(`,{"tool":{"driver":{"name":"a"}},"columnKind":"%d"}`, 1000) + `]}`,
		"trivy schema 1":       `{"SchemaVersion":1,"Results":[]}`,
		"trivy schema text":    `{"SchemaVersion":"2","Results":[]}`,
		"trivy results object": `{"SchemaVersion":2,"Results":{}}`,
		"another descriptor":   `{"matches":[],"descriptor":{"name":"syft"}}`,
		"grype no descriptor":  `{"matches":[]}`,
		"osv duplicate member": testdata(t, "osv-hostile"),
		"mcp filtered many":    `{"scan_results":[{"meta_analysis":{"filtered_count":99999999}}]}`,
		"mcp found many":       `{"scan_results":[{"findings":{"a":{"severity":"LOW","total_findings":99999999}}}]}`,
		"deep":                 `{"version":"2.1.0","runs":[{"properties":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}]}`,
		"bidi in the name":     testdata(t, "sarif-hostile"),
		"too large":            `{"runs":[` + strings.Repeat(" ", scan.MaxSize) + `]}`,
	} {
		if got := verdict(t, data); got != "refused" {
			t.Errorf("%s: got %s, want it refused", name, got)
		}
	}
}

func many(format string, n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, format, i)
	}
	return s.String()
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		file       string
		verdict    scan.Verdict
		counts     scan.Counts
		suppressed int
		tool       string
		targets    string
	}{
		{"sarif-clean", scan.Clean, scan.Counts{Note: 2, Passed: 1}, 0, "examplelint 1.4.2", "https://example.com/acme/server@0123abc dist/server.tgz"},
		{"sarif-failing", scan.Failing, scan.Counts{High: 2, Medium: 1, Low: 1, Note: 1}, 0, "examplelint 1.4.2", "https://example.com/acme/server@0123abc dist/server.tgz"},
		{"sarif-suppressed", scan.Clean, scan.Counts{}, 2, "examplelint 1.4.2", "https://example.com/acme/server@0123abc dist/server.tgz"},
		{"sarif-incomplete", scan.Incomplete, scan.Counts{}, 0, "examplelint 1.4.2", "https://example.com/acme/server@0123abc dist/server.tgz"},
		{"trivy-clean", scan.Clean, scan.Counts{Passed: 2}, 0, "trivy 0.74.0", "registry.example/acme/server registry.example/acme/server:1.2.0"},
		{"trivy-failing", scan.Failing, scan.Counts{Critical: 1, High: 2, Low: 1, Unknown: 1, Passed: 1}, 0, "trivy 0.74.0", "registry.example/acme/server registry.example/acme/server:1.2.0"},
		{"trivy-suppressed", scan.Clean, scan.Counts{}, 3, "trivy 0.74.0", "registry.example/acme/server registry.example/acme/server:1.2.0"},
		{"trivy-incomplete", scan.Incomplete, scan.Counts{}, 0, "trivy 0.74.0", "registry.example/acme/server registry.example/acme/server:1.2.0"},
		{"trivy-hostile", scan.Incomplete, scan.Counts{}, 0, "trivy 0.74.0", "registry.example/acme/server registry.example/acme/server:1.2.0"},
		{"grype-clean", scan.Clean, scan.Counts{}, 0, "grype 0.114.0", "registry.example/acme/server registry.example/acme/server:1.2.0 registry.example/acme/server:1.2.0"},
		{"grype-failing", scan.Failing, scan.Counts{High: 1, Medium: 1, Low: 1}, 0, "grype 0.114.0", "registry.example/acme/server registry.example/acme/server:1.2.0 registry.example/acme/server:1.2.0"},
		{"grype-suppressed", scan.Clean, scan.Counts{}, 1, "grype 0.114.0", "registry.example/acme/server registry.example/acme/server:1.2.0 registry.example/acme/server:1.2.0"},
		{"grype-incomplete", scan.Incomplete, scan.Counts{}, 0, "grype 0.114.0", ""},
		{"grype-hostile", scan.Incomplete, scan.Counts{}, 0, "grype 0.114.0", "registry.example/acme/server registry.example/acme/server:1.2.0 registry.example/acme/server:1.2.0"},
		{"osv-clean", scan.Clean, scan.Counts{}, 0, "osv-scanner ", "package-lock.json"},
		{"osv-failing", scan.Failing, scan.Counts{Critical: 2, Medium: 1, Unknown: 2}, 0, "osv-scanner ", "package-lock.json"},
		{"osv-suppressed", scan.Failing, scan.Counts{Medium: 1}, 0, "osv-scanner ", "package-lock.json"},
		{"osv-incomplete", scan.Incomplete, scan.Counts{}, 0, "osv-scanner ", ""},
		{"mcp-clean", scan.Clean, scan.Counts{}, 0, "mcp-scanner ", "http://127.0.0.1:8001/sse"},
		{"mcp-failing", scan.Failing, scan.Counts{High: 2, Unknown: 1}, 0, "mcp-scanner ", "http://127.0.0.1:8001/sse"},
		{"mcp-suppressed", scan.Clean, scan.Counts{}, 1, "mcp-scanner ", "http://127.0.0.1:8001/sse"},
		{"mcp-incomplete", scan.Incomplete, scan.Counts{}, 0, "mcp-scanner ", "http://127.0.0.1:8001/sse"},
		{"mcp-hostile", scan.Failing, scan.Counts{Unknown: 3}, 0, "mcp-scanner ", "http://127.0.0.1:8001/sse"},
	} {
		data := testdata(t, c.file)
		r, err := scan.Read([]byte(data))
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		if r.Verdict() != c.verdict || r.Suppressed != c.suppressed || r.Tool+" "+r.Version != c.tool {
			t.Errorf("%s: got %s, %d suppressed, %s %s; want %s, %d, %s (why %q, gaps %q)", c.file, r.Verdict(), r.Suppressed, r.Tool, r.Version, c.verdict, c.suppressed, c.tool, r.Why, r.Gaps)
		}
		if d := cmp.Diff(c.counts, r.Counts); d != "" {
			t.Errorf("%s: counts (-want +got)\n%s", c.file, d)
		}
		var names []string
		for _, target := range r.Targets {
			names = append(names, target.Name)
		}
		if got := strings.Join(names, " "); got != c.targets {
			t.Errorf("%s: got targets %q, want %q", c.file, got, c.targets)
		}
		if got := verdict(t, "\ufeff"+data); got != string(c.verdict) {
			t.Errorf("%s behind a byte order mark: got %s", c.file, got)
		}
		checkFindings(t, r)
	}
}

// checkFindings holds for every report: bounded, the same bytes each time, JSON
// that others read, with the verdict in it.
func checkFindings(t testing.TB, r scan.Report) {
	t.Helper()
	out, err := r.Findings()
	if err != nil {
		t.Fatalf("findings: %v", err)
	}
	again, _ := r.Findings()
	if !bytes.Equal(out, again) || len(out) > 16<<10 {
		t.Errorf("findings of %d bytes, or not the same twice", len(out))
	}
	var v struct {
		Verdict scan.Verdict `json:"verdict"`
		Tool    string       `json:"tool"`
	}
	if err := json.Unmarshal(out, &v); err != nil || v.Verdict != r.Verdict() || v.Tool == "" {
		t.Errorf("got %+v, %v from %s", v, err, out)
	}
}

func TestFindings(t *testing.T) {
	r, err := scan.Read([]byte(testdata(t, "grype-failing")))
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.Findings()
	if err != nil {
		t.Fatal(err)
	}
	image := `"registry.example/acme/server:1.2.0"`
	want := `{"counts":{"critical":0,"high":1,"low":1,"medium":1,"note":0,"passed":0,"unknown":0},` +
		`"database":{"built":"2026-09-01T06:00:00Z","digest":"sha256:` + strings.Repeat("d4", 32) + `"},` +
		`"format":"grype","kinds":{"vulnerability":3},"report_digest":"` + r.Digest + `","suppressed":0,` +
		`"targets":[{"digest":"sha256:` + digestC + `","name":"registry.example/acme/server"},` +
		`{"digest":"sha256:` + strings.Repeat("b2", 32) + `","name":` + image + `},{"digest":"sha256:` + digestA + `","name":` + image + `}],` +
		`"targets_total":3,"tool":"grype","verdict":"failing","version":"0.114.0"}`
	if d := cmp.Diff(want, string(out)); d != "" {
		t.Errorf("findings (-want +got)\n%s", d)
	}
	if err := r.Clean(); err == nil || !strings.Contains(err.Error(), `3 findings (1 high, 1 medium, 1 low), such as "CVE-2030-0001" (high, vulnerability)`) {
		t.Errorf("got %v, want the counts and an example", err)
	}
}

// TestSARIFCounts: where a level comes from does not only turn the verdict, it
// says how bad the finding is.
func TestSARIFCounts(t *testing.T) {
	const rules = `{"id":"R1","defaultConfiguration":{"level":"error"}},{"id":"R2","defaultConfiguration":{"level":"note"},"properties":{"security-severity":"9.1"}}`
	for result, want := range map[string]scan.Counts{
		`{}`:                              {Medium: 1},
		`{"ruleId":"R0"}`:                 {Medium: 1},
		`{"ruleId":"R1"}`:                 {High: 1},
		`{"ruleId":"R1/sub/sub"}`:         {High: 1},
		`{"ruleId":"R1","level":"note"}`:  {Note: 1},
		`{"ruleId":"R2"}`:                 {Critical: 1},
		`{"ruleId":"R2","level":"error"}`: {Critical: 1},
		`{"ruleId":"R1","ruleIndex":1}`:   {Critical: 1},
		`{"level":"catastrophe"}`:         {Unknown: 1},
		`{"kind":"maybe","level":"note"}`: {Unknown: 1},
		`{"kind":"informational"}`:        {Note: 1},
		`{"kind":"pass","level":"error"}`: {High: 1},
		`{"level":"error","properties":{"security-severity":"2.0"}}`: {Low: 1},
	} {
		r, err := scan.Read([]byte(`{"version":"2.1.0","runs":[{"results":[` + result + `],"tool":{"driver":{"name":"a","rules":[` + rules + `]}}}]}`))
		if err != nil {
			t.Errorf("%s: %v", result, err)
			continue
		}
		if d := cmp.Diff(want, r.Counts); d != "" {
			t.Errorf("%s (-want +got)\n%s", result, d)
		}
	}
}

// TestGrypeDatabase: the database's state stands in one place up to schema 5 and
// in another from 6 on.
func TestGrypeDatabase(t *testing.T) {
	report := func(db string) []byte {
		return []byte(`{"matches":[],"source":{"type":"directory","target":"/src"},"descriptor":{"name":"grype","version":"0.70.0","db":` + db + `}}`)
	}
	r, err := scan.Read(report(`{"built":"2023-10-01T01:26:00Z","schemaVersion":5,"location":"/home/someone/5","checksum":"sha256:` + digestA + `","error":null}`))
	want := scan.Database{Built: "2023-10-01T01:26:00Z", Digest: "sha256:" + digestA}
	if err != nil || r.Database != want || r.Clean() != nil {
		t.Errorf("got %+v, %v, %v; want %+v", r.Database, r.Clean(), err, want)
	}
	for _, db := range []string{`{"built":"x","error":"too old"}`, `{"built":"x","error":{}}`, `{"status":{"valid":false}}`, `{"status":{"error":"none"}}`} {
		if got := verdict(t, string(report(db))); got != "incomplete" {
			t.Errorf("%s: got %s", db, got)
		}
	}
	if r, err := scan.Read(report(`{"built":"a\u202eb","checksum":"md5:x"}`)); err != nil || r.Database != (scan.Database{}) {
		t.Errorf("got %+v, %v; want nothing of it", r.Database, err)
	}
}

func TestFindingsOfNothing(t *testing.T) {
	var r scan.Report
	if out, err := r.Findings(); err == nil {
		t.Errorf("got %s from no report", out)
	}
	if r.Clean() == nil || r.Verdict() != scan.Incomplete {
		t.Errorf("no report is %s", r.Verdict())
	}
}

// TestFindingsAreBounded: many long targets and rules make no long object.
func TestFindingsAreBounded(t *testing.T) {
	data := `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a\"\\","version":"` + strings.Repeat(`\"`, 100) + `","rules":[{"id":"r"}` + many(`,{"id":"%d"}`, 5000) + `]}},"results":[],` +
		`"artifacts":[{}` + many(`,{"location":{"uri":"`+strings.Repeat(`\\`, 190)+`x%d"},"roles":["analysisTarget"]}`, 50) + `]}]}`
	r, err := scan.Read([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Targets) != 10 || r.TargetsTotal != 50 || r.Rules.Count != 5001 {
		t.Errorf("got %d targets of %d and %d rules", len(r.Targets), r.TargetsTotal, r.Rules.Count)
	}
	checkFindings(t, r)
}

func TestNames(t *testing.T) {
	other := strings.Repeat("0e", 32)
	for _, c := range []struct {
		file    string
		digests []string
		want    scan.Naming
	}{
		{"trivy-clean", []string{digestA}, scan.Named},
		{"trivy-clean", []string{"sha256:" + strings.ToUpper(digestA)}, scan.Named},
		{"trivy-clean", []string{digestC}, scan.Contradicted}, // a layer's
		{"trivy-clean", []string{other, digestA}, scan.Named},
		{"grype-clean", []string{digestC}, scan.Named},
		{"grype-clean", []string{other}, scan.Contradicted},
		{"sarif-clean", []string{digestA}, scan.Named},
		{"sarif-clean", []string{other}, scan.Unnamed},
		{"osv-clean", []string{other}, scan.Unnamed},
		{"osv-clean", []string{""}, scan.Unnamed},
		{"grype-incomplete", nil, scan.Unnamed},
	} {
		r, err := scan.Read([]byte(testdata(t, c.file)))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Names(c.digests...); got != c.want {
			t.Errorf("%s, %.20q: got %s, want %s", c.file, c.digests, got, c.want)
		}
	}
}
