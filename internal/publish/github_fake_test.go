package publish

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
)

const (
	githubTestToken = "ghs_0123456789secret"
	githubTestRepo  = "acme/file-tools"
)

// fakeGitHub is a repository at GitHub, as docs.github.com has it: releases,
// drafts, assets, immutability, attestations, a host for downloads.
type fakeGitHub struct {
	t        testing.TB
	srv, cdn *httptest.Server

	mu           sync.Mutex
	releases     []*fakeGitHubRelease
	attestations []json.RawMessage
	ids          int64
	// asked are the requests that came, changes those that change something.
	asked   []string
	changes int
	// fault answers a request in GitHub's place, or changes how it answers.
	fault func(r *http.Request, change int) githubFault

	readOnly, private, archived, immutable, noDigests bool
	// closed is what the attestation store says to everybody.
	closed string
}

// githubFault is what goes wrong with a request.
type githubFault int

const (
	githubFine          githubFault = iota
	githubLostBefore                // HTTP 500, nothing done
	githubLostAfter                 // HTTP 502, done all the same
	githubCutBefore                 // the connection breaks, nothing done
	githubCutAfter                  // it breaks in the middle of the answer
	githubPageAfter                 // done, and a proxy answers with its own page
	githubLeavesStarter             // an upload leaves a "starter"
)

type fakeGitHubRelease struct {
	ID         int64              `json:"id"`
	Tag        string             `json:"tag_name"`
	Commit     string             `json:"target_commitish"`
	Name       string             `json:"name"`
	Body       *string            `json:"body"`
	Draft      bool               `json:"draft"`
	Prerelease bool               `json:"prerelease"`
	Immutable  bool               `json:"immutable"`
	Created    time.Time          `json:"created_at"`
	Published  *time.Time         `json:"published_at"`
	Uploads    string             `json:"upload_url"`
	Assets     []*fakeGitHubAsset `json:"assets"`
}

type fakeGitHubAsset struct {
	ID     int64   `json:"id"`
	Name   string  `json:"name"`
	State  string  `json:"state"`
	Size   int     `json:"size"`
	Digest *string `json:"digest"`
	Type   string  `json:"content_type"`
	data   []byte
}

func newFakeGitHub(t testing.TB) *fakeGitHub {
	f := &fakeGitHub{t: t, ids: 100}
	f.srv = httptest.NewServer(f)
	f.cdn = httptest.NewServer(http.HandlerFunc(f.serveFile))
	t.Cleanup(f.srv.Close)
	t.Cleanup(f.cdn.Close)
	return f
}

// env is a job's that runs for a tag, with the names and values over it.
func (f *fakeGitHub) env(over ...string) Env {
	vars := map[string]string{
		"GITHUB_SERVER_URL": f.srv.URL, "GITHUB_API_URL": f.srv.URL, "GITHUB_REPOSITORY": githubTestRepo, "GITHUB_TOKEN": githubTestToken,
		"GITHUB_REF": "refs/tags/v1.2.4", "GITHUB_REF_TYPE": "tag", "GITHUB_SHA": strings.Repeat("a1", 20),
	}
	for i := 0; i < len(over); i += 2 {
		vars[over[i]] = over[i+1]
	}
	return Env{Getenv: func(name string) string { return vars[name] }, Stem: DefaultStem, Now: func() time.Time { return sealtest.Time }}
}

// open makes a place that waits for nothing.
func (f *fakeGitHub) open(target string, env Env) Place {
	f.t.Helper()
	p, err := Open(target, env)
	if err != nil {
		f.t.Fatal(err)
	}
	switch p := p.(type) {
	case *githubRelease:
		skipWaits(f.t, p.client)
	case *githubAttestations:
		skipWaits(f.t, p.client)
	}
	return p
}

// release puts one there, as somebody else made it.
func (f *fakeGitHub) release(tag string, draft bool, files map[string][]byte) *fakeGitHubRelease {
	r := f.add(tag, draft)
	for name, data := range files {
		f.attach(r, name, data)
	}
	return r
}

