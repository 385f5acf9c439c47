package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/internal/cli"
	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/internal/server"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
	"github.com/mcp-integrity/seal-action/verify"
)

// A desk is where one entry point works on one vector: files, servers, keys
// and the command line.
type desk struct {
	testing.TB
	now time.Time
}

func newDesk(t testing.TB, v vector) *desk {
	d := &desk{TB: t, now: v.VerifiedAt}
	if d.now.IsZero() {
		d.now = sealtest.Time
	}
	return d
}

// file writes a file and returns its path.
func (d *desk) file(name string, data []byte) string {
	path := filepath.Join(d.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		d.Fatal(err)
	}
	return path
}

// signer is the key that signs what vectors bring unsigned.
var signer = sync.OnceValues(func() (keys.PrivateKey, error) {
	return keys.ReadPrivate(filepath.Join(vectorsDir, "keys", "publisher-ed25519.test-private.json"))
})

// seal signs a payload, whatever it is, as its publisher.
func (d *desk) seal(payload []byte) *seal.Envelope {
	key, err := signer()
	if err != nil {
		d.Fatal(err)
	}
	e := seal.NewEnvelope(payload)
	if err := e.Attest(key, sealtest.Statement()); err != nil {
		d.Fatal(err)
	}
	return e
}

func (d *desk) signerKeys() seal.Keys {
	key, err := signer()
	if err != nil {
		d.Fatal(err)
	}
	return sealtest.Keys(key)
}

// signerFile is the signer's public half as a file.
func (d *desk) signerFile() string {
	key, err := signer()
	if err != nil {
		d.Fatal(err)
	}
	jwk, err := key.Public().MarshalJWK()
	if err != nil {
		d.Fatal(err)
	}
	return d.file("key.json", jwk)
}

// verifier knows keys, and looks at nothing.
func (d *desk) verifier(keys seal.Keys) *verify.Verifier {
	return &verify.Verifier{
		Keys: keys, IdentityExpected: true, Policy: seal.DefaultPolicy,
		Now: func() time.Time { return d.now },
	}
}

// errorNames are the names of a result's errors.
func errorNames(r *verify.Result) []string {
	var all []string
	for _, e := range r.Errors {
		all = append(all, e.Name)
	}
	return all
}

func advisoryNames(r *verify.Result) []string {
	var all []string
	for _, a := range r.Advisories {
		all = append(all, a.Name)
	}
	return all
}

// A commandRun is how one command line ended.
type commandRun struct {
	t              testing.TB
	args           []string
	code           int
	stdout, stderr string
}

// command runs a command line in this process.
func (d *desk) command(args ...string) commandRun {
	var stdout, stderr bytes.Buffer
	none := func() (string, error) { return "", errors.New("no vector needs this user") }
	c := &cli.Command{
		Stdout: &stdout, Stderr: &stderr, Getenv: func(string) string { return "" },
		Now: func() time.Time { return d.now }, ConfigDir: none, User: none,
	}
	code := c.Main(d.Context(), args)
	run := commandRun{d, args, code, stdout.String(), stderr.String()}
	if strings.Contains(run.stderr, "a bug in mcp-integrity") {
		d.Errorf("%q: %s", args, run.stderr)
	}
	return run
}

// refusal is nil where the command ended with 0, and an error where it refused
// with that code. Any other code is neither, and fails the test.
func (r commandRun) refusal(code int) error {
	switch r.code {
	case cli.ExitHolds:
		return nil
	case code:
		return errors.New(r.stderr)
	}
	r.t.Errorf("%q: exit code %d, want 0 or %d: %s", r.args, r.code, code, r.stderr)
	return errors.New(r.stderr)
}

// exits returns nil when the command line ended with that code.
func (r commandRun) exits(want int) error {
	if r.code != want {
		return fmt.Errorf("exit code %d, want %d: %s%s", r.code, want, r.stderr, r.stdout)
	}
	return nil
}

