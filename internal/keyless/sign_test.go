package keyless

import (
	"bytes"
	"context"
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

func roundTripTo(s *keylesstest.Sigstore, r *http.Request) *http.Response {
	answer := httptest.NewRecorder()
	s.ServeHTTP(answer, r)
	return answer.Result()
}

func TestSign(t *testing.T) {
	for name, o := range map[string]keylesstest.Options{
		"Rekor v2":         {},
		"Rekor v1":         {RekorV1: true},
		"Rekor v1, no TSA": {RekorV1: true, NoTSA: true},
		"GitHub's own":     {NoLog: true, NoCT: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, o)
				w.checkSigned(w.sign(context.Background()))
				if len(w.lines) > 0 {
					t.Errorf("people were told %q", w.lines)
				}
				for host, n := range w.requests {
					if want := map[string]int{fulcioHost: 1, tsaHost: 2, rekorHost: 2}[host]; n != want {
						t.Errorf("%s was asked %d times, want %d", host, n, want)
					}
				}
			})
		})
	}
}

// The stand-in over sockets, as its signing config tells where it is.
func TestSignSockets(t *testing.T) {
	for _, o := range []keylesstest.Options{{}, {RekorV1: true}} {
		w := newWorld(t, o)
		server := httptest.NewServer(w.sigstore)
		defer server.Close()
		var err error
		if w.services, err = ParseSigningConfig(w.sigstore.SigningConfig(server.URL), time.Now()); err != nil {
			t.Fatal(err)
		}
		w.options.Transport = nil
		w.checkSigned(w.sign(context.Background()))
	}
}

// Statements are signed side by side: what each takes is taken once.
func TestSignSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, keylesstest.Options{})
		late := func(n int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
			time.Sleep(time.Second)
			return next.RoundTrip(r)
		}
		w.faults[tsaHost], w.faults[rekorHost] = late, late
		s, err := w.begin(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var statements [][]byte
		for n := range 10 {
			statements = append(statements, fmt.Appendf(nil, `{"n":%d}`, n))
		}
		began := time.Now()
		bundles, err := s.SignStatements(context.Background(), statements...)
		// The stand-in's payloads need not be in-toto's for this.
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v (%d bundles, %v), want 1s", took, len(bundles), err)
		}
	})
}

// A statement that has its bundle is kept while the other is tried again.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, keylesstest.Options{})
		s, err := w.begin(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		// The log takes one entry and then nothing more; the TSA is in order.
		w.faults[rekorHost] = func(n int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
			if n == 1 {
				return next.RoundTrip(r)
			}
			return down(n, r, next)
		}
		var outage *Outage
		if _, err := s.SignStatements(context.Background(), provenance, attestation); !errors.As(err, &outage) {
			t.Fatalf("got %v, want an outage", err)
		}
		clear(w.faults)
		clear(w.requests)
		bundles, err := s.SignStatements(context.Background(), provenance, attestation)
		w.checkSigned(bundles, err)
		if w.requests[rekorHost] != 1 || w.requests[tsaHost] != 0 || w.requests[fulcioHost] != 0 {
			t.Errorf("the second time asked for %v, want the one log entry", w.requests)
		}
		again, err := s.SignStatements(context.Background(), attestation, provenance, attestation)
		if err != nil || !bytes.Equal(again[0], bundles[1]) || !bytes.Equal(again[1], bundles[0]) || !bytes.Equal(again[2], bundles[1]) {
			t.Errorf("the third time gave other bundles (%v)", err)
		}
	})
}

// So is a log entry while the timestamp authority is out of order: a public log
// gets no second one.
func TestResumeWithEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, keylesstest.Options{})
		s, err := w.begin(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		w.faults[tsaHost] = down
		var outage *Outage
		if _, err := s.SignStatements(context.Background(), provenance, attestation); !errors.As(err, &outage) {
			t.Fatalf("got %v, want an outage", err)
		}
		clear(w.faults)
		clear(w.requests)
		w.checkSigned(s.SignStatements(context.Background(), provenance, attestation))
		if w.requests[rekorHost] != 0 || w.requests[tsaHost] != 2 {
			t.Errorf("the second time asked for %v, want the two timestamps", w.requests)
		}
	})
}

