package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/platform"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// attestRun is one run of attest.
type attestRun struct {
	signer
	path      string
	statement seal.Statement
	data      []byte // the file as it was read
	envelope  *seal.Envelope
	manifest  *seal.Manifest // unverified, until check
	publisher *verify.Result // what was verified of the publisher
	trust     *verifier      // by whom
	own       []seal.Authenticated
	replaced  []seal.Signature
	written   []byte
}

// runAttest reads as what an attestor does: look, check, sign, look again, write.
func runAttest(ctx context.Context, inv *invocation) error {
	r := &attestRun{signer: signer{invocation: inv}, path: inv.args[0]}
	for _, stage := range []func(context.Context) error{
		r.prepare, // options, who signs: wrong use ends here
		r.read,    // the manifest, and the findings about it
		r.check,   // what the attestation is about
		r.sign,
		r.replace, // one's own earlier word
		r.write,
	} {
		if err := stage(ctx); err != nil {
			return err
		}
	}
	return r.report()
}

func (r *attestRun) prepare(ctx context.Context) error {
	var err error
	s := &r.statement
	s.Role, s.Type = seal.Role(r.str("role")), r.str("type")
	switch {
	case s.Role == "":
		return usagef("--role is missing").withHint("--role registry, scanner or auditor")
	case s.Type == "" && s.Role == seal.RolePublisher:
		s.Type = seal.TypeManifestSigned
	case s.Type == "":
		return usagef("--type is missing").withHint("--type %s", strings.Join(seal.PositiveTypes(s.Role), ", or "))
	}
	if err := seal.CheckType(s.Role, s.Type); err != nil {
		return usagef("--type: %w", err)
	}
	if s.Role == seal.RoleRegistry && s.Type == seal.TypeNamespaceVerified && !r.given("namespace") && !r.given("trust") {
		return usagef("a registry attests whose the namespace is, and --namespace does not say which it should be").
			withHint("--namespace io.github.OWNER, whose certificates prove the owner, or another with --jwks")
	}
	if r.str("from") != "" && s.Role != seal.RoleScanner && s.Role != seal.RoleAuditor {
		return usagef("--from goes with --role scanner or auditor: a report bears out nothing that a %s attests", s.Role)
	}
	s.Timestamp = seal.NewTimestamp(r.Now())
	if d := r.duration("expires-in"); d > 0 {
		end := seal.NewTimestamp(r.Now().Add(d))
		s.ExpiresAt = &end
	}
	if r.facts, err = platform.Detect(ctx, r.Getenv, "."); err != nil {
		return undecidedf("%w", err)
	}
	if r.sigstore, err = sigstoreOf(r.invocation); err != nil {
		return err
	}
	return r.chooseSigner(func() error {
		return usagef("no key is given: an attestation needs one by which others can trust you").
			withHint("mcp-integrity keygen --output %s-key.json, then --key %s-key.json", s.Role, s.Role)
	})
}

func (r *attestRun) read(context.Context) error {
	var err error
	if r.data, err = readFile(r.path, seal.MaxEnvelopeSize); err != nil {
		return err
	}
	if r.envelope, err = seal.ParseEnvelope(r.data); err != nil {
		if other := notManifest(r.data, r.path); other != nil {
			return other
		}
		return failsf("%s: %w", r.path, err)
	}
	if r.manifest, err = seal.ParseManifest(r.envelope.Payload); err != nil {
		return failsf("%s: %w", r.path, err)
	}
	if len(r.envelope.Signatures) == 0 {
		return failsf("%s: nobody has signed it", r.path)
	}
	r.statement.Findings, err = r.findings()
	return err
}

// check verifies the publisher's signature, by whom the options expect. A
// registry's attestation rests on it; all others look at the content, and are
// told where nobody said whose it should be.
func (r *attestRun) check(ctx context.Context) error {
	v, err := r.expectedPublisher(ctx)
	if err != nil {
		return err
	}
	if err := v.prepare(ctx, r.data); err != nil {
		return err
	}
	// What others say is not asked about here: who found something is to be able
	// to take it back.
	alone, err := r.publishersOnly()
	if err != nil {
		return err
	}
	r.trust = v
	r.publisher = v.Verify(ctx, alone)
	if r.resigns() {
		r.publisher = nil
		return nil
	}
	var why string
	switch p := r.publisher.Publisher; {
	case len(r.publisher.Errors) > 0:
		why = fmt.Sprintf("%s: %s", r.publisher.Errors[0].Name, r.publisher.Errors[0].Message)
	case p == nil || !p.Expected:
		why = "nobody said whose it should be"
	default:
		why = r.unproved()
	}
	if why == "" {
		return nil
	}
	asked := r.statement.Role == seal.RoleRegistry || r.given("trust") || r.given("namespace") || r.given("jwks") || r.given("repo") || r.given("identity")
	if !asked {
		r.warn("the publisher's signature is not checked (%s): --namespace, --jwks or --repo say whose it should be", why)
		r.publisher = nil
		return nil
	}
	err = failsf("%s is not attested: its publisher is not verified: %s", r.path, why)
	return err.(*exitError).withHint("--jwks FILE|URL names the publisher's keys; --namespace io.github.OWNER or --repo OWNER/NAME its identity")
}

