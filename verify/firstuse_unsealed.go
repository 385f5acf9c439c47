package verify

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// Unsealed is [Verifier.NotFound] for a host that trusts on first use (MIS §20.2):
// the server is at level 0, and what it serves is compared with what store keeps
// of it. code and reason say why there is no manifest.
//
// A tool that was added or changed is an error in every mode, until somebody
// accepts it; so is one, or a server, that somebody blocked. A tool that is not
// served any more is an advisory: what is not there harms nobody, and credentials
// may be missing. What cannot be compared, since the server or the store cannot be
// had, is undecided and never a first use.
//
// A snapshot is compared, and is no first use: it is no meeting with the server.
// Nor does the store make it one. So it is where reason wraps [ErrUnavailable], and
// there may be a manifest that could not be had. A server that is blocked is not
// observed.
func (v *Verifier) Unsealed(ctx context.Context, store FirstUse, key FirstUseKey, code seal.Code, reason error) *Result {
	with := *v
	with.FirstUse, with.FirstUseKey = store, key
	r := with.unsealed(code, reason)
	if store == nil {
		r.skip("first use", "nothing is kept from run to run")
	} else {
		r.meet(ctx)
	}
	r.claim()
	r.outcome()
	return r.result
}

// unsealed begins the result of a run that has no manifest.
func (v *Verifier) unsealed(code seal.Code, reason error) *run {
	r := v.without(reason.Error())
	r.result.Advisories = append([]Finding{{Code: code, Name: code.Name(), Message: reason.Error()}}, v.Found...)
	r.asked = errors.Is(reason, ErrUnavailable)
	return r
}

// without begins the result of a run that looks at no manifest, and why.
func (v *Verifier) without(why string) *run {
	r := &run{Verifier: v, now: v.Now(), checks: map[string]*toolChecks{}}
	r.result = &Result{
		SchemaVersion: SchemaVersion, Observed: Nothing, Policy: v.Policy.String(), VerifiedAt: seal.NewTimestamp(r.now),
		Results: []ToolResult{}, Errors: []Finding{}, Skipped: []Skip{{Check: "manifest", Reason: why}},
		Advisories: append([]Finding{}, v.Found...),
	}
	return r
}

// meet observes the server and holds it against what is kept of it.
func (r *run) meet(ctx context.Context) {
	if whole, _, err := r.FirstUse.Blocked(ctx, r.FirstUseKey); err == nil && whole {
		r.fail(seal.CodeFirstUseBlocked, whyBlocked)
		r.skip("first use", whyBlocked)
		return
	} // what cannot be read, Meet tells of
	maybeSealed := r.asked
	if !r.observe(ctx) {
		return
	}
	seen := *r.observation
	if maybeSealed {
		seen.Observed = Snapshot // to be compared, and not to be kept
	}
	m, err := r.FirstUse.Meet(ctx, r.FirstUseKey, seen, r.now)
	switch {
	case err != nil:
		r.unknown(err)
	case m.First && maybeSealed:
		r.skip("first use", "the server was never met, and there may be a manifest: this is no first use")
	case m.First && seen.Observed != Live:
		r.asked = true
		r.skip("first use", "the server was never met, and a snapshot is no meeting: there is nothing to compare it with")
	default:
		if maybeSealed {
			m.Sealed = "" // that it is gone is not known
		}
		r.result.FirstUse = NewFirstUseReport(r.FirstUseKey, m)
		r.met(m)
	}
	for _, name := range r.order {
		r.result.Results = append(r.result.Results, r.toolResult(name, r.checks[name], []string{}))
	}
}

// observe lists the live tools, and makes sure that each has one meaning: what
// cannot be fingerprinted cannot be compared, and is a server's fault.
func (r *run) observe(ctx context.Context) bool {
	if r.Server == nil {
		r.skip("first use", "no server and no snapshot was given")
		return false
	}
	seen, err := r.Server.Observe(ctx)
	switch {
	case errors.Is(err, ErrUnavailable):
		r.asked = true
		r.skip("first use", "%v", err)
		r.advise(seal.CodeServerUnavailable, "%v", err)
		return false
	case err != nil:
		r.fail(seal.CodeInterfaceUnreadable, "%v", err)
		return false
	}
	r.observation = &seen
	r.result.Observed, r.result.ClaimedLevel = seen.Observed, seen.ClaimedLevel
	r.result.ServerName, r.result.ServerVersion = seen.Server.Name, seen.Server.Version
	for _, t := range seen.Tools {
		if r.checks[t.Name] == nil {
			r.order = append(r.order, t.Name)
		}
		r.checks[t.Name] = &toolChecks{live: true}
	}
	return r.comparable(seen.Tools)
}

