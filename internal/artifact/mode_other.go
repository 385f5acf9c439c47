//go:build !windows

package artifact

// hasExecutableBit says whether files here have the bit that a tree digest
// covers.
const hasExecutableBit = true
