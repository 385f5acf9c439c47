package cli

import (
	"net/url"
	"strings"

	"github.com/mcp-integrity/seal-action/seal"
)

// forges are the hosts whose identity tokens the public Sigstore takes, by the
// URL under which their repositories stand.
var forges = map[string]string{
	"https://github.com": seal.GitHubIssuer,
	"https://gitlab.com": seal.GitLabIssuer,
}

// expectedIdentity is whom the options expect behind a certificate: --repo,
// --workflow, --ref, --issuer and --identity, and the owner that a forge's
// namespace names (decision 12). named is false where they expect nobody.
func (i *invocation) expectedIdentity() (id seal.Identity, named bool, err error) {
	id = seal.Identity{
		Issuer: i.str("issuer"), SAN: i.str("identity"), Workflow: i.str("workflow"), Ref: i.str("ref"),
		SelfHosted: i.is("allow-self-hosted"),
	}
	if err := i.expectedRepository(&id); err != nil {
		return id, false, err
	}
	if ns, err := seal.NamespaceIdentity(i.str("namespace")); err == nil {
		switch id.Issuer {
		case "", ns.Issuer:
			id.Issuer, id.Owner = ns.Issuer, ns.Owner
		}
	}
	if id.SAN != "" && id.Issuer == "" {
		if id.Issuer = issuerOf(id.SAN); id.Issuer == "" {
			return id, false, usagef("--identity %.200q needs --issuer: a subject means nothing without who vouches for it", id.SAN)
		}
	}
	if !id.Named() {
		for _, o := range []string{"issuer", "workflow", "ref"} {
			if i.given(o) {
				return id, false, usagef("--%s alone names nobody", o).withHint("--repo OWNER/NAME, or --namespace io.github.OWNER")
			}
		}
	}
	return id, id.Named(), nil
}

// expectedRepository reads --repo: OWNER/NAME on the issuer's host, GitHub
// where none is named, or a whole URL.
func (i *invocation) expectedRepository(id *seal.Identity) error {
	repo := i.str("repo")
	if repo == "" {
		return nil
	}
	if !isURL(repo) {
		host := "https://github.com"
		for h, issuer := range forges {
			if issuer == id.Issuer {
				host = h
			}
		}
		repo = host + "/" + repo
	}
	repo = strings.TrimSuffix(strings.TrimSuffix(repo, "/"), ".git")
	u, err := url.Parse(repo)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Count(strings.Trim(u.Path, "/"), "/") < 1 {
		return usagef("--repo: got %.200q, want OWNER/NAME or the repository's URL", i.str("repo"))
	}
	if id.Issuer == "" {
		if id.Issuer = issuerOf(repo); id.Issuer == "" {
			return usagef("--repo %.200q needs --issuer: nobody is known to vouch for repositories on %s", repo, u.Host)
		}
	}
	id.Repository = repo
	return nil
}

// issuerOf is the issuer of a forge's URL, "" for any other.
func issuerOf(uri string) string {
	for host, issuer := range forges {
		if strings.HasPrefix(uri, host+"/") {
			return issuer
		}
	}
	return ""
}

// pinOf are the options by which a consumer expects whoever signed under c. Tags
// move with every release, so the ref is left to the reader.
func pinOf(namespace string, c seal.Certificate) []string {
	words := []string{"--namespace", namespace}
	if c.SourceRepositoryURI == "" {
		return append(words, "--issuer", c.Issuer, "--identity", c.SAN)
	}
	repo := c.SourceRepositoryURI
	if issuerOf(repo) == c.Issuer {
		if rest, ok := strings.CutPrefix(repo, "https://github.com/"); ok {
			repo = rest
		}
	} else {
		words = append(words, "--issuer", c.Issuer)
	}
	words = append(words, "--repo", repo)
	if w := workflowOf(c); w != "" {
		words = append(words, "--workflow", w)
	}
	return words
}

// workflowOf is the workflow whose job signed, as --workflow takes it: its path,
// behind OWNER/NAME/ where it lies in another repository.
func workflowOf(c seal.Certificate) string {
	path, _, ok := strings.Cut(c.BuildSignerURI, "@refs/")
	if !ok {
		if n := strings.LastIndex(path, "@"); n >= 0 {
			path = path[:n]
		}
	}
	if own, ok := strings.CutPrefix(path, c.SourceRepositoryURI+"/"); ok {
		return strings.TrimPrefix(own, "/")
	}
	if u, err := url.Parse(path); err == nil {
		return strings.TrimPrefix(u.Path, "/")
	}
	return ""
}
