package tofu

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

// meet compares what is kept, nil where nothing is, with what was seen. The record
// that it returns is to be written; nil where nothing is new.
func (r *record) meet(seen *sight) (verify.Meeting, *record) {
	switch {
	case r == nil && (!seen.live || seen.unkept != nil):
		return verify.Meeting{First: true, Unkept: seen.unkept}, nil
	case r == nil:
		return verify.Meeting{First: true, Since: seen.now.Time}, first(seen)
	}
	m := verify.Meeting{Since: r.Since.Time, Blocked: r.Blocked, Restarted: r.restarted(seen.start), Sealed: r.sealedBy(), Changes: r.changes(seen.tools, seen.find)}
	for _, t := range seen.tools {
		if r.blocks(t.Name) {
			m.BlockedTools = append(m.BlockedTools, t.Name)
		}
	}
	next := *r
	if len(m.Changes) == 0 && !m.Restarted {
		if r.Start != "" || seen.start == "" || !seen.live {
			return m, nil
		}
		next.Start = seen.start // it was kept when nobody told how it starts
		return m, &next
	}
	start := ""
	if m.Restarted {
		start = seen.start
	}
	m.Pending = pendingDigest(seen.tools, start)
	switch {
	case r.Pending != nil && r.Pending.digest() == m.Pending:
		return m, nil // it is kept already
	case !seen.live || seen.unkept != nil:
		m.Pending, m.Unkept = "", seen.unkept
		return m, nil
	}
	next.Pending = &pending{Server: seen.info, Seen: seen.now, Tools: seen.withWords(), Start: start}
	for i := range next.Pending.Tools {
		t := &next.Pending.Tools[i]
		t.FirstSeen = r.firstSeen(t.Name, t.FirstSeen)
	}
	return m, &next
}

// restarted says that a server is not started as it was when it was accepted.
func (r *record) restarted(start string) bool {
	return r.Start != "" && start != "" && r.Start != start
}

// sealedBy is the namespace of the server's manifest, "" where it never had one.
func (r *record) sealedBy() string {
	if r.Sealed == nil {
		return ""
	}
	return r.Sealed.Namespace
}

// seal is the record of a server that was verified by a manifest of a namespace,
// nil where nothing is new.
func (r *record) seal(seen *sight, namespace string) *record {
	next := first(seen)
	next.Sealed = &sealed{namespace, seen.now}
	if r == nil {
		return next
	}
	if next.Start == "" {
		next.Start = r.Start
	}
	if r.sealedBy() == namespace && r.Start == next.Start && r.Pending == nil && len(r.changes(seen.tools, seen.find)) == 0 {
		return nil
	}
	next.Since, next.Blocked, next.BlockedTools = r.Since, r.Blocked, r.BlockedTools
	for i := range next.Tools {
		next.Tools[i].FirstSeen = r.firstSeen(next.Tools[i].Name, next.Tools[i].FirstSeen)
	}
	return next
}

// first is the record of a server that was met for the first time.
func first(seen *sight) *record {
	r := &record{Key: seen.key, Start: seen.start, Server: seen.info, Since: seen.now, BlockedTools: []string{}, Tools: seen.withWords()}
	for i := range r.Tools {
		r.Tools[i].AcceptedAt = seen.now
	}
	return r
}

// firstSeen is when a tool of that name was first seen.
func (r *record) firstSeen(name string, now seal.Timestamp) seal.Timestamp {
	if t := find(r.Tools, name); t != nil {
		return t.FirstSeen
	}
	if r.Pending != nil {
		if t := find(r.Pending.Tools, name); t != nil {
			return t.FirstSeen
		}
	}
	return now
}

func find(tools []tool, name string) *tool {
	if i, ok := slices.BinarySearchFunc(tools, tool{Name: name}, byName); ok {
		return &tools[i]
	}
	return nil
}

