package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/verify"
)

// layout is the releases of one stem in a directory, laid out as the package
// comment says.
//
// Its newest release is the one whose envelope has the stem's name: that file is
// the commit, written last. A run that was cut short leaves a release in the
// history that follows the newest one; it counts as the newest, so that the next
// run completes it instead of making another beside it.
type layout struct {
	// place is what errors name; dir is the directory.
	place, dir string
	stem       string // below dir, with slashes
	now        func() time.Time
	// source says that nothing will be written: a directory that is not there is
	// a mistake then, and not one to be made.
	source bool
	step   stepper
}

func newLayout(place, dir, stem string, env Env) layout {
	now := env.Now
	if now == nil {
		now = time.Now
	}
	return layout{place: place, dir: dir, stem: stem, now: now, source: env.ReadOnly}
}

// fail is what went wrong while op was tried, with the hint that belongs to it.
func (l *layout) fail(op string, err error) error {
	if at, ok := errors.AsType[*Error](err); ok {
		return at // it says so itself
	}
	e := &Error{Place: l.place, Op: op, Err: err}
	switch {
	case errors.Is(err, ErrConflict), errors.Is(err, verify.ErrNoRelease):
	case errors.Is(err, errNotFile), errors.Is(err, errNotDir):
		e.Err = fmt.Errorf("%w: %w", ErrConflict, err)
		e.Hint = "move away what has the name, or name another directory"
	case errors.Is(err, fs.ErrPermission):
		e.Hint = fmt.Sprintf("give this user the right to read and write %q, or name another directory", l.dir)
	}
	return e
}

// unread is [layout.fail] for what could not be read.
func (l *layout) unread(err error) error {
	e := &Error{Place: l.place, Op: "read", Err: fmt.Errorf("%w: %w", verify.ErrUnavailable, err)}
	if errors.Is(err, fs.ErrPermission) {
		e.Hint = fmt.Sprintf("give this user the right to read %q", l.dir)
	}
	return e
}

func (l *layout) none(what string) error {
	return &Error{Place: l.place, Op: "read", Err: fmt.Errorf("%w: %s", verify.ErrNoRelease, what)}
}

// check is Place.Check.
func (l *layout) check() error {
	if l.source {
		f, err := openFolder(l.dir, l.step)
		if err != nil {
			return l.unread(err)
		}
		return f.Close()
	}
	if err := writable(l.dir); err != nil {
		return l.fail("write", err)
	}
	f, err := l.open()
	if f == nil {
		return err
	}
	defer f.Close()
	for _, name := range []string{NamesOf(l.stem).Envelope, IndexName(l.stem)} {
		if _, err := f.read(name, limitOf(name)); err != nil {
			return l.fail("read", err)
		}
	}
	h, err := l.history(f)
	if err != nil {
		return l.fail("read", err)
	}
	return l.damage(h)
}

// open opens the directory; nil and no error where it is yet to be made.
func (l *layout) open() (*folder, error) {
	f, err := openFolder(l.dir, l.step)
	if errors.Is(err, fs.ErrNotExist) && !l.source {
		return nil, nil
	}
	if err != nil {
		return nil, l.unread(err)
	}
	return f, nil
}

// latest is Place.Latest.
func (l *layout) latest() (Release, error) {
	f, err := l.open()
	if err != nil {
		return Release{}, err
	}
	if f == nil {
		return Release{}, l.none("there is no such directory yet")
	}
	defer f.Close()
	name := NamesOf(l.stem).Envelope
	envelope, err := f.read(name, limitOf(name))
	if err != nil {
		return Release{}, l.unread(err)
	}
	h, err := l.history(f)
	if err != nil {
		return Release{}, l.unread(err)
	}
	var newest digest.Digest
	if envelope != nil {
		if newest, err = payloadDigest(envelope); err != nil {
			// What stands there is for the verifier to judge.
			return l.beside(f, NamesOf(l.stem), envelope)
		}
	}
	if next := h.index.after(newest); next != newest {
		return l.shelved(f, next)
	}
	switch {
	case envelope != nil:
		return l.newest(f, newest, envelope)
	case len(h.index.Releases) > 0:
		err := &Error{Place: l.place, Op: "read", Err: fmt.Errorf("%w: %s is missing, and its history has several releases that nothing follows", verify.ErrUnavailable, name)}
		err.Hint = "bring the file back, or publish the newest release again"
		return Release{}, err
	}
	return Release{}, l.none("there is no " + name)
}

// newest is the release with the stem's name, whose payload has this digest. Its
// other files are those in the history, where it has them: they cannot be another
// release's.
func (l *layout) newest(f *folder, payload digest.Digest, envelope []byte) (Release, error) {
	names := HistoryNames(l.stem, payload)
	shelved, err := f.read(names.Envelope, limitOf(names.Envelope))
	if err != nil || !hasPayload(shelved, payload) {
		names = NamesOf(l.stem)
	}
	r, err := l.beside(f, names, envelope)
	r.Ref = l.ref(NamesOf(l.stem).Envelope)
	return r, err
}

