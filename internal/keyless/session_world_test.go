package keyless

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/internal/keyless/keylesstest"
)

// The statements that these tests sign: what a release job has.
var (
	provenance  = []byte(`{"_type":"https://in-toto.io/Statement/v1","predicate":{},"predicateType":"https://slsa.dev/provenance/v1","subject":[{"digest":{"sha256":"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"},"name":"a.tgz"}]}`)
	attestation = []byte(`{"_type":"https://in-toto.io/Statement/v1","predicate":{},"predicateType":"https://mcp-integrity.org/attestation/v1","subject":[{"digest":{"sha256":"fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9"},"name":"mcp-integrity.json"}]}`)
)

// The hosts of the stand-in's services.
const (
	fulcioHost = "fulcio.sigstore.test"
	tsaHost    = "tsa.sigstore.test"
	rekorHost  = "rekor.sigstore.test"
)

// world is a Sigstore without sockets, so that time can be synctest's: minutes
// of patience pass at once. Faults stand between the client and its services.
type world struct {
	t        *testing.T
	sigstore *keylesstest.Sigstore
	services *Services
	options  SessionOptions
	token    Token

	mu       sync.Mutex
	faults   map[string]fault // by host
	requests map[string]int   // by host
	lines    []string         // what people were told
	tokens   []string         // all that were handed out
}

// fault answers the nth request to a service, counted from 1, in its stead.
// next is the service.
type fault func(n int, r *http.Request, next http.RoundTripper) (*http.Response, error)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func newWorld(t *testing.T, o keylesstest.Options) *world {
	t.Helper()
	w := &world{t: t, sigstore: keylesstest.New(t, o), faults: map[string]fault{}, requests: map[string]int{}}
	trust, err := ParseTrustedRoot(w.sigstore.TrustedRoot())
	if err != nil {
		t.Fatal(err)
	}
	w.services = &Services{CA: Service{nameFulcio, "", "https://" + fulcioHost, 1}}
	if !o.NoTSA {
		w.services.TSAs = []Service{{nameTSA, "", "https://" + tsaHost + "/api/v1/timestamp", 1}}
	}
	if !o.NoLog {
		w.services.Logs = []Service{{nameRekor, "", "https://" + rekorHost, 2}}
		if o.RekorV1 {
			w.services.Logs[0].Version = 1
		}
	}
	w.options = SessionOptions{Trust: trust, Transport: w, Notify: func(line string) { w.lines = append(w.lines, line) }}
	w.token = func(context.Context) (string, error) { return w.issue("sigstore", 5*time.Minute), nil }
	return w
}

// issue makes a token and remembers it, to look for it in what is printed.
func (w *world) issue(audience string, life time.Duration) string {
	token := w.sigstore.Token(audience, life)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tokens = append(w.tokens, token)
	return token
}

// RoundTrip leads a request through its service's fault, if it has one.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.requests[r.URL.Host]++
	n, broken := w.requests[r.URL.Host], w.faults[r.URL.Host]
	w.mu.Unlock()
	real := roundTripper(func(r *http.Request) (*http.Response, error) {
		answer := httptest.NewRecorder()
		w.sigstore.ServeHTTP(answer, r)
		return answer.Result(), nil
	})
	if broken == nil {
		return real(r)
	}
	return broken(n, r, real)
}

func (w *world) begin(ctx context.Context) (*Session, error) {
	return Begin(ctx, w.services, w.token, w.options)
}

// sign is a whole release: a session and two statements.
func (w *world) sign(ctx context.Context) ([][]byte, error) {
	s, err := w.begin(ctx)
	if err != nil {
		return nil, err
	}
	return s.SignStatements(ctx, provenance, attestation)
}

// checkSigned fails the test unless the bundles are of the two statements.
func (w *world) checkSigned(bundles [][]byte, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("got %v, want two bundles", err)
	}
	if len(bundles) != 2 {
		w.t.Fatalf("got %d bundles, want 2", len(bundles))
	}
	for n, want := range [][]byte{provenance, attestation} {
		v, err := w.options.Trust.Verify(bundles[n])
		if err != nil {
			w.t.Fatalf("bundle %d: %v", n, err)
		}
		if string(v.Statement) != string(want) {
			w.t.Errorf("bundle %d is of %s, want %s", n, v.Statement, want)
		}
	}
}

// checkSecret fails the test if an error or a line for people has any part of a
// token, or more than a paragraph.
func (w *world) checkSecret(err error) {
	w.t.Helper()
	texts := append([]string(nil), w.lines...)
	if err != nil {
		texts = append(texts, err.Error())
	}
	for _, text := range texts {
		if len(text) > 1200 || strings.ContainsAny(text, "\n\x1b") {
			w.t.Errorf("this is not for people: %q", text)
		}
		for _, token := range w.tokens {
			for n := 0; n+secretRun <= len(token); n++ {
				if strings.Contains(text, token[n:n+secretRun]) {
					w.t.Errorf("a part of the token stands in %q", text)
				}
			}
		}
	}
}

func respond(r *http.Request, status int, body io.Reader, header ...string) *http.Response {
	resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body), Request: r, ProtoMajor: 1, ProtoMinor: 1}
	for n := 0; n+1 < len(header); n += 2 {
		resp.Header.Set(header[n], header[n+1])
	}
	return resp
}

// What services do when they do not do what they should.

func down(_ int, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
	return nil, syscall.ECONNREFUSED
}

func reset(n int, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
	return nil, &net.OpError{Op: "read", Net: "tcp", Source: &net.TCPAddr{Port: 40000 + n}, Addr: &net.TCPAddr{Port: 443}, Err: os.NewSyscallError("read", syscall.ECONNRESET)}
}

func slow(_ int, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func answers(status int, body string, header ...string) fault {
	return func(_ int, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
		return respond(r, status, strings.NewReader(body), header...), nil
	}
}

// echoes sends back, with an error status, all that it was sent.
func echoes(status int) fault {
	return func(_ int, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		return respond(r, status, strings.NewReader("you sent "+r.Header.Get("Authorization")+"\n"+string(body))), nil
	}
}

func endless(_ int, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
	return respond(r, 200, zeroes{}), nil
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// stalls sends the head of an answer, and then nothing more.
func stalls(_ int, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
	return respond(r, 200, &stalled{r.Context()}), nil
}

type stalled struct{ ctx context.Context }

func (s *stalled) Read([]byte) (int, error) { <-s.ctx.Done(); return 0, s.ctx.Err() }

// truncated lets the service do its work and loses the second half of the answer.
func truncated(_ int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(string(body[:len(body)/2])), broken{}))
	return resp, nil
}

// halved is truncated where the length tells nobody.
func halved(_ int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(strings.NewReader(string(body[:len(body)/2])))
	return resp, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// afterwards lets the service do its work before the fault hides the answer.
func afterwards(f fault) fault {
	return func(n int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if resp, err := next.RoundTrip(r); err == nil {
			io.Copy(io.Discard, resp.Body)
		}
		return f(n, r, next)
	}
}

// first is a fault that is gone after some requests.
func first(times int, f fault) fault {
	return func(n int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if n > times {
			return next.RoundTrip(r)
		}
		return f(n, r, next)
	}
}
