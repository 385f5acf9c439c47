package artifact

import (
	"net/url"
	"regexp"
	"strings"
)

// forges are the hosts behind npm's short forms; "" is the form without a
// prefix.
var forges = map[string]string{
	"":          "github.com",
	"github":    "github.com",
	"gitlab":    "gitlab.com",
	"bitbucket": "bitbucket.org",
}

var (
	// shortRepository is owner/name, or forge:group/…/name.
	shortRepository = regexp.MustCompile(`^(?:(github|gitlab|bitbucket):)?([\w.-]+(?:/[\w.-]+)+)$`)
	// scpRepository is git's user@host:path.
	scpRepository = regexp.MustCompile(`^[\w.-]+@([\w.-]+):/*([^:]+)$`)
	// repositoryHost is a host name with a dot in it, with a port or without.
	repositoryHost = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+(?::[0-9]{1,5})?$`)
	repositoryPath = regexp.MustCompile(`^(?:/[\w.~+-]+)+$`)
)

// repositorySchemes are the URL schemes that packages write, and whether a port
// in them is one of https: it is dropped else.
var repositorySchemes = map[string]bool{
	"https": true, "git+https": true,
	"http": false, "git+http": false,
	"ssh": false, "git+ssh": false, "git": false,
}

// repositoryURL turns a spelling of a source repository (a URL, git+https,
// git+ssh, user@host:path, owner/name, github:owner/name) into an https URL
// without user, query, fragment and ".git". A spelling that is none of them, or
// leads to no public host, gives "".
func repositoryURL(s string) string {
	s, _, _ = strings.Cut(s, "#")
	if m := shortRepository.FindStringSubmatch(s); m != nil {
		if m[1] == "" && strings.Count(m[2], "/") > 1 {
			return "" // a/b/c is a path
		}
		return cleanRepository(forges[m[1]], "/"+m[2])
	}
	if m := scpRepository.FindStringSubmatch(s); m != nil && !strings.Contains(s, "://") {
		return cleanRepository(m[1], "/"+m[2])
	}
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	web, ok := repositorySchemes[u.Scheme]
	if !ok {
		return ""
	}
	host := u.Host
	if !web || u.Port() == "443" {
		host = u.Hostname()
	}
	return cleanRepository(host, u.EscapedPath())
}

// cleanRepository joins host and path, cut to the repository: a package of a
// monorepo may name the folder's page.
func cleanRepository(host, path string) string {
	host = strings.ToLower(host)
	if host == "github.com" || host == "www.github.com" {
		host = "github.com"
		parts := strings.SplitN(path, "/", 4)
		if len(parts) < 3 {
			return "" // somebody's page
		}
		path = strings.Join(parts[:3], "/")
	}
	path, _, _ = strings.Cut(path, "/-/") // GitLab's pages below a project
	path = strings.TrimSuffix(strings.TrimRight(path, "/"), ".git")
	if !repositoryHost.MatchString(host) || !repositoryPath.MatchString(path) {
		return ""
	}
	for part := range strings.SplitSeq(path[1:], "/") {
		if part == "." || part == ".." {
			return ""
		}
	}
	return "https://" + host + path
}
