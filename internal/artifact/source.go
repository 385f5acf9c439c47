package artifact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

// identifyDirectory takes a directory for an image layout where it holds one,
// else for source.
func identifyDirectory(ctx context.Context, dir string, o Options) (Found, error) {
	found := Found{Ref: dir, Path: dir}
	isLayout := false
	if _, err := os.Stat(filepath.Join(dir, layoutFile)); err == nil {
		isLayout = true
	} else if !errors.Is(err, os.ErrNotExist) {
		return found, bare(err)
	}
	switch {
	case o.Type == seal.Docker || o.Type == "" && isLayout:
		if err := identifyLayout(ctx, dir, &found, o); err != nil {
			return found, err
		}
		return found, finish(ctx, &found, nil, o)
	case o.Type != "" && o.Type != seal.Source:
		return found, fmt.Errorf("is a directory, which cannot be of type %q: pack it first, or take it as source", o.Type)
	}
	return found, identifySource(ctx, dir, &found, o)
}

// sourceFile is a file at a tree's root that names the project.
type sourceFile struct {
	name string
	read func(data []byte, found *Found) (identifier, version string, err error)
}

// sourceFiles stand in the order in which they are believed.
var sourceFiles = []sourceFile{
	{"package.json", sourcePackageJSON},
	{"pyproject.toml", sourcePyproject},
	{cargoFile, readCargo},
	{"go.mod", sourceGoMod},
}

func identifySource(ctx context.Context, dir string, found *Found, o Options) error {
	var wanted []string
	for _, s := range sourceFiles {
		wanted = append(wanted, s.name)
	}
	found.Artifact.Type, found.Kind = seal.Source, "source tree"
	tree, err := hashTree(ctx, dir, found.Ref, wanted, o)
	if err != nil {
		return err
	}
	found.Artifact.Digest, found.Size = tree.digest, tree.size
	if !hasExecutableBit {
		found.note("this system has no executable bits: where the tree has executable files, other systems give another digest")
	}
	if n := len(tree.leaving); n > 0 {
		found.note("%d links lead out of the tree, the first is %.200q: what they lead to is not covered", n, tree.leaving[0])
	}
	if err := readSource(dir, tree.files, found); err != nil {
		return err
	}
	return finish(ctx, found, sourceEntry(dir, tree.files["package.json"], found), o)
}

// readSource takes identifier, version and facts from the first source file
// that names the project. The others are read too: one that says something else
// is named in a note, never merged.
func readSource(dir string, files map[string][]byte, found *Found) error {
	taken := ""
	for _, s := range sourceFiles {
		data, ok := files[s.name]
		if !ok {
			continue
		}
		var said Found
		id, version, err := s.read(data, &said)
		switch {
		case err != nil:
			return err
		case id == "":
		case taken == "":
			taken = s.name
			found.Artifact.Identifier, found.Artifact.Version = id, version
			found.MCPName, found.License = said.MCPName, said.License
			found.Repository, found.Directory = said.Repository, said.Directory
		case id != found.Artifact.Identifier || version != found.Artifact.Version:
			found.note("%s says %.100q version %.100q, %s says %.100q version %.100q: the first is taken",
				taken, found.Artifact.Identifier, found.Artifact.Version, s.name, id, version)
		}
	}
	if taken != "" {
		return nil
	}
	name, err := baseName(dir)
	found.Artifact.Identifier = name
	return err
}

func sourcePackageJSON(data []byte, found *Found) (string, string, error) {
	p, err := parsePackageJSON(data)
	if err != nil {
		return "", "", err
	}
	p.facts(found)
	return p.Name, p.Version, nil
}

// sourcePyproject reads the [project] table (PEP 621). A version that is
// computed ("dynamic") is "".
func sourcePyproject(data []byte, found *Found) (string, string, error) {
	t, err := parseTOML(data)
	if err != nil {
		return "", "", fmt.Errorf("pyproject.toml: %w", err)
	}
	p := t.table("project")
	found.License = p.string("license")
	urls := p.table("urls")
	for _, label := range slices.Sorted(maps.Keys(urls)) {
		found.Repository = cmp.Or(found.Repository, sourceURL(label, urls.string(label)))
	}
	return p.string("name"), p.string("version"), nil
}

// sourceGoMod reads the module line of a go.mod; Go modules have their version
// from the repository's tag.
func sourceGoMod(data []byte, found *Found) (string, string, error) {
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "//")
		fields := strings.Fields(line)
		if len(fields) != 2 || fields[0] != "module" {
			continue
		}
		module := strings.Trim(fields[1], "\"`")
		if repo, ok := strings.CutPrefix(repositoryURL("https://"+module), "https://github.com/"); ok {
			found.Repository = "https://github.com/" + repo
		}
		return module, "", nil
	}
	return "", "", errors.New("go.mod: has no module line")
}

// sourceEntry hashes the file that the tree's package.json starts.
func sourceEntry(dir string, packageJSON []byte, found *Found) entryHasher {
	if packageJSON == nil {
		return nil
	}
	p, err := parsePackageJSON(packageJSON)
	if err != nil {
		return nil
	}
	return p.starts(found, func(ctx context.Context, candidates []string, alg digest.Algorithm) (string, digest.Digest, error) {
		return hashFirst(ctx, dir, candidates, alg)
	})
}

// hashFirst hashes the first of candidates that is a file below dir.
func hashFirst(ctx context.Context, dir string, candidates []string, alg digest.Algorithm) (string, digest.Digest, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", "", bare(err)
	}
	defer root.Close()
	t := &treeReader{root: root, alg: alg}
	for _, c := range candidates {
		info, err := root.Lstat(filepath.FromSlash(c))
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		e := &treeEntry{kind: treeFile, path: c, info: info}
		t.fill(ctx, e)
		return c, e.hash, e.err
	}
	return "", "", fmt.Errorf("has no file %.200q, which it names as its entrypoint", candidates[0])
}
