package memory

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// finding is a word against a release, on a day.
func finding(holder string, n int, back bool) verify.Against {
	return verify.Against{Holder: holder, Role: seal.RoleScanner, Type: seal.TypeSideEffectsDiscrepancyFound, Time: day(n), TakenBack: back}
}

// condemned is the n-th release, of which only words against it are known.
func condemned(n int, words ...verify.Against) verify.Seen {
	s := release(n)
	s.Origin, s.Against = "", words
	return s
}

func wantSeen(t *testing.T, m *Memory, want verify.Seen) {
	t.Helper()
	got, ok, err := m.Find(t.Context(), alpha, want.Digest)
	if err != nil || !ok {
		t.Fatalf("find: got %v, %v, want one", ok, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("find (-want +got):\n%s", diff)
	}
}

// TestAgainst: what is kept of words against a release, whatever is remembered
// around them.
func TestAgainst(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "memory")
	m := open(t, dir)
	ends := day(99)
	first := finding("a", 1, false)
	first.ExpiresAt = &ends
	remember(t, m, alpha, condemned(9, first))
	if _, ok, err := m.Newest(t.Context(), alpha); ok || err != nil {
		t.Errorf("newest of releases that nobody verified: got %v, %v", ok, err)
	}
	wantSeen(t, open(t, dir), condemned(9, first))

	// A release that was verified is the newest, though an unverified one is newer.
	whole := release(5)
	whole.Chain = true
	remember(t, m, alpha, whole)
	wantNewest(t, open(t, dir), alpha, whole)

	// Words beside what was verified change nothing of it.
	remember(t, m, alpha, condemned(5, finding("a", 2, false)))
	whole.Against = []verify.Against{finding("a", 2, false)}
	wantSeen(t, open(t, dir), whole)
	remember(t, m, alpha, release(5)) // a run that saw no such word
	wantSeen(t, open(t, dir), whole)
	remember(t, m, alpha, condemned(5, finding("b", 3, false)), release(4))
	whole.Against = []verify.Against{finding("b", 3, false), finding("a", 2, false)}
	wantSeen(t, open(t, dir), whole)
	back := release(5)
	back.Against = []verify.Against{finding("b", 3, true)}
	remember(t, m, alpha, back)
	whole.Against = []verify.Against{finding("a", 2, false), finding("b", 3, true)}
	wantSeen(t, open(t, dir), whole)

	// What was only spoken against is verified later.
	remember(t, m, alpha, release(9))
	verified := release(9)
	verified.Against = []verify.Against{first}
	wantNewest(t, open(t, dir), alpha, verified)

	// Whose it is stays beside the name, and is new where it was not known.
	named := finding("c", 1, false)
	named.Identity = "key c"
	remember(t, m, alpha, condemned(7, finding("c", 1, false)))
	remember(t, m, alpha, condemned(7, named))
	wantSeen(t, open(t, dir), condemned(7, named))

	// Nothing new writes nothing.
	before, err := os.Stat(filepath.Join(dir, fileName(alpha)))
	if err != nil {
		t.Fatal(err)
	}
	remember(t, m, alpha, condemned(5, finding("a", 2, false)), condemned(9, first))
	after, err := os.Stat(filepath.Join(dir, fileName(alpha)))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("it was written anew: %v", err)
	}
}

// TestAgainstBackwards: a file from before there was such a member reads, and one
// without such words is what it was then.
func TestAgainstBackwards(t *testing.T) {
	old := `{"count":1,"server":{"namespace":"io.github.acme","name":"alpha"},"releases":[{"digest":"` + string(release(1).Digest) + `","issued_at":"2026-01-01T01:00:00Z","version":"1.0.1","origin":"o","chain":true}]}`
	r, err := parseRecord([]byte(old), alpha)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.releases) != 1 || r.releases[0].Against != nil {
		t.Errorf("got %+v", r.releases)
	}
	// So does a word from before it had an identity, and one with it comes back.
	old = strings.Replace(old, `"chain":true`, `"chain":true,"against":[{"holder":"a","role":"scanner","attestation_type":"x_found","timestamp":"2026-01-01T02:00:00Z"}]`, 1)
	if words, err := parseRecord([]byte(old), alpha); err != nil || len(words.releases[0].Against) != 1 || words.releases[0].Against[0].Identity != "" {
		t.Errorf("got %+v, %v", words, err)
	}
	again, err := r.encode(alpha, maxRecord)
	if err != nil || strings.Contains(string(again), "against") {
		t.Errorf("got %s, %v", again, err)
	}
}

// TestAgainstRefused: what could not be read back is not written.
func TestAgainstRefused(t *testing.T) {
	for name, change := range map[string]func(s *verify.Seen){
		"seventeen words": func(s *verify.Seen) { s.Against = make([]verify.Against, verify.MaxAgainst+1) },
		"no time": func(s *verify.Seen) {
			s.Against[0].Time = seal.Timestamp{}
			s.Against[0].Time.Time = s.Against[0].Time.AddDate(-5, 0, 0)
		},
		"an end of year 10000": func(s *verify.Seen) {
			end := day(1)
			end.Time = end.AddDate(8000, 0, 0)
			s.Against[0].ExpiresAt = &end
		},
		"a long holder":   func(s *verify.Seen) { s.Against[0].Holder = strings.Repeat("x", maxText+1) },
		"a long identity": func(s *verify.Seen) { s.Against[0].Identity = strings.Repeat("x", maxText+1) },
		"no UTF-8":        func(s *verify.Seen) { s.Against[0].Type = "\xff" },
	} {
		s := condemned(1, finding("a", 1, false))
		change(&s)
		dir := filepath.Join(t.TempDir(), "memory")
		if err := open(t, dir).Remember(t.Context(), alpha, []verify.Seen{s}); err == nil {
			t.Errorf("%s: it was remembered", name)
		}
		if _, err := os.Lstat(dir); err == nil {
			t.Errorf("%s: something was written", name)
		}
	}
}

// TestAgainstIsForgottenFirst: where room lacks, the newest release that was
// verified stays, whatever was spoken against since.
func TestAgainstIsForgottenFirst(t *testing.T) {
	r := &record{count: 1}
	var all []verify.Seen
	for n := range 50 {
		all = append(all, condemned(100+n, finding("a", n, false)))
	}
	r, _ = r.merge(append(all, release(5), release(4)))
	if _, err := r.encode(alpha, 100); err != nil {
		t.Fatal(err)
	}
	if i := r.newest(); i < 0 || r.releases[i].Digest != release(5).Digest || len(r.releases) != i+1 {
		t.Errorf("got %d releases, the newest verified at %d", len(r.releases), i)
	}
}
