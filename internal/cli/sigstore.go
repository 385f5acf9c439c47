package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/seal"
)

// sigstore is the Sigstore instance that the options name. The network is asked
// for its trusted root only when a bundle is to be verified, and once.
type sigstore struct {
	inv  *invocation
	once sync.Once
	// signing is what --signing-config says, nil where it is not given; tufRoot
	// what --tuf-root holds.
	signing *keyless.Services
	tufRoot []byte

	trust *keyless.Trust
	// config is the signing config that the TUF repository gave, nil where it
	// has none or was not asked.
	config []byte
	err    error
}

// Bounds on the files that name a Sigstore instance; the public ones take 10 kB.
const maxSigstoreFile = 4 << 20

// sigstoreOf checks the options that name an instance, as far as no work is
// needed.
func sigstoreOf(i *invocation) (*sigstore, error) {
	if i.shared != nil {
		return i.shared.sigstore, nil
	}
	root, mirror, tufRoot := i.str("trusted-root"), i.str("tuf-mirror"), i.str("tuf-root")
	switch {
	case root != "" && mirror != "":
		return nil, usagef("--trusted-root and --tuf-mirror exclude each other: want one source of trust")
	case (mirror == "") != (tufRoot == ""):
		return nil, usagef("--tuf-mirror and --tuf-root go together: a repository is trusted from a root that you have")
	case mirror != "" && i.has("offline") && i.is("offline"):
		return nil, usagef("--offline and --tuf-mirror exclude each other: name a --trusted-root file")
	}
	s := &sigstore{inv: i}
	return s, s.readFiles()
}

// readFiles reads what the options name: a file that is wrong is wrong use, and
// found before any work.
func (s *sigstore) readFiles() error {
	for _, f := range []struct {
		option string
		read   func([]byte) error
	}{
		{"trusted-root", func(data []byte) (err error) { s.trust, err = keyless.ParseTrustedRoot(data); return err }},
		{"tuf-root", func(data []byte) error { s.tufRoot = data; return nil }},
		{"signing-config", func(data []byte) (err error) {
			s.signing, err = keyless.ParseSigningConfig(data, s.inv.Now())
			return err
		}},
	} {
		if !s.inv.has(f.option) || s.inv.str(f.option) == "" {
			continue
		}
		path := s.inv.str(f.option)
		data, err := readFile(path, maxSigstoreFile)
		if err == nil {
			err = f.read(data)
		}
		if err != nil {
			return &exitError{code: ExitUsage, err: fmt.Errorf("--%s %s: %w", f.option, path, plain(err))}
		}
	}
	return nil
}

// plain is an error without the exit code that it had.
func plain(err error) error {
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.err
	}
	return err
}

// Trust returns the trusted roots, from the file that is named, from the TUF
// repository, or from the copy in this program.
func (s *sigstore) Trust(ctx context.Context) (*keyless.Trust, error) {
	s.once.Do(func() { s.err = s.load(ctx) })
	return s.trust, s.err
}

func (s *sigstore) load(ctx context.Context) error {
	i := s.inv
	switch {
	case s.trust != nil:
		return nil
	case i.has("offline") && i.is("offline"):
		s.trust = embedded()
		return nil
	}
	o := keyless.TUFOptions{Mirror: i.str("tuf-mirror"), Root: s.tufRoot, CacheDir: s.cacheDir()}
	trust, config, err := keyless.FetchTrust(ctx, o)
	switch {
	case err == nil && o.Mirror != "":
		s.trust, s.config = trust, config
	case err == nil:
		s.trust, s.config = keyless.Join(trust, keyless.Embedded(keyless.GitHub)), config
	case o.Mirror != "":
		return undecidedf("--tuf-mirror: %w", err)
	default:
		s.trust = embedded()
		i.note("the public Sigstore's trusted root could not be fetched (%v): the copy in this program is used", err)
	}
	return nil
}

// embedded are the roots in this program: the public instance's, and GitHub's
// own, where private repositories sign.
func embedded() *keyless.Trust {
	return keyless.Join(keyless.Embedded(keyless.PublicGood), keyless.Embedded(keyless.GitHub))
}

