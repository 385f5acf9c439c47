package publish

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
)

// skipWaits has a client wait in no time, and returns how long it would have.
func skipWaits(t testing.TB, client *http.Client) *[]time.Duration {
	t.Helper()
	var waits []time.Duration
	transport := client.Transport
	if own, ok := transport.(*tokened); ok {
		transport = own.base
	}
	r, ok := transport.(*retry)
	if !ok {
		t.Fatalf("transport: got %T, want one that tries again", transport)
	}
	var several sync.Mutex // a place may ask for several files at once
	r.sleep = func(ctx context.Context, d time.Duration) error {
		several.Lock()
		defer several.Unlock()
		waits = append(waits, d)
		return context.Cause(ctx)
	}
	return &waits
}

// roundTrips answers one request after the other, the last one for ever.
type roundTrips []func(*http.Request) (*http.Response, error)

func (r *roundTrips) RoundTrip(req *http.Request) (*http.Response, error) {
	next := (*r)[0]
	if len(*r) > 1 {
		*r = (*r)[1:]
	}
	return next(req)
}

func answer(status int, header ...string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(fmt.Sprint("body ", status)))}
		for i := 0; i < len(header); i += 2 {
			resp.Header.Set(header[i], header[i+1])
			if header[i] == "body" {
				resp.Body = io.NopCloser(strings.NewReader(header[i+1]))
			}
		}
		return resp, nil
	}
}

