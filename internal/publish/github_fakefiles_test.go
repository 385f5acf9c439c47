package publish

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
)

var githubTestOdd = regexp.MustCompile(`[^A-Za-z0-9._+-]+`)

func (f *fakeGitHub) serveUpload(w http.ResponseWriter, r *http.Request) {
	rel := f.byID(strings.Split(r.URL.Path, "/")[2])
	data, err := io.ReadAll(r.Body)
	name := strings.Trim(githubTestOdd.ReplaceAllString(r.URL.Query().Get("name"), "."), ".")
	switch {
	case err != nil || len(data) == 0:
		f.say(w, http.StatusBadRequest, "Bad Content-Length")
	case rel.Immutable:
		f.say(w, http.StatusUnprocessableEntity, "Cannot upload assets to an immutable release.")
	case slices.ContainsFunc(rel.Assets, func(a *fakeGitHubAsset) bool { return a.Name == name }):
		f.say(w, http.StatusUnprocessableEntity, "Validation Failed", map[string]string{"resource": "ReleaseAsset", "code": "already_exists", "field": "name"})
	default:
		a := f.attach(rel, name, data)
		a.Type = r.Header.Get("Content-Type")
		f.send(w, http.StatusCreated, a)
	}
}

func (f *fakeGitHub) serveAsset(w http.ResponseWriter, r *http.Request, id string) {
	for _, rel := range f.releases {
		for i, a := range rel.Assets {
			if strconv.FormatInt(a.ID, 10) != id {
				continue
			}
			switch {
			case r.Method == http.MethodDelete && rel.Immutable:
				f.say(w, http.StatusUnprocessableEntity, "Cannot delete asset from an immutable release")
			case r.Method == http.MethodDelete:
				rel.Assets = slices.Delete(rel.Assets, i, i+1)
				w.WriteHeader(http.StatusNoContent)
			case r.Header.Get("Accept") == "application/octet-stream":
				http.Redirect(w, r, f.cdn.URL+"/"+id+"?signature=x", http.StatusFound)
			default:
				f.send(w, http.StatusOK, a)
			}
			return
		}
	}
	f.say(w, http.StatusNotFound, "Not Found")
}

// serveBrowser is the download for people: no API, no drafts.
func (f *fakeGitHub) serveBrowser(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"+githubTestRepo+"/releases/download/"), "/")
	tag, _ := url.PathUnescape(parts[0])
	for _, rel := range f.releases {
		for _, a := range rel.Assets {
			if len(parts) == 2 && rel.Tag == tag && a.Name == parts[1] && !rel.Draft && !f.private {
				http.Redirect(w, r, fmt.Sprintf("%s/%d?signature=x", f.cdn.URL, a.ID), http.StatusFound)
				return
			}
		}
	}
	w.WriteHeader(http.StatusNotFound)
	io.WriteString(w, "<html>Page not found</html>")
}

// serveFile is the host of the files: another one, that gets no token.
func (f *fakeGitHub) serveFile(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, "GET file")
	if h := r.Header.Get("Authorization"); h != "" {
		f.t.Errorf("the host of the files got a token")
	}
	for _, rel := range f.releases {
		for _, a := range rel.Assets {
			if fmt.Sprintf("/%d", a.ID) == r.URL.Path {
				w.Write(a.data)
				return
			}
		}
	}
	w.WriteHeader(http.StatusNotFound)
}

func (f *fakeGitHub) serveAttestations(w http.ResponseWriter, r *http.Request, path string) {
	var in struct{ Bundle json.RawMessage }
	switch {
	case r.Method == http.MethodGet:
		f.listAttestations(w, r, digest.Digest(strings.TrimPrefix(path, "/")))
	case f.closed != "":
		f.say(w, http.StatusForbidden, f.closed)
	case json.NewDecoder(r.Body).Decode(&in) != nil || in.Bundle == nil:
		f.say(w, http.StatusUnprocessableEntity, `Invalid request. "bundle" wasn't supplied.`)
	default:
		f.attestations = append(f.attestations, in.Bundle)
		f.send(w, http.StatusCreated, map[string]int{"id": len(f.attestations)})
	}
}

// listAttestations gives one a page, by cursors.
func (f *fakeGitHub) listAttestations(w http.ResponseWriter, r *http.Request, subject digest.Digest) {
	var found []map[string]json.RawMessage
	for _, a := range f.attestations {
		if b, err := readGitHubBundle("", a); err == nil && b.subject == subject {
			found = append(found, map[string]json.RawMessage{"bundle": a})
		}
	}
	from, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Query().Get("after"), "="))
	if from >= len(found) {
		f.say(w, http.StatusNotFound, "Not Found")
		return
	}
	if from+1 < len(found) {
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?per_page=1&after=%%3D%d>; rel="next"`, f.srv.URL, r.URL.Path, from+1))
	}
	f.send(w, http.StatusOK, map[string]any{"attestations": found[from : from+1]})
}

// githubSealed is the nth release of a server, as it goes out.
func githubSealed(t testing.TB, n int, signers ...seal.Signer) Sealed {
	t.Helper()
	m := sealtest.Manifest(t, sealtest.Tools(t, 1)...)
	m.IssuedAt = seal.NewTimestamp(sealtest.Time.Add(time.Duration(n) * time.Hour))
	if signers == nil {
		signers = []seal.Signer{sealtest.Key(t, keys.Ed25519, "k")}
	}
	e := sealtest.Seal(t, m, signers...)
	return Sealed{
		Manifest: m, Payload: e.PayloadDigest(digest.SHA256),
		Release: Release{
			Envelope: sealtest.Marshal(t, e), Snapshot: []byte(fmt.Sprintf(`{"snapshot":%d}`, n)), Provenance: []byte(fmt.Sprintf(`{"provenance":%d}`, n)),
		},
	}
}

// githubFiles are a release's files by their names.
func githubFiles(s Sealed) map[string][]byte {
	names := NamesOf(DefaultStem)
	return map[string][]byte{names.Envelope: s.Envelope, names.Snapshot: s.Snapshot, names.Provenance: s.Provenance}
}
