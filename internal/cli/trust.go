package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/rules"
	"github.com/mcp-integrity/seal-action/internal/strictyaml"
	"github.com/mcp-integrity/seal-action/internal/trust"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// trusted is what --trust and --policy say.
type trusted struct {
	file   *trust.Trust // nil where there is no trust file
	policy seal.Policy
	rules  []verify.Rule
}

// maxTrustFile bounds a trust file, in bytes; its reader has a smaller one.
const maxTrustFile = 4 << 20

// trusted reads the trust file and the keys that it names, and settles the policy.
func (i *invocation) trusted(ctx context.Context) (*trusted, error) {
	if i.shared != nil {
		return i.shared.trusted, nil
	}
	t := &trusted{}
	var asked seal.Policy
	var err error
	if i.has("policy") && i.str("policy") != "" {
		if asked, err = seal.ParsePolicy(i.str("policy")); err != nil {
			return nil, usagef("--%w", err)
		}
	}
	path := i.str("trust")
	if path == "" {
		t.policy = asked
		if asked == (seal.Policy{}) {
			t.policy = seal.DefaultPolicy
		}
		return t, nil
	}
	data, err := readFile(path, maxTrustFile)
	if err != nil {
		return nil, usagef("--trust: %w", plain(err))
	}
	config, err := trust.Parse(data)
	if err != nil {
		return nil, inTrustFile(path, err)
	}
	for n, text := range config.Rules() {
		compiled, err := rules.Compile([]string{text})
		if err != nil {
			return nil, inTrustFile(path, config.RuleError(n, err))
		}
		t.rules = append(t.rules, compiled...)
	}
	if t.policy, err = i.floor(config.Policy(), asked); err != nil {
		return nil, err
	}
	if t.file, err = config.Resolve(ctx, loader{i, filepath.Dir(path)}); err != nil {
		if errors.Is(err, seal.ErrUnavailable) {
			return nil, undecidedf("%w", strictyaml.In(path, err))
		}
		return nil, inTrustFile(path, err)
	}
	return t, nil
}

// floor is the policy of a run with a trust file, whose own nothing lowers.
func (i *invocation) floor(file, asked seal.Policy) (seal.Policy, error) {
	if file == (seal.Policy{}) && asked == (seal.Policy{}) {
		return seal.DefaultPolicy, nil
	}
	policy, err := trust.PolicyFloor(file, asked)
	if err != nil {
		i.warn("--policy %s is laxer than the trust file's %s, which holds", asked, file)
		return file, nil
	}
	return policy, nil
}

// inTrustFile is an error of a trust file, with the lines that it is about: wrong
// use, found before anything was verified.
func inTrustFile(path string, err error) error {
	err = strictyaml.In(path, err)
	var first *strictyaml.Error
	if errors.As(err, &first) {
		return usagef("%w\n%s", err, first.Excerpt())
	}
	return usagef("%w", err)
}

// loader has the keys that a trust file names, by paths beside it.
type loader struct {
	*invocation
	dir string
}

// Key implements [trust.Loader].
func (l loader) Key(path string) (keys.PublicKey, error) {
	k, err := keys.ReadPublic(l.at(path))
	if errors.Is(err, keys.ErrDocument) {
		err = fmt.Errorf("%w: write jwks instead of key", err)
	}
	return k, err
}

// Set implements [trust.Loader]. Its errors do not name the document again: they
// are those of the entry that does.
func (l loader) Set(ctx context.Context, source string, known []keys.PublicKey) (keys.Set, error) {
	doc, err := l.loadDocument(ctx, l.at(source), known)
	var path *fs.PathError
	switch inner := errors.Unwrap(plain(err)); {
	case errors.As(err, &path) && !errors.Is(err, keys.ErrDocuments) && !isURL(source):
		return keys.Set{}, fmt.Errorf("%.200q: %w", source, path.Err)
	case errors.Is(err, keys.ErrSingleKey):
		return keys.Set{}, fmt.Errorf("%.200q: %w: write key instead of jwks", source, keys.ErrSingleKey)
	case inner != nil:
		return keys.Set{}, fmt.Errorf("%.200q: %w", source, inner)
	}
	return doc.Set, err
}

