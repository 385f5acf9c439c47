package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// keyring is a publisher's keys, and the documents that say how they stand.
type keyring struct {
	public    []keys.PublicKey
	documents []keys.Set
}

// seal is the ring as package seal takes it.
func (k keyring) seal() seal.Keys {
	all := seal.Keys{Roles: []seal.Role{seal.RolePublisher}}
	for _, key := range k.public {
		all.Public = append(all.Public, key.Seal())
	}
	return all
}

// publisherKeys reads the keys that --key and --jwks name. Both may be given.
func (i *invocation) publisherKeys(ctx context.Context) (keyring, error) {
	var own []keys.PublicKey
	switch name := i.str("key"); name {
	case "":
	case "local":
		dir, err := i.ConfigDir()
		if err != nil {
			return keyring{}, undecidedf("the local key: %w", err)
		}
		key, err := keys.LoadLocal(dir)
		if err != nil {
			return keyring{}, usagef("--key local: %w", err)
		}
		own = append(own, key.Public())
	default:
		key, err := keys.ReadPublic(name)
		switch {
		case errors.Is(err, keys.ErrDocument):
			return keyring{}, usagef("--key: %w", err).withHint("--jwks %s takes all of it", shellWords(name))
		case err != nil:
			return keyring{}, usagef("--key: %w", err)
		}
		own = append(own, key)
	}
	ring, err := i.documentKeys(ctx, own...)
	if err != nil {
		return ring, err
	}
	ring.public = append(own, ring.public...)
	seen, err := i.revokedBefore(ctx, ring.public)
	if err != nil {
		return keyring{}, err
	}
	if len(seen.Revocations) > 0 {
		ring.documents = append(ring.documents, seen)
	}
	return ring, nil
}

// documentKeys reads the keys of the document that --jwks names. known are keys
// that are pinned beside it.
func (i *invocation) documentKeys(ctx context.Context, known ...keys.PublicKey) (keyring, error) {
	if name := i.str("jwks"); name != "" {
		return i.readDocument(ctx, name, known...)
	}
	return keyring{}, nil
}

// documents are the key documents that runs of this user saw.
func (i *invocation) documents() (*keys.Documents, error) {
	store, err := keys.OpenDocuments(i.stateDir("keys"))
	if err != nil {
		return nil, usagef("--memory: %w", err)
	}
	return store, nil
}

// revokedBefore are the notices by which any of these keys gave itself up, in a
// document that some run of this user saw: naming another one, or none, makes no
// revocation unseen.
func (i *invocation) revokedBefore(ctx context.Context, all []keys.PublicKey) (keys.Set, error) {
	store, err := i.documents()
	if err != nil {
		return keys.Set{}, err
	}
	seen, err := store.Revoked(ctx, all...)
	if err != nil {
		return keys.Set{}, undecidedf("%w", err)
	}
	i.sayRevoked(seen)
	return seen, nil
}

// readDocument reads a JWKS document from a file or a URL, with what earlier runs
// saw in it: a revocation that is left out keeps its effect (decision 17).
func (i *invocation) readDocument(ctx context.Context, name string, known ...keys.PublicKey) (keyring, error) {
	doc, err := i.loadDocument(ctx, name, known)
	switch {
	case errors.Is(err, keys.ErrNotSeen):
		return keyring{}, usagef("--offline: %w", err).withHint("name a file with --jwks")
	case err != nil && (errors.Is(err, verify.ErrUnavailable) || errors.Is(err, keys.ErrDocuments)):
		return keyring{}, undecidedf("--jwks: %w", err)
	case err != nil && isURL(name):
		return keyring{}, failsf("--jwks: %w", err)
	case errors.Is(err, keys.ErrSingleKey):
		return keyring{}, usagef("--jwks: %w", err).withHint("--key %s pins it", shellWords(name))
	case err != nil:
		return keyring{}, usagef("--jwks: %w", err)
	}
	return keyring{public: doc.Set.Keys, documents: []keys.Set{doc.Set}}, nil
}

// loadDocument is [keys.Documents.Load] of a URL or a path, by the options.
func (i *invocation) loadDocument(ctx context.Context, name string, known []keys.PublicKey) (keys.Document, error) {
	store, err := i.documents()
	if err != nil {
		return keys.Document{}, err
	}
	source, online := name, keys.Fetcher(fetch.Conditional{Client: fetch.Client(), Limit: keys.MaxSetSize})
	if !isURL(name) {
		if source, err = filepath.Abs(name); err != nil {
			return keys.Document{}, err
		}
	}
	if i.has("offline") && i.is("offline") {
		online = nil
	}
	doc, err := store.Load(ctx, source, online, known...)
	if err == nil {
		i.sayOf(name, doc)
	}
	return doc, err
}

