package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/internal/fetch"
)

// Bounds on what a GitLab answers, and on how often it is asked.
const (
	// maxGitLabPage bounds a page of a list in bytes. A hundred packages with their
	// pipelines take 100 KB; a release's description alone may have 1 MB, which is
	// why those come twenty at a time.
	maxGitLabPage = 32 << 20
	// The entries of a page: GitLab gives a hundred at most.
	gitlabPackagesPage = 100
	gitlabReleasesPage = 20
	// maxGitLabPages is for 20,000 releases, twice a large history; of packages,
	// GitLab lists 50,000 (docs.gitlab.com/administration/instance_limits).
	maxGitLabPages = 1000
	// maxGitLabFiles bounds the files of one package that are looked at. Ours has
	// three; each interrupted or repeated upload by others adds one.
	maxGitLabFiles = 1000
	// maxGitLabName is that of a file, which a release's permanent link shares
	// with its slash: 128 characters with it.
	maxGitLabName = 127
	// maxGitLabTries is how often one file, release or link is tried where it is not
	// known whether it took effect. Each try begins by looking.
	maxGitLabTries = 4
)

// gitlab is a project of a GitLab, and how it is asked: by plain REST. The client
// library gitlab.com/gitlab-org/api/client-go (2.4 MB of a static binary) repeats
// an upload that answered 5xx, by which GitLab has the file twice; hands the token
// to whatever host a download is redirected to; and reads errors without a bound.
type gitlab struct {
	// place is the target as people name it.
	place string
	// server is such as https://gitlab.com, without a slash at its end.
	server string
	// project is its full path, such as acme/tools/files.
	project string
	// tag is the release's, "" where there is none; tagNamed says that the target
	// names it, and tagIsOurs that the job runs for it in this very project.
	tag                 string
	tagNamed, tagIsOurs bool
	token               gitlabToken
	env                 Env
	// client sends the token, to the server and nowhere else.
	client *http.Client
	// nobody asks the server without a token, stranger whoever else a link leads to.
	nobody, stranger *http.Client
	// pause waits between two tries.
	pause func(context.Context, time.Duration) error
}

// gitlabToken is what a GitLab knows us by.
type gitlabToken struct {
	// variable is where it came from, for people.
	variable, header, value string
}

// isJob says that it is the job's own, which ends with the job and reaches the
// job's project, and those that allow it.
func (t gitlabToken) isJob() bool { return t.header == gitlabJobHeader }

const (
	gitlabJobHeader      = "JOB-TOKEN"
	gitlabPersonalHeader = "PRIVATE-TOKEN"

	gitlabOwnToken = "MCP_INTEGRITY_GITLAB_TOKEN"
	gitlabJobToken = "CI_JOB_TOKEN"
	gitlabAnyToken = "GITLAB_TOKEN"
)

