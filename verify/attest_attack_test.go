package verify_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
)

// TestAttestationAttacks: what whoever holds the envelope, or a key that is not
// theirs to use so, can try.
func TestAttestationAttacks(t *testing.T) {
	const invalid, uncounted, unbound, expired, negative = "SIGNATURE_INVALID", "ATTESTATION_NOT_COUNTED", "ATTESTATION_UNBOUND", "SIGNATURE_EXPIRED", "NEGATIVE_FINDING"
	const verified, found, clean = seal.TypeSideEffectsVerified, seal.TypeSideEffectsDiscrepancyFound, seal.TypeMalwareScanClean
	passes := verdict{outcome: seal.Pass, level: 3, sealed: 3}
	// below is a run that passes, and in which something did not count.
	below := func(level int, advisories ...string) verdict {
		return verdict{outcome: seal.Pass, level: level, sealed: level, advisories: advisories}
	}
	// fails is a run with errors: what the signatures say wrongly takes every level.
	fails := func(sealed int, errors ...string) verdict {
		return verdict{outcome: seal.Fail, sealed: sealed, errors: errors}
	}
	speaksAgainst := verdict{outcome: seal.Fail, level: 2, sealed: 2, errors: []string{negative}}
	// after changes the signed envelope.
	after := func(change func(a *attested, e *seal.Envelope)) func(*testing.T, *attested) {
		return func(_ *testing.T, a *attested) {
			a.sign = func(t *testing.T, e *seal.Envelope) { a.parties(t, e); change(a, e) }
		}
	}
	// also adds attestations behind those of the parties.
	also := func(more func(t *testing.T, a *attested, e *seal.Envelope)) func(*testing.T, *attested) {
		return func(_ *testing.T, a *attested) {
			a.sign = func(t *testing.T, e *seal.Envelope) { a.parties(t, e); more(t, a, e) }
		}
	}
	instead := func(others func(t *testing.T, a *attested, e *seal.Envelope)) func(*testing.T, *attested) {
		return func(_ *testing.T, a *attested) {
			a.sign = func(t *testing.T, e *seal.Envelope) { others(t, a, e) }
		}
	}
	// registered is the registry alone.
	registered := func(t *testing.T, a *attested, e *seal.Envelope) {
		a.add(t, e, a.registry, says(seal.RoleRegistry, seal.TypeNamespaceVerified, 10))
	}
	strip := func(s *seal.Signature) { s.Details, s.Timestamp, s.ExpiresAt = nil, nil, nil }

	for name, tt := range map[string]struct {
		change func(t *testing.T, a *attested)
		want   verdict
	}{
		"none": {func(*testing.T, *attested) {}, passes},

		"role relabelled: scanner to registry": {after(func(a *attested, e *seal.Envelope) { signature(e, a.scanner).Role = seal.RoleRegistry }), fails(2, invalid)},
		"role relabelled: scanner to auditor":  {after(func(a *attested, e *seal.Envelope) { signature(e, a.scanner).Role = seal.RoleAuditor }), fails(2, invalid)},
		"role relabelled: none":                {after(func(a *attested, e *seal.Envelope) { signature(e, a.registry).Role = "" }), fails(1, invalid)},
		"type flipped: found to verified": {instead(func(t *testing.T, a *attested, e *seal.Envelope) {
			registered(t, a, e)
			a.add(t, e, a.scanner, says(seal.RoleScanner, found, 20))
			signature(e, a.scanner).Type = verified
		}), fails(2, invalid)},
		"type flipped: schema to namespace": {instead(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.add(t, e, a.registry, says(seal.RoleRegistry, seal.TypeSchemaValidated, 10))
			a.add(t, e, a.scanner, says(seal.RoleScanner, verified, 20))
			signature(e, a.registry).Type = seal.TypeNamespaceVerified
		}), fails(1, invalid)},
		"type flipped, and the statement stripped": {instead(func(t *testing.T, a *attested, e *seal.Envelope) {
			registered(t, a, e)
			a.add(t, e, a.scanner, says(seal.RoleScanner, found, 20))
			s := signature(e, a.scanner)
			strip(s)
			s.Type = verified
		}), below(2, unbound)},
		"expiry stripped": {instead(func(t *testing.T, a *attested, e *seal.Envelope) {
			registered(t, a, e)
			s := says(seal.RoleScanner, verified, 20)
			s.ExpiresAt = ptr(seal.NewTimestamp(sealtest.Time.Add(30 * time.Minute)))
			a.add(t, e, a.scanner, s)
			signature(e, a.scanner).ExpiresAt = nil
		}), fails(2, invalid)},
		"expiry moved": {instead(func(t *testing.T, a *attested, e *seal.Envelope) {
			registered(t, a, e)
			s := says(seal.RoleScanner, verified, 20)
			s.ExpiresAt = ptr(seal.NewTimestamp(sealtest.Time.Add(30 * time.Minute)))
			a.add(t, e, a.scanner, s)
			signature(e, a.scanner).ExpiresAt = ptr(seal.NewTimestamp(sealtest.Time.Add(300 * time.Minute)))
		}), fails(2, invalid)},
		"expired": {instead(func(t *testing.T, a *attested, e *seal.Envelope) {
			registered(t, a, e)
			s := says(seal.RoleScanner, verified, 20)
			s.ExpiresAt = ptr(seal.NewTimestamp(sealtest.Time.Add(30 * time.Minute)))
			a.add(t, e, a.scanner, s)
		}), below(2, expired)},
		"timestamp moved": {after(func(a *attested, e *seal.Envelope) {
			signature(e, a.scanner).Timestamp = ptr(seal.NewTimestamp(sealtest.Time.Add(50 * time.Minute)))
		}), fails(2, invalid)},
		"timestamp stripped": {after(func(a *attested, e *seal.Envelope) { signature(e, a.scanner).Timestamp = nil }), fails(2, invalid)},
		"another manifest's attestation pasted in": {func(t *testing.T, a *attested) {
			other := sealtest.Seal(t, sealtest.Manifest(t, sealtest.Tools(t, 1)...), a.key)
			a.parties(t, other)
			a.sign = func(t *testing.T, e *seal.Envelope) {
				registered(t, a, e)
				e.Signatures = append(e.Signatures, *signature(other, a.scanner))
			}
		}, fails(2, invalid)},
		"another manifest's statement pasted in": {func(t *testing.T, a *attested) {
			other := sealtest.Seal(t, sealtest.Manifest(t, sealtest.Tools(t, 1)...), a.key)
			a.parties(t, other)
			a.sign = func(t *testing.T, e *seal.Envelope) {
				a.parties(t, e)
				signature(e, a.scanner).Details = signature(other, a.scanner).Details
			}
		}, fails(2, invalid)},
		"another signer's statement pasted in": {after(func(a *attested, e *seal.Envelope) {
			s := signature(e, a.scanner)
			s.Details, s.Role, s.Type, s.Timestamp = signature(e, a.registry).Details, seal.RoleRegistry, seal.TypeNamespaceVerified, signature(e, a.registry).Timestamp
		}), fails(2, invalid)},

		"a scanner's key used as registry": {instead(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.add(t, e, a.scanner, says(seal.RoleRegistry, seal.TypeNamespaceVerified, 10))
			a.add(t, e, a.second, says(seal.RoleScanner, verified, 20))
		}), below(1, uncounted)},
		"a publisher's key used as scanner": {instead(func(t *testing.T, a *attested, e *seal.Envelope) {
			registered(t, a, e)
			a.add(t, e, a.key, says(seal.RoleScanner, verified, 20))
		}), below(2, uncounted)},
		"a stranger's key, by the name of the scanner's": {func(t *testing.T, a *attested) {
			fake := sealtest.Key(t, keys.ES256, a.scanner.KeyID())
			a.sign = func(t *testing.T, e *seal.Envelope) {
				registered(t, a, e)
				a.add(t, e, fake, says(seal.RoleScanner, verified, 20))
			}
		}, fails(2, invalid)},
		"a stranger's key": {instead(func(t *testing.T, a *attested, e *seal.Envelope) {
			registered(t, a, e)
			a.add(t, e, a.stranger, says(seal.RoleScanner, verified, 20))
		}), below(2, "SIGNATURE_KEY_NOT_FOUND")},
		"a stranger speaks against it": {also(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.add(t, e, a.stranger, says(seal.RoleScanner, found, 30))
		}), verdict{outcome: seal.Pass, level: 3, sealed: 3, advisories: []string{"SIGNATURE_KEY_NOT_FOUND"}}},
		"a publisher speaks against it, as a scanner": {also(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.add(t, e, a.key, says(seal.RoleScanner, found, 30))
		}), verdict{outcome: seal.Pass, level: 3, sealed: 3, advisories: []string{uncounted}}},
		"a type that trust does not list": {func(t *testing.T, a *attested) { a.member("scanner").types = []string{clean} }, below(2, uncounted)},
		"one's own type, that trust does not list": {instead(func(t *testing.T, a *attested, e *seal.Envelope) {
			registered(t, a, e)
			a.add(t, e, a.scanner, says(seal.RoleScanner, "com.example.fuzzed", 20))
		}), below(2, uncounted)},
		"a registry that may only say schema_validated": {func(t *testing.T, a *attested) { a.member("registry").types = []string{seal.TypeSchemaValidated} }, below(1, uncounted)},

		"one key in two roles": {instead(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.member("registry").roles = []seal.Role{seal.RoleRegistry, seal.RoleScanner}
			registered(t, a, e)
			a.add(t, e, a.registry, says(seal.RoleScanner, verified, 20))
		}), below(2, uncounted)},
		"one key in two roles, under two kids": {instead(func(t *testing.T, a *attested, e *seal.Envelope) {
			twin := renamed{a.registry, "twin"}
			a.roster = append(a.roster, member{holder: "twin.example", keys: []seal.PublicKey{twin.public()}, roles: []seal.Role{seal.RoleScanner}})
			registered(t, a, e)
			a.add(t, e, twin, says(seal.RoleScanner, verified, 20))
		}), below(2, uncounted)},
		"one key in two roles: what it says against it counts": {also(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.member("registry").roles = []seal.Role{seal.RoleRegistry, seal.RoleScanner}
			a.add(t, e, a.registry, says(seal.RoleScanner, found, 30))
		}), verdict{outcome: seal.Fail, level: 1, sealed: 1, errors: []string{negative}}},
		"one key under two kids as two votes": {also(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.v.Quorum = seal.Quorum{seal.RoleScanner: 2}
			twin := renamed{a.scanner, "twin"}
			a.roster = append(a.roster, member{holder: "twin.example", keys: []seal.PublicKey{twin.public()}, roles: []seal.Role{seal.RoleScanner}})
			a.add(t, e, twin, says(seal.RoleScanner, clean, 20))
		}), below(2)},
		"one holder's two keys as two votes": {also(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.v.Quorum = seal.Quorum{seal.RoleScanner: 2}
			a.member("second").holder = "scan.example"
			a.add(t, e, a.second, says(seal.RoleScanner, clean, 20))
		}), below(2)},
		"one vote twice": {also(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.v.Quorum = seal.Quorum{seal.RoleScanner: 2}
			e.Signatures = append(e.Signatures, *signature(e, a.scanner))
		}), below(2)},
		"two votes": {also(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.v.Quorum = seal.Quorum{seal.RoleScanner: 2}
			a.add(t, e, a.second, says(seal.RoleScanner, clean, 20))
		}), passes},

		"unbound":          {after(func(a *attested, e *seal.Envelope) { strip(signature(e, a.scanner)) }), below(2, unbound)},
		"unbound, allowed": {after(func(a *attested, e *seal.Envelope) { a.v.AllowUnboundUnsafe = true; strip(signature(e, a.scanner)) }), passes},
		"unbound, allowed, in a role that is not its own": {after(func(a *attested, e *seal.Envelope) {
			a.v.AllowUnboundUnsafe = true
			strip(signature(e, a.scanner))
			signature(e, a.scanner).Role = seal.RoleRegistry
		}), below(2, uncounted)},
		"unbound, allowed, where trust asks for an age": {after(func(a *attested, e *seal.Envelope) {
			a.v.AllowUnboundUnsafe, a.member("scanner").maxAge = true, time.Hour
			strip(signature(e, a.scanner))
		}), below(2, expired)},
		"unbound, allowed, after it expired": {after(func(a *attested, e *seal.Envelope) {
			a.v.AllowUnboundUnsafe = true
			strip(signature(e, a.scanner))
			signature(e, a.scanner).ExpiresAt = ptr(seal.NewTimestamp(sealtest.Time))
		}), below(2, expired)},

		"a finding": {also(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.add(t, e, a.scanner, says(seal.RoleScanner, found, 30))
		}), speaksAgainst},
		"a finding of a type that trust does not list": {also(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.member("second").types = []string{clean}
			a.add(t, e, a.second, says(seal.RoleScanner, "com.example.malware_found", 30))
		}), speaksAgainst},
		"a finding, outlived by another's clean word": {also(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.add(t, e, a.second, says(seal.RoleScanner, found, 30))
			a.add(t, e, a.scanner, says(seal.RoleScanner, verified, 40))
		}), speaksAgainst},
		"a finding, outlived by its holder's word on another question": {also(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.add(t, e, a.scanner, says(seal.RoleScanner, found, 30))
			a.add(t, e, a.scanner, says(seal.RoleScanner, clean, 40))
		}), speaksAgainst},
		"a finding, taken back": {also(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.add(t, e, a.scanner, says(seal.RoleScanner, found, 30))
			a.add(t, e, a.scanner, says(seal.RoleScanner, verified, 40))
		}), passes},
		"a finding, taken back in a time to come": {also(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.add(t, e, a.scanner, says(seal.RoleScanner, found, 30))
			a.add(t, e, a.scanner, says(seal.RoleScanner, verified, 24*60))
		}), verdict{outcome: seal.Fail, level: 2, sealed: 2, errors: []string{negative}, advisories: []string{expired}}},
		"a finding that lapsed: no older word comes to life": {also(func(t *testing.T, a *attested, e *seal.Envelope) {
			s := says(seal.RoleScanner, found, 30)
			s.ExpiresAt = ptr(seal.NewTimestamp(sealtest.Time.Add(40 * time.Minute)))
			a.add(t, e, a.scanner, s)
		}), below(2, expired)},
		"a finding in a time to come": {also(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.add(t, e, a.second, says(seal.RoleScanner, found, 24*60))
		}), speaksAgainst},
		"a finding older than trust counts": {also(func(t *testing.T, a *attested, e *seal.Envelope) {
			a.member("second").maxAge = 20 * time.Minute
			a.add(t, e, a.second, says(seal.RoleScanner, found, 30))
		}), speaksAgainst},
		"a clean word in a time to come": {instead(func(t *testing.T, a *attested, e *seal.Envelope) {
			registered(t, a, e)
			a.add(t, e, a.scanner, says(seal.RoleScanner, verified, 60+6))
		}), below(2, expired)},
		"a clean word of a clock that is fast": {instead(func(t *testing.T, a *attested, e *seal.Envelope) {
			registered(t, a, e)
			a.add(t, e, a.scanner, says(seal.RoleScanner, verified, 60+5))
		}), passes},
		"a word older than trust counts":            {func(_ *testing.T, a *attested) { a.member("scanner").maxAge = 39 * time.Minute }, below(2, expired)},
		"a word just as old":                        {func(_ *testing.T, a *attested) { a.member("scanner").maxAge = 40 * time.Minute }, passes},
		"a registry's word older than trust counts": {func(_ *testing.T, a *attested) { a.member("registry").maxAge = 49 * time.Minute }, below(1, expired)},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttested(t)
			tt.change(t, a)
			a.want(t, a.verify(t, a.sealedBy(t)), tt.want)
		})
	}
}

