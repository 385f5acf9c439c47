package keyless

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// maxResponse bounds every answer: a hundred times a certificate chain, a
// timestamp, or a log entry with its proof.
const maxResponse = 1 << 20

// exchange is one attempt to get one answer. It is an [http.RoundTripper], so
// that Sigstore's own clients can be used whatever they lack: it is bound to
// the attempt's context and time, reads the whole answer within bounds, and
// hands the client none but a successful one.
type exchange struct {
	ctx    context.Context
	caller *caller

	status  int           // of the last answer that came whole, 0 where there was none
	message string        // its body, cut short, where it was no success
	wait    time.Duration // what it asks for by Retry-After, 0 where it does not
	skew    time.Duration // how far our clock is ahead of its, 0 where it is not far
}

// RoundTrip sends req under the attempt's context. Redirects are errors, so
// that the token goes nowhere but where the signing config says.
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	x.status, x.wait = 0, 0
	resp, err := x.caller.base.RoundTrip(req.WithContext(x.ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	now := x.caller.now()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		if ahead := now.Sub(date); ahead.Abs() > maxSkew {
			x.skew = ahead
		}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err != nil {
		return nil, fmt.Errorf("the answer broke off after %d bytes: %w", len(body), err)
	}
	if len(body) > maxResponse {
		return nil, fmt.Errorf("the answer is larger than %d bytes", maxResponse)
	}
	x.status = resp.StatusCode
	if x.status/100 != 2 {
		x.message = shorten(x.caller.secrets.hide(string(body)))
		x.wait = retryAfter(resp.Header, now)
		return nil, fmt.Errorf("status %d", x.status)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// postJSON sends body to target and returns what a success brings.
func (x *exchange) postJSON(target string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(x.ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := x.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(resp.Body)
}

// tell puts err in words that may be printed: bounded, without the token.
func (x *exchange) tell(prefix string, err error) error {
	text := err.Error()
	// Method and URL stand in every message anyway.
	if u := (*url.Error)(nil); errors.As(err, &u) {
		text = u.Err.Error()
	}
	return &told{prefix + shorten(x.caller.secrets.hide(text)), err}
}

// distrusted says whether a connection failed over the other side's
// certificate. That does not pass by itself.
func distrusted(err error) bool {
	var e *tls.CertificateVerificationError
	return errors.As(err, &e)
}
