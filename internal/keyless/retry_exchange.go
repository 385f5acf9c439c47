package keyless

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
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
	failure error         // why there was none
	message string        // what it says, cut short, where it is no success
	wait    time.Duration // what it asks for by Retry-After, 0 where it does not
	skew    time.Duration // how far our clock is ahead of its, 0 where it is not far
}

// RoundTrip sends req under the attempt's context. Redirects are errors, so
// that the token goes nowhere but where the signing config says.
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	x.status, x.failure, x.wait = 0, nil, 0
	resp, body, err := x.whole(req.WithContext(x.ctx))
	if err != nil {
		x.failure = err
		return nil, err
	}
	now := x.caller.now()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		if ahead := now.Sub(date); ahead.Abs() > maxSkew {
			x.skew = ahead
		}
	}
	x.status = resp.StatusCode
	if x.status/100 != 2 {
		x.message = shorten(x.caller.secrets.hide(message(body)))
		x.wait = retryAfter(resp.Header, now)
		return nil, fmt.Errorf("status %d", x.status)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// whole gets an answer to its end.
func (x *exchange) whole(req *http.Request) (*http.Response, []byte, error) {
	resp, err := x.caller.base.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("the answer broke off: %w", err)
	case len(body) > maxResponse:
		return nil, nil, fmt.Errorf("the answer is larger than %d bytes", maxResponse)
	}
	return resp, body, nil
}

// message is what an answer without success says: Sigstore's services wrap the
// sentence into JSON, proxies before them do not.
func message(body []byte) string {
	var wrapped struct {
		Message string `json:"message"`
	}
	if strictjson.UnmarshalOpen(body, &wrapped) == nil && wrapped.Message != "" {
		return wrapped.Message
	}
	return string(body)
}

// postJSON sends body to target and returns what a success brings.
func (x *exchange) postJSON(target string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(x.ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "mcp-integrity")
	resp, err := x.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(resp.Body)
}

// tell puts err in words that may be printed: bounded, without the token.
// Method, URL and our own port would only make the same failure look new.
func (x *exchange) tell(prefix string, err error) error {
	text := err.Error()
	var post *url.Error
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Source != nil:
		text = op.Err.Error()
	case errors.As(err, &post):
		text = post.Err.Error()
	}
	return &told{prefix + shorten(x.caller.secrets.hide(text)), err}
}

// distrusted says whether a connection failed over the other side's
// certificate. That does not pass by itself.
func distrusted(err error) bool {
	var e *tls.CertificateVerificationError
	return errors.As(err, &e)
}
