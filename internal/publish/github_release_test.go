package publish

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/verify"
)

func TestGitHubReleaseRefusesNamesThatAreChanged(t *testing.T) {
	f := newFakeGitHub(t)
	for _, stem := range []string{".hidden", "a b", "über", "a/b", strings.Repeat("x", 250)} {
		env := f.env()
		env.Stem = stem
		if _, err := Open("github-release", env); err == nil {
			t.Errorf("stem %.20q: no error", stem)
		}
	}
}

func TestGitHubReleaseAttestationURI(t *testing.T) {
	p, err := Open("github-release:acme/file-tools@@acme/x@1.0", Env{Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	const want = "https://github.com/acme/file-tools/releases/download/%40acme%2Fx%401.0/mcp-integrity.provenance.sigstore.json"
	if got, err := p.AttestationURI(Coming{Provenance: true}); got != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if got, err := p.AttestationURI(Coming{}); got != "" || err != nil {
		t.Errorf("without provenance: got %q, %v", got, err)
	}
}

// What publishing comes to, by what stands there.
func TestGitHubReleasePublish(t *testing.T) {
	s := githubSealed(t, 1)
	other := githubSealed(t, 2)
	again := s
	again.Envelope = githubSealed(t, 1, sealtest.Key(t, keys.Ed25519, "another")).Envelope
	again.Provenance = []byte(`{"provenance":"of another attempt"}`)
	names := NamesOf(DefaultStem)
	full := githubFiles(s)
	part := func(files ...string) map[string][]byte {
		out := map[string][]byte{}
		for _, name := range files {
			out[name] = full[name]
		}
		return out
	}
	type visible struct {
		Draft bool
		Files map[string][]byte
	}
	for _, tt := range []struct {
		name    string
		before  func(*fakeGitHub)
		publish Sealed
		state   State
		want    visible
		note    string
		err     string // and nothing has changed
	}{
		{"no release", func(*fakeGitHub) {}, s, Published, visible{false, full}, "", ""},
		{"no release, and releases are immutable", func(f *fakeGitHub) { f.immutable = true }, s, Published, visible{false, full}, "", ""},
		{"a draft of others", func(f *fakeGitHub) { f.release("v1.2.4", true, nil) }, s, Published, visible{true, full}, "release v1.2.4 is a draft, and stays one", ""},
		{"a draft among many", func(f *fakeGitHub) {
			f.release("v1.2.4", true, nil)
			for i := range 70 {
				f.release(fmt.Sprintf("v2.%d.0", i), i%2 == 0, nil)
			}
		}, s, Published, visible{true, full}, "stays one", ""},
		{"a draft of ours, without files", func(f *fakeGitHub) {
			mark := githubDraftMark
			f.release("v1.2.4", true, nil).Body = &mark
		}, s, Completed, visible{false, full}, "", ""},
		{"a draft of ours, complete", func(f *fakeGitHub) {
			mark := githubDraftMark
			f.release("v1.2.4", true, full).Body = &mark
		}, s, Completed, visible{false, full}, "", ""},
		{"a published release", func(f *fakeGitHub) { f.release("v1.2.4", false, nil) }, s, Published, visible{false, full}, "", ""},
		{"one that has it", func(f *fakeGitHub) { f.release("v1.2.4", false, full) }, s, AlreadyThere, visible{false, full}, "", ""},
		{"one that has it, immutable", func(f *fakeGitHub) { f.immutable = true; f.release("v1.2.4", false, full) }, s, AlreadyThere, visible{false, full}, "", ""},
		{"one that has it, without digests", func(f *fakeGitHub) { f.noDigests = true; f.release("v1.2.4", false, full) }, s, AlreadyThere, visible{false, full}, "", ""},
		{"one that has a part", func(f *fakeGitHub) { f.release("v1.2.4", false, part(names.Provenance)) }, s, Completed, visible{false, full}, "", ""},
		{"one that lost a part", func(f *fakeGitHub) { f.release("v1.2.4", false, part(names.Provenance, names.Envelope)) }, s, Completed, visible{false, full}, "", ""},
		{"the rest of an upload", func(f *fakeGitHub) {
			a := f.attach(f.release("v1.2.4", false, part(names.Provenance)), names.Envelope, nil)
			a.State, a.Digest = "starter", nil
		}, s, Completed, visible{false, full}, "", ""},
		{"a rerun with other signatures", func(f *fakeGitHub) { f.release("v1.2.4", false, full) }, again, AlreadyThere, visible{false, full}, "stays, with the signatures that it has", ""},
		{"a rerun of what is immutable", func(f *fakeGitHub) { f.immutable = true; f.release("v1.2.4", false, full) }, again, AlreadyThere, visible{false, full}, "stays", ""},
		{"a rerun after one that did not get to its envelope", func(f *fakeGitHub) { f.release("v1.2.4", true, part(names.Provenance, names.Snapshot)) }, again, Completed, visible{true, githubFiles(again)}, "stays one", ""},

		{"another release under the tag", func(f *fakeGitHub) { f.release("v1.2.4", false, githubFiles(other)) }, s, "", visible{false, githubFiles(other)}, "", `the release has another "mcp-integrity.json"`},
		{"another release under a tag that stays", func(f *fakeGitHub) { f.immutable = true; f.release("v1.2.4", false, githubFiles(other)) }, s, "", visible{false, githubFiles(other)}, "", `the release has another "mcp-integrity.json"`},
		{"another release in the draft", func(f *fakeGitHub) { f.release("v1.2.4", true, githubFiles(other)) }, s, "", visible{true, githubFiles(other)}, "", `the release has another "mcp-integrity.json"`},
		{"no manifest under its name", func(f *fakeGitHub) { f.release("v1.2.4", false, map[string][]byte{names.Envelope: []byte("{}")}) }, s, "", visible{false, map[string][]byte{names.Envelope: []byte("{}")}}, "", `the release has another "mcp-integrity.json"`},
		{"a snapshot of others in a release that everybody sees", func(f *fakeGitHub) {
			f.release("v1.2.4", false, map[string][]byte{names.Snapshot: []byte("{}")})
		}, s, "", visible{false, map[string][]byte{names.Snapshot: []byte("{}")}}, "", `the release has another "mcp-integrity.interface.json"`},
		{"an immutable release without files", func(f *fakeGitHub) { f.immutable = true; f.release("v1.2.4", false, nil) }, s, "", visible{}, "", "published and immutable"},
		{"an immutable release with a part", func(f *fakeGitHub) { f.immutable = true; f.release("v1.2.4", false, part(names.Provenance)) }, s, "", visible{false, part(names.Provenance)}, "", "published and immutable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeGitHub(t)
			f.release("v1.2.3", false, githubFiles(other))
			tt.before(f)
			before := f.state()
			receipt, err := f.open("github-release", f.env()).Publish(t.Context(), tt.publish)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || githubHintOf(err) == "" {
					t.Errorf("got error %v with hint %q, want %q", err, githubHintOf(err), tt.err)
				}
				if strings.Contains(tt.err, "another") != errors.Is(err, ErrConflict) {
					t.Errorf("got %v, and a conflict: %v", err, errors.Is(err, ErrConflict))
				}
				if diff := cmp.Diff(before, f.state()); diff != "" {
					t.Errorf("the release changed (-before +after):\n%s", diff)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v (hint: %s)", err, githubHintOf(err))
			}
			want := f.srv.URL + "/acme/file-tools/releases/download/v1.2.4/mcp-integrity.json"
			if tt.want.Draft {
				want = "" // nobody can fetch it yet
			}
			if receipt.State != tt.state || receipt.URL != want {
				t.Errorf("got %q at %s, want %q at %s", receipt.State, receipt.URL, tt.state, want)
			}
			if notes := strings.Join(receipt.Notes, "\n"); !strings.Contains(notes, tt.note) || tt.note == "" && notes != "" {
				t.Errorf("got notes %q, want %q", notes, tt.note)
			}
			got := visible{Files: map[string][]byte{}}
			for _, r := range f.releases {
				if r.Tag != "v1.2.4" {
					continue
				}
				got.Draft = r.Draft
				if !r.Draft && r.Body != nil && *r.Body != "" {
					t.Errorf("published with notes %q", *r.Body)
				}
				for _, a := range r.Assets {
					if a.State != "uploaded" {
						t.Errorf("%s is %q", a.Name, a.State)
					}
					got.Files[a.Name] = a.data
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("what stands there (-want +got):\n%s", diff)
			}
			// And once more, it changes nothing.
			after := f.changes
			receipt, err = f.open("github-release", f.env()).Publish(t.Context(), tt.publish)
			if err != nil || receipt.State != AlreadyThere || f.changes != after {
				t.Errorf("again: got %q, %v, and %d changes", receipt.State, err, f.changes-after)
			}
		})
	}
}

func githubHintOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}

// Of two drafts of one tag, every run takes the same.
func TestGitHubReleaseOfTwoDrafts(t *testing.T) {
	f := newFakeGitHub(t)
	older := f.release("v1.2.4", true, nil)
	f.release("v1.2.4", true, nil)
	s := githubSealed(t, 1)
	for range 2 {
		if _, err := f.open("github-release", f.env()).Publish(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if len(older.Assets) != 3 {
			t.Errorf("the older one has %d files, want 3", len(older.Assets))
		}
		slices.Reverse(f.releases)
	}
	if n := len(f.releases[0].Assets) + len(f.releases[1].Assets); n != 3 {
		t.Errorf("got %d files in both, want 3", n)
	}
}

// The release becomes visible when all its files are there, and the envelope goes
// up after what lies beside it.
func TestGitHubReleaseOrder(t *testing.T) {
	f := newFakeGitHub(t)
	if _, err := f.open("github-release", f.env()).Publish(t.Context(), githubSealed(t, 1)); err != nil {
		t.Fatal(err)
	}
	var steps []string
	for _, a := range f.asked {
		if !strings.HasPrefix(a, "GET") {
			steps = append(steps, a)
		}
	}
	want := []string{"POST /repos/acme/file-tools/releases", "POST /uploads/101/assets", "POST /uploads/101/assets", "POST /uploads/101/assets", "PATCH /repos/acme/file-tools/releases/101"}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	var names []string
	for _, a := range f.releases[0].Assets {
		names = append(names, a.Name)
	}
	if diff := cmp.Diff([]string{"mcp-integrity.provenance.sigstore.json", "mcp-integrity.interface.json", "mcp-integrity.json"}, names); diff != "" {
		t.Errorf("uploads (-want +got):\n%s", diff)
	}
	if r := f.releases[0]; r.Commit != strings.Repeat("a1", 20) || r.Prerelease {
		t.Errorf("got commit %q, prerelease %v", r.Commit, r.Prerelease)
	}
}

func TestGitHubReleaseOfPreview(t *testing.T) {
	for tag, pre := range map[string]bool{"v1.2.4-rc.1": true, "tools@2.0.0-0": true, "v1.2.4": false, "v1.2.4+b-1": false, "release-1.0": false, "my-tools-1.2.4": false} {
		f := newFakeGitHub(t)
		if _, err := f.open("github-release:other/name@"+tag, f.env("GITHUB_REPOSITORY", "x/y")).Publish(t.Context(), githubSealed(t, 1)); err == nil {
			t.Fatal("published into a repository that does not exist")
		}
		if _, err := f.open("github-release:"+githubTestRepo+"@"+tag, f.env("GITHUB_REPOSITORY", "x/y")).Publish(t.Context(), githubSealed(t, 1)); err != nil {
			t.Fatal(err)
		}
		if r := f.releases[0]; r.Prerelease != pre || r.Commit != "" {
			t.Errorf("%s: got prerelease %v of commit %q, want %v of none", tag, r.Prerelease, r.Commit, pre)
		}
	}
}

func TestGitHubReleaseCheck(t *testing.T) {
	for _, tt := range []struct {
		name      string
		before    func(*fakeGitHub)
		env       []string
		err, hint string
	}{
		{"all is well", func(*fakeGitHub) {}, nil, "", ""},
		{"a draft", func(f *fakeGitHub) { f.release("v1.2.4", true, nil) }, nil, "", ""},
		{"a release that takes files", func(f *fakeGitHub) { f.release("v1.2.4", false, nil) }, nil, "", ""},
		{"an immutable one that has it", func(f *fakeGitHub) { f.immutable = true; f.release("v1.2.4", false, githubFiles(githubSealed(t, 1))) }, nil, "", ""},
		{"an immutable one", func(f *fakeGitHub) { f.immutable = true; f.release("v1.2.4", false, nil) }, nil, "immutable", "make the release a draft"},
		{"no token", func(*fakeGitHub) {}, []string{"GITHUB_TOKEN", ""}, "there is no token", "GITHUB_TOKEN"},
		{"a bad token", func(*fakeGitHub) {}, []string{"GITHUB_TOKEN", "expired"}, "HTTP 401", "the token is not valid"},
		{"a token that may read", func(f *fakeGitHub) { f.readOnly = true }, nil, "HTTP 403", "permissions: contents: write"},
		{"an archived repository", func(f *fakeGitHub) { f.archived = true }, nil, "archived", "unarchive"},
		{"another repository", func(*fakeGitHub) {}, []string{"GITHUB_REPOSITORY", "acme/typo"}, "HTTP 404", "is acme/typo the repository's name"},
	} {
		f := newFakeGitHub(t)
		tt.before(f)
		before := f.state()
		err := f.open("github-release", f.env(tt.env...)).Check(t.Context())
		if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) || !strings.Contains(githubHintOf(err), tt.hint) {
			t.Errorf("%s: got %v with hint %q, want %q with %q", tt.name, err, githubHintOf(err), tt.err, tt.hint)
		}
		if err != nil && !errors.Is(err, verify.ErrUnavailable) {
			t.Errorf("%s: %v is not ErrUnavailable", tt.name, err)
		}
		if diff := cmp.Diff(before, f.state()); diff != "" || f.changes != 0 {
			t.Errorf("%s: Check changed something (-before +after):\n%s", tt.name, diff)
		}
	}
}

// A classic token without the scope is told that nothing is there.
func TestGitHubReleaseCheckScopes(t *testing.T) {
	for scopes, ok := range map[string]bool{"repo": true, "public_repo, gist": true, "gist": false} {
		f := newFakeGitHub(t)
		handler := f.srv.Config.Handler
		f.srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/generate-notes") {
				w.Header().Set("X-OAuth-Scopes", scopes)
				f.say(w, http.StatusNotFound, "Not Found")
				return
			}
			handler.ServeHTTP(w, r)
		})
		if err := f.open("github-release", f.env()).Check(t.Context()); (err == nil) != ok {
			t.Errorf("scopes %q: got %v", scopes, err)
		}
	}
}

