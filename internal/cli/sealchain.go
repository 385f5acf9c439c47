package cli

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/platform"
	"github.com/mcp-integrity/seal-action/internal/publish"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

// predecessor is the release before this one, which a consumer would accept.
type predecessor struct {
	manifest    *seal.Manifest
	files       publish.Release
	payload     []byte
	certificate *seal.Certificate  // who signed it, where no key did
	digest      digest.Digest      // of payload, SHA-256
	tools       []fingerprint.Tool // its snapshot, where one lies beside; else nil
	// replaced says that it is the file that --output replaces.
	replaced bool
}

// localPrefix begins the namespaces of local keys (decision 22).
const localPrefix = "local."

// openTargets makes the places of --publish. It is done twice: before any work,
// to find wrong use, and when it is known which release is published, and no
// stranger's code runs any more that could have seen an identity token.
func (r *sealRun) openTargets() error {
	targets := r.list("publish")
	if r.is("publish-to-registry") && !slices.ContainsFunc(targets, func(t string) bool { return strings.HasPrefix(t, mcpRegistry) }) {
		targets = append(slices.Clone(targets), mcpRegistry)
	}
	env := r.placeEnv(r.str("output"))
	if m := r.manifest; m != nil {
		env.Version, env.ServerID = r.view.snapshot.Server.Version, serverID("", m)
		if f := r.primary(); f != nil {
			env.Version, env.ServerID, env.MCPName = f.Artifact.Version, serverID(f.MCPName, m), f.MCPName
		}
		if r.tokens != nil {
			env.Token = r.tokens.Token
		}
	}
	var err error
	r.places, err = openPlaces("publish", targets, env)
	return err
}

// mcpRegistry is the target that --publish-to-registry names.
const mcpRegistry = "mcp-registry"

// preflight asks, before the build is spent, what would keep the places from
// taking the release.
func (r *sealRun) preflight(ctx context.Context) error {
	if len(r.places) > 0 && r.str("output") == "-" {
		return usagef("--publish needs the files that --output writes: want a file, got -")
	}
	for _, p := range r.places {
		if err := p.Check(ctx); err != nil {
			return placeError(err)
		}
	}
	return nil
}

// precede finds the release before this one, and verifies it as a consumer would
// (MIS §13, §21.5). An earlier release that cannot be had, or does not verify,
// stops the run: a chain that jumps over it would say that it never was.
func (r *sealRun) precede(ctx context.Context) error {
	switch name := r.str("previous"); name {
	case "none":
		if r.str("reroot") != "" {
			return usagef("--reroot says why a new chain begins although there is a release before; --previous none says that none is looked for")
		}
		return nil
	case "auto":
		return r.precedeByPlaces(ctx)
	default:
		source, err := openSource(name, r.placeEnv(r.str("output")))
		if err != nil {
			return err
		}
		release, err := source.Latest(ctx)
		if errors.Is(err, verify.ErrNoRelease) {
			return undecidedf("--previous %s: %w", name, err)
		}
		if err != nil {
			return placeError(err)
		}
		r.previous, err = r.accept(ctx, release)
		return err
	}
}

// precedeByPlaces takes the last release where this one will be published; where
// nothing is published, the file that --output replaces.
func (r *sealRun) precedeByPlaces(ctx context.Context) error {
	for _, p := range r.places {
		release, err := p.Latest(ctx)
		switch {
		case errors.Is(err, verify.ErrNoRelease):
			r.shown = append(r.shown, "")
			continue
		case err != nil:
			return placeError(err).orHint("an earlier release that cannot be read is not passed over: try again, or name it by --previous FILE|URL|TARGET")
		}
		found, err := r.accept(ctx, release)
		if err != nil {
			return err
		}
		var latest digest.Digest
		if found != nil {
			latest = found.digest
			if r.previous != nil && r.previous.digest != found.digest {
				r.note("%s and %s have different releases: the newer one is followed", r.previous.files.Ref, found.files.Ref)
			}
			if r.previous == nil || found.manifest.IssuedAt.After(r.previous.manifest.IssuedAt.Time) {
				r.previous = found
			}
		}
		r.shown = append(r.shown, latest)
	}
	if len(r.places) > 0 {
		r.first = r.previous == nil
		return nil
	}
	return r.replaced(ctx)
}

