//go:build !unix

package publish

// openNonblock is for systems whose file names can be pipes.
const openNonblock = 0
