package platform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mcp-integrity/seal-action/lineage"
)

// Bounds on what is read of a history.
const (
	// maxCommits is how far back it is read. A release of more commits is
	// described by its interface, and by whoever writes its notes.
	maxCommits = 1000
	// minCommits ends the search for a number of messages that fit git's bound on
	// output together.
	minCommits = 10
	// maxTags bounds the tags that name the same version, or the same commit.
	maxTags = 100
	// maxBullets bounds the lines of one message that may each be a commit's.
	maxBullets = 100
)

// Commit is what a commit says that it changed, in the words of Conventional
// Commits 1.0.0 as [lineage.ParseCommit] reads them.
type Commit struct {
	// Hash is the full hash of the commit.
	Hash string
	// Type is one of MIS §13.3: feat is a feature; fix, perf and revert are a
	// bugfix, sec and security security, refactor a refactor, deps and the scope
	// deps a dependency, and whatever breaks is breaking. Of docs, style, test,
	// ci, build and chore nothing reaches who uses a tool: such commits, and those
	// in no known form, are left out.
	Type string
	// Scope is what stands in parentheses behind the type.
	Scope string
	// Subject is the rest of the first line, without the number of a request.
	Subject string
	// Breaking: "!" stands before the colon, or a footer says BREAKING CHANGE.
	Breaking bool
}

// CommitsSince returns what the commits since the previous release say they
// changed, newest first. The previous release is the tag of its version (1.2.3
// is tagged as 1.2.3, v1.2.3, or behind the one name that has it: name-1.2.3,
// name@1.2.3, name/v1.2.3); where there is no such tag, or no version, the last
// tag before HEAD that does not name HEAD itself.
//
// Merge commits are left out, as what they merge is there. A squashed one counts
// by its title, else by the messages that its body lists. A commit that was
// reverted since is left out together with what reverted it.
//
// The error says why nothing can be said; it is nobody's fault, and a note to
// the user: there is no git or no repository, no tag, a shallow clone, too much.
func CommitsSince(ctx context.Context, dir, version string) ([]Commit, error) {
	kind := kindOf(os.Getenv)
	workspace := ""
	switch kind {
	case GitHub:
		workspace = os.Getenv("GITHUB_WORKSPACE")
	case GitLab:
		workspace = os.Getenv("CI_PROJECT_DIR")
	}
	g, err := newGit(dir, kind != Desk, workspace)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, gitTime)
	defer cancel()
	return g.commitsSince(ctx, version)
}

// errShallow names what to set where a clone lacks its history: both platforms
// cut it off by default.
var errShallow = errors.New("the clone is shallow, so that the commits since the last release are not in it (actions/checkout brings them with fetch-depth: 0, GitLab with GIT_DEPTH: 0)")

