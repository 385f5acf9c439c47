package cli

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// besides are the recorded files that stand beside a manifest.
var besides = map[string]fileKind{
	"mcp-integrity.json":                          manifestFile,
	"mcp-integrity.interface.json":                snapshotFile,
	"mcp-integrity.provenance.sigstore.json":      bundleFile,
	"../../testdata/keyless/trusted_root.json":    manifestFile,
	"../../testdata/keyless/acme-tools-1.2.4.tgz": manifestFile,
}

func besideData(t testing.TB, name string) []byte {
	t.Helper()
	if !strings.HasPrefix(name, "..") {
		name = "../../testdata/keyless/github/" + name
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestKindOf(t *testing.T) {
	for name, want := range besides {
		if got := kindOf(besideData(t, name)); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for data, want := range map[string]fileKind{
		``: manifestFile, `[]`: manifestFile, `{}`: manifestFile, `{"payloadType":1}`: manifestFile,
		`{"PayloadType":"application/vnd.in-toto+json"}`:                                                manifestFile,
		`{"payloadType":"application/vnd.in-toto+json","payloadType":"x"}`:                              manifestFile,
		`{"payloadType":"application/vnd.mcp-integrity.manifest+json","snapshot_version":"1.0"}`:        manifestFile,
		`{"payloadType":"application/vnd.in-toto+json","payload":"","signatures":[]}`:                   statementFile,
		`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","payloadType":"application/x"}`:   bundleFile,
		`{"snapshot_version":"9","server":{},"conditions":{},"tools":[],"a member of the future":null}`: snapshotFile,
	} {
		if got := kindOf([]byte(data)); got != want {
			t.Errorf("%s: got %q, want %q", data, got, want)
		}
	}
}

func TestNotManifest(t *testing.T) {
	for _, tt := range []struct{ data, name, err, hint string }{
		{`{"snapshot_version":"1.0"}`, "a b.interface.json", "is an interface snapshot, not a manifest", "mcp-integrity verify 'a b.json' --interface 'a b.interface.json'"},
		{`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`, "r.provenance.sigstore.json", "is a Sigstore bundle, not a manifest", "mcp-integrity verify r.json --provenance r.provenance.sigstore.json"},
		{`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`, "other.jsonl", "is a Sigstore bundle", "mcp-integrity verify mcp-integrity.json --provenance other.jsonl"},
		{`{"payloadType":"application/vnd.in-toto+json"}`, "vsa.json", "is a signed in-toto statement", "mcp-integrity inspect vsa.json"},
	} {
		err := notManifest([]byte(tt.data), tt.name)
		var exit *exitError
		if !errors.As(err, &exit) || exit.code != ExitFails || !strings.Contains(err.Error(), tt.err) || !strings.Contains(exit.hint, tt.hint) {
			t.Errorf("%s: got %v %+v, want %q and the hint %q", tt.name, err, exit, tt.err, tt.hint)
		}
	}
	if err := notManifest(besideData(t, "mcp-integrity.json"), "x"); err != nil {
		t.Errorf("a manifest: %v", err)
	}
}

// FuzzKindOf: no file breaks the look at it, and what is told to be no manifest
// is none.
func FuzzKindOf(f *testing.F) {
	for name := range besides {
		if data := besideData(f, name); len(data) < 1<<16 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if (kindOf(data) == manifestFile) != (notManifest(data, "x") == nil) {
			t.Errorf("kind %q and error %v", kindOf(data), notManifest(data, "x"))
		}
	})
}
