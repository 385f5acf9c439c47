package trust

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/strictyaml"
	"github.com/mcp-integrity/seal-action/seal"
)

// Keyless verifies an attestation whose statement is a Sigstore bundle: chain,
// log, time, statement and sig. What it returns has a Certificate; whose that is,
// and what it may do, is decided here. It is the method Authenticate of a
// keyless.Authenticator that expects nobody.
type Keyless func(ctx context.Context, s seal.Signature, message []byte) (seal.Authenticated, error)

// Authenticator returns who may attest manifests of a namespace, which the
// caller then demands of the payload; see the package comment. Without a
// publisher in t, holders of other roles are still known.
func (t *Trust) Authenticator(namespace string, keyless Keyless) seal.Authenticator {
	return t.authenticator(namespace, keyless)
}

// Ancestors returns who may have attested other releases of the namespace, those
// before a release and beside it: also a publisher by another workflow, ref or
// runner of the same repository or owner. Who pins a tag pins that of one
// release.
func (t *Trust) Ancestors(namespace string, keyless Keyless) seal.Authenticator {
	a := t.authenticator(namespace, keyless)
	for _, h := range a.holders {
		if h.role == seal.RolePublisher && h.identity != nil {
			relaxed := *h.entry
			id := relax(*h.identity)
			relaxed.identity = &id
			a.ancestors = append(a.ancestors, &holder{entry: &relaxed})
		}
	}
	return a
}

// relax lets go of what changes from release to release.
func relax(id seal.Identity) seal.Identity {
	const tagMark = "@refs/tags/" // before the tag in a workflow's subject
	if id.Owner != "" || id.Repository != "" {
		id.SAN = ""
	}
	id.Workflow, id.Ref, id.SelfHosted = "", "", true
	if before, _, ok := strings.Cut(id.SAN, tagMark); ok {
		id.SAN = before + tagMark + "*"
	}
	return id
}

// authenticator knows the holders that count for one namespace. A certificate
// is first compared with all of them, and then with ancestors: what the file
// says of a workflow goes before what is let pass.
type authenticator struct {
	namespace string
	keyless   Keyless
	holders   []*holder
	ancestors []*holder
	byKeyID   map[string][]candidate // in the order of the roles
	published bool                   // the file has publishers of the namespace
	trust     *Trust
	// unavailable is why a key document of the namespace's publishers could not
	// be had.
	unavailable error
}

// A candidate is a key that may have signed, and whose it is.
type candidate struct {
	holder *holder
	key    keys.PublicKey
}

func (t *Trust) authenticator(namespace string, keyless Keyless) *authenticator {
	a := &authenticator{namespace: namespace, keyless: keyless, byKeyID: map[string][]candidate{}, trust: t}
	a.published, a.unavailable = t.Publisher(namespace)
	for _, h := range t.holders {
		if !h.counts(namespace) {
			continue
		}
		a.holders = append(a.holders, h)
		for _, k := range h.known {
			a.byKeyID[k.KeyID] = append(a.byKeyID[k.KeyID], candidate{h, k})
		}
	}
	return a
}

// Authenticate implements [seal.Authenticator]. Somebody whom the file does not
// name is [seal.CodeSignatureKeyNotFound], or [seal.CodeIdentityMismatch] where
// the file names others by identity.
func (a *authenticator) Authenticate(ctx context.Context, s seal.Signature, message []byte) (seal.Authenticated, error) {
	statement, err := seal.StatementOf(s)
	if err != nil || !seal.IsBundle(statement) {
		return a.byKey(ctx, s, message)
	}
	return a.byCertificate(ctx, s, message)
}

// as is auth as the file knows its holder.
func (h *holder) as(auth seal.Authenticated) seal.Authenticated {
	auth.Roles, auth.Types, auth.MaxAge = []seal.Role{h.role}, h.types, h.maxAge
	auth.Holder, auth.Unexpected = h.holder(), nil
	return auth
}

