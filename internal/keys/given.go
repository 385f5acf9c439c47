package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// GivenUp tells of k whether it signed its own revocation in this document.
// Whoever shows such a notice, it binds k everywhere: nobody else can have made
// it. A notice of another key binds in the signer's own document alone, or any
// stranger could revoke any key in one of theirs.
//
// The notice names one key, by one kid, as revoked and as signer. A document
// chooses what its kids mean: that two names in a notice are those of one key
// here says nothing about what the signer meant.
func (s Set) GivenUp(k PublicKey) Standing {
	for _, r := range s.Revocations {
		if r.byItself() && k.Thumbprint != "" && r.Signer.Thumbprint == k.Thumbprint {
			return Standing{Status: Revoked, Revocation: r}
		}
	}
	return Standing{Status: Unknown}
}

func (r Revocation) byItself() bool { return r.Notice.SignedBy.KeyID == r.Notice.RevokedKeyID }

// Revoked returns the notices by which any of keys gave itself up, in any
// document that is kept, as a [Set] of no keys that says how they stand. So a key
// that is pinned by itself stays revoked when the document that showed it is not
// named any more; see [Set.GivenUp] for why other keys' notices are left out.
//
// Every kept document is read, at most 4096, and only one that mentions a key or
// shows notices is verified. One that cannot be believed is [ErrDocuments].
func (d *Documents) Revoked(ctx context.Context, keys ...PublicKey) (Set, error) {
	if d.dir == "" || len(keys) == 0 {
		return Set{}, nil
	}
	switch _, err := os.Lstat(d.dir); {
	case errors.Is(err, fs.ErrNotExist):
		return Set{}, nil
	case err != nil:
		return Set{}, d.unusable("", err)
	}
	s, err := d.open(ctx, os.O_RDONLY|os.O_CREATE)
	if err != nil {
		return Set{}, err
	}
	defer s.close()
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return Set{}, d.unusable("", err)
	}
	var all Set
	for _, e := range entries {
		if !isFileName(e.Name()) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return Set{}, d.unusable("", err)
		}
		given, err := s.givenUp(e.Name(), keys)
		if err != nil {
			return Set{}, err
		}
		all.remembered = append(all.remembered, given...)
	}
	all.settle()
	return all, nil
}

// givenUp returns the notices of keys about themselves in one kept document: those
// that held there, and those that nobody could verify when it was kept.
func (s store) givenUp(name string, keys []PublicKey) ([]Revocation, error) {
	data, err := s.contents(name)
	if err != nil || data == nil {
		return nil, err
	}
	f, err := decodeRecord(data)
	if err != nil {
		return nil, s.changed(name, err)
	}
	if fileName(f.Source) != name {
		return nil, s.changed(name, fmt.Errorf("it is of %s, and has the name of another", shownSource(f.Source)))
	}
	if len(f.Revocations) == 0 && !bytes.Contains(f.Body, []byte("revocations")) {
		return nil, nil
	}
	r, err := f.record()
	if err != nil {
		return nil, s.changed(name, err)
	}
	now, err := ParseSet(r.Body, slices.Concat(keys, r.keys)...)
	if err != nil {
		return nil, s.changed(name, err)
	}
	var given []Revocation
	for _, k := range keys {
		for _, r := range slices.Concat(r.revocations, now.Revocations) {
			if r.byItself() && r.Signer.Thumbprint == k.Thumbprint {
				r.Remembered = true
				given = append(given, r)
				break
			}
		}
	}
	return given, nil
}
