package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// errEnded says that the server closed its output: no answer will come.
var errEnded = errors.New("the server closed its output before it answered")

// A stdioConn is a conn over a server's stdin and stdout. Two goroutines move
// the bytes, so that neither a server that does not read nor one that does not
// write can hold up the session.
type stdioConn struct {
	// lines carries what came; readErr says why it was closed.
	lines   chan []byte
	readErr error
	// outbox carries what goes; the session, its only sender, closes it.
	outbox chan []byte
	// done ends both goroutines.
	done chan struct{}
	// pending are the rest of a batch.
	pending []message
	// changed counts the list's changes.
	changed int
}

// newStdioConn starts to read from stdout and write to stdin, both until they
// are closed; wg counts the goroutines.
func newStdioConn(stdin io.WriteCloser, stdout io.Reader, wg *sync.WaitGroup) *stdioConn {
	c := &stdioConn{
		lines:  make(chan []byte),
		outbox: make(chan []byte, maxOutbox),
		done:   make(chan struct{}),
	}
	wg.Go(func() { c.readAll(stdout) })
	wg.Go(func() { c.writeAll(stdin) })
	return c
}

func (c *stdioConn) readAll(stdout io.Reader) {
	defer close(c.lines)
	lines := newLineReader(stdout)
	for {
		line, err := lines.next()
		if err != nil {
			c.readErr = err
			return
		}
		select {
		case c.lines <- line:
		case <-c.done:
			c.readErr = io.EOF
			return
		}
	}
}

// writeAll writes until hush or stop. A server that has closed its stdin may
// still answer, so a failed write ends only the writing: if no answer comes, the
// end of stdout or of time says so.
func (c *stdioConn) writeAll(stdin io.WriteCloser) {
	defer stdin.Close()
	for {
		select {
		case data, ok := <-c.outbox:
			if !ok {
				return
			}
			if _, err := stdin.Write(append(data, '\n')); err != nil {
				return
			}
		case <-c.done:
			return
		}
	}
}

func (c *stdioConn) send(ctx context.Context, data []byte) error {
	select {
	case c.outbox <- data:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the server does not read its input: %w", context.Cause(ctx))
	}
}

func (c *stdioConn) receive(ctx context.Context) (message, error) {
	// Where lines and ctx.Done are both ready, a select takes either: a server
	// that always has a line ready would outlast the time that it has.
	if ctx.Err() != nil {
		return message{}, context.Cause(ctx)
	}
	for len(c.pending) == 0 {
		select {
		case line, ok := <-c.lines:
			if !ok {
				return message{}, c.ended()
			}
			var err error
			if c.pending, err = parseMessages(line); err != nil {
				return message{}, refusef("stdout: %w (a server may write nothing but messages there, logs go to stderr)", err)
			}
		case <-ctx.Done():
			return message{}, context.Cause(ctx)
		}
	}
	m := c.pending[0]
	c.pending = c.pending[1:]
	if m.changesList() {
		c.changed++
	}
	return m, nil
}

func (c *stdioConn) changes() int { return c.changed }

func (c *stdioConn) settle(context.Context) {} // there is one order on a pipe

func (c *stdioConn) ended() error {
	if _, over := errors.AsType[refused](c.readErr); over || errors.Is(c.readErr, errMidLine) {
		return c.readErr
	}
	return errEnded
}

func (c *stdioConn) agreed(string) {}

// hush closes the server's input once all is written: this is how a client
// tells a server to end. Nothing may be sent afterwards.
func (c *stdioConn) hush() { close(c.outbox) }

// stop ends both goroutines; what they block on must be closed as well.
func (c *stdioConn) stop() { close(c.done) }
