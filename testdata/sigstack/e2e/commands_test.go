package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

var commands = map[string]func(*testscript.TestScript, bool, []string){
	"github":    positive(github),
	"gitlab":    positive(gitlab),
	"desk":      positive(desk),
	"exits":     positive(exits),
	"offline":   positive(offline),
	"fault":     positive(fault),
	"heal":      positive(heal),
	"fails":     positive(fails),
	"holds":     positive(holds),
	"caught":    positive(caught),
	"audit":     positive(audit),
	"logged":    logged,
	"stackdown": positive(stackdown),
	"another":   positive(another),
	"pack":      positive(pack),
	"compile":   positive(compile),
	"sum":       positive(sum),
	"json":      positive(jsonMember),
	"jsonis":    positive(jsonIs),
	"edit":      positive(edit),
	"payload":   positive(payload),
	"forge":     positive(forge),
	"readme":    positive(readme),
}

// positive is a command that has no negation.
func positive(run func(*testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this command has no negation")
		}
		run(ts, args)
	}
}

// ask asks the Sigstore's control endpoint.
func ask(ts *testscript.TestScript, method, path string, query url.Values) string {
	req, err := http.NewRequest(method, of(ts).stack.ControlURL+path+"?"+query.Encode(), nil)
	ts.Check(err)
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("%s %s: status %d: %s", method, path, resp.StatusCode, body)
	}
	return string(body)
}

// pairs reads KEY=VALUE arguments.
func pairs(ts *testscript.TestScript, args []string, defaults ...string) url.Values {
	q := url.Values{}
	for _, a := range append(slices.Clone(defaults), args...) {
		key, value, ok := strings.Cut(a, "=")
		if !ok {
			ts.Fatalf("got %q, want KEY=VALUE", a)
		}
		q.Set(key, value)
	}
	return q
}

// become gives the script the environment of a job, and takes that of the job
// before away.
func become(ts *testscript.TestScript, environment string) {
	desk(ts, nil)
	for line := range strings.Lines(environment) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		ts.Setenv(name, value)
		of(ts).job = append(of(ts).job, name)
	}
}

func desk(ts *testscript.TestScript, _ []string) {
	for _, name := range of(ts).job {
		ts.Setenv(name, "")
	}
	of(ts).job = nil
}

func github(ts *testscript.TestScript, args []string) {
	become(ts, ask(ts, http.MethodGet, "/github/env", pairs(ts, args, "repository=acme/file-tools", "ref=refs/tags/v1.2.4")))
}

func gitlab(ts *testscript.TestScript, args []string) {
	q := pairs(ts, args, "project_path=acme/file-tools", "ref=refs/tags/v1.2.4")
	without := q.Get("id_tokens") == "none"
	q.Del("id_tokens")
	become(ts, ask(ts, http.MethodGet, "/gitlab/env", q))
	if without {
		ts.Setenv("SIGSTORE_ID_TOKEN", "")
	}
}

// exits runs a command and wants this exit code: "exits 3 mcp-integrity …".
func exits(ts *testscript.TestScript, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := run(ts, args[1:]); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// run runs a command and returns its exit code, negative where a signal ended it.
func run(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(args[0], args[1:]...)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	ts.Fatalf("%v", err)
	return 0
}

func fault(ts *testscript.TestScript, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: fault SERVICE MODE KEY=VALUE…")
	}
	ask(ts, http.MethodPost, "/fault", pairs(ts, args[2:], "service="+args[0], "mode="+args[1]))
}

func heal(ts *testscript.TestScript, _ []string) { ask(ts, http.MethodPost, "/clean", nil) }

func audit(ts *testscript.TestScript, args []string) {
	counted := ask(ts, http.MethodGet, "/audit", nil)
	for _, want := range args {
		if !strings.Contains("\n"+counted, "\n"+want+"\n") {
			ts.Fatalf("want %s, got\n%s", want, counted)
		}
	}
}

func logged(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] logged SERVICE TEXT")
	}
	uploads := ask(ts, http.MethodGet, "/uploads", pairs(ts, []string{"service=" + args[0]}))
	if strings.Contains(uploads, args[1]) == neg {
		ts.Fatalf("%s was sent\n%s", args[0], uploads)
	}
}

func stackdown(ts *testscript.TestScript, _ []string) { ts.Check(of(ts).close()) }

// pack writes an npm package.
func pack(ts *testscript.TestScript, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: pack FILE NAME VERSION")
	}
	ts.Check(npmPackage(ts.MkAbs(args[0]), args[1], args[2]))
}

// npmPackage writes an npm package, the same bytes whenever it is made.
func npmPackage(path, name, version string) error {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	archive := tar.NewWriter(zip)
	body := fmt.Sprintf(`{"name":%q,"version":%q}`, name, version)
	err := archive.WriteHeader(&tar.Header{Name: "package/package.json", Mode: 0o644, Size: int64(len(body))})
	if err == nil {
		_, err = archive.Write([]byte(body))
	}
	if err := errors.Join(err, archive.Close(), zip.Close()); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func sum(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: sum VARIABLE FILE")
	}
	ts.Setenv(args[0], fmt.Sprintf("%x", sha256.Sum256([]byte(ts.ReadFile(args[1])))))
}

// readme runs a block of the README in the script's environment.
func readme(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: readme SECTION N")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	ts.Check(err)
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	blocks := blocksOf(string(text), args[0])
	if n < 1 || n > len(blocks) {
		ts.Fatalf("README.md: section %q has %d blocks of sh, want number %d", args[0], len(blocks), n)
	}
	ts.Logf("%s", blocks[n-1])
	ts.Check(ts.Exec("bash", "-euo", "pipefail", "-c", blocks[n-1]))
}

// blocksOf are the blocks of shell commands in a section, those in lists too.
func blocksOf(text, section string) []string {
	var blocks []string
	here, inside := false, false
	for line := range strings.Lines(text) {
		word := strings.TrimSpace(line)
		switch {
		case inside && word == "```":
			inside = false
		case inside:
			blocks[len(blocks)-1] += line
		case strings.HasPrefix(line, "## "):
			here = word == "## "+section
		case here && word == "```sh":
			inside, blocks = true, append(blocks, "")
		}
	}
	return blocks
}