func (s *sight) find(t *tool) fingerprint.Tool { return s.full[t.Name] }

func (r *record) blocks(name string) bool {
	_, ok := slices.BinarySearch(r.BlockedTools, name)
	return ok
}

// changes are the differences of tools from those that are accepted, by name.
func (r *record) changes(tools []tool, full func(*tool) fingerprint.Tool) []verify.FirstUseChange {
	var all []verify.FirstUseChange
	old, new := r.Tools, tools
	for len(old) > 0 || len(new) > 0 {
		var was, is *tool
		if len(old) > 0 && (len(new) == 0 || old[0].Name <= new[0].Name) {
			was = &old[0]
		}
		if len(new) > 0 && (len(old) == 0 || new[0].Name <= old[0].Name) {
			is = &new[0]
		}
		if was != nil {
			old = old[1:]
		}
		if is != nil {
			new = new[1:]
		}
		if c, ok := change(was, is, full); ok {
			c.Blocked = r.blocks(c.Tool)
			all = append(all, c)
		}
	}
	return all
}

// change compares one tool; one of was and is may be nil.
func change(was, is *tool, full func(*tool) fingerprint.Tool) (verify.FirstUseChange, bool) {
	switch {
	case was == nil:
		return verify.FirstUseChange{Tool: is.Name, Kind: verify.ToolAdded, New: full(is), NewDigests: is.Interface}, true
	case is == nil:
		return verify.FirstUseChange{Tool: was.Name, Kind: verify.ToolRemoved, AcceptedAt: was.AcceptedAt.Time, Old: was.full(), OldDigests: was.Interface}, true
	case was.Interface == is.Interface:
		return verify.FirstUseChange{}, false
	}
	c := verify.FirstUseChange{
		Tool: is.Name, Kind: verify.ToolChanged, AcceptedAt: was.AcceptedAt.Time,
		Old: was.full(), New: full(is), OldDigests: was.Interface, NewDigests: is.Interface,
	}
	for _, d := range fingerprint.Compare(was.Interface, is.Interface) {
		c.Components = append(c.Components, d.Component)
	}
	return c, true
}

func (p *pending) digest() digest.Digest { return pendingDigest(p.Tools, p.Start) }

// pendingDigest names an observation, for somebody to accept just that. start is
// how the server is started, "" where that is as it was.
func pendingDigest(tools []tool, start string) digest.Digest {
	h := sha256.New()
	fmt.Fprint(h, "mcp-integrity tofu pending v1")
	for _, t := range tools {
		fmt.Fprintf(h, "%d:%s%d:%s", len(t.Name), t.Name, len(t.Interface.Composite), t.Interface.Composite)
	}
	if start != "" {
		fmt.Fprintf(h, "start%d:%s", len(start), start)
	}
	return digest.NewDigest(digest.SHA256, h)
}

// pendingChanges are those that nobody accepted yet.
func (r *record) pendingChanges() []verify.FirstUseChange {
	if r.Pending == nil {
		return nil
	}
	return r.changes(r.Pending.Tools, (*tool).full)
}

func (r *record) entry() Entry {
	e := Entry{FirstUseKey: r.Key, Info: r.Server, Since: r.Since, Blocked: r.Blocked, Sealed: r.sealedBy(), BlockedTools: append([]string{}, r.BlockedTools...), Tools: make([]Tool, 0, len(r.Tools))}
	for _, t := range r.Tools {
		e.Tools = append(e.Tools, Tool{Name: t.Name, Interface: t.Interface, FirstSeen: t.FirstSeen, AcceptedAt: t.AcceptedAt, Blocked: r.blocks(t.Name)})
	}
	if p := r.Pending; p != nil {
		m := verify.Meeting{Since: r.Since.Time, Blocked: r.Blocked, Pending: p.digest(), Changes: r.pendingChanges()}
		for _, t := range p.Tools {
			if r.blocks(t.Name) {
				m.BlockedTools = append(m.BlockedTools, t.Name)
			}
		}
		e.Pending = &Pending{Digest: m.Pending, Restarted: p.Start != "", Seen: p.Seen, Info: p.Server, Report: verify.NewFirstUseReport(r.Key, m)}
	}
	return e
}

