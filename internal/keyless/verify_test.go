package keyless_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/keyless/keylesstest"
	"github.com/mcp-integrity/seal-action/seal"
)

// foo is an artifact, statement is about it.
var foo = sha256.Sum256([]byte("foo"))

var statement = []byte(fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":"%x"}}],`+
	`"predicateType":"https://slsa.dev/provenance/v1","predicate":{"n":1}}`, foo))

// worlds are the instances that there are.
var worlds = map[string]keylesstest.Options{
	"public, Rekor v2":             {},
	"public, Rekor v1":             {RekorV1: true},
	"public, Rekor v1, no TSA":     {RekorV1: true, NoTSA: true},
	"GitHub's own":                 {NoLog: true, NoCT: true},
	"private, no CT":               {NoCT: true},
	"private, SCTs without a log":  {NoLog: true},
	"private, Rekor v1 without CT": {RekorV1: true, NoCT: true},
}

func trusting(t testing.TB, roots ...[]byte) *keyless.Trust {
	t.Helper()
	var lines []byte
	for _, r := range roots {
		lines = append(append(lines, r...), '\n')
	}
	tr, err := keyless.ParseTrustedRoot(lines)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// wantStage fails unless err is an error of that stage whose text has part.
func wantStage(t testing.TB, err error, stage keyless.Stage, part string) {
	t.Helper()
	var e *keyless.Error
	if !errors.As(err, &e) || e.Stage != stage || !strings.Contains(err.Error(), part) {
		t.Errorf("got %v\nwant an error of stage %q with %q", err, stage, part)
	}
	if err != nil && len(err.Error()) > 600 {
		t.Errorf("an error of %d bytes: %v", len(err.Error()), err)
	}
}

func TestVerify(t *testing.T) {
	for name, o := range worlds {
		t.Run(name, func(t *testing.T) {
			s := keylesstest.New(t, o)
			tr := trusting(t, s.TrustedRoot())
			signed := s.Sign(t, statement)
			v, err := tr.Verify(signed.Bundle)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.Identity, v.Certificate); diff != "" {
				t.Errorf("certificate (-want +got):\n%s", diff)
			}
			if string(v.Statement) != string(statement) {
				t.Errorf("statement: got %s", v.Statement)
			}
			spki, err := x509.MarshalPKIXPublicKey(&signed.Key.PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("%x", sha256.Sum256(spki)); v.Key.KeyID != want {
				t.Errorf("key id: got %s, want %s", v.Key.KeyID, want)
			}
			if !signed.Key.PublicKey.Equal(v.Key.Key) {
				t.Error("another key than the certificate's")
			}
			if v.Logged == o.NoLog {
				t.Errorf("logged: got %v", v.Logged)
			}
			stamps := 2
			if !o.RekorV1 || o.NoTSA {
				stamps = 1
			}
			if len(v.Times) != stamps || v.Time != v.Times[0].Time || time.Since(v.Time).Abs() > time.Minute || v.Time.Location() != time.UTC {
				t.Errorf("time: got %s of %v", v.Time, v.Times)
			}
			if !v.NotBefore.Equal(signed.Certificate.NotBefore) || !v.NotAfter.Equal(signed.Certificate.NotAfter) {
				t.Errorf("life: got %s to %s", v.NotBefore, v.NotAfter)
			}
			if v.Root != `"keylesstest"` || tr.Source() != `given trusted root of "keylesstest"` {
				t.Errorf("root %s of %s", v.Root, tr.Source())
			}
		})
	}
}

func TestThumbprint(t *testing.T) {
	// RFC 7638 §3: the members in order, nothing else.
	s := keylesstest.New(t, keylesstest.Options{NoLog: true, NoCT: true})
	v, err := trusting(t, s.TrustedRoot()).Verify(s.Sign(t, statement).Bundle)
	if err != nil {
		t.Fatal(err)
	}
	key := v.Key.Key.(*ecdsa.PublicKey)
	point, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if want := thumbprint(point[1:33], point[33:]); v.Key.Thumbprint != want {
		t.Errorf("got %s, want %s", v.Key.Thumbprint, want)
	}
}

func TestVerifyArtifact(t *testing.T) {
	for name, o := range worlds {
		t.Run(name, func(t *testing.T) {
			s := keylesstest.New(t, o)
			tr := trusting(t, s.TrustedRoot())
			raw, about := s.SignArtifact(t, []byte("foo")).Bundle, s.Sign(t, statement).Bundle
			v, err := tr.VerifyArtifact(raw, "sha256", foo[:])
			if err != nil || v.Statement != nil {
				t.Errorf("artifact: %v", err)
			}
			if v, err = tr.VerifyArtifact(about, "sha256", foo[:]); err != nil || string(v.Statement) != string(statement) {
				t.Errorf("statement about it: %v", err)
			}
			bar := sha256.Sum256([]byte("bar"))
			_, err = tr.VerifyArtifact(raw, "sha256", bar[:])
			wantStage(t, err, keyless.StageSignature, "artifact does not match digest")
			_, err = tr.VerifyArtifact(about, "sha256", bar[:])
			wantStage(t, err, keyless.StagePayload, "none of the statement's 1 subjects has the digest sha256:"+hex.EncodeToString(bar[:]))
			_, err = tr.VerifyArtifact(about, "sha512", make([]byte, 64))
			wantStage(t, err, keyless.StagePayload, "none of the statement's 1 subjects")
			_, err = tr.VerifyArtifact(raw, "sha512", make([]byte, 64))
			wantStage(t, err, keyless.StagePayload, "signs a sha256 digest")
			_, err = tr.VerifyArtifact(raw, "sha256", foo[:31])
			wantStage(t, err, keyless.StagePayload, "a digest of 31 bytes")
			_, err = tr.VerifyArtifact(raw, "md5", foo[:16])
			wantStage(t, err, keyless.StagePayload, "md5")
			_, err = tr.Verify(raw)
			wantStage(t, err, keyless.StagePayload, "it signs an artifact's bytes")
		})
	}
}

// TestPayloads: what is signed must be strict JSON of in-toto's type.
func TestPayloads(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	tr := trusting(t, s.TrustedRoot())
	for name, c := range map[string]struct{ kind, payload, want string }{
		"manifest itself":   {seal.PayloadType, `{}`, `payloadType: got "application/vnd.mcp-integrity.manifest+json"`},
		"no type":           {"", `{}`, `payloadType: got ""`},
		"type with a space": {seal.StatementPayloadType + " ", string(statement), "payloadType"},
		"no JSON":           {seal.StatementPayloadType, `foo`, "statement"},
		"duplicate member":  {seal.StatementPayloadType, `{"_type":"a","_type":"b"}`, "duplicate"},
		"text behind":       {seal.StatementPayloadType, `{}{}`, ""},
		"empty":             {seal.StatementPayloadType, ``, ""},
	} {
		_, err := tr.Verify(s.SignPayload(t, c.kind, []byte(c.payload)).Bundle)
		if name == "empty" { // protobuf JSON reads "" as no payload at all
			if err == nil {
				t.Error("an empty payload is accepted")
			}
			continue
		}
		wantStage(t, err, keyless.StagePayload, c.want)
	}
	// A statement whose type is foreign is the caller's to refuse, but about no
	// artifact.
	strange := s.Sign(t, []byte(strings.Replace(string(statement), "Statement/v1", "Statement/v9", 1)))
	if _, err := tr.Verify(strange.Bundle); err != nil {
		t.Error(err)
	}
	_, err := tr.VerifyArtifact(strange.Bundle, "sha256", foo[:])
	wantStage(t, err, keyless.StagePayload, `_type: got "https://in-toto.io/Statement/v9"`)
	// A member's name is compared exactly.
	shadow := s.Sign(t, []byte(fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","Subject":[{"name":"a","digest":{"sha256":"%x"}}],"predicateType":"x","predicate":{}}`, foo)))
	_, err = tr.VerifyArtifact(shadow.Bundle, "sha256", foo[:])
	wantStage(t, err, keyless.StagePayload, "none of the statement's 0 subjects")
}

// TestCertificates: what a certificate authority should not have issued.
func TestCertificates(t *testing.T) {
	other, err := url.Parse("https://github.com/evil/tool/.github/workflows/release.yml@refs/heads/main")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		stage  keyless.Stage
		want   string
	}{
		"two names":        {func(c *x509.Certificate) { c.URIs = append(c.URIs, other) }, keyless.StageCertificate, "2 subject alternative names"},
		"name and mail":    {func(c *x509.Certificate) { c.EmailAddresses = []string{"a@b.example"} }, keyless.StageCertificate, "2 subject alternative names"},
		"name and host":    {func(c *x509.Certificate) { c.DNSNames = []string{"b.example"} }, keyless.StageCertificate, "2 subject alternative names"},
		"no name":          {func(c *x509.Certificate) { c.URIs = nil }, keyless.StageCertificate, ""},
		"no issuer":        {func(c *x509.Certificate) { c.ExtraExtensions = c.ExtraExtensions[2:] }, keyless.StageCertificate, "no issuer"},
		"two issuers":      {func(c *x509.Certificate) { c.ExtraExtensions[0].Value = []byte("https://evil.example") }, keyless.StageCertificate, "two issuers"},
		"extension no DER": {func(c *x509.Certificate) { c.ExtraExtensions[3].Value = []byte("x") }, keyless.StageCertificate, ""},
		"rest behind DER":  {func(c *x509.Certificate) { c.ExtraExtensions[3].Value = append(c.ExtraExtensions[3].Value, 0) }, keyless.StageCertificate, ""},
		"over": {func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = c.NotBefore.Add(-time.Hour), c.NotBefore.Add(-time.Minute)
		}, keyless.StageCertificate, "leaf certificate verification failed"},
		"not yet":           {func(c *x509.Certificate) { c.NotBefore = c.NotBefore.Add(time.Minute) }, keyless.StageCertificate, "leaf certificate verification failed"},
		"for TLS servers":   {func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, keyless.StageCertificate, "leaf certificate verification failed"},
		"by issuer 1.1 too": {func(c *x509.Certificate) { c.ExtraExtensions = append(c.ExtraExtensions[:1], c.ExtraExtensions[2:]...) }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := keylesstest.New(t, keylesstest.Options{})
			template := s.Template()
			c.change(template)
			key := newKey(t, elliptic.P256())
			signed := s.SignWith(t, key, s.IssueFrom(template, &key.PublicKey), seal.StatementPayloadType, statement)
			v, err := trusting(t, s.TrustedRoot()).Verify(signed.Bundle)
			if c.stage == "" {
				if err != nil || v.Certificate.Issuer != seal.GitHubIssuer {
					t.Errorf("got %v", err)
				}
				return
			}
			wantStage(t, err, c.stage, c.want)
		})
	}
}

// TestEmailIdentity: a person's certificate has no job behind it.
func TestEmailIdentity(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	s.Identity = seal.Certificate{Issuer: "https://accounts.example", SAN: "a@b.example"}
	v, err := trusting(t, s.TrustedRoot()).Verify(s.Sign(t, statement).Bundle)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Identity, v.Certificate); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func newKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
