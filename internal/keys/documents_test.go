package keys

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/seal"
)

const source = "https://acme.example/.well-known/mcp-integrity-keys.json"

// site is a Fetcher: what a server shows.
type site struct {
	body   string
	etag   string
	maxAge time.Duration
	err    error
	asked  []fetch.Validators
}

func (s *site) Fetch(_ context.Context, _ string, have fetch.Validators) (fetch.Version, error) {
	s.asked = append(s.asked, have)
	v := fetch.Version{Validators: fetch.Validators{ETag: s.etag}, MaxAge: s.maxAge}
	switch {
	case s.err != nil:
		return fetch.Version{}, s.err
	case s.etag != "" && have.ETag == s.etag:
		v.NotModified = true
	default:
		v.Body = []byte(s.body)
	}
	return v, nil
}

var errDown = fmt.Errorf("%w: it does not answer", seal.ErrUnavailable)

func openDocuments(t testing.TB, dir string) *Documents {
	t.Helper()
	d, err := OpenDocuments(dir)
	if err != nil {
		t.Fatal(err)
	}
	d.now = func() time.Time { return noon }
	return d
}

func load(t testing.TB, d *Documents, source string, f Fetcher) Document {
	t.Helper()
	doc, err := d.Load(t.Context(), source, f)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// lost are the keys of a regression.
func lost(doc Document) string {
	if doc.Regression == nil {
		return ""
	}
	return strings.Join(doc.Regression.KeyIDs, " ")
}

// A story in steps: what the site shows, how the keys then stand, and what was
// lost. Each step is a new process.
func TestRegression(t *testing.T) {
	a, b, c := newKey(t, "a"), newKey(t, "b"), newKey(t, "c")
	byA := notice(t, "b", a)
	type step struct{ shows, want, lost string }
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"dropped, and shown again", []step{
			{jwksOf(t, []any{a, b}), "a live, b live, c unknown", ""},
			{jwksOf(t, []any{a}, byA), "a live, b revoked, c unknown", ""},
			{jwksOf(t, []any{a, b}), "a live, b revoked, c unknown", "b"},
			{jwksOf(t, []any{a, b}), "a live, b revoked, c unknown", "b"},
			{jwksOf(t, []any{a}, byA), "a live, b revoked, c unknown", ""},
		}},
		{"dropped by a document of others", []step{
			{jwksOf(t, []any{a}, byA), "a live, b revoked, c unknown", ""},
			{jwksOf(t, []any{c}), "a unknown, b revoked, c live", "b"},
		}},
		{"shown again under another name", []step{
			{jwksOf(t, []any{a, b}), "a live, b live", ""},
			{jwksOf(t, []any{a}, byA), "a live, b revoked", ""},
			{jwksOf(t, []any{a, jwkOf(t, b, change{"kid": "b2"})}), "a live, b revoked, b2 revoked", "b"},
			{jwksOf(t, []any{a, jwkOf(t, b, change{"kid": "b2"})}, byA), "a live, b revoked, b2 revoked", ""},
		}},
		{"changed", []step{
			{jwksOf(t, []any{a, b}, byA), "a live, b revoked", ""},
			{jwksOf(t, []any{a, b}, edit(t, marshal(t, byA), change{"reason": "key_rotation"})), "a live, b revoked", "b"},
		}},
		{"signed again by another key", []step{
			{jwksOf(t, []any{a, b, c}, byA), "a live, b revoked, c live", ""},
			{jwksOf(t, []any{c}, notice(t, "b", c)), "a unknown, b revoked, c live", ""},
		}},
		{"its signer retired", []step{
			{jwksOf(t, []any{a, b, c}, byA), "a live, b revoked, c live", ""},
			{jwksOf(t, []any{jwkOf(t, a, change{"retired_at": "2026-02-16T00:00:00Z"}), c}, byA), "a retired, b revoked, c live", ""},
		}},
		{"its signer revoked by the thief", []step{
			{jwksOf(t, []any{a, b, c}, byA), "a live, b revoked, c live", ""},
			{jwksOf(t, []any{a, b, c}, byA, notice(t, "a", b)), "a contested, b revoked, c live", ""},
			{jwksOf(t, []any{a, b, c}, notice(t, "a", b)), "a contested, b revoked, c live", "b"},
		}},
		{"its signer revoked, too, and both dropped", []step{
			{jwksOf(t, []any{a, c}, byA), "a live, b revoked, c live", ""},
			{jwksOf(t, []any{c}, byA, notice(t, "a", c)), "a revoked, b revoked, c live", ""},
			{jwksOf(t, []any{a, b, c}, byA), "a revoked, b revoked, c live", "a"},
			{jwksOf(t, []any{a, b, c}), "a revoked, b revoked, c live", "a b"},
		}},
		{"by itself, and gone", []step{
			{jwksOf(t, []any{a, b}), "a live, b live", ""},
			{jwksOf(t, []any{a}, notice(t, "b", b)), "a live, b revoked", ""},
			{jwksOf(t, []any{a, b}), "a live, b revoked", "b"},
		}},
		{"never proved: nothing to remember", []step{
			{jwksOf(t, []any{a, b}, notice(t, "b", c)), "a live, b contested", ""},
			{jwksOf(t, []any{a, b}), "a live, b live", ""},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "documents")
			for i, s := range tt.steps {
				var ids []string
				for _, word := range strings.Split(s.want, ", ") {
					ids = append(ids, strings.Fields(word)[0])
				}
				doc := load(t, openDocuments(t, dir), source, &site{body: s.shows})
				if got := statuses(doc.Set, ids...); got != s.want || lost(doc) != s.lost {
					t.Errorf("step %d: %s, lost %q; want %s, %q", i, got, lost(doc), s.want, s.lost)
				}
				if doc.Regression != nil && !strings.Contains(doc.Regression.Error(), "acme.example") {
					t.Error(doc.Regression)
				}
				offline := load(t, openDocuments(t, dir), source, nil)
				if got := statuses(offline.Set, ids...); got != s.want || lost(offline) != s.lost || offline.Stale == nil {
					t.Errorf("step %d, offline: %s, lost %q, %v", i, got, lost(offline), offline.Stale)
				}
			}
		})
	}
}

