package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"sync"
	"unicode"
	"unicode/utf8"
)

// An eventBody passes on a stream of server-sent events one event at a time,
// each judged before anything of it can be read. It is the only one who reads
// the stream as it came: what it passes on is spelled anew, so that the SDK behind
// it, which reads more loosely, cannot read anything else.
//
// It reads as the standard says (HTML §9.2.5 and 9.2.6). What readers in use are
// known to take in another way is refused, since a server could show each of them
// a list of its own: a byte order mark, a carriage return by itself, a line
// without a colon, an event that the end of the stream cuts short, and white space
// around a name.
type eventBody struct {
	body  io.ReadCloser
	guard *guard
	lines *bufio.Reader
	// begun says that a line was read; endpoint, that an event of that name was.
	begun, endpoint bool

	// The event that is being read: how long it is so far, its fields, and the
	// values of its data lines, each with a newline.
	size            int
	name, id, retry string
	data            bytes.Buffer

	// ready is what may be read; err follows it.
	ready  bytes.Buffer
	err    error
	closed func()
}

// newEventBody judges body for g. An answer's own stream, which ends, is counted
// as open until it is closed.
func newEventBody(body io.ReadCloser, g *guard, counted bool) *eventBody {
	b := &eventBody{body: body, guard: g, lines: bufio.NewReaderSize(body, 32<<10), closed: func() {}}
	if counted {
		g.streams.add(1)
		b.closed = sync.OnceFunc(func() { g.streams.add(-1) })
	}
	return b
}

func (b *eventBody) Read(p []byte) (int, error) {
	for b.ready.Len() == 0 {
		if b.err == nil {
			b.err = b.readEvent()
		}
		if _, over := errors.AsType[refused](b.err); over {
			_ = b.guard.refuse(b.err)
		}
		if b.err != nil {
			return 0, b.err
		}
	}
	return b.ready.Read(p)
}

// Close ends the stream.
func (b *eventBody) Close() error {
	b.closed()
	return b.body.Close()
}

// readEvent reads one event, its blank line included, and makes it ready.
func (b *eventBody) readEvent() error {
	b.size, b.name, b.id, b.retry = 0, "", "", ""
	b.data.Reset()
	b.ready.Reset()
	for {
		start := b.data.Len()
		readErr := b.readLine()
		if readErr != nil && !errors.Is(readErr, io.EOF) {
			return readErr
		}
		line := bytes.TrimSuffix(b.data.Bytes()[start:], []byte("\n"))
		if readErr == nil {
			line = bytes.TrimSuffix(line, []byte("\r"))
		}
		blank := len(line) == 0
		if !blank {
			value, err := b.field(line)
			if err != nil {
				return err
			}
			start += copy(b.data.Bytes()[start:], value)
		}
		b.begun = true
		b.data.Truncate(start)
		switch {
		case readErr != nil && b.data.Len() > 0:
			return refusef("the stream ends within an event: some readers take it, others do not: %q", excerpt(b.data.Bytes()))
		case readErr != nil:
			return readErr
		case blank:
			return b.dispatch()
		}
	}
}

