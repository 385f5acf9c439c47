package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mcp-integrity/seal-action/internal/publish/ocitest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// TestOCIFaults fails every request of a publication, before and after it took
// effect, for a moment and until the run is over, and runs again: what the
// registry holds then is what a run without faults leaves.
func TestOCIFaults(t *testing.T) {
	for name, api := range map[string]bool{"API": true, "tag": false} {
		t.Run(name, func(t *testing.T) {
			image, first, second := ociPair(t)
			want, steps := publishFaulty(t, api, image, first, second, nil)
			if len(steps) < 15 {
				t.Fatalf("got %d requests: %q", len(steps), steps)
			}
			for i, step := range steps {
				for _, fault := range []ociFault{{at: i}, {at: i, effect: true}, {at: i, on: true}, {at: i, effect: true, on: true}} {
					got, _ := publishFaulty(t, api, image, first, second, &fault)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Fatalf("request %d, %s, fault %+v (-want +got):\n%s", i, step, fault, diff)
					}
				}
			}
		})
	}
}

// ociFault fails the request at this place in a run, and those after it where on
// is true. With effect, the first of them is answered, and its answer lost.
type ociFault struct {
	at         int
	effect, on bool
}

// ociPair is an image's digest with a release for it, and the one before.
func ociPair(t *testing.T) (image digest.Digest, first, second Sealed) {
	scratch := newOCIWorld(t, &ocitest.Registry{})
	scratch.pushImage("1.0.0", "one")
	image = scratch.pushImage("1.1.0", "two")
	first = ociRelease(t, "1.0.0", "", nil)
	return image, first, ociRelease(t, "1.1.0", image, &first)
}

// publishFaulty publishes first without faults, then second with one, and again
// without. It returns what the registry holds, and the requests of the first run.
func publishFaulty(t *testing.T, api bool, image digest.Digest, first, second Sealed, fault *ociFault) (map[string]string, []string) {
	t.Helper()
	r := &ocitest.Registry{Referrers: api}
	w, ctx := newOCIWorld(t, r), context.Background()
	w.pushImage("1.0.0", "one")
	if got := w.pushImage("1.1.0", "two"); got != image {
		t.Fatalf("image: got %s, want %s", got, image)
	}
	if _, err := w.place("1.0.0").Publish(ctx, first); err != nil {
		t.Fatal(err)
	}
	before := r.State()
	w.requests()
	w.fail(fault)
	receipt, err := w.place("1.1.0").Publish(ctx, second)
	steps := w.requests()
	if fault == nil && (err != nil || receipt.State != Published) {
		t.Fatalf("got %+v, %v", receipt, err)
	}
	if fault != nil && fault.on && err == nil {
		t.Errorf("fault %+v: got %+v, want an error", fault, receipt)
	}
	w.fail(nil)
	if fault != nil {
		receipt, err := w.place("1.1.0").Publish(ctx, second)
		if err != nil || receipt.State == "" {
			t.Fatalf("fault %+v, again: got %+v, %v", fault, receipt, err)
		}
	}
	found, err := w.place("1.1.0").Find(ctx, second.Payload)
	if err != nil || !bytes.Equal(found.Envelope, second.Envelope) {
		t.Fatalf("fault %+v: Find: got %v, %v", fault, found.Ref, err)
	}
	after := r.State()
	for name, was := range before {
		if after[name] != was && !strings.Contains(name, " sha256-") {
			t.Errorf("fault %+v: %s changed", fault, name)
		}
	}
	return after, steps
}