func (f *fakeGitHub) add(tag string, draft bool) *fakeGitHubRelease {
	f.ids++
	at := sealtest.Time.Add(time.Duration(f.ids) * time.Minute)
	r := &fakeGitHubRelease{ID: f.ids, Tag: tag, Draft: draft, Created: at, Assets: []*fakeGitHubAsset{}}
	r.Uploads = fmt.Sprintf("%s/uploads/%d/assets{?name,label}", f.srv.URL, r.ID)
	if !draft {
		r.Published, r.Immutable = &at, f.immutable
	}
	f.releases = append([]*fakeGitHubRelease{r}, f.releases...)
	return r
}

func (f *fakeGitHub) attach(r *fakeGitHubRelease, name string, data []byte) *fakeGitHubAsset {
	f.ids++
	a := &fakeGitHubAsset{ID: f.ids, Name: name, State: "uploaded", Size: len(data), data: data}
	if !f.noDigests {
		d := string(digest.FromBytes(data))
		a.Digest = &d
	}
	r.Assets = append(r.Assets, a)
	return a
}

// state is what somebody sees who looks at the releases, and the statements.
func (f *fakeGitHub) state() map[string]any {
	out := map[string]any{}
	for _, r := range f.releases {
		files := map[string]string{}
		for _, a := range r.Assets {
			files[a.Name] = a.State + " " + a.Type + " " + string(a.data)
		}
		body := ""
		if r.Body != nil {
			body = *r.Body
		}
		key := r.Tag
		for out[key] != nil {
			key += "'"
		}
		out[key] = map[string]any{"draft": r.Draft, "immutable": r.Immutable, "prerelease": r.Prerelease, "body": body, "files": files, "commit": r.Commit, "name": r.Name}
	}
	var statements []string
	for _, a := range f.attestations {
		payload, err := seal.StatementPayload(a)
		if err != nil {
			f.t.Error(err)
		}
		statements = append(statements, string(payload))
	}
	slices.Sort(statements)
	out["statements"] = statements
	return out
}

// ServeHTTP implements [http.Handler].
func (f *fakeGitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r.Method+" "+r.URL.Path)
	change := 0
	if r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/generate-notes") {
		f.changes++
		change = f.changes
	}
	fault := githubFine
	if f.fault != nil {
		fault = f.fault(r, change)
	}
	switch fault {
	case githubLostBefore:
		f.say(w, http.StatusInternalServerError, "Server Error")
	case githubCutBefore:
		panic(http.ErrAbortHandler)
	case githubLostAfter, githubCutAfter, githubPageAfter:
		f.serve(httptest.NewRecorder(), r)
		githubAnswerFault(w, fault)
	case githubLeavesStarter:
		rec := httptest.NewRecorder()
		if f.serve(rec, r); strings.HasPrefix(r.URL.Path, "/uploads/") && rec.Code == http.StatusCreated {
			rel := f.byID(strings.Split(r.URL.Path, "/")[2])
			a := rel.Assets[len(rel.Assets)-1]
			a.State, a.Size, a.data, a.Digest = "starter", 0, nil, nil
		}
		f.say(w, http.StatusBadGateway, "Bad Gateway")
	default:
		f.serve(w, r)
	}
}

