package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// ErrNoManifest says that a server has no manifest, where discovery looked
// everywhere that it should (MIS §18.4) and had an answer from everyone.
var ErrNoManifest = errors.New("no manifest was found")

// Host keeps the standing of one server through one session of a host
// application: it runs the verification at the points of MIS §19.1, and answers
// for each tool what the policy says about it.
//
//	V1  install  [Host.Install]  before the server is started or reached
//	V2  list     [Host.List]     each time that the host has listed the tools
//	V3  update   [Host.Changed]  at notifications/tools/list_changed, then List
//
// A host shows its model the tools of a list only after List has returned, and
// only those that [Host.Decide] does not deny; it asks Decide again before each
// call. A change of the server's version, or of its list without a word, is seen
// by List itself. Whenever there is no verdict on what the server serves now,
// nothing is allowed that the policy would not allow a server unseen.
//
// The fields are set before the first call and stay as they are. The methods may
// be called from several goroutines; verifications wait for one another.
type Host struct {
	// Verifier says what the host trusts. Its Server is observed by Install alone
	// and may be nil: a process of its own is not the host's session, and each List
	// brings the list that it is about. With its FirstUse, a server without a
	// manifest is trusted on first use, one that is blocked is never asked for its
	// list, and one that was sealed is known to have been in any later session.
	Verifier Verifier
	// Manifest finds the server's manifest. url is where the server says that it
	// is, "" where it says nothing: a stranger's word, to be fetched with bounds
	// and never with credentials. An error that wraps [ErrNoManifest] says that
	// there is none. Any other says that there may be one: that is no ground to
	// trust on first use what somebody may have signed. The context is the
	// caller's.
	Manifest func(ctx context.Context, url string) ([]byte, error)
	// Log is told the events of each result, one batch for each, before Decide
	// knows of it; nil where nobody listens. It must not call List or Install.
	Log func([]Event)

	// turn is held through a verification, and guards these.
	turn   sync.Mutex
	found  found
	seen   *Observation // the latest list; nil before the first
	sealed bool         // somebody's signature held in this session

	// mu is held for moments, and guards these.
	mu      sync.Mutex
	changes int      // how often the server said that its tools changed
	verdict *verdict // nil where there is none on what the server serves now
}

// found is what discovery gave last.
type found struct {
	done     bool
	url      string
	changes  int // those that it was asked after
	envelope []byte
	err      error
}

// verdict is what was decided about the tools of a list, and about any other.
type verdict struct {
	tools map[string]Decision
	other Decision
}

// Install is V1: it fetches the manifest and verifies what can be verified before
// the server runs: signatures, publisher, artifact, provenance, chain. Whether to
// start the server on that is the host's to decide. No tool gets a verdict: what a
// server serves in a session, nobody knows before its list. Only that somebody
// blocked the server is settled here.
func (h *Host) Install(ctx context.Context) *Result {
	h.turn.Lock()
	defer h.turn.Unlock()
	changes := h.suspend()
	if r := h.Verifier.Blocked(ctx); r != nil {
		h.settle(r, changes)
		return r
	}
	h.discover(ctx, "", changes)
	result := h.verify(ctx, h.Verifier.Server)
	// The verdict on the tools comes with the list. What is wrong already is told.
	events := Events(result)
	if h.Verifier.Server == nil && len(result.Errors) == 0 {
		events = slices.DeleteFunc(events, func(e Event) bool { return e.Type == VerificationFail })
	}
	h.log(events)
	return result
}

func (h *Host) log(events []Event) {
	if h.Log != nil && len(events) > 0 {
		h.Log(events)
	}
}

// List is V2, and V3 after [Host.Changed]: it verifies the list that s observes
// in the host's own session and that the host goes on to use. s is asked once.
// The manifest is fetched first where that was not done yet, where the server
// names another place for it, and where anything changed.
//
// A list that cannot be had or be read gives a result as well, in which no tool
// is known. A server that somebody blocked is not asked.
func (h *Host) List(ctx context.Context, s Surface) *Result {
	h.turn.Lock()
	defer h.turn.Unlock()
	changes := h.count() // before the list: a change while it is read spoils it
	if r := h.Verifier.Blocked(ctx); r != nil {
		h.settle(r, changes)
		return r
	}
	seen, err := s.Observe(ctx)
	switch {
	case err != nil:
		h.suspend()
		if !h.found.done {
			h.discover(ctx, "", changes)
		}
	case h.outdated(&seen, changes):
		h.suspend()
		h.discover(ctx, seen.ManifestURL, changes)
	}
	result := h.verify(ctx, asSeen{seen, err})
	if err == nil {
		h.seen = &seen
		h.keepSealed(ctx, result, seen)
	}
	h.settle(result, changes)
	return result
}

