package server

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

func TestParseMessagesRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", ``, "is no JSON-RPC message"},
		{"garbage", "hello\x1b", `"hello\x1b" is no JSON-RPC message`},
		{"number", `1`, "want a JSON object"},
		{"string", `"x"`, "want a JSON object"},
		{"null", `null`, "want a JSON object"},
		{"two values", `{"jsonrpc":"2.0","id":1,"result":{}} {}`, "not strict JSON"},
		{"empty batch", `[]`, "an empty batch"},
		{"batch in batch", `[[]]`, `batch, message 0: "[]" is no JSON-RPC message`},
		{"large batch", `[` + strings.Repeat(`{},`, maxMessages) + `{}]`, "a batch of more than 10000 messages"},
		{"no version", `{"id":1,"result":{}}`, `"jsonrpc" is nothing, want "2.0"`},
		{"version 1", `{"jsonrpc":"1.0","id":1,"result":{}}`, `"jsonrpc" is "\"1.0\"", want "2.0"`},
		{"version as a number", `{"jsonrpc":2.0,"id":1,"result":{}}`, `"jsonrpc" is "2.0"`},
		{"nothing in it", `{"jsonrpc":"2.0","id":1}`, "neither method nor result nor error"},
		{"names in capitals", `{"jsonrpc":"2.0","id":1,"Result":{}}`, "neither method nor result nor error"},
		{"object as id", `{"jsonrpc":"2.0","id":{},"result":{}}`, `id is "{}"`},
		{"fraction as id", `{"jsonrpc":"2.0","id":1.0,"result":{}}`, `id is "1.0"`},
		{"exponent as id", `{"jsonrpc":"2.0","id":1e0,"result":{}}`, `id is "1e0"`},
		{"minus nothing as id", `{"jsonrpc":"2.0","id":-0,"result":{}}`, `id is "-0"`},
		{"long id", `{"jsonrpc":"2.0","id":"` + strings.Repeat("a", maxID) + `","method":"ping"}`, "id has 258 bytes"},
		{"result and error", `{"jsonrpc":"2.0","id":1,"result":null,"error":null}`, "both result and error"},
		{"method and result", `{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}`, "method and result or error"},
		{"no method", `{"jsonrpc":"2.0","id":1,"method":""}`, `method is "\"\"", want a string`},
		{"number as method", `{"jsonrpc":"2.0","id":1,"method":1}`, `method is "1", want a string`},
		{"error null", `{"jsonrpc":"2.0","id":1,"error":null}`, `error is "null", want an object`},
		{"error without code", `{"jsonrpc":"2.0","id":1,"error":{}}`, "code nothing, want an integer"},
		{"error with a fraction", `{"jsonrpc":"2.0","id":1,"error":{"code":1.5}}`, `code "1.5", want an integer`},
		{"error without text", `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":{}}}`, `message "{}", want a string`},
		{"long garbage", strings.Repeat("a", 1<<20), "is no JSON-RPC message"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseMessages([]byte(tt.text))
			checkRefused(t, err, tt.want)
		})
	}
}

// checkRefused fails the test where err is no refusal, or not fit to print.
func checkRefused(t *testing.T, err error, want string) {
	t.Helper()
	if _, ok := errors.AsType[refused](err); !ok {
		t.Fatalf("got %v, want a refusal", err)
	}
	msg := err.Error()
	if !strings.Contains(msg, want) {
		t.Errorf("got %q, want %q in it", msg, want)
	}
	if len(msg) > 1000 || strings.ContainsFunc(msg, unicode.IsControl) {
		t.Errorf("not fit to print: %q", msg)
	}
}

func TestParseMessages(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []message
	}{
		{`{"jsonrpc":"2.0","id":1,"result":{ "a":1.0 }}`, []message{{id: []byte("1"), result: []byte(`{ "a":1.0 }`)}}},
		{`{"jsonrpc":"2.0","id":"a","error":{"code":-1,"message":"m","data":{}}}`, []message{{id: []byte(`"a"`), fault: &RPCError{-1, "m"}}}},
		{`{"jsonrpc":"2.0","id":null,"error":{"code":-1}}`, []message{{fault: &RPCError{Code: -1}}}},
		{`{"jsonrpc":"2.0","method":"m","params":[],"x":1}`, []message{{method: "m"}}},
		{` {"jsonrpc":"2.0","id":7,"method":"m"} `, []message{{id: []byte("7"), method: "m"}}},
		{`[{"jsonrpc":"2.0","method":"m"},{"jsonrpc":"2.0","id":1,"result":null}]`,
			[]message{{method: "m", batched: true}, {id: []byte("1"), result: []byte("null"), batched: true}}},
	} {
		got, err := parseMessages([]byte(tt.text))
		if err != nil {
			t.Errorf("parseMessages(%s): %v", tt.text, err)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(message{})); diff != "" {
			t.Errorf("parseMessages(%s) (-want +got):\n%s", tt.text, diff)
		}
	}
}

