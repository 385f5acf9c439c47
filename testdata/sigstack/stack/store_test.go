package stack

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestStore(t *testing.T) {
	const digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	bundle := func(subject string) string {
		statement := fmt.Sprintf(`{"subject":[{"digest":%s}]}`, subject)
		return fmt.Sprintf(`{"bundle":{"dsseEnvelope":{"payload":%q}}}`, base64.StdEncoding.EncodeToString([]byte(statement)))
	}
	good := bundle(`{"sha256":"` + digest[len("sha256:"):] + `"}`)
	s := newStore()
	for _, tt := range []struct {
		method, path, token, body string
		status                    int
		has                       string
	}{
		{"GET", "/repos/acme/tools", "", "", http.StatusOK, "acme/tools"},
		{"GET", "/repos/acme/tools/releases", "", "", http.StatusNotFound, ""},
		{"GET", "/users/acme", "", "", http.StatusNotFound, ""},
		{"GET", "/repos/acme/tools/attestations/" + digest, "", "", http.StatusNotFound, ""},
		{"POST", "/repos/acme/tools/attestations", "", good, http.StatusUnauthorized, ""},
		{"POST", "/repos/acme/tools", "t", good, http.StatusNotFound, ""},
		{"POST", "/repos/acme/tools/attestations", "t", "{}", http.StatusUnprocessableEntity, "bundle"},
		{"POST", "/repos/acme/tools/attestations", "t", "x", http.StatusUnprocessableEntity, ""},
		{"POST", "/repos/acme/tools/attestations", "t", `{"bundle":{"dsseEnvelope":{"payload":"~"}}}`, http.StatusUnprocessableEntity, "payload"},
		{"POST", "/repos/acme/tools/attestations", "t", bundle(`{"sha1":"00"}`), http.StatusUnprocessableEntity, "sha256"},
		{"POST", "/repos/acme/tools/attestations", "t", good, http.StatusCreated, "id"},
		{"GET", "/repos/acme/tools/attestations/" + digest, "", "", http.StatusOK, "dsseEnvelope"},
		{"GET", "/repos/acme/other/attestations/" + digest, "", "", http.StatusNotFound, ""},
	} {
		r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.has) {
			t.Errorf("%s %s %.40s: got %d %s, want %d with %q", tt.method, tt.path, tt.body, w.Code, w.Body, tt.status, tt.has)
		}
	}
}
