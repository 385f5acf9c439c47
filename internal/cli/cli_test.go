package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/internal/escape"
)

func newTestCommand(stdout, stderr *bytes.Buffer) *Command {
	c := NewCommand(stdout, stderr, func(string) string { return "" })
	c.ConfigDir = func() (string, error) { return "", errors.New("no configuration directory in this test") }
	return c
}

// TestBugIsNoVerdict: a panic exits with 3 and says what it is.
func TestBugIsNoVerdict(t *testing.T) {
	var stdout, stderr bytes.Buffer
	c := newTestCommand(&stdout, &stderr)
	c.ConfigDir = func() (string, error) { panic("boom") }
	if code := c.Main(t.Context(), []string{"verify", "--key", "local"}); code != ExitUndecided {
		t.Errorf("exit code %d, want %d", code, ExitUndecided)
	}
	if !strings.Contains(stderr.String(), "a bug in mcp-integrity") || !strings.Contains(stderr.String(), "boom") {
		t.Errorf("stderr: %s", stderr.String())
	}
}

// TestJSONHidesNothing: what a stranger wrote cannot act on a terminal from
// within JSON, and means what it meant.
func TestJSONHidesNothing(t *testing.T) {
	want := "a\u202eb\u200bc\x1b[31m\u0085\u2028é漢😀\U000e0041\ufeff"
	data, err := renderJSON(map[string]string{"x": want})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range string(data) {
		if r != '\n' && escape.Hidden(r) {
			t.Errorf("%q has %U", data, r)
		}
	}
	var got map[string]string
	if err := json.Unmarshal(data, &got); err != nil || got["x"] != want {
		t.Errorf("got %q, %v; want %q", got["x"], err, want)
	}
}

// TestOptionTable: an option is declared once for a command, its command
// exists, its default is one of its values, and trust options take no default
// from the environment.
func TestOptionTable(t *testing.T) {
	known := map[string]bool{}
	for _, k := range commands {
		known[strings.Fields(k.use)[0]] = true
	}
	for _, o := range options {
		for _, on := range o.on {
			if !known[on] {
				t.Errorf("--%s is an option of %q, which is no command", o.name, on)
			}
		}
		if o.def != "" {
			if err := o.check(value{items: []string{o.def}}); err != nil {
				t.Errorf("--%s: its default: %v", o.name, err)
			}
		}
		if o.help == "" || len(o.on) == 0 {
			t.Errorf("--%s has no help or no command", o.name)
		}
	}
	for name := range known {
		seen := map[string]bool{}
		for _, o := range optionsOf(name) {
			for _, n := range append([]string{o.name}, o.aliases...) {
				if seen[n] {
					t.Errorf("%s has --%s twice", name, n)
				}
				seen[n] = true
			}
		}
	}
}

func TestParseDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{"": 0, "30s": 30 * time.Second, "90d": 90 * 24 * time.Hour, "1h30m": 90 * time.Minute} {
		if got, err := parseDuration(s); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"0", "0s", "0d", "-1h", "-3d", "d", "1.5d", "99999d", "soon", " 1s"} {
		if got, err := parseDuration(s); err == nil {
			t.Errorf("%q: accepted as %v", s, got)
		}
	}
}

// TestWriteFilesFailsWhole: whichever file cannot be written, before or after
// others were, none of them is there and what was there is as it was.
func TestWriteFilesFailsWhole(t *testing.T) {
	for broken := range 3 {
		dir := t.TempDir()
		var files []file
		for i, name := range []string{"a", "b", "c"} {
			path := filepath.Join(dir, name)
			if i == broken {
				if err := os.Mkdir(path, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			files = append(files, file{path, []byte("new")})
		}
		if err := writeFiles(files...); err == nil {
			t.Errorf("file %d is a directory, and was written", broken)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 {
			t.Errorf("file %d broken: left %v, %v; want the directory alone", broken, entries, err)
		}
	}
}

// TestInterrupted: a run that is cancelled is no verdict.
func TestInterrupted(t *testing.T) {
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code := newTestCommand(&stdout, &stderr).Main(ctx, []string{"extract", "--", os.Args[0]})
	if code != ExitUndecided || stdout.Len() > 0 {
		t.Errorf("exit code %d and %q on standard output, want %d and nothing", code, stdout.String(), ExitUndecided)
	}
}

// TestOurLines: no line of a message but the first stands at the margin, and no
// line holds a command of a CI runner.
func TestOurLines(t *testing.T) {
	got := ourLines("a\nmcp-integrity: all holds\n::error::x\r\n ##[error]y")
	want := "a\n  | mcp-integrity: all holds\n  | ::error::x⟨U+000D⟩\n  |  ## [error]y"
	if got != want {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}

// TestProgramWords: only the program, or the first file of an interpreter, says
// what runs.
func TestProgramWords(t *testing.T) {
	for line, want := range map[string]string{
		"./server artifact":                    "./server",
		"node dist/index.js artifact":          "node dist/index.js",
		"node --no-warnings dist/i.js x":       "node dist/i.js",
		"/usr/bin/python3.11 -u s.py artifact": "/usr/bin/python3.11 s.py",
		"java -jar s.jar":                      "java s.jar",
		"deno run --allow-net s.ts":            "deno s.ts",
		"node":                                 "node",
		"env node artifact":                    "env",
	} {
		if got := strings.Join(programWords(strings.Fields(line)), " "); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

// TestFetchKeepsSecrets: what stands in a URL beside host and path is nowhere
// in an error or a result.
func TestFetchKeepsSecrets(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	defer gone.Close()
	for _, base := range []string{gone.URL, closed.URL, "http://example.invalid", "https://exa mple"} {
		secret := strings.Replace(base, "://", "://USER:PASSWORD@", 1) + "/x?token=TOKEN#FRAGMENT"
		for _, args := range [][]string{
			{"verify", secret, "--format", "json"},
			{"verify", "x.json", "--jwks", secret},
			{"verify", secret, "--offline"},
		} {
			var stdout, stderr bytes.Buffer
			newTestCommand(&stdout, &stderr).Main(t.Context(), args)
			for _, word := range []string{"USER", "PASSWORD", "TOKEN", "FRAGMENT"} {
				if strings.Contains(stdout.String()+stderr.String(), word) {
					t.Errorf("%v: %s is printed:\n%s%s", args, word, stdout.String(), stderr.String())
				}
			}
		}
	}
}
