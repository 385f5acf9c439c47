package publish

import (
	"fmt"
	"path"
	"slices"

	"github.com/opencontainers/go-digest"
)

// history is the history of a layout.
type history struct {
	// index has what is there, newest first, whatever the index's file says.
	index Index
	// stored is the index's file, nil where there is none.
	stored []byte
	// damaged says why the index's file is none.
	damaged error
	// strays are names in the history that hold no such release.
	strays []string
}

// history reads the index, adds the releases that it lacks, and drops those that
// are gone.
func (l *layout) history(f *folder) (history, error) {
	var h history
	var err error
	name := IndexName(l.stem)
	if h.stored, err = f.read(name, limitOf(name)); err != nil {
		return h, err
	}
	known := map[digest.Digest]IndexEntry{}
	if h.stored != nil {
		var x Index
		if x, h.damaged = ParseIndex(h.stored); h.damaged == nil {
			for _, e := range x.Releases {
				known[e.Payload] = e
			}
		}
	}
	shelved, err := l.shelvedDigests(f)
	if err != nil {
		return h, err
	}
	for _, d := range shelved {
		e, ok := known[d]
		if !ok {
			if e, ok = l.entry(f, d); !ok {
				h.strays = append(h.strays, path.Base(HistoryName(l.stem, d, EnvelopeSuffix)))
				continue
			}
		}
		h.index.Releases = append(h.index.Releases, e)
	}
	slices.SortFunc(h.index.Releases, newestFirst)
	return h, nil
}

// entry reads the release in the history that has this payload; false where what
// has its name is none.
func (l *layout) entry(f *folder, payload digest.Digest) (IndexEntry, bool) {
	name := HistoryName(l.stem, payload, EnvelopeSuffix)
	envelope, err := f.read(name, limitOf(name))
	if err != nil || envelope == nil {
		return IndexEntry{}, false
	}
	m, got, err := manifestOf(envelope)
	if err != nil || got != payload {
		return IndexEntry{}, false
	}
	return entryOf(payload, m), true
}

// damage is the error of an index's file that is none.
func (l *layout) damage(h history) error {
	if h.damaged == nil {
		return nil
	}
	return &Error{
		Place: l.place, Op: "read " + IndexName(l.stem), Err: fmt.Errorf("%w: %w", ErrConflict, h.damaged),
		Hint: "if the file is not somebody else's, delete it: it is made anew from the releases beside it",
	}
}

// after is the last release of those that follow payload, one after the other;
// for "" the one that follows none which is there. It is payload itself where
// nothing does, and where the history forks, of which the verifier tells.
func (x Index) after(payload digest.Digest) digest.Digest {
	if payload == "" {
		followed := make(map[digest.Digest]bool, len(x.Releases))
		for _, e := range x.Releases {
			followed[e.Previous] = true
		}
		tips := slices.DeleteFunc(slices.Clone(x.Releases), func(e IndexEntry) bool { return followed[e.Payload] })
		if len(tips) == 1 {
			return tips[0].Payload
		}
		return ""
	}
	next := make(map[digest.Digest][]digest.Digest, len(x.Releases))
	for _, e := range x.Releases {
		next[e.Previous] = append(next[e.Previous], e.Payload)
	}
	for range x.Releases {
		if len(next[payload]) != 1 {
			break
		}
		payload = next[payload][0]
	}
	return payload
}
