package publish

import (
	"net/http"
	"testing"
)

// TestRegistryTokenStays: a registry that sends an upload or a download elsewhere
// sends no token along; a password goes where the registry says that tokens are.
func TestRegistryTokenStays(t *testing.T) {
	for _, tt := range []struct {
		method, url, login string
		kept               bool
	}{
		{http.MethodPut, "https://reg.example/v2/x/manifests/1", "Bearer t", true},
		{http.MethodPut, "https://reg.example/v2/x/blobs/uploads/1", "Basic p", true},
		{http.MethodPut, "https://store.example/upload", "Bearer t", false},
		{http.MethodPatch, "https://store.example/upload", "Basic p", false},
		{http.MethodGet, "https://cdn.reg.example/blob", "Bearer t", false},
		{http.MethodGet, "https://auth.example/token", "Basic p", true},
	} {
		req, err := http.NewRequest(tt.method, tt.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", tt.login)
		var got string
		base := roundTrips{func(r *http.Request) (*http.Response, error) {
			got = r.Header.Get("Authorization")
			return answer(http.StatusOK)(r)
		}}
		resp, err := registryTransport{base: &base, host: "reg.example"}.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if kept := got != ""; kept != tt.kept {
			t.Errorf("%s %s: %s was sent: %v, want %v", tt.method, tt.url, tt.login, kept, tt.kept)
		}
		if req.Header.Get("Authorization") != tt.login {
			t.Errorf("%s %s: the caller's request was changed", tt.method, tt.url)
		}
	}
}
