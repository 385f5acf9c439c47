package keyless

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcp-integrity/seal-action/internal/keyless/keylesstest"
)

// passingFaults are what a service may do while it is out of order, and what
// people are to read of it.
var passingFaults = map[string]struct {
	fault fault
	want  string
}{
	"down":           {down, "connection refused"},
	"slow":           {slow, "no answer within 30s"},
	"stalls":         {stalls, "no answer within 30s"},
	"truncated":      {truncated, "the answer broke off: unexpected EOF"},
	"halved":         {halved, "it answers what cannot be read"},
	"endless":        {endless, "larger than 1048576 bytes"},
	"status 500":     {answers(500, "oops"), `it answers 500 "oops"`},
	"status 503":     {answers(503, ""), "it answers 503"},
	"status 429":     {answers(429, "slow down\nplease", "Retry-After", "7"), "it answers 429 \"slow down please\" and asks to wait 7s"},
	"status 408":     {answers(408, ""), "it answers 408"},
	"status 499":     {answers(499, `{"code":1,"message":"add entry: await: context canceled"}`), `it answers 499 "add entry: await: context canceled"`},
	"reset":          {reset, ": read: connection reset by peer"},
	"no body":        {answers(200, ""), "it answers what cannot be read"},
	"HTML":           {answers(200, "<html>\x1b[31m"), "it answers what cannot be read"},
	"an empty thing": {answers(200, "{}"), "it answers what cannot be read"},
	"null":           {answers(201, "null"), "it answers what cannot be read"},
	"a list":         {answers(201, "[[[["), "it answers what cannot be read"},
	"an echo":        {echoes(502), "it answers 502"},
	"an echo as OK": {func(n int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
		return echoes(200)(n, r, next)
	}, "cannot be read"},
}

// spoils are the faults that also come after the request took effect. Those
// that let the service work come after it by themselves; to those that only
// differ in the answer it makes no difference.
var spoils = map[string]bool{"down": true, "slow": true, "status 500": true, "status 429": true, "HTML": true}

// Each service, each passing fault, before and after the request took effect.
func TestFault(t *testing.T) {
	for instance, o := range map[string]keylesstest.Options{"v2": {}, "v1": {RekorV1: true}} {
		for n, what := range []string{nameFulcio, nameTSA, nameRekor} {
			if o.RekorV1 && what != nameRekor {
				continue // the others do not know
			}
			for name, c := range passingFaults {
				moments := map[string]fault{"before": c.fault}
				if spoils[name] {
					moments["after"] = afterwards(c.fault)
				}
				for when, f := range moments {
					t.Run(fmt.Sprintf("%s/%s/%s/%s", instance, what, name, when), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							w := newWorld(t, o)
							s := w.services.all()[n]
							w.checkPasses(s, f, c.want)
							w.checkStays(s, f, c.want)
							clear(w.faults)
							w.checkSigned(w.sign(context.Background())) // a rerun
						})
					})
				}
			}
		}
	}
}

// checkPasses checks that a fault that passes costs some seconds and some lines.
func (w *world) checkPasses(s Service, f fault, want string) {
	w.t.Helper()
	const times = 4 // Rekor and the TSA are asked for two statements at a time
	w.faults[s.Host()] = first(times, f)
	began := time.Now()
	w.checkSigned(w.sign(context.Background()))
	if took := time.Since(began); took < time.Second || took > 3*time.Minute {
		w.t.Errorf("it took %v", took)
	}
	if len(w.lines) == 0 || len(w.lines) > times {
		w.t.Errorf("%d lines for %d failures: %q", len(w.lines), times, w.lines)
	}
	for _, line := range w.lines {
		if !strings.HasPrefix(line, s.String()+": ") || !strings.Contains(line, want) || !strings.Contains(line, "; trying again in ") {
			w.t.Errorf("got the line %q, want one of %s with %q", line, s, want)
		}
	}
	w.checkSecret(nil)
}

