// Package sealtest makes keys, tools and sealed manifests for tests.
package sealtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// Time is when every test manifest is issued.
var Time = time.Date(2026, 2, 20, 15, 0, 0, 0, time.UTC)

// Namespace is the publisher's in every test manifest.
const Namespace = "io.github.acme"

// Key makes a key.
func Key(t testing.TB, alg keys.Algorithm, id string) keys.PrivateKey {
	t.Helper()
	k, err := keys.Generate(alg, id)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Keys is an authenticator that knows these keys as the publisher's.
func Keys(all ...keys.PrivateKey) seal.Keys {
	k := seal.Keys{Roles: []seal.Role{seal.RolePublisher}}
	for _, key := range all {
		k.Public = append(k.Public, key.Public().Seal())
	}
	return k
}

// Tool reads a tool from its JSON.
func Tool(t testing.TB, raw string) fingerprint.Tool {
	t.Helper()
	tool, err := fingerprint.ParseTool([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return tool
}

// Tools are n tools with all four components.
func Tools(t testing.TB, n int) []fingerprint.Tool {
	t.Helper()
	var tools []fingerprint.Tool
	for i := range n {
		tools = append(tools, Tool(t, fmt.Sprintf(`{"name":"tool%d","description":"Does %d things.","inputSchema":{"type":"object","properties":{"n":{"type":"integer"}}},"annotations":{"readOnlyHint":true},"outputSchema":{"type":"object"}}`, i, i)))
	}
	return tools
}

// Manifest is a manifest of tools that reaches sealed level 1.
func Manifest(t testing.TB, tools ...fingerprint.Tool) *seal.Manifest {
	t.Helper()
	m := &seal.Manifest{
		SealVersion: seal.Version,
		Server:      seal.Server{Name: "acme-file-tools", Version: "1.2.4", Publisher: seal.Publisher{ID: "engineering@acme.example", Namespace: Namespace}},
		IssuedAt:    seal.NewTimestamp(Time),
	}
	for _, tool := range tools {
		d, err := fingerprint.Of(tool, digest.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		m.Tools = append(m.Tools, seal.Tool{
			Name: tool.Name, Version: "1.2.4", Interface: d,
			SideEffects:  seal.SideEffects{Reads: []string{"filesystem"}, Writes: []string{}},
			Capabilities: []seal.Capability{{Resource: "filesystem", Actions: []string{"read"}, Required: true}},
			Provenance:   &seal.Provenance{SourceRepo: "https://github.com/acme/file-tools", Commit: "abc123def456789abc123def456789abc123def4"},
		})
	}
	return m
}

// Statement is the publisher's, at Time.
func Statement() seal.Statement {
	return seal.Statement{
		Role: seal.RolePublisher, Type: seal.TypeManifestSigned, Timestamp: seal.NewTimestamp(Time),
		InterfaceSnapshot: digest.FromString("snapshot"),
	}
}

// Seal signs m with every key, as its publisher.
func Seal(t testing.TB, m *seal.Manifest, all ...seal.Signer) *seal.Envelope {
	t.Helper()
	payload, err := seal.MarshalManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	e := seal.NewEnvelope(payload)
	for _, k := range all {
		if err := e.Attest(k, Statement()); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// Marshal is the envelope's file.
func Marshal(t testing.TB, e *seal.Envelope) []byte {
	t.Helper()
	data, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}
