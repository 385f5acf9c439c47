package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/provenance"
)

const (
	needContents     = "contents: write"
	needReadContents = "contents: read"
)

// githubDraftMark tells a draft that an earlier run of ours began from one that
// somebody else will publish. It is not seen, and leaves when we publish.
const githubDraftMark = "<!-- mcp-integrity: this draft is published when its files are complete -->"

// githubPrereleaseForm are versions that semver does not call releases: GitHub
// would show them as its latest.
var githubPrereleaseForm = regexp.MustCompile(`(^|[^0-9])[0-9]+\.[0-9]+\.[0-9]+-[0-9A-Za-z]`)

// githubRelease keeps the files of a sealed release as assets of the GitHub
// release of its tag.
//
// Where releases are immutable, what was published takes no more files, and never
// will. So files go up while nobody sees them: into a draft that somebody else
// publishes later, or, where the tag has no release, into one of ours that is
// published as the last step. A release that is published and takes files gets
// them, the envelope last: it is the commit.
type githubRelease struct {
	*github
	names Names
	tag   string
	// pinned says that a source is this tag's release and no other.
	pinned bool
	// commit is what the tag is made of where it does not exist, "" where unknown.
	commit  string
	history githubHistory
}

func openGitHubRelease(rest string, env Env) (Place, error) {
	g, t, err := newGitHub("github-release", rest, env)
	if err != nil {
		return nil, err
	}
	if t.tag == "" && !env.ReadOnly {
		return nil, fmt.Errorf("target %.200q: no tag is named, and this job runs for none; want @TAG", g.place)
	}
	p := &githubRelease{github: g, names: NamesOf(env.Stem), tag: t.tag, pinned: t.named && env.ReadOnly}
	// GitHub renames assets whose names it does not like.
	if !githubAssetForm.MatchString(p.names.Envelope) || len(p.names.Provenance) > maxGitHubTag {
		return nil, fmt.Errorf("target %.200q: file name: got %.100q, want letters, digits and ._+-, no dot first: GitHub renames others", g.place, p.names.Envelope)
	}
	if sha := env.Getenv("GITHUB_SHA"); strings.EqualFold(t.repo, env.Getenv("GITHUB_REPOSITORY")) && gitCommitForm.MatchString(sha) {
		p.commit = sha
	}
	return p, nil
}

var githubAssetForm = regexp.MustCompile(`^[A-Za-z0-9_+-][A-Za-z0-9._+-]*$`)

// String implements [Place].
func (p *githubRelease) String() string { return p.place }

// githubReleaseInfo is a release, of all that the API says what we need.
type githubReleaseInfo struct {
	ID        int64         `json:"id"`
	Tag       string        `json:"tag_name"`
	Draft     bool          `json:"draft"`
	Immutable bool          `json:"immutable"`
	Body      string        `json:"body"`
	Created   time.Time     `json:"created_at"`
	Published time.Time     `json:"published_at"`
	Uploads   string        `json:"upload_url"`
	Assets    []githubAsset `json:"assets"`
}

// ours says that an earlier run of ours began this draft.
func (r *githubReleaseInfo) ours() bool {
	return r.Draft && strings.Contains(r.Body, githubDraftMark)
}

// Check implements [Place].
func (p *githubRelease) Check(ctx context.Context) error {
	if _, err := p.preflight(ctx, needContents); err != nil {
		return err
	}
	if err := p.checkWrite(ctx); err != nil {
		return err
	}
	rel, err := p.target(ctx)
	if err != nil || rel == nil || rel.Draft || !rel.Immutable {
		return err
	}
	// Complete, it may be this very release.
	if rel.asset(p.names.Envelope) != nil {
		return nil
	}
	return p.immutable(rel)
}

