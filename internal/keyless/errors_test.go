package keyless

import (
	"errors"
	"strings"
	"testing"
)

// TestErrorIsOneLine: what a library quotes begins no line of ours.
func TestErrorIsOneLine(t *testing.T) {
	err := &Error{Stage: StageLog, Err: errors.New("calculated root:\n[1 2]\r\n::error::\tx\u0085y\u2028z")}
	if got := err.Error(); strings.ContainsAny(got, "\n\r\t\u0085\u2028") || !strings.Contains(got, "[1 2]") {
		t.Errorf("got %q", got)
	}
}
