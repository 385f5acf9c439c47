package keys

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// asLoader makes the test binary a process that loads documents: the variable
// holds the directory, the first number and how many; 0 is no end. The n-th
// document revokes key n and nothing else. It prints a line when it begins, and
// the number of each that was loaded.
const asLoader = "KEYS_TEST_LOADER"

func TestMain(m *testing.M) {
	if job := os.Getenv(asLoader); job != "" {
		loadAll(job)
		return
	}
	os.Exit(m.Run())
}

// The signer of all of them must be the same in every process: a document that
// has another key by its name is another one.
const loaderKey = rfc8037Private

func loadAll(job string) {
	parts := strings.Split(job, "|")
	from, _ := strconv.Atoi(parts[1])
	count, _ := strconv.Atoi(parts[2])
	fmt.Println("begins")
	d, err := OpenDocuments(parts[0])
	for n := from; err == nil && (count == 0 || n < from+count); n++ {
		if _, err = d.Load(context.Background(), source, &site{body: numbered(n)}); err == nil {
			fmt.Println(n)
		}
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func numbered(n int) string {
	signer, err := ParsePrivate([]byte(loaderKey))
	if err != nil {
		panic(err)
	}
	signed, err := SignNotice(Notice{RevokedKeyID: strconv.Itoa(n), Time: noon, Reason: KeyRotation}, signer)
	if err != nil {
		panic(err)
	}
	set, err := NewSet(signer.Public())
	if err == nil {
		err = set.Revoke(signed)
	}
	if err != nil {
		panic(err)
	}
	text, err := set.Marshal()
	if err != nil {
		panic(err)
	}
	return string(text)
}

func loader(t *testing.T, dir string, from, count int) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%d|%d", asLoader, dir, from, count))
	return cmd
}

// wantRevoked demands that all of the keys are known to be revoked.
func wantRevoked(t *testing.T, dir string, keys ...int) {
	t.Helper()
	doc := load(t, openDocuments(t, dir), source, nil)
	for _, n := range keys {
		if _, ok := doc.Set.Revoked(strconv.Itoa(n)); !ok {
			t.Errorf("the revocation of key %d is lost", n)
		}
	}
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// TestManyProcesses: each sees a notice that the others do not, and nothing is
// lost.
func TestManyProcesses(t *testing.T) {
	const processes, each = 8, 5
	dir := filepath.Join(t.TempDir(), "documents")
	var wait sync.WaitGroup
	for p := range processes {
		cmd := loader(t, dir, p*each, each)
		wait.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("process %d: %v\n%s", p, err, out)
			}
		})
	}
	wait.Wait()
	wantRevoked(t, dir, upTo(processes*each)...)
}

// TestManyGoroutines: the same within one process, through one Documents.
func TestManyGoroutines(t *testing.T) {
	const routines, each = 8, 4
	dir := t.TempDir()
	d := openDocuments(t, dir)
	var wait sync.WaitGroup
	for r := range routines {
		wait.Go(func() {
			for n := r * each; n < (r+1)*each; n++ {
				doc, err := d.Load(t.Context(), source, &site{body: numbered(n)})
				if err != nil {
					t.Error(err)
				}
				if _, ok := doc.Set.Revoked(strconv.Itoa(n)); !ok {
					t.Errorf("key %d is not revoked", n)
				}
			}
		})
	}
	wait.Wait()
	wantRevoked(t, dir, upTo(routines*each)...)
}

// TestKilled: a process that is killed at any moment leaves a directory that is
// believed, and that holds what it said it had loaded.
func TestKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "documents")
	next := 0
	var kept []int
	for round := range 12 {
		cmd := loader(t, dir, next, 0)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		lines.Scan() // it begins
		// Sometimes while it starts, sometimes after a few documents.
		delay, after := time.Duration(rand.IntN(15))*time.Millisecond, len(kept)+round%4
		kill := func() { cmd.Process.Kill() }
		var timer *time.Timer
		for more := true; more; {
			if len(kept) == after && timer == nil {
				timer = time.AfterFunc(delay, kill)
			}
			if more = lines.Scan(); more {
				if lines.Text() != strconv.Itoa(next) {
					t.Fatalf("round %d, killed after %s: %s", round, delay, lines.Text())
				}
				kept = append(kept, next)
				next++
			}
		}
		cmd.Wait()
		if timer != nil {
			timer.Stop()
		}
		next++ // the one behind it may be there, or not
		if len(kept) > 0 {
			wantRevoked(t, dir, kept...)
		}
	}
	if len(kept) < 5 {
		t.Errorf("no process came to load anything: %d documents", len(kept))
	}
}

// TestLeftovers: half a file, where a process was killed while it wrote.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, tempName), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	load(t, openDocuments(t, dir), source, &site{body: numbered(1)})
	wantRevoked(t, dir, 1)
	if _, err := os.Lstat(filepath.Join(dir, tempName)); err == nil {
		t.Error("it is still there")
	}
}

// TestLocked: who waits for a lock hears when the caller has had enough.
func TestLocked(t *testing.T) {
	dir := t.TempDir()
	d := openDocuments(t, dir)
	s, err := d.openAlone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := d.Load(ctx, source, nil); err == nil || !strings.Contains(err.Error(), "holds the lock") {
		t.Errorf("error %v", err)
	}
}
