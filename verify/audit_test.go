package verify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

// eventSchema is compiled once: many events are held against it.
func eventSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(verify.EventSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("event", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("event")
}

// follows holds an event against the schema, as a line and as any encoder of
// JSON writes it.
func follows(t testing.TB, schema *jsonschema.Schema, e verify.Event) {
	t.Helper()
	line, err := e.Line()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{line, plain} {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%v\n%s", err, data)
		}
	}
}

// short is an event in few words: type, tool, level, match.
func short(e verify.Event) string {
	match := "?"
	if e.InterfaceMatch != nil {
		match = fmt.Sprint(*e.InterfaceMatch)
	}
	return fmt.Sprintf("%s %q %d %s", e.Type, e.ToolName, e.TrustLevel, match)
}

func shorts(events []verify.Event) []string {
	var out []string
	for _, e := range events {
		out = append(out, short(e))
	}
	return out
}

func TestEvents(t *testing.T) {
	revoked := verify.Finding{Code: seal.CodeSignatureKeyRevoked, Message: "signatures[0]: revoked"}
	for name, tt := range map[string]struct {
		change func(t *testing.T, s *scene)
		policy string
		after  func(r *verify.Result)
		want   []string
	}{
		"a description changed": {
			change: func(t *testing.T, s *scene) {
				s.replaceTool(t, `{"name":"tool1","description":"Does evil.","inputSchema":{"type":"object","properties":{"n":{"type":"integer"}}},"annotations":{"readOnlyHint":true},"outputSchema":{"type":"object"}}`)
			},
			want: []string{`verification_pass "tool0" 1 true`, `verification_fail "tool1" 0 false`},
		},
		"changed, and only reported": {
			change: func(t *testing.T, s *scene) { s.replaceTool(t, `{"name":"tool1","inputSchema":{}}`) },
			policy: report,
			want:   []string{`verification_pass "tool0" 1 true`, `verification_fail "tool1" 0 false`},
		},
		"nobody was expected": {
			change: func(_ *testing.T, s *scene) { s.v.IdentityExpected, s.v.Namespace = false, "" },
			want:   []string{`verification_fail "tool0" 1 true`, `verification_fail "tool1" 1 true`},
		},
		"below the policy's level": {
			policy: "warn_below_level_2",
			want:   []string{`verification_fail "tool0" 1 true`, `verification_fail "tool1" 1 true`},
		},
		"a snapshot": {
			change: func(_ *testing.T, s *scene) { s.live.Observed = verify.Snapshot },
			policy: report,
			want:   []string{`verification_fail "tool0" 0 true`, `verification_fail "tool1" 0 true`},
		},
		"a tool that is not sealed": {
			change: func(t *testing.T, s *scene) {
				s.live.Tools = append(s.live.Tools, sealtest.Tool(t, `{"name":"new","inputSchema":{}}`))
			},
			want: []string{`verification_pass "tool0" 1 true`, `verification_pass "tool1" 1 true`, `verification_fail "new" 0 ?`},
		},
		"a broken rule": {
			change: func(_ *testing.T, s *scene) { s.v.Rules = []verify.Rule{never{}} },
			want:   []string{`verification_fail "tool0" 1 true`, `verification_fail "tool1" 1 true`},
		},
		"undecided": {
			change: func(_ *testing.T, s *scene) {
				s.withArtifact(digest.FromString("artifact"))
				s.v.Artifacts = files{err: errors.New("gone")}
			},
			want: []string{`verification_fail "tool0" 1 true`, `verification_fail "tool1" 1 true`},
		},
		"no envelope": {
			change: func(_ *testing.T, s *scene) { s.envelope = []byte("{}") },
			want:   []string{`verification_fail "" 0 ?`},
		},
		"a revoked key": {
			after: func(r *verify.Result) {
				r.Results, r.Errors, r.TrustLevel = nil, []verify.Finding{revoked, revoked}, 0
			},
			want: []string{`key_revoked "" 0 ?`, `verification_fail "" 0 ?`},
		},
		"a revocation was dropped": {
			after: func(r *verify.Result) {
				r.Advisories = append(r.Advisories, verify.Finding{Code: seal.CodeRevocationDropped})
			},
			want: []string{`key_revoked "" 1 ?`, `verification_pass "tool0" 1 true`, `verification_pass "tool1" 1 true`},
		},
		"all holds": {
			want: []string{`verification_pass "tool0" 1 true`, `verification_pass "tool1" 1 true`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			if tt.policy != "" {
				s.v.Policy = policy(t, tt.policy)
			}
			if tt.change != nil {
				tt.change(t, s)
			}
			r := s.run(t)
			if tt.after != nil {
				tt.after(r)
			}
			events := verify.Events(r)
			compare(t, "events", tt.want, shorts(events))
			schema := eventSchema(t)
			for _, e := range events {
				follows(t, schema, e)
			}
		})
	}
}

