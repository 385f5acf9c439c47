// Package ocitest is a registry in memory, for tests and for the story that CI
// tells: what the OCI distribution specification 1.1 says of pulling, pushing,
// tags and referrers, and nothing else. With the referrers API it answers as the
// specification wants it (OCI-Subject, the manifest's own artifactType and
// annotations, the filter, pages); without, as registries that never heard of it.
//
// It has no accounts. [Registry.State] tells all it holds, so that a test can
// compare what two runs left behind.
package ocitest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Bounds on what is pushed, in bytes.
const (
	maxManifest = 4 << 20
	maxBlob     = 1 << 30
)

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	indexType    = "application/vnd.oci.image.index.v1+json"
)

// Registry is an [http.Handler]. Its zero value is one without the referrers API.
type Registry struct {
	// Referrers says that there is the referrers API.
	Referrers bool
	// Lenient says that an index may name manifests that are not there.
	Lenient bool
	// PageSize bounds a page of tags or referrers; 0 is 100.
	PageSize int

	mu    sync.Mutex
	repos map[string]*repo
}

type repo struct {
	blobs     map[string][]byte
	manifests map[string]manifest
	tags      map[string]string
	uploads   map[string][]byte
}

type manifest struct {
	mediaType string
	data      []byte
	parsed    fields
}

// fields are what a registry reads of a manifest.
type fields struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Config       *descriptor       `json:"config"`
	Layers       []descriptor      `json:"layers"`
	Manifests    []descriptor      `json:"manifests"`
	Subject      *descriptor       `json:"subject"`
	Annotations  map[string]string `json:"annotations"`
}

type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

var path = regexp.MustCompile(`^/v2/(.+)/(blobs/uploads|blobs|manifests|referrers|tags)/([^/]*)$`)

// ServeHTTP implements [http.Handler].
func (g *Registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.URL.Path == "/v2/" {
		w.WriteHeader(http.StatusOK)
		return
	}
	m := path.FindStringSubmatch(r.URL.Path)
	if m == nil {
		http.NotFound(w, r)
		return
	}
	name, kind, ref := m[1], m[2], m[3]
	there := g.repo(name)
	switch {
	case kind == "blobs/uploads":
		g.upload(w, r, name, ref)
	case kind == "manifests" && r.Method == http.MethodPut:
		g.putManifest(w, r, name, ref)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "the operation is unsupported")
	case there == nil && (kind != "referrers" || g.Referrers):
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", "repository name not known to registry")
	case kind == "blobs":
		g.getBlob(w, there, ref)
	case kind == "manifests":
		g.getManifest(w, there, ref)
	case kind == "tags" && ref == "list":
		g.tags(w, r, name, there)
	case kind == "referrers" && g.Referrers:
		g.referrers(w, r, there, ref)
	default:
		http.NotFound(w, r)
	}
}

func (g *Registry) repo(name string) *repo { return g.repos[name] }

func (g *Registry) create(name string) *repo {
	if g.repos == nil {
		g.repos = map[string]*repo{}
	}
	if g.repos[name] == nil {
		g.repos[name] = &repo{blobs: map[string][]byte{}, manifests: map[string]manifest{}, tags: map[string]string{}, uploads: map[string][]byte{}}
	}
	return g.repos[name]
}

func (g *Registry) upload(w http.ResponseWriter, r *http.Request, name, id string) {
	p := g.create(name)
	if r.Method == http.MethodPost && id == "" {
		id = rand.Text()
		p.uploads[id] = []byte{}
		w.Header().Set("Location", "/v2/"+name+"/blobs/uploads/"+id+"?state="+rand.Text())
		w.WriteHeader(http.StatusAccepted)
		return
	}
	begun, ok := p.uploads[id]
	if !ok {
		refuse(w, http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
		return
	}
	more, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBlob))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "SIZE_INVALID", "the blob is too large")
		return
	}
	data := slices.Concat(begun, more)
	switch r.Method {
	case http.MethodPatch:
		p.uploads[id] = data
		w.Header().Set("Location", r.URL.Path)
		w.Header().Set("Range", "0-"+strconv.Itoa(len(data)-1))
		w.WriteHeader(http.StatusAccepted)
	case http.MethodPut:
		digest := digestOf(data)
		if want := r.URL.Query().Get("digest"); want != digest {
			refuse(w, http.StatusBadRequest, "DIGEST_INVALID", "provided digest did not match uploaded content")
			return
		}
		delete(p.uploads, id)
		p.blobs[digest] = data
		w.Header().Set("Location", "/v2/"+name+"/blobs/"+digest)
		w.Header().Set("Docker-Content-Digest", digest)
		w.WriteHeader(http.StatusCreated)
	default:
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "the operation is unsupported")
	}
}