// result is what verify --format json printed.
func (r commandRun) result() (*verify.Result, error) {
	var result verify.Result
	if err := strictjson.UnmarshalOpen([]byte(r.stdout), &result); err != nil {
		return nil, fmt.Errorf("exit code %d without a result: %w: %s", r.code, err, r.stderr)
	}
	return &result, nil
}

// exitCode is what an outcome gives in every mode but report_only.
func exitCode(o seal.Outcome) int {
	switch o {
	case seal.Fail:
		return cli.ExitFails
	case seal.Undecided:
		return cli.ExitUndecided
	}
	return cli.ExitHolds
}

// documents serves documents by their paths, and returns the site's URL.
func (d *desk) documents(byPath map[string][]byte) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := byPath[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data) // a reader that stops early has said why
	}))
	d.Cleanup(s.Close)
	return s.URL
}

// answers are what a tool server answers with: results, byte for byte.
type answers struct{ initialize, list []byte }

type serverInfo struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// lists are the answers of a server that lists tools.
func lists(info serverInfo, tools ...[]byte) answers {
	if info.Name == "" {
		info = serverInfo{"acme", "1.0.0"}
	}
	who, err := json.Marshal(info)
	if err != nil {
		panic(err) // two strings
	}
	return answers{
		initialize: []byte(`{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":` + string(who) + `}`),
		list:       []byte(`{"tools":[` + string(bytes.Join(tools, []byte(","))) + `]}`),
	}
}

// A call is what a tool server needs to know of a message.
type call struct {
	ID     json.RawMessage
	Method string
}

// to is the answer to one message; nil where there is none.
func (a answers) to(c call) []byte {
	result, ok := map[string][]byte{"initialize": a.initialize, "tools/list": a.list}[c.Method]
	if !ok {
		return nil
	}
	return []byte(`{"jsonrpc":"2.0","id":` + string(c.ID) + `,"result":` + string(result) + `}`)
}

// overHTTP runs a tool server over Streamable HTTP and returns its URL.
func (d *desk) overHTTP(a answers) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var c call
		if r.Method != http.MethodPost || json.NewDecoder(r.Body).Decode(&c) != nil {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		data := a.to(c)
		if data == nil {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(data) // a client that stops early has said why
	}))
	d.Cleanup(s.Close)
	return s.URL
}

// serveVariable names the directory of the answers that this binary serves.
const serveVariable = "CONFORMANCE_SERVE"

// overStdio is a tool server's command and its environment.
func (d *desk) overStdio(a answers) (command, env []string) {
	dir := d.TempDir()
	for name, data := range map[string][]byte{"initialize": a.initialize, "list": a.list} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			d.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		d.Fatal(err)
	}
	// Under the race detector a program waits for a second before it ends.
	return []string{self}, []string{serveVariable + "=" + dir, "GORACE=atexit_sleep_ms=0"}
}

// serve is this binary as a tool server: a message a line.
func serve(dir string) int {
	initialize, err := os.ReadFile(filepath.Join(dir, "initialize"))
	list, err2 := os.ReadFile(filepath.Join(dir, "list"))
	if err := errors.Join(err, err2); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	a := answers{initialize, list}
	for in := json.NewDecoder(os.Stdin); ; {
		var c call
		if in.Decode(&c) != nil {
			return 0
		}
		if data := a.to(c); data != nil {
			if _, err := os.Stdout.Write(append(data, '\n')); err != nil {
				return 1
			}
		}
	}
}

// listHTTP lists a tool server over HTTP.
func (d *desk) listHTTP(a answers) (*server.Listing, error) {
	return server.List(context.Background(), server.Target{URL: d.overHTTP(a)}, server.Options{})
}

// listStdio lists a tool server over stdio.
func (d *desk) listStdio(a answers) (*server.Listing, error) {
	command, env := d.overStdio(a)
	return server.List(context.Background(), server.Target{Command: command, Env: env}, server.Options{})
}
