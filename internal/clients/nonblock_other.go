//go:build !unix

package clients

// openNonblock is nothing where files cannot be pipes.
const openNonblock = 0
