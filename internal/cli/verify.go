package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/mcp-integrity/seal-action/internal/publish"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// runVerify reads as the verify column of the house: what is trusted, what is
// looked at, and the one verdict.
func runVerify(ctx context.Context, inv *invocation) error {
	v, err := inv.verifier(ctx)
	if err != nil {
		return err
	}
	summaryKey, err := inv.summaryKey()
	if err != nil {
		return err
	}
	v.Found = inv.found()
	if len(inv.args) == 0 && v.surface != nil {
		if err := inv.acquaint(v, verify.FirstUseKey{Host: ownHost, Server: v.surface.name()}); err != nil {
			return err
		}
	}
	if blocked := v.Blocked(ctx); blocked != nil {
		return errors.Join(inv.log(blocked), inv.printResult(blocked))
	}
	envelope, err := inv.fetchManifest(ctx, v)
	var result *verify.Result
	var wrong *exitError
	var storeErr error
	switch {
	case errors.As(err, &wrong) && wrong.code == ExitUsage:
		return err
	case errors.Is(err, errNoManifest) && inv.expects():
		// Somebody who names a publisher or an artifact does not ask whether there
		// is a manifest.
		result = v.NotFound(seal.CodeManifestNotFound, fmt.Errorf("%w: %w", verify.ErrUnavailable, err))
	case errors.Is(err, errNoManifest):
		result, storeErr = inv.unsealed(ctx, v, seal.CodeManifestNotFound, err)
	case errors.Is(err, verify.ErrUnavailable) && len(inv.args) == 0:
		result, storeErr = inv.unsealed(ctx, v, seal.CodeManifestFetchFailed, err)
	case errors.Is(err, verify.ErrUnavailable):
		result = v.NotFound(seal.CodeManifestFetchFailed, err)
	case err != nil:
		return err
	default:
		if err := v.prepare(ctx, envelope); err != nil {
			return err
		}
		result = v.Verify(ctx, envelope)
		inv.met(ctx, v, result)
		inv.whatItIs(notManifest(envelope, inv.manifestArgument()))
	}
	if storeErr != nil {
		return storeErr
	}
	if err := inv.log(result); err != nil {
		return err
	}
	if err := inv.summarise(result, envelope, summaryKey); err != nil {
		return err
	}
	return inv.printResult(result)
}

// expects says that the caller named what the manifest should be of.
func (i *invocation) expects() bool {
	for _, name := range []string{"trust", "key", "jwks", "namespace", "repo", "identity", "provenance", "vsa"} {
		if i.given(name) {
			return true
		}
	}
	return len(i.list("artifact")) > 0
}

// whatItIs tells people that they named another of our files; the verdict on it
// stands.
func (i *invocation) whatItIs(err error) {
	var other *exitError
	if errors.As(err, &other) {
		i.note("%v", other)
		i.talk("hint: %s", ourLines(other.hint))
	}
}

// verifier is the verifier that the options describe, with the Sigstore
// instance that it may need.
type verifier struct {
	verify.Verifier
	sigstore *sigstore
	ring     keyring       // the publisher's keys, as they were given
	place    publish.Place // where the manifest comes from; nil for a file
	surface  *once         // nil where there is no server and no snapshot
	trusted  *trusted
	options  authenticator // whom the options name beside a trust file
}

// prepare has the trusted root at hand where the manifest was signed under a
// certificate: a root that cannot be had says nothing about the manifest.
func (v *verifier) prepare(ctx context.Context, envelope []byte) error {
	e, err := seal.ParseEnvelope(envelope)
	if err != nil {
		return nil // the verifier says what is wrong with it
	}
	if err := v.byNamespace(ctx, e); err != nil {
		return err
	}
	if err := v.byTrust(e); err != nil {
		return err
	}
	for _, s := range e.Signatures {
		if statement, err := seal.StatementOf(s); err == nil && seal.IsBundle(statement) {
			_, err := v.sigstore.Trust(ctx)
			return err
		}
	}
	return nil
}

// verifier puts together what the options trust and look at.
func (i *invocation) verifier(ctx context.Context) (*verifier, error) {
	trusted, err := i.trusted(ctx)
	if err != nil {
		return nil, err
	}
	s, err := surfaceOf(i, nil)
	if err != nil {
		return nil, err
	}
	if i.is("offline") && s != nil && s.target.URL != "" {
		return nil, usagef("--offline and --server-url exclude each other")
	}
	ring, err := i.publisherKeys(ctx)
	if err != nil {
		return nil, err
	}
	v := &verifier{ring: ring}
	if v.sigstore, err = sigstoreOf(i); err != nil {
		return nil, err
	}
	expected, named, err := i.expectedIdentity()
	if err != nil {
		return nil, err
	}
	var identities []seal.Identity
	// A key that is pinned is not to be replaced by a certificate of anybody in
	// the same organisation: beside a key, an identity counts where it is named
	// for its own sake.
	if named && (len(ring.public) == 0 || expected.Repository != "" || expected.SAN != "") {
		identities = append(identities, expected)
	}
	options := authenticator{
		sigstore: v.sigstore, expected: identities, named: len(ring.public) > 0 || i.str("namespace") != "",
		keys: ring.seal(), documents: ring.documents,
	}
	v.Verifier = verify.Verifier{
		Keys: options, Ancestors: options.others(),
		Namespace: i.str("namespace"),
		// A key is there since somebody gave it; a certificate's identity is
		// compared by its own authenticator.
		IdentityExpected:   true,
		NeedsKey:           len(ring.public) > 0,
		NeedsCertificate:   expected.Repository != "" || expected.SAN != "",
		AllowUnboundUnsafe: i.is("allow-unbound"),
		Policy:             trusted.policy,
		Rules:              trusted.rules,
		Now:                i.Now,
	}
	v.trusted, v.options = trusted, options
	if s != nil {
		v.surface = &once{surface: s}
		v.Server = v.surface
	}
	v.Provenance = &builds{inv: i, sigstore: v.sigstore, file: i.str("provenance"), beside: i.beside(provenanceSuffix), offline: i.is("offline")}
	refs := i.list("artifact")
	if i.is("offline") && slices.ContainsFunc(refs, func(ref string) bool { return strings.HasPrefix(ref, "oci://") }) {
		return nil, usagef("--offline and --artifact oci://… exclude each other: save the image as an OCI layout and name that")
	}
	if len(refs) > 0 {
		v.Artifacts = artifacts{inv: i, refs: refs, surface: s}
	}
	if v.place, err = i.placeOf(); err != nil {
		return nil, err
	}
	if err := i.chainOf(v); err != nil {
		return nil, err
	}
	return v, nil
}

