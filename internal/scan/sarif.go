package scan

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// The structs name every member of the schema (sarif-schema-2.1.0.json) where a
// further one could hide a verdict; the members that do not matter are skip.

type sarifLog struct {
	Schema     skip           `json:"$schema"`
	Version    string         `json:"version"`
	Runs       list[sarifRun] `json:"runs"`
	External   list[skip]     `json:"inlineExternalProperties"`
	Properties skip           `json:"properties"`

	unknowns
}

type sarifRun struct {
	Tool struct {
		Driver     sarifComponent       `json:"driver"`
		Extensions list[sarifComponent] `json:"extensions"`
	} `json:"tool"`
	Invocations list[sarifInvocation] `json:"invocations"`
	Artifacts   list[sarifArtifact]   `json:"artifacts"`
	Provenance  list[sarifProvenance] `json:"versionControlProvenance"`
	// Results are read when the rules are known, wherever they stand.
	Results  jsontext.Value `json:"results"`
	External jsontext.Value `json:"externalPropertyFileReferences"`

	Conversion       skip `json:"conversion"`
	URIBases         skip `json:"originalUriBaseIds"`
	LogicalLocations skip `json:"logicalLocations"`
	Graphs           skip `json:"graphs"`
	Automation       skip `json:"automationDetails"`
	Aggregates       skip `json:"runAggregates"`
	Redaction        skip `json:"redactionTokens"`
	NewLines         skip `json:"newlineSequences"`
	ThreadFlows      skip `json:"threadFlowLocations"`
	Taxonomies       skip `json:"taxonomies"`
	Addresses        skip `json:"addresses"`
	Translations     skip `json:"translations"`
	Policies         skip `json:"policies"`
	WebRequests      skip `json:"webRequests"`
	WebResponses     skip `json:"webResponses"`
	SpecialLocations skip `json:"specialLocations"`
	Properties       skip `json:"properties"`

	unknowns

	rules     sarifRules
	overrides bool
}

type sarifComponent struct {
	Name            string          `json:"name"`
	Version         string          `json:"version"`
	SemanticVersion string          `json:"semanticVersion"`
	Rules           list[sarifRule] `json:"rules"`
}

type sarifScore struct {
	// Security is GitHub's property: a CVSS score, as a string.
	Security jsontext.Value `json:"security-severity"`
}

type sarifRule struct {
	ID      string `json:"id"`
	Default struct {
		Level string `json:"level"`
	} `json:"defaultConfiguration"`
	Properties sarifScore `json:"properties"`
}

type sarifNotification struct {
	Level string `json:"level"`
}

type sarifInvocation struct {
	Successful    *bool                   `json:"executionSuccessful"`
	Execution     list[sarifNotification] `json:"toolExecutionNotifications"`
	Configuration list[sarifNotification] `json:"toolConfigurationNotifications"`
	Signal        string                  `json:"exitSignalName"`
	SignalNumber  int64                   `json:"exitSignalNumber"`
	NotStarted    string                  `json:"processStartFailureMessage"`
	Overrides     list[skip]              `json:"ruleConfigurationOverrides"`
}

type sarifProvenance struct {
	Repository string `json:"repositoryUri"`
	Revision   string `json:"revisionId"`
}

type sarifArtifact struct {
	Location struct {
		URI string `json:"uri"`
	} `json:"location"`
	Hashes members[string] `json:"hashes"`
	Roles  list[string]    `json:"roles"`

	sha256 string
	target bool
}

type sarifSuppression struct {
	Kind   string `json:"kind"`
	Status string `json:"status"`
}

// accepted says that somebody beside the code waved the result through (§3.35). A
// suppression in the source is a comment by whoever wrote the code that was
// scanned: the party that the scan is about.
func (s sarifSuppression) accepted() bool {
	return s.Kind == "external" && (s.Status == "" || s.Status == "accepted")
}

type sarifResult struct {
	RuleID    string `json:"ruleId"`
	RuleIndex *int64 `json:"ruleIndex"`
	Rule      struct {
		ID string `json:"id"`
	} `json:"rule"`
	Kind         string                 `json:"kind"`
	Level        string                 `json:"level"`
	Baseline     string                 `json:"baselineState"`
	Suppressions list[sarifSuppression] `json:"suppressions"`
	Properties   sarifScore             `json:"properties"`

	accepted int
}

func (r *reader) sarif(text []byte) error {
	log := sarifLog{}
	log.Runs.start = r.sarifStart
	log.Runs.each = r.sarifRun
	if err := strictjson.DecodeOpen(text, &log); err != nil {
		return err
	}
	if log.Version != "2.1.0" {
		r.fail("got version %.40q, want \"2.1.0\"", log.Version)
	}
	if log.Runs.n > maxRuns {
		r.fail("got %d runs, want at most %d", log.Runs.n, maxRuns)
	}
	if log.Runs.n == 0 {
		r.gap("it has no run")
		if r.Tool == "" {
			r.Tool = "unknown"
		}
	}
	if log.External.n > 0 {
		r.gap("it keeps properties in inlineExternalProperties, which are not read")
	}
	r.unread("the log", log.Unknown)
	return nil
}

