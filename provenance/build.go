package provenance

import (
	"strings"
)

// Platform is what runs builds, and says by signed tokens which one is running.
type Platform string

// The platforms. A place without such tokens, a desk for one, is "".
const (
	GitHub Platform = "github"
	GitLab Platform = "gitlab"
)

// Build is what the platform's verified identity token says about the running
// build. Values are strings as the token has them; one that it does not have is
// "". What the environment alone says does not belong here: a step could have
// set it.
type Build struct {
	Platform Platform
	// ServerURL is such as https://github.com, without a trailing slash.
	ServerURL string
	// Repository is OWNER/NAME, on GitLab the project's full path.
	Repository string
	// RepositoryID and OwnerID are the platform's numbers, which outlive a
	// renaming: repository_id and repository_owner_id, project_id and
	// namespace_id.
	RepositoryID, OwnerID string
	// Owner is the owner's name, on GitLab the namespace's path.
	Owner string
	// Ref is the source's full ref, such as refs/tags/v1.2.3. GitLab's token has
	// a short one: refs/heads/ goes before it where ref_type is branch, and
	// refs/tags/ otherwise, as Fulcio does for the certificate.
	Ref string
	// Commit is the whole hash of what Ref was, in lower-case hex.
	Commit string
	// WorkflowRef is PATH@REF of the file that defines the whole run: GitHub's
	// workflow_ref, OWNER/NAME/PATH@REF, and GitLab's ci_config_ref_uri,
	// HOST/PROJECT//PATH@REF.
	WorkflowRef string
	// JobWorkflowRef is GitHub's job_workflow_ref: the file that defines the
	// running job, which another workflow may have called. Unused on GitLab.
	JobWorkflowRef string
	// Event is what started the run: event_name, pipeline_source.
	Event string
	// RunnerEnvironment is github-hosted, gitlab-hosted or self-hosted.
	RunnerEnvironment string
	// RunID and RunAttempt are GitHub's, JobID and RunnerID GitLab's.
	RunID, RunAttempt string
	JobID, RunnerID   string
	// Visibility is public, private or internal.
	Visibility string
}

// SourceRepo is the URL of the source repository, for the manifest's source_repo.
func (b Build) SourceRepo() string { return b.ServerURL + "/" + b.Repository }

// runnerPath lies between a GitLab project's URL and the number of a runner.
const runnerPath = "/-/runners/"

// BuilderID is who vouches for the build, for the manifest's builder_id: the
// workflow file that holds the signing job, on GitLab the runner.
func (b Build) BuilderID() string {
	if b.Platform == GitLab {
		return b.SourceRepo() + runnerPath + b.RunnerID
	}
	return b.ServerURL + "/" + b.JobWorkflowRef
}

var buildSystems = map[Platform]string{GitHub: "github-actions", GitLab: "gitlab-ci"}

// BuildSystem is the platform's name in MIS §12.2, for the manifest's
// build_system. It is "" where there is no platform.
func (b Build) BuildSystem() string { return buildSystems[b.Platform] }

// BuildWorkflow is the path of the file that defines the run, for the
// manifest's build_workflow. A file of another repository keeps that
// repository's name before its path.
func (b Build) BuildWorkflow() string { return b.facts().path() }

// InvocationID is the URL of the running build, on GitLab of its job.
func (b Build) InvocationID() string {
	if b.Platform == GitLab {
		return b.SourceRepo() + "/-/jobs/" + b.JobID
	}
	return b.SourceRepo() + "/actions/runs/" + b.RunID + "/attempts/" + b.RunAttempt
}

// facts are what a predicate is made of. A build has them, and a certificate
// has them: that is what makes a predicate checkable.
type facts struct {
	platform   Platform
	source     string // URL of the source repository
	sourceID   string
	ownerID    string
	ref        string
	commit     string
	config     string // URI@REF of the file that defines the run
	signer     string // URI@REF of the file that defines the signing job
	trigger    string
	runner     string // its class
	builder    string
	invocation string
}

func (b Build) facts() facts {
	f := facts{
		platform: b.Platform, source: b.SourceRepo(), sourceID: b.RepositoryID, ownerID: b.OwnerID,
		ref: b.Ref, commit: b.Commit, config: b.ServerURL + "/" + b.WorkflowRef, signer: b.ServerURL + "/" + b.JobWorkflowRef,
		trigger: b.Event, runner: b.RunnerEnvironment, builder: b.BuilderID(), invocation: b.InvocationID(),
	}
	if b.Platform == GitLab {
		f.config = "https://" + b.WorkflowRef
		f.signer = f.config
	}
	return f
}

// path is that of the defining file in the source repository, and
// OWNER/NAME/PATH where the file lies in another one. A path and a ref may hold
// an @, so the known ref is cut off, not what follows an @; only a file at
// another ref than the source's is cut at its last "@refs/".
func (f facts) path() string {
	file, ok := strings.CutSuffix(f.config, "@"+f.ref)
	if !ok {
		n := strings.LastIndex(f.config, "@refs/")
		if n < 0 {
			return ""
		}
		file = f.config[:n]
	}
	if own, ok := strings.CutPrefix(file, f.source+"/"); ok {
		return strings.TrimPrefix(own, "/") // GitLab has two slashes there
	}
	return strings.TrimPrefix(file, server(f.source)+"/")
}

// server is the scheme and host of a URL, "" where it is no https URL.
func server(url string) string {
	rest, ok := strings.CutPrefix(url, "https://")
	host, _, _ := strings.Cut(rest, "/")
	if !ok || host == "" {
		return ""
	}
	return "https://" + host
}
