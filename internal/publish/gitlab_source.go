package publish

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"

	"github.com/opencontainers/go-digest"
)

// list gets a page of the packages that have the stem's name, or one like it.
func (p *gitlabPackages) list(ctx context.Context, op string, q url.Values, size, n int) ([]gitlabPackage, bool, error) {
	q.Set("package_type", "generic")
	q.Set("package_name", p.env.Stem)
	q.Set("order_by", "created_at")
	q.Set("sort", "desc")
	return gitlabPage[gitlabPackage](ctx, p.gitlab, op, "/packages", q, size, n)
}

// isOurs: GitLab searches names by likeness, and older ones know no version filter.
func (p *gitlabPackages) isOurs(pkg gitlabPackage) bool {
	return pkg.Name == p.env.Stem && pkg.Type == "generic" && len(pkg.Version) <= maxIndexVersion && gitlabVersionForm.MatchString(pkg.Version)
}

// page is a page of the shelf.
func (p *gitlabPackages) page(ctx context.Context, n int) ([]gitlabPackage, bool, error) {
	all, more, err := p.list(ctx, "list the packages", url.Values{}, gitlabPackagesPage, n)
	ours := all[:0]
	for _, pkg := range all {
		if p.isOurs(pkg) && pkg.visible() {
			ours = append(ours, pkg)
		}
	}
	return ours, more, err
}

// envelope reads that of a package; nil where it has none.
func (p *gitlabPackages) envelope(ctx context.Context, pkg gitlabPackage) ([]byte, error) {
	return p.optional(ctx, pkg, NamesOf(p.env.Stem).Envelope)
}

// optional gets a file that a package may lack; nil where it does. GitLab says 404
// as well of a file whose bytes it lost: one that it lists is not passed over.
func (p *gitlabPackages) optional(ctx context.Context, pkg gitlabPackage, name string) ([]byte, error) {
	data, err := p.download(ctx, p.fileURL(p.env.Stem, pkg.Version, name), name)
	if !gitlabHasStatus(err, http.StatusNotFound) {
		return data, err
	}
	s, look := p.filesOf(ctx, pkg)
	if look != nil {
		return nil, look
	}
	if _, there := s.files[name]; there {
		return nil, err
	}
	return nil, nil
}

// file gets one file of a package, and sees that it is the one that was listed.
func (p *gitlabPackages) file(ctx context.Context, s gitlabStanding, name string) ([]byte, error) {
	data, err := p.download(ctx, p.fileURL(p.env.Stem, s.Version, name), name)
	if err != nil {
		return nil, err
	}
	if want := s.files[name].SHA256; want != "" && want != digest.FromBytes(data).Encoded() {
		return nil, p.unreached("download "+name, fmt.Errorf("its SHA-256 is %s, GitLab's list says %.64q", digest.FromBytes(data).Encoded(), want))
	}
	return data, nil
}

// release reads the files that lie beside an envelope.
func (p *gitlabPackages) release(ctx context.Context, pkg gitlabPackage, envelope []byte) (Release, error) {
	names := NamesOf(p.env.Stem)
	r := Release{Envelope: envelope, Ref: p.place + " version " + pkg.Version}
	var err error
	if r.Snapshot, err = p.optional(ctx, pkg, names.Snapshot); err != nil {
		return Release{}, err
	}
	r.Provenance, err = p.optional(ctx, pkg, names.Provenance)
	return r, err
}

// Latest implements [Place]: the newest package that has an envelope.
func (p *gitlabPackages) Latest(ctx context.Context) (Release, error) {
	pkg, envelope, err := newGitLabShelf(p.page, p.envelope).first(ctx)
	if err != nil {
		return Release{}, p.named(err)
	}
	return p.release(ctx, pkg, envelope)
}

// Find implements [Place].
func (p *gitlabPackages) Find(ctx context.Context, payload digest.Digest) (Release, error) {
	pkg, envelope, err := p.shelf.find(ctx, payload)
	if err != nil {
		return Release{}, p.named(err)
	}
	return p.release(ctx, pkg, envelope)
}

// List implements [Place].
func (p *gitlabPackages) List(ctx context.Context) iter.Seq2[digest.Digest, error] {
	return p.shelf.all(ctx)
}
