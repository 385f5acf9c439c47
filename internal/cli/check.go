package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/mcp-integrity/seal-action/internal/clients"
	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// maxAtOnce is how many servers run side by side: each is somebody's program,
// with a runtime of its own.
const maxAtOnce = 4

// maxServerName bounds a server's name where it is listed, in bytes.
const maxServerName = 100

// checkRun is one run of check.
type checkRun struct {
	*invocation
	trusted  *trusted
	sigstore *sigstore
	servers  []*checked
	problems []clients.Problem
}

// checked is one server of a client, and what came of it.
type checked struct {
	clients.Server
	result *verify.Result // nil where it was not checked
	err    error          // why not, where it should have been
	notes  bytes.Buffer   // what was said while it was checked
}

// runCheck finds the servers of this person's clients, lists them, and with
// consent starts and verifies each.
func runCheck(ctx context.Context, inv *invocation) error {
	r := &checkRun{invocation: inv}
	if err := r.find(); err != nil {
		return err
	}
	var err error
	if r.sigstore, err = sigstoreOf(inv); err != nil {
		return err
	}
	if r.trusted, err = inv.trusted(ctx); err != nil {
		return err
	}
	r.announce()
	if err := r.consent(); err != nil {
		return err
	}
	r.checkAll(ctx)
	var results []*verify.Result
	for _, s := range r.servers {
		if s.result != nil {
			results = append(results, s.result)
		}
	}
	if err := r.log(results...); err != nil {
		return err
	}
	return r.report()
}

func (r *checkRun) find() error {
	home, err := os.UserHomeDir()
	if err != nil {
		return undecidedf("%w", err)
	}
	project := cmp.Or(r.str("project"), ".")
	if project, err = filepath.Abs(project); err != nil {
		return undecidedf("%w", err)
	}
	if !isDirectory(project) {
		return usagef("--project %q: there is no such directory", project)
	}
	found, problems := clients.Find(clients.Options{Home: home, Getenv: r.Getenv, GOOS: runtime.GOOS, Project: project})
	only := r.list("client")
	for _, name := range only {
		if !slices.Contains(clients.Names(), name) {
			return usagef("--client: got %.60q, want one of %s", name, strings.Join(clients.Names(), ", "))
		}
	}
	for _, s := range found {
		if len(only) == 0 || slices.Contains(only, s.Client) {
			r.servers = append(r.servers, &checked{Server: s})
		}
	}
	r.problems = problems
	return nil
}

// announce lists what would be started, before anything is.
func (r *checkRun) announce() {
	for _, p := range r.problems {
		r.warn("%s: %s", p.Client, p)
	}
	for _, s := range r.servers {
		r.note("%s, %s (%s): %s", s.Client, escape.TerminalLimit(s.Name, maxServerName), s.Origin(), r.start(s))
	}
}

// start says what starting a server means.
func (r *checkRun) start(s *checked) string {
	switch {
	case s.Problem != "":
		return "not checked: " + s.Problem
	case s.Disabled:
		return "switched off, not checked"
	case s.URL != "":
		return "reaches " + s.Display()
	}
	text := "starts " + s.Display()
	if l, ok := s.Launcher(); ok && !l.Pinned {
		text += fmt.Sprintf(" (%s fetches %s anew, whatever it is then: no version is pinned)", l.Tool, orDash(l.Package))
	}
	return text
}

// wanted are the servers that can be checked.
func (r *checkRun) wanted() []*checked {
	return slices.DeleteFunc(slices.Clone(r.servers), func(s *checked) bool { return s.Disabled || s.Problem != "" })
}

// consent asks before other people's programs are started, in their own words: a
// client would start them just so, and this run does it for the sake of looking.
func (r *checkRun) consent() error {
	n := len(r.wanted())
	if n == 0 || r.is("yes") {
		return nil
	}
	refused := func(why string) error {
		return undecidedf("%s: nothing was started, and nothing checked", why).withHint("--yes says that these %d servers may be started", n)
	}
	if !isTerminal(r.Stdin) {
		return refused("there is nobody to ask")
	}
	fmt.Fprintf(r.Stderr, "mcp-integrity: start these %d servers, as your clients do? [y/N] ", n)
	answer, err := bufio.NewReader(r.Stdin).ReadString('\n')
	if err != nil && answer == "" {
		return refused("no answer")
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return refused("not wanted")
	}
	return nil
}

