package verify_test

import (
	"context"
	"errors"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// known is a session with a server that was met before, as it serves its tools.
func known(t *testing.T, policyName string) (*session, *keeper) {
	t.Helper()
	s := newSession(t, policyName)
	k := &keeper{old: s.live.Tools[:len(s.live.Tools):len(s.live.Tools)]}
	k.old = append(k.old[:0:0], k.old...)
	s.host.Verifier.FirstUse, s.host.Verifier.FirstUseKey = k, desk
	return s, k
}

// TestSealingOneself: a manifest of somebody whom nobody expects takes no server
// out of what is kept of it.
func TestSealingOneself(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(t *testing.T, s *session, k *keeper)
		want string
		code string // of the first error
	}{
		"the same tools": {func(*testing.T, *session, *keeper) {}, "ask IDENTITY_NOT_EXPECTED, ask IDENTITY_NOT_EXPECTED", ""},
		"a changed tool": {func(t *testing.T, s *session, _ *keeper) { s.change(t); s.release(t) },
			"ask IDENTITY_NOT_EXPECTED, deny TOFU_CHANGED", "TOFU_CHANGED"},
		"an added tool": {func(t *testing.T, s *session, k *keeper) { k.old = k.old[:1]; s.release(t) },
			"ask IDENTITY_NOT_EXPECTED, deny TOFU_CHANGED", "TOFU_CHANGED"},
		"a blocked tool": {func(_ *testing.T, _ *session, k *keeper) { k.tools = []string{"tool1"} },
			"ask IDENTITY_NOT_EXPECTED, deny TOFU_BLOCKED", "TOFU_BLOCKED"},
		"a blocked server": {func(_ *testing.T, _ *session, k *keeper) { k.blocked = true },
			"deny TOFU_BLOCKED, deny TOFU_BLOCKED", "TOFU_BLOCKED"},
		"once sealed by another": {func(_ *testing.T, _ *session, k *keeper) { k.sealed = "io.github.other" },
			"deny MANIFEST_ELSEWHERE, deny MANIFEST_ELSEWHERE", "MANIFEST_ELSEWHERE"},
		"never met": {func(_ *testing.T, _ *session, k *keeper) { k.old = nil }, "ask IDENTITY_NOT_EXPECTED, ask IDENTITY_NOT_EXPECTED", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, k := known(t, warn1)
			s.host.Verifier.IdentityExpected, s.host.Verifier.Namespace = false, ""
			tt.do(t, s, k)
			r := s.list(t)
			followsSchema(t, r)
			if got := s.decided("tool0", "tool1"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if code := append(names(r.Errors), "")[0]; len(code) < len(tt.code) || code[:len(tt.code)] != tt.code || (tt.code == "") != (code == "") {
				t.Errorf("got errors %q, want %q first", names(r.Errors), tt.code)
			}
			if (r.Outcome == seal.Fail) != (tt.code != "") {
				t.Errorf("got %s", r.Outcome)
			}
		})
	}
}

// TestStoreCannotBeRead: nobody is let pass because the store is out of reach.
func TestStoreCannotBeRead(t *testing.T) {
	s := newScene(t)
	s.v.FirstUse = firstUse{err: errors.New("damaged")}
	r := s.v.Verify(t.Context(), sealtest.Marshal(t, sealtest.Seal(t, s.manifest, s.key)))
	followsSchema(t, r)
	if r.Outcome != seal.Undecided {
		t.Errorf("got %s, want undecided", r.Outcome)
	}
	compare(t, "advisories", []string{"MEMORY_UNREADABLE"}, names(r.Advisories)[:1])
}

// TestBlockHolds: whoever signs, and whatever becomes of the manifest.
func TestBlockHolds(t *testing.T) {
	for name, do := range map[string]func(*session){
		"sealed by whom is expected":  func(*session) {},
		"no manifest":                 func(s *session) { s.err = verify.ErrNoManifest },
		"the manifest cannot be had":  func(s *session) { s.err = errors.New("HTTP 500") },
		"the manifest is no manifest": func(s *session) { s.envelope = []byte("{}") },
	} {
		t.Run(name, func(t *testing.T) {
			s, k := known(t, warn1)
			k.blocked = true
			do(s)
			started := false
			s.live.started = &started
			s.host.Verifier.Server = *s.live
			r := s.host.Install(t.Context())
			followsSchema(t, r)
			if r.Outcome != seal.Fail || s.decided("tool0") != "deny TOFU_BLOCKED" {
				t.Errorf("install: got %s, %s", r.Outcome, s.decided("tool0"))
			}
			if r = s.list(t); r.Outcome != seal.Fail || s.decided("tool0", "new") != "deny TOFU_BLOCKED, deny TOFU_BLOCKED" {
				t.Errorf("list: got %s, %s", r.Outcome, s.decided("tool0", "new"))
			}
			if started || len(s.asked) > 0 {
				t.Errorf("started %v, discovery asked %q", started, s.asked)
			}
			// Who verifies without having asked learns it, and starts nothing.
			r = s.host.Verifier.Verify(t.Context(), s.sealed(t))
			if started || r.Outcome != seal.Fail || names(r.Errors)[0] != "TOFU_BLOCKED" {
				t.Errorf("verify: started %v, got %s, %q", started, r.Outcome, names(r.Errors))
			}
		})
	}
	t.Run("a tool", func(t *testing.T) {
		s, k := known(t, warn1)
		k.tools = []string{"tool1"}
		s.list(t)
		if got, want := s.decided("tool0", "tool1"), "allow, deny TOFU_BLOCKED"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestManifestOutOfReach: who keeps a manifest from being had hides no change.
func TestManifestOutOfReach(t *testing.T) {
	s, _ := known(t, warn1)
	s.err = errors.New("HTTP 500")
	s.change(t)
	s.list(t)
	if got, want := s.decided("tool0", "tool1"), "ask MANIFEST_FETCH_FAILED, deny TOFU_CHANGED"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestManifestRemoved: what one session verified, the next one misses.
func TestManifestRemoved(t *testing.T) {
	first, k := known(t, warn1)
	k.old = nil
	first.list(t)
	if k.sealed != sealtest.Namespace {
		t.Fatalf("got %q kept, want the namespace", k.sealed)
	}
	next := newSession(t, warn1)
	next.host.Verifier.FirstUse = k
	next.err = verify.ErrNoManifest
	if r := next.list(t); r.Outcome != seal.Fail || next.decided("tool0") != "deny MANIFEST_ELSEWHERE" {
		t.Errorf("got %s, %s", r.Outcome, next.decided("tool0"))
	}
	t.Run("not where it did not hold", func(t *testing.T) {
		s, k := known(t, warn1)
		s.change(t)
		s.list(t)
		if k.sealed != "" {
			t.Errorf("got %q kept", k.sealed)
		}
	})
}

// TestInstallAllowsNothing: what a process of the verifier's own served is not what
// the session's serves.
func TestInstallAllowsNothing(t *testing.T) {
	s := newSession(t, block1)
	s.host.Verifier.Server = observer(func() verify.Observation { return s.live.Observation })
	if r := s.host.Install(context.Background()); r.Outcome != seal.Pass {
		t.Fatalf("got %s", r.Outcome)
	}
	if got := s.decided("tool0"); got != "deny NOT_OBSERVED" {
		t.Errorf("got %s, want deny", got)
	}
}
