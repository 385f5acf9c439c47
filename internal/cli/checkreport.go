package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/clients"
	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// checkReport is what check says in JSON.
type checkReport struct {
	SchemaVersion string          `json:"schema_version"`
	Policy        string          `json:"policy"`
	Outcome       seal.Outcome    `json:"outcome"`
	Servers       []checkedServer `json:"servers"`
	// Problems are about configuration files that could not be read whole.
	Problems []string `json:"problems"`
}

// checkedServer is one server of one client.
type checkedServer struct {
	Client string `json:"client"`
	Scope  string `json:"scope"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Name   string `json:"name"`
	// Outcome is "" where the client would not start it either.
	Outcome seal.Outcome `json:"outcome,omitzero"`
	// Skipped says why it was not checked.
	Skipped string         `json:"skipped,omitzero"`
	Result  *verify.Result `json:"result,omitempty"`
}

// severity orders outcomes; the worst is the run's.
var severity = []seal.Outcome{seal.Pass, seal.Warned, seal.Undecided, seal.Fail}

func (r *checkRun) report() error {
	rep := checkReport{SchemaVersion: "1.0", Policy: r.trusted.policy.String(), Outcome: seal.Pass, Problems: []string{}, Servers: []checkedServer{}}
	for _, p := range r.problems {
		rep.Problems = append(rep.Problems, p.String())
	}
	switch {
	case r.trusted.policy.Mode == seal.ReportOnly && len(r.problems) > 0, len(r.servers) == 0:
		rep.Outcome = seal.Warned
	}
	if len(r.problems) > 0 && r.trusted.policy.Mode != seal.ReportOnly {
		rep.Outcome = seal.Undecided // servers may stand in what could not be read
	}
	for _, s := range r.servers {
		c := r.outcomeOf(s)
		if slices.Index(severity, c.Outcome) > slices.Index(severity, rep.Outcome) {
			rep.Outcome = c.Outcome
		}
		rep.Servers = append(rep.Servers, c)
	}
	data, err := r.renderCheck(rep)
	if err != nil {
		return undecidedf("%w", err)
	}
	if err := r.print(r.str("output-file"), data); err != nil {
		return err
	}
	switch rep.Outcome {
	case seal.Fail:
		return &exitError{code: ExitFails}
	case seal.Undecided:
		return &exitError{code: ExitUndecided}
	}
	return nil
}

// outcomeOf is the verdict on one server. One that could not be checked is
// undecided, unless its client would not start it or the policy only reports.
func (r *checkRun) outcomeOf(s *checked) checkedServer {
	c := checkedServer{Client: s.Client, Scope: s.Scope, File: s.File, Line: s.Line, Name: s.Name, Result: s.result}
	var exit *exitError
	switch {
	case s.result != nil:
		c.Outcome = s.result.Outcome
		return c
	case s.Disabled:
		c.Skipped = "switched off"
		return c
	case s.Problem != "":
		c.Skipped = s.Problem
	case errors.As(s.err, &exit) && exit.code == ExitFails:
		c.Outcome, c.Skipped = seal.Fail, s.err.Error()
	default:
		c.Skipped = s.err.Error()
	}
	if c.Outcome == "" {
		c.Outcome = seal.Undecided
	}
	if r.trusted.policy.Mode == seal.ReportOnly {
		c.Outcome = seal.Warned
	}
	return c
}

func (r *checkRun) renderCheck(rep checkReport) ([]byte, error) {
	if r.str("format") == "json" {
		return renderJSON(rep)
	}
	p := &page{}
	p.line("%s: %s", rep.Policy, strings.ToUpper(string(rep.Outcome)))
	counts := map[seal.Outcome]int{}
	for n, c := range rep.Servers {
		counts[c.Outcome]++
		r.line(p, c, r.servers[n])
	}
	p.line("%d servers: %d pass, %d warn, %d undecided, %d fail, %d switched off", len(rep.Servers),
		counts[seal.Pass], counts[seal.Warned], counts[seal.Undecided], counts[seal.Fail], counts[""])
	if len(rep.Problems) > 0 {
		p.line("%s in configuration files: servers may stand in what could not be read", counted(len(rep.Problems), "problem"))
	}
	if len(rep.Servers) == 0 {
		p.line("no client of this user or project is configured to start any; looked for: %s", strings.Join(clients.Names(), ", "))
	}
	return p.Bytes(), nil
}

// line is one server of the summary, with what is wrong.
func (r *checkRun) line(p *page, c checkedServer, s *checked) {
	outcome := "off"
	if c.Outcome != "" {
		outcome = strings.ToUpper(string(c.Outcome))
	}
	if c.Result == nil {
		p.line("%-9s  %s: %s", outcome, c.Client+", "+c.Name, c.Skipped)
		return
	}
	p.line("%-9s  %s: level %d, %s", outcome, c.Client+", "+c.Name, c.Result.TrustLevel, sealedWords(c.Result))
	if c.Outcome == seal.Pass {
		return
	}
	p.findings("  error", c.Result.Errors)
	p.failsFor(c.Result)
	if f := c.Result.FirstUse; f != nil && f.Pending != "" {
		p.words(f)
		p.line("  to accept: %s", acceptHint(f, r.stateWords()...))
	}
	for _, skip := range c.Result.Skipped {
		if c.Outcome == seal.Undecided {
			p.line("  not made: %s: %s", skip.Check, skip.Reason)
		}
	}
	if notes := strings.TrimSpace(s.notes.String()); notes != "" && c.Outcome == seal.Undecided {
		p.WriteString(indent(escape.Block(notes)) + "\n")
	}
}

// sealedWords say on what a verdict stands.
func sealedWords(r *verify.Result) string {
	switch {
	case r.Publisher != nil && r.Publisher.Expected:
		return "sealed by " + r.Publisher.Namespace + ", as expected"
	case r.Publisher != nil:
		return "sealed by " + r.Publisher.Namespace + ", and nobody said whose it should be"
	case r.FirstUse != nil && r.FirstUse.First:
		return "without a manifest, met for the first time"
	case r.FirstUse != nil:
		return "without a manifest, met since " + r.FirstUse.Since.Format("2006-01-02")
	}
	if slices.ContainsFunc(r.Advisories, func(f verify.Finding) bool { return f.Code == seal.CodeManifestNotFound }) {
		return "without a manifest"
	}
	return "its manifest does not count"
}
