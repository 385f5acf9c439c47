package cli

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/declare"
	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/internal/platform"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// assemble makes the manifest from what was observed and what is declared.
func (r *sealRun) assemble(ctx context.Context) error {
	snap := r.view.snapshot
	if len(snap.Tools) == 0 {
		return failsf("the server lists no tools: there is nothing to seal").
			withHint("some servers list none without credentials or settings: --env NAME=VALUE passes them")
	}
	if snap.Server.Name == "" {
		return failsf("the server has no name: serverInfo.name is empty, and MIS §8.3 requires one")
	}
	if err := r.checkDeclared(); err != nil {
		return err
	}
	r.manifest = &seal.Manifest{
		SealVersion: seal.Version,
		Server:      seal.Server{Name: snap.Server.Name, Version: snap.Server.Version, Publisher: r.publisher},
		IssuedAt:    r.now(),
	}
	if d := r.duration("expires-in"); d > 0 {
		expires := r.in(d)
		r.manifest.ExpiresAt = &expires
	}
	if err := r.openTargets(); err != nil {
		return err
	}
	// Once more, now that version and server are known: these places have seen
	// nothing yet, and some say only then where the provenance will lie.
	if err := r.preflight(ctx); err != nil {
		return err
	}
	if err := r.fits(); err != nil {
		return err
	}
	provenance, err := r.provenance(ctx)
	if err != nil {
		return err
	}
	version := snap.Server.Version
	var sealed *seal.Artifact
	if f := r.primary(); f != nil {
		sealed, version = &f.Artifact, f.Artifact.Version
		r.compareFacts(f.Artifact.Version, f.MCPName)
	}
	for _, t := range snap.Tools {
		d := r.declared.Declaration(t.Name)
		digests, err := fingerprint.Of(t, r.algorithm)
		if err != nil {
			return failsf("%w", err)
		}
		r.manifest.Tools = append(r.manifest.Tools, seal.Tool{
			Name: t.Name, Version: version, Interface: digests, Artifact: sealed,
			SideEffects: d.SideEffects, Capabilities: d.Capabilities, Provenance: provenance,
		})
	}
	r.lint()
	return nil
}

// choosePublisher says who seals: what is given, else what is declared, else what
// the platform or git says. With the local key it is this user, whatever else
// is declared (decision 22).
func (r *sealRun) choosePublisher() (seal.Publisher, error) {
	p := seal.Publisher{ID: r.str("publisher-id"), Namespace: r.str("namespace")}
	if d := r.declared; d != nil {
		p.ID, p.URL = first(p.ID, d.Publisher.ID), d.Publisher.URL
	}
	if r.localKey {
		name, err := r.User()
		if err != nil {
			return p, undecidedf("the name of this user: %w", err)
		}
		p.Namespace = platform.LocalNamespace(name)
		if d := r.declared; d != nil && d.Publisher.Namespace != "" {
			r.note("the local key seals as %s, not as the declared %s: give the publisher's --key for a release", p.Namespace, d.Publisher.Namespace)
		}
		p.ID = first(p.ID, p.Namespace)
		return p, nil
	}
	if d := r.declared; d != nil {
		p.Namespace = first(p.Namespace, d.Publisher.Namespace)
	}
	p.Namespace = first(p.Namespace, r.facts.Namespace)
	if p.Namespace == "" {
		return p, usagef("the publisher's namespace is not given, and neither the platform nor git tells it").
			withHint("--namespace io.github.OWNER, or publisher.namespace in %s", r.str("config"))
	}
	if !namespaceForm.MatchString(p.Namespace) {
		return p, usagef("the publisher's namespace: got %.100q, want reverse-domain form such as io.github.acme", p.Namespace)
	}
	p.ID = first(p.ID, r.facts.PublisherID, p.Namespace)
	if p.URL == "" && p.Namespace == r.facts.Namespace {
		p.URL = r.facts.PublisherURL
	}
	return p, nil
}

