package provenance

import (
	"regexp"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/seal"
)

// Situation is what decides which SLSA Build level a provenance supports.
type Situation struct {
	// Platform ran the build; "" at a desk and wherever no token says so.
	Platform Platform
	// Hosted says that the platform itself operates the runner.
	Hosted bool
	// Event started the run.
	Event string
	// Workflow is the URI@REF of the file that defines the run, JobWorkflow that
	// of the file that defines the signing job.
	Workflow, JobWorkflow string
	// BuiltHere says that the run which signs is the one that built.
	BuiltHere bool
	// Checked says that whoever relies on the provenance compares it with the
	// certificate, as [Check] does.
	Checked bool
}

// SituationOf is that of a build that made the artifact itself, and whose
// provenance will be checked.
func SituationOf(b Build) Situation {
	f := b.facts()
	return Situation{
		Platform: b.Platform, Hosted: hostedBy(b.Platform, b.ServerURL, b.RunnerEnvironment), Event: b.Event,
		Workflow: f.config, JobWorkflow: f.signer, BuiltHere: true, Checked: true,
	}
}

// hostedBy says whether the platform itself operates a runner. Only github.com,
// its tenants and gitlab.com do: on a server of one's own, runners are one's
// own, whatever they call themselves.
func hostedBy(p Platform, server, runner string) bool {
	switch p {
	case GitHub:
		return runner == "github-hosted" && (server == "https://github.com" || strings.HasSuffix(server, ".ghe.com"))
	case GitLab:
		return runner == "gitlab-hosted" && server == seal.GitLabIssuer
	}
	return false
}

// isolating is the form of our own reusable workflows, in which build,
// extraction and hashing run in other jobs than the one that signs. Each
// workflow in that directory that can be called must keep to that. They count
// at a release's tag only: at a commit, GitHub would also run a commit of any
// fork of the repository.
var isolating = regexp.MustCompile(`^https://github\.com/mcp-integrity/seal-action/(\.github/workflows/[A-Za-z0-9_-]+\.yml)@refs/tags/v[0-9]+\.[0-9]+\.[0-9]+$`)

// isolated says whether a reusable workflow of ours ran the signing job. The
// same file as the run's own definition was started, not called.
func (s Situation) isolated() bool {
	m := isolating.FindStringSubmatch(s.JobWorkflow)
	return m != nil && !strings.HasPrefix(s.Workflow, "https://github.com/mcp-integrity/seal-action/"+m[1]+"@")
}

// Warranted is the highest SLSA Build level (https://slsa.dev/spec/v1.1/levels)
// that may honestly be claimed in s, 0 to 3, and a sentence that says why it is
// not another one. The manifest's slsa_level is at most this (decision 15).
func Warranted(s Situation) (level int, reason string) {
	switch {
	case !s.BuiltHere:
		return 0, "the artifact was built elsewhere: this run can say nothing of its build"
	case s.Platform != GitHub && s.Platform != GitLab:
		return 0, "no platform vouches for a build at a desk"
	case !s.Checked:
		return 1, "the provenance is not compared with the certificate, so any step of the job could have written it"
	case !s.Hosted:
		return 1, "the runner is self-hosted: whoever operates it can change what it builds and says"
	case s.Platform == GitLab:
		return 2, "GitLab hosts the runner, and the build runs in the job that signs"
	case !s.isolated():
		return 2, "GitHub hosts the runner, and the build runs in the workflow that signs"
	case !slices.Contains(workflowEvents, s.Event):
		return 2, "the build ran isolated, but the event that started it has parameters that no provenance records"
	}
	return 3, "GitHub hosts the runner, and the build ran in a reusable workflow of mcp-integrity/seal-action, apart from the job that signs"
}

// WarrantedBy is the level that c warrants for a provenance that [Check] has
// accepted, by the rules of [Warranted].
func WarrantedBy(c seal.Certificate) (level int, reason string) {
	p := issuerPlatform(c)
	if p == "" {
		return 0, "no platform whose tokens are known vouches for the build"
	}
	return Warranted(Situation{
		Platform: p, Hosted: hostedBy(p, server(c.SourceRepositoryURI), c.RunnerEnvironment), Event: c.BuildTrigger,
		Workflow: c.BuildConfigURI, JobWorkflow: c.BuildSignerURI, BuiltHere: true, Checked: true,
	})
}
