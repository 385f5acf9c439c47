package conformance

import (
	"encoding/hex"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/seal"
)

// wycheproofFile is what is read of a file of Project Wycheproof.
type wycheproofFile struct {
	NumberOfTests int `json:"numberOfTests"`
	Groups        []struct {
		Key struct {
			// PK is a raw Ed25519 key, Uncompressed a point 04‖x‖y of P-256, in
			// hexadecimal digits.
			PK           string `json:"pk"`
			Uncompressed string `json:"uncompressed"`
		} `json:"publicKey"`
		JWK   jsontext.Value   `json:"publicKeyJwk"`
		Tests []wycheproofTest `json:"tests"`
	} `json:"testGroups"`
}

type wycheproofTest struct {
	ID      int      `json:"tcId"`
	Comment string   `json:"comment"`
	Flags   []string `json:"flags"`
	Msg     hexText  `json:"msg"`
	Sig     hexText  `json:"sig"`
	Result  string   `json:"result"`
}

// hexText is bytes in hexadecimal digits.
type hexText []byte

func (h *hexText) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

// TestWycheproof runs Project Wycheproof's signatures through our keys.
//
// "valid" must verify and "invalid" must not. "acceptable" is for what
// libraries may treat either way; we want to have chosen, so a test of that
// kind, of which there is none in these two files, fails until it is looked at.
// Signatures of P-256 are IEEE P1363's r‖s, which is JOSE's: 64 bytes, and of
// any other size, also of r and s that would fit, invalid to Wycheproof and us.
func TestWycheproof(t *testing.T) {
	for _, name := range []string{"ed25519_test.json", "ecdsa_secp256r1_sha256_p1363_test.json"} {
		t.Run(name, func(t *testing.T) {
			var file wycheproofFile
			if err := json.Unmarshal(external(t, wycheproof, "testvectors_v1/"+name), &file); err != nil {
				t.Fatal(err)
			}
			count := map[string]int{}
			for _, g := range file.Groups {
				public := []seal.PublicKey{wycheproofKey(t, rawJWK(t, g.Key.PK, g.Key.Uncompressed))}
				if g.JWK != nil {
					public = append(public, wycheproofKey(t, g.JWK))
				}
				for _, test := range g.Tests {
					count[test.Result]++
					for _, key := range public {
						test.run(t, key)
					}
				}
			}
			if total := count["valid"] + count["invalid"]; total != file.NumberOfTests || count["valid"] < 80 || count["invalid"] < 60 {
				t.Errorf("ran %v, want %d in all, and many of both", count, file.NumberOfTests)
			}
			t.Logf("%v", count)
		})
	}
}

func (test wycheproofTest) run(t *testing.T, key seal.PublicKey) {
	errs := map[string]error{"Verify": key.Verify(test.Msg, test.Sig)}
	public := seal.Keys{Public: []seal.PublicKey{key}, Roles: []seal.Role{seal.RolePublisher}}
	_, errs["Authenticate"] = public.Authenticate(t.Context(), seal.Signature{KeyID: key.KeyID, Sig: test.Sig}, test.Msg)
	for entry, err := range errs {
		switch {
		case test.Result != "valid" && test.Result != "invalid":
			t.Errorf("test %d (%s, %v): result %q, want valid or invalid", test.ID, test.Comment, test.Flags, test.Result)
		case (err == nil) != (test.Result == "valid"):
			t.Errorf("test %d (%s, %v): %s gives %v, want %s", test.ID, test.Comment, test.Flags, entry, err, test.Result)
		case err == nil && len(test.Sig) != 64:
			t.Errorf("test %d (%s): %s accepts %d bytes, want 64", test.ID, test.Comment, entry, len(test.Sig))
		}
	}
}

// rawJWK makes a JWK of Wycheproof's raw form of a key.
func rawJWK(t *testing.T, pk, uncompressed string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(pk + uncompressed)
	if err != nil {
		t.Fatal(err)
	}
	jwk := map[string]string{"kty": "OKP", "crv": "Ed25519", "x": base64url(raw)}
	if pk == "" {
		if len(raw) != 65 || raw[0] != 4 {
			t.Fatalf("key %q, want an uncompressed point of P-256", uncompressed)
		}
		jwk = map[string]string{"kty": "EC", "crv": "P-256", "x": base64url(raw[1:33]), "y": base64url(raw[33:])}
	}
	data, err := json.Marshal(jwk)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func wycheproofKey(t *testing.T, jwk []byte) seal.PublicKey {
	t.Helper()
	key, err := keys.ParsePublic(jwk)
	if err != nil {
		t.Fatalf("%s: %v", jwk, err)
	}
	return key.Seal()
}
