package artifact

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

func TestRecheckAndCheck(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	p := write(t, dir, "a.wasm", string(wasmBytes("version", "1")))
	f := identifyOK(t, p, Options{Algorithm: digest.SHA512})
	if err := Check(ctx, p, f.Artifact, Options{}); err != nil {
		t.Errorf("Check of the same file: %v", err)
	}
	write(t, dir, "a.wasm", string(wasmBytes("version", "2")))
	for name, err := range map[string]error{"Recheck": Recheck(ctx, f, Options{}), "Check": Check(ctx, p, f.Artifact, Options{})} {
		mismatch, ok := errors.AsType[*MismatchError](err)
		if !ok {
			t.Fatalf("%s: got %v, want a MismatchError", name, err)
		}
		if want := digest.SHA512.FromBytes(wasmBytes("version", "2")); mismatch.Got != want || mismatch.Want != f.Artifact.Digest {
			t.Errorf("%s: got %s, want %s; expected %s, %s", name, mismatch.Got, mismatch.Want, want, f.Artifact.Digest)
		}
	}
	// The bytes decide: a name that the format does not allow is no reason to
	// call them others.
	wheel := zipBytes(t, entry{name: wheelMetadata, body: metadataText})
	sealed := identifyOK(t, write(t, dir, wheelName, string(wheel)), Options{})
	if err := Check(ctx, write(t, dir, "renamed", string(wheel)), sealed.Artifact, Options{}); err != nil {
		t.Errorf("Check of a renamed wheel: %v", err)
	}
	if err := os.Remove(p); err != nil {
		t.Fatal(err)
	}
	wantErr(t, Recheck(ctx, f, Options{}), "no such file")
}

// Content that has no digest is not what was sealed; a file that cannot be
// read says nothing.
func TestCheckTellsWrongFromUnknown(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	npm := tgz(t, entry{name: "package/package.json", body: packageJSONText}, entry{name: "package/dist/cli.js", body: helloText})
	p := write(t, dir, "a.tgz", string(npm))
	sealed := identifyOK(t, p, Options{Scope: seal.ScopeEntrypoint}).Artifact
	tree := makeTree(t, map[string]string{"package.json": packageJSONText})
	source := identifyOK(t, tree, Options{}).Artifact
	l := newLayout()
	l.index(l.image(nil, "layer"))
	image := identifyOK(t, l.dir(t), Options{}).Artifact
	l["blobs/sha256/"+sha256Of("layer").Encoded()] = "LAYER"

	canceled, cancel := context.WithCancel(ctx)
	cancel()
	tests := map[string]struct {
		ctx    context.Context
		ref    string
		sealed seal.Artifact
		wrong  bool
	}{
		"same entrypoint in another archive": {ctx, write(t, dir, "b.tgz", string(tgz(t, entry{name: "package/dist/cli.js", body: helloText},
			entry{name: "package/package.json", body: packageJSONText}))), sealed, false},
		"no package.json":          {ctx, write(t, dir, "c.tgz", string(tgz(t, entry{name: "package/x", body: "x"}))), sealed, true},
		"no archive":               {ctx, write(t, dir, "d.tgz", "hello"), sealed, true},
		"a directory for an npm":   {ctx, tree, sealed, true},
		"broken package.json":      {ctx, makeTree(t, map[string]string{"package.json": "{"}), source, true},
		"an image with a bad blob": {ctx, l.dir(t), image, true},
		"not there":                {ctx, filepath.Join(dir, "none"), sealed, false},
		"no registry":              {ctx, "oci://127.0.0.1:1/acme/tools:1", image, false},
		"canceled":                 {canceled, p, sealed, false},
	}
	o := Options{Anonymous: true, Client: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("down") })}}
	for name, test := range tests {
		err := Check(test.ctx, test.ref, test.sealed, o)
		mismatch, wrong := errors.AsType[*MismatchError](err)
		if wrong != test.wrong || (err == nil) != strings.HasPrefix(name, "same") {
			t.Errorf("%s: got %v, a MismatchError: want %v", name, err, test.wrong)
		}
		if wrong && (mismatch.Want != test.sealed.Digest || (mismatch.Got == "") != (mismatch.Err != nil)) {
			t.Errorf("%s: got %+v", name, mismatch)
		}
	}
}

