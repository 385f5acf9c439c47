package ocitest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// client asks a registry, and gives status, headers and body.
type client struct {
	t   *testing.T
	url string
}

func (c client) do(method, path, contentType, body string) (*http.Response, string) {
	c.t.Helper()
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, string(data)
}

func (c client) want(status int, method, path, contentType, body string) (*http.Response, string) {
	c.t.Helper()
	resp, got := c.do(method, path, contentType, body)
	if resp.StatusCode != status {
		c.t.Fatalf("%s %s: got HTTP %d %s, want %d", method, path, resp.StatusCode, got, status)
	}
	return resp, got
}

func (c client) blob(data string) string {
	c.t.Helper()
	begun, _ := c.want(202, "POST", "/v2/a/b/blobs/uploads/", "", "")
	at := begun.Header.Get("Location")
	c.want(400, "PUT", at+"&digest="+digestOf([]byte("other")), "", data)
	c.want(201, "PUT", at+"&digest="+digestOf([]byte(data)), "", data)
	return digestOf([]byte(data))
}

func serve(t *testing.T, g *Registry) client {
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	return client{t, s.URL}
}

// referrer pushes an artifact that refers to subject.
func (c client) referrer(artifactType, subject string, n int) (digest string, pushed *http.Response) {
	c.t.Helper()
	config := c.blob("{}")
	m := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"artifactType":%q,"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":%q,"size":2},`+
		`"layers":[],"subject":{"mediaType":%q,"digest":%q,"size":1},"annotations":{"n":"%d"}}`, manifestType, artifactType, config, indexType, subject, n)
	digest = digestOf([]byte(m))
	pushed, _ = c.want(201, "PUT", "/v2/a/b/manifests/"+digest, manifestType, m)
	return digest, pushed
}

func TestPushAndPull(t *testing.T) {
	c := serve(t, &Registry{})
	c.want(200, "GET", "/v2/", "", "")
	if _, body := c.want(404, "GET", "/v2/a/b/manifests/1", "", ""); !strings.Contains(body, "NAME_UNKNOWN") {
		t.Errorf("an unknown repository: got %s", body)
	}
	d := c.blob("layer")
	c.want(200, "HEAD", "/v2/a/b/blobs/"+d, "", "")
	if _, body := c.want(200, "GET", "/v2/a/b/blobs/"+d, "", ""); body != "layer" {
		t.Errorf("got %q", body)
	}
	c.want(404, "GET", "/v2/a/b/blobs/"+digestOf(nil), "", "")
	begun, _ := c.want(202, "POST", "/v2/a/b/blobs/uploads/", "", "")
	at, _, _ := strings.Cut(begun.Header.Get("Location"), "?")
	c.want(202, "PATCH", at, "", "in ")
	c.want(202, "PATCH", at, "", "parts")
	c.want(201, "PUT", at+"?digest="+digestOf([]byte("in parts")), "", "")
	c.want(404, "PUT", at+"?digest="+digestOf([]byte("in parts")), "", "")

	m := `{"schemaVersion":2,"mediaType":"` + manifestType + `","config":{"digest":"` + d + `"}}`
	c.want(201, "PUT", "/v2/a/b/manifests/1.0", manifestType, m)
	c.want(400, "PUT", "/v2/a/b/manifests/"+digestOf(nil), manifestType, m)
	c.want(400, "PUT", "/v2/a/b/manifests/2.0", manifestType, strings.Replace(m, d, digestOf(nil), 1))
	c.want(400, "PUT", "/v2/a/b/manifests/2.0", indexType, m)
	c.want(400, "PUT", "/v2/a/b/manifests/2.0", manifestType, "{")
	if resp, body := c.want(200, "GET", "/v2/a/b/manifests/1.0", "", ""); body != m || resp.Header.Get("Docker-Content-Digest") != digestOf([]byte(m)) || resp.Header.Get("Content-Type") != manifestType {
		t.Errorf("got %q, %v", body, resp.Header)
	}
	c.want(405, "DELETE", "/v2/a/b/manifests/1.0", "", "")
	c.want(404, "GET", "/v2/a/b/referrers/"+d, "", "")
}

// listing is every page of a list of referrers.
func (c client) listing(path string) (digests, types []string, filtered bool) {
	c.t.Helper()
	for path != "" {
		resp, body := c.want(200, "GET", path, "", "")
		var index struct{ Manifests []descriptor }
		if err := json.Unmarshal([]byte(body), &index); err != nil || resp.Header.Get("Content-Type") != indexType {
			c.t.Fatalf("got %s, %v, %v", body, resp.Header, err)
		}
		for _, d := range index.Manifests {
			digests, types = append(digests, d.Digest), append(types, d.ArtifactType)
			if d.Annotations["n"] == "" {
				c.t.Errorf("%s: the annotations are missing", d.Digest)
			}
		}
		filtered = resp.Header.Get("OCI-Filters-Applied") == "artifactType"
		path, _, _ = strings.Cut(strings.TrimPrefix(resp.Header.Get("Link"), "<"), ">")
	}
	return digests, types, filtered
}

func TestReferrers(t *testing.T) {
	c := serve(t, &Registry{Referrers: true, PageSize: 2})
	c.blob("the repository is there")
	subject := digestOf([]byte("an image that comes later"))
	if got, _, _ := c.listing("/v2/a/b/referrers/" + subject); len(got) != 0 {
		t.Errorf("before any: got %q", got)
	}
	want := map[string]bool{}
	for n := range 5 {
		d, pushed := c.referrer("application/x", subject, n)
		if got := pushed.Header.Get("OCI-Subject"); got != subject {
			t.Errorf("OCI-Subject: got %q, want %q", got, subject)
		}
		want[d] = true
	}
	other, _ := c.referrer("application/y", subject, 9)
	untyped, _ := c.referrer("", subject, 10)
	c.referrer("application/x", digestOf([]byte("another image")), 11)
	got, types, filtered := c.listing("/v2/a/b/referrers/" + subject)
	if len(got) != 7 || filtered {
		t.Errorf("got %d, filtered %v, want 7 in pages", len(got), filtered)
	}
	for i, d := range got {
		wanted := map[bool]string{true: "application/x"}[want[d]]
		switch d {
		case other:
			wanted = "application/y"
		case untyped:
			wanted = "application/vnd.oci.empty.v1+json"
		}
		if types[i] != wanted {
			t.Errorf("%s: got type %q, want %q", d, types[i], wanted)
		}
	}
	got, _, filtered = c.listing("/v2/a/b/referrers/" + subject + "?artifactType=application%2Fy")
	if diff := cmp.Diff([]string{other}, got); diff != "" || !filtered {
		t.Errorf("filtered %v (-want +got):\n%s", filtered, diff)
	}
}

func TestTags(t *testing.T) {
	c := serve(t, &Registry{PageSize: 2})
	d := c.blob("x")
	for _, tag := range []string{"3", "1", "2"} {
		c.want(201, "PUT", "/v2/a/b/manifests/"+tag, manifestType, `{"config":{"digest":"`+d+`"}}`)
	}
	var all []string
	for path := "/v2/a/b/tags/list"; path != ""; {
		resp, body := c.want(200, "GET", path, "", "")
		var page struct{ Tags []string }
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Tags...)
		path, _, _ = strings.Cut(strings.TrimPrefix(resp.Header.Get("Link"), "<"), ">")
	}
	if diff := cmp.Diff([]string{"1", "2", "3"}, all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