func TestDocumentsOfAFile(t *testing.T) {
	a, b := newKey(t, "a"), newKey(t, "b")
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.json")
	d := openDocuments(t, filepath.Join(dir, "documents"))
	for _, s := range []struct{ shows, want, lost string }{
		{jwksOf(t, []any{a, b}, notice(t, "b", a)), "a live, b revoked", ""},
		{jwksOf(t, []any{a, b}), "a live, b revoked", "b"},
	} {
		if err := os.WriteFile(path, []byte(s.shows), 0o600); err != nil {
			t.Fatal(err)
		}
		doc := load(t, d, path, nil)
		if got := statuses(doc.Set, "a", "b"); got != s.want || lost(doc) != s.lost || doc.Stale != nil {
			t.Errorf("%s, lost %q, %v; want %s, %q", got, lost(doc), doc.Stale, s.want, s.lost)
		}
	}
	if _, err := d.Load(t.Context(), path+"x", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestDocumentsWithoutDirectory(t *testing.T) {
	a, b := newKey(t, "a"), newKey(t, "b")
	d := openDocuments(t, "")
	for shows, want := range map[string]string{
		jwksOf(t, []any{a, b}, notice(t, "b", a)): "a live, b revoked",
		jwksOf(t, []any{a, b}):                    "a live, b live",
	} {
		doc := load(t, d, source, &site{body: shows, etag: "x"})
		if got := statuses(doc.Set, "a", "b"); got != want || doc.Regression != nil {
			t.Errorf("%s, %v; want %s", got, doc.Regression, want)
		}
	}
	if _, err := d.Load(t.Context(), source, nil); !errors.Is(err, ErrNotSeen) {
		t.Errorf("offline: %v", err)
	}
}

func TestDocumentsRevalidate(t *testing.T) {
	a, b := newKey(t, "a"), newKey(t, "b")
	d := openDocuments(t, t.TempDir())
	s := &site{body: jwksOf(t, []any{a, b}), etag: `"1"`, maxAge: time.Hour}
	load(t, d, source, s)
	if doc := load(t, d, source, s); statuses(doc.Set, "a", "b") != "a live, b live" || s.asked[1].ETag != `"1"` || doc.Stale != nil {
		t.Errorf("asked with %v, got %v", s.asked, doc)
	}
	// Fresh or not, a revocation works at once.
	s.body, s.etag = jwksOf(t, []any{a}, notice(t, "b", a)), `"2"`
	if got := statuses(load(t, d, source, s).Set, "a", "b"); got != "a live, b revoked" {
		t.Error(got)
	}
	s.err = errDown
	doc := load(t, d, source, s)
	if got := statuses(doc.Set, "a", "b"); got != "a live, b revoked" || !errors.Is(doc.Stale, seal.ErrUnavailable) || !doc.Checked.Equal(noon) {
		t.Errorf("%s, %v", got, doc)
	}
	for name, tt := range map[string]struct {
		err   error
		after time.Duration
	}{
		"not fresh any more":     {errDown, time.Hour},
		"from the future":        {errDown, -time.Second},
		"it has no such file":    {fmt.Errorf("%w: %w", seal.ErrUnavailable, fetch.ErrNotFound), 0},
		"it answers with no end": {errors.New("too large"), 0},
	} {
		d.now = func() time.Time { return noon.Add(tt.after) }
		s.err = tt.err
		if doc, err := d.Load(t.Context(), source, s); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, %v", name, doc, err)
		}
	}
	s.err, s.body, s.etag = nil, "<html>", ""
	if _, err := d.Load(t.Context(), source, s); err == nil {
		t.Error("a page was taken for a document")
	}
	if got := statuses(load(t, d, source, nil).Set, "a", "b"); got != "a live, b revoked" {
		t.Errorf("after all that: %s", got)
	}
	if _, err := openDocuments(t, t.TempDir()).Load(t.Context(), source, notModified{}); err == nil || !strings.Contains(err.Error(), "never had") {
		t.Errorf("not modified, and never had: %v", err)
	}
}

type notModified struct{}

func (notModified) Fetch(context.Context, string, fetch.Validators) (fetch.Version, error) {
	return fetch.Version{NotModified: true}, nil
}

func TestDocumentsRefuseSources(t *testing.T) {
	d := openDocuments(t, t.TempDir())
	for _, bad := range []string{"", "keys.json", "./keys.json", "http://acme.example/k", "ftp://acme.example/k", "https://user:secret@acme.example/k", "https://" + strings.Repeat("a", maxSource)} {
		if _, err := d.Load(t.Context(), bad, &site{body: `{"keys":[]}`}); err == nil || strings.Contains(err.Error(), "secret") || len(err.Error()) > 500 {
			t.Errorf("%.60q: %v", bad, err)
		}
	}
	if _, err := OpenDocuments("documents"); err == nil {
		t.Error("a relative directory was taken")
	}
}

// One document has one name, however it is spelled: a revocation that was seen
// under the one is known under the other.
func TestCanonicalSource(t *testing.T) {
	for source, want := range map[string]string{
		"https://acme.example/a/keys.json":            "https://acme.example/a/keys.json",
		"HTTPS://ACME.example:443/a/./keys.json":      "https://acme.example/a/keys.json",
		"https://acme.example./a/b/../keys.json#x":    "https://acme.example/a/keys.json",
		"https://acme.example//a/%2e/%6beys.json?":    "https://acme.example/a/keys.json",
		"https://acme.example/a/keys.json?v=1":        "https://acme.example/a/keys.json?v=1",
		"https://acme.example:8443/a%2Fb/keys.json":   "https://acme.example:8443/a%2Fb/keys.json",
		"http://[::1]:80/keys.json":                   "http://[::1]/keys.json",
		"https://acme.example/../../a/keys.json":      "https://acme.example/a/keys.json",
		"https://acme.example":                        "https://acme.example/",
		"https://acme.example/a%20b/\u00e9/keys.json": "https://acme.example/a%20b/%C3%A9/keys.json",
	} {
		got := canonical(source)
		if got != want {
			t.Errorf("%s: got %s, want %s", source, got, want)
		}
		if again := canonical(got); again != got {
			t.Errorf("%s: %s again is %s", source, got, again)
		}
	}
	a, b := newKey(t, "a"), newKey(t, "b")
	dir := t.TempDir()
	path, link := filepath.Join(dir, "keys.json"), filepath.Join(dir, "link.json")
	if os.Symlink(path, link) != nil {
		link = path // a system that lets its users make none
	}
	d := openDocuments(t, filepath.Join(dir, "kept"))
	if err := os.WriteFile(path, []byte(jwksOf(t, []any{a, b}, notice(t, "b", a))), 0o600); err != nil {
		t.Fatal(err)
	}
	load(t, d, path, nil)
	if err := os.WriteFile(path, []byte(jwksOf(t, []any{a, b})), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{dir + "/./keys.json", dir + "/x/../keys.json", dir + "//keys.json", link} {
		if doc := load(t, d, other, nil); lost(doc) != "b" || doc.Set.StandingOf("b").Status != Revoked {
			t.Errorf("%s: lost %q, b is %s", other, lost(doc), doc.Set.StandingOf("b").Status)
		}
	}
}
