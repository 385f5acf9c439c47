package provenance

import (
	"encoding/json"
	"strings"
	"testing"

	predicatev1 "github.com/in-toto/attestation/go/predicates/provenance/v1"
	"github.com/in-toto/in-toto-golang/in_toto"
)

// TestInTotoGolangReadsUs: in-toto's older types decode a statement strictly.
func TestInTotoGolangReadsUs(t *testing.T) {
	for name, b := range builds() {
		d := json.NewDecoder(strings.NewReader(string(mustNew(t, b))))
		d.DisallowUnknownFields()
		//lint:ignore SA1019 it is what others still read with
		var s in_toto.ProvenanceStatementSLSA1
		if err := d.Decode(&s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p := s.Predicate
		if s.Type != in_toto.StatementInTotoV1 || s.PredicateType != PredicateType || len(s.Subject) != 1 || s.Subject[0].Digest["sha256"] != artifact.Encoded() ||
			p.BuildDefinition.BuildType != BuildTypeOf(b) || p.RunDetails.Builder.ID != b.BuilderID() || p.RunDetails.BuildMetadata.InvocationID != b.InvocationID() ||
			len(p.BuildDefinition.ResolvedDependencies) != 1 || p.BuildDefinition.ResolvedDependencies[0].Digest["gitCommit"] != b.Commit {
			t.Errorf("%s: got %+v", name, s)
		}
	}
}

// TestInTotoValidates: the self-check is one that can fail.
func TestInTotoValidates(t *testing.T) {
	for name, b := range builds() {
		payload := mustNew(t, b)
		if err := validate(payload, new(predicatev1.Provenance)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for what, change := range map[string]func(object){
			"proto":                              func(s object) { s["extra"] = "x" },
			"wrong statement type":               func(s object) { s["_type"] = "x" },
			"at least one subject required":      func(s object) { s["subject"] = []any{} },
			"at least one digest required":       func(s object) { in0(s["subject"])["digest"] = object{} },
			"runDetails.builder":                 func(s object) { delete(in(s["predicate"].(object), ".runDetails"), "builder") },
			"buildDefinition.externalParameters": func(s object) { delete(in(s["predicate"].(object), ".buildDefinition"), "externalParameters") },
			"buildDefinition.buildType required": func(s object) { delete(in(s["predicate"].(object), ".buildDefinition"), "buildType") },
			"digest is not valid hex-encoded":    func(s object) { in0(s["subject"])["digest"] = object{"sha256": "x"} },
			"unknown field \"workflow\"":         func(s object) { in(s["predicate"].(object), ".buildDefinition")["workflow"] = "x" },
			"digest has incorrect length: got 1 by": func(s object) {
				in(s["predicate"].(object), ".buildDefinition.resolvedDependencies[0].digest")["gitCommit"] = "aa"
			},
		} {
			// protobuf's own messages vary in their spaces from build to build.
			err := validate(edit(t, payload, change), new(predicatev1.Provenance))
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "\u00a0", " "), what) {
				t.Errorf("%s: want an error with %q, got %v", name, what, err)
			}
		}
	}
}

func in0(list any) object { return list.([]any)[0].(object) }
