package cli_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/cli"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// BenchmarkVerify is verify of a 100-tool manifest against a snapshot, all but
// the start of the process.
func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	snap := &fingerprint.Snapshot{Server: fingerprint.ServerInfo{Name: "acme", Version: "1"}, Conditions: fingerprint.Conditions{ProtocolVersion: "2025-11-25"}}
	for i := range 100 {
		snap.Tools = append(snap.Tools, sealtest.Tool(b, fmt.Sprintf(`{"name":"tool_%d","description":%q,"inputSchema":{"type":"object","properties":{"path":{"type":"string","description":"The path of the file number %d"},"limit":{"type":"integer","minimum":1},"mode":{"enum":["a","b","c"]}},"required":["path"]},"annotations":{"readOnlyHint":true}}`, i, strings.Repeat("Reads a file and returns what it holds. ", 12), i)))
	}
	data, err := snap.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("s.interface.json"), data, 0o644); err != nil {
		b.Fatal(err)
	}
	run := func(args ...string) {
		var stdout, stderr bytes.Buffer
		if code := cli.NewCommand(&stdout, &stderr, func(string) string { return "" }).Main(b.Context(), args); code != cli.ExitHolds {
			b.Fatalf("%v: exit code %d\n%s%s", args, code, stdout.String(), stderr.String())
		}
	}
	run("keygen", "--output", at("key.json"))
	run("seal", "--key", at("key.json"), "--namespace", "io.github.acme", "--interface", at("s.interface.json"), "--output", at("m.json"))
	for b.Loop() {
		run("verify", at("m.json"), "--key", at("key.json"), "--interface", at("s.interface.json"))
	}
}

// BenchmarkCheck is check of 30 servers that one client starts, each a process of
// its own that lists one tool.
func BenchmarkCheck(b *testing.B) {
	const servers = 30
	home := b.TempDir()
	b.Setenv("HOME", home)
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	serve, tools := filepath.Join(home, "serve"), filepath.Join(home, "tools.json")
	if err := errors.Join(
		os.Symlink(self, serve), // by this name it is the server of the scripts
		os.WriteFile(tools, []byte(`[{"name":"read","description":"Reads.","inputSchema":{"type":"object"}}]`), 0o644),
		os.Mkdir(filepath.Join(home, ".cursor"), 0o755),
	); err != nil {
		b.Fatal(err)
	}
	var entries []string
	for n := range servers {
		entries = append(entries, fmt.Sprintf(`"s%d": {"command": %q, "args": [%q], "env": {"N": "%d"}}`, n, serve, tools, n))
	}
	config := fmt.Sprintf(`{"mcpServers": {%s}}`, strings.Join(entries, ","))
	if err := os.WriteFile(filepath.Join(home, ".cursor", "mcp.json"), []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var stdout, stderr bytes.Buffer
		args := []string{"check", "--yes", "--client", "cursor", "--memory", filepath.Join(home, "state")}
		if code := cli.NewCommand(&stdout, &stderr, func(string) string { return "" }).Main(b.Context(), args); code != cli.ExitHolds {
			b.Fatalf("exit code %d\n%s%s", code, stdout.String(), stderr.String())
		}
		if !strings.Contains(stdout.String(), fmt.Sprintf("%d servers: 0 pass, %d warn", servers, servers)) {
			b.Fatalf("got %s", stdout.String())
		}
	}
}