// beside is the file with a suffix that may lie beside a manifest that is a
// file, "" where the manifest is none.
func (i *invocation) beside(suffix string) string {
	if len(i.args) == 1 && (isURL(i.args[0]) || publish.Known(i.args[0])) || len(i.args) == 0 && (i.elsewhere || !isRegular(defaultManifest)) {
		return ""
	}
	return sibling(i.manifestArgument(), suffix)
}

// defaultManifest is where a manifest lies in a package's root (MIS §18.3).
const defaultManifest = "mcp-integrity.json"

// wellKnown is its place on a server's host (MIS §18.1).
const wellKnown = "/.well-known/mcp-integrity.json"

// errNoManifest says that no source had one.
var errNoManifest = errors.New("no manifest was found")

// fetchManifest is step 1: what is named, else what is found (MIS §18.4).
func (i *invocation) fetchManifest(ctx context.Context, v *verifier) ([]byte, error) {
	if len(i.args) == 0 {
		return i.discover(ctx, v)
	}
	name := i.args[0]
	if publish.Known(name) {
		return v.fromPlace(ctx)
	}
	if isURL(name) {
		return i.fetch(ctx, name, seal.MaxEnvelopeSize)
	}
	if isDirectory(name) {
		return nil, usagef("%s is a directory", name).withHint("dir:%s names the releases that lie in it", name)
	}
	data, err := readFile(name, seal.MaxEnvelopeSize)
	var exit *exitError
	if errors.As(err, &exit) && exit.code == ExitUndecided {
		return nil, fmt.Errorf("%w: %w", verify.ErrUnavailable, err)
	}
	return data, err
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// isRegular says that a file that nobody named is there and is a file: a pipe
// or a device would keep us waiting.
func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isURL(s string) bool {
	return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
}

// printResult prints the verdict and gives its exit code. In report_only
// nothing but wrong use fails a run.
func (i *invocation) printResult(r *verify.Result) error {
	data, err := render(i.str("format"), r)
	if err != nil {
		return undecidedf("%w", err)
	}
	if err := i.print(i.str("output-file"), data); err != nil {
		return err
	}
	i.hint(r)
	switch r.Outcome {
	case seal.Fail:
		return &exitError{code: ExitFails}
	case seal.Undecided:
		return &exitError{code: ExitUndecided}
	}
	return nil
}

// hint names the command that helps with the commonest failures.
func (i *invocation) hint(r *verify.Result) {
	if f := r.FirstUse; f != nil && f.Pending != "" {
		i.talk("hint: look at what moved; then %s, or tofu block", ourLines(acceptHint(f, i.stateWords()...)))
		return
	}
	for _, e := range r.Errors {
		switch e.Code {
		case seal.CodeNegativeFinding:
			i.talk("hint: whoever attested that takes it back by attesting the opposite, or the publisher seals a new release")
			return
		case seal.CodeSignatureKeyRevoked:
			i.talk("hint: what a revoked key signed has to be sealed anew; ask the publisher for a release signed by the key that replaces it")
			return
		case seal.CodeFirstUseBlocked:
			i.talk("hint: mcp-integrity tofu list, then mcp-integrity tofu unblock SERVER [--tool NAME]")
			return
		case seal.CodeManifestElsewhere:
			i.talk("hint: find out where the manifest went; where it is rightly gone, mcp-integrity tofu forget SERVER")
			return
		case seal.CodeSignatureKeyNotFound:
			if i.has("trust") && i.given("trust") {
				i.talk("hint: %s must name the publisher's key, key document or identity for this namespace", shellWords(i.str("trust")))
				return
			}
			i.talk("hint: --key FILE or --jwks FILE|URL names the publisher's key, --trusted-root FILE the Sigstore that certified it")
			return
		case seal.CodeIdentityMismatch:
			if h := i.identityHint(e.Message); h != "" {
				i.talk("hint: %s", h)
				return
			}
		case seal.CodeDescriptionChanged, seal.CodeSchemaChanged, seal.CodeAnnotationsChanged, seal.CodeInterfaceMismatch:
			i.talk("hint: mcp-integrity extract --output new.interface.json -- SERVER, then mcp-integrity diff %s new.interface.json, shows which words moved", i.manifestName())
			return
		}
	}
}

// manifestArgument is the file or URL that is named, else the file that is taken.
func (i *invocation) manifestArgument() string {
	if len(i.args) == 1 {
		return i.args[0]
	}
	return defaultManifest
}

// manifestName is the manifest as a person would name it.
func (i *invocation) manifestName() string {
	if name := i.manifestArgument(); !isURL(name) && !publish.Known(name) {
		return shellquote.Join(name)
	}
	return defaultManifest
}
