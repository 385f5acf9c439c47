package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/verify"
)

// gitlabPackages is the generic packages of a GitLab project: one package per
// server, named by the stem, and in it one version per release.
//
// GitLab keeps every upload of a file name, and serves the newest
// (docs.gitlab.com/user/packages/generic_packages, Disable publishing duplicate
// package names), so what stands is looked at before each. While files go up, the
// package is hidden; the envelope comes last, and the same transaction that takes
// it shows the package (gitlab: Packages::Generic::CreatePackageFileService).
type gitlabPackages struct {
	*gitlab
	shelf *gitlabShelf[gitlabPackage]
}

func openGitLabPackages(rest string, env Env) (Place, error) {
	g, err := newGitLab("gitlab-packages", rest, env)
	if err != nil {
		return nil, err
	}
	if g.tagNamed {
		return nil, fmt.Errorf("gitlab-packages: got @%.100q, want no tag: a package has its release's version", g.tag)
	}
	return g.packages(), nil
}

func (g *gitlab) packages() *gitlabPackages {
	p := &gitlabPackages{gitlab: g}
	p.shelf = newGitLabShelf(p.page, p.envelope)
	return p
}

// gitlabPackage is an entry of GitLab's list of packages.
type gitlabPackage struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Type    string `json:"package_type"`
	Status  string `json:"status"`
}

// gitlabFile is an entry of GitLab's list of a package's files.
type gitlabFile struct {
	ID     int64  `json:"id"`
	Name   string `json:"file_name"`
	SHA256 string `json:"file_sha256"`
}

// The states of a package, of those that lists show: "default" and "deprecated"
// are for all to see.
const (
	gitlabVisible    = "default"
	gitlabDeprecated = "deprecated"
	gitlabHidden     = "hidden"
)

// standing is one version of the package, as it stands.
type gitlabStanding struct {
	gitlabPackage
	found bool
	// files are the newest of each name: those that GitLab serves.
	files map[string]gitlabFile
	// single are the names whose every upload had the same bytes.
	single map[string]bool
}

// visible says that everybody sees it who sees the registry. Old GitLabs say nothing of it.
func (p gitlabPackage) visible() bool {
	return p.ID != 0 && (p.Status == gitlabVisible || p.Status == gitlabDeprecated || p.Status == "")
}

// holds says whether a file of these very bytes is the one that is served.
func (s gitlabStanding) holds(name string, data []byte) bool {
	f, ok := s.files[name]
	return ok && f.SHA256 == digest.FromBytes(data).Encoded()
}

// Check implements [Place].
func (p *gitlabPackages) Check(ctx context.Context) error {
	if p.token.value == "" && !p.env.ReadOnly {
		return &Error{Place: p.place, Op: "check the token", Err: errors.New("there is none"), Hint: fmt.Sprintf("in a GitLab job %s is there by itself; elsewhere set %s to a project access token with scope api and role Developer", gitlabJobToken, gitlabOwnToken)}
	}
	if _, _, err := p.list(ctx, "look at the package registry", url.Values{}, 1, 1); err != nil {
		return err
	}
	if p.env.ReadOnly {
		return nil
	}
	if !p.token.isJob() {
		return p.checkRights(ctx)
	}
	if own := p.env.Getenv("CI_PROJECT_PATH"); own != "" && !strings.EqualFold(own, p.project) {
		p.notify(fmt.Sprintf("%s: whether the job token of %s may write there shows when it does: its Settings > CI/CD > Job token permissions must list that project", p.place, own))
	}
	return nil
}

// version is the package version of a release: its own, or, where GitLab takes no
// such version, its payload's digest, which is not known before it is signed.
func (p *gitlabPackages) version(claimed string, payload digest.Digest) string {
	if p.env.Version != "" {
		claimed = p.env.Version
	}
	if len(claimed) <= maxGitLabName && gitlabVersionForm.MatchString(claimed) {
		return claimed
	}
	if payload == "" {
		return ""
	}
	return payload.Algorithm().String() + "-" + payload.Encoded()
}

