package publish

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Bounds on GitHub's answers.
const (
	// githubPage is how many releases one answer has. GitHub allows 100, but each
	// brings its notes and assets along.
	githubPage = 30
	// maxGitHubReleases is as far as GitHub lists them.
	maxGitHubReleases = 10_000
	// maxGitHubAnswer is for such a page with 500 assets in each release.
	maxGitHubAnswer = 32 << 20
	// maxGitHubAssets is what GitHub lets a release have.
	maxGitHubAssets = 1000
	// maxGitHubSteps is how often one change is tried: what fails three times in a
	// row, and every request of it six times, is not passing.
	maxGitHubSteps = 3
	// maxGitHubName and maxGitHubTag are above what GitHub lets people choose.
	maxGitHubName = 140
	maxGitHubTag  = 255
)

// githubVersion is the API's, promised until March 2028 at the least
// (docs.github.com, API versions). In it, a listed attestation has its bundle.
const githubVersion = "2022-11-28"

var (
	githubRepoForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9._-]+$`)
	// githubTagForm is narrower than git: no spaces, controls, or characters that
	// mean something to a shell or a pattern.
	githubTagForm = regexp.MustCompile(`^[A-Za-z0-9_@][A-Za-z0-9._/@+=,#%-]*$`)
	gitCommitForm = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// github is a repository at GitHub, by its REST API.
//
// google/go-github v84 would add 1.0 MB to the program, and do a part of it: it
// cannot create an attestation, reads answers without a bound, and takes from the
// client the redirects that a download follows. What is needed are ten requests.
type github struct {
	// place is the target as somebody named it.
	place       string
	api, server *url.URL
	// repo is OWNER/NAME.
	repo  string
	token string
	// client adds the token for the API and its upload host alone.
	client *http.Client
	// origins are those two.
	origins []string
	now     func() time.Time
	pause   func(ctx context.Context, trouble string, try int) error
}

// githubTarget is what a target says, completed by the job's environment.
type githubTarget struct {
	repo, tag string
	// named says that somebody named the tag in the target itself.
	named bool
}

// newGitHub reads a target: what stands in it wins over the environment.
//
// The API is GITHUB_API_URL's, by default that of GITHUB_SERVER_URL. The token is
// the first of the input github-token, MCP_INTEGRITY_GITHUB_TOKEN, and, in the
// order that GitHub's own command line has them, GH_TOKEN and GITHUB_TOKEN. The
// repository is GITHUB_REPOSITORY, and the tag that of GITHUB_REF, where the job
// runs for a tag or a release.
func newGitHub(kind, rest string, env Env) (*github, githubTarget, error) {
	g := &github{place: targetOf(kind, rest)}
	t, err := readGitHubTarget(rest, env.Getenv)
	if err != nil {
		return nil, t, fmt.Errorf("target %.200q: %w", g.place, err)
	}
	g.repo = t.repo
	g.server, g.api, err = githubServers(env.Getenv)
	if err != nil {
		return nil, t, fmt.Errorf("target %.200q: %w", g.place, err)
	}
	for _, name := range []string{"INPUT_GITHUB-TOKEN", "MCP_INTEGRITY_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"} {
		g.token = cmp.Or(g.token, env.Getenv(name))
	}
	bearer := ""
	if g.token != "" {
		bearer = "Bearer " + g.token
	}
	patient := retrying(fetch.Client(), env)
	g.now = patient.Transport.(*retry).now
	g.pause = func(ctx context.Context, trouble string, try int) error {
		return patient.Transport.(*retry).pause(ctx, g.api.Host, trouble, try, maxGitHubSteps)
	}
	uploads := uploadServer(g.api)
	g.client = withToken(patient, "Authorization", bearer, g.api, uploads)
	g.origins = []string{origin(g.api), origin(uploads)}
	return g, t, nil
}

// targetOf is a target as it was written.
func targetOf(kind, rest string) string {
	if rest == "" || rest[0] == '@' {
		return kind + rest
	}
	return kind + ":" + rest
}

func readGitHubTarget(rest string, getenv func(string) string) (githubTarget, error) {
	var t githubTarget
	// No owner or repository has an @ in its name; tags do.
	t.repo, t.tag, t.named = strings.Cut(rest, "@")
	if t.named && t.tag == "" {
		return t, errors.New("want a tag after the @")
	}
	t.repo = cmp.Or(t.repo, getenv("GITHUB_REPOSITORY"))
	if t.repo == "" {
		return t, errors.New("no repository is named, and GITHUB_REPOSITORY is not set; want :OWNER/NAME")
	}
	if _, name, _ := strings.Cut(t.repo, "/"); len(t.repo) > maxGitHubName || !githubRepoForm.MatchString(t.repo) || name == "." || name == ".." {
		return t, fmt.Errorf("repository: got %.100q, want OWNER/NAME", t.repo)
	}
	if t.tag == "" && (getenv("GITHUB_REF_TYPE") == "tag" || getenv("GITHUB_EVENT_NAME") == "release") {
		t.tag, _ = strings.CutPrefix(getenv("GITHUB_REF"), "refs/tags/")
	}
	if t.tag != "" && (len(t.tag) > maxGitHubTag || !githubTagForm.MatchString(t.tag) || strings.Contains(t.tag, "..") ||
		strings.Contains(t.tag, "/./") || strings.Contains(t.tag, "//") || strings.HasSuffix(t.tag, "/")) {
		return t, fmt.Errorf("tag: got %.100q, want such as \"v1.2.4\"", t.tag)
	}
	return t, nil
}

// githubServers are where people and programs reach GitHub.
func githubServers(getenv func(string) string) (server, api *url.URL, err error) {
	const public = "https://github.com"
	server, err = githubURL("GITHUB_SERVER_URL", cmp.Or(getenv("GITHUB_SERVER_URL"), public))
	if err != nil {
		return nil, nil, err
	}
	base := getenv("GITHUB_API_URL")
	switch {
	case base != "":
	case server.Host == "github.com", strings.HasSuffix(server.Host, ".ghe.com"):
		base = "https://api." + server.Host
	default:
		base = server.String() + "/api/v3"
	}
	api, err = githubURL("GITHUB_API_URL", base)
	return server, api, err
}

func githubURL(name, text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s: got %.100q, want such as \"https://github.com\"", name, fetch.PublicURL(text))
	}
	if !fetch.Secure(u) {
		return nil, fmt.Errorf("%s: got %.100q, want https: a token goes there", name, fetch.PublicURL(text))
	}
	return u, nil
}