// An entry without its proof is no answer yet.
func TestEntryWithoutProof(t *testing.T) {
	for _, o := range []keylesstest.Options{{}, {RekorV1: true}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, o)
			w.faults[rekorHost] = first(2, func(n int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
				resp, err := next.RoundTrip(r)
				if err != nil {
					return nil, err
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body = io.NopCloser(bytes.NewReader(bytes.Replace(body, []byte(`"inclusionProof"`), []byte(`"other"`), 1)))
				return resp, err
			})
			w.checkSigned(w.sign(context.Background()))
			if len(w.lines) == 0 || !strings.Contains(w.lines[0], "it answers what cannot be read: ") {
				t.Errorf("people were told %q", w.lines)
			}
		})
	}
}

// When the certificate runs out, all of it is made anew, under another key.
func TestExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, keylesstest.Options{})
		w.options.Patience = time.Hour
		s, err := w.begin(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		w.faults[rekorHost] = func(n int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
			if time.Since(began) < 15*time.Minute {
				return answers(503, "")(n, r, next)
			}
			return next.RoundTrip(r)
		}
		_, err = s.SignStatements(context.Background(), provenance, attestation)
		if !errors.Is(err, ErrExpired) || !strings.Contains(err.Error(), "Rekor ("+rekorHost+")") || !strings.Contains(err.Error(), "503") {
			t.Errorf("got %v, want %v and why", err, ErrExpired)
		}
		if took := time.Since(began); took > 10*time.Minute-certificateMargin || took < 9*time.Minute {
			t.Errorf("it gave up after %v", took)
		}
		w.checkSecret(err)
		if _, err = s.SignStatements(context.Background(), provenance); !errors.Is(err, ErrExpired) {
			t.Errorf("got %v, want %v at once", err, ErrExpired)
		}
		next, err := w.begin(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if next.KeyID() == s.KeyID() {
			t.Error("the key is the old one")
		}
		w.checkSigned(next.SignStatements(context.Background(), provenance, attestation))
	})
}

// A timestamp of other bytes is a lie: it is found at once, and by its name.
func TestWrongTimestamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, keylesstest.Options{})
		w.faults[tsaHost] = func(_ int, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			return respond(r, 201, bytes.NewReader(w.sigstore.Timestamp([]byte("another signature")))), nil
		}
		_, err := w.sign(context.Background())
		var outage *Outage
		if !errors.As(err, &outage) || outage.Attempts != 1 || !strings.Contains(err.Error(), "its timestamp is of other bytes") {
			t.Errorf("got %v, want that the timestamp is wrong", err)
		}
	})
}

// What services make is checked as everybody else will check it.
func TestOwnCheck(t *testing.T) {
	other := keylesstest.New(t, keylesstest.Options{Name: "keylesstest"}) // under the same name
	to := func(s *keylesstest.Sigstore) fault {
		return func(_ int, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			return roundTripTo(s, r), nil
		}
	}
	for name, c := range map[string]struct {
		host string
		f    fault
		want Stage
	}{
		"another's TSA": {tsaHost, to(other), StageTime},
		"another's log": {rekorHost, to(other), StageLog},
		"an old entry":  {rekorHost, replay(), StageLog},
	} {
		w := newWorld(t, keylesstest.Options{})
		w.faults[c.host] = c.f
		bundles, err := w.sign(context.Background())
		var refused *Error
		if !errors.As(err, &refused) || bundles != nil {
			t.Errorf("%s: got %d bundles, %v, want our own refusal", name, len(bundles), err)
			continue
		}
		if refused.Stage != c.want || !strings.Contains(err.Error(), c.host) {
			t.Errorf("%s: got %v, want the stage %q", name, err, c.want)
		}
		w.checkSecret(nil)
		clear(w.faults)
		w.checkSigned(w.sign(context.Background()))
	}
}

// replay gives every request the entry of the first one.
func replay() fault {
	var mu sync.Mutex
	var old []byte
	return func(_ int, r *http.Request, next http.RoundTripper) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		if old == nil {
			resp, err := next.RoundTrip(r)
			if err != nil {
				return nil, err
			}
			old, _ = io.ReadAll(resp.Body)
			// The first is for nobody.
			return respond(r, 500, strings.NewReader("")), nil
		}
		return respond(r, 201, bytes.NewReader(old)), nil
	}
}

