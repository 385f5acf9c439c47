package keys

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Bounds on what is remembered. A source chooses how much that is, and harms
// only itself.
const (
	// maxSource bounds the name of a source, in bytes.
	maxSource = 4 << 10
	// maxSources bounds how many there are. Beyond it nothing new is kept, and
	// an error says so: to forget one would be to forget its revocations.
	maxSources = 4096
	// maxFormer bounds the keys that a source once showed; beyond it the oldest
	// are forgotten, and a notice that names one of them knows no thumbprint.
	maxFormer = 2 * maxSetKeys
	// maxKept bounds the notices of a source. None is ever forgotten.
	maxKept = 4 * maxNotices
	// maxRecord bounds a file in bytes: a document in base64, and for each key
	// and notice less than 4 KiB.
	maxRecord = 32 << 20
)

// label separates what is hashed here from everything else.
const label = "mcp-integrity key documents v1"

// A record is what is remembered of one source.
type record struct {
	Source string
	Body   []byte // the newest document, as it came; nil where none was kept
	fetch.Validators
	MaxAge  int64 // seconds
	Checked time.Time

	keys        []PublicKey // that it ever showed, one of each name; newest last
	revocations []Revocation
}

// recordFile is a record as it is written.
type recordFile struct {
	Source       string           `json:"source"`
	Body         []byte           `json:"body"`
	ETag         string           `json:"etag,omitzero"`
	LastModified string           `json:"last_modified,omitzero"`
	MaxAge       int64            `json:"max_age"`
	Checked      time.Time        `json:"checked"`
	Keys         []jsontext.Value `json:"keys"`
	Revocations  []keptRevocation `json:"revocations"`
}

type keptRevocation struct {
	Notice  jsontext.Value `json:"notice"`
	Signer  jsontext.Value `json:"signer"`
	Revoked jsontext.Value `json:"revoked,omitempty"`
}

// learn adds the keys and notices of s.
func (r *record) learn(s *Set) {
	for _, k := range s.shown() {
		r.keys = slices.DeleteFunc(r.keys, func(o PublicKey) bool { return o.KeyID == k.KeyID })
		r.keys = append(r.keys, k)
	}
	r.keys = r.keys[max(0, len(r.keys)-maxFormer):]
	for _, n := range s.Revocations {
		at := slices.IndexFunc(r.revocations, func(o Revocation) bool { return o.Notice.Equal(n.Notice) })
		switch {
		case at < 0:
			r.revocations = append(r.revocations, n)
		case r.revocations[at].Revoked.Thumbprint == "":
			r.revocations[at] = n
		}
	}
}

// encode returns the file of r.
func (r *record) encode() ([]byte, error) {
	if len(r.revocations) > maxKept {
		return nil, fmt.Errorf("%d revocations were seen there, and no more than %d are kept", len(r.revocations), maxKept)
	}
	f := recordFile{Source: r.Source, Body: r.Body, ETag: r.ETag, LastModified: r.LastModified, MaxAge: r.MaxAge, Checked: r.Checked, Keys: []jsontext.Value{}, Revocations: []keptRevocation{}}
	for _, k := range r.keys {
		raw, err := k.MarshalJWK()
		if err != nil {
			return nil, err
		}
		f.Keys = append(f.Keys, raw)
	}
	for _, n := range r.revocations {
		kept, err := n.keep()
		if err != nil {
			return nil, err
		}
		f.Revocations = append(f.Revocations, kept)
	}
	data, err := strictjson.Marshal(f)
	if err != nil {
		return nil, err
	}
	data = append(data, '\n')
	if data = append(append(checksum(data), '\n'), data...); len(data) > maxRecord {
		return nil, fmt.Errorf("%d bytes, and no more than %d are kept", len(data), maxRecord)
	}
	return data, nil
}

func (r Revocation) keep() (keptRevocation, error) {
	var kept keptRevocation
	var errs [3]error
	kept.Notice, errs[0] = r.Notice.Marshal()
	kept.Signer, errs[1] = r.Signer.MarshalJWK()
	if r.Revoked.Thumbprint != "" {
		kept.Revoked, errs[2] = r.Revoked.MarshalJWK()
	}
	return kept, errors.Join(errs[:]...)
}

// checksum finds accidents. Against an attacker who can write it is no help.
func checksum(data []byte) []byte {
	h := sha256.New()
	io.WriteString(h, label+"\n")
	h.Write(data)
	return []byte(hex.EncodeToString(h.Sum(nil)))
}

// parseRecord reads the file of a source.
func parseRecord(data []byte, source string) (*record, error) {
	f, err := decodeRecord(data)
	if err != nil {
		return nil, err
	}
	if f.Source != source {
		return nil, fmt.Errorf("it is of %s, want %s", shownSource(f.Source), shownSource(source))
	}
	return f.record()
}

// decodeRecord reads the form of a file, and verifies no notice.
func decodeRecord(data []byte) (*recordFile, error) {
	sum, rest, ok := bytes.Cut(data, []byte("\n"))
	if !ok || !bytes.Equal(sum, checksum(rest)) {
		return nil, errors.New("it is not as it was written: its SHA-256 does not fit")
	}
	var f recordFile
	if err := strictjson.Unmarshal(rest, &f); err != nil {
		return nil, err
	}
	if len(f.Keys) > maxFormer || len(f.Revocations) > maxKept || f.MaxAge < 0 || f.MaxAge > int64(24*time.Hour/time.Second) {
		return nil, fmt.Errorf("%d keys, %d revocations, max_age %d: out of range", len(f.Keys), len(f.Revocations), f.MaxAge)
	}
	return &f, nil
}

// record is what the file says, with every notice verified.
func (f *recordFile) record() (*record, error) {
	if _, err := parseSet(f.Body); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	r := &record{Source: f.Source, Body: f.Body, Validators: fetch.Validators{ETag: f.ETag, LastModified: f.LastModified}, MaxAge: f.MaxAge, Checked: f.Checked}
	for i, raw := range f.Keys {
		k, err := ParsePublic(raw)
		if err != nil {
			return nil, fmt.Errorf("keys[%d]: %w", i, err)
		}
		r.keys = append(r.keys, k)
	}
	for i, kept := range f.Revocations {
		n, err := kept.parse()
		if err != nil {
			return nil, fmt.Errorf("revocations[%d]: %w", i, err)
		}
		r.revocations = append(r.revocations, n)
	}
	return r, nil
}

// parse verifies the notice again.
func (kept keptRevocation) parse() (Revocation, error) {
	var r Revocation
	var err error
	if r.Notice, err = ParseNotice(kept.Notice); err != nil {
		return r, err
	}
	if r.Signer, err = ParsePublic(kept.Signer); err != nil {
		return r, fmt.Errorf("signer: %w", err)
	}
	if err := r.Notice.Verify(r.Signer); err != nil {
		return r, err
	}
	if len(kept.Revoked) == 0 {
		return r, nil
	}
	if r.Revoked, err = ParsePublic(kept.Revoked); err != nil {
		return r, fmt.Errorf("revoked: %w", err)
	}
	if r.Revoked.KeyID != r.Notice.RevokedKeyID {
		return r, fmt.Errorf("revoked: key %.100q, want %.100q", r.Revoked.KeyID, r.Notice.RevokedKeyID)
	}
	return r, nil
}
