package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

// plainTreeDigest is the tree digest written a second time, from the package
// comment alone, with nothing but the standard library: collect, sort, hash.
func plainTreeDigest(t testing.TB, dir string) digest.Digest {
	t.Helper()
	lines := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		switch name {
		case ".git":
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case "mcp-integrity.json", "mcp-integrity.interface.json", "mcp-integrity.provenance.sigstore.json":
			return nil
		}
		if d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		kind, content := "f", ""
		if info.Mode()&fs.ModeSymlink != 0 {
			kind = "l"
			if content, err = os.Readlink(p); err != nil {
				return err
			}
		} else {
			if info.Mode()&0o100 != 0 {
				kind = "x"
			}
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			content = string(data)
		}
		sum := sha256.Sum256([]byte(content))
		lines[name] = fmt.Sprintf("%s %d %s %d %s\n", kind, len(name), name, len(content), hex.EncodeToString(sum[:]))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range lines {
		names = append(names, name)
	}
	slices.Sort(names)
	listing := "mcp-integrity tree v1\n"
	for _, name := range names {
		listing += lines[name]
	}
	return sha256Of(listing)
}

func treeOf(t testing.TB, dir string) Found {
	t.Helper()
	return identifyOK(t, dir, Options{Type: seal.Source})
}

// portableTree is a tree that every system keeps as it is. Its names are those
// that sort one way as whole paths and another way directory by directory.
var portableTree = map[string]string{
	"README.md": "hello\n", "empty": "", "a-b": "1", "a/b": "2", "a.b": "3", "a/b-c/d": "4", "a/b.c": "5", "ab": "6",
	"with blank": "7", "ünïcode": "8", "src/main.go": "package main\n", "src/.git": "gitdir: ../.git/modules/src\n", "src/mcp-integrity.json": envelope,
}

func makeTree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		write(t, dir, name, data)
	}
	return dir
}

// The number is that of a shell which knows nothing of this package:
//
//	{ echo 'mcp-integrity tree v1'
//	  find . -type f | sed 's|^\./||' | LC_ALL=C sort | while IFS= read -r p; do
//	    printf 'f %d %s %d %s\n' "$(printf %s "$p" | wc -c)" "$p" "$(wc -c < "$p")" "$(sha256sum < "$p" | cut -c1-64)"
//	  done; } | sha256sum
const portableTreeDigest = "sha256:31759e9d1af5d18bb0e590f150dae26eb254724d086a1d3e0d84c25d9495a86b"

func TestTreeDigest(t *testing.T) {
	dir := makeTree(t, portableTree)
	got := treeOf(t, dir)
	if got.Artifact.Digest != portableTreeDigest {
		t.Errorf("got %s, want %s", got.Artifact.Digest, portableTreeDigest)
	}
	if plain := plainTreeDigest(t, dir); plain != portableTreeDigest {
		t.Errorf("the second implementation gives %s, want %s", plain, portableTreeDigest)
	}
	for _, workers := range []int{1, 3, 16} {
		if other := identifyOK(t, dir, Options{Concurrency: workers}); other.Artifact.Digest != portableTreeDigest {
			t.Errorf("%d workers: got %s, want %s", workers, other.Artifact.Digest, portableTreeDigest)
		}
	}
	long := identifyOK(t, dir, Options{Algorithm: digest.SHA512}).Artifact.Digest
	if long.Algorithm() != digest.SHA512 || long.Validate() != nil {
		t.Errorf("got %s, want a sha512 digest", long)
	}
	if err := Recheck(context.Background(), got, Options{}); err != nil {
		t.Error(err)
	}
}

