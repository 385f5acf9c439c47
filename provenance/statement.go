package provenance

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	predicatev1 "github.com/in-toto/attestation/go/predicates/provenance/v1"
	statementv1 "github.com/in-toto/attestation/go/v1"
	"github.com/in-toto/in-toto-golang/in_toto"
	slsa02 "github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/v0.2"
	slsa1 "github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// The names of in-toto and SLSA.
const (
	// PayloadType is the DSSE payload type of every statement.
	PayloadType = in_toto.PayloadType
	// StatementType is the _type of the statements that this package writes.
	StatementType = in_toto.StatementInTotoV1
	// PredicateType is the predicate that this package writes and checks.
	PredicateType = slsa1.PredicateSLSAProvenance
	// PredicateTypeV02 is the older provenance, which it only reads.
	PredicateTypeV02 = slsa02.PredicateSLSAProvenance
)

// Subject is an artifact: a name, and digests in lower-case hex by in-toto's
// names of the algorithms, such as sha256.
type Subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

type statement struct {
	Type          string    `json:"_type"`
	Subject       []Subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     any       `json:"predicate"`
}

// New returns the canonical bytes of the statement that b made subjects, ready
// to be signed with [PayloadType]. A subject that stands twice is written once;
// one name with two different digests is an error, as are a fact of b that is
// absent, and more than [MaxSubjects] subjects. What it returns has passed
// in-toto's own validation, and [Parse].
func New(b Build, subjects []Subject) ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	payload, err := marshal(PredicateType, b.facts().predicate(), subjects)
	if err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	if err := validate(payload, new(predicatev1.Provenance)); err != nil {
		return nil, fmt.Errorf("provenance: in-toto's validation: %w", err)
	}
	if _, err := Parse(payload); err != nil {
		return nil, err
	}
	return payload, nil
}

// marshal writes a statement about subjects in canonical form: the same input
// is the same bytes on every machine.
func marshal(predicateType string, predicate any, subjects []Subject) ([]byte, error) {
	subjects, err := unique(subjects)
	if err != nil {
		return nil, err
	}
	payload, err := strictjson.Marshal(statement{
		Type: StatementType, Subject: subjects, PredicateType: predicateType, Predicate: predicate,
	})
	if err != nil {
		return nil, err
	}
	if len(payload) > MaxStatement {
		return nil, fmt.Errorf("%d bytes, want at most %d", len(payload), MaxStatement)
	}
	return payload, nil
}

// validate asks in-toto's own types, by which Sigstore's verifiers read a
// statement, for their opinion. Predicate is nil where they have none of it.
func validate(payload []byte, predicate *predicatev1.Provenance) error {
	var s statementv1.Statement
	if err := protojson.Unmarshal(payload, &s); err != nil {
		return err
	}
	if err := s.Validate(); err != nil || predicate == nil {
		return err
	}
	data, err := protojson.Marshal(s.GetPredicate())
	if err != nil {
		return err
	}
	if err := protojson.Unmarshal(data, predicate); err != nil {
		return err
	}
	return predicate.Validate()
}

// hexLength are the digests that we know, by the length of their hex: in-toto's
// own validation accepts a digest of any length under a name that it does not
// know, such as SHA256.
var hexLength = map[string]int{"sha256": 64, "sha384": 96, "sha512": 128}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}

func checkDigests(set map[string]string) error {
	if len(set) == 0 || len(set) > MaxDigests {
		return fmt.Errorf("%d digests, want 1 to %d", len(set), MaxDigests)
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if n, ok := hexLength[name]; ok && (len(set[name]) != n || !isHex(set[name])) {
			return fmt.Errorf("%s: got %.140q, want lower-case hex of its length", name, set[name])
		}
	}
	return nil
}

// unique sorts subjects and merges those that stand twice. GitHub refuses a
// statement that says the same of one artifact twice.
func unique(subjects []Subject) ([]Subject, error) {
	byName := map[string]map[string]string{}
	for _, s := range subjects {
		if err := checkText(s.Name, maxName); err != nil {
			return nil, fmt.Errorf("subject: name: %w", err)
		}
		if err := checkDigests(s.Digest); err != nil {
			return nil, fmt.Errorf("subject %.100q: %w", s.Name, err)
		}
		if s.Digest["sha256"] == "" && s.Digest["sha512"] == "" {
			return nil, fmt.Errorf("subject %.100q: want a sha256 or a sha512", s.Name)
		}
		merged, err := merge(byName[s.Name], s.Digest)
		if err != nil {
			return nil, fmt.Errorf("subject %.100q: %w", s.Name, err)
		}
		byName[s.Name] = merged
	}
	if len(byName) == 0 || len(byName) > MaxSubjects {
		return nil, fmt.Errorf("%d subjects, want 1 to %d", len(byName), MaxSubjects)
	}
	var all []Subject
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, Subject{Name: name, Digest: byName[name]})
	}
	return all, nil
}

// merge joins two digest sets of one name. They must agree on an algorithm that
// both have: without one nobody knows that they are of the same bytes.
func merge(a, b map[string]string) (map[string]string, error) {
	if a == nil {
		return b, nil
	}
	agree := false
	for _, name := range slices.Sorted(maps.Keys(b)) {
		switch value, ok := a[name]; {
		case !ok:
		case value != b[name]:
			return nil, fmt.Errorf("two artifacts have that name: %s is %q and %q", name, value, b[name])
		default:
			agree = true
		}
	}
	if !agree {
		return nil, errors.New("it stands twice, with digests that cannot be compared")
	}
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all, nil
}
