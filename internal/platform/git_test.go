package platform

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// repository is a real one, made with the git of this machine.
type repository struct {
	t   *testing.T
	dir string
}

func newRepository(t *testing.T, initArgs ...string) repository {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := repository{t, dir}
	r.git(append([]string{"init", "--quiet", "--initial-branch=main"}, initArgs...)...)
	return r
}

func (r repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@acme.example", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@acme.example")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r repository) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// commit writes a file, commits all, and returns the commit's hash.
func (r repository) commit() string {
	r.t.Helper()
	r.write("file", "one\n")
	r.git("add", "--all")
	r.git("commit", "--quiet", "--allow-empty", "--message=m")
	return r.git("rev-parse", "HEAD")
}

func (r repository) detect(e env) Facts {
	r.t.Helper()
	f, err := Detect(r.t.Context(), e.get, r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	return f
}

func TestDesk(t *testing.T) {
	r := newRepository(t)
	r.git("remote", "add", "origin", "https://user:secret@github.com/Acme/x.git")
	head := r.commit()
	r.git("tag", "v1.0.0")
	r.write("untracked.tgz", "artifact")
	r.write("sub/dir/untracked", "")

	want := Facts{
		Kind: Desk, SourceRepo: "https://github.com/Acme/x", Commit: head, Branch: "main", Tag: "v1.0.0",
		Namespace: "io.github.acme", PublisherID: "github.com/Acme", PublisherURL: "https://github.com/Acme",
	}
	if diff := cmp.Diff(want, r.detect(env{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	sub, err := Detect(t.Context(), env{}.get, filepath.Join(r.dir, "sub", "dir"))
	if diff := cmp.Diff(want, sub); err != nil || diff != "" {
		t.Errorf("from a subdirectory: %v (-want +got):\n%s", err, diff)
	}
	want.Kind = CI
	if diff := cmp.Diff(want, r.detect(env{"CI": "true"})); diff != "" {
		t.Errorf("in a CI (-want +got):\n%s", diff)
	}
}

func TestDeskStates(t *testing.T) {
	for _, tt := range []struct {
		name  string
		make  func(r repository)
		want  Facts // Commit is HEAD's, if it has one, and not compared
		notes []string
	}{
		{"no commit, no remote", func(r repository) {}, Facts{}, []string{"no remote", "no commit yet"}},
		{"no origin, one remote", func(r repository) { r.git("remote", "add", "up.stream", "git@host.com:a/b"); r.commit() },
			Facts{SourceRepo: "https://host.com/a/b", Branch: "main", PublisherID: "host.com/a", PublisherURL: "https://host.com/a"}, nil},
		{"no origin, two remotes", func(r repository) {
			r.git("remote", "add", "a", "git@host.com:a/b")
			r.git("remote", "add", "b", "git@host.com:a/b")
			r.commit()
		}, Facts{Branch: "main"}, []string{"2 remotes and none is origin"}},
		{"origin with two URLs", func(r repository) {
			r.git("remote", "add", "origin", "git@host.com:a/b")
			r.git("remote", "set-url", "--add", "origin", "git@host.com:c/d")
			r.commit()
		}, Facts{SourceRepo: "https://host.com/a/b", Branch: "main", PublisherID: "host.com/a", PublisherURL: "https://host.com/a"}, nil},
		{"remote on this machine", func(r repository) { r.git("remote", "add", "origin", "/srv/secret"); r.commit() },
			Facts{Branch: "main"}, []string{"a path of one machine"}},
		{"remote by an alias of ssh", func(r repository) { r.git("remote", "add", "origin", "git@github-work:secret/x"); r.commit() },
			Facts{Branch: "main"}, []string{"no host that others can reach"}},
		{"insteadOf is not followed", func(r repository) {
			r.git("remote", "add", "origin", "https://github.com/acme/x")
			r.git("config", "url.https://user:secret@evil.com/.insteadOf", "https://github.com/")
			r.commit()
		}, Facts{SourceRepo: "https://github.com/acme/x", Branch: "main", Namespace: "io.github.acme", PublisherID: "github.com/acme", PublisherURL: "https://github.com/acme"}, nil},
		{"detached", func(r repository) { r.commit(); r.git("checkout", "--quiet", "--detach") },
			Facts{}, []string{"no remote"}},
		{"two tags", func(r repository) { r.commit(); r.git("tag", "v1"); r.git("tag", "v1.0.0") },
			Facts{Branch: "main"}, []string{"no remote", `["v1" "v1.0.0"]`}},
		{"annotated tag of the commit, another of its parent", func(r repository) {
			r.commit()
			r.git("tag", "v0")
			r.commit()
			r.git("tag", "--annotate", "--message=m", "v1")
		}, Facts{Branch: "main", Tag: "v1"}, []string{"no remote"}},
		{"branch with a bidi override", func(r repository) { r.commit(); r.git("checkout", "--quiet", "-b", "a\u202eb") },
			Facts{}, []string{"no remote", `\u202e`}},
		{"file changed", func(r repository) { r.commit(); r.write("file", "two\n") },
			Facts{Branch: "main", Dirty: true}, []string{"no remote", "tracked files differ"}},
		{"change staged", func(r repository) { r.commit(); r.write("new", ""); r.git("add", "new") },
			Facts{Branch: "main", Dirty: true}, []string{"no remote", "tracked files differ"}},
		{"file deleted", func(r repository) { r.commit(); _ = os.Remove(filepath.Join(r.dir, "file")) },
			Facts{Branch: "main", Dirty: true}, []string{"no remote", "tracked files differ"}},
		{"file touched", func(r repository) {
			r.commit()
			if err := os.Chtimes(filepath.Join(r.dir, "file"), time.Time{}, time.Unix(1, 0)); err != nil {
				r.t.Fatal(err)
			}
		}, Facts{Branch: "main"}, []string{"no remote"}},
		{"broken configuration", func(r repository) { r.commit(); r.write(".git/config", "[core\n") },
			Facts{}, []string{"git says nothing"}},
		{"bare", func(r repository) { r.git("init", "--quiet", "--bare", "."); r.git("config", "core.bare", "true") },
			Facts{}, []string{"git says nothing"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRepository(t)
			tt.make(r)
			got := r.detect(env{})
			tt.want.Kind = Desk
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(Facts{}, "Notes", "Commit")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			wantNotes(t, got.Notes, tt.notes...)
		})
	}
}

func TestDeskSHA256(t *testing.T) {
	r := newRepository(t, "--object-format=sha256")
	head := r.commit()
	if got := r.detect(env{}).Commit; len(head) != 64 || got != head {
		t.Errorf("commit %q, want %q", got, head)
	}
}

func TestDetectWorktree(t *testing.T) {
	r := newRepository(t)
	head := r.commit()
	other := repository{t, filepath.Join(r.dir, "tree")}
	r.git("worktree", "add", "--quiet", "-b", "other", other.dir)
	if f := other.detect(env{}); f.Commit != head || f.Branch != "other" || f.Dirty {
		t.Errorf("%+v, want commit %s of branch other", f, head)
	}
}

// Environment against checkout: the environment wins, and the difference is told.
func TestDetectDisagreement(t *testing.T) {
	r := newRepository(t)
	r.git("remote", "add", "origin", "https://github.com/octo-org/OCTO-repo")
	head := r.commit()
	r.git("tag", "v9")

	f := r.detect(github.with(env{"GITHUB_SHA": head}))
	want := githubFacts
	want.Commit = head
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("agreeing, but for the case of letters (-want +got):\n%s", diff)
	}

	f = r.detect(github)
	want = githubFacts
	want.Dirty = true
	if diff := cmp.Diff(want, f, cmpopts.IgnoreFields(Facts{}, "Notes")); diff != "" {
		t.Errorf("another commit (-want +got):\n%s", diff)
	}
	wantNotes(t, f.Notes, "the checkout is at commit "+head)

	r.git("remote", "set-url", "origin", "https://x:secret@github.com/other/repo")
	f = r.detect(github.with(env{"GITHUB_SHA": head}))
	want.Dirty, want.Commit = false, head
	if diff := cmp.Diff(want, f, cmpopts.IgnoreFields(Facts{}, "Notes")); diff != "" {
		t.Errorf("another repository (-want +got):\n%s", diff)
	}
	wantNotes(t, f.Notes, "the checkout is one of https://github.com/other/repo")

	// What the environment lacks comes from git, but for the names: without a
	// word from GitHub the commit is on no branch.
	f = r.detect(env{"GITHUB_ACTIONS": "true"})
	if f.SourceRepo != "https://github.com/other/repo" || f.Commit != head || f.Branch != "" || f.Tag != "" {
		t.Errorf("from git alone: %+v", f)
	}

	r.write("file", "changed")
	f = r.detect(gitlab.with(env{"CI_PROJECT_URL": "https://github.com/other/repo", "CI_COMMIT_SHA": head}))
	if !f.Dirty {
		t.Error("a changed file was not seen")
	}
	wantNotes(t, f.Notes, "tracked files differ")
}

// GIT_TEST_ASSUME_DIFFERENT_OWNER is git's own way to test what it does with
// another user's repository.
func TestOwnership(t *testing.T) {
	r := newRepository(t)
	head := r.commit()
	sub := filepath.Join(r.dir, "sub")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(r.dir, link); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, dir string
		ci        bool
		workspace string
		trusted   bool
	}{
		{"desk", r.dir, false, "", false},
		{"desk with a CI's workspace", r.dir, false, r.dir, false},
		{"CI, the workspace", r.dir, true, r.dir, true},
		{"CI, the workspace by a link", r.dir, true, link, true},
		{"CI, dir by a link", link, true, r.dir, true},
		{"CI, below the workspace", sub, true, r.dir, true},
		{"CI, checkout below the workspace", sub, true, filepath.Dir(r.dir), true},
		{"CI, no workspace named", sub, true, "", true},
		{"CI, outside the workspace", r.dir, true, t.TempDir(), false},
		{"CI, above the workspace", sub, true, sub, false},
		{"CI, no such workspace", r.dir, true, filepath.Join(r.dir, "gone"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, err := newGit(tt.dir, tt.ci, tt.workspace)
			if err != nil {
				t.Fatal(err)
			}
			g.env = append(g.env, "GIT_TEST_ASSUME_DIFFERENT_OWNER=1")
			c, err := g.checkout(t.Context())
			if tt.trusted && (err != nil || c.head != head) {
				t.Errorf("%+v, %v, want commit %s", c, err, head)
			}
			if !tt.trusted && (err == nil || !strings.Contains(err.Error(), "another user owns it")) {
				t.Errorf("%+v, %v, want an error about its owner", c, err)
			}
		})
	}
}

// The environment that we run in must not lead git to another repository.
func TestEnvironmentIsBuilt(t *testing.T) {
	other, r := newRepository(t), newRepository(t)
	other.git("remote", "add", "origin", "https://github.com/evil/x")
	other.commit()
	head := r.commit()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte("[remote \"origin\"]\n\turl = https://github.com/evil/x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"GIT_DIR": filepath.Join(other.dir, ".git"), "GIT_WORK_TREE": other.dir, "HOME": home, "XDG_CONFIG_HOME": home,
		"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "remote.origin.url", "GIT_CONFIG_VALUE_0": "https://github.com/evil/x",
		"GIT_CONFIG_PARAMETERS": "'remote.origin.url=https://github.com/evil/x'",
		"GIT_CONFIG_GLOBAL":     filepath.Join(home, ".gitconfig"), "GIT_CONFIG_SYSTEM": filepath.Join(home, ".gitconfig"),
	} {
		t.Setenv(name, value)
	}
	f, err := Detect(t.Context(), env{}.get, r.dir)
	if err != nil || f.SourceRepo != "" || f.Commit != head {
		t.Errorf("%+v, %v, want commit %s and no repository", f, err, head)
	}
}

func TestNoGit(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	f, err := Detect(t.Context(), github.get, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(githubFacts, f, cmpopts.IgnoreFields(Facts{}, "Notes")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantNotes(t, f.Notes, "no git on this machine")
}

// A desk waits for this each time: six short runs of git.
func BenchmarkDetect(b *testing.B) {
	dir, err := os.Getwd()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Detect(b.Context(), env{}.get, dir); err != nil {
			b.Fatal(err)
		}
	}
}
