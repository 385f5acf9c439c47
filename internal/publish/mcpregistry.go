package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/fetch"
)

// officialRegistry is the MCP registry that everybody means.
const officialRegistry = "https://registry.modelcontextprotocol.io"

// defaultServerJSON is where mcp-publisher looks, too.
const defaultServerJSON = "server.json"

// registryTokenName is the environment variable of a registry's own token.
const registryTokenName = "MCP_INTEGRITY_MCP_REGISTRY_TOKEN"

// mcpRegistry is an MCP registry: a server's server.json, version by version. The
// registry keeps no files; what it keeps of a release is a pointer ([sealedAt]) in
// the part of _meta that is the publisher's, to an envelope that another place
// keeps.
//
// The pointer goes out with the version, in one request, since it cannot come
// later: a published version is not changed. The registry has a PUT for it, which
// is not used: it replaces all of an entry without saying which state it
// replaces, so two writers undo each other unseen; it wants a permission (edit)
// that the registry gives its administrators, and no identity token; and the
// 4 KB are not checked there. So this place does the work of mcp-publisher, and
// comes in its stead.
type mcpRegistry struct {
	name string // as somebody named the place
	api  *registryAPI
	env  Env
	// guarded fetches what an answer names, and local does so on this machine.
	guarded, local *http.Client
	// server is the name of @NAME, "" where there is none.
	server string

	mu    sync.Mutex
	index *registryIndex
}

// namedServer is what follows a registry's URL: @NAME.
var namedServer = regexp.MustCompile(`^(.*)@([a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+)$`)

// openMCPRegistry makes a place of [URL][@NAME]. NAME is the server's name there;
// without one it is server.json's, else the release's id.
func openMCPRegistry(rest string, env Env) (Place, error) {
	m := &mcpRegistry{env: env, guarded: retrying(fetch.Guarded(), env), local: retrying(fetch.Client(), env)}
	if parts := namedServer.FindStringSubmatch(rest); parts != nil {
		rest, m.server = parts[1], parts[2]
		if err := checkServerName(m.server); err != nil {
			return nil, fmt.Errorf("mcp-registry: %w", err)
		}
	}
	u, err := url.Parse(cmp.Or(strings.TrimSuffix(rest, "/"), officialRegistry))
	// An error of url.Parse quotes the URL, and whatever secret is in it.
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !fetch.Secure(u) {
		return nil, errors.New("mcp-registry: want https://HOST, with neither user nor query, or http on this machine")
	}
	m.name = "mcp-registry:" + fetch.PublicURL(u.String())
	if m.server != "" {
		m.name += "@" + m.server
	}
	m.api = newRegistryAPI(m.name, u, env)
	return m, nil
}

// String implements [Place].
func (m *mcpRegistry) String() string { return m.name }

// AttestationURI implements [Place]: a registry keeps none.
func (m *mcpRegistry) AttestationURI(Coming) (string, error) { return "", nil }

// fail is an error of this place.
func (m *mcpRegistry) fail(op string, err error, hint string, args ...any) error {
	e := &Error{Place: m.name, Op: op, Err: err, Hint: fmt.Sprintf(hint, args...)}
	var said *statusError
	if errors.As(err, &said) {
		e.Status = said.status
		if e.Hint == "" {
			e.Hint = m.advise(op, said)
		}
	}
	return e
}

// advise says what to change so that the registry no longer answers op so.
func (m *mcpRegistry) advise(op string, said *statusError) string {
	switch {
	case said.status >= 300 && said.status < 400:
		return "the registry redirects, and no token is sent elsewhere: name the address that it has now, as mcp-registry:https://HOST"
	case said.status == http.StatusUnauthorized && said.says("no audience configured"):
		return "this registry does not take GitHub's identity tokens (its MCP_REGISTRY_GITHUB_OIDC_AUDIENCE is not set): put a token of its own into " + registryTokenName
	case said.status == http.StatusUnauthorized && said.says("invalid audience"):
		return fmt.Sprintf("the registry wants another audience than %s: set its MCP_REGISTRY_GITHUB_OIDC_AUDIENCE to that", m.audience())
	case said.status == http.StatusUnauthorized:
		return "give the job `permissions: id-token: write`, or put a token of the registry, not older than five minutes, into " + registryTokenName
	case said.status == http.StatusForbidden:
		return "the namespace in server.json's name must be one that the registry says you may publish: io.github.OWNER is the owner of the repository whose job this is"
	case said.status == http.StatusNotFound && strings.Contains(op, "/auth/"):
		return "this registry takes no identity tokens of this platform: put a token of its own into " + registryTokenName
	case said.status == http.StatusNotFound && said.says("ndpoint not found"), said.foreign && said.status == http.StatusNotFound:
		return "is this an MCP registry? Name its address without a path, as mcp-registry:https://HOST"
	case said.status == http.StatusTooManyRequests:
		return "the registry limits how often it is asked: run the job again later, what is done stays done"
	case said.status >= 500:
		return "the fault is the registry's: run the job again later, what is done stays done"
	case said.status == http.StatusUnprocessableEntity:
		return "change " + m.path() + " where the registry says; it publishes what its POST /v0.1/validate accepts"
	case said.says("4KB limit"):
		return fmt.Sprintf("shorten what else stands in %s under %s", m.path(), publisherMember)
	case said.says("registry validation failed"):
		return "the package must be published before its server.json, with mcpName in it as server.json's name"
	}
	return "change " + m.path() + " as the registry says"
}