func FuzzParseMessages(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}`, `{"jsonrpc":"2.0","id":"é","method":"ping"}`,
		`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}`, `[{"jsonrpc":"2.0","method":"m"}]`, `[]`, `{}`, `{`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		messages, err := parseMessages(data)
		if err != nil {
			checkRefused(t, err, "")
			return
		}
		if err := strictjson.Check(data); err != nil {
			t.Errorf("accepted what is not strict: %v", err)
		}
		if len(messages) == 0 {
			t.Error("accepted, and no message")
		}
		for _, m := range messages {
			kinds := 0
			for _, is := range []bool{m.method != "", m.result != nil, m.fault != nil} {
				if is {
					kinds++
				}
			}
			if kinds != 1 {
				t.Errorf("%+v is of %d kinds", m, kinds)
			}
			if !bytes.Contains(data, m.result) || !bytes.Contains(data, m.id) {
				t.Errorf("%+v has bytes that did not come", m)
			}
			for _, sent := range [][]byte{emptyAnswer(m.id), notFoundAnswer(m.id)} {
				if m.id != nil && strictjson.Check(sent) != nil {
					t.Errorf("we would send %q", sent)
				}
			}
		}
	})
}

// The elements outlive the text around them.
func TestElementsOf(t *testing.T) {
	text := []byte(` [ {"a":1.0} , 2,"x" ] `)
	got, err := elementsOf(text, 3)
	clear(text)
	if diff := cmp.Diff([]string{`{"a":1.0}`, `2`, `"x"`}, texts(got)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestParsePageRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"null", `null`, `result: got "null", want an object`},
		{"array", `[]`, "want an object"},
		{"no tools", `{}`, "tools: got nothing, want an array"},
		{"tools in capitals", `{"Tools":[]}`, "tools: got nothing"},
		{"number among them", `{"tools":[{},1]}`, `tools[1]: got "1", want an object`},
		{"too many", `{"tools":[{},{},{},{}]}`, "more than 10000 tools"},
		{"cursor true", `{"tools":[],"nextCursor":true}`, `nextCursor: got "true"`},
		{"unfinished", `{"resultType":"input_required","tools":[]}`, "resultType"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parsePage([]byte(tt.text), 3)
			checkRefused(t, err, tt.want)
		})
	}
}

func FuzzParsePage(f *testing.F) {
	for _, seed := range []string{
		`{"tools":[{"name":"a"}, { } ],"nextCursor":"x"}`, `{"tools":[],"nextCursor":null}`, `{"tools":[null]}`, `{"tools":[[],{}]}`, `{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if strictjson.Check(data) != nil {
			return // parsePage comes behind parseMessages
		}
		kept := bytes.Clone(data)
		p, err := parsePage(data, 3)
		if err != nil {
			checkRefused(t, err, "")
			return
		}
		clear(data) // the page must not hold on to it
		if len(p.tools) > 3 {
			t.Errorf("%d tools, want at most 3", len(p.tools))
		}
		rest := kept
		for _, tool := range p.tools {
			if strictjson.Check(tool) != nil || tool[0] != '{' {
				t.Errorf("no object: %q", tool)
			}
			_, after, found := bytes.Cut(rest, tool)
			if !found {
				t.Errorf("not in the page, or not in its order: %q", tool)
			}
			rest = after
		}
	})
}

func TestLineReader(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
		err        error
	}{
		{"empty", "", nil, io.EOF},
		{"blank", " \r\n\n\t\n", nil, io.EOF},
		{"two", "a\nb\n", []string{"a", "b"}, io.EOF},
		{"carriage returns", "a\r\n\r\n b\r\r\n", []string{"a", "b\r"}, io.EOF},
		{"unfinished", "a\nb", []string{"a"}, errMidLine},
		{"long", strings.Repeat("x", 200<<10) + "\n", []string{strings.Repeat("x", 200<<10)}, io.EOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLineReader(strings.NewReader(tt.text))
			var got []string
			line, err := l.next()
			for ; err == nil; line, err = l.next() {
				got = append(got, string(line))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v; lines (-want +got):\n%s", err, tt.err, diff)
			}
		})
	}
}

// The largest message that is allowed comes through, the next size does not.
func TestLineReaderBound(t *testing.T) {
	l := newLineReader(strings.NewReader(strings.Repeat("a", maxMessage) + "\r\n" + strings.Repeat("b", maxMessage+2) + "\n"))
	if line, err := l.next(); err != nil || len(line) != maxMessage {
		t.Fatalf("%d bytes, %v", len(line), err)
	}
	_, err := l.next()
	checkRefused(t, err, "stdout line 2: a message of more than 16 MiB")
}

func FuzzLineReader(f *testing.F) {
	f.Add([]byte("a\r\n\n b \nc"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l := newLineReader(bytes.NewReader(data))
		rest := data
		for {
			line, err := l.next()
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, errMidLine) {
					t.Errorf("error: %v", err)
				}
				return
			}
			_, after, found := bytes.Cut(rest, line)
			if !found || bytes.ContainsRune(line, '\n') || len(bytes.TrimSpace(line)) == 0 && len(line) == 0 {
				t.Fatalf("line %q of %q", line, data)
			}
			rest = after
		}
	})
}

func TestTail(t *testing.T) {
	for _, size := range []int{0, 1, stderrHead, stderrHead + 1, stderrHead + stderrTail, stderrHead + stderrTail + 1, 3 * stderrTail, 1 << 20} {
		for _, step := range []int{1, 7, 4096, 1 << 20} {
			text := make([]byte, size)
			for i := range text {
				text[i] = byte('a' + i%23)
			}
			var kept tail
			for rest := text; len(rest) > 0; {
				n := min(step, len(rest))
				if m, err := kept.Write(rest[:n]); m != n || err != nil {
					t.Fatalf("Write: %d, %v", m, err)
				}
				rest = rest[n:]
			}
			want := string(text)
			if left := size - stderrHead - stderrTail; left > 0 {
				want = string(text[:stderrHead]) + "\n[… " + itoa(left) + " bytes left out …]\n" + string(text[size-stderrTail:])
			}
			if got := kept.String(); got != want {
				t.Errorf("size %d, step %d: got %d bytes, want %d", size, step, len(got), len(want))
			}
		}
	}
}
