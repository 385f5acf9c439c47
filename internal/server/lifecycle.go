package server

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// offeredVersion is the newest version of the handshake.
	offeredVersion = "2025-11-25"
	// statelessVersion is the first version without a handshake.
	statelessVersion = "2026-07-28"
	// batchVersion is the only version with JSON-RPC batches.
	batchVersion = "2025-03-26"

	// clientInfo is all that a server is told about us (decision 18): the name
	// of nobody, so that no server behaves for as long as it is watched. The
	// protocol wants a version; it never changes with ours, so that no server
	// can serve another list to another release.
	clientInfo = `{"name":"mcp-client","version":"1.0.0"}`
)

// handshakeVersions are the versions that a server may answer initialize with.
var handshakeVersions = []string{"2024-11-05", "2025-03-26", "2025-06-18", offeredVersion}

// A lifecycle is a way to begin a session and learn what the server says of itself.
type lifecycle struct {
	stage Stage
	begin func(context.Context, *session) error
}

var (
	handshake = lifecycle{StageInitialize, initialize}
	stateless = lifecycle{StageDiscover, discover}
)

// initialize is the handshake of 2024-11-05 to 2025-11-25.
func initialize(ctx context.Context, s *session) error {
	result, err := s.call(ctx, "initialize",
		`{"protocolVersion":"`+offeredVersion+`","capabilities":{},"clientInfo":`+clientInfo+`}`)
	if err != nil {
		return err
	}
	var wire struct {
		Version      jsontext.Value `json:"protocolVersion"`
		Capabilities jsontext.Value `json:"capabilities"`
		ServerInfo   jsontext.Value `json:"serverInfo"`
	}
	if err := decodeObject(result, &wire, "result"); err != nil {
		return err
	}
	version, err := decodeString(wire.Version, "protocolVersion")
	if err != nil {
		return err
	}
	if !slices.Contains(handshakeVersions, version) {
		return refusef("protocolVersion: got %.40q, want one of %s", version, strings.Join(handshakeVersions, ", "))
	}
	if err := s.describe(wire.ServerInfo, wire.Capabilities); err != nil {
		return err
	}
	s.agree(version)
	return s.conn.send(ctx, notification("notifications/initialized"))
}

// agree goes on in version.
func (s *session) agree(version string) {
	s.version, s.listing.ProtocolVersion = version, version
	s.conn.agreed(version)
}

// statelessMeta goes with each request of the stateless lifecycle (SEP-2575).
const statelessMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"` + statelessVersion + `",` +
	`"io.modelcontextprotocol/clientInfo":` + clientInfo + `,` +
	`"io.modelcontextprotocol/clientCapabilities":{}}`

// discover is how a session of 2026-07-28 begins: there is no handshake, but
// server/discover says what the server is and which versions it speaks.
func discover(ctx context.Context, s *session) error {
	s.meta = statelessMeta
	result, err := s.call(ctx, "server/discover", `{`+s.meta+`}`)
	if err != nil {
		return err
	}
	var wire struct {
		Type         jsontext.Value   `json:"resultType"`
		Versions     []jsontext.Value `json:"supportedVersions"`
		Capabilities jsontext.Value   `json:"capabilities"`
		Meta         jsontext.Value   `json:"_meta"`
	}
	if err := decodeObject(result, &wire, "result"); err != nil {
		return err
	}
	if err := checkComplete(wire.Type); err != nil {
		return err
	}
	if !slices.ContainsFunc(wire.Versions, func(v jsontext.Value) bool { return string(v) == `"`+statelessVersion+`"` }) {
		return refusef("supportedVersions: got %.100q, want %s among them", wire.Versions, statelessVersion)
	}
	var meta struct {
		ServerInfo jsontext.Value `json:"io.modelcontextprotocol/serverInfo"`
	}
	if !absent(wire.Meta) {
		if err := decodeObject(wire.Meta, &meta, "_meta"); err != nil {
			return err
		}
	}
	s.agree(statelessVersion)
	return s.describe(meta.ServerInfo, wire.Capabilities)
}

// checkComplete refuses a result that asks for more input first (SEP-2322): it
// is not the answer yet, and we have no input to give.
func checkComplete(resultType jsontext.Value) error {
	if absent(resultType) || string(resultType) == `"complete"` {
		return nil
	}
	return refusef(`resultType: got %s, want "complete"`, show(resultType))
}

// describe takes over what the server says of itself.
func (s *session) describe(serverInfo, capabilities jsontext.Value) error {
	var info struct {
		Name    jsontext.Value `json:"name"`
		Version jsontext.Value `json:"version"`
	}
	if !absent(serverInfo) {
		if err := decodeObject(serverInfo, &info, "serverInfo"); err != nil {
			return err
		}
	}
	for _, m := range []struct {
		name string
		from jsontext.Value
		to   *string
	}{{"serverInfo.name", info.Name, &s.listing.Name}, {"serverInfo.version", info.Version, &s.listing.Version}} {
		if absent(m.from) {
			continue
		}
		var err error
		if *m.to, err = decodeString(m.from, m.name); err != nil {
			return err
		}
	}
	var caps struct {
		Tools      jsontext.Value `json:"tools"`
		Extensions jsontext.Value `json:"extensions"`
	}
	if !absent(capabilities) {
		if err := decodeObject(capabilities, &caps, "capabilities"); err != nil {
			return err
		}
	}
	s.declaresTools = !absent(caps.Tools)
	s.listing.claim(caps.Extensions)
	return nil
}

// claim reads the server's word on its own seal (MIS §17.2). It is a claim: it
// is looked at member by member, and what is malformed counts as not said.
func (l *Listing) claim(extensions jsontext.Value) {
	var wire struct {
		Integrity struct {
			Level jsontext.Value `json:"seal_level"`
			URL   jsontext.Value `json:"manifest_url"`
		} `json:"mcp-integrity/v1"`
	}
	if absent(extensions) || json.Unmarshal(extensions, &wire) != nil {
		return
	}
	var level int
	if json.Unmarshal(wire.Integrity.Level, &level) == nil && !absent(wire.Integrity.Level) && 0 <= level && level <= 3 {
		l.ClaimedLevel = &level
	}
	if url, err := decodeString(wire.Integrity.URL, ""); err == nil {
		l.ManifestURL = url
	}
}

// show is v for an error: short, escaped, and "nothing" where it is missing.
func show(v jsontext.Value) string {
	if len(v) == 0 {
		return "nothing"
	}
	return fmt.Sprintf("%.40q", string(v))
}

func absent(v jsontext.Value) bool { return len(v) == 0 || v.Kind() == 'n' }

// decodeObject decodes v, which must be an object, into wire; members that wire
// does not have are left alone, as the protocol asks.
func decodeObject(v jsontext.Value, wire any, name string) error {
	if v.Kind() != '{' {
		return refusef("%s: got %s, want an object", name, show(v))
	}
	if err := json.Unmarshal(v, wire); err != nil {
		return refusef("%s: %w", name, err)
	}
	return nil
}

func decodeString(v jsontext.Value, name string) (string, error) {
	var s string
	if v.Kind() != '"' {
		return "", refusef("%s: got %s, want a string", name, show(v))
	}
	if err := json.Unmarshal(v, &s); err != nil {
		return "", refusef("%s: %w", name, err)
	}
	return s, nil
}
