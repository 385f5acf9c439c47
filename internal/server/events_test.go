package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/testdata/servers/hostile"
)

// A standardEvent is an event as a host's listener gets it.
type standardEvent struct{ name, data string }

var lineEnd = regexp.MustCompile("\r\n|\n|\r")

// standardEvents reads a stream by the letter of HTML §9.2.6: "one leading U+FEFF
// is ignored", lines end with CRLF, LF or CR, "If the data buffer is an empty
// string" nothing is dispatched, "any pending data must be discarded".
func standardEvents(stream []byte) []standardEvent {
	var events []standardEvent
	var name, data string
	text := strings.TrimPrefix(strings.ToValidUTF8(string(stream), "\ufffd"), "\ufeff")
	lines := lineEnd.Split(text, -1)
	for _, line := range lines[:len(lines)-1] {
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if data != "" {
				events = append(events, standardEvent{name, strings.TrimSuffix(data, "\n")})
			}
			name, data = "", ""
		case field == "event":
			name = value
		case field == "data":
			data += value + "\n"
		}
	}
	return events
}

// heard are the events that an MCP host listens to: messages with data.
func heard(stream []byte) []string {
	var messages []string
	for _, e := range standardEvents(stream) {
		if (e.name == "" || e.name == "message") && e.data != "" {
			messages = append(messages, e.data)
		}
	}
	return messages
}

const note = `{"jsonrpc":"2.0","method":"m"}`

func TestEventBody(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"message", "event: message\ndata: " + note + "\n\n", "data: " + note + "\n\n"},
		{"CRLF", "data:" + note + "\r\n\r\n", "data: " + note + "\n\n"},
		{"lines", "data: {\"jsonrpc\":\"2.0\",\ndata:   \"method\":\"m\"}\n\n", "data: {\"jsonrpc\":\"2.0\",\ndata:   \"method\":\"m\"}\n\n"},
		{"no name", "event:\ndata: " + note + "\n\n", "data: " + note + "\n\n"},
		{"latest name", "event: ping\nevent: message\ndata: " + note + "\n\n", "data: " + note + "\n\n"},
		{"another name", "event: ping\ndata: {}\n\nevent: Message\ndata: x\n\n", ""},
		{"endpoint elsewhere", "event: endpoint\ndata: /m\n\n", ""},
		{"comments and unknown fields", ": hello\n\nfoo: bar\nDATA: x\n\n", ""},
		{"priming event", "id: a\nretry: 5\ndata: \n\n", "id: a\nretry: 5\n\n"},
		{"id of what is passed over", "event: ping\nid: a\ndata: x\n\n", "id: a\n\n"},
		{"retry that is no number", "retry: +5\n\n", ""},
		{"fields without an end", "data: " + note + "\n\nid: 1\nevent: x\n", "data: " + note + "\n\n"},
	} {
		got, err := io.ReadAll(newEventBody(io.NopCloser(strings.NewReader(tt.in)), newTestGuard(t), false))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestEventBodyRefuses(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"carriage return", ": x\rdata: " + note + "\n\n", "a carriage return within a line"},
		{"two carriage returns", "data: " + note + "\r\r\n\r\n", "a carriage return within a line"},
		{"carriage return at the end", "data: " + note + "\n\n\r", "a carriage return within a line"},
		{"byte order mark", "\ufeffdata: " + note + "\n\n", "byte order mark"},
		{"data at the end", "data: " + note, "the stream ends within an event"},
		{"a line at the end", "data: " + note + "\n", "the stream ends within an event"},
		{"name of spaces", "event:  message\ndata: x\n\n", "white space around it"},
		{"name and a space", "event: message \ndata: x\n\n", "white space around it"},
		{"name and a tab", "event: message\t\ndata: x\n\n", "white space around it"},
		{"message of another name", "event: nobody\ndata: " + note + "\n\n", `an event "nobody" that may be a message`},
		{"escaped message of another name", "event: nobody\ndata: {\"jsonrp\\u0063\":\"2.0\"}\n\n", "that may be a message"},
		{"empty id", "id: a\n\nid:\n\n", "empty id"},
		{"id and NUL", "id: a\x00b\n\n", "characters that some readers end a line at"},
		{"line separator", ": x\u2028data: " + note + "\n\n", "characters that some readers end a line at"},
		{"next line", ": x\u0085data: " + note + "\n\n", "characters that some readers end a line at"},
		{"form feed", ": x\fdata: " + note + "\n\n", "characters that some readers end a line at"},
		{"byte order mark later", "\n\ufeffdata: x\n\n", "characters that some readers end a line at"},
		{"no UTF-8", ": \xff\n\n", "characters that some readers end a line at"},
		{"no colon", "data\n\n", "without a colon"},
		{"blank data", "data:  \n\n", "no JSON-RPC message"},
		{"no message", "data: x\n\n", "no JSON-RPC message"},
	} {
		g := newTestGuard(t)
		_, err := io.ReadAll(newEventBody(io.NopCloser(strings.NewReader(tt.in)), g, false))
		checkRefused(t, err, tt.want)
		if err != nil && g.ctx.Err() == nil {
			t.Errorf("%s: the session goes on", tt.name)
		}
	}
}

// In the older transport the SDK reads an event of any name.
func TestEventBodyOlder(t *testing.T) {
	const endpoint = "event: endpoint\ndata: /m\n\n"
	for _, tt := range []struct{ in, out, refused string }{
		{endpoint + "id: 1\nevent: message\ndata: " + note + "\n\n", endpoint + "data: " + note + "\n\n", ""},
		{endpoint + "event: ping\ndata: x\n\nid: 2\n\n", endpoint, ""},
		{endpoint + endpoint, endpoint, "a second endpoint event"},
	} {
		g := newTestGuard(t)
		g.older = true
		got, err := io.ReadAll(newEventBody(io.NopCloser(strings.NewReader(tt.in)), g, false))
		if string(got) != tt.out {
			t.Errorf("%q became %q, want %q", tt.in, got, tt.out)
		}
		if tt.refused != "" {
			checkRefused(t, err, tt.refused)
		} else if err != nil {
			t.Errorf("%q: %v", tt.in, err)
		}
	}
}