// resigns says that a publisher signs anew what only a revoked key of theirs had
// signed: the way back that MIS §16.4 leaves.
func (r *attestRun) resigns() bool {
	return r.statement.Role == seal.RolePublisher && len(r.publisher.Errors) > 0 &&
		!slices.ContainsFunc(r.publisher.Errors, func(f verify.Finding) bool { return f.Code != seal.CodeSignatureKeyRevoked })
}

// publishersOnly is the envelope with the signatures that call themselves the
// publisher's.
func (r *attestRun) publishersOnly() ([]byte, error) {
	e := seal.NewEnvelope(r.envelope.Payload)
	for _, s := range r.envelope.Signatures {
		if s.Role == seal.RolePublisher || s.Role == "" {
			e.Signatures = append(e.Signatures, s)
		}
	}
	if len(e.Signatures) == 0 {
		return nil, failsf("%s: no publisher has signed it", r.path)
	}
	data, err := e.Marshal()
	if err != nil {
		return nil, failsf("%s: %w", r.path, err)
	}
	return data, nil
}

// unproved says what a registry cannot vouch for although the publisher's
// signature holds; "" where it can. A forge's namespace is proved by the forge's
// certificate alone (decision 12), a desk's by nothing, and a signature without a
// signed time could have been made after its key was retired.
func (r *attestRun) unproved() string {
	p := r.publisher.Publisher
	if r.statement.Role != seal.RoleRegistry {
		return ""
	}
	_, err := seal.NamespaceIdentity(p.Namespace)
	bound := slices.ContainsFunc(r.publisher.Attestations, func(a verify.Attested) bool { return a.Role == seal.RolePublisher && a.Timestamp != nil })
	switch {
	case !bound:
		return "its attestation has no signed statement of when and what it was"
	case r.statement.Type != seal.TypeNamespaceVerified:
		return ""
	case strings.HasPrefix(p.Namespace, "local."):
		return "the namespace of a desk is nobody's that could be verified"
	case err == nil && p.Certificate == nil:
		return "a key proves no forge's namespace: only a certificate for a repository of that owner does"
	}
	return ""
}

// expectedPublisher verifies the publisher as the options say.
func (r *attestRun) expectedPublisher(ctx context.Context) (*verifier, error) {
	trusted, err := r.trusted(ctx)
	if err != nil {
		return nil, err
	}
	ring, err := r.documentKeys(ctx)
	if err != nil {
		return nil, err
	}
	expected, named, err := r.expectedIdentity()
	if err != nil {
		return nil, err
	}
	v := &verifier{ring: ring, sigstore: r.sigstore, trusted: trusted}
	v.options = authenticator{
		sigstore: r.sigstore, named: len(ring.public) > 0 || r.given("namespace"),
		keys: ring.seal(), documents: ring.documents,
	}
	if named {
		v.options.expected = []seal.Identity{expected}
	}
	v.Verifier = verify.Verifier{
		Keys: v.options, Namespace: r.str("namespace"), IdentityExpected: true,
		NeedsKey: r.given("jwks"), NeedsCertificate: expected.Repository != "" || expected.SAN != "",
		Policy: seal.DefaultPolicy, Now: r.Now,
	}
	return v, nil
}

func (r *attestRun) sign(ctx context.Context) error {
	if r.tokens != nil && r.facts.Kind != platform.Desk && r.keyless {
		build, err := r.tokens.Facts(ctx)
		if err != nil {
			return tokenError(err)
		}
		r.build = &build
	}
	before := len(r.envelope.Signatures)
	if r.keyless {
		if _, err := r.attestKeyless(ctx, r.envelope, r.statement); err != nil {
			return err
		}
	}
	if r.key != nil {
		if err := r.envelope.Attest(r.key, r.statement); err != nil {
			return undecidedf("%w", err)
		}
	}
	for n, s := range r.envelope.Signatures[before:] {
		who, err := r.authenticate(ctx, s)
		if err == nil {
			_, err = seal.ParseStatement(who.Statement, r.envelope.Payload)
		}
		if err != nil {
			return failsf("our own verifier refuses what was signed (signatures[%d]), and nothing was written: %w", before+n, err)
		}
		r.own = append(r.own, who)
	}
	return nil
}

