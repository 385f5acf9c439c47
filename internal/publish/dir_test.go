package publish

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// TestDirCollected: a directory of envelopes by any names is a source.
func TestDirCollected(t *testing.T) {
	story := releases(t, 3)
	dir := t.TempDir()
	for i, s := range story {
		writeFile(t, dir, fmt.Sprintf("release %d é.json", i), s.Envelope)
		writeFile(t, dir, fmt.Sprintf("release %d é.interface.json", i), s.Snapshot)
	}
	writeFile(t, dir, "package.json", []byte(`{"name":"x"}`))
	writeFile(t, dir, "page.json", []byte("<html>"))
	writeFile(t, dir, "large.json", make([]byte, seal.MaxEnvelopeSize+1))
	writeFile(t, dir, "a.json/b.json", story[0].Envelope)
	env := testEnv()
	env.ReadOnly = true
	p := mustOpen(t, "dir:"+dir, env)
	var want []digest.Digest
	for _, s := range story {
		want = append(want, s.Payload)
		for _, alg := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
			r, err := p.Find(t.Context(), alg.FromBytes(payloadOf(t, s.Envelope)))
			if err != nil || string(r.Envelope) != string(s.Envelope) || string(r.Snapshot) != string(s.Snapshot) || !strings.Contains(r.Ref, "é.json") {
				t.Errorf("Find %s: %q at %s, %v", alg, r.Snapshot, r.Ref, err)
			}
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, listOf(t, p)); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	if _, err := p.Latest(t.Context()); !errors.Is(err, verify.ErrNoRelease) {
		t.Errorf("Latest: %v, want none", err)
	}
	// What was changed since it was looked through is not returned for another.
	if err := os.Rename(filepath.Join(dir, "release 1 é.json"), filepath.Join(dir, "release 0 é.json")); err != nil {
		t.Fatal(err)
	}
	if r, err := p.Find(t.Context(), story[1].Payload); err != nil || string(r.Envelope) != string(story[1].Envelope) {
		t.Errorf("Find of one that moved: %v", err)
	}
	if _, err := p.Find(t.Context(), story[0].Payload); !errors.Is(err, verify.ErrNoRelease) {
		t.Errorf("Find of one that is gone: %v", err)
	}
}

// TestDirSources: a source that is not there is a mistake, not a first release.
func TestDirSources(t *testing.T) {
	base := t.TempDir()
	writeFile(t, base, "file", nil)
	for _, name := range []string{"missing", "file", "missing/more"} {
		env := testEnv()
		env.ReadOnly = true
		p := mustOpen(t, "dir:"+filepath.Join(base, name), env)
		_, latest := p.Latest(t.Context())
		_, found := p.Find(t.Context(), digest.FromString("x"))
		var listed error
		for _, listed = range p.List(t.Context()) {
		}
		for op, err := range map[string]error{"Check": p.Check(t.Context()), "Latest": latest, "Find": found, "List": listed} {
			if !errors.Is(err, verify.ErrUnavailable) || errors.Is(err, verify.ErrNoRelease) {
				t.Errorf("%s of %s: got %v, want unavailable", op, name, err)
			}
		}
	}
}

// TestDirTargets: what cannot become a directory is said before and then.
func TestDirTargets(t *testing.T) {
	base := t.TempDir()
	writeFile(t, base, "file", nil)
	writeFile(t, base, "taken/mcp-integrity", []byte("#!/bin/sh\n"))
	writeFile(t, base, "envelope/mcp-integrity.json/x", nil)
	writeFile(t, base, "snapshot/mcp-integrity.interface.json/x", nil)
	s := releases(t, 1)[0]
	for name, early := range map[string]bool{"file": true, "file/below": true, "taken": true, "envelope": true, "snapshot": false} {
		p := mustOpen(t, "dir:"+filepath.Join(base, name), testEnv())
		before := treeOf(t, base)
		if err := p.Check(t.Context()); (err != nil) != early {
			t.Errorf("%s: Check: %v, want an error: %v", name, err, early)
		}
		if diff := cmp.Diff(before, treeOf(t, base)); diff != "" {
			t.Errorf("%s: Check left something behind:\n%s", name, diff)
		}
		_, err := p.Publish(t.Context(), s)
		var at *Error
		if !errors.As(err, &at) || at.Place != p.String() {
			t.Errorf("%s: Publish: %v", name, err)
		}
		if _, ok := treeOf(t, base)[name+"/mcp-integrity.json"]; ok {
			t.Errorf("%s: the release became visible", name)
		}
	}
}

