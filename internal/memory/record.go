package memory

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
	"github.com/mcp-integrity/seal-action/verify"
)

// label separates what is hashed and authenticated here from everything else.
const label = "mcp-integrity memory v1"

// fileName is that of a server's file.
func fileName(server verify.ServerKey) string {
	h := sha256.New()
	for _, part := range []string{label, server.Namespace, server.Name} {
		h.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// isFileName says whether a directory entry is a server's file.
func isFileName(s string) bool {
	return len(s) == 2*sha256.Size && strings.Trim(s, "0123456789abcdef") == ""
}

// A record is what is remembered of one server.
type record struct {
	// count is how often it was written.
	count    int64
	releases []verify.Seen // newest first, each digest once

	index map[digest.Digest]int // into releases
}

// recordFile is a record as it is written.
type recordFile struct {
	Count    int64            `json:"count"`
	Server   verify.ServerKey `json:"server"`
	Releases []verify.Seen    `json:"releases"`
}

// encode returns the JSON of the record. It forgets old releases until the JSON
// fits into limit bytes, or the newest of those that were verified is the last.
func (r *record) encode(server verify.ServerKey, limit int) ([]byte, error) {
	r.releases = r.releases[:min(len(r.releases), maxReleases)]
	least := max(1, r.newest()+1)
	for {
		data, err := strictjson.Marshal(recordFile{r.count, server, r.releases})
		if n := len(r.releases); err != nil || len(data) <= limit || n <= least {
			return data, err
		} else { // by proportion: a few rounds at most
			r.releases = r.releases[:max(least, min(n-1, n*limit/len(data)))]
		}
	}
}

// parseRecord reads the JSON of a server's file, whose HMAC fits.
func parseRecord(data []byte, server verify.ServerKey) (*record, error) {
	var f recordFile
	if err := strictjson.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	if f.Server != server {
		return nil, fmt.Errorf("got server %.100q of %.100q, want %.100q of %.100q", f.Server.Name, f.Server.Namespace, server.Name, server.Namespace)
	}
	if f.Count < 1 {
		return nil, fmt.Errorf("count: got %d, want 1 or more", f.Count)
	}
	if n := len(f.Releases); n == 0 || n > maxReleases {
		return nil, fmt.Errorf("got %d releases, want 1 to %d", n, maxReleases)
	}
	if err := checkAll(f.Server, f.Releases); err != nil {
		return nil, err
	}
	r := &record{count: f.Count, releases: f.Releases}
	if r.reindex(); len(r.index) != len(r.releases) || !slices.IsSortedFunc(r.releases, byTime) {
		return nil, fmt.Errorf("the releases are not in order, or one stands twice")
	}
	return r, nil
}

func (r *record) reindex() {
	r.index = make(map[digest.Digest]int, len(r.releases))
	for i, s := range r.releases {
		r.index[s.Digest] = i
	}
}

func (r *record) find(payload digest.Digest) (verify.Seen, bool) {
	i, ok := r.index[payload]
	if !ok {
		return verify.Seen{}, false
	}
	return r.releases[i], true
}

// newest returns the place of the newest release that was verified; -1 where
// there is none, but only words against some.
func (r *record) newest() int {
	return slices.IndexFunc(r.releases, func(s verify.Seen) bool { return s.Origin != "" })
}

// merge returns r with more releases, and whether that says anything new.
func (r *record) merge(more []verify.Seen) (*record, bool) {
	var all []verify.Seen
	taken := make(map[digest.Digest]bool, len(more))
	changed := false
	for _, s := range more {
		if taken[s.Digest] {
			continue // the first one counts
		}
		taken[s.Digest] = true
		old, known := r.find(s.Digest)
		against := verify.MergeAgainst(old.Against, s.Against)
		if known && s.Origin == "" {
			s = old // which may have been verified: words alone take nothing of that away
		}
		s.Chain = s.Chain || known && old.Chain && old.Origin == s.Origin && old.Trust == s.Trust
		s.Against = against
		changed = changed || !known || !same(old, s)
		all = append(all, s)
	}
	for _, s := range r.releases {
		if !taken[s.Digest] {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, byTime)
	merged := &record{count: r.count, releases: all}
	merged.reindex()
	return merged, changed
}

func same(a, b verify.Seen) bool {
	return a.Digest == b.Digest && a.IssuedAt.Equal(b.IssuedAt.Time) && a.Version == b.Version && a.Origin == b.Origin && a.Chain == b.Chain && a.Trust == b.Trust &&
		slices.EqualFunc(a.Against, b.Against, sameWord)
}

func sameWord(a, b verify.Against) bool {
	expires := a.ExpiresAt == nil && b.ExpiresAt == nil || a.ExpiresAt != nil && b.ExpiresAt != nil && a.ExpiresAt.Equal(b.ExpiresAt.Time)
	return a.Holder == b.Holder && a.Identity == b.Identity && a.Role == b.Role && a.Type == b.Type && a.Time.Equal(b.Time.Time) && expires && a.TakenBack == b.TakenBack
}

// byTime puts the newest first.
func byTime(a, b verify.Seen) int { return b.IssuedAt.Compare(a.IssuedAt.Time) }

// checkAll refuses what could not be read back.
func checkAll(server verify.ServerKey, releases []verify.Seen) error {
	if err := checkTexts("namespace", server.Namespace, "name", server.Name); err != nil {
		return err
	}
	for i := range releases {
		s := &releases[i]
		if s.Digest.Validate() != nil || s.Digest.Algorithm() != digest.SHA256 {
			return fmt.Errorf("release %d: digest %.100q: want sha256 and 64 hex digits", i, s.Digest)
		}
		if year := s.IssuedAt.Year(); year < 1 || year > 9999 {
			return fmt.Errorf("release %s: issued in the year %d, want 1 to 9999", s.Digest, year)
		}
		if err := checkTexts("version", s.Version, "origin", s.Origin, "trust", s.Trust); err != nil {
			return fmt.Errorf("release %s: %w", s.Digest, err)
		}
		if err := checkAgainst(s.Against); err != nil {
			return fmt.Errorf("release %s: %w", s.Digest, err)
		}
	}
	return nil
}

// checkAgainst is checkAll for the words against a release.
func checkAgainst(words []verify.Against) error {
	if len(words) > verify.MaxAgainst {
		return fmt.Errorf("got %d words against it, want at most %d", len(words), verify.MaxAgainst)
	}
	for _, n := range words {
		if err := checkTexts("holder", n.Holder, "identity", n.Identity, "role", string(n.Role), "attestation_type", n.Type); err != nil {
			return err
		}
		times := []seal.Timestamp{n.Time}
		if n.ExpiresAt != nil {
			times = append(times, *n.ExpiresAt)
		}
		for _, at := range times {
			if year := at.Year(); year < 1 || year > 9999 {
				return fmt.Errorf("%.80q: a time in the year %d, want 1 to 9999", n.Type, year)
			}
		}
	}
	return nil
}

func checkTexts(nameAndText ...string) error {
	for i := 0; i < len(nameAndText); i += 2 {
		switch name, text := nameAndText[i], nameAndText[i+1]; {
		case len(text) > maxText:
			return fmt.Errorf("%s: got %d bytes, want at most %d", name, len(text), maxText)
		case !utf8.ValidString(text):
			return fmt.Errorf("%s %.100q: want UTF-8", name, text)
		}
	}
	return nil
}

// heads says how often each server's file was written, and how large it is.
type heads struct {
	Servers []head `json:"servers"` // by file, in byte order
}

type head struct {
	File  string `json:"file"`
	Count int64  `json:"count"`
	Size  int64  `json:"size"`
}

// parseHeads reads the JSON of heads, whose HMAC fits.
func parseHeads(data []byte) (heads, error) {
	var h heads
	if err := strictjson.Unmarshal(data, &h); err != nil {
		return heads{}, err
	}
	if len(h.Servers) > maxServers {
		return heads{}, fmt.Errorf("got %d servers, want at most %d", len(h.Servers), maxServers)
	}
	for i, e := range h.Servers {
		if !isFileName(e.File) || e.Count < 1 || e.Size < 1 || i > 0 && h.Servers[i-1].File >= e.File {
			return heads{}, fmt.Errorf("entry %d (%.80q) is out of order or range", i, e.File)
		}
	}
	return h, nil
}

func (h *heads) find(file string) (int, bool) {
	return slices.BinarySearchFunc(h.Servers, file, func(e head, file string) int { return strings.Compare(e.File, file) })
}

// count returns how often a server's file was written, as far as heads knows.
func (h *heads) count(file string) int64 {
	if i, ok := h.find(file); ok {
		return h.Servers[i].Count
	}
	return 0
}

// set adds an entry, or replaces it.
func (h *heads) set(e head) {
	if i, ok := h.find(e.File); ok {
		h.Servers[i] = e
	} else {
		h.Servers = slices.Insert(h.Servers, i, e)
	}
}

// room returns how many bytes a server's file may have.
func (h *heads) room(file string) int {
	left := int64(maxTotal)
	for _, e := range h.Servers {
		if e.File != file {
			left -= e.Size
		}
	}
	return int(max(0, min(left, maxRecord)))
}
