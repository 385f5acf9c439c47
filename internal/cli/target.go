package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/mcp-integrity/seal-action/internal/artifact"
	"github.com/mcp-integrity/seal-action/internal/declare"
	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/internal/platform"
	"github.com/mcp-integrity/seal-action/internal/server"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

// surface is where an interface comes from: a server to run or to reach, or a
// snapshot. It implements [verify.Surface].
type surface struct {
	inv      *invocation
	target   server.Target
	snapshot string // a file; then nothing runs
}

// surfaceOf reads the server options. It returns nil when none was given.
// declared may be nil; its server is used where the command line names none.
func surfaceOf(inv *invocation, declared *declare.File) (*surface, error) {
	var given []string
	s := &surface{inv: inv}
	if len(inv.server) > 0 {
		given = append(given, "-- COMMAND")
		s.target.Command = inv.server
	}
	if line := inv.str("server"); line != "" {
		given = append(given, "--server")
		argv, err := shellquote.Split(line)
		if err != nil || len(argv) == 0 {
			return nil, usagef("--server: %.200q cannot be split into words: %v", line, err)
		}
		s.target.Command = argv
	}
	if url := inv.str("server-url"); url != "" {
		given = append(given, "--server-url")
		s.target.URL = url
	}
	if inv.has("interface") {
		if file := inv.str("interface"); file != "" {
			given = append(given, "--interface")
			s.snapshot = file
		}
	}
	switch {
	case len(given) > 1:
		return nil, usagef("the server is given %d times: %s; want one of them", len(given), strings.Join(given, ", "))
	case len(given) == 0 && declared != nil && len(declared.Server.Command) > 0:
		s.target.Command = declared.Server.Command
	case len(given) == 0:
		return nil, nil
	}
	return s, s.settings(declared)
}

func (s *surface) settings(declared *declare.File) error {
	s.target.Dir = s.inv.str("cwd")
	if info, err := os.Stat(s.target.Dir); s.target.Dir != "" && (err != nil || !info.IsDir()) {
		return usagef("--cwd %q: there is no such directory", s.target.Dir)
	}
	if len(s.inv.list("env")) > 0 && s.target.Command == nil {
		return usagef("--env goes with a server that is started here")
	}
	if len(s.target.Command) > 0 && declared != nil {
		for name, value := range declared.Server.Env {
			s.target.Env = append(s.target.Env, name+"="+value)
		}
	}
	for _, item := range s.inv.list("env") {
		name, value, ok := strings.Cut(item, "=")
		if name == "" {
			return usagef("--env: an item without a name, want NAME or NAME=VALUE")
		}
		if !ok {
			if value = s.inv.Getenv(name); value == "" {
				s.inv.warn("--env %s: the variable is not set, or empty, here", name)
			}
		}
		s.target.Env = append(s.target.Env, name+"="+value)
	}
	for _, item := range s.inv.list("header") {
		name, value, ok := strings.Cut(item, "=")
		if !ok || name == "" {
			return usagef("--header: an item without =, want NAME=VALUE")
		}
		if s.target.Header == nil {
			s.target.Header = http.Header{}
		}
		s.target.Header.Add(name, value)
	}
	if s.target.Header != nil && s.target.URL == "" {
		return usagef("--header goes with --server-url")
	}
	if s.snapshot != "" {
		return nil
	}
	if err := s.alone(); err != nil {
		return err
	}
	if err := s.target.Check(); err != nil {
		return usagef("%w", err)
	}
	return nil
}

// alone refuses to start a stranger's server beside an identity token (rule 1 of
// the house): the processes around us have it in their environment, where a
// program of the same user reads it. GitHub's jobs hold the right to ask for one
// instead, which seal warns of.
func (s *surface) alone() error {
	tokens, err := platform.Tokens(s.inv.Getenv, platform.TokenOptions{})
	if err != nil || !s.starts() || tokens.Platform() == platform.GitHub {
		return nil
	}
	return usagef("the server would run in a job whose environment holds an identity token, and could sign as you").
		withHint("a job without id_tokens starts the server (mcp-integrity extract --output mcp-tools.interface.json -- SERVER); this one seals --interface mcp-tools.interface.json")
}

// live says that something runs, or is reached.
func (s *surface) live() bool { return s.snapshot == "" }

// starts says that a stranger's code would run here.
func (s *surface) starts() bool { return s.live() && s.target.URL == "" }

// view is one look at a surface.
type view struct {
	snapshot *fingerprint.Snapshot
	listing  *server.Listing // nil for a snapshot
}

// look lists the server once, in a fresh process, or reads the snapshot.
func (s *surface) look(ctx context.Context) (view, error) {
	if !s.live() {
		snap, err := readSnapshot(s.snapshot)
		return view{snapshot: snap}, err
	}
	listing, err := server.List(ctx, s.target, server.Options{
		Timeout: s.inv.duration("timeout"),
		Notice:  func(msg string) { s.inv.noteOnce(msg) },
	})
	if err != nil {
		return view{}, s.explain(err)
	}
	tools, err := fingerprint.ParseTools(listing.Tools)
	if err != nil {
		return view{}, failsf("the server's tools cannot be sealed: %w", err)
	}
	return view{listing: listing, snapshot: &fingerprint.Snapshot{
		Server:     fingerprint.ServerInfo{Name: listing.Name, Version: listing.Version},
		Conditions: s.conditions(listing),
		Tools:      tools,
	}}, nil
}