// replaced takes the file that --output replaces. A local key releases nothing,
// so what it sealed is no predecessor, nor has it one.
func (r *sealRun) replaced(ctx context.Context) error {
	out := r.str("output")
	if r.localKey || out == "-" || !isRegular(out) {
		return nil
	}
	release, err := fileSource{path: out}.Latest(ctx)
	if err != nil {
		return undecidedf("the file that is replaced: %w", err)
	}
	e, err := seal.ParseEnvelope(release.Envelope)
	if err != nil {
		return nil // whatever it is, it is no release
	}
	if ns := e.Claim().Namespace; strings.HasPrefix(ns, localPrefix) {
		r.note("%s was sealed locally (%s): it is replaced, not followed", out, ns)
		return nil
	}
	r.previous, err = r.accept(ctx, release)
	if err != nil {
		return err
	}
	if r.previous != nil {
		r.previous.replaced = true
	}
	return nil
}

// accept verifies a predecessor as a consumer who expects this publisher.
func (r *sealRun) accept(ctx context.Context, release publish.Release) (*predecessor, error) {
	v, err := r.expectOurselves(ctx)
	if err != nil {
		return nil, err
	}
	result := v.Verify(ctx, release.Envelope)
	for _, e := range result.Errors {
		if e.Code == seal.CodeSignatureExpired {
			continue // it was in force when it was released
		}
		if r.str("reroot") != "" {
			r.warn("the release before, %s, does not verify (%s: %s): a new chain begins", release.Ref, e.Name, e.Message)
			return nil, nil
		}
		exit := failsf("the release before, %s, does not verify, and a chain is not built on it: %s: %s", release.Ref, e.Name, e.Message)
		switch e.Code {
		case seal.CodeSignatureKeyNotFound:
			return nil, exit.withHint("--jwks FILE|URL names the keys that were in use before; --reroot REASON begins a new chain, and says why")
		case seal.CodeIdentityMismatch:
			return nil, exit.withHint("it is somebody else's; --previous FILE|URL|TARGET names yours, --reroot REASON begins a new chain, and says why")
		}
		return nil, exit.withHint("--reroot REASON begins a new chain, and says why")
	}
	e, err := seal.ParseEnvelope(release.Envelope)
	if err != nil {
		return nil, failsf("%s: %w", release.Ref, err)
	}
	m, err := seal.ParseManifest(e.Payload)
	if err != nil {
		return nil, failsf("%s: %w", release.Ref, err)
	}
	p := &predecessor{manifest: m, files: release, payload: e.Payload, digest: e.PayloadDigest(digest.SHA256), certificate: result.Publisher.Certificate}
	if snap, err := fingerprint.ParseSnapshot(release.Snapshot); release.Snapshot != nil && err == nil && sealsSnapshot(m, snap) == nil {
		p.tools = snap.Tools
	}
	return p, nil
}

// expectOurselves is the verifier of a consumer who expects who seals now: the
// same namespace, under our key, another key of ours, or a certificate of the
// same repository.
func (r *sealRun) expectOurselves(ctx context.Context) (*verify.Verifier, error) {
	var public []keys.PublicKey
	if r.key != nil {
		public = append(public, r.key.Public())
	}
	if name := r.str("jwks"); name != "" {
		set, err := r.readJWKS(ctx, name)
		if err != nil {
			return nil, err
		}
		r.formerKeys = set.Keys
		public = append(public, set.Keys...)
	}
	a := authenticator{sigstore: r.sigstore, keys: seal.Keys{Public: sealKeys(public), Roles: []seal.Role{seal.RolePublisher}}}
	if b := r.build; b != nil && r.keyless {
		own := seal.Identity{Issuer: issuerOf(b.SourceRepo()), Repository: b.SourceRepo(), SelfHosted: true}
		if own.Issuer != "" {
			a.expected, a.named = []seal.Identity{own}, true
		}
	}
	return &verify.Verifier{
		Keys: a, Namespace: r.publisher.Namespace, IdentityExpected: true, Policy: seal.DefaultPolicy, Now: r.Now,
	}, nil
}

