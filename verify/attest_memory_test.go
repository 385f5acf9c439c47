package verify_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/memory"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

const verifiedType, foundType = seal.TypeSideEffectsVerified, seal.TypeSideEffectsDiscrepancyFound

// remembering is an attested release, and a memory in a directory.
func remembering(t *testing.T) *attested {
	t.Helper()
	a := newAttested(t)
	m, err := memory.Open(filepath.Join(t.TempDir(), "memory"))
	if err != nil {
		t.Fatal(err)
	}
	a.v.Memory = m
	return a
}

// with is the envelope by publisher and registry, and what the scanner says.
func (a *attested) with(t *testing.T, all ...seal.Statement) *seal.Envelope {
	t.Helper()
	e := sealtest.Seal(t, a.manifest, a.key)
	a.add(t, e, a.registry, says(seal.RoleRegistry, seal.TypeNamespaceVerified, 10))
	for _, s := range all {
		a.add(t, e, a.scanner, s)
	}
	return e
}

func (a *attested) remembered(t *testing.T) (verify.Seen, bool) {
	t.Helper()
	s, ok, err := a.v.Memory.Newest(t.Context(), verify.ServerKey{Namespace: sealtest.Namespace, Name: "acme-file-tools"})
	if err != nil {
		t.Fatal(err)
	}
	return s, ok
}

