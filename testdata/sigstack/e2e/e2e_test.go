package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mcp-integrity/seal-action/testdata/sigstack/stack"
)

// atOnce is how many scripts run side by side. They mostly wait: for the log's
// next checkpoint, for a fault to pass.
const atOnce = "6"

// TestMain makes this binary the programs that the scripts run beside
// mcp-integrity: a tool server, by two names, and what takes sockets away.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){
		"serve":      serve,
		"node":       serve, // an interpreter, as far as anybody can see
		"snoop":      snoop,
		"socketless": socketless,
	})
}

// serve is a tool server: "serve FILE" lists the tools of the JSON array in FILE.
func serve() {
	tools, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	list(strings.ReplaceAll(string(tools), "\n", " "))
}

// snoop is a tool server whose one tool tells which variables it has.
func snoop() {
	var names []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	tools, err := json.Marshal([]any{map[string]any{
		"name": "snoop", "description": strings.Join(names, " "), "inputSchema": map[string]any{"type": "object"},
	}})
	if err != nil {
		panic(err)
	}
	list(string(tools))
}

// list answers as a tool server with these tools that calls itself acme 1.2.4.
func list(tools string) {
	results := map[string]string{
		"initialize": `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"acme","version":"1.2.4"}}`,
		"tools/list": `{"tools":` + tools + `}`,
	}
	in := json.NewDecoder(os.Stdin)
	for {
		var call struct {
			ID     json.RawMessage
			Method string
		}
		if in.Decode(&call) != nil {
			return
		}
		if result, ok := results[call.Method]; ok {
			fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", call.ID, result)
		}
	}
}

// need is a variable without which nothing here can say anything, so that its
// lack is a failure.
func need(t *testing.T, name, what string) string {
	t.Helper()
	path, err := filepath.Abs(os.Getenv(name))
	if os.Getenv(name) == "" || err != nil {
		t.Fatalf("%s is not set: want %s", name, what)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return path
}

func TestScripts(t *testing.T) {
	bin := need(t, "SIGSTACK_BIN", "the directory where build.sh built the servers")
	program := need(t, "MCP_INTEGRITY", "the program under test, built from cmd/mcp-integrity")
	testscript.Run(t, testscript.Params{
		Dir:                 "script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(e *testscript.Env) error { return setup(e, bin, program) },
		Cmds:                commands,
	})
}

// world is what a script has: its Sigstore, and the job that it runs as.
type world struct {
	stack *stack.Stack // the one that the script is on
	all   []*stack.Stack
	once  sync.Once
	bin   string
	job   []string // the names of the job's variables
}

type worldKey struct{}

// of is a script's world.
func of(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// close stops every Sigstore. Its error is that of the first time.
func (w *world) close() (err error) {
	w.once.Do(func() {
		for _, s := range w.all {
			err = errors.Join(err, s.Close())
		}
	})
	return err
}

// start runs a Sigstore in dir, and puts the script on it.
func (w *world) start(dir string, setenv func(name, value string)) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	s, err := stack.Start(context.Background(), w.bin, dir)
	w.stack, w.all = s, append(w.all, s)
	if err != nil {
		return err
	}
	values := map[string]string{}
	for _, v := range s.Variables() {
		values[v.Name] = v.Value
		setenv(v.Name, v.Value)
	}
	setenv("HTTPS_PROXY", values["SIGSTACK_PROXY"])
	setenv("SSL_CERT_FILE", values["SIGSTACK_CA"])
	setenv("INPUT_SIGNING-CONFIG", values["SIGSTACK_SIGNING_CONFIG"])
	setenv("INPUT_TRUSTED-ROOT", values["SIGSTACK_TRUSTED_ROOT"])
	return nil
}

// another runs a second Sigstore, which has the first one's issuers by name and
// no key of it, as anybody can: and from here on the script is on it.
func another(ts *testscript.TestScript, _ []string) {
	ts.Setenv("FIRST_TRUSTED_ROOT", ts.Getenv("SIGSTACK_TRUSTED_ROOT"))
	ts.Check(of(ts).start(ts.MkAbs(".another"), ts.Setenv))
}

// setup starts a script's Sigstore, and has the program under test on PATH, with
// nothing but the issuers in reach beyond this machine.
func setup(e *testscript.Env, bin, program string) error {
	own, home := filepath.Join(e.WorkDir, ".bin"), filepath.Join(e.WorkDir, ".home")
	for _, d := range []string{own, home} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	if err := os.Symlink(program, filepath.Join(own, "mcp-integrity")); err != nil {
		return err
	}
	if err := os.CopyFS(e.WorkDir, os.DirFS("release")); err != nil {
		return err
	}
	if err := npmPackage(filepath.Join(e.WorkDir, "acme-tools-1.2.4.tgz"), "@acme/file-tools", "1.2.4"); err != nil {
		return err
	}
	w := &world{bin: bin}
	e.Values[worldKey{}] = w
	e.Defer(func() {
		if err := w.close(); err != nil {
			e.T().Log("the Sigstore did not stop well: ", err)
		}
	})
	e.Setenv("PATH", own+string(filepath.ListSeparator)+e.Getenv("PATH"))
	e.Setenv("HOME", home)
	e.Setenv("MCP_INTEGRITY_PATIENCE", "1m")
	return w.start(filepath.Join(e.WorkDir, ".sigstore"), e.Setenv)
}
