package publish

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

func TestNames(t *testing.T) {
	const hex = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
	payload := digest.Digest("sha256:" + hex)
	if got, want := NamesOf("x/mcp-integrity"), (Names{"x/mcp-integrity.json", "x/mcp-integrity.interface.json", "x/mcp-integrity.provenance.sigstore.json"}); got != want {
		t.Errorf("NamesOf: got %v, want %v", got, want)
	}
	names := HistoryNames("mcp-integrity", payload)
	want := Names{
		"mcp-integrity/sha256-" + hex + ".json", "mcp-integrity/sha256-" + hex + ".interface.json",
		"mcp-integrity/sha256-" + hex + ".provenance.sigstore.json",
	}
	if names != want {
		t.Errorf("HistoryNames: got %v, want %v", names, want)
	}
	if got := HistoryName("mcp-integrity", payload, SnapshotSuffix); got != want.Snapshot {
		t.Errorf("HistoryName: got %q, want %q", got, want.Snapshot)
	}
	if got, ok := historyDigest("sha256-" + hex + ".json"); !ok || got != payload {
		t.Errorf("historyDigest: got %q, %v, want %q", got, ok, payload)
	}
	for _, name := range []string{
		"", "index.json", hex + ".json", "sha256-.json", "sha256-" + hex, "sha256-" + hex[1:] + ".json", "sha256-" + strings.ToUpper(hex) + ".json",
		"sha256-" + hex + ".interface.json", "sha512-" + hex + hex + ".json", "sha256-" + hex + ".json.json", "SHA256-" + hex + ".json", "sha256-../" + hex + ".json",
	} {
		if d, ok := historyDigest(name); ok {
			t.Errorf("historyDigest(%q) = %s, want none", name, d)
		}
	}
	for name, limit := range map[string]int64{
		names.Envelope: seal.MaxEnvelopeSize, names.Snapshot: fingerprint.MaxSnapshotSize, names.Provenance: maxProvenance, IndexName("mcp-integrity"): maxIndex,
	} {
		if got := limitOf(name); got != limit {
			t.Errorf("limitOf(%q) = %d, want %d", name, got, limit)
		}
	}
}

// entry is the nth release of a history, hours apart.
func entry(n int) IndexEntry {
	e := IndexEntry{Payload: digest.FromString(fmt.Sprint(n)), Version: fmt.Sprintf("1.0.%d", n), IssuedAt: seal.NewTimestamp(sealtest.Time.Add(time.Duration(n) * time.Hour))}
	if n > 0 {
		e.Previous = digest.FromString(fmt.Sprint(n - 1))
	}
	return e
}

