package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// listURL lists the server at t.URL. Each attempt is a session of its own.
func listURL(ctx context.Context, t Target) (*Listing, error) {
	l, err := listOverHTTP(ctx, t, streamable, handshake)
	switch {
	case refusesHandshake(err):
		var second error
		l, second = listOverHTTP(ctx, t, streamable, stateless)
		return l, afterRefusal(err, second)
	case refusesPost(err):
		l, second := listOverHTTP(ctx, t, olderSSE, handshake)
		if e, ok := errors.AsType[*Error](second); ok && e.Stage == StageStart && e.Kind == ErrUnavailable {
			return nil, err // it does not know the older transport either
		}
		return l, second
	}
	return l, err
}

// A dialer makes the SDK's transport to endpoint over client.
type dialer func(endpoint string, client *http.Client) mcp.Transport

// guarded switches off the SDK's own bound on events: the guard has one.
const guarded = -1

// streamable is the transport since 2025-03-26. The stream for what a server
// says unasked is left out: a list needs none of it.
func streamable(endpoint string, client *http.Client) mcp.Transport {
	return &mcp.StreamableClientTransport{
		Endpoint: endpoint, HTTPClient: client, DisableStandaloneSSE: true, MaxEventSize: guarded,
	}
}

// olderSSE is the transport of 2024-11-05: one stream of events, and a POST to
// the endpoint that its first event names.
func olderSSE(endpoint string, client *http.Client) mcp.Transport {
	return &mcp.SSEClientTransport{Endpoint: endpoint, HTTPClient: client, MaxEventSize: guarded}
}

// refusesPost says that the server is, perhaps, of 2024-11-05: a client then
// "SHOULD attempt to POST", and if that "fails with 400, 404 or 405" try the
// older transport.
func refusesPost(err error) bool {
	e, ok := errors.AsType[*Error](err)
	status, isStatus := errors.AsType[*statusError](err)
	if !ok || !isStatus || e.Stage != StageInitialize {
		return false
	}
	return status.code == http.StatusBadRequest || status.code == http.StatusNotFound || status.code == http.StatusMethodNotAllowed
}

// listOverHTTP is one session with the server at t.URL.
func listOverHTTP(ctx context.Context, t Target, dial dialer, lc lifecycle) (*Listing, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	base := &http.Transport{
		Proxy:                  proxy,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // no transparent gunzip, so no gzip bomb
		MaxResponseHeaderBytes: maxHeader,
	}
	defer base.CloseIdleConnections()

	origin, err := url.Parse(t.URL)
	if err != nil { // not after Target.Check
		return nil, failure(StageStart, checkURL(t.URL))
	}
	g := &guard{ctx: ctx, cancel: cancel, base: base, origin: origin, header: t.Header}
	client := &http.Client{Transport: g, CheckRedirect: g.checkRedirect}
	transport := dial(t.URL, client)
	_, inBody := transport.(*mcp.StreamableClientTransport)
	g.older = !inBody
	sdk, err := transport.Connect(ctx)
	if err != nil {
		return nil, failure(StageStart, g.explain(err))
	}
	defer sdk.Close()
	s := &session{conn: &httpConn{sdk, g, inBody}}
	stage, err := converse(ctx, s, lc)
	if err == nil {
		stage, err = StageShutdown, g.linger(ctx)
	}
	if err != nil {
		return nil, failure(stage, err)
	}
	return &s.listing, nil
}

// proxy is the proxy of the environment. An error of it quotes the proxy's URL,
// which may hold a password.
func proxy(q *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(q)
	if err != nil {
		return nil, errors.New("the proxy that the environment names is no URL")
	}
	return u, nil
}

// An httpConn is a conn over one of the SDK's transports.
type httpConn struct {
	sdk   mcp.Connection
	guard *guard
	// inBody says that the answer to a request is in the body of its POST.
	inBody bool
}

func (c *httpConn) send(ctx context.Context, data []byte) error {
	m, err := jsonrpc.DecodeMessage(data)
	if err != nil {
		return err
	}
	if q, ok := m.(*jsonrpc.Request); ok && q.IsCall() && c.inBody {
		ctx = withAnswer(ctx)
	}
	return c.guard.explain(c.sdk.Write(ctx, m))
}

// receive takes over what the SDK decoded. The guard has judged the same bytes
// before, so that this cannot be another reading of them.
func (c *httpConn) receive(ctx context.Context) (message, error) {
	m, err := c.sdk.Read(ctx)
	if err != nil {
		return message{}, c.guard.explain(err)
	}
	switch m := m.(type) {
	case *jsonrpc.Request:
		return message{id: rawID(m.ID), method: m.Method}, nil
	case *jsonrpc.Response:
		a := message{id: rawID(m.ID), result: jsontext.Value(m.Result)}
		if m.Error == nil {
			return a, nil
		}
		fault, ok := errors.AsType[*jsonrpc.Error](m.Error)
		if !ok { // the SDK's own word: the stream ended
			return message{}, c.guard.explain(m.Error)
		}
		a.result, a.fault = nil, &RPCError{Code: fault.Code, Message: fault.Message}
		return a, nil
	}
	return message{}, fmt.Errorf("a message of type %T", m)
}

func (c *httpConn) changes() int {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	return c.guard.changed
}

// settle waits for the ends of all answers' streams: each is read by itself.
func (c *httpConn) settle(ctx context.Context) { c.guard.settle(ctx) }

func (c *httpConn) agreed(version string) { c.guard.version.Store(&version) }

// rawID spells an id as parseMessage gives it.
func rawID(id jsonrpc.ID) jsontext.Value {
	switch id := id.Raw().(type) {
	case int64:
		return jsontext.Value(strconv.FormatInt(id, 10))
	case string:
		quoted, err := jsontext.AppendQuote(nil, id)
		if err == nil {
			return quoted
		}
	}
	return nil
}

// linger waits for the streams to end, so that a second answer on one is seen
// whether or not it comes a moment late.
func (g *guard) linger(ctx context.Context) error {
	g.settle(ctx)
	return context.Cause(ctx)
}

// settle waits until the streams of all answers have ended. "The server SHOULD
// close the SSE stream" after the response; one that does not is not waited for.
func (g *guard) settle(ctx context.Context) {
	select {
	case <-g.streams.quiet():
	case <-time.After(drainGrace):
	case <-ctx.Done():
	}
}
