package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mcp-integrity/seal-action/seal"
)

// Bounds on what a server says about its document.
const (
	// maxValidator bounds an ETag or a date, in bytes: they are sent back.
	maxValidator = 1 << 10
	// maxFreshness is how long a server may call its document fresh.
	maxFreshness = 24 * time.Hour
)

// Validators name the version of a document by what its server said of it (RFC
// 9110 §8.8). Empty ones ask for the document whatever it is.
type Validators struct {
	ETag         string `json:"etag,omitzero"`
	LastModified string `json:"last_modified,omitzero"`
}

// A Version of a document.
type Version struct {
	// Body is nil where NotModified.
	Body []byte
	// NotModified says that the version asked about still stands.
	NotModified bool
	Validators
	// MaxAge is how long the server calls it fresh (RFC 9111 §5.2.2.1), at most
	// a day; zero where it does not say.
	MaxAge time.Duration
}

// GetIfChanged is [Get] for a document of which the caller has a version already.
func GetIfChanged(ctx context.Context, client *http.Client, u *url.URL, limit int64, have Validators) (Version, error) {
	name := PublicURL(u.String())
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Version{}, fmt.Errorf("%s cannot be fetched", name)
	}
	req.Header.Set("Accept", "application/json, */*;q=0.5")
	// A cache between us and the server is to ask the server, too: it may hold a
	// key that was revoked since.
	req.Header.Set("Cache-Control", "no-cache")
	conditional := false
	for header, value := range map[string]string{"If-None-Match": have.ETag, "If-Modified-Since": have.LastModified} {
		if value != "" && len(value) <= maxValidator {
			req.Header.Set(header, value)
			conditional = true
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return Version{}, fmt.Errorf("%w: GET %s: %w", seal.ErrUnavailable, name, Quiet(err))
	}
	defer resp.Body.Close()
	v := Version{Validators: validators(resp.Header), MaxAge: maxAge(resp.Header)}
	switch {
	case resp.StatusCode == http.StatusOK:
	case resp.StatusCode == http.StatusNotModified && conditional:
		v.NotModified = true
		if v.Validators == (Validators{}) { // RFC 9110 §15.4.5 lets it leave out what did not change
			v.Validators = have
		}
		return v, nil
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		return Version{}, fmt.Errorf("%w: GET %s: %w (HTTP %d)", seal.ErrUnavailable, name, ErrNotFound, resp.StatusCode)
	default:
		return Version{}, fmt.Errorf("%w: GET %s: got HTTP %d, want 200", seal.ErrUnavailable, name, resp.StatusCode)
	}
	if v.Body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1)); err != nil {
		return Version{}, fmt.Errorf("%w: GET %s: %w", seal.ErrUnavailable, name, err)
	}
	if int64(len(v.Body)) > limit {
		return Version{}, fmt.Errorf("GET %s: more than %d bytes", name, limit)
	}
	return v, nil
}

// Conditional gets documents by URL from servers that [Secure] allows.
type Conditional struct {
	Client *http.Client
	// Limit is of one document, in bytes.
	Limit int64
}

// Fetch is [GetIfChanged] for the URL in source.
func (c Conditional) Fetch(ctx context.Context, source string, have Validators) (Version, error) {
	u, err := url.Parse(source)
	if err != nil || u.Host == "" {
		return Version{}, errors.New("want the URL of a document")
	}
	if !Secure(u) {
		return Version{}, fmt.Errorf("%.200q: want https (http only on this machine)", PublicURL(source))
	}
	return GetIfChanged(ctx, c.Client, u, c.Limit, have)
}

// validators leaves out what is too long to be kept, or is no text.
func validators(h http.Header) Validators {
	usable := func(value string) string {
		if len(value) > maxValidator || !utf8.ValidString(value) {
			return ""
		}
		return value
	}
	return Validators{ETag: usable(h.Get("ETag")), LastModified: usable(h.Get("Last-Modified"))}
}

// maxAge reads Cache-Control. Of several ages the least counts, and one that
// cannot be read is none.
func maxAge(h http.Header) time.Duration {
	age := maxFreshness
	said := false
	for _, line := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
			switch name {
			case "no-store", "no-cache":
				return 0
			case "max-age":
				seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
				if err != nil {
					return 0
				}
				age, said = min(age, time.Duration(seconds)*time.Second), true
			}
		}
	}
	if !said {
		return 0
	}
	return age
}
