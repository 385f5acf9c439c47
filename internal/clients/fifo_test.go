//go:build unix

package clients

import (
	"syscall"
	"testing"
)

// TestPipeDoesNotBlock: nobody writes into the pipe.
func TestPipeDoesNotBlock(t *testing.T) {
	d := newDesk(t)
	d.mkdir("home/.cursor")
	if err := syscall.Mkfifo(d.path("home/.cursor/mcp.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.write("home/.gemini/settings.json", one)
	servers, problems := d.find("linux")
	if len(servers) != 1 || len(problems) != 1 || problems[0].Text != "not a regular file" {
		t.Errorf("got %v and %v, want the other file's server and a problem", servers, problems)
	}
}
