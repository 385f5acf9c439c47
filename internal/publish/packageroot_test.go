package publish

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	artifacts "github.com/mcp-integrity/seal-action/internal/artifact"
	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// withArtifact is a release whose tools have an artifact.
func withArtifact(t testing.TB, a seal.Artifact) Sealed {
	t.Helper()
	return releaseOf(t, sealtest.Key(t, keys.Ed25519, "k"), 0, "", func(m *seal.Manifest, _ *seal.Statement) { m.Tools[0].Artifact = &a })
}

func TestPackageStory(t *testing.T) {
	dir := t.TempDir()
	p := mustOpen(t, "package:"+dir, testEnv())
	if err := p.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
	if _, err := p.Latest(t.Context()); !errors.Is(err, verify.ErrNoRelease) {
		t.Errorf("Latest of nothing: %v", err)
	}
	if got := listOf(t, p); got != nil {
		t.Errorf("List of nothing: %v", got)
	}
	story := releases(t, 4)
	for _, n := range []int{0, 1, 3} { // the build of 2 did not get so far
		r := mustPublish(t, p, story[n], Published)
		if r.URL != filepath.Join(dir, "mcp-integrity.json") || r.Notes != nil {
			t.Errorf("receipt %v", r)
		}
		mustPublish(t, p, story[n], AlreadyThere)
		if diff := cmp.Diff(map[string]string{"mcp-integrity.json": string(story[n].Envelope)}, treeOf(t, dir)); diff != "" {
			t.Errorf("what stands there (-want +got):\n%s", diff)
		}
	}
	if r, err := p.Latest(t.Context()); err != nil || string(r.Envelope) != string(story[3].Envelope) {
		t.Errorf("Latest: %v", err)
	}
	if r, err := p.Find(t.Context(), story[3].Payload); err != nil || string(r.Envelope) != string(story[3].Envelope) {
		t.Errorf("Find: %v", err)
	}
	if _, err := p.Find(t.Context(), story[0].Payload); !errors.Is(err, verify.ErrNoRelease) {
		t.Errorf("Find of an earlier one: %v", err)
	}
	if got := listOf(t, p); len(got) != 1 || got[0] != story[3].Payload {
		t.Errorf("List: %v", got)
	}
	other := releaseOf(t, sealtest.Key(t, keys.Ed25519, "k"), 9, story[3].Payload, func(m *seal.Manifest, _ *seal.Statement) { m.Server.Name = "another" })
	for name, s := range map[string]Sealed{"an older release": story[1], "the one before": story[2], "another server's": other} {
		if _, err := p.Publish(t.Context(), s); !errors.Is(err, ErrConflict) || !strings.Contains(hintOf(err), "delete") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPackageFaults(t *testing.T) {
	story := releases(t, 2)
	for _, after := range []bool{false, true} {
		dir := t.TempDir()
		mustPublish(t, mustOpen(t, "package:"+dir, testEnv()), story[0], Published)
		p := mustOpen(t, "package:"+dir, testEnv())
		p.(*packageRoot).step = (&faulty{after: after}).step
		if _, err := p.Publish(t.Context(), story[1]); !errors.Is(err, errFault) {
			t.Errorf("after %v: %v", after, err)
		}
		want := map[bool]State{false: Published, true: AlreadyThere}[after]
		mustPublish(t, mustOpen(t, "package:"+dir, testEnv()), story[1], want)
		if diff := cmp.Diff(map[string]string{"mcp-integrity.json": string(story[1].Envelope)}, treeOf(t, dir)); diff != "" {
			t.Errorf("after %v (-want +got):\n%s", after, diff)
		}
	}
}

// TestPackageSound: a manifest that would change its own artifact's digest does not
// go into the package.
func TestPackageSound(t *testing.T) {
	d := digest.FromString("x")
	for name, tt := range map[string]struct {
		artifact seal.Artifact
		ok       bool
	}{
		"npm":                  {seal.Artifact{Type: seal.NPM, Identifier: "a", Version: "1", Digest: d}, false},
		"npm, by name":         {seal.Artifact{Type: seal.NPM, Identifier: "a", Version: "1", Digest: d, Scope: seal.ScopePackage}, false},
		"npm's entrypoint":     {seal.Artifact{Type: seal.NPM, Identifier: "a", Version: "1", Digest: d, Scope: seal.ScopeEntrypoint}, true},
		"a bundle":             {seal.Artifact{Type: seal.MCPB, Identifier: "a", Version: "1", Digest: d, Scope: seal.ScopeBundle}, false},
		"an image":             {seal.Artifact{Type: seal.Docker, Identifier: "a", Version: "1", Digest: d}, false},
		"a source's main file": {seal.Artifact{Type: seal.Source, Identifier: "a", Version: "1", Digest: d, Scope: seal.ScopeEntrypoint}, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p := mustOpen(t, "package:"+dir, testEnv())
			_, early := p.AttestationURI(Coming{Artifact: &tt.artifact, Provenance: true})
			_, err := p.Publish(t.Context(), withArtifact(t, tt.artifact))
			for when, err := range map[string]error{"before": early, "then": err} {
				if tt.ok != (err == nil) || !tt.ok && !strings.Contains(hintOf(err), "--digest-scope entrypoint") {
					t.Errorf("%s: got %v, hint %q", when, err, hintOf(err))
				}
			}
			if got := treeOf(t, dir); !tt.ok && len(got) > 0 {
				t.Errorf("it wrote %v", got)
			}
		})
	}
	if uri, err := mustOpen(t, "package:x", testEnv()).AttestationURI(Coming{}); uri != "" || err != nil {
		t.Errorf("no artifact: %q, %v", uri, err)
	}
}

// TestPackageTree: a source's digest leaves the manifest out, but only at the root
// of the tree that it covers.
func TestPackageTree(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "index.js", []byte("x"))
	writeFile(t, dir, "inner/package.json", []byte(`{"name":"a","version":"1"}`))
	found, err := artifacts.Identify(t.Context(), dir, artifacts.Options{Type: seal.Source})
	if err != nil {
		t.Fatal(err)
	}
	found.Artifact.Version = "1"
	s := withArtifact(t, found.Artifact)
	mustPublish(t, mustOpen(t, "package:"+dir, testEnv()), s, Published)
	again, err := artifacts.Identify(t.Context(), dir, artifacts.Options{Type: seal.Source})
	if err != nil || again.Artifact.Digest != found.Artifact.Digest {
		t.Errorf("the digest with the manifest: got %s, %v, want %s", again.Artifact.Digest, err, found.Artifact.Digest)
	}
	mustPublish(t, mustOpen(t, "package:"+dir, testEnv()), s, AlreadyThere)
	inner := filepath.Join(dir, "inner")
	if _, err := mustOpen(t, "package:"+inner, testEnv()).Publish(t.Context(), s); err == nil || !strings.Contains(err.Error(), "not this directory's") {
		t.Errorf("below the tree's root: %v", err)
	}
	if _, err := os.Stat(filepath.Join(inner, "mcp-integrity.json")); err == nil {
		t.Error("it wrote below the tree's root")
	}
}

