package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mcp-integrity/seal-action/internal/cli"
	"github.com/mcp-integrity/seal-action/internal/server"
	"github.com/mcp-integrity/seal-action/testdata/servers/hostile"
)

// TestMain makes this binary the programs that the scripts run: mcp-integrity,
// a server of package hostile, and a server that serves a file.
func TestMain(m *testing.M) {
	server.MaybeSupervise()
	testscript.Main(m, map[string]func(){
		"mcp-integrity": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			os.Exit(cli.NewCommand(os.Stdout, os.Stderr, os.Getenv).Main(ctx, os.Args[1:]))
		},
		"hostile": func() { os.Exit(hostile.Run(os.Args[1], os.Stdin, os.Stdout, os.Stderr)) },
		"serve":   serve,
		"node":    serve, // an interpreter, as far as anybody can see
	})
}

// serve is a tool server for scripts: "serve FILE" answers tools/list with the
// JSON array in FILE, and calls itself acme 1.2.4. "serve FILE DROPPED" writes
// a file DROPPED beside.
func serve() {
	tools, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if len(os.Args) > 2 {
		if err := os.WriteFile(os.Args[2], []byte("x"), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	results := map[string]string{
		"initialize": `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"acme","version":"1.2.4"}}`,
		"tools/list": `{"tools":` + strings.ReplaceAll(string(tools), "\n", " ") + `}`,
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

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("..", "..", "testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", home)
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(home, ".config"))
			recorded, err := filepath.Abs(keylessDir)
			if err != nil {
				return err
			}
			e.Setenv("KEYLESS", recorded)
			// The key pair of RFC 8037, appendix A, to be passed in a variable.
			e.Setenv("SECRET", rfc8037Private)
			e.Setenv("JWK", `{"kty":"OKP","crv":"Ed25519","kid":"inline","d":"`+rfc8037Private+`","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`)
			return os.Mkdir(home, 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"replace": replace,
		},
	})
}

const rfc8037Private = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"

// exits runs a command and wants this exit code: "exits 3 mcp-integrity …".
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// replace changes the first OLD in FILE to NEW: "replace FILE OLD NEW".
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	data := ts.ReadFile(args[0])
	if !strings.Contains(data, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(data, args[1], args[2], 1)), 0o644))
}
