package cli

import (
	"context"
	"errors"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/publish"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/provenance"
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
	// own are the publisher's attestations that hold and are ours; all says that
	// no other signature stands on it.
	own []seal.Attestation
	all bool
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

// checkPrevious finds wrong use of the options about the chain.
func (r *sealRun) checkPrevious() error {
	if _, err := r.stated(); err != nil {
		return err
	}
	switch name := r.str("previous"); {
	case name == "auto":
	case name != "none":
		_, err := openSource(name, r.placeEnv(r.str("output")))
		return err
	case r.str("reroot") != "":
		return usagef("--reroot says why a new chain begins although there is a release before; --previous none says that none is looked for")
	}
	return nil
}

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

// showing is what a place had as its newest release when the predecessor was
// read; payload is "" where it had none.
type showing struct {
	place   publish.Place
	payload digest.Digest
}

// precedeByPlaces takes the last release where this one will be published; where
// no place keeps the releases before, the file that --output replaces.
func (r *sealRun) precedeByPlaces(ctx context.Context) error {
	r.first = true
	for _, p := range r.places {
		if !publish.KeepsHistory(p) {
			continue
		}
		shown := showing{place: p}
		release, err := p.Latest(ctx)
		switch {
		case errors.Is(err, verify.ErrNoRelease):
			r.shown = append(r.shown, shown)
			continue
		case err != nil:
			return placeError(err).orHint("an earlier release that cannot be read is not passed over: try again, or name it by --previous FILE|URL|TARGET")
		}
		r.first = false
		if e, err := seal.ParseEnvelope(release.Envelope); err == nil {
			shown.payload = e.PayloadDigest(digest.SHA256)
		}
		r.shown = append(r.shown, shown)
		found, err := r.accept(ctx, release)
		if err != nil {
			return err
		}
		r.newerOf(found)
	}
	switch {
	case len(r.shown) == 0:
		r.first = false
		return r.replaced(ctx)
	case r.first:
		return r.otherLine(ctx)
	}
	return nil
}

// otherLine finds the releases of this server under the usual file name, where
// --output has another one: a second line beside them would jump the chain.
func (r *sealRun) otherLine(ctx context.Context) error {
	env := r.placeEnv(r.str("output"))
	if env.Stem == publish.DefaultStem || r.str("reroot") != "" {
		return nil
	}
	env.Stem, env.ReadOnly = publish.DefaultStem, true
	places, err := openPlaces("publish", r.list("publish"), env)
	if err != nil {
		return err
	}
	for _, p := range places {
		release, err := p.Latest(ctx)
		if err != nil || !publish.KeepsHistory(p) {
			continue // what cannot be read there is another name's
		}
		e, err := seal.ParseEnvelope(release.Envelope)
		if err != nil {
			continue
		}
		m, err := seal.ParseManifest(e.Payload)
		if err == nil && lineage.CheckSource(m, r.manifest) == nil {
			return failsf("%s has releases of this server as %s.json, and --output names %s: a second line beside them would jump the chain", p, publish.DefaultStem, filepath.Base(r.str("output"))).
				withHint("--output DIR/%s.json continues them; --reroot REASON begins another line, and says why", publish.DefaultStem)
		}
	}
	return nil
}

// newerOf keeps the newer of two predecessors: a place that an earlier run did
// not reach has an older one.
func (r *sealRun) newerOf(found *predecessor) {
	switch before := r.previous; {
	case found == nil:
	case before == nil:
		r.previous = found
	case before.digest != found.digest:
		r.note("%s and %s have different releases: the newer one is followed", before.files.Ref, found.files.Ref)
		if found.manifest.IssuedAt.After(before.manifest.IssuedAt.Time) {
			r.previous = found
		}
	}
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
	if len(result.Errors) > 0 {
		return nil, r.refuse(release, result.Errors[0])
	}
	e, err := seal.ParseEnvelope(release.Envelope)
	if err != nil {
		return nil, failsf("%s: %w", release.Ref, err)
	}
	opened, err := e.Open(ctx, v.Keys, seal.OpenOptions{})
	if err != nil {
		return nil, failsf("%s: %w", release.Ref, err)
	}
	m := opened.Manifest
	p := &predecessor{manifest: m, files: release, payload: e.Payload, digest: e.PayloadDigest(digest.SHA256), certificate: result.Publisher.Certificate}
	p.all = len(opened.Rejections) == 0
	for _, a := range opened.Attestations {
		if a.Role == seal.RolePublisher && a.Unexpected == nil && a.Bound {
			p.own = append(p.own, a)
		}
	}
	if snap, err := fingerprint.ParseSnapshot(release.Snapshot); release.Snapshot != nil && err == nil && sealsSnapshot(m, snap) == nil {
		p.tools = snap.Tools
	}
	return p, nil
}

// refuse stops at a predecessor that does not verify; under --reroot it is passed
// over, and that is said.
func (r *sealRun) refuse(release publish.Release, e verify.Finding) error {
	if r.str("reroot") != "" {
		r.warn("the release before, %s, does not verify (%s: %s): a new chain begins", release.Ref, e.Name, e.Message)
		return nil
	}
	exit := failsf("the release before, %s, does not verify, and a chain is not built on it: %s: %s", release.Ref, e.Name, e.Message)
	switch e.Code {
	case seal.CodeSignatureKeyNotFound:
		return exit.withHint("--jwks FILE|URL names the keys that were in use before; --reroot REASON begins a new chain, and says why")
	case seal.CodeIdentityMismatch:
		return exit.withHint("it is somebody else's; --previous FILE|URL|TARGET names yours, --reroot REASON begins a new chain, and says why")
	}
	return exit.withHint("--reroot REASON begins a new chain, and says why")
}

// expectOurselves is the verifier of a consumer who expects who seals now: the
// same namespace, under our key, another key of ours, or a certificate of the
// same repository.
func (r *sealRun) expectOurselves(ctx context.Context) (*verify.Verifier, error) {
	var err error
	if r.former, err = r.documentKeys(ctx); err != nil {
		return nil, err
	}
	ring := r.former
	if r.key != nil {
		ring.public = append([]keys.PublicKey{r.key.Public()}, ring.public...)
	}
	// A certificate counts where this job's own is known: whoever has another one
	// is not us. A person at a desk has none before it is signed; that the
	// predecessor's is the same is checked when it is.
	a := authenticator{sigstore: r.sigstore, named: true, keys: ring.seal(), documents: ring.documents}
	switch b := r.build; {
	case r.keyless && b != nil:
		a.expected = []seal.Identity{{Issuer: issuerOfBuild(b), Repository: b.SourceRepo(), SelfHosted: true}}
	case r.keyless:
		a.named = false
	}
	return &verify.Verifier{
		Keys: a, Namespace: r.publisher.Namespace, IdentityExpected: true, Policy: seal.DefaultPolicy,
		// What expired meanwhile was in force when it was released.
		Now: func() time.Time { return time.Time{} },
	}, nil
}

// issuerOfBuild is who vouches for builds on a platform: of the public forges,
// or of a server of one's own.
func issuerOfBuild(b *provenance.Build) string {
	switch issuer := issuerOf(b.SourceRepo()); {
	case issuer != "":
		return issuer
	case b.Platform == provenance.GitHub:
		return b.ServerURL + "/_services/token"
	}
	return b.ServerURL
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

// fits refuses, before anything is signed, a place that this release cannot be put
// into: a package's root where the artifact is the package's archive.
func (r *sealRun) fits() error {
	for _, p := range r.places {
		if publish.KeepsHistory(p) || r.primary() == nil {
			continue
		}
		if _, err := p.AttestationURI(publish.Coming{Artifact: &r.primary().Artifact}); err != nil {
			return failsf("%w", err).orHint("leave %s out, or seal with --digest-scope entrypoint", p)
		}
	}
	return nil
}

// orHint is withHint where there is no hint yet.
func (e *exitError) orHint(format string, args ...any) *exitError {
	if e.hint == "" {
		return e.withHint(format, args...)
	}
	return e
}
