package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/artifact"
	"github.com/mcp-integrity/seal-action/internal/declare"
	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/platform"
	"github.com/mcp-integrity/seal-action/internal/publish"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// sealRun is one run of seal, stage by stage.
type sealRun struct {
	signer
	algorithm  digest.Algorithm
	sourceRepo string        // as --source-repo says, without what may be a secret in it
	declared   *declare.File // nil where there is no declarations file

	publisher seal.Publisher
	surface   *surface
	artifacts []artifact.Found
	view      view
	snapshot  []byte // the file beside the envelope

	places      []publish.Place
	shown       []showing        // what the places had when the predecessor was read
	former      keyring          // the keys of --jwks
	previous    *predecessor     // nil where there is none
	first       bool             // places were asked, and had no earlier release
	reused      bool             // this release is published already: its payload is used again
	classes     *lineage.Classes // what changed since the predecessor
	published   []placeReport    // how each place stands
	unpublished error            // why some do not have it

	manifest         *seal.Manifest
	buildStatement   []byte // the build provenance to sign; nil where none is made
	slsaReason       string // why the manifest's SLSA level is what it is
	provenanceBundle []byte // the file beside the envelope; nil where there is none
	payload          []byte // the manifest's canonical bytes
	envelope         []byte
	checked          *verify.Result // our own verifier's word on the envelope
}

// runSeal reads as the seal column of the house: a stage a line.
func runSeal(ctx context.Context, inv *invocation) error {
	r := &sealRun{signer: signer{invocation: inv}, algorithm: digest.Algorithm(inv.str("digest-algorithm"))}
	for _, stage := range []func(context.Context) error{
		r.prepare,     // options, declarations, facts, key: wrong use ends here, before any work
		r.preflight,   // what would keep the places from taking the release
		r.hashForSeal, // the artifact, before the server starts
		r.observe,     // start the server, list it, twice
		r.recheck,     // the artifact, after it ended
		r.identify,    // who this job is, now that no stranger's code runs
		r.assemble,    // manifest and build provenance
		r.precede,     // the release before, verified as a consumer would
		r.link,        // what follows what, and what changed
		r.sign,        // envelope
		r.verifyOwn,   // by the consumer's function
		r.write,       // files appear, the envelope last
		r.publish,     // visible to others, now that everything is signed
	} {
		if err := stage(ctx); err != nil {
			return err
		}
	}
	return errors.Join(r.unpublished, r.report())
}

func (r *sealRun) prepare(ctx context.Context) error {
	var err error
	if r.declared, err = r.declarations(); err != nil {
		return err
	}
	if r.surface, err = surfaceOf(r.invocation, r.declared); err != nil {
		return err
	}
	if r.surface == nil {
		return usagef("no server is given").withHint("mcp-integrity seal -- COMMAND ARG…, or --server-url URL, or --interface FILE")
	}
	if repo := r.str("source-repo"); repo != "" {
		if r.sourceRepo, err = platform.NormalizeRepo(repo); err != nil {
			return usagef("--source-repo: %w", err)
		}
	}
	if r.facts, err = platform.Detect(ctx, r.Getenv, "."); err != nil {
		return undecidedf("%w", err)
	}
	// What is given needs no facts, and no excuse for those that are missing.
	if r.str("source-repo") == "" || r.str("commit") == "" {
		for _, n := range r.facts.Notes {
			r.note("%s", n)
		}
	}
	if r.sigstore, err = sigstoreOf(r.invocation); err != nil {
		return err
	}
	if err := r.chooseSigner(r.localSigner); err != nil {
		return err
	}
	if r.tokens != nil && r.surface.starts() && r.tokens.Platform() == platform.GitHub {
		r.warn("the server runs in a job that may ask for an identity token, beside processes of the same user that hold this right: what you would not trust with it belongs into a job without id-token: write (mcp-integrity extract), and this one seals --interface")
	}
	if r.publisher, err = r.choosePublisher(); err != nil {
		return err
	}
	if err := r.openTargets(); err != nil {
		return err
	}
	if err := r.checkPrevious(); err != nil {
		return err
	}
	if dir := filepath.Dir(r.str("output")); !r.is("dry-run") && !fileExists(dir) {
		return usagef("--output %s: there is no directory %q", r.str("output"), dir)
	}
	return nil
}

// declarations reads mcp-integrity.yaml. That it is missing is an error only
// where somebody named it.
func (i *invocation) declarations() (*declare.File, error) {
	path := i.str("config")
	if !i.given("config") && !isRegular(path) {
		return nil, nil
	}
	data, err := readFile(path, declare.MaxSize)
	switch {
	case err != nil:
		return nil, err
	}
	f, err := declare.Parse(data)
	if err != nil {
		err = declare.In(path, err)
		var first *declare.Error
		if errors.As(err, &first) {
			return nil, failsf("%w\n%s", err, strings.TrimRight(first.Excerpt(), "\n"))
		}
		return nil, failsf("%w", err)
	}
	return f, nil
}

