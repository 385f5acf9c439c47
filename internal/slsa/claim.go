package slsa

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	serrors "github.com/slsa-framework/slsa-verifier/v2/errors"
	"github.com/slsa-framework/slsa-verifier/v2/verifiers/utils"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Bounds on provenance.
const (
	// maxProvenance is for a provenance file, in bytes. GitHub takes predicates of
	// 16 MiB; the largest of slsa-verifier's own examples has 60 kB. The program
	// has the same bound.
	maxProvenance = 16 << 20
	// maxAttestations is for npm's list of one version of a package; it has two.
	maxAttestations = 16
	// maxID is for a builder id: a repository, a path and a ref.
	maxID = 1 << 10
)

// Kind is one of slsa-verifier's ways to look at an attestation.
type Kind string

// The kinds.
const (
	// KindArtifact is provenance of slsa-github-generator's builders.
	KindArtifact Kind = "artifact"
	// KindNpm is the npm registry's list of the attestations of one version.
	KindNpm Kind = "npm"
	// KindGitHub is a GitHub attestation of the Bazel Central Registry's workflows.
	KindGitHub Kind = "github-attestation"
	// KindVSA is a Verification Summary Attestation.
	KindVSA Kind = "vsa"
)

// The builders that slsa-verifier v2.7.1 knows, by its lists of builder ids.
const (
	generator   = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/"
	delegator   = generator + "delegator_"
	npmRunner   = "https://github.com/actions/runner"
	bcrReleaser = "https://github.com/bazel-contrib/.github/.github/workflows/release_ruleset.yaml"
	bcrPublish  = "https://github.com/bazel-contrib/publish-to-bcr/.github/workflows/publish.yaml"
)

// provenanceTypes are the predicate types of provenance that slsa-verifier reads.
var provenanceTypes = map[string]bool{"https://slsa.dev/provenance/v0.2": true, "https://slsa.dev/provenance/v1": true}

// A Claim is what a provenance says of its builder, before anything of it was
// verified: enough to choose the verifier and to ask it the right question.
type Claim struct {
	Kind Kind
	// BuilderID is the builder: a workflow and its ref, as
	// https://github.com/OWNER/NAME/PATH@REF, or npm's id of the runner.
	BuilderID string
}

// ErrNotForeign says that slsa-verifier has no say on a provenance: it is of
// none of its builders, or of no form that it reads.
var ErrNotForeign = errors.New("no provenance of a builder that slsa-verifier knows")

// Recognise reads who a provenance (a Sigstore bundle, a DSSE envelope of
// slsa-github-generator, or npm's list) claims to be from. It fails with
// [ErrNotForeign] for one that is not slsa-verifier's business, and with a
// [*Refusal] where slsa-verifier is sure to refuse it, whatever is asked.
func Recognise(provenance []byte) (Claim, error) {
	d, err := read(provenance)
	if err != nil {
		return Claim{}, fmt.Errorf("%w: %w", ErrNotForeign, err)
	}
	if d.Attestations != nil {
		return d.npm()
	}
	e, err := d.single()
	if err != nil {
		return Claim{}, fmt.Errorf("%w: %w", ErrNotForeign, err)
	}
	return e.claim()
}

// document is any of the three forms; the members of the others are empty.
type document struct {
	// npm's list.
	Attestations []struct {
		PredicateType string `json:"predicateType"`
		Bundle        bundle `json:"bundle"`
	} `json:"attestations"`
	// A Sigstore bundle.
	bundle
	// A DSSE envelope by itself.
	dsse
}

type bundle struct {
	VerificationMaterial struct {
		Certificate rawCertificate `json:"certificate"`
		Chain       struct {
			Certificates []rawCertificate `json:"certificates"`
		} `json:"x509CertificateChain"`
	} `json:"verificationMaterial"`
	Envelope *dsse `json:"dsseEnvelope"`
}

type rawCertificate struct {
	RawBytes []byte `json:"rawBytes"`
}

type dsse struct {
	Payload    []byte `json:"payload"`
	Signatures []struct {
		// Cert is slsa-github-generator's extension: the certificate, as PEM.
		Cert string `json:"cert"`
	} `json:"signatures"`
}

// statement is what the payload says of itself. Builders of SLSA v0.2 and v1
// stand in different places.
type statement struct {
	PredicateType string         `json:"predicateType"`
	Subject       []subject      `json:"subject"`
	Predicate     jsontext.Value `json:"predicate"`
}

type subject struct {
	Digest map[string]string `json:"digest"`
}

type predicate struct {
	Builder    builder `json:"builder"`
	RunDetails struct {
		Builder builder `json:"builder"`
	} `json:"runDetails"`
}

type builder struct {
	ID string `json:"id"`
}

func read(provenance []byte) (document, error) {
	var d document
	if len(provenance) > maxProvenance {
		return d, fmt.Errorf("provenance of %d bytes, want %d at most", len(provenance), maxProvenance)
	}
	if err := strictjson.UnmarshalOpen(provenance, &d); err != nil {
		return d, fmt.Errorf("provenance: %w", err)
	}
	if len(d.Attestations) > maxAttestations {
		return d, fmt.Errorf("provenance: %d attestations, want %d at most", len(d.Attestations), maxAttestations)
	}
	return d, nil
}

