package seal

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The attestation types of MIS §14.4 that a level or a finding stands on.
const (
	TypeNamespaceVerified           = "namespace_verified"
	TypeSchemaValidated             = "schema_validated"
	TypeSideEffectsVerified         = "side_effects_verified"
	TypeSideEffectsDiscrepancyFound = "side_effects_discrepancy_found"
	TypeMalwareScanClean            = "malware_scan_clean"
)

// positiveTypes are the types of MIS §14.4 that speak for a release, by the role
// that may attest them.
var positiveTypes = map[Role][]string{
	RolePublisher: {TypeManifestSigned},
	RoleRegistry:  {TypeNamespaceVerified, TypeSchemaValidated},
	RoleScanner:   {"no_prompt_injection_detected", TypeSideEffectsVerified, TypeMalwareScanClean},
	RoleAuditor:   {"code_review_passed", "security_audit_passed"},
}

// PositiveTypes returns the types of MIS §14.4 by which a role speaks for a
// release.
func PositiveTypes(role Role) []string { return slices.Clone(positiveTypes[role]) }

// customType is a type of one's own: a word behind a reverse-domain name (MIS
// §14.4).
var customType = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)+$`)

// CheckType returns nil for a type that a role may attest: one that MIS §14.4
// gives it, or one of the attestor's own.
func CheckType(role Role, attestationType string) error {
	standard := PositiveTypes(role)
	if role == RoleScanner {
		standard = append(standard, TypeSideEffectsDiscrepancyFound)
	}
	if slices.Contains(standard, attestationType) || customType.MatchString(attestationType) {
		return nil
	}
	return fmt.Errorf("attestation type of a %s: got %.80q, want one of %s, or a word behind a reverse-domain name such as com.example.fuzzed", role, attestationType, strings.Join(standard, ", "))
}

// badNews are the endings of types that speak against a release, with those of
// the types that take them back.
var badNews = []struct{ bad, good string }{
	{"_discrepancy_found", "_verified"},
	{"_failed", "_passed"},
}

// Negative says that a type speaks against a release: the standard's
// side_effects_discrepancy_found, and a type of somebody's own whose word ends
// with _found, _detected, _failed, _rejected or _revoked and does not begin with
// no_.
func Negative(attestationType string) bool {
	word := attestationType[strings.LastIndex(attestationType, ".")+1:]
	if strings.HasPrefix(word, "no_") {
		return false
	}
	return slices.ContainsFunc([]string{"_found", "_detected", "_failed", "_rejected", "_revoked"}, func(end string) bool {
		return strings.HasSuffix(word, end)
	})
}

// withdraws says that a later attestation of type good takes back one of type
// bad by the same holder: it answers the same question the other way. A type
// that no other answers is taken back by its holder alone, who removes it.
func withdraws(good, bad string) bool {
	for _, n := range badNews {
		if stem, ok := strings.CutSuffix(bad, n.bad); ok && good == stem+n.good {
			return true
		}
	}
	prefix, word := "", bad
	if dot := strings.LastIndex(bad, "."); dot >= 0 {
		prefix, word = bad[:dot+1], bad[dot+1:]
	}
	return good == prefix+"no_"+word
}

// SameQuestion says that two types are answers to one question, so that the later
// one of an attestor stands for both.
func SameQuestion(a, b string) bool { return a == b || withdraws(a, b) || withdraws(b, a) }

// grants returns nil where trust lets the holder attest this type in this role
// (decision 10a). Bad news needs no permission but the role's: a list of types
// says what may raise a level.
func (a Authenticated) grants(role Role, attestationType string) error {
	if !slices.Contains(a.Roles, role) {
		return fmt.Errorf("attests as %s, a role that the keys given do not hold", role)
	}
	types := a.Types
	if types == nil {
		types = positiveTypes[role]
	}
	if role == RolePublisher || Negative(attestationType) || slices.Contains(types, attestationType) {
		return nil
	}
	return fmt.Errorf("attests %.80q as %s, and is trusted with %s", attestationType, role, strings.Join(types, ", "))
}

// Quorum is how many distinct holders of a role must speak for a release before
// the role counts. A role that is missing needs one.
type Quorum map[Role]int

func (q Quorum) of(role Role) int { return max(q[role], 1) }

// Standing is what the attestations of a release come to (decision 10d).
type Standing struct {
	// For speak for the release, Against speak against it and nobody took them
	// back.
	For, Against []Attestation
}

// StandingOf weighs attestations that hold, and lapsed ones, whose time is over:
// an older word in favour does not come to life again when a later one against
// it has lapsed.
//
// A word against is taken back by its own holder alone, with a later word on the
// same question. That others see it otherwise does not silence it.
func StandingOf(attestations, lapsed []Attestation) Standing {
	var s Standing
	for _, a := range attestations {
		switch {
		case a.Role == RolePublisher:
			s.For = append(s.For, a)
		case Negative(a.Type):
			if !slices.ContainsFunc(attestations, func(b Attestation) bool { return a.takenBackBy(b) }) {
				s.Against = append(s.Against, a)
			}
		case !slices.ContainsFunc(attestations, a.outlivedBy) && !slices.ContainsFunc(lapsed, a.outlivedBy):
			s.For = append(s.For, a)
		}
	}
	return s
}

func (a Attestation) takenBackBy(b Attestation) bool {
	return b.Holder == a.Holder && withdraws(b.Type, a.Type) && a.Time != nil && b.Time != nil && b.Time.After(a.Time.Time)
}

// outlivedBy says that b is a later word of the same holder against the release.
func (a Attestation) outlivedBy(b Attestation) bool {
	if !Negative(b.Type) || b.Holder != a.Holder {
		return false
	}
	if withdraws(a.Type, b.Type) {
		return !b.takenBackBy(a)
	}
	return a.Time == nil || b.Time == nil || !a.Time.After(b.Time.Time)
}

// Holders counts the distinct holders of a role who speak for the release, by
// that type or, where it is "", by any. A key or an identity that trust lists
// under two names is one.
func (s Standing) Holders(role Role, attestationType string) int {
	n, seen := 0, map[string]bool{}
	for _, a := range s.For {
		if a.Role != role || attestationType != "" && a.Type != attestationType {
			continue
		}
		holder := "holder " + a.Holder
		identity := Authenticated{KeyID: a.KeyID, Thumbprint: a.Thumbprint, Certificate: a.Certificate}.Identity()
		if !seen[holder] && !seen[identity] {
			n++
		}
		seen[holder], seen[identity] = true, true
	}
	return n
}

// tooOld returns an error for an attestation that is older than trust allows,
// or lies ahead of the clock: who dates a word ahead would outlive all others.
// It goes for words in favour alone: bad news goes away neither by waiting nor by
// a scanner's clock, only when its holder takes it back or lets it expire.
func (a Authenticated) tooOld(at *Timestamp, now time.Time) error {
	switch {
	case now.IsZero():
		return nil // an ancestor's: its successors stand on it
	case a.MaxAge > 0 && at == nil:
		return fmt.Errorf("it has no signed time, and trust asks for one within %s", a.MaxAge)
	case a.MaxAge > 0 && now.Sub(at.Time) > a.MaxAge:
		return fmt.Errorf("it was made at %s, longer ago than the %s that trust allows", at.Format(time.RFC3339), a.MaxAge)
	case at != nil && at.Sub(now) > maxClockSkew:
		return fmt.Errorf("it is dated %s, and it is %s", at.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// maxClockSkew is how far an attestation's time may lie ahead of our clock.
const maxClockSkew = 5 * time.Minute
