package keys

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

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
type Set struct {
	Keys    []PublicKey
	Skipped []Skipped
	other   members
}

// Skipped is a key of a set that is not used, and why.
type Skipped struct {
	Index  int    // in keys[]
	KeyID  string // as it stands there, at most 256 bytes; may be empty
	Reason string
	raw    jsontext.Value
}

// document is a JWKS document as it stands in a file.
type document struct {
	Keys []jsontext.Value `json:"keys"`
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

func (s *Set) add(k PublicKey) error {
	have, ok := s.Find(k.KeyID)
	switch {
	case !ok:
		s.Keys = append(s.Keys, k)
	case have.Thumbprint != k.Thumbprint:
		return fmt.Errorf("kid %q names two keys (thumbprints %s and %s): none of them can be meant", k.KeyID, have.Thumbprint, k.Thumbprint)
	}
	return nil
}

// Find returns the key of that name.
func (s Set) Find(keyID string) (PublicKey, bool) {
	for _, k := range s.Keys {
		if k.KeyID == keyID {
			return k, true
		}
	}
	return PublicKey{}, false
}

// ParseSet reads a JWKS document of at most 256 KiB and 1,000 keys. It refuses
// the whole document when it shows a private key, or names two keys alike.
func ParseSet(data []byte) (Set, error) {
	s, err := parseSet(data)
	if err != nil {
		return Set{}, fmt.Errorf("JWKS document: %w", err)
	}
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
			return Set{}, errors.New(`this is a single key, want a document with a member "keys"`)
		}
		return Set{}, errors.New(`no member "keys"`)
	}
	if len(doc.Keys) > maxSetKeys {
		return Set{}, fmt.Errorf("%d keys, want %d at most", len(doc.Keys), maxSetKeys)
	}
	s := Set{other: doc.Other}
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
	return s.add(k)
}

// Marshal returns the document in RFC 8785 form: the keys by their names, the
// skipped ones behind them as they stood, and all other members of the
// document that was parsed.
func (s Set) Marshal() ([]byte, error) {
	doc := document{Keys: []jsontext.Value{}, Other: s.other}
	for _, k := range slices.SortedFunc(slices.Values(s.Keys), func(a, b PublicKey) int { return cmp.Compare(a.KeyID, b.KeyID) }) {
		j, err := k.jwk()
		if err != nil {
			return nil, err
		}
		j.Other = maps.Clone(k.other)
		raw, err := strictjson.Marshal(j)
		if err != nil {
			return nil, err
		}
		doc.Keys = append(doc.Keys, raw)
	}
	for _, k := range s.Skipped {
		doc.Keys = append(doc.Keys, k.raw)
	}
	return strictjson.Marshal(doc)
}
