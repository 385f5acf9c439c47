package keys

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"testing"
)

// Keys and signatures that the RFCs print.
const (
	// RFC 8037 appendix A.1; thumbprint of A.3.
	rfc8037Private    = `{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	rfc8037Thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
	// RFC 7517 appendix A.2, first key.
	rfc7517Private = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE","use":"enc","kid":"1"}`
	// RFC 7638 §3.1, an RSA key.
	rfc7638Public = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
	// RFC 9449 §6.1 prints the RFC 7638 thumbprint of its P-256 key.
	rfc9449Public     = `{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}`
	rfc9449Thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	// RFC 7515 appendix A.3.1.
	rfc7515Private = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}`
)

func mustPrivate(t testing.TB, text string) PrivateKey {
	t.Helper()
	k, err := ParsePrivate([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestThumbprintVectors(t *testing.T) {
	for _, tt := range []struct{ rfc, key, want string }{
		{"8037 A.3", rfc8037Private, rfc8037Thumbprint},
		{"9449 6.1", rfc9449Public, rfc9449Thumbprint},
	} {
		k, err := ParsePublic([]byte(tt.key))
		if err != nil {
			t.Fatalf("RFC %s: %v", tt.rfc, err)
		}
		if k.Thumbprint != tt.want || k.KeyID != tt.want {
			t.Errorf("RFC %s: thumbprint %q, kid %q, want both %q", tt.rfc, k.Thumbprint, k.KeyID, tt.want)
		}
	}
}

// RFC 7638's own example is an RSA key. We refuse such keys, but the function
// that hashes must agree on the example's text, which the RFC prints.
func TestThumbprintOfRFC7638(t *testing.T) {
	if _, err := ParsePublic([]byte(rfc7638Public)); err == nil {
		t.Fatal("an RSA key was accepted")
	}
	j, err := decode([]byte(rfc7638Public))
	if err != nil {
		t.Fatal(err)
	}
	j.Alg, j.Kid = "", "" // n and e are carried along unread
	got, err := j.thumbprint()
	if want := "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"; err != nil || got != want {
		t.Errorf("thumbprint %q, %v, want %q", got, err, want)
	}
}

func TestSignVectors(t *testing.T) {
	unhex := func(s string) []byte { b, _ := hex.DecodeString(s); return b }
	unbase64 := func(s string) []byte { b, _ := base64.RawURLEncoding.DecodeString(s); return b }
	// RFC 6979 appendix A.2.5.
	rfc6979 := `{"kty":"EC","crv":"P-256","d":"` + encode(unhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")) +
		`","x":"` + encode(unhex("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6")) +
		`","y":"` + encode(unhex("7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299")) + `"}`
	for _, tt := range []struct {
		rfc, key, message string
		want              []byte
	}{
		{"8037 A.4", rfc8037Private, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
			unbase64("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")},
		{"6979 A.2.5 sample", rfc6979, "sample",
			unhex("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8")},
		{"6979 A.2.5 test", rfc6979, "test",
			unhex("F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083")},
	} {
		k := mustPrivate(t, tt.key)
		got, err := k.Sign([]byte(tt.message))
		if err != nil || !bytes.Equal(got, tt.want) {
			t.Errorf("RFC %s: signature %x, %v, want %x", tt.rfc, got, err, tt.want)
		}
		if err := k.Public().Seal().Verify([]byte(tt.message), got); err != nil {
			t.Errorf("RFC %s: %v", tt.rfc, err)
		}
	}
}

// RFC 7515 A.3's signature is randomised: it can be verified, not made again.
func TestVerifyRFC7515(t *testing.T) {
	k := mustPrivate(t, rfc7515Private)
	message := "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	sig, err := base64.RawURLEncoding.DecodeString("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Public().Seal().Verify([]byte(message), sig); err != nil {
		t.Error(err)
	}
	sig[63] ^= 1
	if err := k.Public().Seal().Verify([]byte(message), sig); err == nil {
		t.Error("a changed signature verified")
	}
}

// One signature in 128 has an r or s with a zero in front, which DER leaves out.
func TestFixedSizePads(t *testing.T) {
	got, err := fixedSize([]byte{0x30, 6, 2, 1, 1, 2, 1, 2})
	want := make([]byte, 64)
	want[31], want[63] = 1, 2
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v, want %x", got, err, want)
	}
	for _, der := range []string{"", "\x30\x06\x02\x01\x01\x02\x01", "\x30\x06\x02\x01\x01\x02\x01\x02x"} {
		if got, err := fixedSize([]byte(der)); err == nil {
			t.Errorf("%x: %x, want an error", der, got)
		}
	}
}
