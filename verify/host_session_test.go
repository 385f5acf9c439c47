package verify_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

// TestHostFetches: the manifest is fetched once, and again where the standard or
// the server's own conduct asks for it.
func TestHostFetches(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(t *testing.T, s *session)
		want []string // what discovery was asked for beyond the first list
	}{
		"the same list":      {do: func(t *testing.T, s *session) {}},
		"list_changed":       {do: func(t *testing.T, s *session) { s.host.Changed() }, want: []string{""}},
		"another version":    {do: func(t *testing.T, s *session) { s.live.Server.Version = "1.2.5" }, want: []string{""}},
		"another name":       {do: func(t *testing.T, s *session) { s.live.Server.Name = "other" }, want: []string{""}},
		"another word":       {do: func(t *testing.T, s *session) { s.change(t) }, want: []string{""}},
		"a tool less":        {do: func(t *testing.T, s *session) { s.live.Tools = s.live.Tools[:1] }, want: []string{""}},
		"another place":      {do: func(t *testing.T, s *session) { s.live.ManifestURL = "https://a.example/m" }, want: []string{"https://a.example/m"}},
		"a list that failed": {do: func(t *testing.T, s *session) { s.live.err = errors.New("no list") }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t, block1)
			s.host.Install(t.Context())
			s.list(t)
			tt.do(t, s)
			s.list(t)
			compare(t, "discovery", append([]string{""}, tt.want...), s.asked)
			s.list(t) // nothing changed any more
			compare(t, "discovery, again", append([]string{""}, tt.want...), s.asked)
		})
	}
}

// TestHostInstallTells: before there is a list, only what is wrong is told.
func TestHostInstallTells(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(s *session)
		want []string
	}{
		"a forged envelope":      {func(s *session) { s.envelope = []byte("{}") }, []string{"verification_fail"}},
		"no manifest to be had":  {func(s *session) { s.err = errors.New("HTTP 500") }, []string{"manifest_fetch_failed"}},
		"no manifest":            {func(s *session) { s.err = verify.ErrNoManifest }, nil},
		"all holds so far":       {func(*session) {}, nil},
		"all holds, with server": {func(s *session) { s.host.Verifier.Server = *s.live }, []string{"verification_pass", "verification_pass"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t, warn1)
			tt.do(s)
			s.host.Install(t.Context())
			compare(t, "events", tt.want, s.events)
		})
	}
}

func TestHostFetchesAgainAfterAnOutage(t *testing.T) {
	s := newSession(t, block1)
	s.err = errors.New("HTTP 503")
	s.list(t)
	s.err = nil
	if r := s.list(t); r.Outcome != seal.Pass || s.decided("tool0") != "allow" {
		t.Errorf("got %s and %s, want pass and allow", r.Outcome, s.decided("tool0"))
	}
	compare(t, "events", []string{"manifest_fetch_failed", "verification_pass", "verification_pass"}, s.events)
}

// TestHostSuspendsOnlyForChanges: a list that is as it was does not take
// the verdict away while it is verified; one that changed does.
func TestHostSuspendsOnlyForChanges(t *testing.T) {
	for name, tt := range map[string]struct {
		change bool
		want   string
	}{"as it was": {false, "allow"}, "changed without a word": {true, "deny NOT_OBSERVED"}} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t, block1)
			s.list(t)
			if tt.change {
				s.change(t)
			}
			var during string
			s.host.Log = func([]verify.Event) { during = s.decided("tool0") }
			s.list(t)
			if during != tt.want {
				t.Errorf("while it was verified: got %s, want %s", during, tt.want)
			}
		})
	}
}

// TestHostOvertaken: a change that comes while a list is read or verified leaves
// no verdict, whichever of the two the list was.
func TestHostOvertaken(t *testing.T) {
	for name, tt := range map[string]func(s *session) verify.Surface{
		"while it was listed": func(s *session) verify.Surface {
			return observer(func() verify.Observation { s.host.Changed(); return s.live.Observation })
		},
		"while it was verified": func(s *session) verify.Surface {
			s.host.Log = func([]verify.Event) { s.host.Changed() }
			return *s.live
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t, block1)
			if r := s.host.List(t.Context(), tt(s)); r.Outcome != seal.Pass {
				t.Fatalf("got %s", r.Outcome)
			}
			if got := s.decided("tool0"); got != "deny NOT_OBSERVED" {
				t.Errorf("got %s, want deny", got)
			}
			s.host.Log = nil
			s.list(t)
			if got := s.decided("tool0"); got != "allow" {
				t.Errorf("after another list: got %s, want allow", got)
			}
			if len(s.asked) != 2 {
				t.Errorf("discovery was asked %d times, want 2", len(s.asked))
			}
		})
	}
}

