package keys

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func seeds(f *testing.F) {
	for _, s := range []string{rfc8037Private, rfc7517Private, rfc7515Private, rfc7638Public, rfc9449Public,
		`{"keys":[]}`, `{"keys":[` + rfc9449Public + `,` + rfc7638Public + `],"revocations":[]}`, `{"keys":[` + rfc8037Private + `]}`} {
		f.Add([]byte(s))
	}
	for _, tt := range append(refusedBoth, refusedPrivate...) {
		f.Add([]byte(edit(f, tt.from, tt.change)))
		f.Add([]byte(`{"keys":[` + edit(f, tt.from, tt.change) + `]}`))
	}
}

// wantQuiet demands that err shows no d that data has, unless the same text
// stands elsewhere in data, too.
func wantQuiet(t *testing.T, data []byte, err error) {
	var m struct{ D string }
	if err == nil || json.Unmarshal(data, &m) != nil || len(m.D) < 8 || strings.Count(string(data), m.D) > 1 {
		return
	}
	if strings.Contains(err.Error(), m.D) {
		t.Fatalf("error %q shows d", err)
	}
}

// checkPublic: an accepted key is one that another implementation reads as the
// same, and that survives writing.
func checkPublic(t *testing.T, k PublicKey) {
	text, err := k.MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParsePublic(text)
	if err != nil || !back.Equal(k) || back.Algorithm != k.Algorithm || !back.Key.(publicKey).Equal(k.Key) {
		t.Fatalf("%s reads back as %v, %v", text, back, err)
	}
	var other jose.JSONWebKey
	if err := other.UnmarshalJSON(text); err != nil || !other.Valid() || !other.IsPublic() {
		t.Fatalf("go-jose: %v", err)
	}
	checkAgainstJose(t, k, other)
}

func FuzzParsePrivate(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := ParsePrivate(data)
		if err != nil {
			wantQuiet(t, data, err)
			return
		}
		checkRoundTrip(t, k)
		public, err := ParsePublic(data)
		if err != nil || !public.Equal(k.Public()) {
			t.Fatalf("its public half: %v, %v", public, err)
		}
	})
}

func FuzzParsePublic(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := ParsePublic(data)
		if err != nil {
			wantQuiet(t, data, err)
			return
		}
		checkPublic(t, k)
	})
}

func FuzzParseSet(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSet(data)
		if err != nil {
			return
		}
		out, err := s.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseSet(out)
		if err != nil || len(back.Keys) != len(s.Keys) || len(back.Skipped) != len(s.Skipped) {
			t.Fatalf("%s reads back as %v, %v", out, back, err)
		}
		for _, k := range s.Keys {
			checkPublic(t, k)
			if have, ok := back.Find(k.KeyID); !ok || !have.Equal(k) {
				t.Fatalf("key %q is lost", k.KeyID)
			}
		}
	})
}
