package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"sync"
)

// An eventBody passes on a stream of server-sent events one event at a time,
// each judged before anything of it can be read. It cuts the stream as the SDK
// does: lines end with LF or CRLF, a blank line ends an event, the data lines
// of one event are trimmed and joined by newlines.
type eventBody struct {
	body  io.ReadCloser
	guard *guard
	lines *bufio.Reader
	// event is what may be read, once it is whole and judged; err follows it.
	// data are its data lines.
	event, data bytes.Buffer
	err         error
	closed      func()
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
	for b.event.Len() == 0 {
		if b.err != nil {
			return 0, b.err
		}
		if b.err = b.readEvent(); b.err != nil && !errors.Is(b.err, io.EOF) {
			b.event.Reset()
		}
	}
	return b.event.Read(p)
}

// Close ends the stream.
func (b *eventBody) Close() error {
	b.closed()
	return b.body.Close()
}

// readEvent reads one event, its blank line included.
func (b *eventBody) readEvent() error {
	b.event.Reset()
	b.data.Reset()
	name := ""
	for {
		start := b.event.Len()
		err := b.readLine()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		line := bytes.TrimRight(b.event.Bytes()[start:], "\r\n")
		field, value, colon := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case len(line) == 0:
		case !colon:
			return b.guard.refuse(refusef("a line of an event without a colon: %q", excerpt(line)))
		case string(field) == "event":
			name = string(value)
		case string(field) == "data":
			if b.data.Len() > 0 {
				b.data.WriteByte('\n')
			}
			b.data.Write(value)
		}
		if len(line) > 0 && err == nil {
			continue
		}
		if err := b.judge(name, b.data.Bytes()); err != nil {
			return b.guard.refuse(err)
		}
		return err
	}
}

// judge checks an event's data where it carries a message.
func (b *eventBody) judge(name string, data []byte) error {
	if len(data) == 0 || name != "" && name != "message" {
		return nil
	}
	return b.guard.judge(data)
}

// readLine reads a line with its end into event.
func (b *eventBody) readLine() error {
	for {
		part, err := b.lines.ReadSlice('\n')
		if b.event.Len()+len(part) > maxMessage {
			return b.guard.refuse(refusef("an event of more than %d MiB", maxMessage>>20))
		}
		b.event.Write(part)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
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
