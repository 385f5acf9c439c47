package cli

import (
	"net/url"
	"path"
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
	if err := i.expectedOwner(&id); err != nil {
		return id, false, err
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

// expectedOwner adds the owner whom a forge's namespace names. No other forge
// vouches for it, and an issuer of one's own for none of a forge's repositories
// but the owner's; beside that it vouches for whom it was named for, as a key does.
func (i *invocation) expectedOwner(id *seal.Identity) error {
	name := i.str("namespace")
	ns, err := seal.NamespaceIdentity(name)
	if err != nil {
		return nil // a domain's namespace has no owner
	}
	for _, forge := range forges {
		if forge == id.Issuer && forge != ns.Issuer {
			return usagef("the namespace %.100q is of %s, for which %s vouches, and not %.200q", name, ns.Owner, ns.Issuer, id.Issuer)
		}
	}
	if id.Issuer == "" || id.Issuer == ns.Issuer {
		id.Issuer, id.Owner = ns.Issuer, ns.Owner
		return nil
	}
	own := len(id.Repository) > len(ns.Owner) && strings.EqualFold(id.Repository[:len(ns.Owner)+1], ns.Owner+"/")
	if issuerOf(id.Repository) != "" && !own {
		return usagef("the namespace %.100q is of %s, and --repo of another: %.200q", name, ns.Owner, id.Repository)
	}
	return nil
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

// pinOf are the options by which a consumer expects whoever signed under c. A
// release's tag moves with every release: any tag beside it is expected. Other
// refs are left to the reader.
func pinOf(namespace string, c seal.Certificate) []string {
	words := []string{"--namespace", namespace}
	switch repo := c.SourceRepositoryURI; {
	case repo == "":
		words = append(words, "--issuer", c.Issuer, "--identity", c.SAN)
	case issuerOf(repo) == c.Issuer:
		words = append(words, "--repo", strings.TrimPrefix(repo, "https://github.com/"))
	default:
		words = append(words, "--issuer", c.Issuer, "--repo", repo)
	}
	if w := workflowOf(c); w != "" {
		words = append(words, "--workflow", w)
	}
	if c.SourceRepositoryURI != "" && strings.HasPrefix(c.SourceRef, "refs/tags/") {
		words = append(words, "--ref", path.Dir(c.SourceRef)+"/*")
	}
	if !platformHosts(c) {
		words = append(words, "--allow-self-hosted")
	}
	return words
}

// platformHosts says that a consumer who allows no self-hosted runner accepts c.
func platformHosts(c seal.Certificate) bool {
	switch c.RunnerEnvironment {
	case "github-hosted", "gitlab-hosted":
		return true
	case "":
		return c.SourceRepositoryURI == "" // a person, who needs no runner
	}
	return false
}

// workflowOf is the workflow whose job signed, as --workflow takes it: its path,
// or OWNER/NAME/PATH@REF where it lies in another repository on the same host,
// whose other refs may be anybody's. It is "" where no --workflow expresses it.
func workflowOf(c seal.Certificate) string {
	at := strings.LastIndex(c.BuildSignerURI, "@refs/")
	if at < 0 {
		at = strings.LastIndex(c.BuildSignerURI, "@")
	}
	source, err := url.Parse(c.SourceRepositoryURI)
	if at < 0 || err != nil || source.Host == "" {
		return ""
	}
	signer := c.BuildSignerURI[:at]
	if own, ok := strings.CutPrefix(signer, c.SourceRepositoryURI+"/"); ok {
		return strings.TrimPrefix(own, "/")
	}
	if other, ok := strings.CutPrefix(signer, source.Scheme+"://"+source.Host+"/"); ok {
		return other + c.BuildSignerURI[at:]
	}
	return ""
}
