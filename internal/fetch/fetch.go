// Package fetch gets documents from web servers, bounded in bytes, time and
// redirects. There are two clients: [Client] for URLs that the caller named, and
// [Guarded] for those that a stranger wrote, which reaches public addresses only.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/mcp-integrity/seal-action/seal"
)

// Bounds on what is fetched.
const (
	// timeout bounds one document, from the first byte sent to the last received:
	// a static host answers in a second.
	timeout = 30 * time.Second
	// maxRedirects is enough for http→https, apex→www, and a moved file.
	maxRedirects = 5
)

// ErrNotFound says that a server answered, and that it has no such document.
var ErrNotFound = errors.New("there is no such document")

// Get asks for one document of at most limit bytes. What does not answer, or not
// with 200, wraps [seal.ErrUnavailable], and [ErrNotFound] besides where the
// answer was 404 or 410. Errors name the URL without what may be a secret in it.
func Get(ctx context.Context, client *http.Client, u *url.URL, limit int64) ([]byte, error) {
	name := PublicURL(u.String())
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be fetched", name)
	}
	req.Header.Set("Accept", "application/json, */*;q=0.5")
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: GET %s: %w", seal.ErrUnavailable, name, Quiet(err))
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone:
		return nil, fmt.Errorf("%w: GET %s: %w (HTTP %d)", seal.ErrUnavailable, name, ErrNotFound, resp.StatusCode)
	default:
		return nil, fmt.Errorf("%w: GET %s: got HTTP %d, want 200", seal.ErrUnavailable, name, resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: GET %s: %w", seal.ErrUnavailable, name, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("GET %s: more than %d bytes", name, limit)
	}
	return data, nil
}

// Quiet is an error of a client without the URL that it quotes, query and all.
func Quiet(err error) error {
	var quoted *url.Error
	if errors.As(err, &quoted) {
		return quoted.Err
	}
	return err
}

// PublicURL is a URL without what may be a secret in it: user, query, fragment.
func PublicURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// Client is a client for URLs that the caller named. It follows redirects from
// https to https only, and none between this machine and others.
func Client() *http.Client {
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
	if from := via[0].URL; Loopback(req.URL) != Loopback(from) || req.URL.Scheme != from.Scheme && req.URL.Scheme != "https" {
		return fmt.Errorf("a redirect from %s to %s://%s is not followed", from.Host, req.URL.Scheme, req.URL.Host)
	}
	return nil
}

// Secure allows https, and http on this machine only: a key document over
// plain http is anybody's.
func Secure(u *url.URL) bool { return u.Scheme == "https" || u.Scheme == "http" && Loopback(u) }

// Loopback says that a URL leads to this machine.
func Loopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
