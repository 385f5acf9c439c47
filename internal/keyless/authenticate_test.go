package keyless_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/keyless/keylesstest"
	"github.com/mcp-integrity/seal-action/seal"
)

const payload = `{"seal_version":"1.0"}`

var (
	manifest = seal.PAE(seal.PayloadType, []byte(payload))
	acme     = seal.Identity{Issuer: seal.GitHubIssuer, Repository: "https://github.com/acme/file-tools", Ref: "refs/tags/v*"}
	pub      = []seal.Role{seal.RolePublisher}
)

// attested is a keyless attestation of payload, as seal writes it.
func attested(t testing.TB, s *keylesstest.Sigstore) (seal.Signature, keylesstest.Signed) {
	t.Helper()
	body, err := seal.MarshalStatement(seal.Statement{
		Role: seal.RolePublisher, Type: seal.TypeManifestSigned, Timestamp: seal.Timestamp{Time: s.Clock().UTC().Truncate(time.Second)},
	}, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	signed := s.Sign(t, body)
	return signature(t, signed.Key, keyID(t, signed), signed.Bundle, manifest), signed
}

func signature(t testing.TB, key *ecdsa.PrivateKey, keyID string, statement, message []byte) seal.Signature {
	t.Helper()
	details, err := json.Marshal(map[string]json.RawMessage{"statement": statement})
	if err != nil {
		t.Fatal(err)
	}
	return seal.Signature{KeyID: keyID, Sig: es256(t, key, message), Details: details}
}

// es256 is r‖s (decision 6).
func es256(t testing.TB, key *ecdsa.PrivateKey, message []byte) []byte {
	t.Helper()
	digest := sha256.Sum256(message)
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}

func keyID(t testing.TB, s keylesstest.Signed) string {
	t.Helper()
	return fmt.Sprintf("%x", sha256.Sum256(s.Certificate.RawSubjectPublicKeyInfo))
}

func TestAuthenticate(t *testing.T) {
	for name, o := range worlds {
		t.Run(name, func(t *testing.T) {
			s := keylesstest.New(t, o)
			sig, signed := attested(t, s)
			a := keyless.Authenticator{Trust: trusting(t, s.TrustedRoot()), Expected: []seal.Identity{acme}, Roles: pub}
			got, err := a.Authenticate(t.Context(), sig, manifest)
			if err != nil {
				t.Fatal(err)
			}
			if got.KeyID != sig.KeyID || got.Thumbprint == "" || got.Unexpected != nil || time.Since(got.Time).Abs() > time.Minute {
				t.Errorf("got %+v", got)
			}
			if diff := cmp.Diff(&s.Identity, got.Certificate); diff != "" {
				t.Errorf("certificate (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(pub, got.Roles); diff != "" {
				t.Errorf("roles (-want +got):\n%s", diff)
			}
			if _, err := seal.ParseStatement(got.Statement, []byte(payload)); err != nil || !strings.Contains(string(signed.Bundle), "dsseEnvelope") {
				t.Errorf("statement: %v", err)
			}
		})
	}
}

// TestAuthenticateRefuses: sig and statement are one attestation under one key.
func TestAuthenticateRefuses(t *testing.T) {
	s, elsewhere := keylesstest.New(t, keylesstest.Options{}), keylesstest.New(t, keylesstest.Options{Name: "elsewhere"})
	sig, signed := attested(t, s)
	other, otherSigned := attested(t, s)
	foreign, _ := attested(t, elsewhere)
	change := func(f func(*seal.Signature)) seal.Signature { c := sig; f(&c); return c }
	for _, c := range []struct {
		name string
		sig  seal.Signature
		code seal.Code
		want string
	}{
		{"no details", seal.Signature{KeyID: sig.KeyID, Sig: sig.Sig}, seal.CodeSignatureKeyNotFound, "no Sigstore bundle"},
		{"no statement", change(func(s *seal.Signature) { s.Details = []byte(`{"note":1}`) }), seal.CodeSignatureKeyNotFound, "no Sigstore bundle"},
		{"a JWK signer's", change(func(s *seal.Signature) {
			s.Details = []byte(`{"statement":{"payloadType":"x","payload":"","signatures":[]}}`)
		}), seal.CodeSignatureKeyNotFound, "no Sigstore bundle"},
		{"details no object", change(func(s *seal.Signature) { s.Details = []byte(`[]`) }), seal.CodeSignatureInvalid, "details"},
		{"another authority", foreign, seal.CodeSignatureKeyNotFound, "authority"},
		{"bundle of a form unknown", change(func(s *seal.Signature) {
			s.Details = []byte(`{"statement":{"mediaType":"application/vnd.dev.sigstore.bundle.v0.9+json"}}`)
		}), seal.CodeSignatureInvalid, "bundle"},
		{"bundle signed by another key than sig", change(func(s *seal.Signature) { s.Details = other.Details }), seal.CodeSignatureInvalid, "want " + other.KeyID},
		{"that, and its key's label", change(func(s *seal.Signature) { s.Details, s.KeyID = other.Details, other.KeyID }), seal.CodeSignatureInvalid, "sig, under the key of the bundle's certificate"},
		{"sig by another key", change(func(s *seal.Signature) { s.Sig = es256(t, otherSigned.Key, manifest) }), seal.CodeSignatureInvalid, "sig, under"},
		{"sig of another payload", change(func(s *seal.Signature) {
			s.Sig = es256(t, signed.Key, seal.PAE(seal.PayloadType, []byte(`{}`)))
		}), seal.CodeSignatureInvalid, "sig, under"},
		{"sig of the bare payload", change(func(s *seal.Signature) { s.Sig = es256(t, signed.Key, []byte(payload)) }), seal.CodeSignatureInvalid, "sig, under"},
		{"sig is the statement's", change(func(s *seal.Signature) {
			s.Sig = es256(t, signed.Key, seal.PAE(seal.StatementPayloadType, []byte(payload)))
		}), seal.CodeSignatureInvalid, "sig, under"},
		{"no sig", change(func(s *seal.Signature) { s.Sig = nil }), seal.CodeSignatureInvalid, "no base64"},
		{"short sig", change(func(s *seal.Signature) { s.Sig = s.Sig[:63] }), seal.CodeSignatureInvalid, "63 bytes"},
		{"no label", change(func(s *seal.Signature) { s.KeyID = "" }), seal.CodeSignatureInvalid, "want " + sig.KeyID},
		{"label in capitals", change(func(s *seal.Signature) { s.KeyID = strings.ToUpper(s.KeyID) }), seal.CodeSignatureInvalid, "want " + sig.KeyID},
		{"artifact's bundle", signature(t, signed.Key, sig.KeyID, s.SignArtifact(t, []byte(payload)).Bundle, manifest), seal.CodeSignatureInvalid, "payload"},
		{"unlogged", signature(t, signed.Key, sig.KeyID, parsed(t, signed.Bundle).set(entries, nil).bytes(), manifest), seal.CodeSignatureInvalid, "log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := keyless.Authenticator{Trust: trusting(t, s.TrustedRoot()), Expected: []seal.Identity{acme}, Roles: pub}
			_, err := a.Authenticate(t.Context(), c.sig, manifest)
			wantCode(t, err, c.code, c.want)
		})
	}
}

func wantCode(t *testing.T, err error, code seal.Code, text string) {
	t.Helper()
	var e *seal.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v\nwant %s with %q", err, code.Name(), text)
	}
}

