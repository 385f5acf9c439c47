package platform

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Bounds on a repository's URL: browsers and servers stop at 2 KiB; GitLab
// nests 20 groups.
const (
	maxRepoURL   = 2048
	maxRepoParts = 24
	maxHost      = 253 // RFC 1035 §2.3.4
	maxPart      = 255 // a file name; a regexp that counts so far takes 2 ms to compile
)

var (
	// hostForm is a DNS name or an IPv4 address. Names in other scripts come
	// as xn--….
	hostForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
	// realHost is one that can stand before the colon of host:owner/name. What
	// ends otherwise, such as github.com-work, is a name from somebody's
	// ~/.ssh/config, or a Windows drive.
	realHost = regexp.MustCompile(`\.([a-z]{2,}|xn--[a-z0-9-]+|[0-9]{1,3})$`)
	// partForm is an owner's or a repository's name. It has no @ and no colon:
	// a URL that was read wrongly must not leave a password in the path.
	partForm = regexp.MustCompile(`^[A-Za-z0-9._~+ -]+$`)
)

// sshHosts are where well-known hosts take ssh on port 443.
var sshHosts = map[string]string{
	"ssh.github.com":       "github.com",
	"altssh.gitlab.com":    "gitlab.com",
	"altssh.bitbucket.org": "bitbucket.org",
}

var errLocalRepo = errors.New("repository: a path of one machine, want a URL that others can reach")

// NormalizeRepo returns the https URL of the repository that git knows by raw:
//
//	git@host:owner/name.git             https://host/owner/name
//	ssh://git@host:22/owner/name        https://host/owner/name
//	git+https://user:token@host/o/n#v1  https://host/o/n
//	http://host:80/owner/name/          https://host/owner/name
//	https://host:8443/owner/name        as it is
//
// User, password, query and fragment are dropped: a manifest is public, and a
// remote's URL is where tokens are kept. Hosts become lower case, paths keep
// theirs. Paths of this machine, other schemes, and everything that cannot be
// such a URL are refused, by an error that quotes nothing of raw.
func NormalizeRepo(raw string) (string, error) {
	if len(raw) > maxRepoURL {
		return "", fmt.Errorf("repository: %d bytes, want %d at most", len(raw), maxRepoURL)
	}
	var a address
	var err error
	if scheme, rest, ok := strings.Cut(raw, "://"); ok {
		a, err = splitURL(scheme, rest)
	} else {
		a, err = splitSCP(raw)
	}
	if err != nil {
		return "", err
	}
	return a.https()
}

// address is a repository's place on the web, unchecked. port is empty for the
// usual one.
type address struct{ host, port, path string }

// splitURL reads what stands behind scheme://. It does without net/url, whose
// errors quote the whole text, and which knows nothing of ssh://host:owner/name.
func splitURL(scheme, rest string) (address, error) {
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	authority, path, _ := strings.Cut(rest, "/")
	authority = authority[strings.LastIndex(authority, "@")+1:]
	host, port, _ := strings.Cut(authority, ":")
	a := address{host: host, path: path}
	n, err := strconv.ParseUint(port, 10, 16)
	numeric := port == "" || (err == nil && n > 0)

	switch strings.TrimPrefix(strings.ToLower(scheme), "git+") {
	case "https":
		if !numeric {
			return a, errors.New("repository: the port is no number from 1 to 65535")
		}
		if port != "" && n != 443 {
			a.port = strconv.FormatUint(n, 10)
		}
	case "http":
		if port != "" && (!numeric || n != 80) {
			return a, errors.New("repository: http with a port of its own, want https")
		}
	case "ssh", "ssh+git", "git":
		if !numeric { // git+ssh://git@host:owner/name, as package.json often has it
			a.path = port + "/" + path
		}
	case "file":
		return a, errLocalRepo
	default:
		return a, errors.New("repository: the scheme is none of https, http, ssh, git")
	}
	return a, nil
}

