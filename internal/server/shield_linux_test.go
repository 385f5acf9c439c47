package server

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mcp-integrity/seal-action/testdata/servers/hostile"
)

// asNobody runs the test of that name once more, in a process of its own and not
// as root, and says whether this is that process.
func asNobody(t *testing.T) bool {
	t.Helper()
	const mark = "TEST_AS_NOBODY"
	if os.Getenv(mark) != "" {
		return true
	}
	tmp := t.TempDir()
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
	cmd.Dir = tmp
	cmd.Env = []string{"TMPDIR=" + tmp, "PATH=" + os.Getenv("PATH"), mark + "=1"}
	if os.Getuid() == 0 {
		if err := errors.Join(os.Chmod(filepath.Dir(tmp), 0o777), os.Chmod(tmp, 0o777)); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
	return false
}

// Under one user, a server gets nothing out of the process that lists it, nor
// out of its supervisor.
func TestShield(t *testing.T) {
	if !asNobody(t) {
		return
	}
	Shield()
	// Another process of ours must not need what is shielded.
	l, err := List(t.Context(), Target{Command: append([]string{"/proc/self/exe"}, hostile.Args("spy")...)}, Options{Notice: failOnNotice(t)})
	if err != nil {
		t.Fatal(err)
	}
	var tool struct{ Description string }
	decode(t, l.Tools[0], &tool)
	lines := strings.Split(tool.Description, "\n")
	if len(lines) != 12 {
		t.Errorf("tried: %q", lines)
	}
	for _, line := range lines {
		if !strings.HasSuffix(line, ": permission denied") {
			t.Error(line)
		}
	}
}

// A shielded process still ends all that a server starts.
func TestShieldedListLeavesNoProcess(t *testing.T) {
	if !asNobody(t) {
		return
	}
	Shield()
	for _, server := range []string{"good", "survivor", "parricide", "jailer", "hopper", "locked-home", "burrow"} {
		target, mark := markedTarget(t, server)
		target.Command[0] = "/proc/self/exe"
		_, err := List(t.Context(), target, Options{Notice: failOnNotice(t)})
		if server == "parricide" != (err != nil) {
			t.Errorf("%s: %v", server, err)
		}
		if left := marked(t, mark); len(left) > 0 {
			t.Errorf("%s left behind:\n%s", server, strings.Join(left, "\n"))
		}
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left in TMPDIR: %v %v", left, err)
	}
}
