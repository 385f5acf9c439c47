package publish

import (
	"fmt"

	"github.com/mcp-integrity/seal-action/internal/keys"
)

// mergeKeys returns the JWKS document standing with the keys of ours in it: what
// stands there stays, whoever put it there, and where nothing is added so do its
// bytes. A nil standing is no document. The error wraps [ErrConflict] where
// standing is none, has another key by the name of one of ours, or its revocation.
func mergeKeys(standing, ours []byte) ([]byte, error) {
	added, err := keys.ParseSet(ours)
	if err != nil {
		return nil, fmt.Errorf("our own keys: %w", err)
	}
	if standing == nil {
		return ours, nil
	}
	set, err := keys.ParseSet(standing)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConflict, err)
	}
	changed := false
	for _, k := range added.Keys {
		// To take a notice back is not for us, whoever signed it (decision 17).
		if err := set.Standing(k).Withdrawn(k.KeyID); err != nil {
			return nil, fmt.Errorf("%w: key %q, which signed this release, is revoked there: %w", ErrConflict, k.KeyID, err)
		}
		have, ok := set.Find(k.KeyID)
		switch {
		case ok && have.Thumbprint != k.Thumbprint:
			return nil, fmt.Errorf("%w: key %q has thumbprint %s there, and %s here", ErrConflict, k.KeyID, have.Thumbprint, k.Thumbprint)
		case ok:
			continue
		}
		for _, s := range set.Skipped {
			if s.KeyID == k.KeyID {
				return nil, fmt.Errorf("%w: keys[%d] there has the name of our key %q and is none that we can use: %s", ErrConflict, s.Index, k.KeyID, s.Reason)
			}
		}
		set.Keys = append(set.Keys, k)
		changed = true
	}
	if !changed {
		return standing, nil
	}
	merged, err := set.Marshal()
	if err != nil {
		return nil, err
	}
	merged = append(merged, '\n')
	if _, err := keys.ParseSet(merged); err != nil {
		return nil, fmt.Errorf("%w: with our keys, %w", ErrConflict, err)
	}
	return merged, nil
}
