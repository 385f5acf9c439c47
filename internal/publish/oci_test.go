package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/publish/ocitest"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// ociWorld is a registry on loopback with one repository, and what is asked of it.
type ociWorld struct {
	t    testing.TB
	host string
	// before and after see every request, and its answer's way out: a status other
	// than 0 replaces the answer.
	before, after func(*http.Request) int
	// single has one request answered after the other.
	single bool

	turn  sync.Mutex
	mu    sync.Mutex
	asked []string
}

// newOCIWorld serves a registry. Anything that deletes is an error.
func newOCIWorld(t testing.TB, registry http.Handler) *ociWorld {
	w := &ociWorld{t: t}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			t.Errorf("%s %s: nothing is ever deleted", r.Method, r.URL)
		}
		w.mu.Lock()
		w.asked = append(w.asked, r.Method+" "+r.URL.Path)
		before, after, single := w.before, w.after, w.single
		w.mu.Unlock()
		if single {
			w.turn.Lock()
			defer w.turn.Unlock()
		}
		if before != nil {
			if status := before(r); status != 0 {
				rw.WriteHeader(status)
				return
			}
		}
		if after == nil {
			registry.ServeHTTP(rw, r)
			return
		}
		answer := httptest.NewRecorder()
		registry.ServeHTTP(answer, r)
		if status := after(r); status != 0 {
			rw.WriteHeader(status)
			return
		}
		for k, v := range answer.Header() {
			rw.Header()[k] = v
		}
		rw.WriteHeader(answer.Code)
		rw.Write(answer.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	w.host = strings.TrimPrefix(server.URL, "http://")
	return w
}

// requests are those since the last call.
func (w *ociWorld) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := w.asked
	w.asked = nil
	return asked
}

// place opens the repository "acme/tools" at a tag or digest, without patience.
func (w *ociWorld) place(ref string, change ...func(*Env)) *ociPlace {
	w.t.Helper()
	env := Env{Stem: DefaultStem, Getenv: noEnv(w.t), Now: time.Now, Notify: func(line string) { w.t.Log(line) }}
	for _, c := range change {
		c(&env)
	}
	sep := ":"
	if strings.Contains(ref, ":") {
		sep = "@"
	}
	p, err := newOCI(w.host+"/acme/tools"+sep+ref, env, fetch.Client())
	if err != nil {
		w.t.Fatal(err)
	}
	p.wait = func(context.Context, time.Duration) error { return nil }
	return p
}

// noEnv is an environment without logins: none of the machine's either.
func noEnv(t testing.TB) func(string) string {
	dir := t.TempDir()
	return func(name string) string {
		if name == "DOCKER_CONFIG" {
			return dir
		}
		return ""
	}
}

// pushImage pushes an index with one image, and returns its digest.
func (w *ociWorld) pushImage(tag, file string) digest.Digest {
	w.t.Helper()
	ctx, p := context.Background(), w.place(tag)
	push := func(desc v1.Descriptor, data string) v1.Descriptor {
		desc.Digest, desc.Size = digest.FromString(data), int64(len(data))
		if err := p.repo.Push(ctx, desc, strings.NewReader(data)); err != nil {
			w.t.Fatal(err)
		}
		return desc
	}
	layer := push(v1.Descriptor{MediaType: v1.MediaTypeImageLayer}, file)
	config := push(v1.Descriptor{MediaType: v1.MediaTypeImageConfig}, `{"architecture":"amd64","os":"linux"}`)
	two := specs.Versioned{SchemaVersion: 2}
	m, _ := json.Marshal(v1.Manifest{Versioned: two, MediaType: v1.MediaTypeImageManifest, Config: config, Layers: []v1.Descriptor{layer}})
	image := push(v1.Descriptor{MediaType: v1.MediaTypeImageManifest}, string(m))
	index, _ := json.Marshal(v1.Index{Versioned: two, MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{image}})
	desc := content.NewDescriptorFromBytes(v1.MediaTypeImageIndex, index)
	if err := p.repo.PushReference(ctx, desc, bytes.NewReader(index), tag); err != nil {
		w.t.Fatal(err)
	}
	return desc.Digest
}

