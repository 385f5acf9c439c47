package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// Bounds on a directory of envelopes that somebody collected.
const (
	// maxCollected and maxCollectedBytes are for its files: a large history, with
	// envelopes as large as those of twenty tools.
	maxCollected      = 30_000
	maxCollectedBytes = 1 << 30
)

// directory is dir:PATH: a layout, beside which envelopes may lie by any names.
//
// Two runs that publish into one directory at the same moment are not kept apart:
// each file is whole, and which release is the newest is the later run's.
type directory struct {
	layout
	// The envelopes that lie flat are looked through once.
	mu        sync.Mutex
	collected map[digest.Digest]string // file names, by sha256 and sha512
}

var _ Place = (*directory)(nil)

func openDir(rest string, env Env) (Place, error) {
	if err := checkDir("dir:PATH", rest); err != nil {
		return nil, err
	}
	if env.Stem != filepath.Base(env.Stem) || strings.HasPrefix(env.Stem, ".") {
		return nil, fmt.Errorf("dir:%.200s: the stem %.100q of its files is no file name", rest, env.Stem)
	}
	return &directory{layout: newLayout("dir:"+rest, rest, env.Stem, env)}, nil
}

// checkDir says what is wrong with the directory of a target.
func checkDir(form, dir string) error {
	switch {
	case dir == "":
		return fmt.Errorf("%s: the directory is missing", form)
	case strings.ContainsRune(dir, 0):
		return fmt.Errorf("%s: %.200q is no file name", form, dir)
	}
	return nil
}

func (d *directory) String() string { return d.place }

// Check implements [Place].
func (d *directory) Check(context.Context) error { return d.check() }

// AttestationURI implements [Place]: nobody else can fetch from here.
func (d *directory) AttestationURI(Coming) (string, error) { return "", nil }

// Publish implements [Place].
func (d *directory) Publish(ctx context.Context, r Sealed) (Receipt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.collected = nil
	return d.publish(ctx, r, nil)
}

// Latest implements [Place].
func (d *directory) Latest(context.Context) (Release, error) { return d.latest() }

// Find implements [Place]: by name in the history, else by content.
func (d *directory) Find(ctx context.Context, payload digest.Digest) (Release, error) {
	f, err := d.open()
	if err != nil {
		return Release{}, err
	}
	if f == nil {
		return Release{}, d.none("there is no such directory yet")
	}
	defer f.Close()
	r, err := d.find(f, payload)
	if err == nil && hasPayload(r.Envelope, payload) || err != nil && !errors.Is(err, verify.ErrNoRelease) {
		return r, err
	}
	if flat, flatErr := d.findCollected(ctx, f, payload); !errors.Is(flatErr, verify.ErrNoRelease) {
		return flat, flatErr
	}
	return r, err
}

// List implements [Place]: the history; where there is none, the envelopes that
// lie there.
func (d *directory) List(ctx context.Context) iter.Seq2[digest.Digest, error] {
	return func(yield func(digest.Digest, error) bool) {
		all, err := d.releases(ctx)
		if err != nil {
			yield("", err)
			return
		}
		for _, payload := range all {
			if !yield(payload, nil) {
				return
			}
		}
	}
}

func (d *directory) releases(ctx context.Context) ([]digest.Digest, error) {
	f, err := d.open()
	if f == nil {
		return nil, err
	}
	defer f.Close()
	shelved, err := d.shelvedDigests(f)
	if err != nil {
		return nil, d.unread(err)
	}
	if len(shelved) > 0 {
		return d.listed()
	}
	files, err := d.collection(ctx, f, false)
	if err != nil {
		return nil, d.unread(err)
	}
	var all []digest.Digest
	for payload := range files {
		if payload.Algorithm() == digest.SHA256 {
			all = append(all, payload)
		}
	}
	return all, nil
}

// findCollected finds a release among the envelopes that lie flat.
func (d *directory) findCollected(ctx context.Context, f *folder, payload digest.Digest) (Release, error) {
	for _, again := range []bool{false, true} {
		files, err := d.collection(ctx, f, again)
		if err != nil {
			return Release{}, d.unread(err)
		}
		name, ok := files[payload]
		if !ok {
			break
		}
		envelope, err := f.read(name, seal.MaxEnvelopeSize)
		if err == nil && envelope != nil && hasPayload(envelope, payload) {
			return d.beside(f, NamesOf(strings.TrimSuffix(name, EnvelopeSuffix)), envelope)
		}
		// It was changed since it was looked through.
	}
	return Release{}, d.none("none has a payload with " + payload.String())
}

// collection is what lies flat, by payload digests.
func (d *directory) collection(ctx context.Context, f *folder, again bool) (map[digest.Digest]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.collected != nil && !again {
		return d.collected, nil
	}
	files, err := collect(ctx, f)
	if err == nil {
		d.collected = files
	}
	return files, err
}

// collect looks through the *.json files of a directory for envelopes. What is
// none is passed over.
func collect(ctx context.Context, f *folder) (map[digest.Digest]string, error) {
	entries, err := f.list(".")
	if err != nil {
		return nil, err
	}
	found := map[digest.Digest]string{}
	count, size := 0, int64(0)
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !envelopeName(e) {
			continue
		}
		data, err := f.read(e.Name(), seal.MaxEnvelopeSize)
		if err != nil {
			continue // too large, or not ours to read
		}
		count, size = count+1, size+int64(len(data))
		if count > maxCollected || size > maxCollectedBytes {
			return nil, fmt.Errorf("more than %d JSON files, or %d bytes of them: name a directory that has sealed manifests only", maxCollected, maxCollectedBytes)
		}
		envelope, err := seal.ParseEnvelope(data)
		if err != nil {
			continue
		}
		for _, alg := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
			found[envelope.PayloadDigest(alg)] = e.Name()
		}
	}
	return found, nil
}

// envelopeName says whether an envelope may lie under a name.
func envelopeName(e fs.DirEntry) bool {
	name := e.Name()
	return strings.HasSuffix(name, EnvelopeSuffix) && !strings.HasSuffix(name, SnapshotSuffix) && !strings.HasSuffix(name, ProvenanceSuffix) &&
		(e.Type().IsRegular() || e.Type() == fs.ModeSymlink)
}
