package publish

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/verify"
)

// gitlabRelease is the releases of a GitLab project. A release holds links only:
// the files themselves are those of [gitlabPackages], and each has a permanent link
// …/-/releases/TAG/downloads/NAME (docs.gitlab.com/user/project/releases/release_fields).
//
// A release that is not there is made with all its links in one request; to one
// that somebody made, they are added, the envelope's last. Its tag is never made.
type gitlabRelease struct {
	*gitlab
	files *gitlabPackages
	shelf *gitlabShelf[gitlabEntry]
}

func openGitLabRelease(rest string, env Env) (Place, error) {
	g, err := newGitLab("gitlab-release", rest, env)
	if err != nil {
		return nil, err
	}
	if g.tag != "" {
		g.place += "@" + g.tag
	}
	p := &gitlabRelease{gitlab: g, files: g.packages()}
	p.shelf = newGitLabShelf(p.page, p.envelope)
	return p, nil
}

// gitlabEntry is a release as GitLab gives it.
type gitlabEntry struct {
	Tag      string `json:"tag_name"`
	Upcoming bool   `json:"upcoming_release"`
	Assets   struct {
		Links []gitlabLink `json:"links"`
	} `json:"assets"`
}

// gitlabLink is one of its links. Direct is the permanent link, or the same as URL
// where it has none.
type gitlabLink struct {
	Name   string `json:"name"`
	URL    string `json:"url"`
	Direct string `json:"direct_asset_url"`
}

// link is that of a name.
func (e gitlabEntry) link(name string) (gitlabLink, bool) {
	for _, l := range e.Assets.Links {
		if l.Name == name {
			return l, true
		}
	}
	return gitlabLink{}, false
}

// gitlabNewLink is a link as it is made.
type gitlabNewLink struct {
	Name   string `json:"name"`
	URL    string `json:"url"`
	Direct string `json:"direct_asset_path"`
	Type   string `json:"link_type"`
}

// Check implements [Place].
func (p *gitlabRelease) Check(ctx context.Context) error {
	if p.tag == "" && !p.env.ReadOnly {
		return p.noTag()
	}
	if p.env.ReadOnly {
		_, _, err := p.list(ctx, 1, 1)
		return err
	}
	if err := p.files.Check(ctx); err != nil {
		return err
	}
	_, found, err := p.entry(ctx)
	if err != nil || found {
		return err
	}
	return p.checkTag(ctx)
}

func (p *gitlabRelease) noTag() error {
	return &Error{Place: p.place, Op: "find the release", Err: errors.New("no tag: CI_COMMIT_TAG is not set"), Hint: fmt.Sprintf("run the job for tags (rules: [{if: $CI_COMMIT_TAG}]), or name the release: gitlab-release:%s@TAG", p.project)}
}

// AttestationURI implements [Place].
func (p *gitlabRelease) AttestationURI(c Coming) (string, error) {
	if !c.Provenance {
		return "", nil
	}
	if p.tag == "" {
		return "", p.noTag()
	}
	return provenance.AttestationURI(provenance.Target{
		Kind: provenance.GitLabRelease, Server: p.server, Repository: p.project,
		Tag: p.tag, Name: NamesOf(p.env.Stem).Provenance,
	})
}

// permanent is a file's permanent link.
func (p *gitlabRelease) permanent(name string) string {
	return p.server + "/" + p.project + "/-/releases/" + gitlabEscape(p.tag) + "/downloads/" + gitlabEscape(name)
}

// Publish implements [Place].
func (p *gitlabRelease) Publish(ctx context.Context, r Sealed) (Receipt, error) {
	if p.tag == "" {
		return Receipt{}, p.noTag()
	}
	links := p.links(r)
	before, _, err := p.entry(ctx)
	if err != nil {
		return Receipt{}, err
	}
	// What stands in the way is found before anything is put there.
	missing, err := p.missing(before, links)
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := p.files.Publish(ctx, r)
	if err != nil {
		return Receipt{}, err
	}
	p.shelf.forget()
	if len(missing) > 0 {
		if err := p.link(ctx, links); err != nil {
			return Receipt{}, err
		}
	}
	if receipt.State == AlreadyThere && len(missing) > 0 || receipt.State == Published && len(missing) < len(links) {
		receipt.State = Completed
	}
	if before.Upcoming {
		receipt.Notes = append(receipt.Notes, "GitLab shows the release as an upcoming one until its released_at; its files can be fetched already")
	}
	receipt.Place = p.place
	if receipt.URL != "" {
		receipt.URL = p.permanent(NamesOf(p.env.Stem).Envelope)
	}
	return receipt, nil
}

