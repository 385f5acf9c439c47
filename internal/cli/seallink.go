package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/platform"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
)

// link names the predecessor in the manifest, with what changed since, in each
// tool (MIS §13, decisions 14 and 20).
func (r *sealRun) link(ctx context.Context) error {
	p := r.previous
	if r.str("reroot") != "" {
		if p == nil && r.first {
			return failsf("--reroot: there is no release before this one: a first release needs no reason").withHint("leave --reroot out")
		}
		r.firstOfAll()
		return nil
	}
	if p == nil {
		if r.first {
			r.firstOfAll()
		}
		return nil
	}
	link, err := lineage.Next(lineage.Ancestor{Manifest: p.manifest, Digest: p.digest, Ref: p.files.Ref}, r.manifest)
	if errors.Is(err, lineage.ErrItself) {
		if len(p.own) == 0 {
			return failsf("%s is the same release, and it cannot be shown before signing that it is ours: its manifest is not used again", p.files.Ref).
				withHint("what stands is complete; mcp-integrity publish takes it to other targets")
		}
		r.reuse(p)
		return nil
	}
	if before, _ := lineage.LinkOf(p.manifest); errors.Is(err, lineage.ErrSameVersion) && p.replaced && before.Absent {
		r.note("%s is of this version, too, and follows nothing: it is replaced, and this one is the first release", p.files.Ref)
		r.firstOfAll()
		return nil
	}
	if errors.Is(err, lineage.ErrNewerVersion) {
		if same, bad := r.earlier(ctx, p); bad != nil || same != nil {
			if bad == nil {
				r.reuse(same)
			}
			return bad
		}
	}
	if err != nil {
		return linkError(err)
	}
	return r.changes(ctx, link)
}

// firstOfAll says in the manifest that nothing comes before it (MIS §13.5).
func (r *sealRun) firstOfAll() {
	for i := range r.manifest.Tools {
		r.manifest.Tools[i].Lineage = &seal.Lineage{}
	}
}

// reuse takes the payload of a release that stands already: one release has one
// digest, however often it is made. Where all that this run would sign is signed
// there, the signatures are taken as well, and nothing new is logged for ever.
func (r *sealRun) reuse(p *predecessor) {
	r.manifest, r.payload, r.reused = p.manifest, p.payload, true
	if !p.all || r.buildStatement != nil && p.files.Provenance == nil || p.tools == nil {
		return
	}
	by := func(is func(seal.Attestation) bool) bool {
		return slices.ContainsFunc(p.own, func(a seal.Attestation) bool {
			return is(a) && a.Statement.InterfaceSnapshot == digest.FromBytes(p.files.Snapshot)
		})
	}
	if r.key != nil && !by(func(a seal.Attestation) bool { return a.KeyID == r.key.KeyID() }) {
		return
	}
	if r.keyless != by(func(a seal.Attestation) bool { return a.Certificate != nil }) {
		return
	}
	r.envelope, r.snapshot, r.certificate = p.files.Envelope, p.files.Snapshot, p.certificate
	if r.buildStatement != nil {
		r.provenanceBundle = p.files.Provenance
	}
}

// maxEarlier bounds how far back a rerun of a release is looked for.
const maxEarlier = 200

// earlier finds this release among those before the newest one, where it was
// published already: nil where it was not.
func (r *sealRun) earlier(ctx context.Context, newest *predecessor) (*predecessor, error) {
	p := newest
	for range maxEarlier {
		link, err := lineage.LinkOf(p.manifest)
		if err != nil || link.Absent {
			return nil, nil
		}
		release, err := sources(r.places).find(ctx, link.Digest)
		if err != nil {
			return nil, nil // that the newest one is newer is what stands
		}
		if p, err = r.accept(ctx, release); err != nil || p == nil {
			return nil, err
		}
		if lineage.SameRelease(p.manifest, r.manifest) && len(p.own) > 0 {
			return p, nil
		}
		if order, ok := lineage.CompareVersions(lineage.VersionOf(p.manifest), lineage.VersionOf(r.manifest)); ok && order < 0 {
			return nil, nil
		}
	}
	return nil, nil
}

