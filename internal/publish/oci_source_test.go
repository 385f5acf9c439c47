package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mcp-integrity/seal-action/internal/publish/ocitest"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// publishOCI pushes an image of a version and publishes a release beside it.
func (w *ociWorld) publishOCI(version string, previous *Sealed) Sealed {
	w.t.Helper()
	r := ociRelease(w.t, version, w.pushImage(version, "layer of "+version), previous)
	if _, err := w.place(version).Publish(context.Background(), r); err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *ociWorld) subject(tag string) v1.Descriptor {
	w.t.Helper()
	d, _, err := w.place(tag).subject(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// TestOCILatest: which release comes before the one that is being sealed.
func TestOCILatest(t *testing.T) {
	for name, api := range map[string]bool{"API": true, "tag": false} {
		t.Run(name, func(t *testing.T) {
			w, ctx := newOCIWorld(t, &ocitest.Registry{Referrers: api, PageSize: 3}), context.Background()
			one := w.publishOCI("1.9.0", nil)
			two := w.publishOCI("1.10.0", &one)
			w.publishOCI("2.0.0", &two)
			for _, unsealed := range []string{"1.9.1", "1.10.1", "v1.10.2", "edge", "1.11.0-rc.1", "2.1.0", "1.8.0"} {
				w.pushImage(unsealed, unsealed)
			}
			// Moving tags lead to what came after.
			for _, moving := range []string{"1", "1.10", "latest"} {
				w.pushImage(moving, "layer of 2.0.0")
			}
			for _, tt := range []struct{ ref, version, want string }{
				{"1.9.1", "", "1.9.0"},
				{"1.10.0", "", "1.10.0"}, // its own
				{"1.10.1", "", "1.10.0"},
				{"v1.10.2", "", "1.10.0"},
				{"1.11.0-rc.1", "9.9.9", "1.10.0"}, // the tag counts
				{"2.1.0", "", "2.0.0"},
				{"1.8.0", "", ""},
				{"edge", "1.9.5", "1.9.0"},
				{"edge", "", "2.0.0"},
				{string(w.subject("edge").Digest), "1.10.5", "1.10.0"},
				{"1.10.9", "", "1.10.0"}, // no image yet
			} {
				r, err := w.place(tt.ref, func(e *Env) { e.Version = tt.version }).Latest(ctx)
				if tt.want == "" {
					if !errors.Is(err, verify.ErrNoRelease) {
						t.Errorf("%s: got %v, %v, want ErrNoRelease", tt.ref, r.Ref, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", tt.ref, err)
					continue
				}
				if m, _, err := manifestOf(r.Envelope); err != nil || lineage.VersionOf(m) != tt.want {
					t.Errorf("%s at %q: got %s, %v, want %s", tt.ref, tt.version, lineage.VersionOf(m), err, tt.want)
				}
			}
		})
	}
}

// TestOCILiars: what whoever may push can make a reader believe, which is nothing
// that the payload itself does not say.
func TestOCILiars(t *testing.T) {
	world := func(t *testing.T) (*ociWorld, Sealed, Sealed) {
		w := newOCIWorld(t, &ocitest.Registry{Referrers: true})
		one := w.publishOCI("1.0.0", nil)
		return w, one, w.publishOCI("1.1.0", &one)
	}
	ctx := context.Background()

	t.Run("an old release passed off as new", func(t *testing.T) {
		w, one, two := world(t)
		later := one
		m := *one.Manifest
		m.IssuedAt = seal.NewTimestamp(two.Manifest.IssuedAt.Add(1000 * time.Hour))
		later.Manifest = &m
		w.publishRaw(w.subject("1.1.0"), later, "")
		if r, err := w.place("1.1.0").Latest(ctx); err != nil || !bytes.Equal(r.Envelope, two.Envelope) {
			t.Errorf("got %v, %v, want the newer payload", r.Ref, err)
		}
	})
	t.Run("another payload than it claims", func(t *testing.T) {
		w, _, two := world(t)
		other := ociRelease(t, "6.6.6", "", nil)
		wanted := digest.FromString("wanted")
		other.Payload = wanted
		w.publishRaw(w.subject("1.1.0"), other, "")
		if r, err := w.place("1.1.0").Find(ctx, wanted); !errors.Is(err, verify.ErrNoRelease) || !strings.Contains(fmt.Sprint(err), "claims the payload") {
			t.Errorf("Find: got %v, %v, want ErrNoRelease that says why", r.Ref, err)
		}
		if r, err := w.place("1.1.0").Latest(ctx); err != nil || !bytes.Equal(r.Envelope, two.Envelope) {
			t.Errorf("Latest: got %v, %v, want the honest one", r.Ref, err)
		}
	})
	t.Run("a way back that leads elsewhere", func(t *testing.T) {
		w, one, two := world(t)
		elsewhere := w.publishRaw(w.subject("1.0.0"), ociRelease(t, "6.6.6", "", nil), "")
		w.publishRaw(w.subject("1.1.0"), two, elsewhere)
		w.publishRaw(w.subject("1.1.0"), two, digest.FromString("nowhere"))
		if r, err := w.place("1.1.0").Find(ctx, one.Payload); err != nil || !bytes.Equal(r.Envelope, one.Envelope) {
			t.Errorf("got %v, %v, want the predecessor", r.Ref, err)
		}
	})
	t.Run("a circle", func(t *testing.T) {
		w, _, _ := world(t)
		// A digest cannot be in what it is the digest of, but a list may say so.
		p := w.place("1.1.0")
		a := artifact{desc: v1.Descriptor{Digest: digest.FromString("a")}, payload: digest.FromString("p"), previous: digest.FromString("p"), previousAt: digest.FromString("a")}
		p.learn(a)
		if _, err := p.Find(ctx, a.payload); !errors.Is(err, verify.ErrNoRelease) {
			t.Errorf("got %v, want ErrNoRelease", err)
		}
	})
	t.Run("nothing readable", func(t *testing.T) {
		w, one, _ := world(t)
		image := w.pushImage("1.2.0", "three")
		broken := one
		broken.Envelope = []byte(`{}`)
		w.publishRaw(w.subject("1.2.0"), broken, "")
		if r, err := w.place("1.2.0").Latest(ctx); !errors.Is(err, verify.ErrUnavailable) || errors.Is(err, verify.ErrNoRelease) {
			t.Errorf("Latest: got %v, %v, want ErrUnavailable: a broken release is not the lack of one", r.Ref, err)
		}
		if r, err := w.place("1.2.0").Publish(ctx, ociRelease(t, "1.2.0", image, &one)); err != nil || r.State != Published {
			t.Errorf("Publish: got %+v, %v", r, err)
		}
	})
	t.Run("a layer that is gone", func(t *testing.T) {
		w, one, _ := world(t)
		w.before = func(r *http.Request) int {
			if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
				return http.StatusNotFound
			}
			return 0
		}
		for name, look := range map[string]func(*ociPlace) (Release, error){
			"Latest": func(p *ociPlace) (Release, error) { return p.Latest(ctx) },
			"Find":   func(p *ociPlace) (Release, error) { return p.Find(ctx, one.Payload) },
		} {
			if r, err := look(w.place("1.1.0")); !errors.Is(err, verify.ErrUnavailable) || errors.Is(err, verify.ErrNoRelease) {
				t.Errorf("%s: got %v, %v, want ErrUnavailable", name, r.Ref, err)
			}
		}
	})
}

// TestOCISwapped: a registry that sends other bytes than a digest names.
func TestOCISwapped(t *testing.T) {
	inner := &ocitest.Registry{Referrers: true}
	honest := newOCIWorld(t, inner)
	one := honest.publishOCI("1.0.0", nil)
	w := newOCIWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/blobs/"+string(digest.FromBytes(one.Envelope))) {
			rw.Write(bytes.Repeat([]byte("x"), len(one.Envelope)))
			return
		}
		inner.ServeHTTP(rw, r)
	}))
	if r, err := w.place("1.0.0").Find(context.Background(), one.Payload); !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("got %v, %v, want ErrUnavailable", r.Ref, err)
	}
}

