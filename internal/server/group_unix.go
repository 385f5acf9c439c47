//go:build unix

package server

import (
	"os/exec"
	"syscall"
)

// A group is a tree held together by its process group alone: what leaves the
// group is not found again.
type group struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// startGroup starts prog in a session of its own, so that it has neither our
// process group nor our terminal.
func startGroup(prog program) (tree, error) {
	g := &group{cmd: prog.command(), done: make(chan struct{})}
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = g.cmd.Wait() // its state says all that the error does
		close(g.done)
	}()
	return g, nil
}

func (g *group) ended() <-chan struct{} { return g.done }

func (g *group) outcome() (string, error) {
	select {
	case <-g.done:
		return g.cmd.ProcessState.String(), nil
	default:
		return "", nil
	}
}

func (g *group) terminate() { _ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGTERM) }

func (g *group) destroy() error {
	_ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL)
	return awaitEnd(g.done, "the server")
}