// links are those of a release, the envelope's last.
func (p *gitlabRelease) links(r Sealed) []gitlabNewLink {
	version := p.files.version(lineage.VersionOf(r.Manifest), r.Payload)
	names := NamesOf(p.env.Stem)
	var links []gitlabNewLink
	for _, f := range []struct {
		name  string
		there bool
	}{{names.Snapshot, r.Snapshot != nil}, {names.Provenance, r.Provenance != nil}, {names.Envelope, true}} {
		if f.there {
			links = append(links, gitlabNewLink{Name: f.name, URL: p.fileURL(p.env.Stem, version, f.name), Direct: "/" + f.name, Type: "other"})
		}
	}
	return links
}

// missing are the links that a release lacks. A link of one's name that leads
// elsewhere is a conflict.
func (p *gitlabRelease) missing(e gitlabEntry, links []gitlabNewLink) ([]gitlabNewLink, error) {
	var missing []gitlabNewLink
	for _, want := range links {
		got, there := e.link(want.Name)
		switch {
		case !there:
			missing = append(missing, want)
		case got.URL != want.URL:
			return nil, p.otherLink(want, fmt.Sprintf("leads to %.200q, want %q", fetch.PublicURL(got.URL), want.URL))
		case got.Direct != "" && !strings.HasSuffix(got.Direct, "/downloads"+want.Direct):
			return nil, p.otherLink(want, fmt.Sprintf("has the permanent link %.200q, want one that ends in /downloads%s", fetch.PublicURL(got.Direct), want.Direct))
		}
	}
	return missing, nil
}

func (p *gitlabRelease) otherLink(want gitlabNewLink, how string) error {
	return &Error{
		Place: p.place, Op: "link " + want.Name, Err: fmt.Errorf("%w: the link of that name %s", ErrConflict, how),
		Hint: fmt.Sprintf("what is published is not replaced: make a new tag, or remove the link at %s/%s/-/releases/%s/edit", p.server, p.project, gitlabEscape(p.tag)),
	}
}