// TestOCIHash512: a link by SHA-512 is followed, although annotations are by
// SHA-256.
func TestOCIHash512(t *testing.T) {
	w, ctx := newOCIWorld(t, &ocitest.Registry{Referrers: true}), context.Background()
	one := w.publishOCI("1.0.0", nil)
	e, err := seal.ParseEnvelope(one.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	link := one
	link.Payload = e.PayloadDigest(digest.SHA512)
	two := w.publishOCI("1.1.0", &link)
	for _, tag := range []string{"1.1.0", "1.0.0"} {
		if r, err := w.place(tag).Find(ctx, link.Payload); err != nil || !bytes.Equal(r.Envelope, one.Envelope) {
			t.Errorf("%s: got %v, %v", tag, r.Ref, err)
		}
	}
	found, err := w.place("1.1.0").sealedBeside(ctx, w.subject("1.1.0"))
	if err != nil || len(found) != 1 || found[0].payload != two.Payload || found[0].previousAt == "" {
		t.Errorf("got %+v, %v, want a way to the predecessor", found, err)
	}
}

// TestOCIWalk: the way back along a chain costs the same at every link, wherever
// it started.
func TestOCIWalk(t *testing.T) {
	w, ctx := newOCIWorld(t, &ocitest.Registry{Referrers: true}), context.Background()
	var all []Sealed
	for n := range 12 {
		var before *Sealed
		if n > 0 {
			before = &all[n-1]
		}
		all = append(all, w.publishOCI(fmt.Sprintf("1.%d.0", n), before))
	}
	p := w.place("1.11.0")
	if _, err := p.Latest(ctx); err != nil {
		t.Fatal(err)
	}
	w.requests()
	for _, r := range slices.Backward(all[:11]) {
		if _, err := p.Find(ctx, r.Payload); err != nil {
			t.Fatal(err)
		}
		// Its manifest and three layers.
		if asked := w.requests(); len(asked) != 4 {
			t.Errorf("%s: got %d requests, want 4: %q", r.Manifest.Tools[0].Version, len(asked), asked)
		}
		if _, err := p.Find(ctx, r.Payload); err != nil {
			t.Fatal(err)
		}
		// The manifest again; the layers were kept.
		if asked := w.requests(); len(asked) != 1 {
			t.Errorf("again: got %d requests, want 1: %q", len(asked), asked)
		}
	}
}

// TestOCIBounds: a registry that never comes to an end.
func TestOCIBounds(t *testing.T) {
	inner := &ocitest.Registry{Referrers: true}
	newOCIWorld(t, inner).publishOCI("1.0.0", nil)
	entries := func(n int, artifactType string) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":1,"artifactType":%q}`, v1.MediaTypeImageManifest, digest.FromString(fmt.Sprint(i)), artifactType))
		}
		return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, v1.MediaTypeImageIndex, strings.Join(list, ","))
	}
	many, sealed := entries(maxReferrers/8, "application/x"), entries(maxSealed+1, MediaType)
	for _, tt := range []struct {
		name, path, want string
		answer           func(http.ResponseWriter, *http.Request)
	}{
		{"pages of referrers", "/referrers/", "500 pages", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", v1.MediaTypeImageIndex)
			w.Header().Set("Link", "<"+r.URL.Path+`>; rel="next"`)
			fmt.Fprint(w, entries(0, ""))
		}},
		{"referrers", "/referrers/", "more than 4096 referrers", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", v1.MediaTypeImageIndex)
			w.Header().Set("Link", "<"+r.URL.Path+`>; rel="next"`)
			fmt.Fprint(w, many)
		}},
		{"sealed releases", "/referrers/", "65 sealed releases", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", v1.MediaTypeImageIndex)
			fmt.Fprint(w, sealed)
		}},
		{"a page elsewhere", "/referrers/", "not the same origin", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", v1.MediaTypeImageIndex)
			w.Header().Set("Link", `<http://169.254.169.254/>; rel="next"`)
			fmt.Fprint(w, entries(0, ""))
		}},
		{"an image's manifest", "/manifests/1.0.0", "want at most 4194304", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", v1.MediaTypeImageManifest)
			w.Header().Set("Docker-Content-Digest", string(digest.FromString("")))
			w.Header().Set("Content-Length", fmt.Sprint(maxImageManifest+1))
			w.Write(make([]byte, maxImageManifest+1))
		}},
		{"an artifact's manifest", "/manifests/sha256:", "want at most 65536", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", v1.MediaTypeImageManifest)
			w.Header().Set("Docker-Content-Digest", r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:])
			w.Header().Set("Content-Length", fmt.Sprint(maxArtifact+1))
			w.Write(make([]byte, maxArtifact+1))
		}},
		{"redirects", "/blobs/", "more than 5 redirects", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) }},
		{"a redirect elsewhere", "/blobs/", "is not followed", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://registry.example/?sig=s3cret", http.StatusFound)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newOCIWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, tt.path) {
					tt.answer(rw, r)
					return
				}
				inner.ServeHTTP(rw, r)
			}))
			r, err := w.place("1.0.0").Latest(context.Background())
			if !errors.Is(err, verify.ErrUnavailable) || errors.Is(err, verify.ErrNoRelease) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v, %v, want ErrUnavailable with %q", r.Ref, err, tt.want)
			}
		})
	}
}