func (w *ociWorld) fail(fault *ociFault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before, w.after, w.single = nil, nil, true
	if fault == nil {
		return
	}
	n := -1
	failing := func() bool { return n == fault.at || fault.on && n > fault.at }
	w.before = func(*http.Request) int {
		if n++; failing() && !(fault.effect && n == fault.at) {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	w.after = func(*http.Request) int {
		if failing() {
			return http.StatusBadGateway
		}
		return 0
	}
}

// TestOCICompleted: what an earlier run uploaded is told from what this one did.
func TestOCICompleted(t *testing.T) {
	_, first, _ := ociPair(t)
	w, ctx := newOCIWorld(t, &ocitest.Registry{Referrers: true}), context.Background()
	w.pushImage("1.0.0", "one")
	w.before = func(r *http.Request) int {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			return http.StatusForbidden
		}
		return 0
	}
	if _, err := w.place("1.0.0").Publish(ctx, first); err == nil {
		t.Fatal("got no error")
	}
	if _, err := w.place("1.0.0").Latest(ctx); !errors.Is(err, verify.ErrNoRelease) {
		t.Errorf("half-way: got %v, want that nothing is visible", err)
	}
	w.fail(nil)
	if r, err := w.place("1.0.0").Publish(ctx, first); err != nil || r.State != Completed {
		t.Errorf("got %+v, %v, want %q", r, err, Completed)
	}
}

// TestOCIOtherImage: a manifest that seals an image is published beside that one
// only, whatever hash it was sealed by.
func TestOCIOtherImage(t *testing.T) {
	r := &ocitest.Registry{Referrers: true}
	w, ctx := newOCIWorld(t, r), context.Background()
	image := w.pushImage("1.0.0", "one")
	other := w.pushImage("2.0.0", "two")
	before := r.State()
	_, err := w.place("2.0.0").Publish(ctx, ociRelease(t, "1.0.0", image, nil))
	if !errors.Is(err, ErrConflict) || !strings.Contains(fmt.Sprint(err), string(image)) || !strings.Contains(fmt.Sprint(err), string(other)) {
		t.Errorf("got %v, want ErrConflict with %s and %s", err, image, other)
	}
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Hint, "@"+string(image)) {
		t.Errorf("hint: got %+v, want the image's name", e)
	}
	if diff := cmp.Diff(before, r.State()); diff != "" {
		t.Errorf("the registry changed:\n%s", diff)
	}
	_, index, err := w.place("1.0.0").subject(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := w.place("1.0.0").Publish(ctx, ociRelease(t, "1.0.0", digest.SHA512.FromBytes(index), nil)); err != nil || len(got.Notes) > 0 {
		t.Errorf("sealed by SHA-512: got %+v, %v", got, err)
	}
	npm := ociRelease(t, "2.0.0", other, nil)
	npm.Manifest.Tools[0].Artifact.Type = seal.NPM
	if got, err := w.place("2.0.0").Publish(ctx, npm); err != nil || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "npm") {
		t.Errorf("an npm package in an image: got %+v, %v, want a note", got, err)
	}
}

// TestOCIMovedTag: in one run, a tag is one image.
func TestOCIMovedTag(t *testing.T) {
	r := &ocitest.Registry{Referrers: true}
	w, ctx := newOCIWorld(t, r), context.Background()
	image := w.pushImage("1.0.0", "one")
	p := w.place("1.0.0")
	if err := p.Check(ctx); err != nil {
		t.Fatal(err)
	}
	moved := w.pushImage("1.0.0", "two")
	before := r.State()
	for _, release := range []Sealed{ociRelease(t, "1.0.0", image, nil), ociRelease(t, "1.0.0", moved, nil)} {
		if _, err := p.Publish(ctx, release); !errors.Is(err, ErrConflict) {
			t.Errorf("got %v, want ErrConflict", err)
		}
	}
	if diff := cmp.Diff(before, r.State()); diff != "" {
		t.Errorf("the registry changed:\n%s", diff)
	}
}

// rivalEntry is what another client adds to the list of an image's referrers.
var rivalEntry = v1.Descriptor{
	MediaType: v1.MediaTypeImageManifest, Digest: digest.FromString("rival"), Size: 5, ArtifactType: "application/vnd.example.sbom",
	Annotations: map[string]string{"who": "a rival"},
}

// writeList writes the list of an image's referrers, as a client does that has
// read it before somebody else wrote it.
func (w *ociWorld) writeList(image digest.Digest, entries ...v1.Descriptor) {
	w.t.Helper()
	data, err := json.Marshal(v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: entries})
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPut, "http://"+w.host+"/v2/acme/tools/manifests/"+referrersTag(image), bytes.NewReader(data))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", v1.MediaTypeImageIndex)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		w.t.Fatalf("got HTTP %d", resp.StatusCode)
	}
}

