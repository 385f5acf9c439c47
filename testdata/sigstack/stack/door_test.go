package stack

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// behind is what a door has behind it in these tests.
const behind = `{"value":"the answer of the service"}`

// testDoor is a door before a service that counts what reached it.
func testDoor(t *testing.T) (*Door, *atomic.Int64) {
	t.Helper()
	var reached atomic.Int64
	d, err := openDoor("rekor", http.MethodPost, http.StatusCreated, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "request" {
			t.Errorf("the service got %q, %v", body, err)
		}
		reached.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, behind)
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d, &reached
}

// outcome is what a client sees.
type outcome struct {
	status int
	header http.Header
	body   string
	err    error
}

// post sends a request on a connection of its own, and reads at most limit bytes.
func post(ctx context.Context, d *Door, limit int64) outcome {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL()+"/api", strings.NewReader("request"))
	if err != nil {
		return outcome{err: err}
	}
	resp, err := client.Do(req)
	if err != nil {
		return outcome{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	return outcome{resp.StatusCode, resp.Header, string(body), err}
}

func TestDoorFails(t *testing.T) {
	const limit = 1 << 20
	isStatus := func(status int) func(outcome) bool {
		return func(o outcome) bool { return o.err == nil && o.status == status }
	}
	broken := func(o outcome) bool { return errors.Is(o.err, io.ErrUnexpectedEOF) && o.status == 201 && o.body != "" }
	tests := []struct {
		name  string
		fault Fault
		want  func(outcome) bool
	}{
		{"down", Fault{Mode: Down}, func(o outcome) bool { return errors.Is(o.err, syscall.ECONNRESET) }},
		{"status", Fault{Mode: Status, Code: 409}, func(o outcome) bool { return isStatus(409)(o) && strings.Contains(o.body, "409") }},
		{"status and when to come back", Fault{Mode: Status, Code: 429, RetryAfter: "3"}, func(o outcome) bool {
			return isStatus(429)(o) && o.header.Get("Retry-After") == "3"
		}},
		{"garbage", Fault{Mode: Garbage}, func(o outcome) bool { return isStatus(201)(o) && o.body != "" && o.body != behind }},
		{"truncate", Fault{Mode: Truncate}, broken},
		{"huge", Fault{Mode: Huge}, func(o outcome) bool { return isStatus(201)(o) && len(o.body) == limit }},
		{"empty", Fault{Mode: Empty}, func(o outcome) bool { return isStatus(201)(o) && o.body == "" }},
		{"slow", Fault{Mode: Slow, Delay: time.Millisecond}, func(o outcome) bool { return isStatus(201)(o) && o.body == behind }},
	}
	for _, test := range tests {
		for when, after := range map[string]bool{"before": false, "after": true} {
			t.Run(test.name+" "+when, func(t *testing.T) {
				d, reached := testDoor(t)
				test.fault.After, test.fault.Times = after, 1
				if err := d.Set(test.fault); err != nil {
					t.Fatal(err)
				}
				if o := post(t.Context(), d, limit); !test.want(o) {
					t.Errorf("outcome %.200q of status %d, %v", o.body, o.status, o.err)
				}
				wantReached := after || test.fault.Mode == Slow
				if got := reached.Load() == 1; got != wantReached {
					t.Errorf("reached the service: %v, want %v", got, wantReached)
				}
				if got := d.count(); got.requests != 1 || (got.effects == 1) != wantReached {
					t.Errorf("counts %+v, reached %v", got, wantReached)
				}
				if o := post(t.Context(), d, limit); !isStatus(201)(o) || o.body != behind {
					t.Errorf("after the only fault: %.200q of status %d, %v", o.body, o.status, o.err)
				}
			})
		}
	}
}

// TestDoorRefuses: the address survives that nobody listens at it.
func TestDoorRefuses(t *testing.T) {
	d, _ := testDoor(t)
	for range 2 {
		if err := d.Set(Fault{Mode: Refused}); err != nil {
			t.Fatal(err)
		}
		var op *net.OpError
		// Which error the kernel gives is its own affair, that there is no connection is not.
		if o := post(t.Context(), d, 100); !errors.As(o.err, &op) || op.Op != "dial" {
			t.Errorf("outcome %d, %v, want no connection", o.status, o.err)
		}
		if err := d.Set(Fault{Mode: Clean}); err != nil {
			t.Fatal(err)
		}
		if o := post(t.Context(), d, 100); o.status != 201 {
			t.Errorf("healed: status %d, %v", o.status, o.err)
		}
	}
}

// TestSlowDoorLetsGo: a request whose client gave up does not take effect later.
func TestSlowDoorLetsGo(t *testing.T) {
	d, reached := testDoor(t)
	if err := d.Set(Fault{Mode: Slow, Delay: time.Hour}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if o := post(ctx, d, 100); !errors.Is(o.err, context.DeadlineExceeded) {
		t.Errorf("outcome %d, %v, want the client's own deadline", o.status, o.err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if reached.Load() != 0 {
		t.Error("the service was reached")
	}
}

// TestDoorCountsTimes: a fault with a count ends by itself, one without does not.
func TestDoorCountsTimes(t *testing.T) {
	for times, want := range map[int][]int{0: {503, 503, 503}, 1: {503, 201, 201}, 2: {503, 503, 201}} {
		d, _ := testDoor(t)
		if err := d.Set(Fault{Mode: Status, Code: 503, Times: times}); err != nil {
			t.Fatal(err)
		}
		for i, status := range want {
			if o := post(t.Context(), d, 100); o.status != status {
				t.Errorf("times %d: request %d has status %d, want %d (%v)", times, i+1, o.status, status, o.err)
			}
		}
	}
}

// TestLooksAreNoEffects: who only asks whether a service is there changes nothing.
func TestLooksAreNoEffects(t *testing.T) {
	d, err := openDoor("fulcio", http.MethodPost, http.StatusOK, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	resp, err := http.Get(d.URL() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := d.count(); got.requests != 1 || got.effects != 0 {
		t.Errorf("counts %+v, want one request without effect", got)
	}
}

func TestParseFaultRefuses(t *testing.T) {
	for _, query := range []string{
		"", "mode=", "mode=broken", "mode=DOWN", "mode=down&when=during", "mode=down&times=-1", "mode=down&times=x",
		"mode=status", "mode=status&status=99", "mode=status&status=600", "mode=status&status=x", "mode=down&status=500", "mode=down&retry_after=1",
		"mode=slow&delay=5", "mode=refused&times=1", "mode=refused&when=after", "token=wrong", "mode=token", "mode=down&token=expired", "token=expired&when=after",
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if f, err := parseFault(q); err == nil {
			t.Errorf("%q is %+v, want an error", query, f)
		}
	}
}

func TestParseFault(t *testing.T) {
	for query, want := range map[string]Fault{
		"mode=clean": {Mode: Clean, Delay: defaultDelay},
		"mode=status&status=429&retry_after=2&when=after&times=3": {Mode: Status, Code: 429, RetryAfter: "2", After: true, Times: 3, Delay: defaultDelay},
		"mode=slow&delay=5s": {Mode: Slow, Delay: 5 * time.Second},
		"token=expired":      {Mode: Token, Token: TokenExpired, Delay: defaultDelay},
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseFault(q)
		if err != nil || got != want {
			t.Errorf("%q is %+v, %v, want %+v", query, got, err, want)
		}
		if len(q) > 0 {
			t.Errorf("%q leaves %v", query, q)
		}
	}
}

// FuzzParseFault: whatever a query says, a fault that is accepted can be set.
func FuzzParseFault(f *testing.F) {
	f.Add("mode=status&status=500&times=2&when=after")
	f.Add("token=expired")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		fault, err := parseFault(q)
		if err == nil && fault.check() != nil {
			t.Errorf("%q is accepted as %+v", query, fault)
		}
	})
}