// services are where to sign for a build, nil where no platform vouches for one:
// as the file or the TUF repository says that is named, else at the public
// instance; for a private repository on GitHub, unless a public log is allowed,
// at GitHub's own.
func (s *sigstore) services(ctx context.Context, build *provenance.Build) (*keyless.Services, error) {
	i := s.inv
	if s.signing != nil {
		return s.signing, nil
	}
	if i.str("tuf-mirror") == "" && build != nil && build.Visibility != "public" && build.Platform == provenance.GitHub && !i.is("allow-public-log") {
		i.noteOnce(fmt.Sprintf("the repository is %s: it signs at GitHub's own Sigstore, and stands in no public log", build.Visibility))
		return keyless.GitHubServices(), nil
	}
	if _, err := s.Trust(ctx); err != nil {
		return nil, err
	}
	switch {
	case s.config != nil:
		services, err := keyless.ParseSigningConfig(s.config, i.Now())
		if err != nil {
			return nil, undecidedf("the signing config of the TUF repository: %w", err)
		}
		return services, nil
	case i.str("tuf-mirror") != "":
		return nil, usagef("--tuf-mirror has no signing config").withHint("--signing-config FILE")
	}
	return keyless.PublicGoodServices(), nil
}

// cacheDir is where TUF metadata is kept between runs; "" where nothing can be.
func (s *sigstore) cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "mcp-integrity", "tuf")
}

// authenticator knows keys, and who stands behind certificates: what decides is
// whether a statement was signed as a Sigstore bundle. Nobody expected and named
// false: a certificate of anybody is authentic, and not expected.
type authenticator struct {
	sigstore *sigstore
	keys     seal.Keys
	expected []seal.Identity
	// named says that the caller expects somebody, if only by key or namespace.
	named bool
	// documents say how keys stand: live, retired or revoked.
	documents []keys.Set
}

// Authenticate implements [seal.Authenticator]. The trusted root is had when the
// first certificate is seen.
func (a authenticator) Authenticate(ctx context.Context, s seal.Signature, message []byte) (seal.Authenticated, error) {
	statement, err := seal.StatementOf(s)
	if err != nil || !seal.IsBundle(statement) {
		return a.byKey(ctx, s, message)
	}
	trust, err := a.sigstore.Trust(ctx)
	if err != nil {
		return seal.Authenticated{}, err
	}
	auth, err := keyless.Authenticator{Trust: trust, Expected: a.expected, Roles: a.keys.Roles}.Authenticate(ctx, s, message)
	if err == nil && auth.Unexpected != nil && a.named {
		// A stranger's certificate does not stand in for the key or the namespace
		// that the caller named.
		return seal.Authenticated{}, &seal.Error{Code: seal.CodeIdentityMismatch, Err: fmt.Errorf(
			"keyid %.100q: it was signed under the certificate of %.200q, and neither a key nor a namespace that was named proves that this is who is expected", s.KeyID, auth.Certificate.SAN)}
	}
	return auth, err
}

// byKey authenticates a signature under a key, unless the key was revoked.
func (a authenticator) byKey(ctx context.Context, s seal.Signature, message []byte) (seal.Authenticated, error) {
	who, err := a.keys.Authenticate(ctx, s, message)
	switch {
	case err == nil:
		err = standing(a.documents, s, who)
	case seal.CodeOf(err, 0) == seal.CodeSignatureKeyNotFound:
		err = cmp.Or(revoked(a.documents, s), err)
	}
	if err != nil {
		return seal.Authenticated{}, err
	}
	return who, nil
}

// others is whose signatures count on the releases before this one, and beside
// it: who pins a tag, a workflow or a runner pins that of this release. The chain
// holds them to the same repository and owner, by name and by number.
func (a authenticator) others() authenticator {
	expected := a.expected
	a.expected = nil
	for _, id := range expected {
		if id.Owner != "" || id.Repository != "" {
			id.SAN = ""
		}
		id.Workflow, id.Ref, id.SelfHosted = "", "", true
		if before, _, ok := strings.Cut(id.SAN, tagMark); ok {
			id.SAN = before + tagMark + "*"
		}
		a.expected = append(a.expected, id)
	}
	return a
}

// tagMark stands in the subject of a workflow's certificate before a tag.
const tagMark = "@refs/tags/"
