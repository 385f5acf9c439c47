package artifact

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// readMCPB reads an MCP bundle by its manifest.json (formerly DXT).
func readMCPB(z *zip.Reader, m *members, found *Found) (entryHasher, error) {
	found.Artifact.Type, found.Kind = seal.MCPB, "MCP bundle"
	got, err := m.get("manifest.json")
	if err != nil {
		return nil, err
	}
	var p struct {
		Name       string         `json:"name"`
		Version    string         `json:"version"`
		License    jsontext.Value `json:"license"`
		Repository jsontext.Value `json:"repository"`
		Server     struct {
			EntryPoint string `json:"entry_point"`
		} `json:"server"`
	}
	if err := strictjson.UnmarshalOpen(got.data, &p); err != nil {
		return nil, fmt.Errorf("manifest.json: %w", err)
	}
	if p.Name == "" || p.Version == "" {
		return nil, fmt.Errorf("manifest.json: name %.100q, version %.100q: want both", p.Name, p.Version)
	}
	found.Artifact.Identifier, found.Artifact.Version = p.Name, p.Version
	found.License = stringOr(p.License, "type")
	found.Repository = repositoryURL(stringOr(p.Repository, "url"))
	found.InnerManifest = slices.DeleteFunc(found.InnerManifest, func(name string) bool { return strings.Contains(name, "/") })
	if p.Server.EntryPoint != "" {
		found.Entrypoint = entryPath(p.Server.EntryPoint)
	}
	return func(ctx context.Context, alg digest.Algorithm) (digest.Digest, error) {
		if found.Entrypoint == "" {
			return "", errors.New("manifest.json names no server.entry_point")
		}
		return hashZipEntry(ctx, z, found.Entrypoint, alg)
	}, nil
}
