package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

// server is a [verify.Surface] of ours.
type server struct {
	verify.Observation
	err     error
	started *bool
}

func (s server) Observe(context.Context) (verify.Observation, error) {
	if s.started != nil {
		*s.started = true
	}
	return s.Observation, s.err
}

// files is a [verify.ArtifactSource] of ours.
type files struct {
	have []verify.ObservedArtifact
	err  error
}

func (f files) Hash(context.Context, []seal.Artifact) ([]verify.ObservedArtifact, error) {
	return f.have, f.err
}

// scene is one verification that passes, to be changed.
type scene struct {
	manifest *seal.Manifest
	key      keys.PrivateKey
	live     *server
	v        verify.Verifier
	// envelope replaces the sealed manifest's when it is not nil.
	envelope []byte
}

func newScene(t *testing.T) *scene {
	t.Helper()
	tools := sealtest.Tools(t, 2)
	s := &scene{
		manifest: sealtest.Manifest(t, tools...),
		key:      sealtest.Key(t, keys.Ed25519, "acme-2026"),
		live:     &server{Observation: verify.Observation{Observed: verify.Live, Server: fingerprint.ServerInfo{Name: "acme-file-tools", Version: "1.2.4"}, Tools: tools}},
	}
	s.v = verify.Verifier{
		Keys: sealtest.Keys(s.key), Namespace: sealtest.Namespace, IdentityExpected: true,
		Policy: seal.DefaultPolicy, Now: func() time.Time { return sealtest.Time.Add(time.Hour) },
	}
	return s
}

func (s *scene) run(t *testing.T) *verify.Result {
	t.Helper()
	if s.live != nil {
		s.v.Server = *s.live
	}
	data := s.envelope
	if data == nil {
		data = sealtest.Marshal(t, sealtest.Seal(t, s.manifest, s.key))
	}
	return s.v.Verify(t.Context(), data)
}

func (s *scene) withArtifact(d digest.Digest) {
	for i := range s.manifest.Tools {
		s.manifest.Tools[i].Artifact = &seal.Artifact{Type: seal.NPM, Identifier: "acme", Version: "1.2.4", Digest: d}
	}
}

func (s *scene) replaceTool(t *testing.T, raw string) {
	t.Helper()
	s.live.Tools = slices.Clone(s.live.Tools)
	s.live.Tools[1] = sealtest.Tool(t, raw)
}

const (
	block1 = "block_below_level_1"
	report = "report_only"
)