// A server that shows one list to readers of the standard and another to looser
// ones is refused, or the standard's is the one that is listed.
func TestListHTTPOneReading(t *testing.T) {
	const (
		good = `data: {"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"good","inputSchema":{}}]}}`
		evil = `data: {"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"evil","inputSchema":{}}]}}`
	)
	for _, tt := range []struct{ name, body, want string }{
		{"carriage return", ": x\r" + evil + "\n\n" + good + "\n\n", "a carriage return"},
		{"byte order mark", "\ufeff" + evil + "\n\n" + good + "\n\n", "byte order mark"},
		{"end of stream", good + "\n", "the stream ends within an event"},
		{"name", "event: nobody\n" + good + "\n\nevent: message\n" + evil + "\n\n", `an event "nobody"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := fake(t, onList(func(w http.ResponseWriter, _ *http.Request, c wireCall) {
				w.Header().Set("Content-Type", "text/event-stream")
				fmt.Fprint(w, strings.ReplaceAll(tt.body, "%s", string(c.ID)))
			}))
			_, err := List(t.Context(), Target{URL: s.URL}, Options{})
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("List: %v, want %q", err, tt.want)
			}
		})
	}
}

// olderFake is a server of 2024-11-05: the answer to tools/list is what list
// makes of the request's id.
func olderFake(t *testing.T, list func(id string) string) *httptest.Server {
	stream := make(chan string, 10)
	return fake(t, func(w http.ResponseWriter, r *http.Request, c wireCall) bool {
		id := string(c.ID)
		switch {
		case r.Method == http.MethodGet:
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "event: endpoint\ndata: /m\n\n")
			for {
				_ = http.NewResponseController(w).Flush()
				select {
				case text := <-stream:
					fmt.Fprint(w, text)
				case <-r.Context().Done():
					return true
				}
			}
		case r.URL.Path != "/m":
			w.WriteHeader(http.StatusMethodNotAllowed)
			return true
		case c.Method == "initialize":
			stream <- `data: {"jsonrpc":"2.0","id":` + id + `,"result":{"protocolVersion":"2024-11-05","capabilities":{"tools":{}},"serverInfo":{"name":"old","version":"1"}}}` + "\n\n"
		case c.Method == "tools/list":
			stream <- list(id)
		}
		w.WriteHeader(http.StatusAccepted)
		return true
	})
}

func TestListOlderSSE(t *testing.T) {
	answer := func(name, id, tool string) string {
		return "event: " + name + "\ndata: {\"jsonrpc\":\"2.0\",\"id\":" + id + ",\"result\":{\"tools\":[" + tool + "]}}\n\n"
	}
	s := olderFake(t, func(id string) string {
		return "event: ping\ndata: now\n\n" + answer("message", id, hostile.Tools[0])
	})
	l, err := List(t.Context(), Target{URL: s.URL}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(hostile.Tools[:1], texts(l.Tools)); diff != "" {
		t.Errorf("tools (-want +got):\n%s", diff)
	}
	s.CloseClientConnections()

	s = olderFake(t, func(id string) string {
		return answer("nobody", id, hostile.Tools[0]) + answer("message", id, hostile.Tools[1])
	})
	if _, err := List(t.Context(), Target{URL: s.URL}, Options{}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), `an event "nobody"`) {
		t.Errorf("List: %v", err)
	}
	s.CloseClientConnections()
}

// What is accepted is what every reader of the standard hears.
func FuzzEventBody(f *testing.F) {
	for _, seed := range []string{
		"event: message\ndata: {\"jsonrpc\":\"2.0\",\ndata:\"method\":\"m\"}\n\n: x\n\nid: 1\n", "data: x\n\n",
		"id: 1\r\nretry: 2\r\ndata:\r\n\r\n", "\ufeffdata: " + note + "\n\n", ": \rdata: " + note + "\n\n", "data: " + note + "\n",
		"event: ping\ndata: {}\n\n", "event:  message\ndata: " + note + "\n\n", "data\n\n", "data: " + note + "\ndata: \n\n", "event\ndata:" + note + "\n\n",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte("event: endpoint\ndata: /m\n\n"+seed), true)
	}
	f.Fuzz(func(t *testing.T, stream []byte, older bool) {
		read := func(stream []byte) ([]byte, error) {
			g := newTestGuard(t)
			g.older = older
			return io.ReadAll(newEventBody(io.NopCloser(bytes.NewReader(stream)), g, false))
		}
		out, err := read(stream)
		want, got := heard(stream), heard(out)
		if err == nil && !slices.Equal(want, got) {
			t.Errorf("%q: accepted %q, want %q", stream, got, want)
		}
		if len(got) > len(want) || !slices.Equal(want[:len(got)], got) {
			t.Errorf("%q: came through %q, want the beginning of %q", stream, got, want)
		}
		for _, e := range standardEvents(out) {
			if e.name != "" && (e.name != "endpoint" || !older) {
				t.Errorf("%q: came through: %q", stream, e)
			}
		}
		if err != nil {
			checkRefused(t, err, "")
		}
		// What came through is spelled as the SDK reads it, and no other way.
		if again, err := read(out); err != nil || !bytes.Equal(again, out) {
			t.Errorf("%q came through, and again as %q, %v", out, again, err)
		}
	})
}
