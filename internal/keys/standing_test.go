package keys

import (
	"errors"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/seal"
)

// Keys from elsewhere, of which the document says something, or not.
func TestStanding(t *testing.T) {
	a, b := newKey(t, "a"), newKey(t, "b")
	namesake := newKey(t, "b").Public()
	gone := parsed(t, jwksOf(t, []any{a}, notice(t, "b", a)))
	own := parsed(t, jwksOf(t, []any{a, b}, notice(t, "b", b)))
	for _, tt := range []struct {
		name string
		set  Set
		key  PublicKey
		want Status
	}{
		{"never heard of", gone, newKey(t, "x").Public(), Unknown},
		{"live", gone, a.Public(), Live},
		{"live by another name", gone, mustNamed(t, a, "mine").Public(), Live},
		{"revoked, and gone", gone, b.Public(), Revoked},
		{"perhaps the revoked one", gone, namesake, Revoked},
		{"revoked", own, b.Public(), Revoked},
		{"revoked, pinned by another name", own, mustNamed(t, b, "mine").Public(), Revoked},
		{"not the one that is known to be revoked", own, namesake, Unknown},
		{"empty key", own, PublicKey{}, Unknown},
		{"empty set", Set{}, a.Public(), Unknown},
	} {
		if got := tt.set.Standing(tt.key).Status; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if got := own.StandingOf("").Status; got != Unknown {
		t.Errorf("no name: %s", got)
	}
}

func TestRefusal(t *testing.T) {
	a, b := newKey(t, "a"), newKey(t, "b")
	s := parsed(t, jwksOf(t, []any{a, jwkOf(t, b, change{"retired_at": "2026-02-15T12:00:00Z"})}, notice(t, "r", a), notice(t, "x", b)))
	for _, tt := range []struct {
		id   string
		at   time.Time
		want seal.Code
	}{
		{"a", noon, 0}, {"a", time.Time{}, 0}, {"unknown", noon, 0},
		{"b", noon, 0}, {"b", time.Time{}, seal.CodeKeyRetired}, {"b", noon.Add(time.Second), seal.CodeKeyRetired},
		{"r", noon.Add(-24 * time.Hour), seal.CodeSignatureKeyRevoked}, {"r", time.Time{}, seal.CodeSignatureKeyRevoked},
		{"x", noon, seal.CodeSignatureKeyRevoked},
	} {
		err := s.StandingOf(tt.id).Refusal(tt.id, tt.at)
		var got seal.Code
		if e := (*seal.Error)(nil); errors.As(err, &e) {
			got = e.Code
		}
		if got != tt.want || (err == nil) != (tt.want == 0) {
			t.Errorf("%s at %s: %v, want %v", tt.id, tt.at, err, tt.want)
		}
		withdrawn := s.StandingOf(tt.id).Withdrawn(tt.id)
		if (withdrawn != nil) != (tt.want == seal.CodeSignatureKeyRevoked) {
			t.Errorf("%s: withdrawn %v, want it of revoked keys alone", tt.id, withdrawn)
		}
	}
}
