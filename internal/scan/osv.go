package scan

import (
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// osvReport is the output of osv-scanner 1 and 2, which differ in members that
// carry no verdict, and in generic_findings, which 2 has added.
type osvReport struct {
	Results  list[osvResult]  `json:"results"`
	Findings list[osvGeneric] `json:"experimental_generic_findings"`
}

// osvGeneric is a finding of a detector of osv-scalibr, which has no stable form.
type osvGeneric struct{ skip }

type osvResult struct {
	Source struct {
		Path string `json:"path"`
	} `json:"source"`
	Annotations skip             `json:"experimental_annotations"`
	Packages    list[osvPackage] `json:"packages"`

	unknowns
}

type osvPackage struct {
	Package struct {
		Name   string `json:"name"`
		Commit string `json:"commit"`
	} `json:"package"`
	DepGroups       skip                   `json:"dependency_groups"`
	Vulnerabilities list[osvVulnerability] `json:"vulnerabilities"`
	Groups          list[osvGroup]         `json:"groups"`
	Licenses        skip                   `json:"licenses"`
	Violations      list[string]           `json:"license_violations"`

	unknowns

	found  []osvFound
	scores map[string]string // max_severity of the group, by id
}

type osvVulnerability struct {
	ID       string `json:"id"`
	Specific struct {
		Severity jsontext.Value `json:"severity"`
	} `json:"database_specific"`
}

type osvGroup struct {
	IDs list[string] `json:"ids"`
	Max string       `json:"max_severity"` // a CVSS score, or empty
	ids []string
}

type osvFound struct {
	id       string
	severity grade
}

func (r *reader) osv(text []byte) error {
	r.tool("osv-scanner", "") // it does not write its version
	report, packages := osvReport{}, 0
	report.Findings.each = func(*osvGeneric) { r.against(Other, unknown, 1, "generic finding") }
	report.Results.start = func(v *osvResult) {
		v.Packages.start = osvStart
		v.Packages.each = func(p *osvPackage) {
			if p.Package.Name != "" || p.Package.Commit != "" {
				packages++
			}
			r.osvPackage(p)
		}
	}
	report.Results.each = func(v *osvResult) {
		r.unread("a result", v.Unknown)
		r.target(v.Source.Path, "", false)
	}
	if err := strictjson.DecodeOpen(text, &report); err != nil {
		return err
	}
	if packages == 0 {
		r.gap("it lists no package: osv-scanner looked at none, or does not list those without findings (run it with --all-packages)")
	}
	return nil
}

func osvStart(p *osvPackage) {
	p.scores = map[string]string{}
	p.Vulnerabilities.each = func(v *osvVulnerability) {
		var word string
		// database_specific is for each database to fill: only a string counts.
		if v.Specific.Severity.Kind() == '"' {
			word = string(v.Specific.Severity[1 : len(v.Specific.Severity)-1])
		}
		p.found = append(p.found, osvFound{v.ID, severityNamed(word)})
	}
	p.Groups.start = func(g *osvGroup) {
		g.IDs.each = func(id *string) { g.ids = append(g.ids, *id) }
	}
	p.Groups.each = func(g *osvGroup) {
		for _, id := range g.ids {
			if _, ok := p.scores[id]; !ok && len(p.scores) < maxItems {
				p.scores[id] = g.Max
			}
		}
	}
}

// osvPackage counts the vulnerabilities of one package: those listed, and those
// that stand in a group only.
func (r *reader) osvPackage(p *osvPackage) {
	r.unread("a package", p.Unknown)
	for _, f := range p.found {
		if s := severityScored(p.scores[f.id]); s != unknown {
			f.severity = s
		}
		delete(p.scores, f.id)
		r.against(Vulnerability, f.severity, 1, f.id)
	}
	for _, id := range slices.Sorted(maps.Keys(p.scores)) {
		r.against(Vulnerability, severityScored(p.scores[id]), 1, id)
	}
	if n := p.Violations.n; n > 0 {
		r.against(License, unknown, n, p.Package.Name)
	}
}