// sayOf tells what is odd about a key document.
func (i *invocation) sayOf(name string, doc keys.Document) {
	for _, s := range doc.Set.Skipped {
		i.warn("%s: keys[%d] (%s) is not used: %s", name, s.Index, s.KeyID, s.Reason)
	}
	for _, s := range doc.Set.SkippedNotices {
		i.warn("%s: revocations[%d] (%s) proves nothing, and the key that it names does not count: %s", name, s.Index, s.KeyID, s.Reason)
	}
	i.sayRevoked(doc.Set)
	if doc.Regression != nil {
		i.warn("%v", doc.Regression)
		i.talking.Lock()
		i.dropped = append(i.dropped, doc.Regression)
		i.talking.Unlock()
	}
	if doc.Stale != nil {
		i.note("%s: the copy of %s serves: %v", name, doc.Checked.Format(time.RFC3339), doc.Stale)
	}
}

// sayRevoked keeps which revocations this run knows; see trustState.
func (i *invocation) sayRevoked(s keys.Set) {
	i.talking.Lock()
	defer i.talking.Unlock()
	for _, r := range s.Revocations {
		i.revocations = append(i.revocations, fmt.Sprintf("%q %q", r.Notice.RevokedKeyID, r.Revoked.Thumbprint))
	}
}

// stateDir is where runs of this user keep what they saw, "" where they keep
// nothing: the directory of --memory, else one in the user's configuration.
func (i *invocation) stateDir(kind string) string {
	base := ""
	if i.has("memory") {
		base = i.str("memory")
	}
	switch {
	case base == "none":
		return ""
	case base != "" && kind == "memory":
		return base
	case base != "":
		return filepath.Join(base, kind)
	}
	config, err := i.ConfigDir()
	if err != nil || !filepath.IsAbs(config) {
		return "" // a user without a place for it remembers nothing
	}
	return filepath.Join(config, "mcp-integrity", kind)
}

// standing refuses what a key signed that a document revokes, or retired before
// (MIS §16.4), by whatever name and wherever the key came from. Without a signed
// statement the label's time is anybody's word, and none.
func standing(documents []keys.Set, s seal.Signature, who seal.Authenticated) error {
	var at time.Time
	if who.Statement != nil && s.Timestamp != nil {
		at = s.Timestamp.Time // which the signed statement must bear out
	}
	for _, d := range documents {
		if err := d.Standing(keys.PublicKey{KeyID: who.KeyID, Thumbprint: who.Thumbprint}).Refusal(s.KeyID, at); err != nil {
			return err
		}
	}
	return nil
}

// revoked says that a key which is not known any more is revoked by a document.
func revoked(documents []keys.Set, s seal.Signature) error {
	for _, d := range documents {
		if err := d.StandingOf(s.KeyID).Withdrawn(s.KeyID); err != nil {
			return err
		}
	}
	return nil
}

// namespaceKeys are the keys of the document at a namespace's own domain
// (decision 12), where a key, and no certificate, has signed.
func (i *invocation) namespaceKeys(ctx context.Context, e *seal.Envelope) (keyring, error) {
	domain := domainOf(i.str("namespace"))
	if domain == "" || i.has("offline") && i.is("offline") || !slices.ContainsFunc(e.Signatures, publishersKey) {
		return keyring{}, nil
	}
	url := "https://" + domain + wellKnownKeys
	i.note("keys: %s", url)
	return i.readDocument(ctx, url)
}

// byNamespace finds the keys of a namespace that proves itself by its domain,
// where nothing else says whose the manifest should be (decision 12).
func (v *verifier) byNamespace(ctx context.Context, e *seal.Envelope) error {
	i := v.sigstore.inv
	if v.Namespace == "" || v.NeedsKey || i.given("jwks") || v.NeedsCertificate || v.trusted != nil && v.trusted.file != nil {
		return nil
	}
	ring, err := i.namespaceKeys(ctx, e)
	if err != nil || len(ring.documents) == 0 {
		return err
	}
	v.ring, v.NeedsKey = ring, true
	v.options.keys, v.options.documents = ring.seal(), ring.documents
	v.Keys, v.Ancestors = v.options, v.options.others()
	return nil
}

// publishersKey says that a signature calls itself a publisher's, under a key.
func publishersKey(s seal.Signature) bool {
	statement, err := seal.StatementOf(s)
	return (s.Role == seal.RolePublisher || s.Role == "") && (err != nil || !seal.IsBundle(statement))
}

// wellKnownKeys is where a publisher's keys lie on a domain (MIS §16.1).
const wellKnownKeys = "/.well-known/mcp-integrity-keys.json"

// domainOf is the domain that a namespace names backwards: com.example is
// example.com. A forge's and a desk's namespace have none.
func domainOf(namespace string) string {
	if _, err := seal.NamespaceIdentity(namespace); err == nil {
		return ""
	}
	labels := strings.Split(namespace, ".")
	forge := strings.HasPrefix(namespace, "io.github.") || strings.HasPrefix(namespace, "io.gitlab.")
	if len(labels) < 2 || forge || labels[0] == "local" || !domainForm.MatchString(namespace) {
		return ""
	}
	slices.Reverse(labels)
	return strings.Join(labels, ".")
}

var domainForm = regexp.MustCompile(`^[a-z]{2,63}(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$`)