// splitSCP reads [user@]host:path, git's short form for ssh.
func splitSCP(raw string) (address, error) {
	before, path, ok := strings.Cut(raw, ":")
	if !ok || strings.ContainsAny(before, `/\`) {
		return address{}, errLocalRepo
	}
	host := before[strings.LastIndex(before, "@")+1:]
	if !realHost.MatchString(strings.ToLower(host)) {
		return address{}, errors.New("repository: what stands before the colon is no host that others can reach (an alias of ssh or git?)")
	}
	return address{host: host, path: path}, nil
}

// https checks every part and puts them together.
func (a address) https() (string, error) {
	host := strings.ToLower(a.host)
	if len(host) > maxHost || !hostForm.MatchString(host) {
		return "", errors.New("repository: the host is no DNS name")
	}
	if known, ok := sshHosts[host]; ok {
		host = known
	}
	parts := strings.Split(strings.Trim(a.path, "/"), "/")
	if len(parts) > maxRepoParts {
		return "", fmt.Errorf("repository: a path of %d parts, want %d at most", len(parts), maxRepoParts)
	}
	for i, p := range parts {
		p, err := url.PathUnescape(p)
		if err != nil {
			return "", errors.New("repository: the path has a % that escapes nothing")
		}
		for i == len(parts)-1 && strings.HasSuffix(p, ".git") {
			p = strings.TrimSuffix(p, ".git")
		}
		if p == "." || p == ".." || len(p) > maxPart || !partForm.MatchString(p) {
			return "", fmt.Errorf("repository: part %d of %d of the path is no owner's or repository's name", i+1, len(parts))
		}
		parts[i] = url.PathEscape(p)
	}
	if a.port != "" {
		host += ":" + a.port
	}
	return "https://" + host + "/" + strings.Join(parts, "/"), nil
}

// ownerForm is a login of GitHub or a top group of GitLab that fits into a
// namespace as one part. Underscores are for GitHub's managed users.
var ownerForm = regexp.MustCompile(`^[a-z0-9_][a-z0-9_-]*$`)

// NamespaceOf returns the namespace that the owner of a repository can prove
// (decision 12): io.github.<owner> for github.com, io.gitlab.<top group> for
// gitlab.com, in lower case. There is none for other hosts, self-hosted ones
// among them, and none for a group with a dot, which would read as two parts.
func NamespaceOf(repoURL string) (string, bool) {
	host, parts, ok := split(repoURL)
	if !ok || len(parts) < 2 {
		return "", false
	}
	owner := strings.ToLower(parts[0])
	if !ownerForm.MatchString(owner) {
		return "", false
	}
	switch {
	case host == "github.com" && len(parts) == 2:
		return "io.github." + owner, true
	case host == "gitlab.com":
		return "io.gitlab." + owner, true
	}
	return "", false
}

// ownerOf returns the name and the page of a repository's owner, or nothing.
func ownerOf(repoURL string) (id, page string) {
	host, parts, ok := split(repoURL)
	switch {
	case !ok:
		return "", ""
	case len(parts) < 2: // the host has one owner
		return host, "https://" + host
	}
	id = host + "/" + parts[0]
	return id, "https://" + id
}

func split(repoURL string) (host string, parts []string, ok bool) {
	normal, err := NormalizeRepo(repoURL)
	if err != nil {
		return "", nil, false
	}
	host, path, _ := strings.Cut(strings.TrimPrefix(normal, "https://"), "/")
	return host, strings.Split(path, "/"), true
}

// maxLocalName keeps a namespace within a DNS label.
const maxLocalName = 63

// LocalNamespace returns the namespace of a person's own machine (decision
// 22), local.<name>, for the name that the system has for its user. Letters
// are lowered, and all that is not a–z, 0–9, - or _ becomes a hyphen; of a
// Windows DOMAIN\name the name is taken. A name of which nothing is left is
// "user".
func LocalNamespace(username string) string {
	name := strings.ToLower(username[strings.LastIndex(username, `\`)+1:])
	name = strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, name)
	name = strings.Trim(name[:min(len(name), maxLocalName)], "-")
	if name == "" {
		name = "user"
	}
	return "local." + name
}