// TestRememberedAgainst: a finding that was seen, and is left out later. Each row
// is the envelopes that the runs are given, one after the other.
func TestRememberedAgainst(t *testing.T) {
	scanner := func(attestationType string, minutes int) seal.Statement {
		return says(seal.RoleScanner, attestationType, minutes)
	}
	against := verdict{outcome: seal.Fail, level: 2, sealed: 2, errors: []string{"NEGATIVE_FINDING"}}
	holds := verdict{outcome: seal.Pass, level: 3, sealed: 3}
	lapsed := scanner(foundType, 30)
	lapsed.ExpiresAt = ptr(seal.NewTimestamp(sealtest.Time.Add(40 * time.Minute)))
	type step struct {
		says   []seal.Statement
		change func(a *attested)
		want   verdict
	}
	for name, steps := range map[string][]step{
		"dropped":                            {{[]seal.Statement{scanner(foundType, 20)}, nil, against}, {nil, nil, against}, {nil, nil, against}},
		"dropped, and an older word shown":   {{[]seal.Statement{scanner(foundType, 20)}, nil, against}, {[]seal.Statement{scanner(verifiedType, 15)}, nil, against}},
		"dropped, and one of the same time":  {{[]seal.Statement{scanner(foundType, 20)}, nil, against}, {[]seal.Statement{scanner(verifiedType, 20)}, nil, against}},
		"found after it was verified":        {{[]seal.Statement{scanner(verifiedType, 15)}, nil, holds}, {[]seal.Statement{scanner(foundType, 20)}, nil, against}, {[]seal.Statement{scanner(verifiedType, 15)}, nil, against}},
		"taken back":                         {{[]seal.Statement{scanner(foundType, 20)}, nil, against}, {[]seal.Statement{scanner(verifiedType, 25)}, nil, holds}},
		"taken back, and both left out":      {{[]seal.Statement{scanner(foundType, 20)}, nil, against}, {[]seal.Statement{scanner(verifiedType, 25)}, nil, holds}, {nil, nil, verdict{outcome: seal.Pass, level: 2, sealed: 2}}},
		"taken back, and found again":        {{[]seal.Statement{scanner(foundType, 20)}, nil, against}, {[]seal.Statement{scanner(verifiedType, 25)}, nil, holds}, {[]seal.Statement{scanner(foundType, 30)}, nil, against}, {[]seal.Statement{scanner(verifiedType, 25)}, nil, against}},
		"taken back, and the old one played": {{[]seal.Statement{scanner(foundType, 20)}, nil, against}, {[]seal.Statement{scanner(verifiedType, 25)}, nil, holds}, {[]seal.Statement{scanner(foundType, 20)}, nil, against}},
		"a stranger's finding":               {{nil, func(a *attested) { a.roster = a.roster[:2] }, verdict{outcome: seal.Pass, level: 2, sealed: 2}}, {nil, nil, verdict{outcome: seal.Pass, level: 2, sealed: 2}}},
		"a finding that ends": {
			{[]seal.Statement{func() seal.Statement {
				s := scanner(foundType, 20)
				s.ExpiresAt = ptr(seal.NewTimestamp(sealtest.Time.Add(90 * time.Minute)))
				return s
			}()}, nil, against},
			{nil, nil, against},
			{[]seal.Statement{scanner(verifiedType, 15)}, func(a *attested) { a.now = sealtest.Time.Add(91 * time.Minute) }, verdict{outcome: seal.Pass, level: 2, sealed: 2}},
		},
		"one that was over when it was first seen": {
			{[]seal.Statement{lapsed, scanner(verifiedType, 15)}, nil, verdict{outcome: seal.Pass, level: 2, sealed: 2}},
			{[]seal.Statement{scanner(verifiedType, 15)}, nil, verdict{outcome: seal.Pass, level: 2, sealed: 2}},
			{[]seal.Statement{scanner(verifiedType, 35)}, nil, holds},
		},
		"one that ends, and an older one that does not": {
			{[]seal.Statement{scanner(foundType, 20), lapsed}, nil, against},
			{nil, nil, against},
		},
		"read where more is wrong": {
			{[]seal.Statement{scanner(foundType, 20)}, nil, against},
			{nil, func(a *attested) { a.v.NeedsCertificate = true }, verdict{outcome: seal.Fail, sealed: 2, errors: []string{"IDENTITY_MISMATCH", "NEGATIVE_FINDING"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := remembering(t)
			for i, s := range steps {
				if s.change != nil {
					s.change(a)
				}
				s.want.advisories = nil
				r := a.verify(t, a.with(t, s.says...))
				r.Advisories = withoutNames(r.Advisories, "SIGNATURE_EXPIRED")
				if a.want(t, r, s.want); t.Failed() {
					t.Fatalf("in run %d", i)
				}
			}
		})
	}
}

func withoutNames(all []verify.Finding, name string) []verify.Finding {
	kept := []verify.Finding{}
	for _, f := range all {
		if f.Name != name {
			kept = append(kept, f)
		}
	}
	return kept
}

// TestRememberedAgainstIsNotVerified: a release that somebody speaks against makes
// no older one a rollback, and shortens no walk.
func TestRememberedAgainstIsNotVerified(t *testing.T) {
	a := remembering(t)
	bad := a.with(t, says(seal.RoleScanner, foundType, 20))
	a.verify(t, bad)
	if s, ok := a.remembered(t); ok {
		t.Errorf("%+v is remembered as verified", s)
	}
	a.manifest.IssuedAt = seal.NewTimestamp(sealtest.Time.Add(-time.Hour))
	older := a.with(t, says(seal.RoleScanner, verifiedType, 20))
	a.want(t, a.verify(t, older), verdict{outcome: seal.Pass, level: 3, sealed: 3}) // no ROLLBACK
	if s, ok := a.remembered(t); !ok || !s.IssuedAt.Equal(a.manifest.IssuedAt.Time) {
		t.Errorf("got %+v, want the release that holds", s)
	}
	// The other way round: one that was verified stays so, whoever speaks against
	// it later, and guards against what is older still.
	a.manifest.IssuedAt = seal.NewTimestamp(sealtest.Time.Add(time.Minute))
	a.verify(t, a.with(t, says(seal.RoleScanner, verifiedType, 20)))
	before, _ := a.remembered(t)
	a.verify(t, a.with(t, says(seal.RoleScanner, foundType, 30)))
	after, ok := a.remembered(t)
	if !ok || after.Digest != before.Digest || after.Origin != before.Origin || len(after.Against) != 1 {
		t.Errorf("got %+v, want %+v and a word against it", after, before)
	}
	a.want(t, a.verify(t, older), verdict{outcome: seal.Pass, level: 3, sealed: 3, advisories: []string{"ROLLBACK"}})
}

// TestRememberedWhateverIsWrong: whoever serves the envelope makes something else
// wrong with it, or with what is looked at, and shows it without the finding next.
func TestRememberedWhateverIsWrong(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(a *attested, e *seal.Envelope)
		undo   func(a *attested)
		error  string
	}{
		"a signature that is garbage": {func(a *attested, e *seal.Envelope) { signature(e, a.registry).Sig[0] ^= 1 }, nil, "SIGNATURE_INVALID"},
		"another interface": {
			func(a *attested, _ *seal.Envelope) { a.live.Tools[0].Description = "another" },
			func(a *attested) { a.live.Tools = sealtest.Tools(t, len(a.live.Tools)) }, "INTERFACE_DESCRIPTION_CHANGED description",
		},
		"an identity that is lacking": {
			func(a *attested, _ *seal.Envelope) { a.v.NeedsCertificate = true },
			func(a *attested) { a.v.NeedsCertificate = false }, "IDENTITY_MISMATCH",
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := remembering(t)
			e := a.with(t, says(seal.RoleScanner, foundType, 20))
			tt.change(a, e)
			if r := a.verify(t, e); !slices.Contains(names(r.Errors), tt.error) {
				t.Fatalf("got %v, want %s", names(r.Errors), tt.error)
			}
			if tt.undo != nil {
				tt.undo(a)
			}
			if r := a.verify(t, a.with(t)); !slices.Contains(names(r.Errors), "NEGATIVE_FINDING") {
				t.Errorf("got %s: %v", r.Outcome, names(r.Errors))
			}
		})
	}
}

