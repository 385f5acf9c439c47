package publish

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

const (
	gitlabTestProject = "acme/tools/files"
	gitlabTestToken   = "glpat-0123456789secret"
	gitlabTestJob     = "64_job-0123456789secret"
)

// fakeGitLab is one project of a GitLab, as its documentation and its API's source
// describe it, as far as places ask.
type fakeGitLab struct {
	*httptest.Server
	// noDuplicates is the group's setting, private the project's, oldAPI a GitLab
	// before 16.6, which knows no version filter.
	noDuplicates, private, oldAPI bool
	tags                          map[string]bool // and whether it is protected
	level                         int
	scopes                        []string
	// answer replaces the answer to a request; nil leaves it.
	answer func(r *http.Request) http.HandlerFunc
	// fault decides what befalls a change.
	fault func(step int, r *http.Request) gitlabFault

	mu       sync.Mutex
	next     int64
	packages []*fakeGitLabPackage
	releases []*fakeGitLabRelease
	// steps are the changes that were asked for, requests everything.
	steps    []string
	requests int
	dead     bool
}

// gitlabFault is what befalls a change.
type gitlabFault int

const (
	gitlabNoFault gitlabFault = iota
	gitlabRefuseBefore
	gitlabHangUpBefore
	gitlabRefuseAfter
	gitlabHangUpAfter
	gitlabTruncateAfter
	// The last two end the world as well: nothing answers any more.
	gitlabDieBefore
	gitlabDieAfter
)

type fakeGitLabPackage struct {
	id                    int64
	name, version, status string
	files                 []fakeGitLabFile
}

type fakeGitLabFile struct {
	id   int64
	name string
	data []byte
}

