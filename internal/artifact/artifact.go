package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/mcp-integrity/seal-action/seal"
)

// Options say how to read artifacts. The zero value detects the type and gives
// SHA-256 digests of whole packages.
type Options struct {
	// Type is what the artifact is taken for; "" detects it. A file of an
	// unknown kind can be named Binary or Source and is then hashed as it is.
	Type seal.ArtifactType
	// Scope is what the digest covers; "" is seal.ScopePackage.
	Scope seal.DigestScope
	// Algorithm is SHA256 or SHA512; "" is SHA256. An image's digest is made by
	// whoever built it and keeps its own algorithm.
	Algorithm digest.Algorithm
	// Progress, where not nil, is told of long work: name is the artifact as the
	// caller gave it, done and total are bytes, total 0 where it is not known.
	// It is first called after two seconds, then about once a second for each
	// artifact, from several goroutines at once.
	Progress func(name string, done, total int64)
	// Concurrency is how many artifacts, or files of a directory, are hashed at
	// once; 0 is the lesser of 4 and GOMAXPROCS.
	Concurrency int
	// Client's transport reaches the registries of oci:// references; nil is a
	// transport with the system's proxy settings.
	Client *http.Client
	// Anonymous leaves out the registry credentials of this user's container
	// configuration (as `docker login` writes them).
	Anonymous bool
}

// Found is what an artifact says of itself. All but Ref, Path, Size, File and
// the digest is the artifact's own word.
type Found struct {
	// Ref is the artifact as the caller gave it.
	Ref string
	// Path is where it lies; "" for a remote image.
	Path string
	// Kind says in words what it is, such as "npm package" or "wheel".
	Kind string
	// Artifact has type, identifier, version, digest and scope.
	Artifact seal.Artifact
	// Size is its bytes: of the file, of all files of a directory, of all blobs
	// of an image.
	Size int64
	// File is the digest of the file's own bytes, whatever the scope; "" for a
	// directory and a remote image. Checksums files speak of this one.
	File digest.Digest

	// MCPName is the name in the MCP registry (package.json's mcpName, a
	// README's mcp-name line, an image's label); "" where there is none.
	MCPName string
	// Repository is the https URL of the source repository, without ".git", and
	// Directory the package's place in it; "" where it does not say.
	Repository, Directory string
	// License is the license as the package writes it.
	License string
	// Revision is the commit that a Go binary or an image says it was built
	// from, with "+dirty" behind it where the work tree had changes.
	Revision string
	// Entrypoint is the path of the main executable file in the package, "" where
	// it names none. A file that is itself executable has none either.
	Entrypoint string
	// InnerManifest are the paths in the archive of Sealed Manifests at its
	// root; see [CheckInner].
	InnerManifest []string
	// Notes are what a person should know of how this was read.
	Notes []string
}

func (f *Found) note(format string, args ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, args...))
}

// MismatchError says that an artifact is not the one that was expected.
type MismatchError struct {
	Ref     string        // the artifact
	Against string        // whose digest Want is, such as "sealed"
	Got     digest.Digest // of the artifact; "" where Err says why it has none
	Want    digest.Digest
	Err     error // what is wrong with the content, where that is why
}

func (e *MismatchError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("artifact %.200q: %v; want digest %s (%s)", e.Ref, e.Err, e.Want, e.Against)
	}
	return fmt.Sprintf("artifact %.200q: got digest %s, want %s (%s)", e.Ref, e.Got, e.Want, e.Against)
}

func (e *MismatchError) Unwrap() error { return e.Err }

// ErrChanged says that an artifact was written to while it was being read.
var ErrChanged = errors.New("changed while being read")

// Identify reads what ref is and hashes it. ref is the path of a file or a
// directory, or oci:// and an image reference. The file is opened once; what is
// identified is what was hashed.
func Identify(ctx context.Context, ref string, o Options) (Found, error) {
	o, err := o.withDefaults()
	if err != nil {
		return Found{}, err
	}
	found, err := identify(ctx, ref, o)
	if err == nil {
		err = found.checkFacts()
	}
	if err != nil {
		return Found{}, fmt.Errorf("artifact %.200q: %w", ref, err)
	}
	return found, nil
}

