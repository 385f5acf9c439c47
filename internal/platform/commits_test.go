package platform

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mcp-integrity/seal-action/lineage"
)

// say makes an empty commit with a message.
func (r repository) say(message string) string {
	r.t.Helper()
	r.git("commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "--message="+message)
	return r.git("rev-parse", "HEAD")
}

// since returns the subjects of the commits since a version.
func (r repository) since(version string) ([]string, error) {
	commits, err := CommitsSince(r.t.Context(), r.dir, version)
	var subjects []string
	for _, c := range commits {
		subjects = append(subjects, c.Subject)
	}
	return subjects, err
}

func wantSince(t *testing.T, r repository, version string, want ...string) {
	t.Helper()
	got, err := r.since(version)
	if err != nil {
		t.Errorf("since %q: %v", version, err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("since %q (-want +got):\n%s", version, diff)
	}
}

func wantNone(t *testing.T, r repository, version, why string) {
	t.Helper()
	got, err := r.since(version)
	if err == nil || got != nil || !strings.Contains(err.Error(), why) || len(err.Error()) > 400 {
		t.Errorf("since %q: got %q, %v, want none since %q", version, got, err, why)
	}
}

func TestCommitsWhereThereAreNone(t *testing.T) {
	t.Run("no repository", func(t *testing.T) { wantNone(t, repository{t, t.TempDir()}, "", "not in a git repository") })
	t.Run("no directory", func(t *testing.T) {
		wantNone(t, repository{t, filepath.Join(t.TempDir(), "x")}, "", "no such file")
	})
	t.Run("no commit", func(t *testing.T) { wantNone(t, newRepository(t), "", "git for-each-ref") })
	t.Run("no tag", func(t *testing.T) {
		r := newRepository(t)
		r.say("feat: one")
		wantNone(t, r, "", "no tag before this commit")
		wantNone(t, r, "1.0.0", "no tag before this commit")
		r.git("tag", "v1.0.0")
		wantNone(t, r, "", "no tag before this commit") // but the one on it
	})
	t.Run("no git", func(t *testing.T) {
		r := newRepository(t)
		t.Setenv("PATH", t.TempDir())
		wantNone(t, r, "", "no git on this machine")
	})
	t.Run("tag of a tree", func(t *testing.T) {
		r := newRepository(t)
		r.commit()
		r.git("tag", "v1.0.0", "HEAD^{tree}")
		wantNone(t, r, "1.0.0", `tag "v1.0.0" names no commit`)
	})
	t.Run("too many tags", func(t *testing.T) {
		r := newRepository(t)
		head := r.commit()
		for i := range maxTags + 1 {
			r.write(fmt.Sprintf(".git/refs/tags/p%d-1.0.0", i), head+"\n")
		}
		wantNone(t, r, "1.0.0", "more than 100 tags")
		wantNone(t, r, "", "more than 100 tags")
	})
}

func TestShallow(t *testing.T) {
	full := newRepository(t)
	full.say("feat: one")
	full.git("tag", "v1.0.0")
	full.say("feat: two")
	r := repository{t, filepath.Join(t.TempDir(), "clone")}
	full.git("clone", "--quiet", "--depth=1", "file://"+filepath.ToSlash(full.dir), r.dir)
	wantNone(t, r, "1.0.0", "fetch-depth: 0")
	wantNone(t, r, "", "GIT_DEPTH: 0")
	r.git("fetch", "--quiet", "--unshallow", "--tags")
	wantSince(t, r, "1.0.0", "two")
}

func TestPreviousTag(t *testing.T) {
	r := newRepository(t)
	for _, tags := range [][]string{
		{"v1.0.0", "nightly"}, {"1.1.0"}, {"name-1.2.0"}, {"@acme/name@1.3.0"}, {"server/v1.4.0"}, {"11.5.0", "x1.5.0"}, {"a-1.6.0", "b-1.6.0"},
		{"v1.7.0", "c-1.7.0"}, {"v1.8.0"},
	} {
		r.say("feat: to " + tags[0])
		for _, tag := range tags {
			r.git("tag", "--annotate", "--message=m", tag)
		}
	}
	all := []string{"to v1.8.0", "to v1.7.0", "to a-1.6.0", "to 11.5.0", "to server/v1.4.0", "to @acme/name@1.3.0", "to name-1.2.0", "to 1.1.0"}
	for version, n := range map[string]int{
		"1.0.0": 8, "v1.0.0": 8, "1.1.0": 7, "1.2.0": 6, "1.3.0": 5, "1.4.0": 4, "1.7.0": 1, "1.8.0": 0,
		// No tag is theirs: the last one counts that is not HEAD's.
		"": 1, "1.5.0": 1, "9.9.9": 1, "*": 1, "--all": 1, "1.0.0\n": 1, strings.Repeat("1", 200): 1,
	} {
		wantSince(t, r, version, all[:n]...)
	}
	wantNone(t, r, "1.6.0", `2 tags name version "1.6.0", so none is taken: ["a-1.6.0" "b-1.6.0"]`)
}

// A release from a branch has the tags of other branches beside it.
func TestBranches(t *testing.T) {
	r := newRepository(t)
	r.say("feat: base")
	r.git("tag", "v1.0.0")
	r.git("switch", "--quiet", "--create", "stable")
	r.say("fix: on stable")
	r.git("tag", "v1.0.1")
	r.git("switch", "--quiet", "main")
	r.say("feat: on main")
	r.git("merge", "--quiet", "--no-ff", "--message=feat: a merge says nothing itself", "stable")
	wantSince(t, r, "1.0.0", "on main", "on stable")
	wantSince(t, r, "1.0.1", "on main")
}

func TestReverts(t *testing.T) {
	r := newRepository(t)
	before := r.say("feat: before")
	r.git("tag", "v1.0.0")
	stays := r.say("feat: stays")
	goes := r.say("feat: goes")
	revert := func(what, hash string) string {
		return r.say(fmt.Sprintf("revert: %s\n\nThis reverts commit %s.\n", what, hash))
	}
	revert("goes", goes)
	again := revert("stays", stays)
	revert("the revert", again)
	revert("before", before) // of what was released: that is a change
	wantSince(t, r, "1.0.0", "before", "stays")
}

func TestHistoryThatIsLarge(t *testing.T) {
	r := newRepository(t)
	r.say("feat: base")
	r.git("tag", "v1.0.0")
	var input strings.Builder
	for i := range maxCommits + 20 {
		message := fmt.Sprintf("fix: %d\n\n%s\n", i, strings.Repeat("x", 1500))
		fmt.Fprintf(&input, "commit refs/heads/main\ncommitter a <a@acme.example> %d +0000\ndata %d\n%s", 1700000000+i, len(message), message)
		if i == 0 {
			input.WriteString("from refs/heads/main^0\n")
		}
		input.WriteString("\n")
	}
	r.write("stream", input.String())
	r.git("-c", "alias.import=!git fast-import --quiet < stream", "import")
	got, err := r.since("1.0.0")
	if err != nil || len(got) != maxCommits/2 || got[0] != fmt.Sprint(maxCommits+19) {
		t.Errorf("got %d commits, %v, want the newest %d", len(got), err, maxCommits/2)
	}
	r.say("fix: one more\n\n" + strings.Repeat("x", 100_000))
	for range 12 {
		r.say("fix: large\n\n" + strings.Repeat("x", 100_000))
	}
	if got, err := r.since("1.0.0"); err != nil && !strings.Contains(err.Error(), "bytes of output") || len(got) > 12 {
		t.Errorf("got %d commits, %v", len(got), err)
	}
}

func TestCommitsCannotStartPrograms(t *testing.T) {
	canary := filepath.Join(t.TempDir(), "canary")
	r := newRepository(t)
	r.say("feat: one")
	r.git("tag", "v1.0.0")
	r.say("feat: two")
	for _, name := range []string{"core.fsmonitor", "core.pager", "pager.rev-list", "gpg.program", "diff.external", "core.sshCommand"} {
		r.git("config", name, "touch "+canary)
	}
	r.git("config", "log.showSignature", "true")
	r.git("config", "alias.rev-list", "!touch "+canary)
	wantSince(t, r, "", "two")
	if _, err := os.Stat(canary); err == nil {
		t.Error("a program of the repository ran")
	}
}

func TestParseMessage(t *testing.T) {
	hash := strings.Repeat("a", 40)
	for _, c := range []struct {
		message string
		want    []Commit // without the hash
	}{
		{"", nil},
		{"Merge branch 'x'", nil},
		{"update the readme", nil},
		{"docs: say more", nil},
		{"chore(release): 1.2.3", nil},
		{"feat:", nil},
		{"feat: (#12)", nil},
		{"constructor: x", nil},
		{"feat: searches hidden files", []Commit{{Type: "feature", Subject: "searches hidden files"}}},
		{"FEAT(search): x (#12)\n", []Commit{{Type: "feature", Scope: "search", Subject: "x"}}},
		{"fix: x (!12)\r\n\r\nbody", []Commit{{Type: "bugfix", Subject: "x"}}},
		{"perf: x", []Commit{{Type: "bugfix", Subject: "x"}}},
		{"security: x", []Commit{{Type: "security", Subject: "x"}}},
		{"refactor: x", []Commit{{Type: "refactor", Subject: "x"}}},
		{"build(deps): bump x from 1 to 2 (#3)", []Commit{{Type: "dependency", Scope: "deps", Subject: "bump x from 1 to 2"}}},
		{"chore(deps-dev): bump x", []Commit{{Type: "dependency", Scope: "deps-dev", Subject: "bump x"}}},
		{"chore!: x", []Commit{{Type: "breaking", Subject: "x", Breaking: true}}},
		{"fix(api)!: x", []Commit{{Type: "breaking", Scope: "api", Subject: "x", Breaking: true}}},
		{"fix: x\n\nwhy\n\nBREAKING CHANGE: y\n", []Commit{{Type: "breaking", Subject: "x", Breaking: true}}},
		{"fix: x\n\nBREAKING-CHANGE: y", []Commit{{Type: "breaking", Subject: "x", Breaking: true}}},
		{"Add hidden files (#4)\n\n* feat: search them\n\n* fixup\n\n* fix(ls): list them\n",
			[]Commit{{Type: "feature", Subject: "search them"}, {Type: "bugfix", Scope: "ls", Subject: "list them"}}},
		{"feat: hidden files (#4)\n\n* feat: search them\n\n* fix!: other order\n",
			[]Commit{{Type: "feature", Subject: "hidden files"}, {Type: "breaking", Subject: "other order", Breaking: true}}},
		{"feat!: hidden files (#4)\n\n* fix!: other order\n", []Commit{{Type: "breaking", Subject: "hidden files", Breaking: true}}},
		{"x\n\n" + strings.Repeat("* y\n", maxBullets) + "* fix: z\n", nil},
	} {
		got := parseMessage(hash, c.message)
		for i := range c.want {
			c.want[i].Hash = hash
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.message, diff)
		}
	}
}

// FuzzParseLog: whatever messages say, what comes of them is short, of a known
// type, and of a commit that git named.
func FuzzParseLog(f *testing.F) {
	a, b := strings.Repeat("a", 40), strings.Repeat("b", 64)
	for _, message := range []string{"feat: x (#1)", "x\n\n* fix!: y\n", "revert: x\n\nThis reverts commit " + b + ".", "commit " + b + "\n" + b + "\nfeat: x", "feat(\xff): \xff"} {
		f.Add(message, "fix: z")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		if strings.Contains(first+second, "\x00") {
			return // git has none
		}
		log := "commit " + a + "\n" + a + "\n" + first + "\x00\ncommit " + b + "\n" + b + "\n" + second + "\x00\n"
		for _, c := range parseLog(log) {
			switch {
			case c.Hash != a && c.Hash != b,
				!slices.Contains(lineage.ChangeTypes, c.Type), c.Breaking != (c.Type == lineage.TypeBreaking),
				c.Subject == "", len(c.Subject) > 600, strings.ContainsAny(c.Subject+c.Scope, "\n\r\x00"),
				!utf8.ValidString(c.Subject), !utf8.ValidString(c.Scope), len(c.Scope) > 100:
				t.Errorf("%q: got %+v", log, c)
			}
		}
		for _, c := range parseMessage(a, second) { // the other message says nothing about this one
			if c.Hash != a {
				t.Errorf("got %+v", c)
			}
		}
	})
}

func BenchmarkParseLog(b *testing.B) {
	var log strings.Builder
	for i := range maxCommits {
		hash := fmt.Sprintf("%040x", i)
		fmt.Fprintf(&log, "commit %s\n%s\nfix(scope): number %d (#%d)\n\nbody of a few words\n\x00\n", hash, hash, i, i)
	}
	for b.Loop() {
		if got := parseLog(log.String()); len(got) != maxCommits {
			b.Fatal(len(got))
		}
	}
}
