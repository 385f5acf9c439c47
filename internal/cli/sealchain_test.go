package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/publish"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
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

// shows is a place that has one release as its newest.
type shows struct {
	publish.Place
	envelope []byte
	err      error
}

func (s shows) String() string { return "shelf" }

func (s shows) Latest(context.Context) (publish.Release, error) {
	return publish.Release{Envelope: s.envelope, Ref: "shelf"}, s.err
}

// TestSwappedBetweenReadingAndPublishing: what a place shows is looked at again
// before anything becomes visible.
func TestSwappedBetweenReadingAndPublishing(t *testing.T) {
	key := sealtest.Key(t, keys.Ed25519, "ours")
	release := func(name string) (envelope []byte, payload digest.Digest, raw []byte) {
		m := sealtest.Manifest(t, sealtest.Tools(t, 1)...)
		m.Server.Name = name
		e := sealtest.Seal(t, m, key)
		return sealtest.Marshal(t, e), e.PayloadDigest(digest.SHA256), e.Payload
	}
	before, read, _ := release("before")
	swapped, _, _ := release("swapped")
	own, _, payload := release("own")
	none := shows{err: verify.ErrNoRelease}
	for name, tt := range map[string]struct {
		read digest.Digest
		now  shows
		says string
	}{
		"the same":             {read, shows{envelope: before}, ""},
		"none, as before":      {"", none, ""},
		"ours, by another run": {read, shows{envelope: own}, ""},
		"another":              {read, shows{envelope: swapped}, "nothing was published"},
		"one where none was":   {"", shows{envelope: swapped}, "nothing was published"},
		"none where one was":   {read, none, "nothing was published"},
		"no manifest":          {read, shows{envelope: []byte("{}")}, "nothing was published"},
		"no answer":            {read, shows{err: verify.ErrUnavailable}, "could not be observed"},
	} {
		r := &sealRun{payload: payload, shown: []showing{{place: tt.now, payload: tt.read}}}
		err := r.stillThere(t.Context())
		if got := fmt.Sprint(err); (err != nil) != (tt.says != "") || !strings.Contains(got, tt.says) {
			t.Errorf("%s: got %v, want %q", name, err, tt.says)
		}
	}
}
