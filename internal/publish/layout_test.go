package publish

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

func testEnv() Env {
	return Env{Getenv: func(string) string { return "" }, Now: func() time.Time { return sealtest.Time }}
}

func mustOpen(t testing.TB, target string, env Env) Place {
	t.Helper()
	p, err := Open(target, env)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustPublish(t testing.TB, p Place, s Sealed, want State) Receipt {
	t.Helper()
	r, err := p.Publish(t.Context(), s)
	if err != nil {
		t.Fatalf("publish %s: %v", lineage.VersionOf(s.Manifest), err)
	}
	if r.State != want {
		t.Errorf("publish %s: got %q, want %q", lineage.VersionOf(s.Manifest), r.State, want)
	}
	return r
}

// treeOf is all files of a directory, by their names.
func treeOf(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return files
}

func listOf(t testing.TB, p Place) []digest.Digest {
	t.Helper()
	var all []digest.Digest
	for d, err := range p.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	slices.Sort(all)
	return all
}

func TestDirStory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out", "releases")
	p := mustOpen(t, "dir:"+dir, testEnv())
	if err := p.Check(t.Context()); err != nil {
		t.Errorf("Check of a directory that is yet to be made: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("Check made the directory")
	}
	if r, err := p.Latest(t.Context()); !errors.Is(err, verify.ErrNoRelease) {
		t.Errorf("Latest of no directory: got %v, %v, want none", r, err)
	}
	if got := listOf(t, p); got != nil {
		t.Errorf("List of no directory: got %v", got)
	}
	story := releases(t, 3)
	story[0].Provenance = []byte("provenance 0")
	var payloads []digest.Digest
	for _, s := range story {
		mustPublish(t, p, s, Published)
		if got := treeOf(t, dir); cmp.Diff(got, treeOfAfter(t, p, s)) != "" {
			t.Error("publishing twice changed something")
		}
		payloads = append(payloads, s.Payload)
		latest, err := p.Latest(t.Context())
		if err != nil || string(latest.Envelope) != string(s.Envelope) || string(latest.Snapshot) != string(s.Snapshot) || latest.Ref != filepath.Join(dir, "mcp-integrity.json") {
			t.Errorf("Latest: got %.40q at %s, %v", latest.Snapshot, latest.Ref, err)
		}
	}
	slices.Sort(payloads)
	if diff := cmp.Diff(payloads, listOf(t, p)); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	for _, s := range story {
		for _, alg := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
			r, err := p.Find(t.Context(), alg.FromBytes(payloadOf(t, s.Envelope)))
			if err != nil || string(r.Envelope) != string(s.Envelope) || string(r.Snapshot) != string(s.Snapshot) || string(r.Provenance) != string(s.Provenance) {
				t.Errorf("Find %s of %s: got %q beside it, %v", alg, lineage.VersionOf(s.Manifest), r.Snapshot, err)
			}
		}
	}
	if _, err := p.Find(t.Context(), digest.FromString("x")); !errors.Is(err, verify.ErrNoRelease) {
		t.Errorf("Find of an unknown release: %v", err)
	}
	if _, err := p.Find(t.Context(), "sha256:../../../etc/passwd"); !errors.Is(err, verify.ErrNoRelease) {
		t.Errorf("Find of no digest: %v", err)
	}
	if uri, err := p.AttestationURI(Coming{Provenance: true}); uri != "" || err != nil {
		t.Errorf("AttestationURI: got %q, %v", uri, err)
	}
	checkLayout(t, dir, "mcp-integrity", story)
}

// treeOfAfter publishes a release that is there.
func treeOfAfter(t testing.TB, p Place, s Sealed) map[string]string {
	t.Helper()
	mustPublish(t, p, s, AlreadyThere)
	return treeOf(t, p.(*directory).dir)
}

