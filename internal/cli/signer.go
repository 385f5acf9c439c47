package cli

import (
	"context"
	"errors"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/platform"
	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/seal"
)

// signer is who signs in one run: a key, the identity of the job, or both
// (decision 11).
type signer struct {
	*invocation
	facts    platform.Facts
	key      *keys.PrivateKey // nil where only a certificate signs
	localKey bool
	keyless  bool
	tokens   *platform.TokenSource // nil where this place has no identity tokens
	sigstore *sigstore
	build    *provenance.Build // as the platform's token says; nil where none vouches
	// certificate is what the job signed under; nil before it has.
	certificate *seal.Certificate
}

// sigstoreAudience is the audience of the tokens that Fulcio takes.
const sigstoreAudience = "sigstore"

// maxSessions is how often signing begins anew when the certificate of ten
// minutes ran out while a service was down.
const maxSessions = 3

// chooseSigner takes the key that is given, and the job's identity where
// --keyless says so. Where nothing is said, it is the identity where a token is
// to be had; at a desk, else, the local key; in CI the lack of both is wrong use
// (decision 22).
func (r *signer) chooseSigner(local func() error) error {
	var noToken error
	// GitHub's runner takes commands from standard error, too, and standard output
	// is data that may be redirected past the runner.
	r.tokens, noToken = platform.Tokens(r.Getenv, platform.TokenOptions{
		Commands: r.Stderr, Notify: func(line string) { r.note("%s", line) }, Now: r.Now, Patience: r.duration("patience"),
	})
	r.keyless = r.is("keyless") || !r.given("key") && !r.given("keyless") && r.tokens != nil
	if r.keyless {
		if err := r.checkKeyless(noToken); err != nil {
			return err
		}
	}
	switch {
	case r.given("key"):
		return r.givenKey()
	case r.keyless:
		return nil
	case r.facts.Kind != platform.Desk:
		return usagef("no key is given, in CI there is no local one, and there is no identity token: %w", noToken).
			withHint("%s; or --key FILE, or the JWK itself as the input signing-key or in MCP_INTEGRITY_KEY", hintOf(noToken))
	}
	return local()
}

// checkKeyless finds what keyless signing lacks before any work is done.
func (r *signer) checkKeyless(noToken error) error {
	switch {
	case noToken != nil:
		return usagef("--keyless: %w", noToken).withHint("%s", hintOf(noToken))
	case r.str("signing-config") != "" && r.str("trusted-root") == "" && r.str("tuf-mirror") == "":
		return usagef("--signing-config names a Sigstore, and nothing says how to verify what it signs").
			withHint("--trusted-root FILE, or --tuf-mirror URL with --tuf-root FILE")
	case r.str("trusted-root") != "" && r.str("signing-config") == "":
		return usagef("--trusted-root says whom to trust, and nothing says where to sign").withHint("--signing-config FILE")
	}
	return nil
}

func hintOf(err error) string {
	var t *platform.TokenError
	if errors.As(err, &t) {
		return t.Hint
	}
	return ""
}

func (r *signer) givenKey() error {
	data := []byte(r.str("key"))
	switch inline := data[0] == '{'; {
	case inline && r.lookup("key").source == fromFlag:
		return usagef("--key: a key on the command line can be seen by every process of this machine").
			withHint("put it into a file, or pass it as the input signing-key or in MCP_INTEGRITY_KEY")
	case inline:
		key, err := keys.ParsePrivate(data)
		if err != nil {
			return usagef("the key from the environment: %w", err)
		}
		r.key = &key
		return nil
	}
	key, err := keys.ReadPrivate(string(data))
	if err != nil {
		return usagef("--key: %w", err)
	}
	r.key = &key
	return nil
}

// attestKeyless adds an attestation under a certificate of this job to e, and
// signs other statements under the same one: their bundles are returned. Where
// the certificate runs out before all is signed, all is signed anew.
func (r *signer) attestKeyless(ctx context.Context, e *seal.Envelope, s seal.Statement, beside ...[]byte) ([][]byte, error) {
	services, err := r.sigstore.services(ctx, r.build)
	if err != nil {
		return nil, err
	}
	if err := r.publicLog(services); err != nil {
		return nil, err
	}
	trust, err := r.sigstore.Trust(ctx)
	if err != nil {
		return nil, err
	}
	body, err := seal.MarshalStatement(s, e.Payload)
	if err != nil {
		return nil, failsf("%w", err)
	}
	statements := append([][]byte{body}, beside...)
	token := func(ctx context.Context) (string, error) { return r.tokens.Token(ctx, sigstoreAudience) }
	for attempt := 1; ; attempt++ {
		session, err := keyless.Begin(ctx, services, token, keyless.SessionOptions{
			Trust: trust, Notify: func(line string) { r.note("%s", line) }, Patience: r.duration("patience"),
		})
		if err != nil {
			return nil, signingError(err)
		}
		bundles, err := session.SignStatements(ctx, statements...)
		if errors.Is(err, keyless.ErrExpired) && attempt < maxSessions {
			continue
		}
		if err != nil {
			return nil, signingError(err)
		}
		certificate := session.Certificate()
		r.certificate = &certificate
		if err := e.AttestSigned(session, s, bundles[0]); err != nil {
			return nil, failsf("%w", err)
		}
		return bundles[1:], nil
	}
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
func (r *signer) publicLog(s *keyless.Services) error {
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
