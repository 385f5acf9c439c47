// Package platform says where a run takes place (GitHub Actions, GitLab CI,
// some other CI, a person's desk) and what that place knows of the source:
// repository, commit, branch or tag, and whose it is.
//
// All of it is a claim for the manifest to make (MIS §8.3, §12.2), not a fact
// that anything may trust: environment variables and git configuration belong
// to whoever runs us. What an identity token proves is another matter: see
// below.
//
// The order of belief is environment before git. In CI the environment names
// the repository and commit that the platform's identity token will name too,
// and a manifest that says otherwise could not be verified against it
// (decision 12). Where the checkout on disk is another one, a note says so and
// Dirty is set; at a desk there is git alone.
//
// Call [Detect] before any stranger's code runs: git reads .git/config, and
// while everything there that names a program is switched off, a file that
// nobody could write yet is better still.
//
// # Identity tokens
//
// [Tokens] finds where this job's OpenID Connect tokens come from, and asks
// nobody: the tool server runs, and is gone, before the first token exists
// (rule 1 of the house). [TokenSource.Token] gives one to sign with.
// [TokenSource.Facts] gives what the platform's issuer says of the build, from
// a token that was verified against the issuer's keys (RS256, issuer, audience,
// times) and never from a variable; the environment must agree with it. On
// GitHub that is a token for nobody, which can sign nothing; on GitLab there is
// but one token.
//
// A token is masked (GitHub) before anything else can print it. It stands in no
// error, no notice and no file of ours. Every service is asked over TLS, without
// redirects, within bounds, again and again for three minutes where it does not
// answer as it should.
//
// # What keeps a stranger from signing as this job
//
// The tool server gets an environment that is built, never ours, and on Linux
// cannot read our memory or environment (server.Shield). [Withhold] takes the
// variables out of what later children could inherit. Neither helps where the
// right to sign stood in the environment before we were started, as it does on
// GitLab (SIGSTORE_ID_TOKEN itself) and on GitHub (the right to ask for
// tokens), and [Exposed] says so:
//
//   - The kernel keeps the environment that a process started with. Taking a
//     variable out of ours leaves it in /proc/PID/environ of this process, which
//     Shield closes, and of every process before us, such as the job's shell or
//     the runner, which nothing here can close: the same user reads it there,
//     and may read that process's memory.
//   - Root reads all of it, whatever we do. A tool server that runs as root in
//     the job's container can sign as the job.
//   - A token that was read can be used until it expires (on GitLab, with the
//     job's timeout), after the server is gone and anywhere in the world.
//
// What closes the gap is another job without the token for running the server,
// or another user for it who sees none of the job's processes.
package platform

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind is the kind of place of a run.
type Kind string

// The kinds. CI is one that is neither GitHub's nor GitLab's; a Desk is where
// no variable speaks of CI.
const (
	GitHub Kind = "github"
	GitLab Kind = "gitlab"
	CI     Kind = "ci"
	Desk   Kind = "desk"
)

// Facts are what the place says. What it does not say, or says in a form that
// a manifest cannot take, is empty, and a note tells why.
type Facts struct {
	Kind Kind

	// SourceRepo is an https URL without credentials, as [NormalizeRepo] writes it.
	SourceRepo string
	// Commit is the full hash, 40 or 64 digits of lower-case hex.
	Commit string
	// Branch and Tag are short names. A run for a tag has no branch; one for
	// a pull or merge request has neither, since what it builds is on none.
	Branch, Tag string

	// Namespace is the publisher's, by [NamespaceOf] of SourceRepo.
	Namespace string
	// PublisherID is SourceRepo's host and owner, such as github.com/acme, and
	// PublisherURL the page of that owner.
	PublisherID, PublisherURL string

	// BuildSystem is MIS §12.2's identifier, such as github-actions. Empty at a desk.
	BuildSystem string
	// BuildWorkflow is the path of the workflow's file in SourceRepo, or, where
	// it comes from another repository, owner/name/path.
	BuildWorkflow string

	// Dirty says that the files on disk are not those of Commit: tracked files
	// were changed, or another commit is checked out. False where that could
	// not be found out; a note then says so.
	Dirty bool

	// Notes are for the person who runs us: a sentence each, strangers' text
	// in them quoted.
	Notes []string
}

func (f *Facts) note(format string, args ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, args...))
}

