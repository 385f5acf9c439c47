package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kballard/go-shellquote"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/audit"
	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/internal/publish"
	"github.com/mcp-integrity/seal-action/internal/tofu"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// once is a surface that is looked at once: what the manifest was found by is
// what it is compared with.
type once struct {
	*surface
	sync.Once
	seen verify.Observation
	err  error
}

// Observe implements [verify.Surface].
func (o *once) Observe(ctx context.Context) (verify.Observation, error) {
	o.Do(func() { o.seen, o.err = o.surface.Observe(ctx) })
	return o.seen, o.err
}

// discover looks for the manifest of a server that nobody named one for, in the
// order of MIS §18.4: where the server says, beside it, on its host, in the
// registry that is named. A server that would have to be started is asked after
// the file that lies beside it: who has one is not to be led elsewhere by code
// that nobody vouched for yet.
func (i *invocation) discover(ctx context.Context, v *verifier) ([]byte, error) {
	remote := v.surface != nil && v.surface.target.URL != ""
	if remote {
		if data, err := i.whereItSays(ctx, v); data != nil || err != nil {
			return data, err
		}
	}
	if data, err := i.besideIt(v); data != nil || err != nil {
		return data, err
	}
	if remote {
		at, err := siteOf(v.surface.target.URL)
		if err != nil {
			return nil, usagef("--server-url: %w", err)
		}
		i.note("manifest: %s", at+wellKnown)
		data, err := i.fetch(ctx, at+wellKnown, seal.MaxEnvelopeSize)
		if err == nil || !errors.Is(err, fetch.ErrNotFound) {
			return data, err
		}
	} else if v.surface != nil {
		if data, err := i.whereItSays(ctx, v); data != nil || err != nil {
			return data, err
		}
	}
	if i.str("registry") != "" {
		return i.inRegistry(ctx, v)
	}
	if i.elsewhere {
		return nil, fmt.Errorf("%w: neither where the server says, nor beside it, nor on its host", errNoManifest)
	}
	return nil, fmt.Errorf("%w: there is no ./%s, none beside the server, and no file or URL was named", errNoManifest, defaultManifest)
}

// whereItSays follows the server's manifest_url (MIS §17.1). It is a stranger's
// word on where to look: guarded, unless it is the host that was named.
func (i *invocation) whereItSays(ctx context.Context, v *verifier) ([]byte, error) {
	seen, err := v.surface.Observe(ctx)
	if err != nil || seen.ManifestURL == "" {
		return nil, nil // what is wrong with the server is told when it is verified
	}
	u, err := url.Parse(seen.ManifestURL)
	if err != nil || u.Host == "" || !fetch.Secure(u) {
		return nil, fmt.Errorf("%w: the server's manifest_url %.200q: want https://HOST/PATH", verify.ErrUnavailable, fetch.PublicURL(seen.ManifestURL))
	}
	if i.is("offline") {
		return nil, fmt.Errorf("%w: the server's manifest_url %.200q is not fetched: --offline", verify.ErrUnavailable, fetch.PublicURL(seen.ManifestURL))
	}
	client := fetch.Guarded()
	if named, err := url.Parse(v.surface.target.URL); err == nil && named.Host != "" && named.Host == u.Host {
		client = fetch.Client()
	}
	i.note("manifest: %s, as the server says", fetch.PublicURL(seen.ManifestURL))
	data, err := fetch.Get(ctx, client, u, seal.MaxEnvelopeSize)
	if err != nil && !errors.Is(err, verify.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", verify.ErrUnavailable, err)
	}
	return data, err
}

// besideIt is the manifest in this directory, or in the root of the package whose
// program is started (MIS §18.3).
func (i *invocation) besideIt(v *verifier) ([]byte, error) {
	name := defaultManifest
	if i.elsewhere || !isRegular(name) {
		if v.surface == nil {
			return nil, nil
		}
		if name = packageManifest(v.surface.target.Command, i.str("cwd")); name == "" {
			return nil, nil
		}
	}
	if name == defaultManifest {
		i.note("manifest: ./%s", name)
	} else {
		i.note("manifest: %s", name)
	}
	return readFile(name, seal.MaxEnvelopeSize)
}

// packageMarks are the files by which a directory is the root of a package.
var packageMarks = []string{"package.json", "pyproject.toml", "PKG-INFO", "Cargo.toml", "manifest.json"}

// maxParents is how far above a program its package's root is looked for.
const maxParents = 8

// packageManifest is the manifest in the root of the package that a command's
// program lies in, or beside the program, "" where there is none. A manifest
// elsewhere is about something else.
func packageManifest(argv []string, cwd string) string {
	for _, word := range programWords(argv) {
		if !filepath.IsAbs(word) {
			word = filepath.Join(cwd, word)
		}
		at, err := filepath.EvalSymlinks(word)
		if err != nil || !isRegular(at) {
			continue
		}
		dir := filepath.Dir(at)
		for n := range maxParents {
			root := isPackageRoot(dir)
			if found := filepath.Join(dir, defaultManifest); (n == 0 || root) && isRegular(found) {
				return found
			}
			if root || dir == filepath.Dir(dir) {
				break
			}
			dir = filepath.Dir(dir)
		}
	}
	return ""
}

