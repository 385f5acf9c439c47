package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/cli"
	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
)

// TestAttestorsAtOnce: whoever is told that the attestation stands finds it there,
// however many attest at once, and by whatever name of the file.
func TestAttestorsAtOnce(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	at := func(name string) string { return filepath.Join(dir, name) }
	publisher := sealtest.Key(t, keys.Ed25519, "acme")
	e := sealtest.Seal(t, sealtest.Manifest(t, sealtest.Tools(t, 1)...), publisher)
	if err := os.WriteFile(at("m.json"), sealtest.Marshal(t, e), 0o644); err != nil {
		t.Fatal(err)
	}
	const attestors = 6
	var wait sync.WaitGroup
	codes := make([]int, attestors)
	for n := range attestors {
		name := string(rune('a' + n))
		if err := keys.WritePrivate(at(name), sealtest.Key(t, keys.Ed25519, name)); err != nil {
			t.Fatal(err)
		}
		output := at("m.json")
		if n%2 == 1 {
			output = dir + "/./m.json"
		}
		wait.Go(func() {
			var stdout, stderr bytes.Buffer
			args := []string{"attest", at("m.json"), "--role", "auditor", "--type", "code_review_passed", "--key", at(name), "--output", output}
			codes[n] = cli.NewCommand(&stdout, &stderr, func(string) string { return "" }).Main(t.Context(), args)
		})
	}
	wait.Wait()
	data, err := os.ReadFile(at("m.json"))
	if err != nil {
		t.Fatal(err)
	}
	if e, err = seal.ParseEnvelope(data); err != nil {
		t.Fatal(err)
	}
	held := map[string]bool{}
	for _, s := range e.Signatures {
		held[s.KeyID] = true
	}
	done := 0
	for n, code := range codes {
		name := string(rune('a' + n))
		switch {
		case code == cli.ExitHolds && !held[name]:
			t.Errorf("%s was told that its attestation stands, and it is lost", name)
		case code == cli.ExitHolds:
			done++
		case code != cli.ExitUndecided:
			t.Errorf("%s: exit code %d", name, code)
		}
	}
	if done == 0 || len(e.Signatures) != done+1 {
		t.Errorf("%d attested, and there are %d signatures", done, len(e.Signatures))
	}
}