// path is server.json's.
func (m *mcpRegistry) path() string { return cmp.Or(m.env.ServerJSON, defaultServerJSON) }

// document reads server.json, which is never written: what stands in a repository
// is its author's, and the pointer of a release belongs to what was released.
func (m *mcpRegistry) document() ([]byte, *serverJSON, error) {
	data, err := readAtMost(m.path(), maxServerJSON)
	if err != nil {
		return nil, nil, m.fail("read "+m.path(), err, "an MCP registry is given a server.json: write one (mcp-publisher init), or name it by --server-json FILE")
	}
	s, err := parseServerJSON(data)
	if err != nil {
		return nil, nil, m.fail("read "+m.path(), err, "correct %s", m.path())
	}
	if m.server != "" && s.Name != m.server {
		return nil, nil, m.fail("read "+m.path(), fmt.Errorf("name is %q, want %q, as the target says", s.Name, m.server), "one of them is another server's")
	}
	return data, s, nil
}

func readAtMost(path string, limit int64) ([]byte, error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return data, err
}

// checkRelease refuses a server.json of another release.
func (m *mcpRegistry) checkRelease(s *serverJSON, version string) error {
	if version != "" && s.Version != version {
		return m.fail("compare "+m.path()+" with the release", fmt.Errorf("%s: version is %q, want %q, which is released", m.path(), s.Version, version),
			"set version in %s to %q", m.path(), version)
	}
	if want := m.env.MCPName; want != "" && s.Name != want {
		return m.fail("compare "+m.path()+" with the release", fmt.Errorf("%s: name is %q, want %q, as the package says", m.path(), s.Name, want),
			"make name in %s and the package's own MCP name (mcpName in package.json) the same: the registry compares them", m.path())
	}
	return nil
}

// Check implements [Place]. No identity token is asked for: the tool server, a
// stranger's code, may not have run yet.
func (m *mcpRegistry) Check(ctx context.Context) error {
	if m.env.ReadOnly {
		if _, err := m.load(ctx); err != nil && !errors.Is(err, errNoServer) {
			return m.fail("list versions", err, "")
		}
		return nil
	}
	data, s, err := m.document()
	if err != nil {
		return err
	}
	if err := m.checkRelease(s, m.env.Version); err != nil {
		return err
	}
	// A pointer as large as ours are, so that what does not fit is known now.
	example := sealedAt{Version: sealedFormat, Digest: digest.FromString(""), URL: "https://" + strings.Repeat("x", 240), Signer: strings.Repeat("x", 200)}
	doc, err := m.withPointer(data, example)
	if err != nil {
		return err
	}
	if err := m.api.validate(ctx, doc); err != nil {
		return m.fail("validate "+m.path(), err, "")
	}
	if err := m.checkFree(ctx, s); err != nil {
		return err
	}
	return m.checkToken(s.Name)
}

// checkFree refuses a version that stands there without a pointer, before
// anything is built.
func (m *mcpRegistry) checkFree(ctx context.Context, s *serverJSON) error {
	there, err := m.api.version(ctx, s.Name, s.Version)
	switch {
	case errors.Is(err, errNoServer):
		return nil
	case err != nil:
		return m.fail("look for version "+s.Version, err, "")
	}
	if at, err := there.Server.sealed(); err == nil && at == nil {
		return m.unsealed(s)
	}
	return nil
}

// unsealed is the error for a version that was published without us.
func (m *mcpRegistry) unsealed(s *serverJSON) error {
	return m.fail("publish", fmt.Errorf("%w: version %q of %s was published without %s, and _meta cannot be added afterwards", ErrConflict, s.Version, s.Name, sealedMember),
		"raise the version, and publish by `mcp-integrity seal --publish mcp-registry` instead of mcp-publisher")
}

// withPointer is the document that is published.
func (m *mcpRegistry) withPointer(data []byte, at sealedAt) ([]byte, error) {
	doc, err := withSealed(data, at)
	if err == nil {
		err = checkRoom(doc)
	}
	if err != nil {
		return nil, m.fail("add "+sealedMember+" to "+m.path(), err, "shorten what else stands in %s under %s", m.path(), publisherMember)
	}
	return doc, nil
}

// now is the clock.
func (m *mcpRegistry) now() time.Time {
	if m.env.Now != nil {
		return m.env.Now()
	}
	return time.Now()
}
