package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// generatorEnvelope is an envelope of slsa-github-generator, whose entry of the
// log must be looked up.
func generatorEnvelope(t testing.TB) request {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(library(t), "cli", "slsa-verifier", "testdata", "gha_generic", "v1.10.0", "binary-linux-amd64-push-v14.2.intoto.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	r := container(t)
	r.Provenance = bytes.TrimSpace(data)
	return r
}

// TestLookUp: what Rekor says, and that it says nothing, are two things.
func TestLookUp(t *testing.T) {
	withRoots(t)
	for _, tt := range []struct {
		name            string
		rekor           http.HandlerFunc
		change          func(*request)
		verdict, reason string
	}{
		{"Rekor is down", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, nil, verdictUndecided, "rekor_search"},
		{"Rekor knows no such entry", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("[]"))
		}, nil, verdictFail, "rekor_search"},
		{"Rekor answers garbage", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, nil, verdictUndecided, "rekor_search"},
		{"no signature", http.NotFound, func(r *request) {
			r.Provenance = edit(t, r.Provenance, func(m map[string]any) { m["signatures"] = []any{} })
		}, verdictUndecided, "rekor_search"},
		{"tampered payload", http.NotFound, func(r *request) {
			payloadChange("refs/tags/v14.2", "refs/tags/v14.3")(t, r)
		}, verdictFail, "no_valid_signature"},
		{"no envelope", http.NotFound, func(r *request) { r.Provenance = []byte(`{"a":1}`) }, verdictUndecided, "rekor_search"},
		{"no object", http.NotFound, func(r *request) { r.Provenance = []byte(`[]`) }, verdictUndecided, "rekor_search"},
		{"null", http.NotFound, func(r *request) { r.Provenance = []byte(`null`) }, verdictUndecided, "rekor_search"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withRekor(t, tt.rekor)
			r := generatorEnvelope(t)
			if tt.change != nil {
				tt.change(&r)
			}
			if a := decide(t.Context(), r, verify); a.Verdict != tt.verdict || a.Reason != tt.reason {
				t.Errorf("%s %s (%s), want %s %s", a.Verdict, a.Reason, a.Message, tt.verdict, tt.reason)
			}
		})
	}
}

// TestRealBundlesBroken drops every member of real bundles, one at a time, and
// makes every one null or of another type. The library panics on some of these.
// Nothing passes but what has lost nothing that was verified.
func TestRealBundlesBroken(t *testing.T) {
	withRoots(t)
	withRekor(t, http.NotFound)
	for _, q := range []struct {
		name string
		r    request
	}{{"bcr", moduleBazel(t)}, {"npm", gundam(t)}, {"container", container(t)}} {
		t.Run(q.name, func(t *testing.T) {
			want := decide(t.Context(), q.r, verify)
			if want.Verdict != verdictPass {
				t.Fatalf("%+v", want)
			}
			seen := map[string]int{}
			for _, changed := range broken(t, q.r.Provenance) {
				r := q.r
				r.Provenance = changed
				a := decide(t.Context(), r, verify)
				seen[a.Verdict+" "+a.Reason]++
				if a.Reason == reasonUnclassified {
					t.Errorf("no table knows %q", a.Message)
				}
				if a.Verdict == verdictPass && !bytes.Equal(a.Statement, want.Statement) {
					t.Errorf("%s: another statement passes: %s", changed, a.Statement)
				}
			}
			t.Log(seen)
		})
	}
}

// broken returns copies of a JSON text with one value in it removed or replaced.
func broken(t *testing.T, data []byte) [][]byte {
	t.Helper()
	var out [][]byte
	var whole any
	if err := json.Unmarshal(data, &whole); err != nil {
		t.Fatal(err)
	}
	emit := func() {
		b, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, old := range v {
				delete(v, name)
				emit()
				for _, other := range []any{nil, map[string]any{}, []any{}, "", "AAAA", json.Number("0"), json.Number("-1")} {
					v[name] = other
					emit()
				}
				v[name] = old
				walk(old)
			}
		case []any:
			for i, old := range v {
				for _, other := range []any{nil, map[string]any{}, ""} {
					v[i] = other
					emit()
				}
				v[i] = old
				walk(old)
			}
		}
	}
	walk(whole)
	return out
}
