package scan

import "github.com/mcp-integrity/seal-action/seal/strictjson"

// trivyReport is trivy's report of SchemaVersion 2. Older releases do not write
// their own version into it.
type trivyReport struct {
	SchemaVersion int
	Trivy         struct {
		Version string
	}
	ArtifactName string
	Metadata     struct {
		OS struct {
			Family string
			EOSL   bool
		}
		ImageID     string
		RepoDigests list[string]
	}
	Results list[trivyResult]
}

type trivyResult struct {
	Target, Class, Type string

	Packages       skip
	MisconfSummary struct {
		Successes, Failures, Exceptions int64
	}
	Vulnerabilities   list[trivyFinding]
	Misconfigurations list[trivyFinding]
	Secrets           list[trivyFinding]
	Licenses          list[trivyFinding]
	CustomResources   skip
	// Trivy calls them experimental: they are expected under either name.
	ExperimentalModifiedFindings list[trivyModified]
	ModifiedFindings             list[trivyModified]

	unknowns

	failed int64 // misconfigurations that speak against
}

// trivyFinding has the members of all four kinds that matter here.
type trivyFinding struct {
	VulnerabilityID, ID, RuleID, Name string

	Severity, Status string
}

type trivyModified struct {
	Type, Status string
	Finding      trivyFinding
}

func (r *reader) trivy(text []byte) error {
	report := trivyReport{}
	var digests []string
	report.Metadata.RepoDigests.each = func(d *string) {
		if len(digests) < maxDigests {
			digests = append(digests, *d)
		}
	}
	looked := 0
	report.Results.start = r.trivyStart
	report.Results.each = func(v *trivyResult) {
		if v.Class != "" {
			looked++
		}
		r.unread("a result", v.Unknown)
		if n := v.MisconfSummary.Failures - v.failed; n > 0 {
			r.against(Misconfiguration, unknown, int(min(n, maxItems+1)), "MisconfSummary.Failures")
		}
	}
	if err := strictjson.DecodeOpen(text, &report); err != nil {
		return err
	}
	if report.SchemaVersion != 2 {
		r.fail("got SchemaVersion %d, want 2", report.SchemaVersion)
	}
	r.tool("trivy", report.Trivy.Version)
	if looked == 0 {
		r.gap("it has no results with a class: trivy found nothing to look at, or did not list it (--list-all-pkgs)")
	}
	if report.Metadata.OS.EOSL {
		r.gap("the system %.60q is at the end of its life, and its vulnerabilities are no longer recorded", report.Metadata.OS.Family)
	}
	for _, d := range digests {
		r.target(d, d, true)
	}
	r.target(report.ArtifactName, report.Metadata.ImageID, true)
	return nil
}

func (r *reader) trivyStart(v *trivyResult) {
	v.Vulnerabilities.each = func(f *trivyFinding) {
		r.against(Vulnerability, severityNamed(f.Severity), 1, f.VulnerabilityID)
	}
	v.Secrets.each = func(f *trivyFinding) { r.against(Secret, severityNamed(f.Severity), 1, f.RuleID) }
	v.Licenses.each = func(f *trivyFinding) { r.against(License, severityNamed(f.Severity), 1, f.Name) }
	v.Misconfigurations.each = func(f *trivyFinding) {
		switch f.Status {
		case "PASS":
			r.Counts.Passed++
		case "EXCEPTION":
			r.Suppressed++
		default:
			v.failed++
			r.against(Misconfiguration, severityNamed(f.Severity), 1, f.ID)
		}
	}
	v.ExperimentalModifiedFindings.each = r.trivyModified
	v.ModifiedFindings.each = r.trivyModified
}

// trivyModified weighs a finding that an ignore file or a VEX document changed.
func (r *reader) trivyModified(m *trivyModified) {
	switch m.Status {
	case "ignored", "not_affected", "fixed":
		r.Suppressed++
		return
	}
	kind := Kind(m.Type)
	switch kind {
	case Vulnerability, Misconfiguration, Secret, License:
	default:
		kind = Other
	}
	id := m.Finding.VulnerabilityID + m.Finding.ID + m.Finding.RuleID + m.Finding.Name
	r.against(kind, severityNamed(m.Finding.Severity), 1, id)
}
