package cli

import (
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/server"
)

// TestNameOfAServer: two servers have two names, and no secret is in them.
func TestNameOfAServer(t *testing.T) {
	names := map[string]bool{}
	for _, target := range []server.Target{
		{Command: []string{"srv", "--api-key", "sk-hunter2"}},
		{Command: []string{"srv", "--api-key", "sk-hunter3"}},
		{Command: []string{"srv", "--token=hunter2"}},
		{Command: []string{"srv", "--monkey"}},
		{Command: []string{"srv", "--verbose", "file"}},
		{URL: "https://acme.example/mcp"},
		{URL: "https://acme.example/mcp?tenant=hunter2"},
		{URL: "https://acme.example/mcp?tenant=hunter3"},
	} {
		name := (&surface{target: target}).name()
		if names[name] {
			t.Errorf("%q is the name of two servers", name)
		}
		names[name] = true
		if strings.Contains(name, "hunter") {
			t.Errorf("%q holds a secret", name)
		}
	}
	if name := (&surface{target: server.Target{Command: []string{"srv", "--verbose", "file"}}}).name(); !strings.HasPrefix(name, "srv --verbose file in ") {
		t.Errorf("got %q", name)
	}
}
