// Package doctor tells, before a build is spent, whether sealing here would
// end well: is there an identity token, what does it warrant, is everything
// that signing needs within reach, and would it tell the world a private
// repository's name.
//
//	report := doctor.Examine(ctx, doctor.Patient{…})
//	os.Exit(report.ExitCode())
//
// It asks for one token, the one that is read and can sign nothing, and for
// the front pages of the services. It signs nothing, uploads nothing and
// writes no file. No tool server runs meanwhile.
//
// What it finds is a value; who calls it prints it. Details and hints quote
// strangers (refs, repositories, errors) in printable characters only.
package doctor

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/internal/platform"
	"github.com/mcp-integrity/seal-action/provenance"
)

// Status is the outcome of one check.
type Status string

// The outcomes, from good to bad. Unknown is a check that could not be made;
// what certainly fails is worse.
const (
	OK      Status = "ok"
	Warn    Status = "warn"
	Unknown Status = "unknown"
	Fail    Status = "fail"
)

var badness = map[Status]int{OK: 0, Warn: 1, Unknown: 2, Fail: 3}

// Check is one thing that was looked at.
type Check struct {
	// Name is short and stable: token, event, runner, visibility, level, clock,
	// or "reach" with a service.
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Detail says in one line what was found.
	Detail string `json:"detail"`
	// Hint is what to change, where something is to be changed.
	Hint string `json:"hint,omitempty"`
}

// Report is all that was looked at, in a fixed order.
type Report struct {
	Checks []Check `json:"checks"`
}

// Worst is the worst outcome of all checks, OK where there are none.
func (r Report) Worst() Status {
	worst := OK
	for _, c := range r.Checks {
		if badness[c.Status] > badness[worst] {
			worst = c.Status
		}
	}
	return worst
}

// ExitCode is 1 where a check fails, 3 where one could not be made, else 0.
func (r Report) ExitCode() int {
	switch r.Worst() {
	case Fail:
		return 1
	case Unknown:
		return 3
	}
	return 0
}

// Identity is what [platform.TokenSource] has.
type Identity interface {
	Token(ctx context.Context, audience string) (string, error)
	Facts(ctx context.Context) (provenance.Build, error)
}

// Service is something that signing needs.
type Service struct {
	// Name is what people call it, such as Fulcio.
	Name string
	// URL is its base, and Path what is asked for below it, such as /healthz.
	URL, Path string
}

// Signing is where a seal would be signed.
type Signing struct {
	Services []Service
	// Public says that everybody can read there who signed.
	Public bool
}

// Patient is who is examined, and the effects of examining.
type Patient struct {
	Kind platform.Kind
	// Identity and NoIdentity are the results of [platform.Tokens]: with an
	// error there is no identity, whatever the first one is.
	Identity   Identity
	NoIdentity error
	// Key says that a signing key is given, so that no token is needed.
	Key bool
	// BuiltElsewhere says that the artifact is not of this run.
	BuiltElsewhere bool
	// AllowPublicLog is --allow-public-log.
	AllowPublicLog bool
	// Signing chooses where to sign, by the facts of the build where there are
	// any: a private repository may sign elsewhere than a public one. Nil:
	// nothing is to be reached, as with a key alone.
	Signing func(facts provenance.Build, known bool) Signing
	// Transport sends the requests; nil is Go's own, with the proxy and the
	// certificate authorities of the environment.
	Transport http.RoundTripper
	// Now is the clock; nil is the real one.
	Now func() time.Time
}

// Examine makes all checks that make sense for p. It takes as long as p's
// Identity has patience, and ten seconds more.
func Examine(ctx context.Context, p Patient) Report {
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.NoIdentity != nil {
		p.Identity = nil
	}
	e := &examination{Patient: p}
	e.identity(ctx)
	var signing Signing
	if p.Signing != nil {
		signing = p.Signing(e.facts, e.known)
	}
	e.build(signing)
	e.reach(ctx, signing.Services)
	return Report{Checks: e.checks}
}

// examination is an Examine on its way.
type examination struct {
	Patient
	checks []Check
	// facts are known where an identity token proved them.
	facts provenance.Build
	known bool
}

// found adds a check. Detail and hint may hold strangers' text.
func (e *examination) found(name string, s Status, detail, hint string) {
	e.checks = append(e.checks, Check{Name: name, Status: s, Detail: line(detail), Hint: line(hint)})
}

// maxLine bounds a detail: what libraries say of a failed connection is long.
const maxLine = 500

func line(s string) string {
	if len(s) > maxLine {
		s = strings.ToValidUTF8(s[:maxLine], "") + "…"
	}
	return escape.Terminal(s)
}
