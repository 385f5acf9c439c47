package platform

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// failing answers the first times requests, and the rest as the world does.
func failing(times int, answer http.HandlerFunc) func(int, http.ResponseWriter, *http.Request) bool {
	return func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n > times {
			return false
		}
		answer(w, r)
		return true
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// A service that echoes what it was given, to be found in no error.
		http.Error(w, "echo "+r.Header.Get("Authorization"), code)
	}
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, text)
	}
}

func endless(w http.ResponseWriter, _ *http.Request) {
	io.WriteString(w, `{"value":"`)
	for {
		if _, err := io.WriteString(w, strings.Repeat("x", 1<<16)); err != nil {
			return
		}
	}
}

func broken(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	io.WriteString(w, `{"value":"`)
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

const forever = 1 << 30

func TestGitHubTokenFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		times  int
		answer http.HandlerFunc
		kind   error // nil: a token comes in the end
		text   string
		hint   string
		asked  int // 0: more than five times
	}{
		{"401", forever, status(401), ErrNoToken, "HTTP 401", "id-token: write", 1},
		{"403", forever, status(403), ErrNoToken, "HTTP 403", "id-token: write", 1},
		{"400", forever, status(400), ErrOutage, "HTTP 400", "", 1},
		{"404", forever, status(404), ErrOutage, "HTTP 404", "", 1},
		{"204", forever, status(204), ErrOutage, "HTTP 204", "", 1},
		{"500", forever, status(500), ErrOutage, "HTTP 500", "outage is theirs", 0},
		{"429", forever, status(429), ErrOutage, "HTTP 429", "outage is theirs", 0},
		{"500, then good", 2, status(500), nil, "", "", 3},
		{"503, then good", 1, status(503), nil, "", "", 2},
		{"redirect", forever, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example/", http.StatusFound)
		}, ErrOutage, "redirect", "", 1},
		{"empty value", forever, body(`{"value":""}`), ErrOutage, "it is empty", "outage is theirs", 0},
		{"empty value, then good", 1, body(`{"value":""}`), nil, "", "", 2},
		{"no value", forever, body(`{"count":1}`), ErrOutage, "it is empty", "outage is theirs", 0},
		{"value of another type", forever, body(`{"value":{"a":"` + requestSecret + `"}}`), ErrOutage, "no object with a token", "outage is theirs", 0},
		{"two values", forever, body(`{"value":"a.b.c","value":"d.e.f"}`), ErrOutage, "no strict JSON", "outage is theirs", 0},
		{"a page", forever, body(`<html>` + requestSecret), ErrOutage, "no strict JSON", "outage is theirs", 0},
		{"a page, then good", 1, body(`<html>`), nil, "", "", 2},
		{"nothing", forever, body(``), ErrOutage, "no strict JSON", "outage is theirs", 0},
		{"no JWT", forever, body(`{"value":"` + requestSecret + `"}`), ErrOutage, "no JWT", "outage is theirs", 0},
		{"a workflow command for a token", forever, body(`{"value":"a.b.c\n::error::x"}`), ErrOutage, "no JWT", "outage is theirs", 0},
		{"endless body", forever, endless, ErrOutage, "more than", "", 1},
		{"body breaks off", forever, broken, ErrOutage, "breaks off", "outage is theirs", 0},
		{"no answer at all", forever, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ErrOutage, "EOF", "outage is theirs", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.answer = failing(tt.times, tt.answer)
			token, err := w.tokensOf(githubJob).Token(t.Context(), "sigstore")
			if asked := w.count["/idtoken"]; tt.asked != 0 && asked != tt.asked || tt.asked == 0 && asked < 6 {
				t.Errorf("asked %d times, want %d (0: six at least)", asked, tt.asked)
			}
			if len(w.lines) != len(w.waits) {
				t.Errorf("%d waits, but lines %q", len(w.waits), w.lines)
			}
			if tt.kind == nil {
				if err != nil || token == "" {
					t.Errorf("got %q, %v, want a token", token, err)
				}
				return
			}
			if token != "" {
				t.Error("got a token as well")
			}
			w.wantError(err, tt.kind, tt.text)
			if !strings.Contains(err.Error(), "GitHub's token service") || !strings.Contains(err.Error(), "run.actions.example") {
				t.Errorf("%q does not name the service", err)
			}
			if hint := hintOf(err); (tt.hint == "") != (hint == "") || !strings.Contains(hint, tt.hint) {
				t.Errorf("hint %q, want %q", hint, tt.hint)
			}
			if w.commands.Len() != 0 {
				t.Errorf("commands %q, want none", w.commands.String())
			}
		})
	}
}

// The waits double, and end with patience; a service may ask for longer ones.
func TestPatience(t *testing.T) {
	for _, tt := range []struct {
		after string
		want  []time.Duration
	}{
		{"", []time.Duration{1, 2, 4, 8, 16, 30, 30, 30, 30}},
		{"never", []time.Duration{1, 2, 4, 8, 16, 30, 30, 30, 30}},
		{"-5", []time.Duration{1, 2, 4, 8, 16, 30, 30, 30, 30}},
		{"70", []time.Duration{70, 70}},
		{"180", []time.Duration{180}},
		{"181", nil},
		{"99999999999", nil},
	} {
		t.Run("Retry-After "+tt.after, func(t *testing.T) {
			w := newWorld(t)
			w.answer = failing(forever, func(out http.ResponseWriter, r *http.Request) {
				out.Header().Set("Retry-After", tt.after)
				status(503)(out, r)
			})
			_, err := w.tokensOf(githubJob).Token(t.Context(), "sigstore")
			w.wantError(err, ErrOutage, "HTTP 503")
			for n := range tt.want {
				tt.want[n] *= time.Second
			}
			if diff := cmp.Diff(tt.want, w.waits); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
			if spent := w.now.Sub(epoch); spent > defaultPatience {
				t.Errorf("waited %s, want at most %s", spent, defaultPatience)
			}
		})
	}
}