func githubAnswerFault(w http.ResponseWriter, fault githubFault) {
	switch fault {
	case githubLostAfter:
		w.WriteHeader(http.StatusBadGateway)
	case githubCutAfter:
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"id":`)
		panic(http.ErrAbortHandler)
	case githubPageAfter:
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, "<!DOCTYPE html><title>Sign in</title>")
	}
}

func (f *fakeGitHub) serve(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("User-Agent") != "mcp-integrity" {
		f.say(w, http.StatusForbidden, "Request forbidden by administrative rules.")
		return
	}
	auth := r.Header.Get("Authorization")
	path, inAPI := strings.CutPrefix(r.URL.Path, "/repos/"+githubTestRepo)
	switch {
	case strings.HasPrefix(r.URL.Path, "/"+githubTestRepo+"/releases/download/"):
		f.serveBrowser(w, r)
	case !inAPI && !strings.HasPrefix(r.URL.Path, "/uploads/"):
		f.say(w, http.StatusNotFound, "Not Found")
	case auth != "" && auth != "Bearer "+githubTestToken:
		f.say(w, http.StatusUnauthorized, "Bad credentials")
	case auth == "" && (f.private || r.Method != http.MethodGet):
		f.say(w, http.StatusNotFound, "Not Found")
	case f.readOnly && r.Method != http.MethodGet:
		w.Header().Set("X-Accepted-GitHub-Permissions", "contents=write")
		f.say(w, http.StatusForbidden, "Resource not accessible by integration")
	case !inAPI:
		f.serveUpload(w, r)
	case strings.HasPrefix(path, "/attestations"):
		f.serveAttestations(w, r, strings.TrimPrefix(path, "/attestations"))
	default:
		f.serveReleases(w, r, path)
	}
}

var githubTestPaths = regexp.MustCompile(`^/releases(?:/(?:(tags)/(.+)|assets/(\d+)|(generate-notes)|(\d+)(/assets)?))?$`)

func (f *fakeGitHub) serveReleases(w http.ResponseWriter, r *http.Request, path string) {
	m := githubTestPaths.FindStringSubmatch(path)
	switch {
	case path == "":
		// What a job's token is told of permissions is nobody's.
		f.send(w, http.StatusOK, map[string]any{"private": f.private, "archived": f.archived, "permissions": map[string]bool{"push": false}})
	case m == nil:
		f.say(w, http.StatusNotFound, "Not Found")
	case m[4] != "":
		f.send(w, http.StatusOK, map[string]string{"name": "v", "body": "notes"})
	case m[1] != "":
		for _, rel := range f.releases {
			if rel.Tag == m[2] && !rel.Draft {
				f.send(w, http.StatusOK, rel)
				return
			}
		}
		f.say(w, http.StatusNotFound, "Not Found")
	case m[3] != "":
		f.serveAsset(w, r, m[3])
	case m[5] != "" && m[6] != "":
		f.send(w, http.StatusOK, githubPaged(r, f.byID(m[5]).Assets))
	case m[5] != "":
		f.edit(w, r, f.byID(m[5]))
	case r.Method == http.MethodPost:
		f.create(w, r)
	default:
		sees := slices.DeleteFunc(slices.Clone(f.releases), func(rel *fakeGitHubRelease) bool {
			return rel.Draft && (f.readOnly || r.Header.Get("Authorization") == "")
		})
		f.send(w, http.StatusOK, githubPaged(r, sees))
	}
}

func githubPaged[T any](r *http.Request, all []T) []T {
	size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	n, _ := strconv.Atoi(r.URL.Query().Get("page"))
	from := min(len(all), (n-1)*size)
	return all[from:min(len(all), from+size)]
}

func (f *fakeGitHub) create(w http.ResponseWriter, r *http.Request) {
	var in fakeGitHubRelease
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Tag == "" {
		f.say(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	if slices.ContainsFunc(f.releases, func(o *fakeGitHubRelease) bool { return o.Tag == in.Tag && !o.Draft }) {
		f.say(w, http.StatusUnprocessableEntity, "Validation Failed", map[string]string{"resource": "Release", "code": "already_exists", "field": "tag_name"})
		return
	}
	rel := f.add(in.Tag, in.Draft)
	rel.Name, rel.Body, rel.Prerelease, rel.Commit = in.Name, in.Body, in.Prerelease, in.Commit
	f.send(w, http.StatusCreated, rel)
}

func (f *fakeGitHub) edit(w http.ResponseWriter, r *http.Request, rel *fakeGitHubRelease) {
	in := struct {
		Draft *bool   `json:"draft"`
		Body  *string `json:"body"`
	}{}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Method != http.MethodPatch {
		f.say(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	if in.Body != nil {
		rel.Body = in.Body
	}
	if in.Draft != nil && !*in.Draft && rel.Draft {
		at := sealtest.Time.Add(time.Duration(rel.ID) * time.Minute)
		rel.Draft, rel.Published, rel.Immutable = false, &at, f.immutable
	}
	f.send(w, http.StatusOK, rel)
}

func (f *fakeGitHub) byID(id string) *fakeGitHubRelease {
	for _, r := range f.releases {
		if strconv.FormatInt(r.ID, 10) == id {
			return r
		}
	}
	f.t.Errorf("no release has id %s", id)
	return &fakeGitHubRelease{}
}

func (f *fakeGitHub) say(w http.ResponseWriter, status int, message string, details ...map[string]string) {
	out := map[string]any{"message": message, "documentation_url": "https://docs.github.com/rest"}
	if details != nil {
		out["errors"] = details
	}
	f.send(w, status, out)
}

func (f *fakeGitHub) send(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		f.t.Error(err)
	}
}
