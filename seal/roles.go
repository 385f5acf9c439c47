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

// roleOrder is the order in which roles are given to a key that attests in
// several: without a publisher nothing opens.
var roleOrder = []Role{RolePublisher, RoleRegistry, RoleScanner, RoleAuditor}

// PositiveTypes returns the types of MIS §14.4 by which a role speaks for a
// release.
func PositiveTypes(role Role) []string { return slices.Clone(positiveTypes[role]) }

// customType is a type of one's own: a word behind a reverse-domain name (MIS
// §14.4).
var customType = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)+$`)

// CheckType returns nil for a type that a role may attest: one that MIS §14.4
// gives it, or one of the attestor's own. The standard has a single type against
// a release, and gives it to scanners; an auditor, who looks at the same things,
// may say it, too, rather than have no word for what it found.
func CheckType(role Role, attestationType string) error {
	standard := PositiveTypes(role)
	if role == RoleScanner || role == RoleAuditor {
		standard = append(standard, TypeSideEffectsDiscrepancyFound)
	}
	if slices.Contains(standard, attestationType) || customType.MatchString(attestationType) {
		return nil
	}
	return fmt.Errorf("attestation type of a %s: got %.80q, want one of %s, or a word behind a reverse-domain name such as com.example.fuzzed", role, attestationType, strings.Join(standard, ", "))
}

// badNews are the last words of types that speak against a release.
var badNews = []string{"found", "detected", "failed", "rejected", "revoked"}

// answers are the ends of types that speak against a release, with those of the
// types that take them back.
var answers = []struct{ bad, good string }{
	{"discrepancy_found", "verified"},
	{"discrepancy-found", "verified"},
	{"failed", "passed"},
}

// Negative says that a type speaks against a release: the standard's
// side_effects_discrepancy_found, and a type of somebody's own whose last word,
// behind an underscore, a hyphen or a dot, is found, detected, failed, rejected or
// revoked, unless what follows the last dot begins with no_ or no-.
func Negative(attestationType string) bool {
	_, name := cutName(attestationType)
	if strings.HasPrefix(name, "no_") || strings.HasPrefix(name, "no-") {
		return false
	}
	last := strings.LastIndexAny(attestationType, "_-.")
	return last >= 0 && slices.Contains(badNews, attestationType[last+1:])
}

// cutName splits a type behind its last dot.
func cutName(attestationType string) (prefix, name string) {
	dot := strings.LastIndex(attestationType, ".") + 1
	return attestationType[:dot], attestationType[dot:]
}

// withdraws says that a later attestation of type good takes back one of type
// bad by the same holder: it answers the same question the other way. A type
// that no other answers is taken back by its holder alone, who removes it.
func withdraws(good, bad string) bool {
	for _, n := range answers {
		for _, mark := range []string{"_", "-", "."} {
			if stem, ok := strings.CutSuffix(bad, mark+n.bad); ok && good == stem+mark+n.good {
				return true
			}
		}
	}
	prefix, name := cutName(bad)
	return good == prefix+"no_"+name || good == prefix+"no-"+name
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

// heard is one signature, and why it does not count; a nil err says that it does.
type heard struct {
	Attestation
	err error
}

// oneRoleEach leaves each key and identity one role (decision 10a), the first of
// [roleOrder] that it attests in: who orders the signatures decides nothing. A
// word against the release counts in every role, or its holder's other words
// could silence it.
func oneRoleEach(all []heard) {
	roleOf := map[string]Role{}
	for _, role := range roleOrder {
		for i := range all {
			h := &all[i]
			if h.err != nil || h.Role != role || Negative(h.Type) {
				continue
			}
			if r, ok := roleOf[h.Identity]; ok && r != role {
				h.err = failf(CodeNotCounted, "keyid %.100q attests as %s already, and counts in one role only", h.KeyID, r)
				continue
			}
			roleOf[h.Identity] = role
		}
	}
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

// sameHolder says that one holder made both. An identity is its own whatever trust
// calls it. A name stands for all keys that trust lists under it, those before a
// rotation and after it; but only within one run: another run's trust may have
// given the name to somebody else. So whoever changed keys takes back what the old
// one said while that word is still in the envelope.
func (a Attestation) sameHolder(b Attestation) bool {
	if a.Identity != "" && b.Identity != "" {
		if a.Identity == b.Identity || a.Recalled || b.Recalled {
			return a.Identity == b.Identity
		}
	}
	return a.Holder == b.Holder
}

func (a Attestation) takenBackBy(b Attestation) bool {
	return a.sameHolder(b) && withdraws(b.Type, a.Type) && a.Time != nil && b.Time != nil && b.Time.After(a.Time.Time)
}

// outlivedBy says that b is a later word of the same holder against the release.
func (a Attestation) outlivedBy(b Attestation) bool {
	if !Negative(b.Type) || !a.sameHolder(b) {
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