// After a bad piece nothing of the draft is used again.
func TestOwnCheckThenResume(t *testing.T) {
	other := keylesstest.New(t, keylesstest.Options{Name: "other"})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, keylesstest.Options{})
		s, err := w.begin(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		w.faults[rekorHost] = func(_ int, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			return roundTripTo(other, r), nil
		}
		if _, err := s.SignStatements(context.Background(), provenance, attestation); err == nil {
			t.Fatal("another's log passed")
		}
		clear(w.faults)
		w.checkSigned(s.SignStatements(context.Background(), provenance, attestation))
	})
}

// FuzzAnswer sends one service's answer to the client that waits for it.
func FuzzAnswer(f *testing.F) {
	s := keylesstest.New(f, keylesstest.Options{RekorV1: true})
	f.Add(uint8(0), []byte(`{"signedCertificateEmbeddedSct":{"chain":{"certificates":["-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"]}}}`))
	f.Add(uint8(1), s.Timestamp([]byte("signature")))
	f.Add(uint8(2), []byte(`{"logIndex":"1","logId":{"keyId":"AA=="},"kindVersion":{"kind":"hashedrekord","version":"0.0.2"},"inclusionProof":{"checkpoint":{"envelope":"a"}},"canonicalizedBody":"e30="}`))
	f.Add(uint8(3), []byte(`{"ab":{"body":"e30=","integratedTime":1,"logIndex":1,"logID":"ab","verification":{"inclusionProof":{"checkpoint":"a","hashes":["ab"],"logIndex":1,"rootHash":"ab","treeSize":1}}}}`))
	f.Add(uint8(3), []byte(`{"ab":{}}`))
	trust, err := ParseTrustedRoot(s.TrustedRoot())
	if err != nil {
		f.Fatal(err)
	}
	services := &Services{CA: Service{nameFulcio, "", "https://" + fulcioHost, 1}, Logs: []Service{{nameRekor, "", "https://" + rekorHost, 1}}}
	session, err := Begin(context.Background(), services, func(context.Context) (string, error) { return s.Token("sigstore", time.Hour), nil },
		SessionOptions{Trust: trust, Transport: roundTripper(func(r *http.Request) (*http.Response, error) { return roundTripTo(s, r), nil })})
	if err != nil {
		f.Fatal(err)
	}
	token := s.Token("sigstore", time.Hour)
	f.Fuzz(func(t *testing.T, service uint8, body []byte) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		// One answer; then the caller has had enough.
		session.caller.base = roundTripper(func(r *http.Request) (*http.Response, error) {
			return respond(r, 201-int(service%4+3)/4%2, bytes.NewReader(body)), nil
		})
		session.caller.notices.line = func(string) { cancel() }
		session.caller.notices.last = map[string]notice{}
		d := session.draft(provenance)
		d.signature = []byte("signature")
		switch service % 4 {
		case 0:
			_, err = session.request(ctx, token)
		case 1:
			_, err = session.stamp(ctx, Service{nameTSA, "", "https://" + tsaHost, 1}, d.signature)
		case 2:
			_, err = session.enter(ctx, Service{nameRekor, "", "https://" + rekorHost, 2}, session.bundle(d))
		case 3:
			_, err = session.enter(ctx, Service{nameRekor, "", "https://" + rekorHost, 1}, session.bundle(d))
		}
		if err != nil && (len(err.Error()) > 1200 || strings.ContainsAny(err.Error(), "\n\x1b")) {
			t.Errorf("this is not for people: %q", err)
		}
	})
}

// BenchmarkSign is the client's share of the signing part: key, certificate and
// two verified statements, with services that take no time.
func BenchmarkSign(b *testing.B) {
	s := keylesstest.New(b, keylesstest.Options{})
	trust, err := ParseTrustedRoot(s.TrustedRoot())
	if err != nil {
		b.Fatal(err)
	}
	services, err := ParseSigningConfig(s.SigningConfig("https://sigstore.test"), time.Now())
	if err != nil {
		b.Fatal(err)
	}
	options := SessionOptions{Trust: trust, Transport: roundTripper(func(r *http.Request) (*http.Response, error) { return roundTripTo(s, r), nil })}
	token := s.Token("sigstore", time.Hour)
	for b.Loop() {
		session, err := Begin(context.Background(), services, func(context.Context) (string, error) { return token, nil }, options)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := session.SignStatements(context.Background(), provenance, attestation); err != nil {
			b.Fatal(err)
		}
	}
}
