package stack

import (
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// GitLabJob is what GitLab knows of a job; see GitHubJob.
type GitLabJob struct {
	Project, ProjectID, NamespaceID, Visibility string
	Ref, SHA, Source, ConfigPath, ConfigSHA     string // Ref is full: refs/heads/main
	PipelineID, JobID, RunnerID, Runner         string
	User, UserID, Environment                   string
	Lies                                        claims
}

// gitLabJob reads a job from a query; what it does not name has the value of a
// push to main of a public project.
func gitLabJob(q url.Values) GitLabJob {
	get := func(name, fallback string) string { return lookup(q, name, fallback) }
	j := GitLabJob{
		Project: get("project_path", "octo-group/octo-mcp"), ProjectID: get("project_id", "20"), NamespaceID: get("namespace_id", "72"),
		Visibility: get("project_visibility", "public"), Source: get("pipeline_source", "push"),
		Ref: get("ref", "refs/heads/main"), SHA: get("sha", strings.Repeat("cd", 20)), ConfigPath: get("ci_config_path", ".gitlab-ci.yml"),
		PipelineID: get("pipeline_id", "574"), JobID: get("job_id", "302"), RunnerID: get("runner_id", "1"),
		Runner: get("runner_environment", "gitlab-hosted"), User: get("user_login", "sample"), UserID: get("user_id", "1"),
		Environment: get("environment", ""),
	}
	j.ConfigSHA = get("ci_config_sha", j.SHA)
	j.Lies = lies(q)
	return j
}

// short is a reference without its class, and the class as the token names it.
func (j GitLabJob) short() (name, kind string) {
	if tag, ok := strings.CutPrefix(j.Ref, "refs/tags/"); ok {
		return tag, "tag"
	}
	return strings.TrimPrefix(j.Ref, "refs/heads/"), "branch"
}

func (j GitLabJob) url() string { return GitLabIssuer + "/" + j.Project }

// claims are those of a token that the job's id_tokens ask for.
func (j GitLabJob) claims() (claims, error) {
	ref, kind := j.short()
	runner, err := strconv.Atoi(j.RunnerID) // the one claim that is a number
	if err != nil {
		return nil, fmt.Errorf("runner_id: %w", err)
	}
	c := claims{
		"sub":          fmt.Sprintf("project_path:%s:ref_type:%s:ref:%s", j.Project, kind, ref),
		"namespace_id": j.NamespaceID, "namespace_path": path.Dir(j.Project),
		"project_id": j.ProjectID, "project_path": j.Project, "project_visibility": j.Visibility,
		"user_id": j.UserID, "user_login": j.User, "user_email": j.User + "@example.com", "user_access_level": "maintainer",
		"pipeline_id": j.PipelineID, "pipeline_source": j.Source, "job_id": j.JobID,
		"ref": ref, "ref_type": kind, "ref_path": j.Ref, "ref_protected": "true",
		"runner_id": runner, "runner_environment": j.Runner, "sha": j.SHA,
		"ci_config_ref_uri": fmt.Sprintf("%s/%s//%s@%s", host(GitLabIssuer), j.Project, j.ConfigPath, j.Ref),
		"ci_config_sha":     j.ConfigSHA,
	}
	if j.Environment != "" {
		c["environment"] = j.Environment
	}
	for name, value := range j.Lies {
		c[name] = value
	}
	return c, nil
}

// variables are the job's predefined ones, without the paths, which are those
// of whoever runs it.
func (j GitLabJob) variables() Variables {
	ref, kind := j.short()
	group, _, _ := strings.Cut(j.Project, "/")
	var v Variables
	v.Add("CI", "true")
	v.Add("GITLAB_CI", "true")
	v.Add("CI_SERVER", "yes")
	v.Add("CI_SERVER_NAME", "GitLab")
	v.Add("CI_SERVER_URL", GitLabIssuer)
	v.Add("CI_SERVER_HOST", host(GitLabIssuer))
	v.Add("CI_SERVER_FQDN", host(GitLabIssuer))
	v.Add("CI_API_V4_URL", GitLabIssuer+"/api/v4")
	v.Add("CI_PROJECT_ID", j.ProjectID)
	v.Add("CI_PROJECT_NAME", path.Base(j.Project))
	v.Add("CI_PROJECT_PATH", j.Project)
	v.Add("CI_PROJECT_NAMESPACE", path.Dir(j.Project))
	v.Add("CI_PROJECT_NAMESPACE_ID", j.NamespaceID)
	v.Add("CI_PROJECT_ROOT_NAMESPACE", group)
	v.Add("CI_PROJECT_URL", j.url())
	v.Add("CI_PROJECT_VISIBILITY", j.Visibility)
	v.Add("CI_CONFIG_PATH", j.ConfigPath)
	v.Add("CI_COMMIT_SHA", j.SHA)
	v.Add("CI_COMMIT_REF_NAME", ref)
	v.Add("CI_COMMIT_REF_PROTECTED", "true")
	if kind == "tag" {
		v.Add("CI_COMMIT_TAG", ref)
	} else {
		v.Add("CI_COMMIT_BRANCH", ref)
	}
	v.Add("CI_PIPELINE_ID", j.PipelineID)
	v.Add("CI_PIPELINE_SOURCE", j.Source)
	v.Add("CI_PIPELINE_URL", j.url()+"/-/pipelines/"+j.PipelineID)
	v.Add("CI_JOB_ID", j.JobID)
	v.Add("CI_JOB_NAME", "release")
	v.Add("CI_JOB_STAGE", "release")
	v.Add("CI_JOB_URL", j.url()+"/-/jobs/"+j.JobID)
	v.Add("CI_RUNNER_ID", j.RunnerID)
	v.Add("CI_RUNNER_DESCRIPTION", "sigstack-"+j.Runner)
	v.Add("CI_ENVIRONMENT_NAME", j.Environment)
	v.Add("GITLAB_USER_LOGIN", j.User)
	v.Add("GITLAB_USER_ID", j.UserID)
	return v
}
