package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/artifact"
	"github.com/mcp-integrity/seal-action/internal/declare"
	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/platform"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// sealRun is one run of seal, stage by stage.
type sealRun struct {
	*invocation
	algorithm  digest.Algorithm
	sourceRepo string        // as --source-repo says, without what may be a secret in it
	declared   *declare.File // nil where there is no declarations file
	facts      platform.Facts
	key        keys.PrivateKey
	localKey   bool

	publisher seal.Publisher
	surface   *surface
	artifacts []artifact.Found
	view      view
	snapshot  []byte // the file beside the envelope

	manifest *seal.Manifest
	payload  []byte // the manifest's canonical bytes
	envelope []byte
	checked  *verify.Result // our own verifier's word on the envelope
}

// runSeal reads as the seal column of the house: a stage a line.
func runSeal(ctx context.Context, inv *invocation) error {
	r := &sealRun{invocation: inv, algorithm: digest.Algorithm(inv.str("digest-algorithm"))}
	for _, stage := range []func(context.Context) error{
		r.prepare,     // options, declarations, facts, key: wrong use ends here, before any work
		r.hashForSeal, // the artifact, before the server starts
		r.observe,     // start the server, list it, twice
		r.recheck,     // the artifact, after it ended
		r.assemble,    // manifest
		r.sign,        // envelope
		r.verifyOwn,   // by the consumer's function
		r.write,       // files appear, the envelope last
	} {
		if err := stage(ctx); err != nil {
			return err
		}
	}
	return r.report()
}

func (r *sealRun) prepare(ctx context.Context) error {
	var err error
	if r.declared, err = r.declarations(); err != nil {
		return err
	}
	if r.surface, err = surfaceOf(r.invocation, r.declared); err != nil {
		return err
	}
	if r.surface == nil {
		return usagef("no server is given").withHint("mcp-integrity seal -- COMMAND ARG…, or --server-url URL, or --interface FILE")
	}
	if repo := r.str("source-repo"); repo != "" {
		if r.sourceRepo, err = platform.NormalizeRepo(repo); err != nil {
			return usagef("--source-repo: %w", err)
		}
	}
	if r.facts, err = platform.Detect(ctx, r.Getenv, "."); err != nil {
		return undecidedf("%w", err)
	}
	// What is given needs no facts, and no excuse for those that are missing.
	if r.str("source-repo") == "" || r.str("commit") == "" {
		for _, n := range r.facts.Notes {
			r.note("%s", n)
		}
	}
	if err := r.chooseKey(); err != nil {
		return err
	}
	if r.publisher, err = r.choosePublisher(); err != nil {
		return err
	}
	if dir := filepath.Dir(r.str("output")); !r.is("dry-run") && !fileExists(dir) {
		return usagef("--output %s: there is no directory %q", r.str("output"), dir)
	}
	return nil
}

// declarations reads mcp-integrity.yaml. That it is missing is an error only
// where somebody named it.
func (i *invocation) declarations() (*declare.File, error) {
	path := i.str("config")
	if !i.given("config") && !isRegular(path) {
		return nil, nil
	}
	data, err := readFile(path, declare.MaxSize)
	switch {
	case err != nil:
		return nil, err
	}
	f, err := declare.Parse(data)
	if err != nil {
		err = declare.In(path, err)
		var first *declare.Error
		if errors.As(err, &first) {
			return nil, failsf("%w\n%s", err, strings.TrimRight(first.Excerpt(), "\n"))
		}
		return nil, failsf("%w", err)
	}
	return f, nil
}

