package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// A guard stands between the SDK's HTTP transports and the network. It lets
// nothing leave for another host, and nothing in that is too large or no strict
// JSON: the SDK itself reads bodies without a limit and keeps the last of two
// members of one name.
type guard struct {
	// ctx is the session; cancel ends it with the first thing refused.
	ctx    context.Context
	cancel context.CancelCauseFunc
	base   http.RoundTripper
	// origin is the only place requests go to; header goes with each.
	origin *url.URL
	header http.Header
	// version is what MCP-Protocol-Version says once it is agreed. The SDK
	// sends it only for sessions that it holds itself.
	version atomic.Pointer[string]
	// read counts the bytes of all bodies.
	read atomic.Int64
	// streams are the event streams that are open.
	streams counter
	// older says that the transport is HTTP+SSE, whose stream begins with an
	// endpoint event.
	older bool

	mu sync.Mutex
	// answered are the ids of all answers so far; changed counts the
	// notifications that the tool list has changed.
	answered map[string]bool
	changed  int
}

// A statusError is an HTTP status that is not a success, with where it came from.
type statusError struct {
	url  string
	code int
	body []byte
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%.200s: HTTP status %d %s", e.url, e.code, http.StatusText(e.code))
	// A page for people says less than the status.
	if body := bytes.TrimSpace(e.body); len(body) > 0 && body[0] != '<' {
		text += fmt.Sprintf(": %q", excerpt(body))
	}
	switch e.code {
	case http.StatusUnauthorized, http.StatusForbidden:
		text += " (credentials go into a header)"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		text += " (is the path right? Most servers have /mcp or /sse)"
	}
	return text
}

// RoundTrip sends q and judges the answer.
func (g *guard) RoundTrip(q *http.Request) (*http.Response, error) {
	if !sameOrigin(q.URL, g.origin) {
		return nil, g.refuse(refusef("the server sends us on to %q, which may be somebody else's", originOf(q.URL)))
	}
	if q.Method == http.MethodDelete {
		return g.farewell(q)
	}
	resp, err := g.base.RoundTrip(g.prepare(q.Context(), q))
	if err != nil {
		return nil, err
	}
	resp.Body = &countedBody{resp.Body, g}
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400 && resp.Header.Get("Location") != "":
		return resp, nil // for checkRedirect
	case resp.StatusCode < 200 || resp.StatusCode >= 300:
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // half of it says enough
		return nil, statusFault(q.URL, resp.StatusCode, body)
	}
	return g.filter(resp)
}

// farewell sends the DELETE that ends a session. It is a courtesy, so it gets
// little time, none after the session's own, and nobody reads the answer.
func (g *guard) farewell(q *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(g.ctx, inputGrace)
	defer cancel()
	resp, err := g.base.RoundTrip(g.prepare(ctx, q))
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	resp.Body = http.NoBody
	return resp, nil
}

// prepare adds what belongs on every request. What the protocol sets itself
// comes before what the user gave.
func (g *guard) prepare(ctx context.Context, q *http.Request) *http.Request {
	q = q.Clone(ctx)
	for name, values := range g.header {
		if name = http.CanonicalHeaderKey(name); q.Header[name] == nil {
			q.Header[name] = values
		}
	}
	if v := g.version.Load(); v != nil && q.Header.Get("Mcp-Protocol-Version") == "" {
		q.Header.Set("Mcp-Protocol-Version", *v)
	}
	return q
}

// statusFault is the error of a status that is no success; a JSON-RPC error in
// the body says more than the status.
func statusFault(from *url.URL, code int, body []byte) error {
	if messages, err := parseMessages(body); err == nil && len(messages) == 1 && messages[0].fault != nil {
		return fmt.Errorf("HTTP status %d: %w", code, messages[0].fault)
	}
	return &statusError{withoutSecrets(from), code, body}
}

// answerKey marks the context of a request whose answer is in the body.
type answerKey struct{}

func withAnswer(ctx context.Context) context.Context {
	return context.WithValue(ctx, answerKey{}, true)
}

