package cli

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/internal/artifact"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// artifacts are those that --artifact names. They implement
// [verify.ArtifactSource].
type artifacts struct {
	inv     *invocation
	refs    []string
	surface *surface // nil where no server runs
}

// Hash implements [verify.ArtifactSource]: every artifact in every way in
// which the manifest hashed one.
func (a artifacts) Hash(ctx context.Context, sealed []seal.Artifact) ([]verify.ObservedArtifact, error) {
	refs, err := artifact.Expand(a.refs)
	if err != nil {
		return nil, err
	}
	ways := slices.CompactFunc(slices.Clone(sealed), func(x, y seal.Artifact) bool {
		return x.Digest == y.Digest && x.Type == y.Type && x.Scope == y.Scope
	})
	var have []verify.ObservedArtifact
	for _, ref := range refs {
		o := verify.ObservedArtifact{Ref: ref, RanIt: a.surface.ran(ref)}
		for _, way := range ways {
			err := artifact.Check(ctx, ref, way, a.inv.artifactOptions())
			var mismatch *artifact.MismatchError
			switch {
			case err == nil:
				o.Digests = append(o.Digests, way.Digest)
			case errors.As(err, &mismatch):
				if mismatch.Err != nil {
					o.Why = mismatch.Err.Error()
				}
				if mismatch.Got != "" {
					o.Digests = append(o.Digests, mismatch.Got)
				}
			default:
				return nil, err
			}
		}
		have = append(have, o)
	}
	return have, nil
}

func (i *invocation) artifactOptions() artifact.Options {
	return artifact.Options{Progress: func(name string, done, total int64) {
		if total <= 0 {
			i.note("hashing %s: %d MB", name, done>>20)
			return
		}
		i.note("hashing %s: %d of %d MB (%d %%)", name, done>>20, total>>20, done*100/total)
	}}
}

// hashForSeal identifies and hashes what --artifact, or the declarations, name.
func (r *sealRun) hashForSeal(ctx context.Context) error {
	patterns := r.list("artifact")
	if len(patterns) == 0 && r.declared != nil {
		patterns = r.declared.Artifact
	}
	if len(patterns) == 0 {
		if r.str("checksums") != "" {
			return usagef("--checksums names artifacts, and none is given: add --artifact")
		}
		return nil
	}
	refs, err := artifact.Expand(patterns)
	if err != nil {
		return failsf("--artifact: %w", err)
	}
	o := r.artifactOptions()
	o.Type = seal.ArtifactType(r.str("artifact-type"))
	o.Scope = seal.DigestScope(r.str("digest-scope"))
	o.Algorithm = r.algorithm
	if r.artifacts, err = artifact.IdentifyAll(ctx, refs, o); err != nil {
		return failsf("%w", err)
	}
	for _, f := range r.artifacts {
		if err := artifact.CheckInner(f); err != nil {
			return failsf("%w", err)
		}
		if err := r.outputInside(f); err != nil {
			return err
		}
		for _, n := range f.Notes {
			r.note("%s: %s", f.Ref, n)
		}
	}
	return r.checkChecksums()
}

// outputInside refuses to write the manifest into the directory that it seals,
// but by the one name that the tree digest leaves out: the digest would be wrong
// the moment it is written.
func (r *sealRun) outputInside(f artifact.Found) error {
	if f.Artifact.Type != seal.Source || r.is("dry-run") || r.str("output") == "-" {
		return nil
	}
	root, err := filepath.Abs(f.Path)
	if err != nil {
		return undecidedf("%w", err)
	}
	out, err := filepath.Abs(r.str("output"))
	if err != nil {
		return undecidedf("%w", err)
	}
	rel, err := filepath.Rel(root, out)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) || rel == defaultManifest {
		return nil
	}
	return usagef("--output %s lies in the artifact %s, whose digest it would change", r.str("output"), f.Ref).
		withHint("write it elsewhere, or as %s", filepath.Join(f.Path, defaultManifest))
}

func (r *sealRun) checkChecksums() error {
	path := r.str("checksums")
	if path == "" {
		return nil
	}
	data, err := readFile(path, maxChecksums)
	if err != nil {
		return err
	}
	sums, err := artifact.ParseChecksums(bytes.NewReader(data))
	if err != nil {
		return failsf("%s: %w", path, err)
	}
	if err := artifact.CheckChecksums(r.artifacts, sums); err != nil {
		return failsf("%s: %w", path, err)
	}
	return nil
}

// maxChecksums bounds a checksums file, in bytes: some ten thousand lines.
const maxChecksums = 4 << 20

// recheck makes sure that the server did not change what was hashed before it
// started (decision 19).
func (r *sealRun) recheck(ctx context.Context) error {
	for _, f := range r.artifacts {
		if err := artifact.Recheck(ctx, f, r.artifactOptions()); err != nil {
			return failsf("the artifact changed while the server ran: %w", err)
		}
	}
	return nil
}

// primary is the artifact that the manifest names: MIS §10.2 has room for one
// per tool. It is the one that ran, else the first.
func (r *sealRun) primary() *artifact.Found {
	if len(r.artifacts) == 0 {
		return nil
	}
	for i, f := range r.artifacts {
		if r.surface.ran(f.Path) {
			return &r.artifacts[i]
		}
	}
	return &r.artifacts[0]
}

// now is the clock in whole seconds, as manifests write it.
func (i *invocation) now() seal.Timestamp { return seal.NewTimestamp(i.Now()) }

// in is a time from now.
func (i *invocation) in(d time.Duration) seal.Timestamp { return seal.NewTimestamp(i.Now().Add(d)) }
