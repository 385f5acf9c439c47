package fingerprint

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// SnapshotVersion is the only snapshot_version that is written and read.
const SnapshotVersion = "1.0"

// MaxSnapshotSize bounds a snapshot that is read, in bytes: what a server may
// send in one session, and a little. The largest answer of 35 real servers has
// 140,582.
const MaxSnapshotSize = 72 << 20

// Snapshot is what a server served, and under which conditions (decision 18):
//
//	{"conditions":{…},"server":{"name":…,"version":…},"snapshot_version":"1.0","tools":[
//	<tool>,
//	<tool>
//	]}
//
// with each tool's bytes as the server sent them. It has no time in it: the
// same surface under the same conditions is the same file.
type Snapshot struct {
	Server     ServerInfo
	Conditions Conditions
	Tools      []Tool
}

// ServerInfo is what a server says of itself.
type ServerInfo struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Conditions are those under which a surface was seen. Names of environment
// variables are recorded, their values never.
type Conditions struct {
	ProtocolVersion string   `json:"protocol_version"`
	Command         []string `json:"command,omitempty"`
	URL             string   `json:"url,omitzero"`
	Env             []string `json:"env,omitempty"`
	Network         bool     `json:"network"`
	Dir             string   `json:"cwd,omitzero"`
}

type snapshotHead struct {
	Version    string     `json:"snapshot_version"`
	Server     ServerInfo `json:"server"`
	Conditions Conditions `json:"conditions"`
}

// Marshal returns the snapshot file. What it returns [ParseSnapshot] accepts.
func (s *Snapshot) Marshal() ([]byte, error) {
	head, err := strictjson.Marshal(snapshotHead{Version: SnapshotVersion, Server: s.Server, Conditions: s.Conditions})
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	var b bytes.Buffer
	b.Write(bytes.TrimSuffix(head, []byte("}")))
	b.WriteString(`,"tools":[`)
	for i, t := range s.Tools {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		b.Write(t.Raw)
	}
	b.WriteString("\n]}\n")
	return b.Bytes(), nil
}

// checkKind tells a file that is strict JSON and something else.
func checkKind(data []byte) error {
	if err := strictjson.Check(data); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if k := jsontext.Value(data).Kind(); k != '{' {
		return fmt.Errorf("snapshot: it is %s, want the object that extract writes", kindName(k))
	}
	var other struct {
		PayloadType jsontext.Value `json:"payloadType"`
		Version     jsontext.Value `json:"snapshot_version"`
	}
	if err := strictjson.DecodeOpen(data, &other); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	switch {
	case other.PayloadType != nil:
		return fmt.Errorf("snapshot: it is a sealed manifest, want the interface snapshot beside it")
	case other.Version == nil:
		return fmt.Errorf("snapshot: it has no snapshot_version, want the object that extract writes")
	}
	return nil
}

// ParseSnapshot reads a snapshot file: strict JSON, no member that is not
// named above, and tools as [ParseTools] wants them.
func ParseSnapshot(data []byte) (*Snapshot, error) {
	if len(data) > MaxSnapshotSize {
		return nil, fmt.Errorf("snapshot of %d bytes, want at most %d", len(data), MaxSnapshotSize)
	}
	if err := checkKind(data); err != nil {
		return nil, err
	}
	var wire struct {
		snapshotHead
		Tools []jsontext.Value `json:"tools"`
	}
	if err := strictjson.Decode(data, &wire); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if wire.Version != SnapshotVersion {
		return nil, fmt.Errorf("snapshot: snapshot_version: got %.40q, want %q", wire.Version, SnapshotVersion)
	}
	if wire.Tools == nil {
		return nil, fmt.Errorf("snapshot: tools: missing or null, want an array")
	}
	raws := make([][]byte, len(wire.Tools))
	for i, v := range wire.Tools {
		raws[i] = v
	}
	tools, err := parseTools(raws, parseChecked)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return &Snapshot{Server: wire.Server, Conditions: wire.Conditions, Tools: tools}, nil
}