// Changed is V3: the server sent notifications/tools/list_changed. From here to
// the end of a List that begins later there is no verdict. It does not wait, and
// may be called where the notification is handled.
func (h *Host) Changed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes++
	h.verdict = nil
}

// Decide says what the policy makes of a tool, by the latest verdict. A tool that
// is not in the list is at level 0. Where there is no verdict, a policy that blocks
// denies, and one that warns asks.
func (h *Host) Decide(tool string) Decision {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.verdict == nil {
		return decider{policy: h.Verifier.Policy}.unverified()
	}
	d, ok := h.verdict.tools[tool]
	if !ok {
		d = h.verdict.other
	}
	d.Reasons = slices.Clone(d.Reasons)
	return d
}

// suspend takes the verdict away, and returns the count of changes.
func (h *Host) suspend() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.verdict = nil
	return h.changes
}

func (h *Host) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changes
}

// settle tells and keeps a verdict. One that the server has overtaken by another
// change is told, and not kept.
func (h *Host) settle(r *Result, changes int) {
	h.log(Events(r))
	v := verdictOf(&h.Verifier, r)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.changes == changes {
		h.verdict = v
	}
}

// outdated says that the manifest must be fetched for what is seen now: again,
// where the server changed and did not say so.
func (h *Host) outdated(now *Observation, changes int) bool {
	f := &h.found
	unreachable := f.err != nil && !errors.Is(f.err, ErrNoManifest)
	return !f.done || unreachable || f.url != now.ManifestURL || f.changes != changes || h.seen != nil && !sameList(h.seen, now)
}

func sameList(a, b *Observation) bool {
	return a.Server == b.Server && slices.EqualFunc(a.Tools, b.Tools, func(x, y fingerprint.Tool) bool { return bytes.Equal(x.Raw, y.Raw) })
}

func (h *Host) discover(ctx context.Context, url string, changes int) {
	h.found = found{done: true, url: url, changes: changes, err: ErrNoManifest}
	if h.Manifest != nil {
		h.found.envelope, h.found.err = h.Manifest(ctx, url)
	}
}

// verify is the verdict on what s observes, by the manifest that was found.
func (h *Host) verify(ctx context.Context, s Surface) *Result {
	v := h.Verifier
	v.Server = s
	err := h.found.err
	var r *Result
	switch {
	case err == nil:
		r = v.Verify(ctx, h.found.envelope)
		h.sealed = h.sealed || r.Publisher != nil
	case !errors.Is(err, ErrNoManifest) && v.FirstUse != nil:
		// Who keeps a manifest from being had hides no change by that.
		r = v.Unsealed(ctx, v.FirstUse, v.FirstUseKey, seal.CodeManifestFetchFailed, fmt.Errorf("%w: %w", ErrUnavailable, err))
	case !errors.Is(err, ErrNoManifest):
		r = v.NotFound(seal.CodeManifestFetchFailed, fmt.Errorf("%w: %w", ErrUnavailable, err))
	case h.sealed:
		r = v.vanished(err)
	case v.FirstUse != nil:
		r = v.Unsealed(ctx, v.FirstUse, v.FirstUseKey, seal.CodeManifestNotFound, err)
	default:
		r = v.NotFound(seal.CodeManifestNotFound, err)
	}
	if seen, ok := s.(asSeen); ok && r.ServerName == "" {
		r.ServerName, r.ServerVersion = seen.Server.Name, seen.Server.Version
	}
	return r
}

// keepSealed keeps that the server was verified by a manifest of whom was expected,
// so that one without is noticed in any later session. What keeps it from that says
// nothing about the server.
func (h *Host) keepSealed(ctx context.Context, r *Result, seen Observation) {
	v := &h.Verifier
	if v.FirstUse == nil || len(r.Errors) > 0 || r.Observed != Live || r.Publisher == nil || !r.Publisher.Expected {
		return
	}
	if err := v.FirstUse.Sealed(ctx, v.FirstUseKey, r.Publisher.Namespace, seen, r.VerifiedAt.Time); err != nil {
		r.Advisories = append(r.Advisories, finding(seal.CodeMemoryUnreadable, "", "", "that this server has a manifest cannot be kept: %v", err))
	}
}

// vanished is the result where a manifest was verified earlier in the session and
// there is none now. Who takes a manifest away does not get the trust of a first
// use in its place.
func (v *Verifier) vanished(reason error) *Result {
	r := v.NotFound(seal.CodeManifestNotFound, reason)
	r.Errors = append(r.Errors, finding(seal.CodeManifestElsewhere, "", "", "the server had a manifest earlier in this session, and has none now"))
	if v.Policy.Mode != seal.ReportOnly {
		r.Outcome = seal.Fail
	}
	return r
}

// asSeen is a list that was had already, as a [Surface].
type asSeen struct {
	Observation
	err error
}

// Observe implements [Surface].
func (s asSeen) Observe(context.Context) (Observation, error) { return s.Observation, s.err }
