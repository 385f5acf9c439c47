package platform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/sethvargo/go-githubactions"

	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/seal"
)

// requestGitHub asks the runner's token service for a token and masks it. The
// library asks once, takes an answer without a token for one, and masks
// nothing: the rest is here.
func (s *TokenSource) requestGitHub(ctx context.Context, audience string) (token string, err error) {
	u, err := url.Parse(s.requestURL)
	if err != nil || secure(u, true) != nil {
		// Its query is GitHub's affair, and is not printed.
		return "", &TokenError{Kind: ErrNoToken, Err: fmt.Errorf("%s: want an https URL", requestURLVariable)}
	}
	service := fmt.Sprintf("GitHub's token service at %.200q", u.Host)
	err = s.patiently(ctx, service, func(ctx context.Context) (err error) {
		token, err = s.requestOnce(ctx, audience)
		return err
	})
	if err != nil {
		return "", s.withPermission(err)
	}
	if err := mask(s.opts.Commands, token); err != nil {
		return "", refusedf("%s: %w", service, err)
	}
	return token, nil
}

func (s *TokenSource) requestOnce(ctx context.Context, audience string) (string, error) {
	g := &guard{next: s.transport, loopback: true, secrets: []string{s.requestToken}}
	action := githubactions.New(
		githubactions.WithHTTPClient(&http.Client{Transport: g, Timeout: attemptTimeout}),
		githubactions.WithGetenv(func(name string) string {
			return map[string]string{requestURLVariable: s.requestURL, requestTokenVariable: s.requestToken}[name]
		}))
	token, err := action.GetIDToken(ctx, audience)
	switch {
	case g.fault() != nil:
		return "", g.fault()
	case err != nil:
		return "", &fault{err: errors.New("the answer is no object with a token"), passing: true}
	}
	if _, err := look(token); err != nil {
		return "", &fault{err: fmt.Errorf("the answer has no token: %w", err), passing: true}
	}
	return token, nil
}

// withPermission tells what a refusal means: the right is the job's to give.
func (s *TokenSource) withPermission(err error) error {
	f, isFault := errors.AsType[*fault](err)
	e, ok := errors.AsType[*TokenError](err)
	if ok && isFault && (f.status == http.StatusUnauthorized || f.status == http.StatusForbidden) {
		e.Kind, e.Hint = ErrNoToken, hintPermission
	}
	return err
}

// tenant is the URL of a GitHub Enterprise Cloud with data residency.
var tenant = regexp.MustCompile(`^https://([a-z0-9][a-z0-9-]*)\.ghe\.com$`)

// githubIssuer is who signs the tokens of a GitHub server. A step can set the
// server's URL, but no one except GitHub answers for the issuers that it gives.
func githubIssuer(server string) (issuer string, err error) {
	if server == "https://github.com" {
		return seal.GitHubIssuer, nil
	}
	if m := tenant.FindStringSubmatch(server); m != nil {
		return "https://token.actions." + m[1] + ".ghe.com", nil
	}
	return "", &TokenError{
		Kind: ErrNoFacts,
		Err:  fmt.Errorf("GITHUB_SERVER_URL is %.200q, want https://github.com or https://TENANT.ghe.com: no Sigstore takes the tokens of another GitHub", server),
		Hint: "--key FILE",
	}
}

func (s *TokenSource) factsOfGitHub(ctx context.Context) (provenance.Build, error) {
	server := strings.ToLower(strings.TrimSuffix(s.getenv("GITHUB_SERVER_URL"), "/"))
	issuer, err := githubIssuer(server)
	if err != nil {
		return provenance.Build{}, err
	}
	token, err := s.Token(ctx, readAudience)
	if err != nil {
		return provenance.Build{}, err
	}
	c, err := s.verify(ctx, issuer, readAudience, token)
	if err != nil {
		return provenance.Build{}, err
	}
	b, err := githubBuild(server, c)
	if err != nil {
		return provenance.Build{}, refusedf("the token of %s: %w", issuer, err)
	}
	return b, s.compare(c, githubAgreements)
}

// githubBuild reads the claims of GitHub Actions
// (https://docs.github.com/actions/reference/security/oidc). A claim that
// Fulcio's certificate or the provenance needs must be there.
func githubBuild(server string, c claims) (provenance.Build, error) {
	r := claimReader{claims: c}
	b := provenance.Build{
		Platform:          provenance.GitHub,
		ServerURL:         server,
		Repository:        r.need("repository", projectPath),
		RepositoryID:      r.need("repository_id", number),
		OwnerID:           r.need("repository_owner_id", number),
		Owner:             r.need("repository_owner", ownerPath),
		Ref:               r.need("ref", fullRef),
		Commit:            r.need("sha", commitForm),
		WorkflowRef:       r.need("workflow_ref", fileAtRef),
		JobWorkflowRef:    r.need("job_workflow_ref", fileAtRef),
		Event:             r.need("event_name", word),
		RunnerEnvironment: r.need("runner_environment", word),
		RunID:             r.need("run_id", number),
		RunAttempt:        r.need("run_attempt", number),
		Visibility:        r.need("repository_visibility", word),
	}
	if r.err != nil {
		return provenance.Build{}, r.err
	}
	return b, nil
}

// githubAgreements are what the manifest and the provenance take their facts
// from, and what tells this run from another. RUNNER_ENVIRONMENT is not among
// them: nothing of ours is made of it.
var githubAgreements = []agreement{
	{variable: "GITHUB_REPOSITORY", claim: "repository", fold: true},
	{variable: "GITHUB_REPOSITORY_ID", claim: "repository_id"},
	{variable: "GITHUB_REPOSITORY_OWNER_ID", claim: "repository_owner_id"},
	{variable: "GITHUB_SHA", claim: "sha"},
	{variable: "GITHUB_REF", claim: "ref"},
	{variable: "GITHUB_WORKFLOW_REF", claim: "workflow_ref", fold: true},
	{variable: "GITHUB_EVENT_NAME", claim: "event_name"},
	{variable: "GITHUB_RUN_ID", claim: "run_id"},
	{variable: "GITHUB_RUN_ATTEMPT", claim: "run_attempt"},
}