func TestIndexRoundTrip(t *testing.T) {
	var x Index
	for _, n := range []int{0, 2, 1, 1, 3} {
		x = x.With(entry(n))
	}
	want := Index{Releases: []IndexEntry{entry(3), entry(2), entry(1), entry(0)}}
	if diff := cmp.Diff(want, x); diff != "" {
		t.Errorf("With, in any order (-want +got):\n%s", diff)
	}
	data, err := x.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseIndex(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
	if empty, err := (Index{}).Marshal(); err != nil || !strings.Contains(string(empty), `"releases": []`) {
		t.Errorf("an empty index: got %s, %v", empty, err)
	}
}

func TestIndexBounds(t *testing.T) {
	payload, other := digest.FromString("a"), digest.FromString("b")
	release := fmt.Sprintf(`{"payload":%q,"version":"1","issued_at":"2026-02-20T15:00:00Z"}`, payload)
	for name, tt := range map[string]struct{ doc, want string }{
		"empty":               {``, "EOF"},
		"cut off":             {`{"index_version":"1.0","releases":[`, "EOF"},
		"another version":     {`{"index_version":"2.0","releases":[]}`, `want "1.0"`},
		"no version":          {`{"releases":[]}`, "index_version"},
		"no releases":         {`{"index_version":"1.0"}`, "releases"},
		"unknown member":      {`{"index_version":"1.0","releases":[],"more":1}`, "not known"},
		"member in upper":     {`{"index_version":"1.0","Releases":[]}`, "not known"},
		"twice a member":      {`{"index_version":"1.0","releases":[],"releases":[]}`, "duplicate"},
		"twice a release":     {`{"index_version":"1.0","releases":[` + release + `,` + release + `]}`, "twice"},
		"no payload":          {`{"index_version":"1.0","releases":[{"version":"1","issued_at":"2026-02-20T15:00:00Z"}]}`, "payload"},
		"payload by sha512":   {`{"index_version":"1.0","releases":[` + strings.Replace(release, string(payload), string(digest.SHA512.FromString("a")), 1) + `]}`, "sha256"},
		"payload that climbs": {`{"index_version":"1.0","releases":[` + strings.Replace(release, string(payload), "sha256:../../etc", 1) + `]}`, "payload"},
		"no time":             {`{"index_version":"1.0","releases":[` + strings.Replace(release, `,"issued_at":"2026-02-20T15:00:00Z"`, "", 1) + `]}`, "issued_at"},
		"a time in words":     {`{"index_version":"1.0","releases":[` + strings.Replace(release, `2026-02-20T15:00:00Z`, "yesterday", 1) + `]}`, "issued_at"},
		"a link in words":     {`{"index_version":"1.0","releases":[` + strings.Replace(release, `}`, `,"previous":"none"}`, 1) + `]}`, "previous"},
		"a long version":      {`{"index_version":"1.0","releases":[` + strings.Replace(release, `"1"`, `"`+strings.Repeat("1", 257)+`"`, 1) + `]}`, "256"},
		"many":                {`{"index_version":"1.0","releases":[` + strings.Repeat(release+",", maxIndexEntries) + release + `]}`, "30001 releases"},
		"large":               {strings.Repeat(" ", maxIndex) + `{}`, "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			if x, err := ParseIndex([]byte(tt.doc)); err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 500 {
				t.Errorf("got %v, %v, want an error with %q", x, err, tt.want)
			}
		})
	}
	link := strings.Replace(release, `}`, fmt.Sprintf(`,"previous":%q}`, digest.SHA512.FromString("b")), 1)
	x, err := ParseIndex([]byte(`{"index_version":"1.0","releases":[` + link + `,` + strings.Replace(release, string(payload), string(other), 1) + `]}`))
	if err != nil || len(x.Releases) != 2 {
		t.Errorf("a link by sha512: got %v, %v", x, err)
	}
	long := entryOf(payload, &seal.Manifest{IssuedAt: seal.NewTimestamp(sealtest.Time), Server: seal.Server{Version: strings.Repeat("é", 200)}})
	if _, err := (Index{Releases: []IndexEntry{long}}).Marshal(); err != nil || long.Version != strings.Repeat("é", 128) {
		t.Errorf("a version of 400 bytes: got %d bytes, %v", len(long.Version), err)
	}
}

func FuzzParseIndex(f *testing.F) {
	good, err := Index{Releases: []IndexEntry{entry(1), entry(0)}}.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"index_version":"1.0","releases":[]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := ParseIndex(data)
		if err != nil {
			return
		}
		again, err := x.Marshal()
		if err != nil {
			t.Fatalf("what was read is not written: %v", err)
		}
		y, err := ParseIndex(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(x, y, cmp.Comparer(func(a, b seal.Timestamp) bool { return a.Equal(b.Time) })); diff != "" {
			t.Errorf("read, written and read (-want +got):\n%s", diff)
		}
	})
}

func TestPayloadDigest(t *testing.T) {
	e := sealtest.Seal(t, sealtest.Manifest(t, sealtest.Tools(t, 1)...), sealtest.Key(t, keys.Ed25519, "k"))
	data := sealtest.Marshal(t, e)
	got, err := payloadDigest(data)
	if want := digest.FromBytes(e.Payload); err != nil || got != want {
		t.Errorf("payloadDigest: got %q, %v, want %q", got, err, want)
	}
	for _, alg := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
		if !hasPayload(data, alg.FromBytes(e.Payload)) {
			t.Errorf("hasPayload by %s: false", alg)
		}
	}
	for _, d := range []digest.Digest{digest.FromString("x"), "", "sha256:", "md5:00", "x"} {
		if hasPayload(data, d) {
			t.Errorf("hasPayload(%q): true", d)
		}
	}
	for _, bad := range []string{"", "<html>", "{}", string(data[:len(data)-9])} {
		if d, err := payloadDigest([]byte(bad)); err == nil {
			t.Errorf("payloadDigest(%.20q) = %s, want an error", bad, d)
		}
	}
}

func TestPage(t *testing.T) {
	for text, want := range map[string]bool{"<!DOCTYPE html>": true, "\ufeff \n<html>": true, "{}": false, "": false, `"<"`: false} {
		if isPage([]byte(text)) != want {
			t.Errorf("isPage(%q): want %v", text, want)
		}
	}
}
