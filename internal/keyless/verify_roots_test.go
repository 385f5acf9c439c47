package keyless_test

import (
	"crypto/elliptic"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/keyless/keylesstest"
	"github.com/mcp-integrity/seal-action/seal"
)

// TestNoDowngrade: a second root of the same authority that asks for less does
// not lower what the first one asks for, in whatever order they are given.
func TestNoDowngrade(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	full := s.TrustedRoot()
	without := func(member string) []byte { return parsed(t, full).set(member, nil).bytes() }
	entire := s.Sign(t, statement).Bundle
	unlogged := parsed(t, entire).set(entries, nil).bytes()
	s.NoCT = true
	unshown := s.Sign(t, statement).Bundle
	s.NoCT = false

	for _, c := range []struct {
		name   string
		lesser []byte
		bundle []byte
		stage  keyless.Stage
	}{
		{"without its log entry", without("tlogs"), unlogged, keyless.StageLog},
		{"without its certificate timestamp", without("ctlogs"), unshown, keyless.StageSCT},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := trusting(t, c.lesser).Verify(c.bundle); err != nil {
				t.Fatalf("under the lesser root alone: %v", err)
			}
			_, err := trusting(t, full).Verify(c.bundle)
			wantStage(t, err, c.stage, "")
			for _, both := range []*keyless.Trust{
				trusting(t, full, c.lesser), trusting(t, c.lesser, full),
				keyless.Join(trusting(t, c.lesser), trusting(t, full)),
			} {
				_, err := both.Verify(c.bundle)
				wantStage(t, err, c.stage, "")
				if _, err := both.Verify(entire); err != nil {
					t.Errorf("the whole bundle: %v", err)
				}
			}
		})
	}
	// What each of two roots lacks, none can prove.
	_, err := trusting(t, without("tlogs"), without("ctlogs")).Verify(entire)
	wantStage(t, err, keyless.StageSCT, "another trusted root of this authority requires a certificate timestamp")
	_, err = trusting(t, without("tlogs"), parsed(t, full).flip("tlogs.0.logId.keyId").bytes()).Verify(entire)
	wantStage(t, err, keyless.StageLog, "")
}

// TestNamesakes: what an instance requires is not required of another one that
// bears its name.
func TestNamesakes(t *testing.T) {
	public, private := keylesstest.New(t, keylesstest.Options{}), keylesstest.New(t, keylesstest.Options{NoLog: true, NoCT: true})
	both := trusting(t, public.TrustedRoot(), private.TrustedRoot())
	for _, s := range []*keylesstest.Sigstore{public, private} {
		if v, err := both.Verify(s.Sign(t, statement).Bundle); err != nil || v.Logged == s.NoLog {
			t.Error(err)
		}
	}
	_, err := both.Verify(parsed(t, public.Sign(t, statement).Bundle).set(entries, nil).bytes())
	wantStage(t, err, keyless.StageLog, "0 < 1")
}

// TestEarliest: of several times the earliest is the bundle's.
func TestEarliest(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{RekorV1: true})
	key := newKey(t, elliptic.P256())
	leaf := s.Issue(&key.PublicKey)
	start := time.Now().UTC().Truncate(time.Second)
	next := start.Add(2 * time.Minute)
	s.Clock = func() time.Time { next = next.Add(-time.Minute); return next } // the log's, then the stamp's
	v, err := trusting(t, s.TrustedRoot()).Verify(s.SignWith(t, key, leaf, seal.StatementPayloadType, statement).Bundle)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Times) != 2 || !v.Time.Equal(start) || v.Times[0].By != "https://tsa.keylesstest.example/api/v1/timestamp" || v.Times[1].By != "https://rekor.keylesstest.example" {
		t.Errorf("got %s of %v, want %s", v.Time, v.Times, start)
	}
}

// TestGenerations: an older and a newer copy of one instance's root are both
// given; a bundle passes by the one that knows its log.
func TestGenerations(t *testing.T) {
	for name, o := range worlds {
		t.Run(name, func(t *testing.T) {
			s := keylesstest.New(t, o)
			now := s.TrustedRoot()
			before := parsed(t, now)
			if !o.NoLog {
				before.flip("tlogs.0.logId.keyId")
			} else {
				before.set("timestampAuthorities.0.validFor", map[string]any{"start": long, "end": longer})
			}
			b := s.Sign(t, statement).Bundle
			if _, err := trusting(t, before.bytes()).Verify(b); err == nil {
				t.Error("the old root alone knows it")
			}
			for _, both := range []*keyless.Trust{trusting(t, before.bytes(), now), trusting(t, now, before.bytes())} {
				if _, err := both.Verify(b); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestSuccessor: a retired log stays good for what it logged, and a bundle with
// an entry of each log is good if one of them is.
func TestSuccessor(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	b := parsed(t, s.Sign(t, statement).Bundle)
	r := parsed(t, s.TrustedRoot())
	r.set("tlogs.0.publicKey.validFor", map[string]any{"start": long, "end": "2100-01-01T00:00:00Z"})
	if _, err := trusting(t, r.bytes()).Verify(b.bytes()); err != nil {
		t.Errorf("in the last of its time: %v", err)
	}
	other := keylesstest.New(t, keylesstest.Options{Name: "other"})
	foreign := parsed(t, other.Sign(t, statement).Bundle)
	b.set(entries, []any{foreign.get(entry), b.get(entry)})
	if _, err := trusting(t, s.TrustedRoot()).Verify(b.bytes()); err != nil {
		t.Errorf("with an entry of a log that nobody here knows: %v", err)
	}
}

// TestConcurrent: one Trust serves several goroutines (run with -race).
func TestConcurrent(t *testing.T) {
	s := keylesstest.New(t, keylesstest.Options{})
	tr, b := trusting(t, s.TrustedRoot()), s.Sign(t, statement).Bundle
	done := make(chan error)
	for range 8 {
		go func() {
			_, err := tr.Verify(b)
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
