package cli

import (
	"context"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/internal/doctor"
	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/platform"
	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/verify"
)

// doctorPatience bounds the wait for a token: who asks how things are does not
// want to wait until they are better.
const doctorPatience = 15 * time.Second

// doctorReport is what doctor says in JSON.
type doctorReport struct {
	SchemaVersion string `json:"schema_version"`
	Worst         string `json:"worst"`
	doctor.Report
}

// runDoctor looks at all that sealing here would need, and signs nothing.
func runDoctor(ctx context.Context, i *invocation) error {
	facts, err := platform.Detect(ctx, i.Getenv, ".")
	if err != nil {
		return undecidedf("%w", err)
	}
	s, err := sigstoreOf(i)
	if err != nil {
		return err
	}
	p := doctor.Patient{
		Kind: facts.Kind, Key: i.given("key"), BuiltElsewhere: i.is("built-elsewhere"), AllowPublicLog: i.is("allow-public-log"), Now: i.Now,
	}
	tokens, noToken := platform.Tokens(i.Getenv, platform.TokenOptions{
		Commands: i.Stderr, Notify: func(line string) { i.note("%s", line) }, Now: i.Now, Patience: doctorPatience,
	})
	p.Identity, p.NoIdentity = tokens, noToken
	var unknown error
	if !p.Key && (noToken == nil || facts.Kind != platform.Desk) {
		p.Signing = func(build provenance.Build, known bool) doctor.Signing {
			about := &build
			if !known {
				about = nil
			}
			services, err := s.services(ctx, about)
			if err != nil {
				unknown = err
				return doctor.Signing{}
			}
			return signingAt(services)
		}
	}
	report := doctor.Examine(ctx, p)
	if unknown != nil {
		return exitf(ExitUndecided, unknown)
	}
	if err := i.printReport(report); err != nil {
		return err
	}
	if code := report.ExitCode(); code != ExitHolds {
		return &exitError{code: code}
	}
	return nil
}

// signingAt are the services to be reached, by the pages that cost them least.
func signingAt(s *keyless.Services) doctor.Signing {
	at := doctor.Signing{Public: s.Public()}
	at.Services = append(at.Services, doctor.Service{Name: s.CA.Name, URL: s.CA.URL, Path: "/api/v2/trustBundle"})
	for _, tsa := range s.TSAs {
		at.Services = append(at.Services, doctor.Service{Name: tsa.Name, URL: tsa.URL, Path: "/certchain"})
	}
	for _, log := range s.Logs {
		at.Services = append(at.Services, doctor.Service{Name: log.Name, URL: log.URL})
	}
	return at
}

func (i *invocation) printReport(r doctor.Report) error {
	if i.str("format") == "json" {
		data, err := renderJSON(doctorReport{SchemaVersion: verify.SchemaVersion, Worst: string(r.Worst()), Report: r})
		if err != nil {
			return undecidedf("%w", err)
		}
		return i.print(i.str("output-file"), data)
	}
	p := &page{}
	for _, c := range r.Checks {
		p.line("%-8s%s: %s", strings.ToUpper(string(c.Status)), c.Name, c.Detail)
		if c.Hint != "" {
			p.line("        %s", c.Hint)
		}
	}
	return i.print(i.str("output-file"), p.Bytes())
}