// checkStays checks that a fault that stays is an outage that names the
// service, within the time that patience allows.
func (w *world) checkStays(s Service, f fault, want string) {
	w.t.Helper()
	w.lines, w.faults[s.Host()], w.requests[s.Host()] = nil, f, 0
	began := time.Now()
	bundles, err := w.sign(context.Background())
	took := time.Since(began)
	var outage *Outage
	if !errors.As(err, &outage) || outage.Service != s || bundles != nil {
		w.t.Fatalf("got %d bundles, %v, want the outage of %s", len(bundles), err, s)
	}
	if text := err.Error(); !strings.Contains(text, s.String()) || !strings.Contains(text, want) {
		w.t.Errorf("got %q, want %q of %s", text, want, s)
	}
	if took > defaultPatience || outage.Elapsed > took || outage.Elapsed < 3*time.Minute {
		w.t.Errorf("it took %v, %v in all, with a patience of %v", outage.Elapsed, took, defaultPatience)
	}
	if outage.Attempts < 5 || outage.Attempts > 50 {
		w.t.Errorf("%d attempts", outage.Attempts)
	}
	if len(w.lines) < 4 || len(w.lines) > w.requests[s.Host()] {
		w.t.Errorf("%d lines for %d requests", len(w.lines), w.requests[s.Host()])
	}
	w.checkSecret(err)
}

// What will not pass by itself is told at once.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		host, want string
		fault      fault
		status     int
	}{
		"Fulcio: token":         {fulcioHost, "does this Fulcio know the issuer?", answers(400, `{"code":3,"message":"There was an error processing the identity token"}`), 400},
		"Fulcio: unauthorised":  {fulcioHost, "not expired", answers(401, "no"), 401},
		"Fulcio: policy":        {fulcioHost, "id-token: write", answers(403, "no"), 403},
		"Fulcio: echo":          {fulcioHost, "[identity token]", echoes(400), 400},
		"Fulcio: conflict":      {fulcioHost, "status 409", answers(409, ""), 409},
		"Fulcio: another URL":   {fulcioHost, "is there a Fulcio", answers(404, "<html>"), 404},
		"Fulcio: redirect":      {fulcioHost, "redirects are not followed", answers(307, "", "Location", "https://evil.example/"), 307},
		"Fulcio: moved":         {fulcioHost, "redirects are not followed", answers(301, "", "Location", "/api/v3/"), 301},
		"Fulcio: proxy":         {fulcioHost, "a proxy", answers(407, ""), 407},
		"TSA: refuses":          {tsaHost, "status 403", answers(403, "no"), 403},
		"TSA: another URL":      {tsaHost, "is there a timestamp authority", answers(405, ""), 405},
		"Rekor: refuses":        {rekorHost, "--signing-config", answers(403, "no"), 403},
		"Rekor: invalid entry":  {rekorHost, `"invalid \"entry\""`, answers(400, `invalid "entry"`), 400},
		"Rekor: not this API":   {rekorHost, "is there a Rekor of this version", answers(404, ""), 404},
		"Rekor: a long message": {rekorHost, "…", answers(400, strings.Repeat("a\x00\u202e", 1e5)), 400},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, keylesstest.Options{})
				w.faults[c.host] = c.fault
				began := time.Now()
				_, err := w.sign(context.Background())
				var refused *Refused
				if !errors.As(err, &refused) || refused.Status != c.status || refused.Service.Host() != c.host {
					t.Fatalf("got %v, want a refusal with status %d", err, c.status)
				}
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %q", err, c.want)
				}
				if took := time.Since(began); took > 0 || len(w.lines) > 0 {
					t.Errorf("it took %v and people were told %q", took, w.lines)
				}
				w.checkSecret(err)
			})
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for name, c := range map[string]struct {
		headers  []string
		min, max time.Duration
	}{
		"seconds":            {[]string{"Retry-After", "40"}, 40 * time.Second, 40 * time.Second},
		"a date":             {[]string{"Retry-After", "Sat, 01 Jan 2000 00:01:00 GMT"}, time.Minute, time.Minute},
		"their own date":     {[]string{"Date", "Tue, 01 Feb 2000 00:00:00 GMT", "Retry-After", "Tue, 01 Feb 2000 00:01:00 GMT"}, time.Minute, time.Minute},
		"no time":            {[]string{"Retry-After", "0"}, time.Second, time.Second},
		"a date in the past": {[]string{"Retry-After", "Fri, 31 Dec 1999 00:00:00 GMT"}, time.Second, time.Second},
		"nonsense":           {[]string{"Retry-After", "soon"}, 500 * time.Millisecond, 1500 * time.Millisecond},
		"negative":           {[]string{"Retry-After", "-1"}, 500 * time.Millisecond, 1500 * time.Millisecond},
		"none":               {nil, 500 * time.Millisecond, 1500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, keylesstest.Options{})
				w.faults[fulcioHost] = first(1, answers(429, "", c.headers...))
				began := time.Now()
				if _, err := w.begin(context.Background()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took < c.min || took > c.max {
					t.Errorf("it came back after %v, want %v to %v", took, c.min, c.max)
				}
			})
		})
	}
}

