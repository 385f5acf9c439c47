package cli

import (
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/internal/publish"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// sealReport is what a seal says in JSON.
type sealReport struct {
	SchemaVersion string       `json:"schema_version"`
	Outcome       seal.Outcome `json:"outcome"`
	Manifest      string       `json:"manifest"`
	Interface     string       `json:"interface"`
	// Provenance is the bundle of the build provenance, "" where there is none.
	Provenance string `json:"provenance"`
	// SLSALevel is what the manifest says; nil where it says nothing.
	SLSALevel   *int              `json:"slsa_level"`
	SLSAReason  string            `json:"slsa_reason"`
	Certificate *seal.Certificate `json:"certificate,omitempty"`
	// Pin is how a consumer expects this publisher; "" after a dry run that
	// signed nothing.
	Pin           string       `json:"pin,omitzero"`
	PayloadDigest string       `json:"payload_digest"`
	ServerName    string       `json:"server_name"`
	ServerVersion string       `json:"server_version"`
	Namespace     string       `json:"namespace"`
	KeyID         string       `json:"keyid,omitzero"` // as Pin
	SealedLevel   int          `json:"sealed_level"`
	Tools         []string     `json:"tools"`
	Artifacts     []reportFile `json:"artifacts"`
	Warnings      []string     `json:"warnings"`
	Written       bool         `json:"written"`
	// Lineage is what the release follows; nil where nothing was looked for.
	Lineage *lineageReport `json:"lineage"`
	// Published is how every target stands.
	Published []placeReport `json:"published"`
}

// lineageReport says what a release follows.
type lineageReport struct {
	// First says that there is no release before it; Rerooted why a new chain
	// begins although there is one.
	First    bool   `json:"first"`
	Rerooted string `json:"rerooted,omitzero"`
	// Reused says that the release was published already, and that its payload
	// is used again.
	Reused          bool          `json:"reused"`
	PreviousVersion string        `json:"previous_version,omitzero"`
	PreviousDigest  digest.Digest `json:"previous_manifest_digest,omitzero"`
	// Ref is where the predecessor was found.
	Ref string `json:"ref,omitzero"`
	// Changes are the classes of what changed since, the heaviest first.
	Changes []lineage.ClassChange `json:"changes,omitempty"`
}

// lineageReport is nil where no predecessor was looked for, or none could be had.
func (r *sealRun) lineageReport() *lineageReport {
	link, err := lineage.LinkOf(r.manifest)
	reroot := r.str("reroot")
	if err != nil || r.previous == nil && !r.first && reroot == "" {
		return nil
	}
	rep := &lineageReport{First: link.Absent, Rerooted: reroot, Reused: r.reused, PreviousVersion: link.PreviousVersion, PreviousDigest: link.Digest}
	if r.previous != nil {
		rep.Ref = r.previous.files.Ref
	}
	if r.classes != nil {
		rep.Changes = slices.Clone(r.classes.Changes)
		slices.SortStableFunc(rep.Changes, func(a, b lineage.ClassChange) int {
			return slices.Index(lineage.Weights, a.Weight) - slices.Index(lineage.Weights, b.Weight)
		})
	}
	return rep
}

// lineage are the lines about what the release follows.
func (p *page) lineage(l *lineageReport) {
	if l == nil {
		p.line("follows    nothing: no release before it was looked for (--previous, --publish)")
		return
	}
	switch {
	case l.Rerooted != "":
		p.line("follows    nothing: a new chain begins here, since %s", l.Rerooted)
	case l.First:
		p.line("follows    nothing: this is the first release")
	default:
		p.line("follows    %s, %s", orDash(l.PreviousVersion), string(l.PreviousDigest))
	}
	if l.Reused {
		p.line("           published already: its manifest is used again, as %s has it", l.Ref)
		return
	}
	shown := 0
	for _, c := range l.Changes {
		if c.Weight == lineage.Compatible {
			continue
		}
		if shown++; shown > maxShownChanges {
			continue
		}
		p.line("           %s: %s %s", string(c.Weight), c.Tool, c.Text)
	}
	if shown > maxShownChanges {
		p.line("           and %d more such changes: mcp-integrity diff shows all", shown-maxShownChanges)
	}
}

// maxShownChanges bounds the changes that a seal shows.
const maxShownChanges = 12

type reportFile struct {
	Ref    string        `json:"ref"`
	Sealed bool          `json:"sealed"`
	As     seal.Artifact `json:"artifact"`
}

// report says what was sealed, and how a consumer checks it.
func (r *sealRun) report() error {
	m := r.manifest
	rep := sealReport{
		SchemaVersion: verify.SchemaVersion, Outcome: seal.Pass,
		Manifest: r.str("output"), Interface: sibling(r.str("output"), interfaceSuffix),
		PayloadDigest: string(r.algorithm.FromBytes(r.payload)),
		ServerName:    m.Server.Name, ServerVersion: m.Server.Version,
		Namespace: m.Server.Publisher.Namespace, KeyID: r.checked.Publisher.KeyID, SealedLevel: r.checked.SealedLevel,
		Certificate: r.certificate, SLSAReason: r.slsaReason,
		Tools: []string{}, Artifacts: []reportFile{}, Warnings: append([]string{}, r.warnings...), Written: !r.is("dry-run"),
	}
	if r.signed() {
		rep.Pin = pinWords(m.Server.Publisher.Namespace, r.checked.Publisher.Thumbprint, r.certificate)
	}
	if r.provenanceBundle != nil {
		rep.Provenance = sibling(r.str("output"), provenanceSuffix)
	}
	for _, t := range m.Tools {
		rep.Tools = append(rep.Tools, t.Name)
		if t.Provenance != nil {
			rep.SLSALevel = t.Provenance.SLSALevel
		}
	}
	rep.Lineage, rep.Published = r.lineageReport(), append([]placeReport{}, r.published...)
	if r.unpublished != nil {
		rep.Outcome = outcomeOf(r.unpublished)
	}
	primary := r.primary()
	for i := range r.artifacts {
		f := &r.artifacts[i]
		rep.Artifacts = append(rep.Artifacts, reportFile{Ref: f.Ref, Sealed: f == primary, As: f.Artifact})
	}
	data, err := r.renderReport(rep)
	if err != nil {
		return undecidedf("%w", err)
	}
	if r.str("output") == "-" && r.str("output-file") == "-" {
		return nil // standard output is the envelope
	}
	return r.print(r.str("output-file"), data)
}

// signed says that there is a signature: a keyless dry run makes none.
func (r *sealRun) signed() bool { return r.envelope != nil }

func (r *sealRun) renderReport(rep sealReport) ([]byte, error) {
	if r.str("format") == "json" {
		return renderJSON(rep)
	}
	p := &page{}
	p.line("sealed     %s", r.place())
	p.line("server     %s %s, %d tools", rep.ServerName, orDash(rep.ServerVersion), len(rep.Tools))
	signer := "to be signed by this job's identity"
	if r.signed() {
		signer = signerWords(rep.KeyID, rep.Certificate)
	}
	p.line("publisher  %s (%s), %s", rep.Namespace, r.manifest.Server.Publisher.ID, signer)
	if rep.SLSALevel != nil {
		p.line("build      SLSA Build level %d: %s", *rep.SLSALevel, rep.SLSAReason)
	}
	for _, a := range rep.Artifacts {
		kind := "artifact "
		if !a.Sealed {
			kind = "beside it"
		}
		p.line("%s  %s %s %s, %s", kind, string(a.As.Type), a.As.Identifier, orDash(a.As.Version), string(a.As.Digest))
	}
	if len(rep.Artifacts) > 1 {
		p.line("           MIS has room for one artifact per tool: the others are hashed, and not in the manifest")
	}
	if len(rep.Artifacts) > 0 && r.surface.live() && !r.surface.ran(r.primary().Path) {
		p.line("           the server that ran is not the artifact, or inside it: nothing here ties the two")
	}
	p.lineage(rep.Lineage)
	p.line("level      %d, when a consumer has checked all that the manifest names", rep.SealedLevel)
	p.line("interface  %s", rep.Interface)
	if rep.Provenance != "" {
		p.line("provenance %s", rep.Provenance)
	}
	p.published(rep.Published)
	if r.signed() {
		p.line("to pin     %s", rep.Pin)
		p.line("to verify  %s", r.verifyCommand())
	}
	return p.Bytes(), nil
}

// verifyCommand is the command that verifies what was sealed, to be typed as it
// stands.
func (r *sealRun) verifyCommand() string {
	words := []string{"mcp-integrity", "verify", r.str("output")}
	if r.certificate != nil {
		words = append(words, pinOf(r.publisher.Namespace, *r.certificate)...)
		if root := r.str("trusted-root"); root != "" {
			words = append(words, "--trusted-root", root)
		}
	} else {
		words = append(words, "--namespace", r.publisher.Namespace)
	}
	for _, p := range r.places {
		if link, err := lineage.LinkOf(r.manifest); err == nil && !link.Absent && publish.KeepsHistory(p) {
			words = append(words, "--previous", p.String())
			break
		}
	}
	switch key := r.str("key"); {
	case r.key == nil:
	case r.localKey:
		words = append(words, "--key", "local")
	case key == "" || key[0] == '{':
		words = append(words, "--key", "PUBLIC-KEY.json")
	default:
		words = append(words, "--key", key)
	}
	if f := r.primary(); f != nil {
		words = append(words, "--artifact", f.Ref)
	}
	for _, name := range r.surface.envNames() {
		words = append(words, "--env", name)
	}
	if dir := r.str("cwd"); dir != "" {
		words = append(words, "--cwd", dir)
	}
	switch {
	case !r.surface.live():
		words = append(words, "--interface", r.surface.snapshot)
	case r.surface.target.URL != "":
		words = append(words, "--server-url", fetch.PublicURL(r.surface.target.URL))
	default:
		words = append(append(words, "--"), r.surface.target.Command...)
	}
	return shellWords(words...)
}
