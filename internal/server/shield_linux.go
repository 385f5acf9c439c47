package server

import "golang.org/x/sys/unix"

// Shield keeps the servers that [List] runs out of this process: what runs under
// the same user could otherwise read its environment and its memory, where
// credentials are, and write to its open files, a report among them. Root still
// can, and every process of the user can still signal this one. It also ends core
// dumps, and no debugger can be attached afterwards.
//
// A program calls it in main, right after [MaybeSupervise], before any server
// runs. Where the kernel refuses, nothing changes.
func Shield() {
	// proc(5), ptrace(2): with "dumpable" 0 the files in /proc/PID belong to
	// root, and PTRACE_MODE_READ wants CAP_SYS_PTRACE. exec sets it back.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