// localSigner takes the local key of a desk.
func (r *sealRun) localSigner() error {
	if ns := r.str("namespace"); ns != "" {
		return usagef("--namespace %.100q needs a key: the local key speaks for this user only", ns).
			withHint("mcp-integrity keygen --output signing-key.json, then --key signing-key.json")
	}
	dir, err := r.ConfigDir()
	if err != nil {
		return undecidedf("the local key: %w", err)
	}
	key, err := keys.Local(dir)
	if err != nil {
		return undecidedf("the local key: %w", err)
	}
	r.key, r.localKey = &key, true
	return nil
}

// verifyOwn is rule 3 of the house: nothing appears that the consumer's
// function would not accept.
func (r *sealRun) verifyOwn(ctx context.Context) error {
	if r.envelope == nil { // a dry run that signed nothing
		r.checked = &verify.Result{Publisher: &verify.Publisher{}}
		return nil
	}
	v := verify.Verifier{
		Keys:             r.ownAuthenticator(),
		Namespace:        r.manifest.Server.Publisher.Namespace,
		IdentityExpected: true,
		Server:           seen{r.view},
		Policy:           seal.DefaultPolicy,
		Now:              r.Now,
	}
	if len(r.artifacts) > 0 {
		v.Artifacts = hashed(r.artifacts)
	}
	if r.provenanceBundle != nil {
		v.Provenance = &builds{inv: r.invocation, sigstore: r.sigstore, data: r.provenanceBundle, ref: provenanceSuffix}
	}
	if r.previous != nil && !r.reused && r.str("reroot") == "" {
		a := r.ownAuthenticator()
		a.keys.Public = append(a.keys.Public, r.former.seal().Public...)
		a.documents = r.former.documents
		v.Chain, v.Ancestors = r.previous, a.others()
	}
	r.checked = v.Verify(ctx, r.envelope)
	if len(r.checked.Errors) > 0 {
		e := r.checked.Errors[0]
		return failsf("our own verifier refuses what was sealed, and nothing was written: %s: %s", e.Name, e.Message)
	}
	return nil
}

// ownAuthenticator is that of a consumer who expects just this publisher.
func (r *sealRun) ownAuthenticator() authenticator {
	a := authenticator{sigstore: r.sigstore, named: true, keys: seal.Keys{Roles: []seal.Role{seal.RolePublisher}}}
	if r.key != nil {
		a.keys.Public = []seal.PublicKey{r.key.Public().Seal()}
	}
	if c := r.certificate; c != nil {
		own := seal.Identity{Issuer: c.Issuer, SAN: c.SAN, Repository: c.SourceRepositoryURI, SelfHosted: true}
		if ns, err := seal.NamespaceIdentity(r.publisher.Namespace); err == nil {
			own.Issuer, own.Owner = ns.Issuer, ns.Owner
		}
		a.expected = []seal.Identity{own}
	}
	return a
}

// seen is a view that was had already, as a [verify.Surface].
type seen struct{ view }

func (s seen) Observe(context.Context) (verify.Observation, error) {
	return verify.Observation{Observed: verify.Snapshot, Server: s.snapshot.Server, Tools: s.snapshot.Tools}, nil
}

// hashed are artifacts that were hashed already, as a [verify.ArtifactSource].
type hashed []artifact.Found

func (h hashed) Hash(_ context.Context, sealed []seal.Artifact) ([]verify.ObservedArtifact, error) {
	for _, f := range h {
		if f.Artifact.Digest == sealed[0].Digest {
			return []verify.ObservedArtifact{{Ref: f.Ref, Digests: []digest.Digest{f.Artifact.Digest}}}, nil
		}
	}
	return nil, errors.New("the manifest names an artifact that was not hashed")
}

// write makes the files appear, the envelope last: it is the commit.
func (r *sealRun) write(context.Context) error {
	if r.is("dry-run") {
		return nil
	}
	out := r.str("output")
	if out == "-" {
		return r.print("-", r.envelope)
	}
	files := []file{{sibling(out, interfaceSuffix), r.snapshot}}
	if r.provenanceBundle != nil {
		files = append(files, file{sibling(out, provenanceSuffix), r.provenanceBundle})
	}
	return writeFiles(append(files, file{out, r.envelope})...)
}

// place says where the envelope is, for people.
func (r *sealRun) place() string {
	if r.is("dry-run") {
		return fmt.Sprintf("%s (dry run: nothing was written)", r.str("output"))
	}
	return r.str("output")
}