// TestExpected: look-alikes of the identity that is expected.
func TestExpected(t *testing.T) {
	exact := seal.Identity{
		Issuer: seal.GitHubIssuer, Repository: "https://github.com/acme/file-tools", Owner: "https://github.com/acme",
		Workflow: ".github/workflows/release.yml", Ref: "refs/tags/v*",
		SAN: "https://github.com/acme/file-tools/.github/workflows/release.yml@refs/tags/v*",
	}
	rename := func(old, now string) func(*seal.Certificate) {
		return func(c *seal.Certificate) {
			for _, m := range []*string{&c.SAN, &c.BuildSignerURI, &c.SourceRepositoryURI, &c.SourceOwnerURI, &c.BuildConfigURI, &c.RunInvocationURI} {
				*m = strings.ReplaceAll(*m, old, now)
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*seal.Certificate)
		want   string
	}{
		{"it", func(*seal.Certificate) {}, ""},
		{"repository with a suffix", rename("acme/file-tools", "acme/file-tools-evil"), "source repository"},
		{"repository as a prefix", rename("acme/file-tools", "acme/file"), "source repository"},
		{"owner with a suffix", rename("/acme", "/acme-evil"), "source repository"},
		{"owner with a prefix", rename("/acme", "/evil-acme"), "source repository"},
		{"another host", rename("https://github.com", "https://github.com.evil.example"), "source repository"},
		{"repository inside another", rename("https://github.com/acme", "https://github.com/evil/acme"), "source repository"},
		{"issuer with a suffix", func(c *seal.Certificate) { c.Issuer += ".evil.example" }, "issuer"},
		{"issuer's case", func(c *seal.Certificate) { c.Issuer = strings.ToUpper(c.Issuer) }, "issuer"},
		{"GitLab's issuer", func(c *seal.Certificate) { c.Issuer = seal.GitLabIssuer }, "issuer"},
		{"another workflow", rename("release.yml", "evil.yml"), "workflow"},
		{"workflow with a suffix", rename("release.yml", "release.yml.evil"), "workflow"},
		{"workflow of another repository", func(c *seal.Certificate) {
			c.BuildSignerURI = "https://github.com/evil/x/.github/workflows/release.yml@refs/tags/v1.2.4"
		}, "workflow"},
		{"a branch", func(c *seal.Certificate) { c.SourceRef = "refs/heads/v1.2.4" }, "ref"},
		{"a deeper tag", func(c *seal.Certificate) { c.SourceRef = "refs/tags/v1/evil" }, "ref"},
		{"ref with a prefix", func(c *seal.Certificate) { c.SourceRef = "x/refs/tags/v1.2.4" }, "ref"},
		{"subject of another", func(c *seal.Certificate) {
			c.SAN = "https://github.com/evil/x/.github/workflows/release.yml@refs/tags/v1.2.4"
		}, "subject"},
		{"self-hosted", func(c *seal.Certificate) { c.RunnerEnvironment = "self-hosted" }, "runner"},
		{"a person", func(c *seal.Certificate) { *c = seal.Certificate{Issuer: seal.GitHubIssuer, SAN: "a@b.example"} }, "source repository"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := keylesstest.New(t, keylesstest.Options{})
			c.change(&s.Identity)
			sig, _ := attested(t, s)
			a := keyless.Authenticator{Trust: trusting(t, s.TrustedRoot()), Expected: []seal.Identity{exact}, Roles: pub}
			got, err := a.Authenticate(t.Context(), sig, manifest)
			if c.want == "" {
				if err != nil || got.Unexpected != nil {
					t.Errorf("refused: %v, %v", err, got.Unexpected)
				}
				return
			}
			wantCode(t, err, seal.CodeIdentityMismatch, "not by whom was expected: "+c.want+": got ")
		})
	}
}