// checkLayout says what differs from the layout of the package comment after story.
func checkLayout(t testing.TB, dir, stem string, story []Sealed) {
	t.Helper()
	want := map[string]string{}
	put := func(names Names, s Sealed) {
		want[names.Envelope] = string(s.Envelope)
		if s.Snapshot != nil {
			want[names.Snapshot] = string(s.Snapshot)
		}
		if s.Provenance != nil {
			want[names.Provenance] = string(s.Provenance)
		}
	}
	var x Index
	for _, s := range story {
		put(HistoryNames(stem, s.Payload), s)
		x = x.With(entryOf(s.Payload, s.Manifest))
	}
	put(NamesOf(stem), story[len(story)-1])
	index, err := x.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	want[IndexName(stem)] = string(index)
	got := treeOf(t, dir)
	for name := range got {
		if stem != "mcp-integrity" && !strings.HasPrefix(name, stem) {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what stands there (-want +got):\n%s", diff)
	}
}

// TestUnfinished: what a run left in the history is what the next release goes
// onto, and no second one takes its place.
func TestUnfinished(t *testing.T) {
	story := releases(t, 4)
	dir := t.TempDir()
	publishAll(t, "dir", dir, story[:2])
	p := mustOpen(t, "dir:"+dir, testEnv())
	fault := &faulty{n: 3}
	layoutOf(p).step = fault.step
	if _, err := p.Publish(t.Context(), story[2]); !errors.Is(err, errFault) {
		t.Fatalf("got %v after %q", err, fault.names)
	}
	p = mustOpen(t, "dir:"+dir, testEnv())
	if r, err := p.Latest(t.Context()); err != nil || string(r.Envelope) != string(story[2].Envelope) {
		t.Errorf("Latest: got %q, %v, want the unfinished release", r.Snapshot, err)
	}
	rival := releaseOf(t, sealtest.Key(t, keys.Ed25519, "k"), 2, story[1].Payload, func(m *seal.Manifest, _ *seal.Statement) { m.Server.Version = "again" })
	_, err := p.Publish(t.Context(), rival)
	var at *Error
	if !errors.Is(err, ErrConflict) || !errors.As(err, &at) || !strings.Contains(hintOf(err), "delete the file") {
		t.Errorf("a rival of the unfinished release: %v, hint %q", err, hintOf(err))
	}
	mustPublish(t, p, story[3], Published)
	checkLayout(t, dir, "mcp-integrity", story)
	// Now that the newest one is gone, the history still knows it.
	if err := os.Remove(filepath.Join(dir, "mcp-integrity.json")); err != nil {
		t.Fatal(err)
	}
	if r, err := p.Latest(t.Context()); err != nil || string(r.Envelope) != string(story[3].Envelope) {
		t.Errorf("Latest without the newest file: %q, %v", r.Snapshot, err)
	}
}

// hintOf is the hint that people are shown.
func hintOf(err error) string {
	if at, ok := errors.AsType[*Error](err); ok {
		return at.Hint
	}
	return ""
}

func TestDirOrder(t *testing.T) {
	story := releases(t, 4)
	dir := t.TempDir()
	p := mustOpen(t, "dir:"+dir, testEnv())
	publishAll(t, "dir", dir, story[:3])
	before := treeOf(t, dir)
	receipt := mustPublish(t, p, story[0], AlreadyThere)
	if len(receipt.Notes) != 1 || !strings.Contains(receipt.Notes[0], "newer") {
		t.Errorf("an old release again: notes %q", receipt.Notes)
	}
	fork := releaseOf(t, sealtest.Key(t, keys.Ed25519, "k"), 3, story[1].Payload, nil)
	root := releaseOf(t, sealtest.Key(t, keys.Ed25519, "k"), 3, "", nil)
	for name, s := range map[string]Sealed{"a fork": fork, "no link": root} {
		_, err := p.Publish(t.Context(), s)
		if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "1.0.2") || !strings.Contains(err.Error(), "1.0.3") || hintOf(err) == "" {
			t.Errorf("%s: got %v, want a conflict that names both", name, err)
		}
	}
	if diff := cmp.Diff(before, treeOf(t, dir)); diff != "" {
		t.Errorf("a conflict changed something:\n%s", diff)
	}
	reroot := releaseOf(t, sealtest.Key(t, keys.Ed25519, "k"), 5, "", func(_ *seal.Manifest, s *seal.Statement) { s.Reroot = "lost" })
	mustPublish(t, p, reroot, Published)
	mustPublish(t, p, reroot, AlreadyThere)
	if _, err := p.Publish(t.Context(), story[3]); !errors.Is(err, ErrConflict) {
		t.Errorf("a release of the chain that was left: %v", err)
	}
}