// An entry is one signed statement, unverified.
type entry struct {
	statement statement
	// builderID is the predicate's word.
	builderID string
	// signer is the certificate's subject, where there is a certificate.
	signer string
}

// single reads the one envelope of a document that is no list.
func (d document) single() (entry, error) {
	if d.Envelope == nil {
		return d.dsse.entry(d.dsse.certificate())
	}
	return d.bundle.entry()
}

func (b bundle) entry() (entry, error) {
	if b.Envelope == nil {
		return entry{}, errors.New("provenance: a bundle without a DSSE envelope")
	}
	der := b.VerificationMaterial.Certificate.RawBytes
	if chain := b.VerificationMaterial.Chain.Certificates; der == nil && len(chain) > 0 {
		der = chain[0].RawBytes
	}
	return b.Envelope.entry(der)
}

// certificate returns the DER of slsa-github-generator's certificate.
func (e dsse) certificate() []byte {
	if len(e.Signatures) == 0 {
		return nil
	}
	if block, _ := pem.Decode([]byte(e.Signatures[0].Cert)); block != nil {
		return block.Bytes
	}
	return nil
}

func (e dsse) entry(certificate []byte) (entry, error) {
	var out entry
	if err := strictjson.UnmarshalOpen(e.Payload, &out.statement); err != nil {
		return out, fmt.Errorf("provenance: payload: %w", err)
	}
	var p predicate
	if err := strictjson.UnmarshalOpen(out.statement.Predicate, &p); err != nil {
		return out, fmt.Errorf("provenance: predicate: %w", err)
	}
	if out.builderID = p.RunDetails.Builder.ID; out.builderID == "" {
		out.builderID = p.Builder.ID
	}
	if len(out.builderID) > maxID {
		return out, fmt.Errorf("provenance: builder id of %d bytes, want %d at most", len(out.builderID), maxID)
	}
	if certificate == nil {
		return out, nil
	}
	cert, err := x509.ParseCertificate(certificate)
	if err != nil {
		return out, fmt.Errorf("provenance: certificate: %w", err)
	}
	if len(cert.URIs) > 0 {
		out.signer = cert.URIs[0].String()
	}
	return out, nil
}

// claim tells the builder by the certificate: that is who signed. Only where
// there is none (the generator's earliest releases) does the predicate count.
func (e entry) claim() (Claim, error) {
	if !provenanceTypes[e.statement.PredicateType] {
		return Claim{}, fmt.Errorf("%w: predicate type %.100q", ErrNotForeign, e.statement.PredicateType)
	}
	signer := e.signer
	if signer == "" {
		signer = e.builderID
	}
	kind, ok := kindOf(signer)
	if !ok {
		return Claim{}, fmt.Errorf("%w: it is by %.200q", ErrNotForeign, signer)
	}
	_, ref, err := utils.ParseBuilderID(signer, true)
	if err == nil {
		err = utils.IsValidBuilderTag(ref, false)
	}
	if err != nil {
		return Claim{}, refusal(err)
	}
	// A delegator runs the workflow that the predicate names, and vouches for that.
	if strings.HasPrefix(signer, delegator) {
		signer = e.builderID
	}
	return Claim{Kind: kind, BuilderID: signer}, nil
}

// kindOf finds the workflow among those that slsa-verifier trusts to sign.
func kindOf(signer string) (Kind, bool) {
	name, _, _ := strings.Cut(signer, "@")
	switch {
	case strings.HasPrefix(name, generator):
		return KindArtifact, true
	case name == bcrReleaser || name == bcrPublish:
		return KindGitHub, true
	}
	return "", false
}

// npm tells the builder by the predicate: npm's command line runs in anybody's
// workflow, and slsa-verifier holds the predicate against the certificate.
func (d document) npm() (Claim, error) {
	for _, a := range d.Attestations {
		if !provenanceTypes[a.PredicateType] {
			continue
		}
		e, err := a.Bundle.entry()
		if err != nil {
			return Claim{}, fmt.Errorf("%w: %w", ErrNotForeign, err)
		}
		if id := e.builderID; id == npmRunner || strings.HasPrefix(id, npmRunner+"/") || strings.HasPrefix(e.signer, delegator) {
			return Claim{Kind: KindNpm, BuilderID: id}, nil
		}
		return Claim{}, fmt.Errorf("%w: builder %.200q", ErrNotForeign, e.builderID)
	}
	return Claim{}, fmt.Errorf("%w: npm attestations without provenance", ErrNotForeign)
}

// SourceURI returns a repository's URL as slsa-verifier compares it:
// git+https://github.com/OWNER/NAME. Those of other hosts fail: its builders run
// on GitHub alone.
func SourceURI(repository string) (string, error) {
	uri := utils.NormalizeGitURI(strings.TrimSuffix(strings.TrimSuffix(repository, "/"), ".git"))
	rest, ok := strings.CutPrefix(uri, "git+https://github.com/")
	owner, name, two := strings.Cut(rest, "/")
	if !ok || !two || owner == "" || name == "" || strings.ContainsAny(name, "/@?#") {
		return "", fmt.Errorf("source repository %.200q: %w: want https://github.com/OWNER/NAME", repository, serrors.ErrorMalformedURI)
	}
	return uri, nil
}
