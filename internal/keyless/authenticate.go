package keyless

import (
	"context"
	"errors"
	"fmt"

	"github.com/mcp-integrity/seal-action/seal"
)

// Authenticator is a [seal.Authenticator] for keyless attestations (decision
// 11): the statement of decision 10b is a Sigstore bundle, and sig is the ES256
// signature of the manifest under the key of the bundle's certificate.
type Authenticator struct {
	Trust *Trust
	// Expected are the identities of whom one must have signed. Where there are
	// none, whoever signed is authentic and unexpected.
	Expected []seal.Identity
	// Roles are those that the expected identities hold.
	Roles []seal.Role
}

// Authenticate implements [seal.Authenticator]. An attestation of another kind
// is [seal.CodeSignatureKeyNotFound], as is a certificate of an authority that
// nobody trusts; a certificate of somebody else than was expected is
// [seal.CodeIdentityMismatch]; all else is [seal.CodeSignatureInvalid].
func (a Authenticator) Authenticate(_ context.Context, s seal.Signature, message []byte) (seal.Authenticated, error) {
	refuse := func(code seal.Code, err error) (seal.Authenticated, error) {
		return seal.Authenticated{}, &seal.Error{Code: code, Err: fmt.Errorf("keyid %.100q: %w", s.KeyID, err)}
	}
	statement, err := seal.StatementOf(s)
	if err != nil {
		return refuse(seal.CodeSignatureInvalid, err)
	}
	if !seal.IsBundle(statement) {
		return refuse(seal.CodeSignatureKeyNotFound, errors.New("it has no Sigstore bundle, which would say whose it is"))
	}
	v, err := a.Trust.Verify(statement)
	if err != nil {
		return refuse(CodeOf(err, seal.CodeSignatureInvalid), err)
	}
	// The label is a hint, but a wrong one is somebody's lie.
	if v.Key.KeyID != s.KeyID {
		return refuse(seal.CodeSignatureInvalid, fmt.Errorf("want %s, the SHA-256 of the bundle's key", v.Key.KeyID))
	}
	if err := v.Key.Verify(message, s.Sig); err != nil {
		return refuse(seal.CodeSignatureInvalid, fmt.Errorf("sig, under the key of the bundle's certificate: %w", err))
	}
	unexpected, err := a.expects(v.Certificate)
	if err != nil {
		return refuse(seal.CodeIdentityMismatch, err)
	}
	return seal.Authenticated{
		KeyID: v.Key.KeyID, Thumbprint: v.Key.Thumbprint, Roles: a.Roles, Statement: v.Statement,
		Certificate: &v.Certificate, Time: v.Time, Unexpected: unexpected,
	}, nil
}

// expects compares c with the expected identities. Where there are none, all
// that c proves is whose it is.
func (a Authenticator) expects(c seal.Certificate) (unexpected, mismatch error) {
	if len(a.Expected) == 0 {
		return &seal.Error{
			Code: seal.CodeIdentityNotExpected,
			Err:  fmt.Errorf("it was signed by %.200q of issuer %.200q, and nobody was expected", c.SAN, c.Issuer),
		}, nil
	}
	best := -1
	for _, i := range a.Expected {
		err := i.Match(c)
		if err == nil {
			return nil, nil
		}
		if fit := fits(i, c); fit > best {
			best, mismatch = fit, err
		}
	}
	return nil, fmt.Errorf("not by whom was expected: %w", mismatch)
}

// fits says how far c is of whom i expects: how few members, from the last that
// is compared, must be let go until it is.
func fits(i seal.Identity, c seal.Certificate) int {
	letGo := []func(){
		func() { i.SelfHosted = true }, func() { i.SAN = "" }, func() { i.Ref = "" },
		func() { i.Workflow = "" }, func() { i.Owner = "" }, func() { i.Repository = "" },
	}
	for n, f := range letGo {
		if f(); !i.Named() {
			break
		}
		if i.Match(c) == nil {
			return len(letGo) - n
		}
	}
	return 0
}
