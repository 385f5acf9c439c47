package server

import (
	"os/exec"
	"syscall"
)

// startTree starts prog. Windows has no process groups that could be killed, so
// only the server's own process is ended.
func startTree(prog program, o Options) (tree, error) {
	o.notice("this system cannot follow what the server starts: only its own process is ended")
	l := &lone{cmd: prog.command(), done: make(chan struct{})}
	l.cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP, HideWindow: true}
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = l.cmd.Wait() // its state says all that the error does
		close(l.done)
	}()
	return l, nil
}

// MaybeSupervise does nothing on this system.
func MaybeSupervise() {}

// lone is a tree of which only the root is known.
type lone struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func (l *lone) ended() <-chan struct{} { return l.done }

func (l *lone) outcome() (string, error) {
	select {
	case <-l.done:
		return l.cmd.ProcessState.String(), nil
	default:
		return "", nil
	}
}

// terminate kills: there is no signal that asks.
func (l *lone) terminate() { _ = l.cmd.Process.Kill() }

func (l *lone) destroy() error {
	_ = l.cmd.Process.Kill()
	return awaitEnd(l.done, "the server")
}
