package tofu

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestNothingHereCanSend: what is kept about a user's servers, and what is logged,
// stays on the machine, since the code that holds it knows no way out (MIS §24).
func TestNothingHereCanSend(t *testing.T) {
	const own = "github.com/mcp-integrity/seal-action/"
	// What verify and seal reach is held to be pure by package house.
	pure := []string{"verify", "seal", "lineage", "provenance"}
	seen, todo := map[string]bool{}, []string{"internal/tofu", "internal/memory", "internal/audit"}
	for len(todo) > 0 {
		pkg := todo[0]
		todo = todo[1:]
		if seen[pkg] {
			continue
		}
		seen[pkg] = true
		imports := importsOf(t, filepath.Join("..", "..", filepath.FromSlash(pkg)))
		for _, path := range imports {
			if path == "net" || strings.HasPrefix(path, "net/") || path == "os/exec" {
				t.Errorf("%s imports %s", pkg, path)
			}
			inner, ok := strings.CutPrefix(path, own)
			root, _, _ := strings.Cut(inner, "/")
			if ok && !slices.Contains(pure, root) {
				todo = append(todo, inner)
			}
		}
	}
	if !seen["internal/vault"] {
		t.Errorf("looked at %v, and not at what they are built on", seen)
	}
}

// importsOf are the packages that a directory's Go files import, tests aside, on
// any system.
func importsOf(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(names), err)
	}
	var all []string
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, data, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, path)
		}
	}
	return all
}
