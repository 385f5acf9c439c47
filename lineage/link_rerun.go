package lineage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// maxShown bounds a value in the text of [Difference], in bytes.
const maxShown = 100

// SameRelease says whether current is a release that stands already, made once
// more: its payload is then reused, so that one release has one digest
// (decision 20).
func SameRelease(published, current *seal.Manifest) bool { return Difference(published, current) == "" }

// Difference names the first thing in which current is another release than the
// published one; "" where it is the same, made once more. It passes over what
// differs when the same commit is built and sealed again: issued_at, with
// expires_at as the time from one to the other, build_timestamp, and lineage,
// which a rerun would draw to the release itself. The order of the tools says
// nothing. All else belongs to the release: a digest that another build gave is
// other content, however the source agrees.
func Difference(published, current *seal.Manifest) string {
	if where := expiryDifference(published, current); where != "" {
		return where
	}
	old, new := rerunForm(published), rerunForm(current)
	for i := range min(len(old.Tools), len(new.Tools)) {
		switch o, n := old.Tools[i].Name, new.Tools[i].Name; {
		case o < n:
			return fmt.Sprintf("tool %.100q: got none, want one", o)
		case n < o:
			return fmt.Sprintf("tool %.100q: got one, want none", n)
		}
		if where := valueDifference(old.Tools[i], new.Tools[i]); where != "" {
			return fmt.Sprintf("tool %.100q: %s", new.Tools[i].Name, where)
		}
	}
	if o, n := len(old.Tools), len(new.Tools); o != n {
		return fmt.Sprintf("the tools: got %d, want %d", n, o)
	}
	old.Tools, new.Tools = nil, nil
	return valueDifference(old, new)
}

// expiryDifference compares how long the two are good for. Both times were cut
// to whole seconds.
func expiryDifference(published, current *seal.Manifest) string {
	validity := func(m *seal.Manifest) string {
		if m.ExpiresAt == nil {
			return "no expiry"
		}
		return m.ExpiresAt.Sub(m.IssuedAt.Time).String() + " after issued_at"
	}
	p, c := published.ExpiresAt, current.ExpiresAt
	if p != nil && c != nil {
		if d := p.Sub(published.IssuedAt.Time) - c.Sub(current.IssuedAt.Time); d.Abs() <= time.Second {
			return ""
		}
	}
	if p == nil && c == nil {
		return ""
	}
	return fmt.Sprintf("expires_at: got %s, want %s", validity(current), validity(published))
}

// rerunForm is m without what a rerun changes.
func rerunForm(m *seal.Manifest) seal.Manifest {
	c := *m
	c.IssuedAt, c.ExpiresAt = seal.Timestamp{}, nil
	c.Tools = slices.Clone(m.Tools)
	slices.SortStableFunc(c.Tools, func(a, b seal.Tool) int { return strings.Compare(a.Name, b.Name) })
	for i := range c.Tools {
		t := &c.Tools[i]
		t.Lineage = nil
		if t.Provenance != nil && t.Provenance.BuildTimestamp != nil {
			p, some := *t.Provenance, seal.NewTimestamp(time.Unix(0, 0))
			p.BuildTimestamp = &some // that there is one belongs to the release
			t.Provenance = &p
		}
	}
	return c
}

// valueDifference names the first member in which two values differ, by its JSON
// pointer.
func valueDifference(old, new any) string {
	a, errOld := strictjson.Marshal(old)
	b, errNew := strictjson.Marshal(new)
	if errOld != nil || errNew != nil {
		return fmt.Sprintf("a value that is no JSON (%v, %v)", errOld, errNew)
	}
	path, from, to := divergence("", parse(a), parse(b))
	if from == nil && to == nil {
		return ""
	}
	return fmt.Sprintf("%.200s: got %s, want %s", path, shown(to), shown(from))
}

// divergence walks down to the first place where two values differ.
func divergence(path string, old, new *node) (string, *node, *node) {
	if old == nil || new == nil || old.kind() != new.kind() || len(old.members) == 0 || len(new.members) == 0 {
		if old != nil && new != nil && string(old.raw) == string(new.raw) {
			return path, nil, nil
		}
		return path, old, new
	}
	for i := 0; i < len(old.members) || i < len(new.members); i++ {
		var o, n member
		if i < len(old.members) {
			o = old.members[i]
		}
		if i < len(new.members) {
			n = new.members[i]
		}
		step := fmt.Sprint(i)
		if old.kind() == '{' {
			step = o.name
			switch { // members are sorted: the lesser name is missing on the other side
			case n.node == nil, o.node != nil && o.name < n.name:
				n = member{}
			case o.node == nil, n.name < o.name:
				o, step = member{}, n.name
			}
		}
		if p, from, to := divergence(path+"/"+step, o.node, n.node); from != nil || to != nil {
			return p, from, to
		}
	}
	return path, nil, nil
}

func shown(n *node) string {
	switch {
	case n == nil:
		return "nothing"
	case len(n.raw) > maxShown:
		return fmt.Sprintf("%.*q…", maxShown, []byte(n.raw))
	}
	return string(n.raw)
}
