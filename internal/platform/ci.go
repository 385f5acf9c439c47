package platform

import "strings"

// readGitHub reads the variables that GitHub's runner sets, and those of
// Gitea's and Forgejo's, which copy it. They are the same in a container
// action, but for paths.
func (f *Facts) readGitHub(getenv func(string) string) {
	f.BuildSystem = "github-actions"
	if getenv("GITEA_ACTIONS") == "true" {
		f.BuildSystem = "gitea-actions"
	}
	server, repo := getenv("GITHUB_SERVER_URL"), getenv("GITHUB_REPOSITORY")
	if server == "" {
		server = "https://github.com"
	}
	if repo != "" {
		f.SourceRepo = f.repo("GITHUB_SERVER_URL with GITHUB_REPOSITORY", strings.TrimSuffix(server, "/")+"/"+repo)
	}
	f.Commit = f.commit("GITHUB_SHA", getenv("GITHUB_SHA"))

	// GITHUB_REF_TYPE calls a pull request's refs/pull/1/merge a branch.
	switch ref := getenv("GITHUB_REF"); {
	case strings.HasPrefix(ref, "refs/heads/"):
		f.Branch = f.ref("GITHUB_REF", strings.TrimPrefix(ref, "refs/heads/"))
	case strings.HasPrefix(ref, "refs/tags/"):
		f.Tag = f.ref("GITHUB_REF", strings.TrimPrefix(ref, "refs/tags/"))
	case strings.HasPrefix(ref, "refs/pull/"):
		f.note("the run is for a pull request: its commit is a trial merge that no branch keeps")
	}
	f.BuildWorkflow = f.ref("GITHUB_WORKFLOW_REF", workflowPath(getenv("GITHUB_WORKFLOW_REF"), repo))
}

// workflowPath takes owner/name/.github/workflows/x.yml@refs/heads/main apart.
// A workflow of the repository itself is named by its path, as in MIS
// appendix B; one that an organisation prescribes keeps its repository.
func workflowPath(ref, repo string) string {
	path, _, _ := strings.Cut(ref, "@")
	if own, ok := strings.CutPrefix(path, repo+"/"); ok {
		return own
	}
	return path
}

// readGitLab reads GitLab's predefined variables.
func (f *Facts) readGitLab(getenv func(string) string) {
	f.BuildSystem = "gitlab-ci"
	if project := getenv("CI_PROJECT_URL"); project != "" {
		f.SourceRepo = f.repo("CI_PROJECT_URL", project)
	}
	f.Commit = f.commit("CI_COMMIT_SHA", getenv("CI_COMMIT_SHA"))
	f.Branch = f.ref("CI_COMMIT_BRANCH", getenv("CI_COMMIT_BRANCH"))
	f.Tag = f.ref("CI_COMMIT_TAG", getenv("CI_COMMIT_TAG"))
	if f.Branch == "" && f.Tag == "" && getenv("CI_MERGE_REQUEST_IID") != "" {
		f.note("the run is for a merge request: its commit may be a trial merge that no branch keeps")
	}
	switch config := getenv("CI_CONFIG_PATH"); {
	case config == "":
		f.BuildWorkflow = ".gitlab-ci.yml" // GitLab's own default
	case strings.Contains(config, ":"):
		// A URL, which may hold a token.
		f.note("CI_CONFIG_PATH is a URL: the build's workflow is not named")
	default:
		f.BuildWorkflow = f.ref("CI_CONFIG_PATH", config)
	}
}

// repo takes a repository's URL from a variable.
func (f *Facts) repo(name, value string) string {
	url, err := NormalizeRepo(value)
	if err != nil {
		f.note("%s: %v: not used (--source-repo gives one)", name, err)
		return ""
	}
	return url
}
