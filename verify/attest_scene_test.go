package verify_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// member is whom the verifier's trust lists: a holder with keys.
type member struct {
	holder string
	keys   []seal.PublicKey
	roles  []seal.Role
	types  []string
	maxAge time.Duration
}

// roster is an authenticator over members.
type roster []member

func (r roster) Authenticate(ctx context.Context, s seal.Signature, message []byte) (seal.Authenticated, error) {
	for _, m := range r {
		for _, k := range m.keys {
			if k.KeyID == s.KeyID {
				a, err := seal.Keys{Public: []seal.PublicKey{k}, Roles: m.roles}.Authenticate(ctx, s, message)
				a.Holder, a.Types, a.MaxAge = m.holder, m.types, m.maxAge
				return a, err
			}
		}
	}
	return seal.Keys{}.Authenticate(ctx, s, message)
}

// attested is a release of level 3, that a registry and a scanner attest: every
// attack begins with what holds.
type attested struct {
	*scene
	roster                              roster
	registry, scanner, second, stranger keys.PrivateKey
	// sign adds who attests; see parties.
	sign func(t *testing.T, e *seal.Envelope)
	now  time.Time
}

func newAttested(t *testing.T) *attested {
	t.Helper()
	a := &attested{
		scene: newScene(t), now: sealtest.Time.Add(time.Hour),
		registry: sealtest.Key(t, keys.Ed25519, "registry"), scanner: sealtest.Key(t, keys.ES256, "scanner"),
		second: sealtest.Key(t, keys.Ed25519, "second"), stranger: sealtest.Key(t, keys.Ed25519, "stranger"),
	}
	a.roster = roster{
		{keys: []seal.PublicKey{a.key.Public().Seal()}, roles: []seal.Role{seal.RolePublisher}},
		{holder: "registry.example", keys: []seal.PublicKey{a.registry.Public().Seal()}, roles: []seal.Role{seal.RoleRegistry}},
		{holder: "scan.example", keys: []seal.PublicKey{a.scanner.Public().Seal()}, roles: []seal.Role{seal.RoleScanner}},
		{holder: "second.example", keys: []seal.PublicKey{a.second.Public().Seal()}, roles: []seal.Role{seal.RoleScanner}},
	}
	sealed := digest.FromString("artifact")
	a.withArtifact(sealed)
	build, certificate := built()
	slsa, at := 2, seal.NewTimestamp(sealtest.Time)
	for i := range a.manifest.Tools {
		p := a.manifest.Tools[i].Provenance
		p.BuildSystem, p.BuilderID, p.BuildTimestamp = build.BuildSystem(), build.BuilderID(), &at
		p.BuildAttestationURI, p.SLSALevel = "https://acme.example/attestation", &slsa
	}
	a.v.Artifacts = files{have: []verify.ObservedArtifact{{Ref: "a.tgz", Digests: []digest.Digest{sealed}, RanIt: true}}}
	a.v.Provenance = builds{found: []verify.FoundProvenance{{Ref: "p.json", Statement: statementOf(t, build, sealed), Certificate: &certificate}}}
	a.v.Now = func() time.Time { return a.now }
	a.v.Policy = seal.Policy{Mode: seal.Block, Below: 1}
	a.sign = a.parties
	return a
}

// says is a statement, some minutes after the manifest was issued.
func says(role seal.Role, attestationType string, minutes int) seal.Statement {
	return seal.Statement{Role: role, Type: attestationType, Timestamp: seal.NewTimestamp(sealtest.Time.Add(time.Duration(minutes) * time.Minute))}
}

func (a *attested) add(t *testing.T, e *seal.Envelope, by seal.Signer, s seal.Statement) {
	t.Helper()
	if err := e.Attest(by, s); err != nil {
		t.Fatal(err)
	}
}

// parties are the registry, and the scanner that found nothing.
func (a *attested) parties(t *testing.T, e *seal.Envelope) {
	a.add(t, e, a.registry, says(seal.RoleRegistry, seal.TypeNamespaceVerified, 10))
	a.add(t, e, a.scanner, says(seal.RoleScanner, seal.TypeSideEffectsVerified, 20))
}

// member is the entry of the roster that has a key.
func (a *attested) member(keyID string) *member {
	i := slices.IndexFunc(a.roster, func(m member) bool {
		return slices.ContainsFunc(m.keys, func(k seal.PublicKey) bool { return k.KeyID == keyID })
	})
	return &a.roster[i]
}

// sealedBy is the envelope, by the publisher and the others.
func (a *attested) sealedBy(t *testing.T) *seal.Envelope {
	t.Helper()
	e := sealtest.Seal(t, a.manifest, a.key)
	a.sign(t, e)
	return e
}

func (a *attested) verify(t *testing.T, e *seal.Envelope) *verify.Result {
	t.Helper()
	a.v.Keys, a.v.Server = a.roster, *a.live
	r := a.v.Verify(t.Context(), sealtest.Marshal(t, e))
	followsSchema(t, r)
	return r
}

// signature is the last one by a key.
func signature(e *seal.Envelope, by keys.PrivateKey) *seal.Signature {
	for i := range slices.Backward(e.Signatures) {
		if e.Signatures[i].KeyID == by.KeyID() {
			return &e.Signatures[i]
		}
	}
	panic("no signature by " + by.KeyID())
}

// verdict is what a run came to.
type verdict struct {
	outcome       seal.Outcome
	level, sealed int
	errors        []string
	advisories    []string // but for those of every verdict below the policy
}

func (a *attested) want(t *testing.T, r *verify.Result, want verdict) {
	t.Helper()
	if r.Outcome != want.outcome || r.TrustLevel != want.level || r.SealedLevel != want.sealed {
		t.Errorf("got %s at level %d, sealed %d; want %s at %d, sealed %d (%+v; missing %+v; %+v)", r.Outcome, r.TrustLevel, r.SealedLevel, want.outcome, want.level, want.sealed, r.Errors, r.Missing, r.Advisories)
	}
	compare(t, "errors", want.errors, names(r.Errors))
	compare(t, "advisories", want.advisories, telling(names(r.Advisories)))
}

// counting counts what an authenticator is asked.
type counting struct {
	seal.Authenticator
	n *int
}

func (c counting) Authenticate(ctx context.Context, s seal.Signature, message []byte) (seal.Authenticated, error) {
	*c.n++
	return c.Authenticator.Authenticate(ctx, s, message)
}

// renamed is a key under another name.
type renamed struct {
	keys.PrivateKey
	id string
}

func (r renamed) KeyID() string { return r.id }

func (r renamed) public() seal.PublicKey {
	k := r.Public().Seal()
	k.KeyID = r.id
	return k
}
