package publish

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
	"github.com/mcp-integrity/seal-action/verify"
)

// maxGitLabMessage is how much of a server's words stands in an error.
const maxGitLabMessage = 300

// unreached is the error for a server that did not answer, or not as GitLab does.
func (g *gitlab) unreached(op string, err error) error {
	hint := fmt.Sprintf("is %s the GitLab meant (CI_SERVER_URL, GITLAB_HOST), and reachable from here? See its status page", g.server)
	if errors.Is(err, errGitLabWebPage) {
		hint = fmt.Sprintf("what stands before %s/api/v4 wants somebody to sign in: let this job pass it, and see that CI_SERVER_URL or GITLAB_HOST names the GitLab itself", g.server)
	}
	text := g.clean(fetch.Quiet(err).Error())
	return &Error{Place: g.place, Op: op, Err: fmt.Errorf("%w: %s", verify.ErrUnavailable, text), Hint: hint}
}

// clean takes the token out of a stranger's words, and cuts them.
func (g *gitlab) clean(text string) string {
	if g.token.value != "" {
		text = strings.ReplaceAll(text, g.token.value, "[token]")
	}
	return cut(text, maxGitLabMessage)
}

// refused is the error for an answer that is no success, with what GitLab said
// (docs.gitlab.com/api/rest/troubleshooting, Status codes).
func (g *gitlab) refused(op string, resp *http.Response, body []byte) error {
	said := g.clean(gitlabMessage(body))
	e := &Error{Place: g.place, Op: op, Status: resp.StatusCode, Hint: g.hint(resp, said)}
	switch {
	case isGitLabWebPage(resp.Header, body):
		e.Err = fmt.Errorf("%w: %w", verify.ErrUnavailable, errGitLabWebPage)
	case said == "":
		e.Err = fmt.Errorf("%w: %s", verify.ErrUnavailable, http.StatusText(resp.StatusCode))
	default:
		e.Err = fmt.Errorf("%w: it says %q", verify.ErrUnavailable, said)
	}
	return e
}

// gitlabMessage is what an answer says for people: "message", whose form differs
// by endpoint, or the "error" and "error_description" of OAuth.
func gitlabMessage(body []byte) string {
	var said struct {
		Message     jsontext.Value `json:"message"`
		Error       jsontext.Value `json:"error"`
		Description jsontext.Value `json:"error_description"`
	}
	if len(body) > maxWhole || strictjson.UnmarshalOpen(body, &said) != nil {
		return ""
	}
	var words []string
	for _, v := range []jsontext.Value{said.Message, said.Error, said.Description} {
		switch v.Kind() {
		case '"':
			var text string
			if strictjson.DecodeOpen(v, &text) == nil && text != "" {
				words = append(words, text)
			}
		case '{', '[':
			words = append(words, string(v))
		}
	}
	return strings.Join(words, "; ")
}

// hint names the setting to change for a status, and for what GitLab said with it.
func (g *gitlab) hint(resp *http.Response, said string) string {
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(strings.ToLower(said), w) {
				return true
			}
		}
		return false
	}
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized:
		return g.unauthorized()
	case status == http.StatusForbidden:
		return g.forbidden(has)
	case status == http.StatusNotFound:
		return g.notFound()
	case has("duplicate package"):
		return fmt.Sprintf("the group's Settings > Packages and registries > Duplicate packages forbids a second file of a name: delete the package %s of that version under Deploy > Package registry, whose publishing was cut short, or allow duplicates of Generic", g.env.Stem)
	case has("file is too large"), status == http.StatusRequestEntityTooLarge:
		return "an administrator sets the largest file: Admin > Settings > CI/CD > Package registry > Generic packages, and client_max_body_size of a proxy before GitLab"
	case has("ref is not specified"):
		return fmt.Sprintf("there is no tag %.100q: push it first, a release is never made with a tag of our own", g.tag)
	case has("offset pagination"):
		return "GitLab lists no more than that: another --output name keeps releases apart from what else lies there"
	case status == http.StatusMethodNotAllowed, status >= 300 && status < 400:
		return fmt.Sprintf("the project may have moved, and GitLab changes nothing by an old path: name its present one instead of %s", g.project)
	case status == http.StatusConflict:
		return "another job made it at the same time: run this again"
	case status == http.StatusTooManyRequests:
		return g.limited(resp)
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity:
		return "GitLab does not take it as it is: what it says names the field; see the tag, --output, and the release's links"
	case status >= 500:
		return "GitLab has trouble of its own: what stands stays, run this again later; see its status page"
	}
	return "see " + g.server + "/help/api/rest/troubleshooting.md for this status"
}

