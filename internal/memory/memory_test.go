package memory

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

var (
	alpha = verify.ServerKey{Namespace: "io.github.acme", Name: "alpha"}
	beta  = verify.ServerKey{Namespace: "io.github.acme", Name: "beta"}
)

// day is when the n-th release was issued.
func day(n int) seal.Timestamp {
	return seal.NewTimestamp(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Hour))
}

// release is the n-th.
func release(n int) verify.Seen {
	return verify.Seen{
		Digest:   digest.FromString(fmt.Sprint(n)),
		IssuedAt: day(n), Version: fmt.Sprintf("1.0.%d", n),
		Origin: `{"repository":"https://github.com/acme/alpha"}`,
	}
}

func open(t testing.TB, dir string) *Memory {
	t.Helper()
	m, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func remember(t testing.TB, m *Memory, server verify.ServerKey, releases ...verify.Seen) {
	t.Helper()
	if err := m.Remember(t.Context(), server, releases); err != nil {
		t.Fatal(err)
	}
}

// wantNewest checks what a memory that was opened anew answers.
func wantNewest(t testing.TB, m *Memory, server verify.ServerKey, want verify.Seen) {
	t.Helper()
	got, ok, err := m.Newest(t.Context(), server)
	if err != nil || !ok {
		t.Fatalf("newest: got %v, %v, want one", ok, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("newest (-want +got):\n%s", diff)
	}
}

func wantKnown(t testing.TB, m *Memory, server verify.ServerKey, n int, want bool) {
	t.Helper()
	got, ok, err := m.Find(t.Context(), server, release(n).Digest)
	if err != nil || ok != want {
		t.Fatalf("find release %d: got %v, %v, want %v", n, ok, err, want)
	}
	if ok && got.Digest != release(n).Digest {
		t.Errorf("find release %d: got %s", n, got.Digest)
	}
}

// wantUnusable checks that a directory is not believed, whatever is asked.
func wantUnusable(t testing.TB, dir string, server verify.ServerKey, parts ...string) {
	t.Helper()
	m := open(t, dir)
	_, _, newest := m.Newest(t.Context(), server)
	_, _, find := m.Find(t.Context(), server, release(1).Digest)
	for what, err := range map[string]error{"newest": newest, "find": find, "remember": m.Remember(t.Context(), server, []verify.Seen{release(999)})} {
		if !errors.Is(err, verify.ErrUnavailable) {
			t.Errorf("%s: got error %v, want one that wraps ErrUnavailable", what, err)
			continue
		}
		for _, part := range parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got error %q, want %q in it", what, err, part)
			}
		}
	}
}

func TestOpenRefusesRelative(t *testing.T) {
	if _, err := Open("memory"); err == nil || !strings.Contains(err.Error(), "absolute path") {
		t.Errorf("got %v", err)
	}
}

func TestNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "memory")
	m := open(t, dir)
	wantKnown(t, m, alpha, 1, false)
	if _, ok, err := m.Newest(t.Context(), alpha); ok || err != nil {
		t.Errorf("newest: got %v, %v", ok, err)
	}
	remember(t, m, alpha)
	if _, err := os.Lstat(dir); err == nil {
		t.Error("reading made the directory")
	}
}

func TestRemember(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "memory")
	m := open(t, dir)
	remember(t, m, alpha, release(5), release(3))
	remember(t, m, alpha, release(4))
	remember(t, m, beta, release(7))
	for _, m := range []*Memory{m, open(t, dir)} {
		wantNewest(t, m, alpha, release(5))
		wantNewest(t, m, beta, release(7))
		for n := range 9 {
			wantKnown(t, m, alpha, n, n >= 3 && n <= 5)
			wantKnown(t, m, beta, n, n == 7)
		}
	}
}

