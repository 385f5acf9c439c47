// Package verify checks a Sealed Manifest against what is observed: a running
// server, a snapshot, artifacts. It follows MIS §19.2 step by step and gives
// the result of §19.3.
//
// It is for hosts to embed. Its effects come in as interfaces: a [Surface]
// lists what a server serves, an [ArtifactSource] hashes what is installed,
// and a [seal.Authenticator] knows keys. The first two are asked only when the
// signatures hold and the publisher is the expected one: a stranger's server is
// not started on the word of a stranger's manifest.
//
//	v := verify.Verifier{Keys: keys, IdentityExpected: true, Server: server, Policy: seal.DefaultPolicy, Now: time.Now}
//	result := v.Verify(ctx, envelope)
//	if result.Outcome == seal.Fail { … }
//
// A [Verifier] gives one verdict. A [Host] keeps one through a session: it
// verifies at the points of MIS §19.1, and says of each tool whether the policy
// allows it, asks a person, or denies it. What it is given to verify is what the
// server sent, byte for byte ([ObservationOf]):
//
//	host := verify.Host{Verifier: v, Manifest: discover, Log: record}
//	host.Install(ctx)                 // before the server is started
//	host.List(ctx, session)           // before the model sees the list
//	host.Decide("read_file").Action   // before each call
//	host.Changed()                    // at notifications/tools/list_changed; then List
//
// [Events] are what a result has to tell an audit log (MIS §20.3).
package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// Surface is what a server serves, or served.
type Surface interface {
	// Observe lists it. An error that wraps [ErrUnavailable] says that nothing
	// could be learned; any other says that what was served is no tool list.
	Observe(ctx context.Context) (Observation, error)
}

// ErrUnavailable says that a check could not be made: something did not
// answer, or died.
var ErrUnavailable = seal.ErrUnavailable

// Observation is what a [Surface] saw.
type Observation struct {
	Observed Observed // Live or Snapshot
	Server   fingerprint.ServerInfo
	// ClaimedLevel is the server's claim in the MCP extension (MIS §17), nil
	// where it makes none. It is compared, never believed.
	ClaimedLevel *int
	// ManifestURL is where the server says that its manifest is (MIS §17.1), ""
	// where it says nothing. What is found there proves itself like any other.
	ManifestURL string
	Tools       []fingerprint.Tool
}

// ArtifactSource hashes the artifacts that the caller has.
type ArtifactSource interface {
	// Hash returns one entry for each artifact that the caller has, hashed
	// with the algorithms and scopes of sealed.
	Hash(ctx context.Context, sealed []seal.Artifact) ([]ObservedArtifact, error)
}

// ObservedArtifact is one artifact that the caller has.
type ObservedArtifact struct {
	// Ref is how the caller named it.
	Ref string
	// Digests are its digests in every algorithm and scope that was asked for.
	// Why says why there is none, where it is no such artifact at all.
	Digests []digest.Digest
	Why     string
	// RanIt says that the server that was observed is this artifact, or lies in it.
	RanIt bool
}