// TestAgainstOfAnotherNamespace: what is published in a namespace that was not
// asked for is not remembered there: other attestors count for it.
func TestAgainstOfAnotherNamespace(t *testing.T) {
	a := remembering(t)
	a.v.Namespace = "io.github.other"
	a.verify(t, a.with(t, says(seal.RoleScanner, foundType, 20)))
	a.v.Namespace = sealtest.Namespace
	a.want(t, a.verify(t, a.with(t)), verdict{outcome: seal.Pass, level: 2, sealed: 2})
}

// TestWhoTakesBack: who said a word is a key or an identity, whatever trust calls
// its holder in another run.
func TestWhoTakesBack(t *testing.T) {
	const name = "scan.example"
	found, clean := says(seal.RoleScanner, foundType, 20), says(seal.RoleScanner, verifiedType, 25)
	for title, tt := range map[string]struct {
		change func(a *attested) // of trust, after the finding was seen
		by     func(a *attested) keys.PrivateKey
		beside bool // the finding is still there
		back   bool
	}{
		"the same key": {func(*attested) {}, func(a *attested) keys.PrivateKey { return a.scanner }, false, true},
		"the same key under another name": {func(a *attested) { a.member("scanner").holder = "new.example" },
			func(a *attested) keys.PrivateKey { return a.scanner }, false, true},
		"another's key under the same name": {func(a *attested) {
			a.member("scanner").holder = "old.example"
			a.member("second").holder = name
		}, func(a *attested) keys.PrivateKey { return a.second }, false, false},
		"the holder's new key, and the finding left out": {func(a *attested) { a.member("second").holder = name },
			func(a *attested) keys.PrivateKey { return a.second }, false, false},
		"the holder's new key": {func(a *attested) { a.member("second").holder = name },
			func(a *attested) keys.PrivateKey { return a.second }, true, true},
	} {
		t.Run(title, func(t *testing.T) {
			a := remembering(t)
			a.verify(t, a.with(t, found))
			tt.change(a)
			e := a.with(t)
			if tt.beside {
				e = a.with(t, found)
			}
			a.add(t, e, tt.by(a), clean)
			for _, again := range []*seal.Envelope{e, a.with(t)} {
				if got := !slices.Contains(names(a.verify(t, again).Errors), "NEGATIVE_FINDING"); got != tt.back {
					t.Errorf("taken back: got %v, want %v", got, tt.back)
				}
			}
		})
	}
}

// TestUnboundIsNotRemembered: a label that anybody can change must not fail a
// release for ever.
func TestUnboundIsNotRemembered(t *testing.T) {
	a := remembering(t)
	a.v.AllowUnboundUnsafe = true
	e := a.with(t, says(seal.RoleScanner, verifiedType, 20))
	s := signature(e, a.scanner)
	s.Details, s.Timestamp, s.Type = nil, nil, foundType
	a.want(t, a.verify(t, e), verdict{outcome: seal.Fail, level: 2, sealed: 2, errors: []string{"NEGATIVE_FINDING"}})
	a.want(t, a.verify(t, a.with(t, says(seal.RoleScanner, verifiedType, 20))), verdict{outcome: seal.Pass, level: 3, sealed: 3})
}

// TestAgainstOfNobody: what a stranger publishes is not remembered under the name
// that it claims.
func TestAgainstOfNobody(t *testing.T) {
	a := remembering(t)
	a.v.IdentityExpected, a.v.Namespace, a.v.Policy = false, "", seal.DefaultPolicy
	a.verify(t, a.with(t, says(seal.RoleScanner, foundType, 20)))
	a.want(t, a.verify(t, a.with(t)), verdict{outcome: seal.Warned, level: 2, sealed: 2, advisories: []string{"IDENTITY_NOT_EXPECTED"}})
}

// TestAgainstMemoryUnreadable: told once, and no error of the release.
func TestAgainstMemoryUnreadable(t *testing.T) {
	a := newAttested(t)
	a.v.Memory = &head{err: verify.ErrUnavailable}
	a.want(t, a.verify(t, a.sealedBy(t)), verdict{outcome: seal.Pass, level: 3, sealed: 3, advisories: []string{"MEMORY_UNREADABLE"}})
}

