package keys

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// A Revocation is a [Notice] that holds in a [Set].
type Revocation struct {
	Notice Notice
	// Signer is the key that signed it.
	Signer PublicKey
	// Revoked is the revoked key where it is known: it is revoked under every
	// name. Zero where only its name is known, as when the document no longer
	// shows the key and no [Documents] saw it there.
	Revoked PublicKey
	// Remembered says that the notice held earlier, and that the document lacks
	// it now or proves it no more (decision 17).
	Remembered bool
}

// SkippedNotice is an entry of revocations[] that proves nothing, and why.
//
// It is not without effect. The key that it names, if it names one, does not
// count in this document: it is contested. A publisher who says badly that a
// key is revoked most likely means it; MIS does not say which bytes are signed,
// so another tool's notice may be good and beyond us; and whoever could write
// the notice could as well have taken the key out of keys[], which nobody
// signed. Believing a thief's key costs more than asking once more. But it is
// not remembered, gives its signer no power over keys elsewhere, and is reported
// as what it is.
type SkippedNotice struct {
	Index  int    // in revocations[]
	KeyID  string // revoked_key_id as it stands there, at most 256 bytes; may be empty
	Reason string
	names  string // revoked_key_id
}

// entry is an element of revocations[] as it stands there.
type entry struct {
	raw    jsontext.Value
	names  string // revoked_key_id, "" where it cannot be read
	notice Notice
	err    error  // why it is no notice
	signer string // thumbprint of the key that signed it, once that was seen
}

func readEntry(raw jsontext.Value) entry {
	e := entry{raw: raw}
	var open struct {
		KeyID jsontext.Value `json:"revoked_key_id"`
	}
	if strictjson.UnmarshalOpen(raw, &open) == nil && len(open.KeyID) > 0 {
		_ = strictjson.Unmarshal(open.KeyID, &e.names) // of another type: names nothing
	}
	e.notice, e.err = ParseNotice(raw)
	return e
}

// verify returns nil when k, found by the signer's name, signed the notice.
func (e *entry) verify(k PublicKey) error {
	if e.signer != "" && e.signer == k.Thumbprint {
		return nil
	}
	err := e.notice.Verify(k)
	if err == nil {
		e.signer = k.Thumbprint
	}
	return err
}

// settle decides which entries hold, and takes the keys that any of them names
// out of Keys. The rules do not depend on an order or on times, which signers
// choose:
//
//   - A notice holds that the revoked key itself signed, retired or not: who has
//     the key may always give it up.
//   - A notice of another key holds when that one stands in this document, is
//     not retired, and is itself named by no entry, whether that one holds or
//     not. So of two keys that revoke each other neither counts, and neither
//     notice is remembered: one of the two was stolen, and only their owner
//     knows which.
//   - A key that is named is named under all names that it has here.
func (s *Set) settle() {
	shown := s.shown()
	named := s.named(shown)
	s.Revocations, s.SkippedNotices, s.tried = nil, nil, 0
	s.entries = slices.Clone(s.entries) // copies of s share them
	for i := range s.entries {
		e := &s.entries[i]
		r, err := s.judge(e, shown, named)
		if err != nil {
			s.SkippedNotices = append(s.SkippedNotices, SkippedNotice{Index: i, KeyID: e.names[:min(len(e.names), maxKeyID)], Reason: err.Error(), names: e.names})
			continue
		}
		s.Revocations = append(s.Revocations, r)
	}
	s.Revocations = append(s.Revocations, s.remembered...)
	for _, r := range s.Revocations {
		named.add(r.Revoked)
	}
	s.Keys, s.Withdrawn = nil, nil
	for _, k := range shown {
		if named.has(k) {
			s.Withdrawn = append(s.Withdrawn, k)
		} else {
			s.Keys = append(s.Keys, k)
		}
	}
}

// shown are the keys of keys[], those that a notice names, too.
func (s *Set) shown() []PublicKey { return slices.Concat(s.Keys, s.Withdrawn) }

