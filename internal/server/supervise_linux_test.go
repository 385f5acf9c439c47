package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/testdata/servers/hostile"
)

// markedTarget is a hostile server whose processes, all the way down, carry a
// mark in their arguments or environment.
func markedTarget(t *testing.T, name string) (Target, string) {
	t.Helper()
	mark := fmt.Sprintf("mark-%d-%d", os.Getpid(), time.Now().UnixNano())
	target := hostileTarget(t, name)
	target.Command = append(target.Command, mark)
	target.Env = []string{"HOSTILE_MARK=" + mark}
	return target, mark
}

// marked lists the living processes that carry mark, but for this one.
func marked(t *testing.T, mark string) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, dir := range dirs {
		if dir == "/proc/"+strconv.Itoa(os.Getpid()) {
			continue
		}
		for _, file := range []string{"/cmdline", "/environ"} {
			// A process that ends meanwhile has no file, a zombie an empty one.
			if text, err := os.ReadFile(dir + file); err == nil && bytes.Contains(text, []byte(mark)) {
				found = append(found, dir+": "+strings.ReplaceAll(string(text), "\x00", " "))
				break
			}
		}
	}
	return found
}

// checkChildren fails the test where this process is left with a child.
func checkChildren(t *testing.T) {
	t.Helper()
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}

func TestListLeavesNoProcess(t *testing.T) {
	for _, tt := range []struct {
		server  string
		timeout time.Duration
		want    error
		limit   time.Duration // on a busy machine
	}{
		{"good", 0, nil, 10 * time.Second},
		{"daemon", 0, nil, 10 * time.Second},
		{"leaves-group", 0, nil, 10 * time.Second},
		{"never-ends", 0, nil, 15 * time.Second},
		{"survivor", 0, nil, 15 * time.Second},
		{"hang", time.Second, ErrUnavailable, 15 * time.Second},
		{"flood", 0, ErrRefused, 20 * time.Second},
		{"parricide", 0, ErrUnavailable, 15 * time.Second},
		{"hopper", 0, nil, 20 * time.Second},
		{"jailer", 0, nil, 25 * time.Second},
	} {
		t.Run(tt.server, func(t *testing.T) {
			checkLeaks(t)
			target, mark := markedTarget(t, tt.server)
			begin := time.Now()
			_, err := List(t.Context(), target, Options{Timeout: tt.timeout})
			if tt.want == nil && err != nil || !errors.Is(err, tt.want) {
				t.Errorf("List: %v, want %v", err, tt.want)
			}
			if took := time.Since(begin); took > tt.limit {
				t.Errorf("took %s, want at most %s", took, tt.limit)
			}
			if left := marked(t, mark); len(left) > 0 {
				t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
			}
			checkChildren(t)
		})
	}
}

// Several servers at once, one of which kills its supervisor: its orphans are
// swept, the others' supervisors are let be.
func TestListAtOnce(t *testing.T) {
	checkLeaks(t)
	var wg sync.WaitGroup
	for _, server := range []string{"parricide", "good", "survivor", "daemon", "never-ends", "parricide", "good"} {
		target, mark := markedTarget(t, server)
		wg.Go(func() {
			_, err := List(t.Context(), target, Options{})
			if server == "parricide" != (err != nil) {
				t.Errorf("%s: %v", server, err)
			}
			if left := marked(t, mark); len(left) > 0 {
				t.Errorf("%s left behind:\n%s", server, strings.Join(left, "\n"))
			}
		})
	}
	wg.Wait()
	checkChildren(t)
}

// The mark is found where it is: otherwise the test above shows nothing.
func TestMarked(t *testing.T) {
	target, mark := markedTarget(t, "daemon")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = List(ctx, target, Options{})
	}()
	for deadline := time.Now().Add(10 * time.Second); len(marked(t, mark)) < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("supervisor, server and daemon were not all seen")
			break
		}
	}
	cancel()
	<-done
}

// When this program is killed, nobody is left to clean up but the supervisor.
func TestSupervisorOutlivesUs(t *testing.T) {
	target, mark := markedTarget(t, "survivor")
	cmd := exec.Command("/proc/self/exe", "-test.run=TestListForAnother$")
	cmd.Env = append(os.Environ(), "LIST_FOR_ANOTHER="+strings.Join(target.Command, "\n"), target.Env[0], "TMPDIR="+t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	want := 4 // that program, supervisor, server, daemon
	for deadline := time.Now().Add(10 * time.Second); len(marked(t, mark)) < want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("seen: %q, want %d", marked(t, mark), want)
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for deadline := time.Now().Add(10 * time.Second); len(marked(t, mark)) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("left behind:\n%s", strings.Join(marked(t, mark), "\n"))
		}
	}
}

