package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

// runInspect prints what a manifest says, and that nobody checked it.
func runInspect(_ context.Context, inv *invocation) error {
	data, err := readFile(inv.args[0], fingerprint.MaxSnapshotSize)
	if err != nil {
		return err
	}
	switch kindOf(data) {
	case bundleFile:
		return inv.inspectBundle(data)
	case statementFile:
		return inv.inspectStatement(data)
	case snapshotFile:
		return inv.inspectSnapshot(data)
	}
	e, err := seal.ParseEnvelope(data)
	if err != nil {
		return undecidedf("%s: %w", inv.args[0], err)
	}
	if part := inv.str("extract"); part != "" {
		out, err := inv.extractPart(e, part)
		if err != nil {
			return err
		}
		return inv.print(inv.str("output"), out)
	}
	m, err := seal.ParseManifest(e.Payload)
	if err != nil {
		return undecidedf("%s: %w", inv.args[0], err)
	}
	inv.warn("nothing here is verified: this is what the file says, whoever wrote it")
	out, err := renderInspection(inv.str("format"), e, m)
	if err != nil {
		return undecidedf("%w", err)
	}
	return inv.print(inv.str("output"), out)
}

// inspection is what inspect prints as JSON.
type inspection struct {
	SchemaVersion string          `json:"schema_version"`
	Verified      bool            `json:"verified"` // always false
	PayloadDigest string          `json:"payload_digest"`
	Manifest      json.RawMessage `json:"manifest"`
	Attestations  []claimed       `json:"attestations"`
}

// claimed is an attestation's labels.
type claimed struct {
	KeyID     string          `json:"keyid"`
	Role      seal.Role       `json:"role,omitempty"`
	Type      string          `json:"attestation_type,omitempty"`
	Timestamp *seal.Timestamp `json:"timestamp,omitempty"`
	ExpiresAt *seal.Timestamp `json:"expires_at,omitempty"`
	Bound     bool            `json:"has_statement"`
	// Certificate is what a keyless attestation's says.
	Certificate *seal.Certificate `json:"certificate,omitempty"`
}

// claimedOf reads a signature's labels, and its certificate where it has one.
func claimedOf(s seal.Signature) claimed {
	st, _ := seal.StatementOf(s)
	c := claimed{KeyID: s.KeyID, Role: s.Role, Type: s.Type, Timestamp: s.Timestamp, ExpiresAt: s.ExpiresAt, Bound: st != nil}
	if seal.IsBundle(st) {
		if claim, err := keyless.ClaimOf(st); err == nil {
			c.Certificate = &claim.Certificate
		}
	}
	return c
}

func renderInspection(format string, e *seal.Envelope, m *seal.Manifest) ([]byte, error) {
	v := inspection{SchemaVersion: verify.SchemaVersion, PayloadDigest: string(e.PayloadDigest(digest.SHA256)), Manifest: e.Payload, Attestations: []claimed{}}
	for _, s := range e.Signatures {
		v.Attestations = append(v.Attestations, claimedOf(s))
	}
	if format == "json" {
		return renderJSON(v)
	}
	p := &page{}
	p.line("UNVERIFIED: what the file says of itself")
	p.line("server     %s %s", m.Server.Name, orDash(m.Server.Version))
	p.line("publisher  %s (%s)", m.Server.Publisher.Namespace, m.Server.Publisher.ID)
	p.line("issued     %s", m.IssuedAt.String())
	p.line("payload    %s", v.PayloadDigest)
	for _, a := range v.Attestations {
		p.line("attested   as %s %s, keyid %s", orNone(string(a.Role)), orNone(a.Type), a.KeyID)
		if a.Certificate != nil {
			p.certificate(*a.Certificate)
		}
	}
	p.follows(e, m)
	artifact, source := oneForAll(m)
	if artifact {
		p.line("artifact   %s", artifactWords(m.Tools[0].Artifact))
	}
	if source {
		p.source(m.Tools[0].Provenance)
	}
	for i, t := range m.Tools {
		if i == maxFindings {
			p.line("%d more tools, see --format json", len(m.Tools)-i)
			break
		}
		p.line("tool       %s %s", t.Name, orDash(t.Version))
		p.line("             %s", string(t.Interface.Composite))
		p.line("             %s", declares(t.SideEffects))
		if a := t.Artifact; a != nil && !artifact {
			p.line("             %s", artifactWords(a))
		}
		if pr := t.Provenance; pr != nil && !source {
			p.line("             from %s at %s", orNone(pr.SourceRepo), orNone(pr.Commit))
		}
	}
	return p.Bytes(), nil
}

// follows prints what the release says of the one before it, and why where it
// begins a new chain.
func (p *page) follows(e *seal.Envelope, m *seal.Manifest) {
	for _, st := range statements(e) {
		if st.Reroot != "" {
			p.line("follows    nothing: a new chain begins here, since %s", st.Reroot)
			return
		}
	}
	link, err := lineage.LinkOf(m)
	switch {
	case err != nil:
		p.line("follows    %s", err.Error())
	case !link.Absent:
		p.line("follows    %s, %s", orDash(link.PreviousVersion), string(link.Digest))
		for _, t := range m.Tools[:min(len(m.Tools), maxFindings)] {
			if t.Lineage == nil {
				continue // it is new, or nothing of it changed
			}
			for _, c := range t.Lineage.Changes {
				p.line("             %s: %s: %s", t.Name, c.Type, c.Description)
			}
		}
	}
}