// Detect returns the facts of the run whose environment getenv reads and whose
// checkout holds dir. It takes ten seconds at most. The only error is ctx's:
// a place that says nothing is not a fault.
func Detect(ctx context.Context, getenv func(string) string, dir string) (Facts, error) {
	f := Facts{Kind: kindOf(getenv)}
	workspace := ""
	switch f.Kind {
	case GitHub:
		workspace = getenv("GITHUB_WORKSPACE")
		f.readGitHub(getenv)
	case GitLab:
		workspace = getenv("CI_PROJECT_DIR")
		f.readGitLab(getenv)
	case CI:
		f.BuildSystem = otherCI(getenv)
	}
	f.readCheckout(ctx, dir, workspace)
	if err := ctx.Err(); err != nil {
		return Facts{}, err
	}
	f.Namespace, _ = NamespaceOf(f.SourceRepo)
	f.PublisherID, f.PublisherURL = ownerOf(f.SourceRepo)
	return f, nil
}

// readCheckout compares what the environment said with the checkout, and takes
// from the checkout what the environment did not say.
func (f *Facts) readCheckout(ctx context.Context, dir, workspace string) {
	c, err := readCheckout(ctx, dir, f.Kind != Desk, workspace)
	if err != nil {
		hint := ""
		if f.SourceRepo == "" || f.Commit == "" {
			hint = " (--source-repo and --commit say what it would)"
		}
		f.note("git says nothing of %.200q: %v%s", dir, err, hint)
		return
	}
	f.Notes = append(f.Notes, c.notes...)
	f.Dirty = c.dirty
	if c.dirty {
		f.note("tracked files differ from commit %s: it does not describe what is sealed", c.head)
	}
	switch {
	case f.SourceRepo == "":
		f.SourceRepo = c.repo
	case c.repo != "" && !strings.EqualFold(c.repo, f.SourceRepo):
		f.note("the checkout is one of %s, the run one of %s: the run's is taken, as its identity would prove it (--source-repo says otherwise)", c.repo, f.SourceRepo)
	}
	switch {
	case f.Commit == "":
		f.Commit = c.head
	case c.head != "" && c.head != f.Commit:
		f.Dirty = true
		f.note("the checkout is at commit %s, the run is for %s: the run's is taken, and does not describe what is sealed (--commit says otherwise)", c.head, f.Commit)
	}
	// GitHub and GitLab say it themselves: without a word from them it is a
	// request's merge commit, whatever name the checkout gave it.
	if f.Kind == Desk || f.Kind == CI {
		f.Branch, f.Tag = c.branch, c.tag
	}
}

// kindOf goes by the variables that the platforms document as always set.
func kindOf(getenv func(string) string) Kind {
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		return GitHub
	case getenv("GITLAB_CI") == "true":
		return GitLab
	case otherCI(getenv) != "":
		return CI
	}
	switch strings.ToLower(getenv("CI")) {
	case "", "0", "false", "no":
		return Desk
	}
	return CI
}

// otherCI returns the identifier of a CI that names itself. Some of them, such
// as Jenkins and Azure Pipelines, do not set CI.
func otherCI(getenv func(string) string) string {
	for _, s := range [...]struct{ env, system string }{
		{"CIRCLECI", "circleci"}, // MIS §12.2's own example
		{"BUILDKITE", "buildkite"},
		{"JENKINS_URL", "jenkins"},
		{"TF_BUILD", "azure-pipelines"},
		{"BITBUCKET_BUILD_NUMBER", "bitbucket-pipelines"},
		{"CODEBUILD_BUILD_ID", "aws-codebuild"},
		{"TEAMCITY_VERSION", "teamcity"},
		{"TRAVIS", "travis-ci"},
		{"DRONE", "drone"},
		{"CIRRUS_CI", "cirrus-ci"},
	} {
		if getenv(s.env) != "" {
			return s.system
		}
	}
	return ""
}

// commitForm is a full SHA-1 or SHA-256 object name.
var commitForm = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// commit takes a commit hash from a variable.
func (f *Facts) commit(name, value string) string {
	if value == "" || commitForm.MatchString(value) {
		return value
	}
	f.note("%s is %.80q, want a full commit hash of 40 or 64 hex digits: not used (--commit gives one)", name, value)
	return ""
}

// maxRef bounds names of branches, tags and workflows. File systems stop at
// 255 bytes for a part of one.
const maxRef = 1024

// ref takes a name that will stand in the manifest as text.
func (f *Facts) ref(name, value string) string {
	if !plain(value) {
		f.note("%s is %.80q, want at most %d bytes of printable text: not used", name, value, maxRef)
		return ""
	}
	return value
}

func plain(s string) bool {
	return len(s) <= maxRef && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
