package cli

import (
	"context"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

// sign makes the envelope with the publisher's bound attestations: under the
// job's certificate, under the key, or both (decision 11).
func (r *sealRun) sign(ctx context.Context) error {
	if r.envelope != nil {
		return nil // it is that of the same release, which was published already
	}
	var err error
	if !r.reused {
		if r.payload, err = seal.MarshalManifest(r.manifest); err != nil {
			return failsf("%w", err)
		}
	}
	if r.keyless && r.is("dry-run") {
		r.note("a dry run signs nothing: a keyless signature would stand in a log for ever")
		return nil
	}
	e := seal.NewEnvelope(r.payload)
	statement := seal.Statement{
		Role:              seal.RolePublisher,
		Type:              seal.TypeManifestSigned,
		Timestamp:         r.now(),
		InterfaceSnapshot: digest.FromBytes(r.snapshot),
		Reroot:            r.str("reroot"),
	}
	if r.keyless {
		if err := r.signKeyless(ctx, e, statement); err != nil {
			return err
		}
	}
	if r.key != nil {
		if err := r.mayStillSign(ctx); err != nil {
			return err
		}
		if err := e.Attest(r.key, statement); err != nil {
			return undecidedf("%w", err)
		}
	}
	if r.envelope, err = e.Marshal(); err != nil {
		return failsf("%w", err)
	}
	return nil
}

// mayStillSign refuses a key that the publisher's own key document says is revoked
// or retired: no consumer of that document would accept what it signs.
func (r *sealRun) mayStillSign(ctx context.Context) error {
	ring := r.former
	if len(ring.documents) == 0 {
		var err error
		if ring, err = r.documentKeys(ctx); err != nil {
			return err
		}
	}
	now := r.now()
	public := r.key.Public()
	err := standing(ring.documents, seal.Signature{KeyID: public.KeyID, Timestamp: &now}, seal.Authenticated{KeyID: public.KeyID, Thumbprint: public.Thumbprint})
	if err != nil {
		return failsf("nothing is sealed: %w", err).withHint("sign with a live key of %s", r.str("jwks"))
	}
	return nil
}

// signKeyless signs the manifest, its statement and the build provenance under
// one certificate.
func (r *sealRun) signKeyless(ctx context.Context, e *seal.Envelope, s seal.Statement) error {
	if err := r.checkNamespace(); err != nil {
		return err
	}
	var beside [][]byte
	if r.buildStatement != nil {
		beside = append(beside, r.buildStatement)
	}
	bundles, err := r.attestKeyless(ctx, e, s, beside...)
	if err == nil && len(bundles) > 0 {
		r.provenanceBundle = bundles[0]
	}
	return err
}

// checkNamespace is decision 12 seen from this side: what no consumer who
// expects the namespace would accept is refused before Sigstore logs it for ever.
func (r *sealRun) checkNamespace() error {
	ns, err := seal.NamespaceIdentity(r.publisher.Namespace)
	if err != nil || r.build == nil {
		return nil
	}
	repo := r.build.SourceRepo()
	if !strings.HasPrefix(strings.ToLower(repo), ns.Owner+"/") {
		return failsf("the namespace %s is not that of this job's repository %s: no consumer could verify it", r.publisher.Namespace, repo).
			withHint("leave --namespace out, or sign with --key FILE")
	}
	for _, t := range r.manifest.Tools {
		if p := t.Provenance; p != nil && p.SourceRepo != "" && !strings.EqualFold(p.SourceRepo, repo) {
			return failsf("source_repo is %s, and this job's certificate is for %s: whoever expects the namespace %s would refuse that", p.SourceRepo, repo, r.publisher.Namespace).
				withHint("seal in a job of that repository, or sign with --key FILE")
		}
	}
	return nil
}
