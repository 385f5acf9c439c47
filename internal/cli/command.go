// Package cli is the command line: one option table, the commands, the seal
// run and the verify run, and the printers.
//
// Standard output is data, standard error is talk. Exit codes are the same in
// every format:
//
//	0  it holds (pass, or a warning)
//	1  it does not hold
//	2  wrong use, found before any work
//	3  it could not be decided: something did not answer, died, or is a bug here
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"

	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/internal/keys"
)

// The exit codes.
const (
	ExitHolds     = 0
	ExitFails     = 1
	ExitUsage     = 2
	ExitUndecided = 3
)

// Command is one run of the program, with everything it takes from outside.
type Command struct {
	Stdout, Stderr io.Writer
	// Stdin is asked for consent, where it is a terminal.
	Stdin io.Reader
	// Getenv reads one environment variable; options are looked up in it.
	Getenv func(string) string
	// Now is the clock.
	Now func() time.Time
	// ConfigDir gives the user's configuration directory, where the local key is.
	ConfigDir func() (string, error)
	// User gives the name of the user, for the namespace of the local key.
	User func() (string, error)

	talking sync.Mutex // hashing and loading keys talk from several goroutines
}

// NewCommand returns a Command on the real clock and the real user.
func NewCommand(stdout, stderr io.Writer, getenv func(string) string) *Command {
	return &Command{
		Stdout: stdout, Stderr: stderr, Stdin: os.Stdin, Getenv: getenv, Now: time.Now, ConfigDir: os.UserConfigDir,
		User: func() (string, error) {
			u, err := user.Current()
			if err != nil {
				return "", err
			}
			return u.Username, nil
		},
	}
}

// exitError is an error with the exit code it means, and perhaps a hint: a
// command or a setting that cures it.
type exitError struct {
	code int
	err  error
	hint string
}

func (e *exitError) Error() string { return e.err.Error() }

func (e *exitError) Unwrap() error { return e.err }

func usagef(format string, args ...any) *exitError {
	return &exitError{code: ExitUsage, err: fmt.Errorf(format, args...)}
}

func failsf(format string, args ...any) *exitError {
	return exitf(ExitFails, fmt.Errorf(format, args...))
}

func undecidedf(format string, args ...any) *exitError {
	return exitf(ExitUndecided, fmt.Errorf(format, args...))
}

// exitf keeps the code and the hint of an exitError that err wraps: who was
// nearer to the fault knew better what it means.
func exitf(code int, err error) *exitError {
	e := &exitError{code: code, err: err}
	var inner *exitError
	if errors.As(err, &inner) {
		e.code, e.hint = inner.code, inner.hint
	}
	return e
}

func (e *exitError) withHint(format string, args ...any) *exitError {
	e.hint = fmt.Sprintf(format, args...)
	return e
}

// Main runs the command line args, without the program's name, and returns the
// exit code. A panic is a bug, and a bug never looks like a verdict.
func (c *Command) Main(ctx context.Context, args []string) (code int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(c.Stderr, "mcp-integrity: a bug in mcp-integrity, not a verdict: %v\n%s", p, debug.Stack())
			code = ExitUndecided
		}
	}()
	root := c.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitHolds
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		// Only cobra's own errors have no code, and they are about wrong use.
		exit = &exitError{code: ExitUsage, err: err, hint: c.helpFor(root, args)}
	}
	if exit.err != nil {
		c.talk("error: %s", ourLines(exit.err.Error()))
	}
	if exit.hint != "" {
		c.talk("hint: %s", exit.hint)
	}
	return exit.code
}

// ourLines escapes a message that may quote a stranger. Only its first line
// stands at the margin: what a stranger breaks into lines is no line of ours,
// and no workflow command of a CI runner.
func ourLines(msg string) string {
	return strings.ReplaceAll(tame(escape.Block(msg)), "\n", "\n  | ")
}

// tame breaks the older form of GitHub's workflow commands, which its runner
// finds anywhere in a line.
func tame(s string) string { return strings.ReplaceAll(s, "##[", "## [") }

// helpFor is the help that a wrong command line calls for.
func (c *Command) helpFor(root *cobra.Command, args []string) string {
	if len(args) == 0 {
		return "mcp-integrity --help"
	}
	if found, _, err := root.Find(args); err == nil && found != root {
		return found.CommandPath() + " --help"
	}
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		return "did you mean mcp-integrity " + near[0] + "?"
	}
	return "mcp-integrity --help"
}

