package verify

import (
	_ "embed"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

// SchemaVersion is that of the JSON form of [Result].
const SchemaVersion = "1.0"

// Schema is the JSON Schema of the JSON form of [Result].
//
//go:embed schema/verify-result.schema.json
var Schema []byte

// Observed says what the interface was compared with.
type Observed string

// What can be observed. Only a live server raises a level (decision 13).
const (
	Live     Observed = "live"
	Snapshot Observed = "snapshot"
	Nothing  Observed = "none"
)

// Result is the verdict of one run, with the fields of MIS §19.3 per tool. All
// printers print this one value.
type Result struct {
	SchemaVersion string   `json:"schema_version"`
	ServerName    string   `json:"server_name"`
	ServerVersion string   `json:"server_version"`
	TrustLevel    int      `json:"trust_level"`
	SealedLevel   int      `json:"sealed_level"`
	ClaimedLevel  *int     `json:"claimed_level"`
	Observed      Observed `json:"observed"`
	// Policy is the policy that was applied, by its name in MIS §20.1.
	Policy     string       `json:"policy"`
	Outcome    seal.Outcome `json:"outcome"`
	Results    []ToolResult `json:"results"`
	Advisories []Finding    `json:"advisories"`
	Errors     []Finding    `json:"errors"`
	// Skipped are the checks that were not made, and why.
	Skipped    []Skip         `json:"skipped"`
	VerifiedAt seal.Timestamp `json:"verified_at"`

	// Publisher is whose the manifest is: verified when Outcome is no fail.
	Publisher *Publisher `json:"publisher,omitempty"`
	// Provenance is the build provenance that was verified.
	Provenance []Provenance `json:"provenance,omitempty"`
	// Chain is how far back the chain was followed; nil where it was not looked at.
	Chain *Chain `json:"chain,omitempty"`
	// Attestations are those that hold, the publisher's among them.
	Attestations []Attested `json:"attestations,omitempty"`
	// Missing is what each level needs that was not reached.
	Missing []Missing `json:"missing,omitempty"`
	// FirstUse is what came of meeting a server that has no manifest; nil where it
	// was not compared with what is kept of it.
	FirstUse *FirstUseReport `json:"first_use,omitempty"`
}

// Publisher names who signed, and the line to pin.
type Publisher struct {
	ID        string `json:"id"`
	Namespace string `json:"namespace"`
	KeyID     string `json:"keyid"`
	// Thumbprint is the RFC 7638 thumbprint of the publisher's key.
	Thumbprint string `json:"key_thumbprint,omitempty"`
	// Certificate is what the publisher signed under, where it has no key of its own.
	Certificate *seal.Certificate `json:"certificate,omitempty"`
	// Expected says that the caller had named this identity, and that it is this.
	Expected bool `json:"expected"`
}

// Provenance is one build provenance that holds: its signature, its agreement
// with certificate, manifest and artifact.
type Provenance struct {
	// Ref says where it was found.
	Ref       string `json:"ref"`
	BuilderID string `json:"builder_id"`
	// SLSALevel is the SLSA Build level that is warranted, and Reason why.
	SLSALevel int    `json:"slsa_level"`
	Reason    string `json:"reason"`
	// Subject is the digest of the artifact that it is about.
	Subject string `json:"subject"`
}

// Chain is a chain that was followed from the manifest back (MIS §13.4).
type Chain struct {
	// Length counts the releases that were followed, the manifest's with them.
	Length int `json:"length"`
	// VerifiedTo says where the chain ends; "" where it was not followed so far.
	VerifiedTo ChainEnd `json:"verified_to,omitzero"`
	// Releases are the nearest ones, the manifest's first.
	Releases []ChainRelease `json:"releases"`
}

// ChainEnd is where a chain ends.
type ChainEnd string

// The ends: the first release; one whose chain an earlier run verified; one by
// which the publisher began a new chain.
const (
	First      ChainEnd = "first"
	Remembered ChainEnd = "remembered"
	Rerooted   ChainEnd = "rerooted"
)

// ChainRelease is one release of a chain.
type ChainRelease struct {
	Version string `json:"version"`
	// Digest is the payload's, SHA-256.
	Digest   digest.Digest  `json:"digest"`
	IssuedAt seal.Timestamp `json:"issued_at"`
	// Signer is the publisher's key or workflow; "" where its key is not known any
	// more, and its successor vouches for it.
	Signer string `json:"signer"`
}

// ToolResult is the result of MIS §19.3 for one tool. A nil pointer says that
// the check was not made.
type ToolResult struct {
	ServerName       string           `json:"server_name"`
	ToolName         string           `json:"tool_name"`
	TrustLevel       int              `json:"trust_level"`
	ClaimedLevel     *int             `json:"claimed_level"`
	InterfaceMatch   *bool            `json:"interface_match"`
	InterfaceDetails InterfaceDetails `json:"interface_details"`
	ArtifactMatch    *bool            `json:"artifact_match"`
	ProvenanceValid  *bool            `json:"provenance_valid"`
	ChainValid       *bool            `json:"chain_valid"`
	// AttestationsVerified are the roles whose attestations hold.
	AttestationsVerified []string       `json:"attestations_verified"`
	Advisories           []Finding      `json:"advisories"`
	Errors               []Finding      `json:"errors"`
	VerifiedAt           seal.Timestamp `json:"verified_at"`
}

// InterfaceDetails says part by part what matched.
type InterfaceDetails struct {
	DescriptionMatch  *bool `json:"description_match"`
	InputSchemaMatch  *bool `json:"input_schema_match"`
	AnnotationsMatch  *bool `json:"annotations_match"`
	OutputSchemaMatch *bool `json:"output_schema_match"`
}

// Finding is an error or an advisory, by its code (MIS §23, or ours).
type Finding struct {
	Code      seal.Code `json:"code"`
	Name      string    `json:"name"`
	Message   string    `json:"message"`
	Tool      string    `json:"tool,omitzero"`
	Component string    `json:"component,omitzero"`
}

// Skip is a check that was not made.
type Skip struct {
	Check  string `json:"check"`
	Reason string `json:"reason"`
}

// Attested is one attestation that holds.
type Attested struct {
	Role seal.Role `json:"role"`
	Type string    `json:"attestation_type"`
	// Holder is who attests: by the verifier's name for them, else by key or
	// identity.
	Holder string `json:"holder"`
	KeyID  string `json:"keyid"`
	// Timestamp and ExpiresAt are as signed; nil where nothing was.
	Timestamp *seal.Timestamp `json:"timestamp"`
	ExpiresAt *seal.Timestamp `json:"expires_at"`
	// Against says that it speaks against the release.
	Against bool `json:"against"`
}

// Missing is an unmet requirement of a level that was not reached.
type Missing struct {
	Level       int      `json:"level"`
	Requirement string   `json:"requirement"`
	Who         string   `json:"who"`
	Tools       []string `json:"tools"`
}
