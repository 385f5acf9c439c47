package seal_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
)

// hardened is a tool with all that MIS §15.2 asks of level 3, and the checks that
// hold.
func hardened(t testing.TB) evidence {
	t.Helper()
	tool := sealtest.Manifest(t, sealtest.Tools(t, 1)...).Tools[0]
	harden(&tool)
	two := 2
	return evidence{Attestations: parties(), Evidence: seal.Evidence{
		Tool:      &tool,
		Interface: seal.Holds, Artifact: seal.Holds, Chain: seal.Holds, Provenance: seal.Holds, Warranted: &two,
	}}
}

// evidence is evidence before its attestations are weighed.
type evidence struct {
	seal.Evidence
	Attestations, Lapsed []seal.Attestation
}

func (e evidence) weighed() seal.Evidence {
	e.Standing = seal.StandingOf(e.Attestations, e.Lapsed)
	return e.Evidence
}

func harden(tool *seal.Tool) {
	slsa, before := 2, "1.2.3"
	at := seal.NewTimestamp(sealtest.Time)
	tool.Artifact = &seal.Artifact{Type: seal.NPM, Identifier: "acme", Version: "1.2.4", Digest: digest.FromString("artifact")}
	p := tool.Provenance
	p.BuildSystem, p.BuilderID, p.BuildTimestamp = "github-actions", "https://github.com/acme/builder", &at
	p.BuildAttestationURI, p.SLSALevel = "https://acme.example/attestation", &slsa
	tool.Lineage = &seal.Lineage{PreviousVersion: &before, PreviousManifestDigest: digest.FromString("before"), Changes: []seal.Change{{Type: "bugfix", Description: "d"}}}
}

func parties() []seal.Attestation {
	return []seal.Attestation{
		word("acme", seal.RolePublisher, seal.TypeManifestSigned, 1),
		word("reg", seal.RoleRegistry, seal.TypeNamespaceVerified, 1),
		scan("scan", seal.TypeMalwareScanClean, 1),
	}
}

// without leaves out the attestations of a role, and adds others.
func without(e *evidence, role seal.Role, others ...seal.Attestation) {
	var kept []seal.Attestation
	for _, a := range e.Attestations {
		if a.Role != role {
			kept = append(kept, a)
		}
	}
	e.Attestations = append(kept, others...)
}

