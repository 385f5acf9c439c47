package trust

import (
	"net/url"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/strictyaml"
	"github.com/mcp-integrity/seal-action/seal"
)

// forges are the hosts whose certificates name owners, by the URL under which
// their repositories stand.
var forges = []struct{ host, issuer string }{
	{"https://github.com", seal.GitHubIssuer},
	{"https://gitlab.com", seal.GitLabIssuer},
}

// issuerOf is the issuer of a forge's URL, "" for any other.
func issuerOf(uri string) string {
	for _, f := range forges {
		if under(uri, f.host) {
			return f.issuer
		}
	}
	return ""
}

// hostOf is where repositories stand for which an issuer vouches: GitHub, where
// nobody knows better.
func hostOf(issuer string) string {
	for _, f := range forges {
		if f.issuer == issuer {
			return f.host
		}
	}
	return forges[0].host
}

// identity reads an identity, nil where the entry has none: then a forge's
// namespace names the owner.
func (r *reader) identity(n *strictyaml.Node, e *entry) {
	path := strictyaml.MemberPath(e.path, "identity")
	implied, noForge := seal.NamespaceIdentity(e.namespace)
	if n == nil {
		if noForge != nil {
			r.errorf(e.at, e.path, "has no identity, key or jwks: %s", howToKnow(e))
			return
		}
		e.identity = &implied
		return
	}
	id := &seal.Identity{
		Issuer: n.Child("issuer").String(), SAN: n.Child("subject").String(), Workflow: n.Child("workflow").String(),
		Ref: n.Child("ref").String(), SelfHosted: n.Child("self_hosted").Bool(),
	}
	e.identity = id
	before := len(r.errs)
	host := hostOf(id.Issuer)
	if id.Issuer == "" {
		host = hostOf(implied.Issuer)
	}
	id.Repository = r.location(n, path, "repository", host, 2)
	id.Owner = r.location(n, path, "owner", host, 1)
	r.patterns(n, path)
	if len(r.errs) > before {
		return
	}
	if noForge == nil {
		r.imply(n, path, id, implied, e.namespace)
	}
	if !id.Named() {
		r.errorf(n.At, path, "names nobody: want a repository, an owner or a subject")
		return
	}
	if id.Issuer == "" {
		for _, uri := range []string{id.Repository, id.Owner, id.SAN} {
			if id.Issuer == "" {
				id.Issuer = issuerOf(uri)
			}
		}
	}
	if id.Issuer == "" {
		r.errorf(n.At, path, "lacks issuer: a name means nothing without who vouches for it")
	}
}

func howToKnow(e *entry) string {
	if e.role != seal.RolePublisher {
		return "nothing says who this is"
	}
	if lower := strings.ToLower(e.namespace); lower != e.namespace {
		if _, err := seal.NamespaceIdentity(lower); err == nil {
			return "a certificate proves " + lower + ", in lower case"
		}
	}
	if labels := strings.SplitN(e.namespace, ".", 3); len(labels) >= 2 && labels[1] != "github" && labels[1] != "gitlab" {
		return "no certificate proves this namespace; its keys may stand at https://" + labels[1] + "." + labels[0] + "/.well-known/mcp-integrity-keys.json"
	}
	return "no certificate proves this namespace"
}

// location reads a repository or an owner: so many path segments on host, or the
// whole URL.
func (r *reader) location(n *strictyaml.Node, path, member, host string, segments int) string {
	m := n.Lookup(member)
	if m == nil {
		return ""
	}
	text := m.Value.String()
	uri := text
	if !isURL(uri) {
		uri = host + "/" + uri
	}
	uri = strings.TrimSuffix(uri, "/")
	if member == "repository" {
		uri = strings.TrimSuffix(uri, ".git")
	}
	if isPlace(uri, segments) {
		return uri
	}
	want := map[string]string{"repository": "OWNER/NAME or the repository's URL", "owner": "a name or the owner's URL"}[member]
	r.errorf(m.Value.At, strictyaml.MemberPath(path, member), "is %s, want %s, exactly", strictyaml.Quoted(text), want)
	return ""
}

// isPlace says that a URL is of a repository or an owner: nothing but a host and
// at least so many path segments, and no more on GitHub, which has no groups.
func isPlace(uri string, segments int) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || strings.ContainsAny(uri, "*?#@%\\ ") {
		return false
	}
	parts := strings.Split(strings.TrimPrefix(u.Path, "/"), "/")
	if slices.ContainsFunc(parts, func(p string) bool { return p == "" || p == "." || p == ".." }) {
		return false
	}
	return len(parts) == segments || len(parts) > segments && !under(uri, forges[0].host)
}