// Verifier holds what a run trusts and what it looks at. Policy and Now are
// required.
type Verifier struct {
	// Keys says whose signatures count.
	Keys seal.Authenticator
	// Namespace is the publisher namespace that the caller expects, compared
	// exactly; "" where it named none.
	Namespace string
	// IdentityExpected says that Keys or Namespace came from the caller: a
	// signature under them is by somebody expected (decision 12).
	IdentityExpected bool
	// NeedsKey and NeedsCertificate say that the caller named a key, an identity,
	// or both: each needs an attestation of its own kind that is expected.
	NeedsKey, NeedsCertificate bool
	// AllowUnboundUnsafe is decision 10c's --allow-unbound.
	AllowUnboundUnsafe bool
	// Server is nil where there is nothing to compare the interface with.
	Server Surface
	// Artifacts is nil where the caller has none.
	Artifacts ArtifactSource
	// Provenance is nil where build provenance is not looked for.
	Provenance ProvenanceSource
	// Chain has the releases before this one; nil where the chain is not looked
	// at.
	Chain ChainSource
	// Ancestors says whose signatures count on other releases than this one; nil
	// where it is Keys. Who pins a workflow or a ref pins those of this release:
	// another has another tag. It is asked by several goroutines at once.
	Ancestors seal.Authenticator
	// ChainAsked says that the caller named Chain: where the chain cannot be
	// followed to its end, the run is undecided.
	ChainAsked bool
	// Memory keeps what was verified from run to run; nil where nothing does.
	Memory Memory
	// FirstUse keeps what the server served when it was first met, under FirstUseKey
	// (MIS §20.2); nil where nothing is kept. What somebody blocked there fails under
	// any manifest. Where the publisher is nobody expected, what is served is held
	// against it as if there were no manifest: anybody can sign what they serve.
	FirstUse    FirstUse
	FirstUseKey FirstUseKey
	// TrustState names what trust rests on beside the signers, such as the
	// revocations that are known: a chain that was verified under another one is
	// verified again.
	TrustState string
	// Quorum is how many holders of a role trust asks for, where it is not one.
	Quorum seal.Quorum
	// Rules stand beside the policy's level, and act as it does.
	Rules []Rule
	// Found is what the caller noticed while it put trust together, such as a key
	// document that lost a revocation. It stands among the advisories.
	Found  []Finding
	Policy seal.Policy
	Now    func() time.Time
}

// Verify runs MIS §19.2 over an envelope's bytes, as somebody fetched them. The
// result is never nil. Steps 4 and 5 are made only when step 3 holds.
func (v *Verifier) Verify(ctx context.Context, envelope []byte) *Result {
	r := &run{Verifier: v, now: v.Now(), checks: map[string]*toolChecks{}}
	r.result = &Result{
		SchemaVersion: SchemaVersion,
		Observed:      Nothing,
		Policy:        v.Policy.String(),
		VerifiedAt:    seal.NewTimestamp(r.now),
		Results:       []ToolResult{}, Advisories: append([]Finding{}, v.Found...), Errors: []Finding{}, Skipped: []Skip{},
	}
	if r.open(ctx, envelope) {
		r.identity()
		r.times()
		r.recallAgainst(ctx)
		switch {
		case r.blocked(ctx):
			r.skipAll(whyBlocked)
		case len(r.result.Errors) > 0:
			r.skipAll("the manifest's signatures or publisher are wrong")
		case !r.expected && r.Policy.Mode == seal.Block:
			// Nothing of a stranger's is started where it could not pass.
			r.skipAll("nobody said whose manifest this should be, and the policy blocks")
		default:
			r.surface(ctx)
			r.firstUse(ctx)
			r.artifacts(ctx)
			r.provenance(ctx)
			r.lineage(ctx)
		}
		r.levels()
	} else {
		r.skipAll("the manifest did not open")
	}
	r.outcome()
	return r.result
}

// NotFound is the result when there is no manifest to verify (MIS §19.2 step
// 1.2): level 0, and the reason. A reason that wraps [ErrUnavailable] says that
// there may be one, which could not be had.
func (v *Verifier) NotFound(code seal.Code, reason error) *Result {
	r := v.unsealed(code, reason)
	r.outcome()
	return r.result
}

// run is the state of one verification.
type run struct {
	*Verifier
	now    time.Time
	result *Result
	opened *seal.Opened
	// observation is nil until a surface was observed.
	observation *Observation
	checks      map[string]*toolChecks // by tool name
	order       []string               // tool names in the order they are reported
	// asked says that a check that the caller asked for could not be made.
	asked bool
	// expected says that the publisher is whom the caller expects.
	expected bool
	// against are attestations that an earlier run saw, and that speak against
	// this release.
	against []seal.Attestation
	// blockedTools are those that somebody blocked, known of before any is seen.
	blockedTools []string
	// noFirstUse says that the store of first uses cannot be used.
	noFirstUse bool
	// ruleBroken says that a rule does not hold.
	ruleBroken bool
}

// toolChecks is what is known about one tool, sealed or live.
type toolChecks struct {
	sealed              *seal.Tool
	live                bool
	iface, artifact     seal.Check
	provenance, chain   seal.Check
	warranted           *int // the SLSA level that the provenance warrants
	details             InterfaceDetails
	advisories, errors  []Finding
	trustLevel          int
	unmetRequirements   []seal.Requirement
	onlyUnmadeBelowGoal bool
	notFirst            bool // there was a release before, and it is not named
}

