package tofu

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/vault"
	"github.com/mcp-integrity/seal-action/verify"
)

// What is too long to be shown is noticed all the same.
func TestWordless(t *testing.T) {
	s := open(t, t.TempDir())
	long := strings.Repeat("long ", maxRaw/5)
	meet(t, s, alpha, served(t, "a="+long, "b=B"), noon)
	m := meet(t, s, alpha, served(t, "a="+long+"!", "b=C"), later)
	wantChanges(t, m, "a changed description; b changed description")
	r := only(t, s).Pending.Report
	if diff := cmp.Diff([]string{"a"}, r.Wordless); diff != "" || len(r.Old) != 1 || len(r.New) != 1 {
		t.Errorf("%d old, %d new (-want +got):\n%s", len(r.Old), len(r.New), diff)
	}
}

// Where there is no room the server is no first use, and one that is known is
// still compared.
func TestNoRoom(t *testing.T) {
	s := open(t, t.TempDir())
	meet(t, s, alpha, served(t, "a=A"), noon)
	s.vault.MaxFiles = 1
	if _, err := s.Meet(t.Context(), beta, served(t, "b"), noon); !errors.Is(err, verify.ErrUnavailable) || !errors.Is(err, vault.ErrFull) {
		t.Errorf("got %v, want ErrFull and ErrUnavailable", err)
	}
	s.vault.MaxTotal = 10
	m := meet(t, s, alpha, served(t, "a=evil"), later)
	wantChanges(t, m, "a changed description")
	if !errors.Is(m.Unkept, vault.ErrFull) || m.Pending != "" {
		t.Errorf("got pending %q, %v", m.Pending, m.Unkept)
	}
	if err := s.Forget(t.Context(), alpha); err != nil {
		t.Errorf("forget where all is full: %v", err)
	}
}
