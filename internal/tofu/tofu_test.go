package tofu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

var (
	alpha = verify.FirstUseKey{Host: "desk", Server: "npx alpha"}
	beta  = verify.FirstUseKey{Host: "desk", Server: "npx beta"}
	noon  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	later = noon.Add(48 * time.Hour)
)

func newTool(t testing.TB, name, description string) fingerprint.Tool {
	t.Helper()
	tool, err := fingerprint.ParseTool(fmt.Appendf(nil, `{"name":%q,"description":%q,"inputSchema":{"type":"object"}}`, name, description))
	if err != nil {
		t.Fatal(err)
	}
	return tool
}

// served is a live observation; each argument is "name" or "name=description".
func served(t testing.TB, tools ...string) verify.Observation {
	t.Helper()
	o := verify.Observation{Observed: verify.Live, Server: fingerprint.ServerInfo{Name: "acme", Version: "1"}}
	for _, tool := range tools {
		name, description, _ := strings.Cut(tool, "=")
		o.Tools = append(o.Tools, newTool(t, name, description))
	}
	return o
}

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func meet(t testing.TB, s *Store, key verify.FirstUseKey, o verify.Observation, now time.Time) verify.Meeting {
	t.Helper()
	m, err := s.Meet(t.Context(), key, o, now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// brief is the changes of a meeting on a line: "a changed description".
func brief(m verify.Meeting) string {
	var all []string
	for _, c := range m.Changes {
		line := c.Tool + " " + string(c.Kind)
		for _, part := range c.Components {
			line += " " + string(part)
		}
		if c.Blocked {
			line += " blocked"
		}
		all = append(all, line)
	}
	return strings.Join(all, "; ")
}

func wantChanges(t testing.TB, m verify.Meeting, want string) {
	t.Helper()
	if got := brief(m); got != want || m.First {
		t.Errorf("got first %v and changes %q, want %q", m.First, got, want)
	}
}

func only(t testing.TB, s *Store) Entry {
	t.Helper()
	all, err := s.List(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("list: got %d entries, %v, want one", len(all), err)
	}
	return all[0]
}

func TestOpenRefusesRelative(t *testing.T) {
	if _, err := Open("tofu"); err == nil || !strings.Contains(err.Error(), "absolute path") {
		t.Errorf("got %v", err)
	}
}

// Nothing but a meeting makes the directory.
func TestNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "tofu")
	s := open(t, dir)
	if all, err := s.List(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("list: got %v, %v", all, err)
	}
	for what, err := range map[string]error{
		"accept":  s.Accept(t.Context(), alpha, "", noon),
		"block":   s.Block(t.Context(), alpha),
		"unblock": s.Unblock(t.Context(), alpha),
		"forget":  s.Forget(t.Context(), alpha),
	} {
		if !errors.Is(err, ErrNeverMet) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: got %v, want ErrNeverMet", what, err)
		}
	}
	o := served(t, "a")
	o.Observed = verify.Snapshot
	if m := meet(t, s, alpha, o, noon); !m.First || !m.Since.IsZero() || m.Pending != "" {
		t.Errorf("a snapshot of a stranger: got %+v", m)
	}
	if _, err := os.Lstat(dir); err == nil {
		t.Error("the directory was made")
	}
}

func TestRefuses(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	many := verify.Observation{Observed: verify.Live, Tools: make([]fingerprint.Tool, 0, maxTools+1)}
	for i := range cap(many.Tools) {
		tool := served(t, "a").Tools[0]
		tool.Name = fmt.Sprint("a", i)
		many.Tools = append(many.Tools, tool)
	}
	twice := served(t, "a", "a")
	for _, c := range []struct {
		name string
		key  verify.FirstUseKey
		seen verify.Observation
		now  time.Time
		want string
	}{
		{"no host", verify.FirstUseKey{Server: "s"}, served(t), noon, `host ""`},
		{"no server", verify.FirstUseKey{Host: "h"}, served(t), noon, `server ""`},
		{"long server", verify.FirstUseKey{Host: "h", Server: long}, served(t), noon, "16385 bytes"},
		{"no UTF-8", verify.FirstUseKey{Host: "h\xff", Server: "s"}, served(t), noon, "want UTF-8"},
		{"many tools", alpha, many, noon, "2049 tools"},
		{"long name", alpha, served(t, strings.Repeat("n", maxName+1)), noon, "1025 bytes"},
		{"a tool twice", alpha, twice, noon, `"a" stands twice`},
		{"no time", alpha, served(t), time.Time{}, "year 1"},
		{"year", alpha, served(t), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), "year 10000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "tofu")
			_, err := open(t, dir).Meet(t.Context(), c.key, c.seen, c.now)
			if !errors.Is(err, verify.ErrUnavailable) || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 1000 {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if _, err := os.Lstat(dir); err == nil {
				t.Error("it made the directory")
			}
		})
	}
}

