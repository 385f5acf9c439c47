//go:build !linux

package server

// Shield does nothing on this system.
func Shield() {}