func isPackageRoot(dir string) bool {
	for _, mark := range packageMarks {
		if _, err := os.Stat(filepath.Join(dir, mark)); err == nil {
			return true
		}
	}
	return false
}

// inRegistry asks the registry's endpoint of MIS §18.2, by the namespace that is
// expected and the name that the server gives itself.
func (i *invocation) inRegistry(ctx context.Context, v *verifier) ([]byte, error) {
	if v.surface == nil || i.str("namespace") == "" {
		return nil, usagef("--registry needs a server, and --namespace: they are the name that is asked for").
			withHint("registry:URL@NAMESPACE/NAME names a release whole")
	}
	seen, err := v.surface.Observe(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoManifest, err)
	}
	place, err := publish.Open("registry:"+i.str("registry")+"@"+i.str("namespace")+"/"+seen.Server.Name, publish.Env{Getenv: i.Getenv, Now: i.Now, ReadOnly: true})
	if err != nil {
		return nil, usagef("--registry: %w", err)
	}
	v.place = place
	return v.fromPlace(ctx)
}

// unsealed is the verdict on a server without a manifest: it is held against what
// it served when it was first met (MIS §20.2).
func (i *invocation) unsealed(ctx context.Context, v *verifier, code seal.Code, reason error) (*verify.Result, error) {
	if v.surface == nil {
		return v.NotFound(code, reason), nil
	}
	return v.Unsealed(ctx, v.FirstUse, v.FirstUseKey, code, reason), nil
}

// acquaint gives a verifier what was kept of a server that a host knows by key.
func (i *invocation) acquaint(v *verifier, key verify.FirstUseKey) error {
	dir := i.stateDir("tofu")
	if dir == "" || v.surface == nil {
		return nil
	}
	store, err := tofu.Open(dir)
	if err != nil {
		return usagef("--memory: %w", err)
	}
	v.FirstUse, v.FirstUseKey = store, key
	return nil
}

// met keeps that a server had a manifest of whom was expected, so that one without
// is noticed. What keeps it from that says nothing about the server.
func (i *invocation) met(ctx context.Context, v *verifier, r *verify.Result) {
	if v.FirstUse == nil || i.str("key") == "local" || r.Observed != verify.Live || len(r.Errors) > 0 || r.Publisher == nil || !r.Publisher.Expected {
		return
	}
	if err := v.FirstUse.Sealed(ctx, v.FirstUseKey, r.Publisher.Namespace, v.surface.seen, i.Now()); err != nil {
		i.warn("that this server has a manifest cannot be kept: %v", err)
	}
}

// stateWords are the words that name where this run keeps what it saw, where its
// caller named that.
func (i *invocation) stateWords() []string {
	if i.has("memory") && i.given("memory") {
		return []string{"--memory", i.str("memory")}
	}
	return nil
}

// ownHost is the host application of servers that are named on our own command
// line.
const ownHost = "mcp-integrity"

// name is a server as its user names it: by its URL, or by its command and where
// that runs. It is kept and printed: what looks secret stands in it by its digest.
func (s *surface) name() string {
	if s.target.URL != "" {
		name := fetch.PublicURL(s.target.URL)
		if u, err := url.Parse(s.target.URL); err == nil && u.RawQuery != "" {
			name += "?" + short(u.RawQuery)
		}
		return name
	}
	if !s.live() {
		return "snapshot " + s.snapshot
	}
	dir, err := filepath.Abs(s.target.Dir)
	if err != nil {
		dir = s.target.Dir
	}
	return shellquote.Join(withoutSecrets(s.target.Command)...) + " in " + dir
}

// secretFlag is a flag whose value is most likely a secret.
var secretFlag = regexp.MustCompile(`(?i)^--?[a-z0-9_-]*(key|token|secret|passw|credential|auth|bearer)[a-z0-9_-]*(=|$)`)

// withoutSecrets has digests in the place of the values of such flags.
func withoutSecrets(argv []string) []string {
	quiet := slices.Clone(argv)
	for n, word := range argv {
		flag, value, joined := strings.Cut(word, "=")
		switch {
		case !secretFlag.MatchString(word):
		case joined:
			quiet[n] = flag + "=" + short(value)
		case n+1 < len(argv) && !strings.HasPrefix(argv[n+1], "-"):
			quiet[n+1] = short(argv[n+1])
		}
	}
	return quiet
}

// short tells texts apart without showing them.
func short(text string) string { return "sha256:" + digest.FromString(text).Encoded()[:16] }

// log appends what happened to the audit log (MIS §20.3). A run that cannot be
// logged, though it was asked to, is not decided.
func (i *invocation) log(results ...*verify.Result) error {
	path := i.str("audit-log")
	if path == "" {
		return nil
	}
	log, err := audit.Open(path)
	if err != nil {
		return undecidedf("--audit-log: %w", err)
	}
	for _, r := range results {
		if err := log.Append(verify.Events(r)...); err != nil {
			return undecidedf("--audit-log: %w", err)
		}
	}
	return nil
}
