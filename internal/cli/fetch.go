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
// does not answer, or not with 200, wraps [verify.ErrUnavailable].
func (i *invocation) fetch(ctx context.Context, raw string, limit int64) ([]byte, error) {
	if i.has("offline") && i.is("offline") {
		return nil, usagef("--offline: %q would have to be fetched; name a file instead", raw)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return nil, usagef("%.200q is no URL", raw)
	}
	if err := secure(u); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, usagef("%.200q: %w", raw, err)
	}
	req.Header.Set("Accept", "application/json, */*;q=0.5")
	resp, err := httpClient().Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", verify.ErrUnavailable, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: GET %s: got HTTP %d, want 200", verify.ErrUnavailable, raw, resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: GET %s: %w", verify.ErrUnavailable, raw, err)
	}
	if int64(len(data)) > limit {
		return nil, failsf("GET %s: more than %d bytes", raw, limit)
	}
	return data, nil
}

func httpClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// What counts are the bytes, and a compressed bomb is none of ours.
	transport.DisableCompression = true
	return &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return fmt.Errorf("more than %d redirects", maxRedirects)
		}
		return secure(req.URL)
	}}
}

// secure allows https, and http on this machine only: a key document over
// plain http is anybody's.
func secure(u *url.URL) error {
	if u.Scheme == "https" {
		return nil
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return usagef("%.200q: want https", u.Redacted())
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
