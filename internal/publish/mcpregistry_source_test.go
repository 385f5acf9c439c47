package publish

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/verify"
)

// TestMCPRegistrySource: what a registry says is a stranger's word.
func TestMCPRegistrySource(t *testing.T) {
	ctx := context.Background()
	entry := func(version string, at any) *fakeVersion {
		doc := asObject(t, strings.ReplaceAll(serverJSONText, "VERSION", version))
		if at != nil {
			doc["_meta"] = map[string]any{publisherMember: map[string]any{sealedMember: at}}
		}
		return &fakeVersion{doc: doc}
	}
	point := func(r Sealed, url string) map[string]any {
		return map[string]any{"version": sealedFormat, "digest": string(r.Payload), "url": url, "more": 1}
	}
	for _, tt := range []struct {
		name    string
		prepare func(*fakeMCP, Sealed)
		want    string
		is      error
	}{
		{name: "no server", prepare: func(f *fakeMCP, r Sealed) {}, is: verify.ErrNoRelease, want: "no such version"},
		{name: "never sealed", prepare: func(f *fakeMCP, r Sealed) { f.versions = []*fakeVersion{entry("1.0.0", nil)} }, is: verify.ErrNoRelease, want: "no version of"},
		{name: "nonsense", prepare: func(f *fakeMCP, r Sealed) { f.versions = []*fakeVersion{entry("1.0.0", 7)} }, is: verify.ErrNoRelease, want: "no version of"},
		{name: "no address", prepare: func(f *fakeMCP, r Sealed) { f.versions = []*fakeVersion{entry("1.0.0", point(r, ""))} }, is: verify.ErrUnavailable, want: "its digest only"},
		{name: "a plain address", prepare: func(f *fakeMCP, r Sealed) {
			f.versions = []*fakeVersion{entry("1.0.0", point(r, "http://example.com/x.json"))}
		}, is: verify.ErrUnavailable, want: "want https"},
		{name: "a private address", prepare: func(f *fakeMCP, r Sealed) {
			f.versions = []*fakeVersion{entry("1.0.0", point(r, "https://169.254.169.254/latest"))}
		}, is: fetch.ErrPrivate, want: "not public"},
		{name: "no envelope", prepare: func(f *fakeMCP, r Sealed) {
			f.versions = []*fakeVersion{entry("1.0.0", point(r, f.URL+"/files/gone.json"))}
		}, is: verify.ErrUnavailable, want: "404"},
		{name: "another release", prepare: func(f *fakeMCP, r Sealed) {
			f.versions = []*fakeVersion{entry("1.0.0", point(r, f.release(t, "6.6.6").URL))}
		}, is: ErrConflict, want: "which the registry states"},
		{name: "no JSON", prepare: func(f *fakeMCP, r Sealed) {
			f.files["x.json"] = []byte("<html>")
			f.versions = []*fakeVersion{entry("1.0.0", point(r, f.URL+"/files/x.json"))}
		}, is: ErrConflict, want: "MANIFEST_PARSE_ERROR"},
		{name: "another server's versions", prepare: func(f *fakeMCP, r Sealed) {
			f.fault = func(*http.Request) mcpFault {
				return mcpFault{status: 200, body: `{"servers":[{"server":{"name":"io.github.mallory/x","version":"1"}}]}`}
			}
		}, is: verify.ErrUnavailable, want: `got "io.github.mallory/x"`},
		{name: "half a list", prepare: func(f *fakeMCP, r Sealed) {
			f.fault = func(*http.Request) mcpFault { return mcpFault{status: 200, body: `{"servers":[`} }
		}, is: verify.ErrUnavailable, want: "the list of versions"},
		{name: "no registry", prepare: func(f *fakeMCP, r Sealed) {
			f.fault = func(*http.Request) mcpFault { return mcpFault{status: 404, body: "<html>"} }
		}, is: verify.ErrUnavailable, want: "no MCP registry"},
		{name: "no endpoint", prepare: func(f *fakeMCP, r Sealed) {
			f.fault = func(*http.Request) mcpFault { return mcpFault{status: 404, body: "Endpoint not found."} }
		}, is: verify.ErrUnavailable, want: "HTTP 404"},
		{name: "not for you", prepare: func(f *fakeMCP, r Sealed) {
			f.fault = func(*http.Request) mcpFault { return mcpFault{status: 403, body: "no"} }
		}, is: verify.ErrUnavailable, want: "HTTP 403"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeMCP(t)
			tt.prepare(f, f.release(t, "1.0.0"))
			_, err := f.place(t, "1.0.0", func(e *Env) { e.ReadOnly = true }).Latest(ctx)
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, want %q and %v", err, tt.want, tt.is)
			}
			if tt.is != verify.ErrNoRelease && errors.Is(err, verify.ErrNoRelease) {
				t.Errorf("%v looks like a server without releases", err)
			}
		})
	}
	t.Run("only a registry on this machine leads to this machine", func(t *testing.T) {
		m := newFakeMCP(t).place(t, "1.0.0", nil)
		m.api.base = &url.URL{Scheme: "https", Host: "mcp.example"}
		if _, client, err := m.clientFor("https://127.0.0.1/x.json"); err != nil || client != m.guarded {
			t.Errorf("got %v", err)
		}
		if _, _, err := m.clientFor("http://127.0.0.1/x.json"); err == nil {
			t.Error("http on this machine: no error")
		}
	})
	t.Run("a chain is told what stands there, and that it is new", func(t *testing.T) {
		f := newFakeMCP(t)
		m := f.place(t, "1.0.0", nil)
		for _, version := range []string{"1.0.0", "1.1.0"} {
			if _, err := f.place(t, version, nil).Publish(ctx, f.release(t, version)); err != nil {
				t.Fatal(err)
			}
			if r, err := m.Latest(ctx); err != nil || digestOf(t, r) != f.release(t, version).Payload {
				t.Errorf("Latest after %s: %v", version, err)
			}
		}
		first, other := f.release(t, "1.0.0"), f.release(t, "6.6.6")
		f.files["sha256-"+first.Payload.Encoded()+EnvelopeSuffix] = other.Envelope
		if r, err := m.Find(ctx, first.Payload); err != nil || digestOf(t, r) != other.Payload || string(r.Snapshot) != "snapshot of 1.0.0" {
			t.Errorf("Find of what was replaced: %v", err)
		}
		if _, err := m.Find(ctx, other.Payload); !errors.Is(err, verify.ErrNoRelease) {
			t.Errorf("Find of what is not listed: %v", err)
		}
	})
	t.Run("deleted and unsealed versions", func(t *testing.T) {
		f := newFakeMCP(t)
		for _, version := range []string{"1.0.0", "1.1.0"} {
			if _, err := f.place(t, version, nil).Publish(ctx, f.release(t, version)); err != nil {
				t.Fatal(err)
			}
		}
		f.versions[1].deleted = true
		f.versions = append(f.versions, entry("1.2.0", nil))
		var said []string
		m := f.place(t, "1.3.0", func(e *Env) { e.Notify = func(s string) { said = append(said, s) } })
		r, err := m.Latest(ctx)
		if err != nil || digestOf(t, r) != f.release(t, "1.1.0").Payload || len(said) != 1 || !strings.Contains(said[0], "marked as deleted") {
			t.Errorf("got %v, %q", err, said)
		}
	})
}

// TestMCPRegistryName: which server's versions are asked for.
func TestMCPRegistryName(t *testing.T) {
	f := newFakeMCP(t)
	for _, tt := range []struct {
		rest string
		env  Env
		want string
	}{
		{"@io.github.acme/named", Env{ServerID: fakeServer}, "io.github.acme/named"},
		{"", Env{ServerID: fakeServer}, fakeServer},
		{"", Env{ServerID: "no name"}, ""},
		{"", Env{}, ""},
		{"", Env{ServerID: fakeServer, ServerJSON: "no such file"}, fakeServer},
		{"", Env{ServerID: fakeServer, ServerJSON: "."}, ""},
	} {
		t.Chdir(t.TempDir())
		p, err := openMCPRegistry(f.URL+tt.rest, tt.env)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.(*mcpRegistry).serverName()
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: got %q, %v, want %q", tt, got, err, tt.want)
		}
	}
}
