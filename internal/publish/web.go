package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/verify"
)

// maxByContent is how many releases are looked at for one that is named by another
// digest than files are: the index says which is likely.
const maxByContent = 3

// website is https://HOST/….json: the newest envelope as a host serves it, with
// the history by the layout of the package comment beside it. It is a source only.
//
// A 404 is an answer: there is no such release. A 403 is none, nor is a web page,
// which many hosts give for whatever they do not have.
type website struct {
	url    *url.URL
	stem   string // the URL without ".json"
	client *http.Client
}

var _ Place = (*website)(nil)

func openWeb(rest string, env Env) (Place, error) { return openSite("https://"+rest, env) }

// openPlainWeb is for hosts on this machine: elsewhere, plain http is anybody's.
func openPlainWeb(rest string, env Env) (Place, error) { return openSite("http://"+rest, env) }

func openSite(raw string, env Env) (Place, error) {
	u, err := plainURL(raw)
	if err != nil {
		return nil, err
	}
	stem, ok := strings.CutSuffix(u.String(), EnvelopeSuffix)
	if !ok || strings.HasSuffix(stem, "/") {
		return nil, fmt.Errorf("%s: want the URL of a sealed manifest, such as %s://%s/.well-known/mcp-integrity.json", u, u.Scheme, u.Host)
	}
	return &website{url: u, stem: stem, client: retrying(fetch.Client(), env)}, nil
}

// plainURL reads a URL that people may see: https, or http on this machine, with
// nothing in it that could be a secret. Its errors do not show what could be one.
func plainURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return nil, fmt.Errorf("%.100q is no URL", fetch.PublicURL(raw))
	case u.User != nil, u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return nil, fmt.Errorf("%.200s: want a URL without user, query and fragment: they may hold a secret, and the history beside it has none", fetch.PublicURL(raw))
	case !fetch.Secure(u):
		return nil, fmt.Errorf("%.200s: want https (http on this machine only)", u)
	}
	return u, nil
}

func (w *website) String() string { return w.url.String() }

// Check implements [Place].
func (w *website) Check(context.Context) error { return w.readOnly() }

// AttestationURI implements [Place].
func (w *website) AttestationURI(Coming) (string, error) { return "", nil }

// Publish implements [Place].
func (w *website) Publish(context.Context, Sealed) (Receipt, error) {
	return Receipt{}, w.readOnly()
}

func (w *website) readOnly() error {
	return &Error{
		Place: w.String(), Op: "publish", Err: errors.New("a URL is a source only"),
		Hint: "well-known:DIR lays out what a static host serves, registry:URL puts it into a registry",
	}
}

// Latest implements [Place].
func (w *website) Latest(ctx context.Context) (Release, error) {
	envelope, err := w.get(ctx, NamesOf(w.stem).Envelope)
	if err != nil {
		return Release{}, err
	}
	r := Release{Envelope: envelope, Ref: NamesOf(w.stem).Envelope}
	payload, err := payloadDigest(envelope)
	if err != nil {
		return r, nil // for the verifier to judge
	}
	// What lies in the history cannot have been replaced since by the next release.
	names := HistoryNames(w.stem, payload)
	if r.Snapshot, r.Provenance, err = w.beside(ctx, names); err == nil && r.Snapshot == nil && r.Provenance == nil {
		r.Snapshot, r.Provenance, err = w.beside(ctx, NamesOf(w.stem))
	}
	return r, err
}

// beside gets what lies beside an envelope; nil where there is none.
func (w *website) beside(ctx context.Context, names Names) (snapshot, provenance []byte, err error) {
	group, ctx := errgroup.WithContext(ctx)
	for name, to := range map[string]*[]byte{names.Snapshot: &snapshot, names.Provenance: &provenance} {
		group.Go(func() (err error) {
			if *to, err = w.get(ctx, name); errors.Is(err, verify.ErrNoRelease) || errors.Is(err, errPage) {
				*to, err = nil, nil
			}
			return err
		})
	}
	err = group.Wait()
	return snapshot, provenance, err
}

// Find implements [Place]: by name in the history, else under the URL itself.
func (w *website) Find(ctx context.Context, payload digest.Digest) (Release, error) {
	if err := payload.Validate(); err != nil {
		return Release{}, w.none(fmt.Sprintf("%.100q is no digest", payload))
	}
	if payload.Algorithm() != digest.SHA256 {
		return w.findByContent(ctx, payload)
	}
	shelved, err := w.shelved(ctx, payload)
	if err == nil && hasPayload(shelved.Envelope, payload) || err != nil && !errors.Is(err, verify.ErrNoRelease) && !errors.Is(err, errPage) {
		return shelved, err
	}
	newest, newestErr := w.Latest(ctx)
	if newestErr == nil && hasPayload(newest.Envelope, payload) {
		return newest, nil
	}
	return shelved, err
}

