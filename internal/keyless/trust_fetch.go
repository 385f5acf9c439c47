package keyless

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Bounds of a visit to a TUF repository: a dozen small files.
const (
	// fetchPatience is for all of it.
	fetchPatience = 30 * time.Second
	// fetchTries of one file, since a verifier that has an embedded root to fall
	// back on waits for nobody.
	fetchTries   = 3
	fetchWait    = 500 * time.Millisecond
	maxRedirects = 5
	// maxFetched is go-tuf's own bound of the largest metadata; a target is as
	// long as the metadata say.
	maxFetched = 5 << 20
	// cacheDays is how long a copy is used before the repository is asked again.
	cacheDays = 1
)

// The targets of a Sigstore TUF repository.
const (
	trustedRootTarget   = "trusted_root.json"
	signingConfigTarget = "signing_config.v0.2.json"
)

// TUFOptions say where a trusted root is fetched from.
type TUFOptions struct {
	// Profile is an instance known by name; "" is [PublicGood].
	Profile Profile
	// Mirror is the URL of a TUF repository, https or http, "" for the profile's
	// own. Root is its root.json, which the caller trusts; without one, the
	// profile's.
	Mirror string
	Root   []byte
	// CacheDir keeps what was fetched; "" keeps nothing.
	CacheDir string
	// Transport is for all requests, nil for [http.DefaultTransport].
	Transport http.RoundTripper
}

// FetchTrust fetches a trusted root through TUF, and with it the signing config,
// where the repository has one (GitHub's has none: nil). It ends when ctx does,
// and after half a minute in any case. A repository that does not answer is an
// [*Outage]; any other error is about what it answered.
func FetchTrust(ctx context.Context, o TUFOptions) (trust *Trust, signingConfig []byte, err error) {
	if o.Profile == "" {
		o.Profile = PublicGood
	}
	k, ok := profiles[o.Profile]
	if !ok {
		return nil, nil, fmt.Errorf("profile: got %.40q, want %q or %q", o.Profile, PublicGood, GitHub)
	}
	title, mirror, anchor := k.title, k.mirror, []byte(k.anchor)
	if o.Mirror != "" {
		title, mirror = "given TUF repository", o.Mirror
	}
	if o.Root != nil {
		anchor = o.Root
	}
	u, err := url.Parse(mirror)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, nil, fmt.Errorf("TUF mirror: got %.200q, want an https or http URL", mirror)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, fetchPatience, errFetchSlow)
	defer cancel()
	f := newTUFFetcher(ctx, o.Transport)
	root, config, err := fetchTargets(o.CacheDir, mirror, anchor, f)
	if err != nil {
		return nil, nil, f.explain(mirror, err)
	}
	if trust, err = parseTrustedRoot(root); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", mirror, err)
	}
	trust.source = fmt.Sprintf("%s, trusted root fetched from %s", title, u.Host)
	return trust, config, nil
}

var errFetchSlow = fmt.Errorf("no answer in %s", fetchPatience)

// fetchTargets walks the repository from the anchor to the two targets.
func fetchTargets(cacheDir, mirror string, anchor []byte, f *tufFetcher) (root, config []byte, err error) {
	options := &tuf.Options{Root: anchor, RepositoryBaseURL: mirror, Fetcher: f, CachePath: cacheDir, CacheValidity: cacheDays}
	if cacheDir == "" {
		options.DisableLocalCache = true
	}
	client, err := tuf.New(options)
	if err != nil {
		return nil, nil, err
	}
	if root, err = client.GetTarget(trustedRootTarget); err != nil {
		return nil, nil, err
	}
	before := f.requests
	config, err = client.GetTarget(signingConfigTarget)
	if err != nil && f.requests == before && f.down == nil {
		// Nothing was asked for: the signed metadata names no such target.
		return root, nil, nil
	}
	return root, config, err
}

// tufFetcher is go-tuf's way to the network, with the context that it lacks.
// One goroutine uses it.
type tufFetcher struct {
	ctx      context.Context
	client   *http.Client
	requests int
	started  time.Time
	// down is why the last file could not be had, nil where it could.
	down error
}

func newTUFFetcher(ctx context.Context, transport http.RoundTripper) *tufFetcher {
	return &tufFetcher{ctx: ctx, started: time.Now(), client: &http.Client{Transport: transport, CheckRedirect: noDetour}}
}

// noDetour follows few redirects, and none that gives up encryption.
func noDetour(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case via[0].URL.Scheme == "https" && r.URL.Scheme != "https":
		return fmt.Errorf("redirected from https to %s", r.URL.Scheme)
	}
	return nil
}

// DownloadFile implements go-tuf's fetcher.Fetcher. The timeout is unused there,
// too.
func (f *tufFetcher) DownloadFile(url string, limit int64, _ time.Duration) (data []byte, err error) {
	limit = min(limit, maxFetched)
	for try := 1; ; try++ {
		data, err = f.get(url, limit)
		if f.down = nil; err == nil || !again(err) {
			return data, err
		}
		f.down = err
		if try == fetchTries {
			return nil, err
		}
		select {
		case <-f.ctx.Done():
			return nil, err
		case <-time.After(fetchWait):
		}
	}
}

func (f *tufFetcher) get(url string, limit int64) ([]byte, error) {
	f.requests++
	request, err := http.NewRequestWithContext(f.ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "mcp-integrity")
	response, err := f.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		// go-tuf knows by this type where the chain of roots ends.
		return nil, &metadata.ErrDownloadHTTP{StatusCode: response.StatusCode, URL: url}
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, &metadata.ErrDownloadLengthMismatch{Msg: fmt.Sprintf("%s is longer than %d bytes", url, limit)}
	}
	return data, err
}

// again says whether another try may help: not where the answer is a plain no.
func again(err error) bool {
	var status *metadata.ErrDownloadHTTP
	var length *metadata.ErrDownloadLengthMismatch
	if errors.As(err, &status) {
		return status.StatusCode >= 500 || slices.Contains([]int{http.StatusRequestTimeout, http.StatusTooManyRequests}, status.StatusCode)
	}
	return !errors.As(err, &length)
}

// explain tells an outage from a repository that answers what does not hold.
func (f *tufFetcher) explain(mirror string, err error) error {
	if cause := context.Cause(f.ctx); cause != nil {
		f.down = cause
	}
	if f.down != nil {
		return &Outage{Service: Service{Name: "TUF repository", URL: mirror}, Attempts: f.requests, Elapsed: time.Since(f.started), Err: f.down}
	}
	return fmt.Errorf("trusted root from %s: %w", mirror, err)
}
