package publish

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// The token for a registry: from the action's input, else from the environment.
const (
	integrityTokenInput = "INPUT_REGISTRY-TOKEN"
	integrityTokenName  = "MCP_INTEGRITY_REGISTRY_TOKEN"
)

// integrityRegistry is registry:URL, the endpoint of MIS §18.2:
//
//	GET /v0/servers/<server-id>/integrity
//
// The standard says how a registry serves a Sealed Manifest, and not how it gets
// one. Here it is put where it is got: by PUT of the envelope, with its media type
// (MIS §18.1) and a bearer token, if there is one. A registry may refuse what does
// not follow its newest release, by 409.
//
// A registry shows its newest release only. It may add an attestation of its own;
// the payload stays.
type integrityRegistry struct {
	place string
	base  *url.URL
	// id is the <server-id>, "" where it is not known yet.
	id    string
	token string
	// reader follows redirects, without the token where they lead elsewhere; writer
	// follows none: a PUT that came back as a GET would look like a success.
	reader, writer *http.Client
}

var _ Place = (*integrityRegistry)(nil)

func openRegistry(rest string, env Env) (Place, error) {
	id := env.ServerID
	if url, name, ok := strings.Cut(rest, "@"); ok && strings.Contains(name, "/") {
		rest, id = url, name
	}
	u, err := plainURL(rest)
	if err != nil {
		return nil, fmt.Errorf("registry:URL: %w", err)
	}
	r := &integrityRegistry{place: "registry:" + u.String(), base: u, id: id}
	if env.Getenv != nil {
		r.token = strings.TrimSpace(cmp.Or(env.Getenv(integrityTokenInput), env.Getenv(integrityTokenName)))
	}
	if strings.ContainsFunc(r.token, func(c rune) bool { return c > unicode.MaxASCII || !unicode.IsGraphic(c) || c == ' ' }) {
		return nil, fmt.Errorf("%s: the token in %s has characters that no token has", r.place, integrityTokenName)
	}
	header := ""
	if r.token != "" {
		header = "Bearer " + r.token
	}
	r.reader = withToken(retrying(fetch.Client(), env), "Authorization", header, u)
	writer := *r.reader
	writer.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r.writer = &writer
	return r, nil
}

func (r *integrityRegistry) String() string { return r.place }

// endpoint is where the server's manifest is. The <server-id> is one path segment,
// whatever is in it.
func (r *integrityRegistry) endpoint() (*url.URL, error) {
	if r.id == "" {
		return nil, &Error{
			Place: r.place, Op: "find the server", Err: fmt.Errorf("%w: its id is not known yet", verify.ErrUnavailable),
			Hint: "name it behind the URL: registry:URL@NAMESPACE/NAME",
		}
	}
	return url.Parse(strings.TrimSuffix(r.base.String(), "/") + "/v0/servers/" + url.PathEscape(r.id) + "/integrity")
}

// Check implements [Place].
func (r *integrityRegistry) Check(ctx context.Context) error {
	if r.id == "" {
		return nil // it is asked again when the server was listed, and its name is known
	}
	_, err := r.get(ctx)
	if errors.Is(err, verify.ErrNoRelease) {
		return nil
	}
	return err
}

// AttestationURI implements [Place]: a registry keeps envelopes only.
func (r *integrityRegistry) AttestationURI(Coming) (string, error) { return "", nil }

// Latest implements [Place].
func (r *integrityRegistry) Latest(ctx context.Context) (Release, error) { return r.get(ctx) }

// Find implements [Place]: the newest release is the only one that can be found.
func (r *integrityRegistry) Find(ctx context.Context, payload digest.Digest) (Release, error) {
	newest, err := r.get(ctx)
	if err != nil {
		return Release{}, err
	}
	if !hasPayload(newest.Envelope, payload) {
		return Release{}, &Error{Place: r.place, Op: "find a release", Err: fmt.Errorf("%w: it shows the newest one only", verify.ErrNoRelease)}
	}
	return newest, nil
}

// List implements [Place].
func (r *integrityRegistry) List(ctx context.Context) iter.Seq2[digest.Digest, error] {
	return func(yield func(digest.Digest, error) bool) {
		newest, err := r.get(ctx)
		if errors.Is(err, verify.ErrNoRelease) {
			return
		}
		if err != nil {
			yield("", err)
			return
		}
		if payload, err := payloadDigest(newest.Envelope); err == nil {
			yield(payload, nil)
		}
	}
}

func (r *integrityRegistry) get(ctx context.Context) (Release, error) {
	u, err := r.endpoint()
	if err != nil {
		return Release{}, err
	}
	a, err := roundTrip(ctx, r.reader, http.MethodGet, u, nil, seal.MaxEnvelopeSize)
	if err != nil {
		return Release{}, r.fail("GET", u, reply{}, err)
	}
	if err := a.err(); err != nil {
		return Release{}, r.fail("GET", u, a, err)
	}
	if isPage(a.body) {
		return Release{}, r.fail("GET", u, a, fmt.Errorf("%w: %w", verify.ErrUnavailable, errPage))
	}
	return Release{Envelope: a.body, Ref: u.String()}, nil
}

