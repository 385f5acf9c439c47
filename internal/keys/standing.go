package keys

import (
	"fmt"
	"time"

	"github.com/mcp-integrity/seal-action/seal"
)

// Status is what a [Set] says about a key.
type Status string

// What a Set can say.
const (
	// Unknown: the set has no such key, and no notice that names it.
	Unknown Status = "unknown"
	Live    Status = "live"
	Retired Status = "retired"
	Revoked Status = "revoked"
	// Contested: a notice that proves nothing names the key; see [SkippedNotice].
	Contested Status = "contested"
)

// Standing is what a [Set] says about a key, and why. Its zero value says
// nothing, and refuses nothing.
type Standing struct {
	Status Status
	// RetiredAt is of a retired key.
	RetiredAt time.Time
	// Revocation is of a revoked key.
	Revocation Revocation
	// Reason says of a contested key why the notice proves nothing.
	Reason string
}

// Standing tells how k stands. A key is known by its thumbprint, under whatever
// name; a notice meets it by thumbprint, or by name where k stands in the
// document, or where nobody knows which key the notice's name meant. So a key
// from elsewhere that bears a name which the document's owner used, too, is not
// revoked with that one.
//
// Ask before a signature is verified (MIS §16.4), of every key, wherever it came
// from, and [Set.StandingOf] besides for signatures whose key is not known.
func (s Set) Standing(k PublicKey) Standing {
	shown := s.shown()
	ids := map[string]bool{k.KeyID: true}
	here := false
	for _, o := range shown {
		if k.Thumbprint != "" && o.Thumbprint == k.Thumbprint {
			ids[o.KeyID], here = true, true
		}
	}
	for _, r := range s.Revocations {
		if known := r.Revoked.Thumbprint; known != "" && known == k.Thumbprint || ids[r.Notice.RevokedKeyID] && (here || known == "") {
			return Standing{Status: Revoked, Revocation: r}
		}
	}
	for _, n := range s.SkippedNotices {
		if n.names != "" && ids[n.names] {
			return Standing{Status: Contested, Reason: n.Reason}
		}
	}
	if at := retiredAt(shown, k); here && !at.IsZero() {
		return Standing{Status: Retired, RetiredAt: at}
	}
	if here {
		return Standing{Status: Live}
	}
	return Standing{Status: Unknown}
}

// StandingOf tells how the key of that name stands in this document, also where
// keys[] no longer has it: who signs by a name that is revoked is told so, and
// not that the key was not found.
func (s Set) StandingOf(keyID string) Standing {
	if k, ok := find(s.shown(), keyID); ok {
		return s.Standing(k)
	}
	for _, r := range s.Revocations {
		if r.Notice.RevokedKeyID == keyID {
			return Standing{Status: Revoked, Revocation: r}
		}
	}
	if k, ok := find(s.former, keyID); ok { // perhaps the same key by another name
		if t := s.Standing(k); t.Status == Revoked {
			return t
		}
	}
	return s.Standing(PublicKey{KeyID: keyID})
}

// Withdrawn says why nothing that the key signed counts, whenever it was made, or
// nil where no notice names it: the thief chooses the time (MIS §16.4). Contested
// counts as revoked. Ask it before a signature is verified, and of a key by
// itself; keyID is only for the words.
func (t Standing) Withdrawn(keyID string) error {
	switch t.Status {
	case Revoked:
		n := t.Revocation.Notice
		return refusal(seal.CodeSignatureKeyRevoked, "keyid %.100q: the key was revoked at %s (%s) by a notice of %.100q", keyID, n.Time.UTC().Format(time.RFC3339), n.Reason, n.SignedBy.KeyID)
	case Contested:
		return refusal(seal.CodeSignatureKeyRevoked, "keyid %.100q: a revocation notice that proves nothing names the key, and it does not count until its publisher settles that: %.300s", keyID, t.Reason)
	}
	return nil
}

// Refusal says why a signature under keyid must not count, or nil where the
// key's standing has nothing against it. at is the signature's time as its own
// signed statement says, or better a log; zero where nothing signed says it, as
// with a label beside the signature, which anybody can write.
//
// What is [Standing.Withdrawn] never counts. A retired key counts for what it
// signed before (MIS §16.3), and for nothing without a time: its holder chose
// not to say when, and nobody can tell it from what was signed today. Its holder
// can date a signature back, too, which makes retiring no answer to theft.
func (t Standing) Refusal(keyID string, at time.Time) error {
	if err := t.Withdrawn(keyID); err != nil || t.Status != Retired {
		return err
	}
	retired := t.RetiredAt.UTC().Format(time.RFC3339)
	switch {
	case at.IsZero():
		return refusal(seal.CodeKeyRetired, "keyid %.100q: the key was retired at %s, and nothing signed says when this was made: it cannot be told from what was signed today", keyID, retired)
	case at.After(t.RetiredAt):
		return refusal(seal.CodeKeyRetired, "keyid %.100q: signed at %s, and the key was retired at %s", keyID, at.UTC().Format(time.RFC3339), retired)
	}
	return nil
}

func refusal(code seal.Code, format string, args ...any) error {
	return &seal.Error{Code: code, Err: fmt.Errorf(format, args...)}
}
