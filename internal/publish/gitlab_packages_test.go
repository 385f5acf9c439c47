package publish

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/verify"
)

// TestGitLabHiddenUntilWhole: nobody sees a package that lacks its envelope.
func TestGitLabHiddenUntilWhole(t *testing.T) {
	r := gitlabSealed(t, 4, sealtest.Key(t, keys.Ed25519, "k"))
	f := newFakeGitLab(t)
	f.fault = func(step int, _ *http.Request) gitlabFault {
		for _, p := range f.packages {
			if p.status != "hidden" {
				t.Errorf("before change %d: package %s is %s", step, p.version, p.status)
			}
		}
		return gitlabNoFault
	}
	p := f.open(t, "gitlab-packages", f.env())
	if _, err := p.Publish(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	names := NamesOf(DefaultStem)
	root := "PUT /api/v4/projects/acme%2Ftools%2Ffiles/packages/generic/mcp-integrity/1.2.4/"
	want := []string{root + names.Snapshot + "?status=hidden", root + names.Provenance + "?status=hidden", root + names.Envelope + "?status=default"}
	if diff := cmp.Diff(want, f.steps); diff != "" {
		t.Errorf("changes: %s", diff)
	}
}

// TestGitLabCompletes: what stands there by halves is completed, however it came
// to be so.
func TestGitLabCompletes(t *testing.T) {
	r := gitlabSealed(t, 4, sealtest.Key(t, keys.Ed25519, "k"))
	names := NamesOf(DefaultStem)
	file := func(name string, data []byte) fakeGitLabFile { return fakeGitLabFile{name: name, data: data} }
	snapshot, bundle, envelope := file(names.Snapshot, r.Snapshot), file(names.Provenance, r.Provenance), file(names.Envelope, r.Envelope)
	stale := file(names.Snapshot, []byte("of an earlier run"))
	for _, tt := range []struct {
		name, status string
		files        []fakeGitLabFile
		strict       bool
		state        State
		changes      int
		want         string // of the error
	}{
		{name: "hidden, nothing", status: "hidden", state: Completed, changes: 3},
		{name: "hidden, begun", status: "hidden", files: []fakeGitLabFile{snapshot}, state: Completed, changes: 2},
		{name: "hidden, begun, strict", status: "hidden", files: []fakeGitLabFile{snapshot}, strict: true, state: Completed, changes: 2},
		{name: "hidden, all but the envelope", status: "hidden", files: []fakeGitLabFile{snapshot, bundle}, state: Completed, changes: 1},
		{name: "hidden, stale", status: "hidden", files: []fakeGitLabFile{stale, bundle}, state: Completed, changes: 2},
		{name: "hidden, stale, strict", status: "hidden", files: []fakeGitLabFile{stale, bundle}, strict: true, want: "Duplicate packages"},
		{name: "hidden, stale, then right", status: "hidden", files: []fakeGitLabFile{stale, snapshot, bundle}, state: Completed, changes: 1},
		{name: "hidden, whole", status: "hidden", files: []fakeGitLabFile{snapshot, bundle, envelope}, state: Completed, changes: 1},
		{name: "visible, begun", status: "default", files: []fakeGitLabFile{snapshot}, state: Completed, changes: 2},
		{name: "visible, without provenance", status: "default", files: []fakeGitLabFile{snapshot, envelope}, state: Completed, changes: 1},
		{name: "visible, whole", status: "default", files: []fakeGitLabFile{snapshot, bundle, envelope}, state: AlreadyThere},
		{name: "visible, twice", status: "default", files: []fakeGitLabFile{snapshot, snapshot, bundle, envelope, envelope}, state: AlreadyThere},
		{name: "visible, whole, strict", status: "default", files: []fakeGitLabFile{snapshot, bundle, envelope}, strict: true, state: AlreadyThere},
		{name: "deprecated, whole", status: "deprecated", files: []fakeGitLabFile{snapshot, bundle, envelope}, state: AlreadyThere},
		// What an envelope was committed with is not exchanged.
		{name: "visible, other snapshot", status: "default", files: []fakeGitLabFile{stale, bundle, envelope}, state: AlreadyThere},
		{name: "broken", status: "error", files: []fakeGitLabFile{snapshot}, want: "delete it"},
		{name: "no envelope in it", status: "default", files: []fakeGitLabFile{file(names.Envelope, []byte("{}"))}, want: "no envelope"},
	} {
		for _, old := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, old), func(t *testing.T) {
				f := newFakeGitLab(t)
				f.noDuplicates, f.oldAPI = tt.strict, old
				f.packages = []*fakeGitLabPackage{
					{id: 1, name: DefaultStem, version: "1.2.3", status: "default"},
					{id: 2, name: DefaultStem, version: "1.2.4", status: tt.status, files: tt.files},
					{id: 3, name: DefaultStem + "-other", version: "1.2.4", status: "default", files: []fakeGitLabFile{file(names.Envelope, []byte("{}"))}},
				}
				f.next = 3
				for i := range tt.files {
					f.next++
					tt.files[i].id = f.next
				}
				p := f.open(t, "gitlab-packages", f.env())
				receipt, err := p.Publish(t.Context(), r)
				if tt.want != "" {
					gitlabHinted(t, err, tt.want)
					return
				}
				if err != nil || receipt.State != tt.state || len(f.steps) != tt.changes {
					t.Fatalf("got %+v, %v, %d changes, want %s, %d", receipt, err, len(f.steps), tt.state, tt.changes)
				}
				if latest, err := p.Latest(t.Context()); err != nil || string(latest.Envelope) != string(r.Envelope) || string(latest.Provenance) != string(r.Provenance) {
					t.Errorf("Latest: got %+v, %v", latest, err)
				}
			})
		}
	}
}

