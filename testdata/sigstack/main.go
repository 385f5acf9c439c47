// Command sigstack runs a private Sigstore on loopback for as long as a command
// runs, and tells the command by its environment where everything is. README.md
// says what there is.
//
//	sigstack run [-bin DIR] [-dir DIR] [-- COMMAND ARG…]
//
// Without a command it stays up until interrupted, and prints what a shell
// needs to export.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/mcp-integrity/seal-action/testdata/sigstack/stack"
)

// Exit codes beside the command's own. They are those of env(1).
const (
	exitUsage  = 2
	exitFailed = 125 // the Sigstore itself
	exitCannot = 127 // the command could not be started
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second interrupt is the kernel's, if the command ignores the first
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are what the command line says.
type options struct {
	bin, dir string
	command  []string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	if len(args) == 0 || args[0] != "run" {
		fmt.Fprintln(stderr, "usage: sigstack run [-bin DIR] [-dir DIR] [-- COMMAND ARG…]")
		return o, flag.ErrHelp
	}
	flags := flag.NewFlagSet("sigstack run", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.bin, "bin", ownDir(), "directory of the programs that build.sh built")
	flags.StringVar(&o.dir, "dir", "", "keep keys, logs and files of trust in this directory (default: a temporary one)")
	err := flags.Parse(args[1:])
	o.command = flags.Args()
	return o, err
}

// ownDir is where build.sh puts sigstack beside the servers.
func ownDir() string {
	self, err := os.Executable()
	if err != nil {
		return "."
	}
	return filepath.Dir(self)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if err != nil {
		return exitUsage
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "sigstack"); err != nil {
			return fail(stderr, err)
		}
		defer os.RemoveAll(o.dir)
	}
	s, err := stack.Start(ctx, o.bin, o.dir)
	defer func() {
		if err := s.Close(); err != nil {
			fail(stderr, err)
		}
	}()
	if err != nil {
		return fail(stderr, err)
	}
	if len(o.command) > 0 {
		return runCommand(ctx, o.command, s.Variables(), stdout, stderr)
	}
	if err := s.Variables().Write(stdout, true); err != nil {
		return fail(stderr, err)
	}
	<-ctx.Done()
	return 0
}

func fail(stderr io.Writer, err error) int {
	fmt.Fprintln(stderr, "sigstack:", err)
	return exitFailed
}

// runCommand runs the command to its end. An interrupt is passed on to it, and
// it has the last word.
func runCommand(ctx context.Context, command []string, v stack.Variables, stdout, stderr io.Writer) int {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, stdout, stderr
	cmd.Env = os.Environ()
	for _, one := range v {
		cmd.Env = append(cmd.Env, one.Name+"="+one.Value)
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode()
	case errors.As(err, &exit):
		return 128 + signalOf(exit)
	}
	fmt.Fprintln(stderr, "sigstack:", err)
	return exitCannot
}

// signalOf is the number of the signal that ended a command, as shells add it.
func signalOf(exit *exec.ExitError) int {
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return int(status.Signal())
	}
	return 0
}
