package stack

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLaunch: a server whose port was taken starts anew on another, and not for
// ever; any other end is reported at once.
func TestLaunch(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer up.Close()
	const taken = "echo listen tcp 127.0.0.1:1: bind: address already in use; exit 1"
	for _, tt := range []struct {
		name    string
		scripts []string // of one start each; the last is of all that follow
		starts  int
		err     string
	}{
		{"another end", []string{"echo no key; exit 1"}, 1, "no key"},
		{"always taken", []string{taken}, startTries, "address already in use"},
		{"taken, then another end", []string{taken, "echo no key; exit 1"}, 2, "no key"},
		{"taken twice", []string{taken, taken, "exec sleep 60"}, 3, ""},
		{"free", []string{"exec sleep 60"}, 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &Stack{Dir: t.TempDir()}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			bin := t.TempDir()
			if err := os.WriteFile(filepath.Join(bin, "server"), []byte("#!/bin/sh\neval \"$SCRIPT\"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			starts := 0
			wait, err := s.launch(bin, func() (server, string, error) {
				script := tt.scripts[min(starts, len(tt.scripts)-1)]
				starts++
				how := server{name: "server", health: up.URL, env: []string{"SCRIPT=" + script}}
				if !strings.HasPrefix(script, "exec") {
					how.health = "http://127.0.0.1:1" // nobody answers there
				}
				return how, up.URL, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			base, err := wait(t.Context())
			switch {
			case tt.err == "" && (err != nil || base != up.URL):
				t.Errorf("got %q, %v", base, err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("got %v, want %q", err, tt.err)
			}
			if starts != tt.starts {
				t.Errorf("started %d times, want %d", starts, tt.starts)
			}
		})
	}
}
