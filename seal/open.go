package seal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// An Authenticator knows keys or certificates, and which role each may hold.
type Authenticator interface {
	// Authenticate checks that s.Sig is a signature of message by somebody it
	// knows, and returns who, with the statement that the same key signed. It
	// fails with [CodeSignatureKeyNotFound], [CodeSignatureKeyRevoked] or
	// [CodeSignatureInvalid].
	Authenticate(ctx context.Context, s Signature, message []byte) (Authenticated, error)
}

// Authenticated is what an [Authenticator] found out about a signature.
type Authenticated struct {
	// KeyID and Thumbprint name the key that verified the signature.
	KeyID, Thumbprint string
	// Roles are the roles that the verifier's trust gives this key.
	Roles []Role
	// Types are the attestation types that trust lets it attest; nil for every
	// positive type that MIS §14.4 gives its role.
	Types []string
	// Holder is the name under which trust knows whoever holds the key; "" where
	// the key or the certificate's identity is all that is known. Attestations of
	// one holder are one vote.
	Holder string
	// MaxAge is how old its attestations in favour may be; 0 for any age.
	MaxAge time.Duration
	// Statement is the verified statement of decision 10b; nil where the
	// signature has none.
	Statement []byte
	// Certificate is the verified certificate that holds the key (decision 11);
	// nil where the key is known by itself.
	Certificate *Certificate
	// Time is when the statement was signed, as a log or a timestamp authority
	// vouches; zero where none does.
	Time time.Time
	// Unexpected says why the holder of the key, though authentic, is nobody
	// whom the verifier was told to expect; nil where it is (decision 12).
	Unexpected error
}

// Identity names who attests, across certificates: their keys live for minutes,
// the identity stays, and is the same at another tag or commit. A key is itself
// under whatever name.
//
// The source repository is part of it. The subject of a job's certificate names
// the workflow, which may be one that many repositories share: those are as many
// attestors.
func (a Authenticated) Identity() string {
	c := a.Certificate
	if c == nil {
		return "key " + cmp.Or(a.Thumbprint, a.KeyID)
	}
	identity := "certificate " + c.Issuer + " " + c.subject()
	if c.SourceRepositoryURI != "" {
		identity += " " + c.SourceRepositoryURI
	}
	return identity
}

// subject is whom the certificate names, without the version of a workflow. Else
// the whole of it counts: what follows the @ of an account or of an e-mail
// address is no version.
func (c *Certificate) subject() string {
	path, version, ok := cutRef(c.SAN)
	commit := c.SourceRepositoryURI != "" && commitVersion.MatchString(version)
	if ok && strings.Contains(path, "://") && (commit || strings.HasPrefix(version, "refs/")) {
		return path
	}
	return c.SAN
}

// commitVersion is a workflow's version where it is called by commit.
var commitVersion = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// Keys is an [Authenticator] over public keys that all hold the same roles. A
// keyid is compared exactly; it finds keys and proves nothing.
type Keys struct {
	Public []PublicKey
	Roles  []Role
}

// Authenticate implements [Authenticator].
func (k Keys) Authenticate(_ context.Context, s Signature, message []byte) (Authenticated, error) {
	err := k.notFound(s.KeyID)
	for _, key := range k.Public {
		if key.KeyID != s.KeyID {
			continue
		}
		if bad := key.Verify(message, s.Sig); bad != nil {
			err = failf(CodeSignatureInvalid, "keyid %.100q: %w", s.KeyID, bad)
			continue // two keys may have one name
		}
		return k.withStatement(key, s)
	}
	return Authenticated{}, err
}

func (k Keys) withStatement(key PublicKey, s Signature) (Authenticated, error) {
	a := Authenticated{KeyID: key.KeyID, Thumbprint: key.Thumbprint, Roles: k.Roles}
	raw, err := StatementOf(s)
	if err == nil && raw != nil {
		a.Statement, err = openStatement(raw, s.KeyID, key)
	}
	if err != nil {
		return Authenticated{}, failf(CodeSignatureInvalid, "keyid %.100q: %w", s.KeyID, err)
	}
	return a, nil
}

// notFound says which keys there are, a few of them.
func (k Keys) notFound(keyID string) error {
	if len(k.Public) == 0 {
		return failf(CodeSignatureKeyNotFound, "keyid %.100q: no key was given to look it up in", keyID)
	}
	var ids []string
	for _, key := range k.Public[:min(len(k.Public), 5)] {
		ids = append(ids, fmt.Sprintf("%.100q", key.KeyID))
	}
	return failf(CodeSignatureKeyNotFound, "keyid: got %.100q, want one of the %d keys given: %s", keyID, len(k.Public), strings.Join(ids, ", "))
}