func (g *Registry) putManifest(w http.ResponseWriter, r *http.Request, name, ref string) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxManifest))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "SIZE_INVALID", "the manifest is too large")
		return
	}
	p := g.create(name)
	m := manifest{mediaType: r.Header.Get("Content-Type"), data: data}
	if err := json.Unmarshal(data, &m.parsed); err != nil || m.parsed.MediaType != "" && m.parsed.MediaType != m.mediaType {
		refuse(w, http.StatusBadRequest, "MANIFEST_INVALID", "manifest invalid")
		return
	}
	if missing := p.missing(m.parsed, g.Lenient); missing != "" {
		refuse(w, http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN", "manifest references a manifest or blob unknown to registry: "+missing)
		return
	}
	digest := digestOf(data)
	if strings.Contains(ref, ":") && ref != digest {
		refuse(w, http.StatusBadRequest, "DIGEST_INVALID", "provided digest did not match uploaded content")
		return
	}
	p.manifests[digest] = m
	if ref != digest {
		p.tags[ref] = digest
	}
	if m.parsed.Subject != nil && g.Referrers {
		w.Header().Set("OCI-Subject", m.parsed.Subject.Digest)
	}
	w.Header().Set("Location", "/v2/"+name+"/manifests/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}

// missing is what a manifest names and the repository does not have. A subject
// may be pushed later.
func (p *repo) missing(f fields, lenient bool) string {
	blobs := f.Layers
	if f.Config != nil {
		blobs = append(slices.Clone(blobs), *f.Config)
	}
	for _, d := range blobs {
		if _, ok := p.blobs[d.Digest]; !ok {
			return d.Digest
		}
	}
	for _, d := range f.Manifests {
		if _, ok := p.manifests[d.Digest]; !ok && !lenient {
			return d.Digest
		}
	}
	return ""
}

func (g *Registry) getBlob(w http.ResponseWriter, p *repo, digest string) {
	data, ok := p.blobs[digest]
	if !ok {
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry")
		return
	}
	answer(w, "application/octet-stream", digest, data)
}

func (g *Registry) getManifest(w http.ResponseWriter, p *repo, ref string) {
	if d, ok := p.tags[ref]; ok {
		ref = d
	}
	m, ok := p.manifests[ref]
	if !ok {
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown to registry")
		return
	}
	answer(w, m.mediaType, ref, m.data)
}

func (g *Registry) tags(w http.ResponseWriter, r *http.Request, name string, p *repo) {
	var all []string
	for t := range p.tags {
		all = append(all, t)
	}
	slices.Sort(all)
	page := g.page(w, r, all)
	body, _ := json.Marshal(map[string]any{"name": name, "tags": page})
	answer(w, "application/json", "", body)
}

// referrers answers "Listing Referrers": for every manifest whose subject has the
// digest its descriptor, with its artifactType, else its config's type, and its
// annotations. A digest that nobody names has an empty list.
func (g *Registry) referrers(w http.ResponseWriter, r *http.Request, p *repo, subject string) {
	wanted := r.URL.Query().Get("artifactType")
	all := []descriptor{}
	for digest, m := range p.manifests {
		if m.parsed.Subject == nil || m.parsed.Subject.Digest != subject {
			continue
		}
		d := descriptor{MediaType: m.mediaType, Digest: digest, Size: int64(len(m.data)), ArtifactType: m.parsed.ArtifactType, Annotations: m.parsed.Annotations}
		if d.ArtifactType == "" && m.mediaType == manifestType && m.parsed.Config != nil {
			d.ArtifactType = m.parsed.Config.MediaType
		}
		if wanted == "" || d.ArtifactType == wanted {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b descriptor) int { return strings.Compare(a.Digest, b.Digest) })
	if wanted != "" {
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	body, _ := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": indexType,
		"manifests": g.pageOf(w, r, all),
	})
	answer(w, indexType, "", body)
}

func (g *Registry) pageOf(w http.ResponseWriter, r *http.Request, all []descriptor) []descriptor {
	byDigest := map[string]descriptor{}
	var names []string
	for _, d := range all {
		byDigest[d.Digest] = d
		names = append(names, d.Digest)
	}
	page := []descriptor{}
	for _, n := range g.page(w, r, names) {
		page = append(page, byDigest[n])
	}
	return page
}

// page is the part of a sorted list after the query's "last", with a Link header
// to the next one where there is more.
func (g *Registry) page(w http.ResponseWriter, r *http.Request, all []string) []string {
	size := g.PageSize
	if size == 0 {
		size = 100
	}
	q := r.URL.Query()
	if n, err := strconv.Atoi(q.Get("n")); err == nil && n > 0 {
		size = min(size, n)
	}
	if last := q.Get("last"); last != "" {
		all = slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s <= last })
	}
	if len(all) > size {
		all = all[:size]
		q.Set("last", all[size-1])
		w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.Path, q.Encode()))
	}
	return all
}

// answer writes a document; net/http leaves the body out where it was HEAD.
func answer(w http.ResponseWriter, mediaType, digest string, data []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	if digest != "" {
		w.Header().Set("Docker-Content-Digest", digest)
	}
	w.Write(data)
}

// refuse writes an error in the specification's form.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// State is all that the registry holds, but for uploads that were begun: "blob
// NAME DIGEST" and "manifest NAME DIGEST" with the bytes, "tag NAME TAG" with the
// digest.
func (g *Registry) State() map[string]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	state := map[string]string{}
	for name, p := range g.repos {
		for d, data := range p.blobs {
			state["blob "+name+" "+d] = string(data)
		}
		for d, m := range p.manifests {
			state["manifest "+name+" "+d] = m.mediaType + "\n" + string(m.data)
		}
		for t, d := range p.tags {
			state["tag "+name+" "+t] = d
		}
	}
	return state
}
