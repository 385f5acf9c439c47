package publish

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/opencontainers/go-digest"

	artifacts "github.com/mcp-integrity/seal-action/internal/artifact"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// packageName is the file of MIS §18.3 in a package's root. It has no other name,
// whatever the output is called.
const packageName = DefaultStem + EnvelopeSuffix

// packageRoot is package:DIR: the root of a package whose archive is yet to be
// made, so that the manifest goes out inside it (MIS §18.3).
//
// A manifest cannot name the digest of an archive that it lies in. So this is
// sound only where its artifacts are digests of something else: the main
// executable file (scope "entrypoint"), the tree of this very directory (type
// "source", whose digest leaves the manifest out), or nothing. All else is wrong
// use.
//
// There is one file, and no history: what stands there is an earlier build's.
type packageRoot struct {
	layout // of which only the directory is used
}

var _ Place = (*packageRoot)(nil)

func openPackage(rest string, env Env) (Place, error) {
	if err := checkDir("package:DIR", rest); err != nil {
		return nil, err
	}
	return &packageRoot{layout: newLayout("package:"+rest, rest, DefaultStem, env)}, nil
}

func (p *packageRoot) String() string { return p.place }

// Check implements [Place]. A package's root is there, or it is none.
func (p *packageRoot) Check(context.Context) error {
	f, err := openFolder(p.dir, nil)
	if err != nil {
		return p.unread(err)
	}
	defer f.Close()
	if p.source {
		return nil
	}
	if err := writable(p.dir); err != nil {
		return p.fail("write", err)
	}
	if err := f.replaceable(packageName); err != nil {
		return p.fail("write "+packageName, err)
	}
	return nil
}

// AttestationURI implements [Place]: no provenance lies in a package. An artifact
// whose digest would cover the manifest is told of here, before anything is signed.
func (p *packageRoot) AttestationURI(c Coming) (string, error) {
	if c.Artifact == nil {
		return "", nil
	}
	return "", p.sound(*c.Artifact)
}

// sound says whether a digest can be in a manifest that lies in this directory, as
// far as the artifact itself tells.
func (p *packageRoot) sound(a seal.Artifact) error {
	if a.Scope == seal.ScopeEntrypoint || a.Type == seal.Source {
		return nil
	}
	scope := a.Scope
	if scope == "" {
		scope = seal.ScopePackage
	}
	return &Error{
		Place: p.place, Op: "put " + packageName + " into the package",
		Err:  fmt.Errorf("the manifest has the digest of %s %.100q with scope %q, which would change with the manifest in it", a.Type, a.Identifier, scope),
		Hint: "seal with --digest-scope entrypoint before the archive is made; or publish the manifest elsewhere, beside the archive",
	}
}

// Publish implements [Place].
func (p *packageRoot) Publish(ctx context.Context, s Sealed) (Receipt, error) {
	f, err := openFolder(p.dir, p.step)
	if err != nil {
		return Receipt{}, p.fail("open", err)
	}
	defer f.Close()
	if err := p.soundAll(ctx, s.Manifest); err != nil {
		return Receipt{}, err
	}
	receipt := Receipt{Place: p.place, State: Published, URL: p.ref(packageName)}
	standing, err := f.read(packageName, limitOf(packageName))
	if err != nil {
		return Receipt{}, p.fail("read", err)
	}
	receipt.State, err = p.state(standing, s)
	if err != nil {
		return Receipt{}, err
	}
	if receipt.State != AlreadyThere {
		if err := f.put(ctx, packageName, s.Envelope); err != nil {
			return Receipt{}, p.fail("publish", err)
		}
	}
	receipt.Notes = packageNotes(f)
	return receipt, nil
}

// state says what publishing does to what stands there. An earlier build's manifest
// makes way, whether or not this one's link names it: the history is elsewhere.
func (p *packageRoot) state(standing []byte, s Sealed) (State, error) {
	turn, err := turnOf(standing, s, func(digest.Digest) ([]byte, error) { return nil, verify.ErrNoRelease })
	switch {
	case errors.Is(err, ErrConflict) && earlierBuild(standing, s):
		return Published, nil
	case err != nil, turn == outdated:
		if err == nil {
			err = fmt.Errorf("%w: a release that follows this one", ErrConflict)
		}
		return "", &Error{Place: p.place, Op: "publish " + packageName, Err: err, Hint: "delete the file, if it is not the one to be packed"}
	case turn == sameRelease && chooseEnvelope(standing, s.Envelope) != replace:
		return AlreadyThere, nil
	case turn == sameRelease:
		return Completed, nil
	}
	return Published, nil
}

// earlierBuild says whether what stands there is an older release of the same
// server.
func earlierBuild(standing []byte, s Sealed) bool {
	m, _, err := manifestOf(standing)
	if err != nil {
		return false
	}
	a, b := m.Server, s.Manifest.Server
	return a.Name == b.Name && a.Publisher.Namespace == b.Publisher.Namespace && m.IssuedAt.Before(s.Manifest.IssuedAt.Time)
}

// soundAll looks at every artifact of a manifest. The tree of a source must be that
// of this directory: that of one above it covers the manifest here.
func (p *packageRoot) soundAll(ctx context.Context, m *seal.Manifest) error {
	seen := map[digest.Digest]bool{}
	for _, t := range m.Tools {
		a := t.Artifact
		if a == nil || seen[a.Digest] && a.Type == seal.Source {
			continue
		}
		seen[a.Digest] = true
		if err := p.sound(*a); err != nil {
			return err
		}
		if a.Type != seal.Source || a.Scope == seal.ScopeEntrypoint {
			continue
		}
		found, err := artifacts.Identify(ctx, p.dir, artifacts.Options{Type: seal.Source, Algorithm: a.Digest.Algorithm()})
		if err != nil {
			return p.fail("hash the directory", err)
		}
		if found.Artifact.Digest != a.Digest {
			return &Error{
				Place: p.place, Op: "put " + packageName + " into the package",
				Err:  fmt.Errorf("the tree that the manifest names is not this directory's: got %s, want %s", found.Artifact.Digest, a.Digest),
				Hint: "name the directory that was sealed, or seal with --digest-scope entrypoint",
			}
		}
	}
	return nil
}

// Latest implements [Place].
func (p *packageRoot) Latest(context.Context) (Release, error) {
	f, err := openFolder(p.dir, nil)
	if err != nil {
		return Release{}, p.unread(err)
	}
	defer f.Close()
	envelope, err := f.read(packageName, limitOf(packageName))
	if err != nil {
		return Release{}, p.unread(err)
	}
	if envelope == nil {
		return Release{}, p.none("there is no " + packageName)
	}
	return p.beside(f, NamesOf(DefaultStem), envelope)
}

// Find implements [Place].
func (p *packageRoot) Find(ctx context.Context, payload digest.Digest) (Release, error) {
	r, err := p.Latest(ctx)
	if err == nil && !hasPayload(r.Envelope, payload) {
		return Release{}, p.none("its " + packageName + " is another release")
	}
	return r, err
}

// List implements [Place].
func (p *packageRoot) List(ctx context.Context) iter.Seq2[digest.Digest, error] {
	return func(yield func(digest.Digest, error) bool) {
		r, err := p.Latest(ctx)
		if errors.Is(err, verify.ErrNoRelease) {
			return
		}
		if err != nil {
			yield("", err)
			return
		}
		if payload, err := payloadDigest(r.Envelope); err == nil {
			yield(payload, nil)
		}
	}
}
