package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ReadPrivate reads the private JWK in a file.
func ReadPrivate(path string) (PrivateKey, error) {
	data, err := readFile(path, maxJWK)
	if err != nil {
		return PrivateKey{}, err
	}
	k, err := ParsePrivate(data)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

// ReadPublic reads the public JWK in a file, or the public half of a private one,
// or the one key of a JWKS document that has no other and no notice. A document
// that says more is [ErrDocument]: who reads a key from it would not see the rest,
// nor what changes in it.
func ReadPublic(path string) (PublicKey, error) {
	data, err := readFile(path, MaxSetSize)
	if err != nil {
		return PublicKey{}, err
	}
	k, err := ParsePublic(data)
	if errors.Is(err, ErrDocument) || len(data) > maxJWK {
		if s, setErr := ParseSet(data); setErr == nil {
			k, err = s.single()
		}
	}
	if err != nil {
		return PublicKey{}, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

// ErrDocument says that a key is a JWKS document, which has another option.
var ErrDocument = errors.New(`this is a JWKS document (member "keys"), want a single key`)

// single is the key of a document that says nothing else.
func (s Set) single() (PublicKey, error) {
	live := s.Live()
	if len(live) != 1 || len(s.shown())+len(s.Skipped) != 1 || len(s.entries) > 0 {
		return PublicKey{}, fmt.Errorf("%w: it has %d keys, of which %d are live, and %d revocations", ErrDocument, len(s.shown())+len(s.Skipped), len(live), len(s.entries))
	}
	return live[0], nil
}

// ReadSet reads the JWKS document in a file.
func ReadSet(path string) (Set, error) {
	data, err := readFile(path, MaxSetSize)
	if err != nil {
		return Set{}, err
	}
	s, err := ParseSet(data)
	if err != nil {
		return Set{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// readFile reads one byte more than limit at most, so that the parsers see
// that a file is too large.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return data, nil
}

// WritePrivate makes the file path with k as a private JWK, readable by its
// owner alone, and the directories that it lacks, likewise. A file that is
// there stays as it is, and the error is [fs.ErrExist]: a key that was
// overwritten signs nothing any more.
//
// The file appears at once and whole, also to another process that makes it at
// the same time: one of them gets the error.
func WritePrivate(path string, k PrivateKey) error {
	data, err := k.MarshalJWK()
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the key's directory: %w", err)
	}
	// CreateTemp opens exclusively and with mode 0600, whatever stands there.
	tmp, err := os.CreateTemp(dir, ".key-*.tmp")
	if err != nil {
		return fmt.Errorf("write private key: %w", err)
	}
	defer os.Remove(tmp.Name())
	if err := fill(tmp, append(data, '\n')); err != nil {
		return fmt.Errorf("write private key: %w", err)
	}
	return place(tmp.Name(), path)
}

// fill writes f through to the disk and closes it: what the key signed may
// outlive a power cut that the key must outlive, too.
func fill(f *os.File, data []byte) error {
	_, err := f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// place gives the file tmp its name. Link, unlike rename, fails where the name
// is taken.
func place(tmp, path string) error {
	err := os.Link(tmp, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = copyExclusive(tmp, path)
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, and a key is never overwritten: %w", path, fs.ErrExist)
	}
	if err != nil {
		return fmt.Errorf("write private key: %w", err)
	}
	return nil
}

// copyExclusive is for file systems without hard links (FAT, some network
// mounts). There, the file is seen while it grows.
func copyExclusive(tmp, path string) error {
	data, err := os.ReadFile(tmp)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := fill(f, data); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
