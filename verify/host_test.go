package verify_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/verify"
)

// session is a host's session with a server that can be changed.
type session struct {
	*scene
	host *verify.Host
	// envelope is what discovery finds; err is what it says instead.
	envelope []byte
	err      error
	asked    []string // the URLs that discovery was asked for
	events   []string
}

func newSession(t *testing.T, policyName string) *session {
	t.Helper()
	s := &session{scene: newScene(t)}
	s.v.Policy = policy(t, policyName)
	s.envelope = s.sealed(t)
	s.host = &verify.Host{
		Verifier: s.v,
		Manifest: func(_ context.Context, url string) ([]byte, error) {
			s.asked = append(s.asked, url)
			return s.envelope, s.err
		},
		Log: func(events []verify.Event) {
			for _, e := range events {
				s.events = append(s.events, string(e.Type))
			}
		},
	}
	return s
}

func (s *session) sealed(t *testing.T) []byte {
	t.Helper()
	return sealtest.Marshal(t, sealtest.Seal(t, s.manifest, s.key))
}

// list is a tools/list of the host's.
func (s *session) list(t *testing.T) *verify.Result {
	t.Helper()
	return s.host.List(t.Context(), *s.live)
}

// change makes the server serve another tool1.
func (s *session) change(t *testing.T) {
	t.Helper()
	s.replaceTool(t, `{"name":"tool1","description":"Does evil.","inputSchema":{"type":"object","properties":{"n":{"type":"integer"}}},"annotations":{"readOnlyHint":true},"outputSchema":{"type":"object"}}`)
}

// release seals what the server serves now.
func (s *session) release(t *testing.T) {
	t.Helper()
	s.manifest = sealtest.Manifest(t, s.live.Tools...)
	s.envelope = s.sealed(t)
}

