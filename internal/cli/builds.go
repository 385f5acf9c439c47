package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/publish"
	"github.com/mcp-integrity/seal-action/internal/slsa"
	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/verify"
)

// builds finds build provenance: the file that the caller names, else the one
// beside the manifest, else what the manifest's build_attestation_uri leads to.
// It implements [verify.ProvenanceSource].
type builds struct {
	inv      *invocation
	sigstore *sigstore
	// file is the caller's; data and ref are one that is at hand already.
	file string
	data []byte
	ref  string
	// beside is the file that may lie beside the manifest, "" where none can.
	beside string
	// offline says that nothing may be fetched.
	offline bool

	once  sync.Once
	err   error
	until time.Time
}

// Bounds on provenance.
const (
	// maxProvenanceFile bounds a file, in bytes: GitHub takes attestations of
	// 16 MiB.
	maxProvenanceFile = 16 << 20
	// maxLooking bounds all looking for provenance of one run: a manifest may
	// name many places, each of them slow.
	maxLooking = 2 * time.Minute
)

// Find implements [verify.ProvenanceSource].
func (b *builds) Find(ctx context.Context, q verify.ProvenanceQuery) ([]verify.FoundProvenance, error) {
	b.once.Do(func() { b.err, b.until = b.local(), time.Now().Add(maxLooking) })
	ctx, cancel := context.WithDeadline(ctx, b.until)
	defer cancel()
	switch {
	case b.err != nil:
		return nil, b.err
	case b.data != nil:
		found, err := b.within(ctx, b.data, b.ref, q)
		return found, b.asked(found, err)
	case q.URI == "":
		return nil, nil
	case b.offline:
		return nil, fmt.Errorf("%w: offline, %.200q is not followed", verify.ErrUnavailable, q.URI)
	}
	if strings.HasPrefix(q.URI, "oci://") {
		// Anonymously, and not where only we can reach: the URI is the publisher's.
		bundles, err := publish.BundlesAt(ctx, fetch.Guarded(), q.URI)
		if err != nil {
			return nil, err
		}
		return b.each(ctx, bundles, q.URI, q)
	}
	data, err := b.inv.follow(ctx, q.URI)
	if err != nil {
		return nil, err
	}
	return b.within(ctx, data, fetch.PublicURL(q.URI), q)
}

// asked makes a file that the caller named count: one that holds nothing, or
// that nobody could check, leaves the run undecided.
func (b *builds) asked(found []verify.FoundProvenance, err error) error {
	switch {
	case b.file == "" || err != nil && !errors.Is(err, verify.ErrUnavailable):
		return err
	case err != nil:
		return &verify.AskedError{Err: err}
	case len(found) == 0:
		return &verify.AskedError{Err: fmt.Errorf("%w: %s holds no provenance", verify.ErrUnavailable, b.ref)}
	}
	for i := range found {
		if errors.Is(found[i].Err, verify.ErrUnavailable) {
			found[i].Err = &verify.AskedError{Err: found[i].Err}
		}
	}
	return nil
}

// local reads what lies here.
func (b *builds) local() error {
	asked := b.file != ""
	switch {
	case b.data != nil:
		return nil
	case asked:
		b.ref = b.file
	case b.beside != "" && isRegular(b.beside):
		b.ref = b.beside
	default:
		return nil
	}
	var err error
	if b.data, err = readFile(b.ref, maxProvenanceFile); err != nil {
		err = fmt.Errorf("%w: provenance: %w", verify.ErrUnavailable, err)
		if asked {
			return &verify.AskedError{Err: err}
		}
	}
	return err
}

// within verifies every provenance in a document. One that slsa-verifier knows
// the builder of is its business; any other is a Sigstore bundle, or several.
func (b *builds) within(ctx context.Context, data []byte, ref string, q verify.ProvenanceQuery) ([]verify.FoundProvenance, error) {
	if err := countBundles(data); err != nil {
		return []verify.FoundProvenance{{Ref: ref, Err: err}}, nil
	}
	claim, err := slsa.Recognise(data)
	var refused *slsa.Refusal
	switch {
	case err == nil:
		return []verify.FoundProvenance{b.byHelper(ctx, data, claim, ref, q)}, nil
	case errors.As(err, &refused):
		return []verify.FoundProvenance{{Ref: ref, Err: err}}, nil
	}
	bundles, err := bundlesIn(data)
	if err != nil {
		return []verify.FoundProvenance{{Ref: ref, Err: err}}, nil
	}
	return b.each(ctx, bundles, ref, q)
}