// Release implements [verify.ChainSource]: our own verifier looks at the one link
// that this run makes. Those before it were looked at when they were made.
func (p *predecessor) Release(_ context.Context, payload digest.Digest) ([]byte, error) {
	if payload != p.digest {
		return nil, verify.ErrNoRelease
	}
	return p.files.Envelope, nil
}

// Releases implements [verify.ChainSource].
func (p *predecessor) Releases(context.Context) iter.Seq2[digest.Digest, error] {
	return func(func(digest.Digest, error) bool) {}
}

// attestationURI is where the build provenance will be found, in the first place
// that keeps one where a stranger can fetch it.
func (r *sealRun) attestationURI(a *seal.Artifact) (string, error) {
	for _, p := range r.places {
		uri, err := p.AttestationURI(publish.Coming{Artifact: a, Provenance: true})
		if err != nil {
			return "", failsf("%w", err)
		}
		if uri != "" {
			return uri, nil
		}
	}
	return "", nil
}

// orHint is withHint where there is no hint yet.
func (e *exitError) orHint(format string, args ...any) *exitError {
	if e.hint == "" {
		return e.withHint(format, args...)
	}
	return e
}

// link names the predecessor in the manifest, with what changed since, in each
// tool (MIS §13, decisions 14 and 20).
func (r *sealRun) link(ctx context.Context) error {
	p := r.previous
	if r.str("reroot") != "" {
		if p == nil && r.first {
			return failsf("--reroot: there is no release before this one: a first release needs no reason").withHint("leave --reroot out")
		}
		r.firstOfAll()
		return nil
	}
	if p == nil {
		if r.first {
			r.firstOfAll()
		}
		return nil
	}
	link, err := lineage.Next(lineage.Ancestor{Manifest: p.manifest, Digest: p.digest, Ref: p.files.Ref}, r.manifest)
	if errors.Is(err, lineage.ErrItself) {
		r.reuse(p)
		return nil
	}
	if before, _ := lineage.LinkOf(p.manifest); errors.Is(err, lineage.ErrSameVersion) && p.replaced && before.Absent {
		r.note("%s is of this version, too, and follows nothing: it is replaced, and this one is the first release", p.files.Ref)
		r.firstOfAll()
		return nil
	}
	if err != nil {
		return linkError(err)
	}
	return r.changes(ctx, link)
}

// firstOfAll says in the manifest that nothing comes before it (MIS §13.5).
func (r *sealRun) firstOfAll() {
	for i := range r.manifest.Tools {
		r.manifest.Tools[i].Lineage = &seal.Lineage{}
	}
}

// reuse takes the payload of a release that stands already: one release has one
// digest, however often it is made. Where all that this run would sign is signed
// there, the signatures are taken as well, and nothing new is logged for ever.
func (r *sealRun) reuse(p *predecessor) {
	r.manifest, r.payload, r.reused = p.manifest, p.payload, true
	e, err := seal.ParseEnvelope(p.files.Envelope)
	if err != nil || r.buildStatement != nil && p.files.Provenance == nil || !statesSnapshot(e, p.files.Snapshot) {
		return
	}
	if key := r.key; key != nil && !slices.ContainsFunc(e.Signatures, func(s seal.Signature) bool { return s.KeyID == key.KeyID() }) {
		return
	}
	if r.keyless && p.certificate == nil || !r.keyless && p.certificate != nil {
		return
	}
	r.envelope, r.snapshot, r.certificate = p.files.Envelope, p.files.Snapshot, p.certificate
	if r.buildStatement != nil {
		r.provenanceBundle = p.files.Provenance
	}
}

