package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	bundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/slsa-framework/slsa-verifier/v2/verifiers"
	"google.golang.org/protobuf/encoding/protojson"
)

// Predicate types of npm's two attestations.
const (
	provenanceV02 = "https://slsa.dev/provenance/v0.2"
	provenanceV1  = "https://slsa.dev/provenance/v1"
	// publishPrefix is followed by a version.
	publishPrefix = "https://github.com/npm/attestation/tree/main/specs/publish/"
)

// maxAttestations is for one version of one package: npm has two.
const maxAttestations = 16

// npmAttestation is one entry of the registry's answer.
type npmAttestation struct {
	PredicateType string         `json:"predicateType"`
	Bundle        jsontext.Value `json:"bundle"`
}

type npmAttestations struct {
	Attestations []npmAttestation `json:"attestations"`
}

// verifyNpm hands the library a list with one attestation of either sort, so
// that it verifies the provenance whose statement is returned: of several, the
// library takes the last, and it returns no statement.
func verifyNpm(ctx context.Context, r request) (finding, error) {
	pair, provenance, err := npmPair(r.Provenance)
	if err != nil {
		return finding{}, err
	}
	_, builder, err := verifiers.VerifyNpmPackage(ctx, pair, r.hexDigest(), r.provenanceOpts(), r.builderOpts())
	if err != nil {
		return finding{}, err
	}
	statement, err := payload(provenance)
	if err != nil {
		return finding{}, err
	}
	f, err := found(statement, builder, nil)
	if err == nil && strings.HasPrefix(f.builderID, delegator) {
		f.builderID, err = predicateBuilder(statement)
	}
	return f, err
}

// delegator begins the ids of slsa-github-generator's delegators. For one, the
// library compares the wanted builder with the predicate's, and then returns the
// delegator; for artifacts it returns the builder.
const delegator = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/delegator_"

// predicateBuilder reads the builder of SLSA v0.2 or v1 from a verified statement.
func predicateBuilder(statement []byte) (string, error) {
	type builder struct {
		ID string `json:"id"`
	}
	var s struct {
		Predicate struct {
			Builder    builder `json:"builder"`
			RunDetails struct {
				Builder builder `json:"builder"`
			} `json:"runDetails"`
		} `json:"predicate"`
	}
	if err := json.Unmarshal(statement, &s); err != nil {
		return "", fmt.Errorf("%w: %.200s", errMalformed, err.Error())
	}
	return cmp.Or(s.Predicate.RunDetails.Builder.ID, s.Predicate.Builder.ID), nil
}

// npmPair returns the two attestations that count, as the library reads them,
// and the bundle of the provenance.
func npmPair(data []byte) (pair, provenance []byte, err error) {
	var all npmAttestations
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, nil, fmt.Errorf("%w: %.200s", errNpmAttestations, err.Error())
	}
	if n := len(all.Attestations); n > maxAttestations {
		return nil, nil, fmt.Errorf("%w: %d of them, want %d at most", errNpmAttestations, n, maxAttestations)
	}
	var built, published []npmAttestation
	for _, a := range all.Attestations {
		switch {
		case a.PredicateType == provenanceV02 || a.PredicateType == provenanceV1:
			built = append(built, a)
		case strings.HasPrefix(a.PredicateType, publishPrefix):
			published = append(published, a)
		}
	}
	if len(built) != 1 || len(published) != 1 {
		return nil, nil, fmt.Errorf("%w: %d of provenance and %d of publishing, want one each", errNpmAttestations, len(built), len(published))
	}
	pair, err = json.Marshal(npmAttestations{Attestations: []npmAttestation{built[0], published[0]}})
	return pair, built[0].Bundle, err
}

// payload reads a bundle with the library's own reader.
func payload(data []byte) ([]byte, error) {
	var b bundle.Bundle
	if err := protojson.Unmarshal(data, &b); err != nil {
		return nil, fmt.Errorf("%w: %.200s", errMalformed, err.Error())
	}
	return b.GetDsseEnvelope().GetPayload(), nil
}
