package seal

import (
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Version is the only seal_version that this package writes and reads (MIS §8.2).
const Version = "1.0"

// Manifest is the Sealed Manifest of MIS §8: what one release of a tool server
// serves, is made of, declares to do, and comes from. It holds no attestations
// (decision 2): those stand beside it in the envelope.
type Manifest struct {
	SealVersion string     `json:"seal_version"`
	Server      Server     `json:"server"`
	Tools       []Tool     `json:"tools"`
	IssuedAt    Timestamp  `json:"issued_at"`
	ExpiresAt   *Timestamp `json:"expires_at,omitzero"`
}

// Server is the server object of MIS §8.3; Name and Version are those of
// serverInfo, not of the package.
type Server struct {
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	Publisher Publisher `json:"publisher"`
}

// Publisher is who the manifest says its publisher is: a claim, until a
// signature by somebody expected stands behind it (decision 12).
type Publisher struct {
	ID        string `json:"id"`
	Namespace string `json:"namespace"`
	URL       string `json:"url,omitzero"`
}

// Tool is an entry of tools[] (MIS §8.4). Version is the artifact's version,
// or the server's where there is no artifact.
type Tool struct {
	Name         string              `json:"name"`
	Version      string              `json:"version"`
	Interface    fingerprint.Digests `json:"interface"`
	Artifact     *Artifact           `json:"artifact,omitzero"`
	SideEffects  SideEffects         `json:"side_effects"`
	Capabilities []Capability        `json:"capabilities_required"`
	Provenance   *Provenance         `json:"provenance,omitzero"`
	Lineage      *Lineage            `json:"lineage,omitzero"`
}

// Artifact is the artifact object of MIS §10.2.
type Artifact struct {
	Type        ArtifactType  `json:"type"`
	Identifier  string        `json:"identifier"`
	Version     string        `json:"version"`
	Digest      digest.Digest `json:"digest"`
	DownloadURL string        `json:"download_url,omitzero"`
	Scope       DigestScope   `json:"digest_scope,omitzero"`
}

// ArtifactType is a kind of artifact that MIS §10.2 knows.
type ArtifactType string

// The artifact types of MIS §10.2.
const (
	NPM    ArtifactType = "npm"
	PyPI   ArtifactType = "pypi"
	Crate  ArtifactType = "crate"
	Wasm   ArtifactType = "wasm"
	Binary ArtifactType = "binary"
	Docker ArtifactType = "docker"
	MCPB   ArtifactType = "mcpb"
	Source ArtifactType = "source"
)

// ArtifactTypes are all of them.
var ArtifactTypes = []ArtifactType{NPM, PyPI, Crate, Wasm, Binary, Docker, MCPB, Source}

// DigestScope says which bytes an artifact's digest covers (MIS §10.2).
type DigestScope string

// The scopes: the archive's bytes, those of the main executable file, those of
// a self-contained bundle. An absent scope is ScopePackage.
const (
	ScopePackage    DigestScope = "package"
	ScopeEntrypoint DigestScope = "entrypoint"
	ScopeBundle     DigestScope = "bundle"
)

// DigestScopes are all of them.
var DigestScopes = []DigestScope{ScopePackage, ScopeEntrypoint, ScopeBundle}

// SideEffects is the side_effects object of MIS §11.2: the publisher's own
// word on what the tool does.
type SideEffects struct {
	Reads               []string `json:"reads"`
	Writes              []string `json:"writes"`
	NetworkEgress       bool     `json:"network_egress"`
	NetworkEndpoints    []string `json:"network_endpoints,omitempty"`
	ExecutesCode        bool     `json:"executes_code"`
	ExecutionContext    string   `json:"execution_context,omitzero"`
	AccessesEnvVars     bool     `json:"accesses_env_vars"`
	EnvVarsAccessed     []string `json:"env_vars_accessed,omitempty"`
	SpawnsProcesses     bool     `json:"spawns_processes"`
	ModifiesSystemState bool     `json:"modifies_system_state"`
	PersistsData        bool     `json:"persists_data"`
	Summary             string   `json:"human_readable_summary,omitzero"`
}

// Capability is an entry of capabilities_required (MIS §8.5).
type Capability struct {
	Resource string   `json:"resource"`
	Actions  []string `json:"actions"`
	Scope    string   `json:"scope,omitzero"`
	Required bool     `json:"required"`
}

// Resources are the resource categories that MIS §8.5 defines; others are
// written with a reverse-domain prefix.
var Resources = []string{"filesystem", "network", "environment", "database", "clipboard", "process", "system"}

// Provenance is the provenance object of MIS §12.2.
type Provenance struct {
	SourceRepo          string     `json:"source_repo,omitzero"`
	Commit              string     `json:"commit,omitzero"`
	Branch              string     `json:"branch,omitzero"`
	BuildSystem         string     `json:"build_system,omitzero"`
	BuildWorkflow       string     `json:"build_workflow,omitzero"`
	BuilderID           string     `json:"builder_id,omitzero"`
	BuildTimestamp      *Timestamp `json:"build_timestamp,omitzero"`
	SLSALevel           *int       `json:"slsa_level,omitzero"`
	BuildAttestationURI string     `json:"build_attestation_uri,omitzero"`
	SBOMURI             string     `json:"sbom_uri,omitzero"`
	Reproducible        *bool      `json:"reproducible,omitzero"`
}

// Lineage is the lineage object of MIS §13.2. PreviousVersion is nil for a
// first version.
type Lineage struct {
	PreviousVersion        *string       `json:"previous_version"`
	PreviousManifestDigest digest.Digest `json:"previous_manifest_digest,omitzero"`
	Changes                []Change      `json:"changes,omitempty"`
}

// Change is an entry of lineage.changes (MIS §13.3).
type Change struct {
	Type                string `json:"type"`
	Description         string `json:"description"`
	InterfaceChanged    bool   `json:"interface_changed"`
	CapabilitiesChanged bool   `json:"capabilities_changed"`
	SideEffectsChanged  bool   `json:"side_effects_changed"`
}

// Timestamp is an RFC 3339 time. It is written in UTC with whole seconds, and
// kept as read.
type Timestamp struct {
	time.Time
}

// NewTimestamp returns t in UTC with whole seconds.
func NewTimestamp(t time.Time) Timestamp { return Timestamp{t.UTC().Truncate(time.Second)} }

// MarshalText writes t as RFC 3339.
func (t Timestamp) MarshalText() ([]byte, error) {
	return []byte(t.Format(time.RFC3339Nano)), nil
}

// UnmarshalText reads RFC 3339 and nothing else.
func (t *Timestamp) UnmarshalText(b []byte) error {
	v, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("timestamp %.40q: want RFC 3339, such as 2026-02-20T15:00:00Z", b)
	}
	t.Time = v
	return nil
}

// MarshalManifest returns the canonical bytes of m, the payload to be signed.
// What it returns [ParseManifest] accepts.
func MarshalManifest(m *Manifest) ([]byte, error) {
	payload, err := strictjson.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if _, err := ParseManifest(payload); err != nil {
		return nil, err
	}
	return payload, nil
}