// TestOCITooManyTags: a repository with more versions than are asked, none of
// them sealed, is not one without a release.
func TestOCITooManyTags(t *testing.T) {
	inner := &ocitest.Registry{Referrers: true}
	seed := newOCIWorld(t, inner)
	seed.pushImage("9.0.0", "nine")
	var tags []string
	for n := range maxImagesAsked + 10 {
		tags = append(tags, fmt.Sprintf(`"1.0.%d"`, n))
	}
	w := newOCIWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/tags/list"):
			fmt.Fprintf(rw, `{"name":"acme/tools","tags":[%s]}`, strings.Join(tags, ","))
		case strings.Contains(r.URL.Path, "/manifests/1.0."):
			http.NotFound(rw, r)
		default:
			inner.ServeHTTP(rw, r)
		}
	}))
	if r, err := w.place("9.0.0").Latest(context.Background()); !errors.Is(err, verify.ErrUnavailable) || errors.Is(err, verify.ErrNoRelease) {
		t.Errorf("got %v, %v, want ErrUnavailable", r.Ref, err)
	}
	told := 0
	p := w.place("9.0.0", func(e *Env) { e.Notify = func(string) { told++ } })
	for d, err := range p.List(context.Background()) {
		t.Errorf("List: got %v, %v, want nothing", d, err)
	}
	if told != 1 {
		t.Errorf("List told %d times that it does not ask all, want once", told)
	}
}

