package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
	"github.com/mcp-integrity/seal-action/verify"
)

// Bounds on what a registry answers.
const (
	// maxRegistryAnswer is one version: a server.json, and what the registry adds.
	maxRegistryAnswer = 2 * maxServerJSON
	// maxRegistryProblem is an error: a sentence, and a list of what it dislikes.
	maxRegistryProblem = 64 << 10
	// maxRegistryVersions is the registry's own bound on the versions of a server.
	maxRegistryVersions = 10_000
	// maxRegistryList is all versions of a server: 10,000 of 12 KB.
	maxRegistryList = 128 << 20
	// maxRegistrySaid is how much of its words is shown.
	maxRegistrySaid = 600
)

// registryAPI speaks to an MCP registry, version 0.1 of its API
// (github.com/modelcontextprotocol/registry, docs/reference/api).
type registryAPI struct {
	place  string
	base   *url.URL
	client *http.Client
}

func newRegistryAPI(place string, base *url.URL, env Env) *registryAPI {
	client := fetch.Client()
	follow := client.CheckRedirect
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		// A POST carries a token in its body or its header. Where a registry moved,
		// its new address is its user's to trust.
		if via[0].Method != http.MethodGet {
			return http.ErrUseLastResponse
		}
		return follow(req, via)
	}
	return &registryAPI{place: place, base: base, client: retrying(client, env)}
}

// at is the URL of an endpoint. A server's name has a slash that is part of it.
func (a *registryAPI) at(segments ...string) *url.URL {
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return a.base.JoinPath(append([]string{"v0.1"}, segments...)...)
}

// problem is the registry's error (RFC 9457). Its errors[].value, which may be
// what was sent, is not read: that may be a token.
type problem struct {
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

// String is all that the registry says, in one line.
func (p problem) String() string {
	text := p.Detail
	for _, e := range p.Errors {
		text += "; " + e.Message
		if e.Location != "" {
			text += " (" + e.Location + ")"
		}
	}
	return strings.TrimPrefix(text, "; ")
}

// statusError is an answer that is no success.
type statusError struct {
	status  int
	problem problem
	// foreign says that the answer is none of a registry's errors.
	foreign bool
}

func (e *statusError) Error() string {
	if e.foreign {
		return "the answer is no MCP registry's"
	}
	return fmt.Sprintf("the registry says %.*q", maxRegistrySaid, e.problem.String())
}

// Is makes an error of what says nothing about the question: it is to be asked
// again.
func (e *statusError) Is(target error) bool {
	return target == verify.ErrUnavailable && (e.foreign || e.status == http.StatusTooManyRequests || e.status >= 500)
}

// says whether the registry's error holds these words.
func (e *statusError) says(words string) bool { return strings.Contains(e.problem.String(), words) }

// call is one request.
type call struct {
	url *url.URL
	// body is posted; nil makes it a GET.
	body []byte
	// bearer goes into the header; secret, which may be the same, is what no error
	// may show.
	bearer, secret string
	// once says that a request which may have taken effect is not repeated.
	once bool
}

func (c call) request(ctx context.Context) (*http.Request, error) {
	if c.body == nil {
		return http.NewRequestWithContext(ctx, http.MethodGet, c.url.String(), nil)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url.String(), bytes.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if !c.once {
		req.Header["Idempotency-Key"] = nil // not sent: it lets the request be repeated
	}
	return req, nil
}

// send makes one request and returns its answer, whose body is the caller's to
// close. What is no success is a *statusError; no answer wraps
// [verify.ErrUnavailable]. No error holds the call's secret.
func (a *registryAPI) send(ctx context.Context, c call) (*http.Response, error) {
	req, err := c.request(ctx)
	if err != nil {
		return nil, errors.New("the request cannot be made")
	}
	req.Header.Set("Accept", "application/json")
	client := a.client
	if c.bearer != "" {
		client = withToken(client, "Authorization", "Bearer "+c.bearer, a.base)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", verify.ErrUnavailable, fetch.Quiet(err))
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	said := &statusError{status: resp.StatusCode}
	// An answer that breaks off says what it said so far: nothing.
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxRegistryProblem+1))
	if len(data) > maxRegistryProblem || strictjson.UnmarshalOpen(data, &said.problem) != nil || said.problem.String() == "" {
		said.problem, said.foreign = problem{}, true
	}
	said.problem.censor(c.secret)
	return nil, said
}

// censor takes a secret out of what the registry says.
func (p *problem) censor(secret string) {
	if secret == "" {
		return
	}
	p.Detail = strings.ReplaceAll(p.Detail, secret, "[token]")
	for i := range p.Errors {
		e := &p.Errors[i]
		e.Message, e.Location = strings.ReplaceAll(e.Message, secret, "[token]"), strings.ReplaceAll(e.Location, secret, "[token]")
	}
}

// exchange sends and decodes one bounded answer, which is strict JSON.
func (a *registryAPI) exchange(ctx context.Context, c call, into any) error {
	resp, err := a.send(ctx, c)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxRegistryAnswer+1))
	if err != nil {
		return fmt.Errorf("%w: the answer broke off: %w", verify.ErrUnavailable, err)
	}
	if len(data) > maxRegistryAnswer {
		return fmt.Errorf("%w: the answer has more than %d bytes", verify.ErrUnavailable, maxRegistryAnswer)
	}
	if err := strictjson.UnmarshalOpen(data, into); err != nil {
		return fmt.Errorf("%w: the answer is no MCP registry's: %w", verify.ErrUnavailable, err)
	}
	return nil
}

