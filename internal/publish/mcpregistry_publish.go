package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/verify"
)

// Publish implements [Place]: the release's server.json with our pointer in it, in
// one request. Where that went wrong the registry is asked what stands there.
func (m *mcpRegistry) Publish(ctx context.Context, r Sealed) (Receipt, error) {
	data, s, err := m.document()
	if err != nil {
		return Receipt{}, err
	}
	if err := m.checkRelease(s, lineage.VersionOf(r.Manifest)); err != nil {
		return Receipt{}, err
	}
	want := sealedAt{Version: sealedFormat, Digest: r.Payload, URL: r.URL, Signer: r.Signer}
	doc, err := m.withPointer(data, want)
	if err != nil {
		return Receipt{}, err
	}
	receipt := Receipt{Place: m.name, State: AlreadyThere, URL: m.api.at("servers", s.Name, "versions", s.Version).String()}
	if r.URL == "" {
		receipt.Notes = append(receipt.Notes, "no other place makes the envelope one that anybody can fetch: the registry has its digest only, and cannot be a source for --previous")
	}
	// What is read from here on is not what was read before.
	m.forget()
	there, err := m.stands(ctx, s, want)
	if err != nil {
		return Receipt{}, err
	}
	if there == nil {
		if there, err = m.post(ctx, s, want, doc); err != nil {
			return Receipt{}, err
		}
		receipt.State = Published
	}
	if there.URL != want.URL {
		receipt.Notes = append(receipt.Notes, fmt.Sprintf("the registry names %.200q as the envelope's address, now it is %.200q: what was published is not changed", there.URL, want.URL))
	}
	return receipt, nil
}

// stands returns the pointer of this release where its version stands there, nil
// where there is no such version, and an error where it is not this release's.
func (m *mcpRegistry) stands(ctx context.Context, s *serverJSON, want sealedAt) (*sealedAt, error) {
	there, err := m.api.version(ctx, s.Name, s.Version)
	if errors.Is(err, errNoServer) {
		return nil, nil
	}
	if err != nil {
		return nil, m.fail("look for version "+s.Version, err, "")
	}
	return m.compare(there, s, want)
}

func (m *mcpRegistry) compare(there *registered, s *serverJSON, want sealedAt) (*sealedAt, error) {
	at, err := there.Server.sealed()
	switch {
	case err != nil:
		return nil, m.fail("publish", fmt.Errorf("%w: version %q of %s: %w", ErrConflict, s.Version, s.Name, err), "raise the version")
	case at == nil:
		return nil, m.unsealed(s)
	case at.Digest != want.Digest:
		return nil, m.fail("publish", fmt.Errorf("%w: version %q of %s has the digest %q, want %q", ErrConflict, s.Version, s.Name, at.Digest, want.Digest),
			"a published version is not changed: raise the version, or publish the release that stands there again")
	}
	return at, nil
}

// post publishes. An answer that fails may still be that of a request that took
// effect, now or at an earlier try: what stands there decides.
func (m *mcpRegistry) post(ctx context.Context, s *serverJSON, want sealedAt, doc []byte) (*sealedAt, error) {
	token, err := m.token(ctx)
	if err != nil {
		return nil, err
	}
	made, err := m.api.publish(ctx, doc, token)
	if err == nil {
		return m.compare(made, s, want)
	}
	var said *statusError
	duplicate := errors.As(err, &said) && said.says("duplicate version")
	if !duplicate && !errors.Is(err, verify.ErrUnavailable) {
		return nil, m.fail("publish", m.explained(ctx, err, doc), "")
	}
	at, lookErr := m.stands(ctx, s, want)
	switch {
	case at != nil:
		return at, nil
	case duplicate, errors.Is(lookErr, ErrConflict):
		return nil, cmp.Or(lookErr, m.fail("publish", err, "raise the version"))
	case said != nil:
		return nil, m.fail("publish", err, "")
	}
	return nil, m.fail("publish", err, "run the job again: what is done stays done")
}