// uploadServer is where assets go: a host of its own, or on a server of one's own
// a path of the same.
func uploadServer(api *url.URL) *url.URL {
	u := *api
	if tail, ok := strings.CutPrefix(u.Host, "api."); ok {
		u.Host = "uploads." + tail
	}
	return &u
}

// githubCall is one request.
type githubCall struct {
	// op says what is tried, need which permission it takes; both for people.
	op, need string
	method   string
	// url is absolute, or a path below the repository's in the API.
	url  string
	body []byte
	// accept and content are media types, by default JSON.
	accept, content string
	// limit bounds the answer, by default to maxGitHubAnswer bytes.
	limit int64
}

// do sends a request and returns the whole answer. All errors are [*Error] and
// wrap [verify.ErrUnavailable].
func (g *github) do(ctx context.Context, c githubCall) ([]byte, http.Header, error) {
	req, err := g.request(ctx, c)
	if err != nil {
		return nil, nil, g.fail(c, 0, "", "%w", err)
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return nil, nil, g.unreachable(ctx, c, err)
	}
	defer resp.Body.Close()
	limit := cmp.Or(c.limit, maxGitHubAnswer)
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case resp.StatusCode/100 != 2:
		return nil, resp.Header, g.refused(c, resp, data)
	case err != nil:
		return nil, nil, g.unreachable(ctx, c, err)
	case int64(len(data)) > limit:
		return nil, nil, g.fail(c, 0, "", "the answer has more than %d bytes", limit)
	}
	return data, resp.Header, nil
}