// comparable says whether each tool has one meaning; it is an error where one has
// none, or two.
func (r *run) comparable(tools []fingerprint.Tool) bool {
	names := make(map[string]bool, len(tools))
	for _, t := range tools {
		if names[t.Name] {
			r.fail(seal.CodeInterfaceUnreadable, "the server lists the tool %.100q twice", t.Name)
			return false
		}
		names[t.Name] = true
		if _, err := fingerprint.Of(t, digest.SHA256); err != nil {
			r.fail(seal.CodeInterfaceUnreadable, "%v", err)
			return false
		}
	}
	return true
}

// unknown reports that the store cannot be used: nothing that it has to say is
// taken as said.
func (r *run) unknown(err error) {
	r.asked, r.noFirstUse = true, true
	r.skip("first use", "%v", err)
	r.advise(seal.CodeMemoryUnreadable, "what was kept of the server at its first use cannot be used: %v", err)
}

// met reports a meeting. Beside a manifest, of somebody unexpected, what that says
// of the interface stands.
func (r *run) met(m Meeting) {
	if m.Blocked {
		r.fail(seal.CodeFirstUseBlocked, whyBlocked)
	}
	switch {
	case m.Sealed != "" && r.opened != nil:
		r.fail(seal.CodeManifestElsewhere, "it had a manifest of %.200q when it was verified before, and the one that it has now is signed by nobody who is expected", m.Sealed)
	case m.Sealed != "":
		r.fail(seal.CodeManifestElsewhere, "it had a manifest of %.200q when it was verified before, and has none now: who takes a manifest away takes every check with it", m.Sealed)
	}
	for _, name := range m.BlockedTools {
		r.blockTool(name)
	}
	if m.First {
		r.advise(seal.CodeFirstUse, "it was met for the first time, and its %d tools are kept as they are: nobody vouches for them, and a change will be told", len(r.order))
		return
	}
	if m.Restarted {
		r.advise(seal.CodeFirstUseChanged, "it is started, or reached, in another way than when it was accepted: another command, arguments, directory or URL stand in the configuration")
	}
	for _, c := range r.checks {
		if r.opened == nil {
			c.iface, c.details = seal.Holds, details(nil)
		}
	}
	if m.Unkept != nil {
		r.advise(seal.CodeMemoryUnreadable, "what changed could not be kept, so nobody can accept it: %v", m.Unkept)
	}
	for i := range m.Changes {
		r.change(&m.Changes[i], m.Since)
	}
}

// change reports one tool that differs, a finding for each component.
func (r *run) change(c *FirstUseChange, since time.Time) {
	if c.Kind == ToolRemoved {
		r.result.Advisories = append(r.result.Advisories, finding(seal.CodeMissingTool, c.Tool, "",
			"it was accepted on %s, and the server does not list it now: credentials or settings that it needs may be missing here", day(c.AcceptedAt)))
		return
	}
	t := r.checks[c.Tool]
	if t == nil {
		return // no tool of this server's
	}
	diffs := fingerprint.Compare(c.OldDigests, c.NewDigests)
	switch {
	case r.opened != nil:
	case c.Kind == ToolAdded:
		// There is nothing accepted that a part of it could match.
		t.iface, t.details = seal.Broken, InterfaceDetails{}
	default:
		t.iface, t.details = seal.Broken, details(diffs)
	}
	if c.Kind == ToolAdded {
		t.errors = append(t.errors, finding(seal.CodeFirstUseChanged, c.Tool, "", "this tool is new: it is not among those accepted since %s", day(since)))
		return
	}
	what := components(diffs)
	for _, d := range diffs {
		t.errors = append(t.errors, finding(seal.CodeFirstUseChanged, c.Tool, string(d.Component),
			"this tool's interface has changed since it was accepted on %s (%s): %s: got %s, want %s", day(c.AcceptedAt), what, words(d.Component), orNone(d.Got), orNone(d.Want)))
	}
	if len(diffs) == 0 {
		t.errors = append(t.errors, finding(seal.CodeFirstUseChanged, c.Tool, "", "this tool's interface has changed since it was accepted on %s", day(c.AcceptedAt)))
	}
}

// components is what differs, in the words of MIS §20.2: "description, input
// schema".
func components(diffs []fingerprint.Difference) string {
	var names []string
	for _, d := range diffs {
		names = append(names, words(d.Component))
	}
	return strings.Join(names, ", ")
}

func words(c fingerprint.Component) string { return strings.ReplaceAll(string(c), "_", " ") }

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
