package fetch

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/seal"
)

func TestConditional(t *testing.T) {
	const etag, modified = `"v1"`, "Sun, 15 Feb 2026 12:00:00 GMT"
	answer := func(status int, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Add(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
			if status != http.StatusNotModified {
				_, _ = w.Write([]byte("{}"))
			}
		}
	}
	have := Validators{ETag: etag, LastModified: modified}
	for _, tt := range []struct {
		name    string
		answer  http.HandlerFunc
		have    Validators
		want    Version
		wantErr string
	}{
		{"first", answer(200, "ETag", etag, "Last-Modified", modified, "Cache-Control", "public, max-age=3600"), Validators{}, Version{Body: []byte("{}"), Validators: have, MaxAge: time.Hour}, ""},
		{"unchanged", answer(304), have, Version{NotModified: true, Validators: have}, ""},
		{"unchanged, renamed", answer(304, "ETag", `"v2"`), have, Version{NotModified: true, Validators: Validators{ETag: `"v2"`}}, ""},
		{"unchanged, never asked", answer(304), Validators{}, Version{}, "HTTP 304"},
		{"unchanged, asked with what we do not send", answer(304), Validators{ETag: strings.Repeat("x", maxValidator+1)}, Version{}, "HTTP 304"},
		{"gone", answer(410), have, Version{}, ErrNotFound.Error()},
		{"not found", answer(404), have, Version{}, ErrNotFound.Error()},
		{"broken", answer(500), have, Version{}, "HTTP 500"},
		{"part", answer(206), have, Version{}, "HTTP 206"},
		{"long names", answer(200, "ETag", strings.Repeat("x", maxValidator+1), "Last-Modified", strings.Repeat("x", maxValidator+1)), Validators{}, Version{Body: []byte("{}")}, ""},
		{"no text", answer(200, "ETag", "\"\xff\""), Validators{}, Version{Body: []byte("{}")}, ""},
		{"a year", answer(200, "Cache-Control", "max-age=31536000"), Validators{}, Version{Body: []byte("{}"), MaxAge: maxFreshness}, ""},
		{"two ages", answer(200, "Cache-Control", "max-age=60", "Cache-Control", "max-age=30"), Validators{}, Version{Body: []byte("{}"), MaxAge: 30 * time.Second}, ""},
		{"not to be kept", answer(200, "Cache-Control", "max-age=60, no-store"), Validators{}, Version{Body: []byte("{}")}, ""},
		{"no age", answer(200, "Cache-Control", "max-age=-1"), Validators{}, Version{Body: []byte("{}")}, ""},
		{"endless age", answer(200, "Cache-Control", "max-age=99999999999"), Validators{}, Version{Body: []byte("{}")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked http.Header
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.Header.Clone()
				tt.answer(w, r)
			}))
			defer server.Close()
			got, err := Conditional{Client(), 100}.Fetch(t.Context(), server.URL, tt.have)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) || !errors.Is(err, seal.ErrUnavailable) {
					t.Errorf("error %v, want %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Body) != string(tt.want.Body) || got.NotModified != tt.want.NotModified || got.Validators != tt.want.Validators || got.MaxAge != tt.want.MaxAge {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if asked.Get("If-None-Match") != tt.have.ETag || asked.Get("If-Modified-Since") != tt.have.LastModified || asked.Get("Cache-Control") != "no-cache" {
				t.Errorf("asked with %v", asked)
			}
		})
	}
}

func TestConditionalRefuses(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 101))
	}))
	defer server.Close()
	for source, want := range map[string]string{
		server.URL + "?token=secret": "more than 100 bytes",
		"http://example.com/keys":    "want https",
		"file:///etc/passwd":         "want the URL",
		"keys.json":                  "want the URL",
		"https://a b/":               "want the URL",
	} {
		_, err := Conditional{Client(), 100}.Fetch(t.Context(), source, Validators{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v, want %q", source, err, want)
		}
	}
}