// What GitHub says that it got is what was sent.
func TestGitHubReleaseArrives(t *testing.T) {
	for name, change := range map[string]func(*fakeGitHubAsset){
		`GitHub named it "renamed.json"`: func(a *fakeGitHubAsset) { a.Name = "renamed.json" },
		"has another":                    func(a *fakeGitHubAsset) { d := string(digest.FromString("x")); a.Digest = &d },
	} {
		f := newFakeGitHub(t)
		handler := f.srv.Config.Handler
		f.srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/uploads/") {
				handler.ServeHTTP(w, r)
				return
			}
			handler.ServeHTTP(httptest.NewRecorder(), r)
			assets := f.releases[0].Assets
			change(assets[len(assets)-1])
			f.send(w, http.StatusCreated, assets[len(assets)-1])
		})
		_, err := f.open("github-release", f.env()).Publish(t.Context(), githubSealed(t, 1))
		if err == nil || !strings.Contains(err.Error(), name) || !f.releases[0].Draft {
			t.Errorf("got %v, want %q, and a draft", err, name)
		}
	}
}

// A release that wants its files elsewhere gets no token there.
func TestGitHubReleaseUploadsAtHome(t *testing.T) {
	for _, elsewhere := range []string{"https://evil.example/uploads{?name}", "http://127.0.0.1:1/x", "", "://", "https://user@evil.example/"} {
		f := newFakeGitHub(t)
		f.release("v1.2.4", false, nil).Uploads = elsewhere
		_, err := f.open("github-release", f.env()).Publish(t.Context(), githubSealed(t, 1))
		if err == nil || !strings.Contains(err.Error(), "the token goes to") || f.changes != 0 {
			t.Errorf("%q: got %v and %d changes", elsewhere, err, f.changes)
		}
	}
}