func (g *gitlab) unauthorized() string {
	switch {
	case g.token.value == "":
		return fmt.Sprintf("no token was sent: set %s to a token with scope read_api", gitlabOwnToken)
	case g.token.isJob():
		return fmt.Sprintf("%s ends with its job, and reaches what its user may: run this within the job, or set %s", gitlabJobToken, gitlabOwnToken)
	}
	return fmt.Sprintf("the token of %s is expired, revoked, or of another GitLab than %s: make a new project access token with scope api and role Developer", g.token.variable, g.server)
}

func (g *gitlab) forbidden(has func(...string) bool) string {
	switch {
	case has("job token", "token permission"):
		return fmt.Sprintf("in %s, Settings > CI/CD > Job token permissions: add this job's project to the CI/CD job token allowlist, with Packages and Releases: Read and write where permissions are fine-grained; or set %s", g.project, gitlabOwnToken)
	case has("package protected"):
		return fmt.Sprintf("Settings > Packages and registries > Protected packages: let this user's role push the package %s", g.env.Stem)
	case has("protected"):
		return g.protectedTag()
	case has("insufficient_scope"):
		return fmt.Sprintf("the token of %s lacks the scope api (read_api is enough to read)", g.token.variable)
	}
	whose := "the user of " + g.token.variable
	if g.token.isJob() {
		whose = "the user who started the pipeline"
	}
	text := fmt.Sprintf("%s needs the role Developer in %s, and Settings > General > Visibility, project features, permissions must have Package registry (and Releases) on", whose, g.project)
	if g.tag != "" {
		text += "; " + g.protectedTag()
	}
	if g.token.isJob() {
		text += "; for another project than the job's, its CI/CD job token allowlist must have this one"
	}
	return text
}

// protectedTag: a release for a protected tag takes the right to create the tag,
// even where it exists (docs.gitlab.com/user/project/releases, Release permissions).
func (g *gitlab) protectedTag() string {
	return fmt.Sprintf("where the tag %.100q is protected, Settings > Repository > Protected tags must let that user create it", g.tag)
}

func (g *gitlab) notFound() string {
	text := fmt.Sprintf("GitLab says so as well of what one may not see: is %s on %s written right, and Package registry (and Releases) on for it under Settings > General > Visibility, project features, permissions?", g.project, g.server)
	switch {
	case g.token.value == "":
		return text + fmt.Sprintf(" A private project needs a token: set %s", gitlabOwnToken)
	case g.token.isJob():
		return text + " Another project than the job's must have this one on its CI/CD job token allowlist (Settings > CI/CD > Job token permissions)"
	}
	return text + fmt.Sprintf(" The token of %s needs scope api and role Developer there", g.token.variable)
}

// limited quotes when GitLab will answer again
// (docs.gitlab.com/administration/settings/user_and_ip_rate_limits, Response headers).
func (g *gitlab) limited(resp *http.Response) string {
	when := "in a minute"
	for _, name := range []string{"Retry-After", "RateLimit-ResetTime", "RateLimit-Reset"} {
		if value := resp.Header.Get(name); value != "" {
			when = fmt.Sprintf("when its %s says, %.40q", name, value)
			break
		}
	}
	return "the rate limit for this user or address is used up (Admin > Settings > Network > User and IP rate limits): run this again " + when
}
