package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/seal"
)

// ProvenanceSource finds build provenance, and checks who signed it.
type ProvenanceSource interface {
	// Find returns every provenance that there is for an artifact: what the
	// caller has, else what the manifest's build_attestation_uri leads to.
	// Nothing found is no error. An error that wraps [ErrUnavailable] says that
	// there may be some.
	Find(ctx context.Context, q ProvenanceQuery) ([]FoundProvenance, error)
}

// ProvenanceQuery is what a manifest says of an artifact's build: where its
// provenance is, and what it must be about.
type ProvenanceQuery struct {
	// URI is build_attestation_uri, "" where the manifest has none.
	URI string
	// Artifact is what the manifest names.
	Artifact seal.Artifact
	// SourceRepo is source_repo, "" where the manifest has none.
	SourceRepo string
}

// FoundProvenance is one provenance that a [ProvenanceSource] found.
type FoundProvenance struct {
	// Ref says where it was found.
	Ref string
	// Statement is the in-toto statement that was verified.
	Statement []byte
	// Certificate is whose signature verified it; nil where the signature is
	// another verifier's word, that of Builder.
	Certificate *seal.Certificate
	// Time is when it was signed, as a log or a timestamp authority vouches; zero
	// where none does.
	Time time.Time
	// Builder is the builder that another verifier vouches for, with the SLSA
	// Build level that its provenance is known to reach.
	Builder      string
	BuilderLevel int
	// Err says why the signature does not hold; an error that wraps
	// [ErrUnavailable] that it could not be checked.
	Err error
}

// Compare holds a statement against its certificate, or against what another
// verifier vouches for, against the manifest's word, nil where there is none,
// and against the artifact. Nothing means that all hold.
func (f FoundProvenance) Compare(s *provenance.Statement, manifest *seal.Provenance, artifact digest.Digest) []provenance.Mismatch {
	artifacts := []digest.Digest{artifact}
	if f.Certificate == nil {
		return provenance.CheckForeign(s, f.Builder, manifest, artifacts)
	}
	return provenance.Check(s, provenance.Expected{Certificate: *f.Certificate, Manifest: manifest, Artifacts: artifacts})
}

// Warranted is the SLSA Build level of a provenance that holds, and why.
func (f FoundProvenance) Warranted() (level int, reason string) {
	if f.Certificate == nil {
		return f.BuilderLevel, "slsa-verifier vouches for this builder"
	}
	return provenance.WarrantedBy(*f.Certificate)
}

// provenance is the part of step 7 that looks at the build: for every artifact
// that the manifest names, the provenance whose subject it is, against the
// certificate that signed it and against the manifest. A valid signature says
// nothing about what a predicate claims.
func (r *run) provenance(ctx context.Context) {
	about := map[ProvenanceQuery][]*toolChecks{}
	var order []ProvenanceQuery
	for _, name := range r.order {
		c := r.checks[name]
		if c.sealed == nil || c.sealed.Artifact == nil {
			continue
		}
		q := ProvenanceQuery{Artifact: *c.sealed.Artifact}
		if p := c.sealed.Provenance; p != nil {
			q.URI, q.SourceRepo = p.BuildAttestationURI, p.SourceRepo
		}
		if about[q] == nil {
			order = append(order, q)
		}
		about[q] = append(about[q], c)
	}
	if r.Provenance == nil || len(order) == 0 {
		if slices.ContainsFunc(order, func(q ProvenanceQuery) bool { return q.URI != "" }) {
			r.skip("provenance", "it was not looked for")
		}
		return
	}
	for n, q := range order {
		if n == maxBuilds {
			r.unmadeProvenance(fmt.Errorf("%w: the manifest names %d builds, and %d are looked at", ErrUnavailable, len(order), maxBuilds))
			return
		}
		r.buildOf(ctx, q, about[q])
	}
}

// maxBuilds bounds the artifacts and places whose provenance is looked for: each
// may cost a visit to a stranger's host, and a server is one artifact or a few.
const maxBuilds = 16

// buildOf checks the provenance of one artifact. The best that holds counts; one
// that is wrong is an error, whatever others say. What each tool's entry says of
// the build is compared, since they need not agree.
func (r *run) buildOf(ctx context.Context, q ProvenanceQuery, tools []*toolChecks) {
	artifact := q.Artifact.Digest
	found, err := r.Provenance.Find(ctx, q)
	if err != nil {
		r.unmadeProvenance(err)
		return
	}
	if len(found) == 0 {
		// A manifest that speaks of none has nothing to check.
		if p := tools[0].sealed.Provenance; p != nil && (p.BuildAttestationURI != "" || p.SLSALevel != nil) {
			r.skip("provenance", "none was found for %s%s", artifact, stated(p.SLSALevel))
		}
		return
	}
	for _, f := range found {
		check, statement := r.oneBuild(f)
		var level int
		for i, same := range bySealed(tools) {
			holds := check
			if statement != nil {
				holds = r.compareBuild(f, statement, artifact, same[0].sealed)
			}
			if holds == seal.Holds {
				level = r.built(f, statement, artifact, i == 0)
			}
			for _, c := range same {
				c.built(holds, level)
			}
		}
	}
	r.claimedSLSA(tools)
}

