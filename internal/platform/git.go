package platform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Bounds on git. A status of the Linux kernel's tree takes a second.
const (
	gitTime    = 10 * time.Second
	gitWait    = time.Second // for pipes that a killed git left open
	gitOutput  = 1 << 20
	maxGitTags = 5 // that a note names
	maxFilters = 100
)

// checkout is what git says of a directory.
type checkout struct {
	repo        string // as NormalizeRepo writes it
	head        string
	branch, tag string
	dirty       bool
	notes       []string
}

func (c *checkout) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// git runs the git binary on one repository, read-only.
type git struct {
	path     string
	dir      string
	env      []string
	settings []string // name=value, for -c
}

// hardening switches off every program that a repository's configuration can
// make the commands below start, and the network.
var hardening = []string{
	"core.fsmonitor=false",
	"core.hooksPath=" + os.DevNull,
	"core.untrackedCache=false",
	"credential.helper=",
	"protocol.allow=never", // a partial clone would fetch what status lacks
	"submodule.recurse=false",
	// A repository's innards, planted as files within a checkout, are no repository.
	"safe.bareRepository=explicit",
}

// newGit returns git for the repository around dir. In CI it believes the
// checkout to be ours although another user owns it: GitHub's container
// actions run as root on the runner's workspace, and nobody else is there. At
// a desk git's own judgement stands, for there /tmp/.git may be an attacker's.
func newGit(dir string, ci bool, workspace string) (git, error) {
	path, err := exec.LookPath("git")
	if err != nil {
		return git{}, errors.New("there is no git on this machine's path")
	}
	dir, err = filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return git{}, err
	}
	g := git{path: path, dir: dir, env: gitEnv(), settings: slices.Clone(hardening)}
	if top := topOf(dir); ci && top != "" && within(top, workspace) {
		g.settings = append(g.settings, "safe.directory="+filepath.ToSlash(top))
	}
	return g, nil
}