func TestMeet(t *testing.T) {
	for _, c := range []struct {
		name       string
		then, want string
	}{
		{"the same", "a=A b=B", ""},
		{"another order", "b=B a=A", ""},
		{"changed", "a=evil b=B", "a changed description"},
		{"added first", "Z=z a=A b=B", "Z added"},
		{"added last", "a=A b=B c=C", "c added"},
		{"removed", "b=B", "a removed"},
		{"all removed", "", "a removed; b removed"},
		{"all at once", "a=evil c=C", "a changed description; b removed; c added"},
		{"renamed", "a=A B=B", "B added; b removed"},
		{"swapped", "a=B b=A", "a changed description; b changed description"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, t.TempDir())
			if m := meet(t, s, alpha, served(t, "a=A", "b=B"), noon); !m.First || !m.Since.Equal(noon) || len(m.Changes) > 0 {
				t.Fatalf("first use: got %+v", m)
			}
			for range 2 { // being seen twice does not make it accepted
				m := meet(t, s, alpha, served(t, strings.Fields(c.then)...), later)
				wantChanges(t, m, c.want)
				if !m.Since.Equal(noon) || (m.Pending == "") != (c.want == "") {
					t.Errorf("got since %s, pending %q", m.Since, m.Pending)
				}
				s = open(t, s.vault.Dir)
			}
			if p := only(t, s).Pending; (p != nil) != (c.want != "") {
				t.Errorf("pending: got %v", p)
			}
			wantChanges(t, meet(t, s, alpha, served(t, "a=A", "b=B"), later), "")
		})
	}
}

