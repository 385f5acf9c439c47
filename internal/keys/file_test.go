package keys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestWritePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "key.json")
	k, err := Generate(ES256, "k")
	if err != nil {
		t.Fatal(err)
	}
	if err := WritePrivate(path, k); err != nil {
		t.Fatal(err)
	}
	got, err := ReadPrivate(path)
	if err != nil || !got.Public().Equal(k.Public()) {
		t.Fatalf("reads back as %v, %v", got, err)
	}
	public, err := ReadPublic(path)
	if err != nil || !public.Equal(k.Public()) {
		t.Fatalf("its public half: %v, %v", public, err)
	}
	wantOnly(t, path)
}

func wantOnly(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("directory holds %v, %v, want %s alone", entries, err, filepath.Base(path))
	}
}

func TestWritePrivateRefusesToOverwrite(t *testing.T) {
	k, err := Generate(Ed25519, "new")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		make func(path string) error
	}{
		{"file", func(p string) error { return os.WriteFile(p, []byte("old"), 0o644) }},
		{"directory", func(p string) error { return os.Mkdir(p, 0o755) }},
		{"link to nothing", func(p string) error { return os.Symlink(p+".gone", p) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key.json")
			if err := tt.make(path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.Lstat(path)
			err := WritePrivate(path, k)
			if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want fs.ErrExist with the path", err)
			}
			after, err := os.Lstat(path)
			if err != nil || !os.SameFile(before, after) || before.Size() != after.Size() {
				t.Errorf("what stood there changed: %v", err)
			}
			wantOnly(t, path)
		})
	}
}

func TestWritePrivateWhereItCannot(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	k := mustPrivate(t, rfc8037Private)
	err := WritePrivate(filepath.Join(file, "key.json"), k)
	if err == nil {
		t.Fatal("wrote below a file")
	}
	wantNoSecret(t, err.Error())
	if err := WritePrivate(filepath.Join(dir, "key.json"), PrivateKey{}); err == nil {
		t.Error("an empty key was written")
	}
	wantOnly(t, file)
}

// The way for file systems without hard links gives the same file.
func TestCopyExclusive(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := os.WriteFile(from, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := copyExclusive(from, to); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(to); err != nil || string(got) != "key" {
		t.Errorf("%q, %v", got, err)
	}
	if err := copyExclusive(from, to); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v, want fs.ErrExist", err)
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key.json")
	if _, err := ReadPrivate(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := ReadSet(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := ReadPublic(dir); err == nil {
		t.Error("a directory was read")
	}
	if err := os.WriteFile(path, []byte(strings.Repeat(" ", MaxSetSize+10)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func() error{
		"private": func() error { _, err := ReadPrivate(path); return err },
		"public":  func() error { _, err := ReadPublic(path); return err },
		"set":     func() error { _, err := ReadSet(path); return err },
	} {
		err := read()
		if err == nil || !strings.Contains(err.Error(), "at most") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want the path and the bound", name, err)
		}
	}
	if err := os.WriteFile(path, []byte(`{"keys":[`+public(t, rfc8037Private, nil)+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := ReadSet(path); err != nil || len(s.Keys) != 1 {
		t.Errorf("set: %v, %v", s, err)
	}
}

func TestLocal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), ".config")
	if _, err := LoadLocal(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("before there is one: %v, want fs.ErrNotExist", err)
	}
	k, err := Local(dir)
	if err != nil {
		t.Fatal(err)
	}
	if k.Algorithm() != Ed25519 || k.KeyID() != k.Public().Thumbprint {
		t.Errorf("made %v, want an Ed25519 key named by its thumbprint", k)
	}
	for range 2 {
		again, err := Local(dir)
		if err != nil || !again.Public().Equal(k.Public()) {
			t.Errorf("again: %v, %v, want %v", again, err, k)
		}
	}
	wantOnly(t, LocalPath(dir))
}

// A key that cannot be read is never replaced by a new one.
func TestLocalKeepsBrokenKey(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Dir(LocalPath(dir)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(LocalPath(dir), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Local(dir); err == nil || !strings.Contains(err.Error(), LocalPath(dir)) {
		t.Errorf("error %v, want one with the path", err)
	}
	if got, err := os.ReadFile(LocalPath(dir)); err != nil || string(got) != "{}" {
		t.Errorf("the file is now %q, %v", got, err)
	}
}

// An empty or relative directory would put the key among files that are published.
func TestLocalWantsAbsoluteDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"", ".", "config"} {
		if _, err := Local(dir); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no absolute path") {
			t.Errorf("%q: %v", dir, err)
		}
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestLocalRace(t *testing.T) {
	for range 20 {
		dir := t.TempDir()
		var wg sync.WaitGroup
		ids := make([]string, 8)
		start := make(chan struct{})
		for i := range ids {
			wg.Go(func() {
				<-start
				k, err := Local(dir)
				if err != nil {
					t.Error(err)
				}
				ids[i] = k.KeyID()
			})
		}
		close(start)
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("two keys: %q and %q", ids[0], id)
			}
		}
		wantOnly(t, LocalPath(dir))
	}
}