// checkWrite asks for something that takes the permission to write and changes
// nothing: the notes that GitHub would generate "are not saved anywhere"
// (docs.github.com, Generate release notes content for a release). What GET says
// of permissions is the user's, and a job's token has none.
func (p *githubRelease) checkWrite(ctx context.Context) error {
	c := githubCall{op: "check the permission to write", need: needContents, method: http.MethodPost, url: "/releases/generate-notes"}
	in := struct {
		Tag    string `json:"tag_name"`
		Commit string `json:"target_commitish,omitzero"`
	}{p.tag, p.commit}
	header, err := p.ask(ctx, c, in, nil)
	switch githubStatus(err) {
	case http.StatusUnauthorized, http.StatusForbidden:
		return err
	case http.StatusNotFound:
		// Said to a classic token without the scope, and by servers that make no notes.
		if scopes := header.Values("X-OAuth-Scopes"); len(scopes) > 0 && !strings.Contains(strings.Join(scopes, " "), "repo") {
			return err
		}
	}
	// Whether notes can be made is not what was asked.
	return nil
}

// immutable is why a published release takes no more files.
func (p *githubRelease) immutable(rel *githubReleaseInfo) error {
	c := githubCall{op: "attach the files to release " + rel.Tag}
	return p.fail(c, 0, githubHintDraft, "the release is published and immutable: it takes no more files, and never will")
}

// AttestationURI implements [Place].
func (p *githubRelease) AttestationURI(c Coming) (string, error) {
	if !c.Provenance {
		return "", nil
	}
	return provenance.AttestationURI(provenance.Target{
		Kind: provenance.GitHubRelease, Server: p.server.String(), Repository: p.repo, Tag: p.tag, Name: p.names.Provenance,
	})
}

// Publish implements [Place].
func (p *githubRelease) Publish(ctx context.Context, s Sealed) (Receipt, error) {
	rel, err := p.target(ctx)
	if err != nil {
		return Receipt{}, err
	}
	resumed := rel != nil && rel.ours()
	if rel == nil {
		if rel, err = p.create(ctx); err != nil {
			return Receipt{}, err
		}
	}
	filled, err := p.fill(ctx, rel, s)
	if err != nil {
		return Receipt{}, err
	}
	out := Receipt{Place: p.place, State: Published, URL: p.browserURL(p.tag, p.names.Envelope), Notes: filled.notes}
	switch {
	case resumed, filled.found && filled.changed:
		out.State = Completed
	case !filled.changed:
		out.State = AlreadyThere
	}
	switch {
	case rel.ours():
		if err := p.show(ctx, rel); err != nil {
			return Receipt{}, err
		}
	case rel.Draft:
		out.Notes = append(out.Notes, fmt.Sprintf("release %s is a draft, and stays one: nobody sees the files before you publish it; then the manifest is at %s", rel.Tag, out.URL))
		out.URL = ""
	}
	return out, nil
}

// target finds the release of the tag, nil where there is none. A draft has no
// tag yet: it is found in the list, by those who may write (docs.github.com, List
// releases).
func (p *githubRelease) target(ctx context.Context) (*githubReleaseInfo, error) {
	rel, err := p.published(ctx)
	if rel != nil || err != nil {
		return rel, err
	}
	for page, err := range p.pages(ctx, needContents) {
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			// Two drafts may have one tag: the older one is the same on every run.
			if r.Draft && r.Tag == p.tag && (rel == nil || r.ID < rel.ID) {
				rel = &r
			}
		}
	}
	return rel, nil
}

// published is the release of the tag that everybody sees, nil where there is none.
func (p *githubRelease) published(ctx context.Context) (*githubReleaseInfo, error) {
	var rel githubReleaseInfo
	c := githubCall{op: "look for release " + p.tag, need: needReadContents, method: http.MethodGet, url: "/releases/tags/" + url.PathEscape(p.tag)}
	_, err := p.ask(ctx, c, nil, &rel)
	if githubStatus(err) == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &rel, nil
}

