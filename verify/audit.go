package verify

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// EventSchema is the JSON Schema of [Event].
//
//go:embed schema/audit-event.schema.json
var EventSchema []byte

// EventType says what happened (MIS §20.3).
type EventType string

// The event types of MIS §20.3.
const (
	// VerificationPass: the tool was verified, live, at level 1 at least and at the
	// policy's, and nothing that was found keeps it from passing.
	VerificationPass EventType = "verification_pass"
	// VerificationFail is every other verdict. Details.Outcome says what the run
	// made of it, which may be no more than a warning.
	VerificationFail EventType = "verification_fail"
	// TOFUFirstUse: a server without a manifest was met for the first time.
	TOFUFirstUse EventType = "tofu_first_use"
	// TOFUChangeDetected: what such a server serves is not what was accepted, or
	// is blocked.
	TOFUChangeDetected EventType = "tofu_change_detected"
	// ManifestFetchFailed: there may be a manifest, and it could not be had.
	ManifestFetchFailed EventType = "manifest_fetch_failed"
	// KeyRevoked: a signature is by a revoked key, or a key document has lost a
	// revocation that it had.
	KeyRevoked EventType = "key_revoked"
)

// Event is one entry of an audit log, with the members of MIS §20.3.
//
// It holds names, digests and codes, and no messages: those may quote command
// lines, addresses with a password in them, and whatever else a source said of
// its failure. Names are a stranger's text, cut at 1,024 bytes; [Event.Line]
// makes them safe to look at.
type Event struct {
	Type       EventType      `json:"event_type"`
	Timestamp  seal.Timestamp `json:"timestamp"`
	ServerName string         `json:"server_name"`
	// ToolName is "" where the event is about the server.
	ToolName   string `json:"tool_name"`
	TrustLevel int    `json:"trust_level"`
	// InterfaceMatch is nil, null in JSON, where no interface was compared.
	InterfaceMatch *bool        `json:"interface_match"`
	Details        EventDetails `json:"details"`
}

// EventDetails is what else is known.
type EventDetails struct {
	Outcome seal.Outcome `json:"outcome"`
	Policy  string       `json:"policy"`
	// Codes are the names of what was found about the tool or about the server as
	// a whole, errors first.
	Codes []string `json:"codes"`
	// Namespace and KeyID are the publisher's; "" where no signature held.
	Namespace string `json:"namespace,omitzero"`
	KeyID     string `json:"keyid,omitzero"`
	// Manifest is the payload's digest; "" where the chain was not looked at.
	Manifest digest.Digest `json:"manifest_digest,omitzero"`
}

// maxName bounds one name in an event, in bytes: a manifest may hold names of
// megabytes, and a reader of logs may cut a line where it likes.
const maxName = 1024

// findingEvents are the events that stand for a finding.
var findingEvents = map[seal.Code]EventType{
	seal.CodeManifestFetchFailed: ManifestFetchFailed,
	seal.CodeSignatureKeyRevoked: KeyRevoked,
	seal.CodeRevocationDropped:   KeyRevoked,
	seal.CodeFirstUse:            TOFUFirstUse,
	seal.CodeFirstUseChanged:     TOFUChangeDetected,
	seal.CodeFirstUseBlocked:     TOFUChangeDetected,
}

// Events are the audit events of a result (MIS §19.2 step 8): what findings
// stand for, each type once per tool, then one verdict per tool. A result
// without tools has a verdict on the server. There is always at least one.
func Events(r *Result) []Event {
	var events []Event
	l := newLogged(r)
	type occasion struct {
		event EventType
		tool  string
	}
	seen := map[occasion]bool{}
	for _, f := range slices.Concat(r.Errors, r.Advisories) {
		event, ok := findingEvents[f.Code]
		if o := (occasion{event, f.Tool}); ok && !seen[o] {
			seen[o] = true
			events = append(events, l.event(event, f.Tool))
		}
	}
	for _, t := range r.Results {
		events = append(events, l.verdict(t.ToolName))
	}
	if len(r.Results) == 0 && (len(r.Errors) > 0 || len(events) == 0) {
		events = append(events, l.event(VerificationFail, ""))
	}
	return events
}

// logged is a result, to be told event by event.
type logged struct {
	*Result
	decider decider
	tools   map[string]ground
	server  ground
	common  EventDetails
}

func newLogged(r *Result) *logged {
	l := &logged{Result: r, common: EventDetails{Outcome: r.Outcome, Policy: r.Policy}}
	policy, err := seal.ParsePolicy(r.Policy)
	if err != nil {
		policy = seal.Policy{Mode: seal.Block, Below: 3}
	}
	l.decider = deciderOf(&Verifier{Policy: policy}, r)
	l.tools, _ = groundsOf(r)
	l.server = ground{level: r.TrustLevel, errors: r.Errors, advisories: r.Advisories}
	if p := r.Publisher; p != nil {
		l.common.Namespace, l.common.KeyID = cutName(p.Namespace), cutName(p.KeyID)
	}
	if c := r.Chain; c != nil && len(c.Releases) > 0 {
		l.common.Manifest = c.Releases[0].Digest
	}
	return l
}

// verdict is the event of the verdict on one tool.
func (l *logged) verdict(tool string) Event {
	if g := l.tools[tool]; l.decider.passes(g) && g.level > 0 {
		return l.event(VerificationPass, tool)
	}
	return l.event(VerificationFail, tool)
}

// event is an event about one tool; about the server where tool is "".
func (l *logged) event(kind EventType, tool string) Event {
	g := l.server
	if tool != "" {
		g = l.tools[tool]
	}
	e := Event{
		Type: kind, Timestamp: l.VerifiedAt, ServerName: cutName(l.ServerName), ToolName: cutName(tool),
		TrustLevel: g.level, InterfaceMatch: g.match, Details: l.common,
	}
	e.Details.Codes = codes(g.errors, g.advisories)
	if low := seal.CodeLevelBelowPolicy.Name(); l.decider.low(g) && !slices.Contains(e.Details.Codes, low) {
		e.Details.Codes = append(e.Details.Codes, low)
	}
	return e
}

// codes are the names of what was found, each once.
func codes(findings ...[]Finding) []string {
	names := []string{}
	for _, f := range slices.Concat(findings...) {
		if name := f.Code.Name(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// cutName bounds a name, and makes it text that JSON can hold.
func cutName(s string) string {
	if len(s) > maxName {
		n := maxName
		for n > maxName-utf8.UTFMax && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// Line is the event as one line of JSON in ASCII, with a line feed at its end.
// Every other character stands as its JSON escape: no name can end the line, turn
// its direction, or pass for a name that merely looks like it, in whatever the
// log is shown.
func (e Event) Line() ([]byte, error) {
	data, err := strictjson.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("audit event %.40q: %w", e.Type, err)
	}
	line := make([]byte, 0, len(data)+1)
	for _, r := range string(data) {
		switch {
		case r < 0x7F: // the lower control characters are escaped already
			line = append(line, byte(r))
		case r > 0xFFFF:
			r -= 0x10000
			line = fmt.Appendf(line, `\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&0x3FF)
		default:
			line = fmt.Appendf(line, `\u%04x`, r)
		}
	}
	return append(line, '\n'), nil
}