// An Attestation is one signature that holds.
type Attestation struct {
	Index int // in signatures[]
	// KeyID and Thumbprint name the key.
	KeyID, Thumbprint string
	Role              Role
	Type              string
	// Holder names who attests: by trust's name, else by key or identity.
	Holder string
	// Identity is [Authenticated.Identity]: the same whatever trust calls it.
	Identity string
	// Recalled says that an earlier run saw it, and that it is not in this
	// envelope. Holder is the name that trust gave its holder then.
	Recalled bool
	// Bound says that a statement under the same key carries these facts. An
	// unbound attestation has no time, no expiry and no statement.
	Bound     bool
	Time      *Timestamp
	ExpiresAt *Timestamp
	Statement *Statement
	// Certificate is that of a keyless attestation, else nil.
	Certificate *Certificate
	// Unexpected says why nobody was told to expect this attestor; nil where it
	// is expected.
	Unexpected error
}

// A Rejection is one signature that does not count, and why.
type Rejection struct {
	Index int
	KeyID string
	// Role is the label that the signature carries: a claim.
	Role Role
	Err  *Error
}

// Opened is an envelope that a publisher known to the authenticator signed.
type Opened struct {
	Manifest *Manifest
	// Payload is the bytes that were verified, and that Manifest was read from.
	Payload []byte
	// UnknownMember is the path of the first member that MIS does not know, or
	// "". Such a member is the publisher's own; no check reads it.
	UnknownMember string
	Attestations  []Attestation
	// Lapsed are attestations that hold but for their time, which is over. They
	// are among Rejections, too.
	Lapsed     []Attestation
	Rejections []Rejection
}

// OpenOptions are the verifier's choices.
type OpenOptions struct {
	// Now is compared with expiries.
	Now time.Time
	// AllowUnboundUnsafe counts attestations without a statement in every role
	// that the key holds, not only as the publisher's manifest_signed.
	AllowUnboundUnsafe bool
}

// OpenError says that no publisher's signature holds. Rejections are all of
// them; the error is the one that says most.
type OpenError struct {
	Rejections []Rejection
	cause      *Error
}

func (e *OpenError) Error() string { return e.cause.Error() }

func (e *OpenError) Unwrap() error { return e.cause }

// Open verifies every signature of e and, when a publisher's holds, parses the
// payload (MIS §19.2 steps 2 and 3). The bytes are verified first and read
// second: an error of the payload is the publisher's own, an error of a
// signature is anybody's.
func (e *Envelope) Open(ctx context.Context, keys Authenticator, o OpenOptions) (*Opened, error) {
	opened := &Opened{Payload: e.Payload}
	message := PAE(PayloadType, e.Payload)
	all := make([]heard, len(e.Signatures))
	for i, s := range e.Signatures {
		h := &all[i]
		h.Attestation, h.err = e.attestation(ctx, keys, o, s, message)
		h.Index = i
	}
	oneRoleEach(all)
	for i, h := range all {
		if h.err == nil {
			opened.Attestations = append(opened.Attestations, h.Attestation)
			continue
		}
		s := e.Signatures[i]
		opened.Rejections = append(opened.Rejections, Rejection{Index: i, KeyID: s.KeyID, Role: s.Role, Err: asError(h.err)})
		if CodeOf(h.err, 0) == CodeSignatureExpired && h.Bound {
			opened.Lapsed = append(opened.Lapsed, h.Attestation)
		}
	}
	if !opened.Has(RolePublisher, TypeManifestSigned) {
		return nil, &OpenError{Rejections: opened.Rejections, cause: opened.whyNoPublisher()}
	}
	m, unknown, err := parseManifest(e.Payload)
	if err != nil {
		return nil, err
	}
	opened.Manifest, opened.UnknownMember = m, unknown
	return opened, nil
}

// Has says whether an attestation of that role and type holds.
func (o *Opened) Has(role Role, attestationType string) bool {
	for _, a := range o.Attestations {
		if a.Role == role && a.Type == attestationType {
			return true
		}
	}
	return false
}

// whyNoPublisher picks, among the signatures that could have been the
// publisher's, the reason that says most: a bad signature before an unknown key.
func (o *Opened) whyNoPublisher() *Error {
	var best *Error
	rank := map[Code]int{CodeSignatureInvalid: 4, CodeSignatureKeyRevoked: 5, CodeIdentityMismatch: 3, CodeSignatureExpired: 3, CodeNotCounted: 2, CodeSignatureKeyNotFound: 1}
	for _, r := range o.Rejections {
		if r.Role != RolePublisher && r.Role != "" {
			continue
		}
		if best == nil || rank[r.Err.Code] > rank[best.Code] {
			best = r.Err
		}
	}
	if best == nil {
		best = failf(CodeSignatureInvalid, "no publisher attested this manifest")
	}
	return best
}

