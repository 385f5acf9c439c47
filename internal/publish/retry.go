package publish

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/mcp-integrity/seal-action/internal/fetch"
)

// Bounds on trying again. hashicorp/go-retryablehttp has none on the time that
// it waits in total, repeats a POST as readily as a GET, and sleeps by a clock
// that no test can move: hence these lines of our own.
const (
	// maxTries with the waits below is half a minute: the length of a restart.
	maxTries = 6
	// maxPatience is the most that one request waits in total, whatever the server
	// asks for: GitHub wants a minute after a secondary rate limit, and a job that
	// would have to wait an hour for a primary one is better told.
	maxPatience = 5 * time.Minute
	// attemptTimeout bounds one attempt with its whole answer: the largest manifest
	// over a slow line.
	attemptTimeout = 2 * time.Minute
	// The waits where the server names none: each twice the one before, give or
	// take half by chance, so that the jobs of a whole forge do not come back at once.
	firstWait   = time.Second
	longestWait = 30 * time.Second
	// limitWait is that after a rate limit that does not say when it ends: "wait
	// for at least one minute" (GitHub, Best practices for using the REST API).
	limitWait = time.Minute
	// maxWhole is how much of an answer is read before it is handed on, so that one
	// that breaks off is asked for again: a thousand times an API's usual one. What
	// is longer is handed on as it comes.
	maxWhole = 1 << 20
)

// retry is an [http.RoundTripper] that asks again where that is harmless: where
// the server had passing trouble (408, 425, 5xx), its rate limit refused (429, or
// GitHub's 403), it could not be reached, or its answer broke off.
//
// A request that may have taken effect is repeated only where it is idempotent,
// by its method or, as in [http.Transport], an Idempotency-Key header, which is
// not sent where it has no values. A place reads the state again instead. What a
// rate limit refused, or what never left this machine, took no effect.
//
// What comes back at the end is the last answer, whatever its status.
type retry struct {
	base   http.RoundTripper
	notify func(string)
	now    func() time.Time
	sleep  func(context.Context, time.Duration) error
}

// retrying is client with its requests tried again; redirects stay client's.
func retrying(client *http.Client, env Env) *http.Client {
	r := &retry{base: client.Transport, notify: env.Notify, now: env.Now, sleep: sleep}
	if r.base == nil {
		r.base = http.DefaultTransport
	}
	if r.notify == nil {
		r.notify = func(string) {}
	}
	if r.now == nil {
		r.now = time.Now
	}
	patient := *client
	patient.Transport = r
	return &patient
}

type onceKey struct{}

// once marks requests that are repeated only where they surely took no effect,
// whatever their method says: not every server's PUT is idempotent.
func once(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

// RoundTrip implements [http.RoundTripper].
func (r *retry) RoundTrip(req *http.Request) (*http.Response, error) {
	patience := maxPatience
	for try := 1; ; try++ {
		resp, err := r.attempt(req)
		trouble, again := judge(req, resp, err)
		if !again || try == maxTries {
			return resp, err
		}
		wait, asked := r.wait(resp, try)
		next, rewindErr := rewound(req)
		if wait > patience || rewindErr != nil {
			return resp, err
		}
		patience -= wait
		r.notify(notice(req.URL.Host, trouble, wait, asked, try+1, maxTries))
		if resp != nil {
			resp.Body.Close()
		}
		if err := r.sleep(req.Context(), wait); err != nil {
			return nil, err
		}
		req = next
	}
}

// pause waits as before the next try of a request: for changes that are not
// idempotent, and that a place tries again after it read the state.
func (r *retry) pause(ctx context.Context, host, trouble string, try, tries int) error {
	wait, _ := r.wait(nil, try)
	r.notify(notice(host, trouble, wait, false, try+1, tries))
	return r.sleep(ctx, wait)
}

// attempt gets one answer, to its end where that is near.
func (r *retry) attempt(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), attemptTimeout)
	resp, err := r.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, maxWhole))
	if err != nil {
		resp.Body.Close()
		cancel()
		return nil, fmt.Errorf("the answer (HTTP %d) broke off: %w", resp.StatusCode, err)
	}
	resp.Body = &body{Reader: io.MultiReader(bytes.NewReader(head), resp.Body), Closer: resp.Body, head: head, cancel: cancel}
	return resp, nil
}

// body is that of an answer, which ends its attempt.
type body struct {
	io.Reader
	io.Closer
	// head is what was read of it already.
	head   []byte
	cancel context.CancelFunc
}

func (b *body) Close() error {
	defer b.cancel()
	return b.Closer.Close()
}