func (a *authenticator) byCertificate(ctx context.Context, s seal.Signature, message []byte) (seal.Authenticated, error) {
	auth, err := a.keyless(ctx, s, message)
	if err != nil {
		return seal.Authenticated{}, err
	}
	if auth.Certificate == nil {
		return seal.Authenticated{}, failure(seal.CodeSignatureInvalid, "keyid %.100q: nobody verified a certificate", s.KeyID)
	}
	for _, list := range [][]*holder{a.holders, a.ancestors} {
		for _, h := range list {
			if h.identity != nil && h.identity.Match(*auth.Certificate) == nil {
				return h.as(auth), nil
			}
		}
	}
	return a.stranger(auth, s)
}

// stranger is the verdict about a certificate of somebody whom the file does not
// name. The label s.Role only chooses the words, and whether a publisher may be
// shown as unexpected: the signed statement must agree with it (decision 10b).
func (a *authenticator) stranger(auth seal.Authenticated, s seal.Signature) (seal.Authenticated, error) {
	c := auth.Certificate
	role := s.Role
	if role == "" {
		role = seal.RolePublisher
	}
	if role == seal.RolePublisher && !a.published {
		auth.Roles, auth.Types, auth.MaxAge = []seal.Role{seal.RolePublisher}, nil, 0
		auth.Unexpected = failure(seal.CodeIdentityNotExpected, "it was signed by %.200q of issuer %.200q, and the trust file names no publisher of the namespace %.200q", c.SAN, c.Issuer, a.namespace)
		return auth, nil
	}
	code, why := seal.CodeSignatureKeyNotFound, errors.New("it names none by identity")
	if role == seal.RolePublisher {
		code = seal.CodeIdentityMismatch
	}
	if near := a.nearest(role, *c); near != nil {
		code, why = seal.CodeIdentityMismatch, fmt.Errorf("as %s it has another: %w", near, near.identity.Match(*c))
	}
	return seal.Authenticated{}, failure(code, "keyid %.100q: the trust file does not name %.200q of issuer %.200q as %.40q: %w", s.KeyID, c.SAN, c.Issuer, role, why)
}

// nearest is a holder of the role with an identity, best one in whose repository
// or owner c is; nil where there is none.
func (a *authenticator) nearest(role seal.Role, c seal.Certificate) *holder {
	var near *holder
	for _, h := range a.holders {
		if h.role == role && h.identity != nil && (near == nil || relax(*h.identity).Match(c) == nil) {
			near = h
		}
	}
	return near
}

// byKey looks for the key, whose keyid says which it may be and no more: several
// holders may have given their keys one name.
func (a *authenticator) byKey(ctx context.Context, s seal.Signature, message []byte) (seal.Authenticated, error) {
	worst := a.notFound(s)
	for _, c := range a.byKeyID[s.KeyID] {
		auth, err := a.verify(ctx, c, s, message)
		if err == nil {
			return c.holder.as(auth), nil
		}
		worst = worse(worst, err)
	}
	return seal.Authenticated{}, worst
}

// verify asks how a key stands before it looks at the signature (MIS §16.4), and
// for a retired one again, with the time that the statement has: the label's, or
// the attestation does not count at all. Without a statement there is no time.
func (a *authenticator) verify(ctx context.Context, c candidate, s seal.Signature, message []byte) (seal.Authenticated, error) {
	if a.unavailable != nil && c.holder.role == seal.RolePublisher {
		return seal.Authenticated{}, failure(seal.CodeSignatureKeyNotFound, "keyid %.100q: whether it is revoked is not known: %w", s.KeyID, a.unavailable)
	}
	standings := a.standings(c)
	for _, st := range standings {
		if err := st.Withdrawn(s.KeyID); err != nil {
			return seal.Authenticated{}, err
		}
	}
	auth, err := seal.Keys{Public: []seal.PublicKey{c.key.Seal()}}.Authenticate(ctx, s, message)
	if err != nil {
		return seal.Authenticated{}, err
	}
	var at time.Time
	if auth.Statement != nil && s.Timestamp != nil {
		at = s.Timestamp.Time
	}
	for _, st := range standings {
		if err := st.Refusal(s.KeyID, at); err != nil {
			return seal.Authenticated{}, err
		}
	}
	return auth, nil
}