// IdentifyAll is [Identify] for several, some of them at once (see
// Options.Concurrency). The results stand in the order of refs. The first error
// ends all.
func IdentifyAll(ctx context.Context, refs []string, o Options) ([]Found, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	found := make([]Found, len(refs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(o.Concurrency)
	for i, ref := range refs {
		group.Go(func() (err error) {
			found[i], err = Identify(ctx, ref, o)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return found, nil
}

// Recheck hashes an artifact again, the same way, and returns a
// [*MismatchError] where it is no longer what was found: it is hashed before
// the server runs and checked after it ended (decision 19).
func Recheck(ctx context.Context, f Found, o Options) error {
	return check(ctx, f.Ref, f.Artifact, "before", o)
}

// Check hashes the artifact at ref the way the sealed one was and returns a
// [*MismatchError] where the digests differ, or where the content is such that
// it has no digest of that kind: that is not what was sealed either. Any other
// error says that it could not be decided: the file, the registry or the context
// failed. Of a file it parses no more than the scope needs: where the digest
// covers the archive's bytes, nothing.
func Check(ctx context.Context, ref string, sealed seal.Artifact, o Options) error {
	return check(ctx, ref, sealed, "sealed", o)
}

func check(ctx context.Context, ref string, want seal.Artifact, against string, o Options) error {
	o.Type, o.Scope, o.Algorithm = want.Type, want.Scope, want.Digest.Algorithm()
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	got, err := hashAs(ctx, ref, o)
	switch {
	case err != nil && isOutside(err):
		return fmt.Errorf("artifact %.200q: %w", ref, err)
	case err != nil || got != want.Digest:
		return &MismatchError{Ref: ref, Against: against, Got: got, Want: want.Digest, Err: err}
	}
	return nil
}

// hashAs gives the digest of ref, of a type and scope that are known. A whole
// file or directory is only hashed; all else is identified.
func hashAs(ctx context.Context, ref string, o Options) (digest.Digest, error) {
	if o.Type != seal.Docker && o.Scope != seal.ScopeEntrypoint && !isRemote(ref) {
		f, err := openFile(ref)
		if err == nil {
			defer f.Close()
			return f.digest(ctx, ref, o)
		}
		if !errors.Is(err, errDirectory) {
			return "", err
		}
		if o.Type == seal.Source {
			tree, err := hashTree(ctx, ref, ref, nil, o)
			return tree.digest, err
		}
	}
	found, err := identify(ctx, ref, o)
	if err != nil {
		return "", err
	}
	return found.Artifact.Digest, nil
}

// isOutside says whether err comes from around an artifact, the system, a
// registry or the caller, and not from what is in it.
func isOutside(err error) bool {
	_, system := errors.AsType[syscall.Errno](err)
	return system || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrClosed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, ErrChanged) || errors.Is(err, errRegistry)
}

func (o Options) withDefaults() (Options, error) {
	switch o.Algorithm {
	case "":
		o.Algorithm = digest.SHA256
	case digest.SHA256, digest.SHA512:
	default:
		return o, fmt.Errorf("digest algorithm %.40q, want sha256 or sha512", string(o.Algorithm))
	}
	if o.Scope == "" {
		o.Scope = seal.ScopePackage
	}
	if !slices.Contains(seal.DigestScopes, o.Scope) {
		return o, fmt.Errorf("digest scope %.40q, want one of %s", string(o.Scope), join(seal.DigestScopes))
	}
	if o.Type != "" && !slices.Contains(seal.ArtifactTypes, o.Type) {
		return o, fmt.Errorf("artifact type %.40q, want one of %s", string(o.Type), join(seal.ArtifactTypes))
	}
	if o.Concurrency <= 0 {
		o.Concurrency = min(4, runtime.GOMAXPROCS(0))
	}
	return o, nil
}

// identify is Identify without the ref in its errors; o has its defaults.
func identify(ctx context.Context, ref string, o Options) (Found, error) {
	if isRemote(ref) {
		return identifyRemote(ctx, ref, o)
	}
	f, err := openFile(ref)
	if errors.Is(err, errDirectory) {
		return identifyDirectory(ctx, ref, o)
	}
	if err != nil {
		return Found{}, err
	}
	defer f.Close()
	found, err := identifyFile(ctx, f, ref, o)
	if err != nil {
		return Found{}, err
	}
	return found, f.unchanged()
}

const remotePrefix = "oci://"

func isRemote(ref string) bool { return strings.HasPrefix(ref, remotePrefix) }

// baseName is the name that an artifact without an identifier gets.
func baseName(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.Base(abs), nil
}
