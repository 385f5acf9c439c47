package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
	"github.com/mcp-integrity/seal-action/verify"
)

const (
	// maxGitHubMessage is what is shown of a message of GitHub's.
	maxGitHubMessage = 300
	// maxGitHubErrors is how many of its details are read.
	maxGitHubErrors = 5
)

// Hints that stand in more than one place.
const (
	githubHintStatus = "this is GitHub's trouble, or that of a proxy before it: see https://www.githubstatus.com; it is safe to run this again"
	githubHintPage   = "GITHUB_API_URL (default https://api.github.com) has to be the API's address, and no proxy or login page may stand before it"
	githubHintDraft  = "attach the files before the release is published: make the release a draft, or seal before the step that publishes it; or give the files that --output writes to the step that creates the release"
)

func githubHintToken(need string) string {
	return fmt.Sprintf("give the job `permissions: %s` and the token by the input github-token or the variable GITHUB_TOKEN: ${{ github.token }}", need)
}

// fail is an error at this place. Whatever failed, the place could not be asked
// or changed.
func (g *github) fail(c githubCall, status int, hint, format string, args ...any) *Error {
	err := fmt.Errorf("%w: "+format, append([]any{verify.ErrUnavailable}, args...)...)
	return &Error{Place: g.place, Op: c.op, Status: status, Err: err, Hint: hint}
}

// unreachable is a request that got no answer.
func (g *github) unreachable(ctx context.Context, c githubCall, err error) *Error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	text := cut(g.hide(fetch.Quiet(err).Error()), maxGitHubMessage)
	e := g.fail(c, 0, "is "+g.api.Host+" to be reached from here? "+githubHintStatus, "%s", text)
	// What ended the run is told by its kind.
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		e.Err = fmt.Errorf("%w: %w", verify.ErrUnavailable, err)
	}
	return e
}

// hide keeps the token out of what a stranger may have repeated.
func (g *github) hide(text string) string {
	if g.token == "" {
		return text
	}
	return strings.ReplaceAll(text, g.token, "[token]")
}

// githubMessage is what GitHub says of a failure.
type githubMessage struct {
	Message string              `json:"message"`
	Errors  []githubErrorDetail `json:"errors"`
}

type githubErrorDetail struct {
	Code    string `json:"code"`
	Field   string `json:"field"`
	Message string `json:"message"`
}

// readGitHubMessage makes one line of it. Some endpoints have details of another
// form: then the message alone.
func readGitHubMessage(data []byte) string {
	var m githubMessage
	if err := strictjson.UnmarshalOpen(data, &m); err != nil {
		var plain struct {
			Message string `json:"message"`
		}
		if strictjson.UnmarshalOpen(data, &plain) != nil {
			return ""
		}
		m = githubMessage{Message: plain.Message}
	}
	parts := []string{m.Message}
	for _, d := range m.Errors[:min(len(m.Errors), maxGitHubErrors)] {
		parts = append(parts, strings.Join(strings.Fields(d.Field+" "+d.Code+" "+d.Message), " "))
	}
	return strings.Join(parts, "; ")
}

// refused explains an answer that is no success. The answers are those that
// docs.github.com documents for the REST API, by status; the words by which some
// are told apart are GitHub's.
func (g *github) refused(c githubCall, resp *http.Response, data []byte) *Error {
	said := cut(g.hide(readGitHubMessage(data)), maxGitHubMessage)
	what := fmt.Sprintf("GitHub says %q", said)
	switch {
	case said == "" && isPage(data):
		what = "GitHub answers with a web page"
	case said == "":
		what = "GitHub says nothing more"
	}
	return g.fail(c, resp.StatusCode, g.hint(c, resp, strings.ToLower(said), isPage(data)), "%s", what)
}

func (g *github) hint(c githubCall, resp *http.Response, said string, page bool) string {
	switch status := resp.StatusCode; {
	case limited(resp):
		return g.hintLimit(resp)
	case status == http.StatusUnauthorized:
		return "the token is not valid: it expired, was revoked, or is for another server than " + g.api.Host + "; " + githubHintToken(c.need)
	case status == http.StatusForbidden:
		return g.hintForbidden(c, resp, said)
	case status == http.StatusNotFound && page, status/100 == 3:
		return githubHintPage
	case status == http.StatusNotFound:
		return g.hintNotFound(c)
	case status == http.StatusUnprocessableEntity:
		return hintUnprocessable(said)
	case status >= 500, status == http.StatusRequestTimeout:
		return githubHintStatus
	}
	return ""
}

func (g *github) hintLimit(resp *http.Response) string {
	when := "wait a few minutes"
	if wait, ok := askedWait(resp, g.now()); ok {
		when = fmt.Sprintf("the limit ends in %v", wait.Round(time.Second))
	}
	if g.token == "" {
		return when + "; with a token (GITHUB_TOKEN) the limit is 1,000 requests an hour and more, without one it is 60"
	}
	return when + ", then run this again; the limit is that of the token, which other jobs share"
}

func (g *github) hintForbidden(c githubCall, resp *http.Response, said string) string {
	switch {
	case resp.Header.Get("X-GitHub-SSO") != "", strings.Contains(said, "saml"):
		return "the organization wants single sign-on: authorize the token for it in the token's settings (Configure SSO), or use the job's own GITHUB_TOKEN"
	case strings.Contains(said, "ip allow list"):
		return "the organization's IP allow list does not have this runner's address: run on one that it has"
	case strings.Contains(said, "feature not available"), strings.Contains(said, "upgrade"):
		return githubHintAttestations
	case strings.Contains(said, "archived"):
		return "unarchive the repository in its settings, or name another one: :OWNER/NAME"
	case g.token == "":
		return githubHintToken(c.need)
	}
	hint := fmt.Sprintf("the token may not do this: give the job `permissions: %s`; a fine-grained token needs the same of %s; a pull request from a fork never has it", c.need, g.repo)
	if accepted := resp.Header.Get("X-Accepted-GitHub-Permissions"); accepted != "" {
		hint += fmt.Sprintf(" (GitHub accepts %.100q)", accepted)
	}
	return hint
}

// hintNotFound knows that GitHub says "not found" of what a token may not see
// (docs.github.com, Troubleshooting the REST API).
func (g *github) hintNotFound(c githubCall) string {
	if g.token == "" {
		return fmt.Sprintf("is %s the repository's name? A private one shows nothing without a token: %s", g.repo, githubHintToken(c.need))
	}
	return fmt.Sprintf("is %s the repository's name, and at %s? To a token without `%s` of it, a private one does not exist", g.repo, g.server.Host, c.need)
}

// hintUnprocessable tells validation failures apart.
func hintUnprocessable(said string) string {
	switch {
	case strings.Contains(said, "used by an immutable release"):
		return "GitHub never gives a tag to a second release once an immutable one had it, even a deleted one: release under a new tag"
	case strings.Contains(said, "immutable"):
		return githubHintDraft
	case strings.Contains(said, "feature not available"):
		return githubHintAttestations
	case strings.Contains(said, "valid tag"), strings.Contains(said, "cannot create ref"):
		return "the tag does not exist, and a rule of the repository keeps this token from creating it: push the tag first"
	case strings.Contains(said, "values do not match"):
		return "GitHub keeps attestations that this repository's own workflows signed: publish from the repository that the certificate names"
	case strings.Contains(said, "duplicate"):
		return "one statement has the same artifact twice: name each artifact once"
	case strings.Contains(said, "already_exists"):
		return "something of this name was put there meanwhile: run this again, and one run at a time"
	}
	return ""
}
