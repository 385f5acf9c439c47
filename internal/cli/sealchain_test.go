package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// TestRerunTakesOnlyOurs: a stranger who can write to a place adds an attestation
// of his own to our envelope, and a snapshot that it names. The next run of the
// same release takes neither.
func TestRerunTakesOnlyOurs(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	key := sealtest.Key(t, keys.Ed25519, "ours")
	if err := keys.WritePrivate(at("key.json"), key); err != nil {
		t.Fatal(err)
	}
	snapshot := fingerprint.Snapshot{Server: fingerprint.ServerInfo{Name: "acme", Version: "1.0.0"}, Tools: sealtest.Tools(t, 2)}
	data, err := snapshot.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("tools.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		args = append([]string{"seal", "--key", at("key.json"), "--namespace", "io.github.acme", "--interface", at("tools.json"), "--output", at("mcp-integrity.json")}, args...)
		if code := newTestCommand(&stdout, &stderr).Main(t.Context(), args); code != ExitHolds {
			t.Fatalf("exit code %d\n%s%s", code, &stdout, &stderr)
		}
		return stdout.String()
	}
	run("--publish", "dir:"+at("d"))

	standing := read(t, at("d/mcp-integrity.json"))
	e, err := seal.ParseEnvelope(standing)
	if err != nil {
		t.Fatal(err)
	}
	forged := bytes.Replace(data, []byte("acme"), []byte("evil"), 1)
	s := sealtest.Statement()
	s.InterfaceSnapshot = digest.FromBytes(forged)
	if err := e.Attest(sealtest.Key(t, keys.Ed25519, "theirs"), s); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"d/mcp-integrity.json": sealtest.Marshal(t, e), "d/mcp-integrity.interface.json": forged} {
		if err := os.WriteFile(at(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out := run("--publish", "dir:"+at("d"), "--publish", "dir:"+at("e")); !strings.Contains(out, "its manifest is used again") {
		t.Errorf("it is no rerun:\n%s", out)
	}
	for _, name := range []string{"mcp-integrity", "e/mcp-integrity"} {
		if got := read(t, at(name+".interface.json")); !bytes.Equal(got, data) {
			t.Errorf("%s.interface.json is not what this run saw:\n%s", name, got)
		}
		e, err := seal.ParseEnvelope(read(t, at(name+".json")))
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Signatures) != 1 || e.Signatures[0].KeyID != "ours" {
			t.Errorf("%s.json has %d signatures, the first by %q; want ours alone", name, len(e.Signatures), e.Signatures[0].KeyID)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
