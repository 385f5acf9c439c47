//go:build unix

package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// checkPrivate refuses a file of that mode to which others have any right.
func checkPrivate(path string, mode fs.FileMode) error {
	if mode.Perm()&0o077 != 0 {
		return fmt.Errorf("mode %04o, want 0600: others can read or change it (chmod 600 %q, after a look at who did that)", mode.Perm(), path)
	}
	return nil
}

// CheckDir refuses a directory in which others can replace files.
func CheckDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return errors.New("want a directory")
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("mode %04o, want 0700: others can replace what is in it (chmod 700 %q)", info.Mode().Perm(), dir)
	}
	return nil
}

// syncDir brings the directory's entries to the disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
