package memory

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/verify"
)

// asWriter makes the test binary a process that remembers releases of alpha: the
// variable holds the directory, the first number and how many; 0 is no end. It
// prints a line when it begins, and the number of each that was remembered.
const asWriter = "MEMORY_TEST_WRITER"

func TestMain(m *testing.M) {
	if job := os.Getenv(asWriter); job != "" {
		write(job)
		return
	}
	os.Exit(m.Run())
}

func write(job string) {
	parts := strings.Split(job, "|")
	from, _ := strconv.Atoi(parts[1])
	count, _ := strconv.Atoi(parts[2])
	fmt.Println("begins")
	m, err := Open(parts[0])
	for n := from; err == nil && (count == 0 || n < from+count); n++ {
		if err = m.Remember(context.Background(), alpha, []verify.Seen{release(n)}); err == nil {
			fmt.Println(n)
		}
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func writer(t *testing.T, dir string, from, count int) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%d|%d", asWriter, dir, from, count))
	return cmd
}

// TestManyProcesses: nothing is lost, the secret and the directory being made at
// the same time, too.
func TestManyProcesses(t *testing.T) {
	const processes, each = 20, 10
	dir := t.TempDir() + "/memory"
	var wait sync.WaitGroup
	for p := range processes {
		cmd := writer(t, dir, p*each, each)
		wait.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("process %d: %v\n%s", p, err, out)
			}
		})
	}
	wait.Wait()
	m := open(t, dir)
	for n := range processes * each {
		wantKnown(t, m, alpha, n, true)
	}
	wantNewest(t, m, alpha, release(processes*each-1))
}

// TestManyGoroutines: the same within one process and through one Memory.
func TestManyGoroutines(t *testing.T) {
	const routines, each = 8, 5
	m := open(t, t.TempDir())
	var wait sync.WaitGroup
	for r := range routines {
		wait.Go(func() {
			for n := r * each; n < (r+1)*each; n++ {
				if err := m.Remember(t.Context(), alpha, []verify.Seen{release(n)}); err != nil {
					t.Error(err)
				}
				if _, ok, err := m.Find(t.Context(), alpha, release(n).Digest); !ok || err != nil {
					t.Errorf("release %d: %v, %v", n, ok, err)
				}
			}
		})
	}
	wait.Wait()
	for n := range routines * each {
		wantKnown(t, m, alpha, n, true)
	}
}

// TestKilled: a process that is killed at any moment leaves a directory that is
// believed, and that holds what it said it had remembered.
func TestKilled(t *testing.T) {
	dir := t.TempDir() + "/memory"
	next := 0
	var kept []int // what was said to be remembered
	for round := range 25 {
		cmd := writer(t, dir, next, 0)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		lines.Scan() // it begins
		delay := time.Duration(rand.IntN(60)) * time.Millisecond
		timer := time.AfterFunc(delay, func() { cmd.Process.Kill() })
		for ; lines.Scan(); next++ {
			if lines.Text() != strconv.Itoa(next) {
				t.Fatalf("round %d, killed after %s: %s", round, delay, lines.Text())
			}
			kept = append(kept, next)
		}
		cmd.Wait()
		timer.Stop()
		m := open(t, dir)
		for _, n := range kept {
			wantKnown(t, m, alpha, n, true)
		}
		next++ // the one behind it may be there, or not
	}
	if len(kept) < 10 {
		t.Errorf("no writer came to write: %d releases", len(kept))
	}
	remember(t, open(t, dir), alpha, release(100_000))
	wantNewest(t, open(t, dir), alpha, release(100_000))
}

// TestEveryWrite: each write fails, before and after it took effect, and so does
// each write of the one who comes next. What is there is believed throughout, and
// in the end all is there.
func TestEveryWrite(t *testing.T) {
	broken := errors.New("broken")
	// failing fails at the n-th point; there are two for each write.
	failing := func(n int) func(string, bool) error {
		return func(string, bool) error {
			if n--; n < 0 {
				return broken
			}
			return nil
		}
	}
	const points = 8 // of the secret, heads, the server's file, heads
	for first := range points + 1 {
		for second := range points + 1 {
			dir := t.TempDir()
			kept := 0
			for i, n := range []int{first, second} {
				m := open(t, dir)
				m.fault = failing(n)
				err := m.Remember(t.Context(), alpha, []verify.Seen{release(i)})
				switch {
				case err == nil:
					kept = i
				case !errors.Is(err, broken):
					t.Fatalf("failing at %d, then %d: %v", first, second, err)
				}
				if _, _, err := open(t, dir).Newest(t.Context(), alpha); err != nil {
					t.Fatalf("failing at %d, then %d: %v", first, second, err)
				}
				if err == nil {
					wantKnown(t, open(t, dir), alpha, kept, true)
				}
			}
			all := []verify.Seen{release(2), release(1), release(0)}
			remember(t, open(t, dir), alpha, all...)
			wantNewest(t, open(t, dir), alpha, release(2))
			for n := range all {
				wantKnown(t, open(t, dir), alpha, n, true)
			}
		}
	}
}

// TestLeftovers: half a file, where a process was killed while it wrote.
func TestLeftovers(t *testing.T) {
	for _, f := range []files{{tempName: []byte("0123")}, history(t)[5]} {
		f[tempName] = []byte("half")
		dir := f.restore(t)
		remember(t, open(t, dir), alpha, release(100))
		wantNewest(t, open(t, dir), alpha, release(100))
		if _, left := readAll(t, dir)[tempName]; left {
			t.Error("it is still there")
		}
	}
}

// hasModes says whether files have the modes of unix here.
var hasModes = os.PathSeparator == '/'