// shelved gets a release from the history, all its files at once.
func (w *website) shelved(ctx context.Context, payload digest.Digest) (Release, error) {
	names := HistoryNames(w.stem, payload)
	r := Release{Ref: names.Envelope}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		r.Envelope, err = w.get(ctx, names.Envelope)
		return err
	})
	group.Go(func() (err error) {
		r.Snapshot, r.Provenance, err = w.beside(ctx, names)
		return err
	})
	if err := group.Wait(); err != nil {
		return Release{}, err
	}
	return r, nil
}

// findByContent looks for a release by a digest that is in no name: the newest one,
// and those that the index has after the release that names it.
func (w *website) findByContent(ctx context.Context, payload digest.Digest) (Release, error) {
	newest, err := w.Latest(ctx)
	if err != nil {
		return Release{}, err
	}
	if hasPayload(newest.Envelope, payload) {
		return newest, nil
	}
	x, err := w.index(ctx)
	if err != nil {
		return Release{}, err
	}
	left := 0
	for _, e := range x.Releases {
		if left > 0 {
			left--
			r, err := w.shelved(ctx, e.Payload)
			if err != nil && !errors.Is(err, verify.ErrNoRelease) {
				return Release{}, err
			}
			if hasPayload(r.Envelope, payload) {
				return r, nil
			}
		}
		if e.Previous == payload {
			left = maxByContent
		}
	}
	return Release{}, w.none("none is known to have a payload with " + payload.String())
}

// List implements [Place], from the index.
func (w *website) List(ctx context.Context) iter.Seq2[digest.Digest, error] {
	return func(yield func(digest.Digest, error) bool) {
		x, err := w.index(ctx)
		if err != nil {
			yield("", err)
			return
		}
		for _, e := range x.Releases {
			if !yield(e.Payload, nil) {
				return
			}
		}
	}
}

// index gets the history's index; an empty one where there is none.
func (w *website) index(ctx context.Context) (Index, error) {
	data, err := w.get(ctx, IndexName(w.stem))
	if errors.Is(err, verify.ErrNoRelease) || errors.Is(err, errPage) {
		return Index{}, nil
	}
	if err != nil {
		return Index{}, err
	}
	x, err := ParseIndex(data)
	if err != nil {
		return Index{}, &Error{Place: w.String(), Op: "GET " + IndexName(w.stem), Err: fmt.Errorf("%w: %w", verify.ErrUnavailable, err)}
	}
	return x, nil
}

func (w *website) none(what string) error {
	return &Error{Place: w.String(), Op: "find a release", Err: fmt.Errorf("%w: %s", verify.ErrNoRelease, what)}
}

func (w *website) get(ctx context.Context, name string) ([]byte, error) {
	u, err := url.Parse(name)
	if err != nil {
		return nil, w.none(name) // what was made of a URL and a digest is one
	}
	a, err := roundTrip(ctx, w.client, http.MethodGet, u, nil, limitOf(name))
	if err != nil {
		return nil, &Error{Place: w.String(), Op: "GET " + name, Err: err}
	}
	if err := a.err(); err != nil {
		return nil, &Error{Place: w.String(), Op: "GET " + name, Status: a.status, Err: err, Hint: webHint(a.status)}
	}
	if isPage(a.body) {
		return nil, &Error{
			Place: w.String(), Op: "GET " + name, Status: a.status, Err: fmt.Errorf("%w: %w", verify.ErrUnavailable, errPage),
			Hint: "if there is no release yet, say so (--previous none), and have the host answer 404 for what it does not have",
		}
	}
	return a.body, nil
}

// errPage says that a host answered with a page for people.
var errPage = errors.New("got a web page, want JSON")

func webHint(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "the host must let anybody read it; a bucket answers 403 for what is not there, unless anybody may list it"
	case http.StatusTooManyRequests:
		return "the host limits its readers; try again later"
	}
	return ""
}

// reply is what a server said.
type reply struct {
	status int
	body   []byte
}

// err is the error of a reply that is not 200: [verify.ErrNoRelease] for 404 and
// 410, [verify.ErrUnavailable] for all others.
func (a reply) err() error {
	switch a.status {
	case http.StatusOK:
		return nil
	case http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("%w there", verify.ErrNoRelease)
	}
	return fmt.Errorf("%w: want 200", verify.ErrUnavailable)
}

// roundTrip sends one request, with body as an envelope where it is not nil, and reads
// at most limit bytes of the answer. An error wraps [verify.ErrUnavailable].
func roundTrip(ctx context.Context, client *http.Client, method string, u *url.URL, body io.Reader, limit int64) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return reply{}, fmt.Errorf("%w: it cannot be asked for", verify.ErrUnavailable)
	}
	req.Header.Set("Accept", MediaType+", application/json;q=0.9, */*;q=0.5")
	if body != nil {
		req.Header.Set("Content-Type", MediaType)
	}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, fmt.Errorf("%w: %w", verify.ErrUnavailable, fetch.Quiet(err))
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return reply{}, fmt.Errorf("%w: the answer broke off: %w", verify.ErrUnavailable, err)
	}
	if int64(len(data)) > limit {
		return reply{}, fmt.Errorf("%w: got more than %d bytes", verify.ErrUnavailable, limit)
	}
	return reply{status: resp.StatusCode, body: data}, nil
}
