package publish

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// newRepository is a client of one repository. Plain http goes to this machine
// only. No list of referrers that others may still read is deleted: the library
// would do so after it wrote a new one.
func newRepository(ref registry.Reference, client *http.Client, login auth.CredentialFunc) *remote.Repository {
	guarded := *client
	guarded.Transport = registryTransport{base: guarded.Transport, host: ref.Host()}
	return &remote.Repository{
		Reference: registry.Reference{Registry: ref.Registry, Repository: ref.Repository},
		PlainHTTP: fetch.Loopback(&url.URL{Host: ref.Host()}),
		Client: &auth.Client{
			Client: &guarded, Credential: login, Cache: auth.NewCache(),
			Header: http.Header{"User-Agent": {"mcp-integrity"}},
		},
		TagListMaxPages: maxPages, ReferrerListMaxPages: maxPages,
		MaxMetadataBytes: maxImageManifest, SkipReferrersGC: true,
	}
}

// registryTransport refuses plain http to other machines, wherever a registry
// points. It marks the one POST that is harmless twice, since an upload that was
// begun and not continued is forgotten; and the one PUT that is not, since a list
// of referrers that was read before others wrote to it must be read again.
//
// The token of a registry stays with it: where it sends an upload or a download to
// another host, no Authorization goes there. A password goes to the host that the
// registry names for tokens, by GET, as the protocol has it.
type registryTransport struct {
	base http.RoundTripper
	host string
}

// RoundTrip implements [http.RoundTripper].
func (t registryTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !fetch.Secure(req.URL) {
		return nil, fmt.Errorf("%s://%s: want https, plain http goes to this machine only", req.URL.Scheme, req.URL.Host)
	}
	if login := req.Header.Get("Authorization"); login != "" && req.URL.Host != t.host &&
		(req.Method != http.MethodGet || strings.HasPrefix(login, "Bearer ")) {
		req = req.Clone(req.Context())
		req.Header.Del("Authorization")
	}
	if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/blobs/uploads/") {
		req = req.Clone(req.Context())
		req.Header["Idempotency-Key"] = nil
	}
	if req.Method == http.MethodPut && isReferrersTag(path.Base(req.URL.Path)) {
		req = req.WithContext(once(req.Context()))
	}
	if t.base == nil {
		return http.DefaultTransport.RoundTrip(req)
	}
	return t.base.RoundTrip(req)
}

// logins finds the credentials for one registry: what docker login, its
// credential helpers or podman login keep, else the job's own token. A job in a
// container does not see the logins of the machine around it.
func logins(getenv func(string) string, host string) auth.CredentialFunc {
	return func(ctx context.Context, asked string) (auth.Credential, error) {
		if asked != host {
			return auth.EmptyCredential, nil
		}
		for _, file := range loginFiles(getenv) {
			store, err := credentials.NewStore(file, credentials.StoreOptions{})
			if err != nil {
				return auth.EmptyCredential, fmt.Errorf("the credentials in %s cannot be read", file)
			}
			found, err := credentials.Credential(store)(ctx, asked)
			if err != nil {
				return auth.EmptyCredential, fmt.Errorf("the credentials that %s names cannot be had: %w", file, err)
			}
			if found != auth.EmptyCredential {
				return found, nil
			}
		}
		return jobLogin(getenv, host), nil
	}
}

// loginFiles are where docker and podman keep credentials, as their manuals say.
func loginFiles(getenv func(string) string) []string {
	var files []string
	if dir := getenv("DOCKER_CONFIG"); dir != "" {
		files = append(files, filepath.Join(dir, "config.json"))
	} else if home, err := os.UserHomeDir(); err == nil {
		files = append(files, filepath.Join(home, ".docker", "config.json"))
	}
	if file := getenv("REGISTRY_AUTH_FILE"); file != "" {
		files = append(files, file)
	}
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		files = append(files, filepath.Join(dir, "containers", "auth.json"))
	}
	return files
}

// jobLogin is what a platform gives a job for its own registry, and for no other:
// GitLab's CI_REGISTRY_USER and CI_REGISTRY_PASSWORD for exactly CI_REGISTRY, and
// GitHub's token, by the names that the other places on GitHub take it, for the
// registry that belongs to the server that issued it.
func jobLogin(getenv func(string) string, host string) auth.Credential {
	if password := getenv("CI_REGISTRY_PASSWORD"); password != "" && host == getenv("CI_REGISTRY") {
		return auth.Credential{Username: getenv("CI_REGISTRY_USER"), Password: password}
	}
	if host != gitHubRegistry(getenv) {
		return auth.EmptyCredential
	}
	for _, name := range []string{"INPUT_GITHUB-TOKEN", "MCP_INTEGRITY_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"} {
		if token := getenv(name); token != "" {
			// Any user's name will do.
			return auth.Credential{Username: cmp.Or(getenv("GITHUB_ACTOR"), "x-access-token"), Password: token}
		}
	}
	return auth.EmptyCredential
}

// gitHubRegistry is the container registry of the GitHub that runs this job.
func gitHubRegistry(getenv func(string) string) string {
	switch server := strings.TrimPrefix(getenv("GITHUB_SERVER_URL"), "https://"); server {
	case "", "github.com":
		return "ghcr.io"
	default:
		return "containers." + server
	}
}

// grantedActions are what the registry's token says that it allows, where it is
// one that says so (distribution: Token Authentication Implementation, the claim
// "access"). Nothing rests on it but an earlier error.
func grantedActions(ctx context.Context, repo *remote.Repository) (actions []string, known bool) {
	client, ok := repo.Client.(*auth.Client)
	if !ok {
		return nil, false
	}
	host := repo.Reference.Host()
	token, err := client.Cache.GetToken(ctx, host, auth.SchemeBearer, strings.Join(auth.GetAllScopesForHost(ctx, host), " "))
	if err != nil {
		return nil, false
	}
	return accessOf(token, repo.Reference.Repository)
}

// accessOf reads the actions on a repository that a token in the form of a JWT
// lists. Its signature is for the registry to check.
func accessOf(token, repository string) (actions []string, known bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, false
	}
	var claims struct {
		Access *[]struct {
			Type    string   `json:"type"`
			Name    string   `json:"name"`
			Actions []string `json:"actions"`
		} `json:"access"`
	}
	if strictjson.UnmarshalOpen(payload, &claims) != nil || claims.Access == nil {
		return nil, false
	}
	for _, a := range *claims.Access {
		if a.Type == "repository" && a.Name == repository {
			actions = append(actions, a.Actions...)
		}
	}
	return actions, true
}

func pushes(actions []string) bool {
	return slices.Contains(actions, "push") || slices.Contains(actions, "*")
}
