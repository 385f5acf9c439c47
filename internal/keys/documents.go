package keys

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/seal"
)

// ErrDocuments says that what is remembered of JWKS documents cannot be
// believed, or not be had. Nothing is taken from it then: to go on without it
// would be to forget a revocation. It comes with [seal.ErrUnavailable].
var ErrDocuments = errors.New("remembered key documents cannot be used")

// ErrNotSeen says that a run without network needs a document that no earlier
// run kept. It comes with [seal.ErrUnavailable].
var ErrNotSeen = errors.New("no earlier run kept this key document")

// Fetcher gets JWKS documents by URL; [fetch.Conditional] is one. It reads no
// more than [MaxSetSize] bytes.
type Fetcher interface {
	Fetch(ctx context.Context, source string, have fetch.Validators) (fetch.Version, error)
}

// Documents remembers JWKS documents, so that a revocation that was seen once is
// not taken back by a document that lacks it (decision 17), and so that a run
// without network has keys.
//
// It keeps them in a directory, private to its user, one file for each source:
// the newest document, by which its server knows it, the keys that the source
// ever showed, and every notice that ever held there, with the key that signed
// it and the revoked one where it was known. The first line of a file is the
// SHA-256 of the rest; a notice that is read back is verified again.
//
// # What is noticed
//
// A document that lacks a notice which it had, or has it changed: the old one
// keeps its effect, and [Document.Regression] says so. A document that shows a
// revoked key again, under whatever name. A file that was edited without care,
// cut short, or put in another source's place: an error that wraps
// [ErrDocuments].
//
// # What is not
//
// What no run of this user saw: whoever first sees the swapped document sees
// nothing wrong. A file, or the directory, that was removed or put back as it
// was earlier. Whoever can write the directory can do that, and can add a file
// of their own making; nobody but its user is let in. A mirror is another source,
// and so is another file; another spelling of a path or URL, or a link to the
// file, is not.
//
// # Crashes
//
// A file appears whole, by rename, after it reached the disk. Writers hold a
// lock, which the operating system gives back when they die, and add to what the
// others wrote. What [Documents.Load] returned from is kept.
type Documents struct {
	dir string
	now func() time.Time
}

// OpenDocuments returns the documents that are kept in dir, an absolute path;
// nothing needs to be there. With an empty dir nothing is kept, and nothing
// that was dropped is noticed.
func OpenDocuments(dir string) (*Documents, error) {
	if dir != "" && !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("directory of key documents %.200q: want an absolute path: one kept amid a checkout would be the checkout's word", dir)
	}
	if dir != "" {
		dir = filepath.Clean(dir)
	}
	return &Documents{dir: dir, now: time.Now}, nil
}

// A Document is what [Documents.Load] found.
type Document struct {
	Set Set
	// Checked is when the source last confirmed the document; zero for a file.
	Checked time.Time
	// Stale says why the source was not asked, or did not answer, and the kept
	// document stands in for it; nil where it answered.
	Stale error
	// Regression is nil where every notice that was seen before is still there.
	Regression *Regression
}

// A Regression is a document that lacks revocations which it had before. The
// keys stay revoked in the [Document]'s Set.
type Regression struct {
	Source string
	// KeyIDs are the revoked keys, in order.
	KeyIDs []string
}

func (r *Regression) Error() string {
	return fmt.Sprintf("%s: the key document lacks the revocation of %.200q, which it had before; it keeps its effect", shownSource(r.Source), r.KeyIDs)
}

// Load returns the document of a source: an https URL, which f gets, or the
// absolute path of a file, which is read. The source is asked every time, with
// the validators of the kept document: a revocation works at once, cached or
// not. known is as for [ParseSet].
//
// A nil f is a run without network: the kept document serves, however old, and
// without one the error is [ErrNotSeen]. A server that does not answer is
// replaced by the kept document as long as it called that one fresh. One that
// answers, but not with a usable document, is not.
func (d *Documents) Load(ctx context.Context, source string, f Fetcher, known ...PublicKey) (Document, error) {
	err := checkSource(source)
	var doc Document
	if err == nil {
		doc, err = d.load(ctx, canonical(source), f, known)
	}
	if err != nil {
		return Document{}, fmt.Errorf("key document %s: %w", shownSource(source), err)
	}
	return doc, nil
}

func (d *Documents) load(ctx context.Context, source string, f Fetcher, known []PublicKey) (Document, error) {
	kept, err := d.read(ctx, source)
	if err != nil {
		return Document{}, err
	}
	fresh, stale, err := d.ask(ctx, source, f, kept)
	if err != nil {
		return Document{}, err
	}
	body := kept.Body
	if fresh != nil {
		body = fresh.Body
	}
	if stale != nil {
		doc, _, err := kept.judge(source, body, known)
		doc.Checked, doc.Stale = kept.Checked, stale
		return doc, err
	}
	return d.update(ctx, source, fresh, known)
}