// TestGitLabOtherBytes: what is compared is what GitLab lists.
func TestGitLabOtherBytes(t *testing.T) {
	a, b := sealtest.Key(t, keys.Ed25519, "a"), sealtest.Key(t, keys.Ed25519, "b")
	f := newFakeGitLab(t)
	p := f.open(t, "gitlab-packages", f.env())
	if _, err := p.Publish(t.Context(), gitlabSealed(t, 4, a)); err != nil {
		t.Fatal(err)
	}
	again := gitlabSealed(t, 4, b)
	f.answer = func(r *http.Request) http.HandlerFunc {
		if strings.HasSuffix(r.URL.Path, "/"+NamesOf(DefaultStem).Envelope) {
			return gitlabReply("", 200, nil, string(again.Envelope)+"\n")(r)
		}
		return nil
	}
	_, err := p.Publish(t.Context(), again)
	gitlabHinted(t, err, "SHA-256")
	if !errors.Is(err, verify.ErrUnavailable) || errors.Is(err, ErrConflict) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

// TestGitLabBrokenPackage: one that GitLab shows and does not serve is passed over.
func TestGitLabBrokenPackage(t *testing.T) {
	key := sealtest.Key(t, keys.Ed25519, "k")
	r := gitlabSealed(t, 4, key)
	f := newFakeGitLab(t)
	p := f.open(t, "gitlab-packages", f.env())
	if _, err := p.Publish(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	broken := gitlabSealed(t, 5, key)
	f.packages = append(f.packages, &fakeGitLabPackage{id: 99, name: DefaultStem, version: "1.2.5", status: "error", files: []fakeGitLabFile{{id: 100, name: NamesOf(DefaultStem).Envelope, data: broken.Envelope}}})
	if latest, err := p.Latest(t.Context()); err != nil || string(latest.Envelope) != string(r.Envelope) {
		t.Errorf("Latest: got %s, %v, want version 1.2.4", latest.Ref, err)
	}
}

// TestGitLabTwoJobs: two jobs that publish one version at once find nothing, both.
func TestGitLabTwoJobs(t *testing.T) {
	key := sealtest.Key(t, keys.Ed25519, "k")
	ours, theirs := gitlabSealed(t, 4, key), gitlabSealed(t, 5, key)
	names := NamesOf(DefaultStem)
	for _, step := range []int{0, 1, 2} {
		f := newFakeGitLab(t)
		f.fault = func(n int, _ *http.Request) gitlabFault {
			if n == step {
				f.file(mustGitLabPut(t, f), DefaultStem, "1.2.4", names.Envelope, theirs.Envelope)
			}
			return gitlabNoFault
		}
		_, err := f.open(t, "gitlab-packages", f.env()).Publish(t.Context(), ours)
		if !errors.Is(err, ErrConflict) {
			t.Errorf("another job before change %d: got %v, want ErrConflict", step, err)
		}
		gitlabHinted(t, err, "at the same time")
	}
	// The other job may have the same release.
	f := newFakeGitLab(t)
	f.fault = func(n int, _ *http.Request) gitlabFault {
		if n == 2 {
			f.file(mustGitLabPut(t, f), DefaultStem, "1.2.4", names.Envelope, ours.Envelope)
		}
		return gitlabNoFault
	}
	if _, err := f.open(t, "gitlab-packages", f.env()).Publish(t.Context(), ours); err != nil {
		t.Errorf("the same release by another job: got %v", err)
	}
}

func mustGitLabPut(t *testing.T, f *fakeGitLab) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPut, f.URL+"?status=default", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestGitLabReleaseLinks: links that stand on a release are ours, or in the way.
func TestGitLabReleaseLinks(t *testing.T) {
	r := gitlabSealed(t, 4, sealtest.Key(t, keys.Ed25519, "k"))
	whole := newFakeGitLab(t)
	if _, err := whole.open(t, "gitlab-release", whole.env()).Publish(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	own := whole.releases[0].Assets.Links
	if len(own) != 3 || own[2].Name != NamesOf(DefaultStem).Envelope {
		t.Fatalf("got links %+v, want three, the envelope's last", own)
	}
	for _, tt := range []struct {
		name  string
		links []gitlabLink
		state State
		want  string
	}{
		{"none", nil, Published, ""},
		{"others'", []gitlabLink{{Name: "notes", URL: "https://acme.example"}}, Published, ""},
		{"one", own[:1], Completed, ""},
		{"all", own, Completed, ""}, // the package was lost
		{"no permanent link told", []gitlabLink{{Name: own[0].Name, URL: own[0].URL}}, Completed, ""},
		{"elsewhere", []gitlabLink{{Name: own[2].Name, URL: "https://acme.example/x?secret"}}, "", "https://acme.example/x"},
		{"without a permanent link", []gitlabLink{{Name: own[1].Name, URL: own[1].URL, Direct: own[1].URL}}, "", "permanent link"},
		{"by another name", []gitlabLink{{Name: "manifest", URL: own[2].URL}}, "", "has already been taken"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeGitLab(t)
			e := &fakeGitLabRelease{Tag: "v1.2.4"}
			for _, l := range tt.links {
				l.URL, l.Direct = strings.Replace(l.URL, whole.URL, f.URL, 1), strings.Replace(l.Direct, whole.URL, f.URL, 1)
				e.Assets.Links = append(e.Assets.Links, l)
			}
			f.releases = []*fakeGitLabRelease{e}
			receipt, err := f.open(t, "gitlab-release", f.env()).Publish(t.Context(), r)
			if tt.want != "" {
				gitlabHinted(t, err, tt.want)
				if tt.name != "by another name" && (!errors.Is(err, ErrConflict) || len(f.steps) > 0) {
					t.Errorf("got %v after %d changes, want ErrConflict before any", err, len(f.steps))
				}
				return
			}
			if err != nil || receipt.State != tt.state || len(e.Assets.Links) < 3 {
				t.Errorf("got %+v, %v, want %s", receipt, err, tt.state)
			}
		})
	}
}

// TestGitLabMadeMeanwhile: a release that another job makes between our look and
// our request gets our links all the same.
func TestGitLabMadeMeanwhile(t *testing.T) {
	r := gitlabSealed(t, 4, sealtest.Key(t, keys.Ed25519, "k"))
	f := newFakeGitLab(t)
	f.fault = func(_ int, r *http.Request) gitlabFault {
		if r.Method == http.MethodPost && len(f.releases) == 0 {
			f.releases = append(f.releases, &fakeGitLabRelease{Tag: "v1.2.4", Upcoming: true})
		}
		return gitlabNoFault
	}
	p := f.open(t, "gitlab-release", f.env())
	if _, err := p.Publish(t.Context(), r); err != nil || len(f.releases[0].Assets.Links) != 3 {
		t.Fatalf("got %v, %+v", err, f.releases[0])
	}
	receipt, err := p.Publish(t.Context(), r)
	if err != nil || !slices.ContainsFunc(receipt.Notes, func(n string) bool { return strings.Contains(n, "upcoming") }) {
		t.Errorf("an upcoming release: got %+v, %v, want a note", receipt, err)
	}
}

// TestGitLabLinkedMeanwhile: a link that another job adds first is ours, where it
// is the same.
func TestGitLabLinkedMeanwhile(t *testing.T) {
	r := gitlabSealed(t, 4, sealtest.Key(t, keys.Ed25519, "k"))
	for _, same := range []bool{true, false} {
		f := newFakeGitLab(t)
		f.releases = []*fakeGitLabRelease{{Tag: "v1.2.4"}}
		p := f.open(t, "gitlab-release", f.env()).(*gitlabRelease)
		theirs := p.links(r)[0]
		if !same {
			theirs.URL += "x"
		}
		f.fault = func(_ int, r *http.Request) gitlabFault {
			if r.Method == http.MethodPost && len(f.releases[0].Assets.Links) == 0 {
				f.addLink(f.releases[0], theirs)
			}
			return gitlabNoFault
		}
		_, err := p.Publish(t.Context(), r)
		if same && err != nil || !same && !errors.Is(err, ErrConflict) {
			t.Errorf("the same link: %v: got %v", same, err)
		}
	}
}

// TestGitLabNotPublic: what only members can fetch is not shown as a URL for all.
func TestGitLabNotPublic(t *testing.T) {
	r := gitlabSealed(t, 4, sealtest.Key(t, keys.Ed25519, "k"))
	for _, target := range gitlabTargets {
		f := newFakeGitLab(t)
		f.private = true
		p := f.open(t, target, f.env())
		receipt, err := p.Publish(t.Context(), r)
		if err != nil || receipt.URL != "" || !strings.Contains(strings.Join(receipt.Notes, " "), "only those who may see the project") {
			t.Errorf("%s: got %+v, %v, want no URL and a note", target, receipt, err)
		}
		// With the token it is found.
		if _, err := p.Find(t.Context(), r.Payload); err != nil {
			t.Errorf("%s: Find: %v", target, err)
		}
		env := f.env("CI_JOB_TOKEN", "")
		env.ReadOnly = true
		sources := []string{target}
		if target == "gitlab-release" {
			sources = append(sources, target+"@v1.2.4")
		}
		for _, source := range sources {
			if _, err := f.open(t, source, env).Latest(t.Context()); !errors.Is(err, verify.ErrUnavailable) || errors.Is(err, verify.ErrNoRelease) {
				t.Errorf("%s: Latest without a token: got %v, want ErrUnavailable", source, err)
			}
		}
	}
}

// TestGitLabTaggedSource: a source that names a tag is that release and no other.
func TestGitLabTaggedSource(t *testing.T) {
	key := sealtest.Key(t, keys.Ed25519, "k")
	f := newFakeGitLab(t)
	var releases []Sealed
	for n := range 3 {
		tag := fmt.Sprintf("v1.2.%d", n)
		f.tags[tag] = false
		releases = append(releases, gitlabSealed(t, n, key))
		if _, err := f.open(t, "gitlab-release@"+tag, f.env()).Publish(t.Context(), releases[n]); err != nil {
			t.Fatal(err)
		}
	}
	env := f.env()
	env.ReadOnly = true
	for n := range releases {
		got, err := f.open(t, fmt.Sprintf("gitlab-release@v1.2.%d", n), env).Latest(t.Context())
		if err != nil || string(got.Envelope) != string(releases[n].Envelope) {
			t.Errorf("v1.2.%d: got %s, %v", n, got.Ref, err)
		}
	}
	if _, err := f.open(t, "gitlab-release@v9", env).Latest(t.Context()); !errors.Is(err, verify.ErrNoRelease) {
		t.Errorf("v9: got %v, want ErrNoRelease", err)
	}
	// A place to publish to has the newest, whatever tag comes next.
	got, err := f.open(t, "gitlab-release@v9", f.env()).Latest(t.Context())
	if err != nil || string(got.Envelope) != string(releases[2].Envelope) {
		t.Errorf("the newest: got %s, %v", got.Ref, err)
	}
}