// statesSnapshot says that the publisher's signed statement names the snapshot.
func statesSnapshot(e *seal.Envelope, snapshot []byte) bool {
	return len(snapshot) > 0 && slices.ContainsFunc(statements(e), func(st seal.Statement) bool {
		return st.Role == seal.RolePublisher && st.InterfaceSnapshot == digest.FromBytes(snapshot)
	})
}

// linkError says what to do about a predecessor that cannot be followed.
func linkError(err error) error {
	exit := failsf("%w", err)
	switch {
	case errors.Is(err, lineage.ErrSameVersion):
		return exit.withHint("a published version is not replaced: raise the version; --previous FILE|URL|TARGET names another predecessor, --previous none looks for none")
	case errors.Is(err, lineage.ErrNewerVersion):
		return exit.withHint("a chain does not branch: --previous FILE|URL|TARGET names another predecessor, where this is another line of releases in a place of its own; --reroot REASON begins a new chain, and says why")
	case errors.Is(err, lineage.ErrOtherRepository):
		return exit.withHint("where the project moved, --reroot REASON begins a new chain, and says why")
	}
	return exit.withHint("--previous FILE|URL|TARGET names the predecessor; --reroot REASON begins a new chain, and says why")
}

// changes computes what changed since the predecessor, and holds it against what
// is stated and against the version.
func (r *sealRun) changes(ctx context.Context, link lineage.Link) error {
	stated, err := r.stated()
	if err != nil {
		return err
	}
	if len(stated) == 0 {
		stated = r.committed(ctx, link.PreviousVersion)
	}
	old, new := r.previous.manifest, r.manifest
	classes := lineage.Classify(lineage.Side{Manifest: old, Tools: r.previous.tools}, lineage.Side{Manifest: new, Tools: r.view.snapshot.Tools})
	if r.previous.tools == nil {
		r.note("there is no snapshot beside %s: what changed in the interface is known by digests only", r.previous.files.Ref)
	}
	if err := lineage.CheckStated(stated, classes); err != nil {
		return failsf("--change: %w", err)
	}
	entries := lineage.Entries(classes, old, new, stated)
	for i := range new.Tools {
		t := &new.Tools[i]
		t.Lineage = link.Lineage(entries[t.Name])
	}
	r.classes = &classes
	return r.gate(classes, link.PreviousVersion, lineage.VersionOf(new))
}

// gate holds the version against what changed.
func (r *sealRun) gate(classes lineage.Classes, old, new string) error {
	mode := r.str("semver")
	if mode == "off" {
		return nil
	}
	violations := lineage.Gate(classes, old, new)
	for i, v := range violations {
		if mode == "error" {
			return failsf("--semver error: %s (%d in all)", v, len(violations)).
				withHint("mcp-integrity diff shows all; raise the version, or seal with --semver warn")
		}
		if i == maxViolations {
			r.warn("%d more such changes", len(violations)-i)
			break
		}
		r.warn("%s", v)
	}
	return nil
}

// maxViolations bounds what is said of one version.
const maxViolations = 10

// stated are the changes that --change names.
func (r *sealRun) stated() ([]lineage.Stated, error) {
	var stated []lineage.Stated
	for _, c := range r.list("change") {
		one, err := lineage.ParseStated(c)
		if err != nil {
			return nil, usagef("--change: %w", err)
		}
		stated = append(stated, one)
	}
	return stated, nil
}

// committed are the changes that the commits since the last release state, where
// the sources are here.
func (r *sealRun) committed(ctx context.Context, previous string) []lineage.Stated {
	if r.is("built-elsewhere") || r.facts.Commit == "" {
		return nil
	}
	commits, err := platform.CommitsSince(ctx, ".", previous)
	if err != nil {
		r.note("commits say nothing of what changed: %v", err)
		return nil
	}
	var stated []lineage.Stated
	for _, c := range commits {
		stated = append(stated, lineage.Stated{Type: c.Type, Text: c.Subject, Commit: true})
	}
	return stated
}
