package artifact

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

// serve starts a registry on this machine and returns its host and the tally of
// paths that were asked for.
func serve(t *testing.T) (host string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodGet && strings.Contains(q.URL.Path, "/blobs/") {
			asked.Add(1)
		}
		inner.ServeHTTP(w, q)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), asked
}

// push uploads all blobs of a layout, and data as the manifest at ref.
func (l testLayout) push(t *testing.T, host, ref, mediaType, data string) {
	t.Helper()
	send := func(method, path, contentType, body string) {
		q, err := http.NewRequest(method, "http://"+host+path, strings.NewReader(body))
		mustDo(t, err)
		q.Header.Set("Content-Type", contentType)
		r, err := http.DefaultClient.Do(q)
		mustDo(t, err)
		r.Body.Close()
		if r.StatusCode/100 != 2 {
			t.Fatalf("%s %s: %s", method, path, r.Status)
		}
	}
	for name, body := range l {
		if hex, ok := strings.CutPrefix(name, "blobs/sha256/"); ok {
			send("POST", "/v2/acme/tools/blobs/uploads/?digest=sha256:"+hex, "application/octet-stream", body)
			if strings.Contains(body, `"mediaType":"`+manifestTypes[0]) {
				send("PUT", "/v2/acme/tools/manifests/sha256:"+hex, manifestTypes[0], body)
			}
		}
	}
	send("PUT", "/v2/acme/tools/manifests/"+ref, mediaType, data)
}

func TestIdentifyRemote(t *testing.T) {
	host, blobs := serve(t)
	l := newLayout()
	m := l.image(imageLabels, "layer", "platform", map[string]string{"os": "linux", "architecture": "amd64"})
	index := mustJSON(map[string]any{"schemaVersion": 2, "mediaType": indexTypes[0], "manifests": []any{m}})
	l.push(t, host, "1.2.4", indexTypes[0], index)

	o := Options{Anonymous: true}
	got := identifyOK(t, "oci://"+host+"/acme/tools:1.2.4", o)
	a := got.Artifact
	if a.Type != seal.Docker || a.Identifier != host+"/acme/tools" || a.Version != "1.2.4" || a.Digest != sha256Of(index) || got.Path != "" || got.File != "" {
		t.Errorf("by tag: got %+v, want the index %s", got, sha256Of(index))
	}
	if got.MCPName != "io.github.acme/tools" || got.Repository != "https://github.com/acme/tools" {
		t.Errorf("by tag: got %+v, want the labels' facts", got)
	}
	if n := blobs.Load(); n != 1 {
		t.Errorf("fetched %d blobs, want the config alone", n)
	}
	byDigest := identifyOK(t, "oci://"+host+"/acme/tools@"+string(m["digest"].(digest.Digest)), o)
	if byDigest.Artifact.Digest != m["digest"] || byDigest.Artifact.Version != "24.04" {
		t.Errorf("by digest: got %+v, want the manifest %s and the label's version", byDigest.Artifact, m["digest"])
	}
	if err := Recheck(context.Background(), got, o); err != nil {
		t.Error(err)
	}
	other := newLayout()
	om := other.image(nil, "another")
	body := other["blobs/sha256/"+om["digest"].(digest.Digest).Encoded()]
	other.push(t, host, "1.2.4", manifestTypes[0], body)
	mismatch, ok := errors.AsType[*MismatchError](Recheck(context.Background(), got, o))
	if !ok || mismatch.Got != sha256Of(body) || mismatch.Want != sha256Of(index) {
		t.Errorf("tag that moved: got %v, want a mismatch of %s and %s", mismatch, sha256Of(body), sha256Of(index))
	}
	if err := Check(context.Background(), "oci://"+host+"/acme/tools@"+string(a.Digest), a, o); err != nil {
		t.Errorf("the digest still is the digest: %v", err)
	}
	_, err := Identify(context.Background(), "oci://"+host+"/acme/tools:1.2.4", Options{Anonymous: true, Scope: seal.ScopeEntrypoint})
	wantErr(t, err, "names no main executable")
	_, err = Identify(context.Background(), "oci://"+host+"/acme/tools:none", o)
	wantErr(t, err, "answered 404, no such image")
	_, err = Identify(context.Background(), "oci://"+host+"/acme/tools:1.2.4", Options{Anonymous: true, Type: seal.NPM})
	wantErr(t, err, `is of type "docker" (OCI image), want "npm"`)
}

