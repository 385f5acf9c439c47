package trust

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
)

const (
	day     = 24 * time.Hour
	roles   = "publishers: [{namespace: io.github.acme, key: p}]\nregistries: [{name: reg, key: r}]\nscanners: [{name: scan, key: s}]\nauditors: [{name: aud, key: a}]\n"
	release = ".github/workflows/release.yml"
)

// TestEveryRole: each key counts in its role, under its holder's name, with the
// types that the file or MIS §14.4 gives it.
func TestEveryRole(t *testing.T) {
	s := newScene(t, "p", "r", "s", "a", "x")
	trust := s.trust(roles)
	s.by("p", seal.RolePublisher, seal.TypeManifestSigned, 0)
	s.by("r", seal.RoleRegistry, seal.TypeNamespaceVerified, 0)
	s.by("s", seal.RoleScanner, seal.TypeMalwareScanClean, 0)
	s.by("a", seal.RoleAuditor, "code_review_passed", 0)
	s.by("x", seal.RoleAuditor, "security_audit_passed", 0)
	got := s.open(trust.Authenticator(sealtest.Namespace, verified), sealtest.Time)
	want := []string{
		"publisher/io.github.acme manifest_signed", "registry/reg namespace_verified", "scanner/scan malware_scan_clean",
		"auditor/aud code_review_passed", "auditor: SIGNATURE_KEY_NOT_FOUND",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestAttacks: each begins with a publisher's attestation that holds.
func TestAttacks(t *testing.T) {
	const typed = "publishers: [{namespace: io.github.acme, key: p}]\n"
	for name, c := range map[string]struct {
		trust  string
		attest func(*scene)
		now    time.Duration
		want   []string // behind the publisher's
	}{
		"a scanner's key as registry": {roles, func(s *scene) { s.by("s", seal.RoleRegistry, seal.TypeNamespaceVerified, 0) }, 0, []string{"registry: ATTESTATION_NOT_COUNTED"}},
		"the publisher's key as registry": {roles, func(s *scene) { s.by("p", seal.RoleRegistry, seal.TypeNamespaceVerified, 0) }, 0,
			[]string{"registry: ATTESTATION_NOT_COUNTED"}},
		"role relabelled": {roles, func(s *scene) {
			s.by("s", seal.RoleScanner, seal.TypeMalwareScanClean, 0)
			s.envelope.Signatures[1].Role = seal.RoleRegistry
		}, 0, []string{"registry: SIGNATURE_INVALID"}},
		"another key under a trusted name": {roles, func(s *scene) {
			s.by("x", seal.RoleRegistry, seal.TypeNamespaceVerified, 0)
			s.envelope.Signatures[1].KeyID = "r"
		}, 0, []string{"registry: SIGNATURE_INVALID"}},
		"types not granted": {typed + "scanners: [{name: a, key: s, types: [malware_scan_clean]}]\n", func(s *scene) {
			s.by("s", seal.RoleScanner, seal.TypeSideEffectsVerified, 0)
			s.by("s", seal.RoleScanner, seal.TypeMalwareScanClean, 0)
		}, 0, []string{"scanner/a malware_scan_clean", "scanner: ATTESTATION_NOT_COUNTED"}},
		"own types are not positive by themselves": {roles, func(s *scene) { s.by("s", seal.RoleScanner, "com.example.fuzzed", 0) }, 0, []string{"scanner: ATTESTATION_NOT_COUNTED"}},
		"bad news needs no grant": {typed + "scanners: [{name: a, key: s, types: [malware_scan_clean]}]\n", func(s *scene) {
			s.by("s", seal.RoleScanner, seal.TypeSideEffectsDiscrepancyFound, 0)
			s.by("s", seal.RoleScanner, "com.example.malware_found", 0)
		}, 0, []string{"scanner/a side_effects_discrepancy_found", "scanner/a com.example.malware_found"}},
		"too old, by the section": {typed + "scanners: {max_age: 30d, holders: [{name: a, key: s}, {name: b, key: x, max_age: 32d}]}\n", func(s *scene) {
			s.by("s", seal.RoleScanner, seal.TypeMalwareScanClean, 0)
			s.by("s", seal.RoleScanner, seal.TypeSideEffectsVerified, 2*day)
			s.by("x", seal.RoleScanner, seal.TypeMalwareScanClean, 0)
		}, 31 * day, []string{"scanner/a side_effects_verified", "scanner/b malware_scan_clean", "scanner: SIGNATURE_EXPIRED"}},
		"another namespace's scanner": {typed + "scanners: [{name: a, key: s, namespaces: [io.github.other, io.github.acme-*]}]\n", func(s *scene) {
			s.by("s", seal.RoleScanner, seal.TypeMalwareScanClean, 0)
		}, 0, []string{"scanner: SIGNATURE_KEY_NOT_FOUND"}},
		"this namespace's scanner": {typed + "scanners: [{name: a, key: s, namespaces: [io.github.a*e]}]\n", func(s *scene) {
			s.by("s", seal.RoleScanner, seal.TypeMalwareScanClean, 0)
		}, 0, []string{"scanner/a malware_scan_clean"}},
		"another namespace's publisher": {typed + "registries: [{name: r, key: r}]\n", func(s *scene) {
			s.by("x", seal.RolePublisher, seal.TypeManifestSigned, 0)
		}, 0, []string{"publisher: SIGNATURE_KEY_NOT_FOUND"}},
		"a stranger's certificate beside a key": {typed, func(s *scene) {
			s.as(job("acme/file-tools", release, "refs/tags/v1"), seal.RolePublisher, "")
		}, 0, []string{"publisher: IDENTITY_MISMATCH"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, "p", "r", "s", "a", "x")
			trust := s.trust(c.trust)
			s.by("p", seal.RolePublisher, seal.TypeManifestSigned, 0)
			c.attest(s)
			got := s.open(trust.Authenticator(sealtest.Namespace, verified), sealtest.Time.Add(c.now))
			if diff := cmp.Diff(append([]string{"publisher/io.github.acme manifest_signed"}, c.want...), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestIdentities: a certificate counts for whom its identity is, whole.
func TestIdentities(t *testing.T) {
	const (
		forge   = "publishers: [{namespace: io.github.acme}]\n"
		pinned  = "publishers: [{namespace: io.github.acme, identity: {repository: acme/file-tools, workflow: " + release + ", ref: refs/tags/*}}]\n"
		scanner = pinned + "scanners: [{name: a, identity: {repository: scan/scan}}]\n"
		ok      = "publisher/io.github.acme manifest_signed"
		bad     = "publisher: IDENTITY_MISMATCH"
	)
	good := job("acme/file-tools", release, "refs/tags/v1")
	selfHosted, otherIssuer := good, good
	selfHosted.RunnerEnvironment, otherIssuer.Issuer = "self-hosted", seal.GitHubIssuer+".evil.example"
	for name, c := range map[string]struct {
		trust string
		cert  seal.Certificate
		role  seal.Role
		want  string
	}{
		"the forge's owner":       {forge, job("acme/any", release, "refs/heads/x"), seal.RolePublisher, ok},
		"an owner that begins so": {forge, job("acme-evil/any", release, "refs/heads/x"), seal.RolePublisher, bad},
		"an owner in it":          {forge, job("evil/acme", release, "refs/heads/x"), seal.RolePublisher, bad},
		"another issuer":          {forge, otherIssuer, seal.RolePublisher, bad},
		"a runner of one's own":   {forge, selfHosted, seal.RolePublisher, bad},
		"pinned":                  {pinned, good, seal.RolePublisher, ok},
		"begins like it":          {pinned, job("acme/file-tools-evil", release, "refs/tags/v1"), seal.RolePublisher, bad},
		"a branch":                {pinned, job("acme/file-tools", release, "refs/heads/main"), seal.RolePublisher, bad},
		"a path in the tag":       {pinned, job("acme/file-tools", release, "refs/tags/v1/x"), seal.RolePublisher, bad},
		"another workflow":        {pinned, job("acme/file-tools", ".github/workflows/release.yml2", "refs/tags/v1"), seal.RolePublisher, bad},
		"a scanner":               {scanner, job("scan/scan", release, "refs/heads/main"), seal.RoleScanner, "scanner/a malware_scan_clean"},
		"a scanner that begins":   {scanner, job("scan/scanner", release, "refs/heads/main"), seal.RoleScanner, "scanner: IDENTITY_MISMATCH"},
		"no scanner at all":       {pinned, job("scan/scan", release, "refs/heads/main"), seal.RoleScanner, "scanner: SIGNATURE_KEY_NOT_FOUND"},
		"a scanner as publisher":  {scanner, job("scan/scan", release, "refs/heads/main"), seal.RolePublisher, "publisher: ATTESTATION_NOT_COUNTED"},
		"a publisher as scanner":  {scanner, good, seal.RoleScanner, "scanner: ATTESTATION_NOT_COUNTED"},
		"nobody's namespace":      {"publishers: [{namespace: io.github.other}]\n", good, seal.RolePublisher, "certificate " + seal.GitHubIssuer + " https://github.com/acme/file-tools/" + release + " https://github.com/acme/file-tools manifest_signed?"},
		"nobody's, as auditor":    {"publishers: [{namespace: io.github.other}]\n", good, seal.RoleAuditor, "auditor: SIGNATURE_KEY_NOT_FOUND"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			trust := s.trust(c.trust)
			s.as(c.cert, c.role, map[seal.Role]string{seal.RoleScanner: seal.TypeMalwareScanClean, seal.RoleAuditor: "code_review_passed"}[c.role])
			if c.role != seal.RolePublisher { // without a publisher nothing opens
				s.as(good, seal.RolePublisher, "")
				if c.cert == good {
					s.envelope.Signatures = s.envelope.Signatures[:1]
				}
			}
			got := s.open(trust.Authenticator(sealtest.Namespace, verified), sealtest.Time)
			if !slices.Contains(got, c.want) {
				t.Errorf("got %q, want %q in it", got, c.want)
			}
		})
	}
}

// TestNamespaces: what merely looks like a namespace of the file has no
// publisher, and its publisher's key is nobody's.
func TestNamespaces(t *testing.T) {
	s := newScene(t, "p", "s")
	trust := s.trust("publishers: [{namespace: io.github.acme, key: p}]\nscanners: [{name: a, key: s, namespaces: [io.github.*]}]\n")
	for _, namespace := range []string{
		"", "io.github", "io.github.acme.", "io.github.acme-tools", "io.github.Acme", "IO.github.acme", "io.github.acme.evil",
		"evil.io.github.acme", "io.github.аcme", "io.github.xn--cme-5cd", "io.github.acme\u200b", "io.github.acme ", "io.github.*",
	} {
		if known, err := trust.Publisher(namespace); known || err != nil {
			t.Errorf("%q has a publisher (%v)", namespace, err)
		}
		s.manifest("io.github.acme")
		s.by("p", seal.RolePublisher, seal.TypeManifestSigned, 0)
		if diff := cmp.Diff([]string{"publisher: SIGNATURE_KEY_NOT_FOUND"}, s.open(trust.Authenticator(namespace, verified), sealtest.Time)); diff != "" {
			t.Errorf("%q: %s", namespace, diff)
		}
	}
	for pattern, names := range map[string]map[string]bool{
		"io.github.*":   {"io.github.acme": true, "io.github.acme.x": false, "io.github": false, "io.github.": true, "io.github.*": false},
		"io.git*b.acme": {"io.github.acme": true, "io.gitb.acme": true, "io.git.b.acme": false},
	} {
		for name, want := range names {
			if got := matches(pattern, name, "."); got != want {
				t.Errorf("%q matches %q: got %t", pattern, name, got)
			}
		}
	}
}

// TestRevoked: a revoked key is told as such, whether or not its document still
// shows it, and also where another entry of the namespace pins it.
func TestRevoked(t *testing.T) {
	s := newScene(t, "p", "next", "s")
	pub := func(name string) keys.PublicKey { return s.keys[name].Public() }
	set, err := keys.NewSet(pub("p"), pub("next"))
	if err != nil {
		t.Fatal(err)
	}
	notice, err := keys.SignNotice(keys.Notice{RevokedKeyID: "p", Time: sealtest.Time, Reason: keys.KeyCompromise}, s.keys["next"])
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Revoke(notice); err != nil {
		t.Fatal(err)
	}
	s.load.sets["doc"] = set
	s.by("p", seal.RolePublisher, seal.TypeManifestSigned, -day)
	for name, c := range map[string]struct {
		trust string
		want  []string
	}{
		"by its document":  {"publishers: [{namespace: io.github.acme, jwks: doc}]\n", []string{"publisher: SIGNATURE_KEY_REVOKED"}},
		"pinned beside it": {"publishers: [{namespace: io.github.acme, key: p}, {namespace: io.github.acme, jwks: doc}]\n", []string{"publisher: SIGNATURE_KEY_REVOKED"}},
		"by somebody else's document": {"publishers: [{namespace: io.github.acme, key: p}]\nscanners: [{name: a, jwks: doc}]\n",
			[]string{"publisher/io.github.acme manifest_signed"}},
	} {
		trust := s.trust(c.trust)
		if diff := cmp.Diff(c.want, s.open(trust.Authenticator(sealtest.Namespace, verified), sealtest.Time)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestRetired: a retired key counts for what it signed before.
func TestRetired(t *testing.T) {
	s := newScene(t, "p", "next")
	set, err := keys.NewSet(s.keys["p"].Public(), s.keys["next"].Public())
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Retire("p", sealtest.Time.Add(day)); err != nil {
		t.Fatal(err)
	}
	s.load.sets["doc"] = set
	trust := s.trust("publishers: [{namespace: io.github.acme, jwks: doc}]\n")
	for after, want := range map[time.Duration]string{0: "publisher/io.github.acme manifest_signed", 2 * day: "publisher: KEY_RETIRED"} {
		s.manifest(sealtest.Namespace)
		s.by("p", seal.RolePublisher, seal.TypeManifestSigned, after)
		if diff := cmp.Diff([]string{want}, s.open(trust.Authenticator(sealtest.Namespace, verified), sealtest.Time.Add(3*day))); diff != "" {
			t.Error(diff)
		}
	}
	for name, stamp := range map[string]*seal.Timestamp{"nothing": nil, "a label, which anybody writes": s.envelope.Signatures[0].Timestamp} {
		s.manifest(sealtest.Namespace)
		s.by("p", seal.RolePublisher, seal.TypeManifestSigned, 2*day)
		stripped := s.envelope.Signatures[0]
		stripped.Details, stripped.Timestamp = nil, stamp
		_, err := trust.Authenticator(sealtest.Namespace, verified).Authenticate(t.Context(), stripped, seal.PAE(seal.PayloadType, s.envelope.Payload))
		if seal.CodeOf(err, 0) != seal.CodeKeyRetired {
			t.Errorf("stripped down to %s: got %v", name, err)
		}
	}
}

// TestAncestors: another release may have another tag, workflow and runner, and
// not another repository. What the file gives another role stays there.
func TestAncestors(t *testing.T) {
	s := newScene(t)
	trust := s.trust("publishers: [{namespace: io.github.acme, identity: {repository: acme/x, workflow: " + release + ", ref: refs/tags/v2}}]\n" +
		"auditors: [{name: a, identity: {repository: acme/x, workflow: .github/workflows/audit.yml}}]\n")
	own := job("acme/x", ".github/workflows/old.yml", "refs/heads/main")
	own.RunnerEnvironment = "self-hosted"
	for name, c := range map[string]struct {
		cert     seal.Certificate
		now, was string
	}{
		"another tag": {job("acme/x", release, "refs/tags/v1"), "publisher: IDENTITY_MISMATCH", "publisher/io.github.acme manifest_signed"},
		"all else":    {own, "publisher: IDENTITY_MISMATCH", "publisher/io.github.acme manifest_signed"},
		"repository":  {job("acme/y", release, "refs/tags/v2"), "publisher: IDENTITY_MISMATCH", "publisher: IDENTITY_MISMATCH"},
		"the auditor": {job("acme/x", ".github/workflows/audit.yml", "refs/tags/v2"), "publisher: ATTESTATION_NOT_COUNTED", "publisher: ATTESTATION_NOT_COUNTED"},
	} {
		s.manifest(sealtest.Namespace)
		s.as(c.cert, seal.RolePublisher, "")
		if diff := cmp.Diff([]string{c.now}, s.open(trust.Authenticator(sealtest.Namespace, verified), sealtest.Time)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff([]string{c.was}, s.open(trust.Ancestors(sealtest.Namespace, verified), sealtest.Time)); diff != "" {
			t.Errorf("%s, ancestor: %s", name, diff)
		}
	}
	subject := relax(seal.Identity{SAN: "https://ci.example/a/b@refs/tags/v1"})
	if want := "https://ci.example/a/b@refs/tags/*"; subject.SAN != want {
		t.Errorf("got %s, want %s", subject.SAN, want)
	}
}

// TestQuorum: two of three, and two attestations of one holder are one vote.
func TestQuorum(t *testing.T) {
	s := newScene(t, "p", "a", "b", "c")
	trust := s.trust("publishers: [{namespace: io.github.acme, key: p}]\nscanners: {require: 2, holders: [{name: a, key: a}, {name: b, key: b}, {name: c, key: c}]}\n")
	if diff := cmp.Diff(seal.Quorum{seal.RoleScanner: 2}, trust.Quorum()); diff != "" {
		t.Error(diff)
	}
	s.by("p", seal.RolePublisher, seal.TypeManifestSigned, 0)
	s.by("a", seal.RoleScanner, seal.TypeMalwareScanClean, 0)
	s.by("a", seal.RoleScanner, seal.TypeSideEffectsVerified, 0)
	for _, want := range []int{1, 2} {
		opened, err := s.envelope.Open(t.Context(), trust.Authenticator(sealtest.Namespace, verified), seal.OpenOptions{Now: sealtest.Time})
		if err != nil {
			t.Fatal(err)
		}
		if got := seal.StandingOf(opened.Attestations, opened.Lapsed).Holders(seal.RoleScanner, ""); got != want {
			t.Errorf("%d votes, want %d", got, want)
		}
		s.by("c", seal.RoleScanner, seal.TypeMalwareScanClean, 0)
	}
}

// TestNoCertificate: a keyless verifier that fails, or proves nothing, is never
// passed over.
func TestNoCertificate(t *testing.T) {
	s := newScene(t)
	trust := s.trust("publishers: [{namespace: io.github.acme}]\n")
	s.as(job("acme/x", release, "refs/tags/v1"), seal.RolePublisher, "")
	broken := errors.New("broken")
	for _, keyless := range []Keyless{
		func(ctx context.Context, sig seal.Signature, m []byte) (seal.Authenticated, error) {
			return seal.Authenticated{}, broken
		},
		func(ctx context.Context, sig seal.Signature, m []byte) (seal.Authenticated, error) {
			a, err := verified(ctx, sig, m)
			a.Certificate = nil
			return a, err
		},
	} {
		if got := s.open(trust.Authenticator(sealtest.Namespace, keyless), sealtest.Time); len(got) != 1 || !strings.HasSuffix(got[0], "SIGNATURE_INVALID") {
			t.Errorf("got %q", got)
		}
	}
}

// TestNotFoundSays: who signed with a key that the file does not have hears whom
// it has.
func TestNotFoundSays(t *testing.T) {
	s := newScene(t, "p", "q", "r")
	s.by("p", seal.RolePublisher, seal.TypeManifestSigned, 0)
	s.by("p", seal.RoleScanner, seal.TypeMalwareScanClean, 0)
	publisher, scanner := s.envelope.Signatures[0], s.envelope.Signatures[1]
	for name, c := range map[string]struct {
		trust string
		by    seal.Signature
		want  string
	}{
		"no publisher":        {"publishers: [{namespace: com.a, key: q}, {namespace: com.b, key: q}]\n", publisher, `the trust file has no publisher for the namespace "io.github.acme" (it has: com.a, com.b)`},
		"none at all":         {"scanners: [{name: a, key: q}]\n", publisher, `(it has: none)`},
		"by a certificate":    {"publishers: [{namespace: io.github.acme, identity: {repository: acme/x}}]\n", publisher, `the trust file expects a certificate of https://github.com/acme/x as publisher of the namespace "io.github.acme", and the manifest is signed by a key`},
		"by other keys":       {"publishers: [{namespace: io.github.acme, key: q}, {namespace: io.github.acme, key: r}]\n", publisher, `other keys of a publisher for the namespace "io.github.acme": "q", "r"`},
		"no scanner":          {"publishers: [{namespace: io.github.acme, key: q}]\n", scanner, `the trust file has no scanner for the namespace "io.github.acme"`},
		"a scanner's own key": {"scanners: [{name: a, key: r}]\n", scanner, `other keys of a scanner for the namespace "io.github.acme": "r"`},
	} {
		_, err := s.trust(c.trust).Authenticator(sealtest.Namespace, verified).Authenticate(t.Context(), c.by, nil)
		if seal.CodeOf(err, 0) != seal.CodeSignatureKeyNotFound || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}