// readLine reads a line with its end and appends it to data.
func (b *eventBody) readLine() error {
	for {
		part, err := b.lines.ReadSlice('\n')
		if b.size += len(part); b.size > maxMessage {
			return refusef("an event of more than %d MiB", maxMessage>>20)
		}
		b.data.Write(part)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// field takes in a line. It returns what the line adds to the event's data, in
// the line's own memory.
func (b *eventBody) field(line []byte) (data []byte, err error) {
	if !b.begun && bytes.HasPrefix(line, []byte("\ufeff")) {
		return nil, refusef("the stream begins with a byte order mark: some readers skip it, others do not")
	}
	if bytes.IndexByte(line, '\r') >= 0 {
		return nil, refusef("a carriage return within a line of an event: some readers end the line there, others do not: %q", excerpt(line))
	}
	name, value, colon := bytes.Cut(line, []byte(":"))
	if !colon {
		return nil, refusef("a line of an event without a colon: %q", excerpt(line))
	}
	if len(value) > 0 && value[0] == ' ' { // "remove it", and no more than it
		value = value[1:]
	}
	if string(name) == "data" {
		return append(value, '\n'), nil // in place of the line's own end
	}
	if !printable(line) {
		return nil, refusef("a line of an event holds characters that some readers end a line at, or skip: %q", excerpt(line))
	}
	switch string(name) {
	case "event":
		b.name, err = trimmed("event", value)
	case "id":
		b.id, err = trimmed("id", value)
		if len(value) == 0 {
			return nil, refusef("an event with an empty id: some readers forget the one before, others do not")
		}
	case "retry":
		if isDigits(value) { // "Otherwise, ignore the field."
			b.retry = string(value)
		}
	}
	return nil, err
}

// trimmed is a field's value, which must not have white space around it: the
// standard keeps all but one space in front, the SDK and its hosts keep none.
func trimmed(field string, value []byte) (string, error) {
	if len(bytes.TrimSpace(value)) != len(value) {
		return "", refusef("an event whose %s has white space around it: %q", field, excerpt(value))
	}
	return string(value), nil
}

// printable says whether a line that is no data holds only what every reader
// shows: some end a line at U+2028 or U+0085, some drop U+FEFF or stop at NUL.
func printable(line []byte) bool {
	return utf8.Valid(line) && !bytes.ContainsFunc(line, func(r rune) bool { return r != '\t' && !unicode.IsPrint(r) })
}

func isDigits(value []byte) bool {
	return len(value) > 0 && !bytes.ContainsFunc(value, func(r rune) bool { return r < '0' || r > '9' })
}

// dispatch judges the event and makes ready what the SDK shall see of it. An
// event without data is no message, but may say how to resume the stream.
func (b *eventBody) dispatch() error {
	data := bytes.TrimSuffix(b.data.Bytes(), []byte("\n"))
	event := ""
	switch {
	case len(data) == 0:
	case b.name == "" || b.name == "message":
		if err := b.guard.judge(data); err != nil {
			return err
		}
	case b.name == "endpoint" && b.guard.older:
		if b.endpoint {
			return refusef("a second endpoint event: some hosts go on there, others do not")
		}
		b.endpoint = true
		event = "event: endpoint\n"
	case mayBeMessage(data):
		return refusef("an event %.40q that may be a message: some hosts read it, others do not: %q", b.name, excerpt(data))
	default:
		data = nil // nobody listens
	}
	b.emit(event, data)
	return nil
}

// emit spells the event for the SDK.
func (b *eventBody) emit(event string, data []byte) {
	if !b.guard.older { // where a stream is not resumed, and what has no data is a fault
		if b.id != "" {
			b.ready.WriteString("id: " + b.id + "\n")
		}
		if b.retry != "" {
			b.ready.WriteString("retry: " + b.retry + "\n")
		}
	}
	if len(data) > 0 {
		b.ready.WriteString(event)
		for line := range bytes.SplitSeq(data, []byte("\n")) {
			b.ready.WriteString("data: ")
			b.ready.Write(line)
			b.ready.WriteByte('\n')
		}
	}
	if b.ready.Len() > 0 {
		b.ready.WriteByte('\n')
	}
}

// mayBeMessage says whether some reader could take data, of an event that is
// called otherwise, for a JSON-RPC message: it has the word, or an escape that
// may be the word. Hosts listen to "message" alone, but for those on the Go SDK,
// which read an event of any name in the older transport.
func mayBeMessage(data []byte) bool {
	return bytes.Contains(bytes.ToLower(data), []byte("jsonrpc")) || bytes.Contains(data, []byte(`\u`))
}

// A counter counts what is open. The zero value is ready.
type counter struct {
	mu   sync.Mutex
	n    int
	zero chan struct{} // closed at 0; nil while nobody waits
}

func (c *counter) add(delta int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n += delta; c.n == 0 && c.zero != nil {
		close(c.zero)
		c.zero = nil
	}
}

// quiet is closed once nothing is open.
func (c *counter) quiet() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == 0 {
		closed := make(chan struct{})
		close(closed)
		return closed
	}
	if c.zero == nil {
		c.zero = make(chan struct{})
	}
	return c.zero
}
