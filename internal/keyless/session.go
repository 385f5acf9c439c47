package keyless

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/mcp-integrity/seal-action/seal"
)

// certificateMargin is the part of a certificate's life that is left alone: a
// timestamp or log entry has to come back before the end.
const certificateMargin = 30 * time.Second

// SessionOptions say how a session is held. Trust is required.
type SessionOptions struct {
	// Trust verifies all that is signed before it is handed out, as everybody
	// else will: a trusted root that does not know the log is found here.
	Trust *Trust
	// Notify takes a line for people when a service does not answer: whose it
	// is, what it did, how long it is tried on. Nil says nothing. It is never
	// called twice at a time, and holds the session up while it runs.
	Notify func(line string)
	// Patience is how long each service that does not answer is tried, 5
	// minutes if zero.
	Patience time.Duration
	// Transport carries all requests, [http.DefaultTransport] if nil.
	Transport http.RoundTripper
	// Now is the clock that certificates are compared with, [time.Now] if nil.
	Now func() time.Time
}

// Session is one ephemeral P-256 key and its one certificate (decision 11). It
// is a [seal.Signer] for the manifest, and signs statements under the same key.
// The key is nowhere but in this process's memory. A session ends with its
// certificate, ten minutes after [Begin]; nothing is to be closed.
type Session struct {
	services *Services
	trust    *Trust
	caller   *caller

	keypair     *sign.EphemeralKeypair
	public      seal.PublicKey
	leaf        *x509.Certificate
	leafPEM     []byte
	certificate seal.Certificate

	mu     sync.Mutex
	drafts map[[sha256.Size]byte]*draft
}

var _ seal.Signer = (*Session)(nil)

// Begin makes a key and has it certified by s.CA for the identity that token
// tells. A CA that does not answer is tried as long as there is patience.
//
// Errors are an [*Outage], a [*Refused], [ErrClock], token's own, or ctx's. None
// of them, and no line of Notify, holds any part of the token.
func Begin(ctx context.Context, s *Services, token Token, o SessionOptions) (*Session, error) {
	if o.Trust == nil {
		return nil, errors.New("keyless: no trusted root to check with what will be signed")
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("keyless: %w", err)
	}
	session := &Session{services: s, trust: o.Trust, caller: newCaller(o), drafts: map[[sha256.Size]byte]*draft{}}
	var err error
	if session.keypair, err = sign.NewEphemeralKeypair(nil); err != nil {
		return nil, fmt.Errorf("keyless: make a key: %w", err)
	}
	if session.public, err = publicKey(session.keypair.GetPublicKey()); err != nil {
		return nil, fmt.Errorf("keyless: make a key: %w", err)
	}
	if session.leaf, err = session.certify(ctx, token); err != nil {
		return nil, fmt.Errorf("keyless: get a certificate: %w", err)
	}
	if err := session.examine(); err != nil {
		return nil, fmt.Errorf("keyless: the certificate of %s: %w", s.CA, err)
	}
	session.leafPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: session.leaf.Raw})
	return session, nil
}

func newCaller(o SessionOptions) *caller {
	c := &caller{
		base: o.Transport, patience: o.Patience, now: o.Now, secrets: &secrets{},
		notices: &notices{line: o.Notify, last: map[string]notice{}},
	}
	if c.base == nil {
		c.base = http.DefaultTransport
	}
	if c.patience <= 0 {
		c.patience = defaultPatience
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c
}

// certify gets the certificate. A refusal is answered once with a new token,
// where the platform has a new one: of an expired token the CA says nothing but
// that it could not be processed.
func (s *Session) certify(ctx context.Context, token Token) (*x509.Certificate, error) {
	text, said, err := s.ask(ctx, token)
	if err != nil {
		return nil, err
	}
	leaf, err := s.request(ctx, text)
	if refusesToken(err) {
		if fresh, saidNow, failed := s.ask(ctx, token); failed == nil && fresh != text {
			said = saidNow
			leaf, err = s.request(ctx, fresh)
		}
	}
	if err != nil {
		var refused *Refused
		if hint := said.hint(s.caller.now()); hint != "" && errors.As(err, &refused) && refusesToken(err) {
			refused.Hint = hint
		}
		return nil, err
	}
	return leaf, nil
}

func (s *Session) ask(ctx context.Context, token Token) (string, claims, error) {
	text, err := token(ctx)
	if err != nil {
		return "", claims{}, fmt.Errorf("identity token: %w", err)
	}
	said, err := parseToken(text)
	if err != nil {
		return "", claims{}, err
	}
	s.caller.secrets.add(text)
	return text, said, nil
}

func refusesToken(err error) bool {
	var refused *Refused
	return errors.As(err, &refused) && (refused.Status == http.StatusBadRequest || refused.Status == http.StatusUnauthorized)
}

// request asks the CA for a certificate, by Fulcio's API v2.
func (s *Session) request(ctx context.Context, token string) (*x509.Certificate, error) {
	return try(ctx, s.caller, s.services.CA, func(x *exchange) (*x509.Certificate, error) {
		fulcio := sign.NewFulcio(&sign.FulcioOptions{BaseURL: s.services.CA.URL, Timeout: -1, Transport: x})
		der, err := fulcio.GetCertificate(x.ctx, s.keypair, &sign.CertificateProviderOptions{IDToken: token})
		if err != nil {
			return nil, err
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		if key, err := publicKey(leaf.PublicKey); err != nil || key.KeyID != s.public.KeyID {
			return nil, wrong("it certifies another key than was asked for")
		}
		return leaf, nil
	})
}

// examine refuses a certificate that can be used for nothing, before anything
// is signed and a log tells the world: one that no trusted root stands behind,
// and one of another time than this machine has, which means that a clock is wrong.
func (s *Session) examine() error {
	roots, unknown := s.trust.issuers(s.leaf)
	if unknown != nil {
		return unknown
	}
	if !slices.ContainsFunc(roots, func(r *trustedRoot) bool { return r.issues(s.leaf, bySignature) }) {
		return s.trust.unknown(s.leaf)
	}
	now := s.caller.now()
	if now.Before(s.leaf.NotBefore.Add(-maxSkew)) || s.left() <= 0 {
		stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
		return fmt.Errorf("%w, or the authority's: here it is %s, and the certificate just issued is for %s to %s",
			ErrClock, stamp(now), stamp(s.leaf.NotBefore), stamp(s.leaf.NotAfter))
	}
	var err error
	s.certificate, err = describe(s.leaf)
	return err
}

// left is how long the certificate may still be used.
func (s *Session) left() time.Duration {
	return s.leaf.NotAfter.Sub(s.caller.now()) - certificateMargin
}

// Certificate returns what the certificate says. It was issued by whom the
// signing config names, and is verified with the first statement.
func (s *Session) Certificate() seal.Certificate { return s.certificate }

// KeyID returns the SHA-256 of the certificate's SubjectPublicKeyInfo in lower
// case hex (decision 6).
func (s *Session) KeyID() string { return s.public.KeyID }

// PublicKey returns the public half of the session's key.
func (s *Session) PublicKey() seal.PublicKey { return s.public }

// Sign returns the session's ES256 signature of message: r and s, 32 bytes each
// (decision 6). It asks no service.
func (s *Session) Sign(message []byte) ([]byte, error) {
	der, _, err := s.keypair.SignData(context.Background(), message)
	if err != nil {
		return nil, err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, err
	}
	out := make([]byte, 64)
	sig.R.FillBytes(out[:32])
	sig.S.FillBytes(out[32:])
	return out, nil
}
