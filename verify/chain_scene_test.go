package verify_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

// shelf is a [verify.ChainSource] of ours.
type shelf struct {
	envelopes map[digest.Digest][]byte
	list      []digest.Digest
	// errs are answered in the place of envelopes; listErr ends the list.
	errs    map[digest.Digest]error
	listErr error
	asked   []digest.Digest
}

func (s *shelf) Release(_ context.Context, d digest.Digest) ([]byte, error) {
	s.asked = append(s.asked, d)
	if err := s.errs[d]; err != nil {
		return nil, err
	}
	if data, ok := s.envelopes[d]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("%w: %s", verify.ErrNoRelease, d)
}

func (s *shelf) Releases(context.Context) iter.Seq2[digest.Digest, error] {
	return func(yield func(digest.Digest, error) bool) {
		for _, d := range s.list {
			if !yield(d, nil) {
				return
			}
		}
		if s.listErr != nil {
			yield("", s.listErr)
		}
	}
}

// put makes the shelf show an envelope under the digest of its payload.
func (s *shelf) put(t testing.TB, e *seal.Envelope) digest.Digest {
	t.Helper()
	d := e.PayloadDigest(digest.SHA256)
	s.envelopes[d] = sealtest.Marshal(t, e)
	s.list = append(s.list, d)
	return d
}

func (s *shelf) remove(d digest.Digest) {
	delete(s.envelopes, d)
	s.list = slices.DeleteFunc(s.list, func(o digest.Digest) bool { return o == d })
}

// job is a [seal.Signer] whose key is known as that of a certificate.
type job struct {
	keys.PrivateKey
	cert seal.Certificate
}

// trust is an authenticator that knows keys, and jobs by their certificates.
type trust struct {
	keys     seal.Keys
	jobs     []job
	revoked  map[string]bool
	stranger map[string]bool // whose certificates are nobody's who is expected
}

func (a *trust) Authenticate(ctx context.Context, s seal.Signature, message []byte) (seal.Authenticated, error) {
	if a.revoked[s.KeyID] {
		return seal.Authenticated{}, &seal.Error{Code: seal.CodeSignatureKeyRevoked, Err: errors.New("it is revoked")}
	}
	for _, j := range a.jobs {
		if j.KeyID() != s.KeyID {
			continue
		}
		auth, err := sealtest.Keys(j.PrivateKey).Authenticate(ctx, s, message)
		if auth.Certificate = &j.cert; a.stranger[s.KeyID] {
			auth.Unexpected = &seal.Error{Code: seal.CodeIdentityMismatch, Err: errors.New("nobody expects it")}
		}
		return auth, err
	}
	return a.keys.Authenticate(ctx, s, message)
}

// history is a server's releases, each sealed onto the last, and a verification
// of the newest that passes.
type history struct {
	*scene
	source *shelf
	trust  *trust
	// made are the releases so far, oldest first.
	made []made
}

type made struct {
	manifest *seal.Manifest
	envelope *seal.Envelope
	digest   digest.Digest
}

// newHistory makes n releases, 1.0.0 to 1.(n-1).0, a day apart.
func newHistory(t testing.TB, n int) *history {
	t.Helper()
	key := sealtest.Key(t, keys.Ed25519, "acme-2026")
	h := &history{
		source: &shelf{envelopes: map[digest.Digest][]byte{}, errs: map[digest.Digest]error{}},
		trust:  &trust{keys: sealtest.Keys(key), revoked: map[string]bool{}, stranger: map[string]bool{}},
	}
	tools := sealtest.Tools(t, 2)
	h.scene = &scene{
		key:  key,
		live: &server{Observation: verify.Observation{Observed: verify.Live, Server: fingerprint.ServerInfo{Name: "acme-file-tools"}, Tools: tools}},
	}
	h.v = verify.Verifier{
		Keys: h.trust, Namespace: sealtest.Namespace, IdentityExpected: true, Chain: h.source,
		Policy: seal.DefaultPolicy, Now: func() time.Time { return sealtest.Time.Add(100 * 365 * 24 * time.Hour) },
	}
	for range n {
		h.release(t, nil)
	}
	return h
}

