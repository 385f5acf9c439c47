package cli

import (
	"context"
	"errors"
	"net/url"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/verify"
)

// fetch gets a document that the caller named, of at most limit bytes. What
// does not answer, or not with 200, wraps [verify.ErrUnavailable]. Errors name
// the URL without what may be a secret in it.
func (i *invocation) fetch(ctx context.Context, raw string, limit int64) ([]byte, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return nil, usagef("the URL cannot be read, want https://HOST/PATH")
	}
	name := fetch.PublicURL(raw)
	if i.has("offline") && i.is("offline") {
		return nil, usagef("--offline: %s would have to be fetched; name a file instead", name)
	}
	if !fetch.Secure(u) {
		return nil, usagef("%s: want https", name)
	}
	data, err := fetch.Get(ctx, fetch.Client(), u, limit)
	if err != nil && !errors.Is(err, verify.ErrUnavailable) {
		return nil, failsf("%w", err)
	}
	return data, err
}

// siteOf is the scheme and host of a URL.
func siteOf(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", err
	}
	if u.Host == "" {
		return "", errors.New("it has no host")
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String(), nil
}