// filter puts the reader that judges before the body of a success.
func (g *guard) filter(resp *http.Response) (*http.Response, error) {
	if err := oneReading(resp.Header); err != nil {
		defer resp.Body.Close()
		return nil, g.refuse(err)
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	post := resp.Request.Method == http.MethodPost
	switch {
	case err == nil && kind == "text/event-stream":
		resp.Body = newEventBody(resp.Body, g, post)
	case err == nil && kind == "application/json" && post:
		resp.Body = &jsonBody{body: resp.Body, guard: g}
	case resp.Request.Context().Value(answerKey{}) != nil:
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // half of it says enough
		return nil, g.refuse(refusef("HTTP status %d with content type %.100q, want application/json or text/event-stream: %q",
			resp.StatusCode, resp.Header.Get("Content-Type"), excerpt(body)))
	case resp.Request.Method == http.MethodGet:
		_ = resp.Body.Close()
		return nil, fmt.Errorf("content type %.100q, want text/event-stream", resp.Header.Get("Content-Type"))
	}
	return resp, nil
}

// oneReading refuses a header by which one host reads other text from the same
// bytes than the next: JSON and event streams are UTF-8, but some decode by the
// charset, and we asked for no content coding.
func oneReading(h http.Header) error {
	if types := h.Values("Content-Type"); len(types) > 1 {
		return refusef("%d Content-Type headers, want one", len(types))
	}
	if coding := strings.Join(h.Values("Content-Encoding"), ", "); coding != "" && !strings.EqualFold(coding, "identity") {
		return refusef("Content-Encoding %.40q, which we did not ask for", coding)
	}
	_, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	if err == nil && charset != "" && charset != "utf-8" && charset != "utf8" {
		return refusef("charset %.40q, want utf-8", charset)
	}
	return nil
}

// judge checks one message as it came, before the SDK decodes it.
func (g *guard) judge(data []byte) error {
	if g.ctx.Err() != nil { // the time is up: check no more
		return context.Cause(g.ctx)
	}
	messages, err := parseMessages(data)
	if err != nil {
		return err
	}
	m := messages[0]
	if m.batched {
		return refusef("a JSON-RPC batch: over HTTP none is read")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.changesList() {
		g.changed++
	}
	if m.method != "" || m.id == nil {
		return nil
	}
	if g.answered[string(m.id)] {
		return refusef("a second answer to request %s: which of the two a host believes depends on the host", m.id)
	}
	if g.answered == nil {
		g.answered = make(map[string]bool)
	}
	if len(g.answered) < maxMessages && len(m.id) <= maxID {
		g.answered[string(m.id)] = true
	}
	return nil
}

// refuse ends the session with err: the SDK would retry, or say less.
func (g *guard) refuse(err error) error {
	g.cancel(err)
	return err
}

// explain says why an operation of the SDK failed: the guard's own word, where
// it ended the session, and otherwise the cause without the URL, which may hold
// a secret.
func (g *guard) explain(err error) error {
	if err == nil {
		return nil
	}
	if g.ctx.Err() != nil {
		return context.Cause(g.ctx)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		if status, ok := errors.AsType[*statusError](e.Err); ok {
			return status
		}
		return fmt.Errorf("%s: %w", originOf(g.origin), &sdkError{e.Err})
	}
	return &sdkError{err}
}

// An sdkError is an error in the words of the SDK or of net/http, which may quote
// a server at any length, and the URL with whatever is in it.
type sdkError struct{ err error }

// urlInText is a URL as an error quotes it; the group is its origin without a
// user.
var urlInText = regexp.MustCompile(`(https?://)(?:[^\s/?#"@]*@)*([^\s/?#"@]*)[^\s"]*`)

func (e *sdkError) Error() string {
	text := strconv.QuoteToASCII(urlInText.ReplaceAllString(e.err.Error(), "$1$2"))
	return text[1:min(len(text)-1, 300)]
}

func (e *sdkError) Unwrap() error { return e.err }

// checkRedirect follows a server within its own origin, where the method stays.
func (g *guard) checkRedirect(q *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return g.refuse(refusef("more than %d redirects", maxRedirects))
	case !sameOrigin(q.URL, g.origin):
		return g.refuse(refusef("redirected to %q: if that is the server, give its URL", originOf(q.URL)))
	case q.Method != via[0].Method:
		return g.refuse(refusef("redirected so that a %s becomes a %s", via[0].Method, q.Method))
	}
	return nil
}

func sameOrigin(a, b *url.URL) bool { return originOf(a) == originOf(b) }

// originOf is scheme, host and port, without user, path and query.
func originOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// withoutSecrets is u without what may be one: user, query and fragment.
func withoutSecrets(u *url.URL) string {
	bare := *u
	bare.User, bare.RawQuery, bare.Fragment, bare.RawFragment = nil, "", "", ""
	return bare.String()
}

// A countedBody takes part in the bound on what a session may send.
type countedBody struct {
	io.ReadCloser
	guard *guard
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.guard.read.Add(int64(n)) > maxTotal {
		return 0, b.guard.refuse(refusef("more than %d MiB in one session", maxTotal>>20))
	}
	return n, err
}

// A jsonBody is read whole and judged at the first Read: the answer to a
// notification, which nobody reads, may be anything.
type jsonBody struct {
	body  io.ReadCloser
	guard *guard
	text  io.Reader
}

func (b *jsonBody) Read(p []byte) (int, error) {
	if b.text == nil {
		var text bytes.Buffer // doubles as it grows, unlike io.ReadAll's
		if _, err := text.ReadFrom(io.LimitReader(b.body, maxMessage+1)); err != nil {
			return 0, err
		}
		if text.Len() > maxMessage {
			return 0, b.guard.refuse(refusef("a message of more than %d MiB", maxMessage>>20))
		}
		if err := b.guard.judge(text.Bytes()); err != nil {
			return 0, b.guard.refuse(err)
		}
		b.text = &text
	}
	return b.text.Read(p)
}

func (b *jsonBody) Close() error { return b.body.Close() }
