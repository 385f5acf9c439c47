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
	if r.FirstUse == nil {
		p.line("observed   %s", observedWords(r))
	} else {
		p.line("observed   live server, %s, none of them sealed", counted(len(r.Results), "tool"))
	}
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
	p.attested(r.Attestations)
	p.chain(r.Chain)
	p.firstUse(r.FirstUse)
	p.findings("error", r.Errors)
	p.failsFor(r)
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

// failsFor says why a run without errors fails: the policy's level, or a rule.
func (p *page) failsFor(r *verify.Result) {
	if r.Outcome != seal.Fail || len(r.Errors) > 0 {
		return
	}
	for _, a := range r.Advisories {
		switch a.Code {
		case seal.CodeLevelBelowPolicy, seal.CodeRuleBroken, seal.CodeIdentityNotExpected, seal.CodeManifestNotFound, seal.CodeServerMismatch:
			p.line("fails for: %s: %s", a.Name, a.Message)
		}
	}
}

// attested are the lines about what others than the publisher say.
func (p *page) attested(all []verify.Attested) {
	for _, a := range all {
		if a.Role == seal.RolePublisher {
			continue
		}
		until := ""
		if a.ExpiresAt != nil {
			until = ", until " + a.ExpiresAt.Format("2006-01-02")
		}
		word := "attested "
		if a.Against {
			word = "AGAINST  "
		}
		p.line("%s  %s by %s%s", word, a.Type, a.Holder, until)
	}
}

// chain is the line about the releases before.
func (p *page) chain(c *verify.Chain) {
	if c == nil {
		return
	}
	if c.Length == 1 && c.VerifiedTo == verify.First {
		p.line("chain      this is the first release")
		return
	}
	to := "not followed to its end"
	switch c.VerifiedTo {
	case verify.First:
		to = "down to the first"
	case verify.Remembered:
		to = "down to one that an earlier run verified"
	case verify.Rerooted:
		to = "down to where its publisher began it anew"
	}
	releases := "releases"
	if c.Length == 1 {
		releases = "release"
	}
	p.line("chain      %d %s, %s", c.Length, releases, to)
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

// counted is a number of things.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
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
	level := 0
	for _, m := range r.Missing {
		if m.Level != level {
			level = m.Level
			p.line("for level %d:", level)
		}
		where := ""
		if len(m.Tools) < len(r.Results) {
			where = " for " + someNames(m.Tools)
		}
		p.line("  %s%s — %s", m.Requirement, where, m.Who)
	}
}
