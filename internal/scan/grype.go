package scan

import (
	"net/url"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

type grypeReport struct {
	Matches    list[grypeMatch]  `json:"matches"`
	Ignored    list[grypeMatch]  `json:"ignoredMatches"`
	Alerts     list[grypeAlerts] `json:"alertsByPackage"`
	Source     *grypeSource      `json:"source"`
	Distro     skip              `json:"distro"`
	Descriptor struct {
		Name    string  `json:"name"`
		Version string  `json:"version"`
		DB      grypeDB `json:"db"`
	} `json:"descriptor"`

	unknowns
}

type grypeMatch struct {
	Vulnerability struct {
		ID       string `json:"id"`
		Severity string `json:"severity"`
	} `json:"vulnerability"`
	Rules list[skip] `json:"appliedIgnoreRules"`
}

type grypeAlerts struct {
	Alerts list[struct {
		Type string `json:"type"`
	}] `json:"alerts"`
}

type grypeSource struct {
	Type   string         `json:"type"`
	Target jsontext.Value `json:"target"` // a string, or for an image an object
}

type grypeImage struct {
	UserInput      string       `json:"userInput"`
	ImageID        string       `json:"imageID"`
	ManifestDigest string       `json:"manifestDigest"`
	RepoDigests    list[string] `json:"repoDigests"`
}

// grypeDB is the state of the database: flat in schema 5, in status from 6 on.
type grypeDB struct {
	grypeStatus
	Status grypeStatus `json:"status"`
}

type grypeStatus struct {
	Built    string         `json:"built"`
	Checksum string         `json:"checksum"`
	From     string         `json:"from"`
	Valid    *bool          `json:"valid"`
	Error    jsontext.Value `json:"error"`
}

func (r *reader) grype(text []byte) error {
	report := grypeReport{}
	report.Matches.each = func(m *grypeMatch) { r.grypeMatch(m) }
	report.Ignored.each = func(m *grypeMatch) {
		if m.Rules.n == 0 {
			r.grypeMatch(m) // ignored for no reason that it gives
			return
		}
		r.Suppressed++
	}
	report.Alerts.start = func(a *grypeAlerts) {
		a.Alerts.each = func(v *struct {
			Type string `json:"type"`
		}) {
			r.gap("grype alerts to %.60q: packages for which it has no or old data", v.Type)
		}
	}
	if err := strictjson.DecodeOpen(text, &report); err != nil {
		return err
	}
	if report.Descriptor.Name != "grype" {
		r.fail("got descriptor.name %.60q, want \"grype\"", report.Descriptor.Name)
	}
	r.tool(report.Descriptor.Name, report.Descriptor.Version)
	if !report.Matches.present {
		r.gap("it has no list of matches")
	}
	r.unread("the report", report.Unknown)
	r.grypeStatus(&report.Descriptor.DB.grypeStatus)
	r.grypeStatus(&report.Descriptor.DB.Status)
	return r.grypeSource(report.Source)
}

func (r *reader) grypeMatch(m *grypeMatch) {
	r.against(Vulnerability, severityNamed(m.Vulnerability.Severity), 1, m.Vulnerability.ID)
}

func (r *reader) grypeStatus(s *grypeStatus) {
	if e := string(s.Error); e != "" && e != "null" && e != `""` || s.Valid != nil && !*s.Valid {
		r.gap("its database was not valid")
	}
	if s.Built != "" && printable(s.Built, maxName) == nil {
		r.Database.Built = s.Built
	}
	sum := sha256Of(s.Checksum)
	if u, err := url.Parse(s.From); err == nil && sum == "" {
		sum = sha256Of(u.Query().Get("checksum"))
	}
	if sum != "" {
		r.Database.Digest = "sha256:" + sum
	}
}

func (r *reader) grypeSource(source *grypeSource) error {
	if source == nil || source.Type == "" || source.Type == "unknown" {
		r.gap("it does not say what grype looked at")
		return nil
	}
	switch source.Target.Kind() {
	case '"':
		var name string
		if err := strictjson.DecodeOpen(source.Target, &name); err != nil {
			return err
		}
		if name == "" {
			r.gap("it does not say what grype looked at")
		}
		r.target(name, "", false)
		return nil
	case '{':
	default:
		r.gap("it does not say what grype looked at")
		return nil
	}
	image := grypeImage{}
	image.RepoDigests.each = func(d *string) { r.target(*d, *d, true) }
	if err := strictjson.DecodeOpen(source.Target, &image); err != nil {
		return err
	}
	if image.UserInput+image.ImageID+image.ManifestDigest == "" && image.RepoDigests.n == 0 {
		r.gap("it does not say what grype looked at")
	}
	r.target(image.UserInput, image.ManifestDigest, true)
	r.target(image.UserInput, image.ImageID, true)
	return nil
}
