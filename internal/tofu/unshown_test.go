package tofu

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/verify"
)

// TestAcceptUnshown: words that nobody could be shown are accepted by name alone.
func TestAcceptUnshown(t *testing.T) {
	s := open(t, t.TempDir())
	long := strings.Repeat("long ", maxRaw/5)
	meet(t, s, alpha, served(t, "a=A", "b=B", "gone="+long), noon)
	m := meet(t, s, alpha, served(t, "a="+long, "b=C"), later)
	if n := len(only(t, s).Pending.Report.Changes); n != 3 {
		t.Errorf("got %d changes, want 3", n)
	}
	err := s.Accept(t.Context(), alpha, m.Pending, later)
	if !errors.Is(err, ErrUnshown) || !strings.Contains(err.Error(), `"a"`) || strings.Contains(err.Error(), "gone") {
		t.Fatalf("got %v, want ErrUnshown of a", err)
	}
	wantChanges(t, meet(t, s, alpha, served(t, "a="+long, "b=C"), later), "a changed description; b changed description; gone removed")
	if err := s.Accept(t.Context(), alpha, m.Pending, later, "a"); err != nil {
		t.Fatal(err)
	}
	if err := s.Accept(t.Context(), alpha, m.Pending, later); err != nil {
		t.Fatal(err)
	}
	wantChanges(t, meet(t, s, alpha, served(t, "a="+long, "b=C"), later), "")
}

// TestBeyondBounds: a server that is known does not leave the comparison by having
// too much, and one that is not known is no first use.
func TestBeyondBounds(t *testing.T) {
	many := served(t, "a=evil")
	for i := range maxTools {
		tool := many.Tools[0]
		tool.Name = fmt.Sprint("n", i)
		many.Tools = append(many.Tools, tool)
	}
	for name, o := range map[string]verify.Observation{
		"a long name": served(t, "a=evil", strings.Repeat("n", maxName+1)),
		"many tools":  many,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			if _, err := s.Meet(t.Context(), alpha, o, noon); !errors.Is(err, verify.ErrUnavailable) {
				t.Errorf("a first use: got %v, want ErrUnavailable", err)
			}
			meet(t, s, alpha, served(t, "a=A"), noon)
			if err := s.Block(t.Context(), alpha, "a"); err != nil {
				t.Fatal(err)
			}
			m := meet(t, s, alpha, o, later)
			if c := m.Changes; len(c) != len(o.Tools) || c[0].Tool != "a" || c[0].Kind != verify.ToolChanged || len(m.BlockedTools) != 1 {
				t.Errorf("got %d changes, blocked %q", len(c), m.BlockedTools)
			}
			if m.Unkept == nil || m.Pending != "" || only(t, s).Pending != nil {
				t.Errorf("got unkept %v, pending %q", m.Unkept, m.Pending)
			}
			if err := s.Sealed(t.Context(), alpha, "io.github.acme", o, later); !errors.Is(err, verify.ErrUnavailable) {
				t.Errorf("sealed: got %v, want ErrUnavailable", err)
			}
		})
	}
}

// TestBlocked: it is known before the server is looked at.
func TestBlocked(t *testing.T) {
	s := open(t, t.TempDir())
	if whole, tools, err := s.Blocked(t.Context(), alpha); whole || len(tools) > 0 || err != nil {
		t.Errorf("never met: got %v, %q, %v", whole, tools, err)
	}
	meet(t, s, alpha, served(t, "a", "b"), noon)
	if err := errors.Join(s.Block(t.Context(), alpha), s.Block(t.Context(), alpha, "b")); err != nil {
		t.Fatal(err)
	}
	for _, key := range []verify.FirstUseKey{alpha, {Host: alpha.Host, Server: alpha.Server, Start: "other"}} {
		if whole, tools, err := s.Blocked(t.Context(), key); !whole || len(tools) != 1 || tools[0] != "b" || err != nil {
			t.Errorf("got %v, %q, %v", whole, tools, err)
		}
	}
	if _, _, err := s.Blocked(t.Context(), verify.FirstUseKey{Server: strings.Repeat("n", maxText+1)}); !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("no key: got %v, want ErrUnavailable", err)
	}
}

// TestRestarted: another command under the same name is told until it is accepted.
func TestRestarted(t *testing.T) {
	s := open(t, t.TempDir())
	at := func(start string) verify.FirstUseKey {
		key := alpha
		key.Start = start
		return key
	}
	meet(t, s, at(""), served(t, "a"), noon)
	if m := meet(t, s, at("one"), served(t, "a"), noon); m.Restarted || m.First {
		t.Errorf("told for the first time: got %+v", m)
	}
	if m := meet(t, s, at(""), served(t, "a"), noon); m.Restarted {
		t.Error("who does not tell how it starts learns that it changed")
	}
	for range 2 {
		m := meet(t, s, at("two"), served(t, "a"), later)
		if !m.Restarted || m.Pending == "" || len(m.Changes) != 0 {
			t.Errorf("got %+v", m)
		}
	}
	p := only(t, s).Pending
	if p == nil || !p.Restarted {
		t.Fatalf("got pending %+v", p)
	}
	if m := meet(t, s, at("three"), served(t, "a"), later); m.Pending == p.Digest {
		t.Error("another start has the same digest")
	}
	if err := s.Accept(t.Context(), alpha, p.Digest, later); !errors.Is(err, ErrNotPending) {
		t.Errorf("got %v, want ErrNotPending", err)
	}
	if err := s.Accept(t.Context(), alpha, only(t, s).Pending.Digest, later); err != nil {
		t.Fatal(err)
	}
	if m := meet(t, s, at("three"), served(t, "a"), later); m.Restarted || m.Pending != "" {
		t.Errorf("accepted: got %+v", m)
	}
	if m := meet(t, s, at("two"), served(t, "a"), later); !m.Restarted {
		t.Error("the old start is not told")
	}
	if err := s.Sealed(t.Context(), at("two"), "io.github.acme", served(t, "a"), later); err != nil {
		t.Fatal(err)
	}
	if m := meet(t, s, at("two"), served(t, "a"), later); m.Restarted {
		t.Error("a publisher vouches for it, and it is told")
	}
}