// chooseKey takes the key that is given; at a desk, else, the local one; in CI
// the lack of a key is wrong use (decision 22).
func (r *sealRun) chooseKey() error {
	switch {
	case r.given("key"):
		return r.givenKey()
	case r.facts.Kind != platform.Desk:
		return usagef("no key is given, and in CI there is no local one").
			withHint("--key FILE, or the JWK itself as the input signing-key or in MCP_INTEGRITY_KEY")
	case r.str("namespace") != "":
		return usagef("--namespace %.100q needs a key: the local key speaks for this user only", r.str("namespace")).
			withHint("mcp-integrity keygen --output signing-key.json, then --key signing-key.json")
	}
	dir, err := r.ConfigDir()
	if err != nil {
		return undecidedf("the local key: %w", err)
	}
	if r.key, err = keys.Local(dir); err != nil {
		return undecidedf("the local key: %w", err)
	}
	r.localKey = true
	return nil
}

func (r *sealRun) givenKey() error {
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
		r.key = key
		return nil
	}
	key, err := keys.ReadPrivate(string(data))
	if err != nil {
		return usagef("--key: %w", err)
	}
	r.key = key
	return nil
}

// sign makes the envelope with the publisher's bound attestation.
func (r *sealRun) sign(context.Context) error {
	var err error
	if r.payload, err = seal.MarshalManifest(r.manifest); err != nil {
		return failsf("%w", err)
	}
	e := seal.NewEnvelope(r.payload)
	err = e.Attest(r.key, seal.Statement{
		Role:              seal.RolePublisher,
		Type:              seal.TypeManifestSigned,
		Timestamp:         r.manifest.IssuedAt,
		InterfaceSnapshot: digest.FromBytes(r.snapshot),
	})
	if err != nil {
		return undecidedf("%w", err)
	}
	if r.envelope, err = e.Marshal(); err != nil {
		return failsf("%w", err)
	}
	return nil
}

// verifyOwn is rule 3 of the house: nothing appears that the consumer's
// function would not accept.
func (r *sealRun) verifyOwn(ctx context.Context) error {
	v := verify.Verifier{
		Keys:             seal.Keys{Public: []seal.PublicKey{r.key.Public().Seal()}, Roles: []seal.Role{seal.RolePublisher}},
		Namespace:        r.manifest.Server.Publisher.Namespace,
		IdentityExpected: true,
		Server:           seen{r.view},
		Policy:           seal.DefaultPolicy,
		Now:              r.Now,
	}
	if len(r.artifacts) > 0 {
		v.Artifacts = hashed(r.artifacts)
	}
	r.checked = v.Verify(ctx, r.envelope)
	if len(r.checked.Errors) > 0 {
		e := r.checked.Errors[0]
		return undecidedf("our own verifier refuses what was sealed, and nothing was written: %s: %s", e.Name, e.Message)
	}
	return nil
}

// seen is a view that was had already, as a [verify.Surface].
type seen struct{ view }

func (s seen) Observe(context.Context) (verify.Observation, error) {
	return verify.Observation{Observed: verify.Snapshot, Server: s.snapshot.Server, Tools: s.snapshot.Tools}, nil
}

// hashed are artifacts that were hashed already, as a [verify.ArtifactSource].
type hashed []artifact.Found

func (h hashed) Hash(_ context.Context, sealed []seal.Artifact) ([]verify.ObservedArtifact, error) {
	for _, f := range h {
		if f.Artifact.Digest == sealed[0].Digest {
			return []verify.ObservedArtifact{{Ref: f.Ref, Digests: []digest.Digest{f.Artifact.Digest}}}, nil
		}
	}
	return nil, errors.New("the manifest names an artifact that was not hashed")
}

// write makes the files appear, the envelope last: it is the commit.
func (r *sealRun) write(context.Context) error {
	if r.is("dry-run") {
		return nil
	}
	out := r.str("output")
	if out == "-" {
		return r.print("-", r.envelope)
	}
	return writeFiles(file{sibling(out, interfaceSuffix), r.snapshot}, file{out, r.envelope})
}

// place says where the envelope is, for people.
func (r *sealRun) place() string {
	if r.is("dry-run") {
		return fmt.Sprintf("%s (dry run: nothing was written)", r.str("output"))
	}
	return r.str("output")
}