func (g git) commitsSince(ctx context.Context, version string) ([]Commit, error) {
	shallow, err := g.run(ctx, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(shallow) == "true" {
		return nil, errShallow
	}
	from, err := g.previous(ctx, version)
	if err != nil {
		return nil, err
	}
	log, err := g.messages(ctx, from)
	if err != nil {
		return nil, err
	}
	return parseLog(log), nil
}

// previous returns the commit of the previous release.
func (g git) previous(ctx context.Context, version string) (string, error) {
	tag, err := g.versionTag(ctx, version)
	if err == nil && tag == "" {
		tag, err = g.lastTag(ctx)
	}
	if err != nil {
		return "", err
	}
	commit, err := g.run(ctx, "rev-parse", "--verify", "--quiet", "refs/tags/"+tag+"^{commit}")
	if commit = strings.TrimSpace(commit); err != nil || !commitForm.MatchString(commit) {
		return "", fmt.Errorf("tag %.80q names no commit", tag)
	}
	return commit, nil
}

// versionForm is a version that can be part of a pattern of git's as it is.
var versionForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+_-]{0,127}$`)

// versionTag returns the tag of a version; "" where there is none.
func (g git) versionTag(ctx context.Context, version string) (string, error) {
	version = strings.TrimPrefix(version, "v")
	if !versionForm.MatchString(version) {
		return "", nil
	}
	tags, err := g.tags(ctx, "refs/tags/*"+version, "refs/tags/**/*"+version)
	if err != nil {
		return "", err
	}
	for _, plain := range []string{"v" + version, version} {
		if slices.Contains(tags, plain) {
			return plain, nil
		}
	}
	tags = slices.DeleteFunc(tags, func(tag string) bool {
		name := strings.TrimSuffix(strings.TrimSuffix(tag, version), "v")
		return name == "" || !strings.ContainsRune("-_@/", rune(name[len(name)-1]))
	})
	switch len(tags) {
	case 0:
		return "", nil
	case 1:
		return tags[0], nil
	}
	return "", fmt.Errorf("%d tags name version %.80q, so none is taken: %.200q", len(tags), version, tags[:min(len(tags), maxGitTags)])
}

// lastTag returns the last tag before HEAD that does not name HEAD.
func (g git) lastTag(ctx context.Context) (string, error) {
	here, err := g.tags(ctx, "--points-at", "HEAD", "refs/tags")
	if err != nil {
		return "", err
	}
	args := []string{"describe", "--tags", "--abbrev=0"}
	for _, tag := range here {
		args = append(args, "--exclude="+tag) // no tag has a character of a pattern
	}
	out, err := g.run(ctx, append(args, "HEAD")...)
	if tag := strings.TrimSpace(out); err == nil && tag != "" {
		return tag, nil
	}
	if ctx.Err() != nil {
		return "", err
	}
	return "", errors.New("there is no tag before this commit, so where the last release ended is not known")
}

// tags returns the short names of the tags that for-each-ref finds.
func (g git) tags(ctx context.Context, args ...string) ([]string, error) {
	args = append([]string{"for-each-ref", "--count=" + strconv.Itoa(maxTags+1), "--format=%(refname:strip=2)"}, args...)
	out, err := g.run(ctx, args...)
	if err != nil {
		return nil, err
	}
	tags := strings.Fields(out)
	if len(tags) > maxTags {
		return nil, fmt.Errorf("more than %d tags name one version or commit", maxTags)
	}
	return tags, nil
}

// messages returns what rev-list writes of the commits behind from, by its own
// command, which heeds less of the configuration than log does. Where that is
// more than git's bound, it returns the newest that fit.
func (g git) messages(ctx context.Context, from string) (string, error) {
	for n := maxCommits; ; n /= 2 {
		out, err := g.run(ctx, "rev-list", "--no-merges", "--encoding=UTF-8", "--max-count="+strconv.Itoa(n),
			"--format=%H%n%B%x00", from+"..HEAD")
		if !errors.Is(err, errTooMuch) || n < minCommits {
			return out, err
		}
	}
}

// parseLog reads what messages returns, newest first.
func parseLog(log string) []Commit {
	var hashes, messages []string
	for record := range strings.SplitSeq(log, "\x00") {
		_, record, _ = strings.Cut(strings.TrimPrefix(record, "\n"), "\n") // git's own "commit <hash>"
		if hash, message, _ := strings.Cut(record, "\n"); commitForm.MatchString(hash) {
			hashes, messages = append(hashes, hash), append(messages, strings.ToValidUTF8(message, "\uFFFD"))
		}
	}
	var all []Commit
	reverted := map[string]bool{}
	for i, message := range messages {
		r := reverts.FindStringSubmatch(message)
		switch {
		case reverted[hashes[i]]: // and if it was a revert itself, it reverts nothing
		case r != nil && slices.Contains(hashes[i:], r[1]):
			reverted[r[1]] = true
		default:
			all = append(all, parseMessage(hashes[i], message)...)
		}
	}
	return all
}

// reverts is the line that git revert writes.
var reverts = regexp.MustCompile(`(?m)^This reverts commit ([0-9a-f]{40}|[0-9a-f]{64})\.`)

// parseMessage reads one commit: what its title says, or, where that says nothing,
// what its body lists as the messages that were squashed. Of those, a breaking one
// counts in any case.
func parseMessage(hash, message string) []Commit {
	c, told := parseCommit(hash, message)
	var all []Commit
	if told {
		all = []Commit{c}
	}
	_, body, _ := strings.Cut(message, "\n")
	bullets := 0
	for line := range strings.Lines(body) {
		text, ok := strings.CutPrefix(line, "* ") // as GitHub and GitLab list them
		if !ok || bullets == maxBullets {
			continue
		}
		bullets++
		if b, ok := parseCommit(hash, text); ok && (!told || b.Breaking && !c.Breaking) {
			all = append(all, b)
		}
	}
	return all
}

// request is the number that platforms put behind the title of what they squash.
var request = regexp.MustCompile(`(^| )\([#!][0-9]+\)$`)

func parseCommit(hash, message string) (Commit, bool) {
	stated, ok := lineage.ParseCommit(message)
	subject := request.ReplaceAllString(stated.Text, "")
	if !ok || subject == "" {
		return Commit{}, false
	}
	c := Commit{Hash: hash, Type: stated.Type, Subject: subject, Breaking: stated.Type == lineage.TypeBreaking}
	prefix, _, _ := strings.Cut(message, ":")
	if _, scope, ok := strings.Cut(prefix, "("); ok {
		c.Scope, _, _ = strings.Cut(scope, ")")
	}
	return c, true
}
