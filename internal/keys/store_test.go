package keys

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/seal"
)

// oneFile is the file of source in a directory that holds a revocation.
func oneFile(t testing.TB, dir string) string {
	t.Helper()
	a, b := newKey(t, "a"), newKey(t, "b")
	d := openDocuments(t, dir)
	load(t, d, source, &site{body: jwksOf(t, []any{a, b}), etag: "x"})
	load(t, d, source, &site{body: jwksOf(t, []any{a}, notice(t, "b", a)), etag: "y"})
	return filepath.Join(dir, fileName(source))
}

// A cache that is corrupt is an error, online and offline, and never empty.
func TestDocumentsCorrupt(t *testing.T) {
	dir := t.TempDir()
	path := oneFile(t, dir)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(good, []byte("\n"))
	resum := func(text string) []byte { return append(append(checksum([]byte(text)), '\n'), text...) }
	body := string(rest)
	other := "https://other.example/keys.json"
	load(t, openDocuments(t, dir), other, &site{body: `{"keys":[]}`})
	others, err := os.ReadFile(filepath.Join(dir, fileName(other)))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty":                 {},
		"cut short":             good[:len(good)-1],
		"first line only":       good[:65],
		"longer":                append(slices.Clone(good), ' '),
		"one bit":               func() []byte { d := slices.Clone(good); d[len(d)/2] ^= 1; return d }(),
		"another source's":      others,
		"no JSON":               resum("{"),
		"unknown member":        resum(strings.Replace(body, "{", `{"x":1,`, 1)),
		"no document":           resum(strings.Replace(body, `"body":"`, `"body":"AAAA`, 1)),
		"endless":               resum(strings.Replace(body, `"max_age":0`, `"max_age":90000`, 1)),
		"a notice changed":      resum(strings.Replace(body, "key_compromise", "key_rotation", 1)),
		"a key of another name": resum(strings.Replace(body, `"revoked":{"alg":"ES256","crv":"P-256","kid":"b"`, `"revoked":{"alg":"ES256","crv":"P-256","kid":"c"`, 1)),
		"too large":             make([]byte, maxRecord+1),
	} {
		if bytes.Equal(data, good) {
			t.Fatalf("%s: nothing changed in %s", name, body)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, f := range []Fetcher{nil, &site{body: `{"keys":[]}`}} {
			_, err := openDocuments(t, dir).Load(t.Context(), source, f)
			if !errors.Is(err, ErrDocuments) || !errors.Is(err, seal.ErrUnavailable) || len(err.Error()) > 1200 {
				t.Errorf("%s: %v", name, err)
			}
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(after, data) {
			t.Errorf("%s: it was written over", name)
		}
	}
}

func TestDocumentsModes(t *testing.T) {
	if os.PathSeparator != '/' {
		return
	}
	dir := filepath.Join(t.TempDir(), "documents")
	path := oneFile(t, dir)
	for name, mode := range map[string]os.FileMode{path: 0o600, dir: 0o700} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		if err := os.Chmod(name, mode|0o020); err != nil {
			t.Fatal(err)
		}
		if _, err := openDocuments(t, dir).Load(t.Context(), source, nil); !errors.Is(err, ErrDocuments) || !strings.Contains(err.Error(), "chmod") {
			t.Errorf("%s, writable by others: %v", name, err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := openDocuments(t, dir).Load(t.Context(), source, nil); !errors.Is(err, ErrDocuments) {
		t.Errorf("a directory in its place: %v", err)
	}
}

// What is looked at often is not written as often.
func TestDocumentsWriteSeldom(t *testing.T) {
	dir := t.TempDir()
	d := openDocuments(t, dir)
	s := &site{body: jwksOf(t, []any{newKey(t, "a")}), etag: "x"}
	load(t, d, source, s)
	path := filepath.Join(dir, fileName(source))
	first, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for after, same := range map[time.Duration]bool{untouched - time.Second: true, untouched: false} {
		d.now = func() time.Time { return noon.Add(after) }
		if err := os.Chtimes(path, noon, noon); err != nil {
			t.Fatal(err)
		}
		load(t, d, source, s)
		now, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if now.ModTime().Equal(noon) != same {
			t.Errorf("after %s: written %v, first %v", after, now.ModTime(), first.ModTime())
		}
		d.now = func() time.Time { return noon }
		load(t, d, source, &site{body: s.body, etag: "other " + after.String()})
		load(t, d, source, s) // noon again
	}
}

func FuzzParseRecord(f *testing.F) {
	path := oneFile(f, f.TempDir())
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	_, rest, _ := bytes.Cut(good, []byte("\n"))
	f.Add(rest)
	f.Add([]byte(`{"source":"` + source + `","body":"e30=","max_age":0,"checked":"2026-02-15T12:00:00Z","keys":[],"revocations":[]}`))
	f.Fuzz(func(t *testing.T, rest []byte) {
		if _, err := parseRecord(rest, source); err == nil && !bytes.HasPrefix(rest, checksum(rest[min(len(rest), 65):])) {
			t.Fatal("a file without its checksum was taken")
		}
		r, err := parseRecord(append(append(checksum(rest), '\n'), rest...), source)
		if err != nil {
			return
		}
		for _, n := range r.revocations {
			if err := n.Notice.Verify(n.Signer); err != nil {
				t.Fatal(err)
			}
		}
		data, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseRecord(data, source); err != nil {
			t.Fatalf("%s does not read back: %v", data, err)
		}
	})
}

func BenchmarkLoadOffline(b *testing.B) {
	signer := newKey(b, "signer")
	all := []any{signer}
	var notices []any
	for i := range 50 {
		all = append(all, newKey(b, fmt.Sprintf("live-%d", i)))
		notices = append(notices, notice(b, fmt.Sprintf("old-%d", i), signer))
	}
	d := openDocuments(b, b.TempDir())
	load(b, d, source, &site{body: jwksOf(b, all, notices...)})
	b.ReportAllocs()
	for b.Loop() {
		load(b, d, source, nil)
	}
}

// From a server to the disk and back, by HTTP's own rules.
func TestDocumentsOverHTTP(t *testing.T) {
	a, b := newKey(t, "a"), newKey(t, "b")
	shows, full := jwksOf(t, []any{a}, notice(t, "b", a)), 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprint(len(shows))))
		w.Header().Set("Cache-Control", "max-age=3600")
		if r.Header.Get("If-None-Match") == w.Header().Get("ETag") {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		full++
		_, _ = w.Write([]byte(shows))
	}))
	url := server.URL + "/keys.json?token=secret"
	d := openDocuments(t, t.TempDir())
	f := fetch.Conditional{Client: fetch.Client(), Limit: MaxSetSize}
	for range 3 {
		if doc := load(t, d, url, f); statuses(doc.Set, "a", "b") != "a live, b revoked" || doc.Stale != nil {
			t.Errorf("got %v", doc)
		}
	}
	if full != 1 {
		t.Errorf("the whole document was fetched %d times", full)
	}
	shows = jwksOf(t, []any{a, b})
	doc := load(t, d, url, f)
	if statuses(doc.Set, "a", "b") != "a live, b revoked" || lost(doc) != "b" || strings.Contains(doc.Regression.Error(), "secret") {
		t.Errorf("swapped: %v", doc)
	}
	server.Close()
	doc = load(t, d, url, f)
	if statuses(doc.Set, "a", "b") != "a live, b revoked" || lost(doc) != "b" || !errors.Is(doc.Stale, seal.ErrUnavailable) {
		t.Errorf("down: %v", doc)
	}
}
