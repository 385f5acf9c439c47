package artifact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"
)

// identifyRemote asks a registry what oci://host/name:tag or
// oci://host/name@digest is. A tag is resolved; the digest that it has now is
// what is sealed. Layers are not fetched: the digest binds them.
func identifyRemote(ctx context.Context, ref string, o Options) (Found, error) {
	found := Found{Ref: ref}
	spelled := strings.TrimPrefix(ref, remotePrefix)
	parsed, err := parseReference(spelled)
	if err != nil {
		return found, err
	}
	r := &registryStore{repository: parsed.Context(), options: remoteOptions(ctx, o)}
	got, err := remote.Get(parsed, r.options...)
	if err != nil {
		return found, explainRegistry(err)
	}
	root := descriptor{MediaType: string(got.MediaType), Digest: digest.Digest(got.Digest.String()), Size: got.Size}
	r.root = got.Manifest
	im, err := readImage(ctx, r, root)
	if err != nil {
		return found, err
	}
	setImage(&found, root, "OCI image")
	repo, tag := splitTag(spelled)
	if err := im.describe(ctx, &found, repo, tag); err != nil {
		return found, err
	}
	return found, finish(ctx, &found, nil, o)
}

// parseReference reads HOST/NAME:TAG or HOST/NAME@DIGEST. Neither a host nor a
// tag is guessed.
func parseReference(s string) (name.Reference, error) {
	host, _, ok := strings.Cut(s, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return nil, fmt.Errorf("image reference %.200q names no registry, want oci://HOST/NAME@DIGEST or oci://HOST/NAME:TAG", s)
	}
	ref, err := name.ParseReference(s, name.StrictValidation)
	if err != nil {
		return nil, fmt.Errorf("image reference: %s, want oci://HOST/NAME@DIGEST or oci://HOST/NAME:TAG", oneLine(err.Error(), 300))
	}
	return ref, nil
}

func remoteOptions(ctx context.Context, o Options) []remote.Option {
	base := http.DefaultTransport
	if o.Client != nil && o.Client.Transport != nil {
		base = o.Client.Transport
	}
	options := []remote.Option{
		remote.WithContext(ctx),
		remote.WithTransport(&registryTransport{base: base}),
	}
	if !o.Anonymous {
		options = append(options, remote.WithAuthFromKeychain(authn.DefaultKeychain))
	}
	return options
}

// A registryStore is the blobStore of a remote image.
type registryStore struct {
	repository name.Repository
	options    []remote.Option
	root       []byte // the manifest that the reference led to
}

func (r *registryStore) blob(_ context.Context, d descriptor) ([]byte, error) {
	alg := d.Digest.Algorithm()
	if int64(len(r.root)) == d.Size && alg.FromBytes(r.root) == d.Digest {
		return r.root, nil
	}
	if d.Size > maxMetadata {
		return nil, fmt.Errorf("%d bytes, want at most %d", d.Size, maxMetadata)
	}
	ref := r.repository.Digest(string(d.Digest))
	if isImageDoc(d.MediaType) {
		got, err := remote.Get(ref, r.options...)
		if err != nil {
			return nil, explainRegistry(err)
		}
		return got.Manifest, nil // the library compared the digest
	}
	layer, err := remote.Layer(ref, r.options...)
	if err != nil {
		return nil, explainRegistry(err)
	}
	body, err := layer.Compressed() // "compressed" is as it lies there
	if err != nil {
		return nil, explainRegistry(err)
	}
	defer body.Close()
	data, err := readBounded(body, maxMetadata)
	if err != nil {
		return nil, err
	}
	if got := alg.FromBytes(data); got != d.Digest {
		return nil, fmt.Errorf("got digest %s, want %s", got, d.Digest)
	}
	return data, nil
}

// check has nothing to look at: whoever pulls the layers compares them with
// their digests.
func (r *registryStore) check(context.Context, descriptor) error { return nil }

func isImageDoc(mediaType string) bool {
	for _, t := range append(indexTypes, manifestTypes...) {
		if mediaType == t {
			return true
		}
	}
	return false
}

// errRegistry says that a registry did not answer as asked.
var errRegistry = errors.New("registry")

// explainRegistry names what to change where a registry refuses, and says no
// more of the registry's own text than fits on a line.
func explainRegistry(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if e, ok := errors.AsType[*transport.Error](err); ok {
		switch e.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return fmt.Errorf("%w: answered %d: %.200q; log in to it with read access (docker login)", errRegistry, e.StatusCode, e.Error())
		case http.StatusNotFound:
			return fmt.Errorf("%w: answered 404, no such image: %.200q", errRegistry, e.Error())
		}
	}
	return fmt.Errorf("%w: %s", errRegistry, oneLine(err.Error(), 500))
}

// A registryTransport keeps a registry within bounds: so many requests in all
// (the client follows redirects without end), so many bytes each, and plain HTTP
// to this very machine only.
type registryTransport struct {
	base     http.RoundTripper
	requests atomic.Int64
}

func (t *registryTransport) RoundTrip(q *http.Request) (*http.Response, error) {
	if t.requests.Add(1) > maxRequests {
		return nil, fmt.Errorf("more than %d requests for one image", maxRequests)
	}
	if q.URL.Scheme != "https" && !isLoopback(q.URL.Hostname()) {
		return nil, fmt.Errorf("%s://%s: want https, plain http goes to this machine only", q.URL.Scheme, q.URL.Host)
	}
	r, err := t.base.RoundTrip(q)
	if err == nil {
		r.Body = boundBody{&boundReader{r: r.Body, limit: maxResponse}, r.Body}
	}
	return r, err
}

type boundBody struct {
	io.Reader
	io.Closer
}

// isLoopback takes literal addresses and the name that every system keeps for
// itself; what other names lead to is for a resolver to say.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(cmp.Or(host, "?"), "localhost") || ip != nil && ip.IsLoopback()
}
