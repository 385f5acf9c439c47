package server

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"
)

func decode(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// newTestGuard is a guard with nothing behind it.
func newTestGuard(t *testing.T) *guard {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	t.Cleanup(func() { cancel(nil) })
	return &guard{ctx: ctx, cancel: cancel}
}
