package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/kballard/go-shellquote"

	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// render prints a result in a format. Every format has the same facts.
func render(format string, r *verify.Result) ([]byte, error) {
	if format == "json" {
		return renderJSON(r)
	}
	return renderText(r), nil
}

func renderJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return asciiHidden(b.Bytes()), nil
}

// asciiHidden writes every character that a terminal obeys, or that nobody
// sees, by its number. In JSON such characters stand in strings only, so the
// meaning is the same.
func asciiHidden(data []byte) []byte {
	var b bytes.Buffer
	// A runner of GitHub takes "##[" for a command wherever it stands.
	for _, r := range strings.ReplaceAll(string(data), "##[", `#\u0023[`) {
		if r == '\n' || !escape.Hidden(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, "\\u%04x", unit)
		}
	}
	return b.Bytes()
}

// page builds text for eyes. Arguments are a stranger's, and escaped.
type page struct{ bytes.Buffer }

func (p *page) line(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = tame(escape.TerminalLimit(s, maxShown))
		}
	}
	fmt.Fprintf(p, format+"\n", args...)
}

// maxShown bounds one value in text output, in bytes.
const maxShown = 600

func renderText(r *verify.Result) []byte {
	p := &page{}
	p.line("%s: %s", r.Policy, strings.ToUpper(string(r.Outcome)))
	if r.ServerName != "" {
		p.line("server     %s %s", r.ServerName, orDash(r.ServerVersion))
	}
	if who := r.Publisher; who != nil {
		p.line("publisher  %s (%s), %s, %s", who.Namespace, who.ID, signerWords(who.KeyID, who.Certificate), expectation(who.Expected))
	}
	p.line("observed   %s", observedWords(r))
	if r.Publisher != nil {
		p.line("level      %d verified; %d sealed, if all that the manifest names were checked", r.TrustLevel, r.SealedLevel)
	} else { // no manifest was opened that could seal a level
		p.line("level      %d verified", r.TrustLevel)
	}
	if c := r.ClaimedLevel; c != nil {
		p.line("           %d claimed by the server", *c)
	}
	for _, b := range r.Provenance {
		p.line("build      SLSA Build level %d: %s", b.SLSALevel, b.Reason)
		p.line("           by %s, as %s says", b.BuilderID, b.Ref)
	}
	p.findings("error", r.Errors)
	p.findings("advisory", slices.DeleteFunc(slices.Clone(r.Advisories), func(f verify.Finding) bool {
		// What was not checked is told below, with its reason.
		return slices.ContainsFunc(r.Skipped, func(s verify.Skip) bool { return s.Reason == f.Message })
	}))
	switch n := len(r.Skipped); {
	case n == 1:
		p.line("1 check was not made:")
	case n > 1:
		p.line("%d checks were not made:", n)
	}
	for _, s := range r.Skipped {
		p.line("  %s: %s", s.Check, s.Reason)
	}
	p.missing(r)
	// Who was told to expect nobody needs this line most, and may have failed for
	// want of it.
	if who := r.Publisher; who != nil && len(r.Errors) == 0 {
		p.line("to pin     %s", pinWords(who.Namespace, who.Thumbprint, who.Certificate))
	}
	return p.Bytes()
}

// signerWords say by whom something was signed: a job, or a key.
func signerWords(keyID string, c *seal.Certificate) string {
	if c != nil {
		return "signed by " + c.SAN
	}
	return "keyid " + keyID
}

// pinWords are the options by which a consumer expects this publisher.
func pinWords(namespace, thumbprint string, c *seal.Certificate) string {
	if c != nil {
		return shellWords(pinOf(namespace, *c)...)
	}
	return fmt.Sprintf("--namespace %s, and the key with thumbprint %s", namespace, thumbprint)
}

// shellWords is a command line to be pasted. Quotes, unlike backslashes, are
// what PowerShell and YAML read, too.
func shellWords(words ...string) string {
	out := make([]string, len(words))
	for i, w := range words {
		if out[i] = shellquote.Join(w); out[i] != w && !strings.Contains(w, "'") {
			out[i] = "'" + w + "'"
		}
	}
	return strings.Join(out, " ")
}

func expectation(expected bool) string {
	if expected {
		return "as expected"
	}
	return "which is not the expected one"
}

func observedWords(r *verify.Result) string {
	matched, sealed, unlisted, unknown := 0, 0, 0, 0
	for _, t := range r.Results {
		is := func(c seal.Code) bool {
			return slices.ContainsFunc(t.Advisories, func(f verify.Finding) bool { return f.Code == c })
		}
		if is(seal.CodeUnknownTool) {
			unknown++
			continue
		}
		sealed++
		if is(seal.CodeMissingTool) {
			unlisted++
		}
		if t.InterfaceMatch != nil && *t.InterfaceMatch {
			matched++
		}
	}
	words := fmt.Sprintf("%d of %d sealed tools match", matched, sealed)
	if unlisted > 0 {
		words += fmt.Sprintf(", %d not listed", unlisted)
	}
	if unknown > 0 {
		words += fmt.Sprintf(", %d that the manifest does not know", unknown)
	}
	switch r.Observed {
	case verify.Live:
		return "live server, " + words
	case verify.Snapshot:
		return "snapshot, " + words + "; only a live server raises the level"
	}
	return "nothing: the interface was not compared"
}

func orDash(s string) string {
	if s == "" {
		return "(no version)"
	}
	return s
}

// maxFindings bounds the findings that text shows; JSON has all.
const maxFindings = 100

func (p *page) findings(kind string, all []verify.Finding) {
	for i, f := range all {
		if i == maxFindings {
			p.line("%s: %d more, see --format json", kind, len(all)-i)
			return
		}
		if f.Tool != "" {
			p.line("%s: %s (%d) tool %s: %s", kind, f.Name, int(f.Code), f.Tool, f.Message)
			continue
		}
		p.line("%s: %s (%d) %s", kind, f.Name, int(f.Code), f.Message)
	}
}

func (p *page) missing(r *verify.Result) {
	if len(r.Missing) == 0 || len(r.Errors) > 0 {
		return
	}
	p.line("for level %d:", r.Missing[0].Level)
	for _, m := range r.Missing {
		where := ""
		if len(m.Tools) < len(r.Results) {
			where = " for " + someNames(m.Tools)
		}
		p.line("  %s%s — %s", m.Requirement, where, m.Who)
	}
}

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
}

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
	p.line("level      %d, when a consumer has checked all that the manifest names", rep.SealedLevel)
	p.line("interface  %s", rep.Interface)
	if rep.Provenance != "" {
		p.line("provenance %s", rep.Provenance)
	}
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