// TestRequirements takes each requirement of MIS §15.2 away alone.
func TestRequirements(t *testing.T) {
	const clean, verified, found = seal.TypeMalwareScanClean, seal.TypeSideEffectsVerified, seal.TypeSideEffectsDiscrepancyFound
	one := 1
	for name, tt := range map[string]struct {
		change  func(e *evidence)
		level   int
		missing string // part of the first requirement that is not met
		unmade  bool
	}{
		"all holds":          {func(e *evidence) {}, 3, "", false},
		"no manifest's tool": {func(e *evidence) { e.Tool = nil }, 0, "an entry in the manifest", false},

		"level 1: no publisher":                  {func(e *evidence) { without(e, seal.RolePublisher) }, 0, "publisher signature", false},
		"level 1: a publisher says another word": {func(e *evidence) { e.Attestations[0].Type = "com.example.x" }, 0, "publisher signature", false},
		"level 1: no source_repo":                {func(e *evidence) { e.Tool.Provenance.SourceRepo = "" }, 0, "source_repo", false},
		"level 1: no commit":                     {func(e *evidence) { e.Tool.Provenance.Commit = "" }, 0, "commit", false},
		"level 1: no provenance":                 {func(e *evidence) { e.Tool.Provenance = nil }, 0, "source_repo", false},
		"level 1: interface not compared":        {func(e *evidence) { e.Interface = seal.NotMade }, 0, "interface", true},
		"level 1: interface differs":             {func(e *evidence) { e.Interface = seal.Broken }, 0, "interface", false},

		"level 2: no registry":                    {func(e *evidence) { without(e, seal.RoleRegistry) }, 1, "namespace_verified", false},
		"level 2: a registry says another word":   {func(e *evidence) { e.Attestations[1].Type = seal.TypeSchemaValidated }, 1, "namespace_verified", false},
		"level 2: a scanner says a registry's":    {func(e *evidence) { e.Attestations[1].Role = seal.RoleScanner }, 1, "namespace_verified", false},
		"level 2: a publisher says a registry's":  {func(e *evidence) { e.Attestations[1].Role = seal.RolePublisher }, 1, "namespace_verified", false},
		"level 2: a registry's word lapsed":       {func(e *evidence) { e.Lapsed = e.Attestations[1:2]; without(e, seal.RoleRegistry) }, 1, "namespace_verified", false},
		"level 2: no artifact":                    {func(e *evidence) { e.Tool.Artifact = nil }, 1, "an artifact digest", false},
		"level 2: artifact not compared":          {func(e *evidence) { e.Artifact = seal.NotMade }, 1, "an artifact with the sealed digest", true},
		"level 2: artifact differs":               {func(e *evidence) { e.Artifact = seal.Broken }, 1, "an artifact with the sealed digest", false},
		"level 2: no build_system":                {func(e *evidence) { e.Tool.Provenance.BuildSystem = "" }, 1, "build_system", false},
		"level 2: no builder_id":                  {func(e *evidence) { e.Tool.Provenance.BuilderID = "" }, 1, "builder_id", false},
		"level 2: no build_timestamp":             {func(e *evidence) { e.Tool.Provenance.BuildTimestamp = nil }, 1, "build_timestamp", false},
		"level 2: no previous_manifest_digest":    {func(e *evidence) { e.Tool.Lineage.PreviousManifestDigest = "" }, 1, "previous_manifest_digest", false},
		"level 2: no changes":                     {func(e *evidence) { e.Tool.Lineage.Changes = nil }, 1, "lineage.changes", false},
		"level 2: chain not followed":             {func(e *evidence) { e.Chain = seal.NotMade }, 1, "a chain", true},
		"level 2: chain broken":                   {func(e *evidence) { e.Chain = seal.Broken }, 1, "a chain", false},
		"level 2: no lineage, and not the first":  {func(e *evidence) { e.Tool.Lineage, e.NotFirst = nil, true }, 1, "previous_version", false},
		"level 2: null lineage, and not first":    {func(e *evidence) { e.Tool.Lineage, e.NotFirst = &seal.Lineage{}, true }, 1, "previous_version", false},
		"level 2: no previous_version, not first": {func(e *evidence) { e.Tool.Lineage.PreviousVersion, e.NotFirst = nil, true }, 1, "previous_version", false},
		"level 2: a first release":                {func(e *evidence) { e.Tool.Lineage, e.Chain = nil, seal.NotMade }, 3, "", false},
		"level 2: previous_version null":          {func(e *evidence) { e.Tool.Lineage, e.Chain = &seal.Lineage{}, seal.NotMade }, 3, "", false},

		"level 3: no scanner": {func(e *evidence) { without(e, seal.RoleScanner) }, 2, "a scanner's or an auditor's", false},
		"level 3: an auditor instead": {func(e *evidence) {
			without(e, seal.RoleScanner, word("aud", seal.RoleAuditor, "code_review_passed", 1))
		}, 3, "", false},
		"level 3: a publisher as a scanner":    {func(e *evidence) { without(e, seal.RoleScanner, word("acme", seal.RolePublisher, clean, 1)) }, 2, "a scanner's", false},
		"level 3: a registry as a scanner":     {func(e *evidence) { without(e, seal.RoleScanner, word("reg", seal.RoleRegistry, clean, 1)) }, 2, "a scanner's", false},
		"level 3: a scanner's own word":        {func(e *evidence) { without(e, seal.RoleScanner, scan("scan", "com.example.fuzzed", 1)) }, 3, "", false},
		"level 3: a scanner's word lapsed":     {func(e *evidence) { e.Lapsed = e.Attestations[2:]; without(e, seal.RoleScanner) }, 2, "a scanner's", false},
		"level 3: a finding, and nothing else": {func(e *evidence) { without(e, seal.RoleScanner, scan("scan", found, 1)) }, 2, "a scanner's", false},
		"level 3: a finding of another":        {func(e *evidence) { e.Attestations = append(e.Attestations, scan("b", found, 1)) }, 2, "nobody whom you trust", false},
		"level 3: a finding, taken back": {func(e *evidence) {
			e.Attestations = append(e.Attestations, scan("b", found, 1), scan("b", verified, 2))
		}, 3, "", false},
		"level 3: a registry's bad news": {func(e *evidence) {
			e.Attestations = append(e.Attestations, word("r2", seal.RoleRegistry, "com.example.name_rejected", 1))
		}, 2, "nobody whom you trust", false},
		"level 3: no build_attestation_uri":     {func(e *evidence) { e.Tool.Provenance.BuildAttestationURI = "" }, 2, "build_attestation_uri", false},
		"level 3: no slsa_level":                {func(e *evidence) { e.Tool.Provenance.SLSALevel = nil }, 2, "slsa_level of 2 or more (it is 0)", false},
		"level 3: slsa_level 1":                 {func(e *evidence) { e.Tool.Provenance.SLSALevel = &one }, 2, "slsa_level of 2 or more (it is 1)", false},
		"level 3: slsa_level 1 is warranted":    {func(e *evidence) { e.Warranted = &one }, 2, "slsa_level of 2 or more (it is 1)", false},
		"level 3: slsa_level by the manifest":   {func(e *evidence) { e.Warranted = nil }, 3, "", false},
		"level 3: provenance not checked":       {func(e *evidence) { e.Provenance = seal.NotMade }, 2, "SLSA provenance", true},
		"level 3: provenance does not hold":     {func(e *evidence) { e.Provenance = seal.Broken }, 2, "SLSA provenance", false},
		"level 3: sbom_uri is only recommended": {func(e *evidence) { e.Tool.Provenance.SBOMURI = "" }, 3, "", false},

		"quorum: 1 of 2 scanners": {func(e *evidence) { e.Quorum = seal.Quorum{seal.RoleScanner: 2} }, 2, "by 2 of those who may (it has 1)", false},
		"quorum: 2 of 2 scanners": {func(e *evidence) {
			e.Quorum = seal.Quorum{seal.RoleScanner: 2}
			e.Attestations = append(e.Attestations, scan("b", verified, 1))
		}, 3, "", false},
		"quorum: 2 of 3 scanners": {func(e *evidence) {
			e.Quorum = seal.Quorum{seal.RoleScanner: 2}
			e.Attestations = append(e.Attestations, scan("b", verified, 1), scan("c", clean, 1))
		}, 3, "", false},
		"quorum: one scanner twice": {func(e *evidence) {
			e.Quorum = seal.Quorum{seal.RoleScanner: 2}
			e.Attestations = append(e.Attestations, scan("scan", verified, 1))
		}, 2, "(it has 1)", false},
		"quorum: 2 scanners, one of them lapsed": {func(e *evidence) {
			e.Quorum = seal.Quorum{seal.RoleScanner: 2}
			e.Lapsed = []seal.Attestation{scan("b", clean, 1)}
		}, 2, "(it has 1)", false},
		"quorum: 2 scanners, 1 auditor": {func(e *evidence) {
			e.Quorum = seal.Quorum{seal.RoleScanner: 2}
			e.Attestations = append(e.Attestations, word("aud", seal.RoleAuditor, "code_review_passed", 1))
		}, 3, "", false},
		"quorum: 2 registries": {func(e *evidence) { e.Quorum = seal.Quorum{seal.RoleRegistry: 2} }, 1, "namespace_verified, by 2", false},
		"quorum: 2 publishers": {func(e *evidence) { e.Quorum = seal.Quorum{seal.RolePublisher: 2} }, 0, "publisher signature, by 2", false},
		"quorum: 0 and less ask for one": {func(e *evidence) {
			e.Quorum = seal.Quorum{seal.RoleScanner: 0, seal.RoleRegistry: -1}
			without(e, seal.RoleScanner)
		}, 2, "a scanner's", false},
	} {
		e := hardened(t)
		tt.change(&e)
		reqs := seal.Requirements(e.weighed())
		if got := seal.Level(reqs); got != tt.level {
			t.Errorf("%s: got level %d, want %d", name, got, tt.level)
		}
		var unmet []seal.Requirement
		for _, r := range reqs {
			if !r.Met {
				unmet = append(unmet, r)
			}
			if met := strings.Contains(r.Who, "whoever changed it"); met && (r.Met || r.Unmade) {
				t.Errorf("%s: nobody changed what was not found to be wrong: %+v", name, r)
			}
			if r.Who == "" || r.Name == "" || r.Level < 1 || r.Level > 3 || r.Met && r.Unmade {
				t.Errorf("%s: a requirement is not told in full: %+v", name, r)
			}
		}
		switch {
		case (tt.missing == "") != (len(unmet) == 0):
			t.Errorf("%s: got unmet %+v, want %q", name, unmet, tt.missing)
		case len(unmet) > 0 && (!strings.Contains(unmet[0].Name, tt.missing) || unmet[0].Unmade != tt.unmade || unmet[0].Level != tt.level+1):
			t.Errorf("%s: got %+v first, want %q of level %d, unmade %v", name, unmet[0], tt.missing, tt.level+1, tt.unmade)
		}
	}
}