// patterns checks what is compared as a whole, and where a * may stand.
func (r *reader) patterns(n *strictyaml.Node, path string) {
	check := func(member string, wrong func(string) string) {
		m := n.Lookup(member)
		if m == nil {
			return
		}
		text := m.Value.String()
		why := wrong(text)
		if why == "" && strings.Contains(text, "**") {
			why = "want a single *, which stands for a run of characters but /"
		}
		if why != "" {
			r.errorf(m.Value.At, strictyaml.MemberPath(path, member), "is %s, %s", strictyaml.Quoted(text), why)
		}
	}
	check("issuer", wrongIssuer)
	check("workflow", func(s string) string {
		inRoot := strings.HasPrefix(s, ".") // as GitLab's .gitlab-ci.yml
		if strings.HasPrefix(s, "/") || strings.HasPrefix(s, "./") || isURL(s) || !strings.Contains(s, "/") && !inRoot {
			return "want its path in the repository, such as .github/workflows/release.yml, or OWNER/NAME/PATH of another"
		}
		return ""
	})
	check("ref", func(s string) string {
		if !strings.HasPrefix(s, "refs/") {
			return "want a full ref, such as refs/heads/main or refs/tags/v*"
		}
		return ""
	})
	check("subject", wrongSubject)
}

func wrongIssuer(s string) string {
	if strings.Contains(s, "*") {
		return "want it exactly"
	}
	for _, f := range forges {
		if s == f.issuer+"/" || s == f.host && s != f.issuer {
			return "did you mean \"" + f.issuer + "\"?"
		}
	}
	return ""
}

// wrongSubject refuses patterns that anybody could match: a * must not stand
// where a subject says whose it is. That is the host and the first segment of a
// URL's path, the domain of an address, and all of any other name.
func wrongSubject(s string) string {
	star := strings.Index(s, "*")
	if star < 0 {
		return ""
	}
	if _, rest, ok := strings.Cut(s, "://"); ok {
		host, path, _ := strings.Cut(rest, "/")
		owner, _, more := strings.Cut(path, "/")
		if strings.Contains(host+owner, "*") || !more {
			return "want no * in its host and the first segment behind it: they say whose it is"
		}
		return ""
	}
	if star > strings.LastIndex(s, "@") || strings.HasPrefix(s, "*") && !strings.Contains(s, "@") {
		return "want no * where it says whose it is: in a domain behind @, or in a name without one"
	}
	return ""
}

// imply adds what a forge's namespace says about the identity, and refuses one
// that says otherwise. Who has an issuer of their own vouches for it, as with a
// key.
func (r *reader) imply(n *strictyaml.Node, path string, id *seal.Identity, implied seal.Identity, namespace string) {
	proves := func(member, got string) {
		r.errorf(n.Lookup(member).Value.At, strictyaml.MemberPath(path, member),
			"is %s, and the namespace %s is of %s", strictyaml.Quoted(got), namespace, implied.Owner)
	}
	own := func(uri string) bool { return strings.EqualFold(uri, implied.Owner) || under(uri, implied.Owner) }
	switch foreign := id.Issuer != "" && id.Issuer != implied.Issuer; {
	case foreign && id.Issuer == hostIssuer(id.Issuer):
		proves("issuer", id.Issuer)
	case id.Repository != "" && !own(id.Repository) && (!foreign || issuerOf(id.Repository) != ""):
		proves("repository", id.Repository)
	case id.Owner != "" && !own(id.Owner) && (!foreign || issuerOf(id.Owner) != ""):
		proves("owner", id.Owner)
	case foreign:
	default:
		id.Issuer = implied.Issuer
		if id.Owner == "" {
			id.Owner = implied.Owner
		}
	}
}

// hostIssuer is issuer where it is a forge's, else "".
func hostIssuer(issuer string) string {
	for _, f := range forges {
		if f.issuer == issuer {
			return issuer
		}
	}
	return ""
}

// under says whether a URL lies below another, by whole segments.
func under(uri, parent string) bool {
	return len(uri) > len(parent) && strings.EqualFold(uri[:len(parent)], parent) && uri[len(parent)] == '/'
}
