package keys

import (
	"crypto"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const hashSHA256 = crypto.SHA256

func public(t testing.TB, from string, c change) string {
	t.Helper()
	return edit(t, edit(t, from, change{"d": nil}), c)
}

func TestParseSetRefuses(t *testing.T) {
	ed := public(t, rfc8037Private, change{"kid": "a"})
	ec := public(t, rfc7515Private, change{"kid": "a"})
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "not strict JSON"},
		{"array", "[" + ed + "]", "JSON array"},
		{"single key", ed, "single key"},
		{"no keys", `{"Keys":[]}`, `no member "keys"`},
		{"keys null", `{"keys":null}`, `no member "keys"`},
		{"keys an object", `{"keys":{}}`, `member "keys" is a JSON object`},
		{"keys twice", `{"keys":[],"keys":[]}`, "stands twice"},
		{"kid twice in a key", `{"keys":[{"kid":"a","kid":"b"}]}`, "stands twice"},
		{"leaked Ed25519", `{"keys":[` + rfc8037Private + `]}`, `keys[0]: member "d": a private key is published`},
		{"leaked ES256", `{"keys":[` + ed + `,` + rfc7515Private + `]}`, `keys[1]: member "d"`},
		{"leaked key of another kind", `{"keys":[{"kty":"RSA","n":"AA","e":"AQAB","qi":"AA"}]}`, `member "qi"`},
		{"leaked null", `{"keys":[` + public(t, rfc8037Private, nil)[:10] + `}]}`, "not strict JSON"},
		{"leaked secret", `{"keys":[{"kty":"oct","k":"AAAA"}]}`, `member "k"`},
		{"leaked post-quantum key", `{"keys":[{"kty":"AKP","priv":"AAAA"}]}`, `member "priv"`},
		{"one name, two keys", `{"keys":[` + ed + `,` + ec + `]}`, `kid "a" names two keys`},
		{"large", `{"keys":[],"x":"` + strings.Repeat("x", MaxSetSize) + `"}`, "want 262144 at most"},
		{"many", `{"keys":[` + strings.Repeat("{},", maxSetKeys) + `{}]}`, "1001 keys, want 1000 at most"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseSet([]byte(tt.text))
			wantError(t, err, tt.want)
		})
	}
}

func TestParseSetSkips(t *testing.T) {
	text := `{"keys":[` + strings.Join([]string{
		rfc7638Public,
		public(t, rfc8037Private, change{"kid": "signs"}),
		public(t, rfc7515Private, change{"kid": "encrypts", "use": "enc"}),
		public(t, rfc8037Private, change{"kid": "signs"}), // the same once more
		public(t, rfc8037Private, change{"kid": "other name"}),
		public(t, rfc7515Private, change{"kid": strings.Repeat("k", 300)}),
		`{"kty":"OKP","crv":"Ed25519","kid":"short","x":"AAAA"}`,
		`{"kty":7,"kid":"typed"}`,
		`"text"`, `null`, `{}`,
	}, ",") + `]}`
	s, err := ParseSet([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []Skipped{
		{Index: 0, KeyID: "2011-04-29", Reason: `kty "RSA": MIS §7.1 forbids RSA, want Ed25519 or ES256 (make one with keygen)`},
		{Index: 2, KeyID: "encrypts", Reason: `use "enc", want "sig"`},
		{Index: 5, KeyID: strings.Repeat("k", 256), Reason: "kid of 300 bytes, want 256 at most"},
		{Index: 6, KeyID: "short", Reason: `member "x" has 3 bytes, want 32`},
		{Index: 7, Reason: `member "kty" is a JSON number, which it may not be`},
		{Index: 8, Reason: "not an object"},
		{Index: 9, Reason: "not an object"},
		{Index: 10, Reason: `no member "kty": this is not a JSON Web Key`},
	}
	if diff := cmp.Diff(want, s.Skipped, cmpopts.IgnoreUnexported(Skipped{})); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	if len(s.Keys) != 2 {
		t.Errorf("%d keys, want 2: %v", len(s.Keys), s.Keys)
	}
	k, ok := s.Find("signs")
	if !ok || k.Thumbprint != rfc8037Thumbprint {
		t.Errorf("Find: %v, %t", k, ok)
	}
	if _, ok := s.Find("encrypts"); ok {
		t.Error("a key for encryption was found")
	}
}

// What is read and written again loses nothing: not another program's keys,
// not marks on ours, not revocations.
func TestSetKeepsWhatItDoesNotKnow(t *testing.T) {
	text := `{"revocations":[{"type":"key_revocation"}],"keys":[` +
		public(t, rfc8037Private, change{"kid": "b", "retired_at": "2026-01-01T00:00:00Z"}) + `,` + rfc7638Public + `,` +
		public(t, rfc7515Private, change{"kid": "a"}) + `]}`
	s, err := ParseSet([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	wantText := `{"revocations":[{"type":"key_revocation"}],"keys":[` +
		public(t, rfc7515Private, change{"kid": "a", "alg": "ES256", "use": "sig"}) + `,` +
		public(t, rfc8037Private, change{"kid": "b", "alg": "EdDSA", "use": "sig", "retired_at": "2026-01-01T00:00:00Z"}) + `,` + rfc7638Public + `]}`
	if err := json.Unmarshal([]byte(wantText), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	again, err := ParseSet(out)
	if err != nil {
		t.Fatal(err)
	}
	if out2, err := again.Marshal(); err != nil || string(out2) != string(out) {
		t.Errorf("written twice, the document changes: %s, %v", out2, err)
	}
}

func TestNewSet(t *testing.T) {
	a, b := mustPrivate(t, edit(t, rfc8037Private, change{"kid": "a"})), mustPrivate(t, edit(t, rfc7515Private, change{"kid": "b"}))
	s, err := NewSet(b.Public(), a.Public(), b.Public())
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	wantNoSecret(t, string(got))
	back, err := ParseSet(got)
	if err != nil || len(back.Keys) != 2 || !back.Keys[0].Equal(a.Public()) || !back.Keys[1].Equal(b.Public()) {
		t.Errorf("%s reads back as %v, %v", got, back.Keys, err)
	}
	clash := mustPrivate(t, edit(t, rfc7515Private, change{"kid": "a"}))
	if _, err := NewSet(a.Public(), clash.Public()); err == nil {
		t.Error("two keys of one name were accepted")
	}
	empty, err := NewSet()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := empty.Marshal(); err != nil || string(got) != `{"keys":[]}` {
		t.Errorf("empty set: %s, %v", got, err)
	}
}

func BenchmarkParseSet(b *testing.B) {
	var keys []PublicKey
	for i := range 100 {
		k, err := Generate(Algorithms[i%2], fmt.Sprintf("key-%03d", i))
		if err != nil {
			b.Fatal(err)
		}
		keys = append(keys, k.Public())
	}
	s, err := NewSet(keys...)
	if err != nil {
		b.Fatal(err)
	}
	data, err := s.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseSet(data); err != nil {
			b.Fatal(err)
		}
	}
}
