package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
)

const (
	fakeIdentity = "eyJhbGciOiJSUzI1NiJ9.aWRlbnRpdHk.c2VjcmV0LWlkZW50aXR5"
	fakeBearer   = "eyJhbGciOiJFZERTQSJ9.cmVnaXN0cnk.c2VjcmV0LXJlZ2lzdHJ5"
	fakeServer   = "io.github.acme/file-tools"
)

// fakeMCP is an MCP registry in memory: the endpoints of modelcontextprotocol/registry
// v1.8.8 that we use, with its statuses and its words, and beside it a static host
// of envelopes.
type fakeMCP struct {
	*httptest.Server

	mu       sync.Mutex
	versions []*fakeVersion
	// permitted are the names for which its tokens publish.
	permitted []string
	// anonymous says that it gives tokens to nobody in particular.
	anonymous bool
	files     map[string][]byte
	// fault, where it is set, sees a request first and says what happens to it.
	fault func(*http.Request) mcpFault
	log   []string
	// bearer is what it was last given.
	bearer string
}

type fakeVersion struct {
	doc       map[string]any
	published time.Time
	deleted   bool
}

// mcpFault is what happens to a request: nothing where it is zero.
type mcpFault struct {
	// status is answered with body.
	status int
	body   string
	header map[string]string
	// cut breaks the connection, in the middle of the answer where there is one.
	cut bool
	// late has the request take effect before.
	late bool
}

func newFakeMCP(t testing.TB) *fakeMCP {
	f := &fakeMCP{permitted: []string{"io.github.acme/*"}, anonymous: true, files: map[string][]byte{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v0.1/auth/none", f.authNone)
	mux.HandleFunc("POST /v0.1/auth/github-oidc", f.authOIDC)
	mux.HandleFunc("POST /v0.1/auth/oidc", f.authOIDC)
	mux.HandleFunc("POST /v0.1/validate", f.validate)
	mux.HandleFunc("POST /v0.1/publish", f.publish)
	mux.HandleFunc("GET /v0.1/servers/{name}/versions", f.list)
	mux.HandleFunc("GET /v0.1/servers/{name}/versions/{version}", f.get)
	mux.HandleFunc("GET /files/{name}", f.file)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		f.problem(w, 404, "Endpoint not found. See /docs for the API documentation.")
	})
	f.Server = httptest.NewServer(f.faulty(mux))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeMCP) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.log = append(f.log, r.Method+" "+r.URL.Path)
		var what mcpFault
		if f.fault != nil {
			what = f.fault(r)
		}
		f.mu.Unlock()
		if what.zero() {
			next.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		if what.late {
			next.ServeHTTP(answer, r)
		}
		for name, value := range what.header {
			w.Header().Set(name, value)
		}
		switch {
		case what.cut && what.late:
			w.Header().Set("Content-Length", fmt.Sprint(answer.Body.Len()))
			w.WriteHeader(answer.Code)
			w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
			panic(http.ErrAbortHandler)
		case what.cut:
			panic(http.ErrAbortHandler)
		case strings.HasPrefix(what.body, "{") || what.body == "" || strings.HasPrefix(what.body, "<"):
			w.WriteHeader(what.status)
			io.WriteString(w, what.body)
		default:
			f.problem(w, what.status, what.body)
		}
	})
}

func (w mcpFault) zero() bool { return w.status == 0 && !w.cut }

// problem is huma's error model.
func (f *fakeMCP) problem(w http.ResponseWriter, status int, detail string, errs ...map[string]any) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(status), "status": status, "detail": detail, "errors": errs})
}

func (f *fakeMCP) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func (f *fakeMCP) token(w http.ResponseWriter) {
	f.answer(w, map[string]any{"registry_token": fakeBearer, "expires_at": 1})
}

func (f *fakeMCP) authNone(w http.ResponseWriter, r *http.Request) {
	if !f.anonymous {
		f.problem(w, 404, "Endpoint not found. See /docs for the API documentation.")
		return
	}
	f.token(w)
}

func (f *fakeMCP) authOIDC(w http.ResponseWriter, r *http.Request) {
	var body map[string]string
	json.NewDecoder(r.Body).Decode(&body)
	if body["oidc_token"] != fakeIdentity {
		f.problem(w, 401, "Token exchange failed", map[string]any{"message": "failed to validate OIDC token: invalid audience: expected https://other, got " + body["oidc_token"], "value": body})
		return
	}
	f.token(w)
}

// schemaProblem is what the registry's web framework says of a body (HTTP 422).
func schemaProblem(doc map[string]any) string {
	for _, name := range []string{"$schema", "name", "description", "version"} {
		if _, ok := doc[name]; !ok {
			return "expected required property " + name + " to be present"
		}
	}
	meta, _ := doc["_meta"].(map[string]any)
	for name := range meta {
		if name != publisherMember {
			return "unexpected property"
		}
	}
	return ""
}

func (f *fakeMCP) body(w http.ResponseWriter, r *http.Request) (map[string]any, bool) {
	var doc map[string]any
	if err := json.NewDecoder(r.Body).Decode(&doc); err != nil {
		f.problem(w, 400, "invalid body")
		return nil, false
	}
	if p := schemaProblem(doc); p != "" {
		f.problem(w, 422, "validation failed", map[string]any{"message": p, "location": "body._meta", "value": doc})
		return nil, false
	}
	return doc, true
}

func (f *fakeMCP) validate(w http.ResponseWriter, r *http.Request) {
	doc, ok := f.body(w, r)
	if !ok {
		return
	}
	if doc["description"] == "" {
		f.answer(w, map[string]any{"valid": false, "issues": []any{map[string]any{"path": "description", "message": "too short", "severity": "error", "type": "schema"}}})
		return
	}
	f.answer(w, map[string]any{"valid": true, "issues": []any{}})
}