// each verifies bundles, one after the other.
func (b *builds) each(ctx context.Context, bundles [][]byte, ref string, q verify.ProvenanceQuery) ([]verify.FoundProvenance, error) {
	trust, err := b.sigstore.Trust(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", verify.ErrUnavailable, err)
	}
	var found []verify.FoundProvenance
	for n, bundle := range bundles {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%w: after %d of %d bundles: %w", verify.ErrUnavailable, n, len(bundles), err)
		}
		f := verify.FoundProvenance{Ref: ref}
		if len(bundles) > 1 {
			f.Ref = fmt.Sprintf("%s#%d", ref, n+1)
		}
		v, err := trust.Verify(bundle)
		switch {
		case err != nil:
			f.Err = b.unknown(err)
		case len(bundles) > 1 && notProvenance(v.Statement):
			continue // a store has attestations of every kind
		default:
			f.Statement, f.Certificate, f.Time = v.Statement, &v.Certificate, v.Time
		}
		found = append(found, f)
	}
	return found, nil
}

// unknown tells a provenance of a Sigstore that is not trusted here from one
// that is wrong: nobody asked for it, and to take it away would change as much.
func (b *builds) unknown(err error) error {
	var e *keyless.Error
	if b.file == "" && errors.As(err, &e) && e.Stage == keyless.StageAuthority {
		return fmt.Errorf("%w: %w", verify.ErrUnavailable, err)
	}
	return err
}

func notProvenance(statement []byte) bool {
	_, err := provenance.Parse(statement)
	return errors.Is(err, provenance.ErrPredicateType)
}

// builderLevel is the SLSA Build level that is known of a builder that
// slsa-verifier vouches for. slsa-github-generator's builders isolate the build
// from whoever asks for it, but for its generators, which only sign what a job of
// the user's has hashed; npm's command line runs in the publisher's own job.
func builderLevel(kind slsa.Kind, builder string) int {
	if kind == slsa.KindArtifact && !strings.Contains(builder, "/.github/workflows/generator_") {
		return 3
	}
	return 2
}

// byHelper has slsa-verifier look at what one of its builders made.
func (b *builds) byHelper(ctx context.Context, data []byte, claim slsa.Claim, ref string, q verify.ProvenanceQuery) verify.FoundProvenance {
	f := verify.FoundProvenance{Ref: ref}
	request, err := helperRequest(data, claim, q)
	if err != nil {
		f.Err = fmt.Errorf("%w: %w", verify.ErrUnavailable, err)
		return f
	}
	helper, err := slsa.Find()
	if err == nil {
		helper.Offline = b.offline
		var v slsa.Verified
		if v, err = helper.Check(ctx, request); err == nil {
			f.Statement, f.Builder, f.BuilderLevel = v.Statement, v.BuilderID, builderLevel(claim.Kind, v.BuilderID)
			return f
		}
	}
	var notMade *slsa.NotMadeError
	if errors.As(err, &notMade) {
		err = fmt.Errorf("%w: %w", verify.ErrUnavailable, err)
	}
	f.Err = err
	return f
}

func helperRequest(data []byte, claim slsa.Claim, q verify.ProvenanceQuery) (slsa.Request, error) {
	source, err := slsa.SourceURI(q.SourceRepo)
	if err != nil {
		return slsa.Request{}, err
	}
	r := slsa.Request{Kind: claim.Kind, Digest: string(q.Artifact.Digest), Provenance: data, SourceURI: source, BuilderID: claim.BuilderID}
	if claim.Kind != slsa.KindNpm {
		return r, nil
	}
	if alg := q.Artifact.Digest.Algorithm(); alg != "sha512" {
		return r, fmt.Errorf("npm's provenance names sha512, the manifest %s: seal with --digest-algorithm sha512", alg)
	}
	r.Package = &slsa.Package{Name: q.Artifact.Identifier, Version: q.Artifact.Version}
	return r, nil
}

var _ verify.ProvenanceSource = (*builds)(nil)