// Whoever asks for more time than there is gets none: the run ends at once.
func TestRetryAfterBeyondPatience(t *testing.T) {
	for _, after := range []string{"301", "2147483647", "99999999999999999999", "Sat, 01 Jan 2050 00:00:00 GMT"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, keylesstest.Options{})
			w.faults[fulcioHost] = answers(503, "", "Retry-After", after)
			began := time.Now()
			_, err := w.begin(context.Background())
			var outage *Outage
			if !errors.As(err, &outage) {
				t.Fatalf("got %v, want an outage", err)
			}
			if took := time.Since(began); after != "99999999999999999999" && (took > 0 || !strings.Contains(err.Error(), "asks to wait")) {
				t.Errorf("%s: %v after %v", after, err, took)
			}
		})
	}
}

// forgetful is a log that takes entries, loses the first answers, and refuses
// what it has: what a client meets that asks again after its answer was lost.
func forgetful(losses int) fault {
	var mu sync.Mutex
	has := map[string]bool{}
	return func(_ int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		if has[string(body)] {
			return respond(r, 409, strings.NewReader(`{"code":6,"message":"an equivalent entry already exists"}`), "Location", "/api/v1/log/entries/abc"), nil
		}
		has[string(body)] = true
		if losses--; losses >= 0 {
			return nil, io.ErrUnexpectedEOF
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		return next.RoundTrip(r)
	}
}

// A log that has the entry already gets another one, under another signature.
func TestConflict(t *testing.T) {
	for _, o := range []keylesstest.Options{{}, {RekorV1: true}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, o)
			w.faults[rekorHost] = forgetful(2)
			w.checkSigned(w.sign(context.Background()))
			if w.requests[rekorHost] != 6 || w.requests[tsaHost] != 4 {
				t.Errorf("requests: %v, want the log's 6 and the TSA's 4", w.requests)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, keylesstest.Options{})
		// It does not wait for others: their pieces are worth nothing now.
		w.faults[tsaHost] = slow
		w.faults[rekorHost] = answers(409, "")
		began := time.Now()
		_, err := w.sign(context.Background())
		var outage *Outage
		if !errors.As(err, &outage) || outage.Attempts != maxConflicts || outage.Service.Host() != rekorHost {
			t.Errorf("got %v, want an outage after %d conflicts", err, maxConflicts)
		}
		if took := time.Since(began); took > 0 || len(w.lines) > 0 {
			t.Errorf("it took %v, and people were told %q", took, w.lines)
		}
		w.checkSecret(err)
	})
}

// An attempt that was cut off because patience ran out says less than the one
// before.
func TestPatienceCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, keylesstest.Options{})
		w.options.Patience = 40 * time.Second
		w.faults[fulcioHost] = slow
		_, err := w.begin(context.Background())
		if want := "2 attempts in 40s, at last: no answer within 30s"; !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		w.options.Patience = 10 * time.Second
		if _, err = w.begin(context.Background()); !strings.Contains(fmt.Sprint(err), "out of order: no answer until patience ran out") {
			t.Errorf("got %v, want that there was no answer at all", err)
		}
	})
}

