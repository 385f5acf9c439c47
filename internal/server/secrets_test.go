package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// No error shows what may be a secret in the URL, wherever the session fails.
func TestErrorsKeepSecrets(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	over := func(f func(w http.ResponseWriter, r *http.Request, c wireCall) bool) string { return fake(t, f).URL }
	always := func(f http.HandlerFunc) string {
		return over(func(w http.ResponseWriter, r *http.Request, _ wireCall) bool { f(w, r); return true })
	}
	status := func(code int) string {
		return always(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	for _, tt := range []struct{ name, base string }{
		{"closed", closed.URL},
		{"no host", "http://nowhere.invalid"},
		{"no port", "http://127.0.0.1:99999"},
		{"no TLS", strings.Replace(status(200), "http:", "https:", 1)},
		{"400", status(400)},
		{"401", status(401)},
		{"404", status(404)},
		{"500", status(500)},
		{"204", status(204)},
		{"redirect elsewhere", always(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://user:secret@a.example/secret?secret", http.StatusTemporaryRedirect)
		})},
		{"redirect to no URL", always(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://user:secret@[::1")
			w.WriteHeader(http.StatusTemporaryRedirect)
		})},
		{"dropped", always(func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })},
		{"dropped stream", over(onList(func(w http.ResponseWriter, r *http.Request, c wireCall) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "id: 1\nretry: 1\n\n") // so that the SDK asks for the rest
		}))},
		{"hanging", over(onList(func(_ http.ResponseWriter, r *http.Request, _ wireCall) { <-r.Context().Done() }))},
		{"older, no endpoint", over(func(w http.ResponseWriter, r *http.Request, _ wireCall) bool {
			if r.Method == http.MethodGet {
				w.Header().Set("Content-Type", "text/event-stream")
				fmt.Fprint(w, "event: endpoint\ndata: http://user:secret@[::1\n\n")
				return true
			}
			w.WriteHeader(http.StatusMethodNotAllowed)
			return true
		})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			secret := strings.Replace(tt.base, "://", "://user:secret@", 1) + "/mcp?key=secret#secret"
			_, err := List(t.Context(), Target{URL: secret}, Options{Timeout: 3 * time.Second})
			if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrRefused) {
				t.Fatalf("List: %v", err)
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "user") {
				t.Errorf("List: %v", err)
			}
		})
	}
}

func TestSDKErrorKeepsSecrets(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`failed: Get "https://user:***@a.example:1/mcp?key=x": EOF`, `failed: Get \"https://a.example:1\": EOF`},
		{`http://u:p@q@[::1]:80/x?y http://b.example`, `http://[::1]:80 http://b.example`},
		{"nothing\nhere", `nothing\nhere`},
	} {
		if got := (&sdkError{errors.New(tt.text)}).Error(); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestTargetCheck(t *testing.T) {
	for _, tt := range []struct {
		target Target
		want   string
	}{
		{Target{}, "exactly one"},
		{Target{Command: []string{"a"}, URL: "http://example.com"}, "exactly one"},
		{Target{Command: []string{""}}, "empty"},
		{Target{Command: []string{"a", "b\x00"}}, "NUL"},
		{Target{Command: []string{"a"}, Env: []string{"NAME"}}, `"NAME": want NAME=VALUE`},
		{Target{Command: []string{"a"}, Env: []string{"=x"}}, "want NAME=VALUE"},
		{Target{URL: "file:///etc/passwd"}, "want http"},
		{Target{URL: "example.com"}, "want http"},
		{Target{URL: "http://"}, "want http"},
		{Target{URL: "http://user:secret@[::1"}, "want http"},
		{Target{URL: "http://user:secret/x@a.example"}, "want http"},
		{Target{URL: "http://a.example/%zsecret"}, "want http"},
		{Target{URL: "ftp://user:secret@a.example/?key=secret#secret"}, "want http"},
		{Target{URL: "http:secret@a.example"}, "want http"},
		{Target{URL: "secret@a.example"}, "want http"},
		{Target{URL: "http://a.example", Header: http.Header{"host": {"b.example"}}}, "header Host cannot be set"},
		{Target{URL: "http://a.example", Header: http.Header{"": {"x"}}}, "a header name that is no token"},
		{Target{URL: "http://a.example", Header: http.Header{"X A": {"x"}}}, "a header name that is no token"},
		{Target{URL: "http://a.example", Header: http.Header{"Authorization: Bearer secret": {"="}}}, `want NAME=VALUE, not "NAME: VALUE"`},
		{Target{URL: "http://a.example", Header: http.Header{"X-ü": {"x"}}}, "a header name that is no token"},
		{Target{URL: "http://a.example", Header: http.Header{"X-A": {"secret\r\nX-B: 1"}}}, `"X-A" holds control characters`},
	} {
		_, err := List(t.Context(), tt.target, Options{})
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRefused) {
			t.Errorf("List(%+v) = %v, want %q", tt.target, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("List: %v shows the password", err)
		}
	}
}
