package server

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/testdata/servers/hostile"
)

// A wire is a request as the fake servers see it.
type wireCall struct {
	ID     json.RawMessage
	Method string
	Params struct{ Cursor *string }
}

// fake is a Streamable HTTP server that answers politely, but for what over
// does: it returns true where it has answered a request.
func fake(t *testing.T, over func(w http.ResponseWriter, r *http.Request, c wireCall) bool) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var c wireCall
		body, err := io.ReadAll(r.Body)
		if err == nil && r.Method == http.MethodPost {
			err = json.Unmarshal(body, &c)
		}
		if err != nil {
			t.Errorf("request %q: %v", body, err)
		}
		if over(w, r, c) {
			return
		}
		switch {
		case r.Method != http.MethodPost:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case c.Method == "initialize":
			answer(w, c, `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"fake","version":"1"}}`)
		case c.Method == "tools/list":
			answer(w, c, `{"tools":[`+strings.Join(hostile.Tools, ",")+`]}`)
		case c.ID == nil, c.Method == "": // a notification, or an answer to us
			w.WriteHeader(http.StatusAccepted)
		default:
			t.Errorf("request %s", body)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func answer(w http.ResponseWriter, c wireCall, result string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, c.ID, result)
}

// events answers with events whose data are the texts; %s in one is the id.
func events(w http.ResponseWriter, c wireCall, texts ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, text := range texts {
		fmt.Fprintf(w, "event: message\ndata: %s\n\n", strings.ReplaceAll(text, "%s", string(c.ID)))
	}
}

// onList is a fake whose tools/list is answered by f.
func onList(f func(w http.ResponseWriter, r *http.Request, c wireCall)) func(http.ResponseWriter, *http.Request, wireCall) bool {
	return func(w http.ResponseWriter, r *http.Request, c wireCall) bool {
		if c.Method == "tools/list" {
			f(w, r, c)
			return true
		}
		return false
	}
}

func TestListHTTP(t *testing.T) {
	all := `{"jsonrpc":"2.0","id":%s,"result":{"tools":[` + strings.Join(hostile.Tools, ",") + `]}}`
	for _, tt := range []struct {
		name string
		over func(w http.ResponseWriter, r *http.Request, c wireCall) bool
	}{
		{"json", func(http.ResponseWriter, *http.Request, wireCall) bool { return false }},
		{"events", onList(func(w http.ResponseWriter, _ *http.Request, c wireCall) { events(w, c, all) })},
		{"chatty", onList(func(w http.ResponseWriter, _ *http.Request, c wireCall) {
			note := `{"jsonrpc":"2.0","method":"notifications/message","params":{}}`
			events(w, c, note, `{"jsonrpc":"2.0","id":"ask","method":"roots/list"}`, `{"jsonrpc":"2.0","id":5,"method":"ping"}`, all, note)
		})},
		{"comments and split data", onList(func(w http.ResponseWriter, _ *http.Request, c wireCall) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, ": hello\r\n\r\nevent: other\ndata: no JSON\n\nretry: 1\ndata: {\"jsonrpc\":\"2.0\",\"id\":%s,\r\ndata: \"result\":{\"tools\":[%s]}}\r\n\r\n",
				c.ID, strings.Join(hostile.Tools, ","))
		})},
		{"paged", onList(func(w http.ResponseWriter, _ *http.Request, c wireCall) {
			if c.Params.Cursor == nil {
				answer(w, c, `{"tools":[`+hostile.Tools[0]+`],"nextCursor":"ü"}`)
				return
			}
			events(w, c, `{"jsonrpc":"2.0","id":%s,"result":{"tools":[`+strings.Join(hostile.Tools[1:], ",")+`]}}`)
		})},
		{"changed once", changingOnce()},
		{"chatty acknowledgement", func(w http.ResponseWriter, _ *http.Request, c wireCall) bool {
			if c.ID != nil {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, "ok, thanks")
			return true
		}},
		{"redirect on the same host", func(w http.ResponseWriter, r *http.Request, _ wireCall) bool {
			if r.URL.Path == "/elsewhere" {
				return false
			}
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			return true
		}},
		{"session", func(w http.ResponseWriter, r *http.Request, c wireCall) bool {
			if c.Method == "initialize" {
				w.Header().Set("Mcp-Session-Id", "abc")
				return false
			}
			if got := r.Header.Get("Mcp-Session-Id"); got != "abc" {
				t.Errorf("session id: got %q", got)
			}
			if got := r.Header.Get("Mcp-Protocol-Version"); got != "2025-11-25" {
				t.Errorf("%s %s: protocol version: got %q", r.Method, c.Method, got)
			}
			return false
		}},
		{"endless end of session", func(w http.ResponseWriter, r *http.Request, c wireCall) bool {
			if c.Method == "initialize" {
				w.Header().Set("Mcp-Session-Id", "abc")
			}
			if r.Method == http.MethodDelete {
				<-r.Context().Done()
				return true
			}
			return false
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := fake(t, tt.over)
			checkLeaks(t)
			l, err := List(t.Context(), Target{URL: s.URL + "/mcp"}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(hostile.Tools, texts(l.Tools)); diff != "" {
				t.Errorf("tools (-want +got):\n%s", diff)
			}
			if l.Name != "fake" || l.ProtocolVersion != "2025-11-25" {
				t.Errorf("listing: %+v", l)
			}
			s.CloseClientConnections()
		})
	}
}