var (
	gitlabServerForm  = regexp.MustCompile(`^https?://[a-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9_.-]+)*$`)
	gitlabProjectForm = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$`)
	// gitlabNameForm is what both a generic package and a permanent link take, of a
	// file's name (gitlab: Regex::Packages.maven_file_name_regex, Releases::Link).
	gitlabNameForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)
	// gitlabVersionForm is that of a generic package's version
	// (gitlab: Regex::Packages.maven_version_regex), which has no two dots in a row.
	gitlabVersionForm = regexp.MustCompile(`^[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*$`)
	gitlabTokenForm   = regexp.MustCompile(`^[!-~]+$`)
)

// newGitLab reads a target's [GROUP/NAME][@TAG]; what it leaves out is the job's.
//
// The server is the job's, else that of GITLAB_HOST, else gitlab.com. The token is
// that of MCP_INTEGRITY_GITLAB_TOKEN, which somebody put there for this; else the
// job's own, which can do least and ends soonest; else that of GITLAB_TOKEN. It is
// sent over https, or on this machine, and to that server only.
func newGitLab(kind, rest string, env Env) (*gitlab, error) {
	if env.Getenv == nil {
		env.Getenv = func(string) string { return "" }
	}
	g := &gitlab{env: env, pause: sleep}
	project, tag, named := strings.Cut(rest, "@")
	g.project, g.tag, g.tagNamed = project, tag, named
	api, inJob, err := g.findServer()
	if err == nil {
		err = g.findProject(kind, inJob)
	}
	if err == nil {
		err = g.findToken(inJob)
	}
	if err == nil {
		err = g.checkStem()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	g.connect(api)
	return g, nil
}

// findProject reads whose project it is, and the tag.
func (g *gitlab) findProject(kind string, inJob bool) error {
	own := g.env.Getenv("CI_PROJECT_PATH")
	if g.project == "" {
		g.project = own
	}
	if g.project == "" {
		return fmt.Errorf("no project: want %s:GROUP/NAME, outside a GitLab job", kind)
	}
	if len(g.project) > maxGitLabProject || !gitlabProjectForm.MatchString(g.project) || gitlabDots(g.project) {
		return fmt.Errorf("project: got %.100q, want its full path, such as \"acme/file-tools\"", g.project)
	}
	if g.tagNamed && g.tag == "" {
		return errors.New("tag: got none after @, want such as \"v1.2.3\"")
	}
	isOwn := inJob && strings.EqualFold(g.project, own)
	if jobTag := g.env.Getenv("CI_COMMIT_TAG"); isOwn && (!g.tagNamed || g.tag == jobTag) {
		g.tag, g.tagIsOurs = jobTag, jobTag != ""
	}
	if len(g.tag) > maxGitLabTag || gitlabDots(g.tag) || strings.ContainsFunc(g.tag, gitlabControl) {
		return fmt.Errorf("tag: got %.100q, want that of a release", g.tag)
	}
	g.place = kind + ":" + g.project
	return nil
}

const (
	// maxGitLabProject is for twenty groups with ordinary names.
	maxGitLabProject = 1024
	// maxGitLabTag is that of git's refs on most file systems.
	maxGitLabTag = 250
)

// findServer reads whose GitLab it is. inJob says that the environment is a job's.
func (g *gitlab) findServer() (api *url.URL, inJob bool, err error) {
	server, base := gitlabTrim(g.env.Getenv("CI_SERVER_URL")), gitlabTrim(g.env.Getenv("CI_API_V4_URL"))
	inJob = server != "" || base != ""
	switch {
	case server != "" && base != "" && base != server+"/api/v4":
		// A project's own variables replace the predefined ones.
		return nil, false, fmt.Errorf("CI_API_V4_URL: got %.100q, want CI_SERVER_URL, which is %.100q, and /api/v4", fetch.PublicURL(base), fetch.PublicURL(server))
	case server == "" && base != "":
		if server, inJob = strings.CutSuffix(base, "/api/v4"); !inJob {
			return nil, false, fmt.Errorf("CI_API_V4_URL: got %.100q, want one that ends in /api/v4", fetch.PublicURL(base))
		}
	case server == "":
		server = hostURL(g.env.Getenv("GITLAB_HOST"))
	}
	u, err := url.Parse(server)
	if err != nil || !gitlabServerForm.MatchString(server) || gitlabDots(u.Path) {
		return nil, false, fmt.Errorf("server: got %.100q, want such as \"https://gitlab.com\"", fetch.PublicURL(server))
	}
	if !fetch.Secure(u) {
		return nil, false, fmt.Errorf("server: got %.100q, want https: over http, anybody on the way reads the token and writes the answers (set external_url of that GitLab to https)", server)
	}
	g.server = server
	return u.JoinPath("api", "v4"), inJob, nil
}

// hostURL reads GITLAB_HOST as GitLab's own command line does: a host or a URL.
func hostURL(host string) string {
	switch host = gitlabTrim(host); {
	case host == "":
		return "https://gitlab.com"
	case strings.Contains(host, "://"):
		return host
	}
	return "https://" + host
}

func (g *gitlab) findToken(inJob bool) error {
	for _, t := range []gitlabToken{
		{variable: gitlabOwnToken, header: gitlabPersonalHeader},
		{variable: gitlabJobToken, header: gitlabJobHeader},
		{variable: gitlabAnyToken, header: gitlabPersonalHeader},
	} {
		t.value = strings.TrimSpace(g.env.Getenv(t.variable))
		if t.value == "" || t.isJob() && !inJob {
			continue
		}
		if !gitlabTokenForm.MatchString(t.value) {
			return fmt.Errorf("%s holds characters that no token has: want one word", t.variable)
		}
		g.token = t
		return nil
	}
	return nil
}

// connect makes the clients. A redirect is followed by a GET only: another method
// would come out of it as a GET, or leave its body with a stranger.
func (g *gitlab) connect(api *url.URL) {
	base := fetch.Client()
	follow := base.CheckRedirect
	base.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if via[0].Method != http.MethodGet {
			return http.ErrUseLastResponse
		}
		return follow(req, via)
	}
	g.nobody = retrying(base, g.env)
	g.client = withToken(g.nobody, g.token.header, g.token.value, api)
	g.stranger = retrying(fetch.Guarded(), g.env)
}

// String implements [Place].
func (g *gitlab) String() string { return g.place }

// root is the API's address of the project.
func (g *gitlab) root() string {
	return g.server + "/api/v4/projects/" + gitlabEscape(g.project)
}

// fileURL is where a file of a generic package lies, in the form that
// [provenance.AttestationURI] gives.
func (g *gitlab) fileURL(stem, version, name string) string {
	return g.root() + "/packages/generic/" + gitlabEscape(stem) + "/" + gitlabEscape(version) + "/" + gitlabEscape(name)
}

// gitlabEscape escapes all that RFC 3986 reserves: a slash in a tag or a project's
// path is %2F (docs.gitlab.com/api/rest, Encoding).
func gitlabEscape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func gitlabTrim(s string) string { return strings.TrimRight(strings.TrimSpace(s), "/") }

func gitlabControl(r rune) bool { return r < ' ' || r == 0x7f }

// gitlabDots says whether a path leads elsewhere than it says.
func gitlabDots(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// checkStem says whether GitLab takes the files of a stem.
func (g *gitlab) checkStem() error {
	stem := g.env.Stem
	if len(stem)+len(ProvenanceSuffix) > maxGitLabName || !gitlabNameForm.MatchString(stem) {
		return fmt.Errorf("--output: GitLab takes no files %.100q: want a name of letters, digits and ._-, up to %d bytes", stem+EnvelopeSuffix, maxGitLabName-len(ProvenanceSuffix)+len(EnvelopeSuffix))
	}
	return nil
}
