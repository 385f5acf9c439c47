package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// LocalPath is where the local key lies, under the directory that
// os.UserConfigDir returns.
func LocalPath(configDir string) string {
	return filepath.Join(configDir, "mcp-integrity", "local-key.json")
}

// Local returns the key of this person's desk (decision 22), an Ed25519 key,
// and makes it where there is none. Two processes that come at the same time
// get the same key.
//
// In CI it has no place: there it would be a new key each time, which nobody
// could know. The caller sees to that.
func Local(configDir string) (PrivateKey, error) {
	k, err := LoadLocal(configDir)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	k, err = Generate(Ed25519, "")
	if err != nil {
		return PrivateKey{}, err
	}
	err = WritePrivate(LocalPath(configDir), k)
	if errors.Is(err, fs.ErrExist) {
		return LoadLocal(configDir) // the other process was first
	}
	if err != nil {
		return PrivateKey{}, fmt.Errorf("local key: %w", err)
	}
	return k, nil
}

// LoadLocal returns the local key that is there, for those who only verify.
// Without one the error is [fs.ErrNotExist]. A key that others can read, or
// that lies where others can put another one, is refused: it would prove
// nothing.
func LoadLocal(configDir string) (PrivateKey, error) {
	path := LocalPath(configDir)
	k, err := loadLocal(path)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("local key: %w", err)
	}
	return k, nil
}

func loadLocal(path string) (PrivateKey, error) {
	if !filepath.IsAbs(path) {
		return PrivateKey{}, fmt.Errorf("%q is no absolute path: a key made there could be published with the files around it", path)
	}
	// A FIFO would make Open wait, so look first; the file may change until it
	// is opened, but only by the hand of its owner.
	info, err := os.Stat(path)
	if err != nil {
		return PrivateKey{}, err
	}
	if !info.Mode().IsRegular() {
		return PrivateKey{}, fmt.Errorf("%s: a file of mode %s, want a regular one", path, info.Mode())
	}
	if err := checkPrivate(path, info.Mode()); err != nil {
		return PrivateKey{}, err
	}
	return ReadPrivate(path)
}
