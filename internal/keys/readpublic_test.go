package keys

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// A document of one key, and of nothing else, is that key; any other says more
// than who pins a key would see.
func TestReadPublicDocument(t *testing.T) {
	a, b := newKey(t, "a"), newKey(t, "b")
	retired := jwkOf(t, a, change{"retired_at": "2026-01-01T00:00:00Z"})
	path := filepath.Join(t.TempDir(), "k.json")
	for name, c := range map[string]struct {
		text string
		good bool
	}{
		"one":          {jwksOf(t, []any{a}), true},
		"none":         {jwksOf(t, nil), false},
		"two":          {jwksOf(t, []any{a, b}), false},
		"one by two":   {jwksOf(t, []any{a, mustNamed(t, a, "again")}), false},
		"retired":      {jwksOf(t, []any{retired}), false},
		"notice":       {jwksOf(t, []any{a}, notice(t, "x", a)), false},
		"bad notice":   {jwksOf(t, []any{a}, `{}`), false},
		"one of RSA":   {jwksOf(t, []any{a, `{"kty":"RSA"}`}), false},
		"long, of one": {jwksOf(t, []any{a}) + strings.Repeat(" ", maxJWK), true},
	} {
		writeDocument(t, path, c.text)
		k, err := ReadPublic(path)
		if c.good && (err != nil || k.Thumbprint != a.Public().Thumbprint) || !c.good && !errors.Is(err, ErrDocument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	writeDocument(t, path, jwksOf(t, []any{marshalJWK(t, a)}))
	if _, err := ReadPublic(path); err == nil {
		t.Error("a document with a private key was read")
	}
	if _, err := ParseSet([]byte(marshalJWK(t, a))); !errors.Is(err, ErrSingleKey) {
		t.Errorf("a key as a document: %v", err)
	}
}

func marshalJWK(t *testing.T, k PrivateKey) string {
	t.Helper()
	text, err := k.MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
