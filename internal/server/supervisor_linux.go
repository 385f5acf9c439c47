package server

import (
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The supervisor is started with the server's own environment, directory and
// standard files, as
//
//	mcp-integrity-supervisor PATH ARGV0 [ARG…]
//
// and speaks to List over two pipes. It reads one-byte orders from controlFD,
// whose end is the order to kill, and writes one line to reportFD: "exit" and the
// wait status once the server's own process has ended, or "fault" and a text.
const (
	supervisorName = "mcp-integrity-supervisor"

	controlFD = 3
	reportFD  = 4

	controlTerminate = 'T'
	reportExit       = "exit"
	reportFault      = "fault"
	// maxReport bounds the line; an error of exec is short.
	maxReport = 4096
)

// supervise runs the server at path and returns when nothing of it is left: no
// process that it started, and none that those started, in whatever session or
// process group. It returns the exit code of the supervisor.
func supervise(path string, argv []string) int {
	Shield() // the report that it writes to is no server's business
	// The kernel ends the server with the thread that started it
	// (PR_SET_PDEATHSIG), so that thread must be one that stays.
	runtime.LockOSThread()
	report := os.NewFile(reportFD, "report")
	pid, err := launch(path, argv)
	if err != nil {
		writeReport(report, reportFault, err.Error())
		return 1
	}
	w := &warden{server: pid, report: report, orders: make(chan byte), signals: make(chan os.Signal, 16)}
	signal.Notify(w.signals, unix.SIGCHLD, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT)
	go w.listen(os.NewFile(controlFD, "control"))
	return w.watch()
}

func writeReport(f *os.File, kind, text string) {
	line := kind + " " + text
	_, _ = f.WriteString(line[:min(len(line), maxReport-1)] + "\n")
}

// launch makes this process the one that orphans fall to, starts the server and
// lets go of its standard files, so that their ends are seen when it closes them.
func launch(path string, argv []string) (pid int, err error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 0, os.NewSyscallError("prctl(PR_SET_CHILD_SUBREAPER)", err)
	}
	// What our own parent may have left open is not the server's business.
	if err := closeOnExec(); err != nil {
		return 0, err
	}
	pid, err = syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return 0, &os.PathError{Op: "exec", Path: path, Err: err}
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return pid, nil // the ends are seen late, nothing worse
	}
	for fd := range 3 {
		_ = unix.Dup3(int(null.Fd()), fd, unix.O_CLOEXEC)
	}
	_ = null.Close()
	return pid, nil
}

// closeOnExec marks every file above the standard ones. close_range is Linux
// 5.11's for this; before, each is marked by itself.
func closeOnExec() error {
	const first = 3
	if unix.CloseRange(first, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) == nil {
		return nil
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, f := range fds {
		if fd, err := strconv.Atoi(f.Name()); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// A warden watches over the server until nothing of it is left.
type warden struct {
	server  int
	report  *os.File
	orders  chan byte
	signals chan os.Signal
}

// listen passes on the orders; their end closes the channel.
func (w *warden) listen(control *os.File) {
	defer close(w.orders)
	for {
		var order [1]byte
		if n, err := control.Read(order[:]); n == 0 || err != nil {
			return
		}
		w.orders <- order[0]
	}
}

// watch waits for the server to end or for the order to end it, and then kills
// what is left. Everything happens in this one goroutine: what it knows to be a
// child stays one until it reaps it, so no signal reaches a stranger.
func (w *warden) watch() int {
	w.reap() // it may have ended before its signal was listened for
	for w.server != 0 {
		select {
		case _, ok := <-w.orders:
			if !ok {
				return w.killAll()
			}
			_ = unix.Kill(-w.server, unix.SIGTERM)
		case sig := <-w.signals:
			if sig != unix.SIGCHLD {
				return w.killAll()
			}
			w.reap()
		}
	}
	return w.killAll()
}

// killAll kills until no descendant remains, or for killGrace: a server that
// forks faster than it can be killed must be held by limits, not by us.
func (w *warden) killAll() int {
	go func() { // further orders have nothing to add
		for range w.orders {
		}
	}()
	for deadline := time.Now().Add(killGrace); time.Now().Before(deadline); {
		for _, pid := range childrenOf(os.Getpid()) {
			killWithGroup(pid)
		}
		if w.reap() == noneLeft {
			return 0
		}
		select {
		case <-w.signals:
		case <-time.After(killPause):
		}
	}
	return 1
}

// killPause is how long to wait for the killed to become reapable before
// looking again.
const killPause = 2 * time.Millisecond

type remainder bool

const noneLeft remainder = false

// reap takes in every child that has ended, reports the server's end, and says
// whether any child remains.
func (w *warden) reap() remainder {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
		case err != nil: // ECHILD
			return noneLeft
		case pid == 0:
			return !noneLeft
		case pid == w.server:
			w.server = 0
			writeReport(w.report, reportExit, strconv.Itoa(int(status)))
		}
	}
}