// explain gives a listing's failure its exit code, and shows what the server
// had to say.
func (s *surface) explain(err error) error {
	var failed *server.Error
	if errors.As(err, &failed) {
		s.inv.showStderr(strings.TrimSpace(failed.Stderr))
	}
	if errors.Is(err, server.ErrRefused) {
		return failsf("the server: %w", err)
	}
	e := undecidedf("the server: %w", err)
	if errors.Is(err, context.DeadlineExceeded) {
		return e.withHint("give it more time with --timeout 2m, or what it waits for with --env NAME=VALUE")
	}
	if len(s.target.Command) > 0 && failed != nil && failed.Stage != server.StageStart {
		return e.withHint("if it needs a credential to start, a dummy may do: --env API_KEY=dummy")
	}
	return e
}

// maxStderrShown bounds what is shown of a failed server's stderr, in bytes. Its
// end says most: that is where it died.
const maxStderrShown = 4 << 10

func (i *invocation) showStderr(text string) {
	if text == "" {
		return
	}
	heading := "the server's stderr"
	if cut := len(text) - maxStderrShown; cut > 0 {
		text = text[cut:]
		heading += fmt.Sprintf(", without its first %d bytes", cut)
	}
	i.talk("%s:\n%s", heading, indent(escape.Block(text)))
}

func indent(s string) string { return "  | " + strings.ReplaceAll(tame(s), "\n", "\n  | ") }

// conditions are those of decision 18. Names of variables, never their values.
func (s *surface) conditions(l *server.Listing) fingerprint.Conditions {
	c := fingerprint.Conditions{ProtocolVersion: l.ProtocolVersion, Command: s.target.Command, Env: s.envNames(), Dir: s.inv.str("cwd"), Network: true}
	if s.target.URL != "" {
		c.URL = fetch.PublicURL(s.target.URL)
	}
	return c
}

// envNames are the names of the variables that were let through, in order.
func (s *surface) envNames() []string {
	var names []string
	for _, item := range s.target.Env {
		name, _, _ := strings.Cut(item, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Observe implements [verify.Surface].
func (s *surface) Observe(ctx context.Context) (verify.Observation, error) {
	v, err := s.look(ctx)
	if err != nil {
		var exit *exitError
		if errors.As(err, &exit) && exit.code == ExitFails {
			return verify.Observation{}, err
		}
		return verify.Observation{}, fmt.Errorf("%w: %w", verify.ErrUnavailable, err)
	}
	o := verify.Observation{Observed: verify.Snapshot, Server: v.snapshot.Server, Tools: v.snapshot.Tools}
	if v.listing != nil {
		o.Observed, o.ClaimedLevel, o.ManifestURL = verify.Live, v.listing.ClaimedLevel, v.listing.ManifestURL
	}
	return o, nil
}

// ran says that what runs is path, or lies in what was hashed of it (decision
// 19): the command names it as its program, or as the first word that it gives
// to an interpreter. Any other word may name what it likes.
func (s *surface) ran(path string) bool {
	if s == nil || !s.live() || path == "" {
		return false
	}
	want, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	if want, err = filepath.Abs(want); err != nil {
		return false
	}
	for _, word := range programWords(s.target.Command) {
		for _, at := range []string{word, filepath.Join(s.inv.str("cwd"), word)} {
			got, err := filepath.EvalSymlinks(at)
			if err != nil {
				continue
			}
			if got, err = filepath.Abs(got); err != nil {
				continue
			}
			inside, below := strings.CutPrefix(got, want+string(os.PathSeparator))
			if got == want || below && !artifact.LeftOut(filepath.ToSlash(inside)) {
				return true
			}
		}
	}
	return false
}

// interpreters are programs that run the file that is their first word.
var interpreters = regexp.MustCompile(`^(node|nodejs|deno|bun|python[0-9.]*|pypy[0-9.]*|ruby|perl|php|lua|bash|sh|java|dotnet|tsx)(\.exe)?$`)

// programWords are the words of a command that say which file runs.
func programWords(argv []string) []string {
	if len(argv) == 0 {
		return nil
	}
	words := argv[:1]
	if !interpreters.MatchString(filepath.Base(argv[0])) {
		return words
	}
	for _, w := range argv[1:] {
		// "deno run", "bun run", "java -jar"
		if !strings.HasPrefix(w, "-") && w != "run" {
			return []string{argv[0], w}
		}
	}
	return words
}

func readSnapshot(path string) (*fingerprint.Snapshot, error) {
	data, err := readFile(path, fingerprint.MaxSnapshotSize)
	if err != nil {
		return nil, err
	}
	snap, err := fingerprint.ParseSnapshot(data)
	if err != nil {
		return nil, failsf("%s: %w", path, err)
	}
	return snap, nil
}
