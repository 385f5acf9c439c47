package provenance

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/in-toto/in-toto-golang/in_toto"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Statement is a provenance as somebody signed it. It is their word: [Check]
// compares it with what is known.
type Statement struct {
	// Type is in-toto's v1, or the v0.1 of older provenance.
	Type string
	// PredicateType is [PredicateType] or [PredicateTypeV02].
	PredicateType string
	// Subjects are what it is about: one at least, each with a digest.
	Subjects []Subject
	// Predicate is the predicate's JSON, members that nobody knows included.
	Predicate []byte

	buildType    string
	builderID    string
	dependencies []dependency
}

// dependency is an entry of resolvedDependencies, or of the older materials.
type dependency struct {
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest"`
}

// ErrPredicateType says that a statement is no SLSA provenance of a version
// that is read here: attestations of other kinds lie in the same places.
var ErrPredicateType = errors.New("it is no SLSA provenance v1 or v0.2")

// BuildType is the predicate's build type.
func (s *Statement) BuildType() string { return s.buildType }

// BuilderID is the builder that the predicate names.
func (s *Statement) BuilderID() string { return s.builderID }

// Foreign says whether another builder made s, in a build type that is not
// described here: only a verifier who knows that builder can say what its
// predicate is worth.
func (s *Statement) Foreign() bool {
	return s.PredicateType != PredicateType || platformOf(s.buildType) == ""
}

// wireStatement has the members that in-toto gives a statement and a subject.
// Another member beside them is refused, as Sigstore's own parsers do.
type wireStatement struct {
	Type          string         `json:"_type"`
	Subject       []wireSubject  `json:"subject"`
	PredicateType string         `json:"predicateType"`
	Predicate     jsontext.Value `json:"predicate"`
}

type wireSubject struct {
	Name             string            `json:"name"`
	URI              string            `json:"uri"`
	Digest           map[string]string `json:"digest"`
	Content          string            `json:"content"`
	DownloadLocation string            `json:"downloadLocation"`
	MediaType        string            `json:"mediaType"`
	Annotations      jsontext.Value    `json:"annotations"`
}

// Parse reads the payload of a statement whose signature the caller has
// verified. It takes the SLSA provenance of any builder, version 1 or 0.2, and
// keeps members of the predicate that it does not know. It refuses a statement
// without subjects, a subject without digests, whatever is above the bounds of
// this package, JSON with two meanings, and, with [ErrPredicateType], any other
// predicate.
func Parse(payload []byte) (*Statement, error) {
	s, err := parse(payload)
	if err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	return s, nil
}

func parse(payload []byte) (*Statement, error) {
	if len(payload) > MaxStatement {
		return nil, fmt.Errorf("%d bytes, want at most %d", len(payload), MaxStatement)
	}
	var wire wireStatement
	if err := strictjson.Unmarshal(payload, &wire); err != nil {
		return nil, err
	}
	if wire.Type != StatementType && wire.Type != in_toto.StatementInTotoV01 {
		return nil, fmt.Errorf("_type: got %.100q, want %q or %q", wire.Type, StatementType, in_toto.StatementInTotoV01)
	}
	subjects, err := readSubjects(wire.Subject)
	if err != nil {
		return nil, err
	}
	s := &Statement{Type: wire.Type, PredicateType: wire.PredicateType, Subjects: subjects, Predicate: slices.Clone(wire.Predicate)}
	switch wire.PredicateType {
	case PredicateType:
		err = s.readV1()
	case PredicateTypeV02:
		err = s.readV02()
	default:
		return nil, fmt.Errorf("predicateType: %w: got %.100q", ErrPredicateType, wire.PredicateType)
	}
	if err != nil {
		return nil, fmt.Errorf("predicate: %w", err)
	}
	return s, nil
}

func readSubjects(wire []wireSubject) ([]Subject, error) {
	if len(wire) == 0 || len(wire) > MaxSubjects {
		return nil, fmt.Errorf("%d subjects, want 1 to %d", len(wire), MaxSubjects)
	}
	subjects := make([]Subject, 0, len(wire))
	for n, w := range wire {
		if len(w.Name) > maxName {
			return nil, fmt.Errorf("subject %d: name: %d bytes, want at most %d", n, len(w.Name), maxName)
		}
		if err := checkDigests(w.Digest); err != nil {
			return nil, fmt.Errorf("subject %d: %w", n, err)
		}
		subjects = append(subjects, Subject{Name: w.Name, Digest: w.Digest})
	}
	return subjects, nil
}

// readV1 reads what every provenance v1 must have
// (https://slsa.dev/spec/v1.1/provenance), and its dependencies.
func (s *Statement) readV1() error {
	var p struct {
		Build struct {
			Type         string       `json:"buildType"`
			Dependencies []dependency `json:"resolvedDependencies"`
		} `json:"buildDefinition"`
		Run struct {
			Builder struct {
				ID string `json:"id"`
			} `json:"builder"`
		} `json:"runDetails"`
	}
	if err := strictjson.DecodeOpen(s.Predicate, &p); err != nil {
		return err
	}
	s.buildType, s.builderID, s.dependencies = p.Build.Type, p.Run.Builder.ID, p.Build.Dependencies
	if s.buildType == "" {
		return errors.New("buildDefinition.buildType: it is absent or empty")
	}
	if s.builderID == "" {
		return errors.New("runDetails.builder.id: it is absent or empty")
	}
	return s.checkDependencies()
}

// readV02 reads the same of version 0.2 (https://slsa.dev/spec/v0.2/provenance).
func (s *Statement) readV02() error {
	var p struct {
		Type    string `json:"buildType"`
		Builder struct {
			ID string `json:"id"`
		} `json:"builder"`
		Materials []dependency `json:"materials"`
	}
	if err := strictjson.DecodeOpen(s.Predicate, &p); err != nil {
		return err
	}
	s.buildType, s.builderID, s.dependencies = p.Type, p.Builder.ID, p.Materials
	if s.builderID == "" {
		return errors.New("builder.id: it is absent or empty")
	}
	return s.checkDependencies()
}

func (s *Statement) checkDependencies() error {
	if n := len(s.dependencies); n > maxDependencies {
		return fmt.Errorf("%d dependencies, want at most %d", n, maxDependencies)
	}
	return nil
}
