package keyless

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// Outage says that a service did not answer, or answered what makes no sense,
// as long as there was patience. What was to be signed is not signed; to run
// the same command again is safe.
type Outage struct {
	Service  Service
	Attempts int
	Elapsed  time.Duration
	// Skew is how far this machine's clock is ahead of the service's, 0 where
	// that is unknown or too little to matter.
	Skew time.Duration
	// Err is what went wrong the last time.
	Err error
}

// Error names the service, how often and how long it was tried, what it did
// last, and where its operator tells of outages.
func (e *Outage) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is out of order: ", e.Service)
	if e.Attempts > 1 {
		fmt.Fprintf(&b, "%d attempts in %v, at last: ", e.Attempts, e.Elapsed.Round(100*time.Millisecond))
	}
	fmt.Fprintf(&b, "%v", e.Err)
	if page := e.Service.statusPage(); page != "" {
		fmt.Fprintf(&b, "; see %s", page)
	}
	b.WriteString(skewed(e.Skew))
	return b.String()
}

// Unwrap returns what went wrong the last time.
func (e *Outage) Unwrap() error { return e.Err }

// Refused says that a service answered, and said no: to ask again would not
// help, something has to change.
type Refused struct {
	Service Service
	// Status is the HTTP status code.
	Status int
	// Message is the service's own text, cut short; it is a stranger's.
	Message string
	// Hint says what to change.
	Hint string
	// Skew is as in [Outage].
	Skew time.Duration
}

// Error names the service, what it said and what to change.
func (e *Refused) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s refuses: status %d", e.Service, e.Status)
	if e.Message != "" {
		fmt.Fprintf(&b, " %q", e.Message)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "; %s", e.Hint)
	}
	b.WriteString(skewed(e.Skew))
	return b.String()
}

// maxSkew is how far clocks may be apart before anybody is told: a Date header
// has whole seconds and may have been on its way for some.
const maxSkew = time.Minute

// skewed says that the clocks disagree, or nothing.
func skewed(ahead time.Duration) string {
	switch {
	case ahead > maxSkew:
		return fmt.Sprintf("; this machine's clock is %v ahead of the service's: set it", ahead.Round(time.Second))
	case ahead < -maxSkew:
		return fmt.Sprintf("; this machine's clock is %v behind the service's: set it", -ahead.Round(time.Second))
	}
	return ""
}

// hint says what to change when a service refused with status.
func hint(s Service, status int) string {
	switch {
	case status/100 == 3:
		return "redirects are not followed: the signing config has to name the service by its final URL"
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		return fmt.Sprintf("is there a %s of this version at this URL? see the signing config", s.Name)
	case status == http.StatusProxyAuthRequired:
		return "a proxy stands before it and wants credentials"
	case s.Name == nameFulcio && status <= http.StatusForbidden:
		return "the identity token must be fresh, and of the audience that this Fulcio wants, sigstore by default: on GitHub the job needs \"permissions: id-token: write\", " +
			"on GitLab \"id_tokens: SIGSTORE_ID_TOKEN: aud: sigstore\""
	case s.Name == nameRekor && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		return "this log does not take entries from here: name another by --signing-config"
	}
	return ""
}

// maxMessage bounds a stranger's text in an error: enough for a sentence.
const maxMessage = 300

// told is an error in bounded, printable words. The error behind it stays
// reachable; its own text may hold pieces of an answer, of any size and kind.
type told struct {
	text string
	err  error
}

func (t *told) Error() string { return t.text }
func (t *told) Unwrap() error { return t.err }

// shorten cuts text to maxMessage bytes and replaces what does not print.
func shorten(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxMessage {
		text = text[:maxMessage] + "…"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
}

// Why an attempt, or all of them, came to an end.
var (
	// ErrExpired says that the session's certificate ran out, or is about to.
	// All of it is to be made anew under a new session: the statements, and
	// the manifest's signature with them, since all are under the one key
	// (decision 11).
	ErrExpired = errors.New("the signing certificate ran out")
	// ErrClock says that this machine's clock lies outside a certificate that
	// was issued just now. What such a clock says stands in the manifest, too.
	ErrClock = errors.New("this machine's clock is wrong")

	errSlow     = fmt.Errorf("no answer within %v", attemptTimeout)
	errPatience = errors.New("no answer until patience ran out")
)

// conflict says that a log has this very entry already. To sign anew makes
// another one.
type conflict struct{ log Service }

func (c *conflict) Error() string {
	return fmt.Sprintf("%s: an equivalent entry is in the log already", c.log)
}

// wrong marks an answer that reads well and is not an answer to what was asked.
// That is no passing fault, so nothing is tried again.
type wrong string

func (w wrong) Error() string { return string(w) }
