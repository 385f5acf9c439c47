//go:build unix

package server

// defaultPath is used where we have no PATH ourselves.
const defaultPath = "/usr/local/bin:/usr/bin:/bin"

func systemEnvironment(home) []string { return nil }