func (r *run) fail(code seal.Code, format string, args ...any) {
	r.result.Errors = append(r.result.Errors, finding(code, "", "", format, args...))
}

func (r *run) advise(code seal.Code, format string, args ...any) {
	r.result.Advisories = append(r.result.Advisories, finding(code, "", "", format, args...))
}

func (r *run) skip(check, format string, args ...any) {
	r.result.Skipped = append(r.result.Skipped, Skip{Check: check, Reason: fmt.Sprintf(format, args...)})
}

// skipAll counts every check that was asked for and is not made, since nothing
// is started or hashed on the word of somebody unknown.
func (r *run) skipAll(reason string) {
	if r.Server != nil {
		r.skip("interface", "%s", reason)
	}
	if r.Artifacts != nil {
		r.skip("artifact", "%s", reason)
	}
	if r.Provenance != nil {
		r.skip("provenance", "%s", reason)
	}
	if r.Chain != nil {
		r.skip("chain", "%s", reason)
	}
}

func finding(code seal.Code, tool, component, format string, args ...any) Finding {
	return Finding{Code: code, Name: code.Name(), Message: fmt.Sprintf(format, args...), Tool: tool, Component: component}
}

// open is steps 2 and 3: the envelope, every attestation, and only then the
// payload.
func (r *run) open(ctx context.Context, data []byte) bool {
	envelope, err := seal.ParseEnvelope(data)
	if err != nil {
		r.fail(seal.CodeOf(err, seal.CodeManifestParse), "%v", cause(err))
		return false
	}
	opened, err := envelope.Open(ctx, r.Keys, seal.OpenOptions{Now: r.now, AllowUnboundUnsafe: r.AllowUnboundUnsafe})
	if err != nil {
		var rejected *seal.OpenError
		if errors.As(err, &rejected) {
			r.rejections(rejected.Rejections, false)
		}
		if len(r.result.Errors) == 0 {
			r.fail(seal.CodeOf(err, seal.CodeSignatureInvalid), "%v", cause(err))
		}
		return false
	}
	r.opened = opened
	r.rejections(opened.Rejections, true)
	m := opened.Manifest
	r.result.ServerName, r.result.ServerVersion = m.Server.Name, m.Server.Version
	if name := opened.UnknownMember; name != "" {
		r.advise(seal.CodeUnknownMember, "the manifest has members that MIS does not know, such as %.200q; nothing here reads them", name)
	}
	for i := range m.Tools {
		r.checks[m.Tools[i].Name] = &toolChecks{sealed: &m.Tools[i]}
		r.order = append(r.order, m.Tools[i].Name)
	}
	return true
}

// rejections reports signatures that do not count. One that is wrong is an
// error wherever it stands; one by somebody unknown is an error only where no
// publisher's holds.
func (r *run) rejections(rejections []seal.Rejection, havePublisher bool) {
	for _, rej := range rejections {
		msg := fmt.Sprintf("signatures[%d]: %v", rej.Index, rej.Err.Err)
		switch code := rej.Err.Code; {
		case code == seal.CodeSignatureInvalid, code == seal.CodeSignatureKeyRevoked:
			r.fail(code, "%s", msg)
		case code == seal.CodeSignatureExpired && (rej.Role == seal.RolePublisher || rej.Role == ""):
			r.fail(code, "%s", msg) // what others said for a time is over without anybody's fault
		case !havePublisher && (rej.Role == seal.RolePublisher || rej.Role == ""):
			r.fail(code, "%s", msg)
		default:
			r.advise(code, "%s", msg)
		}
	}
}

