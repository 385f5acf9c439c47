package keys

import (
	"bytes"
	_ "embed" // NoticeSchema
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// NoticeSchema is the JSON Schema of a revocation notice: MIS §26.3, closed.
// [ParseNotice] asks for more than a schema can say.
//
//go:embed schema/key-revocation.json
var NoticeSchema []byte

// noticeType is the member "type" of every notice (MIS §16.5).
const noticeType = "key_revocation"

// Reason is why a key was revoked (MIS §16.5). It is for people: a revoked key
// is revoked, whatever the reason.
type Reason string

// The reasons of MIS §16.5.
const (
	KeyCompromise         Reason = "key_compromise"
	KeyRotation           Reason = "key_rotation"
	PublisherDeactivation Reason = "publisher_deactivation"
)

// Reasons are all of them.
var Reasons = []Reason{KeyCompromise, KeyRotation, PublisherDeactivation}

// A Notice is a key revocation notice (MIS §16.5):
//
//	{"reason":"key_compromise","replacement_key_id":"acme-2026",
//	 "revocation_timestamp":"2026-02-15T10:00:00Z","revoked_key_id":"acme-2025",
//	 "signed_by":{"algorithm":"Ed25519","key_id":"acme-2026","signature":"…"},
//	 "type":"key_revocation"}
//
// The signature is over the RFC 8785 form of all this without
// signed_by.signature (decision 17), so it names its signer and the algorithm,
// too. Such a text begins with "{" and no DSSE encoding does: neither can be
// passed off as the other.
//
// A Notice proves nothing by itself: a [Set] says which of its notices hold.
type Notice struct {
	// RevokedKeyID is the kid of the revoked key.
	RevokedKeyID string
	// Time is when the key was revoked, as the signer says. Nothing is decided
	// by it: a thief of the key could have signed at any time, so the notice
	// works at once and on all that the key ever signed (MIS §16.4).
	Time   time.Time
	Reason Reason
	// ReplacementKeyID is a hint for people; may be empty.
	ReplacementKeyID string
	SignedBy         SignedBy

	// text is Time as it was signed: one moment has many spellings.
	text string
}

// SignedBy says who signed a [Notice].
type SignedBy struct {
	KeyID string `json:"key_id"`
	// Algorithm is "Ed25519" (read as "EdDSA", too) or "ES256".
	Algorithm string `json:"algorithm"`
	// Signature is base64 (decision 5) of 64 bytes (decision 6).
	Signature string `json:"signature,omitzero"`
}

// noticeFile is a notice as it is written.
type noticeFile struct {
	Type        string   `json:"type"`
	Revoked     string   `json:"revoked_key_id"`
	Time        string   `json:"revocation_timestamp"`
	Reason      Reason   `json:"reason"`
	Replacement *string  `json:"replacement_key_id,omitzero"`
	SignedBy    SignedBy `json:"signed_by"`
}

// ParseNotice reads a notice of at most 8 KiB: exactly the members of MIS
// §16.5, and no other. It looks at the form only; see [Notice.Verify].
func ParseNotice(data []byte) (Notice, error) {
	n, err := parseNotice(data)
	if err != nil {
		return Notice{}, fmt.Errorf("revocation notice: %w", err)
	}
	return n, nil
}

func parseNotice(data []byte) (Notice, error) {
	if len(data) > maxNotice {
		return Notice{}, fmt.Errorf("%d bytes, want %d at most", len(data), maxNotice)
	}
	var f noticeFile
	if err := strictjson.Unmarshal(data, &f); err != nil {
		return Notice{}, err
	}
	if f.Type != noticeType {
		return Notice{}, fmt.Errorf("type %.100q, want %q", f.Type, noticeType)
	}
	n := Notice{RevokedKeyID: f.Revoked, Reason: f.Reason, SignedBy: f.SignedBy, text: f.Time}
	if err := n.Time.UnmarshalText([]byte(f.Time)); err != nil {
		return Notice{}, fmt.Errorf("revocation_timestamp %.100q: want RFC 3339, such as 2026-02-15T10:00:00Z", f.Time)
	}
	if f.Replacement != nil {
		if n.ReplacementKeyID = *f.Replacement; n.ReplacementKeyID == "" {
			return Notice{}, errors.New("replacement_key_id is empty: leave it out")
		}
	}
	if err := n.check(); err != nil {
		return Notice{}, err
	}
	// A null reads as an empty text: what was signed must be what is meant.
	written, err := n.Marshal()
	if err != nil {
		return Notice{}, err
	}
	if canonical, err := strictjson.Canonical(data); err != nil || !bytes.Equal(canonical, written) {
		return Notice{}, errors.New("it has a null where MIS §16.5 has a text or nothing")
	}
	return n, nil
}

// check refuses what no notice says, signed or not.
func (n Notice) check() error {
	for _, id := range []struct{ member, text string }{
		{"revoked_key_id", n.RevokedKeyID}, {"replacement_key_id", n.ReplacementKeyID}, {"signed_by.key_id", n.SignedBy.KeyID},
	} {
		if err := checkKeyID(id.text); err != nil {
			return fmt.Errorf("%s: %w", id.member, err)
		}
		if id.text == "" && id.member != "replacement_key_id" {
			return fmt.Errorf("no %s", id.member)
		}
	}
	if n.ReplacementKeyID == n.RevokedKeyID {
		return fmt.Errorf("replacement_key_id %.100q is the revoked key itself", n.ReplacementKeyID)
	}
	if !slices.Contains(Reasons, n.Reason) {
		return fmt.Errorf("reason %.100q, want one of %q", n.Reason, Reasons)
	}
	if _, err := n.SignedBy.algorithm(); err != nil {
		return err
	}
	if _, err := n.SignedBy.bytes(); err != nil {
		return fmt.Errorf("signed_by.signature: %w", err)
	}
	return nil
}

// algorithm reads both names that Ed25519 has in JOSE (decision 6).
func (s SignedBy) algorithm() (Algorithm, error) {
	switch s.Algorithm {
	case "EdDSA", string(Ed25519):
		return Ed25519, nil
	case string(ES256):
		return ES256, nil
	}
	return "", fmt.Errorf("signed_by.algorithm %.100q, want one of %q", s.Algorithm, Algorithms)
}

// bytes reads either alphabet of RFC 4648, one in a text, padded or not, and
// strictly (decision 5).
func (s SignedBy) bytes() ([]byte, error) {
	text := s.Signature
	if len(text) == 88 {
		text = strings.TrimSuffix(text, "==")
	}
	if len(text) != 86 || strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("%d characters, want 86: base64url of 64 bytes (ES256 is r‖s, not DER)", len(s.Signature))
	}
	enc := base64.RawURLEncoding
	if strings.ContainsAny(text, "+/") {
		enc = base64.RawStdEncoding
	}
	b, err := enc.Strict().DecodeString(text)
	if err != nil {
		return nil, errors.New("it is no base64 by RFC 4648")
	}
	return b, nil
}

