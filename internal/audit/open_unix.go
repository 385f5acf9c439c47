//go:build unix

package audit

import (
	"fmt"
	"io/fs"
	"syscall"
)

// openFlags keep a link from being followed and a FIFO from making us wait,
// where one takes the file's place after it was looked at.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// checkPrivate refuses a file that others may write to.
func checkPrivate(info fs.FileInfo) error {
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return fmt.Errorf("mode %04o, want 0600: others can rewrite it (chmod go-w, after a look at what it holds)", perm)
	}
	return nil
}