// attestation checks one signature.
func (e *Envelope) attestation(ctx context.Context, keys Authenticator, o OpenOptions, s Signature, message []byte) (Attestation, error) {
	auth, err := keys.Authenticate(ctx, s, message)
	if err != nil {
		return Attestation{}, err
	}
	a := Attestation{
		KeyID: auth.KeyID, Thumbprint: auth.Thumbprint, Role: s.Role, Type: s.Type,
		Certificate: auth.Certificate, Unexpected: auth.Unexpected, Identity: auth.Identity(),
	}
	a.Holder = cmp.Or(auth.Holder, a.Identity)
	err = e.count(&a, auth, s, o)
	return a, err
}

// count fills in what the signed statement says, and decides whether the
// attestation counts.
func (e *Envelope) count(a *Attestation, auth Authenticated, s Signature, o OpenOptions) error {
	expires := s.ExpiresAt
	if auth.Statement != nil {
		if err := e.bind(a, auth, s); err != nil {
			return failf(CodeSignatureInvalid, "keyid %.100q: %w", s.KeyID, err)
		}
	} else if err := unbound(a, o.AllowUnboundUnsafe); err != nil {
		return err
	}
	if err := auth.grants(a.Role, a.Type); err != nil {
		return failf(CodeNotCounted, "keyid %.100q %w", s.KeyID, err)
	}
	// An unbound expiry proves nothing, but nobody gains by our ignoring it.
	if expires != nil && !o.Now.Before(expires.Time) {
		return failf(CodeSignatureExpired, "keyid %.100q: the attestation expired at %s, it is %s", s.KeyID, expires.Format(time.RFC3339), o.Now.UTC().Format(time.RFC3339))
	}
	if err := auth.tooOld(a.Time, o.Now); err != nil && !Negative(a.Type) {
		return failf(CodeSignatureExpired, "keyid %.100q: %w", s.KeyID, err)
	}
	return nil
}

// maxStatementAge is how far a statement's own time may lie from the time that
// a log or a timestamp authority vouches for. It is the time that sealing may
// take between naming the time and having it signed: minutes of retries.
const maxStatementAge = 30 * time.Minute

// bind takes role, type and times from the signed statement, with which the
// labels must agree.
func (e *Envelope) bind(a *Attestation, auth Authenticated, s Signature) error {
	st, err := ParseStatement(auth.Statement, e.Payload)
	if err != nil {
		return err
	}
	if err := agree(s, st); err != nil {
		return err
	}
	if t := auth.Time; !t.IsZero() && t.Sub(st.Timestamp.Time).Abs() > maxStatementAge {
		return fmt.Errorf("statement: timestamp: got %s, want within %s of %s, when it was signed", st.Timestamp.Format(time.RFC3339), maxStatementAge, t.UTC().Format(time.RFC3339))
	}
	a.Role, a.Type, a.Bound = st.Role, st.Type, true
	a.Time, a.ExpiresAt, a.Statement = &st.Timestamp, st.ExpiresAt, &st
	return nil
}

// unbound applies decision 10c to an attestation without a statement.
func unbound(a *Attestation, allow bool) error {
	if a.Role == "" {
		a.Role = RolePublisher
	}
	if a.Type == "" && a.Role == RolePublisher {
		a.Type = TypeManifestSigned
	}
	if a.Role == RolePublisher && a.Type == TypeManifestSigned || allow {
		return nil
	}
	return failf(CodeAttestationUnbound, "keyid %.100q: %s %.80q has no signed statement, so anyone could have relabelled it", a.KeyID, a.Role, a.Type)
}

// agree compares the labels, which anyone can change, with the statement,
// which the attestor signed.
func agree(s Signature, st Statement) error {
	label := func(t *Timestamp) string {
		if t == nil {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	for _, l := range []struct{ name, got, want string }{
		{"role", string(s.Role), string(st.Role)},
		{"attestation_type", s.Type, st.Type},
		{"timestamp", label(s.Timestamp), label(&st.Timestamp)},
		{"expires_at", label(s.ExpiresAt), label(st.ExpiresAt)},
	} {
		if l.got != l.want {
			return fmt.Errorf("label %s: got %.80q, want %.80q as the signed statement says", l.name, l.got, l.want)
		}
	}
	return nil
}

func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeSignatureInvalid, Err: err}
}
