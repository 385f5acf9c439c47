package memory

import (
	"bufio"
	"context"
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

// TestStepByStep: the states that a killed process can leave, each made on
// purpose, and a writer that comes after it.
func TestStepByStep(t *testing.T) {
	all := history(t)
	a := fileName(alpha)
	mix := func(newer, older files, names ...string) files {
		f := files{}
		for name, data := range newer {
			f[name] = data
		}
		for _, name := range names {
			if f[name] = older[name]; older[name] == nil {
				delete(f, name)
			}
		}
		return f
	}
	for _, c := range []struct {
		name  string
		left  files
		known int // the last release that is there, -1 for none
	}{
		{"the secret alone", files{secretName: all[0][secretName]}, -1},
		{"half a secret", files{tempName: []byte("0123")}, -1},
		{"no server yet", mix(all[0], files{headsName: emptyHeads(t, all[0])}, a, headsName), -1},
		{"first file, no head", mix(all[0], files{headsName: emptyHeads(t, all[0])}, headsName), 0},
		{"second file, first head", mix(all[1], all[0], headsName), 1},
		{"half a file", mix(all[1], files{tempName: []byte("half")}, tempName), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := c.left.restore(t)
			m := open(t, dir)
			if c.known >= 0 {
				wantNewest(t, m, alpha, release(c.known))
			} else {
				wantKnown(t, m, alpha, 0, false)
			}
			// Killed again at the same place: the file is written, heads is not.
			before := readAll(t, dir)
			remember(t, m, alpha, release(10))
			wantNewest(t, m, alpha, release(10))
			if heads, ok := before[headsName]; ok && c.known >= 0 {
				// What heads said before the first crash is behind by two now.
				again := mix(readAll(t, dir), files{headsName: heads}, headsName)
				if c.name != "half a file" {
					wantUnusable(t, again.restore(t), alpha, headsName)
				}
			}
			remember(t, open(t, dir), alpha, release(11))
			wantNewest(t, open(t, dir), alpha, release(11))
		})
	}
}

// emptyHeads is heads before the first server, under f's secret.
func emptyHeads(t *testing.T, f files) []byte {
	t.Helper()
	dir := files{secretName: f[secretName]}.restore(t)
	s, err := open(t, dir).openAlone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.close()
	return readAll(t, dir)[headsName]
}

// hasModes says whether files have the modes of unix here.
var hasModes = os.PathSeparator == '/'