func TestRemoteRefuses(t *testing.T) {
	for ref, want := range map[string]string{
		"oci://":                            "names no registry",
		"oci://tools:1":                     "names no registry",
		"oci://acme/tools:1":                "names no registry",
		"oci://registry.example/acme/tools": "want oci://HOST/NAME@DIGEST or oci://HOST/NAME:TAG",
		"oci://registry.example/ACME/x:1":   "image reference",
		"oci://registry.example/x@sha256:1": "image reference",
		"oci://registry.example/x@md5:d41d8cd98f00b204e9800998ecf8427e": "image reference",
		"oci://https://registry.example/x:1":                            "image reference",
	} {
		_, err := Identify(context.Background(), ref, Options{Anonymous: true})
		wantErr(t, err, want)
	}
}

// roundTrip is a transport that answers by itself.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

func answer(q *http.Request, status int, header, value string, body io.Reader) *http.Response {
	return &http.Response{StatusCode: status, Request: q, Header: http.Header{header: {value}}, Body: io.NopCloser(body), ContentLength: -1}
}

func TestRemoteBounds(t *testing.T) {
	manifest := func(data string) roundTrip {
		return func(q *http.Request) (*http.Response, error) {
			if strings.HasSuffix(q.URL.Path, "/v2/") {
				return answer(q, 200, "Content-Type", "", strings.NewReader("")), nil
			}
			return answer(q, 200, "Content-Type", manifestTypes[0], strings.NewReader(data)), nil
		}
	}
	var plain atomic.Int64
	tests := map[string]struct {
		ref    string
		answer roundTrip
		want   string
	}{
		"plain http to a private address": {"10.1.2.3:5000/x:1", func(q *http.Request) (*http.Response, error) {
			if q.URL.Scheme == "http" {
				plain.Add(1)
			}
			return nil, errors.New("refused")
		}, "want https, plain http goes to this machine only"},
		"redirect to plain http": {"registry.example/x:1", func(q *http.Request) (*http.Response, error) {
			if q.URL.Scheme == "http" {
				plain.Add(1)
			}
			if strings.HasSuffix(q.URL.Path, "/v2/") {
				return answer(q, 200, "Content-Type", "", strings.NewReader("")), nil
			}
			return answer(q, 302, "Location", "http://other.example/", strings.NewReader("")), nil
		}, "want https"},
		"endless redirects": {"registry.example/x:1", func(q *http.Request) (*http.Response, error) {
			if strings.HasSuffix(q.URL.Path, "/v2/") {
				return answer(q, 200, "Content-Type", "", strings.NewReader("")), nil
			}
			return answer(q, 302, "Location", q.URL.String()+"x", strings.NewReader("")), nil
		}, "more than 64 requests"},
		"endless body": {"registry.example/x:1", func(q *http.Request) (*http.Response, error) {
			if strings.HasSuffix(q.URL.Path, "/v2/") {
				return answer(q, 200, "Content-Type", "", strings.NewReader("")), nil
			}
			return answer(q, 200, "Content-Type", manifestTypes[0], zeros{}), nil
		}, "more than 8388608 bytes"},
		"no manifest":     {"registry.example/x:1", manifest("hello"), "not strict JSON"},
		"another digest":  {"registry.example/x@" + string(sha256Of("x")), manifest("{}"), "does not match"},
		"schema 1":        {"registry.example/x:1", manifest(`{"schemaVersion":1,"fsLayers":[]}`), "want an index, with manifests, or a manifest"},
		"config by a lie": {"registry.example/x:1", manifest(`{"config":{"mediaType":"` + configTypes[0] + `","digest":"` + string(sha256Of("x")) + `","size":1},"layers":[]}`), "config sha256:"},
		"config too large": {"registry.example/x:1", manifest(`{"config":{"mediaType":"` + configTypes[0] + `","digest":"` + string(sha256Of("x")) + `","size":99999999},"layers":[]}`),
			"99999999 bytes, want at most"},
		"denied": {"registry.example/x:1", func(q *http.Request) (*http.Response, error) {
			return answer(q, 403, "Content-Type", "", strings.NewReader("")), nil
		}, "log in to it with read access"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := Options{Anonymous: true, Client: &http.Client{Transport: test.answer}}
			_, err := Identify(context.Background(), remotePrefix+test.ref, o)
			wantErr(t, err, test.want)
		})
	}
	if n := plain.Load(); n != 0 {
		t.Errorf("%d plain requests left this machine", n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "127.0.0.1": true, "127.8.9.1": true, "::1": true,
		"": false, "10.0.0.1": false, "localhost.example": false, "a.localhost": false, "127.0.0.1.example": false, "0.0.0.0": false,
	} {
		if got := isLoopback(host); got != want {
			t.Errorf("isLoopback(%q) = %v, want %v", host, got, want)
		}
	}
}
