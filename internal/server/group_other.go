//go:build unix && !linux

package server

func startTree(prog program, o Options) (tree, error) {
	o.notice("this system cannot follow a process that leaves its group: a daemon that the server starts may live on")
	return startGroup(prog)
}

// MaybeSupervise does nothing on this system.
func MaybeSupervise() {}
