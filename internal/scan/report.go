package scan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Bounds of what strangers wrote.
const (
	// MaxSize bounds a report in bytes: GitHub takes SARIF of 10 MB compressed,
	// and reports with every package of an image stay below.
	MaxSize = 64 << 20
	// maxItems bounds each array and object that is read item by item, and every
	// number of findings that a report claims.
	maxItems = 1_000_000
	// maxRuns is more than the languages or jobs that one tool reports at once.
	maxRuns = 1000
	// maxRules is ten times the largest rule set that is in use.
	maxRules = 100_000
	// maxTop bounds the members at the top: no format has half as many.
	maxTop = 64
	// maxName bounds a tool's name and version: they go into a statement.
	maxName = 100
	// maxTargetName bounds a target's name: an image reference has up to 255
	// characters, most far fewer.
	maxTargetName = 200
	// maxTargets is how many targets are written into the findings.
	maxTargets = 10
	// maxDigests is how many digests are remembered for [Report.Names].
	maxDigests = 1000
	// maxWhy is how many examples of what speaks against a report are kept.
	maxWhy = 5
	// maxFindings bounds the JSON object for the statement (decision 10b).
	maxFindings = 16 << 10
)

// Format is the format of a report, as in the table of the package comment.
type Format string

// The formats that [Read] recognises.
const (
	SARIF      Format = "sarif"
	Trivy      Format = "trivy"
	Grype      Format = "grype"
	OSVScanner Format = "osv-scanner"
	MCPScanner Format = "mcp-scanner"
)

// Kind says what a finding is about.
type Kind string

// The kinds of findings.
const (
	Vulnerability    Kind = "vulnerability"
	Misconfiguration Kind = "misconfiguration"
	Secret           Kind = "secret"
	License          Kind = "license"
	Other            Kind = "other"
)

// Verdict is what a report supports, in one word.
type Verdict string

// The verdicts. Failing comes first: a scan that broke off after a finding has
// found something. The zero value is none of them.
const (
	Clean      Verdict = "clean"
	Failing    Verdict = "failing"
	Incomplete Verdict = "incomplete"
)

// Counts are numbers of results. The first five speak against; Note (results
// that the tool calls remarks) and Passed do not.
type Counts struct {
	Critical int `json:"critical"`
	High     int `json:"high"`
	Medium   int `json:"medium"`
	Low      int `json:"low"`
	Unknown  int `json:"unknown"`
	Note     int `json:"note"`
	Passed   int `json:"passed"`
}

// Against is the number of results that speak against a clean attestation.
func (c Counts) Against() int {
	return c.Critical + c.High + c.Medium + c.Low + c.Unknown
}

// Rules are the rules that a report says its tool applied.
type Rules struct {
	Count  int    `json:"count"`
	Digest string `json:"digest"` // as in the package comment
}

// Database is the vulnerability database as the report names it.
type Database struct {
	Built  string `json:"built,omitzero"`  // the tool's own time stamp
	Digest string `json:"digest,omitzero"` // "sha256:" and hex
}

// Report is what one scanner's report says. The zero value is not complete.
type Report struct {
	Format  Format
	Tool    string // printable, at most 100 bytes
	Version string // the same; empty where the format has none
	Digest  string // "sha256:" and hex, of the report's bytes

	Database   Database
	Rules      Rules // zero where the report names none
	Counts     Counts
	Kinds      map[Kind]int // results that speak against, by kind
	Suppressed int          // findings that somebody waved through

	// Why holds the first findings that speak against, quoted and cut.
	Why []string
	// Gaps says why the report is not one of a complete scan, each reason once;
	// empty where it is complete.
	Gaps []string

	Targets      []Target // at most 10
	TargetsTotal int      // as many as the report names

	named    map[string]bool // sha256 in hex
	identity bool            // the digests are those of the whole artifact
}

// Failing reports whether any result speaks against a clean attestation.
func (r Report) Failing() bool { return r.Counts.Against() > 0 }

// Complete reports whether the report is that of a scan which ran to its end
// and looked at something.
func (r Report) Complete() bool { return r.Format != "" && len(r.Gaps) == 0 }

// Verdict says what the report supports.
func (r Report) Verdict() Verdict {
	switch {
	case r.Failing():
		return Failing
	case !r.Complete():
		return Incomplete
	}
	return Clean
}

// Clean returns nil when the report supports a clean attestation, and otherwise
// an error that says what speaks against it. It is strict: any finding does,
// whatever its severity. Callers with a threshold of their own look at Counts.
func (r Report) Clean() error {
	switch r.Verdict() {
	case Failing:
		return fmt.Errorf("the %s report has %d findings (%s), such as %s", r.Format, r.Counts.Against(), r.Counts, strings.Join(r.Why, ", "))
	case Incomplete:
		if r.Format == "" {
			return fmt.Errorf("no report was read")
		}
		return fmt.Errorf("the %s report is not one of a complete scan: %s", r.Format, strings.Join(r.Gaps, "; "))
	}
	return nil
}

// String lists the counts that speak against and are not zero.
func (c Counts) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		name grade
	}{{c.Critical, critical}, {c.High, high}, {c.Medium, medium}, {c.Low, low}, {c.Unknown, unknown}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.name))
		}
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// Findings returns the JSON object for the signed statement, in RFC 8785 form
// and at most 16 KiB: the same report always gives the same bytes. It can be
// had of every report, whatever the verdict, which is a member of it.
func (r Report) Findings() ([]byte, error) {
	if r.Format == "" {
		return nil, fmt.Errorf("findings: no report was read")
	}
	kinds := maps.Clone(r.Kinds)
	if kinds == nil {
		kinds = map[Kind]int{}
	}
	out, err := strictjson.Marshal(struct {
		Tool         string       `json:"tool"`
		Version      string       `json:"version,omitzero"`
		Format       Format       `json:"format"`
		Verdict      Verdict      `json:"verdict"`
		Digest       string       `json:"report_digest"`
		Rules        Rules        `json:"rules,omitzero"`
		Database     Database     `json:"database,omitzero"`
		Counts       Counts       `json:"counts"`
		Kinds        map[Kind]int `json:"kinds"`
		Suppressed   int          `json:"suppressed"`
		Targets      []Target     `json:"targets,omitempty"`
		TargetsTotal int          `json:"targets_total,omitzero"`
	}{r.Tool, r.Version, r.Format, r.Verdict(), r.Digest, r.Rules, r.Database, r.Counts, kinds, r.Suppressed, r.Targets, r.TargetsTotal})
	if err != nil {
		return nil, fmt.Errorf("findings: %w", err)
	}
	if len(out) > maxFindings {
		return nil, fmt.Errorf("findings: got %d bytes, want at most %d", len(out), maxFindings)
	}
	return out, nil
}

// digestOf writes a SHA-256 as statements do.
func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// rulesOf counts and digests rule ids as the package comment has it.
func rulesOf(ids map[string]bool) (Rules, error) {
	if len(ids) == 0 {
		return Rules{}, nil
	}
	list, err := strictjson.Marshal(slices.Sorted(maps.Keys(ids)))
	if err != nil {
		return Rules{}, fmt.Errorf("rule ids: %w", err)
	}
	return Rules{len(ids), digestOf(append([]byte("mcp-integrity/scan-rules/v1\n"), list...))}, nil
}