type observer func() verify.Observation

func (o observer) Observe(context.Context) (verify.Observation, error) { return o(), nil }

// keeper is a [verify.FirstUse] that knows what it met first.
type keeper struct {
	met      []verify.FirstUseKey
	old      []fingerprint.Tool
	sealed   string // the namespace that it had a manifest of
	blocked  bool
	tools    []string // that are blocked
	observed verify.Observed
}

func (k *keeper) Blocked(context.Context, verify.FirstUseKey) (bool, []string, error) {
	return k.blocked, k.tools, nil
}

func (k *keeper) Sealed(_ context.Context, _ verify.FirstUseKey, namespace string, seen verify.Observation, _ time.Time) error {
	k.sealed, k.old = namespace, seen.Tools
	return nil
}

func (k *keeper) Meet(_ context.Context, key verify.FirstUseKey, seen verify.Observation, now time.Time) (verify.Meeting, error) {
	k.met, k.observed = append(k.met, key), seen.Observed
	if k.old == nil && seen.Observed != verify.Live {
		return verify.Meeting{First: true}, nil
	}
	if k.old == nil {
		k.old = seen.Tools
		return verify.Meeting{First: true, Since: now}, nil
	}
	m := verify.Meeting{Since: now, Sealed: k.sealed}
	for _, t := range seen.Tools {
		i := slices.IndexFunc(k.old, func(o fingerprint.Tool) bool { return o.Name == t.Name })
		if i < 0 {
			m.Changes = append(m.Changes, verify.FirstUseChange{Tool: t.Name, Kind: verify.ToolAdded, New: t})
		} else if string(k.old[i].Raw) != string(t.Raw) {
			m.Changes = append(m.Changes, verify.FirstUseChange{Tool: t.Name, Kind: verify.ToolChanged, Old: k.old[i], New: t})
		}
	}
	return m, nil
}

func TestHostFirstUse(t *testing.T) {
	key := verify.FirstUseKey{Host: "editor", Server: "npx acme"}
	begin := func(t *testing.T) (*session, *keeper) {
		s, k := newSession(t, warn1), &keeper{}
		s.err = fmt.Errorf("everywhere: %w", verify.ErrNoManifest)
		s.host.Verifier.FirstUse, s.host.Verifier.FirstUseKey = k, key
		return s, k
	}
	t.Run("a change", func(t *testing.T) {
		s, k := begin(t)
		s.list(t)
		s.change(t)
		s.list(t)
		if got, want := s.decided("tool0", "tool1"), "ask MANIFEST_NOT_FOUND, deny TOFU_CHANGED"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if !slices.Equal(k.met, []verify.FirstUseKey{key, key}) {
			t.Errorf("got %v, want the host's key twice", k.met)
		}
		compare(t, "events", []string{
			"tofu_first_use", "verification_fail", "verification_fail",
			"tofu_change_detected", "verification_fail", "verification_fail",
		}, s.events)
	})
	t.Run("not where a manifest cannot be had", func(t *testing.T) {
		s, k := begin(t)
		s.err = errors.New("HTTP 500")
		if r := s.list(t); r.Outcome != seal.Undecided || k.old != nil || k.observed != verify.Snapshot {
			t.Errorf("got %s, kept %v, want undecided and nothing kept", r.Outcome, k.old)
		}
		compare(t, "events", []string{"manifest_fetch_failed", "verification_fail", "verification_fail"}, s.events)
	})
	t.Run("not in the place of a manifest", func(t *testing.T) {
		s, k := begin(t)
		gone := s.err
		s.err = nil
		s.list(t)
		s.err = gone
		s.host.Changed()
		r := s.list(t)
		if r.Outcome != seal.Fail || len(k.met) > 0 || s.decided("tool0") != "deny MANIFEST_ELSEWHERE" {
			t.Errorf("got %s, %s, met %v", r.Outcome, s.decided("tool0"), k.met)
		}
		followsSchema(t, r)
	})
	t.Run("without discovery", func(t *testing.T) {
		s, k := begin(t)
		s.host.Manifest = nil
		if s.list(t); len(k.met) != 1 {
			t.Errorf("met %v, want one", k.met)
		}
	})
}

