package publish

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

var ociSubject = v1.Descriptor{MediaType: v1.MediaTypeImageIndex, Digest: digest.FromString("image"), Size: 5}

// TestPackArtifact: what a registry shows of a release, and the same at every try.
func TestPackArtifact(t *testing.T) {
	one := ociRelease(t, "1.2.3", "", nil)
	r := ociRelease(t, "1.2.4", "", &one)
	manifest, blobs, err := packArtifact(r, "server", ociSubject, digest.FromString("before"))
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := packArtifact(r, "server", ociSubject, digest.FromString("before"))
	if err != nil || !bytes.Equal(manifest.data, again.data) {
		t.Errorf("again: got %s, %v, want the same bytes", again.data, err)
	}
	var got v1.Manifest
	if err := strictjson.Unmarshal(manifest.data, &got); err != nil {
		t.Fatal(err)
	}
	titled := func(mediaType, title string, data []byte) v1.Descriptor {
		return v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data)), Annotations: map[string]string{"org.opencontainers.image.title": title}}
	}
	want := v1.Manifest{
		MediaType: "application/vnd.oci.image.manifest.v1+json", ArtifactType: "application/vnd.mcp-integrity.manifest+json",
		Config: v1.Descriptor{MediaType: "application/vnd.oci.empty.v1+json", Digest: digest.FromString("{}"), Size: 2, Data: []byte("{}")},
		Layers: []v1.Descriptor{
			titled("application/vnd.mcp-integrity.manifest+json", "server.json", r.Envelope),
			titled("application/vnd.mcp-integrity.interface+json", "server.interface.json", r.Snapshot),
			titled("application/vnd.dev.sigstore.bundle.v0.3+json", "server.provenance.sigstore.json", r.Provenance),
		},
		Subject: &ociSubject,
		Annotations: map[string]string{
			"org.opencontainers.image.created":           "2026-02-20T16:00:00Z",
			"org.opencontainers.image.version":           "1.2.4",
			"org.mcp-integrity.payload.digest":           string(r.Payload),
			"org.mcp-integrity.previous.payload.digest":  string(one.Payload),
			"org.mcp-integrity.previous.manifest.digest": string(digest.FromString("before")),
		},
	}
	want.SchemaVersion = 2
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i, b := range blobs[:3] {
		if b.desc.Digest != want.Layers[i].Digest || digest.FromBytes(b.data) != b.desc.Digest {
			t.Errorf("blob %d: got %s", i, b.desc.Digest)
		}
	}
	bare := one
	bare.Snapshot, bare.Provenance = nil, nil
	if _, blobs, err = packArtifact(bare, "server", ociSubject, ""); err != nil || len(blobs) != 2 {
		t.Errorf("an envelope alone: got %d blobs, %v, want it and the empty config", len(blobs), err)
	}
}

func TestParseArtifactRefuses(t *testing.T) {
	manifest, _, err := packArtifact(ociRelease(t, "1.2.4", "", nil), DefaultStem, ociSubject, digest.FromString("before"))
	if err != nil {
		t.Fatal(err)
	}
	good := manifest.data
	sum := string(digest.FromString("before"))
	for name, change := range map[string][2]string{
		"another type":       {`"artifactType":"` + MediaType, `"artifactType":"application/x`},
		"another spelling":   {`"artifactType"`, `"ArtifactType"`},
		"twice":              {`"schemaVersion":2`, `"schemaVersion":2,"schemaVersion":2`},
		"no envelope":        {`"mediaType":"` + MediaType, `"mediaType":"application/x`},
		"two envelopes":      {`"mediaType":"` + SnapshotMediaType, `"mediaType":"` + MediaType},
		"no payload":         {annotationPayload, "x"},
		"no digest":          {sum, "sha256:x"},
		"another algorithm":  {sum, "md5:d41d8cd98f00b204e9800998ecf8427e"},
		"negative size":      {`"size":`, `"size":-`},
		"an enormous layer":  {`"size":`, `"size":999999999`},
		"not JSON":           {`}`, ``},
		"a number for texts": {`"` + sum + `"`, `7`},
	} {
		bad := strings.ReplaceAll(string(good), change[0], change[1])
		if bad == string(good) {
			t.Errorf("%s: nothing changed", name)
		}
		if a, err := readArtifact([]byte(bad)); err == nil {
			t.Errorf("%s: got %+v, want an error", name, a)
		}
	}
	many := strings.Replace(string(good), `"layers":[`, `"layers":[`+strings.Repeat(`{"mediaType":"x","digest":"","size":0},`, maxLayers), 1)
	if _, err := readArtifact([]byte(many)); err == nil {
		t.Error("many layers: got no error")
	}
}

// FuzzArtifact: what is read of an artifact manifest is within bounds, and what
// it names can be named again.
func FuzzArtifact(f *testing.F) {
	manifest := `{"schemaVersion":2,"artifactType":"` + MediaType + `","layers":[{"mediaType":"` + MediaType + `","digest":"` + string(digest.FromString("x")) + `","size":1}],` +
		`"annotations":{"` + annotationPayload + `":"` + string(digest.FromString("y")) + `"}}`
	for _, s := range []string{manifest, "", "{}", `{"artifactType":null,"layers":[{}]}`, strings.Replace(manifest, `"size":1`, `"size":1e3`, 1), strings.ReplaceAll(manifest, "sha256", "sha512")} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		bundleLayers(data)
		a, err := readArtifact(data)
		if err != nil {
			return
		}
		if a.payload.Validate() != nil || a.envelope.Digest.Validate() != nil || a.envelope.Size < 0 {
			t.Errorf("got %+v", a)
		}
		if a.snapshot != nil && a.snapshot.Size > fingerprint.MaxSnapshotSize || a.provenance != nil && a.provenance.Size > maxProvenance {
			t.Errorf("out of bounds: %+v", a)
		}
		if a.previousAt != "" && a.previousAt.Validate() != nil || a.previous != "" && a.previous.Validate() != nil {
			t.Errorf("no digest: %+v", a)
		}
	})
}

// FuzzAccessOf: a registry's token.
func FuzzAccessOf(f *testing.F) {
	for _, claims := range []string{`{"access":[{"type":"repository","name":"a","actions":["pull","push"]}]}`, `{"access":null}`, `{}`, `[]`, `{"access":[{"actions":7}]}`} {
		f.Add("e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln")
	}
	f.Add("opaque")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if actions, known := accessOf(token, "a"); !known && actions != nil {
			t.Errorf("got %q of a token that tells nothing", actions)
		}
	})
}