func newFakeGitLab(t testing.TB) *fakeGitLab {
	f := &fakeGitLab{tags: map[string]bool{"v1.2.4": false}, level: 30, scopes: []string{"api"}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// env is that of a job of the project's own.
func (f *fakeGitLab) env(pairs ...string) Env {
	vars := map[string]string{
		"CI_SERVER_URL": f.URL, "CI_API_V4_URL": f.URL + "/api/v4", "CI_PROJECT_PATH": gitlabTestProject,
		"CI_COMMIT_TAG": "v1.2.4", "CI_JOB_TOKEN": gitlabTestJob,
	}
	for i := 0; i < len(pairs); i += 2 {
		vars[pairs[i]] = pairs[i+1]
	}
	return Env{Getenv: func(name string) string { return vars[name] }, Now: time.Now}
}

// open opens a target, with a clock that does not make anybody wait.
func (f *fakeGitLab) open(t testing.TB, target string, env Env) Place {
	t.Helper()
	p, err := Open(target, env)
	if err != nil {
		t.Fatal(err)
	}
	var g *gitlab
	switch p := p.(type) {
	case *gitlabPackages:
		g = p.gitlab
	case *gitlabRelease:
		g = p.gitlab
	}
	instant := func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	g.pause = instant
	g.client.Transport.(*tokened).base.(*retry).sleep = instant
	g.stranger.Transport.(*retry).sleep = instant
	return p
}

// ServeHTTP implements [http.Handler].
func (f *fakeGitLab) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	if f.answer != nil {
		if h := f.answer(r); h != nil {
			h(w, r)
			return
		}
	}
	if f.dead {
		gitlabHangUp(w)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if r.Method == http.MethodGet {
		status, v := f.do(r, nil)
		gitlabAnswer(w, status, v)
		return
	}
	what := gitlabNoFault
	if f.fault != nil {
		what = f.fault(len(f.steps), r)
	}
	f.steps = append(f.steps, r.Method+" "+r.URL.RequestURI())
	f.change(w, r, body, what)
}

// heal ends all faults.
func (f *fakeGitLab) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.dead = nil, false
}

// change makes a change, or not, and says so, or not.
func (f *fakeGitLab) change(w http.ResponseWriter, r *http.Request, body []byte, what gitlabFault) {
	switch what {
	case gitlabRefuseBefore:
		gitlabAnswer(w, 502, gitlabSays("502 Bad Gateway"))
		return
	case gitlabDieBefore:
		f.dead = true
		fallthrough
	case gitlabHangUpBefore:
		gitlabHangUp(w)
		return
	}
	status, v := f.do(r, body)
	switch what {
	case gitlabRefuseAfter:
		gitlabAnswer(w, 500, gitlabSays("500 Internal Server Error"))
	case gitlabTruncateAfter:
		w.Header().Set("Content-Length", "1000")
		gitlabAnswer(w, status, v)
	case gitlabDieAfter:
		f.dead = true
		gitlabHangUp(w)
	case gitlabHangUpAfter:
		gitlabHangUp(w)
	default:
		gitlabAnswer(w, status, v)
	}
}

func gitlabHangUp(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

func gitlabSays(text string) any { return map[string]string{"message": text} }

func gitlabAnswer(w http.ResponseWriter, status int, v any) {
	if data, raw := v.([]byte); raw {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.WriteHeader(status)
		w.Write(data)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if p, ok := v.(fakeGitLabPage); ok {
		w.Header()["X-Next-Page"] = []string{p.next}
		v = p.entries
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// do is the API.
func (f *fakeGitLab) do(r *http.Request, body []byte) (int, any) {
	job, personal := r.Header.Get("Job-Token"), r.Header.Get("Private-Token")
	switch {
	case job != "" && job != gitlabTestJob, personal != "" && personal != gitlabTestToken:
		return 401, gitlabSays("401 Unauthorized")
	case job == "" && personal == "" && (f.private || r.Method != http.MethodGet):
		return 404, gitlabSays("404 Project Not Found")
	}
	segments := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/api/v4/"), "/")
	for i, s := range segments {
		segments[i], _ = url.PathUnescape(s)
	}
	if segments[0] == "personal_access_tokens" {
		return 200, map[string]any{"scopes": f.scopes}
	}
	if len(segments) < 2 || segments[0] != "projects" || segments[1] != gitlabTestProject {
		return 404, gitlabSays("404 Project Not Found")
	}
	switch s := segments[2:]; {
	case len(s) == 0 && job == "":
		return 200, map[string]any{"permissions": map[string]any{"project_access": map[string]int{"access_level": f.level}, "group_access": nil}, "package_registry_access_level": "enabled"}
	case len(s) == 1 && s[0] == "packages":
		return f.listPackages(r.URL.Query())
	case len(s) == 3 && s[2] == "package_files":
		return f.listFiles(s[1], r.URL.Query())
	case len(s) == 5 && s[1] == "generic":
		return f.file(r, s[2], s[3], s[4], body)
	case s[0] == "releases":
		return f.release(r, s[1:], body)
	case len(s) == 2 && s[1] == "tags":
		return f.listTags(r.URL.Query())
	}
	return 404, gitlabSays("404 Not Found")
}

// fakeGitLabPage is a page of a list, by offset (docs.gitlab.com/api/rest, Pagination).
type fakeGitLabPage struct {
	entries any
	next    string
}

func gitlabPageOf[T any](all []T, q url.Values) fakeGitLabPage {
	size, _ := strconv.Atoi(cmp.Or(q.Get("per_page"), "20"))
	n, _ := strconv.Atoi(cmp.Or(q.Get("page"), "1"))
	size = min(size, 100)
	from, to := min((n-1)*size, len(all)), min(n*size, len(all))
	next := ""
	if to < len(all) {
		next = strconv.Itoa(n + 1)
	}
	return fakeGitLabPage{entries: append([]T{}, all[from:to]...), next: next}
}

func (f *fakeGitLab) listPackages(q url.Values) (int, any) {
	list := []map[string]any{}
	packages := slices.Clone(f.packages)
	if q.Get("order_by") == "created_at" && q.Get("sort") == "desc" {
		slices.Reverse(packages)
	}
	for _, p := range packages {
		status := q.Get("status")
		if !strings.Contains(p.name, q.Get("package_name")) || status == "" && p.status == "hidden" || status != "" && p.status != status {
			continue
		}
		if v := q.Get("package_version"); v != "" && !f.oldAPI && v != p.version {
			continue
		}
		list = append(list, map[string]any{"id": p.id, "name": p.name, "version": p.version, "package_type": "generic", "status": p.status, "pipelines": []int{}})
	}
	return 200, gitlabPageOf(list, q)
}

func (f *fakeGitLab) listFiles(id string, q url.Values) (int, any) {
	for _, p := range f.packages {
		if strconv.FormatInt(p.id, 10) != id {
			continue
		}
		list := []map[string]any{}
		for _, file := range p.files {
			list = append(list, map[string]any{"id": file.id, "package_id": p.id, "file_name": file.name, "size": len(file.data), "file_sha256": digest.FromBytes(file.data).Encoded()})
		}
		return 200, gitlabPageOf(list, q)
	}
	return 404, gitlabSays("404 Not found")
}

func (f *fakeGitLab) file(r *http.Request, name, version, file string, body []byte) (int, any) {
	i := slices.IndexFunc(f.packages, func(p *fakeGitLabPackage) bool { return p.name == name && p.version == version })
	if r.Method == http.MethodGet {
		if i >= 0 {
			for _, stored := range slices.Backward(f.packages[i].files) {
				if stored.name == file {
					return 200, stored.data
				}
			}
		}
		return 404, gitlabSays("404 Not Found")
	}
	if i < 0 {
		f.next++
		i = len(f.packages)
		f.packages = append(f.packages, &fakeGitLabPackage{id: f.next, name: name, version: version, status: "default"})
	}
	p := f.packages[i]
	if f.noDuplicates && slices.ContainsFunc(p.files, func(o fakeGitLabFile) bool { return o.name == file }) {
		return 400, gitlabSays("400 Bad request - Duplicate package is not allowed")
	}
	p.status = cmp.Or(r.URL.Query().Get("status"), p.status)
	f.next++
	p.files = append(p.files, fakeGitLabFile{id: f.next, name: file, data: body})
	return 201, gitlabSays("201 Created")
}

func (f *fakeGitLab) listTags(q url.Values) (int, any) {
	list := []map[string]any{}
	for tag, protected := range f.tags {
		if strings.HasPrefix(tag, strings.TrimPrefix(q.Get("search"), "^")) {
			list = append(list, map[string]any{"name": tag, "protected": protected})
		}
	}
	return 200, gitlabPageOf(list, q)
}

// state is all that a user of the project could see, by content.
func (f *fakeGitLab) state() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines []string
	for _, p := range f.packages {
		for _, file := range p.files {
			lines = append(lines, fmt.Sprintf("%s %s %s: %s %s", p.name, p.version, p.status, file.name, digest.FromBytes(file.data)))
		}
	}
	for _, e := range f.releases {
		for _, l := range e.Assets.Links {
			lines = append(lines, fmt.Sprintf("release %s: %s %s %s", e.Tag, l.Name, strings.TrimPrefix(l.URL, f.URL), strings.TrimPrefix(l.Direct, f.URL)))
		}
	}
	slices.Sort(lines)
	return lines
}
