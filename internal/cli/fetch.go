package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/mcp-integrity/seal-action/verify"
)

// Bounds on what is fetched.
const (
	// fetchTimeout bounds one document, from the first byte sent to the last
	// received: a static host answers in a second.
	fetchTimeout = 30 * time.Second
	// maxRedirects is enough for http→https, apex→www, and a moved file.
	maxRedirects = 5
)

// fetch gets a document that the caller named, of at most limit bytes. What
// does not answer, or not with 200, wraps [verify.ErrUnavailable]. Errors name
// the URL without what may be a secret in it.
func (i *invocation) fetch(ctx context.Context, raw string, limit int64) ([]byte, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return nil, usagef("the URL cannot be read, want https://HOST/PATH")
	}
	name := publicURL(raw)
	if i.has("offline") && i.is("offline") {
		return nil, usagef("--offline: %s would have to be fetched; name a file instead", name)
	}
	if !isSecure(u) {
		return nil, usagef("%s: want https", name)
	}
	return i.get(ctx, httpClient(), u, limit)
}

// get asks for one document. Its errors are fetch's.
func (i *invocation) get(ctx context.Context, client *http.Client, u *url.URL, limit int64) ([]byte, error) {
	name := publicURL(u.String())
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, usagef("%s cannot be fetched", name)
	}
	req.Header.Set("Accept", "application/json, */*;q=0.5")
	resp, err := client.Do(req)
	if err != nil {
		// A url.Error quotes the URL, query and all.
		var quoted *url.Error
		if errors.As(err, &quoted) {
			err = quoted.Err
		}
		return nil, fmt.Errorf("%w: GET %s: %w", verify.ErrUnavailable, name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: GET %s: got HTTP %d, want 200", verify.ErrUnavailable, name, resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: GET %s: %w", verify.ErrUnavailable, name, err)
	}
	if int64(len(data)) > limit {
		return nil, failsf("GET %s: more than %d bytes", name, limit)
	}
	return data, nil
}

func httpClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// What counts are the bytes, and a compressed bomb is none of ours.
	transport.DisableCompression = true
	return &http.Client{Transport: transport, CheckRedirect: checkRedirect}
}

// checkRedirect follows https to https, and what began on this machine on this
// machine: a remote host is not to choose what we ask here, or to have it asked
// in clear.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if from := via[0].URL; isLoopback(req.URL) != isLoopback(from) || req.URL.Scheme != from.Scheme && req.URL.Scheme != "https" {
		return fmt.Errorf("a redirect from %s to %s://%s is not followed", from.Host, req.URL.Scheme, req.URL.Host)
	}
	return nil
}

// isSecure allows https, and http on this machine only: a key document over
// plain http is anybody's.
func isSecure(u *url.URL) bool { return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u) }

func isLoopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
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
