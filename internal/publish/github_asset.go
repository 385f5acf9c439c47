package publish

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
)

// githubAsset is a file of a release.
type githubAsset struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	// State is "uploaded", or else nothing but a name: an upload that broke off
	// leaves a "starter" (docs.github.com, Upload a release asset).
	State string `json:"state"`
	Size  int64  `json:"size"`
	// Digest is such as "sha256:…", "" for assets from before mid-2025 and on
	// older servers.
	Digest digest.Digest `json:"digest"`
}

const githubUploaded = "uploaded"

// githubFile is a file on its way into a release.
type githubFile struct {
	name, content string
	data          []byte
}

// files are a release's, in the order in which they go up: the envelope is last,
// as what has one is complete.
func (p *githubRelease) files(s Sealed) []githubFile {
	all := []githubFile{
		{p.names.Provenance, "application/vnd.dev.sigstore.bundle.v0.3+json", s.Provenance},
		{p.names.Snapshot, "application/json", s.Snapshot},
		{p.names.Envelope, MediaType, s.Envelope},
	}
	return slices.DeleteFunc(all, func(f githubFile) bool { return f.data == nil })
}

// filled says what came of filling a release.
type filled struct {
	// found: some of the files stood there; changed: some did not.
	found, changed bool
	notes          []string
}

// githubStep is one file that has to go up, in place of what broken is, if
// anything.
type githubStep struct {
	file   githubFile
	broken *githubAsset
}

// fill puts the files into a release that has them in part or not at all.
// Nothing is uploaded before all of it is known to go.
func (p *githubRelease) fill(ctx context.Context, rel *githubReleaseInfo, s Sealed) (filled, error) {
	var out filled
	assets, err := p.assets(ctx, rel)
	if err != nil {
		return out, err
	}
	rel.Assets = assets
	committed, err := p.committed(ctx, rel, s)
	if err != nil {
		return out, err
	}
	var steps []githubStep
	for _, f := range p.files(s) {
		stands, step, err := p.compare(ctx, rel, f, committed)
		if err != nil {
			return out, err
		}
		if !stands {
			steps = append(steps, step)
			continue
		}
		out.found = true
		if a := rel.asset(f.name); committed && !p.same(ctx, rel, *a, f.data) {
			out.notes = append(out.notes, fmt.Sprintf("%s of an earlier run of the same release stays, with the signatures that it has", f.name))
		}
	}
	out.changed = len(steps) > 0
	if out.changed && rel.Immutable {
		return out, p.immutable(rel)
	}
	for _, step := range steps {
		if err := p.upload(ctx, rel, step); err != nil {
			return out, err
		}
	}
	return out, nil
}

// committed says whether the release has the envelope already, perhaps with other
// signatures; a reader may have it then, and it stays. Another release's is a
// conflict.
func (p *githubRelease) committed(ctx context.Context, rel *githubReleaseInfo, s Sealed) (bool, error) {
	a := rel.asset(p.names.Envelope)
	if a == nil || a.State != githubUploaded {
		return false, nil
	}
	if a.Digest == digest.FromBytes(s.Envelope) {
		return true, nil
	}
	data, err := p.download(ctx, rel, *a)
	if err != nil {
		return false, err
	}
	if hasPayload(data, s.Payload) {
		return true, nil
	}
	return false, p.conflict(rel, a.Name)
}

// conflict is that of other content under a name of ours.
func (p *githubRelease) conflict(rel *githubReleaseInfo, name string) error {
	hint := fmt.Sprintf("a sealed release is never replaced: release under a new tag; or, where nobody has it yet, delete the asset %s and run this again", name)
	if rel.Immutable {
		hint = "the release is immutable: release under a new tag"
	}
	return &Error{
		Place: p.place, Op: "attach " + name + " to release " + rel.Tag,
		Err: fmt.Errorf("%w: the release has another %q", ErrConflict, name), Hint: hint,
	}
}

// compare says whether a file stands in the release; else what is to be done.
func (p *githubRelease) compare(ctx context.Context, rel *githubReleaseInfo, f githubFile, committed bool) (bool, githubStep, error) {
	step := githubStep{file: f}
	switch a := rel.asset(f.name); {
	case a == nil:
	case a.State != githubUploaded:
		step.broken = a
	case committed, p.same(ctx, rel, *a, f.data):
		return true, step, nil
	case rel.Draft:
		// Left by a run that did not get to its envelope: nobody has seen it, and
		// what is built anew has another provenance.
		step.broken = a
	default:
		return false, step, p.conflict(rel, f.name)
	}
	return false, step, nil
}

