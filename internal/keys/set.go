package keys

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// A Set is a JWKS document (RFC 7517 §5): the public keys that a publisher or
// a registry shows (MIS §16.1).
//
// Keys that we cannot use stand in Skipped and do not spoil the others: RFC
// 7517 §5 asks for that, and such documents serve more than us. What stands in
// the document beside "keys" is kept as it is, so that writing a set again
// loses no one's key, mark or revocation.
//
// Beside "keys" stands "revocations", an array of notices (decision 17). A
// revoked key should have left keys[] (MIS §16.4); where it has not, the notice
// wins. A retired key stays, with the member "retired_at", an RFC 3339 time.
type Set struct {
	// Keys are those that count: live or retired, and named by no notice.
	Keys []PublicKey
	// Withdrawn are keys that stand in keys[] and that a notice names.
	Withdrawn []PublicKey
	Skipped   []Skipped
	// Revocations are the notices that hold.
	Revocations    []Revocation
	SkippedNotices []SkippedNotice

	entries    []entry      // of revocations[], as they stand there
	former     []PublicKey  // that this document had before
	known      []PublicKey  // that the caller has from elsewhere
	remembered []Revocation // that this document had before, and lacks
	tried      int          // keys that were tried on notices whatever their names
	other      members
}

// Skipped is a key of a set that is not used, and why.
type Skipped struct {
	Index  int    // in keys[]
	KeyID  string // as it stands there, at most 256 bytes; may be empty
	Reason string
	raw    jsontext.Value
}

// ErrSingleKey says that a JWKS document is a key by itself.
var ErrSingleKey = errors.New(`this is a single key, want a document with a member "keys"`)

// document is a JWKS document as it stands in a file.
type document struct {
	Keys        []jsontext.Value `json:"keys"`
	Revocations []jsontext.Value `json:"revocations,omitempty"`
	//lint:ignore SA5008 embed is an option of go-json-experiment
	Other members `json:",embed"`
}

// privateMembers are the secrets of every kind of JWK: RFC 7518 §6.2.2,
// §6.3.2 and §6.4, RFC 8037 §2, and "priv" of the post-quantum keys.
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// NewSet returns the set of keys. A key that stands twice is taken once; two
// keys of one name are an error.
func NewSet(keys ...PublicKey) (Set, error) {
	var s Set
	for _, k := range keys {
		if err := s.add(k); err != nil {
			return Set{}, err
		}
	}
	return s, nil
}

// Add adds a key; one that stands there already is taken once. A key that a
// notice of the set names cannot come back, nor can another one under its name.
func (s *Set) Add(k PublicKey) error {
	for _, t := range []Standing{s.Standing(k), s.StandingOf(k.KeyID)} {
		if err := t.Withdrawn(k.KeyID); err != nil {
			return err
		}
	}
	return s.add(k)
}

func (s *Set) add(k PublicKey) error {
	have, ok := s.Find(k.KeyID)
	switch {
	case !ok:
		s.Keys = append(s.Keys, k)
	case have.Thumbprint == k.Thumbprint:
		i := slices.IndexFunc(s.Keys, func(o PublicKey) bool { return o.KeyID == k.KeyID })
		s.Keys[i].RetiredAt = retiredAt([]PublicKey{have, k}, k)
	default:
		return fmt.Errorf("kid %q names two keys (thumbprints %s and %s): none of them can be meant", k.KeyID, have.Thumbprint, k.Thumbprint)
	}
	return nil
}

// Find returns the key of that name, live or retired. It finds no key that a
// notice names: see [Set.StandingOf].
func (s Set) Find(keyID string) (PublicKey, bool) { return find(s.Keys, keyID) }

// ParseSet reads a JWKS document of at most 256 KiB, 1,000 keys and 1,000
// notices. It refuses the whole document when it shows a private key, names two
// keys alike, or has a member "revocations" that is no array: what it revokes is
// not known then.
//
// known are keys that the caller has from elsewhere. A revoked key that left
// the document may be among them, and then a notice that it signed itself can
// be verified; for nothing else are they asked.
func ParseSet(data []byte, known ...PublicKey) (Set, error) {
	s, err := parseSet(data)
	if err != nil {
		return Set{}, fmt.Errorf("JWKS document: %w", err)
	}
	s.known = known
	s.settle()
	return s, nil
}

