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

	serrors "github.com/slsa-framework/slsa-verifier/v2/errors"

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

// An answer counts only as an answer to the very question.
func TestReadRefuses(t *testing.T) {
	q := question()
	sent, err := q.marshal()
	if err != nil {
		t.Fatal(err)
	}
	other := question()
	other.Digest = "sha256:" + strings.Repeat("cd", 32)
	otherSent, err := other.marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(*answer)
		exit   int
		want   string
	}{
		{"another version", func(a *answer) { a.SchemaVersion = "2" }, 0, "schema_version"},
		{"no version", func(a *answer) { a.SchemaVersion = "" }, 0, "schema_version"},
		{"another digest", func(a *answer) { a.Digest = other.Digest }, 0, "another question"},
		{"another request", func(a *answer) { a.Request = passing(other, otherSent).Request }, 0, "another question"},
		{"another kind", func(a *answer) { a.Kind = KindVSA }, 0, "another question"},
		{"no verdict", func(a *answer) { a.Verdict = "" }, 0, "verdict"},
		{"another verdict", func(a *answer) { a.Verdict = "PASS" }, 0, "verdict"},
		{"pass with the exit code of undecided", func(*answer) {}, exitUndecided, "exit code"},
		{"undecided with the exit code of a verdict", func(a *answer) { a.Verdict, a.Reason = "undecided", "panic" }, 0, "exit code"},
		{"fail with the exit code of undecided", func(a *answer) { a.Verdict, a.Reason = "fail", "mismatch_hash" }, exitUndecided, "exit code"},
		{"fail without a reason", func(a *answer) { a.Verdict = "fail" }, 0, "reason"},
		{"no statement", func(a *answer) { a.Statement = nil }, 0, "not in the provenance"},
		{"another statement", func(a *answer) { a.Statement = append(bytes.Clone(a.Statement), ' ') }, 0, "not in the provenance"},
		{"no builder", func(a *answer) { a.BuilderID = "" }, 0, "builder"},
		{"another builder", func(a *answer) { a.BuilderID = bcrPublish }, 0, "builder"},
		{"a builder of two refs", func(a *answer) { a.BuilderID += "@x" }, 0, "builder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := passing(q, sent)
			tt.change(&a)
			data, err := strictjson.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			got, err := q.read(sent, data, tt.exit)
			var not *NotMadeError
			if !errors.As(err, &not) || not.Reason != ReasonBroken || !strings.Contains(err.Error(), tt.want) || got.Statement != nil {
				t.Errorf("%+v, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// A digest that the statement does not name cannot have been compared.
func TestReadWantsTheDigest(t *testing.T) {
	for _, digest := range []string{"sha256:" + strings.Repeat("cd", 32), "sha512:" + strings.Repeat("ab", 32), "sha256:", ""} {
		q := question()
		q.Digest = digest
		sent, err := q.marshal()
		if err != nil {
			t.Fatal(err)
		}
		data, err := strictjson.Marshal(passing(q, sent))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := q.read(sent, data, 0); err == nil || !strings.Contains(err.Error(), "does not name") {
			t.Errorf("%q: %+v, %v", digest, got, err)
		}
	}
}

// Where any builder of slsa-verifier's will do, one must still be named.
func TestReadWantsABuilder(t *testing.T) {
	q := question()
	q.BuilderID = ""
	sent, err := q.marshal()
	if err != nil {
		t.Fatal(err)
	}
	a := passing(q, sent)
	for builder, want := range map[string]bool{goBuilder + "@refs/tags/v1.10.0": true, "": false} {
		a.BuilderID = builder
		data, err := strictjson.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := q.read(sent, data, exitVerdict); (err == nil) != want {
			t.Errorf("builder %q: %+v, %v", builder, got, err)
		}
	}
}

func TestReadVerdicts(t *testing.T) {
	q := question()
	sent, err := q.marshal()
	if err != nil {
		t.Fatal(err)
	}
	a := passing(q, sent)
	a.Verdict, a.Reason, a.Message, a.Statement = "fail", "mismatch_hash", "artifact hash", nil
	data, _ := strictjson.Marshal(a)
	_, err = q.read(sent, data, exitVerdict)
	var no *Refusal
	if !errors.As(err, &no) || no.Reason != "mismatch_hash" || !errors.Is(err, serrors.ErrorMismatchHash) || errors.Is(err, ErrNotMade) {
		t.Errorf("%v, want a refusal", err)
	}
	a.Verdict, a.Reason = "undecided", "trusted_root_unavailable"
	data, _ = strictjson.Marshal(a)
	_, err = q.read(sent, data, exitUndecided)
	var not *NotMadeError
	if !errors.As(err, &not) || not.Reason != a.Reason || !errors.Is(err, ErrNotMade) || errors.As(err, &no) && no == nil {
		t.Errorf("%v, want a check not made", err)
	}
}

// FuzzRead: no answer of other bytes than those of the one that passes makes
// another builder or statement pass.
func FuzzRead(f *testing.F) {
	q := question()
	sent, err := q.marshal()
	if err != nil {
		f.Fatal(err)
	}
	want := passing(q, sent)
	good, err := strictjson.Marshal(want)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, 0)
	f.Add(bytes.Replace(good, []byte(`"pass"`), []byte(`"undecided","reason":"x"`), 1), exitUndecided)
	f.Add([]byte("{}"), 0)
	f.Fuzz(func(t *testing.T, data []byte, exit int) {
		got, err := q.read(sent, data, exit)
		if err != nil {
			return
		}
		if exit != exitVerdict || !bytes.Equal(got.Statement, want.Statement) || !strings.HasPrefix(got.BuilderID, goBuilder) {
			t.Fatalf("%s passes with exit code %d", data, exit)
		}
	})
}