// never is a rule that does not hold.
type never struct{}

func (never) String() string               { return "false" }
func (never) Check(verify.RuleInput) error { return errors.New("it is false") }

func policy(t testing.TB, name string) seal.Policy {
	t.Helper()
	p, err := seal.ParsePolicy(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestEventsWithoutManifest: every finding of a first use has its event, once per
// tool.
func TestEventsWithoutManifest(t *testing.T) {
	v := newScene(t).v
	fetch := fmt.Errorf("%w: HTTP 500", verify.ErrUnavailable)
	tool := verify.ToolResult{ToolName: "a"}
	changed := []verify.Finding{
		{Code: seal.CodeFirstUseChanged, Tool: "a", Component: "description"},
		{Code: seal.CodeFirstUseChanged, Tool: "a", Component: "annotations"},
	}
	for name, tt := range map[string]struct {
		result *verify.Result
		after  func(r *verify.Result)
		want   []string
	}{
		"unreachable": {result: v.NotFound(seal.CodeManifestFetchFailed, fetch), want: []string{`manifest_fetch_failed "" 0 ?`}},
		"none":        {result: v.NotFound(seal.CodeManifestNotFound, errors.New("none")), want: []string{`verification_fail "" 0 ?`}},
		"changed": {
			result: v.NotFound(seal.CodeManifestNotFound, errors.New("none")),
			after: func(r *verify.Result) {
				tool.Errors = changed
				r.Results, r.Errors = []verify.ToolResult{tool}, changed
			},
			want: []string{`tofu_change_detected "a" 0 ?`, `verification_fail "a" 0 ?`},
		},
		"blocked": {
			result: v.NotFound(seal.CodeManifestNotFound, errors.New("none")),
			after: func(r *verify.Result) {
				r.Errors = []verify.Finding{{Code: seal.CodeFirstUseBlocked}}
			},
			want: []string{`tofu_change_detected "" 0 ?`, `verification_fail "" 0 ?`},
		},
		"first use": {
			result: v.NotFound(seal.CodeManifestNotFound, errors.New("none")),
			after: func(r *verify.Result) {
				r.Results = []verify.ToolResult{tool}
				r.Advisories = append(r.Advisories, verify.Finding{Code: seal.CodeFirstUse})
			},
			want: []string{`tofu_first_use "" 0 ?`, `verification_fail "a" 0 ?`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.after != nil {
				tt.after(tt.result)
			}
			events := verify.Events(tt.result)
			compare(t, "events", tt.want, shorts(events))
			for _, e := range events {
				follows(t, eventSchema(t), e)
			}
		})
	}
}

func TestEventSchemaRefuses(t *testing.T) {
	schema := eventSchema(t)
	good := verify.Events(newScene(t).run(t))[0]
	line, err := good.Line()
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{"event_type", "timestamp", "server_name", "tool_name", "trust_level", "interface_match", "details"} {
		var e map[string]any
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if e[member] = struct{}{}; schema.Validate(e) == nil {
			t.Errorf("%s: another value is accepted", member)
		}
		if delete(e, member); schema.Validate(e) == nil {
			t.Errorf("%s: it may be missing", member)
		}
	}
}

func TestEventDetails(t *testing.T) {
	s := newScene(t)
	s.replaceTool(t, `{"name":"tool1","description":"Does 1 things.","inputSchema":{}}`)
	r := s.run(t)
	want := digest.FromString("payload")
	r.Chain = &verify.Chain{Length: 1, Releases: []verify.ChainRelease{{Digest: want}}}
	got := verify.Events(r)[1].Details
	if diff := cmp.Diff(verify.EventDetails{
		Outcome: seal.Fail, Policy: "warn_below_level_1", Namespace: sealtest.Namespace, KeyID: "acme-2026", Manifest: want,
		Codes: []string{"INTERFACE_SCHEMA_CHANGED", "INTERFACE_ANNOTATIONS_CHANGED", "INTERFACE_MISMATCH", "ARTIFACT_UNVERIFIABLE"},
	}, got, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Codes" }, cmp.Comparer(func(want, got []string) bool {
		return cmp.Equal(want[:3], got[:3]) // advisories follow
	}))); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
}

