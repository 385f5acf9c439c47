package seal

import "fmt"

// Evidence is what one run knows about one tool.
type Evidence struct {
	// Tool is the manifest's entry, nil when the manifest does not know the tool.
	Tool *Tool
	// Standing is what the attestations come to. It is the same for every tool of
	// a manifest, and costs the square of their number.
	Standing Standing
	// Quorum is how many holders trust asks for.
	Quorum Quorum
	// Interface, Artifact, Chain and Provenance say how each check ended.
	Interface, Artifact, Chain, Provenance Check
	// NotFirst says that there was a release before, whatever the manifest says.
	NotFirst bool
	// Warranted is the SLSA level that the verified provenance warrants; nil
	// where none was verified. The manifest's own word is capped by it
	// (decision 15).
	Warranted *int
}

// Check is how one check ended.
type Check int

// A check that was not made proves nothing, and is not a failure either.
const (
	NotMade Check = iota
	Holds
	Broken
)

// Requirement is one row of MIS §15.2 for one tool.
type Requirement struct {
	Level int
	// Name says what is required, in words.
	Name string
	Met  bool
	// Unmade says that it is unmet only since the check was not made.
	Unmade bool
	// Who can provide it: where a check came out against it, whoever made it so.
	Who string
}

// Requirements lists every requirement of MIS §15.2 for levels 1 to 3, in
// order, with how e meets it.
func Requirements(e Evidence) []Requirement {
	t := e.Tool
	if t == nil {
		return []Requirement{{Level: 1, Name: "an entry in the manifest", Who: "the publisher: seal the release that serves this tool"}}
	}
	p, a := Provenance{}, t.Artifact
	if t.Provenance != nil {
		p = *t.Provenance
	}
	quorum := func(level int, role Role, attestationType, name, who string) Requirement {
		have, need := e.Standing.Holders(role, attestationType), e.Quorum.of(role)
		if need > 1 {
			name = fmt.Sprintf("%s, by %d of those who may (it has %d)", name, need, have)
		}
		return Requirement{Level: level, Name: name, Met: have >= need, Who: who}
	}
	field := func(level int, name string, present bool) Requirement {
		return Requirement{Level: level, Name: name, Met: present, Who: "the publisher, when sealing"}
	}
	check := func(level int, name string, c Check, who, broken string) Requirement {
		if c == Broken {
			who = "the publisher, or whoever changed it: " + broken
		}
		return Requirement{Level: level, Name: name, Met: c == Holds, Unmade: c == NotMade, Who: who}
	}
	reqs := []Requirement{
		quorum(1, RolePublisher, TypeManifestSigned, "a valid publisher signature", "the publisher"),
		field(1, "provenance.source_repo", p.SourceRepo != ""),
		field(1, "provenance.commit", p.Commit != ""),
		check(1, "an interface that matches the running server", e.Interface, "you: verify against the server itself (-- COMMAND or --server-url)", "what the server lists is not what was sealed"),
		quorum(2, RoleRegistry, TypeNamespaceVerified, "a registry's attestation namespace_verified", "a registry that you trust (--trust)"),
		field(2, "an artifact digest", a != nil),
		field(2, "provenance.build_system", p.BuildSystem != ""),
		field(2, "provenance.builder_id", p.BuilderID != ""),
		field(2, "provenance.build_timestamp", p.BuildTimestamp != nil),
	}
	if a != nil {
		reqs = append(reqs, check(2, "an artifact with the sealed digest", e.Artifact, "you: hand over the artifact (--artifact)", "the artifact at hand is not the sealed one"))
	}
	l := t.Lineage
	if l == nil {
		l = &Lineage{}
	}
	if l.PreviousVersion != nil || e.NotFirst {
		reqs = append(reqs,
			field(2, "lineage.previous_version", l.PreviousVersion != nil),
			field(2, "lineage.previous_manifest_digest", l.PreviousManifestDigest != ""),
			field(2, "lineage.changes", len(l.Changes) > 0),
			check(2, "a chain that leads to the predecessor", e.Chain, "you: hand over the predecessor (--previous)", "the chain at hand contradicts the manifest"))
	}
	slsa := 0
	if p.SLSALevel != nil {
		slsa = *p.SLSALevel
	}
	if e.Warranted != nil {
		slsa = min(slsa, *e.Warranted)
	}
	independent := quorum(3, RoleScanner, "", "a scanner's or an auditor's attestation", "a scanner or an auditor that you trust (--trust)")
	independent.Met = independent.Met || quorum(3, RoleAuditor, "", "", "").Met
	return append(reqs,
		independent,
		Requirement{Level: 3, Name: "nobody whom you trust speaking against it", Met: len(e.Standing.Against) == 0, Who: "the scanner or auditor who found something, by looking again"},
		field(3, "provenance.build_attestation_uri", p.BuildAttestationURI != ""),
		field(3, fmt.Sprintf("provenance.slsa_level of 2 or more (it is %d)", slsa), slsa >= 2),
		check(3, "SLSA provenance that verifies", e.Provenance, "you: let the provenance be checked", "the provenance at hand does not hold"))
}

// Level is the highest level all of whose requirements, and those below it,
// are met (MIS §15.3).
func Level(reqs []Requirement) int {
	level := 3
	for _, r := range reqs {
		if !r.Met && r.Level <= level {
			level = r.Level - 1
		}
	}
	return level
}

// SealedLevel is the level that the manifest would support if every check of
// what it names were made and held (decision 13): e has their standing. It is
// for people: no policy stands on it.
func SealedLevel(m *Manifest, e Evidence) int {
	level := 3
	for i := range m.Tools {
		e.Tool, e.Interface, e.Artifact, e.Chain, e.Provenance = &m.Tools[i], Holds, Holds, Holds, Holds
		level = min(level, Level(Requirements(e)))
	}
	if len(m.Tools) == 0 {
		return 0
	}
	return level
}
