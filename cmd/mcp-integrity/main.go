// Command mcp-integrity seals and verifies the releases of MCP tool servers.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/mcp-integrity/seal-action/internal/cli"
	"github.com/mcp-integrity/seal-action/internal/platform"
	"github.com/mcp-integrity/seal-action/internal/server"
)

func main() {
	// First of all: this process may be the supervisor of a tool server.
	server.MaybeSupervise()
	// A tool server shall not read the credentials in our environment.
	server.Shield()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks; the next one ends us even where nobody listens, as
	// in a read that never returns.
	context.AfterFunc(ctx, stop)
	// What signs as this job is known to us, and to no program that we start.
	getenv, err := platform.Withhold(os.Getenv, os.Unsetenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mcp-integrity: error:", err)
		os.Exit(cli.ExitUndecided)
	}
	code := cli.NewCommand(os.Stdout, os.Stderr, getenv).Main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
