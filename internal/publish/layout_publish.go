package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/verify"
)

// publication is one release on its way on its way to a directory. Every step leaves a state
// from which the same steps lead to the same end; the last one makes the release
// the newest.
type publication struct {
	*layout
	f    *folder
	next Sealed
	// begun says that something of the release stood there before, changed that
	// this run changed something.
	begun, changed bool
	notes          []string
}

// publish is Place.Publish. also, where it is not nil, puts what else belongs
// there, before the release becomes the newest.
func (l *layout) publish(ctx context.Context, next Sealed, also func(context.Context, *publication) error) (Receipt, error) {
	f, err := l.create()
	if err != nil {
		return Receipt{}, err
	}
	defer f.Close()
	p := &publication{layout: l, f: f, next: next}
	if err := p.run(ctx, also); err != nil {
		return Receipt{}, l.fail("publish", err)
	}
	receipt := Receipt{Place: l.place, State: Published, URL: l.ref(NamesOf(l.stem).Envelope), Notes: p.notes}
	switch {
	case !p.changed:
		receipt.State = AlreadyThere
	case p.begun:
		receipt.State = Completed
	}
	return receipt, nil
}

func (p *publication) run(ctx context.Context, also func(context.Context, *publication) error) error {
	h, err := p.history(p.f)
	if err == nil {
		err = p.damage(h)
	}
	if err != nil {
		return err
	}
	name := NamesOf(p.stem).Envelope
	standing, err := p.f.read(name, limitOf(name))
	if err != nil {
		return err
	}
	turn, err := p.turn(standing, h)
	if err != nil {
		return err
	}
	p.begun = turn == sameRelease || h.index.has(p.next.Payload)
	if turn == takesOver {
		if h, err = p.shelve(ctx, standing, h); err != nil {
			return err
		}
	}
	if err := p.settle(ctx, HistoryNames(p.stem, p.next.Payload)); err != nil {
		return err
	}
	if err := p.writeIndex(ctx, h); err != nil {
		return err
	}
	if also != nil {
		if err := also(ctx, p); err != nil {
			return err
		}
	}
	if turn == outdated {
		p.note("a newer release stands there and stays the newest")
	} else if err := p.settle(ctx, NamesOf(p.stem)); err != nil {
		return err
	}
	for _, dir := range []string{path.Dir(p.stem), p.stem} {
		p.f.tidy(dir, p.now())
	}
	return nil
}

func (p *publication) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// turn says whether the release may become the newest. The history must not have
// another one in its turn: one that a run left unfinished would be a fork.
func (p *publication) turn(standing []byte, h history) (turn, error) {
	find := func(payload digest.Digest) ([]byte, error) {
		r, err := p.find(p.f, payload)
		return r.Envelope, err
	}
	turn, err := turnOf(standing, p.next, find)
	if err != nil {
		return 0, p.hinted(err, "publish the releases between the two there first, oldest first, or seal this one with --previous "+p.place)
	}
	link := linkOf(p.next.Manifest)
	if turn != takesOver || link == "" && rerootOf(p.next.Envelope) != "" {
		return turn, nil
	}
	for _, e := range h.index.Releases {
		if e.Payload != p.next.Payload && e.Previous == link {
			name := HistoryName(p.stem, e.Payload, EnvelopeSuffix)
			err := fmt.Errorf("%w: release %.100q, which an earlier run left unfinished in %s, has the same place in the history", ErrConflict, e.Version, name)
			return 0, p.hinted(err, fmt.Sprintf("finish that one (mcp-integrity publish %s --to %s) and seal this one onto it; or, if nobody has it, delete the file", p.ref(name), p.place))
		}
	}
	return turn, nil
}

// hinted adds a hint to a conflict.
func (p *publication) hinted(err error, hint string) error {
	if !errors.Is(err, ErrConflict) {
		return err
	}
	return &Error{Place: p.place, Op: "publish release " + fmt.Sprintf("%.100q", lineage.VersionOf(p.next.Manifest)), Err: err, Hint: hint}
}

