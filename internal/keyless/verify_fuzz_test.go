package keyless_test

import (
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/keyless/keylesstest"
)

// recorded are worlds whose roots and bundles are kept in files: the processes
// of a fuzzer must all know the same keys.
var recorded = map[string]keylesstest.Options{
	"rekor2": {}, "rekor1": {RekorV1: true}, "github": {NoLog: true, NoCT: true},
}

var record = flag.Bool("record", false, "make the recorded worlds of the fuzz targets anew")

// TestRecorded: what was recorded holds, however long ago that was.
func TestRecorded(t *testing.T) {
	for name, o := range recorded {
		if *record {
			s := keylesstest.New(t, o)
			write(t, name+".trusted_root.json", s.TrustedRoot())
			write(t, name+".statement.sigstore.json", s.Sign(t, statement).Bundle)
			write(t, name+".artifact.sigstore.json", s.SignArtifact(t, []byte("foo")).Bundle)
		}
		tr := trusting(t, read(t, name+".trusted_root.json"))
		if _, err := tr.Verify(read(t, name+".statement.sigstore.json")); err != nil {
			t.Error(err)
		}
		if _, err := tr.VerifyArtifact(read(t, name+".artifact.sigstore.json"), "sha256", foo[:]); err != nil {
			t.Error(err)
		}
	}
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile("testdata/recorded/"+name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/recorded/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// FuzzVerify: no bytes make it panic, every refusal has its stage, and what
// passes is what was signed.
func FuzzVerify(f *testing.F) {
	var all []*keyless.Trust
	for name := range recorded {
		all = append(all, trusting(f, read(f, name+".trusted_root.json")))
		f.Add(read(f, name+".statement.sigstore.json"))
		f.Add(read(f, name+".artifact.sigstore.json"))
	}
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"certificate":{}},"dsseEnvelope":{"payloadType":"application/vnd.in-toto+json","signatures":[{}]}}`))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle+json;version=0.1","verificationMaterial":{"x509CertificateChain":{"certificates":[{}]},"tlogEntries":[{}]},"messageSignature":{}}`))
	tr := keyless.Join(all...)
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := tr.Verify(data)
		judge(t, v, err)
		v, err = tr.VerifyArtifact(data, "sha256", foo[:])
		judge(t, v, err)
	})
}

func judge(t *testing.T, v *keyless.Verified, err error) {
	var e *keyless.Error
	switch {
	case err == nil && v.Statement != nil && string(v.Statement) != string(statement):
		t.Errorf("accepted %q, which nobody signed", v.Statement)
	case err == nil && (v.Time.IsZero() || v.Certificate.Issuer == "" || v.Key.KeyID == ""):
		t.Errorf("accepted without a fact: %+v", v)
	case err != nil && (v != nil || !errors.As(err, &e)):
		t.Errorf("refused without a stage: %v", err)
	case err != nil && len(err.Error()) > 600:
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

// FuzzParseTrustedRoot: no bytes make it panic, and what it takes has a name.
func FuzzParseTrustedRoot(f *testing.F) {
	var all []byte
	for name := range recorded {
		root := read(f, name+".trusted_root.json")
		f.Add(root)
		all = append(all, root...)
	}
	f.Add(all)
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","certificateAuthorities":[{"certChain":{"certificates":[{}]},"validFor":{"start":"2020-01-01T00:00:00Z"}}],"tlogs":[{"hashAlgorithm":"SHA2_256","logId":{"keyId":"AA=="},"publicKey":{"rawBytes":"AA=="}}]}`))
	bundle := read(f, "rekor2.statement.sigstore.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		tr, err := keyless.ParseTrustedRoot(data)
		if err != nil {
			if tr != nil || len(err.Error()) > 1000 {
				t.Errorf("trust %v with an error of %d bytes", tr, len(err.Error()))
			}
			return
		}
		if tr.Source() == "" {
			t.Error("a trust without a source")
		}
		v, err := tr.Verify(bundle)
		judge(t, v, err)
	})
}
