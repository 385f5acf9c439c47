package tofu

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
	"github.com/mcp-integrity/seal-action/verify"
)

// A record is what is kept of one server, and the JSON of its file.
type record struct {
	Key     verify.FirstUseKey     `json:"key"`
	Server  fingerprint.ServerInfo `json:"server"`
	Since   seal.Timestamp         `json:"since"`
	Blocked bool                   `json:"blocked"`
	// BlockedTools may have names that are not accepted: of added tools, and of
	// those that went.
	BlockedTools []string `json:"blocked_tools"`
	Tools        []tool   `json:"tools"` // by name
	Pending      *pending `json:"pending,omitempty"`
	// Sealed is the publisher whose manifest the server had; nil where it never
	// had one.
	Sealed *sealed `json:"sealed,omitempty"`
	// Start is how the host started it when it was accepted; "" where it was not
	// told.
	Start string `json:"start,omitzero"`
}

type sealed struct {
	Namespace string         `json:"namespace"`
	At        seal.Timestamp `json:"at"`
}

type pending struct {
	Server fingerprint.ServerInfo `json:"server"`
	Seen   seal.Timestamp         `json:"seen"`
	Tools  []tool                 `json:"tools"` // by name
	// Start is how the host started it, where that is not as it was accepted.
	Start string `json:"start,omitzero"`
}

type tool struct {
	Name       string              `json:"name"`
	Interface  fingerprint.Digests `json:"interface"`
	FirstSeen  seal.Timestamp      `json:"first_seen"`
	AcceptedAt seal.Timestamp      `json:"accepted_at,omitzero"`
	// Raw are the bytes that the server sent; "" where they are too many.
	Raw string `json:"raw,omitzero"`
}

// parseRecord reads the JSON of a server's file.
func parseRecord(data []byte) (*record, error) {
	if len(data) > maxRecord {
		return nil, fmt.Errorf("got %d bytes, want at most %d", len(data), maxRecord)
	}
	var r record
	if err := strictjson.Unmarshal(data, &r); err != nil {
		return nil, err
	}
	if err := checkKey(r.Key); err != nil {
		return nil, err
	}
	if r.Since.IsZero() {
		return nil, errors.New("since: missing or zero")
	}
	if len(r.Start) > maxText || r.Pending != nil && len(r.Pending.Start) > maxText {
		return nil, fmt.Errorf("start: want at most %d bytes", maxText)
	}
	if err := checkTools(r.Tools, true); err != nil {
		return nil, fmt.Errorf("tools: %w", err)
	}
	if n := len(r.BlockedTools); n > 2*maxTools || !slices.IsSorted(r.BlockedTools) || len(slices.Compact(slices.Clone(r.BlockedTools))) != n {
		return nil, fmt.Errorf("blocked_tools: got %d, want at most %d, in order, each once", n, 2*maxTools)
	}
	if s := r.Sealed; s != nil {
		if err := checkText("sealed: namespace", s.Namespace, maxName); err != nil || s.At.IsZero() {
			return nil, errors.Join(errors.New("sealed: want a namespace and a time"), err)
		}
	}
	if p := r.Pending; p != nil {
		if p.Seen.IsZero() {
			return nil, errors.New("pending: seen: missing or zero")
		}
		if err := checkTools(p.Tools, false); err != nil {
			return nil, fmt.Errorf("pending: %w", err)
		}
	}
	return &r, nil
}

func checkKey(key verify.FirstUseKey) error {
	if err := checkText("host", key.Host, maxText); err != nil {
		return err
	}
	if len(key.Start) > maxText || !utf8.ValidString(key.Start) {
		return fmt.Errorf("start of %d bytes: want UTF-8, at most %d bytes", len(key.Start), maxText)
	}
	return checkText("server", key.Server, maxText)
}

func checkText(what, text string, limit int) error {
	if text == "" || len(text) > limit || !utf8.ValidString(text) {
		return fmt.Errorf("%s %.100q of %d bytes: want UTF-8, 1 to %d bytes", what, text, len(text), limit)
	}
	return nil
}

