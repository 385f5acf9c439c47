package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/platform"
	"github.com/mcp-integrity/seal-action/seal"
)

// sigstoreAudience is the audience of the tokens that Fulcio takes.
const sigstoreAudience = "sigstore"

// maxSessions is how often signing begins anew when the certificate of ten
// minutes ran out while a service was down.
const maxSessions = 3

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
		if err := e.Attest(r.key, statement); err != nil {
			return undecidedf("%w", err)
		}
	}
	if r.envelope, err = e.Marshal(); err != nil {
		return failsf("%w", err)
	}
	return nil
}

// signKeyless signs the manifest, its statement and the build provenance under
// one certificate. Where it runs out before all is signed, all is signed anew.
func (r *sealRun) signKeyless(ctx context.Context, e *seal.Envelope, s seal.Statement) error {
	if err := r.checkNamespace(); err != nil {
		return err
	}
	services, err := r.sigstore.services(ctx, r.build)
	if err != nil {
		return err
	}
	if err := r.publicLog(services); err != nil {
		return err
	}
	trust, err := r.sigstore.Trust(ctx)
	if err != nil {
		return err
	}
	body, err := seal.MarshalStatement(s, r.payload)
	if err != nil {
		return failsf("%w", err)
	}
	statements := [][]byte{body}
	if r.buildStatement != nil {
		statements = append(statements, r.buildStatement)
	}
	token := func(ctx context.Context) (string, error) { return r.tokens.Token(ctx, sigstoreAudience) }
	for attempt := 1; ; attempt++ {
		session, err := keyless.Begin(ctx, services, token, keyless.SessionOptions{
			Trust: trust, Notify: func(line string) { r.note("%s", line) }, Patience: r.duration("patience"),
		})
		if err != nil {
			return signingError(err)
		}
		bundles, err := session.SignStatements(ctx, statements...)
		if errors.Is(err, keyless.ErrExpired) && attempt < maxSessions {
			continue
		}
		if err != nil {
			return signingError(err)
		}
		if len(bundles) > 1 {
			r.provenanceBundle = bundles[1]
		}
		certificate := session.Certificate()
		r.certificate = &certificate
		if err := e.AttestSigned(session, s, bundles[0]); err != nil {
			return failsf("%w", err)
		}
		return nil
	}
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

// signingError gives a failure of Sigstore's services its exit code: whether they
// did not answer or said no, what was given is not what is wrong.
func signingError(err error) error {
	var token *platform.TokenError
	if errors.As(err, &token) {
		return tokenError(err)
	}
	var refused *keyless.Refused
	var own *keyless.Error
	switch {
	case errors.As(err, &refused):
		return undecidedf("%w; nothing was written", err).withHint("%s", refused.Hint)
	case errors.As(err, &own):
		return undecidedf("%w; nothing was written", err).
			withHint("--trusted-root must be that of the Sigstore that --signing-config names, and know its certificate authority, log and timestamp authority")
	}
	return undecidedf("%w; nothing was written, and it is safe to run this again", err)
}

// publicLog keeps the name of a repository that is not known to be public out of
// public logs, unless that is allowed.
func (r *sealRun) publicLog(s *keyless.Services) error {
	if !s.Public() || r.is("allow-public-log") {
		return nil
	}
	visibility, repo := r.tokens.ClaimedVisibility(), r.facts.SourceRepo
	switch {
	case r.build != nil:
		visibility, repo = r.build.Visibility, r.build.SourceRepo()
	case visibility == "" && r.facts.Kind == platform.Desk:
		return nil // a person's own token names a person
	case visibility == "":
		visibility = "not known to be public"
	}
	if visibility == "public" {
		return nil
	}
	return failsf("the repository %s is %s, and %s would make its name public for ever", orNone(repo), visibility, s.CA.Host()).
		withHint("--allow-public-log allows that; --signing-config with --trusted-root names a Sigstore of your own; --key signs without one")
}
