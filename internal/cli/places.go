package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/internal/publish"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

// placeEnv is what places take from this run. manifest is the envelope's file,
// whose stem their files have.
func (i *invocation) placeEnv(manifest string) publish.Env {
	env := publish.Env{
		Getenv: i.Getenv, Now: i.Now, Stem: publish.DefaultStem,
		Notify: func(line string) { i.note("%s", line) },
	}
	if stem := strings.TrimSuffix(filepath.Base(manifest), ".json"); stem != "" && stem != "-" && !isURL(manifest) && !publish.Known(manifest) {
		env.Stem = stem
		if historyName.MatchString(stem) { // it lies in a history, which has the stem's name
			env.Stem = filepath.Base(filepath.Dir(manifest))
		}
	}
	if i.has("server-json") {
		env.ServerJSON = i.str("server-json")
	}
	return env
}

// historyName is the stem of a release in a history.
var historyName = regexp.MustCompile(`^sha256-[0-9a-f]{64}$`)

// openPlaces makes places of targets.
func openPlaces(option string, targets []string, env publish.Env) ([]publish.Place, error) {
	var places []publish.Place
	seen := map[string]bool{}
	for _, t := range targets {
		if seen[t] {
			continue
		}
		seen[t] = true
		if isURL(t) {
			return nil, usagef("--%s %.200s: a URL is a source only, nothing can be put there", option, t).
				withHint("well-known:DIR lays out what a static host serves; registry:URL is the standard's own endpoint")
		}
		p, err := publish.Open(t, env)
		if err != nil {
			return nil, usagef("--%s: %w", option, err)
		}
		places = append(places, p)
	}
	return places, nil
}

// openSource makes a source of what --previous names: a file, a directory, a URL
// or a target.
func openSource(name string, env publish.Env) (publish.Place, error) {
	env.ReadOnly = true
	switch {
	case isURL(name), publish.Known(name):
		p, err := publish.Open(name, env)
		if err != nil {
			return nil, usagef("--previous: %w", err)
		}
		return p, nil
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, usagef("--previous: there is no file or directory %q, and it is no URL or target", name)
	case info.IsDir():
		return publish.Open("dir:"+name, env)
	}
	return fileSource{path: name}, nil
}

// fileSource is one release that lies in a file, as a source.
type fileSource struct {
	publish.Place // of which only the source's half is used
	path          string
}

func (f fileSource) String() string { return f.path }

func (f fileSource) Latest(context.Context) (publish.Release, error) {
	data, err := readFile(f.path, seal.MaxEnvelopeSize)
	if err != nil {
		return publish.Release{}, fmt.Errorf("%w: %w", verify.ErrUnavailable, err)
	}
	r := publish.Release{Envelope: data, Ref: f.path}
	if beside := sibling(f.path, interfaceSuffix); isRegular(beside) {
		// One that cannot be read is one that is not there: the manifest alone counts.
		r.Snapshot, _ = readFile(beside, fingerprint.MaxSnapshotSize)
	}
	if beside := sibling(f.path, provenanceSuffix); isRegular(beside) {
		r.Provenance, _ = readFile(beside, maxProvenanceFile)
	}
	return r, nil
}

func (f fileSource) Find(ctx context.Context, payload digest.Digest) (publish.Release, error) {
	r, err := f.Latest(ctx)
	if err != nil {
		return r, err
	}
	if !isRelease(r, payload) {
		return publish.Release{}, fmt.Errorf("%w: %s is another one", verify.ErrNoRelease, f.path)
	}
	return r, nil
}

func (f fileSource) List(ctx context.Context) iter.Seq2[digest.Digest, error] {
	return func(yield func(digest.Digest, error) bool) {
		r, err := f.Latest(ctx)
		if err != nil {
			yield("", err)
			return
		}
		if e, err := seal.ParseEnvelope(r.Envelope); err == nil {
			yield(e.PayloadDigest(digest.SHA256), nil)
		}
	}
}

// sources are several places, asked in their order.
type sources []publish.Place

// Release implements [verify.ChainSource].
func (s sources) Release(ctx context.Context, payload digest.Digest) ([]byte, error) {
	r, err := s.find(ctx, payload)
	return r.Envelope, err
}

// ReleaseWithSnapshot implements [verify.SnapshotSource].
func (s sources) ReleaseWithSnapshot(ctx context.Context, payload digest.Digest) (envelope, snapshot []byte, err error) {
	r, err := s.find(ctx, payload)
	return r.Envelope, r.Snapshot, err
}

var _ verify.SnapshotSource = sources{}

// find asks one place after the other. One that could not be asked may have had
// it: only where all answered is there no such release.
func (s sources) find(ctx context.Context, payload digest.Digest) (publish.Release, error) {
	var unavailable, none error
	var other *publish.Release
	for _, p := range s {
		r, err := p.Find(ctx, payload)
		switch {
		case err == nil && (len(s) == 1 || isRelease(r, payload)):
			return r, nil
		case err == nil && other == nil:
			// Another source may have the true one; if none has, the verifier names
			// what this one has in its place.
			other = &r
		case errors.Is(err, verify.ErrNoRelease):
			none = err
		case unavailable == nil:
			unavailable = err
		}
	}
	switch {
	case other != nil:
		return *other, nil
	case unavailable != nil && !errors.Is(unavailable, verify.ErrUnavailable):
		return publish.Release{}, fmt.Errorf("%w: %w", verify.ErrUnavailable, unavailable)
	case unavailable != nil:
		return publish.Release{}, unavailable
	case none == nil:
		none = verify.ErrNoRelease
	}
	return publish.Release{}, none
}

// isRelease says that an envelope holds the payload that was asked for.
func isRelease(r publish.Release, payload digest.Digest) bool {
	e, err := seal.ParseEnvelope(r.Envelope)
	return err == nil && payload.Validate() == nil && e.PayloadDigest(payload.Algorithm()) == payload
}

// Releases implements [verify.ChainSource].
func (s sources) Releases(ctx context.Context) iter.Seq2[digest.Digest, error] {
	return func(yield func(digest.Digest, error) bool) {
		for _, p := range s {
			for d, err := range p.List(ctx) {
				if !yield(d, err) {
					return
				}
			}
		}
	}
}

// unsafeInID are the characters that a <server-id> has none of.
var unsafeInID = regexp.MustCompile(`[^A-Za-z0-9._~/-]+`)

// serverID is the <server-id> of a release: the name in the MCP registry, else
// the publisher's namespace and the server's name.
func serverID(mcpName string, m *seal.Manifest) string {
	if mcpName != "" {
		return mcpName
	}
	return m.Server.Publisher.Namespace + "/" + strings.Trim(unsafeInID.ReplaceAllString(m.Server.Name, "-"), "-/.")
}

// placeError gives what went wrong at a place its exit code: other content there
// does not hold; all else is the place's.
func placeError(err error) *exitError {
	exit := undecidedf("%w", err)
	if errors.Is(err, publish.ErrConflict) {
		exit = failsf("%w", err)
	}
	var at *publish.Error
	if errors.As(err, &at) && at.Hint != "" {
		exit = exit.withHint("%s", at.Hint)
	}
	return exit
}

// fetchable says that anybody can fetch what a receipt names.
func fetchable(url string) bool {
	return strings.HasPrefix(url, "https://") && fetch.PublicURL(url) != ""
}
