package verify

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
)

// links are the releases of the chain, the newest first, in a hundred bytes each.
type links struct {
	all     []seenLink
	byDgst  []int32 // all, sorted by digest; built when the walk is over
	origins []string
	nearest []ChainRelease
}

type seenLink struct {
	digest  [32]byte
	issued  time.Time
	version string
	origin  int32 // in origins
}

// maxOrigins bounds the origins that are kept: who signs changes a few times in
// a chain's life.
const maxOrigins = 100

func (l *links) add(r *release) {
	origin := r.origin()
	at := slices.Index(l.origins, origin)
	if at < 0 && len(l.origins) < maxOrigins {
		at = len(l.origins)
		l.origins = append(l.origins, origin)
	}
	version := shortVersion(r.manifest)
	l.all = append(l.all, seenLink{digest: raw(r.digest), issued: r.manifest.IssuedAt.Time, version: version, origin: int32(at)})
	if len(l.nearest) < maxNearest {
		l.nearest = append(l.nearest, ChainRelease{Version: version, Digest: r.digest, IssuedAt: r.manifest.IssuedAt, Signer: strings.Join(signersOf(r), ", ")})
	}
}

// shortVersion is a release's version, cut, and cloned: a part of a text keeps
// the whole text in memory.
func shortVersion(m *seal.Manifest) string {
	v := lineage.VersionOf(m)
	if len(v) > maxVersion {
		v = strings.ToValidUTF8(v[:maxVersion], "")
	}
	return strings.Clone(v)
}

// isSHA256 says whether a stranger's text is a digest as payloads are named.
func isSHA256(d digest.Digest) bool {
	return d.Validate() == nil && d.Algorithm() == digest.SHA256
}

// raw is the 32 bytes of a SHA-256.
func raw(d digest.Digest) (b [32]byte) {
	if n, err := hex.Decode(b[:], []byte(d.Encoded())); err != nil || n != len(b) {
		return [32]byte{} // the caller validated it
	}
	return b
}

func (s *seenLink) payload() digest.Digest {
	return digest.NewDigestFromBytes(digest.SHA256, s.digest[:])
}

func (l *links) len() int { return len(l.all) }

// index makes find work.
func (l *links) index() {
	l.byDgst = make([]int32, len(l.all))
	for i := range l.byDgst {
		l.byDgst[i] = int32(i)
	}
	slices.SortFunc(l.byDgst, func(a, b int32) int { return bytes.Compare(l.all[a].digest[:], l.all[b].digest[:]) })
}

// find returns the place of a release in the chain, 0 for the newest.
func (l *links) find(d digest.Digest) (int, bool) {
	if !isSHA256(d) {
		return 0, false
	}
	want := raw(d)
	i, ok := slices.BinarySearchFunc(l.byDgst, want, func(at int32, want [32]byte) int { return bytes.Compare(l.all[at].digest[:], want[:]) })
	if !ok {
		return 0, false
	}
	return int(l.byDgst[i]), true
}