// AttestationURI implements [Place]. It is "" where the version is not known, or
// none that GitLab takes.
func (p *gitlabPackages) AttestationURI(c Coming) (string, error) {
	claimed := ""
	if c.Artifact != nil {
		claimed = c.Artifact.Version
	}
	version := p.version(claimed, "")
	if !c.Provenance || version == "" {
		return "", nil
	}
	return provenance.AttestationURI(provenance.Target{
		Kind: provenance.GitLabPackage, Server: p.server, Repository: p.project,
		Tag: version, Package: p.env.Stem, Name: NamesOf(p.env.Stem).Provenance,
	})
}

// Publish implements [Place].
func (p *gitlabPackages) Publish(ctx context.Context, r Sealed) (Receipt, error) {
	version := p.version(lineage.VersionOf(r.Manifest), r.Payload)
	names := NamesOf(p.env.Stem)
	receipt := Receipt{Place: p.place, State: Published, URL: p.fileURL(p.env.Stem, version, names.Envelope)}
	s, err := p.stand(ctx, version)
	if err != nil {
		return Receipt{}, err
	}
	kept, err := p.compare(ctx, s, r)
	if err != nil {
		return Receipt{}, err
	}
	if kept != nil {
		// It was committed by an earlier run: what it lacks is added to it.
		if chooseEnvelope(kept, r.Envelope) != keepSame {
			receipt.Notes = append(receipt.Notes, "the envelope that stands there has the same payload and other signatures; it is kept: to have these instead, delete the package version and publish again")
		}
		r.Envelope = kept
	}
	p.shelf.forget()
	added, err := p.complete(ctx, s, version, r)
	if err != nil {
		return Receipt{}, err
	}
	switch {
	case added == 0:
		receipt.State = AlreadyThere
	case s.found:
		receipt.State = Completed
	}
	if added > 0 {
		if err := p.confirm(ctx, version, r); err != nil {
			return Receipt{}, err
		}
	}
	if !p.isPublic(ctx, receipt.URL) {
		receipt.Notes = append(receipt.Notes, "only those who may see the project can fetch it, by a token: "+receipt.URL)
		receipt.URL = ""
	}
	return receipt, nil
}

// stand looks at one version of the package, hidden or not.
func (p *gitlabPackages) stand(ctx context.Context, version string) (gitlabStanding, error) {
	for _, status := range []string{"", gitlabHidden} {
		pkg, found, err := p.findVersion(ctx, version, status)
		if err != nil {
			return gitlabStanding{}, err
		}
		if found {
			return p.filesOf(ctx, pkg)
		}
	}
	return gitlabStanding{}, nil
}

// findVersion looks for a version among the packages of one status, "" for those
// that are shown.
func (p *gitlabPackages) findVersion(ctx context.Context, version, status string) (gitlabPackage, bool, error) {
	op := "look at package version " + version
	q := url.Values{"package_version": {version}}
	if status != "" {
		q.Set("status", status)
	}
	fail := func(what string) error {
		return &Error{Place: p.place, Op: op, Err: fmt.Errorf("%w: %s", verify.ErrUnavailable, what), Hint: "delete it under Deploy > Package registry, or choose another --output name"}
	}
	for n := 1; n <= maxGitLabPages; n++ {
		page, more, err := p.list(ctx, op, q, gitlabPackagesPage, n)
		if err != nil {
			return gitlabPackage{}, false, err
		}
		for _, pkg := range page {
			if pkg.Version != version || !p.isOurs(pkg) {
				continue
			}
			if pkg.Status != gitlabHidden && !pkg.visible() {
				return gitlabPackage{}, false, fail(fmt.Sprintf("its status is %.40q", pkg.Status))
			}
			return pkg, true, nil
		}
		if !more {
			return gitlabPackage{}, false, nil
		}
	}
	return gitlabPackage{}, false, fail(fmt.Sprintf("more than %d pages of packages", maxGitLabPages))
}

// filesOf looks at the files of a package.
func (p *gitlabPackages) filesOf(ctx context.Context, pkg gitlabPackage) (gitlabStanding, error) {
	s := gitlabStanding{gitlabPackage: pkg, found: true, files: map[string]gitlabFile{}, single: map[string]bool{}}
	path := "/packages/" + strconv.FormatInt(pkg.ID, 10) + "/package_files"
	files, err := gitlabList[gitlabFile](ctx, p.gitlab, "list the files of package version "+pkg.Version, path, nil, maxGitLabFiles)
	if err != nil {
		return gitlabStanding{}, err
	}
	for _, f := range files {
		old, twice := s.files[f.Name]
		s.single[f.Name] = !twice || s.single[f.Name] && old.SHA256 == f.SHA256
		if old.ID < f.ID {
			s.files[f.Name] = f
		}
	}
	return s, nil
}

