package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/testdata/servers/hostile"
)

func TestMain(m *testing.M) {
	MaybeSupervise()
	hostile.MaybeRun()
	maybeRunSDKServer()
	os.Exit(m.Run())
}

// hostileTarget is this test program as a server of testdata/servers.
func hostileTarget(t testing.TB, name string) Target {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Target{Command: append([]string{self}, hostile.Args(name)...)}
}

// checkLeaks fails the test where goroutines or temporary homes are left.
func checkLeaks(t *testing.T) {
	t.Helper()
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
				return
			}
		}
		if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
			t.Errorf("left in TMPDIR: %v %v", left, err)
		}
	})
}

// texts are tools as strings, to compare and print.
func texts(tools [][]byte) []string {
	var out []string
	for _, tool := range tools {
		out = append(out, string(tool))
	}
	return out
}

func TestListRefuses(t *testing.T) {
	for _, tt := range []struct {
		server  string
		kind    error
		stage   Stage
		want    string // in the error's text
		timeout time.Duration
	}{
		{"hang", ErrUnavailable, StageInitialize, "no answer within 2s", 2 * time.Second},
		{"hang-list", ErrUnavailable, StageList, "no answer within 2s", 2 * time.Second},
		{"deaf", ErrUnavailable, StageInitialize, "no answer within 2s", 2 * time.Second},
		{"drip", ErrUnavailable, StageInitialize, "no answer within 2s", 2 * time.Second},
		{"die", ErrUnavailable, StageInitialize, "closed its output before it answered (the server ended: exit status 3)", 0},
		{"die-list", ErrUnavailable, StageList, "closed its output before it answered (the server ended: exit status 3)", 0},
		{"die-mid-line", ErrUnavailable, StageList, "in the middle of a line (the server ended: exit status 0)", 0},
		{"close-output", ErrUnavailable, StageInitialize, "closed its output", 0},
		{"error-initialize", ErrUnavailable, StageInitialize, `initialize: the server answers with JSON-RPC error -32000: "API_KEY is not set"; server/discover: the server answers with JSON-RPC error -32601`, 0},
		{"error-list", ErrUnavailable, StageList, `error -32603: "database is down\x1b[31m"`, 0},
		{"unread", ErrUnavailable, StageList, "could not read our request", 0},

		{"garbage", ErrRefused, StageInitialize, `"Server listening on stdio \x1b[32mok" is no JSON-RPC message`, 0},
		{"duplicate-members", ErrRefused, StageList, `duplicate object member name "description"`, 0},
		{"duplicate-escaped", ErrRefused, StageList, "duplicate object member name", 0},
		{"two-results", ErrRefused, StageList, `duplicate object member name "result"`, 0},
		{"two-answers", ErrRefused, StageShutdown, "a second answer to request 2", 0},
		{"two-lists", ErrRefused, StageList, `duplicate object member name "tools"`, 0},
		{"result-and-error", ErrRefused, StageList, "both result and error", 0},
		{"invalid-utf8", ErrRefused, StageList, "invalid UTF-8", 0},
		{"lone-surrogate", ErrRefused, StageList, "surrogate", 0},
		{"huge-number", ErrRefused, StageList, "1e400", 0},
		{"batch-now", ErrRefused, StageList, `only protocol version 2025-03-26 has (this session: "2025-11-25")`, 0},
		{"tools-null", ErrRefused, StageList, `tools: got "null", want an array`, 0},
		{"tools-missing", ErrRefused, StageList, `tools: got nothing, want an array`, 0},
		{"tools-object", ErrRefused, StageList, "want an array", 0},
		{"null-element", ErrRefused, StageList, `tools[1]: got "null", want an object`, 0},
		{"cursor-number", ErrRefused, StageList, `nextCursor: got "1", want a string`, 0},
		{"unknown-version", ErrRefused, StageInitialize, `protocolVersion: got "2099-01-01", want one of 2024-11-05`, 0},
		{"input-required", ErrRefused, StageList, `resultType: got "\"input_required\"", want "complete"`, 0},

		{"changing", ErrRefused, StageList, "the tool list changed while its pages were read, 3 times in a row", 0},
		{"same-cursor", ErrRefused, StageList, `nextCursor "again" was given before`, 0},
		{"empty-cursor", ErrRefused, StageList, `nextCursor "" was given before`, 0},
		{"new-cursors", ErrRefused, StageList, "more than 1000 pages", 0},
		{"long-line", ErrRefused, StageList, `a message of more than 16 MiB: "{\"jsonrpc\"`, 0},
		{"deep", ErrRefused, StageList, "nested deeper than 1000 levels", 0},
		{"many-tools", ErrRefused, StageList, "more than 10000 tools", 0},
		{"many-bytes", ErrRefused, StageList, "more than 64 MiB in one session", 60 * time.Second},
		{"blank-lines", ErrRefused, StageInitialize, "more than 64 MiB in one session", 0},
		{"flood", ErrRefused, StageInitialize, "more than 10000 messages", 0},
	} {
		t.Run(tt.server, func(t *testing.T) {
			checkLeaks(t)
			l, err := List(t.Context(), hostileTarget(t, tt.server), Options{Timeout: tt.timeout, Notice: failOnNotice(t)})
			if l != nil || !errors.Is(err, tt.kind) {
				t.Fatalf("List = %+v, %v, want kind %v", l, err, tt.kind)
			}
			other := map[error]error{ErrUnavailable: ErrRefused, ErrRefused: ErrUnavailable}[tt.kind]
			if errors.Is(err, other) {
				t.Errorf("List: %v is also %v", err, other)
			}
			var e *Error
			if !errors.As(err, &e) || e.Stage != tt.stage {
				t.Errorf("List: %v, stage %q, want %q", err, e.Stage, tt.stage)
			}
			if msg := err.Error(); !strings.Contains(msg, tt.want) || len(msg) > 1000 || strings.ContainsAny(msg, "\x1b\n") {
				t.Errorf("List: got %q\nwant %q in it", msg, tt.want)
			}
		})
	}
}

