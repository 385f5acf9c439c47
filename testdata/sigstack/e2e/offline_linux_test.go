package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"unsafe"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// namespaces are the ways to take the network away: as root, and as anybody.
var namespaces = [][]string{{"unshare", "--net"}, {"unshare", "--map-root-user", "--net"}}

// networkless is the way that works here, nil where none does.
var networkless = sync.OnceValue(func() []string {
	for _, way := range namespaces {
		if exec.Command(way[0], append(way[1:len(way):len(way)], "true")...).Run() == nil {
			return way
		}
	}
	return nil
})

// killed is the word for the end by [socketless].
const killed = "killed"

// offline runs a command in a network namespace that has nothing but a loopback
// that is down, and by socketless: so that neither an answer nor a try goes
// unseen.
func offline(ts *testscript.TestScript, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: offline CODE COMMAND ARG…")
	}
	want := -1 // what os/exec says of a signal
	if args[0] != killed {
		var err error
		want, err = strconv.Atoi(args[0])
		ts.Check(err)
	}
	way := networkless()
	if way == nil {
		ts.Fatalf("unshare can make no network namespace here: not as root, nor by a user namespace")
	}
	if got := run(ts, append(append(way[:len(way):len(way)], "socketless"), args[1:]...)); got != want {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// socketless runs a command that the kernel kills when it, or what it starts,
// asks for a socket of any kind.
func socketless() {
	program, err := exec.LookPath(os.Args[1])
	if err == nil {
		runtime.LockOSThread() // a filter is a thread's, and exec keeps this one's
		if err = forbidSockets(); err == nil {
			err = unix.Exec(program, os.Args[1:], os.Environ())
		}
	}
	fmt.Fprintln(os.Stderr, "socketless:", err)
	os.Exit(125)
}

// forbidSockets makes socket(2) death (seccomp(2)). Filters are inherited, and
// nobody can take them off.
func forbidSockets() error {
	const nrOffset = 0 // of seccomp_data's system call number
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: nrOffset},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SOCKET, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	return nil
}
