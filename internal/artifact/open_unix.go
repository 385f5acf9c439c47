//go:build unix

package artifact

import "syscall"

// openNonblock keeps an open from waiting for ever where a regular file was
// replaced by a pipe since it was looked at. For regular files it changes
// nothing.
const openNonblock = syscall.O_NONBLOCK
