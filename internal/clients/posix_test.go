//go:build unix

package clients

import (
	"fmt"
	"os"
	"strings"
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

func TestFileForFolder(t *testing.T) {
	d := newDesk(t)
	d.write("home/.config/zed", "a file where a folder is expected")
	_, problems := d.find("linux")
	want := "/home/.config/zed/settings.json: not a directory"
	if got := d.problemLines(problems); len(got) != 1 || got[0] != want {
		t.Errorf("problems: got %q, want %q", got, want)
	}
}

func TestLinksAreFollowed(t *testing.T) {
	d := newDesk(t)
	d.write("dotfiles/mcp.json", one)
	d.write("dotfiles/e/gemini-extension.json", one)
	d.mkdir("home/.cursor")
	d.mkdir("home/.gemini/extensions")
	d.write("home/.gemini/extensions/a-file", "")
	for link, to := range map[string]string{"home/.cursor/mcp.json": "dotfiles/mcp.json", "home/.gemini/extensions/e": "dotfiles/e"} {
		if err := os.Symlink(d.path(to), d.path(link)); err != nil {
			t.Fatal(err)
		}
	}
	// Links that lead nowhere or round in a circle.
	if err := os.Symlink(d.path("nowhere"), d.path("home/.gemini/settings.json")); err != nil {
		t.Fatal(err)
	}
	d.mkdir("home/.codeium")
	if err := os.Symlink(d.path("home/.codeium/mcp_config.json"), d.path("home/.codeium/mcp_config.json")); err != nil {
		t.Fatal(err)
	}
	servers, problems := d.find("linux")
	if len(servers) != 2 || len(problems) != 1 {
		t.Errorf("got %v and %v, want two servers and a problem with the circle", servers, problems)
	}
}

// TestNamesAreEscaped: an extension's folder is named by who wrote it.
func TestNamesAreEscaped(t *testing.T) {
	d := newDesk(t)
	const folder = "home/.gemini/extensions/e\x1b[2J"
	d.write(folder+"/gemini-extension.json", `{"mcpServers": {"x\u001b[2J\u202e": {"command": "c\u001b[2J"}, "y": 1, "y": 2}}`)
	servers, problems := d.find("linux")
	if len(servers) != 2 || len(problems) != 1 {
		t.Fatalf("got %v and %v, want two servers and a problem", servers, problems)
	}
	said := fmt.Sprint(servers, problems, servers[0].Display())
	if strings.ContainsAny(said, "\x1b\u202e") {
		t.Errorf("%q has a control character", said)
	}
}