// stated says what the manifest claims and nobody has checked.
func stated(level *int) string {
	if level == nil {
		return ""
	}
	return fmt.Sprintf("; that its SLSA Build level is %d is the manifest's word alone", *level)
}

// bySealed groups tools whose entries say the same of the build: one comparison
// is enough for each group.
func bySealed(tools []*toolChecks) [][]*toolChecks {
	at := map[string]int{}
	var groups [][]*toolChecks
	for _, c := range tools {
		key := fmt.Sprintf("%+v", sealedBuild(c.sealed.Provenance))
		i, ok := at[key]
		if !ok {
			i = len(groups)
			at[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

// sealedBuild is what is compared of an entry, without its pointers.
func sealedBuild(p *seal.Provenance) seal.Provenance {
	if p == nil {
		return seal.Provenance{}
	}
	flat := *p
	flat.SLSALevel, flat.BuildTimestamp, flat.Reproducible = nil, nil, nil
	return flat
}

// built notes how one provenance ended for c: wrong stays wrong, and the best
// that holds counts.
func (c *toolChecks) built(check seal.Check, level int) {
	if check == seal.Broken || c.provenance == seal.NotMade {
		c.provenance = check
	}
	if check == seal.Holds && (c.warranted == nil || *c.warranted < level) {
		c.warranted = &level
	}
}

// unmadeProvenance says that there may be a provenance that nobody could check.
func (r *run) unmadeProvenance(err error) {
	var asked *AskedError
	r.asked = r.asked || errors.As(err, &asked)
	r.skip("provenance", "%v", err)
	r.advise(seal.CodeProvenanceUnverifiable, "%v", err)
}

// AskedError says that a check could not be made that the caller asked for by
// name: the run is undecided.
type AskedError struct{ Err error }

func (e *AskedError) Error() string { return e.Err.Error() }

func (e *AskedError) Unwrap() error { return e.Err }

// oneBuild reads one provenance whose signature somebody has checked. The
// statement is nil where there is none to compare.
func (r *run) oneBuild(f FoundProvenance) (seal.Check, *provenance.Statement) {
	switch {
	case errors.Is(f.Err, ErrUnavailable):
		r.unmadeProvenance(f.Err)
		return seal.NotMade, nil
	case f.Err != nil:
		r.fail(seal.CodeProvenanceInvalid, "%.200q: %v", f.Ref, f.Err)
		return seal.Broken, nil
	}
	statement, err := provenance.Parse(f.Statement)
	if err != nil {
		r.fail(seal.CodeProvenanceInvalid, "%.200q: %v", f.Ref, err)
		return seal.Broken, nil
	}
	return seal.Holds, statement
}

// compareBuild compares a statement with one entry of the manifest, and reports
// what differs.
func (r *run) compareBuild(f FoundProvenance, s *provenance.Statement, artifact digest.Digest, sealed *seal.Tool) seal.Check {
	mismatches := f.Compare(s, sealed.Provenance, artifact)
	for _, m := range mismatches {
		r.mismatch(f.Ref, sealed.Name, m)
	}
	if len(mismatches) > 0 {
		return seal.Broken
	}
	return seal.Holds
}

// built says which SLSA Build level a provenance that holds warrants, and notes
// it once.
func (r *run) built(f FoundProvenance, s *provenance.Statement, artifact digest.Digest, first bool) int {
	p := Provenance{Ref: f.Ref, BuilderID: s.BuilderID(), Subject: string(artifact)}
	p.SLSALevel, p.Reason = f.Warranted()
	if first {
		r.result.Provenance = append(r.result.Provenance, p)
	}
	return p.SLSALevel
}

func (r *run) mismatch(ref, tool string, m provenance.Mismatch) {
	f := finding(seal.CodeProvenanceMismatch, tool, m.Field, "%.200q: %s: got %.200q, want %.200q as the %s says", ref, m.Field, m.Got, m.Want, m.Against)
	r.result.Errors = append(r.result.Errors, f)
}

// claimedSLSA is decision 15: the level is the least of what the manifest says
// and what the provenance warrants.
func (r *run) claimedSLSA(tools []*toolChecks) {
	for _, c := range tools {
		p := c.sealed.Provenance
		if p == nil || p.SLSALevel == nil || c.warranted == nil || *p.SLSALevel <= *c.warranted {
			continue
		}
		r.advise(seal.CodeSLSALevelNotMet, "slsa_level: the manifest says %d, certificate and builder warrant %d, which counts", *p.SLSALevel, *c.warranted)
		return
	}
}