func failOnNotice(t *testing.T) func(string) {
	return func(notice string) { t.Errorf("notice: %s", notice) }
}

func TestListKeepsStderr(t *testing.T) {
	_, err := List(t.Context(), hostileTarget(t, "die"), Options{})
	var e *Error
	if !errors.As(err, &e) || e.Stderr != "fatal: \x1b[31mno license\x1b[0m\n" || e.Ended != "exit status 3" {
		t.Errorf("List: %#v", err)
	}
}

func TestList(t *testing.T) {
	for _, tt := range []struct {
		server  string
		tools   []string
		version string
	}{
		{"good", hostile.Tools, "2025-11-25"},
		{"paged", hostile.Tools, "2025-11-25"},
		{"settling", hostile.Tools, "2025-11-25"},
		{"empty", nil, "2025-11-25"},
		{"no-tools", nil, "2025-11-25"},
		{"undeclared", hostile.Tools, "2025-11-25"},
		{"old", hostile.Tools, "2024-11-05"},
		{"stateless", hostile.Tools, "2026-07-28"},
		{"chatty", hostile.Tools, "2025-11-25"},
		{"windows", hostile.Tools, "2025-11-25"},
		{"batch", hostile.Tools, "2025-03-26"},
		{"stale-answer", hostile.Tools, "2025-11-25"},
		{"last-words", hostile.Tools, "2025-11-25"},
		{"locked-home", hostile.Tools, "2025-11-25"},
		{"burrow", hostile.Tools, "2025-11-25"},
		{"never-ends", hostile.Tools, "2025-11-25"},
		{"daemon", hostile.Tools, "2025-11-25"},
	} {
		t.Run(tt.server, func(t *testing.T) {
			checkLeaks(t)
			l, err := List(t.Context(), hostileTarget(t, tt.server), Options{Notice: failOnNotice(t)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.tools, texts(l.Tools)); diff != "" {
				t.Errorf("tools (-want +got):\n%s", diff)
			}
			if l.ProtocolVersion != tt.version {
				t.Errorf("protocol version: got %q, want %q", l.ProtocolVersion, tt.version)
			}
			want := "hostile 1.2.3"
			if tt.server == "stateless" {
				want = "stateless 2.0.0"
			}
			if got := l.Name + " " + l.Version; got != want {
				t.Errorf("server: got %q, want %q", got, want)
			}
			if l.ClaimedLevel != nil || l.ManifestURL != "" {
				t.Errorf("claim: got %v %q, want none", l.ClaimedLevel, l.ManifestURL)
			}
		})
	}
}

// What only fingerprint can judge comes through: it is strict JSON.
func TestListLeavesToolsToFingerprint(t *testing.T) {
	for _, server := range []string{"no-name", "same-name"} {
		if _, err := List(t.Context(), hostileTarget(t, server), Options{}); err != nil {
			t.Errorf("%s: %v", server, err)
		}
	}
}

func TestListClaims(t *testing.T) {
	l, err := List(t.Context(), hostileTarget(t, "claims"), Options{})
	if err != nil || l.ClaimedLevel == nil || *l.ClaimedLevel != 2 || l.ManifestURL != "https://example.com/m.json" {
		t.Errorf("List: claim %v %q, %v", l.ClaimedLevel, l.ManifestURL, err)
	}
	l, err = List(t.Context(), hostileTarget(t, "claims-wrong"), Options{})
	if err != nil || l.ClaimedLevel != nil || l.ManifestURL != "" {
		t.Errorf("List = %+v, %v", l, err)
	}
}

// A claim that is malformed was not made; it does not hinder the listing.
func TestClaim(t *testing.T) {
	for _, tt := range []struct {
		extensions string
		level, url string
	}{
		{``, "none", ""},
		{`null`, "none", ""},
		{`[]`, "none", ""},
		{`{}`, "none", ""},
		{`{"mcp-integrity/v1":null}`, "none", ""},
		{`{"mcp-integrity/v1":1}`, "none", ""},
		{`{"MCP-integrity/v1":{"seal_level":1}}`, "none", ""},
		{`{"mcp-integrity/v1":{"seal_level":null,"manifest_url":null}}`, "none", ""},
		{`{"mcp-integrity/v1":{"seal_level":-1}}`, "none", ""},
		{`{"mcp-integrity/v1":{"seal_level":4}}`, "none", ""},
		{`{"mcp-integrity/v1":{"seal_level":1.5,"manifest_url":"u"}}`, "none", "u"},
		{`{"mcp-integrity/v1":{"seal_level":0}}`, "0", ""},
		{`{"mcp-integrity/v1":{"seal_level":3,"manifest_url":7,"x":{}}}`, "3", ""},
	} {
		var l Listing
		l.claim([]byte(tt.extensions))
		level := "none"
		if l.ClaimedLevel != nil {
			level = itoa(*l.ClaimedLevel)
		}
		if level != tt.level || l.ManifestURL != tt.url {
			t.Errorf("%s: got %s %q, want %s %q", tt.extensions, level, l.ManifestURL, tt.level, tt.url)
		}
	}
}

func TestListBuildsEnvironment(t *testing.T) {
	checkLeaks(t)
	t.Setenv("GITHUB_TOKEN", "secret")
	t.Setenv("XDG_CONFIG_HOME", "/secret")
	target := hostileTarget(t, "environment")
	target.Env = []string{"LANG=de_DE.UTF-8", "API_KEY=dummy=1", "EMPTY="}
	l, err := List(t.Context(), target, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var tool struct{ Description string }
	decode(t, l.Tools[0], &tool)
	got := make(map[string]string)
	for entry := range strings.SplitSeq(tool.Description, "\n") {
		name, value, _ := strings.Cut(entry, "=")
		if _, twice := got[name]; twice {
			t.Errorf("%s stands twice", name)
		}
		got[name] = value
	}
	for _, name := range []string{"HOME", "TMPDIR"} {
		if dir := filepath.Dir(filepath.Dir(got[name])); dir != os.Getenv("TMPDIR") {
			t.Errorf("%s = %q, want it in a directory of its own", name, got[name])
		}
		delete(got, name)
	}
	want := map[string]string{"PATH": os.Getenv("PATH"), "LANG": "de_DE.UTF-8", "API_KEY": "dummy=1", "EMPTY": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestListDirectory(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ dir, want string }{{"", here}, {dir, dir}} {
		target := hostileTarget(t, "directory")
		target.Dir = tt.dir
		l, err := List(t.Context(), target, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var tool struct{ Description string }
		decode(t, l.Tools[0], &tool)
		if want := tt.want + " <nil> 0 <nil>"; tool.Description != want {
			t.Errorf("got %q, want %q", tool.Description, want)
		}
	}
}

// A path with a slash starts at Dir, where the server runs.
func TestListRelativeCommand(t *testing.T) {
	dir := t.TempDir()
	target := hostileTarget(t, "good")
	if err := os.Symlink(target.Command[0], filepath.Join(dir, "server")); err != nil {
		t.Fatal(err)
	}
	target.Dir, target.Command[0] = dir, "./server"
	if _, err := List(t.Context(), target, Options{}); err != nil {
		t.Error(err)
	}
}

func TestListCannotStart(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		target Target
		want   string
	}{
		{Target{Command: []string{"no-such-program-anywhere"}}, "executable file not found"},
		{Target{Command: []string{"./missing"}}, "no such file"},
		{Target{Command: []string{text}}, "exec format error"},
		{Target{Command: hostileTarget(t, "good").Command, Dir: filepath.Join(dir, "missing")}, "working directory"},
		{Target{Command: hostileTarget(t, "good").Command, Dir: text}, "not a directory"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			checkLeaks(t)
			_, err := List(t.Context(), tt.target, Options{})
			var e *Error
			if !errors.As(err, &e) || e.Stage != StageStart || e.Kind != ErrUnavailable || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("List: %v, want %q", err, tt.want)
			}
		})
	}
}

func TestListCanceled(t *testing.T) {
	checkLeaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	begin := time.Now()
	_, err := List(ctx, hostileTarget(t, "hang"), Options{})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("List: %v, want %v", err, context.Canceled)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

func ExampleList() {
	listing, err := List(context.Background(), Target{Command: []string{"no-such-server"}}, Options{})
	if errors.Is(err, ErrUnavailable) {
		fmt.Println("no answer to judge:", err)
		return
	}
	fmt.Println(len(listing.Tools), "tools")
	// Output: no answer to judge: start: exec: "no-such-server": executable file not found in $PATH
}