// link makes the release with all its links, or adds those that it lacks.
func (p *gitlabRelease) link(ctx context.Context, links []gitlabNewLink) error {
	e, found, err := p.entry(ctx)
	if err != nil {
		return err
	}
	if !found {
		if err := p.create(ctx, links); err != nil {
			return err
		}
		// Another job may have made it meanwhile, with other links or none.
		if e, found, err = p.entry(ctx); err != nil {
			return err
		}
		if !found {
			return &Error{Place: p.place, Op: "look at the release that was made", Err: verify.ErrNoRelease, Hint: "run this again"}
		}
	}
	missing, err := p.missing(e, links)
	if err != nil {
		return err
	}
	for _, l := range missing {
		if err := p.add(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// create makes the release. One that stands there by now is as good.
func (p *gitlabRelease) create(ctx context.Context, links []gitlabNewLink) error {
	type assets struct {
		Links []gitlabNewLink `json:"links"`
	}
	return p.settle(ctx, func() error {
		err := p.post(ctx, "create the release", "/releases", struct {
			Tag    string `json:"tag_name"`
			Assets assets `json:"assets"`
		}{p.tag, assets{links}})
		return gitlabIgnore(err, http.StatusConflict)
	}, func() (bool, error) {
		_, found, err := p.entry(ctx)
		return found, err
	})
}

// add adds one link.
func (p *gitlabRelease) add(ctx context.Context, l gitlabNewLink) error {
	there := func() (bool, error) {
		e, _, err := p.entry(ctx)
		if err != nil {
			return false, err
		}
		missing, err := p.missing(e, []gitlabNewLink{l})
		return len(missing) == 0, err
	}
	err := p.settle(ctx, func() error {
		return p.post(ctx, "link "+l.Name, "/releases/"+gitlabEscape(p.tag)+"/assets/links", l)
	}, there)
	if gitlabHasStatus(err, http.StatusBadRequest) {
		// A name, a URL or a path "has already been taken": by us, in another job?
		if did, look := there(); look != nil || did {
			return look
		}
	}
	return err
}

// entry is the release of the tag; false where there is none.
func (p *gitlabRelease) entry(ctx context.Context) (gitlabEntry, bool, error) {
	var e gitlabEntry
	_, err := p.ask(ctx, "look at the release", "/releases/"+gitlabEscape(p.tag), nil, &e)
	var refusal *Error
	if errors.As(err, &refusal) && refusal.Status == http.StatusNotFound && !errors.Is(err, errGitLabWebPage) && !strings.Contains(refusal.Err.Error(), "Project Not Found") {
		return gitlabEntry{}, false, nil
	}
	return e, err == nil, err
}

// list gets a page of the releases, the newest first. Newest is the one that was
// made last: released_at may be set to any time.
func (p *gitlabRelease) list(ctx context.Context, size, n int) ([]gitlabEntry, bool, error) {
	q := url.Values{"order_by": {"created_at"}, "sort": {"desc"}}
	return gitlabPage[gitlabEntry](ctx, p.gitlab, "list the releases", "/releases", q, size, n)
}

func (p *gitlabRelease) page(ctx context.Context, n int) ([]gitlabEntry, bool, error) {
	return p.list(ctx, gitlabReleasesPage, n)
}

// envelope reads that of a release; nil where it has no link to one.
func (p *gitlabRelease) envelope(ctx context.Context, e gitlabEntry) ([]byte, error) {
	return p.linked(ctx, e, NamesOf(p.env.Stem).Envelope)
}

// linked gets what a link of a release leads to; nil where it has none of that name.
func (p *gitlabRelease) linked(ctx context.Context, e gitlabEntry, name string) ([]byte, error) {
	l, there := e.link(name)
	if !there {
		return nil, nil
	}
	return p.download(ctx, l.URL, name)
}

func (p *gitlabRelease) release(ctx context.Context, e gitlabEntry, envelope []byte) (Release, error) {
	names := NamesOf(p.env.Stem)
	r := Release{Envelope: envelope, Ref: "gitlab-release:" + p.project + "@" + strings.Trim(fmt.Sprintf("%.100q", e.Tag), `"`)}
	var err error
	if r.Snapshot, err = p.linked(ctx, e, names.Snapshot); err != nil {
		return Release{}, err
	}
	r.Provenance, err = p.linked(ctx, e, names.Provenance)
	return r, err
}

// Latest implements [Place]. Of a source that names a tag, it is that tag's release.
func (p *gitlabRelease) Latest(ctx context.Context) (Release, error) {
	if p.env.ReadOnly && p.tagNamed {
		return p.tagged(ctx)
	}
	e, envelope, err := newGitLabShelf(p.page, p.envelope).first(ctx)
	if err != nil {
		return Release{}, p.named(err)
	}
	return p.release(ctx, e, envelope)
}

func (p *gitlabRelease) tagged(ctx context.Context) (Release, error) {
	e, _, err := p.entry(ctx)
	if err != nil {
		return Release{}, err
	}
	envelope, err := p.envelope(ctx, e)
	if err != nil {
		return Release{}, err
	}
	if envelope == nil {
		return Release{}, p.named(verify.ErrNoRelease)
	}
	return p.release(ctx, e, envelope)
}

// Find implements [Place].
func (p *gitlabRelease) Find(ctx context.Context, payload digest.Digest) (Release, error) {
	e, envelope, err := p.shelf.find(ctx, payload)
	if err != nil {
		return Release{}, p.named(err)
	}
	return p.release(ctx, e, envelope)
}

// List implements [Place].
func (p *gitlabRelease) List(ctx context.Context) iter.Seq2[digest.Digest, error] {
	return p.shelf.all(ctx)
}