// cause is the error without the code's name in front, which stands beside it.
func cause(err error) error {
	var e *seal.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// identity is decision 12: whose manifest is this, and whose should it be?
func (r *run) identity() {
	p := r.opened.Manifest.Server.Publisher
	signer := r.publisher()
	r.expected = r.IdentityExpected && signer.Unexpected == nil
	r.result.Publisher = &Publisher{
		ID: p.ID, Namespace: p.Namespace, KeyID: signer.KeyID, Thumbprint: signer.Thumbprint, Certificate: signer.Certificate,
		Expected: r.expected && (r.Namespace == "" || r.Namespace == p.Namespace),
	}
	for _, a := range r.opened.Attestations {
		if a.Role == seal.RolePublisher && !a.Bound {
			r.advise(seal.CodeAttestationUnbound, "signatures[%d]: the publisher's attestation has no signed statement: its time and expiry are not counted", a.Index)
		}
	}
	if r.Namespace != "" && p.Namespace != r.Namespace {
		r.fail(seal.CodeIdentityMismatch, "publisher namespace: got %.200q, want %q", p.Namespace, r.Namespace)
	}
	r.needed()
	if c := signer.Certificate; c != nil {
		r.certificate(*c)
	}
	if !r.expected {
		r.advise(seal.CodeIdentityNotExpected, "it is signed as %.200q by %s, and nobody said whose it should be", p.Namespace, signedBy(signer))
	}
}

// publisher is the publisher's attestation that says most: one that is expected
// before one that is not, and then a certificate, which names its source, before a
// key. Where the signatures stand decides nothing.
func (r *run) publisher() seal.Attestation {
	var all []seal.Attestation // never empty: Open gives none without a publisher
	for _, a := range r.opened.Attestations {
		if a.Role == seal.RolePublisher {
			all = append(all, a)
		}
	}
	rank := func(a seal.Attestation) int {
		n := 0
		if a.Unexpected != nil {
			n = 2
		}
		if a.Certificate == nil {
			n++
		}
		return n
	}
	return slices.MinFunc(all, func(a, b seal.Attestation) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Identity, b.Identity))
	})
}

// needed makes every expectation hold that the caller named: a key does not
// stand in for an identity, nor an identity for a key.
func (r *run) needed() {
	var key, certificate bool
	for _, a := range r.opened.Attestations {
		if a.Role == seal.RolePublisher && a.Unexpected == nil {
			key, certificate = key || a.Certificate == nil, certificate || a.Certificate != nil
		}
	}
	if r.NeedsKey && !key {
		r.fail(seal.CodeSignatureKeyNotFound, "a key was named, and none that was given has signed it")
	}
	if r.NeedsCertificate && !certificate {
		r.fail(seal.CodeIdentityMismatch, "an identity was named, and no certificate of whom you expect has signed it")
	}
}

func signedBy(a seal.Attestation) string {
	if c := a.Certificate; c != nil {
		return fmt.Sprintf("%.200q (issuer %.100q)", c.SAN, c.Issuer)
	}
	return fmt.Sprintf("keyid %.100q", a.KeyID)
}

// certificate compares the job that signed with the source that the manifest
// names. Where the namespace is what the caller expects, the repository must be
// the same (decision 12); else a release may be made in another one.
func (r *run) certificate(c seal.Certificate) {
	for _, t := range r.opened.Manifest.Tools {
		repo := ""
		if t.Provenance != nil {
			repo = t.Provenance.SourceRepo
		}
		if c.SourceRepositoryURI == "" || strings.EqualFold(repo, c.SourceRepositoryURI) {
			continue
		}
		say := r.advise
		if _, err := seal.NamespaceIdentity(r.Namespace); err == nil {
			say = r.fail
		}
		say(seal.CodeSourceMismatch, "tool %.100q: source_repo: got %.200q, want %q of the certificate that signed", t.Name, repo, c.SourceRepositoryURI)
		return
	}
}

// maxClockSkew is how far issued_at may lie ahead of our clock.
const maxClockSkew = 5 * time.Minute

func (r *run) times() {
	m := r.opened.Manifest
	if e := m.ExpiresAt; e != nil && !r.now.Before(e.Time) {
		r.advise(seal.CodeManifestExpired, "the manifest expired at %s: fetch it again", e.Format(time.RFC3339))
	}
	if ahead := m.IssuedAt.Sub(r.now); ahead > maxClockSkew {
		r.advise(seal.CodeIssuedInFuture, "issued_at is %s, %s ahead of this clock", m.IssuedAt.Format(time.RFC3339), ahead.Round(time.Second))
	}
}