func TestListHTTPRefuses(t *testing.T) {
	elsewhere := fake(t, func(w http.ResponseWriter, r *http.Request, _ wireCall) bool {
		t.Errorf("a request reached another host: %s %s", r.URL, r.Header)
		return false
	})
	body := func(contentType, text string) func(w http.ResponseWriter, r *http.Request, c wireCall) bool {
		return onList(func(w http.ResponseWriter, _ *http.Request, c wireCall) {
			w.Header().Set("Content-Type", contentType)
			fmt.Fprint(w, strings.ReplaceAll(text, "%s", string(c.ID)))
		})
	}
	status := func(code int, text string) func(w http.ResponseWriter, r *http.Request, c wireCall) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ wireCall) bool {
			w.WriteHeader(code)
			fmt.Fprint(w, text)
			return true
		}
	}
	const js, sse = "application/json", "text/event-stream"
	for _, tt := range []struct {
		name  string
		over  func(w http.ResponseWriter, r *http.Request, c wireCall) bool
		kind  error
		stage Stage
		want  string
	}{
		{"500", status(500, "oops\x1b"), ErrUnavailable, StageInitialize, `HTTP status 500 Internal Server Error: "oops\x1b"`},
		{"503 later", onList(func(w http.ResponseWriter, _ *http.Request, _ wireCall) { w.WriteHeader(503) }), ErrUnavailable, StageList, "HTTP status 503"},
		{"401", status(401, ""), ErrUnavailable, StageInitialize, "HTTP status 401 Unauthorized (credentials go into a header)"},
		{"404", status(404, "not here"), ErrUnavailable, StageInitialize, `/mcp: HTTP status 404 Not Found: "not here" (is the path right?`},
		{"405", status(405, ""), ErrUnavailable, StageInitialize, "/mcp: HTTP status 405 Method Not Allowed (is the path right?"},
		{"page of 502", status(502, "\n<!DOCTYPE html>\n"), ErrUnavailable, StageInitialize, "/mcp: HTTP status 502 Bad Gateway"},
		{"error", body(js, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32603,"message":"x"}}`), ErrUnavailable, StageList, `JSON-RPC error -32603: "x"`},
		{"error with status", onList(func(w http.ResponseWriter, _ *http.Request, c wireCall) {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32000,"message":"x"}}`, c.ID)
		}), ErrUnavailable, StageList, `HTTP status 400: the server answers with JSON-RPC error -32000`},
		{"hang", onList(func(_ http.ResponseWriter, r *http.Request, _ wireCall) { <-r.Context().Done() }), ErrUnavailable, StageList, "no answer within 2s"},
		{"stream without answer", body(sse, "data: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n"), ErrUnavailable, StageList, "without response"},
		{"drip", onList(func(w http.ResponseWriter, r *http.Request, _ wireCall) {
			w.Header().Set("Content-Type", sse)
			for r.Context().Err() == nil {
				fmt.Fprint(w, ": still there\n\n")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		}), ErrUnavailable, StageList, "no answer within 2s"},

		{"changing", onList(func(w http.ResponseWriter, _ *http.Request, c wireCall) {
			if c.Params.Cursor != nil {
				answer(w, c, `{"tools":[]}`)
				return
			}
			events(w, c, `{"jsonrpc":"2.0","id":%s,"result":{"tools":[],"nextCursor":"a"}}`, listChanged)
		}), ErrRefused, StageList, "the tool list changed while its pages were read"},
		{"html", body("text/html", "<h1>Sign in</h1>"), ErrRefused, StageList, `content type "text/html", want application/json or text/event-stream: "<h1>Sign in</h1>"`},
		{"accepted", onList(func(w http.ResponseWriter, _ *http.Request, _ wireCall) { w.WriteHeader(202) }), ErrRefused, StageList, "HTTP status 202"},
		{"garbage", body(js, `hello`), ErrRefused, StageList, `"hello" is no JSON-RPC message`},
		{"empty", body(js, ``), ErrRefused, StageList, `"" is no JSON-RPC message`},
		{"garbage event", body(sse, "data: hello\n\n"), ErrRefused, StageList, `"hello" is no JSON-RPC message`},
		{"garbage stream", body(sse, "hello\n\n"), ErrRefused, StageList, `without a colon: "hello"`},
		{"two results", body(js, `{"jsonrpc":"2.0","id":%s,"result":{"tools":[]},"result":{"tools":[]}}`), ErrRefused, StageList, `duplicate object member name "result"`},
		{"two results in an event", body(sse, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"tools\":[]},\"result\":{\"tools\":[]}}\n\n"), ErrRefused, StageList, `duplicate object member name "result"`},
		{"two answers", body(sse, strings.Repeat("data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"tools\":[]}}\n\n", 2)), ErrRefused, StageShutdown, "a second answer to request 2"},
		{"batch", body(js, `[{"jsonrpc":"2.0","id":%s,"result":{"tools":[]}}]`), ErrRefused, StageList, "batch"},
		{"fractional id", body(js, `{"jsonrpc":"2.0","id":%s.9,"result":{"tools":[]}}`), ErrRefused, StageList, `id is "2.9"`},
		{"invalid UTF-8", body(js, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"tools\":[{\"name\":\"\xff\"}]}}"), ErrRefused, StageList, "invalid UTF-8"},
		{"null element", body(js, `{"jsonrpc":"2.0","id":%s,"result":{"tools":[null]}}`), ErrRefused, StageList, "tools[0]"},
		{"same cursor", body(js, `{"jsonrpc":"2.0","id":%s,"result":{"tools":[],"nextCursor":"a"}}`), ErrRefused, StageList, `nextCursor "a" was given before`},

		{"endless body", onList(func(w http.ResponseWriter, r *http.Request, _ wireCall) { endless(w, r, js, `"aaaaaaaa`) }), ErrRefused, StageList, "a message of more than 16 MiB"},
		{"endless event", onList(func(w http.ResponseWriter, r *http.Request, _ wireCall) { endless(w, r, sse, "data: aaaaaaaaaa\n") }), ErrRefused, StageList, "an event of more than 16 MiB"},
		{"endless line", onList(func(w http.ResponseWriter, r *http.Request, _ wireCall) { endless(w, r, sse, "data: ") }), ErrRefused, StageList, "an event of more than 16 MiB"},
		{"endless comments", onList(func(w http.ResponseWriter, r *http.Request, _ wireCall) {
			endless(w, r, sse, ": comment "+strings.Repeat(".", 1000)+"\n\n")
		}), ErrRefused, StageList, "more than 64 MiB in one session"},
		{"endless notifications", onList(func(w http.ResponseWriter, r *http.Request, _ wireCall) {
			endless(w, r, sse, "data: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n")
		}), ErrRefused, StageList, "more than 10000 messages"},
		{"gzip bomb", onList(func(w http.ResponseWriter, r *http.Request, _ wireCall) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			w.Header().Set("Content-Type", js)
			_, _ = z.Write(make([]byte, 1<<20))
			_ = z.Close()
		}), ErrRefused, StageList, `Content-Encoding "gzip", which we did not ask for`},
		{"another charset", body(js+"; charset=UTF-7", `{}`), ErrRefused, StageList, `charset "utf-7", want utf-8`},
		{"two content types", onList(func(w http.ResponseWriter, _ *http.Request, _ wireCall) {
			w.Header()["Content-Type"] = []string{js, sse}
		}), ErrRefused, StageList, "2 Content-Type headers"},

		{"redirect to another host", onList(func(w http.ResponseWriter, r *http.Request, _ wireCall) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}), ErrRefused, StageList, `redirected to "http://127.0.0.1:`},
		{"redirect without end", onList(func(w http.ResponseWriter, r *http.Request, _ wireCall) {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusPermanentRedirect)
		}), ErrRefused, StageList, "more than 5 redirects"},
		{"redirect to a GET", onList(func(w http.ResponseWriter, r *http.Request, _ wireCall) { http.Redirect(w, r, "/", http.StatusFound) }), ErrRefused, StageList, "a POST becomes a GET"},
		{"old endpoint on another host", func(w http.ResponseWriter, r *http.Request, _ wireCall) bool {
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return true
			}
			w.Header().Set("Content-Type", sse)
			fmt.Fprintf(w, "event: endpoint\ndata: %s/messages\n\n", elsewhere.URL)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return true
		}, ErrRefused, StageInitialize, `sends us on to "http://127.0.0.1:`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			timeout := DefaultTimeout
			if strings.Contains(tt.want, "no answer within 2s") {
				timeout = 2 * time.Second
			}
			s := fake(t, tt.over)
			checkLeaks(t)
			l, err := List(t.Context(), Target{URL: s.URL + "/mcp?key=secret", Header: http.Header{"x-api-key": {"secret"}}}, Options{Timeout: timeout})
			if l != nil || !errors.Is(err, tt.kind) {
				t.Fatalf("List = %+v, %v, want kind %v", l, err, tt.kind)
			}
			var e *Error
			if !errors.As(err, &e) || e.Stage != tt.stage {
				t.Errorf("List: %v, stage %q, want %q", err, e.Stage, tt.stage)
			}
			if msg := err.Error(); !strings.Contains(msg, tt.want) || len(msg) > 1000 || strings.ContainsAny(msg, "\x1b\n") || strings.Contains(msg, "secret") {
				t.Errorf("List: got %q\nwant %q in it", msg, tt.want)
			}
			s.CloseClientConnections()
		})
	}
}