// TestLevel: no level above one that is not reached (MIS §15.3).
func TestLevel(t *testing.T) {
	for _, tt := range []struct {
		met  [3]bool
		want int
	}{
		{[3]bool{true, true, true}, 3}, {[3]bool{true, true, false}, 2}, {[3]bool{true, false, true}, 1}, {[3]bool{true, false, false}, 1},
		{[3]bool{false, true, true}, 0}, {[3]bool{false, false, true}, 0}, {[3]bool{false, false, false}, 0},
	} {
		for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
			var reqs []seal.Requirement
			for _, i := range order {
				reqs = append(reqs, seal.Requirement{Level: i + 1, Met: tt.met[i]}, seal.Requirement{Level: i + 1, Met: true})
			}
			if got := seal.Level(reqs); got != tt.want {
				t.Errorf("%v in order %v: got %d, want %d", tt.met, order, got, tt.want)
			}
		}
	}
}

// TestSealedLevel: the least tool's, with no check made (decision 13).
func TestSealedLevel(t *testing.T) {
	full := func() *seal.Manifest {
		m := sealtest.Manifest(t, sealtest.Tools(t, 3)...)
		for i := range m.Tools {
			harden(&m.Tools[i])
		}
		return m
	}
	for name, tt := range map[string]struct {
		change func(m *seal.Manifest, e *evidence)
		want   int
	}{
		"all":                     {func(*seal.Manifest, *evidence) {}, 3},
		"checks that do not hold": {func(_ *seal.Manifest, e *evidence) { e.Interface, e.Artifact = seal.Broken, seal.Broken }, 3},
		"no tools":                {func(m *seal.Manifest, _ *evidence) { m.Tools = nil }, 0},
		"one tool of level 2":     {func(m *seal.Manifest, _ *evidence) { m.Tools[1].Provenance.BuildAttestationURI = "" }, 2},
		"one tool of level 1":     {func(m *seal.Manifest, _ *evidence) { m.Tools[2].Artifact = nil }, 1},
		"one tool of level 0":     {func(m *seal.Manifest, _ *evidence) { m.Tools[0].Provenance = nil }, 0},
		"no registry":             {func(_ *seal.Manifest, e *evidence) { without(e, seal.RoleRegistry) }, 1},
		"a finding": {func(_ *seal.Manifest, e *evidence) {
			e.Attestations = append(e.Attestations, scan("b", "malware_found", 1))
		}, 2},
		"a word that lapsed alone": {func(_ *seal.Manifest, e *evidence) { e.Lapsed = e.Attestations[2:]; without(e, seal.RoleScanner) }, 2},
		"a quorum":                 {func(_ *seal.Manifest, e *evidence) { e.Quorum = seal.Quorum{seal.RoleScanner: 2} }, 2},
	} {
		m, e := full(), evidence{Attestations: parties()}
		tt.change(m, &e)
		if got := seal.SealedLevel(m, e.weighed()); got != tt.want {
			t.Errorf("%s: got %d, want %d", name, got, tt.want)
		}
	}
}

// BenchmarkLevels is the level of a thousand tools, with few attestations and
// with as many as an envelope may hold.
func BenchmarkLevels(b *testing.B) {
	for _, n := range []int{3, seal.MaxSignatures} {
		b.Run(fmt.Sprintf("attestations=%d", n), func(b *testing.B) {
			e := hardened(b)
			for i := len(e.Attestations); i < n; i++ {
				kind := seal.TypeSideEffectsVerified
				if i%2 == 0 {
					kind = seal.TypeSideEffectsDiscrepancyFound
				}
				e.Attestations = append(e.Attestations, scan(fmt.Sprint("s", i/2), kind, i))
			}
			b.ReportAllocs()
			for b.Loop() {
				weighed := e.weighed()
				for range 1000 {
					if seal.Level(seal.Requirements(weighed)) < 2 {
						b.Fatal("below level 2")
					}
				}
			}
		})
	}
}
