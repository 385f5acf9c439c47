package vault

import (
	"bytes"
	"encoding/hex"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTampering(t *testing.T) {
	all, a, b := history(t)
	last := all[len(all)-1]
	for _, c := range []struct {
		name   string
		change func(files)
		want   []string
	}{
		{"removed", func(f files) { delete(f, a) }, []string{a, "it was removed"}},
		{"emptied", func(f files) { f[a] = nil }, []string{a, "HMAC"}},
		{"cut", func(f files) { f[a] = f[a][:len(f[a])-1] }, []string{a, "HMAC"}},
		{"no HMAC", func(f files) { _, f[a], _ = bytes.Cut(f[a], []byte("\n")) }, []string{a, "HMAC"}},
		{"longer", func(f files) { f[a] = append(f[a], ' ') }, []string{a, "HMAC"}},
		{"another's", func(f files) { f[a] = f[b] }, []string{a, "HMAC"}},
		{"another count", func(f files) { f[a] = bytes.Replace(f[a], []byte("\n3\n"), []byte("\n4\n"), 1) }, []string{a, "HMAC"}},
		{"one back", func(f files) { f[a] = all[2][a] }, []string{a, "older copy"}},
		{"two back", func(f files) { f[a] = all[0][a] }, []string{a, "older copy"}},
		{"heads two back", func(f files) { f[headsName] = all[0][headsName] }, []string{headsName, "older copy"}},
		{"heads removed", func(f files) { delete(f, headsName) }, []string{headsName, "gone"}},
		{"heads cut", func(f files) { f[headsName] = f[headsName][:80] }, []string{headsName, "HMAC"}},
		{"heads is a user's file", func(f files) { f[headsName] = f[a] }, []string{headsName, "HMAC"}},
		{"secret removed", func(f files) { delete(f, secretName) }, []string{secretName, "gone"}},
		{"secret and heads removed", func(f files) { delete(f, secretName); delete(f, headsName) }, []string{headsName, "gone"}},
		{"another secret", func(f files) { f[secretName] = []byte(strings.Repeat("0", 64) + "\n") }, []string{headsName, "HMAC"}},
		{"short secret", func(f files) { f[secretName] = []byte("00\n") }, []string{secretName, "64 hex digits"}},
		{"no secret", func(f files) { f[secretName] = nil }, []string{secretName, "64 hex digits"}},
		{"large", func(f files) { f[a] = make([]byte, 1001) }, []string{a, "want at most 1000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := maps.Clone(last)
			for name := range f {
				f[name] = bytes.Clone(f[name])
			}
			c.change(f)
			dir := f.restore(t)
			v := open(t, dir)
			_, getErr := get(t, v, a)
			for what, err := range map[string]error{"get": getErr, "put": do(t, v, func(tx *Tx) error { return tx.Put(a, []byte("x")) })} {
				var changed *ChangedError
				if !errors.As(err, &changed) {
					t.Errorf("%s: got %v, want a ChangedError", what, err)
					continue
				}
				for _, part := range append(c.want, dir, "tests are kept", "do something") {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%s: got %q, want %q in it", what, err, part)
					}
				}
			}
		})
	}
	want(t, open(t, last.restore(t)), a, "a3") // untouched, it is believed
}

// A vault that has read heads before notices what happens to them.
func TestTamperingWhileOpen(t *testing.T) {
	v := open(t, t.TempDir())
	a := v.FileName("a")
	put(t, v, a, "1")
	for _, name := range []string{headsName, secretName} {
		want(t, v, a, "1")
		path := filepath.Join(v.Dir, name)
		old, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		changed := bytes.Clone(old)
		changed[0] = map[bool]byte{true: '1', false: '0'}[old[0] == '0'] // it stays hex
		for _, data := range [][]byte{changed, old} {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, getErr := get(t, v, a)
			putErr := do(t, v, func(tx *Tx) error { return tx.Put(v.FileName(name), nil) })
			if same := bytes.Equal(data, old); (getErr == nil) != same || (putErr == nil) != same {
				t.Errorf("%s as it was: %v; get: %v, put: %v", name, same, getErr, putErr)
			}
		}
	}
}

func TestEveryByte(t *testing.T) {
	all, a, _ := history(t)
	last := all[5]
	dir := last.restore(t)
	for _, name := range []string{secretName, headsName, a} {
		for i := range last[name] {
			changed := bytes.Clone(last[name])
			changed[i] ^= 1
			if err := os.WriteFile(filepath.Join(dir, name), changed, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := get(t, open(t, dir), a); err == nil {
				t.Errorf("%s: byte %d was changed, and it is believed", name, i)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), last[name], 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzFiles(f *testing.F) {
	all, a, _ := history(f)
	last := all[5]
	secret, err := hex.DecodeString(strings.TrimSpace(string(last[secretName])))
	if err != nil {
		f.Fatal(err)
	}
	_, heads, _ := bytes.Cut(last[headsName], []byte("\n"))
	f.Add(heads, last[a])
	f.Add([]byte(`{"files":[{"file":"x","count":1,"size":1}]}`), []byte("\n"))
	f.Fuzz(func(t *testing.T, text, raw []byte) {
		// Whoever knows no secret gets nothing read.
		tx := &Tx{Vault: &Vault{Config: Config{Label: "test v1"}}, secret: secret}
		if _, err := tx.unseal(a, raw); err == nil && !bytes.Equal(raw, last[a]) {
			t.Fatalf("%q was read", raw)
		}
		h, err := parseHeads(text)
		if err == nil && (h.total("") < 0 && len(h.Files) < 2) {
			t.Fatalf("total %d of %q", h.total(""), text)
		}
	})
}
