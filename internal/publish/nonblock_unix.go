//go:build unix

package publish

import "syscall"

// openNonblock keeps an open from waiting for ever where a file was replaced by a
// pipe since it was looked at. For regular files it changes nothing.
const openNonblock = syscall.O_NONBLOCK