// ask returns the version that the source has now, or why the kept one serves.
func (d *Documents) ask(ctx context.Context, source string, f Fetcher, kept *record) (fresh *record, stale, err error) {
	if filepath.IsAbs(source) {
		body, err := readFile(source, MaxSetSize)
		return &record{Body: body}, nil, err
	}
	if f == nil {
		if kept.Body == nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrNotSeen, seal.ErrUnavailable)
		}
		return nil, errors.New("this run uses no network"), nil
	}
	at := d.now().UTC()
	have := kept.Validators
	if kept.Body == nil {
		have = fetch.Validators{}
	}
	v, err := f.Fetch(ctx, source, have)
	switch unanswered := errors.Is(err, seal.ErrUnavailable) && !errors.Is(err, fetch.ErrNotFound); {
	case err != nil && unanswered && ctx.Err() == nil && kept.fresh(at):
		return nil, err, nil
	case err != nil:
		return nil, nil, err
	case v.NotModified && kept.Body == nil:
		return nil, nil, fmt.Errorf("%w: it was not modified, says the server, and was never had", seal.ErrUnavailable)
	case v.NotModified:
		v.Body = kept.Body
	}
	return &record{Body: v.Body, Validators: v.Validators, MaxAge: int64(v.MaxAge / time.Second), Checked: at}, nil, nil
}

// update adds what is new to what is kept, and returns all of it. Another
// process may have written since kept was read: the lock is held from reading
// again until all is written.
func (d *Documents) update(ctx context.Context, source string, fresh *record, known []PublicKey) (Document, error) {
	kept := &record{}
	if d.dir != "" {
		// A document that is no good is refused before it makes a directory.
		if _, err := parseSet(fresh.Body); err != nil {
			return Document{}, fmt.Errorf("JWKS document: %w", err)
		}
		s, err := d.openAlone(ctx)
		if err != nil {
			return Document{}, err
		}
		defer s.close()
		if kept, err = s.read(source); err != nil {
			return Document{}, err
		}
		doc, next, err := kept.judge(source, fresh.Body, known)
		if err != nil {
			return Document{}, err
		}
		next.Validators, next.MaxAge, next.Checked = fresh.Validators, fresh.MaxAge, fresh.Checked
		doc.Checked = fresh.Checked
		return doc, s.write(source, kept, next)
	}
	doc, _, err := kept.judge(source, fresh.Body, known)
	doc.Checked = fresh.Checked
	return doc, err
}

// judge returns the document in body, in the light of what is kept, and what to
// keep from now on.
func (r *record) judge(source string, body []byte, known []PublicKey) (Document, *record, error) {
	s, err := parseSet(body)
	if err != nil {
		return Document{}, nil, fmt.Errorf("JWKS document: %w", err)
	}
	s.known, s.former = known, r.keys
	for _, old := range r.revocations {
		old.Remembered = true
		s.remembered = append(s.remembered, old)
	}
	s.settle() // with all that is remembered: it may name a signer
	var lost []string
	s.remembered = slices.DeleteFunc(s.remembered, func(old Revocation) bool {
		if slices.ContainsFunc(s.Revocations, old.isHeld) {
			return true
		}
		if !s.has(old.Notice) {
			lost = append(lost, old.Notice.RevokedKeyID)
		}
		return false
	})
	s.settle()
	next := &record{Source: source, Body: body, keys: slices.Clone(r.keys), revocations: slices.Clone(r.revocations)}
	next.learn(&s)
	doc := Document{Set: s}
	if len(lost) > 0 {
		slices.Sort(lost)
		doc.Regression = &Regression{Source: source, KeyIDs: slices.Compact(lost)}
	}
	return doc, next, nil
}

// isHeld says whether o, a notice of the document itself, revokes all that r does.
func (r Revocation) isHeld(o Revocation) bool {
	return !o.Remembered && r.Notice.RevokedKeyID == o.Notice.RevokedKeyID && (r.Revoked.Thumbprint == "" || r.Revoked.Thumbprint == o.Revoked.Thumbprint)
}

// fresh says whether the server called the kept document fresh, at this time.
func (r *record) fresh(at time.Time) bool {
	age := at.Sub(r.Checked)
	return r.Body != nil && age >= 0 && age < time.Duration(r.MaxAge)*time.Second
}

// checkSource refuses what would be another source tomorrow, or holds a secret.
func checkSource(source string) error {
	if len(source) > maxSource {
		return fmt.Errorf("%d bytes, want %d at most", len(source), maxSource)
	}
	if filepath.IsAbs(source) {
		return nil
	}
	u, err := url.Parse(source)
	if err != nil || u.Host == "" || !fetch.Secure(u) {
		return errors.New("want an https URL (http only on this machine), or the absolute path of a file")
	}
	if u.User != nil {
		return errors.New("a URL with a user in it is not kept")
	}
	return nil
}

// canonical is the one spelling of a source that [checkSource] accepts. A spelling
// that was not seen before would be a document without a past.
func canonical(source string) string {
	if filepath.IsAbs(source) {
		source = filepath.Clean(source)
		if target, err := filepath.EvalSymlinks(source); err == nil {
			return target
		}
		return source // what cannot be resolved cannot be read either, and says so
	}
	u, err := url.Parse(source)
	if err != nil {
		return source
	}
	port := u.Port()
	if port == map[string]string{"https": "443", "http": "80"}[u.Scheme] {
		port = ""
	}
	u.Host = strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if strings.Contains(u.Host, ":") {
		u.Host = "[" + u.Host + "]"
	}
	if port != "" {
		u.Host += ":" + port
	}
	u.Fragment, u.RawFragment, u.ForceQuery = "", "", false
	if !strings.Contains(strings.ToLower(u.RawPath), "%2f") {
		u.RawPath = "" // %6b is k; an escaped slash is no slash
	}
	return u.JoinPath().String()
}

// shownSource is a source as an error may show it: without a query, which may be
// a secret.
func shownSource(source string) string {
	if strings.Contains(source, "://") {
		source = fetch.PublicURL(source)
	}
	return fmt.Sprintf("%.200q", source)
}
