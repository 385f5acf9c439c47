package trust

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
)

// files is a Loader of keys that tests made, and of reasons why there are none.
type files struct {
	keys map[string]keys.PublicKey
	sets map[string]keys.Set
	errs map[string]error
	seen keys.Set
}

func (f files) Key(path string) (keys.PublicKey, error) {
	if k, ok := f.keys[path]; ok {
		return k, nil
	}
	return keys.PublicKey{}, fmt.Errorf("open %s: %w", path, fs.ErrNotExist)
}

func (f files) Revoked(context.Context, []keys.PublicKey) (keys.Set, error) { return f.seen, nil }

func (f files) Set(_ context.Context, source string, _ []keys.PublicKey) (keys.Set, error) {
	if s, ok := f.sets[source]; ok {
		return s, nil
	}
	if err := f.errs[source]; err != nil {
		return keys.Set{}, err
	}
	return keys.Set{}, fmt.Errorf("open %s: %w", source, fs.ErrNotExist)
}

// A scene is keys by name, an envelope of a manifest that is being attested, and
// a trust file.
type scene struct {
	t        *testing.T
	keys     map[string]keys.PrivateKey
	load     files
	envelope *seal.Envelope
}

func newScene(t *testing.T, names ...string) *scene {
	t.Helper()
	s := &scene{t: t, keys: map[string]keys.PrivateKey{}, load: files{keys: map[string]keys.PublicKey{}, sets: map[string]keys.Set{}, errs: map[string]error{}}}
	for _, name := range names {
		s.keys[name] = sealtest.Key(t, keys.Ed25519, name)
		s.load.keys[name] = s.keys[name].Public()
	}
	s.manifest(sealtest.Namespace)
	return s
}

// manifest begins an envelope of a manifest of that namespace.
func (s *scene) manifest(namespace string) {
	s.t.Helper()
	m := sealtest.Manifest(s.t, sealtest.Tools(s.t, 1)...)
	m.Server.Publisher.Namespace = namespace
	payload, err := seal.MarshalManifest(m)
	if err != nil {
		s.t.Fatal(err)
	}
	s.envelope = seal.NewEnvelope(payload)
}

func (s *scene) statement(role seal.Role, attestationType string) seal.Statement {
	st := seal.Statement{Role: role, Type: attestationType, Timestamp: seal.NewTimestamp(sealtest.Time)}
	if role == seal.RolePublisher {
		st = sealtest.Statement()
	}
	return st
}

// by attests with a key, so long after [sealtest.Time].
func (s *scene) by(key string, role seal.Role, attestationType string, after time.Duration) {
	s.t.Helper()
	st := s.statement(role, attestationType)
	st.Timestamp = seal.NewTimestamp(sealtest.Time.Add(after))
	if err := s.envelope.Attest(s.keys[key], st); err != nil {
		s.t.Fatal(err)
	}
}

// bundle is what a test has for a Sigstore bundle: the certificate stands in it,
// and nobody has to prove it.
type bundle struct {
	MediaType   string           `json:"mediaType"`
	Certificate seal.Certificate `json:"certificate"`
	Statement   []byte           `json:"statement"`
}

// as attests under a certificate.
func (s *scene) as(c seal.Certificate, role seal.Role, attestationType string) {
	s.t.Helper()
	st := s.statement(role, attestationType)
	body, err := seal.MarshalStatement(st, s.envelope.Payload)
	if err != nil {
		s.t.Fatal(err)
	}
	signed, err := json.Marshal(bundle{MediaType: "application/vnd.dev.sigstore.bundle.v0.3+json", Certificate: c, Statement: body})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.envelope.AttestSigned(sealtest.Key(s.t, keys.ES256, ""), st, signed); err != nil {
		s.t.Fatal(err)
	}
}

// verified is a Keyless that believes every certificate, and expects nobody.
func verified(_ context.Context, s seal.Signature, _ []byte) (seal.Authenticated, error) {
	raw, err := seal.StatementOf(s)
	if err != nil {
		return seal.Authenticated{}, err
	}
	var b bundle
	if err := json.Unmarshal(raw, &b); err != nil {
		return seal.Authenticated{}, err
	}
	return seal.Authenticated{
		KeyID: s.KeyID, Thumbprint: s.KeyID, Statement: b.Statement, Certificate: &b.Certificate,
		Roles: []seal.Role{seal.RolePublisher, seal.RoleAuditor}, Unexpected: errors.New("nobody was expected"),
	}, nil
}

func (s *scene) trust(text string) *Trust {
	s.t.Helper()
	c, err := Parse([]byte(text))
	if err != nil {
		s.t.Fatal(err)
	}
	trust, err := c.Resolve(s.t.Context(), s.load)
	if err != nil {
		s.t.Fatal(err)
	}
	return trust
}

// open returns one line for each attestation that counts, "HOLDER TYPE", with a
// "?" behind one that is unexpected, and for each that does not, "ROLE: CODE".
func (s *scene) open(a seal.Authenticator, now time.Time) []string {
	s.t.Helper()
	opened, err := s.envelope.Open(s.t.Context(), a, seal.OpenOptions{Now: now})
	var lines []string
	rejected := func(rejections []seal.Rejection) {
		for _, r := range rejections {
			lines = append(lines, fmt.Sprintf("%s: %s", r.Role, r.Err.Code.Name()))
		}
	}
	var none *seal.OpenError
	switch {
	case errors.As(err, &none):
		rejected(none.Rejections)
		return lines
	case err != nil:
		s.t.Fatal(err)
	}
	for _, a := range opened.Attestations {
		line := a.Holder + " " + a.Type
		if a.Unexpected != nil {
			line += "?"
		}
		lines = append(lines, line)
	}
	rejected(opened.Rejections)
	return lines
}

// job is the certificate of a workflow at a tag.
func job(repository, workflow, ref string) seal.Certificate {
	owner, _, _ := strings.Cut(repository, "/")
	uri := "https://github.com/" + repository
	return seal.Certificate{
		Issuer: seal.GitHubIssuer, SAN: uri + "/" + workflow + "@" + ref, BuildSignerURI: uri + "/" + workflow + "@" + ref,
		RunnerEnvironment: "github-hosted", SourceRepositoryURI: uri, SourceRef: ref, SourceOwnerURI: "https://github.com/" + owner,
	}
}
