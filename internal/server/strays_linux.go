package server

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// strays are what falls to this process itself. A server runs under the same
// user as its supervisor and can kill it; its daemons would then fall to init and
// outlive the run. So this process, too, is one that orphans fall to, for as long
// as it has a supervisor.
var strays nursery

// A nursery knows which of our children are supervisors.
type nursery struct {
	mu    sync.Mutex
	wards map[int]bool
}

// start starts a supervisor.
func (n *nursery) start(supervisor *exec.Cmd) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := supervisor.Start(); err != nil {
		return err
	}
	if n.wards == nil {
		n.wards = make(map[int]bool)
	}
	n.wards[supervisor.Process.Pid] = true
	n.fosterIfNeeded()
	return nil
}

// forget takes a supervisor that has ended off the list.
func (n *nursery) forget(pid int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.wards, pid)
	n.fosterIfNeeded()
}

// fosterIfNeeded makes orphans fall to this process while it has supervisors,
// and to init as ever afterwards. Where the kernel cannot, a killed supervisor's
// orphans are out of reach, and that is all: no reason not to run.
func (n *nursery) fosterIfNeeded() {
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, uintptr(min(len(n.wards), 1)), 0, 0, 0)
}

// sweep kills the orphans of a supervisor that did not end as it should. They
// are known by their session: a supervisor begins one, so nothing below it is in
// ours, as are the programs that we start otherwise.
func (n *nursery) sweep() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for deadline := time.Now().Add(killGrace); ; time.Sleep(killPause) {
		orphans := n.orphans()
		if len(orphans) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d processes that the server started could not be ended within %s and may still run", len(orphans), killGrace)
		}
		for _, pid := range orphans {
			killWithGroup(pid)
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
	}
}

func (n *nursery) orphans() []int {
	ours, err := unix.Getsid(0)
	if err != nil {
		return nil
	}
	var orphans []int
	for _, pid := range childrenOf(os.Getpid()) {
		if sid, err := unix.Getsid(pid); err == nil && sid != ours && !n.wards[pid] {
			orphans = append(orphans, pid)
		}
	}
	return orphans
}

// killWithGroup kills a child that is not reaped yet, and its process group
// where that is not our own: a group dies at once, so that a process which forks
// and ends, over and over, cannot stay ahead.
func killWithGroup(pid int) {
	if pgid, err := unix.Getpgid(pid); err == nil && pgid > 1 && pgid != unix.Getpgrp() {
		_ = unix.Kill(-pgid, unix.SIGKILL)
	}
	_ = unix.Kill(pid, unix.SIGKILL)
}

// childrenOf returns the children of a process, ended ones that wait to be
// reaped among them. Each thread's own list is quick to read; kernels without
// CONFIG_PROC_CHILDREN have none, and all of /proc is looked through.
func childrenOf(pid int) []int {
	tasks := "/proc/" + strconv.Itoa(pid) + "/task"
	threads, err := os.ReadDir(tasks)
	if err != nil {
		return nil
	}
	var children []int
	listed := false
	for _, thread := range threads {
		text, err := os.ReadFile(tasks + "/" + thread.Name() + "/children")
		if err != nil {
			continue
		}
		listed = true
		for field := range bytes.FieldsSeq(text) {
			if child, err := strconv.Atoi(string(field)); err == nil {
				children = append(children, child)
			}
		}
	}
	if !listed {
		return searchChildren(pid)
	}
	return children
}

// searchChildren finds the children of a process in /proc/*/stat.
func searchChildren(parent int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var children []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		// pid (comm) state ppid …; comm may hold spaces and parentheses.
		_, rest, ok := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" "))
		if fields := bytes.Fields(rest); ok && len(fields) > 1 && string(fields[1]) == strconv.Itoa(parent) {
			children = append(children, pid)
		}
	}
	return children
}