// authenticate says who made a signature: this run's key, or anybody's certificate.
func (r *attestRun) authenticate(ctx context.Context, s seal.Signature) (seal.Authenticated, error) {
	message := seal.PAE(seal.PayloadType, r.envelope.Payload)
	roles := []seal.Role{r.statement.Role}
	if statement, err := seal.StatementOf(s); err == nil && seal.IsBundle(statement) {
		if !r.keyless {
			return seal.Authenticated{}, fmt.Errorf("keyid %.100q: it is a certificate's", s.KeyID)
		}
		trust, err := r.sigstore.Trust(ctx)
		if err != nil {
			return seal.Authenticated{}, err
		}
		return keyless.Authenticator{Trust: trust, Roles: roles}.Authenticate(ctx, s, message)
	}
	own := seal.Keys{Roles: roles}
	if r.key != nil {
		own.Public = []seal.PublicKey{r.key.Public().Seal()}
	}
	return own.Authenticate(ctx, s, message)
}

// replace takes out what the same signers said before on the same question. What
// merely bears their name is somebody else's, and stays.
func (r *attestRun) replace(ctx context.Context) error {
	kept := r.envelope.Signatures[:0:0]
	fresh := len(r.envelope.Signatures) - len(r.own)
	for n, s := range r.envelope.Signatures {
		if n < fresh && s.Role != r.statement.Role && s.Role != "" && r.isOwn(ctx, s) {
			return failsf("%s is not attested: you signed it as %s already (signatures[%d]), and no key or identity counts in two roles", r.path, s.Role, n)
		}
		if n < fresh && s.Role == r.statement.Role && seal.SameQuestion(s.Type, r.statement.Type) && r.isOwn(ctx, s) {
			r.replaced = append(r.replaced, s)
			continue
		}
		if n < fresh && s.Role == r.statement.Role && r.isRevoked(ctx, s) {
			r.note("signatures[%d], by keyid %.100q, is left out: its key is revoked, and it would fail every consumer", n, s.KeyID)
			continue
		}
		kept = append(kept, s)
	}
	r.envelope.Signatures = kept
	return nil
}

// isRevoked says that a document of the trust file revokes the key of a signature.
func (r *attestRun) isRevoked(ctx context.Context, s seal.Signature) bool {
	if r.trust == nil {
		return false
	}
	_, err := r.trust.Keys.Authenticate(ctx, s, seal.PAE(seal.PayloadType, r.envelope.Payload))
	return seal.CodeOf(err, 0) == seal.CodeSignatureKeyRevoked
}

func (r *attestRun) isOwn(ctx context.Context, s seal.Signature) bool {
	who, err := r.authenticate(ctx, s)
	return err == nil && slices.ContainsFunc(r.own, func(o seal.Authenticated) bool { return o.Identity() == who.Identity() })
}

// write replaces the file, unless somebody changed it in the meantime.
func (r *attestRun) write(context.Context) error {
	var err error
	if r.written, err = r.envelope.Marshal(); err != nil {
		return failsf("%w", err)
	}
	out := r.output()
	if sameFile(out, r.path) {
		unlock, err := r.lock()
		if err != nil {
			return err
		}
		defer unlock()
		now, err := readFile(r.path, seal.MaxEnvelopeSize)
		if err != nil {
			return err
		}
		if !bytes.Equal(now, r.data) {
			return undecidedf("%s was changed while it was attested, and nothing was written", r.path).withHint("run it again")
		}
	}
	return r.print(out, r.written)
}

// lock keeps other attestors of this user away while the file is compared and
// replaced: the word of the slower one would be lost. It is beside what runs
// keep, and not beside the manifest, where it would be published.
func (r *attestRun) lock() (func(), error) {
	dir := r.stateDir("locks")
	if dir == "" {
		return func() {}, nil
	}
	at, err := filepath.Abs(r.path)
	if err == nil {
		at, err = filepath.EvalSymlinks(at)
	}
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, undecidedf("%w", err)
	}
	unlock, err := lockedfile.MutexAt(filepath.Join(dir, digest.FromString(at).Encoded())).Lock()
	if err != nil {
		return nil, undecidedf("%w", err)
	}
	return unlock, nil
}

func sameFile(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}

// output is where the attested manifest is written: in its place, where nothing
// else is said.
func (r *attestRun) output() string {
	if out := r.str("output"); out != "" {
		return out
	}
	return r.path
}

// payload is the digest of what was attested.
func (r *attestRun) payload() digest.Digest { return r.envelope.PayloadDigest(digest.SHA256) }
