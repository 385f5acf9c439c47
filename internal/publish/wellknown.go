package publish

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/opencontainers/go-digest"
)

// The names of MIS §16.1 and §18.1 on a host, and of the file that tells some
// hosts which headers to send.
const (
	wellKnownStem = ".well-known/" + DefaultStem
	keysName      = ".well-known/mcp-integrity-keys.json"
	headersName   = "_headers"
)

// wellKnown is well-known:DIR, the directory that a static host serves: a layout
// under .well-known, the keys of those who signed with one, and the headers that
// MIS §18.1 asks for, as Netlify and Cloudflare Pages read them from _headers.
//
// No other file of its owner is touched. The configurations of Vercel and of Azure
// Static Web Apps are JSON whose order and spelling is theirs; what to add there is
// said. And no .nojekyll is made for GitHub Pages: it would switch off Jekyll for
// the whole site, which may need it.
type wellKnown struct {
	layout
	onGitHub bool
}

var _ Place = (*wellKnown)(nil)

func openWellKnown(rest string, env Env) (Place, error) {
	if err := checkDir("well-known:DIR", rest); err != nil {
		return nil, err
	}
	w := &wellKnown{layout: newLayout("well-known:"+rest, rest, wellKnownStem, env)}
	w.onGitHub = env.Getenv != nil && env.Getenv("GITHUB_ACTIONS") == "true"
	return w, nil
}

func (w *wellKnown) String() string { return w.place }

// Check implements [Place].
func (w *wellKnown) Check(context.Context) error {
	if err := w.check(); err != nil || w.source {
		return err
	}
	f, err := w.open()
	if f == nil {
		return err
	}
	defer f.Close()
	standing, err := f.read(headersName, maxHosts)
	if err == nil {
		_, err = mergeHeaders(standing, hostRules(true))
	}
	if err != nil {
		return w.fail("read "+headersName, err)
	}
	if standing, err = f.read(keysName, limitOf(keysName)); err == nil && standing != nil {
		_, err = mergeKeys(standing, []byte(`{"keys":[]}`))
	}
	if err != nil {
		return w.fail("read "+keysName, err)
	}
	return nil
}

// AttestationURI implements [Place]: a directory does not know its host's name.
func (w *wellKnown) AttestationURI(Coming) (string, error) { return "", nil }

// Publish implements [Place]. A key stands there before what it signed does.
func (w *wellKnown) Publish(ctx context.Context, r Sealed) (Receipt, error) {
	return w.publish(ctx, r, w.hosted)
}

// Latest implements [Place].
func (w *wellKnown) Latest(context.Context) (Release, error) { return w.latest() }

// Find implements [Place].
func (w *wellKnown) Find(_ context.Context, payload digest.Digest) (Release, error) {
	f, err := w.open()
	if err != nil {
		return Release{}, err
	}
	if f == nil {
		return Release{}, w.none("there is no such directory yet")
	}
	defer f.Close()
	return w.find(f, payload)
}

// List implements [Place].
func (w *wellKnown) List(ctx context.Context) iter.Seq2[digest.Digest, error] { return w.list(ctx) }

// hosted puts what a host needs beside the releases.
func (w *wellKnown) hosted(ctx context.Context, p *publication) error {
	standing, err := p.f.read(keysName, limitOf(keysName))
	if err != nil {
		return err
	}
	if p.next.Keys != nil {
		merged, err := mergeKeys(standing, p.next.Keys)
		if err != nil {
			err = fmt.Errorf("%s: %w", keysName, err)
			return p.hinted(err, "give the key another name (keygen --key-id), or mend the document: a name stands for one key, for ever")
		}
		if err := p.put(ctx, keysName, merged); err != nil {
			return err
		}
		standing = merged
	}
	if err := w.headers(ctx, p, hostRules(standing != nil)); err != nil {
		return err
	}
	return w.hostNotes(p)
}

func (w *wellKnown) headers(ctx context.Context, p *publication, rules []hostRule) error {
	standing, err := p.f.read(headersName, maxHosts)
	if err != nil {
		return err
	}
	merged, err := mergeHeaders(standing, rules)
	if err != nil {
		err = fmt.Errorf("%s: %w", headersName, err)
		return p.hinted(err, fmt.Sprintf("delete the lines from %q to %q", headersBegin, headersEnd))
	}
	for i, clash := range clashes(merged, rules) {
		if i == 3 {
			break
		}
		p.note("%s: %s; hosts join the two values: leave our paths out of that rule", headersName, clash)
	}
	return p.put(ctx, headersName, merged)
}

// hostNotes says what the owner of a site has to do where we do not.
func (w *wellKnown) hostNotes(p *publication) error {
	envelope := hostRules(false)[0]
	for _, host := range []struct{ file, add string }{
		{"vercel.json", `to "headers" add {"source": %q, "headers": [{"key": "Content-Type", "value": %q}, {"key": "Cache-Control", "value": %q}]}`},
		{"staticwebapp.config.json", `to "routes" add {"route": %q, "headers": {"Content-Type": %q, "Cache-Control": %q}}`},
	} {
		text, err := p.f.read(host.file, maxHosts)
		if errors.Is(err, errNotFile) || text == nil || strings.Contains(string(text), envelope.path) {
			continue
		}
		p.note("%s: "+host.add, host.file, envelope.path, envelope.headers[0][1], envelope.headers[1][1])
	}
	return w.pagesNotes(p)
}

// pagesNotes are for GitHub Pages, where two things leave out names that begin
// with a dot: Jekyll, and actions/upload-pages-artifact since v4.
func (w *wellKnown) pagesNotes(p *publication) error {
	off, err := p.f.read(".nojekyll", maxHosts)
	if err != nil {
		return nil // whatever it is, it is there
	}
	config, err := p.f.read("_config.yml", maxHosts)
	if err == nil && off == nil && config != nil && !strings.Contains(string(config), ".well-known") {
		p.note(`_config.yml: Jekyll leaves out names that begin with a dot: add "include: [.well-known]"`)
	}
	if w.onGitHub {
		if off == nil && config == nil {
			p.note("where GitHub Pages serves a branch, Jekyll leaves out names that begin with a dot: an empty .nojekyll beside .well-known switches it off for the whole site")
		}
		p.note("actions/upload-pages-artifact leaves out .well-known, unless it is told include-hidden-files: true (v5)")
	}
	return nil
}
