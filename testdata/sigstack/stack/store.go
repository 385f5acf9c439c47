package stack

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
)

// githubAPI is where a job's GITHUB_API_URL leads, and what the build_attestation_uri
// of a release in GitHub's attestation store names.
const githubAPI = "https://api.github.com"

// maxAttestation bounds a bundle that is stored, in bytes: GitHub's own bound.
const maxAttestation = 16 << 20

// Store is as much of api.github.com as keeps attestations: whoever has any token
// stores a bundle (docs.github.com, REST API, Attestations), and anybody lists
// those of a digest. It checks no bundle, which GitHub does: what it hands out is
// a stranger's.
type Store struct {
	mu      sync.Mutex
	bundles map[string][]json.RawMessage // by REPOSITORY DIGEST
}

func newStore() *Store { return &Store{bundles: map[string][]json.RawMessage{}} }

var storePath = regexp.MustCompile(`^/repos/([^/]+/[^/]+)(/attestations)?(?:/(sha256:[0-9a-f]{64}))?$`)

// ServeHTTP answers what a release job and a verifier ask.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m := storePath.FindStringSubmatch(r.URL.Path)
	switch {
	case m == nil:
		http.NotFound(w, r)
	case r.Method == http.MethodGet && m[2] == "":
		writeJSON(w, map[string]any{"full_name": m[1], "archived": false})
	case r.Method == http.MethodGet && m[3] != "":
		s.list(w, r, m[1]+" "+m[3])
	case r.Method != http.MethodPost || m[2] == "" || m[3] != "":
		http.NotFound(w, r)
	case !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "):
		http.Error(w, `{"message":"Requires authentication"}`, http.StatusUnauthorized)
	default:
		s.put(w, r, m[1])
	}
}

func (s *Store) list(w http.ResponseWriter, r *http.Request, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bundles[key]) == 0 {
		http.NotFound(w, r)
		return
	}
	list := []any{}
	for _, b := range s.bundles[key] {
		list = append(list, map[string]any{"bundle": b})
	}
	writeJSON(w, map[string]any{"attestations": list})
}

// put stores a bundle under every subject of its statement, as GitHub does.
func (s *Store) put(w http.ResponseWriter, r *http.Request, repository string) {
	subjects, bundle, err := readAttestation(http.MaxBytesReader(w, r.Body, maxAttestation))
	if err != nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": err.Error()})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, digest := range subjects {
		key := repository + " sha256:" + digest
		s.bundles[key] = append(s.bundles[key], bundle)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	writeJSON(w, map[string]any{"id": len(s.bundles)})
}

// readAttestation reads {"bundle":…}, and the digests that its statement is about.
func readAttestation(body io.Reader) (subjects []string, bundle json.RawMessage, err error) {
	var in struct{ Bundle json.RawMessage }
	if err := json.NewDecoder(body).Decode(&in); err != nil {
		return nil, nil, err
	}
	var shape struct{ DSSEEnvelope struct{ Payload string } }
	if err := json.Unmarshal(in.Bundle, &shape); err != nil {
		return nil, nil, fmt.Errorf("bundle: %w", err)
	}
	payload, err := base64.StdEncoding.DecodeString(shape.DSSEEnvelope.Payload)
	if err != nil {
		return nil, nil, fmt.Errorf("bundle: payload: %w", err)
	}
	var statement struct {
		Subject []struct{ Digest map[string]string }
	}
	if err := json.Unmarshal(payload, &statement); err != nil {
		return nil, nil, fmt.Errorf("bundle: statement: %w", err)
	}
	for _, one := range statement.Subject {
		if d := one.Digest["sha256"]; d != "" {
			subjects = append(subjects, d)
		}
	}
	if len(subjects) == 0 {
		return nil, nil, errors.New("bundle: no subject with a sha256")
	}
	return subjects, in.Bundle, nil
}
