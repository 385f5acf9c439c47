package cli

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
	"github.com/mcp-integrity/seal-action/verify"
)

// bundleInspection is what inspect prints of a Sigstore bundle, as JSON.
type bundleInspection struct {
	SchemaVersion string           `json:"schema_version"`
	Verified      bool             `json:"verified"` // always false
	Certificate   seal.Certificate `json:"certificate"`
	Statement     json.RawMessage  `json:"statement"`
}

// The kinds of file that stand beside manifests and look like them.
type fileKind string

const (
	manifestFile  fileKind = "" // or nothing that anybody knows
	bundleFile    fileKind = "a Sigstore bundle"
	snapshotFile  fileKind = "an interface snapshot"
	statementFile fileKind = "a signed in-toto statement"
)

// kindOf tells the files apart by what they call themselves.
func kindOf(data []byte) fileKind {
	var f struct {
		PayloadType     string `json:"payloadType"`
		SnapshotVersion string `json:"snapshot_version"`
	}
	switch {
	case seal.IsBundle(data):
		return bundleFile
	case strictjson.UnmarshalOpen(data, &f) != nil:
		return manifestFile
	case f.PayloadType == seal.StatementPayloadType:
		return statementFile
	case f.SnapshotVersion != "" && f.PayloadType == "":
		return snapshotFile
	}
	return manifestFile
}

// notManifest is the error of a file that is given as a manifest and calls
// itself something else that we know; nil for any other.
func notManifest(data []byte, name string) error {
	kind := kindOf(data)
	if kind == manifestFile {
		return nil
	}
	manifest := defaultManifest
	for _, suffix := range []string{provenanceSuffix, interfaceSuffix} {
		if at, ok := strings.CutSuffix(name, suffix); ok {
			manifest = at + ".json"
		}
	}
	err := failsf("%s is %s, not a manifest", name, string(kind))
	switch kind {
	case bundleFile:
		return err.withHint("verify the manifest beside it: mcp-integrity verify %s", shellWords(manifest, "--provenance", name))
	case snapshotFile:
		return err.withHint("verify the manifest against it: mcp-integrity verify %s", shellWords(manifest, "--interface", name))
	default:
		return err.withHint("mcp-integrity inspect %s says what it is", shellWords(name))
	}
}

// certificate prints what a certificate says.
func (p *page) certificate(c seal.Certificate) {
	p.line("signer     %s", c.SAN)
	p.line("issuer     %s", c.Issuer)
	p.line("source     %s at %s, %s", orNone(c.SourceRepositoryURI), orNone(c.SourceCommit), orNone(c.SourceRef))
	p.line("run        %s on %s", orNone(c.RunInvocationURI), orNone(c.RunnerEnvironment))
}

// statementInspection is what inspect prints of a signed statement, as JSON.
type statementInspection struct {
	SchemaVersion string          `json:"schema_version"`
	Verified      bool            `json:"verified"` // always false
	Statement     json.RawMessage `json:"statement"`
}

