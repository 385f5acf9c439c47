package trust

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/internal/strictyaml"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// whole is the file of the package comment, with two namespaces of one publisher.
const whole = `policy: block_below_level_2
publishers:
  - namespace: io.github.acme
    identity: {repository: acme/file-tools, workflow: .github/workflows/release.yml, ref: refs/tags/*}
  - namespace: com.example
    jwks: https://example.com/.well-known/mcp-integrity-keys.json
  - namespace: com.example
    name: example-desk
    key: ./desk.pub.json
  - {namespace: com.acme, identity: {owner: acme}}
registries: [{name: acme-registry, jwks: ./registry-keys.json, types: [namespace_verified]}]
scanners:
  require: 2
  max_age: 30d
  holders:
    - {name: a, identity: {repository: https://gitlab.com/a/b/scan}, max_age: 12h}
    - {name: b, key: ./b.pub.json, namespaces: [io.github.*]}
auditors: [{name: c, identity: {issuer: https://accounts.example, subject: "*@audit.example"}}]
rules: ['true', 'level >= 3']
`

// TestParse reads the whole of a file, and takes what it does not say.
func TestParse(t *testing.T) {
	c, err := Parse([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Policy().String(); got != "block_below_level_2" {
		t.Errorf("policy %s", got)
	}
	if diff := cmp.Diff([]string{"true", "level >= 3"}, c.Rules()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(seal.Quorum{seal.RoleScanner: 2}, c.Quorum()); diff != "" {
		t.Error(diff)
	}
	want := []entry{
		{role: seal.RolePublisher, name: "io.github.acme", namespace: "io.github.acme", identity: &seal.Identity{
			Issuer: seal.GitHubIssuer, Owner: "https://github.com/acme", Repository: "https://github.com/acme/file-tools", Workflow: ".github/workflows/release.yml", Ref: "refs/tags/*",
		}},
		{role: seal.RolePublisher, name: "com.example", namespace: "com.example", jwks: "https://example.com/.well-known/mcp-integrity-keys.json"},
		{role: seal.RolePublisher, name: "example-desk", namespace: "com.example", key: "./desk.pub.json"},
		{role: seal.RolePublisher, name: "com.acme", namespace: "com.acme", identity: &seal.Identity{Issuer: seal.GitHubIssuer, Owner: "https://github.com/acme"}},
		{role: seal.RoleRegistry, name: "acme-registry", jwks: "./registry-keys.json", types: []string{"namespace_verified"}},
		{role: seal.RoleScanner, name: "a", maxAge: 12 * time.Hour, identity: &seal.Identity{Issuer: seal.GitLabIssuer, Repository: "https://gitlab.com/a/b/scan"}},
		{role: seal.RoleScanner, name: "b", key: "./b.pub.json", maxAge: 30 * 24 * time.Hour, namespaces: []string{"io.github.*"}},
		{role: seal.RoleAuditor, name: "c", identity: &seal.Identity{Issuer: "https://accounts.example", SAN: "*@audit.example"}},
	}
	var got []entry
	for _, e := range c.entries {
		plain := *e
		plain.at, plain.sourceAt, plain.path = strictyaml.Position{}, strictyaml.Position{}, ""
		got = append(got, plain)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(entry{})); diff != "" {
		t.Error(diff)
	}
	bad := errors.New("no such variable")
	if err := c.RuleError(1, bad); !errors.Is(err, bad) || err.Error() != "trust.yaml:19:17: rules[1]: no such variable" {
		t.Errorf("got %v", err)
	}
}

// TestParseAccepts what is close to an error.
func TestParseAccepts(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":                     "",
		"empty sections":              "publishers:\nregistries: []\nscanners: {holders: []}\nrules:\n",
		"an issuer of one's own":      "publishers: [{namespace: io.github.acme, identity: {issuer: 'https://ci.example', repository: 'https://git.example/a/b'}}]\n",
		"workflow alone":              "publishers: [{namespace: io.gitlab.acme, identity: {workflow: .gitlab-ci.yml/x, self_hosted: true}}]\n",
		"a subgroup":                  "publishers: [{namespace: io.gitlab.acme, identity: {owner: acme/sub}}]\n",
		"case of the host":            "publishers: [{namespace: io.github.acme, identity: {repository: Acme/X.git}}]\n",
		"one repository, two jobs":    "publishers: [{namespace: io.github.a, identity: {workflow: .github/workflows/p.yml}}]\nscanners: [{name: s, identity: {repository: a/b, workflow: .github/workflows/s.yml}}]\n",
		"one publisher, two names":    "publishers: [{namespace: io.github.a}, {namespace: com.a, identity: {owner: a}}]\n",
		"a registry for others":       "publishers: [{namespace: io.github.a}]\nregistries: [{name: r, identity: {owner: a}, namespaces: [com.*]}]\n",
		"a person and a repository":   "scanners: [{name: a, identity: {issuer: 'https://i.example', subject: a@b.example}}, {name: b, identity: {issuer: 'https://i.example', repository: 'https://g.example/a/b'}}]\n",
		"subjects apart":              "scanners: [{name: a, identity: {subject: 'https://gitlab.com/a/b//x@refs/heads/main'}}, {name: b, identity: {subject: 'https://gitlab.com/a/b//y@refs/heads/main'}}]\n",
		"loopback, for tests at home": "publishers: [{namespace: com.a, jwks: 'http://127.0.0.1:80/x'}]\n",
	} {
		if _, err := Parse([]byte(in)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestResolveErrors: what cannot be loaded, and what must not be loaded twice,
// has the line of its entry.
func TestResolveErrors(t *testing.T) {
	outage := errors.New("the host does not answer")
	for name, c := range map[string]struct {
		in, want string
		is       error
	}{
		"no file": {"publishers: [{namespace: com.a, key: absent}]\n", "1:38: publishers[0].key: open absent: file does not exist", fs.ErrNotExist},
		"no document of a scanner": {"scanners: [{name: a, jwks: 'https://down.example'}]\n",
			"1:28: scanners[0].jwks: the host does not answer", outage},
		"a document without keys": {"scanners: [{name: a, jwks: empty}]\n", "1:28: scanners[0].jwks: the key document has no key that can be used", nil},
		"one key, two roles": {"publishers: [{namespace: com.a, key: p}]\nscanners: [{name: a, key: p}]\n",
			`2:27: scanners[0]: the key with thumbprint THUMB is that of the scanner "a" (line 2) and of the publisher "com.a" (line 1): no key counts in two roles or two votes`, nil},
		"one key, two votes": {"scanners:\n- {name: a, key: p}\n- {name: b, jwks: renamed}\n",
			`3:19: scanners[1]: the key with thumbprint THUMB is that of the scanner "b" (line 3) and of the scanner "a" (line 2): no key counts in two roles or two votes`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, "p")
			renamed := s.keys["p"].Public()
			renamed.KeyID = "another-name"
			set, err := keys.NewSet(renamed)
			if err != nil {
				t.Fatal(err)
			}
			s.load.sets["renamed"], s.load.sets["empty"] = set, keys.Set{}
			s.load.errs["https://down.example"] = outage
			config, err := Parse([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			_, err = config.Resolve(t.Context(), s.load)
			if err == nil || c.is != nil && !errors.Is(err, c.is) {
				t.Fatalf("got %v, want %v", err, c.is)
			}
			want := Filename + ":" + strings.ReplaceAll(c.want, "THUMB", renamed.Thumbprint)
			if err.Error() != want {
				t.Errorf("got\n%v\nwant\n%s", err, want)
			}
		})
	}
}

// TestSharedKeys: publishers of two namespaces may share a key, and so may a
// publisher and who does not count for its namespace.
func TestSharedKeys(t *testing.T) {
	s := newScene(t, "p")
	s.trust("publishers: [{namespace: com.a, key: p}, {namespace: com.b, key: p}]\nregistries: [{name: r, key: p, namespaces: [org.*]}]\n")
}

// TestOutage: a publisher's document that cannot be had is nobody else's
// trouble, and none of its namespace's keys count meanwhile.
func TestOutage(t *testing.T) {
	s := newScene(t, "p", "q")
	outage := errors.New("the host does not answer")
	s.load.errs["https://down.example"] = outage
	trust := s.trust("publishers:\n- {namespace: io.github.acme, key: p}\n- {namespace: io.github.acme, jwks: 'https://down.example'}\n- {namespace: com.b, key: q}\n")
	if known, err := trust.Publisher("com.b"); !known || err != nil {
		t.Errorf("com.b: %t, %v", known, err)
	}
	if known, err := trust.Publisher("io.github.acme"); !known || !errors.Is(err, outage) {
		t.Errorf("io.github.acme: %t, %v", known, err)
	}
	s.by("p", seal.RolePublisher, seal.TypeManifestSigned, 0)
	if diff := cmp.Diff([]string{"publisher: SIGNATURE_KEY_NOT_FOUND"}, s.open(trust.Authenticator("io.github.acme", verified), sealtest.Time)); diff != "" {
		t.Error(diff)
	}
}

// TestVerifier wires the package as its comment says: a signature under one of
// the file's namespaces is none under another.
func TestVerifier(t *testing.T) {
	s := newScene(t, "p", "q")
	trust := s.trust("publishers: [{namespace: io.github.acme, key: p}, {namespace: com.other, key: q}]\n")
	run := func(expected string) *verify.Result {
		namespace := expected
		if namespace == "" {
			namespace = s.envelope.Claim().Namespace
		}
		known, err := trust.Publisher(namespace)
		if err != nil {
			t.Fatal(err)
		}
		v := verify.Verifier{
			Keys: trust.Authenticator(namespace, verified), Ancestors: trust.Ancestors(namespace, verified),
			IdentityExpected: known, Quorum: trust.Quorum(),
			Policy: seal.Policy{Mode: seal.Block}, Now: func() time.Time { return sealtest.Time },
		}
		if known {
			v.Namespace = namespace
		}
		return v.Verify(t.Context(), sealtest.Marshal(t, s.envelope))
	}
	for name, c := range map[string]struct {
		namespace, key, expected string
		want                     seal.Outcome
	}{
		"its own":                           {"io.github.acme", "p", "", seal.Pass},
		"under the other's name":            {"com.other", "p", "", seal.Fail},
		"the other's, and it was not meant": {"com.other", "q", "io.github.acme", seal.Fail},
		"signed by p, and names the other":  {"com.other", "p", "io.github.acme", seal.Fail},
		"a name that nobody has":            {"io.github.acme-evil", "p", "", seal.Fail},
	} {
		s.manifest(c.namespace)
		s.by(c.key, seal.RolePublisher, seal.TypeManifestSigned, 0)
		if r := run(c.expected); r.Outcome != c.want {
			t.Errorf("%s: got %s (%v), want %s", name, r.Outcome, r.Errors, c.want)
		}
	}
}

// TestSources reads files beside the trust file.
func TestSources(t *testing.T) {
	dir := t.TempDir()
	key := sealtest.Key(t, keys.Ed25519, "p")
	set, err := keys.NewSet(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	data, err := set.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "set.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keys.WritePrivate(filepath.Join(dir, "sub", "p.json"), key); err != nil {
		t.Fatal(err)
	}
	documents, err := keys.OpenDocuments("")
	if err != nil {
		t.Fatal(err)
	}
	var loaded []string
	load := Sources{Dir: dir, Documents: documents, Loaded: func(source string, _ keys.Document) { loaded = append(loaded, source) }}
	if k, err := load.Key("./sub/p.json"); err != nil || k.Thumbprint != key.Public().Thumbprint {
		t.Errorf("got %v, %v", k, err)
	}
	for _, source := range []string{"set.json", filepath.Join(dir, "set.json")} {
		if s, err := load.Set(t.Context(), source, nil); err != nil || len(s.Keys) != 1 {
			t.Errorf("%s: got %v, %v", source, s, err)
		}
	}
	if _, err := load.Set(t.Context(), "absent.json", nil); err == nil {
		t.Error("an absent file was loaded")
	}
	if _, err := load.Set(context.Background(), "https://keys.example/x", nil); !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("without network: got %v", err)
	}
	if len(loaded) != 2 {
		t.Errorf("told of %q", loaded)
	}
}

func TestPolicyFloor(t *testing.T) {
	for _, c := range []struct{ file, flag, want string }{
		{"", "", "none"},
		{"", "report_only", "report_only"},
		{"block_below_level_2", "", "block_below_level_2"},
		{"warn_below_level_1", "block_below_level_1", "block_below_level_1"},
		{"warn_below_level_1", "warn_below_level_3", "warn_below_level_3"},
		{"report_only", "warn_below_level_0", "warn_below_level_0"},
		{"block_below_level_2", "block_below_level_2", "block_below_level_2"},
		{"block_below_level_1", "warn_below_level_3", "block_below_level_3"},
		{"warn_below_level_3", "block_below_level_1", "block_below_level_3"},
		{"block_below_level_2", "block_below_level_1", "error"},
		{"block_below_level_2", "warn_below_level_2", "error"},
		{"block_below_level_2", "warn_below_level_1", "error"},
		{"warn_below_level_0", "report_only", "error"},
	} {
		got, err := PolicyFloor(policy(t, c.file), policy(t, c.flag))
		name := got.String()
		switch {
		case err != nil:
			name = "error"
		case got == seal.Policy{}:
			name = "none"
		}
		if name != c.want {
			t.Errorf("file %q, flag %q: got %s (%v), want %s", c.file, c.flag, name, err, c.want)
		}
	}
	if _, err := PolicyFloor(seal.Policy{Mode: "warm"}, seal.DefaultPolicy); err == nil {
		t.Error("an unknown mode is a floor")
	}
}

func policy(t *testing.T, s string) seal.Policy {
	t.Helper()
	if s == "" {
		return seal.Policy{}
	}
	p, err := seal.ParsePolicy(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSchema(t *testing.T) {
	var document map[string]any
	if err := json.Unmarshal(Schema(), &document); err != nil || document["$id"] != SchemaID {
		t.Errorf("got $id %v, %v", document["$id"], err)
	}
	Schema()[0] = 'x'
	if schemaJSON[0] != '{' {
		t.Error("the caller of Schema holds the schema")
	}
}

// FuzzMeet: two patterns meet where a text is found that both match, and the
// order does not matter.
func FuzzMeet(f *testing.F) {
	f.Add("a*c", "*bc", "abc")
	f.Add("*", "", "")
	f.Add("v*.*", "v1*", "v1.2")
	f.Fuzz(func(t *testing.T, a, b, text string) {
		if len(a)+len(b)+len(text) > 200 || strings.ContainsAny(a+b, "/") {
			return
		}
		if matches(a, text, "/") && matches(b, text, "/") && !meet(a, b) {
			t.Errorf("%q and %q both match %q", a, b, text)
		}
		if meet(a, b) != meet(b, a) {
			t.Errorf("%q and %q meet in one order only", a, b)
		}
	})
}

// FuzzParse: no input panics; an error is about a place in the input; whoever is
// trusted is known by exactly one thing.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{whole, roles, "publishers: [{namespace: io.github.a}]\nscanners: {require: 1, max_age: 3d, holders: [{name: a, identity: {subject: 'a@b', issuer: x}}]}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			var errs strictyaml.Errors
			if !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("%v is no Errors", err)
			}
			for _, e := range errs {
				if e.Line < 1 || e.Column < 1 || e.Line > strings.Count(string(data), "\n")+1 {
					t.Errorf("%d:%d is no place in the file: %s", e.Line, e.Column, e.Message)
				}
			}
			return
		}
		for _, e := range c.entries {
			ways := 0
			for _, has := range []bool{e.identity != nil, e.key != "", e.jwks != ""} {
				if has {
					ways++
				}
			}
			if ways != 1 || e.name == "" || e.identity != nil && (!e.identity.Named() || e.identity.Issuer == "") {
				t.Errorf("%s is known by %d things: %+v", e, ways, e.identity)
			}
		}
	})
}

// TestElsewhere: whom a run names as the publisher by other means is no registry,
// scanner or auditor of the file where those count.
func TestElsewhere(t *testing.T) {
	s := newScene(t, "p", "s", "free")
	trust := s.trust("scanners: [{name: a, key: s}, {name: b, identity: {repository: acme/x}}, {name: c, key: free, namespaces: [com.*]}]\n")
	for name, c := range map[string]struct {
		id   seal.Identity
		key  string
		want string
	}{
		"others":         {seal.Identity{Issuer: seal.GitHubIssuer, Repository: "https://github.com/acme/y"}, "p", ""},
		"elsewhere":      {seal.Identity{}, "free", ""},
		"the key":        {seal.Identity{}, "s", `the key "s" is that of the scanner "a" (line 1): no key counts in two roles`},
		"the repository": {seal.Identity{Issuer: seal.GitHubIssuer, Repository: "https://github.com/Acme/X"}, "p", `of the publisher and of the scanner "b" (line 1): no identity`},
		"its owner":      {seal.Identity{Issuer: seal.GitHubIssuer, Owner: "https://github.com/acme"}, "p", `of the scanner "b"`},
	} {
		var expected []seal.Identity
		if c.id.Named() {
			expected = append(expected, c.id)
		}
		err := trust.Elsewhere(sealtest.Namespace, expected, []keys.PublicKey{s.keys[c.key].Public()})
		if got := fmt.Sprint(err); (err != nil) != (c.want != "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
