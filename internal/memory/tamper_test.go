package memory

import (
	"bytes"
	"context"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/mcp-integrity/seal-action/verify"
)

// files are a directory's files as bytes.
type files map[string][]byte

func readAll(t testing.TB, dir string) files {
	t.Helper()
	all := files{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = data
	}
	return all
}

func (f files) restore(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range f {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// history is a directory after each of several writes: alpha 1, alpha 2, beta 1,
// alpha 3, beta 2, beta 3.
func history(t testing.TB) []files {
	t.Helper()
	dir := t.TempDir()
	m := open(t, dir)
	var all []files
	for i, server := range []verify.ServerKey{alpha, alpha, beta, alpha, beta, beta} {
		remember(t, m, server, release(i))
		all = append(all, readAll(t, dir))
	}
	return all
}

func TestTampering(t *testing.T) {
	all := history(t)
	last := all[len(all)-1]
	a, b := fileName(alpha), fileName(beta)
	for _, c := range []struct {
		name   string
		change func(files)
		want   []string
	}{
		{"removed", func(f files) { delete(f, a) }, []string{a, "it was removed"}},
		{"emptied", func(f files) { f[a] = nil }, []string{a, "HMAC"}},
		{"cut", func(f files) { f[a] = f[a][:len(f[a])-5] }, []string{a, "HMAC"}},
		{"no HMAC", func(f files) { _, f[a], _ = bytes.Cut(f[a], []byte("\n")) }, []string{a, "HMAC"}},
		{"longer", func(f files) { f[a] = append(f[a], ' ') }, []string{a, "HMAC"}},
		{"another's", func(f files) { f[a] = f[b] }, []string{a, "HMAC"}},
		{"swapped", func(f files) { f[a], f[b] = f[b], f[a] }, []string{a, "HMAC"}},
		{"one back", func(f files) { f[a] = all[2][a] }, []string{a, "older copy"}},
		{"two back", func(f files) { f[a] = all[0][a] }, []string{a, "older copy"}},
		{"heads two back", func(f files) { f[headsName] = all[0][headsName] }, []string{headsName, "older copy"}},
		{"heads removed", func(f files) { delete(f, headsName) }, []string{headsName, "gone"}},
		{"heads cut", func(f files) { f[headsName] = f[headsName][:80] }, []string{headsName, "HMAC"}},
		{"heads is a server's file", func(f files) { f[headsName] = f[a] }, []string{headsName, "HMAC"}},
		{"secret removed", func(f files) { delete(f, secretName) }, []string{secretName, "gone"}},
		{"secret and heads removed", func(f files) { delete(f, secretName); delete(f, headsName) }, []string{headsName, "gone"}},
		{"another secret", func(f files) { f[secretName] = []byte(strings.Repeat("0", 64) + "\n") }, []string{headsName, "HMAC"}},
		{"short secret", func(f files) { f[secretName] = []byte("00\n") }, []string{secretName, "64 hex digits"}},
		{"no secret", func(f files) { f[secretName] = nil }, []string{secretName, "64 hex digits"}},
		{"secret of no hex", func(f files) { f[secretName][0] = 'x' }, []string{secretName, "64 hex digits"}},
		{"long secret", func(f files) { f[secretName] = append(f[secretName], '0') }, []string{secretName, "want at most 65"}},
		{"large", func(f files) { f[headsName] = make([]byte, maxHeads+1) }, []string{headsName, "want at most"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := maps.Clone(last)
			for name := range f {
				f[name] = bytes.Clone(f[name])
			}
			c.change(f)
			dir := f.restore(t)
			wantUnusable(t, dir, alpha, append(c.want, dir, "remove")...)
		})
	}
	wantNewest(t, open(t, last.restore(t)), alpha, release(3)) // untouched, it is believed
}

// Each bit of each file matters.
func TestEveryByte(t *testing.T) {
	last := history(t)[5]
	dir := last.restore(t)
	for _, name := range []string{secretName, headsName, fileName(alpha)} {
		path := filepath.Join(dir, name)
		for i := range last[name] {
			changed := bytes.Clone(last[name])
			changed[i] ^= 1
			if err := os.WriteFile(path, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := open(t, dir).Newest(t.Context(), alpha); err == nil {
				t.Errorf("%s: byte %d was changed, and it is believed", name, i)
			}
		}
		if err := os.WriteFile(path, last[name], 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// What the package comment says is not noticed, and when it is after all.
func TestRollbackTogether(t *testing.T) {
	all := history(t)
	f := maps.Clone(all[5])
	a := fileName(alpha)
	f[a], f[headsName] = all[2][a], all[2][headsName] // beta was written twice since
	dir := f.restore(t)
	wantNewest(t, open(t, dir), alpha, release(1))
	wantUnusable(t, dir, beta, headsName, "older copy")
}

func TestModes(t *testing.T) {
	if !hasModes {
		return
	}
	dir := filepath.Join(t.TempDir(), "up", "memory")
	remember(t, open(t, dir), alpha, release(1))
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if info, err := os.Stat(d); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: mode %v, %v, want 0700", d, info.Mode(), err)
		}
	}
	names := slices.Sorted(maps.Keys(readAll(t, dir)))
	want := []string{fileName(alpha), headsName, lockName, secretName}
	if slices.Sort(want); !slices.Equal(names, want) {
		t.Errorf("got files %q, want %q", names, want)
	}
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v, want 0600", name, info.Mode(), err)
		}
	}
	for _, name := range []string{secretName, headsName, fileName(alpha)} {
		if err := os.Chmod(filepath.Join(dir, name), 0o640); err != nil {
			t.Fatal(err)
		}
		wantUnusable(t, dir, alpha, name, "chmod 600")
		if err := os.Chmod(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	wantUnusable(t, dir, alpha, "chmod 700")
}

func TestWhatIsNoFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "memory")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(t, dir).Newest(t.Context(), alpha); err == nil {
		t.Error("a file for a directory: no error")
	}
	f := history(t)[5]
	delete(f, headsName)
	dir = f.restore(t)
	if err := os.Mkdir(filepath.Join(dir, headsName), 0o700); err != nil {
		t.Fatal(err)
	}
	wantUnusable(t, dir, alpha, headsName, "want a regular one")
}

// Who waits for a lock can be told not to.
func TestLockHeld(t *testing.T) {
	dir, err := os.MkdirTemp("", "memory") // t.TempDir fails where who waits comes late
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	m := open(t, dir)
	remember(t, m, alpha, release(1))
	held, err := lockedfile.Edit(filepath.Join(dir, lockName))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, _, err = m.Newest(ctx, alpha)
	if err == nil || !strings.Contains(err.Error(), "another process holds the lock") {
		t.Errorf("got %v", err)
	}
	held.Close()
	wantNewest(t, m, alpha, release(1))
}

// sealAs gives bytes the HMAC that s would give them: as a bug of ours, or
// somebody with the secret, would.
func (s *store) sealAs(t testing.TB, name, text string) {
	t.Helper()
	if err := s.writeSealed(name, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestSealedNonsense(t *testing.T) {
	a := fileName(alpha)
	one := `{"digest":"` + string(release(1).Digest) + `","issued_at":"2026-01-01T01:00:00Z","origin":"o","chain":false}`
	server := `"server":{"namespace":"io.github.acme","name":"alpha"}`
	for _, c := range []struct{ name, file, text, want string }{
		{"no JSON", a, `nonsense`, "strict JSON"},
		{"no member", a, `{}`, "got server"},
		{"unknown member", a, `{"count":1,"x":1,` + server + `,"releases":[` + one + `]}`, "x"},
		{"twice", a, `{"count":1,"count":1,` + server + `,"releases":[` + one + `]}`, "duplicate"},
		{"another server", a, `{"count":1,"server":{"namespace":"io.github.acme","name":"beta"},"releases":[` + one + `]}`, `got server "beta"`},
		{"count", a, `{"count":0,` + server + `,"releases":[` + one + `]}`, "count: got 0"},
		{"no release", a, `{"count":1,` + server + `,"releases":[]}`, "got 0 releases"},
		{"release twice", a, `{"count":1,` + server + `,"releases":[` + one + `,` + one + `]}`, "stands twice"},
		{"order", a, `{"count":1,` + server + `,"releases":[` + one + `,` + strings.NewReplacer(string(release(1).Digest), string(release(2).Digest), "T01", "T02").Replace(one) + `]}`, "not in order"},
		{"digest", a, `{"count":1,` + server + `,"releases":[{"digest":"x","issued_at":"2026-01-01T01:00:00Z","origin":"o","chain":false}]}`, "want sha256"},
		{"time", a, `{"count":1,` + server + `,"releases":[{"digest":"x","issued_at":"2026","origin":"o","chain":false}]}`, "/releases/0/issued_at"},
		{"heads' file", headsName, `{"servers":[{"file":"../x","count":1,"size":1}]}`, "out of order or range"},
		{"heads' count", headsName, `{"servers":[{"file":"` + a + `","count":-1,"size":1}]}`, "out of order or range"},
		{"heads' size", headsName, `{"servers":[{"file":"` + a + `","count":1,"size":0}]}`, "out of order or range"},
		{"heads twice", headsName, `{"servers":[{"file":"` + a + `","count":1,"size":1},{"file":"` + a + `","count":1,"size":1}]}`, "out of order or range"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			m := open(t, dir)
			remember(t, m, alpha, release(1))
			s, err := m.openAlone(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			s.sealAs(t, c.file, c.text)
			s.close()
			wantUnusable(t, dir, alpha, c.file, c.want)
		})
	}
}

func FuzzFiles(f *testing.F) {
	all := history(f)[5]
	secret, err := hex.DecodeString(strings.TrimSpace(string(all[secretName])))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{fileName(alpha), headsName} {
		_, rest, _ := bytes.Cut(all[name], []byte("\n"))
		f.Add(rest, all[name])
	}
	f.Add([]byte(`{"count":1,"server":{"namespace":"io.github.acme","name":"alpha"},"releases":null}`), []byte(nil))
	f.Fuzz(func(t *testing.T, text, raw []byte) {
		// Whoever knows no secret gets nothing read.
		s := &store{secret: secret}
		a := fileName(alpha)
		if _, ok := s.unseal(a, raw); ok && !bytes.Equal(raw, all[a]) {
			t.Fatalf("%q was read", raw)
		}
		// What is read at all is read the same when it is written again.
		if r, err := parseRecord(text, alpha); err == nil {
			again, err := r.encode(alpha, maxRecord)
			if err != nil {
				t.Fatal(err)
			}
			back, err := parseRecord(again, alpha)
			if err != nil || len(back.releases) != len(r.releases) || back.count != r.count {
				t.Fatalf("%q, again %q: %v", text, again, err)
			}
		}
		if h, err := parseHeads(text); err == nil {
			if h.room(a) < 0 || h.room(a) > maxRecord {
				t.Fatalf("room %d", h.room(a))
			}
		}
	})
}
