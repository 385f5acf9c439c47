package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

func open(t testing.TB, dir string) *Vault {
	t.Helper()
	v, err := Open(Config{Dir: dir, Label: "test v1", What: "tests are kept", Hint: "do something", MaxFile: 1000, MaxTotal: 3000, MaxFiles: 4})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// do runs a function with a vault that is open to write.
func do(t testing.TB, v *Vault, f func(*Tx) error) error {
	t.Helper()
	tx, err := v.Write(t.Context())
	if err != nil {
		return err
	}
	defer tx.Close()
	return f(tx)
}

func put(t testing.TB, v *Vault, name, text string) {
	t.Helper()
	if err := do(t, v, func(tx *Tx) error { return tx.Put(name, []byte(text)) }); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, v *Vault, name string) bool {
	t.Helper()
	var was bool
	if err := do(t, v, func(tx *Tx) (err error) { was, err = tx.Remove(name); return err }); err != nil {
		t.Fatal(err)
	}
	return was
}

func get(t testing.TB, v *Vault, name string) (string, error) {
	t.Helper()
	tx, err := v.Read(t.Context())
	if err != nil {
		return "", err
	}
	defer tx.Close()
	data, err := tx.Get(name)
	return string(data), err
}

func want(t testing.TB, v *Vault, name, text string) {
	t.Helper()
	if got, err := get(t, v, name); err != nil || got != text {
		t.Errorf("got %q, %v, want %q", got, err, text)
	}
}

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
		if all[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
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

// history is a directory after each of several writes: a1, a2, b1, a3, b2, b3.
func history(t testing.TB) (all []files, a, b string) {
	t.Helper()
	v := open(t, t.TempDir())
	a, b = v.FileName("a"), v.FileName("b")
	for _, text := range []string{"a1", "a2", "b1", "a3", "b2", "b3"} {
		put(t, v, v.FileName(text[:1]), text)
		all = append(all, readAll(t, v.Dir))
	}
	return all, a, b
}

func TestRemove(t *testing.T) {
	v := open(t, t.TempDir())
	a, b := v.FileName("a"), v.FileName("b")
	if remove(t, v, a) {
		t.Error("what was never there was removed")
	}
	put(t, v, a, "1")
	put(t, v, a, "2")
	put(t, v, b, "b")
	before := readAll(t, v.Dir)
	if !remove(t, v, a) || remove(t, v, a) {
		t.Error("want it removed once")
	}
	want(t, v, a, "")

	// A copy that is put back is as if it were not there, and is written over.
	f := readAll(t, v.Dir)
	f[a] = before[a]
	back := open(t, f.restore(t))
	want(t, back, a, "")
	put(t, back, a, "3")
	want(t, back, a, "3")
	// The heads of then with it are noticed no later than at b's third write.
	f[headsName] = before[headsName]
	want(t, open(t, f.restore(t)), a, "2")

	// What cannot be believed can be given up.
	f = maps.Clone(before)
	f[a] = []byte("nonsense")
	damaged := open(t, f.restore(t))
	if !remove(t, damaged, a) {
		t.Error("a damaged file was not removed")
	}
	want(t, damaged, a, "")
	want(t, damaged, b, "b")
	f = maps.Clone(before)
	delete(f, a)
	gone := open(t, f.restore(t))
	if !remove(t, gone, a) {
		t.Error("a missing file was not given up")
	}
	want(t, gone, a, "")
	tx, err := gone.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	if names, err := tx.Names(); err != nil || !slices.Equal(names, []string{b}) {
		t.Errorf("names: got %q, %v", names, err)
	}
}

// Each effect fails, before and after it took place; the next one gets through.
func TestEveryEffect(t *testing.T) {
	broken := errors.New("broken")
	for point := range 20 {
		v := open(t, t.TempDir())
		a, b := v.FileName("a"), v.FileName("b")
		left := point
		v.Fault = func(string, bool) error {
			if left--; left < 0 {
				return broken
			}
			return nil
		}
		var state string
		for _, step := range []struct {
			after string
			do    func(*Tx) error
		}{
			{"1", func(tx *Tx) error { return tx.Put(a, []byte("1")) }},
			{"2", func(tx *Tx) error { return tx.Put(a, []byte("2")) }},
			{"", func(tx *Tx) error { _, err := tx.Remove(a); return err }},
			{"3", func(tx *Tx) error { return tx.Put(a, []byte("3")) }},
		} {
			err := do(t, v, step.do)
			got, getErr := get(t, open(t, v.Dir), a)
			if getErr != nil || err == nil && got != step.after || err != nil && got != step.after && got != state {
				t.Fatalf("point %d, to %q: %v, then got %q, %v", point, step.after, err, got, getErr)
			}
			put(t, open(t, v.Dir), b, "beside")
			if state = got; err == nil {
				continue
			}
			if !errors.Is(err, broken) {
				t.Fatal(err)
			}
			v.Fault = nil
			if err := do(t, v, step.do); err != nil {
				t.Fatalf("point %d, to %q again: %v", point, step.after, err)
			}
			want(t, open(t, v.Dir), a, step.after)
			state = step.after
		}
		want(t, open(t, v.Dir), a, "3")
		want(t, open(t, v.Dir), b, "beside")
	}
}

// killed writes a file and fails before heads, as a process does that is killed.
func killed(t testing.TB, v *Vault, name, text string) {
	t.Helper()
	broken := errors.New("broken")
	v.Fault = func(file string, done bool) error {
		if file == name && done {
			return broken
		}
		return nil
	}
	if err := do(t, v, func(tx *Tx) error { return tx.Put(name, []byte(text)) }); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	v.Fault = nil
}

// One process after the other is killed: each catches up for the one before.
func TestKilledAgain(t *testing.T) {
	v := open(t, t.TempDir())
	a := v.FileName("a")
	for _, text := range []string{"1", "2", "3"} {
		killed(t, v, a, text)
		want(t, v, a, text)
	}
	put(t, v, a, "4")
	want(t, v, a, "4")

	// What was given up while heads were behind does not come back either.
	killed(t, v, a, "5")
	path := filepath.Join(v.Dir, a)
	last, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 3); err != nil {
		t.Fatal(err)
	}
	remove(t, v, a)
	if err := os.WriteFile(path, last, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, v, a, "")
}

func TestBounds(t *testing.T) {
	v := open(t, t.TempDir())
	full := func(name, text, words string) {
		t.Helper()
		before := readAll(t, v.Dir)
		err := do(t, v, func(tx *Tx) error { return tx.Put(v.FileName(name), []byte(text)) })
		if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), words) {
			t.Errorf("got %v, want ErrFull and %q", err, words)
		}
		if after := readAll(t, v.Dir); len(after) != len(before) {
			t.Error("it was written")
		}
	}
	put(t, v, v.FileName("0"), "")
	full("1", strings.Repeat("x", 1000), "for one file")
	for n := 1; n < 4; n++ {
		put(t, v, v.FileName(fmt.Sprint(n)), strings.Repeat("x", 800))
	}
	full("4", "", "4 are kept")
	put(t, v, v.FileName("0"), "who is in stays in")
	full("0", strings.Repeat("x", 800), "bytes are kept")
	remove(t, v, v.FileName("3"))
	put(t, v, v.FileName("4"), strings.Repeat("x", 700)) // what was removed makes room
	full("5", "", "4 are kept")
	for n, text := range []string{"who is in stays in", strings.Repeat("x", 800), strings.Repeat("x", 800), "", strings.Repeat("x", 700)} {
		want(t, open(t, v.Dir), v.FileName(fmt.Sprint(n)), text)
	}
}

