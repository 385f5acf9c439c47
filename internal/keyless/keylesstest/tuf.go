package keylesstest

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// Repository is a TUF repository: its files by their path under the mirror's
// URL, and the root.json from which a client starts.
type Repository struct {
	Root  []byte
	Files map[string][]byte
}

// NewRepository makes a repository with consistent snapshots that has these
// targets and whose metadata hold until expires.
func NewRepository(t testing.TB, targets map[string][]byte, expires time.Time) *Repository {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := map[string]any{"keytype": "ed25519", "scheme": "ed25519", "keyval": map[string]any{"public": hex.EncodeToString(public)}}
	sum := sha256.Sum256(marshal(key))
	id := hex.EncodeToString(sum[:])
	// sign writes one role's metadata. Canonical JSON of these is what
	// encoding/json writes: sorted members, ASCII, whole numbers.
	sign := func(role string, members map[string]any) []byte {
		members["_type"], members["spec_version"], members["version"] = role, "1.0.31", 1
		members["expires"] = expires.UTC().Format(time.RFC3339)
		sig := ed25519.Sign(private, marshal(members))
		return marshal(map[string]any{"signatures": []any{map[string]any{"keyid": id, "sig": hex.EncodeToString(sig)}}, "signed": members})
	}
	r := &Repository{Files: map[string][]byte{}}
	described := map[string]any{}
	for name, data := range targets {
		digest := fmt.Sprintf("%x", sha256.Sum256(data))
		described[name] = map[string]any{"length": len(data), "hashes": map[string]any{"sha256": digest}}
		r.Files["targets/"+digest+"."+name] = data
	}
	holder := map[string]any{"keyids": []any{id}, "threshold": 1}
	version := map[string]any{"version": 1}
	r.Root = sign("root", map[string]any{
		"consistent_snapshot": true, "keys": map[string]any{id: key},
		"roles": map[string]any{"root": holder, "targets": holder, "snapshot": holder, "timestamp": holder},
	})
	r.Files["1.root.json"] = r.Root
	r.Files["1.targets.json"] = sign("targets", map[string]any{"targets": described})
	r.Files["1.snapshot.json"] = sign("snapshot", map[string]any{"meta": map[string]any{"targets.json": version}})
	r.Files["timestamp.json"] = sign("timestamp", map[string]any{"meta": map[string]any{"snapshot.json": version}})
	return r
}

// ServeHTTP serves the files.
func (r *Repository) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	data, ok := r.Files[q.URL.Path[1:]]
	if !ok || q.Method != http.MethodGet {
		http.NotFound(w, q)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(data)
}