// gitEnv is built, not inherited: GIT_DIR and dozens like it would lead git
// elsewhere, and tokens are none of its business.
func gitEnv() []string {
	env := []string{
		"LC_ALL=C", // its messages are told apart below
		"HOME=" + os.DevNull,
		"XDG_CONFIG_HOME=" + os.DevNull,
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_OPTIONAL_LOCKS=0",
		"GIT_NO_LAZY_FETCH=1",
		"GIT_NO_REPLACE_OBJECTS=1",
		"GIT_PAGER=cat",
	}
	for _, name := range []string{"PATH", "SystemRoot", "DEVELOPER_DIR"} { // Windows, macOS
		if v := os.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// topOf returns the directory around dir that holds .git, or nothing.
func topOf(dir string) string {
	for {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// within tells whether dir lies in workspace. An unknown workspace holds all.
func within(dir, workspace string) bool {
	if workspace == "" {
		return true
	}
	workspace, err := filepath.EvalSymlinks(workspace)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(workspace, dir)
	return err == nil && filepath.IsLocal(rel)
}

var errTooMuch = fmt.Errorf("more than %d bytes of output", gitOutput)

// run returns what git wrote on stdout.
func (g git) run(ctx context.Context, args ...string) (string, error) {
	full := []string{"--no-pager"}
	for _, s := range g.settings {
		full = append(full, "-c", s)
	}
	cmd := exec.CommandContext(ctx, g.path, append(full, args...)...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = g.dir, g.env, gitWait
	var stdout, stderr bounded
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("git %s did not answer in time: %w", args[0], ctx.Err())
	case stdout.over:
		return "", fmt.Errorf("git %s: %w", args[0], errTooMuch)
	case err != nil:
		return "", &gitError{command: args[0], stderr: strings.TrimSpace(stderr.kept.String()), err: err}
	}
	return stdout.kept.String(), nil
}

// gitError is a git that ended with a fault.
type gitError struct {
	command, stderr string
	err             error
}

func (e *gitError) Error() string {
	switch {
	case strings.Contains(e.stderr, "dubious ownership"):
		return "git does not trust it, since another user owns it"
	case strings.Contains(e.stderr, "not a git repository"):
		return "it is not in a git repository"
	case e.stderr == "":
		return fmt.Sprintf("git %s: %v", e.command, e.err)
	}
	return fmt.Sprintf("git %s: %.200q", e.command, e.stderr)
}

func (e *gitError) Unwrap() error { return e.err }

// bounded keeps the first [gitOutput] bytes. More is an error, upon which the
// pipe is closed and git ends. The buffer is no embedded one: io.Copy would
// find its ReadFrom and never call Write.
type bounded struct {
	kept bytes.Buffer
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.over = b.over || len(p) > gitOutput-b.kept.Len(); b.over {
		return 0, errTooMuch
	}
	return b.kept.Write(p)
}

// readCheckout reads the repository around dir. The error says why there is
// nothing to be read.
func readCheckout(ctx context.Context, dir string, ci bool, workspace string) (checkout, error) {
	g, err := newGit(dir, ci, workspace)
	if err != nil {
		return checkout{}, err
	}
	return g.checkout(ctx)
}

func (g git) checkout(ctx context.Context) (checkout, error) {
	ctx, cancel := context.WithTimeout(ctx, gitTime)
	defer cancel()
	var c checkout
	if _, err := g.run(ctx, "rev-parse", "--show-toplevel"); err != nil {
		return c, err
	}
	config, err := g.config(ctx)
	if err != nil {
		return c, err
	}
	c.readRemote(config)

	head, err := g.run(ctx, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
	if err != nil || !commitForm.MatchString(strings.TrimSpace(head)) {
		c.note("the git repository has no commit yet")
		return c, nil
	}
	c.head = strings.TrimSpace(head)
	c.readNames(ctx, g)
	c.readStatus(ctx, g, config)
	return c, nil
}

// setting is a variable of git's configuration, without the file it comes from.
type setting struct{ name, value string }

// config returns the variables of the repository that matter here. It never
// asks for all: others hold tokens.
func (g git) config(ctx context.Context) ([]setting, error) {
	out, err := g.run(ctx, "config", "--null", "--get-regexp", `^(remote\..*\.url|filter\..*)$`)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return nil, nil // there is none
	}
	if err != nil {
		return nil, err
	}
	var all []setting
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		name, value, _ := strings.Cut(entry, "\n")
		all = append(all, setting{name, value})
	}
	return all, nil
}

// readRemote takes the URL of origin, or of the only remote there is.
func (c *checkout) readRemote(config []setting) {
	urls, names := map[string]string{}, []string(nil)
	for _, s := range config {
		name, ok := strings.CutPrefix(s.name, "remote.")
		name = strings.TrimSuffix(name, ".url")
		if _, seen := urls[name]; ok && !seen { // the first one is fetched from
			urls[name] = s.value
			names = append(names, name)
		}
	}
	from := "origin"
	if len(names) == 1 {
		from = names[0]
	}
	url, ok := urls[from]
	if !ok {
		if len(names) > 1 {
			c.note("the git repository has %d remotes and none is origin: its source is not known (--source-repo says it)", len(names))
		} else {
			c.note("the git repository has no remote: its source is not known (--source-repo says it)")
		}
		return
	}
	repo, err := NormalizeRepo(url)
	if err != nil {
		c.note("git's remote %.80q: %v (--source-repo says it)", from, err)
		return
	}
	c.repo = repo
}

// readNames finds the branch and the tag that name the commit.
func (c *checkout) readNames(ctx context.Context, g git) {
	if ref, err := g.run(ctx, "symbolic-ref", "--quiet", "HEAD"); err == nil {
		c.branch = c.ref("branch", strings.TrimPrefix(strings.TrimSpace(ref), "refs/heads/"))
	}
	out, err := g.run(ctx, "for-each-ref", "--points-at", c.head, "--format=%(refname:strip=2)", "refs/tags")
	if err != nil {
		c.note("tags were not looked at: %v", err)
		return
	}
	switch tags := strings.Fields(out); {
	case len(tags) == 1:
		c.tag = c.ref("tag", tags[0])
	case len(tags) > 1:
		c.note("%d tags stand at commit %s, so none is taken: %.200q", len(tags), c.head, tags[:min(len(tags), maxGitTags)])
	}
}

func (c *checkout) ref(what, name string) string {
	if !plain(name) {
		c.note("the name of the %s is %.80q, want at most %d bytes of printable text: not used", what, name, maxRef)
		return ""
	}
	return name
}

// readStatus finds out whether tracked files differ from the commit. Untracked
// ones do not count: the artifact that is sealed, and the manifest, are such.
// Of submodules the commit counts, not what was changed within: git would read
// their configuration, too.
func (c *checkout) readStatus(ctx context.Context, g git, config []setting) {
	off, err := withoutFilters(config)
	if err != nil {
		c.note("whether files differ from the commit was not looked at: %v", err)
		return
	}
	g.settings = slices.Concat(g.settings, off)
	out, err := g.run(ctx, "status", "--porcelain=v1", "-z", "--untracked-files=no", "--ignore-submodules=dirty", "--no-renames")
	if err != nil && !errors.Is(err, errTooMuch) {
		c.note("whether files differ from the commit is not known: %v", err)
		return
	}
	c.dirty = out != "" || err != nil
}

// withoutFilters returns the settings that make git pass every content filter
// by. They are programs (git-lfs is one) that status would run on changed
// files. A file that its filter would find unchanged then counts as changed.
func withoutFilters(config []setting) ([]string, error) {
	var off []string
	seen := map[string]bool{}
	for _, s := range config {
		driver, ok := strings.CutPrefix(s.name, "filter.")
		i := strings.LastIndex(driver, ".")
		if !ok || i < 0 || seen[driver[:i]] {
			continue
		}
		driver = driver[:i]
		if seen[driver] = true; len(seen) > maxFilters {
			return nil, fmt.Errorf("more than %d content filters are configured", maxFilters)
		}
		if strings.Contains(driver, "=") { // -c would end the name there
			return nil, fmt.Errorf("a content filter is named %.80q", driver)
		}
		for _, program := range []string{"clean", "smudge", "process"} {
			off = append(off, "filter."+driver+"."+program+"=")
		}
		off = append(off, "filter."+driver+".required=false")
	}
	return off, nil
}