// Publish implements [Place]. What stands there is asked first: a release that is
// there is not sent again, and what it does not follow stays.
func (r *integrityRegistry) Publish(ctx context.Context, s Sealed) (Receipt, error) {
	u, err := r.endpoint()
	if err != nil {
		return Receipt{}, err
	}
	receipt := Receipt{Place: r.place, State: Published, URL: u.String()}
	standing, err := r.get(ctx)
	if err != nil && !errors.Is(err, verify.ErrNoRelease) {
		return Receipt{}, err
	}
	turn, err := turnOf(standing.Envelope, s, func(digest.Digest) ([]byte, error) { return nil, verify.ErrNoRelease })
	switch {
	case err != nil:
		return Receipt{}, &Error{Place: r.place, Op: "publish", Err: err, Hint: "publish the releases between the two there first, oldest first, or seal this one with --previous " + r.place}
	case turn == outdated:
		receipt.State, receipt.Notes = AlreadyThere, []string{"a newer release stands there and stays the newest"}
		return receipt, nil
	case turn == sameRelease:
		switch chooseEnvelope(standing.Envelope, s.Envelope) {
		case keepSame:
			receipt.State = AlreadyThere
			return receipt, nil
		case keepOthers:
			receipt.State, receipt.Notes = AlreadyThere, []string{"the envelope there stays: it has attestations by others that this one lacks"}
			return receipt, nil
		}
		receipt.State = Completed
	}
	return r.put(ctx, u, s, receipt)
}

// put sends an envelope, and looks whether it stands there. A registry that took
// an earlier request, whose answer was lost, may refuse its repetition.
func (r *integrityRegistry) put(ctx context.Context, u *url.URL, s Sealed, receipt Receipt) (Receipt, error) {
	const maxAnswer = 64 << 10 // what a registry says is for people
	a, sendErr := roundTrip(ctx, r.writer, http.MethodPut, u, bytes.NewReader(s.Envelope), maxAnswer)
	newest, err := r.get(ctx)
	stands := err == nil && hasPayload(newest.Envelope, s.Payload)
	accepted := sendErr == nil && (a.status == http.StatusOK || a.status == http.StatusCreated || a.status == http.StatusAccepted || a.status == http.StatusNoContent)
	switch {
	case accepted && !stands:
		receipt.Notes = append(receipt.Notes, "the registry took it, and does not show it yet")
		return receipt, nil
	case accepted, stands && receipt.State == Published:
		return receipt, nil
	case sendErr != nil:
		return Receipt{}, r.fail("PUT", u, a, sendErr)
	case a.status == http.StatusConflict:
		return Receipt{}, r.fail("PUT", u, a, ErrConflict)
	case a.status >= 500, a.status == http.StatusTooManyRequests:
		return Receipt{}, r.fail("PUT", u, a, verify.ErrUnavailable)
	}
	return Receipt{}, r.fail("PUT", u, a, errRefused)
}

var errRefused = errors.New("the registry refuses it")

// fail is what went wrong with a request, with the registry's own words, and what
// to do.
func (r *integrityRegistry) fail(method string, u *url.URL, a reply, err error) error {
	if said := r.said(a.body); said != "" {
		err = fmt.Errorf("%w: it says %q", err, said)
	}
	return &Error{Place: r.place, Op: method + " " + u.String(), Status: a.status, Err: err, Hint: r.hint(method, a.status)}
}

// maxSaid is how many bytes of a registry's own words are shown.
const maxSaid = 300

// said are a registry's own words, without our token, should it repeat it.
func (r *integrityRegistry) said(body []byte) string {
	text := strings.TrimSpace(string(body))
	if isPage(body) {
		return ""
	}
	if r.token != "" {
		text = strings.ReplaceAll(text, r.token, "[token]")
	}
	return cut(strings.ToValidUTF8(text, "�"), maxSaid)
}

func (r *integrityRegistry) hint(method string, status int) string {
	switch status {
	case http.StatusUnauthorized:
		if r.token == "" {
			return "give a token: " + integrityTokenName + ", or the input registry-token"
		}
		return "the token in " + integrityTokenName + " is not one of this registry's, or has expired"
	case http.StatusForbidden:
		return fmt.Sprintf("the token in %s needs the right to publish server %q", integrityTokenName, cut(r.id, maxSaid))
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		if method == http.MethodPut {
			return "the registry takes no manifests here: MIS names only how they are served (§18.2); ask its operator, and check the URL"
		}
	case http.StatusConflict:
		return "the registry has another release in its place: seal this one with --previous " + r.place
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return "a registry checks the manifest's schema and the publisher's key (MIS §18.2): register the key there, or see what it says"
	case http.StatusRequestEntityTooLarge:
		return "the registry takes no envelope of this size"
	case http.StatusTooManyRequests:
		return "the registry limits its users; try again later"
	}
	if status >= 300 && status < 400 {
		return "the registry has moved: name the URL that it redirects to"
	}
	return ""
}
