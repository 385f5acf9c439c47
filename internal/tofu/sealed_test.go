package tofu

import (
	"errors"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/verify"
)

// TestSealed: a server that had a manifest is not met for the first time without
// one, and keeps what somebody blocked.
func TestSealed(t *testing.T) {
	s := open(t, t.TempDir()+"/tofu")
	ctx, key := t.Context(), verify.FirstUseKey{Host: "desk", Server: "npx acme"}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if err := s.Sealed(ctx, key, "", served(t, "read"), now); err == nil {
		t.Error("a manifest of nobody was kept")
	}
	if err := s.Sealed(ctx, key, "io.github.acme", served(t, "read"), now); err != nil {
		t.Fatal(err)
	}
	m, err := s.Meet(ctx, key, served(t, "read"), now.Add(time.Hour))
	if err != nil || m.First || m.Sealed != "io.github.acme" || len(m.Changes) != 0 {
		t.Errorf("got %+v, %v", m, err)
	}
	if err := s.Block(ctx, key, "read"); err != nil {
		t.Fatal(err)
	}
	// A new release adds a tool: the publisher vouches for it, and takes nothing of
	// the block away.
	if err := s.Sealed(ctx, key, "io.github.acme", served(t, "read", "send"), now.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	m, err = s.Meet(ctx, key, served(t, "read", "send"), now.Add(3*time.Hour))
	if err != nil || len(m.Changes) != 0 || len(m.BlockedTools) != 1 || !m.Since.Equal(now) {
		t.Errorf("got %+v, %v", m, err)
	}
	if err := s.Forget(ctx, key); err != nil {
		t.Fatal(err)
	}
	if m, err = s.Meet(ctx, key, served(t, "read"), now); err != nil || !m.First || m.Sealed != "" {
		t.Errorf("got %+v, %v", m, err)
	}
}

// TestSealedIsWrittenOnce: every run verifies, and few have anything new to keep.
func TestSealedIsWrittenOnce(t *testing.T) {
	s := open(t, t.TempDir()+"/tofu")
	ctx, key := t.Context(), verify.FirstUseKey{Host: "desk", Server: "npx acme"}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if err := s.Sealed(ctx, key, "io.github.acme", served(t, "read"), now); err != nil {
		t.Fatal(err)
	}
	before, err := s.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(s.Sealed(ctx, key, "io.github.acme", served(t, "read"), now.Add(time.Hour)))
	after, bad := s.List(ctx)
	if err != nil || bad != nil || len(after) != 1 || !after[0].Tools[0].AcceptedAt.Equal(before[0].Tools[0].AcceptedAt.Time) {
		t.Errorf("got %+v, want %+v (%v, %v)", after, before, err, bad)
	}
}