// next is the manifest that comes after one: nil for a first release.
func (h *history) next(t testing.TB, previous *made) *seal.Manifest {
	t.Helper()
	n := len(h.made)
	m := sealtest.Manifest(t, h.live.Tools...)
	setVersion(m, fmt.Sprintf("1.%d.0", n))
	m.IssuedAt = seal.NewTimestamp(sealtest.Time.Add(time.Duration(n) * 24 * time.Hour))
	if previous != nil {
		link(t, m, previous)
	}
	return m
}

func setVersion(m *seal.Manifest, version string) {
	m.Server.Version = version
	for i := range m.Tools {
		m.Tools[i].Version = version
		m.Tools[i].Artifact = &seal.Artifact{Type: seal.NPM, Identifier: "acme", Version: version, Digest: digest.FromString(version)}
	}
}

// link makes m follow a release, and say so truthfully.
func link(t testing.TB, m *seal.Manifest, previous *made) {
	t.Helper()
	l := lineage.Link{PreviousVersion: lineage.VersionOf(previous.manifest), Digest: previous.digest}
	entries := lineage.Entries(lineage.Classes{}, previous.manifest, m, nil)
	for i := range m.Tools {
		m.Tools[i].Lineage = l.Lineage(entries[m.Tools[i].Name])
	}
}

// relink sets the link alone: what changed stays as it was said.
func relink(m *seal.Manifest, l lineage.Link) {
	for i := range m.Tools {
		var changes []seal.Change
		if o := m.Tools[i].Lineage; o != nil {
			changes = o.Changes
		}
		m.Tools[i].Lineage = l.Lineage(changes)
	}
}

// add signs a manifest, by the usual key where nobody is named, and puts it on
// the shelf.
func (h *history) add(t testing.TB, m *seal.Manifest, by ...seal.Signer) *made {
	t.Helper()
	if len(by) == 0 {
		by = []seal.Signer{h.key}
	}
	e := sealtest.Seal(t, m, by...)
	h.made = append(h.made, made{m, e, h.source.put(t, e)})
	return h.last()
}

func (h *history) last() *made {
	if len(h.made) == 0 {
		return nil
	}
	return &h.made[len(h.made)-1]
}

// release adds a release onto the last one, changed before its changes are stated.
func (h *history) release(t testing.TB, change func(m *seal.Manifest), by ...seal.Signer) *made {
	t.Helper()
	m := h.next(t, nil)
	if change != nil {
		change(m)
	}
	if last := h.last(); last != nil {
		link(t, m, last)
	}
	return h.add(t, m, by...)
}

// rerooted adds a release that begins a new chain.
func (h *history) rerooted(t testing.TB, reason string) *made {
	t.Helper()
	m := h.next(t, nil)
	payload, err := seal.MarshalManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	e, s := seal.NewEnvelope(payload), sealtest.Statement()
	s.Reroot = reason
	if err := e.Attest(h.key, s); err != nil {
		t.Fatal(err)
	}
	h.made = append(h.made, made{m, e, h.source.put(t, e)})
	return h.last()
}

// run verifies the newest release.
func (h *history) run(t *testing.T) *verify.Result { return h.verify(t, *h.last()) }

func (h *history) verify(t *testing.T, m made) *verify.Result {
	t.Helper()
	h.live.Server.Version = m.manifest.Server.Version
	h.v.Server = *h.live
	result := h.v.Verify(t.Context(), sealtest.Marshal(t, m.envelope))
	followsSchema(t, result)
	return result
}

// job makes a signer with a certificate of the usual repository.
func (h *history) job(t testing.TB, change func(c *seal.Certificate)) job {
	t.Helper()
	j := job{PrivateKey: sealtest.Key(t, keys.ES256, "job-"+strconv.Itoa(len(h.trust.jobs)))}
	const repo = "https://github.com/acme/file-tools"
	j.cert = seal.Certificate{
		Issuer: seal.GitHubIssuer, SAN: repo + "/.github/workflows/release.yml@refs/tags/v1",
		BuildSignerURI:      repo + "/.github/workflows/release.yml@refs/tags/v" + strconv.Itoa(len(h.trust.jobs)),
		SourceRepositoryURI: repo, SourceRepositoryID: "1001", SourceOwnerURI: "https://github.com/acme", SourceOwnerID: "77",
		RunnerEnvironment: "github-hosted",
	}
	if change != nil {
		change(&j.cert)
	}
	h.trust.jobs = append(h.trust.jobs, j)
	return j
}
