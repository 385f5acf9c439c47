package platform

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A service that takes a request and never answers costs a bounded time, and
// leaves nothing running: in a bubble of synctest, what still waited at its end
// would be a deadlock.
func TestSilence(t *testing.T) {
	for _, silent := range []string{"/idtoken", "/.well-known/openid-configuration", "/jwks"} {
		t.Run(silent, func(t *testing.T) {
			keys() // outside of the bubble
			synctest.Test(t, func(t *testing.T) {
				now := time.Now()
				good := with(githubClaims("nobody"), object{"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix()})
				w := &world{t: t, jwks: map[string]*rsa.PrivateKey{"k1": keys()[0]}, count: map[string]int{}, token: func(string) string { return signed(good) }}
				s, err := Tokens(githubJob.get, TokenOptions{
					Commands: &bytes.Buffer{},
					Notify:   func(line string) { w.lines = append(w.lines, line) },
					Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
						if r.URL.Path == silent {
							<-r.Context().Done()
							return nil, r.Context().Err()
						}
						answer := httptest.NewRecorder()
						r.Host = r.URL.Host
						w.ServeHTTP(answer, r)
						return answer.Result(), nil
					}),
				})
				if err != nil {
					t.Fatal(err)
				}
				_, err = s.Facts(t.Context())
				if !errors.Is(err, ErrOutage) || strings.Contains(err.Error(), "signature") {
					t.Errorf("got %v, want ErrOutage", err)
				}
				if took := time.Since(now); took > defaultPatience+attemptTimeout || len(w.lines) < 3 {
					t.Errorf("it took %s, and the lines are %q", took, w.lines)
				}
			})
		})
	}
}