// TestOCILostUpdate: whenever a rival writes the list back that it read before we
// wrote ours, both entries are in it at the end.
func TestOCILostUpdate(t *testing.T) {
	for name, lose := range map[string]func(w *ociWorld, p *ociPlace, rival func()){
		"before the first look": func(w *ociWorld, _ *ociPlace, rival func()) {
			w.after = func(r *http.Request) int {
				if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/sha256-") {
					rival()
				}
				return 0
			}
		},
		"after the first look": func(_ *ociWorld, p *ociPlace, rival func()) {
			p.wait = func(context.Context, time.Duration) error { rival(); return nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &ocitest.Registry{Lenient: true}
			w, ctx := newOCIWorld(t, r), context.Background()
			image := w.pushImage("1.0.0", "one")
			p := w.place("1.0.0")
			var lost atomic.Bool
			lose(w, p, func() {
				// Its own request, too, comes by here.
				if lost.CompareAndSwap(false, true) {
					w.writeList(image, rivalEntry)
				}
			})
			release := ociRelease(t, "1.0.0", image, nil)
			if got, err := p.Publish(ctx, release); err != nil || got.State != Published || !strings.Contains(fmt.Sprint(got.Notes), referrersTag(image)) {
				t.Fatalf("got %+v, %v", got, err)
			}
			all, err := w.place("1.0.0").referrers(ctx, v1.Descriptor{Digest: image})
			if err != nil || len(all) != 2 {
				t.Fatalf("got %d referrers, %v, want the rival's and ours", len(all), err)
			}
			i := slices.IndexFunc(all, func(d v1.Descriptor) bool { return d.Digest == rivalEntry.Digest })
			if i < 0 {
				t.Fatalf("the rival's entry is lost: %+v", all)
			}
			if diff := cmp.Diff(rivalEntry, all[i]); diff != "" {
				t.Errorf("the rival's entry (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOCIRivals publishes eight releases of one image at once, where the clients
// write the list.
func TestOCIRivals(t *testing.T) {
	r := &ocitest.Registry{}
	w, ctx := newOCIWorld(t, r), context.Background()
	image := w.pushImage("1.0.0", "one")
	var group sync.WaitGroup
	want := map[digest.Digest]bool{}
	for n := range 8 {
		release := ociRelease(t, fmt.Sprintf("1.0.%d", n), image, nil)
		want[release.Payload] = true
		p := w.place("1.0.0")
		// A tenth of a second for two: reading and writing takes milliseconds here.
		p.wait = func(ctx context.Context, d time.Duration) error { return sleep(ctx, d/20) }
		group.Go(func() {
			if _, err := p.Publish(ctx, release); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	got := map[digest.Digest]bool{}
	for d, err := range w.place("1.0.0").List(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		got[d] = true
	}
	if !maps.Equal(want, got) {
		t.Errorf("got %d releases, want %d", len(got), len(want))
	}
}

// TestOCIForeignTag: what stands under the tag of the list, and is no list, stays.
func TestOCIForeignTag(t *testing.T) {
	r := &ocitest.Registry{}
	w, ctx := newOCIWorld(t, r), context.Background()
	image := w.pushImage("1.0.0", "one")
	p := w.place("1.0.0")
	desc, data, err := p.subject(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.repo.PushReference(ctx, desc, bytes.NewReader(data), referrersTag(image)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.place("1.0.0").Publish(ctx, ociRelease(t, "1.0.0", image, nil)); !errors.Is(err, ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
	if got := r.State()["tag acme/tools "+referrersTag(image)]; got != string(image) {
		t.Errorf("the tag: got %s, want %s as before", got, image)
	}
}

// TestOCIDeaf: a registry that takes a referrer and never lists it.
func TestOCIDeaf(t *testing.T) {
	real, ctx := &ocitest.Registry{Referrers: true}, context.Background()
	w := newOCIWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/referrers/") {
			rw.Header().Set("Content-Type", v1.MediaTypeImageIndex)
			fmt.Fprintf(rw, `{"schemaVersion":2,"mediaType":%q,"manifests":[]}`, v1.MediaTypeImageIndex)
			return
		}
		real.ServeHTTP(rw, r)
	}))
	image := w.pushImage("1.0.0", "one")
	_, err := w.place("1.0.0").Publish(ctx, ociRelease(t, "1.0.0", image, nil))
	if !errors.Is(err, verify.ErrUnavailable) || !strings.Contains(fmt.Sprint(err), "did not keep") {
		t.Errorf("got %v, want that the list did not keep it", err)
	}
}

// TestOCIAlreadyThere: the same payload in another envelope is the same release,
// and what only claims to hold it is not.
func TestOCIAlreadyThere(t *testing.T) {
	w, ctx := newOCIWorld(t, &ocitest.Registry{Referrers: true}), context.Background()
	image := w.pushImage("1.0.0", "one")
	release, other := ociRelease(t, "1.0.0", image, nil), ociRelease(t, "1.0.1", image, nil)
	p := w.place("1.0.0")
	subject, _, err := p.subject(ctx)
	if err != nil {
		t.Fatal(err)
	}
	liar := other
	liar.Payload = release.Payload
	w.publishRaw(subject, liar, "")
	if got, err := p.Publish(ctx, release); err != nil || got.State != Published {
		t.Errorf("beside a liar: got %+v, %v, want %q", got, err, Published)
	}
	without := release
	without.Provenance = nil
	got, err := w.place("1.0.0").Publish(ctx, without)
	if err != nil || got.State != AlreadyThere || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "provenance") {
		t.Errorf("without provenance: got %+v, %v, want %q and a note", got, err, AlreadyThere)
	}
}

// publishRaw pushes a release as it is told to.
func (w *ociWorld) publishRaw(subject v1.Descriptor, r Sealed, previousAt digest.Digest) digest.Digest {
	w.t.Helper()
	ctx, p := context.Background(), w.place("1.0.0")
	manifest, blobs, err := packArtifact(r, DefaultStem, subject, previousAt)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, b := range append(blobs, manifest) {
		if err := p.repo.Push(ctx, b.desc, bytes.NewReader(b.data)); err != nil {
			w.t.Fatal(err)
		}
	}
	return manifest.desc.Digest
}
