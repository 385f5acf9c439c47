package cli

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/difftext"
	"github.com/mcp-integrity/seal-action/internal/tofu"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/verify"
)

// firstUse says when a server without a manifest was met, and which of its words
// moved since somebody accepted them.
func (p *page) firstUse(r *verify.FirstUseReport) {
	if r == nil {
		return
	}
	if r.First {
		p.line("first use  now: what it serves is kept, and a change will be told")
		return
	}
	p.line("first use  %s; %s since", r.Since.Format("2006-01-02"), counted(len(r.Changes), "change"))
	p.words(r)
}

// words shows what moved in the tools of a report.
func (p *page) words(r *verify.FirstUseReport) {
	var b bytes.Buffer
	// A buffer takes whatever is written.
	_ = difftext.Write(&b, lineage.Diff(r.Old, r.New), difftext.Options{})
	p.WriteString(tame(b.String()))
	for _, name := range r.Wordless {
		p.line("tool %s: CHANGED, and its words were too many to be kept: see them with mcp-integrity extract, and accept it by name (--tool)", name)
	}
}

// acceptHint is how what was just shown is accepted; state is where it is kept,
// where that was named.
func acceptHint(r *verify.FirstUseReport, state ...string) string {
	words := []string{"mcp-integrity", "tofu", "accept", r.Server, "--pending", string(r.Pending)}
	if r.Host != ownHost {
		words = append(words, "--host", r.Host)
	}
	return shellWords(append(words, state...)...)
}

// tofuActions are what tofu does, by their names.
var tofuActions = map[string]func(*tofuRun, context.Context) error{
	"list": (*tofuRun).list, "accept": (*tofuRun).accept,
	"block": (*tofuRun).block, "unblock": (*tofuRun).unblock, "forget": (*tofuRun).forget,
}

// tofuRun is one run of tofu.
type tofuRun struct {
	*invocation
	store *tofu.Store
	entry tofu.Entry // the server that is named; none for list
}

// runTOFU manages what was kept of servers without a manifest (MIS §20.2).
func runTOFU(ctx context.Context, inv *invocation) error {
	act, ok := tofuActions[inv.args[0]]
	if !ok {
		return usagef("tofu %.60q: want list, accept, block, unblock or forget", inv.args[0])
	}
	dir := inv.stateDir("tofu")
	if dir == "" {
		return usagef("nothing is kept here").withHint("--memory DIR, an absolute path")
	}
	r := &tofuRun{invocation: inv}
	var err error
	if r.store, err = tofu.Open(dir); err != nil {
		return usagef("--memory: %w", err)
	}
	if inv.args[0] != "list" {
		if err := r.find(ctx); err != nil {
			return err
		}
	} else if len(inv.args) > 1 {
		return usagef("tofu list takes no server")
	}
	return act(r, ctx)
}