// shelved is a release in the history.
func (l *layout) shelved(f *folder, payload digest.Digest) (Release, error) {
	names := HistoryNames(l.stem, payload)
	envelope, err := f.read(names.Envelope, limitOf(names.Envelope))
	if err != nil {
		return Release{}, l.unread(err)
	}
	if envelope == nil {
		return Release{}, l.none("there is no " + names.Envelope)
	}
	return l.beside(f, names, envelope)
}

// beside is the release of an envelope with what lies beside it by its names.
func (l *layout) beside(f *folder, names Names, envelope []byte) (Release, error) {
	r := Release{Envelope: envelope, Ref: l.ref(names.Envelope)}
	var err error
	if r.Snapshot, err = f.read(names.Snapshot, limitOf(names.Snapshot)); err != nil {
		return Release{}, l.unread(err)
	}
	if r.Provenance, err = f.read(names.Provenance, limitOf(names.Provenance)); err != nil {
		return Release{}, l.unread(err)
	}
	return r, nil
}

func (l *layout) ref(name string) string { return filepath.Join(l.dir, filepath.FromSlash(name)) }

// find is Place.Find in the history and under the stem's name. Under its own name
// in the history, a release is returned as it stands there: that it is another
// one, the verifier says of a chain whose link somebody replaced.
func (l *layout) find(f *folder, payload digest.Digest) (Release, error) {
	if err := payload.Validate(); err != nil {
		return Release{}, l.none(fmt.Sprintf("%.100q is no digest", payload))
	}
	if payload.Algorithm() != digest.SHA256 {
		return l.findByContent(f, payload)
	}
	shelved, err := l.shelved(f, payload)
	if err == nil && hasPayload(shelved.Envelope, payload) {
		return shelved, nil
	}
	if err != nil && !errors.Is(err, verify.ErrNoRelease) {
		return Release{}, err
	}
	names := NamesOf(l.stem)
	newest, newestErr := f.read(names.Envelope, limitOf(names.Envelope))
	if newestErr == nil && newest != nil && hasPayload(newest, payload) {
		return l.beside(f, names, newest)
	}
	return shelved, err
}

// findByContent looks for a release by a digest that is in no name.
func (l *layout) findByContent(f *folder, payload digest.Digest) (Release, error) {
	all := []Names{NamesOf(l.stem)}
	shelved, err := l.shelvedDigests(f)
	if err != nil {
		return Release{}, l.unread(err)
	}
	for _, d := range shelved {
		all = append(all, HistoryNames(l.stem, d))
	}
	for _, names := range all {
		envelope, err := f.read(names.Envelope, limitOf(names.Envelope))
		if err != nil {
			return Release{}, l.unread(err)
		}
		if envelope != nil && hasPayload(envelope, payload) {
			return l.beside(f, names, envelope)
		}
	}
	return Release{}, l.none("none has a payload with " + payload.String())
}

// shelvedDigests are the payload digests that names in the history say.
func (l *layout) shelvedDigests(f *folder) ([]digest.Digest, error) {
	entries, err := f.list(l.stem)
	if err != nil {
		return nil, err
	}
	var all []digest.Digest
	for _, e := range entries {
		if d, ok := historyDigest(e.Name()); ok {
			all = append(all, d)
		}
	}
	return all, nil
}

// list is Place.List, from the names in the history.
func (l *layout) list(ctx context.Context) iter.Seq2[digest.Digest, error] {
	return func(yield func(digest.Digest, error) bool) {
		all, err := l.listed()
		if err != nil {
			yield("", err)
			return
		}
		for _, d := range all {
			if err := ctx.Err(); err != nil {
				yield("", l.unread(err))
				return
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

// listed are the releases in the history, and the newest one.
func (l *layout) listed() ([]digest.Digest, error) {
	f, err := l.open()
	if f == nil {
		return nil, err
	}
	defer f.Close()
	all, err := l.shelvedDigests(f)
	if err != nil {
		return nil, l.unread(err)
	}
	name := NamesOf(l.stem).Envelope
	envelope, err := f.read(name, limitOf(name))
	if err != nil {
		return nil, l.unread(err)
	}
	if d, err := payloadDigest(envelope); err == nil && !slices.Contains(all, d) {
		all = append(all, d)
	}
	return all, nil
}

// create makes the directory, which may be there, and opens it.
func (l *layout) create() (*folder, error) {
	step := l.step
	if step == nil {
		step = plainStep
	}
	if _, err := os.Stat(l.dir); err != nil {
		if err := step("make the directory", func() error { return os.MkdirAll(l.dir, 0o755) }); err != nil {
			return nil, l.fail("make the directory", bare(err))
		}
	}
	f, err := openFolder(l.dir, l.step)
	if err != nil {
		return nil, l.fail("open", err)
	}
	return f, nil
}
