package publish

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/verify"
)

// maxGitHubKept is how many releases are kept whole: what asks for an envelope
// asks for the snapshot beside it next.
const maxGitHubKept = 4

// githubHistory is how far the releases were walked, newest first. A chain that
// is followed asks for them in that order, so each is downloaded once.
type githubHistory struct {
	mu sync.Mutex
	// known are the releases that were passed, by the digest of their payload.
	known map[digest.Digest]githubReleaseInfo
	// ahead are those of the last page that are still to come; next is the page
	// after it, 0 at first, and ended says that there is none.
	ahead []githubReleaseInfo
	next  int
	ended bool
	// kept are the last ones, whole.
	kept []githubKept
	// open says that anybody may download the files; nil while it is not known.
	open *bool
}

type githubKept struct {
	payload digest.Digest
	release Release
}

// Latest implements [Place]. The newest is the draft of this job's tag, where it
// is complete, else the release that was published last of those that have an
// envelope. A source whose target names a tag has that tag's release alone; that
// it has none does not say that there was none before it.
func (p *githubRelease) Latest(ctx context.Context) (Release, error) {
	p.history.mu.Lock()
	defer p.history.mu.Unlock()
	if p.pinned {
		rel, err := p.target(ctx)
		if err != nil {
			return Release{}, err
		}
		if rel == nil || rel.envelope(p.names) == nil {
			return Release{}, p.fail(githubCall{op: "read release " + p.tag}, 0, "name a release that has it, or none, for the newest", "there is no such release, or it has no file %s", p.names.Envelope)
		}
		return p.read(ctx, rel)
	}
	for page, err := range p.pages(ctx, needReadContents) {
		if err != nil {
			return Release{}, err
		}
		if all := p.sealed(page); len(all) > 0 {
			return p.read(ctx, &all[0])
		}
	}
	return Release{}, p.none("no release of %s has a file %s", p.repo, p.names.Envelope)
}

// Find implements [Place].
func (p *githubRelease) Find(ctx context.Context, payload digest.Digest) (Release, error) {
	p.history.mu.Lock()
	defer p.history.mu.Unlock()
	h := &p.history
	for _, k := range h.kept {
		if k.payload == payload {
			return k.release, nil
		}
	}
	if rel, ok := h.known[payload]; ok {
		return p.read(ctx, &rel)
	}
	for {
		rel, err := p.ahead(ctx)
		if err != nil {
			return Release{}, err
		}
		if rel == nil {
			return Release{}, p.none("no release of %s has a manifest with payload %.100q", p.repo, payload)
		}
		found, r, err := p.pass(ctx, rel, payload)
		if err != nil || found {
			return r, err
		}
	}
}

// List implements [Place]: it yields the releases that were passed. What was
// published after one that was asked for is among them, so a fork is.
func (p *githubRelease) List(ctx context.Context) iter.Seq2[digest.Digest, error] {
	return func(yield func(digest.Digest, error) bool) {
		known, err := p.passed(ctx)
		if err != nil {
			yield("", err)
			return
		}
		for _, d := range known {
			if !yield(d, nil) {
				return
			}
		}
	}
}

// passed are the payloads of the releases that were passed, the newest one at least.
func (p *githubRelease) passed(ctx context.Context) ([]digest.Digest, error) {
	p.history.mu.Lock()
	defer p.history.mu.Unlock()
	for len(p.history.known) == 0 {
		rel, err := p.ahead(ctx)
		if err != nil || rel == nil {
			return nil, err
		}
		if _, _, err := p.pass(ctx, rel, ""); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(p.history.known)), nil
}

// ahead is the next release to come, nil after the last. It comes again until it
// is passed.
func (p *githubRelease) ahead(ctx context.Context) (*githubReleaseInfo, error) {
	h := &p.history
	for len(h.ahead) == 0 {
		if h.ended || h.next >= maxGitHubReleases/githubPage {
			return nil, nil
		}
		page, err := p.page(ctx, h.next+1, needReadContents)
		if err != nil {
			return nil, err
		}
		h.next++
		h.ended = len(page) < githubPage
		h.ahead = p.sealed(page)
	}
	return &h.ahead[0], nil
}

// pass downloads the envelope of the next release, and the rest where its payload
// is the wanted one. What is no envelope is nobody's release.
func (p *githubRelease) pass(ctx context.Context, rel *githubReleaseInfo, want digest.Digest) (bool, Release, error) {
	h := &p.history
	data, err := p.download(ctx, rel, *rel.envelope(p.names))
	if err != nil && !errors.Is(err, errGitHubGone) {
		return false, Release{}, err
	}
	payload, bad := payloadDigest(data)
	found := err == nil && bad == nil && (payload == want || want != "" && hasPayload(data, want))
	r := Release{Envelope: data}
	if found {
		if err := p.beside(ctx, rel, &r); err != nil {
			return false, Release{}, err
		}
		p.keep(want, r)
	}
	if err == nil && bad == nil {
		if h.known == nil {
			h.known = map[digest.Digest]githubReleaseInfo{}
		}
		if _, ok := h.known[payload]; !ok {
			h.known[payload] = *rel
		}
	}
	h.ahead = h.ahead[1:]
	return found, r, nil
}

