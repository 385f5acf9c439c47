package scan_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/scan"
)

// TestNothingIsNeverClean: the least of each format, which no scanner that ran
// would call a result.
func TestNothingIsNeverClean(t *testing.T) {
	for _, data := range []string{
		`{"version":"2.1.0","runs":[]}`,
		`{"version":"2.1.0","runs":null}`,
		`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a"}}}]}`,
		`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a"}},"results":null}]}`,
		`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a"}},"results":[],"externalPropertyFileReferences":{}}]}`,
		`{"SchemaVersion":2}`,
		`{"SchemaVersion":2,"Results":null}`,
		`{"SchemaVersion":2,"Results":[]}`,
		`{"SchemaVersion":2,"Results":[{}]}`,
		`{"matches":[],"descriptor":{"name":"grype"}}`,
		`{"matches":[],"source":{},"descriptor":{"name":"grype"}}`,
		`{"matches":[],"source":{"type":"image","target":null},"descriptor":{"name":"grype"}}`,
		`{"results":null}`,
		`{"results":[]}`,
		`{"results":[{"source":{"path":"a"},"packages":[]}]}`,
		`{"results":[{"source":{"path":"a"},"packages":[{}]}]}`,
		`{"scan_results":null}`,
		`{"scan_results":[]}`,
		`{"scan_results":[{}]}`,
		`{"scan_results":[{"status":"completed","is_safe":true,"findings":{}}]}`,
	} {
		if got := verdict(t, data); got != string(scan.Incomplete) {
			t.Errorf("%s: got %s", data, got)
		}
		r, err := scan.Read([]byte(data))
		if err != nil {
			continue
		}
		checkFindings(t, r)
		if got := r.Clean().Error(); !strings.Contains(got, "not one of a complete scan: ") || len(r.Gaps[0]) < 10 {
			t.Errorf("%s: the error gives no reason: %s", data, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		data := testdata(f, strings.TrimSuffix(filepath.Base(file), ".json"))
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(data)); err != nil {
			f.Fatal(err)
		}
		f.Add(compact.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := scan.Read(data)
		if err != nil {
			if d := cmp.Diff(scan.Report{}, r, cmp.AllowUnexported(scan.Report{})); d != "" {
				t.Errorf("an error, and a report\n%s", d)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		again, err := scan.Read(data)
		if d := cmp.Diff(r, again, cmp.AllowUnexported(scan.Report{})); d != "" || err != nil {
			t.Errorf("read twice, %v:\n%s", err, d)
		}
		checkFindings(t, r)
		sum := 0
		for _, n := range r.Kinds {
			sum += n
		}
		if sum != r.Counts.Against() || r.Failing() != (len(r.Why) > 0) {
			t.Errorf("%d findings by kind, %d by severity, %d examples", sum, r.Counts.Against(), len(r.Why))
		}
		if (r.Clean() == nil) != (r.Complete() && !r.Failing()) {
			t.Errorf("Clean says %v of %+v", r.Clean(), r)
		}
	})
}

// largeSARIF is a report of about n bytes with locations and messages as tools
// write them, all results notes.
func largeSARIF(n int) []byte {
	result := `{"ruleId":"EX003","ruleIndex":2,"message":{"text":"` + strings.Repeat("a remark on this line, ", 8) + `"},` +
		`"locations":[{"physicalLocation":{"artifactLocation":{"uri":"src/a.js","index":3},"region":{"startLine":10,"startColumn":3,"endColumn":9}}}],` +
		`"partialFingerprints":{"primaryLocationLineHash":"39fa2ee980eb94b0:1"}}`
	var s strings.Builder
	s.WriteString(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a","rules":[{"id":"EX001"},{"id":"EX002"},{"id":"EX003","defaultConfiguration":{"level":"note"}}]}},"results":[` + result)
	for s.Len() < n {
		s.WriteString("," + result)
	}
	s.WriteString("]}]}")
	return []byte(s.String())
}

// TestHostileArraysLeaveNothingBehind: tens of thousands of empty values leave
// nothing in memory, in whichever array they stand.
func TestHostileArraysLeaveNothingBehind(t *testing.T) {
	nulls, objects := strings.Repeat(",0", 50_000), strings.Repeat(",{}", 50_000)
	for name, data := range map[string]string{
		"results":    `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a"}},"results":[{}` + objects + `]}]}`,
		"unknown":    `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a"}},"results":[],"x":[0` + nulls + `]}]}`,
		"trivy":      `{"SchemaVersion":2,"Results":[{}` + objects + `]}`,
		"matches":    `{"matches":[{}` + objects + `],"descriptor":{"name":"grype"}}`,
		"osv":        `{"results":[{}` + objects + `]}`,
		"mcp":        `{"scan_results":[{}` + objects + `]}`,
		"mcp member": `{"scan_results":[{"x":[0` + nulls + `]}]}`,
	} {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := scan.Read([]byte(data))
		if err != nil || r.Clean() == nil {
			t.Errorf("%s: %v, or clean", name, err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 1<<20 {
			t.Errorf("%s: %d bytes are kept", name, kept)
		}
		runtime.KeepAlive(r)
	}
	if got := verdict(t, `{"SchemaVersion":2,"Results":[{}`+strings.Repeat(",{}", 1_000_000)+`]}`); got != "refused" {
		t.Errorf("more items than there may be: %s", got)
	}
}

func BenchmarkRead(b *testing.B) {
	data := largeSARIF(10 << 20)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if r, err := scan.Read(data); err != nil || r.Clean() != nil {
			b.Fatal(err, r.Clean())
		}
	}
}
