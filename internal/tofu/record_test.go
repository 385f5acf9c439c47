package tofu

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/vault"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
	"github.com/mcp-integrity/seal-action/verify"
)

// kept is the JSON of a server that was met, changed, and partly blocked.
func kept(t testing.TB) string {
	t.Helper()
	s := open(t, t.TempDir())
	meet(t, s, alpha, served(t, "a=A", "b=B"), noon)
	meet(t, s, alpha, served(t, "a=evil", "c=C"), later)
	if err := s.Block(t.Context(), alpha, "c"); err != nil {
		t.Fatal(err)
	}
	tx, err := s.vault.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	data, err := tx.Get(s.fileName(alpha))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What the vault believes and cannot be, as a bug of ours would write it, is no
// first use.
func TestNonsense(t *testing.T) {
	good := kept(t)
	for _, c := range []struct{ name, old, new, want string }{
		{"no JSON", good, "nonsense", "strict JSON"},
		{"nothing", good, "{}", "host"},
		{"unknown member", `"blocked":`, `"x":1,"blocked":`, "x"},
		{"member twice", `"blocked":false`, `"blocked":false,"blocked":false`, "duplicate"},
		{"another server", `"server":"npx alpha"`, `"server":"npx beta"`, `got server "npx beta"`},
		{"no since", `"since":"2026-03-01T12:00:00Z"`, `"since":"0001-01-01T00:00:00Z"`, "since"},
		{"time", `"since":"2026-03-01T12:00:00Z"`, `"since":"noon"`, "since"},
		{"tool twice", `"name":"b"`, `"name":"a"`, "out of order"},
		{"tool without a name", `"name":"a"`, `"name":""`, "name"},
		{"digest", `"composite_digest":"sha256:`, `"composite_digest":"sha256:0`, "composite_digest"},
		{"not accepted", `"accepted_at":"2026-03-01T12:00:00Z",`, ``, "accepted_at"},
		{"blocked twice", `"blocked_tools":["c"]`, `"blocked_tools":["c","c"]`, "blocked_tools"},
		{"pending without a time", `"seen":"2026-03-03T12:00:00Z"`, `"seen":"0001-01-01T00:00:00Z"`, "seen"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(good, c.old) {
				t.Fatalf("%q is not in %s", c.old, good)
			}
			s := open(t, t.TempDir())
			meet(t, s, alpha, served(t, "a"), noon)
			tx, err := s.vault.Write(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := tx.Put(s.fileName(alpha), []byte(strings.ReplaceAll(good, c.old, c.new))); err != nil {
				t.Fatal(err)
			}
			tx.Close()
			wantDamaged(t, s, c.want)
		})
	}
}

// wantDamaged checks that a server whose file cannot be believed is no first use,
// whatever is asked, and that it can be forgotten.
func wantDamaged(t *testing.T, s *Store, words ...string) {
	t.Helper()
	_, met := s.Meet(t.Context(), alpha, served(t, "a"), later)
	_, listed := s.List(t.Context())
	for what, err := range map[string]error{"meet": met, "list": listed, "accept": s.Accept(t.Context(), alpha, "", later), "block": s.Block(t.Context(), alpha)} {
		if !errors.Is(err, verify.ErrUnavailable) || errors.Is(err, ErrNeverMet) {
			t.Errorf("%s: got %v, want one that wraps ErrUnavailable", what, err)
			continue
		}
		for _, word := range words {
			// A list sees a file that is another server's, not whose it should be.
			if !strings.Contains(err.Error(), word) && !strings.Contains(err.Error(), "it is the file of") {
				t.Errorf("%s: got %q, want %q in it", what, err, word)
			}
		}
	}
	if err := s.Forget(t.Context(), alpha); err != nil {
		t.Fatal(err)
	}
	if m := meet(t, s, alpha, served(t, "a"), later); !m.First {
		t.Errorf("forgotten, and met: got %+v", m)
	}
}

// A file that somebody edited, removed, cut or put back is no first use; the
// others are listed and met.
func TestTampered(t *testing.T) {
	for name, change := range map[string]func(path string, before []byte) error{
		"edited": func(path string, _ []byte) error {
			data, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(path, bytes.Replace(data, []byte("evil"), []byte("good"), 1), 0o600))
		},
		"cut":      func(path string, _ []byte) error { return os.Truncate(path, 100) },
		"emptied":  func(path string, _ []byte) error { return os.Truncate(path, 0) },
		"removed":  func(path string, _ []byte) error { return os.Remove(path) },
		"put back": func(path string, before []byte) error { return os.WriteFile(path, before, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			path := filepath.Join(s.vault.Dir, s.fileName(alpha))
			meet(t, s, beta, served(t, "b"), noon)
			meet(t, s, alpha, served(t, "a"), noon)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			shown := meet(t, s, alpha, served(t, "a=evil"), later).Pending
			if err := s.Accept(t.Context(), alpha, shown, later); err != nil {
				t.Fatal(err)
			}
			if err := change(path, before); err != nil {
				t.Fatal(err)
			}
			if all, err := s.List(t.Context()); err == nil || len(all) != 1 || all[0].Server != beta.Server {
				t.Errorf("list: got %v, %v, want beta and an error", all, err)
			}
			wantChanges(t, meet(t, s, beta, served(t, "b"), later), "")
			wantDamaged(t, s, "forget this server")
		})
	}
}

// The heads being removed is no way to make strangers of all.
func TestHeadsRemoved(t *testing.T) {
	s := open(t, t.TempDir())
	meet(t, s, alpha, served(t, "a"), noon)
	if err := os.Remove(filepath.Join(s.vault.Dir, "heads")); err != nil {
		t.Fatal(err)
	}
	_, err := s.Meet(t.Context(), beta, served(t, "a"), noon)
	var changed *vault.ChangedError
	if !errors.Is(err, verify.ErrUnavailable) || !errors.As(err, &changed) {
		t.Errorf("got %v", err)
	}
}

// What is read at all is read the same when it is written again, and is met,
// listed, accepted and blocked without a panic.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(kept(f)))
	f.Add([]byte(`{"key":{"host":"h","server":"s"},"server":{"name":"","version":""},"since":"2026-03-01T12:00:00Z","blocked":true,"blocked_tools":null,"tools":[],"pending":{"server":{"name":"","version":""},"seen":"2026-03-01T12:00:00Z","tools":null}}`))
	seen, err := look(alpha, served(f, "a=A", "z"), later)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRecord(data)
		if err != nil {
			return
		}
		again, err := strictjson.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		back, err := parseRecord(again)
		if err != nil {
			t.Fatalf("%s, again %s: %v", data, again, err)
		}
		if diff := cmp.Diff(r.entry(), back.entry()); diff != "" {
			t.Fatalf("read again (-first +second):\n%s", diff)
		}
		m, next := r.meet(seen)
		if next == nil {
			next = r
		}
		if err := next.accept(m.Pending, seen.now, nil); err == nil {
			after, _ := next.meet(seen)
			for _, c := range after.Changes {
				if !c.Blocked {
					t.Fatalf("accepted, and changed: %+v", c)
				}
			}
		}
		_ = next.block([]string{"a"})
		_ = next.unblock([]string{"a"})
	})
}
