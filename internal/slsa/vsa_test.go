package slsa

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/seal"
)

var update = flag.Bool("update", false, "write the VSAs that slsa-verifier's own module checks")

// handover is where the nested module looks for VSAs of our making. It cannot
// import this package: the two modules want different versions of sigstore-go.
var handover = filepath.Join("..", "..", "cmd", "mcp-integrity-slsa", "testdata", "vsa")

// Keys of the RFCs, so that the files are the same at every run: RFC 8037 A.1
// and RFC 7515 A.3.1.
var vsaKeys = map[string]string{
	"ed25519": `{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
	"es256":   `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}`,
}

// vsaStatement is a summary as verify --vsa writes it.
func vsaStatement(t testing.TB, passed bool) []byte {
	t.Helper()
	level := 2
	artifact := seal.Artifact{Type: "npm", Identifier: "@acme/file-tools", Version: "1.2.4"}
	statement, err := provenance.NewVSA(provenance.VSA{
		Subjects: []provenance.Subject{{
			Name:   "acme-file-tools-1.2.4.tgz",
			Digest: map[string]string{"sha256": "5f2b1c8d9e0a4b7c6d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c"},
		}},
		Verifier: "https://mcp-integrity.org/verifier", VerifierVersion: map[string]string{"mcp-integrity": "1.0.0"},
		TimeVerified: seal.NewTimestamp(sealtest.Time), ResourceURI: provenance.ResourceURI(artifact),
		Policy:            provenance.Descriptor{URI: "https://mcp-integrity.org/policy/block_below_level_2"},
		InputAttestations: []provenance.Descriptor{{URI: "mcp-integrity.json", Digest: map[string]string{"sha256": strings.Repeat("0a", 32)}}},
		Passed:            passed, BuildLevel: &level, TrustLevel: 2,
		DependencyLevels: map[string]int{"SLSA_BUILD_LEVEL_1": 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	return statement
}

func vsaKey(t testing.TB, name string) keys.PrivateKey {
	t.Helper()
	k, err := keys.ParsePrivate([]byte(vsaKeys[name]))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestVSAsForSlsaVerifier holds the files in the nested module to what SignVSA
// writes: both kinds of key are deterministic.
func TestVSAsForSlsaVerifier(t *testing.T) {
	files := map[string][]byte{}
	for name := range vsaKeys {
		k := vsaKey(t, name)
		public, err := PublicPEM(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		files[name+".pub.pem"] = public
		for verdict, passed := range map[string]bool{"passed": true, "failed": false} {
			signed, err := SignVSA(vsaStatement(t, passed), k)
			if err != nil {
				t.Fatal(err)
			}
			files[name+"."+verdict+".json"] = append(signed, '\n')
		}
	}
	for name, want := range files {
		path := filepath.Join(handover, name)
		if *update {
			if err := os.MkdirAll(handover, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is stale (%v): go test ./internal/slsa -run %s -update", path, err, t.Name())
		}
	}
}

// The envelope is DSSE's own: another reader, standard base64, DER, no keyid.
func TestSignVSA(t *testing.T) {
	for _, alg := range keys.Algorithms {
		t.Run(string(alg), func(t *testing.T) {
			k, statement := sealtest.Key(t, alg, "k"), vsaStatement(t, true)
			signed, err := SignVSA(statement, k)
			if err != nil {
				t.Fatal(err)
			}
			var e struct {
				PayloadType string
				Payload     []byte
				Signatures  []map[string][]byte
			}
			if err := json.Unmarshal(signed, &e); err != nil {
				t.Fatal(err)
			}
			if e.PayloadType != "application/vnd.in-toto+json" || !bytes.Equal(e.Payload, statement) || len(e.Signatures) != 1 || len(e.Signatures[0]) != 1 {
				t.Fatalf("envelope %s", signed)
			}
			message := seal.PAE(e.PayloadType, e.Payload)
			switch key := k.Public().Key.(type) {
			case ed25519.PublicKey:
				if !ed25519.Verify(key, message, e.Signatures[0]["sig"]) {
					t.Error("the signature does not verify")
				}
			case *ecdsa.PublicKey:
				sum := sha256.Sum256(message)
				if !ecdsa.VerifyASN1(key, sum[:], e.Signatures[0]["sig"]) {
					t.Error("the signature does not verify as DER")
				}
			}
		})
	}
}

func TestSignVSARefuses(t *testing.T) {
	k, statement := vsaKey(t, "ed25519"), string(vsaStatement(t, true))
	for _, tt := range []struct {
		name, statement string
		key             keys.PrivateKey
		want            string
	}{
		{"no key", statement, keys.PrivateKey{}, "empty"},
		{"no JSON", "VSA", k, "strict JSON"},
		{"two values", statement + "{}", k, "strict JSON"},
		{"a member twice", strings.Replace(statement, `"_type"`, `"_type":"x","_type"`, 1), k, "strict JSON"},
		{"provenance", strings.Replace(statement, provenance.PredicateTypeVSA, "https://slsa.dev/provenance/v1", 1), k, "predicateType"},
		{"Statement v0.1", strings.Replace(statement, "Statement/v1", "Statement/v0.1", 1), k, "_type"},
		{"too large", statement + strings.Repeat(" ", maxVSA), k, "at most"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signed, err := SignVSA([]byte(tt.statement), tt.key)
			if err == nil || !strings.Contains(err.Error(), tt.want) || signed != nil {
				t.Errorf("%s, %v, want an error with %q", signed, err, tt.want)
			}
		})
	}
}

func TestPublicPEM(t *testing.T) {
	if _, err := PublicPEM(keys.PublicKey{}); err == nil {
		t.Error("an empty key was written")
	}
	for name := range vsaKeys {
		data, err := PublicPEM(vsaKey(t, name).Public())
		block, rest := pem.Decode(data)
		if err != nil || block == nil || block.Type != "PUBLIC KEY" || len(rest) > 0 {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}

// A small r or s has leading zeros in r‖s, and fewer bytes in DER.
func TestDerOf(t *testing.T) {
	sig := make([]byte, 64)
	sig[31], sig[32] = 1, 0x80
	got, err := seal.DER(sig)
	want := append([]byte{0x30, 0x26, 0x02, 0x01, 0x01, 0x02, 0x21, 0x00, 0x80}, make([]byte, 31)...)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v, want %x", got, err, want)
	}
	if _, err := seal.DER(sig[1:]); err == nil {
		t.Error("63 bytes were taken")
	}
}