// TestHostUndecidedBehindAFailure: one tool that fails does not hide that a check
// that was asked for was not made for the others.
func TestHostUndecidedBehindAFailure(t *testing.T) {
	s := newSession(t, block1)
	s.host.Verifier.Artifacts = files{err: errors.New("no such registry")}
	s.withArtifact("sha256:" + sealDigest)
	s.envelope = s.sealed(t)
	s.change(t)
	if r := s.list(t); r.Outcome != seal.Fail {
		t.Fatalf("got %s", r.Outcome)
	}
	if got := s.decided("tool0"); !strings.HasPrefix(got, "deny") {
		t.Errorf("got %s, want deny", got)
	}
}

const sealDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// TestHostResultIsTheCallers: who changes a result changes no decision.
func TestHostResultIsTheCallers(t *testing.T) {
	s := newSession(t, block1)
	s.change(t)
	r := s.list(t)
	for i := range r.Results {
		r.Results[i].Errors, r.Results[i].TrustLevel = nil, 3
	}
	r.Errors = nil
	d := s.host.Decide("tool1")
	d.Reasons[0] = verify.Finding{}
	if got := s.decided("tool1"); got != "deny INTERFACE_DESCRIPTION_CHANGED" {
		t.Errorf("got %s", got)
	}
}

// TestHostConcurrent: lists, changes and decisions at once; no tool that was never
// sealed is ever allowed, and the last list counts.
func TestHostConcurrent(t *testing.T) {
	s := newSession(t, block1)
	envelope := s.envelope
	s.host.Manifest = func(context.Context, string) ([]byte, error) { return envelope, nil }
	s.host.Log = nil
	evil := newSession(t, block1)
	evil.change(t)
	var wg sync.WaitGroup
	var allowed atomic.Int64
	for range 4 {
		wg.Go(func() {
			for range 20 {
				s.host.List(t.Context(), *evil.live)
				s.host.Changed()
			}
		})
		wg.Go(func() {
			for range 2000 {
				if s.host.Decide("tool1").Action == verify.Allow || s.host.Decide("other").Action == verify.Allow {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if allowed.Load() > 0 {
		t.Errorf("a changed tool was allowed %d times", allowed.Load())
	}
	s.list(t)
	if got := s.decided("tool0", "tool1"); got != "allow, allow" {
		t.Errorf("after the last list: got %s", got)
	}
}

func BenchmarkHost(b *testing.B) {
	tools := sealtest.Tools(b, 1000)
	key := sealtest.Key(b, keys.Ed25519, "acme-2026")
	envelope := sealtest.Marshal(b, sealtest.Seal(b, sealtest.Manifest(b, tools...), key))
	seen := verify.Observation{Observed: verify.Live, Server: fingerprint.ServerInfo{Name: "acme-file-tools", Version: "1.2.4"}, Tools: tools}
	h := verify.Host{
		Verifier: verify.Verifier{Keys: sealtest.Keys(key), Namespace: sealtest.Namespace, IdentityExpected: true, Policy: seal.DefaultPolicy, Now: func() time.Time { return sealtest.Time }},
		Manifest: func(context.Context, string) ([]byte, error) { return envelope, nil },
		Log:      func([]verify.Event) {},
	}
	b.Run("List", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h.List(b.Context(), server{Observation: seen})
		}
	})
	b.Run("Decide", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h.Decide("tool7")
		}
	})
}

func BenchmarkEvents(b *testing.B) {
	r := verify.Result{Policy: warn1, Outcome: seal.Warned}
	for i := range 1000 {
		name := fmt.Sprint("tool", i)
		unknown := []verify.Finding{{Code: seal.CodeUnknownTool, Tool: name}}
		r.Results = append(r.Results, verify.ToolResult{ToolName: name, Advisories: unknown})
		r.Advisories = append(r.Advisories, unknown...)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, e := range verify.Events(&r) {
			if _, err := e.Line(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
