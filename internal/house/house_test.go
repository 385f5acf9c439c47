package house

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/mcp-integrity/seal-action"

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module+"/")
		all = append(all, p)
	}
}

// impure are the packages by which a value would become an effect.
var impure = map[string]string{
	"os":        "a value does not read files or the environment",
	"os/exec":   "a value starts no process",
	"os/signal": "a value gets no signal",
	"os/user":   "a value has no user",
	"net":       "a value opens no socket",
	"net/http":  "a value opens no socket",
	"syscall":   "a value makes no system call",
	"io/ioutil": "it is package os by another name",
	"log":       "a value returns errors; who calls it talks",
	"log/slog":  "a value returns errors; who calls it talks",
	"unsafe":    "a value is what its type says",
	"math/rand": "the same input gives the same value",
}

// values are internal packages that are pure, too, and bound by the same rule.
var values = map[string]bool{"internal/escape": true, "internal/scan": true}

// roots are the packages that must be pure, with those below them.
var roots = []string{"seal", "verify", "lineage", "provenance"}

// doors name the one package that may import a heavy dependency, and why it is
// one.
var doors = []struct{ prefix, door, why string }{
	{"github.com/modelcontextprotocol/go-sdk", "internal/server", "its structs lose what a server sent; only raw bytes leave this package"},
	{"filippo.io/edwards25519", "internal/keys", "a JWK is checked there, and is a key with one meaning from then on"},
	{"github.com/google/go-containerregistry", "internal/artifact", "it brings a registry client and its credentials"},
	{"github.com/pelletier/go-toml/v2", "internal/artifact", "package metadata is read there"},
	{"github.com/goccy/go-yaml", "internal/strictyaml", "YAML is read in one way"},
	{"github.com/sergi/go-diff", "lineage", "words are compared there"},
	{"github.com/spf13/cobra", "internal/cli", "the command line is one table"},
	{"github.com/kballard/go-shellquote", "internal/cli", "only --server is split into words"},
	{"github.com/sigstore", "internal/keyless", "what a bundle proves is decided in one place"},
	{"github.com/sethvargo/go-githubactions", "internal/platform", "its commands can be injected into by a stranger's text"},
	{"github.com/coreos/go-oidc", "internal/platform", "identity tokens are read there, and leave it as facts"},
	{"github.com/slsa-framework/slsa-verifier", "internal/slsa", "it knows the builders of others"},
	{"github.com/in-toto", "provenance", "statements are written and checked there"},
	{"oras.land/oras-go", "internal/publish", "it brings a registry client and its credentials, and writes"},
	{"cel.dev/cel-go", "internal/rules", "what a rule may see and cost is decided in one place"},
	{"golang.org/x/mod", "lineage", "versions are put in order there"},
	{"golang.org/x/text/unicode/norm", "seal/fingerprint", "normalisation is linted, and never applied (decision 4)"},
}

func TestRootPackagesArePure(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		root := rootOf(p.ImportPath)
		if root == "" && !values[p.ImportPath] {
			continue
		}
		seen[root] = true
		for _, i := range p.Imports {
			if why, ok := impure[i]; ok {
				t.Errorf("%s imports %s: %s", p.ImportPath, i, why)
			}
			if inner, ok := strings.CutPrefix(i, module+"/"); ok && rootOf(inner) == "" && !values[inner] {
				t.Errorf("%s imports %s: a root package knows root packages only", p.ImportPath, inner)
			}
		}
	}
	for _, r := range roots {
		if !seen[r] {
			t.Errorf("there is no package %s: this rule guards nothing", r)
		}
	}
}

func rootOf(path string) string {
	for _, r := range roots {
		if path == r || strings.HasPrefix(path, r+"/") {
			return r
		}
	}
	return ""
}

func TestHeavyDependenciesHaveOneDoor(t *testing.T) {
	used := map[string]bool{}
	for _, p := range packages(t) {
		for _, i := range p.Imports {
			for _, d := range doors {
				if i != d.prefix && !strings.HasPrefix(i, d.prefix+"/") {
					continue
				}
				used[d.prefix] = true
				if p.ImportPath != d.door {
					t.Errorf("%s imports %s, whose door is %s: %s", p.ImportPath, i, d.door, d.why)
				}
			}
		}
	}
	for _, d := range doors {
		if !used[d.prefix] {
			t.Errorf("nobody imports %s: this rule guards nothing", d.prefix)
		}
	}
}

// TestNobodyReadsTheClock: root packages take the time as an argument.
func TestNobodyReadsTheClock(t *testing.T) {
	for _, root := range roots {
		out, err := exec.Command("git", "grep", "-n", "-E", `time\.(Now|Since|Until|Sleep|After|Tick)\(`, "--", ":(top)"+root+"/*.go", ":(top,exclude)*_test.go").Output()
		if len(out) > 0 {
			t.Errorf("%s reads the clock:\n%s", root, out)
		}
		// git grep exits with 1 where there is no match.
		if exit, ok := err.(*exec.ExitError); err != nil && (!ok || exit.ExitCode() > 1) {
			t.Fatalf("git grep: %v", err)
		}
	}
}

// TestFilesAreShort: no file that a newcomer would dread.
func TestFilesAreShort(t *testing.T) {
	const most = 500
	out, err := exec.Command("git", "grep", "-c", "", "--", ":/*.go").Output()
	if err != nil {
		t.Fatalf("git grep: %v", err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		name, count, _ := strings.Cut(line, ":")
		if n, err := strconv.Atoi(count); err != nil || n > most {
			t.Errorf("%s has %s lines, want at most %d", name, count, most)
		}
	}
}
