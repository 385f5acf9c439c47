package tofu

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

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

// asHost makes the test binary a host that meets servers: the variable holds the
// directory, the first number and how many; 0 is no end. Number n meets server n
// and beta, at which it serves tool n. It prints a line when it begins, and the
// number of each that was met, and "first" where it was the first at beta.
const asHost = "TOFU_TEST_HOST"

func TestMain(m *testing.M) {
	if job := os.Getenv(asHost); job != "" {
		host(job)
		return
	}
	os.Exit(m.Run())
}

func numbered(n int) verify.FirstUseKey {
	return verify.FirstUseKey{Host: "desk", Server: "npx server-" + strconv.Itoa(n)}
}

func serves(n int) verify.Observation {
	raw := fmt.Appendf(nil, `{"name":"tool","description":"number %d","inputSchema":{}}`, n)
	tool, err := fingerprint.ParseTool(raw)
	if err != nil {
		panic(err)
	}
	return verify.Observation{Observed: verify.Live, Tools: []fingerprint.Tool{tool}}
}

func host(job string) {
	parts := strings.Split(job, "|")
	from, _ := strconv.Atoi(parts[1])
	count, _ := strconv.Atoi(parts[2])
	fmt.Println("begins")
	s, err := Open(parts[0])
	for n := from; err == nil && (count == 0 || n < from+count); n++ {
		var own, shared verify.Meeting
		if own, err = s.Meet(context.Background(), numbered(n), serves(n), noon); err != nil {
			break
		}
		if !own.First {
			err = fmt.Errorf("%d was met before", n)
			break
		}
		if shared, err = s.Meet(context.Background(), beta, serves(n), noon); err == nil {
			fmt.Println(n, map[bool]string{true: "first"}[shared.First])
		}
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func hostProcess(t *testing.T, dir string, from, count int) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%d|%d", asHost, dir, from, count))
	return cmd
}

// wantKept checks that a server was met, and that what it served is kept.
func wantKept(t *testing.T, s *Store, n int) {
	t.Helper()
	m, err := s.Meet(t.Context(), numbered(n), serves(n), later)
	if err != nil || m.First || len(m.Changes) > 0 {
		t.Fatalf("server %d: got %+v, %v, want that it is known", n, m, err)
	}
}

// TestManyProcesses: fifty at once, from a directory that is not there yet.
// Nothing is lost, and one alone is the first.
func TestManyProcesses(t *testing.T) {
	const processes, each = 50, 2
	dir := t.TempDir() + "/tofu"
	var wait sync.WaitGroup
	var mu sync.Mutex
	firsts := 0
	for p := range processes {
		cmd := hostProcess(t, dir, p*each, each)
		wait.Go(func() {
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("process %d: %v\n%s", p, err, out)
			}
			mu.Lock()
			firsts += strings.Count(string(out), "first")
			mu.Unlock()
		})
	}
	wait.Wait()
	if firsts != 1 {
		t.Errorf("%d were the first to meet one server, want 1", firsts)
	}
	s := open(t, dir)
	for n := range processes * each {
		wantKept(t, s, n)
	}
	if all, err := s.List(t.Context()); err != nil || len(all) != processes*each+1 {
		t.Errorf("list: got %d entries, %v", len(all), err)
	}
}

