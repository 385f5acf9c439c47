//go:build !unix

package vault

import (
	"errors"
	"io/fs"
	"os"
)

// checkPrivate has nothing to look at: where modes do not say who may read, a
// person's configuration directory has an access list of its own.
func checkPrivate(string, fs.FileMode) error { return nil }

// CheckDir makes sure that dir is a directory.
func CheckDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = errors.New("want a directory")
	}
	return err
}

// syncDir has nothing to do: a directory cannot be flushed here, and the file
// system journals a rename.
func syncDir(string) error { return nil }