// What the network's errors hold is a stranger's, too.
func TestFailureTexts(t *testing.T) {
	for name, c := range map[string]struct {
		fault fault
		want  string
	}{
		"the token": {func(_ int, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			return nil, fmt.Errorf("malformed HTTP status code %q", r.Header.Get("Authorization"))
		}, `: malformed HTTP status code "Bearer [identity token]"; trying`},
		"our own port": {reset, "(" + fulcioHost + "): read: connection reset by peer; trying"},
		"a terminal": {func(int, *http.Request, http.RoundTripper) (*http.Response, error) {
			return nil, errors.New("\x1b[2Ja\nb")
		}, "\uFFFD[2Ja b; trying"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, keylesstest.Options{})
			w.faults[fulcioHost] = first(1, c.fault)
			if _, err := w.begin(context.Background()); err != nil {
				t.Fatal(err)
			}
			if len(w.lines) != 1 || !strings.Contains(w.lines[0], c.want) {
				t.Errorf("%s: got %q, want %q", name, w.lines, c.want)
			}
			w.checkSecret(nil)
		})
	}
}

// The lines that two statements would say at the same time are one.
func TestNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, keylesstest.Options{})
		w.services.Logs[0].URL = "https://rekor.sigstore.dev"
		w.faults["rekor.sigstore.dev"] = answers(503, "")
		_, err := w.sign(context.Background())
		if !strings.Contains(fmt.Sprint(err), "Rekor (rekor.sigstore.dev) is out of order: ") || !strings.Contains(fmt.Sprint(err), "; see https://status.sigstore.dev") {
			t.Errorf("got %v", err)
		}
		for n, line := range w.lines {
			if !strings.HasPrefix(line, "Rekor (rekor.sigstore.dev): it answers 503; trying again in ") || !strings.HasSuffix(line, "; https://status.sigstore.dev") {
				t.Errorf("got %q", line)
			}
			if n == 0 && !strings.Contains(line, ", for up to 5m0s") {
				t.Errorf("got %q, want the time that it is tried", line)
			}
		}
		if asked := w.requests["rekor.sigstore.dev"]; len(w.lines) < 5 || len(w.lines) > asked*2/3 {
			t.Errorf("%d lines for %d requests", len(w.lines), asked)
		}
	})
}

// In no state does a cancelled session wait on: not for an answer, not for the
// next attempt, not for the platform.
func TestCancel(t *testing.T) {
	states := map[string]fault{"down": down, "slow": slow, "stalls": stalls, "asks to wait": answers(429, "", "Retry-After", "200")}
	for name, f := range states {
		for n := range 3 {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, keylesstest.Options{})
				s := w.services.all()[n]
				w.faults[s.Host()] = f
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				time.AfterFunc(100*time.Second, cancel)
				began := time.Now()
				_, err := w.sign(ctx)
				if took := time.Since(began) - 100*time.Second; took < 0 || took > time.Second {
					t.Errorf("%s, %s: it ended %v after the end", s, name, took)
				}
				var outage *Outage
				if !errors.Is(err, context.Canceled) || errors.As(err, &outage) || !strings.Contains(err.Error(), s.String()) {
					t.Errorf("%s, %s: got %v, want that it was cancelled", s, name, err)
				}
				w.checkSecret(err)
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, keylesstest.Options{})
		w.token = func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := w.begin(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that the time was over", err)
		}
	})
}

// The same over real sockets, where a server hangs and a client waits for real.
func TestCancelSockets(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	w := newWorld(t, keylesstest.Options{})
	w.services.CA.URL, w.options.Transport = server.URL, nil
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := w.begin(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the time was over", err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it ended after %v", took)
	}
}

// A connection that cannot be trusted is none to try again.
func TestDistrust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, keylesstest.Options{})
		w.faults[fulcioHost] = func(int, *http.Request, http.RoundTripper) (*http.Response, error) {
			return nil, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
		}
		_, err := w.begin(context.Background())
		var outage *Outage
		if !errors.As(err, &outage) || outage.Attempts != 1 || !strings.Contains(err.Error(), "unknown authority") {
			t.Errorf("got %v, want one attempt", err)
		}
	})
}