func TestManyGoroutines(t *testing.T) {
	const routines = 8
	s := open(t, t.TempDir())
	var wait sync.WaitGroup
	for n := range routines {
		wait.Go(func() {
			if m, err := s.Meet(t.Context(), numbered(n), serves(n), noon); err != nil || !m.First {
				t.Errorf("server %d: %+v, %v", n, m, err)
			}
			if m, err := s.Meet(t.Context(), numbered(n), serves(-1), noon); err != nil || len(m.Changes) != 1 {
				t.Errorf("server %d: %+v, %v", n, m, err)
			}
			if _, err := s.List(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

// TestKilled: a process that is killed at any moment leaves a directory that is
// believed, and that holds what it said it had met.
func TestKilled(t *testing.T) {
	dir := t.TempDir() + "/tofu"
	next := 0
	var kept []int
	end := time.Now().Add(7 * time.Second)
	for round := 0; round < 40 && time.Now().Before(end); round++ {
		cmd := hostProcess(t, dir, next, 0)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		lines.Scan() // it begins
		// Sometimes at once, sometimes after a few meetings: a busy machine may come to
		// none before a delay has passed.
		delay, after := time.Duration(rand.IntN(60_000))*time.Microsecond, len(kept)+round%3
		var timer *time.Timer
		for more := true; more; {
			if len(kept) == after && timer == nil {
				timer = time.AfterFunc(delay, func() { cmd.Process.Kill() })
			}
			if more = lines.Scan(); !more {
				break
			}
			if n, _, _ := strings.Cut(lines.Text(), " "); n != strconv.Itoa(next) {
				t.Fatalf("round %d, killed after %s: %s", round, delay, lines.Text())
			}
			kept = append(kept, next)
			next++
		}
		cmd.Wait()
		if timer != nil {
			timer.Stop()
		}
		s := open(t, dir)
		for _, n := range kept {
			wantKept(t, s, n)
		}
		if _, err := s.List(t.Context()); err != nil {
			t.Fatalf("round %d, killed after %s: %v", round, delay, err)
		}
		next++ // the one behind it may be there, or not
	}
	if len(kept) < 3 {
		t.Errorf("no host came to meet anybody: %d", len(kept))
	}
}

// TestEveryEffect: each effect of a meeting, an acceptance and a forgetting fails,
// before and after it took place. What is there is believed throughout, what was
// acknowledged is there, and who tries again gets through.
func TestEveryEffect(t *testing.T) {
	broken := errors.New("broken")
	old, new := served(t, "a=A"), served(t, "a=B")
	steps := []struct {
		name string
		do   func(*Store) error
		// before and after are what the store may say of alpha, served new.
		before, after string
	}{
		{"meet", func(s *Store) error { _, err := s.Meet(t.Context(), alpha, old, noon); return err }, "first", "a changed description"},
		{"accept", func(s *Store) error {
			m, err := s.Meet(t.Context(), alpha, new, later)
			if err == nil {
				err = m.Unkept
			}
			if err == nil {
				err = s.Accept(t.Context(), alpha, m.Pending, later)
			}
			return err
		}, "a changed description", ""},
		{"forget", func(s *Store) error {
			err := s.Forget(t.Context(), alpha)
			if errors.Is(err, ErrNeverMet) {
				err = nil // the first attempt got that far
			}
			return err
		}, "", "first"},
	}
	says := func(dir string) string {
		o := new
		o.Observed = verify.Snapshot // to look and keep nothing
		m := meet(t, open(t, dir), alpha, o, later)
		if m.First {
			return "first"
		}
		return brief(m)
	}
	for at, step := range steps {
		for point := 0; ; point++ {
			dir := t.TempDir()
			for _, earlier := range steps[:at] {
				if err := earlier.do(open(t, dir)); err != nil {
					t.Fatal(err)
				}
			}
			s, left := open(t, dir), point
			s.vault.Fault = func(string, bool) error {
				if left--; left < 0 {
					return broken
				}
				return nil
			}
			err := step.do(s)
			if got := says(dir); err != nil && got != step.before && got != step.after || err == nil && got != step.after {
				t.Fatalf("%s failing at point %d (%v): it says %q", step.name, point, err, got)
			}
			if err == nil {
				if point < 4 {
					t.Errorf("%s has %d points of failure, want more", step.name, point)
				}
				break
			}
			if !errors.Is(err, broken) {
				t.Fatalf("%s failing at point %d: %v", step.name, point, err)
			}
			if err := step.do(open(t, dir)); err != nil {
				// What was accepted after all is not pending any more.
				if got := says(dir); !errors.Is(err, ErrNotPending) || got != step.after {
					t.Fatalf("%s after failing at point %d: %v, it says %q", step.name, point, err, got)
				}
			}
			if got := says(dir); got != step.after {
				t.Fatalf("%s again after failing at point %d: it says %q", step.name, point, got)
			}
		}
	}
}
