package platform

import (
	"errors"
	"fmt"
	"strings"
)

// The ways in which there are no tokens or no facts; each is the Kind of a
// [TokenError].
var (
	// ErrNoToken says that this job has none, and no right to one.
	ErrNoToken = errors.New("no identity token")
	// ErrOutage says that the token service or the issuer did not answer as it
	// should, for as long as we asked. Another run may end otherwise.
	ErrOutage = errors.New("the platform did not answer")
	// ErrRefused says that there is a token which nobody should take: it has
	// expired, is for another audience, is no JWT, or does not verify.
	ErrRefused = errors.New("the identity token is refused")
	// ErrContradiction says that environment and verified token disagree.
	ErrContradiction = errors.New("environment and identity token disagree")
	// ErrNoFacts says that no platform vouches for builds here.
	ErrNoFacts = errors.New("no platform vouches for this build")
)

// A TokenError is a failure of [Tokens] or of a [TokenSource]. Its text is one
// line, holds no part of a token, and quotes strangers escaped and short.
type TokenError struct {
	// Kind is one of the sentinels above.
	Kind error
	// Err is what happened.
	Err error
	// Hint is a setting that cures it, or "".
	Hint string
}

func (e *TokenError) Error() string { return e.Err.Error() }

// Unwrap gives Kind and Err.
func (e *TokenError) Unwrap() []error { return []error{e.Kind, e.Err} }

func refusedf(format string, args ...any) *TokenError {
	return &TokenError{Kind: ErrRefused, Err: fmt.Errorf(format, args...)}
}

// withHint adds what to do about a token of the wrong audience or time.
func (s *TokenSource) withHint(e *TokenError) *TokenError {
	switch {
	case errors.Is(e, errAudience) && s.kind == GitLab:
		e.Hint = hintIDTokens
	case errors.Is(e, errExpired) && s.kind == GitHub, errors.Is(e, errNotYet):
		e.Hint = "the token is new, so the clock of this machine is wrong: set it by NTP"
	case errors.Is(e, errExpired) && s.kind == GitLab:
		e.Hint = "GitLab makes it when the job starts and never renews it: run the job again, and give it a timeout longer than the build takes (timeout: 1h)"
	case errors.Is(e, errExpired):
		e.Hint = "put a new token into " + idTokenVariable
	}
	return e
}

// maxDetail bounds a library's or a service's words in an error of ours.
const maxDetail = 300

// plainly gives a foreign error in words that can be printed: one short line
// of printable text, without any of the secrets. The error itself is dropped,
// since what it wraps might quote them.
func plainly(err error, secrets ...string) error {
	msg := err.Error()
	for _, secret := range secrets {
		if secret != "" {
			msg = strings.ReplaceAll(msg, secret, "***")
		}
	}
	if len(msg) > maxDetail {
		msg = msg[:maxDetail/2] + " … " + msg[len(msg)-maxDetail/2:]
	}
	if !plain(msg) {
		msg = fmt.Sprintf("%q", msg)
	}
	return errors.New(msg)
}
