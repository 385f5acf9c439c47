package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// A Target is a tool server: a command to run, or a URL to reach. Exactly one
// of Command and URL is set.
type Target struct {
	// Command is the program and its arguments; no shell reads them. A program
	// without a slash is looked for in PATH, a relative path starts at Dir.
	Command []string
	// Dir is the working directory; "" is the caller's.
	Dir string
	// Env are NAME=VALUE entries on top of the environment that is built for
	// the server; an entry replaces a built one of its name.
	Env []string

	// URL is an http or https URL that speaks Streamable HTTP, or the older
	// HTTP+SSE.
	URL string
	// Header goes with each request to URL, and to no other host. What the
	// protocol sets itself stays as it is.
	Header http.Header
}

// Check returns nil when t can be tried, or says what is wrong with it. It is
// the caller's mistake, never the server's: it wraps neither [ErrUnavailable]
// nor [ErrRefused].
func (t Target) Check() error {
	if (len(t.Command) > 0) == (t.URL != "") {
		return errors.New("tool server: want a command or a URL, exactly one")
	}
	if t.URL != "" {
		return errors.Join(checkURL(t.URL), checkHeader(t.Header))
	}
	for _, a := range t.Command {
		if strings.ContainsRune(a, 0) {
			return fmt.Errorf("tool server: argument %.100q holds a NUL byte", a)
		}
	}
	if t.Command[0] == "" {
		return errors.New("tool server: the command is empty")
	}
	for _, e := range t.Env {
		name, _, ok := strings.Cut(e, "=")
		if !ok || name == "" || strings.ContainsRune(e, 0) {
			return fmt.Errorf("tool server: environment entry %.40q: want NAME=VALUE", name)
		}
	}
	return nil
}

// checkURL shows nothing of the URL: what is wrong with it may be a password.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("tool server: the URL: want http://… or https://… (it is not shown, as it may hold a password)")
	}
	return nil
}

// checkHeader refuses what net/http would, before anything is sent, and Host,
// which it takes from the URL alone. Values are secrets and not shown, nor is a
// name that is none: it may be a whole line with its value.
func checkHeader(h http.Header) error {
	for name, values := range h {
		noToken := func(r rune) bool {
			return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) // RFC 9110 §5.6.2
		}
		if name == "" || strings.ContainsFunc(name, noToken) {
			return errors.New(`tool server: a header name that is no token: want NAME=VALUE, not "NAME: VALUE"`)
		}
		if strings.EqualFold(name, "Host") {
			return errors.New("tool server: header Host cannot be set: it comes from the URL")
		}
		for _, v := range values {
			if strings.ContainsFunc(v, func(r rune) bool { return r != '\t' && unicode.IsControl(r) }) {
				return fmt.Errorf("tool server: the value of header %.100q holds control characters", name)
			}
		}
	}
	return nil
}

// Options are how to list; the zero value is ready.
type Options struct {
	// Timeout bounds the whole listing, a second attempt included; 0 is
	// [DefaultTimeout].
	Timeout time.Duration
	// Notice, where set, is told in one line what this system could not do,
	// such as following daemons. It may be called from any goroutine.
	Notice func(string)
}

func (o Options) notice(format string, args ...any) {
	if o.Notice != nil {
		o.Notice(fmt.Sprintf(format, args...))
	}
}

// A Listing is what a server said of itself and all its tools.
type Listing struct {
	// Name and Version are those of serverInfo, decoded; "" where absent. They
	// are a stranger's text: escape them before showing them.
	Name, Version string
	// ProtocolVersion is the version that was agreed on.
	ProtocolVersion string
	// Tools are the tools' own bytes as they came, in the server's order over
	// all pages. Each is a JSON object in strict JSON; whether it is a tool is
	// for seal/fingerprint to say.
	Tools [][]byte
	// ClaimedLevel and ManifestURL are the server's claim about its own seal
	// (MIS §17): nil and "" where it makes none, or a malformed one.
	ClaimedLevel *int
	ManifestURL  string
	// Stderr is what is kept of the server's stderr, raw; "" over HTTP.
	Stderr string
}

// List lists the tools of t. It runs or reaches the server, follows tools/list
// to its end, and ends the server before it returns, also where ctx is done.
//
// Its error is an [*Error] that wraps [ErrUnavailable] or [ErrRefused], unless t
// itself is wrong ([Target.Check]).
func List(ctx context.Context, t Target, o Options) (*Listing, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout,
		fmt.Errorf("no answer within %s: %w", o.Timeout, context.DeadlineExceeded))
	defer cancel()
	if t.URL != "" {
		return listURL(ctx, t)
	}
	l, err := listCommand(ctx, t, o, handshake)
	if !refusesHandshake(err) {
		return l, err
	}
	l, second := listCommand(ctx, t, o, stateless)
	return l, afterRefusal(err, second)
}

// refusesHandshake says that the server answered initialize by a JSON-RPC
// error: it may be one that knows only the stateless lifecycle.
func refusesHandshake(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Stage != StageInitialize {
		return false
	}
	_, rpc := errors.AsType[*RPCError](err)
	return rpc
}

// afterRefusal is the outcome of the second attempt on a server that refused the
// handshake. Where it does not know the other lifecycle either, its first
// refusal is the one that says why.
func afterRefusal(first, second error) error {
	f, _ := errors.AsType[*Error](first)
	s, ok := errors.AsType[*Error](second)
	if !ok || s.Stage != StageDiscover {
		return second
	}
	if _, rpc := errors.AsType[*RPCError](second); !rpc {
		s.Err = fmt.Errorf("%w (tried because %s)", s.Err, f)
		return s
	}
	f.Err = fmt.Errorf("%w; %s: %w", f.Err, s.Stage, s.Err)
	return f
}

// converse begins a session by lc and drains the list. The stage says how far
// it came.
func converse(ctx context.Context, s *session, lc lifecycle) (Stage, error) {
	if err := lc.begin(ctx, s); err != nil {
		return lc.stage, err
	}
	return StageList, drain(ctx, s)
}
