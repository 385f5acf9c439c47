package trust

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
)

// TestGivenUp: a key that is pinned in the file, under a name of one's own, is
// revoked by the notice that it signed about itself, wherever the file or this
// user saw it, and by nobody else's in a document that is not its holder's.
func TestGivenUp(t *testing.T) {
	const pin = "publishers: [{namespace: io.github.acme, key: p}]\n"
	counts, revoked := []string{"publisher/io.github.acme manifest_signed"}, []string{"publisher: SIGNATURE_KEY_REVOKED"}
	for name, c := range map[string]struct {
		signer       string // of the notice in doc.json
		before, file string // trust files: one of an earlier run, and this one's
		want         []string
	}{
		"in another entry's document":     {"p", "", pin + "publishers2", revoked},
		"in an auditor's document":        {"p", "", pin + "auditors: [{name: a, jwks: doc.json}]\n", revoked},
		"in a document of an earlier run": {"p", "auditors: [{name: a, jwks: doc.json}]\n", pin, revoked},
		"in none":                         {"p", "", pin, counts},
		"by an auditor":                   {"auditor", "", pin + "auditors: [{name: a, jwks: doc.json}]\n", counts},
		"by an auditor, earlier":          {"auditor", "auditors: [{name: a, jwks: doc.json}]\n", pin, counts},
	} {
		t.Run(name, func(t *testing.T) {
			if c.file == pin+"publishers2" {
				c.file = "publishers: [{namespace: io.github.acme, key: p}, {namespace: io.github.acme, jwks: doc.json}]\n"
			}
			s := newScene(t, "p", "auditor")
			dir := t.TempDir()
			writeKeys(t, s, dir, c.signer)
			documents, err := keys.OpenDocuments(filepath.Join(dir, "kept"))
			if err != nil {
				t.Fatal(err)
			}
			var trust *Trust
			for _, text := range []string{c.before, c.file} {
				config, err := Parse([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				if trust, err = config.Resolve(t.Context(), Sources{Dir: dir, Documents: documents}); err != nil {
					t.Fatal(err)
				}
			}
			s.by("mine", seal.RolePublisher, seal.TypeManifestSigned, 0)
			if diff := cmp.Diff(c.want, s.open(trust.Authenticator(sealtest.Namespace, verified), sealtest.Time)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// writeKeys writes the file p, which has that key by the name "mine", and
// doc.json, without it, and with a notice that revokes it by its own name.
func writeKeys(t *testing.T, s *scene, dir, signer string) {
	t.Helper()
	p, err := s.keys["p"].MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	s.keys["mine"], err = keys.ParsePrivate([]byte(strings.Replace(string(p), `"kid":"p"`, `"kid":"mine"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := s.keys["mine"].Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	auditor, err := s.keys["auditor"].Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	n, err := keys.SignNotice(keys.Notice{RevokedKeyID: "p", Time: sealtest.Time, Reason: keys.KeyCompromise}, s.keys[signer])
	if err != nil {
		t.Fatal(err)
	}
	notice, err := n.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	document := fmt.Appendf(nil, `{"keys":[%s],"revocations":[%s]}`, auditor, notice)
	for name, data := range map[string][]byte{"p": pinned, "doc.json": document} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