func TestVerify(t *testing.T) {
	sealed := digest.FromString("artifact")
	other := digest.FromString("other")
	unavailable := fmt.Errorf("%w: it died", verify.ErrUnavailable)
	for name, tt := range map[string]struct {
		change     func(t *testing.T, s *scene)
		policy     string
		outcome    seal.Outcome
		level      int
		errors     []string
		advisories []string
		skipped    []string
	}{
		"all holds":           {outcome: seal.Pass, level: 1},
		"all holds, blocking": {policy: block1, outcome: seal.Pass, level: 1},
		"wants level 2":       {policy: "warn_below_level_2", outcome: seal.Warned, level: 1},
		"needs level 2":       {policy: "block_below_level_2", outcome: seal.Fail, level: 1},
		"description changed": {
			change: func(t *testing.T, s *scene) {
				s.replaceTool(t, `{"name":"tool1","description":"Does evil.","inputSchema":{"type":"object","properties":{"n":{"type":"integer"}}},"annotations":{"readOnlyHint":true},"outputSchema":{"type":"object"}}`)
			},
			outcome: seal.Fail, errors: []string{"INTERFACE_DESCRIPTION_CHANGED description"},
		},
		"input schema changed": {
			change: func(t *testing.T, s *scene) {
				s.replaceTool(t, `{"name":"tool1","description":"Does 1 things.","inputSchema":{},"annotations":{"readOnlyHint":true},"outputSchema":{"type":"object"}}`)
			},
			outcome: seal.Fail, errors: []string{"INTERFACE_SCHEMA_CHANGED input_schema"},
		},
		"annotations gone": {
			change: func(t *testing.T, s *scene) {
				s.replaceTool(t, `{"name":"tool1","description":"Does 1 things.","inputSchema":{"type":"object","properties":{"n":{"type":"integer"}}},"outputSchema":{"type":"object"}}`)
			},
			outcome: seal.Fail, errors: []string{"INTERFACE_ANNOTATIONS_CHANGED annotations"},
		},
		"annotations appear": {
			change: func(t *testing.T, s *scene) {
				s.manifest = sealtest.Manifest(t, sealtest.Tool(t, `{"name":"a","description":"d","inputSchema":{}}`))
				s.live.Tools = []fingerprint.Tool{sealtest.Tool(t, `{"name":"a","description":"d","inputSchema":{},"annotations":{"readOnlyHint":true}}`)}
			},
			outcome: seal.Fail, errors: []string{"INTERFACE_ANNOTATIONS_CHANGED annotations"}, advisories: []string{"INTERFACE_EXTENSION annotations"},
		},
		"output schema changed": {
			change: func(t *testing.T, s *scene) {
				s.replaceTool(t, `{"name":"tool1","description":"Does 1 things.","inputSchema":{"type":"object","properties":{"n":{"type":"integer"}}},"annotations":{"readOnlyHint":true},"outputSchema":{}}`)
			},
			outcome: seal.Fail, errors: []string{"INTERFACE_MISMATCH output_schema"},
		},
		"changed, report only": {
			change:  func(t *testing.T, s *scene) { s.replaceTool(t, `{"name":"tool1","inputSchema":{}}`) },
			policy:  report,
			outcome: seal.Warned,
			errors:  []string{"INTERFACE_DESCRIPTION_CHANGED description", "INTERFACE_SCHEMA_CHANGED input_schema", "INTERFACE_ANNOTATIONS_CHANGED annotations", "INTERFACE_MISMATCH output_schema"},
		},
		"a new tool": {
			change: func(t *testing.T, s *scene) {
				s.live.Tools = append(slices.Clone(s.live.Tools), sealtest.Tool(t, `{"name":"new","inputSchema":{}}`))
			},
			outcome: seal.Warned, advisories: []string{"INTERFACE_UNKNOWN_TOOL"},
		},
		"a new tool, blocking": {
			change: func(t *testing.T, s *scene) {
				s.live.Tools = append(slices.Clone(s.live.Tools), sealtest.Tool(t, `{"name":"new","inputSchema":{}}`))
			},
			policy: block1, outcome: seal.Fail, advisories: []string{"INTERFACE_UNKNOWN_TOOL"},
		},
		"a tool missing": {
			change:  func(_ *testing.T, s *scene) { s.live.Tools = s.live.Tools[:1] },
			outcome: seal.Pass, level: 1, advisories: []string{"MISSING_TOOL"},
		},
		"no tool left": {
			change:  func(_ *testing.T, s *scene) { s.live.Tools = nil },
			outcome: seal.Warned, advisories: []string{"MISSING_TOOL", "MISSING_TOOL"},
		},
		"another server": {
			change:  func(_ *testing.T, s *scene) { s.live.Server = fingerprint.ServerInfo{Name: "evil", Version: "9"} },
			outcome: seal.Warned, level: 1, advisories: []string{"SERVER_MISMATCH", "VERSION_MISMATCH"},
		},
		"a sibling's manifest, blocking": {
			change: sibling, policy: block1,
			outcome: seal.Fail, level: 1, advisories: []string{"SERVER_MISMATCH"},
		},
		"a sibling's manifest, reporting": {
			change: sibling, policy: "report_only",
			outcome: seal.Warned, level: 1, advisories: []string{"SERVER_MISMATCH"},
		},
		"a sibling's manifest, and its snapshot": {
			change:  func(t *testing.T, s *scene) { sibling(t, s); s.live.Observed = verify.Snapshot },
			outcome: seal.Warned, advisories: []string{"SERVER_MISMATCH"},
		},
		"another version": {
			change:  func(_ *testing.T, s *scene) { s.live.Server.Version = "9" },
			outcome: seal.Pass, level: 1, advisories: []string{"VERSION_MISMATCH"},
		},
		"a broken rule, reporting": {
			change: func(_ *testing.T, s *scene) { s.v.Rules = []verify.Rule{never{}} }, policy: "report_only",
			outcome: seal.Warned, level: 1, advisories: []string{"RULE_BROKEN"},
		},
		"a snapshot": {
			change:  func(_ *testing.T, s *scene) { s.live.Observed = verify.Snapshot },
			outcome: seal.Warned,
		},
		"a snapshot, blocking": {
			change: func(_ *testing.T, s *scene) { s.live.Observed = verify.Snapshot },
			policy: block1, outcome: seal.Undecided,
		},
		"nothing observed": {
			change:  func(_ *testing.T, s *scene) { s.live = nil },
			outcome: seal.Warned, skipped: []string{"interface"},
		},
		"nothing observed, blocking": {
			change: func(_ *testing.T, s *scene) { s.live = nil },
			policy: block1, outcome: seal.Undecided, skipped: []string{"interface"},
		},
		"nothing observed and no commit, blocking": {
			change: func(_ *testing.T, s *scene) { s.live = nil; s.manifest.Tools[0].Provenance.Commit = "" },
			policy: block1, outcome: seal.Fail, skipped: []string{"interface"},
		},
		"the server died": {
			change:  func(_ *testing.T, s *scene) { s.live.err = unavailable },
			outcome: seal.Undecided, advisories: []string{"SERVER_UNAVAILABLE"}, skipped: []string{"interface"},
		},
		"the server died, report only": {
			change: func(_ *testing.T, s *scene) { s.live.err = unavailable },
			policy: report, outcome: seal.Warned, advisories: []string{"SERVER_UNAVAILABLE"}, skipped: []string{"interface"},
		},
		"the server talks nonsense": {
			change:  func(_ *testing.T, s *scene) { s.live.err = errors.New("duplicate names") },
			outcome: seal.Fail, errors: []string{"INTERFACE_UNREADABLE"},
		},
		"no commit": {
			change: func(_ *testing.T, s *scene) {
				for i := range s.manifest.Tools {
					s.manifest.Tools[i].Provenance = nil
				}
			},
			outcome: seal.Warned,
		},
		"another namespace": {
			change:  func(_ *testing.T, s *scene) { s.v.Namespace = "io.github.other" },
			outcome: seal.Fail, errors: []string{"IDENTITY_MISMATCH"}, skipped: []string{"interface"},
		},
		"a namespace that begins alike": {
			change:  func(_ *testing.T, s *scene) { s.v.Namespace = "io.github.acm" },
			outcome: seal.Fail, errors: []string{"IDENTITY_MISMATCH"}, skipped: []string{"interface"},
		},
		"nobody expected": {
			change:  func(_ *testing.T, s *scene) { s.v.IdentityExpected, s.v.Namespace = false, "" },
			outcome: seal.Warned, level: 1, advisories: []string{"IDENTITY_NOT_EXPECTED"},
		},
		"nobody expected, blocking": {
			change: func(_ *testing.T, s *scene) { s.v.IdentityExpected, s.v.Namespace = false, "" },
			policy: block1, outcome: seal.Fail, advisories: []string{"IDENTITY_NOT_EXPECTED"}, skipped: []string{"interface"},
		},
		"expired": {
			change: func(_ *testing.T, s *scene) {
				e := seal.NewTimestamp(sealtest.Time.Add(time.Minute))
				s.manifest.ExpiresAt = &e
			},
			outcome: seal.Pass, level: 1, advisories: []string{"MANIFEST_EXPIRED"},
		},
		"issued tomorrow": {
			change: func(_ *testing.T, s *scene) {
				s.manifest.IssuedAt = seal.NewTimestamp(sealtest.Time.Add(24 * time.Hour))
			},
			outcome: seal.Pass, level: 1, advisories: []string{"ISSUED_IN_FUTURE"},
		},
		"the artifact": {
			change: func(_ *testing.T, s *scene) {
				s.withArtifact(sealed)
				s.v.Artifacts = files{have: []verify.ObservedArtifact{{Ref: "a.tgz", Digests: []digest.Digest{sealed}, RanIt: true}}}
			},
			outcome: seal.Pass, level: 1,
		},
		"the artifact, not what ran": {
			change: func(_ *testing.T, s *scene) {
				s.withArtifact(sealed)
				s.v.Artifacts = files{have: []verify.ObservedArtifact{{Ref: "a.tgz", Digests: []digest.Digest{sealed}}}}
			},
			outcome: seal.Pass, level: 1, advisories: []string{"SURFACE_NOT_TIED"},
		},
		"another artifact": {
			change: func(_ *testing.T, s *scene) {
				s.withArtifact(sealed)
				s.v.Artifacts = files{have: []verify.ObservedArtifact{{Ref: "a.tgz", Digests: []digest.Digest{other}, RanIt: true}}}
			},
			outcome: seal.Fail, errors: []string{"ARTIFACT_MISMATCH"},
		},
		"one artifact too many": {
			change: func(_ *testing.T, s *scene) {
				s.withArtifact(sealed)
				s.v.Artifacts = files{have: []verify.ObservedArtifact{{Ref: "a", Digests: []digest.Digest{sealed}, RanIt: true}, {Ref: "b", Digests: []digest.Digest{other}}}}
			},
			outcome: seal.Fail, errors: []string{"ARTIFACT_MISMATCH"},
		},
		"an artifact that nobody sealed": {
			change: func(_ *testing.T, s *scene) {
				s.v.Artifacts = files{have: []verify.ObservedArtifact{{Ref: "a", Digests: []digest.Digest{other}}}}
			},
			outcome: seal.Fail, errors: []string{"ARTIFACT_UNKNOWN"},
		},
		"no artifact given": {
			change:  func(_ *testing.T, s *scene) { s.withArtifact(sealed) },
			outcome: seal.Pass, level: 1, advisories: []string{"ARTIFACT_UNVERIFIABLE"}, skipped: []string{"artifact"},
		},
		"artifact unreadable": {
			change: func(_ *testing.T, s *scene) {
				s.withArtifact(sealed)
				s.v.Artifacts = files{err: errors.New("no such file")}
			},
			outcome: seal.Undecided, level: 1, advisories: []string{"ARTIFACT_UNVERIFIABLE"}, skipped: []string{"artifact"},
		},
		"a predecessor": {
			change: func(_ *testing.T, s *scene) {
				v := "1.2.3"
				for i := range s.manifest.Tools {
					s.manifest.Tools[i].Lineage = &seal.Lineage{PreviousVersion: &v, PreviousManifestDigest: sealed}
				}
			},
			outcome: seal.Pass, level: 1, skipped: []string{"chain"},
		},
		"no envelope": {
			change:  func(_ *testing.T, s *scene) { s.envelope = []byte("{}") },
			outcome: seal.Fail, errors: []string{"MANIFEST_PARSE_ERROR"}, skipped: []string{"interface"},
		},
		"no key": {
			change:  func(_ *testing.T, s *scene) { s.v.Keys = seal.Keys{} },
			outcome: seal.Fail, errors: []string{"SIGNATURE_KEY_NOT_FOUND"}, skipped: []string{"interface"},
		},
		"another key": {
			change:  func(t *testing.T, s *scene) { s.v.Keys = sealtest.Keys(sealtest.Key(t, keys.ES256, "acme-2026")) },
			outcome: seal.Fail, errors: []string{"SIGNATURE_INVALID"}, skipped: []string{"interface"},
		},
		"no key, report only": {
			change: func(_ *testing.T, s *scene) { s.v.Keys = seal.Keys{} },
			policy: report, outcome: seal.Warned, errors: []string{"SIGNATURE_KEY_NOT_FOUND"}, skipped: []string{"interface"},
		},
		"claims too much": {
			change:  func(_ *testing.T, s *scene) { s.live.ClaimedLevel = new(int); *s.live.ClaimedLevel = 3 },
			outcome: seal.Pass, level: 1, advisories: []string{"LEVEL_CLAIMED_NOT_MET"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			if tt.policy != "" {
				p, err := seal.ParsePolicy(tt.policy)
				if err != nil {
					t.Fatal(err)
				}
				s.v.Policy = p
			}
			if tt.change != nil {
				tt.change(t, s)
			}
			r := s.run(t)
			followsSchema(t, r)
			if r.Outcome != tt.outcome || r.TrustLevel != tt.level {
				t.Errorf("got %s at level %d, want %s at level %d", r.Outcome, r.TrustLevel, tt.outcome, tt.level)
			}
			compare(t, "errors", tt.errors, names(r.Errors))
			// Every verdict for a level alone says so, and no other does.
			advisories := tt.advisories
			if tt.level < s.v.Policy.Below && len(tt.errors) == 0 {
				advisories = append(slices.Clone(advisories), "LEVEL_BELOW_POLICY")
			}
			compare(t, "advisories", advisories, names(r.Advisories))
			var skipped []string
			for _, k := range r.Skipped {
				skipped = append(skipped, k.Check)
			}
			// No scene but those about it says anything of the other checks.
			compare(t, "skipped", tt.skipped, skipped)
		})
	}
}

