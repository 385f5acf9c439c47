package server

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// sdkServer is a server of the Go SDK with five tools, pageSize of them a page.
func sdkServer(pageSize int) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "sdk", Version: "3"}, &mcp.ServerOptions{PageSize: pageSize})
	for i := range 5 {
		s.AddTool(&mcp.Tool{
			Name:        fmt.Sprint("tool", i),
			Description: "<b>bold</b> & \u2028 ü",
			InputSchema: map[string]any{"type": "object", "maximum": 1e21},
			Annotations: &mcp.ToolAnnotations{Title: "t"},
		}, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) { return nil, nil })
	}
	return s
}

const sdkMarker = "sdk-server"

// maybeRunSDKServer makes this process an SDK server over stdio.
func maybeRunSDKServer() {
	if len(os.Args) != 3 || os.Args[1] != sdkMarker {
		return
	}
	pageSize, err := strconv.Atoi(os.Args[2])
	if err == nil {
		err = sdkServer(pageSize).Run(context.Background(), &mcp.StdioTransport{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A recorder keeps all that a handler writes.
type recorder struct {
	http.Handler
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.Handler.ServeHTTP(&recordingWriter{w, r}, q)
}

type recordingWriter struct {
	http.ResponseWriter
	r *recorder
}

func (w *recordingWriter) Write(p []byte) (int, error) {
	w.r.mu.Lock()
	w.r.text.Write(p)
	w.r.mu.Unlock()
	return w.ResponseWriter.Write(p)
}

func (w *recordingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w *recordingWriter) Flush()                      { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Servers of the Go SDK over every transport, both lifecycles, paged and not:
// each tool's bytes are a piece of what went over the wire, and the same by
// every way.
func TestListSDKServers(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	stdio := func(pageSize int, lc lifecycle) func(*testing.T) (*Listing, error) {
		return func(t *testing.T) (*Listing, error) {
			return listCommand(t.Context(), Target{Command: []string{self, sdkMarker, strconv.Itoa(pageSize)}}, Options{}, lc)
		}
	}
	over := func(handler http.Handler, dial dialer, lc lifecycle) func(*testing.T) (*Listing, error) {
		return func(t *testing.T) (*Listing, error) {
			r := &recorder{Handler: handler}
			s := httptest.NewServer(r)
			defer s.Close()
			list := func() (*Listing, error) {
				return listOverHTTP(t.Context(), Target{URL: s.URL}, dial, lc)
			}
			if dial == nil {
				list = func() (*Listing, error) { return List(t.Context(), Target{URL: s.URL}, Options{}) }
			}
			l, err := list()
			if err != nil {
				return nil, err
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, tool := range l.Tools {
				if !bytes.Contains(r.text.Bytes(), tool) {
					t.Errorf("not on the wire: %s", tool)
				}
			}
			return l, nil
		}
	}
	streams := func(pageSize int, o mcp.StreamableHTTPOptions) http.Handler {
		s := sdkServer(pageSize)
		return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &o)
	}
	old := mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return sdkServer(2) }, nil)

	var first []string
	for _, tt := range []struct {
		name    string
		list    func(*testing.T) (*Listing, error)
		version string
	}{
		{"stdio", stdio(100, handshake), "2025-11-25"},
		{"stdio, paged", stdio(2, handshake), "2025-11-25"},
		{"stdio, stateless", stdio(100, stateless), "2026-07-28"},
		{"stdio, stateless, paged", stdio(1, stateless), "2026-07-28"},
		{"http", over(streams(100, mcp.StreamableHTTPOptions{}), nil, handshake), "2025-11-25"},
		{"http, paged", over(streams(2, mcp.StreamableHTTPOptions{}), nil, handshake), "2025-11-25"},
		{"http, JSON, paged", over(streams(2, mcp.StreamableHTTPOptions{JSONResponse: true}), nil, handshake), "2025-11-25"},
		{"http, no session", over(streams(2, mcp.StreamableHTTPOptions{Stateless: true}), nil, handshake), "2025-11-25"},
		{"http, stateless", over(streams(2, mcp.StreamableHTTPOptions{Stateless: true}), streamable, stateless), "2026-07-28"},
		{"http, stateless, JSON", over(streams(2, mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true}), streamable, stateless), "2026-07-28"},
		{"older SSE", over(old, nil, handshake), "2025-11-25"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			l, err := tt.list(t)
			if err != nil {
				t.Fatal(err)
			}
			if l.Name != "sdk" || l.Version != "3" || l.ProtocolVersion != tt.version || len(l.Tools) != 5 {
				t.Fatalf("listing: %+v, want version %s", l, tt.version)
			}
			if first == nil {
				first = texts(l.Tools)
			}
			if diff := cmp.Diff(first, texts(l.Tools)); diff != "" {
				t.Errorf("tools (-stdio +this):\n%s", diff)
			}
		})
	}
}

// A server that refuses the handshake over HTTP is asked without one.
func TestListHTTPFallsBackToStateless(t *testing.T) {
	s := sdkServer(2)
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &mcp.StreamableHTTPOptions{Stateless: true})
	for _, status := range []int{http.StatusOK, http.StatusBadRequest} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Mcp-Protocol-Version") == "" {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				fmt.Fprint(w, `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no handshake here"}}`)
				return
			}
			handler.ServeHTTP(w, r)
		}))
		defer server.Close()
		l, err := List(t.Context(), Target{URL: server.URL}, Options{})
		if err != nil || l.ProtocolVersion != "2026-07-28" || len(l.Tools) != 5 {
			t.Errorf("status %d: %+v, %v", status, l, err)
		}
	}
}