// names are kids and thumbprints.
type names struct{ ids, thumbprints map[string]bool }

func (n names) add(k PublicKey) {
	if k.Thumbprint != "" {
		n.thumbprints[k.Thumbprint] = true
	}
}

func (n names) has(k PublicKey) bool { return n.ids[k.KeyID] || n.thumbprints[k.Thumbprint] }

// named are the keys that any notice names, good or bad, remembered or not.
func (s *Set) named(shown []PublicKey) names {
	n := names{map[string]bool{}, map[string]bool{}}
	for _, e := range s.entries {
		if e.names != "" {
			n.ids[e.names] = true
		}
	}
	for _, r := range s.remembered {
		n.ids[r.Notice.RevokedKeyID] = true
		n.add(r.Revoked)
	}
	for _, k := range shown {
		if n.ids[k.KeyID] {
			n.add(k)
		}
	}
	return n
}

// judge decides about one entry.
func (s *Set) judge(e *entry, shown []PublicKey, named names) (Revocation, error) {
	if e.err != nil {
		return Revocation{}, e.err
	}
	n := e.notice
	revoked, isShown := find(shown, n.RevokedKeyID)
	if n.SignedBy.KeyID == n.RevokedKeyID {
		return s.judgeOwn(e, shown)
	}
	signer, ok := find(shown, n.SignedBy.KeyID)
	if !ok {
		return Revocation{}, fmt.Errorf("signed by %.100q, a key that this document does not have", n.SignedBy.KeyID)
	}
	if err := e.verify(signer); err != nil {
		return Revocation{}, err
	}
	switch itself := isShown && signer.Thumbprint == revoked.Thumbprint; {
	case itself: // by another of its names
	case !retiredAt(shown, signer).IsZero():
		return Revocation{}, fmt.Errorf("signed by %.100q, a key that is retired", signer.KeyID)
	case named.has(signer):
		return Revocation{}, fmt.Errorf("signed by %.100q, a key that a notice revokes", signer.KeyID)
	}
	if !isShown {
		revoked, _ = find(s.former, n.RevokedKeyID)
	}
	return Revocation{Notice: n, Signer: signer, Revoked: revoked}, nil
}

// judgeOwn decides about a notice that the revoked key signed. That one may
// have left the document, as MIS §16.4 demands; whoever holds it, its own
// signature says that it is revoked, by whatever name it was pinned.
func (s *Set) judgeOwn(e *entry, shown []PublicKey) (Revocation, error) {
	err := errors.New("signed by the revoked key itself, which this document does not have any more: it cannot be verified here")
	for _, all := range [][]PublicKey{shown, s.former, s.known} {
		for _, k := range all {
			if k.KeyID != e.notice.SignedBy.KeyID {
				continue
			}
			if err = e.verify(k); err == nil {
				return Revocation{Notice: e.notice, Signer: k, Revoked: k}, nil
			}
		}
	}
	for _, k := range s.known {
		if s.tried++; s.tried > maxTried {
			break
		}
		k.KeyID = e.notice.SignedBy.KeyID
		if e.verify(k) == nil {
			return Revocation{Notice: e.notice, Signer: k, Revoked: k}, nil
		}
	}
	return Revocation{}, err
}

func find(all []PublicKey, keyID string) (PublicKey, bool) {
	for _, k := range all {
		if k.KeyID == keyID {
			return k, true
		}
	}
	return PublicKey{}, false
}

// retiredAt is the earliest time at which k, under any of its names in all,
// was retired; zero where it was not.
func retiredAt(all []PublicKey, k PublicKey) time.Time {
	var at time.Time
	for _, o := range all {
		if o.Thumbprint == k.Thumbprint && !o.RetiredAt.IsZero() && (at.IsZero() || o.RetiredAt.Before(at)) {
			at = o.RetiredAt
		}
	}
	return at
}

// Live returns the keys that sign today: neither retired, under any of their
// names, nor named by a notice.
func (s Set) Live() []PublicKey {
	var live []PublicKey
	for _, k := range s.Keys {
		if retiredAt(s.Keys, k).IsZero() {
			live = append(live, k)
		}
	}
	return live
}