func checkTools(tools []tool, accepted bool) error {
	// Accepting some of what is pending keeps what is gone beside it.
	if limit := 2 * maxTools; len(tools) > limit {
		return fmt.Errorf("got %d tools, want at most %d", len(tools), limit)
	}
	for i := range tools {
		t := &tools[i]
		if err := checkText("name", t.Name, maxName); err != nil {
			return fmt.Errorf("tool %d: %w", i, err)
		}
		if i > 0 && tools[i-1].Name >= t.Name {
			return fmt.Errorf("tool %.100q is out of order, or stands twice", t.Name)
		}
		if err := t.Interface.Check(); err != nil {
			return fmt.Errorf("tool %.100q: %w", t.Name, err)
		}
		if t.Interface.Composite.Algorithm() != digest.SHA256 {
			return fmt.Errorf("tool %.100q: composite_digest %.80q, want SHA-256", t.Name, t.Interface.Composite)
		}
		if t.FirstSeen.IsZero() || accepted == t.AcceptedAt.IsZero() {
			return fmt.Errorf("tool %.100q: first_seen or accepted_at is missing, or there for what is pending", t.Name)
		}
	}
	return nil
}

// A sight is an observation that can be compared.
type sight struct {
	key   verify.FirstUseKey // without Start
	start string
	now   seal.Timestamp
	live  bool
	info  fingerprint.ServerInfo
	tools []tool                      // by name, without raw
	full  map[string]fingerprint.Tool // by name
	// unkept is why it cannot be kept, nil where it can.
	unkept error
}

// named is a key as records have it, by which servers are told apart.
func named(key verify.FirstUseKey) verify.FirstUseKey {
	key.Start = ""
	return key
}

// look fingerprints what was observed. What is beyond a bound is compared all the
// same, or a server could leave the comparison by having too much.
func look(key verify.FirstUseKey, seen verify.Observation, now time.Time) (*sight, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if year := now.UTC().Year(); now.IsZero() || year < 1 || year > 9999 {
		return nil, fmt.Errorf("it is the year %d, want 1 to 9999", year)
	}
	s := &sight{
		key: named(key), start: key.Start, now: seal.NewTimestamp(now), live: seen.Observed == verify.Live, info: bounded(seen.Server),
		tools: make([]tool, 0, len(seen.Tools)), full: make(map[string]fingerprint.Tool, len(seen.Tools)),
	}
	if n := len(seen.Tools); n > maxTools {
		s.unkept = fmt.Errorf("it has %d tools, and %d can be kept", n, maxTools)
	}
	for _, t := range seen.Tools {
		if err := checkText("name", t.Name, maxName); err != nil && s.unkept == nil {
			s.unkept = fmt.Errorf("tool: %w", err)
		}
		if _, twice := s.full[t.Name]; twice {
			return nil, fmt.Errorf("tool %.100q stands twice", t.Name)
		}
		d, err := fingerprint.Of(t, digest.SHA256)
		if err != nil {
			return nil, err
		}
		s.full[t.Name] = t
		s.tools = append(s.tools, tool{Name: t.Name, Interface: d, FirstSeen: s.now})
	}
	slices.SortFunc(s.tools, byName)
	return s, nil
}

func byName(a, b tool) int { return strings.Compare(a.Name, b.Name) }

// bounded cuts what a server says of itself, which nothing is compared with.
func bounded(info fingerprint.ServerInfo) fingerprint.ServerInfo {
	cut := func(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxName)], "�") }
	return fingerprint.ServerInfo{Name: cut(info.Name), Version: cut(info.Version)}
}

// withWords returns the tools as they are kept, with their bytes as far as there
// is room. Bytes that do not lead to the fingerprints would show other words than
// those that somebody accepts, and are left out.
func (s *sight) withWords() []tool {
	tools, room := slices.Clone(s.tools), maxWords
	for i := range tools {
		raw := s.full[tools[i].Name].Raw
		if len(raw) > min(maxRaw, room) {
			continue
		}
		t, err := fingerprint.ParseTool(raw)
		if err != nil || t.Name != tools[i].Name {
			continue
		}
		if d, err := fingerprint.Of(t, digest.SHA256); err == nil && d == tools[i].Interface {
			tools[i].Raw = string(raw)
			room -= len(raw)
		}
	}
	return tools
}

// full is the tool with its parts; its name alone where its bytes are not kept.
func (t *tool) full() fingerprint.Tool {
	full, err := fingerprint.ParseTool([]byte(t.Raw))
	if err != nil || full.Name != t.Name {
		return fingerprint.Tool{Name: t.Name}
	}
	return full
}
