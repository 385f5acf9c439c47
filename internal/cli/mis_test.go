package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/verify"
)

const soleTool = `{"name":"a","description":"Does it.","inputSchema":{"type":"object"}}`

// found is a server, its host and a registry, each of which may have a manifest
// by a key of its own.
type found struct {
	*httptest.Server
	shown map[string][]byte // by path; a server's host is a registry's, too
	says  string            // manifest_url
	asked []string
}

// The places of MIS §18.4, with the key that signed what lies there.
const (
	saidPath     = "/said.json"
	hostPath     = "/.well-known/mcp-integrity.json"
	registryPath = "/v0/servers/io.github.acme%2Facme-file-tools/integrity"
)

func (f *found) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var call struct {
		ID     json.RawMessage
		Method string
	}
	body, err := io.ReadAll(r.Body)
	switch {
	case r.URL.Path != "/mcp":
		at := r.URL.EscapedPath()
		f.asked = append(f.asked, at)
		if data, ok := f.shown[at]; ok {
			w.Write(data)
		} else {
			http.NotFound(w, r)
		}
		return
	case err != nil || json.Unmarshal(body, &call) != nil || r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	result := func(text string) { fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, call.ID, text) }
	switch call.Method {
	case "initialize":
		extension := ""
		if f.says != "" {
			extension = fmt.Sprintf(`,"extensions":{"mcp-integrity/v1":{"seal_level":3,"manifest_url":%q}}`, f.says)
		}
		result(`{"protocolVersion":"2025-11-25","capabilities":{"tools":{}` + extension + `},"serverInfo":{"name":"acme-file-tools","version":"1.2.4"}}`)
	case "tools/list":
		result(`{"tools":[` + soleTool + `]}`)
	default:
		w.WriteHeader(http.StatusAccepted)
	}
}

// TestDiscoveryOrder takes the places of a manifest away, one after the other
// (MIS §18.3, §18.4). What is found is told by who signed it.
func TestDiscoveryOrder(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	f := &found{shown: map[string][]byte{}}
	f.Server = httptest.NewServer(f)
	defer f.Close()
	var public []keys.PublicKey
	sealed := func(by string) []byte {
		key := sealtest.Key(t, keys.Ed25519, by)
		public = append(public, key.Public())
		return sealtest.Marshal(t, sealtest.Seal(t, sealtest.Manifest(t, sealtest.Tool(t, soleTool)), key))
	}
	f.says, f.shown[saidPath] = f.URL+saidPath, sealed("said")
	write(t, "mcp-integrity.json", sealed("beside"))
	f.shown[hostPath], f.shown[registryPath] = sealed("host"), sealed("registry")
	set, err := keys.NewSet(public...)
	if err != nil {
		t.Fatal(err)
	}
	data, err := set.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write(t, "keys.json", data)
	named := []string{"--jwks", "keys.json", "--namespace", sealtest.Namespace, "--registry", f.URL}

	for _, step := range []struct {
		want  string // whose key
		asked string
		gone  func() // afterwards
	}{
		{"said", saidPath, func() { f.says = "" }},
		{"beside", "", func() { os.Remove("mcp-integrity.json") }},
		{"host", hostPath, func() { delete(f.shown, hostPath) }},
		{"registry", hostPath + " " + registryPath, func() { delete(f.shown, registryPath) }},
		{"", hostPath + " " + registryPath, func() {}},
	} {
		f.asked = nil
		_, r := verified(t, f, named...)
		got := ""
		if r.Publisher != nil {
			got = r.Publisher.KeyID
		}
		if got != step.want || strings.Join(f.asked, " ") != step.asked {
			t.Errorf("got the manifest of %q, asked for %q; want %q, %q", got, f.asked, step.want, step.asked)
		}
		step.gone()
	}
	// Last, what the server serves is kept.
	if _, r := verified(t, f); r.FirstUse == nil || len(r.Advisories) == 0 || r.Advisories[0].Name != "MANIFEST_NOT_FOUND" {
		t.Errorf("no manifest anywhere: got %+v", r)
	}
}

// TestUnreachableManifest: where the server's own manifest_url leads nowhere, the
// server is at level 0, no manifest of elsewhere is taken in its place, and that
// is logged (MIS §17.2).
func TestUnreachableManifest(t *testing.T) {
	t.Chdir(t.TempDir())
	f := &found{shown: map[string][]byte{}}
	f.Server = httptest.NewServer(f)
	defer f.Close()
	elsewhere := sealtest.Marshal(t, sealtest.Seal(t, sealtest.Manifest(t, sealtest.Tool(t, soleTool)), sealtest.Key(t, keys.Ed25519, "k")))
	f.says, f.shown[hostPath] = f.URL+"/gone.json", elsewhere
	write(t, "mcp-integrity.json", elsewhere)
	code, r := verified(t, f, "--audit-log", "audit.jsonl")
	if code != ExitUndecided || r.TrustLevel != 0 || len(r.Advisories) == 0 || r.Advisories[0].Name != "MANIFEST_FETCH_FAILED" {
		t.Errorf("got exit code %d, level %d, %+v", code, r.TrustLevel, r.Advisories)
	}
	if log, err := os.ReadFile("audit.jsonl"); err != nil || !bytes.Contains(log, []byte(`"event_type":"manifest_fetch_failed"`)) {
		t.Errorf("log: %s, %v", log, err)
	}
}

// TestNothingIsLoggedUnasked: the log is switched on, and off again by leaving
// it out (MIS §24).
func TestNothingIsLoggedUnasked(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	f := &found{}
	f.Server = httptest.NewServer(f)
	defer f.Close()
	verified(t, f, "--memory", "none")
	if all, err := filepath.Glob("*"); err != nil || len(all) != 0 {
		t.Errorf("a run wrote %q (%v)", all, err)
	}
}

// verified runs verify against a server, and reads what it prints.
func verified(t *testing.T, f *found, args ...string) (int, verify.Result) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c := newTestCommand(&stdout, &stderr)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	c.ConfigDir = func() (string, error) { return filepath.Join(here, "config"), nil }
	code := c.Main(t.Context(), append([]string{"verify", "--server-url", f.URL + "/mcp", "--format", "json"}, args...))
	var r verify.Result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("%v\n%s\n%s", err, stdout.String(), stderr.String())
	}
	return code, r
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestKeysOfANamespace: the keys of com.example lie on example.com and nowhere
// else; a name that merely looks like a domain's leads to no host (MIS §16.1,
// decision 12).
func TestKeysOfANamespace(t *testing.T) {
	for namespace, want := range map[string]string{
		"com.example":         "example.com",
		"com.example.tools":   "tools.example.com",
		"dev.xn--bcher-kva":   "xn--bcher-kva.dev",
		"io.github.acme":      "", // the forge's certificates speak for it
		"io.github.acme.evil": "",
		"io.gitlab.acme":      "",
		"io.gitlab.a.b":       "",
		"local.kim":           "",
		"com":                 "",
		"":                    "",
		"com.example.":        "",
		"com..example":        "",
		"com.Example":         "",
		"com.exаmple":         "", // with a Cyrillic а
		"com.example/evil":    "",
		"com.example@evil":    "",
		"com.example:8443":    "",
		"com.-example":        "",
		"1.0.0.127":           "",
		"com.example\n":       "",
	} {
		if got := domainOf(namespace); got != want {
			t.Errorf("%q: got %q, want %q", namespace, got, want)
		}
	}
}