// linkError says what to do about a predecessor that cannot be followed.
func linkError(err error) error {
	exit := failsf("%w", err)
	switch {
	case errors.Is(err, lineage.ErrSameVersion):
		return exit.withHint("a published version is not replaced: raise the version; --previous FILE|URL|TARGET names another predecessor, --previous none looks for none")
	case errors.Is(err, lineage.ErrNewerVersion):
		return exit.withHint("a chain does not branch: --previous FILE|URL|TARGET names another predecessor, where this is another line of releases in a place of its own; --reroot REASON begins a new chain, and says why")
	case errors.Is(err, lineage.ErrOtherRepository):
		return exit.withHint("where the project moved, --reroot REASON begins a new chain, and says why")
	}
	return exit.withHint("--previous FILE|URL|TARGET names the predecessor; --reroot REASON begins a new chain, and says why")
}

// changes computes what changed since the predecessor, and holds it against what
// is stated and against the version.
func (r *sealRun) changes(ctx context.Context, link lineage.Link) error {
	stated, err := r.stated()
	if err != nil {
		return err
	}
	if len(stated) == 0 {
		stated = r.committed(ctx, link.PreviousVersion)
	}
	old, new := r.previous.manifest, r.manifest
	classes := lineage.Classify(lineage.Side{Manifest: old, Tools: r.previous.tools}, lineage.Side{Manifest: new, Tools: r.view.snapshot.Tools})
	if r.previous.tools == nil {
		r.note("there is no snapshot beside %s: what changed in the interface is known by digests only", r.previous.files.Ref)
	}
	if err := lineage.CheckStated(stated, classes); err != nil {
		return failsf("--change: %w", err)
	}
	entries := lineage.Entries(classes, old, new, stated)
	for i := range new.Tools {
		t := &new.Tools[i]
		t.Lineage = link.Lineage(entries[t.Name])
	}
	r.classes = &classes
	return r.gate(classes, link.PreviousVersion, lineage.VersionOf(new))
}

// gate holds the version against what changed.
func (r *sealRun) gate(classes lineage.Classes, old, new string) error {
	mode := r.str("semver")
	if mode == "off" {
		return nil
	}
	violations := lineage.Gate(classes, old, new)
	for i, v := range violations {
		if i == maxViolations {
			r.warn("%d more such changes", len(violations)-i)
			break
		}
		r.warn("%s", v)
	}
	if mode == "error" && len(violations) > 0 {
		return failsf("--semver error: the version %s promises less than changed since %s, in %d places", orDash(new), orDash(old), len(violations)).
			withHint("raise the version, or seal with --semver warn")
	}
	return nil
}

// maxViolations bounds what is said of one version.
const maxViolations = 10

// stated are the changes that --change names.
func (r *sealRun) stated() ([]lineage.Stated, error) {
	var stated []lineage.Stated
	for _, c := range r.list("change") {
		one, err := lineage.ParseStated(c)
		if err != nil {
			return nil, usagef("--change: %w", err)
		}
		stated = append(stated, one)
	}
	return stated, nil
}

// committed are the changes that the commits since the last release state, where
// the sources are here.
func (r *sealRun) committed(ctx context.Context, previous string) []lineage.Stated {
	if r.is("built-elsewhere") || r.facts.Commit == "" {
		return nil
	}
	commits, err := platform.CommitsSince(ctx, ".", previous)
	if err != nil {
		r.note("commits say nothing of what changed: %v", err)
		return nil
	}
	var stated []lineage.Stated
	for _, c := range commits {
		stated = append(stated, lineage.Stated{Type: c.Type, Text: c.Subject, Commit: true})
	}
	return stated
}
