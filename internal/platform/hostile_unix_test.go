//go:build unix

package platform

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Nothing that a repository's configuration names as a program may run: each
// trap below would leave a file. Hooks and partial clones are held by two
// settings each, as older gits lack one of them.
func TestNoProgramRuns(t *testing.T) {
	canary := filepath.Join(t.TempDir(), "canary")
	trap := fmt.Sprintf("sh -c 'touch %s; cat'", canary)
	script := filepath.Join(t.TempDir(), "trap.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ntouch "+canary+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		blind bool // the state of the files cannot be seen without the program
		make  func(r repository)
	}{
		{"fsmonitor", false, func(r repository) { r.git("config", "core.fsmonitor", script) }},
		{"hooks", false, func(r repository) {
			for _, h := range []string{"post-index-change", "post-checkout", "reference-transaction"} {
				r.write(".git/hooks/"+h, "#!/bin/sh\ntouch "+canary+"\n")
				if err := os.Chmod(filepath.Join(r.dir, ".git/hooks", h), 0o755); err != nil {
					r.t.Fatal(err)
				}
			}
		}},
		{"clean filter", false, func(r repository) {
			r.git("config", "filter.Tr.ap.clean", trap)
			r.git("config", "filter.Tr.ap.required", "true")
			r.write(".git/info/attributes", "* filter=Tr.ap\n")
		}},
		{"filter process", false, func(r repository) {
			r.git("config", "filter.trap.process", script)
			r.git("config", "filter.trap.required", "true")
			r.write(".git/info/attributes", "* filter=trap\n")
		}},
		{"filter in an included file", false, func(r repository) {
			r.write(".git/more", "[filter \"trap\"]\n\tclean = "+script+"\n")
			r.git("config", "include.path", "more")
			r.write(".git/info/attributes", "* filter=trap\n")
		}},
		{"filter with an equals sign", true, func(r repository) {
			r.git("config", "filter.a=b.clean", trap)
			r.write(".git/info/attributes", "* filter=a=b\n")
		}},
		{"pager, editor, diff", false, func(r repository) {
			for _, name := range []string{"core.pager", "pager.status", "core.editor", "diff.external", "core.askPass", "core.sshCommand", "core.alternateRefsCommand", "gpg.program"} {
				r.git("config", name, script)
			}
		}},
		{"partial clone", true, func(r repository) {
			r.git("config", "core.repositoryFormatVersion", "1")
			r.git("config", "extensions.partialClone", "origin")
			r.git("config", "remote.origin.url", "ssh://host.com/a/b")
			r.git("config", "remote.origin.promisor", "true")
			r.git("config", "remote.origin.uploadpack", script)
			r.git("config", "core.sshCommand", script)
			tree := r.git("rev-parse", "HEAD^{tree}")
			r.write("new", "")
			r.git("add", "new") // the index alone no longer knows the tree
			if err := os.Remove(filepath.Join(r.dir, ".git/objects", tree[:2], tree[2:])); err != nil {
				r.t.Fatal(err)
			}
		}},
		{"submodule", false, func(r repository) {
			sub := newRepository(r.t)
			sub.commit()
			r.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", sub.dir, "sub")
			r.git("commit", "--quiet", "--message=m")
			inner := repository{r.t, filepath.Join(r.dir, "sub")}
			inner.git("config", "core.fsmonitor", script)
			inner.git("config", "filter.trap.clean", trap)
			r.write(".git/modules/sub/info/attributes", "* filter=trap\n")
			inner.write("file", "two\n")
			_ = os.Remove(canary) // the commands above may run it
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRepository(t)
			r.commit()
			tt.make(r)
			// Of another length, so that status need not read it, and of the
			// same, so that it must.
			r.write("file", "two\n")
			if err := os.RemoveAll(canary); err != nil {
				t.Fatal(err)
			}
			f := r.detect(env{})
			if f.Dirty == tt.blind {
				t.Errorf("dirty: %t, want %t; notes %q", f.Dirty, !tt.blind, f.Notes)
			}
			r.write("file", "longer\n")
			r.detect(env{"CI": "true"})
			if _, err := os.Stat(canary); err == nil {
				t.Error("a program of the repository ran")
			}
		})
	}
}

// The traps must be good ones: with git as a shell has it, they run.
func TestTrapsWork(t *testing.T) {
	canary := filepath.Join(t.TempDir(), "canary")
	r := newRepository(t)
	r.commit()
	r.git("config", "filter.trap.clean", fmt.Sprintf("sh -c 'touch %s; cat'", canary))
	r.write(".git/info/attributes", "* filter=trap\n")
	r.write("file", "two\n")
	r.git("status", "--porcelain")
	if _, err := os.Stat(canary); err != nil {
		t.Error("a plain git status did not run the filter: TestNoProgramRuns shows nothing")
	}
}

// A bare repository planted as files inside a checkout brings its own
// configuration to whoever runs git in that directory.
func TestPlantedBareRepository(t *testing.T) {
	r := newRepository(t)
	r.commit()
	planted := repository{t, filepath.Join(r.dir, "vendor")}
	r.git("init", "--quiet", "--bare", planted.dir)
	planted.git("remote", "add", "origin", "https://github.com/evil/x")
	planted.git("config", "core.bare", "false")
	planted.git("config", "core.worktree", planted.dir)
	f := planted.detect(env{"CI": "true"})
	if f.SourceRepo != "" || f.Commit != "" {
		t.Errorf("the planted repository was read: %+v", f)
	}
	wantNotes(t, f.Notes, "git says nothing")
}

// fakeGit puts a program named git on the path.
func fakeGit(t *testing.T, script string) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "git"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestGitThatMisbehaves(t *testing.T) {
	for _, tt := range []struct{ name, script, note string }{
		{"writes for ever", "exec yes", "bytes of output"},
		{"writes errors for ever", "head -c 100000000 /dev/zero >&2; exit 3", "git rev-parse"},
		{"dies", "exit 3", "exit status 3"},
		{"speaks terminal", `printf 'fatal: \033[31m\n' >&2; exit 128`, `\x1b[31m`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fakeGit(t, tt.script)
			f, err := Detect(t.Context(), github.get, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			wantNotes(t, f.Notes, tt.note)
		})
	}
}

func TestGitThatHangs(t *testing.T) {
	fakeGit(t, "sleep 100 & sleep 100")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	c, err := readCheckout(ctx, t.TempDir(), false, "")
	if err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("%+v, %v", c, err)
	}
	// The child of the child holds the pipes: only gitWait ends that.
	if took := time.Since(start); took > 300*time.Millisecond+2*gitWait {
		t.Errorf("took %v", took)
	}
}

func TestManyChangedFiles(t *testing.T) {
	r := newRepository(t)
	for i := range 6000 {
		r.write(fmt.Sprintf("%d/%s", i%10, strings.Repeat(fmt.Sprintf("%d-", i), 40)), "")
	}
	r.commit()
	for i := range 10 {
		if err := os.RemoveAll(filepath.Join(r.dir, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if f := r.detect(env{}); !f.Dirty {
		t.Errorf("%+v, want it dirty although git said more than %d bytes", f, gitOutput)
	}
}
