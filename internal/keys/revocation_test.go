package keys

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// jwksOf writes a document as it stands: keys (JWKs or PrivateKeys) and notices.
func jwksOf(t testing.TB, all []any, notices ...any) string {
	t.Helper()
	var keys, revocations []string
	for _, k := range all {
		switch k := k.(type) {
		case string:
			keys = append(keys, k)
		case PrivateKey:
			text, err := k.Public().MarshalJWK()
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, string(text))
		}
	}
	for _, n := range notices {
		switch n := n.(type) {
		case string:
			revocations = append(revocations, n)
		case Notice:
			revocations = append(revocations, marshal(t, n))
		}
	}
	return `{"keys":[` + strings.Join(keys, ",") + `],"revocations":[` + strings.Join(revocations, ",") + `]}`
}

func parsed(t testing.TB, text string, known ...PublicKey) Set {
	t.Helper()
	s, err := ParseSet([]byte(text), known...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func jwkOf(t testing.TB, k PrivateKey, c change) string {
	t.Helper()
	text, err := k.Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	return edit(t, string(text), c)
}

// statuses tells how each of the names stands, such as "a live, b revoked".
func statuses(s Set, ids ...string) string {
	var out []string
	for _, id := range ids {
		out = append(out, id+" "+string(s.StandingOf(id).Status))
	}
	return strings.Join(out, ", ")
}

func TestRevocations(t *testing.T) {
	a, b, c := newKey(t, "a"), newKey(t, "b"), newKey(t, "c")
	impostor := newKey(t, "a")
	aRetired := jwkOf(t, a, change{"retired_at": "2026-01-01T00:00:00Z"})
	aTwice := jwkOf(t, a, change{"kid": "a2"})
	bAgain := jwkOf(t, b, change{"kid": "b2"})
	tampered := edit(t, marshal(t, notice(t, "b", a)), change{"reason": "key_rotation"})
	for _, tt := range []struct {
		name, text string
		known      []PublicKey
		want       string
		skipped    string // in the reason of the first skipped notice
	}{
		{name: "none", text: jwksOf(t, []any{a, b}), want: "a live, b live, c unknown"},
		{name: "null", text: `{"keys":[],"revocations":null}`, want: "a unknown, b unknown, c unknown"},
		{name: "by another key, gone", text: jwksOf(t, []any{a}, notice(t, "b", a)), want: "a live, b revoked, c unknown"},
		{name: "by another key, still listed: the notice wins", text: jwksOf(t, []any{a, b}, notice(t, "b", a)), want: "a live, b revoked, c unknown"},
		{name: "by itself, still listed", text: jwksOf(t, []any{a, b}, notice(t, "b", b)), want: "a live, b revoked, c unknown"},
		{name: "by itself, retired", text: jwksOf(t, []any{aRetired, b}, notice(t, "a", a)), want: "a revoked, b live, c unknown"},
		{name: "by itself, gone: cannot be verified", text: jwksOf(t, []any{a}, notice(t, "b", b)), want: "a live, b contested, c unknown", skipped: "does not have any more"},
		{name: "by itself, gone, known elsewhere", text: jwksOf(t, []any{a}, notice(t, "b", b)), known: []PublicKey{b.Public()}, want: "a live, b revoked, c unknown"},
		{name: "by itself, gone, another of the name known", text: jwksOf(t, []any{b}, notice(t, "a", a)), known: []PublicKey{impostor.Public()}, want: "a contested, b live, c unknown", skipped: "does not belong"},
		{name: "by an impostor", text: jwksOf(t, []any{a, b}, notice(t, "b", impostor)), want: "a live, b contested, c unknown", skipped: "signature"},
		{name: "by a stranger", text: jwksOf(t, []any{a, b}, notice(t, "b", c)), want: "a live, b contested, c unknown", skipped: `signed by "c", a key that this document does not have`},
		{name: "by a stranger whom the caller knows", text: jwksOf(t, []any{a, b}, notice(t, "b", c)), known: []PublicKey{c.Public()}, want: "a live, b contested, c unknown", skipped: "does not have"},
		{name: "by a retired key", text: jwksOf(t, []any{aRetired, b}, notice(t, "b", a)), want: "a retired, b contested, c unknown", skipped: `"a", a key that is retired`},
		{name: "by a key retired under another name", text: jwksOf(t, []any{a, jwkOf(t, a, change{"kid": "a2", "retired_at": "2026-01-01T00:00:00Z"}), b}, notice(t, "b", a)), want: "a retired, a2 retired, b contested, c unknown", skipped: "is retired"},
		{name: "by a revoked key", text: jwksOf(t, []any{a, b, c}, notice(t, "b", b), notice(t, "a", b)), want: "a contested, b revoked, c live", skipped: "a key that a notice revokes"},
		{name: "each other", text: jwksOf(t, []any{a, b, c}, notice(t, "b", a), notice(t, "a", b)), want: "a contested, b contested, c live", skipped: "a key that a notice revokes"},
		{name: "in a ring", text: jwksOf(t, []any{a, b, c}, notice(t, "b", a), notice(t, "c", b), notice(t, "a", c)), want: "a contested, b contested, c contested", skipped: "a key that a notice revokes"},
		{name: "a chain", text: jwksOf(t, []any{a, b, c}, notice(t, "b", a), notice(t, "c", b)), want: "a live, b revoked, c contested", skipped: "a key that a notice revokes"},
		{name: "under another name", text: jwksOf(t, []any{a, b, bAgain}, notice(t, "b", a)), want: "a live, b revoked, b2 revoked, c unknown"},
		{name: "by its own other name", text: jwksOf(t, []any{a, aTwice, b}, notice(t, "a", mustNamed(t, a, "a2"))), want: "a revoked, a2 revoked, b live"},
		{name: "signer revoked under another name", text: jwksOf(t, []any{a, aTwice, b, c}, notice(t, "a2", c), notice(t, "b", a)), want: "a revoked, a2 revoked, b contested, c live", skipped: "a key that a notice revokes"},
		{name: "contested under another name", text: jwksOf(t, []any{a, b, bAgain}, notice(t, "b", c)), want: "a live, b contested, b2 contested", skipped: "does not have"},
		{name: "tampered", text: jwksOf(t, []any{a, b}, tampered), want: "a live, b contested, c unknown", skipped: "signature"},
		{name: "tampered, and a good one besides", text: jwksOf(t, []any{a, b}, tampered, notice(t, "b", a)), want: "a live, b revoked, c unknown", skipped: "signature"},
		{name: "unknown member", text: jwksOf(t, []any{a, b}, `{"type":"key_revocation","revoked_key_id":"b","x":1}`), want: "a live, b contested, c unknown", skipped: "not known"},
		{name: "names nothing", text: jwksOf(t, []any{a, b}, `{"type":"key_revocation","revoked_key_id":7}`, `1`, `null`, `{}`), want: "a live, b live, c unknown", skipped: "not strict JSON"},
		{name: "a name used again", text: jwksOf(t, []any{a, c}, notice(t, "c", a)), want: "a live, b unknown, c revoked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := parsed(t, tt.text, tt.known...)
			var ids []string
			for _, word := range strings.Split(tt.want, ", ") {
				ids = append(ids, strings.Fields(word)[0])
			}
			if got := statuses(s, ids...); got != tt.want {
				t.Errorf("got %s, want %s; skipped %v", got, tt.want, s.SkippedNotices)
			}
			if (len(s.SkippedNotices) > 0) != (tt.skipped != "") || tt.skipped != "" && !strings.Contains(s.SkippedNotices[0].Reason, tt.skipped) {
				t.Errorf("skipped %v, want %q", s.SkippedNotices, tt.skipped)
			}
			for _, k := range s.Keys {
				if st := s.Standing(k).Status; st != Live && st != Retired {
					t.Errorf("Keys has %q, which is %s", k.KeyID, st)
				}
			}
			for _, k := range s.Withdrawn {
				if st := s.Standing(k).Status; st != Revoked && st != Contested {
					t.Errorf("Withdrawn has %q, which is %s", k.KeyID, st)
				}
				if _, ok := s.Find(k.KeyID); ok {
					t.Errorf("Find finds %q", k.KeyID)
				}
			}
			for _, k := range s.Live() {
				if s.Standing(k).Status != Live {
					t.Errorf("Live has %q, which is %s", k.KeyID, s.Standing(k).Status)
				}
			}
			back := parsed(t, marshal(t, s), tt.known...)
			if got := statuses(back, ids...); got != tt.want {
				t.Errorf("written and read again: %s", got)
			}
		})
	}
}

func mustNamed(t testing.TB, k PrivateKey, id string) PrivateKey {
	t.Helper()
	text, err := k.MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	return mustPrivate(t, edit(t, string(text), change{"kid": id}))
}

func TestParseSetRefusesRevocations(t *testing.T) {
	for text, want := range map[string]string{
		`{"keys":[],"revocations":"none"}`:                                        `member "revocations" is a JSON string`,
		`{"keys":[],"revocations":{}}`:                                            `member "revocations" is a JSON object`,
		`{"keys":[],"revocations":[],"revocations":[]}`:                           "stands twice",
		`{"keys":[],"revocations":[` + strings.Repeat("1,", maxNotices) + `1]}`:   "1001 revocations, want 1000 at most",
		`{"keys":[],"revocations":[{"revoked_key_id":"a","revoked_key_id":"b"}]}`: "stands twice",
	} {
		_, err := ParseSet([]byte(text))
		wantError(t, err, want)
	}
}

func TestRetiredAt(t *testing.T) {
	a := newKey(t, "a")
	for raw, want := range map[string]string{
		`"2026-01-01T00:00:00Z"`:          "retired",
		`"2026-01-01T01:00:00.000+01:00"`: "retired",
		`null`:                            "live",
		`"2026-01-01"`:                    "skipped",
		`"soon"`:                          "skipped",
		`""`:                              "skipped",
		`true`:                            "skipped",
		`1767225600`:                      "skipped",
		`"0001-01-01T00:00:00Z"`:          "skipped", // Go's zero time
	} {
		text := strings.Replace(jwksOf(t, []any{a}), `{"alg"`, `{"retired_at":`+raw+`,"alg"`, 1)
		s := parsed(t, text)
		got := string(s.StandingOf("a").Status)
		if len(s.Skipped) == 1 {
			got = "skipped"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
		if back := parsed(t, marshal(t, s)); len(back.Keys) != len(s.Keys) || len(s.Keys) > 0 && !back.Keys[0].RetiredAt.Equal(s.Keys[0].RetiredAt) {
			t.Errorf("%s: written and read again: %v", raw, back)
		}
	}
	// The same key once more, with the mark: the mark counts.
	s := parsed(t, jwksOf(t, []any{a, jwkOf(t, a, change{"retired_at": "2026-01-01T00:00:00Z"})}))
	if len(s.Keys) != 1 || s.StandingOf("a").Status != Retired {
		t.Errorf("got %v", s.Keys)
	}
}

func TestRevoke(t *testing.T) {
	a, b, c := newKey(t, "a"), newKey(t, "b"), newKey(t, "c")
	s := parsed(t, jwksOf(t, []any{a, b, jwkOf(t, b, change{"kid": "b2"}), rfc7638Public}))
	for _, n := range []Notice{notice(t, "b", c), {}, func() Notice { n := notice(t, "b", a); n.Reason = KeyRotation; return n }()} {
		before := marshal(t, s)
		if err := s.Revoke(n); err == nil {
			t.Errorf("%v was taken", n)
		}
		if got := marshal(t, s); got != before {
			t.Errorf("it changed the document: %s", got)
		}
	}
	for range 2 { // once more changes nothing
		if err := s.Revoke(notice(t, "b", a)); err != nil {
			t.Fatal(err)
		}
	}
	if got := statuses(s, "a", "b", "b2"); got != "a live, b revoked, b2 revoked" {
		t.Error(got)
	}
	text := marshal(t, s)
	if strings.Contains(text, b.Public().jwkX(t)) || strings.Count(text, "key_revocation") != 1 {
		t.Errorf("the revoked key stands there: %s", text)
	}
	if n, ok := parsed(t, text).Revoked("b"); !ok || !n.Equal(notice(t, "b", a)) {
		t.Errorf("read again: %v, %t", n, ok)
	}
	// By itself: here it holds, and a stranger to the key can only contest it.
	if err := s.Revoke(notice(t, "a", a)); err != nil {
		t.Fatal(err)
	}
	if got := statuses(s, "a", "b"); got != "a revoked, b contested" {
		t.Errorf("a signed b's notice and is gone: %s", got)
	}
	if got := statuses(parsed(t, marshal(t, s)), "a", "b"); got != "a contested, b contested" {
		t.Error(got)
	}
}

func TestAdd(t *testing.T) {
	a, b, c := newKey(t, "a"), newKey(t, "b"), newKey(t, "c")
	s := parsed(t, jwksOf(t, []any{a, b}, notice(t, "b", a), notice(t, "x", c)))
	for name, k := range map[string]PublicKey{
		"revoked":                    b.Public(),
		"revoked, by another name":   mustNamed(t, b, "b2").Public(),
		"another by a revoked name":  newKey(t, "b").Public(),
		"contested":                  newKey(t, "x").Public(),
		"another by the name of one": newKey(t, "a").Public(),
	} {
		if err := s.Add(k); err == nil {
			t.Errorf("%s: added", name)
		}
	}
	for range 2 {
		if err := s.Add(c.Public()); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.Keys) != 2 || statuses(s, "c") != "c live" {
		t.Errorf("got %v", s.Keys)
	}
}

func (k PublicKey) jwkX(t testing.TB) string {
	t.Helper()
	j, err := k.jwk()
	if err != nil {
		t.Fatal(err)
	}
	return j.X
}

func TestRetire(t *testing.T) {
	a, b, c := newKey(t, "a"), newKey(t, "b"), newKey(t, "c")
	s := parsed(t, jwksOf(t, []any{a, b, jwkOf(t, b, change{"kid": "b2"})}, notice(t, "c", a)))
	wantError(t, s.Retire("x", noon), "no such key")
	wantError(t, s.Retire("c", noon), "it is revoked")
	wantError(t, s.Retire("b", time.Time{}), "no time")
	wantError(t, s.Retire("a", noon), `signed the notice that revokes "c"`)
	if err := s.Retire("b", noon); err != nil {
		t.Fatal(err)
	}
	if err := s.Retire("b2", noon.Add(time.Hour)); err != nil { // the first time stays
		t.Fatal(err)
	}
	if got := statuses(s, "a", "b", "b2"); got != "a live, b retired, b2 retired" {
		t.Error(got)
	}
	if live := s.Live(); len(live) != 1 || live[0].KeyID != "a" {
		t.Errorf("live: %v", live)
	}
	back := parsed(t, marshal(t, s))
	if at := back.StandingOf("b").RetiredAt; !at.Equal(noon) {
		t.Errorf("retired at %s, want %s", at, noon)
	}
	d := newKey(t, "dd")
	s = parsed(t, jwksOf(t, []any{a, d}, notice(t, "c", a), notice(t, "c", d)))
	if err := s.Retire("a", noon); err != nil {
		t.Errorf("another key vouches, too: %v", err)
	}
	if got := statuses(s, "a", "c", "dd"); got != "a retired, c revoked, dd live" {
		t.Error(got)
	}
	_ = c
}

// The order of keys and notices in a document decides nothing.
func TestRevocationsInAnyOrder(t *testing.T) {
	a, b, c := newKey(t, "a"), newKey(t, "b"), newKey(t, "c")
	all := []any{notice(t, "b", a), notice(t, "c", c), notice(t, "c", b), notice(t, "a", newKey(t, "x")), `{"revoked_key_id":"c"}`}
	want := ""
	for i := range all {
		turned := append(slices.Clone(all[i:]), all[:i]...)
		for _, keys := range [][]any{{a, b, c}, {c, b, a}} {
			got := statuses(parsed(t, jwksOf(t, keys, turned...)), "a", "b", "c")
			if want == "" {
				want = got
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("turned by %d: %s", i, diff)
			}
		}
	}
	if want != "a contested, b contested, c revoked" {
		t.Error(want)
	}
}

func BenchmarkParseSetRevocations(b *testing.B) {
	signer := newKey(b, "signer")
	var notices []any
	for i := range 300 {
		notices = append(notices, notice(b, fmt.Sprintf("key-%03d", i), signer))
	}
	data := []byte(jwksOf(b, []any{signer}, notices...))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if s, err := ParseSet(data); err != nil || len(s.Revocations) != len(notices) {
			b.Fatal(err)
		}
	}
}