// explained adds what is wrong with a document that the registry only calls
// invalid.
func (m *mcpRegistry) explained(ctx context.Context, err error, doc []byte) error {
	var said *statusError
	if !errors.As(err, &said) || said.status != http.StatusUnprocessableEntity {
		return err
	}
	if why := m.api.validate(ctx, doc); why != nil && !errors.As(why, &said) && !errors.Is(why, verify.ErrUnavailable) {
		return fmt.Errorf("%w: %w", err, why)
	}
	return err
}

// audience is whom an identity token for the registry is for: its origin, as the
// registry and mcp-publisher have it.
func (m *mcpRegistry) audience() string {
	return m.api.base.Scheme + "://" + strings.ToLower(m.api.base.Host)
}

// token is the registry's own, which lives five minutes: it is asked for when it
// is needed.
func (m *mcpRegistry) token(ctx context.Context) (string, error) {
	if ready := m.readyToken(); ready != "" {
		if err := checkRegistryToken(ready); err != nil {
			return "", m.fail("read "+registryTokenName, err, "put the registry's token there, and nothing else")
		}
		return ready, nil
	}
	if m.env.Token == nil {
		if !fetch.Loopback(m.api.base) {
			return "", m.noToken()
		}
		token, err := m.api.login(ctx, "none", "")
		if err != nil {
			return "", m.fail("ask for an anonymous token", err, "start the registry with MCP_REGISTRY_ENABLE_ANONYMOUS_AUTH=true, or put a token into %s", registryTokenName)
		}
		return token, nil
	}
	identity, err := m.env.Token(ctx, m.audience())
	if err != nil {
		return "", m.fail("ask for an identity token for "+m.audience(), err, "on GitHub, give the job `permissions: id-token: write`; on GitLab, an id_token with this audience; elsewhere, put a token of the registry into %s", registryTokenName)
	}
	token, err := m.api.login(ctx, m.method(), identity)
	if err != nil {
		return "", m.fail("exchange the identity token at /v0.1/auth/"+m.method(), err, "")
	}
	return token, nil
}

func (m *mcpRegistry) getenv(name string) string {
	if m.env.Getenv == nil {
		return ""
	}
	return m.env.Getenv(name)
}

func (m *mcpRegistry) readyToken() string { return strings.TrimSpace(m.getenv(registryTokenName)) }

// method is the endpoint that takes this platform's identity tokens. GitHub's has
// rules of its own for namespaces; any other issuer is one that the registry's
// owner configured.
func (m *mcpRegistry) method() string {
	if m.getenv("GITHUB_ACTIONS") == "true" {
		return "github-oidc"
	}
	return "oidc"
}

func (m *mcpRegistry) noToken() error {
	return m.fail("look for a token", errors.New("there is neither an identity token nor a registry's"),
		"on GitHub, give the job `permissions: id-token: write`; elsewhere, log in with mcp-publisher and put the registry's token into %s", registryTokenName)
}

// checkToken says what is wrong with a token that was given, as far as it tells.
func (m *mcpRegistry) checkToken(name string) error {
	ready := m.readyToken()
	if ready == "" {
		return nil
	}
	if err := checkRegistryToken(ready); err != nil {
		return m.fail("read "+registryTokenName, err, "put the registry's token there, and nothing else")
	}
	patterns, ends, ok := grants(ready)
	switch {
	case !ok:
	case ends.Before(m.now()):
		return m.fail("read "+registryTokenName, fmt.Errorf("the token ended at %s", ends.UTC().Format(http.TimeFormat)), "ask the registry for a new one: it lives five minutes")
	case !granted(patterns, name):
		return m.fail("read "+registryTokenName, fmt.Errorf("the token is for %.300q, want one for %q", patterns, name), "log in as the owner of that namespace, or change name in %s", m.path())
	}
	return nil
}