func (r *reader) sarifStart(run *sarifRun) {
	run.rules = sarifRules{byID: map[string]sarifDefault{}}
	add := func(rule *sarifRule, driver bool) {
		if run.rules.n++; run.rules.n > maxRules {
			r.fail("got more than %d rules in a run", maxRules)
			return
		}
		run.rules.add(rule, driver)
	}
	run.Tool.Driver.Rules.each = func(rule *sarifRule) { add(rule, true) }
	run.Tool.Extensions.start = func(c *sarifComponent) {
		c.Rules.each = func(rule *sarifRule) { add(rule, false) }
	}
	run.Invocations.start = func(i *sarifInvocation) {
		i.Execution.each = r.sarifNotification
		i.Configuration.each = r.sarifNotification
	}
	run.Invocations.each = func(i *sarifInvocation) {
		run.overrides = run.overrides || i.Overrides.n > 0
		r.sarifInvocation(i)
	}
	run.Provenance.each = func(p *sarifProvenance) {
		if p.Revision != "" {
			p.Repository += "@" + p.Revision
		}
		r.target(p.Repository, "", false)
	}
	run.Artifacts.start = func(a *sarifArtifact) {
		a.Hashes.each = func(name string, sum *string) {
			if name == "sha-256" {
				a.sha256 = *sum
			}
		}
		a.Roles.each = func(role *string) { a.target = a.target || *role == "analysisTarget" }
	}
	run.Artifacts.each = func(a *sarifArtifact) {
		if a.sha256 != "" || a.target {
			// A hash of one file never contradicts: the artifact holds many.
			r.target(a.Location.URI, a.sha256, false)
		}
	}
}

func (r *reader) sarifInvocation(i *sarifInvocation) {
	switch {
	case i.Successful == nil:
		r.gap("an invocation does not say executionSuccessful")
	case !*i.Successful:
		r.gap("an invocation has executionSuccessful false")
	}
	if i.Signal != "" || i.SignalNumber != 0 {
		r.gap("the tool was ended by a signal")
	}
	if i.NotStarted != "" {
		r.gap("the tool did not start")
	}
}

func (r *reader) sarifNotification(n *sarifNotification) {
	if n.Level == "error" {
		r.gap("the tool notified of an error of its own")
	}
}

func (r *reader) sarifRun(run *sarifRun) {
	driver := &run.Tool.Driver
	version := driver.Version
	if version == "" {
		version = driver.SemanticVersion
	}
	r.tool(driver.Name, version)
	for id := range run.rules.byID {
		r.rules[id] = true
	}
	if len(run.External) > 0 && run.External.Kind() != 'n' {
		r.gap("a run keeps properties in other files (externalPropertyFileReferences)")
	}
	r.unread("a run", run.Unknown)

	results := list[sarifResult]{
		start: func(v *sarifResult) {
			v.Suppressions.each = func(s *sarifSuppression) {
				if s.accepted() {
					v.accepted++
				}
			}
		},
		each: func(v *sarifResult) { r.sarifResult(run, v) },
	}
	if len(run.Results) > 0 {
		if err := strictjson.DecodeOpen(run.Results, &results); err != nil && r.err == nil {
			r.err = err
		}
	}
	if !results.present {
		r.gap("a run has no results: the tool did not run")
	}
}

// sarifResult weighs one result (§3.27.9 to §3.27.10, §3.27.23 to §3.27.24).
func (r *reader) sarifResult(run *sarifRun, v *sarifResult) {
	id := v.RuleID
	if id == "" {
		id = v.Rule.ID
	}
	if v.Baseline == "absent" {
		r.Counts.Passed++ // it was in an earlier run, and is no more
		return
	}
	// One suppression that does not count is one too many: the standard leaves a
	// mixture to the reader.
	if v.Suppressions.n > 0 && v.accepted == v.Suppressions.n {
		r.Suppressed++
		return
	}
	rule := run.rules.of(id, v.RuleIndex, run.overrides)
	level, score := v.Level, rule.score
	if score == "" {
		score = scoreOf(v.Properties.Security)
	}
	switch v.Kind {
	case "", "fail":
		if level == "" {
			level = rule.level
		}
	case "pass", "notApplicable", "informational":
		// Where kind is not fail, level is none (§3.27.10); one that says
		// otherwise is weighed by its level.
		if level == "" || level == "none" {
			r.sarifHarmless(v.Kind)
			return
		}
	case "open", "review":
		r.gap("it has results of kind open or review, which nobody has decided")
		return
	default:
		level = "unknown"
	}
	r.sarifLevel(id, level, score)
}

func (r *reader) sarifHarmless(kind string) {
	if kind == "informational" {
		r.Counts.Note++
	} else {
		r.Counts.Passed++
	}
}

func (r *reader) sarifLevel(id, level string, score grade) {
	severity := score
	switch level {
	case "error":
		if severity == "" {
			severity = high
		}
	case "warning":
		if severity == "" {
			severity = medium
		}
	case "note", "none":
		if severity == "" {
			r.Counts.Note++
			return
		}
	default:
		severity = unknown
	}
	r.against(Other, severity, 1, id)
}