// judge says what kept a request from succeeding, in words, and whether to ask again.
func judge(req *http.Request, resp *http.Response, err error) (trouble string, again bool) {
	if err != nil {
		return "cannot be reached, or does not answer: " + fmt.Sprintf("%.200q", fetch.Quiet(err).Error()),
			req.Context().Err() == nil && passes(err) && (idempotent(req) || unsent(err))
	}
	switch {
	case limited(resp):
		return "refuses by its rate limit, which other jobs with this token or address share", true
	case passing(resp.StatusCode):
		return fmt.Sprintf("has trouble of its own (HTTP %d)", resp.StatusCode), idempotent(req)
	}
	return "", false
}

// idempotent says whether doing a request twice does no more than doing it once.
func idempotent(req *http.Request) bool {
	if req.Context().Value(onceKey{}) != nil {
		return req.Method == http.MethodGet || req.Method == http.MethodHead
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	_, said := req.Header["Idempotency-Key"]
	return said
}

// passes says whether an error may go away by itself. A certificate that is not
// trusted does not, nor does an address that we are not to reach.
func passes(err error) bool {
	var distrusted *tls.CertificateVerificationError
	return !errors.As(err, &distrusted) && !errors.Is(err, fetch.ErrPrivate)
}

// unsent says that nothing of the request left this machine.
func unsent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// passing says whether a status speaks of a fault that may pass by itself.
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return status >= 500
}

// limited says whether an answer is a rate limit's refusal. GitHub gives it as a
// 403, too, then with one of these headers, or with nothing but its message
// (docs.github.com, Rate limits for the REST API).
func limited(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
		b, ok := resp.Body.(*body)
		return resp.Header.Get("Retry-After") != "" || resp.Header.Get("X-RateLimit-Remaining") == "0" ||
			ok && bytes.Contains(b.head, []byte("secondary rate limit"))
	}
	return false
}

// wait is how long to wait before the next try, and whether the server asked for it.
func (r *retry) wait(resp *http.Response, try int) (wait time.Duration, asked bool) {
	if resp != nil {
		if wait, ok := askedWait(resp, r.now()); ok {
			return max(wait, firstWait), true
		}
		if limited(resp) {
			return limitWait, false
		}
	}
	wait = min(firstWait<<(try-1), longestWait)
	return wait/2 + rand.N(wait), false
}

// askedWait reads Retry-After, in seconds or as a date (RFC 9110 §10.2.3), or else
// X-RateLimit-Reset, seconds since 1970, where nothing remains until then.
func askedWait(resp *http.Response, now time.Time) (time.Duration, bool) {
	// The server means its own clock.
	if own, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		now = own
	}
	if text := resp.Header.Get("Retry-After"); text != "" {
		if n, err := strconv.ParseUint(text, 10, 31); err == nil {
			return time.Duration(n) * time.Second, true
		}
		if date, err := http.ParseTime(text); err == nil {
			return date.Sub(now), true
		}
	}
	if resp.Header.Get("X-RateLimit-Remaining") == "0" {
		if n, err := strconv.ParseUint(resp.Header.Get("X-RateLimit-Reset"), 10, 40); err == nil {
			return time.Unix(int64(n), 0).Sub(now), true
		}
	}
	return 0, false
}

// rewound is a request that can be sent once more.
func rewound(req *http.Request) (*http.Request, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, nil
	}
	if req.GetBody == nil {
		return nil, errors.New("the body is gone")
	}
	again, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	next := req.Clone(req.Context())
	next.Body = again
	return next, nil
}

// notice is the line that tells people why nothing seems to happen.
func notice(host, trouble string, wait time.Duration, asked bool, next, tries int) string {
	why := ""
	if asked {
		why = ", as it asks"
	}
	return fmt.Sprintf("%.100s %s; trying again in %v%s (try %d of %d)", host, trouble, wait.Round(100*time.Millisecond), why, next, tries)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// tokened is an [http.RoundTripper] that sends a token to its own origins only.
// Where a redirect leads elsewhere, Go's client keeps headers that it does not
// know, and even Authorization for a subdomain.
type tokened struct {
	base          http.RoundTripper
	header, value string
	origins       []string
}

// withToken is client with a header on its requests to the origins (scheme, host
// and port) of these URLs, and without any credentials on others.
func withToken(client *http.Client, header, value string, to ...*url.URL) *http.Client {
	t := &tokened{base: client.Transport, header: header, value: value}
	if t.base == nil {
		t.base = http.DefaultTransport
	}
	for _, u := range to {
		t.origins = append(t.origins, origin(u))
	}
	trusted := *client
	trusted.Transport = t
	return &trusted
}

// RoundTrip implements [http.RoundTripper].
func (t *tokened) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	for _, name := range []string{"Authorization", "Cookie", t.header} {
		req.Header.Del(name)
	}
	if t.value != "" && slices.Contains(t.origins, origin(req.URL)) {
		req.Header.Set(t.header, t.value)
	}
	return t.base.RoundTrip(req)
}

// origin is scheme, host and port.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(u.Hostname(), port)
}