func TestChangedWhileRead(t *testing.T) {
	dir := t.TempDir()
	p := write(t, dir, "a", "before")
	f, err := openFile(p)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.unchanged(); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "a", "behind it")
	if err := f.unchanged(); !errors.Is(err, ErrChanged) {
		t.Errorf("longer file: got %v, want %v", err, ErrChanged)
	}
	if _, err := f.digest(context.Background(), p, Options{Algorithm: digest.SHA256}); !errors.Is(err, ErrChanged) {
		t.Errorf("digest: got %v, want %v", err, ErrChanged)
	}
	mustDo(t, os.Chtimes(p, f.before.ModTime(), f.before.ModTime()))
	if err := f.unchanged(); !errors.Is(err, ErrChanged) {
		t.Errorf("longer file of the same time: got %v, want %v", err, ErrChanged)
	}
	write(t, dir, "a", "be")
	if _, err := f.digest(context.Background(), p, Options{Algorithm: digest.SHA256}); !errors.Is(err, ErrChanged) {
		t.Errorf("digest of a cut file: got %v, want %v", err, ErrChanged)
	}
	write(t, dir, "a", "BEFORE")
	if err := os.Chtimes(p, f.before.ModTime().Add(1), f.before.ModTime().Add(1)); err != nil {
		t.Fatal(err)
	}
	if err := f.unchanged(); !errors.Is(err, ErrChanged) {
		t.Errorf("same length: got %v, want %v", err, ErrChanged)
	}
}

// A meddler is a context that changes something when it is asked whether it
// still lasts, for the n-th time.
type meddler struct {
	context.Context
	n      atomic.Int64
	change func()
}

func (m *meddler) Err() error {
	if m.n.Add(-1) == 0 {
		m.change()
	}
	return nil
}

// Whenever the file changes, before its hash, between hash and identification
// or later, it is noticed.
func TestChangedWhileIdentified(t *testing.T) {
	data := tgz(t, entry{name: "package/package.json", body: packageJSONText}, entry{name: "package/dist/cli.js", body: helloText})
	for n := int64(1); n <= 6; n++ {
		p := write(t, t.TempDir(), "a.tgz", string(data))
		m := &meddler{Context: context.Background(), change: func() { touch(t, p) }}
		m.n.Store(n)
		if _, err := Identify(m, p, Options{}); !errors.Is(err, ErrChanged) {
			t.Errorf("changed at step %d: got %v, want %v", n, err, ErrChanged)
		}
		if m.n.Load() > 0 {
			t.Errorf("step %d was not reached", n)
		}
	}
}

func TestTreeChangedWhileRead(t *testing.T) {
	dir := t.TempDir()
	p := write(t, dir, "a", "before")
	root, err := os.OpenRoot(dir)
	mustDo(t, err)
	defer root.Close()
	tree := &treeReader{root: root, alg: digest.SHA256}
	e, err := tree.entry("a")
	mustDo(t, err)
	m := &meddler{Context: context.Background(), change: func() { touch(t, p) }}
	m.n.Store(2)
	if tree.fill(m, e); !errors.Is(e.err, ErrChanged) {
		t.Errorf("touched while hashed: got %v, want %v", e.err, ErrChanged)
	}
	e, err = tree.entry("a")
	mustDo(t, err)
	write(t, dir, "a", "longer than before")
	if tree.fill(context.Background(), e); !errors.Is(e.err, ErrChanged) {
		t.Errorf("grown before hashed: got %v, want %v", e.err, ErrChanged)
	}
	e, err = tree.entry("a")
	mustDo(t, err)
	tree.fill(context.Background(), e)
	mustDo(t, e.err)
	write(t, dir, "a", "something else now")
	if _, err := tree.again(e); !errors.Is(err, ErrChanged) {
		t.Errorf("read again: got %v, want %v", err, ErrChanged)
	}
}

func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := t.TempDir()
	refs := []string{write(t, dir, "a.tgz", string(tgz(t, entry{name: "package/package.json", body: packageJSONText}))), dir}
	for _, ref := range refs {
		if _, err := Identify(ctx, ref, Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want %v", ref, err, context.Canceled)
		}
	}
}
