package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func runWith(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestWrongUse(t *testing.T) {
	for _, args := range [][]string{nil, {"up"}, {"run", "-nonsense"}, {"-bin", "x", "run"}} {
		if code, _, stderr := runWith(args...); code != exitUsage || !strings.Contains(stderr, "-bin") {
			t.Errorf("%q: code %d, %q, want %d and the usage", args, code, stderr, exitUsage)
		}
	}
}

// TestNoServers: it says how to get them.
func TestNoServers(t *testing.T) {
	code, _, stderr := runWith("run", "-bin", t.TempDir(), "--", "true")
	if code != exitFailed || !strings.Contains(stderr, "build.sh") {
		t.Errorf("code %d, %q, want %d and build.sh", code, stderr, exitFailed)
	}
}

// TestDeadServer: a server that ends at its start is an error with its own last
// words, at once.
func TestDeadServer(t *testing.T) {
	bin := t.TempDir()
	for _, name := range []string{"fulcio", "rekor-server-posix", "tsa"} {
		script := "#!/bin/sh\necho 'my last words' >&2\nexit 3\n"
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	code, _, stderr := runWith("run", "-bin", bin, "--", "true")
	if code != exitFailed || !strings.Contains(stderr, "my last words") || !strings.Contains(stderr, "exit status 3") {
		t.Errorf("code %d, %q, want %d and the last words", code, stderr, exitFailed)
	}
}

func binDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SIGSTACK_BIN")
	if dir == "" {
		t.Fatal("SIGSTACK_BIN is not set: build.sh DIR builds the servers, SIGSTACK_BIN=DIR names them")
	}
	return dir
}

func TestRunCommand(t *testing.T) {
	bin := binDir(t)
	tests := []struct {
		name   string
		args   []string
		code   int
		stdout string
	}{
		{"its code", []string{"sh", "-c", "exit 7"}, 7, ""},
		{"its signal", []string{"sh", "-c", "kill -9 $$"}, 128 + 9, ""},
		{"none", []string{"./no-such-command"}, exitCannot, ""},
		{"its environment", []string{"sh", "-c", `test -s "$SIGSTACK_TRUSTED_ROOT" && test -s "$SIGSTACK_SIGNING_CONFIG" && test -s "$SIGSTACK_TUF_ROOT" && test -s "$SIGSTACK_CA" && echo "$SIGSTACK_DIR"`}, 0, "\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := runWith(append([]string{"run", "-bin", bin, "--"}, test.args...)...)
			if code != test.code || !strings.HasSuffix(stdout, test.stdout) {
				t.Fatalf("code %d, stdout %q, stderr %q, want %d", code, stdout, stderr, test.code)
			}
			if dir := strings.TrimSpace(stdout); dir != "" {
				if _, err := os.Stat(dir); !os.IsNotExist(err) {
					t.Errorf("%s is still there (%v)", dir, err)
				}
			}
		})
	}
}

// TestStaysUp: without a command it prints what a shell needs, until it is told to end.
func TestStaysUp(t *testing.T) {
	bin := binDir(t)
	ctx, cancel := context.WithCancel(context.Background())
	out := &firstWrites{cancel: cancel}
	var stderr bytes.Buffer
	if code := run(ctx, []string{"run", "-bin", bin}, out, &stderr); code != 0 {
		t.Errorf("code %d, %q", code, stderr.String())
	}
	if !strings.Contains(out.String(), "export SIGSTACK_URL='http://127.0.0.1:") {
		t.Errorf("stdout %q", out.String())
	}
}

// firstWrites keeps what is written, and cancels once the last variable was.
type firstWrites struct {
	bytes.Buffer
	cancel context.CancelFunc
}

func (w *firstWrites) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("SIGSTACK_TSA")) {
		w.cancel()
	}
	return w.Buffer.Write(b)
}