func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// checkAll checks every server, some side by side. One that several clients start
// in the same way is started once.
func (r *checkRun) checkAll(ctx context.Context) {
	groups := map[string][]*checked{}
	var order []string
	for _, s := range r.wanted() {
		key := s.Key()
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], s)
	}
	var wait sync.WaitGroup
	slots := make(chan struct{}, maxAtOnce)
	for _, key := range order {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			var surface *once
			for _, s := range groups[key] {
				surface = r.checkOne(ctx, s, surface)
			}
		})
	}
	wait.Wait()
}

// checkOne verifies one server, or holds it against its first use. It returns the
// surface that it looked at, for the other clients that start it so.
func (r *checkRun) checkOne(ctx context.Context, s *checked, surface *once) *once {
	defer func() {
		if p := recover(); p != nil { // a bug with one server says nothing of the others
			s.err = undecidedf("a bug in mcp-integrity, not a verdict: %v", p)
		}
	}()
	one, err := r.only(s)
	if err != nil {
		s.err = err
		return surface
	}
	v, err := one.verifier(ctx)
	if err != nil {
		s.err = err
		return surface
	}
	if surface != nil {
		v.surface, v.Server = surface, surface
	}
	v.Found = r.found()
	if s.err = one.acquaint(v, verify.FirstUseKey{Host: s.Client, Server: s.KnownAs(), Start: s.Identity()}); s.err == nil {
		s.result, s.err = one.verdict(ctx, v)
	}
	return v.surface
}

// only is a command line that verifies one server, by the trust of this run.
func (r *checkRun) only(s *checked) (*invocation, error) {
	flags := addFlags(pflag.NewFlagSet("", pflag.ContinueOnError), "verify")
	vals, _, err := resolve("verify", flags, func(string) string { return "" })
	if err != nil {
		return nil, err
	}
	maps.Copy(vals, r.values)
	set := func(name string, items ...string) { vals[name] = value{items, fromFlag} }
	quiet := NewCommand(r.Stdout, &s.notes, r.Getenv)
	quiet.Now, quiet.ConfigDir, quiet.User = r.Now, r.ConfigDir, r.User
	one := &invocation{Command: quiet, values: vals, shared: &shared{r.trusted, r.sigstore}, elsewhere: true}
	switch {
	case s.URL != "":
		set("server-url", s.URL)
		for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
			vals["header"] = value{append(vals["header"].items, name+"="+s.Headers[name]), fromFlag}
		}
	default:
		one.server = append([]string{s.Command}, s.Args...)
		if s.Dir != "" {
			set("cwd", s.Dir)
		}
		for _, name := range slices.Sorted(maps.Keys(s.Env)) {
			vals["env"] = value{append(vals["env"].items, name+"="+s.Env[name]), fromFlag}
		}
	}
	return one, nil
}

// verdict is runVerify for a server that a host knows, without its printing.
func (i *invocation) verdict(ctx context.Context, v *verifier) (*verify.Result, error) {
	if blocked := v.Blocked(ctx); blocked != nil {
		return blocked, nil
	}
	envelope, err := i.fetchManifest(ctx, v)
	switch {
	case errors.Is(err, errNoManifest):
		return i.unsealed(ctx, v, seal.CodeManifestNotFound, err)
	case errors.Is(err, verify.ErrUnavailable):
		return i.unsealed(ctx, v, seal.CodeManifestFetchFailed, err) // compared, and no first use: there may be one
	case err != nil:
		return nil, err
	}
	if err := v.prepare(ctx, envelope); err != nil {
		return nil, err
	}
	result := v.Verify(ctx, envelope)
	i.met(ctx, v, result)
	return result, nil
}

// shared is what the servers of one check have in common.
type shared struct {
	trusted  *trusted
	sigstore *sigstore
}