func TestComponents(t *testing.T) {
	s := open(t, t.TempDir())
	parse := func(raw string) verify.Observation {
		tool, err := fingerprint.ParseTool([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return verify.Observation{Observed: verify.Live, Tools: []fingerprint.Tool{tool}}
	}
	old := `{"name":"a","title":"t","description":"d","inputSchema":{},"annotations":{},"outputSchema":{}}`
	meet(t, s, alpha, parse(old), noon)
	for _, c := range []struct{ raw, want string }{
		{`{"name":"a","title":"other","description":"d","inputSchema":{ },"outputSchema":{},"annotations":{},"_meta":{"x":1},"execution":{}}`, ""},
		{`{"name":"a","description":"x","inputSchema":{},"annotations":{},"outputSchema":{}}`, "a changed description"},
		{`{"name":"a","description":"d","inputSchema":{"type":"object"},"annotations":{}}`, "a changed input_schema output_schema"},
		{`{"name":"a","inputSchema":{},"outputSchema":{}}`, "a changed description annotations"},
	} {
		m := meet(t, s, alpha, parse(c.raw), later)
		wantChanges(t, m, c.want)
		if c.want != "" && (string(m.Changes[0].Old.Raw) != old || string(m.Changes[0].New.Raw) != c.raw || !m.Changes[0].AcceptedAt.Equal(noon)) {
			t.Errorf("got words %s and %s", m.Changes[0].Old.Raw, m.Changes[0].New.Raw)
		}
	}
}

// Two hosts, and servers whose names run together the same way, are apart.
func TestApart(t *testing.T) {
	s := open(t, t.TempDir())
	for _, key := range []verify.FirstUseKey{{Host: "a", Server: "bc"}, {Host: "ab", Server: "c"}, {Host: "A", Server: "bc"}, {Host: "a", Server: "bc "}} {
		if m := meet(t, s, key, served(t, key.Host), noon); !m.First {
			t.Errorf("%q is known already", key)
		}
	}
	all, err := s.List(t.Context())
	if err != nil || len(all) != 4 || all[0].Host != "A" || all[3].Host != "ab" {
		t.Errorf("list: got %v, %v", all, err)
	}
}

// A snapshot is compared, and never kept: neither as pending.
func TestSnapshot(t *testing.T) {
	s := open(t, t.TempDir())
	meet(t, s, alpha, served(t, "a=A"), noon)
	o := served(t, "a=evil")
	o.Observed = verify.Snapshot
	m := meet(t, s, alpha, o, later)
	wantChanges(t, m, "a changed description")
	if m.Pending != "" || only(t, s).Pending != nil {
		t.Error("it was kept")
	}
	o.Observed = verify.Live
	pending := meet(t, s, alpha, o, later).Pending
	o.Observed = verify.Snapshot
	if m := meet(t, s, alpha, o, later); m.Pending != pending {
		t.Errorf("what is pending: got %q, want %q", m.Pending, pending)
	}
}

func TestAccept(t *testing.T) {
	s := open(t, t.TempDir())
	meet(t, s, alpha, served(t, "a=A", "b=B"), noon)
	nothing := s.Accept(t.Context(), alpha, "", later)
	shown := meet(t, s, alpha, served(t, "a=evil", "c=C"), later).Pending
	swapped := meet(t, s, alpha, served(t, "a=worse", "c=C"), later).Pending
	for what, err := range map[string]error{
		"nothing pending":           nothing,
		"the server changed again":  s.Accept(t.Context(), alpha, shown, later),
		"no digest":                 s.Accept(t.Context(), alpha, "", later),
		"another, for a known tool": s.Accept(t.Context(), alpha, digest.FromString(""), later, "a"),
	} {
		if !errors.Is(err, ErrNotPending) {
			t.Errorf("%s: got %v, want ErrNotPending", what, err)
		}
	}
	if err := s.Accept(t.Context(), alpha, swapped, later, "a", "d"); err == nil || !strings.Contains(err.Error(), `"d": nothing of it is pending`) {
		t.Errorf("unknown tool: got %v", err)
	}
	wantChanges(t, meet(t, s, alpha, served(t, "a=A", "b=B"), later), "") // nothing of that took effect

	accept := func(tools ...string) {
		t.Helper()
		if err := s.Accept(t.Context(), alpha, swapped, later, tools...); err != nil {
			t.Fatal(err)
		}
	}
	accept("a")
	wantChanges(t, meet(t, s, alpha, served(t, "a=worse", "c=C"), later), "b removed; c added")
	e := only(t, s)
	if a := e.Tools[0]; a.Name != "a" || !a.FirstSeen.Equal(noon) || !a.AcceptedAt.Equal(later) {
		t.Errorf("got %+v", a)
	}
	accept()
	wantChanges(t, meet(t, s, alpha, served(t, "a=worse", "c=C"), later), "")
	wantChanges(t, meet(t, s, alpha, served(t, "a=A", "b=B"), later), "a changed description; b added; c removed")
}

func TestBlock(t *testing.T) {
	s := open(t, t.TempDir())
	meet(t, s, alpha, served(t, "a=A", "b=B"), noon)
	meet(t, s, alpha, served(t, "a=evil", "b=B", "c=C"), later)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Block(t.Context(), alpha, "d"); err == nil {
		t.Error("a tool that nobody saw was blocked")
	}
	if err := s.Unblock(t.Context(), alpha); err == nil {
		t.Error("a server was unblocked that is not blocked")
	}
	must(s.Block(t.Context(), alpha, "c", "a", "c"))
	m := meet(t, s, alpha, served(t, "a=A", "b=B", "c=C"), later)
	wantChanges(t, m, "c added blocked")
	if diff := cmp.Diff([]string{"a", "c"}, m.BlockedTools); diff != "" || m.Blocked {
		t.Errorf("blocked %v (-want +got):\n%s", m.Blocked, diff)
	}
	pending := m.Pending
	if err := s.Accept(t.Context(), alpha, pending, later, "c"); err == nil || !strings.Contains(err.Error(), "blocked") {
		t.Errorf("accepting what is blocked: got %v", err)
	}
	must(s.Accept(t.Context(), alpha, pending, later)) // all but what is blocked
	wantChanges(t, meet(t, s, alpha, served(t, "a=A", "b=B", "c=C"), later), "c added blocked")
	must(s.Unblock(t.Context(), alpha, "c"))
	must(s.Block(t.Context(), alpha))
	if m := meet(t, s, alpha, served(t, "a=A", "b=B", "c=C"), later); !m.Blocked || len(m.BlockedTools) != 1 {
		t.Errorf("got %+v", m)
	}
	if err := s.Accept(t.Context(), alpha, pending, later); err == nil {
		t.Error("a blocked server was accepted")
	}
	must(s.Unblock(t.Context(), alpha))
	must(s.Accept(t.Context(), alpha, pending, later))
	wantChanges(t, meet(t, s, alpha, served(t, "a=A", "b=B", "c=C"), later), "")
}

func TestForget(t *testing.T) {
	s := open(t, t.TempDir())
	meet(t, s, alpha, served(t, "a=A"), noon)
	meet(t, s, beta, served(t, "b=B"), noon)
	if err := s.Forget(t.Context(), alpha); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget(t.Context(), alpha); !errors.Is(err, ErrNeverMet) {
		t.Errorf("twice: got %v", err)
	}
	if e := only(t, s); e.Server != beta.Server {
		t.Errorf("got %+v", e)
	}
	if m := meet(t, s, alpha, served(t, "a=other"), later); !m.First {
		t.Errorf("got %+v", m)
	}
	wantChanges(t, meet(t, s, beta, served(t, "b=evil"), later), "b changed description")
}

// The list says what was shown, so that it can be accepted.
func TestList(t *testing.T) {
	s := open(t, t.TempDir())
	meet(t, s, alpha, served(t, "a=A"), noon)
	m := meet(t, s, alpha, served(t, "a=evil", "b=B"), later)
	got := only(t, s)
	want := verify.NewFirstUseReport(alpha, m)
	if diff := cmp.Diff(want, got.Pending.Report, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("pending (-met +listed):\n%s", diff)
	}
	if got.Pending.Digest != m.Pending || !got.Pending.Seen.Equal(later) || got.Info.Name != "acme" {
		t.Errorf("got %+v", got)
	}
}