// ociRelease is a sealed release of a version that follows previous, nil for the
// first.
func ociRelease(t testing.TB, version string, image digest.Digest, previous *Sealed) Sealed {
	t.Helper()
	m := sealtest.Manifest(t, sealtest.Tools(t, 1)...)
	m.Tools[0].Version = version
	if image != "" {
		m.Tools[0].Artifact = &seal.Artifact{Type: seal.Docker, Identifier: "registry.example/acme/tools", Version: version, Digest: image}
	}
	if previous != nil {
		v := previous.Manifest.Tools[0].Version
		m.IssuedAt = seal.NewTimestamp(previous.Manifest.IssuedAt.Add(time.Hour))
		m.Tools[0].Lineage = &seal.Lineage{
			PreviousVersion: &v, PreviousManifestDigest: previous.Payload,
			Changes: []seal.Change{{Type: "bugfix", Description: "Fixes things."}},
		}
	}
	e := sealtest.Seal(t, m, sealtest.Key(t, keys.Ed25519, "acme-2026"))
	return Sealed{
		Release: Release{
			Envelope: sealtest.Marshal(t, e), Snapshot: []byte(`{"snapshot":"` + version + `"}`), Provenance: []byte(`{"bundle":"` + version + `"}`),
		},
		Manifest: m, Payload: e.PayloadDigest(digest.SHA256), Signer: "acme-2026",
	}
}

// ociRegistries are the two ways in which registries keep referrers, one of them
// by another's code, too.
func ociRegistries(t *testing.T, test func(t *testing.T, h http.Handler)) {
	t.Run("API", func(t *testing.T) { test(t, &ocitest.Registry{Referrers: true, PageSize: 2}) })
	t.Run("tag", func(t *testing.T) { test(t, &ocitest.Registry{PageSize: 2}) })
	t.Run("ggcr tag", func(t *testing.T) { test(t, registry.New(registry.Logger(log.New(io.Discard, "", 0)))) })
	t.Run("ggcr API", func(t *testing.T) {
		test(t, registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	})
}

// TestOCIChain publishes five releases, each onto the last, and finds them again
// from every place, as somebody who has seen nothing.
func TestOCIChain(t *testing.T) { ociRegistries(t, ociOn) }

func ociOn(t *testing.T, h http.Handler) {
	w, ctx := newOCIWorld(t, h), context.Background()
	var all []Sealed
	images := map[string]digest.Digest{}
	for n := range 5 {
		version := fmt.Sprintf("1.%d.0", n*5) // 1.10.0 comes after 1.5.0
		images[version] = w.pushImage(version, "layer of "+version)
		w.pushImage("latest", "layer of "+version)
		w.pushImage("1", "layer of "+version)
		p := w.place(version)
		if err := p.Check(ctx); err != nil {
			t.Fatal(err)
		}
		previous, err := p.Latest(ctx)
		var before *Sealed
		if n == 0 {
			if !errors.Is(err, verify.ErrNoRelease) {
				t.Fatalf("Latest of the first: got %v, want ErrNoRelease", err)
			}
		} else if before = &all[n-1]; err != nil || string(previous.Envelope) != string(before.Envelope) {
			t.Fatalf("Latest before %s: got %v, %v, want the release before", version, previous.Ref, err)
		}
		r := ociRelease(t, version, images[version], before)
		receipt, err := p.Publish(ctx, r)
		if err != nil || receipt.State != Published {
			t.Fatalf("Publish: got %v, %v", receipt, err)
		}
		again, err := w.place(version).Publish(ctx, r)
		if err != nil || again.State != AlreadyThere || again.URL != receipt.URL || len(again.Notes) > 0 {
			t.Errorf("Publish again: got %+v, %v, want that it is there at %s", again, err, receipt.URL)
		}
		all = append(all, r)
	}
	for version, d := range images {
		if got, _, err := w.place(version).subject(ctx); err != nil || got.Digest != d {
			t.Errorf("image %s: got %s, %v, want %s as it was pushed", version, got.Digest, err, d)
		}
	}
	newest := w.place("1.20.0")
	for i := len(all) - 1; i >= 0; i-- {
		for _, p := range []*ociPlace{newest, w.place("1.20.0"), w.place("latest"), w.place("1.0.0"), w.place(string(images["1.5.0"]))} {
			got, err := p.Find(ctx, all[i].Payload)
			if err != nil {
				t.Fatalf("%s: Find(%s): %v", p, all[i].Payload, err)
			}
			got.Ref = ""
			if diff := cmp.Diff(all[i].Release, got); diff != "" {
				t.Errorf("%s: release %d (-want +got):\n%s", p, i, diff)
			}
		}
	}
	var want, got []digest.Digest
	for _, r := range all {
		want = append(want, r.Payload)
	}
	for d, err := range newest.List(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, d)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	if _, err := newest.Find(ctx, digest.FromString("none")); !errors.Is(err, verify.ErrNoRelease) || errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("Find of none: got %v, want ErrNoRelease", err)
	}
}