// A memory that has read a server sees what another one remembers of it.
func TestRememberedByAnother(t *testing.T) {
	dir := t.TempDir()
	here, there := open(t, dir), open(t, dir)
	for n := 1; n < 5; n++ {
		wantKnown(t, here, alpha, n, false)
		remember(t, there, alpha, release(n))
		wantKnown(t, here, alpha, n, true)
		wantNewest(t, here, alpha, release(n))
	}
}

// Two servers whose names run together the same way are two.
func TestServersApart(t *testing.T) {
	m := open(t, t.TempDir())
	remember(t, m, verify.ServerKey{Namespace: "a", Name: "bc"}, release(1))
	for _, other := range []verify.ServerKey{{Namespace: "ab", Name: "c"}, {Namespace: "a", Name: "BC"}, {Name: "bc"}, {Namespace: "a:bc"}} {
		wantKnown(t, m, other, 1, false)
	}
}

func TestMerge(t *testing.T) {
	with := func(n int, change func(*verify.Seen)) verify.Seen {
		s := release(n)
		change(&s)
		return s
	}
	chain := func(s *verify.Seen) { s.Chain = true }
	for _, c := range []struct {
		name      string
		old, more []verify.Seen
		want      []verify.Seen
		changed   bool
	}{
		{"nothing new", []verify.Seen{release(2), release(1)}, []verify.Seen{release(1)}, []verify.Seen{release(2), release(1)}, false},
		{"older", []verify.Seen{release(2)}, []verify.Seen{release(1)}, []verify.Seen{release(2), release(1)}, true},
		{"chain", []verify.Seen{release(1)}, []verify.Seen{with(1, chain)}, []verify.Seen{with(1, chain)}, true},
		{"chain stays", []verify.Seen{with(1, chain)}, []verify.Seen{release(1)}, []verify.Seen{with(1, chain)}, false},
		{"chain of another origin", []verify.Seen{with(1, chain)}, []verify.Seen{with(1, func(s *verify.Seen) { s.Origin = "x" })},
			[]verify.Seen{with(1, func(s *verify.Seen) { s.Origin = "x" })}, true},
		{"version", []verify.Seen{release(1)}, []verify.Seen{with(1, func(s *verify.Seen) { s.Version = "2" })}, []verify.Seen{with(1, func(s *verify.Seen) { s.Version = "2" })}, true},
		{"twice at once", nil, []verify.Seen{release(1), with(1, func(s *verify.Seen) { s.Version = "2" })}, []verify.Seen{release(1)}, true},
		{"at the same time", []verify.Seen{release(1)}, []verify.Seen{with(2, func(s *verify.Seen) { s.IssuedAt = day(1) })},
			[]verify.Seen{with(2, func(s *verify.Seen) { s.IssuedAt = day(1) }), release(1)}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _ := (&record{}).merge(c.old)
			got, changed := r.merge(c.more)
			if diff := cmp.Diff(c.want, got.releases); diff != "" || changed != c.changed {
				t.Errorf("changed %v, want %v (-want +got):\n%s", changed, c.changed, diff)
			}
		})
	}
}

// A run that finds nothing new leaves the disk alone.
func TestNothingNewWritesNothing(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir)
	remember(t, m, alpha, release(1), release(2))
	stamps := func() [2]fs.FileInfo { return [2]fs.FileInfo{m.stamp(fileName(alpha)), m.stamp(headsName)} }
	before := stamps()
	remember(t, m, alpha, release(2))
	remember(t, m, alpha, release(2), release(1))
	if after := stamps(); !sameStamp(before[0], after[0]) || !sameStamp(before[1], after[1]) {
		t.Error("files were written")
	}
}

