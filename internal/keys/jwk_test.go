package keys

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// edit returns the RFC's key with members set, or, for nil, left out.
func edit(t testing.TB, text string, changes map[string]any) string {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	maps.Copy(m, changes)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// secrets are the d of both RFC keys that the tables below start from.
var secrets = []string{"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}

type change = map[string]any

var refusedBoth = []struct {
	name   string
	from   string
	change change
	want   string // part of the error
}{
	{"RSA", rfc8037Private, change{"kty": "RSA"}, "forbids RSA"},
	{"symmetric", rfc8037Private, change{"kty": "oct"}, "symmetric"},
	{"no kty", rfc8037Private, change{"kty": nil}, `no member "kty"`},
	{"unknown kty", rfc8037Private, change{"kty": "AKP"}, `kty "AKP"`},
	{"kty in lower case", rfc8037Private, change{"kty": "okp"}, `kty "okp"`},
	{"X25519", rfc8037Private, change{"crv": "X25519"}, `crv "X25519"`},
	{"Ed448", rfc8037Private, change{"crv": "Ed448"}, `crv "Ed448"`},
	{"no crv", rfc8037Private, change{"crv": nil}, `crv ""`},
	{"P-384", rfc7515Private, change{"crv": "P-384"}, `crv "P-384"`},
	{"secp256k1", rfc7515Private, change{"crv": "secp256k1"}, `crv "secp256k1"`},
	{"EC with an OKP curve", rfc7515Private, change{"crv": "Ed25519"}, `crv "Ed25519"`},
	{"alg of the other kind", rfc8037Private, change{"alg": "ES256"}, `alg "ES256"`},
	{"alg of the other kind, EC", rfc7515Private, change{"alg": "EdDSA"}, `alg "EdDSA"`},
	{"alg none", rfc8037Private, change{"alg": "none"}, `alg "none"`},
	{"alg of key agreement", rfc7515Private, change{"alg": "ECDH-ES"}, `alg "ECDH-ES"`},
	{"use enc", rfc8037Private, change{"use": "enc"}, `use "enc"`},
	{"key_ops", rfc8037Private, change{"key_ops": []string{"deriveKey"}}, "key_ops"},
	{"key_ops not a list", rfc8037Private, change{"key_ops": "sign"}, `member "key_ops" is a JSON string`},
	{"kid a number", rfc8037Private, change{"kid": 1}, `member "kid" is a JSON number`},
	{"kid too long", rfc8037Private, change{"kid": strings.Repeat("k", maxKeyID+1)}, "kid of 257 bytes"},
	{"kid with a line end", rfc8037Private, change{"kid": "a\n::error::b"}, "U+000A"},
	{"kid with a bidi override", rfc8037Private, change{"kid": "a\u202eb"}, "U+202E"},
	{"no x", rfc8037Private, change{"x": nil}, `no member "x"`},
	{"no y", rfc7515Private, change{"y": nil}, `no member "y"`},
	{"x too short", rfc8037Private, change{"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUQ"}, "31 bytes, want 32"},
	{"x padded", rfc8037Private, change{"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="}, `member "x" is not base64url`},
	{"x with a stray bit", rfc8037Private, change{"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp"}, `member "x" is not base64url`},
	{"x with a line end", rfc8037Private, change{"x": "11qYAYKxCrfVS_7TyWQHOg7hcv\nPapiMlrwIaaPcHURo"}, `member "x" is not base64url`},
	{"x in the standard alphabet", rfc8037Private, change{"x": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo"}, `member "x" is not base64url`},
	{"x off the curve, Ed25519", rfc8037Private, change{"x": encodeHex("0200000000000000000000000000000000000000000000000000000000000000")}, "not a point of Ed25519"},
	{"x and y off the curve", rfc7515Private, change{"y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4"}, "not a point of P-256"},
	{"x over the field", rfc7515Private, change{"x": encodeHex(strings.Repeat("ff", 32))}, "not a point of P-256"},
}

var refusedPrivate = []struct {
	name   string
	from   string
	change change
	want   string
}{
	{"public", rfc8037Private, change{"d": nil}, `no member "d"`},
	{"key_ops of a verifier", rfc8037Private, change{"key_ops": []string{"verify"}}, `without "sign"`},
	{"d a number", rfc8037Private, change{"d": 123456789012345}, `member "d" is a JSON number`},
	{"d a list", rfc8037Private, change{"d": []string{"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}}, `member "d" is a JSON array`},
	{"d padded", rfc8037Private, change{"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="}, `member "d" is not base64url`},
	{"d too long", rfc8037Private, change{"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2AA"}, `member "d" has 33 bytes`},
	{"d with a stray bit", rfc8037Private, change{"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2B"}, `member "d" is not base64url`},
	{"d of another key", rfc8037Private, change{"d": "oWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}, "does not belong"},
	{"x of another key", rfc8037Private, change{"x": "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}, "does not belong"},
	{"d of another key, EC", rfc7515Private, change{"d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}, "does not belong"},
	{"d zero, EC", rfc7515Private, change{"d": encodeHex(strings.Repeat("00", 32))}, "order of P-256"},
	{"d over the order", rfc7515Private, change{"d": encodeHex(strings.Repeat("ff", 32))}, "order of P-256"},
	{"the RFC's key for encryption", rfc7517Private, nil, `use "enc"`},
}

func encodeHex(s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return encode(b)
}

func TestParsePrivateRefuses(t *testing.T) {
	for _, tt := range append(refusedBoth, refusedPrivate...) {
		t.Run(tt.name, func(t *testing.T) {
			text := edit(t, tt.from, tt.change)
			_, err := ParsePrivate([]byte(text))
			wantError(t, err, tt.want)
			if tt.name == "public" || tt.name == "key_ops of a verifier" {
				return
			}
			// A private JWK that serves as its public half is checked no less.
			_, err = ParsePublic([]byte(text))
			wantError(t, err, tt.want)
		})
	}
}

func TestParsePublicRefuses(t *testing.T) {
	for _, tt := range refusedBoth {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParsePublic([]byte(edit(t, edit(t, tt.from, change{"d": nil}), tt.change)))
			wantError(t, err, tt.want)
		})
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want an error with %q", want)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("error %q, want %q in it", err, want)
	}
	if len(err.Error()) > 600 {
		t.Errorf("error of %d bytes", len(err.Error()))
	}
	wantNoSecret(t, err.Error())
}

func wantNoSecret(t testing.TB, text string) {
	t.Helper()
	for _, d := range secrets {
		// Eight characters are 48 bits: more than any honest coincidence.
		for i := 0; i+8 <= len(d); i++ {
			if strings.Contains(text, d[i:i+8]) {
				t.Fatalf("%q shows the private part", text)
			}
		}
	}
}

func TestParseRefusesOtherTexts(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "not strict JSON"},
		{"null", "null", `no member "kty"`},
		{"array", "[]", "JSON array"},
		{"string", `"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"`, "JSON string"},
		{"PEM", "\n-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQ", "PEM"},
		{"JWKS", `{"keys":[]}`, "JWKS document"},
		{"cut off", rfc8037Private[:len(rfc8037Private)-30], "not strict JSON"},
		{"cut off inside d", rfc8037Private[:60], "not strict JSON"},
		{"two d", strings.Replace(rfc8037Private, `"x"`, `"d":"AAAA","x"`, 1), "stands twice"},
		{"behind the key", rfc8037Private + "x", "not strict JSON"},
		{"two keys", rfc8037Private + rfc8037Private, "not strict JSON"},
		{"d bare", strings.Replace(rfc8037Private, `"nWG`, `nWG`, 1), "not strict JSON"},
		{"invalid UTF-8 in d", strings.Replace(rfc8037Private, "nWG", "nWG\xff", 1), "not strict JSON"},
		{"lone surrogate in d", strings.Replace(rfc8037Private, "nWG", `nWG\ud800`, 1), "not strict JSON"},
		{"deep", strings.Repeat("[", 5000), "nested"},
		{"large", `{"kty":"` + strings.Repeat("x", maxJWK) + `"}`, "bytes, want 16384 at most"},
		{"D in upper case", strings.Replace(rfc8037Private, `"d"`, `"D"`, 1), `no member "d"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParsePrivate([]byte(tt.text))
			wantError(t, err, tt.want)
		})
	}
}

// The points whose order divides 8, by their encodings: under such a key one
// signature fits a quarter and more of all messages.
func TestSmallOrderRefused(t *testing.T) {
	for _, x := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000", // order 1
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // 2
		"0000000000000000000000000000000000000000000000000000000000000000", // 4
		"0000000000000000000000000000000000000000000000000000000000000080", // 4
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // 8
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85", // 8
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // 8
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", // 8
	} {
		_, err := ParsePublic([]byte(`{"kty":"OKP","crv":"Ed25519","x":"` + encodeHex(x) + `"}`))
		wantError(t, err, "small order")
	}
	for _, x := range []string{ // the same points and others, not reduced
		"0100000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		_, err := ParsePublic([]byte(`{"kty":"OKP","crv":"Ed25519","x":"` + encodeHex(x) + `"}`))
		if err == nil {
			t.Errorf("x %s was accepted", x)
		}
	}
}

func TestParseAccepts(t *testing.T) {
	for _, tt := range []struct {
		name, from string
		change     change
		kid        string
	}{
		{"as the RFC has it", rfc8037Private, nil, rfc8037Thumbprint},
		{"alg EdDSA", rfc8037Private, change{"alg": "EdDSA"}, rfc8037Thumbprint},
		{"alg Ed25519", rfc8037Private, change{"alg": "Ed25519", "use": "sig"}, rfc8037Thumbprint},
		{"null and empty", rfc8037Private, change{"alg": "", "kid": "", "use": ""}, rfc8037Thumbprint},
		{"kid", rfc8037Private, change{"kid": "schlüssel 2026"}, "schlüssel 2026"},
		{"key_ops", rfc8037Private, change{"key_ops": []string{"verify", "sign"}}, rfc8037Thumbprint},
		{"other members", rfc8037Private, change{"x5c": []string{"AA"}, "exp": 1, "D": "x"}, rfc8037Thumbprint},
		{"ES256", rfc7515Private, change{"alg": "ES256", "kid": "k"}, "k"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := edit(t, tt.from, tt.change)
			k := mustPrivate(t, text)
			if k.KeyID() != tt.kid {
				t.Errorf("kid %q, want %q", k.KeyID(), tt.kid)
			}
			public, err := ParsePublic([]byte(text))
			if err != nil || !public.Equal(k.Public()) {
				t.Errorf("as a public key: %v, %v", public, err)
			}
			public, err = ParsePublic([]byte(edit(t, edit(t, text, change{"d": nil}), change{"key_ops": nil})))
			if err != nil || !public.Equal(k.Public()) {
				t.Errorf("without d: %v, %v", public, err)
			}
		})
	}
}

func TestMarshalJWK(t *testing.T) {
	k := mustPrivate(t, rfc8037Private)
	got, err := k.MarshalJWK()
	want := `{"alg":"EdDSA","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","kty":"OKP","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	if err != nil || string(got) != want {
		t.Errorf("private JWK %s, %v, want %s", got, err, want)
	}
	got, err = mustPrivate(t, edit(t, rfc7515Private, change{"kid": "k"})).Public().MarshalJWK()
	want = `{"alg":"ES256","crv":"P-256","kid":"k","kty":"EC","use":"sig","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	if err != nil || string(got) != want {
		t.Errorf("public JWK %s, %v, want %s", got, err, want)
	}
	if _, err := (PrivateKey{}).MarshalJWK(); err == nil {
		t.Error("an empty private key was written")
	}
	if _, err := (PublicKey{}).MarshalJWK(); err == nil {
		t.Error("an empty public key was written")
	}
	if _, err := (PrivateKey{}).Sign(nil); err == nil {
		t.Error("an empty key signed")
	}
}

func TestGenerate(t *testing.T) {
	for _, alg := range Algorithms {
		for _, id := range []string{"", "my-publisher-key-2026"} {
			k, err := Generate(alg, id)
			if err != nil {
				t.Fatal(err)
			}
			if want := id; k.Algorithm() != alg || (want != "" && k.KeyID() != want) || (want == "" && k.KeyID() != k.Public().Thumbprint) {
				t.Errorf("%s %q: got %v", alg, id, k)
			}
			other, err := Generate(alg, id)
			if err != nil || other.Public().Thumbprint == k.Public().Thumbprint {
				t.Errorf("%s: the same key twice, %v", alg, err)
			}
			checkRoundTrip(t, k)
		}
	}
	if _, err := Generate("RS256", ""); err == nil || !strings.Contains(err.Error(), `"RS256"`) {
		t.Errorf("RS256: %v", err)
	}
	if _, err := Generate(Ed25519, "a\x1b[31m"); err == nil {
		t.Error("a kid with an escape sequence was accepted")
	}
}

// checkRoundTrip demands that what k writes reads back as k, here and in
// another implementation, and that signatures verify across.
func checkRoundTrip(t testing.TB, k PrivateKey) {
	t.Helper()
	text, err := k.MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	back := mustPrivate(t, string(text))
	if !back.Public().Equal(k.Public()) {
		t.Fatalf("%v reads back as %v", k, back)
	}
	message := []byte("message")
	sig, err := back.Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Public().Seal().Verify(message, sig); err != nil {
		t.Fatal(err)
	}
	var other jose.JSONWebKey
	if err := other.UnmarshalJSON(text); err != nil || !other.Valid() || other.KeyID != k.KeyID() {
		t.Fatalf("go-jose: %v, kid %q", err, other.KeyID)
	}
	checkAgainstJose(t, k.Public(), other.Public())
}

func checkAgainstJose(t testing.TB, k PublicKey, other jose.JSONWebKey) {
	t.Helper()
	sum, err := other.Thumbprint(hashSHA256)
	if err != nil || encode(sum) != k.Thumbprint {
		t.Fatalf("go-jose: thumbprint %s, %v, want %s", encode(sum), err, k.Thumbprint)
	}
	if !k.Key.(publicKey).Equal(other.Key) {
		t.Fatal("go-jose reads another key")
	}
}

func TestFormattingHidesPrivatePart(t *testing.T) {
	k := mustPrivate(t, rfc8037Private)
	raw := fmt.Sprintf("%d", k.secret())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T %[1]v"} {
		for _, v := range []any{k, &k, []PrivateKey{k}, struct{ K PrivateKey }{k}, map[string]PrivateKey{"a": k}} {
			got := fmt.Sprintf(verb, v)
			wantNoSecret(t, got)
			if strings.Contains(got, raw[1:20]) || strings.Contains(strings.ToLower(got), "9d61b19d") {
				t.Errorf("%s of %T shows the key's bytes", verb, v)
			}
		}
	}
	if got, want := fmt.Sprint(k), "private key "+rfc8037Thumbprint+" (Ed25519)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", k)
	slog.New(slog.NewTextHandler(&log, nil)).Info("key", "key", k)
	wantNoSecret(t, log.String())
	//lint:ignore SA9005 that nothing is written is the point
	if b, err := json.Marshal(k); err != nil || string(b) != "{}" {
		t.Errorf("encoding/json writes %s, %v", b, err)
	}
}
