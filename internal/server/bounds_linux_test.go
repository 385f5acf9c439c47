package server

import (
	"bytes"
	"errors"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What a hostile server costs us in memory, at the peak.
func TestListMemory(t *testing.T) {
	for _, tt := range []struct {
		server  string
		want    error
		limit   int // MB
		timeout time.Duration
	}{
		{"long-line", ErrRefused, 80, 0},
		{"blank-lines", ErrRefused, 20, 0},
		{"flood", ErrRefused, 20, 0},
		{"noisy", nil, 20, 0},
		{"deep", ErrRefused, 20, 0},
		{"many-tools", ErrRefused, 80, 0},
		{"ping-flood", ErrUnavailable, 20, 2 * time.Second},
	} {
		t.Run(tt.server, func(t *testing.T) {
			debug.FreeOSMemory()
			// Writing 5 makes the peak what is in use now.
			if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
				t.Fatal(err)
			}
			before := memory(t, "VmRSS:")
			_, err := List(t.Context(), hostileTarget(t, tt.server), Options{Timeout: tt.timeout})
			if tt.want == nil && err != nil || !errors.Is(err, tt.want) {
				t.Errorf("List: %v, want %v", err, tt.want)
			}
			if cost := memory(t, "VmHWM:") - before; cost > tt.limit*raceFactor {
				t.Errorf("cost %d MB, want at most %d MB", cost, tt.limit*raceFactor)
			} else {
				t.Logf("cost %d MB", cost)
			}
		})
	}
}

// memory is a line of /proc/self/status, in MB.
func memory(t *testing.T, name string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte(name))
	kb, err := strconv.Atoi(strings.Fields(string(rest))[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb >> 10
}

func TestListKeepsEndsOfStderr(t *testing.T) {
	checkLeaks(t)
	l, err := List(t.Context(), hostileTarget(t, "noisy"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(l.Stderr, "first words\n") || !strings.HasSuffix(l.Stderr, "\nlast words\n") || !strings.Contains(l.Stderr, "bytes left out") {
		t.Errorf("stderr: %.50q … %q", l.Stderr, l.Stderr[max(0, len(l.Stderr)-50):])
	}
	if n := len(l.Stderr); n > stderrHead+stderrTail+100 {
		t.Errorf("stderr: %d bytes kept", n)
	}
}
