//go:build !unix

package keys

import "io/fs"

// checkPrivate has nothing to look at: where modes do not say who may read, a
// person's configuration directory has an access list of its own.
func checkPrivate(string, fs.FileMode) error { return nil }

// checkUnshared has nothing to look at, either.
func checkUnshared(string, fs.FileMode) error { return nil }