// statements are what the attestors' statements say of the payload, unverified.
func statements(e *seal.Envelope) []seal.Statement {
	var all []seal.Statement
	for _, s := range e.Signatures {
		raw, err := seal.StatementOf(s)
		if err != nil || raw == nil {
			continue
		}
		payload, err := seal.StatementPayload(raw)
		if err != nil {
			continue
		}
		if st, err := seal.ParseStatement(payload, e.Payload); err == nil {
			all = append(all, st)
		}
	}
	return all
}

// oneForAll says whether all tools have the same artifact, and the same source:
// what our seals write, and what is not worth a line for each tool.
func oneForAll(m *seal.Manifest) (artifact, source bool) {
	if len(m.Tools) == 0 {
		return false, false
	}
	first := m.Tools[0]
	artifact, source = first.Artifact != nil, first.Provenance != nil
	for _, t := range m.Tools[1:] {
		artifact = artifact && reflect.DeepEqual(t.Artifact, first.Artifact)
		source = source && reflect.DeepEqual(t.Provenance, first.Provenance)
	}
	return artifact, source
}

func artifactWords(a *seal.Artifact) string {
	return fmt.Sprintf("%s %s %s, %s", a.Type, a.Identifier, orDash(a.Version), a.Digest)
}

// source prints where all tools come from.
func (p *page) source(pr *seal.Provenance) {
	p.line("made from  %s at %s", orNone(pr.SourceRepo), orNone(pr.Commit))
	if pr.SLSALevel != nil {
		p.line("build      SLSA Build level %d, by %s", *pr.SLSALevel, orNone(pr.BuilderID))
	} else if pr.BuilderID != "" {
		p.line("build      by %s", pr.BuilderID)
	}
	if pr.BuildAttestationURI != "" {
		p.line("provenance %s", pr.BuildAttestationURI)
	}
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return someNames(names)
}

// declares puts side effects in a few words.
func declares(s seal.SideEffects) string {
	words := "reads " + orNothing(s.Reads) + "; writes " + orNothing(s.Writes)
	for _, f := range []struct {
		set  bool
		text string
	}{
		{s.NetworkEgress, "; reaches " + someNames(s.NetworkEndpoints)},
		{s.ExecutesCode, "; executes code"},
		{s.AccessesEnvVars, "; reads environment variables"},
		{s.SpawnsProcesses, "; spawns processes"},
		{s.ModifiesSystemState, "; modifies the system"},
		{s.PersistsData, "; persists data"},
	} {
		if f.set {
			words += f.text
		}
	}
	return words
}

// extractPart gives one part in the form that other tools take.
func (i *invocation) extractPart(e *seal.Envelope, part string) ([]byte, error) {
	if part == "payload" {
		return e.Payload, nil
	}
	s, err := publisherSignature(e)
	if err != nil {
		return nil, err
	}
	if part == "statement" {
		return statementBytes(s)
	}
	signed, err := seal.StatementOf(s)
	certified := err == nil && seal.IsBundle(signed)
	if certified && part == "bundle" {
		return signed, nil
	}
	if s.Sig == nil {
		return nil, failsf("the publisher's sig is no base64")
	}
	sig, err := i.libraryForm(s.Sig, certified)
	if err != nil || part == "signature" {
		return sig, err
	}
	return renderJSON(map[string]any{
		"payloadType": seal.PayloadType,
		"payload":     base64.StdEncoding.EncodeToString(e.Payload),
		"signatures":  []map[string]string{{"keyid": s.KeyID, "sig": base64.StdEncoding.EncodeToString(sig)}},
	})
}

func publisherSignature(e *seal.Envelope) (seal.Signature, error) {
	for _, s := range e.Signatures {
		if s.Role == seal.RolePublisher || s.Role == "" {
			return s, nil
		}
	}
	return seal.Signature{}, failsf("the envelope has no publisher's signature")
}

// libraryForm is a signature as crypto libraries take it: ES256 as DER, Ed25519
// as it is. Both have 64 bytes in the envelope; only the key tells them apart,
// and a keyless one is always ES256.
func (i *invocation) libraryForm(sig []byte, certified bool) ([]byte, error) {
	name := i.str("key")
	switch {
	case certified:
		return seal.DER(sig)
	case name == "":
		i.note("without --key the signature is written as it stands; with an ES256 key it is written as DER")
		return sig, nil
	}
	key, err := keys.ReadPublic(name)
	if err != nil {
		return nil, usagef("--key: %w", err)
	}
	if key.Algorithm != keys.ES256 {
		return sig, nil
	}
	return seal.DER(sig)
}

func statementBytes(s seal.Signature) ([]byte, error) {
	raw, err := seal.StatementOf(s)
	if err != nil || raw == nil {
		return nil, failsf("the publisher's attestation has no statement")
	}
	return seal.StatementPayload(raw)
}