// TestOrderOfSignatures: whoever has the envelope orders its signatures, and
// gains nothing by it.
func TestOrderOfSignatures(t *testing.T) {
	a := newAttested(t)
	a.member("registry").roles = []seal.Role{seal.RoleRegistry, seal.RoleScanner}
	e := a.sealedBy(t)
	a.add(t, e, a.registry, says(seal.RoleScanner, seal.TypeSideEffectsDiscrepancyFound, 30))
	for range e.Signatures {
		e.Signatures = append(e.Signatures[1:], e.Signatures[0])
		a.want(t, a.verify(t, e), verdict{outcome: seal.Fail, level: 1, sealed: 1, errors: []string{"NEGATIVE_FINDING"}})
	}
}

// TestOrderOfRoles: a key that trust lists in several roles counts in one of them,
// and the publisher's before the others, wherever its signatures stand.
func TestOrderOfRoles(t *testing.T) {
	a := newAttested(t)
	a.member(a.key.KeyID()).roles = []seal.Role{seal.RolePublisher, seal.RoleScanner}
	a.member("registry").roles = []seal.Role{seal.RoleAuditor, seal.RoleRegistry}
	e := sealtest.Seal(t, a.manifest, a.key)
	a.add(t, e, a.key, says(seal.RoleScanner, seal.TypeSideEffectsVerified, 20))
	a.add(t, e, a.registry, says(seal.RoleRegistry, seal.TypeNamespaceVerified, 10))
	a.add(t, e, a.registry, says(seal.RoleAuditor, "code_review_passed", 20))
	for range 2 {
		for range e.Signatures {
			e.Signatures = append(e.Signatures[1:], e.Signatures[0])
			a.want(t, a.verify(t, e), verdict{outcome: seal.Pass, level: 2, sealed: 2, advisories: []string{"ATTESTATION_NOT_COUNTED", "ATTESTATION_NOT_COUNTED"}})
		}
		slices.Reverse(e.Signatures)
	}
}