const listChanged = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`

// changingOnce says, a moment after its first page, that the list is another one.
func changingOnce() func(w http.ResponseWriter, r *http.Request, c wireCall) bool {
	var said sync.Once
	return onList(func(w http.ResponseWriter, _ *http.Request, c wireCall) {
		early := false
		said.Do(func() { early = true })
		switch {
		case early:
			events(w, c, `{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"early"}],"nextCursor":"early"}}`)
			_ = http.NewResponseController(w).Flush()
			time.Sleep(100 * time.Millisecond) // the next page comes first
			events(w, c, listChanged)
		default:
			answer(w, c, `{"tools":[`+strings.Join(hostile.Tools, ",")+`]}`)
		}
	})
}

// endless writes text over and over.
func endless(w http.ResponseWriter, r *http.Request, contentType, text string) {
	w.Header().Set("Content-Type", contentType)
	block := strings.Repeat(text, 4096)
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, block); err != nil {
			return
		}
	}
}

func TestListHTTPUnreachable(t *testing.T) {
	checkLeaks(t)
	s := httptest.NewServer(nil)
	s.Close()
	_, err := List(t.Context(), Target{URL: s.URL + "/?key=secret"}, Options{})
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "secret") {
		t.Errorf("List: %v", err)
	}
}

// The user's headers go with each request, and the protocol's own come first.
func TestListHTTPHeader(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[string]string)
	s := fake(t, func(_ http.ResponseWriter, r *http.Request, c wireCall) bool {
		mu.Lock()
		defer mu.Unlock()
		seen[c.Method] = fmt.Sprintf("%s%s%s", r.Header["Authorization"], r.Header["Content-Type"], r.Header["X-A"])
		return false
	})
	header := http.Header{"authorization": {"Bearer x"}, "Content-Type": {"text/plain"}, "X-A": {"1", "2"}}
	if _, err := List(t.Context(), Target{URL: s.URL, Header: header}, Options{}); err != nil {
		t.Fatal(err)
	}
	const want = "[Bearer x][application/json][1 2]"
	if diff := cmp.Diff(map[string]string{"initialize": want, "notifications/initialized": want, "tools/list": want}, seen); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}