func parseSet(data []byte) (Set, error) {
	if len(data) > MaxSetSize {
		return Set{}, fmt.Errorf("%d bytes, want %d at most", len(data), MaxSetSize)
	}
	var doc document
	if err := strictjson.UnmarshalOpen(data, &doc); err != nil {
		return Set{}, withoutValues(err)
	}
	if doc.Keys == nil {
		if _, ok := doc.Other["kty"]; ok {
			return Set{}, ErrSingleKey
		}
		return Set{}, errors.New(`no member "keys"`)
	}
	if len(doc.Keys) > maxSetKeys {
		return Set{}, fmt.Errorf("%d keys, want %d at most", len(doc.Keys), maxSetKeys)
	}
	if len(doc.Revocations) > maxNotices {
		return Set{}, fmt.Errorf("%d revocations, want %d at most", len(doc.Revocations), maxNotices)
	}
	s := Set{other: doc.Other}
	for _, raw := range doc.Revocations {
		s.entries = append(s.entries, readEntry(raw))
	}
	for i, raw := range doc.Keys {
		if err := s.read(i, raw); err != nil {
			return Set{}, fmt.Errorf("keys[%d]: %w", i, err)
		}
	}
	return s, nil
}

// read takes in one entry of keys[], or notes why not.
func (s *Set) read(i int, raw jsontext.Value) error {
	var all members
	if err := strictjson.UnmarshalOpen(raw, &all); err != nil || all == nil {
		s.Skipped = append(s.Skipped, Skipped{Index: i, Reason: "not an object", raw: raw})
		return nil
	}
	for _, name := range privateMembers {
		if _, ok := all[name]; ok {
			return fmt.Errorf("member %q: a private key is published here; whoever reads this document can sign with it: revoke it", name)
		}
	}
	var j jwk
	if err := strictjson.UnmarshalOpen(raw, &j); err != nil {
		s.Skipped = append(s.Skipped, Skipped{Index: i, Reason: withoutValues(err).Error(), raw: raw})
		return nil
	}
	k, err := j.public()
	if err != nil {
		s.Skipped = append(s.Skipped, Skipped{Index: i, KeyID: j.Kid[:min(len(j.Kid), maxKeyID)], Reason: err.Error(), raw: raw})
		return nil
	}
	k.other = j.Other
	if k.RetiredAt, err = takeRetiredAt(k.other); err != nil {
		s.Skipped = append(s.Skipped, Skipped{Index: i, KeyID: k.KeyID, Reason: err.Error(), raw: raw})
		return nil
	}
	return s.add(k)
}

// retiredMember is how a document marks a key that signs nothing new.
const retiredMember = "retired_at"

// takeRetiredAt takes the mark out of a key's members. A mark that cannot be
// read makes the key unusable: it was retired, and nobody knows when.
func takeRetiredAt(m members) (time.Time, error) {
	raw, ok := m[retiredMember]
	if !ok {
		return time.Time{}, nil
	}
	delete(m, retiredMember)
	if raw.Kind() == jsontext.KindNull {
		return time.Time{}, nil
	}
	var text string
	var at time.Time
	if strictjson.Unmarshal(raw, &text) != nil || at.UnmarshalText([]byte(text)) != nil || at.IsZero() {
		return time.Time{}, fmt.Errorf("%s %.60q: want RFC 3339, such as \"2026-02-15T10:00:00Z\"", retiredMember, raw)
	}
	return at, nil
}

// Marshal returns the document in RFC 8785 form: the keys by their names, the
// skipped ones behind them as they stood, the notices in their order, and all
// other members of the document that was parsed. A key that a notice names is
// written where it was read, and not where [Set.Revoke] took it out.
func (s Set) Marshal() ([]byte, error) {
	doc := document{Keys: []jsontext.Value{}, Other: s.other}
	for _, k := range slices.SortedFunc(slices.Values(s.shown()), func(a, b PublicKey) int { return cmp.Compare(a.KeyID, b.KeyID) }) {
		raw, err := k.marked()
		if err != nil {
			return nil, err
		}
		doc.Keys = append(doc.Keys, raw)
	}
	for _, k := range s.Skipped {
		doc.Keys = append(doc.Keys, k.raw)
	}
	for _, e := range s.entries {
		doc.Revocations = append(doc.Revocations, e.raw)
	}
	for _, r := range s.remembered {
		raw, err := r.Notice.Marshal()
		if err != nil {
			return nil, err
		}
		doc.Revocations = append(doc.Revocations, raw)
	}
	return strictjson.Marshal(doc)
}

// marked is k as a document shows it, with its marks.
func (k PublicKey) marked() (jsontext.Value, error) {
	j, err := k.jwk()
	if err != nil {
		return nil, err
	}
	j.Other = maps.Clone(k.other)
	if !k.RetiredAt.IsZero() {
		at, err := k.RetiredAt.MarshalText()
		if err != nil {
			return nil, fmt.Errorf("key %.100q: %s: %w", k.KeyID, retiredMember, err)
		}
		if j.Other == nil {
			j.Other = members{}
		}
		j.Other[retiredMember] = jsontext.Value(`"` + string(at) + `"`)
	}
	return strictjson.Marshal(j)
}