// TestNoSecretInEvents: whatever a source says of its failure, and whatever a
// server is started with, stays out of the log.
func TestNoSecretInEvents(t *testing.T) {
	const secret = "hunter2"
	leak := "https://user:" + secret + "@host.example/?token=" + secret + " cmd --key=" + secret + " API_KEY=" + secret
	s := newScene(t)
	s.v.Rules = []verify.Rule{never{}}
	s.replaceTool(t, `{"name":"tool1","description":"`+secret+`","inputSchema":{}}`)
	r := s.run(t)
	finding := verify.Finding{Code: seal.CodeManifestFetchFailed, Name: leak, Message: leak, Tool: "tool0", Component: leak}
	for i := range r.Results {
		r.Results[i].Errors = append(r.Results[i].Errors, finding)
		r.Results[i].Advisories = append(r.Results[i].Advisories, finding)
	}
	r.Errors = append(r.Errors, finding, verify.Finding{Code: seal.CodeSignatureKeyRevoked, Message: leak})
	r.Advisories = append(r.Advisories, finding)
	r.Skipped = append(r.Skipped, verify.Skip{Check: leak, Reason: leak})
	r.Missing = append(r.Missing, verify.Missing{Requirement: leak, Who: leak, Tools: []string{leak}})
	r.Provenance = []verify.Provenance{{Ref: leak, Reason: leak, BuilderID: leak, Subject: leak}}
	r.Publisher.ID = leak
	r.Publisher.Certificate = &seal.Certificate{SAN: leak, Issuer: leak}
	r.FirstUse = verify.NewFirstUseReport(verify.FirstUseKey{Host: leak, Server: leak}, verify.Meeting{
		Changes: []verify.FirstUseChange{{Tool: "tool0", New: fingerprint.Tool{Raw: []byte(leak)}}},
	})
	for _, e := range verify.Events(r) {
		line, err := e.Line()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(line, []byte(secret)) {
			t.Errorf("a secret is in %s", line)
		}
	}
}

// TestLineIsSafeToShow: a stranger's names stay on their line, in ASCII, and come
// back as they were.
func TestLineIsSafeToShow(t *testing.T) {
	for _, name := range []string{
		"a\u2028b\u2029c", "a\nb\r\n{\"event_type\":\"verification_pass\"}", "\x1b]0;owned\x07\x1b[2J", "\u009b31m", "\x7f\x00",
		"\u202egnp.exe", "\u2066x\u2069\u200b\ufeff", "p\u0430ypal", "\U000e0041\U0001f600", "日本語", `"\`,
	} {
		e := verify.Events(&verify.Result{ServerName: name, Results: []verify.ToolResult{{ToolName: name}}, Policy: report, Outcome: seal.Warned})[0]
		line, err := e.Line()
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range line {
			if last := i == len(line)-1; last != (c == '\n') || !last && (c < ' ' || c > '~') {
				t.Errorf("%q: byte %d of the line is %q", name, i, c)
			}
		}
		var got verify.Event
		if err := json.Unmarshal(line, &got); err != nil || got.ToolName != name || got.ServerName != name {
			t.Errorf("got %q, want %q (%v)", got.ToolName, name, err)
		}
	}
}

func TestLongAndBrokenNames(t *testing.T) {
	for _, name := range []string{strings.Repeat("x", 1<<20), strings.Repeat("é", 1<<10), "\xff\xfe"} {
		e := verify.Events(&verify.Result{ServerName: name, Policy: report, Outcome: seal.Warned})[0]
		follows(t, eventSchema(t), e)
		if len(e.ServerName) > 1024+len("…") || !utf8.ValidString(e.ServerName) {
			t.Errorf("got %d bytes, %.40q", len(e.ServerName), e.ServerName)
		}
	}
}
