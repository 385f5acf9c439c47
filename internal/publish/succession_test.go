package publish

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// releaseOf is a sealed release 1.0.n, n hours after [sealtest.Time], that change
// may alter before it is signed.
func releaseOf(t testing.TB, key keys.PrivateKey, n int, previous digest.Digest, change func(*seal.Manifest, *seal.Statement)) Sealed {
	t.Helper()
	m := sealtest.Manifest(t, sealtest.Tools(t, 1)...)
	m.IssuedAt = seal.NewTimestamp(sealtest.Time.Add(time.Duration(n) * time.Hour))
	m.Tools[0].Version = fmt.Sprintf("1.0.%d", n)
	if previous != "" {
		before := fmt.Sprintf("1.0.%d", n-1)
		m.Tools[0].Lineage = &seal.Lineage{PreviousVersion: &before, PreviousManifestDigest: previous, Changes: []seal.Change{{Type: "bugfix", Description: "a fix"}}}
	}
	statement := sealtest.Statement()
	if change != nil {
		change(m, &statement)
	}
	payload, err := seal.MarshalManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	e := seal.NewEnvelope(payload)
	if err := e.Attest(key, statement); err != nil {
		t.Fatal(err)
	}
	return sealedOf(t, m, e, fmt.Sprintf("snapshot %d", n))
}

func sealedOf(t testing.TB, m *seal.Manifest, e *seal.Envelope, snapshot string) Sealed {
	t.Helper()
	return Sealed{
		Release: Release{Envelope: sealtest.Marshal(t, e), Snapshot: []byte(snapshot)}, Manifest: m,
		Payload: e.PayloadDigest(digest.SHA256), Signer: e.Signatures[0].KeyID,
	}
}

// releases are n releases, each onto the last.
func releases(t testing.TB, n int) []Sealed {
	t.Helper()
	key := sealtest.Key(t, keys.Ed25519, "acme-2026")
	var all []Sealed
	var previous digest.Digest
	for i := range n {
		all = append(all, releaseOf(t, key, i, previous, nil))
		previous = all[i].Payload
	}
	return all
}