// talk writes one line to standard error. Its arguments are printed as they
// are: what a stranger wrote goes through package escape before.
func (c *Command) talk(format string, args ...any) {
	c.talking.Lock()
	defer c.talking.Unlock()
	fmt.Fprintf(c.Stderr, "mcp-integrity: "+format+"\n", args...)
}

// warn is talk about something that may be wrong, with every argument escaped.
func (c *Command) warn(format string, args ...any) {
	c.talk("warning: %s", ourLines(fmt.Sprintf(format, args...)))
}

// note is talk about something that a reader may want to know, escaped.
func (c *Command) note(format string, args ...any) {
	c.talk("%s", ourLines(fmt.Sprintf(format, args...)))
}

// version is set by the release build.
var version = ""

func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func (c *Command) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "mcp-integrity",
		Short:         "Seal and verify the releases of MCP tool servers",
		Long:          "mcp-integrity binds what an MCP tool server tells a model, and the code behind it, to whoever published it\n(the MCP Integrity Standard, MIS v1.0.0).",
		Version:       programVersion(),
		SilenceErrors: true,
		// How far off a word may be and still be guessed at.
		SuggestionsMinimumDistance: 2,
		SilenceUsage:               true,
		Args:                       cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.SetOut(c.Stdout)
	root.SetErr(c.Stderr)
	for _, k := range commands {
		root.AddCommand(c.subcommand(k))
	}
	return root
}

// invocation is one command line, resolved: what the commands run on.
type invocation struct {
	*Command
	values
	// args stand before "--", server behind it.
	args   []string
	server []string
	said   map[string]bool
	// warnings are what warn has said, for reports.
	warnings []string
	// shared is what several command lines of one run have in common; nil for most.
	shared *shared
	// elsewhere says that the servers have nothing to do with this directory.
	elsewhere bool
	// revocations are the revoked keys in the key documents that were read.
	revocations []string
	// dropped are the key documents that lack a revocation which they had.
	dropped []*keys.Regression
}

// warn is Command.warn, kept for reports.
func (i *invocation) warn(format string, args ...any) {
	i.talking.Lock()
	i.warnings = append(i.warnings, fmt.Sprintf(format, args...))
	i.talking.Unlock()
	i.Command.warn(format, args...)
}

// noteOnce is note for what would be said at every start of the server.
func (i *invocation) noteOnce(msg string) {
	if i.said == nil {
		i.said = map[string]bool{}
	}
	if !i.said[msg] {
		i.said[msg] = true
		i.note("%s", msg)
	}
}

func (c *Command) subcommand(k command) *cobra.Command {
	cmd := &cobra.Command{
		Use:                   k.use,
		Short:                 k.short,
		Long:                  k.long,
		Example:               k.example,
		DisableFlagsInUseLine: true,
	}
	name := cmd.Name()
	flags := addFlags(cmd.Flags(), name)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		inv := &invocation{Command: c, args: args}
		if at := cmd.ArgsLenAtDash(); at >= 0 {
			inv.args, inv.server = args[:at], args[at:]
			if len(inv.server) == 0 {
				return usagef("nothing stands behind --: want the server's command")
			}
		}
		if len(inv.args) < k.minArgs || len(inv.args) > k.maxArgs {
			return usagef("%s: %s", name, wrongCount(len(inv.args), k.minArgs, k.maxArgs)).withHint("%s", countHint(name, inv))
		}
		var err error
		var passedOver []string
		if inv.values, passedOver, err = resolve(name, flags, c.Getenv); err != nil {
			return err
		}
		for _, variable := range passedOver {
			c.warn("%s is set and passed over: what decides trust is taken from a flag or a declared input only", variable)
		}
		return k.run(cmd.Context(), inv)
	}
	return cmd
}

// countHint guesses what somebody meant who gave too many arguments: most often
// the server's command, without the -- before it.
func countHint(name string, inv *invocation) string {
	if len(inv.args) > 1 && slices.Contains(runsServer, name) && inv.server == nil {
		return fmt.Sprintf("mcp-integrity %s -- %s", name, shellquote.Join(inv.args...))
	}
	return fmt.Sprintf("mcp-integrity %s --help", name)
}

func wrongCount(got, least, most int) string {
	want := fmt.Sprintf("%d to %d", least, most)
	if least == most {
		want = fmt.Sprint(least)
	}
	return fmt.Sprintf("%d arguments, want %s", got, want)
}