func (f *fakeMCP) publish(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		f.problem(w, 422, "validation failed", map[string]any{"message": "required header parameter is missing", "location": "header.Authorization"})
		return
	}
	if f.bearer = bearer; bearer != fakeBearer {
		f.problem(w, 401, "Invalid or expired Registry JWT token", map[string]any{"message": "failed to parse token: " + bearer})
		return
	}
	doc, ok := f.body(w, r)
	if !ok {
		return
	}
	name := doc["name"].(string)
	if doc["description"] == "" {
		f.problem(w, 422, "Failed to publish server, invalid schema: call /validate for details")
		return
	}
	if !granted(f.permitted, name) {
		f.problem(w, 403, "You do not have permission to publish this server. You have permission to publish: "+strings.Join(f.permitted, ", ")+". Attempting to publish: "+name)
		return
	}
	meta, _ := doc["_meta"].(map[string]any)
	if extension, _ := json.Marshal(meta[publisherMember]); len(extension) > 4096 {
		f.refuse(w, fmt.Sprintf("_meta.%s extension exceeds 4KB limit (%d bytes)", publisherMember, len(extension)))
		return
	}
	if f.find(name, doc["version"].(string)) != nil {
		f.refuse(w, fmt.Sprintf("invalid version: cannot publish duplicate version: %s@%s already exists", name, doc["version"]))
		return
	}
	v := &fakeVersion{doc: doc, published: time.Unix(1_800_000_000, 0).Add(time.Duration(len(f.versions)) * time.Hour)}
	f.versions = append(f.versions, v)
	f.answer(w, v.shown())
}

func (f *fakeMCP) refuse(w http.ResponseWriter, why string) {
	f.problem(w, 400, "Failed to publish server", map[string]any{"message": why})
}

func (f *fakeMCP) find(name, version string) *fakeVersion {
	for _, v := range f.versions {
		if v.doc["name"] == name && v.doc["version"] == version {
			return v
		}
	}
	return nil
}

func (v *fakeVersion) shown() map[string]any {
	status := "active"
	if v.deleted {
		status = "deleted"
	}
	return map[string]any{"server": v.doc, "_meta": map[string]any{"io.modelcontextprotocol.registry/official": map[string]any{
		"status": status, "publishedAt": v.published, "isLatest": false,
	}}}
}

func (f *fakeMCP) get(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.find(r.PathValue("name"), r.PathValue("version"))
	if v == nil || v.deleted && r.URL.Query().Get("include_deleted") != "true" {
		f.problem(w, 404, "Server not found")
		return
	}
	f.answer(w, v.shown())
}

func (f *fakeMCP) list(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []any
	for _, v := range slices.Backward(f.versions) {
		if v.doc["name"] == r.PathValue("name") && (!v.deleted || r.URL.Query().Get("include_deleted") == "true") {
			all = append(all, v.shown())
		}
	}
	if all == nil {
		f.problem(w, 404, "Server not found")
		return
	}
	f.answer(w, map[string]any{"servers": all, "metadata": map[string]any{"count": len(all)}})
}

func (f *fakeMCP) file(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	data, ok := f.files[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Write(data)
}

// asked counts the requests that begin so.
func (f *fakeMCP) asked(prefix string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, line := range f.log {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

// state is all that the registry keeps, as text.
func (f *fakeMCP) state() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b bytes.Buffer
	for _, v := range f.versions {
		json.NewEncoder(&b).Encode(v.doc)
	}
	return b.String()
}

const serverJSONText = `{
  "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
  "name": "io.github.acme/file-tools",
  "description": "Reads files <&> nothing else",
  "version": "VERSION",
  "packages": [{"registryType": "npm", "identifier": "@acme/file-tools", "version": "VERSION", "transport": {"type": "stdio"}}]
}
`

// place opens the fake as a place, with a server.json of this version, and with no
// waiting.
func (f *fakeMCP) place(t testing.TB, version string, change func(*Env)) *mcpRegistry {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.json")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(serverJSONText, "VERSION", version)), 0o600); err != nil {
		t.Fatal(err)
	}
	env := Env{ServerJSON: path, Version: version, Now: func() time.Time { return sealtest.Time }}
	if change != nil {
		change(&env)
	}
	p, err := openMCPRegistry(f.URL, env)
	if err != nil {
		t.Fatal(err)
	}
	return p.(*mcpRegistry).hasty()
}

// hasty takes the waits out.
func (m *mcpRegistry) hasty() *mcpRegistry {
	for _, client := range []*http.Client{m.api.client, m.guarded, m.local} {
		client.Transport.(*retry).sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	}
	return m
}

// release is one that is sealed, and whose files the fake's host has.
func (f *fakeMCP) release(t testing.TB, version string) Sealed {
	t.Helper()
	m := sealtest.Manifest(t, sealtest.Tools(t, 1)...)
	m.Server.Version, m.Tools[0].Version = version, version
	e := sealtest.Seal(t, m, sealtest.Key(t, keys.Ed25519, "acme-2026"))
	data := sealtest.Marshal(t, e)
	payload := e.PayloadDigest(digest.SHA256)
	name := "sha256-" + payload.Encoded()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files[name+EnvelopeSuffix] = data
	f.files[name+SnapshotSuffix] = []byte("snapshot of " + version)
	return Sealed{
		Release: Release{Envelope: data}, Manifest: m, Payload: payload, Signer: "acme-2026",
		URL: f.URL + "/files/" + url.PathEscape(name+EnvelopeSuffix),
	}
}