// compare returns the envelope that stands there where it is another of the same
// payload, and an error where it is one of another payload.
func (p *gitlabPackages) compare(ctx context.Context, s gitlabStanding, r Sealed) (kept []byte, err error) {
	name := NamesOf(p.env.Stem).Envelope
	if _, there := s.files[name]; !there || s.holds(name, r.Envelope) {
		return nil, nil
	}
	old, err := p.file(ctx, s, name)
	if err != nil {
		return nil, err
	}
	switch payload, err := payloadDigest(old); {
	case err != nil:
		return nil, p.conflict(s.Version, "not to be read, for it is no envelope", r.Payload)
	case payload != r.Payload:
		return nil, p.conflict(s.Version, string(payload), r.Payload)
	}
	return old, nil
}

func (p *gitlabPackages) conflict(version, got string, want digest.Digest) error {
	return &Error{
		Place: p.place, Op: "publish package version " + version,
		Err:  fmt.Errorf("%w: its payload is %s, want %s", ErrConflict, got, want),
		Hint: "what is published is not replaced: raise the version, or keep servers of one project apart by --output; a release that nobody has is deleted under Deploy > Package registry",
	}
}

// complete uploads what is missing, the envelope last, and says how many files
// that were. What is hidden becomes visible with the envelope, and in no other way.
func (p *gitlabPackages) complete(ctx context.Context, s gitlabStanding, version string, r Sealed) (added int, err error) {
	names := NamesOf(p.env.Stem)
	_, committed := s.files[names.Envelope]
	beside, commit := "", ""
	if !s.visible() {
		beside, commit = gitlabHidden, gitlabVisible
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{names.Snapshot, r.Snapshot}, {names.Provenance, r.Provenance}} {
		_, there := s.files[f.name]
		if f.data == nil || s.holds(f.name, f.data) || there && committed {
			continue
		}
		if err := p.upload(ctx, version, f.name, f.data, beside); err != nil {
			return added, err
		}
		added++
	}
	if committed && s.visible() {
		return added, nil
	}
	return added + 1, p.upload(ctx, version, names.Envelope, r.Envelope, commit)
}

// upload puts one file, once.
func (p *gitlabPackages) upload(ctx context.Context, version, name string, data []byte, status string) error {
	q := url.Values{}
	if status != "" {
		q.Set("status", status)
	}
	return p.settle(ctx, func() error {
		_, _, err := p.do(ctx, gitlabCall{
			op: "upload " + name, method: http.MethodPut, url: p.fileURL(p.env.Stem, version, name), query: q,
			body: data, kind: "application/octet-stream", limit: maxGitLabPage,
		})
		return err
	}, func() (bool, error) {
		s, err := p.stand(ctx, version)
		return s.holds(name, data) && (status != gitlabVisible || s.visible()), err
	})
}

// confirm looks once more: two jobs that publish at once both find nothing, and the
// last upload is the one that is served.
func (p *gitlabPackages) confirm(ctx context.Context, version string, r Sealed) error {
	s, err := p.stand(ctx, version)
	if err != nil {
		return err
	}
	name := NamesOf(p.env.Stem).Envelope
	if _, there := s.files[name]; !there || !s.visible() {
		return &Error{Place: p.place, Op: "look at what was published", Err: fmt.Errorf("%w: package version %s does not show it", verify.ErrUnavailable, version), Hint: "run this again; see the package under Deploy > Package registry"}
	}
	if !s.single[name] {
		return p.conflict(version, "that of another job, which published at the same time", r.Payload)
	}
	return nil
}

// isPublic says whether a stranger can fetch a file: by asking as one.
func (p *gitlabPackages) isPublic(ctx context.Context, url string) bool {
	_, _, err := p.do(ctx, gitlabCall{op: "look whether it is public", method: http.MethodGet, url: url, limit: limitOf(url), client: p.nobody})
	return err == nil
}