// shelve puts the newest release, which is about to make way, into the history,
// where it is not there yet: it may have come there by other hands.
func (p *publication) shelve(ctx context.Context, standing []byte, h history) (history, error) {
	if standing == nil {
		return h, nil
	}
	m, payload, err := manifestOf(standing)
	if err != nil || h.index.has(payload) {
		return h, err
	}
	r, err := p.beside(p.f, NamesOf(p.stem), standing)
	if err != nil {
		return h, err
	}
	names := HistoryNames(p.stem, payload)
	if err := p.sides(ctx, names, r, false); err != nil {
		return h, err
	}
	h.index = h.index.With(entryOf(payload, m))
	return h, p.put(ctx, names.Envelope, standing)
}

// settle makes the release stand under names, its envelope last. One with the
// same payload that stands there is kept where this one would lose something.
func (p *publication) settle(ctx context.Context, names Names) error {
	standing, err := p.f.read(names.Envelope, limitOf(names.Envelope))
	if err != nil {
		return err
	}
	same := standing != nil && hasPayload(standing, p.next.Payload)
	switch {
	case standing != nil && !same && names != NamesOf(p.stem):
		return fmt.Errorf("%w: %s holds another release than its name says", ErrConflict, names.Envelope)
	case same && !bytes.Equal(standing, p.next.Envelope):
		switch chooseEnvelope(standing, p.next.Envelope) {
		case keepSame:
			return nil
		case keepOthers:
			p.note("%s stays as it is: it has attestations by others that this envelope lacks", names.Envelope)
			return nil
		}
	}
	if err := p.sides(ctx, names, p.next.Release, standing != nil && !same); err != nil {
		return err
	}
	return p.put(ctx, names.Envelope, p.next.Envelope)
}

// sides puts what lies beside an envelope. Where another release stood under these
// names, what it had and this one has not is removed.
func (p *publication) sides(ctx context.Context, names Names, r Release, another bool) error {
	for _, side := range []struct {
		name string
		data []byte
	}{{names.Snapshot, r.Snapshot}, {names.Provenance, r.Provenance}} {
		if side.data != nil {
			if err := p.put(ctx, side.name, side.data); err != nil {
				return err
			}
			continue
		}
		if !another {
			continue
		}
		if data, err := p.f.read(side.name, limitOf(side.name)); err != nil || data == nil {
			if err != nil {
				return err
			}
			continue
		}
		if err := p.f.remove(ctx, side.name); err != nil {
			return err
		}
		p.changed = true
	}
	return nil
}

// put writes a file that is not there as it is to be.
func (p *publication) put(ctx context.Context, name string, data []byte) error {
	switch standing, err := p.f.read(name, limitOf(name)); {
	case err != nil:
		return err
	case standing != nil && bytes.Equal(standing, data):
		return nil
	}
	p.changed = true
	return p.f.put(ctx, name, data)
}

// writeIndex writes the index of the history with the release in it.
func (p *publication) writeIndex(ctx context.Context, h history) error {
	if len(h.strays) > 0 {
		p.note("left out of the index: %.100q holds no such release (%d of its kind)", h.strays[0], len(h.strays))
	}
	x := h.index.With(entryOf(p.next.Payload, p.next.Manifest))
	if n := len(x.Releases); n > maxIndexEntries {
		p.note("the index names the newest %d of %d releases", maxIndexEntries, n)
		x.Releases = x.Releases[:maxIndexEntries]
	}
	if link := linkOf(p.next.Manifest); link != "" {
		if _, err := p.find(p.f, link); errors.Is(err, verify.ErrNoRelease) {
			p.note("its predecessor %s is not there: who checks the chain needs it from elsewhere", link)
		}
	}
	data, err := x.Marshal()
	if err != nil {
		return err
	}
	return p.put(ctx, IndexName(p.stem), data)
}
