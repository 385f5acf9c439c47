package verify

import (
	"context"

	"github.com/mcp-integrity/seal-action/seal"
)

const whyBlocked = "somebody blocked this server on this machine"

// Blocked is the result for a server that somebody blocked (MIS §20.2), nil for any
// other. It is for callers to ask before they start a server, reach it, or fetch
// anything on its word. Where the store cannot be read it is nil as well, and what
// is verified then is undecided.
func (v *Verifier) Blocked(ctx context.Context) *Result {
	if v.FirstUse == nil {
		return nil
	}
	whole, _, err := v.FirstUse.Blocked(ctx, v.FirstUseKey)
	if err != nil || !whole {
		return nil
	}
	r := v.without(whyBlocked)
	r.fail(seal.CodeFirstUseBlocked, whyBlocked)
	r.skipAll(whyBlocked)
	r.outcome()
	return r.result
}

// blocked says whether somebody blocked the server, whoever signs for it.
func (r *run) blocked(ctx context.Context) bool {
	if r.FirstUse == nil {
		return false
	}
	whole, tools, err := r.FirstUse.Blocked(ctx, r.FirstUseKey)
	if err != nil {
		r.unknown(err)
		return false
	}
	if whole {
		r.fail(seal.CodeFirstUseBlocked, whyBlocked)
	}
	r.blockedTools = tools
	return whole
}

// firstUse holds what is served against the store: what somebody blocked, and
// where the manifest is of somebody unexpected, all that changed since somebody
// accepted it.
func (r *run) firstUse(ctx context.Context) {
	for _, name := range r.blockedTools {
		r.blockTool(name)
	}
	if r.FirstUse == nil || r.noFirstUse || r.result.Publisher.Expected || r.observation == nil || !r.comparable(r.observation.Tools) {
		return
	}
	m, err := r.FirstUse.Meet(ctx, r.FirstUseKey, *r.observation, r.now)
	switch {
	case err != nil:
		r.unknown(err)
	case m.First && r.observation.Observed != Live:
		r.skip("first use", "the server was never met, and a snapshot is no meeting: there is nothing to compare it with")
	default:
		r.result.FirstUse = NewFirstUseReport(r.FirstUseKey, m)
		m.BlockedTools = nil // they are told
		if m.Sealed == r.result.Publisher.Namespace {
			// It has a manifest of that name still. That nobody was told to expect it is
			// said, and what it serves is compared with what was sealed.
			m.Sealed = ""
		}
		r.met(m)
	}
}

// blockTool reports a tool that somebody blocked, sealed or served.
func (r *run) blockTool(name string) {
	if c := r.checks[name]; c != nil {
		c.errors = append(c.errors, finding(seal.CodeFirstUseBlocked, name, "", "somebody blocked this tool on this machine"))
	}
}
