package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// The exit codes.
const (
	exitVerdict   = 0
	exitUsage     = 2
	exitUndecided = 3
)

// Times after which the run ends. The library follows no context while it
// reads TUF, and Rekor's client retries three times.
const (
	// checkTime is for the check: a slow line needs ten seconds for TUF's dozen
	// small files and Rekor's answer.
	checkTime = 60 * time.Second
	// wholeTime is for the run, also when standard input or output stands still.
	wholeTime = 90 * time.Second
)

func main() {
	time.AfterFunc(wholeTime, func() {
		fmt.Fprintf(os.Stderr, "mcp-integrity-slsa: no end after %s\n", wholeTime)
		os.Exit(exitUndecided)
	})
	out := prepare()
	ctx, cancel := context.WithTimeout(context.Background(), checkTime)
	code := run(ctx, os.Args[1:], os.Stdin, out, os.Stderr, verify)
	cancel()
	os.Exit(code)
}

// prepare makes the process fit for the library, and returns standard output:
// the answer has it alone, and what the library prints as it goes is talk.
func prepare() *os.File {
	forgetSwitches(os.Environ(), os.Unsetenv)
	out := os.Stdout
	os.Stdout = os.Stderr
	return out
}

// forgetSwitches removes the variables by which the libraries would trust
// branches as releases, other keys, or another TUF repository.
func forgetSwitches(environ []string, unset func(string) error) {
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		for _, prefix := range []string{"SLSA_VERIFIER_", "SIGSTORE_", "TUF_", "COSIGN_", "REKOR_"} {
			if strings.HasPrefix(strings.ToUpper(name), prefix) {
				_ = unset(name) // fails for names with = or NUL alone, which these are not
			}
		}
	}
}

// run reads a request from in, has it checked, and writes the answer to out.
func run(ctx context.Context, args []string, in io.Reader, out, talk io.Writer, check checker) int {
	usage := func(err error) int {
		fmt.Fprintf(talk, "mcp-integrity-slsa: %v\n", err)
		return exitUsage
	}
	if len(args) > 0 {
		return usage(fmt.Errorf("argument %.100q: want none; the request comes on standard input", args[0]))
	}
	data, err := io.ReadAll(io.LimitReader(in, maxRequest+1))
	if err != nil {
		return usage(fmt.Errorf("read the request: %w", err))
	}
	req, err := parseRequest(data)
	if err != nil {
		return usage(fmt.Errorf("request: %w", err))
	}
	a := decide(ctx, req, check)
	sum := sha256.Sum256(data)
	a.SchemaVersion, a.Kind, a.Digest = schemaVersion, req.Kind, req.Digest
	a.Request = "sha256:" + hex.EncodeToString(sum[:])
	if err := json.MarshalWrite(out, a); err != nil {
		fmt.Fprintf(talk, "mcp-integrity-slsa: write the answer: %v\n", err)
		return exitUndecided
	}
	if a.Verdict == verdictUndecided {
		return exitUndecided
	}
	return exitVerdict
}
