//go:build unix

package hostile

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

const (
	sleeperName   = "sleeper"
	respawnerName = "respawner"
	jumperName    = "jumper"
)

// spawn starts this program again as the server of that name, in a session of
// its own and with none of our files, and does not wait for it.
func spawn(name string) error {
	// Where there is /proc, it works even for a user who may not enter the
	// program's directory.
	self := "/proc/self/exe"
	if _, err := os.Stat(self); err != nil {
		if self, err = os.Executable(); err != nil {
			return err
		}
	}
	cmd := exec.Command(self, append(Args(name), os.Getenv("HOSTILE_MARK"))...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}

// daemonize leaves a grandchild: a child in a session of its own that starts
// another in yet another session, and ends.
func daemonize(p *peer) {
	if err := spawn(respawnerName); err != nil {
		fmt.Fprintln(p.err, err)
		os.Exit(1)
	}
	time.Sleep(200 * time.Millisecond) // until it is nobody's child
}

// respawner is the child in between.
func respawner(p *peer) int {
	if err := spawn(sleeperName); err != nil {
		return 1
	}
	return 0
}

// daemon answers politely, and leaves a daemon behind.
func daemon(p *peer) int {
	daemonize(p)
	return script{}.run(p)
}

// leavesGroup answers politely from a process group of its own making.
func leavesGroup(p *peer) int {
	if err := spawn(sleeperName); err != nil {
		return 1
	}
	return script{}.run(p)
}

// survivor leaves a daemon, ignores every signal that can be ignored, and does
// not end when its input does.
func survivor(p *peer) int {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	daemonize(p)
	return script{end: sleep}.run(p)
}

// onTerm ends when it is asked to by a signal, not when its input does.
func onTerm(p *peer) int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	return script{end: func(p *peer) int {
		fmt.Fprintf(p.err, "ended by %v\n", <-signals)
		return 0
	}}.run(p)
}

// parricide leaves a daemon and kills whatever process started it.
func parricide(p *peer) int {
	daemonize(p)
	_ = syscall.Kill(os.Getppid(), syscall.SIGKILL)
	return script{end: sleep}.run(p)
}

// jailer leaves a daemon and stops whatever process started it.
func jailer(p *peer) int {
	daemonize(p)
	_ = syscall.Kill(os.Getppid(), syscall.SIGSTOP)
	return script{end: sleep}.run(p)
}

// hopper leaves a process that is another one all the time.
func hopper(p *peer) int {
	if err := spawn(jumperName); err != nil {
		return 1
	}
	return script{}.run(p)
}

// jumper starts itself again and ends, over and over, for a minute at most.
func jumper(*peer) int {
	const name = "HOSTILE_UNTIL"
	until, err := strconv.ParseInt(os.Getenv(name), 10, 64)
	if err != nil {
		until = time.Now().Add(time.Minute).Unix()
		if err := os.Setenv(name, strconv.FormatInt(until, 10)); err != nil {
			return 1
		}
	}
	if time.Now().Unix() > until {
		return 0
	}
	if err := spawn(jumperName); err != nil {
		return 1
	}
	return 0
}
