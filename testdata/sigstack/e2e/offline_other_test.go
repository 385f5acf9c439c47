//go:build !linux

package e2e

import (
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// offline takes Linux's namespaces and filters.
func offline(ts *testscript.TestScript, _ []string) {
	ts.Fatalf("this system can take no network away from a command")
}

func socketless() { os.Exit(125) }