// find finds the server that is named, with --host where several hosts know one of
// that name.
func (r *tofuRun) find(ctx context.Context) error {
	if len(r.args) != 2 {
		return usagef("tofu %s: want the server, as tofu list names it", r.args[0]).withHint("mcp-integrity tofu list")
	}
	entries, err := r.store.List(ctx)
	if err != nil && len(entries) == 0 {
		return undecidedf("%w", err)
	}
	var found []tofu.Entry
	for _, e := range entries {
		if e.Server == r.args[1] && (r.str("host") == "" || e.Host == r.str("host")) {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return failsf("no server %.200q was met", r.args[1]).withHint("mcp-integrity tofu list")
	case 1:
		r.entry = found[0]
		return nil
	}
	var hosts []string
	for _, e := range found {
		hosts = append(hosts, e.Host)
	}
	return usagef("%d hosts know a server of that name", len(found)).withHint("--host %s", shellWords(hosts...))
}

func (r *tofuRun) list(ctx context.Context) error {
	entries, err := r.store.List(ctx)
	if r.str("format") == "json" {
		data, bad := renderJSON(map[string]any{"schema_version": "1.0", "servers": append([]tofu.Entry{}, entries...)})
		if bad == nil {
			bad = r.print(r.str("output-file"), data)
		}
		return errors.Join(bad, unreadable(err))
	}
	p := &page{}
	for _, e := range entries {
		p.line("%s (host %s)", e.Server, e.Host)
		p.line("  since %s, %s accepted%s", e.Since.Format("2006-01-02"), counted(len(e.Tools), "tool"), blockedWords(e))
		if e.Sealed != "" {
			p.line("  with a manifest of %s: without one it fails", e.Sealed)
		}
		if e.Pending != nil {
			p.line("  changed on %s, and nobody has accepted that:", e.Pending.Seen.Format("2006-01-02"))
			if e.Pending.Restarted {
				p.line("  it is started in another way than when it was accepted")
			}
			p.words(e.Pending.Report)
			p.line("  to accept: %s", acceptHint(e.Pending.Report, r.stateWords()...))
		}
	}
	if len(entries) == 0 {
		p.line("no server without a manifest was met")
	}
	return errors.Join(r.print(r.str("output-file"), p.Bytes()), unreadable(err))
}

func unreadable(err error) error {
	if err == nil {
		return nil
	}
	return undecidedf("%w", err)
}

func blockedWords(e tofu.Entry) string {
	if e.Blocked {
		return "; blocked"
	}
	if len(e.BlockedTools) > 0 {
		return "; blocked: " + someNames(e.BlockedTools)
	}
	return ""
}

// accept takes what was shown, and nothing that came after it.
func (r *tofuRun) accept(ctx context.Context) error {
	pending := r.entry.Pending
	if pending == nil {
		r.note("nothing waits to be accepted")
		return nil
	}
	if r.str("pending") == "" {
		p := &page{}
		p.words(pending.Report)
		if err := r.print("-", p.Bytes()); err != nil {
			return err
		}
		return usagef("--pending is missing: what is accepted is what you have seen").withHint("%s", acceptHint(pending.Report, r.stateWords()...))
	}
	err := r.store.Accept(ctx, r.entry.FirstUseKey, digest.Digest(r.str("pending")), r.Now(), r.invocation.list("tool")...)
	if err != nil {
		return r.refused(err)
	}
	r.note("accepted: %s", r.entry.Server)
	return nil
}

func (r *tofuRun) block(ctx context.Context) error {
	return r.done("blocked", r.store.Block(ctx, r.entry.FirstUseKey, r.invocation.list("tool")...))
}

func (r *tofuRun) unblock(ctx context.Context) error {
	return r.done("unblocked", r.store.Unblock(ctx, r.entry.FirstUseKey, r.invocation.list("tool")...))
}

func (r *tofuRun) forget(ctx context.Context) error {
	if len(r.invocation.list("tool")) > 0 {
		return usagef("tofu forget forgets a server whole, with what was blocked: --tool does not go with it").withHint("mcp-integrity tofu unblock %s --tool NAME", shellWords(r.entry.Server))
	}
	return r.done("forgotten", r.store.Forget(ctx, r.entry.FirstUseKey))
}

func (r *tofuRun) done(what string, err error) error {
	if err != nil {
		return r.refused(err)
	}
	if tools := r.invocation.list("tool"); len(tools) > 0 {
		r.note("%s: %s of %s", what, strings.Join(tools, ", "), r.entry.Server)
		return nil
	}
	r.note("%s: %s", what, r.entry.Server)
	return nil
}

// refused is why the store did not do what it was asked to.
func (r *tofuRun) refused(err error) error {
	switch {
	case errors.Is(err, verify.ErrUnavailable):
		return undecidedf("%w", err)
	case errors.Is(err, tofu.ErrUnshown):
		return failsf("%w", err).withHint("look at what the server serves (mcp-integrity extract), then accept each such tool by name: --tool NAME")
	}
	return failsf("%w", err).withHint("mcp-integrity tofu list")
}
