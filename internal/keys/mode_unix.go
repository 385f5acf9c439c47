//go:build unix

package keys

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// checkPrivate refuses a key file, of that mode, to which group or others have
// any right, and a directory in which they could replace it.
func checkPrivate(path string, mode fs.FileMode) error {
	if mode.Perm()&0o077 != 0 {
		return fmt.Errorf("%s has mode %04o, want 0600: others can read the key (chmod 600 %q)", path, mode.Perm(), path)
	}
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s has mode %04o, want 0700: others can replace the key in it (chmod 700 %q)", dir, info.Mode().Perm(), dir)
	}
	return nil
}

// checkUnshared refuses a remembered document, of that mode, which others can
// change. What stands in it is public.
func checkUnshared(path string, mode fs.FileMode) error {
	if mode.Perm()&0o022 != 0 {
		return fmt.Errorf("mode %04o, want 0600: others can change it (chmod 600 %q, after a look at who did that)", mode.Perm(), path)
	}
	return nil
}