func (g *github) request(ctx context.Context, c githubCall) (*http.Request, error) {
	target := c.url
	if !strings.HasPrefix(target, "http") {
		target = g.api.String() + "/repos/" + g.repo + target
	}
	var body io.Reader
	if c.body != nil {
		body = bytes.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, target, body)
	if err != nil {
		return nil, errors.New("the address cannot be asked")
	}
	req.Header.Set("Accept", cmp.Or(c.accept, "application/vnd.github+json"))
	req.Header.Set("X-GitHub-Api-Version", githubVersion)
	// GitHub refuses programs that do not say who they are.
	req.Header.Set("User-Agent", "mcp-integrity")
	if c.body != nil {
		req.Header.Set("Content-Type", cmp.Or(c.content, "application/json"))
	}
	return req, nil
}

// ask sends a request with the JSON of in, where it is not nil, and reads the
// answer's into out.
func (g *github) ask(ctx context.Context, c githubCall, in, out any) (http.Header, error) {
	if in != nil {
		body, err := strictjson.Marshal(in)
		if err != nil {
			return nil, g.fail(c, 0, "", "%w", err)
		}
		c.body = body
	}
	data, header, err := g.do(ctx, c)
	if err != nil || out == nil {
		return header, err
	}
	if isPage(data) {
		return header, g.fail(c, 0, githubHintPage, "got a web page, want JSON")
	}
	if err := strictjson.UnmarshalOpen(data, out); err != nil {
		return header, g.fail(c, 0, githubHintStatus, "the answer cannot be read: %w", err)
	}
	return header, nil
}

// githubRepo is what a repository says of itself.
type githubRepo struct {
	Private bool `json:"private"`
	// Archived ones take no changes.
	Archived bool `json:"archived"`
}

func (g *github) repository(ctx context.Context) (githubRepo, error) {
	var r githubRepo
	_, err := g.ask(ctx, githubCall{op: "look at the repository", need: "metadata: read", method: http.MethodGet}, nil, &r)
	return r, err
}

// preflight finds out what keeps any change from succeeding.
func (g *github) preflight(ctx context.Context, need string) (githubRepo, error) {
	c := githubCall{op: "look at the repository", need: need}
	if g.token == "" {
		return githubRepo{}, g.fail(c, 0, githubHintToken(need), "there is no token")
	}
	r, err := g.repository(ctx)
	if err == nil && r.Archived {
		err = g.fail(c, 0, "unarchive it in the repository's settings, or name another one: :OWNER/NAME", "%s is archived, and takes no changes", g.repo)
	}
	return r, err
}

// settle makes one change. Where it failed and may yet have taken effect, the
// state is read again by done, which says whether it stands. It is tried a few
// times, as long as the failure is one that passes.
func (g *github) settle(ctx context.Context, change func() error, done func() (bool, error)) error {
	for try := 1; ; try++ {
		err := change()
		if err == nil {
			return nil
		}
		passing, unsure := judgeGitHub(err)
		if !unsure || ctx.Err() != nil {
			return err
		}
		stands, readErr := done()
		if stands && readErr == nil {
			return nil
		}
		if readErr != nil && errors.Is(readErr, ErrConflict) {
			return readErr
		}
		if readErr != nil || !passing || try == maxGitHubSteps {
			return err
		}
		if pauseErr := g.pause(ctx, "failed in a change that did not take effect", try); pauseErr != nil {
			return err
		}
	}
}

// judgeGitHub says whether a change that failed may succeed when it is tried
// again, and whether it may have taken effect.
func judgeGitHub(err error) (passing, unsure bool) {
	status := githubStatus(err)
	switch {
	case status == 0, status >= 500, status == http.StatusRequestTimeout:
		return true, true
	case status == http.StatusConflict, status == http.StatusUnprocessableEntity:
		// Such as already_exists: what a try before did.
		return false, true
	}
	return false, false
}

// githubStatus is the HTTP status of a failure, 0 where there was none.
func githubStatus(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}
