package server

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// A message is one JSON-RPC 2.0 message from the server: a request (method and
// id), a notification (method alone), or an answer (result or fault).
type message struct {
	// id is the id's own bytes; nil where it is absent or null.
	id     jsontext.Value
	method string
	// result is the result's own bytes, untouched.
	result jsontext.Value
	fault  *RPCError
	// batched says that it came in a JSON array, which only 2025-03-26 allows.
	batched bool
}

func (m message) isRequest() bool      { return m.method != "" && m.id != nil }
func (m message) isNotification() bool { return m.method != "" && m.id == nil }
func (m message) changesList() bool {
	return m.isNotification() && m.method == "notifications/tools/list_changed"
}

// parseMessages reads what stood on one line, in one body or in one event: a
// message, or a batch of them. The text must be strict JSON as a whole: what is
// strict at the tool alone could still have two "result" members around it.
func parseMessages(data []byte) ([]message, error) {
	if err := strictjson.Check(data); err != nil {
		return nil, refusef("%q is no JSON-RPC message: %w", excerpt(data), err)
	}
	switch kind := jsontext.Value(data).Kind(); kind {
	case '{':
		m, err := parseMessage(data)
		return []message{m}, err
	case '[':
		return parseBatch(data)
	default:
		return nil, refusef("%q is no JSON-RPC message: want a JSON object", excerpt(data))
	}
}

func parseBatch(data []byte) ([]message, error) {
	elements, err := elementsOf(data, maxMessages)
	if errors.Is(err, errTooMany) {
		return nil, refusef("a batch of more than %d messages", maxMessages)
	}
	if err != nil {
		return nil, refusef("batch: %w", err)
	}
	if len(elements) == 0 {
		return nil, refusef("an empty batch: JSON-RPC 2.0 wants at least one message in it")
	}
	batch := make([]message, 0, len(elements))
	for i, e := range elements {
		m, err := parseMessage(e)
		if err != nil {
			return nil, refusef("batch, message %d: %w", i, err)
		}
		m.batched = true
		batch = append(batch, m)
	}
	return batch, nil
}

// parseMessage sorts one message, already checked as strict JSON. It refuses
// whatever two readers could take for two different kinds of message.
func parseMessage(data []byte) (message, error) {
	var m message
	var wire struct {
		Version jsontext.Value `json:"jsonrpc"`
		ID      jsontext.Value `json:"id"`
		Method  jsontext.Value `json:"method"`
		Result  jsontext.Value `json:"result"`
		Error   jsontext.Value `json:"error"`
	}
	if jsontext.Value(data).Kind() != '{' {
		return m, refusef("%q is no JSON-RPC message: want a JSON object", excerpt(data))
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return m, refusef("%q is no JSON-RPC message: %w", excerpt(data), err)
	}
	if string(wire.Version) != `"2.0"` {
		return m, refusef(`%q is no JSON-RPC 2.0 message: "jsonrpc" is %s, want "2.0"`, excerpt(data), show(wire.Version))
	}
	if !absent(wire.ID) {
		if !isID(wire.ID) {
			return m, refusef("a message's id is %s, want a string or an integer", show(wire.ID))
		}
		m.id = wire.ID
	}
	if wire.Method != nil {
		return parseCall(m, wire.Method, wire.Result != nil || wire.Error != nil)
	}
	switch {
	case wire.Result != nil && wire.Error != nil:
		return m, refusef("an answer with both result and error: one reader takes the one, another the other")
	case wire.Result != nil:
		m.result = wire.Result
	case wire.Error != nil:
		return parseFault(m, wire.Error)
	default:
		return m, refusef("%q is no JSON-RPC message: it has neither method nor result nor error", excerpt(data))
	}
	return m, nil
}

// isID says whether v is what MCP allows as an id. "1.0" and "1e0" are not: to
// one reader they are 1, to another they are not.
func isID(v jsontext.Value) bool {
	if v.Kind() == '0' {
		_, err := strconv.ParseInt(string(v), 10, 64)
		return err == nil && string(v) != "-0"
	}
	return v.Kind() == '"'
}

func parseCall(m message, method jsontext.Value, answers bool) (message, error) {
	if answers {
		return m, refusef("a message with method and result or error: request to one reader, answer to another")
	}
	if err := json.Unmarshal(method, &m.method); err != nil || m.method == "" {
		return m, refusef("a request's method is %s, want a string", show(method))
	}
	if len(m.id) > maxID {
		return m, refusef("a request's id has %d bytes, want at most %d", len(m.id), maxID)
	}
	return m, nil
}

func parseFault(m message, fault jsontext.Value) (message, error) {
	var wire struct {
		Code    jsontext.Value `json:"code"`
		Message jsontext.Value `json:"message"`
	}
	if fault.Kind() != '{' {
		return m, refusef("an answer's error is %s, want an object", show(fault))
	}
	if err := json.Unmarshal(fault, &wire); err != nil {
		return m, refusef("an answer's error: %w", err)
	}
	m.fault = new(RPCError)
	code, err := strconv.ParseInt(string(wire.Code), 10, 64)
	if err != nil {
		return m, refusef("an answer's error has code %s, want an integer", show(wire.Code))
	}
	m.fault.Code = code
	if wire.Message != nil {
		if err := json.Unmarshal(wire.Message, &m.fault.Message); err != nil {
			return m, refusef("an answer's error has message %s, want a string", show(wire.Message))
		}
	}
	return m, nil
}

var errTooMany = errors.New("too many elements")

// elementsOf returns the elements of a JSON array, each with its own bytes in
// memory of its own, so that the large text around them can go. It stops at
// limit with errTooMany, before the rest is kept.
func elementsOf(array []byte, limit int) ([][]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(array))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '[' {
		return nil, refusef("got %s, want an array", show(array))
	}
	var elements [][]byte
	for dec.PeekKind() != ']' {
		v, err := dec.ReadValue()
		if err != nil {
			return nil, refused{err}
		}
		if len(elements) == limit {
			return nil, errTooMany
		}
		elements = append(elements, bytes.Clone(v))
	}
	return elements, nil
}

// excerpt is the part of a stranger's bytes that goes into an error.
func excerpt(data []byte) []byte { return data[:min(len(data), 100)] }

// What follows is all that we ever send. params and id are JSON already.

func request(id int, method, params string) []byte {
	return []byte(`{"jsonrpc":"2.0","id":` + strconv.Itoa(id) + `,"method":"` + method + `","params":` + params + `}`)
}

func notification(method string) []byte {
	return []byte(`{"jsonrpc":"2.0","method":"` + method + `"}`)
}

func emptyAnswer(id jsontext.Value) []byte {
	return []byte(`{"jsonrpc":"2.0","id":` + string(id) + `,"result":{}}`)
}

func notFoundAnswer(id jsontext.Value) []byte {
	return []byte(`{"jsonrpc":"2.0","id":` + string(id) +
		`,"error":{"code":` + strconv.Itoa(methodNotFound) + `,"message":"Method not found: this client has no capabilities"}}`)
}