// decided are the decisions about tools, in few words: "deny", or "deny CODE".
func (s *session) decided(tools ...string) string {
	var out []string
	for _, tool := range tools {
		d := s.host.Decide(tool)
		text := string(d.Action)
		if len(d.Reasons) > 0 {
			text += " " + d.Reasons[0].Code.Name()
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func thrice(s string) string { return s + ", " + s + ", " + s }

const warn1 = "warn_below_level_1"

// TestHostDecides: every trigger under every mode, for a tool that holds
// (tool0), one that may not (tool1), and one that nobody listed.
func TestHostDecides(t *testing.T) {
	type decisions map[string]string // by policy
	for name, tt := range map[string]struct {
		do   func(t *testing.T, s *session)
		want decisions
	}{
		"nothing was verified": {
			do:   func(*testing.T, *session) {},
			want: decisions{block1: thrice("deny NOT_OBSERVED"), warn1: thrice("ask NOT_OBSERVED"), report: thrice("allow NOT_OBSERVED")},
		},
		"V1 alone": {
			do:   func(t *testing.T, s *session) { s.host.Install(t.Context()) },
			want: decisions{block1: thrice("deny NOT_OBSERVED"), warn1: thrice("ask NOT_OBSERVED"), report: thrice("allow NOT_OBSERVED")},
		},
		"V2, another description": {
			do: func(t *testing.T, s *session) { s.change(t); s.list(t) },
			want: decisions{
				block1: "allow, deny INTERFACE_DESCRIPTION_CHANGED, deny UNKNOWN", warn1: "allow, deny INTERFACE_DESCRIPTION_CHANGED, ask UNKNOWN",
				report: "allow, allow INTERFACE_DESCRIPTION_CHANGED, allow UNKNOWN",
			},
		},
		"V2, a tool that is not sealed": {
			do: func(t *testing.T, s *session) {
				s.live.Tools = append(s.live.Tools, sealtest.Tool(t, `{"name":"new","inputSchema":{}}`))
				s.list(t)
			},
			want: decisions{block1: "allow, allow, deny UNKNOWN", warn1: "allow, allow, ask UNKNOWN", report: "allow, allow, allow UNKNOWN"},
		},
		"V2, a forged manifest": {
			do: func(t *testing.T, s *session) {
				s.envelope = sealtest.Marshal(t, sealtest.Seal(t, s.manifest, sealtest.Key(t, keys.Ed25519, "acme-2026")))
				s.list(t)
			},
			want: decisions{block1: thrice("deny SIGNATURE_INVALID"), warn1: thrice("deny SIGNATURE_INVALID"), report: thrice("allow SIGNATURE_INVALID")},
		},
		"V2, nobody was expected": {
			do: func(t *testing.T, s *session) {
				s.host.Verifier.IdentityExpected, s.host.Verifier.Namespace = false, ""
				s.list(t)
			},
			want: decisions{
				block1: thrice("deny IDENTITY_NOT_EXPECTED"), warn1: thrice("ask IDENTITY_NOT_EXPECTED"),
				report: thrice("allow IDENTITY_NOT_EXPECTED"),
			},
		},
		"V2, a broken rule": {
			do: func(t *testing.T, s *session) {
				s.host.Verifier.Rules = []verify.Rule{never{}}
				s.list(t)
			},
			want: decisions{block1: thrice("deny RULE_BROKEN"), warn1: thrice("ask RULE_BROKEN"), report: thrice("allow RULE_BROKEN")},
		},
		"V2, the list cannot be had": {
			do: func(t *testing.T, s *session) {
				s.list(t)
				s.live.err = fmt.Errorf("%w: it died", verify.ErrUnavailable)
				s.list(t)
			},
			want: decisions{
				block1: thrice("deny SERVER_UNAVAILABLE"), warn1: thrice("ask SERVER_UNAVAILABLE"),
				report: thrice("allow SERVER_UNAVAILABLE"),
			},
		},
		"V2, no list": {
			do:   func(t *testing.T, s *session) { s.live.err = errors.New("no list"); s.list(t) },
			want: decisions{block1: thrice("deny INTERFACE_UNREADABLE"), warn1: thrice("deny INTERFACE_UNREADABLE"), report: thrice("allow INTERFACE_UNREADABLE")},
		},
		"V2, no manifest": {
			do: func(t *testing.T, s *session) { s.err = verify.ErrNoManifest; s.list(t) },
			want: decisions{
				block1: thrice("deny MANIFEST_NOT_FOUND"), warn1: thrice("ask MANIFEST_NOT_FOUND"),
				report: thrice("allow MANIFEST_NOT_FOUND"),
			},
		},
		"V2, the manifest cannot be had": {
			do: func(t *testing.T, s *session) { s.err = errors.New("HTTP 500"); s.list(t) },
			want: decisions{
				block1: thrice("deny MANIFEST_FETCH_FAILED"), warn1: thrice("ask MANIFEST_FETCH_FAILED"),
				report: thrice("allow MANIFEST_FETCH_FAILED"), "warn_below_level_0": thrice("ask MANIFEST_FETCH_FAILED"),
			},
		},
		"V3, a change that is not listed yet": {
			do: func(t *testing.T, s *session) { s.list(t); s.host.Changed() },
			want: decisions{
				block1: thrice("deny NOT_OBSERVED"), warn1: thrice("ask NOT_OBSERVED"),
				report: thrice("allow NOT_OBSERVED"), "warn_below_level_0": thrice("ask NOT_OBSERVED"),
			},
		},
		"V3, a change that nobody sealed": {
			do: func(t *testing.T, s *session) { s.list(t); s.host.Changed(); s.change(t); s.list(t) },
			want: decisions{
				block1: "allow, deny INTERFACE_DESCRIPTION_CHANGED, deny UNKNOWN", warn1: "allow, deny INTERFACE_DESCRIPTION_CHANGED, ask UNKNOWN",
				report: "allow, allow INTERFACE_DESCRIPTION_CHANGED, allow UNKNOWN",
			},
		},
		"V3, a change with its manifest": {
			do: func(t *testing.T, s *session) {
				s.list(t)
				s.host.Changed()
				s.change(t)
				s.release(t)
				s.list(t)
			},
			want: decisions{block1: "allow, allow, deny UNKNOWN", warn1: "allow, allow, ask UNKNOWN", report: "allow, allow, allow UNKNOWN"},
		},
		"V1 and V2": {
			do:   func(t *testing.T, s *session) { s.host.Install(t.Context()); s.list(t) },
			want: decisions{block1: "allow, allow, deny UNKNOWN", warn1: "allow, allow, ask UNKNOWN", report: "allow, allow, allow UNKNOWN", "block_below_level_2": "deny LEVEL_BELOW_POLICY, deny LEVEL_BELOW_POLICY, deny UNKNOWN", "block_below_level_0": "allow, allow, allow UNKNOWN"},
		},
	} {
		for policyName, want := range tt.want {
			t.Run(name+"/"+policyName, func(t *testing.T) {
				s := newSession(t, policyName)
				tt.do(t, s)
				got := s.decided("tool0", "tool1", "new")
				if got := strings.ReplaceAll(got, "INTERFACE_UNKNOWN_TOOL", "UNKNOWN"); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			})
		}
	}
}