// TestDirLinks: links inside a directory are followed and replaced, those that lead
// out are not followed.
func TestDirLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // links need a right there that tests have not
	}
	story := releases(t, 2)
	base := t.TempDir()
	writeFile(t, base, "outside/mcp-integrity.json", story[0].Envelope)
	writeFile(t, base, "outside/history/x", nil)
	dir := filepath.Join(base, "dir")
	link := func(target, name string) {
		t.Helper()
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("../outside/mcp-integrity.json", "mcp-integrity.json")
	p := mustOpen(t, "dir:"+dir, testEnv())
	if _, err := p.Latest(t.Context()); !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("Latest by a link that leads out: %v", err)
	}
	if _, err := p.Publish(t.Context(), story[1]); err == nil {
		t.Error("Publish over a link that leads out: no error")
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	link("../outside/history", "mcp-integrity")
	if _, err := p.Publish(t.Context(), story[1]); err == nil {
		t.Error("Publish into a history that leads out: no error")
	}
	if got := treeOf(t, filepath.Join(base, "outside")); len(got) != 2 || got["mcp-integrity.json"] != string(story[0].Envelope) {
		t.Errorf("outside was changed: %v", slices.Sorted(maps.Keys(got)))
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	mustPublish(t, p, story[0], Published)
	if err := os.Remove(filepath.Join(dir, "mcp-integrity.json")); err != nil {
		t.Fatal(err)
	}
	name := HistoryName("mcp-integrity", story[0].Payload, EnvelopeSuffix)
	link(name, "mcp-integrity.json")
	mustPublish(t, p, story[1], Published)
	checkLayout(t, dir, "mcp-integrity", story)
}

// TestDirTidies: what a killed run was writing is removed, once it surely is dead.
func TestDirTidies(t *testing.T) {
	story := releases(t, 1)
	dir := t.TempDir()
	names := []string{".mcp-integrity-OLD.tmp", "mcp-integrity/.mcp-integrity-OLD.tmp", ".mcp-integrity-YOUNG.tmp", ".other.tmp"}
	for _, name := range names {
		writeFile(t, dir, name, []byte("half"))
		old := sealtest.Time.Add(-2 * time.Hour)
		if strings.Contains(name, "YOUNG") {
			old = sealtest.Time.Add(-time.Minute)
		}
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	mustPublish(t, mustOpen(t, "dir:"+dir, testEnv()), story[0], Published)
	got := treeOf(t, dir)
	for i, name := range names {
		if _, there := got[name]; there != (i >= 2) {
			t.Errorf("%s: there %v", name, there)
		}
	}
}

// TestDirTwoStems: two servers share a directory by their files' names.
func TestDirTwoStems(t *testing.T) {
	story := releases(t, 2)
	dir := t.TempDir()
	for _, stem := range []string{"one", "two", "with blank and é"} {
		env := testEnv()
		env.Stem = stem
		for _, s := range story {
			mustPublish(t, mustOpen(t, "dir:"+dir, env), s, Published)
		}
	}
	for _, stem := range []string{"one", "two", "with blank and é"} {
		if treeOf(t, dir)[stem+".json"] != string(story[1].Envelope) {
			t.Errorf("%s is not there", stem)
		}
	}
}

func BenchmarkDir(b *testing.B) {
	story := releases(b, 1000)
	dir := b.TempDir()
	p := mustOpen(b, "dir:"+dir, testEnv())
	for _, s := range story[:999] {
		for _, f := range []struct {
			name string
			data []byte
		}{{HistoryName("mcp-integrity", s.Payload, EnvelopeSuffix), s.Envelope}, {HistoryName("mcp-integrity", s.Payload, SnapshotSuffix), s.Snapshot}} {
			writeFile(b, dir, f.name, f.data)
		}
	}
	writeFile(b, dir, "mcp-integrity.json", story[998].Envelope)
	mustPublish(b, p, story[999], Published)
	b.Run("publish again onto 1000", func(b *testing.B) {
		for b.Loop() {
			mustPublish(b, p, story[999], AlreadyThere)
		}
	})
	b.Run("latest of 1000", func(b *testing.B) {
		for b.Loop() {
			if _, err := p.Latest(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("find", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := p.Find(b.Context(), story[i%1000].Payload); err != nil {
				b.Fatal(err)
			}
		}
	})
}
