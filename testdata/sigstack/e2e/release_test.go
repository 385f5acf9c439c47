package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// release is the README's release job, and consumer whoever verifies what it
// made.
var (
	release  = strings.Fields("mcp-integrity seal --artifact acme-tools-1.2.4.tgz -- node dist/index.js")
	consumer = strings.Fields("mcp-integrity verify mcp-integrity.json --namespace io.github.acme --repo acme/file-tools" +
		" --artifact acme-tools-1.2.4.tgz --policy block_below_level_1 -- node dist/index.js")
)

// token is how every JSON Web Token of the stack begins, and mask the one line
// that may hold one: the runner takes it out of the job's log.
const (
	token = "eyJhbGci"
	mask  = "::add-mask::"
)

// fails runs the release job, and wants that it fails with a code, with words
// that match every pattern, and without a trace.
func fails(ts *testscript.TestScript, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: fails CODE PATTERN…")
	}
	exits(ts, append(args[:1:1], release...))
	said := ts.ReadFile("stderr")
	for _, pattern := range args[1:] {
		if !regexp.MustCompile(pattern).MatchString(said) {
			ts.Fatalf("no word of %#q", pattern)
		}
	}
	for line := range strings.Lines(said) {
		if strings.Contains(line, token) && !strings.HasPrefix(line, mask) {
			ts.Fatalf("a token is printed: %s", line)
		}
	}
	if left := written(ts); len(left) > 0 {
		ts.Fatalf("it left %q", left)
	}
}

// holds runs the release job and its consumer, and takes away what they had.
func holds(ts *testscript.TestScript, args []string) {
	if len(args) > 0 {
		ts.Fatalf("usage: holds")
	}
	ts.Check(ts.Exec(release[0], release[1:]...))
	ts.Check(ts.Exec(consumer[0], consumer[1:]...))
	for _, path := range written(ts) {
		ts.Check(os.RemoveAll(path))
	}
}

// written are the files that seal writes, whole or in part, and what it forgot
// in the directory for temporary ones.
func written(ts *testscript.TestScript) []string {
	var all []string
	for _, pattern := range []string{"mcp-integrity*.json", ".mcp-integrity*", ".tmp/*"} {
		found, err := filepath.Glob(ts.MkAbs(pattern))
		ts.Check(err)
		all = append(all, found...)
	}
	return all
}
