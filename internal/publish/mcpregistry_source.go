package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

// maxBundle is a build provenance: a statement and a certificate.
const maxBundle = 16 << 20

// registryIndex is what the registry shows of a server: a hundred bytes and a URL
// for each release.
type registryIndex struct {
	server string
	// order is newest first, as the registry lists them.
	order  []digest.Digest
	at     map[digest.Digest]registryEntry
	latest digest.Digest
}

type registryEntry struct {
	version, url string
	deleted      bool
}

// serverName is whose versions are asked for.
func (m *mcpRegistry) serverName() (string, error) {
	if m.server != "" {
		return m.server, nil
	}
	if _, s, err := m.document(); err == nil {
		return s.Name, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := checkServerName(m.env.ServerID); err != nil {
		return "", m.fail("look for the server's name", err, "name the server: %s@NAME", m.name)
	}
	return m.env.ServerID, nil
}

// load asks for all versions, once.
func (m *mcpRegistry) load(ctx context.Context) (*registryIndex, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.index != nil {
		return m.index, nil
	}
	name, err := m.serverName()
	if err != nil {
		return nil, err
	}
	x := &registryIndex{server: name, at: map[digest.Digest]registryEntry{}}
	var newest time.Time
	err = m.api.versions(ctx, name, func(r *registered) error {
		at, err := r.Server.sealed()
		if err != nil {
			m.say("version %.100q: %v", r.Server.Version, err)
		}
		if at == nil || err != nil {
			return nil
		}
		official := r.Meta.Official
		if _, twice := x.at[at.Digest]; !twice {
			x.order = append(x.order, at.Digest)
			x.at[at.Digest] = registryEntry{version: r.Server.Version, url: at.URL, deleted: official.Status == "deleted"}
		}
		// The registry's own mark, isLatest, goes by version and leaves deleted ones
		// out; a chain goes by time, and keeps them.
		if x.latest == "" || official.PublishedAt.After(newest) {
			x.latest, newest = at.Digest, official.PublishedAt
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	m.index = x
	return x, nil
}

func (m *mcpRegistry) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.index = nil
}

func (m *mcpRegistry) say(format string, args ...any) {
	if m.env.Notify != nil {
		m.env.Notify(m.name + ": " + fmt.Sprintf(format, args...))
	}
}

// loaded is load, with its errors as a source's.
func (m *mcpRegistry) loaded(ctx context.Context) (*registryIndex, error) {
	x, err := m.load(ctx)
	var known *Error
	switch {
	case err == nil, errors.As(err, &known):
		return x, err
	case errors.Is(err, errNoServer):
		return nil, m.fail("list versions", fmt.Errorf("%w: %w", verify.ErrNoRelease, err), "is the server's name right? %s@NAME names another", m.name)
	case !errors.Is(err, verify.ErrUnavailable): // such as a 403: nothing was learnt
		err = fmt.Errorf("%w: %w", verify.ErrUnavailable, err)
	}
	return nil, m.fail("list versions", err, "")
}

// Latest implements [Place]. The registry is asked anew each time: what it showed
// before may have been replaced since. Releases that it marks as deleted count:
// the next one chains onto them all the same, as in every other place.
func (m *mcpRegistry) Latest(ctx context.Context) (Release, error) {
	m.forget()
	x, err := m.loaded(ctx)
	if err != nil {
		return Release{}, err
	}
	if x.latest == "" {
		return Release{}, m.fail("look for the newest release", fmt.Errorf("%w: no version of %s has %s", verify.ErrNoRelease, x.server, sealedMember), "")
	}
	entry := x.at[x.latest]
	r, u, err := m.release(ctx, x.latest, entry)
	if err != nil {
		return Release{}, err
	}
	// Whoever asks for the newest does not know its digest: the registry does.
	if err := m.holdAgainst(r, x.latest, entry); err != nil {
		return Release{}, err
	}
	if entry.deleted {
		m.say("version %.100q is marked as deleted there", entry.version)
	}
	r.Provenance, err = m.beside(ctx, u, ProvenanceSuffix, maxBundle)
	return r, err
}

// Find implements [Place], but for the provenance: nobody looks at an ancestor's,
// and a chain has many. Whoever knows the digest holds the release against it.
func (m *mcpRegistry) Find(ctx context.Context, payload digest.Digest) (Release, error) {
	x, err := m.loaded(ctx)
	if err != nil {
		return Release{}, err
	}
	entry, ok := x.at[payload]
	if !ok {
		return Release{}, m.fail("look for a release", fmt.Errorf("%w: no version of %s has the digest %q", verify.ErrNoRelease, x.server, payload), "")
	}
	r, _, err := m.release(ctx, payload, entry)
	return r, err
}

// List implements [Place].
func (m *mcpRegistry) List(ctx context.Context) iter.Seq2[digest.Digest, error] {
	return func(yield func(digest.Digest, error) bool) {
		x, err := m.loaded(ctx)
		if err != nil {
			if !errors.Is(err, verify.ErrNoRelease) {
				yield("", err)
			}
			return
		}
		for _, d := range x.order {
			if !yield(d, nil) {
				return
			}
		}
	}
}

// fetching is what is done for a version, in words.
func (e registryEntry) fetching() string { return fmt.Sprintf("fetch version %.100q", e.version) }

// release fetches what a pointer points to, and the snapshot beside it.
func (m *mcpRegistry) release(ctx context.Context, payload digest.Digest, entry registryEntry) (Release, *url.URL, error) {
	const hint = "name another place that has it, by --previous"
	if entry.url == "" {
		return Release{}, nil, m.fail(entry.fetching(), fmt.Errorf("%w: the registry has its digest only, %s", verify.ErrUnavailable, payload), hint)
	}
	u, client, err := m.clientFor(entry.url)
	if err != nil {
		return Release{}, nil, m.fail(entry.fetching(), fmt.Errorf("%w: %w", verify.ErrUnavailable, err), hint)
	}
	r := Release{Ref: fmt.Sprintf("%s version %s", m.name, entry.version)}
	if r.Envelope, err = fetch.Get(ctx, client, u, seal.MaxEnvelopeSize); err != nil {
		return Release{}, nil, m.fail(entry.fetching(), err, hint)
	}
	r.Snapshot, err = m.beside(ctx, u, SnapshotSuffix, fingerprint.MaxSnapshotSize)
	return r, u, err
}

// holdAgainst refuses what is not what the registry states.
func (m *mcpRegistry) holdAgainst(r Release, payload digest.Digest, entry registryEntry) error {
	e, err := seal.ParseEnvelope(r.Envelope)
	if err != nil {
		return m.fail(entry.fetching(), fmt.Errorf("%w: %s: %w", ErrConflict, fetch.PublicURL(entry.url), err), "what stood at that address was replaced: compare it with another place")
	}
	if got := e.PayloadDigest(digest.SHA256); got != payload {
		return m.fail(entry.fetching(), fmt.Errorf("%w: %s has the digest %q, want %q, which the registry states", ErrConflict, fetch.PublicURL(entry.url), got, payload),
			"what stood at that address was replaced: compare it with another place")
	}
	return nil
}

// clientFor is the client for a URL that the registry's answer names: a
// stranger's. Only a registry on this machine may lead to this machine.
func (m *mcpRegistry) clientFor(raw string) (*url.URL, *http.Client, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, nil, fmt.Errorf("the registry names %.200q as the envelope's address, want an https URL", raw)
	}
	switch {
	case fetch.Loopback(u) && fetch.Loopback(m.api.base) && fetch.Secure(u):
		return u, m.local, nil
	case u.Scheme == "https":
		return u, m.guarded, nil
	}
	return nil, nil, fmt.Errorf("the registry names %.200q as the envelope's address, want https", raw)
}

// beside fetches what may lie beside an envelope, named as everywhere; nil where
// nothing does.
func (m *mcpRegistry) beside(ctx context.Context, envelope *url.URL, suffix string, limit int64) ([]byte, error) {
	stem, ok := strings.CutSuffix(envelope.Path, EnvelopeSuffix)
	if !ok {
		return nil, nil
	}
	u := *envelope
	u.Path, u.RawPath = stem+suffix, ""
	_, client, err := m.clientFor(u.String())
	if err != nil {
		return nil, err
	}
	data, err := fetch.Get(ctx, client, &u, limit)
	switch {
	case errors.Is(err, fetch.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, m.fail("fetch what lies beside the envelope", err, "")
	}
	return data, nil
}