func TestPackageWrongRoots(t *testing.T) {
	base := t.TempDir()
	writeFile(t, base, "file", nil)
	writeFile(t, base, "taken/mcp-integrity.json/x", nil)
	s := releases(t, 1)[0]
	for _, name := range []string{"missing", "file", "taken"} {
		p := mustOpen(t, "package:"+filepath.Join(base, name), testEnv())
		_, err := p.Publish(t.Context(), s)
		var at *Error
		if checked := p.Check(t.Context()); checked == nil || !errors.As(err, &at) {
			t.Errorf("%s: Check %v, Publish %v: want errors", name, checked, err)
		}
		if _, err := p.Latest(t.Context()); !errors.Is(err, verify.ErrUnavailable) {
			t.Errorf("%s: Latest: %v", name, err)
		}
	}
	if _, err := Open("package:", testEnv()); err == nil {
		t.Error("no directory: no error")
	}
}

func TestPackageNotes(t *testing.T) {
	s := releases(t, 1)[0]
	npm := func(files string) map[string]string {
		return map[string]string{"package.json": `{"name":"a","files":` + files + `}`}
	}
	for name, tt := range map[string]struct {
		files map[string]string
		want  string // "" for none
	}{
		"nothing":                  {nil, ""},
		"npm without a list":       {map[string]string{"package.json": `{"name":"a"}`}, ""},
		"npm, no such file":        {npm(`["dist","README.md"]`), `"files"`},
		"npm, an empty list":       {npm(`[]`), `"files"`},
		"npm, by name":             {npm(`["dist","mcp-integrity.json"]`), ""},
		"npm, by name at the root": {npm(`["./mcp-integrity.json"]`), ""},
		"npm, by pattern":          {npm(`["*.json"]`), ""},
		"npm, all":                 {npm(`["**"]`), ""},
		"npm, a directory":         {npm(`["mcp-integrity.json/"]`), `"files"`},
		"npm, taken back":          {npm(`["*.json","!mcp-*.json"]`), `"files"`},
		"npm, a bad list":          {npm(`"dist"`), ""},
		"npm, .npmignore":          {map[string]string{"package.json": `{}`, ".npmignore": "# all\n*.json\n!package.json\n"}, ".npmignore"},
		"npm, .npmignore, back":    {map[string]string{"package.json": `{}`, ".npmignore": "*\r\n!/mcp-integrity.json\r\n"}, ""},
		"npm, .gitignore":          {map[string]string{"package.json": `{}`, ".gitignore": "/mcp-integrity.json\n"}, ".gitignore"},
		"npm, both":                {map[string]string{"package.json": `{}`, ".npmignore": "test\n", ".gitignore": "/mcp-integrity.json\n"}, ""},
		"Python":                   {map[string]string{"pyproject.toml": "[project]\n"}, "MANIFEST.in"},
		"Python, told":             {map[string]string{"pyproject.toml": "[project]\n", "MANIFEST.in": "include mcp-integrity.json\n"}, ""},
		"Rust":                     {map[string]string{"Cargo.toml": "[package]\n"}, ""},
		"Rust with a list":         {map[string]string{"Cargo.toml": "[package]\ninclude = [\"src\"]\n"}, "Cargo.toml"},
		"Rust, told":               {map[string]string{"Cargo.toml": "include = [\"src\", \"/mcp-integrity.json\"]\n"}, ""},
		"not JSON":                 {map[string]string{"package.json": `{"files":["a"],}`}, ""},
		"large":                    {map[string]string{"package.json": strings.Repeat(" ", maxPackaging) + `{"files":[]}`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range tt.files {
				writeFile(t, dir, file, []byte(text))
			}
			r := mustPublish(t, mustOpen(t, "package:"+dir, testEnv()), s, Published)
			if got := strings.Join(r.Notes, "\n"); (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			for file, text := range tt.files {
				if treeOf(t, dir)[file] != text {
					t.Errorf("%s was changed", file)
				}
			}
		})
	}
}

func FuzzNPMNote(f *testing.F) {
	f.Add(`{"files":["a","!*.json"]}`, "*.json\n!x", "[")
	f.Add(`{}`, "", "mcp-integrity.json")
	f.Fuzz(func(t *testing.T, packageJSON, npmignore, gitignore string) {
		if note := npmNote(packageJSON, npmignore, gitignore); len(note) > 200 {
			t.Error(fmt.Sprint("a note of ", len(note), " bytes"))
		}
	})
}
