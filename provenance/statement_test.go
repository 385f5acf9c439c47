package provenance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewIsGolden(t *testing.T) {
	for name, b := range builds() {
		t.Run(name, func(t *testing.T) {
			want := golden(t, name+".json")
			for range 5 { // maps are walked in another order each time
				if diff := cmp.Diff(string(want), string(mustNew(t, b))); diff != "" {
					t.Fatal(diff)
				}
			}
		})
	}
}

// TestBuildRefused: a statement with a hole, or with a value that says
// something else than it seems to, is never made.
func TestBuildRefused(t *testing.T) {
	for name, change := range map[string]func(*Build){
		`platform "": only`:        func(b *Build) { b.Platform = "" },
		`platform "jenkins": only`: func(b *Build) { b.Platform = "jenkins" },
		"server URL: it is empty":  func(b *Build) { b.ServerURL = "" },
		"server URL: got":          func(b *Build) { b.ServerURL = "https://github.com/" },
		"server URL: got \"http:":  func(b *Build) { b.ServerURL = "http://github.com" },
		"server URL: got \"https:": func(b *Build) { b.ServerURL = "https://me@github.com" },
		"repository: got":          func(b *Build) { b.Repository = "acme" },
		"repository: got \"../x":   func(b *Build) { b.Repository = "../x" },
		"repository: got \"acme/t": func(b *Build) { b.Repository = "acme/tools?x" },
		"repository id: got":       func(b *Build) { b.RepositoryID = "7.4e1" },
		"owner id: it is empty":    func(b *Build) { b.OwnerID = "" },
		"ref: got":                 func(b *Build) { b.Ref = "main" },
		"ref: \"refs/heads/a":      func(b *Build) { b.Ref = "refs/heads/a\nb" },
		"ref: \"refs/heads/\\xff":  func(b *Build) { b.Ref = "refs/heads/\xff" },
		"character U+202E":         func(b *Build) { b.Ref = "refs/heads/\u202e" },
		"ref: 2060 bytes":          func(b *Build) { b.Ref = "refs/heads/x" + strings.Repeat("y", 2048) },
		"commit: got \"4d2e":       func(b *Build) { b.Commit = commit[:12] },
		"commit: got":              func(b *Build) { b.Commit = strings.ToUpper(commit) },
		"event: it is empty":       func(b *Build) { b.Event = "" },
		"runner environment: got":  func(b *Build) { b.RunnerEnvironment = "GitHub hosted" },
		"workflow ref: it is":      func(b *Build) { b.WorkflowRef = "" },
		"workflow ref: got":        func(b *Build) { b.WorkflowRef = "acme/file-tools/x.yml@main" },
		"job workflow ref: it is":  func(b *Build) { b.JobWorkflowRef = "" },
		"job workflow ref: got":    func(b *Build) { b.JobWorkflowRef = "acme/file-tools/x.yml" },
		"run id: it is empty":      func(b *Build) { b.RunID = "" },
		"run attempt: got":         func(b *Build) { b.RunAttempt = "-1" },
		"job id: it is empty":      func(b *Build) { *b = gitlab(); b.JobID = "" },
		"runner id: it is empty":   func(b *Build) { *b = gitlab(); b.RunnerID = "" },
		"workflow ref: got \"gitl": func(b *Build) { *b = gitlab(); b.WorkflowRef = "gitlab.com/a/b/.gitlab-ci.yml@refs/heads/main" },
	} {
		b := github()
		change(&b)
		if payload, err := New(b, subjects()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want an error with %q, got %v and %s", name, err, payload)
		}
	}
}

