package keys

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var noon = time.Date(2026, 2, 15, 12, 0, 0, 0, time.UTC)

func newKey(t testing.TB, id string) PrivateKey {
	t.Helper()
	alg := Algorithms[len(id)%2]
	k, err := Generate(alg, id)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// notice is that signer revokes keyID.
func notice(t testing.TB, keyID string, signer PrivateKey) Notice {
	t.Helper()
	n, err := SignNotice(Notice{RevokedKeyID: keyID, Time: noon, Reason: KeyCompromise}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func marshal(t testing.TB, v interface{ Marshal() ([]byte, error) }) string {
	t.Helper()
	data, err := v.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// within changes members of an object inside an object.
func within(t testing.TB, text, member string, c change) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	inner, err := json.Marshal(m[member])
	if err != nil {
		t.Fatal(err)
	}
	return edit(t, text, change{member: json.RawMessage(edit(t, string(inner), c))})
}

func schemaOf(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(NoticeSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("notice", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("notice")
}

func bySchema(t testing.TB, s *jsonschema.Schema, text string) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// Every malformed notice is refused by the parser and, but where noted, by the
// schema.
func TestParseNoticeRefuses(t *testing.T) {
	good := marshal(t, notice(t, "old", newKey(t, "new")))
	schema := schemaOf(t)
	if err := bySchema(t, schema, good); err != nil {
		t.Fatalf("%s: %v", good, err)
	}
	for _, tt := range []struct {
		name, text, want string
		schemaTakes      bool
	}{
		{"nothing", "", "not strict JSON", false},
		{"array", "[]", "not strict JSON", false},
		{"large", `{"type":"` + strings.Repeat("x", maxNotice) + `"}`, "want 8192 at most", false},
		{"member twice", strings.Replace(good, "{", `{"type":"key_revocation",`, 1), "not strict JSON", true},
		{"unknown member", edit(t, good, change{"comment": "x"}), "not known", false},
		{"unknown member of signed_by", within(t, good, "signed_by", change{"kid": "x"}), "not known", false},
		{"other case", edit(t, good, change{"type": nil, "Type": "key_revocation"}), "not known", false},
		{"no type", edit(t, good, change{"type": nil}), `type "", want "key_revocation"`, false},
		{"other type", edit(t, good, change{"type": "key_rotation"}), `type "key_rotation"`, false},
		{"no key", edit(t, good, change{"revoked_key_id": nil}), "no revoked_key_id", false},
		{"empty key", edit(t, good, change{"revoked_key_id": ""}), "no revoked_key_id", false},
		{"numeric key", edit(t, good, change{"revoked_key_id": 7}), "does not fit", false},
		{"long key", edit(t, good, change{"revoked_key_id": strings.Repeat("k", 257)}), "kid of 257 bytes", false},
		{"unprintable key", edit(t, good, change{"revoked_key_id": "a\u202eb"}), "cannot be printed", true},
		{"no time", edit(t, good, change{"revocation_timestamp": nil}), "want RFC 3339", false},
		{"time as number", edit(t, good, change{"revocation_timestamp": 1771149600}), "does not fit", false},
		{"date", edit(t, good, change{"revocation_timestamp": "2026-02-15"}), "want RFC 3339", false},
		{"no such day", edit(t, good, change{"revocation_timestamp": "2026-02-30T00:00:00Z"}), "want RFC 3339", false},
		{"no zone", edit(t, good, change{"revocation_timestamp": "2026-02-15T12:00:00"}), "want RFC 3339", false},
		{"no reason", edit(t, good, change{"reason": nil}), `reason ""`, false},
		{"other reason", edit(t, good, change{"reason": "unspecified"}), `reason "unspecified"`, false},
		{"replacement empty", edit(t, good, change{"replacement_key_id": ""}), "leave it out", false},
		{"replacement null", strings.Replace(good, "{", `{"replacement_key_id":null,`, 1), "null", false},
		{"replaces itself", edit(t, good, change{"replacement_key_id": "old"}), "revoked key itself", true},
		{"no signed_by", edit(t, good, change{"signed_by": nil}), "no signed_by.key_id", false},
		{"signed_by a text", edit(t, good, change{"signed_by": "new"}), "does not fit", false},
		{"no signer", within(t, good, "signed_by", change{"key_id": nil}), "no signed_by.key_id", false},
		{"no algorithm", within(t, good, "signed_by", change{"algorithm": nil}), `algorithm ""`, false},
		{"RSA", within(t, good, "signed_by", change{"algorithm": "RS256"}), `algorithm "RS256"`, false},
		{"no signature", within(t, good, "signed_by", change{"signature": nil}), "0 characters", false},
		{"short signature", within(t, good, "signed_by", change{"signature": "AAAA"}), "4 characters", false},
		{"DER", within(t, good, "signed_by", change{"signature": strings.Repeat("A", 96)}), "not DER", false},
		{"both alphabets", within(t, good, "signed_by", change{"signature": "-/" + strings.Repeat("A", 84)}), "no base64", false},
		{"stray bits", within(t, good, "signed_by", change{"signature": strings.Repeat("A", 85) + "B"}), "no base64", true},
		{"line end", within(t, good, "signed_by", change{"signature": strings.Repeat("A", 85) + "\n"}), "characters", false},
		{"padded wrongly", within(t, good, "signed_by", change{"signature": strings.Repeat("A", 87) + "="}), "characters", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseNotice([]byte(tt.text))
			wantError(t, err, tt.want)
			if err := bySchema(t, schema, tt.text); (err == nil) != tt.schemaTakes {
				t.Errorf("the schema: %v, want taken: %v", err, tt.schemaTakes)
			}
		})
	}
}

// Every member is signed.
func TestNoticeTampered(t *testing.T) {
	for _, id := range []string{"new", "news"} { // one of each algorithm
		signer := newKey(t, id)
		signed, err := SignNotice(Notice{RevokedKeyID: "old", Time: noon, Reason: KeyCompromise, ReplacementKeyID: id}, signer)
		if err != nil {
			t.Fatal(err)
		}
		good := marshal(t, signed)
		parsed, err := ParseNotice([]byte(good))
		if err != nil || parsed.Verify(signer.Public()) != nil || !parsed.Equal(signed) {
			t.Fatalf("%s: %v, %v", good, err, parsed.Verify(signer.Public()))
		}
		other := map[Algorithm]string{Ed25519: "ES256", ES256: "Ed25519"}[signer.Algorithm()]
		for name, text := range map[string]string{
			"key":               edit(t, good, change{"revoked_key_id": "other"}),
			"time":              edit(t, good, change{"revocation_timestamp": "2026-02-15T12:00:01Z"}),
			"the time's words":  edit(t, good, change{"revocation_timestamp": "2026-02-15T12:00:00.0Z"}),
			"reason":            edit(t, good, change{"reason": "key_rotation"}),
			"replacement":       edit(t, good, change{"replacement_key_id": "mine"}),
			"replacement gone":  edit(t, good, change{"replacement_key_id": nil}),
			"signer":            within(t, good, "signed_by", change{"key_id": "old"}),
			"algorithm":         within(t, good, "signed_by", change{"algorithm": other}),
			"algorithm's words": within(t, good, "signed_by", change{"algorithm": "EdDSA"}),
			"signature":         within(t, good, "signed_by", change{"signature": encode(make([]byte, 64))}),
			"another's signature": within(t, good, "signed_by", change{
				"signature": notice(t, "x", signer).SignedBy.Signature}),
		} {
			n, err := ParseNotice([]byte(text))
			if err != nil {
				t.Errorf("%s, %s: %v", id, name, err)
				continue
			}
			if n.Verify(signer.Public()) == nil {
				t.Errorf("%s, %s: a changed notice verifies: %s", id, name, text)
			}
		}
		if signed.Verify(newKey(t, id).Public()) == nil {
			t.Errorf("%s: another key of the name verifies", id)
		}
	}
}

// What others sign: EdDSA for Ed25519, a time in milliseconds or with an
// offset, standard base64. The spelling is signed, and is kept.
func TestNoticeOfOthers(t *testing.T) {
	signer := newKey(t, "ed-1")
	if signer.Algorithm() != Ed25519 {
		t.Fatal("want an Ed25519 key")
	}
	for _, at := range []string{"2026-02-15T12:00:00.000Z", "2026-02-15T13:00:00+01:00", "2026-02-15T12:00:00Z"} {
		unsigned := `{"reason":"key_rotation","revocation_timestamp":"` + at + `","revoked_key_id":"old","signed_by":{"algorithm":"EdDSA","key_id":"ed-1"},"type":"key_revocation"}`
		sig, err := signer.Sign([]byte(unsigned))
		if err != nil {
			t.Fatal(err)
		}
		std := strings.NewReplacer("-", "+", "_", "/").Replace(encode(sig)) + "=="
		text := strings.Replace(unsigned, `"key_id":"ed-1"`, `"key_id":"ed-1","signature":"`+std+`"`, 1)
		n, err := ParseNotice([]byte(" " + strings.ReplaceAll(text, ",", " , ") + "\n"))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if err := n.Verify(signer.Public()); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if !n.Time.Equal(noon) {
			t.Errorf("time %s, want %s", n.Time, noon)
		}
		if got := marshal(t, n); got != text {
			t.Errorf("got %s, want %s", got, text)
		}
	}
}

func TestSignNoticeRefuses(t *testing.T) {
	signer := newKey(t, "new")
	for name, n := range map[string]Notice{
		"no key":          {Time: noon, Reason: KeyRotation},
		"no time":         {RevokedKeyID: "old", Reason: KeyRotation},
		"year 10000":      {RevokedKeyID: "old", Reason: KeyRotation, Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"no reason":       {RevokedKeyID: "old", Time: noon},
		"replaces itself": {RevokedKeyID: "old", ReplacementKeyID: "old", Time: noon, Reason: KeyRotation},
	} {
		if n, err := SignNotice(n, signer); err == nil {
			t.Errorf("%s: signed as %v", name, n)
		}
	}
	if _, err := SignNotice(Notice{RevokedKeyID: "old", Time: noon, Reason: KeyRotation}, PrivateKey{}); err == nil {
		t.Error("signed with no key")
	}
}

func FuzzParseNotice(f *testing.F) {
	signer := newKey(f, "new")
	signedGood := notice(f, "old", signer)
	good := marshal(f, signedGood)
	f.Add([]byte(good))
	f.Add([]byte(edit(f, good, change{"replacement_key_id": "new", "revocation_timestamp": "2026-02-15T13:00:00.10+01:00"})))
	f.Add([]byte(within(f, good, "signed_by", change{"algorithm": "EdDSA"})))
	f.Add([]byte(`{"type":"key_revocation","revoked_key_id":null}`))
	schema := schemaOf(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := ParseNotice(data)
		if err != nil {
			return
		}
		text := marshal(t, n)
		if err := bySchema(t, schema, text); err != nil {
			t.Fatalf("%s: the schema refuses what was read: %v", text, err)
		}
		back, err := ParseNotice([]byte(text))
		if err != nil || !back.Equal(n) {
			t.Fatalf("%s reads back as %v, %v", text, back, err)
		}
		if n.Verify(signer.Public()) != nil {
			return
		}
		n.SignedBy.Signature = signedGood.SignedBy.Signature // which has several spellings
		if !n.Equal(signedGood) {
			t.Fatalf("forged: %s", text)
		}
	})
}

// The signer itself misnames its algorithm: the signature fits, and is refused.
func TestNoticeOfAnotherAlgorithm(t *testing.T) {
	for _, id := range []string{"new", "news"} {
		signer := newKey(t, id)
		n := notice(t, "old", signer)
		n.SignedBy.Algorithm = map[Algorithm]string{Ed25519: "ES256", ES256: "EdDSA"}[signer.Algorithm()]
		message, err := n.message()
		if err != nil {
			t.Fatal(err)
		}
		sig, err := signer.Sign(message)
		if err != nil {
			t.Fatal(err)
		}
		n.SignedBy.Signature = encode(sig)
		wantError(t, n.Verify(signer.Public()), "signed_by.algorithm")
	}
}
