package keys

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A key that is pinned by itself: what it signed about itself is known, wherever
// this user saw it, and what others say of it in their documents is not.
func TestRevoked(t *testing.T) {
	k, other, stranger := newKey(t, "k"), newKey(t, "other"), newKey(t, "stranger")
	pinned := mustNamed(t, k, "mine").Public()
	own := notice(t, "k", k)
	for _, tt := range []struct {
		name string
		docs []string
		want Status
	}{
		{"nothing kept", nil, Unknown},
		{"no notice", []string{jwksOf(t, []any{k, other})}, Unknown},
		{"by itself", []string{jwksOf(t, []any{k, other}, own)}, Revoked},
		{"by itself, gone", []string{jwksOf(t, []any{other}, own)}, Revoked},
		{"in the second document", []string{jwksOf(t, []any{stranger}), jwksOf(t, []any{k}, own)}, Revoked},
		{"and dropped later", []string{jwksOf(t, []any{k}, own)}, Revoked},
		{"by a stranger in a document of theirs", []string{jwksOf(t, []any{k, stranger}, notice(t, "k", stranger))}, Unknown},
		{"by a stranger of the same name", []string{jwksOf(t, []any{newKey(t, "k")}, notice(t, "k", mustNamed(t, stranger, "k")))}, Unknown},
		{"the notice that it signed for another, whose name a stranger gave to it",
			[]string{jwksOf(t, []any{k, mustNamed(t, k, "victim")}, notice(t, "victim", k))}, Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, docs := t.TempDir(), t.TempDir()
			dir = filepath.Join(dir, "keys")
			for i, text := range tt.docs {
				path := filepath.Join(docs, string(rune('a'+i)))
				writeDocument(t, path, text)
				load(t, openDocuments(t, dir), path, nil)
			}
			if tt.name == "and dropped later" {
				writeDocument(t, filepath.Join(docs, "a"), jwksOf(t, []any{k}))
				load(t, openDocuments(t, dir), filepath.Join(docs, "a"), nil)
			}
			s, err := openDocuments(t, dir).Revoked(t.Context(), stranger.Public(), pinned)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Standing(pinned).Status; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if got := s.Standing(newKey(t, "k").Public()).Status; got != Unknown {
				t.Errorf("another key of that name: %s", got)
			}
		})
	}
	if s, err := openDocuments(t, "").Revoked(t.Context(), pinned); err != nil || s.Standing(pinned).Status != Unknown {
		t.Errorf("nothing is kept: %v", err)
	}
}

func writeDocument(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A kept document that cannot be read may have held the notice.
func TestRevokedUnusable(t *testing.T) {
	k := newKey(t, "k")
	dir := filepath.Join(t.TempDir(), "keys")
	path := filepath.Join(t.TempDir(), "a")
	writeDocument(t, path, jwksOf(t, []any{k}, notice(t, "k", k)))
	load(t, openDocuments(t, dir), path, nil)
	name := filepath.Join(dir, fileName(canonical(path)))
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for what, broken := range map[string][]byte{"cut short": data[:len(data)-9], "empty": {}} {
		if err := os.WriteFile(name, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openDocuments(t, dir).Revoked(t.Context(), k.Public()); !errors.Is(err, ErrDocuments) {
			t.Errorf("%s: %v", what, err)
		}
	}
	writeDocument(t, name, string(data))
	if err := os.Rename(name, filepath.Join(dir, fileName("/elsewhere"))); err != nil {
		t.Fatal(err)
	}
	if _, err := openDocuments(t, dir).Revoked(t.Context(), k.Public()); !errors.Is(err, ErrDocuments) {
		t.Errorf("put in another's place: %v", err)
	}
}

// A key pinned under a name of one's own meets its own notice, which no longer
// finds it in the document.
func TestKnownByAnotherName(t *testing.T) {
	a, b := newKey(t, "a"), newKey(t, "b")
	pinned := mustNamed(t, a, "mine").Public()
	text := jwksOf(t, []any{b}, notice(t, "a", a))
	if got := parsed(t, text).Standing(pinned).Status; got != Unknown {
		t.Errorf("unknown to the reader: %s", got)
	}
	s := parsed(t, text, b.Public(), pinned)
	if got := s.Standing(pinned).Status; got != Revoked {
		t.Errorf("pinned as %q: %s", pinned.KeyID, got)
	}
	if got := s.GivenUp(pinned).Status; got != Revoked {
		t.Errorf("given up: %s", got)
	}
	byB := parsed(t, jwksOf(t, []any{a, b}, notice(t, "a", b)))
	if got := byB.GivenUp(pinned).Status; got != Unknown {
		t.Errorf("revoked by another, and given up: %s", got)
	}
	// Under one name in two documents of one source, it stays revoked.
	d := openDocuments(t, filepath.Join(t.TempDir(), "keys"))
	path := filepath.Join(t.TempDir(), "k.json")
	writeDocument(t, path, text)
	if _, err := d.Load(t.Context(), path, nil, pinned); err != nil {
		t.Fatal(err)
	}
	writeDocument(t, path, jwksOf(t, []any{b}))
	if doc := load(t, d, path, nil); doc.Set.Standing(pinned).Status != Revoked || lost(doc) != "a" {
		t.Errorf("dropped: %s, lost %q", doc.Set.Standing(pinned).Status, lost(doc))
	}
}
