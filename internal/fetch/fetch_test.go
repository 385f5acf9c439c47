package fetch

import (
	"net/http"
	"testing"
)

func TestRedirects(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		ok       bool
	}{
		{"https://a.example/x", "https://b.example/y", true},
		{"https://a.example/x", "http://a.example/x", false},
		{"https://a.example/x", "http://127.0.0.1:1/x", false},
		{"https://a.example/x", "https://localhost/x", false},
		{"http://127.0.0.1:1/x", "http://127.0.0.1:2/y", true},
		{"http://127.0.0.1:1/x", "https://a.example/y", false},
		{"https://localhost/x", "http://127.0.0.1:1/x", false},
	} {
		from, to := mustRequest(t, tt.from), mustRequest(t, tt.to)
		if err := checkRedirect(to, []*http.Request{from}); (err == nil) != tt.ok {
			t.Errorf("%s to %s: got %v, want followed %v", tt.from, tt.to, err, tt.ok)
		}
	}
}

func mustRequest(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