func failure(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func brokenOff(req *http.Request) (*http.Response, error) {
	resp, err := answer(http.StatusOK)(req)
	resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("bo"), errorReader{}))
	return resp, err
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestRetry(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	read := &net.OpError{Op: "read", Err: errors.New("connection reset")}
	now := sealtest.Time
	date := func(after time.Duration) string { return now.Add(after).Format(http.TimeFormat) }
	unix := func(after time.Duration) string { return fmt.Sprint(now.Add(after).Unix()) }
	const some = -1 // a wait of our own choice
	for _, tt := range []struct {
		name    string
		method  string
		header  string
		once    bool
		answers roundTrips
		status  int // 0: an error
		waits   []time.Duration
	}{
		{"a success", "GET", "", false, roundTrips{answer(200)}, 200, nil},
		{"trouble that passes", "GET", "", false, roundTrips{answer(503), answer(500), answer(200)}, 200, []time.Duration{some, some}},
		{"trouble of what is not idempotent", "POST", "", false, roundTrips{answer(503), answer(200)}, 503, nil},
		{"trouble of a PATCH", "PATCH", "", false, roundTrips{answer(502), answer(200)}, 502, nil},
		{"trouble of a POST that is idempotent", "POST", "Idempotency-Key", false, roundTrips{answer(503), answer(200)}, 200, []time.Duration{some}},
		{"trouble of a PUT", "PUT", "", false, roundTrips{answer(503), answer(200)}, 200, []time.Duration{some}},
		{"trouble of a PUT that is done once", "PUT", "", true, roundTrips{answer(503), answer(200)}, 503, nil},
		{"trouble of a GET that is done once", "GET", "", true, roundTrips{answer(503), answer(200)}, 200, []time.Duration{some}},
		{"a rate limit", "POST", "", false, roundTrips{answer(429, "Retry-After", "7"), answer(200)}, 200, []time.Duration{7 * time.Second}},
		{"a rate limit until a date", "POST", "", false, roundTrips{answer(429, "Retry-After", date(9*time.Second)), answer(200)}, 200, []time.Duration{9 * time.Second}},
		{"a rate limit by its own clock", "GET", "", false, roundTrips{answer(429, "Retry-After", date(time.Hour), "Date", date(time.Hour-9*time.Second)), answer(200)}, 200, []time.Duration{9 * time.Second}},
		{"a rate limit until the past", "GET", "", false, roundTrips{answer(429, "Retry-After", date(-time.Hour)), answer(200)}, 200, []time.Duration{firstWait}},
		{"a rate limit without a time", "GET", "", false, roundTrips{answer(429), answer(200)}, 200, []time.Duration{limitWait}},
		{"a rate limit with nonsense", "GET", "", false, roundTrips{answer(429, "Retry-After", "soon"), answer(200)}, 200, []time.Duration{limitWait}},
		{"GitHub's primary limit", "POST", "", false, roundTrips{answer(403, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", unix(30*time.Second)), answer(200)}, 200, []time.Duration{30 * time.Second}},
		{"GitHub's secondary limit", "POST", "", false, roundTrips{answer(403, "body", `{"message":"You have exceeded a secondary rate limit."}`), answer(200)}, 200, []time.Duration{limitWait}},
		{"a refusal that is no limit", "GET", "", false, roundTrips{answer(403, "X-RateLimit-Remaining", "59"), answer(200)}, 403, nil},
		{"a limit that lasts", "GET", "", false, roundTrips{answer(429, "Retry-After", "3600"), answer(200)}, 429, nil},
		{"a limit that lasts in sum", "GET", "", false, roundTrips{answer(429, "Retry-After", "200")}, 429, []time.Duration{200 * time.Second}},
		{"trouble with a wait that is asked for", "GET", "", false, roundTrips{answer(503, "Retry-After", "2"), answer(200)}, 200, []time.Duration{2 * time.Second}},
		{"trouble that stays", "GET", "", false, roundTrips{answer(503)}, 503, []time.Duration{some, some, some, some, some}},
		{"what nobody implements", "GET", "", false, roundTrips{answer(501)}, 501, nil},
		{"not found", "GET", "", false, roundTrips{answer(404)}, 404, nil},
		{"a broken connection", "GET", "", false, roundTrips{failure(read), answer(200)}, 200, []time.Duration{some}},
		{"a broken connection of what is not idempotent", "POST", "", false, roundTrips{failure(read), answer(200)}, 0, nil},
		{"what never left", "POST", "", false, roundTrips{failure(dial), answer(200)}, 200, []time.Duration{some}},
		{"a certificate that is not trusted", "GET", "", false, roundTrips{failure(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), answer(200)}, 0, nil},
		{"an address that is not public", "GET", "", false, roundTrips{failure(fetch.ErrPrivate), answer(200)}, 0, nil},
		{"an answer that breaks off", "GET", "", false, roundTrips{brokenOff, answer(200)}, 200, []time.Duration{some}},
		{"an answer that breaks off, of what is not idempotent", "POST", "", false, roundTrips{brokenOff, answer(200)}, 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var sent []string
			counted := roundTrips{func(req *http.Request) (*http.Response, error) {
				if req.Body != nil {
					body, err := io.ReadAll(req.Body)
					if err != nil {
						t.Error(err)
					}
					sent = append(sent, string(body))
				}
				return tt.answers.RoundTrip(req)
			}}
			var lines []string
			client := retrying(&http.Client{Transport: &counted}, Env{Now: func() time.Time { return now }, Notify: func(s string) { lines = append(lines, s) }})
			waits := skipWaits(t, client)
			ctx := t.Context()
			if tt.once {
				ctx = once(ctx)
			}
			req, err := http.NewRequestWithContext(ctx, tt.method, "https://a.example/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.method != http.MethodGet {
				req, _ = http.NewRequestWithContext(ctx, tt.method, "https://a.example/x", strings.NewReader("what is sent"))
			}
			if tt.header != "" {
				req.Header[tt.header] = nil
			}
			resp, err := client.Do(req)
			if (err != nil) != (tt.status == 0) {
				t.Fatalf("got error %v, want status %d", err, tt.status)
			}
			if err == nil {
				body, err := io.ReadAll(resp.Body)
				if resp.StatusCode != tt.status || err != nil || !strings.HasPrefix(string(body), "body") && tt.status == 200 {
					t.Errorf("got HTTP %d with %q, %v, want %d", resp.StatusCode, body, err, tt.status)
				}
				if err := resp.Body.Close(); err != nil {
					t.Error(err)
				}
			}
			for _, s := range sent {
				if s != "what is sent" {
					t.Errorf("a try sent %q", s)
				}
			}
			for i, want := range tt.waits {
				if want == some && i < len(*waits) && (*waits)[i] > 0 && (*waits)[i] <= longestWait*3/2 {
					tt.waits[i] = (*waits)[i]
				}
			}
			if diff := cmp.Diff(tt.waits, *waits); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
			if len(lines) != len(*waits) {
				t.Errorf("got %d lines for %d waits: %q", len(lines), len(*waits), lines)
			}
		})
	}
}

func TestRetryNotice(t *testing.T) {
	var lines []string
	answers := &roundTrips{answer(502), answer(429, "Retry-After", "7"), failure(&net.OpError{Op: "dial", Err: errors.New("connection \x1b refused")}), answer(200)}
	client := retrying(&http.Client{Transport: answers}, Env{Notify: func(s string) { lines = append(lines, s) }})
	skipWaits(t, client)
	resp, err := client.Get("https://user:secret@a.example/x?token=secret")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for i, want := range []string{
		"a.example has trouble of its own (HTTP 502); trying again in ",
		"a.example refuses by its rate limit, which other jobs with this token or address share; trying again in 7s, as it asks (try 3 of 6)",
		`a.example cannot be reached, or does not answer: "dial: connection \x1b refused"; trying again in `,
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) || strings.Contains(lines[i], "secret") {
			t.Errorf("line %d: got %q, want %q…", i, lines, want)
		}
	}
}

func TestRetryEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the run is over")
	answers := &roundTrips{func(req *http.Request) (*http.Response, error) {
		cancel(gone)
		return answer(503)(req)
	}}
	client := retrying(&http.Client{Transport: answers}, Env{})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://a.example/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(req); !errors.Is(err, gone) {
		t.Errorf("got %v, want %v", err, gone)
	}
}

