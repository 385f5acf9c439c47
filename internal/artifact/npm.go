package artifact

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// packageJSON is what is read of a package.json. The members that packages
// write in several shapes stay raw.
type packageJSON struct {
	Name       string         `json:"name"`
	Version    string         `json:"version"`
	MCPName    string         `json:"mcpName"`
	Private    jsontext.Value `json:"private"`
	License    jsontext.Value `json:"license"`
	Repository jsontext.Value `json:"repository"`
	Bin        jsontext.Value `json:"bin"`
	Main       jsontext.Value `json:"main"`
}

func parsePackageJSON(data []byte) (packageJSON, error) {
	var p packageJSON
	if err := strictjson.UnmarshalOpen(data, &p); err != nil {
		return p, fmt.Errorf("package.json: %w", err)
	}
	return p, nil
}

// facts sets what p says beside name and version.
func (p packageJSON) facts(found *Found) {
	found.MCPName = p.MCPName
	found.License = stringOr(p.License, "type")
	found.Repository = repositoryURL(stringOr(p.Repository, "url"))
	if p.Repository.Kind() == '{' {
		found.Directory = stringOr(p.Repository, "directory")
	}
}

// stringOr is v where it is a string, v's member where it is an object and the
// member a string, else "".
func stringOr(v jsontext.Value, member string) string {
	var s string
	switch v.Kind() {
	case '"':
		_ = json.Unmarshal(v, &s) // strict JSON by now: a string decodes
	case '{':
		var o map[string]jsontext.Value
		if json.Unmarshal(v, &o) == nil && o[member].Kind() == '"' {
			_ = json.Unmarshal(o[member], &s)
		}
	}
	return s
}

// readNPM reads an npm package, which names itself in its package.json.
func readNPM(f *file, m *members, found *Found) (entryHasher, error) {
	found.Artifact.Type, found.Kind = seal.NPM, "npm package"
	got, err := m.get("package.json")
	if err != nil {
		return nil, err
	}
	p, err := parsePackageJSON(got.data)
	if err != nil {
		return nil, err
	}
	if p.Name == "" || p.Version == "" {
		return nil, fmt.Errorf("package.json: name %.100q, version %.100q: want both", p.Name, p.Version)
	}
	found.Artifact.Identifier, found.Artifact.Version = p.Name, p.Version
	p.facts(found)
	return p.starts(found, func(ctx context.Context, candidates []string, alg digest.Algorithm) (string, digest.Digest, error) {
		return hashTarEntry(ctx, f, candidates, alg)
	}), nil
}

// starts notes the file that p starts and returns its hasher. hash takes the
// first of the candidates that is there, and says which.
func (p packageJSON) starts(found *Found, hash func(ctx context.Context, candidates []string, alg digest.Algorithm) (string, digest.Digest, error)) entryHasher {
	candidates, err := p.entrypoint()
	if err == nil {
		found.Entrypoint = candidates[0]
	}
	return func(ctx context.Context, alg digest.Algorithm) (d digest.Digest, _ error) {
		if err != nil {
			return "", err
		}
		var hashErr error
		found.Entrypoint, d, hashErr = hash(ctx, candidates, alg)
		return d, hashErr
	}
}

// entrypoint names the file that npx would start: the only bin, or the one
// named like the package; without any, what Node takes main for. The paths are
// candidates, best first.
func (p packageJSON) entrypoint() ([]string, error) {
	switch p.Bin.Kind() {
	case '"':
		return binPath(stringOr(p.Bin, ""))
	case '{':
		var bins map[string]string
		if err := strictjson.UnmarshalOpen(p.Bin, &bins); err != nil {
			return nil, fmt.Errorf("package.json: bin: %w", err)
		}
		return p.oneBin(bins)
	}
	main := "index.js"
	if s := entryPath(stringOr(p.Main, "")); s != "" {
		main = s
	}
	return []string{main, main + ".js", path.Join(main, "index.js")}, nil
}

// oneBin picks the bin that npx picks.
func (p packageJSON) oneBin(bins map[string]string) ([]string, error) {
	if b, ok := bins[path.Base(p.Name)]; ok {
		return binPath(b)
	}
	names := slices.Sorted(maps.Keys(bins))
	same := func(n string) bool { return entryPath(bins[n]) == entryPath(bins[names[0]]) }
	switch {
	case len(names) == 0:
		return nil, errors.New("package.json: bin is empty")
	case !slices.ContainsFunc(names, func(n string) bool { return !same(n) }):
		return binPath(bins[names[0]])
	}
	return nil, fmt.Errorf("package.json: several bins (%.200q), none of them named %.100q", strings.Join(names, ", "), path.Base(p.Name))
}

func binPath(p string) ([]string, error) {
	if p = entryPath(p); p == "" {
		return nil, errors.New("package.json: bin names no file")
	}
	return []string{p}, nil
}