func TestSubjects(t *testing.T) {
	d := func(c string) map[string]string { return map[string]string{"sha256": strings.Repeat(c, 64)} }
	long := map[string]string{"sha512": strings.Repeat("a", 128)}
	both := map[string]string{"sha256": strings.Repeat("a", 64), "sha512": strings.Repeat("a", 128)}
	var many []Subject
	for n := range MaxSubjects + 1 {
		many = append(many, Subject{Name: fmt.Sprint(n), Digest: d("a")})
	}
	for _, c := range []struct {
		name    string
		in      []Subject
		want    []string
		refused string
	}{
		{"none", nil, nil, "0 subjects, want 1 to 1024"},
		{"too many", many, nil, "1025 subjects, want 1 to 1024"},
		{"as many as may be", append(many[:MaxSubjects:MaxSubjects], many[0]), nil, ""},
		{"no name", []Subject{{Digest: d("a")}}, nil, "name: it is empty"},
		{"a name for a terminal", []Subject{{Name: "a\x1b[2J", Digest: d("a")}}, nil, "U+001B"},
		{"no digest", []Subject{{Name: "a"}}, nil, "0 digests"},
		{"upper case", []Subject{{Name: "a", Digest: map[string]string{"sha256": strings.Repeat("A", 64)}}}, nil, "lower-case hex"},
		{"too short", []Subject{{Name: "a", Digest: map[string]string{"sha256": "aa"}}}, nil, "sha256: got \"aa\""},
		{"a name of an algorithm that nobody compares", []Subject{{Name: "a", Digest: map[string]string{"SHA256": strings.Repeat("a", 64)}}}, nil, "want a sha256 or a sha512"},
		{"two files of one name", []Subject{{"a", d("a")}, {"a", d("b")}}, nil, "two artifacts have that name"},
		{"one name, incomparable", []Subject{{"a", d("a")}, {"a", long}}, nil, "cannot be compared"},
		{"twice", []Subject{{"a", d("a")}, {"a", d("a")}}, []string{"a"}, ""},
		{"twice, more digests", []Subject{{"a", d("a")}, {"a", both}}, []string{"a"}, ""},
		{"one file under two names", []Subject{{"b", d("a")}, {"a", d("a")}}, []string{"a", "b"}, ""},
		{"sorted", []Subject{{"c", d("c")}, {"a", d("b")}, {"b", d("a")}}, []string{"a", "b", "c"}, ""},
	} {
		payload, err := New(github(), c.in)
		if c.refused != "" || err != nil {
			if err == nil || c.refused == "" || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s: got the error %v, want one with %q", c.name, err, c.refused)
			}
			continue
		}
		if c.want == nil {
			continue
		}
		var got []string
		for _, s := range mustParse(t, payload).Subjects {
			got = append(got, s.Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestNewLeavesSubjectsAlone: they are the caller's.
func TestNewLeavesSubjectsAlone(t *testing.T) {
	first := map[string]string{"sha256": strings.Repeat("a", 64)}
	kept := maps.Clone(first)
	in := []Subject{{"b", first}, {"b", map[string]string{"sha256": first["sha256"], "sha512": strings.Repeat("a", 128)}}, {"a", first}}
	if _, err := New(github(), in); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(first, kept) || in[0].Name != "b" {
		t.Errorf("got %v", in)
	}
}

func TestBuildTypeOf(t *testing.T) {
	for event, want := range map[string]string{
		"create": BuildTypeGitHub, "release": BuildTypeGitHub, "push": BuildTypeGitHub, "workflow_dispatch": BuildTypeGitHub,
		"pull_request": BuildTypeGitHubEvent, "pull_request_target": BuildTypeGitHubEvent, "schedule": BuildTypeGitHubEvent,
		"repository_dispatch": BuildTypeGitHubEvent, "workflow_run": BuildTypeGitHubEvent, "merge_group": BuildTypeGitHubEvent,
		"issue_comment": BuildTypeGitHubEvent, "workflow_call": BuildTypeGitHubEvent, "Push": BuildTypeGitHubEvent,
	} {
		b := github()
		b.Event = event
		if got := BuildTypeOf(b); got != want {
			t.Errorf("%s: got %s, want %s", event, got, want)
		}
		b.Platform = ""
		if got := BuildTypeOf(b); got != "" {
			t.Errorf("%s at a desk: got %s", event, got)
		}
		b = gitlab()
		b.Event = event
		if got := BuildTypeOf(b); got != BuildTypeGitLab {
			t.Errorf("%s on GitLab: got %s", event, got)
		}
	}
}

// TestBuildWorkflow: paths and refs with an @ are cut at the known ref.
func TestBuildWorkflow(t *testing.T) {
	const own = "acme/file-tools/"
	for _, c := range []struct{ ref, workflow, want string }{
		{"refs/heads/main", own + ".github/workflows/a.yml@refs/heads/main", ".github/workflows/a.yml"},
		{"refs/heads/a@b", own + ".github/workflows/a.yml@refs/heads/a@b", ".github/workflows/a.yml"},
		{"refs/heads/a@refs/b", own + ".github/workflows/a.yml@refs/heads/a@refs/b", ".github/workflows/a.yml"},
		{"refs/tags/pkg@1.2.3", own + ".github/workflows/a@b.yml@refs/tags/pkg@1.2.3", ".github/workflows/a@b.yml"},
		{"refs/tags/v1", own + ".github/workflows/my release.yml@refs/tags/v1", ".github/workflows/my release.yml"},
		{"refs/heads/x", own + ".github/workflows/a@refs/b.yml@refs/heads/main", ".github/workflows/a@refs/b.yml"},
		{"refs/pull/7/merge", own + ".github/workflows/a.yml@refs/heads/main", ".github/workflows/a.yml"},
		{"refs/heads/main", "acme/rules/.github/workflows/a.yml@refs/heads/main", "acme/rules/.github/workflows/a.yml"},
		{"refs/heads/main", "acme/file-tools-2/.github/workflows/a.yml@refs/heads/main", "acme/file-tools-2/.github/workflows/a.yml"},
	} {
		b := github()
		b.Ref, b.WorkflowRef = c.ref, c.workflow
		if got := b.BuildWorkflow(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.workflow, got, c.want)
		}
		if m := Check(mustParse(t, mustNew(t, b)), Expected{Certificate: certificateOf(b), Artifacts: expected(b).Artifacts}); m != nil {
			t.Errorf("%s: %v", c.workflow, m)
		}
	}
	b := gitlab()
	b.Ref, b.WorkflowRef = "refs/tags/a@b", "gitlab.com/acme/tools/file-tools//ci/x@y.yml@refs/tags/a@b"
	if got := b.BuildWorkflow(); got != "ci/x@y.yml" {
		t.Errorf("GitLab: got %q", got)
	}
}
