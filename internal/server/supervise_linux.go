package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// supervisable says that this program answers to being started as a
// supervisor. Started so without, it would run its own main.
var supervisable atomic.Bool

// MaybeSupervise turns this process into the supervisor of one tool server
// where it was started as that, and does not return then. Otherwise it returns
// at once, and [List] will start this program again as a supervisor.
//
// A program that wants servers gone with all their daemons calls it first thing
// in main, a test in TestMain: what stands before it runs once more per server.
// Without it List holds a server by its process group alone, and says so.
func MaybeSupervise() {
	if len(os.Args) > 2 && os.Args[0] == supervisorName {
		os.Exit(supervise(os.Args[1], os.Args[2:]))
	}
	supervisable.Store(true)
}

// supervised is a tree under a supervisor: this program, started again, which
// every descendant of the server falls to once its own parent is gone.
type supervised struct {
	cmd *exec.Cmd
	// control is how the supervisor is told: a byte asks the server to end,
	// and the end of the pipe orders everything to be killed. That end comes
	// even if this process is killed.
	control *os.File
	// done is closed once state and startErr are set.
	done     chan struct{}
	state    string
	startErr error
	// gone is closed when the supervisor has ended.
	gone chan struct{}
}

func startTree(prog program, o Options) (tree, error) {
	// The program of this very process, even if its file was replaced since.
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err != nil || !supervisable.Load() {
		o.notice("no supervisor for the tool server: a daemon that it starts may live on")
		return startGroup(prog)
	}
	controlled, control, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer controlled.Close()
	report, reporter, err := os.Pipe()
	if err != nil {
		_ = control.Close()
		return nil, err
	}
	defer reporter.Close()

	cmd := prog.command()
	cmd.Path = self
	cmd.Args = append([]string{supervisorName, prog.path}, prog.argv...)
	cmd.ExtraFiles = []*os.File{controlFD - 3: controlled, reportFD - 3: reporter}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := strays.start(cmd); err != nil {
		_ = control.Close()
		_ = report.Close()
		// The error names our own program; what can fail is to enter dir.
		if e, ok := errors.AsType[*os.PathError](err); ok && prog.dir != "" {
			err = fmt.Errorf("start in working directory %.200q: %w", prog.dir, e.Err)
		}
		return nil, err
	}
	s := &supervised{cmd: cmd, control: control, done: make(chan struct{}), gone: make(chan struct{})}
	go s.await(report)
	return s, nil
}

// await follows the supervisor to its end.
func (s *supervised) await(report *os.File) {
	// The supervisor keeps its end open for as long as it lives, but writes one
	// line and no more.
	line := make([]byte, maxReport)
	n, _ := report.Read(line)
	s.state, s.startErr = parseReport(string(line[:n]))
	close(s.done)
	_, _ = io.Copy(io.Discard, report)
	_ = report.Close()
	_ = s.cmd.Wait() // its state says all that the error does
	close(s.gone)
}

// parseReport reads the supervisor's line.
func parseReport(line string) (state string, startErr error) {
	kind, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	switch kind {
	case reportExit:
		status, err := strconv.Atoi(text)
		if err != nil {
			return "", fmt.Errorf("supervisor: report %q", line)
		}
		return describeStatus(syscall.WaitStatus(status)), nil
	case reportFault:
		return "", errors.New(text)
	}
	return supervisorEnded, nil
}

// describeStatus is what os.ProcessState says, for a process that is not our
// child.
func describeStatus(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal: " + status.Signal().String()
	}
	return "exit status " + strconv.Itoa(status.ExitStatus())
}

func (s *supervised) ended() <-chan struct{} { return s.done }

func (s *supervised) outcome() (string, error) {
	select {
	case <-s.done:
		return s.state, s.startErr
	default:
		return "", nil
	}
}

func (s *supervised) terminate() { _, _ = s.control.Write([]byte{controlTerminate}) }

func (s *supervised) destroy() error {
	defer strays.forget(s.cmd.Process.Pid)
	_ = s.control.Close()
	err := awaitEnd(s.gone, "the server's supervisor")
	if err != nil {
		// A server may have stopped it, as it runs under the same user.
		_ = s.cmd.Process.Kill()
		err = awaitEnd(s.gone, "the server's supervisor")
	}
	if err == nil && s.cmd.ProcessState.Success() {
		return nil
	}
	return errors.Join(err, strays.sweep())
}
