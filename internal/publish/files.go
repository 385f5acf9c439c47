package publish

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Bounds on the files of a release, in bytes; those on the other two are
// [seal.MaxEnvelopeSize] and [fingerprint.MaxSnapshotSize].
const (
	// maxProvenance is what GitHub takes for an attestation, which may hold an SBOM.
	maxProvenance = 16 << 20
	// maxIndex is for [maxIndexEntries] of 400 bytes, twice what an ordinary one has.
	maxIndex = 12 << 20
	// maxIndexEntries is three times a large history.
	maxIndexEntries = 30_000
	// maxIndexVersion is for a version in the index. Those of npm and PyPI that
	// people chose themselves stay below 60 bytes.
	maxIndexVersion = 256
)

// Names are those of a release's files, with slashes.
type Names struct{ Envelope, Snapshot, Provenance string }

// NamesOf are the names of the newest release of a stem. A stem may be the
// beginning of a URL.
func NamesOf(stem string) Names {
	return Names{Envelope: stem + EnvelopeSuffix, Snapshot: stem + SnapshotSuffix, Provenance: stem + ProvenanceSuffix}
}

// HistoryNames are the names of a release in the history of a stem, for the
// SHA-256 of its payload.
func HistoryNames(stem string, payload digest.Digest) Names {
	return NamesOf(stem + "/" + payload.Algorithm().String() + "-" + payload.Encoded())
}

// HistoryName is one of [HistoryNames], by its suffix.
func HistoryName(stem string, payload digest.Digest, suffix string) string {
	return strings.TrimSuffix(HistoryNames(stem, payload).Envelope, EnvelopeSuffix) + suffix
}

// IndexName is the name of a stem's history index.
func IndexName(stem string) string { return stem + "/index.json" }

// historyDigest is the payload digest that the name of an envelope in a history
// says, without its directory; false where it is no such name.
func historyDigest(name string) (digest.Digest, bool) {
	encoded, ok := strings.CutPrefix(name, "sha256-")
	if !ok {
		return "", false
	}
	if encoded, ok = strings.CutSuffix(encoded, EnvelopeSuffix); !ok {
		return "", false
	}
	d := digest.NewDigestFromEncoded(digest.SHA256, encoded)
	return d, d.Validate() == nil
}

// limitOf bounds a file of a release by its name, in bytes.
func limitOf(name string) int64 {
	switch {
	case strings.HasSuffix(name, SnapshotSuffix):
		return fingerprint.MaxSnapshotSize
	case strings.HasSuffix(name, ProvenanceSuffix):
		return maxProvenance
	case path.Base(name) == "index.json":
		return maxIndex
	case name == keysName:
		return keys.MaxSetSize
	case name == headersName:
		return maxHosts
	}
	return seal.MaxEnvelopeSize
}

// payloadDigest is the SHA-256 of the payload of an envelope that nobody has
// verified.
func payloadDigest(envelope []byte) (digest.Digest, error) {
	e, err := seal.ParseEnvelope(envelope)
	if err != nil {
		return "", err
	}
	return e.PayloadDigest(digest.SHA256), nil
}

// hasPayload says whether envelope is one whose payload has this digest, by the
// digest's own algorithm.
func hasPayload(envelope []byte, payload digest.Digest) bool {
	e, err := seal.ParseEnvelope(envelope)
	return err == nil && payload.Validate() == nil && e.PayloadDigest(payload.Algorithm()) == payload
}

// indexVersion is the only index_version that is written and read.
const indexVersion = "1.0"

// Index is the history of a stem as its file tells it: a hint, by which a host
// that cannot list its files still shows them. Nothing is believed for standing
// in it.
type Index struct {
	// Releases are all releases, the newest first.
	Releases []IndexEntry
}

// IndexEntry is a release in an [Index].
type IndexEntry struct {
	// Payload is the SHA-256 of its payload.
	Payload digest.Digest `json:"payload"`
	// Version is its tools', at most 256 bytes of it.
	Version  string         `json:"version"`
	IssuedAt seal.Timestamp `json:"issued_at"`
	// Previous is its link, "" where it has none.
	Previous digest.Digest `json:"previous,omitzero"`
}

type wireIndex struct {
	Version  string       `json:"index_version"`
	Releases []IndexEntry `json:"releases"`
}

// ParseIndex reads an index: strict JSON, no unknown members, at most 30,000
// releases, each once.
func ParseIndex(data []byte) (Index, error) {
	x, err := parseIndex(data)
	if err != nil {
		return Index{}, fmt.Errorf("history index: %w", err)
	}
	return x, nil
}