// accept is [Store.Accept].
func (r *record) accept(shown digest.Digest, now seal.Timestamp, names []string) error {
	switch {
	case r.Blocked:
		return errors.New("the server is blocked: unblock it first")
	case r.Pending == nil:
		return fmt.Errorf("%w: nothing is pending", ErrNotPending)
	}
	if got := r.Pending.digest(); got != shown {
		return fmt.Errorf("%w: got %s, want %.80q", ErrNotPending, got, shown)
	}
	changes := r.pendingChanges()
	for _, name := range names {
		if !slices.ContainsFunc(changes, func(c verify.FirstUseChange) bool { return c.Tool == name }) {
			return fmt.Errorf("tool %.100q: nothing of it is pending", name)
		}
		if r.blocks(name) {
			return fmt.Errorf("tool %.100q is blocked: unblock it first", name)
		}
	}
	if err := unshown(changes, names); err != nil {
		return err
	}
	for _, c := range changes {
		if len(names) == 0 && !c.Blocked || slices.Contains(names, c.Tool) {
			r.acceptTool(c.Tool, now)
		}
	}
	if len(r.pendingChanges()) == 0 {
		if r.Pending.Start != "" {
			r.Start = r.Pending.Start
		}
		r.Server, r.Pending = r.Pending.Server, nil
	}
	return nil
}

// unshown refuses to accept by a digest what nobody could be shown, unless its name
// says that somebody looked elsewhere. That a tool is gone needs no words.
func unshown(changes []verify.FirstUseChange, names []string) error {
	if len(names) > 0 {
		return nil
	}
	var all []string
	for i := range changes {
		if c := &changes[i]; c.Kind != verify.ToolRemoved && !c.Blocked && c.Wordless() {
			all = append(all, fmt.Sprintf("%.100q", c.Tool))
		}
	}
	if len(all) == 0 {
		return nil
	}
	more := ""
	if n := len(all) - maxNamed; n > 0 {
		all, more = all[:maxNamed], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("%w: %s%s", ErrUnshown, strings.Join(all, ", "), more)
}

func (r *record) acceptTool(name string, now seal.Timestamp) {
	r.Tools = slices.DeleteFunc(r.Tools, func(t tool) bool { return t.Name == name })
	if is := find(r.Pending.Tools, name); is != nil {
		accepted := *is
		accepted.AcceptedAt = now
		i, _ := slices.BinarySearchFunc(r.Tools, accepted, byName)
		r.Tools = slices.Insert(r.Tools, i, accepted)
	}
}

// block is [Store.Block].
func (r *record) block(names []string) error {
	if len(names) == 0 {
		r.Blocked = true
	}
	for _, name := range names {
		known := find(r.Tools, name) != nil || r.Pending != nil && find(r.Pending.Tools, name) != nil
		if !known {
			return fmt.Errorf("tool %.100q: the server was never seen to have it", name)
		}
		if i, blocked := slices.BinarySearch(r.BlockedTools, name); !blocked {
			r.BlockedTools = slices.Insert(r.BlockedTools, i, name)
		}
	}
	return nil
}

// unblock is [Store.Unblock].
func (r *record) unblock(names []string) error {
	if len(names) == 0 {
		if !r.Blocked {
			return errors.New("the server is not blocked")
		}
		r.Blocked = false
	}
	for _, name := range names {
		i, blocked := slices.BinarySearch(r.BlockedTools, name)
		if !blocked {
			return fmt.Errorf("tool %.100q is not blocked", name)
		}
		r.BlockedTools = slices.Delete(r.BlockedTools, i, i+1)
	}
	return nil
}
