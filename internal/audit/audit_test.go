package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

func event(tool string) verify.Event {
	return verify.Event{
		Type: verify.VerificationPass, Timestamp: seal.NewTimestamp(time.Unix(1_700_000_000, 0)), ServerName: "acme", ToolName: tool, TrustLevel: 1,
		Details: verify.EventDetails{Outcome: seal.Pass, Policy: "report_only", Codes: []string{}},
	}
}

// The test binary is a process that appends, too.
const (
	marker   = "audit-append"
	batches  = 20
	perBatch = 7
)

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == marker {
		if err := appendMany(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// appendMany appends batches whose events tell writer and order.
func appendMany(path, writer string) error {
	l, err := Open(path)
	if err != nil {
		return err
	}
	for b := range batches {
		var events []verify.Event
		for i := range perBatch {
			// Lines of very different lengths, some longer than a page of memory.
			events = append(events, event(fmt.Sprintf("%s/%d/%d/%s", writer, b, i, strings.Repeat("é", 900*(i%2)))))
		}
		if err := l.Append(events...); err != nil {
			return err
		}
	}
	return nil
}

// TestConcurrentAppend: processes and goroutines at once, and every line whole,
// every batch together.
func TestConcurrentAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const goroutines, processes = 12, 8
	var wg sync.WaitGroup
	for w := range goroutines + processes {
		wg.Go(func() {
			if w < goroutines {
				if err := appendMany(path, strconv.Itoa(w)); err != nil {
					t.Error(err)
				}
				return
			}
			if out, err := exec.Command(self, marker, path, strconv.Itoa(w)).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	lines := read(t, path)
	if want := (goroutines + processes) * batches * perBatch; len(lines) != want {
		t.Fatalf("got %d lines, want %d", len(lines), want)
	}
	next := map[string]int{}
	for i, e := range lines {
		parts := strings.Split(e.ToolName, "/")
		if parts[2] != strconv.Itoa(i%perBatch) || i%perBatch > 0 && parts[0] != strings.Split(lines[i-1].ToolName, "/")[0] {
			t.Fatalf("line %d is %.40q: a batch was torn", i+1, e.ToolName)
		}
		if i%perBatch == 0 {
			if parts[1] != strconv.Itoa(next[parts[0]]) {
				t.Fatalf("line %d is %.40q, want batch %d", i+1, e.ToolName, next[parts[0]])
			}
			next[parts[0]]++
		}
	}
}

// read returns the events of a log, each of which must be a whole line.
func read(t *testing.T, path string) []verify.Event {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 0 && data[len(data)-1] != '\n' {
		t.Errorf("the log ends in %q", data[max(0, len(data)-40):])
	}
	var events []verify.Event
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		var e verify.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("line %d: %v: %.200q", len(events)+1, err, lines.Bytes())
		}
		events = append(events, e)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return events
}

func TestRefused(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, path string) error{
		"a directory":           func(_ *testing.T, path string) error { return os.Mkdir(path, 0o700) },
		"no directory above it": func(_ *testing.T, path string) error { return os.Remove(filepath.Dir(path)) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "logs", "audit.jsonl")
			if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), prepare(t, path)); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "audit log") {
				t.Errorf("got %v, want an error that says whose", err)
			}
		})
	}
}

func TestAppendAfterFileMoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(event("a"), event("b")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(event("c")); err != nil {
		t.Fatal(err)
	}
	if old, now := read(t, path+".1"), read(t, path); len(old) != 2 || len(now) != 1 {
		t.Errorf("got %d events in the file that was moved, %d in the new one, want 2 and 1", len(old), len(now))
	}
}

// TestTornLine: what a killed writer left spoils its own line only.
func TestTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := os.WriteFile(path, []byte(`{"event_type":"verif`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(event("a")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(string(data), "\n"); len(lines) != 3 || !json.Valid([]byte(lines[1])) {
		t.Errorf("got %q, want the torn line, a whole one, and nothing", lines)
	}
}

func TestNoEventsWriteNothing(t *testing.T) {
	l, err := Open(filepath.Join(t.TempDir(), "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, l.path); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestLockThatIsNeverGivenBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	held, err := lockedfile.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	l.wait = time.Millisecond
	if err := l.Append(event("a")); err == nil || !strings.Contains(err.Error(), "lock") {
		t.Errorf("got %v, want an error about the lock", err)
	}
}

// fullDisk is a file that takes only so many bytes, or cannot be flushed.
type fullDisk struct {
	bytes.Buffer
	room int
	sync error
}

func (d *fullDisk) Stat() (fs.FileInfo, error) { return sized{size: int64(d.Len())}, nil }
func (d *fullDisk) Truncate(n int64) error     { d.Buffer.Truncate(int(n)); return nil }
func (d *fullDisk) Sync() error                { return d.sync }

func (d *fullDisk) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(d.Bytes()).ReadAt(p, off)
}

func (d *fullDisk) Write(p []byte) (int, error) {
	n := min(len(p), d.room)
	d.Buffer.Write(p[:n])
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

type sized struct {
	fs.FileInfo
	size int64
}

func (s sized) Size() int64 { return s.size }

func TestFailedWrite(t *testing.T) {
	const before = "{}\n"
	broken := errors.New("broken disk")
	for name, tt := range map[string]struct {
		disk fullDisk
		want string
		err  error
	}{
		"full":        {fullDisk{room: 10}, before, io.ErrShortWrite},
		"not flushed": {fullDisk{room: 100, sync: broken}, before + "line one\nline two\n", broken},
		"fits":        {fullDisk{room: 100}, before + "line one\nline two\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := tt.disk
			d.WriteString(before)
			if err := write(&d, []byte("line one\nline two\n")); !errors.Is(err, tt.err) {
				t.Errorf("got error %v, want %v", err, tt.err)
			}
			if d.String() != tt.want {
				t.Errorf("got %q, want %q", d.String(), tt.want)
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	l, err := Open(filepath.Join(b.TempDir(), "audit.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	var events []verify.Event
	for i := range 50 {
		events = append(events, event(strconv.Itoa(i)))
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Append(events...); err != nil {
			b.Fatal(err)
		}
	}
}