// namespaceForm is that of the declarations' JSON Schema.
var namespaceForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9][A-Za-z0-9_-]*)+$`)

func first(candidates ...string) string {
	for _, c := range candidates {
		if c != "" {
			return c
		}
	}
	return ""
}

// provenance holds the source of the release and its build (MIS §12.2): what is
// given, else what the platform or git says, else what the package says.
func (r *sealRun) provenance(ctx context.Context) (*seal.Provenance, error) {
	p := &seal.Provenance{SourceRepo: first(r.sourceRepo, r.facts.SourceRepo), Commit: r.str("commit")}
	// A commit of one repository says nothing about another.
	if p.SourceRepo == r.facts.SourceRepo {
		p.Commit = first(p.Commit, r.facts.Commit)
		if p.Commit == r.facts.Commit {
			p.Branch = r.facts.Branch
		}
	}
	r.compareSource(p)
	if err := r.describeBuild(ctx, p); err != nil {
		return nil, err
	}
	switch {
	case p.SourceRepo == "" || p.Commit == "":
		r.warn("without source_repo and commit the manifest reaches level 0 only: give --source-repo and --commit")
	case !wholeHash.MatchString(p.Commit):
		r.warn("commit %.80s is no whole hash, which MIS §12.2 wants", p.Commit)
	}
	if *p == (seal.Provenance{}) {
		return nil, nil
	}
	return p, nil
}

// wholeHash is a commit of git, in SHA-1 or SHA-256.
var wholeHash = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// compareSource names what the artifact says differently of its source, and
// takes its word where there is no other.
func (r *sealRun) compareSource(p *seal.Provenance) {
	f := r.primary()
	if f == nil {
		return
	}
	switch repo, err := platform.NormalizeRepo(f.Repository); {
	case err != nil: // it says nothing, or nothing that leads anywhere
	case p.SourceRepo == "":
		p.SourceRepo = repo
		r.warn("source repository %s, as the package says: nothing here knows that commit %s is one of it (--source-repo and --commit say)", repo, orNone(p.Commit))
	case !strings.EqualFold(p.SourceRepo, repo):
		r.warn("the package names the repository %s, sealed is %s", repo, p.SourceRepo)
	}
	if f.Revision != "" && p.Commit != "" && f.Revision != p.Commit {
		r.warn("the artifact says that it was built from commit %s, sealed is %s", f.Revision, p.Commit)
	}
}

// compareFacts names what package and server say differently of one thing.
// They are never merged in silence.
func (r *sealRun) compareFacts(version, mcpName string) {
	info := r.view.snapshot.Server
	if version != "" && info.Version != "" && version != info.Version {
		r.note("the package is version %q, the server calls itself %q: both are sealed", version, info.Version)
	}
	owner, _, ok := strings.Cut(mcpName, "/")
	if ns := r.manifest.Server.Publisher.Namespace; ok && owner != ns && !r.localKey {
		r.warn("the package's mcpName is %s, in another namespace than the publisher's %s", mcpName, ns)
	}
}

// undeclared are the tools that declare nothing.
func (r *sealRun) undeclared() []string {
	var names []string
	for _, t := range r.view.snapshot.Tools {
		if r.declared.Declaration(t.Name).Origin == declare.Undeclared {
			names = append(names, t.Name)
		}
	}
	return names
}

// checkDeclared is decision 21: a tool that declares nothing is sealed with the
// widest declarations at a desk, and with a warning; in CI it is an error.
func (r *sealRun) checkDeclared() error {
	names := r.undeclared()
	if len(names) == 0 {
		return nil
	}
	why := ""
	if missing := r.declared.Declaration(names[0]).Missing; len(missing) > 0 {
		why = fmt.Sprintf(" (the defaults of %s lack %s, and so declare nothing)", r.str("config"), strings.Join(missing, ", "))
	}
	say := fmt.Sprintf("%d of %d tools declare no side effects and capabilities%s: %s", len(names), len(r.view.snapshot.Tools), why, someNames(names))
	if r.facts.Kind != platform.Desk && !r.is("allow-undeclared") {
		return failsf("%s", say).
			withHint("mcp-integrity init writes %s with the widest declarations to narrow down; --allow-undeclared seals them as they are", r.str("config"))
	}
	r.warn("%s. They are sealed with the widest (mcp-integrity init writes declarations to narrow down)", say)
	return nil
}

// lint says what is allowed and likely wrong, what is one for several tools
// once.
func (r *sealRun) lint() {
	var served []string
	said := grouped{tools: map[string][]string{}}
	for _, t := range r.view.snapshot.Tools {
		served = append(served, t.Name)
		for _, l := range fingerprint.Lint(t) {
			said.add(l, t.Name)
		}
		for _, f := range hiddenIn(t) {
			said.add("there are characters that nobody sees: "+f, t.Name)
		}
		for _, c := range declare.Contradictions(t, r.declared.Declaration(t.Name)) {
			said.add(fmt.Sprintf("%s:%d: %s: %s %s", r.str("config"), c.Line, c.Severity, c.Member, c.Message), t.Name)
		}
	}
	for _, text := range said.order {
		r.warn("%s (%s)", text, someNames(said.tools[text]))
	}
	for _, u := range r.declared.UnknownTools(served) {
		guess := ""
		if u.DidYouMean != "" {
			guess = fmt.Sprintf(", did you mean %q?", u.DidYouMean)
		}
		r.warn("%s:%d: the server lists no tool %q%s", r.str("config"), u.Line, u.Name, guess)
	}
}

// hiddenIn names the invisible characters in all that a tool says: its name,
// its description, its schemas, and what no fingerprint covers.
func hiddenIn(t fingerprint.Tool) []string {
	// The canonical form has characters where the server may have sent escapes.
	text, err := strictjson.Canonical(t.Raw)
	if err != nil {
		return nil // it was parsed already
	}
	var found []string
	for _, f := range escape.Findings(string(text)) {
		if f.Class.Hides() {
			found = append(found, f.What())
		}
	}
	return found
}

// grouped collects what is said of several tools.
type grouped struct {
	order []string
	tools map[string][]string
}

func (g *grouped) add(text, tool string) {
	if g.tools[text] == nil {
		g.order = append(g.order, text)
	}
	g.tools[text] = append(g.tools[text], tool)
}

// someNames joins names for a message, bounded.
func someNames(names []string) string {
	const most = 8
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