// Revoke adds a notice, which must hold in s, and removes the key that it
// revokes, under all its names (MIS §16.4). The key need not be there.
//
// Notices that the revoked key signed for others no longer hold then, and stand
// in SkippedNotices: have them signed anew.
func (s *Set) Revoke(n Notice) error {
	raw, err := n.Marshal()
	if err != nil {
		return fmt.Errorf("revoke %.100q: %w", n.RevokedKeyID, err)
	}
	if s.has(n) {
		return nil
	}
	if len(s.entries) >= maxNotices {
		return fmt.Errorf("revoke %.100q: the document has %d notices and can hold no more", n.RevokedKeyID, len(s.entries))
	}
	with := *s
	with.entries = append(slices.Clone(s.entries), readEntry(raw))
	with.settle()
	for _, skipped := range with.SkippedNotices {
		if skipped.Index == len(with.entries)-1 {
			return fmt.Errorf("revoke %.100q: %s", n.RevokedKeyID, skipped.Reason)
		}
	}
	added := with.Revocations[len(with.Revocations)-1-len(with.remembered)]
	// The keys that leave are kept beside the document: the notice may be theirs.
	with.former = slices.Clone(s.former)
	var stay []PublicKey
	for _, k := range with.Withdrawn {
		if k.KeyID == n.RevokedKeyID || k.Thumbprint == added.Revoked.Thumbprint {
			with.former = append(with.former, k)
		} else {
			stay = append(stay, k)
		}
	}
	with.Withdrawn = stay
	with.settle()
	*s = with
	return nil
}

// has says whether the document shows this very notice, whatever it proves.
func (s *Set) has(n Notice) bool {
	return slices.ContainsFunc(s.entries, func(e entry) bool { return e.err == nil && e.notice.Equal(n) })
}

// Retire marks a key, under all its names: it signs nothing new, and what it
// signed stays verifiable (MIS §16.3). A key that was retired earlier keeps that
// time. A key that signed another one's revocation must not retire before
// somebody else signed it: the notice would prove nothing any more.
func (s *Set) Retire(keyID string, at time.Time) error {
	k, ok := s.Find(keyID)
	switch {
	case !ok && s.StandingOf(keyID).Status != Unknown:
		return fmt.Errorf("retire %.100q: it is revoked, which is more", keyID)
	case !ok:
		return fmt.Errorf("retire %.100q: the document has no such key", keyID)
	case at.IsZero() || at.Year() < 1 || at.Year() > 9999:
		return fmt.Errorf("retire %.100q: no time at which", keyID)
	}
	for _, r := range s.Revocations {
		if !r.Remembered && r.Signer.Thumbprint == k.Thumbprint && s.only(r) {
			return fmt.Errorf("retire %.100q: it signed the notice that revokes %.100q, which then proves nothing: revoke that one again with another key first", keyID, r.Notice.RevokedKeyID)
		}
	}
	s.Keys = slices.Clone(s.Keys)
	for i := range s.Keys {
		if o := &s.Keys[i]; o.Thumbprint == k.Thumbprint && o.RetiredAt.IsZero() {
			o.RetiredAt = at.UTC().Truncate(time.Second)
		}
	}
	s.settle()
	return nil
}

// only says whether nobody but r's signer revokes r's key.
func (s *Set) only(r Revocation) bool {
	return !slices.ContainsFunc(s.Revocations, func(o Revocation) bool {
		return !o.Remembered && o.Notice.RevokedKeyID == r.Notice.RevokedKeyID && o.Signer.Thumbprint != r.Signer.Thumbprint
	})
}

// Revoked returns the notice by which the key of that name is revoked: also
// where keys[] no longer has the key, and where a notice names the same key
// otherwise.
func (s Set) Revoked(keyID string) (Notice, bool) {
	t := s.StandingOf(keyID)
	if t.Status != Revoked {
		return Notice{}, false
	}
	return t.Revocation.Notice, true
}
