package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/verify"
)

// explain makes an [Error] of what the library says: what the registry answered,
// without the addresses that it answered from, which may carry a signature or an
// upload's secret in their query.
func (p *ociPlace) explain(op string, err error) error {
	var ours *Error
	if errors.As(err, &ours) {
		return err
	}
	e := &Error{Place: p.name, Op: op}
	var answer *errcode.ErrorResponse
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Err = fmt.Errorf("%w: %w", verify.ErrUnavailable, err)
	case errors.As(err, &answer):
		e.Status = answer.StatusCode
		e.Err = fmt.Errorf("%w: %s", sentinelOf(e.Status), said(answer))
		if host := answer.URL.Host; host != p.repo.Reference.Host() {
			e.Err = fmt.Errorf("%w (asked %.100q for a token)", e.Err, host)
		}
		e.Hint = p.hint(op, answer)
	case errors.Is(err, errdef.ErrNotFound):
		e.Status = http.StatusNotFound
		e.Err = fmt.Errorf("%w: the registry does not have it", verify.ErrNoRelease)
		e.Hint = p.missingHint(op)
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		e.Status = http.StatusUnauthorized
		e.Err = fmt.Errorf("%w: the registry wants a login, and there is none for it", verify.ErrUnavailable)
		e.Hint = loginHint(p.repo.Reference.Host(), p.env.Getenv, !p.env.ReadOnly)
	default:
		e.Err = unavailable(err)
	}
	return e
}

// unavailable is what kept a registry from being asked, or from being understood.
func unavailable(err error) error {
	for _, known := range []error{verify.ErrNoRelease, verify.ErrUnavailable} {
		if errors.Is(err, known) {
			return err
		}
	}
	return fmt.Errorf("%w: %s", verify.ErrUnavailable, scrub(fetch.Quiet(err).Error()))
}

func sentinelOf(status int) error {
	if status == http.StatusNotFound {
		return verify.ErrNoRelease
	}
	return verify.ErrUnavailable
}

// said is what a registry gave as its reason, quoted and cut.
func said(answer *errcode.ErrorResponse) string {
	if len(answer.Errors) == 0 {
		return "the registry gives no reason"
	}
	first := answer.Errors[0]
	return fmt.Sprintf("the registry says %.60q: %.200q", first.Code, scrub(first.Message))
}

var query = regexp.MustCompile(`\?[^\s"'<>]*`)

// scrub is a text with the queries of the URLs in it left out, cut.
func scrub(s string) string { return cut(query.ReplaceAllString(s, "?…"), 400) }

// hint names what to change, by what the registry answered.
func (p *ociPlace) hint(op string, answer *errcode.ErrorResponse) string {
	host := p.repo.Reference.Host()
	reason := strings.ToLower(answer.Errors.Error())
	switch code := answer.StatusCode; {
	case strings.Contains(reason, "quota"), code == http.StatusRequestEntityTooLarge, code == http.StatusInsufficientStorage,
		strings.Contains(reason, "storage") && strings.Contains(reason, "exceed"):
		return "the registry's limit on storage or on the size of an upload is reached: raise the quota of " + p.repository() + ", or remove old versions"
	case strings.Contains(reason, "immutable"):
		return "tags of " + p.repository() + " are immutable, and a registry without the referrers API lists releases under the tag " +
			"sha256-<digest>: exempt tags that begin with sha256- from the rule"
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return loginHint(host, p.env.Getenv, !p.env.ReadOnly)
	case code == http.StatusNotFound:
		return p.missingHint(op)
	case code == http.StatusTooManyRequests:
		return host + " limits how often it may be asked: run again later, or log in, since anonymous requests have the lowest limit (docker login " + host + ")"
	case code == http.StatusMethodNotAllowed, strings.Contains(reason, "unsupported"):
		return host + " takes no push here, as mirrors and pull-through caches do not: name the registry that the image was pushed to"
	case code == http.StatusBadRequest && op == opPush:
		return host + " does not take OCI 1.1 artifacts (a manifest with artifactType, subject and the empty config): update the registry, or publish elsewhere"
	case code >= 500:
		return "the trouble is " + host + "'s own; what was begun is completed when this is run again"
	}
	return ""
}

func (p *ociPlace) missingHint(op string) string {
	if op == opPush {
		return "the registry lost what was uploaded a moment ago; run again"
	}
	return "push the image first: the release is published beside it. Where it is there and private, the registry may hide it from whoever is not logged in to read it"
}

// loginHint is how to get the right to read or to push, in the words of the
// platform that the registry belongs to.
func loginHint(host string, getenv func(string) string, push bool) string {
	right := map[bool]string{true: "write", false: "read"}[push]
	switch {
	case host == gitHubRegistry(getenv):
		return "give the job `permissions: packages: " + right + "` and the step `env: GITHUB_TOKEN: ${{ github.token }}`; where the package is another repository's, " +
			"add this one under the package's settings, Manage Actions access, with the role " + right
	case host == getenv("CI_REGISTRY"):
		return "CI_REGISTRY_USER and CI_REGISTRY_PASSWORD of this job must have the right to " + right +
			" here: the project's container registry is on, and another project allows it under Settings, CI/CD, Job token permissions"
	}
	return "docker login " + host + " as somebody with the right to " + right + " (in a container: set DOCKER_CONFIG to a directory with config.json)"
}