func TestModes(t *testing.T) {
	if os.PathSeparator != '/' {
		return // no modes of unix here
	}
	dir := filepath.Join(t.TempDir(), "up", "vault")
	v := open(t, dir)
	a := v.FileName("a")
	put(t, v, a, "1")
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Dir(dir): 0o700, filepath.Join(dir, a): 0o600, filepath.Join(dir, secretName): 0o600, filepath.Join(dir, headsName): 0o600, filepath.Join(dir, lockName): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, %v, want %v", path, info.Mode(), err, mode)
		}
	}
	for _, name := range []string{secretName, headsName, a, "."} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, info.Mode().Perm()|0o060); err != nil {
			t.Fatal(err)
		}
		if _, err := get(t, open(t, dir), a); err == nil || !strings.Contains(err.Error(), "chmod") {
			t.Errorf("%s: got %v", name, err)
		}
		if err := os.Chmod(path, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, a), filepath.Join(dir, v.FileName("b"))); err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, v, v.FileName("b")); err == nil || !strings.Contains(err.Error(), "want a regular one") {
		t.Errorf("a link: got %v", err)
	}
}

func TestLeftovers(t *testing.T) {
	all, a, _ := history(t)
	for _, f := range []files{{tempName: []byte("0123")}, all[5]} {
		f[tempName] = []byte("half")
		v := open(t, f.restore(t))
		put(t, v, a, "new")
		want(t, v, a, "new")
		if _, left := readAll(t, v.Dir)[tempName]; left {
			t.Error("it is still there")
		}
	}
}

func TestLockHeld(t *testing.T) {
	dir, err := os.MkdirTemp("", "vault") // t.TempDir fails where who waits comes late
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	v := open(t, dir)
	put(t, v, v.FileName("a"), "1")
	held, err := lockedfile.Edit(filepath.Join(dir, lockName))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := v.Read(ctx); err == nil || !strings.Contains(err.Error(), "another process holds the lock") {
		t.Errorf("got %v", err)
	}
	held.Close()
	want(t, v, v.FileName("a"), "1")
}