// pages yields all releases that the token sees, as GitHub orders them.
func (p *githubRelease) pages(ctx context.Context, need string) iter.Seq2[[]githubReleaseInfo, error] {
	return func(yield func([]githubReleaseInfo, error) bool) {
		for n := 1; n <= maxGitHubReleases/githubPage; n++ {
			page, err := p.page(ctx, n, need)
			if !yield(page, err) || err != nil || len(page) < githubPage {
				return
			}
		}
	}
}

func (p *githubRelease) page(ctx context.Context, n int, need string) ([]githubReleaseInfo, error) {
	var page []githubReleaseInfo
	c := githubCall{
		op: "list releases", need: need, method: http.MethodGet,
		url: "/releases?per_page=" + strconv.Itoa(githubPage) + "&page=" + strconv.Itoa(n),
	}
	_, err := p.ask(ctx, c, nil, &page)
	return page, err
}

// create makes a draft of ours.
func (p *githubRelease) create(ctx context.Context) (*githubReleaseInfo, error) {
	in := struct {
		Tag        string `json:"tag_name"`
		Commit     string `json:"target_commitish,omitzero"`
		Name       string `json:"name"`
		Body       string `json:"body"`
		Draft      bool   `json:"draft"`
		Prerelease bool   `json:"prerelease"`
	}{p.tag, p.commit, p.tag, githubDraftMark, true, githubPrereleaseForm.MatchString(p.tag)}
	c := githubCall{op: "create a draft of release " + p.tag, need: needContents, method: http.MethodPost, url: "/releases"}
	rel := &githubReleaseInfo{}
	err := p.settle(ctx, func() error {
		_, err := p.ask(ctx, c, in, rel)
		return err
	}, func() (bool, error) {
		found, err := p.target(ctx)
		if found != nil {
			rel = found
		}
		return found != nil, err
	})
	if err == nil && (rel.ID == 0 || rel.Tag != p.tag) {
		err = p.fail(c, 0, githubHintStatus, "GitHub answers with release %d of tag %.100q, want one of %.100q", rel.ID, rel.Tag, p.tag)
	}
	return rel, err
}

// show publishes a draft of ours: the one visible step, after all others.
func (p *githubRelease) show(ctx context.Context, rel *githubReleaseInfo) error {
	in := struct {
		Draft bool   `json:"draft"`
		Body  string `json:"body"`
	}{false, strings.TrimSpace(strings.ReplaceAll(rel.Body, githubDraftMark, ""))}
	c := githubCall{op: "publish release " + rel.Tag, need: needContents, method: http.MethodPatch, url: "/releases/" + strconv.FormatInt(rel.ID, 10)}
	after := &githubReleaseInfo{Draft: true}
	err := p.settle(ctx, func() error {
		_, err := p.ask(ctx, c, in, after)
		return err
	}, func() (bool, error) {
		found, err := p.published(ctx)
		if found != nil {
			after = found
		}
		return found != nil && found.ID == rel.ID, err
	})
	if err != nil {
		return err
	}
	if after.Draft {
		return p.fail(c, 0, githubHintStatus, "GitHub accepted it, and the release is a draft still")
	}
	return nil
}

// browserURL is where people find an asset once its release is published.
func (p *githubRelease) browserURL(tag, name string) string {
	return p.server.String() + "/" + p.repo + "/releases/download/" + url.PathEscape(tag) + "/" + url.PathEscape(name)
}

// newest orders releases, the last one first: what is not published yet is newer
// than what is.
func newest(a, b githubReleaseInfo) int {
	at := func(r githubReleaseInfo) time.Time {
		if r.Draft {
			return r.Created
		}
		return r.Published
	}
	switch {
	case a.Draft && !b.Draft:
		return -1
	case b.Draft && !a.Draft:
		return 1
	}
	return cmp.Or(at(b).Compare(at(a)), cmp.Compare(b.ID, a.ID))
}

// asset finds an asset by its name, nil where there is none.
func (r *githubReleaseInfo) asset(name string) *githubAsset {
	for i := range r.Assets {
		if r.Assets[i].Name == name {
			return &r.Assets[i]
		}
	}
	return nil
}

var errGitHubGone = errors.New("it is not there any more")
