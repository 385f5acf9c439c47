package stack

import "syscall"

// dieWithParent has the kernel end a server when whoever started it is killed
// and could not. The signal is sent when the starting thread ends, so that
// programs which end threads (runtime.LockOSThread) must not start stacks there.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