// registered is one version of a server, as the registry shows it.
type registered struct {
	Server serverJSON `json:"server"`
	Meta   struct {
		Official struct {
			Status      string    `json:"status"`
			PublishedAt time.Time `json:"publishedAt"`
		} `json:"io.modelcontextprotocol.registry/official"`
	} `json:"_meta"`
}

// errNoServer says that the registry answered, and knows no such server or version.
var errNoServer = errors.New("the registry has no such version")

// version asks for one version of a server, deleted ones too: a name and version
// that were used once are never free again.
func (a *registryAPI) version(ctx context.Context, name, version string) (*registered, error) {
	u := a.at("servers", name, "versions", version)
	u.RawQuery = "include_deleted=true"
	var r registered
	err := a.exchange(ctx, call{url: u}, &r)
	if noServer(err) {
		return nil, errNoServer
	}
	if err != nil {
		return nil, err
	}
	if r.Server.Name != name || r.Server.Version != version {
		return nil, fmt.Errorf("%w: asked for %.100q %.100q, got %.100q %.100q", verify.ErrUnavailable, name, version, r.Server.Name, r.Server.Version)
	}
	return &r, nil
}

// noServer tells the registry's 404 for a server from that of anything else: an
// address that is no registry must not look like a server without releases.
func noServer(err error) bool {
	var said *statusError
	return errors.As(err, &said) && said.status == http.StatusNotFound && said.problem.Detail == "Server not found"
}

// versions yields all versions of a server, one at a time, as they come in.
func (a *registryAPI) versions(ctx context.Context, name string, yield func(*registered) error) error {
	u := a.at("servers", name, "versions")
	u.RawQuery = "include_deleted=true"
	resp, err := a.send(ctx, call{url: u})
	if noServer(err) {
		return errNoServer
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	bounded := &io.LimitedReader{R: resp.Body, N: maxRegistryList + 1}
	err = readVersions(bounded, name, yield)
	if bounded.N == 0 {
		return fmt.Errorf("%w: the list of versions has more than %d bytes", verify.ErrUnavailable, maxRegistryList)
	}
	return err
}

// readVersions reads {"servers":[{…},…],…} without holding all of it.
func readVersions(r io.Reader, name string, yield func(*registered) error) error {
	d := jsontext.NewDecoder(r)
	bad := func(err error) error {
		return fmt.Errorf("%w: the list of versions: %w", verify.ErrUnavailable, err)
	}
	if kind := d.PeekKind(); kind != '{' {
		return bad(fmt.Errorf("got %s, want an object", kind))
	}
	if _, err := d.ReadToken(); err != nil {
		return bad(err)
	}
	for d.PeekKind() == '"' {
		member, err := d.ReadToken()
		if err != nil {
			return bad(err)
		}
		if member.String() != "servers" {
			if err := d.SkipValue(); err != nil {
				return bad(err)
			}
			continue
		}
		if err := readServers(d, name, yield); err != nil {
			return bad(err)
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return bad(err)
	}
	return nil
}

func readServers(d *jsontext.Decoder, name string, yield func(*registered) error) error {
	if kind := d.PeekKind(); kind == 'n' {
		return d.SkipValue()
	} else if kind != '[' {
		return fmt.Errorf("servers: got %s, want an array", kind)
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for n := 0; d.PeekKind() != ']'; n++ {
		if n == maxRegistryVersions {
			return fmt.Errorf("more than %d versions", maxRegistryVersions)
		}
		raw, err := d.ReadValue()
		if err != nil {
			return err
		}
		var r registered
		if err := strictjson.UnmarshalOpen(raw, &r); err != nil {
			return err
		}
		if r.Server.Name != name {
			return fmt.Errorf("asked for %.100q, got %.100q", name, r.Server.Name)
		}
		if err := yield(&r); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// validate has the registry look at a server.json without publishing it. An error
// that is neither a *statusError nor unavailability is what it dislikes.
func (a *registryAPI) validate(ctx context.Context, doc []byte) error {
	var result struct {
		Valid  bool `json:"valid"`
		Issues []struct {
			Path     string `json:"path"`
			Message  string `json:"message"`
			Severity string `json:"severity"`
		} `json:"issues"`
	}
	if err := a.exchange(ctx, call{url: a.at("validate"), body: doc}, &result); err != nil || result.Valid {
		return err
	}
	for _, issue := range result.Issues {
		if issue.Severity == "error" {
			return fmt.Errorf("it is not valid at %.100q: %.300q", issue.Path, issue.Message)
		}
	}
	return errors.New("it is not valid, and the registry does not say why")
}

// publish posts a server.json.
func (a *registryAPI) publish(ctx context.Context, doc []byte, bearer string) (*registered, error) {
	var r registered
	err := a.exchange(ctx, call{url: a.at("publish"), body: doc, bearer: bearer, secret: bearer, once: true}, &r)
	return &r, err
}
