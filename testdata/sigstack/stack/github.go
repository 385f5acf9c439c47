package stack

import (
	"fmt"
	"net/url"
	"strings"
)

// Variables are an environment's, in the order of a platform's own list.
type Variables []Variable

// Variable is one of an environment.
type Variable struct{ Name, Value string }

// Add appends a variable, unless its value is empty: platforms leave out most
// of what does not apply.
func (v *Variables) Add(name, value string) {
	if value != "" {
		*v = append(*v, Variable{name, value})
	}
}

// GitHubJob is what GitHub knows of a job. Environment and claims are made of
// the same facts, as at GitHub; Lies alone sets claims apart.
type GitHubJob struct {
	Repository, RepositoryID, OwnerID, Visibility string
	Ref, SHA, Event, BaseRef, HeadRef             string
	Workflow, WorkflowPath, WorkflowSHA           string
	JobWorkflowRef, JobWorkflowSHA                string // of the reusable workflow, where the job is in one
	RunID, RunNumber, RunAttempt                  string
	Actor, ActorID, Job, Environment, Runner      string
	Lies                                          claims
}

// gitHubJob reads a job from a query; what it does not name has the value of a
// push to main of a public repository.
func gitHubJob(q url.Values) GitHubJob {
	get := func(name, fallback string) string { return lookup(q, name, fallback) }
	j := GitHubJob{
		Repository: get("repository", "octo-org/octo-mcp"), RepositoryID: get("repository_id", "74"), OwnerID: get("repository_owner_id", "65"),
		Visibility: get("repository_visibility", "public"), Event: get("event_name", "push"),
		Ref: get("ref", "refs/heads/main"), SHA: get("sha", strings.Repeat("ab", 20)), BaseRef: get("base_ref", ""), HeadRef: get("head_ref", ""),
		Workflow: get("workflow", "release"), WorkflowPath: get("workflow_path", ".github/workflows/release.yml"),
		RunID: get("run_id", "30433642"), RunNumber: get("run_number", "10"), RunAttempt: get("run_attempt", "2"),
		Actor: get("actor", "octocat"), ActorID: get("actor_id", "12"), Job: get("job", "release"),
		Environment: get("environment", ""), Runner: get("runner_environment", "github-hosted"),
	}
	j.WorkflowSHA = get("workflow_sha", j.SHA)
	j.JobWorkflowRef = get("job_workflow_ref", j.workflowRef())
	j.JobWorkflowSHA = get("job_workflow_sha", j.WorkflowSHA)
	j.Lies = lies(q)
	return j
}

// lies are the parameters claim.NAME: claims that the environment contradicts.
func lies(q url.Values) claims {
	out := claims{}
	for name := range q {
		if claim, ok := strings.CutPrefix(name, "claim."); ok {
			out[claim] = lookup(q, name, "")
		}
	}
	return out
}

func (j GitHubJob) workflowRef() string { return j.Repository + "/" + j.WorkflowPath + "@" + j.Ref }

func (j GitHubJob) owner() string {
	owner, _, _ := strings.Cut(j.Repository, "/")
	return owner
}

// refType is "tag" for tags and "branch" for all else, pull requests included,
// as GitHub has it.
func (j GitHubJob) refType() string {
	if strings.HasPrefix(j.Ref, "refs/tags/") {
		return "tag"
	}
	return "branch"
}

// refName is a reference as people write it.
func (j GitHubJob) refName() string {
	for _, prefix := range []string{"refs/heads/", "refs/tags/", "refs/pull/"} {
		if short, ok := strings.CutPrefix(j.Ref, prefix); ok {
			return short
		}
	}
	return j.Ref
}

func (j GitHubJob) subject() string {
	switch {
	case j.Environment != "":
		return fmt.Sprintf("repo:%s:environment:%s", j.Repository, j.Environment)
	case j.Event == "pull_request":
		return fmt.Sprintf("repo:%s:pull_request", j.Repository)
	}
	return fmt.Sprintf("repo:%s:ref:%s", j.Repository, j.Ref)
}

// claims are those of the job's identity token.
func (j GitHubJob) claims() claims {
	c := claims{
		"sub": j.subject(), "ref": j.Ref, "ref_type": j.refType(), "ref_protected": "true", "sha": j.SHA,
		"head_ref": j.HeadRef, "base_ref": j.BaseRef, "event_name": j.Event,
		"repository": j.Repository, "repository_id": j.RepositoryID, "repository_visibility": j.Visibility,
		"repository_owner": j.owner(), "repository_owner_id": j.OwnerID,
		"run_id": j.RunID, "run_number": j.RunNumber, "run_attempt": j.RunAttempt,
		"actor": j.Actor, "actor_id": j.ActorID, "runner_environment": j.Runner,
		"workflow": j.Workflow, "workflow_ref": j.workflowRef(), "workflow_sha": j.WorkflowSHA,
		"job_workflow_ref": j.JobWorkflowRef, "job_workflow_sha": j.JobWorkflowSHA,
	}
	if j.Environment != "" {
		c["environment"] = j.Environment
	}
	for name, value := range j.Lies {
		c[name] = value
	}
	return c
}

// variables are the environment of the job's steps, without the paths, which
// are those of whoever runs the step.
func (j GitHubJob) variables() Variables {
	var v Variables
	v.Add("CI", "true")
	v.Add("GITHUB_ACTIONS", "true")
	v.Add("GITHUB_SERVER_URL", "https://github.com")
	v.Add("GITHUB_API_URL", "https://api.github.com")
	v.Add("GITHUB_REPOSITORY", j.Repository)
	v.Add("GITHUB_REPOSITORY_ID", j.RepositoryID)
	v.Add("GITHUB_REPOSITORY_OWNER", j.owner())
	v.Add("GITHUB_REPOSITORY_OWNER_ID", j.OwnerID)
	v.Add("GITHUB_EVENT_NAME", j.Event)
	v.Add("GITHUB_SHA", j.SHA)
	v.Add("GITHUB_REF", j.Ref)
	v.Add("GITHUB_REF_NAME", j.refName())
	v.Add("GITHUB_REF_TYPE", j.refType())
	v.Add("GITHUB_REF_PROTECTED", "true")
	v.Add("GITHUB_HEAD_REF", j.HeadRef)
	v.Add("GITHUB_BASE_REF", j.BaseRef)
	v.Add("GITHUB_WORKFLOW", j.Workflow)
	v.Add("GITHUB_WORKFLOW_REF", j.workflowRef())
	v.Add("GITHUB_WORKFLOW_SHA", j.WorkflowSHA)
	v.Add("GITHUB_RUN_ID", j.RunID)
	v.Add("GITHUB_RUN_NUMBER", j.RunNumber)
	v.Add("GITHUB_RUN_ATTEMPT", j.RunAttempt)
	v.Add("GITHUB_ACTOR", j.Actor)
	v.Add("GITHUB_ACTOR_ID", j.ActorID)
	v.Add("GITHUB_TRIGGERING_ACTOR", j.Actor)
	v.Add("GITHUB_JOB", j.Job)
	v.Add("GITHUB_ACTION", "__run")
	v.Add("RUNNER_ENVIRONMENT", j.Runner)
	v.Add("RUNNER_OS", "Linux")
	v.Add("RUNNER_ARCH", "X64")
	v.Add("RUNNER_NAME", "sigstack-"+j.Runner)
	return v
}
