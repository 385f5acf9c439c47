package provenance

import (
	"errors"
	"fmt"
	"regexp"
	"unicode"
	"unicode/utf8"
)

// Forms of what a token says. A value that has another form would make a
// predicate that means something else, or nothing.
var (
	numberForm   = regexp.MustCompile(`^[0-9]{1,20}$`)
	wordForm     = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)
	commitForm   = regexp.MustCompile(`^[0-9a-f]{40}$`) // in-toto's own validation takes no other
	serverForm   = regexp.MustCompile(`^https://[a-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9_.-]+)*$`)
	repoForm     = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$`)
	refForm      = regexp.MustCompile(`^refs/.+$`)
	workflowForm = regexp.MustCompile(`^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+/.+@.+$`)
	configForm   = regexp.MustCompile(`^[a-z0-9.-]+(:[0-9]{1,5})?/.+//.+@refs/.+$`)
)

// check returns an error that names the first member of b that a statement
// needs and that is absent or has no form that a token gives it.
func (b Build) check() error {
	type member struct {
		name, value string
		form        *regexp.Regexp
		example     string
	}
	all := []member{
		{"server URL", b.ServerURL, serverForm, "https://github.com"},
		{"repository", b.Repository, repoForm, "acme/file-tools"},
		{"repository id", b.RepositoryID, numberForm, "74"},
		{"owner id", b.OwnerID, numberForm, "65"},
		{"ref", b.Ref, refForm, "refs/tags/v1.2.3"},
		{"commit", b.Commit, commitForm, "40 digits of lower-case hex"},
		{"event", b.Event, wordForm, "push"},
		{"runner environment", b.RunnerEnvironment, wordForm, "github-hosted"},
	}
	switch b.Platform {
	case GitHub:
		all = append(all,
			member{"workflow ref", b.WorkflowRef, workflowForm, "acme/file-tools/.github/workflows/release.yml@refs/tags/v1.2.3"},
			member{"job workflow ref", b.JobWorkflowRef, workflowForm, "acme/file-tools/.github/workflows/release.yml@refs/tags/v1.2.3"},
			member{"run id", b.RunID, numberForm, "30433642"},
			member{"run attempt", b.RunAttempt, numberForm, "1"})
	case GitLab:
		all = append(all,
			member{"workflow ref", b.WorkflowRef, configForm, "gitlab.com/acme/file-tools//.gitlab-ci.yml@refs/tags/v1.2.3"},
			member{"job id", b.JobID, numberForm, "302"},
			member{"runner id", b.RunnerID, numberForm, "12270837"})
	default:
		return fmt.Errorf("build: platform %.100q: only %s and %s say by a token what runs on them", b.Platform, GitHub, GitLab)
	}
	for _, m := range all {
		if err := checkText(m.value, maxFact); err != nil {
			return fmt.Errorf("build: %s: %w", m.name, err)
		}
		if !m.form.MatchString(m.value) {
			return fmt.Errorf("build: %s: got %.100q, want such as %q", m.name, m.value, m.example)
		}
	}
	if hasDots(b.Repository) {
		return fmt.Errorf("build: repository: got %.100q, want no segment \".\" or \"..\" in it", b.Repository)
	}
	if b.facts().path() == "" {
		return fmt.Errorf("build: workflow ref: got %.100q, want one that ends with @ and a ref", b.WorkflowRef)
	}
	return nil
}

// checkText refuses what cannot be printed: it would not survive a log, and
// could look like something else.
func checkText(s string, most int) error {
	switch {
	case s == "":
		return errors.New("it is empty")
	case len(s) > most:
		return fmt.Errorf("%d bytes, want at most %d", len(s), most)
	case !utf8.ValidString(s):
		return fmt.Errorf("%.100q is no UTF-8", s)
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("%.100q has the character %U", s, r)
		}
	}
	return nil
}
