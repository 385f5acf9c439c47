//go:build unix

package keys

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestModes(t *testing.T) {
	old := syscall.Umask(0) // what we make is private without a umask's help
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "config")
	if _, err := Local(dir); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{
		LocalPath(dir):               0o600,
		filepath.Dir(LocalPath(dir)): 0o700,
		dir:                          0o700,
	} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v, want %v", path, info.Mode().Perm(), err, want)
		}
	}
}

func TestLocalRefusesModes(t *testing.T) {
	dir := t.TempDir()
	if _, err := Local(dir); err != nil {
		t.Fatal(err)
	}
	path := LocalPath(dir)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Local(dir)
		wantError(t, err, "chmod 600")
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o770, 0o707, 0o777} {
		if err := os.Chmod(filepath.Dir(path), mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadLocal(dir)
		wantError(t, err, "chmod 700")
	}
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadLocal(dir); err != nil {
		t.Errorf("a directory that others can only read: %v", err)
	}
}

// Opening a FIFO would wait for ever.
func TestLocalRefusesFIFO(t *testing.T) {
	dir := t.TempDir()
	path := LocalPath(dir)
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Local(dir)
	if err == nil || !strings.Contains(err.Error(), "want a regular one") {
		t.Errorf("error %v", err)
	}
}
