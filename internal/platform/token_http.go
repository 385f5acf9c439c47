package platform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Bounds on asking.
const (
	// maxAnswer bounds a body: a token, a discovery document or a key set have
	// some kilobytes.
	maxAnswer = 256 << 10
	// attemptTimeout bounds one request with its answer.
	attemptTimeout = 20 * time.Second
	// defaultPatience bounds all attempts at one service: an outage that lasts
	// longer is worth a new run, and a job is billed by the minute.
	defaultPatience = 3 * time.Minute
	// longestAfter bounds what a service may ask for by Retry-After.
	longestAfter = time.Hour
	// firstWait doubles up to longestWait.
	firstWait   = time.Second
	longestWait = 30 * time.Second
)

// fault is why a service's answer is of no use. It is an error whose text
// holds nothing of the body.
type fault struct {
	err error
	// passing: asking again may help.
	passing bool
	// status is that of HTTP, or 0.
	status int
	// after is how long the service wants to be left alone.
	after time.Duration
}

func (f *fault) Error() string { return f.err.Error() }

// guard is a transport that lets an answer through only if it is what our
// services send: over TLS, 200 without a redirect, bounded, one strict JSON
// text. The libraries behind it put bodies and URLs into their errors, and
// lose the chain of errors; the first fault is kept here, in our words.
type guard struct {
	next http.RoundTripper
	// loopback lets http through to this machine.
	loopback bool
	// secrets are kept out of faults.
	secrets []string

	mu    sync.Mutex
	first *fault
}

func (g *guard) fault() *fault {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.first
}

func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, f := g.roundTrip(req)
	if f == nil {
		return resp, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first == nil {
		g.first = f
	}
	return nil, f
}

func (g *guard) roundTrip(req *http.Request) (*http.Response, *fault) {
	if err := secure(req.URL, g.loopback); err != nil {
		return nil, &fault{err: err}
	}
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, &fault{err: plainly(err, g.secrets...), passing: true}
	}
	defer resp.Body.Close()
	if f := judge(resp); f != nil {
		return nil, f
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, &fault{err: fmt.Errorf("the answer breaks off: %w", plainly(err, g.secrets...)), passing: true}
	case len(body) > maxAnswer:
		return nil, &fault{err: fmt.Errorf("the answer has more than %d bytes", maxAnswer)}
	case strictjson.Check(body) != nil:
		// A proxy's or a load balancer's page, which may go as it came.
		return nil, &fault{err: errors.New("the answer is no strict JSON"), passing: true}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// judge turns every status but 200 into a fault.
func judge(resp *http.Response) *fault {
	status := resp.StatusCode
	if status == http.StatusOK {
		return nil
	}
	f := &fault{status: status, err: fmt.Errorf("got HTTP %d, want 200", status)}
	switch {
	case status >= 300 && status < 400:
		f.err = fmt.Errorf("got HTTP %d, a redirect, which is not followed", status)
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		f.passing = true
		if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
			f.after = time.Duration(min(seconds, int(longestAfter/time.Second))) * time.Second
		}
	}
	return f
}

// secure allows https, and http to this machine where loopback says so.
func secure(u *url.URL, loopback bool) error {
	switch {
	case u.Hostname() == "":
		return errors.New("the URL has no host")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && loopback && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%.100q is asked over %.20q, want https", u.Host, u.Scheme)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// defaultTransport is Go's own: HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE hold.
func defaultTransport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	// What counts are the bytes: a compressed bomb is none of ours.
	t.DisableCompression = true
	return t
}

// patiently tries until try returns something else than a passing fault, or
// patience ends: a service that asks for more time than there is gets none. A fault becomes a [TokenError] that names the service.
func (s *TokenSource) patiently(ctx context.Context, service string, try func(context.Context) error) error {
	began := s.opts.Now()
	pause := firstWait
	for attempt := 1; ; attempt++ {
		bounded, cancel := context.WithTimeout(ctx, attemptTimeout)
		err := try(bounded)
		cancel()
		if ended := ctx.Err(); err != nil && ended != nil {
			return ended
		}
		f, ok := errors.AsType[*fault](err)
		if !ok {
			return err
		}
		pause = max(pause, f.after)
		if spent := s.opts.Now().Sub(began); !f.passing || spent+pause > s.opts.Patience {
			return outage(service, f, attempt, spent)
		}
		s.opts.Notify(fmt.Sprintf("%s does not answer as it should: %v; attempt %d, again in %s", service, f, attempt, pause))
		if err := s.opts.Wait(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, longestWait)
	}
}

func outage(service string, f *fault, attempts int, spent time.Duration) error {
	e := &TokenError{Kind: ErrOutage, Err: fmt.Errorf("%s: %w", service, f)}
	if attempts > 1 {
		e.Err = fmt.Errorf("%s: %w (%d attempts in %s)", service, f, attempts, spent.Round(time.Second))
	}
	if f.passing {
		e.Hint = "the outage is theirs: run the job again later"
	}
	return e
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d + rand.N(d/4+1))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