// inspectStatement prints a statement in a DSSE envelope, such as the summary
// that verify --vsa writes.
func (i *invocation) inspectStatement(data []byte) error {
	var envelope struct {
		Payload []byte `json:"payload"`
	}
	if err := strictjson.UnmarshalOpen(data, &envelope); err != nil {
		return undecidedf("%s: %w", i.args[0], err)
	}
	var statement struct {
		PredicateType string          `json:"predicateType"`
		Predicate     json.RawMessage `json:"predicate"`
		Subjects      []struct {
			Name   string            `json:"name"`
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	if err := strictjson.UnmarshalOpen(envelope.Payload, &statement); err != nil {
		return undecidedf("%s: the statement: %w", i.args[0], err)
	}
	switch part := i.str("extract"); part {
	case "":
	case "statement", "payload":
		return i.print(i.str("output"), envelope.Payload)
	default:
		return usagef("--extract %s: %s is %s, of which statement is the only part", part, i.args[0], string(statementFile))
	}
	i.warn("nothing here is verified: this is what the file says, whoever wrote it")
	if i.str("format") == "json" {
		return i.printJSON(statementInspection{SchemaVersion: verify.SchemaVersion, Statement: envelope.Payload})
	}
	p := &page{}
	p.line("UNVERIFIED: what the file says of itself")
	p.line("predicate  %s", orNone(statement.PredicateType))
	for _, sub := range statement.Subjects {
		p.subject(sub.Name, sub.Digest)
	}
	if statement.Predicate != nil {
		predicate, err := renderJSON(statement.Predicate)
		if err != nil {
			return undecidedf("%w", err)
		}
		p.Write(predicate)
	}
	return i.print(i.str("output"), p.Bytes())
}

// subject prints what a statement is about.
func (p *page) subject(name string, digests map[string]string) {
	for _, alg := range slices.Sorted(maps.Keys(digests)) {
		p.line("subject    %s %s", name, alg+":"+digests[alg])
	}
}

// snapshotInspection is what inspect prints of a snapshot, as JSON.
type snapshotInspection struct {
	SchemaVersion string                 `json:"schema_version"`
	Verified      bool                   `json:"verified"` // always false
	Server        fingerprint.ServerInfo `json:"server"`
	Tools         []string               `json:"tools"`
}

// inspectSnapshot prints whose interface a snapshot is, and its tools.
func (i *invocation) inspectSnapshot(data []byte) error {
	snap, err := fingerprint.ParseSnapshot(data)
	if err != nil {
		return undecidedf("%s: %w", i.args[0], err)
	}
	if part := i.str("extract"); part != "" {
		return usagef("--extract %s: %s is %s, which nobody signed", part, i.args[0], string(snapshotFile))
	}
	v := snapshotInspection{SchemaVersion: verify.SchemaVersion, Server: snap.Server, Tools: []string{}}
	for _, t := range snap.Tools {
		v.Tools = append(v.Tools, t.Name)
	}
	i.warn("nothing here is verified: this is what the file says, whoever wrote it")
	if i.str("format") == "json" {
		return i.printJSON(v)
	}
	p := &page{}
	p.line("UNVERIFIED: what a server served, as the file says")
	p.line("server     %s %s, %d tools", snap.Server.Name, orDash(snap.Server.Version), len(v.Tools))
	for n, name := range v.Tools {
		if n == maxFindings {
			p.line("%d more tools, see --format json", len(v.Tools)-n)
			break
		}
		p.line("tool       %s", name)
	}
	return i.print(i.str("output"), p.Bytes())
}

func (i *invocation) printJSON(v any) error {
	out, err := renderJSON(v)
	if err != nil {
		return undecidedf("%w", err)
	}
	return i.print(i.str("output"), out)
}

// inspectBundle prints what a Sigstore bundle says of itself.
func (i *invocation) inspectBundle(data []byte) error {
	claim, err := keyless.ClaimOf(data)
	if err != nil {
		return undecidedf("%s: %w", i.args[0], err)
	}
	switch part := i.str("extract"); part {
	case "":
	case "statement", "payload":
		return i.print(i.str("output"), claim.Statement)
	case "bundle":
		return i.print(i.str("output"), data)
	default:
		return usagef("--extract %s: %s is a Sigstore bundle, whose signature other tools take as it stands in it", part, i.args[0])
	}
	i.warn("nothing here is verified: this is what the file says, whoever wrote it")
	if i.str("format") == "json" {
		return i.printJSON(bundleInspection{SchemaVersion: verify.SchemaVersion, Certificate: claim.Certificate, Statement: claim.Statement})
	}
	p := &page{}
	p.line("UNVERIFIED: what the file says of itself")
	p.certificate(claim.Certificate)
	if s, err := provenance.Parse(claim.Statement); err == nil {
		p.line("predicate  %s", s.PredicateType)
		p.line("builder    %s", orNone(s.BuilderID()))
		for _, sub := range s.Subjects {
			p.subject(sub.Name, sub.Digest)
		}
	}
	return i.print(i.str("output"), p.Bytes())
}