// TestManySignatures: a document can ask for a bounded number of signature
// checks, each of which is made once.
func TestManySignatures(t *testing.T) {
	a := newAttested(t)
	for name, tt := range map[string]struct {
		n    int
		want verdict
	}{
		"as many as there may be": {seal.MaxSignatures, verdict{outcome: seal.Pass, level: 3, sealed: 3}},
		"one more":                {seal.MaxSignatures + 1, verdict{outcome: seal.Fail, errors: []string{"MANIFEST_PARSE_ERROR"}}},
		"a thousand":              {1000, verdict{outcome: seal.Fail, errors: []string{"MANIFEST_PARSE_ERROR"}}},
	} {
		t.Run(name, func(t *testing.T) {
			data := repeated(t, sealtest.Marshal(t, a.sealedBy(t)), tt.n)
			checks := 0
			a.v.Keys, a.v.Server = counting{a.roster, &checks}, *a.live
			a.want(t, a.v.Verify(t.Context(), data), tt.want)
			if want := tt.n; tt.n > seal.MaxSignatures && checks != 0 || tt.n <= seal.MaxSignatures && checks != want {
				t.Errorf("%d signatures were checked of %d", checks, tt.n)
			}
		})
	}
}

// repeated is an envelope with its last signature so often that it has n.
func repeated(t *testing.T, envelope []byte, n int) []byte {
	t.Helper()
	var e map[string]json.RawMessage
	var signatures []json.RawMessage
	if err := json.Unmarshal(envelope, &e); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(e["signatures"], &signatures); err != nil {
		t.Fatal(err)
	}
	for len(signatures) < n {
		signatures = append(signatures, signatures[len(signatures)-1])
	}
	var err error
	if e["signatures"], err = json.Marshal(signatures); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestNamespaces: a namespace is what the caller expects, to the byte.
func TestNamespaces(t *testing.T) {
	for _, got := range []string{
		"io.github.Acme", "IO.github.acme", "io.github.acme.", ".io.github.acme", "io.github.acme ", "io.github.acme\n", "io.github.acme\x00",
		"io.github.acme-inc", "io.github.acm", "io.github.acme.evil", "evil.io.github.acme", "io.github", "io.gitlab.acme", "io-github.acme",
		"io.github.аcme",        // with a Cyrillic а
		"io.github.xn--cme-5cd", // the same as punycode
		"io.github.acme\u200b", "io.github.a\u0301cme", "io.github.ａcme", "io。github。acme",
	} {
		t.Run(fmt.Sprintf("%q", got), func(t *testing.T) {
			a := newAttested(t)
			a.manifest.Server.Publisher.Namespace = got
			r := a.verify(t, a.sealedBy(t))
			a.want(t, r, verdict{outcome: seal.Fail, sealed: 3, errors: []string{"IDENTITY_MISMATCH"}})
			if r.Publisher.Expected || !strings.Contains(r.Errors[0].Message, fmt.Sprintf("want %q", sealtest.Namespace)) {
				t.Errorf("got %+v, %+v", r.Publisher, r.Errors)
			}
		})
	}
}