// Revoked implements [trust.Loader].
func (l loader) Revoked(ctx context.Context, all []keys.PublicKey) (keys.Set, error) {
	return l.revokedBefore(ctx, all)
}

func (l loader) at(name string) string {
	if isURL(name) || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(l.dir, name)
}

// byTrust lets the trust file say who may attest this manifest. Its namespace is
// a claim that looks entries up; from then on it is what the payload must say.
// Where options name the publisher, too, both must agree.
func (v *verifier) byTrust(e *seal.Envelope) error {
	v.TrustState = v.sigstore.inv.trustState()
	t := v.trusted
	if t == nil || t.file == nil {
		return nil
	}
	namespace := v.Namespace
	if namespace == "" {
		namespace = e.Claim().Namespace
	}
	known, err := t.file.Publisher(namespace)
	if err != nil {
		return undecidedf("--trust: %w", err)
	}
	if err := v.oneRole(namespace, known); err != nil {
		return err
	}
	v.Quorum = t.file.Quorum()
	named := v.NeedsKey || v.NeedsCertificate
	v.Keys = both{file: t.file.Authenticator(namespace, v.byCertificate), options: v.options, asked: named, known: known}
	v.Ancestors = both{file: t.file.Ancestors(namespace, v.byCertificate), options: v.options.others(), asked: named, known: known}
	v.IdentityExpected = known || named
	if known {
		v.Namespace = namespace
	}
	return nil
}

// oneRole refuses options that name as the publisher whom the trust file has for
// another role. Where it has publishers of the namespace, both must name the
// signer, and by identity those are told apart already.
func (v *verifier) oneRole(namespace string, known bool) error {
	expected := v.options.expected
	if known {
		expected = nil
	}
	if err := v.trusted.file.Elsewhere(namespace, expected, v.ring.public); err != nil {
		return usagef("the publisher that the options name, beside --trust: %w", err)
	}
	return nil
}

// byCertificate is [trust.Keyless]: it verifies, and leaves it to the trust file
// who may sign.
func (v *verifier) byCertificate(ctx context.Context, s seal.Signature, message []byte) (seal.Authenticated, error) {
	root, err := v.sigstore.Trust(ctx)
	if err != nil {
		return seal.Authenticated{}, err
	}
	return keyless.Authenticator{Trust: root, Roles: []seal.Role{seal.RolePublisher}}.Authenticate(ctx, s, message)
}

// both asks the trust file, and for publishers those whom options name, too: who
// writes both wants both.
type both struct {
	file    seal.Authenticator
	options authenticator
	asked   bool // options name a publisher
	known   bool // the file does
}

// Authenticate implements [seal.Authenticator]. The label says which role is
// claimed, and the signed statement must agree with it.
func (b both) Authenticate(ctx context.Context, s seal.Signature, message []byte) (seal.Authenticated, error) {
	if !b.asked || s.Role != seal.RolePublisher && s.Role != "" {
		return b.file.Authenticate(ctx, s, message)
	}
	who, err := b.options.Authenticate(ctx, s, message)
	if err != nil || !b.known {
		return who, err
	}
	return b.file.Authenticate(ctx, s, message)
}

// found is what was noticed while trust was put together.
func (i *invocation) found() []verify.Finding {
	i.talking.Lock()
	defer i.talking.Unlock()
	var all []verify.Finding
	for _, r := range i.dropped {
		all = append(all, verify.Finding{Code: seal.CodeRevocationDropped, Name: seal.CodeRevocationDropped.Name(), Message: r.Error()})
	}
	return all
}

// trustState names the revocations that this run knows: what another run verified
// without one of them is verified again.
func (i *invocation) trustState() string {
	i.talking.Lock()
	defer i.talking.Unlock()
	if len(i.revocations) == 0 {
		return ""
	}
	slices.Sort(i.revocations)
	return digest.FromString(strings.Join(slices.Compact(i.revocations), "\n")).String()
}
