// Command mcp-integrity seals and verifies the releases of MCP tool servers.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/mcp-integrity/seal-action/internal/cli"
	"github.com/mcp-integrity/seal-action/internal/server"
)

func main() {
	// First of all: this process may be the supervisor of a tool server.
	server.MaybeSupervise()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	command := cli.NewCommand(os.Stdout, os.Stderr, os.Getenv)
	code := command.Main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
