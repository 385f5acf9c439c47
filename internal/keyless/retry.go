package keyless

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// defaultPatience rides out a restart or a short overload. Whoever would
	// have to wait longer is better told.
	defaultPatience = 5 * time.Minute
	// attemptTimeout is three times what the slowest takes that is in order:
	// a Rekor v2 answers when its next checkpoint is out, 10 s by its default.
	attemptTimeout = 30 * time.Second
	// The waits between attempts: each twice the one before, give or take half
	// by chance, so that the jobs of a whole forge do not come back at once.
	firstWait   = time.Second
	longestWait = 30 * time.Second
)

// caller tries services until they answer.
type caller struct {
	base     http.RoundTripper
	patience time.Duration
	now      func() time.Time
	notices  *notices
	secrets  *secrets
}

// try calls attempt until it succeeds, the service refuses, patience runs out,
// or ctx ends. Each attempt gets an exchange of its own, to reach s through.
// The error is a [*Refused], an [*Outage], a *conflict, or holds ctx's cause.
func try[T any](ctx context.Context, c *caller, s Service, attempt func(*exchange) (T, error)) (T, error) {
	patient, cancel := context.WithTimeoutCause(ctx, c.patience, errPatience)
	defer cancel()
	out := &Outage{Service: s}
	began := time.Now()
	v, err := backoff.Retry(patient, func() (T, error) {
		out.Attempts++
		limited, cancel := context.WithTimeoutCause(patient, attemptTimeout, errSlow)
		defer cancel()
		x := &exchange{ctx: limited, caller: c}
		v, err := attempt(x)
		if err == nil {
			c.notices.skew(s, x.skew)
			return v, nil
		}
		said, again := x.judge(s, err)
		// An attempt that was cut off tells nothing of the service.
		if patient.Err() == nil {
			out.Err = said
		}
		out.Skew = x.skew
		switch {
		case !again:
			return v, backoff.Permanent(said)
		case x.wait > 0:
			return v, &backoff.RetryAfterError{Duration: x.wait}
		}
		return v, said
	}, backoff.WithBackOff(&backoff.ExponentialBackOff{
		InitialInterval: firstWait, Multiplier: 2, MaxInterval: longestWait, RandomizationFactor: 0.5,
	}), backoff.WithMaxElapsedTime(c.patience), backoff.WithNotify(func(_ error, wait time.Duration) {
		c.notices.retry(out, wait, c.patience-time.Since(began))
	}))
	if err == nil {
		return v, nil
	}
	out.Elapsed = time.Since(began)
	switch err.(type) {
	case *Refused, *conflict:
		return v, err
	}
	switch {
	case ctx.Err() != nil && out.Err != nil:
		return v, fmt.Errorf("%s: %w (%w)", s, context.Cause(ctx), out.Err)
	case ctx.Err() != nil:
		return v, fmt.Errorf("%s: %w", s, context.Cause(ctx))
	case out.Err == nil:
		out.Err = errPatience
	}
	return v, out
}

// judge says why an attempt failed, in words that may be printed, and whether
// another one makes sense.
func (x *exchange) judge(s Service, err error) (said error, again bool) {
	var lie wrong
	switch {
	case x.ctx.Err() != nil:
		return &told{context.Cause(x.ctx).Error(), err}, true
	case x.failure != nil:
		return x.tell("", x.failure), !distrusted(x.failure)
	case x.status == 0: // the client did not even ask
		return x.tell("", err), false
	case x.status == http.StatusConflict && s.Name == nameRekor:
		return &conflict{s}, false
	case errors.As(err, &lie):
		return x.tell("", lie), false
	case x.status/100 == 2:
		return x.tell("it answers what cannot be read: ", err), true
	case !passing(x.status):
		return &Refused{Service: s, Status: x.status, Message: x.message, Hint: hint(s, x.status), Skew: x.skew}, false
	}
	text := fmt.Sprintf("it answers %d", x.status)
	if x.message != "" {
		text += fmt.Sprintf(" %.100q", x.message)
	}
	if x.wait > 0 {
		text += fmt.Sprintf(" and asks to wait %v", x.wait)
	}
	return &told{text, err}, true
}

// statusClientClosed says that the client went away. As we did not, it was
// another: a Rekor v2 that waits for one checkpoint on behalf of several gives
// up for all of them when the first goes.
const statusClientClosed = 499

// passing says whether a status speaks of a fault that may pass by itself.
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, statusClientClosed:
		return true
	}
	return status >= 500
}

// retryAfter reads a Retry-After header, in seconds or as a date. It is never
// less than the first wait: a service that asks to be called again at once
// would otherwise be called without end.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if text == "" {
		return 0
	}
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return max(firstWait, time.Duration(n)*time.Second)
	}
	date, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	// The service means its own clock.
	if own, err := http.ParseTime(h.Get("Date")); err == nil {
		now = own
	}
	return max(firstWait, date.Sub(now))
}

// notices are the lines that tell people why nothing seems to happen.
type notices struct {
	line func(string)

	mu    sync.Mutex
	last  map[string]notice // by URL of a service
	clock bool              // the clock's line is said
}

// notice is the last line about a service: it holds until the time that it
// named, or for some seconds, unless something else goes wrong.
type notice struct {
	reason string
	until  time.Time
}

const noticeHolds = 10 * time.Second

// retry says that a service is tried again. Statements that are signed side by
// side wait for the same service: one line tells it for all.
func (n *notices) retry(o *Outage, wait, left time.Duration) {
	if n.line == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now, reason := time.Now(), o.Err.Error()
	if last := n.last[o.Service.URL]; last.reason == reason && now.Before(last.until) {
		return
	}
	n.last[o.Service.URL] = notice{reason, now.Add(max(wait, noticeHolds))}
	line := fmt.Sprintf("%s: %s; trying again in %v, for up to %v", o.Service, reason, wait.Round(100*time.Millisecond), left.Round(time.Second))
	if page := o.Service.statusPage(); page != "" {
		line += "; " + page
	}
	n.line(line + skewed(o.Skew))
}

// skew says, once, that the clocks disagree although the service answered.
func (n *notices) skew(s Service, ahead time.Duration) {
	if n.line == nil || ahead == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.clock {
		n.clock = true
		n.line(s.String() + " answers" + skewed(ahead))
	}
}