func parseIndex(data []byte) (Index, error) {
	if len(data) > maxIndex {
		return Index{}, fmt.Errorf("%d bytes, want at most %d", len(data), maxIndex)
	}
	var wire wireIndex
	if err := strictjson.Unmarshal(data, &wire); err != nil {
		return Index{}, err
	}
	if wire.Version != indexVersion {
		return Index{}, fmt.Errorf("index_version: got %.40q, want %q", wire.Version, indexVersion)
	}
	if wire.Releases == nil {
		return Index{}, errors.New(`no member "releases"`)
	}
	if n := len(wire.Releases); n > maxIndexEntries {
		return Index{}, fmt.Errorf("%d releases, want at most %d", n, maxIndexEntries)
	}
	seen := make(map[digest.Digest]bool, len(wire.Releases))
	for i, e := range wire.Releases {
		if err := e.check(); err != nil {
			return Index{}, fmt.Errorf("releases[%d]: %w", i, err)
		}
		if seen[e.Payload] {
			return Index{}, fmt.Errorf("releases[%d]: payload %s stands twice", i, e.Payload)
		}
		seen[e.Payload] = true
	}
	return Index{Releases: wire.Releases}, nil
}

func (e IndexEntry) check() error {
	switch {
	case e.Payload.Validate() != nil || e.Payload.Algorithm() != digest.SHA256:
		return fmt.Errorf("payload: got %.100q, want sha256: and 64 hex digits", e.Payload)
	case e.Previous != "" && e.Previous.Validate() != nil:
		return fmt.Errorf("previous: got %.100q, want a digest", e.Previous)
	case len(e.Version) > maxIndexVersion:
		return fmt.Errorf("version of %d bytes, want at most %d", len(e.Version), maxIndexVersion)
	case e.IssuedAt.IsZero():
		return errors.New("issued_at is required")
	}
	return nil
}

// Marshal returns the index's file. What it returns [ParseIndex] accepts.
func (x Index) Marshal() ([]byte, error) {
	wire := wireIndex{Version: indexVersion, Releases: x.Releases}
	if wire.Releases == nil {
		wire.Releases = []IndexEntry{}
	}
	canonical, err := strictjson.Marshal(wire)
	if err != nil {
		return nil, fmt.Errorf("history index: %w", err)
	}
	indented := jsontext.Value(canonical)
	if err := indented.Indent(jsontext.WithIndent(" ")); err != nil {
		return nil, fmt.Errorf("history index: %w", err)
	}
	data := append(indented, '\n')
	if _, err := ParseIndex(data); err != nil {
		return nil, err
	}
	return data, nil
}

// With returns the index with the release e in it. One that has it stays as it is.
func (x Index) With(e IndexEntry) Index {
	if x.has(e.Payload) {
		return x
	}
	all := append(slices.Clone(x.Releases), e)
	slices.SortFunc(all, newestFirst)
	return Index{Releases: all}
}

// newestFirst is the order of an index. Of two that were issued at the same second
// their digests decide, so that the same history is the same file.
func newestFirst(a, b IndexEntry) int {
	return cmp.Or(b.IssuedAt.Compare(a.IssuedAt.Time), cmp.Compare(a.Payload, b.Payload))
}

func (x Index) has(payload digest.Digest) bool {
	return slices.ContainsFunc(x.Releases, func(o IndexEntry) bool { return o.Payload == payload })
}

// entryOf is the entry of a release whose manifest is m, whoever signed it.
func entryOf(payload digest.Digest, m *seal.Manifest) IndexEntry {
	return IndexEntry{Payload: payload, Version: cut(lineage.VersionOf(m), maxIndexVersion), IssuedAt: m.IssuedAt, Previous: linkOf(m)}
}

// manifestOf reads the manifest in an envelope that nobody has verified: a claim.
func manifestOf(envelope []byte) (*seal.Manifest, digest.Digest, error) {
	e, err := seal.ParseEnvelope(envelope)
	if err != nil {
		return nil, "", err
	}
	m, err := seal.ParseManifest(e.Payload)
	if err != nil {
		return nil, "", err
	}
	return m, e.PayloadDigest(digest.SHA256), nil
}

// linkOf is the digest by which a manifest names its predecessor, "" where it
// names none. All its tools name the same (decision 20).
func linkOf(m *seal.Manifest) digest.Digest {
	for _, t := range m.Tools {
		if t.Lineage != nil && t.Lineage.PreviousManifestDigest != "" {
			return t.Lineage.PreviousManifestDigest
		}
	}
	return ""
}

// cut is at most n bytes of a text, whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// isPage says that a document is a web page. A host that answers with one for
// whatever it does not have says 200 for it.
func isPage(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), " \t\r\n"), []byte("<"))
}
