//go:build unix

package audit

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRefusedKinds: a log is a file of its own, nobody else's and no device.
func TestRefusedKinds(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(path string) error
		want    string
	}{
		"a symbolic link to a file": {func(path string) error {
			if err := os.WriteFile(path+".target", nil, 0o600); err != nil {
				return err
			}
			return os.Symlink(path+".target", path)
		}, "regular"},
		"a symbolic link to nothing": {func(path string) error { return os.Symlink(path+".target", path) }, "regular"},
		"a FIFO":                     {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "regular"},
		"a device, by a link":        {func(path string) error { return os.Symlink(os.DevNull, path) }, "regular"},
		"a file that all can write": {func(path string) error {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return err
			}
			return os.Chmod(path, 0o666)
		}, "rewrite"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.jsonl")
			l, err := Open(path) // it was a file when the run began
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := tt.prepare(path); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open: got %v, want an error with %q", err, tt.want)
			}
			if err := l.Append(event("a")); err == nil {
				t.Error("Append: no error")
			}
			if data, err := os.ReadFile(path + ".target"); err == nil && len(data) > 0 {
				t.Errorf("the link was followed: %q", data)
			}
		})
	}
	if _, err := Open(os.DevNull); err == nil {
		t.Error("a device is accepted")
	}
}

// TestLinkPlantedAfterTheLook: the flags hold where the look came too early.
func TestLinkPlantedAfterTheLook(t *testing.T) {
	dir := t.TempDir()
	l := &Log{path: filepath.Join(dir, "audit.jsonl"), wait: lockWait}
	if err := os.Symlink(filepath.Join(dir, "target"), l.path); err != nil {
		t.Fatal(err)
	}
	if f, err := l.lock(); err == nil {
		f.Close()
		t.Error("a link was followed")
	}
	if _, err := os.Lstat(filepath.Join(dir, "target")); err == nil {
		t.Error("the link's target was made")
	}
}

func TestMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	if _, err := Open(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("got mode %04o, want 0600", got)
	}
}