// SignNotice returns n signed by signer: the revoked key itself, or, better,
// another key of the same document. MIS §16.4 has the revoked key removed, and
// who never saw it cannot verify a notice that only it signed.
//
// n needs RevokedKeyID, Time and Reason. Its SignedBy is replaced.
func SignNotice(n Notice, signer PrivateKey) (Notice, error) {
	fail := func(err error) (Notice, error) {
		return Notice{}, fmt.Errorf("sign revocation notice of %.100q: %w", n.RevokedKeyID, err)
	}
	if n.Time.IsZero() {
		return fail(errors.New("no time of revocation"))
	}
	n.Time, n.text = n.Time.UTC().Truncate(time.Second), ""
	n.SignedBy = SignedBy{KeyID: signer.KeyID(), Algorithm: string(signer.Algorithm())}
	message, err := n.message()
	if err != nil {
		return fail(err)
	}
	sig, err := signer.Sign(message)
	if err != nil {
		return fail(err)
	}
	n.SignedBy.Signature = encode(sig)
	data, err := n.Marshal()
	if err != nil {
		return fail(err)
	}
	signed, err := parseNotice(data) // as who reads it does
	if err == nil {
		err = signed.Verify(signer.Public())
	}
	if err != nil {
		return fail(err)
	}
	return signed, nil
}

// Verify returns nil when key signed n. Whether key may revoke the other one is
// not asked here: that is for the [Set].
func (n Notice) Verify(key PublicKey) error {
	alg, err := n.SignedBy.algorithm()
	switch {
	case err != nil:
		return err
	case n.SignedBy.KeyID != key.KeyID:
		return fmt.Errorf("signed_by.key_id %.100q, want %.100q", n.SignedBy.KeyID, key.KeyID)
	case alg != key.Algorithm:
		return fmt.Errorf("signed_by.algorithm %.100q, and key %.100q is of %s", n.SignedBy.Algorithm, key.KeyID, key.Algorithm)
	}
	sig, err := n.SignedBy.bytes()
	if err != nil {
		return fmt.Errorf("signed_by.signature: %w", err)
	}
	message, err := n.message()
	if err != nil {
		return err
	}
	return key.Seal().Verify(message, sig)
}

// message is what is signed.
func (n Notice) message() ([]byte, error) {
	n.SignedBy.Signature = ""
	return n.Marshal()
}

// Marshal returns the RFC 8785 form of n.
func (n Notice) Marshal() ([]byte, error) {
	f := noticeFile{Type: noticeType, Revoked: n.RevokedKeyID, Reason: n.Reason, SignedBy: n.SignedBy}
	var err error
	if f.Time, err = n.timestamp(); err != nil {
		return nil, err
	}
	if n.ReplacementKeyID != "" {
		f.Replacement = &n.ReplacementKeyID
	}
	return strictjson.Marshal(f)
}

// timestamp returns Time in the spelling that was read, else in ours.
func (n Notice) timestamp() (string, error) {
	var read time.Time
	if read.UnmarshalText([]byte(n.text)) == nil && read.Equal(n.Time) {
		return n.text, nil
	}
	text, err := n.Time.MarshalText()
	if err != nil {
		return "", fmt.Errorf("time of revocation: %w", err)
	}
	return string(text), nil
}

// Equal tells whether n and o are the same notice, signature and all.
func (n Notice) Equal(o Notice) bool {
	if n.RevokedKeyID != o.RevokedKeyID || n.Reason != o.Reason || n.ReplacementKeyID != o.ReplacementKeyID || n.SignedBy != o.SignedBy || !n.Time.Equal(o.Time) {
		return false
	}
	a, errA := n.timestamp()
	b, errB := o.timestamp()
	return errA == nil && errB == nil && a == b
}
