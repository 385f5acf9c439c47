package server

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// A conn carries messages between a session and one server. Both methods end
// when ctx does.
type conn interface {
	// send hands over one JSON-RPC message. That it returns nil does not mean
	// that the server has read it.
	send(ctx context.Context, data []byte) error
	// receive returns the server's next message.
	receive(ctx context.Context) (message, error)
	// changes counts the notifications so far that the tool list has changed.
	changes() int
	// settle waits until what came along with the answers so far is read and
	// counted, where that is not in one order with them.
	settle(ctx context.Context)
	// agreed says which protocol version the session goes on in.
	agreed(version string)
}

// errUnread is a JSON-RPC error without an id: the server could not even read
// what we sent, so no answer will come.
var errUnread = errors.New("the server could not read our request")

// A session is one conversation with one server, in one goroutine.
type session struct {
	conn conn
	// lastID is the id of the latest request; ids count up from 1.
	lastID int
	// received counts messages of every kind.
	received int
	// version is the protocol version that was agreed; "" before.
	version string
	// meta is the _meta member of each request in the stateless lifecycle;
	// "" in the handshake's.
	meta string

	// listing is what the server has told so far; declaresTools says that its
	// capabilities have tools.
	listing       Listing
	declaresTools bool
}

// call sends a request and returns the bytes of its result. params is a JSON
// object. An error answer is an *RPCError.
func (s *session) call(ctx context.Context, method, params string) (jsontext.Value, error) {
	s.lastID++
	if err := s.conn.send(ctx, request(s.lastID, method, params)); err != nil {
		return nil, err
	}
	for {
		m, err := s.next(ctx)
		if err != nil {
			return nil, err
		}
		switch {
		case m.id == nil:
			return nil, fmt.Errorf("%w: %w", errUnread, m.fault)
		case string(m.id) != strconv.Itoa(s.lastID):
			if err := s.notTwice(m.id, s.lastID-1); err != nil {
				return nil, err
			}
		case m.fault != nil:
			return nil, m.fault
		default:
			return m.result, nil
		}
	}
}

// notTwice refuses an answer to a request up to the given one, all of which
// were answered. An answer to anything else was never asked for.
func (s *session) notTwice(id jsontext.Value, answered int) error {
	if n, err := strconv.Atoi(string(id)); err == nil && 1 <= n && n <= answered {
		return refusef("a second answer to request %d: which of the two a host believes depends on the host", n)
	}
	return nil
}

// next returns the next answer, an error without id among them. Whatever else
// the server says on the way is answered or passed over.
func (s *session) next(ctx context.Context) (message, error) {
	for {
		m, err := s.conn.receive(ctx)
		if err != nil {
			return m, err
		}
		if s.received++; s.received > maxMessages {
			return m, refusef("more than %d messages in one session", maxMessages)
		}
		if m.batched && s.version != batchVersion {
			return m, refusef("a JSON-RPC batch, which only protocol version %s has (this session: %q)", batchVersion, s.version)
		}
		switch {
		case m.isNotification():
		case m.isRequest():
			if err := s.answer(ctx, m); err != nil {
				return m, err
			}
		case m.id == nil && m.fault == nil:
			return m, refusef("an answer without an id")
		default:
			return m, nil
		}
	}
}

// answer replies to a request of the server's. "The receiver MUST respond
// promptly with an empty response" to a ping; all else needs a capability that
// we did not declare (decision 18).
func (s *session) answer(ctx context.Context, m message) error {
	if m.method == "ping" {
		return s.conn.send(ctx, emptyAnswer(m.id))
	}
	return s.conn.send(ctx, notFoundAnswer(m.id))
}

// linger reads what still comes once the list is whole and the server's input
// is closed, so that a server can finish writing and end. A second answer is
// refused here as well: whether it came a moment earlier is chance. All else is
// of no more interest, not even if it is no message.
func (s *session) linger(ctx context.Context) error {
	for ; s.received <= maxMessages; s.received++ {
		m, err := s.conn.receive(ctx)
		if _, garbage := errors.AsType[refused](err); garbage {
			continue
		}
		if err != nil {
			return nil
		}
		if m.method == "" && m.id != nil {
			if err := s.notTwice(m.id, s.lastID); err != nil {
				return err
			}
		}
	}
	return nil
}
