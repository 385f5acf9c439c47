package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
	"github.com/mcp-integrity/seal-action/verify"
)

// gitlabCall is one request.
type gitlabCall struct {
	// op says what it is for, such as "upload mcp-integrity.json".
	op     string
	method string
	url    string
	query  url.Values
	body   []byte
	// kind is the body's media type.
	kind string
	// limit bounds the answer, in bytes.
	limit int64
	// client is another than the project's own, or nil.
	client *http.Client
}

// do sends a request and returns a successful answer's body. Any other outcome is
// an [*Error].
func (g *gitlab) do(ctx context.Context, c gitlabCall) ([]byte, http.Header, error) {
	req, err := c.request(ctx)
	if err != nil {
		return nil, nil, &Error{Place: g.place, Op: c.op, Err: errors.New("its URL cannot be asked"), Hint: "name the project and the tag as GitLab shows them"}
	}
	client := c.client
	if client == nil {
		client = g.client
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, g.unreached(c.op, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.limit+1))
	switch {
	case err != nil:
		return nil, nil, g.unreached(c.op, fmt.Errorf("the answer broke off: %w", err))
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, nil, g.refused(c.op, resp, body)
	case int64(len(body)) > c.limit:
		return nil, nil, &Error{Place: g.place, Op: c.op, Err: fmt.Errorf("more than %d bytes", c.limit), Hint: "what lies there is none of ours: look at it at " + g.server + "/" + g.project}
	case isGitLabWebPage(resp.Header, body):
		return nil, nil, g.unreached(c.op, errGitLabWebPage)
	}
	return body, resp.Header, nil
}

func (c gitlabCall) request(ctx context.Context) (*http.Request, error) {
	if c.method == http.MethodPut {
		// GitLab keeps every upload of a name: one more try is one more file.
		ctx = once(ctx)
	}
	u := c.url
	if len(c.query) > 0 {
		u += "?" + c.query.Encode()
	}
	var body io.Reader
	if c.body != nil {
		body = bytes.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, u, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, */*;q=0.5")
	req.Header.Set("User-Agent", "mcp-integrity")
	if c.kind != "" {
		req.Header.Set("Content-Type", c.kind)
	}
	return req, nil
}

// isGitLabWebPage says that an answer is for eyes: the sign-in page of GitLab, or of a
// proxy before it, comes with 200.
func isGitLabWebPage(header http.Header, body []byte) bool {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	return kind == "text/html" && isPage(body)
}

var errGitLabWebPage = errors.New("got a web page, such as for signing in, want the API's answer")

// ask gets JSON of a bounded size into v. Members that v does not know are
// GitLab's own affair.
func (g *gitlab) ask(ctx context.Context, op, path string, query url.Values, v any) (http.Header, error) {
	body, header, err := g.do(ctx, gitlabCall{op: op, method: http.MethodGet, url: g.root() + path, query: query, limit: maxGitLabPage})
	if err != nil {
		return nil, err
	}
	return header, g.decode(op, body, v)
}

func (g *gitlab) decode(op string, body []byte, v any) error {
	if err := strictjson.UnmarshalOpen(body, v); err != nil {
		return g.unreached(op, fmt.Errorf("the answer is not that of GitLab's API: %w", err))
	}
	return nil
}

// named names the place in an error of its shelf.
func (g *gitlab) named(err error) error {
	var named *Error
	if errors.As(err, &named) {
		return err
	}
	return &Error{Place: g.place, Op: "look for the release", Err: err, Hint: fmt.Sprintf("is %s%s the file that was published (--output)?", g.env.Stem, EnvelopeSuffix)}
}

// post sends JSON. What it answers is not needed: places look again.
func (g *gitlab) post(ctx context.Context, op, path string, v any) error {
	body, err := strictjson.Marshal(v)
	if err != nil {
		return &Error{Place: g.place, Op: op, Err: err, Hint: "tags and names are UTF-8 text"}
	}
	_, _, err = g.do(ctx, gitlabCall{op: op, method: http.MethodPost, url: g.root() + path, body: body, kind: "application/json", limit: maxGitLabPage})
	return err
}

// gitlabPage gets the n-th page of a list, from 1, and whether there is another.
func gitlabPage[T any](ctx context.Context, g *gitlab, op, path string, query url.Values, size, n int) ([]T, bool, error) {
	q := url.Values{"per_page": {strconv.Itoa(size)}, "page": {strconv.Itoa(n)}}
	for name, values := range query {
		q[name] = values
	}
	var page []T
	header, err := g.ask(ctx, op, path, q, &page)
	if err != nil {
		return nil, false, err
	}
	if len(page) > size {
		return nil, false, g.unreached(op, fmt.Errorf("a page of %d entries, want at most %d", len(page), size))
	}
	more := len(page) == size
	if next, said := header["X-Next-Page"]; said {
		// GitLab says it; a proxy may not let it through.
		more = len(page) > 0 && len(next) > 0 && next[0] != ""
	}
	return page, more, nil
}

// gitlabList gets a whole list of at most limit entries.
func gitlabList[T any](ctx context.Context, g *gitlab, op, path string, query url.Values, limit int) ([]T, error) {
	var all []T
	for n := 1; ; n++ {
		page, more, err := gitlabPage[T](ctx, g, op, path, query, gitlabPackagesPage, n)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(all) > limit {
			return nil, &Error{Place: g.place, Op: op, Err: fmt.Errorf("more than %d entries", limit), Hint: "another --output name keeps releases apart from what else lies there"}
		}
		if !more {
			return all, nil
		}
	}
}

// download gets a file that lies at a URL of this project, or where a release's
// link leads to. Only this GitLab gets the token, and its redirects lead to
// where it keeps its files; elsewhere a stranger's link reaches public hosts only.
func (g *gitlab) download(ctx context.Context, raw, name string) ([]byte, error) {
	op := "download " + name
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || !fetch.Secure(u) {
		return nil, &Error{Place: g.place, Op: op, Err: fmt.Errorf("the link leads to %.200q, want an https URL", fetch.PublicURL(raw)), Hint: "the release's link of that name is none of ours: remove it, or name another release by @TAG"}
	}
	c := gitlabCall{op: op, method: http.MethodGet, url: u.String(), limit: limitOf(name)}
	if !strings.HasPrefix(c.url, g.server+"/") || gitlabDots(u.Path) {
		c.client = g.stranger
	}
	body, _, err := g.do(ctx, c)
	return body, err
}

// gitlabUncertain says that a request may have taken effect although it failed.
func gitlabUncertain(err error) bool {
	var e *Error
	return errors.As(err, &e) && errors.Is(err, verify.ErrUnavailable) && (e.Status == 0 || e.Status == http.StatusRequestTimeout || e.Status >= 500)
}

// gitlabHasStatus says which answer an error came of.
func gitlabHasStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}

// settle makes one change: it tries, and where it is not known whether the change
// took effect, looks whether it did before it tries again.
func (g *gitlab) settle(ctx context.Context, change func() error, done func() (bool, error)) error {
	for try := 1; ; try++ {
		err := change()
		if err == nil || !gitlabUncertain(err) || ctx.Err() != nil {
			return err
		}
		did, look := done()
		if look == nil && did {
			return nil
		}
		if look != nil || try == maxGitLabTries {
			return err
		}
		g.notify(fmt.Sprintf("%v; it took no effect, trying again", err))
		if wait := g.pause(ctx, firstWait<<try); wait != nil {
			return err
		}
	}
}

func (g *gitlab) notify(line string) {
	if g.env.Notify != nil {
		g.env.Notify(line)
	}
}