// sealed are the releases of a page that have an envelope, newest first, with the
// files that are ours. Of drafts, the one of this job's tag: nobody released the
// others.
func (p *githubRelease) sealed(page []githubReleaseInfo) []githubReleaseInfo {
	var out []githubReleaseInfo
	for _, r := range page {
		if r.envelope(p.names) == nil || r.Draft && (p.tag == "" || r.Tag != p.tag) {
			continue
		}
		r.Body = ""
		r.Assets = slices.DeleteFunc(r.Assets, func(a githubAsset) bool {
			return a.State != githubUploaded || a.Name != p.names.Envelope && a.Name != p.names.Snapshot && a.Name != p.names.Provenance
		})
		out = append(out, r)
	}
	slices.SortStableFunc(out, newest)
	return out
}

// envelope is the asset that makes a release one of ours, nil where it has none.
func (r *githubReleaseInfo) envelope(names Names) *githubAsset {
	if a := r.asset(names.Envelope); a != nil && a.State == githubUploaded {
		return a
	}
	return nil
}

// read downloads a release whole.
func (p *githubRelease) read(ctx context.Context, rel *githubReleaseInfo) (Release, error) {
	data, err := p.download(ctx, rel, *rel.envelope(p.names))
	if err != nil {
		return Release{}, err
	}
	r := Release{Envelope: data}
	if err := p.beside(ctx, rel, &r); err != nil {
		return Release{}, err
	}
	if payload, err := payloadDigest(data); err == nil {
		p.keep(payload, r)
	}
	return r, nil
}

// beside downloads what lies beside an envelope.
func (p *githubRelease) beside(ctx context.Context, rel *githubReleaseInfo, r *Release) error {
	r.Ref = p.browserURL(rel.Tag, p.names.Envelope)
	for _, f := range []struct {
		name string
		to   *[]byte
	}{{p.names.Snapshot, &r.Snapshot}, {p.names.Provenance, &r.Provenance}} {
		a := rel.asset(f.name)
		if a == nil || a.State != githubUploaded {
			continue
		}
		data, err := p.download(ctx, rel, *a)
		if err != nil {
			return err
		}
		*f.to = data
	}
	return nil
}

func (p *githubRelease) keep(payload digest.Digest, r Release) {
	h := &p.history
	h.kept = append(h.kept, githubKept{payload, r})
	if len(h.kept) > maxGitHubKept {
		h.kept = slices.Delete(h.kept, 0, 1)
	}
}

// download gets an asset, within the bounds of its name.
func (p *githubRelease) download(ctx context.Context, rel *githubReleaseInfo, a githubAsset) ([]byte, error) {
	limit := limitOf(a.Name)
	c := githubCall{
		op: "download " + a.Name + " of release " + rel.Tag, need: needReadContents, method: http.MethodGet, limit: limit,
		url: "/releases/assets/" + strconv.FormatInt(a.ID, 10), accept: "application/octet-stream",
	}
	if a.Size > limit {
		return nil, p.fail(c, 0, "", "%d bytes, want at most %d", a.Size, limit)
	}
	if p.isOpen(ctx) && !rel.Draft {
		c.url = p.browserURL(rel.Tag, a.Name)
	}
	data, _, err := p.do(ctx, c)
	switch {
	case githubStatus(err) == http.StatusNotFound || githubStatus(err) == http.StatusGone:
		return nil, errors.Join(err, errGitHubGone)
	case err != nil:
		return nil, err
	case int64(len(data)) != a.Size:
		return nil, p.fail(c, 0, githubHintStatus, "got %d bytes, want %d", len(data), a.Size)
	case a.Digest != "" && a.Digest != digest.FromBytes(data):
		return nil, p.fail(c, 0, githubHintStatus, "got bytes with digest %s, want %.100q", digest.FromBytes(data), a.Digest)
	}
	return data, nil
}

// isOpen says whether files are downloaded as people do it, without the API: its
// limit, 60 requests an hour for strangers and 1,000 for a job, is below what a
// long chain needs. A server of one's own may want a login even for what is public.
func (p *githubRelease) isOpen(ctx context.Context) bool {
	if p.history.open == nil {
		open := p.token == ""
		if !open && p.server.Host == "github.com" {
			r, err := p.repository(ctx)
			open = err == nil && !r.Private
		}
		p.history.open = &open
	}
	return *p.history.open
}

// none says that GitHub answered, and has no such release.
func (p *githubRelease) none(format string, args ...any) error {
	return &Error{Place: p.place, Op: "find a sealed release", Err: fmt.Errorf("%w: "+format, append([]any{verify.ErrNoRelease}, args...)...)}
}