// TestDirAdopts: an envelope that came there by other hands goes into the history
// before it makes way.
func TestDirAdopts(t *testing.T) {
	story := releases(t, 2)
	dir := t.TempDir()
	writeFile(t, dir, "mcp-integrity.json", story[0].Envelope)
	writeFile(t, dir, "mcp-integrity.interface.json", story[0].Snapshot)
	p := mustOpen(t, "dir:"+dir, testEnv())
	mustPublish(t, p, story[1], Published)
	checkLayout(t, dir, "mcp-integrity", story)

	lone := t.TempDir()
	writeFile(t, lone, "mcp-integrity.json", story[1].Envelope)
	receipt := mustPublish(t, mustOpen(t, "dir:"+lone, testEnv()), story[1], Completed)
	if len(receipt.Notes) != 1 || !strings.Contains(receipt.Notes[0], string(story[0].Payload)) {
		t.Errorf("a predecessor that is not there: notes %q", receipt.Notes)
	}
}

func writeFile(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDirAttestations: what others attested is not lost, and what was added is
// published.
func TestDirAttestations(t *testing.T) {
	key, again, scanner := sealtest.Key(t, keys.Ed25519, "k"), sealtest.Key(t, keys.Ed25519, "k2"), sealtest.Key(t, keys.ES256, "s")
	plain, resigned := releaseOf(t, key, 0, "", nil), releaseOf(t, again, 0, "", nil)
	scanned := attested(t, plain, scanner, seal.RoleScanner, "malware_scan_clean")
	dir := t.TempDir()
	p := mustOpen(t, "dir:"+dir, testEnv())
	mustPublish(t, p, plain, Published)
	mustPublish(t, p, resigned, Completed)
	mustPublish(t, p, plain, Completed)
	mustPublish(t, p, scanned, Completed)
	mustPublish(t, p, plain, AlreadyThere)
	if r := mustPublish(t, p, resigned, AlreadyThere); len(r.Notes) == 0 || !strings.Contains(r.Notes[0], "attestations by others") {
		t.Errorf("notes %q", r.Notes)
	}
	checkLayout(t, dir, "mcp-integrity", []Sealed{scanned})
}

func TestDirIndexIsAHint(t *testing.T) {
	story := releases(t, 3)
	dir := t.TempDir()
	publishAll(t, "dir", dir, story[:2])
	index := filepath.Join(dir, "mcp-integrity", "index.json")
	for name, data := range map[string]string{"gone": "", "another's": `{"pages":[]}`, "cut off": `{"index_ver`} {
		if err := os.Remove(index); err != nil {
			t.Fatal(err)
		}
		if data != "" {
			writeFile(t, dir, "mcp-integrity/index.json", []byte(data))
		}
		p := mustOpen(t, "dir:"+dir, testEnv())
		if r, err := p.Latest(t.Context()); err != nil || string(r.Envelope) != string(story[1].Envelope) {
			t.Errorf("%s: Latest: %v", name, err)
		}
		if got := listOf(t, p); len(got) != 2 {
			t.Errorf("%s: List: %v", name, got)
		}
		checked, published := p.Check(t.Context()), error(nil)
		if _, published = p.Publish(t.Context(), story[1]); data != "" {
			if !errors.Is(published, ErrConflict) || !errors.Is(checked, ErrConflict) || !strings.Contains(hintOf(published), "delete it") {
				t.Errorf("%s: Publish %v (hint %q), Check %v: want conflicts", name, published, hintOf(published), checked)
			}
			writeFile(t, dir, "mcp-integrity/index.json", []byte{})
			os.Remove(index)
			mustPublish(t, mustOpen(t, "dir:"+dir, testEnv()), story[1], Completed)
		} else if published != nil || checked != nil {
			t.Errorf("%s: Publish %v, Check %v", name, published, checked)
		}
	}
	// A file in the history that is no release is left out, and said.
	stray := HistoryName("mcp-integrity", digest.FromString("stray"), EnvelopeSuffix)
	writeFile(t, dir, stray, []byte("{}"))
	receipt := mustPublish(t, mustOpen(t, "dir:"+dir, testEnv()), story[2], Published)
	if len(receipt.Notes) != 1 || !strings.Contains(receipt.Notes[0], filepath.Base(stray)) {
		t.Errorf("notes %q", receipt.Notes)
	}
	if err := os.Remove(filepath.Join(dir, stray)); err != nil {
		t.Fatal(err)
	}
	checkLayout(t, dir, "mcp-integrity", story)
}

// TestDirReplacedLink: what stands under a release's name is what Find gives; the
// verifier says that it is another one.
func TestDirReplacedLink(t *testing.T) {
	story := releases(t, 2)
	dir := t.TempDir()
	publishAll(t, "dir", dir, story)
	name := HistoryName("mcp-integrity", story[0].Payload, EnvelopeSuffix)
	writeFile(t, dir, name, story[1].Envelope)
	p := mustOpen(t, "dir:"+dir, testEnv())
	if r, err := p.Find(t.Context(), story[0].Payload); err != nil || string(r.Envelope) != string(story[1].Envelope) {
		t.Errorf("Find: got %q, %v", r.Snapshot, err)
	}
	if _, err := p.Publish(t.Context(), story[0]); !errors.Is(err, ErrConflict) {
		t.Errorf("Publish under a name that is taken: %v", err)
	}
	// Where the right one lies elsewhere, it is found.
	writeFile(t, dir, "copy of 1.0.0.json", story[0].Envelope)
	p = mustOpen(t, "dir:"+dir, testEnv())
	if r, err := p.Find(t.Context(), story[0].Payload); err != nil || string(r.Envelope) != string(story[0].Envelope) {
		t.Errorf("Find with a copy: got %q, %v", r.Snapshot, err)
	}
}

// TestDirLatestIsWhole: what lies beside the newest envelope in the history is its
// own; what has the stem's name may be the next release's, half published.
func TestDirLatestIsWhole(t *testing.T) {
	s := releases(t, 1)[0]
	dir := t.TempDir()
	publishAll(t, "dir", dir, []Sealed{s})
	writeFile(t, dir, "mcp-integrity.interface.json", []byte("another"))
	writeFile(t, dir, "mcp-integrity.provenance.sigstore.json", []byte("another"))
	p := mustOpen(t, "dir:"+dir, testEnv())
	if r, err := p.Latest(t.Context()); err != nil || string(r.Snapshot) != string(s.Snapshot) || r.Provenance != nil || r.Ref != filepath.Join(dir, "mcp-integrity.json") {
		t.Errorf("got %q and %q at %s, %v", r.Snapshot, r.Provenance, r.Ref, err)
	}
}

// TestDirReplacesWhole: a file makes way, and is not written over: who reads it
// meanwhile reads it to its end.
func TestDirReplacesWhole(t *testing.T) {
	story := releases(t, 2)
	dir := t.TempDir()
	publishAll(t, "dir", dir, story[:1])
	before, err := os.Open(filepath.Join(dir, "mcp-integrity.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	publishAll(t, "dir", dir, story[1:])
	if got, err := io.ReadAll(before); err != nil || string(got) != string(story[0].Envelope) {
		t.Errorf("who was reading got %d bytes, %v", len(got), err)
	}
}

func TestDirCancelled(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mustOpen(t, "dir:"+dir, testEnv()).Publish(ctx, releases(t, 1)[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := treeOf(t, dir); len(got) != 0 {
		t.Errorf("a cancelled run wrote %v", got)
	}
}
