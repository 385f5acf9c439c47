package stack

import "syscall"

// dieWithParent has the kernel end a server when whoever started it is killed
// and could not. The signal is sent when the starting thread ends, so that
// programs which end threads (runtime.LockOSThread) must not start stacks there.
//
// In a process group of its own the server does not get a terminal's interrupt:
// the command that uses it ends first.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