func TestRetryLeavesLargeAnswersWhole(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789abcdef"), maxWhole/16+10)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(want) }))
	defer srv.Close()
	resp, err := retrying(fetch.Client(), Env{}).Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, len(want))
	}
}

// A token goes where it is for: not to another port, name or scheme, whatever the
// redirect, and not to a subdomain, to which Go's client would carry it.
func TestTokenStaysAtHome(t *testing.T) {
	seen := map[string]http.Header{}
	note := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { seen[name+r.URL.Path] = r.Header.Clone() }
	}
	cdn := httptest.NewServer(note("cdn"))
	defer cdn.Close()
	var api *httptest.Server
	api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note("api")(w, r)
		switch r.URL.Path {
		case "/file":
			http.Redirect(w, r, cdn.URL+"/file", http.StatusFound)
		case "/moved":
			http.Redirect(w, r, api.URL+"/there", http.StatusMovedPermanently)
		}
	}))
	defer api.Close()
	base, err := url.Parse(api.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range []string{"Authorization", "PRIVATE-TOKEN", "JOB-TOKEN"} {
		clear(seen)
		client := withToken(fetch.Client(), header, "secret", base)
		for _, path := range []string{"/file", "/moved"} {
			req := httptest.NewRequest(http.MethodGet, api.URL+path, nil)
			req.RequestURI = ""
			// What a caller set itself goes nowhere either.
			for _, name := range []string{header, "Authorization", "Cookie"} {
				req.Header.Set(name, "of the caller")
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		if h := seen["cdn/file"]; h.Get("Authorization")+h.Get("Cookie") != "" {
			t.Errorf("the other host got %v", h)
		}
		for name, want := range map[string]string{"api/file": "secret", "api/moved": "secret", "api/there": "secret", "cdn/file": ""} {
			if h, ok := seen[name]; !ok || h.Get(header) != want {
				t.Errorf("%s at %s: got %q (asked: %v), want %q", header, name, h.Get(header), ok, want)
			}
		}
	}
}

func TestOrigin(t *testing.T) {
	home := "https://api.example"
	for other, same := range map[string]bool{
		"https://api.example:443/x": true, "https://api.example/?q": true, "http://api.example": false, "https://api.example:8443": false,
		"https://x.api.example": false, "https://example": false, "https://api.example.evil": false, "https://user@api.example": true,
	} {
		a, _ := url.Parse(home)
		b, err := url.Parse(other)
		if err != nil {
			t.Fatal(err)
		}
		if got := origin(a) == origin(b); got != same {
			t.Errorf("%s and %s: got same origin %v, want %v", home, other, got, same)
		}
	}
}

func FuzzAskedWait(f *testing.F) {
	for _, s := range []string{"", "0", "120", "-1", "99999999999999999999", "Fri, 20 Feb 2026 15:00:09 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "soon"} {
		f.Add(s, s, s)
	}
	f.Fuzz(func(t *testing.T, after, reset, date string) {
		resp, _ := answer(429, "Retry-After", after, "X-RateLimit-Reset", reset, "X-RateLimit-Remaining", "0", "Date", date)(nil)
		r := retry{now: func() time.Time { return sealtest.Time }}
		if wait, _ := r.wait(resp, 1); wait < firstWait {
			t.Errorf("wait %v, want at least %v", wait, firstWait)
		}
	})
}
