package trust

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/strictyaml"
	"github.com/mcp-integrity/seal-action/seal"
)

// A Loader has the keys that a trust file names, by the names in it. It is asked
// by several goroutines at once, for each name once.
type Loader interface {
	// Key returns the key in a file.
	Key(path string) (keys.PublicKey, error)
	// Set returns the key document in a file, or at an https URL. known are the
	// keys that the file names by themselves: a notice that one of them signed
	// about itself may stand there.
	Set(ctx context.Context, source string, known []keys.PublicKey) (keys.Set, error)
	// Revoked returns the notices by which any of these keys gave itself up and
	// which earlier runs saw, wherever; see [keys.Documents.Revoked].
	Revoked(ctx context.Context, all []keys.PublicKey) (keys.Set, error)
}

// Trust is a trust file with its keys.
type Trust struct {
	*Config
	holders []*holder // as Config.entries
	// seen are notices by which keys of holders gave themselves up.
	seen keys.Set
}

// A holder is an entry with its keys.
type holder struct {
	*entry
	// known are its keys, those that a notice revokes, too: who signs with one is
	// to be told so.
	known []keys.PublicKey
	set   keys.Set
	// err is why a publisher's document could not be had.
	err error
}

// Resolve loads the keys that c names. The error is [strictyaml.Errors], each
// with the line of the entry, and wraps the loader's.
//
// A publisher's document that is at a URL and cannot be had is told by
// [Trust.Publisher] when it is needed: one publisher's outage is not another's.
// Without the keys of a registry, a scanner or an auditor there is no trust, for
// what they say against a release would go unheard.
func (c *Config) Resolve(ctx context.Context, load Loader) (*Trust, error) {
	t := &Trust{Config: c, holders: make([]*holder, len(c.entries))}
	l := loading{Loader: load, slots: make(chan struct{}, maxLoads), sources: map[string]*source{}}
	for i, e := range c.entries {
		t.holders[i] = &holder{entry: e}
	}
	l.all(ctx, c.entries, func(e *entry) bool { return e.key != "" })
	for _, s := range l.sources {
		l.known = append(l.known, s.known...)
	}
	l.all(ctx, c.entries, func(e *entry) bool { return e.jwks != "" })
	var errs strictyaml.Errors
	for _, h := range t.holders {
		if err := h.take(l.sources[h.location()]); err != nil {
			errs = append(errs, c.doc.Wrap(h.sourceAt, h.sourcePath(), err))
		}
	}
	if err := errs.Join(); err != nil {
		return nil, err
	}
	if err := t.compareKeys().Join(); err != nil {
		return nil, err
	}
	var all []keys.PublicKey
	for _, h := range t.holders {
		all = append(all, h.known...)
	}
	var err error
	t.seen, err = load.Revoked(ctx, all) // of the documents of this run, too
	return t, err
}

// location names where the keys of an entry are; "" for an identity.
func (e *entry) location() string {
	switch {
	case e.key != "":
		return "key " + e.key
	case e.jwks != "":
		return "jwks " + e.jwks
	}
	return ""
}

// sourcePath is the path of the member that says where the keys are.
func (e *entry) sourcePath() string {
	member, _, _ := strings.Cut(e.location(), " ")
	return strictyaml.MemberPath(e.path, member)
}

// loading has what is loaded, by location.
type loading struct {
	Loader
	slots   chan struct{}
	wait    sync.WaitGroup
	sources map[string]*source
	known   []keys.PublicKey // that the file names by themselves
}

// A source is a key file or a key document.
type source struct {
	known []keys.PublicKey
	set   keys.Set
	err   error
}

// all loads what entries of a kind name, each location once.
func (l *loading) all(ctx context.Context, entries []*entry, kind func(*entry) bool) {
	for _, e := range entries {
		if at := e.location(); kind(e) && l.sources[at] == nil {
			s := &source{}
			l.sources[at] = s
			l.wait.Go(func() {
				l.slots <- struct{}{}
				defer func() { <-l.slots }()
				l.load(ctx, e, s)
			})
		}
	}
	l.wait.Wait()
}

func (l *loading) load(ctx context.Context, e *entry, s *source) {
	if e.jwks != "" {
		s.set, s.err = l.Set(ctx, e.jwks, l.known)
		s.known = slices.Concat(s.set.Keys, s.set.Withdrawn)
		return
	}
	var k keys.PublicKey
	if k, s.err = l.Key(e.key); s.err == nil {
		s.known = []keys.PublicKey{k}
	}
}

// take gives h its keys; nil where it is known by identity.
func (h *holder) take(s *source) error {
	switch {
	case s == nil:
		return nil
	case s.err != nil && h.role == seal.RolePublisher && isURL(h.jwks):
		h.err = s.err
		return nil
	case s.err != nil:
		return s.err
	case len(s.known) == 0 && h.role != seal.RolePublisher && len(s.set.Revocations) == 0:
		return fmt.Errorf("the key document has no key that can be used")
	}
	h.known, h.set = s.known, s.set
	return nil
}

// compareKeys refuses a key of two holders: it would count in two roles, or be
// two votes.
func (t *Trust) compareKeys() (errs strictyaml.Errors) {
	owners := map[string][]*holder{} // by thumbprint
	for _, h := range t.holders {
		for _, k := range h.known {
			for _, o := range owners[k.Thumbprint] {
				if o != h && h.meets(o.entry) {
					errs = append(errs, t.doc.Errorf(h.sourceAt, h.path, "the key with thumbprint %s is that of %s and of %s: no key counts in two roles or two votes", k.Thumbprint, h, o))
					break
				}
			}
			owners[k.Thumbprint] = append(owners[k.Thumbprint], h)
		}
	}
	return errs
}

// Publisher says whether t knows publishers of a namespace. The error says that
// a key document of theirs could not be had, and wraps the loader's: then their
// keys may be revoked without our knowing, also those that another entry pins,
// and none of them counts.
func (t *Trust) Publisher(namespace string) (known bool, err error) {
	var errs strictyaml.Errors
	for _, h := range t.holders {
		if h.role != seal.RolePublisher || h.namespace != namespace {
			continue
		}
		known = true
		if h.err != nil {
			errs = append(errs, t.doc.Wrap(h.sourceAt, h.sourcePath(), h.err))
		}
	}
	return known, errs.Join()
}
