package cli

import (
	"context"
	"errors"
	"path"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/artifact"
	"github.com/mcp-integrity/seal-action/internal/platform"
	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// identify asks who this job is, now that no stranger's code runs any more
// (rule 1 of the house). From here on the facts are those of the platform's
// verified token, whatever the environment says.
func (r *sealRun) identify(ctx context.Context) error {
	if r.tokens == nil || r.facts.Kind == platform.Desk {
		return nil
	}
	build, err := r.tokens.Facts(ctx)
	switch {
	case errors.Is(err, platform.ErrNoFacts):
		return r.noFacts(err)
	case err != nil:
		return tokenError(err)
	}
	r.build = &build
	if r.is("built-elsewhere") {
		return nil
	}
	repo := build.SourceRepo()
	if r.sourceRepo != "" && !strings.EqualFold(r.sourceRepo, repo) {
		return failsf("--source-repo: got %s, but this job builds %s, as its identity token says", r.sourceRepo, repo).
			withHint("leave --source-repo out, or say --built-elsewhere where another run built the artifact")
	}
	if c := r.str("commit"); c != "" && c != build.Commit {
		return failsf("--commit: got %.80q, but this job builds %s, as its identity token says", c, build.Commit).
			withHint("leave --commit out, or say --built-elsewhere where another run built the artifact")
	}
	r.facts.SourceRepo, r.facts.Commit = repo, build.Commit
	r.facts.Branch = strings.TrimPrefix(build.Ref, "refs/heads/")
	if r.facts.Branch == build.Ref {
		r.facts.Branch = "" // a tag, or a pull request
	}
	return nil
}

// noFacts goes on without build facts, unless provenance is required.
func (r *sealRun) noFacts(err error) error {
	if r.str("slsa-provenance") == "true" {
		return failsf("build provenance is required (slsa-provenance: true): %w", err)
	}
	r.note("no build provenance: %v", err)
	return nil
}

// tokenError gives a failure of the platform's tokens its exit code: what the
// environment says beside the token does not hold; all else is the platform's.
func tokenError(err error) error {
	exit := undecidedf("%w", err)
	if errors.Is(err, platform.ErrContradiction) {
		exit = failsf("%w", err)
	}
	var t *platform.TokenError
	if errors.As(err, &t) && t.Hint != "" {
		exit = exit.withHint("%s", t.Hint)
	}
	return exit
}

// describeBuild makes the provenance that this run vouches for, and fills what
// the manifest says of the build (MIS §12.2). What is handed over by
// --provenance comes first: its builder knew.
func (r *sealRun) describeBuild(ctx context.Context, p *seal.Provenance) error {
	if r.str("provenance") != "" {
		return r.handedOver(ctx, p)
	}
	why := r.noProvenance()
	if r.build != nil && !r.is("built-elsewhere") {
		p.BuildSystem, p.BuilderID, p.BuildWorkflow = r.build.BuildSystem(), r.build.BuilderID(), r.build.BuildWorkflow()
		p.BuildTimestamp = &r.manifest.IssuedAt
	}
	if why != "" {
		if r.str("slsa-provenance") == "true" {
			return failsf("build provenance is required (slsa-provenance: true), and there is none: %s", why)
		}
		if r.keyless || r.build != nil {
			r.note("no build provenance: %s", why)
		}
		return nil
	}
	payload, err := provenance.New(*r.build, subjectsOf(r.artifacts))
	if err != nil {
		return failsf("%w", err)
	}
	level, reason := provenance.Warranted(provenance.SituationOf(*r.build))
	p.SLSALevel = &level
	r.buildStatement, r.slsaReason = payload, reason
	p.BuildAttestationURI, err = r.attestationURI(&r.primary().Artifact)
	return err
}

// noProvenance says why this run makes no build provenance, "" where it does.
func (r *sealRun) noProvenance() string {
	switch {
	case r.str("slsa-provenance") == "false":
		return "slsa-provenance is false"
	case r.is("built-elsewhere"):
		return "the artifact was built elsewhere"
	case len(r.artifacts) == 0:
		return "no artifact is given (--artifact)"
	case r.build == nil:
		return "no platform vouches for this build"
	case !r.keyless:
		return "it is signed under the job's own identity only (--keyless)"
	}
	return ""
}

// subjectsOf are all artifacts, each once. Where two files have one name, as
// builds for two systems may, they are told apart by their paths.
func subjectsOf(found []artifact.Found) []provenance.Subject {
	digests := map[string]digest.Digest{}
	twice := map[string]bool{}
	for _, f := range found {
		name := subjectName(f.Ref)
		if d, ok := digests[name]; ok && d != f.Artifact.Digest {
			twice[name] = true
		}
		digests[name] = f.Artifact.Digest
	}
	var subjects []provenance.Subject
	for _, f := range found {
		name := subjectName(f.Ref)
		if twice[name] {
			name = filepath.ToSlash(filepath.Clean(f.Ref))
		}
		subjects = append(subjects, provenance.Subject{Name: name, Digest: map[string]string{
			string(f.Artifact.Digest.Algorithm()): f.Artifact.Digest.Encoded(),
		}})
	}
	return subjects
}

// subjectName is the file's name, as a consumer has it, or the image's.
func subjectName(ref string) string {
	if rest, ok := strings.CutPrefix(ref, "oci://"); ok {
		name, _, _ := strings.Cut(rest, "@")
		return name
	}
	return path.Base(filepath.ToSlash(filepath.Clean(ref)))
}

// handedOver takes the provenance that the artifact's builder made: verified,
// about these artifacts, and not contradicting what is given here.
func (r *sealRun) handedOver(ctx context.Context, p *seal.Provenance) error {
	f := r.primary()
	if f == nil {
		return usagef("--provenance is about an artifact, and none is given: add --artifact")
	}
	source := &builds{inv: r.invocation, sigstore: r.sigstore, file: r.str("provenance")}
	found, err := source.Find(ctx, verify.ProvenanceQuery{Artifact: f.Artifact, SourceRepo: p.SourceRepo})
	if errors.Is(err, verify.ErrUnavailable) {
		return undecidedf("%w", err)
	}
	if err != nil {
		return failsf("--provenance: %w", err)
	}
	for _, one := range found {
		if errors.Is(one.Err, verify.ErrUnavailable) {
			return undecidedf("--provenance %s: %w", one.Ref, one.Err)
		}
		if one.Err != nil {
			return failsf("--provenance %s: %w", one.Ref, one.Err)
		}
		if err := r.adopt(p, one, f.Artifact.Digest); err != nil {
			return err
		}
	}
	r.provenanceBundle = source.data // the bytes that were verified
	p.BuildAttestationURI, err = r.attestationURI(&f.Artifact)
	return err
}

// adopt fills the manifest with what a verified provenance says.
func (r *sealRun) adopt(p *seal.Provenance, f verify.FoundProvenance, artifact digest.Digest) error {
	s, err := provenance.Parse(f.Statement)
	if err != nil {
		return failsf("--provenance %s: %w", f.Ref, err)
	}
	if f.Certificate != nil {
		if err := r.adoptSource(p, f); err != nil {
			return err
		}
	}
	mismatches := f.Compare(s, nil, artifact)
	if len(mismatches) > 0 {
		m := mismatches[0]
		return failsf("--provenance %s: %s: got %.200q, want %.200q as the %s says", f.Ref, m.Field, m.Got, m.Want, m.Against)
	}
	var level int
	level, r.slsaReason = f.Warranted()
	p.BuilderID, p.SLSALevel = s.BuilderID(), &level
	if system := s.BuildSystem(); system != "" {
		p.BuildSystem = system
	}
	at := s.BuiltAt()
	if at.IsZero() {
		at = f.Time // the builder does not say: it was signed when it was built
	}
	if !at.IsZero() {
		built := seal.NewTimestamp(at)
		p.BuildTimestamp = &built
	}
	return nil
}

// adoptSource takes the commit that the builder's certificate proves. Its
// repository must be the one that is sealed: anybody can have a build of the same
// bytes signed, and a file is not to say whose source this is.
func (r *sealRun) adoptSource(p *seal.Provenance, f verify.FoundProvenance) error {
	repo := f.Certificate.SourceRepositoryURI
	if !strings.EqualFold(p.SourceRepo, repo) {
		return failsf("--provenance %s: it is of a build of %s, and what is sealed is of %s", f.Ref, repo, orNone(p.SourceRepo)).
			withHint("--source-repo %s, if that is where the artifact was built", repo)
	}
	if r.str("commit") == "" {
		p.Commit = f.Certificate.SourceCommit
	}
	return nil
}