// TestListForAnother is the program that TestSupervisorOutlivesUs kills.
func TestListForAnother(t *testing.T) {
	command := os.Getenv("LIST_FOR_ANOTHER")
	if command == "" {
		return
	}
	_, _ = List(t.Context(), Target{Command: strings.Split(command, "\n"), Env: []string{"HOSTILE_MARK=" + os.Getenv("HOSTILE_MARK")}}, Options{})
}

// A program that cannot be started as a supervisor still ends the group, and
// says what it cannot do.
func TestListUnsupervised(t *testing.T) {
	supervisable.Store(false)
	t.Cleanup(func() { supervisable.Store(true) })
	for _, tt := range []struct {
		server string
		want   error
	}{{"good", nil}, {"never-ends", nil}, {"die", ErrUnavailable}, {"hang", ErrUnavailable}} {
		checkLeaks(t)
		target, mark := markedTarget(t, tt.server)
		notices := 0
		_, err := List(t.Context(), target, Options{Timeout: 5 * time.Second, Notice: func(string) { notices++ }})
		if tt.want == nil && err != nil || !errors.Is(err, tt.want) || notices != 1 {
			t.Errorf("%s: %v, want %v; %d notices", tt.server, err, tt.want, notices)
		}
		if left := marked(t, mark); len(left) > 0 {
			t.Errorf("%s left behind:\n%s", tt.server, strings.Join(left, "\n"))
		}
		checkChildren(t)
	}
}

// A server that outstays the end of its input is asked before it is killed.
func TestListTerminates(t *testing.T) {
	for _, supervise := range []bool{true, false} {
		supervisable.Store(supervise)
		t.Cleanup(func() { supervisable.Store(true) })
		l, err := List(t.Context(), hostileTarget(t, "on-term"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if l.Stderr != "ended by terminated\n" {
			t.Errorf("supervised %t: stderr %q", supervise, l.Stderr)
		}
	}
}

// Files that we hold open without close-on-exec stay ours.
func TestServerInheritsNoFile(t *testing.T) {
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil { // without O_CLOEXEC
		t.Fatal(err)
	}
	defer syscall.Close(pipe[0])
	defer syscall.Close(pipe[1])
	l, err := List(t.Context(), hostileTarget(t, "files"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var tool struct{ Description string }
	decode(t, l.Tools[0], &tool)
	if tool.Description != "0 1 2" {
		t.Errorf("open files of the server: %s, want 0 1 2", tool.Description)
	}
}

// To root no directory is locked.
func TestHomeRemove(t *testing.T) {
	if !asNobody(t) {
		return
	}
	tmp := t.TempDir()
	h, err := newHome()
	if err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(tmp, "outside")
	inner := filepath.Join(h.dir(), "a", "b")
	if err := errors.Join(os.Mkdir(outside, 0o500), os.MkdirAll(inner, 0o700), os.Symlink(outside, filepath.Join(inner, "link"))); err != nil {
		t.Fatal(err)
	}
	for dir := inner; len(dir) >= len(h.dir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(h.root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o500 {
		t.Errorf("what a link leads to was touched: %v %v", info.Mode(), err)
	}
}

// A home that is deeper than there are files to be opened is removed, too.
func TestHomeRemoveDeep(t *testing.T) {
	if !asNobody(t) {
		return
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: 64}); err != nil {
		t.Fatal(err)
	}
	target := hostileTarget(t, "burrow")
	target.Command[0] = "/proc/self/exe"
	if _, err := List(t.Context(), target, Options{Notice: failOnNotice(t)}); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left in TMPDIR: %v %v", left, err)
	}
}

func TestChildrenOf(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", append(hostile.Args("deaf"), "x")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	for name, children := range map[string][]int{"children": childrenOf(os.Getpid()), "search": searchChildren(os.Getpid())} {
		if len(children) != 1 || children[0] != cmd.Process.Pid {
			t.Errorf("%s: got %v, want [%d]", name, children, cmd.Process.Pid)
		}
	}
}

func TestParseReport(t *testing.T) {
	for _, tt := range []struct{ line, state, err string }{
		{"exit 256\n", "exit status 1", ""},
		{"exit 9\n", "signal: killed", ""},
		{"fault exec /x: exec format error\n", "", "exec /x: exec format error"},
		{"", "its supervisor was ended", ""},
		{"exit x\n", "", `supervisor: report "exit x\n"`},
	} {
		state, err := parseReport(tt.line)
		if state != tt.state || fmt.Sprint(err) != tt.err && (err != nil || tt.err != "") {
			t.Errorf("parseReport(%q) = %q, %v", tt.line, state, err)
		}
	}
}

// How much the supervisor adds to a server's own start.
func BenchmarkStart(b *testing.B) {
	for name, supervise := range map[string]bool{"supervised": true, "group": false} {
		b.Run(name, func(b *testing.B) {
			supervisable.Store(supervise)
			defer supervisable.Store(true)
			for b.Loop() {
				if _, err := List(b.Context(), hostileTarget(b, "good"), Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