// standings are what the documents of a key's holder say about it: its own, and
// for publishers those of the other entries of the namespace. Other holders'
// could revoke what is not theirs: of theirs, and of all that earlier runs saw,
// only what the key signed about itself is asked.
func (a *authenticator) standings(c candidate) []keys.Standing {
	all := []keys.Standing{a.trust.seen.GivenUp(c.key)}
	for _, o := range a.holders {
		if o == c.holder || o.role == seal.RolePublisher && c.holder.role == seal.RolePublisher {
			all = append(all, o.set.Standing(c.key))
		} else {
			all = append(all, o.set.GivenUp(c.key))
		}
	}
	return all
}

// notFound is the verdict about a key that nobody has. A document may say that
// it had one of that name, which is revoked. The label s.Role only chooses the
// words.
func (a *authenticator) notFound(s seal.Signature) error {
	for _, h := range a.holders {
		if len(h.set.Revocations)+len(h.set.SkippedNotices) == 0 {
			continue
		}
		if err := h.set.StandingOf(s.KeyID).Withdrawn(s.KeyID); err != nil {
			return err
		}
	}
	role := cmp.Or(s.Role, seal.RolePublisher)
	return failure(seal.CodeSignatureKeyNotFound, "keyid %.100q: %s", s.KeyID, a.expects(role))
}

// maxListed is how many names an error lists; the rest it counts.
const maxListed = 5

// expects says whom the file has in a role, to somebody who signed with a key.
func (a *authenticator) expects(role seal.Role) string {
	var names, certificates []string
	for _, h := range a.holders {
		if h.role != role {
			continue
		}
		for _, k := range h.known {
			names = append(names, strconv.Quote(strictyaml.Bounded(k.KeyID, strictyaml.MaxQuoted)))
		}
		if id := h.identity; id != nil {
			certificates = append(certificates, cmp.Or(id.SAN, id.Repository, id.Owner))
		}
	}
	switch {
	case len(names) > 0:
		return fmt.Sprintf("the trust file has other keys of a %s for the namespace %.200q: %s", role, a.namespace, listed(names))
	case len(certificates) > 0:
		return fmt.Sprintf("the trust file expects a certificate of %s as %s of the namespace %.200q, and the manifest is signed by a key", listed(certificates), role, a.namespace)
	case role == seal.RolePublisher && a.published:
		return fmt.Sprintf("the trust file has no usable key of a publisher for the namespace %.200q", a.namespace)
	case role == seal.RolePublisher:
		return fmt.Sprintf("the trust file has no publisher for the namespace %.200q (it has: %s)", a.namespace, listed(a.trust.namespaces()))
	}
	return fmt.Sprintf("the trust file has no %.40s for the namespace %.200q", role, a.namespace)
}

// namespaces are those that have publishers, each once.
func (t *Trust) namespaces() []string {
	all := map[string]bool{}
	for _, h := range t.holders {
		if h.role == seal.RolePublisher {
			all[h.namespace] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	text := strings.Join(names[:min(len(names), maxListed)], ", ")
	if more := len(names) - maxListed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// worse is the error that says more: that a key is revoked before a signature
// that is wrong, and that before a key that nobody has.
func worse(a, b error) error {
	rank := map[seal.Code]int{seal.CodeSignatureKeyRevoked: 3, seal.CodeKeyRetired: 2, seal.CodeSignatureInvalid: 1}
	if rank[seal.CodeOf(b, 0)] > rank[seal.CodeOf(a, 0)] {
		return b
	}
	return a
}

func failure(code seal.Code, format string, args ...any) error {
	return &seal.Error{Code: code, Err: fmt.Errorf(format, args...)}
}
