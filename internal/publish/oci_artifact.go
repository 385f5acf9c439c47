package publish

import (
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"

	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// SnapshotMediaType and BundleMediaType are those of the layers beside the
// envelope, whose own is [MediaType].
const (
	SnapshotMediaType = "application/vnd.mcp-integrity.interface+json"
	BundleMediaType   = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

// Annotations of an artifact manifest. All are claims, by which a release is
// found, and none is believed.
const (
	// annotationPayload is the SHA-256 of the envelope's payload.
	annotationPayload = "org.mcp-integrity.payload.digest"
	// annotationPrevious is the payload digest that the release names as its
	// predecessor's.
	annotationPrevious = "org.mcp-integrity.previous.payload.digest"
	// annotationPreviousManifest is the digest of the predecessor's own artifact
	// manifest in this repository, where it has one: by it a chain is walked
	// without tags.
	annotationPreviousManifest = "org.mcp-integrity.previous.manifest.digest"
)

const (
	// maxArtifact bounds an artifact manifest, in bytes: ours have 2,000.
	maxArtifact = 64 << 10
	// maxLayers is room for what others may add to the three of ours.
	maxLayers = 16
)

// artifact is a release as a registry holds it. What it says are claims.
type artifact struct {
	desc     v1.Descriptor
	payload  digest.Digest
	previous digest.Digest // "" where there is none
	// previousAt is where the predecessor's own artifact lies, "" where nobody knows.
	previousAt           digest.Digest
	envelope             v1.Descriptor
	snapshot, provenance *v1.Descriptor
}

// blob is something to be pushed.
type blob struct {
	desc v1.Descriptor
	data []byte
}

// packArtifact makes the artifact manifest of a release, an OCI image manifest
// with an artifactType, and the blobs it names, the envelope first. The same
// release gives the same bytes.
func packArtifact(r Sealed, stem string, subject v1.Descriptor, previousAt digest.Digest) (manifest blob, blobs []blob, err error) {
	names := NamesOf(stem)
	layers := []blob{layer(MediaType, names.Envelope, r.Envelope)}
	if r.Snapshot != nil {
		layers = append(layers, layer(SnapshotMediaType, names.Snapshot, r.Snapshot))
	}
	if r.Provenance != nil {
		layers = append(layers, layer(BundleMediaType, names.Provenance, r.Provenance))
	}
	m := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		ArtifactType: MediaType, Config: v1.DescriptorEmptyJSON,
		Subject: &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
		Annotations: map[string]string{
			// Not the time of the upload: that would make another artifact of every try.
			v1.AnnotationCreated: r.Manifest.IssuedAt.UTC().Format(time.RFC3339),
			v1.AnnotationVersion: cut(lineage.VersionOf(r.Manifest), maxIndexVersion),
			annotationPayload:    string(r.Payload),
		},
	}
	if previous := linkOf(r.Manifest); previous != "" {
		m.Annotations[annotationPrevious] = string(previous)
	}
	if previousAt != "" {
		m.Annotations[annotationPreviousManifest] = string(previousAt)
	}
	for _, l := range layers {
		m.Layers = append(m.Layers, l.desc)
	}
	data, err := strictjson.Marshal(m)
	if err != nil {
		return blob{}, nil, fmt.Errorf("artifact manifest: %w", err)
	}
	manifest = blob{desc: content.NewDescriptorFromBytes(v1.MediaTypeImageManifest, data), data: data}
	if _, err := parseArtifact(manifest.desc, data); err != nil {
		return blob{}, nil, err
	}
	empty := blob{desc: v1.DescriptorEmptyJSON, data: v1.DescriptorEmptyJSON.Data}
	return manifest, append(layers, empty), nil
}

func layer(mediaType, title string, data []byte) blob {
	desc := content.NewDescriptorFromBytes(mediaType, data)
	desc.Annotations = map[string]string{v1.AnnotationTitle: title}
	return blob{desc: desc, data: data}
}

// errOtherArtifact says that a referrer is none of ours.
var errOtherArtifact = errors.New("no sealed release")

// parseArtifact reads an artifact manifest that anybody may have pushed. It
// wraps [errOtherArtifact] where it is something else.
func parseArtifact(desc v1.Descriptor, data []byte) (artifact, error) {
	a, err := readArtifact(data)
	if err != nil {
		return artifact{}, fmt.Errorf("artifact manifest %s: %w", desc.Digest, err)
	}
	a.desc = v1.Descriptor{MediaType: desc.MediaType, Digest: desc.Digest, Size: desc.Size}
	return a, nil
}

func readArtifact(data []byte) (artifact, error) {
	var a artifact
	var m v1.Manifest
	if err := strictjson.UnmarshalOpen(data, &m); err != nil {
		return a, err
	}
	if m.ArtifactType != MediaType {
		return a, fmt.Errorf("%w: artifactType %.100q", errOtherArtifact, m.ArtifactType)
	}
	if len(m.Layers) > maxLayers {
		return a, fmt.Errorf("%d layers, want at most %d", len(m.Layers), maxLayers)
	}
	for _, l := range m.Layers {
		if err := a.add(l); err != nil {
			return a, err
		}
	}
	if a.envelope.Digest == "" {
		return a, fmt.Errorf("no layer of type %q", MediaType)
	}
	return a, a.annotate(m.Annotations)
}

// add takes a layer of one of our three types, each once.
func (a *artifact) add(l v1.Descriptor) error {
	kept := v1.Descriptor{MediaType: l.MediaType, Digest: l.Digest, Size: l.Size}
	var twice bool
	var most int64
	switch l.MediaType {
	case MediaType:
		twice, most = a.envelope.Digest != "", seal.MaxEnvelopeSize
		a.envelope = kept
	case SnapshotMediaType:
		twice, most = a.snapshot != nil, fingerprint.MaxSnapshotSize
		a.snapshot = &kept
	case BundleMediaType:
		twice, most = a.provenance != nil, maxProvenance
		a.provenance = &kept
	default:
		return nil
	}
	switch {
	case twice:
		return fmt.Errorf("two layers of type %q", l.MediaType)
	case l.Digest.Validate() != nil:
		return fmt.Errorf("layer %q: digest: got %.140q", l.MediaType, l.Digest)
	case l.Size < 0 || l.Size > most:
		return fmt.Errorf("layer %q of %d bytes, want at most %d", l.MediaType, l.Size, most)
	}
	return nil
}

func (a *artifact) annotate(annotations map[string]string) error {
	for name, d := range map[string]*digest.Digest{
		annotationPayload: &a.payload, annotationPrevious: &a.previous, annotationPreviousManifest: &a.previousAt,
	} {
		*d = digest.Digest(annotations[name])
		if *d != "" && d.Validate() != nil {
			return fmt.Errorf("annotation %s: got %.140q, want a digest", name, *d)
		}
	}
	if a.payload == "" {
		return fmt.Errorf("no annotation %s", annotationPayload)
	}
	return nil
}