func TestRefuses(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	for _, c := range []struct {
		name   string
		server verify.ServerKey
		seen   verify.Seen
		want   string
	}{
		{"no digest", alpha, verify.Seen{IssuedAt: day(1)}, "want sha256 and 64 hex digits"},
		{"sha512", alpha, verify.Seen{IssuedAt: day(1), Digest: digest.SHA512.FromString("")}, "want sha256"},
		{"upper case", alpha, verify.Seen{IssuedAt: day(1), Digest: digest.Digest(strings.ToUpper(string(release(1).Digest)))}, "want sha256"},
		{"time", alpha, verify.Seen{Digest: release(1).Digest, IssuedAt: seal.Timestamp{Time: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}}, "year 10000"},
		{"version", alpha, verify.Seen{Digest: release(1).Digest, IssuedAt: day(1), Version: long}, "version: got 16385 bytes"},
		{"origin", alpha, verify.Seen{Digest: release(1).Digest, IssuedAt: day(1), Origin: long}, "origin: got 16385 bytes"},
		{"no UTF-8", alpha, verify.Seen{Digest: release(1).Digest, IssuedAt: day(1), Origin: "\xff"}, `origin "\xff": want UTF-8`},
		{"name", verify.ServerKey{Name: long}, release(1), "name: got 16385 bytes"},
		{"namespace", verify.ServerKey{Namespace: long}, release(1), "namespace: got 16385 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "memory")
			err := open(t, dir).Remember(t.Context(), c.server, []verify.Seen{c.seen})
			if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 1000 {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if _, err := os.Lstat(dir); err == nil {
				t.Error("it made the directory")
			}
		})
	}
}

func TestEviction(t *testing.T) {
	var all []verify.Seen
	for n := maxReleases + 10; n > 0; n-- {
		all = append(all, release(n))
	}
	m := open(t, t.TempDir())
	remember(t, m, alpha, all...)
	wantNewest(t, m, alpha, release(maxReleases+10))
	wantKnown(t, m, alpha, 10, false)
	wantKnown(t, m, alpha, 11, true)

	// By bytes: the newest stays, however much the others bring.
	for i := range all {
		all[i].Origin = strings.Repeat("o", 5000)
	}
	remember(t, m, beta, release(100_000))
	remember(t, m, beta, all...)
	wantNewest(t, m, beta, release(100_000))
	info, err := os.Stat(filepath.Join(m.dir, fileName(beta)))
	if err != nil || info.Size() > maxRecord || info.Size() < maxRecord/2 {
		t.Errorf("file of %d bytes, %v, want up to %d", info.Size(), err, maxRecord)
	}
}

// Where all is full, a server keeps its newest release.
func TestNoRoom(t *testing.T) {
	r, _ := (&record{count: 1}).merge([]verify.Seen{release(1), release(3), release(2)})
	for _, limit := range []int{-1, 0, 1, 200} {
		data, err := r.encode(alpha, limit)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseRecord(data, alpha)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]verify.Seen{release(3)}, got.releases); diff != "" {
			t.Errorf("limit %d (-want +got):\n%s", limit, diff)
		}
	}
	h := heads{Servers: []head{{File: "a", Size: maxTotal - 100}, {File: "b", Size: 60}}}
	for file, want := range map[string]int{"a": maxRecord, "b": 100, "c": 40} {
		if got := h.room(file); got != want {
			t.Errorf("room of %s: got %d, want %d", file, got, want)
		}
	}
	if h.Servers[1].Size = 1000; h.room("c") != 0 {
		t.Errorf("room where there is none: got %d", h.room("c"))
	}
}

func TestTooManyServers(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir)
	remember(t, m, alpha, release(1))
	s, err := m.openAlone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n < maxServers; n++ {
		s.heads.set(head{File: fileName(verify.ServerKey{Name: fmt.Sprint(n)}), Count: 1, Size: maxRecord})
	}
	if err := s.writeHeads(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, headsName)); err != nil || info.Size() > maxHeads {
		t.Errorf("heads of %d bytes, want at most %d", info.Size(), maxHeads)
	}
	s.close()
	err = m.Remember(t.Context(), beta, []verify.Seen{release(1)})
	if !errors.Is(err, verify.ErrUnavailable) || !strings.Contains(err.Error(), "4096 servers") {
		t.Errorf("got %v", err)
	}
	remember(t, m, alpha, release(2)) // who is in stays in
	wantNewest(t, m, alpha, release(2))
}
