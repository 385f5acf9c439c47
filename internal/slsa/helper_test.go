package slsa

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// TestMain makes a program of the test binary where it is started under the
// program's name. Since the environment is built, the directory's name says what
// kind of program.
func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); name == program || name == program+".exe" {
		fake(filepath.Base(filepath.Dir(os.Args[0])))
	}
	os.Exit(m.Run())
}

// fake answers as the program would, with one thing wrong.
func fake(fault string) {
	switch fault {
	case "hangs":
		time.Sleep(time.Hour)
	case "reads nothing":
		os.Exit(exitUndecided)
	case "refuses":
		fmt.Fprintln(os.Stderr, "mcp-integrity-slsa: request: kind: got \"x\"")
		os.Exit(2)
	}
	sent, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	var q struct {
		SchemaVersion string `json:"schema_version"`
		Request
	}
	if err := strictjson.Unmarshal(sent, &q); err != nil {
		panic(err)
	}
	a, exit := passing(q.Request, sent), exitVerdict
	switch fault {
	case "endless":
		signal.Ignore(syscall.SIGPIPE)
		for {
			if _, err := os.Stdout.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
				time.Sleep(time.Hour) // it holds on without a listener
			}
		}
	case "garbage":
		fmt.Print("<html>")
		os.Exit(exitVerdict)
	case "crashes":
		panic("nil pointer")
	case "half an answer":
		fmt.Print(`{"schema_version":"1","verdict":"pass"`)
		os.Exit(exitVerdict)
	case "environment":
		a.Verdict, a.Reason, a.Message, exit = "undecided", "panic", strings.Join(os.Environ(), "\n"), exitUndecided
		wd, _ := os.Getwd()
		a.Message += "\nwd=" + wd
	}
	out, err := strictjson.Marshal(a)
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.Write(out)
	os.Exit(exit)
}

// passing is the answer to r that passes.
func passing(r Request, sent []byte) answer {
	sum := sha256.Sum256(sent)
	a := answer{SchemaVersion: "1", Verdict: "pass", Kind: r.Kind, Digest: r.Digest, Request: "sha256:" + hex.EncodeToString(sum[:])}
	if d, err := read(r.Provenance); err == nil {
		a.Statement = d.Payload
	}
	if r.Kind != KindVSA {
		a.BuilderID = r.BuilderID + "@refs/tags/v1.10.0"
	}
	return a
}

const goBuilder = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/builder_go_slsa3.yml"

// question is one that a provenance without any signature answers.
func question() Request {
	digest := strings.Repeat("ab", 32)
	payload := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://slsa.dev/provenance/v0.2",`+
		`"subject":[{"name":"a","digest":{"sha256":%q}}],"predicate":{"builder":{"id":%q}}}`, digest, goBuilder+"@refs/tags/v1.10.0")
	provenance, err := strictjson.Marshal(map[string]any{
		"payloadType": "application/vnd.in-toto+json", "payload": []byte(payload), "signatures": []any{map[string]string{"sig": "AAAA"}},
	})
	if err != nil {
		panic(err)
	}
	return Request{
		Kind: KindArtifact, Digest: "sha256:" + digest, Provenance: provenance,
		SourceURI: "git+https://github.com/acme/tools", BuilderID: goBuilder,
	}
}

// helper makes a program of the test binary that has the fault.
func helper(t *testing.T, fault string) Helper {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), fault)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(own, filepath.Join(dir, program)); err != nil {
		t.Fatal(err)
	}
	return Helper{path: filepath.Join(dir, program)}
}

func TestHelperPasses(t *testing.T) {
	q := question()
	got, err := helper(t, "none").Check(t.Context(), q)
	if err != nil || got.BuilderID != goBuilder+"@refs/tags/v1.10.0" || !bytes.Contains(got.Statement, []byte("Statement/v0.1")) {
		t.Errorf("%+v, %v", got, err)
	}
}

// Whatever a program does that is not the program, the check was not made.
func TestHelperFaults(t *testing.T) {
	for _, tt := range []struct{ fault, reason, want string }{
		{"endless", ReasonBroken, "more than"},
		{"garbage", ReasonBroken, "strict JSON"},
		{"half an answer", ReasonBroken, "strict JSON"},
		{"crashes", ReasonBroken, "nil pointer"},
		{"refuses", ReasonBroken, `request: kind: got \"x\"`},
		{"reads nothing", ReasonBroken, "strict JSON"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			wantNotMade(t, helper(t, tt.fault), question(), tt.reason, tt.want)
		})
	}
}

