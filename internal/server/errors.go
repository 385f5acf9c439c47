package server

import (
	"errors"
	"fmt"
)

// The two ways in which a listing fails. Errors of [List] wrap one of them,
// but for those of [Target.Check].
var (
	// ErrUnavailable says that there was no answer to judge: the server could
	// not start, hung, died, answered by a JSON-RPC or HTTP error, or was not
	// to be reached. Another run may end otherwise.
	ErrUnavailable = errors.New("the server gave no answer")
	// ErrRefused says that there was an answer which cannot be sealed: no
	// strict JSON, over a bound, against the protocol, or readable in two ways.
	ErrRefused = errors.New("the server's answer is refused")
)

// A Stage is where in a session something happened.
type Stage string

// The stages of a session, in their order.
const (
	StageStart      Stage = "start"
	StageInitialize Stage = "initialize"
	StageDiscover   Stage = "server/discover"
	StageList       Stage = "tools/list"
	StageShutdown   Stage = "shutdown"
)

// An Error is a listing that failed. Its text is one line and holds nothing of
// stderr; what it quotes of the server is escaped and short.
type Error struct {
	Stage Stage
	// Kind is ErrUnavailable or ErrRefused.
	Kind error
	// Err is what happened.
	Err error
	// Ended says how the server's process ended by itself ("exit status 1",
	// "signal: killed"); "" where it did not, or is not a process of ours.
	Ended string
	// Stderr is what is kept of the server's stderr, raw: escape it before
	// showing it.
	Stderr string
}

func (e *Error) Error() string {
	if e.Ended != "" {
		return fmt.Sprintf("%s: %v (the server ended: %s)", e.Stage, e.Err, e.Ended)
	}
	return fmt.Sprintf("%s: %v", e.Stage, e.Err)
}

// Unwrap gives Kind and Err.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }

// An RPCError is a JSON-RPC error that the server answered with.
type RPCError struct {
	Code    int64
	Message string
}

func (e *RPCError) Error() string {
	return fmt.Sprintf("the server answers with JSON-RPC error %d: %.200q", e.Code, e.Message)
}

// methodNotFound is the JSON-RPC 2.0 code for a method that does not exist.
const methodNotFound = -32601

// refused marks what the server sent as not to be sealed; every other error of
// a session is one of availability.
type refused struct{ error }

func (r refused) Unwrap() error { return r.error }

func refusef(format string, args ...any) error { return refused{fmt.Errorf(format, args...)} }

// failure makes the Error for err at stage.
func failure(stage Stage, err error) *Error {
	kind := ErrUnavailable
	if _, ok := errors.AsType[refused](err); ok {
		kind = ErrRefused
	}
	return &Error{Stage: stage, Kind: kind, Err: err}
}
