package seal

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Identity is whom a verifier expects behind a certificate: every member that
// is set must hold, and at least one that names somebody must be set. Values
// are compared whole and exactly, repositories and owners without regard to
// case, as their hosts do. A * in Workflow, Ref or SAN stands for any run of
// characters within one path segment; there are no other patterns.
type Identity struct {
	// Issuer is the OpenID Connect issuer.
	Issuer string
	// SAN is the certificate's subject alternative name.
	SAN string
	// Owner is the URL of the source repository's owner, or of a group whose
	// projects count with those of its subgroups.
	Owner string
	// Repository is the URL of the source repository.
	Repository string
	// Workflow is the path of the workflow file in the source repository, such as
	// .github/workflows/release.yml, or with its repository, as
	// OWNER/NAME/.github/workflows/seal.yml@refs/tags/v1, where that is another
	// one. Without @REF, a workflow of another repository is one of its branches
	// and tags: at a bare commit or a pull request it may be a fork's.
	Workflow string
	// Ref is the source's full ref, such as refs/tags/v*.
	Ref string
	// SelfHosted allows runners that the platform does not host.
	SelfHosted bool
}

// Named says whether i names anybody: an issuer alone vouches for all the world.
func (i Identity) Named() bool {
	return i.SAN != "" || i.Owner != "" || i.Repository != ""
}

// ErrNamespace says that a namespace cannot be proved by a certificate.
var ErrNamespace = errors.New("no certificate proves this namespace")

// NamespaceIdentity is whom decision 12 expects behind a namespace of a forge:
// io.github.OWNER and io.gitlab.GROUP. Any other fails with [ErrNamespace].
func NamespaceIdentity(namespace string) (Identity, error) {
	if owner, ok := strings.CutPrefix(namespace, "io.github."); ok && ownerForm.MatchString(owner) {
		return Identity{Issuer: GitHubIssuer, Owner: "https://github.com/" + owner}, nil
	}
	if group, ok := strings.CutPrefix(namespace, "io.gitlab."); ok && ownerForm.MatchString(group) {
		return Identity{Issuer: GitLabIssuer, Owner: "https://gitlab.com/" + group}, nil
	}
	return Identity{}, fmt.Errorf("%w: %.100q is neither io.github.OWNER nor io.gitlab.GROUP", ErrNamespace, namespace)
}

// ownerForm has no dot: a group named a.b would look like b's namespace.
var ownerForm = regexp.MustCompile(`^[a-z0-9_][a-z0-9_-]*$`)

// hosted are the runner classes that the platforms themselves operate.
var hosted = map[string]bool{"github-hosted": true, "gitlab-hosted": true}

// Match returns nil when c is of whom i expects, and else an error that names
// the first difference.
func (i Identity) Match(c Certificate) error {
	if !i.Named() {
		return errors.New("no identity is expected: name a repository, an owner or a subject")
	}
	differs := func(what, got, want string) error {
		return fmt.Errorf("%s: got %.200q, want %q", what, got, want)
	}
	switch {
	case i.Issuer != "" && c.Issuer != i.Issuer:
		return differs("issuer", c.Issuer, i.Issuer)
	case i.Repository != "" && !strings.EqualFold(c.SourceRepositoryURI, i.Repository):
		return differs("source repository", c.SourceRepositoryURI, i.Repository)
	case i.Owner != "" && !i.owns(c):
		return differs("source repository's owner", c.SourceOwnerURI, i.Owner)
	case i.Workflow != "" && !i.runs(c):
		return differs("workflow", c.BuildSignerURI, i.Workflow)
	case i.Ref != "" && !matches(i.Ref, c.SourceRef):
		return differs("ref", c.SourceRef, i.Ref)
	case i.SAN != "" && !matches(i.SAN, c.SAN):
		return differs("subject", c.SAN, i.SAN)
	case !i.SelfHosted && (c.RunnerEnvironment != "" || c.SourceRepositoryURI != "") && !hosted[c.RunnerEnvironment]:
		return differs("runner", c.RunnerEnvironment, "github-hosted or gitlab-hosted")
	}
	return nil
}

// owns compares the owner. GitLab's owner is the whole namespace path, of
// which a group is the first segment. The repository must lie under the owner,
// too: two extensions that disagree prove nothing.
func (i Identity) owns(c Certificate) bool {
	under := func(uri string) bool {
		return len(uri) > len(i.Owner) && strings.EqualFold(uri[:len(i.Owner)], i.Owner) && uri[len(i.Owner)] == '/'
	}
	group := i.Issuer == GitLabIssuer && under(c.SourceOwnerURI)
	return (strings.EqualFold(c.SourceOwnerURI, i.Owner) || group) && under(c.SourceRepositoryURI)
}

// runs compares the workflow whose job signed. Its URI is REPOSITORY/PATH@REF,
// on GitLab REPOSITORY//PATH@REF. A path alone lies in the source repository.
func (i Identity) runs(c Certificate) bool {
	signer, ref, ok := cutRef(c.BuildSignerURI)
	if !ok || ref == "" {
		return false
	}
	want, wantRef, pinned := cutRef(i.Workflow)
	if pinned && !matches(wantRef, ref) {
		return false
	}
	if path, ok := strings.CutPrefix(signer, c.SourceRepositoryURI+"/"); ok && c.SourceRepositoryURI != "" {
		if matches(want, strings.TrimPrefix(path, "/")) {
			return true
		}
	}
	// OWNER/NAME/PATH names a workflow of another repository on the same host.
	// GitHub runs a fork's commit under the name of its parent repository.
	if !pinned && !strings.HasPrefix(ref, "refs/tags/") && !strings.HasPrefix(ref, "refs/heads/") {
		return false
	}
	scheme, rest, _ := strings.Cut(c.SourceRepositoryURI, "://")
	host, _, ok := strings.Cut(rest, "/")
	path, under := strings.CutPrefix(signer, scheme+"://"+host+"/")
	return ok && under && matches(want, path)
}

// cutRef splits PATH@refs/… at the @ before the ref; a path may hold @, too.
func cutRef(uri string) (path, ref string, ok bool) {
	if n := strings.LastIndex(uri, "@refs/"); n >= 0 {
		return uri[:n], uri[n+1:], true
	}
	n := strings.LastIndex(uri, "@")
	if n < 0 {
		return uri, "", false
	}
	return uri[:n], uri[n+1:], true
}

// matches compares text with a pattern in which * stands for any run of
// characters but /. The pattern covers the whole text.
func matches(pattern, text string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == text
	}
	parts := strings.Split(pattern, "*")
	for n := range parts {
		parts[n] = regexp.QuoteMeta(parts[n])
	}
	re, err := regexp.Compile(`^` + strings.Join(parts, `[^/]*`) + `$`)
	return err == nil && re.MatchString(text)
}