// What does not count changes nothing; all else does.
func TestTreeDigestCovers(t *testing.T) {
	tests := map[string]struct {
		change func(t *testing.T, dir string)
		same   bool
	}{
		"git directory":   {func(t *testing.T, dir string) { write(t, dir, ".git/config", "x") }, true},
		"git file":        {func(t *testing.T, dir string) { write(t, dir, ".git", "gitdir: elsewhere") }, true},
		"manifest":        {func(t *testing.T, dir string) { write(t, dir, "mcp-integrity.json", "x") }, true},
		"snapshot":        {func(t *testing.T, dir string) { write(t, dir, "mcp-integrity.interface.json", "x") }, true},
		"provenance":      {func(t *testing.T, dir string) { write(t, dir, "mcp-integrity.provenance.sigstore.json", "x") }, true},
		"empty directory": {func(t *testing.T, dir string) { mustDo(t, os.MkdirAll(filepath.Join(dir, "x", "y"), 0o755)) }, true},
		"time":            {func(t *testing.T, dir string) { touch(t, filepath.Join(dir, "empty")) }, true},
		"content":         {func(t *testing.T, dir string) { write(t, dir, "a-b", "2") }, false},
		"added":           {func(t *testing.T, dir string) { write(t, dir, "a/new", "") }, false},
		"removed":         {func(t *testing.T, dir string) { mustDo(t, os.Remove(filepath.Join(dir, "empty"))) }, false},
		"renamed": {func(t *testing.T, dir string) {
			mustDo(t, os.Rename(filepath.Join(dir, "ab"), filepath.Join(dir, "ac")))
		}, false},
		"moved": {func(t *testing.T, dir string) {
			mustDo(t, os.Rename(filepath.Join(dir, "ab"), filepath.Join(dir, "a", "b"+"x")))
		}, false},
		"manifest below":       {func(t *testing.T, dir string) { write(t, dir, "src/mcp-integrity.json", "y") }, false},
		"manifest directory":   {func(t *testing.T, dir string) { write(t, dir, "mcp-integrity.json/index.js", "y") }, false},
		"git file below":       {func(t *testing.T, dir string) { write(t, dir, "src/.git", "y") }, false},
		"git in capitals":      {func(t *testing.T, dir string) { write(t, dir, ".GIT/x.js", "y") }, false},
		"ignored dependency":   {func(t *testing.T, dir string) { write(t, dir, "node_modules/x/index.js", "y") }, false},
		"another manifest":     {func(t *testing.T, dir string) { write(t, dir, "mcp-integrity.yaml", "y") }, false},
		"other provenance":     {func(t *testing.T, dir string) { write(t, dir, "x.provenance.sigstore.json", "y") }, false},
		"two contents swapped": {func(t *testing.T, dir string) { write(t, dir, "a-b", "3"); write(t, dir, "a.b", "1") }, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := makeTree(t, portableTree)
			test.change(t, dir)
			got := treeOf(t, dir).Artifact.Digest
			if (got == portableTreeDigest) != test.same {
				t.Errorf("got %s, same as before: want %v", got, test.same)
			}
			if plain := plainTreeDigest(t, dir); plain != got {
				t.Errorf("got %s, want %s by the second implementation", got, plain)
			}
		})
	}
}

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func touch(t testing.TB, p string) {
	t.Helper()
	info, err := os.Stat(p)
	mustDo(t, err)
	mustDo(t, os.Chtimes(p, info.ModTime().Add(1e9), info.ModTime().Add(1e9)))
}

func TestTreeRefuses(t *testing.T) {
	deep := t.TempDir()
	write(t, deep, strings.Repeat("d/", maxTreeDepth+1)+"f", "x")
	layoutless := t.TempDir()
	tests := map[string]struct {
		dir  string
		o    Options
		want string
	}{
		"too deep":         {deep, Options{}, "more than 200 directories deep"},
		"as npm":           {layoutless, Options{Type: seal.NPM}, `is a directory, which cannot be of type "npm"`},
		"as image":         {layoutless, Options{Type: seal.Docker}, "oci-layout: is not there"},
		"bundle":           {layoutless, Options{Scope: seal.ScopeBundle}, "does not carry all it needs"},
		"no entrypoint":    {layoutless, Options{Scope: seal.ScopeEntrypoint}, "names no main executable file"},
		"not there":        {filepath.Join(layoutless, "x"), Options{}, "artifact"},
		"bad package.json": {makeTree(t, map[string]string{"package.json": `{"name":"a","name":"b"}`}), Options{}, "package.json: not strict JSON"},
		"bad Cargo.toml":   {makeTree(t, map[string]string{"Cargo.toml": "["}), Options{}, "Cargo.toml: toml"},
		"bad pyproject":    {makeTree(t, map[string]string{"pyproject.toml": "["}), Options{}, "pyproject.toml: toml"},
		"bad go.mod":       {makeTree(t, map[string]string{"go.mod": "go 1.26\n"}), Options{}, "go.mod: has no module line"},
		"huge package.json": {makeTree(t, map[string]string{"package.json": strings.Repeat(" ", maxMetadata+1)}),
			Options{}, `"package.json": more than 4194304 bytes`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Identify(context.Background(), test.dir, test.o)
			wantErr(t, err, test.want)
		})
	}
}