func TestOCIMovingTags(t *testing.T) {
	got := withoutMoving([]string{"1", "1.2", "1.2.3", "v1", "v1.2.3", "2", "10", "10.0"})
	if diff := cmp.Diff([]string{"1.2.3", "v1.2.3", "2", "10.0"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOCIHintsBounded: what is kept of releases that were seen does not grow with
// them.
func TestOCIHintsBounded(t *testing.T) {
	p := newOCIWorld(t, &ocitest.Registry{}).place("1.0.0")
	for n := range 3 * maxHints {
		d := digest.FromString(fmt.Sprint(n))
		p.learn(artifact{desc: v1.Descriptor{Digest: d}, payload: d})
		p.learn(artifact{desc: v1.Descriptor{Digest: d}, payload: digest.FromString("one")})
	}
	if len(p.hints) > maxHints+2 {
		t.Errorf("got %d, want at most %d", len(p.hints), maxHints)
	}
	if n := len(p.hints[digest.FromString("one")]); n > 4 {
		t.Errorf("one payload is claimed at %d places, want at most 4 kept", n)
	}
}

// BenchmarkOCIFind walks back along a chain, a link at a time: a manifest and
// three layers each, over loopback.
func BenchmarkOCIFind(b *testing.B) {
	w, ctx := newOCIWorld(b, &ocitest.Registry{Referrers: true}), context.Background()
	var all []Sealed
	for n := range 100 {
		var before *Sealed
		if n > 0 {
			before = &all[n-1]
		}
		all = append(all, w.publishOCI(fmt.Sprintf("1.%d.0", n), before))
	}
	p := w.place("1.99.0")
	for n := 0; b.Loop(); n++ {
		if n%100 == 0 {
			p = w.place("1.99.0")
		}
		if _, err := p.Find(ctx, all[99-n%100].Payload); err != nil {
			b.Fatal(err)
		}
	}
}
