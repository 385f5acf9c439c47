package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/coreos/go-oidc/v3/oidc"
)

// verify returns the claims of a token that issuer signed for audience, and
// that holds now. The keys come from issuer's discovery document (OpenID
// Connect Discovery 1.0 §4), over TLS; RS256 is the one algorithm, which is
// what both platforms sign by, whatever the document or the token says.
func (s *TokenSource) verify(ctx context.Context, issuer, audience, token string) (claims, error) {
	var payload json.RawMessage
	err := s.patiently(ctx, fmt.Sprintf("the issuer %.200q", issuer), func(ctx context.Context) (err error) {
		payload, err = s.verifyOnce(ctx, issuer, audience, token)
		return err
	})
	if err != nil {
		return nil, err
	}
	c, err := parseClaims(payload)
	if err != nil {
		return nil, refusedf("the token of %s: %w", issuer, err)
	}
	if err := s.judge(c, issuer, audience); err != nil {
		return nil, s.withHint(refusedf("the token of %s: %w", issuer, err))
	}
	return c, nil
}

// judge looks at the verified claims by the strict reading. The library read
// them by another parser, one that takes the last of two members, in any case
// of letters: where the two differ, the token is refused. The times are judged
// here alone: the library has no leeway for exp, and five minutes for nbf.
func (s *TokenSource) judge(c claims, issuer, audience string) error {
	if got, err := c.scalar("iss"); err != nil || got != issuer {
		return fmt.Errorf("issuer: got %.200q, want %q", got, issuer)
	}
	if err := c.checkAudience(audience); err != nil {
		return err
	}
	return c.checkTimes(s.opts.Now())
}

// verifyOnce gives the payload whose signature, issuer and audience are right.
func (s *TokenSource) verifyOnce(ctx context.Context, issuer, audience, token string) (json.RawMessage, error) {
	g := &guard{next: s.transport, loopback: s.opts.Transport != nil, secrets: []string{token, s.requestToken}}
	// The library fetches keys without regard to ctx; the client's own timeout
	// ends that.
	ctx = oidc.ClientContext(ctx, &http.Client{Transport: g, Timeout: attemptTimeout})

	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return nil, faultOr(ctx, g, &fault{err: plainly(err, token), passing: true})
	}
	verified, err := provider.VerifierContext(ctx, &oidc.Config{
		ClientID:             audience,
		SupportedSigningAlgs: []string{oidc.RS256},
		SkipExpiryCheck:      true, // see judge
	}).Verify(ctx, token)
	if err != nil {
		return nil, faultOr(ctx, g, refusedf("the token for %s: %w", issuer, plainly(err, token)))
	}
	var payload json.RawMessage
	if err := verified.Claims(&payload); err != nil {
		return nil, errors.New("the library verified no payload")
	}
	return payload, nil
}

// faultOr prefers what the guard saw, and an end of ctx: the library's error is
// a consequence.
func faultOr(ctx context.Context, g *guard, err error) error {
	if f := g.fault(); f != nil {
		return f
	}
	if ctx.Err() != nil {
		return &fault{err: fmt.Errorf("no answer in %s", attemptTimeout), passing: true}
	}
	return err
}
