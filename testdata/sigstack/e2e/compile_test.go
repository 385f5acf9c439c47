package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// sdk is the module with a tool server that others wrote, everything.
const (
	sdk        = "github.com/modelcontextprotocol/go-sdk"
	everything = sdk + "/examples/server/everything"
)

// mainModule is where go.mod says which version of it is built.
var mainModule = filepath.Join("..", "..", "..")

// compile builds the server, as that version or, by another go.mod, as a later
// one with the same code: what a next release is, to whoever reads the binary. It
// has the environment of this test, since a script's has no cache.
func compile(ts *testscript.TestScript, args []string) {
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: compile FILE [VERSION]")
	}
	build := []string{"build", "-o", ts.MkAbs(args[0])}
	if len(args) == 2 {
		build = append(build, "-modfile", released(ts, args[1]))
	}
	golang(ts, append(build, everything)...)
}

// released is a go.mod that has the server's code under a later version.
func released(ts *testscript.TestScript, version string) string {
	mod := filepath.Join(ts.MkAbs("."), "."+version+".mod")
	for from, to := range map[string]string{"go.mod": mod, "go.sum": mod[:len(mod)-len("mod")] + "sum"} {
		data, err := os.ReadFile(filepath.Join(mainModule, from))
		ts.Check(err)
		ts.Check(os.WriteFile(to, data, 0o644))
	}
	pinned := golang(ts, "list", "-m", "-f", "{{.Path}}@{{.Version}}", sdk)
	next := sdk + "@" + version
	golang(ts, "mod", "edit", "-require="+next, "-replace="+next+"="+pinned, mod)
	return mod
}

// golang runs a command of Go in the main module, and returns its line.
func golang(ts *testscript.TestScript, args ...string) string {
	c := exec.Command("go", args...)
	c.Dir = mainModule
	var said bytes.Buffer
	c.Stderr = &said
	line, err := c.Output()
	if err != nil {
		ts.Fatalf("go %s: %v: %s", args[0], err, said.String())
	}
	return strings.TrimSpace(string(line))
}