// same says whether an asset has these bytes.
func (p *githubRelease) same(ctx context.Context, rel *githubReleaseInfo, a githubAsset, data []byte) bool {
	if a.Digest.Validate() == nil && a.Digest.Algorithm() == digest.SHA256 {
		return a.Digest == digest.FromBytes(data)
	}
	if a.Size != int64(len(data)) {
		return false
	}
	there, err := p.download(ctx, rel, a)
	return err == nil && bytes.Equal(there, data)
}

// assets lists those of a release, unfinished ones too.
func (p *githubRelease) assets(ctx context.Context, rel *githubReleaseInfo) ([]githubAsset, error) {
	const perPage = 100
	var all []githubAsset
	for n := 1; n <= maxGitHubAssets/perPage; n++ {
		var page []githubAsset
		c := githubCall{
			op: "list the files of release " + rel.Tag, need: needContents, method: http.MethodGet,
			url: fmt.Sprintf("/releases/%d/assets?per_page=%d&page=%d", rel.ID, perPage, n),
		}
		if _, err := p.ask(ctx, c, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < perPage {
			break
		}
	}
	return all, nil
}

// upload makes one file stand. Where an upload fails, the release is asked what
// it has: the file, a stump of it that has to go first, or nothing.
func (p *githubRelease) upload(ctx context.Context, rel *githubReleaseInfo, step githubStep) error {
	f := step.file
	target, err := p.uploadURL(rel, f.name)
	if err != nil {
		return err
	}
	if step.broken != nil {
		if err := p.remove(ctx, *step.broken); err != nil {
			return err
		}
	}
	c := githubCall{op: "upload " + f.name + " to release " + rel.Tag, need: needContents, method: http.MethodPost, url: target, content: f.content, body: f.data}
	named := f.name
	err = p.settle(ctx, func() error {
		var a githubAsset
		if _, err := p.ask(ctx, c, nil, &a); err != nil {
			return err
		}
		named = a.Name
		return p.arrived(c, a, f)
	}, func() (bool, error) { return p.stands(ctx, rel, f) })
	if err == nil && named != f.name {
		err = p.fail(c, 0, "delete that asset, and give --output a name of letters, digits and ._+-", "GitHub named it %.100q, want %q", named, f.name)
	}
	return err
}

// arrived checks that GitHub says that it got all of a file.
func (p *githubRelease) arrived(c githubCall, a githubAsset, f githubFile) error {
	switch {
	case a.State != githubUploaded:
		return p.fail(c, 0, githubHintStatus, "the upload is not complete: GitHub says state %.40q", a.State)
	case a.Digest != "" && a.Digest != digest.FromBytes(f.data):
		return p.fail(c, 0, githubHintStatus, "what arrived has digest %.100q, want %s", a.Digest, digest.FromBytes(f.data))
	}
	return nil
}

// stands says whether a file came into the release after all. What else has its
// name goes, if it is the rest of an upload.
func (p *githubRelease) stands(ctx context.Context, rel *githubReleaseInfo, f githubFile) (bool, error) {
	assets, err := p.assets(ctx, rel)
	if err != nil {
		return false, err
	}
	now := &githubReleaseInfo{ID: rel.ID, Tag: rel.Tag, Draft: rel.Draft, Immutable: rel.Immutable, Assets: assets}
	a := now.asset(f.name)
	switch {
	case a == nil:
		return false, nil
	case a.State != githubUploaded:
		return false, p.remove(ctx, *a)
	case p.same(ctx, now, *a, f.data):
		return true, nil
	}
	return false, p.conflict(now, f.name)
}

// remove deletes an asset. Gone is gone, whoever did it.
func (p *githubRelease) remove(ctx context.Context, a githubAsset) error {
	c := githubCall{op: "delete the unfinished " + a.Name, need: needContents, method: http.MethodDelete, url: "/releases/assets/" + strconv.FormatInt(a.ID, 10)}
	_, err := p.ask(ctx, c, nil, nil)
	if githubStatus(err) == http.StatusNotFound {
		return nil
	}
	return err
}

// uploadURL is where an asset is sent: by the release's own word, if that leads
// to where the token may go.
func (p *githubRelease) uploadURL(rel *githubReleaseInfo, name string) (string, error) {
	// It is a template, of which nothing but the path is ours to fill.
	base, _, _ := strings.Cut(rel.Uploads, "{")
	u, err := url.Parse(base)
	if err != nil || u.User != nil || !slices.Contains(p.origins, origin(u)) {
		return "", p.fail(githubCall{op: "upload " + name}, 0, githubHintPage, "the release wants uploads at %.100q, and the token goes to %s alone", base, strings.Join(p.origins, " and "))
	}
	u.RawQuery = url.Values{"name": {name}}.Encode()
	return u.String(), nil
}