// TestSeveralExpected: one of them is enough, and where none is, the error is
// of the one that fits best.
func TestSeveralExpected(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	sig, _ := attested(t, s)
	stranger := seal.Identity{Issuer: seal.GitLabIssuer, Owner: "https://gitlab.com/acme"}
	near := acme
	near.Ref = "refs/heads/main"
	other := acme
	other.Repository = "https://github.com/acme/other"
	for _, c := range []struct {
		name     string
		expected []seal.Identity
		want     string
	}{
		{"the last of them", []seal.Identity{stranger, other, acme}, ""},
		{"near behind", []seal.Identity{stranger, other, near}, `ref: got "refs/tags/v1.2.4", want "refs/heads/main"`},
		{"near before", []seal.Identity{near, other, stranger}, `ref: got "refs/tags/v1.2.4", want "refs/heads/main"`},
		{"a stranger alone", []seal.Identity{stranger}, `issuer: got "https://token.actions.githubusercontent.com"`},
		{"nobody named", []seal.Identity{{Issuer: seal.GitHubIssuer}}, "name a repository"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := keyless.Authenticator{Trust: trusting(t, s.TrustedRoot()), Expected: c.expected, Roles: pub}
			_, err := a.Authenticate(t.Context(), sig, manifest)
			if c.want != "" {
				wantCode(t, err, seal.CodeIdentityMismatch, c.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNobodyExpected: authentic, and no more than that (decision 12).
func TestNobodyExpected(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	sig, _ := attested(t, s)
	got, err := keyless.Authenticator{Trust: trusting(t, s.TrustedRoot()), Roles: pub}.Authenticate(t.Context(), sig, manifest)
	if err != nil || got.Certificate == nil {
		t.Fatal(err)
	}
	wantCode(t, got.Unexpected, seal.CodeIdentityNotExpected, s.Identity.SAN)
}

// TestOpen: the whole way, by the envelope's own reader.
func TestOpen(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	now := s.Clock()
	s.Clock = func() time.Time { return now } // the label and the statement name one second
	sig, _ := attested(t, s)
	sig.Role, sig.Type = seal.RolePublisher, seal.TypeManifestSigned
	stamp := seal.Timestamp{Time: now.UTC().Truncate(time.Second)}
	sig.Timestamp = &stamp
	e := &seal.Envelope{Payload: []byte(payload), Signatures: []seal.Signature{sig}}
	a := keyless.Authenticator{Trust: trusting(t, s.TrustedRoot()), Expected: []seal.Identity{acme}, Roles: pub}
	// The payload is no manifest, which is what comes after the signatures.
	_, err := e.Open(t.Context(), a, seal.OpenOptions{Now: s.Clock()})
	if got := seal.CodeOf(err, 0); got != seal.CodeManifestParse && got != seal.CodeManifestVersionUnsupported {
		t.Errorf("got %v", err)
	}
	e.Signatures[0].Type = "namespace_verified"
	_, err = e.Open(t.Context(), a, seal.OpenOptions{Now: s.Clock()})
	wantCode(t, err, seal.CodeSignatureInvalid, "label attestation_type")
}
