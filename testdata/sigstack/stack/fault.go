package stack

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Mode is a way to fail.
type Mode string

// Ways to fail. Those that spoil an answer have the status of success: a
// client that looks at the status only is taken in.
const (
	Down     Mode = "down"     // the connection is reset
	Refused  Mode = "refused"  // nobody listens; has no count and no "after"
	Slow     Mode = "slow"     // nothing for the time of the delay, then all is well
	Status   Mode = "status"   // an HTTP status, with a body as the servers write it
	Garbage  Mode = "garbage"  // bytes that mean nothing
	Truncate Mode = "truncate" // the answer breaks off
	Huge     Mode = "huge"     // the answer does not end
	Empty    Mode = "empty"    // an answer without a body
	Token    Mode = "token"    // the token endpoint alone: a token that is wrong
	Clean    Mode = "clean"    // no fault
)

var modes = []Mode{Down, Refused, Slow, Status, Garbage, Truncate, Huge, Empty, Token, Clean}

// Fault is how a service fails, and for how long.
type Fault struct {
	Mode       Mode
	After      bool          // first let the request take effect, then spoil the answer
	Times      int           // how many requests; 0: all until the fault is taken away
	Code       int           // Status: the HTTP status
	RetryAfter string        // Status: header of that name, where not empty
	Delay      time.Duration // Slow: for how long
	Token      TokenFault    // Token: what is wrong with it
}

// defaultDelay is longer than clients wait in a test that wants to see them
// give up; their own limit, or delay=, ends it.
const defaultDelay = time.Minute

// parseFault reads a fault from a query: mode, when, times, status,
// retry_after, delay and token. Token faults may be given by token alone.
func parseFault(q url.Values) (Fault, error) {
	f := Fault{Mode: Mode(lookup(q, "mode", "")), RetryAfter: lookup(q, "retry_after", "")}
	var err error
	if f.Token, err = parseTokenFault(lookup(q, "token", "")); err != nil {
		return f, err
	}
	if f.Mode == "" && f.Token != "" {
		f.Mode = Token
	}
	if !slices.Contains(modes, f.Mode) {
		return f, fmt.Errorf("mode %.100q, want one of %v", f.Mode, modes)
	}
	switch when := lookup(q, "when", "before"); when {
	case "before":
	case "after":
		f.After = true
	default:
		return f, fmt.Errorf("when %.100q, want before or after", when)
	}
	if f.Times, err = strconv.Atoi(lookup(q, "times", "0")); err != nil || f.Times < 0 {
		return f, fmt.Errorf("times: want a number that is not negative")
	}
	if f.Code, err = strconv.Atoi(lookup(q, "status", "0")); err != nil {
		return f, fmt.Errorf("status: want a number")
	}
	if f.Delay, err = time.ParseDuration(lookup(q, "delay", defaultDelay.String())); err != nil {
		return f, fmt.Errorf("delay: %w", err)
	}
	return f, f.check()
}

// check refuses what would not do what its words say.
func (f Fault) check() error {
	switch {
	case f.Mode == Status && (f.Code < 200 || f.Code > 599):
		return fmt.Errorf("mode status has status %d, want 200 to 599", f.Code)
	case f.Mode != Status && (f.Code != 0 || f.RetryAfter != ""):
		return fmt.Errorf("mode %s has no status and no retry_after", f.Mode)
	case (f.Mode == Token) != (f.Token != ""):
		return fmt.Errorf("mode %s with token %q: they belong together", f.Mode, f.Token)
	case f.Mode == Refused && (f.After || f.Times != 0):
		return fmt.Errorf("mode refused has neither when nor times: nobody listens who could count")
	case f.Mode == Token && f.After:
		return fmt.Errorf("mode token has no when: the token is the effect")
	}
	return nil
}

// answer is what a service said, kept back to be spoiled.
type answer struct {
	header http.Header
	status int
	body   []byte
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, b...)
	return len(b), nil
}

// send writes the answer as it came.
func (a *answer) send(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// spoil answers a request with the fault instead of with a. For a fault before
// the request took effect a is what a success would look like.
func (f Fault) spoil(w http.ResponseWriter, r *http.Request, a *answer) {
	switch f.Mode {
	case Down:
		reset(w)
	case Slow:
		if f.wait(r.Context()) {
			a.send(w)
		}
	case Status:
		f.sendStatus(w)
	case Garbage:
		w.Header().Set("Content-Type", a.header.Get("Content-Type"))
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte("\x00\xff{]\r\n<html>502 sigstack</html>"))
	case Truncate:
		w.Header().Set("Content-Type", a.header.Get("Content-Type"))
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)+1))
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body[:len(a.body)/2])
		flushAndReset(w)
	case Huge:
		w.Header().Set("Content-Type", a.header.Get("Content-Type"))
		w.WriteHeader(a.status)
		endless(w, r)
	case Empty:
		w.WriteHeader(a.status)
	}
}

// wait returns true after the delay, or false once the client hung up.
func (f Fault) wait(ctx context.Context) bool {
	select {
	case <-time.After(f.Delay):
		return true
	case <-ctx.Done():
		return false
	}
}

// sendStatus answers as the servers' gRPC gateways do.
func (f Fault) sendStatus(w http.ResponseWriter) {
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.Code)
	_, _ = fmt.Fprintf(w, `{"code":2,"message":"sigstack: fault: status %d","details":[]}`, f.Code)
}

// reset ends a connection so that the client's kernel says "connection reset".
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // net/http's own way to end a connection
	}
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// flushAndReset sends what was written, and then ends the connection.
func flushAndReset(w http.ResponseWriter) {
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// endless writes a JSON string without an end, until the client hangs up.
func endless(w http.ResponseWriter, r *http.Request) {
	block := make([]byte, 64<<10)
	for i := range block {
		block[i] = 'A'
	}
	if _, err := w.Write([]byte(`{"value":"`)); err != nil {
		return
	}
	for r.Context().Err() == nil {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}
