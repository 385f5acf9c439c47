package provenance

import (
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/seal"
)

const (
	ours   = "https://github.com/mcp-integrity/seal-action/.github/workflows/seal.yml@refs/tags/v1.0.0"
	theirs = "https://github.com/acme/file-tools/.github/workflows/release.yml@refs/tags/v1.2.3"
)

func TestWarranted(t *testing.T) {
	isolated := Situation{Platform: GitHub, Hosted: true, Event: "push", Workflow: theirs, JobWorkflow: ours, BuiltHere: true, Checked: true}
	for _, c := range []struct {
		name   string
		change func(*Situation)
		want   int
		reason string
	}{
		{"isolated", func(s *Situation) {}, 3, "apart from the job that signs"},
		{"our action in their job", func(s *Situation) { s.JobWorkflow = theirs }, 2, "in the workflow that signs"},
		{"a reusable workflow of somebody", func(s *Situation) { s.JobWorkflow = strings.Replace(ours, "mcp-integrity/", "evil/", 1) }, 2, "in the workflow that signs"},
		{"of a repository with a longer name", func(s *Situation) { s.JobWorkflow = strings.Replace(ours, "seal-action", "seal-action-x", 1) }, 2, "in the workflow that signs"},
		{"of another server", func(s *Situation) { s.JobWorkflow = strings.Replace(ours, "github.com", "github.evil.example", 1) }, 2, "in the workflow that signs"},
		{"a file elsewhere in ours", func(s *Situation) { s.JobWorkflow = strings.Replace(ours, "seal.yml", "../x/seal.yml", 1) }, 2, "in the workflow that signs"},
		{"ours on a branch", func(s *Situation) { s.JobWorkflow = strings.Replace(ours, "tags/v1.0.0", "heads/main", 1) }, 2, "in the workflow that signs"},
		{"ours at a moving tag", func(s *Situation) { s.JobWorkflow = strings.Replace(ours, "v1.0.0", "v1", 1) }, 2, "in the workflow that signs"},
		{"ours at a commit, which a fork could have made", func(s *Situation) { s.JobWorkflow = strings.Replace(ours, "refs/tags/v1.0.0", commit, 1) }, 2, "in the workflow that signs"},
		{"ours with more behind it", func(s *Situation) { s.JobWorkflow += "-rc1" }, 2, "in the workflow that signs"},
		{"ours with a line before it", func(s *Situation) { s.JobWorkflow = "x\n" + ours }, 2, "in the workflow that signs"},
		{"ours, run by itself", func(s *Situation) { s.Workflow = ours }, 2, "in the workflow that signs"},
		{"ours, run by itself at another ref", func(s *Situation) { s.Workflow = strings.Replace(ours, "tags/v1.0.0", "heads/main", 1) }, 2, "in the workflow that signs"},
		{"an event with a payload", func(s *Situation) { s.Event = "repository_dispatch" }, 2, "parameters that no provenance records"},
		{"self-hosted", func(s *Situation) { s.Hosted = false }, 1, "self-hosted"},
		{"not compared", func(s *Situation) { s.Checked = false }, 1, "any step of the job"},
		{"built elsewhere", func(s *Situation) { s.BuiltHere = false }, 0, "built elsewhere"},
		{"a desk", func(s *Situation) { s.Platform = "" }, 0, "desk"},
		{"another platform", func(s *Situation) { s.Platform = "jenkins" }, 0, "desk"},
		{"nothing", func(s *Situation) { *s = Situation{} }, 0, "built elsewhere"},
		{"GitLab", func(s *Situation) { s.Platform = GitLab }, 2, "GitLab hosts the runner"},
		{"GitLab, self-hosted", func(s *Situation) { s.Platform, s.Hosted = GitLab, false }, 1, "self-hosted"},
		{"GitLab, built elsewhere", func(s *Situation) { s.Platform, s.BuiltHere = GitLab, false }, 0, "built elsewhere"},
	} {
		s := isolated
		c.change(&s)
		if level, reason := Warranted(s); level != c.want || !strings.Contains(reason, c.reason) {
			t.Errorf("%s: got %d, %q, want %d and %q", c.name, level, reason, c.want, c.reason)
		}
	}
}

// TestWarrantedBy: seal's side and verify's side come to the same level.
func TestWarrantedBy(t *testing.T) {
	for _, c := range []struct {
		name   string
		build  Build
		change func(*seal.Certificate)
		want   int
	}{
		{"GitHub", github(), nil, 2},
		{"GitHub, our workflow", func() Build {
			b := github()
			b.JobWorkflowRef = strings.TrimPrefix(ours, "https://github.com/")
			return b
		}(), nil, 3},
		{"GitHub, self-hosted", func() Build { b := github(); b.RunnerEnvironment = "self-hosted"; return b }(), nil, 1},
		{"GitLab", gitlab(), nil, 2},
		{"GitLab, self-hosted", func() Build { b := gitlab(); b.RunnerEnvironment = "self-hosted"; return b }(), nil, 1},
		{"no runner", github(), func(c *seal.Certificate) { c.RunnerEnvironment = "" }, 1},
		{"GitLab's word on GitHub", github(), func(c *seal.Certificate) { c.RunnerEnvironment = "gitlab-hosted" }, 1},
		{"a GitLab of one's own", gitlab(), func(c *seal.Certificate) {
			c.Issuer, c.SourceRepositoryURI = "https://git.acme.example", "https://git.acme.example/a/b"
		}, 1},
		{"a GitHub of one's own", github(), func(c *seal.Certificate) {
			c.Issuer, c.SourceRepositoryURI = "https://git.acme.example/_services/token", "https://git.acme.example/a/b"
		}, 1},
		{"a tenant", github(), func(c *seal.Certificate) {
			c.Issuer, c.SourceRepositoryURI = "https://token.actions.acme.ghe.com", "https://acme.ghe.com/a/b"
		}, 2},
		{"another issuer", github(), func(c *seal.Certificate) { c.Issuer = "https://accounts.google.com" }, 0},
		{"a person", github(), func(c *seal.Certificate) {
			*c = seal.Certificate{Issuer: "https://accounts.google.com", SAN: "a@example.com"}
		}, 0},
	} {
		certificate := certificateOf(c.build)
		if c.change == nil {
			if level, reason := Warranted(SituationOf(c.build)); level != c.want {
				t.Errorf("%s: when sealing got %d, %q, want %d", c.name, level, reason, c.want)
			}
		} else {
			c.change(&certificate)
		}
		if level, reason := WarrantedBy(certificate); level != c.want || reason == "" {
			t.Errorf("%s: got %d, %q, want %d", c.name, level, reason, c.want)
		}
	}
}