// TestMergeAgainst: several runs remember in any order, and keep the same.
func TestMergeAgainst(t *testing.T) {
	one := func(holder string, minutes int, back bool) verify.Against {
		return verify.Against{Holder: holder, Role: seal.RoleScanner, Type: foundType, Time: seal.NewTimestamp(sealtest.Time.Add(time.Duration(minutes) * time.Minute)), TakenBack: back}
	}
	of := func(identity string, n verify.Against) verify.Against {
		n.Identity = identity
		return n
	}
	until := func(minutes int, n verify.Against) verify.Against {
		n.ExpiresAt = ptr(seal.NewTimestamp(sealtest.Time.Add(time.Duration(minutes) * time.Minute)))
		return n
	}
	for name, tt := range map[string]struct{ all, want []verify.Against }{
		"two identities of one name":       {[]verify.Against{of("x", one("a", 1, false)), of("y", one("a", 2, true))}, []verify.Against{of("x", one("a", 1, false)), of("y", one("a", 2, true))}},
		"one identity by two names":        {[]verify.Against{of("x", one("a", 1, false)), of("x", one("b", 2, false))}, []verify.Against{of("x", one("b", 2, false))}},
		"as it was kept without identity":  {[]verify.Against{one("a", 1, false), of("x", one("a", 1, true))}, []verify.Against{of("x", one("a", 1, true))}},
		"another, kept without identity":   {[]verify.Against{one("a", 1, false), of("x", one("a", 2, true))}, []verify.Against{one("a", 1, false), of("x", one("a", 2, true))}},
		"one that ends does not stand for": {[]verify.Against{one("a", 1, false), until(9, one("a", 2, false))}, []verify.Against{one("a", 1, false), until(9, one("a", 2, false))}},
		"what ends later first":            {[]verify.Against{until(9, one("a", 2, false)), until(10, one("b", 1, false))}, []verify.Against{until(10, one("b", 1, false)), until(9, one("a", 2, false))}},
		"nothing":                          {nil, nil},
		"later":                            {[]verify.Against{one("a", 1, false), one("a", 2, false)}, []verify.Against{one("a", 2, false)}},
		"taken back":                       {[]verify.Against{one("a", 1, false), one("a", 1, true)}, []verify.Against{one("a", 1, true)}},
		"taken back, and later":            {[]verify.Against{one("a", 1, true), one("a", 2, false)}, []verify.Against{one("a", 2, false)}},
		"two holders":                      {[]verify.Against{one("a", 1, false), one("b", 2, false)}, []verify.Against{one("b", 2, false), one("a", 1, false)}},
		"what stands first":                {[]verify.Against{one("a", 1, false), one("b", 2, true)}, []verify.Against{one("a", 1, false), one("b", 2, true)}},
	} {
		for range 10 {
			rand.Shuffle(len(tt.all), func(i, j int) { tt.all[i], tt.all[j] = tt.all[j], tt.all[i] })
			var got []verify.Against
			for _, n := range tt.all {
				got = verify.MergeAgainst(got, []verify.Against{n})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
	var many []verify.Against
	for i := range 100 {
		many = append(many, one(fmt.Sprint(i), i, i%3 == 0))
	}
	got := verify.MergeAgainst(many, nil)
	if len(got) != verify.MaxAgainst || got[0].Holder != "98" || got[0].TakenBack || got[verify.MaxAgainst-1].TakenBack {
		t.Errorf("got %d words, first %+v", len(got), got[0])
	}
}

// TestAgainstWithoutChain: the memory is asked where no chain is looked at, and
// where the server is not started.
func TestAgainstWithoutChain(t *testing.T) {
	a := remembering(t)
	a.verify(t, a.with(t, says(seal.RoleScanner, foundType, 20)))
	v := verify.Verifier{
		Keys: sealtest.Keys(a.key), Namespace: sealtest.Namespace, IdentityExpected: true,
		Memory: a.v.Memory, Policy: seal.DefaultPolicy, Now: a.v.Now,
	}
	r := v.Verify(context.Background(), sealtest.Marshal(t, a.with(t)))
	compare(t, "errors", []string{"NEGATIVE_FINDING"}, names(r.Errors))
	other := sealtest.Key(t, keys.Ed25519, "other")
	v.Keys = sealtest.Keys(other)
	if r := v.Verify(t.Context(), sealtest.Marshal(t, sealtest.Seal(t, sealtest.Manifest(t, sealtest.Tools(t, 1)...), other))); len(r.Errors) != 0 {
		t.Errorf("another release: got %+v", r.Errors)
	}
}