// attested is a release with one attestation more.
func attested(t testing.TB, s Sealed, key keys.PrivateKey, role seal.Role, kind string) Sealed {
	t.Helper()
	e, err := seal.ParseEnvelope(s.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	statement := sealtest.Statement()
	statement.Role, statement.Type = role, kind
	if err := e.Attest(key, statement); err != nil {
		t.Fatal(err)
	}
	s.Envelope = sealtest.Marshal(t, e)
	return s
}

func TestTurn(t *testing.T) {
	key := sealtest.Key(t, keys.Ed25519, "k")
	story := releases(t, 4)
	all := func(payload digest.Digest) ([]byte, error) {
		for _, s := range story {
			if hasPayload(s.Envelope, payload) {
				return s.Envelope, nil
			}
		}
		return nil, fmt.Errorf("%w: here", verify.ErrNoRelease)
	}
	nothing := func(digest.Digest) ([]byte, error) { return nil, verify.ErrNoRelease }
	replaced := func(digest.Digest) ([]byte, error) { return story[2].Envelope, nil }
	broken := func(digest.Digest) ([]byte, error) { return nil, verify.ErrUnavailable }
	link512 := digest.SHA512.FromBytes(payloadOf(t, story[2].Envelope))
	other := func(m *seal.Manifest, _ *seal.Statement) { m.Server.Name = "another" }
	stranger := func(m *seal.Manifest, _ *seal.Statement) { m.Server.Publisher.Namespace = "io.github.mallory" }
	reroot := func(_ *seal.Manifest, s *seal.Statement) { s.Reroot = "the key was lost" }
	scanner := func(_ *seal.Manifest, s *seal.Statement) { s.Reroot, s.Role = "so I say", seal.RoleScanner }
	for name, tt := range map[string]struct {
		standing []byte
		next     Sealed
		find     finder
		want     turn
		err      string
	}{
		"nothing stands there":        {nil, story[2], nothing, takesOver, ""},
		"its predecessor":             {story[1].Envelope, story[2], nothing, takesOver, ""},
		"its predecessor, by sha512":  {story[2].Envelope, releaseOf(t, key, 3, link512, nil), nothing, takesOver, ""},
		"an ancestor":                 {story[0].Envelope, story[3], all, takesOver, ""},
		"itself":                      {story[2].Envelope, story[2], nothing, sameRelease, ""},
		"its successor":               {story[3].Envelope, story[2], nothing, outdated, ""},
		"a descendant":                {story[3].Envelope, story[0], all, outdated, ""},
		"a new root":                  {story[3].Envelope, releaseOf(t, key, 4, "", reroot), nothing, takesOver, ""},
		"an old root":                 {story[3].Envelope, releaseOf(t, key, 1, "", reroot), nothing, 0, "names no predecessor"},
		"a root by a scanner's word":  {story[3].Envelope, releaseOf(t, key, 4, "", scanner), nothing, 0, "names no predecessor"},
		"no link":                     {story[3].Envelope, releaseOf(t, key, 4, "", nil), all, 0, "1.0.3"},
		"a fork":                      {story[3].Envelope, releaseOf(t, key, 4, story[2].Payload, nil), all, 0, "does not follow"},
		"an ancestor that is lost":    {story[0].Envelope, story[3], nothing, 0, "1.0.0"},
		"an ancestor that is another": {story[1].Envelope, releaseOf(t, key, 3, digest.FromString("lost"), nil), replaced, 0, "does not follow"},
		"who knows":                   {story[0].Envelope, story[3], broken, 0, "could not"},
		"another server":              {story[1].Envelope, releaseOf(t, key, 2, story[1].Payload, other), nothing, 0, `"another"`},
		"another publisher's":         {story[1].Envelope, releaseOf(t, key, 2, story[1].Payload, stranger), nothing, 0, `"io.github.mallory"`},
		"another server's new root": {story[1].Envelope, releaseOf(t, key, 2, "", func(m *seal.Manifest, s *seal.Statement) {
			other(m, s)
			reroot(m, s)
		}), nothing, 0, `"another"`},
		"a page":     {[]byte("<html>"), story[1], nothing, 0, "no sealed manifest"},
		"empty":      {[]byte{}, story[1], nothing, 0, "no sealed manifest"},
		"no payload": {sealtest.Marshal(t, emptyEnvelope(t, key)), story[1], nothing, 0, "no sealed manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := turnOf(tt.standing, tt.next, tt.find)
			if tt.err == "" && (err != nil || got != tt.want) {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
			unavailable := name == "who knows"
			if tt.err != "" && (err == nil || errors.Is(err, ErrConflict) == unavailable || !unavailable && !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %v, %v, want a conflict with %q", got, err, tt.err)
			}
		})
	}
}

func payloadOf(t testing.TB, envelope []byte) []byte {
	t.Helper()
	e, err := seal.ParseEnvelope(envelope)
	if err != nil {
		t.Fatal(err)
	}
	return e.Payload
}

func emptyEnvelope(t testing.TB, key keys.PrivateKey) *seal.Envelope {
	t.Helper()
	e := seal.NewEnvelope([]byte(`{}`))
	if err := e.Attest(key, sealtest.Statement()); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestChooseEnvelope(t *testing.T) {
	key := sealtest.Key(t, keys.Ed25519, "k")
	scanner, again := sealtest.Key(t, keys.ES256, "scanner"), sealtest.Key(t, keys.Ed25519, "k2")
	plain := releaseOf(t, key, 0, "", nil)
	scanned := attested(t, plain, scanner, seal.RoleScanner, "malware_scan_clean")
	resigned := releaseOf(t, again, 0, "", nil)
	for name, tt := range map[string]struct {
		standing, next Sealed
		want           choice
	}{
		"equal":                         {plain, plain, keepSame},
		"one attestation more":          {plain, scanned, replace},
		"one attestation less":          {scanned, plain, keepSame},
		"signed again":                  {plain, resigned, replace},
		"signed again, and was scanned": {scanned, resigned, keepOthers},
		"signed again and scanned":      {scanned, attested(t, attested(t, plain, again, seal.RolePublisher, "manifest_signed"), scanner, seal.RoleScanner, "malware_scan_clean"), replace},
	} {
		t.Run(name, func(t *testing.T) {
			if got := chooseEnvelope(tt.standing.Envelope, tt.next.Envelope); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
