package trust

import (
	"fmt"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
)

// BenchmarkParse reads a file as long as they get: 1,000 publishers and 300
// holders, each known by identity.
func BenchmarkParse(b *testing.B) {
	var in []byte
	in = append(in, "publishers:\n"...)
	for i := range maxPublishers {
		in = fmt.Appendf(in, "- {namespace: io.github.a%d, identity: {workflow: .github/workflows/release.yml}}\n", i)
	}
	for _, s := range sections {
		in = fmt.Appendf(in, "%s:\n", s.member)
		for i := range 100 {
			in = fmt.Appendf(in, "- {name: h%d, identity: {repository: %s/h%d}}\n", i, s.member, i)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStrangers asks about 1,000 signatures of nobody, beside a document of
// 1,000 keys with a notice.
func BenchmarkStrangers(b *testing.B) {
	var all []keys.PublicKey
	for i := range 1_000 {
		all = append(all, sealtest.Key(b, keys.Ed25519, fmt.Sprint("k", i)).Public())
	}
	signer := sealtest.Key(b, keys.Ed25519, "signer")
	set, err := keys.NewSet(append(all, signer.Public())...)
	if err != nil {
		b.Fatal(err)
	}
	notice, err := keys.SignNotice(keys.Notice{RevokedKeyID: "k1", Time: sealtest.Time, Reason: keys.KeyRotation}, signer)
	if err == nil {
		err = set.Revoke(notice)
	}
	if err != nil {
		b.Fatal(err)
	}
	config, err := Parse([]byte("publishers: [{namespace: io.github.acme, jwks: doc}]\n"))
	if err != nil {
		b.Fatal(err)
	}
	trust, err := config.Resolve(b.Context(), files{sets: map[string]keys.Set{"doc": set}})
	if err != nil {
		b.Fatal(err)
	}
	a := trust.Authenticator(sealtest.Namespace, verified)
	for b.Loop() {
		for i := range 1_000 {
			if _, err := a.Authenticate(b.Context(), seal.Signature{KeyID: fmt.Sprint("x", i)}, nil); err == nil {
				b.Fatal("a stranger is known")
			}
		}
	}
}