func wantNotMade(t *testing.T, h Helper, q Request, reason, want string) {
	t.Helper()
	// Long enough for a slow machine, and less than the helper's own patience.
	ctx, cancel := context.WithTimeout(t.Context(), runTime/2)
	defer cancel()
	got, err := h.Check(ctx, q)
	if ctx.Err() != nil {
		t.Errorf("the program was not ended when its fault was seen")
	}
	var not *NotMadeError
	if !errors.As(err, &not) || not.Reason != reason || !strings.Contains(err.Error(), want) || got.Statement != nil {
		t.Errorf("%+v, %v, want a check not made: %s, %s", got, err, reason, want)
	}
	if !errors.Is(err, ErrNotMade) {
		t.Errorf("%v is not ErrNotMade", err)
	}
}

func TestHelperHangs(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := helper(t, "hangs").Check(ctx, question())
	var not *NotMadeError
	if !errors.As(err, &not) || not.Reason != ReasonTimeout || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want %s", err, ReasonTimeout)
	}
}

func TestHelperMissing(t *testing.T) {
	wantNotMade(t, Helper{}, question(), ReasonMissing, program)
	wantNotMade(t, Helper{path: filepath.Join(t.TempDir(), program)}, question(), ReasonBroken, program)
}

func TestHelperOffline(t *testing.T) {
	h := helper(t, "garbage")
	h.Offline = true
	wantNotMade(t, h, question(), ReasonOffline, "offline")
	summary := question()
	summary.Kind = KindVSA
	wantNotMade(t, h, summary, ReasonBroken, "strict JSON") // it was asked
}

func TestHelperLargeProvenance(t *testing.T) {
	q := question()
	q.Provenance = make([]byte, maxProvenance+1)
	wantNotMade(t, helper(t, "none"), q, ReasonBroken, "at most")
}

// The program gets what it needs to reach the network, and no secret.
func TestHelperEnvironment(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://proxy.example")
	t.Setenv("https_proxy", "http://proxy2.example")
	t.Setenv("SSL_CERT_FILE", "/etc/ca.pem")
	for _, secret := range []string{"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "SIGSTORE_ID_TOKEN", "SLSA_VERIFIER_TESTING", "TUF_ROOT", "GITHUB_TOKEN", "LD_PRELOAD_X"} {
		t.Setenv(secret, "hidden")
	}
	_, err := helper(t, "environment").Check(t.Context(), question())
	var not *NotMadeError
	if !errors.As(err, &not) {
		t.Fatal(err)
	}
	got := not.Err.Error()
	for _, want := range []string{"HTTPS_PROXY=http://proxy.example", "https_proxy=http://proxy2.example", "SSL_CERT_FILE=/etc/ca.pem"} {
		if !strings.Contains(got, want) {
			t.Errorf("environment lacks %s:\n%s", want, got)
		}
	}
	if strings.Contains(got, "hidden") || strings.Contains(got, "\nPATH=") {
		t.Errorf("environment has more than it should:\n%s", got)
	}
	home, wd := line(got, "HOME="), line(got, "wd=")
	if home == "" || filepath.Base(home) != filepath.Base(wd) {
		t.Errorf("works in %q, want its home %q", wd, home)
	}
	if _, err := os.Stat(home); !os.IsNotExist(err) {
		t.Errorf("%s is left behind: %v", home, err)
	}
}

func line(text, prefix string) string {
	for l := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(l), prefix); ok {
			return rest
		}
	}
	return ""
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	at := func(mode os.FileMode, parts ...string) string {
		path := filepath.Join(append([]string{dir}, parts...)...)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	beside := at(0o755, "app", program)
	own := at(0o755, "app", "mcp-integrity")
	alone := at(0o755, "alone", "mcp-integrity")
	inPath := at(0o755, "bin", program)
	at(0o644, "data", program)
	at(0o755, "cwd", program)
	at(0o755, "dir", program, "file")
	link := filepath.Join(dir, "link")
	if err := os.Symlink(own, link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(dir, "cwd"))
	// What a package's scripts put into PATH is a stranger's.
	t.Setenv("PATH", filepath.Dir(inPath))
	for _, tt := range []struct{ name, own, want string }{
		{"nowhere but in PATH", alone, ""},
		{"beside", own, beside},
		{"beside what a link leads to", link, beside},
		{"own executable by a relative path", "mcp-integrity", ""},
		{"own executable unknown", "", ""},
		{"no executable", filepath.Join(dir, "data", "mcp-integrity"), ""},
		{"a directory", filepath.Join(dir, "dir", "mcp-integrity"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := find(tt.own)
			if h.path != tt.want || (err == nil) != (tt.want != "") || (err != nil && !errors.Is(err, ErrNotMade)) {
				t.Errorf("found %q, %v, want %q", h.path, err, tt.want)
			}
		})
	}
}
