//go:build !unix

package artifact

// openNonblock is for systems whose file names can be pipes.
const openNonblock = 0