// followsSchema: what is printed as JSON is what the schema says.
func followsSchema(t *testing.T, r *verify.Result) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(verify.Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("result", doc); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.MustCompile("result").Validate(value); err != nil {
		t.Errorf("%v\n%s", err, data)
	}
}

func names(all []verify.Finding) []string {
	var out []string
	for _, f := range all {
		name := f.Name
		if f.Component != "" {
			name += " " + f.Component
		}
		out = append(out, name)
	}
	return out
}

func compare(t *testing.T, what string, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestNoServerStartsUnderABadSignature: a stranger's program is not run on the
// word of a stranger's manifest.
func TestNoServerStartsUnderABadSignature(t *testing.T) {
	for name, change := range map[string]func(*scene){
		"no key":            func(s *scene) { s.v.Keys = seal.Keys{} },
		"another namespace": func(s *scene) { s.v.Namespace = "io.github.other" },
	} {
		s := newScene(t)
		started := false
		s.live.started = &started
		change(s)
		s.run(t)
		if started {
			t.Errorf("%s: the server was started", name)
		}
	}
}

func TestMissingForEachLevel(t *testing.T) {
	r := newScene(t).run(t)
	got := map[int][]string{}
	last := 0
	for _, m := range r.Missing {
		if m.Level < last || m.Who == "" || len(m.Tools) != 2 {
			t.Errorf("got %+v, want levels in order, somebody, both tools", m)
		}
		last = m.Level
		got[m.Level] = append(got[m.Level], m.Requirement)
	}
	for level, want := range map[int][]string{
		2: {"a registry's attestation namespace_verified", "an artifact digest", "provenance.build_system", "provenance.builder_id", "provenance.build_timestamp"},
		3: {"a scanner's or an auditor's attestation", "provenance.build_attestation_uri", "provenance.slsa_level of 2 or more (it is 0)", "SLSA provenance that verifies"},
	} {
		compare(t, fmt.Sprintf("missing for level %d", level), want, got[level])
	}
}

func TestSealedLevelIsNotTrustLevel(t *testing.T) {
	s := newScene(t)
	s.live = nil
	if r := s.run(t); r.SealedLevel != 1 || r.TrustLevel != 0 {
		t.Errorf("got sealed level %d and trust level %d, want 1 and 0", r.SealedLevel, r.TrustLevel)
	}
}

func TestNotFound(t *testing.T) {
	for policy, want := range map[string]seal.Outcome{report: seal.Warned, "warn_below_level_1": seal.Warned, block1: seal.Fail} {
		p, err := seal.ParsePolicy(policy)
		if err != nil {
			t.Fatal(err)
		}
		v := verify.Verifier{Policy: p, Now: time.Now}
		if r := v.NotFound(seal.CodeManifestNotFound, errors.New("none")); r.Outcome != want {
			t.Errorf("%s: got %s, want %s", policy, r.Outcome, want)
		}
		unreachable := fmt.Errorf("%w: HTTP 500", verify.ErrUnavailable)
		if r := v.NotFound(seal.CodeManifestFetchFailed, unreachable); policy != report && r.Outcome != seal.Undecided {
			t.Errorf("%s, unreachable: got %s, want undecided", policy, r.Outcome)
		}
	}
}
