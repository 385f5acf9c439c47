package platform

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/mcp-integrity/seal-action/provenance"
)

// factsOfGitLab reads the one token of the job, which can sign as well. Its
// issuer is the job's own GitLab: whoever made CI_SERVER_URL name another one
// has facts of that one, which no certificate will agree with.
func (s *TokenSource) factsOfGitLab(ctx context.Context) (provenance.Build, error) {
	server := strings.TrimSuffix(s.getenv("CI_SERVER_URL"), "/")
	u, err := url.Parse(server)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" || secure(u, s.opts.Transport != nil) != nil {
		return provenance.Build{}, &TokenError{
			Kind: ErrNoFacts,
			Err:  fmt.Errorf("CI_SERVER_URL does not name the issuer of %s: want an https URL without user and query", idTokenVariable),
		}
	}
	token, err := s.Token(ctx, sigstoreAudience)
	if err != nil {
		return provenance.Build{}, err
	}
	c, err := s.verify(ctx, server, sigstoreAudience, token)
	if err != nil {
		return provenance.Build{}, err
	}
	b, err := gitlabBuild(server, c)
	if err != nil {
		return provenance.Build{}, refusedf("the token of %s: %w", server, err)
	}
	return b, s.compare(c, gitlabAgreements)
}

// gitlabBuild reads the claims of a GitLab job
// (https://docs.gitlab.com/ci/secrets/id_token_authentication/). All of them
// are there from GitLab 16.3 on, except for ci_config_ref_uri, which is null
// where the pipeline is defined outside the project.
func gitlabBuild(server string, c claims) (provenance.Build, error) {
	r := claimReader{claims: c}
	b := provenance.Build{
		Platform:          provenance.GitLab,
		ServerURL:         server,
		Repository:        r.need("project_path", projectPath),
		RepositoryID:      r.need("project_id", number),
		OwnerID:           r.need("namespace_id", number),
		Owner:             r.need("namespace_path", ownerPath),
		Ref:               gitlabRef(&r),
		Commit:            r.need("sha", commitForm),
		WorkflowRef:       r.need("ci_config_ref_uri", fileAtRef),
		Event:             r.need("pipeline_source", word),
		RunnerEnvironment: r.need("runner_environment", word),
		JobID:             r.need("job_id", number),
		RunnerID:          r.need("runner_id", number),
		Visibility:        r.need("project_visibility", word),
	}
	if r.err != nil {
		return provenance.Build{}, r.err
	}
	return b, nil
}

// gitlabRef makes the full ref as Fulcio's GitLab template makes the
// certificate's, so that provenance and certificate agree.
func gitlabRef(r *claimReader) string {
	prefix := "refs/tags/"
	if r.need("ref_type", word) == "branch" {
		prefix = "refs/heads/"
	}
	return prefix + r.need("ref", shortRef)
}

// gitlabAgreements: GitLab lets a project's own variables replace its
// predefined ones, so the environment is worth no more than anybody's word.
var gitlabAgreements = []agreement{
	{variable: "CI_PROJECT_PATH", claim: "project_path", fold: true},
	{variable: "CI_PROJECT_ID", claim: "project_id"},
	{variable: "CI_COMMIT_SHA", claim: "sha"},
	{variable: "CI_COMMIT_REF_NAME", claim: "ref"},
	{variable: "CI_PIPELINE_SOURCE", claim: "pipeline_source"},
	{variable: "CI_PIPELINE_ID", claim: "pipeline_id"},
	{variable: "CI_JOB_ID", claim: "job_id"},
	{variable: "CI_RUNNER_ID", claim: "runner_id"},
}