func TestSourceFacts(t *testing.T) {
	const repo = "https://github.com/acme/tools"
	project := "[project]\nname = \"acme-py\"\nversion = \"2.0\"\n[project.urls]\nHomepage = \"https://acme.example\"\n\"Source Code\" = \"" + repo + "\"\n"
	tests := map[string]struct {
		files map[string]string
		want  Found
	}{
		"package.json": {map[string]string{"package.json": packageJSONText}, Found{Artifact: seal.Artifact{Identifier: "@acme/tools", Version: "1.2.4"},
			MCPName: "io.github.acme/tools", Repository: repo, Directory: "packages/x", License: "MIT", Entrypoint: "dist/cli.js"}},
		"pyproject.toml": {map[string]string{"pyproject.toml": project}, Found{Artifact: seal.Artifact{Identifier: "acme-py", Version: "2.0"}, Repository: repo}},
		"dynamic version": {map[string]string{"pyproject.toml": "[project]\nname = \"x\"\ndynamic = [\"version\"]\n"},
			Found{Artifact: seal.Artifact{Identifier: "x"}}},
		"Cargo.toml": {map[string]string{"Cargo.toml": cargoText}, Found{Artifact: seal.Artifact{Identifier: "acme-tools", Version: "1.2.4"}, Repository: repo, License: "MIT"}},
		"go.mod": {map[string]string{"go.mod": "// comment\nmodule github.com/acme/tools/v2 // here\n\ngo 1.26\n"},
			Found{Artifact: seal.Artifact{Identifier: "github.com/acme/tools/v2"}, Repository: repo}},
		"two that differ": {map[string]string{"package.json": `{"name":"a","version":"1"}`, "pyproject.toml": project},
			Found{Artifact: seal.Artifact{Identifier: "a", Version: "1"}, Entrypoint: "index.js",
				Notes: []string{`package.json says "a" version "1", pyproject.toml says "acme-py" version "2.0": the first is taken`}}},
		"one without a name": {map[string]string{"package.json": `{"private":true}`, "pyproject.toml": project},
			Found{Artifact: seal.Artifact{Identifier: "acme-py", Version: "2.0"}, Repository: repo, Entrypoint: "index.js"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := makeTree(t, test.files)
			got, want := identifyOK(t, dir, Options{}), test.want
			want.Ref, want.Path, want.Kind, want.Size = dir, dir, "source tree", got.Size
			want.Artifact.Type, want.Artifact.Scope, want.Artifact.Digest = seal.Source, seal.ScopePackage, got.Artifact.Digest
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Identify (-want +got):\n%s", diff)
			}
		})
	}
	bare := t.TempDir()
	if got := identifyOK(t, bare, Options{}); got.Artifact.Identifier != filepath.Base(bare) || got.Artifact.Version != "" {
		t.Errorf("tree without a source file: got %+v, want the directory's name and no version", got.Artifact)
	}
	dir := makeTree(t, map[string]string{"package.json": packageJSONText, "dist/cli.js": helloText})
	if got := identifyOK(t, dir, Options{Scope: seal.ScopeEntrypoint}); got.Artifact.Digest != sha256Of(helloText) {
		t.Errorf("entrypoint: got %s, want %s", got.Artifact.Digest, sha256Of(helloText))
	}
}
